"""
Convolution
===========

**Question.** A convolution is a weighted sum of neighbors, with the same weights at every place.
How is it computed, what does it cost, and how far around a pixel can a network look with it?

:Aim: You can write a convolution as seven loops and as one matrix product. You can count its
      multiplications, and you know how large a part of the image one output pixel depends on.
:Minutes: 75
:Needs: NumPy: slices, ``reshape``, the matrix product ``@``. Lesson 1.
:Practice: :doc:`Exercise 5 </exercises>` afterwards: write the matrix product yourself.

In :doc:`lesson 1 <01_pixels_and_channels>` you made channel 5 by hand: two thirds of a pixel and
one third of its right neighbor, everywhere in the image. Almost all the work of a network consists
of sums of this kind. This lesson is about these sums alone. :doc:`Lesson 5 <05_the_network>`
builds the network out of them.
"""

# %%
# One number
# ----------
#
# We need an image and a table of weights. The table is called the *kernel*. As in lesson 1, the
# pixels of the image are numbered, from 0 to 11, so that you can do everything on paper. A real
# kernel holds numbers such as 2/3 and 1/3. Ours holds 0 to 3. It has k rows and k columns, here
# k = 2.

import numpy as np

x = np.arange(12).reshape(3, 4)  # (H, W)
kernel = np.arange(4).reshape(2, 2)  # (k, k)
print("the image:", x, "the kernel:", kernel, sep="\n")

# %%
# Lay the kernel on the upper left corner of the image. It covers four pixels: 0, 1, 4 and 5.
# Multiply each of these pixels by the weight that lies on it, and add the four products:
#
# .. math::
#
#    0 \cdot 0 + 1 \cdot 1 + 2 \cdot 4 + 3 \cdot 5 = 24
#
# This is one number of the output. In a program, one loop runs over the rows of the kernel and one
# over its columns. We call the row of the kernel i and its column j. (In lessons 1 to 3, i and j
# were the place in a block, and k was the number of a channel. From here on they belong to the
# kernel.) The row and the column of the image where the upper left corner of the kernel lies are
# called p and q.


def one_number(x, kernel, p, q):
    """Lay the kernel on row p, column q of the image. Multiply and add."""
    total = 0
    for i in range(kernel.shape[0]):
        for j in range(kernel.shape[1]):
            total += kernel[i, j] * x[p + i, q + j]
    return total


print(one_number(x, kernel, 0, 0))
assert one_number(x, kernel, 0, 0) == 24

# %%
# All positions: four loops
# -------------------------
#
# Now move the kernel one pixel to the right and do the same. The result is the next number of the
# output. At the end of the row, go to the next row. The kernel must lie on the image with all of
# its weights.
#
# .. predict::
#
#    What is the number to the right of 24? How many rows and columns does the output have? What is
#    its last number?
#
# .. answer::
#
#    The next number is :math:`0 \cdot 1 + 1 \cdot 2 + 2 \cdot 5 + 3 \cdot 6 = 30`. The kernel fits
#    in two positions from top to bottom and in three from left to right. So the output has 2 rows
#    and 3 columns. The last number is :math:`0 \cdot 6 + 1 \cdot 7 + 2 \cdot 10 + 3 \cdot 11 = 60`.
#
# Two more loops move the kernel: one over p and one over q. A kernel of k rows has
# :math:`H - k + 1` positions in an image of H rows. The same holds for the columns.


def four_loops(x, kernel):
    """Convolve one image with one kernel: (H, W) and (k, k) -> (H - k + 1, W - k + 1)."""
    k = len(kernel)
    y = np.zeros((x.shape[0] - k + 1, x.shape[1] - k + 1), x.dtype)
    for p in range(y.shape[0]):
        for q in range(y.shape[1]):
            for i in range(k):
                for j in range(k):
                    y[p, q] += kernel[i, j] * x[p + i, q + j]
    return y


y = four_loops(x, kernel)  # (2, 3)
print(y)
assert y.tolist() == [[24, 30, 36], [48, 54, 60]]

# %%

import drawing

drawing.save(drawing.kernel_positions(x, kernel, y, [(0, 0), (0, 1), (1, 2)]), "04_positions.png")

