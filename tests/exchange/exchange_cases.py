"""What the tests of files share: networks with made-up weights, images, engines, bad files."""

from __future__ import annotations

import importlib
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npespcn.common import Array
from npespcn.exchange import load
from npespcn.models import ESPCN, Network

TOLERANCE = 1e-5
SIZES = [(2, 7, 13), (1, 40, 25), (1, 1, 1)]  # N, H, W: odd; higher than wide; tiny
FOUR: dict[str, Any] = {"widths": (64, 64, 32), "kernels": (5, 3, 3, 3)}


def require(module: str) -> Any:
    """Return a module. Without it the test is skipped, or fails if NPESPCN_REQUIRE_TOOLS=1."""
    if os.environ.get("NPESPCN_REQUIRE_TOOLS") == "1":
        return importlib.import_module(module)
    return pytest.importorskip(module)


def made_up(kind: Any = ESPCN, **options: Any) -> Any:
    """Return a network with random weights, and random biases too."""
    model, rng = kind(**options), np.random.default_rng(8)
    for param in model.params.values():
        param[...] = rng.normal(0, 1 / np.sqrt(np.prod(param.shape[1:])), param.shape) / 2
    return model


@cache
def luma() -> Array:
    """Return waves and edges, 0 to 1. (On noise our own float32 rounding can reach 1e-5.)"""
    row, column = np.mgrid[:96, :96] / 96
    waves = np.sin(31 * row * column + 7 * row) + np.sign(np.cos(23 * column - 11 * row**2))
    return (0.5 + waves / 5).astype(np.float32)


def image(model: Network, size: tuple[int, int, int]) -> Array:
    """Return (N, C, H, W), each plane from another place."""
    n, h, w = size
    planes = n * model.options["channels"]
    parts = [luma()[3 * i : 3 * i + h, 7 * i : 7 * i + w] for i in range(planes)]
    return np.stack(parts).reshape(n, -1, h, w)


def in_onnxruntime(path: Path) -> Any:
    """Return a function x -> y that runs an ONNX file."""
    session = require("onnxruntime").InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x})[0]


def in_the_reference(path: Path) -> Any:
    """Return the same, run by ONNX's own evaluator."""
    evaluator = require("onnx.reference").ReferenceEvaluator(os.fspath(path))
    return lambda x: evaluator.run(None, {"x": x})[0]


def in_opencv(path: Path) -> Any:
    """Return the same, run by OpenCV."""
    net = require("cv2").dnn.readNetFromONNX(os.fspath(path))

    def run(x: Array) -> Array:
        net.setInput(x)
        return net.forward()

    return run


def assert_agrees(engine: Any, model: Network, path: Path) -> None:
    """Use one session for all sizes, because an engine that has kept a size would show then."""
    run, lost = engine(path), 2 * model.halo if model.padding == "valid" else 0
    for n, h, w in [*SIZES, SIZES[0]]:
        x = image(model, (n, h + lost, w + lost))
        y, theirs = model.predict(x), run(x)
        assert (theirs.shape, theirs.dtype) == (y.shape, np.float32), model.options
        assert np.abs(y).max() > 0.02, model.options
        assert np.abs(theirs - y).max() < TOLERANCE, (model.options, x.shape)


def assert_same_network(one: Network, two: Network) -> None:
    """Compare classes, options and bits."""
    assert type(one) is type(two)
    assert one.options == two.options
    assert one.params.keys() == two.params.keys()
    for name, value in one.params.items():
        np.testing.assert_array_equal(value, two.params[name], err_msg=name, strict=True)


def assert_refused(path: Path, pattern: str = "not a ", kind: Any = None) -> None:
    """Expect one short line that names the file."""
    with pytest.raises(ValueError, match=pattern) as caught:
        load(path, kind)
    message = str(caught.value)
    assert message.startswith(f"{path}: not a ")
    assert message.isprintable()
    assert len(message) < 300 + len(str(path))
