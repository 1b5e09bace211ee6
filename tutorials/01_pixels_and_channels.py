"""
Pixels and channels
===================

**Question.** A network that enlarges a picture three times works on small pictures all the way
through. Its last layer gives nine small ones. How do nine small pictures become one large picture?

**Predict before you run.** Write down your answers.

- Four channels of 2×3 pixels hold the numbers 0 to 23, in order. They become one image with r = 2.
  What is its shape, and which four numbers are in its upper left block of 2×2 pixels?
- All nine channels hold the same picture. What does the image look like that they make?
- How must the nine copies differ for the image to be smoother than that?
"""

# %%
# Every number is its own address
# -------------------------------
#
# Number all pixels of four channels with ``arange``. Pixel shuffle only moves numbers, so wherever
# one turns up later, it still says where it came from. An image that is r times larger on both
# sides has r·r times as many pixels. So r·r channels are just enough to fill it: 4·2·3 = 24 = 4·6.

from pathlib import Path

import numpy as np
from matplotlib import cbook
from PIL import Image

from npespcn import figures
from npespcn.evaluation import psnr
from npespcn.pictures import downscale, read_image
from npespcn.shuffle import pixel_shuffle

OUT = Path("runs/tutorials")
OUT.mkdir(parents=True, exist_ok=True)

r, h, w = 2, 2, 3
x = np.arange(r * r * h * w).reshape(r * r, h, w)  # (4, 2, 3)
y = pixel_shuffle(x, r)  # (1, 4, 6)
for k in range(r * r):
    print(f"channel {k}:", *x[k], sep="\n")
print("the image:", y[0], sep="\n")

# %%
# The rule
# --------
#
# The upper left block holds 0, 6, 12 and 18: the upper left pixels of channels 0, 1, 2 and 3. Each
# LR (low resolution) pixel becomes a block of r×r pixels, and each channel fills one place in every
# block. Place (i, j), i rows down and j columns to the right, belongs to channel i·r + j. Read it
# backwards from the image: dividing by r finds the block, the remainder finds the place. If the
# image has several channels, image channel c has its own group of r·r: channel c·r·r + i·r + j.
#
# Work one out by hand before you read the assertion: where does row 3, column 4 come from?

row, col = 3, 4
(block_row, i), (block_col, j) = divmod(row, r), divmod(col, r)
print(f"row {row}, column {col}: channel {i * r + j}, its row {block_row}, its column {block_col}")
assert y[0, row, col] == x[i * r + j, block_row, block_col] == x[2, 1, 2] == 17

channel, from_row, from_col = np.unravel_index(y[0], x.shape)  # the addresses in all the numbers
row, col = np.indices(y[0].shape)
assert np.array_equal(channel, (row % r) * r + col % r)
assert np.array_equal((from_row, from_col), (row // r, col // r))

# %%
# Which channel lands where, in color
# -----------------------------------
#
# Each channel has its color, from the darkest for channel 0 to the brightest for the last one. The
# letters are LR pixels. All blocks on the right have the same colors at the same places. Nothing is
# computed and nothing is lost. The second figure shows an RGB image: it needs twelve channels, four
# for each of its three.


def save(figure, name):
    figures.save(figure, OUT / name)
    print(OUT / name)


save(figures.explain_figure(2, 1, size=(2, 3)), "01_one_channel.png")
save(figures.explain_figure(2, 3, size=(1, 3)), "01_three_channels.png")

# %%
# Nine copies make nearest-neighbor enlargement
# ---------------------------------------------
#
# A photograph is an array too, (H, W, 3). A network has a plane for each color, (3, H, W).
#
# Shrink it to a third and give all nine channels of a color the same plane. Then the nine pixels of
# a block are equal: each LR pixel becomes a square. The result is that of Pillow's NEAREST, to the
# last bit.
#
# Now shift the copies. A block's nine pixels lie a third of an LR pixel apart, and the middle one,
# place (1, 1), is where the LR pixel's center is. So channel (i, j) should hold the plane as it
# looks from a point (i - 1)/3 pixels further down and (j - 1)/3 further to the right. Between two
# pixels we take their weighted mean. Now the squares are gone: this is linear interpolation. Each
# shift is a 3×3 convolution with fixed numbers. ESPCN's last layer has nine such filters too. Its
# numbers are learned, and its filters do not see the picture itself, but the features that the
# layers before have found in it.


def shift(x, d, axis):
    """See x from d pixels further along an axis, -1 < d < 1; the edge is repeated."""
    neighbor = np.clip(np.arange(x.shape[axis]) + int(np.sign(d)), 0, x.shape[axis] - 1)
    return (1 - abs(d)) * x + abs(d) * np.take(x, neighbor, axis)


def enlarge(planes, step):
    """Shift nine copies of each plane by multiples of `step` pixels, and shuffle them."""
    rows = [shift(planes, i * step, 1) for i in (-1, 0, 1)]  # place (i, j) counted from the middle
    copies = np.stack([shift(row, j * step, 2) for row in rows for j in (-1, 0, 1)], axis=1)
    y = pixel_shuffle(copies.reshape(27, *planes.shape[1:]), 3)  # (3, 9, H, W) to (3, H*3, W*3)
    return np.moveaxis(y, 0, -1).round().astype(np.uint8)  # (H*3, W*3, 3)


photograph = read_image(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))[:600, :510]
small = downscale(photograph, 3)
planes = np.moveaxis(small, -1, 0).astype(np.float64)
print("photograph", photograph.shape, "a third of it", small.shape, "as planes", planes.shape)
pictures = {"nine equal copies": enlarge(planes, 0), "shifted by thirds": enlarge(planes, 1 / 3)}


def difference_from_pillow(picture, method):
    pillow = Image.fromarray(small).resize((510, 600), Image.Resampling[method])
    return np.abs(np.asarray(pillow) - picture.astype(int)).max()


nearest = difference_from_pillow(pictures["nine equal copies"], "NEAREST")
bilinear = difference_from_pillow(pictures["shifted by thirds"], "BILINEAR")
print(f"Pillow's NEAREST differs by at most {nearest} of 255, its BILINEAR by at most {bilinear}")
assert nearest == 0
assert bilinear <= 1  # Pillow rounds twice, after the rows and after the columns; we round once

# %%
# What breaks: the shifts the wrong way round
# -------------------------------------------
#
# Change one sign, so that each channel is seen from the wrong side. The shape is right and every
# value is plausible, but each block runs backwards, and edges turn into combs. The figures under
# the names are PSNR against the photograph, in decibels: more is better (lesson 9). Remember what a
# comb looks like. A wrong channel order looks like that, too (lesson 3).

pictures |= {"shifted the wrong way": enlarge(planes, -1 / 3), "original": photograph}
scores = {name: psnr(picture, photograph) for name, picture in pictures.items()}
captions = {name: f"{score:.2f} dB" for name, score in scores.items() if score < np.inf}
print(captions)
assert scores["shifted by thirds"] > scores["nine equal copies"] > scores["shifted the wrong way"]
title, box = "Nine channels made of one small photograph, shuffled", (290, 40, 350, 100)
save(figures.before_after(pictures, box, captions=captions, title=title), "01_copies.png")

# %%
# Where to go next
# ----------------
#
# Lesson 2 does the shuffle in three ways and times them. Try first: give the nine channels of a
# color nine different photographs, and look at the image from near and from far away.
