"""Exercise 12: the network from its layers, forward and backward.

Difficulty 3 of 5, 45 minutes. After lesson 5, The network in twenty lines, and lesson 7,
Backpropagation by hand; before it, exercises 3, 6 and 7 (it gives away answers to 3 and 6).
Goal: put the layers together, and take a gradient back through the whole network.

ESPCN enlarges a picture r times, in six steps:

    conv1, tanh, conv2, tanh, conv3, pixel shuffle

The convolution and the shuffle are given below, with their ways back. All parameters are in one
dictionary, `params`. These are its six names, which may come in any order, and the shapes:

    conv1.weight  (n1, C, k1, k1)        conv1.bias  (n1,)
    conv2.weight  (n2, n1, k2, k2)       conv2.bias  (n2,)
    conv3.weight  (C*r*r, n2, k3, k3)    conv3.bias  (C*r*r,)

All numbers are from 1 on. The kernel sizes k1, k2 and k3 are odd, and they may differ. Each
convolution has as many zeros around its input as it needs to keep height and width. Write

- `espcn_forward`, which returns the image y and a `memory`. You say what is in the memory: all that
  your `espcn_backward` must know of the forward pass, in a tuple, a list or a dictionary. The
  checker does not look into it. It hands it on to your `espcn_backward`;
- `espcn_backward`, which takes dy, the gradient of a loss in y, and returns the gradient in x and
  the gradients in all parameters.

Keep nothing anywhere else. Two forward passes may come before the first backward pass, and one
memory may be used for two backward passes, with two different dy. Between them nobody changes x or
params. The results are new arrays: to change them changes neither the arguments nor the memory.

An example, for one pixel, r = 2 and kernels of 1 by 1. It uses tanh(0.5493) = 0.5. x is [[0.5493]].
The weight of conv1 is 1, that of conv2 is 1.0986, those of conv3 are 2, 4, 6 and 8. All biases are
0. Then both tanh give 0.5, and y is [[1, 2], [3, 4]]. For dy = [[1, 0], [0, 0]] the gradients in
conv3's weights are 0.5, 0, 0 and 0, that in conv2's is 0.75, that in conv1's is 0.679, and dx is
[[1.236]].

Check it      python -m tutorials.exercises check 12
The cause     python -m tutorials.exercises why 12
A hint        python -m tutorials.exercises hint 12
"""

from typing import Any

import numpy as np


def conv2d_forward(x, weight, bias, padding=0):
    """Given: (N, C, H, W), (O, C, k, k), (O,) -> (N, O, H + 2*padding - k + 1, ...)."""
    n, _, h, w = x.shape
    out_channels, k, p = len(weight), weight.shape[2], padding
    out_h, out_w = h + 2 * p - k + 1, w + 2 * p - k + 1
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))  # (N, C, H + 2p, W + 2p)
    y = np.zeros((n, out_channels, out_h, out_w), x.dtype)
    for i, j in np.ndindex(k, k):
        seen = padded[:, :, i : i + out_h, j : j + out_w]
        y += np.einsum("oc,nchw->nohw", weight[:, :, i, j], seen)
    return y + bias[:, None, None]


def conv2d_backward(dy, x, weight, padding=0):
    """Given: return (dx, dweight, dbias), where x and weight are those of the forward pass."""
    _, _, h, w = x.shape
    _, _, out_h, out_w = dy.shape
    k, p = weight.shape[2], padding
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))  # (N, C, H + 2p, W + 2p)
    dpadded, dweight = np.zeros_like(padded), np.zeros_like(weight)
    for i, j in np.ndindex(k, k):
        seen = padded[:, :, i : i + out_h, j : j + out_w]
        dseen = dpadded[:, :, i : i + out_h, j : j + out_w]
        dseen += np.einsum("oc,nohw->nchw", weight[:, :, i, j], dy)
        dweight[:, :, i, j] = np.einsum("nohw,nchw->oc", dy, seen)
    return dpadded[:, :, p : p + h, p : p + w], dweight, dy.sum(axis=(0, 2, 3))


def pixel_shuffle(x, r):
    """Given: (N, C*r*r, H, W) -> (N, C, H*r, W*r)."""
    n, channels, h, w = x.shape
    y = np.empty((n, channels // (r * r), h * r, w * r), x.dtype)
    for i, j in np.ndindex(r, r):  # row i and column j of all blocks at once
        y[:, :, i::r, j::r] = x[:, i * r + j :: r * r]
    return y


def pixel_unshuffle(y, r):
    """Given, the inverse of the shuffle: (N, C, H*r, W*r) -> (N, C*r*r, H, W)."""
    n, c, height, width = y.shape
    x = np.empty((n, c * r * r, height // r, width // r), y.dtype)
    for i, j in np.ndindex(r, r):
        x[:, i * r + j :: r * r] = y[:, :, i::r, j::r]
    return x


def espcn_forward(
    x: np.ndarray, params: dict[str, np.ndarray], upscale_factor: int
) -> tuple[np.ndarray, Any]:
    """Enlarge pictures.

    x : array of float64 or float32, shape (N, C, H, W)
    params : the six parameters, arrays of the same type, as above
    upscale_factor : int, r

    Returns (y, memory): y is a new array of the same type, shape (N, C, H*r, W*r)
    """

    def convolve(inputs, name):
        weight = params[f"{name}.weight"]
        return conv2d_forward(inputs, weight, params[f"{name}.bias"], weight.shape[2] // 2)

    h1 = np.tanh(convolve(x, "conv1"))  # (N, n1, H, W)
    h2 = np.tanh(convolve(h1, "conv2"))  # (N, n2, H, W)
    y = pixel_shuffle(convolve(h2, "conv3"), upscale_factor)  # (N, C, H*r, W*r)
    return y, (x, h1, h2)


def espcn_backward(
    dy: np.ndarray, memory: Any, params: dict[str, np.ndarray], upscale_factor: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the gradients of a loss in x and in the parameters.

    dy : the loss's gradient in y, array of the type of y, shape (N, C, H*r, W*r)
    memory : what espcn_forward returned with y
    params, upscale_factor : the same as in the forward pass

    Returns (dx, grads), new arrays of the same type: dx has the shape of x, and grads is a new
    dictionary with the names and shapes of params
    """
    grads = {}

    def convolve_back(d, inputs, name):
        weight = params[f"{name}.weight"]
        dinputs, dweight, dbias = conv2d_backward(d, inputs, weight, weight.shape[2] // 2)
        grads[f"{name}.weight"], grads[f"{name}.bias"] = dweight, dbias
        return dinputs

    x, h1, h2 = memory
    dh2 = convolve_back(pixel_unshuffle(dy, upscale_factor), h2, "conv3")  # (N, n2, H, W)
    dh1 = convolve_back(dh2 * (1 - h2**2), h1, "conv2")  # (N, n1, H, W)
    dx = convolve_back(dh1 * (1 - h1**2), x, "conv1")  # (N, C, H, W)
    return dx, grads
