"""
A museum of published slips
===========================

**Question.** Shuffles and data that looked right, and were not: on which input does each slip show?

**Predict before you run.** Write down your answers.

- With r = 2 and C = 3 a shuffle reads channel c·r·(col % r) + c·(row % r), where c counts from 1.
  Which of the twelve channels does it never read?
- A picture is made three times smaller by ``[::3]``. By how many of its pixels does it move?
- A luma is 16 + (64.738 R + 129.057 G + 25.064 B)/256. What is white, R = G = B = 255?

Everybody slips. The authors named here gave their code away, so that we can learn from it. Each
piece is rebuilt in our own words, after the code as we read it, and run on the input that shows it.
"""

# %%
# Two indices
# -----------
#
# **atriumlts/subpixel**, ``_phase_shift`` in ``subpixel.py``, swaps rows and columns of each block
# before it splits. **JuheonYi/VESPCN-tensorflow** has the same function with that line commented
# out. For one image channel the first is equation 4 with x the row, the second is PyTorch's order.
# Each is right by itself, but weights trained with one draw combs with the other. For three
# channels the first is a fourth order, none of lesson 3's. Any block of distinct values shows it.
#
# ``PS_1dim`` in that file of VESPCN, a loop that subpixel's README has too, looks like equation 4
# with a small c, counted from 1, for the capital C, and without its last + c. For one channel that
# is equation 4. For three, some channels are read more than once and some never.

from pathlib import Path

import numpy as np
from matplotlib import cbook
from matplotlib.figure import Figure

from npespcn import figures
from npespcn.pictures import downscale, read_image, rgb_to_y
from npespcn.shuffle import ORDERS, pixel_shuffle, pixel_unshuffle

OUT = Path("runs/tutorials")
OUT.mkdir(parents=True, exist_ok=True)


def swapped(x, r):
    blocks = x.reshape(-1, r, r, *x.shape[1:])  # (C, i, j, H, W)
    return pixel_shuffle(blocks.swapaxes(1, 2).reshape(x.shape), r)


