"""Layers with forward and backward passes written by hand.

A layer is a thin object around pure functions: it holds parameters, their gradients, and what its
forward pass must remember for the backward pass. Three rules hold for all of them:

- ``forward(x)`` remembers, ``predict(x)`` gives the same and does not;
- ``backward(dy)`` returns dx and *overwrites* ``grads`` (it does not add to them);
- ``params`` and ``grads`` have the same keys.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from npespcn.common.checks import array, generator, one_of, real_array, same_shape, whole_number
from npespcn.common.messages import shown
from npespcn.conv import (
    conv2d_bias_gradient,
    conv2d_forward,
    conv2d_input_gradient,
    conv2d_weight_gradient,
)
from npespcn.fast.blocks import Padding, as_pads, check_conv
from npespcn.fast.gpu import (
    Array,
    along_memory,
    array_module,
    check_device,
    to_device,
    to_host,
)
from npespcn.fast.threads import one_blas_thread, parallel_map
from npespcn.initializers import xavier
from npespcn.shuffle import ORDERS, pixel_shuffle, pixel_unshuffle

AnyLayer = TypeVar("AnyLayer", bound="Layer")


class Layer:
    """What every layer is: parameters, their gradients, forward, backward."""

    def __init__(self) -> None:
        self.params: dict[str, Array] = {}
        self.grads: dict[str, Array] = {}
        self._kept: Any = None  # what forward keeps for backward

    def forward(self, x: Array) -> Array:
        """Return y, and keep what `backward` needs."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward")

    def backward(self, dy: Array) -> Array:
        """Return dx, the gradient of the loss in x, from dy, its gradient in y; set ``grads``.

        Raises
        ------
        RuntimeError
            If there was no forward pass before.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define backward")

    def backward_params(self, dy: Array) -> None:
        """Set ``grads`` as `backward` does, without dx: all that a network's first layer needs."""
        self.backward(dy)

    def predict(self, x: Array) -> Array:
        """Return what `forward` returns, and keep nothing."""
        return self.replica().forward(x)

    def __call__(self, x: Array) -> Array:
        """Return ``forward(x)``."""
        return self.forward(x)

    def replica(self: AnyLayer) -> AnyLayer:
        """Return a layer with the same parameter arrays, but gradients and memory of its own."""
        twin = copy.copy(self)
        twin.grads, twin._kept = {}, None
        return twin

    def to(self: AnyLayer, device: str) -> AnyLayer:
        """Move the parameters to ``"gpu"`` or ``"cpu"``, drop the gradients; return the layer."""
        check_device(device)
        self.params = {name: to_device(value, device) for name, value in self.params.items()}
        self.grads, self._kept = {}, None
        return self

    def _recall(self) -> Any:
        if self._kept is None:
            raise RuntimeError(f"{type(self).__name__}.backward called before forward")
        return self._kept


