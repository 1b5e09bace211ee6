"""NumPy or CuPy, decided by the array in hand.

Nothing in this package imports CuPy unless the caller asks for a GPU or passes a CuPy array. Code
that must run on both begins with ``xp = array_module(x)`` and then writes ``xp.`` for ``np.``.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from npespcn.common.messages import short_repr

Array: TypeAlias = NDArray[Any]
"""A NumPy array, or a CuPy array used the same way."""


def array_module(*arrays: Array) -> Any:
    """Return the module, ``numpy`` or ``cupy``, that the arrays belong to.

    The array is asked, not the machine: its class comes from a package, and the package has a
    class named ``ndarray`` that it is an instance of.

    Raises
    ------
    TypeError
        If an argument is no array (a list, a PyTorch tensor), or if they belong to two modules.

    Examples
    --------
    >>> array_module(np.zeros(3)).__name__
    'numpy'
    """
    if not arrays:
        raise TypeError("array_module: needs at least one array")
    for x in arrays:  # asked thousands of times a second, mostly about these
        if type(x) is not np.ndarray:
            break
    else:
        return np
    modules = {_module_of(x) for x in arrays}
    if len(modules) != 1:
        names = sorted(module.__name__ for module in modules)
        raise TypeError(f"array_module: all arrays must belong to one module, got {names}")
    return modules.pop()


def _module_of(x: Array) -> ModuleType:
    for cls in type(x).__mro__:  # subclasses such as numpy.memmap count as their parent
        module = sys.modules.get(cls.__module__.partition(".")[0])
        ndarray = getattr(module, "ndarray", None)
        if module is not None and isinstance(ndarray, type) and isinstance(x, ndarray):
            return module
    raise TypeError(f"array_module: expected a NumPy or CuPy array, got {type(x).__name__}")


def strided_view(x: Array, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    """View the memory of `x`, which is contiguous, with another shape and other strides in bytes.

    NumPy's own constructor is used, not ``as_strided``: it is three times quicker to call, and
    raises if the view would leave the memory of `x`.
    """
    xp = array_module(x)
    if xp is np:
        return np.ndarray(shape, x.dtype, x, strides=strides)
    view: Array = xp.lib.stride_tricks.as_strided(x, shape=shape, strides=strides)
    return view


def along_memory(function: Callable[..., Array], x: Array, *others: Array) -> Array:
    """Return ``function(x, *others)``, elementwise and all of one shape, in the memory order of x.

    NumPy's own functions walk along memory, and so lies what they return. CuPy's walk along the
    axes: a picture whose channels lie last in memory would be read 64 numbers apart, and come out
    with them first. So CuPy gets the axes in the order in which x lies.
    """
    if array_module(x) is np:
        return function(x, *others)
    axes = sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))
    y = function(*(array.transpose(axes) for array in (x, *others)))
    return y.transpose([axes.index(axis) for axis in range(x.ndim)])


def device_of(x: Array) -> str:
    """Return where `x` is, in `to_device`'s words: ``"cpu"`` or ``"gpu"``."""
    return "cpu" if array_module(x) is np else "gpu"


def to_host(x: Array) -> Array:
    """Return `x` as a NumPy array: itself if it is one, else a copy from the GPU's memory."""
    return x if array_module(x) is np else x.get()  # type: ignore[attr-defined]  # CuPy's method


def to_device(x: Array, device: str = "gpu") -> Array:
    """Return `x` on `device`: ``"cpu"`` (NumPy) or ``"gpu"`` (CuPy, the current CUDA device).

    An array that is already there is returned as it is.

    Raises
    ------
    ValueError
        If `device` is neither.
    RuntimeError
        If there is no usable GPU. The message says which of the three it is (CuPy is missing, the
        driver is, or the device is) and what to do.
    """
    if not isinstance(device, str) or device not in ("cpu", "gpu"):
        raise ValueError(f"to_device: device must be 'cpu' or 'gpu', got {short_repr(device)}")
    if device == "cpu":
        return to_host(x)
    cupy = _require_cupy()
    return x if array_module(x) is cupy else cupy.asarray(x)


def check_device(device: str) -> None:
    """Raise what `to_device` raises, and see that the GPU can multiply, if that is the device.

    A CuPy that was installed without CUDA's libraries finds a device all the same, and would fail
    at the first matrix product.
    """
    x = to_device(np.ones((2, 2), np.float32), device)
    if device == "cpu":
        return
    try:
        float((x @ x).sum())
    except MemoryError:
        raise
    except Exception as error:  # ImportError for one library, RuntimeError for another, CuPy's own
        words = " ".join(f"{type(error).__name__}: {error}".split())
        raise RuntimeError(
            f"no GPU: CuPy finds a device, but does not compute there ({words}); install it with "
            "CUDA's libraries: pip install 'npespcn[gpu13]', or [gpu12] for CUDA 12"
        ) from error


def _require_cupy() -> Any:
    """Import CuPy and make sure that a device answers: the import alone says nothing about one."""
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "cupy"
        problem = "is not installed" if missing else "does not load; reinstall it"
        raise RuntimeError(
            f"no GPU: CuPy {problem} (pip install 'npespcn[gpu13]', or [gpu12] for CUDA 12)"
        ) from error
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        if "NoDevice" in str(error):
            count = 0
        else:
            raise RuntimeError(
                f"no GPU: the NVIDIA driver is missing or too old for this CuPy ({error}); "
                "install the driver, or use the CPU"
            ) from error
    if count == 0:
        raise RuntimeError(
            "no GPU: the driver finds no CUDA device; check nvidia-smi and CUDA_VISIBLE_DEVICES, "
            "or use the CPU"
        )
    return cupy
