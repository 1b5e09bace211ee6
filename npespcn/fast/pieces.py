"""A piece of a network that is recorded: its plans, and how it cuts the work for the threads."""

from __future__ import annotations

import math
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

KEPT_BYTES, _KEPT = 128 << 20, 8  # of plans, for each piece: bytes, and their number
_COLUMNS, _PIXELS = 160, 2560  # of a strip; and at work at a time: they stay in the cache
_PARTS, _ROWS = 4, 64  # the fewest parts of an input, if each has so many rows


class Piece(Layer):
    """Layers that are recorded as one: a convolution at stride 1 and what follows it.

    An input for which there is no fast form, or a wrong one, is the layers' own affair.
    """

    def __init__(self, layers: Sequence[Any], input_gradient: bool) -> None:
        self.layers, self.input_gradient = Sequential(*layers), input_gradient
        self.stack, self.plans = list(layers), Plans()
        self.kept: Any = None  # the key and the plan of the last forward pass

    def forward(self, x: Array) -> Array:
        """Return y, and keep what `backward` needs."""
        if kept := self._take_kept():
            self.plans.put(*kept)
        if self._out_shape(x) is None:
            return self.layers.forward(x)
        (n, c, h, w), dtype = x.shape, self._dtype(x)
        key = "batch", x.shape, dtype, thread_count(), *self._options()
        batch = self.plans.take(
            key, lambda: Batch(self.stack, (n, h, w, c), dtype, self.input_gradient)
        )
        y = batch.forward(x)
        self.kept = key, batch
        return y

    def backward(self, dy: Array) -> Array | None:
        """Return dx (None without ``input_gradient``); set the layers' gradients."""
        kept = self._take_kept()  # if this is interrupted, the plan is not used again
        if kept is None:
            dx: Array | None = self.layers.backward(dy)
            return dx
        check_shape("dy", dy, kept[1].out_shape)
        dx = kept[1].backward(dy)
        self.kept = kept
        return dx

    def predict(self, x: Array) -> Array:
        """Return y, in parts that fit together: images never meet, and memory does not grow."""
        out_shape = self._out_shape(x)
        if out_shape is None:
            return self.layers.predict(x)
        (n, _, h, w), r, dtype, options = x.shape, self._scale(), self._dtype(x), self._options()
        y = np.empty((n, *out_shape), dtype)
        out_h, out_w = (side // r for side in out_shape[1:])
        columns = spans(out_w, round(out_w / _COLUMNS))
        rows = spans(out_h, min(-(-_PARTS // len(columns)), out_h // _ROWS))

        def run(work: tuple[int, tuple[int, int], tuple[int, int]]) -> None:
            i, (top, bottom), (left, right) = work
            first_row, last_row = self._needed(top, bottom, h, 0)
            first_column, last_column = self._needed(left, right, w, 1)
            part = x[i, :, first_row:last_row, first_column:last_column]
            at_work, width = _rows_at_work(*part.shape[1:]), part.shape[2]
            key = "strip", width, at_work, dtype, *options
            strip = self.plans.take(key, lambda: Strip(self.stack, width, at_work, dtype))
            place = y[i, :, top * r : bottom * r, left * r : right * r]
            strip.run(part, place, top - first_row, left - first_column)
            self.plans.put(key, strip)

        parallel_map(run, [(i, a, b) for i in range(n) for a in rows for b in columns])
        return y

    def _take_kept(self) -> Any:
        with self.plans.lock:
            kept, self.kept = self.kept, None
        return kept

    def _dtype(self, x: Array) -> Any:
        return np.result_type(x, *self.layers.params.values())

    def _scale(self) -> int:
        factors = [each.upscale_factor for each in self.stack if isinstance(each, PixelShuffle)]
        return math.prod(factors)

    def _options(self) -> list[Any]:
        """Return what a plan depends on beside its input: somebody may have changed a layer."""
        shapes = [param.shape for param in self.layers.params.values()]
        return shapes + [vars(each).get("padding", vars(each).get("order")) for each in self.stack]

    def _out_shape(self, x: Array) -> tuple[int, int, int] | None:
        """Return (C', H', W'), or None if the layers themselves must look at x."""
        if array_module(x) is not np or x.dtype.kind != "f" or x.ndim != 4 or x.size == 0:
            return None
        if self._dtype(x) not in (np.float32, np.float64):
            return None
        _, c, h, w = x.shape
        for layer in self.stack:
            if isinstance(layer, Conv2d):
                o, channels, k, _ = layer.params["weight"].shape
                rows, columns = (sum(pads) - k + 1 for pads in pads_of(layer))
                h, w = h + rows, w + columns
                if not is_fast_convolution(layer) or channels != c or min(h, w) < 1:
                    return None
                c = o
            elif isinstance(layer, PixelShuffle):
                r = layer.upscale_factor
                if not is_fast_shuffle(layer, c):
                    return None
                c, h, w = c // (r * r), h * r, w * r
        return c, h, w

    def _needed(self, start: int, stop: int, side: int, axis: int) -> tuple[int, int]:
        """Return the first pixel that output start..stop needs, and one after the last."""
        layers = [layer for layer in self.stack if isinstance(layer, Conv2d)]
        before = sum(pads_of(layer)[axis][0] for layer in layers)
        reach = sum(layer.params["weight"].shape[2] - 1 for layer in layers)
        return max(0, start - before), min(side, stop - before + reach)


class Plans:
    """The plans that were used last: up to 8, and up to 128 MB of them.

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
        """Keep a plan, unless it is too large, and drop the oldest that there is no room for."""
        if plan.nbytes > KEPT_BYTES:
            return
        with self.lock:
            self.plans.insert(0, (key, plan))
            del self.plans[_KEPT:]
            while sum(plan.nbytes for _, plan in self.plans) > KEPT_BYTES:
                self.plans.pop()


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
        fits = k and channels == layer.params["weight"].shape[1] and (k == 1 or not is_shuffled)
        if is_open and (fits or shuffles or type(layer) in (Tanh, ReLU, Sigmoid)):
            groups[-1].append(layer)
            is_shuffled = is_shuffled or shuffles
        else:
            groups.append([layer])
            is_open, is_shuffled = k > 0, False
        if k:
            channels = len(layer.params["weight"])
        elif shuffles:
            channels //= layer.upscale_factor**2
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
