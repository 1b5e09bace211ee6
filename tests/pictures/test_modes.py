"""The modes that pictures come in: what each becomes, upright, with what is known about it."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from itertools import product
from typing import Any

import numpy as np
import pytest
from helpers import color_profile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from npespcn.common import Array
from npespcn.pictures.files import pillow_errors
from npespcn.pictures.modes import name_of, on_white, to_plain_mode

PLAIN_MODES = ("L", "LA", "RGB", "RGBA", "I;16")
GRAY, COLOR, PALETTE, GRAY_ALPHA, COLOR_ALPHA = 0, 2, 3, 4, 6  # PNG's kinds


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def saved(image: Image.Image, image_format: str, **options: Any) -> Image.Image:
    """Return the picture as it comes back from a file."""
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return opened(file.getvalue())


def png(width: int, bits: int, kind: int, row: bytes, **chunks: bytes) -> Image.Image:
    """Return a PNG of one row, of kinds that Pillow reads but does not write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, 1, bits, kind, 0, 0, 0))]
    parts += [chunk(name.encode(), data) for name, data in chunks.items()]
    parts += [chunk(b"IDAT", zlib.compress(b"\0" + row)), chunk(b"IEND", b"")]
    return opened(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def tiff(pixels: Array, order: str = "<") -> Image.Image:
    """Return an uncompressed TIFF of uint16, (H, W) or (H, W, 3), in either byte order."""
    h, w = pixels.shape[:2]
    k = pixels.size // (h * w)
    data = pixels.astype(f"{order}u2").tobytes()
    bits = 8 + len(data)
    entries = [
        *[(256, 3, 1, w), (257, 3, 1, h), (258, 3, k, 16 if k == 1 else bits), (259, 3, 1, 1)],
        *[(262, 3, 1, 1 if k == 1 else 2), (273, 4, 1, 8), (277, 3, 1, k), (278, 3, 1, h)],
        (279, 4, 1, len(data)),
    ]
    directory = struct.pack(f"{order}H", len(entries))
    for tag, kind, count, value in entries:
        code = "HHIHxx" if kind == 3 and count == 1 else "HHII"
        directory += struct.pack(order + code, tag, kind, count, value)
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(f"{order}HI", 42, bits + 8)
    return opened(head + data + struct.pack(f"{order}4H", *[16] * 4) + directory + bytes(4))


def pixels_of(image: Image.Image) -> list[Any]:
    """Return the pixels of a picture of one row."""
    return np.asarray(image)[0].tolist()


def noise(h: int, w: int, channels: int = 3) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (h, w, channels), np.uint8))


# 8 bits and fewer


def test_every_mode() -> None:
    for mode, color, plain, pixel in [
        *[("1", 0, "L", 0), ("1", 1, "L", 255), ("L", 7, "L", 7), ("LA", (7, 9), "LA", (7, 9))],
        ("La", (100, 200), "LA", (127, 200)),
        *[("RGB", (1, 2, 3), "RGB", (1, 2, 3)), ("RGBX", (1, 2, 3, 4), "RGB", (1, 2, 3))],
        ("RGBA", (1, 2, 3, 4), "RGBA", (1, 2, 3, 4)),
        ("RGBa", (50, 100, 0, 100), "RGBA", (127, 255, 0, 100)),
        *[("CMYK", (0, 0, 0, 0), "RGB", (255,) * 3), ("CMYK", (0, 0, 0, 255), "RGB", (0,) * 3)],
        ("CMYK", (255, 0, 0, 0), "RGB", (0, 255, 255)),
        *[
            ("YCbCr", (128, 128, 128), "RGB", (128,) * 3),
            ("HSV", (0, 255, 255), "RGB", (255, 0, 0)),
        ],
        *[("I;16", 40001, "I;16", 40001), ("I", 65535, "I;16", 65535), ("I", 0, "I;16", 0)],
        *[("I;16L", 258, "I;16", 258), ("I;16B", 258, "I;16", 258), ("I;16N", 258, "I;16", 258)],
    ]:
        image = Image.new(mode, (3, 2), color)
        result = to_plain_mode(image)
        assert (result.mode, result.size, result.info) == (plain, (3, 2), {}), (
            mode,
            color,
            plain,
            pixel,
        )
        assert {result.getpixel((x, y)) for x in range(3) for y in range(2)} == {pixel}, (
            mode,
            color,
            plain,
            pixel,
        )
        assert result is not image, (mode, color, plain, pixel)


