"""What a file says beside its pixels: EXIF, XMP, IPTC and text, as it holds for a larger image.

Dates, places, captions and copyright are people's own, and stay as they are. Only what would be
wrong is mended: the orientation, which has been applied, the size, and what leads to other parts of
the old file, such as a thumbnail, a gain map or a video.
"""

from __future__ import annotations

import re
import struct
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from npespcn.pictures.fields import bytes_of, tags_of
from npespcn.pictures.modes import ORIENTATION, QUARTER_TURNS

_HELD = {  # by each format, as Pillow writes it; the others hold nothing
    **dict.fromkeys(("JPEG", "MPO"), ("EXIF", "XMP", "IPTC", "comment")),
    **dict.fromkeys(("AVIF", "HEIF", "WEBP"), ("EXIF", "XMP")),
    **{"PNG": ("EXIF", "XMP", "IPTC", "comment", "text")},
    **{"TIFF": ("EXIF", "XMP", "IPTC"), "GIF": ("comment",)},
}
_MOST = {"JPEG": 65_400, "MPO": 65_400}  # bytes of each; the other formats have no limit
_WIDTH, _HEIGHT, _PIXELS_X, _PIXELS_Y = 0x100, 0x101, 0xA002, 0xA003
_X_RESOLUTION, _Y_RESOLUTION = 0x11A, 0x11B
_EXIF, _GPS, _MAKER_NOTE, _INTEROPERABILITY = 0x8769, 0x8825, 0x927C, 0xA005
_XMP, _IPTC = 700, 33723  # tags of a TIFF
_OF_THE_PICTURE = (  # its tags that do not tell how it holds the pixels
    *(269, 270, 271, 272, 285, 305, 306, 315, 316, 18246, 18249, 33432),
    *(40091, 40092, 40093, 40094, 40095, _EXIF, _GPS),
)
_HEAD = b"II*\0\b\0\0\0"  # of EXIF; tags follow
_RESOURCE = b"8BIM\x04\x04\0\0"  # of Photoshop: IPTC, without a name
_RAW_PROFILE = "Raw profile type "  # ImageMagick's, in the text of a PNG
_OTHER = rb"(?:GCamera|MiCamera|GDepth|GImage|hdrgm|HDRGainMap|xmpNote):\w+"
_OTHER_PARTS = re.compile(rb"<(%b)>[^<]*</\1>|\s%b\s*=\s*(?:\"[^\"]*\"|'[^']*')" % (_OTHER, _OTHER))


def metadata_of(image: Image.Image) -> dict[str, Any]:
    """Return what the file of an image says beside the pixels, which have been read.

    Returns
    -------
    dict
        ``EXIF``, ``XMP`` and ``IPTC``, bytes; ``comment``, a string; ``text``, strings by their
        keys; and True for each part that is never kept, by its name. Only what there is.
    """
    info: dict[Any, Any] = image.info
    exif, xmp, photoshop = info.get("exif"), info.get("xmp"), info.get("photoshop", {})
    comment, text, makers_notes = "", dict[str, str](), False
    if image.format == "PSD":
        photoshop = {number: data for number, _, data in image.resources}  # type: ignore[attr-defined]
        exif, xmp = photoshop.get(0x0422), photoshop.get(0x0424)
    elif image.format == "GIF":
        packet = re.search(rb"XMP DataXMP(.*?)\x01\xff\xfe", bytes_of(image, -1), re.DOTALL)
        xmp = packet and packet[1]
    iptc = photoshop.get(0x0404)
    if image.format in ("JPEG", "MPO", "GIF"):
        comment = info.get("comment", b"").decode("utf-8", "replace")
    elif image.format == "TIFF":
        iptc = tags_of(image)._tagdata.get(_IPTC)  # of a wrong type
        try:
            makers_notes = _MAKER_NOTE in image.getexif().get_ifd(_EXIF)
            tags = _of_the_picture(image.getexif())
            exif = tags and _HEAD + tags.tobytes(len(_HEAD))
        except Exception:  # Pillow's can be almost any
            exif = b"broken"
    elif image.format == "PNG":
        text = dict(image.text)  # type: ignore[attr-defined]
        raw = {key: text.pop(key) for key in list(text) if key.startswith(_RAW_PROFILE)}
        exif = exif or _unwrapped(raw, "exif") or _unwrapped(raw, "APP1")
        resource = _unwrapped(raw, "iptc").partition(_RESOURCE)[2]
        iptc = resource[4 : 4 + int.from_bytes(resource[:4], "big")]
        comment = text.pop("Comment", "")
        text.pop("XML:com.adobe.xmp", None)
    xmp = xmp.encode() if isinstance(xmp, str) else xmp or b""
    shape = info.get("jfif_density") if info.get("jfif_unit") == 0 else info.get("aspect")
    shape = shape or info.get("resolution") or (1, 1)
    gif_shape = bytes_of(image, 13)[12:] if image.format == "GIF" else b""
    found = {
        **{"EXIF": exif, "XMP": xmp, "IPTC": iptc, "comment": comment, "text": text},
        **{"HDR gain map": b"hdrgm:Version" in xmp, "video": b":MotionPhoto" in xmp},
        "makers' notes": makers_notes,
        "shape of the pixels": len(set(shape)) > 1 or gif_shape not in (b"", b"\0", b"\x31"),
    }
    return {what: value for what, value in found.items() if value}


