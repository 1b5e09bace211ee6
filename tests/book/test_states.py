"""What layers, networks and optimizers remember; parameters in and out; what gradcheck finds."""

import weakref

import numpy as np
import pytest
from helpers import KEYS, normal, relative_error, small_network, torch_if_there
from record_torch_layers import every_layer
from record_torch_models import torch_network

from npespcn.gradcheck import gradcheck
from npespcn.initializers import he
from npespcn.layers import Conv2d, ConvTranspose2d, Sequential, Tanh
from npespcn.models import ESPCN, SRCNN
from npespcn.optim import SGD, SOAP, Adam

same = np.testing.assert_array_equal


def rng(seed=0):
    return np.random.default_rng(seed)


def test_rules_of_every_layer():
    """Predict is forward and keeps nothing; backward overwrites; arguments stay as they are."""
    for name, layer, x, dy in every_layer():
        arrays = [x, dy, *layer.params.values()]
        before = [a.copy() for a in arrays]
        for a in arrays:
            a.flags.writeable = False
        if "shuffle" not in name:  # which remember nothing
            with pytest.raises(AttributeError):
                layer.backward(dy)  # before forward
        y, dx = layer.forward(x), layer.backward(dy)
        grads = layer.grads
        assert grads.keys() == layer.params.keys()
        other = x[:1] * 2
        seen = weakref.ref(other)
        predicted = layer.predict(other)
        del other
        assert seen() is None, name
        layer.backward(3 * dy)
        same(layer.backward(dy), dx, err_msg=name)  # of the last forward, not of the predict
        for key, grad in grads.items():
            same(layer.grads[key], grad, err_msg=name)
        same(layer(x), y, err_msg=name)
        same(layer.predict(x), y, err_msg=name)
        same(layer.forward(2 * x[:1]), predicted, err_msg=name)
        for a, old in zip(arrays, before, strict=True):
            same(a, old, err_msg=name)
            assert not any(np.shares_memory(a, result) for result in (y, dx, *grads.values()))


def test_a_state_dict_is_a_copy_that_load_state_dict_copies_in():
    network = small_network("float32")
    saved, held = network.state_dict(), network.params
    assert [*saved] == KEYS
    network.load_state_dict(
        {key: (value + 1).astype("f8").tolist() for key, value in saved.items()}
    )
    for key, value in network.params.items():
        assert value is held[key]
        assert value.dtype == np.float32
        same(value, saved[key] + 1)
    arrays = {key: np.zeros(value.shape, ">i2") for key, value in saved.items()}
    network.load_state_dict(arrays)
    arrays["conv1.bias"] += 1
    assert not any(value.any() for value in network.params.values())


def test_a_network_is_made_again_from_its_options():
    for model in (
        ESPCN(2, 3, "relu", "sigmoid", True, "edge", "icnr", 7, "float64", (8, 8, 4), (3, 3, 1, 3)),
        SRCNN(3, "valid", "he", 2, "float64", (8,), (5, 3)),
    ):
        again = type(model)(**model.options)
        assert again.options == model.options
        assert again.params.keys() == model.params.keys()
        for key, value in model.params.items():
            same(again.params[key], value, strict=True)


def test_weights_come_from_the_generator_and_the_dtype_from_the_caller():
    for kind in (Conv2d, ConvTranspose2d):
        weights = {
            key: kind(2, 3, 5, **options).params["weight"]
            for key, options in {
                "default": {},
                "seed 0": {"rng": rng(0)},
                "seed 1": {"rng": rng(1)},
                "type": {"dtype": np.float32},
                "double": {"dtype": "float64"},
            }.items()
        }
        assert weights["default"].shape == ((3, 2, 5, 5) if kind is Conv2d else (2, 3, 5, 5))
        assert kind(2, 3, 5).params["bias"].tolist() == [0, 0, 0]
        same(weights["default"], weights["seed 0"], strict=True)
        same(weights["default"], weights["type"], strict=True)
        same(weights["default"], weights["double"].astype("f4"), strict=True)
        assert not np.array_equal(weights["default"], weights["seed 1"])
    assert not np.array_equal(
        Conv2d(2, 3, 5).params["weight"], Conv2d(2, 3, 5, init=he).params["weight"]
    )


def test_the_seed_decides_the_weights_and_icnr_starts_as_nearest_neighbor():
    def weights(**options):
        return np.concatenate([v.ravel() for v in ESPCN(2, **options).params.values()])

    same(weights(), weights(seed=0, padding="edge", dtype="float64").astype("f4"))
    for other in ({"seed": 1}, {"init": "he"}, {"init": "paper"}, {"init": "icnr"}):
        assert not np.array_equal(weights(), weights(**other)), other
    y = ESPCN(3, 2, init="icnr", seed=5).forward(rng().random((1, 2, 6, 7), np.float32))
    blocks = y.reshape(1, 2, 6, 3, 7, 3)
    assert (np.ptp(blocks, axis=(3, 5)) < 1e-6).all()
    assert np.ptp(blocks[:, :, :, 0, :, 0]) > 0.01


