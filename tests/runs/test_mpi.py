"""Ranks that MPI connects, under ``mpiexec``."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers import assert_same_run
from run_cases import (
    FEW,
    SAME_STEPS,
    assert_trained_as_one,
    environment,
    module,
    pictures,
    saved_step,
    train_all,
    train_double,
)

import npespcn
from npespcn.commands import main as cli
from npespcn.fast.threads import thread_count
from npespcn.pictures import write_image
from npespcn.runs import mpi, mpi_group

# --- without MPI ----------------------------------------------------------------------------------


def fake_mpi(monkeypatch, size=1):
    """Let MPI be there, with one rank that knows of no other."""
    comm = SimpleNamespace(Get_size=lambda: size, Get_rank=lambda: 0, Dup=lambda: comm)
    fake = SimpleNamespace(COMM_WORLD=comm, Get_library_version=lambda: "MPICH 5, and so on")
    monkeypatch.setattr(mpi, "_require_mpi", lambda: fake)


@pytest.mark.parametrize("name", ["PMI_SIZE", "OMPI_COMM_WORLD_SIZE"])
def test_an_mpiexec_of_another_mpi_is_named(monkeypatch, name):
    fake_mpi(monkeypatch)
    monkeypatch.setenv(name, "4")
    words = "mpiexec started 4 processes, but mpi4py sees 1: .* the mpiexec of 'MPICH 5'"
    with pytest.raises(RuntimeError, match=words), mpi_group():
        pass


def test_without_mpi_one_line_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", None)
    assert cli.main(["train", "--distributed"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("npespcn train: mpi4py is not installed: pip install 'npespcn[mpi]'")


def test_an_mpi4py_that_finds_no_library_is_named(monkeypatch):
    def missing(name):
        raise RuntimeError("cannot load MPI library\nlibmpi.so: not found")

    monkeypatch.setattr(mpi.importlib, "import_module", missing)
    with pytest.raises(RuntimeError, match=r"mpi4py finds no MPI \(cannot load MPI library\): pip"):
        mpi._require_mpi()


def test_cores_are_shared_by_the_ranks_that_may_use_them(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 1, 0, 2}, raising=False)
    for others, threads in [
        ([], 4),
        ([[0, 1, 2, 3]], 2),
        ([[0, 1, 2, 3]] * 2, 1),
        ([[4, 5, 6, 7]], 4),  # each has cores of its own
        ([[0, 1, 2, 3]] * 9, 1),
    ]:
        node = SimpleNamespace(allgather=lambda mine, others=others: [mine, *others])
        assert mpi._share_of_cores(node) == threads


# --- under mpiexec --------------------------------------------------------------------------------


@functools.cache
def mpiexec() -> str | None:
    """Where it is: beside this Python first, which is where PyPI's MPICH puts it."""
    return shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")


