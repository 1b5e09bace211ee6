"""
Backpropagation by hand
=======================

**Question.** How does each layer of a network pass the gradient back, and how do you know that the
gradient is right?

:Aim: You can write the backward pass of every layer of ESPCN and of the whole network, and you can
      check a gradient in a way that finds mistakes.
:Minutes: 95
:Needs: :doc:`Lesson 6 <06_one_step_downhill>` (the chain rule),
      :doc:`lesson 4 <04_convolution>` (im2col), :doc:`lesson 2 <02_three_shuffles>` (the shuffle).
      The product of a matrix and a vector.
:Practice: :doc:`Exercises 3, 6, 7 and 12 </exercises>`: the unshuffle, the convolution, tanh and
      the loss, and the whole network.

In lesson 6 every layer held one number. Now the numbers become arrays. We go slowly: one number,
then several numbers, then a matrix. After that, each layer of ESPCN is only an example. (A good
place for a break is before the section "The loss".)
"""

# %%
# A layer gets dy and returns dx
# ------------------------------
#
# Take the chain of two layers from lesson 6 apart. Each operation had two jobs. On the way forward
# it took a number and gave the next one. On the way backward it took the slope of the loss in its
# output and gave the slope of the loss in its input.
#
# From now on each layer calls its own input x and its own output y. So:
#
# - *forward* takes x and returns y;
# - *backward* takes dy and returns dx.
#
# Here dy is the slope of the *loss* in y. Its full name is the *derivative* of the loss with
# respect to y, and mathematics writes it :math:`\partial L / \partial y`. It answers one question:
# if y grows a little, how many times as much does the loss grow?
#
# We write the three kinds of operations of lesson 6 as functions. A layer with a weight also
# returns the slope in the weight, dw. Look at each pair: what does backward need to know of the way
# forward?

import numpy as np
from threadpoolctl import threadpool_limits

threadpool_limits(1, "blas")  # NumPy uses one processor: for small matrices this is faster


def times_forward(x, w):
    return w * x


def times_backward(dy, x, w):
    dx = w * dy
    dw = x * dy
    return dx, dw


def tanh_forward(x):
    return np.tanh(x)


def tanh_backward(dy, y):
    return (1 - y**2) * dy


def square_forward(y, t):
    return (y - t) ** 2


def square_backward(y, t):
    return 2 * (y - t)


# %%
# ``times_backward`` needs the input x and the weight. ``tanh_backward`` needs its output y.
#
# Now we put them together, with the numbers of lesson 6. The output of one layer is the input of
# the next one. On the way back, the dx of one layer is the dy of the layer *before* it.

x, t = 2.0, 1.0
w1, w2 = np.arctanh(0.5) / 2, 3.0

a = times_forward(x, w1)
h = tanh_forward(a)
y = times_forward(h, w2)
L = square_forward(y, t)

dy = square_backward(y, t)
dh, dw2 = times_backward(dy, h, w2)
da = tanh_backward(dh, h)
dx, dw1 = times_backward(da, x, w1)

print(f"dy = {dy:.2f}, dh = {dh:.2f}, da = {da:.2f}; dw2 = {dw2:.2f}, dw1 = {dw1:.2f}")
assert np.allclose([dy, dh, da, dw2, dw1], [1, 3, 2.25, 0.5, 4.5])

# %%
# .. predict::
#
#    The first layer has returned a dx, too. It is :math:`w_1 \cdot da`, with :math:`w_1 = 0.2747`
#    and :math:`da = 2.25`. How large is it, what does it say, and who needs it?
#
# .. answer::
#
#    It is 0.618. It says how fast the loss grows when the *input* of the network grows. Here nobody
#    needs it, because only weights are changed. But if one more layer stood in front, this number
#    would be the dy of that layer.

print(f"dx = {dx:.3f}")
assert abs(dx - 0.618) < 0.001

# %%
# Several numbers: the gradient
# -----------------------------
#
# Now the input of a layer is an array of several numbers. The loss has a slope in each of them. We
# keep the slopes in an array of the same shape, and call it dx, too. Such an array of slopes is a
# *gradient*. A gradient always has the shape of the thing that it belongs to.
#
# What if several numbers change at once? Take a loss of two numbers, :math:`L = x_0 \cdot x_1`, at
# :math:`x = (2, 3)`. When only :math:`x_0` changes, L changes 3 times as fast. When only
# :math:`x_1` changes, L changes 2 times as fast. So :math:`dx = (3, 2)`. Now let :math:`x_0` grow
# by 0.01 and :math:`x_1` by 0.02. The loss grows from 6 to :math:`2.01 \cdot 3.02 = 6.0702`. The
# gradient says
#
# .. math::
#
#    3 \cdot 0.01 + 2 \cdot 0.02 = 0.07
#
# The small changes simply add up, each with its slope. (The missing 0.0002 is the product of the
# two small changes. It vanishes when they become smaller.) The sum of products of two arrays is
# called their *inner product*. The sign Δ means a small change. We write :math:`\langle dx, \Delta
# x \rangle` for the inner product of the gradient and the changes:
#
# .. math::
#
#    \Delta L = \langle dx, \Delta x \rangle
#    = dx_0 \cdot \Delta x_0 + dx_1 \cdot \Delta x_1 + \ldots

dx = np.array([3.0, 2.0])
changes = np.array([0.01, 0.02])
print(f"the gradient says {(dx * changes).sum():.4f}, and it is {2.01 * 3.02 - 6:.4f}")
assert abs((2.01 * 3.02 - 6) - (dx * changes).sum()) < 0.0003

