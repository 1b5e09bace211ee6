"""Fields of a file that Pillow does not heed when it reads the pixels: bits, signs, channels.

Such a file is read right with them, or refused; Pillow alone would give a wrong picture.
"""

from __future__ import annotations

import os
import re
import struct
from typing import Any, cast

from PIL import GifImagePlugin, Image, PngImagePlugin

_READ_SPACES = (12, 16, 17, 18)  # by their numbers in JPEG 2000: CMYK, sRGB, gray, YCC

HEAD = 1 << 20
"""Bytes of a file in which its fields are looked for, where they come before the pixels."""

# Pillow takes a color table of grays for none, and mixes it up with the other tables of a GIF.
_Gif: Any = GifImagePlugin.GifImageFile
_Gif._is_palette_needed = lambda image, table: True

# Pillow puts the text of a PNG among its fields, whatever the keyword, and reads it up to 1 MB.
_FIELDS = {
    *("aspect", "bbox", "blend", "chromaticity", "cicp", "default_image", "disposal", "dpi"),
    *("duration", "exif", "gamma", "icc_profile", "interlace", "jfif_density", "jfif_unit", "loop"),
    *("photoshop", "resolution", "srgb", "transparency", "xmp"),
}
_Png: Any = PngImagePlugin.PngStream
PngImagePlugin.MAX_TEXT_CHUNK = 1 << 24  # bytes, unpacked; all texts together stay below 64 MB


def _beside_fields(read: Any) -> Any:
    """Return a reader of a text chunk that changes no field; the text stays in ``image.text``."""

    def read_text(stream: Any, place: int, size: int) -> Any:
        fields, stream.im_info = stream.im_info, {}
        data = read(stream, place, size)
        text, stream.im_info = stream.im_info, fields
        for key, value in text.items():
            if key not in _FIELDS or (key == "xmp" and isinstance(value, bytes)):
                fields[key] = value
            if key == "Raw profile type APP1":  # the other name of EXIF in a text
                fields.setdefault("Raw profile type exif", value)
        return data

    return read_text


def _read_numbers(stream: Any, place: int, size: int) -> bytes:
    """Read the chunk that tells the colors of a PNG by numbers, which Pillow passes over."""
    data: bytes = stream.fp.read(size)
    stream.im_info["cicp"] = data
    return data


_Png.chunk_cICP = _read_numbers
for _name in ("chunk_tEXt", "chunk_zTXt", "chunk_iTXt"):
    setattr(_Png, _name, _beside_fields(getattr(_Png, _name)))


def bytes_of(image: Image.Image, size: int = HEAD) -> bytes:
    """Return the first bytes of the file that an image was opened from, if it is still there."""
    try:
        with open(getattr(image, "filename", ""), "rb") as file:
            return file.read(size)
    except OSError:
        opened: Any = getattr(image, "fp", None)  # in memory, say
    if opened is None:
        return b""
    place = opened.tell()
    opened.seek(0)
    data: bytes = opened.read(size)
    opened.seek(place)
    return data


def tags_of(image: Image.Image) -> Any:
    """Return the tags of a TIFF; none of another image."""
    return getattr(image, "tag_v2", {})


def box_of(data: bytes, name: bytes) -> bytes | None:
    """Return the content of the first box of a JPEG 2000 whose name matches a pattern."""
    box = re.search(b"(....)" + name, data, re.DOTALL)
    return data[box.end() : box.start() + int.from_bytes(box[1], "big")] if box else None


def bits_of(image: Image.Image) -> int:
    """Return the number of bits of a channel in the file of an image not read yet, at least 8."""
    if image.format in ("AVIF", "HEIF"):
        depths = re.findall(rb"pixi\0{4}.(.)", bytes_of(image), re.DOTALL)
        return max([8, *map(ord, depths)])
    tiles: list[Any] = getattr(image, "tile", [])
    deep = any(
        ";16" in str(args).replace("BGR;16", "")  # which is 5, 6 and 5 bits
        or (codec == "ppm" and isinstance(args, tuple) and args[1] > 255)
        for codec, _, _, args in tiles
    )
    return 16 if deep else 8


