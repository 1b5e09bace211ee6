"""A right answer to exercise 6: both gradients are convolutions; col2im adds at index arrays."""

import numpy as np


def around(x, zeros):
    """Put zeros around pictures, or take as many pixels away where they are negative."""
    if zeros < 0:
        return x[:, :, -zeros : x.shape[2] + zeros, -zeros : x.shape[3] + zeros]
    return np.pad(x, ((0, 0), (0, 0), (zeros, zeros), (zeros, zeros)))


def correlate(x, kernels):
    windows = np.lib.stride_tricks.sliding_window_view(x, kernels.shape[2:], axis=(2, 3))
    return np.einsum("ncpqij,ocij->nopq", windows, kernels)


def col2im(columns, shape, kernel_size, padding=0):
    n, c, h, w = shape
    k, p = kernel_size, padding
    rows, cols = h + 2 * p - k + 1, w + 2 * p - k + 1
    c_, i, j, q, r = np.ogrid[:c, :k, :k, :rows, :cols]
    padded = np.zeros((n, c, h + 2 * p, w + 2 * p), columns.dtype)
    for image, values in zip(padded, columns, strict=True):
        np.add.at(image, (c_, i + q, j + r), values.reshape(c, k, k, rows, cols))
    return around(padded, -p)


def conv2d_backward(dy, x, weight, padding=0):
    k = weight.shape[2]
    flipped = weight[:, :, ::-1, ::-1].swapaxes(0, 1)  # (C, O, k, k)
    dx = correlate(around(dy, k - 1 - padding), flipped)
    dweight = correlate(around(x, padding).swapaxes(0, 1), dy.swapaxes(0, 1))  # (C, O, k, k)
    return dx, dweight.swapaxes(0, 1), np.add.reduce(dy, axis=(0, 2, 3))
