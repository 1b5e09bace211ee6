"""Points for Gradescope, and a table for a folder of submissions."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tutorials.exercises.checker.exercises import NAMES
from tutorials.exercises.checker.process import check
from tutorials.exercises.checker.report import Report, explain, one_line, summary

_SUBMISSION = re.compile(r"(?P<student>.*?)[ _.-]*ex(?P<number>\d\d)[^/]*\.py", re.DOTALL)


def gradescope(reports: Iterable[Report]) -> dict[str, Any]:
    """Return the content of Gradescope's ``results.json``: a test for each rung reached."""
    reports = list(reports)
    tests = []
    for report in reports:
        reached = sum(step.points for step in report.steps)
        tests += [
            {
                "name": f"{report.name}: {step.name}",
                "score": step.points if step.passed else 0,
                "max_score": step.points,
                "status": "passed" if step.passed else "failed",
                "output": explain(step, why=True),
                "visibility": "visible",
            }
            for step in report.steps
        ]
        if report.full > reached:
            tests.append(
                {
                    "name": f"{report.name}: the rungs above",
                    "score": 0,
                    "max_score": report.full - reached,
                    "status": "failed",
                    "output": "not reached",
                    "visibility": "visible",
                }
            )
    return {
        "score": sum(report.points for report in reports),
        "output": "\n\n".join(summary(report, why=True) for report in reports),
        "visibility": "visible",
        "tests": tests,
    }


def submissions(folder: Path) -> dict[str, dict[int, Path]]:
    """Find each student's files: ``{student: {number: file}}``, sorted by name.

    A file ``alice/ex01_pixel_shuffle.py``, however deep, is alice's; so is
    ``alice_ex01_pixel_shuffle.py``, as learning platforms name the files of one folder.
    Of two files of one student for one exercise, the one that was changed last counts.

    Raises
    ------
    NotADirectoryError
        If there is no such folder.
    ValueError
        If there is nothing of the kind in it.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder")
    found: dict[str, dict[int, Path]] = {}
    for file in sorted(folder.rglob("*.py"), key=lambda path: path.stat().st_mtime):
        match = _SUBMISSION.fullmatch(file.name)
        inside = file.relative_to(folder).parts
        if match is None or int(match["number"]) not in NAMES or not file.is_file():
            continue
        student = inside[0] if len(inside) > 1 else match["student"] or folder.resolve().name
        found.setdefault(student, {})[int(match["number"])] = file
    if not found:
        raise ValueError(f"{folder} holds no submissions such as alice/{NAMES[1]}.py")
    return dict(sorted(found.items()))


def grade(folder: Path, table: Path) -> dict[str, dict[int, Report]]:
    """Check all submissions in a folder, print a line for each, and write the table.

    The table is CSV: a row for each student, a column of points for each exercise, empty where
    nothing was handed in, the sum, and the causes of what is wrong.
    """
    graded: dict[str, dict[int, Report]] = {}
    for student, files in submissions(folder).items():
        graded[student] = {number: check(number, file) for number, file in sorted(files.items())}
        for report in graded[student].values():
            print(f"{student}: {one_line(report)}", flush=True)
    temporary = table.with_name(f".{table.name}.{os.getpid()}")
    try:
        with temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(
                ["student", *(f"ex{number:02}" for number in NAMES), "points", "causes"]
            )
            for student, reports in graded.items():
                points = {number: report.points for number, report in reports.items()}
                row = [points.get(number, "") for number in NAMES]
                causes = "; ".join(one_line(r) for r in reports.values() if not r.complete)
                writer.writerow([_as_text(student), *row, sum(points.values()), causes])
        temporary.replace(table)
    finally:
        temporary.unlink(missing_ok=True)
    return graded


def _as_text(name: str) -> str:
    """Keep a spreadsheet from taking a name for a formula."""
    return f"'{name}" if name[:1] in "=+-@\t\r" else name
