"""
Whose order?
============

**Question.** PyTorch and TensorFlow both turn twelve channels into an RGB picture twice as large,
and both are right. Why are their pictures different, and how do weights get from one to the other?

**Predict before you run.** One LR pixel has twelve channels with the numbers 0 to 11; r = 2, C = 3.

- Which four numbers are in the red block of 2×2 pixels if the channels are counted (c, i, j), c
  slowest, as in lesson 1? Which four if they are counted (i, j, c), c fastest?
- With one image channel, C = 1: how do these two differ?
"""

# %%
# Three ways to count
# -------------------
#
# A channel number is made of the image channel c, and the row i and the column j in the block. All
# libraries agree on that. They disagree on which part runs fastest. ONNX names the orders by it,
# fastest first: CRD is column, row, depth; DCR is depth, column, row. Equation 4 of the paper gives
# a third, if its x is the row.

from pathlib import Path

import numpy as np
from matplotlib import cbook

from npespcn import figures
from npespcn.models import ESPCN
from npespcn.pictures import read_image
from npespcn.shuffle import ORDERS, channel_permutation, pixel_shuffle, pixel_unshuffle

OUT = Path("runs/tutorials")
OUT.mkdir(parents=True, exist_ok=True)

pixel = np.arange(12).reshape(12, 1, 1)
for order in ORDERS:
    red, green, blue = pixel_shuffle(pixel, 2, order=order).tolist()
    formula = figures.channel_formula(order)
    print(f"{order:5} {formula:13} red {red} green {green} blue {blue}")
assert pixel_shuffle(pixel, 2, order="CRD")[0].tolist() == [[0, 1], [2, 3]]
assert pixel_shuffle(pixel, 2, order="DCR")[0].tolist() == [[0, 3], [6, 9]]

# %%
# Equation 4, read in two ways
# ----------------------------
#
# Shi et al. define PS(T) at (x, y, c) as T at (⌊x/r⌋, ⌊y/r⌋, C·r·mod(y, r) + C·mod(x, r) + c). They
# do not say whether x is the row or the column. If it is the row, the order is neither CRD nor DCR.
# If it is the column, the order is DCR. So "as in the paper" does not settle a program's order.


