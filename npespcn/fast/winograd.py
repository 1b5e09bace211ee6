"""Half of the multiplications: Winograd's F(4, 3) along the rows of a 3x3 convolution.

Four outputs of a filter with three taps need twelve multiplications, or six: three taps g and six
inputs d make y[p] = g[0]*d[p] + g[1]*d[p+1] + g[2]*d[p+2] for p = 0 to 3 also as::

    y = BACK @ ((TAPS @ g) * (ROWS @ d))

The filter is a polynomial with three coefficients; multiplying polynomials is multiplying their
values at enough points, here 0, 1, -1, 2, -2 and infinity. TAPS and ROWS^T evaluate, BACK^T
evaluates what four outputs make: that is why all three have powers of the points in them (Winograd
1980; for networks, Lavin and Gray 2016).

Here d are six rows of a picture and y four rows of the result, so that each "multiplication" is a
1x3 convolution of a whole row: one matrix product by the views of `npespcn.fast.rows`. ROWS and
BACK
are matrix products too, with a 6x6 and a 4x6 matrix, and cost a tenth of what they save. The sums
have other terms than the definition's, so the rounding differs: in float32 by about 1e-6 of the
largest output, where the direct sum has 3e-7. "Largest" means of the pixels that share six rows;
where small images lie in one tall picture, those may be of two images.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from npespcn.arrays import array_module
from npespcn.common import Array
from npespcn.fast.blocks import Pads, blocks, common_dtype, out_size
from npespcn.fast.gpu import strided_view
from npespcn.fast.rows import TallPicture, add_up, by_phase, phase_count

TAPS = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)
ROWS = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
BACK = np.array(
    [
        [1, 1, 1, 1, 1, 0],
        [0, 1, -1, 2, -2, 0],
        [0, 1, 1, 4, 4, 0],
        [0, 1, -1, 8, -8, 1],
    ]
)
K, POINTS, STEP = 3, 6, 4  # taps, points, and output rows made from 6 input rows


def pays(in_channels: int, out_channels: int, k: int, dtype: np.dtype[np.generic]) -> bool:
    """Whether the multiplications saved are worth the two transforms: they are few otherwise."""
    return k == K and min(in_channels, out_channels) >= 4 and dtype in (np.float32, np.float64)


def forward(x: Array, weight: Array, bias: Array | None, pads: Pads) -> Array:
    """Convolve at stride 1: what `npespcn.fast.rows.forward` gives, for a 3x3 kernel."""
    xp = array_module(x, weight)
    out_channels, in_channels = weight.shape[:2]
    out_h, out_w = out_size("conv2d_forward", x.shape[2:], K, 1, pads)
    dtype = common_dtype(x, weight, bias)
    by_row = weight.transpose(2, 3, 1, 0).reshape(K, -1)  # (3 rows, 3 columns * in * out)
    taps = (_on_device(x, "TAPS", dtype) @ by_row).reshape(POINTS, 1, -1, out_channels)
    count = phase_count(xp, K)
    y = xp.empty((len(x), out_h, out_w, out_channels), dtype)
    for images, rows in blocks(xp, len(x), out_h, out_w):
        y_block = y[images, rows]
        tall = TallPicture(x[images], rows, out_w, K, pads, STEP)
        flat = _at_points(tall, dtype)
        pixels = len(flat) // POINTS
        products = xp.empty((POINTS, pixels, out_channels), dtype)
        step, one = flat.strides
        patches = strided_view(  # by phase, as in `npespcn.fast.rows`
            flat,
            (POINTS, count, pixels // count, K * in_channels),
            (pixels * step, step, count * step, one),
        )
        xp.matmul(patches, taps, out=by_phase(products, count))
        four_rows = xp.empty((tall.rows // STEP, STEP, tall.pitch * out_channels), dtype)
        _combine(_on_device(x, "BACK", dtype), _by_group(products, tall), four_rows)
        terms = [tall.of_images(four_rows.reshape(-1, out_channels))]
        if bias is not None:
            terms.append(bias)
        add_up(terms, y_block)
    return y.transpose(0, 3, 1, 2)  # (N, out_channels, out_h, out_w)


def weight_gradient(dy: Array, x: Array, pads: Pads) -> Array:
    """Return dweight (out_channels, in_channels, 3, 3): `forward` backwards, matrix by matrix."""
    xp = array_module(dy, x)
    out_channels, in_channels = dy.shape[1], x.shape[1]
    dtype = xp.result_type(dy, x)
    dtaps = xp.zeros((POINTS, K, in_channels, out_channels), dtype)
    dy_last = dy.transpose(0, 2, 3, 1)  # (N, out_h, out_w, out_channels)
    for images, rows in blocks(xp, *dy_last.shape[:3]):
        tall = TallPicture(x[images], rows, dy.shape[3], K, pads, STEP)
        flat = _at_points(tall, dtype)
        pixels = len(flat) // POINTS
        four_rows = xp.zeros((tall.rows * tall.pitch, out_channels), dtype)
        tall.of_images(four_rows)[...] = dy_last[images, rows]
        four_rows = four_rows.reshape(tall.rows // STEP, STEP, -1)  # (groups, 4, pitch*out)
        dproducts = xp.empty((POINTS, pixels, out_channels), dtype)
        dproducts[:, tall.rows // STEP * tall.pitch :] = 0
        _combine(_on_device(x, "BACK", dtype).T, four_rows, _by_group(dproducts, tall))
        step, one = flat.strides
        count = phase_count(xp, K)  # what each of the kernel's columns meets: (6, 3, C, pixels)
        columns = strided_view(
            flat,
            (POINTS, count, K * in_channels // count, pixels),
            (pixels * step, step, one, step),
        )
        dtaps += xp.matmul(columns, dproducts[:, None]).reshape(dtaps.shape)
    by_row = _on_device(x, "TAPS", dtype).T @ dtaps.reshape(POINTS, -1)  # (3, 3*in*out)
    return by_row.reshape(K, K, in_channels, out_channels).transpose(3, 2, 0, 1)


def _at_points(tall: TallPicture, dtype: np.dtype[np.generic]) -> Array:
    """Return ROWS @ (every six rows): flat memory of (6 * pixels + 2, C), two zeros at the end.

    Six rows from every fourth row on; pixels is a fourth of the picture's, rounded up to a multiple
    of three.
    """
    xp = array_module(tall.pixels)
    c, one = tall.pixels.shape[1], tall.pixels.itemsize
    row, groups = tall.pitch * c, tall.rows // STEP
    strides = (STEP * row * one, row * one, one)
    six_rows = strided_view(tall.pixels, (groups, POINTS, row), strides)  # (groups, 6, pitch*C)
    count = groups * tall.pitch
    rounded = -(-count // K) * K
    flat: Array = xp.empty((POINTS * rounded + K - 1, c), dtype)
    flat[POINTS * rounded :] = 0  # so far reach the last patches
    values = flat[: POINTS * rounded].reshape(POINTS, rounded, c)
    values[:, count:] = 0
    _combine(_on_device(tall.pixels, "ROWS", dtype), six_rows, _by_group(values, tall))
    return flat


def _by_group(values: Array, tall: TallPicture) -> Array:
    """View (6, pixels, C) as what the matrices meet: (groups of rows, 6, pitch*C)."""
    groups = tall.rows // STEP
    kept = values[:, : groups * tall.pitch]
    return kept.reshape(POINTS, groups, tall.pitch * values.shape[2]).swapaxes(0, 1)


def _combine(matrix: Array, groups: Array, out: Array) -> None:
    """Multiply each group of rows by a matrix: (m, k) and (groups, k, row) -> out (groups, m, row).

    CuPy would look up where each group lies first; so on a GPU all groups are one product.
    """
    xp = array_module(groups)
    if xp is np:
        xp.matmul(matrix, groups, out=out)
    else:
        out.swapaxes(0, 1)[...] = xp.tensordot(matrix, groups, (1, 1))  # (m, groups, row)


def _on_device(x: Array, name: str, dtype: np.dtype[np.generic]) -> Array:
    """Return a matrix where x is; it goes there once, and stays."""
    device = getattr(getattr(x, "device", None), "id", None)  # NumPy's device is but a word
    return _matrix(array_module(x), device, name, dtype)


@functools.cache
def _matrix(xp: Any, device: int | None, name: str, dtype: np.dtype[np.generic]) -> Array:
    matrix: Array = xp.asarray(globals()[name], dtype)
    return matrix
