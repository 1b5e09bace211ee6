import importlib
import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scoring import (
    FAILED,
    copied,
    copier,
    damaged,
    decibels,
    gray,
    leaves,
    only,
    save,
    save_pair,
    score_by_hand,
    ssim_of_flat,
)

from npespcn.data import validation_pairs
from npespcn.evaluation import (
    Score,
    bicubic_score,
    evaluate,
    find_pictures,
    mean_score,
    protocol,
    validate,
)
from npespcn.fast import accelerate
from npespcn.fast.gpu import move
from npespcn.models import ESPCN
from npespcn.pictures import downscale, rgb_to_y, upscale_bicubic
from npespcn.pictures.color import quantize

protocol_module = importlib.import_module("npespcn.evaluation.protocol")

# --- flat pictures, worked out by hand -----------------------------------------------------------

# Y of (200, 40, 90) is 96.33, of (150, 50, 90) 88.54: rounded, 7 apart. Unrounded it would be 7.8,
# with full-range luma 10.
FLAT = {
    "gray": ("L", 100, 90, (100, 90)),
    "gray with alpha": ("LA", (100, 7), (90, 200), (100, 90)),
    "gray saved as color": ("RGB", (100, 100, 100), (90, 90, 90), (102, 93)),
    "color": ("RGB", (200, 40, 90), (150, 50, 90), (96, 89)),
    "color with alpha": ("RGBA", (200, 40, 90, 0), (150, 50, 90, 9), (96, 89)),
}


def test_flat_pictures(tmp_path):
    for kind, (mode, hr, lr, (a, b)) in FLAT.items():
        for r in (1, 2, 3, 4):
            files = Image.new(mode, (23 * r, 20 * r), hr), Image.new(mode, (23, 20), lr)
            save_pair(tmp_path, *files)
            score = only(tmp_path, r)
            assert score.bicubic.psnr == pytest.approx(decibels((a - b) ** 2), abs=1e-9), kind
            assert score.bicubic.ssim == pytest.approx(ssim_of_flat(a, b), abs=1e-9), kind
            assert (score.name, score.size, score.network) == ("a.png", (23 * r, 20 * r), None)


def test_modes(tmp_path):
    for hr, lr, difference in [
        (Image.new("1", (30, 30), 1), gray(245, 10, 10), 10),
        (Image.fromarray(np.full((30, 30), 100 * 257, np.uint16)), gray(90, 10, 10), 10),
        # If only one is gray it stands for equal red, green and blue: Y is 102, or 93.
        (gray(100, 30, 30), Image.new("RGB", (10, 10), (90, 90, 90)), 9),
        (Image.new("RGB", (30, 30), (100, 100, 100)), gray(90, 10, 10), 9),
    ]:
        save_pair(tmp_path, hr, lr)
        assert only(tmp_path, 3).bicubic.psnr == pytest.approx(decibels(difference**2), abs=1e-9)


def test_a_border_as_wide_as_the_scale_is_left_out(tmp_path):
    for r in (2, 3, 4):
        side = 15 * r
        for depth in (r - 1, r):
            for line in (np.s_[depth], np.s_[-1 - depth], np.s_[:, depth], np.s_[:, -1 - depth]):
                hr = np.full((side, side), 100, np.uint8)
                hr[line] = 130
                save_pair(tmp_path, hr, gray(100, 15, 15))
                score = only(tmp_path, r).bicubic
                if depth < r:
                    assert score == (math.inf, 1.0), (r, line)
                else:  # 30 of one line in side - 2 r
                    expected = decibels(900 / (side - 2 * r))
                    assert score.psnr == pytest.approx(expected, abs=1e-9), (r, line)
                    assert tuple(score) == score_by_hand(hr, np.full_like(hr, 100), r)
                    assert score.ssim < 0.9999


# --- low resolution ------------------------------------------------------------------------------


