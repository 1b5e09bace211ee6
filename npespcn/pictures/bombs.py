"""Checks before an untrusted file is decoded: its format, and its size in memory.

Pillow refuses files that claim more than 179 million pixels. Below that, a few kilobytes can still
ask for gigabytes of memory, or for minutes of work.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import logging
import os

from PIL import Image

ROOM = 800_000_000
"""Bytes of memory that pixels may take, however small their file is."""

DENSITY = 150
"""Above `ROOM`, bytes of pixels allowed for each byte of the file; a photograph has 10 to 100."""

WORK = 4_000_000_000
"""Pixels that all scans of a JPEG together may pass over; a progressive one has about ten scans."""

NEVER_READ = ("BUFR", "EPS", "FITS", "GRIB", "HDF5", "IPTC", "MPEG", "PALM", "PDF", "WMF")
"""Formats that Pillow cannot read; EPS, a program, which Pillow lets Ghostscript run; and FITS and
IPTC, which Pillow unpacks slowly, or without checking the size of the image inside."""

_BYTES_PER_PIXEL = {"1": 1, "L": 1, "I;16": 2}  # in a plain mode; all others take 4
_BYTES_PER_ROW = 8  # Pillow keeps the address of each row
_SILENCE = logging.NullHandler()  # without it, unhandled messages go to stderr


@functools.cache
def picture_formats() -> list[str]:
    """Return the formats that files may have, as ``Image.open`` takes them; HEIF by pillow-heif."""
    Image.init()
    with contextlib.suppress(ImportError):
        importlib.import_module("pillow_heif").register_heif_opener()
    return [name for name in Image.ID if name not in NEVER_READ]


def silence_decoders() -> None:
    """Keep Pillow and libtiff from printing to stderr about a broken file; the error says it."""
    logging.getLogger("PIL").addHandler(_SILENCE)
    library = ctypes.CDLL(Image.core.__file__)  # type: ignore[attr-defined]
    for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
        set_handler = getattr(library, name, None)  # not exported by Pillow for Windows
        if set_handler is not None:
            set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
            set_handler(None)


def check_bomb(image: Image.Image, scale: int = 1, count: int = 1, taken: int = 0) -> int:
    """Refuse an image that takes far more memory or work than its file is worth.

    Parameters
    ----------
    image
        An image that was opened from a file and not decoded yet. Other images are not checked.
    scale
        The factor by which it will be enlarged.
    count
        Number of frames of this size.
    taken
        Bytes taken by the results of other frames.

    Returns
    -------
    int
        `taken` plus the bytes of these frames' results.

    Raises
    ------
    ValueError
        If it is a decompression bomb: it takes more than `ROOM` bytes, and more than `DENSITY` for
        each byte of the file; or its scans pass over more than `WORK` pixels.
    """
    width, height = image.size
    each = 4 if "transparency" in image.info else _BYTES_PER_PIXEL.get(image.mode, 4)
    own = height * (width * each + _BYTES_PER_ROW)
    taken += count * height * scale * (width * scale * each + _BYTES_PER_ROW)
    taken += taken // 4 if count > 1 else 0  # Pillow keeps part of an animation twice to write it
    try:
        with open(getattr(image, "filename", ""), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            # Within a scan, 0xFF never precedes 0xDA.
            scans = file.read().count(b"\xff\xda") if image.format in ("JPEG", "MPO") else 1
    except OSError:
        return taken
    needed = taken + 2 * own  # as decoded, and in a plain mode
    if needed > max(ROOM, DENSITY * (scale**2 + 2) * size):
        raise ValueError(
            f"a decompression bomb: {size:,} bytes that would take {needed / 1e6:,.0f} MB of memory"
        )
    if width * height * scans > WORK:
        raise ValueError(f"a decompression bomb: {width} x {height} pixels, {scans:,} times over")
    return taken
