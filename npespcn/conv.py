"""Convolution, three times: as its definition, as one matrix product, and in blocks.

Every function here is pure: arrays in, arrays out, nothing kept and no argument changed. Pictures
are (N, C, H, W), weights (out_channels, in_channels, k, k), and what is computed is, as everywhere
in deep learning, the cross-correlation::

    y[n, o, p, q] = bias[o] + sum over c, i, j of weight[o, c, i, j] * x[n, c, p*s + i, q*s + j]

with x padded by zeros first, and s the stride. The result has NumPy's common dtype of the
arguments (whole numbers get 64 bits, for sums of 8 bits would wrap), and its channels lie last in
memory (the shape hides it, and the next layer gains by it).

`conv2d_loop` is that formula. `im2col` lays the C*k*k numbers under each position of the kernel out
as a column, which makes the sum one matrix product. `conv2d_forward` and its gradients do that a
block of pixels at a time, in one of three ways:

- *expand the input*, here: columns of C*k*k numbers, at any stride;
- *expand the output*, in `npespcn.fast.rows`, where that moves fewer numbers: no columns,
  k*out_channels numbers, stride 1 only;
- the same *with half of the multiplications*, in `npespcn.fast.winograd`: 3x3 kernels of floats
only.
"""

from __future__ import annotations

from typing import Any

from npespcn.common.checks import four_sides, real_array, whole_number, widened
from npespcn.fast import rows as rowconv
from npespcn.fast import winograd
from npespcn.fast.blocks import (
    Padding,
    Pads,
    as_pads,
    blocks,
    check_conv,
    check_picture,
    check_weight,
    common_dtype,
    copy_rows,
    out_size,
)
from npespcn.fast.gpu import Array, array_module, strided_view


def conv2d_loop(
    x: Array, weight: Array, bias: Array | None = None, stride: int = 1, padding: Padding = 0
) -> Array:
    """Convolve by the definition, in nested loops: (N, C, H, W) -> (N, O, H', W').

    The specification that everything faster is tested against. Slow: for small arrays.

    Parameters
    ----------
    x : array, (N, C, H, W)
    weight : array, (O, C, k, k)
    bias : array, (O,), optional
    stride : int
        Pixels from one position of the kernel to the next, the same in both directions.
    padding : "same", "valid", int or ((above, below), (left, right))
        Zeros around x. "same" keeps the size, at stride 1 only; an even kernel's odd zero goes
        below and to the right, as in PyTorch.

    Raises
    ------
    TypeError, ValueError
        If the shapes do not fit together; the message names them.
    """
    check_conv("conv2d_loop", x, weight, bias)
    x, weight = widened(x, weight)
    xp = array_module(x, weight)
    out_channels, channels, k, _ = weight.shape
    stride, pads, (out_h, out_w) = _geometry("conv2d_loop", x.shape[2:], k, stride, padding)
    padded = xp.pad(x, ((0, 0), (0, 0), *pads))
    y = xp.zeros((len(x), out_channels, out_h, out_w), common_dtype(x, weight, bias))
    for n in range(len(x)):
        for o in range(out_channels):
            for p in range(out_h):
                for q in range(out_w):
                    for c in range(channels):
                        for i in range(k):
                            for j in range(k):
                                pixel = padded[n, c, p * stride + i, q * stride + j]
                                y[n, o, p, q] += weight[o, c, i, j] * pixel
    return y if bias is None else y + bias[:, None, None]


