"""``npespcn export``."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exchange_cases import (
    FOUR,
    assert_agrees,
    assert_same_network,
    in_the_reference,
    made_up,
    require,
)

from npespcn.commands import main
from npespcn.exchange import load, save, write_safetensors
from npespcn.exchange.safetensors import write_tensors
from npespcn.models import ESPCN, SRCNN

onnx, safetensors = require("onnx"), require("safetensors")


def export(*words: Any) -> int:
    return main.main(["export", *map(str, words)])


def the_line(capsys: Any) -> str:
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("npespcn export: ")
    return line.removeprefix("npespcn export: ")


def test_it_writes_any_network_as_onnx_and_as_safetensors(tmp_path: Path, capsys: Any) -> None:
    for model in (
        made_up(scale=2, channels=3, tail=True, **FOUR),
        made_up(scale=3, padding="edge", widths=(16, 8)),
        made_up(SRCNN, kernels=(9, 5, 5)),
    ):
        save(model, tmp_path / "mine.npz")
        middle, out = tmp_path / "mine.safetensors", tmp_path / "mine.ONNX"
        assert export(tmp_path / "mine.npz", "-o", middle) == 0
        assert export(middle, "-o", middle) == 0
        assert_same_network(load(middle), model)
        for flags, order in (([], "CRD"), (["--order", "DCR"], "DCR")):
            assert export(middle, "-o", out, *flags) == 0
            metadata = {one.key: one.value for one in onnx.load(out).metadata_props}
            assert metadata["weights_from"] == "mine.safetensors"
            assert metadata.get("channel_order") == (None if isinstance(model, SRCNN) else order)
            assert_agrees(in_the_reference, model, out)
        assert capsys.readouterr() == (f"{middle}\n{middle}\n{out}\n{out}\n", "")
        assert sorted(os.listdir(tmp_path)) == ["mine.ONNX", "mine.npz", "mine.safetensors"]


def test_the_other_commands_take_safetensors(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(256, size=(20, 30, 3), dtype=np.uint8)
    importlib.import_module("PIL.Image").fromarray(pixels).save("in.png")
    model = made_up(scale=2, padding="edge")
    save(model, "mine.npz")
    write_safetensors(model, "mine.safetensors")
    for name in ("mine.npz", "mine.safetensors"):
        assert main.main(["upscale", "in.png", "--weights", name, "-o", f"{name}.png"]) == 0
    assert Path("mine.npz.png").read_bytes() == Path("mine.safetensors.png").read_bytes()


def test_wrong_usage(capsys: Any) -> None:
    for words in ("", "a.npz", "a.npz -o a.npz", "a.npz -o onnx", "-o a.onnx",
                  "a.npz -o a.onnx --order paper"):  # fmt: skip
        with pytest.raises(SystemExit) as caught:
            export(*words.split())
        assert caught.value.code == 2, words
        assert capsys.readouterr().err.splitlines()[-1].startswith("npespcn export: error: ")


def test_it_fails_in_one_line(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    save(ESPCN(2), "good.npz")
    Path("notes.npz").write_text("no network")
    write_tensors("foreign.safetensors", {"first.weight": np.ones(3)}, {})
    before = sorted(os.listdir())
    for words, expected in {
        "absent.npz -o a.onnx": "No such file or directory: 'absent.npz'",
        "notes.npz -o a.onnx": "notes.npz: not a readable .npz file",
        "foreign.safetensors -o a.onnx": "foreign.safetensors: not a saved network: it has no 'ab",
        "good.npz -o absent/a.onnx": "No such file or directory: 'absent/a.onnx'",
        "good.npz -o absent/a.safetensors": "No such file or directory: 'absent/a.safetensors'",
        "good.npz -o a.safetensors --order DCR": "--order is for .onnx only",
    }.items():
        assert export(*words.split()) == 1
        assert expected in the_line(capsys), words
    for module in ("onnx", "safetensors", "safetensors.numpy"):
        monkeypatch.setitem(sys.modules, module, None)
    for kind in ("onnx", "safetensors"):
        assert export("good.npz", "-o", f"a.{kind}") == 1
        assert f"pip install 'npespcn[{kind}]'" in the_line(capsys)
    assert sorted(os.listdir()) == before
