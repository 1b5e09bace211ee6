"""
Another processor
=================

**Question.** A GPU has a memory of its own, and CuPy's arrays live there. What has to be changed in
our network so that it runs there, and what must not be mixed?

**Predict before you run.** Write down your answers.

- ``array_module(x)`` returns ``numpy`` or ``cupy``. What for ``x[0]``, what for ``[1.0, 2.0]``?
- A float32 picture goes to the GPU, its enlargement by 3 comes back. How many bytes a pixel?
"""

# %%
# The array decides
# -----------------
# CuPy has NumPy's functions under the same names, for arrays in the GPU's memory. A function that
# begins with ``xp = array_module(x)`` and says ``xp.`` instead of ``np.`` serves both: hand it a
# CuPy array, and it works on the GPU. ``to_device`` copies an array there, or says what is missing.
#
# To see two kinds on any machine, we make one: the module ``far``. Its arrays are NumPy's in a box.
# Its functions open the boxes, call NumPy's, and box the result. Like CuPy's they refuse arrays
# that are not boxed: only ``asarray`` leads there, and only ``get`` leads back. ``array_module``
# looks for the module that an array's class comes from, and finds ``far``.

import sys
from pathlib import Path
from timeit import repeat
from types import ModuleType

import numpy as np
from matplotlib.figure import Figure

from npespcn import figures
from npespcn.arrays import array_module
from npespcn.fast.gpu import to_device, to_host
from npespcn.losses import mse
from npespcn.models import ESPCN
from npespcn.optim import SGD
from npespcn.shuffle import pixel_shuffle

OUT = Path("runs/tutorials")
OUT.mkdir(parents=True, exist_ok=True)


def open_box(x):
    if isinstance(x, np.ndarray):
        raise TypeError("a NumPy array among far's")
    if isinstance(x, tuple | list):  # such as an index, x[..., p, :, :]
        return type(x)(map(open_box, x))
    return x._data if isinstance(x, Box) else x


def box(x):
    if isinstance(x, np.ndarray | np.generic):
        return Box(np.asarray(x))
    return boxed(x) if callable(x) else x


def boxed(function):
    def call(*arguments, **options):
        options = {name: open_box(value) for name, value in options.items()}
        return box(function(*map(open_box, arguments), **options))

    return call


class Box:
    """An array of far's."""

    def __init__(self, data):
        self._data, self.get = data, data.copy

    def __getattr__(self, name):  # shape, dtype, reshape, sum, ...
        if name.startswith("__"):  # by which NumPy asks whether it may look inside
            raise TypeError("no silent way to NumPy: use get()")
        return box(getattr(self._data, name))


for name in ("getitem", "setitem", "len", "float", "abs", "gt", "matmul", "add", "radd", "iadd",
             "sub", "rsub", "isub", "mul", "rmul", "imul", "truediv"):  # fmt: skip
    setattr(Box, f"__{name}__", boxed(getattr(np.ndarray, f"__{name}__")))


def to_far(x, dtype=None):  # the only way in
    return Box(np.array(open_box(x) if isinstance(x, Box) else x, dtype))


far = ModuleType("far")
for name in np.__all__:
    setattr(far, name, box(getattr(np, name)))
far.ndarray, far.asarray = Box, to_far
Box.__module__, sys.modules["far"] = "far", far  # as if it had been imported

kinds, numbers = [np], np.arange(24).reshape(4, 2, 3)
y = pixel_shuffle(far.asarray(numbers), 2)
print(array_module(numbers[0]).__name__, array_module(y).__name__, y.get(), sep="\n")
assert np.array_equal(y.get(), pixel_shuffle(numbers, 2))
try:
    kinds.append(array_module(to_device(numbers, "gpu")))
except RuntimeError as error:
    print(f"{error}; so the times below are only the CPU's")

# %%
# The same code
# -------------
# The shuffle runs there. So does the whole network, training too, with not a line changed. (``far``
# takes the CPU's time: it is NumPy in disguise.) A GPU lets Python go on before it is done, so the
# clock starts and stops when a result is home. Only the picture and the last result need to cross.
# If every layer's output is fetched and sent on, many times as many bytes cross.


def work(xp):
    model = ESPCN(3)
    for layer in model.layers.values():  # as npespcn.fast.gpu.move(model, "gpu") does
        layer.params = {name: xp.asarray(value) for name, value in layer.params.items()}
    x = xp.asarray(picture)
    loss, dy = mse(model.forward(x), xp.asarray(original))
    model.backward(dy)
    SGD(model, 0.1).step()
    y = to_host(model.predict(x))  # the first time takes longer
    seconds = min(repeat(lambda: to_host(model.predict(x)), number=1))
    return model, x, float(loss), y, round(1000 * seconds, 1)


rng = np.random.default_rng(0)
picture = rng.uniform(size=(1, 1, 180, 320)).astype(np.float32)
original = rng.uniform(size=(1, 1, 540, 960)).astype(np.float32)
results = {}
for xp in [*kinds, far]:
    results[xp] = model, x, loss, y, ms = work(xp)
    print(f"{xp.__name__}: loss {loss:.6f}, predict {ms} ms")
    assert np.allclose(y, results[np][3], rtol=0, atol=1e-4)

z, sizes = picture, {"picture": 4}
for name, layer in ESPCN(3).layers.items():
    z = layer.predict(z)
    sizes[name] = z.nbytes // picture.size
first, *inner, last = sizes.values()
print(f"bytes a pixel: {first + last}; home after each layer: {first + 2 * sum(inner) + last}")
figure = Figure(figsize=(10, 3), facecolor="white", layout="constrained")
axes, *more = figure.subplots(1, len(kinds), squeeze=False)[0]
axes.bar_label(axes.bar(list(sizes), sizes.values(), color=["C1", *["C0"] * 5, "C1"]))
axes.set(title="Only the ends need to cross (orange)", ylabel="bytes a pixel", ymargin=0.15)
for axes in more:  # where there is a GPU
    axes.bar_label(axes.bar([xp.__name__ for xp in kinds], [results[xp][-1] for xp in kinds]))
    axes.set(title="180×320 to 540×960 pixels", ylabel="milliseconds", ymargin=0.15)
figures.save(figure, OUT / "11_traffic.png")
print(OUT / "11_traffic.png")

# %%
# What breaks: two kinds in one call
# ----------------------------------
# All arrays in a call are of one kind. A crossing takes time, so each is written out: ``to_host``
# before drawing, ``float(loss)`` only to show it. Anything else is refused. (``npespcn.save``
# brings the weights home by itself.) **Next:** ``npespcn upscale --device gpu``; lesson 12.


def a_list():
    return array_module([1.0, 2.0])


def weights_there_picture_here():
    return model.forward(picture)


def x_times_picture():
    return x * picture


def as_np_savez_does():
    return np.asarray(x)


for attempt in (a_list, weights_there_picture_here, x_times_picture, as_np_savez_does):
    try:
        attempt()
        raise AssertionError(f"{attempt.__name__} went through")
    except TypeError as error:
        print(f"{attempt.__name__}: {error}")
