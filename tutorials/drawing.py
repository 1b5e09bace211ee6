"""The figures of the lessons, one function each, and the parts that they share.

A lesson's code is about its subject; what draws it is here. All figures are narrow (5.5 inches) and
their letters are large, so that they can be read on a phone. One color code holds in all of them:
an image channel has a hue, a place in the block a shade of it (`npespcn.figures.channel_colors`).
Everything else is drawn in neutral grays, and in the colors of `LINES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import cbook, rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
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
    neutral = len(set(to_rgb(color))) == 1  # white, a gray
    edge = "#999999" if neutral else "white"
    axes.add_patch(Rectangle((x, y), 1, 1, facecolor=color, edgecolor=edge, linewidth=1))
    label = axes.text(x + 0.5, y + 0.5, text, ha="center", va="center_baseline")
    if color != "white":
        label.set_color(text_color(color))
        if not neutral:
            label.set_gid("on a color")  # the site's dark mode leaves it


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


# --- lesson 4: convolution ---

MARKED = "#cccccc"  # the cells that a lesson speaks about, where they are no channels


def _sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure of so many cells, and its axes: (0, 0) is the upper left corner."""
    figure, axes = new_figure(1, 1, WIDTH * height / width)
    axes[0, 0].set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    axes[0, 0].set_axis_off()
    return figure, axes[0, 0]


def _cells(
    axes: Axes, x: float, y: float, numbers: np.ndarray, title: str = "",
    marked: np.ndarray | None = None,
) -> None:  # fmt: skip
    """Draw a matrix with its upper left corner at (x, y), and its title above it."""
    axes.text(x + numbers.shape[1] / 2, y - 0.2, title, ha="center", va="bottom", linespacing=1.1)
    for (row, column), number in np.ndenumerate(numbers):
        dark = marked is not None and marked[row, column]
        square(axes, x + column, y + row, MARKED if dark else "white", f"{number}")


def _window(shape: tuple[int, ...], row: int, column: int, k: int) -> np.ndarray:
    """Return True where a kernel lies whose upper left corner is at that row and column."""
    marked = np.zeros(shape, bool)
    marked[row : row + k, column : column + k] = True
    return marked


def kernel_positions(
    x: np.ndarray, kernel: np.ndarray, y: np.ndarray, positions: Sequence[tuple[int, int]]
) -> Figure:
    """Draw the image, the kernel and the output for some positions of the kernel."""
    (height, width), k = x.shape, len(kernel)
    step = height + 1.2
    figure, axes = _sheet(width + k + y.shape[1] + 3.2, len(positions) * step)
    for number, (row, column) in enumerate(positions):
        top = number * step + 1
        middle = top + height / 2
        first = number == 0
        _cells(axes, 0.1, top, x, "image" if first else "", _window(x.shape, row, column, k))
        axes.text(width + 0.85, middle, "·", ha="center", va="center", fontsize=16)
        left = width + 1.6
        _cells(axes, left, middle - k / 2, kernel, "kernel" if first else "", kernel == kernel)
        axes.text(left + k + 0.75, middle, "→", ha="center", va="center", fontsize=14)
        _cells(
            axes, left + k + 1.5, middle - y.shape[0] / 2, y,
            "output" if first else "", _window(y.shape, row, column, 1),
        )  # fmt: skip
    return figure


def channel_sum(x: np.ndarray, kernel: np.ndarray, row: int, column: int) -> Figure:
    """Draw how channels (C, H, W) and a kernel (C, k, k) make one number at one position."""
    (channels, height, width), k = x.shape, kernel.shape[1]
    step = height + 1.3
    figure, axes = _sheet(width + k + 7.4, channels * step)
    left, right = width + 1.6, width + k + 2.6
    parts = []
    for c in range(channels):
        top = c * step + 1
        middle = top + height / 2
        marked = _window(x.shape[1:], row, column, k)
        parts.append((kernel[c] * x[c, row : row + k, column : column + k]).sum())
        _cells(axes, 0.1, top, x[c], f"channel {c}", marked)
        axes.text(width + 0.85, middle, "·", ha="center", va="center", fontsize=16)
        _cells(axes, left, middle - k / 2, kernel[c], f"slice {c}", np.ones((k, k), bool))
        axes.text(left + k + 0.5, middle, "→", ha="center", va="center", fontsize=14)
        square(axes, right, middle - 0.5, "white", f"{parts[c]}")
    middle = (channels * step + 0.7) / 2
    for c in range(channels):
        start = (right + 1.1, c * step + 1 + height / 2)
        axes.annotate("", (right + 2.5, middle), start, arrowprops={"arrowstyle": "-|>"})
    axes.text(right + 3, middle - 0.7, "sum", ha="center", va="bottom")
    square(axes, right + 2.5, middle - 0.5, MARKED, f"{sum(parts)}")
    return figure


