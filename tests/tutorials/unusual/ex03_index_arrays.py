"""A right answer to exercise 3: numbers are looked up, and backward added to places."""

import numpy as np


def places(c, h, w, r):
    channel, row, col = np.ogrid[: c * r * r, :h, :w]
    return channel // r**2, row * r + channel // r % r, col * r + channel % r


def pixel_unshuffle(y, downscale_factor):
    r = downscale_factor
    c, height, width = y.shape[-3:]
    return y[(..., *places(c, height // r, width // r, r))]


def pixel_shuffle_backward(dy, upscale_factor):
    r = upscale_factor
    *leading, c, height, width = dy.shape
    numbers = np.arange(c * height * width).reshape(c, height, width)
    where = numbers[places(c, height // r, width // r, r)]  # in dy, of each number of x
    dx = np.zeros((int(np.prod(leading)), numbers.size), dy.dtype)
    for one, upstream in zip(dx, dy.reshape(dx.shape), strict=True):
        np.add.at(one, np.argsort(where.ravel()), upstream)
    return dx.reshape(*leading, *where.shape)
