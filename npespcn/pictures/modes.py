"""The many modes that pictures come in, turned into the five that the rest of the package knows.

Those plain modes are L, LA, RGB, RGBA and I;16. Palettes, CMYK, bits and such become one of them
here, upright and as a person expects.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from npespcn.common import Array
from npespcn.pictures.bombs import check_bomb

ORIENTATION = 0x0112  # the EXIF tag
QUARTER_TURNS = (5, 6, 7, 8)  # its values that swap width and height
_Turn = Image.Transpose
_TURNS = {
    **{2: _Turn.FLIP_LEFT_RIGHT, 3: _Turn.ROTATE_180, 4: _Turn.FLIP_TOP_BOTTOM},
    **{5: _Turn.TRANSPOSE, 6: _Turn.ROTATE_270, 7: _Turn.TRANSVERSE, 8: _Turn.ROTATE_90},
}
_PLAIN = {
    **{"1": "L", "L": "L", "LA": "LA", "La": "LA", "RGB": "RGB", "RGBX": "RGB"},
    **{"RGBA": "RGBA", "RGBa": "RGBA", "PA": "RGBA", "YCbCr": "RGB", "HSV": "RGB"},
}

Colour: TypeAlias = int | tuple[int, ...]


def to_plain_mode(image: Image.Image) -> Image.Image:
    """Return a picture as L, LA, RGB, RGBA or I;16, upright, with what ``info`` says about it.

    One bit becomes grey, a palette RGB or RGBA, a transparent colour an alpha channel, CMYK and Lab
    sRGB (by the colour profile, where there is one). The EXIF orientation is applied. Of ``info``,
    ``icc_profile`` and ``dpi`` stay where they still hold.

    Warns
    -----
    UserWarning
        If the file has 16 bits for each of several channels, of which Pillow reads 8.

    Raises
    ------
    ValueError
        If the file is broken or cut short, or if its pixels have no known range (floats).
    """
    name = name_of(image)
    raw = str(getattr(image, "tile", ""))  # how the file holds the pixels, until they are read
    grey = image.mode in ("I", "F") or image.mode.startswith("I;")
    cut = not grey and _has_16_bits(image)
    with reading(name):
        turn_of_tiff = getattr(image, "tag_v2", {}).get(ORIENTATION)
        image.load()  # and forget that tag, once it is applied
        check_bomb(image)
        turn = orientation(image)
        info: dict[str | tuple[int, int], Any] = {}
        if (dpi := _resolution(image)) is not None:
            info["dpi"] = dpi[::-1] if (turn_of_tiff or turn) in QUARTER_TURNS else dpi
        profile = image.info.get("icc_profile")
        if profile and isinstance(profile, bytes) and image.mode not in ("CMYK", "LAB"):
            info["icc_profile"] = profile  # to those two it is applied
        plain = _plain(image, _clear_colour(image, raw), name)
    if cut:  # said only now, when nothing else can be wrong
        warnings.warn(f"{name}: has 16 bits a channel, of which 8 are read", stacklevel=2)
    if turn in _TURNS:  # not by ImageOps, which fails if anything else in the EXIF is broken
        plain = plain.transpose(_TURNS[turn])
    plain.info = info
    return plain


def on_white(image: Image.Image) -> Image.Image:
    """Return a picture of a plain mode as L or RGB, 8 bits, without transparency."""
    if image.mode == "I;16":
        return Image.fromarray(np.rint(np.asarray(image) / 257).astype(np.uint8))
    if image.mode not in ("LA", "RGBA"):
        return image
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert(image.mode[:-1])


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn whatever a broken file makes Pillow raise into one kind of error that names it."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        name, reason = os.fspath(path), str(error)
        if isinstance(error, UnidentifiedImageError):
            reason = "it is in no format that is read"
        raise ValueError(f"{name}: cannot be read as a picture: {reason}") from error


def name_of(image: Image.Image) -> str:
    """Return the name of a picture's file, if it has one."""
    return os.fsdecode(getattr(image, "filename", "")) or "the picture"


def orientation(image: Image.Image) -> int:
    """Return what the EXIF says about how to turn a picture; 1 is upright."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # broken metadata: no reason not to read the pixels
        return 1


def _has_16_bits(image: Image.Image) -> bool:
    """Whether the file of a picture that is not read yet has 16 bits a channel."""
    tiles: list[Any] = getattr(image, "tile", [])
    return any(
        ";16" in str(args) or (codec == "ppm" and isinstance(args, tuple) and args[1] > 255)
        for codec, _, _, args in tiles
    )


def _resolution(image: Image.Image) -> tuple[float, float] | None:
    """Return the dpi, if formats can hold them: a broken file's may be 0, NaN or 2**32."""
    try:
        x, y = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None
    return (x, y) if 0 < x < 65536 and 0 < y < 65536 else None


def _clear_colour(image: Image.Image, raw: str) -> Colour | None:
    """Return the grey or the colour that is transparent, in the bits that the pixels have.

    Pillow gives it in those that the file has, which may be fewer or more: `raw` says.
    """
    clear = image.info.get("transparency")
    if isinstance(clear, tuple):
        return tuple(value >> 8 for value in clear) if ";16" in raw else clear
    if not isinstance(clear, int):
        return None
    if image.mode == "1":
        return 255 if clear else 0
    return clear * 17 if "L;4" in raw else clear * 85 if "L;2" in raw else clear


def _plain(image: Image.Image, clear: Colour | None, name: str) -> Image.Image:
    if image.mode == "P":
        rgba = image.convert("RGBA")
        opaque = rgba.getchannel("A").getextrema() == (255, 255)
        return rgba.convert("RGB") if opaque else rgba
    if image.mode.startswith("I"):
        return _plain_16_bits(np.asarray(image), clear, name)
    if image.mode in ("CMYK", "LAB"):
        return _to_srgb(image)
    if image.mode not in _PLAIN:
        raise ValueError(
            f"its pixels ({image.mode}) have no known range; save it with 8 or 16 bits"
        )
    plain = image.convert(_PLAIN[image.mode])  # a copy, even if there is nothing to convert
    if clear is None or plain.mode not in ("L", "RGB"):
        return plain
    seen = (np.atleast_3d(np.asarray(plain)) != clear).any(axis=2)  # (H, W)
    alpha = Image.fromarray(255 * seen.astype(np.uint8))
    return Image.merge(f"{plain.mode}A", (*plain.split(), alpha))


def _plain_16_bits(pixels: Array, clear: Colour | None, name: str) -> Image.Image:
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ValueError("its 32-bit pixels have no known range; save it with 8 or 16 bits")
    if clear is None:
        return Image.fromarray(pixels.astype(np.uint16))
    warnings.warn(f"{name}: has 16 bits and a transparent grey; 8 are kept", stacklevel=4)
    planes = np.stack([np.rint(pixels / 257), 255 * (pixels != clear)], axis=-1)  # (H, W, 2)
    return Image.fromarray(planes.astype(np.uint8))


def _to_srgb(image: Image.Image) -> Image.Image:
    """Convert CMYK or Lab by the picture's own colour profile, or else by Pillow's formula."""
    profile = image.info.get("icc_profile")
    if profile:
        try:
            srgb = ImageCms.createProfile("sRGB")
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, own, srgb, outputMode="RGB")
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError):  # of other colours than the picture, or broken
            pass
    return image.convert("RGB")