def test_low_resolution_is_made_where_there_is_none(tmp_path):
    for r in (2, 3, 4):
        for number, hr in enumerate([leaves(), np.ascontiguousarray(leaves()[..., 1])]):
            folder = tmp_path / f"{r} {number}"
            cropped = hr[: 50 // r * r, : 62 // r * r]
            save(folder / "alone" / "a.png", hr)
            save_pair(folder / "pair", hr, downscale(cropped, r))
            a, b = upscale_bicubic(downscale(cropped, r), r), cropped
            if hr.ndim == 3:
                a, b = rgb_to_y(a), rgb_to_y(b)
            for name in ("alone", "pair"):
                score = only(folder / name, r)
                assert tuple(score.bicubic) == score_by_hand(a, b, r)
                assert score.size == (62, 50)


def test_up_to_two_more_pixels_are_cropped_below_and_at_the_right(tmp_path):
    lr = downscale(leaves(48, 60), 3)
    expected = score_by_hand(rgb_to_y(upscale_bicubic(lr, 3)), rgb_to_y(leaves(48, 60)), 3)
    for wider, taller in [(0, 0), (2, 0), (0, 2), (2, 2), (1, 2)]:
        save_pair(tmp_path, leaves(48 + taller, 60 + wider), lr)
        assert tuple(only(tmp_path, 3).bicubic) == expected, (wider, taller)


def test_other_sizes_are_refused(tmp_path):
    for width, height in [(63, 48), (60, 51), (59, 48), (60, 47), (48, 60)]:
        save_pair(tmp_path, gray(9, width, height), gray(9, 20, 16))
        words = (
            f"{tmp_path / 'HR/a.png'} has {width} x {height} pixels and {tmp_path / 'LR/a.png'} "
            "20 x 16: HR must be 3 times as large, or up to 2 pixels larger"
        )
        with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
            only(tmp_path, 3)


NAMES = ["2", "10", "c1", "c", "d", "da"]
PAIRS = [
    ("HR/{}.png", "LR/{}.png"),
    ("x3/HR/{}.png", "x3/LR/{}.png"),
    ("HR/{}.png", "LR_bicubic/X3/{}x3.png"),
    ("DIV2K_valid_HR/{}.png", "DIV2K_valid_LR_bicubic/X3/{}x3.png"),
    ("GTmod12/{}.png", "LRbicx3/{}.png"),
    ("image_SRF_3/{}_SRF_3_HR.png", "image_SRF_3/{}_SRF_3_LR.png"),
]


def test_no_picture_is_compared_with_another(tmp_path):
    """A level of gray for each name: a pair that is none would not be identical."""
    for number, (hr, lr) in enumerate(PAIRS):
        folder = tmp_path / str(number)
        for i, name in enumerate(NAMES):
            save(folder / lr.format(name), gray(20 * i, 10, 10))
            save(folder / hr.format(name), gray(20 * i, 30, 30))
        for alone in (0, 1):
            if alone:
                (folder / hr.format(NAMES[2])).unlink()
            failures = []
            scores = list(evaluate(find_pictures(folder), failed=failures.append))
            assert {score.bicubic for score in scores} == {(math.inf, 1.0)}, hr
            expected = [Path(hr.format(name)).name for name in NAMES]
            assert [score.name for score in scores] == expected[:2] + expected[2 + alone :]
            assert len(failures) == alone


# --- networks ------------------------------------------------------------------------------------


def test_a_network_that_copies_pixels(tmp_path):
    for r, padding, channels, color in itertools.product(
        (2, 3), ("same", "edge", "valid"), (1, 3), (True, False)
    ):
        hr = leaves() if color else np.ascontiguousarray(leaves()[..., 1])
        save(tmp_path / "a.png", hr)
        score = only(tmp_path, r, copier(r, channels, padding, gain=0.9137))
        lr, hr = downscale(hr, r), hr[: 50 // r * r, : 62 // r * r]
        bicubic, lr_y, hr_y = upscale_bicubic(lr, r), lr, hr
        if color:
            bicubic, lr_y, hr_y = rgb_to_y(bicubic), rgb_to_y(lr), rgb_to_y(hr)
        shown = copied(np.rint(0.9137 * lr_y), r)
        if color and channels == 3:
            shown = rgb_to_y(copied(np.rint(0.9137 * lr).astype(np.uint8), r))
        border = r + 4 * r * (padding == "valid")  # both, so that they can be compared
        case = (r, padding, channels, color)
        assert tuple(score.network) == score_by_hand(shown, hr_y, border), case
        assert tuple(score.bicubic) == score_by_hand(bicubic, hr_y, border), case


def test_the_output_is_rounded_and_clipped(tmp_path):
    save(tmp_path / "a.png", gray(100, 30, 30))
    for output, level in [(0.6, 153), (0.6018, 153), (0.6022, 154), (1.3, 255), (-0.2, 0)]:
        for channels in (1, 3):
            score = only(tmp_path, 3, copier(3, channels, gain=0, bias=output)).network
            assert score.psnr == pytest.approx(decibels((level - 100) ** 2), abs=1e-9), output


def test_the_network_gets_8_bits_divided_by_255(tmp_path, monkeypatch):
    predict, seen = protocol_module.predict, []
    monkeypatch.setattr(protocol_module, "predict", lambda m, x: seen.append(x) or predict(m, x))
    for channels, color in itertools.product((1, 3), (True, False)):
        hr = leaves() if color else np.ascontiguousarray(leaves()[..., 1])
        save(tmp_path / "a.png", hr)
        only(tmp_path, 2, copier(2, channels))
        lr = downscale(hr, 2)
        if channels == 3:
            planes = lr.transpose(2, 0, 1) if color else np.stack([lr] * 3)
        else:
            planes = (rgb_to_y(lr) if color else lr)[None]
        expected = planes[None].astype(np.float32) / 255
        np.testing.assert_array_equal(seen.pop(), expected, strict=True)


def test_double_precision_and_the_gpu_give_the_same(tmp_path, gpu):
    save(tmp_path / "a.png", leaves())
    for channels in (1, 3):
        expected = only(tmp_path, 2, ESPCN(2, channels, padding="edge", seed=1)).network
        double = ESPCN(2, channels, padding="edge", seed=1, dtype="float64")
        on_gpu = move(ESPCN(2, channels, padding="edge", seed=1), "gpu")
        for model in (double, on_gpu):
            assert tuple(only(tmp_path, 2, model).network) == pytest.approx(expected, abs=0.01)


def test_a_network_that_does_not_fit_is_refused_at_once(tmp_path):
    save(tmp_path / "a.png", leaves())
    pictures = find_pictures(tmp_path, 2)
    words = "the network enlarges 3 times, but the scale of the images is 2$"
    with pytest.raises(ValueError, match=words):
        evaluate(pictures, copier(3))
    with pytest.raises(ValueError, match=r"evaluate: .* channels must be one of 1, 3, got 2$"):
        evaluate(pictures, copier(2, 2))


def test_a_network_that_gives_no_numbers_is_refused(tmp_path):
    save(tmp_path / "a.png", leaves())
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match=r"a\.png: the network's output is not all finite"):
            only(tmp_path, 2, copier(2, bias=bad))


# --- pictures that cannot be scored --------------------------------------------------------------


def test_pictures_that_cannot_be_scored_are_named_and_the_others_go_on(tmp_path):
    failures = []
    scores = list(evaluate(find_pictures(damaged(tmp_path), 3), failed=failures.append))
    assert [score.name for score in scores] == ["1.png", "20.png"]
    assert [next(n for n in FAILED if n in words) for words in failures] == FAILED
    assert "flat.png: 48 x 15 pixels are too few, at least 17 x 17 are needed" in failures[4]
    assert "48 x 48 pixels and" in failures[5]


def test_without_a_way_to_tell_the_first_failure_raises(tmp_path):
    with pytest.raises(ValueError, match=r"lonely\.png: there is no LR image"):
        next(evaluate(find_pictures(damaged(tmp_path), 3)))
    (tmp_path / "HR" / "lonely.png").unlink()
    (tmp_path / "LR" / "other.png").unlink()
    scores = evaluate(find_pictures(tmp_path, 3))
    assert [next(scores).name, next(scores).name] == ["1.png", "20.png"]
    with pytest.raises(ValueError, match=r"cut\.png: cannot be read as an image"):
        next(scores)


def test_the_smallest_pictures(tmp_path):
    for padding, least in [("edge", 17), ("valid", 41)]:
        side = -(-least // 3) * 3  # the next multiple of 3
        save(tmp_path / "small" / "a.png", leaves(80, side - 1))
        save(tmp_path / "enough" / "a.png", leaves(80, side))
        model = copier(3, padding=padding)
        assert only(tmp_path / "enough", 3, model).network.psnr > 10
        with pytest.raises(ValueError, match=f"at least {least} x {least} are needed"):
            only(tmp_path / "small", 3, model)
    save(tmp_path / "tiny" / "a.png", gray(1, 2, 2))
    with pytest.raises(ValueError, match=r"a\.png: 2 x 2 pixels are too few"):
        only(tmp_path / "tiny", 3)


def test_too_little_memory_for_a_picture(tmp_path, monkeypatch):
    def fail(model, x):
        raise MemoryError

    save(tmp_path / "a.png", leaves())
    monkeypatch.setattr(protocol_module, "predict", fail)
    failures = []
    assert list(evaluate(find_pictures(tmp_path), copier(3), failed=failures.append)) == []
    assert failures == [f"{tmp_path / 'a.png'}: not enough memory"]


# --- words and means -----------------------------------------------------------------------------


def test_the_mean_is_of_decibels_and_of_ssim():
    assert mean_score([Score(20.0, 0.5), Score(31.0, 0.75), Score(45.0, 0.25)]) == (32.0, 0.5)
    assert mean_score(Score(x, 1.0) for x in (20.0, math.inf)) == (math.inf, 1.0)


def test_the_protocol_says_what_was_done(tmp_path):
    save(tmp_path / "a.png", leaves())
    alone = find_pictures(tmp_path, 4)
    words = protocol(alone)
    assert "studio range" in words["measured on"]
    assert "rounded to 8 bits" in words["measured on"]
    assert "gray files are taken as Y" in words["measured on"]
    assert words["border"] == "4 pixels left out on each side"
    assert words["LR"].startswith("made here by bicubic as MATLAB's imresize")
    assert "network" not in words
    assert "8-bit Y of LR" in protocol(alone, copier(4))["network"]
    assert "8-bit RGB of LR" in protocol(alone, copier(4, 3))["network"]
    valid = protocol(alone, copier(4, padding="valid"))["border"]
    assert valid == "20 pixels left out on each side: 4, and 16 that the network does not show"
    save_pair(tmp_path, leaves(), downscale(leaves(), 2))
    assert protocol(find_pictures(tmp_path))["LR"].startswith(f"the files in {tmp_path / 'LR'};")


def test_validate_and_bicubic_score(gpu):
    """The PSNR of 8-bit planes without a border of `scale`; unpadded outputs meet the middle."""
    for channels, padding in [(1, "edge"), (3, "edge"), (1, "valid"), (1, "same")]:
        pairs = validation_pairs([leaves(), leaves(seed=1)], 2, channels)
        model = copier(2, channels, padding, gain=0.9137)
        lost = 8 * (padding == "valid")
        expected, bicubic = [], []
        for lr, hr in pairs:
            eight = np.floor(255 * hr[0] + 0.5)
            shown = np.floor(255 * np.float32(0.9137) * lr[0].repeat(2, 1).repeat(2, 2) + 0.5)
            for a, border, scores in (
                (shown, 2 + lost, expected),
                ([upscale_bicubic(quantize(255 * plane), 2) for plane in lr[0]], 2, bicubic),
            ):
                inside = np.s_[:, border:-border, border:-border]
                scores.append(decibels(np.mean((np.float64(a) - eight)[inside] ** 2)))
        for network in (model, accelerate(model), move(model, "gpu")):
            assert validate(network, pairs) == pytest.approx(np.mean(expected), abs=0.01)
        assert bicubic_score(pairs) == pytest.approx(np.mean(bicubic), abs=1e-9)
