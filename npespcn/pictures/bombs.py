"""What is looked at before a stranger's picture is read: its format, and how much it holds.

Pillow refuses what claims more than 179 million pixels. Below that, a few kilobytes can still ask
for gigabytes of memory, or for minutes of work.
"""

from __future__ import annotations

import ctypes
import logging
import os

from PIL import Image

ROOM = 800_000_000
"""Bytes of memory that pixels may take, however small the file is that they come from."""

DENSITY = 150
"""Bytes of pixels for each byte of the file that may, beyond that; a photograph has 10 to 100."""

WORK = 4_000_000_000
"""Pixels that a JPEG may pass over, all its scans together; a progressive one has about ten."""

NEVER_READ = ("BUFR", "EPS", "FITS", "GRIB", "HDF5", "IPTC", "MPEG", "PALM", "PDF", "WMF")
"""Formats that Pillow knows by name alone; EPS, a program, which it lets Ghostscript run; and FITS
and IPTC, which it unpacks slowly, or without a look at the size of the picture inside."""

_BYTES_PER_PIXEL = {"1": 1, "L": 1, "I;16": 2}  # in a plain mode; in all others it is 4
_SILENCE = logging.NullHandler()  # else what nobody handles goes to stderr
_BYTES_PER_ROW = 8  # Pillow keeps the address of each


def picture_formats() -> list[str]:
    """Return the formats that pictures may have, as ``Image.open`` takes them."""
    Image.init()
    return [name for name in Image.ID if name not in NEVER_READ]


def silence_decoders() -> None:
    """Let Pillow and libtiff print nothing to stderr about a broken file: their error says it."""
    logging.getLogger("PIL").addHandler(_SILENCE)
    library = ctypes.CDLL(Image.core.__file__)  # type: ignore[attr-defined]
    for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
        set_handler = getattr(library, name, None)  # not to be found in Pillow for Windows
        if set_handler is not None:
            set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
            set_handler(None)


def check_bomb(image: Image.Image, scale: int = 1, count: int = 1, taken: int = 0) -> int:
    """Refuse a picture that takes far more memory or work than its file is worth.

    Parameters
    ----------
    image
        Of a file, its pixels not read yet. What is no file's passes.
    scale
        How many times larger it is going to be, too.
    count
        How many frames of this size there are.
    taken
        Bytes that the results of other frames take.

    Returns
    -------
    int
        `taken`, and what the results of these frames take.

    Raises
    ------
    ValueError
        If it is a decompression bomb: of more than `ROOM` bytes, and more than `DENSITY` for each
        of the file's; or with scans enough for more than `WORK` pixels.
    """
    width, height = image.size
    each = 4 if "transparency" in image.info else _BYTES_PER_PIXEL.get(image.mode, 4)
    own = height * (width * each + _BYTES_PER_ROW)
    taken += count * height * scale * (width * scale * each + _BYTES_PER_ROW)
    taken += taken // 4 if count > 1 else 0  # what writes an animation keeps a part of it twice
    try:
        with open(getattr(image, "filename", ""), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            # Within a scan, 0xFF never stands before 0xDA.
            scans = file.read().count(b"\xff\xda") if image.format in ("JPEG", "MPO") else 1
    except OSError:
        return taken
    needed = taken + 2 * own  # as it comes out of the file, and in a plain mode
    if needed > max(ROOM, DENSITY * (scale**2 + 2) * size):
        raise ValueError(
            f"a decompression bomb: {size:,} bytes that would take {needed / 1e6:,.0f} MB of memory"
        )
    if width * height * scans > WORK:
        raise ValueError(f"a decompression bomb: {width} x {height} pixels, {scans:,} times over")
    return taken
