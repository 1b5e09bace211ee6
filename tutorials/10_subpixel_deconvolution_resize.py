"""
Sub-pixel, deconvolution, resize
================================

**Question.** A network can enlarge an image by a sub-pixel convolution, by a transposed convolution
(often called deconvolution), or by resizing first and convolving afterwards. Which of these are the
same? What does each of them cost? And which of them draw checkerboards?

:Aim: You can turn a sub-pixel convolution into a transposed convolution and back, count what a
      layer costs, and say for any such layer whether it draws a checkerboard, and why.
:Minutes: 75
:Needs: Lessons 1, 4 and 5, and the orders of lesson 3 in one place. For the experiment at the end
      also lessons 6 to 8.
:Practice: :doc:`Exercises 8 and 14 </exercises>` afterwards: ICNR, and the transposed convolution.

Most of this lesson happens in one dimension, with three pixels and six numbers. Have paper and a
pencil ready. All of it then holds in two dimensions, because rows and columns are treated alike.
"""

# %%
# Collecting
# ----------
#
# We enlarge a row of pixels two times, so :math:`r = 2`. Each input pixel becomes a block of two
# output pixels. ESPCN's last layer does this by a *sub-pixel convolution*: it has one filter for
# each place in the block. Here these are two filters, of three numbers each:
#
# - the filter (1, 2, 3) makes place 0 of every block, that is the output pixels 0, 2 and 4;
# - the filter (4, 5, 6) makes place 1 of every block, that is the output pixels 1, 3 and 5.
#
# The input is the row 1, 10, 100, with a zero on each side. These numbers are chosen so that you
# can read a result. For example, 321 is :math:`1 \cdot 1 + 2 \cdot 10 + 3 \cdot 100`: its last
# digit says what the pixel 1 was multiplied by, the middle digit belongs to the pixel 10, and the
# first digit to the pixel 100.

import numpy as np

x = np.array([1, 10, 100])
filters = np.array([[1, 2, 3], [4, 5, 6]])  # (r, k)

padded = np.array([0, 1, 10, 100, 0])
collected = np.zeros(6, int)
for p in range(3):
    seen = padded[p : p + 3]  # the input pixel p and its two neighbors
    collected[2 * p] = np.sum(filters[0] * seen)
    collected[2 * p + 1] = np.sum(filters[1] * seen)
print(collected)

assert collected.tolist() == [32, 65, 321, 654, 210, 540]

# %%
# Each output pixel *collects* from three input pixels. The interleaving of the two results, one
# number from the first filter, one from the second, and so on, is the pixel shuffle in one
# dimension.
#
# Dealing out
# -----------
#
# Now we look at the same computation from the other side. We do not ask where an output pixel gets
# its numbers from. We ask where an input pixel *goes*.
#
# .. predict::
#
#    Follow the input pixel 10. Which of the six output pixels does it reach, and what is it
#    multiplied by on its way to each of them? The digits of the output tell you.
#
# .. answer::
#
#    It reaches all six. The middle digits of 32, 65, 321, 654, 210 and 540 are 3, 6, 2, 5, 1 and 4.
#    (The number 32 is 032, so its middle digit is 3.) So the pixel 10 adds 30, 60, 20, 50, 10 and
#    40 to the six output pixels.

import drawing

drawing.save(drawing.two_ways(x, filters, collected), "10_two_ways.png")

# %%
# Look at these six factors. The filter (1, 2, 3) is in them, at every second place and
# backwards: 3, 2, 1. The filter (4, 5, 6) is there too, between them, and backwards: 6, 5, 4.
#
# Why backwards? The filters move over the input from left to right. So the *last* number of a
# filter is the first one to meet our pixel.
#
# Every other input pixel does the same. The pixel 100 deals out with the same six factors, two
# output pixels further right, because one input pixel is two output pixels wide. The pixel 1 deals
# out two pixels further left. So we need *one* kernel of six numbers, made of the two filters:
# flipped, then interleaved.

kernel = np.zeros(6, int)
kernel[0::2] = filters[0][::-1]
kernel[1::2] = filters[1][::-1]
print("kernel", kernel)

canvas = np.zeros(10, int)
for p in range(3):
    canvas[2 * p : 2 * p + 6] += x[p] * kernel  # two further for the next pixel
print("canvas", canvas)
dealt = canvas[2:-2]  # two numbers at each end lie outside of the output
print("output", dealt)

assert kernel.tolist() == [3, 6, 2, 5, 1, 4]
assert np.array_equal(dealt, collected)

# %%
# The same as an addition on paper. The crossed numbers belong to output pixels that do not exist,
# and are cut off.

drawing.save(drawing.dealt_out(x, [kernel], 2, 2, channels=True), "10_addition.png")

