"""Similarity of two images: PSNR and SSIM.

Images are (H, W) or (H, W, channels) with at most four channels, of any real dtype. The arithmetic
is done in float64, so unsigned integers cannot wrap. The literature measures luma (``rgb_to_y``) on
the scale 0 to 255 and leaves out a border as wide as the upscale factor.
"""

from __future__ import annotations

import numpy as np

from npespcn.common import Array
from npespcn.common.checks import positive, whole_number

SSIM_WINDOW = 11
_SIGMA = 1.5
_K1, _K2 = 0.01, 0.03


def psnr(a: Array, b: Array, data_range: float = 255, border: int = 0) -> float:
    """Peak signal-to-noise ratio in decibels: 10 log10(data_range² / mean((a - b)²)).

    Parameters
    ----------
    a, b : (H, W) or (H, W, channels)
        Two images of the same shape, on the same scale. Their dtypes may differ.
    data_range
        The largest value that an image can hold: 255, or 1 for images on the scale 0 to 1.
    border
        Number of pixels to leave out along each of the four sides.

    Returns
    -------
    float
        Infinite for identical images. For several channels, the PSNR of their common mean square.

    Raises
    ------
    TypeError, ValueError
        If the images are not as above, if `border` leaves nothing of them, or if one of them is
        not on the scale of `data_range`: its largest absolute value is more than twice that, or
        less than a hundredth of it in floats that are not all zero.

    Examples
    --------
    >>> white, black = np.full((8, 8), 255, np.uint8), np.zeros((8, 8), np.uint8)
    >>> psnr(white, black), psnr(white, white)
    (0.0, inf)
    """
    a, b = _prepare("psnr", a, b, data_range, border, smallest=1)
    mean_square = float(np.mean((a - b) ** 2))
    if mean_square == 0:
        return float("inf")
    return float(10 * np.log10(data_range**2 / mean_square))


def ssim(a: Array, b: Array, data_range: float = 255, border: int = 0) -> float:
    """Structural similarity: its mean over every 11×11 window that lies inside the image.

    With means m, variances v and covariance c under a Gaussian window (sigma 1.5, sum 1)::

                (2 m_a m_b + C1) (2 c_ab + C2)
        ssim = ----------------------------------     C1 = (0.01 range)²,  C2 = (0.03 range)²
               (m_a² + m_b² + C1) (v_a + v_b + C2)

    Parameters
    ----------
    a, b, data_range, border
        As in `psnr`. Without their borders the images must have at least 11×11 pixels.

    Returns
    -------
    float
        At most 1, the value of identical images. For several channels, their mean.

    Raises
    ------
    TypeError, ValueError
        As in `psnr`.

    References
    ----------
    Z. Wang, A. C. Bovik, H. R. Sheikh and E. P. Simoncelli, "Image quality assessment: from error
    visibility to structural similarity", 2004, equation 13.

    Examples
    --------
    >>> x = np.arange(256.0).reshape(16, 16)
    >>> ssim(x, x), round(ssim(x, 255 - x), 3)
    (1.0, -0.826)
    """
    a, b = _prepare("ssim", a, b, data_range, border, smallest=SSIM_WINDOW)
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    mean_a, mean_b = _window_mean(a), _window_mean(b)  # (H - 10, W - 10[, channels])
    variance_a = _window_mean(a * a) - mean_a * mean_a
    variance_b = _window_mean(b * b) - mean_b * mean_b
    covariance = _window_mean(a * b) - mean_a * mean_b
    above = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    below = (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
    return float(np.mean(above / below))


def _window_mean(x: Array) -> Array:
    """Gaussian mean of each 11×11 window: (H, W, ...) -> (H - 10, W - 10, ...).

    A Gaussian of two variables is a product of two Gaussians of one. So two passes of 11
    multiplications do the work of one pass of 121.
    """
    offsets = np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2
    weights = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    weights /= weights.sum()
    h, w = x.shape[0] - SSIM_WINDOW + 1, x.shape[1] - SSIM_WINDOW + 1
    columns: Array = sum(weight * x[i : i + h] for i, weight in enumerate(weights))  # (h, W, ...)
    means: Array = sum(weight * columns[:, j : j + w] for j, weight in enumerate(weights))
    return means  # (h, w, ...)


def _prepare(
    function: str, a: Array, b: Array, data_range: float, border: int, smallest: int
) -> tuple[Array, Array]:
    """Check the arguments; return both images in float64 without their borders."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        raise ValueError(
            f"{function}: a and b must have one shape, a is {a.shape} and b is {b.shape}"
        )
    if not (a.ndim == 2 or (a.ndim == 3 and 1 <= a.shape[2] <= 4)):
        raise ValueError(
            f"{function}: a and b must be (H, W) or (H, W, channels) with at most 4 channels, "
            f"got shape {a.shape}"
        )
    positive(f"{function}: data_range", data_range)
    border = whole_number(f"{function}: border", border, 0)
    h, w = a.shape[0] - 2 * border, a.shape[1] - 2 * border
    if min(h, w) < smallest:
        raise ValueError(
            f"{function}: a and b of shape {a.shape} leave {max(h, 0)} x {max(w, 0)} pixels "
            f"(border={border}), at least {smallest} x {smallest} are needed"
        )
    inside = np.s_[border : border + h, border : border + w]
    a, b = (_checked(f"{function}: {name}", x, data_range) for name, x in (("a", a), ("b", b)))
    return a[inside], b[inside]


def _checked(name: str, x: Array, data_range: float) -> Array:
    """Return an image in float64; raise unless it is real, finite and on the right scale."""
    if x.dtype.kind not in "buif":
        raise TypeError(f"{name} must hold real numbers, got {x.dtype}")
    values = x.astype(np.float64)
    largest = float(np.abs(values).max())
    if not np.isfinite(largest):
        raise ValueError(f"{name} must hold finite numbers only")
    too_small = x.dtype.kind in "bf" and 0 < largest < data_range / 100  # integers may be that dark
    if too_small or largest > 2 * data_range:
        raise ValueError(
            f"{name} has values up to {largest:.4g}, which does not fit data_range={data_range:g}: "
            "pass data_range=1 for images on the scale 0 to 1, 255 for 8 bits"
        )
    return values