# %%
# The kernel is the same at all positions. Therefore a convolution does the same in every part of an
# image, and a small table of weights is enough for an image of any size.
#
# In the explorer you can :explorer:`slide a kernel over a picture yourself <mode=convolution>`.
#
# Convolution or cross-correlation?
# ---------------------------------
#
# In mathematics, the sum above has another name: *cross-correlation*. There, a *convolution* first
# turns the kernel around, so that its last weight comes first. Deep learning uses the sum without
# turning, and calls it convolution all the same. (`Goodfellow, Bengio and Courville, Deep Learning,
# 2016, section 9.1 <https://www.deeplearningbook.org/contents/convnets.html>`_, explain the two.)
# NumPy has both, for one dimension. Take a row of five pixels and the weights of lesson 1. The word
# ``"same"`` asks for as many numbers of output as there are pixels. For this, the *middle* weight
# of the kernel lies on the pixel, and beyond the ends of the row there are zeros.

row = np.array([0.0, 0.0, 9.0, 0.0, 0.0])
weights = np.array([0, 2 / 3, 1 / 3])  # two thirds of the pixel, one third of its right neighbor

print("cross-correlation:", np.correlate(row, weights, "same"))
print("convolution:      ", np.convolve(row, weights, "same"))

assert np.allclose(np.correlate(row, weights, "same"), [0, 3, 6, 0, 0])
assert np.allclose(np.convolve(row, weights, "same"), [0, 0, 6, 3, 0])
assert np.allclose(np.convolve(row, weights[::-1], "same"), np.correlate(row, weights, "same"))

# %%
# The pixel to the left of the 9 has the 9 as its *right* neighbor, so one third of 9 appears there.
# The bright point has moved to the left, because each number of the output holds the brightness at
# a point further right. With the kernel turned around, the bright point moves to the right.
#
# For a network that learns its weights, the choice does not matter. A network that turns its
# kernels around learns turned kernels. The choice does matter when you take weights from another
# program. From here on, a convolution is the sum without turning.
#
# Padding
# -------
#
# The output is smaller than the image: it lacks :math:`k - 1` rows and :math:`k - 1` columns. To
# get an output as large as the image, one must first put pixels around the image. This is called
# *padding*. With a kernel of 3×3 pixels, one pixel on each side is enough. In general
# :math:`(k - 1)/2` pixels on each side are needed. With an odd k this is a whole number. Therefore
# odd kernels are common.
#
# Which numbers should the new pixels hold? The simplest answer is zero:

padded = np.pad(x, 1)  # (H + 2, W + 2)
print(padded)

blur = np.ones((3, 3), int)  # the sum of a pixel and its eight neighbors
assert four_loops(x, blur).shape == (1, 2)
assert four_loops(padded, blur).shape == x.shape

# %%
# The function ``four_loops`` needs no change for this. It only gets a larger image. But the zeros
# do harm at the edge of the output. The last section of this lesson is about this harm.
#
# Several channels in: a fifth loop
# ---------------------------------
#
# A color image has three channels, and inside a network an image has many more. The middle layer of
# ESPCN, the network of this course, gets 64. A kernel for C channels has C *slices*, one for each
# channel. Each slice is laid on its own channel, and all products are added, over all channels, to
# **one** number.
#
# We take two channels. The first one holds 0 to 11 as before, the second one 12 to 23. The first
# slice of the kernel is the old kernel.

x2 = np.arange(24).reshape(2, 3, 4)  # (C, H, W)
kernel2 = np.array([[[0, 1], [2, 3]], [[1, 0], [0, -1]]])  # (C, k, k)
print("slice 1 of the kernel:", kernel2[1], sep="\n")

# %%
# .. predict::
#
#    The upper left corner of channel 1 is 12, 13, 16, 17, in the order in which one reads. What is
#    the upper left number of the output? How many channels does the output have?
#
# .. answer::
#
#    Channel 0 gives 24, as before. Channel 1 gives
#    :math:`1 \cdot 12 + 0 \cdot 13 + 0 \cdot 16 - 1 \cdot 17 = -5`. The sum of both is 19. The
#    output has one channel. Did you expect two? The sum runs over the channels too, so they are
#    gone from the output.
#
# In the program, a loop over c is added. Nothing else changes.


