"""Exercise 5: im2col and the forward convolution."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tutorials.exercises.checker.engine import Exercise, Function, Rows, Rung
from tutorials.exercises.checker.inputs import Case, Given, Inputs, floats
from tutorials.exercises.checker.student import Broken, Student

Change = Callable[[Any], Any]
Pad = Callable[[Any, int, int], Any]


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
        "bias": floats(o, start=100),
    }
    return given if p is None else given | {"padding": p}


def _sides(x: Any, above: int, below: int, **how: Any) -> Any:
    return np.pad(x, ((0, 0), (0, 0), (above, below), (above, below)), **how)


def _zeros(x: Any, p: int, k: int) -> Any:
    return _sides(x, p, p)


def columns_of(
    x: Any,
    kernel_size: int,
    padding: int = 0,
    *,
    layout: str = "cij pq",
    pad: Pad = _zeros,
    edit: Change = lambda windows: windows,
) -> Any:
    """Return columns whose rows and positions are in the order `layout`.

    `edit` gets what the kernel sees at each position, (N, C, H', W', k, k).
    """
    padded = pad(x, padding, kernel_size)
    windows = edit(sliding_window_view(padded, (kernel_size, kernel_size), axis=(2, 3)))
    rows, _ = layout.split()
    height = int(np.prod([windows.shape["ncpqij".index(axis)] for axis in rows]))
    ordered = np.einsum(f"ncpqij->n{layout.replace(' ', '')}", windows)
    return ordered.reshape(len(padded), height, -1)


def convolved(
    x: Any,
    weight: Any,
    bias: Any,
    padding: int = 0,
    *,
    pad: Pad = _zeros,
    kernel: Change = lambda weight: weight,
    edit: Change = lambda y: y,
    add: Callable[[Any, Any], Any] = lambda y, bias: y + bias[:, None, None],
) -> Any:
    """Convolve with the `kernel` edited, and `edit` the sums before the bias is added."""
    k = weight.shape[2]
    windows = sliding_window_view(pad(x, padding, k), (k, k), axis=(2, 3))
    return add(edit(np.einsum("ncpqij,ocij->nopq", windows, kernel(weight))), bias)


def _surrounded(mode: Any) -> Pad:
    return lambda x, p, k: _sides(x, p, p, mode=mode)


SURROUNDED = {
    "edge": "the edge of the picture is repeated around it",
    "reflect": "the picture is mirrored around its edge",
    "symmetric": "the picture is mirrored around its edge",
    "wrap": "the picture is repeated around itself",
}
FOUR = "It belongs on each of the four sides"
PADS: tuple[tuple[str, Pad], ...] = (
    *(
        (f"{words}, and there must be zeros", _surrounded(mode))
        for mode, words in SURROUNDED.items()
    ),
    (
        "above and on the left of the picture there are pixels from its other end, and there must "
        "be zeros. NumPy counts a negative place from the end",
        lambda x, p, k: _sides(_sides(x, p, 0, mode="wrap"), 0, p),
    ),
    (
        "there are ones around the picture, and there must be zeros",
        lambda x, p, k: _sides(x, p, p, constant_values=1),
    ),
    (f"all of the padding is above and to the left. {FOUR}", lambda x, p, k: _sides(x, 2 * p, 0)),
    (f"all of the padding is below and to the right. {FOUR}", lambda x, p, k: _sides(x, 0, 2 * p)),
    (f"the padding is on one side only, or counts once. {FOUR}", lambda x, p, k: _sides(x, p, 0)),
    (
        f"the padding is above and below only. {FOUR}",
        lambda x, p, k: np.pad(x, ((0, 0), (0, 0), (p, p), (0, 0))),
    ),
    (
        f"the padding is on the left and right only. {FOUR}",
        lambda x, p, k: np.pad(x, ((0, 0), (0, 0), (0, 0), (p, p))),
    ),
    ("the axes N and C are padded too, and only H and W must be", lambda x, p, k: np.pad(x, p)),
    (
        "the padding is half of the kernel's size here, whatever the argument padding says",
        lambda x, p, k: _sides(x, k // 2, k // 2),
    ),
    (
        "this is the full size, as np.convolve gives it. The kernel must lie inside of the padded "
        "picture",
        lambda x, p, k: _sides(x, p + k - 1, p + k - 1),
    ),
)
LAST = (
    "the last position is missing. Count the places of a kernel with k = 2 in a row of 3 pixels: "
    "there are two"
)
WRONG_AXIS = "the bias lies along the wrong axis, {}: it belongs to the output channels"


def _on_positions(y: Any, bias: Any) -> Any:
    return (y.reshape(*y.shape[:2], -1) + bias).reshape(y.shape)


def _bias_along(behind: int, y: Any, bias: Any) -> Any:
    return y + bias.reshape(-1, *[1] * behind)


def _strides(x: Any, kernel_size: int, padding: int = 0) -> Any:
    step = slice(None, None, kernel_size)
    return columns_of(x, kernel_size, padding, edit=lambda windows: windows[:, :, step, step])


COLUMNS: Rows = (
    (
        "rows and columns of the kernel, i and j, are swapped: of the two j counts faster in the "
        "rows of the columns",
        partial(columns_of, layout="cji pq"),
    ),
    *(
        (
            f"the rows of the columns are in the order {', '.join(order)}: their order is c, i, j, "
            "with c the slowest",
            partial(columns_of, layout=f"{order} pq"),
        )
        for order in ("ijc", "icj")
    ),
    (
        "the kernel's entries are in reverse: the first row of the columns belongs to the upper "
        "left entry",
        partial(columns_of, edit=lambda windows: windows[..., ::-1, ::-1]),
    ),
    (
        "the positions are in another order: along the columns they go through the picture row by "
        "row",
        partial(columns_of, layout="cij qp"),
    ),
    (
        "the numbers are mixed up: the windows have the axes N, C, H', W', i, j, and a reshape "
        "cannot put i and j in front of the positions",
        lambda x, kernel_size, padding=0: columns_of(
            x, kernel_size, padding, layout="c pqij"
        ).reshape(len(x), x.shape[1] * kernel_size**2, -1),
    ),
    ("the kernel moves on by k pixels, and must move by one", _strides),
    (LAST, partial(columns_of, edit=lambda windows: windows[:, :, :-1, :-1])),
    *((cause, partial(columns_of, pad=pad)) for cause, pad in PADS),
)
CONVOLUTION: Rows = (
    (
        "the pictures are mixed up: in a product of shape (O, N*positions) the axis O is in front, "
        "and a reshape cannot put it behind N",
        partial(convolved, edit=lambda y: y.swapaxes(0, 1).reshape(y.shape)),
    ),
    (
        "channels and positions are mixed up: in (N, positions, O) the axis O is last, and a "
        "reshape cannot put it behind N",
        partial(convolved, edit=lambda y: y.transpose(0, 2, 3, 1).reshape(y.shape)),
    ),
    (
        "the rows of the columns are in the order i, j, c, and the kernel is in the order c, i, j",
        partial(
            convolved,
            kernel=lambda weight: np.moveaxis(
                weight.reshape(len(weight), *weight.shape[2:], -1), -1, 1
            ),
        ),
    ),
    (
        "the mean over the kernel's entries is taken, and must be the sum",
        partial(convolved, kernel=lambda weight: weight / weight[0].size),
    ),
    (
        "all channels get the sum of the biases: each has a bias of its own",
        partial(convolved, add=lambda y, bias: y + bias.sum()),
    ),
    (WRONG_AXIS.format("H'*W'"), partial(convolved, add=_on_positions)),
    *(
        (WRONG_AXIS.format(axis), partial(convolved, add=partial(_bias_along, behind)))
        for axis, behind in (("W'", 0), ("H'", 1), ("N", 3))
    ),
    (
        "the bias is added once for every entry of the kernel, and not once",
        lambda x, weight, bias, padding=0: convolved(x, weight, bias * weight[0].size, padding),
    ),
    (
        "zeros are put around the result, and belong around the picture",
        lambda x, weight, bias, padding=0: _zeros(convolved(x, weight, bias), padding, 0),
    ),
    (LAST, partial(convolved, edit=lambda y: y[:, :, :-1, :-1])),
    *((cause, partial(convolved, pad=pad)) for cause, pad in PADS),
)

LARGE = Case(
    {
        "x": "np.sin(np.arange(1.0, 3137.0)).reshape(1, 16, 14, 14)",
        "weight": "np.sin(np.arange(1.0, 2305.0)).reshape(16, 16, 3, 3)",
        "bias": "np.arange(16.0)",
        "padding": 1,
    }
)


def _quick(student: Student) -> None:
    """Compare with the seven loops. The best of several tries counts: a computer is busy."""
    given = LARGE.make()
    enough = 28 * min(_seconds(lambda: _loops(**given)) for _ in range(5)) / 50
    function = student.get("conv2d_forward")
    for _ in range(5):
        seconds = _seconds(lambda: student.run(function, *given.values(), name="conv2d_forward"))
        if seconds < enough:
            return
    raise Broken(
        f"right, and slow: {seconds:.3f} seconds, where {enough:.3f} are more than enough",
        LARGE.text("conv2d_forward"),
        cause="there is a loop over pixels, or over positions, in Python. One product of two "
        "matrices, of the weight and of the columns, can do that work",
    )


def _loops(x: Any, weight: Any, bias: Any, padding: int) -> None:
    """Do a 28th of the work as conv2d_loop does it."""
    y = np.zeros((8, 14))
    for o, q in np.ndindex(8, 14):
        y[o, q] = bias[o]
        for c, i, j in np.ndindex(weight.shape[1:]):
            row, col = i - padding, q + j - padding
            if 0 <= row < 14 and 0 <= col < 14:
                y[o, q] += weight[o, c, i, j] * x[0, c, row, col]


def _seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


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
