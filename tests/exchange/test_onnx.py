"""Networks in other people's tools: ONNX in three engines, safetensors, weights from elsewhere."""

from __future__ import annotations

import importlib
import itertools
import json
import os
import re
import struct
import sys
import types
from collections import OrderedDict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import require_torch
from record_torch_models import formula_weights, torch_network

from npespcn import __version__
from npespcn.commands import main as cli
from npespcn.common import Array
from npespcn.data.dead_leaves import dead_leaves_pictures
from npespcn.exchange.onnx import describe, onnx_model, write_onnx, write_safetensors
from npespcn.exchange.safetensors import read_tensors, write_tensors
from npespcn.layers import Conv2d, ConvTranspose2d, PixelShuffle
from npespcn.models import ESPCN, PRETRAINED, SRCNN, Network
from npespcn.pictures.color import rgb_to_y
from npespcn.shuffle import channel_permutation, pixel_shuffle

PAGE = Path(__file__).parents[1] / "docs" / "weights.md"
SIZES = [(2, 7, 13), (1, 40, 25), (1, 1, 1)]  # N, H, W: odd; higher than wide; tiny
LARGER = [(2, 9, 13), (1, 40, 25)]  # for "valid", of which 8 pixels are lost
TOLERANCE = 1e-5


def require(module: str) -> Any:
    """Return a module. Without it the test is skipped, or fails if NPESPCN_REQUIRE_TOOLS=1."""
    if os.environ.get("NPESPCN_REQUIRE_TOOLS") == "1":
        return importlib.import_module(module)
    return pytest.importorskip(module)


@pytest.fixture
def onnx() -> Any:
    return require("onnx")


@pytest.fixture
def safetensors() -> Any:
    return require("safetensors")


def made_up(network: type[Network] = ESPCN, **options: Any) -> Any:
    """Return a network whose weights are a formula, biases too."""
    model = network(**options)
    weights = {name: value.shape for name, value in model.params.items()}
    model.load_state_dict(formula_weights(weights))
    return model


@cache
def luma() -> Array:
    """Return dead leaves, 0 to 1. (On noise our own float32 rounding can reach 1e-5.)"""
    (leaves,) = dead_leaves_pictures(1, 96, seed=5)
    return rgb_to_y(leaves).astype(np.float32) / 255


def picture(model: Network, size: tuple[int, int, int]) -> Array:
    """Return (N, C, H, W), each plane from another place."""
    n, h, w = size
    planes = n * model.options["channels"]
    parts = [luma()[3 * i : 3 * i + h, 7 * i : 7 * i + w] for i in range(planes)]
    return np.stack(parts).reshape(n, -1, h, w)


# --- ONNX: three engines --------------------------------------------------------------------------


def in_onnxruntime(path: Path) -> Any:
    session = require("onnxruntime").InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x})[0]


def in_the_reference(path: Path) -> Any:
    evaluator = require("onnx.reference").ReferenceEvaluator(os.fspath(path))
    return lambda x: evaluator.run(None, {"x": x})[0]


def in_opencv(path: Path) -> Any:
    net = require("cv2").dnn.readNetFromONNX(os.fspath(path))

    def run(x: Array) -> Array:
        net.setInput(x)
        return net.forward()

    return run


ENGINES = [in_onnxruntime, in_the_reference, in_opencv]
every_engine = pytest.mark.parametrize("engine", ENGINES, ids=["onnxruntime", "reference", "cv2"])


def assert_agrees(engine: Any, model: Network, path: Path, sizes: Any = SIZES) -> None:
    """One session for all sizes, for a size that an engine has kept would show."""
    run = engine(path)
    for size in [*sizes, sizes[0]]:
        x = picture(model, size)
        y = model.predict(x)
        theirs = run(x)
        assert theirs.shape == y.shape
        assert theirs.dtype == np.float32
        assert np.abs(y).max() > 0.1
        assert np.abs(theirs - y).max() < TOLERANCE


@every_engine
@pytest.mark.parametrize("scale", PRETRAINED)
def test_engines_agree_on_the_networks_that_come_with_it(onnx, tmp_path, engine, scale):
    model, path = ESPCN.pretrained(scale), tmp_path / "a.onnx"
    write_onnx(model, path)
    assert_agrees(engine, model, path)


