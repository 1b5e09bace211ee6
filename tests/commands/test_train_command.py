"""``npespcn train``: every option reaches the training; stopped, it goes on to the same bits."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command_lines import last_line
from helpers import assert_same_run
from PIL import Image

from npespcn import figures, load, save
from npespcn.commands import main as cli
from npespcn.commands import train as train_command
from npespcn.data.dead_leaves import dead_leaves_pictures
from npespcn.data.patches import PairedPatches
from npespcn.models import ESPCN
from npespcn.pictures.files import write_image
from npespcn.runs.folder import RunFolder

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
    monkeypatch.setattr(figures, "save", lambda figure, path: Path(path).touch())


@pytest.fixture
def train(photos, held_out, tmp_path):
    """Run ``npespcn train`` for a few steps with more flags; return the exit status."""

    def run(*flags, out=tmp_path / "run"):
        few = f"{FEW} --steps 3 --optimizer adam".split()
        folders = ["--data", str(photos), "--val", str(held_out), "--out", str(out)]
        return cli.main(["train", *few, *folders, *(str(flag) for flag in flags)])

    return run


def saved(out, key):
    with np.load(out / "last.npz") as arrays:
        return json.loads(str(arrays[key]))


# A process that is started in the background may ignore Ctrl-C, and so would its children.
AS_A_SHELL_STARTS_IT = (
    "import signal, sys; from npespcn.commands.main import main; "
    "signal.signal(signal.SIGINT, signal.default_int_handler); sys.exit(main())"
)


def python(*arguments):
    """Start Python on this checkout."""
    root = str(Path(__file__).parents[2])
    return subprocess.Popen(  # noqa: S603
        [sys.executable, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )


def test_help_has_every_option_of_the_network(capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    words = capsys.readouterr().out
    own = set(ESPCN(2).options) - {"dtype", "widths", "kernels"}  # which the library has
    assert own == {name for name in own if f"--{name}" in words}


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
        with pytest.raises(SystemExit) as caught:
            train(*flags.split(" "))
        assert caught.value.code == 2, flags
        line = capsys.readouterr().err.splitlines()[-1]
        assert line.startswith(f"npespcn train: error: argument {re.split('[ =]', flags)[0]}: ")
    assert os.listdir(tmp_path) == []


def test_train_without_data_draws_its_own(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = "--pictures 2 --steps 12 --batch-size 2 --patch-size 10 --validate-every 10"
    assert cli.main(["train", *flags.split()]) == 0
    out = Path("runs/espcn_x3")
    assert sorted(os.listdir(out)) == FILES
    with Image.open(out / "learning_curve.png") as curve:
        assert curve.size[0] == 1500
    assert load(out / "best.npz").options == load(out / "last.npz").options
    words, log = capsys.readouterr()
    pattern = (
        r"runs/espcn_x3: 2 images, 12 steps; on 4 images held out [\d.]+ dB at best, "
        r"[\d.]+ dB at last \(bicubic [\d.]+ dB\)\n"
        r"runs/espcn_x3/best.npz and last.npz, history.csv, learning_curve.png\n"
    )
    assert re.fullmatch(pattern, words)
    assert re.match(r"drawing 2 dead-leaves images\nstep 10/12: loss .*\nstep 12/12: loss", log)


def test_train_names_and_skips_what_it_cannot_use(capsys, train, blank_curves):
    assert train() == 0
    words, log = capsys.readouterr()
    assert "3 images" in words
    assert "2 images held out" in words
    skipped = re.findall(r"^npespcn: skipped (.+?): ", log, re.MULTILINE)
    assert skipped == ["cut.png", "empty.jpg", "flat.png", "notes.txt"]
    assert "flat.png: 100 x 3 pixels, at least 20 x 20 are needed" in log


RUNS = {
    "--scale 3 --channels 3 --activation relu --output sigmoid --padding same --init icnr --seed 5 "
    "--optimizer soap --lr 0.02 --schedule plateau --loss l1 --batch-size 1 --patch-size 9": {
        "options": {
            **{"scale": 3, "channels": 3, "activation": "relu", "output": "sigmoid"},
            **{"padding": "same", "init": "icnr", "seed": 5, "tail": False},
        },
        "settings": {
            **{"optimizer": "SOAP", "lr": 0.02, "schedule": "Plateau", "loss": "l1", "seed": 5},
            **{"batch_size": 1, "patch_size": 9},
        },
    },
    "--activation sigmoid --output tanh --tail --padding valid --init paper --optimizer sgd "
    "--schedule constant --loss charbonnier --validate-every 20": {
        "options": {
            **{"activation": "sigmoid", "output": "tanh", "tail": True, "padding": "valid"},
            **{"init": "paper"},
        },
        "settings": {
            **{"optimizer": "SGD", "schedule": "constant", "loss": "charbonnier"},
            **{"validate_every": 20},
        },
    },
    "--output none --init he --last-layer 0.1 --schedule cosine --steps 4 --device cpu": {
        "options": {"output": None, "init": "he"},
        "settings": {"factors": {"conv3": 0.1}, "schedule": "cosine"},
        "progress": {"step": 4},
    },
    "--scale 8 --patch-size 9 --channels 3 --padding valid --loss log_mse": {
        "options": {"scale": 8, "channels": 3},
        "settings": {"loss": "log_mse"},
    },
    "--optimizer sgd --schedule plateau --init xavier --last-layer 0.1 --padding same": {
        "options": {"init": "xavier"},
    },
}


def test_every_flag_reaches_the_training(train, blank_curves, tmp_path):
    for i, (flags, expected) in enumerate(RUNS.items()):
        out = tmp_path / f"{i}"
        assert train(*flags.split(), out=out) == 0, flags
        model = load(out / "last.npz")
        for kind, values in expected.items():
            got = model.options if kind == "options" else saved(out, kind)
            assert {name: got[name] for name in values} == values, flags
        assert sorted(os.listdir(out)) == FILES, flags
        untrained = ESPCN(**model.options).params["conv2.weight"]
        assert not np.array_equal(model.params["conv2.weight"], untrained), flags


def test_training_begins_with_biases_that_keep_a_flat_picture(train, monkeypatch):
    models = []
    monkeypatch.setattr(train_command, "fit", lambda model, *_, **__: models.append(model) or 1 / 0)
    assert train() == 1
    flat = np.full((1, 1, 9, 9), 0.5, np.float32)
    np.testing.assert_allclose(models[0].predict(flat), 0.5, atol=1e-6)


def test_leaves_can_be_renewed(blank_curves, tmp_path, held_out):
    flags = "--pictures 2 --renew 1 --scale 2 --steps 2 --batch-size 1 --patch-size 9"
    out = tmp_path / "run"
    words = ["train", *flags.split(), "--val", str(held_out), "--out", str(out)]
    assert cli.main(words) == 0
    assert saved(out, "settings")["data"] == "LeafStream"


def test_patches_larger_than_320_pixels_get_larger_leaves(blank_curves, tmp_path, held_out):
    flags = "--pictures 1 --scale 4 --steps 1 --batch-size 1 --patch-size 81 --optimizer adam"
    words = ["train", *flags.split(), "--val", str(held_out), "--out", str(tmp_path / "run")]
    assert cli.main(words) == 0


def test_validation_pictures_must_show_something(capsys, train, blank_curves, tmp_path):
    for padding, least in [("valid", 24), ("edge", 8), ("same", 8)]:
        (tmp_path / padding).mkdir()
        for side in (least - 1, least):
            picture = dead_leaves_pictures(1, 24)[0][:side]
            write_image(tmp_path / padding / f"{side:02}.png", picture)
        flags = ["--val", tmp_path / padding, "--padding", padding]
        assert train(*flags, out=tmp_path / f"run {padding}") == 0
        words, log = capsys.readouterr()
        assert "on 1 images held out" in words, padding
        assert f"skipped {least - 1:02}.png: 24 x {least - 1} pixels" in log, padding


def test_resume_through_the_command_line_gives_the_same_bits(
    capsys, train, blank_curves, tmp_path, monkeypatch
):
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    flags = ["--steps", "23", "--optimizer", "soap", "--validate-every", "10"]
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
        assert advice == f"saved in {pieces}; the same command with --resume continues from there"
        assert stopped == "npespcn train: stopped"
        assert saved(pieces, "progress")["step"] == step
    assert train(*flags, "--resume", out=pieces) == 0
    assert len(calls) == 23
    assert_same_run(whole, pieces)
    assert train(*flags, "--resume", out=pieces) == 0  # nothing is left to do
    assert_same_run(whole, pieces)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_process_that_says_how_to_go_on(
    train, blank_curves, photos, held_out, tmp_path, number
):
    out, fresh = tmp_path / "run", tmp_path / "fresh"
    flags = ["--schedule", "constant"]
    few = f"{FEW} --optimizer adam --steps 10000000".split()
    words = ["train", *few, *flags, "--data", photos, "--val", held_out, "--out", out]
    process = python("-c", AS_A_SHELL_STARTS_IT, *words)
    try:
        wait_until((out / "last.npz").exists)
        process.send_signal(number)
        words, log = process.communicate(timeout=300)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert words == ""
    assert "Traceback" not in log
    advice = f"saved in {out}; the same command with --resume continues from there"
    assert log.splitlines()[-2:] == [advice, "npespcn train: stopped"]

    steps = saved(out, "progress")["step"] + 5
    assert train(*flags, "--steps", steps, "--resume", out=out) == 0
    assert train(*flags, "--steps", steps, out=fresh) == 0
    one, two = (load(folder / "last.npz").params for folder in (out, fresh))
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])


def is_alive(pid):
    return Path("/proc", pid).exists()


def wait_until(condition):
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("waited for a minute")


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_process_stopped_while_drawing_leaves_no_worker_behind(tmp_path, monkeypatch, number):
    monkeypatch.setenv("NPESPCN_THREADS", "2")
    words = ["--pictures", 10_000, "--out", tmp_path / "run"]
    process, started = python("-c", AS_A_SHELL_STARTS_IT, "train", *words), []
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
            patch.setattr(train_command, name, interrupt)
            assert train() == 130
        log = capsys.readouterr().err
        assert log.splitlines()[-1] == "npespcn train: stopped"
        assert "saved" not in log


def test_a_folder_in_use_is_refused_before_pictures_are_drawn(
    capsys, train, blank_curves, tmp_path, monkeypatch
):
    assert train() == 0
    out = tmp_path / "run"
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    capsys.readouterr()
    monkeypatch.setattr(train_command, "_data", None)
    assert cli.main(["train", "--out", str(out)]) == 1
    assert last_line(capsys) == f"{out} holds a run already: resume it, or choose another folder"
    with RunFolder(out, resume=True):
        assert train("--resume") == 1
    assert last_line(capsys) == f"another process is training in {out}"
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_resuming_with_other_flags_is_refused(capsys, train, blank_curves):
    assert train() == 0
    for flags, words in [
        ("--tail", "is of a network with other options: tail=False there, True here"),
        ("--seed 1", "is of a network with other options: seed=0 there, 1 here"),
        ("--lr 0.1", "was trained with other settings: lr=0.001 there, 0.1 here"),
        ("--batch-size 3", "was trained with other settings: batch_size=2 there, 3 here"),
        ("--last-layer 0.1", "factors=None there, {'conv3': 0.1} here"),
        ("--schedule plateau", "schedule='cosine' there, 'Plateau' here"),
        ("--steps 5", "continue with the same total number of steps"),
    ]:
        capsys.readouterr()
        assert train("--resume", *flags.split()) == 1, flags
        assert words in last_line(capsys), flags


def test_a_run_stopped_before_its_first_validation_can_end_there(train, blank_curves, tmp_path):
    out, flags = tmp_path / "run", ("--schedule", "constant", "--steps", "20")
    assert train(*flags, out=out) == 0
    with np.load(out / "last.npz") as arrays:
        unmeasured = dict(arrays) | {"history/val_psnr": np.full(2, np.nan)}
    np.savez(out / "last.npz", **unmeasured)
    assert train(*flags, "--resume", out=out) == 0


def test_a_rate_that_is_too_high_is_one_line(capsys, train, tmp_path):
    assert train("--lr", "1e30", "--steps", "20") == 1
    pattern = (
        r"the loss is (nan|inf) at step \d+: the learning rate is probably too high \(1e\+30\)"
    )
    written = capsys.readouterr().err
    assert re.search(f"^npespcn train: {pattern}; try a tenth of it\n$", written, re.MULTILINE)
    assert "overflow" not in written
    assert os.listdir(tmp_path / "run") == [".lock"]


def test_missing_and_empty_folders_are_one_line(capsys, train, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.png").write_bytes(b"")
    for flag in ("--data", "--val"):
        assert train(flag, tmp_path / "absent") == 1
        assert "No such file or directory" in last_line(capsys)
        assert train(flag, tmp_path / "empty") == 1
        assert f"no usable image in {tmp_path / 'empty'}" in last_line(capsys)
        assert train(flag, tmp_path / "file.png") == 1
        assert "Not a directory" in last_line(capsys)
    assert not (tmp_path / "run").exists()


def test_pictures_that_are_all_too_small_are_one_line(capsys, train, photos):
    assert train("--patch-size", 41) == 1
    assert f"no usable image in {photos}" in last_line(capsys)


def test_a_place_that_cannot_be_written_is_one_line(capsys, train, tmp_path):
    (tmp_path / "file").write_text("precious")
    assert train(out=tmp_path / "file") == 1
    assert last_line(capsys) == f"{tmp_path / 'file'} is a file; a run needs a folder"
    assert train(out=tmp_path / "file" / "below") == 1
    assert "Not a directory" in last_line(capsys)
    assert (tmp_path / "file").read_text() == "precious"


def test_too_large_a_batch_is_one_line(capsys, train, tmp_path):
    for size in (10**12, 10**30):
        assert train("--batch-size", size, "--out", tmp_path / f"{size}") == 1
        assert last_line(capsys)


def test_a_wrong_number_of_threads_is_one_line(capsys, train, monkeypatch):
    monkeypatch.setenv("NPESPCN_THREADS", "none")
    assert train() == 1
    assert last_line(capsys) == "NPESPCN_THREADS must be a whole number from 1, got 'none'"


def test_a_damaged_checkpoint_is_one_line(capsys, train, blank_curves, tmp_path):
    assert train() == 0
    last = tmp_path / "run" / "last.npz"
    whole, model = last.read_bytes(), load(last)
    for damage in ("cut", "empty", "a network only"):
        last.write_bytes(whole[: 5000 * (damage == "cut")])
        if damage == "a network only":
            save(model, last)
        capsys.readouterr()
        assert train("--resume") == 1, damage
        assert str(last) in last_line(capsys), damage


@pytest.mark.skipif(os.name == "nt", reason="POSIX limits")
def test_a_full_disk_is_one_line_and_leaves_no_half_file(photos, held_out, tmp_path):
    code = (
        "import resource, sys; from npespcn.commands.main import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)); sys.exit(main())"
    )
    out = tmp_path / "run"
    flags = f"{FEW} --steps 5".split()  # the state of SOAP is larger
    process = python("-c", code, "train", *flags, "--data", photos, "--val", held_out, "--out", out)
    _, log = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "Traceback" not in log
    assert re.fullmatch(r"npespcn train: \[Errno \d+\] File too large.*", log.splitlines()[-1])
    assert sorted(os.listdir(out)) == [".lock", "best.npz", "history.csv"]
    load(out / "best.npz")


def test_training_pictures_and_explained_network_go_together(
    train, blank_curves, tmp_path, monkeypatch
):
    """What ``train`` writes, ``explain`` reads."""
    assert train("--channels", 3) == 0
    monkeypatch.chdir(tmp_path)
    for name in ("best.npz", "last.npz"):
        assert cli.main(["explain", "--weights", str(tmp_path / "run" / name)]) == 0


def test_it_starts_with_the_weights_that_fit(train, blank_curves, tmp_path, monkeypatch, capsys):
    assert train("--steps", 5, out=tmp_path / "first") == 0
    first, models, other = tmp_path / "first" / "last.npz", [], str(tmp_path / "other.npz")
    save(ESPCN(2, channels=3), other)
    monkeypatch.setattr(train_command, "fit", lambda model, *_, **__: models.append(model) or 1 / 0)
    assert train("--scale", 3, "--start", first) == 1
    for name in ("conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"):
        np.testing.assert_array_equal(models[0].params[name], load(first).params[name])
    capsys.readouterr()
    assert train("--start", other) == 1
    assert last_line(capsys) == f"{other} has no first layer that fits this network"


def test_a_teacher_changes_what_is_aimed_at(train, blank_curves, tmp_path, capsys):
    assert train("--steps", 5, out=tmp_path / "first") == 0
    first, losses = tmp_path / "first" / "last.npz", []
    for out, words in (("alone", ()), ("taught", ("--teacher", first))):
        assert train("--steps", 5, "--start", first, *words, out=tmp_path / out) == 0
        losses.append((tmp_path / out / "history.csv").read_text())
    assert losses[0] != losses[1]
    capsys.readouterr()
    assert train("--teacher", first, "--scale", 3) == 1
    assert "teacher must have scale 3" in last_line(capsys)


def test_pictures_can_be_held_out_of_data_only(capsys, blank_curves, photos, tmp_path, train):
    flags = f"train {FEW} --steps 3 --optimizer adam --hold-out 2 --out".split()
    assert cli.main([*flags, str(tmp_path / "run"), "--data", str(photos)]) == 0
    assert "1 images, 3 steps; on 2 images held out" in capsys.readouterr().out
    assert cli.main(flags[:-1]) == 1
    assert last_line(capsys) == "--hold-out takes images from --data"
    assert train("--renew", 3) == 1
    assert last_line(capsys) == "--renew is for dead leaves only, without --data"