# %%
# The tanh of an array takes each number by itself. Output i depends on input i and on nothing else.
# So its backward is the same as for one number, place by place:
#
# .. math::
#
#    dx_i = (1 - y_i^2) \cdot dy_i
#
# ``tanh_backward`` above does this already, because NumPy multiplies arrays place by place.
#
# The next case is new, and it is the most important one of the lesson: *one number is used twice.*
# Let x go to two outputs, :math:`y_0 = 2x` and :math:`y_1 = 3x`. The slopes that come back are
# :math:`dy = (10, 1)`.
#
# .. predict::
#
#    x grows by 0.1. By how much does each output grow? By how much does the loss grow through each
#    output? What is dx?
#
# .. answer::
#
#    The first output grows by 0.2. Its slope is 10, so the loss grows by :math:`10 \cdot 0.2 = 2`.
#    The second output grows by 0.3. Its slope is 1, so the loss grows by 0.3. Together that is 2.3,
#    for a change of 0.1 in x. So :math:`dx = 2 \cdot 10 + 3 \cdot 1 = 23`.
#
# **A number that is used several times gets the sum of everything that comes back.** Remember this
# sentence. A convolution uses each pixel many times and each weight at every position. Its whole
# backward pass follows from this sentence.
#
# A matrix
# --------
#
# Most layers multiply by a matrix: :math:`y = A x`. Here is one with three inputs and two outputs.
#
# .. math::
#
#    A = \begin{pmatrix} 1 & 2 & 0 \\ 3 & -1 & 4 \end{pmatrix}
#    \qquad
#    \begin{aligned} y_0 &= 1 x_0 + 2 x_1 + 0 x_2 \\ y_1 &= 3 x_0 - 1 x_1 + 4 x_2 \end{aligned}
#
# For :math:`x = (2, 1, 3)` the outputs are :math:`y = (4, 17)`. The slopes :math:`dy = (10, 1)`
# come back. What is :math:`dx_0`? The number :math:`x_0` is used twice: in :math:`y_0` with the
# factor 1, and in :math:`y_1` with the factor 3. So
#
# .. math::
#
#    dx_0 = 1 \cdot dy_0 + 3 \cdot dy_1 = 1 \cdot 10 + 3 \cdot 1 = 13
#
# .. predict::
#
#    Find :math:`dx_1` and :math:`dx_2` in the same way.
#
# .. answer::
#
#    :math:`dx_1 = 2 \cdot 10 + (-1) \cdot 1 = 19`, and :math:`dx_2 = 0 \cdot 10 + 4 \cdot 1 = 4`.
#
# Look at which entries of A were used. For :math:`dx_0` they were 1 and 3, the first *column* of A.
# For :math:`dx_1` they were the second column, and so on. For y the matrix is read along its rows.
# For dx it is read down its columns. The matrix whose rows are the columns of A is called the
# *transpose* of A, written :math:`A^T`. So
#
# .. math::
#
#    dx = A^T dy =
#    \begin{pmatrix} 1 & 3 \\ 2 & -1 \\ 0 & 4 \end{pmatrix}
#    \begin{pmatrix} 10 \\ 1 \end{pmatrix}
#    = \begin{pmatrix} 13 \\ 19 \\ 4 \end{pmatrix}

A = np.array([[1, 2, 0], [3, -1, 4]])
x = np.array([2, 1, 3])
dy = np.array([10, 1])
y = A @ x  # (2,)
dx = A.T @ dy  # (3,)
print("y =", y, " dx =", dx)

assert y.tolist() == [4, 17]
assert dx.tolist() == [13, 19, 4]

# %%

import drawing

drawing.save(drawing.matrix_arrows(A, x, y, dx, dy), "07_transpose.png")

# %%
# It is one drawing with its arrows turned around. Forward, an output collects from all inputs.
# Backward, an input collects from all outputs, over the same arrows with the same numbers on them.
# (The entry 0 of A has no arrow: :math:`x_2` does nothing to :math:`y_0`.)
#
# The shapes agree. dy has two numbers, and dx must have three. A is a 2×3 matrix and cannot
# multiply two numbers. :math:`A^T` is a 3×2 matrix and makes three numbers out of two.
#
# If A is a weight, we also need dA. The entry :math:`A_{ij}` is used once: in :math:`y_i`, where it
# is multiplied by :math:`x_j`. So :math:`dA_{ij} = dy_i \cdot x_j`. This is a matrix with the shape
# of A: a column times a row.
#
# .. math::
#
#    dA = dy \cdot x^T =
#    \begin{pmatrix} 10 \\ 1 \end{pmatrix} \begin{pmatrix} 2 & 1 & 3 \end{pmatrix}
#    = \begin{pmatrix} 20 & 10 & 30 \\ 2 & 1 & 3 \end{pmatrix}

dmatrix = dy.reshape(2, 1) @ x.reshape(1, 3)  # dA: (2, 3)
print(dmatrix)
assert dmatrix.tolist() == [[20, 10, 30], [2, 1, 3]]

# %%
# There is a quick test for a transpose. Let x change by :math:`\Delta x`. Then y changes by
# :math:`A\, \Delta x`. The change of the loss can be computed at y, or at x. Both must give the
# same:
#
# .. math::
#
#    \langle dy, A\, \Delta x \rangle = \langle A^T dy, \Delta x \rangle
#
# We call it the *inner product test*. It will be useful for layers whose matrix nobody writes down.

rng = np.random.default_rng(0)
for _ in range(5):
    changes = rng.normal(size=3)
    at_y = (dy * (A @ changes)).sum()
    at_x = (dx * changes).sum()
    assert np.isclose(at_y, at_x)

# %%
# Every layer has a matrix
# ------------------------
#
# The tanh is no matrix product. But for *small changes* it is one. We ask for each output i and
# each input j: how fast does :math:`y_i` change with :math:`x_j`? These derivatives fill a matrix
# J, with a row for each output and a column for each input:
#
# .. math::
#
#    J_{ij} = \frac{\partial y_i}{\partial x_j} \qquad \Delta y = J\, \Delta x \qquad dx = J^T dy
#
# It is called the *Jacobian* of the layer. For the layer :math:`y = A x` it is A. We find the
# Jacobian of the tanh of three numbers by differences, one column for each input.


def jacobian(forward, x, e=1e-5):
    columns = []
    for j in range(len(x)):
        change = np.zeros(len(x))
        change[j] = e
        columns.append((forward(x + change) - forward(x - change)) / (2 * e))
    return np.stack(columns, axis=1)  # (outputs, inputs)