VARIED: list[dict[str, Any]] = [
    {"scale": 3},
    {"scale": 2, "channels": 3, "activation": "relu", "tail": True},
    {"scale": 3, "channels": 3, "padding": "edge", "tail": True, "output": "sigmoid"},
    {"scale": 4, "padding": "valid", "activation": "sigmoid", "output": "tanh"},
    {"scale": 2, "channels": 3, "padding": "valid", "activation": "relu", "output": "sigmoid"},
    {"scale": 8, "padding": "edge", "activation": "sigmoid", "dtype": "float64"},
    {"scale": 1, "channels": 2, "tail": True},
]


@every_engine
@pytest.mark.parametrize("order", ["CRD", "DCR"])
@pytest.mark.parametrize("options", VARIED, ids=str)
def test_engines_agree_whatever_the_options(onnx, tmp_path, engine, order, options):
    model, path = made_up(**options), tmp_path / "a.onnx"
    write_onnx(model, path, order)
    assert_agrees(engine, model, path, LARGER if model.padding == "valid" else SIZES)


@every_engine
@pytest.mark.parametrize("padding", ["same", "valid", "edge"])
def test_engines_agree_on_srcnn(onnx, tmp_path, engine, padding):
    model, path = made_up(SRCNN, padding=padding), tmp_path / "a.onnx"
    write_onnx(model, path)
    assert_agrees(engine, model, path, [(2, 13, 15), (1, 40, 25)])


class Deep(Network):
    """Another network altogether: two shuffles, the first of them in another order."""

    def __init__(self) -> None:
        layers = {
            "first": Conv2d(3, 12, 3, padding="same"),
            "double": PixelShuffle(2, order="paper"),
            "last": Conv2d(3, 27, 5, padding="same"),
            "triple": PixelShuffle(3),
        }
        super().__init__({"channels": 3, "padding": "same"}, 6, layers)


@pytest.mark.parametrize("order", ["CRD", "DCR"])
def test_each_shuffle_has_its_own_convolution_and_order(onnx, tmp_path, order):
    model, path = made_up(Deep), tmp_path / "a.onnx"
    write_onnx(model, path, order)
    x = picture(model, (1, 5, 4))
    y = model.layers["triple"].forward(model.layers["last"].forward(
        model.layers["double"].forward(model.layers["first"].forward(x))))  # fmt: skip
    assert np.abs(in_the_reference(path)(x) - y).max() < TOLERANCE


# --- ONNX: what is in the file --------------------------------------------------------------------


@pytest.mark.parametrize("padding", ["same", "valid", "edge"])
def test_the_file_is_valid_plain_and_of_any_size(onnx, padding):
    model = made_up(scale=3, padding=padding, tail=True, output="tanh")
    proto = onnx_model(model)
    onnx.checker.check_model(proto, full_check=True)
    assert proto.ir_version == 7
    assert [(one.domain, one.version) for one in proto.opset_import] == [("", 13)]
    operators = ["Conv", "Tanh", "Conv", "Tanh", "Conv", "DepthToSpace", "Conv", "Tanh"]
    edge = ["Pad"] if padding == "edge" else []
    assert [node.op_type for node in proto.graph.node] == edge + operators
    assert [node.name for node in proto.graph.node] == ["edge"][: len(edge)] + list(model.layers)
    (x,), (y,) = proto.graph.input, proto.graph.output
    assert (x.name, y.name) == ("x", "y")
    for array in (x, y):
        batch, channels, *sides = array.type.tensor_type.shape.dim
        assert channels.dim_value == 1
        free = ["n", "h", "w"] if array is x else ["n", "h_out", "w_out"]
        assert [side.dim_param for side in (batch, *sides)] == free
        assert array.type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def initializers(onnx: Any, proto: Any) -> dict[str, Array]:
    return {one.name: onnx.numpy_helper.to_array(one) for one in proto.graph.initializer}


