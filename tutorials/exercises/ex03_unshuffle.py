"""Exercise 3: pixel unshuffle, and the backward pass of the shuffle.

Difficulty 2 of 5, 25 minutes. Before it: lessons 2 and 5, and exercise 1.
Goal: undo the shuffle, and send a gradient back through it.

`pixel_shuffle` is given below. The specification of the two functions that you write:

    pixel_unshuffle(pixel_shuffle(x, r), r) equals x, for every x

    np.sum(pixel_shuffle(x, r) * dy) equals np.sum(x * pixel_shuffle_backward(dy, r)), for every x
    and every dy

The second says what a gradient is. A loss looks at y = pixel_shuffle(x, r), and dy tells for each
number of y how fast the loss grows with it. dx must tell the same for each number of x.

An example, for r = 2. The image [[5, 6], [7, 8]], an array of shape (1, 2, 2), is unshuffled to the
channels [[5]], [[6]], [[7]], [[8]], an array of shape (4, 1, 1). And backward: x[2, 0, 0] is shown
at y[0, 1, 0]. If dy is [[[0.5, 1], [3, -2]]], the loss grows three times as fast as x[2, 0, 0], so
dx[2, 0, 0] is 3.

Check it    python -m tutorials.exercises check 3
A hint      python -m tutorials.exercises hint 3
"""

import numpy as np


def pixel_shuffle(x: np.ndarray, upscale_factor: int) -> np.ndarray:
    """Rearrange channels into space: (..., C*r*r, H, W) -> (..., C, H*r, W*r). It is given."""
    r = upscale_factor
    *leading, channels, h, w = x.shape
    y = np.empty((*leading, channels // (r * r), h * r, w * r), x.dtype)
    for i in range(r):
        for j in range(r):  # row i and column j of all blocks at once
            y[..., i::r, j::r] = x[..., i * r + j :: r * r, :, :]
    return y


def pixel_unshuffle(y: np.ndarray, downscale_factor: int) -> np.ndarray:
    """Rearrange space into channels, as torch.nn.PixelUnshuffle does.

    y : array of any type, shape (..., C, H*r, W*r)
    downscale_factor : int, r

    Returns an array of the same type, shape (..., C*r*r, H, W)
    """
    raise NotImplementedError


def pixel_shuffle_backward(dy: np.ndarray, upscale_factor: int) -> np.ndarray:
    """Return the gradient in x of a loss whose gradient in y = pixel_shuffle(x, r) is dy.

    dy : array of floating-point numbers, shape (..., C, H*r, W*r)
    upscale_factor : int, r

    Returns dx, an array of the same type, shape (..., C*r*r, H, W), as x
    """
    raise NotImplementedError
