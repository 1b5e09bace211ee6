"""``npespcn upscale``: what it writes, says and returns, and what it never overwrites."""

from __future__ import annotations

import hashlib
import io
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import color_profile
from PIL import Image

from npespcn import figures, save, upscale
from npespcn.commands import main as cli
from npespcn.commands import upscale as command
from npespcn.enlarge.bands import BandedImage
from npespcn.fast import eight_views
from npespcn.fast.threads import thread_count
from npespcn.models import ESPCN

Run = Callable[..., int]
HOW = "exists: --resume keeps it if it is the result, --force overwrites it, -o writes elsewhere"


def pixels(h: int = 8, w: int = 11, channels: int = 3, seed: int = 0) -> Any:
    x = np.random.default_rng(seed).integers(0, 256, (h, w, channels), np.uint8)
    return x if channels > 1 else x[..., 0]


def noise(h: int = 8, w: int = 11, channels: int = 3, seed: int = 0) -> Image.Image:
    return Image.fromarray(pixels(h, w, channels, seed))


def network(scale: int) -> ESPCN:
    """Return a network that was never trained, whose output lies around the middle."""
    model = ESPCN(scale, padding="edge", seed=3)
    model.params["conv3.bias"] += 0.5
    return model


def expected(image: Image.Image, scale: int = 2) -> bytes:
    larger: Image.Image = upscale(image, model=network(scale))
    return larger.tobytes()


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def listing(folder: Path) -> list[str]:
    """Return all files, hidden ones too: none of what was temporary may be left."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to an empty folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def go(folder: Path) -> None:
    """Go on in an empty folder."""
    folder.mkdir()
    os.chdir(folder)  # the fixture goes back


@pytest.fixture(autouse=True)
def untrained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """Let the package come with networks that differ visibly from bicubic; note which is asked."""
    asked = []

    def pretrained(scale: int, weights: str) -> ESPCN:
        asked.append((scale, weights))
        return network(scale)

    monkeypatch.setattr(command, "pretrained", pretrained)
    return asked


def instead_of_upscale(monkeypatch: pytest.MonkeyPatch, other: Any) -> None:
    for name in ("upscale", "upscale_to_png"):
        monkeypatch.setattr(command, name, other)


def instead_of_save(monkeypatch: pytest.MonkeyPatch, other: Any) -> None:
    for kind in (Image.Image, BandedImage):
        monkeypatch.setattr(kind, "save", other)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command; return its exit status, and keep what it says in `out` and `err`."""

    def call(*words: Any) -> int:
        capsys.readouterr()
        status = cli.main(["upscale", *map(str, words)])
        call.out, call.err = (text.splitlines() for text in capsys.readouterr())  # type: ignore[attr-defined]
        assert not any("Traceback" in line for line in call.err)  # type: ignore[attr-defined]
        return status

    return call


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Note what is drawn, instead of drawing it."""
    calls: list[Any] = []

    def before_after(arrays: Any, box: Any, *, title: str) -> str:
        calls.append((arrays, box, title))
        return title

    monkeypatch.setattr(figures, "before_after", before_after)
    monkeypatch.setattr(figures, "save", lambda figure, path: Path(path).write_text(figure))
    return calls


# --- one picture ---------------------------------------------------------------------------------


def test_one_picture(here: Path, run: Run, untrained: list[tuple[int, str]]) -> None:
    noise().save("photo.png")
    assert run("photo.png") == 0
    assert (run.out, run.err) == (["photo_x2.png"], [])
    assert untrained == [(2, "leaves")]
    with Image.open("photo_x2.png") as larger:
        assert (larger.format, larger.size) == ("PNG", (22, 16))
        assert larger.tobytes() == expected(noise())
    assert listing(here) == ["photo.png", "photo_x2.png"]


def test_scales(here: Path, run: Run) -> None:
    noise().save("photo.jpg")
    for scale in (2, 3, 4):
        assert run("photo.jpg", "--scale", scale) == 0
        with Image.open(f"photo_x{scale}.png") as larger:
            assert larger.size == (11 * scale, 8 * scale)


@pytest.mark.usefixtures("here")
def test_weights_of_the_package(run: Run, untrained: list[tuple[int, str]]) -> None:
    noise().save("photo.png")
    for words, asked in {
        (): (2, "leaves"),
        ("--scale", 3, "--weights", "leaves"): (3, "leaves"),
        ("--scale", 4, "--weights", "photographs"): (4, "photographs"),
    }.items():
        assert run("photo.png", "--force", *words) == 0
        assert untrained.pop() == asked
    assert run("photo.png", "--weights", "./photographs") == 1  # no such file
    assert (len(run.err), untrained) == (1, [])


def test_weights_of_ones_own(here: Path, run: Run, untrained: list[tuple[int, str]]) -> None:
    noise().save("photo.png")
    save(ESPCN(5, channels=3, seed=1), "own.npz")
    assert run("photo.png", "--weights", "own.npz") == 0
    assert (run.out, untrained) == (["photo_x5.png"], [])
    with Image.open("photo_x5.png") as larger:
        assert larger.tobytes() == upscale(noise(), model=ESPCN(5, channels=3, seed=1)).tobytes()
    assert run("photo.png", "--weights", "own.npz", "--scale", 3) == 1
    assert run.err == ["npespcn upscale: own.npz is for scale 5, not 3"]


def test_weights_that_are_none(here: Path, run: Run) -> None:
    noise().save("photo.png")
    save(ESPCN(2, channels=2), "two.npz")
    for name in ("no such.npz", "photo.png", ".", "two.npz"):
        assert run("photo.png", "--weights", name) == 1, name
        (line,) = run.err
        assert line.startswith("npespcn upscale: "), name
    assert line == "npespcn upscale: two.npz: channels must be one of 1, 3, got 2"
    assert listing(here) == ["photo.png", "two.npz"]


def test_tiles_and_jobs_change_nothing(here: Path, run: Run) -> None:
    for i in range(5):
        noise(20, 23, 4, seed=i).save(f"{i}.png")
    assert run(*[f"{i}.png" for i in range(5)]) == 0
    whole = hashes(here)
    assert run(*[f"{i}.png" for i in range(5)], "--jobs", 3, "--force") == 0
    assert sorted(run.out) == [f"{i}_x2.png" for i in range(5)]
    assert hashes(here) == whole
    assert run("0.png", "--tile", 6, "--force") == 0
    with Image.open("0_x2.png") as tiled:
        gap = np.asarray(tiled).astype(int) - np.asarray(
            upscale(noise(20, 23, 4), model=network(2))
        )
    assert np.abs(gap).max() <= 1


def test_the_network_alone(here: Path, run: Run) -> None:
    picture = noise(20, 23)
    picture.save("a.png")
    for options, projects in ([], True), (["--no-back-projection"], False):
        assert run("a.png", "-o", "b.png", *options) == 0
        with Image.open("b.png") as larger:
            expected = upscale(picture, model=network(2), back_projection=projects)
            assert larger.tobytes() == expected.tobytes(), options


def test_the_mean_of_eight_views(here: Path, run: Run) -> None:
    picture = noise(20, 23)
    picture.save("a.png")
    assert run("a.png", "--best") == 0
    with Image.open("a_x2.png") as larger:
        expected = upscale(picture, model=eight_views(network(2)))
        assert larger.tobytes() == expected.tobytes()
        assert larger.tobytes() != upscale(picture, model=network(2)).tobytes()


# --- what people have ----------------------------------------------------------------------------


def test_16_bits_gray_stay(here: Path, run: Run) -> None:
    x = np.random.default_rng(0).integers(0, 65536, (30, 40), np.uint16)
    Image.fromarray(x).save("scan.tif")
    assert run("scan.tif") == 0
    assert (run.out, run.err) == (["scan_x2.png"], [])
    with Image.open("scan_x2.png") as larger:
        assert larger.mode == "I;16"
        assert len(np.unique(np.asarray(larger))) > 1500


def test_16_bits_of_color_are_warned_about_once(here: Path, run: Run, drawn: list[Any]) -> None:
    Path("scan.ppm").write_bytes(b"P6 2 1 65535\n" + bytes(range(12)))
    said = ["npespcn: scan.ppm: has 16 bits a channel, of which 8 are read"]
    assert run("scan.ppm", "--compare") == 0
    assert run.err == said
    assert run("scan.ppm", "--resume") == 0  # what is skipped is not warned about
    assert (run.out, run.err) == ([], [])


def test_what_is_known_about_a_photo_stays(here: Path, run: Run) -> None:
    exif = Image.Exif()
    exif[0x112] = 6
    noise().save("photo.jpg", exif=exif, icc_profile=color_profile(), dpi=(300, 150))
    for name in ("photo_x2.png", "other.jpg", "other.tif"):
        assert run("photo.jpg", "-o", name) == 0
        with Image.open(name) as larger:
            assert larger.size == (16, 22)
            assert larger.info["icc_profile"] == color_profile()
            assert larger.info["dpi"] == pytest.approx((150, 300), abs=0.02)
            assert larger.getexif().get(0x112, 1) == 1


def test_animations_keep_their_frames(here: Path, run: Run) -> None:
    frames = [noise(6, 7, seed=i) for i in range(3)]
    options = {"save_all": True, "append_images": frames[1:], "duration": [30, 70, 120]}
    frames[0].save("film.gif", loop=0, **options)
    frames[0].save("once.gif", **options)
    for out, name, loop in [("film_x2.png", "film.gif", 0), ("once.webp", "once.gif", 1)]:
        assert run(name, "-o", out) == 0
        with Image.open(out) as larger, Image.open(name) as film:
            assert (larger.n_frames, larger.size, larger.info["loop"]) == (3, (14, 12), loop)
            for i, ms in enumerate([30, 70, 120]):
                larger.seek(i)
                film.seek(i)
                larger.load()
                assert larger.info["duration"] == ms
                if out.endswith(".png"):
                    assert larger.convert("RGB").tobytes() == expected(film.convert("RGB"))


def test_pages_stay_together(here: Path, run: Run) -> None:
    noise().save("one.tiff")
    noise().save("two.tiff", save_all=True, append_images=[noise(5, 4, 1)])
    assert run("one.tiff", "two.tiff") == 0
    assert run.out == ["one_x2.png", "two_x2.tiff"]
    with Image.open("two_x2.tiff") as pages:
        assert (pages.n_frames, pages.size) == (2, (22, 16))
        pages.seek(1)
        assert (pages.mode, pages.size) == ("L", (8, 10))
        assert pages.tobytes() == expected(noise(5, 4, 1))


def test_of_several_images_in_one_file_a_line_tells_how_many(here: Path, run: Run) -> None:
    first, second = noise(4, 9), noise(4, 9, seed=1)
    parts = [bytes_of(image, "PCX") for image in (first, second)]
    head = struct.pack("<4I", 0x3ADE68B1, 16, 16 + len(parts[0]), 0)
    files = {"a.dcx": (head + b"".join(parts), 2), "b.mpo": (b"", 2), "c.mpo": (b"", 1)}
    for name, mode in (("1.pbm", "1"), ("8.pgm", "L"), ("16.pgm", "I;16"), ("rgb.ppm", "RGB")):
        gray = first.convert("L")
        image = Image.new(mode, (9, 4)) if mode == "I;16" else gray.convert(mode)
        for count in (1, 2, 3):
            files[f"{count}_{name}"] = (bytes_of(image, "PPM") * count, count)
    files["text.ppm"] = (b"P3 1 1 255\n1 2 3 \n", 1)
    for name, (data, _) in files.items():
        Path(name).write_bytes(data)
    first.save("b.mpo", save_all=True, append_images=[second])
    first.save("c.mpo", save_all=True)
    for name, (_, count) in files.items():
        assert run(name, "-o", f"{name}.png", "--force") == 0, name
        line = f"npespcn: {name}: holds {count} images, of which the main one is enlarged"
        assert [each for each in run.err if "holds" in each] == [line] * (count > 1), name


def test_alpha_goes_onto_white_where_there_is_none(here: Path, run: Run) -> None:
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save("clear.png")
    assert run("clear.png", "-o", "clear.jpg") == 0
    assert run.err == ["npespcn: clear.jpg: JPEG has no transparency; put on white"]
    with Image.open("clear.jpg") as larger:
        assert set(larger.tobytes()) == {255}


# --- names ---------------------------------------------------------------------------------------


def test_folders(here: Path, run: Run) -> None:
    for name in ("in/10.png", "in/9.png", "in/deep/a.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        noise().save(name)
    Path("in/notes.txt").write_text("no picture")
    assert run("in", "-o", "out") == 0
    assert run.out == ["out/9_x2.png", "out/10_x2.png"]
    assert run.err == ["skipped, by their names: notes.txt"]
    assert run("in", "-o", "out", "--recursive", "--resume") == 0
    assert run.out == ["out/deep/a_x2.png"]
    assert run("in", "-o", "one.v2/", "--recursive") == 0
    assert listing(here / "one.v2") == ["10_x2.png", "9_x2.png", "deep/a_x2.png"]


def test_two_that_would_get_one_name(here: Path, run: Run) -> None:
    pictures = {"a.jpg": 0, "a.png": 1, "a_jpg.png": 2, "A.bmp": 3}
    for name, seed in pictures.items():
        noise(seed=seed).save(name)
    before = hashes(here)
    assert run(*pictures, "--jobs", 2) == 0
    assert len({name.casefold() for name in run.out}) == 4
    for name in ("a.png", "a_jpg.png", "A.bmp"):
        with Image.open(name) as source:
            results = [
                Path(out) for out in run.out if Image.open(out).tobytes() == expected(source)
            ]
        assert len(results) == 1, name
    assert {name: value for name, value in hashes(here).items() if name in before} == before
    # a second run recognizes all of the results but the one that had to be numbered
    assert run(".", "--resume") == 0
    assert len(run.out) <= 1


def test_strange_names(here: Path, run: Run) -> None:
    names = ["a\nb  c.png", "-x.png", "[1]*.png", "x $1 and $2 ^_{.png", "ä 写真.png"]
    for name in names:
        noise().save(name)
    assert run("--", *names) == 0
    assert run.err == []
    assert sorted(listing(here)) == sorted(names + [f"{name[:-4]}_x2.png" for name in names])
    assert run("--force", ".") == 0
    assert len(listing(here)) == 2 * len(names)


def test_complaints_about_strange_names_are_one_line(here: Path, run: Run) -> None:
    for name in ("a\nb  c.png", "t", "1", "cannot"):
        Path(name).write_bytes(b"")
        assert run(name) == 1
        (line,) = run.err
        assert line.startswith(f"npespcn upscale: {' '.join(name.split())}: cannot be read as")


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_a_name_that_cannot_be_printed(here: Path) -> None:
    noise().save("a.png")
    os.rename(b"a.png", b"a\xff.png")
    save(network(2), "w.npz")
    words = ["upscale", os.fsdecode(b"a\xff.png"), "--weights", "w.npz", "--compare"]
    env = {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "npespcn", *words],
        env=os.environ | env,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.splitlines() == [rb"'a\udcff_x2_compare.png'", rb"'a\udcff_x2.png'"]
    assert os.path.exists(b"a\xff_x2.png")


def test_an_empty_name_is_not_the_current_folder(here: Path, run: Run) -> None:
    noise().save("a.png")
    assert run("") == 1
    assert run.err == ["npespcn upscale: : no such file"]
    assert listing(here) == ["a.png"]


# --- where it goes -------------------------------------------------------------------------------


def test_out(here: Path, run: Run) -> None:
    for i, (out, written, image_format) in enumerate(
        [
            *[("b.jpg", "b.jpg", "JPEG"), ("new/er/b.webp", "new/er/b.webp", "WEBP")],
            *[("there", "there/a_x2.png", "PNG"), ("there.d", "there.d/a_x2.png", "PNG")],
            *[("new", "new/a_x2.png", "PNG"), ("new.d/", "new.d/a_x2.png", "PNG")],
        ]
    ):
        go(here / f"{i}")
        noise().save("a.png")
        for folder in ("there", "there.d"):
            Path(folder).mkdir()
        assert run("a.png", "-o", out) == 0, out
        assert (run.out, listing(here / f"{i}")) == ([written], sorted(["a.png", written]))
        with Image.open(written) as larger:
            assert (larger.format, larger.size) == (image_format, (22, 16)), out


def test_out_of_no_format_is_said_before_the_work(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead_of_upscale(monkeypatch, None)
    noise().save("a.png")
    for out in ("b.xyz", "b.ico", "b.mp4", "v1.0"):
        assert run("a.png", "-o", out) == 1, out
        (line,) = run.err
        assert line.startswith(f"npespcn upscale: {out}: "), out
        assert line.endswith("; try .png"), out


def test_what_a_format_cannot_hold_is_one_line_before_the_work(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An animation, or a side that is too long; no warning for each frame comes with it."""
    instead_of_upscale(monkeypatch, None)
    frames = [noise(channels=4, seed=i) for i in range(3)]
    frames[0].save("film.png", save_all=True, append_images=frames[1:])
    frames[0].convert("RGB").save("pages.tif", save_all=True, append_images=frames[1:])
    Image.new("L", (9000, 1)).save("long.png")
    frames[0].save("sizes.tif", save_all=True, append_images=[noise(5, 6)])
    for source, outs in {
        "film.png": ["a.jpg", "a.bmp", "a.tga", "a.jp2", "a.ppm"],
        "pages.tif": ["a.jpg", "a.pcx"],
        "long.png": ["a.webp"],
        "sizes.tif": ["a.png", "a.gif", "a.webp", "a.avif"],
    }.items():
        for out in outs:
            assert run(source, "-o", out) == 1, out
            (line,) = run.err
            assert line.startswith(f"npespcn upscale: {source}: {out}: "), out
            assert "; try ." in line, out
    assert listing(here) == ["film.png", "long.png", "pages.tif", "sizes.tif"]


