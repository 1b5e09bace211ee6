"""The backward convolution, and the ways to get it wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from tutorials.exercises.checker.conv_slips import columns_of
from tutorials.exercises.checker.task import Mistake

Crop = Callable[[Any, int, int, int], Any]


def cropped(padded: Any, p: int, h: int, w: int) -> Any:
    """Crop rightly."""
    return padded[:, :, p : p + h, p : p + w]


def image_of(
    columns: Any,
    shape: tuple[int, ...],
    kernel_size: int,
    padding: int = 0,
    *,
    layout: str = "cijpq",
    flip: bool = False,
    overlap: str = "add",
    crop: Crop = cropped,
) -> Any:
    """Return col2im of columns whose numbers are in the order `layout`.

    Where positions overlap the numbers are added up, or by `overlap` the "last" or the "first" of
    the kernel's entries is kept, or their "mean".
    """
    (n, c, h, w), k, p = shape, kernel_size, padding
    rows, cols = h + 2 * p - k + 1, w + 2 * p - k + 1
    sizes = {"c": c, "i": k, "j": k, "p": rows, "q": cols}
    parts = columns.reshape(n, *(sizes[axis] for axis in layout))
    parts = parts.transpose(0, *(1 + layout.index(axis) for axis in "cijpq"))
    parts = parts[:, :, ::-1, ::-1] if flip else parts
    padded, copies = np.zeros((2, n, c, h + 2 * p, w + 2 * p))
    entries = [*np.ndindex(k, k)]
    for i, j in reversed(entries) if overlap == "first" else entries:
        place = (..., slice(i, i + rows), slice(j, j + cols))
        if overlap in ("last", "first"):
            padded[place] = parts[:, :, i, j]
        else:
            padded[place] += parts[:, :, i, j]
        copies[place] += 1
    if overlap == "mean":
        padded /= np.maximum(copies, 1)
    return crop(padded, p, h, w)


OVERWRITES = (
    "col2im overwrites where it should add: a pixel that lies under several positions gets the sum"
)
CROPS: tuple[tuple[str, Crop], ...] = (
    (
        "the padding is not cropped: the picture lies at [p:p + H, p:p + W]",
        lambda padded, p, h, w: padded,
    ),
    (
        "the padding is cropped on one side only, below and on the right: the picture lies at "
        "[p:p + H, p:p + W]",
        lambda padded, p, h, w: padded[:, :, :h, :w],
    ),
    (
        "the padding is cropped on one side only, above and on the left: the picture lies at "
        "[p:p + H, p:p + W]",
        lambda padded, p, h, w: padded[:, :, padded.shape[2] - h :, padded.shape[3] - w :],
    ),
    (
        "the padding is cropped on one side only: the picture lies at [p:p + H, p:p + W]",
        lambda padded, p, h, w: padded[:, :, p:, p:],
    ),
    (
        "without padding nothing is left: [p:-p] is empty where p is 0, [p:p + H] is right",
        lambda padded, p, h, w: padded[:, :, p:-p, p:-p],
    ),
    (
        "only rows or only columns are cropped: the picture lies at [p:p + H, p:p + W]",
        lambda padded, p, h, w: padded[:, :, p : p + h],
    ),
    (
        "only rows or only columns are cropped: the picture lies at [p:p + H, p:p + W]",
        lambda padded, p, h, w: padded[..., p : p + w],
    ),
)

COL2IM_MISTAKES = (
    Mistake(
        f"{OVERWRITES} (with arrays of indices, += adds only once)",
        partial(image_of, overlap="last"),
    ),
    Mistake(OVERWRITES, partial(image_of, overlap="first")),
    Mistake(
        "col2im takes the mean where it should add: it is the transpose of im2col, and not its "
        "inverse",
        partial(image_of, overlap="mean"),
    ),
    Mistake(
        "i and j are swapped: row c*k*k + i*k + j belongs to row i and column j of the kernel",
        partial(image_of, layout="cjipq"),
    ),
    *(
        Mistake(
            f"you take the rows in the order {', '.join(order)}: they are in the order c, i, j, "
            "where c is the slowest and j the fastest",
            partial(image_of, layout=f"{order}pq"),
        )
        for order in ("ijc", "icj")
    ),
    Mistake(
        "the rows are taken in reverse: row 0 belongs to the kernel's upper left entry, i = j = 0",
        partial(image_of, flip=True),
    ),
    Mistake(
        "p and q are swapped: column p*W' + q is the position in row p and column q",
        partial(image_of, layout="cijqp"),
    ),
    Mistake(
        "you take the columns as (H'*W', C*k*k): they are (C*k*k, H'*W')",
        partial(image_of, layout="pqcij"),
    ),
    *(Mistake(message, partial(image_of, crop=crop)) for message, crop in CROPS),
)


# conv2d_backward, and the ways to get its results wrong.


def picture_gradient(
    dy: Any,
    x: Any,
    weight: Any,
    padding: int = 0,
    *,
    kernel: Callable[[Any], Any] = lambda weight: weight,
    **how: Any,
) -> Any:
    """Return dx with the `kernel` edited; `how` is for `image_of`."""
    matrix = kernel(weight).reshape(len(weight), -1)
    dcolumns = matrix.T @ dy.reshape(len(x), len(weight), -1)
    return image_of(dcolumns, x.shape, weight.shape[2], padding, **how)


def by_picture(dy: Any, x: Any, weight: Any, padding: int = 0) -> Any:
    """Return dweight of each picture by itself: (N, O, C, k, k)."""
    columns = columns_of(x, weight.shape[2], padding)
    product = dy.reshape(len(x), len(weight), -1) @ columns.transpose(0, 2, 1)
    return product.reshape(len(x), *weight.shape)


def weight_gradient(
    dy: Any,
    x: Any,
    weight: Any,
    padding: int = 0,
    *,
    edit: Callable[[Any, Any], Any] = lambda each, dy: each.sum(0),
) -> Any:
    """Return dweight, made by `edit` of that of each picture, and of dy."""
    return edit(by_picture(dy, x, weight, padding), dy)


def bias_gradient(edit: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return a way to make dbias of dy."""
    return lambda dy, x, weight, padding=0: edit(dy)


