"""How close two pictures are: PSNR and SSIM.

Pictures are (H, W) or (H, W, channels) with at most four channels, any real dtype; the work is
done in float64, so unsigned integers cannot wrap. The literature measures luma (``rgb_to_y``) on
the scale 0 to 255 and leaves out a border as wide as the scale.
"""

from __future__ import annotations

import numpy as np

from npespcn.common import Array
from npespcn.common.checks import positive, whole_number

_WINDOW = 11
_SIGMA = 1.5
_K1, _K2 = 0.01, 0.03


def psnr(a: Array, b: Array, data_range: float = 255, border: int = 0) -> float:
    """Peak signal-to-noise ratio in decibels: 10 log10(data_range² / mean((a - b)²)).

    Parameters
    ----------
    a, b : (H, W) or (H, W, channels)
        The two pictures, the same shape. They may differ in dtype, not in scale.
    data_range
        The largest value that a picture could hold: 255, or 1 for pictures on the scale 0 to 1.
    border
        How many pixels to leave out along each of the four sides.

    Returns
    -------
    float
        Infinite for identical pictures. Over several channels, of their common mean.

    Raises
    ------
    TypeError, ValueError
        If the pictures are not as above, or if `border` leaves nothing of them.

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
    """Structural similarity, the mean over every 11×11 window that lies inside the picture.

    With means m, variances v and covariance c under a Gaussian window (sigma 1.5, sum 1)::

                (2 m_a m_b + C1) (2 c_ab + C2)
        ssim = ----------------------------------     C1 = (0.01 range)²,  C2 = (0.03 range)²
               (m_a² + m_b² + C1) (v_a + v_b + C2)

    Parameters
    ----------
    a, b, data_range, border
        As in `psnr`. The pictures must be at least 11×11 without their borders.

    Returns
    -------
    float
        At most 1, which identical pictures have. Over several channels, their mean.

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
    a, b = _prepare("ssim", a, b, data_range, border, smallest=_WINDOW)
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

    The Gaussian of two variables is a product of two Gaussians of one, so two passes of 11
    multiplications do the work of one pass of 121.
    """
    offsets = np.arange(_WINDOW) - _WINDOW // 2
    weights = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    weights /= weights.sum()
    h, w = x.shape[0] - _WINDOW + 1, x.shape[1] - _WINDOW + 1
    columns: Array = sum(weight * x[i : i + h] for i, weight in enumerate(weights))  # (h, W, ...)
    means: Array = sum(weight * columns[:, j : j + w] for j, weight in enumerate(weights))
    return means  # (h, w, ...)


def _prepare(
    function: str, a: Array, b: Array, data_range: float, border: int, smallest: int
) -> tuple[Array, Array]:
    """Check the arguments; return both pictures in float64 without their borders."""
    a, b = np.asarray(a), np.asarray(b)
    for name, x in (("a", a), ("b", b)):
        if x.dtype.kind not in "buif":
            raise TypeError(f"{function}: {name} must hold real numbers, got {x.dtype}")
        if not np.isfinite(x).all():
            raise ValueError(f"{function}: {name} must hold finite numbers alone")
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
    return a[inside].astype(np.float64), b[inside].astype(np.float64)