def test_out_cannot_be_one_file_for_several(here: Path, run: Run) -> None:
    for name in ("a.png", "b.png"):
        noise().save(name)
    assert run("a.png", "b.png", "-o", "c.png") == 1
    assert run.err == ["npespcn upscale: -o c.png is one file, for 2 inputs; give a folder"]
    assert listing(here) == ["a.png", "b.png"]


def test_out_in_what_is_no_folder(here: Path, run: Run) -> None:
    noise().save("a.png")
    Path("a.txt").write_text("not a folder")
    for out in ("a.txt", "a.txt/b.png"):
        assert run("a.png", "-o", out) == 1, out
        assert len(run.err) == 1, out
    assert listing(here) == ["a.png", "a.txt"]


def test_a_folder_in_the_way(here: Path, run: Run) -> None:
    noise().save("a.png")
    noise().save("b.png")
    Path("a_x2.png").mkdir()
    assert run("a.png", "b.png") == 1
    assert run.out == ["b_x2.png"]
    assert run.err == ["npespcn upscale: a.png: a_x2.png is a folder: -o writes elsewhere"]


# --- standard input and output -------------------------------------------------------------------


class Pipes:
    """Run the command with bytes as its standard input, and keep the bytes of its output."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.patch = monkeypatch

    def __call__(self, *words: Any, given: bytes | None = b"", terminal: bool = False) -> int:
        streams = {name: io.TextIOWrapper(io.BytesIO()) for name in ("stdout", "stderr")}
        stdin = None if given is None else io.TextIOWrapper(io.BytesIO(given))
        with self.patch.context() as patch:
            for name, stream in {**streams, "stdin": stdin}.items():
                patch.setattr(sys, name, stream)
            if terminal:
                patch.setattr(streams["stdout"], "isatty", lambda: True, raising=False)
            status = cli.main(["upscale", *map(str, words)])
            for stream in streams.values():
                stream.flush()
        self.out, err = (stream.buffer.getvalue() for stream in streams.values())  # type: ignore[attr-defined]
        self.err = err.decode().splitlines()
        assert not any("Traceback" in line or "npespcn-" in line for line in self.err)
        return status


@pytest.fixture
def piped(here: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pipes:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return Pipes(monkeypatch)


def bytes_of(image: Image.Image, image_format: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def test_from_standard_input_to_standard_output(here: Path, piped: Pipes, tmp_path: Path) -> None:
    """A PNG and nothing else; what is said goes to stderr."""
    noise().save("a.png")
    for words, given in [
        (["-"], bytes_of(noise())),
        (["-", "-o", "-"], bytes_of(noise(), "TIFF")),
        (["a.png", "-o", "-"], None),
        (["--", "-"], bytes_of(noise(), "BMP")),
    ]:
        assert piped("--scale", 3, *words, given=given) == 0, words
        assert piped.err == []
        with Image.open(io.BytesIO(piped.out)) as larger:
            assert (larger.format, larger.tobytes()) == ("PNG", expected(noise(), 3))
        assert piped.out.endswith(b"IEND\xaeB\x60\x82")
    for out in ("b.webp", "deep/b.webp"):
        assert piped("-", "-o", out, given=bytes_of(noise())) == 0
        assert (piped.out, piped.err) == (f"{out}\n".encode(), [])
    frames = [noise(seed=i) for i in range(3)]
    film = bytes_of(
        frames[0], "GIF", save_all=True, append_images=frames[1:], duration=[30, 40, 50]
    )
    assert piped("-", given=film, terminal=False) == 0
    with Image.open(io.BytesIO(piped.out)) as larger:
        assert (larger.n_frames, larger.size) == (3, (22, 16))  # type: ignore[attr-defined]
    assert piped("-", given=b"P6 2 1 65535\n" + bytes(range(12))) == 0
    assert piped.err == ["npespcn: standard input: has 16 bits a channel, of which 8 are read"]
    assert listing(here) == ["a.png", "b.webp", "deep/b.webp"]
    assert listing(tmp_path / "temporary") == []
    Path("-").mkdir()
    noise(seed=5).save("-/a.png")
    assert piped("./-", "-o", "-", given=b"") == 0  # the folder of that name
    with Image.open(io.BytesIO(piped.out)) as larger:
        assert larger.tobytes() == expected(noise(seed=5))


def test_what_a_pipe_cannot_do_is_one_line(
    here: Path, piped: Pipes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("a.png", "b.png"):
        noise().save(name)
    Path("clip.mp4").write_bytes(b"")
    good, video = bytes_of(noise()), b"\0\0\0\x18ftypisom\0\0\2\0isomiso2"
    before = hashes(here)
    monkeypatch.setattr(command, "MOST_INPUT", 1 << 20)
    for words, given, terminal, said in [
        (["-"], good, True, "standard output is closed, or a terminal"),
        (["a.png", "-o", "-"], None, True, "standard output is closed, or a terminal"),
        (["-"], None, False, "standard input is closed, or a terminal"),
        (["-", "a.png"], good, False, "- is one image without a name: give no other input"),
        (["-", "-"], good, False, "- is one image without a name: give no other input"),
        (["-", "-o", "out/"], good, False, "- is one image without a name"),
        (["-", "-o", "."], good, False, "- is one image without a name"),
        (["a.png", "b.png", "-o", "-"], None, False, "is one file, for 2 inputs"),
        ([".", "-o", "-"], None, False, "is one file, for 3 inputs"),
        (["-", "--compare"], good, False, "--compare draws beside files"),
        (["-"], b"", False, "standard input: cannot be read as an image: it is empty"),
        (["-"], good[:-30], False, "standard input: cannot be read as an image: "),
        (["-"], video, False, "standard input: cannot be read as an image: a video"),
        (["-"], b"<html>", False, "standard input: cannot be read as an image: a web page"),
        (["-"], bytes(3 << 20), False, "standard input is longer than"),
        (["-", "-o", "c.xyz"], good, False, "c.xyz: images are not written as '.xyz'"),
        (["clip.mp4", "-o", "-"], None, False, "standard output.png"),
        (["missing.png", "-o", "-"], None, False, "missing.png: no such file"),
    ]:
        assert piped(*words, given=given, terminal=terminal) == 1, words
        assert piped.out == b"", words
        (line,) = piped.err
        assert line.startswith("npespcn upscale: "), words
        assert said in line, words
        assert hashes(here) == before, words
        assert listing(tmp_path / "temporary") == [], words


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full")
def test_standard_output_that_is_full_or_closed(here: Path, start: Any) -> None:
    noise(400, 500).save("a.png")
    save(network(2), "w.npz")
    words = [sys.executable, "-m", "npespcn", "upscale", "a.png", "-o", "-", "--weights", "w.npz"]
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with open("/dev/full", "wb") as full:
        done = subprocess.run(words, env=env, stdout=full, stderr=subprocess.PIPE)  # noqa: S603
    assert done.returncode == 1
    assert done.stderr == (
        b"npespcn upscale: [Errno 28] No space left on device: 'standard output'\n"
    )
    for more in ([], ["--force"]):
        process = start("a.png", "--weights", "w.npz", *(more or ["-o", "-"]))
        process.stdout.close()
        with process.stderr as stderr:
            err = stderr.read()
        assert process.wait(60) == 1
        assert re.fullmatch(r"npespcn upscale: \[Errno 32\] Broken pipe.*\n", err), err


# --- what is never overwritten -------------------------------------------------------------------


def test_no_input_is_overwritten(here: Path, run: Run) -> None:
    for way, words in {
        "same": ["a.png", "-o", "a.png"],
        "dots": ["a.png", "-o", "../dots/./a.png"],
        "link": ["a.png", "-o", "link.png"],
        "hard link": ["a.png", "-o", "hard.png"],  # on a disk that knows no case: A.png
        "another": ["a.png", "a_x2.png"],
        "of a folder": ["."],
    }.items():
        go(here / way)
        noise(seed=0).save("a.png")
        noise(seed=1).save("a_x2.png")
        if way == "link":
            Path("link.png").symlink_to("a.png")
        if way == "hard link":
            os.link("a.png", "hard.png")
        before = hashes(here / way)
        assert run(*words) == 1, way
        assert len([line for line in run.err if "--force overwrites it" in line]) == 1, way
        after = hashes(here / way)
        assert {name: after[name] for name in before} == before, way
        assert run(*words, "--force") == 0, way
        with Image.open("a.png" if way in ("same", "dots", "link") else run.out[0]) as larger:
            assert larger.size == (22, 16), way


def test_forced_onto_itself_the_comparison_is_with_what_was_there(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    monkeypatch.setattr(figures, "save", lambda figure, path: None)
    monkeypatch.setattr(figures, "before_after", lambda arrays, *a, **k: drawn.append(arrays))
    noise().save("a.png")
    assert run("a.png", "-o", "a.png", "--force", "--compare") == 0
    assert run.out == ["a_compare.png", "a.png"]
    bicubic = noise().resize((22, 16), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(drawn[0]["bicubic"], np.asarray(bicubic))
    np.testing.assert_array_equal(drawn[0]["npespcn"], np.asarray(Image.open("a.png")))


def test_a_file_of_ones_own_is_not_overwritten(here: Path, run: Run, drawn: list[Any]) -> None:
    """However it is named or found; --force and -o FILE say that it may be."""
    for way, words in {
        "a name": ["photo.jpg"],
        "a glob": ["*.jpg"],
        "both": ["photo.jpg", "photo_x2.png"],
        "all": ["*"],
        "a folder": ["."],
        "into a folder": ["photo.jpg", "-o", "."],
        "its name with a number": ["photo.jpg", "--jobs", "2"],
        "to resume": ["photo.jpg", "--resume"],
        "to resume all": ["photo.jpg", "photo_x2.png", "--resume"],
        "the comparison": ["photo.jpg", "--compare", "-o", "photo_x2.webp"],
        "the comparison, too": ["photo.jpg", "--compare"],
    }.items():
        go(here / way)
        noise(seed=0).save("photo.jpg")
        noise(40, 50, seed=1).save("photo_x2.png")
        noise(40, 50, seed=2).save("photo_x2_compare.png")
        before = hashes(here / way)
        assert run(*words) == 1, way
        (line,) = (line for line in run.err if line.startswith("npespcn upscale: photo.jpg: "))
        assert line.endswith(HOW), way
        assert "--force" in line, way
        assert hashes(here / way) == before, way
        assert run(*words, "--force") == 0, way
        assert hashes(here / way) != before, way
    noise().save("b.png")
    assert run("photo.jpg", "-o", "b.png") == 0  # as it was said


def test_a_file_that_comes_meanwhile_is_not_known(here: Path, run: Run) -> None:
    """A link to nowhere is no file yet, and is followed."""
    noise().save("a.png")
    Path("a_x2.png").symlink_to("there.png")
    assert run("a.png") == 0
    assert listing(here) == ["a.png", "a_x2.png", "there.png"]


def test_results_are_not_enlarged_again(here: Path, run: Run) -> None:
    """Also if a shell writes their names; --resume goes on, without it a line says so."""
    for name in ("p1.png", "p2.jpg", "p2.png", "p3.png"):
        noise(20, 30).save(name)
    assert run("p1.png", "p2.png", "p2.jpg", "p3.png", "--scale", 3) == 0
    Path("p3_x3.png").unlink()
    results = ["p1_x3.png", "p2_jpg_x3.png", "p2_png_x3.png"]
    before = hashes(here)
    shell = sorted(listing(here))
    for words in (shell, ["*"], ["*.png", "p2.jpg"], ["./*.*", "."]):
        assert run(*words, "--scale", 3) == 1, words
        assert run.err[0] == f"skipped, by their names: {', '.join(results)}", words
        assert len(run.err) == 4, words
        Path("p3_x3.png").unlink()
        assert hashes(here) == before, words
        assert run(*words, "--scale", 3, "--resume") == 0, words
        assert [Path(name).name for name in run.out] == ["p3_x3.png"], words
        assert len(listing(here)) == 8, words
        Path("p3_x3.png").unlink()
    assert run("p1_x3.png") == 0  # by itself it is an image like others
    assert run.out == ["p1_x3_x2.png"]


def test_results_in_their_folder_are_not_enlarged_again(here: Path, run: Run) -> None:
    for name in ("a.png", "deep/b.png"):
        Path(name).parent.mkdir(exist_ok=True)
        noise().save(name)
    for words in (["**/*.png"], ["a.png", "deep/b.png", "out/a_x2.png", "out/b_x2.png"]):
        assert run("**/*.png", "-o", "out", "--force") == 0
        Path("out/a_x2.png").unlink()
        assert run(*words, "-o", "out", "--resume") in (0, 1)  # one that is named is not there
        assert (run.out, len(listing(here))) == (["out/a_x2.png"], 4), words


def test_earlier_results_in_a_folder(here: Path, run: Run) -> None:
    """Not enlarged once more, and kept, unless one asks for something else."""
    for name in ("a.png", "b.png"):
        noise().save(name)
    assert run(".") == 0
    before = hashes(here)
    noise(seed=5).save("c.png")
    assert run(".") == 1
    assert run.out == ["c_x2.png"]
    assert run.err[0] == "skipped, by their names: a_x2.png, b_x2.png"
    assert [line.split(": ")[1] for line in run.err[1:]] == ["a.png", "b.png"]
    assert {name: hashes(here)[name] for name in before} == before
    noise(seed=6).save("a.png")
    assert run(".", "--force") == 0
    assert run.out == ["a_x2.png", "b_x2.png", "c_x2.png"]
    with Image.open("a_x2.png") as larger:
        assert larger.tobytes() == expected(noise(seed=6))
    assert len(listing(here)) == 6


def test_inputs_are_only_read(here: Path, run: Run, drawn: list[Any]) -> None:
    noise().save("a.jpg")
    noise().save("b.gif")
    Path("c.png").write_bytes(b"broken")
    before = hashes(here)
    states = {name: os.stat(name).st_mtime_ns for name in before}
    assert run(".", "--compare", "--jobs", 2) == 1
    after = hashes(here)
    assert {name: after[name] for name in before} == before
    assert {name: os.stat(name).st_mtime_ns for name in before} == states


# --- going on ------------------------------------------------------------------------------------


def test_resume_skips_what_is_whole(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Image.Exif()
    exif[0x112] = 6
    noise().save("a.jpg", exif=exif)
    noise().save("b.png")
    assert run("a.jpg", "b.png") == 0
    before = {name: os.stat(name).st_ino for name in listing(here)}
    instead_of_upscale(monkeypatch, None)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # of which a result may have more
    for names in (["a.jpg", "b.png"], ["."]):
        assert run(*names, "--resume") == 0
        assert run.out == []
    assert {name: os.stat(name).st_ino for name in listing(here)} == before


def test_resume_makes_what_is_not_whole(here: Path, run: Run) -> None:
    ways = ["cut short", "empty", "missing", "no picture"]
    for i, words in enumerate([["a.png", "b.png"], ["."], [".", "-o", "out"]]):
        go(here / f"{i}")
        for name in ("a.png", "b.png"):
            noise(20, 30).save(name)
        assert run(*words) == 0
        folder = Path("out" if "-o" in words else ".")
        broken, other = folder / "a_x2.png", (folder / "b_x2.png").stat().st_ino
        data = broken.read_bytes()
        contents = {"cut short": data[:-400], "empty": b"", "no picture": bytes(99)}
        for how in ways:
            if how == "missing":
                broken.unlink()
            else:
                broken.write_bytes(contents[how])
            assert run(*words, "--resume") == 0, (words, how)
            assert run.out == [str(broken)], (words, how)
            told = f"{broken}: not whole, and made anew" in run.err
            assert told == (how != "missing"), (words, how)
            assert broken.read_bytes() == data, (words, how)
            assert (folder / "b_x2.png").stat().st_ino == other, (words, how)


def test_results_in_a_folder_of_the_folder_are_not_enlarged_again(here: Path, run: Run) -> None:
    Path("deep").mkdir()
    noise().save("a.png")
    noise().save("deep/b.png")
    assert run(".", "--recursive", "-o", "out") == 0
    assert run.out == ["out/a_x2.png", "out/deep/b_x2.png"]
    assert run(".", "--recursive", "-o", "out", "--resume") == 0
    assert (run.out, run.err) == ([], ["skipped, by their names: out"])


def test_resume_overwrites_no_input(here: Path, run: Run) -> None:
    noise().save("a.png")
    noise().save("a_x2.png")  # of the wrong size for a result
    before = hashes(here)
    assert run("a.png", "a_x2.png", "--resume") == 1
    assert run.err == [
        "skipped, by their names: a_x2.png",
        f"npespcn upscale: a.png: a_x2.png {HOW}",
    ]
    assert {name: hashes(here)[name] for name in before} == before


def test_resume_overwrites_no_input_that_is_broken(here: Path, run: Run) -> None:
    noise().save("a.png")
    Path("b.png").write_bytes(b"precious, but no image")
    Path("a_x2.png").symlink_to("b.png")
    assert run("a.png", "b.png", "--resume") == 1
    assert run.err[0].startswith("npespcn upscale: a.png: a_x2.png is an input: ")
    assert Path("b.png").read_bytes() == b"precious, but no image"


def test_resume_with_a_source_that_is_broken_by_now(here: Path, run: Run) -> None:
    noise().save("a.png")
    assert run("a.png") == 0
    result = hashes(here)["a_x2.png"]
    Path("a.png").write_bytes(b"")
    assert run("a.png", "--resume") == 1
    assert len(run.err) == 1
    assert hashes(here)["a_x2.png"] == result


# --- what goes wrong -----------------------------------------------------------------------------


def bad_files(folder: Path) -> dict[str, str]:
    """Make files that cannot be enlarged; return something that should be said about each."""
    file = io.BytesIO()
    noise(40, 50).save(file, "PNG")
    whole = file.getvalue()
    bomb = b"BM" + struct.pack("<IHHIIiiHHIIIIII", 54, 0, 0, 54, 40, 60000, 60000, 1, 24, *[0] * 6)
    contents = {
        "cut.png": (whole[: len(whole) // 2], "truncated"),
        "empty.jpg": (b"", "it is empty"),
        "text.png": (b"no picture", "its format is not supported"),
        "bomb.bmp": (bomb, "decompression bomb"),
        "strip.gif": (b"GIF89a" + bytes(30), ""),
    }
    for name, (data, _) in contents.items():
        (folder / name).write_bytes(data)
    Image.new("F", (4, 4)).save(folder / "float.tif")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "broken.png").symlink_to("nowhere.png")
    others = {"float.tif": "no known range", "loop.png": "symbolic links", "broken.png": "No such"}
    return {name: words for name, (_, words) in contents.items()} | others


def test_bad_inputs_have_a_line_each_and_the_others_go_on(here: Path, run: Run) -> None:
    for jobs in (1, 3):
        go(folder := here / f"{jobs}")
        bad = bad_files(folder)
        (folder / "folder.png").mkdir()
        noise().save("a.png")
        noise().save("z.png")
        names = ["a.png", *bad, "folder.png", "missing.png", "*.nothing", "z.png"]
        before = listing(folder)
        assert run(*names, "--jobs", jobs) == 1
        assert sorted(run.out) == ["a_x2.png", "z_x2.png"]
        assert listing(folder) == sorted([*before, "a_x2.png", "z_x2.png"])
        assert len(run.err) == len(bad) + 3
        bad |= {"folder.png": "no image in this folder", "missing.png": "no such file"}
        for name, words in bad.items():
            (line,) = (line for line in run.err if line.startswith(f"npespcn upscale: {name}: "))
            assert words in line
            assert line.count(f"{name}: ") == 1


def test_a_folder_with_bad_files(here: Path, run: Run) -> None:
    bad = bad_files(here)
    noise().save("z.png")
    Path("paper.pdf").write_bytes(b"%PDF-1.4")
    assert run(".", "-o", "../out") == 1
    assert run.out == ["../out/z_x2.png"]
    assert len(run.err) == len(bad) + 1
    assert run.err[0].startswith("skipped paper.pdf: a PDF document: ")
    assert listing(here.parent / "out") == ["z_x2.png"]


def test_nothing_but_an_empty_folder(here: Path, run: Run) -> None:
    assert run(".") == 1
    assert len(run.err) == 1
    assert "no image in this folder" in run.err[0]


def test_errors_on_the_way(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    noise(4, 5).save("bad.png")
    noise().save("good.png")
    for error, words in [
        (MemoryError(), "not enough memory"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (ValueError("two\nlines"), "two lines"),
        (FloatingPointError("overflow"), "overflow"),
        (IndexError("of a bug"), "unexpected IndexError: of a bug; please report it"),
    ]:

        def fail(frame: Image.Image, *_: Any, error: Exception = error, **__: Any) -> Any:
            if frame.size == (5, 4):
                raise error
            return upscale(frame, model=network(2))

        instead_of_upscale(monkeypatch, fail)
        assert run("bad.png", "good.png", "--force") == 1, words
        assert run.err == [f"npespcn upscale: bad.png: {words}"]
        assert run.out == ["good_x2.png"], words


def test_a_full_disk_leaves_what_was_there(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise().save("a.png")
    Path("a_x2.png").write_bytes(b"before")

    def full(image: Image.Image, file: Any, **_: Any) -> None:
        file.write(b"a part")
        raise OSError(28, "No space left on device")

    instead_of_save(monkeypatch, full)
    assert run("a.png", "--force") == 1
    assert run.err == ["npespcn upscale: a.png: [Errno 28] No space left on device"]
    assert listing(here) == ["a.png", "a_x2.png"]
    assert Path("a_x2.png").read_bytes() == b"before"


def test_ctrl_c_stops_all_and_leaves_nothing_half_done(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []

    def slow(frame: Image.Image, **_: Any) -> Any:
        begun.append(frame.size)
        if len(begun) == 2:
            signal.raise_signal(signal.SIGINT)
        return frame.resize((22, 16))

    instead_of_upscale(monkeypatch, slow)
    names = [f"{i}.png" for i in range(6)]
    for name in names:
        noise().save(name)
    assert run(*names) == 130
    assert run.err == ["npespcn upscale: stopped"]
    assert run.out == ["0_x2.png"]
    assert len(begun) == 2
    assert listing(here) == sorted([*names, "0_x2.png"])


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_terminal_that_is_closed_may_say_so_twice(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What tidies up after the first time is not interrupted by the second."""
    before = {name: signal.signal(name, signal.SIG_DFL) for name in (signal.SIGHUP, signal.SIGTERM)}

    def closed(image: Image.Image, file: Any, **_: Any) -> None:
        file.write(b"a part")
        try:
            signal.raise_signal(signal.SIGHUP)
        finally:
            signal.raise_signal(signal.SIGTERM)
            tidied.append(file)

    tidied: list[Any] = []
    instead_of_save(monkeypatch, closed)
    Path("a.ppm").write_bytes(b"P5 1 1 255 a")
    try:
        assert run("a.ppm") == 130
        assert len(tidied) == 1
        assert signal.getsignal(signal.SIGHUP) == signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
    assert listing(here) == ["a.ppm"]


