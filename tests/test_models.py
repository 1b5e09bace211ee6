"""The networks: against PyTorch, predict against forward, files, and every option."""

from __future__ import annotations

import io
import itertools
import json
import os
import pickle
import re
import tracemalloc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import relative_error, require_torch
from hypothesis import given, settings
from hypothesis import strategies as st
from record_torch_models import CASES, RECORDING, formula_weights, torch_network

from npespcn import __version__, models
from npespcn.common import Array
from npespcn.models import ESPCN, SRCNN, Network

OPTIONS = list(
    itertools.product(
        ("tanh", "relu", "sigmoid"), (None, "sigmoid", "tanh"), (False, True), models.PADDINGS
    )
)
SHAPES = {
    "conv1.weight": (64, 1, 5, 5),
    "conv1.bias": (64,),
    "conv2.weight": (32, 64, 3, 3),
    "conv2.bias": (32,),
    "conv3.weight": (9, 32, 3, 3),
    "conv3.bias": (9,),
}


def formula_network(kind: str, options: dict[str, Any]) -> Network:
    network: Network = getattr(models, kind)(**options, dtype="float64")
    shapes = {name: value.shape for name, value in network.params.items()}
    network.load_state_dict(formula_weights(shapes))
    return network


def picture(*shape: int) -> Array:
    return np.random.default_rng(0).random(shape)


def assert_same(actual: Array, expected: Array) -> None:
    np.testing.assert_array_equal(actual, expected, strict=True)


# What the papers say


def test_the_published_network() -> None:
    model = ESPCN(scale=3)
    assert {name: value.shape for name, value in model.params.items()} == SHAPES
    assert sum(value.size for value in model.params.values()) == 22_729
    assert list(model.layers) == ["conv1", "act1", "conv2", "act2", "conv3", "shuffle"]
    assert model.halo == 4
    assert {value.dtype for value in model.params.values()} == {np.dtype("float32")}


def test_srcnn_9_1_5() -> None:
    model = SRCNN()
    assert sum(value.size for value in model.params.values()) == 8_129
    assert (model.scale, model.halo) == (1, 6)
    assert model.forward(picture(2, 1, 5, 7)).shape == (2, 1, 5, 7)


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8, np.int8(12)])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_output_is_scale_times_the_input(scale: int, channels: int) -> None:
    model = ESPCN(scale, channels, tail=True)
    x = picture(2, channels, 3, 5).astype("f4")
    shape = (2, channels, 3 * int(scale), 5 * int(scale))
    assert model.forward(x).shape == model.predict(x).shape == shape
    assert model.params["tail.weight"].shape == (channels, channels, 1, 1)


# PyTorch


@pytest.mark.parametrize("name", CASES)
def test_like_pytorch_recorded(xp: Any, name: str) -> None:
    kind, options, _ = CASES[name]
    network = formula_network(kind, options)
    network.params = {key: xp.asarray(value) for key, value in network.params.items()}
    with np.load(RECORDING, allow_pickle=False) as recording:
        x, y = recording[f"{name}/x"], recording[f"{name}/y"]
    for call in (network.forward, network.predict):
        result = call(xp.asarray(x))
        assert isinstance(result, xp.ndarray)
        assert relative_error(result, y) < 1e-13


@pytest.fixture(scope="module")
def torch() -> Any:
    return require_torch()


@pytest.mark.parametrize("name", CASES)
def test_like_pytorch_live(torch: Any, name: str) -> None:
    """With PyTorch's own initial weights, and all the gradients."""
    kind, options, shape = CASES[name]
    theirs = torch_network(torch, kind, options).double()
    ours = getattr(models, kind)(**options, dtype="float64")
    ours.load_state_dict(theirs.state_dict())
    x = torch.from_numpy(picture(*shape)).requires_grad_()
    y = theirs(x)
    dy = np.random.default_rng(1).standard_normal(tuple(y.shape))
    y.backward(torch.from_numpy(dy))
    assert relative_error(ours.forward(picture(*shape)), y.detach().numpy()) < 1e-13
    assert relative_error(ours.backward(dy), x.grad.numpy()) < 1e-12
    for key, parameter in theirs.named_parameters():
        assert relative_error(ours.grads[key], parameter.grad.numpy()) < 1e-12, key
    state = {key: torch.from_numpy(value) for key, value in ours.state_dict().items()}
    theirs.load_state_dict(state)  # strictly: the same names


