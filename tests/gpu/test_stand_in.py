"""Show that the stand-in refuses what would break on a GPU, and nothing that would not."""

from __future__ import annotations

import importlib.util
import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import strict_cupy
from helpers import require_gpu
from strict_cupy import record_names
from strict_cupy._rules import NAMES, RECORD

from npespcn.arrays import array_module
from npespcn.fast.gpu import to_host

Function = Callable[[Any], Any]

HOST = np.arange(24, dtype=np.float32).reshape(2, 3, 4) + 1
HOST.setflags(write=False)

# Each slip is one line that runs on NumPy and must not pass on a device, with the line that ought
# to have been written. `x` is a float32 array of shape (2, 3, 4).
SLIPS: dict[str, tuple[Function, Function]] = {
    "numpy's ufunc": (lambda x: np.tanh(x), lambda x: array_module(x).tanh(x)),
    "numpy's function": (lambda x: np.sum(x), lambda x: array_module(x).sum(x)),
    "numpy's concatenate": (
        lambda x: np.concatenate([x, x]),
        lambda x: array_module(x).concatenate([x, x]),
    ),
    "conversion": (lambda x: np.asarray(x), lambda x: to_host(x)),
    "a buffer on the host": (
        lambda x: array_module(x).add(x, x, out=np.empty(x.shape, x.dtype)),
        lambda x: array_module(x).add(x, x, out=array_module(x).empty(x.shape, x.dtype)),
    ),
    "a bias on the host": (
        lambda x: x + np.ones(4, x.dtype),
        lambda x: x + array_module(x).ones(4, x.dtype),
    ),
    "the host first": (
        lambda x: np.ones(4, x.dtype) * x,
        lambda x: array_module(x).ones(4, x.dtype) * x,
    ),
    "added in place": (lambda x: _iadd(x, HOST), lambda x: _iadd(x, x)),
    "added in place to the host": (lambda x: _iadd(HOST.copy(), x), lambda x: _iadd(x.copy(), x)),
    "a host constant with no dimensions": (
        lambda x: x * np.array(2, np.float32),
        lambda x: x * np.float32(2),
    ),
    "assigned from the host": (
        lambda x: _assign(x, ..., HOST),
        lambda x: _assign(x, ..., array_module(x).asarray(HOST)),
    ),
    "assigned to the host": (
        lambda x: _assign(np.zeros(x.shape), ..., x),
        lambda x: _assign(np.zeros(x.shape), ..., to_host(x)),
    ),
    "assigned from a list": (lambda x: _assign(x, 0, [1, 2, 3, 4]), lambda x: _assign(x, 0, 1.0)),
    "indices on the host": (
        lambda x: x[:, np.array([2, 0])],
        lambda x: x[:, array_module(x).asarray([2, 0])],
    ),
    "a mask on the host": (lambda x: x[to_host(x) > 3], lambda x: x[x > 3]),
    "compared with the host": (lambda x: x == HOST, lambda x: x == array_module(x).asarray(HOST)),
    "a size on the device": (
        lambda x: range(x[0, 0, 0].astype(int)),
        lambda x: range(int(x[0, 0, 0])),
    ),
    "a shape on the device": (
        lambda x: x.reshape(x[0, 0, 1].astype(int), -1),
        lambda x: x.reshape(int(x[0, 0, 1]), -1),
    ),
    "a slice bound on the device": (
        lambda x: x[:, : x[0, 0, 1].astype(int)],
        lambda x: x[:, : int(x[0, 0, 1])],
    ),
    "a mixed sequence": (
        lambda x: array_module(x).concatenate([x, np.zeros_like(HOST)]),
        lambda x: array_module(x).concatenate([x, array_module(x).zeros_like(x)]),
    ),
    "a list of losses": (
        lambda x: np.array([x.mean(), x.max()]),
        lambda x: np.array([float(x.mean()), float(x.max())]),
    ),
    "a list summed": (
        lambda x: array_module(x).sum([x.mean(), x.max()]),
        lambda x: array_module(x).stack([x.mean(), x.max()]).sum(),
    ),
    "saved": (
        lambda x: np.savez(io.BytesIO(), x=x),
        lambda x: np.savez(io.BytesIO(), x=to_host(x)),
    ),
    "a view of the memory": (lambda x: memoryview(x), lambda x: memoryview(to_host(x))),
    "a read-only window": (
        lambda x: _strided(x)(x, (2, 2), (4, 4), writeable=False),
        lambda x: _strided(x)(x, (2, 2), (4, 4)),
    ),
    "write-protected": (lambda x: x.setflags(write=False), lambda x: x.copy()),
    "a function that CuPy lacks": (
        lambda x: array_module(x).block([[x], [x]]),
        lambda x: array_module(x).concatenate([x, x], axis=-2),
    ),
    "a ufunc with where": (
        lambda x: array_module(x).sqrt(x, where=x > 0, out=array_module(x).zeros_like(x)),
        lambda x: array_module(x).sqrt(array_module(x).where(x > 0, x, 0)),
    ),
    "a sum with where": (
        lambda x: array_module(x).sum(x, where=x > 0),
        lambda x: array_module(x).sum(x * (x > 0)),
    ),
    "einsum with out": (
        lambda x: array_module(x).einsum("abc->a", x, out=array_module(x).empty(2, x.dtype)),
        lambda x: array_module(x).einsum("abc->a", x),
    ),
    "a named result": (
        lambda x: array_module(x).linalg.qr(x[0]).Q,
        lambda x: array_module(x).linalg.qr(x[0])[0],
    ),
    "a maximum over an axis by the ufunc": (
        lambda x: array_module(x).maximum.reduce(x, axis=0),
        lambda x: x.max(axis=0),
    ),
    "random numbers on the device": (
        lambda x: array_module(x).random.default_rng(0).normal(size=x.shape),
        lambda x: array_module(x).asarray(np.random.default_rng(0).normal(size=x.shape)),
    ),
    "a permutation on the device": (
        lambda x: array_module(x).random.default_rng(0).permutation(2),
        lambda x: array_module(x).asarray(np.random.default_rng(0).permutation(2)),
    ),
    "math on an array": (lambda x: math.exp(x), lambda x: math.exp(x[0, 0, 0])),
    "rounded": (lambda x: round(x.mean(), 2), lambda x: round(float(x.mean()), 2)),
    "a scalar type": (lambda x: np.float32(x.mean()), lambda x: np.float32(float(x.mean()))),
}

