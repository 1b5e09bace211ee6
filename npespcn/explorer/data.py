"""What the library hands over to the explorer: orders, formulas, colors, networks, photographs."""

from __future__ import annotations

import base64
import zlib
from importlib import resources
from typing import Any

import numpy as np
from matplotlib import cbook

from npespcn.exchange import pretrained
from npespcn.figures.sheet import channel_colors, text_color
from npespcn.figures.shuffle import channel_formula
from npespcn.pictures.color import rgb_to_ycbcr, ycbcr_to_rgb
from npespcn.pictures.files import read_image
from npespcn.shuffle import ORDERS

SCALES, CHANNELS = (2, 3, 4), (1, 3)
SIZE = (2, 3)  # H and W of the channels that are drawn cell by cell
LARGEST = {"conv1": 16383, "conv2": 16383, "conv3": 8191}  # whole numbers for weights
PICTURES = ("hopper", "chelsea", "collins")


def library_data() -> dict[str, Any]:
    """Return it as what JSON can hold."""
    return {
        "size": SIZE,
        "orders": ORDERS,
        "formulas": {name: channel_formula(name) for name in ORDERS},
        "colors": {r: {c: _colors(r, c) for c in CHANNELS} for r in SCALES},  # in CRD
        "networks": {r: _network(r) for r in SCALES},
        "pictures": {name: _picture(name) for name in PICTURES},
        "ycbcr": _ycbcr(),
        "valley": _valley(),
    }


def _colors(r: int, c: int) -> list[dict[str, str]]:
    return [{"fill": fill, "ink": text_color(fill)} for fill in channel_colors(r, c)]


def _network(r: int) -> str:
    """Pack the network that comes with the package: its weights as whole numbers of 16 bits.

    Each filter has a scale of its own, so that its largest weight becomes the number in `LARGEST`.
    The scales and the biases of all layers come first, float32, then the lower bytes of all
    weights, then the upper ones, which are often alike. Everything is deflated by zlib. The output
    differs from that of the exact weights by less than half a gray level.
    """
    params = pretrained(r).params
    scales, biases, weights = [], [], []
    for name, largest in LARGEST.items():
        weight = params[f"{name}.weight"].astype(np.float64)  # (O, C, k, k)
        scale = (abs(weight).max(axis=(1, 2, 3)) / largest).astype("<f4")
        scales.append(scale)
        biases.append(params[f"{name}.bias"].astype("<f4"))
        weights.append(np.rint(weight / scale[:, None, None, None]).astype("<i2").ravel())
    bytes_apart = np.concatenate(weights).view(np.uint8).reshape(-1, 2).T
    parts = (*scales, *biases, bytes_apart)
    return _base64(zlib.compress(b"".join(part.tobytes() for part in parts), 9))


def _picture(name: str) -> str:
    """Return one of the photographs in ``photo/``, WebP of 264 by 264 pixels.

    hopper: Matplotlib's sample data, a portrait of Grace Hopper by the U.S. Navy, public domain.
    chelsea: the cat of scikit-image's data, by Stéfan van der Walt, CC0.
    collins: a part of NASA's portrait of Eileen Collins, public domain; also there.
    """
    return _base64(
        resources.files("npespcn.explorer").joinpath("photo", f"{name}.webp").read_bytes()
    )


def _ycbcr() -> dict[str, Any]:
    """Return the matrices from RGB to YCbCr and back, and what YCbCr is for black."""
    unit, offset = np.eye(3), rgb_to_ycbcr(np.zeros(3))
    return {
        "offset": offset.tolist(),
        "matrix": (rgb_to_ycbcr(unit) - offset).T.tolist(),
        "inverse": ycbcr_to_rgb(unit + offset).T.tolist(),
    }


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _valley() -> dict[str, Any]:
    """Return A, b and c of lesson 6's loss of two weights: w·(A w) - 2 b·w + c, with no rest."""
    photograph = read_image(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    gray = photograph[:600:12, :510].mean(axis=2) / 255  # (50, 510)
    left, middle, right = (gray[:, n : n + 508].ravel() for n in range(3))  # (25400,) each
    neighbors = np.stack([left, right])  # (2, 25400)
    a, b = neighbors @ neighbors.T / len(middle), neighbors @ middle / len(middle)
    return {"a": a.tolist(), "b": b.tolist(), "c": float((middle**2).mean())}
