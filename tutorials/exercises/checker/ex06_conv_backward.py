"""Exercise 6: the backward convolution."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from tutorials.exercises.checker.engine import Exercise, Function, Rows
from tutorials.exercises.checker.inputs import Given, Inputs, floats

Crop: TypeAlias = Callable[[Any, int, int, int], Any]


def _inputs(
    name: str, n: int, c: int, h: int, w: int, k: int, o: int, p: int | None
) -> Given | None:
    rows, columns = (side + 2 * (p or 0) - k + 1 for side in (h, w))
    if rows < 1 or columns < 1:
        return None
    given: dict[str, Any] = {
        "columns": floats(n, c * k * k, rows * columns), "shape": (n, c, h, w), "kernel_size": k,
    } if name == "col2im" else {
        "dy": floats(n, o, rows, columns, start=10),
        "x": floats(n, c, h, w, start=5),
        "weight": floats(o, c, k, k),
    }  # fmt: skip
    return given if p is None else given | {"padding": p}


def _folding(
    n: int = 1, c: int = 1, h: int = 2, w: int = 2, k: int = 2, p: int | None = 0
) -> Given | None:
    return _inputs("col2im", n, c, h, w, k, 0, p)


def _backward(
    n: int = 1, c: int = 1, h: int = 2, w: int = 2, k: int = 2, o: int = 1, p: int | None = 0
) -> Given | None:
    return _inputs("conv2d_backward", n, c, h, w, k, o, p)


def _matrix(c: int, h: int, w: int, k: int) -> Any:
    """Return im2col without padding as a matrix: (C, k, k, H', W', C*H*W) of zeros and ones."""
    pixels = np.eye(c * h * w).reshape(c, h, w, -1)
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (k, k), axis=(1, 2))
    return np.einsum("cpqxij->cijpqx", windows)


def _kept(padded: Any, p: int, h: int, w: int) -> Any:
    """Take the padding off."""
    return padded[:, :, p : padded.shape[2] - p, p : padded.shape[3] - p]


def image_of(
    columns: Any,
    shape: tuple[int, ...],
    kernel_size: int,
    padding: int = 0,
    *,
    layout: str = "cijpq",
    flip: bool = False,
    overlap: str = "add",
    crop: Crop = _kept,
) -> Any:
    """Return the picture of columns whose numbers are in the order `layout`.

    Where positions overlap the numbers are added up, or by `overlap` the "last" or the "first" of
    the kernel's entries is kept, or their "mean".
    """
    (n, c, h, w), p = shape, padding
    matrix = _matrix(c, h + 2 * p, w + 2 * p, kernel_size)
    sizes = dict(zip("cijpq", matrix.shape, strict=False))
    parts = columns.reshape(n, *(sizes[axis] for axis in layout))
    parts = parts.transpose(0, *(1 + layout.index(axis) for axis in "cijpq"))
    parts = (parts[:, :, ::-1, ::-1] if flip else parts).reshape(n, -1)
    matrix = matrix.reshape(parts.shape[1], -1)
    copies = matrix.sum(0)
    if overlap == "mean":
        matrix = matrix / np.maximum(copies, 1)
    elif overlap != "add":  # one row of ones is kept for each pixel
        rows = len(matrix) - 1 - matrix[::-1].argmax(0) if overlap == "last" else matrix.argmax(0)
        matrix = np.where(np.arange(len(matrix))[:, None] == rows, matrix, 0)
    padded = parts @ matrix.astype(columns.dtype)
    return crop(padded.reshape(n, c, h + 2 * p, w + 2 * p), p, h, w)


def gradients(
    dy: Any, x: Any, weight: Any, padding: int = 0, *, each: bool = False, **how: Any
) -> tuple[Any, Any, Any]:
    """Return dx, dweight and dbias; dweight of `each` picture; `how` is for `image_of`."""
    p, k = padding, weight.shape[2]
    sent = np.einsum("nopq,ocij->ncijpq", dy, weight)
    dx = image_of(sent, x.shape, k, p, **how)
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), axis=(2, 3))
    dweight = np.einsum("nopq,ncpqij->nocij" if each else "nopq,ncpqij->ocij", dy, windows)
    return dx, dweight, np.einsum("nopq->o", dy)


def _part(index: int, **how: Any) -> Callable[..., Any]:
    """Return a way to make one of the gradients."""
    return lambda **given: gradients(**given, **how)[index]


OVERWRITES = (
    "where positions overlap, one number overwrites another. A pixel that was copied several times "
    "gets the sum of what the copies hold"
)
ONE_SIDE = "the padding is taken off on one side only"
CROPS: tuple[tuple[str, Crop], ...] = (
    ("the padding is still there", lambda x, p, h, w: x),
    (f"{ONE_SIDE}, below and on the right", lambda x, p, h, w: x[:, :, :h, :w]),
    (f"{ONE_SIDE}, above and on the left", lambda x, p, h, w: x[:, :, 2 * p :, 2 * p :]),
    (ONE_SIDE, lambda x, p, h, w: x[:, :, p:, p:]),
    (
        "without padding nothing is left: a slice that ends at -0 is empty",
        lambda x, p, h, w: x[:, :, p:-p, p:-p],
    ),
    ("the padding is taken off above and below only", lambda x, p, h, w: x[:, :, p : p + h]),
    ("the padding is taken off on the left and right only", lambda x, p, h, w: x[..., p : p + w]),
)
FOLDING: Rows = (
    (
        f"{OVERWRITES}. With arrays of indices, += adds to each place only once",
        partial(image_of, overlap="last"),
    ),
    (OVERWRITES, partial(image_of, overlap="first")),
    (
        "where positions overlap, the mean is taken. The transpose of im2col adds up; it is not "
        "the inverse",
        partial(image_of, overlap="mean"),
    ),
    (
        "rows and columns of the kernel, i and j, are swapped: of the two j counts faster in the "
        "rows of the columns",
        partial(image_of, layout="cjipq"),
    ),
    *(
        (
            f"the rows of the columns are taken in the order {', '.join(order)}: their order is "
            "c, i, j, with c the slowest",
            partial(image_of, layout=f"{order}pq"),
        )
        for order in ("ijc", "icj")
    ),
    (
        "the kernel's entries are taken in reverse: the first row of the columns belongs to the "
        "upper left entry",
        partial(image_of, flip=True),
    ),
    (
        "rows and columns of the positions are swapped: along the columns, positions go through "
        "the picture row by row",
        partial(image_of, layout="cijqp"),
    ),
    (
        "the columns are taken as if a position were a row of them: it is a column",
        partial(image_of, layout="pqcij"),
    ),
    *((cause, partial(image_of, crop=crop)) for cause, crop in CROPS),
)


def _too_small(dy: Any, x: Any, weight: Any, padding: int = 0) -> Any:
    """Return zeros, as large as a convolution of dy with `padding` itself gives."""
    sides = (side + 2 * padding - weight.shape[2] + 1 for side in dy.shape[2:])
    return np.zeros((*x.shape[:2], *(max(0, side) for side in sides)))


def _mixed_pictures(dy: Any, x: Any, weight: Any, padding: int = 0) -> Any:
    sent = np.einsum("nopq,ocij->cijnpq", dy, weight)
    return image_of(sent.reshape(len(x), -1), x.shape, weight.shape[2], padding)


def _without_padding(dy: Any, x: Any, weight: Any, padding: int = 0) -> Any:
    if padding:
        raise ValueError("the columns are of another size")
    return gradients(dy, x, weight)[0]


DX: Rows = (
    (OVERWRITES, _part(0, overlap="last")),
    (OVERWRITES, _part(0, overlap="first")),
    *((cause, _part(0, crop=crop)) for cause, crop in CROPS),
    (
        "dx has another size than x. If you wrote it as a convolution of dy, count how many zeros "
        "must lie around dy, so that every pixel of x is met",
        _too_small,
    ),
    (
        "the pictures of the batch are mixed up: the axis N is not in front where the columns are "
        "reshaped",
        _mixed_pictures,
    ),
    ("with padding it fails: one of the steps does not know of the padding", _without_padding),
)
DWEIGHT: Rows = (
    ("dweight is kept for each picture: one weight serves them all", _part(1, each=True)),
)

SMALL = ({"p": None}, {"h": 3, "w": 3, "o": 2}, {"h": 3, "w": 3, "k": 3, "p": 1}, {"p": 1})

EXERCISE = Exercise(
    title="the backward convolution",
    hints=(
        "Forward there were two steps: im2col, and a product of two matrices. Go back through the "
        "product first. Which products of dy, the weight and the columns have the shapes of the "
        "weight and of the columns? Write the shapes down.",
        "im2col copies: a pixel that lies under several positions is copied several times. A "
        "change of this pixel changes all its copies. So what must the pixel get from them, on the "
        "way back? And the bias: to how many numbers of y is it added?",
        "For one entry (i, j) of the kernel, im2col reads a part of the padded picture. On the way "
        "back the same part of an array of zeros is added to, one entry after the other; the "
        "padding comes off last. In the matrix product, each factor's gradient is dy times the "
        "transpose of the other factor, summed over what that factor does not have.",
    ),
    functions=[
        Function(
            "col2im",
            reference=image_of,
            inputs=Inputs(
                _folding,
                plain=({"p": None}, {"h": 3, "w": 3}, {"h": 3, "w": 3, "k": 3, "p": 1}, {"p": 1}),
            ),
            mistakes=FOLDING,
            results=("image",),
            axes={"columns": "N C*k*k positions", "image": "N C H W"},
        ),
        Function(
            "conv2d_backward",
            reference=gradients,
            inputs=Inputs(_backward, plain=SMALL),
            mistakes={"dx": DX, "dweight": DWEIGHT},
            results=("dx", "dweight", "dbias"),
            axes={
                "dy": "N O H' W'",
                "x": "N C H W",
                "weight": "O C i j",
                "dx": "N C H W",
                "dweight": "O C i j",
                "dbias": "O",
            },
        ),
    ],
)
