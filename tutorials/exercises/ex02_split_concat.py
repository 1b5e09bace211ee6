"""Exercise 2: pixel shuffle by split and concatenate.

Difficulty 2 of 5, 25 minutes. After lesson 2, Three shuffles; before it, exercise 1.
Goal: build the picture of pieces, which are joined along one axis at a time.

The result is that of exercise 1. But the way is another one, in three stages:

1. Every pixel of x becomes a block of r by r numbers in each image channel: channel
   c*r*r + i*r + j is row i and column j of the block in image channel c.
2. Cut along H, and join the H pieces: blocks below each other become a tall piece.
3. Cut along W, and join the W pieces: the tall pieces become the picture.

An example, for C = 1, r = 2, H = 2 and W = 2: x = np.arange(16).reshape(4, 2, 2).

    1. four blocks          2. two tall pieces       3. one picture
        0  4    1  5             0  4    1  5             0  4  1  5
        8 12    9 13             8 12    9 13             8 12  9 13
                                 2  6    3  7             2  6  3  7
        2  6    3  7            10 14   11 15            10 14 11 15
       10 14   11 15

It works for any C, r, H and W from 1 on, any number of leading axes of any length, 0 too, and any
type of numbers. The result is a new array: a change of it must not change x.

Check it      python -m tutorials.exercises check 2
The cause     python -m tutorials.exercises why 2
A hint        python -m tutorials.exercises hint 2
"""

import numpy as np


def pixel_shuffle_concat(x: np.ndarray, upscale_factor: int) -> np.ndarray:
    """Rearrange channels into space, as torch.nn.PixelShuffle does, by cutting and joining.

    x : array of any type, shape (..., C*r*r, H, W)
    upscale_factor : int, r

    Returns a new array of the same type, shape (..., C, H*r, W*r)
    """
    raise NotImplementedError