def five_loops(x, kernel):
    """Convolve channels with one kernel: (C, H, W) and (C, k, k) -> (H - k + 1, W - k + 1)."""
    k = kernel.shape[1]
    y = np.zeros((x.shape[1] - k + 1, x.shape[2] - k + 1), x.dtype)
    for p in range(y.shape[0]):
        for q in range(y.shape[1]):
            for c in range(x.shape[0]):  # new
                for i in range(k):
                    for j in range(k):
                        y[p, q] += kernel[c, i, j] * x[c, p + i, q + j]
    return y


print(five_loops(x2, kernel2))
assert five_loops(x2, kernel2)[0, 0] == 24 - 5 == 19
assert np.array_equal(
    five_loops(x2, kernel2), four_loops(x2[0], kernel2[0]) + four_loops(x2[1], kernel2[1])
)

# %%

drawing.save(drawing.channel_sum(x2, kernel2, 0, 0), "04_channels.png")

# %%
# Several channels out: a sixth loop
# ----------------------------------
#
# One kernel finds one thing. For example, take the right neighbor of a pixel minus its left
# neighbor. In a flat region, where all pixels are equal, this is 0. At the left or right side of an
# object it is not. Such a kernel finds vertical edges. The kernel ``vertical`` below does this in
# three rows and adds the three differences. The same weights with rows and columns exchanged find
# horizontal edges.
#
# Our loops would need about a second for the two kernels, even for a small photograph. Therefore
# ``conv2d_forward`` from the book does the work, and our loops check a corner. The rest of this
# lesson shows how this function works. It wants an array of several images with several channels,
# and several kernels. We have one image with one channel, so we add two axes of length 1, with
# ``None``.

from npespcn.conv import conv2d_forward, conv2d_loop
from npespcn.pictures import downscale

small = downscale(drawing.photograph(), 3)  # (200, 170, 3)
gray = small.mean(axis=2)  # (200, 170): the mean of red, green and blue

vertical = np.array([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]])
horizontal = vertical.T
filters = np.stack([vertical, horizontal])[:, None]  # (2, 1, 3, 3): two kernels, one channel

edges = conv2d_forward(gray[None, None], filters)  # (1, 1, 200, 170) to (1, 2, 198, 168)
edges = edges[0]  # (2, 198, 168)

assert np.allclose(four_loops(gray[:20, :20], vertical), edges[0, :18, :18])
assert np.allclose(four_loops(gray[:20, :20], horizontal), edges[1, :18, :18])

drawing.save(
    drawing.filtered(gray, {"vertical edges": edges[0], "horizontal edges": edges[1]}),
    "04_filters.png",
)

# %%
# Orange is positive: the image gets brighter to the right, or downward. Purple is negative: it gets
# darker.
#
# The next layer of a network needs both kinds of edges. So a layer has several kernels, also called
# *filters*, and each one gives one channel of the output. Their number is called O. All weights of
# a layer together have the shape (O, C, k, k). In addition each filter has one number, its *bias*,
# which is added everywhere in its output channel.


def six_loops(x, weight, bias):
    """Convolve channels with filters: (C, H, W) and (O, C, k, k) -> (O, H - k + 1, W - k + 1)."""
    y = []
    for o in range(len(weight)):  # new
        y.append(five_loops(x, weight[o]) + bias[o])
    return np.stack(y)


# %%
# A batch: the seventh loop
# -------------------------
#
# During training a network gets several images at once, a *batch* of N images. Each image is
# treated by itself. So the last loop, over n, is the simplest one. Here are all seven loops in one
# function, in the order n, o, p, q, c, i, j:


def seven_loops(x, weight, bias):
    """Convolve: (N, C, H, W) and (O, C, k, k) -> (N, O, H - k + 1, W - k + 1)."""
    images, channels, height, width = x.shape
    filters, _, k, _ = weight.shape  # (O, C, k, k)
    y = np.zeros((images, filters, height - k + 1, width - k + 1), x.dtype)
    for n in range(images):
        for o in range(filters):
            for p in range(height - k + 1):
                for q in range(width - k + 1):
                    y[n, o, p, q] = bias[o]
                    for c in range(channels):
                        for i in range(k):
                            for j in range(k):
                                y[n, o, p, q] += weight[o, c, i, j] * x[n, c, p + i, q + j]
    return y


