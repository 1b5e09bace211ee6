"""
Sub-pixel, deconvolution, resize
================================

**Question.** A network enlarges by sub-pixel convolution, by deconvolution (better: transposed
convolution) or by resizing first. What is the same, what is cheap, and what draws checkerboards?

**Predict before you run.** Write down your answers.

- At ×2, sub-pixel convolution has four 3×3 filters. How large is the one transposed kernel?
- ESPCN at ×3 needs 22,624 multiplications for an *input* pixel. SRCNN resizes first, and needs
  8,032 for an *output* pixel. Which is cheaper, and how many times?
- A transposed 3×3 kernel of ones, stride 2, enlarges ones. What do neighboring pixels hold?
"""

# %%
# One sum, written twice
# ----------------------
# Sub-pixel convolution *collects*: filter i·r + j makes pixel (i, j) of each r×r block. Transposed
# convolution *deals out*: each input pixel adds its multiple of one kernel to the output, and the
# next input pixel does so r pixels further. Follow one input pixel. The last entry of a filter
# meets it first, so in the output a filter lies in reverse, its entries r apart, and filter
# i·r + j is shifted by (i, j). That is the kernel: filters flipped, then *pixel-shuffled*.

import time
from pathlib import Path

import numpy as np
from matplotlib import cbook
from matplotlib.figure import Figure

from npespcn import figures
from npespcn.data import PairedPatches, dead_leaves_pictures
from npespcn.fast import accelerate
from npespcn.initializers import icnr, xavier
from npespcn.layers import Conv2d, ConvTranspose2d, Sequential
from npespcn.losses import mse
from npespcn.models import ESPCN, SRCNN
from npespcn.optim import Adam
from npespcn.pictures import downscale, read_image, rgb_to_y, upscale_bicubic
from npespcn.shuffle import pixel_shuffle

OUT = Path("runs/tutorials")
OUT.mkdir(parents=True, exist_ok=True)


def one_kernel(filters, r):  # (O*r*r, C, k, k) -> (C, O, k*r, k*r)
    return pixel_shuffle(filters[:, :, ::-1, ::-1].transpose(1, 0, 2, 3), r)


filters = np.arange(36).reshape(4, 1, 3, 3)
print(one_kernel(filters, 2)[0, 0])

rng = np.random.default_rng(0)
x = rng.normal(size=(2, 4, 5, 7))
conv = Conv2d(4, 2 * 3 * 3, 3, padding="same", dtype="float64")
transposed = ConvTranspose2d(4, 2, 3 * 3, stride=3, padding=3, dtype="float64")
transposed.params["weight"] = one_kernel(conv.params["weight"], 3)
difference = np.abs(pixel_shuffle(conv(x), 3) - transposed(x)).max()
print(f"largest difference {difference:.0e}")
assert difference < 1e-13

colors = np.array(figures.channel_colors(4), object).repeat(9).reshape(4, 1, 3, 3)
figure = Figure(figsize=(10, 3.6), facecolor="white", layout="constrained")
panels = figure.subplots(1, 5, width_ratios=(3, 3, 3, 3, 6))


def grid(axes, numbers, colors, title):
    table = axes.table(numbers, colors, cellLoc="center", bbox=(0, 0, 1, 1))
    for cell in table.get_celld().values():
        cell.get_text().set(color=figures.text_color(cell.get_facecolor()))
    axes.set(title=title, box_aspect=1)
    axes.axis("off")


for i in range(4):
    grid(panels[i], filters[i, 0], colors[i, 0], f"filter {i}")
kernel, its_colors = one_kernel(filters, 2)[0, 0], one_kernel(colors, 2)[0, 0]
grid(panels[4], kernel, its_colors, "one kernel, stride 2")
figures.save(figure, OUT / "06_kernel.png")
print(OUT / "06_kernel.png")

# %%
# What it costs
# -------------
# SRCNN enlarges by bicubic interpolation, then convolves all pixels of the large picture. ESPCN's
# wide layers see the small one, which has r² times fewer, and the shuffle multiplies nothing: at
# ×3 an output pixel takes 2,514 multiplications (as many with the kernel above), in SRCNN 3.2 times
# as many. On the clock, below, the ratio is another one: a program also moves numbers about.

for r in (2, 3, 4):
    ours, srcnn = (25 * 64 + 9 * 64 * 32 + 9 * 32 * r * r) / r**2, 81 * 64 + 64 * 32 + 25 * 32
    print(f"×{r}: ESPCN {ours:,.0f}, SRCNN {srcnn:,}, {srcnn / ours:.1f} times as many")

