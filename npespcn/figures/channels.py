"""The channels of a network as images, and how they interleave into the output."""

from __future__ import annotations

import copy
from itertools import takewhile
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from npespcn.common import Array
from npespcn.common.checks import one_of
from npespcn.fast.gpu import to_host
from npespcn.figures.sheet import MARGIN, Sheet, channel_colors, check_box, outline, text_color
from npespcn.layers import PixelShuffle
from npespcn.models import Network
from npespcn.shuffle import ORDERS, pixel_shuffle, pixel_unshuffle


def subpixel_channels(model: Network, x: Array) -> Array:
    """Return the input of a network's pixel shuffle: (N, C, h, w) -> (N, C·r², h', w').

    The image is padded as in ``model.predict(x)``.

    Raises
    ------
    ValueError
        If the network has no pixel shuffle.
    """
    part = copy.copy(getattr(model, "network", model))  # an accelerated network has a network
    layers = takewhile(lambda item: not isinstance(item[1], PixelShuffle), part.layers.items())
    before = dict(layers)
    if len(before) == len(part.layers):
        raise ValueError("subpixel_channels: the network has no pixel shuffle")
    part.layers = before
    features: Array = part.predict(x)
    return features


def channel_maps(
    features: Array,
    image: Array,
    *,
    order: str = "CRD",
    box: tuple[int, int, int, int] | None = None,
    title: str = "Channels and the image that they make",
) -> Figure:
    """Draw a network's C·r² channels, the image that they make, and a detail of it, enlarged.

    All channels are drawn on one gray scale. A second drawing of the detail writes, on each pixel,
    the number of the channel that it came from, on that channel's color, with lines around blocks.

    Parameters
    ----------
    features : array, (C·r², h, w)
        The input of the pixel shuffle; see `subpixel_channels`.
    image : array, (C, r·h, r·w)
        The network's output: gray (C = 1), or RGB (C = 3; from 0 to 1, or uint8).
    order : {"CRD", "DCR", "paper"}
        The order of the channels; see `npespcn.shuffle`.
    box : (int, int, int, int), optional
        The detail: left, upper, right and lower side in LR pixels, the last two exclusive, as in
        Pillow. At most 18 pixels of the image across. If not given, some 12 pixels across, around
        the block with most contrast.
    title : str
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Axes have the labels ``"channel K"``, ``"image"``, ``"piece"`` and ``"origin C"``.

    Raises
    ------
    ValueError
        If the shapes do not fit each other, C is neither 1 nor 3, or `box` is empty, outside or too
        large to read.
    """
    one_of("channel_maps: order", order, tuple(ORDERS))
    features, image = to_host(features), to_host(image)
    r = _upscale_factor(features, image)
    (n, h, w), c = features.shape, len(image)
    left, upper, right, lower = box = _busiest(image, r) if box is None else box
    check_box("channel_maps", box, h, w)
    high, wide = (lower - upper) * r, (right - left) * r  # pixels of the piece
    if max(high, wide) > max(18, r):
        raise ValueError(f"channel_maps: box has {high} by {wide} pixels, at most 18 are legible")
    rows, cols = slice(upper * r, lower * r), slice(left * r, right * r)
    numbers = np.broadcast_to(np.arange(n)[:, None, None], features.shape)
    channel_of = pixel_shuffle(numbers, r, order=order)[:, rows, cols]  # (C, high, wide)

    colors = channel_colors(r, c, order)
    sheet = Sheet(title)
    _draw_channels(sheet, features, colors, r)
    _draw_image(sheet, image, rows, cols)
    y = 0.5
    for plane in range(c):
        made = "which pixel" if c == 1 else f"image channel {plane}"
        sheet.heading(5.9, y, f"Which channel made {made}")
        pixels, at = image[plane, rows, cols].astype(np.float64), (5.9, y + 0.3, 3.95)
        scale = (image.min(), image.max())
        label = f"origin {plane}"
        axes, bottom = sheet.image(at, pixels, label, scale=scale, interpolation="nearest")
        _draw_origins(axes, channel_of[plane], colors, (bottom - at[1]) / high)
        for row, col in np.ndindex(lower - upper, right - left):
            outline(axes, col * r, row * r, r, r)
        y = bottom + 0.2
    return sheet.finish()


