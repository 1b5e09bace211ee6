"""The list of exercises."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

from tutorials.exercises.checker.task import Exercise

HERE = Path(__file__).parent
FOLDER = HERE.parent  # where the starters lie
NAMES = {int(file.stem[2:4]): file.stem for file in sorted(HERE.glob("ex[0-9][0-9]_*.py"))}


def module(number: int) -> ModuleType:
    """Return an exercise's module: TITLE, HINTS, and `exercise`."""
    return importlib.import_module(f"{__package__}.{NAMES[number]}")


def modules() -> dict[str, ModuleType]:
    """Return all of them by name."""
    return {name: module(number) for number, name in NAMES.items()}


def build(number: int) -> Exercise:
    """Return an exercise with its rungs, and the answers to its questions."""
    made = module(number)
    return Exercise(
        number=number,
        name=NAMES[number],
        title=made.TITLE,
        rungs=made.rungs(),
        independent=getattr(made, "INDEPENDENT", False),
    )


def hints(number: int, rung: str = "") -> tuple[str, str, str]:
    """Return the three hints of an exercise, or those for the function at whose rung a file is."""
    given = module(number).HINTS
    if isinstance(given, tuple):
        return given
    by_function: dict[str, tuple[str, str, str]] = given
    return by_function.get(rung.partition(":")[0]) or next(iter(by_function.values()))


def starter(number: int) -> Path:
    """Return where an exercise's file is, unless the student says another."""
    return FOLDER / f"{NAMES[number]}.py"