# Refused by the stand-in alone: see its docstring.
SILENT = {
    "numpy's ufunc",
    "numpy's function",
    "numpy's concatenate",
    "indices on the host",
    "a mask on the host",
    "a slice bound on the device",
    "saved",
}


def _iadd(x: Any, y: Any) -> Any:
    x += y
    return x


def _assign(x: Any, key: Any, value: Any) -> Any:
    x[key] = value
    return x


def _strided(x: Any) -> Any:
    return array_module(x).lib.stride_tricks.as_strided


def test_refuses_every_slip_and_takes_its_twin() -> None:
    """As NumPy takes both, and gives the same for the twin."""
    for slip, (wrong, right) in SLIPS.items():
        with pytest.raises((TypeError, AttributeError, NotImplementedError)):
            print(slip, wrong(strict_cupy.asarray(HOST)))
        if slip != "math on an array":  # which NumPy refuses as well
            wrong(HOST.copy())
        compare(slip, right(strict_cupy.asarray(HOST.copy())), right(HOST.copy()), strict_cupy)


@pytest.mark.gpu
def test_cupy_refuses_every_slip_and_takes_its_twin() -> None:
    cupy = require_gpu()
    for slip, (wrong, right) in SLIPS.items():
        if slip not in SILENT:
            with pytest.raises((TypeError, ValueError, AttributeError, NotImplementedError)):
                print(slip, wrong(cupy.asarray(HOST)))
        compare(slip, right(cupy.asarray(HOST.copy())), right(HOST.copy()), cupy)