# %%
# As a formula:
#
# .. math::
#
#    \begin{aligned}
#    & y[n, o, p, q] = \text{bias}[o] + {} \\
#    & \sum_{c=0}^{C-1} \sum_{i=0}^{k-1} \sum_{j=0}^{k-1}
#    \text{weight}[o, c, i, j] \cdot x[n, c, p + i, q + j]
#    \end{aligned}
#
# ====  =========================  ===============================================
# loop  runs over                  why
# ====  =========================  ===============================================
# n     the images of a batch      each image is treated by itself
# o     the filters                each filter gives one channel of the output
# p, q  the positions              the same weights at every place of the image
# c     the channels of the input  they are added up
# i, j  the places in the kernel   a pixel and its neighbors are added up
# ====  =========================  ===============================================
#
# The first four, n, o, p and q, are the axes of the output. The last three, c, i and j, count the
# terms of the sum, and they are gone from the output.
#
# :func:`npespcn.conv.conv2d_loop` in the book is the same. We compare the two with random whole
# numbers, because sums of whole numbers are exact.

rng = np.random.default_rng(0)
batch = rng.integers(-9, 10, size=(2, 3, 5, 6))  # (N, C, H, W)
weight = rng.integers(-9, 10, size=(4, 3, 3, 3))  # (O, C, k, k)
bias = rng.integers(-9, 10, size=4)  # (O,)

y = seven_loops(batch, weight, bias)  # (2, 4, 3, 4)
print("x", batch.shape, " weight", weight.shape, " y", y.shape)

assert np.array_equal(y[0], six_loops(batch[0], weight, bias))
assert np.array_equal(y, conv2d_loop(batch, weight, bias))
assert np.array_equal(
    seven_loops(np.pad(batch, ((0, 0), (0, 0), (1, 1), (1, 1))), weight, bias),
    conv2d_loop(batch, weight, bias, padding=1),
)

# %%
# One product
# -----------
#
# The loops are right, but slow, because Python handles each multiplication by itself. A matrix
# product is fast: NumPy hands it to a library that multiplies many numbers at a time. A matrix
# product is also a sum of products. So let us look for one.
#
# We return to the image of 0 to 11 and its kernel. At the first position, the kernel meets the
# pixels 0, 1, 4 and 5. Write these four numbers as a column. Write the kernel as a row. Then the
# product of row and column is the first number of the output:
#
# .. math::
#
#    \begin{pmatrix} 0 & 1 & 2 & 3 \end{pmatrix} \begin{pmatrix} 0 \\ 1 \\ 4 \\ 5 \end{pmatrix} = 24
#
# Every other position has a column as well. Put all columns side by side into one matrix.
#
# .. predict::
#
#    How many rows and columns does the matrix have? Write it down. Then look at its first row:
#    which part of the image is it?
#
# .. answer::
#
#    A column has :math:`k^2 = 4` numbers, and there are :math:`2 \cdot 3 = 6` positions:
#
#    .. math::
#
#       \begin{pmatrix}
#       0 & 1 & 2 & 4 & 5 & 6 \\
#       1 & 2 & 3 & 5 & 6 & 7 \\
#       4 & 5 & 6 & 8 & 9 & 10 \\
#       5 & 6 & 7 & 9 & 10 & 11
#       \end{pmatrix}
#
#    The first row is the image without its last row and its last column. These are the pixels that
#    lie under the *first* weight of the kernel, one for each position.
#
# The same is true of each row. Row i·k + j holds the pixels that lie under the weight (i, j), one
# for each position. They are a rectangle of the image that begins at row i and column j. So we fill
# the matrix row by row, with one slice of the image for each row. With several channels, the rows
# of channel 1 come below those of channel 0, and so on. This function is called *im2col*, from
# image to columns.


