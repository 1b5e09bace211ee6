"""GPU and CPU agree: every layer, loss, optimiser and network, training, the command line.

All of it runs on CuPy where a device answers (``make test-gpu``), and everywhere on the stand-in in
CuPy's place, so that it cannot rot. What is public and not listed here fails a test.
"""

from __future__ import annotations

import inspect
import itertools
import json
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strict_cupy
from helpers import NO_GPU, relative_error
from PIL import Image

import npespcn
from npespcn import cli, convshape, layers, losses, models, optim
from npespcn.backend import Array, to_device, to_host
from npespcn.centring import centred
from npespcn.data import PairedPatches, dead_leaves_pictures, validation_pairs
from npespcn.layers import (
    Conv2d,
    ConvTranspose2d,
    Layer,
    PixelShuffle,
    PixelUnshuffle,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
)
from npespcn.losses import charbonnier, l1, log_mse, mse
from npespcn.models import ESPCN, PRETRAINED, SRCNN, Network
from npespcn.optim import SGD, SOAP, Adam, Optimizer, cosine
from npespcn.training import fit

TOLERANCE = {"float32": 1e-4, "float64": 1e-10}
each_dtype = pytest.mark.parametrize("dtype", TOLERANCE)


def agree(xp: Any, actual: Array, expected: Array) -> None:
    """Assert that `actual` lies on the device, and is what the CPU gives."""
    assert isinstance(actual, xp.ndarray)
    assert actual.dtype == expected.dtype
    assert relative_error(actual, expected) <= TOLERANCE[expected.dtype.name]


def all_agree(xp: Any, actual: dict[str, Array], expected: dict[str, Array]) -> None:
    assert actual.keys() == expected.keys()
    for name in expected:
        agree(xp, actual[name], expected[name])


def subclasses(base: type) -> set[type]:
    """Return the classes below `base` that are in the package."""
    below = set(base.__subclasses__()).union(*map(subclasses, base.__subclasses__()))
    return {cls for cls in below if cls.__module__.startswith("npespcn.")}


# --- layers ---------------------------------------------------------------------------------------

CONVOLUTIONS = [
    ({"kernel_size": k, "stride": stride, "padding": padding}, (3, channels, *size))
    for k, stride, padding, channels, size in [
        (3, 1, "same", 5, (7, 11)),  # Winograd's way
        (3, 1, "valid", 8, (61, 67)),  # and in several blocks on the CPU
        (3, 1, ((0, 2), (1, 3)), 4, (3, 1)),
        (5, 1, "same", 9, (6, 9)),  # by rows, as it has few output channels
        (5, 1, 2, 9, (61, 67)),
        (2, 1, "same", 6, (5, 8)),
        (4, 1, ((3, 0), (0, 1)), 7, (9, 4)),
        (5, 1, "same", 1, (7, 11)),  # by columns
        (1, 1, "valid", 3, (1, 1)),
        (3, 2, 1, 3, (8, 13)),
        (2, 3, ((1, 0), (2, 1)), 3, (10, 7)),
        (5, 2, "valid", 2, (61, 67)),
    ]
]
TRANSPOSED = [
    ({"kernel_size": 3, "stride": 1, "padding": 1}, (2, 4, 7, 11)),
    ({"kernel_size": 5, "stride": 1}, (2, 3, 6, 5)),
    ({"kernel_size": 4, "stride": 2, "padding": 1}, (2, 3, 7, 11)),
    ({"kernel_size": 3, "stride": 3, "padding": 1, "output_padding": 2}, (1, 2, 5, 3)),
    ({"kernel_size": 2, "stride": 3, "output_padding": 1}, (3, 2, 1, 4)),
]
PICTURES = [(2, 4, 7, 11), (1, 1, 1, 1), (3, 5)]
SHUFFLES = [
    ((factor, order), channels)
    for factor, order, channels in [(2, "CRD", 8), (3, "DCR", 18), (3, "paper", 9), (1, "CRD", 4)]
]


def stack(dtype: str) -> Sequential:
    return Sequential(
        conv=Conv2d(2, 6, 3, padding="same", dtype=dtype),
        tanh=Tanh(),
        shuffle=PixelShuffle(2, "DCR"),
        relu=ReLU(),
        deconv=ConvTranspose2d(6 // 4, 3, 4, stride=2, padding=1, dtype=dtype)
        if 6 % 4 == 0
        else PixelUnshuffle(2, "paper"),
        last=Conv2d(6, 5, 5, dtype=dtype),
    )
