"""
Many processes
==============

**Question.** Processes, or a thousand machines, share the work of a training step. What must they
tell each other, so that they take the very step that a single process takes? What does that cost?

**Predict before you run.** Write down your answers.

- Eight numbers are cut into parts of 3, 3 and 2. How do you get their mean from the parts' means?
- Two ranks share batches for 22,729 float64 parameters. How many bytes does each send in a step?
- A message takes 2 µs, a step 50 ms. Do messages keep 1,024 machines waiting? If not, what does?
"""

# %%
# The gradient of a mean is a mean of gradients
# ---------------------------------------------
# The loss is a mean over images, so its gradient is the mean of theirs, whoever finds them. Here y
# is w·x with w = 1, and the target t is 3·x: the gradient of (y - t)² in w is -4·x². Weighted by
# their lengths, the means of parts give the mean of all. Unweighted they do not.

import inspect
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from threading import Barrier
from timeit import default_timer, repeat

import numpy as np
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from npespcn import data, figures, losses, models, optim

threadpool_limits(1, "blas")  # several threads would wait for each other: the products are small
OUT = Path("runs/tutorials")
OUT.mkdir(parents=True, exist_ok=True)

gradients = -4 * np.arange(8) ** 2
parts = np.split(gradients, [3, 6])
print(*parts, "means:", *(f"{part.mean():.1f}" for part in parts), "of all:", gradients.mean())
assert np.isclose(sum(len(part) / 8 * part.mean() for part in parts), gradients.mean())
assert not np.isclose(np.mean([part.mean() for part in parts]), gradients.mean())

# %%
# Ten lines that matter
# ---------------------
# Each process has a number, its *rank*. From the same seeds all make the same network and draw the
# same batches. Each takes its slice through the network, lays its gradients end to end in one flat
# array, and weights it. ``allreduce`` gives the sum of all ranks' arrays to each. So all take the
# same step from the same place, and nobody ever sends a weight. Here threads play the ranks.


def train(rank, size, allreduce, steps=8, n=16):
    model = models.ESPCN(scale=3, padding="edge", dtype="float64")
    patches = data.PairedPatches(data.dead_leaves_pictures(4, 160), scale=3)
    optimizer, rng = optim.Adam(model), np.random.default_rng(0)
    mine = slice(n * rank // size, n * (rank + 1) // size)
    for _ in range(steps):
        lr, hr = (x[mine].astype(float) for x in patches.batch(rng, n, 32))
        _, dy = losses.mse(model.forward(lr), hr[..., 12:-12, 12:-12])
        model.backward(dy)
        flat = np.concatenate([grad.ravel() for grad in model.grads.values()])
        total = allreduce(flat * (len(lr) / n))
        start = 0
        for grad in model.grads.values():
            grad[...] = total[start : start + grad.size].reshape(grad.shape)
            start += grad.size
        optimizer.step()
    return np.concatenate([parameter.ravel() for parameter in model.params.values()])


def simulate(size, tell=True):
    barrier, sent = Barrier(size), [None] * size

    def train_as(rank):
        def allreduce(flat):
            sent[rank] = flat
            barrier.wait()  # until all have sent theirs
            total = sum(sent) if tell else flat * size  # untold: as if all had found the same
            barrier.wait()  # until all have read
            return total

        return train(rank, size, allreduce)

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(train_as, range(size)))


ends = []


def nobody_else(flat):
    ends.append(default_timer())
    return flat


alone = train(0, 1, nobody_else)
for size in (2, 3):  # three have 5, 5 and 6 of the 16 patches
    first, *others = simulate(size)
    print(f"{size} ranks: as one, but for {np.abs(first - alone).max():.0e}")
    assert all(np.array_equal(first, other) for other in others)
    assert np.abs(first - alone).max() < 1e-12
print(f"a rank sends {alone.size:,} numbers, {alone.nbytes:,} bytes, whatever the batch")
gap = np.abs(np.subtract(*simulate(2, tell=False))).max()
print(f"what breaks: without a word two ranks drift apart, by {gap:.4f}")
assert gap > 1e-3

