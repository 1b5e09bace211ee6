"""Exercise 8: ICNR initialization.

Difficulty 2 of 5, 20 minutes. After lesson 10, Sub-pixel, deconvolution, resize.
Goal: start the layer before a pixel shuffle so that it draws no checkerboard.

If C*r*r filters are drawn one by one, each pixel of an r*r block comes from a filter of its own,
and flat gray becomes a checkerboard. ICNR (Aitken et al. 2017) draws C filters only, and makes the
weight from them so that each block is one color. Write `icnr`:

- it calls `base(rng, (C, in, k, k))` once, and draws nothing else. (The shape matters: many
  initializers read the spread of their numbers from it, as `xavier` below does.)
- from what this gives, `drawn`, it makes the weight for which both of these give the same, for
  every x: shuffled_convolution(x, weight, r) and enlarged_convolution(x, drawn, r)
- the weight is a new array that can be trained. To change one filter in place changes no other.
  It does not change `drawn` either: base may keep that array, so leave it as it is.

C, in, k and r are from 1 on, and r = 1 is a layer without a shuffle.

An example, for C = 2, r = 2 and k = 1. If `base(rng, (2, 1, 1, 1))` gives the numbers 1 and 2,
`icnr(rng, (8, 1, 1, 1), 2, base)` has eight filters. The picture [[10]] then becomes two images,
[[10, 10], [10, 10]] and [[20, 20], [20, 20]].

Check it      python -m tutorials.exercises check 8
The cause     python -m tutorials.exercises why 8
A hint        python -m tutorials.exercises hint 8
"""

from collections.abc import Callable

import numpy as np


def xavier(rng, shape):
    """One way to initialize. The more a layer feeds and is fed, the smaller its numbers."""
    o, c, h, w = shape
    bound = np.sqrt(6 / ((c + o) * h * w))
    return rng.uniform(-bound, bound, shape)


def convolution(x, weight):
    """Convolve without padding: (in, H, W), (out, in, k, k) -> (out, H - k + 1, W - k + 1)."""
    k = weight.shape[2]
    y = np.empty((len(weight), x.shape[1] - k + 1, x.shape[2] - k + 1))
    for o, row, col in np.ndindex(y.shape):
        y[o, row, col] = np.sum(weight[o] * x[:, row : row + k, col : col + k])
    return y


def shuffled_convolution(x, weight, r):
    """What the network computes: a convolution and a pixel shuffle, C*r*r filters -> C images."""
    z = convolution(x, weight)  # (C*r*r, H', W')
    y = np.empty((len(z) // (r * r), z.shape[1] * r, z.shape[2] * r))
    for c, row, col in np.ndindex(y.shape):
        i, j = row % r, col % r  # the place in the block
        y[c, row, col] = z[c * r * r + i * r + j, row // r, col // r]
    return y


def enlarged_convolution(x, drawn, r):
    """What it should compute at first: a convolution, then each pixel becomes a block of r*r."""
    z = convolution(x, drawn)  # (C, H', W')
    y = np.empty((len(z), z.shape[1] * r, z.shape[2] * r))
    for c, row, col in np.ndindex(y.shape):
        y[c, row, col] = z[c, row // r, col // r]
    return y


def icnr(
    rng: np.random.Generator,
    shape: tuple[int, int, int, int],
    upscale_factor: int,
    base: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray] = xavier,
) -> np.ndarray:
    """Make the weight of a layer before a pixel shuffle, whose blocks start as one color each.

    rng : the generator of random numbers, to hand on to base
    shape : tuple of ints, (C*r*r, in, k, k), the weight's
    upscale_factor : int, r
    base : function, draws: base(rng, shape) gives an array of this shape, of any float type

    Returns a new array of the type that base gives, of this shape
    """
    out_channels, *kernel = shape
    area = upscale_factor**2
    drawn = base(rng, (out_channels // area, *kernel))  # (C, in, k, k)
    return np.repeat(drawn, area, axis=0)  # (C*r*r, in, k, k)
