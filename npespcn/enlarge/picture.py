"""A person's picture in, a larger one out: colour, transparency, 16 bits, tiles without a seam.

The networks know luma. The eye sees detail in luma too, and hardly in colour, so the network
enlarges Y, and bicubic interpolation Cb and Cr.

Transparency is a plane like luma, and goes through the same network. The colour of a pixel that
nobody sees must not bleed into its neighbours, so colours are multiplied by alpha before they are
interpolated, and divided by it afterwards. That is exact for bicubic interpolation, which is
linear: a thing of one colour keeps it up to its edge. The network is not linear. What it adds to
the bicubic luma is therefore taken from a picture without alpha, in which the mean colour of what
can be seen around has filled the places that cannot.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from npespcn.arrays import array_module
from npespcn.common import Array
from npespcn.common.checks import function, whole_number
from npespcn.fast.blocks import Pads
from npespcn.fast.gpu import to_host
from npespcn.fast.threads import parallel_map
from npespcn.models import ESPCN, Span, as_input, cut, with_halo
from npespcn.pictures.bombs import check_bomb
from npespcn.pictures.color import rgb_to_ycbcr, ycbcr_to_rgb
from npespcn.pictures.formats import open_photo
from npespcn.pictures.modes import reading, to_plain_mode
from npespcn.pictures.resize import upscale_bicubic

Progress = Callable[[int, int], object]
"""Called with how many tiles are done, and how many there are."""

_TILE_ON_CPU, _TILE_ON_GPU = (96, 160), (1024, 1024)  # LR rows and columns
_ENOUGH_ALPHA = 1 / 8  # to trust a colour that was divided by it


def upscale(
    image: Any,
    scale: int | None = None,
    model: ESPCN | None = None,
    tile: int | None = None,
    *,
    progress: Progress | None = None,
) -> Any:
    """Enlarge a picture `scale` times: (H, W) -> (H*scale, W*scale), in colour or grey.

    Parameters
    ----------
    image : PIL image, path, or array
        Any mode whose range is known; an array is (H, W) uint8 or uint16, or (H, W, 3) or
        (H, W, 4) uint8. Of an animation the frame in hand; of a file the first. The EXIF
        orientation is applied.
    scale : int, optional
        2, 3 or 4 with the network that comes with the package; 2 if neither it nor `model` is
        given.
    model : ESPCN, optional
        Another network, of one channel (luma) or three (RGB).
    tile : int, optional
        Side in pixels of the pieces that the picture is enlarged in. It does not show in the
        result, beyond the rounding of floats, but in the memory.
    progress : callable, optional
        Called after each tile with how many are done and how many there are; from any thread.

    Returns
    -------
    PIL image, or array for an array
        Modes L, LA, RGB, RGBA or I;16, with ICC profile and resolution in ``info``: palettes, CMYK
        and such are converted. An array has the shape and dtype of the given one, but larger.

    Raises
    ------
    OSError
        If the file cannot be opened.
    TypeError, ValueError
        If it is no picture, if its pixels have no known range (floats), if the network's output is
        not all finite numbers, or if `scale`, `model` and `tile` are not as above.

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
        picture = Image.fromarray(_check_array(image))
        return np.asarray(_enlarge(picture, model, tile, progress)).reshape(
            image.shape[0] * model.scale, image.shape[1] * model.scale, *image.shape[2:]
        )
    if isinstance(image, (str, os.PathLike)):
        with open_photo(image) as opened:
            with reading(image):
                check_bomb(opened, model.scale)
            plain = to_plain_mode(opened)
    elif isinstance(image, Image.Image):
        plain = to_plain_mode(image)
    else:
        raise TypeError(
            f"upscale: image must be a PIL image, a path or an array, got {type(image).__name__}"
        )
    larger = _enlarge(plain, model, tile, progress)
    larger.info.update(
        {key: plain.info[key] for key in ("icc_profile", "dpi") if key in plain.info}
    )
    return larger


def _network(scale: int | None, model: ESPCN | None) -> ESPCN:
    if scale is not None:
        scale = whole_number("upscale: scale", scale, 1)
    if model is None:
        return ESPCN.pretrained(2 if scale is None else scale)
    if not isinstance(model, ESPCN):
        raise TypeError(f"upscale: model must be an ESPCN, got {type(model).__name__}")
    if scale not in (None, model.scale):
        raise ValueError(f"upscale: scale is {scale}, but the model's is {model.scale}")
    if model.options["channels"] not in (1, 3):
        raise ValueError(
            f"upscale: model must have 1 channel (luma) or 3 (RGB), not {model.options['channels']}"
        )
    return model