def images_in(image: Image.Image) -> int:
    """Return the number of images in a file of which Pillow reads one, and has not read it yet."""
    tiles: list[Any] = getattr(image, "tile", [])
    if image.format == "PPM" and tiles[0].codec_name != "ppm_plain":  # one after another
        bits = 1 if image.mode == "1" else len(image.getbands()) * bits_of(image)
        whole = tiles[0].offset + image.height * ((image.width * bits + 7) // 8)  # with its header
        return os.path.getsize(cast(Any, image).filename) // whole
    return getattr(image, "n_frames", 1) if image.format in ("DCX", "HEIF", "MPO") else 1


def alpha_of(image: Image.Image) -> str:
    """Return "none" or "multiplied", if fields say that of the alpha in an image not read yet."""
    if image.format == "PSD":  # where a fourth channel may also be a selection
        place = getattr(image, "_layers_position", None)  # of their number, if there are any
        return "" if place and bytes_of(image, place + 1)[place:] > b"\x7f" else "none"
    kinds, kind = {1: "none", 2: "none", 4: "multiplied"}, 0
    if image.format == "TGA" and (data := bytes_of(image, -1)):
        place = int.from_bytes(data[-26:-22], "little") + 494
        if data[-18:-2] == b"TRUEVISION-XFILE" and 494 < place < len(data):
            kind = data[place]
        kind = kind if data[17] % 16 else 1
    elif image.format == "DDS" and (data := bytes_of(image, 148))[84:88] == b"DX10":
        kind = {2: 4, 3: 1}.get(data[144] % 8, 0)
    return kinds.get(kind, "")


def levels_of(image: Image.Image) -> tuple[int, int] | None:
    """Return what Pillow gives for black and white in an image not read yet, if it is unusual.

    Raises
    ------
    ValueError
        If the right pixels cannot be told from those that Pillow gives.
    """
    reasons: dict[str, bool] = {}
    levels, opened = None, cast(Any, image)
    if image.format == "TIFF":
        reasons, levels = _tiff(tags_of(image).get)
    elif image.format == "JPEG2000":
        reasons, levels = _jpeg2000(image.mode, bytes_of(image, -1))
    elif image.format == "PSD":
        reasons = {"its channels are inks of their own": bytes_of(image, 26)[25:] == b"\7"}
    elif image.format == "SGI":
        reasons = {"its colors are those of a table": any(bytes_of(image, 108)[104:])}
    elif image.format == "GIF":
        reasons = {"it has no color table": bool(opened.tile) and opened._frame_palette is None}
    elif image.format in ("DDS", "TGA"):
        reasons = {
            "its colors are multiplied by alpha": alpha_of(image) == "multiplied",
            "its colors are HDR": "BC6" in str(opened.tile),
        }
    for reason, applies in reasons.items():
        if applies:
            raise ValueError(f"{reason}; save it as PNG first, in another program")
    return levels


def _tiff(tag: Any) -> tuple[dict[str, bool], tuple[int, int] | None]:
    color, bits, extra, samples = tag(262, 0), max(tag(258, (1,))), tag(338, ()), tag(277, 1)
    raw, top = tag(259, 1) == 1, 2 ** min(bits, 32) - 1
    apart = tag(284) == 2 and samples > 1
    too_many = color == 2 and samples > 3 + len(extra)
    usual = {2: (0, top) * 3, 6: (0, 255, 128, 255, 128, 255)}.get(color)
    reasons = {
        "its numbers have a sign, and no known range": 2 in tag(339, ()),
        f"its {bits}-bit pixels have no known range": bits > 16,
        "its bits are in reverse order": bits == 16 and tag(266) == 2,
        "its channels lie apart": apart
        and ((raw and bits > 8) or (color < 2 and any(extra)) or too_many or color in (3, 8)),
        "its color table has 8 bits, not 16": color == 3 and 0 < max(tag(320, (0,))) < 256,
        "its inks are not those of CMYK": color == 5 and tag(332, 1) != 1,
        "its YCbCr is of a rare kind": color == 6
        and raw
        and (tag(530) != (1, 1) or tag(529, (0.299, 0.587, 0.114)) != (0.299, 0.587, 0.114)),
        "its black and white are not those of its bits": (
            (color == 2 or (color == 6 and raw)) and tag(532, usual) != usual
        )
        or (color == 5 and not {0, top}.issuperset(tag(336, ()))),
    }
    return reasons, (0, 4095) if bits == 12 else (65535, 0) if bits == 16 and color == 0 else None


def _jpeg2000(mode: str, file: bytes) -> tuple[dict[str, bool], tuple[int, int] | None]:
    start = file.find(b"\xff\x4f\xff\x51")  # of the pixels
    head = box_of(file[: max(0, start)], b"jp2h") or b""
    count = int.from_bytes(file[start + 40 : start + 42], "big")
    depths = file[start + 42 : start + 42 + 3 * count : 3]  # of the channels
    if start < 0 or not depths:
        return {}, None
    bits, kept = depths[0] % 128 + 1, 16 if mode == "I;16" else 8
    table, order = b"pclr" in head, head.partition(b"cdef")[2]
    space = re.search(rb"colr(.)..(....)", head, re.DOTALL)
    channels = [*struct.iter_unpack(">3H", order[2 : 2 + 6 * order[1]])] if order else []
    reasons = {
        "its numbers have a sign, and no known range": max(depths) > 127,
        "its channels have different numbers of bits": len(set(depths)) > 1,
        f"its channels have {bits} bits": bits > kept,
        "its color table is of a rare kind": table and (mode[0] != "P" or bits != 8),
        "its channels are in another order, or multiplied by alpha": any(
            channel not in ((i, 0, i + 1), (i, 1, 0)) for i, channel in enumerate(channels)
        ),
        "its colors are of a rare kind": space is not None
        and not (space[1] in b"\2\3" or (space[1] == b"\1" and space[2][3] in _READ_SPACES)),
    }
    return reasons, (0, (2**bits - 1) << (kept - bits)) if bits < kept else None
