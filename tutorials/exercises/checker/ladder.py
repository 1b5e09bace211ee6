"""The rungs that a function climbs: runs, shape, dtype, values, odd inputs, arguments, gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from tutorials.exercises.checker import grids
from tutorials.exercises.checker.diagnosis import diagnose, outcome, right
from tutorials.exercises.checker.student import Broken, Student
from tutorials.exercises.checker.task import SEVERAL, Case, Rung, Task, Values, same

POINTS = {
    "runs": 1,
    "shape": 1,
    "dtype": 1,
    "values": 3,
    "odd inputs": 2,
    "arguments": 1,
    "gradient": 1,
}


def ladder(*tasks: Task) -> list[Rung]:
    """Return the rungs of one function after the other."""
    rungs = []
    for task in tasks:
        checks: dict[str, Callable[[Student], Any]] = {
            "runs": partial(naming, _runs, task),
            "shape": partial(naming, _shapes, task),
            "values": partial(naming, partial(check_values, cases=task.cases), task),
            "odd inputs": partial(naming, partial(check_values, cases=task.odd), task),
            "arguments": partial(_untouched, task),
        }
        if task.dtypes:
            checks["dtype"] = partial(_dtypes, task)
        if task.gradient:
            checks["gradient"] = task.gradient
        before = f"{task.name}: " if len(tasks) > 1 else ""
        rungs += [
            Rung(before + name, points, checks[name])
            for name, points in POINTS.items()
            if name in checks
        ]
    return rungs


def naming(check: Callable[[Task, Student], None], task: Task, student: Student) -> None:
    """Check; where it breaks by a known mistake, say which."""
    try:
        check(task, student)
    except Broken as error:
        if not (message := diagnose(task, student)):
            raise
        example = error.example or _example(task, task.cases[0])
        raise Broken(message, example, error.shown or error.message, error.raised) from None


def _runs(task: Task, student: Student) -> None:
    values = _called(task, student, task.cases[0])
    what = f"{task.name} must return {_names(task)}"
    if len(values) != len(task.results):
        kind = (
            "None: is a return missing?"
            if len(values) == 1 and values[0] is None
            else _count(values)
        )
        raise Broken(f"{what}, and returned {kind}", _example(task, task.cases[0]))
    for value, answer in zip(values, task.cases[0].answer, strict=True):
        if value is None:
            raise Broken(
                f"{what}, and returned None: is a return missing?", _example(task, task.cases[0])
            )
        wanted = np.ndarray if np.ndim(answer) else (int, float, np.number, np.ndarray)
        if not isinstance(value, wanted):
            kind = "a NumPy array" if np.ndim(answer) else "a number"
            raise Broken(f"{what}, {kind}, and returned {_a(value)}", _example(task, task.cases[0]))


def _shapes(task: Task, student: Student) -> None:
    for case in _by_size(task.cases):
        check_shapes(task, case, _called(task, student, case))


def _dtypes(task: Task, student: Student) -> None:
    for dtype in task.dtypes:
        case = replace(task.cases[0], arguments=_cast(task.cases[0].arguments, dtype))
        values = _called(task, student, case)
        for name, value, answer in zip(task.results, values, case.answer, strict=True):
            if np.ndim(answer) and value.dtype != dtype:
                raise Broken(
                    f"{task.name} turns {dtype} into {value.dtype}: {name} must keep the type of "
                    "the arrays that come in",
                    _example(task, case),
                )


def _called(task: Task, student: Student, case: Case) -> Values:
    """Return the results of a call; where it raises, say by which."""
    came = outcome(student, task, case)
    if isinstance(came, Broken):
        example = _example(task, case) if came.raised else ""
        raise Broken(came.message, example, came.shown, came.raised)
    return came


def check_values(task: Task, student: Student, cases: Sequence[Case]) -> None:
    """Check that the results of these cases are the answers."""
    outcomes = [outcome(student, task, case) for case in cases]
    wrong = [i for i, came in enumerate(outcomes) if not right(came, cases[i], task)]
    if not wrong:
        return
    index = min(wrong, key=lambda i: (isinstance(outcomes[i], Broken), cases[i].size))
    case, came = cases[index], outcomes[index]
    message = _oddity([cases[i] for i in wrong])
    if isinstance(came, Broken):
        shown = came.message if message else ""
        raise Broken(message or came.message, _example(task, case), shown, came.raised)
    check_shapes(task, case, came, message)
    for name, value, answer in zip(task.results, came, case.answer, strict=True):
        if not same(value, answer, task.tolerance):
            words = "the right shape and wrong values" if np.ndim(answer) else "a wrong value"
            if np.isnan(value).any() and not np.isnan(answer).any():
                words = "numbers that nobody set (np.empty is not np.zeros), or 0/0: they are NaN"
            shown = grids.compare(name, answer, value)
            raise Broken(message or f"{name} has {words}", _example(task, case), shown)


def _untouched(task: Task, student: Student) -> None:
    for case in _by_size([*task.cases, *task.odd]):
        for name in student.changed_by(task.name, case.arguments):
            raise Broken(
                f"you changed {name}: work on a copy, the caller still needs it",
                _example(task, case),
            )


def _oddity(wrong: Sequence[Case]) -> str:
    """Return the oddity that the wrong cases have in common, if it is one."""
    kinds = {case.oddity for case in wrong} - {"", SEVERAL}
    return kinds.pop() if len(kinds) == 1 else "" if kinds else wrong[0].oddity


def check_shapes(task: Task, case: Case, values: Values, message: str = "") -> None:
    """Check that the results are as many as they should be, numbers, and of the right shapes."""
    if len(values) != len(task.results):
        raise Broken(
            f"{task.name} must return {_names(task)}, and returned {_count(values)}",
            _example(task, case),
        )
    for name, value, answer in zip(task.results, values, case.answer, strict=True):
        if np.asarray(value).dtype.kind not in "biufc":
            words = f"{name} must be {'an array of numbers' if np.ndim(answer) else 'a number'}"
            raise Broken(f"{words}, and is {_a(value)}", _example(task, case))
        if np.shape(value) != np.shape(answer):
            words = f"{name} has the wrong shape: {np.shape(answer)} was expected, "
            words += f"{np.shape(value)} came"
            raise Broken(f"{message}: {words}" if message else words, _example(task, case))


def _example(task: Task, case: Case) -> str:
    return grids.call(task.name, case.arguments)


def _count(values: Values) -> str:
    return "1 result" if len(values) == 1 else f"{len(values)} results"


def _names(task: Task) -> str:
    return task.results[0] if len(task.results) == 1 else f"({', '.join(task.results)})"


def _a(value: Any) -> str:
    kind = type(value).__name__
    return "None" if value is None else f"a{'n' if kind[0] in 'aeiou' else ''} {kind}"


def _by_size(cases: Sequence[Case]) -> list[Case]:
    return sorted(cases, key=lambda case: case.size)


def _cast(arguments: Mapping[str, Any], dtype: str) -> dict[str, Any]:
    return {
        name: value.astype(dtype) if isinstance(value, np.ndarray) else value
        for name, value in arguments.items()
    }
