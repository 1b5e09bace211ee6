"""Folders of test images: which files have high resolution (HR), and which low (LR).

Files are paired by their names, never by their places in two listings: the listings may disagree,
and a pair of different images has a PSNR, too.
"""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

from PIL import Image

from npespcn.common.checks import whole_number
from npespcn.common.files import check_file
from npespcn.common.kinds import unread_picture
from npespcn.data.folders import natural_key
from npespcn.pictures.bombs import picture_formats
from npespcn.pictures.files import is_image_file

DEFAULT_SCALE = 3

# In order of preference: modcropped images before the originals that they were cut from.
_HR_FOLDERS = (r"GTmod\d+", r"(?P<set>.*_)?HR", r"GT", r"original")
_LR_FOLDER = r"(?P<set>.*_)?LR(?:_?bic(?:ubic)?)?(?:_?x(?P<scale>[1-9]\d*))?"
_LR_SUBFOLDER = r"x(?P<scale>[1-9]\d*)"
_SCALE_FOLDER = r"(?:x|image_SRF_)(?P<scale>[1-9]\d*)"
_SRF_FILE = r".+_SRF_(?P<scale>[1-9]\d*)_(?P<kind>HR|LR)"
_NAME_AND_SUFFIXES = r"(.+?)(?:[_-]?x{0}|_SRF_{0}|[_-](?:HR|GT|LR|LRBI|LRbic))*"


class Pair(NamedTuple):
    """The two files of an image. Where `lr` is None, low resolution is to be made from `hr`."""

    hr: Path
    lr: Path | None


@dataclass(frozen=True)
class PictureSet:
    """The test images in a folder, as `find_pictures` returns them.

    Attributes
    ----------
    scale : int
        HR pixels for each LR pixel, along each side.
    pairs : list of Pair
        In natural order of the HR files' names.
    unpaired : list of str
        One line for each image that cannot be paired. It names the files.
    source : Path or None
        The folder of the LR files, None if there are none.
    """

    scale: int
    pairs: list[Pair]
    unpaired: list[str]
    source: Path | None


_Files: TypeAlias = "tuple[list[Path], list[Path] | None]"
"""The HR files, and the LR files if there is a folder of them."""


def find_pictures(folder: str | os.PathLike[str], scale: int | None = None) -> PictureSet:
    """Find the test images in a folder, and pair HR files with LR files by their names.

    These layouts are known, in capital or small letters::

        NAME.png                                                HR only
        HR/NAME.png               LR/NAME.png                   or both in a folder x3
        HR/NAME.png               LR_bicubic/X3/NAMEx3.png      EDSR's benchmark
        DIV2K_valid_HR/0801.png   DIV2K_valid_LR_bicubic/X3/0801x3.png
        GTmod12/NAME.png          LRbicx3/NAME.png              BasicSR, KAIR; or GT, original
        image_SRF_3/NAME_SRF_3_HR.png and NAME_SRF_3_LR.png     SelfExSR

    If the folder has no LR files of the scale, low resolution is to be made from HR. Two files are
    a pair if their names are the same without ``x3``, ``_SRF_3``, ``_HR``, ``_GT`` and ``_LR`` at
    the ends. Hidden files and SelfExSR's other files are skipped silently, files whose suffix
    belongs to no image format with a warning.

    Parameters
    ----------
    folder : str or Path
    scale : int, optional
        The upscale factor, at least 1. If not given: the only one that fits the names of the
        folders and files and the sizes of the images, or 3 if several fit.

    Raises
    ------
    OSError
        If `folder` is not a folder, or cannot be read.
    ValueError
        If it holds no images, none of this scale, or several sets of them.
    """
    if scale is not None:
        whole_number("find_pictures: scale", scale, 1)
    root = Path(folder)
    files, folders = _entries(root)
    found: dict[int | None, _Files] = {}
    for sub in folders:
        if match := _match(_SCALE_FOLDER, sub.name):
            found |= _layout(sub, int(match["scale"]))
    match = _match(_SCALE_FOLDER, Path(os.path.abspath(root)).name)
    found |= _layout(root, int(match["scale"]) if match else None)
    found = found or {None: (files, None)}
    scale = scale or _only_scale(found) or DEFAULT_SCALE
    if scale not in found and None not in found:
        there = ", ".join(f"x{r}" for r in sorted(filter(None, found)))
        raise ValueError(f"{root} has images for {there}, none for x{scale}")
    hr_files, lr_files = found.get(scale) or found[None]
    hr = _pictures(hr_files)
    if not hr:
        raise ValueError(f"no test images in {root}: it must hold images, or a folder HR")
    if lr_files is None:
        return PictureSet(scale, [Pair(path, None) for path in hr], [], None)
    pairs, unpaired = _paired(hr, _pictures(lr_files), str(scale))
    return PictureSet(scale, pairs, unpaired, lr_files[0].parent if lr_files else None)


