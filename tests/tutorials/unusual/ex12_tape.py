"""A right answer to exercise 12: the memory is a list of functions, each goes one step back."""

import numpy as np


def shifted(x, k):
    """Give all k*k shifts of pictures with zeros around: (k, k, N, C, H, W)."""
    p = k // 2
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, x.shape[2:], axis=(2, 3))
    return windows.transpose(2, 3, 0, 1, 4, 5)


def convolution(x, name, params):
    weight, bias = params[name + ".weight"], params[name + ".bias"]
    seen = shifted(x, weight.shape[2])

    def back(dy, grads):
        grads[name + ".bias"] = dy.sum((0, 2, 3))
        grads[name + ".weight"] = np.einsum("ijnchw,nohw->ocij", seen, dy)
        return np.einsum("ijnohw,ocij->nchw", shifted(dy, weight.shape[2])[::-1, ::-1], weight)

    return np.einsum("ijnchw,ocij->nohw", seen, weight) + bias[:, None, None], back


def tanh(x):
    y = np.tanh(x)
    return y, lambda dy, grads: (1 - y) * (1 + y) * dy


def shuffle(x, r):
    n, c, h, w = x.shape
    place = np.arange(x.size).reshape(n, c // r**2, r, r, h, w).transpose(0, 1, 4, 2, 5, 3).ravel()

    def back(dy, grads):
        dx = np.zeros(x.size, dy.dtype)
        dx[place] = dy.ravel()
        return dx.reshape(x.shape)

    return x.ravel()[place].reshape(n, c // r**2, h * r, w * r), back


def espcn_forward(x, params, upscale_factor):
    tape = []
    for layer, *more in (
        (convolution, "conv1", params),
        (tanh,),
        (convolution, "conv2", params),
        (tanh,),
        (convolution, "conv3", params),
        (shuffle, upscale_factor),
    ):
        x, back = layer(x, *more)
        tape.append(back)
    return x, tape


def espcn_backward(dy, memory, params, upscale_factor):
    grads = {}
    for back in memory[::-1]:
        dy = back(dy, grads)
    return dy, grads
