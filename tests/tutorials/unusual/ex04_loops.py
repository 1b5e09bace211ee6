"""A right answer to exercise 4: every number is carried over by itself."""

import numpy as np


def from_tensorflow(kernel, bias, upscale_factor):
    r = upscale_factor
    k, _, inputs, channels = kernel.shape
    weight = np.empty((channels, inputs, k, k), kernel.dtype)
    moved = np.empty_like(bias)
    for c, i, j in np.ndindex(channels // r**2, r, r):
        here, there = c * r * r + i * r + j, (i * r + j) * (channels // r**2) + c
        moved[here] = bias[there]
        for row, col, one in np.ndindex(k, k, inputs):
            weight[here, one, row, col] = kernel[row, col, one, there]
    return weight, moved