@pytest.fixture
def ranks_of(tmp_path):
    """Start ranks of Python on this checkout; none is left in the end."""
    missing = [] if importlib.util.find_spec("mpi4py") else ["mpi4py"]
    missing += [] if mpiexec() else ["mpiexec"]
    if missing and os.environ.get("NPESPCN_REQUIRE_MPI") == "1":
        pytest.fail(f"{' and '.join(missing)} must be there: pip install 'npespcn[mpi]'")
    elif missing:
        pytest.skip(f"no {' and no '.join(missing)} (pip install 'npespcn[mpi]')")
    started = []

    def start(size: int, *words: object, **more: str) -> subprocess.Popen:
        process = subprocess.Popen(  # noqa: S603
            [mpiexec(), "-n", str(size), sys.executable, *map(str, words)],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(**{"NPESPCN_THREADS": "1"} | more),
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def end_of(process: subprocess.Popen) -> tuple[int, str, str]:
    """Wait for it; return its exit status and what it has written."""
    words, log = process.communicate(timeout=100)
    return process.returncode, words, log


def call(function: str, *arguments: object) -> list[str]:
    """Return the words that make Python call a function of this module."""
    given = ", ".join(repr(str(a) if isinstance(a, Path) else a) for a in arguments)
    return ["-c", f"import test_mpi; test_mpi.{function}({given})"]


def rank_trains(out: str, runs: dict[str, dict[str, Any]]) -> None:
    """Be a rank under ``mpiexec``."""
    with mpi_group() as group:
        train_all(group, out, runs)
        threads = os.environ["NPESPCN_THREADS"]
    left = os.environ.get("NPESPCN_THREADS", "none")
    Path(out, f"threads-{group.rank}").write_text(f"{threads} {left}")


@pytest.mark.parametrize("size", [2, 3])
def test_mpi_ranks_take_the_steps_of_one_with_the_whole_batch(ranks_of, tmp_path, size):
    runs = {f"{i}": options for i, options in enumerate(SAME_STEPS)}
    runs["SOAP"] = {"optimizer": "SOAP"}
    setting = {2: "", 3: "5"}[size]  # said nowhere, or said
    process = ranks_of(size, *call("rank_trains", tmp_path, runs), NPESPCN_THREADS=setting)
    status, words, log = end_of(process)
    assert (status, words, log) == (0, "", "")
    assert_trained_as_one(tmp_path, size, runs)
    threads = {(tmp_path / f"threads-{rank}").read_text() for rank in range(size)}
    share = max(1, thread_count() // size)
    assert threads == {f"{setting or share} {setting}"}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for i, picture in enumerate(pictures(3, 40)):
        write_image(folder / f"{i}.png", picture)
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture
def command(photos, tmp_path):
    """Return the words of a ``npespcn train`` into a folder."""

    def words(*flags: object, out: Path = tmp_path / "run", data: Path = photos) -> list[object]:
        folders = ["--data", data, "--val", photos, "--out", out]
        return ["train", *FEW.split(), "--batch-size", 4, *folders, *flags]

    return words


def test_the_command_trains_on_ranks_and_goes_on_with_others(ranks_of, command, tmp_path, capsys):
    """2 ranks draw and train, 3 go on, and one that knows of no others ends it."""
    flags = ("--distributed", "--pictures", 3, "--resume")
    ended = end_of(ranks_of(2, "-m", "npespcn", *command(*flags, "--steps", 12)))
    assert ended[0] == 0
    summary = r"\S+run: 6 images, 12 steps; on 3 images held out .*\n\S+best.npz and last.npz.*"
    assert re.fullmatch(rf"{summary}\n", ended[1])
    lines = ended[2].splitlines()
    assert lines[0] == "2 ranks; threads of rank 0: 1"
    assert len(lines) == 1 + 2 + 1 + 2  # a picture that is none, twice; what is drawn; two steps
    assert sum("skipped notes.txt" in line for line in lines) == 2
    assert saved_step(tmp_path / "run") == 12

    ended = end_of(ranks_of(3, "-m", "npespcn", *command(*flags, "--steps", 17)))
    assert ended[0] == 0
    assert saved_step(tmp_path / "run") == 17
    last = [str(word) for word in command("--pictures", 3, "--steps", 22)]
    assert cli.main([*last, "--resume"]) == 0
    whole = [str(word) for word in command("--pictures", 3, "--steps", 22, out=tmp_path / "whole")]
    assert cli.main(whole) == 0
    one, two = (npespcn.load(tmp_path / name / "last.npz").params for name in ("run", "whole"))
    for name in one:
        np.testing.assert_allclose(one[name], two[name], rtol=0, atol=1e-3)


def wait_until(condition) -> None:
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("waited for a minute")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_ranks_after_a_step_that_is_saved(ranks_of, command, tmp_path, number):
    out = tmp_path / "run"
    process = ranks_of(2, "-m", "npespcn", *command("--distributed", "--steps", 10**7))
    wait_until((out / "last.npz").exists)
    process.send_signal(number)
    status, words, log = end_of(process)
    assert status == 130
    assert "Traceback" not in log
    assert "failed" not in log
    # MPICH's mpiexec says that it passes Ctrl-C on.
    assert [line for line in words.splitlines() if "mpiexec" not in line] == []
    own = [line for line in log.splitlines() if "mpiexec" not in line]
    advice = f"saved in {out}; the same command with --resume continues from there"
    assert own[-2:] == [advice, "npespcn train: stopped"]
    assert own.count(advice) == 1
    steps = saved_step(out) + 3
    again = command("--distributed", "--steps", steps, "--resume")
    assert end_of(ranks_of(2, "-m", "npespcn", *again))[0] == 0
    assert saved_step(out) == steps


def rank_dies(out: str, how: str) -> None:
    """Be a rank: train, and as rank 1 die in step 8."""
    mpi.GRACE = 0.5
    module.SAVE_EVERY_STEPS = 5
    with mpi_group() as group:

        def watch(step: int) -> None:
            if step == 8 and group.rank == 1:
                if how in ("SIGKILL", "SIGTERM"):
                    signal.raise_signal(getattr(signal, how))
                    return
                raise MemoryError("no room") if how == "memory" else KeyError("a bug")

        train_double(out, watch, ranks=group, steps=12)


@pytest.mark.parametrize("how", ["SIGKILL", "memory", "bug"])
def test_a_rank_that_dies_ends_the_run_which_can_be_resumed(ranks_of, tmp_path, how):
    out = tmp_path / "run"
    status, words, log = end_of(ranks_of(2, *call("rank_dies", out, how)))
    assert status not in (0, 130)
    assert ("Traceback" in log) == (how == "bug")
    if how == "SIGKILL":  # its mpiexec has the word
        assert re.search("signal 9|KILLED|Killed", words + log)
    else:
        error = "MemoryError: no room" if how == "memory" else "KeyError: 'a bug'"
        assert [line for line in log.splitlines() if line.startswith("npespcn")] == [
            "npespcn: rank 1 of 2 failed, which ends the run; its last checkpoint stays. " + error
        ]
    assert saved_step(out) == 5
    folders = {name: {"out": str(tmp_path / name), "steps": 12} for name in ("run", "fresh")}
    folders["run"]["resume"] = True
    assert end_of(ranks_of(2, *call("rank_trains", tmp_path, folders)))[0] == 0
    assert_same_run(out, tmp_path / "fresh")


def test_a_signal_to_one_rank_stops_all_after_its_step(ranks_of, tmp_path):
    status, _, log = end_of(ranks_of(3, *call("rank_dies", tmp_path / "run", "SIGTERM")))
    assert status != 0
    assert log.splitlines().count("KeyboardInterrupt") == 1  # on rank 0; the others are quiet
    assert "failed" not in log
    assert saved_step(tmp_path / "run") == 8


MISTAKES = {
    "a batch too small": (["--batch-size", 2], "a batch of 2 leaves some of 3 ranks without"),
    "no such folder": (["--data", "nowhere"], "No such file or directory: 'nowhere'"),
    "a rate too high": (["--lr", "1e30", "--steps", 30], "the learning rate is probably too high"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_for_all_ranks(ranks_of, command, mistake):
    flags, words = MISTAKES[mistake]
    process = ranks_of(3, "-m", "npespcn", *command("--distributed", *flags))
    status, _, log = end_of(process)
    assert status == 1
    (line,) = (line for line in log.splitlines() if line.startswith("npespcn train:"))
    assert words in line
    assert "Traceback" not in log
    assert "Abort" not in log


def test_a_run_already_there_is_one_line_for_all_ranks(ranks_of, command, tmp_path):
    train_double(tmp_path / "run", steps=1)
    status, _, log = end_of(ranks_of(2, "-m", "npespcn", *command("--distributed")))
    assert status == 1
    last = f"npespcn train: {tmp_path}/run holds a run already: resume it, or choose another folder"
    assert log.splitlines()[-1] == last
    assert log.count("holds a run") == 1