class Conv2d(Layer):
    """Convolve: (N, C, H, W) -> (N, O, H', W'), weight (O, C, k, k), bias (O,).

    Forward   y[n, o, p, q] = bias[o] + sum weight[o, c, i, j] x[n, c, p*s + i, q*s + j]
    Backward  dweight[o, c, i, j] = sum dy[n, o, p, q] x[n, c, p*s + i, q*s + j]
              dbias[o] = sum dy[n, o, p, q]
              dx[n, c, p*s + i, q*s + j] gets weight[o, c, i, j] dy[n, o, p, q]

    Parameters
    ----------
    in_channels, out_channels, kernel_size : int
    stride : int
    padding : "same", "valid" or int
        Zeros around x, see `npespcn.conv.conv2d_loop`.
    rng : numpy.random.Generator, optional
        Draws the initial weights (Xavier); biases start at 0. Without it, one seeded with 0.
    dtype : "float32" or "float64"
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: Padding = 0,
        rng: np.random.Generator | None = None,
        dtype: str = "float32",
    ) -> None:
        super().__init__()
        _check_sizes("Conv2d", in_channels, out_channels, kernel_size, rng, dtype)
        self.stride, self.padding = whole_number("Conv2d: stride", stride, 1), padding
        as_pads("Conv2d", padding, kernel_size, self.stride)
        shape = (out_channels, in_channels, kernel_size, kernel_size)
        rng = rng or np.random.default_rng(0)
        self.params = {
            "weight": xavier(rng, shape).astype(dtype),
            "bias": np.zeros(out_channels, dtype),
        }

    def forward(self, x: Array) -> Array:
        y = self.predict(x)
        self._kept = x
        return y

    def predict(self, x: Array) -> Array:
        return conv2d_forward(
            x, self.params["weight"], self.params["bias"], self.stride, self.padding
        )

    def backward(self, dy: Array) -> Array:
        self.backward_params(dy)
        weight, shape = self.params["weight"], self._recall().shape
        return conv2d_input_gradient(dy, weight, shape, self.stride, self.padding)

    def backward_params(self, dy: Array) -> None:
        x, k = self._recall(), self.params["weight"].shape[2]
        self.grads = {
            "weight": conv2d_weight_gradient(dy, x, k, self.stride, self.padding),
            "bias": conv2d_bias_gradient(dy),
        }


class ConvTranspose2d(Layer):
    """Convolve backwards ("deconvolution"): (N, C, H, W) -> (N, O, H', W'), weight (C, O, k, k).

    Each input pixel adds its multiple of the kernel to the output, s pixels further for each next
    one: the adjoint of `Conv2d`, whose backward pass is therefore this layer's forward, and whose
    forward is this layer's backward. H' = (H - 1)*s - 2*padding + k + output_padding.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, rng, dtype
        As for `Conv2d`.
    padding : int
        Rows and columns taken off each side of the output.
    output_padding : int
        Added to the lower and the right side, to choose among the sizes that a strided convolution
        maps to one; less than `stride`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        output_padding: int = 0,
        rng: np.random.Generator | None = None,
        dtype: str = "float32",
    ) -> None:
        super().__init__()
        _check_sizes("ConvTranspose2d", in_channels, out_channels, kernel_size, rng, dtype)
        self.stride = whole_number("ConvTranspose2d: stride", stride, 1)
        self.padding = whole_number("ConvTranspose2d: padding", padding, 0)
        self.output_padding = whole_number("ConvTranspose2d: output_padding", output_padding, 0)
        if self.output_padding >= self.stride:
            raise ValueError(
                f"ConvTranspose2d: output_padding must be less than stride={stride}, "
                f"got {output_padding}"
            )
        shape = (in_channels, out_channels, kernel_size, kernel_size)
        rng = rng or np.random.default_rng(0)
        self.params = {
            "weight": xavier(rng, shape).astype(dtype),
            "bias": np.zeros(out_channels, dtype),
        }

    def forward(self, x: Array) -> Array:
        weight = self.params["weight"]
        check_conv("ConvTranspose2d", x, weight.transpose(1, 0, 2, 3), self.params["bias"])
        k, grow = weight.shape[2], self.output_padding - 2 * self.padding
        h, w = ((side - 1) * self.stride + k + grow for side in x.shape[2:])
        if min(h, w, *x.shape[2:]) < 1:
            raise ValueError(
                f"ConvTranspose2d: an input of {x.shape[2]}x{x.shape[3]} gives an output of {h}x{w}"
            )
        y = conv2d_input_gradient(
            x, weight, (len(x), weight.shape[1], h, w), self.stride, self.padding
        )
        self._kept = x, y.shape
        return y + self.params["bias"][:, None, None]

    def backward(self, dy: Array) -> Array:
        (x, shape), weight = self._recall(), self.params["weight"]
        real_array("ConvTranspose2d.backward: dy", dy)
        same_shape("ConvTranspose2d.backward: dy", dy, shape)
        self.grads = {
            "weight": conv2d_weight_gradient(x, dy, weight.shape[2], self.stride, self.padding),
            "bias": conv2d_bias_gradient(dy),
        }
        return conv2d_forward(dy, weight, None, self.stride, self.padding)


class _Activation(Layer):
    """What keeps its output, and needs no more of its input."""

    def _output_and(self, dy: Array) -> tuple[Array, Array]:
        y = self._recall()
        name = f"{type(self).__name__}.backward: dy"
        real_array(name, dy)
        same_shape(name, dy, y.shape)
        return y, dy


class Tanh(_Activation):
    """y = tanh(x), elementwise; dx = dy * (1 - y*y)."""

    def forward(self, x: Array) -> Array:
        xp = real_array("Tanh: x", x)
        self._kept = y = along_memory(xp.tanh, x)
        return y

    def backward(self, dy: Array) -> Array:
        return along_memory(_through_tanh, *self._output_and(dy))


def _through_tanh(y: Array, dy: Array) -> Array:
    dx = y * y  # one new array, and the rest in place: the passes over memory are the cost
    array_module(y).subtract(1, dx, out=dx)
    dx *= dy
    return dx


class ReLU(_Activation):
    """y = max(x, 0), elementwise; dx = dy where x > 0, and 0 elsewhere, at x = 0 too."""

    def forward(self, x: Array) -> Array:
        xp = real_array("ReLU: x", x)
        self._kept = y = along_memory(lambda x: xp.maximum(x, 0), x)
        return y

    def backward(self, dy: Array) -> Array:
        return along_memory(lambda y, dy: dy * (y > 0), *self._output_and(dy))


