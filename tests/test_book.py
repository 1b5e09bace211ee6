"""What the book promises, file by file, in the book's order. Read this second, after the book.

Many arrays hold small whole numbers. Their sums of products are exact, so that "equal up to
rounding" becomes "equal", and every misplaced number shows. PyTorch's answers are recorded; where
it is installed, it is asked other questions too. The rest of the book's tests are in tests/book.
"""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import record_torch_layers
import record_torch_models
import record_torch_optim
import record_torch_shuffle
from helpers import KEYS, follow, normal, relative_error, small_network, torch_if_there, whole
from hypothesis import given, settings
from hypothesis import strategies as st
from record_torch_layers import every_layer

from npespcn import models, optim
from npespcn.conv import col2im, conv2d_backward, conv2d_forward, conv2d_loop, im2col
from npespcn.gradcheck import gradcheck, numerical_gradient
from npespcn.initializers import he, icnr, paper, xavier
from npespcn.layers import Conv2d, ConvTranspose2d, PixelShuffle, ReLU, Sigmoid, Tanh
from npespcn.losses import charbonnier, l1, log_mse, mse
from npespcn.models import ESPCN, SRCNN
from npespcn.optim import SGD, SOAP, Adam, cosine
from npespcn.shuffle import METHODS, ORDERS, channel_permutation, pixel_shuffle, pixel_unshuffle
from npespcn.training import center_crop, train

# None stands for the recording.
pytorch = pytest.mark.parametrize("torch", [None, torch_if_there()] if torch_if_there() else [None])
LOSSES = (mse, l1, charbonnier, log_mse)
same = np.testing.assert_array_equal


def rng(seed=0):
    return np.random.default_rng(seed)


# --- shuffle --------------------------------------------------------------------------------------


def test_shuffle_written_out():
    """C = 2, r = 2, one row of two LR pixels: short enough to check by eye."""
    x = np.arange(16).reshape(8, 1, 2)
    for order, y in {
        "CRD": [[[0, 2, 1, 3], [4, 6, 5, 7]], [[8, 10, 9, 11], [12, 14, 13, 15]]],
        "DCR": [[[0, 4, 1, 5], [8, 12, 9, 13]], [[2, 6, 3, 7], [10, 14, 11, 15]]],
        "paper": [[[0, 8, 1, 9], [4, 12, 5, 13]], [[2, 10, 3, 11], [6, 14, 7, 15]]],
    }.items():
        assert pixel_shuffle(x, 2, order=order).tolist() == y, order


def channel_of(order, c, row, col, channels, r):
    """Say which channel a pixel comes from, with the formulas of the contract written out."""
    if order == "CRD":
        return c * r**2 + (row % r) * r + col % r
    if order == "DCR":
        return ((row % r) * r + col % r) * channels + c
    return ((col % r) * r + row % r) * channels + c


