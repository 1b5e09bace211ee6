"""A right answer to exercise 5: pixels are looked up by index arrays; shifted pictures add up."""

import numpy as np


def im2col(x, kernel_size, padding=0):
    n, c, h, w = x.shape
    k = kernel_size
    row = np.arange(k).repeat(k)[:, None] + np.arange(h + 2 * padding - k + 1)  # (k*k, H')
    col = np.tile(np.arange(k), k)[:, None] + np.arange(w + 2 * padding - k + 1)  # (k*k, W')
    row, col = row[:, :, None] - padding, col[:, None] - padding
    inside = (row >= 0) & (row < h) & (col >= 0) & (col < w)
    pixels = x[:, :, row.clip(0, h - 1), col.clip(0, w - 1)]  # (N, C, k*k, H', W')
    return np.where(inside, pixels, x.dtype.type(0)).reshape(n, c * k * k, -1)


def conv2d_forward(x, weight, bias, padding=0):
    n, _, h, w = x.shape
    out_channels, _, k, _ = weight.shape
    larger = np.zeros((out_channels, n, h + 2 * padding + k - 1, w + 2 * padding + k - 1), x.dtype)
    for i, j in np.ndindex(k, k):  # every pixel goes where the kernel's entry sends it
        up, left = padding + k - 1 - i, padding + k - 1 - j
        larger[:, :, up : up + h, left : left + w] += np.einsum(
            "nchw,oc->onhw", x, weight[:, :, i, j]
        )
    rows, cols = slice(k - 1, larger.shape[2] - k + 1), slice(k - 1, larger.shape[3] - k + 1)
    return larger.swapaxes(0, 1)[:, :, rows, cols] + bias.reshape(-1, 1, 1)
