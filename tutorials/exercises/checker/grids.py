"""Small arrays as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

WIDEST, HIGHEST = 9, 9  # numbers in a row, rows in a grid
LONGEST = 90  # of a call in one line


def compare(name: str, expected: Any, came: Any) -> str:
    """Print two arrays of one shape beside each other: the first plane in which they differ."""
    expected, came = np.asarray(expected), np.asarray(came)
    where = ""
    if expected.ndim > 2:
        planes = (-1, *expected.shape[-2:])
        differing = ~np.isclose(
            expected.reshape(planes).astype(np.float64),
            came.reshape(planes).astype(np.float64),
            rtol=1e-5,
            atol=1e-8,
            equal_nan=True,
        )
        first = int(differing.any(axis=(1, 2)).argmax())
        index = np.unravel_index(first, expected.shape[:-2])
        where = f"[{', '.join(str(int(i)) for i in index)}]"
        expected, came = expected.reshape(planes)[first], came.reshape(planes)[first]
    for digits in (4, 7, 16):  # as many as it takes to see the difference
        left, right = grid(expected, digits), grid(came, digits)
        if left != right:
            break
    left, right = [f"{name}{where} expected", *left], ["came", *right]
    width = max(map(len, left)) + 3
    return "\n".join(f"{a:{width}}{b}".rstrip() for a, b in zip(left, right, strict=True))


def grid(x: Any, digits: int = 4) -> list[str]:
    """Return the lines of a small array's numbers, in columns; of a larger one its upper left."""
    x = np.atleast_2d(np.asarray(x))
    rows = [[_number(value, digits) for value in row[:WIDEST]] for row in x[:HIGHEST]]
    width = max((len(text) for row in rows for text in row), default=0)
    more = " …" if x.shape[1] > WIDEST else ""
    lines = [" ".join(f"{text:>{width}}" for text in row) + more for row in rows]
    return lines + (["…"] if x.shape[0] > HIGHEST else [])


def call(name: str, arguments: Mapping[str, Any]) -> str:
    """Write a call down as Python has it, in lines of its own where it is long."""
    words = [f"{key}={_value(value)}" for key, value in arguments.items()]
    if sum(map(len, words)) < LONGEST:
        return f"{name}({', '.join(words)})"
    return f"{name}(\n    " + ",\n    ".join(words) + ")"


def _value(value: Any) -> str:
    if not isinstance(value, np.ndarray):
        text = repr(value)
        return text if len(text) < 60 else f"{text[:57]}..."
    kind = "" if value.dtype in (np.int64, np.float64) else f".astype(np.{value.dtype})"
    count = np.arange(value.size).reshape(value.shape)
    point = ".0" if value.dtype.kind == "f" else ""
    for start in (0, 1):
        if value.size > 1 and np.array_equal(value, count + start):
            first = f"{start}, " if start else ""
            span = f"np.arange({first}{value.size + start}{point})"
            return span + (f".reshape{value.shape}" if value.ndim > 1 else "") + kind
    if value.size <= 12:
        return f"np.array({_nested(value)}){kind}"
    return f"<numbers of shape {value.shape}, {value.dtype}>"


def _nested(value: Any) -> str:
    """Write an array as nested lists, with a point in one number at least if it is of floats."""
    value = np.asarray(value)
    if value.ndim == 0:
        text = _number(value)
        return f"{text}.0" if value.dtype.kind == "f" and text.lstrip("-").isdecimal() else text
    return f"[{', '.join(_nested(part) for part in value)}]"


def _number(value: Any, digits: int = 4) -> str:
    if isinstance(value, int | np.integer | bool | np.bool_):
        return str(value)
    text = f"{float(value):.{digits}g}"
    return "0" if text == "-0" else text
