"""
Pixels and channels
===================

**Question.** A network that makes an image three times as large works on small images from its
first layer to its last. The last layer gives nine small images. How do they become one large
image?

:Aim: You can say for every pixel of the large image which small image it comes from, and you know
      what the network has to learn.
:Minutes: 40
:Needs: NumPy: shapes, indexing, slices with a step. No earlier lesson.
:Practice: Play with the :explorer:`map of channels and pixels <mode=map&r=2&c=1>`. It is part of
      the *explorer*, a page of its own that you can keep open beside this one.

Each lesson of this course works in the same way. It asks you to *predict* something, and you write
your prediction down. Then you open the answer and compare. A wrong prediction is worth more than a
right one: it shows you exactly what you did not know yet. In the code, a line with ``assert`` stops
the program if its statement is false. So what a lesson asserts is true on your computer, too.
"""

# %%
# Numbers that are their own address
# ----------------------------------
#
# The network of this course is called ESPCN, "efficient sub-pixel convolutional neural network"
# (Shi and others, `Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
# Convolutional Neural Network <https://arxiv.org/abs/1609.05158>`__, 2016). It is a short chain of
# steps, its *layers*. To enlarge an image it has to guess details that the small image does not
# show. This task is called *super-resolution*. In this lesson we need only the end of the chain:
# the last layer gives nine small images, and they become one image that is three times as high and
# three times as wide.
#
# The small images are called *channels*. We begin with channels so small that we can do everything
# by hand: four channels of 2×3 pixels, and an image that is twice as large on both sides. The
# factor 2 is called :math:`r`, the *upscale factor*. A channel has H rows and W columns, here
# H = 2 and W = 3. In the code, a comment after a line gives the shape of its result.
#
# We number all pixels of all channels from 0 to 23. Nothing will be computed with these numbers.
# They will only be moved. So wherever a number turns up later, it still tells us where it came
# from.

import numpy as np

r = 2
channels = np.arange(4 * 2 * 3).reshape(4, 2, 3)  # (r*r, H, W)
for k in range(4):
    print(f"channel {k}:")
    print(channels[k])

# %%
# All pixels of the channels are needed: :math:`4 \cdot 2 \cdot 3 = 24` numbers go in, and 24
# numbers come out. The four channels have four pixels in row 0, column 0, one in each channel.
# Together these four become one *block* of :math:`r \times r` pixels of the image. The same holds
# for every row and column. A block has :math:`r^2 = 4` places, and there are four channels. So each
# channel fills one place of every block.
#
# Which channel fills which place? The places of a block are counted as one reads: from left to
# right, and then in the next row. Channel 0 fills the upper left place, channel 1 the place to the
# right of it, channel 2 the lower left place, and channel 3 the last one.
#
# .. predict::
#
#    What is the shape of the image? Which four numbers are in its upper left block? Draw the block.
#
# .. answer::
#
#    The image has 4 rows and 6 columns: :math:`2 \cdot 2` and :math:`3 \cdot 2`. Its upper left
#    block is made of the upper left pixels of the four channels:
#
#    .. math::
#
#       \begin{pmatrix} 0 & 6 \\ 12 & 18 \end{pmatrix}
#
# Now in NumPy. Row i and column j of *all* blocks are the rows i, i + r, i + 2r, ... and the
# columns j, j + r, j + 2r, ... of the image. A slice with a step of r selects them.

image = np.zeros((2 * r, 3 * r), channels.dtype)  # (H*r, W*r)
image[0::r, 0::r] = channels[0]  # place (0, 0) of every block
image[0::r, 1::r] = channels[1]  # place (0, 1)
image[1::r, 0::r] = channels[2]  # place (1, 0)
image[1::r, 1::r] = channels[3]  # place (1, 1)
print(image)

assert image.shape == (4, 6)
assert image[:2, :2].tolist() == [[0, 6], [12, 18]]

# %%
# This is a *pixel shuffle*. The layer of a network that does it is called the sub-pixel layer,
# because a block covers the area of one pixel of the small image, and its places are parts of this
# pixel. (The file ``drawing.py`` lies beside the lessons. It draws their figures and does nothing
# else.)

import drawing

drawing.save(drawing.channels_to_image(channels, image[None], r), "01_one_channel.png")

