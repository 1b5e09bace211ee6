"""A right answer to exercise 8: the Kronecker product with a column of ones."""

import numpy as np


def icnr(rng, shape, upscale_factor, base):
    area = upscale_factor * upscale_factor
    drawn = base(rng, (shape[0] // area, *shape[1:]))
    return np.kron(drawn, np.ones((area, 1, 1, 1), drawn.dtype))
