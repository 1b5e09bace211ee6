"""The list of lessons, read from the first lines of each: title, question, minutes, part."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
PARTS = ["The shuffle", "The network", "Looking and measuring", "Appendix"]
LAST = [3, 10, 14]  # the last lesson of each part but the appendix


@dataclass(frozen=True)
class Lesson:
    """One lesson."""

    path: Path
    title: str  # without its number
    question: str
    aim: str
    minutes: int
    part: str

    @property
    def figures(self) -> list[str]:
        """Return the names of its figures, in order."""
        text = self.path.read_text(encoding="utf-8")
        return re.findall(r'"((?:\d\d|[a-d])_\w+\.png)"', text)

    @property
    def number(self) -> str:
        """Return "1" to "14", or "A" to "D" in the appendix."""
        return self.path.stem.partition("_")[0].lstrip("0").upper()


def read(path: Path) -> Lesson:
    """Read a lesson's title, its question and its list of fields."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    question = re.search(r"\*\*Question\.\*\*(.+?)\n\n", text, re.DOTALL)
    fields = dict(re.findall(r"^:(\w+): (.+?)$(?=\n:|\n\n|\Z)", text, re.DOTALL | re.MULTILINE))
    missing = {"Aim", "Minutes", "Needs", "Practice"} - fields.keys()
    if question is None or missing:
        raise ValueError(f"{path.name} lacks {sorted(missing) or 'its question'}")
    number = path.stem.partition("_")[0]
    part = sum(int(number) > last for last in LAST) if number.isdecimal() else len(LAST)
    return Lesson(
        path=path,
        title=text.partition("\n")[0],
        question=" ".join(question[1].split()),
        aim=" ".join(fields["Aim"].split()),
        minutes=int(fields["Minutes"]),
        part=PARTS[part],
    )


@cache
def lessons() -> tuple[Lesson, ...]:
    """Return all lessons in the order of the course."""
    paths = [*sorted(HERE.glob("[0-9][0-9]_*.py")), *sorted(HERE.glob("[a-d]_*.py"))]
    return tuple(read(path) for path in paths)