def test_pytorch_takes_a_state_dict_and_gives_one():
    torch = torch_if_there()
    if torch is None:
        pytest.skip("PyTorch is not installed")
    theirs = torch_network(torch, "ESPCN", {"scale": 3, "tail": True})
    ours = ESPCN(3, tail=True)
    ours.load_state_dict(theirs.state_dict())
    x = rng().random((1, 1, 6, 5), np.float32)
    assert relative_error(ours.predict(x), theirs(torch.from_numpy(x)).detach().numpy()) < 1e-5
    theirs.load_state_dict({key: torch.from_numpy(v) for key, v in ours.state_dict().items()})


def test_rules_of_every_optimizer():
    """Steps change parameters in place and nothing else; the state holds all that they know."""
    for kind, options in (
        (SGD, {}),
        (SGD, {"momentum": 0.9}),
        (Adam, {}),
        (SOAP, {"refresh": 2}),
    ):
        straight, other = small_network("float32"), small_network("float32")
        one, two = (kind(network, lr=0.01, **options) for network in (straight, other))
        with pytest.raises(KeyError):
            kind(straight).step()  # before any backward
        held, shapes = straight.params, {k: v.keys() for k, v in one.state.items()}
        for step in range(8):
            x = rng(step).standard_normal((2, 3, 4, 5), np.float32)
            for network, optimizer in ((straight, one), (other, two)):
                network.backward(network.forward(x))
                for grad in network.grads.values():
                    grad.flags.writeable = False
                optimizer.lr = 0.01 / (1 + step)
                optimizer.step()
            if step == 3:  # saved and restored
                other.load_state_dict(other.state_dict())
                fresh = kind(other, lr=7.0, **options)
                assert {k: v.keys() for k, v in fresh.state.items()} == shapes
                for key, entries in two.state.items():
                    for entry, value in entries.items():
                        fresh.state[key][entry][...] = value
                fresh.steps, two = two.steps, fresh
        for key, value in straight.params.items():
            assert value is held[key]
            assert value.dtype == np.float32
            assert {a.dtype for a in one.state[key].values()} == {np.dtype("float32")}
            same(value, other.params[key], err_msg=f"{kind} {key}")
        assert any(abs(value - start).max() > 1e-3 for value, start in zip(
            straight.params.values(), small_network("float32").params.values(), strict=True
        ))  # fmt: skip


def test_gradcheck_finds_what_is_planted_and_names_the_worst_entry():
    def planted(change):
        class Planted(Conv2d):
            def backward(self, dy):
                dx = super().backward(dy)
                return change(dx, self.grads)

        return Planted(2, 3, 3, padding="same", dtype="float64")

    def scaled(key, factor):
        def change(dx, grads):
            (dx if key == "dx" else grads[key])[...] *= factor
            return dx

        return change

    def swapped(dx, grads):
        grads["weight"] = grads["weight"].swapaxes(2, 3)
        return dx

    def one_entry(dx, grads):
        grads["weight"][2, 0, 1, 2] = 1234.5
        return dx

    x = normal(2, 2, 4, 5)
    x.flags.writeable = False
    for change, name, words in (
        (scaled("dx", -1), "dx", r"\[.*\] is wrong by"),
        (scaled("dx", np.nan), "dx", r"\[.*\] is wrong by nan"),
        (scaled("weight", 1.00001), "weight", r"\[.*\] is wrong by 1.0e-05"),
        (scaled("bias", 1 / 20), "bias", r"\[.*\] is wrong by"),
        (scaled("weight", 0), "weight", r"\[.*\] is wrong by 1.0e\+00"),
        (swapped, "weight", r"\[.*\] is wrong by"),
        (one_entry, "weight", r"\[2, 0, 1, 2\] is wrong by .* backward says 1234.5, central "),
    ):
        with pytest.raises(AssertionError, match=f"^{'' if name == 'dx' else 'd'}{name}{words}"):
            gradcheck(planted(change), x)
        inside = "dx" if name == "dx" else f"dlayer.{name}"
        with pytest.raises(AssertionError, match=f"^{inside}{words}"):
            gradcheck(Sequential(before=Tanh(), layer=planted(change)), x)
    with pytest.raises(ValueError, match=r"dx must have shape \(2, 2, 4, 5\)"):
        gradcheck(planted(lambda dx, grads: dx[:1]), x)
    with pytest.raises(KeyError, match="bias"):
        gradcheck(planted(lambda dx, grads: grads.pop("bias") is None or dx), x)
    assert gradcheck(planted(scaled("weight", 1.00001)), x, tolerance=1e-4) < 2e-5


def test_gradcheck_needs_float64_and_leaves_all_as_it_was():
    layer, x = Conv2d(2, 3, 3, dtype="float64"), normal(2, 2, 3, 4)
    before = {key: value.copy() for key, value in layer.params.items()}
    first = x.copy()
    assert gradcheck(layer, x) < 1e-7
    same(x, first)
    for key, value in before.items():
        same(layer.params[key], value)
    for wrong_layer, wrong_x in ((layer, x.astype("f4")), (Conv2d(2, 3, 3), x), (Tanh(), x > 0)):
        with pytest.raises(ValueError, match="float64"):
            gradcheck(wrong_layer, wrong_x)
