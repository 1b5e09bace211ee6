"""The pictures of the lessons' gallery: a small drawing for each lesson, with hardly a word in it.

A function has the name of its lesson's file, without the number. It draws on a sheet of 16 by 9
whose corner (0, 0) is at the upper left. Its docstring is what a reader hears who cannot see it.
"""

import inspect
from collections.abc import Callable
from functools import cache

import drawing
import numpy as np
from drawing import LINES, MARKED
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

import npespcn
from npespcn.data import dead_leaves_pictures
from npespcn.evaluation import psnr
from npespcn.figures import channel_colors
from npespcn.pictures import downscale, rgb_to_y, upscale_bicubic
from npespcn.shuffle import pixel_shuffle, pixel_unshuffle

BLUE, ORANGE, GREEN = LINES[:3]
GRAY = "#777777"
FACE = (slice(90, 270), slice(150, 330))  # rows and columns of the photograph: eyes and nose
HEAD = (slice(0, 240), slice(50, 466))


def draw(lesson: str) -> Figure:
    """Return the drawing for a lesson, "04_convolution" for one."""
    figure = Figure(figsize=(3.2, 1.8), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 16), ylim=(9, 0))
    axes.set_axis_off()
    _picture(lesson)(axes)
    return figure


def about(lesson: str) -> str:
    """Return what the drawing for a lesson shows."""
    return inspect.getdoc(_picture(lesson)).rstrip(".")


def _picture(lesson: str) -> Callable[[Axes], None]:
    return globals()[lesson.partition("_")[2]]


# --- parts ---


def _cells(axes: Axes, x: float, y: float, side: float, colors: np.ndarray) -> None:
    """Draw squares in these colors (rows, columns)."""
    for (row, column), color in np.ndenumerate(colors):
        corner = (x + column * side, y + row * side)
        axes.add_patch(Rectangle(corner, side, side, facecolor=color, edgecolor="white", lw=0.8))


def _arrow(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    color: str = GRAY,
    width: float = 1.8,
) -> None:
    """Draw an arrow."""
    style = {"arrowstyle": "-|>", "color": color, "lw": width, "mutation_scale": 11}
    axes.annotate("", end, start, arrowprops=style | {"shrinkA": 0, "shrinkB": 0})


def _image(axes: Axes, x: float, y: float, width: float, pixels: np.ndarray, **options) -> None:
    """Draw an image with its upper left corner at (x, y)."""
    height = width * pixels.shape[0] / pixels.shape[1]
    options = {"cmap": "gray", "vmin": 0, "vmax": 255, "interpolation": "nearest"} | options
    axes.imshow(pixels, extent=(x, x + width, y + height, y), **options)
    axes.set(xlim=(0, 16), ylim=(9, 0), aspect="auto")


def _box(axes: Axes, x: float, y: float, width: float, height: float, color: str) -> None:
    """Draw a box with round corners."""
    style = {"boxstyle": "round,pad=0,rounding_size=0.3", "facecolor": color, "edgecolor": "none"}
    axes.add_patch(FancyBboxPatch((x, y), width, height, **style))


def _text(axes: Axes, x: float, y: float, words: str, size: float = 13, **options) -> None:
    """Write words centered at (x, y)."""
    axes.text(x, y, words, ha="center", va="center_baseline", fontsize=size, **options)


@cache
def _luma() -> np.ndarray:
    """Return the face as luma, (180, 180), 16 to 235."""
    return rgb_to_y(drawing.photograph()[FACE])


def _valley(axes: Axes) -> None:
    """Draw the contours of a long valley, with its lowest point at (11, 6)."""
    x, y = np.meshgrid(np.linspace(0, 16, 120), np.linspace(0, 9, 80))
    u, v = (x - 11) + (y - 6), (x - 11) - (y - 6)
    levels = np.array([2, 8, 20, 38, 62, 92, 128, 170, 220])
    axes.contour(x, y, 0.22 * u**2 + 1.1 * v**2, levels, colors="#7d93a6", linewidths=0.9)


# --- the shuffle ---


