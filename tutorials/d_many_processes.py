"""
Many processes
==============

**Question.** Several processes, on one machine or on a thousand, train one network together. What
must they tell each other, so that they take the very step that a single process would take? What
does it cost?

:Aim: You can explain data-parallel training and its one message, and estimate what the message
      costs.
:Minutes: 25
:Needs: Lessons 6 and 9.
:Practice: With MPI installed: ``mpiexec -n 2 npespcn train --distributed``.
"""

# %%
# The gradient of a mean is a mean of gradients
# ---------------------------------------------
#
# The loss of a batch is the mean of its images' losses. The derivative of a sum is the sum of the
# derivatives. So the gradient of the batch is the mean of the images' gradients, and it does not
# matter who computes which of them.
#
# A tiny example: the network is :math:`y = w \cdot x` with :math:`w = 1`, the target is
# :math:`t = 3x`. The loss of one example is :math:`(y - t)^2`, and its gradient in w is
#
# .. math::
#
#    2\,(y - t)\,x = 2\,(x - 3x)\,x = -4x^2
#
# Eight examples, x = 0 to 7, are shared among three processes, which get 3, 3 and 2 of them. Each
# process computes the mean of its own gradients.
#
# .. predict::
#
#    How do you get the mean of all eight gradients from the three means? Is the mean of the three
#    means right?
#
# .. answer::
#
#    No. The last process has only two examples, so its mean must count less. Weight each mean by
#    the share of the examples: 3/8, 3/8 and 2/8.

import numpy as np

gradients = -4 * np.arange(8) ** 2
parts = np.split(gradients, [3, 6])
print("gradients:", *parts)
print("means of the parts:", *[f"{part.mean():.2f}" for part in parts])
plain = np.mean([part.mean() for part in parts])
weighted = sum(len(part) / 8 * part.mean() for part in parts)
print(f"mean of the means {plain:.2f}, weighted {weighted:.2f}, mean of all {gradients.mean():.2f}")
assert np.isclose(weighted, gradients.mean())
assert not np.isclose(plain, gradients.mean())

# %%
# One message a step
# ------------------
#
# Each process has a number, its *rank*: 0, 1, 2, ... All begin with the same seed. So all have the
# same weights and draw the same batches. In each step every rank
#
# 1. takes its share of the batch through the network, forward and backward;
# 2. lays its gradients end to end in one flat array, and multiplies it by its share;
# 3. gives the array away, and gets the sum of all ranks' arrays back;
# 4. takes the step with that sum.
#
# Part 3 is called *Allreduce*. Now every rank has the gradient of the whole batch. All take the
# same step from the same place, and arrive at the same place. Nobody ever sends a weight.

from npespcn.data import PairedPatches, dead_leaves_pictures
from npespcn.losses import mse
from npespcn.models import ESPCN
from npespcn.optim import Adam

BATCH, PATCH, STEPS = 16, 16, 5
patches = PairedPatches(dead_leaves_pictures(4, 160), scale=3)


def train(rank, size, allreduce):
    """Train as one of `size` ranks; return all weights in one flat array."""
    model = ESPCN(scale=3, padding="edge", dtype="float64")
    optimizer, rng = Adam(model), np.random.default_rng(0)
    mine = slice(BATCH * rank // size, BATCH * (rank + 1) // size)
    for _ in range(STEPS):
        lr, hr = patches.batch(rng, BATCH, PATCH)
        lr, hr = lr[mine].astype(float), hr[mine].astype(float)
        _, dy = mse(model.forward(lr), hr[..., 12:-12, 12:-12])
        model.backward(dy)

        flat = np.concatenate([grad.ravel() for grad in model.grads.values()])
        total = allreduce(flat * (len(lr) / BATCH))

        start = 0
        for grad in model.grads.values():
            grad[...] = total[start : start + grad.size].reshape(grad.shape)
            start += grad.size
        optimizer.step()
    return np.concatenate([parameter.ravel() for parameter in model.params.values()])


# %%
# A single process needs nobody. Its Allreduce gives back what it gets:


def nobody_else(flat):
    return flat


alone = train(0, 1, nobody_else)

# %%
# Now several ranks. Threads play them here. A ``Barrier`` lets nobody pass until all have arrived:
# first until all have put their arrays down, then until all have added them up.

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier


def train_together(size, listen=True):
    """Train `size` ranks side by side; return the weights of each."""
    barrier, sent = Barrier(size), [None] * size

    def run(rank):
        def allreduce(flat):
            sent[rank] = flat
            barrier.wait()  # until all have sent theirs
            total = sum(sent) if listen else flat * size
            barrier.wait()  # until all have read
            return total

        return train(rank, size, allreduce)

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(run, range(size)))


