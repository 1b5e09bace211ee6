"""A right answer to exercise 3: the shuffle as a matrix, its inverse, and its transpose."""

import numpy as np


def shuffle(x, r):
    y = np.empty((len(x), x.shape[1] // r**2, x.shape[2] * r, x.shape[3] * r), x.dtype)
    for i, j in np.ndindex(r, r):
        y[..., i::r, j::r] = x[:, i * r + j :: r * r]
    return y


def matrix(c, h, w, r):
    units = np.eye(c * r * r * h * w)
    return shuffle(units.reshape(len(units), c * r * r, h, w), r).reshape(units.shape).T


def pixel_unshuffle(y, downscale_factor):
    r = downscale_factor
    *leading, c, height, width = y.shape
    h, w = height // r, width // r
    inverse = np.linalg.inv(matrix(c, h, w, r)).round().astype(y.dtype)
    x = y.reshape(int(np.prod(leading)), c * height * width) @ inverse.T
    return x.reshape(*leading, c * r * r, h, w)


def pixel_shuffle_backward(dy, upscale_factor):
    r = upscale_factor
    *leading, c, height, width = dy.shape
    h, w = height // r, width // r
    columns = matrix(c, h, w, r).astype(dy.dtype)
    dx = np.einsum("no,oi->ni", dy.reshape(int(np.prod(leading)), c * height * width), columns)
    return dx.reshape(*leading, c * r * r, h, w)