def im2col(x, k):
    """Make a column of the pixels under each position: (C, H, W) -> (C*k*k, positions)."""
    channels, height, width = x.shape
    out_h, out_w = height - k + 1, width - k + 1
    rows = []
    for c in range(channels):
        for i in range(k):
            for j in range(k):
                seen = x[c, i : i + out_h, j : j + out_w]  # the pixels under weight (c, i, j)
                rows.append(seen.reshape(out_h * out_w))
    return np.stack(rows)  # (C*k*k, out_h*out_w)


columns = im2col(x[None], 2)  # (4, 6)
y = kernel.reshape(1, 4) @ columns  # (1, 6)
print(columns)
print("the product:", y)

assert columns[:, 0].tolist() == [0, 1, 4, 5]
assert columns[0].tolist() == x[:-1, :-1].ravel().tolist()
assert np.array_equal(y.reshape(2, 3), four_loops(x, kernel))

# %%

drawing.save(drawing.columns_product(x, kernel, columns, 4), "04_columns.png")

# %%
# With O filters, the rows of O kernels stand one below the other, and the product has O rows: one
# for each channel of the output. Only the three loops of ``im2col`` are left. They run over the few
# weights of a kernel and not over the many pixels of the image. The product does the rest: for each
# filter and each position, it adds up the products.


def by_product(x, weight, bias):
    """Convolve by one matrix product: (C, H, W) and (O, C, k, k) -> (O, H - k + 1, W - k + 1)."""
    filters, channels, k, _ = weight.shape
    _, height, width = x.shape
    matrix = weight.reshape(filters, channels * k * k)  # (O, C*k*k)
    y = matrix @ im2col(x, k)  # (O, positions)
    y = y + bias.reshape(filters, 1)
    return y.reshape(filters, height - k + 1, width - k + 1)  # (O, out_h, out_w)


for image in batch:
    assert np.array_equal(by_product(image, weight, bias), six_loops(image, weight, bias))

# %%
# ``reshape`` reads the weights of a filter in the order c, i, j. The rows of the matrix of columns
# must come in the same order. If they come as i, j, c, the product still works and has the right
# shape, but most weights meet a wrong pixel:

columns = im2col(batch[0], 3)  # (C*k*k, positions)
other_order = columns.reshape(3, 9, -1).swapaxes(0, 1).reshape(27, -1)  # rows in the order i, j, c
right = weight.reshape(4, 27) @ columns
wrong = weight.reshape(4, 27) @ other_order
print("right:", right[0, :4], " wrong:", wrong[0, :4])
assert wrong.shape == right.shape
assert not np.array_equal(wrong, right)

# %%
# The book has both functions, for a whole batch: :func:`npespcn.conv.im2col` and
# :func:`npespcn.conv.conv2d_forward`. An early article that describes this way is `Chellapilla,
# Puri and Simard, High Performance Convolutional Neural Networks for Document Processing, 2006
# <https://inria.hal.science/inria-00112631>`_.

from npespcn import conv

assert np.array_equal(im2col(batch[0], 3), conv.im2col(batch, 3)[0])
assert np.array_equal(seven_loops(batch, weight, bias), conv2d_forward(batch, weight, bias))

# %%
# The price: multiplications and memory
# -------------------------------------
#
# Both ways need the same number of multiplications. For one position, each filter multiplies
# :math:`C \cdot k \cdot k` times. So O filters need :math:`O \cdot C \cdot k \cdot k`
# multiplications, exactly as many as the layer has weights.
#
# ESPCN has three convolutions. For :math:`r = 3` they are
#
# - conv1: from 1 channel to 64, kernels of 5×5,
# - conv2: from 64 channels to 32, kernels of 3×3,
# - conv3: from 32 channels to 9, kernels of 3×3.
#
# .. predict::
#
#    How many multiplications does each layer need for one pixel of the small image? Which layer
#    costs most?
#
# .. answer::
#
#    conv1 needs 64 · 1 · 25 = 1,600, conv2 needs 32 · 64 · 9 = 18,432, and conv3 needs 9 · 32 · 9 =
#    2,592. The sum is 22,624. The layer in the middle needs about four fifths of it, although its
#    kernels are small. It has many channels on both sides.

