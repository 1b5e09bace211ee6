from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from helpers import relative_error

from npespcn.losses import mse
from npespcn.models import ESPCN, SRCNN
from npespcn.optim import SGD, SOAP, Adam
from npespcn.runs.centering import centre_biases, centred
from npespcn.runs.fit import fit

OPTIMIZERS = {
    "SGD": lambda model: SGD(model, lr=0.2, momentum=0.9),
    "Adam": lambda model: Adam(model, lr=1e-2, lr_factors={"conv1": 0.3}),
    "SOAP": lambda model: SOAP(model, lr=1e-2, refresh=100),
}


def network(**options):
    model = ESPCN(**{"scale": 2, "padding": "valid", "seed": 4, "dtype": "float64"} | options)
    rng = np.random.default_rng(5)
    for name, param in model.params.items():  # biases that are not 0, as after some training
        param += 0.1 * rng.standard_normal(param.shape) * name.endswith("bias")
    return model


def batches(count, channels, rng_seed=6):
    """Pictures of all levels, and with a mean that is not the one taken off."""
    rng = np.random.default_rng(rng_seed)
    for _ in range(count):
        yield rng.random((3, channels, 11, 12)) ** 2, rng.random((3, channels, 6, 8)) ** 2


def first_bias_for(model, mean):
    """Return mean * s, with s[o] the sum of the first layer's weights for its output o."""
    return mean * np.einsum("ocij->o", model.params["conv1.weight"])


def fix_bases(optimizer):
    """Let SOAP turn by fixed matrices: where a gradient has no part, any basis is an eigenbasis."""
    rng = np.random.default_rng(7)
    for name, param in optimizer.model.params.items():
        if isinstance(optimizer, SOAP) and param.ndim > 1:
            sides = {"left": len(param), "right": param[0].size}
            optimizer.state[name] = {
                f"{side}_basis": np.linalg.qr(rng.standard_normal((n, n)))[0]
                for side, n in sides.items()
            }


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mean", [0.5, -0.3])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_it_is_training_on_pictures_minus_the_mean(optimizer, mean, channels):
    """Train one network on x - m and target - m, and fold m into its biases at the end."""
    explicit, plain = network(channels=channels), network(channels=channels)
    plain.params["conv1.bias"] -= first_bias_for(plain, mean)
    plain.params["conv3.bias"] += mean
    steppers = [OPTIMIZERS[optimizer](model) for model in (explicit, plain)]
    for stepper in steppers:
        fix_bases(stepper)
    for x, target in batches(7, channels):
        explicit_loss, dy = mse(explicit.forward(x - mean), target - mean)
        explicit.backward_params(dy)
        steppers[0].step()
        plain_loss, dy = mse(plain.forward(x), target)
        plain.backward_params(dy)
        with centred(plain, mean):
            steppers[1].step()
        assert plain_loss == pytest.approx(explicit_loss, rel=1e-9)
    before = network(channels=channels)
    assert relative_error(plain.params["conv1.weight"], before.params["conv1.weight"]) > 0.01
    explicit.params["conv1.bias"] -= first_bias_for(explicit, mean)
    explicit.params["conv3.bias"] += mean
    for name, param in explicit.params.items():
        assert relative_error(plain.params[name], param) < 1e-8, name


@pytest.mark.parametrize("centre", [{}, {"centre": 0.5}, {"centre": 0.2}], ids=str)
def test_fit_trains_as_on_pictures_minus_its_centre(centre):
    mean = centre.get("centre", 0.5)
    explicit, plain = network(), network()
    plain.params["conv1.bias"] -= first_bias_for(plain, mean)
    plain.params["conv3.bias"] += mean
    for model, shift, how in ((explicit, mean, {"centre": 0}), (plain, 0, centre)):
        pairs = batches(5, 1)
        data = SimpleNamespace(batch=lambda *_, p=pairs, m=shift: [x - m for x in next(p)])
        fit(model, data, OPTIMIZERS["Adam"](model), steps=5, **how)
    explicit.params["conv1.bias"] -= first_bias_for(explicit, mean)
    explicit.params["conv3.bias"] += mean
    for name, param in explicit.params.items():
        assert relative_error(plain.params[name], param) < 1e-8, name


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_mean_of_zero_changes_no_bit(optimizer):
    models = [network(), network()]
    for model, inside in zip(models, (False, True), strict=True):
        stepper = OPTIMIZERS[optimizer](model)
        for x, target in batches(4, 1):
            model.backward_params(mse(model.forward(x), target)[1])
            if inside:
                with centred(model, 0):
                    stepper.step()
            else:
                stepper.step()
    for name, param in models[0].params.items():
        np.testing.assert_array_equal(models[1].params[name], param, err_msg=name)


@pytest.mark.parametrize("mean", [0.5, 0.2])
@pytest.mark.parametrize(
    "make",
    [
        lambda: ESPCN(3, 1, padding="valid", seed=1),
        lambda: ESPCN(2, 3, "relu", padding="valid", tail=True, init="he", seed=2),
        lambda: ESPCN(2, 1, padding="edge", seed=3),
        lambda: SRCNN(3, padding="valid", seed=4),
    ],
    ids=["tanh", "relu and tail", "edge", "SRCNN"],
)
def test_a_flat_picture_stays_as_it_is(make, mean):
    model = make()
    channels = model.options["channels"]
    flat = np.full((1, channels, 16, 17), mean, np.float32)
    assert np.abs(model.predict(flat) - mean).max() > 0.01  # not without it
    centre_biases(model, mean)
    np.testing.assert_allclose(model.predict(flat), mean, atol=1e-6)
    first = next(iter(model.layers.values()))
    assert np.abs(first.predict(flat)).max() < 1e-6


@pytest.mark.parametrize(("output", "level"), [("sigmoid", 0.5), ("tanh", 0.0)])
def test_an_activation_at_the_end_sees_zero(output, level):
    model = ESPCN(2, padding="valid", output=output)
    centre_biases(model, 0.5)
    flat = np.full((1, 1, 12, 12), 0.5, np.float32)
    np.testing.assert_allclose(model.predict(flat), level, atol=1e-6)


def test_only_the_first_and_the_last_bias_change():
    model, before = network(tail=True), network(tail=True)
    centre_biases(model, 0.5)
    changed = [n for n, p in model.params.items() if not np.array_equal(p, before.params[n])]
    assert changed == ["conv1.bias", "tail.bias"]


def test_stepping_keeps_what_a_flat_picture_gives_in_the_first_layer():
    """Whatever a step does to the first weights, pictures of value m give its own bias."""
    model = network()
    x, target = next(batches(1, 1))
    model.backward_params(mse(model.forward(x), target)[1])
    stepper, flat = SGD(model, lr=0.5), np.full((1, 1, 5, 5), 0.5)
    before = model.layers["conv1"].predict(flat)[0, :, 0, 0]
    with centred(model, 0.5):
        stepper.step()
    after = model.layers["conv1"].predict(flat)[0, :, 0, 0]
    np.testing.assert_allclose(after, before - 0.5 * model.grads["conv1.bias"], atol=1e-12)