x = np.array([-1.0, 0.0, 0.5])
y = tanh_forward(x)
J = jacobian(tanh_forward, x)  # (3, 3)
print(np.round(J, 4))


def matrix_forward(x):
    return A @ x


assert np.allclose(jacobian(matrix_forward, x), A)
assert np.allclose(J, np.diag(1 - y**2))
dy = np.array([10.0, 1.0, -4.0])
assert np.allclose(J.T @ dy, tanh_backward(dy, y))

# %%
# It is diagonal, because each output depends on its own input only. On the diagonal are the slopes
# :math:`1 - y^2`. So ``tanh_backward`` multiplies by the transpose of the Jacobian, and needs no
# matrix for it.
#
# So this is backpropagation in one sentence: **the backward pass of a layer multiplies dy by the
# transpose of the layer's Jacobian.** But nobody builds that matrix. For an image of 32×32 pixels,
# the middle layer of ESPCN has 64 channels as its input and 32 as its output. Its Jacobian would
# have more than two billion entries. So we look for a short way to multiply by the transpose, layer
# by layer.

inputs, outputs = 64 * 32 * 32, 32 * 32 * 32
print(f"{outputs:,} outputs times {inputs:,} inputs: {outputs * inputs:,} entries")
assert outputs * inputs > 2e9

# %%
# The shuffle
# -----------
#
# A shuffle puts numbers in another order. As a matrix, it is a *permutation*. We begin with three
# numbers, and put them in the order :math:`y = (x_2, x_0, x_1)`.
#
# .. math::
#
#    \begin{pmatrix} y_0 \\ y_1 \\ y_2 \end{pmatrix} =
#    \begin{pmatrix} 0 & 0 & 1 \\ 1 & 0 & 0 \\ 0 & 1 & 0 \end{pmatrix}
#    \begin{pmatrix} x_0 \\ x_1 \\ x_2 \end{pmatrix}
#
# Read the first row: it has its 1 in the last column. So :math:`y_0` *comes from* :math:`x_2`. Now
# read the first column: it has its 1 in the middle row. So :math:`x_0` *goes to* :math:`y_1`. Each
# row has one 1, because each output comes from one input. Each column has one 1, because each input
# goes to one output.
#
# .. predict::
#
#    The slopes :math:`dy = (10, 20, 30)` come back. What is dx? Ask for each input where it went.
#
# .. answer::
#
#    :math:`x_0` went to :math:`y_1`, so :math:`dx_0 = dy_1 = 20`. In the same way
#    :math:`dx_1 = dy_2 = 30` and :math:`dx_2 = dy_0 = 10`. So :math:`dx = (20, 30, 10)`.
#
# Is this the transpose? In the transpose, rows and columns change their roles. The first column,
# which said that :math:`x_0` goes to place 1, becomes the first row. As a row it says: the first
# number *comes from* place 1. So the transpose carries each number back to where it was. If we
# shuffle numbers, and then multiply by the transpose, they are all in their old places again. **The
# transpose of a permutation is its inverse.**

P = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]])
x = np.array([7, 8, 9])
print("shuffled:", P @ x, " and back:", P.T @ (P @ x))
print("dx =", P.T @ np.array([10, 20, 30]))

assert (P.T @ np.array([10, 20, 30])).tolist() == [20, 30, 10]
assert np.array_equal(P.T @ P, np.eye(3))

# %%
# Now the pixel shuffle, with r = 2: four channels of 2×2 pixels become an image of 4×4. That is 16
# numbers in and 16 numbers out, so the matrix is 16×16. We get its columns one by one: send a 1 in
# at one place, with zeros everywhere else, and see what comes out.

from npespcn.shuffle import pixel_shuffle, pixel_unshuffle

forward = np.zeros((16, 16))
back = np.zeros((16, 16))
for j in range(16):
    one = np.zeros(16)
    one[j] = 1
    forward[:, j] = pixel_shuffle(one.reshape(4, 2, 2), 2).ravel()
    back[:, j] = pixel_unshuffle(one.reshape(1, 4, 4), 2).ravel()

assert np.array_equal(back, forward.T)
assert np.array_equal(back @ forward, np.eye(16))

# %%

drawing.save(
    drawing.permutations({"shuffle": forward, "unshuffle": back}, 2, 2, 2), "07_shuffle.png"
)

# %%
# Each colored cell is a 1, in the color of its channel; white cells are 0. Follow channel 0, the
# lightest color, in the left matrix: its four pixels go to the rows 0 and 2 of the image, and there
# to the first and the third pixel. The right matrix is the matrix of ``pixel_unshuffle``. It is the
# left one with rows and columns exchanged: the transpose.
#
# So the backward pass of the shuffle is one line: ``dx = pixel_unshuffle(dy, r)``.
#
# Copies: im2col and col2im
# -------------------------
#
# A convolution is computed in two steps (lesson 4). First ``im2col`` makes a column of the pixels
# under each position of the kernel. Then the weights multiply the columns. We take the two steps
# back one by one, and begin with ``im2col``.
#
# It only copies. But it copies a pixel several times: once for each position of the kernel that
# covers the pixel. "A number that is used several times gets the sum of everything that comes
# back." So the backward of ``im2col`` adds up what comes back from all copies of a pixel. It is
# called ``col2im``.
#
# .. predict::
#
#    An image has 3×4 pixels, and the kernel is 2×2. So there are six positions. Now a 1 comes back
#    from each copy. What does each pixel get? Draw the image, and write the sum into each pixel.
#
# .. answer::
#
#    Each pixel gets the number of its copies, that is, of the positions that cover it. A corner is
#    covered once, a pixel at the edge twice, and a pixel inside four times:
#
#    .. math::
#
#       \begin{pmatrix} 1 & 2 & 2 & 1 \\ 2 & 4 & 4 & 2 \\ 1 & 2 & 2 & 1 \end{pmatrix}
#
# Here is ``col2im``. In lesson 4, ``im2col`` filled one row of the matrix for each place (c, i, j)
# of the kernel: this row is the rectangle of the image that the place meets. So ``col2im`` takes
# each row and *adds* it to the same rectangle.


