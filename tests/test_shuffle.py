"""Pixel shuffle: three variants, three orders, two layouts, and the inverse."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
from helpers import adjoint_gap, require_torch
from hypothesis import given, settings
from hypothesis import strategies as st
from record_torch_shuffle import CASES, RECORDING

from npespcn import shuffle
from npespcn.common import Array
from npespcn.fast.gpu import to_host
from npespcn.shuffle import (
    channel_formula,
    channel_permutation,
    pixel_shuffle,
    pixel_shuffle_concat,
    pixel_shuffle_loop,
    pixel_shuffle_reshape,
    pixel_unshuffle,
)

ORDERS = ("CRD", "DCR", "paper")
METHODS = ("loop", "reshape", "concat")
VARIANTS = (pixel_shuffle_loop, pixel_shuffle_reshape, pixel_shuffle_concat)
DTYPES = ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "c8", ">f4", ">i2")
MEMORY = ("C", "F", "strided", "reversed", "channels last", "read-only", "broadcast")


def channel_of(order: str, c: int, row: int, col: int, channels: int, r: int) -> int:
    """Say where a pixel comes from, with the formulas of the contract written out."""
    if order == "CRD":
        return c * r**2 + (row % r) * r + col % r
    if order == "DCR":
        return ((row % r) * r + col % r) * channels + c
    return ((col % r) * r + row % r) * channels + c


def shuffled_by_formula(x: Array, r: int, order: str) -> Array:
    """Shuffle (*, C*r*r, H, W), one output pixel at a time."""
    *lead, channels, h, w = x.shape
    channels //= r * r
    y = np.empty((*lead, channels, h * r, w * r), x.dtype)
    for c, row, col in np.ndindex(y.shape[-3:]):
        y[..., c, row, col] = x[
            ..., channel_of(order, c, row, col, channels, r), row // r, col // r
        ]
    return y


def to_layout(x: Array, layout: str) -> Array:
    return x if layout == "NCHW" else np.moveaxis(x, -3, -1)


def in_memory(x: Array, kind: str) -> Array:
    """Return an array of the same values (but for "broadcast") that lies differently in memory."""
    if kind == "F":
        return np.asfortranarray(x)
    if kind == "strided":
        wide = np.repeat(np.repeat(x, 2, axis=-1), 3, axis=-3)
        return wide[..., ::3, :, 1::2]
    if kind == "reversed":
        return np.ascontiguousarray(x[..., ::-1, ::-1])[..., ::-1, ::-1]
    if kind == "channels last":
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, -3, -1)), -1, -3)
    if kind == "broadcast":
        return np.broadcast_to(x[..., :1], x.shape)
    x = x.copy()
    x.flags.writeable = kind != "read-only"
    return x


def random_bits(shape: tuple[int, ...], dtype: str, seed: int) -> Array:
    """Return random bits: among floats NaNs with payloads, infinities and negative zeros."""
    rng = np.random.default_rng(seed)
    if dtype == "?":
        return rng.integers(0, 2, shape).astype(bool)
    count = math.prod(shape) * np.dtype(dtype).itemsize
    return rng.integers(0, 256, count, dtype=np.uint8).view(dtype).reshape(shape)


def assert_same_bits(actual: Array, expected: Array) -> None:
    assert type(actual) is np.ndarray
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    assert actual.dtype.byteorder == expected.dtype.byteorder
    assert actual.tobytes() == expected.tobytes()


def assert_fresh(result: Array, argument: Array) -> None:
    assert result.flags.c_contiguous
    assert result.flags.writeable
    assert not np.shares_memory(result, argument)


def check_everything(x: Array, r: int) -> None:
    """Shuffle (*, C*r*r, H, W) and back by every method, order and layout."""
    before = x.tobytes()
    for variant in VARIANTS:
        y = variant(x, r)
        assert_same_bits(y, shuffled_by_formula(x, r, "CRD"))
        assert_fresh(y, x)
    for order in ORDERS:
        expected = shuffled_by_formula(x, r, order)
        for layout in ("NCHW", "NHWC"):
            options = {"order": order, "layout": layout}
            there, answer = to_layout(x, layout), to_layout(expected, layout)
            for method in METHODS:
                y = pixel_shuffle(there, r, method=method, **options)
                assert_same_bits(y, answer)
                assert_fresh(y, x)
            back = pixel_unshuffle(answer, r, **options)
            assert_same_bits(back, there)
            assert_fresh(back, expected)
    assert x.tobytes() == before


@settings(deadline=None, max_examples=100)
@given(
    lead=st.lists(st.integers(1, 3), max_size=3),
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)),
    r=st.integers(1, 4),
    dtype=st.sampled_from(DTYPES),
    memory=st.sampled_from(MEMORY),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_shape(
    lead: list[int], sizes: tuple[int, int, int], r: int, dtype: str, memory: str, seed: int
) -> None:
    c, h, w = sizes
    check_everything(in_memory(random_bits((*lead, c * r * r, h, w), dtype, seed), memory), r)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("memory", MEMORY)
def test_any_dtype_in_any_memory(dtype: str, memory: str) -> None:
    check_everything(in_memory(random_bits((2, 2, 12, 2, 3), dtype, 0), memory), 2)


@pytest.mark.parametrize("r", [1, 2, 3])
@pytest.mark.parametrize("memory", MEMORY[:-1])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_unshuffle_of_any_memory(r: int, memory: str, order: str, layout: str) -> None:
    image = random_bits((2, 3, 2 * r, 4 * r), "f4", r)
    y = to_layout(in_memory(image, memory), layout)
    before = y.tobytes()
    x = pixel_unshuffle(y, r, order=order, layout=layout)
    assert_fresh(x, y)
    assert_same_bits(pixel_shuffle(x, r, order=order, layout=layout), y)
    assert y.tobytes() == before


@pytest.mark.parametrize("r", [1, 2])
@pytest.mark.parametrize("shape", [(0, 3, 2, 3), (2, 0, 2, 3), (2, 3, 0, 3), (2, 3, 2, 0)])
def test_empty_arrays(shape: tuple[int, ...], r: int) -> None:
    lead, c, h, w = shape
    check_everything(np.empty((lead, c * r * r, h, w), np.float32), r)
    check_everything(np.empty((0, lead, c * r * r, h, w), np.float32), r)


@pytest.mark.parametrize("threads", ["1", "3"])
@pytest.mark.parametrize("piece", [1, 7, 20, 64, 1000])
@pytest.mark.parametrize("memory", ["C", "channels last", "strided"])
def test_pieces_change_nothing(
    monkeypatch: pytest.MonkeyPatch, memory: str, piece: int, threads: str
) -> None:
    monkeypatch.setattr(shuffle, "_PIECE", piece)
    monkeypatch.setenv("NPESPCN_THREADS", threads)
    for shape, r in [((18, 13, 5), 3), ((2, 3, 8, 4, 5), 2), ((1, 4, 1, 70), 2), ((5, 3, 9, 2), 1)]:
        x = in_memory(random_bits(shape, "f4", 5), memory)
        y = pixel_shuffle(x, r)
        assert_same_bits(y, shuffled_by_formula(x, r, "CRD"))
        assert_fresh(y, x)


def test_a_written_out_example() -> None:
    """C = 2, r = 2, one row of two LR pixels: short enough to check by eye."""
    x = np.arange(16).reshape(8, 1, 2)
    assert pixel_shuffle(x, 2).tolist() == [
        [[0, 2, 1, 3], [4, 6, 5, 7]],
        [[8, 10, 9, 11], [12, 14, 13, 15]],
    ]
    assert pixel_shuffle(x, 2, order="DCR").tolist() == [
        [[0, 4, 1, 5], [8, 12, 9, 13]],
        [[2, 6, 3, 7], [10, 14, 11, 15]],
    ]
    assert pixel_shuffle(x, 2, order="paper").tolist() == [
        [[0, 8, 1, 9], [4, 12, 5, 13]],
        [[2, 10, 3, 11], [6, 14, 7, 15]],
    ]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_unshuffle_is_the_adjoint(xp: Any, order: str, layout: str) -> None:
    rng = np.random.default_rng(1)
    x, g = rng.standard_normal((2, 27, 2, 4)), rng.standard_normal((2, 3, 6, 12))
    options = {"order": order, "layout": layout}
    gap = adjoint_gap(
        lambda a: pixel_shuffle(a, 3, **options),
        lambda a: pixel_unshuffle(a, 3, **options),
        xp.asarray(np.ascontiguousarray(to_layout(x, layout))),
        xp.asarray(np.ascontiguousarray(to_layout(g, layout))),
    )
    assert gap < 1e-14


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_every_array_module(xp: Any, method: str, order: str, layout: str) -> None:
    x = np.arange(2 * 27 * 2 * 4, dtype=np.float32).reshape(2, 27, 2, 4)
    expected = to_layout(shuffled_by_formula(x, 3, order), layout)
    x = to_layout(x, layout)
    there = xp.asarray(x)
    y = pixel_shuffle(there, 3, method=method, order=order, layout=layout)
    assert isinstance(y, xp.ndarray)
    np.testing.assert_array_equal(to_host(y), expected)
    back = pixel_unshuffle(y, 3, order=order, layout=layout)
    assert isinstance(back, xp.ndarray)
    np.testing.assert_array_equal(to_host(back), x)


@pytest.fixture(scope="module")
def torch() -> Any:
    return require_torch()


@settings(deadline=None)
@given(
    lead=st.lists(st.integers(0, 3), max_size=3),
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5)),
    r=st.integers(1, 5),
    dtype=st.sampled_from(["?", "u1", "i2", "i4", "i8", "f2", "f4", "f8", "c8"]),
)
def test_like_pytorch_live(
    torch: Any, lead: list[int], sizes: tuple[int, int, int], r: int, dtype: str
) -> None:
    c, h, w = sizes
    x = np.arange(math.prod([*lead, c, r, r, h, w])).astype(dtype).reshape(*lead, c * r * r, h, w)
    y = torch.nn.PixelShuffle(r)(torch.from_numpy(x)).numpy()
    for method in METHODS:
        assert_same_bits(pixel_shuffle(x, r, method=method), y)
    image = x.reshape(y.shape)
    answer = torch.nn.PixelUnshuffle(r)(torch.from_numpy(image)).numpy()
    if x.size == 0:  # which PixelUnshuffle hands back as it came, in the shape of the image
        answer = answer.reshape(x.shape)
    assert_same_bits(pixel_unshuffle(image, r), answer)


@pytest.mark.parametrize("number", range(len(CASES)))
def test_like_pytorch_recorded(number: int) -> None:
    with np.load(RECORDING, allow_pickle=False) as recording:
        names = ("upscale_factor", "channels", "shuffled", "unshuffled")
        r, x, shuffled, unshuffled = (recording[f"{number}.{name}"] for name in names)
    assert (x.shape, int(r)) == CASES[number]
    for method in METHODS:
        assert_same_bits(pixel_shuffle(x, int(r), method=method), shuffled)
    assert_same_bits(pixel_unshuffle(x.reshape(shuffled.shape), int(r)), unshuffled)


@pytest.mark.parametrize("factor", [1, np.int64(3), np.int8(12), np.uint8(16)])
def test_factors_of_any_integer_type(factor: int) -> None:
    """In eight bits, 12 * 12 is -112 and 16 * 16 is 0."""
    r = int(factor)
    x = np.arange(r * r).reshape(r * r, 1, 1)
    image = np.arange(r * r).reshape(1, r, r)
    for variant in VARIANTS:
        np.testing.assert_array_equal(variant(x, factor), image)
    np.testing.assert_array_equal(pixel_shuffle(x, factor), image)
    np.testing.assert_array_equal(pixel_unshuffle(image, factor), x)
    np.testing.assert_array_equal(channel_permutation(1, factor, "DCR"), np.arange(r * r))


def test_other_dtypes_pass_through() -> None:
    """Strings, dates, records and objects are moved as they are."""
    numbers = np.arange(16).reshape(8, 1, 2)
    records = np.zeros(numbers.shape, dtype=[("a", "i4"), ("b", "f8")])
    records["a"] = numbers
    for x in (numbers.astype("<U2"), numbers.astype("M8[s]"), numbers.astype(object), records):
        for method in METHODS:
            y = pixel_shuffle(x, 2, method=method)
            assert y.dtype == x.dtype
            np.testing.assert_array_equal(y, shuffled_by_formula(x, 2, "CRD"))


def test_subclasses_give_plain_arrays(tmp_path: Any) -> None:
    x = np.memmap(tmp_path / "x", dtype=np.int32, mode="w+", shape=(8, 2, 3))
    x[:] = np.arange(x.size).reshape(x.shape)
    image = np.memmap(tmp_path / "x", dtype=np.int32, mode="r", shape=(2, 4, 6))
    for r in (1, 2):
        for order in ORDERS:
            assert type(pixel_unshuffle(image, r, order=order)) is np.ndarray
            for method in METHODS:
                assert type(pixel_shuffle(x, r, method=method, order=order)) is np.ndarray


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("channels", "r"), [(1, 1), (3, 1), (1, 3), (2, 2), (3, 4), (0, 2)])
def test_the_orders_differ_by_a_permutation(order: str, channels: int, r: int) -> None:
    p = channel_permutation(channels, r, order)
    places = [(c, i, j) for c in range(channels) for i in range(r) for j in range(r)]
    assert p.tolist() == [channel_of(order, c, i, j, channels, r) for c, i, j in places]
    assert p.dtype == np.intp
    x = np.random.default_rng(2).standard_normal((2, channels * r * r, 2, 3))
    y = pixel_shuffle(x, r, order=order)
    np.testing.assert_array_equal(y, pixel_shuffle(x[:, p], r))
    np.testing.assert_array_equal(pixel_unshuffle(y, r)[:, np.argsort(p)], x)


@pytest.mark.parametrize("order", ORDERS)
def test_the_printed_formula_is_right(order: str) -> None:
    channels, r = 3, 4
    names = {"C": channels, "r": r}
    for c, i, j in np.ndindex(channels, r, r):
        value = eval(channel_formula(order), {**names, "c": c, "i": i, "j": j})  # noqa: S307
        assert value == channel_of(order, c, i, j, channels, r)


X = np.zeros((1, 4, 2, 3), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: pixel_shuffle(np.zeros((1, 10, 4, 5)), 2),
            ValueError,
            "pixel_shuffle: 10 channels cannot be split into r*r = 4 groups (upscale_factor=2); "
            "x has shape (1, 10, 4, 5)",
        ),
        (
            lambda: pixel_shuffle(np.zeros((1, 4, 5, 10)), 2, layout="NHWC"),
            ValueError,
            "pixel_shuffle: 10 channels cannot be split into r*r = 4 groups (upscale_factor=2); "
            "x has shape (1, 4, 5, 10)",
        ),
        (
            lambda: pixel_unshuffle(np.zeros((1, 5, 4)), 2),
            ValueError,
            "pixel_unshuffle: height 5 is not a multiple of downscale_factor=2; "
            "x has shape (1, 5, 4)",
        ),
        (
            lambda: pixel_unshuffle(np.zeros((6, 7, 3)), 3, layout="NHWC"),
            ValueError,
            "pixel_unshuffle: width 7 is not a multiple of downscale_factor=3; "
            "x has shape (6, 7, 3)",
        ),
        (
            lambda: pixel_shuffle(X, 2, method="magic"),
            ValueError,
            "pixel_shuffle: method must be one of 'loop', 'reshape', 'concat', got 'magic'",
        ),
        (
            lambda: pixel_shuffle(X, 2, order="crd"),
            ValueError,
            "pixel_shuffle: order must be one of 'CRD', 'DCR', 'paper', got 'crd'",
        ),
        (
            lambda: pixel_shuffle(X, 2, layout="HWC"),
            ValueError,
            "pixel_shuffle: layout must be one of 'NCHW', 'NHWC', got 'HWC'",
        ),
        (
            lambda: pixel_unshuffle(X, 1, order=None),
            ValueError,
            "pixel_unshuffle: order must be one of 'CRD', 'DCR', 'paper', got None",
        ),
        (
            lambda: pixel_unshuffle(X, 1, layout=["NCHW"]),
            ValueError,
            "pixel_unshuffle: layout must be one of 'NCHW', 'NHWC', got ['NCHW']",
        ),
        (
            lambda: channel_permutation(3, 2, "RGB"),
            ValueError,
            "channel_permutation: order must be one of 'CRD', 'DCR', 'paper', got 'RGB'",
        ),
        (
            lambda: channel_permutation(-1, 2, "CRD"),
            ValueError,
            "channel_permutation: channels must be at least 0, got -1",
        ),
        (
            lambda: channel_permutation(3.0, 2, "CRD"),
            TypeError,
            "channel_permutation: channels must be a whole number, got 3.0",
        ),
        (
            lambda: channel_formula("RGB"),
            ValueError,
            "channel_formula: order must be one of 'CRD', 'DCR', 'paper', got 'RGB'",
        ),
    ],
)
def test_messages(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()


FUNCTIONS = {
    function.__name__: (function, name)
    for function, name in [
        *((variant, "upscale_factor") for variant in (*VARIANTS, pixel_shuffle)),
        (pixel_unshuffle, "downscale_factor"),
    ]
}


@pytest.mark.parametrize("where", FUNCTIONS)
@pytest.mark.parametrize(
    ("x", "factor", "error", "message"),
    [
        (X, 0, ValueError, "{name} must be at least 1, got 0"),
        (X, -2, ValueError, "{name} must be at least 1, got -2"),
        (X, np.int64(-2), ValueError, "{name} must be at least 1, got -2"),
        (X, True, TypeError, "{name} must be a whole number, got True"),
        (X, np.True_, TypeError, "{name} must be a whole number, got np.True_"),
        (X, 2.0, TypeError, "{name} must be a whole number, got 2.0"),
        (X, "2", TypeError, "{name} must be a whole number, got '2'"),
        (X, None, TypeError, "{name} must be a whole number, got None"),
        (X.tolist(), 2, TypeError, "x must be a NumPy or CuPy array, got list"),
        (np.float64(1), 1, TypeError, "x must be a NumPy or CuPy array, got float64"),
        (X[0, 0], 1, ValueError, "x must have at least 3 axes, got shape (2, 3)"),
        (np.array(1.0), 1, ValueError, "x must have at least 3 axes, got shape ()"),
    ],
)
def test_messages_that_all_share(
    where: str, x: Any, factor: Any, error: type[Exception], message: str
) -> None:
    function, name = FUNCTIONS[where]
    expected = f"{where}: {message.format(name=name)}"
    with pytest.raises(error, match=f"^{re.escape(expected)}$"):
        function(x, factor)


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_variant_names_itself(variant: Any) -> None:
    expected = (
        f"{variant.__name__}: 10 channels cannot be split into r*r = 4 groups "
        "(upscale_factor=2); x has shape (10, 4, 5)"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        variant(np.zeros((10, 4, 5)), 2)
