"""Exercise 3: pixel unshuffle, and the backward pass of the shuffle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from tutorials.exercises.checker.answers import answers, wave
from tutorials.exercises.checker.ex01_pixel_shuffle import shuffled
from tutorials.exercises.checker.ladder import check_values, ladder, naming
from tutorials.exercises.checker.student import Broken, Student
from tutorials.exercises.checker.task import SEVERAL, Case, Mistake, Rung, Task

TITLE = "pixel unshuffle, and the backward pass of the shuffle"
HINTS = (
    "Exercise 1 was reshape, transpose, reshape. Undo the last step first: which two numbers make "
    "a row of the image, and which is the slower? For the backward pass: where in y is x[2]?",
    "Split the image into the axes C, H, i, W, j. A channel number is c*r*r + i*r + j, so C, i and "
    "j must stand together, in this order. A shuffle only copies: dx[2] is one number of dy.",
    "y.reshape(..., C, H, r, W, r), transposed to C, i, j, H, W, and one reshape. The matrix of a "
    "shuffle is a permutation's, so its transpose is its inverse: which function is that?",
)

BATCH = "right for one picture, wrong for a batch of two"
COLORS = "right for one color channel, wrong for three"
SQUARE = "right for square pictures, wrong where H is not W"
THREE = "right for r = 2, wrong for r = 3"
UNSHUFFLED: list[tuple[tuple[int, ...], int, str]] = [  # shape of y, r, the oddity
    ((1, 2, 2), 2, ""),
    ((1, 4, 4), 2, ""),
    ((1, 2, 4), 2, SQUARE),
    ((1, 4, 2), 2, SQUARE),
    ((3, 2, 2), 2, COLORS),
    ((3, 4, 4), 2, COLORS),
    ((2, 1, 4, 4), 2, BATCH),
    ((1, 6, 6), 3, THREE),
    ((2, 3, 6, 9), 3, SEVERAL),
    ((2, 1, 3, 9, 6), 3, SEVERAL),
]
BACKWARD: list[tuple[tuple[int, ...], int, str]] = [  # more than one color is for the last rung
    ((1, 2, 2), 2, ""),
    ((1, 4, 4), 2, ""),
    ((1, 2, 4), 2, SQUARE),
    ((1, 4, 2), 2, SQUARE),
    ((2, 1, 4, 4), 2, BATCH),
    ((1, 6, 6), 3, THREE),
    ((2, 1, 6, 9), 3, SEVERAL),
    ((2, 3, 6, 9), 3, COLORS),  # the gradient rung's
]
QUESTIONS = [("unshuffle", *question) for question in UNSHUFFLED]
QUESTIONS += [("backward", *question) for question in BACKWARD]


def ask(torch: Any, question: tuple[str, tuple[int, ...], int, str]) -> tuple[Any, ...]:
    """Ask torch.nn.PixelUnshuffle, or the autograd of torch.nn.PixelShuffle."""
    kind, shape, r, _ = question
    if kind == "unshuffle":
        return (torch.nn.PixelUnshuffle(r)(torch.from_numpy(_y(shape))).numpy(),)
    *leading, c, height, width = shape
    x = torch.zeros(*leading, c * r * r, height // r, width // r, dtype=torch.float64)
    x.requires_grad_()
    torch.nn.PixelShuffle(r)(x).backward(torch.from_numpy(wave(*shape)))
    return (x.grad.numpy(),)


def rungs() -> list[Rung]:
    """Return the ladders of both functions."""
    given = answers("ex03_unshuffle", QUESTIONS, ask)
    unshuffle = [
        Case({"y": _y(shape), "downscale_factor": r}, answer, oddity)
        for (shape, r, oddity), answer in zip(UNSHUFFLED, given[: len(UNSHUFFLED)], strict=True)
    ]
    backward = [
        Case({"dy": wave(*shape), "upscale_factor": r}, answer, oddity)
        for (shape, r, oddity), answer in zip(BACKWARD, given[len(UNSHUFFLED) :], strict=True)
    ]
    first = Task(
        "pixel_unshuffle",
        cases=unshuffle[:2],
        odd=unshuffle[2:],
        mistakes=[*_wrong_ways("y"), BATCHLESS, _shuffled_again("y", _by_axes)],
        results=("x",),
        dtypes=("float64", "float32", "uint8", "int16"),
        tolerance=0,
    )
    second = Task(
        "pixel_shuffle_backward",
        cases=backward[:2],
        odd=backward[2:-1],
        mistakes=[
            *_wrong_ways("dy"),
            *_wrong_gradients(),
            BATCHLESS,
            _shuffled_again("dy", _by_axes),
        ],
        results=("dx",),
    )
    # Where C is no multiple of r*r, one more shuffle may raise. Here it does not, and is found out.
    probes = [
        Case({"y": x, "downscale_factor": 2}, (unshuffled(x, 2),))
        for x in (_y((4, 2, 2)), _y((2, 4, 2, 4)))
    ]
    more = [
        Case({"dy": x.astype(float), "upscale_factor": 2}, case.answer)
        for case in probes
        for x in [case.arguments["y"]]
    ]
    second = replace(second, probes=[*more, backward[-1]])
    second = replace(second, gradient=partial(_gradient, second, backward[-1]))
    return ladder(replace(first, probes=probes), second)


def unshuffled(y: Any, r: int, parts: str = "cij", axes: str = "hiwj") -> Any:
    """Unshuffle to channels counted as `parts`, of rows and columns that are split as `axes`."""
    *leading, c, height, width = y.shape
    sizes = {"c": c, "i": r, "j": r, "h": height // r, "w": width // r}
    n, axes = len(leading), f"c{axes}"
    split = y.reshape(*leading, *(sizes[axis] for axis in axes))
    order = [n + axes.index(axis) for axis in f"{parts}hw"]
    return split.transpose(*range(n), *order).reshape(*leading, c * r * r, height // r, width // r)


def _y(shape: tuple[int, ...]) -> Any:
    return np.arange(np.prod(shape)).reshape(shape)


def _gradient(task: Task, case: Case, student: Student) -> None:
    """Compare <shuffle(x), g> with <x, backward(g)> for a random g, C = 3, r = 3 and H not W."""
    try:
        exact = replace(task, tolerance=1e-12)
        naming(partial(check_values, cases=[case]), exact, student)
    except Broken as error:
        dy, r = case.arguments.values()
        x = wave(*case.answer[0].shape, start=0.5)
        back, ones = (_product(student, task, x, g, r) for g in (dy, np.ones_like(dy)))
        lines, grid = [], [error.shown] if error.shown else []
        if back is not None:
            ahead = float(np.sum(shuffled(x, r, "cij") * dy))
            digits = 6 if abs(ahead - back) > 1e-4 * abs(ahead) else 12
            if digits == 12:
                grid = []  # where all would look the same
            lines.append(
                f"sum(pixel_shuffle(x, {r}) * dy) is {ahead:.{digits}g}, sum(x * dx) is "
                f"{back:.{digits}g}: they must be the same"
            )
            if digits == 6 and ones is not None and np.isclose(ones, np.sum(x)):
                lines.append(
                    f"all ones as dy would not show it: both are {ones:.6g} then, the sum of x, "
                    "however its numbers are mixed up; so take a random dy, and C above 1"
                )
        raise Broken(error.message, error.example, "\n".join(lines + grid)) from None


def _product(student: Student, task: Task, x: Any, dy: Any, r: int) -> float | None:
    """Return <x, backward(dy)>, if it can be had."""
    try:
        dx = student.call(task.name, {"dy": dy, "upscale_factor": r})
        return float(np.sum(x * dx)) if np.shape(dx) == x.shape else None
    except (Broken, TypeError, ValueError):
        return None


Way = Callable[[Any, int], Any]


def _mistake(message: str, way: Way) -> Mistake:
    """Make a mistake of either function, whose arguments have names of their own."""
    return Mistake(message, lambda **given: way(*given.values()))


def _wrong_ways(what: str) -> list[Mistake]:
    """Return the mistakes of both functions, which rearrange `what`, y or dy."""
    ways: Sequence[tuple[str, Way]] = [
        (
            "the channels are in TensorFlow's order (DCR): PyTorch keeps the image channel "
            "slowest, c*r*r + i*r + j",
            lambda y, r: unshuffled(y, r, "ijc"),
        ),
        (
            "rows and columns of each block are swapped: channel c*r*r + i*r + j holds row i and "
            "column j of the blocks",
            lambda y, r: unshuffled(y, r, "cji"),
        ),
        (
            "the channels are in equation 4's order with x the row: rows and columns of each block "
            "are swapped, and the image channel counts fastest",
            lambda y, r: unshuffled(y, r, "jic"),
        ),
        (
            "nothing was moved: a single reshape gives the right shape and leaves numbers where "
            "they were",
            _reshaped,
        ),
        (
            "rows are split into i and then H: a row number is h*r + i, H the slower, so reshape "
            "to C, H, i, W, j",
            lambda y, r: unshuffled(y, r, axes="ihjw"),
        ),
        (
            "the axes are transposed as in the shuffle: to undo it, bring C, H, i, W, j back to "
            "C, i, j, H, W",
            _transposed_again,
        ),
        (
            "the axes before the last reshape are C, H, W, i, j: channels come first, so they must "
            "be C, i, j, H, W",
            _blocks_last,
        ),
        (
            "the picture is transposed: rows come out as columns",
            lambda y, r: unshuffled(np.swapaxes(y, -1, -2), r),
        ),
        (
            f"each block is averaged, and nothing may be: every number of {what} goes to a channel "
            "of its own",
            lambda y, r: unshuffled(y, r).reshape(_blocks(y, r)).mean(axis=-3),
        ),
        (
            f"each block is averaged, and nothing may be: every number of {what} goes to a channel "
            "of its own",
            lambda y, r: np.repeat(unshuffled(y, r).reshape(_blocks(y, r)).mean(-3), r * r, -3),
        ),
        (
            f"each block is added up, and nothing may be: every number of {what} goes to a channel "
            "of its own",
            lambda y, r: unshuffled(y, r).reshape(_blocks(y, r)).sum(axis=-3),
        ),
        (
            "one number of each block is kept: the others are channels too, r*r in all",
            lambda y, r: y[..., ::r, ::r],
        ),
        (f"{what} comes back as it is: (..., C*r*r, H, W) is wanted", lambda y, r: y),
    ]
    return [_shuffled_again(what, _by_slices), *(_mistake(*way) for way in ways)]


def _wrong_gradients() -> list[Mistake]:
    """Return mistakes that are only about the backward pass."""
    copied = "each number of x is copied to one place, so dx has the numbers of dy as they are"
    ways: Sequence[tuple[str, Way]] = [
        (f"dx is r*r times too large: {copied}", lambda dy, r: unshuffled(dy, r) * (r * r)),
        (f"dx is r*r times too small: {copied}", lambda dy, r: unshuffled(dy, r) / (r * r)),
        (f"dx is r times too large: {copied}", lambda dy, r: unshuffled(dy, r) * r),
        (f"dx is r times too small: {copied}", lambda dy, r: unshuffled(dy, r) / r),
        (f"dx has the wrong sign: {copied}", lambda dy, r: -unshuffled(dy, r)),
        (
            "dx is all ones: the derivative of a copy is 1, and by the chain rule that is "
            "multiplied by dy",
            lambda dy, r: np.ones_like(unshuffled(dy, r)),
        ),
        (
            "dx is all zeros: a shuffle computes nothing, but a change of x changes y as much",
            lambda dy, r: np.zeros_like(unshuffled(dy, r)),
        ),
        (
            "dx is rounded to float32 on the way, and loses half its digits: keep the type of dy",
            lambda dy, r: unshuffled(dy, r).astype(np.float32).astype(dy.dtype),
        ),
    ]
    return [_mistake(message, way) for message, way in ways]


def _shuffled_again(what: str, way: Way) -> Mistake:
    return _mistake(
        f"{what} is shuffled again: the way back is from (..., C, H*r, W*r) to (..., C*r*r, H, W)",
        way,
    )


def _by_slices(x: Any, r: int) -> Any:
    """Shuffle as the student's file does: where C is below r*r, no channel is left."""
    *leading, channels, h, w = x.shape
    y = np.empty((*leading, channels // (r * r), h * r, w * r), x.dtype)
    for i, j in np.ndindex(r, r):
        y[..., i::r, j::r] = x[..., i * r + j :: r * r, :, :]
    return y


def _by_axes(x: Any, r: int) -> Any:
    """Shuffle as in exercise 1: where C is no multiple of r*r, this raises."""
    return shuffled(x, r, "cij")


def _reshaped(y: Any, r: int) -> Any:
    *leading, c, height, width = y.shape
    return y.reshape(*leading, c * r * r, height // r, width // r)


def _transposed_again(y: Any, r: int) -> Any:
    """Put the axes (C, H, i, W, j) in order by (0, 3, 1, 4, 2), as the shuffle does its own."""
    *leading, c, height, width = y.shape
    n, h, w = len(leading), height // r, width // r
    split = y.reshape(*leading, c, h, r, w, r).transpose(*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return split.reshape(*leading, c * r * r, h, w)


def _blocks_last(y: Any, r: int) -> Any:
    return np.moveaxis(
        unshuffled(y, r).reshape(_blocks(y, r)), -3, -1
    ).reshape(_reshaped(y, r).shape)  # fmt: skip


def _blocks(y: Any, r: int) -> tuple[int, ...]:
    """Return the shape (..., C, r*r, H, W)."""
    *leading, height, width = y.shape
    return (*leading, r * r, height // r, width // r)


def _one_picture(y: Any, r: int) -> Any:
    if y.ndim != 3:
        raise ValueError(f"{y.ndim} axes")
    return unshuffled(y, r)


BATCHLESS = _mistake("right for three axes, but a batch has four", _one_picture)