def test_dcr_permutes_the_convolution_before_the_shuffle_and_no_other(onnx):
    model = made_up(scale=2, channels=3, tail=True)
    files = {order: onnx_model(model, order) for order in ("CRD", "DCR")}
    crd, dcr = (initializers(onnx, file) for file in files.values())
    assert crd.keys() == dcr.keys() == model.params.keys()
    for name, value in model.params.items():
        np.testing.assert_array_equal(crd[name], value)
    p = channel_permutation(3, 2, "DCR")
    changed = {name for name in crd if not np.array_equal(crd[name], dcr[name])}
    assert changed == {"conv3.weight", "conv3.bias"}
    for name in changed:
        np.testing.assert_array_equal(dcr[name][p], crd[name])
    for order, file in files.items():
        (shuffle,) = (node for node in file.graph.node if node.op_type == "DepthToSpace")
        attributes = {one.name: onnx.helper.get_attribute_value(one) for one in shuffle.attribute}
        assert attributes == {"blocksize": 2, "mode": order.encode()}


def properties(proto: Any) -> dict[str, str]:
    return {one.key: one.value for one in proto.metadata_props}


def test_metadata_say_what_goes_in_and_comes_out(onnx):
    model = ESPCN(3, padding="edge")
    proto = onnx_model(model, "DCR", source="best.npz")
    said = properties(proto)
    about = json.loads(said.pop("about"))
    assert about == {"network": "ESPCN", "options": model.options, "npespcn": __version__}
    assert said == {
        "made_by": f"npespcn {__version__}",
        "weights_from": "best.npz",
        "scale": "3",
        "channels": "1",
        "input_range": "0 to 1: luma (BT.601, studio range) divided by 255; black is 16/255, "
        "white 235/255",
        "output_range": "as the input; clip what lies outside",
        "padding": "the picture's edge repeated by 4 pixels, once; then none",
        "channel_order": "DCR",
    }
    assert (proto.producer_name, proto.producer_version) == ("npespcn", __version__)


def test_metadata_say_nothing_that_is_not_so():
    colour = describe(ESPCN(2, channels=3, padding="valid"))
    assert colour["input_range"] == "0 to 1: RGB divided by 255; black is 0, white 1"
    assert colour["padding"] == "none: 4 input pixels are lost on each side"
    assert colour["channel_order"] == "CRD"
    assert "weights_from" not in colour
    assert describe(ESPCN(2, channels=4))["input_range"] == "0 to 1"
    assert describe(ESPCN(2))["padding"] == "zeros before every convolution"
    srcnn = describe(SRCNN(padding="edge"), "DCR")
    assert srcnn["padding"].startswith("the picture's edge repeated by 6 pixels")
    assert "channel_order" not in srcnn


