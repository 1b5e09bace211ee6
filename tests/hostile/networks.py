"""Files of weights and checkpoints: whole ones, and what is wrong with others."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hostile.pictures import Files
from npespcn.exchange.metadata import about
from npespcn.models import ESPCN, SRCNN

Members = dict[str, bytes]
"""The files inside an ``.npz``, by their names without ``.npy``."""


def npy(value: Any) -> bytes:
    """Return what NumPy writes for an array; of objects too, as a pickle."""
    file = io.BytesIO()
    np.save(file, np.asarray(value), allow_pickle=True)
    return file.getvalue()


def npz(members: Mapping[str, bytes] | Iterable[tuple[str, bytes]], packed: bool = False) -> bytes:
    """Return an ``.npz`` of these files; of pairs, names may come twice."""
    pairs = members.items() if isinstance(members, Mapping) else members
    file, packing = io.BytesIO(), zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in pairs:
            entry = zipfile.ZipInfo(f"{name}.npy")  # with a time that is always the same
            if entry.filename not in archive.NameToInfo:
                archive.writestr(entry, data, packing)
                continue
            del archive.NameToInfo[entry.filename]  # else it would warn
            archive.writestr(entry, data, packing)
    return file.getvalue()


def claim(shape: str, kind: str = "'<f4'", data: bytes = b"") -> bytes:
    """Return an ``.npy`` file of these words and bytes, whatever they are."""
    header = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + data


def tensors(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """Return a ``.safetensors`` file of this header, as JSON or as it is."""
    words = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(words) if length is None else length) + words + data


def members(model: Any) -> Members:
    """Return what a network's ``.npz`` holds."""
    arrays = {f"weights/{name}": npy(value) for name, value in model.state_dict().items()}
    return {**arrays, "about": npy(about(model))}


def packed_tensors(model: Any) -> tuple[dict[str, Any], bytes]:
    """Return the header and the data of a network's ``.safetensors``."""
    header: dict[str, Any] = {"__metadata__": {"about": about(model)}}
    data = b""
    for name, value in model.state_dict().items():
        place = [len(data), len(data) + value.nbytes]
        header[name] = {"dtype": "F32", "shape": value.shape, "data_offsets": place}
        data += value.tobytes()
    return header, data


def whole() -> Files:
    """Return networks as they should be."""
    plain = ESPCN(2, padding="edge", seed=1)
    every = ESPCN(
        *(3, 3, "relu", "sigmoid", True, "same", "icnr"),
        seed=2,
    )
    return {
        "plain.npz": npz(members(plain)),
        "packed.npz": npz(members(plain), packed=True),
        "every.npz": npz(members(every)),
        "plain.safetensors": tensors(*packed_tensors(plain)),
        "every.safetensors": tensors(*packed_tensors(every)),
    }


class Mark:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def pickles(folder: Path) -> Files:
    """Return networks with a pickle in every place, which would make `folder` if it ran."""
    good, mark = members(ESPCN(2)), Mark(folder)
    bomb = npy(np.array([mark], dtype=object))
    named = np.zeros(1, [("a", "f4"), ("b", "O")])
    named["b"][0] = mark
    alone = pickle.dumps(mark)
    return {
        "whole file.npz": alone,
        "whole file.safetensors": alone,
        "an array.npz": bomb,
        "about.npz": npz(good | {"about": bomb}),
        "a weight.npz": npz(good | {"weights/conv1.weight": bomb}),
        "one more.npz": npz(good | {"more": bomb}),
        "a field.npz": npz(good | {"weights/conv1.weight": npy(named)}),
        "no array.npz": npz(good | {"weights/conv1.weight": alone}),
        "a name.npz": npz(good).replace(b"weights/conv1.bias.npy", b"weights/conv1.bias.pkl"),
        "told to be bytes.npz": npz(good | {"weights/conv1.weight": claim("(1,)", "'|O'", alone)}),
        "in words.safetensors": tensors(
            {"__metadata__": {"about": alone.decode("latin-1")}, "a": tensor("F32", [1], 4)},
            bytes(4),
        ),
        "a kind.safetensors": tensors({"a": tensor("O", [1], len(alone))}, alone),
    }


