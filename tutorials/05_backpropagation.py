"""
Backpropagation by hand
=======================

**Question.** How does a layer pass a gradient back, and how do you know that it does so rightly?

**Predict before you run.** Write down your answers.

- The columns of 3×4 ones, under a 2×2 kernel, are added back to their pixels. What does each hold?
- A shuffle's backward pass is wrong. The check's upstream gradient is all ones. Does it notice?
- float32 has seven digits. How many digits of a gradient can a check in float32 confirm?
"""

# %%
# One rule
# --------
# The loss is one number, and dy its gradient in a layer's output y: if y changes by Δy, the loss
# changes by ⟨dy, Δy⟩, the sum of products. ``backward`` must return dx such that ⟨dx, Δx⟩ is the
# same change. For small changes every layer is a matrix, Δy = A Δx. As ⟨dy, A Δx⟩ = ⟨Aᵀ dy, Δx⟩,
# the answer is dx = Aᵀ dy: *back is the transpose*. A shuffle is such an A, with a single 1 in each
# row and column. Two columns never have theirs in one row, so AᵀA is the identity: a permutation's
# transpose is its inverse, and dx = unshuffle(dy).

from pathlib import Path
from types import SimpleNamespace

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from npespcn import figures
from npespcn.conv import col2im, conv2d_backward, im2col
from npespcn.gradcheck import gradcheck, numerical_gradient
from npespcn.layers import Conv2d, PixelShuffle, ReLU, Tanh
from npespcn.losses import mse
from npespcn.models import ESPCN
from npespcn.shuffle import pixel_shuffle, pixel_unshuffle

OUT = Path("runs/tutorials")
OUT.mkdir(parents=True, exist_ok=True)

print(pixel_shuffle(np.arange(16).reshape(8, 1, 2), 2))  # C = 2, r = 2: (8, 1, 2) to (2, 2, 4)
units = np.eye(16)  # sent through, each gives one column of A
forward = pixel_shuffle(units.reshape(16, 8, 1, 2), 2).reshape(16, 16).T
back = pixel_unshuffle(units.reshape(16, 2, 2, 4), 2).reshape(16, 16).T
assert np.array_equal(back, forward.T)
assert np.array_equal(back @ forward, units)

# %%
# Convolution
# -----------
# From lesson 4, y = W·columns + bias: y[o, p] gets W[o, m]·columns[m, p]. So dW[o, m] collects
# dy[o, p]·columns[m, p] from all positions p: dW = dy·columnsᵀ. dbias[o] collects dy[o, p], and
# dcolumns = Wᵀ·dy. ``im2col`` copies each pixel to up to k·k places; its transpose ``col2im`` adds
# up what comes back from them. It is no inverse: ones come back as the number of their copies.


def conv_backward(dy, x, weight):
    o, k = len(weight), weight.shape[2]
    dy = dy.reshape(len(x), o, -1)  # (N, O, P)
    dweight = (dy @ im2col(x, k).transpose(0, 2, 1)).sum(axis=0)  # (O, C*k*k)
    dcolumns = weight.reshape(o, -1).T @ dy  # (N, C*k*k, P)
    return col2im(dcolumns, x.shape, k), dweight.reshape(weight.shape), dy.sum(axis=(0, 2))


print(col2im(im2col(np.ones((1, 1, 3, 4)), 2), (1, 1, 3, 4), 2)[0, 0])
rng = np.random.default_rng(0)
x, weight = rng.normal(size=(2, 3, 6, 5)), rng.normal(size=(4, 3, 3, 3))
dy, g = rng.normal(size=(2, 4, 4, 3)), rng.normal(size=(2, 27, 12))
for ours, package in zip(conv_backward(dy, x, weight), conv2d_backward(dy, x, weight), strict=True):
    assert np.allclose(ours, package, rtol=0, atol=1e-12)
assert np.isclose((im2col(x, 3) * g).sum(), (x * col2im(g, x.shape, 3)).sum())  # ⟨Ax, g⟩ = ⟨x, Aᵀg⟩

# %%
# Activations, and the check
# --------------------------
# tanh takes each number alone: A is diagonal, with tanh' = 1 - y², so dx = dy·(1 - y²). For ReLU
# the diagonal is 1 where x > 0, else 0. To check a layer, move each entry of x and of its weights
# by ±ε: the change of ⟨dy, y⟩ over 2ε must be the gradient. ``gradcheck`` does that in float64 with
# a random dy; it returns the largest error over the largest entry, and raises if that is > 1e-6.

