"""Pictures: reading, writing, YCbCr and bicubic resizing.

A picture is an array (H, W) or (H, W, channels), uint8 unless said otherwise, as Pillow gives it.
The networks take (N, C, H, W); ``npespcn.data`` goes from one to the other.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from npespcn.backend import Array
from npespcn.checks import four_sides, whole_number
from npespcn.files import atomic_write, check_file
from npespcn.guards import check_bomb, picture_formats

# --- files ---------------------------------------------------------------------------------------

_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95},
}
_AS_IF_ENLARGED = 5  # times, for training and evaluation need some 100 bytes for a pixel


def open_image(path: str | os.PathLike[str]) -> Image.Image:
    """Read a picture file whole, turned the way its EXIF orientation says, in its own mode.

    Raises
    ------
    OSError
        If the file cannot be opened: missing, a folder, no permission.
    ValueError
        If it is no picture that Pillow can read, is cut short, or is a decompression bomb.
    """
    check_file(path)
    try:
        with Image.open(path, formats=picture_formats()) as image:
            check_bomb(image, _AS_IF_ENLARGED)
            return ImageOps.exif_transpose(image)  # reads every pixel
    except MemoryError:
        raise
    except Exception as error:  # a broken file can raise almost anything in Pillow's decoders
        if isinstance(error, OSError) and error.errno is not None:
            raise
        name = os.fspath(path)
        raise ValueError(f"open_image: cannot read {name} as a picture: {error}") from error


def read_image(path: str | os.PathLike[str]) -> Array:
    """Read a picture file as uint8 RGB (H, W, 3), turned the way its EXIF orientation says.

    Grey becomes three equal channels, 16 bits become 8, transparency is dropped, and of an
    animation the first frame is read.

    Raises
    ------
    OSError, ValueError
        As `open_image`; also a ValueError for pixels that have no agreed range (floats).
    """
    image = open_image(path)
    if image.mode == "F":
        raise ValueError(
            f"read_image: {os.fspath(path)} holds floating-point pixels, whose range is unknown; "
            "save it with 8 or 16 bits"
        )
    try:
        if image.mode.startswith("I"):  # 16 bits a pixel, which Pillow's own conversion would clip
            wide = np.asarray(image).astype(np.float64)
            image = Image.fromarray(_to_uint8(wide / 257))  # 65535 -> 255
        if image.mode == "P":
            image = image.convert("RGBA")  # understands every kind of palette transparency
        return np.array(image.convert("RGB"))  # a copy: np.asarray's would be read-only
    except MemoryError:
        raise
    except Exception as error:  # as above
        raise ValueError(f"read_image: {os.fspath(path)}: {error}") from error


def write_image(path: str | os.PathLike[str], picture: Array | Image.Image, **options: Any) -> None:
    """Write a picture; the file appears whole or not at all.

    Parameters
    ----------
    path
        The file. Its suffix chooses the format.
    picture
        uint8, grey (H, W), RGB (H, W, 3) or RGBA (H, W, 4), or a Pillow image.
    **options
        Passed on to Pillow. Lossy formats are saved at quality 95, JPEG without thinning out the
        colours, unless these say otherwise.

    Raises
    ------
    ValueError
        If Pillow knows no format of that suffix, or the format cannot hold the picture.
    """
    name = os.fspath(path)
    suffix = os.path.splitext(name)[1].lower()
    image_format = Image.registered_extensions().get(suffix)
    if image_format is None or image_format not in Image.SAVE:
        raise ValueError(f"write_image: cannot write {name}: no picture format ends in {suffix!r}")
    if not isinstance(picture, Image.Image):
        picture = np.asarray(picture)
        if picture.dtype != np.uint8:
            raise TypeError(f"write_image: picture must be uint8, got {picture.dtype}")
        if picture.size == 0 or not (picture.ndim == 2 or picture.shape[2:] in {(3,), (4,)}):
            raise ValueError(
                "write_image: picture must be (H, W), (H, W, 3) or (H, W, 4) and not empty, "
                f"got shape {picture.shape}"
            )
        picture = Image.fromarray(np.ascontiguousarray(picture))
    options = {**_SAVE_OPTIONS.get(image_format, {}), **options}
    with atomic_write(path) as temporary:
        try:
            picture.save(temporary, format=image_format, **options)
        except OSError as error:
            if error.errno is not None:
                raise
            raise ValueError(f"write_image: cannot write {name}: {error}") from error


# --- colour --------------------------------------------------------------------------------------

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
        Cb = 128 + (-37.797 R -  74.203 G + 112.000 B) / 255      16 to 240, grey is 128
        Cr = 128 + (112.000 R -  93.786 G -  18.214 B) / 255      16 to 240, grey is 128

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
        If the dtype is neither uint8 nor floating, or if the last axis is not 3 long.

    Examples
    --------
    >>> rgb_to_ycbcr(np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0]], np.uint8))
    array([[ 16, 128, 128],
           [235, 128, 128],
           [ 81,  90, 240]], dtype=uint8)
    """
    x = _for_colour("rgb_to_ycbcr", "rgb", rgb)
    ycbcr = x @ _RGB_TO_YCBCR.T.astype(x.dtype) / _PER_UNIT + _YCBCR_OFFSET.astype(x.dtype)
    return _as_dtype(ycbcr, np.asarray(rgb).dtype)