def odd() -> Files:
    """Return networks with something wrong: in the file, the words or the weights."""
    model = ESPCN(2)
    good, whole_file = members(model), npz(members(model))
    files = {
        "nothing.npz": b"",
        "an empty zip.npz": npz({}),
        "words.npz": b"no network at all\n" * 100,
        "a folder.npz": npz({"weights/": b""} | good),
        "one array.npz": npy(np.zeros(3)),
        "no about.npz": npz({k: v for k, v in good.items() if k != "about"}),
        "about alone.npz": npz({"about": good["about"]}),
        "about a number.npz": npz(good | {"about": npy(3)}),
        "about of bytes.npz": npz(good | {"about": npy(np.array(about(model).encode()))}),
        "one more.npz": npz(good | {"more": npy(np.arange(3))}),
        "one more weight.npz": npz(good | {"weights/conv9.bias": npy(np.zeros(3, np.float32))}),
        "another class.npz": npz(members(SRCNN())),
        "two planes.npz": npz(members(ESPCN(2, channels=2))),
        "twice.npz": npz([*good.items(), ("weights/conv1.bias", npy(np.zeros(3)))]),
        "twice, both about.npz": npz([*good.items(), ("about", npy("{}"))]),
        "a path.npz": npz(good | {"../../../tmp/mark": npy(np.zeros(3))}),
        "names of noise.npz": npz(good | {f"\x1b[31m{i}\n": npy(np.zeros(1)) for i in range(50)}),
        "encrypted.npz": _with_flag(whole_file, 1),
        "another packing.npz": _with_packing(whole_file, 99),
        "claims 4 TB.npz": npz(good | {"weights/conv1.weight": claim("(1000000000000,)")}),
        "sizes 4 GB.npz": whole_file.replace(struct.pack("<I", len(good["about"])), b"\xff" * 4),
        "safetensors in truth.npz": tensors(*packed_tensors(model)),
        "npz in truth.safetensors": whole_file,
        "no header.safetensors": bytes(8),
        "header of 2**63.safetensors": tensors(b"{}", length=2**63),
        "header of 4 GB.safetensors": tensors(b"{}", length=2**32),
        "overlapping.safetensors": tensors(
            {"a": tensor("F32", [2], 8), "b": tensor("F32", [2], 8)}, bytes(8)
        ),
        "backwards.safetensors": tensors(
            {"a": tensor("F32", [1], 4) | {"data_offsets": [4, 0]}}, bytes(4)
        ),
        "name twice.safetensors": tensors(
            b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
            b'"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
            bytes(8),
        ),
    }
    shapes = {
        "1 TB": "(250000000000,)",
        "2 to the 64": "(18446744073709551616,)",
        "overflow": "(4294967296, 4294967296, 2)",
        "negative": "(-1,)",
        "nothing times much": "(0, 9223372036854775807)",
        "100 sides": str((1,) * 100),
        "a float": "(2.5,)",
        "truth": "(True, 2)",
        "no tuple": "7",
        "deep": "(" * 1000,
        "a call": "(__import__('os').getpid(),)",
    }
    for name, shape in shapes.items():
        files[f"shape {name}.npz"] = npz(good | {"weights/conv1.weight": claim(shape)})
    for kind in ("'|O'", "'<U999999999'", "'|V999999999'", "'<f1'", "'q' * 9", "[('a', '<f4')]"):
        files[f"kind {len(files)}.npz"] = npz(good | {"about": claim("()", kind, b"a" * 40)})
    weights = {
        "no numbers": np.full((64, 1, 5, 5), np.nan, np.float32),
        "infinite": np.full((64, 1, 5, 5), np.inf, np.float32),
        "huge": np.full((64, 1, 5, 5), 3e38, np.float32),
        "complex": np.zeros((64, 1, 5, 5), complex),
        "of words": np.full((64, 1, 5, 5), "0.5"),
        "of dates": np.zeros((64, 1, 5, 5), "M8[s]"),
        "of another shape": np.zeros((64, 1, 5, 4), np.float32),
        "of another rank": np.zeros((64, 25), np.float32),
        "empty": np.zeros((0, 1, 5, 5), np.float32),
        "whole": np.zeros((64, 1, 5, 5), np.int64),
        "in another order": np.ones((64, 1, 5, 5), ">f4", order="F"),
        "of 16 bits": np.ones((64, 1, 5, 5), np.float16),
        "of 128 bits": np.ones((64, 1, 5, 5), np.longdouble),
    }
    for name, value in weights.items():
        files[f"weights {name}.npz"] = npz(good | {"weights/conv1.weight": npy(value)})
    header, data = packed_tensors(model)
    files["weights no numbers.safetensors"] = tensors(header, b"\xff" * len(data))
    for i, text in enumerate(_claims(json.loads(about(model)))):
        files[f"words {i}.npz"] = npz(good | {"about": npy(np.array(text))})
        header["__metadata__"]["about"] = text
        files[f"words {i}.safetensors"] = tensors(header, data)
    return files


