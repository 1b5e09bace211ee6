"""The list of exercises."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from tutorials.exercises.checker.engine import Exercise, Rung
from tutorials.exercises.checker.student import Broken

HERE = Path(__file__).parent
FOLDER = HERE.parent  # where the starters lie
NAMES = {int(file.stem[2:4]): file.stem for file in sorted(HERE.glob("ex[0-9][0-9]_*.py"))}


def module(number: int) -> ModuleType:
    """Return an exercise's module, with its `EXERCISE`."""
    return importlib.import_module(f"{__package__}.{NAMES[number]}")


def modules() -> dict[str, ModuleType]:
    """Return all of them by name."""
    return {name: module(number) for number, name in NAMES.items()}


def build(number: int) -> Exercise:
    """Return an exercise with its rungs."""
    made = module(number)
    if not hasattr(made, "EXERCISE"):  # it is not yet a table
        rungs = [_with_causes(rung) for rung in made.rungs()]
        apart = getattr(made, "INDEPENDENT", False)
        exercise = Exercise(made.TITLE, made.HINTS, more=rungs, independent=apart)
    else:
        exercise = made.EXERCISE
    return replace(exercise, number=number, name=NAMES[number])


def _with_causes(rung: Any) -> Rung:
    """Let a rung of the old engine say its message as the cause."""

    def check(student: Any) -> Any:
        try:
            return rung.check(student)
        except Broken as error:
            error.cause = error.message
            raise

    return Rung(rung.name, rung.points, check, rung.seconds)


def title(number: int) -> str:
    """Return an exercise's title."""
    made = module(number)
    return made.EXERCISE.title if hasattr(made, "EXERCISE") else made.TITLE


def hints(number: int, rung: str = "") -> Sequence[str]:
    """Return the three hints of an exercise, or those for the function at whose rung a file is."""
    made = module(number)
    given = made.EXERCISE.hints if hasattr(made, "EXERCISE") else made.HINTS
    if not isinstance(given, Mapping):
        return given
    return given.get(rung.partition(":")[0]) or next(iter(given.values()))


def starter(number: int) -> Path:
    """Return where an exercise's file is, unless the student says another."""
    return FOLDER / f"{NAMES[number]}.py"