def im2col(x: Array, kernel_size: int, stride: int = 1, padding: Padding = 0) -> Array:
    """Lay the pixels under each position of the kernel out as columns: ``(N, C*k*k, H'*W')``.

    Row c*k*k + i*k + j holds, for every position, what weight[:, c, i, j] meets, so that a
    convolution is ``weight.reshape(O, -1) @ im2col(x, k)``. The same as ``torch.nn.Unfold``.

    Examples
    --------
    >>> import numpy as np
    >>> im2col(np.arange(6).reshape(1, 1, 2, 3), 2)[0]
    array([[0, 1],
           [1, 2],
           [3, 4],
           [4, 5]])
    """
    check_picture("im2col", "x", x)
    k = whole_number("im2col: kernel_size", kernel_size, 1)
    stride, pads, _ = _geometry("im2col", x.shape[2:], k, stride, padding)
    padded = array_module(x).pad(x, ((0, 0), (0, 0), *pads))
    windows = _windows(padded, k, stride).transpose(3, 0, 1, 2, 4, 5)  # (N, C, k, k, H', W')
    n, c, _, _, out_h, out_w = windows.shape
    return windows.copy().reshape(n, c * k * k, out_h * out_w)  # never a view, so writeable


def col2im(
    columns: Array,
    shape: tuple[int, int, int, int],
    kernel_size: int,
    stride: int = 1,
    padding: Padding = 0,
) -> Array:
    """Add columns back to their pixels: ``(N, C*k*k, H'*W')`` -> `shape`, (N, C, H, W).

    The adjoint of `im2col`, ⟨im2col(x), columns⟩ = ⟨x, col2im(columns)⟩, and not its inverse: a
    pixel under several positions gets the *sum* of what they hold. ``torch.nn.Fold``.
    """
    real_array("col2im: columns", columns)
    n, c, h, w = shape = four_sides("col2im: shape", "(N, C, H, W)", shape, 0)
    k = whole_number("col2im: kernel_size", kernel_size, 1)
    stride, pads, (out_h, out_w) = _geometry("col2im", (h, w), k, stride, padding)
    if columns.shape != (n, c * k * k, out_h * out_w):
        raise ValueError(
            f"col2im: columns of {shape} under a {k}x{k} kernel must be "
            f"{(n, c * k * k, out_h * out_w)}, got {columns.shape}"
        )
    (columns,) = widened(columns)
    padded = _zeros_around(columns, shape, pads, columns.dtype)
    split = columns.reshape(n, c, k, k, out_h, out_w).transpose(1, 2, 3, 0, 4, 5)
    _add_windows(padded, split, stride)
    return _crop(padded, (h, w), pads)


def conv2d_forward(
    x: Array, weight: Array, bias: Array | None = None, stride: int = 1, padding: Padding = 0
) -> Array:
    """Convolve fast, in blocks: what `conv2d_loop` gives, up to the rounding of the sums.

    Never holds the columns of more than one block (about 3,000 pixels).
    """
    check_conv("conv2d_forward", x, weight, bias)
    x, weight = widened(x, weight)
    xp = array_module(x, weight)
    out_channels, channels, k, _ = weight.shape
    stride, pads, (out_h, out_w) = _geometry("conv2d_forward", x.shape[2:], k, stride, padding)
    if stride == 1 and winograd.pays(channels, out_channels, k, xp.result_type(x, weight)):
        return winograd.forward(x, weight, bias, pads)
    if stride == 1 and rowconv.moves_less(channels, out_channels, k):
        return rowconv.forward(x, weight, bias, pads)
    matrix = weight.reshape(out_channels, channels * k * k)
    y = xp.empty((len(x), out_h, out_w, out_channels), common_dtype(x, weight, bias))
    for images, rows in blocks(xp, len(x), out_h, out_w):
        columns = _block_columns(x[images], rows, k, stride, pads)  # (C*k*k, pixels)
        y_block = y[images, rows].reshape(-1, out_channels)  # a view: (pixels, O)
        xp.matmul(columns.T, matrix.T, out=y_block)
        if bias is not None:
            y_block += bias
    return y.transpose(0, 3, 1, 2)  # (N, O, H', W')


