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
convolution of a whole row. With the channels last in memory, the three pixels of a patch are 3*c
consecutive numbers, and the patches of all positions are views, which a product takes as they are
(`npespcn.fast.columns` has the picture). Bᵀ and Aᵀ are matrix products too, with a 6x6 and a 4x6
matrix, and cost a tenth of what they save.

The sums have other terms than in the definition, so the rounding differs: in float32 by 1e-6 to
2e-6 of the largest output, against 3e-7 to 5e-7 for the direct sum. "Largest" counts the pixels
that share six rows. Where images lie in one `Tall` memory, these rows may belong to two of them,
and a NaN may spread from one to the other.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import DTypeLike

from npespcn.common import Array
from npespcn.fast.memory import Call, Images, Scratch, Tall, aligned, spans, view

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
_ONE = 1  # the point whose column in AT is all ones
_BAND = 300  # products at a point that are computed together, and stay in a core's cache


def pays(k: int, c: int, o: int) -> bool:
    """Whether the saved multiplications are worth the transforms; not with few channels."""
    return k == K and min(c, o) >= 4


class WinogradWeight:
    """A 3x3 weight at the six points, and perhaps a bias.

    Parameters
    ----------
    c, o
        Channels in and out.
    has_bias
        Whether there is a bias.
    """

    def __init__(self, c: int, o: int, dtype: DTypeLike, has_bias: bool) -> None:
        self.c, self.o, self.has_bias = c, o, has_bias
        self.G, self.BT, self.AT = (matrix.astype(dtype) for matrix in (G, BT, AT))
        self.taps = aligned(POINTS * K * c * o, dtype).reshape(POINTS, 1, K * c, o)
        self.biases = dict[int, Array]()  # by the number of pixels in a row

    def set(self, taps: Array, bias: Array | None) -> None:
        """Take a weight as (3, 3, c, o), and a bias (o,)."""
        np.matmul(self.G, taps.reshape(K, -1), self.taps.reshape(POINTS, -1))
        if bias is not None:
            for row in self.biases.values():
                np.copyto(row.reshape(-1, self.o), bias)

    def bias_row(self, pitch: int) -> Array:
        """Return memory for the bias of a whole row of pixels: NumPy is best at long rows."""
        return self.biases.setdefault(pitch, np.zeros(pitch * self.o, self.taps.dtype))

    def slots(self, count: int) -> Array:
        """Return memory for the gradients of `count` chunks."""
        return np.empty((count, K * K * self.c + 1, self.o), self.taps.dtype)

    def gradients(self, slots: Array) -> tuple[Array, Array]:
        """Add up the slots: the gradients of the weight (3, 3, c, o) and the bias (o,)."""
        total = slots.sum(axis=0)
        return total[:-1].reshape(K, K, self.c, self.o), total[-1]

    def convolve(self, x: Tall, scratch: Scratch) -> WinogradConvolution:
        """Record the convolution of what will lie in `x`."""
        return WinogradConvolution(self, x, scratch)


