"""Shared by the wings: checks of arguments, atomic file writes, messages, signals."""

from typing import Any, TypeAlias

from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
"""A NumPy array, or a CuPy array used the same way."""
