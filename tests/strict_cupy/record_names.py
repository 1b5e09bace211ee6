"""Record what CuPy offers, and with which parameters, in names.json.

Run it where CuPy is installed; no GPU is needed:

    pip install cupy-cuda13x
    python tests/strict_cupy/record_names.py
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

NAMES = Path(__file__).with_name("names.json")
PLACES = ["", "linalg", "lib.stride_tricks", "ndarray", "random.Generator"]


def record() -> dict[str, Any]:
    """Return CuPy's version and, for each place, its public names.

    A name stands for "numpy" (the very object that NumPy has), "ufunc", "module", "class", "value",
    or its parameters, such as "a, axis=, *, keepdims=".
    """
    cupy = importlib.import_module("cupy")
    names = {}
    for place in PLACES:
        owner, twin = cupy, np
        for part in filter(None, place.split(".")):
            owner, twin = getattr(owner, part), getattr(twin, part)
        public = [name for name in dir(owner) if not name.startswith("_")]
        names[place] = {name: _describe(getattr(owner, name), name, twin) for name in public}
    return {"cupy": cupy.__version__, "names": names}


def _describe(item: Any, name: str, twin: Any) -> str:
    if isinstance(item, ModuleType) or type(item).__name__ == "_LazyModule":
        return "module"
    if hasattr(twin, name) and item is getattr(twin, name):
        return "numpy"
    if type(item).__name__ in ("ufunc", "_GUFunc"):
        return "ufunc"
    if isinstance(item, type):
        return "class"
    return _parameters(item) if callable(item) else "value"


def _parameters(function: Any) -> str:
    try:
        signature = inspect.signature(function)
        plain = [
            p.replace(annotation=p.empty, default=p.empty if p.default is p.empty else 0)
            for p in signature.parameters.values()
        ]
        text = str(inspect.Signature(plain))
    except ValueError:  # compiled: the first line of its docstring is its signature
        text = re.sub(r"^[\w.]+|->.*", "", (function.__doc__ or "").partition("\n")[0])
    # Keep the names: "Py_ssize_t axis=-1" becomes "axis=".
    parameters = [re.sub(r"=.*", "=", p).strip() for p in text.strip()[1:-1].split(",")]
    return ", ".join(p.split()[-1] for p in parameters if p)


if __name__ == "__main__":
    NAMES.write_text(json.dumps(record(), indent=1, sort_keys=True) + "\n")
