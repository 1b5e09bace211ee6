"""Pictures from a folder."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

from npespcn.common import Array
from npespcn.common.checks import whole_number
from npespcn.pictures.files import read_image


def load_pictures(
    folder: str | os.PathLike[str], smallest_side: int = 1
) -> list[tuple[str, Array]]:
    """Read every picture in a folder, in natural order (2.png before 10.png).

    Subfolders and hidden files are passed over. Any other file that Pillow cannot read as a
    picture, and any picture with a side below `smallest_side`, is named in a warning and skipped.

    Returns
    -------
    list of (name, picture)
        The file's name and its pixels, (H, W, 3) uint8 RGB.

    Raises
    ------
    OSError
        If `folder` is no folder that can be read.
    ValueError
        If no picture is left.
    """
    whole_number("load_pictures: smallest_side", smallest_side, 0)
    names = [name for name in os.listdir(folder) if not os.path.isdir(os.path.join(folder, name))]
    pictures = []
    for name in sorted(names, key=natural_key):
        if name.startswith("."):
            continue
        try:
            picture = read_image(Path(folder, name))
        except (OSError, ValueError, MemoryError) as error:
            reason = str(error) or "not enough memory"
            warnings.warn(f"skipped {name}: {reason}", stacklevel=2)
            continue
        height, width, _ = picture.shape
        if min(height, width) < smallest_side:
            warnings.warn(
                f"skipped {name}: {width} x {height} pixels, "
                f"at least {smallest_side} x {smallest_side} are needed",
                stacklevel=2,
            )
            continue
        pictures.append((name, picture))
    if not pictures:
        raise ValueError(f"load_pictures: no usable picture in {os.fspath(folder)}")
    return pictures


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Return what to sort names by so that 2.png comes before 10.png.

    Runs of digits are compared as numbers; the name itself settles 1.png against 01.png.
    """
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name
