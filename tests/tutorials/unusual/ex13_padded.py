"""A right answer to exercise 13: the edge repeated by np.pad, and one weight for each shift."""

import numpy as np


def cubic(t):
    t = abs(t)
    inner, outer = np.minimum(t, 1), np.clip(t, 1, 2)
    return (inner - 1) * (1.5 * inner**2 - inner - 1) + (outer - 1) * (outer - 2) ** 2 * -0.5


def one_row(r):
    """Give the weights of the pixels from 2r before the first to 2r behind the last."""
    distance = (np.arange(5 * r) - 2 * r - (r - 1) / 2) / r
    weights = cubic(distance)
    return weights / weights.sum()


def shrink_weights(length, r):
    matrix = np.zeros((length // r, length))
    for i in range(length // r):
        pixels = np.clip(np.arange(5 * r) + (i - 2) * r, 0, length - 1)
        np.add.at(matrix[i], pixels, one_row(r))
    return matrix


def shrink(image, r, axis):
    image = np.moveaxis(image, axis, -1).astype(np.float32)
    n = image.shape[-1] // r
    around = [(0, 0)] * (image.ndim - 1) + [(2 * r, 2 * r)]
    padded = np.pad(image[..., : n * r], around, "edge")
    small = sum(
        np.float32(weight) * padded[..., j::r][..., :n] for j, weight in enumerate(one_row(r))
    )
    return np.moveaxis(np.uint8(np.clip(np.floor(small + 0.5), 0, 255)), -1, axis)


def downscale(image, r):
    return shrink(shrink(image, r, 0), r, 1)
