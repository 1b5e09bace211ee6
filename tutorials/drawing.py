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
from matplotlib.colors import ListedColormap, to_rgb
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


def _sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure of so many cells, and its axes: (0, 0) is the upper left corner."""
    figure, axes = new_figure(1, 1, WIDTH * height / width)
    axes[0, 0].set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    axes[0, 0].set_axis_off()
    return figure, axes[0, 0]


def number_grid(
    axes: Axes, numbers: np.ndarray, title: str, colors: np.ndarray | str = "white"
) -> None:
    """Draw a small matrix, a square for each number, each square in its color (or white)."""
    height, width = numbers.shape
    squares(axes, 0, 0, numbers, colors)
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


def squares(
    axes: Axes, x: float, y: float, numbers: np.ndarray, colors: np.ndarray | str = "white"
) -> None:
    """Draw a small matrix whose upper left corner is (x, y), in one color or a color for each."""
    colors = np.broadcast_to(colors, numbers.shape)
    for (row, column), number in np.ndenumerate(numbers):
        square(axes, x + column, y + row, colors[row, column], f"{number}")


def _arrow(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    color: str = "#555555",
    width: float = 1.2,
) -> None:
    """Draw an arrow from point to point."""
    style = {"arrowstyle": "-|>", "color": color, "linewidth": width, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=style)


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
    """Draw the same enlarged detail of several images, side by side.

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
        squares(axes, left, top, channel, colors[k])
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


# --- lesson 2: three shuffles ---


