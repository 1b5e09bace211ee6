"""A student's file climbs an exercise's rungs, to the first that breaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tutorials.exercises.checker.student import Broken, Student
from tutorials.exercises.checker.task import Exercise, Rung

IMPORTABLE = "importable"


@dataclass
class Step:
    """How a file did on one rung."""

    name: str
    points: int
    passed: bool
    message: str = ""  # where it passed: a remark, if any; else the mistake,
    example: str = ""  # the call that shows it,
    shown: str = ""  # and the expected and the actual numbers

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


def climb(
    exercise: Exercise,
    path: Path,
    before: Callable[[Rung], None] = lambda rung: None,
    after: Callable[[Step], None] = lambda step: None,
) -> Report:
    """Climb, calling `before` and `after` at every rung; return how far it went."""
    report = Report(exercise.number, exercise.name, exercise.title, exercise.points)
    student: list[Student] = []
    first = Rung(IMPORTABLE, 0, lambda _: student.append(Student(path)))
    for rung in [first, *exercise.rungs]:
        before(rung)
        step = Step(rung.name, rung.points, True)
        try:
            told = rung.check(student[0] if student else None)  # type: ignore[arg-type]
            step.message = told or ""
        except Broken as error:
            step = Step(rung.name, rung.points, False, error.message, error.example, error.shown)
        except MemoryError:
            step = Step(rung.name, rung.points, False, "there is not enough memory to check it")
        report.steps.append(step)
        after(step)
        if not step.passed and not (student and exercise.independent):
            break
    return report
