"""
Convolution
===========

**Question.** A convolution is a sum written as loops. How does it become one matrix product, what
does it cost, and how far around a pixel does our network look?

**Predict before you run.** Write down your answers.

- A picture of 3×4 pixels holds 0 to 11. The kernel is [[0, 1], [2, 3]]. Without padding, what is
  the shape of the result, and what is its first number?
- ESPCN's middle layer takes 64 channels to 32, with 3×3 kernels. How many multiplications does it
  need for one pixel?
- ESPCN's kernels are 5, 3 and 3 pixels wide. On how many input pixels does an output pixel depend?
"""

# %%
# Four loops
# ----------
# Lay the kernel on the picture, multiply what lies on top of each other, add up: that is one output
# pixel. Two loops move the kernel (p, q), and two run over its entries (i, j). The kernel is not
# flipped: mathematics calls this cross-correlation, deep learning calls it convolution.

import inspect
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from npespcn import figures
from npespcn.conv import conv2d_forward, conv2d_loop, im2col
from npespcn.models import ESPCN

OUT = Path("runs/tutorials")
OUT.mkdir(parents=True, exist_ok=True)


def four_loops(x, kernel):
    y = np.zeros((x.shape[0] - len(kernel) + 1, x.shape[1] - len(kernel) + 1), x.dtype)
    for p in range(y.shape[0]):
        for q in range(y.shape[1]):
            for i in range(len(kernel)):
                for j in range(len(kernel)):
                    y[p, q] += kernel[i, j] * x[p + i, q + j]
    return y


x, kernel = np.arange(12).reshape(3, 4), np.arange(4).reshape(2, 2)
print(x, kernel, four_loops(x, kernel), sep="\n\n")
assert four_loops(x, kernel)[0, 0] == 0 * 0 + 1 * 1 + 2 * 4 + 3 * 5 == 24

# %%
# One matrix product
# ------------------
# At every position the kernel's four entries meet four pixels. Write these as a column, and the
# columns of all positions side by side: ``im2col``. Row 0 then holds all that entry 0 meets. The
# kernel as a row, times this matrix, gives all output pixels at once, with no loop left in Python.

columns = im2col(x[None, None], 2)[0]  # (k*k, positions) = (4, 6)
y = (kernel.reshape(1, 4) @ columns).reshape(2, 3)
print(columns)
assert np.array_equal(y, four_loops(x, kernel))


def grid(axes, numbers, title, colors=None):
    table = axes.table(numbers, colors, cellLoc="center", bbox=(0, 0, 1, 1))
    table.auto_set_font_size(False)
    for cell in table.get_celld().values():
        cell.get_text().set(fontsize=13, color=figures.text_color(cell.get_facecolor()))
    axes.set(title=title, box_aspect=len(numbers) / len(numbers[0]))
    axes.axis("off")


four = np.array(figures.channel_colors(4), object)  # one for each entry of the kernel
first = np.full((3, 4), "white", object)
first[:2, :2] = four.reshape(2, 2)  # the kernel's first position
figure = Figure(figsize=(10, 3.2), facecolor="white", layout="constrained")
panels = figure.subplots(1, 4, width_ratios=(4, 2, 6, 3))
grid(panels[0], x, "picture, first position", first)
grid(panels[1], kernel, "kernel", four.reshape(2, 2))
grid(panels[2], columns, "im2col: a column for each position", four.repeat(6).reshape(4, 6))
grid(panels[3], y, "kernel row × columns")
figures.save(figure, OUT / "04_columns.png")
print(OUT / "04_columns.png")

# %%
# Channels, and the price
# -----------------------
# With C channels in, O out and N pictures there are seven loops, and still one matrix product:
# columns of C·k·k numbers, a kernel of O rows. That is all of the library's ``conv2d_forward``,
# printed below. (Its helper checks the shapes, and counts the positions of the kernel.)
#
# A pixel needs O·C·k·k multiplications, as many as the layer has weights: 22,624 in all for ESPCN
# at ×3. Loops are slow because Python handles each multiplication by itself. The product pays in
# memory, because the columns hold a number up to k·k times. ``npespcn.fast.accelerate`` finds ways
# around that, and gives the same numbers sooner (docs/performance.md).

