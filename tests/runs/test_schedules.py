"""Optimizers around an optimizer, and the schedules that one of them follows."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from npespcn.layers import Layer
from npespcn.models import ESPCN
from npespcn.optim import SGD, SOAP, Adam, cosine
from npespcn.runs import Plateau, Scaled, Scheduled, step_decay


class Numbers(Layer):
    """A layer that has only parameters."""

    def __init__(self, **params):
        super().__init__()
        self.params = params


@pytest.mark.parametrize("kind", [SGD, Adam, SOAP])
def test_factors_are_rates_of_their_own(kind):
    """Same gradients: a factor on a parameter is the rate times that factor, for it alone."""
    rng = np.random.default_rng(9)
    start = {name: rng.standard_normal((3, 2, 1, 1)) for name in ("a.w", "a.b", "n.a.w", "last.w")}
    gradients = [{name: rng.standard_normal((3, 2, 1, 1)) for name in start} for _ in range(9)]
    rates = {"a.w": 0.1, "a.b": 0.5, "n.a.w": 0.0, "last.w": 1.0}

    def run(lr, factors):
        model = Numbers(**{name: value.copy() for name, value in start.items()})
        optimizer = Scaled(kind(model, lr=lr), factors)
        for grads in gradients:
            model.grads = grads
            optimizer.step()
        return model.params

    answer = run(0.01, {"a": 0.1, "a.b": 0.5, "n": 0.0})  # a layer, a parameter of it, a network
    for name, factor in rates.items():
        np.testing.assert_allclose(answer[name], run(0.01 * factor, {})[name], rtol=1e-12)


def test_factors_that_mean_nothing_are_refused():
    optimizer = Adam(ESPCN(2))
    names = "conv1.weight, conv1.bias, conv2.weight, conv2.bias, conv3.weight, conv3.bias"
    for error, factors, message in (
        (ValueError, {"conv": 0.1}, f"factors names 'conv', but the parameters are {names}"),
        (ValueError, {"conv3": -1}, r"factors\['conv3'\] must be a number from 0, got -1"),
        (TypeError, {"conv3": "x"}, r"factors\['conv3'\] must be a number, got 'x'"),
        (TypeError, [0.1], r"factors must be a mapping of names, got \[0.1\]"),
    ):
        with pytest.raises(error, match=f"^Scaled: {message}$"):
            Scaled(optimizer, factors)


def test_each_step_has_the_rate_of_its_schedule():
    model = Numbers(weight=np.zeros(1))
    model.grads = {"weight": np.ones(1)}
    optimizer = Scheduled(Scaled(SGD(model, lr=2.0), {}), cosine(4), step=1)
    for step in (1, 2, 3):
        before = model.params["weight"].copy()
        optimizer.step()
        assert before - model.params["weight"] == optimizer.lr == 2 * cosine(4)(step)


def test_step_decay():
    schedule = step_decay([10, 20], factor=0.5)
    assert [schedule(step) for step in (0, 9, 10, 19, 20, 99)] == [1, 1, 0.5, 0.5, 0.25, 0.25]
    assert step_decay([])(5) == 1
    assert step_decay([3])(3) == pytest.approx(0.1)


def observed(rule, losses):
    scales = []
    for loss in losses:
        rule.observe(loss)
        scales.append(rule(123))
    return scales


def test_plateau_lowers_the_rate_when_nothing_gets_better():
    rule = Plateau(factor=0.5, patience=3, threshold=0.01, final=0.2)
    assert rule(0) == 1
    assert observed(rule, [1.0, 0.9, 0.8]) == [1, 1, 1]
    assert observed(rule, [0.8, 0.7999, 0.793]) == [1, 1, 0.5]  # not better by a hundredth
    assert observed(rule, [0.9, 0.9, 0.7, 0.7, 0.7]) == [0.5] * 5  # 0.7 starts the count anew
    assert observed(rule, [0.7]) == [0.25]
    assert observed(rule, [9.0] * 9) == [0.25, 0.25, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2]
    rule = Plateau(patience=2)  # what is no number is not better
    assert observed(rule, [math.nan, math.inf, 1.0, math.nan]) == [1, 0.5, 0.5, 0.5]
    assert rule.best == 1.0


def test_plateau_goes_on_from_its_state():
    """Through JSON, as a checkpoint has it."""
    losses = np.random.default_rng(10).uniform(0.5, 1, 60).tolist()
    straight, first, second = (Plateau(patience=4) for _ in range(3))
    expected = observed(straight, losses)
    assert observed(first, losses[:17]) == expected[:17]
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert observed(second, losses[17:]) == expected[17:]
    fresh = Plateau()
    fresh.load_state_dict(json.loads(json.dumps(Plateau().state_dict())))  # best is infinite
    assert observed(fresh, [1.0]) == [1.0]
