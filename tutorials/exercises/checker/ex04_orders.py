"""Exercise 4: move a trained layer from TensorFlow's order to PyTorch's."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tutorials.exercises.checker import grids
from tutorials.exercises.checker.answers import HERE, wave
from tutorials.exercises.checker.ladder import check_shapes, ladder
from tutorials.exercises.checker.student import Broken, Student
from tutorials.exercises.checker.task import SEVERAL, Case, Mistake, Rung, Task, as_values, same

TITLE = "move a trained layer from TensorFlow's order to PyTorch's"
HINTS = (
    "Two things change, and they have nothing to do with each other: the order of the kernel's "
    "axes, and the order of the numbers along one axis. Which axis, and what else has it?",
    "A transpose does the axes. For the order, ask for each of PyTorch's channels, "
    "n = c*r*r + i*r + j: which of TensorFlow's has the same c, i and j? Collect the answers in p.",
    "weight = kernel.transpose(3, 2, 0, 1). np.arange(C*r*r).reshape(r, r, C) has the axes i, j "
    "and c; transposed to c, i, j and raveled it is p. Return weight[p] and bias[p].",
)

# Questions for ONNX: DepthToSpace of arange(...).reshape(shape) in its modes DCR and CRD.
QUESTIONS: list[tuple[tuple[int, ...], int]] = [
    ((1, 4, 1, 1), 2),
    ((1, 8, 1, 1), 2),
    ((1, 12, 1, 1), 2),
    ((1, 9, 1, 1), 3),
    ((1, 18, 1, 1), 3),
    ((1, 27, 1, 1), 3),
    ((2, 27, 4, 3), 3),  # all channels of two small pictures, for the last rung
]
KERNEL = "right for small kernels, wrong for 3x3"
INPUTS = "right for one or two input channels, wrong for five"
THREE = "right for r = 2, wrong for r = 3"
LAYERS: list[tuple[tuple[int, ...], int, str]] = [  # shape of the kernel, r, the oddity
    ((1, 1, 1, 4), 2, ""),
    ((1, 1, 1, 8), 2, ""),
    ((1, 1, 1, 12), 2, ""),
    ((2, 2, 1, 4), 2, ""),
    ((2, 2, 2, 8), 2, ""),
    ((3, 3, 2, 4), 2, KERNEL),
    ((1, 1, 5, 8), 2, INPUTS),
    ((2, 2, 5, 12), 2, INPUTS),
    ((1, 1, 1, 9), 3, THREE),
    ((1, 1, 1, 18), 3, THREE),
    ((3, 3, 4, 27), 3, SEVERAL),
]
PLAIN = 5
PICTURE = ((3, 3, 2, 27), 3)


def ask(torch: Any, question: tuple[tuple[int, ...], int]) -> tuple[Any, ...]:
    """Ask ONNX's reference evaluator; without the package, return its recorded answer.

    The check itself always takes the recording, so that a student needs no ONNX.
    """
    try:
        onnx = importlib.import_module("onnx")
        reference = importlib.import_module("onnx.reference")
    except ImportError:
        return _recorded(question)
    shape, r = question
    x = np.arange(np.prod(shape), dtype=np.int64).reshape(shape)
    given = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT64, None) for name in "xy"
    ]
    results = []
    for mode in ("DCR", "CRD"):
        node = onnx.helper.make_node("DepthToSpace", ["x"], ["y"], blocksize=r, mode=mode)
        graph = onnx.helper.make_graph([node], mode, given[:1], given[1:])
        results += reference.ReferenceEvaluator(onnx.helper.make_model(graph)).run(None, {"x": x})
    return tuple(results)


def rungs() -> list[Rung]:
    """Return the ladder, and the comparison of both programs on a picture."""
    cases = [_case(_layer(shape, r), oddity) for shape, r, oddity in LAYERS]
    task = Task(
        "from_tensorflow",
        cases=cases[:PLAIN],
        odd=cases[PLAIN:],
        mistakes=MISTAKES,
        results=("weight", "bias"),
        tolerance=0,
    )
    runs, *others = ladder(task)
    climbed = [
        _showing_the_order(rung, task) if rung.name in ("values", "odd inputs") else rung
        for rung in others
    ]
    return [_two_results(runs, task), *climbed, Rung("picture", 1, partial(_picture, task))]


def _recorded(question: tuple[tuple[int, ...], int]) -> tuple[Any, ...]:
    i = QUESTIONS.index(question)
    with np.load(HERE / "answers" / "ex04_orders.npz") as file:
        return file[f"{i}.0"], file[f"{i}.1"]


def _layer(shape: tuple[int, ...], r: int) -> dict[str, Any]:
    """Return a layer whose numbers are no channel numbers: those are easily taken for them."""
    kernel = 1 + np.arange(np.prod(shape)).reshape(shape)
    return {"kernel": kernel, "bias": 100 + np.arange(shape[-1]), "upscale_factor": r}


def _case(layer: dict[str, Any], oddity: str = "") -> Case:
    """Return the question with its answer, by where ONNX's modes put the channels of one pixel."""
    kernel, bias, r = layer.values()
    dcr, crd = _recorded(((1, bias.size, 1, 1), r))
    p = np.empty(bias.size, int)
    p[crd.ravel()] = dcr.ravel()  # where CRD shows its channel n, DCR shows its channel p[n]
    return Case(layer, (_oihw(kernel)[p], bias[p]), oddity)