def memory(x: np.ndarray, y: np.ndarray, r: int, marked: int) -> Figure:
    """Draw the numbers of channels (r·r, H, W) and of their image as they lie in memory.

    A number has its channel's color. The number `marked` has a frame.
    """
    colors = np.repeat(channel_colors(r), x[0].size)
    line = 12  # numbers in a line
    step = -(-x.size // line) + 1.2
    figure, axes = _sheet(line + 3.7, 2 * step + 0.1)
    for part, (title, numbers) in enumerate({"the channels": x, "the image": y}.items()):
        top = part * step + 1
        axes.text(3.6, top - 0.15, f"{title}, in memory")
        for address, number in enumerate(numbers.ravel()):
            row, column = divmod(address, line)
            if column == 0:
                axes.text(3.3, top + row + 0.5, f"address {address}", ha="right", va="center")
            square(axes, 3.6 + column, top + row, colors[number], f"{number}")
            if number == marked:
                corner = (3.6 + column, top + row)
                frame = Rectangle(corner, 1, 1, fill=False, edgecolor="black", lw=2.5, zorder=3)
                axes.add_patch(frame)
    return figure


def stages(x: np.ndarray, blocks: np.ndarray, tall: np.ndarray, y: np.ndarray) -> Figure:
    """Draw split and concatenate: x (r·r, H, W), blocks (H, W, r, r), tall (W, H·r, r), y."""
    colors = np.repeat(channel_colors(blocks.shape[-1]), x[0].size)  # of each number
    figure, axes = _sheet(16.6, 12.4)

    def draw(title: str, left: float, top: float, pieces: np.ndarray) -> None:
        axes.text(left, top - 0.2, title)
        for piece in pieces:
            squares(axes, left, top, piece, colors[piece])
            left += piece.shape[1] + 0.7

    draw("the channels (4, H, W)", 0.1, 1, x)
    draw("blocks, cut into H rows: row 0", 0.1, 4.6, blocks[0])
    draw("row 1", 9.1, 4.6, blocks[1])
    draw("joined along i: (W, H·r, j)", 0.1, 8.2, tall)
    draw("joined along j: the image", 10.1, 8.2, y[None])
    return figure


def cost(nanoseconds: Mapping[str, Mapping[int, float]]) -> Figure:
    """Draw the time per pixel of some programs over the number of pixels."""
    figure, axes = new_figure(1, 1, 3.9)
    axes = axes[0, 0]
    for i, (name, values) in enumerate(nanoseconds.items()):
        color = [*LINES[:3], "black"][i]
        axes.loglog(list(values), list(values.values()), "osD^"[i] + "-", color=color, label=name)
    axes.set(xlabel="pixels of the image", ylabel="time per pixel (ns)")
    axes.grid(color="#dddddd")
    figure.legend(loc="outside upper center", ncols=4, columnspacing=1.2)
    return figure


def side_by_side(images: Mapping[str, np.ndarray]) -> Figure:
    """Draw images of one size in a row, each with its name above it."""
    height, width = next(iter(images.values())).shape[:2]
    figure, axes = new_figure(1, len(images), WIDTH / len(images) * height / width + 0.3)
    for panel, (name, pixels) in zip(axes[0], images.items(), strict=True):
        image(panel, pixels, name)
    return figure


# --- lesson 3: whose order? ---


def orders(blocks: Mapping[str, np.ndarray]) -> Figure:
    """Draw how each order counts the channels: in a row, and in the blocks (C, r, r) of one pixel.

    A cell shows its channel's number. Its color is its image channel and its place in the block.
    """
    first = next(iter(blocks.values()))
    channels, r, _ = first.shape
    step = r + 3.7
    figure, axes = _sheet(first.size + 0.3, len(blocks) * step - 0.2)
    for part, (order, block) in enumerate(blocks.items()):
        top = part * step + 0.9
        colors = np.array(channel_colors(r, channels, order))
        axes.text(0.1, top - 0.15, order)
        for k in range(first.size):
            square(axes, 0.1 + k, top, colors[k], f"{k}")
        for c in range(channels):
            left = 0.1 + c * first.size / channels
            axes.text(left, top + 1.85, f"image channel {c}")
            squares(axes, left, top + 2, block[c], colors[block[c]])
    return figure


def compared(
    reference: tuple[str, np.ndarray],
    others: Mapping[str, np.ndarray],
    box: tuple[int, int, int, int],
) -> Figure:
    """Draw a detail of a reference image (H, W, 3), and of others with their difference from it."""
    left, upper, right, lower = box
    name, true = reference
    rows = 1 + len(others)
    figure, axes = new_figure(rows, 2, rows * (WIDTH / 2 * (lower - upper) / (right - left) + 0.4))
    image(axes[0, 0], true, "the whole image")
    outline(axes[0, 0], left, upper, right - left, lower - upper)
    image(axes[0, 1], true[upper:lower, left:right], name)
    for (panel, beside), (label, pixels) in zip(axes[1:], others.items(), strict=True):
        difference = (pixels.astype(float) - true)[upper:lower, left:right, 1]  # of green
        image(panel, pixels[upper:lower, left:right], label)
        image(beside, difference, "its difference (green)", cmap="PuOr_r", vmin=-80, vmax=80)
    figure.colorbar(
        axes[1, 1].images[0], ax=axes[1:, 1], location="bottom", extend="both",
        label="gray levels", shrink=0.9, aspect=25,
    )  # fmt: skip
    return figure


# --- lesson 4: convolution ---

MARKED = "#cccccc"  # the cells that a lesson speaks about, where they are no channels


def _cells(
    axes: Axes, x: float, y: float, numbers: np.ndarray, title: str = "",
    marked: np.ndarray | None = None,
) -> None:  # fmt: skip
    """Draw a matrix with its upper left corner at (x, y), and its title above it."""
    axes.text(x + numbers.shape[1] / 2, y - 0.2, title, ha="center", va="bottom", linespacing=1.1)
    squares(axes, x, y, numbers, "white" if marked is None else np.where(marked, MARKED, "white"))


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
    figure, axes = new_figure(1, 1 + len(maps), 3.4)
    image(axes[0, 0], small, "the image")
    largest = 0.6 * max(np.abs(pixels).max() for pixels in maps.values())
    for panel, (name, pixels) in zip(axes[0, 1:], maps.items(), strict=True):
        image(panel, pixels, name, cmap="PuOr_r", vmin=-largest, vmax=largest)
    figure.colorbar(
        axes[0, 1].images[0], ax=axes[0], location="bottom", extend="both",
        label="output of the kernel (gray levels)", shrink=0.7, aspect=30,
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
            words = f"{kernels[-level]}×{kernels[-level]}"
            axes.text(total / 2 + 0.1, y + 0.5 - step / 2, words, ha="center", va="center")
    return figure


def footprints(maps: Mapping[str, np.ndarray], change: np.ndarray) -> Figure:
    """Draw how far one pixel reaches: through kernels of ones, and through a network.

    `maps` are (H, W) and hold numbers of ways. `change` is (H·r, W·r), with a frame around it.
    """
    figure, axes = new_figure(2, 2, 6.6)
    panels = [*axes.flat]
    for panel, (name, ways) in zip(panels, maps.items(), strict=False):
        share = np.where(ways > 0, ways / ways.max(), -0.4)
        words = "1 way to each" if ways.max() == 1 else f"{ways.max():.0f} ways to the middle"
        image(panel, share, f"{name}\n{words}", cmap="Greys", vmin=-0.4, vmax=1.3)
    largest = np.abs(change).max() / 3
    panel = panels[3]
    image(panel, change, "through the network", cmap="PuOr_r", vmin=-largest, vmax=largest)
    figure.colorbar(
        panel.images[0], ax=panel, location="bottom", label="change (gray levels)", extend="both"
    )
    rows = np.flatnonzero(np.any(change != 0, axis=1))
    columns = np.flatnonzero(np.any(change != 0, axis=0))
    corner = (columns[0] - 0.5, rows[0] - 0.5)
    panel.add_patch(
        Rectangle(corner, len(columns), len(rows), fill=False, edgecolor=LINES[2], linewidth=2)
    )
    return figure


def edge(output: np.ndarray, true: float | np.ndarray, depth: int, corner: int) -> Figure:
    """Draw the upper left corner of what a network makes of flat gray, and the error there."""
    figure, axes = new_figure(1, 2, 3.9)
    image(axes[0, 0], output[:corner, :corner], "the output")
    error = (output - true)[:corner, :corner]
    image(axes[0, 1], error, "its error", cmap="PuOr_r", vmin=-50, vmax=50)
    for panel in axes[0]:
        sides = [depth - 0.5, depth - 0.5, corner - 0.5]
        panel.plot(sides, sides[::-1], color=LINES[2], linewidth=2, linestyle=":")
    figure.colorbar(
        axes[0, 1].images[0], ax=axes[0], location="bottom", extend="both",
        label="error (gray levels)", shrink=0.6, aspect=30,
    )  # fmt: skip
    return figure


# --- lesson 5: the network in twenty lines ---


def network_plan(filters: Sequence[int], kernels: Sequence[int]) -> Figure:
    """Draw ESPCN from top to bottom: a box for each step, and the shape at every arrow.

    `filters` and `kernels` are those of the convolutions; r = 3. Channels are drawn as a stack.
    """
    border = sum(k - 1 for k in kernels)
    steps = [f"repeat the edge, {border // 2} pixels on each side"]
    arrows = [(1, "H, W"), (1, f"H + {border}, W + {border}")]  # channels, rows and columns
    for number, (count, k) in enumerate(zip(filters, kernels, strict=True), start=1):
        border -= k - 1
        arrow = (count, f"H + {border}, W + {border}" if border else "H, W")
        steps.append(f"conv{number}: {count} filters of {k}×{k}")
        arrows.append(arrow)
        if number < len(filters):
            steps.append("tanh")
            arrows.append(arrow)
    steps.append("pixel shuffle")
    arrows.append((1, "3H, 3W"))

    step = 1.75
    figure, axes = _sheet(11, step * len(steps) + 1.9)
    for level, (count, size) in enumerate(arrows):
        y = step * level + 0.1
        style = {"arrowstyle": "-|>", "linewidth": 1.5}
        axes.annotate("", (5.2, y + 1), (5.2, y), arrowprops=style)
        axes.text(5.55, y + 0.48, f"(1, {count}, {size})", va="center")
        words = "1 channel" if count == 1 else f"{count} channels"
        axes.text(2.4, y + 0.48, words, va="center")
        if level == len(steps):
            _blocks(axes, 0.2, y, 1.8, channel_colors(3))
        else:
            last = level == len(steps) - 1
            colors = channel_colors(3) if last else ["#dddddd"] * -(-count // 4)
            for i in reversed(range(len(colors))):
                corner = (0.2 + 0.08 * i, y + 0.1 + 0.04 * i)
                sheet = Rectangle(corner, 0.6, 0.6, facecolor=colors[i], edgecolor="#777777")
                axes.add_patch(sheet)
    for level, words in enumerate(steps):
        y = step * level + 1.1
        axes.add_patch(Rectangle((2.4, y), 8.5, 0.75, facecolor="#eeeeee", edgecolor="#777777"))
        axes.text(6.65, y + 0.37, words, ha="center", va="center")
    return figure


def _blocks(axes: Axes, x: float, y: float, side: float, colors: Sequence[str]) -> None:
    """Draw an image of 2×2 blocks of 3×3 places, each in the color of its channel."""
    cell = side / 6
    for row, column in np.ndindex(6, 6):
        corner = (x + column * cell, y + row * cell)
        color = colors[row % 3 * 3 + column % 3]
        axes.add_patch(Rectangle(corner, cell, cell, facecolor=color))
    axes.add_patch(Rectangle((x, y), side, side, fill=False, edgecolor="#777777"))


def on_the_way(rows: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Draw some channels (H, W) after each layer, a row for each layer."""
    figure, axes = new_figure(len(rows), 3, 2.45 * len(rows))
    for line, (name, maps) in zip(axes, rows.items(), strict=True):
        for panel, (title, pixels) in zip(line, maps.items(), strict=True):
            image(panel, pixels, title, cmap="PuOr_r", vmin=-1, vmax=1)
        line[0].set_ylabel(name)
    figure.colorbar(
        axes[0, 0].images[0], ax=axes, location="bottom", label="value of the feature",
        shrink=0.6, aspect=30,
    )  # fmt: skip
    return figure


def in_and_out(small: np.ndarray, large: np.ndarray) -> Figure:
    """Draw a small image and the large image made of it, to the same scale."""
    (height, width), gap = large.shape, large.shape[1] // 12
    left = small.shape[1] + gap
    figure, axes = new_figure(1, 1, WIDTH * height / (left + width) + 0.3)
    axes = axes[0, 0]
    options = {"cmap": "gray", "vmin": 0, "vmax": 255}
    top = height - small.shape[0]
    axes.imshow(small, extent=(0, small.shape[1], height, top), **options)
    axes.imshow(large, extent=(left, left + width, height, 0), **options)
    for x, y, pixels in ((0, top, small), (left, 0, large)):
        axes.text(x, y - 10, f"{pixels.shape[0]}×{pixels.shape[1]} pixels")
    axes.set(xlim=(0, left + width), ylim=(height, -40), aspect="equal")
    axes.set_axis_off()
    return figure


def tanh_curve() -> Figure:
    """Draw tanh, and the straight line that it follows near 0."""
    figure, axes = new_figure(1, 1, 3.2)
    axes = axes[0, 0]
    x = np.linspace(-4, 4, 200)
    axes.plot(x, x, color="#777777", linestyle="--", linewidth=1.5, label="y = x")
    axes.plot(x, np.tanh(x), color=LINES[0], linewidth=2.5, label="y = tanh x")
    axes.set(xlabel="x", ylabel="y", ylim=(-1.6, 1.6), xlim=(-4, 4), yticks=(-1, 0, 1))
    axes.grid(color="#cccccc")
    axes.legend(loc="lower right")
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
    boxes: Sequence[str],
    operations: Sequence[str],
    factors: Sequence[str],
    weights: Mapping[int, str],
    weight_factors: Mapping[int, str] | None = None,
) -> Figure:
    """Draw numbers one below the other, with what happens between them on the way down and up.

    `boxes` are the texts of the numbers, `operations` lead from each to the next, and `factors`
    lead back. `weights` are texts, too: a weight enters on the way to the box of that number, and
    `weight_factors` lead back to it.
    """

    def box(x, y, text):
        corner, width = (x - 0.6, y - 0.27), 1.2
        axes.add_patch(Rectangle(corner, width, 0.54, facecolor="white", edgecolor="#777777"))
        axes.text(x, y, text, ha="center", va="center", linespacing=1.2)

    figure, axes = new_figure(1, 1, 0.95 * len(boxes) + 0.4)
    axes = axes[0, 0]
    for i, text in enumerate(boxes):
        box(0, -i, text)
    for i, (operation, factor) in enumerate(zip(operations, factors, strict=True)):
        _arrow(axes, (-0.25, -i - 0.29), (-0.25, -i - 0.71), LINES[0], 1.5)
        axes.text(-0.33, -i - 0.5, operation, ha="right", va="center", color=LINES[0])
        if factor:
            _arrow(axes, (0.25, -i - 0.71), (0.25, -i - 0.29), LINES[1], 1.5)
            axes.text(0.33, -i - 0.5, factor, ha="left", va="center", color=LINES[1])
    for i, text in weights.items():
        box(-1.9, -i, text)
        _arrow(axes, (-1.28, -i + 0.08), (-0.62, -i + 0.08), LINES[0], 1.5)
        _arrow(axes, (-0.62, -i - 0.1), (-1.28, -i - 0.1), LINES[1], 1.5)
        factor = (weight_factors or {}).get(i, "")
        axes.text(-0.95, -i - 0.15, factor, ha="center", va="top", color=LINES[1])
    axes.text(-0.33, 0.5, "forward", ha="right", color=LINES[0], weight="bold")
    axes.text(0.33, 0.5, "backward", ha="left", color=LINES[1], weight="bold")
    axes.set(xlim=(-2.55, 1.7), ylim=(-len(boxes) + 0.6, 0.8))
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
    across, up = (np.linspace(*side, 50) for side in sides)
    losses = np.array([[loss(np.array([a, b])) for a in across] for b in up])
    above = losses - loss(bottom)
    levels = above.max() * 0.4 ** np.arange(7, 0, -1)
    for panel, (name, path) in zip(axes.flat, paths.items(), strict=False):
        panel.contour(across, up, above, levels, colors="#999999", linewidths=0.8)
        panel.plot(*bottom, "+", markeredgecolor="black", markersize=11, markeredgewidth=2)
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


# --- lesson 7: backpropagation ---


def matrix_arrows(
    matrix: np.ndarray, x: np.ndarray, y: np.ndarray, dx: np.ndarray, dy: np.ndarray
) -> Figure:
    """Draw y = A x and dx = Aᵀ dy as arrows between numbers, each with its entry of A."""
    figure, axes = new_figure(2, 1, 5.6)
    panels = {"forward: y = A x": (x, y, "x", "y"), "backward: dx = Aᵀ dy": (dx, dy, "dx", "dy")}
    for panel, (title, (left, right, name, other)), color in zip(
        axes[:, 0], panels.items(), LINES, strict=False
    ):
        right_y = np.linspace(0.6, len(left) - 1.6, len(right))
        for (i, j), entry in np.ndenumerate(matrix):
            if entry == 0:
                continue
            ends = [(0.42, j), (2.58, right_y[i])]
            if name == "dx":
                ends.reverse()
            _arrow(panel, *ends, color, 1.5)
            at = 0.3  # of the way from x to y: there the arrows do not meet
            place = (0.42 + at * 2.16, j + at * (right_y[i] - j) - 0.02)
            panel.text(*place, f"{entry}", ha="center", va="bottom", color=color, weight="bold")
        for j, number in enumerate(left):
            _number_box(panel, 0, j, f"{name}{j} = {number}")
        for i, number in enumerate(right):
            _number_box(panel, 3, right_y[i], f"{other}{i} = {number}")
        panel.set(title=title, xlim=(-0.5, 3.5), ylim=(len(left) - 0.6, -0.4))
        panel.set_axis_off()
    return figure


def _number_box(axes: Axes, x: float, y: float, text: str) -> None:
    corner = (x - 0.42, y - 0.22)
    axes.add_patch(Rectangle(corner, 0.84, 0.44, facecolor="white", edgecolor="#777777"))
    axes.text(x, y, text, ha="center", va="center_baseline")


def permutations(matrices: Mapping[str, np.ndarray], r: int, height: int, width: int) -> Figure:
    """Draw the matrices of a shuffle of r·r channels (H, W), one of them its transpose.

    A 1 has the color of its channel. The first matrix goes from channels to the image, the second
    one back.
    """
    figure, axes = new_figure(1, 2, 3.4)
    size = r * r * height * width
    shades = ListedColormap(["white", *channel_colors(r)])
    channel = 1 + np.arange(size) // (height * width)  # of each number of the channels
    of_channels = [f"{k}" for k in range(r * r)]
    centers = np.arange(r * r) * height * width + (height * width - 1) / 2
    of_rows = [f"{row}" for row in range(height * r)]
    row_centers = np.arange(height * r) * width * r + (width * r - 1) / 2
    for k, (panel, (title, matrix)) in enumerate(zip(axes[0], matrices.items(), strict=True)):
        colors = matrix * (channel if k == 0 else channel[:, None])
        panel.imshow(colors, cmap=shades, vmin=0, vmax=r * r, interpolation="nearest")
        panel.set_title(title)
        panel.set_xticks(np.arange(size + 1) - 0.5, minor=True)
        panel.set_yticks(np.arange(size + 1) - 0.5, minor=True)
        panel.grid(which="minor", color="#cccccc", linewidth=0.5)
        for side in np.arange(0, size + 1, size // (r * r)) - 0.5:  # between channels
            (panel.axvline if k == 0 else panel.axhline)(side, color="#777777", linewidth=1)
        for side in np.arange(0, size + 1, width * r) - 0.5:  # between rows of the image
            (panel.axhline if k == 0 else panel.axvline)(side, color="#777777", linewidth=1)
        panel.tick_params(which="both", length=0)
        channel_axis, image_axis = (
            (panel.xaxis, panel.yaxis) if k == 0 else (panel.yaxis, panel.xaxis)
        )
        channel_axis.set_ticks(centers, of_channels)
        image_axis.set_ticks(row_centers, of_rows)
        panel.set_xlabel("from channel" if k == 0 else "from row of the image")
        panel.set_ylabel("to row of the image" if k == 0 else "to channel")
    return figure


def copies(image: np.ndarray, columns: np.ndarray, counts: np.ndarray, pixel: int) -> Figure:
    """Draw an image, its columns, and the number of copies of each pixel; one pixel is gray."""
    figure, axes = new_figure(2, 2, 3.6, width_ratios=(4, 4))
    panels = {"image": image, "number of copies": counts}
    for panel, (title, numbers) in zip(axes[0], panels.items(), strict=True):
        number_grid(panel, numbers, title, np.where(image == pixel, "#c8c8c8", "white"))
    grid = axes[1, 0].get_gridspec()
    for panel in axes[1]:
        panel.remove()
    wide = figure.add_subplot(grid[1, :])
    marked = np.where(columns == pixel, "#c8c8c8", "white")
    number_grid(wide, columns, "im2col: a column for each position", marked)
    return figure


def gradient_errors(epsilons: np.ndarray, errors: Mapping[str, np.ndarray]) -> Figure:
    """Draw how the error of a gradient check depends on epsilon, a curve for each name."""
    figure, axes = new_figure(1, 1, 4.6)
    axes = axes[0, 0]
    markers = ["o", "s", "^", "D"]
    styles = ["-", "--", "-", "--"]
    for (name, curve), color, marker, style in zip(
        errors.items(), LINES, markers, styles, strict=False
    ):
        size, fill = (9, "none") if marker == "o" else (5, color)  # it is seen below another curve
        look = {"color": color, "marker": marker, "markersize": size, "markerfacecolor": fill}
        axes.loglog(epsilons, curve, style, label=name, **look)
    axes.set(xlabel="ε", ylabel="largest error / largest entry")
    figure.legend(loc="outside lower center", ncols=2)
    return figure


# --- lesson 8: what it learns from ---


def gallery(images: Mapping[str, np.ndarray], columns: int = 2) -> Figure:
    """Draw square images, (H, W) from black 0 to white 255 or (H, W, 3), some in a row."""
    rows = -(-len(images) // columns)
    figure, axes = new_figure(rows, columns, rows * (WIDTH / columns + 0.15))
    for panel, (name, pixels) in zip(axes.flat, images.items(), strict=True):
        image(panel, pixels, name)
    return figure


def shrunk_stripes(rows: Mapping[str, np.ndarray]) -> Figure:
    """Draw rows of gray pixels with their numbers; the first has r times as many as the others."""
    figure, axes = new_figure(1, 1, 2.7)
    axes = axes[0, 0]
    length = len(next(iter(rows.values())))
    for row, numbers in enumerate(rows.values()):
        top, side = 1.6 * row * length / 9, length / len(numbers)
        bottom = top + 1.2 * length / 9
        pixels = np.asarray(numbers)[None]
        image(axes, pixels, extent=(0, length, bottom, top), aspect="auto")
        axes.add_patch(Rectangle((0, top), length, bottom - top, fill=False, edgecolor="#777777"))
        for i, number in enumerate(numbers):
            color = "black" if number > 127 else "white"
            place = ((i + 0.5) * side, (top + bottom) / 2)
            text = f"{number:.0f}"
            style = {"rotation": 90 if side == 1 else 0, "gid": "on a color"}
            axes.text(*place, text, color=color, ha="center", va="center", fontsize=9, **style)
    centers = [(1.6 * row + 0.6) * length / 9 for row in range(len(rows))]
    axes.set(xlim=(0, length), ylim=(bottom, 0))
    axes.set_yticks(centers, list(rows))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def batch_rows(rows: Mapping[str, np.ndarray]) -> Figure:
    """Draw the examples of a batch in columns, and a row for each kind of image (N, 1, H, W).

    A row whose name begins with "gradient" has a color bar of its own, in millionths.
    """
    count = len(next(iter(rows.values())))
    figure, axes = new_figure(len(rows), count, len(rows) * 1.55)
    for panels, (name, batch) in zip(axes, rows.items(), strict=True):
        if name.startswith("gradient"):
            millionths = 1e6 * batch
            end = np.percentile(np.abs(millionths), 99.5)
            colors = {"cmap": "PuOr_r", "vmin": -end, "vmax": end}
            for panel, pixels in zip(panels, millionths[:, 0], strict=True):
                image(panel, pixels, **colors)
            bar = figure.colorbar(panels[-1].images[0], ax=list(panels), extend="both")
            bar.set_label("millionths")
        else:
            for panel, pixels in zip(panels, batch[:, 0], strict=True):
                image(panel, pixels, vmin=16 / 255, vmax=235 / 255)
        panels[0].set_ylabel(name)
    return figure


def overfitting(runs: Mapping[str, Mapping[str, Sequence[float]]], bicubic: float) -> Figure:
    """Draw the training loss and the held-out loss of several runs, one below the other."""
    figure, axes = new_figure(len(runs), 1, 2.6 * len(runs) + 0.4, sharex=True, sharey=True)
    for panel, (name, run) in zip(axes.flat, runs.items(), strict=True):
        for column, color, style in (("training", LINES[0], "-"), ("held-out", LINES[1], "--")):
            name_of_line = f"{column} loss"
            panel.semilogy(run["step"], run[column], style, color=color, lw=2, label=name_of_line)
        panel.axhline(bicubic, color="#777777", ls=":", label="held-out loss of bicubic")
        panel.set(title=name, ylabel="loss")
    axes[-1, 0].set_xlabel("step")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def remedies(steps: Sequence[int], curves: Mapping[str, Sequence[float]], bicubic: float) -> Figure:
    """Draw the held-out loss of several runs, with a mark where each is least."""
    figure, axes = new_figure(1, 1, 3.8)
    axes = axes[0, 0]
    styles = ["-", (0, (1, 1)), "--", "-."]
    for (name, losses), color, style in zip(curves.items(), LINES, styles, strict=False):
        axes.plot(steps, losses, ls=style, color=color, lw=2, label=name)
        best = int(np.argmin(losses))
        axes.plot(steps[best], losses[best], "o", color=color, ms=8)
    axes.axhline(bicubic, color="#777777", ls=":", label="bicubic")
    low = min(map(min, curves.values()))
    axes.set(xlabel="step", ylabel="held-out loss", ylim=(0.8 * low, 3.5 * low))
    figure.legend(loc="outside upper center", ncols=3)
    return figure


# --- lesson 9: train it ---


def unpadded(side: int, halo: int, r: int) -> Figure:
    """Draw a patch, the part of it that the output belongs to, and the same for HR."""
    figure, axes = new_figure(1, 2, 2.9)
    for panel, name, scale in zip(axes[0], ("LR patch", "HR patch"), (1, r), strict=True):
        whole, lost = side * scale, halo * scale
        inner = whole - 2 * lost
        panel.add_patch(Rectangle((0, 0), whole, whole, facecolor="#dddddd", edgecolor="#777777"))
        panel.add_patch(
            Rectangle((lost, lost), inner, inner, facecolor="#aaaaaa", edgecolor="#777777")
        )
        words = "before the shuffle" if scale == 1 else "the output"
        words = f"{words}:\n{inner}×{inner}"
        panel.text(whole / 2, whole / 2, words, ha="center", va="center")
        lost_words = f"{lost} pixels, only seen" if scale == 1 else f"{lost} pixels, not used"
        panel.text(whole / 2, lost / 2, lost_words, ha="center", va="center_baseline")
        panel.set(title=f"{name}, {whole}×{whole}", aspect="equal")
        panel.set(xlim=(-0.02 * whole, 1.02 * whole), ylim=(1.02 * whole, -0.02 * whole))
        panel.set_axis_off()
    return figure


def optimizers(curves: Mapping[str, Mapping[str, Sequence[float]]], gray: float) -> Figure:
    """Draw the loss of several optimizers, smoothed, a panel for each way to give the pixels."""
    figure, axes = new_figure(len(curves), 1, 2.6 * len(curves) + 0.3, sharex=True, sharey=True)
    for panel, (name, runs) in zip(axes.flat, curves.items(), strict=True):
        for (label, losses), color, style in zip(
            runs.items(), LINES, ("-", "--", "-."), strict=False
        ):
            means = np.convolve(losses, np.full(5, 1 / 5), mode="valid")
            panel.semilogy(np.arange(5, len(losses) + 1), means, style, color=color, label=label)
        panel.axhline(gray, color="#777777", ls=":", label="plain gray")
        panel.set(title=name, ylabel="loss (mean of 5 steps)", ylim=(0.002, 0.2))
    axes[-1, 0].set_xlabel("step")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def learning_curve(history: Mapping[str, Sequence[float]], bicubic: float) -> Figure:
    """Draw a panel with the training loss, and below it one with the PSNR of held-out images."""
    figure, axes = new_figure(2, 1, 5.2, sharex=True)
    loss, psnr = axes[:, 0]
    step, scores = np.array(history["step"]), np.array(history["val_psnr"])
    measured = np.isfinite(scores)
    loss.semilogy(step, history["loss"], color=LINES[0], lw=1.5)
    loss.set_yticks([0.002, 0.005, 0.01, 0.02], ["0.002", "0.005", "0.01", "0.02"])
    loss.minorticks_off()
    loss.set(ylabel="training loss")
    psnr.plot(step[measured], scores[measured], color=LINES[0], lw=2, label="the network")
    psnr.axhline(bicubic, color=LINES[1], ls="--", label="bicubic")
    psnr.set(xlabel="step", ylabel="PSNR, held-out (dB)")
    psnr.legend(loc="lower right")
    return figure


def bad_runs(runs: Mapping[str, Sequence[float]], gray: float) -> Figure:
    """Draw the training loss of several runs: the first 20 steps, and below them all."""
    figure, axes = new_figure(2, 1, 6.2)
    for panel, last in zip(axes.flat, (20, None), strict=True):
        for (name, losses), color, marker in zip(runs.items(), LINES, "osD^vx", strict=True):
            shown = losses[:last]
            steps, every = range(1, len(shown) + 1), max(len(shown) // 15, 1)
            style = {"marker": marker, "markevery": every, "ms": 6, "color": color}
            panel.semilogy(steps, shown, lw=1.2, label=name, **style)
        panel.axhline(gray, color="#777777", ls=":", label="plain gray")
        panel.set(ylabel="training loss", title="all steps" if last is None else "the beginning")
        panel.set_xticks(range(0, len(shown) + 1, 5 if last else 30))
    axes[-1, 0].set_xlabel("step")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


# --- lesson 10: sub-pixel, deconvolution, resize ---


def two_ways(x: Sequence[int], filters: np.ndarray, y: np.ndarray) -> Figure:
    """Draw sub-pixel convolution in one dimension, seen from an output and from an input pixel.

    The filters are (r, k); the output pixel in the middle collects, the input pixel there deals
    out. An input pixel is drawn r cells wide, over its own block of the output.
    """
    r, k = filters.shape
    n, colors = len(x), channel_colors(r)[:: r + 1]  # from the first place to the last
    figure, axes = new_figure(2, 1, 5.2)
    middle = n // 2
    block = slice(middle * r, middle * r + r)
    for panel, title in zip(
        axes[:, 0],
        (
            f"collecting: the output pixel {y[middle * r]}",
            f"dealing out: the input pixel {x[middle]}",
        ),
        strict=True,
    ):
        for p, number in enumerate(x):
            _wide_square(panel, p * r, 0, r, f"{number}")
        for place, number in enumerate(y):
            square(panel, place, 4.2, colors[place % r], f"{number}")
        panel.text(-0.3, 0.5, "input", ha="right", va="center_baseline")
        panel.text(-0.3, 4.7, "output", ha="right", va="center_baseline")
        panel.set(title=title, xlim=(-2.1, n * r + 0.3), ylim=(5.3, -0.1), aspect="equal")
        panel.set_axis_off()
    for j, weight in enumerate(filters[0]):
        start = ((middle + j - k // 2) * r + r / 2, 1.05)
        end = (block.start + 0.5, 4.1)
        _arrow(axes[0, 0], start, end)
        side = -1 if start[0] < end[0] else 1  # the label stands on the arrow's outer side
        label = (start[0] + 0.3 * (end[0] - start[0]) + 0.45 * side, 1.05 + 0.3 * 3.05)
        axes[0, 0].text(*label, f"×{weight}", ha="center", va="center_baseline", fontsize=11)
    for i in range(r):
        for j, weight in enumerate(filters[i]):
            place = (middle - j + k // 2) * r + i
            _arrow(axes[1, 0], (block.start + r / 2, 1.05), (place + 0.5, 3.45))
            axes[1, 0].text(
                place + 0.5, 3.85, f"×{weight}", ha="center", va="center_baseline", fontsize=11
            )
    return figure


def _wide_square(axes: Axes, x: float, y: float, width: float, text: str) -> None:
    """Draw a white cell of that width, one high."""
    axes.add_patch(Rectangle((x, y), width, 1, facecolor="white", edgecolor="#999999"))
    axes.text(x + width / 2, y + 0.5, text, ha="center", va="center_baseline")


def dealt_out(
    x: Sequence[int], kernels: Sequence[np.ndarray], stride: int, padding: int, *, channels: bool
) -> Figure:
    """Draw a transposed convolution in one dimension as an addition, one panel for each kernel.

    A row for each input pixel, and the sum. With `channels` a cell has the color of its place,
    otherwise the cells of the sum are the darker, the more rows add to them.
    """
    colors = channel_colors(stride)[:: stride + 1]
    width = (len(x) - 1) * stride + max(len(kernel) for kernel in kernels)
    height = (len(x) + 1.7) * WIDTH / (width + 2.7) + (0.1 if channels else 0.4)
    figure, axes = new_figure(len(kernels), 1, len(kernels) * height)
    for panel, kernel in zip(axes[:, 0], kernels, strict=True):
        k = len(kernel)
        total = np.zeros((len(x) - 1) * stride + k, int)
        rows = np.zeros_like(total)
        for p, number in enumerate(x):
            panel.text(-0.3, p + 0.5, f"{number} times", ha="right", va="center_baseline")
            for t, weight in enumerate(kernel):
                place = p * stride + t
                color = colors[(place - padding) % stride] if channels else "white"
                square(panel, place, p, color, f"{number * weight}")
            total[p * stride : p * stride + k] += number * kernel
            rows[p * stride : p * stride + k] += 1
        y = len(x) + 0.5
        panel.text(-0.3, y + 0.5, "sum", ha="right", va="center_baseline", weight="bold")
        for place, number in enumerate(total):
            inside = padding <= place < len(total) - padding
            color = "white"
            if channels and inside:
                color = colors[(place - padding) % stride]
            elif not channels:
                color = {1: "white", 2: "#d4d4d4", 3: "#a8a8a8"}[rows[place]]
            square(panel, place, y, color, f"{number}")
            if not inside:
                panel.plot([place, place + 1], [y + 1, y], color="#999999", linewidth=1)
        title = "" if channels else f"kernel of {k}, stride {stride}"
        panel.set(title=title, xlim=(-2.6, width + 0.1), ylim=(y + 1.1, -0.1), aspect="equal")
        panel.set_axis_off()
    return figure


def filters_to_kernel(filters: np.ndarray, kernel: np.ndarray, r: int) -> Figure:
    """Draw the numbers of r·r filters, each (k, k), and of the kernel (k·r, k·r) made of them."""
    colors, k = channel_colors(r), filters.shape[1]
    gap, title = 0.5, 0.8
    left = r * (k + gap) + 1.2
    height = r * (k + title)
    figure, axes = _sheet(left + k * r + 0.1, height + 0.1)
    for number, weights in enumerate(filters):
        x, y = number % r * (k + gap), number // r * (k + title) + title
        axes.text(x, y - 0.15, f"filter {number}")
        squares(axes, x, y, weights, colors[number])
    top = title + (height - title - k * r) / 2
    axes.text(left, top - 0.15, "one kernel")
    for (row, column), weight in np.ndenumerate(kernel):
        number = np.argwhere(filters == weight)[0, 0]
        square(axes, left + column, top + row, colors[number], f"{weight}")
    _arrow(axes, (left - 1.4, top + k * r / 2), (left - 0.25, top + k * r / 2))
    return figure


def overlaps(counts: Mapping[str, np.ndarray]) -> Figure:
    """Draw how many kernel entries meet at each output pixel, in two dimensions."""
    figure, axes = new_figure(1, len(counts), 3.05)
    for panel, (title, numbers) in zip(axes[0], counts.items(), strict=True):
        image(panel, numbers, title, vmin=-1, vmax=5)
        for (row, column), number in np.ndenumerate(numbers):
            color = "black" if number >= 2 else "white"
            panel.text(
                column, row, f"{number:.0f}", ha="center", va="center_baseline",
                color=color, fontsize=9, gid="on a color",
            )  # fmt: skip
    return figure


def two_orders(
    x: np.ndarray, rows: Mapping[str, tuple[str, np.ndarray, str, np.ndarray]], r: int
) -> Figure:
    """Draw two steps from x to an output, one panel for each order: step, cells, step, cells."""
    n, colors = len(x), channel_colors(r)[:: r + 1]
    figure, axes = new_figure(len(rows), 1, 2.6 * len(rows))
    for panel, (title, steps) in zip(axes[:, 0], rows.items(), strict=True):
        first, between, second, y = steps
        for level, numbers in enumerate((x, between, y)):
            width = n * r // len(numbers)
            for place, number in enumerate(numbers):
                if level == 2:
                    square(panel, place, 2 * level, colors[place % r], f"{number}")
                else:
                    _wide_square(panel, place * width, 2 * level, width, f"{number}")
        for level, words in enumerate((first, second)):
            _arrow(panel, (n * r / 2, 2 * level + 1.08), (n * r / 2, 2 * level + 1.92))
            panel.text(n * r / 2 + 0.25, 2 * level + 1.5, words, va="center")
        panel.set(title=title, xlim=(-0.1, n * r + 0.1), ylim=(5.1, -0.1), aspect="equal")
        panel.set_axis_off()
    return figure


def on_one_scale(
    pairs: Mapping[str, Sequence[np.ndarray]],
    captions: Mapping[str, Sequence[str]],
    limit: float,
    label: str,
    height: float,
) -> Figure:
    """Draw a row of images for each name, all on one scale from -limit to limit."""
    columns = max(len(images) for images in pairs.values())
    figure, axes = new_figure(len(pairs), columns, height)
    for row, (name, images) in zip(axes, pairs.items(), strict=True):
        for panel, pixels, words in zip(row, images, captions[name], strict=True):
            image(panel, pixels, f"{name},\n{words}", vmin=-limit, vmax=limit)
    figure.colorbar(
        axes[0, 0].images[0], ax=axes, location="bottom", label=label, shrink=0.8, aspect=35
    )  # fmt: skip
    return figure


def spreads(steps: Sequence[int], curves: Mapping[str, Sequence[float]]) -> Figure:
    """Draw the spread on flat gray during training, one curve for each network."""
    figure, axes = new_figure(1, 1, 3.4)
    axes = axes[0, 0]
    for color, (name, values) in zip(LINES, curves.items(), strict=False):
        axes.plot(steps, values, "o-", color=color, ms=4, label=name)
    axes.set(xlabel="training steps", ylabel="spread (gray levels)", ylim=(-2, None))
    axes.legend()
    axes.grid(alpha=0.3)
    return figure


# --- lesson 11: inside the network ---


def tiles(panels: Mapping[str, np.ndarray], columns: int) -> Figure:
    """Draw stacks of small arrays (n, h, w), each array on a scale of its own around 0."""
    shapes = [(-(-len(arrays) // columns), *arrays.shape[1:]) for arrays in panels.values()]
    heights = [
        WIDTH * rows * (height + 1) / (columns * (width + 1)) for rows, height, width in shapes
    ]
    figure, axes = new_figure(
        len(panels), 1, sum(heights) + 0.35 * len(panels) + 0.75, height_ratios=heights
    )
    for panel, (title, arrays) in zip(axes[:, 0], panels.items(), strict=True):
        rows = -(-len(arrays) // columns)
        scaled = arrays / np.abs(arrays).max(axis=(1, 2), keepdims=True)
        gap = max(1, arrays.shape[2] // 20)
        scaled = np.pad(scaled, ((0, 0), (0, gap), (0, gap)), constant_values=np.nan)
        mosaic = scaled.reshape(rows, columns, *scaled.shape[1:])
        mosaic = mosaic.swapaxes(1, 2).reshape(rows * scaled.shape[1], -1)[:-gap, :-gap]
        image(panel, mosaic, title, cmap="PuOr_r", vmin=-1, vmax=1)
        panel.set_axis_off()
    bar = figure.colorbar(
        axes[0, 0].images[0], ax=axes, location="bottom", shrink=0.7, aspect=35, ticks=(-1, 0, 1),
        label="relative to the largest value of each tile",
    )  # fmt: skip
    bar.ax.set_xticklabels(["-1", "0", "1"])
    return figure


def differences(channels: np.ndarray) -> Figure:
    """Draw channel 4 of nine, 0 to 255, and around it how the others differ from it."""
    others = np.delete(channels, 4, axis=0) - channels[4]
    limit = np.percentile(np.abs(others), 99)
    side = WIDTH / 3 * channels.shape[1] / channels.shape[2]
    figure, axes = new_figure(3, 3, 3 * (side + 0.3) + 0.7)
    for k, panel in enumerate(axes.flat):
        if k == 4:
            image(panel, channels[4], "channel 4")
        else:
            options = {"cmap": "PuOr_r", "vmin": -limit, "vmax": limit}
            image(panel, channels[k] - channels[4], f"{k} minus 4", **options)
    figure.colorbar(
        axes[0, 0].images[0], ax=axes, location="bottom", extend="both", shrink=0.8, aspect=35,
        label="difference (gray levels)",
    )  # fmt: skip
    return figure


def seen_from(wave: Callable[[np.ndarray], np.ndarray], distance: float) -> Figure:
    """Draw a wave and its samples at the pixels, and `distance` further; then the samples alone."""
    pixels, fine = np.arange(9), np.linspace(-0.4, 8.8, 400)
    figure, axes = new_figure(2, 1, 4.8, sharex=True)
    above, below = axes[:, 0]
    above.plot(fine, wave(fine), color="#999999")
    below.plot(fine, wave(fine), color="#999999", linewidth=1)
    below.plot(fine, wave(fine + distance), color="#999999", linewidth=1, linestyle="--")
    _samples(above, pixels, wave(pixels), 4)
    _samples(above, pixels + distance, wave(pixels + distance), 5)
    _samples(below, pixels, wave(pixels), 4)
    _samples(below, pixels, wave(pixels + distance), 5)
    above.set(title="one wave, and where the two channels look", xlabel="place (pixels)")
    below.set(title="the numbers in the two channels", xlabel="number of the pixel")
    above.tick_params(labelbottom=True)
    for panel in (above, below):
        panel.set(ylim=(-1.25, 1.25), ylabel="value", xticks=pixels)
        panel.axhline(0, color="#bbbbbb", linewidth=0.8, zorder=0)
    figure.legend(*above.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _samples(axes: Axes, x: np.ndarray, y: np.ndarray, channel: int) -> None:
    """Draw the samples of channel 3, 4 or 5 of nine in the color of the channel."""
    axes.plot(
        x, y, {3: "^", 4: "o", 5: "s"}[channel], color=channel_colors(3)[channel],
        markeredgecolor="black", markeredgewidth=0.7, ms=7, label=f"channel {channel}",
    )  # fmt: skip


def spectra(frequency: np.ndarray, amplitudes: np.ndarray, phases: np.ndarray) -> Figure:
    """Draw the amplitudes of nine channels, and their phases in degrees (9, F) beyond channel 4."""
    figure, axes = new_figure(2, 1, 6.4, height_ratios=(1, 1.5))
    above, below = axes[:, 0]
    for k, color in enumerate(channel_colors(3)):
        above.semilogy(frequency[1:], amplitudes[k, 1:], color=color, linewidth=1.2)
        below.plot(frequency, phases[k], "o-", color=color, ms=3.5, linewidth=1)
    for j in range(3):
        slope = 120 * (j - 1)
        below.plot(frequency, slope * frequency, ":", color="black", linewidth=1.2)
        names = ", ".join(f"{k}" for k in range(j, 9, 3))
        below.text(frequency[-1] * 1.03, slope * frequency[-1], names, va="center")
    above.text(0.6, 0.75, "all nine channels", transform=above.transAxes)
    above.set(title="amplitude", ylabel="mean amplitude\n(gray levels)")
    above.set_yticks((5, 10, 20, 40), ("5", "10", "20", "40"))
    above.minorticks_off()
    below.set(title="phase ahead of channel 4", ylabel="degrees")
    for panel in (above, below):
        panel.set(xlabel="frequency along a row (cycles per LR pixel)")
        panel.set(xlim=(0, frequency[-1] * 1.2), xticks=np.arange(0, 0.26, 0.05))
    return figure


def aliases(
    fast: Callable[[np.ndarray], np.ndarray], slow: Callable[[np.ndarray], np.ndarray]
) -> Figure:
    """Draw two waves that agree at the pixels, with the samples of one channel, and of three."""
    pixels, fine = np.arange(7), np.linspace(-0.4, 6.4, 500)
    figure, axes = new_figure(2, 1, 5.2, sharex=True)
    for panel, channels, title in zip(
        axes[:, 0],
        ((4,), (3, 4, 5)),
        ("channel 4 alone cannot tell the two waves apart", "three channels can"),
        strict=True,
    ):
        panel.plot(fine, fast(fine), color="#666666", linewidth=1.2, label="fast wave")
        panel.plot(fine, slow(fine), color="#666666", linewidth=1.2, ls="--", label="slow wave")
        for channel in channels:
            places = pixels + (channel - 4) / 3
            _samples(panel, places, fast(places), channel)
        panel.set(title=title, ylim=(-1.25, 1.25), ylabel="value", xticks=pixels)
        panel.set(xlabel="place (pixels)")
        panel.tick_params(labelbottom=True)
    handles, labels = axes[1, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
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


# --- lesson 14: your own ---


def seeds(scores: Mapping[str, list[float]]) -> Figure:
    """Draw the scores of each variant, a dot for each seed, and their means."""
    figure, axes = new_figure(1, 1, 2.6)
    axes = axes[0, 0]
    for row, (name, values) in enumerate(scores.items()):
        axes.plot(values, [row] * len(values), "o", color=LINES[row], ms=8, label=name)
        axes.plot(np.mean(values), row, "|", color="black", ms=24, mew=2)
    axes.set(
        xlabel="PSNR on held-out images (dB). A dot is a seed, | is the mean",
        yticks=range(len(scores)),
    )
    axes.set_yticklabels(scores)
    axes.set_ylim(len(scores) - 0.4, -0.6)
    return figure


# --- appendix A: a museum of published slips ---


def sampled_edge(hr: np.ndarray, positions: np.ndarray, lr: Mapping[str, np.ndarray]) -> Figure:
    """Draw a row of pixels, and rows of LR pixels at their positions, counted in HR pixels."""
    figure, axes = new_figure(1, 1, 3.6)
    axes = axes[0, 0]
    axes.plot(hr, color="black", linewidth=1.5, label="HR")
    for i, (name, values) in enumerate(lr.items()):
        axes.plot(positions, values, "so"[i], color=LINES[1 - i], markersize=7, label=name)
    axes.set(xlabel="position (HR pixels)", ylabel="gray level")
    figure.legend(loc="outside upper center", ncols=3)
    return figure


# --- appendix B: why it is fast ---


def call_times(microseconds: Mapping[int, float]) -> Figure:
    """Draw how long one call of np.add takes over the number of its numbers."""
    figure, axes = new_figure(1, 1, 3.2)
    axes = axes[0, 0]
    axes.loglog(list(microseconds), list(microseconds.values()), "o-", color=LINES[0])
    axes.set(xlabel="numbers in each array", ylabel="time of one call (µs)", ylim=(0.1, None))
    axes.grid(alpha=0.4)
    return figure


# --- appendix C: another processor ---


def traffic(bytes_per_pixel: Mapping[str, int]) -> Figure:
    """Draw how many bytes each layer's result has, and mark the two that need to cross."""
    figure, axes = new_figure(1, 1, 3.2)
    axes = axes[0, 0]
    names = list(bytes_per_pixel)
    colors = [LINES[1] if name in (names[0], names[-1]) else "0.7" for name in names]
    axes.bar_label(axes.bar(names, bytes_per_pixel.values(), color=colors))
    axes.set(title="only the ends need to cross (orange)", ymargin=0.15)
    axes.set(ylabel="bytes for a pixel of the\nsmall image")
    return figure


# --- appendix D: many processes ---


def ranks(count: np.ndarray, milliseconds: Mapping[str, np.ndarray]) -> Figure:
    """Draw the parts of a training step over the number of ranks."""
    figure, axes = new_figure(1, 1, 3.8)
    axes = axes[0, 0]
    for (name, values), color, marker in zip(milliseconds.items(), LINES, "osD^", strict=False):
        axes.loglog(count, values, marker=marker, color=color, ms=5, label=name)
    axes.set(xlabel="ranks, each with 16 images", ylabel="milliseconds a step")
    figure.legend(loc="outside upper center", ncols=1)
    return figure
