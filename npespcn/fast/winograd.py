"""Winograd's F(4, 3) along the rows of a 3x3 convolution: half of the multiplications.

Four outputs of a filter with three taps need twelve multiplications, or six: three taps g and six
inputs d make y[p] = g[0]*d[p] + g[1]*d[p+1] + g[2]*d[p+2] for p = 0 to 3 also as::

    y = Aᵀ @ ((G @ g) * (Bᵀ @ d))

The filter is a polynomial with three coefficients, and polynomials can be multiplied by their
values at enough points, here 0, 1, -1, 2, -2 and infinity. G and A evaluate polynomials, so they
hold powers of the points. B interpolates: each row of Bᵀ has the coefficients of a polynomial that
is zero at all points but one (Winograd 1980; for networks, Lavin and Gray 2016, whose letters these
are).

Here d is six rows of an image and y is four rows of the result, so each "multiplication" is a 1x3
convolution of a whole row: one matrix product, with the views of `npespcn.fast.rows`. Bᵀ and Aᵀ are
matrix products too, with a 6x6 and a 4x6 matrix, and cost a tenth of what they save. The sums have
other terms than in the definition, so the rounding differs: in float32 by about 1e-6 of the largest
output, against 3e-7 for the direct sum. "Largest" counts the pixels that share six rows. Where
small images are stacked into a tall one, these rows may belong to two images, and a NaN may spread
from one to the other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from npespcn.common import Array
from npespcn.fast.blocks import Pads, add_up, blocks, output_size, view
from npespcn.fast.rows import StackedBatch, by_phase

G = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)
BT = np.array(
    [
        [4.0, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
AT = np.array(
    [
        [1.0, 1, 1, 1, 1, 0],
        [0, 1, -1, 2, -2, 0],
        [0, 1, 1, 4, 4, 0],
        [0, 1, -1, 8, -8, 1],
    ]
)
K, POINTS, STEP = 3, 6, 4  # taps, points, and output rows made from 6 input rows


def pays(in_channels: int, out_channels: int, k: int, dtype: DTypeLike) -> bool:
    """Whether the saved multiplications are worth the transforms; not with few channels."""
    return k == K and min(in_channels, out_channels) >= 4 and dtype in (np.float32, np.float64)


def forward(x: Array, weight: Array, bias: Array | None, pads: Pads) -> Array:
    """Convolve with a 3x3 kernel, like `npespcn.fast.conv.forward`."""
    out_channels, in_channels = weight.shape[:2]
    out_h, out_w = output_size(x, K, pads)
    dtype = np.result_type(x, weight)
    by_row = weight.transpose(2, 3, 1, 0).reshape(K, -1)  # (3 rows, 3 columns * in * out)
    taps = (G.astype(dtype) @ by_row).reshape(POINTS, 1, -1, out_channels)
    y = np.empty((len(x), out_h, out_w, out_channels), dtype)
    for images, rows in blocks(len(x), out_h, out_w):
        batch = StackedBatch(x[images], rows, out_w, K, pads, STEP)
        flat = _at_points(batch, dtype)
        pixels = len(flat) // POINTS
        products = np.empty((POINTS, pixels, out_channels), dtype)
        step, one = flat.strides
        patches = view(  # by phase, as in `npespcn.fast.rows`
            flat,
            (POINTS, K, pixels // K, K * in_channels),
            (pixels * step, step, K * step, one),
        )
        np.matmul(patches, taps, out=by_phase(products, K))
        four_rows = np.empty((batch.rows // STEP, STEP, batch.pitch * out_channels), dtype)
        np.matmul(AT.astype(dtype), _by_group(products, batch), out=four_rows)
        terms = [batch.of_images(four_rows.reshape(-1, out_channels))]
        add_up(terms if bias is None else [*terms, bias], y[images, rows])
    return y.transpose(0, 3, 1, 2)  # (N, out_channels, out_h, out_w)


def weight_gradient(dy: Array, x: Array, pads: Pads) -> Array:
    """Return dweight (out_channels, in_channels, 3, 3): `forward` backwards, matrix by matrix."""
    out_channels, in_channels = dy.shape[1], x.shape[1]
    dtype = np.result_type(dy, x)
    dtaps = np.zeros((POINTS, K, in_channels, out_channels), dtype)
    dy_last = dy.transpose(0, 2, 3, 1)  # (N, out_h, out_w, out_channels)
    for images, rows in blocks(*dy_last.shape[:3]):
        batch = StackedBatch(x[images], rows, dy.shape[3], K, pads, STEP)
        flat = _at_points(batch, dtype)
        pixels = len(flat) // POINTS
        four_rows = np.zeros((batch.rows * batch.pitch, out_channels), dtype)
        batch.of_images(four_rows)[...] = dy_last[images, rows]
        four_rows = four_rows.reshape(batch.rows // STEP, STEP, -1)  # (groups, 4, pitch*out)
        dproducts = np.empty((POINTS, pixels, out_channels), dtype)
        dproducts[:, batch.rows // STEP * batch.pitch :] = 0
        np.matmul(AT.T.astype(dtype), four_rows, out=_by_group(dproducts, batch))
        step, one = flat.strides
        columns = view(  # the inputs of each of the kernel's columns: (6, 3, C, pixels)
            flat, (POINTS, K, in_channels, pixels), (pixels * step, step, one, step)
        )
        dtaps += np.matmul(columns, dproducts[:, None])
    by_row = G.T.astype(dtype) @ dtaps.reshape(POINTS, -1)  # (3, 3*in*out)
    return by_row.reshape(K, K, in_channels, out_channels).transpose(3, 2, 0, 1)


def _at_points(batch: StackedBatch, dtype: DTypeLike) -> Array:
    """Return Bᵀ @ (every six rows): flat memory of (6 * pixels + 2, C), two zeros at the end.

    The six rows begin at every fourth row; pixels is a fourth of the image's, rounded up to a
    multiple of three.
    """
    c, one = batch.pixels.shape[1], batch.pixels.itemsize
    row, groups = batch.pitch * c, batch.rows // STEP
    strides = (STEP * row * one, row * one, one)
    six_rows = view(batch.pixels, (groups, POINTS, row), strides)  # (groups, 6, pitch*C)
    count = groups * batch.pitch
    rounded = -(-count // K) * K
    flat: Array = np.empty((POINTS * rounded + K - 1, c), dtype)
    flat[POINTS * rounded :] = 0  # the last patches reach into these
    values = flat[: POINTS * rounded].reshape(POINTS, rounded, c)
    values[:, count:] = 0
    np.matmul(BT.astype(dtype), six_rows, out=_by_group(values, batch))
    return flat


def _by_group(values: Array, batch: StackedBatch) -> Array:
    """View (6, pixels, C) as the matrices take it: (groups of rows, 6, pitch*C)."""
    groups = batch.rows // STEP
    kept = values[:, : groups * batch.pitch]
    return kept.reshape(POINTS, groups, batch.pitch * values.shape[2]).swapaxes(0, 1)
