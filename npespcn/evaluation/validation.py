"""The PSNR of a network on whole pictures, while it is trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from npespcn.common import Array
from npespcn.evaluation.metrics import psnr
from npespcn.evaluation.protocol import inside, to_8_bits
from npespcn.fast.gpu import to_host
from npespcn.models import Network, as_input
from npespcn.pictures.resize import upscale_bicubic


def validate(model: Network, pairs: Sequence[tuple[Array, Array]]) -> float:
    """Return the mean PSNR of `model` in dB on whole pictures, as the literature measures it.

    Rounded to 8 bits, and without a border of `scale` pixels. Where the network does not pad, the
    inside of the target is compared.
    """
    scores = []
    for lr, hr in pairs:
        y = to_host(model.predict(as_input(model, lr)))
        scores.append(_score(y, inside(hr, y.shape), model.scale))
    return float(np.mean(scores))


def bicubic_score(pairs: Sequence[tuple[Array, Array]]) -> float:
    """Return what `validate` would if the network were bicubic interpolation: the line to beat."""
    scores = []
    for lr, hr in pairs:
        scale = hr.shape[2] // lr.shape[2]
        planes = [upscale_bicubic(to_8_bits(plane), scale) for plane in lr[0]]
        scores.append(_score(np.stack(planes)[None] / 255, hr, scale))
    return float(np.mean(scores))


def _score(y: Array, target: Array, border: int) -> float:
    """Return the PSNR of y against `target`, both (1, C, H, W) and 1.0 for 255."""
    a, b = (to_8_bits(array[0]).transpose(1, 2, 0) for array in (y, target))  # (H, W, C)
    return psnr(a, b, border=border)
