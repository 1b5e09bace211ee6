"""Image files in, arrays out, and back.

`pillow_errors` turns all errors of Pillow about a file into one kind.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from npespcn.common import Array
from npespcn.common.files import atomic_write, check_file
from npespcn.common.kinds import RAW, is_raw, kind_of
from npespcn.pictures.bombs import NEVER_READ, check_bomb, picture_formats
from npespcn.pictures.composition import Canvas
from npespcn.pictures.fields import tags_of
from npespcn.pictures.modes import in_8_bits, to_plain_mode

ANIMATED = ("GIF", "PNG", "WEBP", "AVIF", "FLI")  # formats whose frames follow in time
PAGED = ("TIFF", "PDF")  # formats with pages; in all others, more frames are previews or layers
_AS_IF_ENLARGED = 5  # times, because training and evaluation need some 100 bytes for a pixel
MODES = {  # the plain modes in which other programs, too, read what Pillow writes
    **dict.fromkeys(("JPEG2000", "PNG", "TIFF"), ("L", "LA", "RGB", "RGBA", "I;16")),
    **dict.fromkeys(("AVIF", "HEIF", "WEBP"), ("L", "LA", "RGB", "RGBA")),
    **dict.fromkeys(("GIF", "SGI", "TGA"), ("L", "RGB", "RGBA")),
    **dict.fromkeys(("DDS", "QOI"), ("RGB", "RGBA")),
    **dict.fromkeys(("BMP", "DIB", "EPS", "JPEG", "MPO", "PCX", "PDF"), ("L", "RGB")),
    **{"PPM": ("L", "RGB", "I;16"), ".pgm": ("L", "I;16")},
}
_LONGEST = {  # sides in pixels
    **dict.fromkeys(("GIF", "SGI", "TGA"), 65535),
    **dict.fromkeys(("JPEG", "MPO", "PDF"), 65500),
    **{"AVIF": 32768, "PCX": 65534, "WEBP": 16383},
}
_OTHERS_OF_PPM = (".pbm", ".pfm")  # of single bits, and of floats
_AT_95: dict[str, Any] = {"quality": 95, "subsampling": 0}
_NO_DPI: dict[str, Any] = {"dpi": (0, 0)}  # else Pillow says 96
_SAVE_OPTIONS = {
    **dict.fromkeys(("JPEG", "MPO", "PDF"), _AT_95),
    **dict.fromkeys(("BMP", "DIB"), _NO_DPI),
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
    "HEIF": {"quality": 95, "chroma": 444},
    "WEBP": {"quality": 95},
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
        try:
            if is_raw(tags_of(image)):
                raise ValueError(RAW)
            if getattr(image, "default_image", False):  # for viewers without animated PNG
                check_bomb(image)
                Canvas(image).seek(1)
        except Exception:
            image.close()
            raise
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


def check_writable(
    path: str | os.PathLike[str], sizes: Sequence[tuple[int, int]] = ((1, 1),)
) -> None:
    """Check that images can be written under this name.

    Parameters
    ----------
    path
        The file. Its suffix chooses the format.
    sizes
        Width and height of each frame or page.

    Raises
    ------
    ValueError
        If the suffix belongs to no format, or to one that cannot be written or has fixed sizes, or
        if the format cannot hold as many pixels or frames, or frames that differ in their sizes.
    """
    name, suffix, image_format = os.fspath(path), os.path.splitext(path)[1], format_of(path)
    written = image_format in MODES and image_format in Image.SAVE
    if not written or suffix.lower() in _OTHERS_OF_PPM:
        raise ValueError(f"{name}: images are not written as {suffix!r}; try .png")
    width, height = max(sizes, key=max)
    longest = _LONGEST.get(image_format, max(width, height))
    if max(width, height) > longest:
        raise ValueError(
            f"{name}: {image_format} holds up to {longest} pixels a side, not {width} x {height}; "
            "try .png"
        )
    if len(sizes) > 1 and image_format not in ANIMATED + PAGED:
        raise ValueError(
            f"{name}: {image_format} holds one image, not {len(sizes)}; try .png or .tif"
        )
    if len(set(sizes)) > 1 and image_format in ANIMATED:
        raise ValueError(f"{name}: its frames differ in their sizes; try .tif")


def write_image(path: str | os.PathLike[str], image: Array | Image.Image, **options: Any) -> None:
    """Write an image; the file appears whole or not at all.

    Parameters
    ----------
    path
        The file. Its suffix chooses the format.
    image
        uint8, gray (H, W), RGB (H, W, 3) or RGBA (H, W, 4), or a Pillow image.
    **options
        Passed on to Pillow. By default lossy formats are saved at quality 95, and where
        possible without chroma subsampling.

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
    if image.mode[0] == "L":  # else gray would become color in AVIF
        options.pop("subsampling", None)
    with written_file(path) as file:
        image.save(file, format=image_format, **options)


@contextmanager
def written_file(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Yield a file for Pillow to write; it appears whole or not at all."""
    failure = f"{format_of(path)} cannot hold the image"
    with (
        atomic_write(path) as temporary,
        pillow_errors(path, failure),
        open(temporary, "r+b") as named,
        open(named.fileno(), "r+b", closefd=False) as file,  # no name, for some formats hold it
    ):
        yield file
