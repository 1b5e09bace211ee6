"""
Another processor
=================

**Question.** A graphics processor, GPU, multiplies matrices many times faster than the main
processor, CPU. But it has a memory of its own. What must be changed in a NumPy program so that it
runs there?

:Aim: You can write a function that runs on both processors, and you know what must not be mixed and
      what the way between the two memories costs.
:Minutes: 25
:Needs: Lesson 5. You need no GPU: the lesson shows the ideas on any machine.
:Practice: On a machine with an NVIDIA GPU: ``npespcn upscale photo.jpg --device gpu``.
"""

# %%
# Two memories
# ------------
#
# The package `CuPy <https://cupy.dev>`__ has NumPy's functions under the same names: ``cupy.tanh``,
# ``cupy.matmul``, ``cupy.pad``. Its arrays lie in the memory of the GPU. NumPy cannot reach them
# there, and CuPy cannot reach NumPy's arrays. Two functions cross the border:
#
# - ``cupy.asarray(x)`` copies a NumPy array to the GPU;
# - ``y.get()`` copies a CuPy array back.
#
# We build a small model of this world, so that you can see the border without a GPU. Our other
# memory is called ``far``. A far array is a NumPy array in a box. It can be added, multiplied, and
# brought back, but never mixed with a NumPy array that is not in a box. (Python calls ``__add__``
# for the sign ``+``, and ``__matmul__`` for the sign ``@``.)

from types import SimpleNamespace

import numpy as np


class FarArray:
    """A NumPy array in a box. Only far functions may look inside."""

    def __init__(self, inside):
        self.inside = inside
        self.shape = inside.shape

    def get(self):
        return self.inside.copy()

    def __add__(self, other):
        return FarArray(self.inside + opened(other))

    def __matmul__(self, other):
        return FarArray(self.inside @ opened(other))

    __array_ufunc__ = None  # tells NumPy to leave the box alone when it sees array @ box


def opened(x):
    """Return what is in the box; refuse everything that is not in one."""
    if not isinstance(x, FarArray):
        raise TypeError(f"a far array and a {type(x).__name__} do not mix")
    return x.inside


def far_asarray(x):
    return FarArray(np.array(x))


def far_tanh(x):
    return FarArray(np.tanh(opened(x)))


far = SimpleNamespace(asarray=far_asarray, tanh=far_tanh)  # stands in for a module


# %%
# One function for both
# ---------------------
#
# Here is a layer of a network. It works on the CPU only, because it says ``np.tanh``.


def cpu_layer(x, weight, bias):
    return np.tanh(x @ weight + bias)


# %%
# We do not want to write every layer twice. Therefore the function *asks the array* where it
# belongs. It gets the module with the right functions, calls it ``xp``, and says ``xp.tanh``.
#
# .. predict::
#
#    What could go wrong if the function asked the *machine* instead: "is there a GPU? Then use
#    CuPy"?
#
# .. answer::
#
#    On a machine with a GPU the function could no longer be used with NumPy arrays. A program often
#    wants both: it prepares images on the CPU and computes on the GPU. Only the array itself knows
#    where it is.


def array_module_by_hand(x):
    if isinstance(x, FarArray):
        return far
    if isinstance(x, np.ndarray):
        return np
    raise TypeError(f"no array: {type(x).__name__}")


def layer(x, weight, bias):
    xp = array_module_by_hand(x)
    return xp.tanh(x @ weight + bias)


rng = np.random.default_rng(0)
x, weight, bias = rng.normal(size=(5, 4)), rng.normal(size=(4, 3)), rng.normal(size=3)

near_result = layer(x, weight, bias)
far_result = layer(far.asarray(x), far.asarray(weight), far.asarray(bias))
print("near:", type(near_result).__name__, " far:", type(far_result).__name__)
assert np.array_equal(near_result, cpu_layer(x, weight, bias))
assert np.array_equal(near_result, far_result.get())

# %%
# This is all that the book does. Its :func:`npespcn.arrays.array_module` knows NumPy and CuPy.
# Every function of the book that makes arrays begins with ``xp = array_module(x)``. There is no
# second network for the GPU.

