"""The list of exercises."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tutorials.exercises.checker.engine import Exercise

HERE = Path(__file__).parent
FOLDER = HERE.parent  # where the starters lie
NAMES = {int(file.stem[2:4]): file.stem for file in sorted(HERE.glob("ex[0-9][0-9]_*.py"))}


def build(number: int) -> Exercise:
    """Return an exercise, with its number and name."""
    made = importlib.import_module(f"{__package__}.{NAMES[number]}")
    exercise: Exercise = made.EXERCISE
    return replace(exercise, number=number, name=NAMES[number])


def title(number: int) -> str:
    """Return an exercise's title."""
    return build(number).title


def hints(number: int, rung: str = "") -> Sequence[str]:
    """Return the three hints of an exercise, or those for the function at whose rung a file is."""
    given = build(number).hints
    if not isinstance(given, Mapping):
        return given
    return given.get(rung.partition(":")[0]) or next(iter(given.values()))


def starter(number: int) -> Path:
    """Return where an exercise's file is, unless the student says another."""
    return FOLDER / f"{NAMES[number]}.py"
