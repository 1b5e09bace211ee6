"""An image in, a larger one out: color, transparency, 16 bits, and tiles without a seam.

The networks know luma. The eye sees detail in luma too, and hardly in color, so the network
enlarges Y, and bicubic interpolation Cb and Cr. In RGB: the image is enlarged by bicubic
interpolation, and the network's luma takes the place of its luma.

Shrunk again, the result should be the image. A network comes close, but where pixels differ from
their neighbors as nowhere in photographs (dither, halftones, 1-bit scans) it may be much too dark
or too bright. So two steps follow it: back-projection adds what is missing, y + up(x - down(y)),
and what clipping to black and white then takes from the mean brightness of a place is given back.

Transparency is a plane like luma, and goes through the same steps. There a network's ripples beside
an edge would be seen as halos and holes, so each new alpha lies between the pixels around it, which
are at most four.

The color of an invisible pixel must not bleed into its neighbors, so colors are multiplied by alpha
before they are interpolated, and divided by it afterwards. This is exact for bicubic interpolation,
which is linear: an object of one color keeps it up to its edge. The other steps are not linear.
Their detail, the difference from bicubic interpolation, is therefore computed on an image without
alpha, whose invisible pixels have the mean color of the visible ones around them.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image

from npespcn.common import Array
from npespcn.common.checks import function, one_of, whole_number
from npespcn.enlarge.bands import BandedImage
from npespcn.exchange.npz import pretrained
from npespcn.fast import Accelerated, accelerate
from npespcn.fast.gpu import to_host, to_network
from npespcn.fast.memory import Pads
from npespcn.fast.tiles import Tile, cut_tiles, run_all, tile_size
from npespcn.models import ESPCN
from npespcn.pictures.bombs import check_bomb
from npespcn.pictures.color import quantize, rgb_to_y
from npespcn.pictures.files import open_image, pillow_errors
from npespcn.pictures.modes import name_of, to_plain_mode
from npespcn.pictures.resize import downscale, upscale_bicubic

Progress = Callable[[int, int], object]
"""Called with the number of tiles done, and their total number."""

_ENOUGH_ALPHA = 1 / 8  # least alpha by which a color may be divided
_TILE = (320, 320)  # with the wide halo of back-projection, smaller ones take longer
_TILES = 32  # at a time
_AROUND = 8  # pixels around an invisible one, from which it gets a color
_BICUBIC_REACH = 2
_PROJECTION_REACH = 2 * _BICUBIC_REACH  # down, and up again
_MEAN_REACH = 2 * 2 + 1  # two means of 5 x 5 pixels, and bilinear interpolation


def upscale(
    image: Any,
    scale: int | None = None,
    model: ESPCN | Accelerated | None = None,
    tile: int | None = None,
    *,
    back_projection: bool = True,
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
        2, 3 or 4 with the package's networks (`npespcn.pretrained`). By default that of `model`, or
        2.
    model : ESPCN, optional
        Another network, of one channel (luma) or three (RGB).
    tile : int, optional
        Tile side in pixels. Smaller tiles need less memory; the result differs only by rounding.
    back_projection : bool
        Whether to keep the mean brightness of each place, as `npespcn.enlarge.picture` says.
        Without it, luma is what the network makes of it, rounded and clipped. A network of scale 1
        goes without.
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
    enlarger = _checked(scale, model, tile, back_projection, progress)
    if isinstance(image, np.ndarray):
        larger = _enlarge(Image.fromarray(_check_array(image)), enlarger, tile, progress)
        h, w, *channels = image.shape
        return np.asarray(larger).reshape(h * enlarger.scale, w * enlarger.scale, *channels)
    if isinstance(image, (str, os.PathLike)):
        with open_image(image) as opened, pillow_errors(image):
            check_bomb(opened, enlarger.scale)
            plain = to_plain_mode(opened)
    elif isinstance(image, Image.Image):
        with pillow_errors(name_of(image)):
            plain = to_plain_mode(image)
    else:
        raise TypeError(
            f"upscale: image must be a PIL image, a path or an array, got {type(image).__name__}"
        )
    larger = _enlarge(plain, enlarger, tile, progress)
    larger.info.update(plain.info)
    return larger


def upscale_to_png(
    image: Image.Image,
    model: ESPCN | Accelerated,
    tile: int | None = None,
    *,
    back_projection: bool = True,
    progress: Progress | None = None,
) -> BandedImage:
    """Enlarge an image of a plain mode as `upscale` does, but while the result is saved as PNG.

    The result is never in memory as a whole. Its first rows are made here, so that most errors come
    before a file is begun.
    """
    enlarger = _checked(None, model, tile, back_projection, progress)
    width, height = image.size
    bands = enlarged_bands(image, enlarger, tile, progress)
    size = width * enlarger.scale, height * enlarger.scale
    larger = BandedImage(image.mode, size, itertools.chain([next(bands)], bands))
    larger.info.update(image.info)
    return larger


def network_output(model: Accelerated, x: Array, missing: Pads) -> Array:
    """Return ``model.predict_tile(x, missing)`` in float32, wherever the network is.

    Raises
    ------
    ValueError
        If it is not finite: it would become black pixels.
    """
    y = to_host(model.predict_tile(to_network(model, x), missing)).astype(np.float32, copy=False)
    if not np.isfinite(y).all():
        raise ValueError("the network's output is not all finite numbers")
    return y


def _checked(scale: Any, model: Any, tile: Any, back_projection: bool, progress: Any) -> Enlarger:
    if tile is not None:
        whole_number("upscale: tile", tile, 1)
    if progress is not None:
        function("upscale: progress", progress)
    return Enlarger(_network(scale, model), back_projection)


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


def enlarged_bands(
    image: Image.Image, enlarger: Enlarger, tile: int | None, progress: Progress | None
) -> Iterator[Array]:
    """Enlarge an image of a plain mode; yield it in bands of rows, from top to bottom.

    A band is as many rows of tiles as keep all cores busy. Of these, only a few are floats at a
    time.
    """
    (width, height), s = image.size, enlarger.scale
    image.load()  # before the threads ask for it
    halo = enlarger.halo + (_AROUND if image.mode in ("LA", "RGBA") else 0)
    tiles = cut_tiles(height, width, halo, (tile, tile) if tile else enlarger.tile)
    across = sum(each.place[0] == tiles[0].place[0] for each in tiles)
    at_once = max(1, _TILES // across) * across
    like, finished = np.asarray(image.crop((0, 0, 1, 1))), itertools.count(1)

    def run(tile: Tile) -> None:
        rows, columns = tile.part
        part = np.asarray(image.crop((columns.start, rows.start, columns.stop, rows.stop)))
        (above, below), (left, right) = tile.place
        band[(above - top) * s : (below - top) * s, left * s : right * s] = enlarger(
            part, tile.missing
        )
        if progress is not None:
            progress(next(finished), len(tiles))

    for first in range(0, len(tiles), at_once):
        some = tiles[first : first + at_once]
        top, bottom = some[0].place[0][0], some[-1].place[0][1]
        band = np.empty(((bottom - top) * s, width * s, *like.shape[2:]), like.dtype)
        run_all(run, some, enlarger.param)
        yield band


def _enlarge(
    image: Image.Image, enlarger: Enlarger, tile: int | None, progress: Progress | None
) -> Image.Image:
    (width, height), s, top = image.size, enlarger.scale, 0
    larger = Image.new(image.mode, (width * s, height * s))
    for band in enlarged_bands(image, enlarger, tile, progress):
        larger.paste(Image.fromarray(band), (0, top))
        top += len(band)
    return larger


class Enlarger:
    """Enlarge a tile: luma (or RGB) by the network, the rest by bicubic interpolation.

    Inside, planes are (k, h, w), from 0 (black) to 1 (white): a tile, and a margin around it.
    `margin` is its width on each side, ((above, below), (left, right)): the `halo`, or less where
    the image ends. (k, H, W) is the enlarged tile, without a margin.

    Parameters
    ----------
    model
        The network.
    back_projection
        Whether the result, shrunk again, is to be the image.
    limits
        Where results are clipped, in back-projection only.
    """

    def __init__(
        self,
        model: Accelerated,
        back_projection: bool = True,
        limits: tuple[float, float] = (0, 1),
    ) -> None:
        self.model, self.scale, self.limits = model, model.scale, limits
        self.projects = back_projection and self.scale > 1
        reach = _PROJECTION_REACH + _MEAN_REACH if self.projects else 0
        self.halo = max(model.halo + reach, _BICUBIC_REACH)
        self.knows_rgb = model.options["channels"] == 3
        self.param = next(iter(model.params.values()))
        self.tile = max(_TILE, tile_size(self.param))

    def __call__(self, part: Array, missing: Pads) -> Array:
        """Enlarge a tile: (h, w) or (h, w, 2 to 4) -> (H, W) or (H, W, 2 to 4).

        With alpha, the last of two or four planes, the halo must be `_AROUND` pixels wider. The
        dtype is uint8, or uint16 for a single plane.
        """
        white = np.iinfo(part.dtype).max
        x = np.atleast_3d(part).transpose(2, 0, 1) / np.float32(white)  # (1 to 4, h, w)
        if len(x) in (2, 4):
            y = self.transparent(x, self.halo + _AROUND - np.array(missing))
        else:
            y = self.opaque(x, self.halo - np.array(missing))
        y = quantize(y * white, part.dtype).transpose(1, 2, 0)  # (H, W, 1 to 4)
        return y if part.ndim == 3 else y[..., 0]

    def transparent(self, x: Array, margin: Array) -> Array:
        """Enlarge gray or RGB with alpha: (2 or 4, h, w) -> (2 or 4, H, W)."""
        wide = _pad(x, self.halo + _AROUND - margin)
        mean = _around(wide[:-1] * wide[-1:], _AROUND)
        mean /= np.maximum(_around(wide[-1:], _AROUND), 1e-9)
        near = np.minimum(margin, self.halo)
        x, mean, margin = _cut(x, margin - near), _cut(mean, self.halo - near), near
        x, alpha = x[:-1], x[-1:]

        trust = (alpha / _ENOUGH_ALPHA).clip(0, 1)
        filled = trust * x + (1 - trust) * mean
        plain = self.by_bicubic(filled, margin)
        weight = self.by_bicubic(alpha, margin)
        divided = self.by_bicubic(x * alpha, margin) / np.maximum(weight, 1e-9)
        trust = (weight / _ENOUGH_ALPHA).clip(0, 1)
        y = trust * divided + (1 - trust) * plain
        y += self.opaque(filled, margin) - plain  # the network's detail

        return np.concatenate([y, self.alpha(alpha, margin)])

    def alpha(self, x: Array, margin: Array) -> Array:
        """Enlarge alpha, without ripples beside an edge: (1, h, w) -> (1, H, W)."""
        near = np.minimum(margin, _MEAN_REACH * self.projects)
        y, around = self.in_color(x, margin - near), _pad(x, np.ones_like(margin))
        low, high = (
            _cut(_of_neighbors(pick, around, self.scale), self.scale * (margin - near))
            for pick in (np.minimum, np.maximum)
        )
        return self.clipped(y, near, low, high)

    def opaque(self, x: Array, margin: Array) -> Array:
        """Enlarge gray or RGB: (1 or 3, h, w) -> (1 or 3, H, W)."""
        near = np.minimum(margin, _MEAN_REACH * self.projects)
        y = self.in_color(x, margin - near)
        if not self.projects:
            return y
        return np.concatenate([self.clipped(plane[None], near, *self.limits) for plane in y])

    def clipped(self, y: Array, margin: Array, low: Any, high: Any) -> Array:
        """Clip, and with back-projection keep the mean of each place: (1, H, W) -> (1, H, W).

        Of a white dot on black, say, clipping takes the dark half of the ripples around it. What it
        takes is given back: all pixels go the same part of their ways to `high` (or to `low`).
        """
        inside = y.clip(low, high)
        taken, by = y - inside, self.scale * margin
        if not (self.projects and taken.any()):
            return _cut(inside, by)
        up, down = high - inside, inside - low
        small = np.concatenate([_reduced(z, self.scale) for z in (taken, up, down)])
        small = _around(_around(_pad(small, _MEAN_REACH - margin), 2), 2)  # (3, h + 2, w + 2)
        part = small[:1] / np.maximum(np.where(small[:1] > 0, small[1:2], small[2:]), 1e-6)
        part = _by_bilinear(part.clip(-1, 1), self.scale)  # (1, H, W)
        return _cut(inside, by) + part * np.where(part > 0, _cut(up, by), _cut(down, by))

    def in_color(self, x: Array, margin: Array) -> Array:
        """Enlarge gray or RGB: (1 or 3, h, w) -> (1 or 3, H, W)."""
        if len(x) == 1 or self.knows_rgb:
            return self.projected(x, margin)
        y = self.by_bicubic(x, margin)  # whose luma the network knows better
        return y + (self.projected(_luma(x), margin) - _luma(y))

    def projected(self, x: Array, margin: Array) -> Array:
        """Enlarge by the network, then one step of back-projection: (k, h, w) -> (k, H, W)."""
        if not self.projects:
            return self.by_network(x, margin)
        near = np.minimum(margin, _PROJECTION_REACH)
        y = self.by_network(x, margin - near).clip(*self.limits)  # (k, H, W), and the margin
        small = np.stack([downscale(plane, self.scale) for plane in y])
        missed = self.by_bicubic(_cut(x, margin - near) - small, near)
        return _cut(y, self.scale * near) + missed

    def by_network(self, planes: Array, margin: Array) -> Array:
        """Enlarge each plane, or RGB as a whole if the network knows it: (k, h, w) -> (k, H, W)."""
        near = np.minimum(margin, self.model.halo)
        x = _cut(planes, margin - near)[:, None]  # (k, 1, h, w)
        above_below, sides = (self.model.halo - near).tolist()
        missing = tuple(above_below), tuple(sides)
        if not self.knows_rgb:
            y = network_output(self.model, _to_studio(x) / 255, missing)[:, 0]  # (k, H, W)
            return _from_studio(y * 255)
        if len(x) == 3:
            return network_output(self.model, x.swapaxes(0, 1), missing)[0]
        y = network_output(self.model, x.repeat(3, axis=1), missing)  # (k, 3, H, W), gray x 3
        return y.mean(axis=1)

    def by_bicubic(self, planes: Array, margin: Array) -> Array:
        """Enlarge each plane: (k, h, w) -> (k, H, W)."""
        (above, below), (left, right) = margin.tolist()
        planes = planes.astype(np.float32, copy=False)
        _, h, w = planes.shape
        inside = (left, above, w - right, h - below)
        return np.stack([upscale_bicubic(plane, self.scale, inside) for plane in planes])


def _around(x: Array, radius: int) -> Array:
    """Average the square of `radius` around each pixel: (k, h, w) -> (k, h - 2*radius, ...)."""
    n = 2 * radius + 1
    for axis in (1, 2):  # the mean of the means is the mean
        size = x.shape[axis] - n + 1
        parts = (x[:, i : i + size] if axis == 1 else x[..., i : i + size] for i in range(n))
        x = functools.reduce(np.add, parts) / np.float32(n)
    return x


def _of_neighbors(pick: Callable[..., Array], x: Array, scale: int) -> Array:
    """Pick one of the 4, 2 or 1 pixels between which each new one lies: (k, h, w) -> (k, H, W).

    x has a pixel more on each side.
    """
    for axis in (1, 2):
        n = (x.shape[axis] - 2) * scale
        at = np.arange(1 + scale, 1 + scale + 2 * n, 2)  # position in x, times 2 * scale
        x = pick(x.take(at // (2 * scale), axis), x.take(-(-at // (2 * scale)), axis))
    return x


def _reduced(y: Array, scale: int) -> Array:
    """Return the mean of each scale x scale pixels: (1, H, W) -> (1, h, w)."""
    return np.asarray(Image.fromarray(y[0]).reduce(scale))[None]


def _by_bilinear(x: Array, scale: int) -> Array:
    """Enlarge by bilinear interpolation, without the outer pixels: (1, h, w) -> (1, H, W)."""
    _, h, w = x.shape
    size, inside = ((w - 2) * scale, (h - 2) * scale), (1, 1, w - 1, h - 1)
    image = Image.fromarray(x[0])
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR, inside))[None]


def _cut(planes: Array, by: Array) -> Array:
    """Cut pixels off each side: (k, h, w) -> (k, h - above - below, w - left - right)."""
    (above, below), (left, right) = by.tolist()
    _, h, w = planes.shape
    return planes[:, above : h - below, left : w - right]


def _pad(planes: Array, by: Array) -> Array:
    """Repeat the outer pixels on each side: (k, h, w) -> (k, above + h + below, ...)."""
    return np.pad(planes, ((0, 0), *by.tolist()), mode="edge")


def _luma(planes: Array) -> Array:
    """Return the luma of RGB, black 0 and white 1: (3, h, w) -> (1, h, w)."""
    return np.tensordot(_LUMA_OF_RGB, planes, 1)[None]


def _to_studio(y: Array) -> Array:
    """Map luma from 0..1 to 16..235."""
    return 16 + 219 * y


def _from_studio(y: Array) -> Array:
    return (y - 16) / 219


_LUMA_OF_RGB = _from_studio(rgb_to_y(np.float32(255) * np.eye(3, dtype=np.float32)))