def col2im(columns, shape, k):
    """Add columns back to the pixels they came from: (C*k*k, positions) -> (C, H, W)."""
    channels, height, width = shape
    out_h, out_w = height - k + 1, width - k + 1
    x = np.zeros(shape, columns.dtype)
    row = 0
    for c in range(channels):
        for i in range(k):
            for j in range(k):
                seen = columns[row].reshape(out_h, out_w)
                x[c, i : i + out_h, j : j + out_w] += seen
                row += 1
    return x


print(col2im(np.ones((4, 6)), (1, 3, 4), 2)[0])
assert col2im(np.ones((4, 6)), (1, 3, 4), 2)[0].tolist() == [
    [1, 2, 2, 1],
    [2, 4, 4, 2],
    [1, 2, 2, 1],
]

# %%

from npespcn.conv import im2col

image = np.arange(12).reshape(3, 4)
columns = im2col(image[None, None], 2)[0]  # (4, 6)
counts = col2im(np.ones((4, 6), int), (1, 3, 4), 2)[0]  # (3, 4)
drawing.save(drawing.copies(image, columns, counts, 5), "07_copies.png")

# %%
# Pixel 5 is in four columns. So four numbers come back to it.
#
# Note the difference from the shuffle. The transpose of ``im2col`` is *not* its inverse. If one
# sends an image through ``im2col`` and back, each pixel is multiplied by the number of its copies.
# We test our ``col2im`` in two ways: by the inner product test, and against the book's function,
# :func:`npespcn.conv.col2im`.

from npespcn import conv

assert np.array_equal(col2im(columns, (1, 3, 4), 2)[0], counts * image)

x = rng.normal(size=(3, 5, 6))  # (C, H, W)
dcolumns = rng.normal(size=(27, 12))  # (C*k*k, positions), k = 3
columns = im2col(x[None], 3)[0]  # (27, 12)

# im2col only copies, so x itself can take the place of the small changes in the test
assert np.isclose((dcolumns * columns).sum(), (col2im(dcolumns, x.shape, 3) * x).sum())
assert np.allclose(col2im(dcolumns, x.shape, 3), conv.col2im(dcolumns[None], (1, 3, 5, 6), 3)[0])

# %%
# Convolution
# -----------
#
# First with a pencil. A row of three pixels :math:`x = (1, 2, 3)`, and a kernel of two weights,
# :math:`w = (10, 1)`. There are two positions:
#
# .. math::
#
#    \begin{aligned}
#    y_0 &= w_0 x_0 + w_1 x_1 + b = 10 \cdot 1 + 1 \cdot 2 + b \\
#    y_1 &= w_0 x_1 + w_1 x_2 + b = 10 \cdot 2 + 1 \cdot 3 + b
#    \end{aligned}
#
# The slopes :math:`dy = (1, 2)` come back. Each weight is used at both positions, so its slope is a
# sum over the positions. The weight :math:`w_0` met :math:`x_0` at the first position and
# :math:`x_1` at the second:
#
# .. math::
#
#    dw_0 = dy_0 \cdot x_0 + dy_1 \cdot x_1 = 1 \cdot 1 + 2 \cdot 2 = 5
#
# .. predict::
#
#    Find :math:`dw_1`, the slope db of the bias, and :math:`dx_0, dx_1, dx_2`. Ask each time where
#    the number is used, and with which factor.
#
# .. answer::
#
#    :math:`dw_1 = dy_0 \cdot x_1 + dy_1 \cdot x_2 = 1 \cdot 2 + 2 \cdot 3 = 8`.
#
#    The bias is used at both positions, with the factor 1: :math:`db = dy_0 + dy_1 = 3`.
#
#    :math:`dx_0 = w_0 \cdot dy_0 = 10`. The middle pixel is used twice:
#    :math:`dx_1 = w_1 \cdot dy_0 + w_0 \cdot dy_1 = 1 + 20 = 21`. And
#    :math:`dx_2 = w_1 \cdot dy_1 = 2`.
#
# Now the same with matrices. With W for the kernels, one in each row, the way forward is
#
# .. math::
#
#    Y = W \cdot \text{columns} + b
#
# W is a matrix, and it multiplies every column. From the section on matrices we know all that we
# need. For one column x: dx is :math:`W^T` times dy, and dW is dy times :math:`x^T`. A matrix
# product does this for all columns at once, and it adds up the dW of all columns:
#
# .. math::
#
#    \begin{aligned}
#    dW &= dY \cdot \text{columns}^T \\
#    \text{dcolumns} &= W^T \cdot dY \\
#    db &= \text{sum of } dY \text{ over the positions}
#    \end{aligned}
#
# And the columns go back to the image by ``col2im``. In the pencil example the columns are (1, 2)
# and (2, 3):
#
# .. math::
#
#    \begin{aligned}
#    dW &= \begin{pmatrix} 1 & 2 \end{pmatrix} \begin{pmatrix} 1 & 2 \\ 2 & 3 \end{pmatrix}^T
#    = \begin{pmatrix} 5 & 8 \end{pmatrix} \\
#    \text{dcolumns} &= \begin{pmatrix} 10 \\ 1 \end{pmatrix} \begin{pmatrix} 1 & 2 \end{pmatrix}
#    = \begin{pmatrix} 10 & 20 \\ 1 & 2 \end{pmatrix}
#    \end{aligned}
#
# The first product is :math:`1 \cdot (1, 2) + 2 \cdot (2, 3) = (5, 8)`: the dy of each position
# times its column, added up. The middle pixel has two copies: the lower one in the first column,
# and the upper one in the second column. They get 1 and 20, together 21. These are the numbers that
# you have found with the pencil.

W = np.array([[10, 1]])  # (O, C*k*k)
columns = np.array([[1, 2], [2, 3]])  # (C*k*k, positions)
dy = np.array([[1, 2]])  # dY: (O, positions)
assert (dy @ columns.T).tolist() == [[5, 8]]
assert (W.T @ dy).tolist() == [[10, 20], [1, 2]]

