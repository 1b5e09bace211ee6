import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npespcn.evaluation import psnr, ssim

shapes = st.tuples(st.integers(11, 30), st.integers(11, 30)) | st.tuples(
    st.integers(11, 30), st.integers(11, 30), st.sampled_from([1, 3])
)


def random_pair(shape, dtype=np.uint8, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 256, shape)
    b = np.clip(a + rng.integers(-40, 41, shape), 0, 255)
    return a.astype(dtype), b.astype(dtype)


@settings(deadline=None, max_examples=40)
@given(shapes, st.integers(0, 99), st.sampled_from([np.uint8, np.float32, np.float64]))
def test_against_scikit_image(shape, seed, dtype):
    metrics = pytest.importorskip("skimage.metrics")
    a, b = random_pair(shape, dtype, seed)
    before = a.copy(), b.copy()
    expected = metrics.peak_signal_noise_ratio(a, b, data_range=255)
    assert psnr(a, b) == pytest.approx(expected, abs=1e-9)
    expected = metrics.structural_similarity(
        *(a.astype(float), b.astype(float)),
        data_range=255,
        channel_axis=2 if len(shape) == 3 else None,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim(a, b) == pytest.approx(expected, abs=1e-9)
    np.testing.assert_array_equal((a, b), before)


def slow_ssim(a, b, data_range):
    """The definition, window by window."""
    offset = np.arange(11) - 5
    window = np.exp(-(offset[:, None] ** 2 + offset**2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    values = []
    for i in range(a.shape[0] - 10):
        for j in range(a.shape[1] - 10):
            x, y = a[i : i + 11, j : j + 11], b[i : i + 11, j : j + 11]
            mx, my = (window * x).sum(), (window * y).sum()
            vx, vy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
            cov = (window * (x - mx) * (y - my)).sum()
            values.append(
                (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
            )
    return np.mean(values)


def test_ssim_against_the_definition():
    for shape, data_range in [((11, 11), 255), ((14, 19), 1), ((20, 13), 40)]:
        a, b = (x * data_range / 255 for x in random_pair(shape, float))
        expected = slow_ssim(a, b, data_range)
        assert ssim(a, b, data_range) == pytest.approx(expected, abs=1e-10), shape


def test_known_values():
    a = np.zeros((16, 16), np.uint8)
    assert psnr(a, a + np.uint8(1)) == pytest.approx(20 * math.log10(255))
    assert psnr(a, a + np.uint8(255)) == 0
    assert psnr(a / 255, a / 255 + 0.1, data_range=1) == pytest.approx(20)
    constant = ssim(np.full((16, 16), 100.0), np.full((16, 16), 110.0))
    assert constant == pytest.approx((2 * 100 * 110 + 2.55**2) / (100**2 + 110**2 + 2.55**2))


@settings(deadline=None)
@given(hnp.arrays(np.uint8, shapes))
def test_identical_images(a):
    assert psnr(a, a.copy()) == math.inf
    assert ssim(a, a.copy()) == 1
    assert type(psnr(a, a)) is type(ssim(a, a)) is float


def test_integers_do_not_wrap_and_dtypes_may_differ():
    a = np.random.default_rng(1).integers(0, 2, (16, 16))
    for measure in (psnr, ssim):
        expected = measure(100.0 * a, 0.0 * a)
        for dtype in (np.uint8, np.int8, np.uint16, np.uint64, np.float32):
            x, zeros = (100 * a).astype(dtype), np.zeros((16, 16), dtype)
            results = measure(x, zeros), measure(zeros, x), measure(x, 0 * a)
            assert results == (expected,) * 3, (measure, dtype)
        assert measure(a > 0, a < 0, 1) == measure(1.0 * a, 0.0 * a, 1)


def test_border():
    inside = np.s_[3:-3, 3:-3]
    for shape in [(31, 24), (31, 24, 3)]:
        a, b = random_pair(shape)
        for measure in (psnr, ssim):
            expected = measure(a[inside], b[inside])
            assert measure(a, b, border=3) == expected != measure(a, b)
            spoilt = np.zeros_like(b)
            spoilt[inside] = b[inside]
            assert measure(a, spoilt, border=3) == expected


def test_channels():
    a, b = random_pair((20, 21, 3))
    each = [(psnr(a[..., c], b[..., c]), ssim(a[..., c], b[..., c])) for c in range(3)]
    mean_square = np.mean([255**2 / 10 ** (p / 10) for p, _ in each])
    assert psnr(a, b) == pytest.approx(10 * math.log10(255**2 / mean_square))
    assert ssim(a, b) == pytest.approx(np.mean([s for _, s in each]))


def test_images_on_another_scale_than_data_range_are_refused():
    """Floats of 0 to 1 with the default range of 255 had a PSNR that was 48 dB too high."""
    a, b = random_pair((16, 16))
    unit = a / 255, b / 255 + 0.1
    for measure in (psnr, ssim):
        name = measure.__name__
        for x, y in [unit, (unit[0], b), (a, unit[1]), (a > 99, b > 99)]:
            with pytest.raises(ValueError, match=rf"^{name}: \w has values up to .*data_range=255"):
                measure(x, y)
        for x, y, data_range in [(a, b, 1), (a * 257.0, b, 255), (unit[0], b, 1)]:
            with pytest.raises(ValueError, match=rf"^{name}: \w has values up to"):
                measure(x, y, data_range)
        assert measure(*unit, 1) < measure(unit[0], unit[0], 1)
    dark = a // 200
    assert psnr(dark, dark + np.uint8(1)) == pytest.approx(20 * math.log10(255))
    assert psnr(np.zeros((9, 9)), np.full((9, 9), 255.0)) == 0


def test_errors():
    x = np.zeros((16, 16), np.uint8)
    for measure in (psnr, ssim):
        name = measure.__name__
        for a, b, options, error, words in [
            (x, x[:, :1], {}, ValueError, r"one shape, a is \(16, 16\) and b is \(16, 1\)"),
            *((z, z, {}, ValueError, "a and b must be .* got shape")
              for z in map(np.zeros, [(16,), (3, 16, 16), (1, 1, 16, 16), (16, 16, 0)])),
            (x, x * 1j, {}, TypeError, "b must hold real numbers, got complex128"),
            (x, x + math.nan, {}, ValueError, "b must hold finite numbers only"),
            (x, x, {"data_range": 0}, ValueError, "data_range must be a positive number, got 0"),
            (x, x, {"border": -1}, ValueError, "border must be at least 0, got -1"),
            (x, x, {"border": 8}, ValueError, r"leave 0 x 0 pixels \(border=8\)"),
        ]:  # fmt: skip
            with pytest.raises(error, match=f"^{name}: .*{words}"):
                measure(a, b, **options)
    x = np.zeros((16, 40), np.uint8)
    assert ssim(x, x, border=2) == 1
    with pytest.raises(ValueError, match=r"leave 10 x 34 pixels \(border=3\), at least 11 x 11"):
        ssim(x, x, border=3)
