"""Tiny and huge numbers, ties, whole numbers that must not wrap, and what a result depends on."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import relative_error

from npespcn import models
from npespcn.common import Array
from npespcn.conv import (
    conv2d_backward,
    conv2d_forward,
    conv2d_loop,
    im2col,
)
from npespcn.enlarge.picture import upscale
from npespcn.evaluation.metrics import psnr, ssim
from npespcn.evaluation.protocol import to_8_bits
from npespcn.layers import Conv2d, ReLU, Sigmoid, Tanh
from npespcn.losses import charbonnier, l1, log_mse, mse
from npespcn.models import ESPCN
from npespcn.pictures.color import rgb_to_ycbcr, ycbcr_to_rgb
from npespcn.pictures.resize import downscale, upscale_bicubic

SIZES = [1e-30, 1e-15, 1.0, 1e15, 1e30]
KERNELS = {"columns": (1, 2, 5), "rows": (8, 2, 5), "Winograd": (8, 8, 3)}  # C, O, k


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


def convolution(way: str, dtype: str) -> tuple[Array, Array, Array]:
    """Return x, weight and dy that are convolved in this way."""
    c, o, k = KERNELS[way]
    arrays = normal(2, c, 17, 14), normal(o, c, k, k, seed=1), normal(2, o, 18 - k, 15 - k, seed=2)
    x, weight, dy = (array.astype(dtype) for array in arrays)
    return x, weight, dy


# --- sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", KERNELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("power", [-100, -50, 50, 100])  # 1e-30 to 1e30
def test_convolution_is_as_exact_for_tiny_and_huge_numbers(
    way: str, dtype: str, power: int
) -> None:
    x, weight, dy = convolution(way, dtype)
    factor = np.array(2.0**power, dtype)  # which changes no digit
    plain = [conv2d_forward(x, weight), *conv2d_backward(dy, x, weight)]
    by_x = [conv2d_forward(x * factor, weight), conv2d_backward(dy, x * factor, weight)[1]]
    dx, _, dbias = conv2d_backward(dy * factor, x, weight)
    pairs = zip([*by_x, dx, dbias], [plain[0], plain[2], plain[1], plain[3]], strict=True)
    for scaled, expected in pairs:
        assert scaled.dtype == dtype
        if abs(power) == 50:
            np.testing.assert_array_equal(scaled, expected * factor)
        else:  # small products may fall below the smallest float32
            assert relative_error(scaled, expected * factor) < 1e-6


@pytest.mark.parametrize("way", KERNELS)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float16", 2e-2), ("float32", 2e-6), ("float64", 4e-15)]
)
def test_every_precision_is_as_exact_as_it_can_be(way: str, dtype: str, tolerance: float) -> None:
    x, weight, dy = (array / 4 for array in convolution(way, dtype))
    exact = [array.astype(np.longdouble) for array in (x, weight, dy)]
    assert relative_error(conv2d_forward(x, weight), conv2d_forward(*exact[:2])) < tolerance
    gradients = conv2d_backward(dy, x, weight), conv2d_backward(exact[2], exact[0], exact[1])
    for fast, slow in zip(*gradients, strict=True):
        assert fast.dtype == dtype
        assert relative_error(fast, slow) < tolerance


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_network_takes_every_precision(dtype: str) -> None:
    model, x = ESPCN(2, padding="edge"), np.random.default_rng(0).random((1, 1, 20, 23))
    y = model.predict(x.astype(dtype))
    assert y.dtype == (np.float64 if dtype == "float64" else np.float32)
    assert relative_error(y, model.predict(x)) < (2e-3 if dtype == "float16" else 2e-6)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_activations_at_their_ends(dtype: str) -> None:
    top = float(np.finfo(dtype).max)
    x = np.array([-top, -30, -1e-7, 0, 1e-7, 30, top]).astype(dtype).reshape(1, 1, 1, -1)
    dy = np.ones_like(x)
    for layer, ends in ((Tanh(), (-1, 1)), (Sigmoid(), (0, 1)), (ReLU(), (0, top))):
        y, dx = layer.forward(x), layer.backward(dy)
        assert (y.dtype, dx.dtype) == (x.dtype, x.dtype)
        assert np.isfinite(y).all()
        assert np.isfinite(dx).all()
        assert (y.flat[0], y.flat[-1]) == ends
        assert dx.flat[0] == 0
        assert dx.flat[-1] == (1 if isinstance(layer, ReLU) else 0)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", [mse, l1, charbonnier])
@pytest.mark.filterwarnings("ignore:overflow")
def test_losses_of_any_size(loss: Callable[..., Any], dtype: str, size: float) -> None:
    """Where a square is more than float32 holds, the loss is infinite; the gradient never."""
    p, t = (size * normal(2, 1, 5, 4, seed=seed) for seed in (0, 1))
    p, t = p.astype(dtype), t.astype(dtype)
    value, dp = loss(p, t)
    assert (value.dtype, dp.dtype) == (dtype, dtype)
    d = p.astype(np.longdouble) - t.astype(np.longdouble)
    root = np.hypot(d, np.longdouble(1e-3))
    exact: Any = {
        mse: ((d * d).mean(), 2 * d / d.size),
        l1: (np.abs(d).mean(), np.sign(d) / d.size),
        charbonnier: (root.mean(), d / root / d.size),
    }[loss]
    np.testing.assert_allclose(dp, exact[1].astype(dtype), rtol=1e-5)
    if loss is mse and dtype == "float32" and size == 1e30:
        assert value == np.inf
    elif loss is mse and dtype == "float32" and size == 1e-30:
        assert value == 0
    else:
        np.testing.assert_allclose(value, exact[0].astype(dtype), rtol=1e-5)


def test_log_mse_where_a_picture_is_perfect() -> None:
    value, dp = log_mse(np.ones((2, 3)), np.ones((2, 3)))
    assert value == pytest.approx(np.log(1e-4))
    assert not dp.any()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("measure", [psnr, ssim])
def test_measures_depend_on_no_scale(measure: Callable[..., float], size: float) -> None:
    a, b = (np.random.default_rng(seed).random((16, 15)) for seed in (0, 1))
    measured = measure(size * a, size * b, data_range=size)
    assert measured == pytest.approx(measure(a, b, data_range=1), rel=1e-9)
    halves = [array.astype(np.float16) for array in (a, b)]
    doubles = [array.astype(np.float64) for array in halves]
    assert measure(*halves, data_range=1) == measure(*doubles, data_range=1)


# --- ties, 0 and 255 -----------------------------------------------------------------------------


class Flat(ESPCN):
    """Gives one value everywhere."""

    def __init__(self, value: float) -> None:
        super().__init__(2, channels=3, padding="edge")
        self.value = value

    def predict_tile(self, part: Array, missing: Any = ((0, 0), (0, 0))) -> Array:
        n, c, h, w = super().predict_tile(part, missing).shape
        return np.full((n, c, h, w), self.value, np.float32)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.5, 128),  # 127.5: halves go up
        (-0.0, 0), (-1e-9, 0), (-0.01, 0), (-1e30, 0),
        (1.0, 255), (1 + 1e-6, 255), (1.01, 255), (1e30, 255),
        (0.4999 / 255, 0), (0.5001 / 255, 1), (254.4999 / 255, 254), (254.5001 / 255, 255),
    ],
)  # fmt: skip
def test_a_larger_picture_is_rounded_and_clipped_once(value: float, expected: int) -> None:
    y = upscale(np.zeros((3, 4, 3), np.uint8), model=Flat(value))
    assert (y.dtype, set(y.flat)) == (np.uint8, {expected})
    assert to_8_bits(np.float32(value)) == expected
    grey = upscale(np.zeros((3, 4), np.uint16), model=Flat(value))
    assert grey.dtype == np.uint16
    assert set(grey.flat) == {int(np.floor(np.clip(np.float32(value), 0, 1) * 65535.0 + 0.5))}


def test_ties_of_colours_go_up() -> None:
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (500, 3), np.uint8)
    for function in (rgb_to_ycbcr, ycbcr_to_rgb):
        exact = function(rgb.astype(np.float64))
        np.testing.assert_array_equal(function(rgb), np.floor(exact + 0.5).clip(0, 255))


# --- whole numbers -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "int32"])
def test_convolutions_of_whole_numbers_do_not_wrap(dtype: str) -> None:
    top = np.iinfo(dtype).max
    x, weight = np.full((1, 8, 9, 7), top, dtype), np.full((8, 8, 3, 3), top, dtype)
    y = conv2d_forward(x[..., :5], weight)
    expected = 72 * int(top) ** 2
    if expected < 2**63:
        assert set(y.flat) == {expected}
        np.testing.assert_array_equal(conv2d_loop(x[:, :, :3, :3], weight), y[:, :, :1, :1])
        dx, dweight, dbias = conv2d_backward(x[:, :, :7, :5], x, weight)
        assert dx.max() == 72 * int(top) ** 2
        assert set(dweight.flat) == {35 * int(top) ** 2}
        assert set(dbias.flat) == {35 * int(top)}
    assert im2col(x, 3).dtype == dtype  # which only copies


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int8"])
@pytest.mark.parametrize("loss", [mse, l1, charbonnier, log_mse])
def test_a_target_of_whole_numbers_does_not_wrap(loss: Callable[..., Any], dtype: str) -> None:
    target = np.array([[0, 1], [np.iinfo(dtype).max, 5]], dtype)
    prediction = np.array([[3.0, 0.0], [-7.0, 5.0]])
    for one, two in zip(
        loss(prediction, target), loss(prediction, target.astype(np.float64)), strict=True
    ):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
def test_a_network_takes_whole_numbers_as_they_are(dtype: str) -> None:
    x = np.random.default_rng(0).integers(0, 256, (1, 1, 12, 9)).astype(dtype)
    for model in (ESPCN(2, padding="edge"), Conv2d(1, 3, 3, padding="same")):
        assert relative_error(model.predict(x), model.predict(x.astype(np.float32))) < 1e-6


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_overshoot_does_not_wrap(scale: int) -> None:
    """Bicubic and the network go beyond black and white; 255 + 1 must not become 0."""
    rows, columns = np.indices((32, 32)) // 8
    board = (255 * ((rows + columns) % 2)).astype(np.uint8)
    near = board.repeat(scale, axis=0).repeat(scale, axis=1)
    inner = np.arange(32 * scale) // scale % 8 % 7 > 0  # of each square: all but its edge
    middle = np.ix_(inner, inner)
    enlarged = [
        upscale_bicubic(board, scale),
        upscale(board, scale),
        *upscale(np.stack([board] * 3, axis=2), scale).transpose(2, 0, 1),
        np.rint(upscale(board.astype(np.uint16) * 257, scale) / 257),
    ]
    for larger in enlarged:
        assert (np.abs(larger.astype(int) - near)[middle] < 128).all()
    assert np.abs(enlarged[-1] - enlarged[1]).max() <= 1


def test_a_smaller_picture_does_not_wrap() -> None:
    board = np.kron(np.indices((8, 8)).sum(axis=0) % 2, np.full((6, 6), 255)).astype(np.uint8)
    smaller = downscale(board, 2).astype(int)
    assert np.abs(smaller - board[::2, ::2])[1::3, 1::3].max() < 20


# --- what a result depends on --------------------------------------------------------------------


@pytest.mark.parametrize("padding", ["same", "valid", "edge"])
def test_tiles_change_nothing_beyond_rounding(
    monkeypatch: pytest.MonkeyPatch, padding: str
) -> None:
    """1e-6 for a network as it begins; the weights of a trained one make more of each rounding."""
    x = np.random.default_rng(0).random((2, 1, 70, 53), np.float32)
    for model, most in ((ESPCN(3, padding=padding), 1e-6), (ESPCN.pretrained(3), 5e-6)):
        whole = model.predict(x)
        for tile in ((7, 9), (16, 500), (500, 16), (33, 20)):
            with monkeypatch.context() as patch:
                patch.setattr(models, "_TILE", tile)
                assert np.abs(model.predict(x) - whole).max() < most
        doubles = ESPCN(3, padding=padding, dtype="float64")
        doubles.load_state_dict(model.state_dict())
        exact = doubles.predict(x)
        with monkeypatch.context() as patch:
            patch.setattr(models, "_TILE", (7, 9))
            if model.padding == padding:
                assert np.abs(doubles.predict(x) - exact).max() < 1e-13
                assert np.abs(whole - exact).max() < 2 * most


def test_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).random((3, 1, 110, 330), np.float32)
    model, results = ESPCN.pretrained(2), []
    picture = np.random.default_rng(1).integers(0, 256, (110, 350, 3), np.uint8)
    for threads in (1, 2, 3, 8):
        monkeypatch.setenv("NPESPCN_THREADS", str(threads))
        results.append((model.predict(x), model.forward(x), upscale(picture, model=model)))
    for others in results[1:]:
        for one, other in zip(results[0], others, strict=True):
            np.testing.assert_array_equal(one, other)


RUN = """
import hashlib, numpy as np
from npespcn.data.patches import PairedPatches
from npespcn.models import ESPCN
from npespcn.runs.fit import fit
rng = np.random.default_rng(0)
picture = rng.integers(0, 256, (90, 120, 3), np.uint8)
model = ESPCN(2, padding="edge")
fit(model, PairedPatches([picture], 2), steps=5, batch_size=4, patch_size=12)
y = model.predict(rng.random((1, 1, 100, 170), np.float32))
print(hashlib.sha256(b"".join(a.tobytes() for a in [y, *model.params.values()])).hexdigest())
"""


@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_result_is_the_same_in_every_process(threads: str) -> None:
    """Wherever its memory lies, and whatever was computed before."""
    root = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root, "NPESPCN_THREADS": threads}
    seen = set()
    for i in range(2):
        code = f"junk = bytearray({4097 * i}); {'import PIL.Image;' * i}" + RUN
        seen.add(
            subprocess.run(  # noqa: S603
                [sys.executable, "-c", code], env=environment, capture_output=True, check=True
            ).stdout
        )
    assert len(seen) == 1
    assert len(seen.pop().strip()) == hashlib.sha256().digest_size * 2
