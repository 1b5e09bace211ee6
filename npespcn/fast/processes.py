"""Work for several processes: a pool whose workers end with their parent, and end tidily."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from multiprocessing.reduction import ForkingPickler
from typing import Any

_PARENTS = [getattr(signal, name) for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)]
_busy = False  # in a worker: whether a call is going on
_ended = False  # and whether it has been told to end
_first: tuple[Any, ...] = ()  # what all calls get, or why there is none
_failure: Exception | None = None


class ProcessPool(ProcessPoolExecutor):
    """The standard library's process pool, to be used in a ``with`` block.

    Its processes are started anew ("spawn"), as on every system: they inherit no thread and no
    lock. Ctrl-C, and the end of the terminal, are their parent's alone. If the block ends by an
    error, or by Ctrl-C, then work that waits is dropped, and work that has begun is stopped where
    it is; its ``with`` and ``finally`` blocks still run, before the block is left. SIGTERM does
    the same to a single process, which breaks the pool. If the parent is killed, they end at once.

    Parameters
    ----------
    workers
        How many processes, at most.
    make, arguments
        A function that each of them calls once, with these arguments. What it returns is the first
        argument of all calls; what it raises, they raise.
    """

    def __init__(
        self, workers: int, make: Callable[..., object] | None = None, *arguments: Any
    ) -> None:
        self.workers = workers
        spawn = multiprocessing.get_context("spawn")
        with signals_held():  # for a process that looks after semaphores may be started, too
            # In shared memory: starting a process waits until it has read all that it is sent.
            shared = spawn.RawArray("B", bytes(ForkingPickler.dumps((make, arguments))))
            super().__init__(workers, spawn, _begin, (shared,))
        # All start with the first call: the end of one that starts later may go unnoticed.
        self._safe_to_dynamically_spawn_children = False

    def submit(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        """Have a process call the function, some time."""
        with signals_held():  # this may start them
            return super().submit(_call, function, *args, **options)

    def results(self, function: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
        """Yield what comes of each item, in the order in which they are done; begin few ahead.

        Raises
        ------
        BrokenProcessPool
            If a process ended meanwhile.
        Exception
            What a call raised.
        """
        rest = iter(items)
        pending = {self.submit(function, item) for item in islice(rest, 2 * self.workers)}
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
            pending |= {self.submit(function, item) for item in islice(rest, len(done))}

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> bool | None:
        if kind is not None and self._processes is not None:  # else it has been shut down
            self._stop()
        return super().__exit__(kind, *rest)

    def _stop(self) -> None:
        """Do what Python 3.14 calls ``terminate_workers``, and wait until they are gone."""
        processes = list(self._processes.values())
        manager: Any = self._executor_manager_thread
        results: Any = self._result_queue
        self.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()
        results._writer.close()  # else the manager would wait for the rest of what one has begun
        if manager is not None:
            manager.join()


@contextmanager
def signals_held() -> Iterator[None]:
    """Hold signals back until the end of the block, in which a process may be started.

    Half-started it would be lost, and print a traceback. Ctrl-C and SIGHUP it never gets, then or
    later.
    """
    mask = getattr(signal, "pthread_sigmask", None)  # inherited by processes; missing on Windows
    before = mask(signal.SIG_BLOCK, ()) if mask else None
    came: list[int] = []
    handlers: dict[int, Any] = {}
    try:
        if mask:
            mask(signal.SIG_BLOCK, _PARENTS)
        if threading.current_thread() is threading.main_thread():  # elsewhere none arrives
            for number in (*_PARENTS, signal.SIGTERM):
                if callable(handler := signal.getsignal(number)):
                    handlers[number] = handler
                    signal.signal(number, lambda number, _: came.append(number))
        yield
    finally:
        if mask:
            mask(signal.SIG_SETMASK, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def _begin(shared: Any) -> None:
    """Be a worker, which ends tidily when it is told to."""
    global _first, _failure
    signal.signal(signal.SIGTERM, _end)
    follow_the_parent()
    try:
        make, arguments = ForkingPickler.loads(bytes(shared))
        if make is not None:
            _first = (make(*arguments),)
    except Exception as error:  # for which the pool would print a traceback
        _failure = error


def _end(number: int, frame: Any) -> None:
    global _ended
    if not _busy:
        os._exit(1)
    if not _ended:  # a second time would end what tidies up
        _ended = True
        raise SystemExit


def _call(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    global _busy
    try:
        _busy = True
        try:
            if _failure is not None:
                raise _failure
            return function(*_first, *args, **options)
        finally:
            _busy = False
            if _ended:  # even if something has swallowed the exception
                os._exit(1)
    except SystemExit:  # the pool would keep it, and the process
        os._exit(1)


def follow_the_parent() -> None:
    """Leave Ctrl-C to the parent of this process, and never outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for Windows, where `signals_held` has no mask
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()  # if it was killed, it could not stop its workers
        os._exit(1)
