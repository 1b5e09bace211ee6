"""The calls of `arguments`, with good arguments and with every kind of bad ones."""

from __future__ import annotations

import inspect
import re
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from argument_kinds import DONE, SPREADS, Case
from arguments import CALLS, MODULES, NOT_HERE, Call

SECONDS = 20  # that no call may take


def public_names() -> Iterator[str]:
    """Yield every function and class of the contract, and every method that a class defines."""
    for module_name, module in MODULES.items():
        for name, thing in vars(module).items():
            if name.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
                continue
            if not (inspect.isfunction(thing) or inspect.isclass(thing)):
                continue
            yield f"{module_name}.{name}"
            if inspect.isclass(thing):
                yield from (
                    f"{module_name}.{name}.{method}"
                    for method, found in vars(thing).items()
                    if not method.startswith("_")
                    and callable(getattr(thing, method))
                    and not isinstance(found, property)
                )


def test_every_public_name_has_a_row() -> None:
    names, rows = set(public_names()), {call.name for call in CALLS}
    base = {name for name in names if name.rpartition(".")[0] in NOT_HERE}
    missing = names - rows - set(NOT_HERE) - base
    assert not missing, f"no row in tests/arguments.py: {sorted(missing)}"
    assert not (set(NOT_HERE) - names - {"layers.Sequential.params", "layers.Sequential.grads"})


@contextmanager
def watched() -> Iterator[None]:
    """End a call that hangs, and let NumPy warn of what is not finite."""

    def hang(*_: object) -> None:
        raise AssertionError(f"no answer after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


CASES = [(call, *case) for call in CALLS for case in call.cases()]


@pytest.mark.parametrize(
    ("call", "argument", "case", "outcome"),
    CASES,
    ids=[f"{call.name}-{argument}-{case.words}" for call, argument, case, _ in CASES],
)
def test_a_bad_argument(call: Call, argument: str, case: Case, outcome: str) -> None:
    given = call.good()
    given[argument] = value = case.make(given[argument])
    before = {name: plain_copy(value) for name, value in given.items()}
    if outcome == DONE:
        expected = call.function()(**call.good() | {argument: plain_copy(value)})
        with watched():
            result = call.function()(**given)
        assert_same(result, expected)
    elif outcome == SPREADS:
        with watched():
            result = call.function()(**given)
        parts = result if isinstance(result, tuple | list) else [result]
        assert not all(np.isfinite(part).all() for part in parts)
    else:
        with watched(), pytest.raises(ERRORS[outcome]) as caught:
            call.function()(**given)
        (line,) = str(caught.value).splitlines()
        assert len(line) < 300
        if outcome != "OSError":
            assert type(caught.value) is ERRORS[outcome]
            named(str(caught.value), argument, call.kinds[argument])
    for name, as_it_was in before.items():
        assert_same(plain_copy(given[name]), as_it_was)


ERRORS = {error.__name__: error for error in (TypeError, ValueError, OSError)}
OF_THE_SYSTEM = ("path", "folder")  # whose errors are Python's own, as `open` raises them
BY_ENTRY = ("arrays", "state", "any")  # where the message names an entry, or there is one argument
NAMES = {part for name in public_names() for part in name.split(".")[1:]}


def named(words: str, argument: str, kind: str) -> None:
    """Assert that a message begins with a function of ours, and names the argument."""
    if kind in OF_THE_SYSTEM or "null" in words:  # bytes that no name can hold
        return
    first = re.match(r"[\w.]+", words)
    assert first, words
    assert set(first[0].split(".")) & NAMES, words
    assert kind in BY_ENTRY or re.search(rf"\b{argument}\b|\ban input\b|\bpicture\b", words), words


def plain_copy(value: Any) -> Any:
    """Return an array in native bytes and C order, a number of Python's, and all else as it is."""
    if isinstance(value, dict):
        return {key: plain_copy(part) for key, part in value.items()}
    if isinstance(value, np.generic):
        return value.item()
    if not isinstance(value, np.ndarray):
        return value
    return np.array(value, value.dtype.newbyteorder("="), order="C")


def assert_same(one: Any, two: Any) -> None:
    """Assert that two results agree: arrays to rounding, all else by its kind."""
    assert type(one) is type(two)
    if isinstance(one, tuple | list):
        assert len(one) == len(two)
        for a, b in zip(one, two, strict=True):
            assert_same(a, b)
    elif isinstance(one, np.ndarray) and one.dtype.kind in "fc" and one.size:
        scale = np.abs(two[np.isfinite(two)]).max(initial=0)
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-6 * scale)
    elif isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, two)
    elif isinstance(one, int | float | str):
        assert one == (pytest.approx(two, nan_ok=True) if isinstance(one, float) else two)