def pixels_and_channels(axes: Axes) -> None:
    """Four small channels become one image."""
    colors = np.array(channel_colors(2))
    for k, color in enumerate(colors):
        _cells(axes, 0.7 + k % 2 * 3.1, 1.4 + k // 2 * 3.3, 1.4, np.full((2, 2), color))
    _arrow(axes, (7.1, 4.5), (8.7, 4.5))
    _cells(axes, 9.1, 1.4, 1.55, np.tile(colors.reshape(2, 2), (2, 2)))


def three_shuffles(axes: Axes) -> None:
    """The same numbers in memory, before the shuffle and after it."""
    channel = np.repeat(np.arange(4), 4)
    after = pixel_shuffle(np.arange(16).reshape(4, 2, 2), 2).ravel()
    colors = np.array(channel_colors(2))
    _cells(axes, 0.8, 1.2, 0.9, colors[channel][None])
    _cells(axes, 0.8, 6.9, 0.9, colors[channel[after]][None])
    for to, start in enumerate(after):
        ends = [0.8 + 0.9 * (place + 0.5) for place in (start, to)]
        axes.plot(ends, [2.15, 6.85], color=colors[channel[start]], lw=1.6)


def whose_order(axes: Axes) -> None:
    """Twelve channels in the order of PyTorch and in that of TensorFlow."""
    for y, name, order in ((1.9, "PyTorch", "CRD"), (6.1, "TensorFlow", "DCR")):
        _text(axes, 8, y - 0.75, name)
        _cells(axes, 0.8, y, 1.2, np.array(channel_colors(2, 3, order))[None])


# --- the network ---


def convolution(axes: Axes) -> None:
    """A kernel lies on an image, and makes one pixel of the output."""
    for row, column in np.ndindex(5, 6):
        inside = 1 <= row <= 3 and 2 <= column <= 4
        color = ORANGE if inside else "#e6e6e6"
        _cells(axes, 0.6 + 1.4 * column, 1 + 1.4 * row, 1.4, np.array([[color]]))
    for start, end in ((2.4, 3.8), (6.6, 5.2)):
        axes.plot((7.6, 12.4), (start, end), color=ORANGE, lw=1, ls=":")
    for row, column in np.ndindex(3, 2):
        color = ORANGE if (row, column) == (1, 0) else "#e6e6e6"
        _cells(axes, 12.4 + 1.4 * column, 2.4 + 1.4 * row, 1.4, np.array([[color]]))


def the_network(axes: Axes) -> None:
    """A small image goes through three stacks of channels and becomes a large one."""
    _image(axes, 0.4, 3.4, 2.2, downscale(_luma(), 3))
    shades = channel_colors(3)
    stacks = ((3.5, 7, "#b9c4cf"), (5.7, 5, "#8fa1b3"), (7.6, 4, None))
    for x, sheets, color in stacks:
        for k in range(sheets):
            corner = (x + 0.16 * k, 3.1 + 0.16 * k)
            face = color or shades[2 * k + 1]
            axes.add_patch(Rectangle(corner, 1.3, 1.9, facecolor=face, edgecolor="white", lw=0.7))
    _arrow(axes, (9.6, 4.5), (10.3, 4.5))
    _image(axes, 10.5, 1.95, 5.1, _luma())


def one_step_downhill(axes: Axes) -> None:
    """Steps go down into a valley."""
    _valley(axes)
    path = [np.array([3.0, 1.6])]
    for _ in range(8):
        x, y = path[-1] - (11, 6)
        u, v = 0.44 * (x + y), 2.2 * (x - y)  # the slopes along and across the valley
        path.append(path[-1] - 0.34 * np.array([u + v, u - v]))
    axes.plot(*np.array(path).T, "o-", color=ORANGE, ms=4.5, lw=1.8)
    axes.plot(11, 6, "+", color=BLUE, ms=11, mew=2.5)


def backpropagation(axes: Axes) -> None:
    """Values go forward through the layers, and gradients come back."""
    for k, name in enumerate(("x", "conv", "tanh", "loss")):
        x = 0.5 + 4.0 * k
        _box(axes, x, 3.5, 3.0, 2.0, "#e6e6e6" if k else MARKED)
        _text(axes, x + 1.5, 4.5, name)
        if k:
            _arrow(axes, (x - 2.3, 2.7), (x + 1.3, 2.7), BLUE, 2.2)
            _arrow(axes, (x + 1.3, 6.3), (x - 2.3, 6.3), ORANGE, 2.2)


def what_it_learns_from(axes: Axes) -> None:
    """An image of random disks, large and small: an example to learn from."""
    leaves = dead_leaves_pictures(1, 192)[0]
    _image(axes, 7.2, 0.6, 7.8, leaves, vmax=leaves.max())
    _arrow(axes, (6.7, 4.5), (4.9, 4.5))
    _image(axes, 1.6, 3.1, 2.8, downscale(leaves, 6), vmax=leaves.max())


def train_it(axes: Axes) -> None:
    """A learning curve rises above a dashed line."""
    step = np.arange(1, 90)
    noise = np.random.default_rng(3).normal(size=step.size) * 0.5 / np.sqrt(step)
    axes.plot((1.4, 1.4, 15.2), (0.8, 8, 8), color=GRAY, lw=1.2)
    axes.plot((1.6, 15), (3.9, 3.9), color=ORANGE, lw=1.8, ls="--")
    axes.plot(1.6 + 0.15 * step, 2 + 5.6 * np.exp(-step / 16) + noise, color=BLUE, lw=2.2)


def subpixel_deconvolution_resize(axes: Axes) -> None:
    """Two patterns of overlap: a checkerboard, and an even one."""
    for x, k in ((0.7, 3), (8.4, 4)):
        line = np.zeros(2 * 10 + k - 2)
        for place in range(10):
            line[2 * place : 2 * place + k] += 1
        counts = np.outer(line, line)[5:15, 5:15]
        _image(axes, x, 0.9, 6.9, -counts, vmin=-5, vmax=0)


# --- looking and measuring ---


def inside_the_network(axes: Axes) -> None:
    """The nine channels of a photograph, each with a tint of its own."""
    small = downscale(rgb_to_y(drawing.photograph()[60:300, 60:450]), 3) / np.float32(255)
    large = npespcn.pretrained(3).predict(small[None, None])
    channels = pixel_unshuffle(large, 3)[0]  # (9, 80, 130)
    colors = channel_colors(3)
    for k, channel in enumerate(channels):
        tint = np.array([int(colors[k][n : n + 2], 16) / 255 for n in (1, 3, 5)])
        shade = np.clip(channel, 0, 1)[..., None]
        pixels = np.where(shade < 0.5, 2 * shade * tint, 1 - 2 * (1 - shade) * (1 - tint))
        _image(axes, 0.55 + k % 3 * 5.0, 0.15 + k // 3 * 2.95, 4.8, pixels[2:78], vmax=1)


def measuring_honestly(axes: Axes) -> None:
    """One enlarged photograph, and two numbers for it."""
    true = drawing.photograph()[FACE]
    large = upscale_bicubic(downscale(true, 3), 3)
    _image(axes, 0.8, 0.8, 7.4, large)
    scores = {"RGB": psnr(large, true), "Y": psnr(rgb_to_y(large), rgb_to_y(true))}
    for y, (name, score) in zip((2.2, 5.6), scores.items(), strict=True):
        _text(axes, 12, y, name)
        _text(axes, 12, y + 1.5, f"{score:.2f} dB", 15, weight="bold")


def a_real_picture(axes: Axes) -> None:
    """A photograph in color, small and coarse, and three times larger."""
    large = drawing.photograph()[12:300, 85:425]
    small = downscale(large, 6)
    _image(axes, 0.6, 2.6, 4.4, small)
    _arrow(axes, (5.4, 4.5), (6.5, 4.5))
    _image(axes, 6.9, 0.9, 8.5, large)


def your_own(axes: Axes) -> None:
    """Results of two networks, a dot for each seed, which overlap."""
    rng = np.random.default_rng(5)
    for y, mean, color, marker in ((3, 6.6, BLUE, "o"), (6, 8.6, ORANGE, "s")):
        places = mean + 2.2 * rng.normal(size=7)
        axes.plot((1, 15), (y, y), color="#dddddd", lw=1)
        axes.plot(places, np.full(7, y), marker, color=color, ms=7, alpha=0.85)
        axes.plot([places.mean()] * 2, [y - 1.1, y + 1.1], color=color, lw=2.5)


# --- appendix ---


def museum(axes: Axes) -> None:
    """A photograph in a frame, whose blocks are turned around."""
    blocks = pixel_unshuffle(drawing.photograph()[HEAD].transpose(2, 0, 1), 8)  # (3*64, H, W)
    order = np.arange(3 * 64).reshape(3, 8, 8).transpose(0, 2, 1).ravel()
    wrong = pixel_shuffle(blocks[order], 8).transpose(1, 2, 0)
    style = {"edgecolor": "#8a6420", "zorder": -1}
    axes.add_patch(Rectangle((1.3, 0.5), 13.4, 8, facecolor="#b8862d", lw=2, **style))
    axes.add_patch(Rectangle((2, 1.1), 12, 6.8, facecolor="#f4e6c2", lw=1, **style))
    _image(axes, 2.6, 1.4, 10.8, wrong)


def why_it_is_fast(axes: Axes) -> None:
    """Three bars, each shorter than the one above it: a loop, NumPy, recorded calls of NumPy."""
    bars = {"loop": (11, GRAY), "NumPy": (4.4, BLUE), "recorded": (2, ORANGE)}
    for y, (name, (width, color)) in zip((1.3, 3.75, 6.2), bars.items(), strict=True):
        _box(axes, 0.8, y, width, 1.5, color)
        axes.text(width + 1.3, y + 0.75, name, va="center_baseline", fontsize=13)


def another_processor(axes: Axes) -> None:
    """A processor with four large cores, one with many small ones, and the way between them."""
    for row, column in np.ndindex(2, 2):
        _box(axes, 0.9 + 2.6 * column, 2.1 + 2.6 * row, 2.2, 2.2, BLUE)
    _arrow(axes, (6.1, 3.9), (8.3, 3.9), width=2.2)
    _arrow(axes, (8.3, 5.1), (6.1, 5.1), width=2.2)
    for row, column in np.ndindex(8, 8):
        _box(axes, 8.7 + 0.82 * column, 1.25 + 0.82 * row, 0.62, 0.62, GREEN)


def many_processes(axes: Axes) -> None:
    """Four processes send their gradients to one mean."""
    for k in range(4):
        y = 0.7 + 2.05 * k
        _box(axes, 1, y, 3.2, 1.5, LINES[k])
        _arrow(axes, (4.4, y + 0.75), (9.9, 4.5 + 0.35 * (k - 1.5)), GRAY, 1.8)
    _box(axes, 10.2, 2.9, 3.2, 3.2, MARKED)
    _text(axes, 11.8, 4.5, "∑", 20)