# %%
# The channels are one color, in four shades. A shade belongs to a place of the block, from the
# lightest for the first place to the darkest for the last. Look at the image: all its blocks are
# colored in the same way.
#
# The rule
# --------
#
# We say the same in a formula, from the image's point of view. Take the pixel in row 3, column 4 of
# the image. Two divisions tell where it comes from:
#
# - The *quotients* find the block. 3 divided by 2 is 1 and a remainder, 4 divided by 2 is 2. So the
#   pixel is in the block of row 1, column 2. (In Python: ``3 // 2`` and ``4 // 2``.)
# - The *remainders* find the place in the block. They are :math:`i = 1` for the row and
#   :math:`j = 0` for the column. (In Python: ``3 % 2`` and ``4 % 2``.)
# - The place (i, j) belongs to channel :math:`i \cdot r + j`. Before this place there are i full
#   rows of r places, and j places in its own row.
#
# .. predict::
#
#    Work it out on paper: which channel does the pixel in row 3, column 4 come from, and which
#    number does it hold?
#
# .. answer::
#
#    Channel :math:`1 \cdot 2 + 0 = 2`, row 1, column 2. Channel 2 begins with 12, and its last
#    pixel is 17. You find 17 in row 3, column 4 of the figure above.

row, column = 3, 4
block_row, i = divmod(row, r)  # quotient and remainder
block_column, j = divmod(column, r)
channel = i * r + j
print(f"channel {channel}, row {block_row}, column {block_column}")
print("the channel has", channels[channel, block_row, block_column], "there")
print("the image has", image[row, column])

assert image[row, column] == channels[channel, block_row, block_column] == 17

# %%
# One pixel proves little. So we ask the rule about every pixel of the image. (``np.ndindex(4, 6)``
# gives all pairs of a row below 4 and a column below 6.)

