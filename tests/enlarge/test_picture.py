"""Pictures, enlarged: against the network and bicubic by hand, in tiles, with alpha, in 16 bits."""

from __future__ import annotations

import hashlib
import math
import re
import tempfile
import threading
import tracemalloc
import warnings
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import color_profile, relative_error
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import cbook
from PIL import Image

import npespcn
from npespcn import pretrained, upscale
from npespcn.common import Array
from npespcn.fast import accelerate
from npespcn.fast.gpu import move
from npespcn.models import ESPCN, PADDINGS
from npespcn.pictures import read_image
from npespcn.pictures.color import rgb_to_y, rgb_to_ycbcr, ycbcr_to_rgb
from npespcn.pictures.resize import downscale, upscale_bicubic

MODES = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "I;16": 1}


def network(scale: int = 2, **options: Any) -> ESPCN:
    """Return a network that was never trained, whose output for a picture lies around the middle.

    That clips little, and is far from bicubic, so that no two things look the same by chance.
    """
    model = ESPCN(scale, seed=3, **{"padding": "edge", **options})
    model.params["conv3.bias"] += 0.5
    return model


def random_pixels(h: int, w: int, channels: int, dtype: str = "u1", seed: int = 0) -> Array:
    shape = (h, w) if channels == 1 else (h, w, channels)
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def image_of(mode: str, h: int, w: int, seed: int = 0) -> Image.Image:
    """Return noise. Where there is alpha, a quarter is clear and a quarter opaque, in blocks."""
    x = random_pixels(h, w, MODES[mode], "u2" if mode == "I;16" else "u1", seed)
    if mode in ("LA", "RGBA"):
        rows, columns = np.indices((h, w)) // 10
        x[(rows + columns) % 4 == 1, -1] = 0
        x[(rows + columns) % 4 == 2, -1] = 255
    return Image.fromarray(x)


def rounded(y: Array, white: int = 255) -> Array:
    """Return floats from 0 to `white` as the pixels that they should become."""
    return np.floor(y.clip(0, white) + 0.5).astype(np.uint8 if white == 255 else np.uint16)


def by_network(model: ESPCN, planes: Array) -> Array:
    """Run the network on a whole picture at once: (H, W, C), 0 to 1 -> (H*r, W*r, C), floats."""
    if model.padding == "valid":
        planes = np.pad(planes, ((4, 4), (4, 4), (0, 0)), mode="edge")
    x = planes.transpose(2, 0, 1)[None].astype(model.params["conv1.weight"].dtype)
    return model.predict(x)[0].transpose(1, 2, 0).astype(np.float64)


def gray_by_hand(model: ESPCN, gray: Array) -> Array:
    """Enlarge gray, 0 to 1, as the networks know it: as luma from 16 to 235, divided by 255."""
    y = by_network(model, ((16 + 219 * gray.astype(np.float64)) / 255)[..., None])[..., 0]
    return (255 * y - 16) / 219


def by_network_alone(image: Any, **options: Any) -> Any:
    return upscale(image, back_projection=False, **options)


def bicubic(plane: Array, scale: int) -> Array:
    return upscale_bicubic(plane.astype(np.float32), scale).astype(np.float64)


def assert_close(actual: Array, expected: Array, *, rarely: float = 0.01) -> None:
    """Assert equality but for the rounding of floats, which may turn a half the other way."""
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    gap = np.abs(actual.astype(np.int64) - expected)
    assert gap.max() <= 1
    assert (gap > 0).mean() <= rarely


# Color and gray


def test_color_is_the_network_on_luma_and_bicubic_on_the_rest() -> None:
    for scale, padding in product([1, 2, 3], PADDINGS):
        model, rgb = network(scale, padding=padding), random_pixels(13, 17, 3)
        ycbcr = rgb_to_ycbcr(rgb.astype(np.float64))
        y = 255 * by_network(model, ycbcr[..., :1] / 255)[..., 0]
        planes = [y, bicubic(ycbcr[..., 1], scale), bicubic(ycbcr[..., 2], scale)]
        expected = rounded(ycbcr_to_rgb(np.stack(planes, axis=-1)))
        assert_close(by_network_alone(rgb, model=model), expected)


