"""ONNX files: three engines agree with `predict`, and the file says what it is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exchange_cases import (
    FOUR,
    TOLERANCE,
    assert_agrees,
    image,
    in_onnxruntime,
    in_opencv,
    in_the_reference,
    made_up,
    require,
)

from npespcn import __version__
from npespcn.common import Array
from npespcn.exchange import PRETRAINED, pretrained, write_onnx
from npespcn.exchange.metadata import about, describe
from npespcn.exchange.onnx import onnx_model
from npespcn.layers import Conv2d, ConvTranspose2d, PixelShuffle, PixelUnshuffle
from npespcn.models import ESPCN, SRCNN, Network
from npespcn.shuffle import channel_permutation

onnx = require("onnx")
VARIED: list[tuple[Any, dict[str, Any]]] = [
    (ESPCN, {"scale": 3}),
    (ESPCN, {"scale": 2, "channels": 3, "activation": "relu", "tail": True}),
    (ESPCN, {"scale": 3, "channels": 3, "padding": "edge", "tail": True, "output": "sigmoid"}),
    (ESPCN, {"scale": 4, "padding": "valid", "activation": "sigmoid", "output": "tanh"}),
    (ESPCN, {"scale": 2, "channels": 3, "padding": "valid", "activation": "relu", **FOUR}),
    (ESPCN, {"scale": 8, "padding": "edge", "activation": "sigmoid", "dtype": "float64"}),
    (ESPCN, {"scale": 1, "channels": 2, "tail": True, "widths": (), "kernels": (3,)}),
    (ESPCN, {"scale": 2, "channels": 2, "padding": "edge", "output": "relu", **FOUR}),
    (SRCNN, {"padding": "same"}),
    (SRCNN, {"padding": "valid", "kernels": (9, 5, 5)}),
    (SRCNN, {"padding": "edge", "channels": 2}),
]

OTHERS = (in_the_reference, in_opencv)


@pytest.mark.parametrize(
    "engine", [in_onnxruntime, *(pytest.param(engine, marks=pytest.mark.slow) for engine in OTHERS)]
)
def test_engines_agree(tmp_path: Path, engine: Any) -> None:
    models = [*map(pretrained, PRETRAINED), *(made_up(kind, **options) for kind, options in VARIED)]
    for model in models:
        for order in ("CRD", "DCR")[: model.options["channels"]]:  # with one they are the same
            write_onnx(model, tmp_path / "a.onnx", order)
            assert_agrees(engine, model, tmp_path / "a.onnx")


class Deep(Network):
    """Another network: a stride, an even kernel, two shuffles, one of them in another order."""

    def __init__(self) -> None:
        layers = {
            "strided": Conv2d(3, 5, 3, stride=2, padding=1),
            "first": Conv2d(5, 12, 4, padding="same"),
            "double": PixelShuffle(2, order="paper"),
            "last": Conv2d(3, 27, 5, padding=2),
            "triple": PixelShuffle(3),
        }
        super().__init__(layers, {"channels": 3, "padding": "same", "kernels": (3, 4, 5)})


def test_a_network_of_ones_own(tmp_path: Path) -> None:
    model = made_up(Deep)
    x = image(model, (1, 9, 7))
    for order in ("CRD", "DCR"):
        write_onnx(model, tmp_path / "a.onnx", order)
        for engine in (in_onnxruntime, in_the_reference):
            assert np.abs(engine(tmp_path / "a.onnx")(x) - model.predict(x)).max() < TOLERANCE


def test_the_file_is_valid_plain_and_of_any_size() -> None:
    for padding in ("same", "valid", "edge"):
        model = ESPCN(scale=3, padding=padding, tail=True, output="tanh")
        proto = onnx_model(model)
        onnx.checker.check_model(proto, full_check=True)
        assert proto.ir_version == 7
        assert [(one.domain, one.version) for one in proto.opset_import] == [("", 13)]
        operators = ["Conv", "Tanh", "Conv", "Tanh", "Conv", "DepthToSpace", "Conv", "Tanh"]
        edge = [("edge", "Pad")] if padding == "edge" else []
        expected = [*edge, *zip(model.layers, operators, strict=True)]
        assert [(node.name, node.op_type) for node in proto.graph.node] == expected
        (x,), (y,) = proto.graph.input, proto.graph.output
        for array, name, free in ((x, "x", ["n", "h", "w"]), (y, "y", ["n", "h_out", "w_out"])):
            batch, channels, *sides = array.type.tensor_type.shape.dim
            assert (array.name, channels.dim_value) == (name, 1)
            assert [side.dim_param for side in (batch, *sides)] == free
            assert array.type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def initializers(proto: Any) -> dict[str, Array]:
    return {one.name: onnx.numpy_helper.to_array(one) for one in proto.graph.initializer}


def test_dcr_permutes_the_convolution_before_the_shuffle_and_no_other() -> None:
    model = made_up(scale=2, channels=3, tail=True, dtype="float64")
    before = model.state_dict()
    files = {order: onnx_model(model, order) for order in ("CRD", "DCR")}
    crd, dcr = map(initializers, files.values())
    p = channel_permutation(3, 2, "DCR")
    assert crd.keys() == dcr.keys() == model.params.keys()
    for name, value in model.params.items():
        np.testing.assert_array_equal(value, before[name], strict=True)  # the network is as it was
        np.testing.assert_array_equal(crd[name], value.astype(np.float32), strict=True)
        moved = name in ("conv3.weight", "conv3.bias")
        assert np.array_equal(crd[name], dcr[name]) is not moved
        np.testing.assert_array_equal(dcr[name][p] if moved else dcr[name], crd[name])
    for order, file in files.items():
        (shuffle,) = (node for node in file.graph.node if node.op_type == "DepthToSpace")
        attributes = {one.name: onnx.helper.get_attribute_value(one) for one in shuffle.attribute}
        assert attributes == {"blocksize": 2, "mode": order.encode()}


def test_metadata_say_what_goes_in_and_comes_out() -> None:
    model = ESPCN(3, padding="edge", dtype=np.float32)
    proto = onnx_model(model, "DCR", source="best.npz")
    metadata = {one.key: one.value for one in proto.metadata_props}
    assert metadata.pop("about") == about(model)
    assert json.loads(about(model))["options"]["dtype"] == "float32"
    assert metadata == {
        "made_by": f"npespcn {__version__}",
        "weights_from": "best.npz",
        "scale": "3",
        "channels": "1",
        "input_range": "0 to 1: luma (BT.601, studio range) divided by 255; black is 16/255, "
        "white 235/255",
        "output_range": "as the input; clip what lies outside",
        "padding": "the image's edge repeated by 4 pixels, once; then none",
        "channel_order": "DCR",
    }
    assert (proto.producer_name, proto.producer_version) == ("npespcn", __version__)


def test_metadata_say_nothing_that_is_not_so() -> None:
    color = describe(ESPCN(2, channels=3, padding="valid", **FOUR))
    assert color["input_range"] == "0 to 1: RGB divided by 255; black is 0, white 1"
    assert color["padding"] == "none: 5 input pixels are lost on each side"
    assert color["channel_order"] == "CRD"
    assert "weights_from" not in color
    assert describe(ESPCN(2, channels=4))["input_range"] == "0 to 1"
    assert describe(ESPCN(2))["padding"] == "zeros before every convolution"
    srcnn = describe(SRCNN(padding="edge"), "DCR")
    assert srcnn["padding"].startswith("the image's edge repeated by 6 pixels")
    assert "channel_order" not in srcnn


def test_the_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        write_onnx(pretrained(2), tmp_path / name, source=os.fsdecode(b"stra\xdfe.npz"))
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_what_onnx_cannot_say_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"order must be one of 'CRD', 'DCR', got 'paper'"):
        write_onnx(ESPCN(2), tmp_path / "a.onnx", "paper")
    for layer in (ConvTranspose2d(1, 1, 3), PixelUnshuffle(2)):
        model = ESPCN(2)
        model.layers["more"] = layer
        message = f"layer 'more', {type(layer).__name__}, has no operator"
        with pytest.raises(ValueError, match=message):
            write_onnx(model, tmp_path / "a.onnx")
    assert os.listdir(tmp_path) == []
