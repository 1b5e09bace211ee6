"""The score of a network during training, and of bicubic interpolation."""

from __future__ import annotations

import numpy as np
import pytest
from run_cases import pictures

from npespcn.data import validation_pairs
from npespcn.evaluation import bicubic_score, validate
from npespcn.models import ESPCN
from npespcn.pictures import downscale, upscale_bicubic


def psnr_by_hand(y, hr, border):
    """Return the PSNR of (C, H, W) images from 0 to 1, with 8 bits, without their borders."""
    a, b = (np.round(np.clip(x, 0, 1) * 255) for x in (y, hr))
    inside = np.s_[:, border:-border, border:-border]
    return 10 * np.log10(255**2 / np.mean((a[inside] - b[inside]) ** 2))


@pytest.mark.parametrize(("padding", "channels"), [("same", 1), ("valid", 3), ("edge", 1)])
def test_validation_is_the_mean_psnr_of_whole_images(padding, channels):
    model = ESPCN(3, channels, padding=padding, seed=2)
    model.params["conv3.bias"] += 0.5
    uneven = [pictures(1, 70)[0][:50], pictures(1, 60)[0][:, :45]]
    pairs = validation_pairs(uneven, 3, channels)
    expected = []
    for lr, hr in pairs:
        y = model.predict(lr)[0]
        target = hr[0, :, 12:-12, 12:-12] if padding == "valid" else hr[0]
        assert y.shape == target.shape
        expected.append(psnr_by_hand(y, target, 3))
    assert abs(expected[0] - expected[1]) > 0.03  # else a mean shows nothing
    assert validate(model, pairs) == pytest.approx(np.mean(expected), abs=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_score_to_beat_is_bicubic_interpolation(channels):
    image = pictures(1, 60)[0][:, :45]
    if channels == 1:
        image = np.repeat(image[..., :1], 3, axis=2)
    expected = upscale_bicubic(downscale(image, 3), 3).transpose(2, 0, 1) / 255
    score = psnr_by_hand(expected, image.transpose(2, 0, 1) / 255, 3)
    if channels == 1:  # luma has a range of 219, so the same images are closer
        score += 20 * np.log10(255 / 219)
    tolerance = 0.05 if channels == 1 else 1e-6
    line = bicubic_score(validation_pairs([image], 3, channels))
    assert line == pytest.approx(score, abs=tolerance)
