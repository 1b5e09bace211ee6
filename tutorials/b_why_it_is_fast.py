"""
Why it is fast
==============

**Question.** NumPy programs are said to be slow. But when it was measured, this project trained a
network in less time than PyTorch on the same processor, without compiled code of its own (:doc:`Why
it is fast </performance>` has the tables). What makes a NumPy program slow, and what remains when
that is taken away?

:Aim: You can tell what a NumPy call costs, you can record a computation as a list of calls, and you
      know why that list is fast and when it is dangerous.
:Minutes: 40
:Needs: Lessons 4 and 7.
:Practice: Read :doc:`Why it is fast </performance>`, which has every measurement.

The times on this page were measured on the computer that built the page. Yours will differ, but you
should find the same pattern.
"""

# %%
# What one call costs
# -------------------
#
# ``np.add(a, b)`` is one line of Python. Before the first number is added, Python looks up the
# function, NumPy checks shapes and types, and it finds memory for the result. All this has to be
# done once for each call, no matter how many numbers are in the arrays.
#
# .. predict::
#
#    We add two arrays of 10 numbers, and then two arrays of 10,000 numbers. How many times as long
#    does the second call take: about 6 times, 100 times, or 1,000 times?
#
# .. answer::
#
#    About 6 to 9 times. The second call adds a thousand times as many numbers. But in the first
#    call nearly all of the time goes into the call itself, and not into the addition.

import time

import numpy as np


