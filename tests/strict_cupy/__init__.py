"""A stand-in for CuPy that runs on NumPy and refuses what CuPy refuses.

A change that would break on a GPU so fails on a machine without one. The names, and the parameters
of every function and method, are CuPy's own (names.json, made by record_names.py). The arrays are
NumPy arrays in a box: nothing converts them but ``get``, ``asnumpy`` and Python's ``float``.

It is stricter than CuPy where CuPy does something silently. Refused here although CuPy 14 takes
them: a NumPy array as an index, as the value put under an index array, or given to a function that
merely calls the array's method (``sum``, ``reshape``); a device array as a slice bound; NumPy's own
functions called with device arrays, ``np.savez`` among them. Not offered: saving and loading,
random numbers other than a ``Generator``'s, and functions that take a function.
"""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np

from ._array import host_values, index, wrap
from ._array import ndarray as ndarray
from ._rules import (
    FIRST_IS_PLAIN,
    NAMES,
    RECORD,
    check_call,
    holds_array,
    host,
    is_device,
    operand,
    refuse_host,
    signature,
)

__version__ = RECORD["cupy"]

_NOT_OFFERED = """apply_along_axis apply_over_axes piecewise fromfunction mask_indices save savez
    savez_compressed savetxt load loadtxt genfromtxt fromfile fromiter frombuffer fromstring
    printoptions set_printoptions get_printoptions array_repr array_str array2string require
    asarray_chkfinite from_dlpack fromDlpack packbits unpackbits"""
NOT_OFFERED = set(_NOT_OFFERED.split())
_ABOUT_ARRAYS = """ndim shape size isscalar iscomplexobj isrealobj iterable result_type can_cast
    common_type min_scalar_type may_share_memory shares_memory broadcast_shapes issubdtype
    promote_types isdtype isfortran"""
ABOUT_ARRAYS = set(_ABOUT_ARRAYS.split())  # they tell of their arguments, on the host
FIRST_MAY_BE_NUMBER = {"where", "isclose", "allclose"}
UFUNC_METHODS = {
    "outer": None,  # of every ufunc
    "reduce": {"add", "multiply"},
    "accumulate": {"add", "multiply"},
    "at": {"add", "subtract", "maximum", "minimum"},
}


# Transfers.


def array(obj: Any, dtype: Any = None, copy: Any = True, order: str = "K", ndmin: int = 0) -> Any:
    """Copy host data to the device; stack a nest of device arrays."""
    if isinstance(obj, list | tuple) and _holds_device(obj):
        if not _all_device(obj):
            raise TypeError("array: implicit conversion: the list mixes device arrays and others")
        obj = host(obj)
    if is_device(obj):
        made = np.array(obj._array, dtype=dtype, copy=copy, order=order, ndmin=ndmin)
        return obj if made is obj._array else wrap(made)
    if copy is False:
        raise ValueError("array: data from the host must be copied")
    made = np.array(obj, dtype=dtype, ndmin=ndmin)
    layout = "F" if made.flags.fnc or order == "F" else "C"
    return wrap(np.array(made, dtype=made.dtype.newbyteorder("="), order=layout))


def asarray(a: Any, dtype: Any = None, order: str | None = None, *, copy: Any = None) -> Any:
    """Copy host data to the device; leave a device array where it is."""
    return array(a, dtype, copy, order or "K")


def asanyarray(a: Any, dtype: Any = None, order: str | None = None, *, copy: Any = None) -> Any:
    return asarray(a, dtype, order, copy=copy)


def ascontiguousarray(a: Any, dtype: Any = None) -> Any:
    return array(a, dtype, None, "C", ndmin=1)


def asfortranarray(a: Any, dtype: Any = None) -> Any:
    return array(a, dtype, None, "F", ndmin=1)


def asnumpy(a: Any, stream: Any = None, order: str = "C") -> Any:
    """Copy a device array to the host."""
    return a.get(order=order) if is_device(a) else np.asarray(a, order=order)


def get_array_module(*args: Any) -> Any:
    return sys.modules[__name__] if any(is_device(a) for a in args) else np


def _holds_device(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_holds_device(item) for item in value)
    return is_device(value)


def _all_device(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_all_device(item) for item in value)
    return is_device(value)


# Everything else, by name.


