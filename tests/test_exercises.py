"""The exercises: solutions, starters, planted mistakes, and right answers of other kinds."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import require_torch

from npespcn.evaluation.metrics import psnr
from npespcn.pictures.color import rgb_to_y
from tutorials.exercises.checker import answers
from tutorials.exercises.checker.climb import Report, climb
from tutorials.exercises.checker.exercises import FOLDER, NAMES, build, modules
from tutorials.exercises.checker.task import Exercise

HERE = Path(__file__).parent / "exercises"
SOLUTIONS = FOLDER / "solutions"


@dataclass(frozen=True)
class Planted:
    """A mistake: what to replace in the solution, the rung that must break, part of its message."""

    name: str
    replace: Mapping[str, str]
    rung: str
    says: str


def planted() -> list[Any]:
    tables = {n: importlib.import_module(f"exercises.planted.ex{n:02}").PLANTED for n in NAMES}
    return [
        pytest.param(number, mistake, id=f"ex{number:02} {mistake.name}")
        for number, table in tables.items()
        for mistake in table
    ]


@pytest.fixture(scope="module")
def exercises() -> dict[int, Exercise]:
    return {number: build(number) for number in NAMES}


def climb_quickly(exercise: Exercise, path: Path) -> Report:
    """Climb all rungs but those that take long: they are tested by themselves."""
    quick = [rung for rung in exercise.rungs if rung.seconds is None]
    return climb(Exercise(**vars(exercise) | {"rungs": quick}), path)


@pytest.mark.parametrize("number", NAMES)
def test_the_solution_gets_full_marks(number: int, exercises: dict[int, Exercise]) -> None:
    report = climb_quickly(exercises[number], SOLUTIONS / f"{NAMES[number]}.py")
    assert report.broken is None, report.broken
    assert report.points == report.full


@pytest.mark.parametrize("number", NAMES)
def test_the_starter_gets_nothing(number: int, exercises: dict[int, Exercise]) -> None:
    report = climb(exercises[number], FOLDER / f"{NAMES[number]}.py")
    assert report.points == 0
    assert report.broken is not None


@pytest.mark.parametrize("number", NAMES)
def test_at_least_six_mistakes_are_planted(number: int) -> None:
    assert len(importlib.import_module(f"exercises.planted.ex{number:02}").PLANTED) >= 6


@pytest.mark.parametrize(("number", "mistake"), planted())
def test_a_planted_mistake_is_named(
    number: int, mistake: Planted, exercises: dict[int, Exercise], tmp_path: Path
) -> None:
    source = (SOLUTIONS / f"{NAMES[number]}.py").read_text()
    for old, new in mistake.replace.items():
        assert source.count(old) == 1, f"{old!r} is there {source.count(old)} times"
        source = source.replace(old, new)
    path = tmp_path / "handed_in.py"
    path.write_text(source)
    report = climb_quickly(exercises[number], path)
    assert report.broken is not None
    assert (report.broken.name, mistake.says in report.broken.message) == (mistake.rung, True), (
        report.broken
    )
    assert len(report.broken.message) < 250


@pytest.mark.parametrize("path", sorted((HERE / "unusual").glob("*.py")), ids=lambda p: p.stem)
def test_a_right_answer_of_another_kind_gets_full_marks(
    path: Path, exercises: dict[int, Exercise]
) -> None:
    report = climb_quickly(exercises[int(path.stem[2:4])], path)
    assert report.broken is None, report.broken


def test_there_are_two_other_answers_to_each_exercise() -> None:
    stems = [path.stem[:4] for path in (HERE / "unusual").glob("*.py")]
    assert {number: stems.count(f"ex{number:02}") for number in NAMES} == dict.fromkeys(NAMES, 2)


@pytest.mark.parametrize("number", NAMES)
def test_starter_and_solution_have_the_same_signatures(number: int) -> None:
    name = f"{NAMES[number]}.py"
    starter, solution = (_signatures(path / name) for path in (FOLDER, SOLUTIONS))
    assert starter == {key: solution.get(key) for key in starter}
    assert ast.get_docstring(ast.parse((FOLDER / name).read_text())) == ast.get_docstring(
        ast.parse((SOLUTIONS / name).read_text())
    )


def test_the_recorded_answers_are_those_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    require_torch()
    for name, module in modules().items():
        if not hasattr(module, "ask"):
            continue
        live = answers.answers(name, module.QUESTIONS, module.ask)
        with monkeypatch.context() as patch:
            patch.setattr(answers, "_torch", lambda: None)
            recorded = answers.answers(name, module.QUESTIONS, module.ask)
        for ours, theirs in zip(live, recorded, strict=True):
            for a, b in zip(ours, theirs, strict=True):
                assert np.shape(a) == np.shape(b)
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def _signatures(path: Path) -> dict[str, str]:
    """Return each function's and method's arguments and docstring, by its name."""
    found = {}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}.{f.name}": ast.unparse(f.args) + (ast.get_docstring(f) or "")
                for f in node.body
                if isinstance(f, ast.FunctionDef)
            }
        elif isinstance(node, ast.FunctionDef):
            found.setdefault(node.name, ast.unparse(node.args) + (ast.get_docstring(node) or ""))
    return found


def test_the_read_me_gives_the_minutes_of_the_starters() -> None:
    table = (FOLDER / "README.md").read_text()
    for number, name in NAMES.items():
        about = ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text())) or ""
        (minutes,) = re.findall(r"Difficulty [1-5] of 5, (\d+) minutes\.", about)
        (listed,) = re.findall(rf"^\| {number} \|[^|]*\| (\d+) \|", table, re.MULTILINE)
        assert listed == minutes, name


def test_the_figures_of_exercise_9_are_the_projects_own() -> None:
    exercise = importlib.import_module("tutorials.exercises.checker.ex09_psnr")
    recorded = exercise.recording()
    for i, (_, _, scale) in enumerate(exercise.SIZES):
        planes = [rgb_to_y(recorded[f"{name}{i}"]) for name in ("picture", "reference")]
        assert psnr(*planes, border=scale) == pytest.approx(recorded["figures"][i], abs=1e-9)


def test_a_right_answer_to_exercise_10_beats_bicubic(exercises: dict[int, Exercise]) -> None:
    report = climb(exercises[10], SOLUTIONS / f"{NAMES[10]}.py")
    assert report.complete, report.broken
    assert report.steps[-1].name == "beats bicubic"
