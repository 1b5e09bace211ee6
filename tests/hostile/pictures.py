"""Picture files: whole ones of every format, and what is wrong with others.

Every function returns files by their names; the bytes are the same each time.
"""

from __future__ import annotations

import gzip
import io
import itertools
import struct
import warnings
import zlib
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from npespcn.pictures.bombs import picture_formats

Files = dict[str, bytes]

WIDTH, HEIGHT = 11, 8


def noise(width: int = WIDTH, height: int = HEIGHT, mode: str = "RGB", seed: int = 0) -> Any:
    """Return a picture of random pixels: the same ones for the same arguments."""
    rng = np.random.default_rng(seed)
    if mode in ("I", "F", "I;16"):
        dtype = {"I": np.int32, "F": np.float32, "I;16": np.uint16}[mode]
        return Image.fromarray(rng.integers(0, 65536, (height, width)).astype(dtype))
    pixels = Image.fromarray(rng.integers(0, 256, (height, width, 4), np.uint8))
    if mode == "PA":
        return pixels.convert("RGB").convert("P").convert("PA")
    return pixels if mode == "RGBA" else pixels.convert("RGB").convert(mode)


def saved(image: Any, image_format: str, **options: Any) -> bytes:
    """Return the file that Pillow makes of a picture."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image.save(file, image_format, **options)
    return file.getvalue()


# --- whole files ---------------------------------------------------------------------------------

_SAVED = {  # Pillow's formats, their suffixes, and the modes in which it writes them
    "AVIF": ("avif", "L LA RGB RGBA"),
    "BLP": ("blp", "P"),
    "BMP": ("bmp", "1 L P RGB RGBA"),
    "DDS": ("dds", "L LA RGB RGBA"),
    "DIB": ("dib", "1 L P RGB"),
    "GIF": ("gif", "1 L P RGB RGBA"),
    "HEIF": ("heic", "L RGB RGBA"),
    "ICO": ("ico", "RGBA L"),
    "IM": ("im", "1 L LA P PA I;16 RGB RGBA CMYK YCbCr"),
    "JPEG": ("jpg", "L RGB CMYK YCbCr"),
    "JPEG2000": ("jp2", "L LA I;16 RGB RGBA"),
    "MPO": ("mpo", "RGB"),
    "MSP": ("msp", "1"),
    "PCX": ("pcx", "1 L P RGB"),
    "PNG": ("png", "1 L LA P I;16 RGB RGBA"),
    "PPM": ("ppm", "1 L I;16 RGB"),
    "QOI": ("qoi", "RGB RGBA"),
    "SGI": ("sgi", "L RGB RGBA"),
    "TGA": ("tga", "1 L LA P RGB RGBA"),
    "TIFF": ("tif", "1 L LA P PA I;16 RGB RGBA RGBX CMYK YCbCr LAB"),
    "WEBP": ("webp", "L RGB RGBA"),
    "XBM": ("xbm", "1"),
}

_OTHERWISE: list[tuple[str, str, str, dict[str, Any]]] = [  # format, suffix, mode, options
    ("BMP", "bmp", "RGB", {"dpi": (300, 300)}),
    ("DDS", "dds", "RGBA", {"pixel_format": "DXT1"}),
    ("DDS", "dds", "RGBA", {"pixel_format": "DXT5"}),
    ("GIF", "gif", "P", {"interlace": 1, "transparency": 3, "comment": b"words"}),
    ("ICO", "ico", "RGBA", {"bitmap_format": "bmp", "sizes": [(WIDTH, HEIGHT)]}),
    ("JPEG", "jpg", "RGB", {"progressive": True, "dpi": (72, 72), "comment": b"words"}),
    ("JPEG", "jpg", "RGB", {"quality": 20, "restart_marker_blocks": 1}),
    ("JPEG2000", "j2k", "RGB", {"no_jp2": True, "irreversible": True, "num_resolutions": 2}),
    ("PNG", "png", "RGB", {"transparency": (1, 2, 3), "dpi": (300, 300), "optimize": True}),
    ("PNG", "png", "L", {"transparency": 7, "bits": 8}),
    ("PNG", "png", "P", {"transparency": bytes(range(200)), "bits": 8}),
    ("PNG", "png", "P", {"bits": 2}),
    ("SGI", "sgi", "L", {"bpc": 2}),
    ("TGA", "tga", "RGBA", {"compression": "tga_rle"}),
    *[
        ("TIFF", "tif", mode, {"compression": name})
        for name, mode in [
            *[("tiff_lzw", "RGB"), ("packbits", "L"), ("tiff_adobe_deflate", "RGBA")],
            *[("jpeg", "RGB"), ("group3", "1"), ("group4", "1"), ("lzma", "L"), ("zstd", "RGB")],
            *[("tiff_lzw", "I;16"), ("tiff_ccitt", "1"), ("tiff_deflate", "P")],
        ]
    ],
    ("WEBP", "webp", "RGBA", {"lossless": True}),
]


def whole() -> Files:
    """Return a small whole picture of every format that is read, in many of its modes."""
    files = {}
    picture_formats()
    for image_format, (suffix, modes) in _SAVED.items():
        for mode in modes.split() if image_format in Image.SAVE else ():
            name = f"{image_format} {mode.replace(';', '')}.{suffix}"
            side = 16 if image_format == "ICO" else None  # the least that an icon has
            files[name] = saved(noise(side or WIDTH, side or HEIGHT, mode), image_format)
    for number, (image_format, suffix, mode, options) in enumerate(_OTHERWISE):
        name = f"{image_format} {mode.replace(';', '')} {number}.{suffix}"
        try:
            files[name] = saved(noise(mode=mode), image_format, **options)
        except (KeyError, OSError):  # this Pillow lacks the format, or its libtiff the compression
            continue
    files |= _animated() | _described() | _by_hand()
    return {name: data for name, data in files.items() if _is_read(data)}


def _is_read(data: bytes) -> bool:
    """Return whether this Pillow reads what is right: older ones do not, of a few formats."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Image.open(io.BytesIO(data)).load()
    except (OSError, ValueError):
        return False
    return True