def _entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the files and the folders in a folder, without hidden ones, in natural order."""
    names = sorted((n for n in os.listdir(folder) if not n.startswith(".")), key=natural_key)
    paths = [folder / name for name in names]
    folders = [path for path in paths if os.path.isdir(path)]  # False for a link to itself
    return [path for path in paths if path not in folders], folders


def _match(pattern: str, name: str) -> re.Match[str] | None:
    return re.fullmatch(pattern, name, re.IGNORECASE | re.DOTALL)


def _layout(folder: Path, scale: int | None) -> dict[int | None, _Files]:
    """Return the HR and LR files of each scale. Where no name tells the scale, it is `scale`."""
    files, folders = _entries(folder)
    found: dict[int | None, _Files] = {}
    if marked := [(match, path) for path in files if (match := _match(_SRF_FILE, path.stem))]:
        for r in {match["scale"] for match, _ in marked}:
            of_scale = [(m["kind"].upper(), path) for m, path in marked if m["scale"] == r]
            hr, lr = ([path for kind, path in of_scale if kind == want] for want in ("HR", "LR"))
            found[int(r)] = (hr, lr)
        return found
    for pattern in _HR_FOLDERS:
        if matches := [(match, sub) for sub in folders if (match := _match(pattern, sub.name))]:
            break
    else:
        return found
    if len(matches) > 1:
        names = ", ".join(sub.name for _, sub in matches)
        raise ValueError(f"{folder} holds several sets of images: choose one of {names}")
    ((hr_match, hr_folder),) = matches
    hr = _entries(hr_folder)[0]
    for sub in folders:
        match = _match(_LR_FOLDER, sub.name)
        if not match or _set_name(match) != _set_name(hr_match):
            continue
        lr, below = _entries(sub)
        for each in below:
            if label := _match(_LR_SUBFOLDER, each.name):
                found[int(label["scale"])] = (hr, _entries(each)[0])
        if lr or not below:
            found[int(match["scale"]) if match["scale"] else scale] = (hr, lr)
    return {scale: (hr, None)} | found


def _set_name(match: re.Match[str]) -> str:
    """Return the part of a name before HR or LR: DIV2K_valid_ for DIV2K_valid_HR."""
    return (match.groupdict().get("set") or "").casefold()


def _only_scale(found: dict[int | None, _Files]) -> int | None:
    """Return the scale if there are LR files of exactly one."""
    scales = {scale for scale in found if scale is not None}
    hr, lr = found.get(None, ([], None))
    for pair in _paired(hr, lr or [], r"\d+")[0]:
        try:
            sides = [_size(path) for path in pair if path is not None]
        except Exception:  # noqa: S112  # a broken file is reported when it is scored
            continue
        ratios = {large // small for large, small in zip(*sides, strict=True)}
        scales |= ratios if len(ratios) == 1 and 0 not in ratios else set()
    return scales.pop() if len(scales) == 1 else None


def _size(path: Path) -> list[int]:
    """Return the sides of an image, the shorter one first, from the first bytes of its file."""
    check_file(path)
    with Image.open(path, formats=picture_formats()) as image:
        return sorted(image.size)


def _pictures(files: list[Path]) -> list[Path]:
    pictures = [path for path in files if is_image_file(path)]
    for path in files:
        if path not in pictures:
            reason = unread_picture(path) or f"{path.suffix!r} is not the suffix of an image format"
            warnings.warn(f"skipped {path}: {reason}", stacklevel=3)
    return pictures


def _paired(hr: list[Path], lr: list[Path], digits: str) -> tuple[list[Pair], list[str]]:
    """Pair files of the same name; `digits` is the pattern of the scale at the names' ends."""
    named: dict[str, tuple[list[Path], list[Path]]] = {}
    for side, paths in enumerate((hr, lr)):
        for path in paths:
            match = _match(_NAME_AND_SUFFIXES.format(digits), path.stem)
            named.setdefault(match[1] if match else "", ([], []))[side].append(path)
    pairs, unpaired = [], []
    for ours, theirs in named.values():
        if len(ours) == len(theirs) == 1:
            pairs.append(Pair(ours[0], theirs[0]))
        elif len(ours) < 2 and len(theirs) < 2:
            missing = "HR" if theirs else "LR"
            unpaired.append(f"{(ours + theirs)[0]}: there is no {missing} image of this name")
        else:
            files = ", ".join(map(str, ours + theirs))
            unpaired.append(f"{files}: a pair needs one HR and one LR image of this name")
    return pairs, unpaired
