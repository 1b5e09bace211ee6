"""A right answer to exercise 9 by tables: colors weighed in float32, differences counted."""

import numpy as np

TABLES = [
    np.arange(256, dtype=np.float32) * np.float32(weight / 256)
    for weight in (65.738, 129.057, 25.064)  # the form to divide by 256
]


def luma(rgb):
    weighed = sum(table[rgb[..., c]] for c, table in enumerate(TABLES))
    return np.rint(weighed + 16).astype(np.uint8)


def psnr(picture, reference, scale):
    both = np.stack([luma(picture), luma(reference)]).astype(np.int16)
    away = np.abs(np.diff(both, axis=0))[0, scale:-scale, scale:-scale]
    counts = np.bincount(away.ravel(), minlength=256)
    with np.errstate(divide="ignore"):
        return np.float64(20) * np.log10(255 / np.sqrt(counts @ np.arange(256) ** 2 / away.size))