def test_lab_white_and_black() -> None:
    for lightness, gray in ((255, 255), (0, 0)):
        image = saved(Image.new("LAB", (1, 1), (lightness, 128, 128)), "TIFF")
        assert image.mode == "LAB"
        assert np.abs(np.asarray(to_plain_mode(image)).astype(int) - gray).max() <= 2


def test_pixels_without_a_known_range_are_refused() -> None:
    for mode in ["F", "I"]:
        with pytest.raises(ValueError, match=r"no known range; save it with 8 or 16 bits"):
            to_plain_mode(Image.new(mode, (3, 2), 65536))


def test_a_palette_with_and_without_transparency() -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.putdata([0, 1, 2])
    opaque = to_plain_mode(saved(image, "PNG"))
    assert (opaque.mode, pixels_of(opaque)) == ("RGB", [[10, 20, 30], [40, 50, 60], [70, 80, 90]])
    for transparency, alphas in [(1, [255, 0, 255]), (b"\x05\x06", [5, 6, 255])]:
        clear = to_plain_mode(saved(image, "PNG", transparency=transparency))
        assert clear.mode == "RGBA"
        assert pixels_of(clear) == [
            [10, 20, 30, alphas[0]],
            [40, 50, 60, alphas[1]],
            [70, 80, 90, alphas[2]],
        ]
    unused = to_plain_mode(saved(image, "PNG", transparency=2).crop((0, 0, 2, 1)))
    assert unused.mode == "RGB"


def test_a_palette_with_alpha_of_its_own() -> None:
    image = Image.new("PA", (1, 1))
    image.putpalette([10, 20, 30])
    image.putalpha(99)
    assert pixels_of(to_plain_mode(image)) == [[10, 20, 30, 99]]


