"""
Whose order?
============

**Question.** PyTorch and TensorFlow both turn twelve channels into a color image twice as large,
and both are right. Why are their images different? And how do trained weights get from one to the
other?

:Aim: You know the three orders of channels, you can tell which one a program uses, and you can move
      a trained layer from one order to another.
:Minutes: 55
:Needs: Lessons 1 and 2.
:Practice: :doc:`Exercise 4 </exercises>` afterwards.
"""

# %%
# A number made of three parts
# ----------------------------
#
# The channels of lesson 1 were counted in a certain order: first all channels of red, then all of
# green, then all of blue. This looks natural, but nobody is forced to count like this.
#
# A channel is described by three parts: the image channel c, the row i and the column j in the
# block. For :math:`C = 3` image channels and :math:`r = 2` there are
# :math:`3 \cdot 2 \cdot 2 = 12` combinations, and they must be given the numbers 0 to 11. A clock
# has the same task. If the seconds of a day are counted from 0, a second has the number
#
# .. math::
#
#    (\text{hours} \cdot 60 + \text{minutes}) \cdot 60 + \text{seconds}
#
# The seconds run fastest, the hours run slowest. With channels it is not clear which part should
# run fastest, and people have decided differently:
#
# - c is slowest and j is fastest: :math:`k = (c \cdot r + i) \cdot r + j`. This is
#   :math:`c \cdot r^2 + i \cdot r + j`, the order of lesson 1. Its name is **CRD**.
# - i is slowest and c is fastest: :math:`k = (i \cdot r + j) \cdot C + c`. Its name is **DCR**.
#
# The names are from `ONNX <https://onnx.ai/onnx/operators/onnx__DepthToSpace.html>`__, a file
# format for networks. They list the parts from the fastest to the slowest: *column, row, depth* and
# *depth, column, row*. "Depth" means the image channel c.
#
# .. predict::
#
#    One LR pixel has twelve channels, and channel k holds the number k. Which four numbers are in
#    the red block (image channel 0) if the channels are counted as CRD? Which four if they are
#    counted as DCR?
#
# .. answer::
#
#    Put c = 0 into the two formulas, and all four places (i, j):
#
#    .. math::
#
#       \text{CRD: } \begin{pmatrix} 0 & 1 \\ 2 & 3 \end{pmatrix} \qquad
#       \text{DCR: } \begin{pmatrix} 0 & 3 \\ 6 & 9 \end{pmatrix}
#
# The program is the loop of lesson 2. Only the line that finds the channel depends on the order.
# Therefore each order has a small function of its own here, and ``shuffle`` gets the name of an
# order. The number C is called ``size``.

import numpy as np


def crd(c, i, j, size, r):
    """Return the channel for place (i, j) of image channel c; `size` is C."""
    return (c * r + i) * r + j


def dcr(c, i, j, size, r):
    return (i * r + j) * size + c


orders = {"CRD": crd, "DCR": dcr}


