"""Fast convolution at stride 1: equal to `npespcn.conv` up to the rounding of the sums.

It computes one block of pixels at a time, in one of three ways:

- *expand the input*, here: columns of C*k*k numbers, as the book does;
- *expand the output*, in `npespcn.fast.rows`, where that moves fewer numbers: no columns,
  k*out_channels numbers;
- the same *with half of the multiplications*, in `npespcn.fast.winograd`: 3x3 kernels.

Results lie channels-last in memory (their shape is still (N, C, H, W)), which the next layer reads
faster. Arguments are checked in `npespcn.fast.layers`, not here.
"""

from __future__ import annotations

import numpy as np

from npespcn.common import Array
from npespcn.fast import rows, winograd
from npespcn.fast.blocks import NO_PADS, Pads, blocks, output_size, view

_SUMMED_AT_ONCE = 256  # pixels: sums of sums lose less than one long sum


def forward(x: Array, weight: Array, bias: Array | None = None, pads: Pads = NO_PADS) -> Array:
    """Convolve (N, C, H, W) with zeros around it by a weight (O, C, k, k): (N, O, H', W')."""
    out_channels, channels, k, _ = weight.shape
    if winograd.pays(channels, out_channels, k, np.result_type(x, weight)):
        return winograd.forward(x, weight, bias, pads)
    if rows.moves_less(channels, out_channels, k):
        return rows.forward(x, weight, bias, pads)
    out_h, out_w = output_size(x, k, pads)
    matrix = weight.reshape(out_channels, channels * k * k)
    y = np.empty((len(x), out_h, out_w, out_channels), np.result_type(x, weight))
    for images, lines in blocks(len(x), out_h, out_w):
        columns = _block_columns(x[images], lines, k, pads)  # (C*k*k, pixels)
        y_block = y[images, lines].reshape(-1, out_channels)  # a view: (pixels, O)
        np.matmul(columns.T, matrix.T, out=y_block)
        if bias is not None:
            y_block += bias
    return y.transpose(0, 3, 1, 2)  # (N, O, H', W')


def input_gradient(dy: Array, weight: Array, pads: Pads = NO_PADS) -> Array:
    """Return dx (N, C, H, W) from dy (N, O, H', W').

    y[p] is the sum of weight[i] * x[p + i], so dx[u] is the sum of weight[i] * dy[u - i]. This is a
    convolution of dy with the flipped kernel, its channel axes swapped, and takes the same fast
    path.
    """
    k = weight.shape[2]
    flipped = weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)  # (C, O, k, k)
    (above, below), (left, right) = pads
    inside = (max(0, above - k + 1), max(0, left - k + 1))  # where the kernel saw only zeros
    rest = (
        (max(0, k - 1 - above), max(0, k - 1 - below)),
        (max(0, k - 1 - left), max(0, k - 1 - right)),
    )
    dx = forward(dy, flipped, None, rest)
    height = dy.shape[2] + k - 1 - above - below
    width = dy.shape[3] + k - 1 - left - right
    return dx[:, :, inside[0] : inside[0] + height, inside[1] : inside[1] + width]


def weight_gradient(dy: Array, x: Array, k: int, pads: Pads = NO_PADS) -> Array:
    """Return dweight (O, C, k, k): dy @ columns.T, summed over the blocks."""
    out_channels, channels = dy.shape[1], x.shape[1]
    if winograd.pays(channels, out_channels, k, np.result_type(dy, x)):
        return winograd.weight_gradient(dy, x, pads)
    if rows.moves_less(channels, out_channels, k):
        return rows.weight_gradient(dy, x, k, pads)
    dmatrix = np.zeros((out_channels, channels * k * k), np.result_type(dy, x))
    dy_last = dy.transpose(0, 2, 3, 1)  # (N, H', W', O)
    for images, lines in blocks(*dy_last.shape[:3]):
        columns = _block_columns(x[images], lines, k, pads)  # (C*k*k, pixels)
        dmatrix += dy_last[images, lines].reshape(-1, out_channels).T @ columns.T
    return dmatrix.reshape(out_channels, channels, k, k)


def bias_gradient(dy: Array) -> Array:
    """Return dbias (O,), the sum of dy (N, O, H', W') over all but the channels.

    Computed as products with ones: a BLAS adds up rows of channels faster than NumPy's ``sum``.
    """
    flat = dy.transpose(0, 2, 3, 1).reshape(-1, dy.shape[1])  # (pixels, O)
    ones = np.ones(_SUMMED_AT_ONCE, dy.dtype)
    whole = len(flat) // _SUMMED_AT_ONCE * _SUMMED_AT_ONCE
    sums = ones @ flat[:whole].reshape(-1, _SUMMED_AT_ONCE, dy.shape[1])  # (pixels/256, O)
    total: Array = sums.sum(axis=0) + ones[: len(flat) - whole] @ flat[whole:]
    return total


def _block_columns(x: Array, lines: slice, k: int, pads: Pads) -> Array:
    """Return the columns for output rows `lines` of the images x: (C*k*k, pixels)."""
    n, c, _, w = x.shape
    (above, _), (left, right) = pads
    padded = np.zeros((n, c, lines.stop - lines.start + k - 1, left + w + right), x.dtype)
    first = lines.start - above  # the row of x that is the first of `padded`
    inside = x[:, :, max(0, first) : max(0, first + padded.shape[2])]
    start = max(0, -first)
    padded[:, :, start : start + inside.shape[2], left : left + w] = inside
    image, plane, row, one = padded.strides
    shape = (c, k, k, n, padded.shape[2] - k + 1, padded.shape[3] - k + 1)
    return view(padded, shape, (plane, row, one, image, row, one)).reshape(c * k * k, -1)
