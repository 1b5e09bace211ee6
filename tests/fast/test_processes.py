"""The pool of processes: how its workers begin, what they return, and above all how they end."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from process_cases import (
    LONG,
    SOON,
    double,
    exit_at,
    fail_at,
    large,
    leave,
    make_slowly,
    no_gpu,
    sleep_at,
    threes,
    times,
    wait_until,
    work,
    work_or_be_killed,
)

from npespcn.common.signals import catch_stop, hold_signals
from npespcn.fast.processes import WorkerDiedError, process_pool

ROOT = Path(__file__).parents[2]

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


@pytest.fixture(autouse=True)
def at_once() -> Iterator[None]:
    """Nothing here takes long, and no process is left."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < LONG - 10
    assert multiprocessing.active_children() == []


def results(function: Callable[..., Any], items: Any, *pool: Any) -> list[Any]:
    """Return all results in order."""
    with process_pool(*pool) as processes:
        return [result for _, result in sorted(processes.results(function, items))]


def stop_after(
    function: Callable[..., Any], items: Any, moment: Callable[[], Any], *pool: Any
) -> None:
    """Begin to call, and leave the block by an error, from another thread's view at that moment."""
    with pytest.raises(ZeroDivisionError), process_pool(*pool) as processes:  # noqa: PT012
        left = processes.results(function, iter_until(items, moment))
        next(left)


def iter_until(items: Any, moment: Callable[[], Any]) -> Iterator[Any]:
    """Yield items; where they end, wait for the moment and raise."""
    yield from items
    wait_until(moment)
    raise ZeroDivisionError


# --- what comes of the work ----------------------------------------------------------------------


def test_each_result_comes_once_with_its_index() -> None:
    with process_pool(2) as pool:
        assert sorted(pool.results(double, range(50))) == [(i, 2 * i) for i in range(50)]
        assert list(pool.results(double, [])) == []
        assert sorted(pool.results(large, range(3))) == [(i, bytes(30_000_000)) for i in range(3)]
    assert results(times, range(5), 2, threes) == [0, 3, 6, 9, 12]


def test_items_are_taken_only_when_a_process_is_idle() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for i in range(100):
            taken += 1
            yield i

    with process_pool(2) as pool:
        for done, _ in enumerate(pool.results(sleep_at, items()), 1):
            assert taken <= done + 2
    assert taken == 100


def test_errors_are_raised_in_the_parent(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match=r"^two$"):
        results(fail_at, range(9), 2)
    with pytest.raises(RuntimeError, match=r"^no GPU$"):  # by what each process calls first
        results(times, range(9), 2, no_gpu)
    assert capfd.readouterr() == ("", "")


# --- an error in the block -----------------------------------------------------------------------


