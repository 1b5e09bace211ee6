"""Enlarging a folder, ended, starved and hurried from outside: what there is is whole and right."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faults.disks import resize, small_disk
from faults.moments import Command, killed_somewhere
from npespcn.exchange import save
from npespcn.models import ESPCN

PLACES = {"start": 0.7, "looking": 0.01, "enlarging": 0.1, "writing": 0.05, "drawing": 0.3}  # s
COUNT = 12  # pictures
JOBS = (1, 3)


def words(out: Path | str, *more: object) -> list[str]:
    return ["upscale", "pictures", "-o", f"{out}/", "--weights", "w.npz", *map(str, more)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures, some of them animated, and a network."""
    folder = tmp_path_factory.mktemp("upscaling")
    (folder / "pictures" / "more").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(COUNT):
        sides = rng.integers(20, 160, 2)
        pixels = rng.integers(0, 256, (3, *sides, (3, 4)[i % 2]), np.uint8)
        first, *rest = [Image.fromarray(frame) for frame in pixels[: 3 if i % 5 == 4 else 1]]
        frames = {"save_all": True, "append_images": rest} if rest else {}
        first.save(folder / "pictures" / ("more" if i % 3 == 2 else "") / f"{i}.png", **frames)
    save(ESPCN(2, padding="edge", seed=1), folder / "w.npz")
    return folder


@pytest.fixture(scope="module")
def right(place: Path) -> dict[str, bytes]:
    """What every result should be, from one undisturbed run."""
    with Command(words("right", "--recursive", "--compare"), place) as command:
        assert command.finish()[0] == 0
    found = contents(place / "right")
    assert len(found) == 2 * COUNT
    return found


def contents(folder: Path) -> dict[str, bytes]:
    """Return what the files hold; temporary ones, which may go at any time, seem empty."""
    return {
        str(path.relative_to(folder)): b"" if is_hidden(path) else path.read_bytes()
        for path in folder.rglob("*")
        if is_hidden(path) or path.is_file()
    }


def is_hidden(path: Path) -> bool:
    return path.name.startswith(".npespcn-")


def check(folder: Path, right: dict[str, bytes], compare: bool = False) -> tuple[int, int]:
    """Check that what is there is whole and right; return how much, and how much is hidden."""
    there = contents(folder)
    shown = {name: data for name, data in there.items() if not is_hidden(Path(name))}
    for name, data in shown.items():
        assert data == right[name], f"{name} is not what it should be"
        assert compare or not name.endswith("_compare.png")
    return len(shown), len(there) - len(shown)


def finish(place: Path, out: Path | str, right: dict[str, bytes], *more: object) -> None:
    """Resume to the end; all is there then, and nothing else."""
    with Command(words(out, "--recursive", "--resume", *more), place) as command:
        status, lines = command.finish()
    assert status == 0, lines
    compare = "--compare" in more
    names = {name for name in right if compare or not name.endswith("_compare.png")}
    assert contents(place / out).keys() == names
    check(place / out, right, compare)


