"""Networks as ONNX files: graphs that any engine runs, without npespcn."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from npespcn import __version__
from npespcn.common import Array
from npespcn.common.checks import one_of
from npespcn.common.files import atomic_write
from npespcn.exchange.metadata import describe, host_weights, require_package
from npespcn.layers import Conv2d, Layer, PixelShuffle, ReLU, Sigmoid, Tanh
from npespcn.models import Network
from npespcn.shuffle import channel_permutation

OPSET, IR_VERSION = 13, 7  # of 2020: every engine since then reads them
ORDERS = ("CRD", "DCR")  # the two that ONNX has
OPERATORS: dict[type[Layer], str] = {Tanh: "Tanh", ReLU: "Relu", Sigmoid: "Sigmoid"}


def write_onnx(
    model: Network, path: str | os.PathLike[str], order: str = "CRD", source: str = ""
) -> None:
    """Write a network as an ONNX file, whole or not at all.

    The file's input "x" is float32 (N, C, H, W), with N, H and W of any size. Its output "y" is
    ``model.predict(x)`` to float32 rounding; it includes the padding, "edge" too.

    Parameters
    ----------
    model : Network
        Its weights are written as float32.
    path : str or Path
        Should end in ``.onnx``.
    order : "CRD" or "DCR"
        Order of the channels before the shuffle, and so the mode of ``DepthToSpace``. For "DCR",
        ONNX's default mode, the filters that make these channels are permuted. The output is the
        same.
    source : str, optional
        Origin of the weights, for the metadata.

    Raises
    ------
    OSError
        If the file cannot be written.
    RuntimeError
        If the package onnx is missing.
    ValueError
        If `order` is neither, or a layer has no counterpart in ONNX.
    """
    data = onnx_model(model, order, source).SerializeToString()
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)


def onnx_model(model: Network, order: str = "CRD", source: str = "") -> Any:
    """Return the content of the file that `write_onnx` writes, as an ``onnx.ModelProto``.

    A node has the name of its layer, and an initializer has the name of its parameter.
    """
    onnx, model = require_package("onnx"), getattr(model, "network", model)  # if accelerated
    one_of("write_onnx: order", order, ORDERS)
    constants, helper = _weights(model, order), onnx.helper
    nodes: list[Any] = []

    def add(operator: str, name: str, *inputs: str, **attributes: Any) -> None:
        inputs = (nodes[-1].output[0] if nodes else "x", *inputs)
        nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))

    if model.padding == "edge":
        around = [0, 0, model.halo, model.halo]  # N, C, H, W
        constants["pads"] = np.array(around + around, np.int64)  # before each axis, and after it
        add("Pad", "edge", "pads", mode="edge")
    for name, layer in model.layers.items():
        if type(layer) is PixelShuffle:
            add("DepthToSpace", name, blocksize=layer.upscale_factor, mode=order)
        elif type(layer) is Conv2d:
            k = layer.params["weight"].shape[2]
            same, valid = [(k - 1) // 2] * 2 + [k // 2] * 2, [0] * 4
            pads = {"same": same, "valid": valid}.get(layer.padding, [layer.padding] * 4)
            parameters, s = (f"{name}.weight", f"{name}.bias"), layer.stride
            add("Conv", name, *parameters, kernel_shape=[k, k], strides=[s, s], pads=pads)
        elif type(layer) in OPERATORS:
            add(OPERATORS[type(layer)], name)
        else:
            raise ValueError(f"write_onnx: layer {name!r}, {type(layer).__name__}, has no operator")
    nodes[-1].output[0] = "y"

    def array(name: str, *sides: str) -> Any:
        shape = ["n", model.options["channels"], *sides]
        return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)

    x, y = array("x", "h", "w"), array("y", "h_out", "w_out")
    weights = [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, type(model).__name__, [x], [y], weights)
    producer = {"producer_name": "npespcn", "producer_version": __version__}
    opsets = [helper.make_opsetid("", OPSET)]
    proto = helper.make_model(graph, ir_version=IR_VERSION, opset_imports=opsets, **producer)
    helper.set_model_props(proto, describe(model, order, source))
    return proto


def _weights(model: Network, order: str) -> dict[str, Array]:
    """Return the weights as float32, those before a shuffle in the requested order."""
    weights = {name: value.astype(np.float32) for name, value in host_weights(model).items()}
    feeding = ""  # the last convolution so far: a tail comes after the shuffle, and stays
    for name, layer in model.layers.items():
        if isinstance(layer, Conv2d):
            feeding = name
        elif isinstance(layer, PixelShuffle):
            r = layer.upscale_factor
            c = len(weights[f"{feeding}.bias"]) // r**2
            to_crd = channel_permutation(c, r, layer.order)
            p = to_crd[np.argsort(channel_permutation(c, r, order))]  # and on to `order`
            for kind in ("weight", "bias"):
                weights[f"{feeding}.{kind}"] = weights[f"{feeding}.{kind}"][p]
    return weights
