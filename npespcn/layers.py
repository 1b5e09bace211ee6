"""Layers, with forward and backward passes written by hand.

A layer is a formula and its derivative: a thin object around pure functions, which holds the
parameters, their gradients, and what backward must know of forward. Three rules hold for all:

- ``forward(x)`` remembers what the backward pass needs; ``predict(x)`` gives the same y, and the
  layer keeps nothing;
- ``backward(dy)`` takes dy, the gradient of the loss in y, returns dx, its gradient in x, and
  *overwrites* ``grads`` (it does not add to them);
- ``params`` and, after `backward`, ``grads`` have the same keys.
"""

import copy

import numpy as np

from npespcn.arrays import array_module, check_shape, require
from npespcn.conv import col2im, conv2d_backward, conv2d_forward
from npespcn.initializers import xavier
from npespcn.shuffle import pixel_shuffle, pixel_unshuffle


class Layer:
    """Base class. A layer adds ``forward(x)`` and ``backward(dy)``."""

    def __init__(self):
        self.params, self.grads = {}, {}

    def predict(self, x):
        return copy.copy(self).forward(x)  # the copy remembers, and is thrown away

    def __call__(self, x):
        return self.forward(x)


class Conv2d(Layer):
    """Convolve: (N, C, H, W) -> (N, O, H', W'), weight (O, C, k, k), bias (O,).

    Forward   y[n, o, p, q] = bias[o] + sum weight[o, c, i, j] x[n, c, p*s + i, q*s + j]
    Backward  dweight[o, c, i, j] = sum dy[n, o, p, q] x[n, c, p*s + i, q*s + j]
              dbias[o] = sum dy[n, o, p, q]
              dx[n, c, p*s + i, q*s + j] gets weight[o, c, i, j] dy[n, o, p, q]

    Weights are drawn by `init` from `rng` (without one, from a generator seeded with 0).
    """

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0,
                 rng=None, dtype="float32", init=xavier):  # fmt: skip
        super().__init__()
        self.stride, self.padding = stride, padding
        shape = (out_channels, in_channels, kernel_size, kernel_size)
        weight = init(rng or np.random.default_rng(0), shape)
        require(np.dtype(dtype).kind == "f", f"parameters are floating-point, got dtype={dtype!r}")
        self.params = {"weight": weight.astype(dtype), "bias": np.zeros(out_channels, dtype)}

    def forward(self, x):
        self.x, weight, bias = x, self.params["weight"], self.params["bias"]
        return conv2d_forward(x, weight, bias, self.stride, self.padding)

    def backward(self, dy):
        weight = self.params["weight"]
        dx, dweight, dbias = conv2d_backward(dy, self.x, weight, self.stride, self.padding)
        self.grads = {"weight": dweight, "bias": dbias}
        return dx


class ConvTranspose2d(Conv2d):
    """Convolve backwards ("deconvolution"): (N, C, H, W) -> (N, O, H', W'), weight (C, O, k, k).

    Each input pixel adds the kernel, times its value, to the output; the next pixel does so s
    pixels further on. That is the adjoint of `Conv2d`: its backward pass is this layer's forward,
    and its forward is this layer's backward. H' = (H - 1)*s - 2*padding + k + output_padding.

    padding, a number, takes rows and columns off each side of the output. output_padding, less than
    s, adds some below and to the right: a strided convolution turns several sizes into one, and
    this says which of them to go back to.
    """

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0,
                 output_padding=0, rng=None, dtype="float32"):  # fmt: skip
        super().__init__(out_channels, in_channels, kernel_size, stride, padding, rng, dtype)
        self.output_padding = output_padding
        self.params["bias"] = np.zeros(out_channels, dtype)

    def forward(self, x):
        (n, c, h, w), s, p = x.shape, self.stride, self.padding
        weight, (_, o, k, _) = self.params["weight"], self.params["weight"].shape
        require(c == len(weight), f"x has {c} channels, but weight is {weight.shape}")
        size = [(side - 1) * s + k - 2 * p + self.output_padding for side in (h, w)]
        columns = weight.reshape(c, -1).T @ x.reshape(n, c, h * w)  # (N, O*k*k, H*W)
        y = col2im(columns, (n, o, *size), k, s, p)  # (N, O, H', W')
        self.x, self.y_shape = x, y.shape
        return y + self.params["bias"].reshape(-1, 1, 1)

    def backward(self, dy):
        check_shape("dy", dy, self.y_shape)
        weight, s, p = self.params["weight"], self.stride, self.padding
        _, dweight, _ = conv2d_backward(self.x, dy, weight, s, p)
        self.grads = {"weight": dweight, "bias": dy.sum(axis=(0, 2, 3))}
        return conv2d_forward(dy, weight, None, s, p)


