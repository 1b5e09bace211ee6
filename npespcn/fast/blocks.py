"""Shared by the fast convolutions: padding, and cutting the work into blocks that fit the cache."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np

from npespcn.common import Array

Pads: TypeAlias = tuple[tuple[int, int], tuple[int, int]]
"""Zeros added ((above, below), (left, right))."""

NO_PADS: Pads = ((0, 0), (0, 0))
_BLOCK = 3072  # output pixels: a block's columns and products then stay in a core's L2 cache


def output_size(x: Array, k: int, pads: Pads) -> tuple[int, int]:
    """Return (H', W') of a convolution at stride 1."""
    (above, below), (left, right) = pads
    return x.shape[2] + above + below - k + 1, x.shape[3] + left + right - k + 1


def blocks(n: int, height: int, width: int, pixels: int = _BLOCK) -> Iterator[tuple[slice, slice]]:
    """Cut (n, height, width) pixels into (images, rows) of about `pixels` each.

    A block holds several small images, or a strip of whole rows of a large one. Either way a block
    of channels-last output is one contiguous piece of memory. The cut depends on the shape only,
    never on the number of threads, so that sums are the same to the bit on any of them. Strips have
    a multiple of four rows, because `npespcn.fast.winograd` makes four at a time.
    """
    images = max(1, pixels // max(1, height * width))
    rows = height if height * width <= pixels else max(4, pixels // width // 4 * 4)
    for i in range(0, n, images):
        for row in range(0, height, max(1, rows)):
            yield slice(i, min(i + images, n)), slice(row, min(row + rows, height))


def view(memory: Array, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    """View contiguous memory with another shape and other strides, in bytes.

    NumPy's own constructor, not ``as_strided``: it is three times quicker to call, and raises if
    the view would leave the memory.
    """
    return np.ndarray(shape, memory.dtype, memory, strides=strides)


def add_up(terms: list[Array], y: Array) -> None:
    """Write the sum of the terms into y, in as few passes over memory as possible."""
    if len(terms) == 1:
        y[...] = terms[0]
        return
    np.add(terms[0], terms[1], out=y)
    for term in terms[2:]:
        y += term
