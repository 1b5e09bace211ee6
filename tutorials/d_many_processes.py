"""
Many processes
==============

**Question.** A *process* is a program that runs, with a memory of its own. Several processes, on
one machine or on a thousand, train one network together. What must they tell each other, so that
they take exactly the step that a single process would take? What does it cost?

:Aim: You can explain data-parallel training and its one message, and estimate what the message
      costs.
:Minutes: 35
:Needs: Lessons 6 and 9.
:Practice: With MPI installed: ``mpiexec -n 2 npespcn train --distributed``.
"""

# %%
# The gradient of a mean is a mean of gradients
# ---------------------------------------------
#
# The loss of a batch is the mean of its images' losses. The derivative of a sum is the sum of the
# derivatives. So the gradient of the batch is the mean of the images' gradients. It does not matter
# which process computes which of them.
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
print("means of the parts:", [round(float(part.mean()), 2) for part in parts])
plain = 0
weighted = 0
for part in parts:
    plain += part.mean() / 3
    weighted += part.mean() * len(part) / 8
print(f"mean of the means {plain:.2f}, weighted {weighted:.2f}, mean of all {gradients.mean():.2f}")
assert np.isclose(weighted, gradients.mean())
assert not np.isclose(plain, gradients.mean())

# %%
# One message a step
# ------------------
#
# Each process has a number, its *rank*: 0, 1, 2, ... The processes themselves are called ranks,
# too. All begin with the same seed. So all have the same weights and draw the same batches. In each
# step every rank
#
# 1. takes its share of the batch through the network, forward and backward;
# 2. lays its gradients end to end in one flat array, and multiplies it by its share;
# 3. sends the array to the others, and gets the sum of all ranks' arrays back;
# 4. takes the step with that sum.
#
# Part 3 is called *Allreduce*. Now every rank has the gradient of the whole batch. All take the
# same step from the same place, and arrive at the same place. Nobody ever sends a weight.
#
# In the program, a rank gets its own number, the number of ranks (``size``), and a function
# ``allreduce`` that does part 3. Each rank should compute on one core only. ``threadpool_limits``
# tells NumPy so, as in lesson 9.

from threadpoolctl import threadpool_limits

from npespcn.data import PairedPatches, dead_leaves_pictures
from npespcn.losses import mse
from npespcn.models import ESPCN
from npespcn.optim import Adam

threadpool_limits(1, "blas")
BATCH, PATCH, STEPS = 16, 16, 5
patches = PairedPatches(dead_leaves_pictures(4, 160), scale=3)


