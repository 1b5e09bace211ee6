"""A training step recorded for one shape of batch: `Chunk` after `Chunk`, on all threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from npespcn.common import Array
from npespcn.fast.memory import Images, Scratch, Shape, spans
from npespcn.fast.recorded import (
    Convolution,
    Weight,
    pads_of,
    record_backward,
    record_forward,
    stages_of,
)
from npespcn.fast.threads import parallel_map, thread_count
from npespcn.layers import Conv2d

_CHUNK = 1280  # pixels, or one image


class Batch:
    """Forward and backward of a batch; it owns all memory that they need.

    The batch is cut into chunks of a few images. Each chunk keeps what its backward pass needs, and
    writes its gradients into a slot of its own; the slots are added up in order. All else lies in
    scratch memory, one for each thread. So results are the same bits on any number of threads.
    """

    def __init__(
        self, layers: Sequence[Any], shape: Shape, dtype: Any, input_gradient: bool
    ) -> None:
        convolutions = [layer for layer in layers if isinstance(layer, Conv2d)]
        self.weights = {layer: Weight(layer, dtype) for layer in convolutions}
        backward = convolutions if input_gradient else convolutions[1:]
        self.backs = {layer: Weight(layer, dtype, backward=True) for layer in backward}
        n, h, w, _ = shape
        self.cuts = chunks_of(n, h * w)
        self.slots = {
            layer: weight.form.slots(len(self.cuts)) for layer, weight in self.weights.items()
        }
        self.scratches = [Scratch(dtype) for _ in range(min(thread_count(), len(self.cuts)))]
        self.chunks = [self._chunk(i, layers, shape) for i in range(len(self.cuts))]
        self.x_shape, self.out_shape = shape, (n, *self.chunks[0].y.shape[1:])
        self.input_gradient = input_gradient

    def _chunk(self, i: int, layers: Sequence[Any], shape: Shape) -> Chunk:
        scratch, part = self.scratches[i % len(self.scratches)], self.cuts[i]

        def convolution(layer: Any, shape: Shape) -> Convolution:
            weight = self.weights[layer]
            stage = Convolution(weight, shape, pads_of(layer), scratch)
            stage.record_backward(self.slots[layer][i], self.backs.get(layer))
            return stage

        return Chunk(layers, (part.stop - part.start, *shape[1:]), scratch, convolution)

    @property
    def nbytes(self) -> int:
        """The memory in bytes, but for the weights."""
        parts: list[Any] = [*self.scratches, *self.chunks, *self.slots.values()]
        return sum(part.nbytes for part in parts)

    def forward(self, x: Array) -> Array:
        """Return y: (N, C, H, W) -> (N, C', H', W')."""
        y = np.empty(self.out_shape, self.scratches[0].dtype)
        self._run(self.weights, lambda chunk, part: chunk.forward(x[part], y[part]))
        return y

    def backward(self, dy: Array) -> Array | None:
        """Set the layers' gradients; return dx, or None without ``input_gradient``."""
        n, h, w, c = self.x_shape
        dx = np.empty((n, c, h, w), self.scratches[0].dtype) if self.input_gradient else None
        self._run(
            self.backs,
            lambda chunk, part: chunk.backward(dy[part], None if dx is None else dx[part]),
        )
        for layer, slots in self.slots.items():
            taps, bias = self.weights[layer].form.gradients(slots)
            layer.grads = {"weight": taps.transpose(3, 2, 0, 1).copy(), "bias": bias.copy()}
        return dx

    def _run(self, weights: dict[Any, Weight], run: Callable[[Chunk, slice], None]) -> None:
        """Take the present weights, and call `run` for each chunk, on all threads."""
        pairs, lanes = list(zip(self.chunks, self.cuts, strict=True)), len(self.scratches)

        def run_lane(lane: int) -> None:
            for chunk, part in pairs[lane::lanes]:
                run(chunk, part)

        for weight in weights.values():
            weight.update()
        parallel_map(run_lane, range(lanes))


class Chunk:
    """A few images on their way through all layers, forward and backward."""

    def __init__(
        self,
        layers: Sequence[Any],
        shape: Shape,
        scratch: Scratch,
        convolution: Callable[[Any, Shape], Convolution],
    ) -> None:
        stages = stages_of(layers, shape, scratch, convolution)
        x = cast("Images", stages[0].x)
        y, self.forward_calls = record_forward(stages)
        dy, dx, self.backward_calls = record_backward(stages, scratch)
        self.x, self.y, self.dy, self.dx = (
            images and images.view.transpose(0, 3, 1, 2)  # (n, C, H, W)
            for images in (x, y, dy, dx)
        )
        self.nbytes = sum(stage.nbytes for stage in stages)

    def forward(self, x: Array, y: Array) -> None:
        """Write y, (n, C', H', W')."""
        np.copyto(self.x, x)
        for call in self.forward_calls:
            call()
        np.copyto(y, self.y)

    def backward(self, dy: Array, dx: Array | None) -> None:
        """Set the gradients in the chunk's slots, and write dx if it is not None."""
        np.copyto(self.dy, dy)
        for call in self.backward_calls:
            call()
        if dx is not None:
            np.copyto(dx, self.dx)


def chunks_of(n: int, pixels: int) -> list[slice]:
    """Cut n images of so many pixels into chunks of equal length: an even number, or one each."""
    at_a_time = max(1, round(_CHUNK / pixels))
    count = min(n, 2 * -(-n // (2 * at_a_time)))
    return [slice(*span) for span in spans(n, count)]
