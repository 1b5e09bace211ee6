"""``npespcn train``: every option, every way to stop it, and one line for each mistake."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from helpers import assert_same_run
from PIL import Image
from run_cases import start

import npespcn
from npespcn.commands import main as cli
from npespcn.commands import train as command
from npespcn.data import PairedPatches, dead_leaves_pictures
from npespcn.figures import sheet
from npespcn.models import ESPCN
from npespcn.pictures import write_image
from npespcn.runs import RunFolder

FEW = "--scale 2 --batch-size 2 --patch-size 10"
FILES = [".lock", "best.npz", "history.csv", "last.npz", "learning_curve.png"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Three pictures that can be used, and four files that cannot."""
    folder = tmp_path_factory.mktemp("photos")
    for i, picture in enumerate(dead_leaves_pictures(3, 80)):
        write_image(folder / f"{i}.png", picture)
    whole = (folder / "0.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "notes.txt").write_text("no picture")
    Image.new("RGB", (100, 3)).save(folder / "flat.png")
    return folder


@pytest.fixture(scope="module")
def held_out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("held out")
    for i, picture in enumerate(dead_leaves_pictures(2, 112, 1)):
        write_image(folder / f"{i}.bmp", picture)
    return folder


@pytest.fixture
def blank_curves(monkeypatch):
    """Do without drawing, which takes longer than a short training."""
    monkeypatch.setattr(sheet, "save", lambda figure, path: Path(path).touch())


@pytest.fixture
def train(photos, held_out, tmp_path):
    """Run ``npespcn train`` for a few steps with more flags; return the exit status."""

    def run(*flags, out=tmp_path / "run"):
        few = f"{FEW} --steps 3 --optimizer adam".split()
        folders = ["--data", str(photos), "--val", str(held_out), "--out", str(out)]
        return cli.main(["train", *few, *folders, *(str(flag) for flag in flags)])

    return run


def last_line(capsys):
    """Return the only complaint of a failed command."""
    written = capsys.readouterr().err
    assert "Traceback" not in written
    *others, line = written.splitlines()
    assert not any(other.startswith("npespcn train:") for other in others)
    assert line.startswith("npespcn train: ")
    return line.removeprefix("npespcn train: ")


def saved(out, key):
    with np.load(out / "last.npz") as arrays:
        return json.loads(str(arrays[key]))


def wait_until(condition):
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("waited for a minute")


def test_help_has_every_option_of_the_network(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    printed = capsys.readouterr().out
    own = set(ESPCN(2).options) - {"dtype", "widths", "kernels"}
    assert own == {name for name in own if f"--{name}" in printed}


WRONG = [
    *("--steps 0", "--steps -1", "--steps 1.5", "--steps many", "--steps 1e3", "--steps="),
    *("--lr 0", "--lr -1", "--lr nan", "--lr inf", "--lr fast", "--last-layer 0"),
    *("--scale 0", "--batch-size 0", "--patch-size 8", "--pictures 0", "--renew -1", "--seed -1"),
    *("--validate-every 0", "--validate-every 15", "--channels 2", "--channels red"),
    *("--activation swish", "--output relu", "--padding mirror", "--init zeros", "--loss hinge"),
    *("--optimizer adamw", "--schedule warm", "--device tpu"),
]


def test_wrong_values_are_wrong_usage(capsys, train, tmp_path):
    for flags in WRONG:
        with pytest.raises(SystemExit) as error:
            train(*flags.split(" "))
        assert error.value.code == 2
        line = capsys.readouterr().err.splitlines()[-1]
        assert line.startswith(f"npespcn train: error: argument {re.split('[ =]', flags)[0]}: ")
    assert os.listdir(tmp_path) == []


# --- what it does --------------------------------------------------------------------------------


def test_without_data_it_draws_its_own(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = "--pictures 2 --steps 12 --batch-size 2 --patch-size 10 --validate-every 10"
    assert cli.main(["train", *flags.split()]) == 0
    out = Path("runs/espcn_x3")
    assert sorted(os.listdir(out)) == FILES
    with Image.open(out / "learning_curve.png") as curve:
        assert curve.size[0] == 1500
    assert npespcn.load(out / "best.npz").options == npespcn.load(out / "last.npz").options
    printed, log = capsys.readouterr()
    pattern = (
        r"runs/espcn_x3: 2 pictures, 12 steps; on 4 pictures held out [\d.]+ dB at best, "
        r"[\d.]+ dB at last \(bicubic [\d.]+ dB\)\n"
        r"runs/espcn_x3/best.npz and last.npz, history.csv, learning_curve.png\n"
    )
    assert re.fullmatch(pattern, printed)
    assert re.match(r"drawing 2 dead-leaves pictures\nstep 10/12: loss .*\nstep 12/12: loss", log)


def test_it_names_and_skips_what_it_cannot_use(capsys, train, blank_curves):
    assert train() == 0
    printed, log = capsys.readouterr()
    assert "3 pictures" in printed
    assert "2 pictures held out" in printed
    skipped = re.findall(r"^npespcn: skipped (.+?): ", log, re.MULTILINE)
    assert skipped == ["cut.png", "empty.jpg", "flat.png", "notes.txt"]
    assert "flat.png: 100 x 3 pixels, at least 20 x 20 are needed" in log


FLAGS = {
    "--scale 3 --channels 3 --activation relu --output tanh --tail --padding same --init he": {
        **{"scale": 3, "channels": 3, "activation": "relu", "output": "tanh", "tail": True},
        **{"padding": "same", "init": "he"},
    },
    "--activation sigmoid --output none --padding valid --init icnr --seed 5": {
        **{"activation": "sigmoid", "output": None, "padding": "valid", "init": "icnr", "seed": 5},
    },
    "--output sigmoid --init paper": {"output": "sigmoid", "init": "paper", "padding": "edge"},
    "--scale 8 --patch-size 9 --channels 3 --padding valid": {"scale": 8, "patch_size": 9},
    "--seed 6 --batch-size 1 --patch-size 9 --optimizer soap --lr 0.02": {
        **{"seed": 6, "batch_size": 1, "patch_size": 9, "optimizer": "SOAP", "lr": 0.02},
    },
    "--optimizer sgd --last-layer 0.1 --schedule plateau --loss l1 --validate-every 20": {
        **{"optimizer": "Scaled SGD", "factors": {"conv3": 0.1}, "schedule": "Plateau"},
        **{"loss": "l1", "validate_every": 20},
    },
    "--schedule constant --loss charbonnier --steps 4": {
        **{"schedule": "constant", "loss": "charbonnier", "step": 4}
    },
    "--schedule cosine --loss log_mse --device cpu": {"schedule": "cosine", "loss": "log_mse"},
}


@pytest.mark.parametrize("flags", FLAGS)
def test_every_flag_reaches_the_training(train, blank_curves, tmp_path, flags):
    out = tmp_path / "run"
    assert train(*flags.split()) == 0
    model = npespcn.load(out / "last.npz")
    found = saved(out, "progress") | model.options | saved(out, "settings")
    expected = FLAGS[flags]
    assert {name: found[name] for name in expected} == expected
    assert sorted(os.listdir(out)) == FILES
    untrained = ESPCN(**model.options).params["conv2.weight"]
    assert not np.array_equal(model.params["conv2.weight"], untrained)


def test_training_begins_with_biases_that_keep_a_flat_image(train, monkeypatch):
    models = []
    monkeypatch.setattr(command, "fit", lambda model, *_, **__: models.append(model) or 1 / 0)
    assert train() == 1
    flat = np.full((1, 1, 9, 9), 0.5, np.float32)
    np.testing.assert_allclose(models[0].predict(flat), 0.5, atol=1e-6)


def test_it_starts_with_the_weights_that_fit(train, blank_curves, tmp_path, monkeypatch, capsys):
    assert train("--steps", 5, out=tmp_path / "first") == 0
    first, models = npespcn.load(tmp_path / "first" / "last.npz"), []
    other = str(tmp_path / "other.npz")
    npespcn.save(ESPCN(2, channels=3), other)
    monkeypatch.setattr(command, "fit", lambda model, *_, **__: models.append(model) or 1 / 0)
    assert train("--scale", 3, "--start", tmp_path / "first" / "last.npz") == 1
    for name in ("conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"):
        np.testing.assert_array_equal(models[0].params[name], first.params[name])
    capsys.readouterr()
    assert train("--start", other) == 1
    assert last_line(capsys) == f"{other} has no first layer that fits this network"


def test_leaves_can_be_renewed_or_larger_than_320_pixels(blank_curves, tmp_path, held_out):
    folders = ["--val", str(held_out), "--steps=2", "--batch-size=1", "--out"]
    small, large = tmp_path / "small", tmp_path / "large"
    flags = "train --pictures 2 --renew 1 --scale 2 --patch-size 9"
    assert cli.main([*flags.split(), *folders, str(small)]) == 0
    settings = saved(small, "settings")
    assert (settings["data"], settings["images"]) == ("LeafStream", 2)
    flags = "train --pictures 1 --scale 4 --patch-size 81 --optimizer adam"
    assert cli.main([*flags.split(), *folders, str(large)]) == 0


def test_pictures_can_be_held_out(capsys, train, blank_curves, photos, tmp_path):
    words = f"train {FEW} --steps 3 --optimizer adam --hold-out 2 --out".split()
    assert cli.main([*words, str(tmp_path / "run"), "--data", str(photos)]) == 0
    printed, _ = capsys.readouterr()
    assert "1 pictures, 3 steps; on 2 pictures held out" in printed


@pytest.mark.parametrize(("padding", "least"), [("valid", 24), ("edge", 8)])
def test_validation_pictures_must_show_something(
    capsys, train, blank_curves, tmp_path, padding, least
):
    for side in (least - 1, least):
        write_image(tmp_path / f"{side:02}.png", dead_leaves_pictures(1, 24)[0][:side])
    assert train("--val", tmp_path, "--padding", padding) == 0
    printed, log = capsys.readouterr()
    assert "on 1 pictures held out" in printed
    assert f"skipped {least - 1:02}.png: 24 x {least - 1} pixels" in log


# --- stopped and resumed -------------------------------------------------------------------------


def test_a_resumed_run_ends_in_the_same_bits(capsys, train, blank_curves, tmp_path, monkeypatch):
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    flags = ["--steps", "23", "--optimizer", "soap", "--validate-every", "10"]
    flags += ["--last-layer", "0.5"]
    assert train(*flags, out=whole) == 0
    batch, calls = PairedPatches.batch, []

    def interrupted(self, *how):
        calls.append(1)
        if len(calls) in (4, 16):
            signal.raise_signal(signal.SIGINT)
        return batch(self, *how)

    monkeypatch.setattr(PairedPatches, "batch", interrupted)
    for step in (4, 16):
        capsys.readouterr()
        assert train(*flags, "--resume", out=pieces) == 130
        *_, advice, stopped = capsys.readouterr().err.splitlines()
        assert advice == f"saved in {pieces}; the same command with --resume goes on from there"
        assert stopped == "npespcn train: stopped"
        assert saved(pieces, "progress")["step"] == step
    assert train(*flags, "--resume", out=pieces) == 0
    assert len(calls) == 23
    assert_same_run(whole, pieces)
    assert train(*flags, "--resume", out=pieces) == 0  # nothing is left to do
    assert_same_run(whole, pieces)


# A process that is started in the background may ignore Ctrl-C, and so would its children.
AS_A_SHELL_STARTS_IT = (
    "import signal, sys; from npespcn.commands.main import main; "
    "signal.signal(signal.SIGINT, signal.default_int_handler); sys.exit(main())"
)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_process_that_says_how_to_go_on(photos, held_out, tmp_path, number):
    out = tmp_path / "run"
    flags = f"train {FEW} --optimizer adam --steps 10000000 --schedule constant".split()
    folders = ["--data", photos, "--val", held_out, "--out", out]
    with start("-c", AS_A_SHELL_STARTS_IT, *flags, *folders) as process:
        try:
            wait_until((out / "last.npz").exists)
            process.send_signal(number)
            printed, log = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert printed == ""
    assert "Traceback" not in log
    advice = f"saved in {out}; the same command with --resume goes on from there"
    assert log.splitlines()[-2:] == [advice, "npespcn train: stopped"]
    assert saved(out, "progress")["step"] > 0


def is_alive(pid):
    return Path("/proc", pid).exists()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_process_stopped_while_drawing_leaves_no_worker_behind(tmp_path, monkeypatch, number):
    monkeypatch.setenv("NPESPCN_THREADS", "2")
    flags = ["train", "--pictures", 10_000, "--out", tmp_path / "run"]
    process, started = start("-c", AS_A_SHELL_STARTS_IT, *flags), []
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        wait_until(lambda: len(children.read_text().split()) == 3)  # and what tracks the workers
        started = children.read_text().split()
        process.send_signal(number)
        wait_until(lambda: not any(is_alive(pid) for pid in started))
    finally:
        process.kill()
        for pid in filter(is_alive, started):  # they would keep the pipes open
            os.kill(int(pid), signal.SIGKILL)
        _, log = process.communicate()
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    if number == signal.SIGINT:
        assert log.splitlines()[-1] == "npespcn train: stopped"
        assert "Traceback" not in log


def test_ctrl_c_before_the_first_step_saved_nothing(capsys, train, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    for name in ("load_pictures", "fit"):
        with monkeypatch.context() as patch:
            patch.setattr(command, name, interrupt)
            assert train() == 130
        log = capsys.readouterr().err
        assert log.splitlines()[-1] == "npespcn train: stopped"
        assert "saved" not in log


def test_a_run_stopped_before_its_first_validation_can_end_there(train, blank_curves, tmp_path):
    out, flags = tmp_path / "run", ("--schedule", "constant", "--steps", "20")
    assert train(*flags, out=out) == 0
    with np.load(out / "last.npz") as arrays:
        unmeasured = dict(arrays) | {"history/val_psnr": np.full(2, np.nan)}
    np.savez(out / "last.npz", **unmeasured)
    assert train(*flags, "--resume", out=out) == 0


# --- mistakes ------------------------------------------------------------------------------------


def test_a_folder_in_use_is_refused_before_pictures_are_drawn(
    capsys, train, blank_curves, tmp_path, monkeypatch
):
    assert train() == 0
    out = tmp_path / "run"
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    capsys.readouterr()
    monkeypatch.setattr(command, "_data", None)
    assert cli.main(["train", "--out", str(out)]) == 1
    assert last_line(capsys) == f"{out} holds a run already: resume it, or choose another folder"
    with RunFolder(out, resume=True):
        assert train("--resume") == 1
    assert last_line(capsys) == f"another process is training in {out}"
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_resuming_with_other_flags_is_refused(capsys, train, blank_curves):
    assert train() == 0
    for flags, words in {
        "--tail": "is of a network with other options: tail=False there, True here",
        "--lr 0.1": "was trained with other settings: lr=0.001 there, 0.1 here",
        "--last-layer 0.1": "factors=None there, {'conv3': 0.1} here",
        "--schedule plateau": "schedule='cosine' there, 'Plateau' here",
        "--steps 5": "go on with the same number of steps",
    }.items():
        capsys.readouterr()
        assert train("--resume", *flags.split()) == 1
        assert words in last_line(capsys)


def test_a_rate_that_is_too_high_is_one_line(capsys, train, tmp_path):
    assert train("--lr", "1e30", "--steps", "20") == 1
    pattern = (
        r"the loss is (nan|inf) at step \d+: the learning rate is probably too high \(1e\+30\)"
    )
    written = capsys.readouterr().err
    assert re.search(f"^npespcn train: {pattern}; try a tenth of it\n$", written, re.MULTILINE)
    assert "overflow" not in written
    assert os.listdir(tmp_path / "run") == [".lock"]


def test_folders_that_cannot_be_used_are_one_line(capsys, train, tmp_path, photos):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.png").write_bytes(b"")
    for flag in ("--data", "--val"):
        assert train(flag, tmp_path / "absent") == 1
        assert "No such file or directory" in last_line(capsys)
        assert train(flag, tmp_path / "empty") == 1
        assert f"no usable picture in {tmp_path / 'empty'}" in last_line(capsys)
        assert train(flag, tmp_path / "file.png") == 1
        assert "Not a directory" in last_line(capsys)
    assert train("--patch-size", 41) == 1
    assert f"no usable picture in {photos}" in last_line(capsys)
    assert not (tmp_path / "run").exists()


def test_a_place_that_cannot_be_written_is_one_line(capsys, train, tmp_path):
    (tmp_path / "file").write_text("precious")
    assert train(out=tmp_path / "file") == 1
    assert last_line(capsys) == f"{tmp_path / 'file'} is a file; a run needs a folder"
    assert train(out=tmp_path / "file" / "below") == 1
    assert "Not a directory" in last_line(capsys)
    assert (tmp_path / "file").read_text() == "precious"


def test_options_that_do_not_go_together_are_one_line(capsys, train, tmp_path, monkeypatch):
    for size in (10**12, 10**30):
        assert train("--batch-size", size, "--out", tmp_path / f"{size}") == 1
        assert last_line(capsys)
    assert train("--renew", 3) == 1
    assert last_line(capsys) == "--renew is for dead leaves only, without --data"
    assert cli.main(["train", "--hold-out", "3"]) == 1
    assert last_line(capsys) == "--hold-out takes pictures from --data"
    monkeypatch.setenv("NPESPCN_THREADS", "none")
    assert train() == 1
    assert last_line(capsys) == "NPESPCN_THREADS must be a whole number from 1, got 'none'"


def test_a_damaged_checkpoint_is_one_line(capsys, train, blank_curves, tmp_path):
    assert train() == 0
    last = tmp_path / "run" / "last.npz"
    whole = last.read_bytes()
    for damage in (whole[:5000], b"", None):
        if damage is None:
            last.write_bytes(whole)
            npespcn.save(npespcn.load(last), last)  # only a network
        else:
            last.write_bytes(damage)
        capsys.readouterr()
        assert train("--resume") == 1
        assert str(last) in last_line(capsys)


@pytest.mark.skipif(os.name == "nt", reason="POSIX limits")
def test_a_full_disk_is_one_line_and_leaves_no_half_file(photos, held_out, tmp_path):
    code = (
        "import resource, sys; from npespcn.commands.main import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)); sys.exit(main())"
    )
    out = tmp_path / "run"
    flags = f"train {FEW} --steps 5".split()  # the state of SOAP is larger
    with start("-c", code, *flags, "--data", photos, "--val", held_out, "--out", out) as process:
        _, log = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in log
    assert re.fullmatch(r"npespcn train: \[Errno \d+\] File too large.*", log.splitlines()[-1])
    assert sorted(os.listdir(out)) == [".lock", "best.npz", "history.csv"]
    npespcn.load(out / "best.npz")
