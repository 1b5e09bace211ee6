"""HEIC by pillow-heif: upright, in its colors, the image that is meant, and whole."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from npespcn import upscale
from npespcn.commands import main as cli
from npespcn.common import Array
from npespcn.evaluation import psnr
from npespcn.pictures.files import is_image_file, open_image, read_image, write_image
from npespcn.pictures.formats import frame_sizes, plain_frames, upright_size

pillow_heif = pytest.importorskip("pillow_heif")


def corners() -> Array:
    """Return 24 x 16 pixels: red at the upper left, green below it, blue at the right."""
    x = np.zeros((16, 24, 3), np.uint8)
    x[:8, :12], x[8:, :12], x[:, 12:] = (250, 10, 10), (10, 250, 10), (10, 10, 250)
    return x


def written(path: Path, x: Array, **options: object) -> Path:
    exact = {"quality": -1, "chroma": 444, "matrix_coefficients": 0, **options}
    with open_image(written_png(path.with_suffix(".png"), x)) as image:
        image.save(path, **exact)
    return path


def written_png(path: Path, x: Array) -> Path:
    Image.fromarray(x).save(path)
    return path


def test_a_photograph_of_every_orientation_is_upright(tmp_path: Path) -> None:
    """The file's own turn (irot, imir) counts, once; its EXIF, which repeats it, does not."""
    x = corners()
    turned = {
        1: x, 2: x[:, ::-1], 3: x[::-1, ::-1], 4: x[::-1], 5: x.transpose(1, 0, 2),
        6: np.rot90(x, -1), 7: np.rot90(x, 2).transpose(1, 0, 2), 8: np.rot90(x),
    }  # fmt: skip
    for orientation, upright in turned.items():
        exif = Image.Exif()
        exif[0x112] = orientation
        path = written(tmp_path / "a.HEIC", x, exif=exif.tobytes())
        assert (b"irot" in path.read_bytes()) == (orientation in (3, 5, 6, 7, 8))
        np.testing.assert_array_equal(read_image(path), upright)
        assert upright_size(path) == upright.shape[1::-1]
        np.testing.assert_array_equal(
            np.asarray(upscale(path)), np.asarray(upscale(np.ascontiguousarray(upright)))
        )


def test_it_is_known_by_its_content_too(tmp_path: Path) -> None:
    path = written(tmp_path / "a.heic", corners())
    assert is_image_file(path)
    assert is_image_file("IMG_1.HIF")
    for name in ("a.jpg", "a"):
        path = path.rename(tmp_path / name)
        np.testing.assert_array_equal(read_image(path), corners())
    (tmp_path / "cut.heic").write_bytes(path.read_bytes()[:-200])
    (tmp_path / "head.heic").write_bytes(path.read_bytes()[:40])
    for name in ("cut.heic", "head.heic"):
        with pytest.raises(ValueError, match=f"{name}: cannot be read as an image: "):
            read_image(tmp_path / name)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_modes_and_odd_sizes(tmp_path: Path, mode: str) -> None:
    rng = np.random.default_rng(0)
    for h, w in [(1, 1), (17, 33), (64, 65)]:
        x = np.asarray(Image.fromarray(rng.integers(0, 256, (h, w, 4), np.uint8)).convert(mode))
        with open_image(written(tmp_path / "a.heic", x)) as image:
            (plain,) = plain_frames(image)
        assert (plain.mode, plain.size) == (mode, (w, h))
        assert np.abs(np.asarray(plain).astype(int) - x).max() <= (2 if mode == "L" else 0)


def test_alpha_that_is_multiplied_into_the_color(tmp_path: Path) -> None:
    half = np.dstack([corners() // 2, np.full((16, 24, 1), 128, np.uint8)])
    image = pillow_heif.from_bytes("RGBa", (24, 16), half.tobytes())
    image.save(tmp_path / "a.heic", quality=-1, chroma=444, matrix_coefficients=0)
    with open_image(tmp_path / "a.heic") as opened:
        (plain,) = plain_frames(opened)
    assert plain.mode == "RGBA"
    color = np.asarray(plain).astype(int)
    assert np.abs(color[..., :3] - corners()).max() <= 2
    assert (color[..., 3] == 128).all()


def test_the_color_profile_stays(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = written(tmp_path / "a.heic", corners(), icc_profile=profile)
    assert upscale(path).info["icc_profile"] == profile


def test_of_several_images_the_main_one_is_taken(tmp_path: Path, capsys: Any) -> None:
    first, second = Image.fromarray(corners()), Image.fromarray(corners()[:8, ::-1].copy())
    options = {"quality": -1, "chroma": 444, "matrix_coefficients": 0}
    for main, image in enumerate((first, second)):
        path = tmp_path / f"{main}.heic"
        first.save(path, save_all=True, append_images=[second], primary_index=main, **options)
        with open_image(path) as opened:
            assert opened.n_frames == 2  # type: ignore[attr-defined]
            assert len(frame_sizes(opened)) == 1
            (plain,) = plain_frames(opened)
        np.testing.assert_array_equal(np.asarray(plain), np.asarray(image))
        assert cli.main(["upscale", str(path), "-o", str(tmp_path / "a.png")]) == 0
        said = capsys.readouterr().err
        assert said == f"npespcn: {path}: holds 2 images, of which the main one is enlarged\n"


def test_heic_is_written_nearly_without_loss(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    for pixels, least in ((x, 40), (np.asarray(upscale(corners())), 45)):
        write_image(tmp_path / "a.heic", pixels)
        assert psnr(read_image(tmp_path / "a.heic"), pixels) > least


def test_more_than_8_bits_are_read_as_8_with_a_line(tmp_path: Path) -> None:
    x = corners()
    image = pillow_heif.from_bytes("RGB;16", (24, 16), (x.astype(np.uint16) * 257).tobytes())
    image.save(tmp_path / "a.heic", quality=-1, chroma=444, matrix_coefficients=0)
    with pytest.warns(UserWarning, match=r"a\.heic: has 10 bits a channel, of which 8 are read"):
        larger = upscale(tmp_path / "a.heic")
    assert np.abs(read_image(tmp_path / "a.heic").astype(int) - x).max() <= 1
    gap = np.asarray(larger).astype(int) - np.asarray(upscale(x))
    assert np.abs(gap).max() <= 3


def test_colors_by_number(tmp_path: Path) -> None:
    """Those of displays (P3) become a profile; high dynamic range (PQ, HLG) is refused."""
    usual = {"matrix_coefficients": 6, "transfer_characteristics": 13}
    p3 = written(tmp_path / "p3.heic", corners(), color_primaries=12, **usual)
    profile = ImageCms.ImageCmsProfile(io.BytesIO(upscale(p3).info["icc_profile"]))
    red = profile.profile.red_colorant[1]  # its x and y, for a white of D50
    assert red[:2] == pytest.approx((0.681, 0.319), abs=0.005)
    srgb = written(tmp_path / "srgb.heic", corners(), color_primaries=1, **usual)
    assert "icc_profile" not in upscale(srgb).info
    for transfer, name in ((16, "PQ"), (18, "HLG")):
        hdr = {"color_primaries": 9, "matrix_coefficients": 9, "transfer_characteristics": transfer}
        path = written(tmp_path / "hdr.heic", corners(), **hdr)
        with pytest.raises(ValueError, match=rf"hdr\.heic: .*HDR \({name}\)"):
            read_image(path)
