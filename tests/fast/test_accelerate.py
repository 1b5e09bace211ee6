"""`accelerate` gives the book's numbers: every way, every network, on any number of threads."""

from __future__ import annotations

import copy
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from helpers import relative_error

from npespcn.fast import Accelerated, accelerate, batches, pieces, winograd
from npespcn.fast.tiles import cut, cut_tiles
from npespcn.gradcheck import gradcheck
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
from npespcn.losses import mse
from npespcn.models import ESPCN, PADDINGS, SRCNN
from npespcn.optim import Adam

TOLERANCE = {"float32": 2e-5, "float64": 1e-12}
WAYS = {"columns": lambda *_: False, "winograd": lambda k, *_: k == 3}


def random(*shape: int, dtype: str = "float64", seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def networks(dtype: str) -> dict[str, tuple[Any, tuple[int, ...]]]:
    """Return networks of every kind, each with the shape of an input."""
    found: dict[str, tuple[Any, tuple[int, ...]]] = {}
    for padding in PADDINGS:
        found[f"ESPCN {padding}"] = ESPCN(3, padding=padding, dtype=dtype), (5, 1, 40, 33)
        options: Any = {"channels": 3, "activation": "relu", "output": "sigmoid", "tail": True}
        options |= {"widths": (16, 8, 8), "kernels": (5, 3, 3, 3)}
        found[f"four convolutions, {padding}"] = (
            ESPCN(2, padding=padding, dtype=dtype, **options),
            (2, 3, 30, 131),
        )
        found[f"SRCNN {padding}"] = SRCNN(padding=padding, dtype=dtype), (2, 1, 30, 31)
    found["stride, transposed, nested, even kernels, other orders"] = (
        Sequential(
            Conv2d(2, 4, 3, stride=2, padding=1, dtype=dtype),
            Sigmoid(),
            Sequential(ConvTranspose2d(4, 8, 4, 2, 1, dtype=dtype), Tanh()),
            PixelShuffle(2, "DCR"),
            ReLU(),
            PixelUnshuffle(2),
            Conv2d(8, 3, 4, padding="same", dtype=dtype),
            Conv2d(3, 12, 5, padding=6, dtype=dtype),
            PixelShuffle(2),
        ),
        (3, 2, 12, 14),
    )
    found["two and three of a kind"] = (
        Sequential(
            Conv2d(2, 5, 3, padding="same", dtype=dtype),
            Conv2d(5, 6, 3, padding=0, dtype=dtype),
            Tanh(),
            ReLU(),
            Sigmoid(),
            Conv2d(6, 8, 1, dtype=dtype),
            PixelShuffle(2, "paper"),
            Tanh(),
            Sigmoid(),
            Conv2d(2, 4, 1, dtype=dtype),
            Conv2d(4, 4, 1, dtype=dtype),
            PixelShuffle(2),
            PixelShuffle(1),
        ),
        (3, 2, 12, 14),
    )
    found["one layer"] = Conv2d(3, 5, 3, padding=2, dtype=dtype), (2, 3, 8, 9)
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_network_agrees_with_the_book(dtype: str) -> None:
    for name, (plain, shape) in networks(dtype).items():
        fast, x = accelerate(plain), random(*shape, dtype=dtype)
        y = plain.forward(x)
        dy = random(*y.shape, dtype=dtype, seed=1)
        expected = {"dx": plain.backward(dy), **plain.grads, "predict": plain.predict(x)}
        found = {"y": fast.forward(x), "dx": fast.backward(dy), **fast.grads}
        found["predict"] = fast.predict(x)
        assert found["y"].dtype == y.dtype
        assert plain.grads.keys() == plain.params.keys()
        for key, value in {"y": y, **expected}.items():
            error = relative_error(found[key], value)
            assert error <= TOLERANCE[dtype], f"{name}: {key} is off by {error:.1e}"


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_convolve_agrees_with_the_book(
    monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(winograd, "pays", WAYS[way])
    monkeypatch.setattr(pieces, "_ROWS", 3)
    cases: list[tuple[int, int, int, int, Any]] = []
    cases += [(2, 3, 4, k, p) for k in (1, 2, 3, 4, 5) for p in (*range(k), "same")]
    cases += [(1, 1, 1, 3, 1), (3, 5, 7, 3, 0), (1, 2, 3, 3, 2)]
    for n, c, o, k, p in cases:
        layer = Conv2d(c, o, k, padding=p, rng=np.random.default_rng(2), dtype="float64")
        layer.params["bias"] += random(o)
        fast = accelerate(layer)
        for h, w in ((5, 7), (9, 6), (40, 5)):
            for lay in (lambda a: a, np.asfortranarray, lambda a: a[..., ::-1]):
                x = lay(random(n, c, h, w))
                y = layer.forward(x)
                dy = lay(random(*y.shape, seed=3))
                expected = [y, y, layer.backward(dy), *layer.grads.values()]
                found = [fast.predict(x), fast.forward(x), fast.backward(dy), *fast.grads.values()]
                case = f"{way}: n={n} c={c} o={o} k={k} p={p} {h}x{w}"
                for mine, theirs in zip(found, expected, strict=True):
                    np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-11, err_msg=case)


def test_sums_of_gradients_are_nearly_as_exact_as_numpys() -> None:
    layer = Conv2d(1, 64, 3, padding=1)
    fast = accelerate(layer, input_gradient=False)
    fast.forward(np.zeros((16, 1, 96, 96), np.float32))
    dy = np.random.default_rng(0).random((16, 64, 96, 96), np.float32)
    fast.backward(dy)
    exact = dy.sum(axis=(0, 2, 3), dtype=np.float64)
    error = np.abs(layer.grads["bias"] / exact - 1).max()
    assert error <= 4 * np.abs(dy.sum(axis=(0, 2, 3)) / exact - 1).max()


def test_a_gradcheck_passes_through_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_CHUNK", 20)
    model = ESPCN(2, widths=(4, 3), dtype="float64")
    assert len(batches.chunks_of(3, 20)) == 3
    assert gradcheck(accelerate(model), random(3, 1, 5, 4)) < 1e-7


def test_the_same_bits_on_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    x, target = random(70, 1, 17, 17, dtype="float32"), random(70, 1, 51, 51, dtype="float32")
    results = []
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("NPESPCN_THREADS", threads)
        model = ESPCN(3)
        fast, optimizer = accelerate(model), Adam(model)
        for _ in range(2):
            _, dy = mse(fast.forward(x), target)
            fast.backward(dy)
            optimizer.step()
        results.append([*model.state_dict().values(), fast.predict(x[:2]), dy])
    for others in results[1:]:
        for one, other in zip(results[0], others, strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_parameters_are_the_networks_own() -> None:
    model, x = ESPCN(2, widths=(4, 3)), random(1, 1, 8, 9, dtype="float32")
    fast = accelerate(model)
    assert all(fast.params[name] is param for name, param in model.params.items())
    before = fast.predict(x)
    model.params["conv1.weight"][...] *= 2  # in place
    changed = fast.predict(x)
    assert (before != changed).any()
    model.layers["conv1"].params["weight"] = model.params["conv1.weight"] / 2  # another array
    np.testing.assert_array_equal(fast.predict(x), before)
    fast.load_state_dict(ESPCN(2, widths=(4, 3), seed=1).state_dict())
    np.testing.assert_allclose(fast.predict(x), model.predict(x), atol=1e-6)


def test_a_layer_may_change() -> None:
    x, layer = random(1, 1, 8, 9), Conv2d(1, 4, 3, dtype="float64")
    fast = accelerate(layer)
    for change in (
        {},
        {"padding": 1},
        {"params": {"weight": random(2, 1, 3, 3), "bias": np.ones(2)}},
    ):
        vars(layer).update(change)
        for _ in range(2):
            np.testing.assert_allclose(fast.predict(x), layer.predict(x), atol=1e-12)
            np.testing.assert_allclose(fast.forward(x), layer.forward(x), atol=1e-12)


def test_a_network_with_a_predict_of_its_own_keeps_it() -> None:
    class Twice(ESPCN):
        def predict(self, x: Any) -> Any:
            return 2 * super().predict(x)

    x = random(2, 1, 9, 8)
    for model in (
        Twice(2, widths=(4, 3), dtype="float64", padding="edge"),
        Sequential(ESPCN(2, widths=(4, 3), dtype="float64", padding="edge"), Tanh()),
    ):
        np.testing.assert_allclose(accelerate(model).predict(x), model.predict(x), atol=1e-12)


def test_an_accelerated_network_passes_for_the_network() -> None:
    model = ESPCN(2, padding="edge")
    fast = accelerate(model)
    assert (fast.scale, fast.halo, fast.padding) == (2, 4, "edge")
    assert fast.options is model.options
    assert accelerate(fast).network is model
    assert isinstance(copy.deepcopy(fast), Accelerated)
    with pytest.raises(TypeError, match="accelerate: network must be a layer, got 'model'"):
        accelerate("model")


def test_without_the_inputs_gradient_the_others_are_the_same() -> None:
    x, grads = random(4, 1, 9, 8), []
    for input_gradient in (True, False):
        model = ESPCN(2, widths=(4, 3), dtype="float64")
        fast = accelerate(model, input_gradient)
        dx = fast.backward(random(*fast.forward(x).shape, seed=1))
        assert (dx is None) == (not input_gradient)
        grads.append(model.grads)
    for name, grad in grads[0].items():
        np.testing.assert_array_equal(grad, grads[1][name])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # overflow, in all threads
def test_an_image_never_reaches_another_in_predict() -> None:
    for plain, shape in networks("float32").values():
        fast, x = accelerate(plain), random(*shape, dtype="float32")
        expected = fast.predict(x)
        for value in (np.nan, np.inf, 1e30):
            spoiled = x.copy()
            spoiled[1, 0, 4, 3] = value
            found = fast.predict(spoiled)
            np.testing.assert_array_equal(found[0], expected[0])
            np.testing.assert_array_equal(found[2:], expected[2:])


def test_predict_does_not_show_its_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    for padding in PADDINGS:
        model = ESPCN(3, padding=padding, dtype="float64")
        for size in ((9, 13), (29, 15), (10, 41)):
            x = random(2, 1, *size)
            for columns, pixels, lowest in ((4, 1, 1), (6, 100, 5), (100, 2000, 100)):
                monkeypatch.setattr(pieces, "_COLUMNS", columns)
                monkeypatch.setattr(pieces, "_PIXELS", pixels)
                monkeypatch.setattr(pieces, "_ROWS", lowest)
                error = relative_error(accelerate(model).predict(x), model.predict(x))
                assert error < 1e-12, f"{padding}: {size} in strips of {columns}"


def test_a_tile_is_a_part_of_the_whole() -> None:
    for padding in PADDINGS:
        model = accelerate(ESPCN(2, padding="edge" if padding == "valid" else padding))
        x = random(1, 1, 40, 44, dtype="float32")
        whole = model.predict(x)
        for tile in cut_tiles(40, 44, model.halo, (16, 12)):
            part = model.predict_tile(x[(..., *tile.part)], tile.missing)
            (top, bottom), (left, right) = tile.place
            expected = whole[..., 2 * top : 2 * bottom, 2 * left : 2 * right]
            assert relative_error(part, expected) < 1e-5


def test_cuts_cover_everything_once() -> None:
    for start, stop, about in [(0, 1, 96), (0, 96, 96), (4, 301, 96), (0, 5, 4), (3, 17, 1)]:
        spans = cut(start, stop, about)
        assert [a for a, _ in spans] + [stop] == [start] + [b for _, b in spans]
        assert all((a - start) % 4 == 0 and a < b for a, b in spans)


def test_predict_takes_little_memory_whatever_the_size() -> None:
    model = accelerate(ESPCN(3))
    model.predict(random(1, 1, 64, 64, dtype="float32"))
    plans = []
    for side in (400, 1200):
        x = random(1, 1, side, side, dtype="float32")
        tracemalloc.start()
        model.predict(x)
        now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 9 * x.nbytes + 20e6 < 64 * x.nbytes  # 64 feature maps never exist at once
        plans.append(now)
    assert max(plans) < 20e6


def test_plans_are_kept_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "KEPT_BYTES", 16 << 20)
    model = ESPCN(3, dtype="float64")
    fast = accelerate(model)
    for width in (*range(10, 20), 19, 19):  # a plan for each
        x = random(2, 1, 12, width)
        y, dy = model.forward(x), random(2, 1, 36, 3 * width)
        dx = model.backward(dy)
        assert relative_error(fast.forward(x), y) < 1e-12
        assert relative_error(fast.backward(dy), dx) < 1e-12
        plans = [plan for _, plan in fast.parts[0].plans.plans]
        assert sum(plan.nbytes for plan in plans) <= 16 << 20
    assert 1 < len(plans) < 9
    monkeypatch.setattr(pieces, "KEPT_BYTES", 100)
    fast.predict(x)  # with a plan that is too large to be kept
    assert len(fast.parts[0].plans.plans) == len(plans)
    monkeypatch.undo()
    _, last = fast.parts[0].kept
    fast.forward(x)
    assert fast.parts[0].kept[1] is last  # it was used again


def test_predict_may_be_called_from_several_threads() -> None:
    model = accelerate(ESPCN(2))
    images = [random(1, 1, 30 + i, 40, dtype="float32", seed=i) for i in range(8)]
    expected = [model.predict(x) for x in images]
    with ThreadPoolExecutor(4) as pool:
        for one, other in zip(expected, pool.map(model.predict, images), strict=True):
            np.testing.assert_array_equal(one, other)


def test_forward_may_be_called_from_several_threads() -> None:
    model = accelerate(ESPCN(2))
    images = [random(3, 1, 12 + i % 2, 14, dtype="float32", seed=i) for i in range(8)]
    expected = [model.forward(x) for x in images]
    with ThreadPoolExecutor(4) as pool:
        for one, other in zip(expected, pool.map(model.forward, images), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_layer_of_your_own_runs_as_it_is() -> None:
    class Double(Layer):
        def forward(self, x: Any) -> Any:
            return 2 * x

        def backward(self, dy: Any) -> Any:
            return 2 * dy

    model = accelerate(Sequential(Conv2d(1, 2, 3, dtype="float64"), Double()))
    assert gradcheck(model, random(2, 1, 5, 6)) < 1e-7


def test_odd_inputs_are_the_books_affair() -> None:
    model = ESPCN(2, widths=(4, 3), dtype="float64")
    fast = accelerate(model)
    whole = np.arange(72).reshape(1, 1, 8, 9)
    np.testing.assert_allclose(fast.forward(whole), model.forward(whole), atol=1e-12)
    np.testing.assert_allclose(fast.predict(whole), model.predict(whole), atol=1e-12)
    scattered = random(2, 1, 9, 8).transpose(0, 1, 3, 2)[..., ::-1]
    np.testing.assert_allclose(fast.predict(scattered), model.predict(scattered), atol=1e-12)
    for call in (
        lambda: fast.forward(random(1, 2, 8, 8)),  # channels
        lambda: fast.predict(random(1, 2, 8, 8)),
        lambda: fast.forward(random(8, 8)),  # axes
        lambda: fast.predict(random(8, 8)),
        lambda: accelerate(ESPCN(2, padding="valid")).forward(random(1, 1, 8, 8)),  # too small
        lambda: accelerate(ESPCN(2, padding="valid")).predict(random(1, 1, 8, 8)),
        lambda: accelerate(PixelShuffle(2)).forward(random(1, 3, 4, 4)),  # no groups of four
        lambda: accelerate(Sequential(Conv2d(1, 4, 3), Conv2d(2, 3, 3))).predict(whole * 1.0),
        lambda: accelerate(Sequential(Conv2d(1, 8, 3), PixelShuffle(2), Conv2d(1, 3, 1))).forward(
            whole * 1.0
        ),
    ):
        with pytest.raises(ValueError):  # noqa: PT011  # in the book's words
            call()
    fast.forward(random(2, 1, 8, 9))
    with pytest.raises(ValueError, match="dy must have shape"):  # which would broadcast
        fast.backward(np.ones((1, 1, 16, 18)))
    assert fast.forward(random(0, 1, 8, 9)).shape == (0, 1, 16, 18)
    layer = Conv2d(1, 2, 3, padding=2, dtype="float64")  # which makes an image of no pixels
    assert accelerate(layer).predict(random(1, 1, 0, 5)).shape == (1, 2, 2, 7)
    assert fast.predict(random(0, 1, 8, 9)).shape == (0, 1, 16, 18)
    with pytest.raises(TypeError):
        fast.forward([1.0])  # type: ignore[arg-type]
