import tempfile
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from npespcn.evaluation.metrics import psnr, ssim
from npespcn.pictures.color import rgb_to_y, rgb_to_ycbcr, ycbcr_to_rgb
from npespcn.pictures.files import open_image, read_image, write_image
from npespcn.pictures.modes import to_plain_mode
from npespcn.pictures.resize import downscale, upscale_bicubic

SET5 = Path(__file__).parents[3] / "shared" / "data" / "Set5"
needs_set5 = pytest.mark.skipif(not SET5.is_dir(), reason=f"{SET5} is not there")

CUBIC = Image.Resampling.BICUBIC

pictures = hnp.arrays(
    np.uint8,
    st.tuples(st.integers(1, 23), st.integers(1, 23))
    | st.tuples(st.integers(1, 23), st.integers(1, 23), st.just(3)),
)


def random_picture(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


# --- reading and writing -------------------------------------------------------------------------


def test_write_then_read(tmp_path):
    for shape, suffix in product([(5, 7), (5, 7, 3), (5, 7, 4)], [".png", ".tif", ".PNG"]):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        picture = random_picture(*shape)
        path = folder / f"a{suffix}"
        write_image(path, picture)
        with open_image(path) as image:
            np.testing.assert_array_equal(np.asarray(to_plain_mode(image)), picture)
        back = read_image(path)
        expected = picture[..., :3] if picture.ndim == 3 else np.stack([picture] * 3, -1)
        np.testing.assert_array_equal(back, expected)
        assert back.dtype == np.uint8, (shape, suffix)
        assert back.flags.writeable, (shape, suffix)
        assert [p.name for p in folder.iterdir()] == [path.name], (shape, suffix)


def test_write_takes_a_pillow_image_and_its_options(tmp_path):
    image = Image.fromarray(random_picture(40, 40, 3))
    write_image(tmp_path / "good.jpg", image)
    write_image(tmp_path / "poor.jpg", image, quality=5)
    good, poor = (
        psnr(read_image(tmp_path / n), np.asarray(image)) for n in ("good.jpg", "poor.jpg")
    )
    assert good > 30 > poor  # noise with thinned-out colors would stay below 30


def test_exif_orientation_is_applied(tmp_path):
    for orientation in range(1, 9):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        upright = np.zeros((2, 3, 3), np.uint8)
        upright[0, 0] = 10  # row 0, column 0
        upright[0, 2] = 20
        upright[1, 0] = 30
        stored = {
            1: upright,
            2: upright[:, ::-1],
            3: upright[::-1, ::-1],
            4: upright[::-1],
            5: upright.swapaxes(0, 1),
            6: np.rot90(upright, 1),
            7: upright[::-1, ::-1].swapaxes(0, 1),
            8: np.rot90(upright, -1),
        }[orientation]
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(np.ascontiguousarray(stored)).save(folder / "a.png", exif=exif)
        np.testing.assert_array_equal(read_image(folder / "a.png"), upright)


def test_sixteen_bits_become_eight(tmp_path):
    Image.fromarray(np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16)).save(
        tmp_path / "a.png"
    )
    assert read_image(tmp_path / "a.png")[0, :, 1].tolist() == [0, 0, 1, 1, 128, 255]
    (tmp_path / "a.pgm").write_bytes(b"P5 3 1 65535 " + bytes([0, 0, 128, 0, 255, 255]))
    assert read_image(tmp_path / "a.pgm")[0, :, 1].tolist() == [0, 128, 255]


def test_other_modes_become_rgb(tmp_path):
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putdata([0, 1])
    palette.save(tmp_path / "p.png", transparency=b"\x00\x80")  # Pillow's own conversion warns
    assert read_image(tmp_path / "p.png").tolist() == [[[10, 20, 30], [40, 50, 60]]]
    Image.new("1", (1, 1), 1).save(tmp_path / "1.png")
    assert read_image(tmp_path / "1.png").tolist() == [[[255, 255, 255]]]
    Image.new("LA", (1, 1), (7, 0)).save(tmp_path / "la.png")
    assert read_image(tmp_path / "la.png").tolist() == [[[7, 7, 7]]]
    first, second = Image.new("L", (1, 1), 9), Image.new("L", (1, 1), 99)
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    assert read_image(tmp_path / "a.gif").tolist() == [[[9, 9, 9]]]


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        read_image(tmp_path / "absent.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"text\.png: cannot be read as an image"):
        read_image(tmp_path / "text.png")
    write_image(tmp_path / "whole.png", random_picture(64, 64, 3))
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:4000])
    with pytest.raises(ValueError, match=r"cut\.png: cannot be read as an image"):
        read_image(tmp_path / "cut.png")
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(ValueError, match=r"float\.tif: .* no known range"):
        read_image(tmp_path / "float.tif")


