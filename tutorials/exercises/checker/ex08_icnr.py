"""Exercise 8: ICNR initialization."""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np

from tutorials.exercises.checker.engine import Exercise, Function, Rows
from tutorials.exercises.checker.inputs import SEVERAL, Case, Given, Inputs, floats
from tutorials.exercises.checker.shuffles import ORDERS, pytorch, unshuffled

Icnr: TypeAlias = Callable[..., Any]


def _inputs(c: int = 1, i: int = 1, k: int = 1, r: int = 2) -> Given:
    return {"drawn": floats(c, i, k, k), "shape": (c * r * r, i, k, k), "upscale_factor": r}


def _called(icnr: Icnr, drawn: Any, shape: Any, upscale_factor: int) -> tuple[Any, Any]:
    """Return what base was asked for, as a text, and the weight.

    If base is asked for as many numbers as it should be, it gives `drawn` itself.
    """
    given, calls = np.random.default_rng(0), []
    before = given.bit_generator.state

    def base(rng: Any, shape: Any) -> Any:
        wanted = tuple(operator.index(size) for size in shape)
        calls.append(f"base({'rng' if rng is given else 'another generator'}, {wanted})")
        return drawn if wanted == drawn.shape else np.resize(drawn, wanted)

    weight = icnr(given, shape, upscale_factor, base)
    if given.bit_generator.state != before:
        calls.append("another draw from rng")
    counted = [(call, len(list(some))) for call, some in groupby(calls)]
    words = [f"{count} times {call}" if count > 1 else call for call, count in counted]
    return np.array(", then ".join(words) or "base is not called"), weight


def _written(case: Case) -> str:
    drawn, shape, r = case.given.values()
    return (
        f"icnr(np.random.default_rng(0), {shape}, {r},\n"
        f"     base=lambda rng, shape: np.resize({drawn}, shape))"
    )


def _weight(drawn: Any, shape: Any, r: int, channel: Any = pytorch) -> Any:
    """Make each number of each filter a picture of r*r equal pixels, and unshuffle these."""
    numbers = drawn.reshape(len(drawn), -1).T  # (in*k*k, C)
    pictures = numbers[..., None, None] * np.ones((r, r), drawn.dtype)
    return unshuffled(pictures, r, channel)[..., 0, 0].T.reshape(shape)


