"""What a file is that cannot be read: said by its content, or else by its suffix."""

from __future__ import annotations

import gzip
import io
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from npespcn.common.kinds import kind_of, unread_picture
from npespcn.pictures.files import is_image_file, open_image


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", 8 + len(data)) + kind + data


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.png"))
    return file.getvalue()


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
CONTENTS = {  # a word of what is said: how such files begin
    "HEIC": [
        box(b"ftyp", b"heic\0\0\0\0mif1heic"),
        box(b"ftyp", b"mif1\0\0\0\0mif1heic"),
        box(b"ftyp", b"hevx\0\0\0\0msf1hevx"),
    ],
    "AVIF": [box(b"ftyp", b"avif\0\0\0\0avifmif1"), box(b"ftyp", b"mif1\0\0\0\0mif1avif")],
    "JPEG XL": [b"\xff\x0a\x7f\x3e", box(b"JXL ", b"\r\n\x87\n") + box(b"ftyp", b"jxl ")],
    "raw photograph": [
        box(b"ftyp", b"crx \0\0\0\x01crx isom"),
        b"FUJIFILMCCD-RAW 0201FF389501X-T1",
        b"IIRO\x08\0\0\0",
        b"IIU\0\x18\0\0\0",
        b"II\x1a\0\0\0HEAPCCDR",
        b"FOVb\x02\0\x02\0",
        b"II*\0\x10\0\0\0CR\x02\0",
    ],
    "SVG": [
        SVG,
        b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- made by hand -->\n<!DOCTYPE svg>' + SVG,
        b'<?xml version="1.0"?><svg:svg xmlns:svg="http://www.w3.org/2000/svg"/>',
    ],
    "PDF": [b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", b"\0\r\n%PDF-1.4"],
    "drawing of any size": [
        b"%!PS-Adobe-3.0 EPSF-3.0",
        b"\xc5\xd0\xd3\xc6" + bytes(28),
        b"\xd7\xcd\xc6\x9a" + bytes(18),
        struct.pack("<II32x4s", 1, 108, b" EMF"),
    ],
    "drawing program": [b"gimp xcf v011\0", b"8BPS\0\x02" + bytes(20)],
    "high dynamic range": [b"v/1\x01\x02\0\0\0", b"#?RADIANCE\n", b"II\xbc\x01\x20\0\0\0"],
    "measured data": [
        b"SIMPLE  =                    T",
        bytes(128) + b"DICM",
        b"\x89HDF\r\n\x1a\n",
    ],
    "a format that is not read": [b"AT&TFORM\0\0\0\0DJVU", b"BPG\xfb", b"\xff\xd8\xff\xf7\0\x0b"],
    "web page": [
        b'<?xml version="1.0"?>\n<!DOCTYPE HTML>' + SVG,
        b"<!DOCTYPE html>\n<html>" + SVG,
        b"\n <html lang=en>",
        b"<HEAD><TITLE>404",
    ],
    "document": [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", rb"{\rtf1\ansi"],
    "archive": [
        zipped("a.png"),
        gzip.compress(b"x"),
        b"7z\xbc\xaf\x27\x1c",
        b"Rar!\x1a\7",
        tarred(),
    ],
    "sound": [b"ID3\x03\0", b"RIFF\x24\0\0\0WAVEfmt ", b"fLaC\0", box(b"ftyp", b"M4A \0\0\0\0")],
    "a video": [
        box(b"ftyp", b"isom\0\0\2\0isomiso2"),
        box(b"ftyp", b"qt  \0\0\0\0qt  "),
        box(b"wide", b"") + box(b"mdat", b"x"),
        b"\x1a\x45\xdf\xa3\x01\0",
        b"RIFF\x24\0\0\0AVI LIST",
        b"FLV\x01\x05",
        b"\0\0\x01\xba\x44",
        (b"G" + bytes(187)) * 3,
    ],
    "Git LFS": [b"version https://git-lfs.github.com/spec/v1\noid sha256:0"],
    "shortcut": [b"[InternetShortcut]\r\nURL=https://example.com", b"L\0\0\0\x01\x14\x02\0"],
    "empty": [b""],
    "damaged": [
        b"\x89PNG\r\n\x1a\n\0\0",
        b"\xff\xd8\xff",
        b"GIF89a",
        b"RIFF\0\0\0\0WEBP",
        b"MM\0*",
    ],
}
SUFFIXES = {
    "HEIC": [".heic", ".HEIC", ".heif", ".hif"],
    "JPEG XL": [".jxl"],
    "raw photograph": [".dng", ".NEF", ".arw", ".cr2", ".cr3", ".raf", ".orf", ".rw2", ".pef"],
    "SVG": [".svg", ".svgz"],
    "PDF": [".pdf"],
    "drawing": [".eps", ".ai", ".xcf", ".kra", ".psb"],
    "document": [".docx", ".pptx", ".doc", ".odt", ".epub"],
    "web page": [".html"],
    "archive": [".zip", ".7z"],
    "high dynamic range": [".exr", ".hdr", ".jxr"],
    "measured data": [".fits", ".dcm"],
}


@pytest.mark.parametrize("suffix", ["", ".jpg", ".png", ".txt"])
def test_content_tells_whatever_the_name_is(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"file{suffix}"
    for word, beginnings in CONTENTS.items():
        for data in beginnings:
            file.write_bytes(data)
            assert word in kind_of(file), (word, data)
            with pytest.raises(ValueError, match=f"cannot be read as an image: .*{word}") as caught:
                open_image(file)
            assert "\n" not in str(caught.value)
            assert str(caught.value).startswith(f"{file}: ")


def test_a_suffix_tells_where_the_content_does_not(tmp_path: Path) -> None:
    for word, suffixes in SUFFIXES.items():
        for suffix in suffixes:
            file = tmp_path / f"a{suffix}"
            for data in (b"who knows", *([zipped("a")] if word in ("document", "archive") else [])):
                file.write_bytes(data)
                assert word in kind_of(file), suffix
    file = tmp_path / "a.svgz"
    file.write_bytes(gzip.compress(SVG))
    assert kind_of(file).startswith("SVG")
    file = tmp_path / "a.heic"  # which it is not
    file.write_bytes(b"<html>")
    assert kind_of(file).startswith("a web page")
    file = tmp_path / "a.xyz"
    file.write_bytes(b"who knows")
    assert kind_of(file) == ""
    with pytest.raises(ValueError, match="its format is not supported"):
        open_image(file)


def test_no_suffix_of_a_format_that_is_read_is_among_the_others() -> None:
    for suffix in Image.registered_extensions():
        assert not (is_image_file(f"a{suffix}") and unread_picture(f"a{suffix}")) or suffix in (
            *(".avif", ".avifs", ".heic", ".heics", ".heif", ".heifs", ".hif"),
        )


# --- raw photographs -----------------------------------------------------------------------------


def tiff(**tags: tuple[int, int, int]) -> bytes:
    """Return a TIFF of 8 x 8 gray pixels, with further tags: (tag, type, value)."""
    entries = [
        *[(256, 3, 8), (257, 3, 8), (258, 3, 8), (259, 3, 1), (262, 3, 1)],
        *[(273, 4, 8), (277, 3, 1), (278, 3, 8), (279, 4, 64), *tags.values()],
    ]
    ifd = struct.pack("<H", len(entries))
    for tag, kind, value in sorted(entries):
        ifd += struct.pack("<HHII", tag, kind, 4 if kind == 1 else 1, value)
    return struct.pack("<2sHI", b"II", 42, 72) + bytes(range(64)) + ifd + bytes(4)


def test_a_raw_photograph_is_not_its_thumbnail(tmp_path: Path) -> None:
    version, thumbnail, sub_ifds = (0xC612, 1, 0x0401), (254, 4, 1), (330, 4, 8)
    for name, data in {
        "a.dng": tiff(version=version),
        "renamed.tif": tiff(version=version),
        "ep.tif": tiff(standard=(0x9216, 1, 1)),
        "a.tif": tiff(thumbnail=thumbnail, sub_ifds=sub_ifds),  # as NEF and ARW begin
        "by suffix.NEF": tiff(),
        "whatever.3fr": tiff(thumbnail=thumbnail),
    }.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match="a raw photograph: develop it first"):
            open_image(tmp_path / name)
    for name, data in {
        "plain.tif": tiff(),
        "a page, reduced.tif": tiff(thumbnail=thumbnail),
        "a pyramid.tif": tiff(thumbnail=(254, 4, 0), sub_ifds=sub_ifds),
    }.items():
        (tmp_path / name).write_bytes(data)
        with open_image(tmp_path / name) as image:
            assert np.asarray(image).sum() == sum(range(64))


# --- HEIC ----------------------------------------------------------------------------------------

WITHOUT = """
import sys
sys.modules["pillow_heif"] = None
from npespcn.commands.main import main
sys.exit(main(sys.argv[1:]))
"""


def test_without_pillow_heif_heic_is_named(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("IMG_1.HEIC", "IMG_2.heic", "IMG_3.jpg"):
        (tmp_path / "photos" / name).write_bytes(CONTENTS["HEIC"][0])
    for words, names in [
        (["upscale", "photos"], ["photos/IMG_1.HEIC and 1 more", "photos/IMG_3.jpg"]),
        (["upscale", "photos/IMG_1.HEIC"], ["photos/IMG_1.HEIC"]),
    ]:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", WITHOUT, *words],
            cwd=tmp_path,
            env={"PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        lines = done.stderr.splitlines()
        for line, name in zip(lines, names, strict=True):
            assert line.startswith(f"npespcn upscale: {name}: ")
            assert "HEIC, the format of iPhones: pip install 'npespcn[heic]'" in line