def test_a_transparent_gray_in_any_number_of_bits() -> None:
    for bits, row, clear, pixels in [
        (1, 0b01000000, 1, [[0, 255], [255, 0], [0, 255]]),
        (1, 0b01000000, 0, [[0, 0], [255, 255], [0, 0]]),
        (2, 0b00011000, 1, [[0, 255], [85, 0], [170, 255]]),
        (4, 0x5A70, 5, [[85, 0], [170, 255], [119, 255]]),
        (8, 0x05FF06, 5, [[5, 0], [255, 255], [6, 255]]),
    ]:
        data = row.to_bytes((3 * bits + 7) // 8, "big")
        plain = to_plain_mode(png(3, bits, GRAY, data, tRNS=struct.pack(">H", clear)))
        assert (plain.mode, pixels_of(plain)) == ("LA", pixels), (bits, row, clear, pixels)


def test_a_transparent_color() -> None:
    row = bytes([1, 2, 3, 1, 2, 4, 0, 2, 3])
    plain = to_plain_mode(png(3, 8, COLOR, row, tRNS=struct.pack(">3H", 1, 2, 3)))
    assert plain.mode == "RGBA"
    assert pixels_of(plain) == [[1, 2, 3, 0], [1, 2, 4, 255], [0, 2, 3, 255]]


def test_the_transparent_color_of_a_gif() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([9, 8, 7, 200, 100, 50])
    image.putdata([0, 1])
    assert pixels_of(to_plain_mode(saved(image, "GIF", transparency=0))) == [
        [9, 8, 7, 0],
        [200, 100, 50, 255],
    ]


# 16 bits


def test_gray_of_16_bits_in_either_byte_order() -> None:
    for order in ["<", ">"]:
        x = np.array([[0, 1, 258, 65535], [40001, 2, 3, 256]], np.uint16)
        plain = to_plain_mode(tiff(x, order))
        assert plain.mode == "I;16", order
        np.testing.assert_array_equal(np.asarray(plain), x, strict=True)


def test_gray_of_16_bits_in_png_and_pgm() -> None:
    row = struct.pack(">3H", 0, 258, 65535)
    for image in (png(3, 16, GRAY, row), opened(b"P5 3 1 65535\n" + row)):
        plain = to_plain_mode(image)
        assert (plain.mode, pixels_of(plain)) == ("I;16", [0, 258, 65535])


def test_colors_of_16_bits_are_not_cut_in_silence() -> None:
    for image, mode in [
        (png(1, 16, COLOR, bytes(range(6))), "RGB"),
        (png(1, 16, COLOR_ALPHA, bytes(range(8))), "RGBA"),
        (png(1, 16, GRAY_ALPHA, bytes(range(4))), "RGBA"),
        (tiff(np.arange(3, dtype=np.uint16).reshape(1, 1, 3)), "RGB"),
        (tiff(np.arange(3, dtype=np.uint16).reshape(1, 1, 3), ">"), "RGB"),
        (opened(b"P6 1 1 65535\n" + bytes(range(6))), "RGB"),
    ]:
        with pytest.warns(UserWarning, match=r"has 16 bits a channel, of which 8 are read"):
            assert to_plain_mode(image).mode == mode, (image, mode)


def test_colors_of_8_bits_are_read_in_silence() -> None:
    for image_format in ("PNG", "TIFF", "PPM", "JPEG", "BMP", "WEBP"):
        assert to_plain_mode(saved(noise(4, 5), image_format)).mode == "RGB"


def test_a_transparent_gray_of_16_bits() -> None:
    image = png(3, 16, GRAY, struct.pack(">3H", 0, 40001, 40000), tRNS=struct.pack(">H", 40001))
    with pytest.warns(UserWarning, match=r"has 16 bits a channel, of which 8 are read"):
        plain = to_plain_mode(image)
    assert (plain.mode, pixels_of(plain)) == ("LA", [[0, 255], [156, 0], [156, 255]])


def test_a_transparent_color_of_16_bits() -> None:
    row = struct.pack(">6H", 40000, 40001, 50000, 1, 2, 3)
    image = png(2, 16, COLOR, row, tRNS=row[:6])
    with pytest.warns(UserWarning, match="16 bits") as said:
        plain = to_plain_mode(image)
    assert pixels_of(plain) == [[156, 156, 195], [0, 0, 0]]
    assert [str(each.message).partition(": ")[2] for each in said] == [
        "has 16 bits a channel, of which 8 are read",
        "left out: a transparent color of 16 bits",  # for Pillow reads eight of them
    ]


def test_bits_of_a_transparent_color_that_do_not_count() -> None:
    for bits, row, clear in ((2, 0b00011000, 1), (4, 0x5A70, 5), (8, 0x05FF06, 5)):
        data = row.to_bytes((3 * bits + 7) // 8, "big")
        plain = to_plain_mode(png(3, bits, GRAY, data, tRNS=struct.pack(">H", 0xFF00 | clear)))
        assert [pixel[1] for pixel in pixels_of(plain)].count(0) == 1, bits
    row = bytes([1, 2, 3, 1, 2, 4])
    plain = to_plain_mode(png(2, 8, COLOR, row, tRNS=struct.pack(">3H", 0xFF01, 0x102, 3)))
    assert pixels_of(plain) == [[1, 2, 3, 0], [1, 2, 4, 255]]


# Turned upright


def turned(x: Array, turn: int) -> Array:
    """Return what a viewer shows of the stored pixels (H, W, ...), by EXIF's definition.

    It says where the stored first row and first column are to be shown.
    """
    rows_become_columns = turn > 4
    first_row_at_end = turn in (3, 4, 6, 7)  # bottom, bottom, right, right
    first_column_at_end = turn in (2, 3, 7, 8)  # right, right, bottom, bottom
    x = x[::-1] if first_row_at_end else x
    x = x[:, ::-1] if first_column_at_end else x
    return x.swapaxes(0, 1) if rows_become_columns else x


def test_exif_orientations() -> None:
    for turn, image_format in product(range(1, 9), ["PNG", "TIFF", "WEBP"]):
        exif = Image.Exif()
        exif[0x112] = turn
        image = noise(4, 7)
        plain = to_plain_mode(saved(image, image_format, exif=exif, dpi=(100, 300), lossless=True))
        np.testing.assert_array_equal(np.asarray(plain), turned(np.asarray(image), turn))
        if image_format != "WEBP":  # which keeps no dpi
            assert plain.info["dpi"] == pytest.approx(
                (300, 100) if turn > 4 else (100, 300), abs=0.01
            ), (turn, image_format)


def test_every_mode_is_turned() -> None:
    for mode in ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"]:
        rng = np.random.default_rng(0)
        if mode == "I;16":
            image = Image.fromarray(rng.integers(0, 65536, (4, 7), np.uint16))
        elif mode == "CMYK":
            image = Image.frombytes("CMYK", (7, 4), rng.bytes(7 * 4 * 4))
        else:
            image = noise(4, 7, 4).convert(mode)
        upright = np.asarray(to_plain_mode(image))
        image.getexif()[0x112] = 6
        np.testing.assert_array_equal(np.asarray(to_plain_mode(image)), turned(upright, 6))


def test_an_orientation_that_does_not_exist_is_none() -> None:
    for turn in [0, 9, 255]:
        exif = Image.Exif()
        exif[0x112] = turn
        image = noise(4, 7)
        plain = to_plain_mode(saved(image, "PNG", exif=exif, dpi=(100, 300)))
        np.testing.assert_array_equal(np.asarray(plain), np.asarray(image))
        assert plain.info["dpi"] == pytest.approx((100, 300), abs=0.01), turn


def exif_with(tag: int, kind: int, count: int, value: bytes) -> bytes:
    """Return an EXIF block: orientation 6, and one more tag, as it never should be."""
    entries = sorted([(0x112, 3, 1, b"\x06\0\0\0"), (tag, kind, count, value)])
    body = b"".join(struct.pack("<HHI4s", *entry) for entry in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + body + bytes(12)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([0x100, 0x10E, 0x10F, 0x11A, 0x11B, 0x128, 0x213, 0x9000, 0x9C9B, 0xA005, 5]),
    st.integers(0, 13),
    st.integers(0, 8),
    st.sampled_from([b"\x26\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\0", b"abcd"]),
)
def test_broken_metadata_is_no_reason_not_to_read_the_pixels(
    tag: int, kind: int, count: int, value: bytes
) -> None:
    file = io.BytesIO()
    Image.new("RGB", (4, 2), (9, 8, 7)).save(file, "JPEG", exif=exif_with(tag, kind, count, value))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about what is broken
        plain = to_plain_mode(opened(file.getvalue()))
    assert plain.size in ((2, 4), (4, 2))  # turned, if so much could be read
    assert np.abs(np.asarray(plain).astype(int) - (9, 8, 7)).max() <= 2


def test_an_orientation_that_is_no_number_is_none() -> None:
    for value in ["ab", b"ab", float("nan"), (), None]:
        image = noise(4, 7)
        image.getexif()[0x112] = value
        assert to_plain_mode(image).tobytes() == image.tobytes(), value


def test_a_broken_tag_beside_the_orientation() -> None:
    """Copied, this one makes Pillow fail: text where a number should be."""
    file = io.BytesIO()
    exif = exif_with(0x100, 2, 4, b"abc\0")
    Image.new("RGB", (4, 2)).save(file, "JPEG", exif=exif)
    assert to_plain_mode(opened(file.getvalue())).size == (2, 4)


# What is known about a picture


def test_profile_and_resolution_stay() -> None:
    for mode in ["L", "P", "RGB", "RGBA"]:
        own = color_profile(mode.replace("P", "RGB"))
        image = saved(noise(3, 4).convert(mode), "PNG", icc_profile=own, dpi=(300, 150))
        info = to_plain_mode(image).info
        assert info.pop("dpi") == pytest.approx((300, 150), abs=0.02), mode
        assert info == {"icc_profile": own}, mode


def test_a_resolution_that_no_format_holds_is_dropped() -> None:
    for dpi in [
        *[(0, 0), (float("nan"), 72), (72, float("inf")), (-5, 72), (2**32, 72), "7x2", 72, (72,)],
        *[None, (72, 72, 72), ("a", "b"), (65536, 1)],
    ]:
        image = noise(3, 4)
        image.info |= {"dpi": dpi}
        assert to_plain_mode(image).info == {}, dpi


def test_a_profile_that_does_not_fit_is_left_out_with_a_line() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for mode, own in [
        *[("L", color_profile("RGB")), ("I;16", color_profile("RGB")), ("RGB", color_profile("L"))],
        *[("RGB", lab), ("P", color_profile("L")), ("RGBA", color_profile()[:200]), ("L", b"junk")],
        *[("CMYK", color_profile()), ("CMYK", b"junk"), ("LAB", color_profile())],
    ]:
        image = Image.new(mode, (2, 2))
        image.info["icc_profile"] = own
        with pytest.warns(UserWarning, match="its color profile is broken, rare or does not fit"):
            plain = to_plain_mode(image)
        assert plain.info == {}, (mode, own)
        assert to_plain_mode(image, quiet=True).tobytes() == plain.tobytes()
    image = Image.new("CMYK", (1, 1), (0, 255, 0, 0))
    assert pixels_of(to_plain_mode(image)) == [[255, 0, 255]]


def test_lab_with_its_profile() -> None:
    image = Image.new("LAB", (2, 2), (255, 128, 128))
    image.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    plain = to_plain_mode(image)
    assert (plain.mode, plain.info) == ("RGB", {})
    assert min(plain.getpixel((0, 0))) >= 253


def test_a_picture_is_not_modified() -> None:
    image = png(2, 8, COLOR, bytes(range(6)), tRNS=struct.pack(">3H", 0, 1, 2))
    image.load()
    image.getexif()[0x112] = 6
    state = image.tobytes(), image.mode, image.size, dict(image.info)
    to_plain_mode(image)
    assert (image.tobytes(), image.mode, image.size, image.info) == state
    assert image.getexif()[0x112] == 6


# On white


def test_alpha_goes_onto_white() -> None:
    for mode in ["LA", "RGBA"]:
        image = noise(5, 6, 4).convert(mode)
        x = np.asarray(image).astype(float)
        alpha = x[..., -1:] / 255
        expected = alpha * x[..., :-1] + (1 - alpha) * 255
        flat = on_white(image)
        assert flat.mode == mode[:-1], mode
        assert np.abs(np.asarray(flat).reshape(expected.shape) - expected).max() <= 1, mode


def test_16_bits_become_the_nearest_8() -> None:
    x = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    flat = np.asarray(on_white(Image.fromarray(x)))
    np.testing.assert_array_equal(flat, np.rint(x / 257).astype(np.uint8), strict=True)


def test_what_is_opaque_already_stays() -> None:
    for mode in ["L", "RGB"]:
        image = noise(3, 4).convert(mode)
        assert on_white(image).tobytes() == image.tobytes(), mode


# Mistakes


def test_no_memory_is_no_fault_of_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(image: Image.Image) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "load", load)
    with pytest.raises(MemoryError):
        to_plain_mode(noise(3, 4))


def test_an_image_without_a_file_is_the_picture() -> None:
    file = io.BytesIO()
    noise(40, 50).save(file, "PNG")
    image = opened(file.getvalue()[:2000])
    with (
        pytest.raises(ValueError, match=r"^the image: cannot be read as an image: "),
        pillow_errors(name_of(image)),
    ):
        to_plain_mode(image)


def test_what_is_lost_is_lost_in_silence_if_asked() -> None:
    for image in (
        png(1, 16, COLOR, bytes(range(6))),
        png(1, 16, GRAY, bytes(range(2)), tRNS=bytes(2)),
    ):
        to_plain_mode(image, quiet=True)
