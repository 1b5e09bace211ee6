"""Exercise 1: pixel shuffle by reshape and transpose."""

from __future__ import annotations

from typing import Any

import numpy as np

from tutorials.exercises.checker.answers import answers
from tutorials.exercises.checker.ladder import ladder
from tutorials.exercises.checker.task import SEVERAL, Case, Mistake, Rung, Task

TITLE = "pixel shuffle by reshape and transpose"
HINTS = (
    "A channel number is made of three: c, i and j. Give each of them an axis of its own. What "
    "shape does x have then?",
    "A row of the image is row h of the channels and then i within the block; a column is w and "
    "then j. So i must stand behind h, and j behind w. Which order of axes is that?",
    "x.reshape(..., C, r, r, H, W), whose axes are C, i, j, H, W; transpose them to C, H, i, W, j; "
    "one more reshape. Leading axes stay in front.",
)

QUESTIONS: list[tuple[tuple[int, ...], int, str]] = [  # shape, r, the oddity
    ((4, 1, 1), 2, ""),
    ((4, 2, 2), 2, ""),
    ((4, 1, 2), 2, "right for square pictures, wrong where H is not W"),
    ((4, 2, 1), 2, "right for square pictures, wrong where H is not W"),
    ((12, 1, 1), 2, "right for one color channel, wrong for three"),
    ((12, 2, 2), 2, "right for one color channel, wrong for three"),
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
    given = answers("ex01_pixel_shuffle", QUESTIONS, ask)
    cases = [
        Case({"x": _x(shape), "upscale_factor": r}, answer, oddity)
        for (shape, r, oddity), answer in zip(QUESTIONS, given, strict=True)
    ]
    task = Task(
        "pixel_shuffle",
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


MISTAKES = (
    Mistake(
        "your output is TensorFlow's order (DCR): PyTorch keeps the image channel slowest",
        lambda x, upscale_factor: shuffled(x, upscale_factor, "ijc"),
    ),
    Mistake(
        "your output is equation 4's order with x the row: rows and columns of each block are "
        "swapped, and the image channel counts fastest",
        lambda x, upscale_factor: shuffled(x, upscale_factor, "jic"),
    ),
    Mistake(
        "rows and columns of each block are swapped: i counts the rows, and j, which is faster, "
        "the columns",
        lambda x, upscale_factor: shuffled(x, upscale_factor, "cji"),
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
        "the axes before the last reshape are C, i, H, j, W: i must stand behind H, and j behind W",
        lambda x, upscale_factor: shuffled(x, upscale_factor, "cij", "cihjw"),
    ),
    Mistake(
        "the axes before the last reshape are C, H, j, W, i: i belongs to the rows, j to the "
        "columns",
        lambda x, upscale_factor: shuffled(x, upscale_factor, "cij", "chjwi"),
    ),
    Mistake(
        "the picture is transposed: rows come out as columns",
        lambda x, upscale_factor: np.swapaxes(shuffled(x, upscale_factor, "cij"), -1, -2),
    ),
    Mistake(
        "the shuffle is right for three axes, but a batch has four",
        lambda x, upscale_factor: shuffled(x, upscale_factor, "cij") if x.ndim == 3 else _refuse(x),
    ),
)


def _refuse(x: Any) -> Any:
    raise ValueError(f"{x.ndim} axes")
