"""Training on many processes ("ranks"), which MPI starts and connects: ``mpiexec -n 4 ...``.

Every rank has the whole network and takes its share of every batch. The gradient of a mean is the
mean of the gradients, so before each step one Allreduce adds up the gradients of the ranks, and
gives the sum to all of them. Then each takes the same step with the same numbers. So they stay
equal, and only at the beginning are weights and the optimizer's state sent.

If rank i of P has n[i] of a batch of N patches, and its own mean loss is L[i]::

    L = sum over i of n[i]/N L[i]          dL/dweight = sum over i of n[i]/N dL[i]/dweight

This holds for every loss that is a mean over images or over their elements, as all of
`npespcn.losses` are. `fit` is written for a group of ranks; `SingleProcess` is the group of one.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from npespcn.arrays import array_module
from npespcn.common import Array
from npespcn.fast.gpu import to_device, to_host, to_network
from npespcn.runs.wrappers import Wrapper

Result = TypeVar("Result")


class Group:
    """The processes that train one network together; this one is number `rank` of `size`."""

    rank, size = 0, 1

    def share(self, count: int) -> slice:
        """Return this rank's share of `count` things, which may be empty."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def check_batch(self, count: int) -> None:
        """Raise a ValueError if a batch of `count` patches leaves a rank without one."""
        if count < self.size:
            raise ValueError(
                f"a batch of {count} leaves some of {self.size} ranks without a patch: it must be "
                f"at least {self.size} (--batch-size counts the patches of all ranks together)"
            )

    def agree(self, loss: Array, weight: float, *flags: bool) -> tuple[Any, ...]:
        """Return the mean loss, and each flag combined over all ranks by OR.

        `weight` is this rank's share of the batch; over all ranks these add up to 1.
        """
        return loss, *flags

    def sum(self, mine: Array) -> Array:
        """Return the sum of all ranks' arrays, which lie on the host: the same bits on each."""
        return mine

    def on_rank_0(self, function: Callable[[], Result]) -> Result:
        """Call `function` on rank 0 only; return its result, or raise its error, on every rank."""
        return function()

    def gather(self, mine: list[Array]) -> list[Array]:
        """Return the arrays of all ranks, in the ranks' order."""
        return mine

    def use_gpu(self) -> None:
        """Choose this rank's GPU: the ranks of a machine take its devices in turn."""


class SingleProcess(Group):
    """The group of one process, which has the whole batch."""


class MPIGroup(Group):
    """Ranks connected by an MPI communicator.

    Parameters
    ----------
    comm : mpi4py.MPI.Comm
        The communicator; `npespcn.runs.mpi.mpi_group` makes it.
    node_rank : int
        The number of this rank among those on its machine.
    """

    def __init__(self, comm: Any, node_rank: int) -> None:
        self.comm, self.node_rank = comm, node_rank
        self.rank, self.size = comm.Get_rank(), comm.Get_size()

    def agree(self, loss: Array, weight: float, *flags: bool) -> tuple[Any, ...]:
        """Add them up in one Allreduce of a few numbers."""
        total = self.sum(np.array([float(loss) * weight, *flags]))
        return total[0], *(bool(count) for count in total[1:])

    def sum(self, mine: Array) -> Array:
        """Add them up by one Allreduce."""
        total = np.empty_like(mine)
        self.comm.Allreduce(mine, total)
        return total

    def on_rank_0(self, function: Callable[[], Result]) -> Result:
        """Call it on rank 0, and send the result or the error to all."""
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
        """Exchange the arrays."""
        return [array for part in self.comm.allgather(mine) for array in part]

    def use_gpu(self) -> None:
        """Take the device whose number is this rank's number on its machine."""
        to_device(np.zeros(1))  # which says what is wrong, if there is no device
        cuda = importlib.import_module("cupy").cuda
        cuda.Device(self.node_rank % cuda.runtime.getDeviceCount()).use()


class Share:
    """Cut this rank's share from each batch of `data`, in the dtype and on the device of `model`.

    ``weight`` is the last share's fraction of its batch.
    """

    def __init__(self, data: Any, group: Group, model: Any) -> None:
        self.data, self.group, self.model, self.weight = data, group, model, 1.0

    def batch(self, *how: Any) -> list[Array]:
        """Return (LR, HR) patches."""
        whole = self.data.batch(*how)
        mine = self.group.share(len(whole[0]))
        self.weight = (mine.stop - mine.start) / len(whole[0])
        return [to_network(self.model, x[mine]) for x in whole]


class Averaged(Wrapper):
    """Step by the mean of all ranks' gradients, each weighted by its share of the batch."""

    def __init__(self, optimizer: Any, share: Share) -> None:
        super().__init__(optimizer)
        self.share = share

    def step(self) -> None:
        """Average by one Allreduce of one buffer on the host, and step."""
        grads = list(self.model.grads.values())
        xp = array_module(grads[0])
        flat = to_host(xp.concatenate([grad.ravel() for grad in grads])) * self.share.weight
        total, start = xp.asarray(self.share.group.sum(flat)), 0
        for grad in grads:
            grad[...] = total[start : start + grad.size].reshape(grad.shape)
            start += grad.size
        super().step()
