"""What several test files need: PyTorch or a GPU if there is one, and measures of agreement."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from npespcn.common import Array
from npespcn.fast.gpu import check_device, to_host
from npespcn.layers import (
    Conv2d,
    ConvTranspose2d,
    Layer,
    PixelShuffle,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
)
from npespcn.pictures.profiles import profile_of


@functools.cache  # the time is in it
def color_profile(mode: str = "RGB") -> bytes:
    """Return an ICC profile for pixels of a plain mode: sRGB, or grays of another gamma."""
    if mode.startswith("RGB"):
        return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.new("L", (1, 1))
    image.info["gamma"] = 1 / 1.8
    profile = profile_of(image)
    assert profile
    return profile


def require_torch() -> Any:
    """Return torch. Without it the test is skipped, or fails if NPESPCN_REQUIRE_TORCH=1."""
    if os.environ.get("NPESPCN_REQUIRE_TORCH") == "1":
        return importlib.import_module("torch")
    return pytest.importorskip("torch")


def torch_if_there() -> Any:
    """Return torch, or None. NPESPCN_REQUIRE_TORCH=1 makes a missing one an error."""
    if os.environ.get("NPESPCN_REQUIRE_TORCH") == "1" or importlib.util.find_spec("torch"):
        return importlib.import_module("torch")
    return None


def require_gpu() -> Any:
    """Return CuPy. Without a device the test is skipped; NPESPCN_REQUIRE_GPU=1 ends all instead."""
    try:
        check_device("gpu")
    except RuntimeError as error:
        if os.environ.get("NPESPCN_REQUIRE_GPU") == "1":
            pytest.exit(str(error), returncode=1)
        pytest.skip(str(error))
    return importlib.import_module("cupy")


def fake_cupy(count: Any) -> ModuleType:
    """Return a module that says of its devices what `count` is, or raises it."""

    class CUDARuntimeError(RuntimeError):
        pass

    def get_device_count() -> int:
        if isinstance(count, str):
            raise CUDARuntimeError(count)
        return int(count)

    cupy = ModuleType("cupy")
    runtime = SimpleNamespace(getDeviceCount=get_device_count, CUDARuntimeError=CUDARuntimeError)
    cupy.cuda = SimpleNamespace(runtime=runtime)  # type: ignore[attr-defined]
    return cupy


NO_GPU = {
    "no CuPy": (None, "no GPU: CuPy is not installed (pip install 'npespcn[gpu13]'"),
    "no driver": (
        fake_cupy("cudaErrorInsufficientDriver: CUDA driver version is insufficient"),
        "no GPU: the NVIDIA driver is missing or too old for this CuPy",
    ),
    "no device": (
        fake_cupy("cudaErrorNoDevice: no CUDA-capable device is detected"),
        "no GPU: the driver finds no CUDA device; check nvidia-smi",
    ),
    "none visible": (fake_cupy(0), "no GPU: the driver finds no CUDA device; check nvidia-smi"),
}
"""What may be in CuPy's place in ``sys.modules`` (None: no import), and what is said then."""


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


def whole(*shape: int, seed: int = 0) -> Array:
    """Return small whole numbers, as floats."""
    return np.random.default_rng(seed).integers(-2, 3, shape).astype(float)


def small_network(dtype: str = "float64") -> Sequential:
    """Return a network of every kind of layer: (N, 3, H, W) -> (N, 3, 4*H - 3, 4*W - 3)."""
    rng = np.random.default_rng(4)
    return Sequential(
        conv1=Conv2d(3, 4, 3, padding="same", rng=rng, dtype=dtype),
        tanh1=Tanh(),
        inner=Sequential(Conv2d(4, 8, 2, rng=rng, dtype=dtype), ReLU()),
        shuffle=PixelShuffle(2),
        deconv=ConvTranspose2d(2, 3, 3, stride=2, rng=rng, dtype=dtype),
        sigmoid=Sigmoid(),
    )


KEYS = [
    f"{layer}.{name}" for layer in ("conv1", "inner.0", "deconv") for name in ("weight", "bias")
]
"""The names of its parameters."""


class Numbers(Layer):
    """A layer that is nothing but parameters."""

    def __init__(self, **params: Array) -> None:
        super().__init__()
        self.params = params


def follow(kind: Any, start: Array, gradients: Array, **options: Any) -> Array:
    """Return a parameter after every step of an optimizer."""
    model = Numbers(weight=start.copy())
    optimizer, path = kind(model, **options), []
    for gradient in gradients:
        model.grads = {"weight": gradient}
        optimizer.step()
        path.append(model.params["weight"].copy())
    return np.stack(path)


def relative_error(actual: Array, expected: Array) -> float:
    """Return max |actual - expected| / max |expected|, in float64 on the host."""
    a = to_host(actual).astype(np.float64)
    b = to_host(expected).astype(np.float64)
    assert a.shape == b.shape, f"shapes differ: {a.shape} and {b.shape}"
    if a.size == 0:
        return 0.0
    scale = np.abs(b).max()
    return float(np.abs(a - b).max() / (scale if scale > 0 else 1.0))


def adjoint_gap(
    forward: Callable[[Array], Array], backward: Callable[[Array], Array], x: Array, g: Array
) -> float:
    """Return |<A x, g> - <x, At g>| / (|A x| |g|) for a linear map A and its supposed adjoint At.

    Near zero for a true adjoint. Use a random `g`: with all ones, any permutation passes.
    """
    y, dx = to_host(forward(x)), to_host(backward(g))
    x, g = to_host(x), to_host(g)
    assert y.shape == g.shape, f"forward gives {y.shape}, the upstream gradient is {g.shape}"
    assert dx.shape == x.shape, f"backward gives {dx.shape}, the input is {x.shape}"
    gap = _inner(y, g) - _inner(x, dx)
    return abs(gap) / np.sqrt(_inner(y, y) * _inner(g, g))


def assert_same_run(one: Path, two: Path) -> None:
    """Assert that two runs' folders hold the same history, and checkpoints of the same bits."""
    assert (one / "history.csv").read_bytes() == (two / "history.csv").read_bytes()
    for name in ("best.npz", "last.npz"):
        with np.load(one / name) as a, np.load(two / name) as b:
            assert sorted(a.files) == sorted(b.files)
            for key in a.files:
                np.testing.assert_array_equal(a[key], b[key], err_msg=key)


def _inner(a: Array, b: Array) -> float:
    return float(np.sum(a.astype(np.float64) * b.astype(np.float64)))
