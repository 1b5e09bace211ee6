"""Networks in safetensors files: named arrays and metadata, in a format that executes nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from npespcn.common import Array
from npespcn.common.files import atomic_write, check_file
from npespcn.exchange.metadata import describe, host_weights, refusal, require_package
from npespcn.models import Network


def write_safetensors(model: Network, path: str | os.PathLike[str], source: str = "") -> None:
    """Write a network's weights and options as a safetensors file, whole or not at all.

    `npespcn.load` reads it back. ``torch.nn.Module.load_state_dict`` takes the weights as they are,
    if the module's layers have our names.

    Parameters
    ----------
    model : Network
    path : str or Path
        Should end in ``.safetensors``.
    source : str, optional
        Origin of the weights, for the metadata.

    Raises
    ------
    OSError
        If the file cannot be written.
    RuntimeError
        If the package safetensors is missing.
    """
    write_tensors(path, host_weights(model), describe(model, source=source))


def write_tensors(
    path: str | os.PathLike[str], arrays: Mapping[str, Array], metadata: Mapping[str, str]
) -> None:
    """Write arrays of numbers, in host memory, and metadata to a ``.safetensors`` file."""
    package = require_package("safetensors.numpy")
    # The package would write an array that is not contiguous in the order of its memory.
    arrays = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
    data = package.save(arrays, metadata=dict(metadata))
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)


def read_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, str]]:
    """Return the arrays of a ``.safetensors`` file, and its metadata.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is not such a file, is damaged, or holds numbers that NumPy does not have (bfloat16).
    RuntimeError
        If the package safetensors is missing.
    """
    package = require_package("safetensors")
    check_file(path)
    with Path(path).open("rb"):  # Python's message about a file that cannot be opened says more
        pass
    try:
        with package.safe_open(os.fspath(path), framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return arrays, file.metadata() or {}
    except Exception as error:  # the package and NumPy raise several kinds over a damaged file
        raise refusal(path, "not a readable .safetensors file", error) from error
