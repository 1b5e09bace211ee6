"""Checks of arguments. Each raises an error that names the function and the argument.

Pass function and argument together as the name: ``whole_number("upscale: scale", value, 1)``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Collection
from numbers import Real
from typing import Any

import numpy as np

from npespcn.common.messages import short_repr


def whole_number(name: str, value: Any, least: int) -> int:
    """Return `value` as an int, or raise: it must be a whole number (no bool), at least `least`."""
    try:
        if isinstance(value, bool | np.bool_ | np.ndarray):
            raise TypeError
        number = operator.index(value)  # NumPy's small integers would overflow in r * r
    except TypeError:
        raise TypeError(f"{name} must be a whole number, got {short_repr(value)}") from None
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {number}")
    return number


def positive(name: str, value: Any) -> float:
    """Return `value` as a float, or raise: it must be finite and above 0."""
    number = _real(name, value)
    if not 0 < number < math.inf:
        raise ValueError(f"{name} must be a positive number, got {short_repr(value)}")
    return number


def from_zero(name: str, value: Any) -> float:
    """Return `value` as a float, or raise: it must be finite and at least 0."""
    number = _real(name, value)
    if not 0 <= number < math.inf:
        raise ValueError(f"{name} must be a number from 0, got {short_repr(value)}")
    return number


def fraction(name: str, value: Any) -> float:
    """Return `value` as a float, or raise: it must be at least 0 and below 1."""
    number = _real(name, value)
    if not 0 <= number < 1:
        raise ValueError(f"{name} must be in [0, 1), got {short_repr(value)}")
    return number


def _real(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {short_repr(value)}")
    return float(value)


def one_of(name: str, value: Any, allowed: Collection[Any]) -> None:
    """Raise unless `value` equals an allowed value and has its type."""
    if not any(isinstance(value, type(choice)) and value == choice for choice in allowed):
        choices = ", ".join(repr(choice) for choice in allowed)
        raise ValueError(f"{name} must be one of {choices}, got {short_repr(value)}")


def generator(name: str, rng: Any) -> None:
    """Raise unless `rng` is a random-number generator; a seed is not one."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"{name} must be a numpy.random.Generator, got {type(rng).__name__}")


def function(name: str, value: Any) -> None:
    """Raise unless `value` can be called."""
    if not callable(value):
        raise TypeError(f"{name} must be callable, got {short_repr(value)}")


def array(name: str, x: Any) -> None:
    """Raise unless `x` is a NumPy or CuPy array."""
    if not (isinstance(x, np.ndarray) or hasattr(x, "__cuda_array_interface__")):
        raise TypeError(f"{name} must be a NumPy or CuPy array, got {type(x).__name__}")


def real_array(name: str, x: Any) -> None:
    """Raise unless `x` is an array of real numbers."""
    array(name, x)
    if x.dtype.kind not in "fiu":
        raise TypeError(f"{name} must hold real numbers, got {x.dtype}")


def same_shape(name: str, dy: Any, shape: tuple[int, ...]) -> None:
    """Raise unless a gradient has the shape of its output: another shape might broadcast."""
    array(name, dy)
    if dy.shape != shape:
        raise ValueError(f"{name} must be {shape}, like the output, got {dy.shape}")


def four_sides(name: str, axes: str, shape: Any, least: int) -> tuple[int, int, int, int]:
    """Return a shape of four whole numbers from `least`, or raise; `axes` says what they are."""
    if not isinstance(shape, tuple | list):
        raise TypeError(f"{name} must be {axes}, got {short_repr(shape)}")
    if len(shape) != 4:
        raise ValueError(f"{name} must be {axes}, got {tuple(shape)}")
    a, b, c, d = (whole_number(name, side, least) for side in shape)
    return a, b, c, d