# %%
# .. predict::
#
#    After five steps, how much do the weights of two ranks differ from each other? How much do
#    they differ from the weights of the single process?
#
# .. answer::
#
#    From each other: not at all, not in the last bit. Both have added the same numbers in the same
#    order. From the single process: by rounding only, because it has added the gradients of the
#    images in another order. In float64 that is about :math:`10^{-16}`.

for size in (2, 3):
    weights = train_together(size)
    print(f"{size} ranks: differ from one process by {np.abs(weights[0] - alone).max():.0e}")
    for other in weights[1:]:
        assert np.array_equal(weights[0], other)
    assert np.abs(weights[0] - alone).max() < 1e-12

# %%
# What breaks: ranks that do not listen
# -------------------------------------
#
# Leave the message out: each rank believes that all others have found the gradient that it has
# found itself. Each takes good steps on its own part of the data, and they drift apart. In the end
# there are two different networks, each trained on half of the batch.

weights = train_together(2, listen=False)
gap = np.abs(weights[0] - weights[1]).max()
print(f"without a word two ranks drift apart by {gap:.4f} in {STEPS} steps")
assert gap > 1e-3

# %%
# What the message costs
# ----------------------
#
# .. predict::
#
#    How many bytes does a rank send in a step, in float64? Does the number depend on the batch?
#
# .. answer::
#
#    One number for each parameter: :math:`22{,}729 \cdot 8 = 181{,}832` bytes. It does not depend
#    on the batch, nor on the size of the images.

print(f"{alone.size:,} numbers, {alone.nbytes:,} bytes")
assert alone.nbytes == 181_832

# %%
# A good Allreduce among P ranks takes about
#
# .. math::
#
#    2 \cdot \log_2 P \cdot \text{latency} + \frac{2 \cdot \text{bytes}}{\text{bandwidth}}
#
# seconds (`Thakur, Rabenseifner and Gropp 2005 <https://doi.org/10.1177/1094342005051521>`__).
# *Latency* is how long the shortest message takes, *bandwidth* is how many bytes a second follow
# it. We take the time of our own step, and typical numbers of two kinds of networks, and ask what
# happens with up to 4,096 ranks, if each rank has 16 images.

import time

start = time.perf_counter()
train(0, 1, nobody_else)
step = 1000 * (time.perf_counter() - start) / STEPS  # milliseconds

ranks = 2 ** np.arange(1, 13)
milliseconds = {"forward and backward": np.full(len(ranks), step)}
for name, latency, bandwidth in (("InfiniBand", 2e-6, 12.5e9), ("Ethernet", 3e-5, 1.25e9)):
    seconds = 2 * np.log2(ranks) * latency + 2 * alone.nbytes / bandwidth
    milliseconds[f"Allreduce, {name}"] = 1000 * seconds
for name, values in milliseconds.items():
    print(f"{name}: {values[9]:.2f} ms with {ranks[9]:,} ranks")

# %%

import drawing

drawing.save(drawing.ranks(ranks, milliseconds), "d_ranks.png")

# %%
# The message costs next to nothing, because the network is so small. What limits a thousand
# machines is something else. First, the work that is *not* shared: in our program every rank cuts
# all patches of the batch out, and then uses its own. With a thousand ranks that takes longer than
# everything else. Second, a batch of 16,000 images gives a step that is hardly better than one of
# 1,000 images.
#
# The real thing
# --------------
#
# Real ranks are processes. ``mpiexec -n 2`` starts a program twice, and MPI connects the two. Its
# ``Allreduce`` takes the place of our barriers. The project's command is
#
# .. code-block:: text
#
#    mpiexec -n 2 npespcn train --distributed
#
# and its code is in ``npespcn/runs/ranks.py``. On *one* machine this does not pay: threads share
# memory and need no messages, so ``npespcn train`` uses threads there. Ranks are for many machines.
#
# What you know now
# -----------------
#
# - The gradient of a batch is the weighted mean of its parts' gradients.
# - Ranks with the same seed exchange gradients once a step, and stay equal to the last bit.
# - The message has the size of the network, whatever the batch.
#
# Try this: let one rank begin with another seed. How can the program notice?
#
# :doc:`Training on many processes </distributed>` has the details.
