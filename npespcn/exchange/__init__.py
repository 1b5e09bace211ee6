"""Networks in files: ``.npz`` and ``.safetensors`` to save and load, ONNX for other engines."""

from npespcn.exchange.metadata import about
from npespcn.exchange.npz import PRETRAINED, load, pretrained, read_npz, save
from npespcn.exchange.onnx import write_onnx
from npespcn.exchange.safetensors import write_safetensors

__all__ = [
    "PRETRAINED",
    "about",
    "load",
    "pretrained",
    "read_npz",
    "save",
    "write_onnx",
    "write_safetensors",
]
