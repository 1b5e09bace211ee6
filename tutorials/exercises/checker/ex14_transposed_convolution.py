"""Exercise 14: the transposed convolution, and its checkerboard."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tutorials.exercises.checker.engine import ANY, Exercise, Function, Rows
from tutorials.exercises.checker.inputs import Given, Inputs, counted, floats

# --- what is asked -------------------------------------------------------------------------------


def _drawn(
    n: int = 1, c: int = 1, o: int = 1, h: int = 2, w: int = 2, k: int = 2,
    s: int | None = 2, p: int | None = 0,
) -> Given | None:  # fmt: skip
    if any((side - 1) * (s or 1) + k - 2 * (p or 0) < 1 for side in (h, w)):
        return None
    given: dict[str, Any] = {"x": floats(n, c, h, w), "weight": floats(c, o, k, k)}
    return given | {k: v for k, v in (("stride", s), ("padding", p)) if v is not None}


def _counts(h: int = 2, w: int = 2, k: int = 3, s: int = 2) -> Given:
    return {"shape": (h, w), "kernel_size": k, "stride": s}


def _filters(c: int = 1, r: int = 2, k: int = 1, inputs: int = 1) -> Given | None:
    if k % 2 == 0:
        return None
    return {"weight": counted(c * r * r, inputs, k, k, start=1), "upscale_factor": r}


GAPS = "right where the kernel covers the stride, wrong where there are gaps"
DRAWN = Inputs(
    _drawn,
    plain=(
        {"s": None, "p": None},
        {"k": 3},
        {"k": 3, "h": 3, "w": 3, "p": 1},
        {"k": 3, "h": 3, "w": 3, "s": 1, "p": 1},
    ),
    odd={
        GAPS: ({"k": 1}, {"k": 2, "s": 3}),
        "right for small strides, wrong for larger ones": (
            {"k": 3, "s": 3},
            {"k": 4, "s": 4},
            {"k": 5, "s": 6},
        ),
        "right for padding = 1, wrong for more": (
            {"k": 3, "p": 2},
            {"k": 2, "p": 3, "h": 5, "w": 5},
            {"k": 6, "p": 4, "h": 4, "w": 4},
        ),
        "right for one input channel, wrong for more": ({"c": 2, "o": 3, "k": 3},),
    },
)
COUNTED = Inputs(
    _counts,
    plain=({}, {"h": 3, "w": 3}, {"k": 4}, {"k": 2, "s": 1}),
    odd={
        GAPS: ({"k": 1}, {"k": 2, "s": 3, "h": 3, "w": 3}),
        "right for small strides, wrong for larger ones": ({"k": 5, "s": 4},),
        "right for small kernels, wrong for large ones": (
            {"k": 7, "s": 2, "h": 5, "w": 5},
            {"k": 17, "s": 1, "h": 20, "w": 20},
        ),
    },
    types=(),
)
FILTERS = Inputs(
    _filters,
    plain=({}, {"k": 3}),
    odd={
        "right for one channel of x, wrong for more": (
            {"inputs": 2},
            {"inputs": 3, "k": 3},
            {"inputs": 2, "c": 3, "k": 3},
            {"inputs": 2, "c": 2},
        ),
        "right for k up to 3, wrong for larger k": ({"k": 5}, {"k": 7}),
    },
    types=ANY,
)

# --- right answers, and slips --------------------------------------------------------------------


def _cropped(y: Any, p: int) -> Any:
    return y[:, :, p : y.shape[2] - p, p : y.shape[3] - p]


def transposed(
    x: Any,
    weight: Any,
    stride: int = 1,
    padding: int = 0,
    *,
    add: bool = True,
    crop: Callable[[Any, int], Any] = _cropped,
) -> Any:
    """Draw one pixel after the other, from the last to the first."""
    (n, _, h, w), (_, o, k, _) = x.shape, weight.shape
    y = np.zeros((n, o, (h - 1) * stride + k, (w - 1) * stride + k), x.dtype)
    for p, q in reversed([*np.ndindex(h, w)]):
        row, col = p * stride, q * stride
        under = y[:, :, row : row + k, col : col + k]
        under[...] = np.einsum("nc,coij->noij", x[:, :, p, q], weight) + add * under
    return crop(y, padding)


def counts(shape: tuple[int, int], kernel_size: int, stride: int) -> Any:
    """Return how many kernels fall on each place."""
    h, w = ((side - 1) * stride + kernel_size for side in shape)
    y = np.zeros((h, w), int)
    for p, q in np.ndindex(shape):
        row, col = p * stride, q * stride
        y[row : row + kernel_size, col : col + kernel_size] += 1
    return y


def _whole(function: Any, **given: Any) -> Any:
    """Call; counts may be whole numbers of any type."""
    came = function(**given)
    numbers = isinstance(came, np.ndarray) and came.dtype.kind in "iuf"
    return came.astype(int, copy=False) if numbers and np.all(came == came // 1) else came


def kernel(
    weight: Any, upscale_factor: int, *, turn: bool = True, mix: bool = False, swap: bool = False
) -> Any:
    """Return the one kernel, entry by entry.

    Slips: no `turn` of the small kernels; a `mix` of their rows with those of the blocks; a `swap`
    of i and j.
    """
    filters, inputs, k, _ = weight.shape
    r = upscale_factor
    large = np.zeros((inputs, filters // (r * r), k * r, k * r), weight.dtype)
    for a, b, i, j in np.ndindex(k, k, r, r):
        row, col = (i * k + a, j * k + b) if mix else (a * r + i, b * r + j)
        filters_ij = weight[(j * r + i if swap else i * r + j) :: r * r]
        u, v = (k - 1 - a, k - 1 - b) if turn else (a, b)
        large[:, :, row, col] = filters_ij[:, :, u, v].T
    return large


DRAWING: Rows = (
    (
        "where kernels overlap, one number overwrites another: what is drawn on a pixel adds up",
        partial(transposed, add=False),
    ),
    (
        "padding adds zeros, as in a convolution. Here it takes rows and columns off y",
        partial(transposed, crop=lambda y, p: np.pad(y, ((0, 0), (0, 0), (p, p), (p, p)))),
    ),
    (
        "without padding nothing is left: a slice that ends at -0 is empty",
        partial(transposed, crop=lambda y, p: y[:, :, p:-p, p:-p]),
    ),
    (
        "the weight is taken as that of a convolution, (O, C, k, k): here the channels of x come "
        "first",
        lambda x, weight, **how: transposed(x, weight.swapaxes(0, 1), **how),
    ),
)
COUNTING: Rows = (
    (
        "kernel size and stride have changed places",
        lambda shape, kernel_size, stride: counts(shape, stride, kernel_size),
    ),
)
KERNELS: Rows = (
    (
        "the small kernels are not turned. A convolution looks at the pixel above by its first "
        "row; on the way from the pixel to what it draws, that is the last row",
        partial(kernel, turn=False),
    ),
    (
        "rows and columns of the block, i and j, are swapped: filter i*r + j makes row i and "
        "column j",
        partial(kernel, swap=True),
    ),
    (
        "the rows of the block, i, count slower than those of the small kernel: a step in the "
        "small kernel is a whole pixel, so it is r rows",
        partial(kernel, mix=True),
    ),
    (
        "nothing was moved: a reshape leaves the numbers in their old order",
        lambda weight, upscale_factor: weight[..., ::-1, ::-1].reshape(
            kernel(weight, upscale_factor).shape
        ),
    ),
)

EXERCISE = Exercise(
    title="the transposed convolution, and its checkerboard",
    hints={
        "conv_transpose2d": (
            "Draw the example of three pixels on paper, with stride 2. Then do it in another "
            "order: first the first entry of the kernel for all pixels, then the second, then the "
            "third. Which places does one entry reach?",
            "The places that one entry of the kernel reaches lie `stride` apart. A slice with a "
            "step takes all of them. What is the first of them, and what comes after the last?",
            "The channels are summed as in a convolution, by a product of x with weight[:, :, i, "
            "j] over C. Make y without padding first, full of zeros, and cut it at the end. Mind "
            "padding 0.",
        ),
        "overlap": (
            "How many kernels fall on a place is a transposed convolution, too. Of which picture, "
            "with which kernel?",
            "If every pixel and every entry of the kernel is 1, each drawing adds 1 to what it "
            "reaches.",
            "conv_transpose2d wants four axes for x and for the weight. The shape here has two.",
        ),
        "one_kernel": (
            "What does subpixel_convolution draw of a picture that is 0 everywhere, but 1 in one "
            "pixel? And what does a transposed convolution draw of it?",
            "Let k be 3, and the bright pixel at (2, 2). The small pixel (1, 1) sees it by one "
            "entry of its filters: which one? And the small pixel (3, 3)? What does that say of "
            "rows in the large kernel?",
            "Row number and column number of the large kernel are each made of two parts: a whole "
            "small pixel, which is r rows, and the place in the block. Give every part an axis, "
            "put one of them in reverse, and put the axes in the right order.",
        ),
    },
    functions=[
        Function(
            "conv_transpose2d",
            reference=transposed,
            inputs=DRAWN,
            mistakes=DRAWING,
            axes={"x": "N C H W", "weight": "C O i j", "y": "N O rows columns"},
        ),
        Function(
            "overlap",
            reference=counts,
            inputs=COUNTED,
            mistakes=COUNTING,
            results=("counts",),
            axes={"counts": "rows columns"},
            exact=True,
            through=_whole,
        ),
        Function(
            "one_kernel",
            reference=kernel,
            inputs=FILTERS,
            mistakes=KERNELS,
            results=("kernel",),
            axes={"weight": "filters in a b", "kernel": "in C rows columns"},
            exact=True,
        ),
    ],
)
