"""Image files in, arrays out, and back.

`pillow_errors` turns all errors of Pillow about a file into one kind.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from npespcn.common import Array
from npespcn.common.files import atomic_write, check_file
from npespcn.common.kinds import RAW, is_raw, kind_of
from npespcn.pictures.bombs import NEVER_READ, check_bomb, picture_formats
from npespcn.pictures.modes import in_8_bits, to_plain_mode

_AS_IF_ENLARGED = 5  # times, because training and evaluation need some 100 bytes for a pixel
_OF_FIXED_SIZES = ("ICO", "ICNS")  # Pillow would resize the image to one of their sizes
_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95},
    "HEIF": {"quality": 95, "chroma": 444},
}


def format_of(path: str | os.PathLike[str]) -> str:
    """Return Pillow's name for the format of a file of this name, or an empty string."""
    picture_formats()
    return Image.EXTENSION.get(os.path.splitext(path)[1].lower(), "")


def is_image_file(path: str | os.PathLike[str]) -> bool:
    """Return whether the name has the suffix of a format that can be read."""
    return format_of(path) not in ("", *NEVER_READ)


@contextmanager
def pillow_errors(
    path: str | os.PathLike[str], failure: str = "cannot be read as an image"
) -> Iterator[None]:
    """Turn any error of Pillow about a file into a ValueError that names the file.

    An OSError of the system (no such file, no space) and a MemoryError stay as they are.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders can raise almost anything
        if isinstance(error, OSError) and error.errno is not None:
            raise
        unknown = isinstance(error, UnidentifiedImageError)
        reason = (kind_of(path) or "its format is not supported") if unknown else error
        raise ValueError(f"{os.fspath(path)}: {failure}: {reason}") from error


def open_image(path: str | os.PathLike[str]) -> Image.Image:
    """Open an image file; its pixels are read later.

    Raises
    ------
    OSError
        If the file cannot be opened: missing, a folder, no permission.
    ValueError
        If Pillow cannot read it, if it is too large (a decompression bomb), or if it is a pipe or
        a device.
    """
    check_file(path)
    with pillow_errors(path):
        if kind_of(path) == RAW:
            raise ValueError(RAW)
        image = Image.open(path, formats=picture_formats())
        if is_raw(getattr(image, "tag_v2", {})):
            image.close()
            raise ValueError(RAW)
        return image


def read_image(path: str | os.PathLike[str]) -> Array:
    """Read an image file as uint8 RGB (H, W, 3), turned as its EXIF orientation says.

    Gray becomes three equal channels, 16 bits become 8, transparency is dropped, and of an
    animation only the first frame is read.

    Raises
    ------
    OSError, ValueError
        As `open_image`; also a ValueError if the file is cut short, or if its pixels have no
        agreed range (floats).
    """
    with open_image(path) as image, pillow_errors(path):
        check_bomb(image, _AS_IF_ENLARGED)
        return np.array(in_8_bits(to_plain_mode(image, quiet=True)).convert("RGB"))


def check_writable(path: str | os.PathLike[str]) -> None:
    """Check that images can be written under this name.

    Raises
    ------
    ValueError
        If its suffix belongs to no format, or to one that cannot be written or has fixed sizes.
    """
    name, suffix, image_format = os.fspath(path), os.path.splitext(path)[1], format_of(path)
    if image_format not in Image.SAVE:
        raise ValueError(f"{name}: images are not written as {suffix!r}; try .png")
    if image_format in _OF_FIXED_SIZES:
        raise ValueError(f"{name}: {suffix} holds only icons of a few sizes; try .png")


def write_image(path: str | os.PathLike[str], image: Array | Image.Image, **options: Any) -> None:
    """Write an image; the file appears whole or not at all.

    Parameters
    ----------
    path
        The file. Its suffix chooses the format.
    image
        uint8, gray (H, W), RGB (H, W, 3) or RGBA (H, W, 4), or a Pillow image.
    **options
        Passed on to Pillow. By default lossy formats are saved at quality 95, and JPEG without
        chroma subsampling.

    Raises
    ------
    OSError
        If the file cannot be written.
    TypeError, ValueError
        If the image is not as above, if Pillow writes no format of that suffix, or if the format
        cannot hold the image.
    """
    check_writable(path)
    if not isinstance(image, Image.Image):
        image = np.asarray(image)
        if image.dtype != np.uint8:
            raise TypeError(f"write_image: image must be uint8, got {image.dtype}")
        if image.size == 0 or not (image.ndim == 2 or image.shape[2:] in {(3,), (4,)}):
            raise ValueError(
                "write_image: image must be (H, W), (H, W, 3) or (H, W, 4) and not empty, "
                f"got shape {image.shape}"
            )
        image = Image.fromarray(np.ascontiguousarray(image))
    image_format = format_of(path)
    options = {**_SAVE_OPTIONS.get(image_format, {}), **options}
    failure = f"{image_format} cannot hold the image"
    with atomic_write(path) as temporary, pillow_errors(path, failure):
        image.save(temporary, format=image_format, **options)