# %%
# This is called a *transposed convolution*, with a kernel of 6, a stride of 2 and a padding of 2.
# The stride is the distance from one copy of the kernel to the next. The padding is how many
# numbers are cut off at each end.
#
# You have met this operation before: the backward pass of a convolution does it with the gradient
# (:doc:`lesson 7 <07_backpropagation>`). Here it is a forward pass. This also explains the strange
# use of the word padding. In :doc:`lesson 4 <04_convolution>` padding is put around the input. The
# backward pass then cuts the gradient of these extra pixels off. Many people call the operation
# *deconvolution*. That name is misleading, because it does not undo a convolution.
#
# So a sub-pixel convolution and a transposed convolution are one sum, written twice: once by output
# pixels, once by input pixels.
#
# The proof for any filters
# -------------------------
#
# The digits showed it for one example. In letters it takes three lines. The filters have k numbers,
# where k is odd. Filter i makes place i of block p, from the input pixels around p:
#
# .. math::
#
#    y_{r p + i} = \sum_{j=0}^{k-1} f_i[j] \cdot x_{p + j - (k-1)/2}
#
# Give the input pixel in this sum a name of its own, :math:`q = p + j - (k-1)/2`. Then
# :math:`p = q - j + (k-1)/2`. So the input pixel q, times :math:`f_i[j]`, goes to the output pixel
# :math:`r p + i = r q - r j + r (k-1)/2 + i`. We write :math:`r (k-1)/2` as
# :math:`r (k-1) - r (k-1)/2`, and put the terms in another order:
#
# .. math::
#
#    r p + i = \left(r q - r \frac{k-1}{2}\right) + r (k - 1 - j) + i
#
# The part in parentheses depends on q only. It is the place where the copy of the kernel for pixel
# q begins: r further for each next q. For q = 0 it is negative. So this copy begins before the
# output, by :math:`r (k-1)/2` numbers. That is the padding, which is cut off. The rest is the place
# within the kernel. So
#
# .. math::
#
#    \text{kernel}[r (k - 1 - j) + i] = f_i[j]
#
# Here :math:`k - 1 - j` is the flip, and :math:`r \cdot (\ldots) + i` is the interleaving. The
# kernel has :math:`r \cdot k` numbers, as many as the r filters have together.
#
# In two dimensions
# -----------------
#
# In an image the same happens along the rows and along the columns. At r = 2 there are four
# filters, one for each place of the 2×2 block. Interleaving in both directions is the rule of
# :doc:`lesson 1 <01_pixels_and_channels>`: filter :math:`i \cdot r + j` fills place (i, j). So the
# one kernel is the *pixel shuffle* of the flipped filters.
#
# .. predict::
#
#    Four filters of 3×3 become one kernel. How large is it? Filter 3 makes the lower right places.
#    Where in the kernel is its upper left number?
#
# .. answer::
#
#    The kernel is 6×6: all :math:`4 \cdot 9 = 36` numbers are in it. The flip takes the upper left
#    number of a filter to its lower right corner, row 2, column 2. Filter 3 fills place (1, 1), so
#    the number goes to row :math:`2 \cdot 2 + 1 = 5` and column 5. That is the lower right corner
#    of the kernel.
#
# We number all entries of the filters, from 0 to 35, so that we can find them again.

from npespcn.shuffle import pixel_shuffle

filters = np.arange(4 * 3 * 3).reshape(4, 3, 3)  # (r*r, k, k)
flipped = filters[:, ::-1, ::-1]
kernel = pixel_shuffle(flipped, 2)[0]  # (k*r, k*r)
print(kernel)

assert kernel[5, 5] == filters[3, 0, 0]

drawing.save(drawing.filters_to_kernel(filters, kernel, 2), "10_kernel.png")

# %%
# In the figure filter 0 begins with 0. In the kernel, the numbers of its color run backwards and
# have one number of another filter between them. (You can play with the shuffle itself in
# :explorer:`the map <mode=map&r=2&c=1>`.)
#
# Now both ways as functions, for an image and any odd k. In the second function, k is the side of
# the large kernel, which is :math:`r \cdot k` of the first.


