"""Numbers of every size and precision, from the book to the enlarged picture; and equal bits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import normal, relative_error

from npespcn.common import Array
from npespcn.conv import conv2d_backward, conv2d_forward, conv2d_loop, im2col
from npespcn.enlarge import upscale
from npespcn.exchange import pretrained
from npespcn.fast import accelerate
from npespcn.layers import Conv2d, ReLU, Sigmoid, Tanh
from npespcn.losses import charbonnier, l1, mse
from npespcn.models import ESPCN
from npespcn.pictures import quantize, upscale_bicubic

WAYS = {"columns": (1, 2, 5), "rows": (8, 2, 5), "Winograd": (8, 8, 3)}  # C, O, k, if accelerated


def passes(layer: Conv2d, x: Array, dy: Array) -> list[tuple[Array, ...]]:
    """Return y, dx, dweight and dbias as the book computes them, and as its fast twin does."""
    results = []
    for each in (layer, accelerate(layer)):
        y, dx = each.forward(x), each.backward(dy)
        results.append((y, dx, each.grads["weight"], each.grads["bias"]))
    return results


def convolutions(dtype: Any) -> list[tuple[Conv2d, Array, Array]]:
    """Return a layer for each way, x and dy."""
    found = []
    for c, o, k in WAYS.values():
        layer = Conv2d(c, o, k, padding="valid", dtype=dtype)
        x, dy = normal(2, c, 17, 14), normal(2, o, 18 - k, 15 - k, seed=2)
        found.append((layer, (x / 4).astype(dtype), (dy / 4).astype(dtype)))
    return found


def test_convolution_is_as_exact_for_tiny_and_huge_numbers() -> None:
    """Multiplied by a power of 2, from 1e-30 to 1e30, the digits stay."""
    for dtype in ("float32", "float64"):
        for layer, x, dy in convolutions(dtype):
            for power in (-100, -50, 50, 100):
                factor = np.array(2.0**power, dtype)
                by_x, by_dy = passes(layer, x * factor, dy), passes(layer, x, dy * factor)
                for plain, scaled_x, scaled_dy in zip(
                    passes(layer, x, dy), by_x, by_dy, strict=True
                ):
                    y, dx, dweight, dbias = plain
                    for scaled, expected in (
                        (scaled_x[0], y), (scaled_x[2], dweight), (scaled_dy[1], dx),
                        (scaled_dy[2], dweight), (scaled_dy[3], dbias),
                    ):  # fmt: skip
                        if abs(power) == 50:
                            np.testing.assert_array_equal(scaled, expected * factor, strict=True)
                        else:  # small products may fall below the smallest float32
                            assert relative_error(scaled, expected * factor) < 1e-6


def test_every_precision_is_as_exact_as_it_can_be() -> None:
    for dtype, tolerance in (("float16", 2e-2), ("float32", 2e-6), ("float64", 4e-15)):
        for layer, x, dy in convolutions(dtype):
            weight = layer.params["weight"].astype(np.longdouble)
            exact_x, exact_dy = x.astype(np.longdouble), dy.astype(np.longdouble)
            y = conv2d_forward(exact_x, weight)
            for results in passes(layer, x, dy):
                for result, right in zip(
                    results, (y, *conv2d_backward(exact_dy, exact_x, weight)), strict=True
                ):
                    assert result.dtype == dtype
                    assert relative_error(result, right) < tolerance


def test_a_network_takes_every_precision() -> None:
    x = np.random.default_rng(0).random((1, 1, 20, 23))
    for plain in (ESPCN(2), ESPCN(2, padding="edge")):
        for model in (plain, accelerate(plain)):
            for dtype in ("float16", "float32", "float64"):
                y = model.predict(x.astype(dtype))
                assert y.dtype == (np.float64 if dtype == "float64" else np.float32)
                tolerance = 2e-3 if dtype == "float16" else 2e-6
                assert relative_error(y, plain.predict(x)) < tolerance


def test_a_network_takes_whole_numbers_as_they_are() -> None:
    x = np.random.default_rng(0).integers(0, 256, (1, 1, 12, 9))
    for plain in (ESPCN(2), ESPCN(2, padding="edge")):
        for model in (plain, accelerate(plain)):
            expected = model.predict(x.astype(np.float32))
            for dtype in (np.uint8, np.int16, np.uint16):
                y = model.predict(x.astype(dtype))
                assert y.dtype == np.float32
                assert relative_error(y, expected) < 1e-5
            assert model.predict(x[:0].astype("f4")).shape == (0, 1, 24, 18)


def test_activations_at_their_ends() -> None:
    for dtype in ("float16", "float32", "float64"):
        top = float(np.finfo(dtype).max)
        x = np.array([-top, -30, -1e-7, 0, 1e-7, 30, top]).astype(dtype).reshape(1, 1, 1, -1)
        for plain, ends in ((Tanh(), (-1, 1)), (Sigmoid(), (0, 1)), (ReLU(), (0, top))):
            for layer in (plain, accelerate(plain)):
                y, dx = layer.forward(x), layer.backward(np.ones_like(x))
                assert y.dtype == dx.dtype == dtype
                assert np.isfinite(y).all()
                assert np.isfinite(dx).all()
                assert (y.flat[0], y.flat[-1]) == ends
                assert dx.flat[0] == 0
                assert dx.flat[-1] == (plain.__class__ is ReLU)


@pytest.mark.filterwarnings("ignore:overflow")
def test_losses_of_any_size() -> None:
    """Where a square is more than float32 holds, the loss is infinite; the gradient never."""
    for dtype in ("float32", "float64"):
        for size in (1e-30, 1e-15, 1.0, 1e15, 1e30):
            p, t = ((size * normal(2, 1, 5, 4, seed=seed)).astype(dtype) for seed in (0, 1))
            d = p.astype(np.longdouble) - t.astype(np.longdouble)
            root = np.hypot(d, np.longdouble(1e-3))
            for loss, exact, slope in (
                (mse, (d * d).mean(), 2 * d / d.size),
                (l1, np.abs(d).mean(), np.sign(d) / d.size),
                (charbonnier, root.mean(), d / root / d.size),
            ):
                value, dp = loss(p, t)
                assert value.dtype == dp.dtype == dtype
                np.testing.assert_allclose(dp, slope.astype(dtype), rtol=1e-5)
                np.testing.assert_allclose(value, exact.astype(dtype), rtol=1e-5)


def test_convolutions_of_whole_numbers_do_not_wrap() -> None:
    """Sums are exact, in 64 bits."""
    for dtype in ("uint8", "int8", "uint16", "int16"):
        top = int(np.iinfo(dtype).max)
        x, weight, dy = (np.full(s, top, dtype) for s in ((1, 4, 4, 3), (2, 4, 3, 3), (1, 2, 2, 1)))
        dx, dweight, dbias = conv2d_backward(dy, x, weight)
        for y in (conv2d_loop(x, weight), conv2d_forward(x, weight)):
            np.testing.assert_array_equal(y, np.full((1, 2, 2, 1), 36 * top**2), strict=True)
        np.testing.assert_array_equal(dx[0, 0, 1], [4 * top**2] * 3)
        np.testing.assert_array_equal(dweight, np.full(weight.shape, 2 * top**2), strict=True)
        np.testing.assert_array_equal(dbias, [2 * top] * 2)
        assert im2col(x, 3).dtype == dtype, "which only copies"


# --- pictures -------------------------------------------------------------------------------------


def test_a_larger_picture_is_rounded_and_clipped_once() -> None:
    """A network that gives one value everywhere: halves go up."""
    model = ESPCN(2, channels=3, padding="edge")
    for value in model.params.values():
        value[...] = 0
    for value, expected in (
        (0.5, 128), (-0.0, 0), (-1e-9, 0), (-0.01, 0), (-1e30, 0),
        (1.0, 255), (1 + 1e-6, 255), (1.01, 255), (1e30, 255),
        (0.4999 / 255, 0), (0.5001 / 255, 1), (254.4999 / 255, 254), (254.5001 / 255, 255),
    ):  # fmt: skip
        model.params["conv3.bias"][...] = value
        y = upscale(np.zeros((3, 4, 3), np.uint8), model=model, back_projection=False)
        assert (y.dtype, {*y.flat}) == (np.uint8, {expected}), value
        assert quantize(255 * np.float32(value)) == expected
        gray = upscale(np.zeros((3, 4), np.uint16), model=model, back_projection=False)
        right = int(np.floor(np.clip(np.float32(value), 0, 1) * 65535.0 + 0.5))
        assert (gray.dtype, {*gray.flat}) == (np.uint16, {right}), value


def test_overshoot_does_not_wrap() -> None:
    """Bicubic and the network go beyond black and white; 255 + 1 must not become 0."""
    rows, columns = np.indices((32, 32)) // 8
    board = (255 * ((rows + columns) % 2)).astype(np.uint8)
    for scale in (2, 3, 4):
        near = board.repeat(scale, axis=0).repeat(scale, axis=1)
        inner = np.arange(32 * scale) // scale % 8 % 7 > 0  # of each square: all but its edge
        wide = upscale(board.astype(np.uint16) * 257, scale)
        enlarged = [upscale_bicubic(board, scale), upscale(board, scale), np.rint(wide / 257)]
        enlarged += [*upscale(np.stack([board] * 3, axis=2), scale).transpose(2, 0, 1)]
        for larger in enlarged:
            assert (np.abs(larger.astype(int) - near)[np.ix_(inner, inner)] < 128).all()
        assert np.abs(enlarged[2] - enlarged[1]).max() <= 1


# --- what a result depends on ---------------------------------------------------------------------


def test_strips_change_nothing_beyond_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights of a trained network make more of each rounding."""
    x = np.random.default_rng(0).random((2, 1, 70, 53), np.float32)
    networks = [(ESPCN(3, padding=padding), 2e-6) for padding in ("same", "valid", "edge")]
    for plain, most in [*networks, (pretrained(3), 2e-5)]:
        model = accelerate(plain)
        expected = model.predict(x)
        assert np.abs(expected - plain.predict(x)).max() < most
        for rows, columns in ((7, 9), (16, 500), (500, 16), (33, 20)):
            monkeypatch.setattr("npespcn.fast.pieces._PARTS", 1000)
            monkeypatch.setattr("npespcn.fast.pieces._ROWS", rows)
            monkeypatch.setattr("npespcn.fast.pieces._COLUMNS", columns)
            assert np.abs(model.predict(x) - expected).max() < most, (rows, columns)
        monkeypatch.undo()


