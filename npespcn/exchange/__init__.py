"""Networks in files: ``.npz`` and ``.safetensors`` to save and load, ONNX for other engines."""

from npespcn.exchange.npz import PRETRAINED, WEIGHTS, load, pretrained, save
from npespcn.exchange.onnx import write_onnx
from npespcn.exchange.safetensors import write_safetensors

__all__ = ["PRETRAINED", "WEIGHTS", "load", "pretrained", "save", "write_onnx", "write_safetensors"]