# Options


@pytest.mark.parametrize(("activation", "output", "tail", "padding"), OPTIONS)
def test_every_combination_of_options(
    activation: str, output: str | None, tail: bool, padding: str
) -> None:
    """Shapes, predict, and the gradient along one random direction through all parameters."""
    model = ESPCN(
        2, 3, activation, output, tail, padding, init="he" if tail else "icnr", dtype="float64"
    )
    x, rng = picture(2, 3, 11, 10), np.random.default_rng(2)
    y = model.forward(x)
    assert y.shape == ((2, 3, 22, 20) if padding == "same" else (2, 3, 6, 4))
    if padding == "edge":
        larger = np.pad(x, ((0, 0), (0, 0), (4, 4), (4, 4)), mode="edge")
        assert relative_error(model.predict(x), model.replica().forward(larger)) < 1e-13
    else:
        assert relative_error(model.predict(x), y) < 1e-13
    dy = rng.standard_normal(y.shape)
    dx = model.backward(dy)
    assert model.grads.keys() == model.params.keys()
    weights = model.state_dict()
    direction = {name: rng.standard_normal(value.shape) for name, value in weights.items()}
    dx_direction = rng.standard_normal(x.shape)
    change = (dx * dx_direction).sum()
    change += sum((model.grads[name] * direction[name]).sum() for name in weights)
    losses, epsilon = [], 1e-7
    for sign in (epsilon, -epsilon):
        model.load_state_dict({name: w + sign * direction[name] for name, w in weights.items()})
        losses.append((model.forward(x + sign * dx_direction) * dy).sum())
    assert (losses[0] - losses[1]) / (2 * epsilon) == pytest.approx(change, rel=1e-5)


@pytest.mark.parametrize("kind", [ESPCN, SRCNN])
def test_the_seed_and_nothing_else_decides_the_weights(kind: Any) -> None:
    options = {"scale": 2} if kind is ESPCN else {}

    def weights(**more: Any) -> Array:
        state = kind(**options, **more).state_dict()
        assert not any(value.any() for name, value in state.items() if name.endswith("bias"))
        return np.concatenate([value.ravel() for value in state.values()])

    assert_same(weights(), weights(seed=0))
    assert not np.array_equal(weights(), weights(seed=1))
    assert_same(weights(dtype="float64").astype("f4"), weights())
    assert_same(weights(padding="edge"), weights())
    assert not np.array_equal(weights(init="he"), weights(init="paper"))
    assert weights(init="paper").std() == pytest.approx(0.001, rel=0.05)


