"""Frames of GIF and animated PNG, against the rules of their standards in NumPy."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from npespcn import upscale
from npespcn.common import Array
from npespcn.models import ESPCN
from npespcn.pictures.files import open_image, read_image
from npespcn.pictures.formats import plain_frames

KEEP, CLEAR, RESTORE = 1, 2, 3  # what becomes of the place of a frame, as GIF counts
SOURCE, OVER = 0, 1
COLORS = np.random.default_rng(0).integers(0, 256, (4, 3))
OTHERS = np.random.default_rng(1).integers(0, 256, (4, 3))


def gif(size: tuple[int, int], frames: list[Any]) -> bytes:
    """Return a GIF of 4 colors, with frames (x, y, indexes (H, W), after, clear index, table)."""
    data = b"GIF89a" + struct.pack("<2H3B", *size, 0x81, 2, 0) + COLORS.astype(np.uint8).tobytes()
    for x, y, index, after, clear, table in frames:
        codes = [code for i in index.ravel() for code in (4, i)] + [5]  # each of 3 bits, cleared
        packed = sum(int(code) << 3 * i for i, code in enumerate(codes))
        lzw = packed.to_bytes(len(codes) * 3 // 8 + 1, "little")
        data += b"!\xf9\4" + bytes([after << 2 | (clear is not None), 5, 0, clear or 0, 0]) + b","
        data += struct.pack("<4HB", x, y, *index.shape[::-1], 0 if table is None else 0x81)
        data += b"" if table is None else table.astype(np.uint8).tobytes()
        blocks = (lzw[i : i + 255] for i in range(0, len(lzw), 255))
        data += b"\2" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"
    return data + b";"


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def apng(
    size: tuple[int, int], kind: int, clear: bytes, frames: list[Any], hidden: Any = None
) -> bytes:
    """Return an animated PNG of frames (x, y, pixels (H, W, k), after, blend).

    `hidden` is a picture for viewers without animated PNG.
    """

    def packed(pixels: Array) -> bytes:
        return zlib.compress(b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in pixels))

    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2I5B", *size, 8, kind, 0, 0, 0))
    data += chunk(b"PLTE", COLORS.astype(np.uint8).tobytes()) if kind == 3 else b""
    data += chunk(b"tRNS", clear) if clear else b""
    data += chunk(b"acTL", struct.pack(">2I", len(frames), 0))
    data += b"" if hidden is None else chunk(b"IDAT", packed(hidden))
    number = 0
    for x, y, pixels, after, blend in frames:
        h, w, _ = pixels.shape
        fields = (number, w, h, x, y, 1, 10, after - 1, blend)
        data += chunk(b"fcTL", struct.pack(">5I2H2B", *fields))
        if number or hidden is not None:
            data += chunk(b"fdAT", struct.pack(">I", number + 1) + packed(pixels))
            number += 2
        else:
            data += chunk(b"IDAT", packed(pixels))
            number += 1
    return data + chunk(b"IEND", b"")


def drawn(size: tuple[int, int], frames: list[Any]) -> list[Array]:
    """Return what is seen, (H, W, 4), of frames (x, y, RGBA, after, blend)."""
    canvas, seen = np.zeros((size[1], size[0], 4)), []
    for x, y, pixels, after, blend in frames:
        before = canvas.copy()
        place = canvas[y : y + len(pixels), x : x + pixels.shape[1]]
        new = pixels[: place.shape[0], : place.shape[1]].astype(float)
        if blend == OVER:
            a, b = new[..., 3:] / 255, place[..., 3:] / 255
            alpha = a + b * (1 - a)
            color = (a * new[..., :3] + (1 - a) * b * place[..., :3]) / np.maximum(alpha, 1e-9)
            new = np.concatenate([color, 255 * alpha], axis=2)
        place[:] = new
        seen.append(canvas.copy())
        if after == CLEAR:
            place[:] = 0
        elif after == RESTORE:
            canvas = before
    return seen


def check(path: Path, expected: list[Array], message: Any) -> None:
    with open_image(path) as image:
        found = list(plain_frames(image))
    for frame, x in zip(found, expected, strict=True):
        y = np.asarray(frame.convert("RGBA")).astype(float)
        assert np.abs(y - x)[..., 3].max() <= 1, message
        assert (np.abs(y - x) * np.minimum(x, y)[..., 3:] / 255).max() <= 2, message


def boxes(rng: Any, size: tuple[int, int], count: int, beyond: int) -> list[Any]:
    """Return places and sizes: (x, y, w, h)."""
    starts = [[int(rng.integers(0, side)) for side in size] for _ in range(count)]
    return [
        (
            *start,
            *(int(rng.integers(1, s - at + 1 + beyond)) for s, at in zip(size, start, strict=True)),
        )
        for start in starts
    ]


def test_gif(tmp_path: Path) -> None:
    """Each frame with a place, a color table, a clear color and an end of its own."""
    path, size = tmp_path / "a.gif", (7, 5)
    for seed in range(150):
        rng = np.random.default_rng(seed)
        frames, expected = [], []
        for i, (x, y, w, h) in enumerate(boxes(rng, size, 4, beyond=3)):
            w, h = (w, h) if i else (min(w, size[0] - x), min(h, size[1] - y))
            index, after = rng.integers(0, 4, (h, w)), int(rng.integers(0, 4))
            clear = int(rng.integers(0, 4)) if rng.random() < 0.5 else None
            table = OTHERS if rng.random() < 0.3 else None
            frames.append((x, y, index, after, clear, table))
            alpha = np.where(index == clear, 0, 255)[..., None]
            color = (COLORS if table is None else table)[index]
            expected.append((x, y, np.concatenate([color, alpha], axis=2), after, OVER))
        path.write_bytes(gif(size, frames))
        check(path, drawn(size, expected), seed)


def test_animated_png(tmp_path: Path) -> None:
    """In all of its kinds: gray, RGB and palettes too may be half transparent."""
    path, size = tmp_path / "a.png", (7, 5)
    alphas = np.array([0, 60, 200, 255])
    for seed in range(200):
        rng = np.random.default_rng(seed)
        kind, with_clear = int(rng.choice([0, 2, 3, 4, 6])), rng.random() < 0.5
        clear = {0: b"\0\0", 2: bytes(6), 3: alphas.astype(np.uint8).tobytes()}.get(kind, b"")
        clear = clear if with_clear else b""
        frames, expected = [], []
        for i, (x, y, w, h) in enumerate(boxes(rng, size, 4, beyond=0)):
            x, y, w, h = (x, y, w, h) if i else (0, 0, *size)
            k = {2: 3, 4: 2, 6: 4}.get(kind, 1)
            pixels = rng.integers(0, 4, (h, w, k)) if kind == 3 else rng.choice(alphas, (h, w, k))
            after, blend = int(rng.integers(1, 4)), int(rng.integers(0, 2))
            frames.append((x, y, pixels, after, blend))
            if kind == 3:
                color, alpha = COLORS[pixels[..., 0]], alphas[pixels] if clear else 255
            elif kind in (4, 6):
                color, alpha = pixels[..., :-1], pixels[..., -1:]
            else:
                color, alpha = pixels, 255 * pixels.any(axis=2, keepdims=True) if clear else 255
            rgba = np.empty((h, w, 4))
            rgba[..., :3], rgba[..., 3:] = color, alpha
            expected.append((x, y, rgba, after, blend))
        path.write_bytes(apng(size, kind, clear, frames))
        check(path, drawn(size, expected), (seed, kind, clear))


def test_a_picture_that_the_frame_does_not_fill_is_clear_around_it(tmp_path: Path) -> None:
    path, network = tmp_path / "a.gif", ESPCN(2, padding="edge")
    path.write_bytes(gif((6, 4), [(2, 1, np.ones((2, 2), int), 0, None, None)]))
    with Image.open(path) as image:
        for picture in (path, image):
            alpha = np.asarray(upscale(picture, model=network))[..., 3]
            assert (alpha[4, 6], alpha[:, :2].max(), alpha[-1].max()) == (255, 0, 0)


def test_the_first_frame_is_the_same_everywhere(tmp_path: Path) -> None:
    """Also if another picture, for viewers without animated PNG, comes before it."""
    path, network = tmp_path / "a.png", ESPCN(2, padding="edge")
    hidden, first, later = (np.full((4, 4, 3), value) for value in (30, 90, 200))
    for other, height in ((None, 4), (hidden, 3)):
        frames = [(0, 0, first[:height], KEEP, OVER), (0, 0, later, KEEP, SOURCE)]
        path.write_bytes(apng((4, 4), 2, b"", frames, other))
        expected = first.copy()
        expected[height:] = 0  # where nothing is drawn
        with open_image(path) as image:
            frame = next(plain_frames(image))
        np.testing.assert_array_equal(np.asarray(frame)[..., :3], expected)
        np.testing.assert_array_equal(read_image(path), expected)
        assert upscale(path, model=network) == upscale(frame, model=network)
