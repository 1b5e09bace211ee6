"""Convolution by columns: one matrix product, whose patches are views.

Each pixel gets the k pixels of a column, its own and those below it, as channels; and a 1, which
meets the bias::

    image       a b c d        k = 3: columns      aei1 bfj1 cgk1 dhl1
                e f g h
                i j k l        patches             aei1 bfj1 cgk1, bfj1 cgk1 dhl1, ...

In memory a patch is k columns in a row, so patches need no copy. (The book's ``im2col`` copies each
pixel k*k times; this copies it k times.) A BLAS does not take rows that overlap, so the patches are
seen k times, each time one pixel further::

    memory      | c0 | c1 | c2 | c3 | c4 | c5 | ...      each c: the column of one pixel
    phase 0     [ c0   c1   c2 ][ c3   c4   c5 ] ...     a (pixels/k, patch) matrix: a plain view
    phase 1          [ c1   c2   c3 ][ c4   c5   c6 ]    the same memory, one pixel further
    phase 2               [ c2   c3   c4 ][ c5 ...

Every position of `Tall` memory gets its patch, also where that goes over the end of a row or of an
image.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import DTypeLike

from npespcn.common import Array
from npespcn.fast.memory import Call, Images, Scratch, Tall, aligned, spans, view

_BAND = 1500  # pixels that are computed together, and stay in a core's cache


class ColumnWeight:
    """A weight and a bias as the matrix that patches are multiplied by.

    Parameters
    ----------
    k, c, o
        Side of the kernel, and channels in and out.
    """

    def __init__(self, k: int, c: int, o: int, dtype: DTypeLike) -> None:
        self.k, self.c, self.o = k, c, o
        # (k columns, k rows * c, and 1 for the bias, which the first column's 1 meets; o)
        self.matrix = aligned(k * (k * c + 1) * o, dtype).reshape(k, k * c + 1, o)

    def set(self, taps: Array, bias: Array | None) -> None:
        """Take a weight as (k, k, c, o), and a bias (o,)."""
        k, c, o = self.k, self.c, self.o
        np.copyto(self.matrix[:, :-1].reshape(k, k, c, o), taps.swapaxes(0, 1))
        if bias is not None:
            np.copyto(self.matrix[0, -1], bias)

    def slots(self, count: int) -> Array:
        """Return memory for the gradients of `count` chunks."""
        size = self.k * (self.k * self.c + 1)
        return np.empty((count, self.k, size, self.o), self.matrix.dtype)

    def gradients(self, slots: Array) -> tuple[Array, Array]:
        """Add up the slots: the gradients of the weight (k, k, c, o) and the bias (o,)."""
        total = slots.sum(axis=(0, 1)).reshape(self.matrix.shape)
        weight = total[:, :-1].reshape(self.k, self.k, self.c, self.o)
        return weight.swapaxes(0, 1), total[0, -1]

    def convolve(self, x: Tall, scratch: Scratch) -> ColumnConvolution:
        """Record the convolution of what will lie in `x`."""
        return ColumnConvolution(self, x, scratch)


class ColumnConvolution:
    """A recorded convolution: `calls` compute `y`, in scratch memory."""

    def __init__(self, weight: ColumnWeight, x: Tall, scratch: Scratch) -> None:
        k, o, self.scratch = weight.k, weight.o, scratch
        count, size = x.rows * x.pitch, k * weight.c + 1  # of positions; of a column
        rounded = -(-count // k) * k  # positions of all phases, which are equally long
        columns = aligned((rounded + k - 1) * size, scratch.dtype)
        columns.reshape(-1, size)[:, -1] = 1
        source = view(x.flat, (count, k, weight.c), (weight.c, x.pitch * weight.c, 1))
        target = view(columns, source.shape, (size, weight.c, 1))
        self.nbytes = columns.nbytes
        y = scratch("rows", rounded * o)
        self.y = Images(y, x.by_image(y, (*x.out_shape, o)))
        bands = spans(rounded // k, round(rounded / _BAND))
        self.bands = [slice(*band) for band in bands]  # of a phase
        self.patches = view(columns, (k, rounded // k, k * size), (size, k * size, 1))
        matrix, by_phase = weight.matrix.reshape(-1, o), self._by_phase(y)
        self.calls: list[Call] = [partial(np.copyto, target, source)]
        for band in self.bands:
            patches, products = self.patches[:, band], by_phase[:, band]
            self.calls.append(partial(np.matmul, patches, matrix, products))

    def gradients(self, dy: Tall, slot: Array) -> list[Call]:
        """Record the gradients of weight and bias."""
        calls: list[Call] = []
        patches, by_phase = self.patches.swapaxes(1, 2), self._by_phase(dy.flat[dy.start :])
        part = self.scratch("part", *slot.shape)
        for i, band in enumerate(self.bands):
            target = part if i else slot
            calls.append(partial(np.matmul, patches[..., band], by_phase[:, band], target))
            calls += [partial(np.add, slot, part, slot)] if i else []
        return calls

    def _by_phase(self, flat: Array) -> Array:
        """View flat memory of pixels of o channels by phase: (k, pixels/k, o)."""
        k, length, _ = self.patches.shape
        o = self.y.view.shape[3]
        return view(flat, (k, length, o), (o, k * o, 1))
