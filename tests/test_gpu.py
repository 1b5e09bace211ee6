"""GPU and CPU agree: every layer, loss, optimiser and network, training, the command line.

All of it runs on CuPy where a device answers (``make test-gpu``), and everywhere on the stand-in in
CuPy's place, so that it cannot rot. What is public and not listed here fails a test.
"""

from __future__ import annotations

import inspect
import json
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import strict_cupy
from helpers import NO_GPU, relative_error
from PIL import Image

from npespcn import layers, losses, models
from npespcn.arrays import array_module
from npespcn.commands import main as cli
from npespcn.common import Array
from npespcn.data.dead_leaves import dead_leaves_pictures
from npespcn.data.patches import PairedPatches, validation_pairs
from npespcn.evaluation.validation import validate
from npespcn.fast.gpu import to_device, to_host
from npespcn.layers import (
    Conv2d,
    ConvTranspose2d,
    Layer,
    PixelShuffle,
    PixelUnshuffle,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
)
from npespcn.losses import charbonnier, l1, log_mse, mse
from npespcn.models import ESPCN, PRETRAINED, SRCNN, Network
from npespcn.optim import SGD, SOAP, Adam, Optimizer, cosine
from npespcn.runs.centering import centre_biases, centred
from npespcn.runs.fit import fit

TOLERANCE = {"float32": 1e-4, "float64": 1e-10}
each_dtype = pytest.mark.parametrize("dtype", TOLERANCE)


def agree(xp: Any, actual: Array, expected: Any) -> None:
    """Assert that `actual` lies on the device, and is what the CPU gives."""
    assert isinstance(actual, xp.ndarray)
    assert actual.dtype == expected.dtype
    assert relative_error(actual, np.asarray(expected)) <= TOLERANCE[expected.dtype.name]


def all_agree(xp: Any, actual: dict[str, Array], expected: dict[str, Array]) -> None:
    assert actual.keys() == expected.keys()
    for name in expected:
        agree(xp, actual[name], expected[name])


def below(base: type) -> set[type]:
    """Return the classes below `base` that are the package's."""
    children = base.__subclasses__()
    return set().union(
        {c for c in children if c.__module__.startswith("npespcn.")}, *map(below, children)
    )


# --- layers ---------------------------------------------------------------------------------------

Case = tuple[Callable[[str], Layer], tuple[int, ...]]


def conv(o: int, k: int, stride: int, padding: Any, shape: tuple[int, ...]) -> Case:
    return lambda dtype: Conv2d(shape[1], o, k, stride, padding, dtype=dtype), shape


def deconv(
    o: int, k: int, stride: int, padding: int, output_padding: int, shape: tuple[int, ...]
) -> Case:
    sizes = (shape[1], o, k, stride, padding, output_padding)
    return lambda dtype: ConvTranspose2d(*sizes, dtype=dtype), shape


def plain(make: Callable[[], Layer], *shapes: tuple[int, ...]) -> list[Case]:
    return [(lambda dtype: make(), shape) for shape in shapes]


def stack(dtype: str) -> Layer:
    return Sequential(
        conv=Conv2d(2, 8, 3, padding="same", dtype=dtype),
        tanh=Tanh(),
        shuffle=PixelShuffle(2, "DCR"),
        deconv=ConvTranspose2d(2, 5, 4, stride=2, padding=1, dtype=dtype),
        sigmoid=Sigmoid(),
        last=Conv2d(5, 1, 5, dtype=dtype),
    )


