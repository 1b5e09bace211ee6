"""Slips that can be made in any function, tried by the engine: each is written once, here.

A slip is a transformation of the right answer ("right after transposing the result", "right times
N") or of the arguments ("right for the kernel turned round"). It is a row ``(cause, wrong)``, where
``wrong(call)`` returns what one result would be, as the wrong functions of a table do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, combinations, permutations
from typing import Any, TypeAlias

import numpy as np

NEARLY = 5e-3  # a relative error below this is one of too few digits
MOST = 4  # arrays among the arguments, to try two slips at once
SHORT = {"upscale_factor": "r", "downscale_factor": "r", "kernel_size": "k"}


@dataclass(frozen=True)
class Call:
    """A call: its arguments, one of its right results, and how to get that for other arguments."""

    arguments: Mapping[str, Any]
    right: Any
    result: Callable[[Mapping[str, Any]], Any]  # of the reference, for other arguments
    others: Mapping[str, Any]  # the other results, by name


Wrong: TypeAlias = Callable[[Call], Any]
Slip: TypeAlias = tuple[str, Wrong]
Change: TypeAlias = Callable[[Any], Any]  # of an array
Changes: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, Any]]  # of arguments
Axes: TypeAlias = Mapping[str, Sequence[str]]
"""The names of axes, for arguments and results."""


def slips(name: str, axes: Axes, call: Call) -> Iterator[Slip]:
    """Return what may be wrong with the result `name`, one thing at a time.

    Any `call` will do: it tells the names and kinds of arguments.
    """
    for cause, change in _after(name, np.ndim(call.right), axes.get(name, ())):
        yield cause, _changed_result(change)
    for other in call.others:
        yield f"this is {other}: the results come in another order", _other(other)
    for argument, value in call.arguments.items():
        if isinstance(value, np.ndarray):
            yield f"{argument} comes back as it is", _from(argument, lambda x, right: x)
            yield (
                "nothing was moved: a reshape gives the right shape, and leaves the numbers in "
                "their old order",
                _from(argument, lambda x, right: x.reshape(right.shape)),
            )
            yield from _sums(argument, value.ndim, axes.get(argument, ()))
    for cause, changes in _before(axes, call):
        yield cause, _changed_arguments(changes)


def pairs(axes: Axes, call: Call) -> Iterator[Slip]:
    """Return two things wrong with the arguments at once; of many arrays they would be too many."""
    if sum(isinstance(value, np.ndarray) for value in call.arguments.values()) > MOST:
        return
    for (one, first), (two, second) in combinations(_before(axes, call), 2):
        yield f"two things. First, {one}. Second, {two}", _changed_arguments(first, second)


def _changed_result(change: Change) -> Wrong:
    return lambda call: change(call.right)


def _changed_arguments(*changes: Changes) -> Wrong:
    def wrong(call: Call) -> Any:
        arguments = call.arguments
        for change in changes:
            arguments = change(arguments)
        return call.result(arguments)

    return wrong


def _other(name: str) -> Wrong:
    return lambda call: call.others[name]


def _from(argument: str, function: Callable[[Any, Any], Any]) -> Wrong:
    return lambda call: function(call.arguments[argument], call.right)


def _choices(ndim: int) -> Iterator[tuple[int, ...]]:
    """Return all choices of axes, counted from the end: first of one axis, last of all."""
    axes = range(-ndim, 0)
    return chain.from_iterable(combinations(axes, n) for n in range(1, ndim + 1))


def _reduced(argument: str, function: Change) -> Wrong:
    return lambda call: function(call.arguments[argument])


def _after(name: str, ndim: int, axes: Sequence[str]) -> Iterator[tuple[str, Change]]:
    """Return changes of a result."""
    last = range(-min(ndim, 4), 0)
    yield f"{name} has the wrong sign", np.negative
    yield f"{name} is all zeros", np.zeros_like
    yield f"{name} is all ones", np.ones_like
    yield f"{name} has lost its signs", np.abs
    if ndim > 1:
        yield (
            f"{name} is turned by 180 degrees: both its rows and its columns are in reverse",
            partial(np.flip, axis=(-2, -1)),
        )
    for order in permutations(last):
        if order == tuple(last):
            continue
        words = ", ".join(_axis(axes, axis) for axis in order)
        if order == (*last[:-2], -1, -2):
            yield f"rows and columns of {name} are swapped", partial(_moved, order=order)
        else:
            yield (
                f"the axes of {name} are in another order: {words}",
                partial(_moved, order=order),
            )
        yield (
            f"the numbers of {name} are mixed up: a reshape cannot put axes in another order. Only "
            "the shape is right",
            partial(_mixed, order=order),
        )
    for axis in last:
        words = _axis(axes, axis)
        yield f"{name} is in reverse along {words}", partial(np.flip, axis=axis)
        for by in (1, -1):
            yield (
                f"{name} is shifted by one along {words}",
                partial(np.roll, shift=by, axis=axis),
            )
        for index, which in ((0, "first"), (-1, "last")):
            yield (
                f"{name} is right for the {which} along {words} only: the others are the same",
                partial(_for_all, index=index, axis=axis),
            )
            yield (
                f"{name} is right for the {which} along {words} only: the others are zero",
                partial(_only, index=index, axis=axis),
            )
        for verb, function in (("added up", np.sum), ("averaged", np.mean)):
            yield f"{name} is {verb} along {words}", partial(function, axis=axis)
            yield f"{name} is {verb} along {words}", partial(_kept, function, axis=axis)


def _sums(argument: str, ndim: int, axes: Sequence[str]) -> Iterator[Slip]:
    """Return sums and means of an argument, along all choices of axes."""
    for some in _choices(ndim):
        words = ", ".join(_axis(axes, axis) for axis in some)
        for kind, function in (("sum", np.sum), ("mean", np.mean)):
            for keep, and_so in ((False, ""), (True, ", and these axes stay, at length 1")):
                yield (
                    f"this is the {kind} of {argument} along {words}{and_so}",
                    _reduced(argument, partial(function, axis=some, keepdims=keep)),
                )


def _before(axes: Axes, call: Call) -> Iterator[tuple[str, Changes]]:
    """Return changes of the arguments."""
    arrays = {n: v for n, v in call.arguments.items() if isinstance(v, np.ndarray)}
    for name, value in arrays.items():
        if value.dtype.kind in "iufc":
            for cause, change in _of_array(name, value.ndim, axes.get(name, ())):
                yield cause, _changed(name, change)
    for one, two in combinations(arrays, 2):
        yield f"{one} and {two} have changed places", _swapped(one, two)
    for name, number in call.arguments.items():
        if isinstance(number, int) and not isinstance(number, bool):
            short = SHORT.get(name, name)
            for constant in (0, 1, 2):
                yield (
                    f"{short} is not heeded: it counts as {constant}",
                    _changed(name, partial(_constant, constant)),
                )
            yield f"{short} counts as one more than it is", _changed(name, lambda n: n + 1)
            yield f"{short} counts as one less than it is", _changed(name, lambda n: n - 1)
            yield f"{short} counts twice", _changed(name, lambda n: 2 * n)


def _changed(name: str, change: Change) -> Changes:
    return lambda arguments: {**arguments, name: change(arguments[name])}


def _constant(constant: int, n: int) -> int:
    return constant


def _swapped(one: str, two: str) -> Changes:
    return lambda arguments: {**arguments, one: arguments[two], two: arguments[one]}


def _of_array(name: str, ndim: int, axes: Sequence[str]) -> Iterator[tuple[str, Change]]:
    """Return changes of an argument."""
    if ndim > 1:
        yield (
            f"{name} is turned by 180 degrees: both its rows and its columns are taken in reverse",
            partial(np.flip, axis=(-2, -1)),
        )
        yield f"rows and columns of {name} are swapped", partial(np.swapaxes, axis1=-1, axis2=-2)
        for mix in MIXES:
            yield (
                f"the numbers of {name} are mixed up: a reshape cannot put axes in another order",
                mix,
            )
    yield f"{name} is left out, as if all its numbers were 1", np.ones_like
    yield f"{name} is forgotten, as if all its numbers were 0", np.zeros_like
    yield f"{name} has the wrong sign", np.negative
    for axis in range(-min(ndim, 4), 0):
        words = _axis(axes, axis)
        yield f"{name} is taken in reverse along {words}", partial(np.flip, axis=axis)
        for index, which in ((0, "first"), (-1, "last")):
            yield (
                f"only the {which} of {name} along {words} counts, and the others are left out",
                partial(_only, index=index, axis=axis),
            )
            yield (
                f"the {which} of {name} along {words} is taken for all",
                partial(_for_all, index=index, axis=axis),
            )


MIXES: tuple[Change, ...] = (
    lambda x: x.reshape(-1, len(x)).T.reshape(x.shape),
    lambda x: x.T.reshape(x.shape),
    lambda x: np.swapaxes(x, 0, 1).reshape(x.shape),
    lambda x: np.moveaxis(x, 1, -1).reshape(x.shape),
)


def _moved(x: Any, order: Sequence[int]) -> Any:
    """Put the last axes in an order, counted from the end."""
    n = x.ndim - len(order)
    return x.transpose(*range(n), *(x.ndim + axis for axis in order))


def _mixed(x: Any, order: Sequence[int]) -> Any:
    return _moved(x, order).reshape(x.shape)


def _for_all(x: Any, index: int, axis: int) -> Any:
    return np.take(x, [index], axis) + 0 * x


def _only(x: Any, index: int, axis: int) -> Any:
    """Keep one index along an axis, and zeros elsewhere."""
    kept = np.zeros_like(x)
    place: list[Any] = [slice(None)] * x.ndim
    place[axis] = index
    kept[tuple(place)] = x[tuple(place)]
    return kept


def _kept(function: Callable[..., Any], x: Any, axis: int) -> Any:
    """Let a sum or a mean stand in every place."""
    return function(x, axis=axis, keepdims=True) + 0 * x


# What only a comparison with the student's result can tell.


def reshaped(name: str, made: Sequence[tuple[Call, Any]]) -> str:
    """Say where only the shapes are wrong."""
    if all(_same_numbers(call.right, came) for call, came in made):
        return f"{name} has the right numbers in the right order, and another shape"
    return ""


def _same_numbers(right: Any, came: Any) -> bool:
    a, b = right.ravel(), np.ravel(came)
    if "f" not in (a.dtype.kind, b.dtype.kind):
        return np.array_equal(a, b)
    return a.shape == b.shape and np.allclose(a, b, 1e-9, 0)


def relation(name: str, axes: Axes, made: Sequence[tuple[Call, Any]]) -> str:
    """Return what the wrong results have in common, if anything: calls, and what came for them."""
    if any(np.shape(came) != call.right.shape for call, came in made):
        return ""
    if all(_is_real_part(came, call.right) for call, came in made):
        return f"{name} has lost its imaginary part"
    for kind in ("int64", "float64", "float32", "float16"):  # the widest that explains it
        if all(_through(kind, call.right, came) for call, came in made):
            return f"{name} passes through {kind} on the way, which cannot hold all its digits"
    return _times(name, axes, made) or _digits(name, made)


def _is_real_part(came: Any, right: Any) -> bool:
    return right.dtype.kind == "c" and np.array_equal(came, right.real)


def _through(kind: str, right: Any, came: Any) -> bool:
    with np.errstate(all="ignore"):
        return right.dtype.kind in "biuf" and np.array_equal(
            right.astype(kind).astype(right.dtype), came
        )


def _times(name: str, axes: Axes, made: Sequence[tuple[Call, Any]]) -> str:
    """Say where results are multiples of the right ones."""
    if any(call.right.dtype.kind not in "iuf" for call, _ in made):
        return ""
    factors = []
    for call, came in made:
        right, came = call.right.astype(float), np.asarray(came, float)
        there = np.abs(right) > 1e-3 * np.abs(right).max(initial=0)
        if not there.any():
            return ""
        factors.append(float(np.median(came[there] / right[there])))
        if not np.allclose(came, factors[-1] * right, rtol=1e-6, atol=1e-6 * np.abs(right).max()):
            return ""
    quantities = [_quantities(call, axes) for call, _ in made]
    for words in quantities[0]:
        numbers = [known.get(words, np.nan) for known in quantities]
        if np.allclose(factors, numbers):
            return f"{name} is {words} times too large"
        if np.allclose(factors, 1 / np.array(numbers)):
            return f"{name} is {words} times too small: is it a mean, and should it be a sum?"
    several = sum(call.right.size for call, _ in made) > 1  # one number is a multiple of any other
    if several and np.allclose(factors, factors[0]) and abs(factors[0] - 1) > NEARLY:
        return f"{name} is {factors[0]:.4g} times as large as it should be"
    return ""


def _quantities(call: Call, axes: Axes) -> dict[str, float]:
    """Return numbers that one may multiply or divide by, with words for them."""
    found: dict[str, float] = {}
    for name, value in call.arguments.items():
        short = SHORT.get(name, name)
        if isinstance(value, int) and value:
            found |= {short: value, f"{short}*{short}": value**2}
    for name, value in [*call.arguments.items(), ("the result", call.right)]:
        if not isinstance(value, np.ndarray) or not value.size:
            continue
        for some in _choices(value.ndim):
            known = axes.get(name) or [f"(length of axis {axis})" for axis in range(-value.ndim, 0)]
            words = [_axis(known, axis) for axis in some]
            found.setdefault("*".join(words), int(np.prod([value.shape[axis] for axis in some])))
    return {words: number for words, number in found.items() if number != 1}


def _digits(name: str, made: Sequence[tuple[Call, Any]]) -> str:
    """Say where results are nearly right."""
    errors = []
    for call, came in made:
        right, came = np.asarray(call.right), np.asarray(came)
        if right.dtype.kind not in "fc" or not right.size:
            return ""
        with np.errstate(all="ignore"):
            errors.append(np.abs(came - right).max() / (np.abs(right).max() or 1.0))
    error = max(errors)
    if not 1e-14 < error < NEARLY:
        return ""
    kind = "float16" if error > 1e-5 else "float32"
    return f"{name} is right to only {-np.log10(error):.0f} digits: is there a {kind} on the way?"


def _axis(axes: Sequence[str], axis: int) -> str:
    try:
        return f"{axes[axis]}"
    except IndexError:
        return f"axis {axis}"
