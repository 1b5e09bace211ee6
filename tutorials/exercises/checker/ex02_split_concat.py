"""Exercise 2: pixel shuffle by split and concatenate."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from tutorials.exercises.checker.answers import answers
from tutorials.exercises.checker.ladder import ladder
from tutorials.exercises.checker.task import SEVERAL, Case, Mistake, Rung, Task

NAMING = ("runs", "shape", "values", "odd inputs")  # the rungs that may break by a known mistake

TITLE = "pixel shuffle by split and concatenate"
HINTS = (
    "Look at a single LR pixel: its r*r channels are a block of r rows and r columns. What has x "
    "to look like so that each block lies in the last two axes?",
    "A list of an array's pieces along its first axis is list(array); np.split keeps that axis, at "
    "length 1. np.concatenate joins along axis=0 unless you say otherwise. Count axes from the "
    "end: then leading axes make no difference.",
    "Reshape x to (..., C, r, r, H, W), and np.moveaxis the last two axes, (-2, -1), to (0, 1). "
    "Join list(blocks) along axis -2, and the list of the result along axis -1.",
)

SQUARE = "right for square pictures, wrong where H is not W"
COLORS = "right for one color channel, wrong for three"
QUESTIONS: list[tuple[tuple[int, ...], int, str]] = [  # shape, r, the oddity
    ((4, 1, 1), 2, ""),
    ((4, 2, 2), 2, ""),
    ((4, 1, 2), 2, SQUARE),
    ((4, 2, 1), 2, SQUARE),
    ((4, 2, 3), 2, SQUARE),
    ((12, 1, 1), 2, COLORS),
    ((12, 2, 2), 2, COLORS),
    ((2, 4, 1, 1), 2, "right for one picture, wrong for a batch of two"),
    ((2, 4, 2, 2), 2, "right for one picture, wrong for a batch of two"),
    ((9, 2, 2), 3, "right for r = 2, wrong for r = 3"),
    ((2, 27, 2, 3), 3, SEVERAL),
    ((2, 1, 27, 3, 2), 3, SEVERAL),
]


def ask(torch: Any, question: tuple[tuple[int, ...], int, str]) -> tuple[Any, ...]:
    """Ask torch.nn.PixelShuffle."""
    shape, r, _ = question
    return (torch.nn.PixelShuffle(r)(torch.from_numpy(_x(shape))).numpy(),)


def rungs() -> list[Rung]:
    """Return the ladder."""
    given = answers("ex02_split_concat", QUESTIONS, ask)
    cases = [
        Case({"x": _x(shape), "upscale_factor": r}, answer, oddity)
        for (shape, r, oddity), answer in zip(QUESTIONS, given, strict=True)
    ]
    task = Task(
        "pixel_shuffle_concat",
        cases=cases[:2],
        odd=cases[2:],
        mistakes=MISTAKES,
        dtypes=("float64", "float32", "uint8", "int16"),
        tolerance=0,
    )
    return ladder(task)


def _x(shape: tuple[int, ...]) -> Any:
    return np.arange(np.prod(shape)).reshape(shape)


def shuffled(x: Any, r: int, parts: str, axes: str = "chiwj") -> Any:
    """Shuffle with the channels counted as `parts`, "cij" in PyTorch; then put axes in order."""
    *leading, channels, h, w = x.shape
    sizes = {"c": channels // (r * r), "i": r, "j": r}
    n = len(leading)
    split = x.reshape(*leading, *(sizes[part] for part in parts), h, w)
    order = [n + (parts + "hw").index(axis) for axis in axes]
    return split.transpose(*range(n), *order).reshape(*leading, sizes["c"], h * r, w * r)


def _joined(x: Any, r: int, rows: int = -2, columns: int = -1, join: Any = np.concatenate) -> Any:
    """Cut and join as the solution does, but along any axes."""
    blocks = np.moveaxis(_parts(x, r), (-2, -1), (0, 1))  # (H, W, ..., C, i, j)
    return join(list(join(list(blocks), axis=rows)), axis=columns)


def _parts(x: Any, r: int) -> Any:
    """Return (..., C, i, j, H, W)."""
    *leading, channels, h, w = x.shape
    return x.reshape(*leading, channels // (r * r), r, r, h, w)


def _rows_alone(x: Any, upscale_factor: int) -> Any:
    blocks = np.moveaxis(_parts(x, upscale_factor), (-2, -1), (0, 1))
    return np.concatenate(list(blocks), axis=-2)  # (W, ..., C, H*r, j)


def _columns_alone(x: Any, upscale_factor: int) -> Any:
    blocks = np.moveaxis(_parts(x, upscale_factor), (-1, -2), (0, 1))
    return np.concatenate(list(blocks), axis=-1)  # (H, ..., C, i, W*r)


def _unmoved(x: Any, upscale_factor: int) -> Any:
    r = upscale_factor
    *leading, channels, h, w = x.shape
    blocks = x.reshape(h, w, *leading, channels // (r * r), r, r)
    return np.concatenate(list(np.concatenate(list(blocks), axis=-2)), axis=-1)


def _maps(x: Any, upscale_factor: int) -> Any:
    parts = np.moveaxis(_parts(x, upscale_factor), (-4, -3), (0, 1))  # (i, j, ..., C, H, W)
    wide = [np.concatenate(list(row), axis=-1) for row in parts]  # i pieces of (..., C, H, W*r)
    return np.concatenate(wide, axis=-2)


def _from_the_front(x: Any, upscale_factor: int) -> Any:
    return _joined(x, upscale_factor, rows=2, columns=2)


def _lost_squeeze(x: Any, upscale_factor: int) -> Any:
    return np.squeeze(shuffled(x, upscale_factor, "cij"))


def _cut_by_h(x: Any, upscale_factor: int) -> Any:
    blocks = np.moveaxis(_parts(x, upscale_factor), (-2, -1), (0, 1))
    tall = np.concatenate(list(blocks), axis=-2)  # (W, ..., C, H*r, j)
    return np.concatenate([tall[i] for i in range(x.shape[-2])], axis=-1)


def _cut_by_w(x: Any, upscale_factor: int) -> Any:
    blocks = np.moveaxis(_parts(x, upscale_factor), (-2, -1), (0, 1))
    tall = np.concatenate([blocks[i] for i in range(x.shape[-1])], axis=-2)
    return np.concatenate(list(tall), axis=-1)


def _first_channel(x: Any, upscale_factor: int) -> Any:
    return shuffled(x[..., : upscale_factor**2, :, :], upscale_factor, "cij")


def _wrong_axes() -> list[Mistake]:
    """Name every other pair of axes to join along."""
    named = {-3: "C (axis -3)", -2: "i (axis -2)", -1: "j (axis -1)"}
    return [
        Mistake(
            _wrong_axis(rows, columns, named), partial(_joined_along, rows=rows, columns=columns)
        )
        for rows in named
        for columns in named
        if (rows, columns) != (-2, -1)
    ]


def _wrong_axis(rows: int, columns: int, named: dict[int, str]) -> str:
    if columns == -1:
        return f"the H pieces are joined along {named[rows]}: join them along i (axis -2)"
    if rows == -2:
        return f"the W pieces are joined along {named[columns]}: join them along j (axis -1)"
    return (
        f"the H pieces are joined along {named[rows]} and the W pieces along {named[columns]}: "
        "join the H pieces along i and the W pieces along j"
    )


def _joined_along(x: Any, upscale_factor: int, rows: int, columns: int) -> Any:
    return _joined(x, upscale_factor, rows, columns)


SPLIT = (
    "np.split keeps the axis that it cuts, at length 1, and your result still has it: take it off "
    "each piece, as piece[0] does"
)
STACK = (
    "the pieces were not joined along an axis that they have: np.concatenate does it, and np.stack "
    "makes a new axis"
)

MISTAKES = (
    Mistake(
        "your output is TensorFlow's order (DCR): PyTorch keeps the image channel slowest",
        lambda x, upscale_factor: shuffled(x, upscale_factor, "ijc"),
    ),
    Mistake(
        "rows and columns of each block are swapped: i counts the rows, and j, which is faster, "
        "the columns",
        lambda x, upscale_factor: shuffled(x, upscale_factor, "cji"),
    ),
    Mistake(
        "your output is equation 4's order with x the row: rows and columns of each block are "
        "swapped, and the image channel counts fastest",
        lambda x, upscale_factor: shuffled(x, upscale_factor, "jic"),
    ),
    Mistake(
        "the blocks are not gathered: a reshape by itself leaves the numbers of an LR pixel apart. "
        "Give i and j axes of their own, then move H and W to the front",
        _unmoved,
    ),
    Mistake(
        "nothing was moved: a single reshape gives the right shape and leaves numbers where they "
        "were",
        lambda x, upscale_factor: x.reshape(
            *x.shape[:-3],
            x.shape[-3] // upscale_factor**2,
            x.shape[-2] * upscale_factor,
            x.shape[-1] * upscale_factor,
        ),
    ),
    Mistake(
        "whole channels lie side by side: each LR pixel must become a block, so cut the picture "
        "into its rows and its columns, not the channels into maps",
        _maps,
    ),
    Mistake(
        "the picture is transposed: rows come out as columns",
        lambda x, upscale_factor: np.swapaxes(shuffled(x, upscale_factor, "cij"), -1, -2),
    ),
    *_wrong_axes(),
    Mistake(
        "the pieces are joined along their first axis, as np.concatenate does unless you say "
        "otherwise: the H pieces need axis=-2, the W pieces axis=-1",
        lambda x, upscale_factor: _joined(x, upscale_factor, 0, 0),
    ),
    Mistake(
        "the H pieces are joined along their first axis: join them along i, which is axis -2",
        lambda x, upscale_factor: _joined(x, upscale_factor, 0, -1),
    ),
    Mistake(
        "the W pieces are joined along their first axis: join them along j, which is axis -1",
        lambda x, upscale_factor: _joined(x, upscale_factor, -2, 0),
    ),
    Mistake("only the H pieces are joined: then join the W pieces of that along j", _rows_alone),
    Mistake("only the W pieces are joined: the H pieces are to be joined too", _columns_alone),
    Mistake(SPLIT, lambda x, upscale_factor: shuffled(x, upscale_factor, "cij")[None]),
    Mistake(SPLIT, lambda x, upscale_factor: shuffled(x, upscale_factor, "cij")[None, None]),
    Mistake(STACK, lambda x, upscale_factor: _joined(x, upscale_factor, join=np.stack)),
    Mistake(STACK, lambda x, upscale_factor: _joined(x, upscale_factor, 0, 0, join=np.stack)),
    Mistake(
        "an axis is missing: leading axes and the image channel's stay, even at length 1. "
        "(np.squeeze takes all of length 1 off, unless you say which.)",
        _lost_squeeze,
    ),
    Mistake(
        "right for square pictures, wrong where H is not W: the second cut makes W pieces, not H",
        _cut_by_h,
    ),
    Mistake(
        "right for square pictures, wrong where H is not W: the first cut makes H pieces, not W",
        _cut_by_w,
    ),
    Mistake(
        "right for one color channel, wrong for three: only the first is there, and each has r*r "
        "channels of its own",
        _first_channel,
    ),
    Mistake(
        "axes are counted from the front, and a batch puts one more there: count from the end, i "
        "is axis -2 and j is axis -1",
        _from_the_front,
    ),
    Mistake(
        "the shuffle is right for three axes, but a batch has four",
        lambda x, upscale_factor: shuffled(x, upscale_factor, "cij") if x.ndim == 3 else _refuse(x),
    ),
)


def _refuse(x: Any) -> Any:
    raise ValueError(f"{x.ndim} axes")
