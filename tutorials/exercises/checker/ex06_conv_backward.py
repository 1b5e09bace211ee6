"""Exercise 6: the backward convolution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tutorials.exercises.checker import grids
from tutorials.exercises.checker.answers import answers, wave
from tutorials.exercises.checker.backward_slips import BACKWARD_MISTAKES, COL2IM_MISTAKES
from tutorials.exercises.checker.conv_slips import columns_of, convolved
from tutorials.exercises.checker.ex05_convolution import BATCH, CHANNELS, ONE, SQUARE, THREE, TWO
from tutorials.exercises.checker.ladder import ladder
from tutorials.exercises.checker.slopes import EXACT, check_slopes, slopes
from tutorials.exercises.checker.student import Broken, Student
from tutorials.exercises.checker.task import SEVERAL, Case, Rung, Task, Values

TITLE = "the backward convolution"
HINTS = (
    "Forward is two steps: columns = im2col(x), and y = W @ columns + bias with W of shape "
    "(O, C*k*k). Go back through the second step first: which products of dy, W and columns have "
    "the shapes of W and of columns?",
    "im2col copies slices of the padded picture into rows of the columns. Back, each row is added "
    "to its slice of a padded picture of zeros, with +=, and the padding is cropped at the end.",
    "With dy as (N, O, H'*W'): dW is dy @ im2col(x, k, padding).transpose(0, 2, 1), summed over N; "
    "dcolumns is W.T @ dy, and dx is col2im(dcolumns, x.shape, k, padding); dbias is the sum of dy "
    "over the axes N and H'*W'.",
)

RESULTS = ("dx", "dweight", "dbias")

# The function; the shape of x; O; k; padding, None to leave it out; the oddity
Question = tuple[str, tuple[int, ...], int, int, int | None, str]
QUESTIONS: list[Question] = [
    ("col2im", (1, 1, 2, 2), 0, 2, None, ""),
    ("col2im", (1, 1, 3, 3), 0, 2, 0, ""),
    ("col2im", (1, 1, 3, 3), 0, 3, 1, ""),
    ("col2im", (1, 1, 2, 2), 0, 2, 1, ""),
    ("col2im", (1, 1, 2, 3), 0, 2, 0, SQUARE),
    ("col2im", (1, 1, 3, 2), 0, 2, 0, SQUARE),
    ("col2im", (1, 2, 2, 2), 0, 2, 0, CHANNELS),
    ("col2im", (1, 3, 3, 3), 0, 2, 0, CHANNELS),
    ("col2im", (2, 1, 2, 2), 0, 2, 0, BATCH),
    ("col2im", (2, 1, 3, 3), 0, 2, 0, BATCH),
    ("col2im", (1, 1, 2, 2), 0, 1, 0, ONE),
    ("col2im", (1, 1, 4, 4), 0, 3, 0, THREE),
    ("col2im", (1, 1, 1, 1), 0, 3, 2, TWO),
    ("col2im", (1, 1, 2, 2), 0, 3, 2, TWO),
    ("col2im", (2, 3, 4, 5), 0, 3, 1, SEVERAL),
    ("col2im", (3, 2, 5, 3), 0, 5, 2, SEVERAL),
    ("conv2d_backward", (1, 1, 2, 2), 1, 2, None, ""),
    ("conv2d_backward", (1, 1, 3, 3), 2, 2, 0, ""),
    ("conv2d_backward", (1, 1, 3, 3), 1, 3, 1, ""),
    ("conv2d_backward", (1, 1, 2, 2), 1, 2, 1, ""),
    ("conv2d_backward", (1, 1, 2, 3), 1, 2, 0, SQUARE),
    ("conv2d_backward", (1, 1, 3, 2), 1, 2, 0, SQUARE),
    ("conv2d_backward", (1, 1, 3, 4), 2, 2, 0, SQUARE),
    ("conv2d_backward", (1, 2, 2, 2), 1, 2, 0, CHANNELS),
    ("conv2d_backward", (1, 3, 3, 3), 2, 2, 0, CHANNELS),
    ("conv2d_backward", (2, 1, 2, 2), 1, 2, 0, BATCH),
    ("conv2d_backward", (2, 1, 3, 3), 2, 2, 0, BATCH),
    ("conv2d_backward", (1, 1, 2, 2), 2, 1, 0, ONE),
    ("conv2d_backward", (1, 1, 4, 4), 1, 3, 0, THREE),
    ("conv2d_backward", (1, 1, 1, 1), 1, 3, 2, TWO),
    ("conv2d_backward", (1, 1, 2, 2), 2, 3, 2, TWO),
    ("conv2d_backward", (2, 3, 4, 5), 4, 3, 1, SEVERAL),
    ("conv2d_backward", (3, 4, 5, 3), 2, 5, 2, SEVERAL),
]


def ask(torch: Any, question: Question) -> Values:
    """Ask torch.nn.functional.fold, and autograd."""
    given = _arguments(question)
    padding = given.get("padding", 0)
    if question[0] == "col2im":
        columns = torch.from_numpy(given["columns"])
        h, w = given["shape"][2:]
        fold = torch.nn.functional.fold(columns, (h, w), given["kernel_size"], padding=padding)
        return (fold.numpy(),)
    dy, x, weight = (torch.from_numpy(given[name]) for name in ("dy", "x", "weight"))
    bias = torch.zeros(len(weight), dtype=x.dtype, requires_grad=True)
    x.requires_grad_()
    weight.requires_grad_()
    torch.nn.functional.conv2d(x, weight, bias, padding=padding).backward(dy)
    return x.grad.numpy(), weight.grad.numpy(), bias.grad.numpy()


def rungs() -> list[Rung]:
    """Return the ladder: col2im, and conv2d_backward with each result by itself."""
    given = answers("ex06_conv_backward", QUESTIONS, ask)
    cases = [
        (question[0], Case(_arguments(question), answer, question[-1]))
        for question, answer in zip(QUESTIONS, given, strict=True)
    ]
    folding = [case for name, case in cases if name == "col2im"]
    backward = [case for name, case in cases if name == "conv2d_backward"]
    first = Task(
        "col2im",
        cases=[case for case in folding if not case.oddity],
        odd=[case for case in folding if case.oddity],
        mistakes=COL2IM_MISTAKES,
        results=("image",),
        gradient=_adjoint,
    )
    second = Task(
        "conv2d_backward",
        cases=[case for case in backward if not case.oddity],
        odd=[case for case in backward if case.oddity],
        results=RESULTS,
        gradient=_gradient,
    )
    return [_by_result(rung, second) for rung in ladder(first, second)]


def _arguments(question: Question) -> dict[str, Any]:
    """Return the arguments: small whole numbers where there are few of them."""
    name, shape, o, k, padding, oddity = question
    numbers = wave if oddity == SEVERAL else _counted
    n, c, h, w = shape
    size = [side + 2 * (padding or 0) - k + 1 for side in (h, w)]
    given: dict[str, Any]
    if name == "col2im":
        columns = numbers(n, c * k * k, size[0] * size[1])
        given = {"columns": columns, "shape": shape, "kernel_size": k}
    else:
        given = {
            "dy": numbers(n, o, *size, start=10.0),
            "x": numbers(*shape, start=5.0),
            "weight": numbers(o, c, k, k),
        }
    return given if padding is None else given | {"padding": padding}


def _counted(*shape: int, start: float = 1.0) -> Any:
    return (np.arange(np.prod(shape)) + start).reshape(shape)


# One result of several is one function more: a mistake in dbias is named whatever dweight is.


class Part(Student):
    """A student whose function returns only its result number `index`."""

    def __init__(self, student: Student, index: int) -> None:
        self.student, self.index = student, index

    def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Call the function; return its one result."""
        results = self.student.call(name, arguments)
        if isinstance(results, tuple | list) and len(results) == len(RESULTS):
            return results[self.index]
        came = "one result"
        if results is None:
            came = "None: is a return missing?"
        elif isinstance(results, tuple | list | dict):
            came = f"a {type(results).__name__} of {len(results)}"
        raise Broken(
            f"{name} must return ({', '.join(RESULTS)}), and returned {came}",
            grids.call(name, arguments),
        )


