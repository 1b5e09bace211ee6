"""A step for images minus a mean, on a network that takes them as they are."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from helpers import relative_error

from npespcn.losses import mse
from npespcn.models import ESPCN, SRCNN
from npespcn.optim import SGD, SOAP, Adam
from npespcn.runs import Centered, Scaled, center_biases, fit

SMALL = {"scale": 2, "padding": "valid", "seed": 4, "dtype": "float64", "widths": (8, 6)}
OPTIMIZERS = {
    "SGD": lambda model: SGD(model, lr=0.2, momentum=0.9),
    "scaled Adam": lambda model: Scaled(Adam(model, lr=1e-2), {"conv1": 0.3}),
    "SOAP": lambda model: SOAP(model, lr=1e-2, refresh=3),
}


def network(**options):
    model = ESPCN(**SMALL | options)
    rng = np.random.default_rng(5)
    for name, param in model.params.items():  # biases that are not 0, as after some training
        param += 0.1 * rng.standard_normal(param.shape) * name.endswith("bias")
    return model


def batches(count, channels, rng_seed=6):
    """Images of all levels, whose mean is not the one that is subtracted."""
    rng = np.random.default_rng(rng_seed)
    for _ in range(count):
        yield rng.random((3, channels, 11, 12)) ** 2, rng.random((3, channels, 6, 8)) ** 2


def move_mean_into_biases(model, mean):
    """Make the network of x - mean one of x."""
    model.params["conv1.bias"] -= mean * np.einsum("ocij->o", model.params["conv1.weight"])
    model.params["conv3.bias"] += mean


def fix_bases(optimizer):
    """Let SOAP turn by fixed matrices: where a gradient has no part, any basis is an eigenbasis."""
    rng = np.random.default_rng(7)
    optimizer.steps, optimizer.refresh = 0, 10**9
    for entries in optimizer.state.values():
        for side in ("left_basis", "right_basis"):
            if side in entries:
                n = len(entries[side])
                entries[side][...] = np.linalg.qr(rng.standard_normal((n, n)))[0]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_it_is_training_on_images_minus_the_mean(optimizer, channels):
    """Train one network on x - m and target - m, and fold m into its biases at the end."""
    for mean in (0.5, -0.3):
        explicit, plain = network(channels=channels), network(channels=channels)
        move_mean_into_biases(plain, mean)
        steppers = [OPTIMIZERS[optimizer](model) for model in (explicit, plain)]
        if optimizer == "SOAP":
            [fix_bases(stepper) for stepper in steppers]
        steppers[1] = Centered(steppers[1], mean)
        for x, target in batches(7, channels):
            losses = []
            for model, stepper, shift in zip((explicit, plain), steppers, (mean, 0), strict=True):
                loss, dy = mse(model.forward(x - shift), target - shift)
                model.backward(dy)
                stepper.step()
                losses.append(loss)
            assert losses[1] == pytest.approx(losses[0], rel=1e-9)
        before = network(channels=channels)
        assert relative_error(plain.params["conv1.weight"], before.params["conv1.weight"]) > 0.01
        move_mean_into_biases(explicit, mean)
        for name, param in explicit.params.items():
            assert relative_error(plain.params[name], param) < 1e-8, (name, mean)


@pytest.mark.parametrize("center", [{}, {"center": 0.5}, {"center": 0.2}], ids=str)
def test_fit_trains_as_on_images_minus_its_center(center):
    mean = center.get("center", 0.5)
    explicit, plain = network(), network()
    move_mean_into_biases(plain, mean)
    for model, shift, how in ((explicit, mean, {"center": 0}), (plain, 0, center)):
        pairs = batches(5, 1)
        data = SimpleNamespace(batch=lambda *_, p=pairs, m=shift: [x - m for x in next(p)])
        fit(model, data, OPTIMIZERS["scaled Adam"](model), steps=5, **how)
    move_mean_into_biases(explicit, mean)
    for name, param in explicit.params.items():
        assert relative_error(plain.params[name], param) < 1e-8, name


@pytest.mark.parametrize("mean", [0.5, 0.2])
def test_a_flat_image_stays_as_it_is(mean):
    for model in (
        ESPCN(3, 1, padding="valid", seed=1),
        ESPCN(2, 3, "relu", padding="valid", tail=True, init="he", seed=2),
        ESPCN(2, 1, padding="edge", seed=3),
        ESPCN(2, padding="edge", widths=(8, 8, 8), kernels=(5, 3, 3, 3)),
        SRCNN(3, padding="valid", seed=4),
    ):
        flat = np.full((1, model.options["channels"], 16, 17), mean, np.float32)
        assert np.abs(model.predict(flat) - mean).max() > 0.01  # not without it
        center_biases(model, mean)
        np.testing.assert_allclose(model.predict(flat), mean, atol=1e-6)
        first = next(iter(model.layers.values()))
        assert np.abs(first.predict(flat)).max() < 1e-6


def test_an_activation_at_the_end_sees_zero():
    for output, level in (("sigmoid", 0.5), ("tanh", 0.0)):
        model = ESPCN(2, padding="valid", output=output)
        center_biases(model, 0.5)
        flat = np.full((1, 1, 12, 12), 0.5, np.float32)
        np.testing.assert_allclose(model.predict(flat), level, atol=1e-6)


def test_only_the_first_and_the_last_bias_change():
    model, before = network(tail=True), network(tail=True)
    center_biases(model, 0.5)
    changed = [n for n, p in model.params.items() if not np.array_equal(p, before.params[n])]
    assert changed == ["conv1.bias", "tail.bias"]