ANY_SHAPE = ((2, 4, 7, 11), (1, 1, 1, 1), (3, 5))
LAYERS: dict[type[Layer], list[Case]] = {
    Conv2d: [
        conv(5, 3, 1, "same", (3, 6, 7, 11)),  # Winograd's way
        conv(4, 3, 1, "valid", (2, 8, 61, 67)),  # in several blocks on the CPU
        conv(7, 3, 1, ((0, 2), (1, 3)), (3, 4, 3, 1)),
        conv(2, 5, 1, "same", (3, 9, 6, 9)),  # by rows: it has few output channels
        conv(1, 5, 1, 2, (2, 6, 61, 67)),
        conv(2, 2, 1, "same", (3, 6, 5, 8)),
        conv(3, 4, 1, ((3, 0), (0, 1)), (1, 7, 9, 4)),
        conv(6, 5, 1, "same", (2, 1, 7, 11)),  # by columns
        conv(4, 1, 1, "valid", (1, 3, 1, 1)),
        conv(4, 3, 1, 5, (1, 2, 2, 3)),  # more zeros than the kernel is wide
        conv(4, 3, 2, 1, (3, 3, 8, 13)),
        conv(3, 2, 3, ((1, 0), (2, 1)), (2, 3, 10, 7)),
        conv(3, 5, 2, "valid", (2, 2, 125, 131)),
    ],
    ConvTranspose2d: [
        deconv(3, 3, 1, 1, 0, (2, 4, 7, 11)),
        deconv(6, 5, 1, 0, 0, (2, 3, 6, 5)),
        deconv(2, 4, 2, 1, 0, (2, 3, 61, 35)),
        deconv(3, 3, 3, 1, 2, (1, 2, 5, 3)),
        deconv(1, 2, 3, 0, 1, (3, 2, 1, 4)),
    ],
    Tanh: plain(Tanh, *ANY_SHAPE),
    ReLU: plain(ReLU, *ANY_SHAPE),
    Sigmoid: plain(Sigmoid, *ANY_SHAPE),
    PixelShuffle: [
        *plain(partial(PixelShuffle, 2), (2, 8, 3, 5), (1, 4, 1, 1)),
        *plain(partial(PixelShuffle, 3, "DCR"), (2, 18, 4, 3)),
        *plain(partial(PixelShuffle, 3, "paper"), (1, 9, 2, 5)),
        *plain(partial(PixelShuffle, 1), (2, 3, 4, 5)),
    ],
    PixelUnshuffle: [
        *plain(partial(PixelUnshuffle, 2), (2, 2, 6, 10)),
        *plain(partial(PixelUnshuffle, 3, "DCR"), (1, 2, 3, 9)),
        *plain(partial(PixelUnshuffle, 3, "paper"), (2, 1, 6, 3)),
    ],
    Sequential: [(stack, (1, 2, 5, 7)), (stack, (12, 2, 23, 19))],  # in several chunks on the CPU
}
EACH_LAYER = {
    f"{kind.__name__} {i}": case for kind, cases in LAYERS.items() for i, case in enumerate(cases)
}


def test_no_layer_is_left_out() -> None:
    public = {
        item
        for name, item in vars(layers).items()
        if inspect.isclass(item) and item.__module__ == layers.__name__ and name[0] != "_"
    }
    assert set(LAYERS) == public - {Layer}
    for kind, cases in LAYERS.items():
        assert {type(make("float64")) for make, _ in cases} == {kind}
    for cases, paddings in ((LAYERS[Conv2d], {"same", "valid", int, tuple}),):
        made = [make("float64").padding for make, _ in cases]  # type: ignore[attr-defined]
        assert {p if isinstance(p, str) else type(p) for p in made} == paddings


def lay(x: Array, layout: str) -> Array:
    """Return x with its numbers elsewhere in memory."""
    xp = array_module(x)
    if layout == "channels last" and x.ndim == 4:
        return xp.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    if layout == "apart":
        wide = xp.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
        wide[..., ::2] = x
        return wide[..., ::2]
    return x