def _oihw(kernel: Any) -> Any:
    """Move the axes of a kernel (row, column, in, out) to (out, in, row, column)."""
    return np.moveaxis(kernel, (0, 1, 2, 3), (2, 3, 1, 0))


def _two_results(rung: Rung, task: Task) -> Rung:
    """Say first whether there is more than one result."""

    def check(student: Student) -> None:
        case = task.cases[0]
        if isinstance(came := student.call(task.name, case.arguments), np.ndarray | list):
            raise Broken(
                f"{task.name} must return two arrays, as in return weight, bias; what came is "
                f"{'a list' if isinstance(came, list) else 'one array'}",
                grids.call(task.name, case.arguments),
            )
        rung.check(student)

    return Rung(rung.name, rung.points, check, rung.seconds)


def _showing_the_order(rung: Rung, task: Task) -> Rung:
    """Show all filters of a 1x1 kernel, where the ladder shows the first that is wrong."""

    def check(student: Student) -> None:
        try:
            rung.check(student)
        except Broken as error:
            for case in [] if error.raised else [*task.cases, *task.odd]:
                example, answer = grids.call(task.name, case.arguments), case.answer[0]
                if error.shown and example == error.example and answer[0].size == 1:
                    weight = as_values(student.call(task.name, case.arguments))[0]
                    if same(weight, answer, 0):
                        break  # it is bias that is wrong
                    shown = grids.compare("weight[:, 0, 0, 0]", answer.ravel(), np.ravel(weight))
                    raise Broken(error.message, example, shown) from None
            raise

    return Rung(rung.name, rung.points, check, rung.seconds)


def _picture(task: Task, student: Student) -> None:
    """Compare the old layer and ONNX's DCR with the moved layer and ONNX's CRD, on two pictures."""
    shape, r = PICTURE
    n, channels, h, w = QUESTIONS[-1][0]
    k, _, inputs, _ = shape
    kernel, bias = wave(*shape, start=0.1), wave(channels, start=0.3)
    case = _case({"kernel": kernel, "bias": bias, "upscale_factor": r})
    moved = as_values(student.call(task.name, case.arguments))
    check_shapes(task, case, moved)
    x = wave(n, inputs, h + k - 1, w + k - 1, start=0.7)
    pieces = sliding_window_view(x, (k, k), axis=(2, 3))  # (N, in, H, W, row, column)
    old = np.einsum("nihwyx,yxio->nohw", pieces, kernel) + bias[:, None, None]
    new = np.einsum("nihwyx,oiyx->nohw", pieces, moved[0]) + np.reshape(moved[1], (-1, 1, 1))
    dcr, crd = _recorded(QUESTIONS[-1])  # of arange: where each number comes from
    expected, came = old.ravel()[dcr], new.ravel()[crd]
    if same(came, expected, 1e-12):
        return
    example = grids.call(task.name, case.arguments)
    if same(came, expected, 1e-5):
        raise Broken(
            "the moved layer is right only to float32: keep the type of kernel and bias all the "
            "way, a float64 loses half its digits otherwise",
            example,
            f"the pictures differ by up to {np.abs(came - expected).max():.1g}",
        )
    raise Broken(
        "the old layer with DCR and the moved layer with CRD make different pictures",
        example,
        grids.compare("picture", expected, came),
    )


