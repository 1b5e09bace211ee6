"""An image in, a larger one out: color, transparency, 16 bits, and tiles without a seam.

The networks know luma. The eye sees detail in luma too, and hardly in color, so the network
enlarges Y, and bicubic interpolation Cb and Cr.

Transparency is a plane like luma, and goes through the same network. The color of an invisible
pixel must not bleed into its neighbors, so colors are multiplied by alpha before they are
interpolated, and divided by it afterwards. This is exact for bicubic interpolation, which is
linear: an object of one color keeps it up to its edge. The network is not linear. Its detail, the
difference between its luma and the bicubic one, is therefore computed on an image without alpha,
whose invisible pixels have the mean color of the visible ones around them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from npespcn.common import Array
from npespcn.common.checks import function, one_of, whole_number
from npespcn.exchange.npz import pretrained
from npespcn.fast import Accelerated, accelerate
from npespcn.fast.gpu import to_host, to_network
from npespcn.fast.memory import Pads
from npespcn.fast.tiles import Tile, cut_tiles, run_all, tile_size
from npespcn.models import ESPCN
from npespcn.pictures.bombs import check_bomb
from npespcn.pictures.color import quantize, rgb_to_ycbcr, ycbcr_to_rgb
from npespcn.pictures.files import open_image, pillow_errors
from npespcn.pictures.modes import name_of, to_plain_mode
from npespcn.pictures.resize import upscale_bicubic

Progress = Callable[[int, int], object]
"""Called with the number of tiles done, and their total number."""

_ENOUGH_ALPHA = 1 / 8  # least alpha by which a color may be divided
_BICUBIC_REACH = 2  # pixels


def upscale(
    image: Any,
    scale: int | None = None,
    model: ESPCN | Accelerated | None = None,
    tile: int | None = None,
    *,
    progress: Progress | None = None,
) -> Any:
    """Enlarge an image `scale` times: (H, W) -> (H*scale, W*scale), in color or gray.

    Parameters
    ----------
    image : PIL image, path, or array
        Any mode whose range is known; an array is (H, W) uint8 or uint16, or (H, W, 3) or (H, W, 4)
        uint8. An animation gives its current frame, a file its first. The EXIF orientation is
        applied.
    scale : int, optional
        2, 3 or 4 with the network that comes with the package. By default that of `model`, or 2.
    model : ESPCN, optional
        Another network, of one channel (luma) or three (RGB).
    tile : int, optional
        Tile side in pixels. Smaller tiles need less memory; the result differs only by rounding.
    progress : callable, optional
        Called after each tile, from any thread, with the number of tiles done and their total
        number.

    Returns
    -------
    PIL image, or array for an array
        Modes L, LA, RGB, RGBA or I;16, with ICC profile and resolution in ``info``; palettes, CMYK
        and others are converted. An array has the dtype and the channels of the given one.

    Raises
    ------
    OSError
        If the file cannot be opened.
    TypeError, ValueError
        If it is no image, if its pixels have no known range (floats), if the network's output is
        not finite, or if `scale`, `model` and `tile` are not as above.

    Examples
    --------
    >>> upscale(np.zeros((4, 5, 3), np.uint8), scale=2).shape
    (8, 10, 3)
    """
    model = _network(scale, model)
    if tile is not None:
        whole_number("upscale: tile", tile, 1)
    if progress is not None:
        function("upscale: progress", progress)
    if isinstance(image, np.ndarray):
        larger = _enlarge(Image.fromarray(_check_array(image)), model, tile, progress)
        h, w, *channels = image.shape
        return np.asarray(larger).reshape(h * model.scale, w * model.scale, *channels)
    if isinstance(image, (str, os.PathLike)):
        with open_image(image) as opened, pillow_errors(image):
            check_bomb(opened, model.scale)
            plain = to_plain_mode(opened)
    elif isinstance(image, Image.Image):
        with pillow_errors(name_of(image)):
            plain = to_plain_mode(image)
    else:
        raise TypeError(
            f"upscale: image must be a PIL image, a path or an array, got {type(image).__name__}"
        )
    larger = _enlarge(plain, model, tile, progress)
    larger.info.update(plain.info)
    return larger


def network_output(model: Accelerated, x: Array, missing: Pads) -> Array:
    """Return ``model.predict_tile(x, missing)`` in float64, wherever the network is.

    Raises
    ------
    ValueError
        If it is not finite: it would become black pixels.
    """
    y = to_host(model.predict_tile(to_network(model, x), missing)).astype(np.float64)
    if not np.isfinite(y).all():
        raise ValueError("the network's output is not all finite numbers")
    return y


def _network(scale: int | None, model: Any) -> Accelerated:
    if scale is not None:
        scale = whole_number("upscale: scale", scale, 1)
    if model is None:
        return accelerate(pretrained(2 if scale is None else scale))
    if not isinstance(getattr(model, "network", model), ESPCN):
        raise TypeError(f"upscale: model must be an ESPCN, got {type(model).__name__}")
    if scale not in (None, model.scale):
        raise ValueError(f"upscale: scale is {scale}, but the model's is {model.scale}")
    one_of("upscale: the number of the model's channels", model.options["channels"], (1, 3))
    return accelerate(model)


def _check_array(image: Array) -> Array:
    plane = image.ndim == 2 and image.dtype in (np.uint8, np.uint16)
    color = image.ndim == 3 and image.shape[2] in (3, 4) and image.dtype == np.uint8
    if not (plane or color) or image.size == 0:
        raise ValueError(
            "upscale: image, an array, must be (H, W) uint8 or uint16, or (H, W, 3) or (H, W, 4) "
            f"uint8, and not empty, got shape {image.shape} and dtype {image.dtype}"
        )
    return np.ascontiguousarray(image)


def _enlarge(
    image: Image.Image, model: Accelerated, tile: int | None, progress: Progress | None
) -> Image.Image:
    """Enlarge an image of a plain mode in tiles, of which only a few are floats at a time."""
    (width, height), s = image.size, model.scale
    image.load()  # before the threads ask for it
    larger = Image.new(image.mode, (width * s, height * s))
    enlarger, param = _Enlarger(model), next(iter(model.params.values()))
    halo = enlarger.halo * (3 if image.mode in ("LA", "RGBA") else 1)
    tiles = cut_tiles(height, width, halo, (tile, tile) if tile else tile_size(param))
    done: list[None] = []

    def run(tile: Tile) -> None:
        rows, columns = tile.part
        part = np.asarray(image.crop((columns.start, rows.start, columns.stop, rows.stop)))
        y = enlarger(part, tile.missing)
        (top, _), (left, _) = tile.place
        larger.paste(Image.fromarray(y), (left * s, top * s))
        done.append(None)  # which is atomic, unlike counting
        if progress is not None:
            progress(len(done), len(tiles))

    run_all(run, tiles, param)
    return larger


class _Enlarger:
    """Enlarge a tile: luma (or RGB) by the network, the rest by bicubic interpolation.

    Inside, planes are (h, w, k) float64, from 0 (black) to 1 (white). They are the tile with a halo
    around it, except for the pixels that are `missing` because the image ends there; (H, W, k) is
    the enlarged tile, without a halo.
    """

    def __init__(self, model: Accelerated) -> None:
        self.model, self.scale = model, model.scale
        self.halo = max(model.halo, _BICUBIC_REACH)
        self.knows_rgb = model.options["channels"] == 3

    def __call__(self, part: Array, missing: Pads) -> Array:
        """Enlarge a tile: (h, w) or (h, w, 2 to 4) -> (H, W) or (H, W, 2 to 4).

        With alpha, the last of two or four planes, the halo must be three times as wide. The dtype
        is uint8, or uint16 for a single plane.
        """
        white = np.iinfo(part.dtype).max
        x = np.atleast_3d(part) / np.float64(white)  # (h, w, 1 to 4)
        has_alpha = x.shape[2] in (2, 4)
        y = self.transparent(x, missing) if has_alpha else self.opaque(x, missing)
        y = quantize(y * white, part.dtype)  # (H, W, 1 to 4)
        return y if part.ndim == 3 else y[..., 0]

    def opaque(self, x: Array, missing: Pads) -> Array:
        """Enlarge gray or RGB: (h, w, 1 or 3) -> (H, W, 1 or 3)."""
        if x.shape[2] == 1 or self.knows_rgb:
            return self.by_network(x, missing)
        ycbcr = rgb_to_ycbcr(255 * x)
        y = self.by_network(_from_studio(ycbcr[..., :1]), missing)
        cb_cr = self.by_bicubic(ycbcr[..., 1:], missing)
        return ycbcr_to_rgb(np.concatenate([_to_studio(y), cb_cr], axis=2)) / 255

    def transparent(self, x: Array, missing: Pads) -> Array:
        """Enlarge gray or RGB with alpha: (h, w, 2 or 4) -> (H, W, 2 or 4)."""
        halo, wide = self.halo, 2 * self.halo
        padded = np.pad(x, (*missing, (0, 0)), mode="edge")
        mean = _around(padded[..., :-1] * padded[..., -1:], wide, np.mean)
        mean /= np.maximum(_around(padded[..., -1:], wide, np.mean), 1e-9)
        near_alpha = _cut(padded[..., -1:], ((wide, wide), (wide, wide)))
        x, missing = _narrow(x, missing, wide)  # one halo is left
        x, alpha, mean = x[..., :-1], x[..., -1:], _cut(mean, missing)

        trust = (alpha / _ENOUGH_ALPHA).clip(0, 1)
        filled = trust * x + (1 - trust) * mean
        plain = self.by_bicubic(filled, missing)
        weight = self.by_bicubic(alpha, missing)
        divided = self.by_bicubic(x * alpha, missing) / np.maximum(weight, 1e-9)
        trust = (weight / _ENOUGH_ALPHA).clip(0, 1)
        y = trust * divided + (1 - trust) * plain
        y += self.opaque(filled, missing) - plain  # the network's detail

        y_alpha = self.by_network(alpha, missing)
        y_alpha[_repeat(_around(near_alpha, halo, np.max) == 0, self.scale)] = 0
        y_alpha[_repeat(_around(near_alpha, halo, np.min) == 1, self.scale)] = 1
        return np.concatenate([y, y_alpha], axis=2)

    def by_network(self, planes: Array, missing: Pads) -> Array:
        """Enlarge each plane, or RGB as a whole if the network knows it: (h, w, k) -> (H, W, k)."""
        planes, missing = _narrow(planes, missing, self.halo - self.model.halo)
        x = planes.transpose(2, 0, 1)[:, None]  # (k, 1, h, w)
        if not self.knows_rgb:
            y = network_output(self.model, _to_studio(x) / 255, missing)[:, 0]  # (k, H, W)
            return _from_studio(y.transpose(1, 2, 0) * 255)
        if len(x) == 3:
            return network_output(self.model, x.swapaxes(0, 1), missing)[0].transpose(1, 2, 0)
        y = network_output(self.model, x.repeat(3, axis=1), missing)  # (k, 3, H, W), gray x 3
        return y.mean(axis=1).transpose(1, 2, 0)

    def by_bicubic(self, planes: Array, missing: Pads) -> Array:
        """Enlarge planes: (h, w, k) -> (H, W, k)."""
        (above, below), (left, right) = ((self.halo - m for m in pair) for pair in missing)
        planes = planes.astype(np.float32)
        h, w, k = planes.shape
        inside = (left, above, w - right, h - below)
        larger = [upscale_bicubic(planes[..., i], self.scale, inside) for i in range(k)]
        return np.stack(larger, axis=2).astype(np.float64)


def _around(x: Array, radius: int, reduce: Callable[..., Array]) -> Array:
    """Reduce the square of `radius` around each pixel: (h, w, k) -> (h - 2*radius, ..., k)."""
    for axis in (0, 1):  # the mean of the means is the mean; so are max and min
        windows = np.lib.stride_tricks.sliding_window_view(x, 2 * radius + 1, axis)
        x = reduce(windows, axis=-1)
    return x


def _narrow(planes: Array, missing: Pads, by: int) -> tuple[Array, Pads]:
    """Make the halo around a tile narrower; return the planes, and how much of it is missing."""
    rows, columns = ((max(0, by - a), max(0, by - b)) for a, b in missing)
    above_below, sides = ((max(0, a - by), max(0, b - by)) for a, b in missing)
    return _cut(planes, (rows, columns)), (above_below, sides)


def _cut(planes: Array, pads: Pads) -> Array:
    """Cut pixels off the sides: (h, w, k) -> (h - above - below, w - left - right, k)."""
    (above, below), (left, right) = pads
    h, w = planes.shape[:2]
    return planes[above : h - below, left : w - right]


def _repeat(x: Array, scale: int) -> Array:
    """Repeat every pixel: (h, w, k) -> (h * scale, w * scale, k)."""
    return x.repeat(scale, axis=0).repeat(scale, axis=1)


def _to_studio(y: Array) -> Array:
    """Map luma from 0..1 to 16..235."""
    return 16 + 219 * y


def _from_studio(y: Array) -> Array:
    return (y - 16) / 219
