"""Image files in, arrays out: reading and writing, color, bicubic resizing, formats and modes."""

from npespcn.pictures.color import quantize, rgb_to_y, rgb_to_ycbcr, ycbcr_to_rgb
from npespcn.pictures.files import read_image, write_image
from npespcn.pictures.resize import downscale, upscale_bicubic

__all__ = [
    "downscale",
    "quantize",
    "read_image",
    "rgb_to_y",
    "rgb_to_ycbcr",
    "upscale_bicubic",
    "write_image",
    "ycbcr_to_rgb",
]