def _animated() -> Files:
    frames = [noise(mode="RGBA", seed=i) for i in range(3)]
    options = {"save_all": True, "append_images": frames[1:], "duration": [30, 70, 120]}
    flat = [noise(seed=i) for i in range(3)]
    plain = {**options, "append_images": flat[1:]}
    pages = {"save_all": True, "append_images": [noise(5, 6, "L"), noise(7, 4, "I;16")]}
    films = [
        ("film.gif", "GIF", frames[0], {"disposal": 2, "loop": 3, **options}),
        ("film of differences.gif", "GIF", flat[0], plain),
        ("film.png", "PNG", frames[0], {"loop": 2, **options}),
        ("film.webp", "WEBP", frames[0], {"lossless": True, **options}),
        ("film.avif", "AVIF", flat[0], plain),
        ("film.mpo", "MPO", flat[0], {"save_all": True, "append_images": flat[1:]}),
        ("pages.tif", "TIFF", flat[0], pages),
    ]
    return {
        name: saved(image, image_format, **more)
        for name, image_format, image, more in films
        if image_format in Image.SAVE
    } | {"film.fli": _fli(3)}


def _described() -> Files:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a maker"
    exif.get_ifd(0x8769)[0x9286] = "a comment"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    said: dict[str, Any] = {"exif": exif, "icc_profile": profile}
    formats = {"JPEG": "jpg", "PNG": "png", "TIFF": "tif", "WEBP": "webp", "AVIF": "avif"}
    return {
        f"described.{suffix}": saved(noise(), image_format, **said)
        for image_format, suffix in formats.items()
        if image_format in Image.SAVE
    } | {"described CMYK.jpg": saved(noise(mode="CMYK"), "JPEG", **said)}