# %%
# The real thing
# --------------
# ``mpiexec -n 2`` starts a program twice, and MPI connects the two. The program is ``train``, and
# times the Allreduce: in a step, where most of it is waiting for the slower rank, and by itself.

PROGRAM = """
import time, mpi4py.MPI as MPI, numpy as np
from npespcn import data, losses, models, optim
from threadpoolctl import threadpool_limits

TRAIN

def allreduce(flat):
    total = np.empty_like(flat)
    started = time.perf_counter()
    comm.Allreduce(flat, total)
    times.append((started, time.perf_counter()))
    return total

threadpool_limits(1, "blas")
comm, times = MPI.COMM_WORLD, []
weights = train(comm.rank, comm.size, allreduce)
for _ in range(300):
    allreduce(weights)
took, steps = np.diff(times)[:, 0], np.diff(np.array(times)[:8, 1])
medians = [1000 * np.median(t) for t in (steps, took[:8], took[8:])]
np.savez(f"12_rank_{comm.rank}.npz", weights=weights, medians=medians)
"""
program = PROGRAM.replace("TRAIN", inspect.getsource(train))
work = 1000 * np.median(np.diff(ends))
mpiexec = shutil.which(Path(sys.executable).with_name("mpiexec")) or shutil.which("mpiexec")
if not (mpiexec and find_spec("mpi4py")):
    print("MPI is not installed (pip install 'npespcn[mpi]'), so only threads have played ranks")
for size in (2, 1) if mpiexec and find_spec("mpi4py") else ():
    command = [mpiexec, "-n", str(size), sys.executable, "-c", program]
    subprocess.run(command, cwd=OUT, check=True, stdin=subprocess.DEVNULL)  # noqa: S603
    rank = np.load(OUT / "12_rank_0.npz")
    work, inside, bare = rank["medians"]
    print(f"{size} by MPI: step {work:.1f} ms, Allreduce {inside:.2f} in it, {bare:.3f} by itself")
    assert np.abs(rank["weights"] - alone).max() < 1e-12

# %%
# A thousand machines
# -------------------
# Threads need no messages, because they read and write the same memory. So on one machine ``npespcn
# train`` shares a step among the threads of one process. Ranks are for many machines, connected by
# nothing but cables.
#
# A good Allreduce among P ranks takes 2·log₂ P·latency + 2·bytes/bandwidth. With 16 patches for
# each rank, as many as one had above, that is next to nothing. The expensive work is the work that
# is not shared: here every rank cuts *all* patches out, to take its slice (it need not). And
# batches that grow soon stop making steps better.
#
# **Next:** ``mpiexec -n 2 npespcn train --distributed``. The ten lines are in
# ``npespcn/runs/ranks.py``, in ``Share`` and ``Averaged``.

ranks = 2 ** np.arange(1, 13)
patches = data.PairedPatches(data.dead_leaves_pictures(4, 160), 3)
seconds = min(repeat(lambda: patches.batch(np.random.default_rng(0), 256, 32), number=1))
curves = {
    "forward and backward": work + 0 * ranks,
    "cutting all patches": 1000 * seconds / 16 * ranks,  # 256 patches are those of 16 ranks
}
for name, latency, rate in (("InfiniBand", 2e-6, 12.5e9), ("Ethernet", 3e-5, 1.25e9)):
    curves[f"Allreduce, {name}"] = 1e3 * (2 * np.log2(ranks) * latency + 2 * alone.nbytes / rate)
figure = Figure(figsize=(10, 5), facecolor="white", layout="constrained")
axes = figure.subplots()
for (name, ms), marker in zip(curves.items(), "osD^", strict=True):
    print(f"{name}: {ms[9]:.2f} ms with {ranks[9]:,} ranks")
    axes.loglog(ranks, ms, marker=marker, ms=8, label=name)
axes.set(title="A step with 16 patches for each rank", xlabel="ranks", ylabel="milliseconds")
figure.legend(loc="outside right center")
figures.save(figure, OUT / "12_ranks.png")
print(OUT / "12_ranks.png")
