"""GPU and CPU agree: every function of the book, training, enlarging, the command line.

All of it runs on CuPy where a device answers (``make test-gpu``), and everywhere on the stand-in in
CuPy's place, so that it cannot rot.
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
from helpers import NO_GPU, Numbers, relative_error, small_network
from PIL import Image
from record_torch_layers import every_layer
from record_torch_models import CASES as NETWORKS

from npespcn import layers, losses, models, optim
from npespcn.arrays import array_module
from npespcn.commands import main
from npespcn.common import Array
from npespcn.conv import col2im, conv2d_loop, im2col
from npespcn.data import PairedPatches, dead_leaves_pictures, validation_pairs
from npespcn.enlarge import upscale
from npespcn.evaluation import validate
from npespcn.exchange import PRETRAINED, load, pretrained
from npespcn.fast import accelerate, tiles
from npespcn.fast.gpu import move, to_device, to_host
from npespcn.gradcheck import gradcheck
from npespcn.layers import Layer
from npespcn.losses import mse
from npespcn.models import ESPCN
from npespcn.optim import SGD, SOAP, Adam, Optimizer, cosine
from npespcn.runs import Centered, Scaled, center_biases, fit
from npespcn.shuffle import METHODS, ORDERS, pixel_shuffle, pixel_unshuffle

TOLERANCE = {"float32": 1e-4, "float64": 1e-10}


def agree(gpu: Any, actual: Array, expected: Any, case: object) -> None:
    """Assert that `actual` lies on the device, and is what the CPU gives."""
    assert isinstance(actual, gpu.ndarray), case
    assert actual.dtype == expected.dtype, case
    assert relative_error(actual, np.asarray(expected)) <= TOLERANCE[expected.dtype.name], case


def all_agree(gpu: Any, actual: dict[str, Array], expected: dict[str, Array], case: object) -> None:
    assert actual.keys() == expected.keys(), case
    for name in expected:
        agree(gpu, actual[name], expected[name], (case, name))


def public(module: Any, kind: Callable[[Any], bool]) -> set[str]:
    """Return the names of a module's own functions or classes."""
    own = {k for k, v in vars(module).items() if kind(v) and v.__module__ == module.__name__}
    return {name for name in own if not name.startswith("_")}


def elsewhere_in_memory(x: Array) -> list[Array]:
    """Return arrays like x: as it is, with the channels last, and with gaps."""
    xp = array_module(x)
    wide = xp.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    wide[..., ::2] = x
    last = xp.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    return [x, last, wide[..., ::2]]


# --- the book -------------------------------------------------------------------------------------


def test_shuffles_and_convolutions(gpu: Any) -> None:
    x = np.arange(2 * 27 * 2 * 4, dtype=np.float32).reshape(2, 27, 2, 4)
    for order in ORDERS:
        for layout, image in (("NCHW", x), ("NHWC", np.ascontiguousarray(np.moveaxis(x, 1, -1)))):
            how = {"order": order, "layout": layout}
            y = pixel_shuffle(image, 3, **how)
            for method in METHODS:
                agree(gpu, pixel_shuffle(to_device(image), 3, method=method, **how), y, how)
            agree(gpu, pixel_unshuffle(to_device(y), 3, **how), image, how)
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((2, 3, 5, 7)), rng.standard_normal((4, 3, 3, 3))
    bias = rng.standard_normal(4)
    there = [to_device(a) for a in (x, weight, bias)]
    agree(gpu, conv2d_loop(*there, 2, 1), conv2d_loop(x, weight, bias, 2, 1), "loop")
    columns = im2col(x, 3, 2, 1)
    agree(gpu, im2col(there[0], 3, 2, 1), columns, "im2col")
    expected = col2im(columns, x.shape, 3, 2, 1)
    agree(gpu, col2im(to_device(columns), x.shape, 3, 2, 1), expected, "col2im")


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_layers(gpu: Any, dtype: str) -> None:
    seen = set()
    for name, here, x, dy in [*every_layer(dtype), ("network", small_network(dtype), None, None)]:
        seen.add(type(here).__name__)
        if x is None:
            x = np.random.default_rng(0).standard_normal((2, 3, 5, 6)).astype(dtype)
            dy = here.forward(x)
        y, dx = here.forward(x), here.backward(dy)
        grads = dict(here.grads)
        there = move(here, "gpu")
        for x_there, dy_there in zip(
            elsewhere_in_memory(to_device(x)), elsewhere_in_memory(to_device(dy)), strict=True
        ):
            agree(gpu, there.predict(x_there), y, name)
            agree(gpu, there.forward(x_there), y, name)
            agree(gpu, there.backward(dy_there), dx, name)
            all_agree(gpu, there.grads, grads, name)
            np.testing.assert_array_equal(to_host(x_there), x, err_msg=name)
            np.testing.assert_array_equal(to_host(dy_there), dy, err_msg=name)
    assert seen == public(layers, inspect.isclass) - {"Layer"}


