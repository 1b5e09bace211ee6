"""A right answer to exercise 2: channels are spread by Kronecker products, and added."""

import numpy as np


def pixel_shuffle_concat(x, upscale_factor):
    r = upscale_factor
    y = None
    for place in range(r * r):
        one = np.zeros((r, r), x.dtype)
        one.flat[place] = 1
        spread = np.kron(x[..., place :: r * r, :, :], one)
        y = spread if y is None else y + spread
    return y