def test_icnr_starts_as_nearest_neighbour_enlargement() -> None:
    y = ESPCN(3, 2, init="icnr", seed=5).forward(picture(1, 2, 6, 7).astype("f4"))
    blocks = y.reshape(1, 2, 6, 3, 7, 3)
    assert (np.ptp(blocks, axis=(3, 5)) < 1e-6).all()
    assert np.ptp(blocks[:, :, :, 0, :, 0]) > 0.01


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"scale": 0}, ValueError, "ESPCN: scale must be at least 1, got 0"),
        ({"scale": 2.0}, TypeError, "ESPCN: scale must be a whole number, got 2.0"),
        ({"scale": "2"}, TypeError, "ESPCN: scale must be a whole number, got '2'"),
        ({"scale": True}, TypeError, "ESPCN: scale must be a whole number, got True"),
        ({"channels": 0}, ValueError, "ESPCN: channels must be at least 1, got 0"),
        ({"channels": None}, TypeError, "ESPCN: channels must be a whole number, got None"),
        (
            {"activation": "gelu"},
            ValueError,
            "activation must be one of 'tanh', 'relu', 'sigmoid', got 'gelu'",
        ),
        (
            {"activation": ["tanh"]},
            ValueError,
            "activation must be one of 'tanh', 'relu', 'sigmoid', got ['tanh']",
        ),
        (
            {"output": "relu"},
            ValueError,
            "output must be one of None, 'sigmoid', 'tanh', got 'relu'",
        ),
        ({"tail": "no"}, ValueError, "tail must be one of False, True, got 'no'"),
        (
            {"padding": "full"},
            ValueError,
            "padding must be one of 'same', 'valid', 'edge', got 'full'",
        ),
        ({"padding": 2}, ValueError, "padding must be one of 'same', 'valid', 'edge', got 2"),
        (
            {"init": "zeros"},
            ValueError,
            "init must be one of 'xavier', 'he', 'paper', 'icnr', got 'zeros'",
        ),
        ({"seed": -1}, ValueError, "ESPCN: seed must be at least 0, got -1"),
        ({"seed": 0.5}, TypeError, "ESPCN: seed must be a whole number, got 0.5"),
        (
            {"dtype": "float16"},
            ValueError,
            "dtype must be one of 'float32', 'float64', got 'float16'",
        ),
    ],
)
def test_messages_about_options(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"{re.escape(message)}$"):
        ESPCN(**{"scale": 2, **options})
    shared = options.keys() & {"channels", "padding", "seed", "dtype"}
    if shared:
        with pytest.raises(error, match=f"{re.escape(message.replace('ESPCN', 'SRCNN'))}$"):
            SRCNN(**options)


def test_srcnn_has_no_shuffle_for_icnr() -> None:
    with pytest.raises(ValueError, match="init must be one of 'xavier', 'he', 'paper', got 'icnr'"):
        SRCNN(init="icnr")


# predict


@settings(deadline=None, max_examples=60)
@given(
    padding=st.sampled_from(models.PADDINGS),
    scale=st.integers(1, 3),
    sizes=st.tuples(st.integers(1, 2), st.integers(1, 23), st.integers(1, 17)),
    tile=st.tuples(st.integers(1, 12), st.integers(1, 9)),
)
def test_predict_is_forward_whatever_the_tiles(
    padding: str, scale: int, sizes: tuple[int, int, int], tile: tuple[int, int]
) -> None:
    model = formula_network("ESPCN", {"scale": scale, "channels": 2, "padding": padding})
    n, h, w = sizes
    h, w = (h + 8, w + 8) if padding == "valid" else (h, w)
    x = picture(n, 2, h, w)
    x.flags.writeable = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models, "_TILE", tile)
        y = model.predict(x)
    grow = ((0, 0), (0, 0), (4, 4), (4, 4))
    expected = model.forward(np.pad(x, grow, mode="edge") if padding == "edge" else x)
    assert relative_error(y, expected) < 1e-13
    assert y.flags.c_contiguous
    assert y.flags.writeable


@pytest.mark.parametrize("padding", models.PADDINGS)
@pytest.mark.parametrize("size", [(13, 14), (29, 15)])
def test_srcnn_in_tiles(monkeypatch: pytest.MonkeyPatch, padding: str, size: Any) -> None:
    model = formula_network("SRCNN", {"padding": padding})
    x = picture(2, 1, *size)
    monkeypatch.setattr(models, "_TILE", (4, 7))
    y = model.predict(x)
    if padding == "edge":
        x = np.pad(x, ((0, 0), (0, 0), (6, 6), (6, 6)), mode="edge")
    assert relative_error(y, model.forward(x)) < 1e-13


def test_predict_gives_the_same_bits_on_any_number_of_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(models, "_TILE", (9, 20))
    model, x = ESPCN(3, padding="edge"), picture(2, 1, 50, 40).astype("f4")
    answers = []
    for threads in ("1", "2", "7"):
        monkeypatch.setenv("NPESPCN_THREADS", threads)
        answers.append(model.predict(x).tobytes())
    assert answers.count(answers[0]) == 3


