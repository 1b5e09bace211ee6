"""Work for several processes: a pool whose workers end with their parent, and end tidily."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any


class ProcessPool(ProcessPoolExecutor):
    """The standard library's process pool, to be used in a ``with`` block.

    Its processes are started anew ("spawn"), as on every system: they inherit no thread and no
    lock. Ctrl-C is their parent's alone. If the block ends by an error, or by Ctrl-C, then work
    that waits is dropped, and work that has begun is stopped where it is; its ``with`` and
    ``finally`` blocks still run. If the parent is killed, they end at once.

    Parameters
    ----------
    workers
        How many processes.
    initializer, arguments
        A function that each of them calls first, and with what.
    """

    def __init__(
        self, workers: int, initializer: Callable[..., object] | None = None, *arguments: Any
    ) -> None:
        spawn = multiprocessing.get_context("spawn")
        super().__init__(workers, spawn, _begin, (initializer, arguments))

    def submit(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        """Have a process call the function, some time."""
        with _interrupts_held():  # this may start it
            return super().submit(_call, function, *args, **options)

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> bool | None:
        if kind is not None:
            processes = list((self._processes or {}).values())  # what Python 3.14 calls
            self.shutdown(wait=False, cancel_futures=True)
            for process in processes:  # terminate_workers
                process.terminate()
        return super().__exit__(kind, *rest)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back until the end of the block; processes that it starts never get one.

    Half-started, they would each print a traceback.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # where no Ctrl-C arrives, and none can be held
        return
    pressed: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    mask = getattr(signal, "pthread_sigmask", None)  # inherited by processes; missing on Windows
    before = mask(signal.SIG_BLOCK, {signal.SIGINT}) if mask else None
    try:
        yield
    finally:
        if mask:
            mask(signal.SIG_SETMASK, before)
        signal.signal(signal.SIGINT, handler)
        if pressed:
            signal.raise_signal(signal.SIGINT)


def _begin(initializer: Callable[..., object] | None, arguments: tuple[Any, ...]) -> None:
    """Be a worker: leave Ctrl-C to the parent, end tidily when told to, and never outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _end)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    if initializer is not None:
        initializer(*arguments)


def _end(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)


def _call(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    try:
        return function(*args, **options)
    except SystemExit:
        os._exit(1)  # the pool would keep the exception, and the process


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()  # a parent that is killed cannot stop its workers
        os._exit(1)
