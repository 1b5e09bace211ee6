"""Batches for training: patches of low and high resolution, from a folder or of dead leaves."""

from npespcn.data.dead_leaves import LeafStatistics, dead_leaves, dead_leaves_pictures
from npespcn.data.folders import load_pictures, natural_key
from npespcn.data.patches import LeafStream, PairedPatches, validation_pairs

__all__ = [
    "LeafStatistics",
    "LeafStream",
    "PairedPatches",
    "dead_leaves",
    "dead_leaves_pictures",
    "load_pictures",
    "natural_key",
    "validation_pairs",
]