def _as_ones(function: Callable[..., Any]) -> Callable[..., Any]:
    """Leave dy out of a gradient."""
    return lambda dy, x, weight, padding=0: function(np.ones_like(dy), x, weight, padding)


def _too_small(dy: Any, x: Any, weight: Any, padding: int = 0) -> Any:
    """Return zeros, as large as a convolution of dy with `padding` itself gives."""
    sides = (side + 2 * padding - weight.shape[2] + 1 for side in dy.shape[2:])
    return np.zeros((*x.shape[:2], *(max(0, side) for side in sides)))


def _dx_mistakes() -> Iterator[Mistake]:
    yield Mistake(
        "dx: the kernel is the wrong way round: col2im takes weight as it is, but a convolution of "
        "dy takes it flipped",
        partial(picture_gradient, kernel=lambda weight: weight[..., ::-1, ::-1]),
    )
    yield Mistake(
        "dx: rows and columns of the kernel are swapped",
        partial(picture_gradient, kernel=lambda weight: weight.swapaxes(2, 3)),
    )
    yield Mistake(
        "dx: weight.reshape(C*k*k, O) mixes the numbers up: reshape to (O, C*k*k), then transpose",
        partial(
            picture_gradient,
            kernel=lambda weight: weight.reshape(-1, len(weight)).T.reshape(weight.shape),
        ),
    )
    yield Mistake(
        "dx: dy is left out: every weight is multiplied by the dy of its position",
        _as_ones(picture_gradient),
    )
    for of, count in (
        ("pictures", lambda dy: len(dy)),
        ("output channels", lambda dy: dy.shape[1]),
        ("positions", lambda dy: dy[0, 0].size),
        ("numbers in dy", lambda dy: dy.size),
    ):
        yield Mistake(
            f"dx is divided by the number of {of}: take the sum, not a mean",
            partial(_divided, count),
        )
    yield Mistake(
        "dx has the wrong sign",
        lambda dy, x, weight, padding=0: -picture_gradient(dy, x, weight, padding),
    )
    yield Mistake(
        "dx comes from the first output channel only: sum over all of them",
        lambda dy, x, weight, padding=0: picture_gradient(dy[:, :1], x, weight[:1], padding),
    )
    yield Mistake(
        "dx is summed over the pictures: each picture of x has its own",
        lambda dy, x, weight, padding=0: (
            picture_gradient(dy, x, weight, padding).sum(0, keepdims=True) + 0 * x
        ),
    )
    for overlap in ("last", "first"):
        yield Mistake(f"dx: {OVERWRITES}", partial(picture_gradient, overlap=overlap))
    yield Mistake(
        "dx: the padding is not cropped (a convolution of dy gets k - 1 - padding zeros around it)",
        partial(picture_gradient, crop=CROPS[0][1]),
    )
    yield Mistake(
        "dx has the wrong size: a convolution of dy gets k - 1 - padding zeros around it",
        _too_small,
    )
    for message, crop in CROPS[1:]:
        yield Mistake(f"dx: {message}", partial(picture_gradient, crop=crop))
    yield Mistake(
        "dx: the pictures are mixed up: (C*k*k, N, positions) needs its axes swapped, and not a "
        "reshape",
        _mixed_pictures,
    )
    yield Mistake(
        "with padding it raises: do im2col and col2im get the padding, too?", _raises_with_padding
    )
    yield Mistake("that is dweight: the order is dx, dweight, dbias", weight_gradient)
    yield Mistake("that is dbias: the order is dx, dweight, dbias", bias_gradient(_right_bias))


def _mixed_pictures(dy: Any, x: Any, weight: Any, padding: int = 0) -> Any:
    matrix, positions = weight.reshape(len(weight), -1), dy.reshape(*dy.shape[:2], -1)
    mixed = np.tensordot(matrix.T, positions, (1, 1))  # (C*k*k, N, positions)
    columns = mixed.reshape(len(x), len(mixed), -1)
    return image_of(columns, x.shape, weight.shape[2], padding)