# %%
# Now the function, with a loop over the images of a batch. The padding puts zeros around the image
# before the convolution. On the way back, the slopes in these zeros are cut off, because the zeros
# are not part of the image.


def convolution_backward(dy, x, weight, padding=0):
    """Return the gradients in x (N, C, H, W), in the weight (O, C, k, k) and in the bias (O,)."""
    images, channels, height, width = x.shape
    filters, _, k, _ = weight.shape
    p = padding
    matrix = weight.reshape(filters, channels * k * k)  # W: (O, C*k*k)
    dmatrix = np.zeros_like(matrix)
    dx = np.zeros_like(x)
    for n in range(images):
        columns = im2col(x[n : n + 1], k, padding=p)[0]  # (C*k*k, positions)
        dy_n = dy[n].reshape(filters, -1)  # dY: (O, positions)
        dmatrix += dy_n @ columns.T  # (O, C*k*k)
        dcolumns = matrix.T @ dy_n  # (C*k*k, positions)
        dpadded = col2im(dcolumns, (channels, height + 2 * p, width + 2 * p), k)
        dx[n] = dpadded[:, p : p + height, p : p + width]  # (C, H, W)
    dbias = dy.sum(axis=(0, 2, 3))  # over images and positions
    return dx, dmatrix.reshape(weight.shape), dbias


