"""The thread pool: order, nesting, errors, the BLAS held back, and life after a fork."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from npespcn.fast import accelerate
from npespcn.fast import threads as threads_module
from npespcn.fast.threads import one_blas_thread, parallel_map, thread_count
from npespcn.layers import Layer, Sequential


@pytest.fixture(autouse=True)
def three_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPESPCN_THREADS", "3")


def blas_threads() -> list[int]:
    """Return the threads of NumPy's BLAS; SciPy, which other tests load, brings its own."""
    libraries = threads_module._controller().info()
    return [info["num_threads"] for info in libraries if info["user_api"] == "blas"]


@pytest.fixture
def two_blas_threads() -> Iterator[None]:
    """Two threads, so that holding the BLAS to one makes a difference even on one core."""
    limit = threadpool_limits(2, user_api="blas")
    let_any_thread_set_the_limit()
    if 2 not in blas_threads():
        pytest.skip("this BLAS has one thread only")
    yield
    limit.restore_original_limits()
    let_any_thread_set_the_limit()


def let_any_thread_set_the_limit() -> None:
    """Since threadpoolctl 3.8 only the one that set it last may, until its with block ends."""
    with threadpool_limits(None):
        pass


def test_results_come_in_order() -> None:
    def slow(number: int) -> int:
        time.sleep(0.002 * (number % 5 == 0))
        return number * number

    assert parallel_map(slow, range(40)) == [n * n for n in range(40)]
    assert parallel_map(slow, iter([3, 1, 2])) == [9, 1, 4]
    assert parallel_map(slow, [7]) == [49]
    assert parallel_map(slow, []) == []


def test_work_runs_side_by_side() -> None:
    """Each waits for the other two: one after the other, nobody would ever come."""
    barrier = threading.Barrier(3)
    parallel_map(lambda _: barrier.wait(timeout=30), range(3))


@pytest.mark.parametrize(("setting", "threads"), [("1", 1), ("2", 2), ("3", 3)])
def test_no_more_threads_than_asked_for(
    monkeypatch: pytest.MonkeyPatch, setting: str, threads: int
) -> None:
    monkeypatch.setenv("NPESPCN_THREADS", setting)
    lock, running, most = threading.Lock(), 0, 0

    def work(_: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.002)
        with lock:
            running -= 1
        return threading.get_ident()

    workers = set(parallel_map(work, range(30)))
    assert most <= threads
    assert len(workers) <= threads
    assert threading.get_ident() in workers  # the caller works too


def test_a_single_item_and_a_single_thread_run_where_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = threading.get_ident()
    assert parallel_map(lambda _: threading.get_ident(), [0]) == [here]
    monkeypatch.setenv("NPESPCN_THREADS", "1")
    assert parallel_map(lambda _: threading.get_ident(), range(9)) == [here] * 9


def test_nested_calls_run_where_they_are_and_do_not_deadlock() -> None:
    def inner(number: int) -> tuple[int, int]:
        return number, threading.get_ident()

    def outer(number: int) -> bool:
        numbers, threads = zip(*parallel_map(inner, range(5)), strict=True)
        assert numbers == (0, 1, 2, 3, 4)
        return set(threads) == {threading.get_ident()}

    assert parallel_map(outer, range(50)) == [True] * 50


def test_calls_from_several_threads_at_once() -> None:
    def caller(start: int) -> list[int]:
        return parallel_map(lambda n: n + 1, range(start, start + 50))

    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(caller, range(0, 4000, 50)))
    assert [n for answer in answers for n in answer] == list(range(1, 4001))


def test_an_error_reaches_the_caller_and_the_pool_lives_on() -> None:
    def work(number: int) -> int:
        if number >= 5:
            raise KeyError(number)
        return number

    for _ in range(3):
        with pytest.raises(KeyError) as caught:
            parallel_map(work, range(20))
        assert caught.value.args == (5,)  # the first in order
        assert parallel_map(work, range(5)) == [0, 1, 2, 3, 4]


def test_the_number_of_threads_may_change_from_call_to_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for setting in ("2", "5", "1", "3") * 3:
        monkeypatch.setenv("NPESPCN_THREADS", setting)
        assert parallel_map(lambda n: -n, range(12)) == [-n for n in range(12)]


# The setting


@pytest.mark.parametrize(
    ("setting", "count"), [("1", 1), ("7", 7), (" 4 ", 4), ("64", 64), ("007", 7)]
)
def test_the_setting_counts(monkeypatch: pytest.MonkeyPatch, setting: str, count: int) -> None:
    monkeypatch.setenv("NPESPCN_THREADS", setting)
    assert thread_count() == count


