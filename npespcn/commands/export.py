"""``npespcn export``: write a network for other people's tools."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from npespcn.commands import HelpFormatter
from npespcn.exchange.onnx import ORDERS, write_onnx, write_safetensors
from npespcn.models import ESPCN


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "export",
        help="write a network as ONNX or safetensors",
        description="Write a trained network for other tools: as ONNX, the whole network, for "
        "onnxruntime, OpenCV and the like; as safetensors, its weights as PyTorch names them. "
        "The metadata say what goes in and what comes out.",
        formatter_class=HelpFormatter,
    )
    add = parser.add_argument
    add("weights", metavar="WEIGHTS", help="a trained network, .npz or .safetensors")
    add("-o", dest="out", required=True, type=_model_file, metavar="FILE",
        help=".onnx or .safetensors")  # fmt: skip
    add("--order", choices=ORDERS,
        help="of the channels before the shuffle, in .onnx (default: CRD, PyTorch's)")  # fmt: skip
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    """Read one format, write another."""
    model, source = ESPCN.load(options.weights), Path(options.weights).name
    if Path(options.out).suffix.lower() == ".onnx":
        write_onnx(model, options.out, options.order or "CRD", source)
    elif options.order:
        raise ValueError("--order is for .onnx; in .safetensors the order is PyTorch's, CRD")
    else:
        write_safetensors(model, options.out, source)
    print(options.out)


def _model_file(text: str) -> str:
    if Path(text).suffix.lower() not in (".onnx", ".safetensors"):
        raise argparse.ArgumentTypeError(f"{text!r} must end in .onnx or .safetensors")
    return text
