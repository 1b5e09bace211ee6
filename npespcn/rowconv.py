"""Convolution at stride 1 without columns: the fast path of `npespcn.conv`.

With the channels last in memory, the k pixels of a row under the kernel are already k*C consecutive
numbers. So every position's row of patches is there to be multiplied, without a copy::

    memory      | p0 | p1 | p2 | p3 | p4 | p5 | ...      each p: the C channels of one pixel
    phase 0     [ p0   p1   p2 ][ p3   p4   p5 ] ...     a (pixels/k, k*C) matrix: a plain view
    phase 1          [ p1   p2   p3 ][ p4   p5   p6 ]    the same memory, one pixel further
    phase 2               [ p2   p3   p4 ][ p5 ...

One product with all k rows of the kernel side by side gives, for every pixel, what it adds to the
output k - 1 rows up, ..., one row up, and in its own row; adding those k slices is the convolution.
An output pixel costs k*out_channels numbers written and read, against k*k*in_channels for columns
(96 against 576 in ESPCN's second layer), and the product has k times as many columns, which
is the shape that a BLAS runs best.

Positions where the kernel hangs over the right edge are computed too, and dropped.
"""

from __future__ import annotations

from npespcn.backend import Array, array_module
from npespcn.convshape import Pads, blocks, common_dtype, copy_rows, out_size


def moves_less(in_channels: int, out_channels: int, k: int) -> bool:
    """Whether this way moves fewer numbers per pixel than columns would."""
    return in_channels + k * out_channels < k * k * in_channels


def forward(x: Array, weight: Array, bias: Array | None, pads: Pads) -> Array:
    """Convolve at stride 1: what `npespcn.conv.conv2d_forward` gives, from the same arguments."""
    xp = array_module(x, weight)
    out_channels, in_channels, k, _ = weight.shape
    out_h, out_w = out_size("conv2d_forward", x.shape[2:], k, 1, pads)
    # (k columns, in_channels) by (k rows, out_channels)
    taps = weight.transpose(3, 1, 2, 0).reshape(k * in_channels, k * out_channels)
    dtype = common_dtype(x, weight, bias)
    y = xp.empty((len(x), out_h, out_w, out_channels), dtype)
    for images, rows in blocks(xp, len(x), out_h, out_w):
        y_block = y[images, rows]  # (n, h, w, out_channels)
        n, h, w, _ = y_block.shape
        pixels, pitch = channels_last(x[images], rows.start, h + k - 1, k, pads)
        products = xp.empty((len(pixels) - (k - 1), k * out_channels), dtype)
        xp.matmul(phases(pixels, k), taps, out=by_phase(products, k))
        products = products[: n * (h + k - 1) * pitch]
        products = products.reshape(n, h + k - 1, pitch, k, out_channels)
        terms = [products[:, i : i + h, :w, i] for i in range(k)]  # k of (n, h, w, out_channels)
        if bias is not None:
            terms.append(bias)
        add_up(terms, y_block)
    return y.transpose(0, 3, 1, 2)  # (N, out_channels, out_h, out_w)


def weight_gradient(dy: Array, x: Array, k: int, pads: Pads) -> Array:
    """Return dweight (out_channels, in_channels, k, k): the adjoint of `forward` in `weight`.

    Forward adds k slices of the products; so each row of dy goes back to the k rows that it was
    made of, and the same views of x meet them in one product.
    """
    xp = array_module(dy, x)
    out_channels, in_channels = dy.shape[1], x.shape[1]
    dtype = xp.result_type(dy, x)
    dtaps = xp.zeros((k * in_channels, k * out_channels), dtype)
    dy_last = dy.transpose(0, 2, 3, 1)  # (N, out_h, out_w, out_channels)
    for images, rows in blocks(xp, *dy_last.shape[:3]):
        dy_block = dy_last[images, rows]
        n, h, w, _ = dy_block.shape
        pixels, pitch = channels_last(x[images], rows.start, h + k - 1, k, pads)
        dproducts = xp.zeros((len(pixels) - (k - 1), k * out_channels), dtype)
        by_row = dproducts[: n * (h + k - 1) * pitch]
        by_row = by_row.reshape(n, h + k - 1, pitch, k, out_channels)  # a view
        for i in range(k):
            by_row[:, i : i + h, :w, i] = dy_block
        patches = phases(pixels, k).transpose(0, 2, 1)  # (k, k*in_channels, pixels/k)
        dtaps += xp.matmul(patches, by_phase(dproducts, k)).sum(axis=0)
    return dtaps.reshape(k, in_channels, k, out_channels).transpose(3, 1, 2, 0)


def channels_last(x: Array, first_row: int, height: int, k: int, pads: Pads) -> tuple[Array, int]:
    """Copy `height` rows of the padded x to channels-last memory, flat: (pixels, C), pitch.

    The pitch is a row's length. After the pixels come zeros: up to a multiple of k of them, and
    k - 1 more, so that every phase has equally many patches, and all of them whole.
    """
    xp = array_module(x)
    n, c, _, w = x.shape
    (above, _), (left, right) = pads
    pitch = left + w + right
    count = n * height * pitch
    pixels = xp.zeros((-(-count // k) * k + k - 1, c), x.dtype)
    target = pixels[:count].reshape(n, height, pitch, c).transpose(0, 3, 1, 2)
    copy_rows(target, x, first_row - above, left)  # target: (n, C, height, pitch)
    return pixels, pitch


def phases(pixels: Array, k: int) -> Array:
    """View (pixels + k - 1, C) as its k phases of patches along a row: (k, pixels/k, k*C)."""
    strided = array_module(pixels).lib.stride_tricks.as_strided
    step, one = pixels.strides
    shape = (k, len(pixels) // k, k * pixels.shape[1])
    view: Array = strided(pixels, shape=shape, strides=(step, k * step, one))
    return view


def by_phase(products: Array, k: int) -> Array:
    """View (pixels, columns) as the k phases that its pixels belong to: (k, pixels/k, columns)."""
    return products.reshape(-1, k, products.shape[1]).transpose(1, 0, 2)


def add_up(terms: list[Array], y: Array) -> None:
    """Write the sum of the terms into y, in as few passes over memory as it takes."""
    if len(terms) == 1:
        y[...] = terms[0]
        return
    array_module(y).add(terms[0], terms[1], out=y)
    for term in terms[2:]:
        y += term