class Ufunc:
    """A NumPy ufunc that takes arrays on the device and numbers, and CuPy's three keywords."""

    def __init__(self, name: str) -> None:
        self.__name__ = name
        self._ufunc = getattr(np, name)
        self.nin, self.nout = self._ufunc.nin, self._ufunc.nout

    def __call__(
        self, *args: Any, out: Any = None, casting: str = "same_kind", dtype: Any = None
    ) -> Any:
        inputs = [operand(self.__name__, x) for x in args[: self.nin]]
        given = args[self.nin :] or (out if isinstance(out, tuple) else (out,) * self.nout)
        for x in given:
            if x is not None and not is_device(x):
                raise TypeError(f"{self.__name__}: out must be an array on the device")
        outputs = host(tuple(given))
        # A new array is C-contiguous, as CuPy's are, whatever the layout of the inputs.
        result = self._ufunc(*inputs, out=outputs, casting=casting, dtype=dtype, order="C")
        results = result if isinstance(result, tuple) else (result,)
        boxed = tuple(wrap(r) if x is None else x for r, x in zip(results, given, strict=True))
        return boxed if self.nout > 1 else boxed[0]

    def __getattr__(self, method: str) -> Any:
        if method.startswith("_") or method not in UFUNC_METHODS:
            raise AttributeError(f"{self.__name__}.{method}")
        having = UFUNC_METHODS[method]
        if having is not None and self.__name__ not in having:
            raise NotImplementedError(f"CuPy has no {self.__name__}.{method}")

        def call(a: Any, *args: Any, **kwargs: Any) -> Any:
            if not is_device(a):
                raise TypeError(f"{self.__name__}.{method}: needs an array on the device")
            if method == "at":
                where, value = args
                return self._ufunc.at(a._array, index(where), operand(self.__name__, value))
            refuse_host(self.__name__, [*args, *kwargs.values()])
            return wrap(getattr(self._ufunc, method)(a._array, *host(args), **host_values(kwargs)))

        return call


def _function(place: str, name: str, parameters: str) -> Any:
    original = getattr(_numpy(place), name)
    known = signature("x, /" if parameters == "ufunc" else parameters)
    first = next(iter(known.parameters), "")
    makes_array = not place and (first in FIRST_IS_PLAIN or name in FIRST_MAY_BE_NUMBER)

    def call(*args: Any, **kwargs: Any) -> Any:
        if name in ABOUT_ARRAYS:
            refuse_host(name, [*args, *kwargs.values()])
            return original(*host(args), **host_values(kwargs))
        check_call(name, known, args, kwargs, makes_array)
        if name == "einsum":
            if kwargs.keys() - {"dtype", "optimize"}:
                raise TypeError(f"einsum: CuPy has only dtype and optimize, got {list(kwargs)}")
            for x in args[1:] if isinstance(args[0], str) else args[::2]:
                if not is_device(x) and holds_array(x):
                    raise TypeError("einsum: takes arrays, not lists of them")
        result = original(*host(args), **host_values(kwargs))
        for x in (*args, *kwargs.values()):  # it may be `out`
            if is_device(x) and x._array is result:
                return x
        return wrap(result)

    call.__name__ = name
    return call


def _numpy(place: str) -> Any:
    found: Any = np
    for part in filter(None, place.split(".")):
        found = getattr(found, part)
    return found


def _find(place: str, name: str) -> Any:
    """Return the twin of CuPy's `name` in the module at `place`, or raise AttributeError."""
    full = ".".join(filter(None, ("cupy", place, name)))
    kind = NAMES[place].get(name)
    if kind is None:
        raise AttributeError(f"CuPy {__version__} has no {full}")
    if kind in ("class", "module", "value") or name in NOT_OFFERED:
        raise AttributeError(f"{full} exists, but the stand-in does not offer it")
    original = getattr(_numpy(place), name, None)
    if original is None and name != "newaxis":
        raise AttributeError(f"CuPy has {full}, but this NumPy {np.__version__} has no twin of it")
    if kind == "numpy":
        return original
    if isinstance(original, np.ufunc):
        return Ufunc(name)
    return _function(place, name, kind)


class Namespace(types.SimpleNamespace):
    """A submodule whose names are looked up in names.json."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _find(self.place, name)


linalg = Namespace(place="linalg")
lib = types.SimpleNamespace(stride_tricks=Namespace(place="lib.stride_tricks"))


class Generator:
    """Random numbers on the device. Many methods of NumPy's are missing: see names.json."""

    def __init__(self, seed: Any = None) -> None:
        self._generator = np.random.default_rng(seed)

    def __getattr__(self, name: str) -> Any:
        parameters = NAMES["random.Generator"].get(name)
        if parameters is None:
            raise AttributeError(f"CuPy {__version__} has no random.Generator.{name}")
        known = signature(parameters)

        def call(*args: Any, **kwargs: Any) -> Any:
            known.bind(self, *args, **kwargs)
            refuse_host(name, [*args, *kwargs.values()])
            return wrap(getattr(self._generator, name)(*host(args), **host_values(kwargs)))

        return call


random = types.SimpleNamespace(Generator=Generator, default_rng=Generator)


class CUDARuntimeError(RuntimeError):
    """What CuPy raises when the CUDA runtime reports an error."""


cuda = types.SimpleNamespace(
    runtime=types.SimpleNamespace(getDeviceCount=lambda: 1, CUDARuntimeError=CUDARuntimeError)
)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return _find("", name)


def __dir__() -> list[str]:
    return sorted(NAMES[""])