def _from(make: Callable[[Any, Any, int], Any]) -> Icnr:
    """Return an initialization that draws as it should, and makes the weight in some way."""
    return lambda rng, shape, r, base: make(base(rng, (shape[0] // r**2, *shape[1:])), shape, r)


def _drawing(*sizes: Callable[[int, int], int], times: Callable[[int, int], int]) -> Icnr:
    """Return one that draws for so many filters, so many times: functions of C and r."""

    def icnr(rng: Any, shape: Any, r: int, base: Any) -> Any:
        c = shape[0] // r**2
        for _ in range(times(c, r)):
            for size in sizes:
                base(rng, (size(c, r), *shape[1:]))

    return icnr


def _repeated(axis: int | None, shaped: bool) -> Icnr:
    def make(drawn: Any, shape: Any, r: int) -> Any:
        weight = np.repeat(drawn, r * r, axis)
        return weight.reshape(shape) if shaped else weight

    return _from(make)


def _one_of_each(drawn: Any, shape: Any, r: int) -> Any:
    weight = np.zeros(shape, drawn.dtype)
    weight[:: r * r] = drawn
    return weight


ONE_BY_ONE = (
    "base is asked for one filter at a time. It reads its spread from the shape, so ask once, for "
    "all that are to be drawn"
)
DRAWS: Rows = (
    (
        "all C*r*r filters are drawn. The filters of one block must be equal, so only C are drawn. "
        "And of a larger shape the numbers have another spread, even if C of them are kept",
        _drawing(lambda c, r: c * r * r, times=lambda c, r: 1),
    ),
    (
        "base is called r*r times. The filters of one block must be equal, and so one draw gives "
        "all of them",
        _drawing(lambda c, r: c, times=lambda c, r: r * r),
    ),
    (
        "each of the C*r*r filters is drawn by itself. The filters of one block must be equal",
        _drawing(lambda c, r: 1, times=lambda c, r: c * r * r),
    ),
    (ONE_BY_ONE, _drawing(lambda c, r: 1, times=lambda c, r: c)),
    (
        "all image channels have the same filter: each must have one of its own",
        _drawing(lambda c, r: 1, times=lambda c, r: 1),
    ),
    (
        "too many filters are drawn: a block has r*r pixels, not r",
        _drawing(lambda c, r: c * r, times=lambda c, r: 1),
    ),
    (
        "base is called twice. Each call draws anew, so whoever draws from rng after you gets "
        "other numbers",
        _drawing(lambda c, r: c, times=lambda c, r: 2),
    ),
    (
        "something else is drawn from rng, beside what base draws. Nothing else is drawn: whoever "
        "draws from rng after you gets other numbers",
        lambda rng, shape, r, base: base(rng, (shape[0] // r**2, *shape[1:])) + rng.random(),
    ),
    ("base is never called: the numbers must come from it", lambda rng, shape, r, base: None),
    (
        "base must draw from the generator that icnr is given",
        lambda rng, shape, r, base: base(None, (shape[0] // r**2, *shape[1:])),
    ),
)
WEIGHTS: Rows = (
    (
        "the copies are in TensorFlow's order: all filters, and then all of them again. PyTorch's "
        "shuffle makes one block of filters that are neighbors",
        _from(lambda drawn, shape, r: _weight(drawn, shape, r, ORDERS[0][1])),
    ),
    (
        "each filter is there r times: a block has r*r pixels, not r",
        _from(lambda drawn, shape, r: np.repeat(drawn, r, 0)),
    ),
    *(
        (f"the copies lie along {words}: the filters lie along the first axis", by)
        for axis, words in ((1, "axis 1, the input channels"), (2, "axis 2, the kernel's rows"))
        for by in (_repeated(axis, shaped=False), _repeated(axis, shaped=True))
    ),
    *(
        ("single numbers are repeated: whole filters must be", _repeated(None, shaped))
        for shaped in (False, True)
    ),
    (
        "the copies lie along an axis of their own: one reshape is missing",
        _from(lambda drawn, shape, r: np.repeat(drawn[:, None], r * r, 1)),
    ),
    (
        "the kernels are enlarged: the picture becomes larger by more filters",
        _from(lambda drawn, shape, r: drawn.repeat(r, 2).repeat(r, 3)),
    ),
    (
        "only one filter of each block is set, and the others are zero: all r*r must be equal",
        _from(_one_of_each),
    ),
)

EXERCISE = Exercise(
    title="ICNR initialization",
    hints=(
        "All pixels of a block are to be equal. Which filters make the pixels of one block? What "
        "must be true of these filters?",
        "Go through shuffled_convolution with a pencil, for C = 2 and r = 2. Which of the eight "
        "filters does the first image read, and which does the second?",
        "The filters of one block are neighbors, and copies of one drawn filter. NumPy has several "
        "functions that copy. Try them on the array [1, 2]: which gives 1 1 1 1 2 2 2 2? Then try "
        "it on an array of four axes.",
    ),
    functions=[
        Function(
            "icnr",
            reference=_from(_weight),
            inputs=Inputs(
                _inputs,
                plain=({}, {"i": 2}, {"k": 3}),
                odd={
                    "right for kernels of one pixel, wrong for k = 3": ({"k": 3, "i": 2},),
                    SEVERAL: ({"c": 3, "i": 2, "k": 3, "r": 3}, {"c": 2, "i": 3, "k": 5, "r": 4}),
                },
                types=("float16", "float32", "float64"),
            ),
            mistakes={"draw": DRAWS, "weight": WEIGHTS},
            results=("draw", "weight"),
            axes={"drawn": "C in rows columns", "weight": "C*r*r in rows columns"},
            exact=True,
            through=_called,
            written=_written,
        )
    ],
)