def filtered(small: np.ndarray, maps: Mapping[str, np.ndarray]) -> Figure:
    """Draw an image of 0 to 255, and what some kernels make of it."""
    figure, axes = new_figure(1, 1 + len(maps), 3)
    image(axes[0, 0], small, "the image")
    largest = 0.6 * max(np.abs(pixels).max() for pixels in maps.values())
    for panel, (name, pixels) in zip(axes[0, 1:], maps.items(), strict=True):
        image(panel, pixels, name, cmap="PuOr_r", vmin=-largest, vmax=largest)
    figure.colorbar(
        axes[0, 1].images[0], ax=axes[0, 1:], location="bottom", extend="both",
        label="output (gray levels)", shrink=0.8, aspect=30,
    )  # fmt: skip
    return figure


def columns_product(
    x: np.ndarray, kernel: np.ndarray, columns: np.ndarray, position: int
) -> Figure:
    """Draw im2col, and below it the product of the kernel's row with the columns.

    One position of the kernel and its column are marked.
    """
    (height, width), k, count = x.shape, len(kernel), columns.shape[1]
    row, column = divmod(position, width - k + 1)
    left = k * k + 2.1
    figure, axes = _sheet(left + count + 0.1, height + k * k + 5.2)
    _cells(axes, left - width + 1.2, 1, x, "image", _window(x.shape, row, column, k))
    _cells(axes, left + count - k - 0.6, 1 + (height - k) / 2, kernel, "kernel")
    top = height + 2.6
    marked = np.zeros(columns.shape, bool)
    marked[:, position] = True
    _cells(axes, left, top, columns, "a column for each position", marked)
    start = (left - width + 1.2 + column + k / 2, row + k + 1.1)
    axes.annotate("", (left + position + 0.5, top - 0.85), start, arrowprops={"arrowstyle": "-|>"})
    middle = top + k * k / 2 - 0.5
    _cells(axes, 0.1, middle, kernel.reshape(1, -1), "the kernel, as a row")
    axes.text(left - 0.95, middle + 0.5, "@", ha="center", va="center", fontsize=13)
    y = (kernel.reshape(1, -1) @ columns).reshape(1, -1)
    axes.text(left - 0.95, top + k * k + 1, "=", ha="center", va="center", fontsize=14)
    _cells(axes, left, top + k * k + 0.5, y, "", marked[:1])
    return figure


