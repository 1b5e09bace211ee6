"""
A museum of published slips
===========================

**Question.** Each program in this museum ran, and its results looked right. Each of them has a slip
or a trap. Which input makes it visible?

:Aim: You can choose inputs that reveal a wrong shuffle or wrong training data, in your own programs
      too.
:Minutes: 50
:Needs: Lessons 1 to 3 and 12.
:Practice: :doc:`Exercise 11 </exercises>` afterwards: five programs, each with a bug.

A slip is a small mistake that its author did not see. Everybody makes them. The authors of these
programs gave their work away, and many people have learned from it. Because the code is public, its
slips could be found too. For most of them there is a public report by an attentive reader, and we
link it.

We have written each program again, in the names of this course. The projects may have changed since
we read them.
"""

# %%
# First hall: shuffles
# --------------------
#
# In this hall every program is a pixel shuffle. We use the numbers of lesson 1, all different, once
# with one image channel and once with three. The function of the book tells what is right.

import numpy as np

from npespcn.shuffle import pixel_shuffle

one = np.arange(4 * 2 * 3).reshape(4, 2, 3)  # (C*r*r, H, W), C = 1, r = 2
three = np.arange(12 * 2 * 3).reshape(12, 2, 3)  # (C*r*r, H, W), C = 3, r = 2

# %%
# **Exhibit 1: a small letter.** The README of `atriumlts/subpixel
# <https://github.com/atriumlts/subpixel>`__ (2016) explains equation 4 of the ESPCN paper by a
# loop. In :doc:`lesson 3 <03_whose_order>` you have seen the channel number of this equation:
# :math:`C \cdot r \cdot \text{mod}(y, r) + C \cdot \text{mod}(x, r) + c`. In this loop x is the row
# and y is the column. (In our program they are called ``row`` and ``column``, and x and y are
# arrays as always.) The loop has a small c in the place of the capital C, it counts c from 1, and
# it leaves out the last :math:`+\ c`. A reader `reported it
# <https://github.com/atriumlts/subpixel/issues/54>`__ in 2018. The loop has been copied into other
# programs, for example into `JuheonYi/VESPCN-tensorflow
# <https://github.com/JuheonYi/VESPCN-tensorflow>`__.


