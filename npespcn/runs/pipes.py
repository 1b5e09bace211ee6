"""A group of ranks without MPI: processes of one machine, each with a pipe to the first.

`Star` has the five methods of an MPI communicator that `npespcn.runs.ranks.MPIGroup` calls, under
mpi4py's names, so nothing else has to change. `on_ranks` starts the processes.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, TypeVar

import numpy as np

from npespcn.common import Array
from npespcn.common.checks import whole_number
from npespcn.fast.processes import follow_the_parent, start
from npespcn.fast.threads import thread_count, threads_for
from npespcn.runs.ranks import GRACE, Group, MPIGroup, SingleProcess, report_failure

Result = TypeVar("Result")


def on_ranks(count: int, function: Callable[..., Result], *arguments: Any) -> Result:
    """Call ``function(group, *arguments)`` in `count` processes; return the result in this one.

    The other processes are started anew, and find the function by its name in its module. A script
    that calls this needs the usual ``if __name__ == "__main__":`` around its own work. Each process
    uses ``NPESPCN_THREADS`` threads, or else its share of the cores. A count of 1 is a plain call
    with a `SingleProcess`.

    Raises
    ------
    RuntimeError
        If another process ends early; it has reported the reason on stderr, if it could.
    """
    if whole_number("on_ranks: count", count, 1) == 1:
        return function(SingleProcess(), *arguments)
    spawn = multiprocessing.get_context("spawn")
    pipes = [spawn.Pipe() for _ in range(count - 1)]
    with threads_for(max(1, thread_count() // count)):
        others = [
            spawn.Process(target=_other, args=(rank, count, theirs, function, arguments))
            for rank, (_, theirs) in enumerate(pipes, 1)
        ]
        try:
            start(others)
            for _, theirs in pipes:
                theirs.close()
            return function(MPIGroup(Star(0, count, [ours for ours, _ in pipes])), *arguments)
        finally:
            for ours, _ in pipes:
                ours.close()  # which ends those that still wait to send something
            until = time.monotonic() + GRACE
            for process in others:
                if process.pid is not None:
                    process.join(max(0.0, until - time.monotonic()))
                    process.terminate()
                    process.join()


def _other(
    rank: int,
    count: int,
    pipe: Connection[Any, Any],
    function: Callable[..., object],
    arguments: tuple[Any, ...],
) -> None:
    """Run one of the ranks from 1 on."""
    follow_the_parent()
    group: Group = MPIGroup(Star(rank, count, [pipe]), rank)
    try:
        function(group, *arguments)
    except _GoneError:  # rank 0 has ended, and reports why
        raise SystemExit(1) from None
    except BaseException as error:
        if not _hangs_up(pipe):  # rank 0 has not met the same error
            report_failure(group, error)
        raise SystemExit(1) from None


def _hangs_up(pipe: Connection[Any, Any]) -> bool:
    """Return whether the other end is closed within a short time."""
    until = time.monotonic() + GRACE
    try:
        while pipe.poll(max(0.0, until - time.monotonic())):
            pipe.recv_bytes()
    except (EOFError, OSError):
        return True
    return False


class _GoneError(RuntimeError):
    """The process at the other end of a pipe has ended."""


class Star:
    """A communicator in which each rank has a pipe to rank 0, which collects and distributes.

    So the time of an Allreduce grows with the number of ranks. That will do for the cores of one
    machine; for more, MPI has better ways (`npespcn.runs.mpi_group`).

    Parameters
    ----------
    rank, size
        Number of this rank, and of all ranks.
    pipes
        On rank 0 the pipes to the others, in order; on the others the pipe to rank 0.
    """

    def __init__(self, rank: int, size: int, pipes: list[Connection[Any, Any]]) -> None:
        self.rank, self.size, self.pipes = rank, size, pipes

    def Get_rank(self) -> int:  # noqa: N802
        """Return the number of this rank, from 0."""
        return self.rank

    def Get_size(self) -> int:  # noqa: N802
        """Return the number of ranks."""
        return self.size

    def Allreduce(self, mine: Array, total: Array) -> None:  # noqa: N802
        """Write the sum of all ranks' arrays into `total`: everywhere the same bits."""
        with self._connected():
            if self.rank:
                self.pipes[0].send_bytes(mine.data)
                self.pipes[0].recv_bytes_into(total)
                return
            total[...] = mine
            part = np.empty_like(mine)
            for pipe in self.pipes:
                pipe.recv_bytes_into(part)
                total += part
            for pipe in self.pipes:
                pipe.send_bytes(total.data)

    def bcast(self, thing: Any) -> Any:
        """Return the `thing` of rank 0."""
        with self._connected():
            if self.rank:
                return self.pipes[0].recv()
            for pipe in self.pipes:
                pipe.send(thing)
            return thing

    def allgather(self, thing: Any) -> list[Any]:
        """Return the things of all ranks, in their order."""
        with self._connected():
            if self.rank:
                self.pipes[0].send(thing)
                things = None
            else:
                things = [thing, *(pipe.recv() for pipe in self.pipes)]
        everything: list[Any] = self.bcast(things)
        return everything

    @contextmanager
    def _connected(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, OSError):
            raise _GoneError(
                "a process of this run has ended, and the run with it; its last checkpoint stays"
            ) from None
