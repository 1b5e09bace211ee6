"""A network recorded for one shape of input: lists of NumPy calls, bound to their arrays.

For one shape, everything but the numbers is known in advance. So all memory is allocated once and
all views are made once, and what is left of a chunk of images is some fifty calls like
``np.matmul(a, b, out)`` and ``np.tanh(x, out)``::

    for call in calls:
        call()

Each call releases the interpreter's lock, and there is hardly any Python between them for which two
threads could wait. Nothing is copied that need not be: an activation writes into the inside of the
next convolution's padded memory, whose zeros are there already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from npespcn.common import Array
from npespcn.fast import winograd
from npespcn.fast.columns import ColumnWeight
from npespcn.fast.memory import (
    Call,
    Images,
    Pads,
    Scratch,
    Shape,
    Tall,
    aligned,
    images,
    new_images,
)
from npespcn.fast.shuffle import by_pixel, by_sub_pixel, copies
from npespcn.fast.winograd import WinogradWeight
from npespcn.layers import Conv2d, PixelShuffle, ReLU, Sigmoid, Tanh


class Weight:
    """A convolution's parameters in the form that the fast code takes, forward or backward.

    y[p] is the sum of weight[i] * x[p + i], so dx[u] is the sum of weight[i] * dy[u - i]: backward
    is a convolution, too, by the flipped kernel with its channels exchanged.
    """

    def __init__(self, layer: Any, dtype: DTypeLike, backward: bool = False) -> None:
        self.layer, self.backward = layer, backward
        o, c, self.k, _ = layer.params["weight"].shape
        c, o = (o, c) if backward else (c, o)
        self.form: WinogradWeight | ColumnWeight = (
            WinogradWeight(c, o, dtype, has_bias=not backward)
            if winograd.pays(self.k, c, o)
            else ColumnWeight(self.k, c, o, dtype)
        )

    def update(self) -> None:
        """Take the layer's present parameters."""
        weight, bias = self.layer.params["weight"], self.layer.params["bias"]
        if self.backward:
            self.form.set(weight[:, :, ::-1, ::-1].transpose(2, 3, 0, 1), None)
        else:
            self.form.set(weight.transpose(2, 3, 1, 0), bias)