class Tanh(Layer):
    """y = tanh(x), elementwise; dx = dy * (1 - y*y)."""

    def forward(self, x):
        self.y = array_module(x).tanh(1.0 * x)  # 1.0: NumPy's tanh of 8-bit integers is float16
        return self.y

    def backward(self, dy):
        check_shape("dy", dy, self.y.shape)
        return dy * (1 - self.y * self.y)


class ReLU(Layer):
    """y = max(x, 0), elementwise; dx = dy where x > 0, and 0 elsewhere, at x = 0 too."""

    def forward(self, x):
        self.y = array_module(x).maximum(x, 0)
        return self.y

    def backward(self, dy):
        check_shape("dy", dy, self.y.shape)
        return array_module(dy).where(self.y > 0, dy, 0)  # dy * (y > 0) makes NaN of infinity


class Sigmoid(Layer):
    """y = 1 / (1 + exp(-x)), elementwise; dx = dy * y * (1 - y).

    Written as exp(min(x, 0)) / (1 + exp(-|x|)), the same, whose exponentials cannot overflow.
    """

    def forward(self, x):
        x, xp = 1.0 * x, array_module(x)
        self.y = xp.exp(xp.minimum(x, 0)) / (1 + xp.exp(-abs(x)))
        return self.y

    def backward(self, dy):
        check_shape("dy", dy, self.y.shape)
        return dy * self.y * (1 - self.y)


class PixelShuffle(Layer):
    """Rearrange channels into space: (N, C*r*r, H, W) -> (N, C, H*r, W*r).

    Forward   y[n, c, h*r + i, w*r + j] = x[n, c*r*r + i*r + j, h, w]
    Backward  the transpose of a permutation is its inverse: dx = unshuffle(dy)
    """

    def __init__(self, upscale_factor, order="CRD"):
        super().__init__()
        self.upscale_factor, self.order = upscale_factor, order

    def forward(self, x):
        return pixel_shuffle(x, self.upscale_factor, order=self.order)

    def backward(self, dy):
        return pixel_unshuffle(dy, self.upscale_factor, order=self.order)


class PixelUnshuffle(Layer):
    """Rearrange space into channels: (N, C, H*r, W*r) -> (N, C*r*r, H, W). A shuffle backwards.

    Forward   y[n, c*r*r + i*r + j, h, w] = x[n, c, h*r + i, w*r + j]
    Backward  dx = shuffle(dy)
    """

    def __init__(self, downscale_factor, order="CRD"):
        super().__init__()
        self.downscale_factor, self.order = downscale_factor, order

    def forward(self, x):
        return pixel_unshuffle(x, self.downscale_factor, order=self.order)

    def backward(self, dy):
        return pixel_shuffle(dy, self.downscale_factor, order=self.order)


class Sequential(Layer):
    """Layers one after the other, each with a name: forward in order, backward in reverse.

    ``Sequential(conv1=Conv2d(...), tanh1=Tanh())`` names them; unnamed ones are "0", "1", ...
    The parameter "weight" of the layer "conv1" is ``params["conv1.weight"]``, the array itself.
    """

    def __init__(self, *layers, **named_layers):
        self.layers = {str(i): layer for i, layer in enumerate(layers)} | named_layers
        different = {*layers, *named_layers.values()}
        require(len(different) == len(self.layers), "each layer needs a place and name of its own")

    @property
    def params(self):
        return {f"{n}.{k}": p for n, layer in self.layers.items() for k, p in layer.params.items()}

    @property
    def grads(self):
        return {f"{n}.{k}": g for n, layer in self.layers.items() for k, g in layer.grads.items()}

    def forward(self, x):
        for layer in self.layers.values():
            x = layer.forward(x)
        return x

    def backward(self, dy):
        for layer in reversed(self.layers.values()):
            dy = layer.backward(dy)
        return dy

    def predict(self, x):
        for layer in self.layers.values():
            x = layer.predict(x)
        return x

    def state_dict(self):
        """Return a copy of the parameters, under the names that PyTorch uses."""
        return {name: param.copy() for name, param in self.params.items()}

    def load_state_dict(self, arrays):
        """Copy `arrays`, one for each parameter's name, into the parameters: all or none."""
        params, values = self.params, {}
        missing, unknown = sorted(params.keys() - arrays.keys()), sorted(arrays.keys() - params)
        hint = "(perhaps unwrap 'state_dict', or remove 'module.' from the names)"
        require(not missing and not unknown, f"missing {missing}, unknown {unknown} {hint}")
        for name, param in params.items():
            value = values[name] = array_module(param).asarray(arrays[name])
            check_shape(name, value, param.shape)
            fits = value.dtype.kind in "fiu" and (abs(value) <= np.finfo(param.dtype).max).all()
            require(fits, f"{name} must hold real, finite numbers that fit into {param.dtype}")
        for name, param in params.items():
            param[...] = values[name]