def equation_4(t, r):
    size = t.shape[2] // (r * r)  # C
    result = np.empty((t.shape[0] * r, t.shape[1] * r, size), t.dtype)
    for x, y, c in np.ndindex(result.shape):
        result[x, y, c] = t[x // r, y // r, size * r * (y % r) + size * (x % r) + c]
    return result


x = np.arange(12 * 2 * 3).reshape(12, 2, 3)  # channels, rows, columns
x_is_row = equation_4(x.transpose(1, 2, 0), 2).transpose(2, 0, 1)
x_is_column = equation_4(x.transpose(2, 1, 0), 2).transpose(2, 1, 0)
assert np.array_equal(x_is_row, pixel_shuffle(x, 2, order="paper"))
assert np.array_equal(x_is_column, pixel_shuffle(x, 2, order="DCR"))

# %%
# What the libraries do
# ---------------------
#
# These are the documented definitions; the libraries, asked when this was written, agree with them.
# TensorFlow's ``depth_to_space`` and ONNX's default mode are DCR. ONNX's other mode is CRD, as is
# PyTorch. TensorFlow also puts the channels last, NHWC, but that is another question: the layout
# says on which axis the channels are, the order says how they are counted. Moving the axis does not
# change the order.

r, c, (h, w) = 2, 3, x.shape[1:]
last = x.transpose(1, 2, 0)  # NHWC, without N
tensorflow = last.reshape(h, w, r, r, c).transpose(0, 2, 1, 3, 4).reshape(h * r, w * r, c)
onnx_dcr = x.reshape(r, r, c, h, w).transpose(2, 3, 0, 4, 1).reshape(c, h * r, w * r)
onnx_crd = x.reshape(c, r, r, h, w).transpose(0, 3, 1, 4, 2).reshape(c, h * r, w * r)
assert np.array_equal(tensorflow, pixel_shuffle(last, r, order="DCR", layout="NHWC"))
assert np.array_equal(tensorflow.transpose(2, 0, 1), onnx_dcr)
assert np.array_equal(onnx_crd, pixel_shuffle(x, r))
try:
    import torch

    assert np.array_equal(torch.nn.PixelShuffle(r)(torch.tensor(x)).numpy(), onnx_crd)
    print("torch was asked, and is CRD")
except ImportError:
    print("torch is not installed, so it was not asked")

# %%
# One image channel hides it
# --------------------------
#
# The orders differ by a permutation of the channels and by nothing else. With C = 1 there is no c
# to count, and CRD and DCR are the same. A program that was tested only with gray pictures may be
# in either order. The paper's order shows even then: i and j have changed places.

for order in ORDERS:
    one, p = channel_permutation(1, 2, order), channel_permutation(3, 2, order)
    print(f"{order:5}  C = 1: {one}  C = 3: {p}")
    assert np.array_equal(pixel_shuffle(x, 2, order=order), pixel_shuffle(x[p], 2, order="CRD"))
    assert one.tolist() == ([0, 2, 1, 3] if order == "paper" else [0, 1, 2, 3])

photograph = read_image(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))[:600]
channels = pixel_unshuffle(photograph, 2, layout="NHWC")  # (300, 256, 12), counted as CRD
pictures = {o: pixel_shuffle(channels, 2, order=o, layout="NHWC") for o in ORDERS}
gray = pixel_shuffle(channels[..., 4:8], 2, order="paper", layout="NHWC")  # green's group
pictures["paper, C = 1"] = gray.repeat(3, axis=2)
title = "Channels counted as CRD, shuffled as if counted as"
figures.save(figures.before_after(pictures, (325, 50, 365, 90), title=title), OUT / "03_orders.png")
print(OUT / "03_orders.png")

# %%
# What breaks: weights without their order, and how to move them
# --------------------------------------------------------------
#
# The last convolution has a filter and a bias for each channel, so they are in the order of their
# program. Loaded into another program they fit: same shapes, no error, and a wrong picture. The
# cure is to permute the filters and biases of that one layer, once. (TensorFlow's kernels are
# (k, k, in, out): there the channels are on the last axis.) Training in either order is just as
# good. The network learns whichever filters its shuffle needs.

ours = ESPCN(2, channels=3)
ours.params["conv3.bias"][:] = np.linspace(-1, 1, 12)
p = channel_permutation(3, 2, "DCR")  # crd = dcr[p], so dcr = crd[argsort(p)]

theirs = ESPCN(2, channels=3)  # the same network, as a program has it that counts as DCR does
weights = ours.state_dict()
weights["conv3.weight"] = weights["conv3.weight"][np.argsort(p)]
weights["conv3.bias"] = weights["conv3.bias"][np.argsort(p)]
theirs.load_state_dict(weights)

x = np.random.default_rng(0).random((1, 3, 6, 8), np.float32)
expected = ours.predict(x)
as_dcr = pixel_shuffle(figures.subpixel_channels(theirs, x), 2, order="DCR")  # in their program
unmoved = theirs.predict(x)  # their weights in ours
weights["conv3.weight"] = weights["conv3.weight"][p]
weights["conv3.bias"] = weights["conv3.bias"][p]
theirs.load_state_dict(weights)
moved = theirs.predict(x)
for name, y in {"their program": as_dcr, "ours, as it is": unmoved, "ours, moved": moved}.items():
    print(f"{name:15} differs by {np.abs(y - expected).max():.1e}")
assert np.abs(as_dcr - expected).max() < 1e-5
assert np.abs(unmoved - expected).max() > 0.1
assert np.abs(moved - expected).max() < 1e-5

# %%
# Where to go next
# ----------------
#
# Exercise 4 moves a layer. ``03b_museum.py`` shows wrong orders, and other slips, as published.