def pads_of(layer: Any) -> Pads:
    """Return the zeros around a convolution's input."""
    k, padding = layer.params["weight"].shape[2], layer.padding
    sides = {"same": ((k - 1) // 2, k // 2), "valid": (0, 0)}.get(padding, (padding, padding))
    return sides, sides


class Stage:
    """A recorded layer: each pass is a list of calls.

    Attributes
    ----------
    shape : (n, h, w, c)
        Of its output.
    x, dy : Images or None
        Where its input, and the gradient in its output, must be written, if that matters to it.
    before, after : sequence of calls
        Around the calls that write `x`.
    """

    x: Images | None = None
    dy: Images | None = None
    before: Sequence[Call] = ()
    after: Sequence[Call] = ()

    def __init__(self, shape: Shape, dtype: DTypeLike) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.nbytes = 0  # of memory that belongs to it alone

    def own(self, shape: Shape) -> Images:
        """Return memory that belongs to this stage alone."""
        memory = new_images(shape, self.dtype)
        self.nbytes += memory.flat.nbytes
        return memory

    def forward(self, x: Any, place: Images | None) -> tuple[Images, list[Call]]:
        """Return y, in `place` if there is one, and the calls that compute it from x."""
        raise NotImplementedError

    def backward(self, dy: Any, place: Images | None) -> tuple[Any, list[Call]]:
        """Return dx, in `place` if there is one, and the calls that compute it from dy."""
        raise NotImplementedError


class Convolution(Stage):
    """A convolution, with the memory of its input, where the layer before it writes."""

    def __init__(self, weight: Weight, shape: Shape, pads: Pads, scratch: Scratch) -> None:
        self.weight, self.pads, self.scratch = weight, pads, scratch
        self.tall = Tall(shape, weight.k, pads, partial(aligned, dtype=scratch.dtype))
        self.x = self.tall.inside
        self.way = weight.form.convolve(self.tall, scratch)
        n, h, w = self.tall.out_shape
        super().__init__((n, h, w, weight.form.o), scratch.dtype)
        self.nbytes = self.tall.flat.nbytes + self.way.nbytes

    def forward(self, x: Any, place: Images | None) -> tuple[Images, list[Call]]:
        """Return y and the calls."""
        return self.way.y, self.way.calls

    def record_backward(self, slot: Array, back: Weight | None) -> None:
        """Record the backward pass.

        Parameters
        ----------
        slot : array
            For the gradients of weight and bias.
        back : Weight or None
            The weight backward; None if nobody needs the gradient in x.
        """
        k = self.weight.k
        rows, columns = ((k - 1 - before, k - 1 - after) for before, after in self.pads)
        name = "dy", self.shape, rows, columns  # so that nobody writes where its zeros are
        padded = Tall(self.shape, k, (rows, columns), partial(self.scratch, name))
        self.dy = padded.inside
        backward = back.form.convolve(padded, self.scratch) if back else None
        self.dx = backward.y if backward else None
        calls = self.way.gradients(padded, slot)
        self.backward_calls = calls + (backward.calls if backward else [])

    def backward(self, dy: Any, place: Images | None) -> tuple[Any, list[Call]]:
        """Return dx (None if nobody needs it) and the calls."""
        return self.dx, self.backward_calls


class Activation(Stage):
    """`Tanh`, `ReLU` or `Sigmoid`: elementwise, with a gradient that needs only y.

    It computes on all of x's memory at once, in place, and copies the pixels: NumPy is slower at
    arithmetic on many short rows than at both. Without a kind it is only the copy, which two
    convolutions need between them, and two activations as well.
    """

    def __init__(self, kind: Any, shape: Shape, scratch: Scratch) -> None:
        super().__init__(shape, scratch.dtype)
        self.kind, self.scratch = kind, scratch

    def forward(self, x: Any, place: Images | None) -> tuple[Images, list[Call]]:
        """Return y and the calls. Here sigmoid(x) is (1 + tanh(x / 2)) / 2."""
        self.y = place or self.own(self.shape)
        z = x.flat
        tanh, half = partial(np.tanh, z, z), partial(np.multiply, z, 0.5, z)
        calls: dict[Any, list[Call]] = {
            None: [],
            Tanh: [tanh],
            ReLU: [partial(np.maximum, z, 0, out=z)],
            Sigmoid: [half, tanh, half, partial(np.add, z, 0.5, z)],
        }
        return self.y, [*calls[self.kind], partial(np.copyto, self.y.view, x.view)]

    def backward(self, dy: Any, place: Images | None) -> tuple[Images, list[Call]]:
        """Return dx and the calls; dy lies like y."""
        dx = place or self.own(self.shape)
        if self.kind is None:
            return dx, [partial(np.copyto, dx.view, dy.view)]
        y = self.y.flat
        if self.kind is ReLU:
            mask = self.y.laid_over(self.scratch("mask", y.size).view(bool)[: y.size])
            return dx, [
                partial(np.greater, y, 0, mask.flat),
                partial(dx.view.fill, 0),
                partial(np.copyto, dx.view, dy.view, where=mask.view),
            ]
        slope = self.y.laid_over(self.scratch("slope", y.size))
        one = y if self.kind is Sigmoid else 1  # the slope is y - y*y, or 1 - y*y
        return dx, [
            partial(np.multiply, y, y, slope.flat),
            partial(np.subtract, one, slope.flat, slope.flat),
            partial(np.multiply, dy.flat[: y.size], slope.flat, slope.flat),
            partial(np.copyto, dx.view, slope.view),
        ]


class Shuffle(Stage):
    """`PixelShuffle`."""

    def __init__(self, layer: Any, shape: Shape, scratch: Scratch) -> None:
        self.r, self.order = layer.upscale_factor, layer.order
        self.x_shape, self.scratch = shape, scratch
        n, h, w, c = shape
        super().__init__((n, h * self.r, w * self.r, c // self.r**2), scratch.dtype)

    def forward(self, x: Any, place: Images | None) -> tuple[Images, list[Call]]:
        """Return y and the calls."""
        y = place or images(self.scratch("shuffled", *self.shape))
        return y, copies(by_pixel(y.view, self.r), by_sub_pixel(x.view, self.r, self.order))

    def backward(self, dy: Any, place: Images | None) -> tuple[Images, list[Call]]:
        """Return dx and the calls."""
        dx = place or self.own(self.x_shape)
        return dx, copies(by_sub_pixel(dx.view, self.r, self.order), by_pixel(dy.view, self.r))


def stages_of(
    layers: Sequence[Any],
    shape: Shape,
    scratch: Scratch,
    convolution: Callable[[Any, Shape], Convolution],
) -> list[Stage]:
    """Return the stages of layers whose first is a convolution of images (n, h, w, c)."""
    stages: list[Stage] = []
    for layer in layers:
        if isinstance(layer, Conv2d):
            stage: Stage = convolution(layer, shape)
        elif isinstance(layer, PixelShuffle):
            stage = Shuffle(layer, shape, scratch)
        else:
            stage = Activation(type(layer), shape, scratch)
        if stages and type(stages[-1]) is type(stage):
            stages.append(Activation(None, shape, scratch))
        stages.append(stage)
        shape = stage.shape
    return stages


def record_forward(stages: Sequence[Stage]) -> tuple[Images, list[Call]]:
    """Return y, and the calls that compute it once the first stage's x is in its place."""
    y: Any = None
    calls: list[Call] = []
    for stage, later in zip(stages, [*stages[1:], _nobody(stages)], strict=True):
        y, own = stage.forward(y, later.x)
        calls += [*later.before, *own, *later.after]
    return y, calls


def record_backward(stages: Sequence[Stage], scratch: Scratch) -> tuple[Images, Any, list[Call]]:
    """Return the place for dy, dx, and the calls that compute it once dy is there."""
    place = stages[-1].dy or images(scratch("last dy", *stages[-1].shape))
    dy: Any = place
    calls: list[Call] = []
    for stage, earlier in zip(stages[::-1], [*stages[-2::-1], _nobody(stages)], strict=True):
        dy, own = stage.backward(dy, earlier.dy)
        calls += own
    return place, dy, calls


def _nobody(stages: Sequence[Stage]) -> Stage:
    """Return a neighbor for the stage at the end, which does not mind where its numbers lie."""
    return Stage(stages[0].shape, stages[0].dtype)