def test_scattered_and_whole_numbered_pictures() -> None:
    model = ESPCN(2, channels=3)
    x = np.random.default_rng(3).integers(0, 256, (7, 2, 3, 9), np.uint8).transpose(1, 2, 3, 0)
    before = x.tobytes()
    y = model.predict(x[:, ::-1, :, ::-1])
    assert y.dtype == np.float32
    floats = np.ascontiguousarray(x[:, ::-1, :, ::-1]).astype("f4")
    assert relative_error(y, model.forward(floats)) < 1e-5
    assert x.tobytes() == before


def test_predict_keeps_nothing() -> None:
    model, x = ESPCN(2), picture(1, 1, 9, 9).astype("f4")
    y = model.predict(x)
    with pytest.raises(RuntimeError, match=r"^ESPCN.backward called before forward$"):
        model.backward(y)
    seen = weakref.ref(x)
    del x
    assert seen() is None


@pytest.mark.parametrize("padding", models.PADDINGS)
def test_the_memory_of_predict_grows_with_the_picture_alone(
    monkeypatch: pytest.MonkeyPatch, padding: str
) -> None:
    """No feature map of the whole picture: one of them would be 64 numbers a pixel."""
    monkeypatch.setattr(models, "_TILE", (16, 64))
    monkeypatch.setenv("NPESPCN_THREADS", "1")  # on more, the peak depends on who runs when
    model = ESPCN(2, padding=padding)

    def peak(height: int) -> int:
        x = np.zeros((1, 1, height, 64), np.float32)
        model.predict(x)  # warm up
        tracemalloc.start()
        try:
            model.predict(x)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    more_pixels = (768 - 128) * 64
    growth = (peak(768) - peak(128)) / (4 * more_pixels)  # in numbers a pixel
    assert growth < 8, "the output is 4, the padded input 1"


@pytest.mark.parametrize("padding", models.PADDINGS)
def test_empty_batches_pass(padding: str) -> None:
    model = ESPCN(2, padding=padding)
    x = np.zeros((0, 1, 20, 30), np.float32)
    assert model.predict(x).shape == (0, *model.predict(picture(1, 1, 20, 30)).shape[1:])
    assert model.forward(x).shape == (0, *model.forward(picture(1, 1, 20, 30)).shape[1:])


@pytest.mark.parametrize(
    ("padding", "x", "error", "message"),
    [
        ("same", np.zeros((1, 3, 9, 9)), ValueError, "x must have 1 channels, got (1, 3, 9, 9)"),
        ("same", np.zeros((9, 9)), ValueError, "x must be (N, C, H, W), got shape (9, 9)"),
        ("same", np.zeros((1, 1, 0, 9)), ValueError, "x must be larger than 0x0, got (1, 1, 0, 9)"),
        ("edge", np.zeros((1, 1, 9, 0)), ValueError, None),
        (
            "valid",
            np.zeros((1, 1, 8, 20)),
            ValueError,
            "x must be larger than 8x8, got (1, 1, 8, 20)",
        ),
        (
            "edge",
            np.zeros((1, 1, 9, 9), complex),
            TypeError,
            "x must hold real numbers, got complex128",
        ),
    ],
)
def test_messages_of_predict(
    padding: str, x: Array, error: type[Exception], message: str | None
) -> None:
    pattern = r"^ESPCN\.predict: " + (".*" if message is None else re.escape(message)) + "$"
    with pytest.raises(error, match=pattern):
        ESPCN(2, padding=padding).predict(x)


def test_lists_are_refused() -> None:
    with pytest.raises(TypeError, match="predict: x must be a NumPy or CuPy array, got list"):
        ESPCN(2).predict([[1.0]])


# Files

EVERY_OPTION: list[tuple[Any, dict[str, Any]]] = [
    (ESPCN, {"scale": 3}),
    (
        ESPCN,
        {
            "scale": 2,
            "channels": 3,
            "activation": "relu",
            "output": "sigmoid",
            "tail": True,
            "padding": "edge",
            "init": "icnr",
            "seed": 7,
            "dtype": "float64",
        },
    ),
    (ESPCN, {"scale": np.int64(8), "seed": np.uint8(3), "padding": "valid"}),
    (SRCNN, {"channels": 3, "padding": "valid", "init": "he", "seed": 2, "dtype": "float64"}),
]


