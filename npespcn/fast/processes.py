"""A pool of worker processes, which end with their parent and clean up when they end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from npespcn.common.signals import hold_signals


class WorkerDiedError(RuntimeError):
    """A process of the pool ended before its work was done."""


@contextmanager
def process_pool(
    workers: int, make: Callable[..., object] | None = None, *arguments: Any
) -> Iterator[Pool]:
    """Start processes that share the work of the ``with`` block; end them with it.

    The processes are started anew ("spawn"), as on every system: they inherit no thread and no
    lock. Only their parent gets Ctrl-C and the signal of a closed terminal. If the block ends by an
    error or by Ctrl-C, they stop where they are; their own ``with`` and ``finally`` blocks still
    run, before the block is left. If the parent is killed, they end at once.

    Parameters
    ----------
    workers
        Number of processes.
    make, arguments
        A function that each process calls once, with these arguments. Its result is the first
        argument of all calls; an error that it raises is raised by all calls.
    """
    spawn = multiprocessing.get_context("spawn")
    pipes = [spawn.Pipe() for _ in range(workers)]
    processes = [spawn.Process(target=_work, args=(theirs,)) for _, theirs in pipes]
    try:
        _start(processes)
        for _, theirs in pipes:
            theirs.close()
        pool = Pool([ours for ours, _ in pipes])
        for pipe in pool.pipes:  # only now: a send may wait until the process has begun to read
            pool.send(pipe, (make, arguments))
        yield pool
    finally:
        begun = [process for process in processes if process.pid is not None]
        for process in begun:
            process.terminate()
        for ours, _ in pipes:
            ours.close()  # wakes a process that began to read just when the signal came
        for process in begun:
            process.join()


class Pool:
    """The processes of `process_pool`, each at the other end of a pipe."""

    def __init__(self, pipes: list[Connection[Any, Any]]) -> None:
        self.pipes = pipes

    def results(
        self, function: Callable[..., Any], items: Iterable[Any]
    ) -> Iterator[tuple[int, Any]]:
        """Yield (index, result) for every item, each as soon as it is done.

        Raises
        ------
        WorkerDiedError
            If a process ended before its work was done.
        Exception
            What a call raised.
        """
        todo = enumerate(items)
        busy: dict[Any, int] = {}

        def give_work(pipe: Connection[Any, Any]) -> None:
            for i, item in todo:
                busy[pipe] = i
                return self.send(pipe, (function, item))

        for pipe in self.pipes:
            give_work(pipe)
        while busy:
            ready: list[Any] = wait(list(busy))
            for pipe in ready:
                try:
                    error, result = pipe.recv()
                except (EOFError, OSError):
                    raise WorkerDiedError(_DIED) from None
                i = busy.pop(pipe)
                if error is not None:
                    raise error
                give_work(pipe)
                yield i, result

    def send(self, pipe: Connection[Any, Any], message: object) -> None:
        """Send to a process, which may be dead."""
        try:
            pipe.send(message)
        except OSError:
            raise WorkerDiedError(_DIED) from None


_DIED = "one of the processes was ended, perhaps because memory ran out"


def _work(pipe: Connection[Any, Any]) -> None:
    """Answer calls until the parent ends this process."""
    told_to_end: list[int] = []  # not an Event: a signal within its lock would wait for ever

    def end(number: int, frame: object) -> None:
        if not told_to_end:  # a second signal would end the cleanup
            told_to_end.append(number)
            raise SystemExit(1)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for Windows, where `hold_signals` has no mask
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    try:
        first, failure = [], None
        make, arguments = pipe.recv()
        try:
            if make is not None:
                first = [make(*arguments)]
        except Exception as error:
            failure = error
        while not told_to_end:  # a call may have swallowed the SystemExit
            function, item = pipe.recv()
            try:
                if failure is not None:
                    raise failure
                answer: tuple[Any, Any] = (None, function(*first, item))
            except Exception as error:
                answer = (error, None)
            pipe.send(answer)
    except (EOFError, OSError):  # the parent has closed the pipe
        pass


def _start(processes: Iterable[SpawnProcess]) -> None:
    """Start processes that never get Ctrl-C or the signal of a closed terminal."""
    with hold_signals():
        multiprocessing.get_context("spawn").Lock()
    # The lock has started Python's process for locks; that start would have let signals through.
    with hold_signals():
        for process in processes:
            process.start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()  # if it was killed, it could not stop its workers
        os._exit(1)