def shuffle(x, r, order):
    channel_number = orders[order]
    channels, h, w = x.shape
    size = channels // (r * r)
    y = np.empty((size, h * r, w * r), x.dtype)  # (C, H*r, W*r)
    for c, row, column in np.ndindex(y.shape):
        k = channel_number(c, row % r, column % r, size, r)
        y[c, row, column] = x[k, row // r, column // r]
    return y


pixel = np.arange(12).reshape(12, 1, 1)  # one LR pixel
blocks = {order: shuffle(pixel, 2, order) for order in orders}  # (3, 2, 2) each
for order in orders:
    red, green, blue = blocks[order].tolist()
    print(f"{order} red {red} green {green} blue {blue}")

assert blocks["CRD"][0].tolist() == [[0, 1], [2, 3]]
assert blocks["DCR"][0].tolist() == [[0, 3], [6, 9]]

# %%

import drawing

drawing.save(drawing.orders(blocks), "03_orders_of_twelve.png")

# %%
# Look at the blocks: in both orders they have the same colors, because every order fills all places
# of all image channels. Only the numbers are different. Look at the rows of twelve: in CRD, four
# channels of one color are neighbors. In DCR, each channel has another color than the one before,
# and after three channels the colors come again. The explorer has the same map for
# :explorer:`CRD <mode=map&r=2&c=3&order=crd>` and :explorer:`DCR <mode=map&r=2&c=3&order=dcr>`.
#
# The book's function takes the order as an argument. It agrees with our loop:

from npespcn.shuffle import pixel_shuffle

x = np.arange(12 * 2 * 3).reshape(12, 2, 3)  # (C*r*r, H, W)
for order in orders:
    assert np.array_equal(pixel_shuffle(x, 2, order=order), shuffle(x, 2, order))

# %%
# Equation 4, and two ways to read it
# -----------------------------------
#
# The pixel shuffle comes from the paper on ESPCN by `Shi et al. 2016
# <https://arxiv.org/abs/1609.05158>`__. Why do we not simply do what the paper says? Its equation 4
# is
#
# .. math::
#
#    \text{PS}(T)_{x, y, c} =
#    T_{\lfloor x/r \rfloor,\ \lfloor y/r \rfloor,\ C \cdot r \cdot \text{mod}(y, r) + C \cdot
#    \text{mod}(x, r) + c}
#
# Here T is the array of channels and PS(T) is the image. Both have the channel as the *last* index;
# in our arrays it is the first one. The capital C is the number of image channels, the small c is
# one of them. :math:`\lfloor x/r \rfloor` is the division without remainder, and mod is the
# remainder.
#
# Which of x and y is the row? The paper says that PS takes an array of H × W × C·r² to one of
# rH × rW × C. The first index of such an array runs over the rows, so **x is the row**. But the
# paper also calls x and y "output pixel coordinates", and in most books x is the horizontal
# coordinate of a pixel. Then **x is the column**. The wording leaves a doubt, and people have
# written programs for both readings.
#
# .. predict::
#
#    Write the channel number of equation 4 with i = row mod r and j = column mod r, for both
#    readings. Is one of them CRD, or DCR?
#
# .. answer::
#
#    - x is the column: mod(y, r) is i and mod(x, r) is j. The channel is
#      :math:`C \cdot r \cdot i + C \cdot j + c = (i \cdot r + j) \cdot C + c`. This is DCR.
#    - x is the row: mod(x, r) is i and mod(y, r) is j. The channel is
#      :math:`(j \cdot r + i) \cdot C + c`. This is neither CRD nor DCR, because here the *row* of
#      the block runs faster than the column.
#
# We call the second one the *paper's order*. It is the third order of this lesson. The book's
# function has it, too, and :explorer:`the explorer <mode=map&r=2&c=3&order=paper>` as well.


def paper(c, i, j, size, r):
    return (j * r + i) * size + c


orders["paper"] = paper
block = shuffle(pixel, 2, "paper")  # (3, 2, 2)

assert block[0].tolist() == [[0, 6], [3, 9]]
assert np.array_equal(pixel_shuffle(x, 2, order="paper"), shuffle(x, 2, "paper"))

drawing.save(drawing.orders({"paper": block}), "03_paper.png")

# %%
# Compare with DCR above: the upper right and the lower left number of each block have changed
# places.
#
# Now we write equation 4 down exactly as it is printed, and use it in both ways. If x is the
# column, we give it the array with rows and columns exchanged, so that x runs over the columns.


def equation_4(t, r):
    size = t.shape[2] // (r * r)  # C
    result = np.empty((t.shape[0] * r, t.shape[1] * r, size), t.dtype)
    for x, y, c in np.ndindex(result.shape):
        channel = size * r * (y % r) + size * (x % r) + c
        result[x, y, c] = t[x // r, y // r, channel]
    return result


rows_first = x.transpose(1, 2, 0)  # (H, W, C*r*r)
columns_first = x.transpose(2, 1, 0)  # (W, H, C*r*r)
x_is_row = equation_4(rows_first, 2).transpose(2, 0, 1)  # (C, H*r, W*r)
x_is_column = equation_4(columns_first, 2).transpose(2, 1, 0)  # (C, H*r, W*r)

assert np.array_equal(x_is_row, shuffle(x, 2, "paper"))
assert np.array_equal(x_is_column, shuffle(x, 2, "DCR"))
print("equation 4 is the paper's order if x is the row, and DCR if x is the column")

# %%
# So the words "as in the paper" do not tell which order a program uses.
#
# What the libraries do
# ---------------------
#
# - `PyTorch's PixelShuffle <https://docs.pytorch.org/docs/stable/generated/
#   torch.nn.PixelShuffle.html>`__ is CRD.
# - `TensorFlow's depth_to_space <https://www.tensorflow.org/api_docs/python/tf/nn/
#   depth_to_space>`__ is DCR. Its documentation says that the row and the column in the block are
#   given "by the high order component" of the channel number. This is its slow part, so c is the
#   fast part.
# - `ONNX's DepthToSpace <https://onnx.ai/onnx/operators/onnx__DepthToSpace.html>`__ has both. DCR
#   is the default. Its documentation gives three steps for each, like those of lesson 2. Here they
#   are:

r, size = 2, 3
h, w = x.shape[1:]

onnx_dcr = x.reshape(r, r, size, h, w)  # (i, j, C, H, W)
onnx_dcr = onnx_dcr.transpose(2, 3, 0, 4, 1)  # (C, H, i, W, j)
onnx_dcr = onnx_dcr.reshape(size, h * r, w * r)  # (C, H*r, W*r)

onnx_crd = x.reshape(size, r, r, h, w)  # (C, i, j, H, W)
onnx_crd = onnx_crd.transpose(0, 3, 1, 4, 2)  # (C, H, i, W, j)
onnx_crd = onnx_crd.reshape(size, h * r, w * r)  # (C, H*r, W*r)

assert np.array_equal(onnx_dcr, shuffle(x, 2, "DCR"))
assert np.array_equal(onnx_crd, shuffle(x, 2, "CRD"))

# %%
# The difference is the first reshape: it splits the channel number into i, j, c or into c, i, j.
# The two transposes have other numbers only because the axis C stands at another place. Both give
# the axes C, H, i, W, j.
#
# You need no PyTorch for this course. If you have it, we ask it:

try:
    import torch
except ImportError:
    print("PyTorch is not installed, so it was not asked")
else:
    answer = torch.nn.PixelShuffle(2)(torch.tensor(x)).numpy()
    assert np.array_equal(answer, shuffle(x, 2, "CRD"))
    print("PyTorch was asked: it is CRD")

# %%
# TensorFlow differs in a second way, which is easily confused with the first. It keeps the channels
# on the *last* axis, and its arrays have the shape (N, H, W, C). PyTorch keeps the channels in
# front of the rows, (N, C, H, W). N is the number of images, because both libraries take several
# images at once. The place of the channel axis is called the *layout*. The layout says **on which
# axis** the channels are. The order says **how they are counted** on this axis. If you move the
# axis, the layout changes and the order does not.

last = np.moveaxis(x, 0, -1)  # (H, W, C*r*r)
tensorflow = last.reshape(h, w, r, r, size)  # (H, W, i, j, C)
tensorflow = tensorflow.transpose(0, 2, 1, 3, 4)  # (H, i, W, j, C)
tensorflow = tensorflow.reshape(h * r, w * r, size)  # (H*r, W*r, C)

assert np.array_equal(np.moveaxis(tensorflow, -1, 0), shuffle(x, 2, "DCR"))

# %%
# One image channel hides the difference
# --------------------------------------
#
# Networks for super-resolution often enlarge only the brightness of an image. Then there is one
# image channel, :math:`C = 1`, and c is always 0.
#
# .. predict::
#
#    Which of the three orders differ if :math:`C = 1`?
#
# .. answer::
#
#    Put C = 1 and c = 0 into the formulas. CRD and DCR both become :math:`i \cdot r + j`, so they
#    are the same. The paper's order becomes :math:`j \cdot r + i`. It still differs, because rows
#    and columns of the block have changed places. (You saw this if you tried the transpose at the
#    end of lesson 2.)

four = np.arange(4).reshape(4, 1, 1)  # one LR pixel, C = 1
for order in orders:
    print(f"{order:5} {shuffle(four, 2, order)[0].tolist()}")

assert np.array_equal(shuffle(four, 2, "CRD"), shuffle(four, 2, "DCR"))
assert not np.array_equal(shuffle(four, 2, "CRD"), shuffle(four, 2, "paper"))

# %%
# So a program that was tested only with gray images may use CRD or DCR, and its author may not know
# which.
#
# What does a wrong order look like? We take the photograph apart with ``pixel_unshuffle``, the
# inverse of the shuffle. Its twelve channels are counted as CRD. Then we put it together in all
# three orders. We do the same with one image channel alone, the green one.

from npespcn.shuffle import pixel_unshuffle

photograph = drawing.photograph()  # (600, 510, 3)
planes = np.moveaxis(photograph, -1, 0)  # (3, 600, 510)
channels = pixel_unshuffle(planes, 2)  # (12, 300, 255), counted as CRD
green = channels[4:8]  # (4, 300, 255), C = 1

images = {}
for order in orders:
    images[f"as {order}"] = np.moveaxis(pixel_shuffle(channels, 2, order=order), 0, -1)
for order in ("DCR", "paper"):
    images[f"as {order}, C = 1"] = pixel_shuffle(green, 2, order=order)[0]  # (600, 510)

assert np.array_equal(images["as CRD"], photograph)
assert np.array_equal(images["as DCR, C = 1"], photograph[:, :, 1])

drawing.save(drawing.details(images, (325, 50, 365, 90)), "03_orders.png")

# %%
# With three image channels a wrong order mixes colors and places, and the image is covered by
# colored dots. With one image channel DCR is perfect. The paper's order draws a comb along every
# edge. This is the comb that lesson 1 announced: in each block the upper right and the lower left
# pixel have changed places.
#
# What breaks: weights without their order
# ----------------------------------------
#
# The last layer of a network makes the channels. For each channel it has a set of weights and one
# more number, the *bias*, which is added. So the weights are sorted by channels, in the order of
# the program in which they were trained.
#
# Suppose that you load weights from a TensorFlow program into PyTorch. Everything fits: there are
# twelve sets of weights and twelve biases, and there is no error message. But the image is wrong.
#
# The cure is small. The two orders differ in the numbers of the channels and in nothing else.
# Therefore it is enough to bring the weights and biases of the last layer into the other order,
# once. All other layers stay as they are.
#
# .. predict::
#
#    TensorFlow's layer has the biases 10, 11, 12, ..., 21 for its channels 0 to 11. (C = 3 and
#    r = 2.) Which bias must PyTorch's channel 1 get? And PyTorch's channel 4?
#
# .. answer::
#
#    Ask first what the channel is for, and then where TensorFlow has this channel:
#
#    - PyTorch's channel 1 is for c = 0, i = 0, j = 1. TensorFlow has it as number
#      :math:`(0 \cdot 2 + 1) \cdot 3 + 0 = 3`. So it gets the bias 13.
#    - PyTorch's channel 4 is for c = 1, i = 0, j = 0. TensorFlow has it as number
#      :math:`(0 \cdot 2 + 0) \cdot 3 + 1 = 1`. So it gets the bias 11.
#
# We ask this for all twelve channels, and write the answers into an array p. It is a *permutation*:
# each number from 0 to 11 occurs once.

p = np.empty(12, int)
for c, i, j in np.ndindex(3, 2, 2):
    here = crd(c, i, j, 3, 2)
    there = dcr(c, i, j, 3, 2)
    p[here] = there
print("p =", p.tolist())

biases = np.arange(10, 22)
print("PyTorch's biases:", biases[p].tolist())
assert biases[p][1] == 13
assert biases[p][4] == 11

# %%
# The book has this permutation as :func:`npespcn.shuffle.channel_permutation`. For the way back the
# permutation must be inverted. ``np.argsort(p)`` does this: it returns where the number 0 stands in
# p, then where 1 stands, and so on.

from npespcn.shuffle import channel_permutation

assert np.array_equal(channel_permutation(3, 2, "DCR"), p)
assert np.array_equal(biases[p][np.argsort(p)], biases)

# %%
# Move a trained layer
# --------------------
#
# To see that it works we need trained weights. We train a very small network: one layer, which
# looks at the 3×3 nearest LR pixels in all three colors. These are :math:`3 \cdot 3 \cdot 3 = 27`
# numbers for each LR pixel, its *features*. To get them, we put one pixel around the image. (These
# new pixels repeat the pixels of the edge.) In this larger image, the slice that begins at row 1
# and column 1 is the old image. The slice that begins one row later holds the lower neighbor of
# each pixel, the slice that begins one row earlier the upper neighbor, and so on. Nine slices of
# three colors are the 27 features. Each of the twelve channels is a weighted sum of the features,
# plus a bias.

from npespcn.pictures import downscale

small = np.moveaxis(downscale(photograph, 2), -1, 0).astype(float)  # (3, 300, 255)
padded = np.pad(small, ((0, 0), (1, 1), (1, 1)), mode="edge")  # (3, 302, 257)
features = []
for plane in padded:
    for down in range(3):
        for right in range(3):
            features.append(plane[down : down + 300, right : right + 255])  # (300, 255)
features = np.stack(features)  # (27, 300, 255)


def layer(features, weight, bias):
    """Make channels (12, H, W) of features (27, H, W)."""
    channels = []
    for k in range(len(bias)):
        weighted = weight[k].reshape(27, 1, 1) * features  # (27, H, W)
        channels.append(weighted.sum(axis=0) + bias[k])  # (H, W)
    return np.stack(channels)


# %%
# To *train* a network means to find weights that give the output we want, the *targets*. Here the
# targets are the twelve channels of the photograph itself. We give them to ``train`` in the order
# of the program that will use the weights.
#
# A network with one layer can be trained by a single call. ``np.linalg.lstsq`` ("least squares")
# finds the weights with the smallest sum of squared errors. (:doc:`Lesson 6
# <06_one_step_downhill>` shows how larger networks are trained.) You need not understand the
# inside of ``train``: only its input and its output matter here.


def train(targets):
    """Find the weights and biases for targets (12, 300, 255)."""
    ones = np.ones((1, 300, 255))  # the weight of these ones is the bias
    columns = np.concatenate([features, ones]).reshape(28, -1).T  # (300*255, 28)
    solution = np.linalg.lstsq(columns, targets.reshape(12, -1).T.astype(float))[0]  # (28, 12)
    return solution[:27].T, solution[27]  # weight (12, 27), bias (12,)


def as_image(y):
    """Round (3, H*r, W*r) to whole gray levels, and move the colors to the last axis."""
    return np.moveaxis(y, 0, -1).round().clip(0, 255).astype(np.uint8)  # (H*r, W*r, 3)


weight, bias = train(pixel_unshuffle(planes, 2, order="DCR"))  # trained in TensorFlow's order
theirs = pixel_shuffle(layer(features, weight, bias), 2, order="DCR")  # and used in it

# %%
# ``theirs`` is the image that a program with TensorFlow's order makes. Now its weights come into
# our program, which shuffles as CRD. First we use them as they are. Then we move them, with these
# two lines:

moved_weight = weight[p]
moved_bias = bias[p]

# %%
# .. predict::
#
#    A gray level is a step of 1 between black, 0, and white, 255. By how many gray levels will some
#    pixels of our image differ from theirs if the weights are used as they are: about 1, 20 or 200?
#    And if the weights are moved?
#
# .. answer::
#
#    As they are, some pixels differ by more than 200 gray levels. If they are moved, the difference
#    is 0. It is not a small number, it is exactly 0 at every pixel: the channels hold the same
#    values, computed by the same sums. They only stand at other places of the array.

unmoved = pixel_shuffle(layer(features, weight, bias), 2)
moved = pixel_shuffle(layer(features, moved_weight, moved_bias), 2)

print(f"not moved: the images differ by up to {np.abs(unmoved - theirs).max():.1f} gray levels")
print(f"moved:     the images differ by up to {np.abs(moved - theirs).max():.1f} gray levels")

assert np.abs(unmoved - theirs).max() > 200
assert np.array_equal(moved, theirs)

# %%

others = {"not moved": as_image(unmoved), "moved": as_image(moved)}
figure = drawing.compared(("their program", as_image(theirs)), others, (325, 50, 365, 90))
drawing.save(figure, "03_moved.png")

# %%
# The right column is our image minus theirs, in green alone, with a color for each gray level.
# (Differences beyond the ends of the color bar have the color of its ends.)
#
# Does it matter in which order one trains? We train once more, with targets counted as CRD.

our_weight, our_bias = train(channels)
assert np.allclose(our_weight, moved_weight)
assert np.allclose(our_bias, moved_bias)
print("trained as CRD: the same weights as trained as DCR and moved")

# %%
# No order is better than another. A network learns for every place of the block what this place
# needs, wherever its channel stands. The order matters only when weights move from one program to
# another. So write the order down beside your weights.
#
# One more thing changes when you move a layer from TensorFlow. Our weights have the shape (12, 27):
# the channels that the layer makes are on the *first* axis. The same is true of PyTorch. In
# TensorFlow's weights they are on the *last* axis, and the permutation must be applied to this
# axis. You do it in exercise 4.
#
# What you know now
# -----------------
#
# - A channel number is made of c, i and j. PyTorch counts as CRD, TensorFlow as DCR, and equation 4
#   can be read in two ways.
# - One image channel hides the difference between CRD and DCR. Test with three.
# - The orders differ by a permutation of the channels. ``weight[p]`` and ``bias[p]`` move a layer,
#   and then the images are equal.
#
# Try this: take the :explorer:`quiz in DCR <mode=quiz&r=2&c=3&order=dcr>`. If you answer in the
# wrong order, the quiz tells you whose order it was. The :doc:`museum <a_museum>` in the appendix
# shows how published programs have mixed up the orders.
#
# Next: :doc:`lesson 4 <04_convolution>` explains the layer that makes the channels.
