"""Picture files: animations, pages, formats with limits, and files that are broken."""

from __future__ import annotations

import os
import re
import struct
import tempfile
import warnings
import zlib
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import color_profile
from PIL import Image

from npespcn.common import Array
from npespcn.pictures.files import check_writable, is_image_file, open_image
from npespcn.pictures.formats import (
    frame_count,
    is_whole,
    loops,
    plain_frames,
    upright_size,
    write_frames,
)
from npespcn.pictures.modes import to_plain_mode

MS = [30, 70, 120]  # how long the frames stay


def noise(h: int = 12, w: int = 16, channels: int = 3, seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (h, w, channels), np.uint8)
    return Image.fromarray(x if channels > 1 else x[..., 0])


def film(mode: str, count: int = 3) -> list[Image.Image]:
    """Return frames: a red block that moves over what is clear, or blue where nothing can be."""
    frames = []
    for i in range(count):
        x = np.zeros((12, 16, 4), np.uint8)
        x[..., 2] = 255
        x[..., 3] = 0 if mode in ("LA", "RGBA") else 255
        x[1 + 2 * i : 7 + 2 * i, 3 * i : 3 * i + 8] = (255, 0, 0, 255)
        frames.append(Image.fromarray(x).convert(mode))
    return frames


def save_film(path: Path, frames: list[Image.Image], **options: Any) -> Path:
    """Write an animation with Pillow alone."""
    first, *rest = frames
    if path.suffix == ".gif":
        options = {"disposal": 2, **options}
    if path.suffix == ".webp":
        options = {"lossless": True, **options}
    first.save(path, save_all=True, append_images=rest, duration=MS[: len(frames)], **options)
    return path


def read(path: Path) -> list[Image.Image]:
    with open_image(path) as image:
        return list(plain_frames(image))


def as_seen(image: Image.Image) -> Array:
    """Return RGBA with black where nothing is seen."""
    x = np.asarray(image.convert("RGBA")).astype(int)
    return x * (x[..., 3:] > 0)


