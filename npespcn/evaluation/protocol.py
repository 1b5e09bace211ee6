"""The literature's protocol: PSNR and SSIM of luma on a set of test pictures.

A figure can be compared with published ones only if every step is theirs: which luma, which
rounding, which border, which low resolution. `protocol` says all of it in words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from npespcn.common import Array
from npespcn.evaluation.metrics import psnr, ssim
from npespcn.evaluation.testsets import Pair, PictureSet
from npespcn.fast.gpu import to_host
from npespcn.models import Network, as_input
from npespcn.pictures.color import rgb_to_y
from npespcn.pictures.files import read_image
from npespcn.pictures.resize import downscale, upscale_bicubic

_SSIM_WINDOW = 11


class Score(NamedTuple):
    """PSNR in dB, infinite for identical pictures, and SSIM, at most 1."""

    psnr: float
    ssim: float


class PictureScore(NamedTuple):
    """The scores of one picture.

    Attributes
    ----------
    name : str
        Of its HR file.
    size : (width, height)
        Of its HR file, in pixels.
    bicubic : Score
    network : Score or None
        None if there was no network.
    """

    name: str
    size: tuple[int, int]
    bicubic: Score
    network: Score | None


def evaluate(
    pictures: PictureSet,
    model: Network | None = None,
    *,
    failed: Callable[[str], object] | None = None,
) -> Iterator[PictureScore]:
    """Score bicubic interpolation and a network on each picture, as `protocol` says.

    Parameters
    ----------
    pictures : PictureSet
        From `find_pictures`.
    model : Network, optional
        Of the pictures' scale, with 1 channel (luma) or 3 (RGB), on the CPU or a GPU.
    failed : callable, optional
        Called with a line on each picture that cannot be scored, and the others go on. Without it
        the first such picture raises.

    Raises
    ------
    ValueError
        If `model` has another scale or other channels. And for a picture (or an OSError) if it has
        no partner, cannot be read, is too small, or if the sizes of a pair do not fit.

    Examples
    --------
    ::

        for score in evaluate(find_pictures("Set5/x3"), ESPCN.pretrained(3)):
            print(score.name, score.bicubic.psnr, score.network.psnr)
    """
    if model is not None:
        if model.scale != pictures.scale:
            raise ValueError(
                f"evaluate: the network enlarges {model.scale} times, but the scale of the "
                f"pictures is {pictures.scale}"
            )
        if model.options["channels"] not in (1, 3):
            raise ValueError(
                "evaluate: the network must have 1 channel (luma) or 3 (RGB), not "
                f"{model.options['channels']}"
            )
    return _scores(pictures, model, failed)


def _scores(
    pictures: PictureSet, model: Network | None, failed: Callable[[str], object] | None
) -> Iterator[PictureScore]:
    for words in pictures.unpaired:
        if failed is None:
            raise ValueError(words)
        failed(words)
    for pair in pictures.pairs:
        try:
            score = _score(pair, pictures.scale, model)
        except (OSError, ValueError, MemoryError) as error:
            if failed is None:
                raise
            no_memory = isinstance(error, MemoryError)
            failed(f"{pair.hr}: not enough memory" if no_memory else str(error))
        else:
            yield score


def mean_score(scores: Iterable[Score]) -> Score:
    """Return the mean PSNR and the mean SSIM of at least one score."""
    value, structure = np.mean(list(scores), axis=0).tolist()
    return Score(value, structure)


def protocol(pictures: PictureSet, model: Network | None = None) -> dict[str, str]:
    """Say in words how `evaluate` measures: what a published figure must share to be compared."""
    r, lost = pictures.scale, _lost(model)
    words = {
        "measured on": "Y of BT.601, studio range (black 16, white 235), rounded to 8 bits; "
        "greyscale files are taken as Y as they are",
        "border": f"{r * (1 + lost)} pixels left out on each side",
        "SSIM": "11 x 11 Gaussian windows (sigma 1.5) that lie inside the border",
        "LR": f"the files in {pictures.source}; HR cropped to {r} times their size"
        if pictures.source
        else f"made here by bicubic as MATLAB's imresize, from HR cropped to multiples of {r}",
        "bicubic": "LR enlarged by Pillow's bicubic in 8-bit RGB, and Y taken of that",
    }
    if model is not None:
        seen = "the 8-bit Y" if model.options["channels"] == 1 else "the 8-bit RGB"
        words["network"] = f"gets {seen} of LR / 255; its output is rounded and clipped to 8 bits"
        if model.options["channels"] == 3:
            words["network"] += ", and Y taken of that (of greyscale files the grey)"
        if lost:
            words["border"] += f": {r}, and {r * lost} that the network does not show"
    return words


def _score(pair: Pair, r: int, model: Network | None) -> PictureScore:
    hr, grey = _read(pair.hr)
    height, width = hr.shape[:2]
    h, w, lost = height // r, width // r, _lost(model)
    if pair.lr is not None:
        lr, lr_grey = _read(pair.lr)
        grey = grey and lr_grey  # if only one is, it stands for R = G = B
        if lr.shape[:2] != (h, w):
            raise ValueError(
                f"{pair.hr} has {width} x {height} pixels and {pair.lr} {lr.shape[1]} x "
                f"{lr.shape[0]}: HR must be {r} times as large, or up to {r - 1} pixels larger"
            )
    least = _SSIM_WINDOW + 2 * r * (1 + lost)
    if min(h, w) * r < least:
        raise ValueError(
            f"{pair.hr}: {width} x {height} pixels are too few, at least {least} x {least} are "
            f"needed (in multiples of {r})"
        )
    if pair.lr is None:
        lr = downscale(hr, r)
    shape = (h - 2 * lost) * r, (w - 2 * lost) * r
    target = inside(_luma(hr[: h * r, : w * r], grey), shape)
    bicubic = inside(_luma(upscale_bicubic(lr, r), grey), shape)
    network = None
    if model is not None:
        output = _output(model, lr if model.options["channels"] == 3 else _luma(lr, grey))
        if not np.isfinite(output).all():
            raise ValueError(f"{pair.hr}: the network's output is not all finite numbers")
        network = _compare(_shown(output, grey), target, r)
    return PictureScore(pair.hr.name, (width, height), _compare(bicubic, target, r), network)


def _compare(a: Array, b: Array, border: int) -> Score:
    return Score(psnr(a, b, border=border), ssim(a, b, border=border))


def _lost(model: Network | None) -> int:
    """LR pixels on each side that a network does not show."""
    return model.halo if model is not None and model.padding == "valid" else 0


def _read(path: Path) -> tuple[Array, bool]:
    """Return a file's RGB, (H, W, 3) uint8, and whether it is greyscale."""
    picture = read_image(path)
    with Image.open(path) as image:
        return picture, Image.getmodebase(image.mode) == "L"


