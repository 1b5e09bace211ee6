"""A right answer to exercise 14: pixels set apart by zeros, then a convolution with windows."""

import numpy as np


def conv_transpose2d(x, weight, stride=1, padding=0):
    n, c, h, w = x.shape
    k, s = weight.shape[-1], stride
    apart = np.zeros((n, c, (h - 1) * s + 2 * k - 1, (w - 1) * s + 2 * k - 1), x.dtype)
    apart[:, :, k - 1 : k + (h - 1) * s : s, k - 1 : k + (w - 1) * s : s] = x
    windows = np.lib.stride_tricks.sliding_window_view(apart, (k, k), axis=(2, 3))
    y = np.tensordot(windows[..., ::-1, ::-1], weight, ((1, 4, 5), (0, 2, 3)))  # (N, H', W', O)
    inside = slice(padding, -padding or None)
    return y.transpose(0, 3, 1, 2)[:, :, inside, inside]


def along(n, kernel_size, stride):
    return np.array(
        [
            sum(0 <= place - p * stride < kernel_size for p in range(n))
            for place in range((n - 1) * stride + kernel_size)
        ]
    )


def overlap(shape, kernel_size, stride):
    return np.outer(*(along(n, kernel_size, stride) for n in shape))


def one_kernel(weight, upscale_factor):
    """Light one pixel, and look at what the sub-pixel convolution draws of it."""
    r, (filters, inputs, k, _) = upscale_factor, weight.shape
    c = filters // r**2
    drawn = np.empty((inputs, c, k * r, k * r), weight.dtype)
    for a, b, i, j in np.ndindex(k, k, r, r):
        place = weight[i * r + j :: r * r, :, k - 1 - a, k - 1 - b]  # (C, in)
        drawn[:, :, a * r + i, b * r + j] = place.T
    return drawn