def apng(frames: list[bytes], hidden: bytes) -> bytes:
    """Return an animated PNG of single gray pixels, whose plain picture is no part of it."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    parts = [
        b"\x89PNG\r\n\x1a\n",
        chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        chunk(b"acTL", struct.pack(">II", len(frames), 0)),
        chunk(b"IDAT", zlib.compress(b"\0" + hidden)),
    ]
    for i, frame in enumerate(frames):
        parts.append(chunk(b"fcTL", struct.pack(">IIIIIHHBB", 2 * i, 1, 1, 0, 0, 50, 1000, 0, 0)))
        data = struct.pack(">I", 2 * i + 1) + zlib.compress(b"\0" + frame)
        parts.append(chunk(b"fdAT", data))
    return b"".join([*parts, chunk(b"IEND", b"")])


# Names


def test_which_names_are_pictures() -> None:
    for name, expected in [
        *[("a.jpg", True), ("a.JPEG", True), ("a.b.png", True), ("a.mpo", True), ("a.tif", True)],
        *[("a.txt", False), ("a", False), (".png", False), ("a.pdf", False), ("a.h5", False)],
    ]:
        assert is_image_file(name) is expected, (name, expected)
        assert is_image_file(Path("folder", name)) is expected, (name, expected)


def test_what_can_be_written() -> None:
    for name in ["a.png", "a.JPG", "b/a.tiff", "a.webp", "a.pgm"]:
        check_writable(name)


def test_what_cannot_be_written(tmp_path: Path) -> None:
    """Icons have sizes of their own, so that the picture would not be scale times the input."""
    for name in ["a", "a.xyz", "a.mp4", "a.psd", "a.ico", "a.icns", "a.v2"]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        for call in (check_writable, lambda path: write_frames(path, [noise()])):
            with pytest.raises(ValueError, match=re.escape(str(folder / name))):
                call(folder / name)
        assert os.listdir(folder) == [], name


# Reading


def test_what_open_image_opens_is_read_later(tmp_path: Path) -> None:
    noise().save(tmp_path / "a.png")
    with open_image(tmp_path / "a.png") as image:
        assert image.size == (16, 12)
        (tmp_path / "a.png").unlink()
        assert to_plain_mode(image).tobytes() == noise().tobytes()


def test_files_that_are_cut_short(tmp_path: Path) -> None:
    for part, suffix in product(
        [0, 0.02, 0.5, 0.95], [".png", ".jpg", ".tif", ".webp", ".bmp", ".ppm", ".gif"]
    ):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        path = folder / f"a{suffix}"
        noise(40, 50).save(path)
        path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
        with pytest.raises(
            ValueError, match=rf"^{re.escape(str(path))}: cannot be read as an image"
        ):
            read(path)
        with pytest.raises(ValueError, match=rf"^{re.escape(str(path))}: "):
            is_whole(path, (50, 40))


def test_animations_that_are_cut_short(tmp_path: Path) -> None:
    for suffix in [".png", ".gif", ".webp", ".tif"]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        path = save_film(folder / f"a{suffix}", [noise(40, 50, seed=i) for i in range(3)])
        path.write_bytes(path.read_bytes()[: int(0.9 * path.stat().st_size)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about a TIFF
            with pytest.raises(ValueError, match=r"cannot be read as an image"):
                read(path)


def test_files_that_are_no_pictures(tmp_path: Path) -> None:
    for name, data in product(
        ["a.png", "a.jpg", "a"], [b"", b"no picture", bytes(5000), b"\x89PNG\r\n\x1a\n"]
    ):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        (folder / name).write_bytes(data)
        with pytest.raises(ValueError, match=r"a[.a-z]*: cannot be read as an image: "):
            open_image(folder / name)


def test_decompression_bombs(tmp_path: Path) -> None:
    header = b"BM" + struct.pack(
        "<IHHIIiiHHIIIIII", 54, 0, 0, 54, 40, 60000, 60000, 1, 24, *[0] * 6
    )
    (tmp_path / "a.bmp").write_bytes(header)
    with pytest.raises(ValueError, match=r"3600000000 pixels.*decompression bomb"):
        open_image(tmp_path / "a.bmp")


def test_errors_of_the_file_system_stay_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(FileNotFoundError, match=r"a\.png"):
        open_image(tmp_path / "a.png")
    with pytest.raises(IsADirectoryError, match=r"folder\.png"):
        open_image(tmp_path / "folder.png")
    for name in ("a.png", "folder.png"):
        with pytest.raises(OSError, match=name):
            is_whole(tmp_path / name, (1, 1))


def test_other_formats_have_one_frame(tmp_path: Path) -> None:
    """The second picture of an MPO is a preview, or for the other eye."""
    noise().save(tmp_path / "a.mpo", save_all=True, append_images=[noise(seed=1)])
    with Image.open(tmp_path / "a.mpo") as image:
        assert image.n_frames == 2
    with open_image(tmp_path / "a.mpo") as image:
        assert frame_count(image) == 1
        assert len(list(plain_frames(image))) == 1
    assert frame_count(noise()) == 1


# Frames


def test_frames_come_as_they_are_seen(tmp_path: Path) -> None:
    for mode, suffix in product(["RGB", "RGBA"], [".gif", ".png", ".webp"]):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        frames = film(mode)
        path = save_film(folder / f"a{suffix}", frames)
        found = read(path)
        assert [frame.info["duration"] for frame in found] == MS, (mode, suffix)
        assert len(found) == 3, (mode, suffix)
        for frame, expected in zip(found, frames, strict=True):
            np.testing.assert_array_equal(as_seen(frame), as_seen(expected))
        with open_image(path) as image:
            assert frame_count(image) == 3, (mode, suffix)


def test_pages_may_be_of_any_size_and_mode(tmp_path: Path) -> None:
    pages = [noise(5, 6), noise(8, 3, 1), Image.new("I;16", (4, 2), 40001)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    found = read(tmp_path / "a.tif")
    assert [(page.mode, page.size) for page in found] == [
        ("RGB", (6, 5)),
        ("L", (3, 8)),
        ("I;16", (4, 2)),
    ]
    assert [page.tobytes() for page in found] == [page.tobytes() for page in pages]


def test_the_plain_picture_of_an_animated_png_is_no_frame(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(apng([b"\x01", b"\x02", b"\x03"], hidden=b"\xff"))
    found = read(tmp_path / "a.png")
    assert [frame.getpixel((0, 0)) for frame in found] == [1, 2, 3]
    assert [frame.info["duration"] for frame in found] == [50, 50, 50]
    with open_image(tmp_path / "a.png") as image:
        assert frame_count(image) == 3


def test_16_bits_are_noticed_in_frames(tmp_path: Path) -> None:
    """Before the pixels are read, for afterwards there is nothing to see."""
    (tmp_path / "a.ppm").write_bytes(b"P6 1 1 65535\n" + bytes(range(6)))
    with pytest.warns(UserWarning, match=r"a\.ppm: has 16 bits a channel"):
        read(tmp_path / "a.ppm")


def test_a_gif_says_how_often_it_is_repeated(tmp_path: Path) -> None:
    for said, runs in [(None, 1), (0, 0), (1, 2), (4, 5)]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        options = {} if said is None else {"loop": said}
        path = save_film(folder / "a.gif", film("RGB"), **options)
        with open_image(path) as image:
            assert loops(image) == runs, (said, runs)


def test_others_say_how_often_they_run(tmp_path: Path) -> None:
    for runs, suffix in product([0, 1, 5], [".png", ".webp"]):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        path = save_film(folder / f"a{suffix}", film("RGB"), loop=runs)
        with open_image(path) as image:
            assert loops(image) == runs, (runs, suffix)


# Writing


def test_an_animation_comes_back(tmp_path: Path) -> None:
    for runs, mode, suffix in product(
        [0, 1, 3], ["L", "LA", "RGB", "RGBA"], [".png", ".gif", ".webp"]
    ):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        frames, path = film(mode), folder / f"a{suffix}"
        for frame, ms in zip(frames, MS, strict=True):
            frame.info["duration"] = ms
        write_frames(path, frames, runs)
        found = read(path)
        assert [frame.info["duration"] for frame in found] == MS, (runs, mode, suffix)
        for frame, expected in zip(found, frames, strict=True):
            gap = np.abs(as_seen(frame) - as_seen(expected))
            # WebP is lossy, most of all where red meets blue
            assert gap.mean() < 20 if suffix == ".webp" else gap.max() == 0, (runs, mode, suffix)
        with open_image(path) as image:
            assert loops(image) == runs, (runs, mode, suffix)


def test_frames_of_several_modes_go_together(tmp_path: Path) -> None:
    frames = [film("RGB")[0], film("RGBA")[1], film("L")[2]]
    write_frames(tmp_path / "a.png", frames)
    found = read(tmp_path / "a.png")
    assert [frame.mode for frame in found] == ["RGBA"] * 3
    for frame, expected in zip(found, frames, strict=True):
        np.testing.assert_array_equal(as_seen(frame), as_seen(expected))


def test_durations_need_not_be_whole_milliseconds(tmp_path: Path) -> None:
    frames = film("RGB")
    for frame in frames:
        frame.info["duration"] = 1000 / 30
    for suffix, ms in [(".png", 1000 / 30), (".gif", 30), (".webp", 33), (".avif", 33)]:
        write_frames(tmp_path / f"a{suffix}", frames)
        found = [frame.info["duration"] for frame in read(tmp_path / f"a{suffix}")]
        assert found == pytest.approx([ms] * 3, abs=1e-3), suffix


def test_a_frame_without_a_duration_stays_a_tenth_of_a_second(tmp_path: Path) -> None:
    frames = film("RGB")
    frames[1].info["duration"] = 0
    write_frames(tmp_path / "a.png", frames)
    assert [frame.info["duration"] for frame in read(tmp_path / "a.png")] == [100, 0, 100]


def test_pages_come_back(tmp_path: Path) -> None:
    pages = [noise(5, 6), noise(8, 3, 1), Image.new("I;16", (4, 2), 40001)]
    write_frames(tmp_path / "a.tiff", pages)
    found = read(tmp_path / "a.tiff")
    assert [(page.mode, page.tobytes()) for page in found] == [
        (page.mode, page.tobytes()) for page in pages
    ]


def test_a_format_of_one_picture_takes_one(tmp_path: Path) -> None:
    for name in ["a.jpg", "a.bmp", "a.ppm"]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        with pytest.raises(ValueError, match=rf"{name}: the format holds one image, not 3"):
            write_frames(folder / name, film("RGB"))
        assert os.listdir(folder) == [], name


def test_the_usual_formats_keep_every_mode(tmp_path: Path) -> None:
    for suffix, mode in product([".png", ".tif"], ["L", "LA", "RGB", "RGBA", "I;16"]):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        if mode == "I;16":
            image = Image.fromarray(np.arange(65536, dtype=np.uint16).reshape(256, 256))
        else:
            image = noise(channels=4).convert(mode)
        image.info = {"icc_profile": color_profile(mode), "dpi": (300.0, 150.0)}
        write_frames(folder / f"a{suffix}", [image])
        (found,) = read(folder / f"a{suffix}")
        assert (found.mode, found.tobytes()) == (mode, image.tobytes()), (suffix, mode)
        assert found.info["icc_profile"] == color_profile(mode), (suffix, mode)
        assert found.info["dpi"] == pytest.approx((300, 150), abs=0.02), (suffix, mode)


def test_alpha_goes_onto_white_where_there_is_none(tmp_path: Path) -> None:
    for mode, suffix in product(["LA", "RGBA"], [".jpg", ".bmp", ".dib", ".ppm", ".pcx"]):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        image = Image.new(mode, (8, 8), (0,) * len(mode))  # clear black
        image.info["dpi"] = (300, 300)
        with pytest.warns(
            UserWarning, match=rf"a{suffix}: [A-Z]+ has no transparency; put on white"
        ):
            write_frames(folder / f"a{suffix}", [image])
        (found,) = read(folder / f"a{suffix}")
        assert found.mode == mode[:-1], (mode, suffix)
        assert set(found.tobytes()) == {255}, (mode, suffix)
        if suffix == ".jpg":
            assert found.info["dpi"] == (300, 300), (mode, suffix)


def test_the_alpha_of_gray_in_a_gif(tmp_path: Path) -> None:
    image = film("LA")[0]
    write_frames(tmp_path / "a.gif", [image])
    np.testing.assert_array_equal(as_seen(read(tmp_path / "a.gif")[0]), as_seen(image))


def test_16_bits_become_8_with_a_warning(tmp_path: Path) -> None:
    for suffix in [".jpg", ".webp", ".bmp", ".gif"]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        with pytest.warns(UserWarning, match=rf"a{suffix}: [A-Z]+ keeps 8 of the 16 bits"):
            write_frames(folder / f"a{suffix}", [Image.new("I;16", (8, 8), 40001)])
        (found,) = read(folder / f"a{suffix}")
        assert np.abs(np.asarray(found).astype(int) - 156).max() <= 1, suffix


def test_frames_of_16_bits_are_not_taken_for_equal(tmp_path: Path) -> None:
    """Pillow would compare those of an animated PNG in 8 bits, clipped, and drop the second."""
    frames = [Image.new("I;16", (4, 4), value) for value in (40000, 50000)]
    with pytest.warns(UserWarning, match=r"keeps 8 of the 16 bits"):
        write_frames(tmp_path / "a.png", frames)
    assert [frame.getpixel((0, 0)) for frame in read(tmp_path / "a.png")] == [156, 195]


def test_pgm_keeps_16_bits(tmp_path: Path) -> None:
    image = Image.fromarray(np.arange(65536, dtype=np.uint16).reshape(256, 256))
    write_frames(tmp_path / "a.pgm", [image])
    assert read(tmp_path / "a.pgm")[0].tobytes() == image.tobytes()


def test_a_side_that_the_format_cannot_count(tmp_path: Path) -> None:
    for suffix in [".gif", ".jpg", ".webp", ".tga"]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        path = folder / f"a{suffix}"
        path.write_bytes(b"what was there before")
        with pytest.raises(ValueError, match=r"a\.|WebP"):
            write_frames(path, [Image.new("L", (70_000, 1))])
        assert os.listdir(folder) == [f"a{suffix}"], suffix
        assert path.read_bytes() == b"what was there before", suffix


def test_writing_changes_no_frame(tmp_path: Path) -> None:
    frames = [noise(channels=4), noise(channels=1)]
    states = [(f.tobytes(), f.mode, dict(f.info)) for f in frames]
    write_frames(tmp_path / "a.gif", frames)
    assert [(f.tobytes(), f.mode, f.info) for f in frames] == states


# Whether it is done


def test_a_whole_picture_has_its_size(tmp_path: Path) -> None:
    for suffix in [".png", ".jpg", ".tif", ".webp", ".gif", ".bmp"]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        path = folder / f"a{suffix}"
        write_frames(path, [noise()])
        assert is_whole(path, (16, 12)), suffix
        assert not is_whole(path, (12, 16)), suffix
        assert not is_whole(path, (32, 24)), suffix


def test_a_whole_animation_is_read_to_its_last_frame(tmp_path: Path) -> None:
    for suffix in [".png", ".webp", ".tif"]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        path = folder / f"a{suffix}"
        write_frames(path, [noise(40, 50, seed=i) for i in range(3)])
        assert is_whole(path, (50, 40)), suffix
        data = path.read_bytes()
        path.write_bytes(data[: len(data) - 500])
        with pytest.raises(ValueError, match=r"cannot be read"):
            is_whole(path, (50, 40))


def test_a_result_may_be_larger_than_a_bomb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """24 megapixels, three times larger, are 216: what Pillow refuses to open."""
    write_frames(tmp_path / "a.png", [noise(40, 50)])
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 900)
    with pytest.raises(ValueError, match=r"decompression bomb"):
        open_image(tmp_path / "a.png")
    assert is_whole(tmp_path / "a.png", (50, 40))
    assert Image.MAX_IMAGE_PIXELS == 900


def test_only_a_picture_of_the_right_size_is_read(tmp_path: Path) -> None:
    header = b"BM" + struct.pack(
        "<IHHIIiiHHIIIIII", 54, 0, 0, 54, 40, 60000, 60000, 1, 24, *[0] * 6
    )
    (tmp_path / "a.bmp").write_bytes(header)
    assert not is_whole(tmp_path / "a.bmp", (50, 40))


def test_upright_size(tmp_path: Path) -> None:
    for turn, suffix in product([1, 3, 6, 8, 9], [".jpg", ".png", ".tif", ".webp"]):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        exif = Image.Exif()
        exif[0x112] = turn
        path = folder / f"a{suffix}"
        noise(12, 16).save(path, exif=exif)
        assert (
            upright_size(path) == read(path)[0].size == ((12, 16) if turn in (6, 8) else (16, 12))
        ), (turn, suffix)
