"""Exercise 2: pixel shuffle by split and concatenate.

Difficulty 2 of 5, 25 minutes. Before it: lesson 2 and exercise 1.
Goal: build the picture of pieces, which are joined along one axis at a time.

The result is that of exercise 1, for any C, r, H and W, any number of leading axes, and any type
of numbers. The specification is these three stages.

1. Channel c*r*r + i*r + j of a pixel of x is row i and column j of its block in image channel c.
   Arrange x so that H and W come first and the blocks last: (H, W, ..., C, i, j). The dots are
   the leading axes, if there are any.
2. Cut this into its H pieces of (W, ..., C, i, j). Join them along i, to (W, ..., C, H*r, j).
3. Cut that into its W pieces of (..., C, H*r, j). Join them along j, to (..., C, H*r, W*r).

An example, for C = 1, r = 2, H = 2 and W = 2: x = np.arange(16).reshape(4, 2, 2).

    1. four blocks          2. two tall pieces       3. one picture
        0  4    1  5             0  4    1  5             0  4  1  5
        8 12    9 13             8 12    9 13             8 12  9 13
                                 2  6    3  7             2  6  3  7
        2  6    3  7            10 14   11 15            10 14 11 15
       10 14   11 15

Check it    python -m tutorials.exercises check 2
A hint      python -m tutorials.exercises hint 2
"""

import numpy as np


def pixel_shuffle_concat(x: np.ndarray, upscale_factor: int) -> np.ndarray:
    """Rearrange channels into space, as torch.nn.PixelShuffle does, by cutting and joining.

    x : array of any type, shape (..., C*r*r, H, W)
    upscale_factor : int, r

    Returns an array of the same type, shape (..., C, H*r, W*r)
    """
    r = upscale_factor
    *leading, channels, h, w = x.shape
    parts = x.reshape(*leading, channels // (r * r), r, r, h, w)  # (..., C, i, j, H, W)
    blocks = np.moveaxis(parts, (-2, -1), (0, 1))  # (H, W, ..., C, i, j)
    tall = np.concatenate(list(blocks), axis=-2)  # (W, ..., C, H*r, j)
    return np.concatenate(list(tall), axis=-1)  # (..., C, H*r, W*r)