@pytest.mark.parametrize(("kind", "options"), EVERY_OPTION)
def test_a_saved_network_comes_back(tmp_path: Path, kind: Any, options: dict[str, Any]) -> None:
    model, path = kind(**options), tmp_path / "network.npz"
    model.params = {name: value + 1 for name, value in model.params.items()}
    model.save(path, {"history/loss": np.arange(3.0)})
    loaded = kind.load(str(path))
    assert type(loaded) is kind
    assert loaded.options == model.options
    assert loaded.options.items() >= options.items()
    for name, value in model.params.items():
        assert_same(loaded.params[name], value)
    x = picture(1, model.options["channels"], 17, 14)
    assert_same(loaded.predict(x), model.predict(x))
    assert_same(models.read_npz(path)["history/loss"], np.arange(3.0))
    assert os.listdir(tmp_path) == ["network.npz"]


def test_a_saved_file_says_what_it_is(tmp_path: Path) -> None:
    ESPCN(2).save(tmp_path / "a.npz")
    arrays = models.read_npz(tmp_path / "a.npz")
    about = json.loads(str(arrays.pop("about")))
    assert about["network"] == "ESPCN"
    assert about["npespcn"] == __version__
    assert about["options"]["scale"] == 2
    assert set(arrays) == {f"weights/{name}" for name in SHAPES}


@pytest.mark.parametrize(
    "extra",
    [
        {"about": np.zeros(1)},
        {"weights/conv1.bias": np.zeros(1)},
        {"file": np.zeros(1)},
        {"allow_pickle": np.zeros(1)},
        {"a": np.array([{}])},
    ],
)
def test_extra_arrays_do_not_overwrite_and_are_no_objects(tmp_path: Path, extra: Any) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"what was there")
    with pytest.raises(ValueError, match=r"^save: extra\['.*'\] has a name in use, or is no plain"):
        ESPCN(2).save(path, extra)
    assert path.read_bytes() == b"what was there"
    assert os.listdir(tmp_path) == ["a.npz"]


def test_extra_arrays_may_have_any_other_name(tmp_path: Path) -> None:
    extra = {name: np.arange(2) for name in ("args", "self", "a b/c")}
    ESPCN(2).save(tmp_path / "a.npz", extra)
    assert models.read_npz(tmp_path / "a.npz").keys() >= extra.keys()
    ESPCN.load(tmp_path / "a.npz")


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("where", ["about", "weights/conv1.weight", "more", "whole file"])
def test_pickles_are_refused_and_not_run(tmp_path: Path, where: str) -> None:
    path, mark = tmp_path / "evil.npz", tmp_path / "mark"
    bomb = np.array([Bomb(mark)], dtype=object)
    if where == "whole file":
        path.write_bytes(pickle.dumps(Bomb(mark)))
    else:
        ESPCN(2).save(tmp_path / "good.npz")
        np.savez(path, **{**models.read_npz(tmp_path / "good.npz"), where: bomb})
    assert_refused(path)
    assert not mark.exists()
    loaded = np.load(path, allow_pickle=True)  # shows that the bomb would have gone off
    if where != "whole file":
        with loaded:
            _ = loaded[where]
    assert mark.exists()


def assert_refused(path: Path, kind: Any = ESPCN, pattern: str | None = None) -> None:
    with pytest.raises(ValueError, match=pattern) as caught:
        kind.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: not a ")
    assert "\n" not in message
    assert len(message) < 300 + len(str(path))


def test_truncated_files_are_refused(tmp_path: Path) -> None:
    good, path = tmp_path / "good.npz", tmp_path / "cut.npz"
    ESPCN(2).save(good)
    data = good.read_bytes()
    for length in [*range(0, 1000, 37), *range(1000, len(data), 2111), len(data) - 1]:
        path.write_bytes(data[:length])
        assert_refused(path)