WATCH = """
import atexit, os, sys
from pathlib import Path

if any("spawn_main" in word for word in sys.orig_argv):
    begun = Path(os.environ["NOTES"], f"{os.getpid()}.begun")
    begun.touch()
    atexit.register(lambda: begun.write_text(os.environ["NPESPCN_THREADS"]))

if "GPU" in os.environ:
    import strict_cupy

    def asarray(*args, asarray=strict_cupy.asarray, **options):
        Path(os.environ["NOTES"], f"{os.getpid()}.gpu").touch()
        return asarray(*args, **options)

    strict_cupy.asarray = asarray
    sys.modules["cupy"] = strict_cupy
"""


@pytest.fixture
def start(here: Path, tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start the command in a process group of its own, all of whose processes leave notes."""
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "sitecustomize.py").write_text(WATCH)
    tests = Path(__file__).parents[1]
    paths = os.pathsep.join(map(str, [notes, tests.parent, tests]))

    def call(*words: Any, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "npespcn", "upscale", *map(str, words)],
            env=os.environ | {"PYTHONPATH": paths, "NOTES": str(notes)} | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    call.notes = notes  # type: ignore[attr-defined]
    return call


def wait_until(process: subprocess.Popen[str], condition: Callable[[], Any]) -> None:
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_to_all_processes_stops_them(here: Path, start: Any, name: str, jobs: int) -> None:
    """As a terminal sends it, in the middle of pictures that take long."""
    for i in range(3):
        noise(900, 1200).save(f"{i}.png")
    save(network(4), "w.npz")
    words = [f"{i}.png" for i in range(3)]
    words += ["--weights", "w.npz", "--tile", "16", "--jobs", f"{jobs}", "-o", "out/"]
    before = listing(here)
    process = start(*words)
    wait_until(process, Path("out").exists)
    time.sleep(0.5)
    os.killpg(process.pid, getattr(signal, name))
    out, err = process.communicate(timeout=60)  # when the last of them is gone
    assert (process.returncode, out, err) == (130, "", "npespcn upscale: stopped\n")
    assert listing(here) == before


# --- several processes ---------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [None, "5"])
def test_processes_have_their_share_of_the_cores(
    here: Path, start: Any, monkeypatch: pytest.MonkeyPatch, threads: str | None
) -> None:
    monkeypatch.delenv("NPESPCN_THREADS", raising=False)
    share = threads or str(max(1, thread_count() // 3))
    for i in range(4):
        noise().save(f"{i}.png")
    process = start(".", "--jobs", 3, **({"NPESPCN_THREADS": threads} if threads else {}))
    out, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, "")
    assert sorted(out.splitlines()) == [f"{i}_x2.png" for i in range(4)]
    assert [note.read_text() for note in start.notes.glob("*.begun")] == [share] * 3


def test_one_file_needs_no_processes(here: Path, start: Any) -> None:
    noise().save("a.png")
    process = start("a.png", "--jobs", 3)
    assert process.communicate(timeout=300) == ("a_x2.png\n", "")
    assert not list(start.notes.glob("*.begun"))


def test_processes_warn_and_complain_in_the_same_words(here: Path, run: Run) -> None:
    for name in ("a.ppm", "b.ppm"):
        Path(name).write_bytes(b"P6 2 1 65535\n" + bytes(range(12)))
    Path("c.png").write_bytes(b"no picture")
    file = io.BytesIO()
    noise(40, 50).save(file, "TIFF", compression="tiff_lzw")
    Path("d.tif").write_bytes(file.getvalue()[:500])  # of which libtiff has much to say
    assert run("a.ppm", "b.ppm", "c.png", "d.tif", "--jobs", 3) == 1
    said = sorted(run.err)
    assert len(said) == 4
    assert run("a.ppm", "b.ppm", "c.png", "d.tif", "--force") == 1
    assert sorted(run.err) == said


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_process_that_is_killed_ends_it_with_a_line(here: Path, start: Any) -> None:
    """As a system does that has no memory left."""
    for i in range(12):
        noise(150, 200, seed=i).save(f"{i}.png")
    process = start(".", "-o", "out", "--jobs", 2)
    wait_until(process, lambda: list(Path().glob("out/*_x2.png")))
    os.kill(int(next(start.notes.glob("*.begun")).stem), signal.SIGKILL)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert err == (
        "npespcn upscale: one of the processes was ended, perhaps because memory ran out: "
        "--resume continues, fewer --jobs need less memory\n"
    )
    process = start(".", "-o", "out", "--jobs", 2, "--resume")
    assert process.communicate(timeout=300)[1] == ""
    assert len(listing(here / "out")) == 12
    for i in range(12):
        with Image.open(f"out/{i}_x2.png") as larger:
            larger.load()


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_processes_end_with_a_parent_that_is_killed(here: Path, start: Any) -> None:
    for i in range(6):
        noise(900, 1200).save(f"{i}.png")
    process = start(".", "-o", "out", "--tile", 16, "--jobs", 2)
    wait_until(process, Path("out").exists)
    time.sleep(0.3)
    process.kill()
    _, err = process.communicate(timeout=60)  # when nobody can write there any more
    assert "Traceback" not in err


def test_without_a_gpu_that_is_said_before_the_work(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    for name in ("a.png", "b.png"):
        noise().save(name)
    assert run("missing.png", "a.png", "b.png", "--jobs", 2, "--device", "gpu") == 1
    (line,) = run.err
    assert line.startswith("npespcn upscale: no GPU: CuPy is not installed")


def test_each_process_uses_the_gpu(here: Path, start: Any) -> None:
    for i in range(4):
        noise(20, 30, seed=i).save(f"{i}.png")
    process = start(".", "--device", "gpu", "--jobs", 2, "-o", "gpu", GPU="a stand-in")
    assert process.communicate(timeout=300)[1] == ""
    assert process.returncode == 0
    begun = {note.stem for note in start.notes.glob("*.begun")}
    assert len(begun) == 2
    assert {note.stem for note in start.notes.glob("*.gpu")} == begun | {str(process.pid)}
    assert start(".", "-o", "cpu").communicate(timeout=300)[1] == ""
    for i in range(4):
        one, two = (np.asarray(Image.open(f"{kind}/{i}_x2.png")) for kind in ("cpu", "gpu"))
        assert np.abs(one.astype(int) - two).max() <= 1


# --- side by side --------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(60, 80), (1, 1), (1, 200)])
def test_compare_draws_a_picture(here: Path, run: Run, shape: tuple[int, int]) -> None:
    noise(*shape).save("a photo, $1.png")
    assert run("a photo, $1.png", "--compare", "--scale", 3) == 0
    assert run.out == ["a photo, $1_x3_compare.png", "a photo, $1_x3.png"]
    assert run.err == []
    with Image.open("a photo, $1_x3_compare.png") as sheet:
        sheet.load()
        assert sheet.width == 1500


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16", "P", "CMYK"])
def test_compare_sets_bicubic_beside_the_network(
    here: Path, run: Run, drawn: list[Any], mode: str
) -> None:
    if mode == "I;16":
        image = Image.fromarray(pixels(20, 30, 1).astype(np.uint16) * 257)
    else:
        image = noise(20, 30, 4).convert(mode)
    image.save("a.tif")
    assert run("a.tif", "--compare") == 0
    arrays, (left, upper, right, lower), _ = drawn[0]
    assert list(arrays) == ["bicubic", "npespcn"]
    color = (40, 60, 3) if mode in ("RGB", "RGBA", "P", "CMYK") else (40, 60)
    for array in arrays.values():
        assert (array.shape, array.dtype) == (color, np.uint8)
    assert 0 <= left < right <= 60
    assert 0 <= upper < lower <= 40
    if mode in ("L", "RGB"):
        bicubic = image.resize((60, 40), Image.Resampling.BICUBIC)
        np.testing.assert_array_equal(arrays["bicubic"], np.asarray(bicubic))
        np.testing.assert_array_equal(
            arrays["npespcn"], upscale(np.asarray(image), model=network(2))
        )


def test_compare_shows_the_first_frame(here: Path, run: Run, drawn: list[Any]) -> None:
    noise().save("film.png", save_all=True, append_images=[noise(seed=1), noise(seed=2)])
    assert run("film.png", "--compare") == 0
    ((arrays, _, _),) = drawn
    bicubic = noise().resize((22, 16), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(arrays["bicubic"], np.asarray(bicubic))
    np.testing.assert_array_equal(arrays["npespcn"], upscale(pixels(), model=network(2)))


def test_compare_names_what_it_shows(here: Path, run: Run, drawn: list[Any]) -> None:
    noise().save("a $1 写.png")
    assert run("a $1 写.png", "--compare") == 0
    assert drawn[0][2] == r"a \$1 ?.png, 2 times larger"


def test_comparisons_that_would_get_one_name(here: Path, run: Run, drawn: list[Any]) -> None:
    noise().save("a.tif", save_all=True, append_images=[noise(seed=1)])
    noise().save("a.png")
    assert run("a.tif", "a.png", "--compare") == 0
    assert run.out == ["a_tif_x2_compare.png", "a_x2.tif", "a_png_x2_compare.png", "a_x2.png"]
    assert run(".", "-o", "../out") == 0
    assert "a_tif_x2_compare.png" in run.err[0]


@pytest.mark.parametrize("shape", [(200, 300), (200, 300, 3)])
def test_the_piece_is_where_they_differ_most(shape: tuple[int, ...]) -> None:
    """Whichever of the two is brighter there: uint8 would wrap."""
    dark, bright = np.full(shape, 10, np.uint8), np.full(shape, 11, np.uint8)
    bright[130:140, 210:220] = 200
    for a, b in ((dark, bright), (bright, dark)):
        left, upper, right, lower = figures.where_they_differ(a, b)
        assert (right - left, lower - upper) == (64, 64)
        assert left <= 210 < 220 <= right
        assert upper <= 130 < 140 <= lower


def test_a_large_picture_is_drawn_smaller_but_its_piece_is_not() -> None:
    large = pixels(400, 3200)
    sheet = figures.before_after({"network": large}, (1600, 200, 1700, 300))
    whole, piece = sheet.axes
    assert whole.images[0].get_array().shape[:2] == (134, 1067)
    (outline,) = whole.patches
    x, y = outline.get_xy()  # of the corner of a pixel, whose middle is whole
    box = [x + 0.5, y + 0.5, outline.get_width(), outline.get_height()]
    assert [3 * value for value in box] == pytest.approx([1600, 200, 100, 100])
    np.testing.assert_array_equal(piece.images[0].get_array(), large[200:300, 1600:1700])


def test_compare_overwrites_no_input(here: Path, run: Run, drawn: list[Any]) -> None:
    noise().save("a.png")
    noise(seed=1).save("a_x2_compare.png")
    before = hashes(here)
    assert run("a_x2_compare.png", "--compare") == 0
    before |= hashes(here)
    assert run("a.png", "a_x2_compare.png", "--compare") == 1
    assert "a_x2_compare.png exists: " in run.err[1]
    assert run("a.png", "-o", "a_x2.tif", "--compare", "--resume") == 0  # it is kept
    before |= hashes(here)
    assert {name: hashes(here)[name] for name in before} == before


# --- on a terminal, and videos -------------------------------------------------------------------


def test_progress_is_shown_on_a_terminal_alone(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.png", "b.png"):
        noise(20, 20).save(name)
    assert run("a.png", "--tile", 5) == 0
    assert run.err == []
    for words, unit in [
        (["a.png", "--tile", "5"], "16/16 .*tile"),
        (["a.png", "b.png"], "2/2.*file"),
    ]:
        with monkeypatch.context() as patch:
            patch.setattr(type(sys.stderr), "isatty", lambda stream: True)
            assert run(*words, "--force") == 0
        assert re.search(unit, "\n".join(run.err)), run.err
        assert len(run.out) == len(words) if words[-1] == "b.png" else 1


def test_videos_are_handed_on(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def upscale_video(
        source: Path, target: Path, model: ESPCN, *, progress: Any, keep_going: bool, **_: Any
    ) -> None:
        calls.append((source, target, model.scale, keep_going))
        progress(1, 10)
        progress(2, None)
        target.write_bytes(b"a video")

    monkeypatch.setattr(command, "upscale_video", upscale_video)
    for name in ("clip.MP4", "old.mpg", "clip.png"):
        Path(name).write_bytes(b"")
    noise().save("clip.png")
    assert run("clip.MP4", "old.mpg", "clip.png", "--scale", 3) == 0
    assert run.out == ["clip_x3.MP4", "old_x3.mp4", "clip_x3.png"]
    assert calls[1] == (Path("old.mpg"), Path("old_x3.mp4"), 3, False)
    assert run("clip.MP4", "-o", "other.mkv", "--compare", "--keep-going") == 0
    assert calls[2] == (Path("clip.MP4"), Path("other.mkv"), 2, True)
    assert run.err == ["npespcn upscale: clip.MP4: --compare is for images"]
    Path("out").mkdir()
    sizes = {"old.mpg": (4, 6), "old_x2.mp4": (8, 12), "clip.MP4": (4, 6), "clip_x2.MP4": (8, 11)}
    monkeypatch.setattr(command, "video_size", lambda path, *_: sizes[path.name])
    for name in ("old_x2.mp4", "clip_x2.MP4"):
        Path("out", name).write_bytes(b"a video")
    assert run("old.mpg", "clip.MP4", "-o", "out", "--resume") == 1
    assert run.err == [f"npespcn upscale: clip.MP4: out/clip_x2.MP4 {HOW}"]
    sizes["clip_x2.MP4"] = (8, 12)
    assert run("old.mpg", "clip.MP4", "-o", "out", "--resume") == 0
    assert run.out == run.err == []


def test_a_video_without_what_reads_it(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def upscale_video(*_: Any, **__: Any) -> None:
        raise RuntimeError("video needs PyAV: pip install 'npespcn[video]'")

    monkeypatch.setattr(command, "upscale_video", upscale_video)
    Path("clip.mp4").touch()
    noise().save("a.png")
    assert run("clip.mp4", "a.png") == 1
    assert run.err == ["npespcn upscale: clip.mp4: video needs PyAV: pip install 'npespcn[video]'"]
    assert run.out == ["a_x2.png"]