@each_dtype
@pytest.mark.parametrize("layout", ["as it is", "channels last", "apart"])
@pytest.mark.parametrize("case", EACH_LAYER)
def test_a_layer(gpu: Any, case: str, layout: str, dtype: str) -> None:
    make, shape = EACH_LAYER[case]
    here, rng = make(dtype), np.random.default_rng(1)
    here.params = {  # biases that are not 0
        name: param + (0.1 * rng.standard_normal(param.shape) * (param.ndim == 1)).astype(dtype)
        for name, param in here.params.items()
    }
    there = make(dtype)
    there.params = {name: param.copy() for name, param in here.params.items()}
    assert there.to("gpu") is there
    x = rng.standard_normal(shape).astype(dtype)
    expected = here.forward(x)
    x_there = lay(to_device(x), layout)
    agree(gpu, there.predict(x_there), expected)
    agree(gpu, there.forward(x_there), expected)
    dy = rng.standard_normal(expected.shape).astype(dtype)
    dy_there = lay(to_device(dy), layout)
    agree(gpu, there.backward(dy_there), here.backward(dy))
    all_agree(gpu, there.grads, here.grads)
    there.backward_params(to_device(2 * dy))
    here.backward_params(2 * dy)
    all_agree(gpu, there.grads, here.grads)
    np.testing.assert_array_equal(to_host(x_there), x)
    np.testing.assert_array_equal(to_host(dy_there), dy)


@pytest.mark.parametrize("kind", [Tanh, ReLU, Sigmoid])
def test_channels_that_lie_last_stay_last(gpu: Any, kind: type[Layer]) -> None:
    """CuPy's functions go along the axes: so ours turn them, or all would be read far apart."""
    layer, x = kind(), lay(to_device(np.ones((2, 5, 3, 4))), "channels last")
    for y in (layer.forward(x), layer.backward(gpu.ones(x.shape)), layer.predict(x)):
        assert y.shape == x.shape
        assert y.transpose(0, 2, 3, 1).flags.c_contiguous


def test_to_the_gpu_and_back(gpu: Any) -> None:
    network = stack("float64")
    before = network.state_dict()  # type: ignore[attr-defined]
    network.backward(network.forward(np.ones((12, 2, 23, 19))))  # in several chunks
    assert network.to("gpu") is network
    assert network.grads == {}
    with pytest.raises(RuntimeError, match="called before forward"):
        network.backward(gpu.ones((12, 1, 88, 72)))
    all_agree(gpu, network.params, before)
    doubled = {name: 2 * value for name, value in before.items()}
    network.load_state_dict(doubled)  # type: ignore[attr-defined]
    all_agree(gpu, network.params, doubled)
    network.to("cpu")
    for name, value in doubled.items():
        np.testing.assert_array_equal(network.params[name], value, strict=True)


# --- losses ---------------------------------------------------------------------------------------

LOSSES: dict[Any, list[dict[str, float]]] = {
    mse: [{}],
    l1: [{}],
    charbonnier: [{}, {"epsilon": 0.5}],
    log_mse: [{}, {"epsilon": 0.5}],
}


def test_no_loss_is_left_out() -> None:
    assert set(LOSSES) == {
        item
        for name, item in vars(losses).items()
        if inspect.isfunction(item) and item.__module__ == losses.__name__ and name[0] != "_"
    }


@each_dtype
@pytest.mark.parametrize("shape", [(3, 2, 5, 7), (1, 1, 1, 1), (130, 1, 51, 51)])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss(gpu: Any, loss: Any, shape: tuple[int, ...], dtype: str) -> None:
    rng = np.random.default_rng(2)
    prediction, target = (rng.random(shape).astype(dtype) for _ in range(2))
    for options in LOSSES[loss]:
        value, gradient = loss(prediction, target, **options)
        there = loss(to_device(prediction), to_device(target), **options)
        agree(gpu, there[0], value)
        assert there[0].shape == ()
        agree(gpu, there[1], gradient)


# --- optimisers -----------------------------------------------------------------------------------