def seconds(function, *arguments, repeats=50):
    """Return the shortest time of a call, in seconds: other programs only make it longer."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - start)
    return min(times)


microseconds = {}
for size in (10, 100, 1_000, 10_000, 100_000):
    a = np.ones(size, np.float32)
    b = np.ones(size, np.float32)
    microseconds[size] = 1e6 * seconds(np.add, a, b)
    each = 1000 * microseconds[size] / size
    print(f"{size:7,} numbers: {microseconds[size]:6.2f} µs, {each:6.2f} ns for each number")

assert microseconds[10_000] < 100 * microseconds[10]

# %%

import drawing

drawing.save(drawing.call_times(microseconds), "b_calls.png")

# %%
# On the left the curve is flat: with 10 numbers or with 100, a call takes the same time. On the
# right the call itself hardly counts, and ten times as many numbers take about ten times as long.
# So the first rule is: few calls, each with many numbers.
#
# The second rule is about *what* the calls compute. We compare a matrix product with an addition. A
# product of two matrices of 512×512 needs :math:`512^3` multiplications and as many additions. We
# count both as operations. A sum of two such matrices needs :math:`512^2` operations. NumPy would
# share the product among all cores of the processor, but not the sum. ``threadpool_limits`` holds
# the product to one core, so that the comparison is fair.

from threadpoolctl import threadpool_limits

side = 512
a = np.ones((side, side), np.float32)
with threadpool_limits(1, "blas"):
    product = seconds(np.matmul, a, a)
addition = seconds(np.add, a, a)
product_rate = 2 * side**3 / product / 1e9
addition_rate = side**2 / addition / 1e9
print(f"product: {product_rate:.0f} billion operations a second")
print(f"addition: {addition_rate:.1f} billion operations a second")
assert product_rate > 5 * addition_rate

# %%
# Both numbers are for the same processor. In a product, every number that is fetched from memory is
# used 512 times. In a sum it is used once, and the processor waits for the memory. So the second
# rule is: make the work a matrix product. That is why lesson 4 turned convolution into one.
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
# The sums of the g do not count. They are computed once, and serve for the whole image.
#
# .. predict::
#
#    Try it with d = (1, 2, 3, 4) and g = (2, 4, 6). Compute :math:`y_0` and :math:`y_1` both ways.
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
y0, y1 = two_outputs(d, g)
print(f"Winograd: {y0:.0f} and {y1:.0f}; directly: {d[:3] @ g} and {d[1:] @ g}")
assert two_outputs(d, g) == (d[:3] @ g, d[1:] @ g) == (28, 40)

# %%
# With many channels d and g become matrices, and each multiplication becomes a matrix product. So a
# third of the expensive products is saved, and the price is a few cheap additions. The project uses
# a larger form of the same method. It computes four outputs at a time, with six products in place
# of twelve. That is half of them. (`Lavin and Gray 2016 <https://arxiv.org/abs/1509.09308>`__
# brought Winograd's method to neural networks.)
#
# A list of calls
# ---------------
#
# Now the calls themselves. Here is a layer: multiply by a matrix, add a bias, take the tanh. In
# each line NumPy finds new memory for the result, and soon after it gives this memory back.


def layer(x, weight, bias):
    y = x @ weight
    y = y + bias
    return np.tanh(y)


# %%
# In training, this function is called thousands of times with inputs of the same shape. Everything
# but the numbers is known in advance: the shapes, the types, the memory that is needed. So we can
# prepare it all once. We need two tools. First, NumPy's functions take one more argument, ``out``:
# the array to write the result into. ``np.add(y, bias, y)`` writes the sum back into y. Second,
# ``call = partial(f, a, b)`` remembers a function with its arguments. Later ``call()`` does the
# same as ``f(a, b)``.
#
# We *record* the layer as a list of prepared calls. To compute it, we copy the input into the array
# x, from which the list reads, and *replay* the list. The copy is ``x[...] = first``. (``x =
# first`` would only give the name x to another array, and the list would still read the old one.)

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


def replay(calls):
    for call in calls:
        call()


rng = np.random.default_rng(0)
weight = rng.normal(size=(64, 32)).astype(np.float32)
bias = rng.normal(size=32).astype(np.float32)
first = rng.normal(size=(100, 64)).astype(np.float32)

x, calls, y = record((100, 64), weight, bias)
x[...] = first
replay(calls)
assert np.allclose(y, layer(first, weight, bias), atol=1e-6)

# %%
# The list gives the same numbers. Is it faster? We measure it with a small input and with a large
# one. (The copy of the input is not counted. In a network only the first layer needs it: every
# other layer finds its input where the layer before has left it.)

for rows in (100, 100_000):
    wide = rng.normal(size=(rows, 64)).astype(np.float32)
    x_wide, calls_wide, _ = record((rows, 64), weight, bias)
    x_wide[...] = wide
    with threadpool_limits(1, "blas"):
        plain = 1e6 * seconds(layer, wide, weight, bias, repeats=20)
        recorded = 1e6 * seconds(replay, calls_wide, repeats=20)
    print(f"{rows:7,} rows: function {plain:9.1f} µs, list {recorded:9.1f} µs")

# %%
# With a small input the list saves only a few microseconds, because this layer has only three
# calls. With a large input the memory matters: new memory comes from the operating system page by
# page, and each page is filled with zeros before we get it. The list uses the same memory again and
# again. (How much this saves depends on the operating system, and on what else the computer does.)
#
# A whole network gains more. Without a list, its layers must find out at each step what to do, and
# this is thousands of calls of Python functions. With a list it is some fifty calls for a few
# images. The largest gain comes from *threads*. A thread is a part of a program that runs beside
# the others, on a core of its own. But only one thread can run Python code at a time. While NumPy
# computes, it lets the other threads run. If there is hardly any Python code left between the
# calls, the threads hardly wait for each other. (:doc:`Why it is fast </performance>` has these
# measurements.)
#
# What breaks: two results
# ------------------------
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
replay(calls)
result_1 = y
x[...] = 2 * first
replay(calls)
result_2 = y
print("the results are equal:", np.array_equal(result_1, result_2))
assert np.array_equal(result_1, result_2)
assert not np.allclose(result_1, layer(first, weight, bias))

# %%
# This mistake is hard to find. The program is right the first time, and a test that calls it once
# does not see the mistake. So results that leave the list have to be copied, or written to new
# memory.
#
# All of it: ``accelerate``
# -------------------------
#
# :func:`npespcn.fast.accelerate` records a whole network in this way, forward and backward, with
# Winograd's method and with threads. In your program one line changes. We compare a step of the
# book's network with a step of the accelerated one:

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

with threadpool_limits(1, "blas"):
    for name, network in (("the book", book), ("accelerated", fast)):
        print(f"{name}: {1000 * seconds(step, network, repeats=5):.1f} ms a step")

# %%
# (The book's products ran on one core here. The threads of ``accelerate`` use all cores, so a part
# of the gain is theirs.) And ``accelerate`` does not make the mistake from above:

y_1 = fast.predict(images[:1])
kept = y_1.copy()
y_2 = fast.predict(images[1:2])
assert np.array_equal(y_1, kept)

# %%
# What you know now
# -----------------
#
# - A call costs about half a microsecond or more, however few numbers are in it. An operation in a
#   matrix product costs about a hundredth of a nanosecond.
# - A computation whose shapes repeat can be recorded once and replayed. The idea is also that of
#   CUDA graphs and of ``torch.compile``.
# - Memory that will be used again must not leave the list. Copy the result.
#
# Try this: add the backward pass of ``layer`` to the list.
#
# Next: :doc:`appendix C <c_another_processor>` goes to another processor.