class WinogradConvolution:
    """A recorded convolution: `calls` compute `y`, in scratch memory."""

    nbytes = 0  # of memory that belongs to it alone

    def __init__(self, weight: WinogradWeight, x: Tall, scratch: Scratch) -> None:
        o, groups = weight.o, -(-x.rows // STEP)
        bands = spans(groups, round(groups * x.pitch / _BAND))
        self.bands = [_Band(weight, x, first, last - first, scratch) for first, last in bands]
        y = scratch("rows", groups, STEP, x.pitch * o)
        self.y = Images(y.reshape(-1), x.by_image(y.reshape(-1), (*x.out_shape, o)))
        self.calls: list[Call] = []
        for band, (first, last) in zip(self.bands, bands, strict=True):
            self.calls += band.forward(y[first:last])
        self.weight, self.scratch = weight, scratch

    def gradients(self, dy: Tall, slot: Array) -> list[Call]:
        """Record the gradients of weight and bias: `calls` backwards, matrix by matrix."""
        weight, scratch, c, o = self.weight, self.scratch, self.weight.c, self.weight.o
        dtaps, dbias = scratch("dtaps", POINTS, K, c, o), slot[-1]
        more, more_bias = scratch("more dtaps", POINTS, K, c, o), scratch("more dbias", o)
        calls = self.bands[0].backward(dy, dtaps, dbias)
        for band in self.bands[1:]:
            calls += band.backward(dy, more, more_bias)
            calls.append(partial(np.add, dtaps, more, dtaps))
            calls.append(partial(np.add, dbias, more_bias, dbias))
        by_point, by_row = dtaps.reshape(POINTS, -1), slot[:-1].reshape(K, -1)
        return [*calls, partial(np.matmul, weight.G.T, by_point, by_row)]


class _Band:
    """Some groups of rows of a convolution: few enough for a core's cache.

    Attributes
    ----------
    count, rounded : int
        Products at each point; and that number with zeros after it, so that all phases are equally
        long and none of the `count` patches reaches into the next point. The products after them
        are junk, which is dropped, or meets zeros. Memory with such zeros serves this count only:
        nobody writes on them.
    """

    def __init__(
        self, weight: WinogradWeight, x: Tall, first: int, groups: int, scratch: Scratch
    ) -> None:
        self.weight, self.x, self.first, self.groups = weight, x, first, groups
        self.scratch = scratch
        self.count = groups * x.pitch
        self.rounded = -(-(self.count + K - 1) // K) * K

    def forward(self, y: Array) -> list[Call]:
        """Return the calls that compute y, (groups, 4, pitch*o)."""
        weight, c, o = self.weight, self.weight.c, self.weight.o
        points, calls = self._at_points()
        phases = (POINTS, K, self.rounded // K, K * c)
        patches = view(points, phases, (self.rounded * c, c, K * c, 1))
        products = self.scratch("products", POINTS, self.rounded, o)
        by_phase = products.reshape(POINTS, -1, K, o).swapaxes(1, 2)
        by_group = self._by_group(products)
        calls.append(partial(np.matmul, patches, weight.taps, by_phase))
        if weight.has_bias:  # added at the point 1 it reaches all four rows of a group
            at_one = by_group[:, _ONE]
            calls.append(partial(np.add, at_one, weight.bias_row(self.x.pitch), at_one))
        calls.append(partial(np.matmul, weight.AT, by_group, y))
        return calls

    def backward(self, dy: Tall, dtaps: Array, dbias: Array) -> list[Call]:
        """Return the calls that compute the gradients of the weight at the points, and the bias."""
        weight, c, o, row = self.weight, self.weight.c, self.weight.o, self.x.pitch * self.weight.o
        points, calls = self._at_points()
        columns = view(  # the inputs of each of the kernel's columns
            points, (POINTS, K, c, self.rounded), (self.rounded * c, c, 1, c)
        )
        start = dy.start + self.first * STEP * row
        four_rows = view(dy.flat, (self.groups, STEP, row), (STEP * row, row, 1), start)
        dproducts = self.scratch(("dproducts", self.count, o), POINTS, self.rounded, o)
        ones = np.ones(self.rounded, dtaps.dtype)
        return [
            *calls,
            partial(np.matmul, weight.AT.T, four_rows, self._by_group(dproducts)),
            partial(np.matmul, columns, dproducts[:, None], dtaps),
            partial(np.matmul, ones, dproducts[_ONE], dbias),
        ]

    def _at_points(self) -> tuple[Array, list[Call]]:
        """Return Bᵀ @ (every six rows of x), (6, rounded, c) and a bit more, and the calls."""
        c, row = self.weight.c, self.x.pitch * self.weight.c
        stride, shape = self.rounded * c, (self.groups, POINTS, row)
        points = self.scratch(("points", self.count, c), POINTS * stride + (K - 1) * c)
        six_rows = view(self.x.flat, shape, (STEP * row, row, 1), self.first * STEP * row)
        by_group = view(points, shape, (row, stride, 1))
        return points, [partial(np.matmul, self.weight.BT, six_rows, by_group)]

    def _by_group(self, values: Array) -> Array:
        """View (6, rounded, channels) as AT takes it: (groups, 6, pitch*channels)."""
        return values[:, : self.count].reshape(POINTS, self.groups, -1).swapaxes(0, 1)
