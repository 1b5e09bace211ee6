"""The explorer: one HTML file that shows where every number goes in a pixel shuffle.

``page.html`` holds the text, ``style.css`` the style, and the ``.js`` files the animation. `page`
joins them and the data into one file that needs no network. The library supplies the orders of the
channels, the formulas, the colors and the photograph. A browser test reads the cells on the page
and compares them with `npespcn.shuffle.pixel_shuffle`.
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
from npespcn.common.checks import one_of
from npespcn.common.files import atomic_write
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
SCRIPTS = [
    *("arithmetic", "stages", "state", "draw", "player"),
    *("map", "steps", "quiz", "photo", "main"),
]
PHOTO_SCALE = 3
FACE = (slice(36, 96), slice(61, 117))  # LR rows and columns of the photograph


def page(upscale_factor: int = 3, channels: int = 1, order: str = "CRD") -> str:
    """Return the explorer as HTML. The arguments are the first choice, which a reader can change.

    Parameters
    ----------
    upscale_factor : {2, 3, 4}
        r.
    channels : {1, 3}
        C, the number of channels of the image.
    order : {"CRD", "DCR", "paper"}
        The order of the channels; see `npespcn.shuffle`.

    Raises
    ------
    ValueError
        If an argument is not as above.
    """
    one_of("explorer.page: upscale_factor", upscale_factor, SCALES)
    one_of("explorer.page: channels", channels, CHANNELS)
    one_of("explorer.page: order", order, tuple(ORDERS))
    data = {
        "start": {"r": upscale_factor, "c": channels, "order": order},
        "size": SIZE,
        "orders": ORDERS,
        "formulas": {name: channel_formula(name) for name in ORDERS},
        "colors": {
            name: {r: {c: _colors(r, c, name) for c in CHANNELS} for r in SCALES} for name in ORDERS
        },
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
    """Write `page` to a file, which appears whole or not at all."""
    html = page(upscale_factor, channels, order)
    with atomic_write(path) as temporary:
        temporary.write_text(html, encoding="utf-8")


def _source(name: str) -> str:
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")


def _colors(r: int, c: int, order: str) -> list[dict[str, str]]:
    return [{"fill": fill, "ink": text_color(fill)} for fill in channel_colors(r, c, order)]


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
