"""Convolution: the loops against the formula, the fast paths against the loops, all of it exactly.

Most arrays here hold whole numbers from -2 to 2. Their sums of products are then exact in every
dtype, so that "the same up to rounding" becomes "the same", and any misplaced number shows. Only
Winograd's way, which divides by 24, has to be given room for rounding.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import re
import tracemalloc
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from helpers import adjoint_gap, relative_error, require_torch
from hypothesis import given, settings
from hypothesis import strategies as st

from npespcn.common import Array
from npespcn.conv import (
    col2im,
    conv2d_backward,
    conv2d_forward,
    conv2d_input_gradient,
    conv2d_loop,
    conv2d_weight_gradient,
    im2col,
)
from npespcn.fast import blocks as convshape
from npespcn.fast import rows as rowconv
from npespcn.fast import winograd
from npespcn.fast.gpu import to_host

WAYS = ("columns", "rows", "winograd")
MEMORY = ("C", "F", "strided", "reversed", "channels last", "read-only")
DTYPES = ("f2", "f4", "f8", "i2", "i4", "i8")


@contextlib.contextmanager
def forced(way: str | None = None, block: int | None = None) -> Iterator[None]:
    """Convolve in one of the three ways (where it can), in blocks of `block` pixels."""
    with pytest.MonkeyPatch.context() as patch:
        if way is not None:
            patch.setattr(rowconv, "moves_less", lambda *sizes: way != "columns")
            patch.setattr(
                winograd,
                "pays",
                lambda i, o, k, dtype: way == "winograd" and can_winograd(k, dtype),
            )
        if block is not None:
            patch.setattr(convshape, "_BLOCK", block)
            patch.setattr(convshape, "_DEVICE_BLOCK", block)
        yield


def can_winograd(k: int, dtype: Any) -> bool:
    return k == 3 and dtype in (np.float32, np.float64)


def check(actual: Array, expected: Array, way: str | None, case: Case) -> None:
    """Compare bits, or numbers up to rounding where the way is Winograd's."""
    dtype = np.result_type(case.x, case.weight, case.dy)
    if way == "winograd" and case.stride == 1 and can_winograd(case.k, dtype):
        assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
        smallest = min(case.x.dtype, case.weight.dtype, case.dy.dtype, key=lambda d: d.itemsize)
        tolerance = 1e-13 if smallest == np.float64 else 1e-5
        assert relative_error(actual, expected) < tolerance
    else:
        assert_same(actual, expected)


