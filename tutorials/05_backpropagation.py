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

import inspect
from pathlib import Path

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from npespcn import figures
from npespcn.conv import col2im, conv2d_backward, im2col
from npespcn.gradcheck import gradcheck, numerical_gradient
from npespcn.layers import Conv2d, PixelShuffle, ReLU, Tanh
from npespcn.losses import mse
from npespcn.models import ESPCN
from npespcn.shuffle import pixel_shuffle, pixel_unshuffle

threadpool_limits(1, "blas")  # several threads would wait for each other: the products are small
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
# These four lines are the library's ``conv2d_backward``, printed below.

print(inspect.getsource(conv2d_backward))
print(col2im(im2col(np.ones((1, 1, 3, 4)), 2), (1, 1, 3, 4), 2)[0, 0])

rng = np.random.default_rng(0)
x, g = rng.normal(size=(2, 3, 6, 5)), rng.normal(size=(2, 27, 12))
assert np.isclose((im2col(x, 3) * g).sum(), (x * col2im(g, x.shape, 3)).sum())  # ⟨Ax, g⟩ = ⟨x, Aᵀg⟩

weight, dy = rng.normal(size=(4, 3, 3, 3)), rng.normal(size=(2, 4, 4, 3))
dx, dweight, dbias = conv2d_backward(dy, x, weight)
rows = dy.transpose(1, 0, 2, 3).reshape(4, -1)  # the same with N and P as one axis: (O, N*P)
columns = im2col(x, 3).transpose(1, 0, 2).reshape(27, -1)  # (C*k*k, N*P)
assert np.allclose(dweight, (rows @ columns.T).reshape(4, 3, 3, 3))
assert np.allclose(dbias, rows.sum(axis=1))

# %%
# Activations, and the check
# --------------------------
# tanh takes each number by itself: A is diagonal, with tanh' = 1 - y², so dx = dy·(1 - y²). For
# ReLU the diagonal is 1 where x > 0, else 0. To check a layer, move each entry of x and of its
# weights by ±ε: the change of ⟨dy, y⟩ over 2ε must be the gradient. ``gradcheck`` does that in
# float64 with a random dy. It returns the largest error over the largest entry, and raises an error
# if that is above 1e-6.

x = rng.normal(size=(2, 12, 3, 2))  # N = 2, C = 3 for r = 2, H ≠ W
for layer in (Tanh(), ReLU(), PixelShuffle(2), Conv2d(12, 4, 2, dtype="float64")):
    print(f"{type(layer).__name__:13} error {gradcheck(layer, x):.0e}")

# %%
# What breaks: all ones
# ---------------------
# This shuffle counts channels one way forward (CRD) and another way back (DCR). A permutation,
# right or wrong, turns ones into ones, so ones prove nothing. With C = 1 both ways agree, and even
# a random dy finds nothing. The check needs both a random dy and C > 1. (In the figure, a color
# says which channel a number is from.)


class WrongShuffle(PixelShuffle):
    """CRD on the way forward, DCR on the way back."""

    def backward(self, dy):
        return pixel_unshuffle(dy, self.upscale_factor, order="DCR")


class Ones:
    """A generator that draws nothing but ones."""

    def normal(self, size):
        return np.ones(size)


for name, generator in {"ones": Ones(), "random": rng}.items():
    for c in (1, 3):
        x = rng.normal(size=(2, 4 * c, 3, 2))
        try:
            verdict = f"passes: {gradcheck(WrongShuffle(2), x, generator):.0e}"
        except AssertionError as error:
            verdict = f"fails: {error}"
        print(f"C = {c}, dy {name}: {verdict}")
        assert verdict.startswith("fails") == (c == 3 and name == "random")

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
# dominates (error ~ 1/ε); if it is large, curvature does (error ~ ε²). The best that float32 can do
# is 2·10⁻⁴, not quite four digits: right and wrong look alike. float64 gets to 2·10⁻¹⁰, and the
# mistake stands out. **Next:** write them yourself, in exercises 3, 6 and 7; then lesson 6.


class CoarseTanh(Tanh):
    """It remembers its output in 8 bits."""

    def backward(self, dy):
        y = np.rint(127 * self.y) / 127  # what 8 bits leave of it
        return dy * (1 - y * y)


def errors(dtype, tanh):
    model = ESPCN(3, dtype=dtype)
    model.layers["act1"] = tanh
    x, t = picture.astype(dtype), target.astype(dtype)
    _, dy = mse(model.forward(x), t)
    model.backward(dy)
    w, dw = model.params["conv1.weight"][:1], model.grads["conv1.weight"][:1]

    def loss():
        return mse(model.forward(x), t)[0]

    measured = [numerical_gradient(loss, w, np.ones(()), epsilon) for epsilon in epsilons]
    return [np.abs(m - dw).max() / np.abs(dw).max() for m in measured]


epsilons = 10.0 ** np.arange(-8, 0.1, 0.5)
picture, target = rng.uniform(size=(1, 1, 9, 11)), rng.uniform(size=(1, 1, 27, 33))
figure = Figure(figsize=(10, 4.5), facecolor="white", layout="constrained")
axes = figure.subplots()
best = {}
for dtype, marker in (("float32", "o"), ("float64", "s")):
    for verdict, tanh, style in (("right", Tanh(), "C0-"), ("wrong", CoarseTanh(), "C1--")):
        curve, label = errors(dtype, tanh), f"{dtype}, {verdict} gradient"
        axes.loglog(epsilons, curve, style + marker, label=label)
        best[dtype, verdict] = min(curve)
        print(f"{label}: best {min(curve):.0e}")
assert best["float32", "wrong"] < 2 * best["float32", "right"]
assert best["float64", "right"] < 1e-8 < 1e-5 < best["float64", "wrong"]
axes.set(title="Gradient check of ESPCN's first filter", xlabel="ε", ylabel="relative error")
axes.legend()
figures.save(figure, OUT / "05_float32.png")
print(OUT / "05_float32.png")
