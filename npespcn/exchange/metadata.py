"""The metadata in a file: class and options of the network for npespcn, its use for people."""

from __future__ import annotations

import importlib
import inspect
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from npespcn import __version__
from npespcn.arrays import require
from npespcn.common import Array
from npespcn.common.checks import whole_number
from npespcn.common.messages import one_line
from npespcn.layers import PixelShuffle
from npespcn.models import ESPCN, SRCNN, Network

RANGES = {
    1: "0 to 1: luma (BT.601, studio range) divided by 255; black is 16/255, white 235/255",
    3: "0 to 1: RGB divided by 255; black is 0, white 1",
}
PADDINGS = {
    "same": "zeros before every convolution",
    "valid": "none: {halo} input pixels are lost on each side",
    "edge": "the image's edge repeated by {halo} pixels, once; then none",
}
_LONGEST_JSON, _LONGEST_REASON = 4_000_000, 250  # bytes, characters


def about(model: Network) -> str:
    """Return the class and the options of a network as JSON, from which `make_network` makes it."""
    model = getattr(model, "network", model)  # inside an accelerated one; all else it passes on
    facts = {"network": type(model).__name__, "options": model.options, "npespcn": __version__}
    return json.dumps(facts, default=_plain)


def describe(model: Network, order: str = "CRD", source: str = "") -> dict[str, str]:
    """Return a file's metadata: "about", which npespcn reads, and the rest for people.

    Parameters
    ----------
    model : Network
    order : str
        Order of the channels before the shuffle in the file.
    source : str, optional
        Origin of the weights.
    """
    channels = model.options["channels"]
    shuffles = any(isinstance(layer, PixelShuffle) for layer in model.layers.values())
    facts = {
        "about": about(model),
        "made_by": f"npespcn {__version__}",
        "weights_from": source.encode("utf-8", "replace").decode("utf-8"),  # a file's odd name
        "scale": str(model.scale),
        "channels": str(channels),
        "input_range": RANGES.get(channels, "0 to 1"),
        "output_range": "as the input; clip what lies outside",
        "padding": PADDINGS[model.padding].format(halo=model.halo),
        "channel_order": order if shuffles else "",
    }
    return {name: value for name, value in facts.items() if value}


def host_weights(model: Network) -> dict[str, Array]:
    """Return the parameters as NumPy arrays, wherever they are."""
    return {name: to_host(param) for name, param in model.params.items()}


def to_host(x: Any) -> Array:
    """Return `x` as a NumPy array; CuPy's arrays have a method for it."""
    return np.asarray(x.get() if hasattr(x, "get") else x)


def make_network(text: Any, weights: Mapping[str, Array], kind: type[Network] | None) -> Network:
    """Make the network that `about` describes, of the class `kind` or of ours, with these weights.

    An untrusted file may claim anything, so its claims are compared with the number of weights in
    it before anything is made.
    """
    facts, kinds = read_json(text), (ESPCN, SRCNN) if kind is None else (kind,)
    name, options = facts["network"], facts["options"]
    known = {kind.__name__: kind for kind in kinds}
    if name not in known:
        raise ValueError(f"it holds a network of class {name!r}, not {' or '.join(known)}")
    options = {key: tuple(x) if isinstance(x, list) else x for key, x in options.items()}
    arguments = inspect.signature(known[name]).bind(**options)
    arguments.apply_defaults()
    _check_claim(arguments.arguments, weights)
    model: Network = known[name](**options)
    model.load_state_dict(weights)
    return model


def read_json(text: Any) -> Any:
    """Parse JSON from a string or an array of one string, as `save` wrote it.

    Raises
    ------
    ValueError, RecursionError
        If it is not JSON, is nested too deep, or is too long: as Python objects, lists of lists
        take 50 times the memory of their text.
    """
    size = text.size * text.itemsize if isinstance(text, np.ndarray) else len(text)
    require(size <= _LONGEST_JSON, f"its metadata are too long ({size:,} bytes)")
    return json.loads(str(text))


def refusal(path: str | os.PathLike[str], verdict: str, error: Exception) -> ValueError:
    """Return the error about a file, cut to one short line."""
    reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
    return ValueError(f"{os.fspath(path)}: {verdict}: {one_line(reason)[:_LONGEST_REASON]}")


def require_package(module: str) -> Any:
    """Import a module of a package that only one kind of file needs; say how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        message = f".{name} files need the package {name}: pip install 'npespcn[{name}]'"
        raise RuntimeError(message) from error


def _plain(value: Any) -> Any:
    """Return an option as JSON has it: NumPy's numbers as Python's, a dtype as its name."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, np.dtype | type):
        return np.dtype(value).name
    raise TypeError(f"save: an option of type {type(value).__name__} cannot be saved")


def _check_claim(options: Mapping[str, Any], weights: Mapping[str, Array]) -> None:
    """Refuse options that ask for more weights, or more layers, than there are."""
    channels, scale = (whole_number(key, options.get(key, 1), 1) for key in ("channels", "scale"))
    widths, kernels = (
        [whole_number(key, x, 1) for x in options.get(key, ())] for key in ("widths", "kernels")
    )
    sizes = [channels, *widths, channels * scale**2]
    asked = sum(a * b * k * k for a, b, k in zip(sizes, sizes[1:], kernels, strict=False))
    few = asked <= sum(x.size for x in weights.values()) and len(kernels) <= len(weights)
    require(few, "its options ask for more weights than it holds")