def _by_result(rung: Rung, task: Task) -> Rung:
    """Let a rung of the task, if it looks at results, look at one after the other."""
    name, _, kind = rung.name.partition(": ")
    if name != task.name or kind in ("arguments", "gradient"):
        return rung

    def check(student: Student) -> None:
        for index, result in enumerate(RESULTS):
            cases, odd = (
                [Case(case.arguments, case.answer[index : index + 1], case.oddity) for case in some]
                for some in (task.cases, task.odd)
            )
            part = Task(task.name, cases, odd, BACKWARD_MISTAKES[result], (result,))
            (one,) = (r for r in ladder(part) if r.name == kind)
            one.check(Part(student, index))

    return Rung(rung.name, rung.points, check, rung.seconds)


# The gradients, against their definition.


def _adjoint(student: Student) -> None:
    """Check that <im2col(x), g> is <x, col2im(g)>."""
    x, g = wave(2, 3, 4, 5), wave(2, 27, 20, start=7.0)
    given = {"columns": g, "shape": x.shape, "kernel_size": 3, "padding": 1}
    came = student.call("col2im", given)
    left = (columns_of(x, 3, 1) * g).sum()
    right = (x * came).sum() if np.shape(came) == x.shape else np.nan
    if not abs(left - right) <= EXACT * abs(left):
        raise Broken(
            f"col2im is not the transpose of im2col: <im2col(x), g> is {left:.12g}, and "
            f"<x, col2im(g)> is {right:.12g}",
            grids.call("col2im", given),
        )


def _gradient(student: Student) -> None:
    """Check the results against how <dy, y> changes."""
    dy, x, weight = wave(2, 2, 4, 5, start=3.0), wave(2, 3, 4, 5), wave(2, 3, 3, 3, start=5.0)
    bias = np.zeros(2)
    given = {"dy": dy, "x": x, "weight": weight, "padding": 1}
    measured = (
        slopes(lambda x: (dy * convolved(x, weight, bias, 1)).sum(), x),
        slopes(lambda weight: (dy * convolved(x, weight, bias, 1)).sum(), weight),
        slopes(lambda bias: (dy * convolved(x, weight, bias, 1)).sum(), bias),
    )
    for index, right in enumerate(measured):
        came = Part(student, index).call("conv2d_backward", given)
        check_slopes(RESULTS[index], right, came, grids.call("conv2d_backward", given))
