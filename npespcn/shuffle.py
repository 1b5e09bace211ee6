"""Pixel shuffle: C·r² small channels become C large ones, and back.

The heart of ESPCN (Shi et al. 2016, "Real-Time Single Image and Video Super-Resolution Using an
Efficient Sub-Pixel Convolutional Neural Network", section 3.2 and equation 4). No arithmetic is
done: every output pixel is a copy of one input value. Three ways of saying so are here, and they
agree to the last bit: a loop (the definition), reshape and transpose (the fast one), and split and
concatenate (the early TensorFlow one).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npespcn.common.checks import array, one_of, whole_number
from npespcn.fast.blocks import blocks
from npespcn.fast.gpu import Array
from npespcn.fast.threads import parallel_map

ORDERS = {"CRD": "cij", "DCR": "ijc", "paper": "jic"}
"""How an order counts the channels: its three axes, the slowest first.

``c`` is the image channel, ``i = row % r`` and ``j = col % r`` are the place in its block.
CRD is PyTorch's and ONNX's; DCR is TensorFlow's ``depth_to_space`` and ONNX's other mode; paper is
equation 4 of Shi et al. 2016 with x the row.
"""

LAYOUTS = ("NCHW", "NHWC")
_PIECE = 1 << 17  # LR pixels to shuffle at a time


def channel_formula(order: str = "CRD") -> str:
    """Return the channel number as an expression in C, r, c, i and j.

    Examples
    --------
    >>> channel_formula("CRD"), channel_formula("DCR"), channel_formula("paper")
    ('(c*r + i)*r + j', '(i*r + j)*C + c', '(j*r + i)*C + c')
    """
    one_of("channel_formula: order", order, ORDERS)
    first, second, third = tuple(ORDERS[order])
    size = {"c": "C", "i": "r", "j": "r"}
    return f"({first}*{size[second]} + {second})*{size[third]} + {third}"


def channel_permutation(channels: int, upscale_factor: int, order: str = "CRD") -> NDArray[np.intp]:
    """Return the permutation p of C·r² channels that takes `order` to CRD: ``crd = other[p]``.

    This is all that the orders differ by. It moves feature maps (``x[..., p, :, :]``) and equally
    the weights and the bias that make them (``weight[p]``, ``bias[p]``). ``np.argsort(p)`` leads
    from CRD to `order`.

    Parameters
    ----------
    channels : int
        C, the channels of the image, from 0.
    upscale_factor : int
        r, from 1.
    order : {"CRD", "DCR", "paper"}
        The order that the channels are in.

    Returns
    -------
    array of int, (C·r²,)
        ``p[c*r*r + i*r + j]`` is the channel which `order` uses for place (i, j) of channel c.

    Raises
    ------
    TypeError, ValueError
        If `channels` is no integer from 0, `upscale_factor` none from 1, or `order` is unknown.

    Examples
    --------
    >>> channel_permutation(2, 2, "DCR")
    array([0, 2, 4, 6, 1, 3, 5, 7])
    >>> channel_permutation(2, 2, "paper")
    array([0, 4, 2, 6, 1, 5, 3, 7])
    """
    c = whole_number("channel_permutation: channels", channels, 0)
    r = whole_number("channel_permutation: upscale_factor", upscale_factor, 1)
    one_of("channel_permutation: order", order, ORDERS)
    axes = ORDERS[order]
    size = {"c": c, "i": r, "j": r}
    numbers = np.arange(c * r * r, dtype=np.intp).reshape([size[axis] for axis in axes])
    return numbers.transpose([axes.index(axis) for axis in "cij"]).reshape(-1)  # (C*r*r,)


def pixel_shuffle_loop(x: Array, upscale_factor: int) -> Array:
    """Rearrange (*, C·r², H, W) to (*, C, H·r, W·r) by the definition: a triple loop.

    ``y[c, row, col] = x[c*r*r + (row % r)*r + col % r, row // r, col // r]``

    Slow, and the specification: the other variants are tested against it. Parameters, errors and
    result are those of `pixel_shuffle`, with the channels in CRD order.

    Examples
    --------
    >>> x = np.arange(8).reshape(8, 1, 1)  # C = 2, r = 2, one LR pixel
    >>> pixel_shuffle_loop(x, 2).tolist()
    [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]
    """
    xp, r = _check("pixel_shuffle_loop", x, "upscale_factor", upscale_factor)
    *lead, channels, h, w = x.shape
    _check_groups("pixel_shuffle_loop", x.shape, channels, r)
    y: Array = xp.empty((*lead, channels // (r * r), h * r, w * r), dtype=x.dtype)
    for row in range(h * r):
        for col in range(w * r):
            for c in range(channels // (r * r)):
                channel = c * r * r + (row % r) * r + col % r
                y[..., c, row, col] = x[..., channel, row // r, col // r]
    return y


def pixel_shuffle_reshape(x: Array, upscale_factor: int) -> Array:
    """Rearrange (*, C·r², H, W) to (*, C, H·r, W·r) by reshape, transpose and reshape.

    The first reshape names the parts of the channel number, c, i and j. The transpose moves i
    behind the rows and j behind the columns. The last reshape reads (H, i) as one row number and
    (W, j) as one column number. Only the middle step moves data, and how it is walked decides the
    speed: NumPy's own copy would run along j, r numbers at a time, so each sub-column j is written
    whole instead, in long strided runs; in pieces, so that the r runs over the same memory find it
    in the cache, and on all threads. A GPU copies it all at once, neighbours side by side.

    Parameters, errors and result are those of `pixel_shuffle`, with the channels in CRD order.

    Examples
    --------
    >>> x = np.arange(8).reshape(8, 1, 1)  # C = 2, r = 2, one LR pixel
    >>> pixel_shuffle_reshape(x, 2).tolist()
    [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]
    """
    xp, r = _check("pixel_shuffle_reshape", x, "upscale_factor", upscale_factor)
    *lead, channels, h, w = x.shape
    c = _check_groups("pixel_shuffle_reshape", x.shape, channels, r)
    count = math.prod(lead) * c
    parts = x.reshape(count, r, r, h, w)  # (*·C, i, j, H, W)
    parts = xp.moveaxis(parts, (-4, -3), (-3, -1))  # (*·C, H, i, W, j)
    y: Array = xp.empty(parts.shape, dtype=x.dtype)

    def write(piece: tuple[slice, slice]) -> None:
        for j in range(r):
            y[piece][..., j] = parts[piece][..., j]

    pieces = list(blocks(xp, count, h, w, _PIECE))
    if xp is not np:
        y[...] = parts
    elif len(pieces) > 1:
        parallel_map(write, pieces)
    else:
        for piece in pieces:  # what is small is done before a thread wakes up
            write(piece)
    return y.reshape(*lead, c, h * r, w * r)  # (*, C, H*r, W*r)


def pixel_shuffle_concat(x: Array, upscale_factor: int) -> Array:
    """Rearrange (*, C·r², H, W) to (*, C, H·r, W·r) by split and concatenate, an axis at a time.

    Each image channel's group of r² is cut into its H rows, which are laid end to end so that
    (H, i) becomes one axis; then the same is done with its W columns. Early TensorFlow code, which
    had few dimensions to spare in a transpose, does it like this (``_phase_shift``).

    Parameters, errors and result are those of `pixel_shuffle`, with the channels in CRD order.

    Examples
    --------
    >>> x = np.arange(8).reshape(8, 1, 1)  # C = 2, r = 2, one LR pixel
    >>> pixel_shuffle_concat(x, 2).tolist()
    [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]
    """
    xp, r = _check("pixel_shuffle_concat", x, "upscale_factor", upscale_factor)
    *lead, channels, h, w = x.shape
    c = _check_groups("pixel_shuffle_concat", x.shape, channels, r)
    if x.size == 0:  # nothing to cut
        empty: Array = xp.empty((*lead, c, h * r, w * r), dtype=x.dtype)
        return empty
    groups = xp.split(x, c, axis=-3)  # C of (*, r*r, H, W)
    planes = [_phase_shift(xp, group, r)[..., None, :, :] for group in groups]
    y: Array = xp.concatenate(planes, axis=-3, dtype=x.dtype)  # (*, C, H*r, W*r)
    return xp.ascontiguousarray(y)


def _phase_shift(xp: Any, x: Array, r: int) -> Array:
    """Rearrange one group, (*, r·r, H, W) to (*, H·r, W·r)."""
    *lead, _, h, w = x.shape
    x = xp.moveaxis(x, -3, -1).reshape(*lead, h, w, r, r)  # (*, H, W, i, j)
    rows = xp.split(x, h, axis=-4)  # H of (*, 1, W, i, j)
    rows = [xp.squeeze(row, axis=-4) for row in rows]  # H of (*, W, i, j)
    x = xp.concatenate(rows, axis=-2)  # (*, W, H*r, j)
    columns = xp.split(x, w, axis=-3)  # W of (*, 1, H*r, j)
    columns = [xp.squeeze(column, axis=-3) for column in columns]  # W of (*, H*r, j)
    y: Array = xp.concatenate(columns, axis=-1)  # (*, H*r, W*r)
    return y


METHODS: dict[str, Callable[[Array, int], Array]] = {
    "loop": pixel_shuffle_loop,
    "reshape": pixel_shuffle_reshape,
    "concat": pixel_shuffle_concat,
}


def pixel_shuffle(
    x: Array,
    upscale_factor: int,
    *,
    method: str = "reshape",
    order: str = "CRD",
    layout: str = "NCHW",
) -> Array:
    """Rearrange channels into space: (*, C·r², H, W) -> (*, C, H·r, W·r).

    ``y[c, row, col] = x[k, row // r, col // r]``, where with i = row % r and j = col % r

    - ``order="CRD"``:   k = c·r² + i·r + j
    - ``order="DCR"``:   k = (i·r + j)·C + c
    - ``order="paper"``: k = (j·r + i)·C + c

    Parameters
    ----------
    x : array, (*, C·r², H, W), or (*, H, W, C·r²) with ``layout="NHWC"``
        Any number of leading axes, none included, any dtype, any strides. It is not changed.
    upscale_factor : int
        r, from 1.
    method : {"reshape", "loop", "concat"}
        How it is done. The result is the same to the last bit.
    order : {"CRD", "DCR", "paper"}
        How the channels are counted: as PyTorch does, as TensorFlow does, or as the paper's
        equation 4 does with x the row. See `channel_permutation`.
    layout : {"NCHW", "NHWC"}
        Where the channels are, in the argument and in the result.

    Returns
    -------
    array, (*, C, H·r, W·r), or (*, H·r, W·r, C)
        Of the same dtype, C-contiguous, and never a view of `x`.

    Raises
    ------
    TypeError
        If `x` is no NumPy or CuPy array, or `upscale_factor` no integer.
    ValueError
        If `x` has fewer than three axes, its channels are no multiple of r·r, `upscale_factor` is
        below 1, or a name is unknown.

    See Also
    --------
    pixel_unshuffle : the inverse, and so the gradient.

    References
    ----------
    Shi et al. 2016, equation 4.

    Examples
    --------
    >>> x = np.arange(8).reshape(8, 1, 1)  # C = 2, r = 2, one LR pixel
    >>> pixel_shuffle(x, 2).tolist()
    [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]
    >>> pixel_shuffle(x, 2, order="DCR").tolist()
    [[[0, 2], [4, 6]], [[1, 3], [5, 7]]]
    """
    where = "pixel_shuffle"
    xp, r = _check(where, x, "upscale_factor", upscale_factor)
    one_of(f"{where}: method", method, METHODS)
    one_of(f"{where}: order", order, ORDERS)
    one_of(f"{where}: layout", layout, LAYOUTS)
    axis = -3 if layout == "NCHW" else -1
    c = _check_groups(where, x.shape, x.shape[axis], r)
    x = xp.moveaxis(x, axis, -3)  # (*, C*r*r, H, W)
    if order != "CRD":  # the orders differ by this permutation and nothing else
        x = xp.take(x, xp.asarray(channel_permutation(c, r, order)), axis=-3)
    y = xp.moveaxis(METHODS[method](x, r), -3, axis)
    return xp.ascontiguousarray(y)


def pixel_unshuffle(
    x: Array, downscale_factor: int, *, order: str = "CRD", layout: str = "NCHW"
) -> Array:
    """Rearrange space into channels: (*, C, H·r, W·r) -> (*, C·r², H, W).

    The inverse of `pixel_shuffle`. A shuffle is a permutation of the numbers in an array, and the
    transpose of a permutation is its inverse, so this is its gradient too: dx = unshuffle(dy).

    Parameters
    ----------
    x : array, (*, C, H·r, W·r), or (*, H·r, W·r, C) with ``layout="NHWC"``
        Any number of leading axes, none included, any dtype, any strides. It is not changed.
    downscale_factor : int
        r, from 1.
    order, layout : str
        As in `pixel_shuffle`.

    Returns
    -------
    array, (*, C·r², H, W), or (*, H, W, C·r²)
        Of the same dtype, C-contiguous, and never a view of `x`.

    Raises
    ------
    TypeError
        If `x` is no NumPy or CuPy array, or `downscale_factor` no integer.
    ValueError
        If `x` has fewer than three axes, its height or width is no multiple of r,
        `downscale_factor` is below 1, or a name is unknown.

    Examples
    --------
    >>> x = np.arange(8).reshape(2, 2, 2)  # C = 2, one block of 2×2
    >>> pixel_unshuffle(x, 2).ravel()
    array([0, 1, 2, 3, 4, 5, 6, 7])
    >>> pixel_unshuffle(x, 2, order="DCR").ravel()
    array([0, 4, 1, 5, 2, 6, 3, 7])
    """
    where = "pixel_unshuffle"
    xp, r = _check(where, x, "downscale_factor", downscale_factor)
    one_of(f"{where}: order", order, ORDERS)
    one_of(f"{where}: layout", layout, LAYOUTS)
    axis = -3 if layout == "NCHW" else -1
    shape = x.shape
    x = xp.moveaxis(x, axis, -3)  # (*, C, H*r, W*r)
    *lead, c, h, w = x.shape
    for name, side in (("height", h), ("width", w)):
        if side % r:
            raise ValueError(
                f"{where}: {name} {side} is not a multiple of downscale_factor={r}; "
                f"x has shape {shape}"
            )
    parts = x.reshape(*lead, c, h // r, r, w // r, r)  # (*, C, H, i, W, j)
    parts = xp.moveaxis(parts, (-3, -1), (-4, -3))  # (*, C, i, j, H, W)
    y = parts.copy().reshape(*lead, c * r * r, h // r, w // r)  # (*, C*r*r, H, W)
    if order != "CRD":
        back = np.argsort(channel_permutation(c, r, order))
        y = xp.take(y, xp.asarray(back), axis=-3)
    return xp.ascontiguousarray(xp.moveaxis(y, -3, axis))


def _check(where: str, x: Array, name: str, factor: int) -> tuple[Any, int]:
    """Return the array's module, and r as an int."""
    xp = array(f"{where}: x", x)
    if x.ndim < 3:
        raise ValueError(f"{where}: x must have at least 3 axes, got shape {x.shape}")
    return xp, whole_number(f"{where}: {name}", factor, 1)


def _check_groups(where: str, shape: tuple[int, ...], channels: int, r: int) -> int:
    """Return C, the number of groups of r·r channels."""
    if channels % (r * r):
        raise ValueError(
            f"{where}: {channels} channels cannot be split into r*r = {r * r} groups "
            f"(upscale_factor={r}); x has shape {shape}"
        )
    return channels // (r * r)
