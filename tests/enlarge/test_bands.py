"""PNG written in bands: what Pillow and OpenCV read of it, and the memory that it takes."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from matplotlib.cbook import get_sample_data
from PIL import Image, PngImagePlugin

from npespcn.common import Array
from npespcn.enlarge.bands import BandedImage
from npespcn.enlarge.picture import upscale, upscale_to_png
from npespcn.models import ESPCN

MODES = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "I;16": 1}


def pixels(mode: str, h: int, w: int) -> Array:
    """Return a picture of noise, ramps and repetition."""
    white, k = (65535, 1) if mode == "I;16" else (255, MODES[mode])
    rng = np.random.default_rng(0)
    rows, columns, planes = np.indices((h, w, k))
    kinds = [
        rng.integers(0, white, (h, w, k), endpoint=True),
        rng.integers(0, white, (h, w, k))[rows // 6, columns // 7, planes] // 2
        + (rows + columns) % 3,
        (7 * columns + 3 * planes) % (white + 1),
        (rows + rng.integers(0, white, (1, w, k))) % (white + 1),
        (np.sin(rows / 9) * np.cos(columns / 7 + planes) * white / 3 + white / 2).astype(int),
    ]
    x = np.choose(rows // 20 % 5, kinds).astype(np.uint16 if mode == "I;16" else np.uint8)
    return x[..., 0] if k == 1 else x


def cut(x: Array, heights: list[int]) -> Iterator[Array]:
    yield from np.split(x, np.cumsum(heights))


def written(mode: str, x: Array, heights: list[int], **options: object) -> bytes:
    file = io.BytesIO()
    bands = (band for band in cut(x, heights) if len(band))
    BandedImage(mode, (x.shape[1], x.shape[0]), bands).save(file, "PNG", **options)
    return file.getvalue()


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        part, (crc,) = data[at + 8 :][:length], struct.unpack_from(">I", data, at + 8 + length)
        assert crc == zlib.crc32(kind + part)
        yield kind, part
        at += 12 + length


def test_other_readers_see_the_same_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    opencv = pytest.importorskip("cv2")
    for mode, (h, w), piece in product(
        MODES, [(1, 1), (1, 40), (40, 1), (103, 57)], [300, 1 << 20]
    ):
        monkeypatch.setattr("npespcn.enlarge.bands._PIECE", piece)
        x = pixels(mode, h, w)
        data = written(mode, x, [1, 69, 20] if h > 40 else [])
        with Image.open(io.BytesIO(data)) as image:
            assert image.mode == mode
            np.testing.assert_array_equal(np.asarray(image), x, f"{mode} {h} {w}")
        stream = b"".join(part for kind, part in chunks(data) if kind == b"IDAT")
        rows = zlib.decompress(stream)  # which checks its sum
        assert len(rows) == h * (1 + x[0].nbytes)
        if mode != "LA":  # which OpenCV makes RGBA
            other = opencv.imdecode(np.frombuffer(data, np.uint8), opencv.IMREAD_UNCHANGED)
            order = {"RGB": [2, 1, 0], "RGBA": [2, 1, 0, 3]}.get(mode)
            np.testing.assert_array_equal(other[..., order] if order else other, x)


def test_all_else_is_as_pillow_writes_it() -> None:
    x, text = pixels("RGB", 20, 30), PngImagePlugin.PngInfo()
    text.add_text("IDAT", "IDAT IHDR")
    exif = Image.Exif()
    exif[0x8298] = "somebody"
    options = {"dpi": (300, 150), "pnginfo": text, "exif": exif, "icc_profile": b"a profile"}
    whole = io.BytesIO()
    Image.fromarray(x).save(whole, "PNG", **options)
    with (
        Image.open(io.BytesIO(written("RGB", x, [], **options))) as ours,
        Image.open(whole) as pillows,
    ):
        for image in (ours, pillows):
            image.load()
        assert ours.info == pillows.info
        assert ours.getexif() == pillows.getexif()
        assert len(ours.info) > 3


def test_photographs_are_nearly_as_small_as_pillows() -> None:
    with get_sample_data("grace_hopper.jpg") as file, Image.open(file) as photograph:
        x = np.array(upscale(photograph.crop((200, 40, 320, 160)), 3))
    whole = io.BytesIO()
    Image.fromarray(x).save(whole, "PNG")
    assert len(written("RGB", x, [100])) < 1.04 * len(whole.getvalue())


def test_an_image_is_enlarged_in_bands_as_at_once() -> None:
    model = ESPCN(2, seed=3, padding="edge")
    for mode in MODES:
        image, file = Image.fromarray(pixels(mode, 64, 40)), io.BytesIO()
        image.info["dpi"] = (1, 2)
        calls: list[tuple[int, ...]] = []
        larger = upscale_to_png(image, model, 7, progress=lambda *n, to=calls: to.append(n))
        assert (larger.size, larger.mode, larger.info["dpi"]) == ((80, 128), mode, (1, 2))
        larger.save(file, "PNG")
        with Image.open(file) as read:
            expected = upscale(image, model=model, tile=7)
            np.testing.assert_array_equal(np.asarray(read), np.asarray(expected))
        looked_at, again = upscale_to_png(image, model, 7), io.BytesIO()
        np.testing.assert_array_equal(np.asarray(looked_at.copy()), np.asarray(expected))
        looked_at.save(again, "PNG")
        with Image.open(again) as read:
            np.testing.assert_array_equal(np.asarray(read), np.asarray(expected))
        assert sorted(calls) == [(i + 1, len(calls)) for i in range(len(calls))]


@pytest.mark.slow
def test_the_result_is_never_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture four times as tall takes as much."""
    monkeypatch.setenv("NPESPCN_THREADS", "1")
    model, peaks = ESPCN(4, padding="edge"), []
    for h in (704, 704, 1760):  # once for what stays for ever
        image = Image.fromarray(pixels("RGB", h, 96))
        tracemalloc.start()
        try:
            with open(os.devnull, "wb") as file:
                upscale_to_png(image, model, 32).save(file, "PNG")
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    result = 1760 * 96 * 16 * 3
    assert peaks[2] - peaks[1] < result / 5
