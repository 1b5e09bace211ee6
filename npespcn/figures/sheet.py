"""The common parts of all figures: colors, a sheet on which to arrange images, and `save`.

Figures are made without pyplot. So no window opens, no figure changes the next one, and a machine
without a screen draws the same. They are ten inches wide and legible from 100 dots per inch.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.text import Text

from npespcn.common import Array
from npespcn.common.files import atomic_write
from npespcn.shuffle import channel_permutation

WIDTH, MARGIN = 10.0, 0.15  # inches
_HUES = [  # of an image channel, from light to dark, so that steps look even
    ["#f9d7a8", "#ee9c45", "#cb6a17", "#9e4212", "#6b2010"],
    ["#a9e4d4", "#4fc29a", "#169a60", "#0d6e4c", "#0a4234"],
    ["#c6dcf2", "#7db2ee", "#3b82e6", "#3055c0", "#2b2f80"],
]


def channel_colors(upscale_factor: int, channels: int = 1, order: str = "CRD") -> list[str]:
    """Return the colors of channels 0 to C·r² - 1 in every figure, as ``#rrggbb``.

    An image channel has a hue: orange, green, blue. A place in the block has a shade of it, from
    light for place (0, 0) to dark for place (r - 1, r - 1). Color-blind readers can tell the hues
    apart, and a black-and-white print keeps the shades. Among more than ten or so, neighboring
    shades are hard to tell apart: write the channel's number as well.

    Parameters
    ----------
    upscale_factor : int
        r.
    channels : int
        C, the number of channels of the image. A fourth has the first one's hue again.
    order : {"CRD", "DCR", "paper"}
        The order of the channels; see `npespcn.shuffle`.

    Examples
    --------
    >>> channel_colors(2)
    ['#f9d7a8', '#e28b36', '#ad4f14', '#6b2010']
    >>> channel_colors(2, 3, order="DCR")[:3]  # place (0, 0) of the three image channels
    ['#f9d7a8', '#a9e4d4', '#c6dcf2']
    """
    n = upscale_factor**2
    shades: list[str] = []  # in CRD order
    for c in range(channels):
        ramp = LinearSegmentedColormap.from_list("hue", _HUES[c % len(_HUES)])
        shades += [to_hex(ramp(place)) for place in np.linspace(0, 1, n)]
    in_crd = channel_permutation(channels, upscale_factor, order).argsort()
    return [shades[k] for k in in_crd]


def text_color(background: str) -> str:
    """Return "black" or "white", whichever is easier to read on `background` (WCAG 2 contrast).

    Examples
    --------
    >>> [text_color(color) for color in channel_colors(2)]
    ['black', 'black', 'white', 'white']
    """
    rgb = np.array(to_rgb(background))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = linear @ (0.2126, 0.7152, 0.0722)
    return "black" if luminance + 0.05 > np.sqrt(1.05 * 0.05) else "white"


def save(figure: Figure, path: str | os.PathLike[str], *, width: int = 1500) -> None:
    """Write a figure to a file, which appears whole or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : str or Path
        Its suffix chooses the format: .png, .svg, .pdf or another that Matplotlib can write.
    width : int
        Width of the figure in pixels.

    Raises
    ------
    ValueError
        If Matplotlib cannot write that format, or `width` is not above 0.
    OSError
        If the file cannot be written.
    """
    if not width > 0:
        raise ValueError(f"save: width must be above 0, got {width}")
    suffix = Path(path).suffix[1:].lower() or "png"
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format=suffix, dpi=width / figure.get_figwidth())


class Sheet:
    """A figure under construction that grows downwards. Places are inches from its upper left."""

    def __init__(self, title: str) -> None:
        self.figure = Figure(figsize=(WIDTH, 1), facecolor="white")
        self._axes: list[tuple[Axes, float, float, float, float]] = []
        self._texts: list[tuple[Text, float]] = []
        self.heading(MARGIN, 0.12, title, size=12.5)

    def heading(
        self, x: float, y: float, text: str, size: float = 10, weight: str = "bold"
    ) -> None:
        """Write a line of text below y."""
        line = self.figure.text(x / WIDTH, 0, text, va="top", fontsize=size, weight=weight)
        self._texts.append((line, y))

    def axes(self, x: float, y: float, width: float, height: float, label: str) -> Axes:
        """Return new axes without ticks."""
        axes = self.figure.add_axes((0, 0, 1, 1), label=label)
        axes.set(xticks=(), yticks=())
        self._axes.append((axes, x, y, width, height))
        return axes

    def image(
        self,
        at: tuple[float, float, float],
        pixels: Array,
        label: str,
        *,
        scale: tuple[float, float],
        interpolation: str = "antialiased",
    ) -> tuple[Axes, float]:
        """Draw (H, W), black to white over `scale`, or (H, W, 3); `at` is x, y and the width.

        Return the axes and the y of their lower side. Very tall images become narrower.
        """
        x, y, width = at
        height = width * min(pixels.shape[0] / pixels.shape[1], 2)
        axes = self.axes(x, y, width, height, label)
        low, high = scale
        axes.imshow(
            pixels, "gray", vmin=low, vmax=high, origin="upper", interpolation=interpolation
        )
        return axes, y + height

    def finish(self) -> Figure:
        """Return the figure, as high as its axes require."""
        total = max(y + height for _, _, y, _, height in self._axes) + MARGIN
        self.figure.set_figheight(total)
        for axes, x, y, width, height in self._axes:
            axes.set_position((x / WIDTH, 1 - (y + height) / total, width / WIDTH, height / total))
        for line, y in self._texts:
            line.set_y(1 - y / total)
        return self.figure


def outline(axes: Axes, x: float, y: float, width: float, height: float) -> None:
    """Draw a frame around pixels from (x, y), black with a white rim: visible on any image."""
    frame = Rectangle((x - 0.5, y - 0.5), width, height, fill=False, edgecolor="black", lw=1.5)
    frame.set(path_effects=[withStroke(linewidth=3.5, foreground="white")], clip_on=False)
    axes.add_patch(frame)


def check_box(where: str, box: tuple[int, int, int, int], h: int, w: int) -> None:
    """Raise a ValueError unless `box`, counted as in Pillow, lies in an image of h by w pixels."""
    left, upper, right, lower = box
    if not (0 <= left < right <= w and 0 <= upper < lower <= h):
        raise ValueError(
            f"{where}: box must be (left, upper, right, lower) within {w} by {h} pixels, got {box}"
        )