def four_pads(padding: Any, k: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Say how many zeros go on each side, written out: above and below, left and right."""
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding == "same":  # k - 1 in all, the odd one below and on the right
        return ((k - 1) // 2, k // 2), ((k - 1) // 2, k // 2)
    return padding if isinstance(padding, tuple) else ((padding, padding), (padding, padding))


def wide(*arrays: Array) -> Any:
    """Return the common dtype, and for whole numbers one of 64 bits."""
    dtype = np.result_type(*arrays)
    return np.dtype("i8") if dtype.kind == "i" else dtype


def by_formula(x: Array, weight: Array, bias: Array | None, stride: int, padding: Any) -> Array:
    """Give every output number its window: the formula in the module's docstring."""
    k = weight.shape[2]
    padded = np.pad(x, ((0, 0), (0, 0), *four_pads(padding, k)))
    out_h, out_w = ((side - k) // stride + 1 for side in padded.shape[2:])
    dtype = wide(x, weight) if bias is None else np.result_type(wide(x, weight), bias)
    y = np.zeros((len(x), len(weight), out_h, out_w), dtype)
    for p, q in np.ndindex(out_h, out_w):
        window = padded[:, :, p * stride : p * stride + k, q * stride : q * stride + k]
        y[:, :, p, q] = np.einsum("ncij,ocij->no", window, weight)
    return y if bias is None else y + bias.reshape(-1, 1, 1)


def gradients_by_formula(
    dy: Array, x: Array, weight: Array, stride: int, padding: Any
) -> tuple[Array, Array, Array]:
    """Send every dy back to the window it came from."""
    k = weight.shape[2]
    pads = four_pads(padding, k)
    padded = np.pad(x, ((0, 0), (0, 0), *pads))
    dpadded = np.zeros(padded.shape, wide(dy, weight))
    dweight = np.zeros(weight.shape, wide(dy, x))
    for p, q in np.ndindex(*dy.shape[2:]):
        window = (..., slice(p * stride, p * stride + k), slice(q * stride, q * stride + k))
        dweight += np.einsum("no,ncij->ocij", dy[:, :, p, q], padded[window])
        dpadded[window] += np.einsum("no,ocij->ncij", dy[:, :, p, q], weight)
    (above, _), (left, _) = pads
    inside = dpadded[:, :, above : above + x.shape[2], left : left + x.shape[3]]
    return inside, dweight, dy.sum(axis=(0, 2, 3), dtype=wide(dy))


def in_memory(x: Array, kind: str) -> Array:
    """Return an array of the same values that lies differently in memory."""
    if kind == "F":
        return np.asfortranarray(x)
    if kind == "strided":
        return np.repeat(np.repeat(x, 2, axis=3), 3, axis=1)[:, ::3, :, 1::2]
    if kind == "reversed":
        return np.ascontiguousarray(x[:, ::-1, ::-1, ::-1])[:, ::-1, ::-1, ::-1]
    if kind == "channels last":
        return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    x = x.copy()
    x.flags.writeable = kind != "read-only"
    return x


@dataclasses.dataclass
class Case:
    """The arguments of a convolution and an upstream gradient."""

    x: Array
    weight: Array
    bias: Array | None
    dy: Array
    stride: int
    padding: Any

    @property
    def k(self) -> int:
        return self.weight.shape[2]

    @property
    def arrays(self) -> list[Array]:
        return [a for a in (self.x, self.weight, self.bias, self.dy) if a is not None]


def small_numbers(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Array:
    return rng.integers(-2, 3, shape).astype(dtype)


@st.composite
def cases(draw: st.DrawFn, largest: int = 9) -> Case:
    n, c, o = draw(st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(1, 4)))
    k, stride = draw(st.tuples(st.integers(1, 6), st.integers(1, 3)))
    pad = st.integers(0, 8)
    paddings = [st.just("valid"), pad, st.tuples(st.tuples(pad, pad), st.tuples(pad, pad))]
    padding = draw(st.one_of(*paddings, *([st.just("same")] if stride == 1 else [])))
    rows, columns = (sum(pads) for pads in four_pads(padding, k))
    h = draw(st.integers(max(1, k - rows), max(largest, k)))
    w = draw(st.integers(max(1, k - columns), max(largest, k)))
    out = ((h + rows - k) // stride + 1, (w + columns - k) // stride + 1)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype, memory = st.sampled_from(DTYPES), st.sampled_from(MEMORY)
    x, weight, dy = (
        in_memory(small_numbers(rng, shape, draw(dtype)), draw(memory))
        for shape in ((n, c, h, w), (o, c, k, k), (n, o, *out))
    )
    bias = small_numbers(rng, (o,), draw(dtype)) if draw(st.booleans()) else None
    return Case(x, weight, bias, dy, stride, padding)


def assert_same(actual: Array, expected: Array) -> None:
    np.testing.assert_array_equal(actual, expected, strict=True)


@settings(deadline=None, max_examples=60)
@given(cases(largest=6))
def test_the_loop_is_the_formula(case: Case) -> None:
    options = (case.bias, case.stride, case.padding)
    assert_same(
        conv2d_loop(case.x, case.weight, *options), by_formula(case.x, case.weight, *options)
    )


@settings(deadline=None, max_examples=40)
@given(cases(largest=6), st.integers(1, 40))
def test_forward_is_the_loop(case: Case, block: int) -> None:
    options = (case.bias, case.stride, case.padding)
    expected = conv2d_loop(case.x, case.weight, *options)
    for way in WAYS:
        with forced(way, block):
            check(conv2d_forward(case.x, case.weight, *options), expected, way, case)


@settings(deadline=None, max_examples=250)
@given(cases(), st.integers(1, 150))
def test_every_way_in_blocks_of_any_size_are_the_formula(case: Case, block: int) -> None:
    before = [array.tobytes() for array in case.arrays]
    options = (case.stride, case.padding)
    y = by_formula(case.x, case.weight, case.bias, *options)
    gradients = gradients_by_formula(case.dy, case.x, case.weight, *options)
    for way in WAYS:
        with forced(way, block):
            check(conv2d_forward(case.x, case.weight, case.bias, *options), y, way, case)
            answer = conv2d_backward(case.dy, case.x, case.weight, *options)
            parts = (
                conv2d_input_gradient(case.dy, case.weight, case.x.shape, *options),
                conv2d_weight_gradient(case.dy, case.x, case.k, *options),
            )
        for actual, expected in zip((*answer, *parts), (*gradients, *gradients[:2]), strict=True):
            check(actual, expected, way, case)
    assert [array.tobytes() for array in case.arrays] == before


@pytest.mark.parametrize("way", [*WAYS, None])
@pytest.mark.parametrize(
    "shape", [(1, 2, 70, 90), (7, 2, 30, 41), (2, 1, 2, 5000), (3, 2, 5000, 1), (50, 4, 9, 8)]
)
@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_blocks_of_the_real_size(way: str | None, shape: tuple[int, ...], k: int) -> None:
    """Strips of a large image, several small images to a block, a row wider than a block."""
    rng = np.random.default_rng(1)
    x, weight = small_numbers(rng, shape, "f8"), small_numbers(rng, (4, shape[1], k, k), "f8")
    padded = np.pad(x, ((0, 0), (0, 0), *four_pads("same", k)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), (2, 3))
    y = np.einsum("nchwij,ocij->nohw", windows, weight)
    dy = small_numbers(rng, y.shape, "f8")
    dpadded = np.zeros_like(padded)
    for i, j in np.ndindex(k, k):
        reached = dpadded[:, :, i : i + shape[2], j : j + shape[3]]
        reached += np.einsum("nohw,oc->nchw", dy, weight[:, :, i, j])
    (above, _), (left, _) = four_pads("same", k)
    expected = (
        y,
        dpadded[:, :, above : above + shape[2], left : left + shape[3]],
        np.einsum("nohw,nchwij->ocij", dy, windows),
        dy.sum(axis=(0, 2, 3)),
    )
    with forced(way):
        answer = (
            conv2d_forward(x, weight, padding="same"),
            *conv2d_backward(dy, x, weight, padding="same"),
        )
    case = Case(x, weight, None, dy, 1, "same")
    for actual, right in zip(answer, expected, strict=True):
        check(actual, right, way or "winograd", case)


@pytest.mark.parametrize(
    ("way", "dtype", "tolerance"),
    [
        ("columns", "f4", 1e-6),
        ("columns", "f8", 1e-15),
        ("rows", "f4", 1e-6),
        ("rows", "f8", 1e-15),
        ("winograd", "f4", 5e-6),
        ("winograd", "f8", 1e-14),
    ],
)
def test_real_numbers_differ_by_rounding_only(way: str, dtype: str, tolerance: float) -> None:
    rng = np.random.default_rng(2)
    x, weight = rng.standard_normal((2, 8, 20, 30)), rng.standard_normal((4, 8, 3, 3))
    dy = rng.standard_normal((2, 4, 20, 30))
    x, weight, dy = x.astype(dtype), weight.astype(dtype), dy.astype(dtype)
    wide = [array.astype(np.longdouble) for array in (dy, x, weight)]
    expected = (
        by_formula(wide[1], wide[2], None, 1, "same"),
        *gradients_by_formula(*wide, 1, "same"),
    )
    with forced(way, 100):
        y = conv2d_forward(x, weight, padding="same")
        answer = (y, *conv2d_backward(dy, x, weight, padding="same"))
    for actual, right in zip(answer, expected, strict=True):
        assert actual.dtype == np.dtype(dtype)
        assert relative_error(actual, right) < tolerance


def test_written_out_examples() -> None:
    """Small enough to check by eye; the kernel is not flipped."""
    x = np.array([[[[1.0, 2, 3], [4, 5, 6]]]])
    weight = np.array([[[[1.0, 10], [100, 1000]]]])
    for conv in (conv2d_loop, conv2d_forward):
        assert conv(x, weight).tolist() == [[[[5421, 6532]]]]
        same = conv(x, weight, np.array([0.5]), 1, "same")  # the zeros are below and on the right
        assert same.tolist() == [[[[5421.5, 6532.5, 603.5], [54.5, 65.5, 6.5]]]]
        assert conv(x, weight, stride=2, padding=1).tolist() == [[[[1000, 3200], [40, 65]]]]


def test_one_lit_pixel_shows_the_kernel_turned_around() -> None:
    x = np.zeros((1, 1, 5, 6))
    x[0, 0, 2, 3] = 1
    weight = np.arange(1.0, 10).reshape(1, 1, 3, 3)
    for way in WAYS:
        with forced(way):
            y = conv2d_forward(x, weight, padding="same")
        np.testing.assert_allclose(y[0, 0, 1:4, 2:5], weight[0, 0, ::-1, ::-1], rtol=1e-14)
        assert np.count_nonzero(np.abs(y) > 1e-13) == 9


@pytest.mark.parametrize("way", ["columns", "rows"])
@pytest.mark.parametrize("block", [12, 4096])
def test_a_nan_spoils_only_the_outputs_that_see_it(way: str, block: int) -> None:
    """Also where the fast way computes positions that hang over the edge."""
    for row, column in itertools.product((0, 3, 6), (0, 4, 8)):
        x = np.ones((2, 3, 7, 9), np.float32)
        x[0, 1, row, column] = np.nan
        with forced(way, block):
            y = conv2d_forward(x, np.ones((2, 3, 3, 3), np.float32), padding="same")
        seen = np.zeros((2, 7, 9), bool)
        seen[0, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2] = True
        assert_same(np.isnan(y), np.stack([seen, seen], axis=1))


def test_a_nan_spoils_no_column_that_does_not_see_it() -> None:
    """Winograd's way mixes six rows, of neighbouring images too, and no more than that."""
    for row, column in itertools.product((0, 3, 6), (0, 4, 8)):
        x = np.ones((3, 3, 7, 9), np.float32)
        x[1, 1, row, column] = np.nan
        with forced("winograd"):
            y = conv2d_forward(x, np.ones((2, 3, 3, 3), np.float32), padding="same")
        assert np.isnan(y[1, :, row, column]).all()
        spoilt = np.isnan(y).any(axis=(0, 1, 2))
        assert not spoilt[: max(0, column - 1)].any()
        assert not spoilt[column + 2 :].any()
        assert np.isnan(y).any(axis=(1, 3)).sum() <= 8, "six rows at most, in two groups of four"


def test_the_channels_of_a_result_lie_last_in_memory() -> None:
    for way in WAYS:
        with forced(way):
            y = conv2d_forward(np.ones((2, 3, 4, 5)), np.ones((6, 3, 3, 3)), np.ones(6))
        assert y.transpose(0, 2, 3, 1).flags.c_contiguous


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("stride", [1, 2])
def test_the_whole_column_matrix_never_exists(way: str, stride: int) -> None:
    channels, k, side = 12, 5, 160 * stride
    x = np.ones((1, channels, side, side), np.float32)
    weight = np.ones((channels, channels, k, k), np.float32)
    y = conv2d_forward(x, weight, None, stride, 2)  # warm up: what is imported once is not counted
    whole_matrix = channels * k * k * y[0, 0].size * 4
    calls = (
        lambda: conv2d_forward(x, weight, None, stride, 2),
        lambda: conv2d_input_gradient(y, weight, x.shape, stride, 2),
        lambda: conv2d_weight_gradient(y, x, k, stride, 2),
    )
    for call in calls:
        with forced(way, 1024):
            tracemalloc.start()
            try:
                call()
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
        assert peak < whole_matrix / 4


# im2col and col2im


@settings(deadline=None, max_examples=100)
@given(cases())
def test_a_convolution_is_one_product_with_the_columns(case: Case) -> None:
    before = case.x.tobytes()
    columns = im2col(case.x, case.k, case.stride, case.padding)
    assert columns.dtype == case.x.dtype
    assert columns.flags.writeable
    assert not np.shares_memory(columns, case.x)
    y = case.weight.reshape(len(case.weight), -1) @ columns
    expected = by_formula(case.x, case.weight, None, case.stride, case.padding)
    assert_same(y.reshape(expected.shape).astype(expected.dtype), expected)
    assert case.x.tobytes() == before


@settings(deadline=None, max_examples=100)
@given(cases())
def test_col2im_is_the_adjoint_of_im2col(case: Case) -> None:
    arguments = (case.k, case.stride, case.padding)
    columns = im2col(case.x, *arguments)
    rng = np.random.default_rng(3)
    g = in_memory(small_numbers(rng, (1, *columns.shape), "i8"), "reversed")[0]
    g.flags.writeable = False
    dx = col2im(g, case.x.shape, *arguments)
    assert dx.shape == case.x.shape
    assert dx.dtype == g.dtype
    x = case.x.astype("i8")
    assert (im2col(x, *arguments) * g).sum() == (x * dx).sum()  # exactly: whole numbers


def test_col2im_adds_up_where_positions_overlap() -> None:
    columns = np.ones((1, 4, 2))
    assert col2im(columns, (1, 1, 2, 3), 2).tolist() == [[[[1, 2, 1], [1, 2, 1]]]]


# PyTorch


@pytest.fixture(scope="module")
def torch() -> Any:
    return require_torch()


@settings(deadline=None, max_examples=60)
@given(cases())
def test_like_pytorch(torch: Any, case: Case) -> None:
    functional = torch.nn.functional
    x, weight = (
        torch.from_numpy(np.array(a, "f8")).requires_grad_() for a in (case.x, case.weight)
    )
    (above, below), (left, right) = four_pads(case.padding, case.k)
    padded = functional.pad(x, (left, right, above, below))
    if case.padding in ("same", "valid"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remark on even kernels under "same"
            y = functional.conv2d(x, weight, stride=case.stride, padding=case.padding)
    else:
        y = functional.conv2d(padded, weight, stride=case.stride)
    y.backward(torch.from_numpy(np.array(case.dy, "f8")))
    options = (case.stride, case.padding)
    arrays = [a.astype("f8") for a in (case.dy, case.x, case.weight)]
    assert_same(conv2d_forward(*arrays[1:], None, *options), y.detach().numpy())
    dx, dweight, _ = conv2d_backward(*arrays, *options)
    assert_same(dx, x.grad.numpy())
    assert_same(dweight, weight.grad.numpy())
    if case.x.size:  # torch's unfold wants at least one image
        columns = functional.unfold(padded, case.k, stride=case.stride).detach()
        assert_same(im2col(arrays[1], case.k, *options), columns.numpy())
        folded = functional.fold(columns, padded.shape[2:], case.k, stride=case.stride).numpy()
        h, w = case.x.shape[2:]
        assert_same(
            col2im(columns.numpy(), case.x.shape, case.k, *options),
            folded[:, :, above : above + h, left : left + w],
        )


# GPUs


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("block", [7, 1000])
@pytest.mark.parametrize(
    ("k", "stride", "padding"),
    [(3, 1, "same"), (2, 1, "same"), (3, 2, 1), (4, 1, ((0, 5), (1, 0))), (1, 3, "valid")],
)
def test_every_array_module(
    xp: Any, way: str, block: int, k: int, stride: int, padding: Any
) -> None:
    rng = np.random.default_rng(4)
    x, weight, bias = (small_numbers(rng, s, "f8") for s in ((2, 3, 5, 7), (4, 3, k, k), (4,)))
    y = by_formula(x, weight, bias, stride, padding)
    dy = small_numbers(rng, y.shape, "f8")
    there = {name: xp.asarray(a) for name, a in (("x", x), ("w", weight), ("b", bias), ("dy", dy))}
    options = (stride, padding)
    with forced(way, block):
        answer = [conv2d_forward(there["x"], there["w"], there["b"], *options)]
        answer += conv2d_backward(there["dy"], there["x"], there["w"], *options)
        columns = im2col(there["x"], k, *options)
        answer += [columns, col2im(columns, x.shape, k, *options)]
    columns = im2col(x, k, *options)
    expected = [y, *gradients_by_formula(dy, x, weight, *options)]
    expected += [columns, col2im(columns, x.shape, k, *options)]
    for actual, right in zip(answer, expected, strict=True):
        assert isinstance(actual, xp.ndarray)
        check(to_host(actual), right, way, Case(x, weight, bias, dy, stride, padding))


def test_the_loop_on_every_array_module(xp: Any) -> None:
    x, weight, bias = np.ones((1, 2, 3, 3)), np.ones((1, 2, 2, 2)), np.ones(1)
    y = conv2d_loop(xp.asarray(x), xp.asarray(weight), xp.asarray(bias))
    assert isinstance(y, xp.ndarray)
    assert_same(to_host(y), np.full((1, 1, 2, 2), 9.0))


def test_the_gradient_in_x_is_the_adjoint(xp: Any) -> None:
    rng = np.random.default_rng(5)
    weight = xp.asarray(rng.standard_normal((4, 3, 3, 3)))
    gap = adjoint_gap(
        lambda x: conv2d_forward(x, weight, None, 2, 1),
        lambda g: conv2d_input_gradient(g, weight, (2, 3, 6, 9), 2, 1),
        xp.asarray(rng.standard_normal((2, 3, 6, 9))),
        xp.asarray(rng.standard_normal((2, 4, 3, 5))),
    )
    assert gap < 1e-14


# Errors

X, W, B = np.ones((2, 3, 5, 6)), np.ones((4, 3, 3, 3)), np.ones(4)
DY = np.ones((2, 4, 3, 4))
PADDING_ERRORS = [
    ("full", ValueError, "padding must be 'same', 'valid' or a number, got 'full'"),
    (-1, ValueError, "padding must be at least 0, got -1"),
    (1.0, TypeError, "padding must be a whole number, got 1.0"),
    (True, TypeError, "padding must be a whole number, got True"),
    (None, TypeError, "padding must be a whole number, got None"),
    (
        (1, 1),
        ValueError,
        "padding as a tuple must be ((above, below), (left, right)), got (1, 1)",
    ),
    (
        ((1, 1), (1,)),
        ValueError,
        "padding as a tuple must be ((above, below), (left, right)), got ((1, 1), (1,))",
    ),
    (((1, 1), (1, -1)), ValueError, "padding must be at least 0, got -1"),
]


@pytest.mark.parametrize(("padding", "error", "message"), PADDING_ERRORS)
def test_messages_about_padding(padding: Any, error: type[Exception], message: str) -> None:
    calls = (
        lambda: conv2d_loop(X, W, padding=padding),
        lambda: conv2d_forward(X, W, padding=padding),
        lambda: conv2d_backward(DY, X, W, padding=padding),
        lambda: im2col(X, 3, padding=padding),
        lambda: col2im(np.ones((2, 27, 12)), X.shape, 3, padding=padding),
    )
    for call in calls:
        with pytest.raises(error, match=rf"^\w+: {re.escape(message)}$"):
            call()


@pytest.mark.parametrize("conv", [conv2d_loop, conv2d_forward])
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((X[0], W), ValueError, "x must be (N, C, H, W), got shape (3, 5, 6)"),
        ((X, W[0]), ValueError, "weight must be (N, C, H, W), got shape (3, 3, 3)"),
        ((X, W[:, :2]), ValueError, "x has 3 channels, but weight (4, 2, 3, 3) takes 2"),
        ((X, W[..., :2]), ValueError, "weight must have a square kernel, got shape (4, 3, 3, 2)"),
        ((X, W[:0]), ValueError, "weight must not be empty, got shape (0, 3, 3, 3)"),
        ((X[:, :0], W[:, :0]), ValueError, "weight must not be empty, got shape (4, 0, 3, 3)"),
        (
            (X, W, B[:3]),
            ValueError,
            "bias must have shape (4,), one for each output channel, got (3,)",
        ),
        ((X.astype(complex), W), TypeError, "x must hold real numbers, got complex128"),
        ((X, W > 0), TypeError, "weight must hold real numbers, got bool"),
        ((X, W, B, 0), ValueError, "stride must be at least 1, got 0"),
        ((X, W, B, 1.5), TypeError, "stride must be a whole number, got 1.5"),
        (
            (X[:, :, :2], W),
            ValueError,
            "a 3x3 kernel does not fit an input of 2x6 padded to 2x6",
        ),
        (
            (X[:, :, :0], W, None, 1, 1),
            ValueError,
            "a 3x3 kernel does not fit an input of 0x6 padded to 2x8",
        ),
    ],
)
def test_messages_of_a_convolution(
    conv: Any, arguments: tuple[Any, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{re.escape(f'{conv.__name__}: {message}')}$"):
        conv(*arguments)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: conv2d_forward(X, W, stride=2, padding="same"),
            ValueError,
            "conv2d_forward: padding='same' needs stride 1, got stride=2",
        ),
        (
            lambda: conv2d_forward(X.tolist(), W),
            TypeError,
            "conv2d_forward: x must be a NumPy or CuPy array, got list",
        ),
        (
            lambda: conv2d_forward(X, W, [0, 0, 0, 0]),
            TypeError,
            "conv2d_forward: bias must be a NumPy or CuPy array, got list",
        ),
        (
            lambda: conv2d_input_gradient(DY[:, :3], W, X.shape),
            ValueError,
            "conv2d_input_gradient: dy must be (2, 4, 3, 4), like the output of an input of "
            "(2, 3, 5, 6), got (2, 3, 3, 4)",
        ),
        (
            lambda: conv2d_input_gradient(DY, W, (2, 5, 5, 6)),
            ValueError,
            "conv2d_input_gradient: shape must be (N, 3, H, W) for weight (4, 3, 3, 3), "
            "got (2, 5, 5, 6)",
        ),
        (
            lambda: conv2d_input_gradient(DY, W, (5, 6)),
            ValueError,
            "conv2d_input_gradient: shape must be (N, 3, H, W) for weight (4, 3, 3, 3), got (5, 6)",
        ),
        (
            lambda: conv2d_weight_gradient(DY[:1], X, 3),
            ValueError,
            "conv2d_weight_gradient: dy must be (2, 4, 3, 4), like the output of an input of "
            "(2, 3, 5, 6), got (1, 4, 3, 4)",
        ),
        (
            lambda: conv2d_weight_gradient(DY[0, 0], X, 3),
            ValueError,
            "conv2d_weight_gradient: dy must be (N, C, H, W), got shape (3, 4)",
        ),
        (
            lambda: conv2d_weight_gradient(DY, X, 0),
            ValueError,
            "conv2d_weight_gradient: kernel_size must be at least 1, got 0",
        ),
        (
            lambda: im2col(X[0], 3),
            ValueError,
            "im2col: x must be (N, C, H, W), got shape (3, 5, 6)",
        ),
        (
            lambda: im2col(X, 7),
            ValueError,
            "im2col: a 7x7 kernel does not fit an input of 5x6 padded to 5x6",
        ),
        (
            lambda: col2im(np.ones((2, 27, 11)), X.shape, 3),
            ValueError,
            "col2im: columns of (2, 3, 5, 6) under a 3x3 kernel must be (2, 27, 12), "
            "got (2, 27, 11)",
        ),
        (
            lambda: col2im(np.ones((2, 27, 12)), (3, 5, 6), 3),
            ValueError,
            "col2im: shape must be (N, C, H, W), got (3, 5, 6)",
        ),
    ],
)
def test_other_messages(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()
