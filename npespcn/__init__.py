"""ESPCN, the sub-pixel convolution network for image super-resolution, from scratch in NumPy.

The ten files beside this one are the book; read them in this order: `arrays`, `shuffle`, `conv`,
`initializers`, `layers`, `losses`, `optim`, `models`, `training`, `gradcheck`. They need
only NumPy. The folders are its wings: code that is fast, robust, or deals with files and people.
"""

import importlib
from typing import Any

__version__ = "0.2.0"
_DOORS = {
    "upscale": "npespcn.enlarge",
    "pretrained": "npespcn.exchange",
    "load": "npespcn.exchange",
    "save": "npespcn.exchange",
}
__all__ = ["__version__", "load", "pretrained", "save", "upscale"]  # see __getattr__


def __getattr__(name: str) -> Any:
    """Import what stands behind a door only when it is asked for."""
    if name not in _DOORS:
        raise AttributeError(f"module 'npespcn' has no attribute {name!r}")
    return getattr(importlib.import_module(_DOORS[name]), name)
