"""The numbers that the book takes: any dtype and memory order; tiny, huge and infinite ones."""

import numpy as np
import pytest
from helpers import relative_error, torch_if_there
from record_torch_layers import every_layer

from npespcn.arrays import array_module
from npespcn.conv import conv2d_forward
from npespcn.layers import Conv2d, ConvTranspose2d, ReLU, Sigmoid, Tanh
from npespcn.losses import charbonnier, l1, log_mse, mse
from npespcn.models import ESPCN, SRCNN
from npespcn.shuffle import METHODS, pixel_shuffle, pixel_unshuffle

same = np.testing.assert_array_equal


def rng(seed=0):
    return np.random.default_rng(seed)


def in_any_memory(x):
    """Yield arrays equal to x that lie in memory in different ways, the last one read-only."""
    yield np.asfortranarray(x)
    yield np.repeat(x, 2, axis=-1)[..., ::2]
    yield x[..., ::-1].copy()[..., ::-1]
    yield np.moveaxis(np.moveaxis(x, 1, -1).copy(), -1, 1)  # channels last
    read_only = x.copy()
    read_only.flags.writeable = False
    yield read_only


def test_array_module_asks_the_array(tmp_path):
    mapped = np.memmap(tmp_path / "x", dtype=np.float32, mode="w+", shape=(2, 3))
    for x in (np.zeros(3), np.float32(1), mapped):
        assert array_module(x) is np
    torch = torch_if_there()
    for x in ([1.0], 1.0, None, "x", *([torch.zeros(3)] if torch else [])):
        with pytest.raises(TypeError, match=f"got {type(x).__name__}"):
            array_module(x)


def test_shuffle_keeps_the_bits_of_nan_and_negative_zero_in_any_memory():
    bits = rng().integers(0, 2**32, (2, 12, 2, 3), np.uint32).view(np.float32)
    bits[0, :, 0, 0] = -0.0
    for method in METHODS:
        y = pixel_shuffle(bits, 2, method=method)
        for x in in_any_memory(bits):
            assert pixel_shuffle(x, 2, method=method).tobytes() == y.tobytes()
        assert pixel_unshuffle(y, 2).tobytes() == bits.tobytes()


def test_memory_order_does_not_matter():
    for name, layer, x, dy in every_layer():
        y, dx = layer.forward(x), layer.backward(dy)
        for x2, dy2 in zip(in_any_memory(x), in_any_memory(dy), strict=True):
            assert relative_error(layer.forward(x2), y) < 1e-14, name
            assert relative_error(layer.backward(dy2), dx) < 1e-14, name


def test_dtype_in_is_dtype_out_and_an_empty_batch_passes():
    for dtype in (np.float16, np.float32, np.float64):
        for name, layer, x, dy in every_layer(dtype):
            y, dx = layer.forward(x), layer.backward(dy)
            assert {a.dtype for a in (y, dx, *layer.grads.values())} == {np.dtype(dtype)}, name
            assert layer.forward(x[:0]).shape == (0, *y.shape[1:])
            assert layer.backward(dy[:0]).shape == x[:0].shape
            assert not any(grad.any() for grad in layer.grads.values())


def test_activations_take_bytes_and_arrays_without_axes():
    for layer in (Tanh(), Sigmoid(), ReLU()):
        for x in (np.array(0.5), np.array(0.5, np.float32)):
            y = layer.forward(x)
            assert (y.shape, y.dtype) == ((), x.dtype)
            assert layer.backward(np.array(2, x.dtype)).shape == ()
    for layer, function in ((Tanh(), np.tanh), (Sigmoid(), lambda x: 1 / (1 + np.exp(-x)))):
        for dtype in ("int8", "uint8", "int64"):
            y = layer.forward(np.arange(4, dtype=dtype))
            assert y.dtype == np.float64
            np.testing.assert_allclose(y, function(np.arange(4.0)), rtol=1e-15)


def test_losses_keep_the_dtype_and_no_target_wraps():
    prediction = np.linspace(0, 2, 12).reshape(3, 4)
    for loss in (mse, l1, charbonnier, log_mse):
        for dtype in (np.float16, np.float32, np.float64):
            for target in (np.array([[0, 1, 255, 0]] * 3, "u1"), np.ones((3, 4)), prediction > 1):
                value, gradient = loss(prediction.astype(dtype), target)
                assert value.dtype == gradient.dtype == dtype
                exact = loss(prediction, target.astype(float))
                tolerance = 8 * np.finfo(dtype).eps
                assert relative_error(value, exact[0]) < tolerance
                assert relative_error(gradient, exact[1]) < tolerance


def test_a_bias_gradient_is_as_exact_as_a_sum():
    dy = rng().standard_normal((16, 64, 96, 96), np.float32) + np.float32(0.1)
    exact = dy.sum(axis=(0, 2, 3), dtype=np.float64)
    layer = Conv2d(1, 64, 1)
    layer.forward(np.zeros((16, 1, 96, 96), np.float32))
    layer.backward(dy)
    error = relative_error(layer.grads["bias"], exact)
    assert error <= max(2e-7, 1.01 * relative_error(dy.sum(axis=(0, 2, 3)), exact))


def test_what_is_not_finite_stays_in_its_image_and_under_its_kernel():
    networks = (
        Conv2d(3, 32, 3, padding="same"),
        ConvTranspose2d(3, 4, 4, stride=2, padding=1),
        *(ESPCN(2, channels=3, padding=padding) for padding in ("same", "valid", "edge")),
        SRCNN(channels=3),
    )
    for spoilt in (np.nan, np.inf, -np.inf, 1e30):
        for network in networks:
            x = rng().standard_normal((3, 3, 14, 14), np.float32)
            before = network.forward(x), network.predict(x)
            x[1, 2, 4, 3] = spoilt
            with np.errstate(all="ignore"):
                after = network.forward(x), network.predict(x)
            for y, spoilt_y in zip(before, after, strict=True):
                same(y[[0, 2]], spoilt_y[[0, 2]])
                assert not np.array_equal(y[1], spoilt_y[1])
    x = np.zeros((2, 64, 6, 6), np.float32)
    x[0, 5, 4, 3] = np.nan
    touched = np.isnan(conv2d_forward(x, np.ones((32, 64, 3, 3), np.float32), padding="same"))
    expected = np.zeros((2, 32, 6, 6), bool)
    expected[0, :, 3:6, 2:5] = True
    same(touched, expected)