def rgb_to_y(rgb: Array) -> Array:
    """Return the luma alone, the Y of `rgb_to_ycbcr`: (..., 3) -> (...).

    Examples
    --------
    >>> rgb_to_y(np.array([[255, 255, 255], [0, 0, 255]], np.uint8))
    array([235,  41], dtype=uint8)
    """
    x = _for_colour("rgb_to_y", "rgb", rgb)
    y = x @ _RGB_TO_YCBCR[0].astype(x.dtype) / _PER_UNIT + x.dtype.type(_YCBCR_OFFSET[0])  # (...)
    return _as_dtype(y, np.asarray(rgb).dtype)


def ycbcr_to_rgb(ycbcr: Array) -> Array:
    """Convert YCbCr back to RGB, the inverse of `rgb_to_ycbcr`: (..., 3).

    uint8 is rounded and clipped to 0..255; many YCbCr triples lie outside RGB. Floats are
    neither, so that the two functions undo each other.

    Examples
    --------
    >>> ycbcr_to_rgb(np.array([[16, 128, 128], [235, 128, 128], [81, 90, 240]], np.uint8))
    array([[  0,   0,   0],
           [255, 255, 255],
           [254,   0,   0]], dtype=uint8)
    """
    x = _for_colour("ycbcr_to_rgb", "ycbcr", ycbcr)
    rgb = (x - _YCBCR_OFFSET.astype(x.dtype)) @ _YCBCR_TO_RGB.T.astype(x.dtype)
    return _as_dtype(rgb, np.asarray(ycbcr).dtype)


def _for_colour(function: str, argument: str, x: Array) -> Array:
    """Check a (..., 3) array and return it in a floating dtype fit for the arithmetic."""
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
    return _to_uint8(x) if dtype == np.uint8 else x.astype(dtype, copy=False)


def _to_uint8(x: Array) -> Array:
    """Round halves up, as MATLAB does, and clip."""
    rounded: Array = np.floor(x + 0.5).clip(0, 255).astype(np.uint8)
    return rounded


# --- resizing ------------------------------------------------------------------------------------


