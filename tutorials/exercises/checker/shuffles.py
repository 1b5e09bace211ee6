"""Shuffles by looking every number up, with any formula for the channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

Channel: TypeAlias = Callable[[Any, Any, Any, int, int], Any]
"""The channel of x, from the image channel c, row i and column j in the block, r, and C."""


def pytorch(c: Any, i: Any, j: Any, r: int, colors: int) -> Any:
    """Count as PyTorch does, the image channel slowest."""
    return c * r * r + i * r + j


ORDERS: tuple[tuple[str, Channel], ...] = (
    (
        "the order is TensorFlow's (DCR), where the image channel counts fastest. In PyTorch's it "
        "counts slowest",
        lambda c, i, j, r, colors: (i * r + j) * colors + c,
    ),
    (
        "rows and columns of each block are swapped: i counts its rows, j counts its columns, and "
        "j is faster",
        lambda c, i, j, r, colors: c * r * r + j * r + i,
    ),
    (
        "the order is that of equation 4 with x the row: rows and columns of each block are "
        "swapped, and the image channel counts fastest",
        lambda c, i, j, r, colors: (j * r + i) * colors + c,
    ),
)


def _places(shape: tuple[int, ...], r: int, channel: Channel, apart: bool) -> tuple[Any, ...]:
    """Return where in x each number of y stands; `apart` takes a row as i*H + h, not h*r + i."""
    colors, height, width = shape
    c, row, col = np.ogrid[:colors, :height, :width]
    (h, i), (w, j) = np.divmod(row, r), np.divmod(col, r)
    if apart:
        (i, h), (j, w) = np.divmod(row, height // r), np.divmod(col, width // r)
    return (..., channel(c, i, j, r, colors), h, w)


def shuffled(x: Any, upscale_factor: int, channel: Channel = pytorch, apart: bool = False) -> Any:
    """Shuffle (..., C*r*r, H, W) to (..., C, H*r, W*r)."""
    r = upscale_factor
    shape = (x.shape[-3] // (r * r), x.shape[-2] * r, x.shape[-1] * r)
    return x[_places(shape, r, channel, apart)]


def unshuffled(
    y: Any, downscale_factor: int, channel: Channel = pytorch, apart: bool = False
) -> Any:
    """Unshuffle (..., C, H*r, W*r) to (..., C*r*r, H, W)."""
    r = downscale_factor
    *leading, c, height, width = y.shape
    x = np.zeros((*leading, c * r * r, height // r, width // r), y.dtype)
    x[_places((c, height, width), r, channel, apart)] = y
    return x


def one_picture(shuffle: Callable[..., Any]) -> Callable[..., Any]:
    """Return a shuffle that knows three axes only."""

    def without_batch(x: Any, r: int) -> Any:
        if x.ndim != 3:
            raise ValueError(f"{x.ndim} axes")
        return shuffle(x, r)

    return without_batch