def test_write_refuses_what_it_cannot_write(tmp_path):
    good = random_picture(4, 4, 3)
    for name in ("a", "a.xyz"):
        with pytest.raises(ValueError, match="images are not written as"):
            write_image(tmp_path / name, good)
    with pytest.raises(TypeError, match="image must be uint8, got float64"):
        write_image(tmp_path / "a.png", good / 255)
    for shape in [(4,), (3, 8, 8), (4, 4, 1), (0, 4), (1, 4, 4, 3)]:
        with pytest.raises(ValueError, match="not empty, got shape"):
            write_image(tmp_path / "a.png", np.zeros(shape, np.uint8))
    with pytest.raises(
        ValueError, match=r"a\.jpg: JPEG cannot hold the image: cannot write mode RGBA"
    ):
        write_image(tmp_path / "a.jpg", random_picture(4, 4, 4))
    assert list(tmp_path.iterdir()) == []


# --- color --------------------------------------------------------------------------------------

# Poynton's integer table for BT.601 studio range: primaries, secondaries, black and white.
KNOWN = {
    (0, 0, 0): (16, 128, 128),
    (255, 255, 255): (235, 128, 128),
    (255, 0, 0): (81, 90, 240),
    (0, 255, 0): (145, 54, 34),
    (0, 0, 255): (41, 240, 110),
    (255, 255, 0): (210, 16, 146),
    (0, 255, 255): (170, 166, 16),
    (255, 0, 255): (106, 202, 222),
    (128, 128, 128): (126, 128, 128),
}


def test_known_colors():
    rgb, ycbcr = (np.array(list(x), np.uint8) for x in (KNOWN, KNOWN.values()))
    np.testing.assert_array_equal(rgb_to_ycbcr(rgb), ycbcr)
    np.testing.assert_array_equal(rgb_to_y(rgb), ycbcr[:, 0])


def test_colors_against_the_written_out_sums():
    rgb = random_picture(9, 8, 3)
    for row in range(9):
        for column in range(8):
            r, g, b = (float(v) for v in rgb[row, column])
            y = 16 + 65.481 * r / 255 + 128.553 * g / 255 + 24.966 * b / 255
            cb = 128 - 37.797 * r / 255 - 74.203 * g / 255 + 112 * b / 255
            cr = 128 + 112 * r / 255 - 93.786 * g / 255 - 18.214 * b / 255
            assert rgb_to_y(rgb)[row, column] == int(y + 0.5)
            assert rgb_to_y(rgb.astype(float))[row, column] == pytest.approx(y, abs=1e-12)
            exact = rgb_to_ycbcr(rgb.astype(float))[row, column]
            assert exact.tolist() == pytest.approx([y, cb, cr], abs=1e-12)


def test_halves_are_rounded_up_exactly():
    every = np.stack(np.meshgrid(*[np.arange(1, 256, 4)] * 3), -1).reshape(-1, 3)
    thousandths = every @ [65481, 128553, 24966]
    ties = every[thousandths % 255000 == 127500]  # a fraction of one half, in exact arithmetic
    assert [1, 173, 225] in ties.tolist()  # which float32 and the order of rounding would miss
    expected = 16 + (ties @ [65481, 128553, 24966] + 127500) // 255000
    np.testing.assert_array_equal(rgb_to_y(ties.astype(np.uint8)), expected)


@settings(deadline=None)
@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=0, max_dims=3).map(lambda s: (*s, 3))))
def test_color_round_trip(rgb):
    before = rgb.copy()
    ycbcr = rgb_to_ycbcr(rgb)
    assert ycbcr.dtype == np.uint8
    assert ycbcr.shape == rgb.shape
    np.testing.assert_array_equal(rgb_to_y(rgb), ycbcr[..., 0])
    back = ycbcr_to_rgb(ycbcr)
    assert np.abs(back.astype(int) - rgb).max(initial=0) <= 2  # rounding costs that much
    for dtype, tolerance in ((np.float64, 1e-10), (np.float32, 1e-3), (np.float16, 1.5)):
        x = rgb.astype(dtype)
        exact = rgb_to_ycbcr(x)
        assert exact.dtype == rgb_to_y(x).dtype == dtype
        np.testing.assert_allclose(exact, ycbcr, atol=0.5 + tolerance)
        np.testing.assert_allclose(ycbcr_to_rgb(exact), x, atol=tolerance)
    np.testing.assert_array_equal(rgb, before)