from npespcn.arrays import array_module

assert array_module(x) is np

# %%
# What breaks: two memories in one call
# -------------------------------------
#
# .. predict::
#
#    The weights are far, the image is near. What does ``layer(image, far_weight, far_bias)`` do:
#    does it copy one of them silently, does it give a wrong result, or does it fail?
#
# .. answer::
#
#    It fails with a ``TypeError``, and CuPy does the same. A silent copy would be dangerous: the
#    program would be right, and slow, and nobody would know why. A crossing must be written where
#    everybody can see it.

try:
    layer(x, far.asarray(weight), far.asarray(bias))
except TypeError as error:
    print("TypeError:", error)
else:
    raise AssertionError("two memories were mixed")

# %%
# (Here the image comes first, so NumPy is asked first, and it refuses. If the image is far and the
# weights are near, our own ``opened`` refuses.)
#
# What the crossing costs
# -----------------------
#
# The way between the two memories is narrow. For example, NVIDIA's `H200
# <https://www.nvidia.com/en-us/data-center/h200/>`__ can fetch 4,800 gigabytes a second from its
# own memory, but only 128 gigabytes a second can cross, both ways together. So an image
# should cross once, and the enlarged image should come back once. Everything in between stays on
# the GPU.
#
# .. predict::
#
#    An image is made three times as large. Its numbers are float32, which have four bytes. How many
#    bytes cross for each pixel of the small image, there and back? And suppose that the result of
#    every layer came home and went out again. Would this be twice as much, ten times as much, or
#    more?
#
# .. answer::
#
#    Out: 4 bytes. Back: nine pixels, 36 bytes. Together 40 bytes. If every result comes home, the
#    64 channels of the first layer alone are 256 bytes, and they cross twice. All together make
#    1648 bytes, which is 41 times as much. The code below adds them up.

from npespcn.models import ESPCN

model = ESPCN(3)
image = rng.uniform(size=(1, 1, 20, 30)).astype(np.float32)
bytes_per_pixel = {"image": image.nbytes // image.size}
y = image
for name, part in model.layers.items():
    y = part.predict(y)
    bytes_per_pixel[name] = y.nbytes // image.size
    print(f"{name}: {bytes_per_pixel[name]} bytes for a pixel of the small image")

ends = bytes_per_pixel["image"] + bytes_per_pixel["shuffle"]
inner = sum(bytes_per_pixel.values()) - ends
print(f"only the ends cross: {ends} bytes; everything crosses: {ends + 2 * inner} bytes")
assert ends == 40
assert ends + 2 * inner == 1648

# %%

import drawing

drawing.save(drawing.traffic(bytes_per_pixel), "c_traffic.png")

# %%
# A real GPU
# ----------
#
# If the computer that runs this lesson has a GPU and CuPy, the next lines run the network of the
# book there. If not, they print what is missing.
#
# There is one more trap: a GPU lets Python go on before it has finished. A clock that is stopped at
# once measures almost nothing. So the clock below stops when the result has come home.

import time

from npespcn.fast.gpu import move, to_device, to_host

try:
    there = to_device(image, "gpu")
except RuntimeError as error:
    print(error)
else:
    here = model.predict(image)
    move(model, "gpu")
    to_host(model.predict(there))  # the first time takes longer
    start = time.perf_counter()
    result = to_host(model.predict(there))
    print(f"on the GPU: {1000 * (time.perf_counter() - start):.1f} ms")
    assert np.abs(result - here).max() < 1e-4

# %%
# What you know now
# -----------------
#
# - A function that asks its array for ``xp`` runs on both processors.
# - All arrays of one call lie in one memory. Crossings are written out.
# - Only the ends of a network need to cross.
#
# Try this: give ``FarArray`` the methods ``reshape`` and ``transpose``, and write a far pixel
# shuffle.
#
# :doc:`On a GPU </gpu>` has the commands, the installation and the limits. Next: :doc:`appendix D
# <d_many_processes>` shares the work among many processes.
