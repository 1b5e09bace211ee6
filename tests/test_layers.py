"""Layers: values and gradients against PyTorch, and the rules that every layer keeps."""

from __future__ import annotations

import re
import weakref
from typing import Any

import numpy as np
import pytest
from helpers import relative_error, require_torch
from hypothesis import given, settings
from hypothesis import strategies as st
from record_torch_layers import CASES, RECORDING, Case, ask_torch, draw_arguments

from npespcn import layers
from npespcn.common import Array
from npespcn.gradcheck import gradcheck
from npespcn.layers import (
    Conv2d,
    ConvTranspose2d,
    Layer,
    PixelShuffle,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
)

ROUNDING = 1e-13
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def make(case: Case, dtype: str = "float64", **params: Array) -> Layer:
    """Make our layer of a case, with these weights if it has any."""
    kind, options, _ = case
    if kind.startswith("Conv"):
        options = {**options, "dtype": dtype}
    layer: Layer = getattr(layers, kind)(**options)
    for name in layer.params:
        if name in params:
            layer.params[name] = params[name]
    return layer


def make_with_random_weights(case: Case, dtype: str = "float64") -> tuple[Layer, Array]:
    """Return the layer and an x for it."""
    arrays = draw_arguments(case, np.random.default_rng(7))
    arrays = {name: array.astype(dtype) for name, array in arrays.items()}
    return make(case, dtype, **arrays), arrays["x"]


def assert_same(actual: Array, expected: Array) -> None:
    np.testing.assert_array_equal(actual, expected, strict=True)


def same_grads(actual: dict[str, Array], expected: dict[str, Array]) -> None:
    assert actual.keys() == expected.keys()
    for name in expected:
        assert_same(actual[name], expected[name])


# PyTorch


def check_against(answer: dict[str, Array], case: Case, xp: Any = np) -> None:
    there = {name: xp.asarray(array) for name, array in answer.items()}
    layer = make(case, weight=there.get("weight"), bias=there.get("bias"))
    results = {"y": layer.forward(there["x"]), "dx": layer.backward(there["dy"])}
    results |= {f"d{name}": layer.grads[name] for name in layer.params}
    assert results.keys() == {name for name in answer if name[0] == "d" or name == "y"} - {"dy"}
    for name, result in results.items():
        assert isinstance(result, xp.ndarray)
        assert result.dtype == np.float64
        assert relative_error(result, answer[name]) < ROUNDING, name


@every_case
def test_like_pytorch_recorded(xp: Any, case: Case) -> None:
    (name,) = (name for name, known in CASES.items() if known is case)
    with np.load(RECORDING, allow_pickle=False) as recording:
        keys = [key for key in recording.files if key.startswith(f"{name}/")]
        check_against({key.partition("/")[2]: recording[key] for key in keys}, case, xp)


@pytest.fixture(scope="module")
def torch() -> Any:
    return require_torch()


