"""Bad files: whatever is in them, each is enlarged or refused, and nothing else happens.

What that means, `hostile.judge` says. More of the same, at random and longer: ``make fuzz``.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import pickle
import re
import socket
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import fuzz
import numpy as np
import PIL
import pytest
from PIL import Image

from hostile import judge, networks, pictures
from npespcn import upscale
from npespcn.models import ESPCN
from npespcn.pictures.bombs import picture_formats

TOGETHER = 40  # files in one command

pytestmark = pytest.mark.skipif(os.name == "nt", reason="waits for a process with select")


@pytest.fixture(scope="module")
def worker() -> Iterator[judge.Worker]:
    with judge.Worker() as process:
        yield process


def fates(worker: judge.Worker, files: Mapping[str, bytes], *flags: str) -> dict[str, str]:
    """Let all these pictures be enlarged; return whether each was "done" or "refused"."""
    items, found = list(files.items()), {}
    for start in range(0, len(items), TOGETHER):
        some = items[start : start + TOGETHER]
        named = {f"f{i}.{name.rpartition('.')[2]}": data for i, (name, data) in enumerate(some)}
        outcome = judge.upscale(worker, named, flags=flags)
        if outcome.problems:  # which of them was it?
            for (name, _), (file, data) in zip(some, named.items(), strict=True):
                alone = judge.upscale(worker, {file: data}, flags=flags)
                assert not alone.problems, (name, alone.problems)
        assert not outcome.problems
        found |= {name: outcome.fates[f] for (name, _), f in zip(some, named, strict=True)}
    return found


def named(found: Mapping[str, str], fate: str) -> set[str]:
    return {name for name, its in found.items() if its == fate}


# --- pictures ------------------------------------------------------------------------------------


def test_the_corpus_has_every_format_that_is_read() -> None:
    formats = set()
    for data in pictures.whole().values():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                formats.add(str(image.format).upper())
    missing = set(picture_formats()) - formats
    assert missing - {"XPM"} == {"SPIDER"}  # floats, whose range nobody knows
    assert "XPM" in formats or PIL.__version__ < "12.3"  # it read few of them before


def test_whole_pictures_of_every_format_are_enlarged(worker: judge.Worker) -> None:
    found = fates(worker, pictures.whole())
    assert len(found) > 130
    assert named(found, "refused") == set()


def test_odd_pictures_are_enlarged_or_refused(worker: judge.Worker) -> None:
    found = fates(worker, pictures.odd())
    done, refused = named(found, "done"), named(found, "refused")
    for word in ("nothing", "a byte", "zeros", "words", "a program", "a zip", "a web page", "loop"):
        assert {name for name in found if name.startswith(f"{word}.")} <= refused, word
    for word in ("EXIF", "profile", "in truth", "tall", "wide"):  # no reason not to read the pixels
        readable = {name for name in found if name.startswith((f"{word} ", f"{word}."))}
        assert readable - {"profile of 64 MB.png"} <= done, word
    assert len(done) > 80
    assert len(refused) > 120


def test_several_at_a_time_are_no_worse(worker: judge.Worker) -> None:
    files = pictures.small_oddities()
    assert fates(worker, files, "--jobs", "3") == fates(worker, files)


def test_pictures_that_are_cut_short(worker: judge.Worker) -> None:
    files = {}
    for name, data in pictures.whole().items():
        if len(data) < 100_000:
            early = range(1, min(len(data), 64), 9)
            places = {*early, *(len(data) * i // 8 for i in range(8)), len(data) - 1}
            files |= {f"{place} bytes of {name}": data[:place] for place in places}
    found = fates(worker, files)
    assert len(found) > 2000
    assert len(named(found, "refused")) > 1700


def test_claims_of_huge_pictures_are_refused(worker: judge.Worker) -> None:
    found = fates(worker, pictures.claims())
    assert len(found) > 150
    assert named(found, "done") == set()


def test_decompression_bombs_are_refused(worker: judge.Worker) -> None:
    for name, data in pictures.bombs().items():
        assert len(data) < 6_000_000
        assert fates(worker, {name: data}) == {name: "refused"}


# --- names, links, pipes and devices --------------------------------------------------------------

NAMES = [
    *[b"a b.png", b"two\nlines.png", b"-x.png", b"--force.png", b"[a]*?.png", b"$(x) `y`.png"],
    *[b"\x1b[31mred.png", b"tab\t.png", b"%s {0}.png", b" .png", b"a:b.png"],
    *["写真.png".encode(), "e\u0301.png".encode(), "\u202ertl.png".encode(), b"con.png"],
    *[b"bad\x80.png", b"\xff\xfe.png", b"y" * 248 + b".png"],
]
BROKEN = [b"broken\x1b[2J.png", b"broken two\nlines.png", b"broken\xe9.png", b"x" * 251 + b".png"]


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_names_of_any_bytes(worker: judge.Worker, tmp_path: Path) -> None:
    here = os.fsencode(tmp_path) + b"/"
    for name in (*NAMES, BROKEN[-1]):  # which has no room for _x2
        Path(os.fsdecode(here + name)).write_bytes(judge.GOOD_BYTES)
    for name in BROKEN[:-1]:
        Path(os.fsdecode(here + name)).write_bytes(b"no picture")
    answer = worker.run(["upscale", ".", "-o", "out"], tmp_path)
    assert answer["status"] == 1
    made = {os.fsencode(name) for name in os.listdir(tmp_path / "out")}
    assert made == {name[:-4] + b"_x2.png" for name in NAMES}
    lines = answer["err"].splitlines()
    starts = [r"broken\x1b[2J.png", r"broken two lines.png", r"broken\udce9.png", "x" * 251]
    assert len(lines) == len(starts)
    for start in starts:
        assert len([ln for ln in lines if ln.startswith(f"npespcn upscale: {start}")]) == 1
    assert "\x1b" not in answer["err"]


def in_circles(folder: Path) -> None:
    """Fill a folder with a good picture and links to nowhere, to itself and to above."""
    (folder / judge.GOOD).write_bytes(judge.GOOD_BYTES)
    (folder / "deep").mkdir()
    (folder / "deep" / "b.png").write_bytes(judge.GOOD_BYTES)
    for name, target in [
        *[("a", "."), ("b", "."), ("deep/up", ".."), ("deep/again", "../deep")],
        *[("itself.png", "itself.png"), ("gone.png", "/nowhere/at all.png")],
        *[("one.png", "other.png"), ("other.png", "one.png")],
    ]:
        (folder / name).symlink_to(target)


def test_links_in_circles(worker: judge.Worker, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    in_circles(tmp_path / "in")
    for words in (["in", "--recursive"], ["in/**/*.png"], ["in/**"]):
        out = f"out{len(words)}{len(words[0])}"
        answer = worker.run(["upscale", *words, "-o", out], tmp_path)
        assert answer["status"] == 1
        assert answer["new"].keys() == {out}
        assert answer["seconds"] < judge.SECONDS
        results = {p.name for p in (tmp_path / out).rglob("*") if p.is_file()}
        assert results == {"good_x2.png", "b_x2.png"}
        said = Counter(line.split(": ")[1] for line in answer["err"].splitlines())
        broken = {f"in/{name}.png" for name in ("itself", "gone", "one", "other")}
        assert broken == {name for name in said if name.endswith(".png")}
        assert set(said.values()) == {1}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names")
def test_pipes_and_devices_are_never_waited_for(
    worker: judge.Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / judge.GOOD).write_bytes(judge.GOOD_BYTES)
    bad = {"pipe.png", "zero.png", "random.jpg", "tty.gif", "socket.png"}
    if importlib.util.find_spec("av") is not None:  # without PyAV, that is what is said
        bad.add("pipe.mp4")
    for name in bad & {"pipe.png", "pipe.mp4"}:
        os.mkfifo(tmp_path / name)
    for name, device in [("zero.png", "zero"), ("random.jpg", "urandom"), ("tty.gif", "tty")]:
        (tmp_path / name).symlink_to(f"/dev/{device}")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)  # a socket's name must be short
        server.bind("socket.png")
    for words in ([".", "--recursive"], [judge.GOOD, *bad, "--force"], [".", "--resume"]):
        answer = worker.run(["upscale", *words, "-o", "out"], tmp_path)
        assert answer["status"] == 1
        assert os.listdir(tmp_path / "out") == ["good_x2.png"]
        expected = {f"npespcn upscale: {name}: a pipe or a device, expected a file" for name in bad}
        assert set(answer["err"].splitlines()) == expected
    os.mkfifo(tmp_path / "good_x2.png")  # where an earlier result would be
    assert worker.run(["upscale", judge.GOOD, "--resume"], tmp_path)["status"] == 0
    with Image.open(tmp_path / "good_x2.png") as larger:
        assert larger.size == (6, 8)
    (tmp_path / "w.npz").write_bytes(networks.whole()["plain.npz"])
    for name in ("pairs/HR", "pairs/LR"):
        (tmp_path / name).mkdir(parents=True)
        os.mkfifo(tmp_path / name / "pipe.png")
    for words in (
        "evaluate pairs --bicubic",
        "upscale good.png --weights pipe.png",
        "evaluate . --bicubic",
        "explain --weights w.npz --image pipe.png",
        "export pipe.png -o a.onnx",
        "train --data . --out run",
    ):
        answer = worker.run(words.split(), tmp_path)
        assert answer["status"] == 1
        assert "pipe.png: a pipe or a device, expected a file" in answer["err"]


def test_folders_more_than_a_thousand_deep(
    worker: judge.Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path of the last is still short enough for the system."""
    (tmp_path / judge.GOOD).write_bytes(judge.GOOD_BYTES)
    for _ in range(1200):
        monkeypatch.chdir(tmp_path if _ == 0 else "d")
        os.mkdir("d")
    os.link(tmp_path / judge.GOOD, "deep.png")
    monkeypatch.chdir(tmp_path)
    try:
        answer = worker.run(["upscale", ".", "--recursive", "-o", "out"], tmp_path)
        assert answer["status"] in (0, 1)  # 1 where Python cannot make so deep a folder in out
        assert (tmp_path / "out" / "good_x2.png").exists()
        assert len(answer["err"].splitlines()) == answer["status"]
        assert answer["seconds"] < judge.SECONDS
    finally:  # what shutil.rmtree, and so pytest, cannot remove
        subprocess.run(["rm", "-rf", tmp_path / "d", tmp_path / "out"], check=True)  # noqa: S603, S607


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_no_program_is_run_for_an_eps(tmp_path: Path) -> None:
    """Pillow would hand it to Ghostscript; here stands something else of that name."""
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path}/mark\n")
    (tmp_path / "gs").chmod(0o755)
    (tmp_path / "a.eps").write_bytes(pictures.eps(b"showpage"))
    (tmp_path / "in_truth.png").write_bytes(pictures.eps(b"showpage"))
    (tmp_path / "a_x2.eps").write_bytes(pictures.eps(b"showpage"))
    env = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    env["PYTHONPATH"] = str(Path(__file__).parents[2])

    def python(*words: str) -> int:
        return subprocess.run(  # noqa: S603
            [sys.executable, *words], env=env, cwd=tmp_path, capture_output=True, check=False
        ).returncode

    assert python("-m", "npespcn", "upscale", "a.eps", "in_truth.png") == 1
    (tmp_path / "a.png").write_bytes(judge.GOOD_BYTES)
    assert python("-m", "npespcn", "upscale", "a.png", "-o", "a_x2.eps", "--resume") == 0
    read = "from npespcn.pictures import read_image; read_image('{}')"
    assert python("-c", read.format("a.png")) == 0
    assert python("-c", read.format("in_truth.png")) == 1
    assert not (tmp_path / "mark").exists()
    python("-c", "from PIL import Image; Image.open('a.eps').load()")
    assert (tmp_path / "mark").exists()


