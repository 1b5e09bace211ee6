"""What the library hands over to the explorer: orders, formulas, colors, a photograph."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from matplotlib import cbook

from npespcn.common import Array
from npespcn.exchange import pretrained
from npespcn.figures.channels import subpixel_channels
from npespcn.figures.sheet import channel_colors, text_color
from npespcn.figures.shuffle import channel_formula
from npespcn.pictures.color import quantize, rgb_to_y
from npespcn.pictures.files import read_image
from npespcn.pictures.resize import downscale
from npespcn.shuffle import ORDERS

SCALES, CHANNELS = (2, 3, 4), (1, 3)
SIZE = (2, 3)  # H and W of the channels that are drawn cell by cell
PHOTO_SCALE = 3
FACE = (slice(36, 96), slice(61, 117))  # LR rows and columns of the photograph


def library_data() -> dict[str, Any]:
    """Return it as what JSON can hold."""
    return {
        "size": SIZE,
        "orders": ORDERS,
        "formulas": {name: channel_formula(name) for name in ORDERS},
        "colors": {r: {c: _colors(r, c) for c in CHANNELS} for r in SCALES},  # in CRD
        "photo": _photo(),
        "valley": _valley(),
    }


def _colors(r: int, c: int) -> list[dict[str, str]]:
    return [{"fill": fill, "ink": text_color(fill)} for fill in channel_colors(r, c)]


def _photo() -> dict[str, Any]:
    """Return a face at low resolution, and its channels in the ×3 network."""
    photograph = read_image(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    luma = rgb_to_y(downscale(photograph, PHOTO_SCALE).astype(np.float32)) / 255  # (H, W)
    features = subpixel_channels(pretrained(PHOTO_SCALE), luma[None, None])[0]  # (9, H, W)
    channels = _gray(features[(slice(None), *FACE)])
    return {
        "r": PHOTO_SCALE,
        "h": channels.shape[1],
        "w": channels.shape[2],
        "channels": base64.b64encode(channels.tobytes()).decode(),
        "input": base64.b64encode(_gray(luma[FACE]).tobytes()).decode(),
    }


def _gray(luma: Array) -> Array:
    """Turn studio-range luma divided by 255 into gray from 0 to 255, uint8."""
    return quantize((255 * luma - 16) * 255 / 219)


def _valley() -> dict[str, Any]:
    """Return A, b and c of lesson 6's loss of two weights: w·(A w) - 2 b·w + c, with no rest."""
    photograph = read_image(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    gray = photograph[:600:12, :510].mean(axis=2) / 255  # (50, 510)
    left, middle, right = (gray[:, n : n + 508].ravel() for n in range(3))  # (25400,) each
    neighbors = np.stack([left, right])  # (2, 25400)
    a, b = neighbors @ neighbors.T / len(middle), neighbors @ middle / len(middle)
    return {"a": a.tolist(), "b": b.tolist(), "c": float((middle**2).mean())}