def test_an_error_stops_what_has_begun_tidily_and_drops_the_rest(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also where a call swallows the SystemExit."""
    for how, workers in (("", 3), ("swallow", 2)):
        folder = tmp_path / f"{how}-"
        folder.mkdir()
        paths = [folder / str(i) for i in range(workers - 1)]
        work_at = partial(work, how=how)
        stop_after(
            work_at,
            paths,
            lambda f=folder, n=workers: len(list(f.glob("*.begun"))) == n - 1,
            workers,
        )
        assert sorted(path.name for path in folder.iterdir()) == [
            f"{i}.{end}" for i in range(workers - 1) for end in ("begun", "tidy")
        ]
    assert capfd.readouterr() == ("", "")


def test_idle_and_beginning_processes_end_too(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    stop_after(times, [1], (tmp_path / "a").exists, 2, make_slowly, tmp_path / "a")
    with pytest.raises(ZeroDivisionError), process_pool(3) as pool:  # noqa: PT012
        list(pool.results(sleep_at, range(9)))
        raise ZeroDivisionError
    with process_pool(3):
        pass
    assert capfd.readouterr() == ("", "")


def test_results_that_are_only_half_sent_are_not_waited_for() -> None:
    """One of 30 MB is on its way for some milliseconds."""
    for i in range(1, 6, 2):
        with pytest.raises(ZeroDivisionError), process_pool(2) as pool:  # noqa: PT012
            for done, _ in enumerate(pool.results(large, range(50))):
                if done == i:
                    time.sleep(0.004 * i)
                    raise ZeroDivisionError


# --- a worker that ends --------------------------------------------------------------------------


def test_a_process_that_ends_is_an_error() -> None:
    for how in (exit_at, leave):
        with pytest.raises(WorkerDiedError, match="perhaps because memory ran out"):
            results(how, range(9), 2)


@posix
def test_a_process_that_is_killed_is_an_error_and_the_other_ends_tidily(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("SIGKILL", "SIGTERM"):
        folder = tmp_path / name
        folder.mkdir()
        places = [folder / "other", folder / name]
        with pytest.raises(WorkerDiedError):
            results(work_or_be_killed, places, 2)
        assert (folder / "other.tidy").exists()
    assert capfd.readouterr() == ("", "")


# --- signals that come while a process is started ------------------------------------------------


@posix
def test_signals_are_held_and_then_heeded() -> None:
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number, events = getattr(signal, name), []
        before = signal.signal(number, lambda *_, seen=events: seen.append("heeded"))
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        handler = signal.getsignal(number)
        try:
            with hold_signals():
                assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
                os.kill(os.getpid(), number)
                time.sleep(0.05)
                events.append("end")
            assert events == ["end", "heeded"], name
            assert signal.getsignal(number) is handler
            assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask
            signal.signal(number, signal.SIG_IGN)
            with hold_signals():
                assert signal.getsignal(number) == signal.SIG_IGN
            assert signal.getsignal(number) == signal.SIG_IGN
        finally:
            signal.signal(number, before)


def test_when_the_event_is_set_a_second_signal_acts_as_usual() -> None:
    usual, found = signal.getsignal(signal.SIGINT), []
    with catch_stop() as event:
        event.set = lambda: found.append(signal.getsignal(signal.SIGINT))  # type: ignore[method-assign]
        signal.raise_signal(signal.SIGINT)
    assert found == [usual]


def test_threads_may_use_it_too() -> None:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.extend(results(double, range(3), 1)))
    thread.start()
    thread.join(SOON)
    assert found == [0, 2, 4]


# --- a program of its own, which is ended from outside -------------------------------------------

PROGRAM = """
import os, signal, sys, time
from pathlib import Path

if __name__ == "__mp_main__":
    time.sleep(float(os.environ.get("SLOW", 0)))

from npespcn.common.signals import interrupt_on_term
from npespcn.fast.processes import process_pool
from process_cases import work, weigh

def main():
    Path("ready").touch()
    with process_pool(2, *((weigh, bytes(1_000_000)) if "SLOW" in os.environ else ())) as pool:
        for _ in pool.results(work, [Path(str(i)) for i in range(6)]):
            pass

if __name__ == "__main__":
    try:
        with interrupt_on_term():
            main()
    except KeyboardInterrupt:
        print("stopped", flush=True)
        sys.exit(130)
"""


def start(folder: Path, **more: str) -> subprocess.Popen[str]:
    (folder / "program.py").write_text(PROGRAM)
    paths = os.pathsep.join([str(Path(__file__).parent), str(ROOT)])
    return subprocess.Popen(
        [sys.executable, "program.py"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": paths} | more,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def end_of(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Return status, stdout and stderr, when nobody is left who could write there."""
    try:
        out, err = process.communicate(timeout=SOON)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return process.returncode, out, err


def both_begun(folder: Path) -> bool:
    return len(list(folder.glob("*.begun"))) == 2


@posix
def test_killed_it_takes_its_workers_with_it_at_once(tmp_path: Path) -> None:
    process = start(tmp_path)
    wait_until(lambda: both_begun(tmp_path))
    process.kill()
    killed = time.monotonic()
    status, _, err = end_of(process)
    assert time.monotonic() - killed < SOON
    assert status == -signal.SIGKILL
    assert "Traceback" not in err
    assert not list(tmp_path.glob("*.tidy"))


@posix
def test_a_signal_ends_all_tidily(tmp_path: Path) -> None:
    """To all of them, as a terminal sends it, or to the parent only."""
    for name, send in product(["SIGINT", "SIGTERM", "SIGHUP"], [os.killpg, os.kill]):
        folder = tmp_path / f"{name} {send.__name__}"
        folder.mkdir()
        process = start(folder)
        wait_until(lambda here=folder: both_begun(here))
        send(process.pid, getattr(signal, name))
        assert end_of(process) == (130, "stopped\n", ""), folder.name
        assert sorted(path.stem for path in folder.glob("*.tidy")) == ["0", "1"], folder.name


@posix
def test_a_signal_at_any_moment_leaves_nothing_and_says_nothing(tmp_path: Path) -> None:
    rng = random.Random()  # noqa: S311
    for i in range(8):
        folder = tmp_path / str(i)
        folder.mkdir()
        process = start(folder)
        wait_until((folder / "ready").exists)
        delay, name = rng.uniform(0, 0.5), rng.choice(["SIGINT", "SIGTERM", "SIGHUP"])
        time.sleep(delay)
        os.killpg(process.pid, getattr(signal, name))
        assert end_of(process) == (130, "stopped\n", ""), (name, delay)
        begun, tidy = ({path.stem for path in folder.glob(f"*.{w}")} for w in ("begun", "tidy"))
        assert begun <= tidy


@posix
def test_a_signal_is_heeded_while_processes_begin_slowly(tmp_path: Path) -> None:
    """Before they read what they are sent, of which a pipe holds 64 KB."""
    process = start(tmp_path, SLOW="300")
    wait_until((tmp_path / "ready").exists)
    time.sleep(1)
    begun = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    assert end_of(process) == (130, "stopped\n", "")
    assert time.monotonic() - begun < SOON
