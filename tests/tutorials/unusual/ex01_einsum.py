"""A right answer to exercise 1: einsum, which may also only rename axes, so a copy follows."""

import numpy as np


def pixel_shuffle(x, upscale_factor):
    r = upscale_factor
    c, h, w = x.shape[-3] // r**2, x.shape[-2], x.shape[-1]
    parts = np.einsum("...cijhw->...chiwj", x.reshape(*x.shape[:-3], c, r, r, h, w))
    return np.array(parts.reshape(*x.shape[:-3], c, h * r, w * r))
