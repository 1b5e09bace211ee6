"""Enlarge an image (`upscale`) or a video (`upscale_video`)."""

from npespcn.enlarge.picture import upscale
from npespcn.enlarge.video import upscale_video

__all__ = ["upscale", "upscale_video"]
