"""``npespcn evaluate``, and the published figures."""

import io
import json
import os
import re
import sys
from pathlib import Path

import pytest
from scoring import FAILED, copier, damaged, decibels, gray, leaves, save, save_pair, ssim_of_flat

import npespcn
from npespcn.commands import evaluate as command
from npespcn.commands import main as cli
from npespcn.evaluation import find_pictures, protocol

SET5 = Path(__file__).parents[3] / "shared" / "data" / "Set5"
needs_set5 = pytest.mark.skipif(not SET5.is_dir(), reason=f"{SET5} is not there")
SET5_BICUBIC = [(2, "33.64", "0.9292"), (3, "30.39", "0.8678"), (4, "28.42", "0.8101")]


@pytest.fixture
def flats(tmp_path):
    """Two gray pairs for scale 3; a network that adds 10 gets the first one right."""
    folder = tmp_path / "flats"
    save_pair(folder, gray(100, 66, 60), gray(90, 22, 20), "10.png")
    save_pair(folder, gray(100, 31, 100), gray(80, 10, 33), "9.png")
    npespcn.save(copier(3, bias=10 / 255), tmp_path / "adds_10.npz")
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
image       HR size  bicubic PSNR    SSIM  network PSNR    SSIM
9.png      31 x 100         22.11  0.9756         28.13  0.9945
10.png      66 x 60         28.13  0.9945           inf  1.0000
mean of 2                   25.12  0.9850           inf  0.9972

scale: x3
measured on: Y of BT.601, studio range (black 16, white 235), rounded to 8 bits; gray files \
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


def test_eight_views_have_columns_of_their_own(tmp_path, run):
    save(tmp_path / "HR" / "a.png", leaves())
    _, plain, _ = run(tmp_path, "--scale", 3)
    status, best, err = run(tmp_path, "--scale", 3, "--best")
    assert (status, err) == (0, "")
    before, after = (text.splitlines() for text in (plain, best))
    for short, long in zip(before[:3], after[:3], strict=True):
        assert long.startswith(short)
        assert len(long.split()) > len(short.split())
    assert "eight views PSNR" in after[0]
    assert "eight views: the mean" in best
    told = read_json(run(tmp_path, "--scale", 3, "--best", "--json")[1])
    assert list(told["mean"]) == ["bicubic", "network", "eight views"]
    assert told["mean"]["eight views"]["psnr"] > told["mean"]["network"]["psnr"]


def test_table_of_bicubic_alone(flats, run):
    status, out, err = run(flats, "--bicubic")
    table, words = out.split("\n\n")
    assert (status, err) == (0, "")
    assert table.splitlines() == [
        "image       HR size  bicubic PSNR    SSIM",
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

    def pretrained(scale, weights):
        asked.append((scale, weights))
        return copier(scale)

    monkeypatch.setattr(command, "pretrained", pretrained)
    status, out, _ = run(flats)
    assert (status, asked.pop()) == (0, (3, "leaves"))
    assert out.endswith("\nweights: leaves (come with npespcn)\n")
    assert read_json(run(flats / "HR", "--scale", 2, "--json")[1])["weights"] == "leaves"
    assert asked.pop() == (2, "leaves")
    out = run(flats, "--weights", "photographs")[1]
    assert asked.pop() == (3, "photographs")
    assert out.endswith("\nweights: photographs (come with npespcn)\n")
    save_pair(flats.parent / "twice", gray(100, 60, 60), gray(90, 30, 30))
    assert run(flats.parent / "twice")[0] == 0
    assert asked.pop() == (2, "leaves")
    assert run(flats, "--bicubic")[0] == 0
    assert not asked


def test_the_network_chooses_among_low_resolutions(tmp_path, run):
    save(tmp_path / "set" / "HR" / "a.png", gray(100, 60, 60))
    for r, level in {2: 80, 3: 90, 4: 95}.items():
        lr = gray(level, 60 // r, 60 // r)
        save(tmp_path / "set" / "LR_bicubic" / f"X{r}" / f"ax{r}.png", lr)
        npespcn.save(copier(r), tmp_path / f"{r}.npz")
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
        *("image", "1.png", "20.png", "mean"),
    ]
    lines = err.splitlines()
    assert all(line.startswith("npespcn evaluate: ") for line in lines)
    assert [next(n for n in FAILED if n in line) for line in lines] == FAILED
    status, out, err = run(folder, "--scale", 3, "--bicubic", "--json")
    assert (status, len(err.splitlines())) == (1, 6)
    assert [one["name"] for one in read_json(out)["pictures"]] == ["1.png", "20.png"]


def test_if_all_fail_that_is_one_line(tmp_path, run):
    for name in ("a.png", "b.png"):
        save(tmp_path / name, gray(1, 3, 3))
    line = (
        f"npespcn evaluate: no image could be measured: {tmp_path}/a.png: 3 x 3 pixels are too "
        f"few, at least 15 x 15 are needed (in multiples of 2); {tmp_path}/b.png: 3 x 3"
    )
    status, out, err = run(tmp_path, "--bicubic", "--scale", 2)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(line)
    for i in range(10):
        save(tmp_path / f"c{i}.png", gray(1, 3, 3))
    status, out, err = run(tmp_path, "--bicubic", "--scale", 2, "--json")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.endswith("; and 7 more\n")


MISTAKES = {
    "absent": "No such file or directory: 'absent'",
    "empty --bicubic": "no test images in empty",
    "flats --scale 2 --weights adds_10.npz": "the network enlarges 3 times, but the scale",
    "flats --weights absent.npz": "No such file or directory: 'absent.npz'",
    "flats --weights flats/HR/9.png": "9.png: not a readable .npz file",
    "flats --scale 5": "scale must be one of 2, 3, 4, got 5",
    "one --bicubic --device gpu": "--device gpu is for networks",
}


def test_a_mistake_is_one_line(flats, tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    save(tmp_path / "one" / "a.png", gray(1, 12, 12))
    for words, line in MISTAKES.items():
        status, out, err = run(*words.split())
        assert (status, out) == (1, "")
        assert re.fullmatch(f"npespcn evaluate: .*{re.escape(line)}.*\n", err), err


def test_wrong_words_are_wrong_usage(capsys):
    for words in ("", ". --scale 0", ". --weights a --bicubic", ". --device tpu", ". ."):
        with pytest.raises(SystemExit) as caught:
            cli.main(["evaluate", *words.split()])
        assert caught.value.code == 2
        assert re.match(r"npespcn.*: error: ", capsys.readouterr().err.splitlines()[-1])


def odd_names(folder, *names):
    for name in names:
        try:
            save(folder / name, gray(100, 30, 30))
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
        "image            HR size  bicubic PSNR    SSIM",
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
def test_the_published_figures_of_bicubic_on_set5(run):
    """From LR files, from HR only, and from the folder of all scales."""
    for r, psnr, ssim in SET5_BICUBIC:
        for folder, made_here in [(f"x{r}", False), (f"x{r}/HR", True), (".", False)]:
            status, out, err = run(SET5 / folder, "--bicubic", "--scale", r)
            assert (status, err) == (0, "")
            assert re.search(rf"^mean of 5 +{psnr} +{ssim}$", out, re.MULTILINE), out
            assert f"\nscale: x{r}\n" in out
            assert ("made here" in out) == made_here
