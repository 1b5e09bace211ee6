"""The array of the stand-in: a NumPy array in a box that opens only where CuPy's does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ._rules import (
    DTYPES,
    NAMES,
    check_call,
    holds_array,
    host,
    is_device,
    operand,
    refuse_host,
    signature,
)


class ndarray:  # noqa: N801  (CuPy's name)
    """Stands for cupy.ndarray. Make one with the functions of the package."""

    __slots__ = ("_array",)
    __array_ufunc__ = None  # numpy.add(x, 1) and the like raise TypeError
    __hash__ = None  # type: ignore[assignment]
    _is_strict_cupy = True

    def __init__(self, shape: Any, dtype: Any = float, *, order: str = "C") -> None:
        self._array = np.empty(shape, dtype, order)

    # What CuPy refuses outright.

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("implicit conversion to a NumPy array is not allowed: use get()")

    def __array_function__(self, function: Any, *args: Any) -> Any:
        name = function.__name__
        raise TypeError(f"numpy.{name} called with an array on the device: use the array's module")

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """Arrays on a device are known by it. CuPy's says where they lie; these lie nowhere."""
        return {"shape": self.shape, "typestr": self.dtype.str, "data": (0, False), "version": 3}

    # Transfers.

    def get(
        self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True
    ) -> Any:
        result = np.array(self._array, order=order)
        if out is None:
            return result
        out[...] = result
        return out

    def set(self, arr: Any, stream: Any = None) -> None:
        if not isinstance(arr, np.ndarray):
            raise TypeError("set: only a NumPy array can be set")
        if arr.dtype != self.dtype or arr.shape != self.shape:
            raise ValueError("set: shape and dtype must be the array's own")
        self._array[...] = arr

    # Python's own conversions bring one element to the host, in CuPy as here.

    def __float__(self) -> float:
        return float(self._array)

    def __int__(self) -> int:
        return int(self._array)

    def __complex__(self) -> complex:
        return complex(self._array)

    def __bool__(self) -> bool:
        return bool(self._array)

    def __len__(self) -> int:
        return len(self._array)

    def __iter__(self) -> Iterator[ndarray]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return repr(self._array)

    def __format__(self, spec: str) -> str:
        return format(self._array, spec)

    def __copy__(self) -> ndarray:
        return wrap(self._array.copy())

    def __deepcopy__(self, memo: Any) -> ndarray:
        return wrap(self._array.copy())

    # Indexing.

    def __getitem__(self, key: Any) -> ndarray:
        return wrap(self._array[index(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        self._array[index(key)] = operand("x[...] = value", value)

    def fill(self, value: Any) -> None:
        if is_device(value) and value.ndim > 0:
            raise ValueError("fill: takes one value")
        self._array.fill(operand("fill", value))

    # Layout.

    @property
    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    @property
    def strides(self) -> tuple[int, ...]:
        return self._array.strides

    @property
    def dtype(self) -> Any:
        return self._array.dtype

    @property
    def ndim(self) -> int:
        return self._array.ndim

    @property
    def size(self) -> int:
        return self._array.size

    @property
    def itemsize(self) -> int:
        return self._array.itemsize

    @property
    def nbytes(self) -> int:
        return self._array.nbytes

    @property
    def flags(self) -> Flags:
        return Flags(self._array.flags)

    @property
    def T(self) -> ndarray:  # noqa: N802
        return wrap(self._array.T)

    @property
    def mT(self) -> ndarray:  # noqa: N802
        return wrap(self._array.mT)

    @property
    def real(self) -> ndarray:
        return wrap(self._array.real)

    @property
    def imag(self) -> ndarray:
        return wrap(self._array.imag)


class Flags:
    """CuPy's flags know three things, and none can be set."""

    __slots__ = ("c_contiguous", "f_contiguous", "owndata")

    def __init__(self, flags: Any) -> None:
        for name in self.__slots__:
            object.__setattr__(self, name, getattr(flags, name))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"flags.{name} cannot be set")

    def __getitem__(self, name: str) -> bool:
        names = {"C_CONTIGUOUS": "c_contiguous", "F_CONTIGUOUS": "f_contiguous"}
        return bool(getattr(self, {**names, "OWNDATA": "owndata"}[name]))


def wrap(value: Any) -> Any:
    """Box a NumPy array or number; box the items of a list or tuple; leave anything else."""
    if isinstance(value, list | tuple):
        return [wrap(v) for v in value] if isinstance(value, list) else tuple(map(wrap, value))
    if not isinstance(value, np.ndarray | np.generic | bool | int | float):
        return value
    array = np.asarray(value)
    if array.dtype.char not in DTYPES:
        raise ValueError(f"unsupported dtype {array.dtype}")
    boxed = object.__new__(ndarray)
    boxed._array = array
    return boxed


def index(key: Any) -> tuple[Any, ...]:
    """Return the host twin of an index, with an ellipsis, so that even one element is a view."""
    refuse_host("index", key)
    keys = key if isinstance(key, tuple) else (key,)
    if any(isinstance(k, list | tuple) and holds_array(k) for k in keys):
        raise TypeError("index: takes no list of arrays")
    keys = tuple(host(k) for k in keys)
    return keys if any(k is Ellipsis for k in keys) else (*keys, Ellipsis)


# The operators, generated: x + y, y + x, x += y. A new array is C-contiguous, as CuPy's are, also
# where NumPy would keep the layout of its operands.

_ARITHMETIC = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "matmul": np.matmul,
    "truediv": np.true_divide,
    "floordiv": np.floor_divide,
    "mod": np.remainder,
    "divmod": np.divmod,
    "pow": np.power,
    "lshift": np.left_shift,
    "rshift": np.right_shift,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}
_COMPARISON = {
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
}
_UNARY = {"neg": np.negative, "pos": np.positive, "abs": np.absolute, "invert": np.invert}


def _compute(name: str, ufunc: np.ufunc, *inputs: Any) -> Any:
    return wrap(ufunc(*(operand(name, x) for x in inputs), order="C"))


def _add_operators(name: str, ufunc: np.ufunc) -> None:
    def forward(self: ndarray, other: Any) -> Any:
        if other is None and name in ("eq", "ne"):  # no element equals None
            return wrap(np.full(self.shape, name == "ne"))
        return _compute(name, ufunc, self, other)

    def reflected(self: ndarray, other: Any) -> Any:
        return _compute(name, ufunc, other, self)

    def in_place(self: ndarray, other: Any) -> Any:
        ufunc(self._array, operand(name, other), out=self._array)
        return self

    setattr(ndarray, f"__{name}__", forward)
    if name in _ARITHMETIC:
        setattr(ndarray, f"__r{name}__", reflected)
        if name not in ("divmod", "matmul"):  # CuPy has no in-place form of these
            setattr(ndarray, f"__i{name}__", in_place)


def _add_unary(name: str, ufunc: np.ufunc) -> None:
    def unary(self: ndarray) -> Any:
        return _compute(name, ufunc, self)

    setattr(ndarray, f"__{name}__", unary)


# The methods: those that CuPy has, with its parameters.

HOST_RESULTS = {"item", "tolist", "tobytes"}
_NOT_OFFERED = """choose dump dumps mdspan put reduced_view scatter_add scatter_max scatter_min
    searchsorted toDlpack tofile byteswap"""
NOT_OFFERED = set(_NOT_OFFERED.split())


def _add_method(name: str, parameters: str) -> None:
    if name == "astype":  # CuPy names casting and subok only to refuse them
        parameters = parameters.replace(" casting=, subok=,", "")
    known = signature(parameters)

    def method(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        check_call(name, known, (self, *args), kwargs)
        result = getattr(self._array, name)(*host(args), **host_values(kwargs))
        if name in HOST_RESULTS:
            return result
        for x in (self, *args, *kwargs.values()):  # it may be `out`
            if is_device(x) and x._array is result:
                return x
        return wrap(result)

    method.__name__ = name
    setattr(ndarray, name, method)


def host_values(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return `kwargs` with the host twins of its values."""
    return {key: host(value) for key, value in kwargs.items()}


for _name, _ufunc in {**_ARITHMETIC, **_COMPARISON}.items():
    _add_operators(_name, _ufunc)
for _name, _ufunc in _UNARY.items():
    _add_unary(_name, _ufunc)
for _name, _parameters in NAMES["ndarray"].items():
    _offered = _parameters != "value" and _name not in NOT_OFFERED and hasattr(np.ndarray, _name)
    if _offered and not hasattr(ndarray, _name):
        _add_method(_name, _parameters)
