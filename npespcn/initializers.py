"""Initial weights. Each function draws an array of `shape` (O, C, k, k) from a Generator.

The numbers are drawn on the host in float64; the caller converts them, so that a seed means the
same weights at any precision and on any device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from npespcn.common.checks import four_sides, generator, whole_number
from npespcn.fast.gpu import Array
from npespcn.shuffle import channel_permutation

Shape: TypeAlias = tuple[int, int, int, int]
Initializer: TypeAlias = Callable[[np.random.Generator, Shape], Array]


def xavier(rng: np.random.Generator, shape: Shape) -> Array:
    """Uniform in ±sqrt(6 / (fan_in + fan_out)): keeps the variance of signals and gradients.

    Made for tanh, whose slope at 0 is 1. Glorot and Bengio 2010, equation 16.
    """
    fan_out, fan_in = _fans("xavier", rng, shape)
    bound = np.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-bound, bound, shape)


def he(rng: np.random.Generator, shape: Shape) -> Array:
    """Normal with variance 2 / fan_in: ReLU silences half of its inputs, hence the 2.

    He et al. 2015, equation 10.
    """
    _, fan_in = _fans("he", rng, shape)
    return rng.normal(0, np.sqrt(2 / fan_in), shape)


def paper(rng: np.random.Generator, shape: Shape) -> Array:
    """Normal with standard deviation 0.001, as in SRCNN's paper (Dong et al. 2014, section 3.3).

    Shi et al. 2016 do not say how they start; for the training they refer to SRCNN's paper. Signals
    and gradients start a thousand times too small, so it learns slowly at first: that is history.
    """
    _fans("paper", rng, shape)
    return rng.normal(0, 0.001, shape)


def icnr(
    rng: np.random.Generator,
    shape: Shape,
    upscale_factor: int,
    base: Initializer = xavier,
    order: str = "CRD",
) -> Array:
    """Make the r*r sub-pixel channels of each image channel equal, for a layer before a shuffle.

    The network then starts as a convolution followed by nearest-neighbour enlargement, which has no
    checkerboard. Which channels are one image channel's sub-pixels is a question of `order`.
    Aitken et al. 2017, section 3 ("initialised to convolution NN resize").

    Raises
    ------
    ValueError
        If the output channels do not divide by upscale_factor².
    """
    _fans("icnr", rng, shape)
    out_channels = shape[0]
    area = whole_number("icnr: upscale_factor", upscale_factor, 1) ** 2
    if out_channels % area:
        raise ValueError(
            f"icnr: {out_channels} output channels cannot be split into r*r = {area} groups "
            f"(upscale_factor={upscale_factor})"
        )
    kernels = base(rng, (out_channels // area, *shape[1:]))  # (C, in_channels, k, k)
    repeated = np.repeat(kernels, area, axis=0)  # (C*r*r, in_channels, k, k), in CRD order
    return repeated[np.argsort(channel_permutation(out_channels // area, upscale_factor, order))]


def _fans(name: str, rng: np.random.Generator, shape: Shape) -> tuple[int, int]:
    """Return (fan_out, fan_in): how many numbers a kernel feeds, and how many feed it."""
    generator(f"{name}: rng", rng)
    sides = four_sides(f"{name}: shape", "(O, C, k, k)", shape, 1)
    out_channels, in_channels, height, width = sides
    return out_channels * height * width, in_channels * height * width