def save_options(
    metadata: dict[str, Any], image_format: str, size: tuple[int, int]
) -> tuple[dict[str, Any], list[str]]:
    """Return Pillow's options that write metadata with an image of that size, and what is lost."""
    held, lost = {}, []
    for what, value in metadata.items():
        if what not in _HELD.get(image_format, ()):
            lost.append(what)
        elif len(value) > _MOST.get(image_format, len(value)):
            lost.append(f"{what}, which is too long")
        else:
            held[what] = value
    exif, iptc, comment = held.get("EXIF", b""), held.get("IPTC", b""), held.get("comment", "")
    xmp, tags = _mended_xmp(held.get("XMP", b""), size), ImageFileDirectory_v2()
    try:
        exif = _mended_exif(exif, size, image_format) if exif else exif
        if exif and image_format in ("AVIF", "TIFF"):  # for which Pillow reads it again
            again = Image.Exif()
            again.load(exif)
            if image_format == "TIFF":
                tags = _of_the_picture(again)
                lost += ["makers' notes"] if _MAKER_NOTE in again.get_ifd(_EXIF) else []
    except Exception:  # Pillow's can be almost any
        exif = b""
        lost.append("EXIF, which is broken")
    resource = _RESOURCE + struct.pack(">I", len(iptc)) + iptc + bytes(len(iptc) % 2)
    options: dict[str, Any] = {"exif": exif, "xmp": xmp, "comment": comment.encode()}
    if image_format in ("JPEG", "MPO"):
        options["exif"] = exif and b"Exif\0\0" + exif
        segment = b"Photoshop 3.0\0" + resource
        options["extra"] = iptc and b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment
    elif image_format == "TIFF":
        for tag, value in ((_XMP, xmp), (_IPTC, iptc)):
            if value:
                tags[tag] = value
        options = {"tiffinfo": tags}
    elif image_format == "PNG":
        text = held.get("text", {}) | ({"Comment": comment} if comment else {})
        if iptc:
            text[f"{_RAW_PROFILE}iptc"] = f"\niptc\n{len(resource):8}\n{resource.hex()}\n"
        options["pnginfo"] = PngInfo()
        for key, value in text.items():
            options["pnginfo"].add_text(key, value)
        if xmp:
            options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp)
    return {what: value for what, value in options.items() if value}, lost


def _mended_exif(exif: bytes, size: tuple[int, int], image_format: str) -> bytes:
    """Mend tags where they are, because makers' notes know places in the whole."""
    data = bytearray(re.sub(rb"^(Exif\0\0)+", b"", exif))
    order = {b"II": "<", b"MM": ">"}[bytes(data[:2])]
    sizes = dict(zip((_WIDTH, _HEIGHT, _PIXELS_X, _PIXELS_Y), size * 2, strict=True))
    directories, turn, way = list(struct.unpack_from(f"{order}I", data, 4)), 0, 1
    resolutions = []
    for place in directories:  # the first, and in it that of EXIF
        (count,) = struct.unpack_from(f"{order}H", data, place)
        end = place + 2 + 12 * count
        for entry in range(place + 2, end, 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHII", data, entry)
            if tag == ORIENTATION:
                turn, way = entry, max(data[entry + 8 : entry + 10])  # of two bytes, one is 0
                struct.pack_into(f"{order}HHIHH", data, entry, tag, 3, 1, 1, 0)
            elif tag in (_X_RESOLUTION, _Y_RESOLUTION):
                resolutions.append(slice(entry + 2, entry + 12))
            elif tag in sizes:
                struct.pack_into(f"{order}HHII", data, entry, tag, 4, 1, sizes[tag])
            elif tag == _EXIF and len(directories) == 1:
                directories.append(value)
        if place == directories[0]:
            if way in QUARTER_TURNS and len(resolutions) == 2:
                x, y = resolutions
                data[x], data[y] = data[y], data[x]
            data[end : end + 4] = bytes(4)  # there is no other directory, with a thumbnail
            if turn and image_format == "AVIF":  # where Pillow would write all in other places
                data[turn:end] = data[turn + 12 : end] + bytes(12)
                struct.pack_into(f"{order}H", data, place, count - 1)
    return bytes(data)


def _of_the_picture(exif: Image.Exif) -> ImageFileDirectory_v2:
    """Return those tags that do not tell how a file holds the pixels, or places in it."""
    tags = ImageFileDirectory_v2()
    for tag in _OF_THE_PICTURE:
        if tag in (_EXIF, _GPS):
            inner = exif.get_ifd(tag).items()
            value: Any = {k: v for k, v in inner if k not in (_MAKER_NOTE, _INTEROPERABILITY)}
        else:
            value = exif.get(tag)
        if value:  # a string is encoded here, because Pillow writes ASCII alone
            tags[tag] = value.encode("latin-1") if isinstance(value, str) else value
    return tags


def _mended_xmp(xmp: bytes, size: tuple[int, int]) -> bytes:
    sizes = (
        b"tiff:ImageWidth",
        b"tiff:ImageLength",
        b"exif:PixelXDimension",
        b"exif:PixelYDimension",
    )
    values = dict(zip((*sizes, b"tiff:Orientation"), (*size, *size, 1), strict=True))
    for name, value in values.items():  # attributes, or elements
        xmp = re.sub(rb"(\b%b\s*(?:=\s*[\"']|>)\s*)\d+" % name, rb"\g<1>%d" % value, xmp)
    for name in (b"xmp:Thumbnails", b"Container:Directory"):
        before, _, rest = xmp.partition(b"<%b>" % name)
        _, end, after = rest.partition(b"</%b>" % name)
        xmp = before + after if end else xmp
    return _OTHER_PARTS.sub(b"", xmp)


def _unwrapped(raw: dict[str, str], name: str) -> bytes:
    """Return what ImageMagick wrote in hexadecimal digits, after a name and a length."""
    try:
        return bytes.fromhex("".join(raw.get(f"{_RAW_PROFILE}{name}", "").split("\n")[3:]))
    except ValueError:
        return b""