def subpixel_convolution(x, filters, r):
    """Collect: (H, W) and r*r filters (r*r, k, k) -> (H*r, W*r)."""
    k = filters.shape[1]
    padded = np.pad(x, k // 2)
    y = np.zeros((x.shape[0] * r, x.shape[1] * r))  # (H*r, W*r)
    for row, column in np.ndindex(y.shape):
        p, i = divmod(row, r)
        q, j = divmod(column, r)
        seen = padded[p : p + k, q : q + k]
        y[row, column] = np.sum(filters[i * r + j] * seen)
    return y


def transposed_convolution(x, kernel, stride, padding):
    """Deal out: (H, W) and one kernel (k, k) -> (H', W'), H' = (H - 1)*stride + k - 2*padding."""
    h, w = x.shape
    k = len(kernel)
    y = np.zeros(((h - 1) * stride + k, (w - 1) * stride + k))
    for p, q in np.ndindex(h, w):
        row, column = p * stride, q * stride
        y[row : row + k, column : column + k] += x[p, q] * kernel
    return y[padding : len(y) - padding, padding : y.shape[1] - padding]  # (H', W')


rng = np.random.default_rng(0)
image = rng.normal(size=(5, 7))
for r, k in ((2, 3), (2, 5), (3, 3), (3, 5)):
    filters = rng.normal(size=(r * r, k, k))
    kernel = pixel_shuffle(filters[:, ::-1, ::-1], r)[0]  # (k*r, k*r)
    one = subpixel_convolution(image, filters, r)
    other = transposed_convolution(image, kernel, r, r * (k - 1) // 2)
    difference = np.abs(one - other).max()
    print(f"r = {r}, k = {k}: kernel {kernel.shape}, largest difference {difference:.0e}")
    assert difference < 1e-13

# %%
# The layers of the book agree. They have several input channels and several images, and so the
# weights have more axes. The weight of a transposed convolution is (in_channels, out_channels, k,
# k), as in PyTorch, so its first two axes change places.

from npespcn.layers import Conv2d, ConvTranspose2d

x = rng.normal(size=(2, 4, 5, 7))  # (N, C, H, W)
conv = Conv2d(4, 2 * 3 * 3, 3, padding="same", dtype="float64")  # two image channels, r = 3
transposed = ConvTranspose2d(4, 2, 9, stride=3, padding=3, dtype="float64")

flipped = conv.params["weight"][:, :, ::-1, ::-1]  # (O*r*r, C, k, k)
flipped = flipped.transpose(1, 0, 2, 3)  # (C, O*r*r, k, k)
transposed.params["weight"] = pixel_shuffle(flipped, 3)  # (C, O, k*r, k*r)

difference = np.abs(pixel_shuffle(conv(x), 3) - transposed(x)).max()
print(f"largest difference {difference:.0e}")
assert difference < 1e-13

# %%
# The authors of ESPCN give this argument in `Is the deconvolution layer the same as a convolutional
# layer? <https://arxiv.org/abs/1609.07009>`_ (Shi et al., 2016). `A guide to convolution arithmetic
# for deep learning <https://arxiv.org/abs/1603.07285>`_ (Dumoulin and Visin, 2016) draws many
# transposed convolutions.
#
# What it costs
# -------------
#
# Both ways need the same multiplications: each of the :math:`r^2 k^2` numbers meets each input
# pixel once. It does not matter which of the two you write. It matters *where* in the network one
# enlarges. We count multiplications. ESPCN at ×3 has three convolutions, all at low resolution:
#
# - 5×5, from 1 channel to 64: :math:`25 \cdot 1 \cdot 64 = 1600` for each LR pixel;
# - 3×3, from 64 to 32: :math:`9 \cdot 64 \cdot 32 = 18432`;
# - 3×3, from 32 to 9: :math:`9 \cdot 32 \cdot 9 = 2592`.
#
# Together that is 22,624 for each *LR* pixel. The shuffle multiplies nothing.
#
# SRCNN (`Dong et al., 2014 <https://arxiv.org/abs/1501.00092>`_) came before ESPCN. It enlarges the
# image first, by bicubic interpolation. Then it has three convolutions, all at high resolution: 9×9
# from 1 to 64 channels, 1×1 from 64 to 32, and 5×5 from 32 to 1. (A kernel of 1×1 sees a single
# pixel, and makes weighted sums of its channels.) That is :math:`5184 + 2048 + 800 = 8032`
# multiplications for each *HR* pixel.
#
# .. predict::
#
#    Which of the two is cheaper at ×3, and how many times? And at ×2 and at ×4: does the ratio grow
#    or shrink?
#
# .. answer::
#
#    At ×3 an LR pixel becomes nine HR pixels. So ESPCN needs :math:`22624 / 9 \approx 2514`
#    multiplications for an HR pixel. SRCNN needs 3.2 times as many. At ×2 the ratio is 1.5, and at
#    ×4 it is 5.2. The larger the factor, the more HR pixels share the work at one LR pixel.

srcnn = 81 * 1 * 64 + 1 * 64 * 32 + 25 * 32 * 1
for r in (2, 3, 4):
    espcn = (25 * 1 * 64 + 9 * 64 * 32 + 9 * 32 * r**2) / r**2
    print(f"×{r}: ESPCN {espcn:,.0f}, SRCNN {srcnn:,}, ratio {srcnn / espcn:.1f}")

assert srcnn == 8032
assert round((1600 + 18432 + 2592) / 9) == 2514

# %%
# A count is not a time. So we measure the time, too, with the photograph of this course. We call
# ``predict``, which enlarges and keeps nothing. (``forward`` also keeps what a backward pass would
# need, and nobody who enlarges a photograph needs that.) The bicubic interpolation is timed by
# itself, and belongs to neither network. ``accelerate`` makes both networks faster, and gives the
# same results.

import time

from npespcn.fast import accelerate
from npespcn.models import ESPCN, SRCNN
from npespcn.pictures import downscale, rgb_to_y, upscale_bicubic


def milliseconds(function, x):
    """Return the shortest time of five calls, after one that is not measured."""
    function(x)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        function(x)
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def bicubic(x):
    return upscale_bicubic(x[0, 0], 3)[None, None].astype(np.float32)


photograph = drawing.photograph()
small = rgb_to_y(downscale(photograph, 3).astype(np.float32)) / 255  # (200, 170)
small = small[None, None]  # (1, 1, 200, 170)
enlarged = bicubic(small)  # (1, 1, 600, 510)

espcn_time = milliseconds(accelerate(ESPCN(3)).predict, small)
bicubic_time = milliseconds(bicubic, small)
srcnn_time = milliseconds(accelerate(SRCNN()).predict, enlarged)
print(f"ESPCN                  {espcn_time:6.1f} ms")
print(f"bicubic interpolation  {bicubic_time:6.1f} ms")
print(f"SRCNN, after it        {srcnn_time:6.1f} ms, {srcnn_time / espcn_time:.1f} times ESPCN's")

pixels = 600 * 510
print(f"ESPCN: {2514 * pixels / espcn_time / 1e6:.0f} counted multiplications in a nanosecond")
print(f"SRCNN: {8032 * pixels / srcnn_time / 1e6:.0f} counted multiplications in a nanosecond")

# %%
# If both networks did equally many multiplications in a nanosecond, SRCNN would need 3.2 times the
# time of ESPCN. The two last lines show that they do not. One reason is that ``accelerate`` has a
# way to do a 3×3 convolution with half of the multiplications that we counted. ESPCN has two such
# layers, SRCNN has none. So the count tells correctly which of the two is faster, and it does not
# tell the times. :doc:`Appendix B <b_why_it_is_fast>` shows how the multiplications are saved, and
# what else makes a layer fast or slow.
#
# A flat gray image
# -----------------
#
# The rest of this lesson asks one simple question of every layer: what does it make of a flat gray
# image, on which all pixels have the same value g? There is nothing to see in such an image. So
# there should be nothing to see in the enlarged one.
#
# Take the two filters from the beginning again. Under the filter (1, 2, 3) lie g, g, g. The result
# is :math:`(1 + 2 + 3) \cdot g = 6 g`. The other filter gives :math:`(4 + 5 + 6) \cdot g = 15 g`.
# So the output is 6 g, 15 g, 6 g, 15 g and so on. These are stripes, and in two dimensions they are
# a pattern of dots, which people call a *checkerboard*. The rule is short:
#
#    **On flat gray, place i of every block gets g times the sum of filter i. There is a
#    checkerboard if, and only if, the sums of the filters differ.**
#
# (The bias of filter i is added. Biases start at zero. And near the edge of an image the zeros of
# the padding matter too, so we look at the middle.)
#
# Now we go through the reasons why sums can differ. There are two.
#
# First cause: uneven overlap
# ---------------------------
#
# With a transposed convolution one may choose any kernel size. Take a kernel of three equal
# numbers, (1, 1, 1), and a stride of 2. It deals out a row of five ones.
#
# .. predict::
#
#    What do neighboring output pixels hold, away from the ends? Draw the addition. And in two
#    dimensions, with a kernel of 3×3 ones: which numbers occur? What changes if the kernel has four
#    ones in a row, or 4×4?
#
# .. answer::
#
#    Copies of a kernel of three overlap in one pixel. So the output holds 1 and 2 in turn. In two
#    dimensions rows and columns multiply: the numbers 1, 2, 2 and 4 occur in every block. With four
#    ones every pixel gets two, and with 4×4 ones every pixel gets four. There is no pattern then.

ones = np.ones(5, int)
drawing.save(
    drawing.dealt_out(ones, [np.ones(3, int), np.ones(4, int)], 2, 0, channels=False),
    "10_overlap.png",
)

# %%
# And in two dimensions, with the function from above:

counts = {}
for k in (3, 4):
    counts[k] = transposed_convolution(np.ones((5, 5)), np.ones((k, k)), 2, 0)
    print(f"kernel {k}×{k}, stride 2, a block in the middle:")
    print(counts[k][4:6, 4:6])

assert sorted(counts[3][4:6, 4:6].ravel()) == [1, 2, 2, 4]
assert (counts[4][4:6, 4:6] == 4).all()

drawing.save(
    drawing.overlaps({"3×3, stride 2": counts[3], "4×4, stride 2": counts[4]}), "10_overlap_2d.png"
)

# %%
# Take a kernel of k numbers at a stride of s. If k is a multiple of s, each output pixel is a sum
# of equally many terms. If not, some output pixels get more terms than others. Odena, Dumoulin and
# Olah found this *uneven overlap* behind the checkerboards of many published networks:
# `Deconvolution and Checkerboard Artifacts <https://distill.pub/2016/deconv-checkerboard/>`_,
# Distill, 2016. You can move sliders there, and in :explorer:`the explorer
# <mode=deconvolution&k=3&s=2>`, where every pixel also says which numbers it is the sum of.
#
# In the language of filters: a kernel of three at stride 2 is a pair of filters, one of two numbers
# and one of a single number. Even if all three numbers are equal, the sums of the two filters are
# not.
#
# A sub-pixel convolution cannot make this mistake. Its one kernel is :math:`r \cdot k` wide, which
# is always a multiple of its stride r. So every output pixel gets equally many terms: k in each
# direction.
#
# Second cause: the filters differ
# --------------------------------
#
# Equally many terms are not enough. The filters must also have equal sums. When training begins,
# the filters of a sub-pixel convolution are random numbers, drawn independently. So their sums
# differ, and the network starts with a checkerboard. We measure its strength by the *spread*:
# the largest minus the smallest pixel of a block. We look at the last layer of an ESPCN for color
# images, with :math:`3 \cdot 9 = 27` filters. Its input is 32 *feature maps*: this is the usual
# name for the channels between the layers, which hold the features of lesson 5. Let each map be
# flat gray, with the value 1. (The random numbers are drawn by ``xavier``, as for every new ESPCN.
# It chooses their size by the number of inputs and outputs.)

from npespcn.initializers import icnr, xavier


def block_on_gray(weight, r):
    """Return what a weight (C*r*r, in, k, k) makes of flat maps of ones: a block (C, r, r)."""
    sums = weight.sum(axis=(1, 2, 3))  # (C*r*r,)
    return pixel_shuffle(sums.reshape(-1, 1, 1), r)


def spread(block):
    """Return the largest minus the smallest pixel of a block, for the worst image channel."""
    return (block.max(axis=(1, 2)) - block.min(axis=(1, 2))).max()


shape = (27, 32, 3, 3)  # (C*r*r, in, k, k), C = 3 image channels
random_start = xavier(np.random.default_rng(1), shape)
print(block_on_gray(random_start, 3)[0].round(2))
print(f"spread {spread(block_on_gray(random_start, 3)):.2f}")

assert spread(block_on_gray(random_start, 3)) > 1

# %%
# This is the block of the first image channel. It should be one color.
#
# **ICNR** is a remedy. Aitken et al. proposed it in `Checkerboard artifact free sub-pixel
# convolution <https://arxiv.org/abs/1707.02937>`_ (2017). The idea: draw only *one* random filter
# for each image channel, and use it for all its :math:`r^2` places.


def icnr_by_hand(rng, shape, r):
    """Draw one filter for each image channel, and repeat it for the r*r places."""
    filters = xavier(rng, (shape[0] // r**2, *shape[1:]))  # (C, in, k, k)
    return np.repeat(filters, r**2, axis=0)  # (C*r*r, in, k, k)


equal_start = icnr_by_hand(np.random.default_rng(1), shape, 3)
print(f"spread {spread(block_on_gray(equal_start, 3)):.2f}")

assert spread(block_on_gray(equal_start, 3)) == 0
assert np.array_equal(equal_start, icnr(np.random.default_rng(1), shape, 3))  # the book's

# %%
# Equal filters have equal sums, so flat gray stays flat. ICNR is not free, however. At the start
# all places of a block get the same number on *every* image, not only on flat gray. So the first
# images consist of squares of r×r equal pixels: blocks instead of dots. The network starts as *a
# convolution, then nearest neighbor*. (That is what the letters stand for: "initialized to
# convolution NN resize".) Training must first make the filters different, before the network can
# draw any detail that is smaller than a block. And as ICNR is only a start, nothing keeps the sums
# equal later.
#
# **What breaks: the wrong order.** "The :math:`r^2` places of an image channel" is a statement
# about the order of channels (:doc:`lesson 3 <03_whose_order>`). The shuffle here is CRD: the
# channels 0 to 8 make the first image channel. In the order DCR these would be the channels 0, 3, 6
# and so on. If the filters are repeated for DCR, the channels 0 to 8 get three different filters in
# turn.

wrong = icnr(np.random.default_rng(1), shape, 3, order="DCR")
print(block_on_gray(wrong, 3)[0].round(2))
print(f"spread {spread(block_on_gray(wrong, 3)):.2f}")

assert spread(block_on_gray(wrong, 3)) > 1
assert np.ptp(block_on_gray(wrong, 3)[0], axis=0).max() == 0  # each column is one color

# %%
# Each column of the block has another filter. Flat gray becomes stripes.
#
# Resize first, convolve afterwards
# ---------------------------------
#
# The article in Distill recommends another remedy, the *resize-convolution*: enlarge by nearest
# neighbor first, and convolve the large image afterwards. It has the same two steps as ICNR's
# start, in the other order. We take the pixels 1, 10, 100 and the filter (1, 2, 3) once more.
#
# .. predict::
#
#    Work out both on paper. First convolution, then nearest neighbor: 1, 10, 100 becomes 32, 321,
#    210, as above, and then every number is written twice. Now nearest neighbor, then convolution:
#    what are the first two output pixels? Are the results the same?
#
# .. answer::
#
#    Nearest neighbor gives 1, 1, 10, 10, 100, 100. With a zero on each side, the first output pixel
#    is :math:`1 \cdot 0 + 2 \cdot 1 + 3 \cdot 1 = 5`, and the second is :math:`1 \cdot 1 + 2 \cdot
#    1 + 3 \cdot 10 = 33`. The other order gives 32 and 32. They are not the same. After a
#    convolution at high resolution, the two pixels of a block may differ.

x = np.array([1, 10, 100])
one_filter = np.array([1, 2, 3])


def convolve(x, weights):
    padded = np.pad(x, 1)
    return np.array([np.sum(weights * padded[p : p + 3]) for p in range(len(x))])


convolved = convolve(x, one_filter)  # (3,)
convolution_nearest = np.repeat(convolved, 2)  # (6,)
nearest = np.repeat(x, 2)  # (6,)
nearest_convolution = convolve(nearest, one_filter)  # (6,)
print("convolution, then nearest:", convolution_nearest)
print("nearest, then convolution:", nearest_convolution)

assert convolution_nearest.tolist() == [32, 32, 321, 321, 210, 210]
assert nearest_convolution.tolist() == [5, 33, 51, 330, 510, 300]

rows = {
    "ICNR's start": ("convolution", convolved, "nearest neighbor", convolution_nearest),
    "resize-convolution": ("nearest neighbor", nearest, "convolution", nearest_convolution),
}
drawing.save(drawing.two_orders(x, rows, 2), "10_two_orders.png")

# %%
# Why does a resize-convolution draw no checkerboard? Look at output pixel 2, in place 0 of its
# block. It sees 1, 10, 10 under the filter (1, 2, 3). So it is :math:`1 \cdot 1 + (2 + 3) \cdot 10
# = 51`. In terms of the *small* image its filter is (1, 5, 0). Output pixel 3, in place 1, sees 10,
# 10, 100. So its filter is (0, 3, 3).
#
# Therefore a resize-convolution is a sub-pixel convolution, too! But its filters are tied to each
# other: whatever the one filter is, the two filters made of it contain its three numbers, added up
# in different groups. So their sums are equal: :math:`1 + 5 + 0 = 0 + 3 + 3 = 6`. Training cannot
# change that. ICNR has equal sums at the start, a resize-convolution has them always.

tied = np.array([[1, 2 + 3, 0], [0, 1 + 2, 3]])  # (r, k)
as_subpixel = np.stack([convolve(x, tied[0]), convolve(x, tied[1])], axis=1).ravel()  # (6,)
print(as_subpixel)

assert np.array_equal(as_subpixel, nearest_convolution)
assert tied.sum(axis=1).tolist() == [6, 6]

# %%
# What does it cost? Take 32 feature maps and one image channel, as in ESPCN at ×3, and count for
# each *output* pixel:
#
# - A resize-convolution with a 3×3 filter: :math:`9 \cdot 32 = 288` multiplications.
# - A sub-pixel convolution with nine 3×3 filters: :math:`9 \cdot 32 \cdot 9 / 9 = 288`. That is the
#   same. But it has nine times as many weights to learn, and it sees more: 3×3 *LR* pixels. The
#   resize-convolution sees 3×3 *HR* pixels, and these lie in at most 2×2 LR pixels.
# - A resize-convolution that also sees at least three LR pixels in each direction needs a filter
#   of 9×9. That is :math:`81 \cdot 32 = 2592` multiplications, :math:`r^2 = 9` times as many.

resize_3 = 3 * 3 * 32
resize_9 = 9 * 9 * 32
subpixel = 9 * (3 * 3 * 32) // 9  # nine filters at each LR pixel, for nine output pixels
print("resize-convolution 3×3", resize_3, " 9×9", resize_9, " sub-pixel", subpixel)

assert resize_3 == subpixel == 288
assert resize_9 == 9 * subpixel

# %%
# In pictures
# -----------
#
# We compare four networks. All begin with the first two layers of ESPCN, with the same random
# numbers in them. They differ in the last step:
#
# - *sub-pixel*: nine random filters of 3×3, as in ESPCN;
# - *sub-pixel, ICNR*: nine times the same random filter;
# - *transposed 5×5*: one kernel at a stride of 3. 5 is no multiple of 3, so it overlaps unevenly.
#   Its numbers are random as well;
# - *resize-convolution*: nearest neighbor, and then one filter of 3×3. We give it the same filter
#   that ICNR has repeated.
#
# Nearest neighbor as a layer is new. Forward it copies every pixel to all places of its block. So
# backward it adds up the gradients of a block.

from npespcn.layers import Layer, Sequential


class Nearest(Layer):
    """Enlarge by nearest neighbor: (N, C, H, W) -> (N, C, H*r, W*r)."""

    def __init__(self, upscale_factor):
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, x):
        r = self.upscale_factor
        return x.repeat(r, axis=2).repeat(r, axis=3)  # (N, C, H*r, W*r)

    def backward(self, dy):
        r = self.upscale_factor
        n, c, h, w = dy.shape
        blocks = dy.reshape(n, c, h // r, r, w // r, r)
        return blocks.sum(axis=(3, 5))  # (N, C, H, W)


def first_layers():
    """Return the two convolutions of a new ESPCN and their tanh, always with the same numbers."""
    layers = ESPCN(3).layers
    return {name: layers[name] for name in ("conv1", "act1", "conv2", "act2")}


networks = {
    "sub-pixel": ESPCN(3),
    "sub-pixel, ICNR": ESPCN(3, init="icnr"),
    "transposed 5×5": Sequential(**first_layers(), last=ConvTranspose2d(32, 1, 5, 3, padding=1)),
    "resize-convolution": Sequential(
        **first_layers(), nearest=Nearest(3), last=Conv2d(32, 1, 3, padding="same")
    ),
}
icnr_weight = networks["sub-pixel, ICNR"].params["conv3.weight"]  # (9, 32, 3, 3)
networks["resize-convolution"].params["last.weight"][...] = icnr_weight[:1]

for network in networks.values():
    for name in ("conv1.weight", "conv2.weight"):
        assert np.array_equal(network.params[name], networks["sub-pixel"].params[name])

# %%
# Each network is trained for 100 steps, on the same batches. At the start and after 50 steps we
# look at what it makes of the photograph and of flat gray. The spread is measured on flat gray, in
# gray levels out of 255.
#
# .. predict::
#
#    Order the four networks by their spread at the start. Which spreads will training make smaller?
#    Will any of them grow?
#
# .. answer::
#
#    At the start the sub-pixel network has the largest spread, and the transposed network the
#    second largest. (In the sub-pixel network each sum is made of :math:`9 \cdot 32` random
#    numbers. The kernel of 5×5 gives each place only one, two or four times 32, so less comes
#    together.) With ICNR and with the resize-convolution the spread is zero. Training makes a large
#    spread smaller in the end: the training images have no such rows of dots, so the dots make the
#    loss larger, and gradient descent removes them little by little. With ICNR the filters become
#    different, because each place has other targets. So its spread grows from zero to something
#    small. In the resize-convolution it stays zero.

from npespcn.data import PairedPatches, dead_leaves_pictures
from npespcn.losses import mse
from npespcn.optim import Adam

data = PairedPatches(dead_leaves_pictures(4), 3)
gray = np.full((1, 1, 15, 15), 0.5, np.float32)

curves = {}
means = {}
on_gray = {}
on_photograph = {}
for name, network in networks.items():
    network = accelerate(network)
    optimizer = Adam(network, lr=1e-3)
    rng = np.random.default_rng(0)  # the same batches for every network
    curves[name] = []
    means[name] = []
    on_gray[name] = []
    on_photograph[name] = []
    for step in range(101):
        if step % 10 == 0:
            output = 255 * network.predict(gray)[0, 0]  # (45, 45)
            block = output[None, 21:24, 21:24]  # in the middle
            curves[name].append(spread(block))
            means[name].append(block.mean())
        if step in (0, 50):
            on_gray[name].append(output[18:27, 18:27])
            on_photograph[name].append(255 * network.predict(small)[0, 0])  # (600, 510)
        x, target = data.batch(rng, 16, 16)
        y = network.forward(x)
        loss, dy = mse(y, target)
        network.backward(dy)
        optimizer.step()
    at_0, at_50, at_100 = curves[name][0], curves[name][5], curves[name][10]
    print(f"{name:20} spread {at_0:6.2f}, after 50 steps {at_50:6.2f}, after 100 {at_100:6.2f}")

for name in ("sub-pixel", "transposed 5×5"):
    assert curves[name][0] > curves[name][5] > 10 * curves["sub-pixel, ICNR"][5]
assert curves["sub-pixel"][0] > curves["transposed 5×5"][0]
assert curves["sub-pixel, ICNR"][0] < 0.001 < 0.01 < curves["sub-pixel, ICNR"][5]
assert max(curves["resize-convolution"]) < 0.001

# %%
# First flat gray: nine blocks from the middle of the output. From each image its mean is
# subtracted, because we do not care how bright it is. Then all eight are drawn on *one* gray scale,
# so you may compare the dots of one image with those of another.

captions = {}
for name, curve in curves.items():
    captions[name] = [f"start: spread {curve[0]:.1f}", f"50 steps: spread {curve[5]:.1f}"]

centered = {}
for name, images in on_gray.items():
    centered[name] = [pixels - pixels.mean() for pixels in images]
drawing.save(
    drawing.on_one_scale(centered, captions, 45, "gray levels from the mean", 8), "10_flat_gray.png"
)

# %%
# Then a detail of the photograph, again without its mean and on one scale.

centered = {}
for name, images in on_photograph.items():
    details = [pixels[145:217, 195:285] for pixels in images]
    centered[name] = [detail - detail.mean() for detail in details]
drawing.save(
    drawing.on_one_scale(centered, captions, 120, "gray levels from the mean", 10.6),
    "10_checkerboards.png",
)

# %%
# Compare the networks after 50 steps. The sub-pixel and the transposed network have dots on the
# skin, where the photograph is smooth. The other two have none. ICNR has another weakness: its
# image is still made of blocks.
#
# The experiment has its limits, and you should know them. The transposed network has *both* causes,
# uneven overlap and random numbers, and one run does not tell how much each of them adds. And 50
# steps are very few. So here is the spread during all 100 steps.

steps = range(0, 101, 10)
drawing.save(drawing.spreads(steps, curves), "10_spreads.png")

for name in ("sub-pixel", "transposed 5×5"):
    for step in (0, 10, 100):
        mean, its_spread = means[name][step // 10], curves[name][step // 10]
        print(f"{name}, {step} steps: mean {mean:.1f} (127.5 is right), spread {its_spread:.1f}")
    assert curves[name][1] > curves[name][0]
    assert means[name][1] > 5 * means[name][0]

# %%
# The curves have a surprise: in the first ten steps the two large spreads *grow*. Look at the
# printed means. At the start the networks turn gray into nearly black. Within ten steps they have
# learned to be bright, and the pattern has grown together with the brightness. Only then does
# training make it weaker.
#
# Is a checkerboard then only a matter of patience? We ask a network that has been trained to the
# end, the one that comes with the project. It is a sub-pixel convolution without ICNR.

from npespcn import pretrained

output = 255 * pretrained(3).predict(gray)[0, 0]  # (45, 45)
print(f"the shipped network: spread {spread(output[None, 21:24, 21:24]):.2f} gray levels")

assert spread(output[None, 21:24, 21:24]) < 0.1

# %%
# Nobody can see four hundredths of a gray level. So training alone can remove the checkerboard of
# a sub-pixel convolution, if it is long enough. ICNR makes the beginning better. It has another
# use, which its authors report: at the same cost, their networks end with smaller errors than with
# a resize-convolution. And where training pursues another aim than to be close to one given image,
# as in networks that invent images, checkerboards can stay. The article in Distill shows many.
#
# What you know now
# -----------------
#
# - A sub-pixel convolution and a transposed convolution are the same sum, collected or dealt out.
#   The one kernel is the pixel shuffle of the flipped filters.
# - The cost of a network depends on where it enlarges. Work at low resolution is shared by
#   :math:`r^2` output pixels.
# - On flat gray, place i gets the sum of filter i. Sums differ by uneven overlap (k no multiple of
#   the stride) or because the filters differ. ICNR makes them equal at the start, a
#   resize-convolution always.
#
# Try this: give the transposed network a kernel of 6×6, with a stride of 3 and the right padding.
# Is its spread smaller at the start? Try several seeds before you answer. Then do :doc:`exercises 8
# and 14 </exercises>`.
#
# Next: :doc:`lesson 11 <11_inside_the_network>` takes a trained network apart, and asks what its
# nine channels know that one of them does not.