x = rng.normal(size=(2, 12, 3, 2))  # N = 2, C = 3 for r = 2, H ≠ W
for layer in (Tanh(), ReLU(), PixelShuffle(2), Conv2d(12, 4, 2, dtype="float64")):
    print(f"{type(layer).__name__:13} error {gradcheck(layer, x):.0e}")

# %%
# What breaks: all ones
# ---------------------
# This shuffle counts channels one way forward (CRD) and another way back (DCR). A permutation,
# right or wrong, makes ones of ones, so ones prove nothing. With C = 1 both ways agree, and a
# random dy sees nothing either. It takes both random and C > 1. (Colours: the number's channel.)

shuffle, ones = PixelShuffle(2), SimpleNamespace(normal=lambda size: np.ones(size))
shuffle.backward = lambda dy: pixel_unshuffle(dy, 2, order="DCR")
for c, draw, name in ((1, ones, "ones"), (3, ones, "ones"), (1, rng, "random"), (3, rng, "random")):
    try:
        verdict = f"passes: {gradcheck(shuffle, rng.normal(size=(2, 4 * c, 3, 2)), draw):.0e}"
    except AssertionError as error:
        verdict = f"fails: {error}"
    print(f"C = {c}, dy {name}: {verdict}")
    assert verdict.startswith("fails") == (c == 3 and draw is rng)

wrong = pixel_unshuffle(units.reshape(16, 2, 2, 4), 2, order="DCR").reshape(16, 16).T
channel = 1 + np.arange(16) // 2  # of each number in x, from 1; 0 is white
parts = {"forward": forward * channel, "right backward": back * channel[:, None]}
parts["wrong backward"] = wrong * channel[:, None]
figure = Figure(figsize=(10, 3.5), facecolor="white", layout="constrained")
for axes, (title, matrix) in zip(figure.subplots(1, 3), parts.items(), strict=True):
    axes.imshow(matrix, cmap=ListedColormap(["white", *figures.channel_colors(8)]))
    axes.set(title=title, xlabel="number that goes in", ylabel="number that comes out")
figures.save(figure, OUT / "05_permutations.png")
print(OUT / "05_permutations.png")

# %%
# What breaks: float32
# --------------------
# Here tanh remembers its output in 8 bits, to save memory, and that spoils the gradient's fifth
# digit. Does a check see it? It divides a small change of the loss by 2ε. If ε is small, rounding
# is left (error ~ 1/ε); if it is large, curvature (error ~ ε²). The best that float32 can do is
# 2·10⁻⁴, not quite four digits: right and wrong look alike. float64 gets to 2·10⁻¹⁰, and the
# mistake stands out. **Next:** write them yourself, in exercises 3, 6 and 7; then lesson 6.


def errors(dtype, coarse):
    model, x, t = ESPCN(3, dtype=dtype), picture.astype(dtype), target.astype(dtype)
    tanh = model.layers["act1"]
    if coarse:
        tanh.backward = lambda dy: dy * (1 - (np.rint(127 * tanh._kept) / 127) ** 2)
    model.backward(mse(model.forward(x), t)[1])
    w, grad = model.params["conv1.weight"][:1], model.grads["conv1.weight"][:1]
    measured = [numerical_gradient(lambda: mse(model(x), t)[0], w, one, e) for e in epsilons]
    return [np.abs(m - grad).max() / np.abs(grad).max() for m in measured]


epsilons, one, best = 10.0 ** np.arange(-8, 0.1, 0.5), np.ones(()), []
picture, target = rng.uniform(size=(1, 1, 9, 11)), rng.uniform(size=(1, 1, 27, 33))
figure = Figure(figsize=(10, 4.5), facecolor="white", layout="constrained")
axes = figure.subplots()
for dtype, marker in (("float32", "o"), ("float64", "s")):
    for line, verdict in (("C0-", "right"), ("C1--", "wrong")):
        curve, label = errors(dtype, verdict == "wrong"), f"{dtype}, {verdict} gradient"
        axes.loglog(epsilons, curve, line + marker, label=label)
        best.append(min(curve))
        print(f"{label}: best {best[-1]:.0e}")
assert best[1] < 2 * best[0]
assert best[2] < 1e-8 < 1e-5 < best[3]
axes.set(title="Gradient check of ESPCN's first filter", xlabel="ε", ylabel="relative error")
axes.legend()
figures.save(figure, OUT / "05_float32.png")
print(OUT / "05_float32.png")