# --- networks and checkpoints ---------------------------------------------------------------------


def test_whole_networks_are_read(worker: judge.Worker) -> None:
    for name, data in networks.whole().items():
        outcome = judge.weights(worker, f"w.{name.rpartition('.')[2]}", data)
        assert (outcome.problems, *outcome.fates.values()) == ([], "done"), name


FINE = {  # what is odd, but does no harm
    *("one more", "a path", "names of noise", "weights huge", "weights whole", "words 13"),
    *("weights in another order", "weights of 16 bits", "weights of 128 bits", "words 20"),
    "words 29",
}


def test_odd_networks_are_refused(worker: judge.Worker) -> None:
    files = networks.odd()
    assert len(files) > 150
    for name, data in files.items():
        outcome = judge.weights(worker, f"w.{name.rpartition('.')[2]}", data)
        assert outcome.problems == [], name
        expected = "done" if name.rpartition(".")[0] in FINE else "refused"
        assert list(outcome.fates.values()) == [expected], name


def test_a_network_that_overflows_makes_no_black_pictures() -> None:
    """Its weights are finite; what it makes of a picture is not."""
    model = ESPCN(2)
    weight = model.params["conv3.weight"]
    weight[:] = np.where(np.arange(weight.size) % 2, 3e38, -3e38).reshape(weight.shape)
    x = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    with (
        np.errstate(all="ignore"),
        pytest.raises(ValueError, match=r"output is not all finite numbers$"),
    ):
        upscale(x, model=model)