layers = {"conv1": (64, 1, 5), "conv2": (32, 64, 3), "conv3": (9, 32, 3)}  # O, C, k
multiplications = {}
for name, (o, c, k) in layers.items():
    multiplications[name] = o * c * k * k
    print(f"{name}: {multiplications[name]:,} multiplications for one pixel")
print(f"together: {sum(multiplications.values()):,}")

assert multiplications == {"conv1": 1_600, "conv2": 18_432, "conv3": 2_592}
assert sum(multiplications.values()) == 22_624
assert 0.8 < multiplications["conv2"] / 22_624 < 0.83
assert round(22_624 / 9) == 2_514  # for one pixel of the large image

# %%
# One pixel of the small image becomes nine pixels of the large one. So a pixel of the large image
# costs 22,624 / 9, which is about 2,514 multiplications.
#
# Now we measure the time of conv2, for the loops and for the product. The loops get an image of 4×4
# pixels, in which a kernel of 3×3 has four positions. The product gets 98×98 pixels, with
# :math:`96 \cdot 96 = 9216` positions.

import time

x64 = rng.normal(size=(1, 64, 98, 98)).astype(np.float32)  # (N, C, H, W)
weight = rng.normal(size=(32, 64, 3, 3)).astype(np.float32)  # (O, C, k, k)
bias = np.zeros(32, np.float32)

start = time.perf_counter()
by_loops = seven_loops(x64[:, :, :4, :4], weight, bias)  # (1, 32, 2, 2)
loops_time = (time.perf_counter() - start) / 4  # seconds for one position

conv2d_forward(x64, weight, bias)  # once before, without the clock
start = time.perf_counter()
y = conv2d_forward(x64, weight, bias)  # (1, 32, 96, 96)
product_time = (time.perf_counter() - start) / 96**2  # seconds for one position

print(f"loops:   {1e6 * loops_time:10,.1f} microseconds for one position")
print(f"product: {1e6 * product_time:10,.1f} microseconds for one position")
print(f"the loops take {loops_time / product_time:,.0f} times as long")

assert np.allclose(y[:, :, :2, :2], by_loops, rtol=1e-3, atol=1e-3)  # float32 rounds
assert loops_time > 100 * product_time

# %%
# The times depend on your machine, and the assertion asks only for a factor of 100. Both ways
# multiply equally often. But in the loops Python first finds out, for each multiplication, what the
# names and the indices stand for, and this takes much longer than the multiplication itself.
#
# The product has a price of its own: memory. Each pixel lies under up to :math:`k^2` positions of
# the kernel, so the columns hold it up to :math:`k^2` times.

columns = conv.im2col(x64, 3)  # (1, 576, 9216)
print(f"x: {x64.nbytes:,} bytes, columns: {columns.nbytes:,} bytes")
assert columns.shape == (1, 64 * 9, 96 * 96)
assert 8 * x64.nbytes < columns.nbytes < 9 * x64.nbytes

# %%
# Our columns need almost nine times the memory of their image. :doc:`How the package does it
# </performance>` describes ways that copy less, and how they give the same numbers sooner.
#
# How far the network looks
# -------------------------
#
# A kernel of 3×3 looks at the neighbors of a pixel and no further. A network can see more than
# that, because its layers work one after the other. A number in the second layer is a sum of
# neighbors, and each of these is already a sum of *its* neighbors. The part of the input on which
# one output pixel depends is called its *receptive field*.
#
# .. predict::
#
#    The kernels of ESPCN are 5×5, 3×3 and 3×3. How large is the receptive field of an output pixel?
#
# .. answer::
#
#    9×9 pixels of the small image. A kernel of k pixels looks :math:`(k - 1)/2` pixels to each
#    side: 2, 1 and 1. One after the other, these distances add up to 4. With the pixel itself, this
#    makes :math:`4 + 1 + 4 = 9`. So the field has 5×5 pixels after the first layer, 7×7 after the
#    second, and 9×9 after the third.
#
# The drawing shows one row of pixels at each stage. It begins at the output, at the top, and goes
# back to the input. The numbers between two rows are the size of the kernel that leads from the
# lower row to the upper one. Gray pixels are those on which the output pixel depends. Going back
# from one output pixel there are 3 of them, then 5, and then 9.
#
# The explorer shows :explorer:`whole pictures in place of rows <mode=convolution&layers=3>`.

