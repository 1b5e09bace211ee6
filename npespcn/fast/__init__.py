"""The same numbers in less time: `accelerate`, and the GPU (`npespcn.fast.gpu`)."""

from npespcn.fast.network import Accelerated, accelerate

__all__ = ["Accelerated", "accelerate"]
