"""Exercise 4: move a trained layer from TensorFlow's order to PyTorch's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from tutorials.exercises.checker.engine import ANY, Exercise, Function, Rows
from tutorials.exercises.checker.inputs import Given, Inputs, counted
from tutorials.exercises.checker.shuffles import Channel, pytorch


def _inputs(c: int = 1, k: int = 1, i: int = 1, r: int = 2) -> Given:
    return {
        "kernel": counted(k, k, i, c * r * r, start=1),
        "bias": counted(c * r * r, start=100),
        "upscale_factor": r,
    }


def tensorflow(c: Any, i: Any, j: Any, r: int, colors: int) -> Any:
    """Count as TensorFlow does, the image channel fastest."""
    return (i * r + j) * colors + c


def swapped(c: Any, i: Any, j: Any, r: int, colors: int) -> Any:
    """Count as TensorFlow does, but for rows and columns of the block."""
    return tensorflow(c, j, i, r, colors)


def _moved(old: Any, r: int, new: Channel = pytorch, was: Channel = tensorflow) -> Any:
    """Move numbers along the first axis from one order to another."""
    colors = len(old) // (r * r)
    c, i, j = np.indices((colors, r, r))
    moved = np.zeros_like(old)
    moved[new(c, i, j, r, colors)] = old[was(c, i, j, r, colors)]
    return moved


def _layer(kernel: Any, bias: Any, upscale_factor: int) -> tuple[Any, Any]:
    return _moved(kernel.T.swapaxes(2, 3), upscale_factor), _moved(bias, upscale_factor)


MOVES: Sequence[tuple[str, Callable[[Any, int], Any]]] = (
    ("", _moved),
    (
        "the channels are still in TensorFlow's order (DCR). That is right for C = 1, where both "
        "orders are the same, and wrong for all else",
        lambda old, r: old,
    ),
    (
        "the channels are moved the wrong way round, from PyTorch's order to TensorFlow's",
        lambda old, r: _moved(old, r, tensorflow, pytorch),
    ),
    ("the channels are moved twice", lambda old, r: _moved(_moved(old, r), r)),
    (
        "rows and columns of the block are swapped. In both orders the column j counts faster than "
        "the row i",
        lambda old, r: _moved(old, r, pytorch, swapped),
    ),
)
AXES: Sequence[tuple[str, Callable[[Any], Any]]] = (
    ("", lambda kernel: kernel.T.swapaxes(2, 3)),
    (
        "the kernel's rows and columns are swapped, and neither program does that",
        lambda kernel: kernel.T,
    ),
    (
        "the kernel's numbers are mixed up: a reshape cannot put axes in another order",
        lambda kernel: kernel.reshape(*kernel.shape[:1:-1], *kernel.shape[:2]),
    ),
    (
        "the kernel is turned by 180 degrees. Both programs lay it on the picture in the same way",
        lambda kernel: kernel[::-1, ::-1].T.swapaxes(2, 3),
    ),
)


def _weight(
    turned: Callable[[Any], Any],
    move: Callable[[Any, int], Any],
    kernel: Any,
    bias: Any,
    upscale_factor: int,
) -> Any:
    return move(turned(kernel), upscale_factor)


def _bias(move: Callable[[Any, int], Any], kernel: Any, bias: Any, upscale_factor: int) -> Any:
    return move(bias, upscale_factor)


def _of_weight() -> Rows:
    """Return what may be wrong with the axes, with the order, or with both."""
    return [
        (
            f"two things. First, {axes}. Second, {order}" if axes and order else axes or order,
            partial(_weight, turned, move),
        )
        for (axes, turned), (order, move) in product(AXES, MOVES)
        if axes or order
    ]


EXERCISE = Exercise(
    title="move a trained layer from TensorFlow's order to PyTorch's",
    hints=(
        "Two things change, and they have nothing to do with each other: the order of the kernel's "
        "axes, and the order of the numbers along one axis. Which axis, and what else has it?",
        "Take one of PyTorch's channels. Which c, i and j does it show? And which of TensorFlow's "
        "channels shows the same c, i and j? Write both columns of numbers down, for C = 2 and r = "
        "2. They are the same for the filters and for the biases.",
        "A list of channel numbers as an index puts an axis in another order. To make the list, "
        "think of exercise 1: in TensorFlow's order a channel number has the axes i, j and c, the "
        "slowest first. Which order of these axes has PyTorch?",
    ),
    functions=[
        Function(
            "from_tensorflow",
            reference=_layer,
            inputs=Inputs(
                _inputs,
                plain=({}, {"c": 2}, {"c": 3}, {"k": 2}, {"c": 2, "k": 2, "i": 2}),
                odd={
                    "right for small kernels, wrong for 3x3": ({"k": 3, "i": 2},),
                    "right for one or two input channels, wrong for five": (
                        {"c": 2, "i": 5},
                        {"c": 3, "k": 2, "i": 5},
                    ),
                },
                types=ANY,
            ),
            mistakes={
                "weight": _of_weight(),
                "bias": [(order, partial(_bias, move)) for order, move in MOVES if order],
            },
            results=("weight", "bias"),
            axes={
                "kernel": "row column in out",
                "bias": "channels",
                "weight": "out in row column",
            },
            exact=True,
        )
    ],
)
