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
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from npespcn.fast import processes
from npespcn.fast.processes import ProcessPool

ROOT = Path(__file__).parents[1]
SOON = 20.0  # seconds, on a busy machine; the work would take a minute
LONG = 60.0

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


# --- what workers do -----------------------------------------------------------------------------


def work(place: Path, how: str = "") -> None:
    """Say that it has begun, and work for long; say that the end was tidy."""
    begun, tidy = place.with_suffix(".begun"), place.with_suffix(".tidy")
    try:
        begun.with_suffix(".part").write_text(str(os.getpid()))
        begun.with_suffix(".part").rename(begun)  # from here on a signal may come
        time.sleep(LONG)
    except SystemExit:
        if how != "swallow":
            raise
    finally:
        if how != "swallow":
            time.sleep(0.3)  # in which a second signal may come
        tidy.touch()


def double(x: int) -> int:
    return 2 * x


def times(factor: int, x: int) -> int:
    return factor * x


def threes() -> int:
    return 3


def weigh(data: bytes) -> int:
    return len(data)


def no_gpu() -> int:
    raise RuntimeError("no GPU")


def large(x: int) -> bytes:
    return bytes(30_000_000)


def make_slowly(place: Path) -> None:
    place.touch()
    time.sleep(LONG)


def leave(x: int) -> None:
    sys.exit(3)


def exit_at(x: int) -> int:
    if x == 3:
        os._exit(7)
    return x


