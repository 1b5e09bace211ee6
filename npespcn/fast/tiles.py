"""Cut an image into tiles; each goes through the whole network, with a halo around it.

The `halo` is the pixels around a tile that its output depends on. With it the tiles fit together
without a seam, and a large image's feature maps never exist as a whole.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np

from npespcn.arrays import array_module
from npespcn.common import Array
from npespcn.fast.memory import Pads
from npespcn.fast.threads import parallel_map

Work = TypeVar("Work")

Span: TypeAlias = tuple[int, int]
"""The first pixel, and one after the last."""


class Tile(NamedTuple):
    """A piece of an image.

    `place` is its rows and columns; `part` is those with the halo around them, as far as the image
    reaches; `missing` is the width of the halo outside the image: ((above, below), (left, right)).
    """

    place: tuple[Span, Span]
    part: tuple[slice, slice]
    missing: Pads


def tile_size(x: Array) -> Span:
    """Return the rows and columns of a good tile: small on a CPU, where it stays in the cache."""
    return (192, 160) if array_module(x) is np else (512, 512)


def cut_tiles(height: int, width: int, halo: int, about: Span, lost: int = 0) -> list[Tile]:
    """Cut an image into tiles of about (rows, columns), without the `lost` pixels at its border."""
    tiles = []
    for top_bottom in cut(lost, height - lost, about[0]):
        rows, above_below = with_halo(*top_bottom, height, halo)
        for left_right in cut(lost, width - lost, about[1]):
            columns, sides = with_halo(*left_right, width, halo)
            tiles.append(Tile((top_bottom, left_right), (rows, columns), (above_below, sides)))
    return tiles


def run_all(function: Callable[[Work], object], work: list[Work], like: Array) -> None:
    """Call the function for every tile: on all cores, or one after the other if `like` is on a GPU.

    A GPU's kernels queue up by themselves, and each thread would have a current device of its own.
    """
    if array_module(like) is np:
        parallel_map(function, work)
    else:
        for each in work:
            function(each)


def cut(start: int, stop: int, about: int) -> list[Span]:
    """Cut start..stop into spans of about equal length, as close to `about` as possible.

    Each begins a multiple of 4 after `start`. `npespcn.fast.winograd` makes rows in fours, so a
    tile has the same fours as the whole image, and nearly the same rounding.
    """
    length, fours = stop - start, -(-(stop - start) // 4)
    count = min(fours, max(1, round(length / about)))
    edges = [*(start + 4 * (fours * i // count) for i in range(count)), stop]
    return list(itertools.pairwise(edges))


def with_halo(start: int, stop: int, size: int, halo: int) -> tuple[slice, Span]:
    """Return start..stop with a halo, cut to 0..size, and the widths that were cut off."""
    missing = (max(0, halo - start), max(0, stop + halo - size))
    return slice(max(0, start - halo), min(size, stop + halo)), missing
