"""The lessons, without running them: ``make tutorials`` does that."""

from __future__ import annotations

import ast
from pathlib import Path

TUTORIALS = Path(__file__).parents[2] / "tutorials"
INSIDE = {"npespcn.fast.gpu"}  # the one module within a wing that lessons are to know


def test_lessons_and_demo_import_from_the_doors_only() -> None:
    paths = [*TUTORIALS.glob("[0-9]*.py"), TUTORIALS / "demo.py"]
    assert len(paths) >= 14
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("npespcn"):
                assert node.module in INSIDE or node.module.count(".") <= 1, (
                    f"{path.name}: {node.module}"
                )
