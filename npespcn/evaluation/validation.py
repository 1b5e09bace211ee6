"""The PSNR of a network on whole images, measured during training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from npespcn.common import Array
from npespcn.evaluation.metrics import psnr
from npespcn.evaluation.protocol import predict
from npespcn.fast import accelerate
from npespcn.models import Network
from npespcn.pictures.color import quantize
from npespcn.pictures.resize import upscale_bicubic
from npespcn.training import center_crop


def validate(model: Network, pairs: Sequence[tuple[Array, Array]]) -> float:
    """Return the mean PSNR of a network in dB on whole images, as the literature measures it.

    Both images are rounded to 8 bits, and a border of `scale` pixels is left out. Where the
    network does not pad, its output is compared with the middle of the target.

    Parameters
    ----------
    model : Network
    pairs : sequence of (low resolution, high resolution)
        As `npespcn.data.validation_pairs` makes them: (1, C, h, w) and (1, C, h*r, w*r), 0 to 1.
    """
    fast, scores = accelerate(model), []
    for lr, hr in pairs:
        y = predict(fast, lr)
        scores.append(_score(y, center_crop(hr, y.shape), fast.scale))
    return float(np.mean(scores))


def bicubic_score(pairs: Sequence[tuple[Array, Array]]) -> float:
    """Return the mean PSNR of bicubic interpolation, which a network must beat; see `validate`."""
    scores = []
    for lr, hr in pairs:
        scale = hr.shape[2] // lr.shape[2]
        planes = [upscale_bicubic(quantize(255 * plane), scale) for plane in lr[0]]
        scores.append(_score(np.stack(planes)[None] / 255, hr, scale))
    return float(np.mean(scores))


def _score(y: Array, target: Array, border: int) -> float:
    """Return the PSNR of two images of (1, C, H, W), 0 to 1."""
    a, b = (quantize(255 * image[0]).transpose(1, 2, 0) for image in (y, target))  # (H, W, C)
    return psnr(a, b, border=border)
