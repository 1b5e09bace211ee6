"""``python -m tutorials.exercises``: check, why, hint, list, watch, reset, grade."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import select
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tutorials.exercises.checker import grading
from tutorials.exercises.checker.exercises import FOLDER, HERE, NAMES, hints, starter, title
from tutorials.exercises.checker.process import check
from tutorials.exercises.checker.report import Report, cause, summary

try:
    import termios
    import tty
except ImportError:  # Windows
    termios = None  # type: ignore[assignment]

STARTERS = HERE / "starters.zip"  # as they were handed out
PROGRESS = FOLDER / ".progress.json"  # a student's points, and the number of hints shown
ASK = "python -m tutorials.exercises"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, 1 (something is left to do), 2 (wrong usage), 130 (Ctrl-C)."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever reads has enough: head, for one
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, ValueError, RuntimeError) as error:
        print(f"exercises: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tutorials.exercises", description="Check the exercises, or ask for a hint."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, run: object, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=f"{text.capitalize()}.")
        command.set_defaults(run=run)
        return command

    one: dict[str, Any] = {
        "type": _number,
        "metavar": "N",
        "help": f"the exercise, 1 to {len(NAMES)}",
    }
    checking = add("check", _check, "check an exercise, or all, and show what is wrong")
    checking.add_argument("exercise", type=_number_or_all, metavar="N",
        help=f"the exercise, 1 to {len(NAMES)}, or all")  # fmt: skip
    checking.add_argument("--file", type=Path, help="your file, if it is not the starter's")
    checking.add_argument("--why", action="store_true", help="also name the cause")
    checking.add_argument("--json", action="store_true", help="print Gradescope's results.json")
    asking = add("why", _check, "check an exercise, and name the cause of what is wrong")
    asking.add_argument("exercise", type=_number_or_all, metavar="N", help=one["help"])
    asking.add_argument("--file", type=Path, help="your file, if it is not the starter's")
    asking.set_defaults(why=True, json=False)
    add("hint", _hint, "show the next hint, and those before it").add_argument("exercise", **one)
    add("list", _list, "list the exercises, with your points")
    watching = add("watch", _watch, "check whenever a file is saved, until Ctrl-C")
    watching.add_argument("exercise", nargs="?", **one)
    watching.add_argument("--file", type=Path, help="your file, if it is not the starter's")
    add("reset", _reset, "start an exercise afresh, and keep a backup").add_argument(
        "exercise", **one
    )
    grading_ = add("grade", _grade, "check a folder of submissions, and write a table")
    grading_.add_argument("folder", type=Path, metavar="DIR", help="alice/ex01_….py, bob/ex01_….py")
    grading_.add_argument("-o", "--output", type=Path, default=Path("grades.csv"), metavar="FILE",
        help="the table (default: grades.csv)")  # fmt: skip
    grading_.add_argument("--json", type=Path, metavar="DIR",
        help="also write each student's results.json there")  # fmt: skip
    return parser


def _check(options: argparse.Namespace) -> int:
    """Check; 0 for full marks, else 1."""
    numbers = options.exercise or list(NAMES)
    if options.file and len(numbers) > 1:
        raise ValueError("--file is for one exercise")
    reports = []
    for number in numbers:
        path = options.file or starter(number)
        reports.append(check(number, path if options.json else _existing(path)))
        if not options.json:
            _tell(reports[-1], options.file, options.why)
            if not (reports[-1].complete or options.why):
                file = f" --file {options.file}" if options.file else ""
                print(f"Why? {ASK} why {number}{file}      Stuck? {ASK} hint {number}")
    if options.json:
        print(json.dumps(grading.gradescope(reports), indent=2))
    return 0 if all(report.complete for report in reports) else 1


def _tell(report: Report, file: Path | None = None, why: bool = False) -> None:
    """Note the points; print the report."""
    if file is None:
        before = _progress().get(str(report.number), {})
        best = max(report.points, int(before.get("points", 0)))
        at = report.broken.name if report.broken else ""
        _note(report.number, points=best, full=report.full, at=at)
    print(summary(report, why), flush=True)


def _hint(options: argparse.Namespace) -> int:
    """Show one hint more, of those for where the last check ended."""
    number = options.exercise
    entry = _progress().get(str(number), {})
    at = str(entry.get("at", ""))
    of = at.partition(":")[0] if hints(number, at) != hints(number) else ""
    seen = int(entry.get("hints" + of, 0))
    for i, hint in enumerate(hints(number, at)[: seen + 1], 1):  # those before it, too
        print(f"Hint {i} of 3{of and ' for '}{of}: {hint}")
    if seen < 3:
        _note(number, **{"hints" + of: seen + 1})
    return 0


def _progress() -> dict[str, dict[str, Any]]:
    """Return ``{"3": {"points": 10, "full": 17, "at": "values", "hints": 1}}``, or nothing."""
    try:
        saved = json.loads(PROGRESS.read_text(encoding="utf-8"))
        return {
            str(number): {str(k): v for k, v in entry.items() if isinstance(v, int | str)}
            for number, entry in saved.items()
        }
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _note(number: int, **values: int | str) -> None:
    """Write values of an exercise down. Where the folder cannot be written to, it is left."""
    entries = _progress()
    entries[str(number)] = entries.get(str(number), {}) | values
    temporary = PROGRESS.with_name(f".progress.{os.getpid()}")
    with contextlib.suppress(OSError):
        temporary.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
        temporary.replace(PROGRESS)


def _list(options: argparse.Namespace) -> int:
    reached = _progress()
    print(" N    best")
    for number in NAMES:
        entry = reached.get(str(number), {})
        points, full = entry.get("points", 0), entry.get("full", 0)
        mark = "done" if full and points == full else f"{points}/{full}" if full else ""
        seen = sum(int(value) for key, value in entry.items() if key.startswith("hints"))
        told = f"  ({seen} hint{'s' if seen > 1 else ''})" if seen else ""
        print(f"{number:2}  {mark:>6}  {title(number)}{told}")
    return 0


def _watch(options: argparse.Namespace) -> int:
    if options.file and options.exercise is None:
        raise ValueError("--file needs the number of its exercise")
    numbers = [options.exercise] if options.exercise else list(NAMES)
    files = {number: _existing(options.file or starter(number)) for number in numbers}
    seen = dict.fromkeys(numbers, -1) if options.exercise else _saved(files)
    last: Report | None = None
    with _keys() as pressed:
        keys = pressed is not time.sleep
        print(f"watching; {'w names the cause, ' if keys else ''}Ctrl-C ends it", flush=True)
        while True:
            now = _saved(files)
            for number, when in now.items():
                if when not in (seen[number], 0):
                    print(f"\n{time.strftime('%H:%M:%S')}", flush=True)
                    last = check(number, files[number])
                    _tell(last, options.file)
            seen = now
            if pressed(0.5) == "w" and last and last.broken:
                print(cause(last.broken), flush=True)


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[float], str | None]]:
    """Give a function that waits some seconds and returns the key that is pressed meanwhile.

    It is time.sleep where no keys can be read: in a pipe, or on Windows.
    """
    if termios is None or not sys.stdin.isatty():
        yield time.sleep
        return
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)

    def pressed(seconds: float) -> str | None:
        ready, _, _ = select.select([sys.stdin], [], [], seconds)
        return os.read(sys.stdin.fileno(), 1).decode(errors="replace") if ready else None

    try:
        yield pressed
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _saved(files: dict[int, Path]) -> dict[int, int]:
    """Return when each file was saved, 0 for one that is being written anew."""
    return {
        number: path.stat().st_mtime_ns if path.exists() else 0 for number, path in files.items()
    }


def _reset(options: argparse.Namespace) -> int:
    path = starter(options.exercise)
    with zipfile.ZipFile(STARTERS) as archive:
        fresh = archive.read(path.name)
    if path.exists() and path.read_bytes() != fresh:
        count = 1
        while (backup := path.with_name(f"{path.stem}.{count}.bak")).exists():
            count += 1
        path.rename(backup)
        print(f"your file is now {backup.name}")
    path.write_bytes(fresh)
    print(f"{path.name} is as it was handed out")
    return 0


def _grade(options: argparse.Namespace) -> int:
    """Grade a folder; 0 if everybody has full marks in all that they handed in, else 1."""
    graded = grading.grade(options.folder, options.output)
    if options.json:
        options.json.mkdir(parents=True, exist_ok=True)
        for student, reports in graded.items():
            path = options.json / f"{student}.json"
            path.write_text(
                json.dumps(grading.gradescope(reports.values()), indent=2), encoding="utf-8"
            )
    print(options.output)
    return 0 if all(r.complete for reports in graded.values() for r in reports.values()) else 1


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is no file (reset brings a starter back)")
    return path


def _number(text: str) -> int:
    match = re.fullmatch(r"(?:ex)?0*(\d{1,2})(?:_.*)?", Path(text).name)
    if match and int(match[1]) in NAMES:
        return int(match[1])
    raise argparse.ArgumentTypeError(f"{text!r} is no exercise: 1 to {max(NAMES)}")


def _number_or_all(text: str) -> list[int]:
    return [] if text == "all" else [_number(text)]
