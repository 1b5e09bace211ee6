"""A right answer to exercise 2: np.block joins lists of lists of blocks."""

import numpy as np


def pixel_shuffle_concat(x, upscale_factor):
    r = upscale_factor
    *leading, channels, h, w = x.shape
    pixels = x.reshape(*leading, channels // r**2, r, r, h, w)
    return np.block([[pixels[..., row, col] for col in range(w)] for row in range(h)])