def test_luma_is_what_predict_makes_of_luma() -> None:
    """With colors so weak that nothing is clipped, and Y can be computed back."""
    model = network(2)
    model.params["conv3.weight"] *= 0.3
    rgb = (100 + random_pixels(15, 12, 3) // 8).astype(np.uint8)
    larger = by_network_alone(rgb, model=model)
    assert larger.min() > 0
    assert larger.max() < 255
    y = rgb_to_y(rgb.astype(np.float64))
    expected = 255 * by_network(model, y[..., None] / 255)[..., 0]
    half_of_each = 0.5 * 219 / 255  # what rounding R, G and B can do to Y
    assert np.abs(rgb_to_y(larger.astype(np.float64)) - expected).max() < half_of_each + 1e-4


def test_gray_is_the_network_on_gray() -> None:
    for padding in PADDINGS:
        model, gray = network(3, padding=padding), random_pixels(11, 14, 1)
        expected = rounded(255 * gray_by_hand(model, gray / 255))
        assert len(np.unique(expected)) > 100, padding
        assert_close(by_network_alone(gray, model=model), expected)


def test_gray_with_16_bits_keeps_them() -> None:
    model, gray = network(2), random_pixels(20, 24, 1, "u2")
    larger = by_network_alone(gray, model=model)
    assert larger.dtype == np.uint16
    assert len(np.unique(larger)) > 1500
    assert_close(larger, rounded(65535 * gray_by_hand(model, gray / 65535), 65535), rarely=0.1)


def test_a_network_that_knows_rgb_gets_rgb() -> None:
    for padding in PADDINGS:
        model, rgb = network(2, channels=3, padding=padding), random_pixels(9, 13, 3)
        assert_close(
            by_network_alone(rgb, model=model), rounded(255 * by_network(model, rgb / 255))
        )


def test_a_network_that_knows_rgb_gets_gray_as_three_equal_channels() -> None:
    model, gray = network(2, channels=3), random_pixels(9, 13, 1)
    y = by_network(model, np.stack([gray / 255] * 3, axis=-1)).mean(axis=2)
    assert_close(by_network_alone(gray, model=model), rounded(255 * y))


def test_every_published_variant() -> None:
    for options in [{"output": "sigmoid"}, {"tail": True}, {"dtype": "float64"}]:
        model, gray = network(2, **options), random_pixels(9, 12, 1)
        assert_close(
            by_network_alone(gray, model=model), rounded(255 * gray_by_hand(model, gray / 255))
        )


def test_what_lies_outside_is_clipped_and_not_wrapped() -> None:
    for mode, (bias, pixel) in product(MODES, [(9.0, 255), (-9.0, 0)]):
        model = network(2)
        model.params["conv3.bias"] += np.float32(bias)
        larger = np.asarray(by_network_alone(image_of(mode, 8, 9), model=model))
        seen = larger[larger[..., -1] > 0][..., :-1] if mode in ("LA", "RGBA") else larger
        assert (seen == (257 * pixel if mode == "I;16" else pixel)).all(), (mode, bias, pixel)


# Back-projection


def keys(n: int, scale: int) -> Array:
    """Return bicubic interpolation that shrinks, after Keys (1981), as a matrix: (n, n * scale)."""
    matrix = np.zeros((n, n * scale))
    for i, j in product(range(n), range(-2 * scale, (n + 2) * scale)):
        d = abs((j + 0.5) / scale - (i + 0.5))
        near, far = (1.5 * d - 2.5) * d * d + 1, ((-0.5 * d + 2.5) * d - 4) * d + 2
        matrix[i, min(max(j, 0), n * scale - 1)] += near if d < 1 else far if d < 2 else 0
    return matrix / scale


def test_back_projection_by_hand() -> None:
    """y + up(x - down(y)), on pictures so weak that nothing is clipped."""
    for scale, padding in product([2, 3, 4], PADDINGS):
        model, x = network(scale, padding=padding), random_pixels(15, 18, 1) / (4 * 255) + 0.4
        y = gray_by_hand(model, x)
        y += bicubic(x - keys(15, scale) @ y @ keys(18, scale).T, scale)
        assert 0.01 < y.min() < y.max() < 0.99
        wide = rounded(65535 * x, 65535)
        assert_close(upscale(wide, model=model), rounded(65535 * y, 65535), rarely=0.3)


def one_bit() -> dict[str, Array]:
    """Return patterns that no photograph has, as gray: (64, 64)."""
    rows, columns = np.indices((64, 64))
    bayer = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])
    ramp = Image.fromarray(np.rint(4 * columns).astype(np.uint8))
    board = (rows + columns) % 2 == 0
    bits = {
        "board": board,
        "one of four": (rows % 2 + columns % 2) > 0,
        "one of nine": (rows % 3 + columns % 3) == 0,
        "lines": columns % 3 == 0,
        "ordered dither": bayer[rows % 4, columns % 4] < 3,
        "diffused dither": np.asarray(ramp.convert("1")),
        "noise": np.random.default_rng(0).random((64, 64)) < 0.1,
        "halftone": np.hypot(rows % 6 - 2.5, columns % 6 - 2.5) < 2,
    }
    gray = {name: np.where(each, 255, 0).astype(np.uint8) for name, each in bits.items()}
    return {**gray, "light board": np.where(board, 255, 190).astype(np.uint8)}


