"""How C·r² channels become one image r times larger: a figure and an animation.

Every number and color in the drawing is looked up in an array that `pixel_shuffle` has shuffled. No
second formula decides where a channel goes.
"""

from __future__ import annotations

import os
import re
from string import ascii_lowercase
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from PIL import Image

from npespcn.common.checks import one_of, whole_number
from npespcn.common.files import atomic_write
from npespcn.figures.sheet import WIDTH, channel_colors, text_color
from npespcn.shuffle import ORDERS, pixel_shuffle

HEADER = 1.15  # inches: of text above the grids
GAP, TITLE, MIDDLE = 0.45, 0.8, 2.4  # cells: between grids, above each, and before the output


def channel_formula(order: str = "CRD") -> str:
    """Return the formula of a channel number: the channel for place (i, j) of image channel c.

    Examples
    --------
    >>> channel_formula("CRD"), channel_formula("DCR"), channel_formula("paper")
    ('(c*r + i)*r + j', '(i*r + j)*C + c', '(j*r + i)*C + c')
    """
    one_of("channel_formula: order", order, tuple(ORDERS))
    first, second, third = tuple(ORDERS[order])
    size = {"c": "C", "i": "r", "j": "r"}
    return f"({first}*{size[second]} + {second})*{size[third]} + {third}"


def explain_figure(
    upscale_factor: int = 3,
    channels: int = 1,
    order: str = "CRD",
    size: tuple[int, int] = (2, 3),
) -> Figure:
    """Draw how C·r² channels of H×W make an image of C channels, (r·H)×(r·W).

    The channels are on the left, the image is on the right. On both sides a cell has the color of
    its channel, and shows the channel's number and the letter of its LR pixel. An arrow follows one
    cell, whose place is worked out in numbers.

    Parameters
    ----------
    upscale_factor : {2, 3, 4}
        r.
    channels : {1, 3}
        C, the number of channels of the image.
    order : {"CRD", "DCR", "paper"}
        The order of the channels; see `npespcn.shuffle`.
    size : (int, int)
        H and W: at most 26 LR pixels, one for each letter.

    Returns
    -------
    matplotlib.figure.Figure
        Each cell is a rectangle and a text, both with the gid ``"source CHANNEL ROW COLUMN"`` or
        ``"output CHANNEL ROW COLUMN"``.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above, or if the cells would be too small to read.
    """
    scene = _Scene("explain_figure", upscale_factor, channels, order, size)
    r = upscale_factor  # for a channel in the last column every order has another place
    scene.draw_example(2 * r - 1 if scene.n > 2 * r else r - 1)
    return scene.figure


def explain_gif(
    path: str | os.PathLike[str],
    upscale_factor: int = 3,
    channels: int = 1,
    order: str = "CRD",
    size: tuple[int, int] = (2, 3),
    *,
    seconds: float | None = None,
    width: int = 1000,
) -> None:
    """Write an animated GIF of `explain_figure`, in which one channel after the other is placed.

    In the first frame the image is empty, each of the next C·r² frames adds a channel, and the last
    one shows the whole. The file appears whole or not at all.

    Parameters
    ----------
    path : str or Path
    upscale_factor, channels, order, size
        As in `explain_figure`.
    seconds : float, optional
        Time for each channel. If not given, 1 s, or less for more than 12 channels.
    width : int
        Width of the frames in pixels.

    Raises
    ------
    TypeError, ValueError
        As in `explain_figure`, and if `seconds` or `width` is not above 0.
    OSError
        If the file cannot be written.
    """
    scene = _Scene("explain_gif", upscale_factor, channels, order, size)
    if seconds is None:
        seconds = min(1.0, max(0.3, 12 / scene.n))
    if not (seconds > 0 and width > 0):
        raise ValueError(
            f"explain_gif: seconds and width must be above 0, got {seconds} and {width}"
        )
    with atomic_write(path) as temporary:
        first, *others = _frames(scene, width)
        milliseconds = [round(1000 * seconds)] * scene.n
        durations = [1500, *milliseconds, 3000]
        first.save(
            temporary, "GIF", save_all=True, append_images=others, duration=durations, loop=0
        )