OPTIMIZERS: dict[type[Optimizer], list[dict[str, Any]]] = {
    SGD: [{}, {"lr": 0.2, "momentum": 0.9}, {"momentum": 0.5, "lr_factors": {"bias": 0.1}}],
    Adam: [{}, {"betas": (0.5, 0.9), "epsilon": 1e-3, "lr_factors": {"weight": 0.1}}],
    SOAP: [{}, {"refresh": 2}, {"refresh": 1, "covariance_beta": 0.5, "betas": (0.9, 0.8)}],
}
EACH_OPTIMIZER = {
    f"{kind.__name__} {i}": partial(kind, **options)
    for kind, several in OPTIMIZERS.items()
    for i, options in enumerate(several)
}
STEPS = 7


def test_no_optimizer_is_left_out() -> None:
    assert set(OPTIMIZERS) == below(Optimizer)


def clear_gradients(dtype: str) -> list[dict[str, Array]]:
    """Return gradients of 9 x 9 numbers, whose eigenvectors no rounding can turn.

    The first lies along the axes, where its zeros stay zeros: SOAP makes steps of what is not.
    """
    rng, gradients = np.random.default_rng(3), []
    for i in range(STEPS):
        left, right = (np.linalg.qr(rng.standard_normal((9, 9)))[0] for _ in range(2))
        weight = (left if i else np.eye(9)) * np.arange(9, 0, -1) @ (right if i else np.eye(9))
        gradients.append({"weight": weight.reshape(9, 1, 3, 3), "bias": rng.standard_normal(9)})
    return [{name: g.astype(dtype) for name, g in both.items()} for both in gradients]


def without_signs(state: dict[str, Array]) -> dict[str, Array]:
    """Eigenvectors may point either way."""
    return {name: abs(value) if "basis" in name else value for name, value in state.items()}


@each_dtype
@pytest.mark.parametrize("make", EACH_OPTIMIZER.values(), ids=EACH_OPTIMIZER)
def test_an_optimizer(gpu: Any, make: Callable[[Layer], Optimizer], dtype: str) -> None:
    """It steps alike, and goes on alike on the other device, from what was saved on this one."""
    tolerance = TOLERANCE[dtype]
    here, there = (Conv2d(1, 9, 3, dtype=dtype) for _ in range(2))
    steppers = make(here), make(there.to("gpu"))
    for i, gradients in enumerate(clear_gradients(dtype)):
        if i == STEPS - 2:  # change places
            states = [stepper.state_dict() for stepper in steppers]
            here.to("gpu"), there.to("cpu")
            here, there = there, here
            steppers = make(here), make(there)
            for stepper, state in zip(steppers, reversed(states), strict=True):
                stepper.load_state_dict(state, i)
        here.grads = gradients
        there.grads = {name: to_device(g) for name, g in gradients.items()}
        for stepper in steppers:
            stepper.lr *= 0.9
            stepper.step()
        all_agree(gpu, there.params, here.params)
        for entries in steppers[1].state.values():
            assert all(isinstance(value, gpu.ndarray) for value in entries.values())
        expected, actual = (without_signs(stepper.state_dict()) for stepper in steppers)
        assert actual.keys() == expected.keys()
        for name, value in expected.items():
            assert actual[name].dtype == value.dtype == dtype
            assert relative_error(actual[name], value) <= tolerance, name


# --- networks -------------------------------------------------------------------------------------

NETWORKS: dict[type[Network], list[dict[str, Any]]] = {
    ESPCN: [
        {"scale": 3},
        {"scale": 2, "padding": "edge", "activation": "relu"},
        {"scale": 4, "padding": "valid", "activation": "sigmoid", "output": "tanh"},
        {"scale": 2, "channels": 3, "tail": True, "output": "sigmoid", "init": "icnr"},
    ],
    SRCNN: [{}, {"padding": "edge"}, {"padding": "valid", "channels": 2}],
}
EACH_NETWORK = {
    f"{kind.__name__} {i}": partial(kind, **options)
    for kind, several in NETWORKS.items()
    for i, options in enumerate(several)
}


