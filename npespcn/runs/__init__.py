"""Training that can be stopped, resumed, watched and shared: `fit`."""

from npespcn.runs.centering import Centered, center_biases
from npespcn.runs.fit import DivergedError, fit
from npespcn.runs.folder import BEST, HISTORY, LAST, RunFolder
from npespcn.runs.mpi import mpi_group
from npespcn.runs.ranks import Group, SingleProcess
from npespcn.runs.schedules import Plateau, Scheduled, step_decay
from npespcn.runs.wrappers import Scaled

__all__ = [
    "BEST",
    "HISTORY",
    "LAST",
    "Centered",
    "DivergedError",
    "Group",
    "Plateau",
    "RunFolder",
    "Scaled",
    "Scheduled",
    "SingleProcess",
    "center_biases",
    "fit",
    "mpi_group",
    "step_decay",
]
