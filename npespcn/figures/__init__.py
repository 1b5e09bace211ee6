"""Every picture that the project draws: channel maps, learning curves, before and after."""

from npespcn.figures.before_after import before_after, where_they_differ
from npespcn.figures.channels import channel_maps
from npespcn.figures.curve import learning_curve
from npespcn.figures.sheet import channel_colours, save
from npespcn.figures.shuffle import explain_figure, explain_gif

__all__ = [
    "before_after",
    "channel_colours",
    "channel_maps",
    "explain_figure",
    "explain_gif",
    "learning_curve",
    "save",
    "where_they_differ",
]