class Sigmoid(_Activation):
    """y = 1 / (1 + exp(-x)), elementwise; dx = dy * y * (1 - y).

    Computed as (1 + tanh(x/2)) / 2, the same function, which overflows nowhere.
    """

    def forward(self, x: Array) -> Array:
        xp = real_array("Sigmoid: x", x)
        self._kept = y = along_memory(lambda x: 0.5 * (1 + xp.tanh(0.5 * x)), x)
        return y

    def backward(self, dy: Array) -> Array:
        return along_memory(lambda y, dy: dy * (y * (1 - y)), *self._output_and(dy))


class PixelShuffle(Layer):
    """Rearrange channels into space: (N, C*r*r, H, W) -> (N, C, H*r, W*r).

    Forward   y[n, c, h*r + i, w*r + j] = x[n, c*r*r + i*r + j, h, w]
    Backward  the transpose of a permutation is its inverse: dx = unshuffle(dy)
    """

    def __init__(self, upscale_factor: int, order: str = "CRD") -> None:
        super().__init__()
        one_of("PixelShuffle: order", order, ORDERS)
        self.upscale_factor = whole_number("PixelShuffle: upscale_factor", upscale_factor, 1)
        self.order = order

    def forward(self, x: Array) -> Array:
        y = pixel_shuffle(x, self.upscale_factor, order=self.order)
        self._kept = y.shape
        return y

    def backward(self, dy: Array) -> Array:
        same_shape("PixelShuffle.backward: dy", dy, self._recall())
        return pixel_unshuffle(dy, self.upscale_factor, order=self.order)


class PixelUnshuffle(Layer):
    """Rearrange space into channels: (N, C, H*r, W*r) -> (N, C*r*r, H, W).

    Forward   y[n, c*r*r + i*r + j, h, w] = x[n, c, h*r + i, w*r + j]
    Backward  dx = shuffle(dy)
    """

    def __init__(self, downscale_factor: int, order: str = "CRD") -> None:
        super().__init__()
        one_of("PixelUnshuffle: order", order, ORDERS)
        self.downscale_factor = whole_number(
            "PixelUnshuffle: downscale_factor", downscale_factor, 1
        )
        self.order = order

    def forward(self, x: Array) -> Array:
        y = pixel_unshuffle(x, self.downscale_factor, order=self.order)
        self._kept = y.shape
        return y

    def backward(self, dy: Array) -> Array:
        same_shape("PixelUnshuffle.backward: dy", dy, self._recall())
        return pixel_shuffle(dy, self.downscale_factor, order=self.order)