def kill_itself(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(LONG)


def sleep_at(x: int) -> int:
    time.sleep(0.003 * (x % 5))
    return x


def fail_at(x: int) -> int:
    if x == 2:
        raise ValueError("two")
    return x


def wait_until(condition: Callable[[], Any]) -> None:
    until = time.monotonic() + 2 * SOON
    while not condition():
        assert time.monotonic() < until, "it never comes"
        time.sleep(0.005)


@pytest.fixture(autouse=True)
def at_once() -> Iterator[None]:
    """Nothing here takes long, and no process is left."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < LONG - 10
    assert multiprocessing.active_children() == []


# --- what comes of the work ----------------------------------------------------------------------


def test_each_result_comes_once() -> None:
    with ProcessPool(2) as pool:
        assert sorted(pool.results(double, range(50))) == list(range(0, 100, 2))
        assert list(pool.map(double, range(5))) == [0, 2, 4, 6, 8]
        assert list(pool.results(double, [])) == []


def test_few_items_are_taken_ahead() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for i in range(100):
            taken += 1
            yield i

    with ProcessPool(2) as pool:
        for done, _ in enumerate(pool.results(sleep_at, items()), 1):
            assert taken <= done + 2 * 2 + 4
    assert taken == 100


def test_what_a_call_raises_is_raised() -> None:
    with pytest.raises(ValueError, match=r"^two$"), ProcessPool(2) as pool:
        list(pool.results(fail_at, range(9)))


def test_what_is_made_first_is_the_first_argument() -> None:
    with ProcessPool(2, threes) as pool:
        assert sorted(pool.results(times, range(5))) == [0, 3, 6, 9, 12]


def test_what_fails_at_first_fails_in_each_call(capfd: pytest.CaptureFixture[str]) -> None:
    with ProcessPool(2, no_gpu) as pool:
        calls = [pool.submit(times, i) for i in range(4)]
        for call in calls:
            with pytest.raises(RuntimeError, match=r"^no GPU$"):
                call.result(SOON)
    assert capfd.readouterr() == ("", "")


# --- an error in the block -----------------------------------------------------------------------


def test_an_error_stops_what_has_begun_tidily_and_drops_the_rest(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    begun = time.monotonic()
    with pytest.raises(ZeroDivisionError), ProcessPool(2) as pool:  # noqa: PT012
        calls = [pool.submit(work, tmp_path / str(i)) for i in range(8)]
        wait_until(lambda: len(list(tmp_path.glob("*.begun"))) == 2)
        raise ZeroDivisionError
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("0.begun", "0.tidy", "1.begun", "1.tidy")
    ]
    assert all(call.done() for call in calls)
    assert time.monotonic() - begun < SOON
    assert capfd.readouterr() == ("", "")


def test_what_is_not_made_yet_is_not_waited_for(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ZeroDivisionError), ProcessPool(2, make_slowly, tmp_path / "a") as pool:  # noqa: PT012
        pool.submit(times, 1)
        wait_until((tmp_path / "a").exists)
        raise ZeroDivisionError
    assert capfd.readouterr() == ("", "")


def test_a_pool_that_was_shut_down_may_be_left_by_an_error() -> None:
    with pytest.raises(ZeroDivisionError), ProcessPool(2) as pool:  # noqa: PT012
        pool.submit(double, 1)
        pool.shutdown()
        raise ZeroDivisionError


def test_idle_workers_end() -> None:
    with pytest.raises(ZeroDivisionError), ProcessPool(3) as pool:  # noqa: PT012
        assert sorted(pool.results(sleep_at, range(9))) == list(range(9))
        time.sleep(0.2)
        raise ZeroDivisionError


def test_what_swallows_the_end_ends_all_the_same(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), ProcessPool(1) as pool:  # noqa: PT012
        for i in range(3):
            pool.submit(work, tmp_path / str(i), "swallow")
        wait_until((tmp_path / "0.begun").exists)
        raise ZeroDivisionError
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.begun", "0.tidy"]


def test_results_that_are_only_half_sent_are_not_waited_for() -> None:
    """One of 30 MB is on its way for some milliseconds."""
    for i in range(1, 6, 2):
        with pytest.raises(ZeroDivisionError), ProcessPool(2) as pool:  # noqa: PT012
            for done, _ in enumerate(pool.results(large, range(50))):
                if done == i:
                    time.sleep(0.004 * i)
                    raise ZeroDivisionError


# --- a worker that ends --------------------------------------------------------------------------


@pytest.mark.parametrize("how", [exit_at, leave])
def test_a_worker_that_is_gone_is_an_error(how: Callable[[int], object]) -> None:
    with pytest.raises(BrokenProcessPool), ProcessPool(2) as pool:
        list(pool.results(how, range(9)))


@posix
@pytest.mark.parametrize("number", ["SIGKILL", "SIGTERM"])
def test_a_worker_that_is_killed_is_an_error(
    number: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The other ends tidily."""
    with pytest.raises(BrokenProcessPool), ProcessPool(2) as pool:  # noqa: PT012
        one = pool.submit(work, tmp_path / "other")
        wait_until((tmp_path / "other.begun").exists)
        pool.submit(kill_itself, getattr(signal, number)).result(SOON)
    assert (tmp_path / "other.tidy").exists()
    assert one.exception() is not None
    assert capfd.readouterr() == ("", "")


def test_a_worker_that_was_never_needed_may_end_too(tmp_path: Path) -> None:
    """The pool looks at all of them, whichever has started last."""
    for _ in range(2):
        with pytest.raises(BrokenProcessPool), ProcessPool(2) as pool:
            pool.submit(exit_at, 3).result(SOON)


@posix
def test_a_worker_that_is_told_to_end_ends_tidily(tmp_path: Path) -> None:
    with pytest.raises(BrokenProcessPool), ProcessPool(1) as pool:  # noqa: PT012
        call = pool.submit(work, tmp_path / "a")
        wait_until((tmp_path / "a.begun").exists)
        os.kill(int((tmp_path / "a.begun").read_text()), signal.SIGTERM)
        call.result(SOON)
    assert (tmp_path / "a.tidy").exists()


# --- signals that come while a process is started ------------------------------------------------


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_are_held_and_then_heeded(name: str) -> None:
    number, events = getattr(signal, name), []
    before = signal.signal(number, lambda *_: events.append("heeded"))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    handler = signal.getsignal(number)
    try:
        with processes.signals_held():
            os.kill(os.getpid(), number)
            time.sleep(0.05)
            events.append("end")
        assert events == ["end", "heeded"]
        assert signal.getsignal(number) is handler
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask
        with processes.signals_held():
            assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
        assert events == ["end", "heeded"]
    finally:
        signal.signal(number, before)


@posix
def test_signals_that_are_ignored_stay_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with processes.signals_held():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_threads_may_use_it_too() -> None:
    found: list[int] = []

    def use() -> None:
        with ProcessPool(1) as pool:
            found.extend(pool.results(double, range(3)))

    thread = threading.Thread(target=use)
    thread.start()
    thread.join(SOON)
    assert sorted(found) == [0, 2, 4]


# --- a program of its own, which is ended from outside -------------------------------------------

PROGRAM = """
import os, signal, sys, time
from pathlib import Path

if __name__ == "__mp_main__":
    time.sleep(float(os.environ.get("SLOW", 0)))

from npespcn.fast.processes import ProcessPool
from test_processes import work, weigh

def stop(number, frame):
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt

def main():
    Path("ready").touch()
    begun = time.monotonic()
    with ProcessPool(2, *((weigh, bytes(1_000_000)) if "SLOW" in os.environ else ())) as pool:
        if "SLOW" in os.environ:
            for _ in range(2):
                pool.submit(print)
            print(time.monotonic() - begun, flush=True)
            raise KeyboardInterrupt
        for _ in pool.results(work, [Path(str(i)) for i in range(6)]):
            pass

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    try:
        main()
    except KeyboardInterrupt:
        print("stopped", flush=True)
        sys.exit(130)
"""


def start(folder: Path, **more: str) -> subprocess.Popen[str]:
    (folder / "program.py").write_text(PROGRAM)
    paths = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
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
    assert time.monotonic() - killed < 5
    assert status == -signal.SIGKILL
    assert "Traceback" not in err
    assert not list(tmp_path.glob("*.tidy"))


@posix
@pytest.mark.parametrize("whom", ["all", "the parent"])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_all_tidily(tmp_path: Path, name: str, whom: str) -> None:
    process = start(tmp_path)
    wait_until(lambda: both_begun(tmp_path))
    send = os.killpg if whom == "all" else os.kill
    send(process.pid, getattr(signal, name))
    assert end_of(process) == (130, "stopped\n", "")
    assert sorted(path.stem for path in tmp_path.glob("*.tidy")) == ["0", "1"]


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
def test_starting_waits_for_nobody(tmp_path: Path) -> None:
    """Whatever they are sent: a pipe holds 64 KB of it, and they read when they have begun."""
    status, out, err = end_of(start(tmp_path, SLOW="30"))
    assert (status, err) == (130, "")
    assert float(out.split()[0]) < 20
