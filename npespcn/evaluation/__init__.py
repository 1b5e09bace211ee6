"""The literature's protocol: PSNR, SSIM, sets of test files."""

from npespcn.evaluation.metrics import psnr, ssim
from npespcn.evaluation.protocol import PictureScore, Score, evaluate, mean_score, protocol
from npespcn.evaluation.testsets import Pair, PictureSet, find_pictures
from npespcn.evaluation.validation import bicubic_score, validate

__all__ = [
    "Pair",
    "PictureScore",
    "PictureSet",
    "Score",
    "bicubic_score",
    "evaluate",
    "find_pictures",
    "mean_score",
    "protocol",
    "psnr",
    "ssim",
    "validate",
]
