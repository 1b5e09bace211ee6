"""EXIF, XMP, IPTC and text: kept as they are, but for what would be wrong of a larger picture."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import AppendingTiffWriter

from npespcn.pictures.files import open_image
from npespcn.pictures.formats import plain_frames, write_frames

MAKER = b"a maker's note, which knows that it lies at byte 200"
TAKEN = b"2024:01:02 03:04:05\0"
IPTC = b"\x1c\x02\x78\x00\x05title\x1c\x02\x50\x00\x02me"
XMP = b"""<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF
 xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>
<rdf:Description tiff:Orientation="6" tiff:ImageWidth='30' exif:PixelXDimension = "30"
 hdrgm:Version="1.0" GCamera:MotionPhoto="1">
<exif:PixelYDimension>20</exif:PixelYDimension><dc:rights>J\xc3\xbcrgen, 30 x 20</dc:rights>
<xmp:Thumbnails><rdf:Alt><rdf:li>AAAA</rdf:li></rdf:Alt></xmp:Thumbnails>
<Container:Directory><rdf:Seq/></Container:Directory><GCamera:MicroVideo>1</GCamera:MicroVideo>
</rdf:Description></rdf:RDF></x:xmpmeta>"""


def exif_block(order: str = "<", turn: int = 6) -> bytes:
    """Return EXIF of a picture of 30 x 20 pixels: two directories, a thumbnail, a maker's note."""

    def directory(entries: list[tuple[int, int, int, Any]], after: int) -> bytes:
        data = struct.pack(f"{order}H", len(entries))
        for tag, kind, count, value in entries:
            inline = isinstance(value, bytes) or kind == 3
            form = ("4s" if isinstance(value, bytes) else "HH") if inline else "I"
            values = (value, 0) if inline and kind == 3 else (value,)
            data += struct.pack(f"{order}HHI{form}", tag, kind, count, *values)
        return data + struct.pack(f"{order}I", after)

    first = directory(
        [(0x100, 4, 1, 30), (0x101, 3, 1, 20), (0x112, 3, 1, turn), (0x13B, 2, 3, b"m\xfc\0\0"),
         (0x8769, 4, 1, 90), (0x8825, 4, 1, 160)], 300)  # fmt: skip
    inner = directory(
        [(0x9003, 2, 20, 260), (0x927C, 7, len(MAKER), 200), (0xA002, 3, 1, 30),
         (0xA003, 3, 1, 20)], 0)  # fmt: skip
    place = directory([(1, 2, 2, b"N\0\0\0")], 0)
    thumbnail = directory([(0x112, 3, 1, 6), (0x201, 4, 1, 340), (0x202, 4, 1, 4)], 0)
    data = bytearray(344)
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8)
    for at, part in [(0, head), (8, first), (90, inner), (160, place), (200, MAKER),
                     (260, TAKEN), (300, thumbnail), (340, b"\xff\xd8\xff\xd9")]:  # fmt: skip
        data[at : at + len(part)] = part
    return bytes(data)


def tags_of(exif: bytes) -> dict[int, tuple[int, Any]]:
    """Return places and values of the tags of EXIF, those of its inner directories too."""
    order, found = {b"II": "<", b"MM": ">"}[exif[:2]], {}
    (start,) = struct.unpack_from(f"{order}I", exif, 4)
    places = [start]
    for place in places:
        (count,) = struct.unpack_from(f"{order}H", exif, place)
        for at in range(place + 2, place + 2 + 12 * count, 12):
            tag, kind, n = struct.unpack_from(f"{order}HHI", exif, at)
            size = n * {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}[kind]
            where = at + 8 if size <= 4 else struct.unpack_from(f"{order}I", exif, at + 8)[0]
            value: Any = exif[where : where + size]
            if kind in (3, 4):
                value = int.from_bytes(value, "little" if order == "<" else "big")
            found[tag] = (where, value)
            if tag in (0x8769, 0x8825):
                places.append(value)
        if place == start:
            assert exif[place + 2 + 12 * count :][:4] == bytes(4), "another directory, a thumbnail"
    return found


def chunks_of(png: bytes) -> list[tuple[bytes, bytes]]:
    at, found = 8, []
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        found.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def segments_of(jpeg: bytes) -> list[tuple[int, bytes]]:
    at, found = 2, []
    while jpeg[at + 1] != 0xDA:
        length = int.from_bytes(jpeg[at + 2 : at + 4], "big")
        found.append((jpeg[at + 1], jpeg[at + 4 : at + 2 + length]))
        at += 2 + length
    return found


