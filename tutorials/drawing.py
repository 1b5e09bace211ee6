"""The figures of the lessons, one function each, and the parts that they share.

A lesson's code is about its subject; what draws it is here. All figures are narrow (5.5 inches) and
their letters are large, so that they can be read on a phone. One color code holds in all of them:
an image channel has a hue, a place in the block a shade of it (`npespcn.figures.channel_colors`).
Everything else is drawn in neutral grays, and in the colors of `LINES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib import cbook, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from npespcn import figures
from npespcn.figures import channel_colors, outline, text_color
from npespcn.pictures import read_image

OUT = Path("runs/tutorials")
WIDTH = 5.5  # inches
LINES = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]  # Okabe and Ito, 2008
STYLE = {"font.size": 10, "axes.titlesize": 10.5, "axes.labelsize": 10, "legend.fontsize": 9.5}


# --- the parts that figures share ---


def save(figure: Figure, name: str) -> None:
    """Write a figure to ``runs/tutorials``, and say so."""
    OUT.mkdir(parents=True, exist_ok=True)
    figures.save(figure, OUT / name)
    print(OUT / name)


def photograph() -> np.ndarray:
    """Return the photograph of the course, (600, 510, 3): Grace Hopper, by the U.S. Navy."""
    return read_image(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))[:600, :510]


def new_figure(rows: int, columns: int, height: float, **options) -> tuple[Figure, np.ndarray]:
    """Return a figure of that height in inches, and its (rows, columns) axes."""
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), facecolor="white", layout="constrained")
        return figure, figure.subplots(rows, columns, squeeze=False, **options)


def number_grid(
    axes: Axes, numbers: np.ndarray, title: str = "", colors: np.ndarray | None = None
) -> None:
    """Draw a small matrix, a square for each number, each square in its color (or white)."""
    numbers = np.asarray(numbers)
    height, width = numbers.shape
    for (row, column), number in np.ndenumerate(numbers):
        color = "white" if colors is None else colors[row][column]
        square(axes, column, row, color, f"{number}")
    axes.set(title=title, xlim=(-0.05, width + 0.05), ylim=(height + 0.05, -0.05), aspect="equal")
    axes.set_axis_off()


def square(axes: Axes, x: float, y: float, color: str, text: str = "") -> None:
    """Draw a cell of one by one whose upper left corner is (x, y)."""
    edge = "#999999" if color == "white" else "white"
    axes.add_patch(Rectangle((x, y), 1, 1, facecolor=color, edgecolor=edge, linewidth=1))
    label = axes.text(x + 0.5, y + 0.5, text, ha="center", va="center_baseline")
    if color != "white":
        label.set(color=text_color(color), gid="on a color")  # the site's dark mode leaves it


def image(axes: Axes, pixels: np.ndarray, title: str = "", **options) -> None:
    """Draw an image without ticks: (H, W), black 0 to white 255, or (H, W, 3)."""
    options = {"cmap": "gray", "vmin": 0, "vmax": 255, "interpolation": "nearest"} | options
    axes.imshow(pixels, **options)
    axes.set(title=title, xticks=(), yticks=())


def details(
    images: Mapping[str, np.ndarray],
    box: tuple[int, int, int, int],
    captions: Mapping[str, str] | None = None,
    columns: int = 2,
) -> Figure:
    """Draw the same enlarged detail of several images, `columns` in a row.

    The first image is drawn as a whole too, with a frame around the detail: `box` is its left,
    upper, right and lower side.
    """
    left, upper, right, lower = box
    first = next(iter(images.values()))
    cells = ["", *images]
    rows = -(-len(cells) // columns)
    figure, axes = new_figure(rows, columns, rows * (WIDTH / columns + 0.45))
    for panel, name in zip(axes.flat, cells, strict=False):
        if name:
            words = "\n".join([name, *([captions[name]] if captions and name in captions else [])])
            image(panel, images[name][upper:lower, left:right], words)
        else:
            image(panel, first, "the whole image")
            outline(panel, left, upper, right - left, lower - upper)
    for panel in axes.flat[len(cells) :]:
        panel.set_axis_off()
    return figure


# --- lesson 1: pixels and channels ---


def channels_to_image(x: np.ndarray, y: np.ndarray, r: int) -> Figure:
    """Draw the numbers of channels (C·r·r, H, W) and of the image (C, H·r, W·r) made of them.

    A channel's cells have its color on both sides. Channels are drawn where their pixels go: the
    channel of place (i, j) is in row i and column j of its group.
    """
    colors = channel_colors(r, len(y))
    height, width = x.shape[1:]
    gap, title = 0.5, 0.8
    group = r * (height + title) + 0.3  # cells from the first row of an image channel to the next
    image_left = r * (width + gap) + 1.2
    size = (image_left + r * width, len(y) * group)
    figure, axes = new_figure(1, 1, WIDTH * size[1] / size[0])
    axes = axes[0, 0]
    channel_of = (np.arange(len(x))[:, None, None] + np.zeros_like(x)).ravel()  # of each number
    for k, channel in enumerate(x):
        c, place = divmod(k, r * r)
        left = place % r * (width + gap)
        top = c * group + place // r * (height + title) + title
        axes.text(left, top - 0.15, f"channel {k}")
        for (row, column), number in np.ndenumerate(channel):
            square(axes, left + column, top + row, colors[k], f"{number}")
    for c, image_channel in enumerate(y):
        top = c * group + title + (r * title - title) / 2
        axes.text(image_left, top - 0.15, "the image" if len(y) == 1 else f"image channel {c}")
        for (row, column), number in np.ndenumerate(image_channel):
            color = colors[channel_of[x.ravel() == number][0]]
            square(axes, image_left + column, top + row, color, f"{number}")
        for row, column in np.ndindex(height, width):
            corner = (image_left + column * r, top + row * r)
            axes.add_patch(Rectangle(corner, r, r, fill=False, edgecolor="black", linewidth=1.8))
        axes.annotate(
            "", (image_left - 0.25, top + height * r / 2), (image_left - 1.4, top + height * r / 2),
            arrowprops={"arrowstyle": "-|>", "color": "black", "linewidth": 1.5},
        )  # fmt: skip
    axes.set(xlim=(-0.1, size[0] + 0.1), ylim=(size[1] + 0.1, -0.1), aspect="equal")
    axes.set_axis_off()
    return figure


# --- lesson 12: measuring honestly ---


def protocols(scores: Mapping[str, tuple[float, float]]) -> Figure:
    """Draw the PSNR of the network and of bicubic interpolation under each protocol."""
    figure, axes = new_figure(1, 1, 4.2)
    axes = axes[0, 0]
    for i, (label, marker) in enumerate((("network", "o"), ("bicubic", "s"))):
        values = [pair[i] for pair in scores.values()]
        axes.plot(values, list(scores), marker, color=LINES[i], ms=8, label=label)
        for row, value in enumerate(values):
            y, align = ((row - 0.2, "bottom"), (row + 0.2, "top"))[i]
            axes.text(value, y, f"{value:.2f}", ha="center", va=align, fontsize=9)
    axes.set(xlabel="PSNR (dB)", ylim=(len(scores) - 0.3, -0.8))
    axes.margins(x=0.1)
    figure.legend(loc="outside upper center", ncols=2)
    return figure