class _Scene:
    """The figure and its parts. Lengths are in cells; x grows to the right, y downwards."""

    def __init__(
        self, where: str, upscale_factor: int, channels: int, order: str, size: tuple[int, int]
    ) -> None:
        self.r, self.c, self.order = upscale_factor, channels, order
        self.h, self.w = (whole_number(f"{where}: size", side, 1) for side in size)
        one_of(f"{where}: upscale_factor", self.r, (2, 3, 4))
        one_of(f"{where}: channels", self.c, (1, 3))
        one_of(f"{where}: order", order, tuple(ORDERS))
        if self.h * self.w > len(ascii_lowercase):
            raise ValueError(f"{where}: size must be at most 26 pixels, got {self.h} by {self.w}")
        self.n = channels * upscale_factor**2
        self.colors = channel_colors(self.r, self.c, self.order)
        # The source cells' numbers are shuffled; the drawing looks everything up in them.
        shape = (self.n, self.h, self.w)
        numbers = pixel_shuffle(np.arange(np.prod(shape)).reshape(shape), self.r, order=order)
        self.origin = np.stack(np.unravel_index(numbers, shape), axis=-1)  # (C, H*r, W*r, 3)

        self.output_x = self.r * (self.w + GAP) - GAP + MIDDLE
        across, down = self.output_x + self.r * self.w, self.c * self.r * (self.h + TITLE)
        self.inch = min(0.75, (WIDTH - 0.4) / across)  # the side of a cell
        if self.inch < 0.27:
            raise ValueError(f"{where}: {self.h} by {self.w} cells at r = {self.r} are too small")
        height = HEADER + down * self.inch + 0.2
        self.figure = Figure(figsize=(WIDTH, height), facecolor="white")
        left, width = (1 - across * self.inch / WIDTH) / 2, across * self.inch / WIDTH
        self.axes = self.figure.add_axes(
            (left, 0.2 / height, width, down * self.inch / height),
            xlim=(0, across),
            ylim=(down, 0),
        )
        self.axes.set_axis_off()
        self.caption = self._draw_header(height)
        self._draw_sources()
        self.placed: list[list[Artist]] = [
            [] for _ in range(self.n)
        ]  # output cells of each channel
        self.blocks: list[Artist] = []  # the frames around the blocks
        self._draw_outputs()

    def draw_example(self, k: int) -> None:
        """Draw an arrow from one cell of channel k to its place, and write the place in numbers."""
        row, col = self.h - 1, 0
        is_it = (self.origin == (k, row, col)).all(axis=-1)  # (C, H*r, W*r)
        c, to_row, to_col = np.argwhere(is_it)[0].tolist()
        (x0, y0), (x1, y1) = self._source_xy(k), self._output_xy(c)
        y0, y1 = y0 + row, y1 + to_row
        self._frame(x0 + col, y0, 1, 1, strong=True)
        self._frame(x1 + to_col, y1, 1, 1, strong=True)
        start, bend, end = x0 + self.w + 0.1, x1 - 1.4, x1 - 0.75
        corners = [(start, y0 + 0.5), (bend, y0 + 0.5), (bend, y1 + 0.5), (end, y1 + 0.5)]
        arrow = FancyArrowPatch(path=Path(corners), arrowstyle="-|>", mutation_scale=18, lw=2)
        arrow.set(color="black", joinstyle="miter")
        self.axes.add_patch(arrow)
        self.caption.set_text(
            f"{self.sentence(k)}  Its pixel {self._letter(row, col)} goes to "
            f"row {row}·{self.r} + {to_row % self.r}, column {col}·{self.r} + {to_col % self.r}."
        )

    def outline(self, k: int) -> list[Artist]:
        """Draw frames around channel k and around its places in the image."""
        c = self._place(k)[0]
        (x0, y0), (x1, y1) = self._source_xy(k), self._output_xy(c)
        places = np.argwhere(self.origin[c, :, :, 0] == k).tolist()
        return [
            self._frame(x0, y0, self.w, self.h, strong=True),
            *(self._frame(x1 + col, y1 + row, 1, 1, strong=True) for row, col in places),
        ]

    def sentence(self, k: int) -> str:
        """Return in words where channel k goes, with the order's formula in numbers."""
        c, i, j = self._place(k)
        numbers = {"C": self.c, "r": self.r, "c": c, "i": i, "j": j}
        formula = re.sub("[A-Za-z]", lambda name: str(numbers[name[0]]), _formula(self.order))
        return f"Channel {k} = {formula}: image channel {c}, place ({i}, {j})."

    def _place(self, k: int) -> tuple[int, int, int]:
        """Return c, i and j: the place of channel k in every block."""
        c, row, col = np.argwhere(self.origin[..., 0] == k)[0].tolist()
        return c, row % self.r, col % self.r

    def _letter(self, row: int, col: int) -> str:
        return ascii_lowercase[row * self.w + col]

    def _source_xy(self, k: int) -> tuple[float, float]:
        """Return the upper left corner of the grid of channel k."""
        return k % self.r * (self.w + GAP), k // self.r * (self.h + TITLE) + TITLE

    def _output_xy(self, c: int) -> tuple[float, float]:
        """Return the upper left corner of image channel c, beside the c-th r rows of grids."""
        return self.output_x, c * self.r * (self.h + TITLE) + self.r * TITLE / 2 + 0.4

    def _points(self, cells: float, most: float = 15.0) -> float:
        """Return the font size of text of this height, `cells`, at most `most`."""
        return min(most, 72 * self.inch * cells)

    def _draw_header(self, height: float) -> Text:
        """Draw the three lines of text at the top; return the last one, which is still empty."""
        r, h, w = self.r, self.h, self.w
        title = (
            f"Pixel shuffle, r = {r}, C = {self.c}, order {self.order}: "
            f"{self.n} channels of {h} by {w} become one {r * h} by {r * w} image"
        )
        rule = (
            f"Channel {_formula(self.order)} fills place (i, j) of every {r} by {r} block "
            "of image channel c.  The letters are LR pixels."
        )
        top = [1 - inches / height for inches in (0.12, 0.47, 0.75)]
        self.figure.text(0.02, top[0], title, va="top", fontsize=13, weight="bold")
        self.figure.text(0.02, top[1], rule, va="top", fontsize=12.5)
        return self.figure.text(0.02, top[2], "", va="top", fontsize=12.5)

    def _draw_sources(self) -> None:
        for k in range(self.n):
            x, y = self._source_xy(k)
            for row, col in np.ndindex(self.h, self.w):
                self._cell(x + col, y + row, (k, row, col), f"source {k} {row} {col}")
            self._frame(x, y, self.w, self.h)
            size = self._points(min(0.4, 0.16 * self.w))
            self.axes.text(x, y - 0.15, f"channel {k}", fontsize=size)

    def _draw_outputs(self) -> None:
        for c, row, col in np.ndindex(self.origin.shape[:3]):
            x, y = self._output_xy(c)
            self._box(x + col, y + row, "#eeeeee")  # visible until the cell is placed
            origin = self.origin[c, row, col].tolist()
            cell = self._cell(x + col, y + row, origin, f"output {c} {row} {col}")
            self.placed[origin[0]] += cell
            if row % self.r == col % self.r == 0:
                self.blocks.append(self._frame(x + col, y + row, self.r, self.r))
        for c in range(self.c):
            x, y = self._output_xy(c)
            self.axes.text(x, y - 0.8, f"image channel {c}", fontsize=self._points(0.4))
            small = self._points(0.38, most=12.5)
            for row in range(self.r * self.h):
                at = (x - 0.2, y + row + 0.5)
                self.axes.text(*at, f"{row}", ha="right", va="center_baseline", fontsize=small)
            for col in range(self.r * self.w):
                self.axes.text(x + col + 0.5, y - 0.2, f"{col}", ha="center", fontsize=small)

    def _cell(self, x: float, y: float, origin: tuple[int, int, int], gid: str) -> list[Artist]:
        """Draw a cell; its origin is pixel (row, col) of channel k."""
        k, row, col = origin
        label = f"{k}{self._letter(row, col)}"
        text = self.axes.text(x + 0.5, y + 0.5, label, ha="center", va="center_baseline", gid=gid)
        text.set(color=text_color(self.colors[k]), fontsize=self._points(0.42))
        return [self._box(x, y, self.colors[k], gid), text]

    def _box(self, x: float, y: float, color: str, gid: str | None = None) -> Rectangle:
        box = Rectangle((x, y), 1, 1, facecolor=color, edgecolor="white", linewidth=0.8, gid=gid)
        self.axes.add_patch(box)
        return box

    def _frame(self, x: float, y: float, w: float, h: float, strong: bool = False) -> Rectangle:
        """Draw a black frame; a strong one has a white rim, to be visible on dark cells too."""
        frame = Rectangle((x, y), w, h, fill=False, edgecolor="black", clip_on=False, zorder=2.5)
        self.axes.add_patch(frame)
        frame.set_linewidth(2.5 if strong else 1.5)
        if strong:
            frame.set(zorder=4, path_effects=[withStroke(linewidth=6, foreground="white")])
        return frame


