"""Exercise 5: im2col and the forward convolution."""

from __future__ import annotations

import timeit
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tutorials.exercises.checker.engine import Exercise, Function, Rows, Rung
from tutorials.exercises.checker.inputs import Case, Given, Inputs, floats
from tutorials.exercises.checker.student import Broken, Student


def _columns(
    n: int = 1, c: int = 1, h: int = 2, w: int = 2, k: int = 2, p: int | None = 0
) -> Given | None:
    if min(h, w) + 2 * (p or 0) < k:
        return None
    given: dict[str, Any] = {"x": floats(n, c, h, w), "kernel_size": k}
    return given if p is None else given | {"padding": p}


def _convolution(
    n: int = 1, c: int = 1, h: int = 2, w: int = 2, k: int = 2, o: int = 1, p: int | None = 0
) -> Given | None:
    if min(h, w) + 2 * (p or 0) < k:
        return None
    given: dict[str, Any] = {
        "x": floats(n, c, h, w),
        "weight": floats(o, c, k, k),
        "bias": f"{floats(o, start=3)} / -8",
    }
    return given if p is None else given | {"padding": p}


def _padded(x: Any, above: int, below: int) -> Any:
    return np.pad(x, ((0, 0), (0, 0), (above, below), (above, below)))


def columns_of(
    x: Any,
    kernel_size: int,
    padding: int = 0,
    *,
    layout: str = "cijpq",
    sides: tuple[int, int] = (1, 1),
) -> Any:
    """Return columns whose rows and positions are in the order `layout`.

    `sides` is how often the padding is above and below, and on the left and on the right.
    """
    above, below = sides
    padded = _padded(x, above * padding, below * padding)
    windows = sliding_window_view(padded, (kernel_size, kernel_size), axis=(2, 3))
    rows = x.shape[1] * kernel_size**2
    return np.einsum(f"ncpqij->n{layout}", windows).reshape(len(x), rows, -1)


def _all_axes_padded(x: Any, kernel_size: int, padding: int = 0) -> Any:
    p = padding
    return columns_of(np.pad(x, ((p, p), (p, p), (0, 0), (0, 0))), kernel_size, p)


def convolved(x: Any, weight: Any, bias: Any, padding: int = 0) -> Any:
    """Convolve by one sum over all that the kernel sees."""
    windows = sliding_window_view(_padded(x, padding, padding), weight.shape[2:], axis=(2, 3))
    return np.einsum("ncpqij,ocij->nopq", windows, weight) + bias[:, None, None]


def _bias_last(x: Any, weight: Any, bias: Any, padding: int = 0) -> Any:
    return convolved(x, weight, 0 * bias, padding) + bias


def _bias_on_positions(x: Any, weight: Any, bias: Any, padding: int = 0) -> Any:
    y = convolved(x, weight, 0 * bias, padding)
    return (y.reshape(*y.shape[:2], -1) + bias).reshape(y.shape)


COLUMNS: Rows = (
    (
        "rows and columns of the kernel, i and j, are swapped: of the two j counts faster in the "
        "rows of the columns",
        partial(columns_of, layout="cjipq"),
    ),
    (
        "the rows of the columns are in the order i, j, c: their order is c, i, j, with c the "
        "slowest",
        partial(columns_of, layout="ijcpq"),
    ),
    (
        "the numbers are mixed up: the windows have the axes N, C, H', W', i, j, and a reshape "
        "cannot put i and j in front of the positions",
        partial(columns_of, layout="cpqij"),
    ),
    (
        "all of the padding is above and to the left. It belongs on each of the four sides",
        partial(columns_of, sides=(2, 0)),
    ),
    (
        "the padding is on one side only, or counts once. It belongs on each of the four sides",
        partial(columns_of, sides=(1, 0)),
    ),
    ("the axes N and C are padded too, and only H and W must be", _all_axes_padded),
)
BIAS = "the bias lies along the wrong axis: it belongs to the output channels"
CONVOLUTION: Rows = ((BIAS, _bias_last), (BIAS, _bias_on_positions))

LARGE = Case(
    {
        "x": "np.sin(np.arange(1.0, 9217.0)).reshape(1, 4, 48, 48)",
        "weight": "np.sin(np.arange(1.0, 145.0)).reshape(4, 4, 3, 3)",
        "bias": "np.arange(4.0)",
        "padding": 1,
    }
)


def _quick(student: Student) -> None:
    """Allow a 64th of the time of seven loops. The best try counts: a computer is busy."""
    given = LARGE.make()
    function = student.get("conv2d_forward")
    enough = _seconds(lambda: _a_part(given["x"], given["weight"]))
    seconds = _seconds(lambda: student.run(function, *given.values(), name="conv2d_forward"))
    if seconds > enough:
        raise Broken(
            f"right, and slow: {seconds:.3f} seconds, where {enough:.3f} are more than enough",
            LARGE.text("conv2d_forward"),
            cause="there is a loop over pixels, or over positions, in Python. One product of two "
            "matrices, of the weight and of the columns, can do that work",
        )


def _a_part(x: Any, weight: Any) -> None:
    """Do a 64th of the products that conv2d_loop makes."""
    y = np.zeros((3, 48))
    for o, q, c, i, j in np.ndindex(3, 48, 4, 3, 3):
        y[o, q] += weight[o, c, i, j] * x[0, c, i, q - j]


def _seconds(function: Any) -> float:
    return min(timeit.repeat(function, number=1, repeat=5))


EXERCISE = Exercise(
    title="im2col and the forward convolution",
    hints={
        "im2col": (
            "First make the picture larger: zeros on its four sides, and none around the axes N "
            "and C. How many places has a kernel of k by k pixels in it, in each direction?",
            "Take one entry (i, j) of the kernel. Which pixels of the larger picture does it meet, "
            "when the kernel goes through all positions? Draw them for k = 2 and a picture of 3 by "
            "3 pixels: they have a simple form.",
            "They are a rectangle of H' by W' pixels. Where does it begin? Fill an array that has "
            "an axis for each of c, i, j and the position's row and column. Two short loops are "
            "enough, and one reshape at the end.",
        ),
        "conv2d_forward": (
            "A row of the columns belongs to one entry (c, i, j) of the kernel. Which shape must "
            "the weight have, so that its product with the columns of a picture sums over all "
            "entries?",
            "NumPy's matrix product works for a batch, too: it takes the last two axes, and the "
            "leading ones stay. Write the shapes of both factors and of the product down. Which "
            "axis of the product does the bias belong to?",
            "The product's last axis is the positions, row by row. One reshape makes H' and W' of "
            "it. And one axis of length 1 behind the bias puts the bias along the output channels.",
        ),
    },
    functions=[
        Function(
            "im2col",
            reference=columns_of,
            inputs=Inputs(
                _columns,
                plain=({"p": None}, {"h": 3, "w": 3}, {"h": 3, "w": 3, "k": 3, "p": 1}, {"p": 1}),
            ),
            mistakes=COLUMNS,
            results=("columns",),
            axes={"x": "N C H W", "columns": "N C*k*k positions"},
        ),
        Function(
            "conv2d_forward",
            reference=convolved,
            inputs=Inputs(
                _convolution,
                plain=(
                    {"p": None},
                    {"h": 3, "w": 3, "o": 2},
                    {"h": 3, "w": 3, "k": 3, "p": 1},
                    {"p": 1},
                ),
            ),
            mistakes=CONVOLUTION,
            axes={"x": "N C H W", "weight": "O C i j", "bias": "O", "y": "N O H' W'"},
        ),
    ],
    more=[Rung("conv2d_forward: speed", 1, _quick)],
)
