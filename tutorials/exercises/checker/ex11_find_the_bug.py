"""Exercise 11: find the bug."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tutorials.exercises.checker import grids
from tutorials.exercises.checker.answers import answers, wave
from tutorials.exercises.checker.ladder import ladder
from tutorials.exercises.checker.pairs import check_pairs
from tutorials.exercises.checker.student import Broken, Student
from tutorials.exercises.checker.task import SEVERAL, Case, Mistake, Rung, Task


def shuffled(x: Any, r: int, parts: str, axes: str = "chiwj") -> Any:
    """Shuffle with the channels counted as `parts`, "cij" in PyTorch; then put axes in order."""
    *leading, channels, h, w = x.shape
    sizes = {"c": channels // (r * r), "i": r, "j": r}
    n = len(leading)
    split = x.reshape(*leading, *(sizes[part] for part in parts), h, w)
    order = [n + (parts + "hw").index(axis) for axis in axes]
    return split.transpose(*range(n), *order).reshape(*leading, sizes["c"], h * r, w * r)


TITLE = "find the bug"
INDEPENDENT = True
POINTS = 4  # for each program
HINTS = {
    "phase_shift": (
        "Try a picture that the author did not: one that is higher than wide.",
        "What do the two splits count? Look at the axis that each of them cuts.",
        "Axis 1 of the blocks is H, so it is split into H lines; then axis 1 of tall is W.",
    ),
    "shuffle_loop": (
        "Try what the author did not: an image of three colors.",
        "How must a channel number grow with c? How does it here? Which channels are never read?",
        "Each color owns r*r channels, side by side: those of color c begin at c*r*r, c from 0.",
    ),
    "conv2d_input_gradient": (
        "Try a kernel that changes when it is turned round, and a dy with a single 1.",
        "Forward, y[p] meets weight[i] at x[p + i]. Which one does x[u] meet on its way to y[p]?",
        "It is weight[u - p]: in dx, one pixel of dy leaves the kernel as it is, not turned round.",
    ),
    "make_pairs": (
        "Does a directory always list its files in one order?",
        "What does zip know about the names? And what should happen where a partner is missing?",
        "Make a dictionary from a picture's name to its file, for either list, and look names up.",
    ),
    "psnr": (
        "Try a picture that is far from its reference.",
        "What is the type of the difference, and which numbers does that type have?",
        "uint8 has 0 to 255: differences below 0 and squares above 255 come round again.",
    ),
}

ONE_COLOR = "right for one color channel, wrong for three"
NOT_SQUARE = "right for square pictures, wrong where H is not W"
QUESTIONS: list[tuple[str, tuple[int, ...], Any, str]] = [  # function, shape, r or weight's, oddity
    ("phase_shift", (1, 2, 2, 4), 2, ""),
    ("phase_shift", (1, 1, 2, 4), 2, NOT_SQUARE),
    ("phase_shift", (1, 2, 1, 4), 2, NOT_SQUARE),
    ("phase_shift", (1, 2, 4, 4), 2, NOT_SQUARE),
    ("phase_shift", (1, 3, 2, 4), 2, NOT_SQUARE),
    ("phase_shift", (2, 2, 2, 4), 2, "right for one picture, wrong for a batch of two"),
    ("phase_shift", (1, 2, 2, 9), 3, "right for r = 2, wrong for r = 3"),
    ("phase_shift", (2, 3, 4, 9), 3, SEVERAL),
    ("shuffle_loop", (4, 1, 2), 2, ""),
    ("shuffle_loop", (12, 1, 1), 2, ONE_COLOR),
    ("shuffle_loop", (12, 1, 2), 2, ONE_COLOR),
    ("shuffle_loop", (4, 2, 1), 2, NOT_SQUARE),
    ("shuffle_loop", (9, 2, 2), 3, "right for r = 2, wrong for r = 3"),
    ("shuffle_loop", (27, 2, 3), 3, SEVERAL),
    ("conv2d_input_gradient", (1, 1, 1, 1), "symmetric", ""),
    ("conv2d_input_gradient", (1, 1, 1, 1), (1, 1, 2, 2), "right for a kernel that stays the same "
        "when it is turned by 180 degrees, wrong for another"),
    ("conv2d_input_gradient", (1, 1, 2, 2), (1, 1, 3, 3), "right for k = 2, wrong for k = 3"),
    ("conv2d_input_gradient", (1, 1, 1, 3), (1, 1, 2, 2), NOT_SQUARE),
    ("conv2d_input_gradient", (1, 2, 2, 2), (2, 3, 2, 2), "right for one channel, wrong for more"),
    ("conv2d_input_gradient", (2, 1, 2, 2), (1, 1, 2, 2), "right for one picture, wrong for two"),
    ("conv2d_input_gradient", (2, 3, 4, 2), (3, 2, 3, 3), SEVERAL),
]  # fmt: skip


def ask(torch: Any, question: tuple[str, tuple[int, ...], Any, str]) -> tuple[Any, ...]:
    """Ask torch.nn.PixelShuffle, and autograd about torch.nn.functional.conv2d."""
    name, *rest = question
    given = _arguments(name, *rest[:2])
    if name == "conv2d_input_gradient":
        dy, weight = (torch.from_numpy(given[key]) for key in ("dy", "weight"))
        (n, _, h, w), (_, c, k, _) = dy.shape, weight.shape
        x = torch.zeros(n, c, h + k - 1, w + k - 1, dtype=torch.float64, requires_grad=True)
        torch.nn.functional.conv2d(x, weight).backward(dy)
        return (x.grad.numpy(),)
    x, r = torch.from_numpy(given["x"]), given["upscale_factor"]
    if name == "phase_shift":
        x = x.permute(0, 3, 1, 2)  # (N, r*r, H, W)
    return (torch.nn.PixelShuffle(r)(x).numpy(),)


def _arguments(name: str, shape: tuple[int, ...], other: Any) -> dict[str, Any]:
    if name != "conv2d_input_gradient":
        return {"x": np.arange(np.prod(shape)).reshape(shape), "upscale_factor": other}
    if other == "symmetric":
        return {"dy": np.ones(shape), "weight": np.array([[[[1.0, 2.0], [2.0, 1.0]]]])}
    dy = np.ones(shape) if np.prod(shape) == 1 else wave(*shape)
    weight = np.arange(1.0, 5.0).reshape(other) if np.prod(other) == 4 else wave(*other, start=30)
    return {"dy": dy, "weight": weight}


def rungs() -> list[Rung]:
    """Return a rung for each program."""
    given = answers("ex11_find_the_bug", QUESTIONS, ask)
    cases: dict[str, list[Case]] = {}
    for (name, shape, other, oddity), answer in zip(QUESTIONS, given, strict=True):
        case = Case(_arguments(name, shape, other), answer, oddity)
        cases.setdefault(name, []).append(case)
    integers = ("float64", "float32", "uint8", "int16")
    return [
        _rung("phase_shift", cases["phase_shift"], PHASE_SHIFT, integers, 0, Planes),
        _rung("shuffle_loop", cases["shuffle_loop"], SHUFFLE_LOOP, integers, 0),
        _rung("conv2d_input_gradient", cases["conv2d_input_gradient"], CONV, results=("dx",)),
        Rung("make_pairs", POINTS, check_pairs),
        _rung("psnr", _pictures(), PSNR, (), results=("dB",)),
    ]


def _rung(
    name: str,
    cases: Sequence[Case],
    mistakes: Sequence[Mistake],
    dtypes: Sequence[str] = ("float64", "float32"),
    tolerance: float = 1e-5,
    view: Callable[[Student], Student] = lambda student: student,
    results: Sequence[str] = ("y",),
) -> Rung:
    """Return one rung for a function's whole ladder; of the cases the first is the author's.

    The values are all compared at once: of some repairs by half the author's tells too little.
    """
    task = Task(name, cases[:1], cases, mistakes, results, dtypes, tolerance=tolerance)

    def check(student: Student) -> None:
        for rung in ladder(task):
            if rung.name != "values":
                rung.check(view(student))

    return Rung(name, POINTS, check)


class Planes(Student):
    """A student whose pictures come without their last axis, so that they print as pictures."""

    def __init__(self, student: Student) -> None:
        self.path, self.module = student.path, student.module

    def call(self, name: str, arguments: Any) -> Any:
        """Call a function, and look at (N, H*r, W*r, 1) as (N, 1, H*r, W*r)."""
        y = super().call(name, arguments)
        if not isinstance(y, np.ndarray):
            return y
        if y.ndim != 4 or y.shape[3] != 1:
            n, h, w, _ = arguments["x"].shape
            r = arguments["upscale_factor"]
            wanted = (n, h * r, w * r, 1)
            raise Broken(
                f"y has the wrong shape: {wanted} was expected, {y.shape} came",
                grids.call(name, arguments),
            )
        return np.moveaxis(y, 3, 1)


# --- known mistakes, and repairs by half ---------------------------------------------------------


def _phase_shift(x: Any, r: int, parts: str = "cij", axes: str = "chiwj") -> Any:
    return shuffled(np.moveaxis(x, 3, 1), r, parts, axes)


PHASE_SHIFT = (
    Mistake(
        "rows and columns of each block are swapped: i counts the rows, and j, which is faster, "
        "the columns",
        lambda x, upscale_factor: _phase_shift(x, upscale_factor, "cji"),
    ),
    Mistake(
        "right for square pictures; where H is not W the picture is transposed, and then cut into "
        "rows of another length",
        lambda x, upscale_factor: (
            np.swapaxes(_phase_shift(x.swapaxes(1, 2), upscale_factor, "cji"), 2, 3)
            if x.shape[1] == x.shape[2]
            else np.swapaxes(_phase_shift(x, upscale_factor), 2, 3).reshape(
                len(x), 1, x.shape[1] * upscale_factor, -1
            )
        ),
    ),
    Mistake(
        "the picture is transposed: rows come out as columns",
        lambda x, upscale_factor: np.swapaxes(_phase_shift(x, upscale_factor), 2, 3),
    ),
    Mistake(
        "nothing was moved: one reshape gives the right shape and leaves numbers where they were",
        lambda x, upscale_factor: x.reshape(
            len(x), 1, x.shape[1] * upscale_factor, x.shape[2] * upscale_factor
        ),
    ),
    Mistake(
        "all pictures of the batch are as the first: work on each",
        lambda x, upscale_factor: _phase_shift(x[:1].repeat(len(x), 0), upscale_factor),
    ),
)


def _loop(channel: Callable[[int, int, int, int, int], int], first: int = 0) -> Any:
    """Return a shuffle whose channel is a function of c (from `first`), i, j, r and C."""

    def shuffle(x: Any, upscale_factor: int) -> Any:
        r = upscale_factor
        y = np.empty((len(x) // (r * r), x.shape[1] * r, x.shape[2] * r), x.dtype)
        for c, row, col in np.ndindex(y.shape):
            number = channel(c + first, row % r, col % r, r, len(y))
            y[c, row, col] = x[number, row // r, col // r]
        return y

    return shuffle


SHUFFLE_LOOP = (
    Mistake(
        f"{ONE_COLOR}: some channels of x are used more than once, and some never",
        _loop(lambda c, i, j, r, colors: c * r * i + c * j, first=1),
    ),
    Mistake(
        "your output is TensorFlow's order (DCR) now: in PyTorch's the image channel counts "
        "slowest, so a color's r*r channels stand together",
        _loop(lambda c, i, j, r, colors: colors * r * i + colors * j + c),
    ),
    Mistake(
        "your output is equation 4's order now, with x the row: in PyTorch's the image channel "
        "counts slowest, and i counts rows",
        _loop(lambda c, i, j, r, colors: colors * r * j + colors * i + c),
    ),
    Mistake(
        "c and C are mixed up still: the channel is not a multiple of c plus c, for the colors "
        "still share channels",
        _loop(lambda c, i, j, r, colors: c * r * i + c * j + c - 1, first=1),
    ),
    Mistake(
        "every color comes from the channels of the first: the channel must depend on c",
        _loop(lambda c, i, j, r, colors: r * i + j),
    ),
    Mistake(
        "the colors overlap: from one color to the next there are r*r channels",
        _loop(lambda c, i, j, r, colors: c * r + r * i + j),
    ),
    Mistake(
        "the colors overlap: from one color to the next there are r*r channels",
        _loop(lambda c, i, j, r, colors: c + r * i + j),
    ),
    Mistake(
        "the colors come in the wrong order: does c count from 1 in one place and from 0 in "
        "another?",
        _loop(lambda c, i, j, r, colors: c % colors * r * r + r * i + j, first=1),
    ),
    Mistake(
        "the colors come in the wrong order: does c count from 1 in one place and from 0 in "
        "another?",
        _loop(lambda c, i, j, r, colors: (c - 1) % colors * r * r + r * i + j),
    ),
    Mistake(
        "rows and columns of each block are swapped: i counts the rows, and j the columns",
        lambda x, upscale_factor: shuffled(x, upscale_factor, "cji"),
    ),
)


def _input_gradient(dy: Any, turned: Any) -> Any:
    """Correlate dy, with a border of k - 1 zeros, with a kernel that should have been turned."""
    k = turned.shape[2]
    border = (k - 1, k - 1)
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(dy, ((0, 0), (0, 0), border, border)), (k, k), axis=(2, 3)
    )
    return np.einsum("nohwij,ocij->nchw", windows, turned)


CONV = (
    Mistake(
        "right for a kernel that stays the same when it is turned by 180 degrees, wrong for "
        "another: work out by hand what one pixel of dy should leave in dx",
        lambda dy, weight: _input_gradient(dy, weight),
    ),
    Mistake(
        "the kernel is turned upside down only: its columns must be turned too",
        lambda dy, weight: _input_gradient(dy, weight[:, :, ::-1]),
    ),
    Mistake(
        "the kernel is turned from left to right only: its rows must be turned too",
        lambda dy, weight: _input_gradient(dy, weight[:, :, :, ::-1]),
    ),
    Mistake(
        "the kernel is transposed: its rows and its columns must be turned, not swapped",
        lambda dy, weight: _input_gradient(dy, weight.swapaxes(2, 3)),
    ),
    Mistake(
        "the kernel is turned and transposed: leave out the transpose",
        lambda dy, weight: _input_gradient(dy, weight[:, :, ::-1, ::-1].swapaxes(2, 3)),
    ),
    Mistake(
        "the kernel is turned by 90 degrees only",
        lambda dy, weight: _input_gradient(dy, np.rot90(weight, 1, (2, 3))),
    ),
    Mistake(
        "the kernel is turned by 90 degrees only",
        lambda dy, weight: _input_gradient(dy, np.rot90(weight, -1, (2, 3))),
    ),
    Mistake(
        "you turned all four axes: the channels must stay in their order, only i and j are turned",
        lambda dy, weight: _input_gradient(dy, np.flip(weight)),
    ),
    Mistake(
        "you turned the first two axes, which are channels: i and j are the last two",
        lambda dy, weight: _input_gradient(dy, weight[::-1, ::-1]),
    ),
    Mistake(
        "you turned the first axis, the channels: i and j are the last two",
        lambda dy, weight: _input_gradient(dy, weight[::-1]),
    ),
    Mistake(
        "right for one kernel at a time: you turned the channels too, only i and j are turned",
        lambda dy, weight: _input_gradient(dy, weight[::-1, :, ::-1, ::-1]),
    ),
    Mistake(
        "right for one kernel at a time: you turned the channels too, only i and j are turned",
        lambda dy, weight: _input_gradient(dy, weight[:, ::-1, ::-1, ::-1]),
    ),
    Mistake(
        "your dx is upside down and mirrored: turn the kernel, and neither dy nor dx by itself",
        lambda dy, weight: _input_gradient(dy[:, :, ::-1, ::-1], weight[:, :, ::-1, ::-1]),
    ),
    Mistake(
        "your dx is upside down and mirrored: turn the kernel, and neither dy nor dx by itself",
        lambda dy, weight: _input_gradient(dy[:, :, ::-1, ::-1], weight),
    ),
)


# --- PSNR ----------------------------------------------------------------------------------------


def _pictures() -> list[Case]:
    reference = np.array([[0, 50], [100, 200]], np.uint8)
    colors = (np.arange(2 * 3 * 3) * 37 % 251).astype(np.uint8).reshape(2, 3, 3)
    pairs = [
        (reference + np.uint8(5), reference, ""),
        (np.array([[20]]), np.array([[4]]), "right where no pixel is off by more than 15, wrong "
            "where one is"),
        (np.array([[50, 60]]), np.array([[80, 60]]), "right for a picture that is too bright, "
            "wrong for one that is too dark"),
        (np.array([[0, 255]]), np.array([[255, 10]]), "wrong where black stands for white"),
        (colors[..., 0], colors[..., 1], "wrong for a picture of all kinds of differences"),
        (colors, colors[::-1], "right for (H, W), wrong for (H, W, 3)"),
        (reference, reference, "wrong for equal pictures: their PSNR is infinite"),
    ]  # fmt: skip
    cases = []
    for picture, ref, oddity in pairs:
        given = {"picture": picture.astype(np.uint8), "reference": ref.astype(np.uint8)}
        cases.append(Case(given, (_psnr(given["picture"], given["reference"]),), oddity))
    return cases


def _psnr(picture: Any, reference: Any, peak: Any = 255, kind: Any = float) -> float:
    difference = picture.astype(kind) - reference.astype(kind)
    return _decibels(difference**2, peak)


def _decibels(squares: Any, peak: Any = 255) -> float:
    mse = np.mean(squares)
    return float(10 * np.log10(float(peak) ** 2 / mse)) if mse else np.inf


PSNR = (
    Mistake(
        "right where no pixel is off by more than 15, wrong where one is: go through it line by "
        "line, for 20 and 4",
        lambda picture, reference: _psnr(picture, reference, kind=np.uint8),
    ),
    Mistake(
        "right for a picture that is too bright, wrong for one that is too dark: the difference "
        "has wrapped before it is converted, so convert before you subtract",
        lambda picture, reference: _decibels((picture - reference).astype(float) ** 2),
    ),
    Mistake(
        "right for a picture that is too bright, wrong for one that is too dark: a negative "
        "difference must not become 0",
        lambda picture, reference: _decibels((picture.astype(float) - reference).clip(min=0) ** 2),
    ),
    Mistake(
        "int16 holds the difference, but not its square: 255**2 is 65025, and int16 ends at 32767",
        lambda picture, reference: _psnr(picture, reference, kind=np.int16),
    ),
    Mistake(
        "int8 ends at 127: it holds neither the pixels nor the squares",
        lambda picture, reference: _psnr(picture, reference, kind=np.int8),
    ),
    Mistake(
        "float16 is too coarse for squares: it has 11 bits",
        lambda picture, reference: _psnr(picture, reference, kind=np.float16),
    ),
    Mistake(
        "the peak is 255, whatever the brightest pixel of the reference is",
        lambda picture, reference: _psnr(picture, reference, reference.max()),
    ),
    Mistake(
        "the peak is 255, whatever the brightest pixel of the picture is",
        lambda picture, reference: _psnr(picture, reference, picture.max()),
    ),
    Mistake(
        "the peak is 1, but the pixels go to 255",
        lambda picture, reference: _psnr(picture, reference, 1),
    ),
    Mistake(
        "the pixels are divided by 255, but the peak is still 255: now it must be 1",
        lambda picture, reference: _psnr(picture, reference, 255**2),
    ),
    Mistake(
        "that is the mean of abs(picture - reference), not of its square",
        lambda picture, reference: _decibels(np.abs(picture.astype(float) - reference)),
    ),
)