def _raises_with_padding(dy: Any, x: Any, weight: Any, padding: int = 0) -> Any:
    if padding:
        raise ValueError("the columns are of another size")
    return picture_gradient(dy, x, weight)


def _divided(count: Callable[[Any], int], dy: Any, x: Any, weight: Any, padding: int = 0) -> Any:
    return picture_gradient(dy, x, weight, padding) / count(dy)


def _dweight_mistakes() -> Iterator[Mistake]:
    def named(message: str, edit: Callable[[Any, Any], Any]) -> Mistake:
        return Mistake(message, partial(weight_gradient, edit=edit))

    yield named("dweight is kept for each picture: sum over N", lambda each, dy: each)
    yield named(
        "dweight comes from the first picture only: sum over all of them", lambda each, dy: each[0]
    )
    yield named(
        "dweight comes from the last picture only: sum over all of them, with +=",
        lambda each, dy: each[-1],
    )
    yield named("dweight is a mean over the pictures: take the sum", lambda each, dy: each.mean(0))
    yield named(
        "dweight is a mean: take the sum over positions and pictures",
        lambda each, dy: each.sum(0) / dy[0, 0].size,
    )
    yield named(
        "dweight is flipped: dweight[o, c, i, j] collects what weight[o, c, i, j] met",
        lambda each, dy: each.sum(0)[..., ::-1, ::-1],
    )
    yield named(
        "dweight: rows and columns of the kernel are swapped",
        lambda each, dy: each.sum(0).swapaxes(2, 3),
    )
    yield named(
        "dweight is transposed: its shape is (O, C, k, k)",
        lambda each, dy: each.sum(0).swapaxes(0, 1),
    )
    yield named(
        "dweight is transposed: the product of columns and dy is (C*k*k, O), and a reshape does "
        "not turn it into (O, C*k*k)",
        lambda each, dy: each.sum(0).reshape(each.shape[1], -1).T.reshape(each.shape[1:]),
    )
    yield named(
        "dweight is a matrix: reshape it to weight.shape",
        lambda each, dy: each.sum(0).reshape(each.shape[1], -1),
    )
    yield named(
        "dweight is a matrix, and transposed: reshape (O, C*k*k) to weight.shape",
        lambda each, dy: each.sum(0).reshape(each.shape[1], -1).T,
    )
    yield named("dweight has the wrong sign", lambda each, dy: -each.sum(0))
    yield Mistake(
        "dweight: dy is left out: every pixel is multiplied by the dy of its position",
        _as_ones(weight_gradient),
    )
    yield Mistake("that is dx: the order is dx, dweight, dbias", picture_gradient)
    yield Mistake("that is dbias: the order is dx, dweight, dbias", bias_gradient(_right_bias))


def _dbias_mistakes() -> Iterator[Mistake]:
    wrong = (
        "dbias is summed over the wrong axes: sum over N, H' and W' (axes 0, 2 and 3), and keep O"
    )
    yield Mistake(
        "dbias is kept for each picture: sum over N, too (axes 0, 2 and 3)",
        bias_gradient(lambda dy: dy.sum((2, 3))),
    )
    yield Mistake(
        "dbias is a mean: take the sum over N, H' and W'",
        bias_gradient(lambda dy: dy.mean((0, 2, 3))),
    )
    yield Mistake(
        "dbias is a mean over the pictures: take the sum",
        bias_gradient(lambda dy: dy.sum((2, 3)).mean(0)),
    )
    yield Mistake(
        "dbias comes from the first picture only: sum over all of them",
        bias_gradient(lambda dy: dy[0].sum((1, 2))),
    )
    yield Mistake(
        "dbias comes from the last picture only: sum over all of them",
        bias_gradient(lambda dy: dy[-1].sum((1, 2))),
    )
    yield Mistake("dbias has the wrong sign", bias_gradient(lambda dy: -_right_bias(dy)))
    yield Mistake(
        "dbias: dy is left out: it is the sum of dy, over N, H' and W'",
        bias_gradient(lambda dy: _right_bias(np.ones_like(dy))),
    )
    yield Mistake(
        "dbias must have the shape of bias, (O,)",
        bias_gradient(lambda dy: dy.sum((0, 2, 3), keepdims=True)),
    )
    yield Mistake(
        "dbias must have the shape of bias, (O,)",
        bias_gradient(lambda dy: dy.sum((0, 2, 3))[:, None]),
    )
    for count in range(5):
        for axes in combinations(range(4), count):
            if axes not in ((0, 2, 3), (2, 3)):
                yield Mistake(wrong, bias_gradient(lambda dy, axes=axes: dy.sum(axes)))  # type: ignore[misc]
    yield Mistake("that is dx: the order is dx, dweight, dbias", picture_gradient)
    yield Mistake("that is dweight: the order is dx, dweight, dbias", weight_gradient)


def _right_bias(dy: Any) -> Any:
    return dy.sum((0, 2, 3))


BACKWARD_MISTAKES = {
    "dx": (*_dx_mistakes(),),
    "dweight": (*_dweight_mistakes(),),
    "dbias": (*_dbias_mistakes(),),
}