def train(rank, size, allreduce):
    """Train as one of `size` ranks; return all weights in one flat array."""
    model = ESPCN(scale=3, padding="edge", dtype="float64")
    optimizer, rng = Adam(model), np.random.default_rng(0)
    mine = slice(BATCH * rank // size, BATCH * (rank + 1) // size)  # my part of the batch
    for _ in range(STEPS):
        # 1. my share, forward and backward
        lr, hr = patches.batch(rng, BATCH, PATCH)  # (16, 1, 16, 16), (16, 1, 48, 48)
        lr, hr = lr[mine].astype(float), hr[mine].astype(float)
        _, dy = mse(model.forward(lr), hr[..., 12:-12, 12:-12])  # the middle, as in lesson 9
        model.backward(dy)

        # 2. and 3. all my gradients in one flat array, and the sum of all ranks' arrays
        flat = np.concatenate([grad.ravel() for grad in model.grads.values()])  # (22_729,)
        total = allreduce(flat * (len(lr) / BATCH))  # (22_729,)

        # 4. cut the sum into gradients again, and take the step
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
# Now several ranks. In this lesson *threads* take the place of processes: parts of our program that
# run side by side. (Appendix B has explained them.) They leave their arrays in a common list,
# ``sent``. A ``Barrier`` is a gate that opens when all ranks have arrived. It is needed twice.
# Nobody may add up before all have put their arrays into the list. And nobody may put a new array
# there before all have added up. ``pool.map`` calls ``run(0)``, ``run(1)`` and so on, each in a
# thread of its own. The argument ``listen`` is for an experiment further down.

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier


def train_together(size, listen=True):
    """Train `size` ranks side by side; return the weights of each."""
    barrier = Barrier(size)
    sent = [None] * size

    def run(rank):
        def allreduce(flat):
            sent[rank] = flat
            barrier.wait()  # until all have sent theirs
            total = sum(sent)
            if not listen:
                total = size * flat  # as if all had sent the same
            barrier.wait()  # until all have added up
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
#    From each other: not at all, not even in the last bit. Both have added the same numbers in the
#    same order. From the single process: by rounding only, because it has added the gradients of
#    the images in another order. In float64 that is about :math:`10^{-16}` here.

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
# Suppose that the message is forgotten. Each rank acts as if all others had found the same gradient
# as it has found itself. Each takes good steps on its own part of the data, and no error appears.
# But the ranks drift apart. In the end there are two different networks, each trained on its half
# of the batches.

weights = train_together(2, listen=False)
gap = np.abs(weights[0] - weights[1]).max()
print(f"without messages two ranks drift apart by {gap:.4f} in {STEPS} steps")
assert gap > 1e-3

# %%
# What the message costs
# ----------------------
#
# .. predict::
#
#    How many bytes has the array that a rank gives to Allreduce in a step, in float64? Does the
#    number depend on the batch?
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
# *Latency* is the time that the shortest message takes. *Bandwidth* is the number of bytes that can
# be sent in a second. The work is done in rounds. In each round, pairs of ranks exchange what they
# have, so :math:`\log_2 P` rounds reach all ranks. In the first half of the work the sum is built,
# and in the second half it is handed out. Each half takes :math:`\log_2 P` rounds, and in each half
# a rank sends about as many bytes as its array has. This explains the two factors of 2.
#
# We take the time of our own step, and typical numbers for two kinds of computer networks: a
# latency of 2 microseconds and 12.5 gigabytes a second for InfiniBand, 30 microseconds and 1.25
# gigabytes a second for Ethernet. What happens with up to 4,096 ranks, if each rank has 16 images?
#
# There is one more cost. In our program every rank cuts *all* patches of the batch out of the
# images, and then uses only its own. (So does the project's program.) We measure this, too.

import time

times = []
for _ in range(3):
    start = time.perf_counter()
    train(0, 1, nobody_else)
    times.append(time.perf_counter() - start)
step = 1000 * min(times) / STEPS  # milliseconds

start = time.perf_counter()
patches.batch(np.random.default_rng(0), 1600, PATCH)
cut = 1000 * (time.perf_counter() - start) / 1600  # milliseconds for one patch
print(f"one step: {step:.1f} ms, cutting one patch: {cut:.4f} ms")

# %%
# Now we compute both for up to 4,096 ranks, and the Allreduce by the formula.

ranks = 2 ** np.arange(1, 13)
milliseconds = {
    "one step of our program": np.full(len(ranks), step),
    "cutting all patches": cut * BATCH * ranks,
}
for name, latency, bandwidth in (("InfiniBand", 2e-6, 12.5e9), ("Ethernet", 3e-5, 1.25e9)):
    seconds = 2 * np.log2(ranks) * latency + 2 * alone.nbytes / bandwidth
    milliseconds[f"Allreduce, {name}"] = 1000 * seconds
for name, values in milliseconds.items():
    print(f"{name}: {values[9]:.2f} ms with {ranks[9]:,} ranks")  # ranks[9] is 1,024

assert milliseconds["cutting all patches"][-1] > step > milliseconds["Allreduce, Ethernet"][-1]

# %%

import drawing

drawing.save(drawing.ranks(ranks, milliseconds), "d_ranks.png")

# %%
# The message costs little, because the network is small. There are two other limits. The first is
# the work that is *not* shared: with thousands of ranks, cutting all the patches takes longer than
# everything else. (One would have to let each rank cut only its own.) The second limit is the
# batch: a step with 16,000 images is not a thousand times as good as a step with 16. When the batch
# is large enough, the mean gradient hardly changes with more images. McCandlish and others show how
# to measure this limit, which is different for each task (`An Empirical Model of Large-Batch
# Training, 2018 <https://arxiv.org/abs/1812.06162>`__).
#
# The real thing
# --------------
#
# Real ranks are processes. MPI, the Message Passing Interface, is the standard for programs that
# send messages to each other. ``mpiexec -n 2`` starts a program twice, and connects the two. MPI's
# ``Allreduce`` takes the place of our list and our barrier. The project's command is
#
# .. code-block:: text
#
#    mpiexec -n 2 npespcn train --distributed
#
# and its code is in ``npespcn/runs/ranks.py``. On *one* processor this hardly pays. Threads share
# one memory and need no messages, so ``npespcn train`` uses threads there. Ranks are for several
# machines, or for several GPUs.
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
