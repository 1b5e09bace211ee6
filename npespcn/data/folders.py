"""Images from a folder."""

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
    """Read every image in a folder, in natural order (2.png before 10.png).

    Subfolders and hidden files are skipped. So is any other file that Pillow cannot read as an
    image, and any image with a side below `smallest_side`, each with a warning.

    Parameters
    ----------
    folder : str or Path
    smallest_side : int
        In pixels, at least 0.

    Returns
    -------
    list of (name, image)
        The file's name and its pixels, (H, W, 3) uint8 RGB.

    Raises
    ------
    OSError
        If `folder` is not a folder, or cannot be read.
    ValueError
        If no image is left.
    """
    whole_number("load_pictures: smallest_side", smallest_side, 0)
    names = [name for name in os.listdir(folder) if not os.path.isdir(os.path.join(folder, name))]
    pictures = []
    for name in sorted(names, key=natural_key):
        if name.startswith("."):
            continue
        try:
            image = read_image(Path(folder, name))
            height, width, _ = image.shape
            if min(height, width) < smallest_side:
                needed = f"at least {smallest_side} x {smallest_side} are needed"
                raise ValueError(f"{width} x {height} pixels, {needed}")
        except (OSError, ValueError, MemoryError) as error:
            warnings.warn(f"skipped {name}: {str(error) or 'not enough memory'}", stacklevel=2)
            continue
        pictures.append((name, image))
    if not pictures:
        raise ValueError(f"load_pictures: no usable image in {os.fspath(folder)}")
    return pictures


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Return a key that sorts names in natural order, 2.png before 10.png.

    Digits are compared as numbers; the name itself decides between 1.png and 01.png.
    """
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name
