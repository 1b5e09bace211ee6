"""The parts of an exercise: tasks, with cases and known mistakes; rungs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from tutorials.exercises.checker.student import Student

Values: TypeAlias = tuple[Any, ...]
"""A function's results, always as a tuple: ``(y,)``, or ``(dx, dweight, dbias)``."""

SEVERAL = "right for each oddity by itself, wrong for several together"


@dataclass(frozen=True)
class Case:
    """One call, and the answer to it."""

    arguments: Mapping[str, Any]  # name: value, in order
    answer: Values
    oddity: str = ""  # the message where only this goes wrong: "right for ..., wrong for ..."

    @property
    def size(self) -> int:
        """How many numbers are in the arguments."""
        return sum(int(np.size(value)) for value in self.arguments.values())


@dataclass(frozen=True)
class Mistake:
    """A known way to be wrong: a message, and code that does it, called as a student's is."""

    message: str
    function: Callable[..., Any]


@dataclass(frozen=True)
class Task:
    """A function that the student writes.

    Parameters
    ----------
    name : str
        The function's.
    cases : sequence of Case
        The plain ones, for "runs" to "values". The first is the smallest.
    odd : sequence of Case
        Those for "odd inputs".
    mistakes : sequence of Mistake
        To compare a wrong result with. Of two that give the same, the first is named.
    results : sequence of str
        Names of the returned arrays, ``("y",)`` or ``("dx", "dweight", "dbias")``.
    dtypes : sequence of str
        In which the arrays among the arguments are tried. The results must be the same; none to
        leave this rung out.
    gradient : callable, optional
        ``gradient(student)`` raises `Broken` where a gradient is wrong.
    tolerance : float
        Relative to the largest number of an answer; 0 for the same bits.
    probes : sequence of Case
        More calls to tell mistakes apart by.
    """

    name: str
    cases: Sequence[Case]
    odd: Sequence[Case]
    mistakes: Sequence[Mistake] = ()
    results: Sequence[str] = ("y",)
    dtypes: Sequence[str] = ("float64", "float32")
    gradient: Callable[[Student], None] | None = None
    tolerance: float = 1e-5
    probes: Sequence[Case] = ()


@dataclass(frozen=True)
class Rung:
    """A step of the ladder: `check(student)` raises `Broken` where it breaks."""

    name: str
    points: int
    check: Callable[[Student], Any]
    seconds: float | None = None  # more time than usual


@dataclass(frozen=True)
class Exercise:
    """An exercise, and the rungs to climb."""

    number: int
    name: str  # of its file, without .py: ex01_pixel_shuffle
    title: str
    rungs: Sequence[Rung]
    independent: bool = field(default=False)  # go on after a broken rung: the rest is other work

    @property
    def points(self) -> int:
        """Full marks."""
        return sum(rung.points for rung in self.rungs)


def as_values(result: Any) -> Values:
    """Return a function's result as a tuple."""
    return result if isinstance(result, tuple) else (result,)


def same(a: Any, b: Any, tolerance: float) -> bool:
    """Whether two results have the same shape and, within the tolerance, the same numbers."""
    try:
        a, b = np.asarray(a), np.asarray(b)
        if a.shape != b.shape:
            return False
        if tolerance == 0 or a.size == 0:
            return np.array_equal(a, b)
        a, b = a.astype(np.float64), b.astype(np.float64)
    except (TypeError, ValueError):
        return False
    finite = np.isfinite(b)
    scale = np.abs(b[finite]).max(initial=0.0) or 1.0
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return False
    return bool(np.all(np.abs(a[finite] - b[finite]) <= tolerance * scale))
