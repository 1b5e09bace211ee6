"""Networks for other people's tools: ONNX for engines, safetensors for PyTorch and others.

An ONNX file holds the network as a graph that anything runs. A safetensors file holds its weights,
under the names and in the layouts that PyTorch uses; `npespcn.models.Network.load` reads it back.
Both say in their metadata what goes in and what comes out.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

import numpy as np

from npespcn import __version__
from npespcn.common import Array
from npespcn.common.files import atomic_write
from npespcn.common.messages import short_repr
from npespcn.exchange.safetensors import write_tensors
from npespcn.layers import Conv2d, Layer, PixelShuffle, ReLU, Sigmoid, Tanh
from npespcn.models import Network
from npespcn.shuffle import channel_permutation

OPSET, IR_VERSION = 13, 7  # of 2020: every engine since then reads them
ORDERS = ("CRD", "DCR")  # the two that ONNX has
OPERATORS: dict[type[Layer], str] = {Tanh: "Tanh", ReLU: "Relu", Sigmoid: "Sigmoid"}
VALUES = {
    1: "0 to 1: luma (BT.601, studio range) divided by 255; black is 16/255, white 235/255",
    3: "0 to 1: RGB divided by 255; black is 0, white 1",
}
PADDINGS = {
    "same": "zeros before every convolution",
    "valid": "none: {halo} input pixels are lost on each side",
    "edge": "the picture's edge repeated by {halo} pixels, once; then none",
}


def write_onnx(
    model: Network, path: str | os.PathLike[str], order: str = "CRD", source: str = ""
) -> None:
    """Write a network as an ONNX file, whole or not at all.

    Run on x, float32 (N, C, H, W) with N, H and W of any size, the file gives y, which is
    ``model.predict(x)`` to float32 rounding. With ``padding="edge"`` it repeats the edge by itself.

    Parameters
    ----------
    model : Network
        Its weights are written as float32.
    path : str or Path
        Should end in ``.onnx``.
    order : "CRD" or "DCR"
        How the channels before the shuffle are counted, and so the mode of ``DepthToSpace``. With
        "DCR", ONNX's default mode, the filters that make these channels are permuted. The output is
        the same.
    source : str, optional
        Where the weights are from, for the metadata.

    Raises
    ------
    OSError
        If the file cannot be written.
    RuntimeError
        If the package onnx is missing.
    ValueError
        If `order` is neither, or a layer has no counterpart.
    """
    data = onnx_model(model, order, source).SerializeToString()
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)


def write_safetensors(model: Network, path: str | os.PathLike[str], source: str = "") -> None:
    """Write a network's weights and options as a safetensors file, whole or not at all.

    ``torch.nn.Module.load_state_dict`` takes them as they are, where the layers have our names.

    Parameters
    ----------
    model : Network
    path : str or Path
        Should end in ``.safetensors``.
    source : str, optional
        Where the weights are from, for the metadata.

    Raises
    ------
    OSError
        If the file cannot be written.
    RuntimeError
        If the package safetensors is missing.
    """
    write_tensors(path, model.state_dict(), describe(model, source=source))


def onnx_model(model: Network, order: str = "CRD", source: str = "") -> Any:
    """Return what `write_onnx` writes, as an ``onnx.ModelProto``.

    A node has the name of its layer, and an initializer that of its parameter.
    """
    onnx = _require_onnx()
    constants = _weights(model, order)
    nodes: list[Any] = []
    last = "x"

    def add(operator: str, name: str, *inputs: str, **attributes: Any) -> None:
        nonlocal last
        inputs = (last, *inputs)
        nodes.append(onnx.helper.make_node(operator, inputs, [name], name=name, **attributes))
        last = name

    if model.padding == "edge":
        around = [0, 0, model.halo, model.halo]  # N, C, H, W
        constants["pads"] = np.array(around + around, np.int64)  # before each axis, and after it
        add("Pad", "edge", "pads", mode="edge")
    for name, layer in model.layers.items():
        if isinstance(layer, Conv2d):
            k = layer.params["weight"].shape[2]
            zeros = [k // 2 if model.padding == "same" else 0] * 4
            parameters = (f"{name}.weight", f"{name}.bias")
            add("Conv", name, *parameters, kernel_shape=[k, k], pads=zeros)
        elif isinstance(layer, PixelShuffle):
            add("DepthToSpace", name, blocksize=layer.upscale_factor, mode=order)
        elif type(layer) in OPERATORS:
            add(OPERATORS[type(layer)], name)
        else:
            raise ValueError(f"write_onnx: layer {name!r}, {type(layer).__name__}, has no operator")
    nodes[-1].output[0] = "y"

    def array(name: str, *sides: str) -> Any:
        shape = ["n", model.options["channels"], *sides]
        return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)

    graph = onnx.helper.make_graph(
        nodes,
        type(model).__name__,
        [array("x", "h", "w")],
        [array("y", "h_out", "w_out")],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    whole = onnx.helper.make_model(
        graph,
        ir_version=IR_VERSION,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        producer_name="npespcn",
        producer_version=__version__,
    )
    onnx.helper.set_model_props(whole, describe(model, order, source))
    return whole


def describe(model: Network, order: str = "CRD", source: str = "") -> dict[str, str]:
    """Return what a file's metadata says: "about", which npespcn reads, and the rest for people.

    Parameters
    ----------
    model : Network
    order : str
        Of the channels before the shuffle, as they are in the file.
    source : str, optional
        Where the weights are from.
    """
    channels = model.options["channels"]
    words = {
        "about": model.about(),
        "made_by": f"npespcn {__version__}",
        "weights_from": source.encode("utf-8", "replace").decode("utf-8"),  # a file's odd name
        "scale": str(model.scale),
        "channels": str(channels),
        "input_range": VALUES.get(channels, "0 to 1"),
        "output_range": "as the input; clip what lies outside",
        "padding": PADDINGS[model.padding].format(halo=model.halo),
        "channel_order": order if _shuffles(model) else "",
    }
    return {name: value for name, value in words.items() if value}


def _weights(model: Network, order: str) -> dict[str, Array]:
    """Return the weights as float32, those before a shuffle in the order that is asked for."""
    if order not in ORDERS:
        raise ValueError(f"write_onnx: order must be 'CRD' or 'DCR', got {short_repr(order)}")
    weights = {name: value.astype(np.float32) for name, value in model.state_dict().items()}
    feeding = ""  # the last convolution so far: a tail comes after the shuffle, and stays
    for name, layer in model.layers.items():
        if isinstance(layer, Conv2d):
            feeding = name
        elif isinstance(layer, PixelShuffle):
            r = layer.upscale_factor
            c = len(weights[f"{feeding}.bias"]) // (r * r)
            to_crd = channel_permutation(c, r, layer.order)
            p = to_crd[np.argsort(channel_permutation(c, r, order))]  # and on to `order`
            for kind in ("weight", "bias"):
                weights[f"{feeding}.{kind}"] = weights[f"{feeding}.{kind}"][p]
    return weights


def _shuffles(model: Network) -> bool:
    return any(isinstance(layer, PixelShuffle) for layer in model.layers.values())


def _require_onnx() -> Any:
    try:
        return importlib.import_module("onnx")
    except ImportError as error:
        raise RuntimeError(
            ".onnx files need the package onnx: pip install 'npespcn[onnx]'"
        ) from error