def conv2d_backward(
    dy: Array, x: Array, weight: Array, stride: int = 1, padding: Padding = 0
) -> tuple[Array, Array, Array]:
    """Return (dx, dweight, dbias) of `conv2d_forward` for an upstream gradient, (N, O, H', W')."""
    check_conv("conv2d_backward", x, weight)
    dx = conv2d_input_gradient(dy, weight, x.shape, stride, padding)
    dweight = conv2d_weight_gradient(dy, x, weight.shape[2], stride, padding)
    return dx, dweight, conv2d_bias_gradient(dy)


def conv2d_bias_gradient(dy: Array) -> Array:
    """Return dbias (O,), the sum of dy (N, O, H', W') over all but the channels.

    As a product with ones: a BLAS adds up rows of channels faster than NumPy's ``sum``.
    """
    check_picture("conv2d_bias_gradient", "dy", dy)
    (dy,) = widened(dy)
    xp = array_module(dy)
    flat = dy.transpose(0, 2, 3, 1).reshape(-1, dy.shape[1])  # (pixels, O)
    dbias: Array = xp.ones(len(flat), dy.dtype) @ flat
    return dbias


def conv2d_input_gradient(
    dy: Array,
    weight: Array,
    shape: tuple[int, ...],
    stride: int = 1,
    padding: Padding = 0,
) -> Array:
    """Return dx, of `shape` (N, C, H, W), from dy (N, O, H', W').

    x[p*s + i] met weight[i] on its way to y[p]; so dx[p*s + i] collects weight[i] * dy[p]. At
    stride 1 that is dx[u] = sum of weight[i] * dy[u - i]: a convolution of dy with the kernel
    flipped and its channel axes swapped, by the same fast path. Otherwise the columns' gradient
    ``weight.T @ dy`` goes back through `col2im`.
    """
    name = "conv2d_input_gradient"
    check_weight(name, weight)
    k = weight.shape[2]
    axes = f"(N, {weight.shape[1]}, H, W) for weight {weight.shape}"
    shape = four_sides(f"{name}: shape", axes, shape, 0)
    if shape[1] != weight.shape[1]:
        raise ValueError(f"{name}: shape must be {axes}, got {shape}")
    stride, pads = _check_upstream(name, dy, weight.shape[0], k, shape, stride, padding)
    dy, weight = widened(dy, weight)
    if stride == 1 and max(map(max, pads)) < k:
        flipped = weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)  # (C, O, k, k)
        (above, below), (left, right) = pads
        rest = ((k - 1 - above, k - 1 - below), (k - 1 - left, k - 1 - right))
        return conv2d_forward(dy, flipped, padding=rest)
    xp = array_module(dy, weight)
    n, c, h, w = shape
    dx = _zeros_around(dy, (n, c, h, w), pads, xp.result_type(dy, weight))
    dy_last = dy.transpose(0, 2, 3, 1)  # (N, H', W', O)
    matrix = weight.reshape(weight.shape[0], c * k * k)
    for images, rows in blocks(xp, *dy_last.shape[:3]):
        dy_block = dy_last[images, rows]
        dcolumns = matrix.T @ dy_block.reshape(-1, dy.shape[1]).T  # (C*k*k, pixels)
        under = slice(rows.start * stride, (rows.stop - 1) * stride + k)
        dwindows = dcolumns.reshape(c, k, k, *dy_block.shape[:3])
        _add_windows(dx[images, :, under], dwindows, stride)
    return _crop(dx, (h, w), pads)