# The function takes square kernels. So the row and the kernel get a second row, of zeros.
x = np.array([[[[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]]])  # (N, C, H, W)
weight = np.array([[[[10.0, 1.0], [0.0, 0.0]]]])  # (O, C, k, k)
dx, dweight, dbias = convolution_backward(np.array([[[[1.0, 2.0]]]]), x, weight)
print("dx", dx[0, 0, 0], " dw", dweight[0, 0, 0], " db", dbias)

assert dx[0, 0, 0].tolist() == [10, 21, 2]
assert dweight[0, 0, 0].tolist() == [5, 8]
assert dbias.tolist() == [3]

# %%
# The book's function is :func:`npespcn.conv.conv2d_backward`. We compare with random numbers, with
# several images and channels, with a height that differs from the width, and with three paddings.

x = rng.normal(size=(2, 3, 6, 5))  # (N, C, H, W)
weight = rng.normal(size=(4, 3, 3, 3))  # (O, C, k, k)
for padding in (0, 1, 2):
    y = conv.conv2d_forward(x, weight, np.zeros(4), padding=padding)
    dy = rng.normal(size=y.shape)
    ours = convolution_backward(dy, x, weight, padding)
    books = conv.conv2d_backward(dy, x, weight, padding=padding)
    for name, our, book in zip(("dx", "dweight", "dbias"), ours, books, strict=True):
        difference = np.abs(our - book).max()
        print(f"padding {padding}: {name} {our.shape}, largest difference {difference:.0e}")
        assert np.allclose(our, book)

# %%
# On our computer the differences are exactly 0, because the book computes the same products and
# sums.
#
# The loss
# --------
#
# The last operation is the loss. For one number it was :math:`(y - t)^2`. For an image it is the
# *mean* of the squares over all n pixels, the mean squared error or MSE. A mean divides by n, so
# each slope is divided by n, too:
#
# .. math::
#
#    L = \frac{1}{n} \sum_i (y_i - t_i)^2 \qquad dy_i = \frac{2 (y_i - t_i)}{n}
#
# For :math:`y = (2, 5)` and :math:`t = (1, 1)` the loss is :math:`(1 + 16) / 2 = 8.5`, and the
# gradient is :math:`(2 \cdot 1 / 2,\ 2 \cdot 4 / 2) = (1, 4)`.

from npespcn.losses import mse


def mse_forward(y, t):
    return ((y - t) ** 2).mean()


def mse_backward(y, t):
    return 2 * (y - t) / y.size


y, t = np.array([2.0, 5.0]), np.array([1.0, 1.0])
print("loss", mse_forward(y, t), " gradient", mse_backward(y, t))

assert mse_forward(y, t) == 8.5
assert mse_backward(y, t).tolist() == [1, 4]
book_value, book_gradient = mse(y, t)
assert mse_forward(y, t) == book_value
assert np.array_equal(mse_backward(y, t), book_gradient)

# %%
# The whole network
# -----------------
#
# Now we have every layer of lesson 5: three convolutions, two times tanh, one shuffle, and the
# loss. We give the numbers on the way forward the names of lesson 6: a before a tanh, and h after
# it.
#
# .. math::
#
#    \begin{aligned}
#    x &\rightarrow \text{conv1} \rightarrow a_1 \rightarrow \text{tanh} \rightarrow h_1 \\
#    &\rightarrow \text{conv2} \rightarrow a_2 \rightarrow \text{tanh} \rightarrow h_2 \\
#    &\rightarrow \text{conv3} \rightarrow a_3 \rightarrow \text{shuffle} \rightarrow y
#    \end{aligned}
#
# One step of lesson 5 is missing: nothing repeats the edge of the image. In training it is not
# needed, because each small image comes with 4 more real pixels on each side. So the output belongs
# to the inner part of the image, H - 8 rows and W - 8 columns.
#
# .. predict::
#
#    The backward pass goes through the six layers in the opposite order. Write the order down. For
#    each layer, note which array of the way forward it needs, besides the weights. Which arrays
#    must ``forward`` remember?
#
# .. answer::
#
#    Shuffle: nothing. conv3: its input, which is h2. The second tanh: its output, which is h2
#    again. conv2: its input h1. The first tanh: its output h1. conv1: its input x.
#
#    So three arrays are enough: x, h1 and h2.

from npespcn.conv import conv2d_forward


def espcn_forward(x, params):
    """Enlarge the inner part of images: (N, 1, H, W) -> (N, 1, 3*(H - 8), 3*(W - 8)).

    Also return what backward needs.
    """
    a1 = conv2d_forward(x, params["conv1.weight"], params["conv1.bias"])  # (N, 64, H - 4, W - 4)
    h1 = tanh_forward(a1)
    a2 = conv2d_forward(h1, params["conv2.weight"], params["conv2.bias"])  # (N, 32, H - 6, W - 6)
    h2 = tanh_forward(a2)
    a3 = conv2d_forward(h2, params["conv3.weight"], params["conv3.bias"])  # (N, 9, H - 8, W - 8)
    y = pixel_shuffle(a3, 3)  # (N, 1, 3*(H - 8), 3*(W - 8))
    return y, (x, h1, h2)


def espcn_backward(dy, memory, params):
    """Return the gradient in x, and a dictionary with the gradient in each parameter."""
    x, h1, h2 = memory
    grads = {}
    da3 = pixel_unshuffle(dy, 3)  # (N, 9, H - 8, W - 8)
    dh2, grads["conv3.weight"], grads["conv3.bias"] = convolution_backward(
        da3, h2, params["conv3.weight"]
    )  # (N, 32, H - 6, W - 6)
    da2 = tanh_backward(dh2, h2)
    dh1, grads["conv2.weight"], grads["conv2.bias"] = convolution_backward(
        da2, h1, params["conv2.weight"]
    )  # (N, 64, H - 4, W - 4)
    da1 = tanh_backward(dh1, h1)
    dx, grads["conv1.weight"], grads["conv1.bias"] = convolution_backward(
        da1, x, params["conv1.weight"]
    )  # (N, 1, H, W)
    return dx, grads


# %%
# That is all. Read the two functions side by side, ``espcn_forward`` from top to bottom and
# ``espcn_backward`` from bottom to top. Each line has its partner.

boxes = [
    "x, dx\n1 channel",
    "a1, da1\n64 channels",
    "h1, dh1\n64 channels",
    "a2, da2\n32 channels",
    "h2, dh2\n32 channels",
    "a3, da3\n9 channels",
    "y, dy\n1 channel",
    "L",
]
operations = ["conv1", "tanh", "conv2", "tanh", "conv3", "shuffle", "MSE"]
factors = ["needs x", "needs h1", "needs h1", "needs h2", "needs h2", "needs nothing", "needs y, t"]
weights = {1: "conv1\nweight, bias", 3: "conv2\nweight, bias", 5: "conv3\nweight, bias"}
drawing.save(drawing.chain(boxes, operations, factors, weights), "07_network.png")

# %%
# Is it right?
# ------------
#
# Now the most important part. A wrong gradient does not stop with an error. Often the network still
# learns, only worse, and nobody knows why. So a gradient must be *checked*. We know how: move one
# weight a little, and compare the change of the loss with what the gradient says.
#
# We take two small images, random numbers as targets, and the weights of a new network. All numbers
# are float64. (The last section says why.) The book's network makes the weights; the passes are
# ours.

import time

from npespcn.models import ESPCN

model = ESPCN(3, padding="edge", dtype="float64")  # its forward does not pad
params = model.state_dict()  # a copy of the weights
x = rng.uniform(size=(2, 1, 12, 13))  # N = 2, and H differs from W
target = rng.uniform(size=(2, 1, 12, 15))  # 3*(12 - 8) rows, 3*(13 - 8) columns


def network_loss(x, target, params):
    y, _ = espcn_forward(x, params)
    return mse_forward(y, target)


def network_gradient(x, target, params):
    y, memory = espcn_forward(x, params)
    return espcn_backward(mse_backward(y, target), memory, params)


start = time.perf_counter()
dx, grads = network_gradient(x, target, params)
backward_seconds = time.perf_counter() - start

for name, gradient in grads.items():
    print(f"{name}: {gradient.shape}")
    assert gradient.shape == params[name].shape

assert sum(gradient.size for gradient in grads.values()) == 22729

# %%
# A *central difference* goes to both sides of the old value. For each entry it needs two losses.
# All 22,729 weights would take a while, so we draw 100 entries of each array by chance. (An array
# of biases has fewer; there we take all.)


def central_difference(loss, array, index, epsilon):
    """Move one entry of the array to both sides, and put it back."""
    before = array[index]
    array[index] = before + epsilon
    above = loss()
    array[index] = before - epsilon
    below = loss()
    array[index] = before
    return (above - below) / (2 * epsilon)


def loss_now():
    return network_loss(x, target, params)


arrays = {"x": x, **params}
gradients = {"x": dx, **grads}
checked = 0
start = time.perf_counter()
for name in arrays:
    array, gradient = arrays[name], gradients[name]
    flat = array.reshape(-1)  # a view: to change it changes the array
    picked = rng.permutation(flat.size)[:100]
    measured = [central_difference(loss_now, flat, index, 1e-5) for index in picked]
    error = np.abs(measured - gradient.reshape(-1)[picked]).max() / np.abs(gradient).max()
    checked += len(picked)
    print(f"{name:13} {len(picked):3} entries, largest error {error:.0e} of the largest entry")
    assert error < 1e-7
seconds = (time.perf_counter() - start) / checked

print(f"one backward pass: {1000 * backward_seconds:.0f} ms for all weights")
print(f"differences: {1000 * seconds:.1f} ms for one, so {22729 * seconds:.0f} s for all weights")
assert 22729 * seconds > 100 * backward_seconds

# %%
# Backpropagation and the differences agree to seven digits or more. And you see why nobody trains
# by differences.
#
# We can also check all 22,729 entries at once. Move *all* weights a little, in a random direction
# D. The loss changes by the inner product of the gradient and the change. One wrong entry would
# change the inner product. It would not tell which entry is wrong, but we would know that one is.

direction = {name: rng.normal(size=array.shape) for name, array in params.items()}
epsilon = 1e-6
above = {name: params[name] + epsilon * direction[name] for name in params}
below = {name: params[name] - epsilon * direction[name] for name in params}
measured = (network_loss(x, target, above) - network_loss(x, target, below)) / (2 * epsilon)
predicted = sum((grads[name] * direction[name]).sum() for name in params)
print(f"measured {measured:.8f}, the gradient says {predicted:.8f}")
assert abs(measured - predicted) < 1e-6 * abs(predicted)

# %%
# And the book? There each layer is an object with ``forward`` and ``backward``, and
# :class:`npespcn.layers.Sequential` calls them in order. Its gradients must be ours.

y = model.forward(x)
_, dy = mse(y, target)
book_dx = model.backward(dy)

assert np.allclose(y, espcn_forward(x, params)[0])
assert np.allclose(book_dx, dx)
for name in params:
    assert np.allclose(model.grads[name], grads[name], atol=1e-12)
print("the book's gradients are ours, for", len(grads), "parameters and for x")

# %%
# Now the gradient can do its work. We take a piece of the photograph, make it three times smaller,
# and go downhill by the line of lesson 6. ``low`` is the small image, ``high`` is the target.

from npespcn.pictures import downscale

photograph = drawing.photograph()[120:180, 300:360]  # (60, 60, 3): a piece of it
high = photograph.mean(axis=2)[None, None] / 255  # (1, 1, 60, 60)
low = downscale(photograph, 3).mean(axis=2)[None, None] / 255  # (1, 1, 20, 20)
high = high[:, :, 12:-12, 12:-12]  # (1, 1, 36, 36): the inner part

losses = []
for _ in range(40):
    losses.append(network_loss(low, high, params))
    _, grads = network_gradient(low, high, params)
    for name in params:
        params[name] -= 0.05 * grads[name]  # p -= lr * g

print(f"loss at the start {losses[0]:.4f}, after 39 steps {losses[-1]:.4f}")
assert losses[-1] < 0.2 * losses[0]

# %%
# The network learns, with nothing in it but what you have seen. What it needs to learn *well* is
# the subject of lessons 8 and 9.
#
# What breaks: a check with ones
# ------------------------------
#
# One can also check a single layer. Then there is no loss behind it, so we choose one: the inner
# product :math:`\langle dy, y \rangle` of the output y and an array dy of our choice. The slope of
# this loss in y is just dy, whatever numbers we take for it.
#
# But such a check can be worthless. The easiest choice is ``dy = np.ones(...)``. We test it on a
# shuffle that has a mistake. Forward it counts the channels as PyTorch does, and backward as
# TensorFlow does (lesson 3). Follow eight channels of one pixel, two image channels with r = 2:

numbers = np.arange(8.0).reshape(1, 8, 1, 1)  # (N, C*r*r, H, W)
there = pixel_shuffle(numbers, 2)  # (1, 2, 2, 2)
print("right way back:", pixel_unshuffle(there, 2).ravel())
print("wrong way back:", pixel_unshuffle(there, 2, order="DCR").ravel())
print("ones, wrong way back:", pixel_unshuffle(np.ones((1, 2, 2, 2)), 2, order="DCR").ravel())

assert np.array_equal(pixel_unshuffle(there, 2), numbers)
assert not np.array_equal(pixel_unshuffle(there, 2, order="DCR"), numbers)

# %%
# The wrong way back puts the numbers in wrong places. But ones are equal. In whatever order one
# puts them, they are ones.
#
# .. predict::
#
#    We check the wrong shuffle by differences, four times: with dy of ones or of random numbers,
#    and with one image channel or with three. Which of the four checks find the mistake?
#
# .. answer::
#
#    Only one: random numbers with three image channels. Ones prove nothing for a permutation. And
#    with one image channel the two orders are the same, so there is no mistake to be seen.


def wrong_backward(dy):
    return pixel_unshuffle(dy, 2, order="DCR")


def check_shuffle(dy, x):
    """Return the largest difference between the wrong backward and the central differences."""

    def loss():
        return (dy * pixel_shuffle(x, 2)).sum()

    measured = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        measured[index] = central_difference(loss, x, index, 1e-5)
    return np.abs(measured - wrong_backward(dy)).max()


found = {}
for c in (1, 3):
    x = rng.normal(size=(2, 4 * c, 3, 2))  # (N, C*r*r, H, W)
    ones = np.ones((2, c, 6, 4))
    random = rng.normal(size=(2, c, 6, 4))
    found[c, "ones"] = check_shuffle(ones, x) > 1e-6
    found[c, "random"] = check_shuffle(random, x) > 1e-6
for (c, kind), answer in found.items():
    print(f"C = {c}, dy {kind}: {'finds the mistake' if answer else 'finds nothing'}")

assert found == {(1, "ones"): False, (1, "random"): False, (3, "ones"): False, (3, "random"): True}

# %%
# So a check needs a random dy, and at least two image channels. The same holds for shapes: with H =
# W, one does not see that rows and columns have been exchanged. With N = 1, one does not see that
# images have been mixed up.
#
# The book's check is :func:`npespcn.gradcheck.gradcheck`. It draws a random dy, computes the
# central differences of every entry, and raises an error if one is wrong.

from npespcn.gradcheck import gradcheck
from npespcn.layers import Conv2d, PixelShuffle, ReLU, Tanh

x = rng.normal(size=(2, 12, 3, 2))
for layer in (Tanh(), ReLU(), PixelShuffle(2), Conv2d(12, 4, 2, dtype="float64")):
    print(f"{type(layer).__name__:13} error {gradcheck(layer, x):.0e}")

# %%
# What breaks: float32
# --------------------
#
# Networks are trained in float32, which has about seven digits. Is that enough for a check? We try
# it with a small mistake, made on purpose: to save memory, h1 is remembered in 8 bits. They hold
# the whole numbers from -127 to 127, and h1 lies between -1 and 1. So h1 is rounded to multiples of
# 1/127 before the backward pass. What the network computes on the way forward stays right.
#
# We compare the gradient of the first filter of conv1 with central differences: the right gradient
# and the wrong one, in float32 and in float64, for many sizes of the step ε.
#
# .. predict::
#
#    The difference is exact only in the limit of small ε. So make ε smaller and smaller. Does the
#    error of the check get smaller and smaller? And how many digits of a gradient can a check in
#    float32 confirm?
#
# .. answer::
#
#    No. The error falls at first, and then it rises again. In float32 the smallest error is about
#    0.0001. So the check confirms about four digits of the gradient. A mistake in the fifth digit
#    cannot be seen.

fresh = ESPCN(3, padding="edge", dtype="float64").state_dict()
images = rng.uniform(size=(1, 1, 17, 19))
targets = rng.uniform(size=(1, 1, 27, 33))
epsilons = 10.0 ** np.arange(-8, 0.1, 0.5)


def check_filter(dtype, bits_8):
    """Return the error of the gradient of conv1's first filter, for each epsilon."""
    params = {name: array.astype(dtype) for name, array in fresh.items()}
    x, target = images.astype(dtype), targets.astype(dtype)
    y, (_, h1, h2) = espcn_forward(x, params)
    if bits_8:
        h1 = np.rint(127 * h1) / 127  # the mistake
    _, grads = espcn_backward(mse_backward(y, target), (x, h1, h2), params)
    gradient = grads["conv1.weight"][0, 0]  # (5, 5)
    kernel = params["conv1.weight"][0, 0]  # a view of the weights

    def loss():
        return float(network_loss(x, target, params))

    errors = []
    for epsilon in epsilons:
        measured = np.zeros((5, 5))
        for index in np.ndindex(5, 5):
            measured[index] = central_difference(loss, kernel, index, epsilon)
        errors.append(np.abs(measured - gradient).max() / np.abs(gradient).max())
    return np.array(errors)


errors = {}
for dtype in ("float32", "float64"):
    errors[f"{dtype}, right"] = check_filter(dtype, bits_8=False)
    errors[f"{dtype}, wrong"] = check_filter(dtype, bits_8=True)
for name, curve in errors.items():
    print(f"{name}: smallest error {curve.min():.0e}, at epsilon {epsilons[curve.argmin()]:.0e}")

assert 1e-5 < errors["float32, right"].min() < 1e-3
assert errors["float32, wrong"].min() < 5 * errors["float32, right"].min()
assert errors["float64, right"].min() < 1e-8
assert errors["float64, wrong"].min() > 1e-5

# %%

drawing.save(drawing.gradient_errors(epsilons, errors), "07_float32.png")

# %%
# Both axes are logarithmic. The error is the largest difference between the gradient and the
# central differences, divided by the largest entry of the gradient. Both right curves have the
# shape of a V. Two different errors make its two sides.
#
# **The right side: ε is too large.** The loss is curved, and a difference over a long way is not
# the slope at the middle. Take :math:`f(w) = w^3` at :math:`w = 1`, where the slope is 3. The
# central difference gives
#
# .. math::
#
#    \frac{(1 + \varepsilon)^3 - (1 - \varepsilon)^3}{2 \varepsilon}
#    = \frac{6 \varepsilon + 2 \varepsilon^3}{2 \varepsilon} = 3 + \varepsilon^2
#
# Its error is :math:`\varepsilon^2`. An ε that is ten times smaller has an error that is 100 times
# smaller. (A difference to one side only gives :math:`3 + 3\varepsilon + \varepsilon^2`. Its error
# is much larger. That is why we go to both sides.)
#
# **The left side: ε is too small.** Each loss is rounded to the digits of its type. The difference
# of two nearly equal losses loses nearly all of these digits, and only the rounding errors are
# left. Then they are divided by :math:`2\varepsilon`. An ε that is ten times smaller makes this
# error ten times *larger*. (At the far left, the two losses of float32 are rounded to the same
# number. Their difference is 0, so the check finds the slope 0. Then the error is as large as the
# gradient itself, and the curve is flat at 1.)
#
# In between is the best ε, and there the two errors are about equal. float64 rounds about 500
# million times more finely. Its left side lies far lower, and so does its best point. There the
# right gradient and the wrong one can be told apart, and in float32 they cannot. So: **train in
# float32, but check in float64, with a random dy.**


def cube(w):
    return w**3


for epsilon in (0.1, 0.01):
    central = (cube(1 + epsilon) - cube(1 - epsilon)) / (2 * epsilon)
    one_side = (cube(1 + epsilon) - cube(1)) / epsilon
    print(
        f"epsilon {epsilon}: error of both sides {central - 3:.4f}, of one side {one_side - 3:.4f}"
    )
    assert np.isclose(central - 3, epsilon**2)
    assert np.isclose(one_side - 3, 3 * epsilon + epsilon**2)

curve = errors["float64, right"]
for k in (13, 11, 4, 0):
    print(f"float64, epsilon {epsilons[k]:.0e}: error {curve[k]:.0e}")
assert errors["float32, right"][0] > 0.9  # the check finds nothing of the gradient
assert 50 < curve[13] / curve[11] < 200  # on the right: ten times smaller, 100 times more exact
assert curve[0] > 5 * curve[4]  # on the left: 100 times smaller, and much less exact
assert np.finfo("float32").eps / np.finfo("float64").eps > 5e8

# %%
# What you know now
# -----------------
#
# - A layer gets dy and returns dx. It multiplies by the transpose of its Jacobian: the forward
#   arrows, turned around. A number that is used several times gets the sum of everything that comes
#   back.
# - tanh multiplies by :math:`1 - y^2`. The shuffle goes back by the unshuffle. ``im2col`` copies,
#   and ``col2im`` adds the copies up. The backward pass of a convolution is two matrix products,
#   one for dW and one for dcolumns, and a sum for db.
# - A gradient is checked in float64, with a random dy, N = 2, several channels and H ≠ W.
#
# Try this: derive the backward pass of ReLU, :math:`y = \max(x, 0)`, and check it with
# ``gradcheck``. Or put a mistake into ``convolution_backward``: write ``dmatrix =`` for
# ``dmatrix +=``, so that only the last image counts. Which of the checks above find it, and what if
# N = 1?
#
# Then write it all yourself: :doc:`exercises 3, 6, 7 and 12 </exercises>`.
#
# Next: :doc:`lesson 8 <08_what_it_learns_from>` shows what the network learns from.
