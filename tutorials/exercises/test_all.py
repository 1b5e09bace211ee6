"""The checks under pytest: ``python -m pytest tutorials/exercises -k ex03``."""

from __future__ import annotations

import pytest

from tutorials.exercises.checker.exercises import NAMES, starter
from tutorials.exercises.checker.process import check
from tutorials.exercises.checker.report import summary


@pytest.mark.parametrize("number", NAMES, ids=NAMES.get)
def test_exercise(number: int) -> None:
    """An exercise is done when it has full marks."""
    report = check(number, starter(number))
    assert report.complete, f"\n{summary(report, why=True)}"  # noqa: S101  # that is how pytest asks