@every_case
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_like_pytorch_live(torch: Any, case: Case) -> None:
    rng = np.random.default_rng(1)
    check_against(ask_torch(torch, case, draw_arguments(case, rng), rng), case)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_transposed_convolutions_of_all_kinds_like_pytorch(torch: Any, data: st.DataObject) -> None:
    whole = st.integers(1, 4)
    k, stride, h, w = data.draw(st.tuples(st.integers(1, 6), whole, whole, whole))
    longest = (min(h, w) - 1) * stride + k  # of which at least one number has to stay
    padding = data.draw(st.integers(0, (longest - 1) // 2))
    output_padding = data.draw(st.integers(0, stride - 1))
    channels = {"in_channels": data.draw(whole), "out_channels": data.draw(whole)}
    options = {**channels, "kernel_size": k, "stride": stride}
    options |= {"padding": padding, "output_padding": output_padding}
    case = ("ConvTranspose2d", options, (2, channels["in_channels"], h, w))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    check_against(ask_torch(torch, case, draw_arguments(case, rng), rng), case)


def test_a_transposed_convolution_written_out() -> None:
    """Every pixel stamps its multiple of the kernel, two pixels further each."""
    layer = ConvTranspose2d(1, 1, 3, stride=2, dtype="float64")
    layer.params["weight"][:] = [[[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]]
    layer.params["bias"][:] = 0.5
    y = layer.forward(np.array([[[[1.0, 10]]]]))
    assert y.tolist() == [
        [[[1.5, 2.5, 13.5, 20.5, 30.5], [4.5, 5.5, 46.5, 50.5, 60.5], [7.5, 8.5, 79.5, 80.5, 90.5]]]
    ]


@pytest.mark.parametrize(("name", "function"), [("Tanh", "tanh"), ("Sigmoid", "sigmoid")])
def test_squashing_far_out_like_pytorch(torch: Any, name: str, function: str) -> None:
    x = np.array([0.0, -0.0, 1e-30, -1e-9, 30, -30, 710, -710, 1e300, -1e300, np.inf, -np.inf])
    x = x.reshape(1, 1, 3, 4)
    y = getattr(layers, name)().forward(x)
    expected = getattr(torch, function)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(y, expected, rtol=1e-15, atol=1e-16)


def test_far_out_nothing_overflows() -> None:
    x = np.array([[[[-1e30, 1e30, -np.inf, np.inf, 0]]]], np.float32)
    for layer, expected in (
        (Tanh(), [-1, 1, -1, 1, 0]),
        (Sigmoid(), [0, 1, 0, 1, 0.5]),
        (ReLU(), [0, 1e30, 0, np.inf, 0]),
    ):
        y = layer.forward(x)
        assert_same(y, np.array([[[expected]]], np.float32))
        dx = layer.backward(np.ones_like(x))
        assert np.isfinite(dx).all()


def test_the_slope_of_relu_at_zero_is_zero() -> None:
    layer = ReLU()
    layer.forward(np.array([0.0, -0.0, 1e-300, -1e-300]))
    assert layer.backward(np.full(4, 5.0)).tolist() == [0, 0, 5, 0]


# Rules


@every_case
def test_gradients_by_central_differences(case: Case) -> None:
    layer, x = make_with_random_weights(case)
    assert gradcheck(layer, x, np.random.default_rng(2)) < 1e-7


@every_case
def test_backward_before_forward_is_refused(case: Case) -> None:
    layer, x = make_with_random_weights(case)
    message = f"{type(layer).__name__}.backward called before forward"
    layer.predict(x)  # keeps nothing
    layer.replica().forward(x)  # keeps its own
    calls = [layer.backward, layer.backward_params]
    for call in calls:
        with pytest.raises(RuntimeError, match=f"^{re.escape(message)}$"):
            call(x)
    layer.forward(x)
    with pytest.raises(RuntimeError, match="called before forward"):
        layer.to("cpu").backward(x)


@every_case
def test_predict_gives_the_bits_of_forward_and_keeps_nothing(case: Case) -> None:
    layer, x = make_with_random_weights(case)
    y = layer.forward(x)
    assert_same(layer(x), y)
    dx = layer.backward(y)
    grads = layer.grads
    layer.forward(x)
    other = x[:1, :, ::-1, ::-1].copy()
    seen = weakref.ref(other)
    result = weakref.ref(predicted := layer.predict(other))
    assert_same(predicted, make(case, **layer.params).forward(other))
    del other, predicted
    assert seen() is None
    assert result() is None
    assert_same(layer.backward(y), dx)  # of the last forward, not of the predict
    same_grads(layer.grads, grads)


@every_case
def test_backward_overwrites_grads(case: Case) -> None:
    layer, x = make_with_random_weights(case)
    y = layer.forward(x)
    first = layer.backward(y)
    grads = {name: grad.copy() for name, grad in layer.grads.items()}
    layer.backward(3 * y)
    assert_same(layer.backward(y), first)
    same_grads(layer.grads, grads)
    assert layer.grads.keys() == layer.params.keys()


@every_case
def test_backward_params_is_backward_without_dx(case: Case) -> None:
    layer, x = make_with_random_weights(case)
    y = layer.forward(x)
    layer.backward(y)
    grads, layer.grads = layer.grads, {}
    assert layer.backward_params(y) is None
    same_grads(layer.grads, grads)


@every_case
def test_no_argument_is_changed_and_read_only_ones_will_do(case: Case) -> None:
    layer, x = make_with_random_weights(case)
    dy = np.random.default_rng(3).standard_normal(layer.predict(x).shape)
    arrays = [x, dy, *layer.params.values()]
    before = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    layer.forward(x)
    dx = layer.backward(dy)
    for array, old in zip(arrays, before, strict=True):
        assert_same(array, old)
        assert not any(np.shares_memory(array, new) for new in (dx, *layer.grads.values()))


@every_case
def test_memory_order_does_not_matter(case: Case) -> None:
    layer, x = make_with_random_weights(case)
    y = layer.forward(x)
    dy = np.random.default_rng(3).standard_normal(y.shape)
    dx, grads = layer.backward(dy), layer.grads

    def scattered(array: Array) -> Array:
        return np.ascontiguousarray(array.transpose(2, 0, 3, 1)[::-1]).transpose(1, 3, 0, 2)[
            :, :, ::-1
        ]

    assert relative_error(layer.forward(scattered(x)), y) < ROUNDING
    assert relative_error(layer.backward(scattered(dy)), dx) < ROUNDING
    for name, grad in grads.items():
        assert relative_error(layer.grads[name], grad) < ROUNDING


@every_case
def test_float32_stays_float32(case: Case) -> None:
    layer, x = make_with_random_weights(case, "float32")
    y = layer.forward(x)
    results = [y, layer.backward(y), layer.predict(x), *layer.grads.values()]
    assert {result.dtype for result in results} == {np.dtype("float32")}
    wide, x64 = make_with_random_weights(case)
    wide.forward(x64)
    assert relative_error(results[1], wide.backward(y.astype("f8"))) < 1e-5


@every_case
def test_empty_batches_pass(case: Case) -> None:
    layer, x = make_with_random_weights(case)
    y = layer.forward(x[:0])
    assert y.shape == (0, *layer.predict(x).shape[1:])
    assert layer.backward(y).shape == x[:0].shape
    assert not any(grad.any() for grad in layer.grads.values())


@every_case
def test_a_replica_shares_the_parameters_and_nothing_else(case: Case) -> None:
    layer, x = make_with_random_weights(case)
    y = layer.forward(x)
    dx, grads = layer.backward(y), layer.grads
    twin = layer.replica()
    assert twin.grads == {}
    for name, value in layer.params.items():
        assert twin.params[name] is value
    twin.forward(-x)
    twin.backward(2 * y)
    same_grads(layer.grads, grads)
    assert_same(layer.backward(y), dx)


def test_a_layer_is_at_least_forward_and_backward() -> None:
    layer = Layer()
    for call in (layer.forward, layer.backward):
        with pytest.raises(NotImplementedError, match=r"^Layer does not define \w+ward$"):
            call(np.zeros(1))


@pytest.mark.parametrize("kind", [Conv2d, ConvTranspose2d])
def test_initial_weights_come_from_the_generator(kind: Any) -> None:
    def weight(**options: Any) -> Array:
        return kind(2, 3, 5, **options).params["weight"]

    assert_same(weight(), weight(rng=np.random.default_rng(0)))
    assert not np.array_equal(weight(), weight(rng=np.random.default_rng(1)))
    assert_same(weight(dtype="float64").astype("f4"), weight(dtype="float32"))
    assert_same(kind(2, 3, 5).params["bias"], np.zeros(3, "f4"))
    assert weight().shape == ((3, 2, 5, 5) if kind is Conv2d else (2, 3, 5, 5))


@pytest.mark.parametrize("kind", [Conv2d, ConvTranspose2d])
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0, 1, 3), ValueError, "in_channels must be at least 1, got 0"),
        ((1, -1, 3), ValueError, "out_channels must be at least 1, got -1"),
        ((1, 1, 0), ValueError, "kernel_size must be at least 1, got 0"),
        ((1, 1, 3.0), TypeError, "kernel_size must be a whole number, got 3.0"),
        ((1, True, 3), TypeError, "out_channels must be a whole number, got True"),
        ((1, 1, 3, 0), ValueError, "stride must be at least 1, got 0"),
    ],
)
def test_messages_about_sizes(
    kind: Any, arguments: tuple[Any, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{re.escape(f'{kind.__name__}: {message}')}$"):
        kind(*arguments)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: Conv2d(1, 1, 3, stride=2, padding="same"),
            ValueError,
            "Conv2d: padding='same' needs stride 1, got stride=2",
        ),
        (
            lambda: Conv2d(1, 1, 3, padding="full"),
            ValueError,
            "Conv2d: padding must be 'same', 'valid' or a number, got 'full'",
        ),
        (
            lambda: Conv2d(1, 1, 3, dtype="int32"),
            ValueError,
            "Conv2d: dtype must be one of 'float32', 'float64', got 'int32'",
        ),
        (
            lambda: ConvTranspose2d(1, 1, 3, padding="same"),
            TypeError,
            "ConvTranspose2d: padding must be a whole number, got 'same'",
        ),
        (
            lambda: ConvTranspose2d(1, 1, 3, stride=2, output_padding=2),
            ValueError,
            "ConvTranspose2d: output_padding must be less than stride=2, got 2",
        ),
        (
            lambda: Conv2d(3, 1, 3).forward(np.zeros((2, 1, 4, 4))),
            ValueError,
            "conv2d_forward: x has 1 channels, but weight (1, 3, 3, 3) takes 3",
        ),
        (
            lambda: ConvTranspose2d(3, 1, 3).forward(np.zeros((2, 1, 4, 4))),
            ValueError,
            "ConvTranspose2d: x has 1 channels, but weight (1, 3, 3, 3) takes 3",
        ),
        (
            lambda: PixelShuffle(2).forward(np.zeros((1, 10, 4, 5))),
            ValueError,
            "pixel_shuffle: 10 channels cannot be split into r*r = 4 groups (upscale_factor=2); "
            "x has shape (1, 10, 4, 5)",
        ),
        (
            lambda: Conv2d(1, 1, 1).to("tpu"),
            ValueError,
            "to_device: device must be 'cpu' or 'gpu', got 'tpu'",
        ),
    ],
)
def test_messages(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize(
    ("shape", "sizes"), [((2, 3), "2x3 gives an output of -1x0"), ((0, 9), "0x9 gives .*")]
)
def test_a_transposed_convolution_with_nothing_left_is_refused(
    shape: tuple[int, int], sizes: str
) -> None:
    with pytest.raises(ValueError, match=rf"^ConvTranspose2d: an input of {sizes}$"):
        ConvTranspose2d(1, 1, 2, padding=2).forward(np.zeros((1, 1, *shape)))


def test_a_failed_forward_leaves_the_last_one_standing() -> None:
    layer = Conv2d(2, 1, 3, padding="same", dtype="float64")
    y = layer.forward(np.ones((1, 2, 4, 4)))
    dx = layer.backward(y)
    with pytest.raises(ValueError, match="channels"):
        layer.forward(np.ones((1, 3, 4, 4)))
    assert_same(layer.backward(y), dx)


# Sequential


class Probe(Layer):
    """Passes everything on, and notes how many images came at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []  # the replicas share the list

    def forward(self, x: Array) -> Array:
        self.seen.append(len(x))
        self._kept = True
        return x

    def backward(self, dy: Array) -> Array:
        return dy


def small_network(dtype: str = "float64") -> Sequential:
    rng = np.random.default_rng(4)
    return Sequential(
        conv1=Conv2d(3, 6, 3, padding="same", rng=rng, dtype=dtype),
        tanh1=Tanh(),
        inner=Sequential(Conv2d(6, 8, 2, padding="valid", rng=rng, dtype=dtype), ReLU()),
        shuffle=PixelShuffle(2),
        deconv=ConvTranspose2d(2, 3, 3, stride=2, rng=rng, dtype=dtype),
        sigmoid=Sigmoid(),
    )


KEYS = ["conv1.weight", "conv1.bias", "inner.0.weight", "inner.0.bias"]
KEYS += ["deconv.weight", "deconv.bias"]


def leaves(network: Sequential) -> list[Layer]:
    parts = (
        leaves(layer) if isinstance(layer, Sequential) else [layer]
        for layer in network.layers.values()
    )
    return [leaf for part in parts for leaf in part]


def by_hand(network: Sequential, x: Array, dy: Array) -> tuple[Array, Array, list[Array]]:
    """Return y, dx and the gradients, layer by layer on the whole batch."""
    chain = [layer.replica() for layer in leaves(network)]
    for layer in chain:
        x = layer.forward(x)
    for layer in reversed(chain):
        dy = layer.backward(dy)
    return x, dy, [layer.grads[name] for layer in chain for name in layer.params]


def test_names_of_parameters_and_gradients() -> None:
    network = small_network()
    assert list(network.params) == KEYS
    assert network.params["inner.0.bias"] is network.layers["inner"].layers["0"].params["bias"]
    assert network.grads == {}
    y = network.forward(np.ones((1, 3, 4, 5)))
    network.backward(y)
    assert list(network.grads) == KEYS
    network.params = {name: 2 * value for name, value in network.params.items()}
    assert list(network.params) == KEYS
    network.grads = {}
    assert network.grads == {}


@pytest.mark.parametrize("shape", [(1, 3, 6, 5), (3, 3, 6, 5), (9, 3, 41, 30), (2, 3, 60, 50)])
def test_a_network_is_its_layers_one_after_the_other(shape: tuple[int, ...]) -> None:
    network, rng = small_network(), np.random.default_rng(5)
    x = rng.standard_normal(shape)
    y = network.forward(x)
    dy = rng.standard_normal(y.shape)
    dx = network.backward(dy)
    expected = by_hand(network, x, dy)
    assert relative_error(y, expected[0]) < ROUNDING
    assert relative_error(network.predict(x), expected[0]) < ROUNDING
    assert relative_error(dx, expected[1]) < ROUNDING
    for name, grad in zip(KEYS, expected[2], strict=True):
        assert relative_error(network.grads[name], grad) < ROUNDING, name
    grads = network.grads
    network.backward(2 * dy)
    network.backward_params(dy)
    same_grads(network.grads, grads)


def test_on_every_array_module(xp: Any) -> None:
    network, rng = small_network(), np.random.default_rng(5)
    x = rng.standard_normal((9, 3, 20, 30))
    dy = rng.standard_normal(network.predict(x).shape)
    y, dx, grads = by_hand(network, x, dy)
    network.params = {name: xp.asarray(value) for name, value in network.params.items()}
    answer = [network.forward(xp.asarray(x)), network.backward(xp.asarray(dy))]
    answer += [network.predict(xp.asarray(x)), *network.grads.values()]
    for actual, expected in zip(answer, [y, dx, y, *grads], strict=True):
        assert isinstance(actual, xp.ndarray)
        assert relative_error(actual, expected) < ROUNDING


def test_gradcheck_on_a_whole_network() -> None:
    x = np.random.default_rng(6).standard_normal((2, 3, 3, 4))
    assert gradcheck(small_network(), x) < 1e-6


def test_any_number_of_threads_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(7)
    x = rng.standard_normal((9, 3, 41, 30)).astype("f4")
    answers = []
    for threads in ("1", "2", "3", "16"):
        monkeypatch.setenv("NPESPCN_THREADS", threads)
        network, probe = small_network("float32"), Probe()
        network.layers = {"probe": probe, **network.layers}
        y = network.forward(x)
        dx = network.backward(np.sign(y) * 0.01)
        answers.append([array.tobytes() for array in (y, dx, *network.grads.values())])
        assert len(probe.seen) > 1, "this batch should go in several chunks"
        assert sum(probe.seen) == 9
    assert answers.count(answers[0]) == len(answers)


def test_a_network_keeps_nothing_of_a_predict() -> None:
    network = small_network()
    x = np.random.default_rng(8).standard_normal((9, 3, 20, 30))
    y = network.forward(x)
    dx = network.backward(y)
    grads = network.grads
    network.predict(2 * x)
    assert_same(network.backward(y), dx)
    same_grads(network.grads, grads)


def test_a_new_forward_leaves_the_gradients_alone() -> None:
    """Whether or not the batch goes in chunks."""
    for images in (1, 9):
        network = small_network()
        x = np.ones((images, 3, 20, 30))
        network.backward(network.forward(x))
        grads = network.grads
        network.forward(x)
        assert grads.keys() == network.params.keys()
        same_grads(network.grads, grads)


def test_a_replica_of_a_network_shares_the_parameters_and_nothing_else() -> None:
    network = small_network()
    y = network.forward(np.ones((1, 3, 4, 4)))
    dx, grads = network.backward(y), network.grads
    twin = network.replica()
    assert twin.grads == {}
    assert all(twin.params[name] is value for name, value in network.params.items())
    with pytest.raises(RuntimeError, match=r"Sequential.backward called before forward"):
        twin.backward(y)
    twin.backward(twin.forward(np.full((1, 3, 4, 4), 2.0)))
    same_grads(network.grads, grads)
    assert_same(network.backward(y), dx)


def test_an_error_in_a_chunk_reaches_the_caller() -> None:
    with pytest.raises(ValueError, match="x has 2 channels"):
        small_network().forward(np.zeros((9, 2, 40, 40)))


@pytest.mark.parametrize("images", [3, 12])
def test_an_upstream_gradient_of_another_batch_is_refused(images: int) -> None:
    network = Sequential(Conv2d(1, 1, 3, padding="same"), Tanh())
    network.forward(np.zeros((9, 1, 30, 30)))
    message = rf"^Sequential.backward: forward saw 9 images, dy has shape \({images}, 1, 30, 30\)$"
    for call in (network.backward, network.backward_params):
        with pytest.raises(ValueError, match=message):
            call(np.zeros((images, 1, 30, 30)))


def test_arrays_of_any_number_of_axes_pass_elementwise_networks() -> None:
    for shape in ((5,), (5, 2), (5, 2, 3)):
        network = Sequential(Tanh(), ReLU())
        assert network.forward(np.ones(shape)).shape == shape
        assert network.backward(np.ones(shape)).shape == shape


def test_a_network_needs_a_layer() -> None:
    with pytest.raises(ValueError, match=r"^Sequential: needs at least one layer$"):
        Sequential()


# Parameters in and out


def test_a_state_dict_is_a_copy_that_load_state_dict_takes() -> None:
    network, other = small_network(), small_network()
    saved = network.state_dict()
    assert list(saved) == KEYS
    for name, value in network.params.items():
        assert_same(saved[name], value)
        assert not np.shares_memory(saved[name], value)
    arrays = {name: value + 1 for name, value in saved.items()}
    held = other.params
    other.load_state_dict(arrays)
    same_grads(other.params, arrays)
    assert all(other.params[name] is held[name] for name in KEYS)  # copied into, not replaced
    arrays[KEYS[0]][:] = 0
    assert other.params[KEYS[0]].any()


def test_load_state_dict_converts_to_the_dtype_of_the_parameter() -> None:
    network = small_network("float32")
    arrays = {name: np.full(value.shape, 3) for name, value in network.params.items()}
    arrays[KEYS[1]] = arrays[KEYS[1]].tolist()
    network.load_state_dict(arrays)
    assert {value.dtype for value in network.params.values()} == {np.dtype("float32")}
    assert all((value == 3).all() for value in network.params.values())


@pytest.mark.parametrize(
    "last", [np.ones(4), np.ones((3, 1)), np.ones(3, complex), ["a"] * 3, None]
)
def test_load_state_dict_takes_all_or_nothing(last: Any) -> None:
    network = small_network()
    before = network.state_dict()
    arrays = {name: value + 1 for name, value in before.items()} | {KEYS[-1]: last}
    with pytest.raises(ValueError, match=r"^load_state_dict: deconv.bias must be real numbers of"):
        network.load_state_dict(arrays)
    same_grads(network.params, before)


def test_load_state_dict_takes_nothing_that_overflows() -> None:
    network = small_network("float32")
    before = network.state_dict()
    arrays = {name: value + 1 for name, value in before.items()} | {KEYS[-1]: np.full(3, 1e300)}
    with pytest.raises(RuntimeWarning, match="overflow"):  # an error, as the tests are run
        network.load_state_dict(arrays)
    same_grads(network.params, before)


def test_load_state_dict_names_what_is_missing_and_what_is_unknown() -> None:
    network, extra = small_network(), {"conv2.bias": np.zeros(6)}
    arrays = network.state_dict()
    less = {name: value for name, value in arrays.items() if name != "conv1.bias"}
    for wrong, missing, unknown in (
        ({**less, **extra}, ["conv1.bias"], ["conv2.bias"]),
        (less, ["conv1.bias"], []),
        ({**arrays, **extra}, [], ["conv2.bias"]),
    ):
        message = f"load_state_dict: missing {missing}, unknown {unknown}"
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            network.load_state_dict(wrong)


def test_pytorch_takes_a_state_dict_and_gives_one(torch: Any) -> None:
    theirs = torch.nn.Sequential()
    theirs.add_module("conv", torch.nn.Conv2d(3, 4, 3, padding="same"))
    theirs.add_module("tanh", torch.nn.Tanh())
    theirs.add_module("deconv", torch.nn.ConvTranspose2d(4, 2, 4, stride=2, padding=1))
    ours = Sequential(
        conv=Conv2d(3, 4, 3, padding="same"),
        tanh=Tanh(),
        deconv=ConvTranspose2d(4, 2, 4, stride=2, padding=1),
    )
    x = np.random.default_rng(10).standard_normal((2, 3, 5, 7)).astype("f4")
    ours.load_state_dict(theirs.state_dict())
    y = theirs(torch.from_numpy(x)).detach().numpy()
    assert relative_error(ours.predict(x), y) < 1e-6
    state = {name: torch.from_numpy(value) for name, value in ours.state_dict().items()}
    theirs.load_state_dict(state)  # strictly: the names are the same
