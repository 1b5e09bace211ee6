"""ESPCN, the sub-pixel convolution network for image super-resolution, from scratch in NumPy.

Start with `npespcn.shuffle`, the heart, then `npespcn.conv`, `npespcn.layers` and `npespcn.models`.
"""

__version__ = "0.1.0"

from npespcn.enlarge.picture import upscale

__all__ = ["__version__", "upscale"]