def small_c(x, r):
    channels, h, w = x.shape
    y = np.empty((channels // (r * r), h * r, w * r), x.dtype)
    for c, row, column in np.ndindex(y.shape):
        from_one = c + 1
        k = from_one * r * (column % r) + from_one * (row % r)
        y[c, row, column] = x[k, row // r, column // r]
    return y


# %%
# .. predict::
#
#    For which number of image channels does this loop agree with equation 4? And if r = 2 and
#    C = 3, which of the twelve channels does the loop never read?
#
# .. answer::
#
#    With C = 1, c counted from 1 is always 1, and this is the same as C. So for one image channel
#    the loop is right: it is the paper's order.
#
#    With C = 3 the first image channel reads the channels 0, 1, 2, 3. The second reads 0, 2, 4, 6,
#    and the third reads 0, 3, 6, 9. Nobody reads 5, 7, 8, 10 and 11, and channel 0 is read three
#    times.

assert np.array_equal(small_c(one, 2), pixel_shuffle(one, 2, order="paper"))

read = set((small_c(three, 2) // 6).ravel().tolist())  # number // 6 is its channel
never = sorted(set(range(12)) - read)
print("channels that are never read:", never)
assert never == [5, 7, 8, 10, 11]

# %%
# The input that shows it: **three image channels**.
#
# **Exhibit 2: two times r.** The same loop computes the number of image channels as
# ``channels / (r*2)``. It should be ``channels / (r*r)``.
#
# .. predict::
#
#    For r = 2 the two are equal. What does the wrong formula give for C = 1 and r = 3? And for
#    C = 1 and r = 4? (The README is written for Python 2, which drops the remainder.)
#
# .. answer::
#
#    For r = 3 there are 9 channels. 9 / 6 is 1 with the remainder dropped: right, by luck. For
#    r = 4 there are 16 channels, and 16 / 8 is 2: one image channel too many.

for r in (2, 3, 4):
    print(f"r = {r}: C is 1, the formula gives {r * r // (r * 2)}")

assert [r * r // (r * 2) for r in (2, 3, 4)] == [1, 1, 2]

# %%
# The input that shows it: **r = 4**. More image channels show it, too: with C = 3 and r = 3 the
# formula gives 4.

assert 3 * 3 * 3 // (3 * 2) == 4

# %%
# **Exhibit 3: one axis too few.** The function ``_phase_shift`` of the same project is the program
# by split and concatenate from :doc:`lesson 2 <02_three_shuffles>`, for a whole batch of N images.
# After each split the pieces have an axis of length 1, which has to be removed. An early version
# did this by ``squeeze`` without an argument.


def phase_shift(x, r):
    n, h, w, _ = x.shape
    x = x.reshape(n, h, w, r, r)  # (N, H, W, i, j)
    rows = np.split(x, h, axis=1)  # H pieces of (N, 1, W, i, j)
    x = np.concatenate([np.squeeze(row) for row in rows], axis=2)  # (N, W, H*r, j)
    columns = np.split(x, w, axis=1)  # W pieces of (N, 1, H*r, j)
    x = np.concatenate([np.squeeze(column) for column in columns], axis=2)  # (N, H*r, W*r)
    return x


batch = np.moveaxis(np.stack([one, one + 24]), 1, -1)  # (2, H, W, r*r)
right = np.stack([pixel_shuffle(one, 2)[0], pixel_shuffle(one + 24, 2)[0]])  # (2, H*r, W*r)
assert np.array_equal(phase_shift(batch, 2), right)

# %%
# .. predict::
#
#    For a batch of two images the result is right, and so it is for a batch of 32. When does this
#    function fail?
#
# .. answer::
#
#    ``squeeze`` without an argument removes *every* axis of length 1. If the batch has one image,
#    the axis N disappears too, and axis 1 is now another axis. Training uses large batches, so the
#    slip does not show there. It shows when somebody enlarges a single photograph.

try:
    phase_shift(batch[:1], 2)
except ValueError as error:
    print("one image:", error)
else:
    raise AssertionError("one image should have failed")

# %%
# The input that shows it: **a batch of one**. It was `reported
# <https://github.com/atriumlts/subpixel/issues/22>`__ and `repaired
# <https://github.com/atriumlts/subpixel/pull/23>`__ in January 2017: ``squeeze(row, axis=1)``. The
# README still has the old lines, and `other projects
# <https://github.com/kweisamx/TensorFlow-ESPCN/issues/4>`__ had copied them. Nobody tells a copy
# that its original has been repaired.
#
# **Exhibit 4: two orders under one name.** ``_phase_shift`` of atriumlts/subpixel exchanges the
# rows and columns of each block before it splits. In JuheonYi/VESPCN-tensorflow the function has
# the same name, and this line is commented out. Neither of them is wrong. A network learns to fill
# the places that its shuffle gives it. (A reader `asked
# <https://github.com/atriumlts/subpixel/issues/15>`__ what the exchange is for, and argued that a
# network can learn with either.) But their weights cannot be exchanged without a permutation.


def swapped(x, r):
    """Exchange i and j, then shuffle as PyTorch does."""
    channels, h, w = x.shape
    blocks = x.reshape(channels // (r * r), r, r, h, w)  # (C, i, j, H, W)
    blocks = blocks.swapaxes(1, 2)  # (C, j, i, H, W)
    return pixel_shuffle(blocks.reshape(channels, h, w), r)


# %%
# .. predict::
#
#    Which order of lesson 3 is ``swapped`` for one image channel? Which one is it for three? (The
#    channels of one image channel stand together, as in CRD.)
#
# .. answer::
#
#    For one image channel the channel number is :math:`j \cdot r + i`, the paper's order. For three
#    it is :math:`c \cdot r^2 + j \cdot r + i`. This is none of the three orders of lesson 3. It is
#    a fourth one.

assert np.array_equal(swapped(one, 2), pixel_shuffle(one, 2, order="paper"))
for order in ("CRD", "DCR", "paper"):
    assert not np.array_equal(swapped(three, 2), pixel_shuffle(three, 2, order=order))
print("for three image channels it is a fourth order")

# %%
# The input that shows it: **one block of different numbers**. Weights show it only if they come
# from the other program. We look at exhibits 1 and 4 on the photograph. We take it apart into
# twelve channels in PyTorch's order, and let each program put them together again.

import drawing

from npespcn.shuffle import pixel_unshuffle

photograph = drawing.photograph()  # (600, 510, 3)
channels = pixel_unshuffle(np.moveaxis(photograph, -1, 0), 2)  # (12, 300, 255)
images = {
    "PyTorch's order": photograph,
    "rows and columns exchanged": np.moveaxis(swapped(channels, 2), 0, -1),
    "small c": np.moveaxis(small_c(channels, 2), 0, -1),
}
drawing.save(drawing.details(images, (325, 50, 365, 90)), "a_shuffles.png")

# %%
# Second hall: numbers and their types
# ------------------------------------
#
# **Exhibit 5: a slash.** ``shuffle`` in ``prepare_data.py`` of `drakelevy/ESPCN-TensorFlow
# <https://github.com/drakelevy/ESPCN-TensorFlow>`__ is the triple loop of lesson 2, and it is
# right. It divides row and column by r with a slash, ``/``. Its README asks for Python 2.7, and
# there 3 / 2 is 1. In Python 3 it is 1.5. (A division of this kind in another project was `repaired
# <https://github.com/kweisamx/TensorFlow-ESPCN/pull/3>`__ in 2018.)
#
# .. predict::
#
#    What does Python 3 do with the pixel in row ``3 / 2``: does it round the number, or does it
#    refuse?
#
# .. answer::
#
#    NumPy refuses: an index must be a whole number. This is the most harmless slip of the museum,
#    because it cannot go unnoticed. In your own programs, write ``//`` for a division without
#    remainder.

try:
    one[0, 3 / 2, 0]
except IndexError as error:
    print("IndexError:", error)
else:
    raise AssertionError("a fraction should not be an index")

# %%
# The input that shows it: **another version of the language**. Code grows old, even if nobody
# touches it.
#
# **Exhibit 6: a canvas of bytes.** The same function writes the result into a new array of
# ``uint8``, the type of image files. In its own project this is no mistake, because the network's
# output is turned into bytes before it gets there. But a shuffle only moves numbers, so nobody
# expects that it needs bytes, and one day somebody will use it elsewhere.


def on_a_canvas(x, r):
    canvas = np.zeros((len(x) // (r * r), x.shape[1] * r, x.shape[2] * r), np.uint8)
    canvas[:] = pixel_shuffle(x, r)
    return canvas


# %%
# .. predict::
#
#    Most networks work with gray levels from 0 (black) to 1 (white). What does the image look like
#    if such numbers are put on this canvas?
#
# .. answer::
#
#    ``uint8`` has only whole numbers, and NumPy drops the fraction without a warning. All gray
#    levels below 1 become 0, so the image is black. White itself becomes 1, which looks black as
#    well.

numbers = np.array([0.2, 0.5, 0.9, 1.0]).reshape(4, 1, 1)
print("on the canvas:", on_a_canvas(numbers, 2).ravel().tolist())
assert on_a_canvas(numbers, 2).ravel().tolist() == [0, 0, 0, 1]
assert np.array_equal(on_a_canvas(one, 2), pixel_shuffle(one, 2))  # whole numbers hide it

# %%
# The input that shows it: **numbers with a fraction**. A function that only moves numbers should
# give back the type that it gets.
#
# Third hall: training data
# -------------------------
#
# A network learns what its training data show. If the data have a slip, the network learns the slip
# perfectly, and the loss goes down as it should.
#
# **Exhibit 7: the first pixel.** drakelevy/ESPCN-TensorFlow makes LR in two steps: it blurs the
# image by a Gaussian filter, and then it keeps every r-th pixel, ``blurred[::r, ::r]``. The text of
# the `ESPCN paper <https://arxiv.org/abs/1609.05158>`__ says this, so it is *no* slip. (As
# :doc:`lesson 12 <12_measuring_honestly>` tells, its numbers for bicubic interpolation come from
# another way of making LR.) The trap is a detail that the paper does not mention: *which* pixel of
# each block is kept. ``[::r]`` keeps the first one. An LR pixel stands for its whole block, and the
# first pixel is not in the middle of the block.
#
# .. predict::
#
#    The pixels of a block have the positions 0, 1, ..., r - 1. Where is the middle of the block?
#    How far is the first pixel away from it if r = 3? If r = 2?
#
# .. answer::
#
#    The middle is at :math:`(r - 1)/2`. So the distance is 1 pixel for r = 3, and half a pixel for
#    r = 2. By this distance everything in the LR image lies too far down and too far to the right.
#
# We need an image in which every number tells where it is: a *ramp*, which gets brighter by 10 from
# each column to the next. The function ``downscale`` is centered. (It is the usual bicubic
# interpolation. We come to it in the next exhibit. A blur does not change a ramp, so we can leave
# the blur out here.)

from npespcn.pictures import downscale

ramp = np.tile(np.arange(0, 240, 10, dtype=np.uint8), (24, 1))  # (24, 24)
print(ramp[0, :8], "...")
for r in (2, 3, 4):
    centered = downscale(ramp, r)[2, 2].astype(float)
    first = ramp[::r, ::r][2, 2].astype(float)
    print(f"r = {r}: centered {centered:.0f}, [::{r}] {first:.0f}:", end=" ")
    print((centered - first) / 10, "pixels apart")
    assert (centered - first) / 10 == (r - 1) / 2

# %%
# The input that shows it: **a ramp**, or a single edge. In the next figure the LR pixels are drawn
# at the middle of their blocks, where they belong.

edge = 255 / (1 + np.exp(15 - np.arange(30)))  # from black to white, around pixel 15
middles = np.arange(1, 30, 3)  # of the blocks
small = {"LR by [::3]": edge[::3], "LR by [1::3]": edge[1::3]}
drawing.save(drawing.sampled_edge(edge, middles, small), "a_edge.png")

# %%
# For r = 3 the cure is ``[1::3]``, which keeps the middle pixel. For even r no pixel is in the
# middle. There one needs a filter that is centered between two pixels.
#
# A network that was trained on moved pairs learns to move images back. It moves *every* image, also
# one whose LR was made with the middle pixel. Lesson 12 measures the opposite case: its network was
# trained on centered LR, it gets LR made by ``[::3]``, and loses more than six decibels.
#
# **Exhibit 8: no antialiasing.** `fannymonori/TF-ESPCN
# <https://github.com/fannymonori/TF-ESPCN>`__ makes LR by OpenCV's function ``cv2.resize`` with
# ``INTER_CUBIC``. This is *bicubic interpolation*: the value at a point is a weighted mean of the
# 4×4 pixels around it. The weights depend on the distance d from the point, in rows and in columns:
#
# .. math::
#
#    \begin{aligned}
#    (a + 2) d^3 - (a + 3) d^2 + 1 & \quad \text{for } 0 \le d \le 1 \\
#    -a (4 - 8 d + 5 d^2 - d^3) & \quad \text{for } 1 \le d \le 2
#    \end{aligned}
#
# OpenCV uses a = -0.75, and most others use a = -0.5. When an image is made r times smaller, this
# formula alone is not enough. The points are r pixels apart, and the filter at a point still looks
# at its nearest pixels only, so many pixels count little or not at all. Therefore the literature
# makes the filter r times wider, so that every pixel counts. This is *antialiasing*. OpenCV `does
# not do it <https://github.com/XPixelGroup/BasicSR/issues/15>`__. (It offers ``INTER_AREA`` for
# making images smaller.)
#
# For r = 3 the points are at the pixels 1, 4, 7 and so on, the middles of the blocks.
#
# .. predict::
#
#    The point is exactly on a pixel. So its distances from the nearest pixels in its row are 1, 0,
#    1 and 2. Which weights do they get?
#
# .. answer::
#
#    Put d = 0 into the first line: the weight is 1. Put d = 1 in: :math:`(a + 2) - (a + 3) + 1 =
#    0`. Put d = 2 into the second line: :math:`-a (4 - 16 + 20 - 8) = 0`. So the pixel itself is
#    all that counts, for every a. At ×3, ``INTER_CUBIC`` is nothing but ``[1::3]``.


def cubic(d, a):
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return -a * (4 - 8 * d + 5 * d**2 - d**3)


points = (np.arange(10) + 0.5) * 3 - 0.5  # middles of LR pixels, in HR pixels
assert np.array_equal(points, middles)
for a in (-0.75, -0.5):
    weights = [cubic(d, a) for d in (1, 0, 1, 2)]
    print(f"a = {a}: weights {weights}")
    assert weights == [0, 1, 0, 0]

# %%
# Nothing moves here, but two of three pixels in each direction are never seen. Now draw white lines
# on black, one pixel wide, in every third column. One third of the image is white, so from afar it
# is gray, with a gray level of :math:`255 / 3 = 85`.
#
# .. predict::
#
#    Make this image three times smaller by ``[1::3]``. What do you get if the lines are in the
#    columns 1, 4, 7, ...? And if they are in the columns 0, 3, 6, ...?
#
# .. answer::
#
#    In the first case all points hit a line, and LR is white. In the second case no point hits a
#    line, and LR is black. Both are far from the truth. With antialiasing LR is gray in both cases,
#    85.

for begin in (1, 0):
    lines = np.zeros((30, 30), np.uint8)
    lines[:, begin::3] = 255
    without, careful = lines[1::3, 1::3], downscale(lines, 3)
    print(f"lines in columns {begin}, {begin + 3}, ...:", end=" ")
    print(f"[1::3] {without[4, 4]}, antialiased {careful[4, 4]}")
    assert np.all(without == (255 if begin == 1 else 0))
    assert np.all(careful[2:-2, 2:-2] == 85)

# %%
# The input that shows it: **fine lines**. The most beautiful ones are rings that get finer and
# finer. Where they are too fine for LR, only gray is right.

y, x = np.indices((240, 240))
rings = (127.5 + 127.5 * np.cos((x**2 + y**2) / 150)).astype(np.uint8)
images = {"[1::3]": rings[1::3, 1::3], "with antialiasing": downscale(rings, 3)}
drawing.save(drawing.side_by_side(images), "a_rings.png")

# %%
# On the left there are rings around centers that do not exist. Such false patterns are called
# *aliases*. A network that has learned from such LR expects them. It does worse on images without
# them. The networks of fannymonori/TF-ESPCN can be used in OpenCV (``dnn_superres``). :doc:`How
# good it is </quality>` has their numbers on LR with antialiasing.
#
# **Exhibit 9: a digit.** Programs for super-resolution measure on *luma*, the brightness of a color
# image. (:doc:`Lesson 12 <12_measuring_honestly>` uses it, and :doc:`lesson 13
# <13_a_real_picture>` explains it.) For R, G and B from 0 to 255, BT.601, a standard of digital
# television, defines it by these weights:
#
# .. math::
#
#    Y = 16 + \frac{65.738\,R + 129.057\,G + 25.064\,B}{256}
#
# (Lesson 13 writes the same weights over 255. For example :math:`65.481 / 255 \approx 65.738 /
# 256`.) In the file ``utils.py`` of `yjn870/ESPCN-pytorch
# <https://github.com/yjn870/ESPCN-pytorch>`__ the weight of red is 64.738. Readers `noticed
# <https://github.com/yjn870/FSRCNN-pytorch/issues/3>`__ it in 2020. Many other programs still have
# this number.
#
# .. predict::
#
#    Which colors get a wrong luma, and by how much is it wrong? Is there a color that hides the
#    slip?
#
# .. answer::
#
#    Red is too dark by :math:`R / 256`. For a full red, R = 255, this is one gray level. White,
#    gray and yellow contain red, so they are wrong by up to one gray level, too. White becomes 234
#    instead of 235. Blue and green hide the slip.

from npespcn.pictures import rgb_to_y


def luma_64(rgb):
    red, green, blue = np.moveaxis(rgb.astype(float), -1, 0)
    return 16 + (64.738 * red + 129.057 * green + 25.064 * blue) / 256


colors = {"white": (255, 255, 255), "red": (255, 0, 0), "green": (0, 255, 0)}
for name, color in colors.items():
    color = np.array(color)
    ours, theirs = rgb_to_y(color.astype(float)), luma_64(color)
    print(f"{name:6} BT.601 {ours:6.2f}, with the digit {theirs:6.2f}")
    error = 0 if name == "green" else 1
    assert abs(ours - theirs - error) < 0.01

# %%
# Does it matter for a score? We measure the PSNR of an enlarged photograph with both formulas.

from npespcn.evaluation import psnr
from npespcn.pictures import upscale_bicubic

enlarged = upscale_bicubic(downscale(photograph, 3), 3)
ours = psnr(rgb_to_y(enlarged.astype(float)), rgb_to_y(photograph.astype(float)))
theirs = psnr(luma_64(enlarged), luma_64(photograph))
print(f"BT.601 {ours:.3f} dB, with the digit {theirs:.3f} dB")
assert abs(ours - theirs) < 0.05

# %%
# It hardly matters. Both images of the comparison are converted by the same formula, and for this
# photograph the score changes by a few hundredths of a decibel. A wrong digit is not always a
# catastrophe. But nobody can know this before it has been measured.
#
# The input that shows it: **white, black and the pure colors**, for which everybody knows the
# answer.
#
# **Exhibit 10: two listings.** Training pairs often lie in two folders, one with LR files and one
# with HR files. `leftthomas/ESPCN <https://github.com/leftthomas/ESPCN>`__ lists the two folders by
# two calls of ``listdir``, and pairs the first name with the first, the second with the second, and
# so on.
#
# .. predict::
#
#    What does Python promise about the order of the names that ``listdir`` returns?
#
# .. answer::
#
#    Nothing. Its documentation says: "The list is in arbitrary order." Often the names of both
#    folders come in the same order, and nobody notices the slip. When they do not, LR images are
#    paired with other photographs, and there is no error message.

lr_names = ["a.png", "b.png", "c.png"]
hr_names = ["c.png", "a.png", "b.png"]  # as listdir may return them
pairs = list(zip(lr_names, hr_names, strict=True))
print("pairs:", pairs)
assert all(lr != hr for lr, hr in pairs)
assert sorted(lr_names) == sorted(hr_names)

# %%
# The input that shows it: **the same names in another order**. To sort both lists is a cure, as
# long as no file is missing. It is safer to look up each name in the other folder, and to stop if
# it is not there.
#
# Ten inputs for your own programs
# --------------------------------
#
# No exhibit of this museum needed a large experiment. A small input was enough, if it was the right
# one:
#
# ================================= ===================================================
# Input                             It reveals
# ================================= ===================================================
# three image channels              a wrong order, c and C confused (1, 4)
# r = 3 and r = 4                   formulas that are right for r = 2 only (2)
# a batch of one, and of two        axes that disappear (3)
# H different from W                rows and columns confused (exercise 11)
# numbers that are all different    everything that moves to a wrong place (1, 4)
# numbers with a fraction           types that are too small (6)
# a ramp or an edge                 images that move (7)
# lines of one pixel                missing antialiasing (8)
# white, black, red, green, blue    wrong formulas for colors (9)
# names in another order            pairs that do not belong together (10)
# ================================= ===================================================
#
# What you know now
# -----------------
#
# - A slip survives where the usual input hides it: gray images, r = 2, square images, large
#   batches, tidy folders.
# - A falling loss proves nothing about the data. A network learns wrong data, too.
# - Public code can be checked by everybody. If you find a slip, write a friendly report, as the
#   readers above did.
#
# Try this: take a program of your own, and run it on the ten inputs of the table.
#
# Then repair five programs in :doc:`exercise 11 </exercises>`.
#
# Next: :doc:`appendix B <b_why_it_is_fast>` is about speed.