def test_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).random((3, 1, 110, 330), np.float32)
    picture = np.random.default_rng(1).integers(0, 256, (110, 350, 3), np.uint8)
    model, results = accelerate(pretrained(2)), []
    for threads in ("1", "2", "3", "8"):
        monkeypatch.setenv("NPESPCN_THREADS", threads)
        results.append((model.predict(x), model.forward(x), upscale(picture, model=model)))
    for others in results[1:]:
        for one, other in zip(results[0], others, strict=True):
            np.testing.assert_array_equal(one, other)


RUN = """
import hashlib, numpy as np
from npespcn.data import PairedPatches
from npespcn.fast import accelerate
from npespcn.models import ESPCN
from npespcn.runs import fit
rng = np.random.default_rng(0)
picture = rng.integers(0, 256, (90, 120, 3), np.uint8)
model = ESPCN(2, padding="edge")
fit(model, PairedPatches([picture], 2), steps=5, batch_size=4, patch_size=12)
y = accelerate(model).predict(rng.random((1, 1, 100, 170), np.float32))
print(hashlib.sha256(b"".join(a.tobytes() for a in [y, *model.params.values()])).hexdigest())
"""


def test_a_result_is_the_same_in_every_process() -> None:
    """Wherever its memory lies, whatever was computed before, on any number of threads."""
    root, seen = str(Path(__file__).parents[1]), set()
    for i, threads in enumerate(("1", "1", "2")):
        code = f"junk = bytearray({4097 * i}); {'import PIL.Image;' * i}" + RUN
        environment = {**os.environ, "PYTHONPATH": root, "NPESPCN_THREADS": threads}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, capture_output=True, check=True)  # noqa: S603
        seen.add(done.stdout)
    (digest,) = seen
    assert len(digest.strip()) == 64