def compare(slip: str, actual: Any, expected: Any, xp: Any) -> None:
    if isinstance(actual, xp.ndarray):
        assert actual.dtype == expected.dtype, slip
        np.testing.assert_allclose(to_host(actual), expected, rtol=1e-5, err_msg=slip)
    elif isinstance(expected, np.ndarray | float | range):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, err_msg=slip)


def test_is_its_own_array_module() -> None:
    x = strict_cupy.asarray(HOST)
    assert array_module(x) is strict_cupy
    assert not isinstance(x, np.ndarray)


def test_transfers_copy() -> None:
    host = HOST.copy()
    x = strict_cupy.asarray(host)
    back = x.get()
    x *= 2
    np.testing.assert_array_equal(host, HOST)
    np.testing.assert_array_equal(back, HOST)
    np.testing.assert_array_equal(strict_cupy.asnumpy(x), 2 * HOST)
    assert strict_cupy.asarray(x) is x


def test_views_share_memory() -> None:
    x = strict_cupy.asarray(HOST)
    x[0].T[...] = 7
    element = x[1, 0, 0]  # no scalar: a view with no dimensions, as in CuPy
    element[...] = 9
    expected = HOST.copy()
    expected[0], expected[1, 0, 0] = 7, 9
    np.testing.assert_array_equal(x.get(), expected)


def test_results_without_dimensions_stay_on_the_device() -> None:
    x = strict_cupy.asarray(HOST)
    for value in (x.sum(), strict_cupy.mean(x), x[0, 0, 0], strict_cupy.allclose(x, x)):
        assert isinstance(value, strict_cupy.ndarray)
        assert value.shape == ()
    assert f"{x.max():.1f}" == "24.0"
    assert bool(strict_cupy.isfinite(x).all())


def test_scalars_promote_as_in_numpy_2() -> None:
    x = strict_cupy.asarray(HOST)
    for scalar, dtype in ((2, "f4"), (2.0, "f4"), (np.float32(2), "f4"), (np.float64(2), "f8")):
        assert (x * scalar).dtype == (scalar * x).dtype == (HOST * scalar).dtype == dtype
        np.testing.assert_array_equal((scalar - x).get(), scalar - HOST)


def test_new_arrays_are_c_contiguous_as_cupys_are() -> None:
    x = strict_cupy.asarray(HOST).transpose(2, 0, 1)
    assert not x.flags.c_contiguous
    assert (x + 1).flags.c_contiguous
    assert strict_cupy.exp(x).flags["C_CONTIGUOUS"]


def test_out_is_returned_itself() -> None:
    x = strict_cupy.asarray(HOST)
    out = strict_cupy.empty_like(x)
    assert strict_cupy.multiply(x, 3, out=out) is out
    assert strict_cupy.sum(x, axis=0, out=out[0]).shape == (3, 4)
    np.testing.assert_array_equal(out[1].get(), 3 * HOST[1])


def test_every_name_is_offered_or_says_why_not() -> None:
    for name in NAMES[""]:
        try:
            getattr(strict_cupy, name)
        except AttributeError as error:
            assert f"cupy.{name}" in str(error)  # noqa: PT017
    for name in ("block", "insert", "geomspace"):  # NumPy has them, CuPy 14 does not
        with pytest.raises(AttributeError, match="has no"):
            getattr(strict_cupy, name)


@pytest.mark.skipif(importlib.util.find_spec("cupy") is None, reason="CuPy is not installed")
def test_names_are_cupys_own() -> None:
    recorded = record_names.record()
    if recorded["cupy"] != RECORD["cupy"]:
        pytest.skip(f"names.json was recorded from CuPy {RECORD['cupy']}")
    assert recorded == RECORD