def test_floats_are_neither_rounded_nor_clipped():
    rgb = np.array([[300.25, -20.5, 0.1]])
    y = 16 + (65.481 * 300.25 - 128.553 * 20.5 + 24.966 * 0.1) / 255
    assert rgb_to_y(rgb)[0] == pytest.approx(y, abs=1e-12)
    np.testing.assert_allclose(ycbcr_to_rgb(rgb_to_ycbcr(rgb)), rgb, atol=1e-10)


def test_impossible_ycbcr_is_clipped_not_wrapped():
    ycbcr = np.array([[235, 240, 240], [16, 16, 16], [0, 128, 128]], np.uint8)
    assert ycbcr_to_rgb(ycbcr).tolist() == [[255, 120, 255], [0, 135, 0], [0, 0, 0]]


def test_color_errors():
    for function in [rgb_to_y, rgb_to_ycbcr, ycbcr_to_rgb]:
        name = function.__name__
        with pytest.raises(TypeError, match=rf"{name}: .* must be uint8 or floating, got int64"):
            function(np.zeros((2, 3), np.int64))
        with pytest.raises(TypeError, match="got bool"):
            function(np.zeros((2, 3), bool))
        for shape in [(), (3, 4), (1, 3, 8, 8)]:
            with pytest.raises(
                ValueError, match=rf"{name}: .* 3 channels last, \(\.\.\., 3\), got"
            ):
                function(np.zeros(shape, np.uint8))


# --- resizing ------------------------------------------------------------------------------------


def keys_cubic(x, a=-0.5):
    x = abs(x)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    if x < 2:
        return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return 0.0


def slow_imresize(picture, scale):
    """MATLAB's bicubic imresize by 1/scale, one pixel and one tap at a time, in float64."""
    for _ in range(2):  # first down the rows, then, transposed, along them
        length = picture.shape[0] // scale
        out = np.zeros((length, *picture.shape[1:]), np.uint8)
        for i in range(length):
            center = (i + 0.5) * scale - 0.5
            taps = range(int(center) - 2 * scale, int(center) + 2 * scale + 2)
            weights = [keys_cubic((tap - center) / scale) for tap in taps]
            total = 0.0
            for tap, weight in zip(taps, weights, strict=True):
                inside = min(max(tap, 0), length * scale - 1)
                total = total + weight / sum(weights) * picture[inside].astype(np.float64)
            out[i] = np.floor(np.clip(total, 0, 255) + 0.5)
        picture = out.swapaxes(0, 1)
    return picture


@settings(deadline=None, max_examples=60)
@given(pictures, st.sampled_from([1, 2, 3, 4, 5, 8]))
def test_downscale_against_the_slow_reference(picture, scale):
    before = picture.copy()
    h, w = picture.shape[0] // scale, picture.shape[1] // scale
    if min(h, w) == 0:
        with pytest.raises(ValueError, match="smaller than one pixel"):
            downscale(picture, scale)
        return
    small = downscale(picture, scale)
    np.testing.assert_array_equal(picture, before)
    expected = slow_imresize(picture[: h * scale, : w * scale], scale)
    np.testing.assert_array_equal(small, expected)
    assert small.dtype == np.uint8
    assert small.flags.c_contiguous
    assert small.flags.writeable
    assert not np.shares_memory(small, picture)


