"""Every check of the book raises, and its message says the rule."""

import numpy as np
import pytest
from helpers import small_network, whole

from npespcn.conv import col2im, conv2d_backward, conv2d_forward, conv2d_loop, im2col
from npespcn.gradcheck import gradcheck, numerical_gradient
from npespcn.initializers import icnr
from npespcn.layers import Conv2d, ConvTranspose2d, Layer, ReLU, Sequential, Sigmoid, Tanh
from npespcn.losses import charbonnier, l1, log_mse, mse
from npespcn.models import ESPCN, SRCNN
from npespcn.optim import Adam
from npespcn.shuffle import channel_permutation, pixel_shuffle, pixel_unshuffle
from npespcn.training import center_crop

same = np.testing.assert_array_equal


def rng(seed=0):
    return np.random.default_rng(seed)


def after_forward(layer, x):
    layer.forward(x)
    return layer.backward


def test_each_check_raises_and_says_the_rule():
    x, weight, network = np.ones((2, 4, 5, 6)), np.ones((3, 4, 3, 3)), small_network()
    deconv = ConvTranspose2d(4, 3, 3)
    for call, words in (
        (
            lambda: pixel_shuffle(np.zeros((1, 10, 4, 5)), 2),
            r"10 channels cannot be split into groups of r\*r = 4 \(upscale_factor=2\)",
        ),
        (lambda: pixel_shuffle(x, 0), "upscale_factor=0"),
        (lambda: pixel_shuffle(x, -2), "upscale_factor=-2"),
        (lambda: pixel_unshuffle(x, 2), "5x6 pixels have no whole blocks of 2x2"),
        (lambda: pixel_unshuffle(x, -1), "no whole blocks"),
        (lambda: pixel_shuffle(x, 2, order="RGB"), "'CRD', 'DCR', 'paper', got 'RGB'"),
        (lambda: pixel_shuffle(x, 2, method="magic"), "'loop', 'reshape', 'concat', got 'magic'"),
        (lambda: pixel_shuffle(x, 2, layout="HWC"), "'NCHW', 'NHWC', got 'HWC'"),
        (lambda: conv2d_forward(x[:, :1], weight), r"x .* but weight is \(3, 4"),
        (lambda: conv2d_loop(x, weight[..., :2]), "x .* but weight is"),
        (lambda: conv2d_forward(x, weight, stride=0), "stride=0"),
        (
            lambda: conv2d_forward(x, weight, stride=2, padding="same"),
            "stride=2 and padding='same'",
        ),
        (lambda: conv2d_forward(x, weight, padding=-1), "padding=-1"),
        (lambda: conv2d_forward(x[:, :, :2], weight), "3x3 kernel does not fit 2x6 pixels"),
        (lambda: conv2d_forward(x, weight, np.ones(1)), "reshape"),
        (lambda: conv2d_backward(np.ones((2, 3, 1, 1)), x, weight), r"dy must have shape \(2, 3,"),
        (lambda: col2im(np.ones((2, 36, 1)), x.shape, 3), "columns must have shape"),
        (lambda: im2col(x, 0), "0x0 kernel"),
        (lambda: icnr(rng(), (10, 1, 3, 3), 2), "10 output channels"),
        (lambda: Conv2d(1, 1, 3, dtype=int), "floating-point"),
        (lambda: deconv.forward(x[:, :1]), "x .* but weight is"),
        (lambda: after_forward(Tanh(), x)(x[:1]), r"dy must have shape \(2, 4, 5, 6\)"),
        (lambda: after_forward(ReLU(), x)(x[:1]), "dy must have shape"),
        (lambda: after_forward(Sigmoid(), x)(x[:1]), "dy must have shape"),
        (lambda: after_forward(deconv, x)(x[:1, :3]), "dy must have shape"),
        (lambda: network.load_state_dict({}), "missing"),
        *(
            (lambda loss=loss: loss(x, x[:1]), "target must have shape")
            for loss in (mse, l1, charbonnier, log_mse)
        ),
        *(
            (lambda loss=loss: loss(x.astype(int), x), "floating")
            for loss in (mse, l1, charbonnier, log_mse)
        ),
        (lambda: ESPCN(2, kernels=(5, 3)), "kernels must be odd, and one more than widths"),
        (lambda: ESPCN(2, kernels=(5, 4, 3)), "kernels must be odd"),
        (lambda: ESPCN(2, activation="gelu"), "'tanh', 'relu', 'sigmoid', got 'gelu'"),
        (lambda: ESPCN(2, padding="full"), "'same', 'valid', 'edge', got 'full'"),
        (lambda: ESPCN(2, init="zeros"), "got 'zeros'"),
        (lambda: SRCNN(init="icnr"), "got 'icnr'"),
        (lambda: center_crop(x, (6, 6)), "no 6x6 pixels in"),
        (lambda: Sequential(Tanh(), (twice := Tanh()), twice), "a place and name of its own"),
        (lambda: Sequential(Tanh(), **{"0": ReLU()}), "a place and name of its own"),
        (lambda: channel_permutation(2, 0), "too small"),
        (lambda: numerical_gradient(lambda: x, x.astype(int), x), "must be floating-point"),
        (lambda: step_with_a_gradient_of(()), r"gradient of bias must have shape \(3,\)"),
    ):
        with pytest.raises(ValueError, match=words):
            call()