print(inspect.getsource(conv2d_forward))
print("a pixel of  multiplications  bytes in  in columns  out (float32)")
sizes = {"conv1": (1, 64, 5), "conv2": (64, 32, 3), "conv3": (32, 9, 3)}
for name, (c, o, k) in sizes.items():
    print(f"{name:10}{o * c * k * k:17,}{4 * c:10,}{4 * c * k * k:12,}{4 * o:5}")
assert sum(o * c * k * k for c, o, k in sizes.values()) == 22_624

rng = np.random.default_rng(0)
x = rng.normal(size=(1, 64, 98, 98)).astype(np.float32)
weight = rng.normal(size=(32, 64, 3, 3)).astype(np.float32)


def timed(convolve, x):
    convolve(x, weight)  # the first time is slower
    start = time.perf_counter()
    y = convolve(x, weight)
    ns = 1e9 * (time.perf_counter() - start) / y[0, 0].size
    print(f"{convolve.__name__:15}{ns:12,.0f} ns for a pixel of conv2")
    return y, ns


truth, slow = timed(conv2d_loop, x[..., :4, :4])  # 2×2 output pixels will do
y, fast = timed(conv2d_forward, x)
assert np.abs(y[..., :2, :2] - truth).max() < 1e-5 * np.abs(truth).max()
assert slow > 100 * fast

# %%
# How far the network looks, and what breaks at the edge
# ------------------------------------------------------
# A kernel of k pixels looks (k - 1)/2 to each side, and layers add up: 2 + 1 + 1 = 4. So an output
# pixel depends on 4 + 1 + 4 = 9 by 9 input pixels, its *receptive field*. To see it, we let the
# gradient of one output pixel be 1 and take it back to the input.
#
# Change one thing: pad with zeros, as most programs do. Within 4 pixels of the edge the network
# then sees a frame that is not there, and 4·3 = 12 output pixels on each side of a flat gray
# picture go wrong. Repeating the picture's edge cures it. **Next:** exercise 5; lesson 5 takes
# gradients back.

model = ESPCN(3, dtype="float64")
dy = np.zeros((1, 1, 39, 39))
dy[0, 0, 19, 19] = 1  # one of the nine sub-pixels of input pixel (6, 6)
model.forward(rng.normal(size=(1, 1, 13, 13)))
field = np.abs(model.backward(dy)[0, 0])  # (13, 13)
print("input pixels that count:", (field > 1e-12).sum())
assert np.array_equal(field > 1e-12, np.pad(np.ones((9, 9), bool), 2))

pictures = {"|d output / d input|, 9×9": field}
for padding, depth in (("same", 12), ("edge", 0)):
    y = ESPCN(3, padding=padding).predict(np.full((1, 1, 20, 28), 0.5))[0, 0]  # (60, 84)
    error = np.abs(y - np.tile(y[30:33, 42:45], (20, 28)))  # from a 3×3 block in the middle
    print(f'padding="{padding}": {(error > 1e-6).sum()} of {error.size} pixels wrong')
    assert (error > 1e-6).sum() == 60 * 84 - (60 - 2 * depth) * (84 - 2 * depth)
    pictures[f'|error| on flat gray, "{padding}"'] = error
figure = Figure(figsize=(10, 2.7), facecolor="white", layout="constrained")
panels = figure.subplots(1, 3)
for axes, (title, pixels) in zip(panels, pictures.items(), strict=True):
    drawn = axes.imshow(pixels, cmap="Blues", vmin=0, vmax=0.1)
    axes.set(title=title, xlabel="pixels")
figures.outline(panels[0], 2, 2, 9, 9)
figure.colorbar(drawn, ax=panels, extend="max", label="gray levels (white is 1)")
figures.save(figure, OUT / "04_receptive_field.png")
print(OUT / "04_receptive_field.png")
