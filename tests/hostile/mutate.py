"""Damage to files: wrong bytes, wrong numbers, missing and repeated parts."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from random import Random

NUMBERS = (0, 1, 2, 3, 7, 8, 127, 128, 255, 256, 1000, 20_000, 32_767, 65_535, 11_000)
NUMBERS += (2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32 - 8)
_WORDS = re.compile(rb"\d+|\"[^\"]{0,20}\"|true|false|null")
_INSTEAD = (b"-1", b"0", b"1e999", b"1.5", b"9" * 40, b"NaN", b"null", b"[]", b"{}", b'""', b"true")


def mutated(rng: Random, data: bytes, others: list[bytes]) -> bytes:
    """Return `data` with one to five kinds of damage, with parts of `others` among them."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5))):
        rng.choice(_DAMAGES)(rng, changed, others)
    if changed[:8] == b"\x89PNG\r\n\x1a\n" and rng.random() < 0.7:
        return with_right_sums(bytes(changed))
    return bytes(changed)


def _place(rng: Random, data: bytearray) -> int:
    """Return a place, more often one near the beginning, where headers are."""
    near = rng.random() < 0.6
    return rng.randrange(min(len(data), 200) if near else len(data))


def _flip_a_bit(rng: Random, data: bytearray, _: list[bytes]) -> None:
    if data:
        data[_place(rng, data)] ^= 1 << rng.randrange(8)


def _set_bytes(rng: Random, data: bytearray, _: list[bytes]) -> None:
    for _ in range(rng.choice((1, 2, 8)) if data else 0):
        data[_place(rng, data)] = rng.randrange(256)


def _set_a_number(rng: Random, data: bytearray, _: list[bytes]) -> None:
    form, width = rng.choice((("B", 1), ("<H", 2), (">H", 2), ("<I", 4), (">I", 4)))
    if len(data) >= width:
        at = min(_place(rng, data), len(data) - width)
        data[at : at + width] = struct.pack(form, rng.choice(NUMBERS) % 256**width)


def _set_a_word(rng: Random, data: bytearray, _: list[bytes]) -> None:
    """Replace a number or a string in text."""
    words = list(_WORDS.finditer(data[:5000]))
    if words:
        word = rng.choice(words)
        data[word.start() : word.end()] = rng.choice(_INSTEAD)


def _cut(rng: Random, data: bytearray, _: list[bytes]) -> None:
    if data:
        del data[_place(rng, data) :]


def _remove(rng: Random, data: bytearray, _: list[bytes]) -> None:
    if data:
        at = _place(rng, data)
        del data[at : at + rng.choice((1, 2, 4, 16, 100))]


def _repeat(rng: Random, data: bytearray, _: list[bytes]) -> None:
    if data:
        at = _place(rng, data)
        part = data[at : at + rng.choice((1, 4, 12, 40, 300))]
        data[at:at] = part * rng.choice((1, 1, 2, 50))


def _insert(rng: Random, data: bytearray, _: list[bytes]) -> None:
    at = _place(rng, data) if data else 0
    filling = rng.choice((bytes(1), bytes(4), b"\xff" * 4, rng.randbytes(8), b"9" * 30))
    data[at:at] = filling


def _splice(rng: Random, data: bytearray, others: list[bytes]) -> None:
    other = bytearray(rng.choice(others))
    if data and other:
        at, since = _place(rng, data), _place(rng, other)
        length = rng.choice((4, 20, 100, len(other)))
        data[at : at + length] = other[since : since + length]


_DAMAGES = (
    *(_flip_a_bit, _flip_a_bit, _set_bytes, _set_a_number, _set_a_number, _set_a_word),
    *(_cut, _remove, _repeat, _insert, _splice),
)


def with_right_sums(png: bytes) -> bytes:
    """Return a PNG with the check sums that its chunks should have, whatever is in them."""
    parts, at = [png[:8]], 8
    while at + 12 <= len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if at + 12 + length > len(png):
            break
        body = png[at + 4 : at + 8 + length]
        parts.append(png[at : at + 4] + body + struct.pack(">I", zlib.crc32(body)))
        at += 12 + length
    return b"".join([*parts, png[at:]])


def mutated_zip(rng: Random, data: bytes, others: list[bytes]) -> bytes:
    """Return an ``.npz`` file, damaged as a whole, or in a member while the rest stays right."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            contents = [archive.read(name) for name in names]
    except Exception:  # it is damaged already
        names = []
    if not names or rng.random() < 0.25:
        return mutated(rng, data, others)
    packing = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    chosen = rng.randrange(len(names))
    if "about.npy" in names and rng.random() < 0.3:
        chosen = names.index("about.npy")
    fate, file = rng.choice(("damaged",) * 7 + ("another", "missing", "renamed")), io.BytesIO()
    with zipfile.ZipFile(file, "w") as new:
        for i, (name, content) in enumerate(zip(names, contents, strict=True)):
            if i == chosen and fate == "missing":
                continue
            if i == chosen and fate == "renamed":
                name = name[1:]
            if i == chosen and fate != "renamed":
                damaged = mutated(rng, content, contents)
                content = damaged if fate == "damaged" else rng.choice(contents)
            # A ZipInfo without a time is always the same.
            new.writestr(zipfile.ZipInfo(name), content, packing)
    return file.getvalue()
