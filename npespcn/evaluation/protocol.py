"""The literature's protocol: PSNR and SSIM of luma on a set of test files.

A figure can be compared with a published one only if both were measured in the same way: the same
luma, rounding, border and low resolution. `protocol` says all of it in words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from npespcn.common import Array
from npespcn.common.checks import one_of
from npespcn.evaluation.metrics import SSIM_WINDOW, psnr, ssim
from npespcn.evaluation.testsets import Pair, PictureSet
from npespcn.fast import Accelerated, accelerate, eight_views
from npespcn.fast.gpu import to_host, to_network
from npespcn.models import Network
from npespcn.pictures.color import quantize, rgb_to_y
from npespcn.pictures.files import read_image
from npespcn.pictures.resize import downscale, upscale_bicubic
from npespcn.training import center_crop


class Score(NamedTuple):
    """PSNR in dB, infinite for identical images, and SSIM, at most 1."""

    psnr: float
    ssim: float


class PictureScore(NamedTuple):
    """The scores of one pair of files.

    Attributes
    ----------
    name : str
        Name of the HR file.
    size : (width, height)
        Its size in pixels.
    bicubic : Score
    network : Score or None
        None if there is no network.
    best : Score or None
        Of the mean of its answers to eight views, if that was asked for.
    """

    name: str
    size: tuple[int, int]
    bicubic: Score
    network: Score | None = None
    best: Score | None = None


def evaluate(
    pictures: PictureSet,
    model: Network | None = None,
    *,
    best: bool = False,
    failed: Callable[[str], object] | None = None,
) -> Iterator[PictureScore]:
    """Score bicubic interpolation and a network on each pair of files, as `protocol` says.

    Parameters
    ----------
    pictures : PictureSet
        The files, from `find_pictures`.
    model : Network, optional
        A network of the same scale, with 1 channel (luma) or 3 (RGB), on the CPU or a GPU.
    best : bool
        Whether to score the mean of the network's answers to eight views, too: flips and quarter
        turns (`npespcn.fast.eight_views`). It takes eight times as long.
    failed : callable, optional
        Called with one line for each pair that cannot be scored; the others are scored. Without
        it the first such pair raises an error.

    Raises
    ------
    OSError, ValueError
        If `model` has another scale or another number of channels; and for a pair of files, if one
        is missing, cannot be read or is too small, or if their sizes do not fit.

    Examples
    --------
    ::

        for score in evaluate(find_pictures("Set5/x3"), npespcn.pretrained(3)):
            print(score.name, score.bicubic.psnr, score.network.psnr)
    """
    if model is not None:
        if model.scale != pictures.scale:
            raise ValueError(
                f"evaluate: the network enlarges {model.scale} times, but the scale of the "
                f"images is {pictures.scale}"
            )
        one_of("evaluate: the number of the network's channels", model.options["channels"], (1, 3))
    models = [] if model is None else [accelerate(model), *[eight_views(model)] * best]
    return _scores(pictures, models, failed)


def _scores(
    pictures: PictureSet, models: list[Accelerated], failed: Callable[[str], object] | None
) -> Iterator[PictureScore]:
    for words in pictures.unpaired:
        if failed is None:
            raise ValueError(words)
        failed(words)
    for pair in pictures.pairs:
        try:
            score = _score(pair, pictures.scale, models)
        except (OSError, ValueError, MemoryError) as error:
            if failed is None:
                raise
            no_memory = isinstance(error, MemoryError)
            failed(f"{pair.hr}: not enough memory" if no_memory else str(error))
        else:
            yield score


def mean_score(scores: Iterable[Score]) -> Score:
    """Return the mean PSNR and the mean SSIM of one or more scores."""
    value, structure = np.mean(list(scores), axis=0).tolist()
    return Score(value, structure)


def protocol(pictures: PictureSet, model: Network | None = None) -> dict[str, str]:
    """Describe how `evaluate` measures. Only figures measured in this way can be compared."""
    r, lost = pictures.scale, _lost(model)
    words = {
        "measured on": "Y of BT.601, studio range (black 16, white 235), rounded to 8 bits; "
        "gray files are taken as Y as they are",
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
            words["network"] += ", and Y taken of that (of gray files the gray)"
        if lost:
            words["border"] += f": {r}, and {r * lost} that the network does not show"
    return words


def _score(pair: Pair, r: int, models: list[Accelerated]) -> PictureScore:
    hr, gray = _read(pair.hr)
    height, width = hr.shape[:2]
    h, w, lost = height // r, width // r, _lost(models[0] if models else None)
    if pair.lr is not None:
        lr, lr_gray = _read(pair.lr)
        gray = gray and lr_gray  # if only one of them is, it stands for R = G = B
        if lr.shape[:2] != (h, w):
            raise ValueError(
                f"{pair.hr} has {width} x {height} pixels and {pair.lr} {lr.shape[1]} x "
                f"{lr.shape[0]}: HR must be {r} times as large, or up to {r - 1} pixels larger"
            )
    least = SSIM_WINDOW + 2 * r * (1 + lost)
    if min(h, w) * r < least:
        raise ValueError(
            f"{pair.hr}: {width} x {height} pixels are too few, at least {least} x {least} are "
            f"needed (in multiples of {r})"
        )
    if pair.lr is None:
        lr = downscale(hr, r)
    shape = (h - 2 * lost) * r, (w - 2 * lost) * r
    target = center_crop(_luma(hr[: h * r, : w * r], gray), shape)
    bicubic = center_crop(_luma(upscale_bicubic(lr, r), gray), shape)
    scores = [_compare(bicubic, target, r)]
    for model in models:
        output = _output(model, lr if model.options["channels"] == 3 else _luma(lr, gray))
        if not np.isfinite(output).all():
            raise ValueError(f"{pair.hr}: the network's output is not all finite numbers")
        scores.append(_compare(_shown(output, gray), target, r))
    return PictureScore(pair.hr.name, (width, height), *scores)


def _compare(a: Array, b: Array, border: int) -> Score:
    return Score(psnr(a, b, border=border), ssim(a, b, border=border))


def _lost(model: Network | Accelerated | None) -> int:
    """Return how many LR pixels on each side are missing from a network's output."""
    return model.halo if model is not None and model.padding == "valid" else 0


def _read(path: Path) -> tuple[Array, bool]:
    """Return a file's RGB, (H, W, 3) uint8, and whether the file is gray."""
    image = read_image(path)
    with Image.open(path) as file:
        return image, Image.getmodebase(file.mode) == "L"


def _luma(rgb: Array, gray: bool) -> Array:
    return rgb[..., 0] if gray else rgb_to_y(rgb)


def predict(model: Accelerated, x: Array) -> Array:
    """Return ``model.predict(x)`` for an `x` of any dtype; `x` and the result are on the host."""
    return to_host(model.predict(to_network(model, x)))


def _output(model: Accelerated, lr: Array) -> Array:
    """Return a network's output for uint8 RGB (h, w, 3) or Y (h, w): (C, H, W)."""
    x = np.atleast_3d(lr).transpose(2, 0, 1)[None].astype(np.float32) / 255  # (1, C, h, w)
    return predict(model, x)[0]


def _shown(output: Array, gray: bool) -> Array:
    """Return the 8-bit Y of a network's output: (C, H, W) -> (H, W)."""
    planes = quantize(255 * output)
    if len(planes) == 1:
        return planes[0]
    rgb = planes.transpose(1, 2, 0)  # (H, W, 3)
    if not gray:
        return rgb_to_y(rgb)
    return quantize((rgb_to_y(rgb.astype(np.float64)) - 16) * 255 / 219)  # black 0, white 255