# %%
# Checkerboards
# -------------
# One cause: a kernel whose width is no multiple of the stride lays more entries on some pixels than
# on others. 3×3 ones give 1, 2 or 4; 4×4 ones give 4 everywhere. (Ours above is k·r wide, and so
# lays equally many on all.) The other cause: entries are random, and on flat gray each sub-pixel is
# the sum of its own filter.
# ICNR starts the r² filters of an image channel equal: a convolution, then nearest-neighbor
# enlargement. A wrong order of channels breaks it: equal filters go to different image channels.

for k in (3, 4):
    layer = ConvTranspose2d(1, 1, k, stride=2, dtype="float64")
    layer.params["weight"][...] = 1
    print(f"{k}×{k} ones, stride 2:", *layer(np.ones((1, 1, 5, 5)))[0, 0, 4:6, 4:6].ravel())

shape, spread = (27, 32, 3, 3), {}  # C = 3, r = 3
starts = {"random": xavier(rng, shape), "ICNR": icnr(rng, shape, 3)}
starts["ICNR, wrong order"] = icnr(rng, shape, 3, order="DCR")
for name, weight in starts.items():
    block = pixel_shuffle(weight.sum(axis=(1, 2, 3)).reshape(27, 1, 1), 3)  # (3, 3, 3)
    spread[name] = block.std(axis=(1, 2)).max()
    print(f"{name}: sub-pixels spread by {spread[name]:.3f} on flat gray 1")
assert spread["ICNR"] < 1e-12 < 0.1 < min(spread["random"], spread["ICNR, wrong order"])

# %%
# In pictures
# -----------
# Four networks, at the start and after 50 steps. (Each picture has its own black and white.) Dots
# raise the loss, so training wears them away. ICNR has few at any time. In exchange it starts with
# blocks, until training has made the equal filters different. SRCNN has no dots, and takes longest.
# **Next:** exercise 8.


def enlarged(x):  # by bicubic interpolation: (N, 1, H, W) -> (N, 1, H*3, W*3)
    return np.stack([upscale_bicubic(plane, 3) for plane in x[:, 0]])[:, None]


def as_it_is(x):
    return x


photograph = read_image(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
small = rgb_to_y(downscale(photograph, 3).astype(np.float32))[None, None] / 255  # (1, 1, 200, 170)
gray = np.full((1, 1, 15, 15), 0.5, np.float32)
data = PairedPatches(dead_leaves_pictures(4), 3)
first = dict(list(ESPCN(3).layers.items())[:4])
networks = {
    "sub-pixel": ESPCN(3),
    "sub-pixel, ICNR": ESPCN(3, init="icnr"),
    "transposed, 5×5": Sequential(**first, last=ConvTranspose2d(32, 1, 5, stride=3, padding=1)),
    "bicubic, SRCNN": SRCNN(),
}
figure = Figure(figsize=(10, 5.5), facecolor="white", layout="constrained")
dots, ms = {}, {}
for column, (name, network) in zip(figure.subplots(2, 4).T, networks.items(), strict=True):
    prepared = enlarged if isinstance(network, SRCNN) else as_it_is
    network = accelerate(network)  # the same numbers, sooner
    optimizer, rng = Adam(network, lr=1e-3), np.random.default_rng(0)
    for axes, steps in zip(column, (0, 50), strict=True):
        for _ in range(steps):
            x, target = data.batch(rng, 16, 16)
            y = network.forward(prepared(x))
            loss, dy = mse(y, target)
            network.backward(dy)
            optimizer.step()
        start = time.perf_counter()
        larger = network.predict(prepared(small))[0, 0]  # (600, 510)
        ms[name] = 1000 * (time.perf_counter() - start)
        dots[name] = network.predict(prepared(gray))[0, 0, 21:24, 21:24].std()
        print(f"{name}, {steps} steps: spread on gray {dots[name]:.4f}, {ms[name]:.0f} ms")
        axes.imshow(larger[108:198, 210:300], cmap="gray")
        axes.set(title=f"{name}, {steps} steps", xticks=(), yticks=())
assert dots["bicubic, SRCNN"] < dots["sub-pixel, ICNR"] < dots["sub-pixel"] / 5
assert ms["bicubic, SRCNN"] > ms["sub-pixel"]
figures.save(figure, OUT / "06_checkerboards.png")
print(OUT / "06_checkerboards.png")
