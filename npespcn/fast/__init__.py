"""The same numbers in less time: `accelerate`, and the GPU (`npespcn.fast.gpu`)."""

from npespcn.fast.network import Accelerated, accelerate
from npespcn.fast.views import eight_views

__all__ = ["Accelerated", "accelerate", "eight_views"]
