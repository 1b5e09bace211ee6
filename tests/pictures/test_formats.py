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
    frame_sizes,
    is_whole,
    loops,
    plain_frames,
    upright_size,
    write_frames,
)
from npespcn.pictures.modes import on_white, to_plain_mode

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
        assert len(frame_sizes(image)) == 1
        assert len(list(plain_frames(image))) == 1
    assert len(frame_sizes(noise())) == 1


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
            assert len(frame_sizes(image)) == 3, (mode, suffix)


def test_pages_may_be_of_any_size_and_mode(tmp_path: Path) -> None:
    pages = [noise(5, 6), noise(8, 3, 1), Image.new("I;16", (4, 2), 40001)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    found = read(tmp_path / "a.tif")
    assert [(page.mode, page.size) for page in found] == [
        ("RGB", (6, 5)),
        ("L", (3, 8)),
        ("I;16", (4, 2)),
    ]
    with open_image(tmp_path / "a.tif") as image:
        assert frame_sizes(image) == [page.size for page in pages]
    assert [page.tobytes() for page in found] == [page.tobytes() for page in pages]


def test_the_plain_picture_of_an_animated_png_is_no_frame(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(apng([b"\x01", b"\x02", b"\x03"], hidden=b"\xff"))
    found = read(tmp_path / "a.png")
    assert [frame.getpixel((0, 0)) for frame in found] == [1, 2, 3]
    assert [frame.info["duration"] for frame in found] == [50, 50, 50]
    with open_image(tmp_path / "a.png") as image:
        assert len(frame_sizes(image)) == 3
    data = apng([b"\x01"], hidden=b"\xff")
    (tmp_path / "a.png").write_bytes(data[: data.index(b"fcTL") - 4] + data[-12:])
    with pytest.raises(ValueError, match="cannot be read as an image"):
        open_image(tmp_path / "a.png")  # and leave no file open


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


def test_times_and_runs_beyond_a_format_are_cut_with_a_line(tmp_path: Path) -> None:
    most = {".png": (65_535_000, 2**32 - 1), ".gif": (655_350, 65536), ".webp": (2**24 - 1, 65535)}
    for suffix, (ms, runs) in most.items():
        path, frames = tmp_path / f"a{suffix}", film("RGB", 2)
        for more in (0, 20):
            frames[0].info["duration"] = frames[1].info["duration"] = ms + more
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                write_frames(path, frames, runs + more)
            assert len(said) == (more > 0), suffix
            assert all(str(w.message).endswith("holds are cut") for w in said), suffix
            with open_image(path) as image:
                assert loops(image) == runs, suffix
            assert [frame.info["duration"] for frame in read(path)] == [ms] * 2, suffix


def test_an_avif_does_not_count_its_runs(tmp_path: Path) -> None:
    write_frames(tmp_path / "a.avif", film("RGB"), 0)
    with pytest.warns(UserWarning, match="left out: number of runs"):
        write_frames(tmp_path / "a.avif", film("RGB"), 1)


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
        with pytest.raises(ValueError, match=rf"{name}: [A-Z]+ holds one image, not 3"):
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


def test_a_profile_of_grays_does_not_stand_on_colors(tmp_path: Path) -> None:
    for suffix, mode in product([".webp", ".avif", ".bmp"], ["L", "LA"]):
        image = Image.new(mode, (8, 8), (128, 255)[: len(mode)])
        image.info = {"icc_profile": color_profile("L")}  # a gamma of 1.8
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*has no transparency")
            write_frames(tmp_path / f"a{suffix}", [image])
        (found,) = read(tmp_path / f"a{suffix}")
        assert "icc_profile" not in found.info, (suffix, mode)
        linear = (128 / 255) ** 1.8
        in_srgb = 255 * (1.055 * linear ** (1 / 2.4) - 0.055)
        assert found.convert("L").getpixel((3, 3)) == pytest.approx(in_srgb, abs=2), (suffix, mode)


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
    with pytest.warns(UserWarning, match=r"a\.gif: GIF has no half transparency"):
        write_frames(tmp_path / "a.gif", frames)
    assert [(f.tobytes(), f.mode, f.info) for f in frames] == states


# Every format that is written

SUFFIXES = [
    *[".apng", ".avif", ".bmp", ".dds", ".dib", ".eps", ".gif", ".jp2", ".jpg", ".mpo", ".pcx"],
    *[".pdf", ".pgm", ".png", ".ppm", ".qoi", ".sgi", ".tga", ".tif", ".webp"],
]
WITHOUT_ALPHA = (".bmp", ".dib", ".eps", ".jpg", ".mpo", ".pcx", ".pdf", ".pgm", ".ppm")


def test_every_format_takes_every_plain_mode_of_any_size(tmp_path: Path) -> None:
    for suffix, mode, (h, w) in product(
        SUFFIXES, ["L", "LA", "RGB", "RGBA", "I;16"], [(1, 1), (1, 17), (7, 13)]
    ):
        if suffix == ".pcx" and w == 1:  # which Pillow 12.2 cannot read in color
            continue
        case, path = (suffix, mode, h, w), tmp_path / f"a{suffix}"
        x = np.dstack([np.full((h, w, 3), 90, np.uint8), np.full((h, w), 255, np.uint8)])
        x[0, 0] = (200, 200, 200, 0) if w > 1 else (200, 200, 200, 255)
        image = Image.fromarray(x).convert("L" if mode == "I;16" else mode)
        if mode == "I;16":
            image = Image.fromarray(257 * np.asarray(image, np.uint16))
        image.info = {"duration": None}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            write_frames(path, [image])
            if suffix in (".eps", ".pdf"):  # which are not read
                continue
            (found,) = read(path)
        rgb, expected = (np.asarray(on_white(i).convert("RGB"), int) for i in (found, image))
        assert np.abs(rgb - expected).max() < 16, case
        if mode in ("LA", "RGBA") and w > 1 and suffix not in WITHOUT_ALPHA:
            assert as_seen(found)[0, 0].tolist() == [0, 0, 0, 0], case


def test_what_is_lost_is_said_once(tmp_path: Path) -> None:
    frames = [Image.new("I;16", (4, 4), 1000 * i) for i in range(3)]
    with pytest.warns(UserWarning, match="PNG") as said:
        write_frames(tmp_path / "a.png", frames)
    assert [str(w.message) for w in said] == [f"{tmp_path}/a.png: PNG keeps 8 of the 16 bits"]
    with pytest.warns(UserWarning, match=r"a\.pgm: \.pgm has no colors; made gray"):
        write_frames(tmp_path / "a.pgm", [noise()])
    assert (tmp_path / "a.pgm").read_bytes()[:2] == b"P5"


def test_sides_that_a_format_cannot_hold_are_refused_before_any_work(tmp_path: Path) -> None:
    for suffix, longest in [
        *[(".gif", 65535), (".sgi", 65535), (".tga", 65535), (".jpg", 65500), (".mpo", 65500)],
        *[(".pdf", 65500), (".pcx", 65534), (".webp", 16383), (".avif", 32768)],
    ]:
        for size in [(longest, 1), (1, longest)]:
            path = tmp_path / f"a{suffix}"
            write_frames(path, [Image.new("L", size)])
            if suffix != ".pdf":
                assert read(path)[0].size == size, suffix
            more = (size[0] + (size[0] > 1), size[1] + (size[1] > 1))
            with pytest.raises(ValueError, match=rf"a{suffix}: [A-Z]+ holds up to {longest} "):
                check_writable(path, [more])
    check_writable("a.png", [(10**6, 10**6)])


def test_several_frames_are_refused_before_any_work() -> None:
    for name in ["a.jpg", "a.bmp", "a.jp2", "a.mpo"]:
        with pytest.raises(ValueError, match=rf"{name}: [A-Z0-9]+ holds one image, not 2"):
            check_writable(name, [(1, 1)] * 2)
    for name in ["a.png", "a.gif", "a.webp", "a.avif", "a.tif", "a.pdf"]:
        check_writable(name, [(1, 1)] * 2)


def test_frames_of_an_animation_have_one_size(tmp_path: Path) -> None:
    for suffix in [".png", ".gif", ".webp", ".avif"]:
        with pytest.raises(ValueError, match=rf"a{suffix}: its frames differ in their sizes"):
            write_frames(tmp_path / f"a{suffix}", [noise(4, 5), noise(5, 4)])
        assert not (tmp_path / f"a{suffix}").exists()


def test_a_result_does_not_hold_the_name_of_the_temporary_file(tmp_path: Path) -> None:
    for suffix in [".pdf", ".sgi"]:
        write_frames(tmp_path / f"a{suffix}", [noise()])
        assert b"npespcn" not in (tmp_path / f"a{suffix}").read_bytes(), suffix


def test_colors_become_srgb_where_there_is_no_profile(tmp_path: Path) -> None:
    """The profile swaps red and blue, so that it cannot be overlooked."""
    profile = bytearray(color_profile("RGB"))
    rows = range(132, 132 + 12 * profile[131], 12)
    at = {bytes(profile[i : i + 4]): slice(i + 4, i + 12) for i in rows}
    red, blue = profile[at[b"rXYZ"]], profile[at[b"bXYZ"]]
    profile[at[b"rXYZ"]], profile[at[b"bXYZ"]] = blue, red
    for mode, suffix in product(["RGB", "RGBA"], [".gif", ".tga", ".png"]):
        image = Image.new(mode, (4, 4), (255, 0, 0) if mode == "RGB" else (255, 0, 0, 255))
        image.info["icc_profile"] = bytes(profile)
        write_frames(tmp_path / f"a{suffix}", [image])
        (found,) = read(tmp_path / f"a{suffix}")
        expected = (255, 0, 0) if suffix == ".png" else (0, 0, 255)
        assert np.abs(np.subtract(found.convert("RGB").getpixel((0, 0)), expected)).max() < 3


def test_16_bits_are_kept_without_their_profile(tmp_path: Path) -> None:
    for suffix in [".pgm", ".jp2"]:
        image = Image.new("I;16", (4, 4), 40001)
        image.info["icc_profile"] = color_profile("L")
        with pytest.warns(UserWarning, match=rf"a{suffix}: left out: color profile"):
            write_frames(tmp_path / f"a{suffix}", [image])
        assert read(tmp_path / f"a{suffix}")[0].getpixel((0, 0)) == 40001, suffix


# GIF


def test_what_is_less_than_half_opaque_is_clear_in_a_gif(tmp_path: Path) -> None:
    """Its visible colors stay as they are, up to 255 of them, and PyAV sees the same."""
    x = np.random.default_rng(0).integers(0, 256, (30, 34, 4), np.uint8)
    x[..., 3] = np.r_[np.linspace(0, 127, 800), np.linspace(128, 255, 220)].reshape(30, 34)
    for count in (1, 3):
        frames = [Image.fromarray(np.roll(x, i, axis=0)) for i in range(count)]
        with pytest.warns(UserWarning, match="GIF has no half transparency"):
            write_frames(tmp_path / "a.gif", frames, 0)
        with pytest.importorskip("av").open(tmp_path / "a.gif") as video:
            seen = [frame.to_ndarray(format="rgba") for frame in video.decode(video=0)]
        for found in (seen, [np.asarray(frame) for frame in read(tmp_path / "a.gif")]):
            assert len(found) == count
            for y, frame in zip(found, frames, strict=True):
                expected = np.array(frame)
                visible = expected[..., 3] >= 128
                np.testing.assert_array_equal(y[..., 3], 255 * visible)
                np.testing.assert_array_equal(y[visible, :3], expected[visible, :3])


def test_gif_frames_that_cover_or_clear_all(tmp_path: Path) -> None:
    """Also black ones, and those of the color that stands for what is clear."""
    h, w, kinds = 6, 7, {}
    for name, color in {
        "clear": (9, 9, 9, 0),
        "black": (0, 0, 0, 255),
        "odd": (1, 0, 2, 255),
    }.items():
        kinds[name] = np.full((h, w, 4), color, np.uint8)
    kinds["part"] = kinds["clear"].copy()
    kinds["part"][2:4, 3:5] = (0, 200, 0, 255)
    for names in product(kinds, repeat=3):
        if names[0] == names[1] or names[1] == names[2]:
            continue  # which would become one
        write_frames(tmp_path / "a.gif", [Image.fromarray(kinds[name]) for name in names], 0)
        assert (tmp_path / "a.gif").read_bytes().count(b"GIF89a") == 1, names
        with pytest.importorskip("av").open(tmp_path / "a.gif") as video:
            seen = [frame.to_ndarray(format="rgba") for frame in video.decode(video=0)]
        assert len(seen) == 3, names
        for y, name in zip(seen, names, strict=True):
            visible = kinds[name][..., 3] == 255
            np.testing.assert_array_equal(y[..., 3] == 255, visible, err_msg=str(names))
            gap = np.abs(y[visible].astype(int) - kinds[name][visible])
            assert gap.max(initial=0) <= 1, names


def test_a_later_frame_does_not_make_the_screen_of_a_gif_larger(tmp_path: Path) -> None:
    def picture(left: int, top: int, w: int, h: int, color: int) -> bytes:
        """Return a frame of one color, in codes of three bits."""
        codes = [4, color] * (w * h) + [5]  # the table is cleared before each pixel; the end
        packed = sum(code << (3 * i) for i, code in enumerate(codes))
        data = packed.to_bytes((3 * len(codes) + 7) // 8, "little")
        blocks = b"".join(
            bytes([len(part)]) + part
            for part in (data[i : i + 255] for i in range(0, len(data), 255))
        )
        control = b"!\xf9\4\4\5\0\0\0"
        return control + struct.pack("<cHHHHBB", b",", left, top, w, h, 0, 2) + blocks + b"\0"

    table = bytes([255, 0, 0, 0, 0, 255, 0, 255, 0, 9, 9, 9])
    head = b"GIF89a" + struct.pack("<HHBBB", 4, 3, 0x91, 0, 0) + table
    frames = [picture(0, 0, 4, 3, 0), picture(2, 1, 6, 5, 1), picture(3, 2, 9, 9, 2)]
    (tmp_path / "a.gif").write_bytes(head + b"".join(frames) + b";")
    expected = np.zeros((3, 3, 4, 3), np.uint8)  # frames, (H, W, 3)
    expected[..., 0] = 255
    expected[1:, 1:, 2:] = (0, 0, 255)
    expected[2:, 2:, 3:] = (0, 255, 0)
    found = read(tmp_path / "a.gif")
    for frame, x in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(frame.convert("RGB")), x)
    write_frames(tmp_path / "b.png", found)
    assert [frame.size for frame in read(tmp_path / "b.png")] == [(4, 3)] * 3


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
        with open_image(path) as image:
            assert suffix != ".tif" or frame_sizes(image) == [upright_size(path)], turn