def source(path: Path, order: str = "<") -> Path:
    """Write a picture of 30 x 20 pixels, on its side, that says all its format can."""
    image, exif = Image.new("RGB", (30, 20), (200, 100, 50)), exif_block(order)
    image.paste((0, 0, 255), (0, 0, 15, 20))
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC + bytes(len(IPTC) % 2)
    text = PngInfo()
    text.add_itxt("XML:com.adobe.xmp", XMP)
    text.add_text("Comment", "a comment")
    text.add_text("Title", "a title")
    text.add_itxt("Description", "\u6f22\u5b57", lang="zh", tkey="\u63cf\u8ff0", zip=True)
    text.add_text("Raw profile type iptc", f"\niptc\n {len(resource)}\n{resource.hex()}\n")
    segment = b"Photoshop 3.0\0" + resource
    app13 = b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment
    options: dict[str, dict[str, Any]] = {
        ".jpg": {"exif": b"Exif\0\0" + exif, "xmp": XMP, "comment": b"a comment", "extra": app13},
        ".png": {"exif": exif, "pnginfo": text},
        ".webp": {"exif": exif, "xmp": XMP},
    }
    image.save(path, **options[path.suffix])
    return path


def enlarged(path: Path, target: Path, scale: int = 2) -> list[str]:
    """Enlarge a picture in the simplest way; return what is said about its result."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", module=r"PIL\.")  # as the command does
        with open_image(path) as image:
            frames = list(plain_frames(image, scale))
        results = []
        for frame in frames:
            results.append(frame.resize((scale * frame.width, scale * frame.height)))
            results[-1].info = frame.info
        write_frames(target, results)
    assert all(str(w.message).startswith(f"{target}: ") for w in said)
    return [str(w.message).removeprefix(f"{target}: ") for w in said]


NEVER = "left out: HDR gain map, video"


def test_exif_stays_in_its_place(tmp_path: Path) -> None:
    """All but the orientation, the size and the thumbnail, to the byte."""
    for order, start, end in product(
        "<>", [".jpg", ".png", ".webp"], [".jpg", ".png", ".webp", ".avif"]
    ):
        enlarged(source(tmp_path / f"a{start}", order), tmp_path / f"b{end}")
        with Image.open(tmp_path / f"b{end}") as image:
            assert image.size == (40, 60)
            exif = image.info["exif"].removeprefix(b"Exif\0\0")
        found, case = tags_of(exif), (order, start, end)
        assert found.get(0x112, (0, 1))[1] == 1, case
        sizes = [found[tag][1] for tag in (0x100, 0x101, 0xA002, 0xA003)]
        assert sizes == [40, 60, 40, 60], case
        assert found[0x927C] == (200, MAKER), case
        assert found[0x9003][1] == TAKEN, case
        assert found[0x13B][1] == b"m\xfc\0", case
        assert found[1][1] == b"N\0", case


def test_the_orientation_is_not_applied_twice(tmp_path: Path) -> None:
    for end in [".jpg", ".png", ".webp", ".avif", ".tif"]:
        enlarged(source(tmp_path / "a.jpg"), tmp_path / f"b{end}")
        with open_image(tmp_path / f"b{end}") as image:
            (frame,) = plain_frames(image)
        assert frame.size == (40, 60), end
        assert frame.getpixel((20, 10))[2] > 200, end  # the left half is above
        assert frame.getpixel((20, 50))[2] < 100, end


def test_a_picture_on_its_side_swaps_its_resolutions(tmp_path: Path) -> None:
    for order, turn, end in product("<>", (1, 3, 6, 8), (".jpg", ".png", ".avif")):
        exif = Image.Exif()
        exif.endian, exif[0x112], exif[0x11A], exif[0x11B] = order, turn, 300.0, 150.0
        Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=exif)
        enlarged(tmp_path / "a.jpg", tmp_path / f"b{end}")
        with Image.open(tmp_path / f"b{end}") as image:
            found = image.getexif()
        expected = (150, 300) if turn > 4 else (300, 150)
        assert (found[0x11A], found[0x11B]) == expected, (order, turn, end)


def test_xmp_is_mended(tmp_path: Path) -> None:
    for start, end in product(
        [".jpg", ".png", ".webp"], [".jpg", ".png", ".webp", ".avif", ".tif"]
    ):
        said = enlarged(source(tmp_path / f"a{start}"), tmp_path / f"b{end}")
        assert "HDR gain map, video" in said[0], (start, end)
        with Image.open(tmp_path / f"b{end}") as image:
            xmp = image.info["xmp"]
        for part in [
            *[b'tiff:Orientation="1"', b"tiff:ImageWidth='40'", b'exif:PixelXDimension = "40"'],
            *[b"<exif:PixelYDimension>60</exif:PixelYDimension>", b"J\xc3\xbcrgen, 30 x 20"],
        ]:
            assert part in xmp, (start, end, part)
        for part in [b"Thumbnails", b"hdrgm", b"GCamera", b"Container"]:
            assert part not in xmp, (start, end, part)


def test_heic(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif")
    assert enlarged(source(tmp_path / "a.webp"), tmp_path / "b.heic") == [NEVER]
    assert enlarged(tmp_path / "b.heic", tmp_path / "c.png") == []
    with Image.open(tmp_path / "c.png") as image:
        found = tags_of(image.info["exif"].removeprefix(b"Exif\0\0"))
        assert b"J\xc3\xbcrgen, 30 x 20" in image.info["xmp"]
    assert [found[tag][1] for tag in (0x112, 0xA002, 0xA003)] == [1, 80, 120]
    assert found[0x927C] == (200, MAKER)


def test_gif_and_psd(tmp_path: Path) -> None:
    Image.new("L", (30, 20)).save(tmp_path / "a.gif", comment="a comment")
    gif, end = (tmp_path / "a.gif").read_bytes(), bytes(range(255, -1, -1))
    packet = b"!\xff\x0bXMP DataXMP" + XMP + b"\x01" + end + b"\0"
    (tmp_path / "a.gif").write_bytes(gif[:-1] + packet + b";")
    resources = b"".join(
        b"8BIM" + struct.pack(">HHI", name, 0, len(data)) + data + bytes(len(data) % 2)
        for name, data in [(0x0404, IPTC), (0x0422, exif_block(turn=1)), (0x0424, XMP)]
    )
    head = b"8BPS" + struct.pack(">H6xHIIHHII", 1, 1, 20, 30, 8, 1, 0, len(resources))
    (tmp_path / "a.psd").write_bytes(head + resources + bytes(4) + bytes(2 + 30 * 20))
    for name in ["a.gif", "a.psd"]:
        assert enlarged(tmp_path / name, tmp_path / "b.png") == [NEVER], name
        with Image.open(tmp_path / "b.png") as image:
            assert b"J\xc3\xbcrgen, 30 x 20" in image.info["xmp"], name
            assert ("Comment" in image.info) == (name == "a.gif"), name
            assert ("exif" in image.info) == (name == "a.psd"), name
            assert ("Raw profile type iptc" in image.info) == (name == "a.psd"), name


def test_iptc_and_comments_go_where_other_programs_look_for_them(tmp_path: Path) -> None:
    for start in [".jpg", ".png"]:
        path = source(tmp_path / f"a{start}")
        enlarged(path, tmp_path / "b.jpg")
        segments = segments_of((tmp_path / "b.jpg").read_bytes())
        (photoshop,) = [data for marker, data in segments if marker == 0xED]
        head = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC))
        assert photoshop == head + IPTC + bytes(len(IPTC) % 2), start
        assert [data for marker, data in segments if marker == 0xFE] == [b"a comment"], start
        enlarged(path, tmp_path / "b.tif")
        with Image.open(tmp_path / "b.tif") as image:
            assert image.tag_v2._tagdata[33723] == IPTC, start  # type: ignore[attr-defined]
        enlarged(path, tmp_path / "b.png")
        chunks = chunks_of((tmp_path / "b.png").read_bytes())
        texts = dict(data.split(b"\0", 1) for name, data in chunks if name == b"tEXt")
        assert texts[b"Comment"] == b"a comment", start
        _, kind, length, digits, _ = texts[b"Raw profile type iptc"].split(b"\n")
        assert (kind, int(length)) == (b"iptc", len(photoshop) - 14), start
        assert bytes.fromhex(digits.decode()) == photoshop[14:], start


def test_text_of_a_png(tmp_path: Path) -> None:
    """In another language too, and where it follows the pixels."""
    path = source(tmp_path / "a.png")
    name_data = b"tEXtSoftware\0of an editor"
    end = path.read_bytes()[:-12] + struct.pack(">I", len(name_data) - 4) + name_data
    path.write_bytes(end + struct.pack(">I", zlib.crc32(name_data)) + b"\0\0\0\0IEND\xaeB`\x82")
    assert enlarged(path, tmp_path / "b.png") == [NEVER]
    chunks = chunks_of((tmp_path / "b.png").read_bytes())
    assert (b"tEXt", b"Title\0a title") in chunks
    assert (b"tEXt", b"Software\0of an editor") in chunks
    expected = ("Description\0\0\0zh\0\u63cf\u8ff0\0\u6f22\u5b57").encode()
    assert (b"iTXt", expected) in chunks
    assert [data[:17] for name, data in chunks if name == b"iTXt" and b"xmp" in data[:20]] == [
        b"XML:com.adobe.xmp"
    ]


def test_what_the_format_does_not_hold_is_said_in_one_line(tmp_path: Path) -> None:
    path = source(tmp_path / "a.png")
    for end, lost in [
        (".jpg", "text"), (".tif", "makers' notes"), (".webp", "IPTC, comment, text"),
        (".bmp", "EXIF, XMP, IPTC, comment, text"), (".gif", "EXIF, XMP, IPTC, text"),
    ]:  # fmt: skip
        (said,) = enlarged(path, tmp_path / f"b{end}")
        assert set(lost.split(", ")) <= set(said.removeprefix("left out: ").split(", ")), end
    Image.new("L", (4, 4)).save(tmp_path / "plain.png")
    for end in [".jpg", ".tif", ".webp", ".bmp", ".gif"]:
        assert enlarged(tmp_path / "plain.png", tmp_path / f"b{end}") == []


def test_broken_exif_is_dropped_with_a_line(tmp_path: Path) -> None:
    whole = exif_block()
    cycle = bytearray(whole)
    struct.pack_into("<I", cycle, 8 + 2 + 12 * 4 + 8, 8)  # the inner directory is the first
    for exif in [b"", b"MM", b"II*\0\xff\xff\xff\xff", whole[:60], whole[:100], b"\xff" * 99]:
        for end in [".png", ".jpg", ".webp", ".avif", ".tif"]:
            Image.new("L", (30, 20)).save(tmp_path / "a.jpg", exif=b"Exif\0\0" + exif)
            said = enlarged(tmp_path / "a.jpg", tmp_path / f"b{end}")
            assert said == ["left out: EXIF, which is broken"], (exif[:8], end)
    for end in [".png", ".avif", ".tif"]:
        Image.new("L", (30, 20)).save(tmp_path / "a.jpg", exif=b"Exif\0\0" + bytes(cycle))
        enlarged(tmp_path / "a.jpg", tmp_path / f"b{end}")


def test_what_is_too_long_for_jpeg(tmp_path: Path) -> None:
    text = PngInfo()
    text.add_itxt("XML:com.adobe.xmp", XMP + b" " * 70_000)
    text.add_text("Comment", "c" * 70_000)
    Image.new("L", (30, 20)).save(
        tmp_path / "a.png", pnginfo=text, exif=exif_block() + bytes(70_000)
    )
    (said,) = enlarged(tmp_path / "a.png", tmp_path / "b.jpg")
    for what in ["EXIF", "XMP", "comment"]:
        assert f"{what}, which is too long" in said
    assert enlarged(tmp_path / "a.png", tmp_path / "b.png") == [NEVER]


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    text = struct.pack(">IIB", 2, 1, 0)
    chunk = struct.pack(">I", 9) + b"pHYs" + text + struct.pack(">I", zlib.crc32(b"pHYs" + text))
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    png = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(png[:33] + chunk + png[33:])
    assert enlarged(tmp_path / "a.png", tmp_path / "b.png") == ["left out: shape of the pixels"]
    Image.new("L", (4, 4)).save(tmp_path / "a.gif")
    gif = (tmp_path / "a.gif").read_bytes()
    for byte, said in ((b"\0", []), (b"\x31", []), (b"\x71", ["left out: shape of the pixels"])):
        (tmp_path / "a.gif").write_bytes(gif[:12] + byte + gif[13:])
        assert enlarged(tmp_path / "a.gif", tmp_path / "b.png") == said


# TIFF


def test_a_tiff_says_no_resolution_that_nobody_said(tmp_path: Path) -> None:
    image = Image.new("L", (4, 4))
    for tags, dpi in [
        ({}, None), ({282: 100.0}, None), ({282: 100.0, 283: 50.0}, (100, 50)),
        ({282: 100.0, 283: 50.0, 296: 1}, None), ({282: 100.0, 283: 50.0, 296: 2}, (100, 50)),
        ({282: 100.0, 283: 50.0, 296: 3}, (254, 127)), ({282: 0.0, 283: 0.0, 296: 2}, None),
    ]:  # fmt: skip
        image.save(tmp_path / "a.tif", tiffinfo=tags)
        enlarged(tmp_path / "a.tif", tmp_path / "b.tif")
        with Image.open(tmp_path / "b.tif") as found:
            said = found.tag_v2  # type: ignore[attr-defined]
            assert (said.get(282), said.get(283)) == (dpi or (None, None)), tags
            assert said.get(296) == (2 if dpi else None), tags
        enlarged(tmp_path / "a.tif", tmp_path / "b.png")
        chunks = dict(chunks_of((tmp_path / "b.png").read_bytes()))
        meters = dpi and struct.pack(">IIB", *(round(x / 0.0254) for x in dpi), 1)
        assert chunks.get(b"pHYs") == meters, tags


def test_a_jpeg_says_no_resolution_that_nobody_said(tmp_path: Path) -> None:
    for tags, dpi in [
        ({271: "x"}, None), ({282: 300.0, 283: 300.0}, 300), ({282: 300.0, 296: 2}, None),
        ({282: 100.0, 283: 100.0, 296: 3}, 254), ({282: 300.0, 283: 300.0, 296: 1}, None),
    ]:  # fmt: skip
        exif = Image.Exif()
        exif.update(tags)
        Image.new("L", (4, 4)).save(tmp_path / "a.jpg", exif=exif)
        with open_image(tmp_path / "a.jpg") as image:
            (frame,) = plain_frames(image)
        assert frame.info.get("dpi") == (dpi and (dpi, dpi)), tags


def test_each_page_of_a_tiff_has_its_own(tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    says: list[dict[str, Any]] = [
        {}, {"icc_profile": profile, "dpi": (300, 200), "artist": "me"}, {"dpi": (72, 72)}, {},
    ]  # fmt: skip
    with AppendingTiffWriter(tmp_path / "a.tif", new=True) as pages:
        for options in says:
            Image.new("RGB", (4, 4)).save(pages, format="TIFF", **options)
            pages.newFrame()
    pages.f = io.BytesIO()  # for in the end Python closes it, which reads its file once more
    assert enlarged(tmp_path / "a.tif", tmp_path / "b.tif") == []
    with Image.open(tmp_path / "b.tif") as image:
        for i, options in enumerate(says):
            image.seek(i)
            tags = image.tag_v2  # type: ignore[attr-defined]
            assert tags.get(34675) == options.get("icc_profile"), i
            assert (tags.get(282), tags.get(283)) == options.get("dpi", (None, None)), i
            assert tags.get(315) == options.get("artist"), i


def test_tags_that_tell_how_a_tiff_holds_its_pixels_do_not_go_on(tmp_path: Path) -> None:
    """EXIF may hold any tag: of other sizes, strips, compression, photometry."""
    exif = Image.Exif()
    exif.update({256: 7, 258: 16, 259: 5, 262: 0, 278: 1, 284: 2, 317: 2, 322: 16, 315: "me"})
    Image.new("RGB", (4, 4), (9, 99, 199)).save(tmp_path / "a.png", exif=exif)
    enlarged(tmp_path / "a.png", tmp_path / "b.tif")
    with open_image(tmp_path / "b.tif") as image:
        assert image.tag_v2[315] == "me"  # type: ignore[attr-defined]
        (frame,) = plain_frames(image)
    assert (frame.mode, frame.size, frame.getpixel((0, 0))) == ("RGB", (8, 8), (9, 99, 199))


def test_exif_of_a_tiff(tmp_path: Path) -> None:
    path = source(tmp_path / "a.jpg")
    enlarged(path, tmp_path / "b.tif")
    assert enlarged(tmp_path / "b.tif", tmp_path / "c.png") == []
    with Image.open(tmp_path / "c.png") as image:
        found = tags_of(image.info["exif"].removeprefix(b"Exif\0\0"))
    assert found[0x13B][1] == b"m\xfc\0"
    assert found[0x9003][1] == TAKEN
    assert [found[tag][1] for tag in (0xA002, 0xA003)] == [80, 120]
    assert found[1][1] == b"N\0"
