"""Fast twins of the book's layers: the same parameters, the same numbers to rounding.

A twin reads its layer's ``params`` at each call, so it sees new values and new arrays. A layer
without a fast form runs the book's code.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from npespcn.arrays import array_module
from npespcn.common import Array
from npespcn.conv import conv2d_forward
from npespcn.fast import conv
from npespcn.fast.blocks import Pads, blocks, output_size
from npespcn.fast.threads import parallel_map
from npespcn.layers import Conv2d, Layer, PixelShuffle, ReLU, Tanh

_PIECE = 1 << 17  # LR pixels to shuffle at a time: the r runs over the same memory find it cached


class Twin(Layer):
    """The book's layer, with a memory and gradients of its own."""

    def __init__(self, layer: Any) -> None:
        self.layer, self.grads = layer, {}

    @property
    def params(self) -> Any:
        """The layer's own parameters."""
        return self.layer.params

    def forward(self, x: Array) -> Array:
        """Return y, and keep what `backward` needs."""
        self.own = copy.copy(self.layer)
        return self.own.forward(x)

    def backward(self, dy: Array) -> Array:
        """Return dx; set ``grads``."""
        dx: Array = self.own.backward(dy)
        self.grads = self.own.grads
        return dx

    def backward_params(self, dy: Array) -> None:
        """Set ``grads`` without dx: all that the first layer of a network needs in training."""
        self.backward(dy)


class FastConv2d(Twin):
    """`Conv2d` at stride 1."""

    def forward(self, x: Array) -> Array:
        """Convolve, and keep x."""
        self.x = x
        return self.convolve(x, pads_of(self.layer))

    def convolve(self, x: Array, pads: Pads) -> Array:
        """Convolve with other padding than the layer's; on a GPU, by the book's code."""
        xp, weight, bias = array_module(x), self.params["weight"], self.params["bias"]
        fits = min(output_size(x, weight.shape[2], pads)) > 0 and x.shape[1] == weight.shape[1]
        if xp is np and x.dtype.kind == "f" and fits:
            return conv.forward(x, weight, bias, pads)
        y: Array = conv2d_forward(xp.pad(x, ((0, 0), (0, 0), *pads)), weight, bias)
        return y

    def backward(self, dy: Array) -> Array:
        """Return dx; set ``grads``."""
        self.backward_params(dy)
        return conv.input_gradient(dy, self.params["weight"], pads_of(self.layer))

    def backward_params(self, dy: Array) -> None:
        """Set ``grads``."""
        k = self.params["weight"].shape[2]
        dweight = conv.weight_gradient(dy, self.x, k, pads_of(self.layer))
        self.grads = {"weight": dweight, "bias": conv.bias_gradient(dy)}


class FastTanh(Twin):
    """`Tanh` whose gradient makes one new array, because its cost is passes over memory."""

    def forward(self, x: Array) -> Array:
        """Return tanh(x), and keep it."""
        self.y = array_module(x).tanh(x)
        return self.y

    def backward(self, dy: Array) -> Array:
        """Return dy * (1 - y*y)."""
        dx = self.y * self.y
        np.subtract(1, dx, out=dx)
        dx *= dy
        return dx


class FastReLU(Twin):
    """`ReLU`, whose gradient keeps the memory order of y (``np.where`` would not)."""

    def forward(self, x: Array) -> Array:
        """Return max(x, 0), and keep it."""
        self.y = array_module(x).maximum(x, 0)
        return self.y

    def backward(self, dy: Array) -> Array:
        """Return dy where x > 0, and 0 elsewhere."""
        dx = np.zeros_like(self.y, dtype=dy.dtype)
        np.copyto(dx, dy, where=self.y > 0)
        return dx


class FastPixelShuffle(Twin):
    """`PixelShuffle` in CRD order, which writes each sub-column j as a whole.

    NumPy's own copy of the transposed array would run along j, r numbers at a time. Here it runs
    along a row, in pieces that stay in the cache, on all threads.
    """

    def forward(self, x: Array) -> Array:
        """Rearrange (N, C*r*r, H, W) to (N, C, H*r, W*r)."""
        r = self.layer.upscale_factor
        n, channels, h, w = x.shape
        if array_module(x) is not np or channels % (r * r):
            return self.layer.predict(x)  # where it may raise
        c = channels // (r * r)
        parts = x.reshape(n, c, r, r, h, w).transpose(0, 1, 4, 2, 5, 3)  # (N, C, H, i, W, j)
        y = np.empty((n, c, h, r, w, r), x.dtype)

        def write(piece: tuple[slice, slice]) -> None:
            images, lines = piece
            for j in range(r):
                y[images, :, lines, :, :, j] = parts[images, :, lines, :, :, j]

        parallel_map(write, blocks(n, h, w, _PIECE))
        return y.reshape(n, c, h * r, w * r)  # (N, C, H*r, W*r)

    def backward(self, dy: Array) -> Array:
        """Rearrange (N, C, H*r, W*r) to (N, C*r*r, H, W)."""
        n, c, h, w = dy.shape
        r = self.layer.upscale_factor
        parts = dy.reshape(n, c, h // r, r, w // r, r).transpose(0, 1, 3, 5, 2, 4)
        return parts.reshape(n, c * r * r, h // r, w // r)


def pads_of(layer: Any) -> Pads:
    """Return the zeros around a convolution's input."""
    k, padding = layer.params["weight"].shape[2], layer.padding
    sides = {"same": ((k - 1) // 2, k // 2), "valid": (0, 0)}.get(padding, (padding, padding))
    return sides, sides


def twin(layer: Any) -> Twin:
    """Return the fast form of one of the book's layers, or the layer itself in a `Twin`."""
    if type(layer) is Conv2d and layer.stride == 1:
        return FastConv2d(layer)
    if type(layer) is PixelShuffle and layer.order == "CRD":
        return FastPixelShuffle(layer)
    return {Tanh: FastTanh, ReLU: FastReLU}.get(type(layer), Twin)(layer)
