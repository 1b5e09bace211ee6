"""The exercises: solutions, starters, planted mistakes, and right answers of other kinds."""

from __future__ import annotations

import ast
import re
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import require_torch
from mistakes import Planted

from npespcn.evaluation import psnr
from npespcn.pictures import downscale, rgb_to_y
from tutorials.exercises.checker import torch_answers
from tutorials.exercises.checker.engine import Exercise, Report, climb
from tutorials.exercises.checker.exercises import FOLDER, NAMES, build
from tutorials.exercises.checker.student import Broken, Student

HERE = Path(__file__).parent
SOLUTIONS = FOLDER / "solutions"


@pytest.fixture(scope="module")
def exercises() -> dict[int, Exercise]:
    return {number: build(number) for number in NAMES}


def climb_quickly(exercise: Exercise, path: Path) -> Report:
    """Climb all rungs but those that take long: they are tested by themselves."""
    quick = [rung for rung in exercise.more if rung.seconds is None]
    return climb(replace(exercise, more=quick), path)


def test_solutions_get_full_marks_and_starters_nothing(exercises: dict[int, Exercise]) -> None:
    for number, name in NAMES.items():
        solution = climb_quickly(exercises[number], SOLUTIONS / f"{name}.py")
        assert solution.broken is None, f"{name}: {solution.broken}"
        assert solution.points == solution.full, name
        starter = climb(exercises[number], FOLDER / f"{name}.py")
        assert starter.broken is not None, name
        assert starter.points == 0, name


@pytest.mark.slow
@pytest.mark.parametrize("number", NAMES)
def test_every_planted_mistake_is_named(
    number: int, exercises: dict[int, Exercise], tmp_path: Path
) -> None:
    planted: tuple[Planted, ...] = runpy.run_path(str(HERE / f"planted/ex{number:02}.py"))[
        "PLANTED"
    ]
    assert len(planted) >= 6
    wrong = []
    for mistake in planted:
        source = (SOLUTIONS / f"{NAMES[number]}.py").read_text()
        for old, new in mistake.replace.items():
            assert source.count(old) == 1, f"{old!r} is there {source.count(old)} times"
            source = source.replace(old, new)
        path = tmp_path / "handed_in.py"
        path.write_text(source)
        broken = climb_quickly(exercises[number], path).broken
        if broken is None or broken.name != mistake.rung or mistake.says not in broken.cause:
            wrong.append(f"{mistake.name}: {broken}")
        elif len(broken.cause) >= 300:
            wrong.append(f"{mistake.name}: a cause of {len(broken.cause)} characters")
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_two_right_answers_of_another_kind_get_full_marks(exercises: dict[int, Exercise]) -> None:
    paths = sorted((HERE / "unusual").glob("*.py"))
    numbers = [int(path.stem[2:4]) for path in paths]
    assert sorted(numbers) == sorted([*NAMES, *NAMES])
    for number, path in zip(numbers, paths, strict=True):
        report = climb_quickly(exercises[number], path)
        assert report.broken is None, f"{path.stem}: {report.broken}"


def test_starters_and_solutions_differ_in_bodies_only() -> None:
    for name in NAMES.values():
        starter, solution = (
            ast.parse((at / f"{name}.py").read_text()) for at in (FOLDER, SOLUTIONS)
        )
        assert ast.get_docstring(starter) == ast.get_docstring(solution), name
        signatures = _signatures(solution)
        for function, signature in _signatures(starter).items():
            assert signature == signatures.get(function), f"{name}: {function}"


def _signatures(tree: ast.Module) -> dict[str, str]:
    """Return each function's and method's arguments and docstring, by its name."""
    found = {}
    for owner in ast.walk(tree):
        for node in ast.iter_child_nodes(owner):
            if isinstance(node, ast.FunctionDef):
                name = f"{owner.name}.{node.name}" if isinstance(owner, ast.ClassDef) else node.name
                found[name] = ast.unparse(node.args) + (ast.get_docstring(node) or "")
    return found


def test_the_references_give_what_torch_gives(exercises: dict[int, Exercise]) -> None:
    torch = require_torch()
    for exercise in exercises.values():
        for function in exercise.functions:
            if function.name in torch_answers.ANSWERS:
                for case, theirs in torch_answers.answers(function, torch):
                    assert function.equal(theirs, function.answer(case)), function.text(case)


def test_a_last_rung_asks_torch(exercises: dict[int, Exercise]) -> None:
    require_torch()
    exercise = torch_answers.with_torch(exercises[1])
    right = climb_quickly(exercise, SOLUTIONS / f"{NAMES[1]}.py")
    (step,) = [step for step in right.steps if step.name == "PyTorch"]
    assert step.passed
    assert re.fullmatch(r"torch \S+ gives the same in \d\d calls", step.message)
    (rung,) = [rung for rung in exercise.rungs if rung.name == "PyTorch"]
    with pytest.raises(Broken, match="PyTorch gives something else"):
        rung.check(Student(FOLDER / f"{NAMES[1]}.py"))


def test_the_read_me_gives_the_minutes_of_the_starters() -> None:
    table = (FOLDER / "README.md").read_text()
    for number, name in NAMES.items():
        about = ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text())) or ""
        (minutes,) = re.findall(r"Difficulty [1-5] of 5, (\d+) minutes\.", about)
        (listed,) = re.findall(rf"^\| {number} \|[^|]*\| (\d+) \|", table, re.MULTILINE)
        assert listed == minutes, name


def test_exercise_9_measures_as_the_project_does(exercises: dict[int, Exercise]) -> None:
    luma, figure = exercises[9].functions
    for case in [*luma.plain, *luma.odd]:
        rgb = case.make()["rgb"]
        thousandths = rgb.astype(int) @ [65481, 128553, 24966] / 255
        assert np.abs(thousandths % 1000 - 500).min() > 1, "all ways to round must give the same"
        assert np.array_equal(rgb_to_y(rgb), luma.answer(case)[0])
    for case in [*figure.plain, *figure.odd]:
        picture, reference, scale = case.make().values()
        theirs = psnr(rgb_to_y(picture), rgb_to_y(reference), border=scale)
        assert figure.answer(case)[0] == pytest.approx(theirs, abs=1e-9)


def test_the_low_resolution_of_exercise_13_is_the_projects_own(
    exercises: dict[int, Exercise],
) -> None:
    reference = exercises[13].functions[-1].reference
    rng = np.random.default_rng(0)
    for scale in (1, 2, 3, 4):
        for shape in ((scale, scale), (17, 22), (31, 12, 3)):
            for most in (256, 2):  # any numbers; black and white, which go beyond 0 and 255
                image = (rng.integers(0, most, shape) * (255 // (most - 1))).astype(np.uint8)
                assert np.array_equal(reference(image, scale), downscale(image, scale)), shape


def test_a_right_answer_to_exercise_10_beats_bicubic(exercises: dict[int, Exercise]) -> None:
    report = climb(exercises[10], SOLUTIONS / f"{NAMES[10]}.py")
    assert report.complete, report.broken
    assert report.steps[-1].name == "beats bicubic"
