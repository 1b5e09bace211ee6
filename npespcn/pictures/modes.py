"""Pillow's many modes, reduced to the five that the rest of the package knows.

These plain modes are L, LA, RGB, RGBA and I;16. Palettes, CMYK, single bits and others become one
of them here, upright, with transparency as an alpha channel.
"""

from __future__ import annotations

import os
import warnings
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from npespcn.common import Array
from npespcn.pictures.bombs import check_bomb
from npespcn.pictures.color import quantize
from npespcn.pictures.composition import Canvas
from npespcn.pictures.fields import alpha_of, bits_of, levels_of, tags_of
from npespcn.pictures.profiles import profile_of, transform_to_srgb

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

Color: TypeAlias = int | tuple[int, ...]


def to_plain_mode(
    image: Image.Image, quiet: bool = False, canvas: Canvas | None = None
) -> Image.Image:
    """Return an image as L, LA, RGB, RGBA or I;16, upright.

    One bit becomes gray, a palette RGB or RGBA, a transparent color an alpha channel, CMYK and Lab
    sRGB (by the color profile, where there is one). The EXIF orientation is applied. Of ``info``,
    ``icc_profile`` and ``dpi`` stay where they still hold. Other descriptions of color become an
    ICC profile; see `npespcn.pictures.profiles`.

    Parameters
    ----------
    image
        As Pillow opened it. Its pixels are read here, so Pillow's errors about a broken file come
        from here; see `npespcn.pictures.files.pillow_errors`.
    quiet
        Whether to lose precision without a warning.
    canvas
        Where the frames of an animation are drawn, if `image` was opened for all of them.

    Warns
    -----
    UserWarning
        If the file has more than 8 bits a channel, of which 8 are kept (gray keeps 16, if it is
        opaque and no frame of an animation); or a color profile that does not fit.

    Raises
    ------
    ValueError
        If its pixels have no known range (floats), if Pillow reads its kind wrong, if its colors
        are HDR, or if it is a decompression bomb.
    """
    bits, levels, profile = bits_of(image), levels_of(image), profile_of(image)
    no_alpha = alpha_of(image) == "none"
    raw = str(getattr(image, "tile", ""))  # how the file holds the pixels; empty once they are read
    turn_of_tiff = tags_of(image).get(ORIENTATION)
    if not isinstance(image.info.get("xmp", b""), (str, bytes)):
        del image.info["xmp"]  # broken; with that tag, Pillow would fail
    image.load()  # applies that tag, and forgets it
    check_bomb(image)  # again, because an image inside, as in an icon, may have another size
    turn = orientation(image)
    info: dict[str | tuple[int, int], Any] = {}
    if (dpi := _resolution(image)) is not None:
        info["dpi"] = dpi[::-1] if (turn_of_tiff or turn) in QUARTER_TURNS else dpi
    clear = _clear_color(image, raw)
    if image.mode in ("CMYK", "LAB"):
        transform = transform_to_srgb(profile, image.mode)
        plain = transform.apply(image) if transform else image.convert("RGB")
    else:
        plain = _plain(image, clear)
        transform = transform_to_srgb(profile, "RGB" if plain.mode[0] == "R" else "L")
        if transform:
            info["icc_profile"] = profile
    if no_alpha and plain.mode[-1] == "A":
        plain = plain.convert(plain.mode.removesuffix("A"))
    if levels:
        plain = _stretched(plain, *levels)
    canvas = canvas or Canvas(image)
    if canvas.is_needed:
        plain = canvas.draw(in_8_bits(plain))
    what = "its color profile" if profile else "what it says of its colors"
    lost = {
        f"has {bits} bits a channel, of which 8 are read": bits > 8 and plain.mode != "I;16",
        "left out: a transparent color of 16 bits": clear is None
        and isinstance(image.info.get("transparency"), tuple),
        f"{what} is broken, rare or does not fit: left out": profile is not None and not transform,
    }
    first = image.format == "TIFF" or image.tell() <= getattr(image, "default_image", 0)
    for message in (words for words, applies in lost.items() if applies and first and not quiet):
        warnings.warn(f"{name_of(image)}: {message}", stacklevel=2)
    if turn in _TURNS:  # not by ImageOps, which fails if anything else in the EXIF is broken
        plain = plain.transpose(_TURNS[turn])
    plain.info = info
    return plain