@settings(deadline=None)
@given(
    lead=st.lists(st.integers(0, 2), max_size=2),
    sizes=st.tuples(*[st.integers(0, 3)] * 3),
    r=st.integers(1, 4),
    order=st.sampled_from([*ORDERS]),
    dtype=st.sampled_from(["?", "u1", ">i2", "f2", "f8", "c8", "U3", "M8[s]", "O"]),
)
def test_every_pixel_comes_from_its_channel(lead, sizes, r, order, dtype):
    """By every method, in both layouts, in any dtype, to the bit; and back."""
    channels, h, w = sizes
    shape = (*lead, channels * r * r, h, w)
    x = np.arange(math.prod(shape)).astype(dtype).reshape(shape)
    expected = np.empty((*lead, channels, h * r, w * r), dtype)
    for c, row, col in np.ndindex(expected.shape[-3:]):
        k = channel_of(order, c, row, col, channels, r)
        expected[..., c, row, col] = x[..., k, row // r, col // r]
    x.flags.writeable = expected.flags.writeable = False
    for layout, axis in (("NCHW", -3), ("NHWC", -1)):
        here, there = np.moveaxis(x, -3, axis), np.moveaxis(expected, -3, axis)
        results = [pixel_shuffle(here, r, method=m, order=order, layout=layout) for m in METHODS]
        for result, right in [
            *((y, there) for y in results),
            (pixel_unshuffle(there, r, order=order, layout=layout), here),
        ]:
            same(result, right, strict=True)
            assert result.flags.c_contiguous
            assert result.flags.writeable
            assert not np.shares_memory(result, right)


@pytorch
def test_shuffle_is_pytorchs(torch):
    for x, r, shuffled, unshuffled in record_torch_shuffle.answers(torch):
        for method in METHODS:
            same(pixel_shuffle(x, r, method=method), shuffled, strict=True)
        same(pixel_unshuffle(x.reshape(shuffled.shape), r), unshuffled, strict=True)


def test_unshuffle_is_the_transpose_of_shuffle():
    """⟨shuffle(x), g⟩ = ⟨x, unshuffle(g)⟩, exactly. Ones for g would pass for any permutation."""
    x, g = whole(2, 27, 2, 4), whole(2, 3, 6, 12, seed=1)
    for order in ORDERS:
        y, dx = pixel_shuffle(x, 3, order=order), pixel_unshuffle(g, 3, order=order)
        assert (y * g).sum() == (x * dx).sum()


def test_the_orders_differ_by_one_permutation_of_channels_or_of_weights():
    x, weight = whole(2, 4, 3, 5), whole(27, 4, 3, 3, seed=1)
    features = conv2d_forward(x, weight)
    for order in ORDERS:
        p = channel_permutation(3, 3, order)
        y = pixel_shuffle(features, 3, order=order)
        same(y, pixel_shuffle(features[:, p], 3))
        same(y, pixel_shuffle(conv2d_forward(x, weight[p]), 3))
        same(pixel_unshuffle(y, 3)[:, np.argsort(p)], features)


# --- conv -----------------------------------------------------------------------------------------


def test_convolution_written_out():
    """The kernel is not flipped; an even kernel's odd zero is below and on the right."""
    x = np.array([[[[1.0, 2, 3], [4, 5, 6]]]])
    weight = np.array([[[[1.0, 10], [100, 1000]]]])
    for conv in (conv2d_loop, conv2d_forward):
        assert conv(x, weight).tolist() == [[[[5421, 6532]]]]
        y = conv(x, weight, np.array([0.5]), padding="same")
        assert y.tolist() == [[[[5421.5, 6532.5, 603.5], [54.5, 65.5, 6.5]]]]
        assert conv(x, weight, stride=2, padding=1).tolist() == [[[[1000, 3200], [40, 65]]]]


def test_one_lit_pixel_shows_the_kernel_turned_around():
    x, weight = np.zeros((1, 1, 5, 6)), np.arange(1.0, 10).reshape(1, 1, 3, 3)
    x[0, 0, 2, 3] = 1
    expected = np.zeros((1, 1, 5, 6))
    expected[0, 0, 1:4, 2:5] = weight[0, 0, ::-1, ::-1]
    same(conv2d_forward(x, weight, padding="same"), expected)


@st.composite
def convolutions(draw):
    """Draw x, weight, bias and an upstream gradient, of small whole numbers; stride and padding."""
    n, c, o = draw(st.tuples(st.integers(0, 2), st.integers(1, 3), st.integers(1, 3)))
    k, stride = draw(st.tuples(st.integers(1, 5), st.integers(1, 3)))
    padding = draw(st.sampled_from(["valid", 0, 1, 2, 6] + ["same"] * 3 * (stride == 1)))
    zeros = {"valid": 0, "same": k - 1}.get(padding, 2 * padding if padding != "same" else 0)
    least = max(1, k - zeros)
    h, w = draw(st.tuples(*[st.integers(least, least + 3)] * 2))
    seed = draw(st.integers(0, 2**32 - 1))
    out = [(side + zeros - k) // stride + 1 for side in (h, w)]
    shapes = ((n, c, h, w), (o, c, k, k), (o,), (n, o, *out))
    return *(whole(*shape, seed=seed + i) for i, shape in enumerate(shapes)), stride, padding


@settings(deadline=None, max_examples=60)
@given(convolutions())
def test_the_loop_is_the_formula_and_the_matrix_product_is_the_loop(case):
    x, weight, bias, dy, stride, padding = case
    k = weight.shape[2]
    if padding == "same":
        zeros = ((k - 1) // 2, k // 2)
    else:
        zeros = (0, 0) if padding == "valid" else (padding, padding)
    padded = np.pad(x, ((0, 0), (0, 0), zeros, zeros))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), (2, 3))
    windows = windows[:, :, ::stride, ::stride]  # (N, C, H', W', k, k)
    y = np.einsum("ncpqij,ocij->nopq", windows, weight) + bias.reshape(-1, 1, 1)
    assert y.shape == dy.shape
    same(conv2d_loop(x, weight, bias, stride, padding), y, strict=True)
    same(conv2d_forward(x, weight, bias, stride, padding), y, strict=True)


@settings(deadline=None, max_examples=60)
@given(convolutions())
def test_the_gradients_are_the_adjoints_exactly(case):
    """The output is linear in x, in the weight and in the bias: ⟨conv(x', w), dy⟩ = ⟨x', dx⟩."""
    x, weight, _, dy, stride, padding = case
    dx, dweight, dbias = conv2d_backward(dy, x, weight, stride, padding)
    for seed in (7, 8):
        x2, weight2 = whole(*x.shape, seed=seed), whole(*weight.shape, seed=seed)
        of_x = conv2d_forward(x2, weight, None, stride, padding)
        assert (of_x * dy).sum() == (x2 * dx).sum()
        of_weight = conv2d_forward(x, weight2, None, stride, padding)
        assert (of_weight * dy).sum() == (weight2 * dweight).sum()
    same(dbias, dy.sum(axis=(0, 2, 3)))


@settings(deadline=None, max_examples=60)
@given(convolutions())
def test_im2col_holds_what_the_kernel_meets_and_col2im_is_its_adjoint(case):
    x, weight, _, dy, stride, padding = case
    columns = im2col(x, weight.shape[2], stride, padding)  # (N, C*k*k, H'*W')
    y = weight.reshape(len(weight), -1) @ columns
    same(y.reshape(dy.shape), conv2d_loop(x, weight, None, stride, padding))
    g = whole(*columns.shape, seed=9)
    dx = col2im(g, x.shape, weight.shape[2], stride, padding)
    assert (columns * g).sum() == (x * dx).sum()


def test_col2im_adds_where_positions_overlap():
    assert col2im(np.ones((1, 4, 2)), (1, 1, 2, 3), 2).tolist() == [[[[1, 2, 1], [1, 2, 1]]]]


# --- initializers ---------------------------------------------------------------------------------


def test_initial_weights_have_the_spread_of_their_papers():
    shape, fan_in, fan_out = (48, 32, 5, 3), 32 * 15, 48 * 15
    for initializer, deviation, kurtosis in (
        (xavier, math.sqrt(2 / (fan_in + fan_out)), 1.8),  # uniform
        (he, math.sqrt(2 / fan_in), 3),  # normal
        (paper, 0.001, 3),
    ):
        weight = initializer(rng(), shape)
        assert (weight.shape, weight.dtype) == (shape, np.float64)
        assert abs(weight.mean()) < 0.02 * deviation
        assert weight.std() == pytest.approx(deviation, rel=0.02), initializer
        assert (weight**4).mean() / (weight**2).mean() ** 2 == pytest.approx(kurtosis, rel=0.05)
        same(weight, initializer(rng(), shape))  # the generator decides


def test_xavier_and_he_keep_the_variance_of_a_signal():
    x, shape = normal(1, 64, 30, 30), (64, 64, 3, 3)
    assert conv2d_forward(x, xavier(rng(1), shape)).var() == pytest.approx(1, rel=0.1)
    y = conv2d_forward(np.maximum(x, 0), he(rng(1), shape))
    assert y.var() == pytest.approx(1, rel=0.2)


def test_icnr_starts_as_nearest_neighbor_enlargement():
    """Under its own order; under another one it has a checkerboard."""
    x = normal(2, 3, 4, 5)
    for order in ORDERS:
        weight = icnr(rng(1), (18, 3, 3, 3), 3, base=he, order=order)
        small = conv2d_forward(x, he(rng(1), (2, 3, 3, 3)))
        blocks = np.kron(small, np.ones((3, 3)))
        y = conv2d_forward(x, weight)
        np.testing.assert_allclose(pixel_shuffle(y, 3, order=order), blocks, atol=1e-12)
        other = pixel_shuffle(y, 3, order="DCR" if order == "CRD" else "CRD")
        assert abs(other - blocks).max() > 0.1


# --- layers ---------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytorch
def test_layers_are_pytorchs(torch):
    for name, answer in record_torch_layers.answers(torch):
        layer = record_torch_layers.our_layer(name, **answer)
        results = {"y": layer.forward(answer["x"]), "dx": layer.backward(answer["dy"])}
        results |= {f"d{key}": grad for key, grad in layer.grads.items()}
        assert results.keys() == answer.keys() - {"x", "dy", "weight", "bias"}
        for key, value in results.items():
            assert relative_error(value, answer[key]) < 1e-13, (name, key)


def test_gradcheck_of_every_layer():
    for name, layer, x, _ in every_layer():
        assert gradcheck(layer, x, rng(2)) < 1e-7, name


def test_a_transposed_convolution_written_out():
    """Each pixel stamps its multiple of the kernel, two pixels further for each next one."""
    layer = ConvTranspose2d(1, 1, 3, stride=2, dtype="float64")
    layer.params["weight"][:] = [[[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]]
    layer.params["bias"][:] = 0.5
    assert layer.forward(np.array([[[[1.0, 10]]]])).tolist() == [
        [[[1.5, 2.5, 13.5, 20.5, 30.5], [4.5, 5.5, 46.5, 50.5, 60.5], [7.5, 8.5, 79.5, 80.5, 90.5]]]
    ]


@given(*[st.integers(1, 3)] * 4, st.integers(1, 5), st.integers(0, 2), st.integers(0, 2))
@settings(deadline=None, max_examples=60)
def test_a_transposed_convolution_is_the_transpose(c, o, h, w, k, padding, output_padding):
    """⟨transposed(x), g⟩ = ⟨x, conv(g)⟩, exactly; its backward pass is the convolution."""
    stride, padding = output_padding + 1, min(padding, (k - 1) // 2)
    layer = ConvTranspose2d(c, o, k, stride, padding, output_padding, dtype="float64")
    weight = layer.params["weight"] = whole(c, o, k, k)
    x = whole(2, c, h, w, seed=1)
    y = layer(x)
    height, width = ((side - 1) * stride + k - 2 * padding + output_padding for side in (h, w))
    assert y.shape == (2, o, height, width)
    g = whole(*y.shape, seed=2)
    dx = conv2d_forward(g, weight, None, stride, padding)
    assert (y * g).sum() == (x * dx).sum()
    same(layer.backward(g), dx)


def test_activations_far_out_and_at_zero():
    x = np.array([-np.inf, -1e30, -20, -0.0, 0, 1e30, np.inf], np.float32)
    for layer, expected in (
        (Tanh(), [-1, -1, -1, 0, 0, 1, 1]),
        (Sigmoid(), [0, 0, 2.0611537e-09, 0.5, 0.5, 1, 1]),
        (ReLU(), [0, 0, 0, 0, 0, 1e30, np.inf]),
    ):
        y = layer.forward(x)
        np.testing.assert_allclose(y, np.array(expected, np.float32), rtol=1e-6)
        dx = layer.backward(np.ones_like(x))
        assert y.dtype == dx.dtype == np.float32
        assert np.isfinite(dx).all()
        assert dx[0] == 0
    assert dx.tolist() == [0, 0, 0, 0, 0, 1, 1]  # of ReLU: 0 at 0, too
    assert layer.backward(np.full_like(x, np.inf)).tolist() == [0, 0, 0, 0, 0, np.inf, np.inf]


def test_a_network_is_its_layers_one_after_the_other():
    network, x = small_network(), normal(2, 3, 5, 6)
    conv1, tanh1, inner, shuffle, deconv, sigmoid = network.layers.values()
    y = sigmoid(deconv(shuffle(inner(tanh1(conv1(x))))))
    same(network(x), y)
    same(network.predict(x), y)
    assert gradcheck(network, x) < 1e-6
    assert [*network.params] == [*network.grads] == KEYS
    assert network.params["inner.0.bias"] is network.layers["inner"].layers["0"].params["bias"]
    assert network.grads["deconv.bias"] is deconv.grads["bias"]


# --- losses ---------------------------------------------------------------------------------------


def test_losses_by_hand():
    prediction, target = np.array([[1.0, 4.0], [0.0, 2.0]]), np.array([[1.0, 2.0], [1.0, 2.0]])
    for loss, value, gradient in (  # of the differences 0, 2, -1, 0
        (mse, 5 / 4, [[0, 1], [-0.5, 0]]),
        (l1, 3 / 4, [[0, 0.25], [-0.25, 0]]),
        (charbonnier, (1e-3 + math.hypot(2, 1e-3) + math.hypot(1, 1e-3) + 1e-3) / 4, None),
        (log_mse, (math.log(2 + 1e-4) + math.log(0.5 + 1e-4)) / 2, None),
        (
            lambda p, t: charbonnier(p, t, epsilon=2),
            (2 + math.sqrt(8) + math.sqrt(5) + 2) / 4,
            None,
        ),
        (lambda p, t: log_mse(p, t, epsilon=1), (math.log(3) + math.log(1.5)) / 2, None),
    ):
        actual, dprediction = loss(prediction, target)
        assert float(actual) == pytest.approx(value, rel=1e-14)
        if gradient is not None:
            assert dprediction.tolist() == gradient
        assert not loss(target, target)[1].any()  # nothing to change where they are equal


def test_the_gradient_of_a_loss_is_its_slope():
    for loss in LOSSES:
        for shape in ((), (3,), (2, 3, 4, 5)):
            target, away = normal(*shape), rng(1).uniform(0.01, 1, shape)  # from l1's kink
            prediction = np.asarray(target + away * rng(2).choice([-1, 1], shape))
            dprediction = loss(prediction, target)[1]
            slope = numerical_gradient(lambda: loss(prediction, target)[0], prediction, 1.0)  # noqa: B023
            np.testing.assert_allclose(dprediction, slope, rtol=1e-4, atol=1e-8)


def test_log_mse_averages_psnr_and_every_image_pulls_alike():
    prediction, target = normal(3, 2, 4, 5), normal(3, 2, 4, 5, seed=1)
    prediction[1] *= 10  # one is much worse than the others
    psnr = -10 * np.log10(((prediction - target) ** 2).mean(axis=(1, 2, 3)))
    value, dprediction = log_mse(prediction, target, epsilon=0)
    assert -10 / math.log(10) * value == pytest.approx(psnr.mean(), rel=1e-14)
    # Scaling an image's error by 1 + e adds 2 e to its logarithm, however large it is.
    slopes = (dprediction * (prediction - target)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(slopes, [2 / 3] * 3, rtol=1e-13)


# --- optim ----------------------------------------------------------------------------------------


@pytorch
def test_sgd_and_adam_are_pytorchs(torch):
    for name, start, gradients, expected in record_torch_optim.answers(torch):
        kind, options = record_torch_optim.CASES[name]
        path = follow(getattr(optim, kind), start, gradients, **options)
        assert relative_error(path, expected) < 1e-14, name


def test_adam_written_out():
    """The first step is lr, whatever the gradient; the second is by the running means."""
    path = follow(Adam, np.zeros(2), np.array([[3.0, -0.001], [-3.0, 0.003]]), lr=0.1, epsilon=0)
    np.testing.assert_allclose(path[0], [-0.1, 0.1], rtol=1e-12)
    mean = (0.9 * 0.1 * 3 + 0.1 * -3) / (1 - 0.9**2)
    square = (0.999 * 0.001 * 9 + 0.001 * 9) / (1 - 0.999**2)
    assert path[1, 0] == pytest.approx(-0.1 - 0.1 * mean / math.sqrt(square))


def test_soap_looks_at_the_first_gradient_and_never_explodes():
    start, gradients = normal(9, 1, 3, 3), normal(40, 9, 1, 3, 3, seed=1)
    for refresh in (1, 2, 20):
        path = follow(SOAP, start, gradients, lr=0.01, refresh=refresh)
        same(path[0], start)  # no basis to step in yet
        steps = np.diff(path, axis=0) / 0.01
        assert np.sqrt((steps**2).mean(axis=(1, 2, 3, 4))).max() <= 1.3, refresh
        narrow = follow(SOAP, start.astype("f4"), gradients.astype("f4"), lr=0.01, refresh=refresh)
        first, first64 = (np.diff(p[:2], axis=0).ravel().astype("f8") for p in (narrow, path))
        cosine_ = first @ first64 / np.linalg.norm(first) / np.linalg.norm(first64)
        assert cosine_ > 0.999, refresh


def test_cosine_falls_from_1_to_final():
    schedule = cosine(100, final=0.1)
    assert (schedule(0), schedule(50)) == (1, pytest.approx(0.55))
    assert schedule(25) == pytest.approx(0.1 + 0.9 * (1 + math.sqrt(0.5)) / 2)
    assert schedule(100) == schedule(1000) == pytest.approx(0.1)


# --- models ---------------------------------------------------------------------------------------


def test_espcn_as_published():
    model = ESPCN(scale=3)
    assert {key: value.shape for key, value in model.params.items()} == {
        "conv1.weight": (64, 1, 5, 5),
        "conv1.bias": (64,),
        "conv2.weight": (32, 64, 3, 3),
        "conv2.bias": (32,),
        "conv3.weight": (9, 32, 3, 3),
        "conv3.bias": (9,),
    }
    assert sum(value.size for value in model.params.values()) == 22_729
    assert [type(layer) for layer in model.layers.values()] == [
        *(Conv2d, Tanh, Conv2d, Tanh, Conv2d, PixelShuffle)
    ]
    assert (model.scale, model.halo, model.padding) == (3, 4, "same")
    assert {value.dtype for value in model.params.values()} == {np.dtype("float32")}


def test_srcnn_as_published():
    model = SRCNN()
    assert sum(value.size for value in model.params.values()) == 8_129
    assert (model.scale, model.halo, model.padding) == (1, 6, "same")


@pytorch
def test_networks_are_pytorchs(torch):
    """Outputs, and all gradients where it is asked live."""
    for name, answer in record_torch_models.answers(torch):
        kind, options, _ = record_torch_models.CASES[name]
        model = getattr(models, kind)(**options, dtype="float64")
        shapes = {key: value.shape for key, value in model.params.items()}
        model.load_state_dict(record_torch_models.formula_weights(shapes))
        results = {"y": model.forward(answer["x"]), "dx": model.backward(answer["dy"])}
        results |= {f"d{key}": grad for key, grad in model.grads.items()}
        for key in answer.keys() - {"x", "dy"}:
            assert relative_error(results[key], answer[key]) < 1e-12, (name, key)
        assert relative_error(model.predict(answer["x"]), answer["y"]) < 1e-13


def test_gradcheck_of_every_variant():
    small = {"dtype": "float64", "widths": (2, 2), "seed": 1}
    for model in (
        ESPCN(3, 3, kernels=(3, 3, 3), **small),
        ESPCN(2, 3, "sigmoid", "tanh", tail=True, kernels=(1, 3, 1), init="icnr", **small),
        ESPCN(2, 1, "relu", "relu", padding="edge", kernels=(3, 1, 1), init="he", **small),
        ESPCN(2, dtype="float64", widths=(2, 3, 2), kernels=(3, 1, 3, 1)),
        SRCNN(3, "valid", kernels=(3, 1, 1), **small),
    ):
        for key, value in model.params.items():  # with biases of 0, a dead ReLU is at its kink
            value += 0.1 * normal(*value.shape) * key.endswith("bias")
        x = normal(2, model.options["channels"], 3, 4)
        assert gradcheck(model, x, tolerance=1e-6) < 1e-6, model.options


def test_edge_repeats_the_edge_and_valid_gives_less():
    x, sides = normal(2, 3, 11, 10), ((0, 0), (0, 0), (4, 4), (4, 4))
    for more in ({}, {"tail": True, "output": "sigmoid", "activation": "relu"}):
        networks = [ESPCN(2, 3, padding=p, dtype="float64", **more) for p in models.PADDINGS]
        zeros, valid, edge = networks
        assert zeros.forward(x).shape == (2, 3, 22, 20)
        same(zeros.predict(x), zeros.forward(x))
        assert valid.forward(x).shape == (2, 3, 6, 4)
        same(valid.predict(x), valid.forward(x))
        same(edge.forward(x), valid.forward(x))
        same(edge.predict(x), valid.forward(np.pad(x, sides, mode="edge")))
        inner = (..., slice(8, -8), slice(8, -8))
        np.testing.assert_allclose(zeros.forward(x)[inner], valid.forward(x), rtol=1e-12)


# --- training -------------------------------------------------------------------------------------


class Ramp:
    """Batches of slopes: LR is every second pixel's mean."""

    def batch(self, generator, batch_size, patch_size):
        slope = generator.standard_normal((batch_size, 1, 1, 2)).astype(np.float32)
        rows, columns = np.indices((2 * patch_size,) * 2, np.float32) / patch_size - 1
        hr = slope[..., :1] * rows + slope[..., 1:] * columns
        return hr.reshape(batch_size, 1, patch_size, 2, patch_size, 2).mean(axis=(3, 5)), hr


def test_train_yields_each_step_and_learns():
    for padding in models.PADDINGS:
        for optimizer in (SGD, Adam, SOAP):
            model = ESPCN(2, padding=padding, widths=(8, 4))
            x, hr = Ramp().batch(rng(1), 4, 12)
            middle = hr if padding == "same" else hr[..., 8:-8, 8:-8]
            first, _ = mse(model(x), middle)
            opt = optimizer(model)
            history = list(train(model, Ramp(), opt, 60, batch_size=4, patch_size=12, rng=rng(1)))
            assert [step for step, _ in history] == list(range(1, 61))
            assert history[0][1] == first
            losses = [float(value) for _, value in history]
            assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:10]), (padding, optimizer)


def test_train_can_be_steered_from_the_body_of_the_loop():
    model, other = ESPCN(2, widths=(4, 4)), ESPCN(2, widths=(4, 4))
    optimizer = SGD(model)
    for step, _ in train(model, Ramp(), optimizer, 9, loss=l1, patch_size=8):
        optimizer.lr = 0.0
        if step == 5:
            break
    assert optimizer.steps == 5
    next(train(other, Ramp(), SGD(other), 1, loss=l1, patch_size=8))  # the same first batch
    for key, value in model.params.items():
        same(value, other.params[key])


def test_center_crop():
    image = np.arange(42).reshape(6, 7)
    assert center_crop(image, (2, 1, 2, 3)).tolist() == [[16, 17, 18], [23, 24, 25]]
    same(center_crop(image, image.shape), image)


# --- gradcheck ------------------------------------------------------------------------------------


class WrongShuffle(PixelShuffle):
    """Its backward pass swaps the rows and the columns within each block."""

    def backward(self, dy):
        dx = super().backward(dy)
        n, c, h, w = dx.shape
        return dx.reshape(n, c // 9, 3, 3, h, w).swapaxes(2, 3).reshape(dx.shape)


def test_a_wrong_shuffle_passes_with_ones_and_fails_gradcheck():
    x = normal(2, 27, 2, 4)
    ones = SimpleNamespace(normal=lambda size: np.ones(size))  # in a generator's place
    assert gradcheck(WrongShuffle(3), x, ones) < 1e-6
    with pytest.raises(AssertionError, match=r"dx\[.*\] is wrong by"):
        gradcheck(WrongShuffle(3), x)


def test_the_numerical_gradient_of_a_square():
    x = np.array([[1.0, -2.0, 0.5]])
    gradient = numerical_gradient(lambda: x * x, x, np.array([[1.0, 10.0, 100.0]]))
    np.testing.assert_allclose(gradient, [[2, -40, 100]], rtol=1e-9)
    assert x.tolist() == [[1.0, -2.0, 0.5]]
