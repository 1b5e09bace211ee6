"""Files of networks: they come back the same, they say what they are, and bad ones are refused."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exchange_cases import FOUR, assert_refused, assert_same_network, image, made_up, require
from hostile import networks

import npespcn
from npespcn.exchange import load, save, write_safetensors
from npespcn.exchange.metadata import about
from npespcn.exchange.npz import read_npz
from npespcn.exchange.safetensors import write_tensors
from npespcn.models import ESPCN, SRCNN

VARIED: list[tuple[Any, dict[str, Any]]] = [
    (ESPCN, {"scale": 3}),
    (ESPCN, {"scale": 2, "channels": 3, "activation": "relu", "output": "relu", "tail": True,
             "padding": "edge", "init": "icnr", "seed": 7, "dtype": "float64"}),
    (ESPCN, {"scale": 2, "activation": "sigmoid", "output": "sigmoid", "padding": "valid", **FOUR}),
    (ESPCN, {"scale": 1, "widths": (), "kernels": (3,), "output": "tanh"}),
    (ESPCN, {"scale": 30, "channels": 4}),  # many weights are no bomb
    (SRCNN, {"channels": 3, "padding": "valid", "init": "he", "seed": 2, "dtype": "float64"}),
    (SRCNN, {"widths": (8, 4, 4), "kernels": (9, 1, 5, 5)}),
]  # fmt: skip


def test_a_network_comes_back_the_same(tmp_path: Path) -> None:
    require("safetensors")
    for kind, options in VARIED:
        model = made_up(kind, **options)
        for write, name in ((save, "a.npz"), (write_safetensors, "a.SafeTensors")):
            write(model, tmp_path / name)
            again = load(str(tmp_path / name))
            assert_same_network(again, model)
            x = image(model, (1, 17, 14))
            np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert sorted(os.listdir(tmp_path)) == ["a.SafeTensors", "a.npz"]


def test_options_may_be_any_that_the_network_takes(tmp_path: Path) -> None:
    """NumPy's numbers, a list, a dtype: the file has JSON's, and the network is the same."""
    model = ESPCN(np.int64(2), seed=np.uint8(3), dtype=np.float64,
                  widths=[np.int8(8), 4], kernels=np.array([3, 3, 1]))  # fmt: skip
    save(model, tmp_path / "a.npz")
    again = load(tmp_path / "a.npz")
    assert again.options | {"dtype": "float64", "widths": (8, 4), "kernels": (3, 3, 1)} == (
        ESPCN(2, seed=3, dtype="float64", widths=(8, 4), kernels=(3, 3, 1)).options
    )
    np.testing.assert_array_equal(again.params["conv1.weight"], model.params["conv1.weight"])
    with pytest.raises(TypeError, match="an option of type Generator cannot be saved"):
        save(ESPCN(2, seed=np.random.default_rng(1)), tmp_path / "b.npz")
    assert os.listdir(tmp_path) == ["a.npz"]


def test_a_file_from_before_widths_and_kernels_loads(tmp_path: Path) -> None:
    model = made_up(scale=2)
    old = {key: x for key, x in model.options.items() if key not in ("widths", "kernels")}
    text = json.dumps({"network": "ESPCN", "options": old, "npespcn": "0.1.0"})
    weights = {f"weights/{name}": x for name, x in model.params.items()}
    np.savez(tmp_path / "old.npz", about=np.array(text), **weights)
    assert_same_network(load(tmp_path / "old.npz"), model)


def test_a_file_says_what_it_is_and_holds_what_else_is_given(tmp_path: Path) -> None:
    model = ESPCN(2)
    extra = {name: np.arange(3.0) for name in ("history/loss", "args", "self", "a b/c")}
    npespcn.save(model, tmp_path / "a.npz", extra)
    arrays = read_npz(tmp_path / "a.npz")
    assert arrays.keys() == {"about", *extra, *(f"weights/{name}" for name in model.params)}
    np.testing.assert_array_equal(arrays["history/loss"], np.arange(3.0))
    facts = json.loads(str(arrays["about"]))
    assert facts == json.loads(about(model))
    assert (facts["network"], facts["npespcn"]) == ("ESPCN", npespcn.__version__)
    assert facts["options"] == model.options | {"widths": [64, 32], "kernels": [5, 3, 3]}
    assert_same_network(npespcn.load(tmp_path / "a.npz"), model)


def test_extra_arrays_do_not_overwrite_and_are_no_objects(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"earlier")
    for name in ("about", "weights/conv1.bias", "file", "allow_pickle"):
        with pytest.raises(ValueError, match=rf"^save: extra\['{name}'\] has a name in use"):
            save(ESPCN(2), path, {name: np.zeros(1)})
    with pytest.raises(ValueError, match="is no plain array"):
        save(ESPCN(2), path, {"a": np.array([{}])})
    assert path.read_bytes() == b"earlier"
    assert os.listdir(tmp_path) == ["a.npz"]


def test_a_network_on_the_gpu_and_an_accelerated_one_are_saved(xp: Any, tmp_path: Path) -> None:
    from npespcn.fast import accelerate

    model, there = made_up(scale=2), made_up(scale=2)
    for layer in there.layers.values():
        layer.params = {name: xp.asarray(param) for name, param in layer.params.items()}
    for network in (there, accelerate(model)):
        save(network, tmp_path / "a.npz", {"more": xp.asarray(np.arange(2))})
        assert_same_network(load(tmp_path / "a.npz"), model)
        np.testing.assert_array_equal(read_npz(tmp_path / "a.npz")["more"], np.arange(2))


def test_a_class_can_be_demanded_and_may_be_ones_own(tmp_path: Path) -> None:
    class Mine(SRCNN):
        pass

    for kind in (SRCNN, Mine):
        save(kind(), tmp_path / f"{kind.__name__}.npz")
        assert type(load(tmp_path / f"{kind.__name__}.npz", kind)) is kind
    assert_refused(tmp_path / "SRCNN.npz", "it holds a network of class 'SRCNN', not ESPCN$", ESPCN)
    assert_refused(tmp_path / "Mine.npz", "of class 'Mine', not ESPCN or SRCNN$")


def test_a_full_disk_leaves_the_earlier_file(tmp_path: Path, monkeypatch: Any) -> None:
    onnx_file = require("onnx") and npespcn.exchange.write_onnx
    path = tmp_path / "a.file"
    path.write_bytes(b"earlier")

    def fills_up(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fills_up)
    for write in (save, write_safetensors, onnx_file):
        with pytest.raises(OSError, match="No space left"):
            write(ESPCN(2), path)
        assert path.read_bytes() == b"earlier"
        assert os.listdir(tmp_path) == ["a.file"]


# --- bad files; tests/hostile has more, and runs the commands on them -----------------------------


def test_files_that_cannot_be_opened_are_os_errors_and_pipes_are_not_waited_for(
    tmp_path: Path,
) -> None:
    require("safetensors")
    for suffix in ("npz", "safetensors"):
        with pytest.raises(FileNotFoundError, match=rf"absent\.{suffix}"):
            load(tmp_path / f"absent.{suffix}")
        (tmp_path / f"folder.{suffix}").mkdir()
        with pytest.raises(OSError, match=r"directory|Permission"):
            load(tmp_path / f"folder.{suffix}")
        if hasattr(os, "mkfifo"):
            os.mkfifo(tmp_path / f"pipe.{suffix}")
            with pytest.raises(ValueError, match="a pipe or a device, expected a file"):
                load(tmp_path / f"pipe.{suffix}")


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    # NumPy refuses so long a header, in a message of several lines.
    many_fields = np.zeros(1, [(f"field {number}", "f8") for number in range(1000)])
    single = io.BytesIO()
    np.save(single, np.arange(3))
    for content, pattern in {
        b"": "not a readable .npz file: ",
        b"\x89PNG\r\n\x1a\n and so on": "not a readable .npz file: File is not a zip file",
        b"PK\x03\x04 and so on": "not a readable .npz file: ",
        single.getvalue(): "not a readable .npz file: File is not a zip file",
        npz(about=many_fields): "not a readable .npz file: ",
        npz(): "not a saved network: it has no 'about'$",
        npz(conv1=np.zeros(3)): "it has no 'about'$",
    }.items():
        (tmp_path / "a.npz").write_bytes(content)
        assert_refused(tmp_path / "a.npz", pattern)


def test_metadata_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """And before the memory is taken that the options ask for."""
    require("safetensors")

    def claim(options: Any, network: Any = "ESPCN") -> str:
        return json.dumps({"network": network, "options": options})

    weights = made_up(scale=2).state_dict()
    more = "ask for more weights than it holds$"
    for text, pattern in {
        "not json": "",
        "[1, 2]": "",
        "[" * 100_000: "",
        "[" + "[]," * 2_000_000 + "[]]": "its metadata are too long",
        json.dumps({"network": "ESPCN"}): "it has no 'options'$",
        claim(None): "",
        claim([1]): "",
        claim({}): "missing a required argument: 'scale'$",
        claim({"scale": 2, "depth": 3}): "unexpected keyword argument 'depth'$",
        claim({"scale": 2}, "os.system"): "a network of class 'os.system', not ESPCN or SRCNN$",
        claim({"scale": 2}, "\x1b[31m\n" * 99): "a network of class ",
        claim({"scale": "2"}): "scale must be a whole number, got '2'$",
        claim({"scale": 2, "tail": True}): r"missing \['tail.bias', 'tail.weight'\]",
        claim({"scale": 2, "widths": [32, 32]}): r"conv1.weight must have shape \(32, 1, 5, 5\)",
        claim({"scale": 2, "dtype": "object"}): "floating-point",
        claim({"scale": 3}): more,
        claim({"scale": 10**5}): more,
        claim({"scale": 10**4000}): more,
        claim({"scale": 2, "channels": 10**5}): more,
        claim({"scale": 2, "widths": [64, 10**9]}): more,
        claim({"scale": 2, "kernels": [5, 3, 10**9 + 1]}): more,
        claim({"scale": 1, "widths": [1] * 9999, "kernels": [1] * 10_000}): more,
        claim({"scale": "digits"}).replace('"digits"', "9" * 9000): "",
    }.items():
        np.savez(tmp_path / "a.npz", about=text, **{f"weights/{k}": x for k, x in weights.items()})
        write_tensors(tmp_path / "a.safetensors", weights, {"about": text})
        for name in ("a.npz", "a.safetensors"):
            assert_refused(tmp_path / name, f"not a saved network: .*{pattern}")


def test_weights_that_do_not_fit_are_refused_by_name(tmp_path: Path) -> None:
    model, path = made_up(scale=2), tmp_path / "a.npz"
    save(model, path)
    arrays = read_npz(path)
    for name, value, pattern in [
        ("conv3.bias", np.zeros(9), r"conv3.bias must have shape \(4,\), got \(9,\)$"),
        ("conv3.bias", np.zeros((1, 4)), r"conv3.bias must have shape \(4,\), got \(1, 4\)$"),
        ("conv3.bias", np.array([1, np.nan, 1, 1]), "conv3.bias must hold real, finite numbers"),
        ("conv3.bias", np.full(4, 1e300), "conv3.bias must hold real, finite numbers"),
        ("conv2.bias", np.ones(32, bool), "conv2.bias must hold real, finite numbers"),
        ("conv2.bias", np.ones(32, complex), "conv2.bias must hold real, finite numbers"),
        ("tail.bias", np.zeros(1), r"unknown \['tail.bias'\]"),
    ]:
        np.savez(path, **{**arrays, f"weights/{name}": value})
        assert_refused(path, pattern)
    del arrays["weights/conv1.bias"]
    np.savez(path, **arrays)
    assert_refused(path, r"missing \['conv1.bias'\]|ask for more")


def test_pickles_are_refused_and_not_run(tmp_path: Path) -> None:
    require("safetensors")
    mark = tmp_path / "mark"
    for name, data in networks.pickles(mark).items():
        path = tmp_path / f"evil.{name.rpartition('.')[2]}"
        path.write_bytes(data)
        assert_refused(path)
        assert not mark.exists(), name
    pickle.loads(networks.pickles(mark)["whole file.npz"])  # noqa: S301  # what it would have done
    assert mark.exists()


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_wrong_bytes_are_refused_or_read_right(tmp_path: Path, suffix: str) -> None:
    """Whatever is damaged: never another error, a crash, or another network."""
    require("safetensors")
    path, model, rng = tmp_path / f"a.{suffix}", made_up(scale=1), np.random.default_rng(4)
    (save if suffix == "npz" else write_safetensors)(model, path)
    data, messages = path.read_bytes(), []
    starts = [match.start() for match in re.finditer(b"PK|NUMPY", data)] or range(0, 900, 80)
    for start in rng.choice(np.array(starts), 250):
        place = min(int(start) + int(rng.integers(80)), len(data) - 1)
        path.write_bytes(data[:place] + bytes([rng.integers(256)]) + data[place + 1 :])
        try:
            assert load(path).params.keys() == model.params.keys()
        except ValueError as error:
            messages.append(str(error))
    assert len(messages) > 50
    assert all(message.startswith(f"{path}: not a ") for message in messages)
    assert all(message.isprintable() for message in messages)
    for length in [*range(0, 1000, 37), *range(1000, len(data), 4001), len(data) - 1]:
        path.write_bytes(data[:length])
        assert_refused(path, "not a readable ")


def test_without_the_package_one_line_says_how_to_get_it(tmp_path: Path, monkeypatch: Any) -> None:
    for module in ("onnx", "safetensors", "safetensors.numpy"):
        monkeypatch.setitem(sys.modules, module, None)
    for kind in ("onnx", "safetensors"):
        message = rf"^\.{kind} files need the package {kind}: pip install 'npespcn\[{kind}\]'$"
        with pytest.raises(RuntimeError, match=message):
            getattr(npespcn.exchange, f"write_{kind}")(ESPCN(2), tmp_path / f"a.{kind}")
    (tmp_path / "a.safetensors").write_bytes(b"")
    with pytest.raises(RuntimeError, match=message):
        load(tmp_path / "a.safetensors")