def _claims(about: dict[str, Any]) -> list[str]:
    """Return other texts that could stand in the place of `about`."""
    options = [
        *[{"scale": value} for value in ("2", 2.0, True, None, [2], {}, -2, 0, 1e999, 10**9)],
        *[{"scale": 10**4000}, {"channels": 10**6}, {"channels": 4}, {"seed": 10**4000}],
        *[{"seed": -1}, {"seed": "0"}, {"padding": ["same"]}, {"padding": "SAME"}],
        *[{"init": "exec"}, {"dtype": "object"}, {"dtype": "float64"}, {"tail": 1}, {"tail": "no"}],
        *[{"output": False}, {"activation": "\x1b[31m\n" * 99}, {"self": 1}, {"options": {}}],
        *[{"scale": 3}, {"channels": 3}, {"padding": "valid"}, {"__class__": "os.system"}],
    ]
    sizes: list[dict[str, Any]] = [
        *[{"widths": value} for value in ([64, 10**9], [0, 32], [64], [], 64, None, "64", [[64]])],
        *[{"kernels": value} for value in ([5, 3, 10**9 + 1], [5, 3, 4], [5, 3], [5, -3, 3], [[]])],
        *[{"kernels": value} for value in ([5, 3, 3.0], [True, 3, 3], None, {}, 5, "533")],
        {"widths": [1] * 9999, "kernels": [1] * 10_000},  # as many layers, with few weights
        {"widths": [10**6], "kernels": [1, 1], "channels": 10**6},
        {"dtype": "(2 2)f4"},
        {"dtype": [["a", "f4"]]},
    ]
    whole = [
        *[{"network": value} for value in ("os.system", None, ["ESPCN"], "\x1b[31m" * 999)],
        *[{"options": value} for value in (None, [], "scale", 7, [["scale", 2]], {"": ""})],
    ]
    return [
        *[json.dumps({**about, "options": {**about["options"], **change}}) for change in options],
        *[json.dumps({**about, **change}) for change in whole],
        *["", "null", "7", '"ESPCN"', "[]", "{", "{}", "\0", "NaN", "[" * 100_000],
        '{"options":' * 50_000,
        json.dumps(about).replace("2", "9" * 9000, 1),
        json.dumps(about) + "x",
        *[json.dumps({**about, "options": {**about["options"], **change}}) for change in sizes],
    ]


def bombs() -> Files:
    """Return small files that unpack to more than a gigabyte."""
    number = 300_000_000
    weights = [claim("(25000000,)")] * 3
    lists = '{"network": "ESPCN", "options": [' + "[]," * 3_000_000 + "[]]}"
    return {
        "zeros.npz": _zip([_packed_zeros("more.npy", claim(f"({number},)"), 4 * number)]),
        "words.npz": _zip([_packed_zeros("about.npy", claim("()", f"'<U{number}'"), 4 * number)]),
        "many.npz": _zip([_packed_zeros(f"{i}.npy", w, 10**8) for i, w in enumerate(weights)]),
        "lists.npz": npz({"about": npy(np.array(lists))}, packed=True),
        "entries.npz": npz({f"{i:x}": b"" for i in range(60_000)}),
    }


def _packed_zeros(name: str, start: bytes, zeros: int) -> tuple[str, bytes, int, int]:
    """Return an entry of a zip file: its name, packed bytes, check sum and size."""
    block, deflate = bytes(1 << 20), zlib.compressobj(9, wbits=-15)
    first = deflate.compress(start) + deflate.flush(zlib.Z_FULL_FLUSH)
    again = deflate.compress(block) + deflate.flush(zlib.Z_FULL_FLUSH)
    last = deflate.compress(bytes(zeros % len(block))) + deflate.flush()
    check = zlib.crc32(start)
    for _ in range(zeros // len(block)):
        check = zlib.crc32(block, check)
    check = zlib.crc32(bytes(zeros % len(block)), check)
    return name, first + again * (zeros // len(block)) + last, check, len(start) + zeros


def _zip(entries: list[tuple[str, bytes, int, int]]) -> bytes:
    """Return a zip file of entries that are packed already."""
    body, directory = b"", b""
    for name, packed, check, size in entries:
        about = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0, check, len(packed), size, len(name), 0)
        directory += b"PK\1\2" + struct.pack("<H", 20) + about
        directory += struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name.encode()
        body += b"PK\3\4" + about + name.encode() + packed
    count = len(entries)
    end = struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(body), 0)
    return body + directory + b"PK\5\6" + end


def _with_flag(data: bytes, flag: int) -> bytes:
    """Return a zip file whose entries have this flag set."""
    local = data.replace(b"PK\3\4\x14\0\0\0", b"PK\3\4\x14\0" + struct.pack("<H", flag))
    return local.replace(b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0" + struct.pack("<H", flag))


def _with_packing(data: bytes, packing: int) -> bytes:
    number = struct.pack("<H", packing)
    local = data.replace(b"PK\3\4\x14\0\0\0\0\0", b"PK\3\4\x14\0\0\0" + number)
    return local.replace(b"PK\1\2\x14\3\x14\0\0\0\0\0", b"PK\1\2\x14\3\x14\0\0\0" + number)


def tensor(kind: str, shape: list[int], size: int) -> dict[str, Any]:
    """Return what the header says of an array that comes first."""
    return {"dtype": kind, "shape": shape, "data_offsets": [0, size]}
