"""A right answer to exercise 5: views of windows, and a sum over three axes at once."""

import numpy as np


def windows(x, k, padding):
    around = (0, 0), (0, 0), (padding, padding), (padding, padding)
    return np.lib.stride_tricks.sliding_window_view(np.pad(x, around), (k, k), axis=(2, 3))


def im2col(x, kernel_size, padding=0):
    seen = windows(x, kernel_size, padding)  # (N, C, H', W', k, k)
    columns = np.einsum("ncpqij->ncijpq", seen)
    n, c, k, _, h, w = columns.shape
    return columns.reshape(n, c * k * k, h * w).copy()  # windows can only be read


def conv2d_forward(x, weight, bias, padding=0):
    seen = windows(x, weight.shape[-1], padding)
    y = np.tensordot(seen, weight, axes=((1, 4, 5), (1, 2, 3)))  # (N, H', W', O)
    return (y + bias).transpose(0, 3, 1, 2)
