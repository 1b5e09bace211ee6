"""Read and write pictures in files."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from npespcn.common import Array
from npespcn.common.files import atomic_write, check_file
from npespcn.pictures.bombs import check_bomb, picture_formats
from npespcn.pictures.color import _to_uint8

_AS_IF_ENLARGED = 5  # times, for training and evaluation need some 100 bytes for a pixel


def open_image(path: str | os.PathLike[str]) -> Image.Image:
    """Read a picture file whole, turned the way its EXIF orientation says, in its own mode.

    Raises
    ------
    OSError
        If the file cannot be opened: missing, a folder, no permission.
    ValueError
        If it is no picture that Pillow can read, is cut short, or is a decompression bomb.
    """
    check_file(path)
    try:
        with Image.open(path, formats=picture_formats()) as image:
            check_bomb(image, _AS_IF_ENLARGED)
            return ImageOps.exif_transpose(image)  # reads every pixel
    except MemoryError:
        raise
    except Exception as error:  # a broken file can raise almost anything in Pillow's decoders
        if isinstance(error, OSError) and error.errno is not None:
            raise
        name = os.fspath(path)
        raise ValueError(f"open_image: cannot read {name} as a picture: {error}") from error


def read_image(path: str | os.PathLike[str]) -> Array:
    """Read a picture file as uint8 RGB (H, W, 3), turned the way its EXIF orientation says.

    Grey becomes three equal channels, 16 bits become 8, transparency is dropped, and of an
    animation the first frame is read.

    Raises
    ------
    OSError, ValueError
        As `open_image`; also a ValueError for pixels that have no agreed range (floats).
    """
    image = open_image(path)
    if image.mode == "F":
        raise ValueError(
            f"read_image: {os.fspath(path)} holds floating-point pixels, whose range is unknown; "
            "save it with 8 or 16 bits"
        )
    try:
        if image.mode.startswith("I"):  # 16 bits a pixel, which Pillow's own conversion would clip
            wide = np.asarray(image).astype(np.float64)
            image = Image.fromarray(_to_uint8(wide / 257))  # 65535 -> 255
        if image.mode == "P":
            image = image.convert("RGBA")  # understands every kind of palette transparency
        return np.array(image.convert("RGB"))  # a copy: np.asarray's would be read-only
    except MemoryError:
        raise
    except Exception as error:  # as above
        raise ValueError(f"read_image: {os.fspath(path)}: {error}") from error


def write_image(path: str | os.PathLike[str], picture: Array | Image.Image, **options: Any) -> None:
    """Write a picture; the file appears whole or not at all.

    Parameters
    ----------
    path
        The file. Its suffix chooses the format.
    picture
        uint8, grey (H, W), RGB (H, W, 3) or RGBA (H, W, 4), or a Pillow image.
    **options
        Passed on to Pillow. Lossy formats are saved at quality 95, JPEG without thinning out the
        colours, unless these say otherwise.

    Raises
    ------
    ValueError
        If Pillow knows no format of that suffix, or the format cannot hold the picture.
    """
    name = os.fspath(path)
    suffix = os.path.splitext(name)[1].lower()
    image_format = Image.registered_extensions().get(suffix)
    if image_format is None or image_format not in Image.SAVE:
        raise ValueError(f"write_image: cannot write {name}: no picture format ends in {suffix!r}")
    if not isinstance(picture, Image.Image):
        picture = np.asarray(picture)
        if picture.dtype != np.uint8:
            raise TypeError(f"write_image: picture must be uint8, got {picture.dtype}")
        if picture.size == 0 or not (picture.ndim == 2 or picture.shape[2:] in {(3,), (4,)}):
            raise ValueError(
                "write_image: picture must be (H, W), (H, W, 3) or (H, W, 4) and not empty, "
                f"got shape {picture.shape}"
            )
        picture = Image.fromarray(np.ascontiguousarray(picture))
    options = {**_SAVE_OPTIONS.get(image_format, {}), **options}
    with atomic_write(path) as temporary:
        try:
            picture.save(temporary, format=image_format, **options)
        except OSError as error:
            if error.errno is not None:
                raise
            raise ValueError(f"write_image: cannot write {name}: {error}") from error


_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95},
}
