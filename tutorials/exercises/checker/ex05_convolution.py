"""Exercise 5: im2col and the forward convolution."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tutorials.exercises.checker import grids
from tutorials.exercises.checker.answers import answers, wave
from tutorials.exercises.checker.conv_slips import CONV_MISTAKES, IM2COL_MISTAKES
from tutorials.exercises.checker.ladder import ladder
from tutorials.exercises.checker.student import Broken, Student
from tutorials.exercises.checker.task import SEVERAL, Case, Rung, Task

TITLE = "im2col and the forward convolution"
HINTS = (
    "First make the picture larger: zeros on its four sides, and none around the axes N and C. How "
    "many places has a kernel of k by k pixels in it, in each direction?",
    "Take one entry (i, j) of the kernel. The pixels that it meets, at all positions, are one "
    "slice of the larger picture, H' by W'. Two loops, over i and j, fill all rows of the columns.",
    "columns, of shape (N, C, k, k, H', W'), gets columns[:, :, i, j] = padded[:, :, i:i + H', "
    "j:j + W'], and one reshape. Then weight.reshape(O, C*k*k) @ columns is (N, O, H'*W'), and "
    "the bias is bias[:, None].",
)

SQUARE = "right for square pictures, wrong where H is not W"
CHANNELS = "right for one channel, wrong for more"
BATCH = "right for one picture, wrong for a batch of two"
ONE = "right for larger kernels, wrong for k = 1"
THREE = "right for k = 2 and for k = 3 with padding, wrong for k = 3 without"
TWO = "right for padding = 1, wrong for padding = 2"

# The function; the shape of x; O, of the convolution; k; padding, None to leave it out; the oddity
Question = tuple[str, tuple[int, ...], int, int, int | None, str]
QUESTIONS: list[Question] = [
    ("im2col", (1, 1, 2, 2), 0, 2, None, ""),
    ("im2col", (1, 1, 3, 3), 0, 2, 0, ""),
    ("im2col", (1, 1, 3, 3), 0, 3, 1, ""),
    ("im2col", (1, 1, 2, 2), 0, 2, 1, ""),
    ("im2col", (1, 1, 2, 3), 0, 2, 0, SQUARE),
    ("im2col", (1, 1, 3, 2), 0, 2, 0, SQUARE),
    ("im2col", (1, 2, 2, 2), 0, 2, 0, CHANNELS),
    ("im2col", (1, 3, 3, 3), 0, 2, 0, CHANNELS),
    ("im2col", (2, 1, 2, 2), 0, 2, 0, BATCH),
    ("im2col", (2, 1, 3, 3), 0, 2, 0, BATCH),
    ("im2col", (1, 1, 2, 2), 0, 1, 0, ONE),
    ("im2col", (1, 1, 4, 4), 0, 3, 0, THREE),
    ("im2col", (1, 1, 1, 1), 0, 3, 2, TWO),
    ("im2col", (1, 1, 2, 2), 0, 3, 2, TWO),
    ("im2col", (2, 3, 4, 5), 0, 3, 1, SEVERAL),
    ("im2col", (3, 2, 5, 3), 0, 5, 2, SEVERAL),
    ("conv2d_forward", (1, 1, 2, 2), 1, 2, None, ""),
    ("conv2d_forward", (1, 1, 3, 3), 2, 2, 0, ""),
    ("conv2d_forward", (1, 1, 3, 3), 1, 3, 1, ""),
    ("conv2d_forward", (1, 1, 2, 2), 1, 2, 1, ""),
    ("conv2d_forward", (1, 1, 2, 3), 1, 2, 0, SQUARE),
    ("conv2d_forward", (1, 1, 3, 2), 1, 2, 0, SQUARE),
    ("conv2d_forward", (1, 1, 3, 4), 2, 2, 0, SQUARE),
    ("conv2d_forward", (1, 2, 2, 2), 1, 2, 0, CHANNELS),
    ("conv2d_forward", (1, 3, 3, 3), 2, 2, 0, CHANNELS),
    ("conv2d_forward", (2, 1, 2, 2), 1, 2, 0, BATCH),
    ("conv2d_forward", (2, 1, 3, 3), 2, 2, 0, BATCH),
    ("conv2d_forward", (1, 1, 2, 2), 2, 1, 0, ONE),
    ("conv2d_forward", (1, 1, 4, 4), 1, 3, 0, THREE),
    ("conv2d_forward", (1, 1, 1, 1), 1, 3, 2, TWO),
    ("conv2d_forward", (1, 1, 2, 2), 2, 3, 2, TWO),
    ("conv2d_forward", (2, 3, 4, 5), 4, 3, 1, SEVERAL),
    ("conv2d_forward", (3, 4, 5, 3), 2, 5, 2, SEVERAL),
]


def ask(torch: Any, question: Question) -> tuple[Any, ...]:
    """Ask torch.nn.functional.unfold and conv2d."""
    given = _arguments(question)
    tensors = [torch.from_numpy(v) if isinstance(v, np.ndarray) else v for v in given.values()]
    padding = given.get("padding", 0)
    if question[0] == "im2col":
        return (torch.nn.functional.unfold(*tensors[:2], padding=padding).numpy(),)
    return (torch.nn.functional.conv2d(*tensors[:3], padding=padding).numpy(),)


def rungs() -> list[Rung]:
    """Return the ladder: im2col, conv2d_forward, and how long conv2d_forward takes."""
    given = answers("ex05_convolution", QUESTIONS, ask)
    cases = [
        (question[0], Case(_arguments(question), answer, question[-1]))
        for question, answer in zip(QUESTIONS, given, strict=True)
    ]
    tasks = []
    for name, result, mistakes in (
        ("im2col", "columns", IM2COL_MISTAKES),
        ("conv2d_forward", "y", CONV_MISTAKES),
    ):
        mine = [case for function, case in cases if function == name]
        tasks.append(
            Task(
                name,
                cases=[case for case in mine if not case.oddity],
                odd=[case for case in mine if case.oddity],
                mistakes=mistakes,
                results=(result,),
            )
        )
    return [*ladder(*tasks), Rung("conv2d_forward: speed", 1, _quick)]


def _arguments(question: Question) -> dict[str, Any]:
    """Return the arguments: small whole numbers where there are few of them."""
    name, shape, o, k, padding, oddity = question
    numbers = wave if oddity == SEVERAL else _counted
    given: dict[str, Any] = {"x": numbers(*shape)}
    if name == "im2col":
        given["kernel_size"] = k
    else:
        given["weight"] = numbers(o, shape[1], k, k, start=1.0)
        given["bias"] = 100.0 * np.arange(1, o + 1)
    return given if padding is None else given | {"padding": padding}


def _counted(*shape: int, start: float = 1.0) -> Any:
    return (np.arange(np.prod(shape)) + start).reshape(shape)


# How long it takes: half the time of the seven loops is very slow. The best of several tries
# counts, of the loops' too, because a computer is busy with other things now and then.


def _quick(student: Student) -> None:
    given = {"x": wave(1, 16, 14, 14), "weight": wave(16, 16, 3, 3), "bias": wave(16), "padding": 1}
    loops, best = np.inf, np.inf
    for _ in range(3):
        for _ in range(4):
            loops = min(loops, 28 * _seconds(lambda: _loops(given["x"], given["weight"])))
        best = min(best, _seconds(lambda: student.call("conv2d_forward", given)))
        if best < loops / 2:
            return
    raise Broken(
        f"right, and as slow as the seven loops ({best:.1f} seconds): let one matrix product, of "
        "weight and columns, do the work",
        grids.call("conv2d_forward", given),
    )


def _loops(x: Any, weight: Any) -> None:
    """Do a 28th of the work as conv2d_loop does it."""
    y = np.zeros((8, 14))
    for o, q in np.ndindex(8, 14):
        for c, i, j in np.ndindex(weight.shape[1:]):
            row, col = i, q + j - 1
            if 0 <= row < 14 and 0 <= col < 14:
                y[o, q] += weight[o, c, i, j] * x[0, c, row, col]


def _seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
