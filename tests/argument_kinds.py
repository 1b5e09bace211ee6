"""Kinds of arguments: what one may be, what else somebody may come with, and what happens then."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from npespcn import models

DONE = "as an ordinary one"
SPREADS = "the result is not all finite"


@dataclass(frozen=True)
class Case:
    """Something to hand over, made from a good value, and what is to happen then."""

    words: str
    make: Callable[[Any], Any]
    outcome: str
    """The name of an error, `DONE`, or `SPREADS`."""


@dataclass(frozen=True)
class Kind:
    """What an argument may be, in words, and what else there is."""

    words: str
    cases: tuple[Case, ...]


# --- arrays --------------------------------------------------------------------------------------


def huge_strides(x: Any) -> Any:
    """Return x with megabytes between its numbers; memory that is never touched costs nothing."""
    steps = [max(1, 4096 // x.itemsize)]  # a page for each, along the last axis
    for side in x.shape[:0:-1]:
        steps.insert(0, steps[0] * max(1, side))
    memory = np.zeros(max(1, steps[0] * max(1, x.shape[0])), x.dtype)
    view = np.lib.stride_tricks.as_strided(memory, x.shape, [s * x.itemsize for s in steps])
    view[...] = x
    return view


def negative_strides(x: Any) -> Any:
    back = (slice(None, None, -1),) * x.ndim
    return x[back].copy()[back]


def overlapping(x: Any) -> Any:
    """Return a view of x's shape whose rows share memory: as sliding windows do."""
    flat = np.ascontiguousarray(x).reshape(-1)
    strides = [
        x.itemsize * (axis == x.ndim - 1) + x.itemsize * (axis == x.ndim - 2)
        for axis in range(x.ndim)
    ]
    return np.lib.stride_tricks.as_strided(flat, x.shape, strides, writeable=False)


def read_only(x: Any) -> Any:
    x = x.copy()
    x.flags.writeable = False
    return x


