"""Drawings: how channels become pixels, channel maps, learning curves, before and after."""

from npespcn.figures.before_after import before_after, where_they_differ
from npespcn.figures.channels import channel_maps, subpixel_channels
from npespcn.figures.curve import learning_curve
from npespcn.figures.sheet import channel_colors, outline, save, text_color
from npespcn.figures.shuffle import channel_formula, explain_figure, explain_gif

__all__ = [
    "before_after",
    "channel_colors",
    "channel_formula",
    "channel_maps",
    "explain_figure",
    "explain_gif",
    "learning_curve",
    "outline",
    "save",
    "subpixel_channels",
    "text_color",
    "where_they_differ",
]
