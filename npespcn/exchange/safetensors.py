"""Safetensors files: named arrays and a few words about them, in a format that executes nothing."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from npespcn.common import Array
from npespcn.common.files import atomic_write, check_file


def write_tensors(
    path: str | os.PathLike[str], arrays: Mapping[str, Array], words: Mapping[str, str]
) -> None:
    """Write arrays and words to a ``.safetensors`` file, whole or not at all.

    Parameters
    ----------
    path : str or Path
        Its folder must exist.
    arrays : mapping of str to array
        Of numbers, in host memory.
    words : mapping of str to str
        The file's metadata.

    Raises
    ------
    OSError
        If the file cannot be written.
    RuntimeError
        If the package safetensors is missing.
    """
    package = _require("safetensors.numpy")
    # Of an array that is not contiguous the package would write the memory as it lies.
    arrays = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
    data = package.save(arrays, metadata=dict(words))
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)


def read_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, str]]:
    """Return the arrays of a ``.safetensors`` file, and its metadata.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is no such file but a pipe, say; is damaged; or holds numbers that NumPy does not have
        (bfloat16).
    RuntimeError
        If the package safetensors is missing.
    """
    package = _require("safetensors")
    check_file(path)
    with Path(path).open("rb"):  # whose complaints say more than the package's
        pass
    try:
        with package.safe_open(os.fspath(path), framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return arrays, file.metadata() or {}
    except Exception as error:  # the package and NumPy raise several kinds over a damaged file
        reason = ascii(str(error))[1:-1][:200]  # it may quote what a stranger wrote
        message = f"{os.fspath(path)}: not a readable .safetensors file: {reason}"
        raise ValueError(message) from error


def _require(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise RuntimeError(
            ".safetensors files need the package safetensors: pip install 'npespcn[safetensors]'"
        ) from error
