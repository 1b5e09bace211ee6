"""RGB and YCbCr, equal to MATLAB's to the last digit, and rounding to 8 or 16 bits.

An image is an array (H, W) or (H, W, channels), uint8 unless said otherwise, as Pillow gives it.
The networks take (N, C, H, W); `npespcn.data.patches` converts between the two.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from npespcn.common import Array

# BT.601, studio range, in thousandths: black is (16, 128, 128), white is (235, 128, 128). Whole
# numbers, so that sums over uint8 are exact and every machine rounds the same way.
_RGB_TO_YCBCR = np.array(
    [[65481, 128553, 24966], [-37797, -74203, 112000], [112000, -93786, -18214]], np.float64
)
_PER_UNIT = 1000 * 255
_YCBCR_TO_RGB = np.linalg.inv(_RGB_TO_YCBCR / _PER_UNIT)
_YCBCR_OFFSET = np.array([16.0, 128.0, 128.0])


def rgb_to_ycbcr(rgb: Array) -> Array:
    """Convert RGB to YCbCr, BT.601 studio range, as MATLAB's ``rgb2ycbcr`` does: (..., 3).

    ::

        Y  =  16 + ( 65.481 R + 128.553 G +  24.966 B) / 255      16 (black) to 235 (white)
        Cb = 128 + (-37.797 R -  74.203 G + 112.000 B) / 255      16 to 240, gray is 128
        Cr = 128 + (112.000 R -  93.786 G -  18.214 B) / 255      16 to 240, gray is 128

    Parameters
    ----------
    rgb : (..., 3)
        Channels last, on the scale 0 to 255; uint8 or floating.

    Returns
    -------
    ndarray, (..., 3)
        The same dtype: uint8 is rounded (halves up), floats are not.

    Raises
    ------
    TypeError, ValueError
        If the dtype is neither uint8 nor floating, or if the last axis does not have length 3.

    Examples
    --------
    >>> rgb_to_ycbcr(np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0]], np.uint8))
    array([[ 16, 128, 128],
           [235, 128, 128],
           [ 81,  90, 240]], dtype=uint8)
    """
    x = _to_float("rgb_to_ycbcr", "rgb", rgb)
    ycbcr = x @ _RGB_TO_YCBCR.T.astype(x.dtype) / _PER_UNIT + _YCBCR_OFFSET.astype(x.dtype)
    return _as_dtype(ycbcr, np.asarray(rgb).dtype)


def rgb_to_y(rgb: Array) -> Array:
    """Convert RGB to luma only, the Y of `rgb_to_ycbcr`: (..., 3) -> (...).

    Examples
    --------
    >>> rgb_to_y(np.array([[255, 255, 255], [0, 0, 255]], np.uint8))
    array([235,  41], dtype=uint8)
    """
    x = _to_float("rgb_to_y", "rgb", rgb)
    y = x @ _RGB_TO_YCBCR[0].astype(x.dtype) / _PER_UNIT + x.dtype.type(_YCBCR_OFFSET[0])  # (...)
    return _as_dtype(y, np.asarray(rgb).dtype)


def ycbcr_to_rgb(ycbcr: Array) -> Array:
    """Convert YCbCr back to RGB, the inverse of `rgb_to_ycbcr`: (..., 3).

    uint8 is rounded and clipped to 0..255, because many YCbCr triples lie outside RGB. Floats are
    neither rounded nor clipped, so that the two functions undo each other.

    Examples
    --------
    >>> ycbcr_to_rgb(np.array([[16, 128, 128], [235, 128, 128], [81, 90, 240]], np.uint8))
    array([[  0,   0,   0],
           [255, 255, 255],
           [254,   0,   0]], dtype=uint8)
    """
    x = _to_float("ycbcr_to_rgb", "ycbcr", ycbcr)
    rgb = (x - _YCBCR_OFFSET.astype(x.dtype)) @ _YCBCR_TO_RGB.T.astype(x.dtype)
    return _as_dtype(rgb, np.asarray(ycbcr).dtype)


def quantize(x: Array, dtype: Any = np.uint8) -> Array:
    """Round to whole numbers, halves up as in MATLAB, and clip to the range of an integer dtype.

    Examples
    --------
    >>> quantize(np.array([-3.0, 0.49, 0.5, 2.5, 300.0]))
    array([  0,   0,   1,   3, 255], dtype=uint8)
    """
    limits = np.iinfo(dtype)
    rounded: Array = np.floor(x + 0.5).clip(limits.min, limits.max).astype(dtype)
    return rounded


def _to_float(function: str, argument: str, x: Array) -> Array:
    """Check a (..., 3) array and return it in a floating dtype that is exact enough."""
    x = np.asarray(x)
    if x.dtype != np.uint8 and not np.issubdtype(x.dtype, np.floating):
        raise TypeError(f"{function}: {argument} must be uint8 or floating, got {x.dtype}")
    if x.ndim == 0 or x.shape[-1] != 3:
        raise ValueError(
            f"{function}: {argument} must have 3 channels last, (..., 3), got shape {x.shape}"
        )
    # float64 holds sums over uint8 exactly; float16 could not hold the weights.
    return x.astype(np.float64 if x.dtype == np.uint8 else np.result_type(x.dtype, np.float32))


def _as_dtype(x: Array, dtype: np.dtype[Any]) -> Array:
    return quantize(x) if dtype == np.uint8 else x.astype(dtype, copy=False)
