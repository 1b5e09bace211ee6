"""Losses: (prediction, target) -> (value, dprediction), means over all elements or images.

The value stays where the arrays are, as a 0-d array; ``float(value)`` reads it.
"""

from __future__ import annotations

from npespcn.common.checks import array, from_zero, real_array
from npespcn.fast.gpu import Array, array_module


def mse(prediction: Array, target: Array) -> tuple[Array, Array]:
    """Mean squared error: mean (p - t)², gradient 2 (p - t) / size. PSNR is its logarithm.

    Examples
    --------
    >>> import numpy as np
    >>> value, dprediction = mse(np.array([1.0, 4.0]), np.array([1.0, 2.0]))
    >>> float(value), dprediction
    (2.0, array([0., 2.]))
    """
    difference = _difference("mse", prediction, target)
    return (difference * difference).mean(), difference * (2 / difference.size)


def l1(prediction: Array, target: Array) -> tuple[Array, Array]:
    """Mean absolute error: mean abs(p - t), gradient sign(p - t) / size, 0 where they are equal."""
    difference = _difference("l1", prediction, target)
    xp = array_module(prediction)
    return xp.abs(difference).mean(), xp.sign(difference) / difference.size


def charbonnier(prediction: Array, target: Array, epsilon: float = 1e-3) -> tuple[Array, Array]:
    """A smooth L1: mean sqrt((p - t)² + ε²), gradient (p - t) / sqrt((p - t)² + ε²) / size.

    Charbonnier et al. 1994; for super-resolution with ε = 0.001, Lai et al. 2017 (LapSRN).
    """
    difference = _difference("charbonnier", prediction, target)
    epsilon = from_zero("charbonnier: epsilon", epsilon)
    root = array_module(prediction).hypot(difference, epsilon)  # whose squares overflow nowhere
    return root.mean(), difference / root / difference.size


def log_mse(prediction: Array, target: Array, epsilon: float = 1e-4) -> tuple[Array, Array]:
    """What a table of PSNR averages: the mean over n of log(mse_n + ε); image n is ``[n]``.

    Gradient 2 (p - t) / (size of an image) / (mse_n + ε) / N. A mean of PSNR is one of logarithms,
    so a difficult image counts no more than an easy one, whose error is smaller; plain `mse` learns
    mostly from the difficult ones. ε, a PSNR of 40 dB for images from 0 to 1, keeps flat ones,
    which have hardly any error, from counting for everything.

    Examples
    --------
    >>> import numpy as np
    >>> value, _ = log_mse(np.array([[0.1, 0.1], [0.2, 0.2]]), np.zeros((2, 2)), epsilon=0)
    >>> f"{-10 / np.log(10) * value:.2f} dB"  # of 20 dB and 13.98 dB
    '16.99 dB'
    """
    difference = _difference("log_mse", prediction, target)
    epsilon = from_zero("log_mse: epsilon", epsilon)
    xp, axes = array_module(prediction), tuple(range(1, difference.ndim))
    errors = (difference * difference).mean(axis=axes, keepdims=True) + epsilon  # (N, 1, ...)
    return xp.log(errors).mean(), difference / errors * (2 / difference.size)


def _difference(name: str, prediction: Array, target: Array) -> Array:
    real_array(f"{name}: prediction", prediction)
    if array(f"{name}: target", target) and target.dtype.kind not in "buif":
        raise TypeError(f"{name}: target must hold real numbers, got {target.dtype}")
    array_module(prediction, target)  # both on one device
    if prediction.shape != target.shape or prediction.size == 0:
        raise ValueError(
            f"{name}: prediction and target must have one shape, and not be empty, "
            f"got {prediction.shape} and {target.shape}"
        )
    if prediction.dtype.kind != "f":
        raise TypeError(f"{name}: prediction must be floating-point, got {prediction.dtype}")
    difference: Array = prediction - target.astype(prediction.dtype, copy=False)
    return difference