def _by_hand() -> Files:
    """Return what Pillow reads and does not write."""
    rgb, gray = noise().tobytes(), noise(mode="L").tobytes()
    w, h = WIDTH, HEIGHT
    pcx = saved(noise(mode="L"), "PCX")
    bmp = saved(noise(mode="RGBA"), "DIB")
    cur = bytearray(bmp + bytes(h * 4))
    cur[8:12] = struct.pack("<i", 2 * h)  # of the picture and its mask
    pixar = bytearray(1024)
    pixar[:4], pixar[416:420], pixar[424:428] = (
        b"\200\350\0\0",
        struct.pack("<2H", h, w),
        struct.pack("<2H", 14, 2),
    )
    icon = saved(noise(16, 16, "RGBA"), "PNG")
    disc = bytearray(96 * 2048 + 768 * 512 * 3 // 2)  # PhotoCD has pictures of one size
    disc[2048:2052] = b"PCD_"
    area = [0] * 64
    area[1], area[8], area[9], area[10], area[13], area[33] = 4, h, w, 1, 1, 256
    return {
        "cursor.cur": struct.pack("<3H4B2H2I", 0, 2, 1, w, h, 0, 0, 0, 0, len(cur), 22) + cur,
        "many.dcx": struct.pack("<3I", 0x3ADE68B1, 12, 0) + pcx,
        "texture.ftu": b"FTEX" + struct.pack("<7i", 1, w, h, 1, 1, 1, 32) + _le(len(rgb)) + rgb,
        "texture.ftc": b"FTEX" + struct.pack("<7i", 1, 8, 8, 1, 1, 0, 32) + _le(32) + gray[:32],
        "brush.gbr": struct.pack(">5I", 22, 1, w, h, 1) + b"a\0" + gray,
        "tools.imt": b"width %d\nheight %d\npixel n8\n\f" % (w, h) + gray,
        "area.png": struct.pack("!64i", *area) + gray,
        "icon.icns": b"icns" + struct.pack(">I4sI", len(icon) + 16, b"icp4", len(icon) + 8) + icon,
        "photo.pcd": bytes(disc),
        "pixar.pxr": bytes(pixar) + rgb,
        "layers.psd": b"8BPS" + struct.pack(">H6xHIIHH3IH", 1, 3, h, w, 8, 3, 0, 0, 0, 0) + rgb,
        "packed.psd": b"8BPS"
        + struct.pack(">H6xHIIHH3IH", 1, 1, h, w, 8, 1, 0, 0, 0, 1)
        + struct.pack(f">{h}H", *[w + 1] * h)
        + b"".join(bytes([w - 1]) + gray[i * w : i * w + w] for i in range(h)),
        "sun.ras": struct.pack(">8I", 0x59A66A95, w, h, 24, 0, 1, 0, 0)
        + b"".join(rgb[i * 3 * w : (i + 1) * 3 * w] + b"\0" for i in range(h)),
        "packed.ras": struct.pack(">8I", 0x59A66A95, w, h, 8, 0, 2, 0, 0) + b"\x80\x57\x07",
        "thumbnail.png": b"P7 332\n#words\n%d %d 255\n" % (w, h) + gray,
        "pixels.xpm": b"/* XPM */\nstatic char * a[] = {\n"
        + b'"%d %d 2 1",\n"a c #ff0000",\n"b c None",\n' % (w, h)
        + b'"abababababa",\n' * h
        + b"};\n",
        "words.ppm": b"P3 # a comment\n%d %d 255\n" % (w, h) + b" ".join(b"%d" % v for v in rgb),
        "words.pbm": b"P1\n%d %d\n" % (w, h) + b"10" * (w * h // 2),
        "wide.ppm": b"P6 %d %d 65535\n" % (w, h) + rgb + rgb,
        "runs.bmp": _bmp_runs(w, h),
    }


def packed_fits(width: int, height: int) -> bytes:
    """Return a FITS file with a gzipped picture, black but for a few pixels."""
    cards = [
        [b"SIMPLE  = T", b"BITPIX  = 8", b"NAXIS   = 0", b"END"],
        [
            *[b"XTENSION= 'BINTABLE'", b"BITPIX  = 8", b"NAXIS   = 2", b"NAXIS1  = 0"],
            *[b"NAXIS2  = 0", b"ZIMAGE  = T", b"ZCMPTYPE= 'GZIP_1  '", b"ZNAXIS  = 2"],
            *[b"ZNAXIS1 = %d" % width, b"ZNAXIS2 = %d" % height, b"ZBITPIX = 8", b"END"],
        ],
    ]
    header = b"".join(b"".join(c.ljust(80) for c in unit).ljust(2880) for unit in cards)
    pixels = gzip.compress(b"\0\0\0\7" + bytes(4 * width * height - 4), 1, mtime=0)
    return header + pixels.ljust(2880, b"\0")


def _bmp_runs(width: int, height: int) -> bytes:
    runs = b"".join(bytes([width, i, 0, 0]) for i in range(height)) + b"\0\1"
    colors = bytes(range(256)) * 4
    return bmp(width, height, 8, runs, colors, compression=1)


def bmp(
    width: int,
    height: int,
    bits: int,
    pixels: bytes = b"",
    colors: bytes = b"",
    compression: int = 0,
) -> bytes:
    """Return a BMP file of these parts, whatever they are."""
    start = 54 + len(colors)
    header = struct.pack("<IIiiHHIIiiII", start, 40, width, height, 1, bits, compression, *[0] * 5)
    return b"BM" + struct.pack("<II", start + len(pixels), 0) + header + colors + pixels


def _fli(frames: int) -> bytes:
    """Return an animation of whole frames, each of one gray."""
    w, h = WIDTH, HEIGHT
    parts = []
    for i in range(frames):
        lines = b"".join(b"\1" + bytes([w, 40 * i + y]) for y in range(h))
        chunk = struct.pack("<IH", len(lines) + 6, 15) + lines
        parts.append(struct.pack("<IHH8x", len(chunk) + 16, 0xF1FA, 1) + chunk)
    data = b"".join(parts)
    head = struct.pack("<IHHHHHHI", len(data) + 128, 0xAF12, frames, w, h, 8, 3, 50)
    return head.ljust(128, b"\0") + data


def _be(number: int) -> bytes:
    return struct.pack(">I", number)


def _le(number: int) -> bytes:
    return struct.pack("<I", number)


def _press(width: int, height: int, pixels: bytes) -> bytes:
    """Return an IPTC file with a picture."""
    said = {60: b"\x01\x00", 20: _be(width), 30: _be(height), 120: _be(1)}
    head = b"".join(_iptc(3, dataset, data) for dataset, data in said.items())
    return head + _iptc(8, 10, pixels) + bytes(5)


def _iptc(record: int, dataset: int, data: bytes) -> bytes:
    return struct.pack(">BBBH", 0x1C, record, dataset, len(data)) + data


# --- PNG, TIFF, GIF and JPEG, part by part --------------------------------------------------------


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return _be(len(data)) + kind + data + _be(zlib.crc32(kind + data))


def png(
    width: int, height: int, bits: int, color: int, pixels: bytes, *more: bytes, interlace: int = 0
) -> bytes:
    """Return a PNG whose chunks `more` stand before the pixels (filter bytes and all)."""
    head = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlace)
    body = [chunk(b"IHDR", head), *more, chunk(b"IDAT", zlib.compress(pixels, 9))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body) + chunk(b"IEND", b"")


def tiff(tags: dict[int, tuple[int, list[int]]], pixels: bytes = b"", following: int = 0) -> bytes:
    """Return a little-endian TIFF; a tag is a type (1 to 4) and values, StripOffsets are added."""
    sizes = {1: "B", 2: "B", 3: "H", 4: "I", 16: "Q"}
    tags = {273: (4, [8]), 279: (4, [len(pixels)])} | tags
    start = 8 + len(pixels)
    outside = start + 2 + 12 * len(tags) + 4
    entries, more = [], b""
    for tag in sorted(tags):
        kind, values = tags[tag]
        data = struct.pack(f"<{len(values)}{sizes[kind]}", *values)
        if len(data) > 4:
            data, more = _le(outside + len(more)), more + data
        entries.append(struct.pack("<HHI", tag, kind, len(values)) + data.ljust(4, b"\0"))
    directory = struct.pack("<H", len(tags)) + b"".join(entries) + _le(following)
    return b"II*\0" + _le(start) + pixels + directory + more


def gray_tiff(width: int, height: int, pixels: bytes, bits: int = 8, **more: Any) -> bytes:
    """Return a TIFF of one plane; in `more` are further tags as t258=(3, [8])."""
    tags = {256: (4, [width]), 257: (4, [height]), 258: (3, [bits]), 259: (3, [1])}
    tags |= {262: (3, [1]), 277: (3, [1]), 278: (4, [height])}
    return tiff(tags | {int(key[1:]): value for key, value in more.items()}, pixels)


def gif(width: int, height: int, *blocks: bytes) -> bytes:
    """Return a GIF of a palette of two colors and the blocks."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0)
    return head + b"\0\0\0\xff\xff\xff" + b"".join(blocks) + b";"


def gif_frame(x: int, y: int, width: int, height: int, data: bytes = b"\x02\x44\x01") -> bytes:
    """Return a frame of a GIF: a pixel or so of LZW data."""
    return b"," + struct.pack("<4HB", x, y, width, height, 0) + b"\x02" + data + b"\0"


# --- what is odd ---------------------------------------------------------------------------------


def odd() -> Files:
    """Return pictures with something odd about them; many are right all the same."""
    w, h = WIDTH, HEIGHT
    rows = b"".join(b"\0" + bytes((x * 23 + y) % 256 for x in range(w)) for y in range(h))
    rows2 = b"".join(b"\0" + bytes(range(y, y + 2 * w)) for y in range(h))
    rows6 = b"".join(b"\0" + bytes(range(y, y + 6 * w)) for y in range(h))
    bits = b"".join(b"\0" + bytes([170, 85]) for _ in range(h))
    two = chunk(b"PLTE", bytes([255, 0, 0, 0, 0, 255]))
    gray = noise(mode="L").tobytes()
    files = {
        "tall.png": saved(noise(1, 10_000), "PNG"),
        "wide.png": saved(noise(10_000, 1), "PNG"),
        "tall.jpg": saved(noise(1, 10_000), "JPEG"),
        "wide clear.png": saved(noise(10_000, 1, "RGBA"), "PNG"),
        "palette too short.png": png(w, h, 8, 3, rows, two),
        "palette missing.png": png(w, h, 8, 3, rows),
        "palette empty.png": png(w, h, 8, 3, rows, chunk(b"PLTE", b"")),
        "palette of 7 bytes.png": png(w, h, 8, 3, rows, chunk(b"PLTE", bytes(7))),
        "palette of 1000 colors.png": png(w, h, 8, 3, rows, chunk(b"PLTE", bytes(3000))),
        "palette too short, clear.png": png(w, h, 8, 3, rows, two, chunk(b"tRNS", b"\0\x80")),
        "tRNS too long.png": png(w, h, 8, 3, rows, two, chunk(b"tRNS", bytes(400))),
        "tRNS empty.png": png(w, h, 8, 3, rows, two, chunk(b"tRNS", b"")),
        "tRNS of gray, empty.png": png(w, h, 8, 0, rows, chunk(b"tRNS", b"")),
        "tRNS of gray, 1 byte.png": png(w, h, 8, 0, rows, chunk(b"tRNS", b"\1")),
        "tRNS of gray, 16 bits.png": png(w, h, 8, 0, rows, chunk(b"tRNS", b"\xff\xff")),
        "tRNS of gray alpha.png": png(w, h, 8, 4, rows2, chunk(b"tRNS", b"\0\1")),
        "tRNS of a bit.png": png(w, h, 1, 0, bits, chunk(b"tRNS", b"\0\1")),
        "tRNS of a bit, 7.png": png(w, h, 1, 0, bits, chunk(b"tRNS", b"\0\7")),
        "tRNS of 16 bits.png": png(w, h, 16, 0, rows2, chunk(b"tRNS", b"\0\1")),
        "color of 16 bits.png": png(w, h, 16, 2, rows6),
        "palette of 16 bits.png": png(w, h, 16, 3, rows2, two),
        "color of 3 bits.png": png(w, h, 3, 2, rows),
        "color type 5.png": png(w, h, 8, 5, rows),
        "no size.png": png(0, 0, 8, 0, b""),
        "no height.png": png(w, 0, 8, 0, b""),
        "interlace 7.png": png(w, h, 8, 0, rows, interlace=7),
        "no pixels.png": png(w, h, 8, 0, b""),
        "too many pixels.png": png(w, h, 8, 0, rows * 100),
        "IHDR twice.png": png(
            w, h, 8, 0, rows, chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 3, 8, 0, 0, 0, 0))
        ),
        "PLTE after all.png": png(w, h, 8, 3, rows).replace(chunk(b"IEND", b""), two),
        "gamma 0.png": png(w, h, 8, 0, rows, chunk(b"gAMA", _be(0)), chunk(b"cHRM", bytes(32))),
        "pHYs 0.png": png(w, h, 8, 0, rows, chunk(b"pHYs", bytes(8) + b"\1")),
        "chunk unknown.png": png(w, h, 8, 0, rows, chunk(b"ABCD", b"x"), chunk(b"abcd", b"x")),
        "chunk too long.png": png(w, h, 8, 0, rows)[:33] + b"\xff\xff\xff\xff" + bytes(50),
        "text of 64 MB.png": png(
            w, h, 8, 0, rows, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(64 << 20), 9))
        ),
        "profile of 64 MB.png": png(
            w, h, 8, 0, rows, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(64 << 20), 9))
        ),
        "frames 2 billion.png": png(
            w, h, 8, 0, rows, chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))
        ),
        "frames none.png": png(w, h, 8, 0, rows, chunk(b"acTL", struct.pack(">II", 0, 0))),
        "frame outside.png": png(
            *(w, h, 8, 0, rows),
            *(chunk(b"acTL", struct.pack(">II", 2, 0)),),
            *(chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 60000, 3, 60000, 0, 0, 0, 9, 9)),),
        ),
        "frame without a delay.png": saved(
            noise(), "PNG", save_all=True, append_images=[noise(seed=1)]
        ).replace(chunk(b"acTL", struct.pack(">II", 2, 0)), b""),
        "1 bit of MinIsWhite.tif": gray_tiff(w, h, bytes(2 * h), 1, t262=(3, [0])),
        "12 bits.tif": gray_tiff(w, h, bytes(17 * h), 12),
        "32 bits.tif": gray_tiff(w, h, np.arange(w * h, dtype="<i4").tobytes(), 32, t339=(3, [2])),
        "32 bits, unsigned.tif": gray_tiff(w, h, bytes(4 * w * h), 32),
        "negative.tif": saved(Image.fromarray(np.full((h, w), -5, np.int32)), "TIFF"),
        "too bright.tif": saved(Image.fromarray(np.full((h, w), 65536, np.int32)), "TIFF"),
        "16 bits, signed.tif": gray_tiff(w, h, bytes(2 * w * h), 16, t339=(3, [2])),
        "floats.tif": saved(noise(mode="F"), "TIFF"),
        "floats that are none.tif": gray_tiff(
            w, h, np.full(w * h, np.nan, "<f4").tobytes(), 32, t339=(3, [3])
        ),
        "doubles.tif": gray_tiff(w, h, bytes(8 * w * h), 64, t339=(3, [3])),
        "complex.tif": gray_tiff(w, h, bytes(8 * w * h), 64, t339=(3, [6])),
        "no bits.tif": gray_tiff(w, h, gray, 0),
        "9 planes.tif": gray_tiff(w, h, gray * 9, t277=(3, [9]), t258=(3, [8] * 9)),
        "no width.tif": gray_tiff(0, h, gray),
        "orientation 700.tif": gray_tiff(w, h, gray, t274=(3, [700])),
        "orientation 6, twice.tif": gray_tiff(w, h, gray, t274=(3, [6, 6])),
        "a page after itself.tif": tiff(
            {256: (4, [w]), 257: (4, [h]), 258: (3, [8]), 262: (3, [1])}, gray, 8 + len(gray)
        ),
        "strips too far.tif": gray_tiff(w, h, gray, t273=(4, [2**32 - 1])),
        "strips of 4 GB.tif": gray_tiff(w, h, gray, t279=(4, [2**32 - 1])),
        "one row in each of 0 strips.tif": gray_tiff(w, h, gray, t278=(4, [0])),
        "tiles of 2 GB.tif": gray_tiff(
            w, h, gray, t322=(4, [2**16]), t323=(4, [2**15]), t324=(4, [8]), t325=(4, [88])
        ),
        "palette too short.tif": gray_tiff(w, h, gray, t262=(3, [3]), t320=(3, [0, 9, 9] * 2)),
        "strange subsampling.tif": gray_tiff(
            *(w, h, gray * 3),
            **{"t262": (3, [6]), "t277": (3, [3]), "t258": (3, [8] * 3), "t530": (3, [0, 7])},
        ),
        "clear and premultiplied.tif": gray_tiff(
            w, h, gray * 2, t277=(3, [2]), t258=(3, [8, 8]), t338=(3, [1])
        ),
        "two alphas.tif": gray_tiff(
            w, h, gray * 5, t262=(3, [2]), t277=(3, [5]), t258=(3, [8] * 5), t338=(3, [1, 2])
        ),
        "palette index too high.gif": gif(2, 1, gif_frame(0, 0, 2, 1, b"\x02\x5c\x05")),
        "no frame.gif": gif(w, h),
        "frame outside.gif": gif(2, 2, gif_frame(60_000, 60_000, 2, 2)),
        "frame too wide.gif": gif(2, 2, gif_frame(0, 0, 2000, 2)),
        "LZW of 12 bits.gif": gif(2, 2, gif_frame(0, 0, 2, 2)).replace(b"\x02\x02", b"\x0c\x02"),
        "clear color 200.gif": gif(2, 1, b"!\xf9\4\1\0\0\xc8\0", gif_frame(0, 0, 2, 1)),
        "never ending extension.gif": gif(2, 1, b"!\xfe" + b"\xffa" * 300),
        "RLE that jumps.bmp": bmp(w, h, 8, b"\0\2\xff\xff\5\5\0\1", bytes(1024), 1),
        "upside down.bmp": bmp(w, -h, 24, bytes(36 * h)),
        "negative width.bmp": bmp(-w, h, 24, bytes(36 * h)),
        "least height.bmp": bmp(w, -(2**31), 24, bytes(36 * h)),
        "palette of 2 billion.bmp": bmp(w, h, 8, bytes(96), b"")[:46] + b"\xff\xff\xff\x7f\0\0\0\0",
        "palette index too high.bmp": bmp(w, h, 8, bytes(range(96)), bytes(8)),
        "values too high.ppm": b"P3 2 1 10\n1 2 3 4 5 99\n",
        "values negative.ppm": b"P3 2 1 10\n1 2 3 4 5 -9\n",
        "white 0.pgm": b"P5 2 1 0\n\1\2",
        "white 70000.pgm": b"P5 2 1 70000\n\1\2\1\2",
        "no end to the size.ppm": b"P6 " + b"1" * 5000,
        "floats.spi": saved(noise(mode="F"), "SPIDER"),
        "floats.pfm": b"Pf 2 1 -1.0\n" + bytes(8),
        "size of words.im": saved(noise(), "IM").replace(b"11*8", b"a*b "),
        "size of a half.im": saved(noise(), "IM").replace(b"11*8", b"1.5*8"),
        "size of nan.im": saved(noise(), "IM").replace(b"11*8", b"nan*8"),
        "key too long.xpm": b'/* XPM */\n"2 1 1 9",\n"a c #fff",\n"aa",\n',
        "packed.fits": packed_fits(w, h),
        "press.iim": _press(w, h, gray),
        "in a circle.iim": _iptc(3, 60, b"\3\1") + _iptc(3, 65, b"\xff") + _iptc(8, 10, b""),
        "loop.eps": eps(b"{} loop"),
        "plain.eps": eps(b"showpage"),
    }
    for mode in ("LA", "La", "PA", "RGBa", "HSV"):
        image = noise(mode="RGBA").convert("RGBa") if mode == "RGBa" else noise(mode=mode)
        try:
            files[f"mode {mode}.tif"] = saved(image, "TIFF")
        except OSError:
            continue
    palette = noise(mode="P")
    palette.putpalette(bytes(range(40)) * 3, "RGBA")
    files["palette with alpha.png"] = saved(palette, "PNG")
    return files | _misdescribed() | _misnamed()


def eps(program: bytes) -> bytes:
    """Return an EPS picture whose drawing is this program."""
    return b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n" + program + b"\n"


def _misdescribed() -> Files:
    """Return pictures whose EXIF or color profile is broken."""
    exif = Image.Exif()
    exif[0x0112] = 6
    good = exif.tobytes()
    endless = b"Exif\0\0II*\0\x08\0\0\0\1\0\x69\x87\4\0\1\0\0\0\x08\0\0\0\0\0\0\0"
    text = b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\2\0\4\0\0\0six\0\0\0\0\0"
    exifs = {
        "empty": b"Exif\0\0",
        "cut": good[: len(good) // 2],
        "noise": b"Exif\0\0" + bytes(range(256)),
        "in a circle": endless,
        "of words": text,
        "count 4 billion": good[:16] + b"\xff\xff\xff\xff" + good[20:],
        "turn 300": good.replace(b"\x12\1\3\0\1\0\0\0\6\0", b"\x12\1\3\0\1\0\0\0\x2c\1"),
    }
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profiles = {
        "empty": b"\0",
        "cut": profile[:200],
        "noise": bytes(range(256)) * 3,
        "of 4 billion tags": profile[:128] + b"\xff\xff\xff\xff" + profile[132:],
        "of a claimed size": b"\x7f\xff\xff\xff" + profile[4:],
        "for CMYK": profile[:16] + b"CMYK" + profile[20:],
    }
    files = {}
    for suffix, image_format in (("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP")):
        for name, data in exifs.items():
            files[f"EXIF {name}.{suffix}"] = saved(noise(), image_format, exif=data)
        for name, data in profiles.items():
            files[f"profile {name}.{suffix}"] = saved(noise(), image_format, icc_profile=data)
    for name, data in profiles.items():
        for mode, suffix, image_format in (("CMYK", "jpg", "JPEG"), ("LAB", "tif", "TIFF")):
            picture = noise(mode=mode)
            files[f"profile {name} {mode}.{suffix}"] = saved(
                picture, image_format, icc_profile=data
            )
    return files


def _misnamed() -> Files:
    """Return pictures under the suffixes of other formats, and what is no picture at all."""
    pictures = {name: data for name, data in whole().items() if " RGB." in name or " 1." in name}
    names = itertools.cycle(["png", "jpg", "tif", "gif", "webp", "psd", "fits"])
    files = {f"in truth {name}.{next(names)}": data for name, data in pictures.items()}
    contents = {
        "nothing": b"",
        "a byte": b"\0",
        "zeros": bytes(5000),
        "words": b"no picture at all\n" * 50,
        "a program": b"\x7fELF" + bytes(range(256)),
        "a zip": b"PK\5\6" + bytes(18),
        "a web page": b"<html><svg width='9' height='9'></svg></html>",
    }
    suffixes = [
        "png",
        "jpg",
        "tif",
        "gif",
        "webp",
        "bmp",
        "psd",
        "tga",
        "ico",
        "avif",
        "jp2",
        "icns",
        "xpm",
        "fits",
        "im",
        "eps",
    ]
    return files | {f"{k}.{suffix}": data for k, data in contents.items() for suffix in suffixes}


# --- what claims, or is, far too much ------------------------------------------------------------

CLAIMS = (
    *((11_000, 11_000), (0, 100_000_000), (140_000_000, 1), (1, 140_000_000)),  # which are opened
    *((20_000, 20_000), (65_535, 65_535), (2**31 - 1, 2**31 - 1), (2**31 - 1, 1)),
)


def claims() -> Files:
    """Return files of a few bytes that claim to hold very large pictures."""
    files = {}
    for w, h in CLAIMS:
        size = f"{w}x{h}"
        files |= {
            f"{size}.png": png(w, h, 8, 2, b""),
            f"{size}.bmp": bmp(w, h, 24),
            f"{size}.tif": gray_tiff(w, h, bytes(100)),
            f"{size}.ppm": b"P6 %d %d 255\n" % (w, h),
            f"{size}.pbm": b"P4 %d %d\n" % (w, h),
            f"{size}.pgm": b"P2 %d %d 255\n1 2 3" % (w, h),
            f"{size}.psd": b"8BPS" + struct.pack(">H6xHIIHH3IH", 1, 3, h, w, 8, 3, 0, 0, 0, 1),
            f"{size}.ras": struct.pack(">8I", 0x59A66A95, w, h, 24, 0, 1, 0, 0),
            f"{size}.qoi": b"qoif" + struct.pack(">IIBB", w, h, 3, 0) + b"\xfd" * 100,
            f"{size}.gbr": struct.pack(">5I", 22, 1, w, h, 1) + b"a\0",
            f"{size}.xpm": b'/* XPM */\n"%d %d 1 1",\n"a c #ffffff",\n"a",\n' % (w, h),
            f"{size}.xbm": b"#define a_width %d\n#define a_height %d\n" % (w, h)
            + b"static char a_bits[] = {\n0x00};",
            f"{size}.im": saved(noise(), "IM").replace(b"11*8", b"%d*%d" % (w, h)),
            f"{size}.ftu": b"FTEX" + struct.pack("<7i", 1, w, h, 1, 1, 1, 32) + _le(0),
            f"{size}.dds": _sized(saved(noise(), "DDS"), 12, "<II", h, w),
            f"{size}.jp2": _sized(saved(noise(), "JPEG2000", no_jp2=True), 8, ">II", w, h),
            f"{size}.fits": packed_fits(1, 1)
            .replace(b"ZNAXIS1 = 1".ljust(30), (b"ZNAXIS1 = %d" % w).ljust(30))
            .replace(b"ZNAXIS2 = 1".ljust(30), (b"ZNAXIS2 = %d" % h).ljust(30)),
            f"{size}.iim": _press(w, h, b"abc"),
            f"thumbnail {size}.png": b"P7 332\n%d %d 255\n" % (w, h),
            f"tools {size}.png": b"width %d\nheight %d\npixel n8\n\f" % (w, h),
        }
        if w < 65_536 and h < 65_536:
            files |= {
                f"{size}.gif": gif(w, h, gif_frame(0, 0, w, h)),
                f"{size}.jpg": _jpeg(w, h),
                f"{size}.pcx": _sized(saved(noise(), "PCX"), 8, "<HH", w - 1, h - 1),
                f"{size}.sgi": _sized(saved(noise(), "SGI"), 6, ">HH", w, h),
                f"{size}.tga": _sized(saved(noise(), "TGA"), 12, "<HH", w, h),
                f"{size}.fli": _sized(_fli(2), 8, "<HH", w, h),
                f"{size}.msp": _sized(saved(noise(mode="1"), "MSP"), 4, "<HH", w, h),
                f"{size}.cur": _sized(_by_hand()["cursor.cur"], 26, "<II", w, 2 * h),
                f"{size}.pxr": _sized(_by_hand()["pixar.pxr"], 416, "<HH", h, w),
            }
    return files


def _sized(data: bytes, place: int, form: str, *values: int) -> bytes:
    size = struct.pack(form, *values)
    return data[:place] + size + data[place + len(size) :]


def _jpeg(width: int, height: int) -> bytes:
    data = saved(noise(), "JPEG")
    return _sized(data, data.index(b"\xff\xc0") + 5, ">HH", height, width)


def bombs() -> Files:
    """Return small files that are whole, and whose pixels would fill the memory."""
    side = 13_000  # just below what Pillow refuses
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    packed = deflated_zeros((3 * side + 1) * side)
    frame = saved(Image.new("P", (1000, 1000)), "GIF")
    start = frame.index(b",")
    page = gray_tiff(6000, 6000, bytes([255]) * 1000, 1, t259=(3, [4]))
    webp = bytearray(saved(Image.new("RGB", (1, 1)), "WEBP", lossless=True))
    side_bits = 12_000 - 1
    webp[21:25] = struct.pack("<I", side_bits | side_bits << 14)  # 14 bits for each side
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", packed), chunk(b"IEND", b"")]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(parts)
    jpeg = saved(Image.new("L", (6000, 6000)), "JPEG", progressive=True)
    scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    return {
        "bomb.png": png,
        "bomb in an icon.ico": struct.pack("<3H4B2H2I", 0, 1, 1, 9, 9, 0, 0, 1, 32, len(png), 22)
        + png,
        "bomb of scans.jpg": jpeg[:-2] + scan * 200 + jpeg[-2:],
        "bomb that grows.gif": gif(2, 2, gif_frame(0, 0, 2, 2), gif_frame(0, 0, side, side)),
        "bomb.tif": gray_tiff(side, side, deflated_zeros(side * side), t259=(3, [8])),
        "bomb of bits.tif": gray_tiff(side, side, bytes([255]) * 2000, 1, t259=(3, [4])),
        "bomb of frames.gif": frame[:start] + frame[start:-1] * 3000 + b";",
        "bomb of pages.tif": pages(page, 100),
        "bomb.webp": bytes(webp),
        "bomb.fits": packed_fits(3000, 3000),
        "bomb.qoi": b"qoif" + struct.pack(">IIBB", side, side, 4, 0) + b"\xfd" * (side**2 // 62),
        "bomb.bmp": bmp(side, side, 8, b"\xff\0" * (side**2 // 255), bytes(1024), 1),
    }


def deflated_zeros(count: int) -> bytes:
    """Return what zlib makes of so many zeros, without going through them all."""
    block = 1 << 20
    deflate = zlib.compressobj(9, wbits=-15)
    whole_block = deflate.compress(bytes(block)) + deflate.flush(zlib.Z_FULL_FLUSH)
    last = deflate.compress(bytes(count % block)) + deflate.flush()
    check = struct.pack(">HH", count % 65_521, 1)  # Adler-32 of zeros
    return b"\x78\xda" + whole_block * (count // block) + last + check


def pages(page: bytes, count: int) -> bytes:
    """Return a TIFF of the same page so many times: all directories share its pixels."""
    (start,) = struct.unpack("<I", page[4:8])
    (tags,) = struct.unpack("<H", page[start : start + 2])
    end = start + 2 + 12 * tags
    length = end + 4 - start
    places = [len(page) + i * length for i in range(count - 1)] + [0]
    directories = [page[start:end] + _le(place) for place in places]
    return page[:end] + _le(places[0]) + page[end + 4 :] + b"".join(directories[1:])


def small_oddities() -> Files:
    """Return those of `odd` that are of a few kilobytes, and pictures: something to damage."""
    return {
        name: data
        for name, data in odd().items()
        if 20 < len(data) < 20_000 and not name.startswith(("nothing", "a ", "in truth"))
    }
