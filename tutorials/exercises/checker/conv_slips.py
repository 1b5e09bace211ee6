"""Columns and convolutions, and the ways to get them wrong."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tutorials.exercises.checker.task import Mistake

Pad = Callable[[Any, int, int], Any]


def pad_by(above: Callable[[int, int], int], below: Callable[[int, int], int]) -> Pad:
    """Return a way to pad rows and columns, by functions of padding and k."""

    def pad(x: Any, p: int, k: int) -> Any:
        sides = (above(p, k), below(p, k))
        return np.pad(x, ((0, 0), (0, 0), sides, sides))

    return pad


def zeros_around(x: Any, p: int, k: int) -> Any:
    """Pad rightly."""
    return np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))


def windows_of(padded: Any, k: int) -> Any:
    """Return the pixels under the kernel at each position: (N, C, H', W', k, k)."""
    rows, cols = (side - k + 1 for side in padded.shape[2:])
    if rows == 0 or cols == 0:
        return np.empty((*padded.shape[:2], rows, cols, k, k))
    return sliding_window_view(padded, (k, k), axis=(2, 3))


def columns_of(
    x: Any,
    kernel_size: int,
    padding: int = 0,
    *,
    layout: str = "cij|pq",
    pad: Pad = zeros_around,
    edit: Callable[[Any], Any] = lambda windows: windows,
) -> Any:
    """Return the columns, with the rows and positions counted as `layout` says.

    `edit` gets all windows, (N, C, H', W', k, k).
    """
    padded = pad(x, padding, kernel_size)
    windows = edit(windows_of(padded, kernel_size))
    rows, columns = layout.split("|")
    sizes = dict(zip("ncpqij", windows.shape, strict=True))
    ordered = windows.transpose(["ncpqij".index(axis) for axis in "n" + rows + columns])
    return ordered.reshape(
        len(padded), *(int(np.prod([sizes[axis] for axis in axes])) for axes in (rows, columns))
    )


def convolved(
    x: Any,
    weight: Any,
    bias: Any,
    padding: int = 0,
    *,
    pad: Pad = zeros_around,
    kernel: Callable[[Any], Any] = lambda weight: weight,
    mix: Callable[[Any], Any] = lambda y: y,
    add: Callable[[Any, Any], Any] = lambda y, bias: y + bias[:, None, None],
) -> Any:
    """Return the convolution with the `kernel` edited, and the result mixed up by `mix`."""
    k = weight.shape[2]
    windows = windows_of(pad(x, padding, k), k)
    return add(mix(np.einsum("ncpqij,ocij->nopq", windows, kernel(weight))), bias)


def _mode(mode: Any) -> Pad:
    return lambda x, p, k: np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), mode=mode)


def _ones(x: Any, p: int, k: int) -> Any:
    return np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), constant_values=1)


PADS: tuple[tuple[str, Pad], ...] = (
    (
        "the edge of the picture is repeated around it: the padding must be zeros",
        _mode("edge"),
    ),
    ("there are ones around the picture: the padding must be zeros", _ones),
    ("the picture is mirrored around its edge: the padding must be zeros", _mode("reflect")),
    ("the picture is repeated around itself: the padding must be zeros", _mode("wrap")),
    (
        "all of the padding is above and to the left: padding zeros belong on each of the four "
        "sides",
        pad_by(lambda p, k: 2 * p, lambda p, k: 0),
    ),
    (
        "all of the padding is below and to the right: padding zeros belong on each of the four "
        "sides",
        pad_by(lambda p, k: 0, lambda p, k: 2 * p),
    ),
    (
        "the padding is left out: padding zeros belong on each of the four sides, and H' is "
        "H + 2*padding - k + 1",
        pad_by(lambda p, k: 0, lambda p, k: 0),
    ),
    (
        "the padding is on one side only, or counts once: padding zeros belong on each of the four "
        "sides, and H' is H + 2*padding - k + 1",
        pad_by(lambda p, k: p, lambda p, k: 0),
    ),
    (
        "the padding is one too large: there are padding zeros on each side, and H' is "
        "H + 2*padding - k + 1",
        pad_by(lambda p, k: p + 1, lambda p, k: p + 1),
    ),
    (
        "the picture is padded by k//2 whatever padding says: there are padding zeros on each side",
        pad_by(lambda p, k: k // 2, lambda p, k: k // 2),
    ),
    (
        "the picture is padded twice: padding zeros on each side are enough (im2col puts them "
        "there already)",
        pad_by(lambda p, k: 2 * p, lambda p, k: 2 * p),
    ),
    (
        "that is the full size, as np.convolve gives it: the kernel must lie inside of the padded "
        "picture, so H' is H + 2*padding - k + 1",
        pad_by(lambda p, k: p + k - 1, lambda p, k: p + k - 1),
    ),
    (
        "the axes N and C are padded too: zeros belong around H and W only",
        lambda x, p, k: np.pad(x, p),
    ),
    (
        "rows or columns are not padded: padding zeros belong on each of the four sides",
        lambda x, p, k: np.pad(x, ((0, 0), (0, 0), (p, p), (0, 0))),
    ),
    (
        "rows or columns are not padded: padding zeros belong on each of the four sides",
        lambda x, p, k: np.pad(x, ((0, 0), (0, 0), (0, 0), (p, p))),
    ),
)

LAST = "the last position is missing: the kernel has H + 2*padding - k + 1 places, the + 1 included"

IM2COL_MISTAKES = (
    Mistake(
        "i and j are swapped: row c*k*k + i*k + j belongs to row i and column j of the kernel",
        partial(columns_of, layout="cji|pq"),
    ),
    *(
        Mistake(
            f"your rows are in the order {', '.join(order)}: the order is c, i, j, where c is the "
            "slowest and j the fastest",
            partial(columns_of, layout=f"{order}|pq"),
        )
        for order in ("ijc", "icj")
    ),
    Mistake(
        "the kernel's entries are in reverse: row 0 belongs to the upper left entry, i = j = 0",
        partial(columns_of, edit=lambda windows: windows[..., ::-1, ::-1]),
    ),
    Mistake(
        "the positions are in the wrong order: column p*W' + q goes along the rows of the picture, "
        "so q is faster than p",
        partial(columns_of, layout="cij|qp"),
    ),
    Mistake(
        "the result is transposed: a position is a column, so the shape is (N, C*k*k, H'*W')",
        partial(columns_of, layout="pq|cij"),
    ),
    Mistake(
        "the numbers are in the order (H'*W', C*k*k), in the right shape: transpose the axes "
        "before the reshape",
        lambda x, kernel_size, padding=0: columns_of(
            x, kernel_size, padding, layout="pq|cij"
        ).reshape(len(x), x.shape[1] * kernel_size**2, -1),
    ),
    Mistake(
        "the kernel moves on by k pixels: it must move by one",
        lambda x, kernel_size, padding=0: columns_of(
            x,
            kernel_size,
            padding,
            edit=lambda windows: windows[:, :, ::kernel_size, ::kernel_size],
        ),
    ),
    Mistake(LAST, partial(columns_of, edit=lambda windows: windows[:, :, :-1, :-1])),
    *(Mistake(message, partial(columns_of, pad=pad)) for message, pad in PADS),
)


def _first_channel(x: Any, weight: Any, bias: Any, padding: int = 0) -> Any:
    return convolved(x[:, :1], weight[:, :1], bias, padding)


def _mixed_up(mix: Callable[[Any], Any], y: Any, bias: Any) -> Any:
    return mix(y + bias[:, None, None])


# After the matrix product, before the bias or after it.
MIXES: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    (
        "the pictures are mixed up: a product of shape (O, N*positions) has O in front, so reshape "
        "it to (O, N, H', W') and swap the axes",
        lambda y: y.swapaxes(0, 1).reshape(y.shape),
    ),
    (
        "channels and positions are mixed up: in (N, positions, O) the axis O must be moved, by "
        "transpose and not by reshape",
        lambda y: y.transpose(0, 2, 3, 1).reshape(y.shape),
    ),
    (
        "rows and columns of the result are swapped: position p*W' + q belongs to row p and "
        "column q",
        lambda y: y.swapaxes(2, 3),
    ),
    (
        "H' and W' are swapped in the last reshape: right for square pictures, wrong where H is "
        "not W",
        lambda y: y.reshape(*y.shape[:2], y.shape[3], y.shape[2]),
    ),
    ("the axis O is in front: the result is (N, O, H', W')", lambda y: y.swapaxes(0, 1)),
    ("the axis O is last: the result is (N, O, H', W')", lambda y: y.transpose(0, 2, 3, 1)),
    (
        "the positions are not in rows and columns: the result is (N, O, H', W')",
        lambda y: y.reshape(*y.shape[:2], -1),
    ),
    (LAST, lambda y: y[:, :, :-1, :-1]),
)

KERNELS: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    (
        "your kernel is flipped: in deep learning weight[o, c, i, j] meets x[n, c, p + i, q + j], "
        "and nothing is flipped",
        lambda weight: weight[:, :, ::-1, ::-1],
    ),
    (
        "rows and columns of the kernel are swapped: weight[o, c, i, j] meets "
        "x[n, c, p + i, q + j]",
        lambda weight: weight.swapaxes(2, 3),
    ),
    (
        "the kernel is flipped from top to bottom: weight[o, c, i, j] meets x[n, c, p + i, q + j]",
        lambda weight: weight[:, :, ::-1],
    ),
    (
        "the kernel is flipped from left to right: weight[o, c, i, j] meets x[n, c, p + i, q + j]",
        lambda weight: weight[..., ::-1],
    ),
    (
        "weight.reshape(C*k*k, O) mixes the numbers up: it is (O, C, k, k), so take (O, C*k*k)",
        lambda weight: weight.reshape(-1, len(weight)).T.reshape(weight.shape),
    ),
    (
        "weight is (O, C, k, k), and you take it as (C, O, k, k)",
        lambda weight: weight.reshape(weight.shape[1], len(weight), *weight.shape[2:]).swapaxes(
            0, 1
        ),
    ),
    (
        "the kernel is in the order i, j, c, and the rows of the columns are in the order c, i, j: "
        "reshape weight as it is",
        lambda weight: weight.transpose(0, 2, 3, 1).reshape(weight.shape),
    ),
    (
        "the rows of the columns are in the order i, j, c, and the kernel is in the order c, i, j: "
        "your im2col gives c, i, j",
        lambda weight: weight.reshape(len(weight), *weight.shape[2:], weight.shape[1]).transpose(
            0, 3, 1, 2
        ),
    ),
    (
        "the mean is taken, over the kernel's entries: take the sum",
        lambda weight: weight / weight[0].size,
    ),
)


def _on_positions(y: Any, bias: Any) -> Any:
    return (y.reshape(*y.shape[:2], -1) + bias).reshape(y.shape)


WRONG_AXIS = "the bias lies along the wrong axis{}: it belongs to the output channels (axis 1)"
BIASES: tuple[tuple[str, Callable[[Any, Any], Any]], ...] = (
    ("the bias is forgotten", lambda y, bias: y),
    ("the bias is subtracted: add it", lambda y, bias: y - bias[:, None, None]),
    (
        "all channels get the first bias: channel o of the result gets bias[o]",
        lambda y, bias: y + bias[0],
    ),
    (
        "all channels get the sum of the biases: channel o of the result gets bias[o]",
        lambda y, bias: y + bias.sum(),
    ),
    (WRONG_AXIS.format(", W'"), lambda y, bias: y + bias),
    (WRONG_AXIS.format(", H'*W'"), _on_positions),
    (WRONG_AXIS.format(", H'"), lambda y, bias: y + bias[:, None]),
    (WRONG_AXIS.format(", N"), lambda y, bias: y + bias[:, None, None, None]),
)

CONV_MISTAKES = (
    *(Mistake(message, partial(convolved, kernel=kernel)) for message, kernel in KERNELS),
    *(Mistake(message, partial(convolved, add=add)) for message, add in BIASES),
    Mistake(
        "the bias is added once for every entry of the kernel: add it once",
        lambda x, weight, bias, padding=0: convolved(x, weight, bias * weight[0].size, padding),
    ),
    Mistake("only the first channel of x counts: sum over all of them", _first_channel),
    *(
        Mistake(message, function)
        for message, mix in MIXES
        for function in (
            partial(convolved, mix=mix),
            partial(convolved, add=partial(_mixed_up, mix)),
        )
    ),
    *(Mistake(message, partial(convolved, pad=pad)) for message, pad in PADS),
    *(  # two at once
        Mistake(f"{message}; and {also.partition(':')[0]}", partial(convolved, kernel=k, add=add))
        for message, k in KERNELS[:4]
        for also, add in BIASES
    ),
)