def test_downscale_of_harsh_noise():
    """Also of low and of narrow images, of which Pillow by itself would filter the rows first."""
    for shape, scale in product([(61, 47), (50, 66, 3), (8, 90), (90, 8)], [2, 3, 4]):
        picture = (random_picture(*shape) // 128 * 255).astype(np.uint8)  # clips in the first pass
        h, w = shape[0] // scale, shape[1] // scale
        expected = slow_imresize(picture[: h * scale, : w * scale], scale)
        np.testing.assert_array_equal(downscale(picture, scale), expected)


def test_downscale_at_unusual_scales_is_within_one():
    for scale in [6, 7, 9, 12]:
        picture = random_picture(20 * scale, 20 * scale)
        difference = np.abs(downscale(picture, scale).astype(int) - slow_imresize(picture, scale))
        assert difference.max() <= 1, scale
        assert np.count_nonzero(difference) <= 2, scale


def test_downscale_takes_strided_and_read_only_pictures():
    picture = random_picture(24, 36, 3)
    view = picture[::-1, ::2]
    view.flags.writeable = False
    np.testing.assert_array_equal(downscale(view, 3), downscale(view.copy(), 3))


@needs_set5
def test_downscale_gives_the_published_set5_pictures():
    for scale in [2, 3, 4]:
        paths = sorted((SET5 / f"x{scale}" / "HR").glob("*.png"))
        assert len(paths) == 5, scale
        for path in paths:
            expected = read_image(SET5 / f"x{scale}" / "LR" / path.name)
            np.testing.assert_array_equal(downscale(read_image(path), scale), expected, path.name)


@needs_set5
def test_bicubic_gives_the_published_set5_figures():
    for scale, decibels, similarity in [(2, 33.64, 0.9292), (3, 30.39, 0.8678), (4, 28.42, 0.8101)]:
        scores = []
        for path in sorted((SET5 / f"x{scale}" / "HR").glob("*.png")):
            hr = read_image(path)
            y = rgb_to_y(upscale_bicubic(downscale(hr, scale), scale))
            scores.append([measure(y, rgb_to_y(hr), border=scale) for measure in (psnr, ssim)])
        mean_psnr, mean_ssim = np.mean(scores, axis=0)
        assert mean_psnr == pytest.approx(decibels, abs=0.005), (scale, decibels, similarity)
        assert mean_ssim == pytest.approx(similarity, abs=0.00005), (scale, decibels, similarity)


@settings(deadline=None)
@given(pictures, st.integers(1, 5))
def test_upscale_shapes_and_dtypes(picture, scale):
    before = picture.copy()
    large = upscale_bicubic(picture, scale)
    h, w = picture.shape[:2]
    assert large.shape == (h * scale, w * scale, *picture.shape[2:])
    assert large.dtype == np.uint8
    assert large.flags.writeable
    if picture.ndim == 2:
        gentle = picture // 2 + 64  # cannot overshoot 0..255
        plane = upscale_bicubic(gentle.astype(np.float32), scale)
        assert plane.dtype == np.float32
        # rounded twice, and the second pass may enlarge the first error by a quarter
        np.testing.assert_allclose(plane, upscale_bicubic(gentle, scale), atol=1.13)
    else:
        for channel in range(3):
            np.testing.assert_array_equal(
                large[..., channel], upscale_bicubic(picture[..., channel], scale)
            )
    np.testing.assert_array_equal(picture, before)


def test_upscale_filters_the_rows_first_whatever_the_shape():
    for shape in [(2, 60), (60, 2), (30, 40)]:
        harsh = (random_picture(*shape) // 128 * 255).astype(np.uint8)
        rows = np.asarray(Image.fromarray(harsh).resize((shape[1] * 2, shape[0]), CUBIC))
        expected = np.asarray(Image.fromarray(rows).resize((shape[1] * 2, shape[0] * 2), CUBIC))
        np.testing.assert_array_equal(upscale_bicubic(harsh, 2), expected)


def test_upscale_against_the_interpolation_formula():
    plane = random_picture(9, 11).astype(np.float32)
    large = upscale_bicubic(plane, 3)
    for row, column in [(9, 15), (13, 16), (14, 20)]:  # far enough from the edges
        y, x = (row + 0.5) / 3 - 0.5, (column + 0.5) / 3 - 0.5
        expected = sum(
            keys_cubic(i - y) * keys_cubic(j - x) * float(plane[i, j])
            for i in range(9)
            for j in range(11)
        )
        assert large[row, column] == pytest.approx(expected, abs=1e-3)


def test_a_float_plane_is_neither_rounded_nor_clipped():
    step = np.zeros((8, 8), np.float32)
    step[:, 4:] = 1000
    large = upscale_bicubic(step, 2)
    assert large.min() < -10
    assert large.max() > 1010
    np.testing.assert_allclose(upscale_bicubic(step / 1000, 2) * 1000, large, atol=1e-3)


def test_resizing_errors():
    for function in [downscale, upscale_bicubic]:
        name, good = function.__name__, random_picture(8, 8)
        with pytest.raises(ValueError, match=f"{name}: scale must be at least 1, got 0"):
            function(good, 0)
        with pytest.raises(TypeError, match=f"{name}: scale must be a whole number, got 2.0"):
            function(good, 2.0)
        with pytest.raises(TypeError, match=f"{name}: image must be uint8.*, got float64"):
            function(good.astype(float), 2)
        for shape in [(8,), (3, 8, 8), (8, 8, 4), (0, 8), (1, 8, 8, 3)]:
            with pytest.raises(
                ValueError, match=rf"{name}: image must be .* got shape \({shape[0]},"
            ):
                function(np.zeros(shape, np.uint8), 2)
        with pytest.raises((TypeError, ValueError), match=f"{name}: .*(uint8|one plane)"):
            function(np.zeros((8, 8, 3), np.float32), 2)
        np.testing.assert_array_equal(function(good, np.int64(1)), good)
