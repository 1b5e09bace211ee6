"""Training on many processes ("ranks"), which MPI starts and connects: ``mpiexec -n 4 ...``.

Every rank has the whole network and takes its share of every batch. The gradient of a mean is the
mean of the gradients, so before each step one Allreduce adds up what the ranks found, and gives the
sum to all. From there on each does the same to the same numbers. So they stay equal, and once they
have begun, neither weights nor the optimiser's memory need to be sent.

With rank i of P on n[i] of a batch of N patches, and its own mean loss L[i]::

    L = sum over i of n[i]/N L[i]          dL/dweight = sum over i of n[i]/N dL[i]/dweight

which holds for every loss that is a mean over images or over their elements, as all of
`npespcn.losses` are. `training.fit` is written for ranks; `Alone` is the one that is by itself.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from npespcn.arrays import array_module
from npespcn.common import Array
from npespcn.fast.gpu import to_device, to_host

Result = TypeVar("Result")

GRACE = 3.0  # seconds in which ranks that fail for one reason fail, too


class Alone:
    """A run in one process: it has the whole batch, and nobody to ask."""

    rank, size = 0, 1

    def part(self, count: int) -> slice:
        """Return which of `count` things are this rank's.

        Raises
        ------
        ValueError
            If there are fewer things than ranks.
        """
        if count < self.size:
            raise ValueError(
                f"a batch of {count} leaves some of {self.size} ranks without a patch: it must be "
                f"at least {self.size} (--batch-size counts the patches of all ranks together)"
            )
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def mean(
        self, grads: Mapping[str, Array], loss: Array, weight: float, wishes: tuple[bool, ...]
    ) -> tuple[Array, tuple[bool, ...]]:
        """Make `grads`, in place, the mean of all ranks'; return the mean loss and all wishes.

        Parameters
        ----------
        grads : mapping of str to array
            Of this rank's part of the batch.
        loss : 0-d array
        weight : float
            The part of the batch that is this rank's; over all ranks they add up to 1.
        wishes : tuple of bool
            Each of them is granted to all ranks if it is one rank's.
        """
        return loss, wishes

    def first(self, function: Callable[[], Result]) -> Result:
        """Return on every rank what `function` returns on rank 0, where alone it is called.

        What it raises there is raised everywhere.
        """
        return function()

    def gather(self, mine: list[Array]) -> list[Array]:
        """Return the arrays of all ranks, in the ranks' order."""
        return mine

    def use_gpu(self) -> None:
        """Choose this rank's GPU: the ranks of a machine take its devices in turn."""


class Ranks(Alone):
    """One of many ranks.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm
        What connects them; `world` makes it.
    node_rank : int
        The number of this one among those on its machine.
    """

    def __init__(self, comm: Any, node_rank: int = 0) -> None:
        self.comm, self.node_rank = comm, node_rank
        self.rank, self.size = comm.Get_rank(), comm.Get_size()

    def mean(
        self, grads: Mapping[str, Array], loss: Array, weight: float, wishes: tuple[bool, ...]
    ) -> tuple[Array, tuple[bool, ...]]:
        """Do so by one Allreduce of one buffer on the host: gradients, loss and wishes."""
        xp = array_module(*grads.values())
        parts = [grad.ravel() for grad in grads.values()]
        flat = to_host(xp.concatenate([*parts, xp.asarray(loss).reshape(1)])) * weight
        mine = np.concatenate([flat, np.asarray(wishes, flat.dtype)])
        total = np.empty_like(mine)
        self.comm.Allreduce(mine, total)
        end = flat.size - 1
        reduced, start = xp.asarray(total[:end]), 0
        for grad in grads.values():
            grad[...] = reduced[start : start + grad.size].reshape(grad.shape)
            start += grad.size
        return total[end], tuple(bool(granted) for granted in total[end + 1 :])

    def first(self, function: Callable[[], Result]) -> Result:
        """Call it on rank 0, and send what comes of it to all."""
        answer: tuple[Any, Exception | None] = (None, None)
        if self.rank == 0:
            try:
                answer = function(), None
            except Exception as error:
                answer = None, error
        result, failure = self.comm.bcast(answer)  # mpi4py pickles it, among our own processes
        if failure is not None:
            raise failure
        return result

    def gather(self, mine: list[Array]) -> list[Array]:
        """Exchange them."""
        return [array for part in self.comm.allgather(mine) for array in part]

    def use_gpu(self) -> None:
        """Take the device that this rank's number on its machine says."""
        to_device(np.zeros(1))  # which says what is wrong, if there is none
        cuda = importlib.import_module("cupy").cuda
        cuda.Device(self.node_rank % cuda.runtime.getDeviceCount()).use()


def say(ranks: Ranks, error: BaseException) -> None:
    """Say what ended this rank; with the traceback, where it is no error of the user's."""
    if not isinstance(error, OSError | ValueError | RuntimeError | ArithmeticError | MemoryError):
        traceback.print_exception(error)
    words = " ".join(f"{type(error).__name__}: {error}".split())
    print(
        f"npespcn: rank {ranks.rank} of {ranks.size} failed, which ends the run; its last "
        f"checkpoint stays. {words}",
        file=sys.stderr,
        flush=True,
    )
