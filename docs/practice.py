"""The exercises' page: their README, and a section for each exercise instead of its table."""

import re
import zipfile
from pathlib import Path

import pack
from lessons import lessons

EXERCISES = Path(pack.__file__).parent
ROW = re.compile(r"^\| (\d+) \|.*$", re.MULTILINE)
TABLE = re.compile(r"^In the order of the lessons:\n\n(?:\|.*\n)+\n", re.MULTILINE)
FACTS = re.compile(r"Exercise \d+: (.+?)\.\n\n(.+?)\. (After .+?)\.\nGoal: (.+?)\n\n", re.DOTALL)
BUTTON = '<p><a class="button" href="exercises.zip">Download the hand-out, exercises.zip</a></p>'


def page() -> str:
    """Return the page, in Markdown."""
    text = (EXERCISES / "README.md").read_text(encoding="utf-8")
    rows = [line.strip("| \n").split(" | ") for line in TABLE.search(text)[0].splitlines()]
    begin, last = "## Begin\n", "## What is in the hand-out\n"
    text = TABLE.sub("They come in the order of the lessons. ", text)
    text = text.replace(begin, f"{begin}\n{BUTTON}\n")
    sections = [section(*row) for row in rows if row[0].isdecimal()]
    return text.replace(last, "\n".join([*sections, last]))


def section(number: str, title: str, minutes: str, after: str, compared: str, *library: str) -> str:
    """Return the section of an exercise, from its row in the table and the text of its starter."""
    with zipfile.ZipFile(EXERCISES / "checker" / "starters.zip") as archive:
        (name,) = (name for name in archive.namelist() if name.startswith(f"ex{number:0>2}_"))
        starter = archive.read(name).decode()
    _, difficulty, lesson, goal = FACTS.search(starter).groups()
    facts = [f"{' '.join(difficulty.split())}.", f"{with_links(' '.join(lesson.split()))}."]
    facts += [f"Compared with {compared}."]
    facts += [f"In the library: {', '.join(linked(each) for each in library)}."] if library else []
    return f"""\
(exercise-{number})=
### Exercise {number}: {title}

**Goal.** {goal[0].upper()}{goal[1:]}

{chr(10).join(facts)}

```sh
make check EX={number}
```

<details class="starter"><summary>The starter, <code>{name}</code></summary>

````python
{starter.strip()}
````

</details>
"""


def with_links(text: str) -> str:
    """Lead the lessons and exercises that are named in a text to their pages and sections."""
    stems = {lesson.number: lesson.path.stem for lesson in lessons()}
    text = re.sub(r"\bexercise (\d+)", r"[\g<0>](#exercise-\1)", text)
    return re.sub(
        r"\b(?:lesson|appendix) (\w+)", lambda name: f"[{name[0]}](lessons/{stems[name[1]]})", text
    )


def linked(names: str) -> str:
    """Lead the names of a cell of the table, in backquotes, to the API."""
    return re.sub(r"`([\w.]+)`", r"{py:obj}`\1 <npespcn.\1>`", names)


def hand_out(path: Path) -> None:
    """Pack the hand-out, unless the one there is newer than all that is in it."""
    folders = (EXERCISES.parent, EXERCISES.parents[1] / "npespcn")
    files = [file for folder in folders for file in folder.rglob("*.*")]
    newest = max(file.stat().st_mtime for file in files if "__pycache__" not in file.parts)
    if not path.exists() or path.stat().st_mtime < newest:
        pack.hand_out(path)
