"""Initial weights. Each function draws an array of `shape` (O, C, k, k) from a Generator.

The numbers are drawn in float64; the layer converts them, so that a seed means the same weights at
any precision.
"""

import numpy as np

from npespcn.arrays import require
from npespcn.shuffle import channel_permutation


def xavier(rng, shape):
    """Uniform in ±sqrt(6 / (fan_in + fan_out)): keeps the variance of signals and of gradients.

    fan_in = C*k*k numbers feed one output; one input feeds fan_out = O*k*k. Made for tanh, whose
    slope at 0 is 1. Glorot and Bengio 2010, equation 16.
    """
    o, c, h, w = map(int, shape)  # 8-bit integers would overflow
    bound = np.sqrt(6 / ((c + o) * h * w))
    return rng.uniform(-bound, bound, shape)


def he(rng, shape):
    """Normal with variance 2 / fan_in: ReLU silences half of its inputs, hence the 2.

    He et al. 2015, equation 10.
    """
    _, c, h, w = map(int, shape)
    return rng.normal(0, np.sqrt(2 / (c * h * w)), shape)


def paper(rng, shape):
    """Normal with standard deviation 0.001, as in SRCNN's paper (Dong et al. 2014, section 3.3).

    Shi et al. 2016 do not say how they start; for the training they refer to SRCNN's paper. Signals
    and gradients start a thousand times too small, so it learns slowly at first: that is history.
    """
    return rng.normal(0, 0.001, shape)


def icnr(rng, shape, upscale_factor, base=xavier, order="CRD"):
    """Make the r*r sub-pixel channels of each image channel equal, for a layer before a shuffle.

    The network then starts as a convolution followed by nearest-neighbor enlargement, which has no
    checkerboard. Which channels are one image channel's sub-pixels is a question of `order`.
    Aitken et al. 2017, section 3 ("initialised to convolution NN resize").
    """
    o, area = shape[0], upscale_factor**2
    require(o % area == 0, f"{o} output channels cannot be split into groups of r*r = {area}")
    kernels = base(rng, (o // area, *shape[1:]))  # (C, in_channels, k, k)
    repeated = np.repeat(kernels, area, axis=0)  # (C*r*r, in_channels, k, k), in CRD order
    return repeated[np.argsort(channel_permutation(o // area, upscale_factor, order))]


INITIALIZERS = {"xavier": xavier, "he": he, "paper": paper}