def _check_array(image: Array) -> Array:
    plane = image.ndim == 2 and image.dtype in (np.uint8, np.uint16)
    colour = image.ndim == 3 and image.shape[2] in (3, 4) and image.dtype == np.uint8
    if not (plane or colour) or image.size == 0:
        raise ValueError(
            "upscale: image, an array, must be (H, W) uint8 or uint16, or (H, W, 3) or (H, W, 4) "
            f"uint8, and not empty, got shape {image.shape} and dtype {image.dtype}"
        )
    return np.ascontiguousarray(image)


def _enlarge(
    picture: Image.Image, model: ESPCN, tile: int | None, progress: Progress | None
) -> Image.Image:
    """Enlarge a picture of a plain mode, a tile at a time: no more than that is ever in floats."""
    width, height = picture.size
    picture.load()  # before the threads ask for it
    larger = Image.new(picture.mode, (width * model.scale, height * model.scale))
    on_cpu = array_module(next(iter(model.params.values()))) is np
    about = (tile, tile) if tile else _TILE_ON_CPU if on_cpu else _TILE_ON_GPU
    tiles = [(r, c) for r in cut(0, height, about[0]) for c in cut(0, width, about[1])]
    enlarge = _Enlarger(model)
    halo = model.halo * (3 if picture.mode in ("LA", "RGBA") else 1)
    done: list[None] = []

    def run(spans: tuple[Span, Span]) -> None:
        (top, bottom), (left, right) = spans
        rows, missing_rows = with_halo(top, bottom, height, halo)
        columns, missing_columns = with_halo(left, right, width, halo)
        part = np.asarray(picture.crop((columns.start, rows.start, columns.stop, rows.stop)))
        y = enlarge(part, (missing_rows, missing_columns))
        larger.paste(Image.fromarray(y), (left * model.scale, top * model.scale))
        done.append(None)  # which no other thread can come between, unlike counting
        if progress is not None:
            progress(len(done), len(tiles))

    if on_cpu:
        parallel_map(run, tiles)
    else:
        for spans in tiles:
            run(spans)
    return larger


