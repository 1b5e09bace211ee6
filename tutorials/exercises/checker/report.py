"""Reports: how far a file came, in data and in words; small arrays as text."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any

import numpy as np

WIDEST, HIGHEST = 9, 9  # numbers in a row, rows in a grid


@dataclass
class Step:
    """How a file did on one rung."""

    name: str
    points: int
    passed: bool
    message: str = ""  # where it passed: a remark, if any; else what is to be seen,
    example: str = ""  # the call that shows it,
    shown: str = ""  # and the expected and the actual numbers
    cause: str = ""  # for those who ask

    def as_dict(self) -> dict[str, Any]:
        """Return the step as JSON can hold it."""
        return asdict(self)


@dataclass
class Report:
    """How a file did: the rungs that it reached, and all points that there are."""

    number: int
    name: str
    title: str
    full: int
    steps: list[Step] = field(default_factory=list)
    printed: str = ""  # by the file

    @property
    def points(self) -> int:
        """Those of the rungs that were passed."""
        return sum(step.points for step in self.steps if step.passed)

    @property
    def broken(self) -> Step | None:
        """Return the first rung that broke, if any."""
        return next((step for step in self.steps if not step.passed), None)

    @property
    def complete(self) -> bool:
        """Whether there is nothing left to do."""
        return self.points == self.full and self.broken is None


def summary(report: Report, why: bool = False) -> str:
    """Return the rungs that were reached, what is to be seen, and the points."""
    lines = [f"Exercise {report.number}: {report.title}"]
    for name, steps in groupby(report.steps, lambda step: step.name.rpartition(": ")[0]):
        climbed = list(steps)
        if name and all(step.passed for step in climbed):  # one of several functions
            lines.append(f"  ok  {name}: all {len(climbed)} rungs")
            continue
        for step in climbed:
            if step.passed or step is report.broken:
                lines.append(f"  {'ok' if step.passed else 'NO'}  {explain(step, why, indent=6)}")
            else:  # where the rest is other work: one thing at a time
                lines.append(f"  NO  {step.name}: wrong, too, and not shown yet")
    if report.printed:
        lines += ["Your file printed:", *(f"  {line}" for line in report.printed.splitlines())]
    lines.append(f"{report.points} of {report.full} points")
    return "\n".join(lines)


def explain(step: Step, why: bool = False, indent: int = 0) -> str:
    """Return a rung's name, what is to be seen, and the cause if it is asked for."""
    first = f"{step.name}: {step.message}" if step.message else step.name
    lines = [first, *step.example.splitlines(), *step.shown.splitlines()]
    if why and not step.passed:
        lines.append(cause(step))
    return f"\n{' ' * indent}".join(lines)


def cause(step: Step) -> str:
    """Return why a rung broke, in a sentence."""
    if step.cause:
        return f"Why: {step.cause}{'' if step.cause[-1] in '.?' else '.'}"
    if step.shown:
        return "Why: no known mistake gives these numbers. Work the example out by hand."
    return "Why: the line above is all that is known."


def one_line(report: Report) -> str:
    """Return the points, and what broke, with the cause."""
    line = f"{report.name} {report.points} of {report.full}"
    broken = report.broken
    return line if broken is None else f"{line}; {broken.name}: {broken.cause or broken.message}"


# --- expected and came ---------------------------------------------------------------------------


def facts(expected: Any, came: Any) -> str:
    """Print two facts below each other, such as shapes or types."""
    return f"expected  {expected}\ncame      {came}"


def compare(name: str, expected: Any, came: Any, unwritten: Any = None) -> str:
    """Print two arrays of one shape beside each other: the first plane in which they differ.

    Where `unwritten` is true a ? stands for what came.
    """
    expected, came = np.asarray(expected), np.asarray(came)
    if expected.dtype.kind == "U":
        return facts(expected, came)
    hidden = np.zeros(came.shape, bool) if unwritten is None else unwritten
    shape = expected.shape
    if expected.ndim > 2 and shape[-2:] == (1, 1):  # one number in a plane: show all of them
        shape = shape[:-2]
    elif expected.ndim > 3 and shape[-1] == 1:  # one channel, channels last
        shape = shape[:-1]
    expected, came, hidden = (a.reshape(shape) for a in (expected, came, hidden))
    where = ""
    if expected.ndim > 2:
        leading, planes = expected.shape[:-2], (-1, *expected.shape[-2:])
        expected, came, hidden = (a.reshape(planes) for a in (expected, came, hidden))
        first = int(_differing(expected, came).any(axis=(1, 2)).argmax())
        index = np.unravel_index(first, leading)
        where = f"[{', '.join(str(int(i)) for i in index)}]"
        expected, came, hidden = expected[first], came[first], hidden[first]
    for digits in (4, 7, 17):  # as many as it takes to see the difference
        left, right = grid(expected, digits), grid(came, digits, hidden)
        if left != right:
            break
    left, right = [f"{name}{where} expected", *left], ["came", *right]
    width = max(map(len, left)) + 3
    return "\n".join(f"{a:{width}}{b}".rstrip() for a, b in zip(left, right, strict=True))


def _differing(a: Any, b: Any) -> Any:
    if a.dtype.kind not in "fc" or b.dtype.kind not in "fc":
        return a != b
    return ~np.isclose(a, b, rtol=1e-9, atol=0, equal_nan=True)


def grid(x: Any, digits: int = 4, hidden: Any = None) -> list[str]:
    """Return the lines of a small array's numbers, in columns; of a larger one its upper left."""
    x = np.atleast_2d(np.asarray(x))
    hidden = np.zeros(x.shape, bool) if hidden is None else np.atleast_2d(hidden)
    rows = [
        ["?" if h else _number(value, digits) for value, h in zip(row[:WIDEST], some, strict=False)]
        for row, some in zip(x[:HIGHEST], hidden, strict=False)
    ]
    width = max((len(text) for row in rows for text in row), default=0)
    more = " …" if x.shape[1] > WIDEST else ""
    lines = [" ".join(f"{text:>{width}}" for text in row) + more for row in rows]
    return lines + (["…"] if x.shape[0] > HIGHEST else [])


def _number(value: Any, digits: int = 4) -> str:
    if isinstance(value, int | np.integer | bool | np.bool_):
        return str(value)
    if isinstance(value, complex | np.complexfloating):
        return f"{value:.{digits}g}"
    text = f"{float(value):.{digits}g}"
    return "0" if text == "-0" else text
