"""Initial weights: their spread, ICNR's defining property under every order, seeds."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npespcn.conv import conv2d_forward
from npespcn.initializers import he, icnr, paper, xavier
from npespcn.shuffle import pixel_shuffle

SHAPE = (48, 32, 5, 3)
FAN_OUT, FAN_IN = 48 * 15, 32 * 15


@pytest.mark.parametrize(
    ("initializer", "deviation"),
    [
        (xavier, np.sqrt(2 / (FAN_IN + FAN_OUT))),
        (he, np.sqrt(2 / FAN_IN)),
        (paper, 0.001),
    ],
)
def test_mean_and_deviation(initializer: Any, deviation: float) -> None:
    weight = initializer(np.random.default_rng(0), SHAPE)
    assert weight.shape == SHAPE
    assert weight.dtype == np.float64
    assert weight.std() == pytest.approx(deviation, rel=0.02)  # 23,040 numbers
    assert abs(weight.mean()) < 0.02 * deviation
    per_filter = weight.std(axis=(1, 2, 3))
    assert (abs(per_filter / deviation - 1) < 0.25).all()


def test_xavier_is_uniform_and_the_others_are_normal() -> None:
    def kurtosis(initializer: Any) -> float:
        weight = initializer(np.random.default_rng(1), SHAPE)
        return float((weight**4).mean() / (weight**2).mean() ** 2)

    assert kurtosis(xavier) == pytest.approx(1.8, abs=0.05)
    assert kurtosis(he) == pytest.approx(3, abs=0.15)
    assert kurtosis(paper) == pytest.approx(3, abs=0.15)
    bound = np.sqrt(6 / (FAN_IN + FAN_OUT))
    largest = abs(xavier(np.random.default_rng(2), SHAPE)).max()
    assert 0.999 * bound < largest <= bound


def test_xavier_and_he_keep_the_variance_of_a_signal() -> None:
    """The reason for their numbers: through tanh's slope of 1, and through ReLU."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((1, 64, 30, 30))
    y = conv2d_forward(x, xavier(rng, (64, 64, 3, 3)))
    assert y.var() == pytest.approx(1, rel=0.1)
    y = conv2d_forward(np.maximum(x, 0), he(rng, (64, 64, 3, 3)))
    assert y.var() == pytest.approx(1, rel=0.2)


@pytest.mark.parametrize("order", ["CRD", "DCR", "paper"])
@settings(deadline=None, max_examples=25)
@given(
    channels=st.integers(1, 3),
    r=st.integers(1, 4),
    in_channels=st.integers(1, 3),
    k=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_icnr_starts_as_nearest_neighbour_enlargement(
    order: str, channels: int, r: int, in_channels: int, k: int, seed: int
) -> None:
    """Every r×r block of the shuffled output is one number, and that is one convolution's."""
    shape = (channels * r * r, in_channels, k, k)
    rng = np.random.default_rng(seed)
    weight = icnr(np.random.default_rng(seed), shape, r, order=order)
    assert weight.shape == shape
    x = rng.standard_normal((2, in_channels, 4, 5))
    y = pixel_shuffle(conv2d_forward(x, weight), r, order=order)
    base = xavier(np.random.default_rng(seed), (channels, in_channels, k, k))
    small = conv2d_forward(x, base)
    np.testing.assert_allclose(y, small.repeat(r, axis=2).repeat(r, axis=3), atol=1e-12)


def test_icnr_is_wrong_under_another_order() -> None:
    weight = icnr(np.random.default_rng(4), (12, 2, 3, 3), 2, order="DCR")
    x = np.random.default_rng(5).standard_normal((1, 2, 4, 5))
    y = pixel_shuffle(conv2d_forward(x, weight), 2, order="CRD")
    assert np.ptp(y.reshape(1, 3, 2, 2, 3, 2), axis=(3, 5)).max() > 0.1


def test_icnr_takes_another_initializer() -> None:
    weight = icnr(np.random.default_rng(6), (64, 32, 3, 3), 2, base=paper)
    assert weight.std() == pytest.approx(0.001, rel=0.05)
    assert len(np.unique(weight[:, 0, 0, 0])) == 16


@pytest.mark.parametrize("initializer", [xavier, he, paper, lambda rng, s: icnr(rng, s, 2)])
def test_the_generator_decides(initializer: Any) -> None:
    shape = (8, 2, 3, 3)
    weights = [initializer(np.random.default_rng(seed), shape) for seed in (7, 7, 8)]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])
    rng = np.random.default_rng(7)
    assert not np.array_equal(initializer(rng, shape), initializer(rng, shape))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            ((10, 1, 3, 3), 2),
            ValueError,
            "icnr: 10 output channels cannot be split into r*r = 4 groups (upscale_factor=2)",
        ),
        (((4, 1, 3, 3), 0), ValueError, "icnr: upscale_factor must be at least 1, got 0"),
        (
            ((4, 1, 3, 3), 2.0),
            TypeError,
            "icnr: upscale_factor must be a whole number, got 2.0",
        ),
        (
            ((4, 1, 3, 3), 2, xavier, "RGB"),
            ValueError,
            "channel_permutation: order must be one of 'CRD', 'DCR', 'paper', got 'RGB'",
        ),
    ],
)
def test_messages_of_icnr(arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        icnr(np.random.default_rng(0), *arguments)


@pytest.mark.parametrize("initializer", [xavier, he, paper])
def test_shapes_that_are_no_weights_are_refused(initializer: Any) -> None:
    message = f"{initializer.__name__}: shape must be (O, C, k, k), got (3, 4)"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        initializer(np.random.default_rng(0), (3, 4))