def _order(channels: int, r: int, old: str, new: str) -> Any:
    """Return p such that channels counted as `old`, taken at p, are counted as `new`."""
    sizes = {"c": channels // (r * r), "i": r, "j": r}
    numbers = np.arange(channels).reshape([sizes[part] for part in old])
    return numbers.transpose([old.index(part) for part in new]).ravel()


WANTED = "PyTorch's is (out, in, row, column), transpose(3, 2, 0, 1)"
AXES: list[tuple[str, Callable[[Any], Any]]] = [
    ("", _oihw),
    (
        "the kernel's rows and columns are swapped: PyTorch's weight is (out, in, row, column), "
        "transpose(3, 2, 0, 1)",
        lambda kernel: kernel.transpose(3, 2, 1, 0),
    ),
    (
        "a reshape moves no axes: from (row, column, in, out) to (out, in, row, column) takes "
        "transpose(3, 2, 0, 1)",
        lambda kernel: kernel.reshape(kernel.shape[:1:-1] + kernel.shape[:2]),
    ),
    (
        "the kernel is flipped: both programs lay it on the picture in the same way",
        lambda kernel: _oihw(kernel)[..., ::-1, ::-1],
    ),
    (f"weight is (in, out, row, column): {WANTED}", lambda kernel: kernel.transpose(2, 3, 0, 1)),
    (f"weight is (out, row, column, in): {WANTED}", lambda kernel: kernel.transpose(3, 0, 1, 2)),
    (f"weight is (row, column, in, out) as the kernel was: {WANTED}", lambda kernel: kernel),
]
NONE, INVERSE, SWAPPED = "none", "inverse", "swapped"
ORDERS: dict[str, Callable[[int, int], Any]] = {  # which of TensorFlow's channels are taken
    "": lambda channels, r: _order(channels, r, "ijc", "cij"),
    NONE: lambda channels, r: np.arange(channels),
    INVERSE: lambda channels, r: _order(channels, r, "cij", "ijc"),
    SWAPPED: lambda channels, r: _order(channels, r, "ijc", "cji"),
}
ROUND = (
    "the wrong way round, from PyTorch to TensorFlow: use old[p] for new[p] = old, or argsort(p) "
    "for p"
)
FASTER = "i and j are swapped: in both orders j, the column, runs faster than i, the row"
BOTH = {  # what is wrong with the order of weight, and of bias
    ("", ""): "",
    (NONE, NONE): "the channels are still in TensorFlow's order (DCR): right for C = 1, where both "
    "orders are the same, wrong for all else",
    ("", NONE): "bias is still in TensorFlow's order: a filter's bias moves with the filter",
    (NONE, ""): "weight is still in TensorFlow's order: a filter moves with its bias",
    (INVERSE, INVERSE): f"the channels are moved {ROUND}",
    ("", INVERSE): "bias is moved the wrong way round: take the same p for weight and bias",
    (INVERSE, ""): "weight is moved the wrong way round: take the same p for weight and bias",
    (INVERSE, NONE): f"bias is not moved, and weight is moved {ROUND}",
    (NONE, INVERSE): f"weight is not moved, and bias is moved {ROUND}",
    (SWAPPED, SWAPPED): FASTER,
    (SWAPPED, NONE): f"bias is not moved, and for weight {FASTER}",
}


def _mistakes() -> list[Mistake]:
    """Return all that may be wrong with axes and orders, single faults first."""
    singly, doubly = [], []
    for (axes, transpose), (orders, words) in product(AXES, BOTH.items()):
        way = partial(_as_wrong, transpose, orders)
        if axes and words:  # the first that the smallest example shows
            message = (
                f"{axes}. And the order of the channels is wrong too"
                if axes.startswith("weight")
                else f"{words}. And the kernel's axes are wrong too"
            )
            doubly.append(Mistake(message, way))
        elif axes or words:
            singly.append(Mistake(axes or words, way))
    return singly + doubly


def _as_wrong(
    transpose: Any, orders: tuple[str, str], kernel: Any, bias: Any, upscale_factor: int
) -> tuple[Any, Any]:
    first, second = (ORDERS[order](len(bias), upscale_factor) for order in orders)
    weight = transpose(kernel)
    axis = weight.shape.index(len(bias))
    return np.take(weight, first, axis), bias[second]


def _right(kernel: Any, bias: Any, upscale_factor: int) -> tuple[Any, Any]:
    p = ORDERS[""](len(bias), upscale_factor)
    return _oihw(kernel)[p], bias[p]


MISTAKES = (
    *_mistakes(),
    Mistake(
        "the results are the wrong way round: return weight, bias",
        lambda kernel, bias, upscale_factor: _right(kernel, bias, upscale_factor)[::-1],
    ),
)