class _Enlarger:
    """How a network enlarges a tile: luma itself (or RGB, if it knows that), the rest bicubically.

    Inside, planes are (h, w, k) float64, from 0, black, to 1, white, with a halo around what
    becomes (H, W, k); where the picture ends, its edge is repeated there.
    """

    def __init__(self, model: ESPCN) -> None:
        self.model, self.halo, self.scale = model, model.halo, model.scale
        self.knows_rgb = model.options["channels"] == 3

    def __call__(self, part: Array, missing: Pads) -> Array:
        """Enlarge the middle of `part`: (h, w) or (h, w, 2 to 4) -> (H, W) or (H, W, 2 to 4).

        Around the middle it has a halo, three times the network's if there is alpha (the last of
        two or four planes), but for what is `missing`. uint8, or uint16 if it is a single plane.
        """
        white = np.iinfo(part.dtype).max
        x = np.atleast_3d(part) / np.float64(white)  # (h, w, 1 to 4)
        x = np.pad(x, (*missing, (0, 0)), mode="edge")
        if x.shape[2] in (2, 4):
            y = self.transparent(x[..., :-1], x[..., -1:], missing)
        else:
            y = self.opaque(x, missing)
        y = np.floor(y.clip(0, 1) * white + 0.5).astype(part.dtype)  # (H, W, 1 to 4)
        return y if part.ndim == 3 else y[..., 0]

    def opaque(self, x: Array, missing: Pads) -> Array:
        """Enlarge grey or RGB: (h, w, 1 or 3) -> (H, W, 1 or 3)."""
        if x.shape[2] == 1 or self.knows_rgb:
            return self.by_network(x, missing)
        ycbcr = rgb_to_ycbcr(255 * x)
        y = self.by_network(_from_studio(ycbcr[..., :1]), missing)
        cb_cr = self.by_bicubic(ycbcr[..., 1:], missing)
        return ycbcr_to_rgb(np.concatenate([_to_studio(y), cb_cr], axis=2)) / 255

    def transparent(self, x: Array, alpha: Array, missing: Pads) -> Array:
        """Enlarge grey or RGB with alpha: (h, w, 1 or 3) and (h, w, 1) -> (H, W, 2 or 4)."""
        halo = self.halo
        wide = 2 * halo
        mean = _around(x * alpha, wide, np.mean) / np.maximum(_around(alpha, wide, np.mean), 1e-9)
        x, alpha = x[wide:-wide, wide:-wide], alpha[wide:-wide, wide:-wide]  # one halo is left
        (above, below), (left, right) = ([max(0, m - wide) for m in pair] for pair in missing)
        missing = ((above, below), (left, right))

        trust = (alpha / _ENOUGH_ALPHA).clip(0, 1)
        filled = trust * x + (1 - trust) * mean
        plain = self.by_bicubic(filled, missing)
        weight = self.by_bicubic(alpha, missing)
        divided = self.by_bicubic(x * alpha, missing) / np.maximum(weight, 1e-9)
        trust = (weight / _ENOUGH_ALPHA).clip(0, 1)
        y = trust * divided + (1 - trust) * plain
        y += self.opaque(filled, missing) - plain  # what the network adds

        y_alpha = self.by_network(alpha, missing)
        y_alpha[_repeat(_around(alpha, halo, np.max) == 0, self.scale)] = 0
        y_alpha[_repeat(_around(alpha, halo, np.min) == 1, self.scale)] = 1
        return np.concatenate([y, y_alpha], axis=2)

    def by_network(self, planes: Array, missing: Pads) -> Array:
        """Enlarge each plane, or RGB as a whole where it is known: (h, w, k) -> (H, W, k)."""
        if self.model.padding == "same":  # it puts zeros, not the edge, around the picture
            planes = _existing(planes, missing)
        else:
            missing = ((0, 0), (0, 0))
        x = planes.transpose(2, 0, 1)[:, None]  # (k, 1, h, w)
        if not self.knows_rgb:
            y = self.predict(_to_studio(x) / 255, missing)[:, 0]  # (k, H, W)
            return _from_studio(y.transpose(1, 2, 0) * 255)
        if len(x) == 3:
            return self.predict(x.swapaxes(0, 1), missing)[0].transpose(1, 2, 0)
        y = self.predict(x.repeat(3, axis=1), missing)  # (k, 3, H, W), a grey one three times over
        return y.mean(axis=1).transpose(1, 2, 0)

    def predict(self, x: Array, missing: Pads) -> Array:
        """Run the network, wherever it is: (N, C, h, w) -> (N, C, H, W)."""
        y = to_host(self.model.predict_tile(as_input(self.model, x), missing)).astype(np.float64)
        if not np.isfinite(y).all():  # else they would become black pixels
            raise ValueError("the network's output is not all finite numbers")
        return y

    def by_bicubic(self, planes: Array, missing: Pads) -> Array:
        """Enlarge planes: (h, w, k) -> (H, W, k)."""
        (above, below), (left, right) = ((self.halo - m for m in pair) for pair in missing)
        planes = _existing(planes, missing).astype(np.float32)
        h, w, k = planes.shape
        inside = (left, above, w - right, h - below)
        larger = [upscale_bicubic(planes[..., i], self.scale, inside) for i in range(k)]
        return np.stack(larger, axis=2).astype(np.float64)


def _around(x: Array, radius: int, reduce: Callable[..., Array]) -> Array:
    """Reduce the square of `radius` around each pixel: (h, w, k) -> (h - 2*radius, ..., k)."""
    for axis in (0, 1):  # the mean of means is the mean, and so with max and min
        windows = np.lib.stride_tricks.sliding_window_view(x, 2 * radius + 1, axis)
        x = reduce(windows, axis=-1)
    return x


def _existing(planes: Array, missing: Pads) -> Array:
    """Cut off what stands in for missing pixels: (h, w, k) -> (h - above - below, ..., k)."""
    (above, below), (left, right) = missing
    h, w = planes.shape[:2]
    return planes[above : h - below, left : w - right]


def _repeat(x: Array, scale: int) -> Array:
    """Repeat every pixel: (h, w, k) -> (h * scale, w * scale, k)."""
    return x.repeat(scale, axis=0).repeat(scale, axis=1)


def _to_studio(y: Array) -> Array:
    """Turn luma from 0 to 1 into luma from 16 to 235."""
    return 16 + 219 * y


def _from_studio(y: Array) -> Array:
    return (y - 16) / 219
