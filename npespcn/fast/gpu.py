"""The GPU, through CuPy: finding one, and moving arrays and networks to it and back.

Nothing in this package imports CuPy unless the caller asks for a GPU or passes a CuPy array.
"""

from __future__ import annotations

import importlib
from typing import Any, TypeVar

import numpy as np

from npespcn.arrays import array_module
from npespcn.common import Array
from npespcn.common.messages import short_repr
from npespcn.layers import Layer

AnyLayer = TypeVar("AnyLayer", bound=Layer)


def device_of(x: Array) -> str:
    """Return the device of `x`, as `to_device` names it: ``"cpu"`` or ``"gpu"``."""
    return "cpu" if array_module(x) is np else "gpu"


def to_host(x: Array) -> Array:
    """Return `x` as a NumPy array: itself if it is one, else a copy from the GPU's memory."""
    return x if array_module(x) is np else x.get()  # type: ignore[attr-defined]  # CuPy's method


def to_device(x: Array, device: str = "gpu") -> Array:
    """Return `x` on `device`: ``"cpu"`` (NumPy) or ``"gpu"`` (CuPy, the current CUDA device).

    An array that is already there is returned as it is.

    Raises
    ------
    ValueError
        If `device` is neither.
    RuntimeError
        If there is no usable GPU. The message says what is missing (CuPy, the driver, or the
        device) and what to do.
    """
    if not isinstance(device, str) or device not in ("cpu", "gpu"):
        raise ValueError(f"to_device: device must be 'cpu' or 'gpu', got {short_repr(device)}")
    if device == "cpu":
        return to_host(x)
    cupy = _require_cupy()
    return x if array_module(x) is cupy else cupy.asarray(x)


def to_network(network: Any, x: Array) -> Array:
    """Return `x` where a network's parameters are, and in their dtype."""
    param = next(iter(network.params.values()))
    return to_device(x.astype(param.dtype, copy=False), device_of(param))


def move(network: AnyLayer, device: str) -> AnyLayer:
    """Move a network's parameters to ``"gpu"`` or ``"cpu"``, in place; return the network.

    Gradients are dropped. Make the optimizer afterwards: its state lies where the parameters are.

    Raises
    ------
    ValueError, RuntimeError
        As `check_device`.
    """
    check_device(device)
    for layer in getattr(network, "layers", {}).values():
        move(layer, device)
    if not hasattr(network, "layers"):
        network.params = {name: to_device(x, device) for name, x in network.params.items()}
        network.grads = {}
    return network


def check_device(device: str) -> None:
    """Raise the errors of `to_device`, and check that the GPU can multiply.

    A CuPy that was installed without CUDA's libraries finds a device, but fails at the first matrix
    product.
    """
    x = to_device(np.ones((2, 2), np.float32), device)
    if device == "cpu":
        return
    try:
        float((x @ x).sum())
    except MemoryError:
        raise
    except Exception as error:  # ImportError for one library, RuntimeError for another, CuPy's own
        words = " ".join(f"{type(error).__name__}: {error}".split())
        raise RuntimeError(
            f"no GPU: CuPy finds a device, but does not compute there ({words}); install it with "
            "CUDA's libraries: pip install 'npespcn[gpu13]', or [gpu12] for CUDA 12"
        ) from error


def _require_cupy() -> Any:
    """Import CuPy and check that a device answers: CuPy can be imported without one."""
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == "cupy"
        problem = "is not installed" if missing else "does not load; reinstall it"
        raise RuntimeError(
            f"no GPU: CuPy {problem} (pip install 'npespcn[gpu13]', or [gpu12] for CUDA 12)"
        ) from error
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        if "NoDevice" in str(error):
            count = 0
        else:
            raise RuntimeError(
                f"no GPU: the NVIDIA driver is missing or too old for this CuPy ({error}); "
                "install the driver, or use the CPU"
            ) from error
    if count == 0:
        raise RuntimeError(
            "no GPU: the driver finds no CUDA device; check nvidia-smi and CUDA_VISIBLE_DEVICES, "
            "or use the CPU"
        )
    return cupy
