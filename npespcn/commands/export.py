"""``npespcn export``: write a network for other people's tools."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from npespcn.commands import HelpFormatter
from npespcn.exchange.npz import load
from npespcn.exchange.onnx import ORDERS, write_onnx
from npespcn.exchange.safetensors import write_safetensors


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "export",
        help="write a network as ONNX or safetensors",
        description="Write a trained network (ESPCN or SRCNN) for other tools. An .onnx file holds "
        "the whole network, for engines such as onnxruntime and OpenCV; a .safetensors file holds "
        "the weights, under PyTorch's names. The metadata describe the input and the output.",
        formatter_class=HelpFormatter,
    )
    add = parser.add_argument
    add("weights", metavar="WEIGHTS", help="trained network, .npz or .safetensors")
    add("-o", dest="out", required=True, type=_model_file, metavar="FILE",
        help="file to write, .onnx or .safetensors")  # fmt: skip
    add("--order", choices=ORDERS,
        help="channel order before the shuffle, in .onnx (default: CRD, like PyTorch)")  # fmt: skip
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    """Read the network, and write it in the format that the name asks for."""
    model, source = load(options.weights), Path(options.weights).name
    if Path(options.out).suffix.lower() == ".onnx":
        write_onnx(model, options.out, options.order or "CRD", source)
    elif options.order:
        raise ValueError("--order is for .onnx only; a .safetensors file has PyTorch's order, CRD")
    else:
        write_safetensors(model, options.out, source)
    print(options.out)


def _model_file(text: str) -> str:
    if Path(text).suffix.lower() not in (".onnx", ".safetensors"):
        raise argparse.ArgumentTypeError(f"{text!r} must end in .onnx or .safetensors")
    return text