def spoilt(x: Any) -> Any:
    x = x.astype(np.result_type(x, np.float16))
    x.flat[0], x.flat[x.size // 2] = np.nan, np.inf
    return x


MEMORY = (
    Case("read-only", read_only, DONE),
    Case("in Fortran's order", lambda x: np.asfortranarray(x), DONE),
    Case("negative strides", negative_strides, DONE),
    Case("huge strides", huge_strides, DONE),
    Case("a view that overlaps itself", overlapping, DONE),
    Case("big-endian", lambda x: x.astype(x.dtype.newbyteorder(">")), DONE),
)
NO_ARRAYS = (
    Case("a list", lambda x: x.tolist(), "TypeError"),
    Case("None", lambda x: None, "TypeError"),
    Case("a word", lambda x: "picture", "TypeError"),
)
ODD_DTYPES = (
    Case("of objects", lambda x: x.astype(object), "TypeError"),
    Case("complex", lambda x: x.astype(np.complex128), "TypeError"),
    Case("of words", lambda x: x.astype(str), "TypeError"),
    Case("of booleans", lambda x: x.astype(bool), "TypeError"),
)
RANKS = (
    Case("an axis less", lambda x: x[0], "ValueError"),
    Case("an axis more", lambda x: x[None], "ValueError"),
    Case("no axis", lambda x: x.reshape(-1)[0:1].reshape(()), "ValueError"),
)
EMPTY = (Case("empty", lambda x: x[:0], "ValueError"),)
NOT_FINITE = (Case("with NaN and infinity", spoilt, SPREADS),)
UNEQUAL = (
    Case("another shape", lambda x: x[..., :-1], "ValueError"),
    Case("a shape that would broadcast", lambda x: x[:1, :1, :1, :1], "ValueError"),
)

# --- numbers and words ---------------------------------------------------------------------------

NO_NUMBERS = (
    Case("True", lambda x: True, "TypeError"),
    Case("a word", lambda x: "2", "TypeError"),
    Case("a list", lambda x: [2], "TypeError"),
    Case("an array", lambda x: np.full((40, 40), 2.5), "TypeError"),
    Case("1j", lambda x: 1j, "TypeError"),
)
NOT_FINITE_NUMBERS = (
    Case("NaN", lambda x: float("nan"), "ValueError"),
    Case("infinity", lambda x: float("inf"), "ValueError"),
)


def whole(least: int, none: bool = False) -> Kind:
    """Return the kind of whole numbers from `least`, or None if that is allowed."""
    cases = [
        Case(f"{least - 1}", lambda x: least - 1, "ValueError"),
        Case("-1", lambda x: -1, "ValueError"),
        Case("1.5", lambda x: 1.5, "TypeError"),
        Case("2.0", lambda x: 2.0, "TypeError"),
        Case("NaN", lambda x: float("nan"), "TypeError"),
        Case("infinity", lambda x: float("inf"), "TypeError"),
        Case("None", lambda x: None, DONE if none else "TypeError"),
        Case("np.int8", lambda x: np.int8(x), DONE),
    ]
    words = f"a whole number from {least}" + (", or None" if none else "")
    return Kind(words, tuple(cases[least == 0 :]) + NO_NUMBERS)


def real(words: str, *wrong: float) -> Kind:
    """Return the kind of real numbers within bounds, and some that are not."""
    cases = [Case(f"{value:g}", lambda x, value=value: value, "ValueError") for value in wrong]  # type: ignore[misc]
    cases += [Case("None", lambda x: None, "TypeError")]
    cases += [Case("np.float32", lambda x: np.float32(x), DONE)]
    return Kind(words, (*cases, *NO_NUMBERS, *NOT_FINITE_NUMBERS))


WRONG_WORDS = (
    Case("another word", lambda x: "nonsense", "ValueError"),
    Case("a number", lambda x: 7, "ValueError"),
    Case("a list", lambda x: [x], "ValueError"),
    Case("an array", lambda x: np.full((40, 40), 2.5), "ValueError"),
)
PATHS = (
    Case("a number", lambda x: 3, "TypeError"),
    Case("None", lambda x: None, "TypeError"),
    Case("in a folder that is not there", lambda x: "/nowhere/at/all.png", "OSError"),
    Case("a folder", lambda x: tempfile.gettempdir(), "OSError"),
    Case("bytes that no name can hold", lambda x: "a\0b.png", "ValueError"),
)

KINDS = {
    "any": Kind(
        "an array",
        MEMORY + NO_ARRAYS + tuple(Case(c.words, c.make, DONE) for c in ODD_DTYPES + EMPTY),
    ),
    "shuffled gradient": Kind(
        "an array like the layer's output, of any dtype",
        MEMORY
        + NO_ARRAYS
        + RANKS[2:]
        + tuple(Case(c.words, c.make, DONE) for c in ODD_DTYPES)
        + (
            Case("another size", lambda x: x[..., :2, :2], "ValueError"),
            Case("an image less", lambda x: x[:1], "ValueError"),
        ),
    ),
    "columns": Kind(
        "an array (N, C·k·k, H'·W') of real numbers",
        MEMORY
        + NO_ARRAYS
        + ODD_DTYPES
        + RANKS
        + NOT_FINITE
        + (Case("another size", lambda x: x[..., :-1], "ValueError"),),
    ),
    "doubles": Kind(
        "an array, float64",
        MEMORY
        + NO_ARRAYS
        + ODD_DTYPES
        + (
            Case("of float32", lambda x: x.astype(np.float32), "TypeError"),
            Case("of whole numbers", lambda x: x.astype(int), "TypeError"),
        ),
    ),
    "shuffled": Kind(
        "an array (\\*, C, H, W) of any dtype",
        MEMORY
        + NO_ARRAYS
        + (RANKS[2], Case("two axes", lambda x: x[0, 0], "ValueError"))
        + tuple(Case(c.words, c.make, DONE) for c in ODD_DTYPES + EMPTY)
        + (Case("with NaN and infinity", spoilt, DONE),)
        + (Case("indivisible", lambda x: x[..., 1:, 1:, 1:], "ValueError"),),
    ),
    "pictures": Kind(
        "an array (N, C, H, W) of real numbers",
        MEMORY
        + NO_ARRAYS
        + ODD_DTYPES
        + RANKS
        + NOT_FINITE
        + (
            Case("no images", lambda x: x[:0], DONE),
            Case("no rows", lambda x: x[:, :, :0], "ValueError"),
        ),
    ),
    "gradient": Kind(
        "an array like the layer's output",
        MEMORY
        + NO_ARRAYS
        + ODD_DTYPES
        + RANKS
        + NOT_FINITE
        + (
            Case("another size", lambda x: x[..., :-1], "ValueError"),
            Case("a single number for each", lambda x: x[:, :1, :1, :1], "ValueError"),
        ),
    ),
    "values": Kind(
        "an array of real numbers",
        MEMORY + NO_ARRAYS + ODD_DTYPES + NOT_FINITE + (Case("empty", lambda x: x[:0], DONE),),
    ),
    "weight": Kind(
        "an array (O, C, k, k) of real numbers",
        MEMORY
        + NO_ARRAYS
        + ODD_DTYPES
        + RANKS
        + EMPTY
        + NOT_FINITE
        + (
            Case("not square", lambda x: x[..., :-1], "ValueError"),
            Case("other channels", lambda x: x[:, :-1], "ValueError"),
        ),
    ),
    "bias": Kind(
        "an array (O,) of real numbers, or None",
        MEMORY
        + NO_ARRAYS[:1]
        + NO_ARRAYS[2:]
        + ODD_DTYPES
        + RANKS[1:]
        + EMPTY
        + NOT_FINITE
        + (Case("None", lambda x: None, DONE),),
    ),
    "floats": Kind(
        "an array of floating-point numbers",
        MEMORY
        + NO_ARRAYS
        + ODD_DTYPES
        + EMPTY
        + NOT_FINITE
        + (Case("of whole numbers", lambda x: x.astype(np.int64), "TypeError"), *UNEQUAL),
    ),
    "target": Kind(
        "an array of real numbers, like the prediction",
        MEMORY + NO_ARRAYS + ODD_DTYPES + EMPTY + NOT_FINITE + UNEQUAL,
    ),
    "colours": Kind(
        "an array (..., 3), uint8 or floating",
        MEMORY
        + ODD_DTYPES
        + (
            Case("None", lambda x: None, "TypeError"),
            Case("a word", lambda x: "p", "TypeError"),
            Case("of 16-bit numbers", lambda x: x.astype(np.uint16), "TypeError"),
            Case("no axis", lambda x: np.uint8(3), "ValueError"),
            Case("four channels", lambda x: x[..., [0, 1, 2, 2]], "ValueError"),
            Case("empty", lambda x: x[:0], DONE),
            Case("with NaN and infinity", spoilt, SPREADS),
        ),
    ),
    "uint8": Kind(
        "an array (H, W) or (H, W, 3), uint8",
        MEMORY
        + ODD_DTYPES
        + EMPTY
        + (
            Case("None", lambda x: None, "TypeError"),
            Case("a word", lambda x: "p", "TypeError"),
            Case("floats", lambda x: x.astype(np.float64), "TypeError"),
            Case("of 16-bit numbers", lambda x: x.astype(np.uint16), "TypeError"),
            Case("two channels", lambda x: x[..., :2], "ValueError"),
            Case("one axis", lambda x: x.reshape(-1), "ValueError"),
            Case("no axis", lambda x: np.uint8(3), "ValueError"),
        ),
    ),
    "picture": Kind(
        "a picture (H, W) or (H, W, up to 4 channels) of real numbers",
        MEMORY
        + tuple(c for c in ODD_DTYPES if c.words != "of booleans")
        + EMPTY
        + (
            Case("None", lambda x: None, "TypeError"),
            Case("a word", lambda x: "p", "TypeError"),
            Case("with NaN and infinity", spoilt, "ValueError"),
            Case("another shape", lambda x: x[:-1], "ValueError"),
            Case("five channels", lambda x: x[..., [0] * 5], "ValueError"),
            Case("one axis", lambda x: x.reshape(-1), "ValueError"),
        ),
    ),
    "image": Kind(
        "a PIL image, a path, or an array (H, W) uint8 or uint16, or (H, W, 3 or 4) uint8",
        MEMORY
        + tuple(Case(c.words, c.make, "ValueError") for c in ODD_DTYPES + EMPTY + RANKS[1:])
        + (
            Case("None", lambda x: None, "TypeError"),
            Case("a list", lambda x: x.tolist(), "TypeError"),
            Case("a number", lambda x: 3, "TypeError"),
            Case("floats", lambda x: x.astype(np.float32), "ValueError"),
            Case("two channels", lambda x: x[..., :2], "ValueError"),
            Case("a name without a file", lambda x: "/nowhere.png", "OSError"),
            Case("a folder", lambda x: tempfile.gettempdir(), "OSError"),
            Case("bytes that no name can hold", lambda x: "a\0b.png", "ValueError"),
        ),
    ),
    "count": whole(1),
    "from 0": whole(0),
    "count?": whole(1, none=True),
    "side": whole(16),
    "positive": real("a number above 0", 0, -1),
    "from zero": real("a number from 0", -1),
    "share0": real("a number from 0", -0.5, 1.5),
    "fraction": real("a number from 0 up to 1", -0.5, 1),
    "share": real("a number above 0 up to 1", -0.5, 0, 1.5),
    "word": Kind("a word from a list", WRONG_WORDS),
    "device": Kind('"cpu" or "gpu"', WRONG_WORDS),
    "flag": Kind("True or False", (*WRONG_WORDS, Case("None", lambda x: None, "ValueError"))),
    "path": Kind("a path", PATHS),
    "padding": Kind(
        '"same", "valid", a whole number from 0, or ((above, below), (left, right))',
        (
            Case("-1", lambda x: -1, "ValueError"),
            Case("1.5", lambda x: 1.5, "TypeError"),
            Case("True", lambda x: True, "TypeError"),
            Case("None", lambda x: None, "TypeError"),
            Case("another word", lambda x: "nonsense", "ValueError"),
            Case("a pair of numbers", lambda x: (1, 1), "ValueError"),
            Case("a negative one of four", lambda x: ((0, -1), (0, 0)), "ValueError"),
            Case("a list", lambda x: [[0, 0], [0, 0]], "TypeError"),
        ),
    ),
    "shape": Kind(
        "four whole numbers",
        (
            Case("three of them", lambda x: x[:3], "ValueError"),
            Case("a number", lambda x: 7, "TypeError"),
            Case("None", lambda x: None, "TypeError"),
            Case("a negative one", lambda x: (*x[:3], -x[3]), "ValueError"),
            Case("with 1.5", lambda x: (*x[:3], 1.5), "TypeError"),
            Case("words", lambda x: "abcd", "TypeError"),
        ),
    ),
    "generator": Kind(
        "a numpy.random.Generator",
        (
            Case("a seed", lambda x: 0, "TypeError"),
            Case("NumPy's old generator", lambda x: np.random.RandomState(0), "TypeError"),
            Case("a word", lambda x: "seed", "TypeError"),
        ),
    ),
    "generator!": Kind(
        "a numpy.random.Generator",
        (Case("None", lambda x: None, "TypeError"),),
    ),
    "layer": Kind(
        "a layer",
        (
            Case("None", lambda x: None, "TypeError"),
            Case("a class", lambda x: type(x), "TypeError"),
            Case("an array", lambda x: np.zeros(3), "TypeError"),
        ),
    ),
    "network": Kind(
        "an ESPCN, or None",
        (
            Case("a class", lambda x: type(x), "TypeError"),
            Case("another network", lambda x: models.SRCNN(), "TypeError"),
            Case("an array", lambda x: np.zeros(3), "TypeError"),
            Case("with two channels", lambda x: models.ESPCN(2, channels=2), "ValueError"),
        ),
    ),
    "factors": Kind(
        "numbers from 0 by the parameters' names, or None",
        (
            Case("a number", lambda x: 0.1, "TypeError"),
            Case("another name", lambda x: {"conv9": 0.1}, "ValueError"),
            Case("negative", lambda x: {"conv3": -0.1}, "ValueError"),
            Case("NaN", lambda x: {"conv3": float("nan")}, "ValueError"),
            Case("a word", lambda x: {"conv3": "slow"}, "TypeError"),
        ),
    ),
    "betas": Kind(
        "two numbers from 0 up to 1",
        (
            Case("one number", lambda x: 0.9, "TypeError"),
            Case("three", lambda x: (0.9, 0.9, 0.9), "ValueError"),
            Case("1", lambda x: (0.9, 1), "ValueError"),
            Case("NaN", lambda x: (float("nan"), 0.9), "ValueError"),
            Case("words", lambda x: ("a", "b"), "TypeError"),
        ),
    ),
    "arrays": Kind(
        "an array for each parameter, by name",
        (
            Case("None", lambda x: None, "TypeError"),
            Case("a list", lambda x: list(x.values()), "TypeError"),
            Case("one less", lambda x: dict(list(x.items())[1:]), "ValueError"),
            Case("one more", lambda x: x | {"conv9.weight": np.zeros(3)}, "ValueError"),
            Case("another shape", lambda x: {k: v[:0] for k, v in x.items()}, "ValueError"),
            Case("complex", lambda x: {k: v.astype(complex) for k, v in x.items()}, "ValueError"),
            Case("of objects", lambda x: {k: v.astype(object) for k, v in x.items()}, "ValueError"),
            Case("big-endian", lambda x: {k: v.astype(">f8") for k, v in x.items()}, DONE),
        ),
    ),
    "milestones": Kind(
        "whole numbers from 0",
        (
            Case("a number", lambda x: 5, "TypeError"),
            Case("None", lambda x: None, "TypeError"),
            Case("with 1.5", lambda x: [1.5], "TypeError"),
            Case("with -1", lambda x: [-1], "ValueError"),
        ),
    ),
    "box": Kind(
        "four whole numbers that lie in the picture, or None",
        (
            Case("three of them", lambda x: x[:3], "ValueError"),
            Case("none of them", lambda x: (), "ValueError"),
            Case("outside", lambda x: (0, 0, 1000, 2), "ValueError"),
            Case("back to front", lambda x: (2, 0, 1, 1), "ValueError"),
            Case("with nothing in it", lambda x: (1, 1, 1, 2), "ValueError"),
            Case("with 1.5", lambda x: (0, 0, 1.5, 2), "TypeError"),
            Case("a number", lambda x: 7, "TypeError"),
        ),
    ),
    "function": Kind(
        "a function, or None",
        (Case("a number", lambda x: 7, "TypeError"), Case("a word", lambda x: "f", "TypeError")),
    ),
    "pictures8": Kind(
        "pictures (H, W) or (H, W, 3), uint8",
        (
            Case("None", lambda x: None, "TypeError"),
            Case("none", lambda x: [], "ValueError"),
            Case("floats", lambda x: [p.astype(float) for p in x], "TypeError"),
            Case("with two channels", lambda x: [p[..., :2] for p in x], "ValueError"),
            Case("too small", lambda x: [p[:1, :1] for p in x], "ValueError"),
        ),
    ),
    "one or three": Kind(
        "1 or 3",
        (
            Case("2", lambda x: 2, "ValueError"),
            Case("0", lambda x: 0, "ValueError"),
            Case("1.5", lambda x: 1.5, "TypeError"),
            Case("None", lambda x: None, "TypeError"),
            Case("True", lambda x: True, "TypeError"),
            Case("a word", lambda x: "RGB", "TypeError"),
        ),
    ),
    "function!": Kind("a function", (Case("a number", lambda x: 7, "TypeError"),)),
    "folder": Kind(
        "a folder",
        (
            Case("a number", lambda x: 3.5, "TypeError"),
            Case("one that is not there", lambda x: "/nowhere/at/all", "OSError"),
            Case("a file", lambda x: __file__, "OSError"),
        ),
    ),
    "name": Kind(
        "a word",
        (Case("a number", lambda x: 7, "TypeError"), Case("None", lambda x: None, "TypeError")),
    ),
    "state": Kind(
        "arrays by parameter and entry",
        (
            Case("None", lambda x: None, "TypeError"),
            Case("a list", lambda x: list(x.values()), "TypeError"),
            Case(
                "of another parameter",
                lambda x: {"conv9.weight/velocity": np.zeros(3)},
                "ValueError",
            ),
            Case("lists", lambda x: {k: v.tolist() for k, v in x.items()}, "TypeError"),
        ),
    ),
    "statistics": Kind(
        "a LeafStatistics, or None",
        (
            Case("a number", lambda x: 7, "TypeError"),
            Case("a dictionary", lambda x: {}, "TypeError"),
        ),
    ),
}