@pytest.mark.parametrize("jobs", JOBS)
def test_killed_anywhere_it_finishes_and_leaves_nothing_behind(
    place: Path,
    right: dict[str, bytes],
    rng: random.Random,
    kills: int,
    jobs: int,
    record_property: Callable[[str, object], None],
) -> None:
    times, runs, counts, left = kills // len(JOBS), 0, Counter[str](), 0
    while counts.total() < times:
        out, done, ended = f"jobs{jobs}_{runs}", 0, False
        more = ["--jobs", jobs, "--recursive", "--resume"]
        compare = (runs + jobs // 2) % 2 == 0
        more += ["--compare"] if compare else []
        places = {where: s for where, s in PLACES.items() if compare or where != "drawing"}
        runs += 1
        while not ended and counts.total() < times:
            with Command(words(out, *more), place) as command:
                number = rng.choice([signal.SIGKILL] * 3 + [signal.SIGTERM, signal.SIGHUP])
                where = killed_somewhere(command, places, rng, number)
                if where is None:
                    assert command.finish()[0] == 0
                    ended = True
                else:
                    counts[where] += 1
            before, (done, hidden) = done, check(place / out, right, "--compare" in more)
            assert done >= before
            left += hidden
            if number != signal.SIGKILL and where not in ("start", None):
                assert command.process.returncode in (0, 130, -number)
        finish(place, out, right, *more[:2], *more[4:])
        shutil.rmtree(place / out)
    record_property("killed", f"{counts.total()} times in {runs} runs, at {dict(counts)}")
    record_property("temporary files swept", left)


@pytest.mark.parametrize("everyone", [False, True])
@pytest.mark.parametrize("jobs", JOBS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing_behind_at_once(
    place: Path, right: dict[str, bytes], number: signal.Signals, jobs: int, everyone: bool
) -> None:
    """As it comes from a terminal, to every process of the command, or from ``kill``."""
    out = f"{number.name}{jobs}{everyone}"
    more = ("--jobs", jobs, "--recursive")
    with Command(words(out, *more), place, preexec_fn=heed_signals) as command:
        assert command.wait_for("writing")
        command.kill(number, everyone)
        status, lines = command.finish()
    assert status == 130
    assert lines[-1] == "npespcn upscale: stopped"
    assert check(place / out, right)[1] == 0
    finish(place, out, right)


def heed_signals() -> None:
    """Undo what a shell does to what runs in the background."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize("jobs", JOBS)
def test_a_full_disk_costs_some_pictures_and_damages_none(
    place: Path, right: dict[str, bytes], tmp_path: Path, jobs: int
) -> None:
    needed = sum(len(data) for name, data in right.items() if "compare" not in name) // 1024
    with small_disk(tmp_path / "disk", needed // 2) as disk:
        with Command(words(disk, "--recursive", "--jobs", jobs), place) as command:
            status, lines = command.finish()
        done, hidden = check(disk, right)
        failed = [line for line in lines if "No space left on device" in line]
        assert status == 1
        assert (done + len(failed), hidden) == (COUNT, 0)
        assert 0 < done < COUNT
        resize(disk, 4 * needed)
        finish(place, disk, right, "--jobs", jobs)


def test_files_that_may_not_grow_are_lost_whole(place: Path, right: dict[str, bytes]) -> None:
    """Where no small disk can be made: the system refuses to write more than so much to a file."""
    limit = sorted(len(data) for name, data in right.items() if "compare" not in name)[COUNT // 2]

    def hold() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    with Command(words("held", "--recursive"), place, preexec_fn=hold) as command:
        status, lines = command.finish()
    done, hidden = check(place / "held", right)
    assert status == 1
    assert (done + len([line for line in lines if "File too large" in line]), hidden) == (COUNT, 0)
    assert 0 < done < COUNT
    finish(place, "held", right)


@pytest.mark.parametrize("jobs", JOBS)
def test_a_folder_removed_under_it_is_a_line_for_each_picture(
    place: Path, right: dict[str, bytes], jobs: int
) -> None:
    """The folder of the results is made again for the next ones; that of the sources is gone."""
    shutil.copytree(place / "pictures", place / "moved" / "pictures")
    shutil.copy(place / "w.npz", place / "moved")
    with Command(words("out", "--recursive", "--jobs", jobs), place / "moved") as command:
        assert command.wait_for("writing")
        command.stop()
        for name in ("out", "pictures"):
            shutil.rmtree(place / "moved" / name)
        os.killpg(command.process.pid, signal.SIGCONT)
        status, lines = command.finish()
    assert status == 1
    assert 1 <= sum(line.startswith("npespcn upscale: pictures/") for line in lines) <= COUNT
    assert check(place / "moved" / "out", right)[1] == 0
    shutil.rmtree(place / "moved")


def test_two_at_once_into_one_folder(place: Path, right: dict[str, bytes]) -> None:
    more = ("--recursive", "--jobs", 2, "--force")
    with Command(words("both", *more), place) as one, Command(words("both", *more), place) as two:
        while not (one.has_ended() and two.has_ended()):
            check(place / "both", right)
        assert [one.finish()[0], two.finish()[0]] == [0, 0]
    finish(place, "both", right)


def test_a_clock_that_jumps_changes_nothing(place: Path, right: dict[str, bytes]) -> None:
    with Command(words("clock", "--recursive"), place, fault="clock") as command:
        assert command.finish()[0] == 0
    os.utime(place / "clock" / next(iter(contents(place / "clock"))), (4e9, 4e9))
    finish(place, "clock", right)
