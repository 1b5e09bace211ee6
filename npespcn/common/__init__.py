"""What the wings share and the book does not: checks, whole files, messages."""

from typing import Any, TypeAlias

from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
"""A NumPy array, or a CuPy array used the same way."""
