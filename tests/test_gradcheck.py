"""gradcheck passes what is right and fails what is planted wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from npespcn.common import Array
from npespcn.gradcheck import gradcheck, numerical_gradient
from npespcn.layers import Conv2d, Layer, PixelShuffle, ReLU, Sequential, Sigmoid, Tanh
from npespcn.models import Network
from npespcn.shuffle import pixel_shuffle, pixel_unshuffle


def numbers(*shape: int) -> Array:
    return np.random.default_rng(0).standard_normal(shape)


def conv() -> Conv2d:
    return Conv2d(2, 3, 3, padding="same", dtype="float64")


class Ones:
    """A generator whose upstream gradient is all ones."""

    def normal(self, size: Any) -> Array:
        return np.ones(size)


def wrong(layer: Layer, change: Callable[[Array, dict[str, Array]], Array | None]) -> Layer:
    """Return `layer` with a backward pass whose dx and grads `change` has tampered with."""
    right = type(layer).backward

    def backward(self: Layer, dy: Array) -> Array:
        dx = right(self, dy)
        changed = change(dx, self.grads)
        return dx if changed is None else changed

    layer.__class__ = type(type(layer).__name__, (type(layer),), {"backward": backward})
    return layer


def scaled(name: str, factor: float) -> Callable[[Array, dict[str, Array]], None]:
    def change(dx: Array, grads: dict[str, Array]) -> None:
        array = dx if name == "dx" else grads[name]
        array *= factor

    return change


def swapped_kernel_axes(dx: Array, grads: dict[str, Array]) -> None:
    grads["weight"] = grads["weight"].transpose(0, 1, 3, 2)


def without_bias(dx: Array, grads: dict[str, Array]) -> None:
    del grads["bias"]


def transposed_sub_pixels(dx: Array, grads: dict[str, Array]) -> Array:
    """Rows for columns within each 3x3 block."""
    n, c, h, w = dx.shape
    return dx.reshape(n, c // 9, 3, 3, h, w).transpose(0, 1, 3, 2, 4, 5).reshape(dx.shape)


class ForgottenFactor(Tanh):
    def backward(self, dy: Array) -> Array:
        y = self._recall()
        return dy * (1 - y)


class WrongOrder(PixelShuffle):
    def backward(self, dy: Array) -> Array:
        return pixel_unshuffle(dy, 3, order="DCR")


class ShuffledForward(PixelShuffle):
    """Its backward is right for another forward."""

    def forward(self, x: Array) -> Array:
        y = pixel_shuffle(x, 3, order="paper")
        self._kept = y.shape
        return y


PLANTED = {
    "the transposed shuffle": (
        lambda: wrong(PixelShuffle(3), transposed_sub_pixels),
        numbers(1, 18, 2, 3),
        "dx",
    ),
    "another channel order": (lambda: WrongOrder(3), numbers(1, 18, 2, 3), "dx"),
    "another forward": (lambda: ShuffledForward(3), numbers(1, 18, 2, 3), "dx"),
    "swapped axes": (lambda: wrong(conv(), swapped_kernel_axes), numbers(2, 2, 4, 5), "dweight"),
    "a forgotten factor": (lambda: ForgottenFactor(), numbers(2, 2, 3, 4), "dx"),
    "a mean for a sum": (
        lambda: wrong(conv(), scaled("bias", 1 / 40)),
        numbers(2, 2, 4, 5),
        "dbias",
    ),
    "a sign": (lambda: wrong(conv(), scaled("dx", -1)), numbers(2, 2, 4, 5), "dx"),
    "nothing at all": (lambda: wrong(conv(), scaled("weight", 0)), numbers(1, 2, 4, 5), "dweight"),
    "1 in 100,000": (
        lambda: wrong(conv(), scaled("weight", 1.00001)),
        numbers(1, 2, 4, 5),
        "dweight",
    ),
    "nan": (lambda: wrong(conv(), scaled("dx", np.nan)), numbers(1, 2, 4, 5), "dx"),
}


@pytest.mark.parametrize("what", PLANTED)
def test_planted_mistakes_are_found(what: str) -> None:
    make, x, name = PLANTED[what]
    with pytest.raises(AssertionError, match=rf"^gradcheck: {name} is wrong by "):
        gradcheck(make(), x)
    inside = Sequential(before=Tanh(), layer=make())
    found = name if name == "dx" else f"dlayer.{name[1:]}"
    with pytest.raises(AssertionError, match=rf"^gradcheck: {re.escape(found)} is wrong by "):
        gradcheck(inside, x)


def test_right_layers_pass(xp: Any) -> None:
    network = Sequential(
        conv(), Tanh(), Conv2d(3, 4, 2, padding="same", dtype="float64"), PixelShuffle(2), Sigmoid()
    )
    network.params = {name: xp.asarray(value) for name, value in network.params.items()}
    error = gradcheck(network, xp.asarray(numbers(2, 2, 3, 4)))
    assert isinstance(error, float)
    assert 0 < error < 1e-7
    assert gradcheck(ReLU(), xp.asarray(numbers(2, 3, 4))) < 1e-7
    assert gradcheck(PixelShuffle(2), xp.asarray(numbers(1, 8, 2, 3))) < 1e-7


def test_an_upstream_gradient_of_ones_would_miss_a_wrong_permutation() -> None:
    make, x, _ = PLANTED["the transposed shuffle"]
    assert gradcheck(make(), x, Ones()) < 1e-6  # which is why it is not the default
    with pytest.raises(AssertionError):
        gradcheck(make(), x)


def test_the_message_names_the_worst_entry() -> None:
    def change(dx: Array, grads: dict[str, Array]) -> None:
        grads["weight"][0, 1, 2, 2] += 0.5
        grads["weight"][2, 0, 1, 2] = 1234.5

    layer, x = wrong(conv(), change), numbers(1, 2, 4, 5)
    true = conv()
    y = true.forward(x)
    true.backward(np.random.default_rng(0).normal(size=y.shape))
    value = true.grads["weight"][2, 0, 1, 2]
    with pytest.raises(AssertionError) as caught:
        gradcheck(layer, x)
    message = str(caught.value)
    assert message.startswith("gradcheck: dweight is wrong by 1.0e+00 (relative, allowed 1e-06); ")
    assert "worst at dweight[2, 0, 1, 2]: backward says 1234.5, central differences say " in message
    assert float(message.rpartition(" ")[2]) == pytest.approx(value, rel=1e-6)


def test_float32_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^gradcheck: x must be float64, got float32$"):
        gradcheck(Tanh(), numbers(2, 3).astype("f4"))
    with pytest.raises(TypeError, match=r"^gradcheck: weight must be float64, got float32$"):
        gradcheck(Conv2d(2, 3, 3, padding="same"), numbers(1, 2, 3, 4))
    with pytest.raises(TypeError, match=r"^gradcheck: x must be float64, got int64$"):
        gradcheck(Tanh(), np.arange(3))


def test_missing_and_misshapen_gradients_are_named() -> None:
    layer = wrong(conv(), without_bias)
    message = "gradcheck: grads ['weight'] and params ['bias', 'weight'] differ"
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}$"):
        gradcheck(layer, numbers(1, 2, 3, 4))
    layer = wrong(Tanh(), lambda dx, grads: dx[:1])
    message = "gradcheck: dx has shape (1, 3), should be (2, 3)"
    with pytest.raises(AssertionError, match=f"^{re.escape(message)}$"):
        gradcheck(layer, numbers(2, 3))


def test_everything_is_as_before() -> None:
    layer, x = conv(), numbers(2, 2, 3, 4)
    before = {name: value.tobytes() for name, value in layer.params.items()}
    x.flags.writeable = False
    gradcheck(layer, x)
    assert {name: value.tobytes() for name, value in layer.params.items()} == before
    fresh = conv()
    fresh.backward(np.random.default_rng(0).normal(size=fresh.forward(x).shape))
    for name, grad in fresh.grads.items():
        np.testing.assert_array_equal(layer.grads[name], grad)


def test_the_generator_decides_the_upstream_gradient() -> None:
    x = numbers(2, 2, 3, 4)
    errors = [gradcheck(conv(), x, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert errors[0] == errors[1] != errors[2]
    assert gradcheck(conv(), x) == gradcheck(conv(), x, np.random.default_rng(0))


def test_tolerance_is_the_largest_error_that_passes() -> None:
    layer, x = wrong(Tanh(), scaled("dx", 1.001)), numbers(2, 3)
    assert gradcheck(layer, x, tolerance=1e-2) == pytest.approx(1e-3, rel=0.01)
    with pytest.raises(AssertionError, match=r"allowed 9e-04\)"):
        gradcheck(layer, x, tolerance=9e-4)


def test_a_network_that_pads_in_predict_alone() -> None:
    """It is forward whose gradient is checked."""
    layers: dict[str, Layer] = {"conv": Conv2d(1, 2, 3, padding="valid", dtype="float64")}
    network = Network({"channels": 1, "padding": "edge"}, 1, layers)
    assert gradcheck(network, numbers(1, 1, 5, 4)) < 1e-7


def test_empty_batches_pass() -> None:
    assert gradcheck(Tanh(), np.zeros((0, 3))) == 0.0


def test_the_numerical_gradient_of_a_square() -> None:
    x = np.array([[1.0, -2.0, 0.5]])
    gradient = numerical_gradient(lambda: x * x, x, np.array([[1.0, 10.0, 100.0]]))
    np.testing.assert_allclose(gradient, [[2, -40, 100]], rtol=1e-9)
    assert x.tolist() == [[1.0, -2.0, 0.5]]
