"""What CuPy takes and what it refuses, checked before NumPy does the work."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np

RECORD = json.loads(Path(__file__).with_name("names.json").read_text())
NAMES: dict[str, dict[str, str]] = RECORD["names"]

DTYPES = "?bhilqBHILQefdFD"
SCALARS = (bool, int, float, complex, np.bool_, np.number)

# Parameters of CuPy's functions, by name. An operand is an array on the device or one number; a
# sequence is a list of such arrays; a plain one holds sizes, axes or dtypes, and no array at all.
OPERANDS = {"a", "a1", "a2", "b", "v", "x", "x1", "x2", "y", "condition", "values", "src"}
SEQUENCES = {"tup", "arrays", "arys", "args", "xi", "condlist", "choicelist"}
_PLAIN = """shape newshape new_shape axis axes axis1 axis2 axisa axisb axisc source destination
    n k N M m num dtype order ord ddof keepdims decimals shift reps repeats pad_width mode
    window_shape strides start stop step dimensions dims indices_or_sections kth offset ndim"""
PLAIN = set(_PLAIN.split())
FIRST_IS_PLAIN = {"shape", "start", "n", "N", "M", "dimensions"}  # they make a new array


def is_device(value: Any) -> bool:
    """Return whether `value` is an array of the stand-in."""
    return hasattr(type(value), "_is_strict_cupy")


def holds_array(value: Any) -> bool:
    """Return whether there is an array in `value`, a nest of lists and tuples."""
    if isinstance(value, list | tuple):
        return any(holds_array(item) for item in value)
    return is_device(value) or isinstance(value, np.ndarray)


def refuse_host(name: str, value: Any) -> None:
    """Raise TypeError if `value` is, or holds, a NumPy array."""
    if isinstance(value, list | tuple):
        for item in value:
            refuse_host(name, item)
    elif isinstance(value, np.ndarray):
        raise TypeError(f"{name}: got a NumPy array; hand it over with asarray first")


def operand(name: str, value: Any) -> Any:
    """Return the host twin of an operand: an array on the device, or one number."""
    refuse_host(name, value)
    if not is_device(value) and not isinstance(value, SCALARS):
        raise TypeError(f"{name}: unsupported type {type(value).__name__}")
    return host(value)


def host(value: Any) -> Any:
    """Return `value` with every array of the stand-in, at any depth, replaced by its host twin."""
    if isinstance(value, list | tuple):
        return type(value)(host(item) for item in value)
    return value._array if is_device(value) else value


def signature(parameters: str) -> inspect.Signature:
    """Return the signature that names.json spells "a, axis=, *, keepdims="."""
    result, kind = [], inspect.Parameter.POSITIONAL_OR_KEYWORD
    for part in parameters.split(", ") if parameters else []:
        name = part.strip("*=")
        default = None if part.endswith("=") else inspect.Parameter.empty
        if part == "/":
            result = [p.replace(kind=inspect.Parameter.POSITIONAL_ONLY) for p in result]
        elif part.startswith("**"):
            result.append(inspect.Parameter(name, inspect.Parameter.VAR_KEYWORD))
        elif part.startswith("*"):
            kind = inspect.Parameter.KEYWORD_ONLY
            if name:
                result.append(inspect.Parameter(name, inspect.Parameter.VAR_POSITIONAL))
        else:
            result.append(inspect.Parameter(name, kind, default=default))
    return inspect.Signature(result)


def check_call(
    name: str, known: inspect.Signature, args: Any, kwargs: Any, makes_array: bool = False
) -> None:
    """Raise TypeError for an argument that CuPy's function or method `name` would refuse.

    The first must be an array, or a sequence of them, unless the function makes a new array.
    """
    try:
        call = known.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{name}: {error}; CuPy has {name}{known}") from None
    for position, (parameter, value) in enumerate(call.arguments.items()):
        values = list(value.values()) if isinstance(value, dict) else value  # **kwargs
        refuse_host(f"{name}({parameter})", values)
        first = position == 0 and not makes_array
        kind = known.parameters[parameter].kind
        if parameter == "out":
            if value is not None and not is_device(value):
                raise TypeError(f"{name}: out must be an array on the device")
        elif parameter in SEQUENCES:
            if not is_device(value) and not _are_device(value):
                raise TypeError(f"{name}: takes a sequence of arrays on the device")
        elif parameter in PLAIN and not first:
            if holds_array(value):
                raise TypeError(f"{name}: {parameter} takes plain numbers, not an array")
        elif kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            pass  # einsum's operands, pad's options
        elif first or parameter in OPERANDS:
            number = isinstance(value, SCALARS) and not first
            if not (is_device(value) or number or value is None):
                kind_of = type(value).__name__
                raise TypeError(
                    f"{name}: {parameter} must be an array on the device, not {kind_of}"
                )
        elif isinstance(value, list | tuple) and parameter != "indices":
            raise TypeError(f"{name}: {parameter} takes no list")


def _are_device(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(is_device(item) for item in value)