def in_8_bits(image: Image.Image) -> Image.Image:
    """Return an image of a plain mode with 8 bits: I;16 as L, others as they are."""
    return Image.fromarray(quantize(np.asarray(image) / 257)) if image.mode == "I;16" else image


def on_white(image: Image.Image) -> Image.Image:
    """Return an image of a plain mode as L or RGB, 8 bits, without transparency."""
    image = in_8_bits(image)
    if image.mode not in ("LA", "RGBA"):
        return image
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert(image.mode[:-1])


def name_of(image: Image.Image) -> str:
    """Return the name of an image's file, if it has one."""
    return os.fsdecode(getattr(image, "filename", "")) or "the image"


def orientation(image: Image.Image) -> int:
    """Return the orientation in the EXIF, 1 to 8; 1 is upright."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # broken metadata do not keep the pixels from being read
        return 1


def _resolution(image: Image.Image) -> tuple[float, float] | None:
    """Return the dpi, if the file says them, and formats can hold them: not 0, NaN or 2**32."""
    in_exif = image.format in ("JPEG", "MPO") and image.info.get("jfif_unit") not in (1, 2)
    try:
        if in_exif or image.format == "TIFF":  # for these Pillow makes up what is not said
            tags: Any = image.getexif() if in_exif else tags_of(image)
            unit = {2: 1, 3: 2.54}[tags.get(296, 2)]  # inches, or cm
            x, y = (unit * float(tags[number]) for number in (282, 283))
        else:
            x, y = (float(value) for value in image.info["dpi"])
    except Exception:  # broken metadata do not keep the pixels from being read
        return None
    return (x, y) if 0 < x < 65536 and 0 < y < 65536 else None


def _clear_color(image: Image.Image, raw: str) -> Color | None:
    """Return the gray or the color that is transparent, in the bit depth of the pixels.

    Pillow gives it in the bit depth of the file, as `raw` tells, with bits that do not count; None
    for a color of 16 bits, of which it reads only eight for each pixel.
    """
    clear = image.info.get("transparency")
    if isinstance(clear, tuple):
        return None if ";16" in raw else tuple(value % 256 for value in clear)
    if not isinstance(clear, int):
        return None
    if image.mode[0] == "I":
        return clear
    return clear % 16 * 17 if "L;4" in raw else clear % 4 * 85 if "L;2" in raw else clear % 256


def _plain(image: Image.Image, clear: Color | None) -> Image.Image:
    if image.mode == "P":
        rgba = image.convert("RGBA")
        opaque = rgba.getchannel("A").getextrema() == (255, 255)
        return rgba.convert("RGB") if opaque else rgba
    if image.mode.startswith("I"):
        return _plain_16_bits(np.asarray(image), clear)
    if image.mode not in _PLAIN:
        raise ValueError(
            f"its pixels ({image.mode}) have no known range; save it with 8 or 16 bits"
        )
    plain = image.convert(_PLAIN[image.mode])  # a copy, even if there is nothing to convert
    if clear is None or plain.mode not in ("L", "RGB"):
        return plain
    visible = (np.atleast_3d(np.asarray(plain)) != clear).any(axis=2)  # (H, W)
    alpha = Image.fromarray(quantize(255 * visible))
    return Image.merge(f"{plain.mode}A", (*plain.split(), alpha))


def _plain_16_bits(pixels: Array, clear: Color | None) -> Image.Image:
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ValueError("its 32-bit pixels have no known range; save it with 8 or 16 bits")
    if clear is None:
        return Image.fromarray(pixels.astype(np.uint16))
    gray_alpha = np.stack([pixels / 257, 255 * (pixels != clear)], axis=-1)  # (H, W, 2)
    return Image.fromarray(quantize(gray_alpha))


def _stretched(image: Image.Image, black: int, white: int) -> Image.Image:
    """Return an image of a plain mode whose black and white become those of its mode."""
    x = np.asarray(image)
    part = (x - np.float64(black)) / (white - black)
    return Image.fromarray(quantize(part * np.iinfo(x.dtype).max, x.dtype))