def _draw_channels(sheet: Sheet, features: Array, colors: list[str], r: int) -> None:
    """Draw the left column: each channel below a strip of its color, r in a row."""
    n, h, w = features.shape
    sheet.heading(MARGIN, 0.5, f"{n} channels of {h} by {w}")
    gap, strip, y = 0.08, 0.2, 0.8
    width = (2.75 - (r - 1) * gap) / r
    scale = (features.min(), features.max())
    for k, color in enumerate(colors):
        at = (MARGIN + k % r * (width + gap), y + strip, width)
        pixels = features[k].astype(np.float64)
        axes, bottom = sheet.image(at, pixels, f"channel {k}", scale=scale)
        part = strip / (bottom - at[1])  # of the height of the axes
        box = Rectangle((0, 1), 1, part, facecolor=color, edgecolor="black", lw=0.8, clip_on=False)
        box.set_transform(axes.transAxes)
        axes.add_patch(box)
        _draw_number(axes, 0.5, 1 + 0.45 * part, k, color, 8.5, transform=axes.transAxes)
        if k % r == r - 1:
            y = bottom + gap


def _draw_image(sheet: Sheet, image: Array, rows: slice, cols: slice) -> None:
    """Draw the middle column: the image, and below it the piece."""
    c, h, w = image.shape
    pixels = np.moveaxis(image, 0, -1) if c == 3 else image[0]  # (H, W, 3) or (H, W)
    if image.dtype != np.uint8:  # Matplotlib draws neither float16 nor bool
        pixels = pixels.astype(np.float64)
        pixels = np.clip(pixels, 0, 1) if c == 3 else pixels
    scale = (image.min(), image.max())
    sheet.heading(3.1, 0.5, f"The image, {h} by {w}")
    axes, y = sheet.image((3.1, 0.8, 2.6), pixels, "image", scale=scale)
    outline(axes, cols.start, rows.start, cols.stop - cols.start, rows.stop - rows.start)
    sheet.heading(3.1, y + 0.2, "The marked piece of it")
    at, piece = (3.1, y + 0.5, 2.6), pixels[rows, cols]
    sheet.image(at, piece, "piece", scale=scale, interpolation="nearest")


def _draw_origins(axes: Axes, channel_of: Array, colors: list[str], inches: float) -> None:
    """Mark each pixel, `inches` wide, with the channel that it came from."""
    size = 72 * 0.4 * min(inches, 3.95 / channel_of.shape[1])
    for (row, col), k in np.ndenumerate(channel_of):
        box = Rectangle((col - 0.34, row - 0.34), 0.68, 0.68, facecolor=colors[k])
        axes.add_patch(box)
        _draw_number(axes, col, row, k, colors[k], size)


def _draw_number(
    axes: Axes, x: float, y: float, k: int, background: str, size: float, **how: Any
) -> None:
    how |= {"color": text_color(background), "fontsize": size}
    axes.text(x, y, f"{k}", ha="center", va="center_baseline", **how)


def _upscale_factor(features: Array, image: Array) -> int:
    """Return r, if (C·r², h, w) and (C, r·h, r·w) fit each other."""
    if features.ndim == image.ndim == 3 and features.size and len(image) in (1, 3):
        c, h, w = image.shape
        r: int = h // features.shape[1]
        if r and features.shape == (c * r * r, h // r, w // r) and h % r == w % r == 0:
            return r
    raise ValueError(
        "channel_maps: features must be (C*r*r, h, w) and image (C, r*h, r*w) with C = 1 or 3, "
        f"got {features.shape} and {image.shape}"
    )


def _busiest(image: Array, r: int) -> tuple[int, int, int, int]:
    """Return a box of some 12 by 9 pixels around the block of the image with most contrast."""
    blocks = pixel_unshuffle(image.astype(np.float64), r)  # (C*r*r, h, w)
    _, h, w = blocks.shape
    contrast = blocks.reshape(len(image), r * r, h, w).std(axis=1).sum(axis=0)  # (h, w)
    row, col = np.unravel_index(contrast.argmax(), contrast.shape)
    height, width = min(h, max(1, 9 // r)), min(w, max(1, 12 // r))
    upper = min(max(int(row) - height // 2, 0), h - height)
    left = min(max(int(col) - width // 2, 0), w - width)
    return left, upper, left + width, upper + height
