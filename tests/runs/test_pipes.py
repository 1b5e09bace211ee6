"""Ranks of one machine, connected by pipes: real processes, no MPI."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from run_cases import (
    FEW,
    SAME_STEPS,
    assert_trained_as_one,
    pictures,
    saved_step,
    start,
    train_all,
)

from npespcn.commands import main as cli
from npespcn.fast.threads import thread_count
from npespcn.pictures import write_image
from npespcn.runs import SingleProcess, on_ranks

# --- what the ranks of these tests do: functions by name, for the other processes -----------------


def talk(group, results):
    """Use every way to talk; write down what came of it, and return it."""
    loss, *flags = group.agree(np.float32(group.rank), 0.5, group.rank == 1, False)
    total = group.sum(np.arange(1e6) * (group.rank + 1))  # longer than a pipe is wide
    first = group.on_rank_0(lambda: f"from {group.rank}")
    gathered = group.gather([np.array([group.rank])] * (group.rank + 1))
    threads = os.environ["NPESPCN_THREADS"]
    assert group.node_rank == group.rank
    Path(results, f"{group.rank}").write_text(
        f"{loss} {flags} {total.sum()} {first} {gathered} {threads}"
    )
    return float(loss), flags, total, [int(rank[0]) for rank in gathered]


def fail(group, where, how):
    """Fail on the ranks `where`, while the others wait for them."""
    if group.rank in where:
        if how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise {"mistake": ValueError, "bug": KeyError, "stop": KeyboardInterrupt}[how]("the reason")
    for _ in range(3):
        group.on_rank_0(lambda: None)
        group.gather([])


def shared_mistake(group):
    """Meet what rank 0 raises everywhere."""

    def nothing_there():
        raise OSError("no such folder")

    group.on_rank_0(nothing_there)


def wait_for_ever(group, place):
    Path(place, f"{group.rank}").write_text(f"{os.getpid()}")
    time.sleep(1000)


# --- talking --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2, 3])
def test_all_ranks_hear_the_same(tmp_path, size, monkeypatch):
    monkeypatch.delenv("NPESPCN_THREADS", raising=False)
    loss, flags, total, gathered = on_ranks(size, talk, tmp_path)
    assert loss == 0.5 * sum(range(size))
    assert flags == [True, False]
    np.testing.assert_array_equal(total, np.arange(1e6) * sum(range(1, size + 1)))
    said = [(tmp_path / f"{rank}").read_text() for rank in range(size)]
    assert len(set(said)) == 1
    assert gathered == [rank for rank in range(size) for _ in range(rank + 1)]
    assert said[0].split()[-1] == f"{max(1, thread_count() // size)}"
    assert "NPESPCN_THREADS" not in os.environ


def test_one_is_a_plain_call(monkeypatch):
    monkeypatch.setattr("multiprocessing.get_context", None)
    group, word = on_ranks(1, lambda group, word: (group, word), "given")
    assert type(group) is SingleProcess
    assert word == "given"


# --- training -------------------------------------------------------------------------------------


def test_they_take_the_steps_of_one_with_the_whole_batch(tmp_path):
    runs = {f"{i}": options for i, options in enumerate(SAME_STEPS)}
    runs["SOAP"] = {"optimizer": "SOAP"}
    on_ranks(3, train_all, tmp_path, runs)
    assert_trained_as_one(tmp_path, 3, runs)


@pytest.fixture
def words(tmp_path):
    """The words of a ``npespcn train`` on photographs."""
    for i, picture in enumerate(pictures(3, 40)):
        (tmp_path / "photos").mkdir(exist_ok=True)
        write_image(tmp_path / "photos" / f"{i}.png", picture)
    (tmp_path / "photos" / "notes.txt").write_text("no picture")
    data = tmp_path / "photos"
    folders = [f"--data={data}", f"--val={data}", f"--out={tmp_path / 'run'}"]
    return ["train", *FEW.split(), "--batch-size=4", *folders, "--pictures=3", "--resume"]


def test_the_command_trains_and_goes_on_with_fewer(tmp_path, words, capsys):
    with start("-m", "npespcn", *words, "--processes=2", "--steps=12") as process:
        out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    assert "6 images, 12 steps" in out
    lines = err.splitlines()
    assert lines[0].startswith("2 ranks; threads of rank 0: ")
    assert len(lines) == 1 + 2 + 1 + 2  # a picture that is none, twice; what is drawn; two steps
    assert saved_step(tmp_path / "run") == 12
    assert cli.main([*words, "--steps=17"]) == 0
    assert saved_step(tmp_path / "run") == 17


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize(("number", "to_all"), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_a_signal_ends_all_after_a_step_that_is_saved(tmp_path, words, number, to_all):
    more = ("--processes=2", "--steps=100000", "--validate-every=10")
    with start("-m", "npespcn", *words, *more, start_new_session=True) as process:
        while not (tmp_path / "run" / "last.npz").exists():
            assert process.poll() is None
            time.sleep(0.01)
        (os.killpg if to_all else os.kill)(process.pid, number)
        _, err = process.communicate(timeout=100)
    assert process.returncode == 130
    *_, saved, stopped = err.splitlines()
    assert "--resume continues from there" in saved
    assert stopped == "npespcn train: stopped"
    assert "Traceback" not in err
    assert saved_step(tmp_path / "run") > 0


def test_processes_and_mpi_are_wrong_usage(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["train", "--processes=2", "--distributed"])
    assert end.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


# --- ends -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["mistake", "bug", "stop", "killed"])
def test_one_that_fails_ends_the_run_and_says_why(capfd, how):
    with pytest.raises(RuntimeError, match="a process of this run has ended"):
        on_ranks(3, fail, [1], how)
    err = capfd.readouterr().err
    assert ("npespcn: rank 1 of 3 failed" in err) == (how != "killed")
    assert ("the reason" in err) == (how != "killed")
    assert ("Traceback" in err) == (how in ("bug", "stop"))
    assert "rank 2" not in err


@pytest.mark.parametrize(
    ("how", "where"), [("mistake", [0]), ("stop", [0]), ("bug", [0, 1, 2]), ("stop", [0, 1, 2])]
)
def test_what_fails_here_is_raised_here_and_said_once(capfd, how, where):
    kind = {"mistake": ValueError, "bug": KeyError, "stop": KeyboardInterrupt}[how]
    with pytest.raises(kind, match="the reason"):
        on_ranks(3, fail, where, how)
    assert capfd.readouterr().err == ""


def test_what_rank_0_raises_everywhere_is_said_once(capfd):
    with pytest.raises(OSError, match="no such folder"):
        on_ranks(3, shared_mistake)
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_others_end_with_the_first(tmp_path, number):
    code = f"""if __name__ == "__main__":
        from npespcn.runs.pipes import on_ranks
        from test_pipes import wait_for_ever
        on_ranks(3, wait_for_ever, {str(tmp_path)!r})
    """
    (tmp_path / "first.py").write_text(code)
    with start(tmp_path / "first.py") as process:
        while len(list(tmp_path.glob("[0-9]"))) < 3:
            time.sleep(0.01)
        time.sleep(0.1)
        pids = [int((tmp_path / f"{rank}").read_text()) for rank in (1, 2)]
        process.send_signal(number)
        process.communicate(timeout=20)
    until = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < until
        time.sleep(0.01)
