"""Arrays and networks go to the GPU and back; a missing GPU is said in one line."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strict_cupy
from helpers import NO_GPU, small_network

from npespcn.arrays import array_module
from npespcn.fast.gpu import check_device, device_of, move, to_device, to_host


def test_arrays_go_there_and_back(gpu: Any) -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    there = to_device(x, "gpu")
    assert isinstance(there, gpu.ndarray)
    assert array_module(there) is gpu
    assert (device_of(x), device_of(there)) == ("cpu", "gpu")
    assert to_device(there) is there
    assert to_host(x) is to_device(x, "cpu") is x
    for back in (to_host(there), to_device(there, "cpu")):
        assert type(back) is np.ndarray
        np.testing.assert_array_equal(back, x, strict=True)
    for device in ("cuda", "GPU", "", "gpu:0"):
        with pytest.raises(ValueError, match="'cpu' or 'gpu', got"):
            to_device(x, device)


def test_a_network_goes_there_and_back(gpu: Any) -> None:
    network = small_network()
    before = network.state_dict()
    network.backward(network.forward(np.ones((2, 3, 5, 6))))
    assert move(network, "gpu") is network
    assert network.grads == {}
    doubled = {name: 2 * value for name, value in before.items()}
    network.load_state_dict(doubled)
    for name, value in network.params.items():
        assert isinstance(value, gpu.ndarray)
        np.testing.assert_array_equal(to_host(value), doubled[name], strict=True)
    other = small_network()
    other.load_state_dict({name: to_host(value) for name, value in network.state_dict().items()})
    move(network, "cpu")
    for name, value in doubled.items():
        np.testing.assert_array_equal(network.params[name], value, strict=True)
        np.testing.assert_array_equal(other.params[name], value, strict=True)


def test_asking_for_a_gpu_never_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = (
        lambda: to_device(np.zeros(3), "gpu"),
        lambda: check_device("gpu"),
        lambda: move(small_network(), "gpu"),
    )
    for cupy, words in NO_GPU.values():
        monkeypatch.setitem(sys.modules, "cupy", cupy)
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
    for call in (lambda: check_device("gpu"), lambda: move(small_network(), "gpu")):
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
    if not module.name.endswith(("__main__", "weights.make")):
        __import__(module.name)
sys.exit("cupy" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)  # noqa: S603
    assert done.returncode == 0, done.stderr