def small_c(x, r):
    y = np.empty((len(x) // (r * r), x.shape[1] * r, x.shape[2] * r), x.dtype)
    for c, row, col in np.ndindex(y.shape):
        y[c, row, col] = x[(c + 1) * r * (col % r) + (c + 1) * (row % r), row // r, col // r]
    return y


one, three = np.arange(4 * 2 * 3).reshape(4, 2, 3), np.arange(12 * 2 * 3).reshape(12, 2, 3)
for slip in (swapped, small_c):
    assert np.array_equal(slip(one, 2), pixel_shuffle(one, 2, order="paper"))
    assert not any(np.array_equal(slip(three, 2), pixel_shuffle(three, 2, order=o)) for o in ORDERS)
never = sorted(set(range(12)) - set((small_c(three, 2) // 6).ravel().tolist()))
print("channels that small_c never reads:", never)
assert never == [5, 7, 8, 10, 11]

photograph = read_image(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))[:600, :510]
planes = pixel_unshuffle(np.moveaxis(photograph, -1, 0), 2)  # (12, 300, 255)
pictures = {"PyTorch's order": photograph}
for name, slip in {"blocks swapped": swapped, "small c for capital C": small_c}.items():
    pictures[name] = np.moveaxis(slip(planes, 2), 0, -1)
figure = figures.before_after(pictures, (325, 50, 365, 90), title="The same twelve channels")
figures.save(figure, OUT / "03b_indices.png")
print(OUT / "03b_indices.png")

# %%
# A split, a slash, a canvas
# --------------------------
#
# A widely read article has a copy of ``_phase_shift_1dim`` that names the axes (batch, h, w) and
# splits axis 1 into w parts. Square pictures hide it, and training patches are square.
#
# **drakelevy/ESPCN-TensorFlow**, ``shuffle`` in ``prepare_data.py``, is the right triple loop. It
# divides indices with ``/``: whole in Python 2, for which it was written, not in Python 3. And its
# canvas is of uint8. Its own program turns values into bytes before, so there it works. Any other
# value is cut to its whole part, modulo 256: values from 0 to 1 all turn black.


def wrong_axis():
    return np.split(np.zeros((1, 2, 3, 2, 2)), 3, axis=1)


def slash():
    return one[0, 3 / 2, 0]


for slip in (wrong_axis, slash):
    try:
        raise AssertionError(f"it should have failed, and gave {slip()}")
    except (ValueError, IndexError) as error:
        print(f"{type(error).__name__}: {error}")
canvas = np.array([0.2, 0.9, 300]).astype(int).astype(np.uint8)
print("0.2, 0.9 and 300 on a canvas of bytes:", canvas)
assert canvas.tolist() == [0, 0, 44]

# %%
# Training pictures
# -----------------
#
# drakelevy's file makes LR pictures by a Gaussian blur and ``[::ratio]``. That keeps each block's
# first pixel, (r - 1)/2 pixels from its center, so the picture moves. On a ramp that rises by 10
# from pixel to pixel, values tell where they come from. A network trained on such pairs learns to
# move pictures back, and so it moves those that were made without the slip. (To blur and subsample
# is what the paper's text says. The slip is only that the first pixel is kept, not the middle one.)
#
# **fannymonori/TF-ESPCN**, ``run.py`` and ``utils.py``, shrinks by OpenCV's INTER_CUBIC. It looks
# at 4×4 pixels around each point, however far apart the points are. At ×3 they are at pixels 1, 4,
# 7 and so on, so it just takes every third. Nothing moves, but fine texture turns into coarse
# texture that was never there.
#
# **yjn870/ESPCN-pytorch**, ``utils.py``, gives red a weight of 64.738; BT.601 has 65.738. White
# becomes 234 and not 235. Both pictures of a comparison are converted alike, so its scores hardly
# change.
#
# **leftthomas/ESPCN**, ``data_utils.py``, pairs two folders by two calls of ``listdir``, which may
# give names in any order. Often it is the same twice. If not, sorting both lists cures it.

ramp = np.tile(np.arange(0, 240, 10, np.uint8), (24, 1))
for r in (2, 3, 4):
    moved = (downscale(ramp, r)[2, 2].astype(float) - ramp[::r, ::r][2, 2]) / 10
    print(f"[::{r}] moves the picture by {moved} pixels")
    assert moved == (r - 1) / 2
centers = np.arange(1, 30, 3)  # of LR pixels, counted in HR pixels
assert np.array_equal((np.arange(10) + 0.5) * 3 - 0.5, centers)
luma = 16 + (64.738 + 129.057 + 25.064) * 255 / 256, int(rgb_to_y(np.full(3, 255, np.uint8)))
print("white by that luma, and by BT.601:", luma)
assert (round(luma[0]), luma[1]) == (234, 235)
lr, hr = ["a.png", "b.png", "c.png"], ["c.png", "a.png", "b.png"]  # as listdir may give them
assert not any(a == b for a, b in zip(lr, hr, strict=True))
assert sorted(lr) == sorted(hr)

figure = Figure(figsize=(10, 3.6), facecolor="white", layout="constrained")
left, *panels = figure.subplots(1, 3)
edge = 255 / (1 + np.exp(15 - np.arange(30)))
left.plot(edge, "k-", label="HR")
left.plot(centers, edge[::3], "o", color="#d55e00", label="LR by [::3]")
left.plot(centers, edge[1::3], "s", color="#0072b2", label="LR by [1::3]")
left.set(title="An edge", xlabel="HR pixels", ylabel="gray level")
left.legend()
y, x = np.indices((240, 240))
rings = (127.5 + 127.5 * np.cos((x**2 + y**2) / 150)).astype(np.uint8)
small = {"Rings by [1::3]": rings[1::3, 1::3], "Rings by bicubic": downscale(rings, 3)}
for axes, (title, picture) in zip(panels, small.items(), strict=True):
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255)
    axes.set(title=title, xlabel="LR pixels")
figures.save(figure, OUT / "03b_smaller.png")
print(OUT / "03b_smaller.png")

# %%
# Where to go next
# ----------------
#
# Random floats, C = 3 and H ≠ W find each wrong shuffle. Exercise 11: repair five. Then lesson 4.
