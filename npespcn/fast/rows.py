"""Convolution at stride 1 without columns.

With the channels last in memory, the k pixels of a row under the kernel are already k*C consecutive
numbers. So the patches of all positions can be multiplied without a copy::

    memory      | p0 | p1 | p2 | p3 | p4 | p5 | ...      each p: the C channels of one pixel
    phase 0     [ p0   p1   p2 ][ p3   p4   p5 ] ...     a (pixels/k, k*C) matrix: a plain view
    phase 1          [ p1   p2   p3 ][ p4   p5   p6 ]    the same memory, one pixel further
    phase 2               [ p2   p3   p4 ][ p5 ...

One product with all k rows of the kernel side by side gives each pixel's contributions to the
output k - 1 rows up, ..., one row up, and in its own row. The sum of these k slices is the
convolution. An output pixel costs k*out_channels numbers written and read, against k*k*in_channels
for columns (96 against 576 in ESPCN's second layer), and the product has k times as many columns,
which is the shape that a BLAS runs best.

A batch of small images lies in memory as one tall image, and each row follows the one before it;
zeros between them serve as the padding of both neighbors. Positions where the kernel spans two
images or two rows are computed too, and dropped.
"""

from __future__ import annotations

import numpy as np

from npespcn.common import Array
from npespcn.fast.blocks import Pads, add_up, blocks, output_size, view


def moves_less(in_channels: int, out_channels: int, k: int) -> bool:
    """Whether this way moves fewer numbers per pixel than columns would."""
    return in_channels + k * out_channels < k * k * in_channels


def forward(x: Array, weight: Array, bias: Array | None, pads: Pads) -> Array:
    """Convolve at stride 1, like `npespcn.fast.conv.forward`."""
    out_channels, in_channels, k, _ = weight.shape
    out_h, out_w = output_size(x, k, pads)
    # (k columns, in_channels) by (k rows, out_channels)
    taps = weight.transpose(3, 1, 2, 0).reshape(k * in_channels, k * out_channels)
    dtype = np.result_type(x, weight)
    y = np.empty((len(x), out_h, out_w, out_channels), dtype)
    for images, rows in blocks(len(x), out_h, out_w):
        batch = StackedBatch(x[images], rows, out_w, k, pads)
        products = np.empty((len(batch.pixels) - (k - 1), k * out_channels), dtype)
        np.matmul(phases(batch.pixels, k), taps, out=by_phase(products, k))
        products = products.reshape(-1, k, out_channels)  # (pixels, k rows, out_channels)
        terms = [batch.of_images(products[:, i], rows_down=i) for i in range(k)]
        add_up(terms if bias is None else [*terms, bias], y[images, rows])
    return y.transpose(0, 3, 1, 2)  # (N, out_channels, out_h, out_w)


def weight_gradient(dy: Array, x: Array, k: int, pads: Pads) -> Array:
    """Return dweight (out_channels, in_channels, k, k): the adjoint of `forward` in `weight`.

    `forward` adds k slices of the products. Here each row of dy goes back to those k slices, and
    one product with the same views of x gives dweight.
    """
    out_channels, in_channels = dy.shape[1], x.shape[1]
    dtype = np.result_type(dy, x)
    dtaps = np.zeros((k * in_channels, k * out_channels), dtype)
    dy_last = dy.transpose(0, 2, 3, 1)  # (N, out_h, out_w, out_channels)
    for images, rows in blocks(*dy_last.shape[:3]):
        batch = StackedBatch(x[images], rows, dy.shape[3], k, pads)
        dproducts = np.zeros((len(batch.pixels) - (k - 1), k, out_channels), dtype)
        for i in range(k):
            batch.of_images(dproducts[:, i], rows_down=i)[...] = dy_last[images, rows]
        dproducts = dproducts.reshape(-1, k * out_channels)  # (pixels, k*out_channels)
        patches = phases(batch.pixels, k).transpose(0, 2, 1)  # (k, k*in_channels, pixels/k)
        dtaps += np.matmul(patches, by_phase(dproducts, k)).sum(axis=0)
    return dtaps.reshape(k, in_channels, k, out_channels).transpose(3, 1, 2, 0)


class StackedBatch:
    """The part of the images x (n, C, H, W) that output `rows` need, as one tall image.

    Attributes
    ----------
    pixels : array, (pixels, C)
        The rows one after the other, then zeros up to a multiple of k pixels, and k - 1 more. So
        all phases have the same number of patches, all of them whole.
    height, pitch : int
        Rows from one image to the next, and pixels from one row to the next. Each is the size plus
        the larger of the two pads: the zeros after one serve as those before the next.
    """

    def __init__(
        self, x: Array, rows: slice, out_w: int, k: int, pads: Pads, round_rows: int = 1
    ) -> None:
        n, c, h, w = x.shape
        (above, below), (left, right) = pads
        self.shape = (n, rows.stop - rows.start, out_w)
        self.height = self.shape[1] if n == 1 else max(h + max(above, below), self.shape[1])
        self.pitch = max(w + max(left, right), out_w)
        self.rows = -(-n * self.height // round_rows) * round_rows  # output rows in total
        count = (self.rows + k - 1) * self.pitch
        self.pixels: Array = np.zeros((-(-count // k) * k + k - 1, c), x.dtype)
        first = rows.start - above  # the row of x, or of the zeros above it, that comes first
        start, stop = max(0, first), max(0, min(h, rows.stop - above + k - 1))
        begin = (start - first) * self.pitch + left
        step, one = self.pixels.strides
        target = view(
            self.pixels[begin:],
            (n, max(0, stop - start), w, c),
            (self.height * self.pitch * step, self.pitch * step, step, one),
        )
        target[...] = x[:, :, start:stop].transpose(0, 2, 3, 1)

    def of_images(self, values: Array, rows_down: int = 0) -> Array:
        """View (pixels, channels) as the output's pixels, `rows_down` rows further down.

        Shape (n, h, w, channels).
        """
        n, h, w = self.shape
        begin, end = (row * self.pitch for row in (rows_down, rows_down + n * self.height))
        by_image = values[begin:end].reshape(n, self.height, self.pitch, values.shape[1])
        return by_image[:, :h, :w]


def phases(pixels: Array, k: int) -> Array:
    """View (pixels + k - 1, C) as its k phases of patches along a row: (k, pixels/k, k*C)."""
    step, one = pixels.strides
    shape = (k, (len(pixels) - k + 1) // k, k * pixels.shape[1])
    return view(pixels, shape, (step, k * step, one))


def by_phase(products: Array, k: int) -> Array:
    """View (..., pixels, columns) by phase of the pixel: (..., k, pixels/k, columns)."""
    *lead, _, columns = products.shape
    return products.reshape(*lead, -1, k, columns).swapaxes(-3, -2)
