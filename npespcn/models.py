"""ESPCN, what has been published under its name, and SRCNN: (N, C, H, W) -> (N, C, H*r, W*r).

``padding`` says what lies beyond the image's edge:

- ``"same"``: zeros before every convolution, as most published programs do.
- ``"valid"``: nothing, so the output lacks halo*r pixels on each side.
- ``"edge"``: `forward` is as for "valid", and `predict` first repeats the image's edge by the halo.
  A network trained on real pixels around each patch, and used like that, is 0.2 to 0.3 dB better
  near the border than one that saw zeros. The networks that come with the package do this.
"""

from functools import partial

import numpy as np

from npespcn.arrays import array_module, choose, require
from npespcn.initializers import INITIALIZERS, icnr
from npespcn.layers import Conv2d, PixelShuffle, ReLU, Sequential, Sigmoid, Tanh

ACTIVATIONS = {"tanh": Tanh, "relu": ReLU, "sigmoid": Sigmoid}
PADDINGS = {"same": "same", "valid": "valid", "edge": "valid"}  # and what the convolutions do


class Network(Sequential):
    """A network of convolutions that remembers how it was made.

    ``options`` are the constructor's arguments (a saved file holds them), ``scale`` is r, and
    ``halo`` is how many input pixels on each side of its own an output pixel depends on.
    """

    def __init__(self, layers, options):
        super().__init__(**layers)
        self.options, self.padding = options, options["padding"]
        self.scale = options.get("scale", 1)
        self.halo = sum(k // 2 for k in options["kernels"])  # 4 for ESPCN: 2 + 1 + 1

    def predict(self, x):
        if self.padding == "edge":
            x = array_module(x).pad(x, [(0, 0)] * 2 + [(self.halo, self.halo)] * 2, mode="edge")
        return super().predict(x)


class ESPCN(Network):
    """The sub-pixel convolution network (Shi et al. 2016): (N, C, H, W) -> (N, C, H*r, W*r).

    5x5 convolution to 64 channels, 3x3 to 32, 3x3 to C*r*r, pixel shuffle; tanh between them. All
    the work is done at low resolution, and only the last step, which computes nothing, enlarges.
    The other options are what programs that bear its name have changed: activations, an `output`
    activation at the end, a `tail` (1x1 convolution after the shuffle), more layers or other
    `widths` and `kernels` (one more than widths, all odd). `init` is a name from `initializers`;
    "icnr" is Xavier's but for the last layer. Biases start at 0.

    >>> sum(p.size for p in ESPCN(scale=3).params.values())
    22729
    """

    def __init__(self, scale, channels=1, activation="tanh", output=None, tail=False,
                 padding="same", init="xavier", seed=0, dtype="float32",
                 widths=(64, 32), kernels=(5, 3, 3)):  # fmt: skip
        options = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        last = partial(icnr, upscale_factor=scale) if init == "icnr" else choose(init, INITIALIZERS)
        conv = _conv(padding, "xavier" if init == "icnr" else init, seed, dtype)
        sizes = (channels, *widths, channels * scale**2)
        layers = _convolutions(conv, sizes, kernels, choose(activation, ACTIVATIONS), init=last)
        layers["shuffle"] = PixelShuffle(scale)
        if tail:
            layers["tail"] = conv(channels, channels, 1)
        if output is not None:
            layers["output"] = choose(output, ACTIVATIONS)()
        super().__init__(layers, options)


class SRCNN(Network):
    """Dong et al. 2014, for comparison: (N, C, H, W) -> the same shape, a sharper image.

    9x9 convolution to 64 channels, 1x1 to 32, 5x5 to C; ReLU between them. Its input is the image
    already enlarged, by bicubic interpolation, so all of its work is done at high resolution: per
    output pixel 8,032 multiplications, against ESPCN's 2,514 at ×3.
    """

    def __init__(self, channels=1, padding="same", init="xavier", seed=0, dtype="float32",
                 widths=(64, 32), kernels=(9, 1, 5)):  # fmt: skip
        options = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        conv = _conv(padding, init, seed, dtype)
        layers = _convolutions(conv, (channels, *widths, channels), kernels, ReLU)
        super().__init__(layers, options)


def _conv(padding, init, seed, dtype):
    """Return ``Conv2d`` with all that the convolutions of a network have in common."""
    rng, init = np.random.default_rng(seed), choose(init, INITIALIZERS)
    return partial(Conv2d, padding=choose(padding, PADDINGS), rng=rng, dtype=dtype, init=init)


def _convolutions(conv, sizes, kernels, activation, **last):
    """Return convolutions from each size to the next, with an activation between them.

    `last` are options of the last one.
    """
    odd = len(kernels) == len(sizes) - 1 and all(k % 2 for k in kernels)
    require(odd, f"kernels must be odd, and one more than widths, got {kernels}")
    layers = {}
    for i, k in enumerate(kernels[:-1], 1):
        layers[f"conv{i}"] = conv(sizes[i - 1], sizes[i], k)
        layers[f"act{i}"] = activation()
    layers[f"conv{len(kernels)}"] = conv(sizes[-2], sizes[-1], kernels[-1], **last)
    return layers
