"""Exercise 3: pixel unshuffle, and the backward pass of the shuffle.

Difficulty 2 of 5, 25 minutes. After lesson 7, Backpropagation by hand; before it, exercise 1.
Goal: undo the shuffle, and send a gradient back through it.

The shuffle of r makes the image y of the channels x, by this rule:

    y[c, h*r + i, w*r + j] = x[c*r*r + i*r + j, h, w]     for i and j from 0 to r - 1

You write two functions. The first undoes the shuffle: for every x,

    pixel_unshuffle(y, r) equals x, where y is the shuffled x

The second sends a gradient back. A loss looks at y, and dy tells for each number of y how fast the
loss grows with it. dx must tell the same for each number of x. So for every x and every dy,

    np.sum(y * dy) equals np.sum(x * pixel_shuffle_backward(dy, r)), where y is the shuffled x

Both work for any C and r from 1 on, any H and W, 0 too, and any number of leading axes. The result
is a new array: a change of it must not change what came in.

An example, for r = 2. The image [[5, 6], [7, 8]], an array of shape (1, 2, 2), is unshuffled to the
channels [[5]], [[6]], [[7]], [[8]], an array of shape (4, 1, 1). And backward: x[2, 0, 0] is shown
at y[0, 1, 0]. If dy is [[[0.5, 1], [3, -2]]], the loss grows three times as fast as x[2, 0, 0], so
dx[2, 0, 0] is 3.

Check it      python -m tutorials.exercises check 3
The cause     python -m tutorials.exercises why 3
A hint        python -m tutorials.exercises hint 3
"""

import numpy as np


def pixel_unshuffle(y: np.ndarray, downscale_factor: int) -> np.ndarray:
    """Rearrange space into channels, as torch.nn.PixelUnshuffle does.

    y : array of any type, shape (..., C, H*r, W*r)
    downscale_factor : int, r

    Returns a new array of the same type, shape (..., C*r*r, H, W)
    """
    r = downscale_factor
    *leading, c, height, width = y.shape
    n, h, w = len(leading), height // r, width // r
    parts = y.reshape(*leading, c, h, r, w, r)  # (..., C, H, i, W, j)
    axes = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    moved = parts.transpose(axes)  # (..., C, i, j, H, W)
    return moved.reshape(*leading, c * r * r, h, w).copy()  # else a view of y, where r is 1


def pixel_shuffle_backward(dy: np.ndarray, upscale_factor: int) -> np.ndarray:
    """Return the gradient in x of a loss whose gradient in y = pixel_shuffle(x, r) is dy.

    dy : array of floating-point numbers, shape (..., C, H*r, W*r)
    upscale_factor : int, r

    Returns dx, a new array of the same type, shape (..., C*r*r, H, W), as x
    """
    # Each number of x is copied to one place of y, so its gradient is what dy has there.
    return pixel_unshuffle(dy, upscale_factor)  # (..., C*r*r, H, W)
