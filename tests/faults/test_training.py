"""Training that is ended, starved and misled from outside, and then goes on as if nothing was."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import random
import shutil
import signal
import struct
import termios
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import assert_same_run
from PIL import Image

from faults.disks import read_only, resize, small_disk
from faults.moments import Command, killed_somewhere
from npespcn.exchange.npz import load, read_npz

FILES = [".lock", "best.npz", "history.csv", "last.npz", "learning_curve.png"]
PLACES = {"start": 1.0, "step": 0.02, "validation": 0.01, "save": 0.02, "drawing": 0.3}  # seconds
COMMON = "train --val val --scale 2 --batch-size 2 --patch-size 9 --validate-every 10 --out"
DATA = {
    "photographs": "--data photos --steps 57 --schedule plateau",
    "leaves": "--pictures 2 --renew 7 --patch-size 12 --steps 37 --optimizer adam",
}


def words(out: Path, data: str = "photographs", *more: str) -> list[str]:
    return [*COMMON.split(), str(out), *DATA[data].split(), *more]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures to train on."""
    folder = tmp_path_factory.mktemp("training")
    rng = np.random.default_rng(0)
    for name, count in (("photos", 3), ("val", 2)):
        (folder / name).mkdir()
        for i in range(count):
            pixels = rng.integers(0, 256, (12, 15, 3), np.uint8)
            image = Image.fromarray(pixels).resize((60, 48), Image.Resampling.BICUBIC)
            image.save(folder / name / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def whole(place: Path) -> Callable[[str], Path]:
    """Return the folder of a run that nobody disturbed."""

    def run(data: str) -> Path:
        out = place / f"whole_{data}"
        if not out.exists():
            with Command(words(out, data), place) as command:
                status, lines = command.finish()
            assert status == 0, lines
        return out

    return run


def saved_step(out: Path) -> int:
    """Check that what is in a run's folder can be used; return the step of its checkpoint."""
    names = {path.name for path in out.glob("*")} if out.exists() else set()
    assert {name for name in names if not name.startswith(".npespcn-")} <= set(FILES)
    if "history.csv" in names:
        text = (out / "history.csv").read_text()
        assert text.endswith("\n")
        rows = list(csv.DictReader(text.splitlines()))
        steps = [int(row["step"]) for row in rows]
        assert steps == sorted(set(steps))
        assert all(np.isfinite([float(row["loss"]), float(row["lr"])]).all() for row in rows)
    if "best.npz" in names:
        load(out / "best.npz")
    if "last.npz" not in names:
        return 0
    load(out / "last.npz")
    arrays = read_npz(out / "last.npz")
    return int(json.loads(str(arrays["progress"]))["step"])


def finish(out: Path, place: Path, data: str = "photographs") -> None:
    """Resume a run to its end."""
    with Command(words(out, data, "--resume"), place) as command:
        status, lines = command.finish()
    assert status == 0, lines


def assert_undisturbed(out: Path, whole: Path) -> None:
    assert sorted(os.listdir(out)) == sorted(os.listdir(whole)) == FILES
    assert_same_run(whole, out)
    for folder in (out, whole):
        with Image.open(folder / "learning_curve.png") as curve:
            curve.load()


@pytest.mark.parametrize("data", DATA)
def test_killed_anywhere_it_goes_on_to_the_same_bits(
    place: Path,
    whole: Callable[[str], Path],
    rng: random.Random,
    kills: int,
    data: str,
    record_property: Callable[[str, object], None],
) -> None:
    times, runs, counts = kills // len(DATA), 0, Counter[str]()
    while counts.total() < times:
        out, step, ended = place / f"{data}_{runs}", 0, False
        runs += 1
        while not ended:
            with Command(words(out, data, "--resume"), place) as command:
                where = None
                if counts.total() < times:
                    where = killed_somewhere(command, PLACES, rng)
                if where is None:
                    status, lines = command.finish()
                    assert status == 0, lines
                    ended = True
                else:
                    counts[where] += 1
            before, step = step, saved_step(out)
            assert step >= before
        assert_undisturbed(out, whole(data))
        shutil.rmtree(out)
    record_property("killed", f"{counts.total()} times in {runs} runs, at {dict(counts)}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_it_and_it_goes_on_to_the_same_bits(
    place: Path, whole: Callable[[str], Path], rng: random.Random, number: signal.Signals
) -> None:
    out = place / number.name
    with Command(words(out), place, preexec_fn=heed_signals) as command:
        assert command.wait_for("save")
        command.wait_for("step")
        command.kill(number)
        status, lines = command.finish()
    assert status == 130
    assert lines[-1] == "npespcn train: stopped"
    assert lines[-2].startswith("saved in ")
    assert saved_step(out) > 0
    assert not [name for name in os.listdir(out) if name not in FILES]
    finish(out, place)
    assert_undisturbed(out, whole("photographs"))


def heed_signals() -> None:
    """Undo what a shell does to what runs in the background."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_a_disk_that_fills_up_loses_nothing(
    place: Path,
    whole: Callable[[str], Path],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """It is full at the history, at the best network, at the first checkpoint, at a later one."""
    size = (whole("photographs") / "last.npz").stat().st_size // 1024
    steps = []
    for kilobytes in (4, 60, size // 2, size + 150, 2 * size + 20):
        with small_disk(tmp_path / str(kilobytes), kilobytes) as disk:
            out = disk / "run"
            with Command(words(out), place) as command:
                status, lines = command.finish()
            assert status == 1
            assert lines[-1].startswith("npespcn train: [Errno 28] No space left on device")
            steps.append(saved_step(out))
            assert not [name for name in os.listdir(out) if name not in FILES]
            resize(disk, 8 * size)
            finish(out, place)
            assert_undisturbed(out, whole("photographs"))
    assert len(set(steps)) > 1  # else they were all full at one place
    record_property("full disks", f"{len(steps)}, at steps {steps}")


def test_a_folder_that_is_read_only_is_one_line(place: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 20_000) as disk:
        (disk / "old").mkdir()
        with read_only(disk):
            for out in ("old", "new"):
                with Command(words(disk / out), place) as command:
                    status, lines = command.finish()
                assert status == 1
                assert len(lines) == 1
                assert str(disk / out) in lines[0]
        assert os.listdir(disk) == ["old"]


@pytest.mark.parametrize("where", ["step", "validation", "save"])
def test_a_folder_removed_under_it_is_one_line(place: Path, where: str) -> None:
    out = place / f"removed_{where}"
    with Command(words(out), place) as command:
        assert command.wait_for("save")
        command.wait_for("step")
        assert command.wait_for(where)
        command.process.send_signal(signal.SIGSTOP)
        shutil.rmtree(out)
        command.process.send_signal(signal.SIGCONT)
        status, lines = command.finish()
    assert status == 1
    assert [line.startswith("npespcn train: [Errno 2]") for line in lines].count(True) == 1
    assert str(out) in lines[-1]
    finish(out, place)  # which begins anew


def test_two_runs_in_one_folder_do_not_mix(place: Path, whole: Callable[[str], Path]) -> None:
    out = place / "shared"
    with Command(words(out), place) as first:
        assert first.wait_for("save")
        first.process.send_signal(signal.SIGSTOP)
        for more in ((), ("--resume",)):
            with Command(words(out, "photographs", *more), place) as second:
                status, lines = second.finish()
            assert status == 1
            assert lines[-1] == f"npespcn train: another process is training in {out}"
        first.process.send_signal(signal.SIGCONT)
        assert first.finish()[0] == 0
    assert_undisturbed(out, whole("photographs"))


def test_two_that_begin_at_one_time_do_not_mix(place: Path, whole: Callable[[str], Path]) -> None:
    for i in range(3):
        out = place / f"race_{i}"
        with Command(words(out), place) as one, Command(words(out), place) as two:
            ends = [one.finish(), two.finish()]
        assert sorted(status for status, _ in ends) == [0, 1]
        assert_undisturbed(out, whole("photographs"))


def test_a_clock_that_jumps_changes_nothing(place: Path, whole: Callable[[str], Path]) -> None:
    out = place / "clock"
    screen, terminal = os.openpty()  # for the progress bar measures the time, too
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with Command(words(out), place, fault="clock", stderr=terminal) as command:
        os.close(terminal)
        shown = read_all(screen)
        status, _ = command.finish()
    assert status == 0, shown
    assert "57/57" in shown
    assert "Traceback" not in shown
    assert_undisturbed(out, whole("photographs"))


def read_all(screen: int) -> str:
    """Return what a terminal shows, until nobody writes to it any more."""
    shown = b""
    while True:
        try:
            part = os.read(screen, 4096)
        except OSError:  # Linux's way to say that
            part = b""
        if not part:
            os.close(screen)
            return shown.decode(errors="replace")
        shown += part


def test_a_loss_that_is_no_number_keeps_the_last_good_checkpoint(
    place: Path, whole: Callable[[str], Path]
) -> None:
    out = place / "nan"
    with Command(words(out), place, fault="nan:25") as command:
        status, lines = command.finish()
    assert status == 1
    assert "npespcn train:" in lines[-1]
    assert "the learning rate is probably too high" in lines[-1]
    assert saved_step(out) == 24
    finish(out, place)
    assert_undisturbed(out, whole("photographs"))
