"""A right answer to exercise 1: every pixel is looked up, by arrays of indices."""

import numpy as np


def pixel_shuffle(x, upscale_factor):
    r = upscale_factor
    c = np.arange(x.shape[-3] // r**2)[:, None, None]
    row = np.arange(x.shape[-2] * r)[:, None]
    col = np.arange(x.shape[-1] * r)
    return x[..., c * r * r + row % r * r + col % r, row // r, col // r]
