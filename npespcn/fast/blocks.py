"""What every convolution agrees on: sizes, padding, blocks, and errors for what does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

from npespcn.arrays import array_module
from npespcn.common import Array
from npespcn.common.checks import real_array, whole_number
from npespcn.common.messages import short_repr

Pads: TypeAlias = tuple[tuple[int, int], tuple[int, int]]
"""Zeros added ((above, below), (left, right))."""
Padding: TypeAlias = str | int | Pads
"""``"same"``, ``"valid"``, zeros on every side, or ((above, below), (left, right))."""

_BLOCK = 3072  # output pixels: a block's columns and products then stay in a core's L2 cache
_DEVICE_BLOCK = 1 << 20  # a GPU wants few large blocks instead


def as_pads(name: str, padding: Padding, k: int, stride: int) -> Pads:
    """Return the four pads. An even kernel under "same" has its odd zero below and at the right."""
    name = f"{name}: padding"
    if isinstance(padding, str):
        if padding == "valid":
            return (0, 0), (0, 0)
        if padding != "same":
            raise ValueError(
                f"{name} must be 'same', 'valid' or a number, got {short_repr(padding)}"
            )
        if stride != 1:
            raise ValueError(f"{name}='same' needs stride 1, got stride={stride}")
        before = (k - 1) // 2
        return (before, k - 1 - before), (before, k - 1 - before)
    if isinstance(padding, tuple):
        if len(padding) != 2 or any(not isinstance(p, tuple) or len(p) != 2 for p in padding):
            raise ValueError(
                f"{name} as a tuple must be ((above, below), (left, right)), got {short_repr(padding)}"
            )
        above, below, left, right = (whole_number(name, p, 0) for side in padding for p in side)
        return (above, below), (left, right)
    p = whole_number(name, padding, 0)
    return (p, p), (p, p)


def out_size(name: str, size: tuple[int, int], k: int, stride: int, pads: Pads) -> tuple[int, int]:
    """Return the output's (height, width) for an input of `size`; raise if the kernel is larger."""
    padded = [side + sum(pad) for side, pad in zip(size, pads, strict=True)]
    if min(padded) < k:
        raise ValueError(
            f"{name}: a {k}x{k} kernel does not fit an input of {size[0]}x{size[1]} "
            f"padded to {padded[0]}x{padded[1]}"
        )
    return (padded[0] - k) // stride + 1, (padded[1] - k) // stride + 1


def check_picture(name: str, argument: str, x: Array) -> None:
    """Raise unless `x` is a real-valued array of shape (N, C, H, W)."""
    real_array(f"{name}: {argument}", x)
    if x.ndim != 4:
        raise ValueError(f"{name}: {argument} must be (N, C, H, W), got shape {x.shape}")


def check_weight(name: str, weight: Array) -> None:
    """Raise unless `weight` is a real-valued array of shape (O, C, k, k), none of them 0."""
    check_picture(name, "weight", weight)
    if weight.shape[2] != weight.shape[3]:
        raise ValueError(f"{name}: weight must have a square kernel, got shape {weight.shape}")
    if 0 in weight.shape:
        raise ValueError(f"{name}: weight must not be empty, got shape {weight.shape}")


def check_conv(name: str, x: Array, weight: Array, bias: Array | None = None) -> None:
    """Raise unless x (N, C, H, W), weight (O, C, k, k) and bias (O,) fit together."""
    check_picture(name, "x", x)
    check_weight(name, weight)
    if bias is not None:
        real_array(f"{name}: bias", bias)
    array_module(x, weight, *(() if bias is None else (bias,)))  # all on one device
    if x.shape[1] != weight.shape[1]:
        raise ValueError(
            f"{name}: x has {x.shape[1]} channels, but weight {weight.shape} "
            f"takes {weight.shape[1]}"
        )
    if bias is not None and bias.shape != (weight.shape[0],):
        raise ValueError(
            f"{name}: bias must have shape ({weight.shape[0]},), one for each output channel, "
            f"got {bias.shape}"
        )


def common_dtype(x: Array, weight: Array, bias: Array | None) -> Any:
    """Return the dtype that NumPy gives a sum of the three."""
    return array_module(x).result_type(x, weight, *(() if bias is None else (bias,)))


def blocks(
    xp: Any, n: int, height: int, width: int, pixels: int = 0
) -> Iterator[tuple[slice, slice]]:
    """Cut (n, height, width) pixels into (images, rows) of about `pixels`, or a cache-full, each.

    Small images go several to a block; a large one goes in strips of whole rows. Either way a block
    of channels-last output is one contiguous piece of memory. The cut depends on the shape alone,
    never on the number of threads, so that sums are the same to the bit on any of them. Strips go
    in fours of rows, as `npespcn.fast.winograd` makes them.
    """
    pixels = pixels or (_BLOCK if xp is np else _DEVICE_BLOCK)
    images = max(1, pixels // max(1, height * width))
    rows = height if height * width <= pixels else max(4, pixels // width // 4 * 4)
    for i in range(0, n, images):
        for row in range(0, height, max(1, rows)):
            yield slice(i, min(i + images, n)), slice(row, min(row + rows, height))


def copy_rows(target: Array, x: Array, first_row: int, left: int) -> None:
    """Copy the rows of x from `first_row` on into `target`, `left` pixels in.

    Both are (N, C, H, W) in shape, whatever their memory order. Rows of `target` that lie above or
    below x stay as they are, which is how a block at the picture's border keeps its zeros.
    """
    above = max(0, -first_row)
    rows = x[:, :, max(0, first_row) : max(0, first_row + target.shape[2])]
    target[:, :, above : above + rows.shape[2], left : left + x.shape[3]] = rows