class Sequential(Layer):
    """Layers one after the other, each with a name: forward in order, backward in reverse.

    ``Sequential(conv1=Conv2d(...), tanh1=Tanh())`` names them; unnamed ones are "0", "1", ...
    The parameter "weight" of the layer "conv1" is ``params["conv1.weight"]``.

    A batch is cut into chunks of a few images, and every chunk goes through *all* layers on a
    thread of its own, in a replica of the network that shares the parameters. So what one layer
    writes is still in the core's cache when the next reads it. The gradients of the chunks are
    added up, in order: the chunks depend on the batch's shape alone, so that any number of threads
    gives the same bits.
    """

    def __init__(self, *layers: Layer, **named_layers: Layer) -> None:
        self.layers: dict[str, Layer] = {}
        super().__init__()
        self.layers = {str(i): layer for i, layer in enumerate(layers)} | named_layers
        if not self.layers:
            raise ValueError("Sequential: needs at least one layer")
        for name, layer in self.layers.items():
            if not isinstance(layer, Layer):
                raise TypeError(f"Sequential: {name} must be a layer, got {shown(layer)}")

    @property
    def params(self) -> dict[str, Array]:
        """The layers' parameters themselves (no copies), as "layer.parameter"."""
        return self._gather("params")

    @params.setter
    def params(self, values: dict[str, Array]) -> None:
        self._scatter("params", values)

    @property
    def grads(self) -> dict[str, Array]:
        """The layers' gradients, with the keys of ``params``."""
        return self._gather("grads")

    @grads.setter
    def grads(self, values: dict[str, Array]) -> None:
        self._scatter("grads", values)

    def forward(self, x: Array) -> Array:
        if array(f"{type(self).__name__}: x", x) and x.ndim == 0:
            raise ValueError(f"{type(self).__name__}: x must hold a batch, got a single number")
        chunks = _chunks(x)
        replicas = [self] if len(chunks) == 1 else [self.replica() for _ in chunks]
        self._kept = list(zip(replicas, chunks, strict=True))
        return _join(parallel_map(lambda kept: kept[0]._forward_chunk(x[kept[1]]), self._kept))

    def backward(self, dy: Array) -> Array:
        return _join(self._each_chunk(dy, True))

    def backward_params(self, dy: Array) -> None:
        self._each_chunk(dy, False)

    def predict(self, x: Array) -> Array:
        with one_blas_thread():
            for layer in self.layers.values():
                x = layer.predict(x)
        return x

    def replica(self) -> Sequential:
        twin = copy.copy(self)  # not Layer's way: to empty grads here would empty our layers' own
        twin.layers = {name: layer.replica() for name, layer in self.layers.items()}
        twin._kept = None
        return twin

    def to(self, device: str) -> Sequential:
        for layer in self.layers.values():
            layer.to(device)
        self._kept = None
        return self

    def state_dict(self) -> dict[str, Array]:
        """Return a copy of the parameters as NumPy arrays, under the names that PyTorch uses."""
        return {name: to_host(value).copy() for name, value in self.params.items()}

    def load_state_dict(self, arrays: Mapping[str, Any]) -> None:
        """Copy `arrays`, one for each parameter's name, into the parameters: all of them or none.

        Raises
        ------
        ValueError
            If a name is missing or unknown, or a shape differs; the message names them.
        """
        if not isinstance(arrays, Mapping):
            kind = type(arrays).__name__
            raise TypeError(f"load_state_dict: arrays must be a mapping of names, got {kind}")
        params = self.params
        missing, unknown = sorted(params.keys() - arrays), sorted(arrays.keys() - params)
        if missing or unknown:
            raise ValueError(f"load_state_dict: missing {missing}, unknown {unknown}")
        values = {name: np.asarray(value) for name, value in arrays.items()}
        for name, value in values.items():
            if value.shape != params[name].shape or value.dtype.kind not in "fiu":
                raise ValueError(
                    f"load_state_dict: {name} must be real numbers of shape {params[name].shape}, "
                    f"got {value.dtype} of shape {value.shape}"
                )
        values = {name: value.astype(params[name].dtype) for name, value in values.items()}
        for name, value in values.items():  # nothing can go wrong any more
            params[name][...] = array_module(params[name]).asarray(value)

    def _forward_chunk(self, x: Array) -> Array:
        for layer in self.layers.values():
            x = layer.forward(x)
        return x

    def _backward_chunk(self, dy: Array, need_dx: bool) -> Array:
        first, *rest = self.layers.values()
        for layer in reversed(rest):
            dy = layer.backward(dy)
        if need_dx:
            return first.backward(dy)
        first.backward_params(dy)
        return dy

    def _each_chunk(self, dy: Array, need_dx: bool) -> list[Array]:
        """Run the backward pass of every chunk, and add the gradients up."""
        kept = self._recall()
        n = kept[-1][1].stop  # the last chunk ends where the batch does
        array(f"{type(self).__name__}.backward: dy", dy)
        if dy.ndim == 0 or len(dy) != n:
            raise ValueError(
                f"{type(self).__name__}.backward: forward saw {n} images, dy has shape {dy.shape}"
            )
        results = parallel_map(lambda pair: pair[0]._backward_chunk(dy[pair[1]], need_dx), kept)
        first, *rest = (replica.grads for replica, _ in self._kept)
        for grads in rest:
            for name, grad in grads.items():
                first[name] += grad
        self.grads = first
        return results

    def _gather(self, kind: str) -> dict[str, Array]:
        return {
            f"{name}.{key}": value
            for name, layer in self.layers.items()
            for key, value in getattr(layer, kind).items()
        }

    def _scatter(self, kind: str, values: dict[str, Array]) -> None:
        for name, layer in self.layers.items():
            prefix = f"{name}."
            own = {k[len(prefix) :]: v for k, v in values.items() if k.startswith(prefix)}
            setattr(layer, kind, own)


def _chunks(x: Array) -> list[slice]:
    """Cut a batch on the CPU into an even number of chunks of up to 8,192 pixels, or one image.

    A small one stays whole: two threads would spend more time on each other than they save.
    """
    xp, n = array_module(x), len(x)
    pixels = x.size // max(1, x.shape[1]) if x.ndim > 1 else n
    count = min(n, 2 * -(-pixels // 16384))
    if xp is not np or pixels <= 3072 or count <= 1:
        return [slice(0, n)]
    return [slice(n * i // count, n * (i + 1) // count) for i in range(count)]


def _check_sizes(
    name: str,
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    rng: np.random.Generator | None,
    dtype: str,
) -> None:
    whole_number(f"{name}: in_channels", in_channels, 1)
    whole_number(f"{name}: out_channels", out_channels, 1)
    whole_number(f"{name}: kernel_size", kernel_size, 1)
    if rng is not None:
        generator(f"{name}: rng", rng)
    one_of(f"{name}: dtype", str(dtype), ("float32", "float64"))


def _join(parts: list[Array]) -> Array:
    if len(parts) == 1:
        return parts[0]
    joined: Array = array_module(*parts).concatenate(parts)
    return joined
