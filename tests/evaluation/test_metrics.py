import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npespcn.evaluation.metrics import psnr, ssim

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
    axis = 2 if len(shape) == 3 else None
    expected = metrics.peak_signal_noise_ratio(a, b, data_range=255)
    assert psnr(a, b) == pytest.approx(expected, abs=1e-9)
    expected = metrics.structural_similarity(
        a.astype(float),
        b.astype(float),
        data_range=255,
        channel_axis=axis,
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


@pytest.mark.parametrize(("shape", "data_range"), [((11, 11), 255), ((14, 19), 1), ((20, 13), 40)])
def test_ssim_against_the_definition(shape, data_range):
    a, b = random_pair(shape, float)
    scale = data_range / 255
    assert ssim(a * scale, b * scale, data_range) == pytest.approx(
        slow_ssim(a * scale, b * scale, data_range), abs=1e-10
    )


def test_known_values():
    a = np.zeros((16, 16), np.uint8)
    assert psnr(a, a + np.uint8(1)) == pytest.approx(20 * math.log10(255))
    assert psnr(a, a + np.uint8(255)) == 0
    assert psnr(a / 255, a / 255 + 0.1, data_range=1) == pytest.approx(20)
    constant = ssim(np.full((16, 16), 100.0), np.full((16, 16), 110.0))
    assert constant == pytest.approx((2 * 100 * 110 + 2.55**2) / (100**2 + 110**2 + 2.55**2))


@settings(deadline=None)
@given(hnp.arrays(np.uint8, shapes))
def test_identical_pictures(a):
    assert psnr(a, a.copy()) == math.inf
    assert ssim(a, a.copy()) == 1
    assert type(psnr(a, a)) is type(ssim(a, a)) is float


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.uint64, bool])
def test_integers_do_not_wrap(dtype):
    a = np.random.default_rng(1).integers(0, 2, (16, 16)).astype(dtype) * dtype(100)
    b = np.zeros_like(a)
    for measure in (psnr, ssim):
        expected = measure(a.astype(float), b.astype(float))
        assert measure(a, b) == measure(b, a) == expected


def test_dtypes_may_differ():
    a, b = random_pair((20, 20))
    assert psnr(a, b.astype(np.float32)) == psnr(a, b)
    assert ssim(a.astype(np.float64), b) == ssim(a, b)


@pytest.mark.parametrize("shape", [(31, 24), (31, 24, 3)])
def test_border(shape):
    a, b = random_pair(shape)
    inside = np.s_[3:-3, 3:-3]
    for measure in (psnr, ssim):
        expected = measure(a[inside], b[inside])
        assert measure(a, b, border=3) == expected != measure(a, b)
        b_spoilt = np.zeros_like(b)
        b_spoilt[inside] = b[inside]
        assert measure(a, b_spoilt, border=3) == expected


def test_channels():
    a, b = random_pair((20, 21, 3))
    each = [(psnr(a[..., c], b[..., c]), ssim(a[..., c], b[..., c])) for c in range(3)]
    mean_square = np.mean([255**2 / 10 ** (p / 10) for p, _ in each])
    assert psnr(a, b) == pytest.approx(10 * math.log10(255**2 / mean_square))
    assert ssim(a, b) == pytest.approx(np.mean([s for _, s in each]))


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_errors(measure):
    name, x = measure.__name__, np.zeros((16, 16), np.uint8)
    with pytest.raises(
        ValueError, match=rf"{name}: a and b must have one shape, a is \(16, 16\) and b is \(16,"
    ):
        measure(x, x[:, :1])
    for shape in [(16,), (3, 16, 16), (1, 1, 16, 16), (16, 16, 0)]:
        with pytest.raises(ValueError, match=rf"{name}: a and b must be .* got shape"):
            measure(np.zeros(shape), np.zeros(shape))
    with pytest.raises(TypeError, match=f"{name}: b must hold real numbers, got complex128"):
        measure(x, x * 1j)
    with pytest.raises(ValueError, match=f"{name}: data_range must be a positive number, got 0"):
        measure(x, x, data_range=0)
    with pytest.raises(ValueError, match=f"{name}: border must be at least 0, got -1"):
        measure(x, x, border=-1)
    with pytest.raises(ValueError, match=r"leave 0 x 0 pixels \(border=8\)"):
        measure(x, x, border=8)


def test_ssim_needs_a_window():
    x = np.zeros((16, 40), np.uint8)
    assert ssim(x, x, border=2) == 1
    with pytest.raises(ValueError, match=r"leave 10 x 34 pixels \(border=3\), at least 11 x 11"):
        ssim(x, x, border=3)
