"""Exercise 2: pixel shuffle by split and concatenate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from tutorials.exercises.checker.engine import Exercise, Function
from tutorials.exercises.checker.ex01_pixel_shuffle import INPUTS
from tutorials.exercises.checker.inputs import SQUARE
from tutorials.exercises.checker.shuffles import ORDERS, one_picture, shuffled


def _joined(
    x: Any,
    upscale_factor: int,
    rows: int | None = -2,
    columns: int | None = -1,
    join: Any = np.concatenate,
) -> Any:
    """Cut the right picture into its blocks, and join them along other axes, or None."""
    y, r = shuffled(x, upscale_factor), upscale_factor
    *leading, height, width = y.shape
    pieces = np.einsum("...hiwj->hw...ij", y.reshape(*leading, height // r, r, width // r, r))
    if rows is not None:
        pieces = join(list(pieces), axis=rows)
    return pieces if columns is None else join(list(pieces), axis=columns)


def _not_moved(x: Any, upscale_factor: int) -> Any:
    """Take the blocks as they lie in memory."""
    r = upscale_factor
    *leading, channels, h, w = x.shape
    blocks = x.reshape(h, w, *leading, channels // (r * r), r, r)
    return np.einsum("hw...ij->...hiwj", blocks).reshape(*leading, -1, h * r, w * r)


def _taken(x: Any, n: int, axis: int) -> Any:
    """Take the first n along an axis; as many must be there."""
    return np.take(x, range(n), axis)


def _wrong_axes() -> Iterator[tuple[str, Any]]:
    names = {-2: "i", -1: "j", -3: "C", 0: "their first axis"}
    for rows, columns in product(names, names):
        wrong = [
            f"the {which} pieces are joined along {names[axis]}, and not along {names[right]}"
            for which, axis, right in (("H", rows, -2), ("W", columns, -1))
            if axis != right
        ]
        if wrong:
            yield "; ".join(wrong), partial(_joined, rows=rows, columns=columns)


EXERCISE = Exercise(
    title="pixel shuffle by split and concatenate",
    hints=(
        "Look at a single pixel of x. Its r*r channels make a block of r rows and r columns. Which "
        "shape must x have, so that each block lies in the last two axes?",
        "To iterate over an array is to cut it along its first axis. So in which order must the "
        "axes stand before the first cut? And which axis is the first after the first join?",
        "np.concatenate joins along the first axis unless it is told another. Which axis grows by "
        "the first join, and which by the second? Count both from the end: then leading axes make "
        "no difference.",
    ),
    functions=[
        Function(
            "pixel_shuffle_concat",
            reference=shuffled,
            inputs=replace(INPUTS, empty="n"),
            exact=True,
            axes={"x": "channels H W", "y": "C rows columns"},
            mistakes=[
                *((cause, partial(shuffled, channel=channel)) for cause, channel in ORDERS),
                (
                    "the numbers of a block are not gathered: a reshape moves none, and r*r "
                    "neighbors in x are no block",
                    _not_moved,
                ),
                (
                    "whole channels lie side by side: but each pixel of x must become a block",
                    partial(shuffled, apart=True),
                ),
                (
                    "axes are counted from the front, and a batch puts one more there",
                    partial(_joined, rows=2, columns=2),
                ),
                *_wrong_axes(),
                (
                    "only the H pieces are joined, and not the W pieces",
                    partial(_joined, columns=None),
                ),
                ("only the W pieces are joined, and not the H pieces", partial(_joined, rows=None)),
                (
                    "pieces are put in a row along a new axis, as np.stack does. They must become "
                    "longer along an axis that they have",
                    partial(_joined, join=np.stack),
                ),
                (
                    f"{SQUARE}: the second cut makes W pieces, and not H",
                    lambda x, upscale_factor: shuffled(_taken(x, x.shape[-2], -1), upscale_factor),
                ),
                (
                    f"{SQUARE}: the first cut makes H pieces, and not W",
                    lambda x, upscale_factor: shuffled(_taken(x, x.shape[-1], -2), upscale_factor),
                ),
                (
                    "the shuffle is right for three axes, but a batch has four",
                    lambda x, upscale_factor: one_picture(shuffled)(x, upscale_factor),
                ),
            ],
        )
    ],
)
