"""Fields that Pillow does not heed: pixels and colors come out right, or the file is refused."""

from __future__ import annotations

import io
import struct
import zlib
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import color_profile
from PIL import Image, ImageCms, features

from npespcn.common import Array
from npespcn.enlarge.picture import upscale
from npespcn.pictures.fields import bits_of
from npespcn.pictures.files import open_image, read_image
from npespcn.pictures.formats import loops, plain_frames
from npespcn.pictures.modes import to_plain_mode

RAMP = np.arange(256)
COLORS = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)


def plain(data: bytes) -> Image.Image:
    return to_plain_mode(Image.open(io.BytesIO(data)))


def refused(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        plain(data)


def saved(image: Image.Image, image_format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


# TIFF


def tiff(pixels: Any, bits: int = 8, color: int = 1, planes: int = 1, **tags: Any) -> bytes:
    """Return an uncompressed TIFF of whole numbers, (H, W) or (H, W, k), of any number of bits."""
    x = np.asarray(pixels)
    h, w, k = (*x.shape, 1)[:3]
    x = x.reshape(h, w * k) if planes == 1 else x.transpose(2, 0, 1).reshape(k * h, w)
    if bits >= 16:
        data = x.astype(f"<u{bits // 8}").tobytes()
    else:  # the first bit of a number comes first, and each row begins with a byte
        digits = (x[..., None] >> np.arange(bits - 1, -1, -1) & 1).astype(np.uint8)
        data = np.packbits(digits.reshape(len(x), -1), axis=1).tobytes()
    starts = [8 + len(data) // k * i for i in range(k if planes == 2 else 1)]
    fields: dict[int, Any] = {
        **{256: [w], 257: [h], 258: [bits] * k, 259: [1], 262: [color], 273: starts, 277: [k]},
        **{278: [h], 279: [len(data) // len(starts)] * len(starts), 284: [planes]},
        **{int(tag[1:]): value for tag, value in tags.items()},
    }
    end, more, directory = 8 + len(data), b"", struct.pack("<H", len(fields))
    for tag, values in sorted(fields.items()):
        if isinstance(values[0], float):  # a rational number
            kind, value = 5, b"".join(struct.pack("<2I", round(v * 10**6), 10**6) for v in values)
        else:
            kind, value = 3, struct.pack(f"<{len(values)}H", *values)
        if len(value) > 4:
            more, value = more + value, struct.pack("<I", end + len(more))
        directory += struct.pack("<2HI4s", tag, kind, len(values), value)
    return struct.pack("<2sHI", b"II", 42, end + len(more)) + data + more + directory + bytes(4)


def test_grays_of_any_number_of_bits_reach_from_black_to_white(tmp_path: Path) -> None:
    for bits in (1, 2, 4, 8, 12, 16):
        top = 2**bits - 1
        x = np.array([[0, top, top // 2, 1, top - 1, top // 3]])
        for color in (1, 0):  # 0 is white in the second
            if (bits, color) == (12, 0):
                continue  # which is refused
            path = tmp_path / "a.tif"
            path.write_bytes(tiff(x, bits, color))
            part = (x if color else top - x) / top
            found = plain(path.read_bytes())
            white = 65535 if found.mode == "I;16" else 255
            np.testing.assert_allclose(np.asarray(found), part * white, atol=0.5, err_msg=str(bits))
            for_training = read_image(path)[..., 0]
            np.testing.assert_allclose(for_training, part * 255, atol=0.501, err_msg=str(bits))


def test_tiffs_that_pillow_reads_wrong_are_refused() -> None:
    gray, rgb, cmyk = RAMP.reshape(16, 16), COLORS.astype(int), np.zeros((2, 2, 4), int)
    yes = [*[0.0, 255.0] * 3]
    for data in (
        *(tiff(rgb, color=2, t532=yes), tiff(rgb, 8, 2, 2), tiff(rgb, 16, 2, t339=[1] * 3)),
        *(tiff(cmyk, 8, 5, t336=[0, 255]), tiff(rgb, 8, 8)),
    ):
        to_plain_mode(Image.open(io.BytesIO(data)), quiet=True)  # these are read, and right
    assert plain(tiff(rgb, 8, 2, 2)).tobytes() == COLORS.tobytes()
    for data, words in [
        *[(tiff(gray, t339=[2]), "have a sign"), (tiff(gray, 16, t339=[2]), "have a sign")],
        *[(tiff(gray, 16, t266=[2]), "reverse order"), (tiff(rgb, 16, 2, 2), "lie apart")],
        (tiff(gray, 8, 3, t320=[*range(256)] * 3), "color table has 8 bits"),
        *[(tiff(cmyk, 8, 2, 2), "lie apart"), (tiff(rgb[..., :2], 8, 1, 2, t338=[2]), "lie apart")],
        *[(tiff(gray, 32), "32-bit pixels"), (tiff(cmyk, 8, 5, t332=[2]), "inks")],
        (tiff(rgb, 8, 6, t530=[2, 2]), "YCbCr"),
        (tiff(rgb, 8, 6, t530=[1, 1], t529=[0.2126, 0.7152, 0.0722]), "YCbCr"),
        (tiff(rgb, 8, 2, t532=[16.0, 235.0] * 3), "black and white"),
        (tiff(cmyk, 8, 5, t336=[20, 200] * 4), "black and white"),
        (tiff(rgb, 8, 8, 2), "lie apart"),  # CIELab; and colors of a table, with alpha
        (tiff(gray[..., None].repeat(2, 2), 8, 3, 2, t338=[2], t320=[*range(768)]), "lie apart"),
    ]:
        refused(data, words)


def test_density_of_a_tiff_is_left_out_with_a_line() -> None:
    data = tiff(np.zeros((8, 8), int), t290=[4], t291=[*range(256)])
    with pytest.warns(UserWarning, match="what it says of its colors"):
        plain(data)


def test_a_broken_tag_does_not_keep_a_tiff_from_being_turned(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(COLORS[:2].astype(int), color=2, t274=[6], t700=[7]))  # XMP is no number
    upright = np.rot90(COLORS[:2], -1)
    np.testing.assert_array_equal(read_image(path), upright)
    with open_image(path) as opened:
        (found,) = plain_frames(opened)
    np.testing.assert_array_equal(np.asarray(found), upright)
    assert upscale(path).size == (4, 16)


# JPEG 2000


def jpeg2000(pixels: Array, bits: int) -> bytes:
    """Return a JPEG 2000 of fewer bits than Pillow writes; only the middle of the range differs."""
    whole = 8 * pixels.dtype.itemsize
    shifted = pixels + pixels.dtype.type(2 ** (whole - 1) - 2 ** (bits - 1))
    data = bytearray(saved(Image.fromarray(shifted), "JPEG2000"))
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    start = data.index(b"\xff\x4f\xff\x51") + 42  # of the depths, each less one
    data[start : start + 3 * channels : 3] = bytes([bits - 1]) * channels
    data[data.index(b"ihdr") + 14] = bits - 1
    return bytes(data)


@pytest.mark.skipif(not features.check("jpg_2000"), reason="Pillow reads no JPEG 2000")
def test_jpeg_2000_of_any_number_of_bits() -> None:
    rng = np.random.default_rng(0)
    for bits in (1, 3, 4, 7, 8, 10, 12, 15, 16):
        dtype = np.uint8 if bits <= 8 else np.uint16
        for shape in [(6, 7), (6, 7, 3), (6, 7, 4)][: 3 if bits <= 8 else 1]:
            x = rng.integers(0, 2**bits, shape).astype(dtype)
            x[0, 0], x[0, 1] = 0, 2**bits - 1
            found = np.asarray(plain(jpeg2000(x, bits)))
            assert found.dtype == dtype
            expected = x / (2**bits - 1) * np.iinfo(dtype).max
            np.testing.assert_allclose(found, expected, atol=0.501, err_msg=str((bits, shape)))


@pytest.mark.skipif(not features.check("jpg_2000"), reason="Pillow reads no JPEG 2000")
def test_jpeg_2000_that_pillow_reads_wrong_is_refused() -> None:
    data = saved(Image.fromarray(COLORS), "JPEG2000")
    depth = data.index(b"\xff\x4f\xff\x51") + 42
    for value in (9, 11, 15):
        deep = bytearray(data)
        deep[depth : depth + 9 : 3] = bytes([value]) * 3
        refused(bytes(deep), f"its channels have {value + 1} bits")
        deep[depth] = 7
        refused(bytes(deep), "different numbers of bits")
        deep[depth] = 135
        refused(bytes(deep), "have a sign")

    def with_box(kind: bytes, content: bytes, instead: bool = False) -> bytes:
        """Return the file with another box in its header, in front of or instead of the colors."""
        box = struct.pack(">I", 8 + len(content)) + kind + content
        header, colors = data.index(b"jp2h") - 4, data.index(b"colr") - 4
        old = 15 if instead else 0
        size = struct.pack(">I", struct.unpack_from(">I", data, header)[0] + len(box) - old)
        return data[:header] + size + data[header + 4 : colors] + box + data[colors + old :]

    channels = struct.pack(">10H", 3, 0, 0, 1, 1, 0, 2, 2, 0, 3)
    assert plain(with_box(b"cdef", channels)).tobytes() == COLORS.tobytes()
    backwards = struct.pack(">10H", 3, 0, 0, 3, 1, 0, 2, 2, 0, 1)
    refused(with_box(b"cdef", backwards), "another order")
    premultiplied = struct.pack(">10H", 3, 0, 0, 1, 1, 0, 2, 2, 2, 0)
    refused(with_box(b"cdef", premultiplied), "multiplied by alpha")
    refused(with_box(b"pclr", b"\0\1\1\7\0"), "color table")
    text = struct.pack(">I", 24) + b"xml abcdefghijklmnop"  # not the order of the channels
    assert plain(data[: (end := data.index(b"jp2c") - 4)] + text + data[end:]).mode == "RGB"
    refused(with_box(b"colr", b"\1\0\0" + struct.pack(">I", 14), instead=True), "rare kind")  # Lab
    own = b"\2\0\0" + color_profile()
    assert plain(with_box(b"colr", own, instead=True)).info["icc_profile"] == color_profile()


# GIF


def gif(*frames: tuple[Array, Array | None], table: Array | None = None) -> bytes:
    """Return a GIF of frames (H, W), each with a color table (256, 3) of its own or the common one.

    Its codes are all of 9 bits, since the decoder is told to start anew before they grow.
    """
    h, w = frames[0][0].shape
    flags, common = (0, b"") if table is None else (0x87, table.astype(np.uint8).tobytes())
    data = b"GIF89a" + struct.pack("<2H3B", w, h, flags, 0, 0) + common
    for pixels, own in frames:
        codes = [c for i, v in enumerate(pixels.ravel()) for c in ([256] * (i % 200 == 0) + [v])]
        bits = sum(int(code) << 9 * i for i, code in enumerate([*codes, 257]))
        packed = bits.to_bytes(len(codes) * 9 // 8 + 3, "little")
        blocks = (packed[i : i + 255] for i in range(0, len(packed), 255))
        local = b"" if own is None else own.astype(np.uint8).tobytes()
        data += b"!\xf9\4\0\x0a\0\0\0," + struct.pack("<4HB", 0, 0, w, h, 0x87 if local else 0)
        data += local + b"\x08" + b"".join(bytes([len(b)]) + b for b in blocks) + b"\0"
    return data + b";"


def test_a_gif_with_a_table_of_grays(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grays, colors = RAMP[:, None].repeat(3, 1), rng.integers(0, 256, (256, 3))
    a, b = rng.integers(0, 256, (2, 5, 6))
    path = tmp_path / "a.gif"
    for common in (grays, colors, None):
        for first in (grays, colors, None):
            for second in (grays, colors, None):
                if common is None and (first is None or second is None):
                    continue
                path.write_bytes(gif((a, first), (b, second), table=common))
                with open_image(path) as opened:
                    frames = [np.asarray(frame.convert("RGB")) for frame in plain_frames(opened)]
                for frame, x, own in zip(frames, (a, b), (first, second), strict=True):
                    used = common if own is None else own
                    np.testing.assert_array_equal(frame, used[x])
                assert upscale(path).mode == "RGB"


# Colors


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(pixels: Array, **chunks: bytes) -> bytes:
    """Return a PNG with more chunks."""
    data = saved(Image.fromarray(pixels), "PNG")
    more = b"".join(chunk(name.encode(), value) for name, value in chunks.items())
    return data[:33] + more + data[33:]  # after the header


def gamma(value: float) -> bytes:
    return struct.pack(">I", round(value * 10**5))


def chromaticities(values: tuple[float, ...]) -> bytes:
    return struct.pack(">8I", *(round(value * 10**5) for value in values))


def test_the_text_of_a_png_is_no_field(tmp_path: Path) -> None:
    """Keywords are free, and Pillow has names of its own for what it read of the picture."""
    keys = (
        *("aspect", "bbox", "blend", "chromaticity", "cicp", "default_image", "disposal", "dpi"),
        *("duration", "exif", "gamma", "icc_profile", "interlace", "jfif_unit", "loop"),
        *("photoshop", "resolution", "srgb", "transparency", "xmp"),
    )
    path = tmp_path / "a.png"
    for film in (False, True):
        image = Image.fromarray(COLORS)
        more = {"save_all": True, "append_images": [image.rotate(90)], "duration": 70}
        data = saved(image, "PNG", dpi=(100, 200), **(more if film else {}))
        places = [33, data.index(b"IDAT") - 4, len(data) - 12]  # after the header; at the end
        path.write_bytes(data)
        with open_image(path) as opened:
            expected = list(plain_frames(opened))
        for key, place in product(keys, places):
            text = chunk(b"tEXt", key.encode() + b"\0words")
            path.write_bytes(data[:place] + text + data[place:])
            with open_image(path) as opened:
                frames, runs = list(plain_frames(opened)), loops(opened)
            assert runs == 0, key
            for frame, like in zip(frames, expected, strict=True):
                assert frame.tobytes() == like.tobytes(), key
                kept = frame.info.pop("kept_metadata", {})
                assert film or kept == {"text": {key: "words"}}
                assert frame.info == like.info, key


def test_exif_in_the_text_of_a_png_turns_it(tmp_path: Path) -> None:
    exif, path = Image.Exif(), tmp_path / "a.png"
    exif[0x0112] = 6
    data = exif.tobytes()
    for name in (b"exif", b"APP1"):  # ImageMagick has had both
        digits = b"\n%b\n%8d\n%b\n" % (name, len(data), data.hex().encode())
        path.write_bytes(png(COLORS, tEXt=b"Raw profile type %b\0%b" % (name, digits)))
        np.testing.assert_array_equal(read_image(path), np.rot90(COLORS, -1))


def test_long_texts_and_profiles_of_png(tmp_path: Path) -> None:
    text = b"Workflow\0\0" + zlib.compress(b"x" * 2_000_000)
    profile = b"p\0\0" + zlib.compress(color_profile() + bytes(2_000_000))
    path = tmp_path / "a.png"
    path.write_bytes(png(COLORS, zTXt=text, iCCP=profile))
    with open_image(path) as opened:
        (frame,) = plain_frames(opened)
    assert len(frame.info["kept_metadata"]["text"]["Workflow"]) == 2_000_000
    path.write_bytes(png(COLORS, zTXt=b"Workflow\0\0" + zlib.compress(bytes(100_000_000))))
    with pytest.raises(ValueError, match="too large"):
        open_image(path)


D65 = 0.3127, 0.3290
SRGB = (*D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
P3 = (*D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
BT2020 = (*D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046)
CURVE = 0.0  # of sRGB


def to_xyz(xy: tuple[float, ...]) -> Array:
    """Return the matrix from linear RGB to XYZ, by SMPTE RP 177."""
    xyz = np.array([(x / y, 1, (1 - x - y) / y) for x, y in np.reshape(xy, (4, 2))])
    return xyz[1:].T * np.linalg.solve(xyz[1:].T, xyz[0])


def in_srgb(x: Array, xy: tuple[float, ...], g: float) -> Array:
    """Return colors with these primaries and this gamma as sRGB, by IEC 61966-2-1."""
    x = x / 255
    linear = x**g if g else np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    linear = (linear @ (np.linalg.inv(to_xyz(SRGB)) @ to_xyz(xy)).T).clip(0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def check_colors(data: bytes, xy: tuple[float, ...], g: float, x: Array = COLORS) -> None:
    """Check that an image comes with a profile that means these primaries and this gamma."""
    found = plain(data)
    own = found.info.get("icc_profile")
    if (xy, g) == (SRGB, CURVE):
        assert own is None
        return
    assert own[24:36] == struct.pack(">6H", 2000, 1, 1, 0, 0, 0)  # not now: the same bits again
    profile = ImageCms.ImageCmsProfile(io.BytesIO(own))
    srgb = ImageCms.createProfile("sRGB")
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    shown = ImageCms.profileToProfile(Image.fromarray(x), profile, srgb, intent, outputMode="RGB")
    expected = in_srgb(np.broadcast_to(x.reshape(*x.shape[:2], -1), (*x.shape[:2], 3)), xy, g)
    error = np.abs(np.asarray(shown) - expected)
    assert error.mean() < 0.6  # dark grays are converted less exactly
    assert x.ndim == 2 or error.max() < 1.1
    assert found.convert("RGB").tobytes() == Image.fromarray(x).convert("RGB").tobytes()


def test_gamma_and_primaries_of_png() -> None:
    for chunks, xy, g in [
        *[({"gAMA": gamma(1 / 2.2)}, SRGB, CURVE), ({"gAMA": gamma(1)}, SRGB, 1)],
        ({"gAMA": gamma(1 / 2.2), "cHRM": chromaticities(SRGB)}, SRGB, CURVE),
        ({"gAMA": gamma(1 / 1.8), "cHRM": chromaticities(SRGB)}, SRGB, 1.8),
        ({"gAMA": gamma(1 / 2.2), "cHRM": chromaticities(P3)}, P3, 2.2),
        ({"gAMA": gamma(1), "sRGB": b"\0"}, SRGB, CURVE),  # which comes before gamma
        ({"gAMA": gamma(1), "cHRM": chromaticities(P3), "cICP": b"\x01\x0d\0\1"}, SRGB, CURVE),
        ({"tEXt": b"Comment\0IDAT, \0\0\0\4cICP\1\x08\0\1", "cICP": b"\x0c\x0d\0\1"}, P3, CURVE),
        *[({"cICP": b"\x0c\x0d\0\1"}, P3, CURVE), ({"cICP": b"\x09\x0e\0\1"}, BT2020, 2.4)],
        *[({"cICP": b"\x02\x02\0\1"}, SRGB, CURVE), ({"cICP": b"\x01\x08\0\1"}, SRGB, 1)],
        ({"cICP": b"\x01\x08\0\1", "iCCP": b"x\0\0" + zlib.compress(color_profile())}, SRGB, 1),
    ]:
        check_colors(png(COLORS, **chunks), xy, g)
    both = {"gAMA": gamma(1), "iCCP": b"x\0\0" + zlib.compress(color_profile())}
    assert plain(png(COLORS, **both)).info["icc_profile"] == color_profile()


def test_gamma_of_gray() -> None:
    x = COLORS[..., 0].copy()
    check_colors(png(x, gAMA=gamma(1 / 1.4), cHRM=chromaticities(P3)), SRGB, 1.4, x)
    deep = to_plain_mode(Image.open(io.BytesIO(png(x.astype(np.uint16) * 257, gAMA=gamma(1)))))
    assert deep.mode == "I;16"
    assert deep.info["icc_profile"][16:20] == b"GRAY"


def test_colors_that_cannot_be_kept_are_refused_or_left_out_with_a_line() -> None:
    for numbers, words in [
        *[(b"\x09\x10\0\1", r"HDR \(PQ\)"), (b"\x09\x12\0\1", r"HDR \(HLG\)")],
        *[(b"\x01\x0d\0\0", "rare kind"), (b"\x16\x0d\0\1", "rare kind")],
    ]:
        refused(png(COLORS, cICP=numbers), words)
    for chunks in (
        {"cHRM": chromaticities(P3)},  # without a gamma
        {"gAMA": gamma(0)},
        {"gAMA": gamma(1), "cHRM": chromaticities((0,) * 8)},
        {"gAMA": gamma(1), "cHRM": chromaticities((0.3,) * 8)},
        {"iCCP": b"x\0\0broken"},
    ):
        with pytest.warns(
            UserWarning, match="what it says of its colors is broken, rare or does not"
        ):
            assert plain(png(COLORS, **chunks)).info == {}


@pytest.mark.skipif(not features.check("avif"), reason="Pillow reads no AVIF")
def test_colors_and_bits_of_avif(tmp_path: Path) -> None:
    image = Image.new("RGB", (16, 16), (200, 100, 50))
    data = saved(image, "AVIF", quality=100, subsampling="4:4:4")
    start = data.index(b"colrnclx") + 8
    for numbers, xy, g in [
        *[((1, 13), SRGB, CURVE), ((1, 1), SRGB, CURVE), ((2, 2), SRGB, CURVE)],
        *[((12, 13), P3, CURVE), ((9, 14), BT2020, CURVE), ((1, 8), SRGB, 1)],
    ]:
        changed = data[:start] + struct.pack(">2H", *numbers) + data[start + 4 :]
        check_colors(changed, xy, g, np.asarray(plain(data)))
    for transfer in (16, 18):
        refused(data[:start] + struct.pack(">2H", 9, transfer) + data[start + 4 :], "HDR")
    image = Image.open(io.BytesIO(data))
    assert bits_of(image) == 8
    bits = data.index(b"pixi") + 9
    image.filename = tmp_path / "a.avif"  # with another number of bits than its pixels
    image.filename.write_bytes(data[:bits] + b"\x0a" + data[bits + 1 :])
    with pytest.warns(UserWarning, match="a.avif: has 10 bits a channel, of which 8 are read"):
        to_plain_mode(image)


def bmp(kind: bytes, red: bytes = bytes(12)) -> bytes:
    """Return a BMP of version 5, with the kind of its colors and where red is in XYZ."""
    pixels = COLORS[::-1, :, ::-1].tobytes()
    header = struct.pack("<I2i2H6I", 124, 8, 8, 1, 24, 0, len(pixels), 2835, 2835, 0, 0) + bytes(16)
    header = (header + kind + red).ljust(124, b"\0")
    return struct.pack("<2sI4xI", b"BM", 138 + len(pixels), 138) + header + pixels


def test_colors_of_bmp() -> None:
    for kind in (b"BGRs", b" niW", bytes(4)):  # sRGB, the system's, nothing but zeros
        check_colors(bmp(kind), SRGB, CURVE)
    for data in (bmp(b"DEBM"), bmp(b"KNIL"), bmp(bytes(4), b"\1" * 12)):
        with pytest.warns(UserWarning, match="what it says of its colors"):
            plain(data)


def test_colors_of_tiff() -> None:
    x = COLORS.astype(int)
    check_colors(tiff(x, color=2, t318=[*SRGB[:2]], t319=[*SRGB[2:]]), SRGB, CURVE)
    check_colors(tiff(x, color=2, t318=[*P3[:2]], t319=[*P3[2:]]), P3, 2.2)
    for tags in ({"t318": [0.0, 0.0]}, {"t319": [0.3]}, {"t301": [0, 65535] * 128}):
        with pytest.warns(UserWarning, match="what it says of its colors"):
            assert "icc_profile" not in plain(tiff(x, color=2, **tags)).info


# Others


def psd(alpha: Array, mode: int = 3, layers: int = 0) -> bytes:
    """Return a PSD of RGB and a fourth channel, whose layers are a number and nothing else."""
    planes = np.concatenate([COLORS, alpha[..., None]], axis=2).transpose(2, 0, 1)
    head = struct.pack(">4sH6xH2I2H8x", b"8BPS", 1, 4, 8, 8, 8, mode)
    return head + struct.pack(">2Ih2xH", 8, 2, layers, 0) + planes.tobytes()


def tga(alpha: Array, flags: int, kind: int | None = None) -> bytes:
    """Return a TGA, whose extension tells the kind of alpha."""
    pixels = np.concatenate([COLORS[..., ::-1], alpha[..., None]], axis=2)
    data = struct.pack("<3B5x2x2x2HBB", 0, 0, 2, 8, 8, 32, flags) + pixels.tobytes()
    if kind is None:
        return data
    foot = struct.pack("<2I18s", len(data), 0, b"TRUEVISION-XFILE.")
    return data + struct.pack("<H492xB", 495, kind) + foot


def dds(kind: int, format_number: int = 28) -> bytes:
    """Return a DDS with the header of DirectX 10: half transparent gray."""
    head = struct.pack("<7I44x2I4s20x5I", 124, 0x1007, 8, 8, 0, 0, 0, 32, 4, b"DX10", *[0] * 5)
    numbers = struct.pack("<5I", format_number, 3, 0, 1, kind)
    return b"DDS " + head + numbers + bytes([90, 90, 90, 128]) * 64


def test_what_is_no_alpha_makes_nothing_transparent() -> None:
    alpha = np.zeros((8, 8), np.uint8)
    for name, data, mode in [
        ("a selection, without layers", psd(alpha), "RGB"),
        ("a selection beside layers", psd(alpha, layers=1), "RGB"),
        ("the alpha of all layers", psd(alpha, layers=-1), "RGBA"),
        ("no bits of alpha", tga(alpha, 0x20), "RGB"),
        ("eight bits", tga(alpha, 0x28), "RGBA"),
        ("of no use", tga(alpha, 0x28, 1), "RGB"),
        ("of no use, but kept", tga(alpha, 0x28, 2), "RGB"),
        ("of use", tga(alpha, 0x28, 3), "RGBA"),
        ("alpha", dds(1), "RGBA"),
        ("opaque", dds(3), "RGB"),
    ]:
        found = plain(data)
        assert found.mode == mode, name
        if data[:3] != b"DDS":
            np.testing.assert_array_equal(np.asarray(found)[..., :3], COLORS, err_msg=name)
    refused(tga(alpha, 0x28, 4), "multiplied by alpha")
    refused(dds(2), "multiplied by alpha")


def test_inks_of_their_own_hdr_and_tables_are_refused() -> None:
    refused(psd(RAMP[:64].reshape(8, 8).astype(np.uint8), mode=7), "inks of their own")
    refused(dds(0, 95), "HDR")  # BC6H
    head = struct.pack(">H2B4H2I4x80sI404x", 474, 0, 1, 2, 8, 8, 1, 0, 255, b"", 0)
    assert plain(head + bytes(64)).mode == "L"
    refused(head[:104] + struct.pack(">I", 1) + head[108:] + bytes(64), "those of a table")
    refused(gif((np.zeros((4, 4), int), None)), "no color table")


def test_the_five_bits_of_a_bmp_are_no_sixteen() -> None:
    head = struct.pack("<2sI4xI", b"BM", 70, 66) + struct.pack(
        "<I2i2H6I", 40, 2, 1, 1, 16, 3, *[4] * 5
    )
    data = head + struct.pack("<3I2H", 0xF800, 0x7E0, 0x1F, 0xF800, 0x7E0)
    opened = Image.open(io.BytesIO(data))
    assert bits_of(opened) == 8
    assert np.asarray(to_plain_mode(opened)).tolist() == [[[255, 0, 0], [0, 255, 0]]]
