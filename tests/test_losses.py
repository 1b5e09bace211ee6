"""Losses: the formula, the gradient by central differences, and PyTorch where it has them."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from helpers import relative_error, require_torch
from hypothesis import given, settings
from hypothesis import strategies as st

from npespcn.common import Array
from npespcn.fast.gpu import to_host
from npespcn.losses import charbonnier, l1, log_mse, mse

LOSSES = (mse, l1, charbonnier, log_mse)
FORMULA = {
    mse: lambda d: d * d,
    l1: abs,
    charbonnier: lambda d: math.sqrt(d * d + 1e-6),
}
every_loss = pytest.mark.parametrize("loss", LOSSES)


def pair(*shape: int) -> tuple[Array, Array]:
    prediction, target = np.random.default_rng(0).standard_normal((2, *shape))
    return prediction, target


@pytest.mark.parametrize("loss", FORMULA)
def test_the_value_is_the_mean_over_all_elements(xp: Any, loss: Any) -> None:
    prediction, target = pair(2, 3, 4, 5)
    value, dprediction = loss(xp.asarray(prediction), xp.asarray(target))
    differences = (prediction - target).ravel().tolist()
    expected = math.fsum(FORMULA[loss](d) for d in differences) / 120
    assert float(value) == pytest.approx(expected, rel=1e-14)
    assert isinstance(dprediction, xp.ndarray)
    assert dprediction.shape == prediction.shape
    np.testing.assert_array_equal(to_host(dprediction), loss(prediction, target)[1])


@settings(deadline=None)
@given(
    loss=st.sampled_from(LOSSES),
    shape=st.lists(st.integers(1, 4), max_size=4),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_gradient_is_the_slope(loss: Any, shape: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = rng.standard_normal(shape)
    away = rng.uniform(0.01, 1, shape) * rng.choice([-1, 1], shape)  # from the kink of l1
    prediction = np.asarray(target + away)
    _, dprediction = loss(prediction, target)
    epsilon = 1e-6
    for index in np.ndindex(*shape):
        up, down = prediction.copy(), prediction.copy()
        up[index] += epsilon
        down[index] -= epsilon
        slope = (float(loss(up, target)[0]) - float(loss(down, target)[0])) / (2 * epsilon)
        assert dprediction[index] == pytest.approx(slope, rel=1e-4, abs=1e-8)


@pytest.mark.parametrize(("loss", "name"), [(mse, "mse_loss"), (l1, "l1_loss")])
def test_like_pytorch(loss: Any, name: str) -> None:
    torch = require_torch()
    prediction, target = pair(2, 3, 4, 5)
    target[0, 0, 0] = prediction[0, 0, 0]
    theirs = torch.from_numpy(prediction.copy()).requires_grad_()
    expected = getattr(torch.nn.functional, name)(theirs, torch.from_numpy(target))
    expected.backward()
    value, dprediction = loss(prediction, target)
    assert float(value) == pytest.approx(expected.item(), rel=1e-15)
    assert relative_error(dprediction, theirs.grad.numpy()) < 1e-15


@every_loss
def test_where_prediction_and_target_are_equal(loss: Any) -> None:
    value, dprediction = loss(np.ones((2, 3)), np.ones((2, 3)))
    expected = {charbonnier: 1e-3, log_mse: math.log(1e-4)}
    assert float(value) == pytest.approx(expected.get(loss, 0))
    assert not dprediction.any()


def test_charbonnier_is_l1_far_out_and_a_parabola_near_zero() -> None:
    target = np.zeros(2)
    far, _ = charbonnier(np.array([100.0, -100.0]), target)
    assert float(far) == pytest.approx(100)
    near, dnear = charbonnier(np.array([1e-3, 0.0]), target, epsilon=1.0)
    assert float(near) == pytest.approx(1 + 1e-6 / 4)
    assert dnear.tolist() == [pytest.approx(1e-3 / 2, rel=1e-5), 0]


def test_log_mse_averages_the_images_psnr(xp: Any) -> None:
    prediction, target = pair(3, 2, 4, 5)
    prediction[1] *= 10  # one is much worse than the others
    errors = ((prediction - target) ** 2).mean(axis=(1, 2, 3))
    value, dprediction = log_mse(xp.asarray(prediction), xp.asarray(target), epsilon=0)
    psnr = -10 * np.log10(errors)
    assert -10 / math.log(10) * float(value) == pytest.approx(psnr.mean(), rel=1e-14)
    # Scaling an image's error by 1 + e adds 2 e to its logarithm, however large it is.
    slopes = (to_host(dprediction) * (prediction - target)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(slopes, [2 / 3] * 3, rtol=1e-13)


def test_log_mse_takes_no_notice_of_errors_far_below_epsilon() -> None:
    rng = np.random.default_rng(0)
    tiny, large = 1e-5 * rng.standard_normal(100), 0.1 * rng.standard_normal(100)
    value, dprediction = log_mse(np.stack([tiny, large]), np.zeros((2, 100)))
    assert float(value) == pytest.approx((math.log(1e-4) + math.log((large**2).mean())) / 2, 1e-2)
    np.testing.assert_allclose(dprediction[0], tiny / 100 / 1e-4, rtol=1e-5)


@every_loss
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("target_dtype", ["u1", "f4", "f8", "?"])
def test_the_dtype_is_the_predictions(loss: Any, dtype: str, target_dtype: str) -> None:
    prediction = np.linspace(0, 2, 12, dtype=dtype).reshape(3, 4)
    target = np.array([[0, 1, 1, 0]] * 3, target_dtype)
    value, dprediction = loss(prediction, target)
    assert value.dtype == dprediction.dtype == np.dtype(dtype)
    expected = loss(prediction.astype("f8"), target.astype("f8"))
    assert float(value) == pytest.approx(float(expected[0]), rel=4 * float(np.finfo(dtype).eps))
    assert relative_error(dprediction, expected[1]) < 4 * np.finfo(dtype).eps


@every_loss
def test_no_argument_is_changed_and_scattered_read_only_ones_will_do(loss: Any) -> None:
    prediction, target = pair(4, 3, 5)
    prediction, target = prediction.T, target.T[::-1]
    expected = loss(prediction.copy(), target.copy())
    before = prediction.tobytes(), target.tobytes()
    prediction.flags.writeable = target.flags.writeable = False
    value, dprediction = loss(prediction, target)
    assert float(value) == pytest.approx(float(expected[0]), rel=1e-15)
    np.testing.assert_allclose(dprediction, expected[1], rtol=1e-14)
    assert (prediction.tobytes(), target.tobytes()) == before
    assert not np.shares_memory(dprediction, prediction)


@every_loss
@pytest.mark.parametrize(
    ("prediction", "target", "error", "message"),
    [
        (
            np.zeros((2, 1, 3)),
            np.zeros((2, 3)),
            ValueError,
            "{}: prediction and target must have one shape, and not be empty, "
            "got (2, 1, 3) and (2, 3)",
        ),
        (
            np.zeros((0, 3)),
            np.zeros((0, 3)),
            ValueError,
            "{}: prediction and target must have one shape, and not be empty, "
            "got (0, 3) and (0, 3)",
        ),
        (
            np.zeros(3, np.uint8),
            np.zeros(3),
            TypeError,
            "{}: prediction must be floating-point, got uint8",
        ),
        ([0.0], np.zeros(1), TypeError, "{}: prediction must be a NumPy or CuPy array, got list"),
        (np.zeros(1), 0.0, TypeError, "{}: target must be a NumPy or CuPy array, got float"),
    ],
)
def test_messages(
    loss: Any, prediction: Any, target: Any, error: type[Exception], message: str
) -> None:
    """No broadcasting: the mean over (N, N) pairs is a classic."""
    with pytest.raises(error, match=f"^{re.escape(message.format(loss.__name__))}$"):
        loss(prediction, target)
