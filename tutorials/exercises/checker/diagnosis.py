"""Which known mistake is it? The one that gives what the student gets, on every case."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from tutorials.exercises.checker.student import Broken, Student
from tutorials.exercises.checker.task import Case, Mistake, Task, Values, as_values, same

Outcomes = Mapping[int, Any]  # by the number of the case: the results, or `Broken`


def outcome(student: Student, task: Task, case: Case) -> Any:
    """Return the results of a call, or `Broken`."""
    try:
        return as_values(student.call(task.name, case.arguments))
    except Broken as error:
        return error


def right(came: Any, case: Case, task: Task) -> bool:
    """Whether the outcome is the answer."""
    return not isinstance(came, Broken) and _equal(came, case.answer, task)


def diagnose(task: Task, student: Student) -> str:
    """Return the message of the mistake that was made, if it is a known one.

    It must explain all that came, right and wrong, or else all but what was raised, or else all
    that is wrong and odd in the same way as the smallest. If none does: one that gives the same
    wrong shapes.
    """
    cases = [*task.cases, *task.odd, *task.probes]
    outcomes = {i: outcome(student, task, case) for i, case in enumerate(cases)}
    returned = {i: came for i, came in outcomes.items() if not isinstance(came, Broken)}
    wrong = {i: came for i, came in returned.items() if not right(came, cases[i], task)}
    if not returned or (len(returned) == len(cases) and not wrong):
        return ""
    if not wrong:
        return _explanation(task, cases, outcomes)
    first = {i: came for i, came in wrong.items() if i < len(task.cases)} or wrong
    oddity = cases[min(first, key=lambda i: cases[i].size)].oddity
    alike = {i: came for i, came in first.items() if cases[i].oddity == oddity}
    for some in (outcomes, returned, wrong, alike):
        if message := _explanation(task, cases, some):
            return message
    return _of_shapes(task, [outcomes[i] for i in range(len(task.cases))])


def _explanation(task: Task, cases: list[Case], outcomes: Outcomes) -> str:
    for mistake in task.mistakes:
        if all(_agree(mistake, task, cases[i], came) for i, came in outcomes.items()):
            return mistake.message
    return ""


def _of_shapes(task: Task, came: list[Any]) -> str:
    """Return the message of a mistake that gives the same shapes on the plain cases, all wrong."""
    shapes = [_shapes(values) for values in came]
    if None in shapes or shapes == [_shapes(case.answer) for case in task.cases]:
        return ""
    for mistake in task.mistakes:
        if shapes == [_shapes(_mistaken(mistake, case)) for case in task.cases]:
            return mistake.message
    return ""


def _shapes(values: Any) -> list[tuple[int, ...]] | None:
    if values is None or isinstance(values, Broken) or any(value is None for value in values):
        return None
    return [np.shape(value) for value in values]


def _agree(mistake: Mistake, task: Task, case: Case, came: Any) -> bool:
    values = _mistaken(mistake, case)
    if values is None or isinstance(came, Broken):
        return values is None and isinstance(came, Broken) and came.raised
    return _equal(values, came, task)


def _mistaken(mistake: Mistake, case: Case) -> Values | None:
    """Return the result of a mistake's code, or None if it raises."""
    copies = {
        name: value.copy() if isinstance(value, np.ndarray) else value
        for name, value in case.arguments.items()
    }
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return as_values(mistake.function(**copies))
    except Exception:
        return None


def _equal(a: Values, b: Values, task: Task) -> bool:
    return len(a) == len(b) and all(
        same(one, two, task.tolerance) for one, two in zip(a, b, strict=True)
    )
