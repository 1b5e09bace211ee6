"""Safetensors files: PyTorch takes them, and damaged ones are refused."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import numpy as np
import pytest
from exchange_cases import assert_refused, assert_same_network, made_up, require
from hostile.networks import tensor, tensors

from npespcn.exchange import load, pretrained, write_safetensors
from npespcn.exchange.metadata import describe
from npespcn.exchange.safetensors import read_tensors, write_tensors
from npespcn.models import ESPCN, SRCNN

safetensors = require("safetensors")


def test_arrays_are_written_as_they_are_and_not_as_they_lie(tmp_path: Path) -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    arrays = {"fortran": x.T, "strided": x[:, ::2], "backwards": x[::-1], "one": np.float32(3)}
    write_tensors(tmp_path / "a.safetensors", arrays, {"word": "Wörter"})
    again, metadata = read_tensors(tmp_path / "a.safetensors")
    assert metadata == {"word": "Wörter"}
    for name, value in arrays.items():
        np.testing.assert_array_equal(again[name], value)


def test_a_network_whose_weights_lie_otherwise(tmp_path: Path) -> None:
    model = made_up(SRCNN, channels=3)
    for layer in model.layers.values():
        layer.params = {name: np.asfortranarray(value) for name, value in layer.params.items()}
    write_safetensors(model, tmp_path / "a.safetensors")
    assert_same_network(load(tmp_path / "a.safetensors"), model)


def test_the_metadata_say_what_onnx_says(tmp_path: Path) -> None:
    model, path = pretrained(3), tmp_path / "a.safetensors"
    write_safetensors(model, path, os.fsdecode(b"stra\xdfe.npz"))
    arrays, metadata = read_tensors(path)
    assert metadata == describe(model, "CRD", "stra?e.npz")
    assert metadata["weights_from"] == "stra?e.npz"
    assert arrays.keys() == model.params.keys()


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    for content in [
        b"",
        b"PK\x03\x04 and so on",
        tensors(b"", length=2**63),
        tensors({}, length=10**6),
        tensors(b"[" * 100_000),
        tensors(b'{"__metadata__":' + b"[" * 100_000),
        tensors({"__metadata__": {"about": 3}}),
        tensors({"a": tensor("F32", [1], 4)}),  # without its data
        tensors({"a": tensor("F32", [1], 4)}, bytes(40)),  # with more
        tensors({"a": tensor("F32", [2**62, 4], 0)}),
        tensors({"a": tensor("F32", [0, 2**63], 0)}),
        tensors({"a": tensor("F32", [1] * 100, 4)}, bytes(4)),
        tensors({"a": tensor("F4", [4], 2)}, bytes(2)),
        tensors({"a": tensor("pickle", [2], 4)}, bytes(4)),
        tensors({"\x1b[31m\n" * 99: tensor("F32", [1], 4) | {"data_offsets": [4, 8]}}, bytes(8)),
    ]:
        path.write_bytes(content)
        assert_refused(path, "not a readable .safetensors file")
    path.write_bytes(tensors({"a": tensor("BF16", [2], 4)}, bytes(4)))
    assert_refused(path)  # NumPy can read it once another package has added the type
    write_tensors(path, ESPCN(2).state_dict(), {})
    assert_refused(path, "not a saved network: it has no 'about'$")


def test_pytorch_takes_the_file_as_it_is(tmp_path: Path) -> None:
    """Names and shapes; tests/exchange/test_published.py compares the outputs."""
    torch = pytest.importorskip("torch")
    model = made_up(scale=3, channels=3, tail=True)
    write_safetensors(model, tmp_path / "a.safetensors")
    nn, load_file = torch.nn, importlib.import_module("safetensors.torch").load_file
    module = nn.ModuleDict({
        "conv1": nn.Conv2d(3, 64, 5), "conv2": nn.Conv2d(64, 32, 3),
        "conv3": nn.Conv2d(32, 27, 3), "tail": nn.Conv2d(3, 3, 1),
    })  # fmt: skip
    assert module.load_state_dict(load_file(tmp_path / "a.safetensors"), strict=True)