@pytest.mark.parametrize("setting", [None, "", "  "])
def test_without_the_setting_every_available_core_counts(
    monkeypatch: pytest.MonkeyPatch, setting: str | None
) -> None:
    if setting is None:
        monkeypatch.delenv("NPESPCN_THREADS")
    else:
        monkeypatch.setenv("NPESPCN_THREADS", setting)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 2, 5}, raising=False)
    assert thread_count() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 11)
    assert thread_count() == 11
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert thread_count() == 1


@pytest.mark.parametrize(
    "setting", ["0", "-1", "2.0", "two", "1e3", "+2", "1_000", "²", "٣", "0x2"]
)
def test_other_settings_are_refused(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    monkeypatch.setenv("NPESPCN_THREADS", setting)
    message = f"^NPESPCN_THREADS must be a whole number from 1, got {setting!r}$".replace(
        "+", r"\+"
    )
    with pytest.raises(ValueError, match=message):
        thread_count()
    with pytest.raises(ValueError, match="NPESPCN_THREADS"):
        parallel_map(abs, [1, 2])


# The BLAS


@pytest.mark.usefixtures("two_blas_threads")
def test_a_network_holds_the_blas_while_it_predicts() -> None:
    class Looks(Layer):
        def forward(self, x: np.ndarray) -> np.ndarray:
            seen.append(blas_threads())
            return x

    seen: list[list[int]] = []
    accelerate(Sequential(Looks())).predict(np.zeros((1, 1, 2, 2)))
    assert seen == [[1] * len(blas_threads())]
    assert 2 in blas_threads()


@pytest.mark.usefixtures("two_blas_threads")
def test_the_blas_is_held_to_one_thread_inside_and_not_outside() -> None:
    before = blas_threads()
    with one_blas_thread():
        assert set(blas_threads()) == {1}
        with one_blas_thread():
            assert set(blas_threads()) == {1}
        assert set(blas_threads()) == {1}
    assert blas_threads() == before
    seen = parallel_map(lambda _: blas_threads(), range(6))
    assert seen == [[1] * len(before)] * 6
    assert parallel_map(lambda _: blas_threads(), [0]) == [[1] * len(before)]
    assert blas_threads() == before


@pytest.mark.usefixtures("two_blas_threads")
def test_the_blas_is_let_go_after_an_error() -> None:
    before = blas_threads()
    with pytest.raises(ZeroDivisionError):
        parallel_map(lambda n: 1 // n, range(6))
    with pytest.raises(ZeroDivisionError), one_blas_thread():
        _ = 1 // 0
    assert blas_threads() == before


@pytest.mark.usefixtures("two_blas_threads")
def test_holds_that_overlap_end_with_the_last_one() -> None:
    """Begun first and ended first: the limit stays, for the other's sake, and then it goes."""
    before = blas_threads()
    first, second = one_blas_thread(), one_blas_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert set(blas_threads()) == {1}
    second.__exit__(None, None, None)
    assert blas_threads() == before


@pytest.mark.usefixtures("two_blas_threads")
def test_a_hold_may_end_in_another_thread_than_it_began_in() -> None:
    before = blas_threads()
    first, second = one_blas_thread(), one_blas_thread()
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(first.__enter__).result()
        second.__enter__()
        elsewhere.submit(first.__exit__, None, None, None).result()
        assert set(blas_threads()) == {1}
        second.__exit__(None, None, None)
        assert blas_threads() == before


@pytest.mark.usefixtures("two_blas_threads")
def test_many_threads_holding_the_blas_leave_it_as_it_was() -> None:
    before = blas_threads()

    def hold(_: int) -> bool:
        with one_blas_thread():
            time.sleep(0.0005)
            return set(blas_threads()) == {1}

    with ThreadPoolExecutor(6) as callers:
        assert all(callers.map(hold, range(150)))
    assert blas_threads() == before


# Processes


def squares_in_a_child(connection: object) -> None:
    answer = parallel_map(lambda n: n * n, range(20))
    product = parallel_map(lambda n: float((np.ones((50, 50)) @ np.ones((50, 50)))[0, n]), range(4))
    connection.send((answer, product))  # type: ignore[attr-defined]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")  # Python 3.12's warning
def test_a_forked_child_has_a_pool_of_its_own() -> None:
    parallel_map(
        abs, range(20)
    )  # the parent's pool has its threads, which a child does not inherit
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=squares_in_a_child, args=(theirs,))
    child.start()
    try:
        assert ours.poll(60), "the child hangs"
        assert ours.recv() == ([n * n for n in range(20)], [50.0] * 4)
    finally:
        child.join(10)
        if child.is_alive():
            child.kill()
            child.join()
        ours.close()
        theirs.close()
    assert child.exitcode == 0
    assert parallel_map(abs, range(20)) == list(range(20))


def test_a_program_that_used_the_pool_ends() -> None:
    program = (
        "from npespcn.fast.threads import parallel_map; print(parallel_map(abs, [-1, -2, -3]))"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[1, 2, 3]\n"
    assert done.stderr == ""