def test_gradcheck_runs_there(gpu: Any) -> None:
    network = move(small_network(), "gpu")
    x = to_device(np.random.default_rng(0).standard_normal((1, 3, 3, 3)))
    error = gradcheck(network, x)
    assert isinstance(error, float)
    assert error < 1e-6


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_losses(gpu: Any, dtype: str) -> None:
    rng = np.random.default_rng(2)
    for name in public(losses, inspect.isfunction):
        loss = getattr(losses, name)
        for shape in ((3, 2, 5, 7), (1, 1, 1, 1), (130, 1, 51, 51)):
            prediction, target = (rng.random(shape).astype(dtype) for _ in range(2))
            value, gradient = loss(to_device(prediction), to_device(target))
            expected = loss(prediction, target)
            agree(gpu, value, expected[0], (name, shape))
            assert value.shape == ()
            agree(gpu, gradient, expected[1], (name, shape))


def clear_gradients(dtype: str) -> list[dict[str, Array]]:
    """Return gradients of 9 x 9 numbers, whose eigenvectors no rounding can turn."""
    rng, gradients = np.random.default_rng(3), []
    for _ in range(7):
        left, right = (np.linalg.qr(rng.standard_normal((9, 9)))[0] for _ in range(2))
        weight = left * np.arange(9, 0, -1) @ right
        gradients.append({"weight": weight.reshape(9, 1, 3, 3), "bias": rng.standard_normal(9)})
    return [{name: g.astype(dtype) for name, g in both.items()} for both in gradients]


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_optimizers(gpu: Any, dtype: str) -> None:
    makers = [SGD, partial(SGD, momentum=0.9), Adam, SOAP, partial(SOAP, refresh=2)]
    kinds = {getattr(make, "func", make).__name__ for make in makers}
    assert kinds == public(optim, inspect.isclass) - {"Optimizer"}
    start = clear_gradients(dtype)[-1]
    for make in makers:
        here = Numbers(**{name: value.copy() for name, value in start.items()})
        there = move(Numbers(**{name: value.copy() for name, value in start.items()}), "gpu")
        steppers = make(here), make(there)
        for gradients in clear_gradients(dtype)[:-1]:
            here.grads = gradients
            there.grads = {name: to_device(g) for name, g in gradients.items()}
            for stepper in steppers:
                stepper.lr *= 0.9
                stepper.step()
            all_agree(gpu, there.params, here.params, make)
        for name, entries in steppers[0].state.items():
            for key, value in entries.items():  # eigenvectors may point either way
                actual, expected = steppers[1].state[name][key], value
                if "basis" in key:
                    actual, expected = abs(actual), abs(expected)
                agree(gpu, actual, expected, (make, name, key))


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_networks_and_accelerated_ones(
    gpu: Any, monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    """In one tile and in many; on a GPU these are large, and take turns on one thread."""
    assert np.prod(tiles.tile_size(gpu.ones(1))) >= 8 * np.prod(tiles.tile_size(np.ones(1)))
    cut, threads = tiles.cut_tiles, set()

    def small(height: int, width: int, halo: int, about: Any, lost: int = 0) -> Any:
        threads.add(threading.get_ident())
        return cut(height, width, halo, (9, 10), lost)

    edge = {"scale": 2, "padding": "edge", "widths": (8, 4)}
    for kind, options, shape in [*NETWORKS.values(), ("ESPCN", edge, (2, 1, 1, 1))]:
        here = getattr(models, kind)(**options, dtype=dtype, seed=1)
        x = np.random.default_rng(4).random((1, shape[1], 17, 19)).astype(dtype)
        expected, forward = here.predict(x), here.forward(x)
        there = move(here, "gpu")
        agree(gpu, there.predict(to_device(x)), expected, options)
        agree(gpu, there.forward(to_device(x)), forward, options)
        agree(gpu, accelerate(there).predict(to_device(x)), expected, options)
        agree(gpu, accelerate(there).forward(to_device(x)), forward, options)
        with monkeypatch.context() as patch:
            patch.setattr("npespcn.fast.network.cut_tiles", small)
            agree(gpu, accelerate(there).predict(to_device(x)), expected, options)
    assert threads == {threading.get_ident()}


# --- training -------------------------------------------------------------------------------------


def with_bases(optimizer: Optimizer, device: str) -> Optimizer:
    """Let SOAP turn by fixed matrices, and step from the first gradient on.

    Where a gradient has no part, any basis is an eigenbasis. Which one it finds there is a matter
    of the last bits, and the steps are others with another.
    """
    rng = np.random.default_rng(7)
    for name, param in optimizer.model.params.items():
        if isinstance(optimizer, SOAP) and param.ndim > 1:
            optimizer.steps = 0
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


def data() -> PairedPatches:
    return PairedPatches(dead_leaves_pictures(3, 80), 2)


@pytest.mark.parametrize(("name", "dtype"), [("Adam", "float32"), ("SOAP", "float64")])
def test_a_training_run(gpu: Any, name: str, dtype: str) -> None:
    """In batches large enough for several chunks on the CPU, so that it rounds otherwise."""
    runs, how = [], {"batch_size": 9, "patch_size": 20, "schedule": cosine(120)}
    for device in ("cpu", "gpu"):
        model = move(ESPCN(2, padding="edge", seed=1, dtype=dtype), device)
        optimizer = with_bases(TRAINERS[name](model), device)
        history = fit(model, data(), optimizer, steps=120, **how)
        assert isinstance(model.params["conv1.weight"], gpu.ndarray) == (device == "gpu")
        weights = [to_host(value).ravel() for value in model.params.values()]
        runs.append((np.concatenate(weights), np.array(history["loss"])))
    assert runs[0][1][-1] < 0.3 * runs[0][1][0]  # it learned
    for actual, expected in zip(runs[1], runs[0], strict=True):
        assert relative_error(actual, expected) <= 10 * TOLERANCE[dtype]


def test_soap_as_it_is_learns_as_well(gpu: Any) -> None:
    scores, pairs = [], validation_pairs(dead_leaves_pictures(1, 80, seed=9), 2)
    for device in ("cpu", "gpu"):
        model = move(ESPCN(2, padding="edge", seed=1), device)
        fit(model, data(), steps=100, batch_size=9, patch_size=16)
        scores.append(validate(model, pairs))
    untrained = validate(ESPCN(2, padding="edge", seed=1), pairs)
    assert scores[1] == pytest.approx(scores[0], abs=0.2 * (scores[0] - untrained))


@pytest.mark.parametrize("name", TRAINERS)
def test_training_goes_on_on_another_device(gpu: Any, tmp_path: Path, name: str) -> None:
    """From the CPU to the GPU and back, and nobody could tell by the files."""
    pairs = validation_pairs(dead_leaves_pictures(1, 50, seed=9), 2)
    how: dict[str, Any] = {"batch_size": 9, "patch_size": 16, "validation": pairs}

    def train(out: Path, device: str, steps: int) -> ESPCN:
        model = move(ESPCN(2, padding="edge", seed=1, dtype="float64"), device)
        optimizer = with_bases(TRAINERS[name](model), device)
        fit(model, data(), optimizer, steps=steps, out=out, resume=True, validate_every=10, **how)
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
                    elif one.dtype.kind != "U":  # text holds losses and the best PSNR
                        np.testing.assert_array_equal(one, other)


def test_a_step_through_the_wrappers(gpu: Any) -> None:
    rng = np.random.default_rng(6)
    x, target = rng.random((3, 1, 11, 12)) ** 2, rng.random((3, 1, 6, 8)) ** 2
    for make in TRAINERS.values():
        results = []
        for device in ("cpu", "gpu"):
            model = move(ESPCN(2, padding="valid", seed=4, dtype="float64"), device)
            center_biases(model, 0.4)
            optimizer = Scaled(Centered(with_bases(make(model), device), 0.5), {"conv3": 0.1})
            for _ in range(3):
                y = model.forward(to_device(x, device))
                model.backward(mse(y, to_device(target, device))[1])
                optimizer.step()
            results.append(model.params)
        all_agree(gpu, results[1], results[0], make)


@pytest.mark.parametrize("make", [Adam, partial(SOAP, refresh=1)])
def test_a_training_step_on_the_device_stays_there(
    monkeypatch: pytest.MonkeyPatch, make: Any
) -> None:
    """Once it has run: no number goes there or comes back, which would hold up all."""
    monkeypatch.setitem(sys.modules, "cupy", strict_cupy)
    model = move(ESPCN(2, padding="valid"), "gpu")
    optimizer = Centered(make(model), 0.5)
    x = strict_cupy.ones((2, 1, 12, 13), np.float32)
    target = strict_cupy.ones((2, 1, 8, 10), np.float32)

    def step() -> None:
        model.backward(mse(model.forward(x), target)[1])
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


# --- pictures and the command line ----------------------------------------------------------------


def test_pretrained_networks_enlarge_alike(gpu: Any) -> None:
    image = dead_leaves_pictures(1, 90, seed=9)[0]
    for scale in PRETRAINED:
        here, there = pretrained(scale), move(pretrained(scale), "gpu")
        larger = upscale(image, scale, model=here).astype(int)
        assert abs(upscale(image, scale, model=there).astype(int) - larger).max() <= 1


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
        assert main.main(["train", *steps, "adam", "--patch-size", "12", "--out", out, *to]) == 0
        assert main.main(["upscale", "set/a.png", "-o", f"{device}.png", *to]) == 0
        capsys.readouterr()
        assert main.main(["evaluate", "set", "--scale", "2", "--json", *to]) == 0
        scores[device] = json.loads(capsys.readouterr().out)["mean"]["network"]
    assert scores["gpu"] == pytest.approx(scores["cpu"], abs=0.01)
    larger = [np.asarray(Image.open(f"{device}.png")).astype(int) for device in scores]
    assert abs(larger[0] - larger[1]).max() <= 1
    trained = [load(f"{device}_run/last.npz").params for device in scores]
    for name, value in trained[0].items():
        assert relative_error(trained[1][name], value) <= 1e-3  # Adam divides by small gradients


def test_without_a_gpu_a_command_says_so_in_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    before = sorted(folder.rglob("*"))
    for cupy, words in NO_GPU.values():
        monkeypatch.setitem(sys.modules, "cupy", cupy)
        for command in ("train --out run", "upscale set", "evaluate set"):
            assert main.main([*command.split(), "--device", "gpu"]) == 1
            out, err = capsys.readouterr()
            assert (out, err.count("\n")) == ("", 1)
            assert err.startswith(f"npespcn {command.split()[0]}: {words}")
            assert sorted(folder.rglob("*")) == before
