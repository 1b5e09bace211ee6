"""Parallel work on blocks: a thread pool for Python code, and the BLAS limited to one thread.

NumPy releases the interpreter's lock in copies, ufuncs and matrix products, so plain threads keep
every core busy with *whole blocks* of work. By default the BLAS splits each product, which costs
more than it gains where products are as small as ours. `one_blas_thread` prevents that.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Result = TypeVar("Result")
_here = threading.local()  # .is_busy: whether this thread is in a `parallel_map` right now


def thread_count() -> int:
    """Return ``NPESPCN_THREADS``, or else the number of cores that this process may use.

    Raises
    ------
    ValueError
        If ``NPESPCN_THREADS`` is set to something that is not a whole number from 1.
    """
    setting = os.environ.get("NPESPCN_THREADS", "").strip()
    if not setting:
        affinity = getattr(os, "sched_getaffinity", None)  # missing on macOS and Windows
        return len(affinity(0)) if affinity else os.cpu_count() or 1
    if not (setting.isascii() and setting.isdigit() and int(setting) >= 1):
        raise ValueError(f"NPESPCN_THREADS must be a whole number from 1, got {setting!r}")
    return int(setting)


@contextmanager
def threads_for(share: int) -> Iterator[None]:
    """Use `share` threads inside the ``with`` block, or ``NPESPCN_THREADS`` if that is set."""
    before = os.environ.get("NPESPCN_THREADS")
    if not before:
        os.environ["NPESPCN_THREADS"] = str(share)
    try:
        yield
    finally:
        os.environ.pop("NPESPCN_THREADS", None)
        if before is not None:
            os.environ["NPESPCN_THREADS"] = before


def parallel_map(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Return ``[function(item) for item in items]``, computed by `thread_count` threads.

    The caller is one of them: waking a thread takes about as long as a small item. Results come
    back in order, whichever thread computed them. A nested call, or one with a single item, stays
    on its thread. After an error no further item is begun.
    """
    items = list(items)
    available = thread_count()
    threads = min(available, len(items))
    _keep_freed_memory()
    with one_blas_thread():
        if threads <= 1 or getattr(_here, "is_busy", False):
            return [function(item) for item in items]
        todo = deque(enumerate(items))
        results: dict[int, Result] = {}
        errors: dict[int, BaseException] = {}

        def work() -> None:
            _here.is_busy = True
            try:
                while True:
                    i, item = todo.popleft()
                    try:
                        results[i] = function(item)
                    except BaseException as error:
                        errors[i] = error
                        todo.clear()
            except IndexError:  # nothing left to do
                pass
            finally:
                _here.is_busy = False

        pool = _pool(os.getpid(), available - 1)
        helpers = [pool.submit(work) for _ in range(threads - 1)]
        try:
            work()
        finally:
            todo.clear()  # after Ctrl-C there may be more
            wait([helper for helper in helpers if not helper.cancel()])
        if errors:
            raise errors[min(errors)]  # the first in the order of the items
        return [results[i] for i in range(len(items))]


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit the BLAS (and LAPACK) to one thread inside the ``with`` block.

    The limit holds for the whole process. Blocks in several threads may overlap: the first to begin
    sets it, the last to end removes it.
    """
    with _hold.lock:
        if _hold.count == 0:
            _hold.limit = _controller().limit(limits=1, user_api="blas")
            _let_go()
        _hold.count += 1
    try:
        yield
    finally:
        with _hold.lock:
            _hold.count -= 1
            if _hold.count == 0:
                _hold.limit.restore_original_limits()
                _let_go()


def _let_go() -> None:
    """Allow any thread to set the limit next.

    Since threadpoolctl 3.8 only the thread that last set it may do so, until its ``with`` block
    ends.
    """
    with _controller().limit(limits=None):
        pass


class _Hold:
    """The number of running `one_blas_thread` blocks, and the limit that they share."""

    def __init__(self) -> None:
        self.lock, self.count = threading.Lock(), 0
        self.limit: Any = None


_hold = _Hold()


@functools.cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # finding the libraries takes a millisecond


@functools.lru_cache(maxsize=1)
def _pool(pid: int, threads: int) -> ThreadPoolExecutor:  # a forked child needs a pool of its own
    return ThreadPoolExecutor(threads, "npespcn")


@functools.cache
def _keep_freed_memory() -> None:
    """Ask the C library to keep up to 256 MB of freed memory.

    Arrays of some 100 KB come and go by the thousand here. By default glibc returns such memory at
    once, and the system then hands it out again page by page, cleared, at the first touch of each:
    that takes a tenth of a training step, and more on two threads, since they queue for it. Other C
    libraries are left as they are.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, 32 << 20)  # the largest that it takes
            mallopt(_M_TRIM_THRESHOLD, 256 << 20)


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # from malloc.h