def receptive_cone(kernels: Sequence[int], names: Sequence[str]) -> Figure:
    """Draw, in one dimension, the pixels that one output pixel depends on, layer by layer."""
    sizes = [1]  # from the output back to the input
    for k in reversed(kernels):
        sizes.append(sizes[-1] + k - 1)
    total, step = sizes[-1] + 2, 2.1
    figure, axes = _sheet(total + 4.6, step * len(kernels) + 1.2)
    for level, size in enumerate(sizes):
        y = step * level + 0.1
        for column in range(total):
            inside = abs(column - total // 2) <= size // 2
            square(axes, column + 0.1, y, MARKED if inside else "white")
        words = "1 pixel" if size == 1 else f"{size} pixels"
        axes.text(total + 0.5, y + 0.5, f"{names[level]}\n{words}", va="center")
        if level:
            for side in (-1, 1):
                ends = [(total + side * width) / 2 + 0.1 for width in sizes[level - 1 : level + 1]]
                axes.plot(ends, [y - step + 1, y], color="#777777", linewidth=1.5)
            words = f"kernel {kernels[-level]}×{kernels[-level]}"
            axes.text(0.1, y + 0.5 - step / 2, words, va="center")
    return figure


def footprints(maps: Mapping[str, np.ndarray], change: np.ndarray, r: int) -> Figure:
    """Draw how far one pixel reaches: through kernels of ones, and through a network.

    `maps` are (H, W) and hold numbers of ways, `change` is (H·r, W·r).
    """
    figure, axes = new_figure(2, 2, 5.9)
    for panel, (name, ways) in zip(axes.flat, maps.items(), strict=False):
        image(panel, np.ma.masked_equal(ways, 0), name, cmap="cividis", vmin=0, vmax=None)
        figure.colorbar(panel.images[0], ax=panel, label="number of ways", shrink=0.8)
        panel.set(xlim=(-0.5, ways.shape[1] - 0.5), ylim=(ways.shape[0] - 0.5, -0.5))
    largest = np.abs(change).max() / 3
    panel = axes[1, 1]
    image(panel, change, "the trained network", cmap="PuOr_r", vmin=-largest, vmax=largest)
    figure.colorbar(
        panel.images[0], ax=panel, label="change (gray levels)", shrink=0.8, extend="both"
    )
    rows = np.flatnonzero(np.any(change != 0, axis=1))
    columns = np.flatnonzero(np.any(change != 0, axis=0))
    outline(panel, columns[0], rows[0], len(columns), len(rows))
    return figure


def edges(outputs: Mapping[str, np.ndarray], true: np.ndarray, depth: int, corner: int) -> Figure:
    """Draw the upper left corner of what a network makes of flat gray, and the error there."""
    figure, axes = new_figure(2, len(outputs), 5.6)
    for (above, below), (name, output) in zip(axes.T, outputs.items(), strict=True):
        image(above, output[:corner, :corner], name)
        error = (output - true)[:corner, :corner]
        image(below, error, "its error", cmap="PuOr_r", vmin=-50, vmax=50)
        for panel in (above, below):
            sides = [depth - 0.5, depth - 0.5, corner - 0.5]
            panel.plot(sides, sides[::-1], color="black", linewidth=1, linestyle=":")
    figure.colorbar(
        axes[1, 0].images[0], ax=axes[1], location="bottom", extend="both",
        label="gray levels", shrink=0.6, aspect=30,
    )  # fmt: skip
    return figure


# --- lesson 6: one step downhill ---


def parabola(
    loss: Callable[[float], float],
    paths: Mapping[str, Sequence[float]],
    sides: tuple[float, float],
    top: float,
) -> Figure:
    """Draw the loss of one weight, and the steps of each path on it; one or two panels in a row."""
    columns = min(len(paths), 2)
    rows = -(-len(paths) // columns)
    figure, axes = new_figure(rows, columns, rows * (2.5 if columns == 2 else 3.1), sharey=True)
    weights = np.linspace(*sides, 200)
    for panel, (name, path) in zip(axes.flat, paths.items(), strict=False):
        panel.plot(weights, [loss(w) for w in weights], color="#777777", linewidth=1.5)
        losses = [loss(w) for w in path]
        panel.plot(path, losses, "o-", color=LINES[1], linewidth=1.5, markersize=6)
        if len(paths) == 1:
            for step, (w, value) in enumerate(zip(path[:4], losses, strict=False)):
                panel.annotate(f"{step}", (w, value), xytext=(7, 2), textcoords="offset points")
        panel.set(title=name, xlim=sides, ylim=(-0.04 * top, top), xlabel="weight w")
    for panel in axes[:, 0]:
        panel.set_ylabel("loss")
    return figure


def chain(
    names: Sequence[str],
    values: Mapping[str, float],
    slopes: Mapping[str, float],
    operations: Sequence[str],
    factors: Sequence[str],
    weights: Mapping[int, str],
) -> Figure:
    """Draw a chain of numbers, from top to bottom, with what happens on the way down and up.

    `names` are the numbers on the way. `operations` lead from each to the next, `factors` back.
    `weights` says which weight enters before which number. Names are keys of `values`, and of
    `slopes` where a slope is known.
    """

    def box(x, y, name, width):
        axes.add_patch(
            Rectangle((x - width / 2, y - 0.25), width, 0.5, facecolor="white", edgecolor="#777777")
        )
        text = f"{name} = {values[name]:.4g}"
        if name in slopes:
            text += f"\nd{name} = {slopes[name]:.4g}" if name != "L" else ""
        axes.text(x, y, text, ha="center", va="center", linespacing=1.25)

    def arrow(start, end, color):
        style = {"arrowstyle": "-|>", "color": color, "linewidth": 1.5, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", end, start, arrowprops=style)

    figure, axes = new_figure(1, 1, 5.2)
    axes = axes[0, 0]
    for i, name in enumerate(names):
        box(0, -i, name, 1.15)
    for i, (operation, factor) in enumerate(zip(operations, factors, strict=True)):
        arrow((-0.22, -i - 0.27), (-0.22, -i - 0.73), LINES[0])
        axes.text(-0.3, -i - 0.5, operation, ha="right", va="center", color=LINES[0])
        if factor:
            arrow((0.22, -i - 0.73), (0.22, -i - 0.27), LINES[1])
            axes.text(0.3, -i - 0.5, factor, ha="left", va="center", color=LINES[1])
    for i, name in weights.items():
        box(-1.85, -i, name, 1.15)
        arrow((-1.26, -i + 0.08), (-0.59, -i + 0.08), LINES[0])
        arrow((-0.59, -i - 0.1), (-1.26, -i - 0.1), LINES[1])
    axes.text(-0.3, 0.5, "forward", ha="right", color=LINES[0], weight="bold")
    axes.text(0.3, 0.5, "backward", ha="left", color=LINES[1], weight="bold")
    axes.set(xlim=(-2.5, 1.6), ylim=(-len(names) + 0.6, 0.8))
    axes.set_axis_off()
    return figure


def valley(
    loss: Callable[[np.ndarray], float],
    paths: Mapping[str, np.ndarray],
    bottom: np.ndarray,
    labels: tuple[str, str] = ("weight of the left pixel", "weight of the right pixel"),
    sides: tuple[tuple[float, float], tuple[float, float]] = ((-1.35, 1.35), (-0.35, 2.35)),
) -> Figure:
    """Draw the contours of a loss of two weights, and a path (steps + 1, 2) in each panel.

    A panel whose path is None shows the contours alone.
    """
    columns = min(len(paths), 2)
    rows = -(-len(paths) // columns)
    height = rows * (WIDTH / columns + 0.35) if columns == 2 else 4.4
    figure, axes = new_figure(rows, columns, height, sharex=True, sharey=True)
    across, up = (np.linspace(*side, 70) for side in sides)
    losses = np.array([[loss(np.array([a, b])) for a in across] for b in up])
    above = losses - loss(bottom)
    levels = above.max() * 0.4 ** np.arange(9, 0, -1)
    for panel, (name, path) in zip(axes.flat, paths.items(), strict=False):
        panel.contour(across, up, above, levels, colors="#999999", linewidths=0.8)
        panel.plot(*bottom, "+", color="black", markersize=11, markeredgewidth=2)
        if path is not None:
            panel.plot(*path.T, "o-", color=LINES[1], linewidth=1.2, markersize=3)
            panel.plot(*path[0], "s", color=LINES[1], markersize=7)
        panel.set(title=name, xlim=sides[0], ylim=sides[1], aspect="equal")
    for panel in axes[-1]:
        panel.set_xlabel(labels[0])
    for panel in axes[:, 0]:
        panel.set_ylabel(labels[1])
    return figure


def loss_curves(losses: Mapping[str, np.ndarray], ylabel: str) -> Figure:
    """Draw a curve of the loss for each method, with a logarithmic axis."""
    figure, axes = new_figure(1, 1, 3.6)
    axes = axes[0, 0]
    styles = ["-", "--", ":", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1))]
    for (name, values), color, style in zip(losses.items(), LINES, styles, strict=False):
        axes.semilogy(values, color=color, linestyle=style, linewidth=2, label=name)
    axes.set(xlabel="step", ylabel=ylabel)
    axes.legend()
    return figure


# --- lesson 13: a real picture ---


def halos(errors: Mapping[int, np.ndarray], cut: int) -> Figure:
    """Draw the largest error of each column near the cut, a curve for each halo."""
    figure, axes = new_figure(1, 1, 4)
    axes = axes[0, 0]
    columns = np.arange(-15, 15)
    for (h, error), color, marker in zip(errors.items(), LINES, "osDv^x", strict=False):
        near = np.maximum(error[cut - 15 : cut + 15], 1e-16)  # a zero has no logarithm
        axes.semilogy(columns + 0.5, near, marker=marker, color=color, ms=4, label=f"halo {h}")
    axes.axvline(0, color="black", ls=":", lw=1)
    axes.set(xlabel="HR columns from the cut", ylabel="largest error (gray levels)")
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def shimmer(brightness: Mapping[str, list[int]]) -> Figure:
    """Draw the brightness of some points of a scene, frame by frame."""
    figure, axes = new_figure(1, 1, 3.6)
    axes = axes[0, 0]
    for (name, values), color, marker in zip(brightness.items(), LINES, "osD", strict=False):
        axes.plot(values, marker=marker, color=color, label=name)
    axes.set(xlabel="frame", ylabel="luma (gray levels)", xticks=range(0, 12, 3))
    axes.grid(axis="x")
    figure.legend(loc="outside upper center", ncols=2)
    return figure
