"""A right answer to exercise 12: only x is remembered, and convolutions are Fourier transforms."""

import numpy as np


def transform(x, size):
    return np.fft.rfft2(x.astype(np.float64), size)


def convolve(x, weight, bias):
    """Correlate by a product of spectra, with as much room around as nothing wraps round in."""
    h, w = x.shape[2:]
    p = weight.shape[2] // 2
    size = h + 2 * p, w + 2 * p
    product = np.einsum(
        "nchw,ochw->nohw", transform(x, size), transform(weight[..., ::-1, ::-1], size)
    )
    large = np.fft.irfft2(product, size)[:, :, p : p + h, p : p + w]
    return (large + bias.reshape(-1, 1, 1)).astype(x.dtype)


def layers(params):
    return [(params[f"conv{i}.weight"], params[f"conv{i}.bias"]) for i in (1, 2, 3)]


def espcn_forward(x, params, upscale_factor):
    y, r = x, upscale_factor
    for weight, bias in layers(params)[:-1]:
        y = np.tanh(convolve(y, weight, bias))
    y = convolve(y, *layers(params)[-1])
    n, c, h, w = y.shape
    y = y.reshape(n, c // r**2, r, r, h, w).transpose(0, 1, 4, 2, 5, 3)
    return y.reshape(n, -1, h * r, w * r), {"x": x.copy()}


def espcn_backward(dy, memory, params, upscale_factor):
    r, inputs = upscale_factor, [memory["x"]]
    for weight, bias in layers(params)[:-1]:
        inputs.append(np.tanh(convolve(inputs[-1], weight, bias)))
    n, c, height, width = dy.shape
    d = dy.reshape(n, c, height // r, r, width // r, r).transpose(0, 1, 3, 5, 2, 4)
    d = d.reshape(n, c * r * r, height // r, width // r)
    grads = {}
    for i, (weight, _) in reversed([*enumerate(layers(params))]):
        x, p = inputs[i], weight.shape[2] // 2
        around = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        windows = np.lib.stride_tricks.sliding_window_view(around, d.shape[2:], axis=(2, 3))
        grads[f"conv{i + 1}.weight"] = np.einsum("nohw,ncijhw->ocij", d, windows)
        grads[f"conv{i + 1}.bias"] = np.einsum("nohw->o", d)
        turned = weight[..., ::-1, ::-1].swapaxes(0, 1)
        d = convolve(d, turned, np.zeros(len(turned), d.dtype))
        d = d - d * x * x if i else d
    return d, grads
