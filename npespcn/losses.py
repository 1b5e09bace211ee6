"""Losses: (prediction, target) -> (value, dprediction), means over all elements or images.

The value stays where the arrays are; ``float(value)`` reads it, and on a GPU waits for it.
"""

from npespcn.arrays import array_module, check_shape, require


def mse(prediction, target):
    """Mean squared error: mean (p - t)², gradient 2 (p - t) / size. PSNR is -10 log10 of it.

    >>> import numpy as np
    >>> value, dprediction = mse(np.array([1.0, 4.0]), np.array([1.0, 2.0]))
    >>> float(value), dprediction
    (2.0, array([0., 2.]))
    """
    difference = _difference(prediction, target)
    return (difference * difference).mean(), difference * (2 / difference.size)


def l1(prediction, target):
    """Mean absolute error: mean |p - t|, gradient sign(p - t) / size, 0 where they are equal."""
    difference, xp = _difference(prediction, target), array_module(prediction)
    return xp.abs(difference).mean(), xp.sign(difference) / difference.size


def charbonnier(prediction, target, epsilon=1e-3):
    """A smooth L1: mean sqrt((p - t)² + ε²), gradient (p - t) / sqrt((p - t)² + ε²) / size.

    Charbonnier et al. 1994; for super-resolution with ε = 0.001, Lai et al. 2017 (LapSRN).
    """
    difference = _difference(prediction, target)
    root = array_module(prediction).hypot(difference, epsilon)  # whose squares overflow nowhere
    return root.mean(), difference / root / difference.size


def log_mse(prediction, target, epsilon=1e-4):
    """Mean over the batch of log(mse_n + ε).

    Gradient 2 (p - t) / (size of an image) / (mse_n + ε) / N, where mse_n is that of image n.
    A mean PSNR is a mean of such logarithms, so a difficult image counts no more than an easy one;
    plain `mse` learns mostly from the difficult ones, whose error is larger. ε is the error at a
    PSNR of 40 dB (images from 0 to 1). Without it, flat images, which have hardly any error, would
    have the largest gradients.

    >>> import numpy as np
    >>> value, _ = log_mse(np.array([[0.1, 0.1], [0.2, 0.2]]), np.zeros((2, 2)), epsilon=0)
    >>> f"{-10 / np.log(10) * value:.2f} dB"  # the mean of 20 dB and 13.98 dB
    '16.99 dB'
    """
    difference, xp = _difference(prediction, target), array_module(prediction)
    axes = tuple(range(1, difference.ndim))
    errors = (difference * difference).mean(axis=axes, keepdims=True) + epsilon  # (N, 1, ..., 1)
    return xp.log(errors).mean(), difference / errors * (2 / difference.size)


def _difference(prediction, target):
    check_shape("target", target, prediction.shape)
    require(prediction.dtype.kind == "f", f"prediction must be floating, got {prediction.dtype}")
    return prediction - target.astype(prediction.dtype)
