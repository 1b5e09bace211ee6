import dataclasses

import numpy as np
import pytest

from npespcn.data.dead_leaves import (
    LeafStatistics,
    _colors,
    _fall,
    _noise_field,
    _paint,
    _radii,
    dead_leaves,
)
from npespcn.pictures.color import rgb_to_y

FLAT = LeafStatistics(lit=0, textured=0, striped=0, shading=0, grain=(0, 0), softened=0)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_shape_dtype_and_size():
    for size in (16, 33, 64):
        picture = dead_leaves(rng(), size)
        assert (picture.shape, picture.dtype) == ((size, size, 3), np.uint8)
        assert picture.flags.writeable
    with pytest.raises(ValueError, match="dead_leaves: size must be at least 16, got 15"):
        dead_leaves(rng(), 15)


def test_the_seed_decides():
    one = dead_leaves(rng(1), 48)
    np.testing.assert_array_equal(one, dead_leaves(rng(1), 48))
    assert not np.array_equal(one, dead_leaves(rng(2), 48))
    generator = rng(1)
    assert not np.array_equal(dead_leaves(generator, 48), dead_leaves(generator, 48))


def test_statistics_are_like_those_of_photographs():
    """Ranges within which most photographs of BSD200 lie, on the mean over pictures."""
    pictures = [dead_leaves(rng(i)) for i in range(8)]
    luma = [rgb_to_y(p.astype(np.float64)) for p in pictures]
    steps = [np.abs(np.diff(y, axis=1)) for y in luma]
    assert 100 < np.mean(luma) < 150
    assert 35 < np.mean([y.std() for y in luma]) < 65
    assert 0.4 < np.mean([(step < 3).mean() for step in steps]) < 0.75  # flat nearly everywhere
    assert 0.03 < np.mean([(step > 25).mean() for step in steps]) < 0.15  # and edges here and there
    clipped = np.mean([((p == 0) | (p == 255)).mean() for p in pictures])
    assert clipped < 0.06
    frequency = np.hypot(np.fft.fftfreq(320)[:, None], np.fft.fftfreq(320))
    window = np.hanning(320)[:, None] * np.hanning(320)
    power = sum(np.abs(np.fft.fft2((y - y.mean()) * window)) ** 2 for y in luma)
    low, high = (power[(frequency > f) & (frequency < 1.3 * f)].mean() for f in (0.03, 0.2))
    slope = np.log(high / low) / np.log(0.2 / 0.03)
    assert -3 < slope < -1.5  # 1/f² is the law of photographs


def test_parameters_do_what_they_say():
    plain = dataclasses.replace(FLAT, ground=50)

    def picture(**changes):
        return dead_leaves(rng(3), 128, dataclasses.replace(plain, **changes)).astype(float)

    def busy(x):
        return np.abs(np.diff(x.mean(axis=2), axis=1)).mean()

    assert busy(picture(leaves=(3000, 3000))) > 1.5 * busy(picture(leaves=(300, 300)))
    assert picture(contrast=50, tint=0).std() < 0.5 * picture(contrast=1, tint=0).std()
    assert busy(picture(ground=500, leaves=(0, 0))) > 2 * busy(picture(ground=5, leaves=(0, 0)))
    assert np.ptp(picture(tint=0, hue=0), axis=2).max() == 0
    assert np.ptp(picture(tint=0.2, hue=0), axis=2).mean() > 10
    assert busy(picture(softened=1, softness=(2, 2))) < 0.8 * busy(picture())
    grain = picture(grain=(6, 6)) - picture()
    inside = (picture() > 40) & (picture() < 215)  # nothing clipped
    assert grain[inside].std() == pytest.approx(6, abs=0.7)
    light = picture(shading=0.12) / np.maximum(picture(), 1)
    assert light[inside].std() == pytest.approx(0.12, abs=0.04)


def relief(seed=0, **changes):
    """Return which leaf is where, and what is painted on leaves that are flat but for `changes`."""
    statistics = dataclasses.replace(FLAT, leaves=(0, 0), ground=60, **changes)
    top, radii, centers = _fall(rng(seed), 300, statistics)
    return top, _paint(rng(seed), 300, statistics)[1], radii, centers


def largest_leaves(top, count=12):
    """Return where each of the leaves is of which most can be seen."""
    return [top == i for i in np.argsort(np.bincount(top.ravel()))[::-1][:count]]


def test_flat_leaves_are_flat():
    top, painted, radii, centers = relief()
    assert (top.shape, painted.shape, centers.shape) == ((300, 300), (300, 300), (len(radii), 2))
    assert not painted.any()
    assert top.max() == len(radii) - 1  # nothing hides the last one


def test_light_rises_in_one_direction_on_each_leaf():
    top, painted, radii, centers = relief(lit=1, light=25)
    rises = []
    for leaf in largest_leaves(top):
        (number,) = np.unique(top[leaf])
        y, x = (np.nonzero(leaf) - centers[number][::-1, None]) / max(radii[number], 8)
        near = np.hypot(x, y) < 1  # farther out it is clipped
        plane = np.stack([x[near], y[near]], axis=1)
        slopes, rest, _, _ = np.linalg.lstsq(plane, painted[leaf][near], rcond=None)
        assert rest.sum() < 1e-3 * (1 + (painted[leaf][near] ** 2).sum())
        rises.append(np.hypot(*slopes))
    assert 10 < np.mean(rises) < 35
    half = relief(lit=0.5)[1]
    assert 0.2 < np.mean([not half[leaf].any() for leaf in largest_leaves(top)]) < 0.8