def test_no_network_is_left_out() -> None:
    assert set(NETWORKS) == below(Network)
    shipped = Path(models.__file__).parent.glob("weights/*.npz")
    assert {f"espcn_x{scale}" for scale in PRETRAINED} == {path.stem for path in shipped}


@each_dtype
@pytest.mark.parametrize("tile", [None, (8, 9)])
@pytest.mark.parametrize("make", EACH_NETWORK.values(), ids=EACH_NETWORK)
def test_a_network(
    gpu: Any, monkeypatch: pytest.MonkeyPatch, make: Any, tile: Any, dtype: str
) -> None:
    here, there = make(dtype=dtype, seed=1), make(dtype=dtype, seed=1).to("gpu")
    shape = (2, here.options["channels"], 23, 31)
    x = np.random.default_rng(4).random(shape).astype(dtype)
    expected, x_there = here.predict(x), to_device(x)
    if tile is not None:
        monkeypatch.setattr(models, "_TILE_ON_GPU", tile)
    agree(gpu, there.predict(x_there), expected)
    agree(gpu, there.forward(x_there), here.forward(x))


@pytest.mark.parametrize("scale", PRETRAINED)
def test_a_pretrained_network(gpu: Any, monkeypatch: pytest.MonkeyPatch, scale: int) -> None:
    here, there = ESPCN.pretrained(scale), ESPCN.pretrained(scale).to("gpu")
    x = np.random.default_rng(5).random((1, 1, 151, 331), np.float32)  # four tiles on the CPU
    expected = here.predict(x)
    for tile in ((1024, 1024), (70, 90)):
        monkeypatch.setattr(models, "_TILE_ON_GPU", tile)
        agree(gpu, there.predict(to_device(x)), expected)


