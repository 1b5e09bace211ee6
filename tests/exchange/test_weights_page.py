"""The code of docs/weights.md, run as it stands."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exchange_cases import FOUR, TOLERANCE, image, made_up, require

from npespcn import load, pretrained
from npespcn.exchange import write_safetensors
from npespcn.exchange.onnx import onnx_model
from npespcn.shuffle import channel_permutation

PAGE = (Path(__file__).parents[2] / "docs" / "weights.md").read_text("utf-8")


def code(heading: str) -> list[str]:
    """Return the Python under a heading of the page."""
    (text,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert blocks
    return blocks


def run(blocks: list[str], old: str = "", new: str = "", **names: Any) -> dict[str, Any]:
    """Run blocks in the current folder, with one thing changed."""
    for block in blocks:
        assert old in block
        exec(compile(block.replace(old, new), "weights.md", "exec"), names)  # noqa: S102
    return names


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)


def test_all_of_it_is_tested() -> None:
    here = set(re.findall(r'code\("([^"]+)"', Path(__file__).read_text("utf-8")))
    assert here == set(re.findall(r"^## (.*)$", PAGE, re.MULTILINE))
    assert len(re.findall("^```python$", PAGE, re.MULTILINE)) == 8


def test_onnx(capsys: Any) -> None:
    require("onnx")
    require("onnxruntime")
    names = run(code("To an engine: ONNX"))
    assert names["y"].shape == (1, 1, 60, 90)
    assert np.abs(names["y"] - pretrained(3).predict(names["x"])).max() < TOLERANCE
    assert "black is 16/255" in capsys.readouterr().out


def test_to_pytorch() -> None:
    torch = pytest.importorskip("torch")
    require("safetensors")
    model = pretrained(3)
    write_safetensors(model, "espcn_x3.safetensors")
    module = run(code("To PyTorch: safetensors"))["module"]
    x = image(model, (2, 11, 6))
    y = module(torch.from_numpy(x)).detach().numpy()
    assert np.abs(y - model.predict(x)).max() < TOLERANCE


def test_from_pytorch_and_what_to_check(capsys: Any) -> None:
    torch = pytest.importorskip("torch")
    theirs, names = made_up(scale=3), ("first_part.0", "first_part.2", "last_part.0")
    state = {
        f"{name}.{kind}": torch.from_numpy(theirs.params[f"conv{i}.{kind}"])
        for i, name in enumerate(names, 1)
        for kind in ("weight", "bias")
    }
    x = np.random.default_rng(1).random((1, 1, 64, 48), np.float32)
    for saved in (state, {"state_dict": state, "epoch": 3}):
        torch.save(saved, "theirs.pth")
        model = run(code("From PyTorch"))["model"]
        np.testing.assert_array_equal(load("from_pytorch.npz").predict(x), theirs.predict(x))
    np.savez("one_image.npz", x=x, y=theirs.predict(x))
    run(code("What to check afterwards"), model=model)
    assert len(capsys.readouterr().out.splitlines()) > 1
    for name in ("conv3.weight", "conv3.bias"):
        theirs.params[name][...] = theirs.params[name][channel_permutation(1, 3, "paper")]
    np.savez("one_image.npz", x=x, y=theirs.predict(x))
    with pytest.raises(AssertionError):
        run(code("What to check afterwards"), model=model)


def test_from_tensorflow_and_keras(monkeypatch: Any) -> None:
    """With stand-ins that hold HWIO kernels, and channels in DCR order."""
    checkpoint, keras = code("From TensorFlow and Keras")
    for channels in (1, 3):
        model = made_up(scale=3, channels=channels, activation="relu", output="tanh")
        arrays = as_in_tensorflow(model)
        variables = {f"f{i}": kernel for i, (kernel, _) in enumerate(arrays, 1)}
        variables |= {f"b{i}": bias for i, (_, bias) in enumerate(arrays, 1)}
        stub: Any = types.ModuleType("tensorflow")
        reader = types.SimpleNamespace(get_tensor=variables.__getitem__)
        stub.train = types.SimpleNamespace(load_checkpoint=lambda path, reader=reader: reader)
        monkeypatch.setitem(sys.modules, "tensorflow", stub)
        change = ("channels, scale = 1, 3", f"channels, scale = {channels}, 3")
        run([checkpoint], *change)
        x = image(model, (2, 6, 9))
        np.testing.assert_array_equal(load("from_tensorflow.npz").predict(x), model.predict(x))

        model = made_up(scale=3, channels=channels, activation="relu", output="relu", **FOUR)
        weights: list[Any] = [[], *as_in_tensorflow(model), []]  # layers without weights too
        layers = [types.SimpleNamespace(get_weights=lambda w=w: w) for w in weights]
        run([keras], *change, theirs=types.SimpleNamespace(layers=layers))
        np.testing.assert_array_equal(load("from_keras.npz").predict(x), model.predict(x))


def as_in_tensorflow(model: Any) -> list[tuple[Any, Any]]:
    """Return kernel and bias of each convolution; tests/exchange/test_published.py runs such."""
    p = model.params
    count = len(model.options["kernels"])
    arrays = [(p[f"conv{i}.weight"], p[f"conv{i}.bias"]) for i in range(1, count + 1)]
    order = np.argsort(channel_permutation(model.options["channels"], model.scale, "DCR"))
    arrays[-1] = (arrays[-1][0][order], arrays[-1][1][order])
    return [(weight.transpose(2, 3, 1, 0), bias) for weight, bias in arrays]


def test_from_onnx() -> None:
    """With files whose initializers are named and ordered as it happened."""
    onnx = require("onnx")
    for order, options in (("DCR", {}), ("CRD", {}), ("DCR", FOUR)):
        model = made_up(scale=2, channels=3, activation="relu", **options)
        theirs = onnx_model(model, order)
        names = {one.name: f"onnx::Conv_{i}" for i, one in enumerate(theirs.graph.initializer)}
        for node in theirs.graph.node:
            node.input[:] = [names.get(name, name) for name in node.input]
        backwards = list(reversed(theirs.graph.initializer))
        del theirs.graph.initializer[:]
        for one in backwards:
            one.name = names[one.name]
            theirs.graph.initializer.append(one)
        onnx.save(theirs, "theirs.onnx")
        run(code("From an ONNX file"), 'order = 3, 2, "DCR"', f'order = 3, 2, "{order}"')
        again = load("from_onnx.npz")
        for name, value in model.params.items():
            np.testing.assert_array_equal(again.params[name], value)
