"""NumPy or CuPy, decided by the array in hand; and the checks that the other files share.

Code that must run on both begins with ``xp = array_module(x)`` and then writes ``xp.`` for ``np.``.
Nothing in the book imports CuPy: whoever passes a CuPy array has done so already.
"""

import sys

import numpy as np


def array_module(x):
    """Return the module that an array belongs to: ``numpy``, or ``cupy`` if it lies on a GPU.

    The array is asked, not the machine: its class comes from a package, and that package has a
    class ``ndarray``.

    >>> array_module(np.zeros(3)).__name__
    'numpy'
    """
    package = sys.modules.get(type(x).__module__.split(".")[0])
    if not isinstance(x, (getattr(package, "ndarray", ()), np.generic)):
        raise TypeError(f"expected a NumPy or CuPy array, got {type(x).__name__}")
    return package


def require(condition, message):
    """Raise a ValueError unless the condition holds: where NumPy would go on in silence."""
    if not condition:
        raise ValueError(message)


def check_shape(name, x, shape):
    """Raise unless `x` has this shape; some others would broadcast."""
    require(x.shape == tuple(shape), f"{name} must have shape {tuple(shape)}, got {x.shape}")


def choose(name, table):
    """Return ``table[name]``, or raise an error that lists the names."""
    require(name in table, f"expected one of {', '.join(map(repr, table))}, got {name!r}")
    return table[name]