for row, column in np.ndindex(4, 6):
    channel = (row % r) * r + column % r
    assert image[row, column] == channels[channel, row // r, column // r]

# %%
# An image in color
# -----------------
#
# A color image has three channels of its own: red, green and blue. To keep the words apart we call
# them *image channels*. Each of them needs a group of :math:`r^2` channels. The groups stand one
# after the other. So image channel c begins at channel :math:`c \cdot r^2`. Now we have the whole
# rule. A pixel of the image comes from the channel with the number
#
# .. math::
#
#    k = c \cdot r^2 + (\text{row} \bmod r) \cdot r + (\text{column} \bmod r)
#
# and there from the row and the column of its block:
#
# .. math::
#
#    \text{image}[c, \text{row}, \text{column}] =
#    \text{channels}[k, \text{row} / r, \text{column} / r]
#
# Here mod is the remainder of a division, and / drops it. This is the rule of PyTorch, a library in
# which many networks are written. (Other libraries have other rules. :doc:`Lesson 3
# <03_whose_order>` is about them.)
#
# .. predict::
#
#    A color image with r = 2 is made of twelve channels. Which channels make the green image
#    channel? Which one fills its lower right places?
#
# .. answer::
#
#    Green is image channel 1. Its group begins at :math:`1 \cdot 4 = 4`, so it is made of channels
#    4, 5, 6 and 7. Channel 7 fills the lower right places.
#
# ``npespcn``, the package of this course, has this rule as a function,
# :func:`npespcn.shuffle.pixel_shuffle`. It takes any number of image channels. (The files directly
# in the folder ``npespcn`` are written to be read, like the chapters of a book. Therefore the
# lessons call them *the book*.)

from npespcn.shuffle import pixel_shuffle

twelve = np.arange(12 * 1 * 2).reshape(12, 1, 2)  # (C*r*r, H, W), C = 3
color_image = pixel_shuffle(twelve, 2)  # (3, 2, 4)

assert np.array_equal(pixel_shuffle(channels, 2)[0], image)  # the four channels from above
for c, row, column in np.ndindex(3, 2, 4):
    channel = c * r * r + (row % r) * r + column % r
    assert color_image[c, row, column] == twelve[channel, row // r, column // r]

drawing.save(drawing.channels_to_image(twelve, color_image, 2), "01_three_channels.png")

# %%
# Each image channel has a color of its own here. Within a color, a shade still says the place in
# the block. This code of colors is the same in every lesson.
#
# Nine equal channels
# -------------------
#
# So far we only moved numbers. What must a network put into the channels, so that the image looks
# good? We try it by hand, with a photograph and :math:`r = 3`. (The photograph shows the computer
# scientist Grace Hopper. It was taken by the U.S. Navy, and it comes with matplotlib.)
#
# First we make the photograph three times smaller, with the function ``downscale``. It makes each
# small pixel the weighted mean of the photograph's pixels around it. The small photograph is called
# *LR*, for low resolution. The large one is *HR*, for high resolution. The network never sees HR.
# It must find the nine channels with nothing but LR.
#
# The simplest idea: all nine channels are equal to LR.
#
# .. predict::
#
#    All nine channels hold the same small photograph. What does the image look like?
#
# .. answer::
#
#    The nine pixels of a block come from the same place of nine equal channels, so they are equal.
#    Each LR pixel becomes a square of 3×3 equal pixels. Image programs call this enlargement
#    *nearest neighbor*. (The last figure of this lesson shows the squares.)
#
# A program that opens an image file gives an array of the shape (H, W, 3). A network wants
# (3, H, W). Therefore we move the axis. There are three image channels, and each of them needs nine
# channels, so the code makes 27. At the end we compare with Pillow, a library for images.

from PIL import Image

from npespcn.pictures import downscale

photograph = drawing.photograph()  # (600, 510, 3)
small = downscale(photograph, 3)  # (200, 170, 3)
planes = np.moveaxis(small, -1, 0).astype(np.float64)  # (3, 200, 170): red, green, blue

channels = np.repeat(planes, 9, axis=0)  # (27, 200, 170): nine red, nine green, nine blue
blocks = pixel_shuffle(channels, 3)  # (3, 600, 510)
nearest = np.moveaxis(blocks, 0, -1).astype(np.uint8)  # (600, 510, 3)
print("small", small.shape, "channels", channels.shape, "image", nearest.shape)

by_pillow = np.asarray(Image.fromarray(small).resize((510, 600), Image.Resampling.NEAREST))
assert np.array_equal(nearest, by_pillow)

# %%
# Shifted channels
# ----------------
#
# Squares are ugly. The nine pixels of a block should differ, because they are at different places:
# they lie a third of an LR pixel apart. The place in the middle of the block, (1, 1), is exactly at
# the center of the LR pixel. The place to the right of it is a third of an LR pixel further right.
#
# .. predict::
#
#    Channel 4 fills place (1, 1), the middle one. Leave it as it is. How would you change channel
#    5, which fills place (1, 2)?
#
# .. answer::
#
#    For each LR pixel, channel 5 should hold the brightness at a point a third of an LR pixel
#    further right. This point lies between two LR pixels, a third of the way from the first to the
#    second. A good guess is their weighted mean: two thirds of the first and one third of the
#    second. If the two pixels hold 90 and 30, channel 5 holds
#    :math:`\frac{2}{3} \cdot 90 + \frac{1}{3} \cdot 30 = 70`.
#
# The same holds for all nine places. The channel of place (i, j) holds the brightness at points
# that lie :math:`(i - 1)/3` LR pixels further down and :math:`(j - 1)/3` LR pixels further right. A
# negative number means up, or left. We shift first down or up (axis 0), then right or left (axis
# 1).


def shift(x, distance, axis):
    """Return x at points `distance` pixels further along an axis, -1 < distance < 1."""
    step = 1 if distance > 0 else -1
    index = np.clip(np.arange(x.shape[axis]) + step, 0, x.shape[axis] - 1)  # the edge is repeated
    neighbor = np.take(x, index, axis)  # the pixel after (or before) each pixel of x
    return (1 - abs(distance)) * x + abs(distance) * neighbor


def enlarge(planes, third):
    """Make nine channels of each color plane, shifted by multiples of `third`, and shuffle them."""
    channels = []
    for plane in planes:  # (H, W)
        for i in range(3):
            for j in range(3):
                shifted = shift(plane, (i - 1) * third, axis=0)
                channels.append(shift(shifted, (j - 1) * third, axis=1))
    image = pixel_shuffle(np.stack(channels), 3)  # (27, H, W) to (3, H*3, W*3)
    return np.moveaxis(image, 0, -1).round().astype(np.uint8)  # (H*3, W*3, 3)


linear = enlarge(planes, 1 / 3)

by_pillow = np.asarray(Image.fromarray(small).resize((510, 600), Image.Resampling.BILINEAR))
largest = np.abs(linear.astype(int) - by_pillow).max()
print("Pillow's BILINEAR differs by at most", largest, "of 255")
assert largest <= 1  # Pillow rounds after the rows and again after the columns

# %%
# We have found linear interpolation, which every image program has. (Along rows and columns it is
# called *bilinear*.) Now look at one of the channels again. Each of its pixels is a weighted sum of
# a few neighboring pixels, with the same weights everywhere. Such a sum is called a *convolution*.
# :doc:`Lesson 4 <04_convolution>` is about it.
#
# **This is what the network does, too.** The last layer of ESPCN has nine sets of weights, one for
# each channel. There are two differences. Its weights are not written by us, they are *learned*.
# And they do not work on the small photograph itself, but on features that earlier layers have
# found in it: an edge here, a corner there.
#
# What breaks: the shifts the wrong way round
# -------------------------------------------
#
# Change one sign: shift every channel to the wrong side. The shape of the image is right and each
# number is plausible.
#
# .. predict::
#
#    Four LR pixels of a row hold 90, 90, 30 and 30: a bright region on the left, a dark one on the
#    right. With the correct shifts, the two in the middle become 90, 90, 70 and 50, 30, 30.
#    What do they become with the wrong shifts? What will an edge of the photograph look like?
#
# .. answer::
#
#    They become 70, 90, 90 and 30, 30, 50. Each block runs backwards: it gets darker to the left,
#    while the blocks themselves get darker to the right. There is a dark line before the edge and a
#    bright line behind it. The edge becomes a comb. Remember this comb. Lesson 3 makes such a
#    comb by another mistake.

row_of_four = np.array([[[90.0, 90.0, 30.0, 30.0]]])  # (1, 1, 4): one color, one row
correct = enlarge(row_of_four, 1 / 3)  # (3, 12, 1)
wrong = enlarge(row_of_four, -1 / 3)
print("correct:", correct[1, 3:9, 0])
print("wrong:  ", wrong[1, 3:9, 0])

assert correct[1, 3:9, 0].tolist() == [90, 90, 70, 50, 30, 30]
assert wrong[1, 3:9, 0].tolist() == [70, 90, 90, 30, 30, 50]

# %%
# Now the photograph. Above each image is its PSNR in decibels (dB), which says how close the image
# is to the photograph: more is better. The PSNR of the first two images differs by little more than
# one decibel, and you can see it. (:doc:`Lesson 12 <12_measuring_honestly>` explains PSNR, and what
# it does not see.)

from npespcn.evaluation import psnr

images = {
    "nine equal channels": nearest,
    "shifted by thirds": linear,
    "shifted the wrong way": enlarge(planes, -1 / 3),
}
scores = {}
for name, enlarged in images.items():
    scores[name] = psnr(enlarged, photograph)
    print(f"{name}: {scores[name]:.2f} dB")

assert 1 < scores["shifted by thirds"] - scores["nine equal channels"] < 1.5
assert scores["nine equal channels"] > scores["shifted the wrong way"]

captions = {name: f"{score:.2f} dB" for name, score in scores.items()}
images["the photograph"] = photograph
drawing.save(drawing.details(images, (290, 40, 350, 100), captions), "01_copies.png")

# %%
# What you know now
# -----------------
#
# - A pixel shuffle moves numbers and computes nothing. Channel :math:`i \cdot r + j` fills place
#   (i, j) of every block.
# - An image channel needs :math:`r^2` channels; image channel c has those from :math:`c \cdot r^2`.
# - The channels must be shifted views of the same scene. To learn good ones is the network's work.
#
# Try this: put nine *different* images into the nine channels. (For example, cut the green of the
# photograph into nine parts of 200×170 pixels.) Look at the result from near, and from far away.
# Then take the :explorer:`quiz <mode=quiz&r=2&c=1>`.
#
# Next: :doc:`lesson 2 <02_three_shuffles>` writes the shuffle in three ways, and finds out why one
# of them takes hundreds of times as long as another.
