"""The color profile of a picture: its own, or one made of what else its file says of colors.

PNG's gamma and primaries, the numbers of ITU-T H.273 in PNG and AVIF, and the fields of TIFF become
an ICC profile. Most formats can hold it, and the pixels stay as they are.
"""

from __future__ import annotations

import io
import re
import struct
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from npespcn.pictures.fields import box_of, bytes_of, tags_of

_D65 = (0.3127, 0.3290)
_SRGB = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)  # x and y of white, red, green and blue
_PRIMARIES = {  # by their numbers in H.273, where 2 says nothing
    **{1: _SRGB, 2: _SRGB, 5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06)},
    **dict.fromkeys((6, 7), (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070)),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),  # BT.2020
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # Display P3
}
_GAMMAS = {2: 0, 4: 2.2, 5: 2.8, 8: 1, 13: 0}  # by H.273 again; 0 stands for the curve of sRGB
_OF_VIDEO = (1, 6, 14, 15)
_GRAYS = ("1", "L", "LA", "La", "I", "I;16", "I;16B")
_CONES = np.array(  # Bradford's, of XYZ
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_D50 = np.array([0.9642, 1, 0.8249])  # XYZ


def profile_of(image: Image.Image) -> bytes | None:
    """Return the ICC profile of an image not read yet; None for sRGB, and if nothing is said.

    The profile may not fit the image, or be broken; no bytes stand for one that is not made.

    Raises
    ------
    ValueError
        If its colors are of a high dynamic range, or of a kind that is not known.
    """
    info = image.info
    if len(by_number := info.get("cicp", b"")) == 4 and by_number[2] == 0:  # RGB, in a PNG
        primaries, transfer, _, whole_range = by_number
        return _by_number(image, primaries, transfer if whole_range else 0, 2.4)
    if "icc_profile" in info:
        return info["icc_profile"] or b""
    if image.format in ("AVIF", "HEIF"):
        numbers = re.search(rb"colrnclx\0(.)\0(.)", bytes_of(image), re.DOTALL)
        return _by_number(image, numbers[1][0], numbers[2][0], 0) if numbers else None
    if image.format == "JPEG2000":
        return box_of(bytes_of(image, -1).partition(b"jp2c")[0], rb"colr[\2\3]..")
    if image.format == "BMP" and len(head := bytes_of(image, 110)) == 110 and head[14] >= 108:
        own = head[70:74] == bytes(4) and any(head[74:])  # primaries, which many leave at 0
        return b"" if own or head[70:74] in (b"DEBM", b"KNIL") else None  # in here, in a file
    if image.format == "TIFF":
        white, primaries, *curves = (tags_of(image).get(tag) for tag in (318, 319, 301, 291))
        if white or primaries:
            return _made(image, (*(white or _D65), *(primaries or _SRGB[2:])), 2.2)
        return b"" if any(curves) else None
    if "srgb" in info or not info.keys() & {"gamma", "chromaticity"}:
        return None
    gamma = info.get("gamma", 0)
    return _made(image, info.get("chromaticity", _SRGB), 1 / gamma) if gamma else b""


def transform_to_srgb(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the transform from a profile to sRGB, if pixels of this mode can have that profile."""
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile or b""))
        return ImageCms.buildTransform(own, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError):
        return None


def _by_number(image: Image.Image, primaries: int, transfer: int, of_video: float) -> bytes | None:
    gammas = {**_GAMMAS, **dict.fromkeys(_OF_VIDEO, of_video)}
    if primaries not in _PRIMARIES or transfer not in gammas:
        kind = {16: "HDR (PQ)", 18: "HDR (HLG)"}.get(transfer, "of a rare kind")
        raise ValueError(f"its colors are {kind}; convert them to sRGB first, in another program")
    return _made(image, _PRIMARIES[primaries], gammas[transfer])


def _made(image: Image.Image, xy: Any, gamma: float) -> bytes | None:
    """Return a profile of these primaries and this gamma, where 0 means the curve of sRGB.

    It is the profile of sRGB with other numbers in it; None if the numbers are those of sRGB.
    """
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    gray, names = image.mode in _GRAYS, range(132, 132 + 12 * profile[131], 12)
    start = {
        bytes(profile[i : i + 4]): int.from_bytes(profile[i + 4 : i + 8], "big") for i in names
    }
    try:
        with np.errstate(all="raise"):
            points = np.reshape(xy, (4, 2)).astype(float)
            same = gray or np.abs(points.ravel() - _SRGB).max() < 0.003
            if same and (not gamma or abs(gamma - 2.2) < 0.11):
                return None
            xyz = np.column_stack([points, 1 - points.sum(axis=1)]) / points[:, 1:]  # Y is 1
            white, columns = xyz[0], xyz[1:].T
            columns = columns * np.linalg.solve(columns, white)
            to_d50 = np.linalg.inv(_CONES) @ np.diag(_CONES @ _D50 / (_CONES @ white)) @ _CONES
            rows = np.rint(2**16 * (to_d50 @ columns).T).astype(">i4")
            for name, row in zip((b"rXYZ", b"gXYZ", b"bXYZ"), rows, strict=True):
                profile[start[name] + 8 : start[name] + 20] = row.tobytes()
            if gamma:
                numbers = round(2**16 * gamma), 2**16, 0, 0, 0
                struct.pack_into(">5i", profile, start[b"rTRC"] + 12, *numbers)
    except (TypeError, ValueError, ArithmeticError, struct.error):
        return b""
    profile[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)  # not now: the same bits every time
    if gray:
        profile[16:20], profile[profile.index(b"rTRC")] = b"GRAY", b"k"[0]
    name = "sRGB built-in".encode("utf-16-be")
    return bytes(profile).replace(name, "own primaries".encode("utf-16-be"))