def _formula(order: str) -> str:
    return channel_formula(order).replace("*", "·")


def _frames(scene: _Scene, width: int) -> list[Image.Image]:
    """Draw the figure without the output's cells, then add them channel by channel."""
    scene.figure.set_dpi(width / WIDTH)
    canvas: Any = FigureCanvasAgg(scene.figure)

    def frame() -> Image.Image:
        return Image.fromarray(np.array(canvas.buffer_rgba())).convert("RGB")

    def draw(artists: list[Artist]) -> None:
        for artist in sorted(artists, key=Artist.get_zorder):
            artist.set_visible(True)
            artist.draw(canvas.get_renderer())

    canvas.draw()
    full = frame()
    for placed in scene.placed:
        for artist in placed:
            artist.set_visible(False)
    canvas.draw()
    frames = [frame()]
    for k, placed in enumerate(scene.placed):
        draw([*placed, *scene.blocks])
        without_outline = canvas.copy_from_bbox(scene.figure.bbox)
        scene.caption.set_text(scene.sentence(k))
        draw([*scene.outline(k), scene.caption])
        frames.append(frame())
        canvas.restore_region(without_outline)
    frames.append(frame())
    return _with_one_palette(frames, full)


def _with_one_palette(frames: list[Image.Image], full: Image.Image) -> list[Image.Image]:
    """Reduce all frames to the same 256 colors: a small file that does not flicker."""
    both = np.concatenate([np.asarray(frames[0]), np.asarray(full)])
    palette = Image.fromarray(both).quantize(256)
    reduced = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    paper = int(np.asarray(reduced[0])[0, 0])
    colors = palette.getpalette() or []
    colors[3 * paper : 3 * paper + 3] = [255, 255, 255]  # white, not nearly white
    for frame in reduced:
        frame.putpalette(colors)
    return reduced
