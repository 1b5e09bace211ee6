"""The explorer: one HTML file in which a reader sees where every number of a pixel shuffle goes.

``page.html`` holds the words, ``style.css`` the looks, and the ``.js`` files what moves; `page`
puts them and the data into one file that needs no network. How the orders count the channels, the
formulas, the colours and the photograph are handed over by the library. A browser test reads the
drawn cells back and compares them with `npespcn.shuffle.pixel_shuffle`.
"""

from __future__ import annotations

import base64
import json
import os
from importlib import resources
from typing import Any

import numpy as np
from matplotlib import cbook

from npespcn.common import Array
from npespcn.common.files import atomic_write
from npespcn.common.messages import short_repr
from npespcn.exchange import pretrained
from npespcn.figures.channels import subpixel_channels
from npespcn.figures.sheet import channel_colors, text_color
from npespcn.figures.shuffle import channel_formula
from npespcn.pictures.color import rgb_to_y
from npespcn.pictures.files import read_image
from npespcn.pictures.resize import downscale
from npespcn.shuffle import ORDERS

SCALES, CHANNELS = (2, 3, 4), (1, 3)
SIZE = (2, 3)  # H and W of the channels that are drawn cell by cell
SCRIPTS = (
    "arithmetic",
    "stages",
    "state",
    "draw",
    "player",
    "map",
    "steps",
    "quiz",
    "photo",
    "main",
)
PHOTO_SCALE = 3
FACE = (slice(36, 96), slice(61, 117))  # LR rows and columns of the photograph


def page(upscale_factor: int = 3, channels: int = 1, order: str = "CRD") -> str:
    """Return the explorer as HTML. What it begins with can be changed in it.

    Parameters
    ----------
    upscale_factor : int
        r: 2, 3 or 4.
    channels : int
        C, the channels of the image: 1 or 3.
    order : {"CRD", "DCR", "paper"}
        How the channels are counted; see `npespcn.shuffle.pixel_shuffle`.

    Raises
    ------
    ValueError
        If an argument is none of these.
    """
    for name, value, allowed in (
        ("upscale_factor", upscale_factor, SCALES),
        ("channels", channels, CHANNELS),
        ("order", order, tuple(ORDERS)),
    ):
        if value not in allowed:
            raise ValueError(f"explorer.page: {name} must be in {allowed}, got {short_repr(value)}")
    data = {
        "start": {"r": upscale_factor, "c": channels, "order": order},
        "size": SIZE,
        "orders": ORDERS,
        "formulas": {name: channel_formula(name) for name in ORDERS},
        "colours": {c * r * r: _colours(c * r * r) for r in SCALES for c in CHANNELS},
        "photo": _photo(),
    }
    parts = {
        "style.css": _source("style.css"),
        "data": json.dumps(data).replace("<", "\\u003c"),  # nothing in it can end the element
        "script": "\n".join(_source(f"{name}.js") for name in SCRIPTS),
    }
    html = _source("page.html")
    for name, text in parts.items():
        html = html.replace(f"/* {name} */\n", text)
    return html


def write_page(
    path: str | os.PathLike[str], upscale_factor: int = 3, channels: int = 1, order: str = "CRD"
) -> None:
    """Write `page` to a file, whole or not at all."""
    html = page(upscale_factor, channels, order)
    with atomic_write(path) as temporary:
        temporary.write_text(html, encoding="utf-8")


def _source(name: str) -> str:
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")


def _colours(n: int) -> list[dict[str, str]]:
    return [{"fill": fill, "ink": text_color(fill)} for fill in channel_colors(n)]


def _photo() -> dict[str, Any]:
    """Return a face at low resolution, and the channels that the ×3 network makes of it."""
    picture = read_image(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    luma = rgb_to_y(downscale(picture, PHOTO_SCALE).astype(np.float32)) / 255  # (H, W)
    features = subpixel_channels(pretrained(PHOTO_SCALE), luma[None, None])[0]  # (9, H, W)
    channels = _grey(features[(slice(None), *FACE)])
    return {
        "r": PHOTO_SCALE,
        "h": channels.shape[1],
        "w": channels.shape[2],
        "channels": base64.b64encode(channels.tobytes()).decode(),
        "input": base64.b64encode(_grey(luma[FACE]).tobytes()).decode(),
    }


def _grey(luma: Array) -> Array:
    """Turn studio-range luma divided by 255 into grey from 0 to 255, uint8."""
    grey: Array = np.clip(np.rint((255 * luma - 16) * 255 / 219), 0, 255).astype(np.uint8)
    return grey