def test_dither_keeps_its_mean() -> None:
    """The networks alone make some of it more than 10 levels brighter or darker."""
    for scale in (2, 3, 4):
        drifts = []
        for name, x in one_bit().items():
            bands = np.stack([x, 255 - x, x.T], axis=2)  # in other colors the same
            deep = x.astype(np.uint16) * 257
            for picture, unit in ((x, 1), (255 - x, 1), (deep, 257), (bands, 1)):
                drift = upscale(picture, scale).mean((0, 1)) - picture.mean((0, 1))
                assert np.abs(drift).max() < 2 * unit, (scale, name, drift)
            alpha = np.asarray(upscale(np.dstack([bands, x]), scale))[..., 3]
            assert abs(alpha.mean() - x.mean()) < 2, (scale, name)
            drifts.append(by_network_alone(x, scale=scale).mean() - x.mean())
        assert np.abs(drifts).max() > 10, scale


def test_back_projection_leaves_photographs_alone() -> None:
    """Where nothing is clipped, what is shrunk again is closer to the picture, by little."""
    photograph = read_image(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    x = photograph[200:260, 220:270, 1]  # an eye
    for scale in (2, 3, 4):
        on, off = upscale(x, scale), by_network_alone(x, scale=scale)
        gaps = [np.abs(downscale(y, scale).astype(int) - x).mean() for y in (on, off)]
        assert gaps[0] < gaps[1] / 2
        assert np.abs(on.astype(int) - off).max() < 4


def test_a_network_of_scale_1_is_not_undone() -> None:
    model, rgb = network(1), random_pixels(12, 13, 3)
    np.testing.assert_array_equal(upscale(rgb, model=model), by_network_alone(rgb, model=model))


# The halo, and tiles


def test_the_halo_of_a_5_3_3_network_is_4_and_not_3() -> None:
    """By hand: the network on a piece gives the middle of the whole, if 4 pixels are around it."""
    for activation, padding in product(["tanh", "relu"], ["edge", "same", "valid"]):
        model = network(3, padding=padding, activation=activation, dtype="float64")
        x = np.random.default_rng(1).random((1, 1, 31, 33))
        whole = by_network(model, x[0].transpose(1, 2, 0))[..., 0]
        gaps = []
        for halo in (3, 4, 5):
            piece = x[..., 14 - halo : 17 + halo, 12 - halo : 18 + halo]
            beyond = max(
                0, 4 - halo
            )  # what a halo of 3 lacks, the edge or zeros have to stand in for
            piece = np.pad(piece, ((0, 0), (0, 0), (beyond, beyond), (beyond, beyond)), mode="edge")
            y = accelerate(model).predict_tile(piece)[0, 0]
            inside = 3 * max(0, halo - 4)
            y = y[inside : len(y) - inside, inside : y.shape[1] - inside]
            gaps.append(relative_error(y, whole[42:51, 36:54]))
        assert gaps[0] > 1e-4, (activation, padding)
        assert max(gaps[1:]) < 1e-13, (activation, padding)


def test_how_far_away_a_pixel_is_felt() -> None:
    """By the network 4 pixels; by back-projection 4 more, and by what clipping took 5 more."""
    model, rng = network(2, dtype="float64"), np.random.default_rng(0)
    model.params["conv3.weight"] *= 9  # so that noise is clipped everywhere
    for x, projects, least, most in [
        (np.full((39, 41), 30000, np.uint16), False, 4, 4),
        (65535 * rng.integers(0, 2, (39, 41), np.uint16), True, 10, 13),
    ]:
        changed = x.copy()
        changed[19, 20] ^= 65535  # in 16 bits the faintest influence shows
        before, after = (
            upscale(image, model=model, back_projection=projects).astype(int)
            for image in (x, changed)
        )
        far = np.abs(np.argwhere(before != after) // 2 - (19, 20)).max(axis=0)
        assert (least <= far).all(), far
        assert (far <= most).all(), far


def test_tiles_do_not_show() -> None:
    for mode, padding, channels in product(MODES, PADDINGS, [1, 3]):
        model = network(2, padding=padding, channels=channels)
        for (h, w), tile in [((5, 6), 1), ((44, 61), 15)]:
            image = image_of(mode, h, w)
            whole = np.asarray(upscale(image, model=model, tile=1000))
            tiled = np.asarray(upscale(image, model=model, tile=tile))
            assert_close(tiled, whole, rarely=0.1 if mode == "I;16" else 0.02)
            assert len(np.unique(whole)) > 20, (
                mode,
                padding,
                channels,
            )  # so that there was something to see


def test_the_usual_tiles_do_not_show_either() -> None:
    model, rgb, calls = network(2), random_pixels(500, 240, 3), []
    larger = upscale(rgb, model=model, progress=lambda *n: calls.append(n))
    assert len(calls) > 1
    assert_close(larger, upscale(rgb, model=model, tile=1000))


@pytest.mark.parametrize("threads", ["1", "3"])
def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch, threads: str) -> None:
    model, image = network(2), image_of("RGBA", 30, 40)
    usual = upscale(image, model=model, tile=11).tobytes()
    monkeypatch.setenv("NPESPCN_THREADS", threads)
    assert upscale(image, model=model, tile=11).tobytes() == usual


def test_progress_is_called_for_every_tile() -> None:
    calls: list[tuple[int, int]] = []
    upscale(image_of("L", 20, 30), model=network(2), tile=10, progress=lambda *n: calls.append(n))
    assert sorted(calls) == [(i, 6) for i in range(1, 7)]


def test_an_error_in_progress_ends_the_work() -> None:
    """That is how Ctrl-C reaches a picture that is in hand."""
    calls = []

    def stop(done: int, tiles: int) -> None:
        calls.append(done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upscale(image_of("L", 60, 60), model=network(2), tile=5, progress=stop)
    assert len(calls) < 20


@pytest.mark.slow
def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture eight times as long takes no more floats than one: those of a tile."""
    monkeypatch.setenv("NPESPCN_THREADS", "1")  # or else chance would tell when two tiles meet
    model, peaks = network(2), []
    upscale(image_of("RGBA", 96, 96), model=model, tile=32)  # what stays for ever is made now
    for h in (768, 1536):
        image = image_of("RGBA", h, 96)
        tracemalloc.start()
        try:
            upscale(image, model=model, tile=32)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    one_plane = 4 * 1536 * 96 * 4  # of the larger picture, in float32
    assert peaks[1] - peaks[0] < one_plane / 4


# Transparency


def spots(h: int, w: int, seed: int = 5) -> Array:
    """Return alpha with soft and hard edges, wide clear and opaque places, and single pixels."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((h, w))
    soft = 1.3 - np.hypot(rows - h / 3, columns - w / 3) / (min(h, w) / 4)
    alpha = np.rint(255 * soft.clip(0, 1)).astype(np.uint8)
    alpha[h * 2 // 3 :, w // 2 :] = 255
    alpha[h - 3, 4], alpha[3, w - 3] = 255, 7
    alpha[h * 3 // 4 : h * 3 // 4 + 3, : w // 4] = rng.integers(0, 256, (3, w // 4))
    return alpha


def test_hidden_colors_do_not_leak() -> None:
    for mode, channels in product(["LA", "RGBA"], [1, 3]):
        alpha, results = spots(40, 44), []
        for seed in (0, 1):
            x = random_pixels(40, 44, MODES[mode], seed=2)
            hidden = random_pixels(40, 44, MODES[mode], seed=seed)
            x[alpha == 0] = hidden[alpha == 0]
            x[..., -1] = alpha
            results.append(
                np.asarray(upscale(Image.fromarray(x), model=network(2, channels=channels)))
            )
        np.testing.assert_array_equal(*results)


def test_one_color_stays_one_color_wherever_it_is_seen() -> None:
    """No fringes: the hidden pixels are of quite other colors."""
    for color, padding in product(
        [(255, 0, 0), (0, 0, 0), (255, 255, 255), (90, 140, 60)], PADDINGS
    ):
        model, alpha = network(2, padding=padding), spots(36, 40)
        x = random_pixels(36, 40, 4)
        x[alpha > 0, :3] = color
        x[..., 3] = alpha
        larger = upscale(x, model=model)
        flat = upscale(np.full((36, 40, 3), color, np.uint8), model=model)
        seen = larger[..., 3] > 0
        assert 0.2 < seen.mean() < 0.9, (color, padding)
        gap = np.abs(larger[..., :3].astype(int) - flat)[seen]
        assert gap.max() <= 1, (color, padding)


def test_the_fringe_is_neither_dark_nor_bright_on_any_ground() -> None:
    """With a trained network: a disk of one color, put on a ground of that color, vanishes."""
    model, alpha = pretrained(3), spots(40, 40)
    for color, hidden in [((30, 90, 200), 255), ((240, 230, 20), 0)]:
        x = np.full((40, 40, 4), hidden, np.uint8)
        x[alpha > 0, :3] = color
        x[..., 3] = alpha
        ground = Image.new("RGBA", (120, 120), (*color, 255))
        on_ground = Image.alpha_composite(ground, Image.fromarray(upscale(x, model=model)))
        flat = upscale(np.full((40, 40, 3), color, np.uint8), model=model)
        gap = np.abs(np.asarray(on_ground)[..., :3].astype(int) - color)
        own = np.abs(flat.astype(int) - color).max()  # what the network does to a flat color
        assert gap.max() <= own + 1


def around(alpha: Array, scale: int) -> tuple[Array, Array]:
    """Return the least and the largest of the pixels between which each new one lies."""
    sides = []
    for n in alpha.shape:
        at = [Fraction(2 * k + 1, 2 * scale) - Fraction(1, 2) for k in range(n * scale)]
        sides.append([[min(max(end(a), 0), n - 1) for a in at] for end in (math.floor, math.ceil)])
    four = [alpha[np.ix_(rows, columns)] for rows, columns in product(*sides)]
    return np.min(four, axis=0), np.max(four, axis=0)


def test_alpha_is_the_network_s_between_the_pixels_around() -> None:
    for mode, padding, scale in product(["LA", "RGBA"], PADDINGS, [2, 3]):
        model, alpha = network(scale, padding=padding), spots(45, 50)
        x = random_pixels(45, 50, MODES[mode])
        x[..., -1] = alpha
        larger = np.asarray(by_network_alone(Image.fromarray(x), model=model))[..., -1]
        expected = rounded(255 * gray_by_hand(model, alpha / 255))
        limited = expected.clip(*around(alpha, scale))
        assert 0.2 < (limited != expected).mean() < 0.99, (mode, padding, scale)
        assert_close(larger, limited)


def test_an_edge_of_alpha_stays_an_edge() -> None:
    """With the trained networks, whose ripples are 40 levels high beside a hard edge."""
    rows, columns = np.indices((40, 44))
    hard = 255 * (np.hypot(rows - 20, columns - 18) < 11).astype(np.uint8)
    soft = np.rint(255 * ((columns - 8) / 28).clip(0, 1)).astype(np.uint8)
    for scale, mode in product([2, 3, 4], ["LA", "RGBA"]):
        for alpha in (hard, soft):
            x = random_pixels(40, 44, MODES[mode])
            x[..., -1] = alpha
            larger = np.asarray(upscale(Image.fromarray(x), scale))[..., -1]
            low, high = around(alpha, scale)
            assert (low <= larger).all(), (scale, mode)
            assert (larger <= high).all(), (scale, mode)
        ideal = 255 * (((np.arange(44 * scale) + 0.5) / scale - 0.5 - 8) / 28).clip(0, 1)
        assert np.abs(larger - ideal).max() < 4, (scale, mode)  # and a soft edge stays soft
        ripples = upscale(hard, scale, back_projection=False)
        assert np.abs(ripples.astype(int) - ripples.clip(*around(hard, scale))).max() > 20


def test_an_opaque_picture_is_as_without_alpha() -> None:
    for mode in ["LA", "RGBA"]:
        model, x = network(2), random_pixels(16, 19, MODES[mode])
        x[..., -1] = 255
        larger = np.asarray(upscale(Image.fromarray(x), model=model))
        plain = np.asarray(upscale(Image.fromarray(x).convert(mode[:-1]), model=model))
        assert (larger[..., -1] == 255).all(), mode
        assert_close(larger[..., :-1].reshape(plain.shape), plain)


def test_half_transparent_colors_are_as_opaque_ones() -> None:
    model, x = network(2), random_pixels(16, 19, 4)
    x[..., 3] = 128
    assert_close(upscale(x, model=model)[..., :3], upscale(x[..., :3], model=model), rarely=0.02)


def test_a_picture_that_nobody_sees_stays_so() -> None:
    for mode in ["LA", "RGBA"]:
        x = random_pixels(9, 8, MODES[mode])
        x[..., -1] = 0
        assert not np.asarray(upscale(Image.fromarray(x), model=network(2)))[..., -1].any(), mode


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_any_alpha(data: st.DataObject) -> None:
    """Hidden colors are never seen, and what has one color keeps it."""
    h, w = data.draw(st.tuples(st.integers(1, 14), st.integers(1, 14)))
    levels = st.sampled_from([0, 0, 0, 1, 3, 40, 128, 254, 255])
    alpha = np.array(data.draw(st.lists(levels, min_size=h * w, max_size=h * w)), np.uint8)
    alpha = alpha.reshape(h, w)
    model, results = network(2), []
    for seed in (0, 1):
        x = random_pixels(h, w, 4, seed=seed)
        x[alpha > 0, :3] = (200, 30, 90)
        x[..., 3] = alpha
        results.append(upscale(x, model=model))
    np.testing.assert_array_equal(*results)
    flat = upscale(np.full((h, w, 3), (200, 30, 90), np.uint8), model=model)
    seen = results[0][..., 3] > 0
    assert np.abs(results[0][..., :3].astype(int) - flat)[seen].max(initial=0) <= 1


# What goes in and comes out


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(list(MODES)),
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(1, 3),
    st.integers(1, 14),
)
def test_the_size_is_exactly_scale_times_the_input(
    mode: str, h: int, w: int, scale: int, tile: int
) -> None:
    larger = upscale(image_of(mode, h, w), model=network(scale), tile=tile)
    assert larger.size == (w * scale, h * scale)
    assert larger.mode == mode


def test_the_smallest_pictures() -> None:
    for mode, shape in product(MODES, [(1, 1), (1, 40), (40, 1), (2, 3)]):
        image = image_of(mode, *shape)
        for padding in PADDINGS:
            larger = upscale(image, model=network(3, padding=padding))
            assert larger.size == (3 * shape[1], 3 * shape[0]), (mode, shape)


def test_other_modes_become_plain_ones() -> None:
    for mode, plain in [
        *[("1", "L"), ("P", "RGB"), ("CMYK", "RGB"), ("YCbCr", "RGB"), ("HSV", "RGB")],
        *[("La", "LA"), ("PA", "RGBA"), ("RGBa", "RGBA"), ("RGBX", "RGB"), ("I;16B", "I;16")],
    ]:
        larger = upscale(Image.new(mode, (5, 4)), model=network(2))
        assert (larger.mode, larger.size) == (plain, (10, 8)), (mode, plain)


def test_an_array_gives_an_array_like_it() -> None:
    for shape, dtype in [((5, 4), "u1"), ((5, 4), "u2"), ((5, 4, 3), "u1"), ((5, 4, 4), "u1")]:
        x = random_pixels(5, 4, 1 if len(shape) == 2 else shape[2], dtype)
        larger = upscale(x, model=network(2))
        assert isinstance(larger, np.ndarray), (shape, dtype)
        assert (larger.shape, larger.dtype) == ((10, 8, *shape[2:]), np.dtype(dtype)), (
            shape,
            dtype,
        )
        image = Image.fromarray(x)
        np.testing.assert_array_equal(larger, np.asarray(upscale(image, model=network(2))))


def test_an_array_may_lie_in_memory_as_it_likes() -> None:
    x, model = random_pixels(8, 9, 3), network(2)
    expected = upscale(np.ascontiguousarray(x[::-1, ::2]), model=model)
    np.testing.assert_array_equal(upscale(x[::-1, ::2], model=model), expected)
    fixed = x.copy()
    fixed.flags.writeable = False
    np.testing.assert_array_equal(upscale(fixed, model=model), upscale(x, model=model))


def test_a_path_gives_what_its_picture_gives(tmp_path: Path) -> None:
    image, model = image_of("RGB", 6, 9), network(2)
    image.save(tmp_path / "a.png")
    for path in (tmp_path / "a.png", str(tmp_path / "a.png")):
        larger = upscale(path, model=model)
        assert isinstance(larger, Image.Image)
        assert larger.tobytes() == upscale(image, model=model).tobytes()


def test_the_exif_orientation_is_applied(tmp_path: Path) -> None:
    for turn in range(1, 9):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        x, model = random_pixels(5, 8, 3), network(2)
        exif = Image.Exif()
        exif[0x112] = turn
        Image.fromarray(x).save(folder / "a.png", exif=exif, dpi=(100, 300))
        upright = [x, x[:, ::-1], x[::-1, ::-1], x[::-1]][(turn - 1) % 4]
        if turn > 4:
            t = x.swapaxes(0, 1)
            upright = {5: t, 6: t[:, ::-1], 7: t[::-1, ::-1], 8: t[::-1]}[turn]
        larger = upscale(folder / "a.png", model=model)
        np.testing.assert_array_equal(np.asarray(larger), upscale(upright, model=model))
        dpi = (100, 300) if turn < 5 else (300, 100)
        assert larger.info["dpi"] == pytest.approx(dpi, abs=0.01), turn
        assert 0x112 not in larger.getexif(), turn


def test_profile_and_resolution_stay(tmp_path: Path) -> None:
    image = image_of("RGB", 5, 4)
    image.save(tmp_path / "a.jpg", dpi=(300, 150), icc_profile=color_profile())
    with Image.open(tmp_path / "a.jpg") as opened:
        results = [upscale(source, model=network(2)) for source in (tmp_path / "a.jpg", opened)]
    for larger in results:
        assert larger.info == {"icc_profile": color_profile(), "dpi": (300, 150)}


def test_inputs_are_not_modified(tmp_path: Path) -> None:
    model = network(2)
    before = {key: value.copy() for key, value in model.params.items()}
    x = random_pixels(6, 7, 4)
    kept = x.copy()
    upscale(x, model=model)
    np.testing.assert_array_equal(x, kept)
    image = image_of("RGBA", 6, 7).convert("P")
    image.info["transparency"] = 3
    image.info["dpi"] = (1, 2)
    state = image.tobytes(), image.mode, image.size, dict(image.info)
    upscale(image, model=model)
    assert (image.tobytes(), image.mode, image.size, image.info) == state
    image.save(tmp_path / "a.png")
    file = hashlib.sha256((tmp_path / "a.png").read_bytes()).digest()
    upscale(tmp_path / "a.png", model=model)
    assert hashlib.sha256((tmp_path / "a.png").read_bytes()).digest() == file
    for key, value in before.items():
        np.testing.assert_array_equal(model.params[key], value)


def test_files_are_closed(tmp_path: Path) -> None:
    frames = [image_of("RGB", 4, 5, seed) for seed in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        upscale(tmp_path / "a.gif", model=network(2))


def test_several_threads_may_enlarge_the_same_picture() -> None:
    image, model, results = image_of("RGB", 30, 31), network(2), []

    def work() -> None:
        results.append(upscale(image, model=model, tile=9).tobytes())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert len(set(results)) == 1


# The networks that come with the package


def test_the_usual_network_is_the_one_for_2(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def pretrained(scale: int) -> ESPCN:
        asked.append(scale)
        return network(scale)

    monkeypatch.setattr("npespcn.enlarge.picture.pretrained", pretrained)
    x = random_pixels(3, 4, 3)
    assert upscale(x).shape == (6, 8, 3)
    assert upscale(x, 4).shape == (12, 16, 3)
    assert upscale(x, scale=3).shape == (9, 12, 3)
    assert upscale(x, model=network(3)).shape == (9, 12, 3)
    assert asked == [2, 4, 3]


def test_pretrained() -> None:
    model = pretrained(3)
    assert (model.scale, model.options["channels"], model.halo) == (3, 1, 4)
    x = np.full((12, 12, 3), (40, 120, 200), np.uint8)
    assert np.abs(upscale(x, 3).astype(int) - [40, 120, 200]).max() <= 4  # trained, more or less
    np.testing.assert_array_equal(upscale(x, 3), npespcn.upscale(x, model=model))


def test_there_is_no_network_for_every_scale() -> None:
    for scale in [1, 5, 0, -2]:
        with pytest.raises(ValueError, match=re.escape(str(scale))):
            pretrained(scale)
        with pytest.raises(ValueError, match=r"pretrained: scale|upscale: scale"):
            upscale(random_pixels(3, 4, 3), scale)


# Mistakes

X = random_pixels(4, 5, 3)


def test_mistakes_are_named() -> None:
    for call, error, words in [
        (lambda m: upscale(X.astype("f4"), model=m), ValueError, "float32"),
        (lambda m: upscale(X[..., :2], model=m), ValueError, "(4, 5, 2)"),
        (lambda m: upscale(X.astype("u2"), model=m), ValueError, "uint16"),
        (lambda m: upscale(X[None], model=m), ValueError, "(1, 4, 5, 3)"),
        (lambda m: upscale(X[:0], model=m), ValueError, "(0, 5, 3)"),
        (lambda m: upscale(X > 3, model=m), ValueError, "bool"),
        (lambda m: upscale(X.tolist(), model=m), TypeError, "list"),
        (lambda m: upscale(None, model=m), TypeError, "NoneType"),
        (lambda m: upscale(Image.new("F", (3, 3)), model=m), ValueError, "(F)"),
        (lambda m: upscale(Image.new("I", (3, 3), 70000), model=m), ValueError, "32-bit"),
        (lambda m: upscale(Image.new("I", (3, 3), -1), model=m), ValueError, "32-bit"),
        (lambda m: upscale(X, 3, m), ValueError, "scale is 3, but the model's is 2"),
        (lambda m: upscale(X, model="espcn.npz"), TypeError, "model must be an ESPCN, got str"),
        (lambda m: upscale(X, model=network(2, channels=2)), ValueError, "one of 1, 3, got 2"),
        (lambda m: upscale(X, model=m, tile=0), ValueError, "tile"),
        (lambda m: upscale(X, model=m, tile=2.5), TypeError, "tile"),
        (lambda m: upscale("no such file.png", model=m), OSError, "no such file.png"),
    ]:
        with pytest.raises(error, match=re.escape(words)):
            call(network(2))


# What it is made of


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_box_of_bicubic_is_a_part_of_the_whole(data: st.DataObject) -> None:
    h, w, scale = (data.draw(st.integers(1, n)) for n in (14, 15, 4))
    plane = np.random.default_rng(h * w).random((h, w)).astype(np.float32)
    upper, left = data.draw(st.integers(0, h - 1)), data.draw(st.integers(0, w - 1))
    lower, right = data.draw(st.integers(upper + 1, h)), data.draw(st.integers(left + 1, w))
    part = upscale_bicubic(plane, scale, (left, upper, right, lower))
    whole = upscale_bicubic(plane, scale)
    expected = whole[upper * scale : lower * scale, left * scale : right * scale]
    np.testing.assert_allclose(part, expected, rtol=0, atol=1e-6)


def test_a_gpu_gives_the_same(gpu: Any) -> None:
    cases = [(mode, 1, "edge") for mode in MODES]
    for mode, channels, padding in [*cases, ("RGB", 3, "same"), ("LA", 1, "valid")]:
        image, model = image_of(mode, 20, 23), network(2, channels=channels, padding=padding)
        expected = np.asarray(upscale(image, model=model, tile=1000))
        move(model, "gpu")
        for tile in (None, 12):
            larger = np.asarray(upscale(image, model=model, tile=tile))
            assert_close(larger, expected, rarely=0.1 if mode == "I;16" else 0.02)


def test_narrow_kernels_make_no_seams() -> None:
    """Bicubic interpolation of the colors reaches 2 pixels, further than such a network."""
    for kernels in ((1, 1, 1), (3, 1, 1)):
        model = network(2, kernels=kernels)
        for mode in MODES:
            image = image_of(mode, 23, 26)
            whole = np.asarray(upscale(image, model=model, tile=1000))
            tiled = np.asarray(upscale(image, model=model, tile=7))
            assert_close(tiled, whole, rarely=0.1 if mode == "I;16" else 0.02)
