from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strict_cupy
from helpers import NO_GPU, adjoint_gap, relative_error, require_torch

from npespcn.arrays import array_module
from npespcn.fast.gpu import check_device, to_device, to_host
from npespcn.models import ESPCN


def test_array_module_asks_the_array(xp: Any) -> None:
    x = xp.asarray(np.zeros((2, 3)))
    assert array_module(x) is xp
    assert array_module(x, x[0], x.T) is xp


def test_array_module_takes_subclasses(tmp_path: Path) -> None:
    mapped = np.memmap(tmp_path / "x.dat", dtype=np.float32, mode="w+", shape=(2, 3))
    assert array_module(mapped) is np
    assert array_module(mapped, np.zeros(3)) is np

    class Tagged(np.ndarray):  # of a module that has no ndarray
        pass

    assert array_module(np.zeros(3).view(Tagged)) is np


@pytest.mark.parametrize("x", [[1.0, 2.0], 1.0, np.float32(1), None, "x", np, range(3)])
def test_array_module_refuses_what_is_no_array(x: Any) -> None:
    with pytest.raises(TypeError, match=f"got {type(x).__name__}"):
        array_module(x)


def test_array_module_refuses_a_tensor() -> None:
    torch = require_torch()
    with pytest.raises(TypeError, match="got Tensor"):
        array_module(torch.zeros(3))


def test_array_module_refuses_a_mixture_and_nothing() -> None:
    with pytest.raises(TypeError, match=r"one module, got \['numpy', 'strict_cupy'\]"):
        array_module(np.zeros(3), strict_cupy.zeros(3))
    with pytest.raises(TypeError, match="at least one"):
        array_module()


def test_to_host(xp: Any) -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    back = to_host(xp.asarray(x))
    assert type(back) is np.ndarray
    assert back.dtype == x.dtype
    np.testing.assert_array_equal(back, x)


def test_to_host_returns_a_numpy_array_itself() -> None:
    x = np.zeros(3)
    assert to_host(x) is x
    assert to_device(x, "cpu") is x


def test_to_device_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", strict_cupy)
    x = np.arange(6, dtype=np.float64).reshape(2, 3)
    there = to_device(x, "gpu")
    assert isinstance(there, strict_cupy.ndarray)
    assert to_device(there) is there
    np.testing.assert_array_equal(to_device(there, "cpu"), x)


@pytest.mark.parametrize("device", ["cuda", "GPU", "", "gpu:0"])
def test_to_device_knows_two_devices(device: str) -> None:
    with pytest.raises(ValueError, match="'cpu' or 'gpu', got"):
        to_device(np.zeros(3), device)


@pytest.mark.parametrize("problem", NO_GPU)
def test_asking_for_a_gpu_never_falls_back(monkeypatch: pytest.MonkeyPatch, problem: str) -> None:
    cupy, words = NO_GPU[problem]
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    calls: list[Callable[[], Any]] = [
        lambda: to_device(np.zeros(3), "gpu"),
        lambda: check_device("gpu"),
        lambda: ESPCN(2).to("gpu"),
    ]
    for call in calls:
        with pytest.raises(RuntimeError, match=f"^{re.escape(words)}") as caught:
            call()
        assert "\n" not in str(caught.value)


def test_a_gpu_that_cannot_compute_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CuPy without CUDA's libraries finds a device, and raises at the first product."""

    def product(*_: Any) -> Any:
        raise ImportError("libcublas.so.12: cannot open\nshared object file")

    monkeypatch.setitem(sys.modules, "cupy", strict_cupy)
    monkeypatch.setattr(strict_cupy.ndarray, "__matmul__", product)
    words = (
        "no GPU: CuPy finds a device, but does not compute there (ImportError: libcublas.so.12: "
        "cannot open shared object file); install it with CUDA's libraries: pip install"
    )
    for call in (lambda: check_device("gpu"), lambda: ESPCN(2).to("gpu")):
        with pytest.raises(RuntimeError, match=f"^{re.escape(words)}"):
            call()
    check_device("cpu")


def test_a_cupy_that_does_not_load_is_no_missing_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cupy.py").write_text("raise ImportError('libcublas.so')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    with pytest.raises(RuntimeError, match="CuPy does not load"):
        to_device(np.zeros(3), "gpu")


def test_importing_the_package_imports_no_cupy() -> None:
    code = """
import pkgutil, sys, npespcn
for module in pkgutil.walk_packages(npespcn.__path__, "npespcn."):
    if not module.name.endswith("__main__"):
        __import__(module.name)
import numpy
from npespcn.arrays import array_module
from npespcn.fast.gpu import to_host
array_module(to_host(numpy.zeros(3)))
sys.exit("cupy" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)  # noqa: S603
    assert done.returncode == 0, done.stderr


def test_helpers_measure(xp: Any) -> None:
    rng = np.random.default_rng(0)
    a = xp.asarray(rng.standard_normal((4, 3)))
    x, g = (xp.asarray(rng.standard_normal(n)) for n in (3, 4))
    assert adjoint_gap(lambda v: a @ v, lambda v: a.T @ v, x, g) < 1e-15
    assert adjoint_gap(lambda v: a @ v, lambda v: 1.01 * (a.T @ v), x, g) > 1e-4
    assert relative_error(a, a) == 0
    assert relative_error(2 * a, a) == 1
