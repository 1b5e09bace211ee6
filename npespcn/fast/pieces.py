"""A piece of a network that is recorded: its plans, and how it cuts the work for the threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from npespcn.arrays import array_module, check_shape
from npespcn.common import Array
from npespcn.fast.batches import Batch
from npespcn.fast.memory import spans
from npespcn.fast.recorded import pads_of
from npespcn.fast.shuffle import is_fast_shuffle
from npespcn.fast.strips import Strip
from npespcn.fast.threads import parallel_map, thread_count
from npespcn.layers import Conv2d, Layer, PixelShuffle, ReLU, Sequential, Sigmoid, Tanh

KEPT_BYTES = 256 << 20  # of plans, for each piece
_COLUMNS, _PIXELS = 160, 2560  # of a strip; and at work at a time: they stay in the cache
_PARTS, _ROWS = 4, 64  # the fewest parts of an input, if each has so many rows


class Piece(Layer):
    """Layers that are recorded as one: a convolution at stride 1 and what follows it.

    An input for which there is no fast form, or a wrong one, is the layers' own affair.
    """

    def __init__(self, layers: Sequence[Any], input_gradient: bool) -> None:
        self.layers, self.input_gradient = Sequential(*layers), input_gradient
        self.plans = Plans()
        self.kept: Any = None  # the key and the plan of the last forward pass
        self.convolutions = [layer for layer in layers if isinstance(layer, Conv2d)]
        self.scale = self.out_channels = 1
        for layer in layers:
            if isinstance(layer, Conv2d):
                self.out_channels = len(layer.params["weight"])
            elif isinstance(layer, PixelShuffle):
                self.scale = layer.upscale_factor
                self.out_channels //= self.scale**2

    def forward(self, x: Array) -> Array:
        """Return y, and keep what `backward` needs."""
        self.plans.put_back(self)
        if not self._fits(x):
            return self.layers.forward(x)
        n, c, h, w = x.shape
        dtype = np.result_type(x, *self.layers.params.values())
        key = "batch", x.shape, dtype, thread_count()
        batch = self.plans.take(
            key, lambda: Batch(self._layers, (n, h, w, c), dtype, self.input_gradient)
        )
        y = batch.forward(x)
        self.kept = key, batch
        return y

    def backward(self, dy: Array) -> Array | None:
        """Return dx (None without ``input_gradient``); set the layers' gradients."""
        if self.kept is None:
            dx: Array = self.layers.backward(dy)
            return dx
        _, batch = self.kept
        check_shape("dy", dy, batch.out_shape)
        return batch.backward(dy)

    def predict(self, x: Array) -> Array:
        """Return y, in parts that fit together: images never meet, and memory does not grow."""
        if not self._fits(x):
            return self.layers.predict(x)
        (n, _, h, w), r = x.shape, self.scale
        dtype = np.result_type(x, *self.layers.params.values())
        out_h, out_w = self._out_side(h, 0), self._out_side(w, 1)
        y = np.empty((n, self.out_channels, out_h * r, out_w * r), dtype)
        columns = spans(out_w, round(out_w / _COLUMNS))
        rows = spans(out_h, min(-(-_PARTS // (n * len(columns))), out_h // _ROWS))

        def run(work: tuple[int, tuple[int, int], tuple[int, int]]) -> None:
            i, (top, bottom), (left, right) = work
            first_row, last_row = self._needed(top, bottom, h, 0)
            first_column, last_column = self._needed(left, right, w, 1)
            part = x[i, :, first_row:last_row, first_column:last_column]
            key = "strip", _rows_at_work(*part.shape[1:]), part.shape[2], dtype
            strip = self.plans.take(key, lambda: Strip(self._layers, key[2], key[1], dtype))
            place = y[i, :, top * r : bottom * r, left * r : right * r]
            strip.run(part, place, top - first_row, left - first_column)
            self.plans.put(key, strip)

        parallel_map(run, [(i, a, b) for i in range(n) for a in rows for b in columns])
        return y

    @property
    def _layers(self) -> list[Any]:
        return list(self.layers.layers.values())

    def _fits(self, x: Array) -> bool:
        if array_module(x) is not np or x.dtype.kind != "f" or x.ndim != 4 or not len(x):
            return False
        params = list(self.layers.params.values())
        return (
            np.result_type(x, *params) in (np.float32, np.float64)
            and x.shape[1] == params[0].shape[1]
            and min(self._out_side(x.shape[2], 0), self._out_side(x.shape[3], 1)) > 0
        )

    def _out_side(self, side: int, axis: int) -> int:
        """Return H' or W' before the shuffle, 0 if some layer has no output."""
        for layer in self.convolutions:
            side += sum(pads_of(layer)[axis]) - layer.params["weight"].shape[2] + 1
            if side < 1:
                return 0
        return side

    def _needed(self, start: int, stop: int, side: int, axis: int) -> tuple[int, int]:
        """Return the first pixel that output start..stop needs, and one after the last."""
        before = sum(pads_of(layer)[axis][0] for layer in self.convolutions)
        reach = sum(layer.params["weight"].shape[2] - 1 for layer in self.convolutions)
        return max(0, start - before), min(side, stop - before + reach)


class Plans:
    """The plans that were used last, up to 256 MB of them.

    A plan is taken out to be used, so that it never serves two threads at a time.
    """

    def __init__(self) -> None:
        self.lock, self.plans = threading.Lock(), list[Any]()

    def take(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return a plan for the key, made if there is none."""
        with self.lock:
            for i, (other, plan) in enumerate(self.plans):
                if other == key:
                    del self.plans[i]
                    return plan
        return make()

    def put(self, key: Any, plan: Any) -> None:
        """Keep a plan, and drop the oldest that there is no room for."""
        with self.lock:
            self.plans.insert(0, (key, plan))
            while sum(plan.nbytes for _, plan in self.plans) > KEPT_BYTES:
                self.plans.pop()

    def put_back(self, piece: Piece) -> None:
        """Keep what `piece` no longer needs for its backward pass."""
        with self.lock:
            kept, piece.kept = piece.kept, None
        if kept:
            self.put(*kept)


def pieces_of(layers: Sequence[Any]) -> list[list[Any]]:
    """Group layers: those of a list with a convolution at its head are recorded as a `Piece`.

    A piece goes on with convolutions and elementwise layers, then one shuffle, and after it only
    layers that look at one pixel.
    """
    groups: list[list[Any]] = []
    channels, is_open, is_shuffled = 0, False, False  # of the last group
    for layer in layers:
        k = layer.params["weight"].shape[2] if is_fast_convolution(layer) else 0
        shuffles = is_open and not is_shuffled and is_fast_shuffle(layer, channels)
        follows = type(layer) in (Tanh, ReLU, Sigmoid) or (k and (k == 1 or not is_shuffled))
        if is_open and (follows or shuffles):
            groups[-1].append(layer)
            is_shuffled = is_shuffled or shuffles
        else:
            groups.append([layer])
            is_open, is_shuffled = k > 0, False
        channels = len(layer.params["weight"]) if k else channels
    return groups


def is_fast_convolution(layer: Any) -> bool:
    """Whether it is a plain `Conv2d` at stride 1 whose every position meets the image."""
    if type(layer) is not Conv2d or layer.stride != 1:
        return False
    k = layer.params["weight"].shape[2]
    return layer.padding in ("same", "valid") or layer.padding in range(k)


def _rows_at_work(height: int, width: int) -> int:
    """Return rows of a strip: a multiple of four, for Winograd, that has few left at the end."""
    blocks = max(1, round(height * width / _PIXELS))
    return 4 * -(-height // (4 * blocks))
