"""A group of ranks that MPI connects."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import time
import traceback
from collections.abc import Iterator
from typing import Any

from npespcn.fast.threads import threads_for
from npespcn.runs.ranks import MPIGroup

GRACE = 3.0  # seconds within which all ranks meet a common error
_STARTED = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")  # the number of processes that mpiexec has started


@contextlib.contextmanager
def mpi_group() -> Iterator[MPIGroup]:
    """Join the ranks that ``mpiexec`` has started, for the ``with`` block.

    Each uses ``NPESPCN_THREADS`` threads, or else its share of the cores: their number divided by
    the number of ranks on this machine that may use them.

    An error that all ranks meet leaves the block on rank 0, and the others exit quietly with its
    status. An error on only some ranks would leave the others waiting forever: each of these ranks
    reports it in a line on stderr, and ends the whole job.

    Raises
    ------
    RuntimeError
        If there is no MPI, or if ``mpiexec`` belongs to another MPI than mpi4py.
    """
    mpi = _require_mpi()
    comm, failures = mpi.COMM_WORLD.Dup(), mpi.COMM_WORLD.Dup()
    started = next((os.environ[name] for name in _STARTED if name in os.environ), comm.Get_size())
    if int(started) != comm.Get_size():
        raise RuntimeError(
            f"mpiexec started {started} processes, but mpi4py sees {comm.Get_size()}: they belong "
            f"to different MPIs; use the mpiexec of {mpi.Get_library_version().split(',')[0]!r}"
        )
    node = comm.Split_type(mpi.COMM_TYPE_SHARED)
    group = MPIGroup(comm, node.Get_rank())
    try:
        with threads_for(_share_of_cores(node)):
            yield group
    except BaseException as error:
        if not _all_fail(failures):
            _report_failure(group, error)
            comm.Abort(1)
        if group.rank:
            raise SystemExit(130 if isinstance(error, KeyboardInterrupt) else 1) from None
        raise


def _require_mpi() -> Any:
    """Import mpi4py's MPI, which starts MPI."""
    try:
        return importlib.import_module("mpi4py.MPI")
    except ImportError as error:
        raise RuntimeError(
            "mpi4py is not installed: pip install 'npespcn[mpi]', which brings MPICH along, or "
            "pip install mpi4py where there is an MPI"
        ) from error
    except RuntimeError as error:  # mpi4py is there, the library that it loads is not
        reason = str(error).partition("\n")[0]
        raise RuntimeError(f"mpi4py finds no MPI ({reason}): pip install mpich") from error


def _share_of_cores(node: Any) -> int:
    """Return this rank's share of the cores that it may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # missing on macOS and Windows
    cores = sorted(affinity(0)) if affinity else list(range(os.cpu_count() or 1))
    sharers = sum(other == cores for other in node.allgather(cores))
    return max(1, len(cores) // sharers)


def _all_fail(failures: Any) -> bool:
    """Return whether all other ranks arrive here, too, within a short time."""
    until = time.monotonic() + GRACE
    try:
        request = failures.Ibarrier()
        while not request.Test():
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
    except RuntimeError:  # MPI's own, if it has noticed that a rank is gone
        return False
    return True


def _report_failure(group: MPIGroup, error: BaseException) -> None:
    """Report why this rank ended, with the traceback unless the error is the user's."""
    if not isinstance(error, OSError | ValueError | RuntimeError | ArithmeticError | MemoryError):
        traceback.print_exception(error)
    words = " ".join(f"{type(error).__name__}: {error}".split())
    print(
        f"npespcn: rank {group.rank} of {group.size} failed, which ends the run; its last "
        f"checkpoint stays. {words}",
        file=sys.stderr,
        flush=True,
    )
