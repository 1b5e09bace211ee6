"""The lessons, without running them: ``make tutorials`` does that."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

TUTORIALS = Path(__file__).parents[2] / "tutorials"
INSIDE = {"npespcn.fast.gpu"}  # the one module within a wing that lessons are to know


@pytest.fixture
def lessons(monkeypatch):
    monkeypatch.syspath_prepend(TUTORIALS)
    sys.modules.pop("lessons", None)
    from lessons import lessons

    return lessons()


def test_the_course_is_complete_and_in_order(lessons) -> None:
    numbers = [lesson.number for lesson in lessons]
    assert numbers == [*map(str, range(1, 15)), *"ABCD"]
    assert [lesson.part for lesson in lessons] == (
        ["The shuffle"] * 3 + ["The network"] * 7 + ["Looking and measuring"] * 4 + ["Appendix"] * 4
    )


def test_every_question_has_its_answer_right_after_it(lessons) -> None:
    for lesson in lessons:
        boxes = re.findall(r"^# \.\. (\w+)::$", lesson.path.read_text("utf-8"), re.MULTILINE)
        boxes = [box for box in boxes if box in ("predict", "answer")]
        assert len(boxes) >= 4, lesson.path.name
        assert boxes == ["predict", "answer"] * (len(boxes) // 2), lesson.path.name


def test_links_between_lessons_lead_somewhere(lessons) -> None:
    names = {lesson.path.stem for lesson in lessons}
    for lesson in lessons:
        text = lesson.path.read_text("utf-8").replace("\n# ", " ")
        for name in re.findall(r":doc:`[^`]*<([^/`>][^`>]*)>`", text):
            assert name in names, f"{lesson.path.name}: {name}"


def test_lessons_draw_in_one_place_and_import_from_the_doors_only(lessons) -> None:
    for path in [*(lesson.path for lesson in lessons), TUTORIALS / "demo.py"]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                module = node.module or ""
                assert not module.startswith("matplotlib") or path.name == "demo.py", path.name
                if module.startswith("npespcn"):
                    assert module in INSIDE or module.count(".") <= 1, f"{path.name}: {module}"


def test_every_drawing_is_used(lessons) -> None:
    used = "".join(lesson.path.read_text("utf-8") for lesson in lessons)
    source = (TUTORIALS / "drawing.py").read_text("utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            calls = used.count(f"drawing.{node.name}(") + source.count(f"{node.name}(") - 1
            assert calls > 0, node.name


def test_every_figure_has_a_name_of_its_own(lessons) -> None:
    seen: set[str] = set()
    for lesson in lessons:
        for name in lesson.figures:
            assert name.partition("_")[0] == lesson.path.stem.partition("_")[0], name
        assert not seen & set(lesson.figures), lesson.path.name
        seen |= set(lesson.figures)
