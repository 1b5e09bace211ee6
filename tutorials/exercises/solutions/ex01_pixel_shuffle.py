"""Exercise 1: pixel shuffle by reshape and transpose.

Difficulty 1 of 5, 20 minutes. After lesson 2, Three shuffles.
Goal: put every channel into its sub-pixels, without a loop over pixels.

The specification is `pixel_shuffle_loop` below. It is right and slow. Write `pixel_shuffle`, which
gives the same for any C and r from 1 on, any H and W, 0 too, any number of leading axes, and any
type of numbers. The result is a new array: a change of it must not change x.

An example, for r = 2. The four channels [[0]], [[1]], [[2]], [[3]], an array of shape (4, 1, 1),
become the image [[0, 1], [2, 3]], an array of shape (1, 2, 2).

Check it      python -m tutorials.exercises check 1
The cause     python -m tutorials.exercises why 1
A hint        python -m tutorials.exercises hint 1
"""

import numpy as np


def pixel_shuffle_loop(x, upscale_factor):
    """The specification, for three axes: (C*r*r, H, W) -> (C, H*r, W*r)."""
    r = upscale_factor
    channels, h, w = x.shape
    y = np.empty((channels // (r * r), h * r, w * r), x.dtype)
    for c, row, col in np.ndindex(y.shape):
        i, j = row % r, col % r  # the place in the block
        y[c, row, col] = x[c * r * r + i * r + j, row // r, col // r]
    return y


def pixel_shuffle(x, upscale_factor):
    """Rearrange channels into space, as torch.nn.PixelShuffle does.

    x : array of any type, shape (..., C*r*r, H, W)
    upscale_factor : int, r

    Returns a new array of the same type, shape (..., C, H*r, W*r)
    """
    r = upscale_factor
    *leading, channels, h, w = x.shape
    c = channels // (r * r)
    n = len(leading)
    parts = x.reshape(*leading, c, r, r, h, w)  # (..., C, i, j, H, W)
    axes = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    moved = parts.transpose(axes)  # (..., C, H, i, W, j)
    return moved.reshape(*leading, c, h * r, w * r).copy()  # else a view of x, where r is 1