def downscale(picture: Array, scale: int) -> Array:
    """Shrink a picture as MATLAB's ``imresize(picture, 1/scale, 'bicubic')`` does.

    (H, W) -> (H // scale, W // scale); the sides are first cropped, at the bottom and right, to
    multiples of `scale`. Each LR pixel is a weighted mean of the HR pixels around its centre. The
    weights are Keys' cubic with a = -0.5, stretched by `scale` so that nothing aliases; columns
    are filtered first and rounded to uint8, then rows. Beyond its edges the picture repeats its
    last pixel. This is how the literature makes its LR pictures, so PSNR compares only with it.

    Pillow filters with the same weights, but rows first, and it cuts the weights off at the edge.
    Hence the transpose and the padding. Its weights have 22 bits, which settles every rounding as
    double precision does for scales 2 to 5 and 8; for others a rare pixel may differ by one.

    Parameters
    ----------
    picture : (H, W) or (H, W, 3), uint8
    scale
        By how much to shrink, from 1; at most the shorter side.

    Raises
    ------
    TypeError, ValueError
        If the dtype, the shape or the scale is not as above.

    References
    ----------
    R. G. Keys, "Cubic convolution interpolation for digital image processing", 1981.

    Examples
    --------
    >>> downscale(np.array([[0, 0, 0, 0, 200, 200, 200, 200, 9]] * 4, np.uint8), 2)
    array([[  0,  13, 187, 202],
           [  0,  13, 187, 202]], dtype=uint8)
    """
    picture = np.asarray(picture)
    scale = whole_number("downscale: scale", scale, 1)
    if picture.dtype != np.uint8:
        raise TypeError(f"downscale: picture must be uint8, got {picture.dtype}")
    _check_picture("downscale", picture)
    h, w = picture.shape[0] // scale, picture.shape[1] // scale
    if h == 0 or w == 0:
        raise ValueError(
            f"downscale: picture of shape {picture.shape} is smaller than one pixel after "
            f"shrinking (scale={scale})"
        )
    cropped = picture[: h * scale, : w * scale]
    margin = 4  # in LR pixels; the weights reach 2
    pad = [(margin * scale, margin * scale)] * 2 + [(0, 0)] * (picture.ndim - 2)
    padded = np.pad(cropped, pad, mode="edge")
    small = _pillow_bicubic(padded.swapaxes(0, 1), h + 2 * margin, w + 2 * margin).swapaxes(0, 1)
    return np.ascontiguousarray(small[margin:-margin, margin:-margin])  # (h, w) or (h, w, 3)


def upscale_bicubic(
    picture: Array, scale: int, box: tuple[int, int, int, int] | None = None
) -> Array:
    """Enlarge a picture with Pillow's bicubic: (H, W) -> (H * scale, W * scale).

    This is the bicubic of the usual comparisons: 33.64, 30.39 and 28.42 dB on Set5 at 2, 3 and 4.

    Parameters
    ----------
    picture : (H, W) or (H, W, 3), uint8; or one plane (H, W), float32
        uint8 is rounded and clipped. A float32 plane is neither, and may have any range.
    scale
        By how much to enlarge, from 1.
    box : (left, upper, right, lower), optional
        Return this part of the larger picture alone, given in pixels of the smaller one.

    Raises
    ------
    TypeError, ValueError
        If the dtype, the shape, the scale or the box is not as above.
    """
    picture = np.asarray(picture)
    scale = whole_number("upscale_bicubic: scale", scale, 1)
    if picture.dtype not in (np.uint8, np.float32):
        raise TypeError(f"upscale_bicubic: picture must be uint8 or float32, got {picture.dtype}")
    if picture.dtype == np.float32 and picture.ndim != 2:
        raise ValueError(
            f"upscale_bicubic: a float32 picture must be one plane (H, W), got {picture.shape}"
        )
    _check_picture("upscale_bicubic", picture)
    height, width = picture.shape[:2]
    if box is None:
        box = (0, 0, width, height)
    name = "upscale_bicubic: box"
    left, upper, right, lower = four_sides(name, "(left, upper, right, lower)", box, 0)
    if not (left < right <= width and upper < lower <= height):
        raise ValueError(f"{name} must lie in the picture of {width} x {height}, got {box}")
    return _pillow_bicubic(picture, (right - left) * scale, (lower - upper) * scale, box)


def _pillow_bicubic(
    picture: Array, width: int, height: int, box: tuple[int, int, int, int] | None = None
) -> Array:
    image = Image.fromarray(np.ascontiguousarray(picture))
    return np.array(image.resize((width, height), Image.Resampling.BICUBIC, box))


def _check_picture(function: str, picture: Array) -> None:
    if picture.size == 0 or not (picture.ndim == 2 or picture.shape[2:] == (3,)):
        raise ValueError(
            f"{function}: picture must be (H, W) or (H, W, 3) and not empty, "
            f"got shape {picture.shape}"
        )
