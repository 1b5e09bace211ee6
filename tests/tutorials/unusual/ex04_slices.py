"""A right answer to exercise 4: no permutation; each image channel's filters lie C apart."""

import numpy as np


def from_tensorflow(kernel, bias, upscale_factor):
    c = bias.size // upscale_factor**2
    out_first = np.einsum("yxio->oiyx", kernel)
    return tuple(np.concatenate([array[one::c] for one in range(c)]) for array in (out_first, bias))