def test_damaged_files_are_refused_or_read_right(tmp_path: Path) -> None:
    """Whatever one wrong byte breaks in the zip file, in the headers or in the numbers."""
    good, path = tmp_path / "good.npz", tmp_path / "bad.npz"
    model = ESPCN(1)
    model.save(good)
    data, rng = good.read_bytes(), np.random.default_rng(4)
    headers = [match.start() for match in re.finditer(b"PK|NUMPY", data)]
    refused = 0
    for start in rng.choice(headers, 250):
        place = min(int(start) + int(rng.integers(80)), len(data) - 1)
        path.write_bytes(data[:place] + bytes([rng.integers(256)]) + data[place + 1 :])
        try:
            loaded = ESPCN.load(path)
        except ValueError as error:
            refused += 1
            assert str(error).startswith(f"{path}: not a ")  # noqa: PT017
            assert "\n" not in str(error)  # noqa: PT017
        else:
            for name, value in model.params.items():
                assert_same(loaded.params[name], value)
    assert refused > 50


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def npy(array: Array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


# NumPy refuses so long a header, in a message of several lines.
MANY_FIELDS = np.zeros(1, [(f"field {number}", "f8") for number in range(1000)])


def about(options: Any, network: Any = "ESPCN") -> str:
    return json.dumps({"network": network, "options": options})


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        (b"", "not a readable .npz file: "),
        (b"\x89PNG\r\n\x1a\n and so on", "not a readable .npz file: "),
        (b"PK\x03\x04 and so on", "not a readable .npz file: "),
        (npy(np.arange(3)), r"it is a single array \(\.npy\)$"),
        (npz(), "it has no 'about'$"),
        (npz(about=MANY_FIELDS), "not a readable .npz file: "),
        (npz(conv1=np.zeros(3)), "it has no 'about'$"),
        (npz(about=np.arange(3)), "not a saved ESPCN: "),
        (npz(about="not json"), "not a saved ESPCN: "),
        (npz(about="[1, 2]"), "not a saved ESPCN: "),
        (npz(about="[" * 100_000), "not a saved ESPCN: "),
        (npz(about=json.dumps({"network": "ESPCN"})), "it has no 'options'$"),
        (npz(about=about({"scale": 2}, "SRCNN")), "it holds a network of class 'SRCNN'$"),
        (npz(about=about({"scale": 2}, None)), "it holds a network of class None$"),
        (npz(about=about(None)), "not a saved ESPCN: "),
        (npz(about=about({})), "missing 1 required positional argument: 'scale'$"),
        (npz(about=about({"scale": 2, "depth": 3})), "unexpected keyword argument 'depth'$"),
        (npz(about=about({"scale": "2"})), "scale must be a whole number, got '2'$"),
        (npz(about=about({"scale": 2})), r"load_state_dict: missing \['conv1.bias', "),
    ],
)
def test_foreign_files_are_refused(tmp_path: Path, content: bytes, pattern: str) -> None:
    path = tmp_path / "foreign.npz"
    path.write_bytes(content)
    assert_refused(path, ESPCN, pattern)


def test_weights_of_other_shapes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    ESPCN(2).save(path)
    arrays = models.read_npz(path)
    np.savez(path, **{**arrays, "weights/conv3.bias": np.zeros(9)})
    assert_refused(path, ESPCN, r"conv3.bias must be real numbers of shape \(4,\)")
    np.savez(path, **{**arrays, "weights/tail.bias": np.zeros(1)})
    assert_refused(path, ESPCN, r"unknown \['tail.bias'\]$")


def test_a_network_of_another_class_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    ESPCN(2).save(path)
    assert_refused(path, SRCNN, "not a saved SRCNN: it holds a network of class 'ESPCN'$")


def test_files_that_cannot_be_read_are_os_errors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ESPCN.load(tmp_path / "missing.npz")
    with pytest.raises(OSError, match=r"directory|Permission"):
        ESPCN.load(tmp_path)