def test_textures_differ_from_leaf_to_leaf():
    top, painted, _, _ = relief(textured=1, texture_level=14)
    levels = [painted[leaf].std() for leaf in largest_leaves(top, 40)]
    assert 6 < np.mean(levels) < 20
    assert np.std(levels) > 4
    steps = [
        np.abs(np.diff(painted, axis=1))[leaf[:, 1:] & leaf[:, :-1]] for leaf in largest_leaves(top)
    ]
    rough = [step.mean() / level for step, level in zip(steps, levels, strict=False)]
    assert max(rough) > 1.5 * min(rough)  # of several slopes


def test_stripes_have_their_period_and_two_levels_or_a_wave():
    for period in (4.0, 12.0):
        top, painted, _, _ = relief(seed=2, striped=1, stripes=(40, 40), period=(period, period))
        assert np.abs(painted).max() <= 40.001
        hard = [
            np.isin(np.abs(painted[leaf]).round(3), (0, 40)).all() for leaf in largest_leaves(top)
        ]
        assert 0.1 < np.mean(hard) < 0.9
        leaf = largest_leaves(top, 1)[0]
        wave = np.where(leaf, painted - painted[leaf].mean(), 0)
        power = np.abs(np.fft.fft2(wave)) ** 2
        at = np.unravel_index(power.argmax(), power.shape)
        frequency = np.hypot(*(np.fft.fftfreq(300)[i] for i in at))
        assert 1 / frequency == pytest.approx(2 * period, rel=0.1)  # twice: it is painted larger


def test_clutter_does_not_depend_on_the_size():
    even = dataclasses.replace(FLAT, ground=0, leaves=(900, 900))

    def busy(size):
        pictures = [dead_leaves(rng(i), size, even).astype(float) for i in range(1280 // size)]
        return np.mean([np.abs(np.diff(p, axis=1)).mean() for p in pictures])

    assert busy(128) == pytest.approx(busy(320), rel=0.3)


def test_radii_have_the_density_that_they_promise():
    radii = _radii(rng(), 200_000, 1.5, 100.0, 3.0)
    assert radii.min() >= 1.5
    assert radii.max() <= 100
    for r in (2.0, 3.0, 6.0, 12.0):  # of density r⁻³, a part of about (1.5 / r)² exceeds r
        expected = (r**-2 - 100.0**-2) / (1.5**-2 - 100.0**-2)
        assert (radii > r).mean() == pytest.approx(expected, abs=0.005)
    assert (_radii(rng(), 9, 5.0, 2.0, 3.0) == 5).all()  # tiny pictures: no room for larger ones


def test_colors_keep_their_luma_and_never_clip():
    colored = LeafStatistics(tint=0.3, hue=0.3)
    gray = _colors(rng(), 20_000, dataclasses.replace(colored, tint=0, hue=0))
    colors = _colors(rng(), 20_000, colored)
    assert np.ptp(colors, axis=1).mean() > 30
    luma = colors @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(luma, gray[:, 0].astype(float), atol=1.01)  # four roundings
    beta = gray[:, 0] / 255  # Beta(1.5, 1.5) has mean 1/2 and variance 1/16
    assert beta.mean() == pytest.approx(0.5, abs=0.01)
    assert beta.var() == pytest.approx(1 / 16, abs=0.002)


def test_noise_has_its_slope_and_unit_variance():
    for slope in (1.0, 1.6):
        fields = [_noise_field(rng(i), 96, slope) for i in range(40)]
        assert fields[0].std() == pytest.approx(1, abs=1e-3)
        assert fields[0].mean() == pytest.approx(0, abs=1e-3)
        power = sum(np.abs(np.fft.fft2(field)) ** 2 for field in fields)
        frequency = np.hypot(np.fft.fftfreq(96)[:, None], np.fft.fftfreq(96))
        band = (frequency > 0.05) & (frequency < 0.5)
        fit = np.polyfit(np.log(frequency[band]), np.log(power[band]), 1)[0]
        assert fit == pytest.approx(-2 * slope, abs=0.1)


def test_impossible_statistics_are_refused():
    for changes in (
        {"polygons": 0.8, "strokes": 0.3},
        {"polygons": -0.1},
        {"strokes": -0.1},
        {"contrast": 0},
        {"smallest_radius": 0},
        {"radius_exponent": 1},
        {"lit": 1.1},
        {"light": -1},
        {"textured": 2},
        {"striped": -0.1},
        {"softened": 1.5},
        {"ground": 0.5},
        {"leaves": (8.5, 9)},
        {"stripes": (9, 5)},
        {"period": (0, 5)},
        {"grain": 3},
        {"softness": (1, 2, 3)},
        {"texture_level": (0, 6)},
        {"texture_slope": (1, float("nan"))},
    ):
        name = next(iter(changes))
        with pytest.raises((TypeError, ValueError), match=f"^LeafStatistics: .*{name}"):
            LeafStatistics(**changes)