def test_networks_that_are_bombs_are_refused(worker: judge.Worker) -> None:
    for name, data in networks.bombs().items():
        assert len(data) < 6_000_000
        outcome = judge.weights(worker, "w.npz", data)
        assert (outcome.problems, *outcome.fates.values()) == ([], "refused"), name


def test_no_pickle_runs(worker: judge.Worker, tmp_path: Path, run: Path) -> None:
    """Neither in a network nor in a checkpoint; it would leave a mark."""
    mark = tmp_path / "mark"
    for name, data in networks.pickles(mark).items():
        outcome = judge.weights(worker, f"w.{name.rpartition('.')[2]}", data)
        assert (outcome.problems, *outcome.fates.values()) == ([], "refused"), name
        outcome = judge.checkpoint(worker, run, "last.npz", data)
        assert (outcome.problems, *outcome.fates.values()) == ([], "refused"), name
        assert not mark.exists()
    pickle.loads(networks.pickles(mark)["whole file.npz"])  # noqa: S301  # for instance
    assert mark.exists()


@pytest.fixture(scope="module")
def run(worker: judge.Worker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a finished training run."""
    folder = tmp_path_factory.mktemp("trained")
    judge.make_run(worker, folder)
    return folder


def test_odd_checkpoints_are_refused(worker: judge.Worker, run: Path) -> None:
    with np.load(run / "run" / "last.npz") as arrays:
        good = {name: networks.npy(arrays[name]) for name in arrays.files}

    def fate_of(change: dict[str, Any]) -> str:
        packed = {name: networks.npy(value) for name, value in change.items()}
        data = networks.npz(good | packed, packed=True)
        outcome = judge.checkpoint(worker, run, "last.npz", data)
        assert outcome.problems == [], change
        return outcome.fates["last.npz"]

    assert fate_of({}) == "done"
    words = [
        "",
        "null",
        "[]",
        "7",
        "{}",
        json.dumps({"a": "b" * 5000}),
        "[" * 100_000,
        "NaN",
        "[" + "[]," * 10_000_000 + "[]]",
    ]
    changes = [{key: np.array(text)} for key in ("progress", "settings") for text in words]
    changes += [{name: np.array([], float)} for name in good]
    changes += [{name: np.full((2, 2), np.nan)} for name in good if "/" in name]
    for change in changes:
        assert fate_of(change) == "refused", change
    said = json.loads(str(np.load(io.BytesIO(good["progress"]))))
    wrong = (None, "2", -1, [[]])
    found = Counter(
        fate_of({"progress": np.array(json.dumps({**said, key: value}))})
        for key in said
        for value in wrong
    )
    assert found["refused"] > 15  # a number may be as good as another


# --- the other commands that read pictures --------------------------------------------------------


def test_bad_pictures_among_those_to_evaluate_and_to_train_on(
    worker: judge.Worker, tmp_path: Path
) -> None:
    corpus = pictures.odd() | pictures.claims() | pictures.bombs()
    folder, good = tmp_path / "set", tmp_path / "good"
    folder.mkdir()
    good.mkdir()
    in_circles(folder)
    names = {f"f{i}.{name.rpartition('.')[2]}": name for i, name in enumerate(corpus)}
    for file, name in names.items():
        (folder / file).write_bytes(corpus[name])
    for name in ("g.png", "h.png"):
        for place in (folder, good):
            (place / name).write_bytes(pictures.saved(pictures.noise(40, 40), "PNG"))
    names |= {judge.GOOD: "a small one", "itself.png": "a link", "one.png": "another"}
    fine = {file for file, name in names.items() if name == "bomb of frames.gif"}  # its first is
    few = "--data set --val good --out run --scale 2 --steps 1 --batch-size 2 --patch-size 9"
    for words in (["evaluate", "set", "--scale", "2", "--bicubic"], ["train", *few.split()]):
        answer = worker.run(words, tmp_path)
        assert answer["status"] == (1 if words[0] == "evaluate" else 0), answer
        lines = answer["err"].splitlines()
        for file, name in names.items():
            about = [line for line in lines if re.search(rf"[ /]{re.escape(file)}\b", line)]
            assert len(about) == (file not in fine), (name, about)
        assert answer["seconds"] < 2 * judge.SECONDS  # for all of them
        assert answer["peak"] < judge.MEMORY
        assert "3 images" in answer["out"] or "mean of 3" in answer["out"]


# --- at random ------------------------------------------------------------------------------------


def test_damage_at_random() -> None:
    """The first of what ``make fuzz`` tries, but always the same."""
    report = fuzz.campaign(seed=8, most=1500, guided=False)
    assert report.failures == []
    assert report.tried.total() >= 1500
    assert {name.split(" ")[0] for name in report.tried} == {"picture", "network", "checkpoint"}
    assert min(report.fates["picture done"], report.fates["picture refused"]) > 150


# --- the judge itself -----------------------------------------------------------------------------


def fair(**changes: Any) -> dict[str, Any]:
    """Return what a worker says of one picture that was enlarged and one that was refused."""
    sizes = [[[3, 4]], False]
    return {
        **{"status": 1, "out": "a_x2.png\n", "err": "npespcn upscale: b.png: no picture\n"},
        **{"seconds": 1.0, "peak": 10**8, "files left open": 0, "lines": []},
        **{"old": {"a.png": sizes}, "new": {"a_x2.png": [[[6, 8]], None]}},
        **changes,
    }


def test_the_judge_sees_what_is_wrong() -> None:
    for changes, words in [
        ({}, None),
        ({"status": 0}, "its status is 0"),
        ({"status": 2}, "its status is 2"),
        ({"status": "Traceback: it broke"}, "Traceback"),
        ({"out": ""}, "it printed ''"),
        ({"out": "a_x2.png\nb_x2.png\n"}, "it printed"),
        ({"err": ""}, r"b\.png: made \[\], said \[\]"),
        ({"err": "npespcn upscale: b.png: x\n" * 2}, r"b\.png: made \[\], said"),
        ({"err": fair()["err"] + "npespcn upscale: a.png: x\n"}, r"a\.png: made"),
        ({"err": fair()["err"] + "words of a library\n"}, "it said 'words of a library'"),
        ({"err": fair()["err"] + "npespcn: a.png: 16 bits\n"}, None),
        ({"new": fair()["new"] | {".0123.png": "a part"}}, "it left"),
        ({"new": {"a_x2.png": [[[6, 9]], None]}}, r"became \[\[6, 9\]\]"),
        ({"new": {"a_x2.png": [[[8, 6]], None]}}, "became"),
        ({"new": {"a_x2.png": [[[6, 8], [6, 8]], None]}}, "1 frames became 2"),
        ({"new": {"a_x2.png": "OSError: cut short"}}, "cannot be read: OSError"),
        ({"old": {}}, "cannot be read"),
        ({"seconds": 10.1}, "it took 10 s"),
        ({"peak": 1.01 * 2**30}, "MB of memory"),
        ({"files left open": 1}, "1 files open"),
    ]:
        answer = fair(**changes)
        answer["peak"] = int(answer["peak"])
        found = "\n".join(judge.judged(answer, ["a.png", "b.png"], 2).problems)
        if words is None:
            assert found == "", changes
        else:
            assert re.search(words, found), (changes, found)


def test_the_judge_knows_animations_and_pictures_that_are_turned() -> None:
    for old, new, fine in [
        ([[[3, 4]] * 3, False], [[[6, 8]] * 2, None], True),  # PNG makes one of equal frames
        ([[[3, 4]] * 3, False], [[[6, 8], [3, 4]], None], False),
        ([[[3, 4]], True], [[[8, 6]], None], True),
        ([[[3, 4]], None], [[[8, 6]], None], True),
        ([[[3, 4]], True], [[[6, 8]], None], False),
    ]:
        answer = fair(old={"a.png": old}, new={"a_x2.png": new})
        assert (judge.judged(answer, ["a.png", "b.png"], 2).problems == []) == fine


def test_a_process_that_is_lost_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / judge.GOOD).write_bytes(judge.GOOD_BYTES)
    words = ["train", "--pictures", "1", "--steps", "100000", "--out", "run", "--resume"]
    with judge.Worker() as lost:
        assert "crashed" in lost.run(["upscale", "a.png"], tmp_path / "no such folder")["status"]
        assert lost.run(["upscale", judge.GOOD], tmp_path)["status"] == 0
        with monkeypatch.context() as patch:
            patch.setattr(judge, "_KILLED_AT", 1 << 20)
            assert "memory" in lost.run(words, tmp_path)["status"]
        lost.patience = 1
        assert "hung" in lost.run(words, tmp_path)["status"]
