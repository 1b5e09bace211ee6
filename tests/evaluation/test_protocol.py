from __future__ import annotations

import io
import json
import math
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from npespcn.commands import main as cli
from npespcn.data.dead_leaves import dead_leaves_pictures
from npespcn.evaluation.metrics import ssim
from npespcn.evaluation.protocol import Score, evaluate, mean_score, protocol
from npespcn.evaluation.testsets import find_pictures
from npespcn.models import ESPCN
from npespcn.pictures.color import rgb_to_y
from npespcn.pictures.resize import downscale, upscale_bicubic

SET5 = Path(__file__).parents[2] / "shared" / "data" / "Set5"
needs_set5 = pytest.mark.skipif(not SET5.is_dir(), reason=f"{SET5} is not there")
SET5_BICUBIC = [(2, "33.64", "0.9292"), (3, "30.39", "0.8678"), (4, "28.42", "0.8101")]


def save(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(path)


def save_pair(folder, hr, lr, name="a.png"):
    save(folder / "HR" / name, hr)
    save(folder / "LR" / name, lr)


def grey(level, width, height):
    return Image.new("L", (width, height), level)


def leaves(height=50, width=62, seed=0):
    return dead_leaves_pictures(1, 80, seed)[0][:height, :width]


def only(folder, scale=None, model=None):
    """Return the score of the only picture in a folder."""
    (score,) = evaluate(find_pictures(folder, scale), model)
    return score


def decibels(mean_square):
    return 10 * math.log10(255**2 / mean_square)


def score_by_hand(a, b, border):
    a, b = (x[border:-border, border:-border].astype(float) for x in (a, b))
    return pytest.approx((decibels(np.mean((a - b) ** 2)), ssim(a, b)), abs=1e-9)


def ssim_of_flat(a, b):
    """Without variance only the means are left of it."""
    c1 = 2.55**2
    return (2 * a * b + c1) / (a * a + b * b + c1)


def copier(scale, channels=1, padding="edge", gain=1.0, bias=0.0, dtype="float32"):
    """Return a network that copies each pixel r*r times, times `gain`, plus `bias`."""
    model = ESPCN(scale, channels, activation="relu", padding=padding, dtype=dtype)
    for name, param in model.params.items():
        param[...] = 0
        if name.endswith("weight"):
            middle, copies = param.shape[2] // 2, scale**2 if name.startswith("conv3") else 1
            for c in range(channels):
                param[c * copies : (c + 1) * copies, c, middle, middle] = 1
    model.params["conv3.weight"] *= gain
    model.params["conv3.bias"] += bias
    return model


def copied(picture, r):
    return picture.repeat(r, axis=0).repeat(r, axis=1)


# --- flat pictures, worked out by hand -----------------------------------------------------------

# Y of (200, 40, 90) is 96.33, of (150, 50, 90) 88.54: rounded, 7 apart. Unrounded it would be 7.8,
# with full-range luma 10.
FLAT = {
    "grey": ("L", 100, 90, (100, 90)),
    "grey with alpha": ("LA", (100, 7), (90, 200), (100, 90)),
    "grey saved as colour": ("RGB", (100, 100, 100), (90, 90, 90), (102, 93)),
    "colour": ("RGB", (200, 40, 90), (150, 50, 90), (96, 89)),
    "colour with alpha": ("RGBA", (200, 40, 90, 0), (150, 50, 90, 9), (96, 89)),
}


@pytest.mark.parametrize("kind", FLAT)
@pytest.mark.parametrize("r", [1, 2, 3, 4])
def test_flat_pictures(tmp_path, kind, r):
    mode, hr, lr, (a, b) = FLAT[kind]
    save_pair(tmp_path, Image.new(mode, (23 * r, 20 * r), hr), Image.new(mode, (23, 20), lr))
    score = only(tmp_path, r)
    assert score.bicubic.psnr == pytest.approx(decibels((a - b) ** 2), abs=1e-9)
    assert score.bicubic.ssim == pytest.approx(ssim_of_flat(a, b), abs=1e-9)
    assert (score.name, score.size, score.network) == ("a.png", (23 * r, 20 * r), None)


@pytest.mark.parametrize(
    ("hr", "lr", "difference"),
    [
        (Image.new("1", (30, 30), 1), grey(245, 10, 10), 10),
        (Image.fromarray(np.full((30, 30), 100 * 257, np.uint16)), grey(90, 10, 10), 10),
        # If only one is grey it stands for equal red, green and blue: Y is 102, or 93.
        (grey(100, 30, 30), Image.new("RGB", (10, 10), (90, 90, 90)), 9),
        (Image.new("RGB", (30, 30), (100, 100, 100)), grey(90, 10, 10), 9),
    ],
    ids=["1 bit", "16 bits", "grey HR", "grey LR"],
)
def test_modes(tmp_path, hr, lr, difference):
    save_pair(tmp_path, hr, lr)
    assert only(tmp_path, 3).bicubic.psnr == pytest.approx(decibels(difference**2), abs=1e-9)


@pytest.mark.parametrize("r", [2, 3, 4])
@pytest.mark.parametrize("place", ["row", "last row", "column", "last column"])
def test_a_border_as_wide_as_the_scale_is_left_out(tmp_path, r, place):
    side = 15 * r
    for depth in (r - 1, r):
        hr = np.full((side, side), 100, np.uint8)
        line = side - 1 - depth if "last" in place else depth
        hr[line if "row" in place else np.s_[:, line]] = 130
        save_pair(tmp_path, hr, grey(100, 15, 15))
        score = only(tmp_path, r).bicubic
        if depth < r:
            assert score == (math.inf, 1.0)
        else:  # 30 of one line in side - 2 r
            assert score.psnr == pytest.approx(decibels(900 / (side - 2 * r)), abs=1e-9)
            assert tuple(score) == score_by_hand(hr, np.full_like(hr, 100), r)
            assert score.ssim < 0.9999


# --- low resolution ------------------------------------------------------------------------------


@pytest.mark.parametrize("r", [2, 3, 4])
@pytest.mark.parametrize("colour", [True, False])
def test_low_resolution_is_made_where_there_is_none(tmp_path, colour, r):
    hr = leaves() if colour else np.ascontiguousarray(leaves()[..., 1])
    cropped = hr[: 50 // r * r, : 62 // r * r]
    save(tmp_path / "alone" / "a.png", hr)
    save_pair(tmp_path / "pair", hr, downscale(cropped, r))
    a, b = upscale_bicubic(downscale(cropped, r), r), cropped
    if colour:
        a, b = rgb_to_y(a), rgb_to_y(b)
    for folder in ("alone", "pair"):
        score = only(tmp_path / folder, r)
        assert tuple(score.bicubic) == score_by_hand(a, b, r)
        assert score.size == (62, 50)


@pytest.mark.parametrize(("wider", "taller"), [(0, 0), (2, 0), (0, 2), (2, 2), (1, 2)])
def test_up_to_two_more_pixels_are_cropped_below_and_at_the_right(tmp_path, wider, taller):
    hr, lr = leaves(48 + taller, 60 + wider), downscale(leaves(48, 60), 3)
    save_pair(tmp_path, hr, lr)
    expected = score_by_hand(rgb_to_y(upscale_bicubic(lr, 3)), rgb_to_y(leaves(48, 60)), 3)
    assert tuple(only(tmp_path, 3).bicubic) == expected


@pytest.mark.parametrize(("width", "height"), [(63, 48), (60, 51), (59, 48), (60, 47), (48, 60)])
def test_other_sizes_are_refused(tmp_path, width, height):
    save_pair(tmp_path, grey(9, width, height), grey(9, 20, 16))
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


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize(("hr", "lr"), PAIRS)
def test_no_picture_is_compared_with_another(tmp_path, hr, lr, alone):
    """A level of grey for each name: a pair that is none would not be identical."""
    for i, name in enumerate(NAMES):
        save(tmp_path / lr.format(name), grey(20 * i, 10, 10))
        if not (alone and i == 2):
            save(tmp_path / hr.format(name), grey(20 * i, 30, 30))
    failures = []
    scores = list(evaluate(find_pictures(tmp_path), failed=failures.append))
    assert [score.bicubic for score in scores] == [(math.inf, 1.0)] * (len(NAMES) - alone)
    expected = [Path(hr.format(name)).name for name in NAMES]
    assert [score.name for score in scores] == expected[:2] + expected[2 + alone :]
    assert len(failures) == alone


# --- networks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("r", [2, 3])
@pytest.mark.parametrize("padding", ["same", "edge", "valid"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("colour", [True, False])
def test_a_network_that_copies_pixels(tmp_path, r, padding, channels, colour):
    hr = leaves() if colour else np.ascontiguousarray(leaves()[..., 1])
    save(tmp_path / "a.png", hr)
    score = only(tmp_path, r, copier(r, channels, padding, gain=0.9137))
    lr, hr = downscale(hr, r), hr[: 50 // r * r, : 62 // r * r]
    bicubic, lr_y, hr_y = upscale_bicubic(lr, r), lr, hr
    if colour:
        bicubic, lr_y, hr_y = rgb_to_y(bicubic), rgb_to_y(lr), rgb_to_y(hr)
    shown = copied(np.rint(0.9137 * lr_y), r)
    if colour and channels == 3:
        shown = rgb_to_y(copied(np.rint(0.9137 * lr).astype(np.uint8), r))
    border = r + 4 * r * (padding == "valid")  # both, so that they can be compared
    assert tuple(score.network) == score_by_hand(shown, hr_y, border)
    assert tuple(score.bicubic) == score_by_hand(bicubic, hr_y, border)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("output", "level"), [(0.6, 153), (0.6018, 153), (0.6022, 154), (1.3, 255), (-0.2, 0)]
)
def test_the_output_is_rounded_and_clipped(tmp_path, channels, output, level):
    save(tmp_path / "a.png", grey(100, 30, 30))
    score = only(tmp_path, 3, copier(3, channels, gain=0, bias=output)).network
    assert score.psnr == pytest.approx(decibels((level - 100) ** 2), abs=1e-9)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("colour", [True, False])
def test_the_network_gets_8_bits_divided_by_255(tmp_path, monkeypatch, channels, colour):
    hr = leaves() if colour else np.ascontiguousarray(leaves()[..., 1])
    save(tmp_path / "a.png", hr)
    model, seen = copier(2, channels), []
    predict = model.predict
    monkeypatch.setattr(model, "predict", lambda x: seen.append(x) or predict(x))
    only(tmp_path, 2, model)
    lr = downscale(hr, 2)
    if channels == 3:
        planes = lr.transpose(2, 0, 1) if colour else np.stack([lr] * 3)
    else:
        planes = (rgb_to_y(lr) if colour else lr)[None]
    (x,) = seen
    np.testing.assert_array_equal(x, planes[None].astype(np.float32) / 255, strict=True)


def test_double_precision_and_the_gpu_give_the_same(tmp_path, gpu):
    save(tmp_path / "a.png", leaves())
    for channels in (1, 3):
        expected = only(tmp_path, 2, ESPCN(2, channels, padding="edge", seed=1)).network
        double = ESPCN(2, channels, padding="edge", seed=1, dtype="float64")
        on_gpu = ESPCN(2, channels, padding="edge", seed=1)
        on_gpu.to("gpu")
        for model in (double, on_gpu):
            assert tuple(only(tmp_path, 2, model).network) == pytest.approx(expected, abs=0.01)


def test_a_network_that_does_not_fit_is_refused_at_once(tmp_path):
    save(tmp_path / "a.png", leaves())
    pictures = find_pictures(tmp_path, 2)
    words = "the network enlarges 3 times, but the scale of the pictures is 2$"
    with pytest.raises(ValueError, match=words):
        evaluate(pictures, copier(3))
    with pytest.raises(ValueError, match=r"must have 1 channel \(luma\) or 3 \(RGB\), not 2$"):
        evaluate(pictures, copier(2, 2))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_network_that_gives_no_numbers_is_refused(tmp_path, bad):
    save(tmp_path / "a.png", leaves())
    with pytest.raises(ValueError, match=r"a\.png: the network's output is not all finite"):
        only(tmp_path, 2, copier(2, bias=bad))


# --- pictures that cannot be scored --------------------------------------------------------------


def damaged(folder):
    """Fill a folder with pictures for scale 3: two that can be scored, and six that cannot."""
    save(folder / "HR" / "1.png", leaves())
    save(folder / "HR" / "20.png", leaves(seed=1))
    for name in ("1.png", "20.png", "cut.png", "empty.jpg", "other.png"):
        save(folder / "LR" / name, downscale(leaves(), 3))
    whole = (folder / "HR" / "1.png").read_bytes()
    (folder / "HR" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "HR" / "empty.jpg").touch()
    save_pair(folder, grey(1, 48, 15), grey(1, 16, 5), "flat.png")
    save_pair(folder, grey(1, 48, 48), grey(1, 12, 12), "wrong.png")
    save(folder / "HR" / "lonely.png", leaves())
    return folder


FAILED = ["lonely.png", "other.png", "cut.png", "empty.jpg", "flat.png", "wrong.png"]


def test_pictures_that_cannot_be_scored_are_named_and_the_others_go_on(tmp_path):
    failures = []
    scores = list(evaluate(find_pictures(damaged(tmp_path), 3), failed=failures.append))
    assert [score.name for score in scores] == ["1.png", "20.png"]
    assert [next(n for n in FAILED if n in words) for words in failures] == FAILED
    assert "flat.png: 48 x 15 pixels are too few, at least 17 x 17 are needed" in failures[4]
    assert "48 x 48 pixels and" in failures[5]


def test_without_a_way_to_tell_the_first_failure_raises(tmp_path):
    with pytest.raises(ValueError, match=r"lonely\.png: there is no LR picture"):
        next(evaluate(find_pictures(damaged(tmp_path), 3)))
    (tmp_path / "HR" / "lonely.png").unlink()
    (tmp_path / "LR" / "other.png").unlink()
    scores = evaluate(find_pictures(tmp_path, 3))
    assert [next(scores).name, next(scores).name] == ["1.png", "20.png"]
    with pytest.raises(ValueError, match=r"cannot read .*cut\.png as a picture"):
        next(scores)


@pytest.mark.parametrize(("padding", "least"), [("edge", 17), ("valid", 41)])
def test_the_smallest_pictures(tmp_path, padding, least):
    side = -(-least // 3) * 3  # the next multiple of 3
    save(tmp_path / "small" / "a.png", leaves(80, side - 1))
    save(tmp_path / "enough" / "a.png", leaves(80, side))
    model = copier(3, padding=padding)
    assert only(tmp_path / "enough", 3, model).network.psnr > 10
    with pytest.raises(ValueError, match=f"at least {least} x {least} are needed"):
        only(tmp_path / "small", 3, model)


def test_a_picture_smaller_than_the_scale_is_too_small(tmp_path):
    save(tmp_path / "a.png", grey(1, 2, 2))
    with pytest.raises(ValueError, match=r"a\.png: 2 x 2 pixels are too few"):
        only(tmp_path, 3)


def test_too_little_memory_for_a_picture(tmp_path, monkeypatch):
    def fail(x):
        raise MemoryError

    save(tmp_path / "a.png", leaves())
    model, failures = copier(3), []
    monkeypatch.setattr(model, "predict", fail)
    assert list(evaluate(find_pictures(tmp_path), model, failed=failures.append)) == []
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
    assert "greyscale files are taken as Y" in words["measured on"]
    assert words["border"] == "4 pixels left out on each side"
    assert words["LR"].startswith("made here by bicubic as MATLAB's imresize")
    assert "network" not in words
    assert "8-bit Y of LR" in protocol(alone, copier(4))["network"]
    assert "8-bit RGB of LR" in protocol(alone, copier(4, 3))["network"]
    valid = protocol(alone, copier(4, padding="valid"))["border"]
    assert valid == "20 pixels left out on each side: 4, and 16 that the network does not show"
    save_pair(tmp_path, leaves(), downscale(leaves(), 2))
    assert protocol(find_pictures(tmp_path))["LR"].startswith(f"the files in {tmp_path / 'LR'};")


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def flats(tmp_path):
    """Two grey pairs for scale 3; a network that adds 10 gets the first one right."""
    folder = tmp_path / "flats"
    save_pair(folder, grey(100, 66, 60), grey(90, 22, 20), "10.png")
    save_pair(folder, grey(100, 31, 100), grey(80, 10, 33), "9.png")
    copier(3, bias=10 / 255).save(tmp_path / "adds_10.npz")
    return folder


@pytest.fixture
def run(capsys):
    """Run ``npespcn evaluate``; return the exit status, what it printed, and its complaints."""

    def run(*words):
        status = cli.main(["evaluate", *map(str, words)])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return status, out, err

    return run


def read_json(text):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    assert text.endswith("}\n")
    return json.loads(text, parse_constant=refuse)


def test_table(flats, tmp_path, run):
    weights = tmp_path / "adds_10.npz"
    assert run(flats, "--weights", weights) == (
        0,
        f"""\
picture     HR size  bicubic PSNR    SSIM  network PSNR    SSIM
9.png      31 x 100         22.11  0.9756         28.13  0.9945
10.png      66 x 60         28.13  0.9945           inf  1.0000
mean of 2                   25.12  0.9850           inf  0.9972

scale: x3
measured on: Y of BT.601, studio range (black 16, white 235), rounded to 8 bits; greyscale files \
are taken as Y as they are
border: 3 pixels left out on each side
SSIM: 11 x 11 Gaussian windows (sigma 1.5) that lie inside the border
LR: the files in {flats / "LR"}; HR cropped to 3 times their size
bicubic: LR enlarged by Pillow's bicubic in 8-bit RGB, and Y taken of that
network: gets the 8-bit Y of LR / 255; its output is rounded and clipped to 8 bits
weights: {weights}
""",
        "",
    )


def test_table_of_bicubic_alone(flats, run):
    status, out, err = run(flats, "--bicubic")
    table, words = out.split("\n\n")
    assert (status, err) == (0, "")
    assert table.splitlines() == [
        "picture     HR size  bicubic PSNR    SSIM",
        "9.png      31 x 100         22.11  0.9756",
        "10.png      66 x 60         28.13  0.9945",
        "mean of 2                   25.12  0.9850",
    ]
    assert "network" not in words
    assert words.endswith("\nweights: none\n")


def test_json(flats, tmp_path, run):
    status, out, err = run(flats, "--json", "--weights", tmp_path / "adds_10.npz")
    assert (status, err) == (0, "")
    told = read_json(out)
    bicubic = [{"psnr": decibels(d**2), "ssim": ssim_of_flat(100, 100 - d)} for d in (20, 10)]
    mean = {name: (bicubic[0][name] + bicubic[1][name]) / 2 for name in ("psnr", "ssim")}
    assert list(told) == ["protocol", "scale", "weights", "pictures", "mean"]
    assert told["protocol"] == protocol(find_pictures(flats), copier(3))
    assert (told["scale"], told["weights"]) == (3, str(tmp_path / "adds_10.npz"))
    first, second = told["pictures"]
    assert first == {
        "name": "9.png",
        "size": [31, 100],
        "bicubic": pytest.approx(bicubic[0]),
        "network": pytest.approx(bicubic[1]),
    }
    assert (second["name"], second["size"]) == ("10.png", [66, 60])
    assert second["network"] == {"psnr": None, "ssim": 1.0}  # JSON has no infinity
    assert told["mean"]["bicubic"] == pytest.approx(mean)
    assert told["mean"]["network"]["psnr"] is None
    assert told["mean"]["network"]["ssim"] == pytest.approx((1 + bicubic[1]["ssim"]) / 2)


def test_json_of_bicubic_alone(flats, run):
    told = read_json(run(flats, "--bicubic", "--json")[1])
    assert told["weights"] is None
    assert [one["network"] for one in (*told["pictures"], told["mean"])] == [None] * 3


def test_without_weights_it_takes_those_of_the_package(flats, run, monkeypatch):
    asked = []

    def pretrained(scale):
        asked.append(scale)
        return copier(scale)

    monkeypatch.setattr(ESPCN, "pretrained", pretrained)
    status, out, _ = run(flats)
    assert (status, asked) == (0, [3])
    assert out.endswith("\nweights: those that come with npespcn\n")
    assert read_json(run(flats / "HR", "--scale", 2, "--json")[1])["weights"] == "pretrained"
    assert asked == [3, 2]
    save_pair(flats.parent / "twice", grey(100, 60, 60), grey(90, 30, 30))
    assert run(flats.parent / "twice")[0] == 0
    assert asked == [3, 2, 2]
    assert run(flats, "--bicubic")[0] == 0
    assert asked == [3, 2, 2]


def test_the_network_chooses_among_low_resolutions(tmp_path, run):
    save(tmp_path / "set" / "HR" / "a.png", grey(100, 60, 60))
    for r, level in {2: 80, 3: 90, 4: 95}.items():
        lr = grey(level, 60 // r, 60 // r)
        save(tmp_path / "set" / "LR_bicubic" / f"X{r}" / f"ax{r}.png", lr)
        copier(r).save(tmp_path / f"{r}.npz")
    for r, difference in {2: 20, 3: 10, 4: 5}.items():
        for words in (["--weights", tmp_path / f"{r}.npz"], ["--bicubic", "--scale", r]):
            told = read_json(run(tmp_path / "set", "--json", *words)[1])
            assert told["scale"] == r
            psnr = told["mean"]["bicubic"]["psnr"]
            assert psnr == pytest.approx(decibels(difference**2))
            assert f"X{r}" in told["protocol"]["LR"]
    told = read_json(run(tmp_path / "set", "--bicubic", "--json")[1])
    assert told["scale"] == 3


def test_what_fails_is_named_and_the_rest_is_printed(tmp_path, run):
    folder = damaged(tmp_path / "set")
    status, out, err = run(folder, "--scale", 3, "--bicubic")
    assert status == 1
    assert [line.split(" ")[0] for line in out.splitlines()[:4]] == [
        *("picture", "1.png", "20.png", "mean"),
    ]
    lines = err.splitlines()
    assert all(line.startswith("npespcn evaluate: ") for line in lines)
    assert [next(n for n in FAILED if n in line) for line in lines] == FAILED
    status, out, err = run(folder, "--scale", 3, "--bicubic", "--json")
    assert (status, len(err.splitlines())) == (1, 6)
    assert [one["name"] for one in read_json(out)["pictures"]] == ["1.png", "20.png"]


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_if_all_fail_that_is_one_line(tmp_path, run, flags):
    for name in ("a.png", "b.png"):
        save(tmp_path / name, grey(1, 3, 3))
    line = (
        f"npespcn evaluate: no picture could be measured: {tmp_path}/a.png: 3 x 3 pixels are too "
        f"few, at least 15 x 15 are needed (in multiples of 2); {tmp_path}/b.png: 3 x 3"
    )
    status, out, err = run(tmp_path, "--bicubic", "--scale", 2, *flags)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(line)
    for i in range(10):
        save(tmp_path / f"c{i}.png", grey(1, 3, 3))
    status, out, err = run(tmp_path, "--bicubic", "--scale", 2, *flags)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.endswith("; and 7 more\n")


MISTAKES = {
    "absent": "No such file or directory: 'absent'",
    "empty --bicubic": "no test pictures in empty",
    "flats --scale 2 --weights adds_10.npz": "the network enlarges 3 times, but the scale",
    "flats --weights absent.npz": "No such file or directory: 'absent.npz'",
    "flats --weights flats/HR/9.png": "9.png: not a readable .npz file",
    "flats --scale 5": "there are networks for 2, 3, 4, not for 5",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_one_line(flats, tmp_path, run, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    status, out, err = run(*words.split())
    assert (status, out) == (1, "")
    assert re.fullmatch(f"npespcn evaluate: .*{re.escape(MISTAKES[words])}.*\n", err)


@pytest.mark.parametrize(
    "words",
    ["", ". --scale 0", ". --scale x", ". --weights a --bicubic", ". --device tpu", ". ."],
)
def test_wrong_words_are_wrong_usage(capsys, words):
    with pytest.raises(SystemExit) as caught:
        cli.main(["evaluate", *words.split()])
    assert caught.value.code == 2
    assert re.match(r"npespcn.*: error: ", capsys.readouterr().err.splitlines()[-1])


def test_help_explains_every_flag(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["evaluate", "--help"])
    assert caught.value.code == 0
    words = capsys.readouterr().out
    options = words.partition("options:")[2]
    for flag in ("--scale R", "--weights FILE", "--bicubic", "--device", "--json"):
        assert re.search(rf"{flag}\b.*\s+\S", options)
    assert "None" not in options
    assert "False" not in options


def odd_names(folder, *names):
    for name in names:
        try:
            save(folder / name, grey(100, 30, 30))
        except (OSError, UnicodeError):
            pytest.skip("no such names here")


def test_odd_names_do_not_break_the_table(tmp_path, run):
    undecodable = os.fsdecode(b"bytes\xff.png")
    odd_names(tmp_path, "1\n2.png", "2\x1b[31m.png", "3\u202e.png", undecodable)
    odd_names(tmp_path, "日本.png", "e\u0301.png")
    (tmp_path / "broken\nname.png").touch()
    status, out, err = run(tmp_path, "--bicubic")
    assert status == 1
    assert out.splitlines()[:8] == [
        "picture          HR size  bicubic PSNR    SSIM",
        r"1\n2.png         30 x 30           inf  1.0000",
        r"2\x1b[31m.png    30 x 30           inf  1.0000",
        r"3\u202e.png      30 x 30           inf  1.0000",
        r"bytes\udcff.png  30 x 30           inf  1.0000",
        "e\u0301.png            30 x 30           inf  1.0000",
        "日本.png         30 x 30           inf  1.0000",
        "mean of 6                          inf  1.0000",
    ]
    assert err.count("\n") == 1
    assert r"broken\nname.png" in err
    names = [one["name"] for one in read_json(run(tmp_path, "--bicubic", "--json")[1])["pictures"]]
    assert names == [
        *("1\n2.png", "2\x1b[31m.png", "3\u202e.png", r"bytes\udcff.png", "e\u0301.png"),
        "日本.png",
    ]


def test_a_terminal_that_knows_ascii_alone_gets_escapes(tmp_path, monkeypatch):
    odd_names(tmp_path / "é", "日本.png")
    printed = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", printed)
    assert cli.main(["evaluate", str(tmp_path / "é"), "--bicubic"]) == 0
    printed.flush()
    assert rb"\u65e5\u672c.png" in printed.buffer.getvalue()


def test_progress_is_shown_on_a_terminal_alone(flats, run, monkeypatch, capsys):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    assert run(flats, "--bicubic")[2] == ""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert cli.main(["evaluate", str(flats), "--bicubic", "--json"]) == 0
    assert "2/2" in terminal.getvalue() or "0/2" in terminal.getvalue()
    read_json(capsys.readouterr().out)


# --- the published figures -----------------------------------------------------------------------


@needs_set5
@pytest.mark.parametrize("made_here", [False, True])
@pytest.mark.parametrize(("r", "decibels", "similarity"), SET5_BICUBIC)
def test_bicubic_gives_the_published_set5_figures(run, r, decibels, similarity, made_here):
    folder = SET5 / f"x{r}" / ("HR" if made_here else "")
    status, out, err = run(folder, "--bicubic", *(["--scale", r] if made_here else []))
    assert (status, err) == (0, "")
    assert re.search(rf"^mean of 5 +{decibels} +{similarity}$", out, re.MULTILINE)
    assert f"\nscale: x{r}\n" in out
    assert ("made here" in out) == made_here


@needs_set5
@pytest.mark.parametrize(("r", "decibels", "similarity"), SET5_BICUBIC)
def test_the_folder_of_all_scales_has_them_too(r, decibels, similarity):
    pictures = find_pictures(SET5, r)
    mean = mean_score(score.bicubic for score in evaluate(pictures))
    assert (f"{mean.psnr:.2f}", f"{mean.ssim:.4f}") == (decibels, similarity)
    assert pictures.source == SET5 / f"x{r}" / "LR"


def test_bicubic_is_not_computed_on_a_gpu_and_says_so(tmp_path, capsys):
    Image.new("RGB", (12, 12)).save(tmp_path / "a.png")
    assert cli.main(["evaluate", str(tmp_path), "--bicubic", "--device", "gpu"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("npespcn evaluate: --device gpu is for networks")
