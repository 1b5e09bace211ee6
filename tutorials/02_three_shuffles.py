"""
Three shuffles
==============

**Question.** Three programs put the same pixels in the same places. Why does one of them take
hundreds of times as long as another?

**Predict before you run.** Write down your answers.

- ``x`` has the shape (4, 2, 3), and r = 2. The fast way first reshapes it to five axes: C, i, j, H
  and W. How long is each? How long are they after the transpose to C, H, i, W and j?
- The picture gets 16 times as wide and 16 times as high, so it has 256 times as many pixels. Do all
  three take 256 times as long? Guess a factor for each.
"""

# %%
# The loop is the definition
# --------------------------
#
# Lesson 1's rule, written down: every pixel of the image is looked up in ``x``. Slow, and easy to
# believe. The other two ways are right if, and only if, they agree with it.

import timeit
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from npespcn import figures
from npespcn.shuffle import METHODS

OUT = Path("runs/tutorials")
OUT.mkdir(parents=True, exist_ok=True)


def by_loop(x, r):
    y = np.empty((len(x) // (r * r), x.shape[1] * r, x.shape[2] * r), x.dtype)
    for c, row, col in np.ndindex(y.shape):
        y[c, row, col] = x[c * r * r + (row % r) * r + col % r, row // r, col // r]
    return y


c, r, h, w = 1, 2, 2, 3
x = np.arange(c * r * r * h * w).reshape(c * r * r, h, w)
image = by_loop(x, r)
print(image[0])

# %%
# Reshape and transpose: watch the axes, and one number
# -----------------------------------------------------
#
# A channel number is made of three parts, c, i and j. The first reshape gives each part an axis.
# A row number of the image is made of two, h and i, so the transpose puts i behind h, and j behind
# w. The last reshape reads each pair as one number. Follow the 17: channel 2 is i = 1, j = 0.
#
# The first two steps move nothing. They only tell NumPy to read the same memory in another order.
# The last step copies, because numbers that are neighbors now were not neighbors before.

parts = x.reshape(c, r, r, h, w)
moved = parts.transpose(0, 3, 1, 4, 2)
y = moved.reshape(c, h * r, w * r)
steps = {"C*r*r, H, W": x, "C, i, j, H, W": parts, "C, H, i, W, j": moved, "C, H*r, W*r": y}
for axes, array in steps.items():
    print(f"{axes:14}{array.shape!s:16} 17 is at {np.argwhere(array == 17)[0].tolist()}")
assert (np.shares_memory(x, moved), np.shares_memory(x, y)) == (True, False)
assert np.array_equal(y, image)

# %%
# Split and concatenate: one axis at a time
# -----------------------------------------
#
# Early TensorFlow programs did it like this, one image channel at a time. Every LR pixel gets its
# block of r×r numbers. The picture is cut into its H rows, which are joined along i, so that h and
# i become one axis. Then it is cut into its W columns, which are joined along j in the same way.

blocks = x.reshape(r, r, h, w).transpose(2, 3, 0, 1)  # (H, W, i, j)
tall = np.concatenate(list(blocks), axis=1)  # H pieces of (W, i, j) to one of (W, H*r, j)
y = np.concatenate(list(tall), axis=1)  # W pieces of (H*r, j) to one of (H*r, W*r)
assert np.array_equal(y, image[0])

colors = np.repeat(figures.channel_colors(len(x)), h * w)  # each number has its channel's color
figure = Figure(figsize=(10, 6), facecolor="white", layout="tight")
axes = figure.subplots()


def draw(title, left, top, pieces):
    print(title)
    axes.text(left, top - 0.2, title, fontsize=12)
    for piece in pieces:
        for (i, j), n in np.ndenumerate(piece):
            axes.add_patch(Rectangle((left + j, top + i), 1, 1, fc=colors[n], ec="white"))
            color = figures.text_color(colors[n])
            axes.text(left + j + 0.5, top + i + 0.6, n, ha="center", color=color)
        left += piece.shape[1] + 1


gap = x[0, :, :0]  # an empty piece
draw(f"1. Channels {x.shape}", 0, 0, x)
draw(f"2. Blocks {blocks.shape}, cut into {h} rows", 0, 3.2, [*blocks[0], gap, *blocks[1]])
draw(f"3. Joined along i: {tall.shape}, cut into {w} columns", 0, 6.4, tall)
draw(f"4. Joined along j: {y.shape}", 12, 6.4, [y])
axes.set(xlim=(0, 18), ylim=(10.5, -0.8), aspect="equal")
axes.set_axis_off()
figures.save(figure, OUT / "02_stages.png")
print(OUT / "02_stages.png")

# %%
# Equal to the last bit, and what it costs
# ----------------------------------------
#
# Nothing is computed, so nothing is rounded: all three give the same bytes, for any picture. They
# are in ``npespcn/shuffle.py``, as you have just seen them.
#
# The loop asks the Python interpreter for every pixel, so its time per pixel is constant. Split and
# concatenate asks it for each of its H + W pieces, and then moves all numbers twice. Reshape and
# transpose asks it a few times, however large the picture is: the more pixels there are, the less
# of that price falls on each. What is left in the end is the moving. To write the image in order,
# NumPy jumps from channel to channel in memory, so it takes longer than a plain copy.

x = np.random.default_rng(0).standard_normal((2, 27, 4, 5)).astype(np.float32)
expected = np.stack([by_loop(image, 3) for image in x]).tobytes()
assert all(shuffle(x, 3).tobytes() == expected for shuffle in METHODS.values())


def copy(x, r):
    return x.copy()


def seconds(shuffle, x):
    count = max(1, 2000 // x[0].size)  # small pictures many times, or the clock is too coarse
    return min(timeit.repeat(lambda: shuffle(x, 3), number=count, repeat=15)) / count


figure = Figure(figsize=(10, 5), facecolor="white", layout="tight")
axes = figure.subplots()
axes.set_prop_cycle(color=["#0072b2", "#d55e00", "#009e73", "black"], marker=list("osD^"))
cost = {}  # of 64×64 pixels
for name, shuffle in (METHODS | {"plain copy": copy}).items():
    sides = [4, 8, 16, 32, 64]
    if name != "loop":
        sides += [130, 260, 520]
    ns = []
    for side in sides:
        x = np.ones((9, side, side), np.float32)
        ns.append(1e9 * seconds(shuffle, x) / x.size)
    axes.loglog([9 * side**2 for side in sides], ns, lw=2, label=name)
    print(f"{name:11}", *(f"{value:7.2f}" for value in ns), "ns per pixel")
    print(f"{256 * ns[4] / ns[0]:15.0f} times as long for 256 times the pixels (64×64, 4×4)")
    cost[name] = ns[4]
axes.set(title="Shuffling 9 channels into 1", xlabel="pixels of the image", ylabel="ns per pixel")
axes.legend()
figures.save(figure, OUT / "02_cost.png")
print(OUT / "02_cost.png")
assert cost["loop"] > 100 * cost["reshape"]

# %%
# What breaks: leave out the transpose
# ------------------------------------
#
# One reshape gives the right shape at once, and no error. Only values can tell: of 24 pixels two
# are right, the first and the last. A test that looks only at shapes would pass.

wrong = np.arange(24).reshape(image.shape)
print(wrong[0])
assert (wrong == image).sum() == 2

# %%
# Where to go next
# ----------------
#
# Write them yourself, in exercises 1 and 2. Lesson 3: what if i and j change places?