names = ["output", "after conv2", "after conv1", "input"]
drawing.save(drawing.receptive_cone((5, 3, 3), names), "04_cone.png")

# %%
# We check it with the book's function, from the other side: how far does one input pixel reach? If
# an output pixel looks 4 pixels to each side, then an input pixel reaches the output pixels that
# lie at most 4 pixels away. Both are squares of the same size.
#
# The image is black except for one pixel of 1. All weights are 1. Then each number of the output
# counts the *ways* that lead from the bright pixel to this place, through the three layers. (With
# the word ``"same"`` the function pads with zeros, so that the size stays the same.)

spot = np.zeros((1, 1, 13, 13))
spot[0, 0, 6, 6] = 1
reached = {}
for layer, k in enumerate((5, 3, 3), start=1):
    spot = conv2d_forward(spot, np.ones((1, 1, k, k)), padding="same")  # (1, 1, 13, 13)
    pixels = np.count_nonzero(spot)
    print(f"after layer {layer}: {pixels} pixels, with up to {spot.max():.0f} ways")
    side = round(pixels**0.5)
    reached[f"after layer {layer}: {side}×{side}"] = spot[0, 0]

assert list(reached) == ["after layer 1: 5×5", "after layer 2: 7×7", "after layer 3: 9×9"]
assert spot.max() == 81
assert spot[0, 0, 2, 2] == 1  # the corner of the 9×9 pixels

# %%
# After three layers, 81 ways lead to the middle, and one way to a corner. So a pixel in the middle
# of the receptive field usually counts more than a pixel at its edge. (`Luo and others,
# Understanding the Effective Receptive Field in Deep Convolutional Neural Networks, 2016
# <https://arxiv.org/abs/1701.04128>`_, study this.)
#
# And a real network? ``pretrained(3)`` is the trained network of this course. (Lesson 5 looks at it
# layer by layer.) It takes the brightness of an image, divided by 255, so black is about 0 and
# white is about 1. Its method ``predict`` gives the large image. We give it an image of random
# grays, and then the same image with one pixel changed by 0.1. Where does its output change?

import npespcn

network = npespcn.pretrained(3)
before = rng.uniform(0.3, 0.7, size=(1, 1, 13, 13)).astype(np.float32)  # (N, C, H, W)
after = before.copy()
after[0, 0, 6, 6] += 0.1
change = network.predict(after) - network.predict(before)  # (1, 1, 39, 39)
change = 255 * change[0, 0]  # (39, 39), in gray levels

changed_rows = np.flatnonzero(np.any(change != 0, axis=1))  # the rows that changed
changed_columns = np.flatnonzero(np.any(change != 0, axis=0))
print("changed rows:   ", changed_rows[0], "to", changed_rows[-1], "of 0 to 38")
print("changed columns:", changed_columns[0], "to", changed_columns[-1], "of 0 to 38")

nine_blocks = list(range(2 * 3, 11 * 3))  # blocks 2 to 10, three pixels each
assert changed_rows.tolist() == nine_blocks
assert changed_columns.tolist() == nine_blocks

drawing.save(drawing.footprints(reached, change), "04_receptive_field.png")

# %%
# In the large image, 9×9 pixels of the small one are 27×27 pixels: the green frame. Within the
# frame the change is uneven, and it can be negative. This is no mistake. The weights of a trained
# network are positive and negative, and each place of the block has its own. The size of the field
# depends on the kernels' sizes alone. The change within it depends on the weights.
#
# What breaks: zeros at the edge
# ------------------------------
#
# Look at padding again. An image of flat gray, 100 everywhere, goes through a kernel that takes the
# mean of 5×5 pixels. The output should be 100 everywhere. We pad the image with zeros:

flat = np.full((1, 1, 12, 12), 100.0)
mean = np.full((1, 1, 5, 5), 1 / 25)
print(conv2d_forward(flat, mean, padding="same")[0, 0, :4, :4].round())