def _luma(rgb: Array, grey: bool) -> Array:
    return rgb[..., 0] if grey else rgb_to_y(rgb)


def _output(model: Network, lr: Array) -> Array:
    """Return what the network makes of uint8 RGB (h, w, 3), or of Y (h, w): (C, H, W)."""
    x = np.atleast_3d(lr).transpose(2, 0, 1)[None].astype(np.float32) / 255  # (1, C, h, w)
    y: Array = to_host(model.predict(as_input(model, x)))[0]
    return y


def _shown(output: Array, grey: bool) -> Array:
    """Return the 8-bit Y of a network's output: (C, H, W) -> (H, W)."""
    planes = to_8_bits(output)
    if len(planes) == 1:
        return planes[0]
    rgb = planes.transpose(1, 2, 0)  # (H, W, 3)
    if not grey:
        return rgb_to_y(rgb)
    return to_8_bits((rgb_to_y(rgb.astype(np.float64)) - 16) / 219)  # black 0, white 255


def to_8_bits(x: Array) -> Array:
    """Return x, 1.0 for 255, rounded and clipped to uint8."""
    return np.clip(np.rint(x * 255), 0, 255).astype(np.uint8)


def inside(target: Array, shape: tuple[int, ...]) -> Array:
    """Return the middle of `target`, as high and wide as `shape` says: (..., H, W)."""
    h, w = shape[-2:]
    top, left = (target.shape[-2] - h) // 2, (target.shape[-1] - w) // 2
    return target[..., top : top + h, left : left + w]
