"""Every public function, with every odd and wrong argument of `arguments`, in one loop."""

from __future__ import annotations

import copy
import importlib
import re
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from arguments import NOT_HERE, ROWS, Row
from test_house import BOOK, MAY_IMPORT

SECONDS = 20  # that no call may take
DOORS = MAY_IMPORT.keys() - {"common", "commands", "weights"}
ERRORS_OF_OPEN = ("path", "folder")  # kinds whose errors are Python's own


def public_names() -> Iterator[str]:
    """Yield every function and class of the book, and what the doors offer."""
    for part in [*BOOK[1:], *sorted(DOORS)]:
        module = importlib.import_module(f"npespcn.{part}")
        for name, thing in vars(module).items():
            ours = getattr(thing, "__module__", "").startswith("npespcn.")
            own = getattr(thing, "__module__", "") == module.__name__
            if ours and name[0] != "_" and (name in getattr(module, "__all__", []) or own):
                yield f"{part}.{name}"


NAMES = {name.partition(".")[2] for name in public_names()}


def test_every_public_name_has_a_row() -> None:
    rows = {row.name for row in ROWS}
    missing = {name for name in public_names() if name not in rows | NOT_HERE.keys()}
    assert {
        name for name in missing if not any(row.startswith(f"{name}.") for row in rows)
    } == set()


def test_odd_and_wrong_arguments() -> None:
    """A right result or an error; no crash, no hang, no changed argument."""
    failures, count = [], 0
    for row in ROWS:
        for argument, words, make, outcome in row.cases():
            if not outcome:
                continue
            count += 1
            try:
                check(row, argument, make(row.good[argument]), outcome)
            except Exception as error:  # all of them are wanted
                first = f"{type(error).__name__}: {error}".strip().splitlines()[0]
                failures.append(f"{row.name}, {argument} {words} ({outcome}): {first}")
    assert not failures, f"{len(failures)} of {count}:\n" + "\n".join(failures)


def check(row: Row, argument: str, value: Any, outcome: str) -> None:
    """Make one call, and raise what is wrong with its result."""
    given = copy.deepcopy(row.good) | {argument: value}
    before = {name: frozen(value) for name, value in given.items()}
    kind = row.arguments[argument][0]
    at_a_door = row.name.partition(".")[0] in DOORS
    error = None
    with watched():
        try:
            result = row.function(**given)
        except Exception as caught:  # of NumPy's own there are many kinds
            error = caught
    if outcome == "wrong" or (outcome == "odd" and at_a_door):
        assert error is not None, f"no error, but {result!r:.80}"
    if outcome == "same" and error is not None:
        raise error
    if error is None:
        with watched():
            ordinary = copy.deepcopy(row.good) | {argument: meant(value)}
            same(result, row.function(**ordinary), argument)
    elif error is not None and at_a_door:
        assert isinstance(error, TypeError | ValueError | OSError), repr(error)
        words = str(error)
        assert "\n" not in words
        assert len(words) < 300
        if kind not in ERRORS_OF_OPEN and not isinstance(error, OSError) and "null" not in words:
            function = re.match(r"[\w.]+", words)
            assert function, words
            assert set(function[0].split(".")) & NAMES, words
            assert re.search(rf"\b{argument}\b|\bimage\b|\barrays?\b", words), words
    for name, as_it_was in before.items():
        same(frozen(given[name]), as_it_was, name)


@contextmanager
def watched() -> Iterator[None]:
    """End a call that hangs, and let NumPy warn."""

    def hang(*_: object) -> None:
        raise AssertionError(f"no answer after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def meant(value: Any) -> Any:
    """Return the ordinary argument that an odd one stands for."""
    if isinstance(value, bool | np.generic):
        return value.item() if isinstance(value, np.generic) else int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: meant(part) for key, part in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], list):
        value = np.array(value)
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.kind in "Ob":
        value = value.astype(float if value.dtype.kind == "O" else int)
    return np.array(value, value.dtype.newbyteorder("="), order="C")


def frozen(value: Any) -> Any:
    """Return a copy of what can be changed."""
    if isinstance(value, dict):
        return {key: frozen(part) for key, part in value.items()}
    return np.array(value) if isinstance(value, np.ndarray) else value


def same(one: Any, two: Any, name: str) -> None:
    """Raise unless two results agree, arrays to rounding."""
    if isinstance(one, tuple | list | dict):
        assert len(one) == len(two), name
        for a, b in zip(one, two, strict=True):
            same(*((one[a], two[b]) if isinstance(one, dict) else (a, b)), name)
    elif isinstance(one, np.ndarray) and one.dtype.kind in "iufcbO":
        one, two = (np.asarray(x, complex if x.dtype.kind == "O" else x.dtype) for x in (one, two))
        scale = np.abs(two[np.isfinite(two)]).max(initial=0)
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-5 * float(scale), err_msg=name)
    elif isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, two, err_msg=name)
    elif isinstance(one, int | float | str):
        assert one == (pytest.approx(two, nan_ok=True) if isinstance(one, float) else two), name
