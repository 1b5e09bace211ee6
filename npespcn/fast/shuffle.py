"""The pixel shuffle as views, and one copy for each sub-column.

NumPy's own copy of the transposed array would run along j, r numbers at a time, and start again.
One copy for each j runs along a whole row.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from npespcn.arrays import array_module
from npespcn.common import Array
from npespcn.fast.memory import Call
from npespcn.fast.threads import parallel_map
from npespcn.layers import Layer, PixelShuffle

ORDERS = {"CRD": (3, 4, 5), "DCR": (5, 3, 4), "paper": (5, 4, 3)}
"""The axes (C, i, j) of (N, H, W, three axes of the channels)."""

_PIECE = 1 << 17  # LR pixels to shuffle at a time: the r copies over the same memory find it cached


def by_sub_pixel(x: Array, r: int, order: str) -> Array:
    """View the channels-last input of a shuffle, (N, H, W, C*r*r), as (N, C, H, i, W, j)."""
    n, h, w, channels = x.shape
    c, i, j = ORDERS[order]
    sides = {c: channels // (r * r), i: r, j: r}
    split = x.reshape(n, h, w, *(sides[axis] for axis in (3, 4, 5)))
    return split.transpose(0, c, 1, i, 2, j)


def by_pixel(y: Array, r: int) -> Array:
    """View the channels-last output of a shuffle, (N, H*r, W*r, C), as (N, C, H, i, W, j)."""
    n, h, w, c = y.shape
    return y.reshape(n, h // r, r, w // r, r, c).transpose(0, 5, 1, 2, 3, 4)


def copies(target: Array, source: Array) -> list[Call]:
    """Return the calls that copy (..., j) for each j."""
    return [partial(np.copyto, target[..., j], source[..., j]) for j in range(source.shape[-1])]


def is_fast_shuffle(layer: Any, channels: int) -> bool:
    """Whether it is a plain `PixelShuffle` that works on so many channels."""
    if type(layer) is not PixelShuffle or layer.order not in ORDERS:
        return False
    r = layer.upscale_factor
    return isinstance(r, int) and r >= 1 and channels % (r * r) == 0


class FastPixelShuffle(Layer):
    """`PixelShuffle` in pieces that stay in the cache, on all threads."""

    def __init__(self, layer: PixelShuffle) -> None:
        self.layer = layer

    def forward(self, x: Array) -> Array:
        """Rearrange (N, C*r*r, H, W) to (N, C, H*r, W*r)."""
        r, order = self.layer.upscale_factor, self.layer.order
        if array_module(x) is not np or x.ndim != 4 or not is_fast_shuffle(self.layer, x.shape[1]):
            return self.layer.forward(x)  # where it may raise
        n, channels, h, w = x.shape
        y = np.empty((n, channels // (r * r), h * r, w * r), x.dtype)
        pairs = (
            by_pixel(y.transpose(0, 2, 3, 1), r),
            by_sub_pixel(x.transpose(0, 2, 3, 1), r, order),
        )
        rows = max(1, _PIECE // max(1, w))
        images = max(1, rows // max(1, h))

        def write(place: tuple[int, int]) -> None:
            i, row = place
            target, source = (each[i : i + images, :, row : row + rows] for each in pairs)
            for copy in copies(target, source):
                copy()

        parallel_map(write, [(i, row) for i in range(0, n, images) for row in range(0, h, rows)])
        return y

    def backward(self, dy: Array) -> Array:
        """Rearrange (N, C, H*r, W*r) to (N, C*r*r, H, W)."""
        dx: Array = self.layer.backward(dy)
        return dx

    def predict(self, x: Array) -> Array:
        """Return the same as `forward`: a shuffle keeps nothing."""
        return self.forward(x)
