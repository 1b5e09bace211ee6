"""An image in tiles: each goes through the whole network, with what it sees around it.

A tile begins with the `halo` of pixels around it that its output depends on, so the tiles fit
together without a seam, and a large image's feature maps never exist as a whole.
"""

from __future__ import annotations

import itertools
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]
"""From the first pixel to one after the last."""


def cut(start: int, stop: int, about: int) -> list[Span]:
    """Cut start..stop into spans of about equal length, as near to `about` as that goes.

    Each begins a multiple of 4 after `start`. `npespcn.fast.winograd` makes rows in fours; so tiles
    have the fours of the whole image, and nearly its rounding.
    """
    length, fours = stop - start, -(-(stop - start) // 4)
    count = min(fours, max(1, round(length / about)))
    edges = [*(start + 4 * (fours * i // count) for i in range(count)), stop]
    return list(itertools.pairwise(edges))


def with_halo(start: int, stop: int, size: int, halo: int) -> tuple[slice, Span]:
    """Return start..stop with a halo, as far as 0..size goes, and how much of the halo is missing."""
    missing = (max(0, halo - start), max(0, stop + halo - size))
    return slice(max(0, start - halo), min(size, stop + halo)), missing