def test_the_same_network_gives_the_same_bytes(onnx, tmp_path):
    for name in ("a.onnx", "b.onnx"):
        write_onnx(ESPCN.pretrained(2), tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_the_network_is_left_as_it_was(onnx):
    model = made_up(scale=2, channels=3, dtype="float64")
    before = model.state_dict()
    proto = onnx_model(model, "DCR")
    for name, value in model.params.items():
        assert value.dtype == np.float64
        np.testing.assert_array_equal(value, before[name])
    assert {value.dtype for value in initializers(onnx, proto).values()} == {np.dtype("f4")}


def test_what_onnx_cannot_say_is_refused(onnx, tmp_path):
    with pytest.raises(ValueError, match="order must be 'CRD' or 'DCR', got 'paper'"):
        write_onnx(ESPCN(2), tmp_path / "a.onnx", "paper")
    model = ESPCN(2)
    model.layers["up"] = ConvTranspose2d(1, 1, 3)
    with pytest.raises(ValueError, match="layer 'up', ConvTranspose2d, has no operator"):
        write_onnx(model, tmp_path / "a.onnx")
    assert os.listdir(tmp_path) == []


# --- safetensors ----------------------------------------------------------------------------------

OPTIONS = [
    {"activation": activation, "output": output, "tail": tail, "padding": padding}
    for activation, output, tail, padding in itertools.product(
        ("tanh", "relu", "sigmoid"), (None, "sigmoid", "tanh"), (False, True), ("same", "edge")
    )
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_safetensors_bring_back_the_same_network(safetensors, tmp_path, options):
    model = made_up(scale=2, channels=3, seed=7, init="icnr", **options)
    path = tmp_path / "a.SafeTensors"
    write_safetensors(model, path)
    again = ESPCN.load(path)
    assert again.options == model.options
    for name, value in model.params.items():
        np.testing.assert_array_equal(again.params[name], value, strict=True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_safetensors_of_any_network_and_dtype(safetensors, tmp_path, dtype):
    model, path = made_up(SRCNN, channels=3, dtype=dtype), tmp_path / "a.safetensors"
    model.params = {name: np.asfortranarray(value) for name, value in model.params.items()}
    write_safetensors(model, path)
    again = SRCNN.load(path)
    for name, value in model.params.items():
        np.testing.assert_array_equal(again.params[name], value, strict=True)
    with pytest.raises(ValueError, match=r"not a saved ESPCN: it holds .* 'SRCNN'$"):
        ESPCN.load(path)


@pytest.mark.parametrize(
    "model", [ESPCN(30), ESPCN(4, channels=30), SRCNN(channels=70)], ids=range(3)
)
def test_large_networks_are_no_bombs(safetensors, tmp_path, model):
    """Below 100,000 weights nothing is compared."""
    for write, path in ((write_safetensors, "a.safetensors"), (type(model).save, "a.npz")):
        write(model, tmp_path / path)
        assert type(model).load(tmp_path / path).options == model.options


def test_arrays_are_written_as_they_are_and_not_as_they_lie(safetensors, tmp_path):
    x = np.arange(24.0).reshape(2, 3, 4)
    arrays = {"fortran": x.T, "strided": x[:, ::2], "backwards": x[::-1], "one": np.float32(3)}
    write_tensors(tmp_path / "a.safetensors", arrays, {"word": "Wörter"})
    again, words = read_tensors(tmp_path / "a.safetensors")
    assert words == {"word": "Wörter"}
    for name, value in arrays.items():
        np.testing.assert_array_equal(again[name], value)


def test_safetensors_say_what_onnx_says(safetensors, tmp_path):
    model = ESPCN.pretrained(3)
    write_safetensors(model, tmp_path / "a.safetensors", "espcn_x3.npz")
    arrays, words = read_tensors(tmp_path / "a.safetensors")
    assert words == describe(model, "CRD", "espcn_x3.npz")
    assert words["weights_from"] == "espcn_x3.npz"
    assert arrays.keys() == model.params.keys()


@pytest.mark.parametrize("options", [{}, {"channels": 3, "tail": True, "output": "sigmoid"}])
def test_pytorch_takes_the_file_as_it_is(safetensors, tmp_path, options):
    torch, path = require_torch(), tmp_path / "a.safetensors"
    model = made_up(scale=3, **options)
    write_safetensors(model, path)
    load_file = importlib.import_module("safetensors.torch").load_file
    module = torch_network(torch, "ESPCN", {"scale": 3, **options})
    assert module.load_state_dict(load_file(path), strict=True)
    x = picture(model, (2, 7, 9))
    y = module(torch.from_numpy(x)).detach().numpy()
    assert np.abs(y - model.predict(x)).max() < TOLERANCE


@pytest.mark.parametrize("write", [write_onnx, write_safetensors])
def test_a_full_disk_leaves_the_earlier_file(onnx, safetensors, tmp_path, monkeypatch, write):
    path = tmp_path / "a.file"
    path.write_bytes(b"earlier")

    def fills_up(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:100])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fills_up)
        with pytest.raises(OSError, match="No space left"):
            write(ESPCN(2), path)
    assert path.read_bytes() == b"earlier"
    assert os.listdir(tmp_path) == ["a.file"]


# --- hostile files --------------------------------------------------------------------------------


def assert_refused(path: Path, pattern: str, kind: type[Network] = ESPCN) -> None:
    with pytest.raises(ValueError, match=pattern) as caught:
        kind.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: not a ")
    assert "\n" not in message
    assert "\x1b" not in message
    assert len(message) < 300 + len(str(path))


def tensors(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def tensor(kind: str, shape: list[int], size: int) -> dict[str, Any]:
    return {"dtype": kind, "shape": shape, "data_offsets": [0, size]}


UNREADABLE = [
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
    tensors({"a": tensor("BF16", [2], 4)}, bytes(4)),  # NumPy's once another package has added it
    tensors({"a": tensor("F4", [4], 2)}, bytes(2)),
    tensors({"a": tensor("pickle", [2], 4)}, bytes(4)),
    tensors({"\x1b[31m\n" * 99: tensor("F32", [1], 4) | {"data_offsets": [4, 8]}}, bytes(8)),
]


@pytest.mark.parametrize("content", UNREADABLE, ids=range(len(UNREADABLE)))
def test_damaged_safetensors_are_refused(safetensors, tmp_path, content):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    assert_refused(path, "not a " if b"BF16" in content else "not a readable .safetensors file")


def about(options: Any, network: Any = "ESPCN") -> str:
    return json.dumps({"network": network, "options": options})


@pytest.mark.parametrize(
    ("words", "pattern"),
    [
        ({}, "it has no 'about'$"),
        ({"about": "not json"}, "not a saved ESPCN: "),
        ({"about": "[" * 100_000}, "not a saved ESPCN: "),
        ({"about": about(None)}, "not a saved ESPCN: "),
        ({"about": about([1])}, "not a saved ESPCN: "),
        ({"about": about({"scale": 2}, "os.system")}, "it holds a network of class 'os.system'$"),
        ({"about": about({"scale": [2]})}, r"scale must be a whole number, got \[2\]$"),
        ({"about": about({"scale": 3})}, r"conv3\.\w+ must be real numbers of shape \(9,"),
        ({"about": about({"scale": 2, "tail": True})}, r"missing \['tail.bias', 'tail.weight'\]"),
        ({"about": about({"scale": 10**5})}, "ask for more weights than it holds$"),
        ({"about": about({"scale": 2, "channels": 10**5})}, "ask for more weights than it holds$"),
        ({"about": about({"scale": 10**4000})}, "ask for more weights than it holds$"),
        (
            {"about": about({"scale": "digits"}).replace('"digits"', "9" * 9000)},
            "not a saved ESPCN",
        ),
    ],
)
def test_words_that_do_not_fit_are_refused(safetensors, tmp_path, words, pattern):
    """And before the memory is taken that the options ask for."""
    arrays = made_up(scale=2).state_dict()
    path = tmp_path / "bad.safetensors"
    write_tensors(path, arrays, words)
    if "about" in words:
        np.savez(
            tmp_path / "bad.npz",
            **{f"weights/{name}": value for name, value in arrays.items()},
            about=np.array(words["about"]),
        )
        assert_refused(tmp_path / "bad.npz", pattern)
    assert_refused(path, pattern)


@pytest.mark.parametrize("kind", [np.bool_])
def test_numbers_of_other_kinds_are_refused(safetensors, tmp_path, kind):
    model, path = ESPCN(2), tmp_path / "bad.safetensors"
    arrays = model.state_dict() | {"conv2.bias": np.ones(32, kind)}
    write_tensors(path, arrays, describe(model))
    assert_refused(path, "conv2.bias must be real numbers")


def test_wrong_bytes_are_refused_or_read_right(safetensors, tmp_path):
    """Whatever is damaged: never another error, a crash, or another network."""
    good, path = tmp_path / "good.safetensors", tmp_path / "bad.safetensors"
    model = made_up(scale=2)
    write_safetensors(model, good)
    data, rng, refused = good.read_bytes(), np.random.default_rng(5), 0
    header = 8 + struct.unpack("<Q", data[:8])[0]
    for place in rng.integers(header, size=400):
        path.write_bytes(data[:place] + bytes([rng.integers(256)]) + data[place + 1 :])
        try:
            again = ESPCN.load(path)
        except ValueError as error:
            refused += 1
            assert str(error).startswith(f"{path}: not a ")  # noqa: PT017
            assert "\n" not in str(error)  # noqa: PT017
        else:
            assert again.params.keys() == model.params.keys()
    assert refused > 200
    for length in [*range(0, header, 53), *range(header, len(data), 4001), len(data) - 1]:
        path.write_bytes(data[:length])
        assert_refused(path, "not a readable .safetensors file: ")


def test_files_that_cannot_be_opened_are_os_errors(safetensors, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.safetensors"):
        ESPCN.load(tmp_path / "absent.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(OSError, match=r"directory|Permission"):
        ESPCN.load(tmp_path / "folder.safetensors")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_and_not_waited_for(safetensors, tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(ValueError, match="a pipe or a device, expected a file"):
        ESPCN.load(tmp_path / "pipe.safetensors")


# --- the command line -----------------------------------------------------------------------------


def export(*words: Any) -> int:
    return cli.main(["export", *map(str, words)])


def the_line(capsys: Any) -> str:
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("npespcn export: ")
    return line.removeprefix("npespcn export: ")


def test_export_writes_onnx(onnx, tmp_path, capsys):
    model = made_up(scale=2, channels=3, tail=True)
    model.save(tmp_path / "mine.npz")
    for flags, order in ([], "CRD"), (["--order", "DCR"], "DCR"):
        out = tmp_path / f"{order}.ONNX"
        assert export(tmp_path / "mine.npz", "-o", out, *flags) == 0
        assert capsys.readouterr() == (f"{out}\n", "")
        said = properties(onnx.load(out))
        assert (said["channel_order"], said["weights_from"]) == (order, "mine.npz")
        assert_agrees(in_the_reference, model, out)


def test_export_writes_safetensors_and_reads_them(onnx, safetensors, tmp_path, capsys):
    model = ESPCN.pretrained(2)
    model.save(tmp_path / "a.npz")
    middle, out = tmp_path / "b.safetensors", tmp_path / "c.onnx"
    assert export(tmp_path / "a.npz", "-o", middle) == 0
    assert export(middle, "-o", middle) == 0
    assert export(middle, "-o", out) == 0
    assert capsys.readouterr() == (f"{middle}\n{middle}\n{out}\n", "")
    assert properties(onnx.load(out))["weights_from"] == "b.safetensors"
    assert_agrees(in_the_reference, model, out)
    assert sorted(os.listdir(tmp_path)) == ["a.npz", "b.safetensors", "c.onnx"]


def test_the_other_commands_take_safetensors(safetensors, tmp_path, monkeypatch):
    """Their --weights goes through ``ESPCN.load``, as this one does."""
    image = importlib.import_module("PIL.Image")
    monkeypatch.chdir(tmp_path)
    picture = np.random.default_rng(0).integers(256, size=(20, 30, 3), dtype=np.uint8)
    image.fromarray(picture).save("in.png")
    model = made_up(scale=2, padding="edge")
    model.save("mine.npz")
    write_safetensors(model, "mine.safetensors")
    for name in ("mine.npz", "mine.safetensors"):
        assert cli.main(["upscale", "in.png", "--weights", name, "-o", f"{name}.png"]) == 0
    assert Path("mine.npz.png").read_bytes() == Path("mine.safetensors.png").read_bytes()


@pytest.mark.parametrize(
    "words",
    [[], ["a.npz"], ["a.npz", "-o", "a.npz"], ["a.npz", "-o", "onnx"], ["-o", "a.onnx"],
     ["a.npz", "-o", "a.onnx", "--order", "paper"]],
    ids=" ".join,
)  # fmt: skip
def test_wrong_words_are_wrong_usage(capsys, words):
    with pytest.raises(SystemExit) as caught:
        export(*words)
    assert caught.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("npespcn export: error: ")


def test_export_fails_in_one_line(onnx, safetensors, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    made_up(scale=2).save("good.npz")
    made_up(SRCNN).save("srcnn.npz")
    Path("notes.npz").write_text("no network")
    write_tensors("foreign.safetensors", {"first.weight": np.ones(3)}, {})
    before = sorted(os.listdir())
    for words, expected in {
        "absent.npz -o a.onnx": "No such file or directory: 'absent.npz'",
        "notes.npz -o a.onnx": "notes.npz: not a readable .npz file",
        "foreign.safetensors -o a.onnx": "foreign.safetensors: not a saved ESPCN: it has no 'abou",
        "srcnn.npz -o a.onnx": "it holds a network of class 'SRCNN'",
        "good.npz -o absent/a.onnx": "No such file or directory: 'absent/a.onnx'",
        "good.npz -o absent/a.safetensors": "No such file or directory: 'absent/a.safetensors'",
        "good.npz -o a.safetensors --order DCR": "--order is for .onnx",
    }.items():
        assert export(*words.split()) == 1
        assert expected in the_line(capsys), words
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize("suffix", ["onnx", "safetensors"])
def test_without_the_package_one_line_says_how_to_get_it(tmp_path, monkeypatch, capsys, suffix):
    for module in ("onnx", "safetensors", "safetensors.numpy"):
        monkeypatch.setitem(sys.modules, module, None)
    ESPCN(2).save(tmp_path / "a.npz")
    assert export(tmp_path / "a.npz", "-o", tmp_path / f"a.{suffix}") == 1
    line = f".{suffix} files need the package {suffix}: pip install 'npespcn[{suffix}]'"
    assert the_line(capsys) == line
    assert os.listdir(tmp_path) == ["a.npz"]
    (tmp_path / "a.safetensors").write_bytes(b"")
    assert export(tmp_path / "a.safetensors", "-o", tmp_path / "a.onnx") == 1
    assert "pip install 'npespcn[safetensors]'" in the_line(capsys)


def test_a_name_that_is_no_unicode_is_no_obstacle(onnx, safetensors, tmp_path):
    model = ESPCN(2)
    name = os.fsdecode(b"stra\xdfe.npz")
    write_onnx(model, tmp_path / "a.onnx", source=name)
    write_safetensors(model, tmp_path / "a.safetensors", name)
    assert read_tensors(tmp_path / "a.safetensors")[1]["weights_from"] == "stra?e.npz"


# --- the page about weights -----------------------------------------------------------------------


def code(heading: str) -> list[str]:
    """Return the Python under a heading of the page."""
    parts = re.split(r"^## (.*)\n", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    text = dict(zip(parts[1::2], parts[2::2], strict=True))[heading]
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def run(heading: str, names: dict[str, Any] | None = None) -> dict[str, Any]:
    """Run it, in the folder that we are in."""
    names = {} if names is None else names
    blocks = code(heading)
    assert blocks
    for block in blocks:
        exec(compile(block, f"{PAGE.name}: {heading}", "exec"), names)  # noqa: S102
    return names


def test_all_of_the_page_is_tested():
    here = set(re.findall(r'run\(\s*"([^"]+)"', Path(__file__).read_text("utf-8")))
    with_code = re.findall(r"^## (.*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert here == set(with_code)
    assert len(re.findall("^```python$", PAGE.read_text("utf-8"), re.MULTILINE)) == 7


def test_page_onnx(onnx, tmp_path, monkeypatch, capsys):
    require("onnxruntime")
    monkeypatch.chdir(tmp_path)
    names = run("To an engine: ONNX")
    assert np.abs(names["y"] - ESPCN.pretrained(3).predict(names["x"])).max() < TOLERANCE
    assert names["y"].shape == (1, 1, 60, 90)
    assert "black is 16/255" in capsys.readouterr().out


def test_page_to_pytorch(safetensors, tmp_path, monkeypatch):
    torch = require_torch()
    monkeypatch.chdir(tmp_path)
    model = ESPCN.pretrained(3)
    write_safetensors(model, "espcn_x3.safetensors")
    module = run("To PyTorch: safetensors")["module"]
    x = picture(model, (2, 11, 6))
    y = module(torch.from_numpy(x)).detach().numpy()
    assert np.abs(y - model.predict(x)).max() < TOLERANCE


def test_page_from_pytorch_and_what_to_check(tmp_path, monkeypatch, capsys):
    """With a module built as theirs is."""
    torch = require_torch()
    monkeypatch.chdir(tmp_path)
    nn = torch.nn
    first = nn.Sequential(
        nn.Conv2d(1, 64, 5, padding=2), nn.Tanh(), nn.Conv2d(64, 32, 3, padding=1), nn.Tanh()
    )
    last = nn.Sequential(nn.Conv2d(32, 9, 3, padding=1), nn.PixelShuffle(3))
    theirs = nn.Sequential(OrderedDict(first_part=first, last_part=last))
    torch.save(theirs.state_dict(), "theirs.pth")
    names = run("From PyTorch")
    x = np.random.default_rng(1).random((1, 1, 64, 48), np.float32)
    y = theirs(torch.from_numpy(x)).detach().numpy()
    np.savez("one_picture.npz", x=x, y=y)
    run("What to check afterwards", names)
    assert np.abs(ESPCN.load("from_pytorch.npz").predict(x) - y).max() < TOLERANCE
    assert len(capsys.readouterr().out.splitlines()) > 1
    np.savez("one_picture.npz", x=x, y=pixel_shuffle(
        names["model"].subpixel_channels(x), 3, order="paper"))  # fmt: skip
    with pytest.raises(AssertionError):
        run("What to check afterwards", names)


def test_page_from_tensorflow(tmp_path, monkeypatch):
    """With what TensorFlow would read from a checkpoint, HWIO, and its depth_to_space, DCR."""
    monkeypatch.chdir(tmp_path)
    for channels in (1, 3):
        shapes = {"f1": (5, 5, channels, 64), "f2": (3, 3, 64, 32), "f3": (3, 3, 32, channels * 9)}
        shapes |= {"b1": (64,), "b2": (32,), "b3": (channels * 9,)}
        rng = np.random.default_rng(2)
        variables = {name: rng.normal(0, 0.05, shape) for name, shape in shapes.items()}
        reader = types.SimpleNamespace(get_tensor=variables.__getitem__)
        stub: Any = types.ModuleType("tensorflow")
        stub.train = types.SimpleNamespace(load_checkpoint=lambda path, reader=reader: reader)
        monkeypatch.setitem(sys.modules, "tensorflow", stub)
        if channels == 3:
            (block,) = code("From TensorFlow")
            assert "channels, scale = 1, 3" in block
            exec(block.replace("channels, scale = 1, 3", "channels, scale = 3, 3"), {})  # noqa: S102
        else:
            run("From TensorFlow")
        x = picture(ESPCN(3, channels), (2, 6, 9))
        y = x.transpose(0, 2, 3, 1).astype("f8")  # NHWC
        for i in (1, 2, 3):
            y = convolve_nhwc(y, variables[f"f{i}"]) + variables[f"b{i}"]
            y = np.maximum(y, 0) if i < 3 else y
        y = np.tanh(pixel_shuffle(y, 3, order="DCR", layout="NHWC")).transpose(0, 3, 1, 2)
        assert np.abs(y).max() > 0.1
        assert np.abs(ESPCN.load("from_tensorflow.npz").predict(x) - y).max() < TOLERANCE


def convolve_nhwc(x: Array, kernel: Array) -> Array:
    """Convolve as TensorFlow does: (N, H, W, I), with zeros around it, by (k, k, I, O)."""
    k = len(kernel)
    (_, h, w, _), around = x.shape, (k // 2, k // 2)
    x = np.pad(x, ((0, 0), around, around, (0, 0)))
    return sum(x[:, i : i + h, j : j + w] @ kernel[i, j] for i in range(k) for j in range(k))


@pytest.mark.parametrize("order", ["CRD", "DCR"])
def test_page_from_onnx(onnx, tmp_path, monkeypatch, order):
    """With a file whose initializers are named and ordered as it happened."""
    monkeypatch.chdir(tmp_path)
    model = made_up(scale=2, channels=3, activation="relu")
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
    if order == "DCR":
        run("From an ONNX file")
    else:
        (block,) = code("From an ONNX file")
        assert 'order = 3, 2, "DCR"' in block
        exec(block.replace('order = 3, 2, "DCR"', 'order = 3, 2, "CRD"'), {})  # noqa: S102
    again = ESPCN.load("from_onnx.npz")
    for name, value in model.params.items():
        np.testing.assert_array_equal(again.params[name], value)
