"""
Why it is fast
==============

**Question.** NumPy programs are said to be slow. This project trains a network in less time than
PyTorch takes on the same processor, without compiled code of its own. What makes a NumPy program
slow, and what is left when that is taken away?

:Aim: You can tell what a NumPy call costs, you can record a computation as a list of calls, and you
      know why that list is fast and when it is dangerous.
:Minutes: 40
:Needs: Lessons 4 and 7.
:Practice: Read :doc:`Why it is fast </performance>`, which has every measurement.

The times on this page were measured where the page was built. Yours will differ. The order of
magnitude will not.
"""

# %%
# What one call costs
# -------------------
#
# ``np.add(a, b)`` is one line of Python. Before the first number is added, Python looks up the
# function, NumPy checks shapes and types, and memory for the result is found. All that has to be
# done once for a call, no matter how many numbers are in it.
#
# .. predict::
#
#    We add two arrays of 10 numbers, and two of 10,000 numbers. How many times as long does the
#    second call take? 10, 100, 1,000 times?
#
# .. answer::
#
#    Far less than 1,000 times, and less than 100 times. The second call does a thousand times as
#    much, but in the first call nearly all of the time goes into the call itself, not into the
#    addition.

import time

import numpy as np


def seconds(function, *arguments, repeats=50):
    """Return the median time of a call, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


for size in (10, 100, 1_000, 10_000, 100_000):
    a, b = np.ones(size, np.float32), np.ones(size, np.float32)
    t = seconds(np.add, a, b)
    print(f"{size:7,} numbers: {1e6 * t:6.2f} µs, {1e9 * t / size:7.2f} ns a number")

# %%
# So the first rule is: few calls, each with many numbers. The second rule is about *what* the calls
# compute. Compare a matrix product with an addition. (One thread each; the products of this lesson
# are too small to be shared.)

from threadpoolctl import threadpool_limits

threadpool_limits(1, "blas")
side = 512
a = np.ones((side, side), np.float32)
product = seconds(np.matmul, a, a)
addition = seconds(np.add, a, a)
print(f"product: {2 * side**3 / product / 1e9:.0f} billion operations a second")
print(f"addition: {side**2 / addition / 1e9:.1f} billion operations a second")
assert 2 * side**3 / product > side**2 / addition

# %%
# Both numbers are for the same processor. In a product every number that was fetched from memory is
# used 512 times. In a sum it is used once, and the processor waits for the memory. That is why
# lesson 4 turned convolution into a matrix product.
#
# Half the multiplications
# ------------------------
#
# Can a product be replaced by a smaller one? A filter with three entries, g, slides over a row of
# numbers, d. Two neighboring outputs are
#
# .. math::
#
#    \begin{aligned}
#    y_0 &= d_0 g_0 + d_1 g_1 + d_2 g_2 \\
#    y_1 &= d_1 g_0 + d_2 g_1 + d_3 g_2
#    \end{aligned}
#
# These are six multiplications. Shmuel Winograd found a way with four:
#
# .. math::
#
#    \begin{aligned}
#    m_1 &= (d_0 - d_2)\, g_0 \\
#    m_2 &= (d_1 + d_2)\, (g_0 + g_1 + g_2) / 2 \\
#    m_3 &= (d_2 - d_1)\, (g_0 - g_1 + g_2) / 2 \\
#    m_4 &= (d_1 - d_3)\, g_2 \\
#    y_0 &= m_1 + m_2 + m_3 \\
#    y_1 &= m_2 - m_3 - m_4
#    \end{aligned}
#
# The sums of the g do not count: they are computed once for the whole image.
#
# .. predict::
#
#    Try it with d = (1, 2, 3, 4) and g = (2, 4, 6): compute y both ways.
#
# .. answer::
#
#    Directly: 2 + 8 + 18 = 28 and 4 + 12 + 24 = 40. Winograd: :math:`m_1 = -2 \cdot 2 = -4`,
#    :math:`m_2 = 5 \cdot 6 = 30`, :math:`m_3 = 1 \cdot 2 = 2`, :math:`m_4 = -2 \cdot 6 = -12`. So
#    :math:`y_0 = -4 + 30 + 2 = 28` and :math:`y_1 = 30 - 2 + 12 = 40`.


def two_outputs(d, g):
    m1 = (d[0] - d[2]) * g[0]
    m2 = (d[1] + d[2]) * (g[0] + g[1] + g[2]) / 2
    m3 = (d[2] - d[1]) * (g[0] - g[1] + g[2]) / 2
    m4 = (d[1] - d[3]) * g[2]
    return m1 + m2 + m3, m2 - m3 - m4


d, g = np.array([1, 2, 3, 4]), np.array([2, 4, 6])
print(two_outputs(d, g))
assert two_outputs(d, g) == (d[:3] @ g, d[1:] @ g) == (28, 40)

# %%
# With many channels d and g become matrices, and each multiplication becomes a matrix product. So a
# third of the expensive products is saved, for a few cheap additions. The project uses a larger
# form of the same trick, with six products for four outputs in place of twelve (`Lavin and Gray
# 2016 <https://arxiv.org/abs/1509.09308>`__ brought it to neural networks).
#
# A list of calls
# ---------------
#
# Now the calls themselves. Here is a layer: multiply by a matrix, add a bias, take the tanh. Each
# line finds memory for its result, and gives it back soon after.


def layer(x, weight, bias):
    y = x @ weight
    y = y + bias
    return np.tanh(y)


# %%
# In training, this function is called thousands of times with inputs of the same shape. Everything
# but the numbers is known in advance: the shapes, the types, the memory that is needed. So we can
# prepare it all once. NumPy's functions take a last argument, ``out``: the array to write the
# result into. ``partial(f, a, b)`` remembers a function with its arguments, and calls it later.
#
# We *record* the layer as a list of prepared calls. To compute it, we copy the input to the place
# that the list reads from, and *replay* the list.

from functools import partial


def record(shape, weight, bias):
    """Return the array to put the input into, the list of calls, and the array of the result."""
    x = np.empty(shape, weight.dtype)
    y = np.empty((shape[0], weight.shape[1]), weight.dtype)
    calls = [
        partial(np.matmul, x, weight, y),
        partial(np.add, y, bias, y),
        partial(np.tanh, y, y),
    ]
    return x, calls, y


rng = np.random.default_rng(0)
weight = rng.normal(size=(64, 32)).astype(np.float32)
bias = rng.normal(size=32).astype(np.float32)
first = rng.normal(size=(100, 64)).astype(np.float32)

x, calls, y = record((100, 64), weight, bias)
x[...] = first
for call in calls:
    call()
assert np.allclose(y, layer(first, weight, bias), atol=1e-6)

# %%
# The list gives the same numbers. It looks like more work for us, but there is less work for
# Python: no shapes to find out, no memory to ask for, nothing to decide. The larger gain is in a
# network with threads. Only one thread can run Python code at a time. While NumPy computes, it lets
# the others run. If there is hardly any Python left between the calls, the threads hardly wait for
# each other.
#
# What breaks: the memory is used again
# -------------------------------------
#
# .. predict::
#
#    We replay the list for a first input and keep the result, y. Then we replay it for a second
#    input. What is in the first result now?
#
# .. answer::
#
#    The second result! There is only one array y, and both names mean the same memory.

x[...] = first
for call in calls:
    call()
result_1 = y
x[...] = 2 * first
for call in calls:
    call()
result_2 = y
print("the results are equal:", np.array_equal(result_1, result_2))
assert np.array_equal(result_1, result_2)
assert not np.allclose(result_1, layer(first, weight, bias))

# %%
# This is one of the nastiest mistakes in fast programs. It is fast, it is right the first time, and
# a test that calls once does not see it. So results that leave the list have to be copied, or
# written to new memory.
#
# All of it: ``accelerate``
# -------------------------
#
# ``npespcn.fast.accelerate`` records a whole network in this way, forward and backward, with
# Winograd's trick and threads. One line at the call site, and all else stays:

from npespcn.fast import accelerate
from npespcn.losses import mse
from npespcn.models import ESPCN

images = rng.uniform(size=(16, 1, 32, 32)).astype(np.float32)
targets = rng.uniform(size=(16, 1, 96, 96)).astype(np.float32)


def step(network):
    loss, dy = mse(network.forward(images), targets)
    network.backward(dy)
    return loss


book = ESPCN(3)
fast = accelerate(ESPCN(3))  # the same seed, so the same weights
assert np.isclose(step(book), step(fast), rtol=1e-5)
for name, gradient in book.grads.items():
    largest = np.abs(gradient).max()
    assert np.abs(gradient - fast.grads[name]).max() < 1e-4 * largest

for name, network in (("the book", book), ("accelerated", fast)):
    print(f"{name}: {1000 * seconds(step, network, repeats=5):.1f} ms a step")

# %%
# And it does not make the mistake from above:

y_1 = fast.predict(images[:1])
kept = y_1.copy()
y_2 = fast.predict(images[1:2])
assert np.array_equal(y_1, kept)

# %%
# What you know now
# -----------------
#
# - A call costs about a microsecond, whatever is in it. A number in a matrix product costs a small
#   part of a nanosecond.
# - A computation whose shapes repeat can be recorded once and replayed. The idea is also that of
#   CUDA graphs and of ``torch.compile``.
# - Memory that is used again must not leave the list.
#
# Try this: add the backward pass of ``layer`` to the list.
#
# Next: :doc:`appendix C <c_another_processor>` goes to another processor.