def test_tiles_on_a_gpu_are_large_and_take_turns(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread of its own has a device of its own, and might have a stream."""
    assert np.prod(models._TILE_ON_GPU) >= 50 * np.prod(models._TILE)
    monkeypatch.setenv("NPESPCN_THREADS", "4")
    monkeypatch.setattr(models, "_TILE_ON_GPU", (9, 10))
    network, tiles, threads = ESPCN(2).to("gpu"), [], set()
    predict_tile = network.predict_tile

    def watched(part: Array, missing: Any) -> Array:
        tiles.append(part.shape)
        threads.add(threading.get_ident())
        return predict_tile(part, missing)

    monkeypatch.setattr(network, "predict_tile", watched)
    network.predict(to_device(np.zeros((3, 1, 18, 30), np.float32)))
    assert len(tiles) == 3 * 2 * 3
    assert threads == {threading.get_ident()}


# --- training -------------------------------------------------------------------------------------


def pictures() -> list[Array]:
    return dead_leaves_pictures(3, 80)


def with_bases(optimizer: Optimizer, device: str) -> Optimizer:
    """Let SOAP turn by fixed matrices: where a gradient has no part, any basis is an eigenbasis.

    Which one it finds there is a matter of the last bits, and the steps are others with another.
    """
    rng = np.random.default_rng(7)
    for name, param in optimizer.model.params.items():
        if isinstance(optimizer, SOAP) and param.ndim > 1:
            for side, size in (("left", len(param)), ("right", param[0].size)):
                v = rng.standard_normal((size, 1))
                mirror = (np.eye(size) - 2 * v @ v.T / (v**2).sum()).astype(param.dtype)
                optimizer.state[name][f"{side}_basis"] = to_device(mirror, device)
    return optimizer


TRAINERS: dict[str, Callable[[Layer], Optimizer]] = {
    "SGD": partial(SGD, lr=0.05, momentum=0.9),
    "Adam": Adam,
    "SOAP": partial(SOAP, refresh=1000),
}


@pytest.mark.parametrize(
    ("name", "dtype"), [("Adam", "float32"), ("SGD", "float64"), ("SOAP", "float64")]
)
def test_a_training_run_of_200_steps(gpu: Any, name: str, dtype: str) -> None:
    """In batches large enough for several chunks on the CPU, so that it rounds otherwise."""
    runs, how = [], {"batch_size": 9, "patch_size": 16, "schedule": cosine(200)}
    for device in ("cpu", "gpu"):
        model = ESPCN(2, padding="edge", seed=1, dtype=dtype).to(device)
        optimizer = with_bases(TRAINERS[name](model), device)
        history = fit(model, PairedPatches(pictures(), 2), optimizer, steps=200, **how)
        assert isinstance(model.params["conv1.weight"], gpu.ndarray) == (device == "gpu")
        weights = np.concatenate([value.ravel() for value in model.state_dict().values()])
        runs.append((weights, np.array(history["loss"])))
    assert runs[0][1][-1] < 0.2 * runs[0][1][0]  # it learned
    for actual, expected in zip(runs[1], runs[0], strict=True):
        assert relative_error(actual, expected) <= TOLERANCE[dtype]


def test_soap_as_it_is_learns_as_well(gpu: Any) -> None:
    scores, pairs = [], validation_pairs(dead_leaves_pictures(1, 80, seed=9), 2)
    for device in ("cpu", "gpu"):
        model = ESPCN(2, padding="edge", seed=1).to(device)
        fit(model, PairedPatches(pictures(), 2), steps=100, batch_size=9, patch_size=16)
        scores.append(validate(model, pairs))
    untrained = validate(ESPCN(2, padding="edge", seed=1), pairs)
    assert scores[1] == pytest.approx(scores[0], abs=0.2 * (scores[0] - untrained))


@pytest.mark.parametrize("name", TRAINERS)
def test_training_goes_on_on_another_device(gpu: Any, tmp_path: Path, name: str) -> None:
    """From the CPU to the GPU and back, and nobody could tell by the files."""
    pairs = validation_pairs(dead_leaves_pictures(1, 50, seed=9), 2)

    def train(out: Path, device: str, steps: int) -> ESPCN:
        model = ESPCN(2, padding="edge", seed=1, dtype="float64").to(device)
        optimizer = with_bases(TRAINERS[name](model), device)
        how = {"batch_size": 9, "patch_size": 16, "validation": pairs, "validate_every": 10}
        fit(
            model, PairedPatches(pictures(), 2), optimizer, steps=steps, out=out, resume=True, **how
        )
        return model

    for steps, device in ((7, "cpu"), (16, "gpu"), (30, "cpu")):
        model = train(tmp_path / "both", device, steps)
        train(tmp_path / "cpu", "cpu", steps)
        assert isinstance(model.params["conv1.weight"], gpu.ndarray) == (device == "gpu")
        for file in ("last.npz", "best.npz"):
            with np.load(tmp_path / "both" / file) as a, np.load(tmp_path / "cpu" / file) as b:
                assert a.files == b.files
                for key in a.files:
                    one, other = a[key], b[key]
                    assert one.dtype.kind == other.dtype.kind
                    if other.dtype.kind == "f":
                        assert one.dtype == other.dtype
                        np.testing.assert_array_equal(np.isnan(one), np.isnan(other))
                        error = relative_error(np.nan_to_num(one), np.nan_to_num(other))
                        assert error <= TOLERANCE["float64"], key
                    elif key != "progress":  # in which are losses and the best PSNR, as text
                        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("make", TRAINERS.values(), ids=TRAINERS)
def test_a_step_on_pictures_minus_their_mean(gpu: Any, make: Any) -> None:
    results, rng = [], np.random.default_rng(6)
    x, target = rng.random((3, 1, 11, 12)) ** 2, rng.random((3, 1, 6, 8)) ** 2
    for device in ("cpu", "gpu"):
        model = ESPCN(2, padding="valid", seed=4, dtype="float64").to(device)
        centre_biases(model, 0.4)
        optimizer = with_bases(make(model), device)
        for _ in range(3):
            y = model.forward(to_device(x, device))
            model.backward_params(mse(y, to_device(target, device))[1])
            with centred(model, 0.5):
                optimizer.step()
        results.append(model.params)
    all_agree(gpu, results[1], results[0])


@pytest.mark.parametrize("make", [Adam, partial(SOAP, refresh=1)])
def test_a_training_step_on_the_device_stays_there(
    monkeypatch: pytest.MonkeyPatch, make: Any
) -> None:
    """Once it has run: no number goes there or comes back, which would hold up all."""
    monkeypatch.setitem(sys.modules, "cupy", strict_cupy)
    model = ESPCN(2, padding="valid").to("gpu")
    optimizer = make(model)
    x = strict_cupy.ones((2, 1, 12, 13), np.float32)
    target = strict_cupy.ones((2, 1, 8, 10), np.float32)

    def step() -> None:
        y = model.forward(x)
        model.backward_params(mse(y, target)[1])
        with centred(model, 0.5):
            optimizer.step()

    array = strict_cupy.array  # with which all others are made that come from the host

    def sent(a: Any, *more: Any, **named: Any) -> Any:
        assert isinstance(a, strict_cupy.ndarray), "it crosses over"
        return array(a, *more, **named)

    def fetched(*_: Any) -> Any:
        raise AssertionError("it crosses back")

    step()
    monkeypatch.setattr(strict_cupy, "array", sent)
    for name in ("get", "__float__", "__int__", "__bool__", "item", "tolist"):
        monkeypatch.setattr(strict_cupy.ndarray, name, fetched)
    step()
    with pytest.raises(AssertionError, match="crosses over"):
        model.forward(to_device(np.ones((2, 1, 12, 13), np.float32)))
    with pytest.raises(AssertionError, match="crosses back"):
        float(mse(x, x)[0])


# --- the command line -----------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder to work in, with a picture in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set").mkdir()
    Image.fromarray(dead_leaves_pictures(1, 60, seed=9)[0]).save(tmp_path / "set" / "a.png")
    return tmp_path


def test_the_commands_give_the_same_on_a_gpu(gpu: Any, folder: Path, capsys: Any) -> None:
    steps = ["--scale", "2", "--pictures", "2", "--steps", "4", "--val", "set", "--optimizer"]
    scores = {}
    for device in ("cpu", "gpu"):
        to = ["--device", device]
        out = f"{device}_run"
        assert cli.main(["train", *steps, "adam", "--patch-size", "12", "--out", out, *to]) == 0
        assert cli.main(["upscale", "set/a.png", "-o", f"{device}.png", *to]) == 0
        capsys.readouterr()
        assert cli.main(["evaluate", "set", "--scale", "2", "--json", *to]) == 0
        scores[device] = json.loads(capsys.readouterr().out)["mean"]["network"]
    assert scores["gpu"] == pytest.approx(scores["cpu"], abs=0.01)
    larger = [np.asarray(Image.open(f"{device}.png")).astype(int) for device in scores]
    assert abs(larger[0] - larger[1]).max() <= 1
    trained = [ESPCN.load(f"{device}_run/last.npz").state_dict() for device in scores]
    for name, value in trained[0].items():
        assert relative_error(trained[1][name], value) <= TOLERANCE["float32"]


@pytest.mark.parametrize("problem", NO_GPU)
@pytest.mark.parametrize("command", ["train --out run", "upscale set", "evaluate set"])
def test_without_a_gpu_a_command_says_so_in_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, command: str, problem: str
) -> None:
    cupy, words = NO_GPU[problem]
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    before = sorted(folder.rglob("*"))
    assert cli.main([*command.split(), "--device", "gpu"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"npespcn {command.split()[0]}: {words}")
    assert sorted(folder.rglob("*")) == before