assert np.allclose(conv2d_forward(flat, mean, padding="same")[0, 0, 0, :3], [36, 48, 60])

# %%
# In the corner, the kernel covers only 9 pixels of the image, and 16 zeros. The mean is
# :math:`100 \cdot 9/25 = 36`. Along the edge, away from the corner, it is 60. One pixel further in
# it is 80, and from there on it is 100.
#
# .. predict::
#
#    Our network has three layers, with kernels of 5×5, 3×3 and 3×3 pixels. Suppose that all three
#    are padded with zeros. Then the *large* image has a frame of wrong pixels at its edge. How many
#    pixels wide is this frame?
#
# .. answer::
#
#    The receptive field reaches 4 pixels to each side. So the outer 4 pixels of the small image see
#    zeros, and each of them makes 3×3 pixels of the large one. The frame is 12 pixels wide.
#
# We put the trained weights into a network that pads with zeros (``padding="same"``), and give it
# flat gray. The trained network itself pads in another way. It *repeats the edge* of the image
# (``padding="edge"``): each new pixel gets the value of the nearest pixel of the image. This fits
# flat gray exactly.
#
# Which output is right? In the middle of the image no kernel sees zeros. There all LR pixels see
# the same gray, so all blocks of 3×3 pixels are equal. We take one block from the middle and repeat
# it everywhere. Each pixel that differs from this is wrong.

from npespcn.models import ESPCN

zeros = ESPCN(3, padding="same")
zeros.load_state_dict(network.state_dict())  # copy the trained weights

flat = np.full((1, 1, 20, 20), 126 / 255, np.float32)  # a middle gray
outputs = {
    "zeros": 255 * zeros.predict(flat)[0, 0],  # (60, 60)
    "the edge repeated": 255 * network.predict(flat)[0, 0],
}
block = outputs["zeros"][30:33, 30:33]  # in the middle, where no zeros are seen
true = np.tile(block, (20, 20))  # (60, 60)

for name, output in outputs.items():
    error = np.abs(output - true)
    wrong = np.sum(error > 1e-3)
    print(f"{name}: {wrong} of {error.size} pixels wrong, by up to {error.max():.1f} gray levels")

wrong = np.abs(outputs["zeros"] - true) > 1e-3
frame = np.pad(np.zeros((36, 36), bool), 12, constant_values=True)  # (60, 60): True at the edge
assert np.array_equal(wrong, frame)
assert np.abs(outputs["the edge repeated"] - true).max() < 1e-3

drawing.save(drawing.edge(outputs["zeros"], true, depth=12, corner=24), "04_edge.png")

# %%
# This is the upper left corner of the output with zeros. The dotted line is 12 pixels from the
# edge. These weights were trained on small pieces of images, without zeros around them. So the
# network has never seen zeros at an edge. A network that was trained *with* zeros has at least seen
# them.
#
# You will meet zeros often. PyTorch's `Conv2d
# <https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html>`__ pads with zeros unless
# you ask for another ``padding_mode``, and the padding "same" of Keras's `Conv2D
# <https://keras.io/api/layers/convolution_layers/convolution2d/>`__ means zeros as well. So look at
# the border of an image when you compare two networks.
#
# What you know now
# -----------------
#
# - A convolution is seven loops. Four of them are the axes of the output: image, filter, row,
#   column. Three are terms of a sum: channel, row and column in the kernel.
# - With the pixels under each position as a column, all sums are one matrix product. The loops and
#   the product multiply equally often, and the product is more than a hundred times as fast.
# - A layer needs O·C·k·k multiplications for each pixel. The reach of several layers adds up, and
#   zeros at the edge spoil the output as far as the network reaches.
#
# Try this: change ``vertical`` to a kernel that finds single bright points. Which weights must it
# have, so that it gives 0 in flat regions? Then write the product yourself, in :doc:`exercise 5
# </exercises>`. The animations of `Dumoulin and Visin, A guide to convolution arithmetic for deep
# learning, 2016 <https://github.com/vdumoulin/conv_arithmetic>`_, show padding and other variants.
#
# Next: :doc:`lesson 5 <05_the_network>` puts three convolutions and one shuffle together, and a
# photograph comes out three times as large.