def conv2d_weight_gradient(
    dy: Array, x: Array, kernel_size: int, stride: int = 1, padding: Padding = 0
) -> Array:
    """Return dweight (O, C, k, k) from dy (N, O, H', W') and x (N, C, H, W).

    Forward is weight @ columns, hence dweight is dy @ columns.T, summed over the blocks.
    """
    name = "conv2d_weight_gradient"
    check_picture(name, "x", x)
    check_picture(name, "dy", dy)
    k = whole_number(f"{name}: kernel_size", kernel_size, 1)
    out_channels, channels = dy.shape[1], x.shape[1]
    stride, pads = _check_upstream(name, dy, out_channels, k, x.shape, stride, padding)
    dy, x = widened(dy, x)
    xp = array_module(dy, x)
    if stride == 1 and winograd.pays(channels, out_channels, k, xp.result_type(dy, x)):
        return winograd.weight_gradient(dy, x, pads)
    if stride == 1 and rowconv.moves_less(channels, out_channels, k):
        return rowconv.weight_gradient(dy, x, k, pads)
    dmatrix = xp.zeros((out_channels, channels * k * k), xp.result_type(dy, x))
    dy_last = dy.transpose(0, 2, 3, 1)  # (N, H', W', O)
    for images, rows in blocks(xp, *dy_last.shape[:3]):
        columns = _block_columns(x[images], rows, k, stride, pads)  # (C*k*k, pixels)
        dmatrix += dy_last[images, rows].reshape(-1, out_channels).T @ columns.T
    return dmatrix.reshape(out_channels, channels, k, k)


def _geometry(
    name: str, size: tuple[int, ...], k: int, stride: int, padding: Padding
) -> tuple[int, Pads, tuple[int, int]]:
    stride = whole_number(f"{name}: stride", stride, 1)
    pads = as_pads(name, padding, k, stride)
    return stride, pads, out_size(name, (size[0], size[1]), k, stride, pads)


def _check_upstream(
    name: str,
    dy: Array,
    out_channels: int,
    k: int,
    shape: tuple[int, ...],
    stride: int,
    padding: Padding,
) -> tuple[int, Pads]:
    """Raise unless dy has the shape that the forward pass gave."""
    check_picture(name, "dy", dy)
    stride, pads, size = _geometry(name, shape[2:], k, stride, padding)
    if dy.shape != (shape[0], out_channels, *size):
        raise ValueError(
            f"{name}: dy must be {(shape[0], out_channels, *size)}, like the output of an input "
            f"of {tuple(shape)}, got {dy.shape}"
        )
    return stride, pads


def _windows(padded: Array, k: int, stride: int) -> Array:
    """View (N, C, H, W) as what each kernel entry meets: (C, k, k, N, H', W')."""
    n, c, h, w = padded.shape
    shape = (c, k, k, n, (h - k) // stride + 1, (w - k) // stride + 1)
    image, plane, row, one = padded.strides
    return strided_view(padded, shape, (plane, row, one, image, row * stride, one * stride))


def _add_windows(padded: Array, windows: Array, stride: int) -> None:
    """Add (C, k, k, N, H', W') back to the pixels of `padded`: the adjoint of `_windows`."""
    _, k, _, _, out_h, out_w = windows.shape
    for i in range(k):
        for j in range(k):
            rows = slice(i, i + stride * (out_h - 1) + 1, stride)
            columns = slice(j, j + stride * (out_w - 1) + 1, stride)
            padded[:, :, rows, columns] += windows[:, i, j].transpose(1, 0, 2, 3)


def _block_columns(x: Array, rows: slice, k: int, stride: int, pads: Pads) -> Array:
    """Return the columns for output `rows` of the images x: (C*k*k, pixels)."""
    xp = array_module(x)
    n, c, _, w = x.shape
    (above, _), (left, right) = pads
    height = (rows.stop - 1 - rows.start) * stride + k
    padded = xp.zeros((n, c, height, left + w + right), x.dtype)
    copy_rows(padded, x, rows.start * stride - above, left)
    return _windows(padded, k, stride).reshape(c * k * k, -1)


def _zeros_around(like: Array, shape: tuple[int, int, int, int], pads: Pads, dtype: Any) -> Array:
    n, c, h, w = shape
    xp = array_module(like)
    padded: Array = xp.zeros((n, c, h + sum(pads[0]), w + sum(pads[1])), dtype)
    return padded


def _crop(padded: Array, size: tuple[int, int], pads: Pads) -> Array:
    (above, _), (left, _) = pads
    return padded[:, :, above : above + size[0], left : left + size[1]]
