"""Networks in ``.npz`` files: `save`, `load`, and the networks that come with the package."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from npespcn.arrays import require
from npespcn.common import Array
from npespcn.common.checks import one_of, whole_number
from npespcn.common.files import atomic_write, check_file
from npespcn.exchange.metadata import about, host_weights, make_network, refusal, to_host
from npespcn.exchange.safetensors import read_tensors
from npespcn.models import Network

PRETRAINED = (2, 3, 4)  # scales
WEIGHTS = ("leaves", "photographs")  # by what they have learned from
_FOLDER = Path(__file__).parents[1] / "weights"
_UNPACKED = 1 << 28  # bytes that any file may unpack to; a larger file, to ten times its size
_MOST_ARRAYS = 10_000  # a checkpoint has some 50


def save(
    model: Network, path: str | os.PathLike[str], extra: Mapping[str, Array] | None = None
) -> None:
    """Write a network's weights and options to an ``.npz`` file, whole or not at all.

    Parameters
    ----------
    model : Network
        On the CPU or the GPU.
    path : str or Path
        Should end in ``.npz``.
    extra : mapping of str to array, optional
        More arrays for the file (a checkpoint's state); `load` ignores them, `read_npz` reads them.

    Raises
    ------
    OSError
        If the file cannot be written.
    TypeError, ValueError
        If an option cannot be written as JSON, or if `extra` uses a name of ours or holds objects.

    Examples
    --------
    >>> import tempfile
    >>> from npespcn.models import ESPCN
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(ESPCN(scale=2, widths=(32, 16)), f"{folder}/small.npz")
    ...     load(f"{folder}/small.npz").options["widths"]
    (32, 16)
    """
    arrays = {f"weights/{name}": value for name, value in host_weights(model).items()}
    arrays["about"] = np.array(about(model))
    more = {name: to_host(value) for name, value in (extra or {}).items()}
    taken = {*arrays, "file", "allow_pickle"}  # the last two are arguments of np.savez
    for name, value in more.items():  # NumPy would save objects as a pickle
        plain = name not in taken and not value.dtype.hasobject
        require(plain, f"save: extra[{name!r}] has a name in use, or is no plain array")
    file = io.BytesIO()  # a ZipFile on a full disk would complain once more when it is deleted
    np.savez(file, **arrays, **more)  # type: ignore[arg-type]  # mypy fears for allow_pickle
    with atomic_write(path) as temporary:
        temporary.write_bytes(file.getbuffer())


def load(path: str | os.PathLike[str], kind: type[Network] | None = None) -> Network:
    """Read a network from a file that `save` or `write_safetensors` wrote, with its options.

    Nothing in the file is executed: it holds arrays and JSON, never a pickle.

    Parameters
    ----------
    path : str or Path
        A ``.safetensors`` file if the name ends so, otherwise an ``.npz`` file.
    kind : type, optional
        Class that the network must be of. Default: ESPCN or SRCNN, whichever the file names.

    Returns
    -------
    Network
        On the CPU.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it does not hold such a network; the message says why.
    """
    source: Mapping[str, Any]
    if Path(path).suffix.lower() == ".safetensors":
        weights, source = read_tensors(path)
    else:
        source, prefix = read_npz(path), "weights/"
        weights = {k.removeprefix(prefix): x for k, x in source.items() if k.startswith(prefix)}
    try:
        return make_network(source["about"], weights, kind)
    except Exception as error:  # the metadata may be anything, and may break anything
        raise refusal(path, "not a saved network", error) from error


def pretrained(scale: int, weights: str = "leaves") -> Network:
    """Return an ESPCN for luma that comes with the package.

    Parameters
    ----------
    scale
        2, 3 or 4.
    weights
        What it has learned from: "leaves", images that the package draws itself; or "photographs",
        which come for research and education. The JSON files in ``npespcn/weights`` say more.

    Raises
    ------
    TypeError, ValueError
        For another scale or other weights.

    Examples
    --------
    >>> pretrained(3).scale
    3
    """
    one_of("pretrained: scale", whole_number("pretrained: scale", scale, 1), PRETRAINED)
    one_of("pretrained: weights", weights, WEIGHTS)
    return load(_FOLDER / f"{weights}_x{scale}.npz")


def read_npz(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Read every array of an ``.npz`` file; refuse pickles, and files that unpack to too much.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is not an ``.npz`` file, is damaged, or holds anything but plain arrays.
    """
    check_file(path)
    arrays = {}
    with Path(path).open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
                size = sum(entry.file_size for entry in entries)
                most = max(_UNPACKED, 10 * os.fstat(file.fileno()).st_size)
                require(size <= most, f"it would unpack to {size:,} bytes")
                require(len(entries) <= _MOST_ARRAYS, f"it holds {len(entries):,} files")
                for entry in entries:
                    with archive.open(entry) as member:
                        array = np.lib.format.read_array(member, allow_pickle=False)
                    arrays[entry.filename.removesuffix(".npy")] = array
        except Exception as error:  # zipfile and NumPy raise a dozen kinds over a damaged file
            raise refusal(path, "not a readable .npz file", error) from error
    return arrays