def step_with_a_gradient_of(shape):
    layer = Conv2d(1, 3, 3)
    layer.grads = {"weight": np.ones((3, 1, 3, 3)), "bias": np.ones(shape)}
    Adam(layer).step()


def test_a_layer_that_returns_a_view_passes_gradcheck():
    class Identity(Layer):
        def forward(self, x):
            return x

        def backward(self, dy):
            return dy

    assert gradcheck(Identity(), np.arange(6.0).reshape(1, 1, 2, 3)) < 1e-8


def test_sizes_of_8_bits_are_ordinary_numbers():
    same(ESPCN(np.int8(2)).params["conv3.weight"], ESPCN(2).params["conv3.weight"])
    x, weight = whole(1, 1, 129, 5), whole(1, 1, 3, 3)
    same(conv2d_forward(x, weight, None, np.int8(2)), conv2d_forward(x, weight, None, 2))


def test_load_state_dict_takes_all_or_nothing_and_names_what_it_cannot_take():
    network = small_network("float32")
    saved = network.state_dict()
    good = {key: value + 1 for key, value in saved.items()}
    without = {key: value for key, value in good.items() if key != "conv1.bias"}
    wrong = {
        "shape": (good | {"deconv.bias": np.ones((3, 1))}, r"deconv\.bias .*\(3,\).*\(3, 1\)"),
        "complex": (good | {"deconv.bias": np.ones(3, complex)}, "deconv.bias .*real, finite"),
        "text": (good | {"deconv.bias": ["a"] * 3}, "deconv.bias "),
        "object": (good | {"deconv.bias": np.ones(3, object)}, "deconv.bias "),
        "None": (good | {"deconv.bias": None}, "deconv.bias "),
        "NaN": (good | {"deconv.bias": np.array([1, np.nan, 1])}, "deconv.bias .*finite"),
        "inf": (good | {"deconv.bias": np.array([1, np.inf, 1])}, "deconv.bias .*finite"),
        "too large": (good | {"deconv.bias": np.full(3, 1e300)}, "deconv.bias .*finite"),
        "missing": (without, r"missing \['conv1\.bias'\]"),
        "unknown": (good | {"conv9.bias": np.ones(1)}, r"unknown \['conv9\.bias'\]"),
        "module.": ({f"module.{key}": v for key, v in good.items()}, r"'module\.'"),
        "state_dict": ({"state_dict": good, "epoch": 3}, "'state_dict'"),
    }
    for case, (arrays, words) in wrong.items():
        with pytest.raises(ValueError, match=words), np.errstate(over="ignore"):
            network.load_state_dict(arrays)
        for key, value in saved.items():
            same(network.params[key], value, err_msg=case)
