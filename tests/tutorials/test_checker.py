"""What a student's file may do to the checker, the command line, grading, the hand-out."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from tutorials.exercises.checker import process
from tutorials.exercises.checker.cli import STARTERS
from tutorials.exercises.checker.exercises import FOLDER, NAMES

EX1 = f"{NAMES[1]}.py"
SOLUTION = (FOLDER / "solutions" / EX1).read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Copy the exercises, as a student has them."""
    shutil.copytree(
        FOLDER,
        tmp_path / "tutorials" / "exercises",
        ignore=shutil.ignore_patterns(".progress*", "__pycache__"),
    )
    return tmp_path


def command(
    folder: Path, *words: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m tutorials.exercises`` in a folder."""
    return subprocess.run(  # noqa: S603  # Python, and the checker
        [sys.executable, "-m", "tutorials.exercises", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | (environment or {}),
    )


BODY = "    r = upscale_factor\n    *"
HOSTILE = {  # what the function does, part of what is said
    "endless loop": ("while True: pass", "still running after"),
    "sleep": ("import time; time.sleep(1000)", "still running after"),
    "sys.exit": ("import sys; sys.exit(0)", "ends the program"),
    "exit at once": ("import os; os._exit(0)", "ended the checker (exit status 0)"),
    "crash": ("import ctypes; ctypes.string_at(0)", "crashed Python (SIGSEGV)"),
    "abort": ("import os; os.abort()", "crashed Python (SIGABRT)"),
    "kills itself": (
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "crashed Python (SIGKILL)",
    ),
    "giant array": ("np.ones(10**11)", "more memory"),
    "eats memory": ("kept = []\n    while True: kept.append(bytearray(10**7))", "more memory"),
    "a million lines": (
        "for line in range(10**6): print('line', line)",
        "prints without end",
    ),
    "prints for ever": ("while True: print('x' * 1000)", "prints without end"),
    "recursion": ("return pixel_shuffle(x, upscale_factor)", "calls itself without end"),
    "Ctrl-C": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "asks": ("input('how many? ')", "EOFError"),
    "closes its output": ("import sys; sys.stdout.close(); x[0, 0]; 1 / 0", "ZeroDivisionError"),
    "a huge file": (
        "open(__file__ + '.huge', 'wb').write(bytes(10**8))",
        "File too large",
    ),
}


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are Linux's")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_ends_with_a_clear_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, words = HOSTILE[name]
    if words.startswith("still running"):
        monkeypatch.setattr(process, "SECONDS", 3.0)
    path = tmp_path / "mine.py"
    path.write_text(SOLUTION.replace(BODY, f"    {body}\n{BODY}"))
    started = time.monotonic()
    report = process.check(1, path)
    assert time.monotonic() - started < 60 + process.SECONDS
    assert report.broken is not None
    assert words in report.broken.message, report.broken
    assert report.points == 0
    assert "\n" not in report.broken.message


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_children_end_with_it(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    forks = (
        "import os, time\n"
        "    for _ in range(50):\n"
        "        if os.fork() == 0:\n"
        "            time.sleep(1000)\n"
        "            os._exit(0)\n"
        f"        open({str(pids)!r}, 'a').write('x')\n"
        "    return None\n"
    )
    path = tmp_path / "mine.py"
    path.write_text(SOLUTION.replace(BODY, f"    {forks}{BODY}"))
    report = process.check(1, path)
    assert report.broken is not None
    assert len(pids.read_text()) >= 50  # they were there
    deadline = time.monotonic() + 20  # for a killed process takes a moment to go
    while left := [p for p in _command_lines() if str(path) in p]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def _command_lines() -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            found.append("" if state == "Z" else (entry / "cmdline").read_text())
        except OSError:
            continue
    return found


UNUSABLE = {  # the file, part of what is said
    b"import torch\n": "imports torch (line 1): that is PyTorch",
    b"from npespcn.shuffle import pixel_shuffle\n": "imports npespcn.shuffle (line 1)",
    b"def f():\n    from torch.nn import PixelShuffle\n": "imports torch.nn (line 2)",
    b"import importlib\nm = importlib.import_module('torch')\n": "imports torch (line 2)",
    b"name = 'tor' + 'ch'\nm = __import__(name)\n": "imports torch",
    b"def pixel_shuffle(x, r):\nreturn x\n": "line 2",
    b"def shuffle(x, r):\n    return x\n": "has no pixel_shuffle",
    b"pixel_shuffle = 3\n": "not a function any more",
    b"1 / 0\n": "ZeroDivisionError: division by zero (line 1: 1 / 0)",
    b"raise SystemExit\n": "ends the program",
    b"": "has no pixel_shuffle",
    b"\0": "null bytes",
    b"\xff\xfe x = 1": "UTF-8",
}


def test_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    for source, words in UNUSABLE.items():
        path.write_bytes(source)
        report = process.check(1, path)
        assert report.broken is not None, source
        assert words in report.broken.message, source
        assert report.points == 0, source


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(SOLUTION, encoding="utf-8-sig")  # as Notepad on Windows can save it
    assert process.check(1, path).complete


def test_what_a_file_prints_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(SOLUTION + "\nprint('my own word')\n")
    report = process.check(1, path)
    assert report.complete
    assert report.printed == "my own word"


def test_check_says_what_is_wrong_and_0_means_full_marks(folder: Path) -> None:
    starter = command(folder, "check", "1")
    assert starter.returncode == 1
    assert "0 of 10 points\nWhy? python -m tutorials.exercises why 1" in starter.stdout
    assert "Hint 1" not in starter.stdout
    assert "NotImplementedError" in starter.stdout
    solution = folder / "tutorials" / "exercises" / "solutions" / EX1
    done = command(folder, "check", "ex01", "--file", str(solution))
    assert done.returncode == 0, done.stderr
    assert "10 of 10 points" in done.stdout
    assert done.stderr == ""


SWAPPED = SOLUTION.replace("n + 3, n + 1, n + 4, n + 2", "n + 3, n + 2, n + 4, n + 1")


def test_the_cause_is_named_when_it_is_asked_for(folder: Path) -> None:
    (folder / "tutorials" / "exercises" / EX1).write_text(SWAPPED)
    checked = command(folder, "check", "1").stdout
    shown = (
        "pixel_shuffle(x=np.arange(4).reshape(4, 1, 1), upscale_factor=2)\n"
        "      y[0] expected   came\n"
        "      0 1             0 2\n"
        "      2 3             1 3\n"
    )
    assert shown in checked
    assert "swapped" not in checked
    for words in (("why", "1"), ("check", "1", "--why")):
        asked = command(folder, *words)
        assert asked.returncode == 1
        assert f"{shown}      Why: rows and columns of each block are swapped" in asked.stdout


def test_an_endless_search_for_the_cause_loses_only_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "SECONDS", 3.0)
    path = tmp_path / "mine.py"
    path.write_text(SWAPPED.replace(BODY, f"    while x.shape[0] == 12: pass\n{BODY}"))
    report = process.check(1, path)
    assert report.broken is not None
    assert report.broken.name == "values"
    assert report.broken.message == "y has wrong values"
    assert report.broken.cause == ""


def test_json_is_gradescopes(folder: Path) -> None:
    result = command(folder, "check", "1", "--json")
    assert result.returncode == 1
    content = json.loads(result.stdout)
    assert content["score"] == 0
    assert sum(test["max_score"] for test in content["tests"]) == 10
    assert all({"name", "score", "max_score", "output"} <= test.keys() for test in content["tests"])
    shutil.copy(folder / "tutorials/exercises/solutions" / EX1, folder / "tutorials/exercises")
    (folder / "wrong.py").write_text(SWAPPED)
    wrong = json.loads(command(folder, "check", "1", "--json", "--file", "wrong.py").stdout)
    assert "Why: rows and columns of each block are swapped" in wrong["output"]
    nothing = command(folder, "check", "1", "--json", "--file", "not/handed/in.py")
    assert json.loads(nothing.stdout)["score"] == 0
    assert "cannot read" in json.loads(nothing.stdout)["output"]
    full = json.loads(command(folder, "check", "1", "--json").stdout)
    assert full["score"] == sum(test["score"] for test in full["tests"]) == 10


def test_hints_come_one_at_a_time(folder: Path) -> None:
    shown = [command(folder, "hint", "1").stdout for _ in range(4)]
    assert [text.splitlines()[-1].partition(":")[0] for text in shown] == [
        "Hint 1 of 3",
        "Hint 2 of 3",
        "Hint 3 of 3",
        "Hint 3 of 3",
    ]
    assert len(set(shown)) == 3
    assert "(3 hints)" in command(folder, "list").stdout


def test_list_shows_what_was_reached(folder: Path) -> None:
    assert "0/" not in command(folder, "list").stdout
    command(folder, "check", "1")
    assert " 1    0/10  pixel shuffle" in command(folder, "list").stdout
    shutil.copy(folder / "tutorials/exercises/solutions" / EX1, folder / "tutorials/exercises")
    command(folder, "check", "1")
    assert " 1    done  pixel shuffle" in command(folder, "list").stdout


def test_reset_keeps_a_backup(folder: Path) -> None:
    file = folder / "tutorials" / "exercises" / EX1
    for number, text in enumerate(("mine", "mine again"), 1):
        file.write_text(text)
        assert command(folder, "reset", "1").returncode == 0
        assert file.read_text() == (FOLDER / EX1).read_text()
        assert file.with_name(f"{file.stem}.{number}.bak").read_text() == text


def test_watch_checks_what_is_saved(folder: Path) -> None:
    watching = subprocess.Popen(
        [sys.executable, "-u", "-m", "tutorials.exercises", "watch", "1"],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    try:
        for wanted in ("0 of 10 points", "10 of 10 points"):
            for line in watching.stdout:
                if wanted in line:
                    break
            solution = folder / "tutorials" / "exercises" / "solutions" / EX1
            (folder / "tutorials" / "exercises" / EX1).write_text(solution.read_text())
    finally:
        watching.kill()
        watching.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="needs a terminal")
def test_w_names_the_cause_while_watching(folder: Path) -> None:
    (folder / "tutorials" / "exercises" / EX1).write_text(SWAPPED)
    ours, theirs = os.openpty()
    watching = subprocess.Popen(
        [sys.executable, "-u", "-m", "tutorials.exercises", "watch", "1"],
        cwd=folder,
        stdin=theirs,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    try:
        for wanted in ("3 of 10 points", "Why: rows and columns of each block are swapped"):
            for line in watching.stdout:
                if wanted in line:
                    break
                assert "Why: " not in line
            os.write(ours, b"w")
    finally:
        watching.kill()
        watching.communicate()
        os.close(ours)
        os.close(theirs)


def test_grade_writes_a_table(folder: Path) -> None:
    handed_in = folder / "handed in"
    for student in ("alice", "bob"):
        (handed_in / student).mkdir(parents=True)
    shutil.copy(FOLDER / "solutions" / EX1, handed_in / "alice")
    (handed_in / "bob" / EX1).write_text(SWAPPED)
    shutil.copy(FOLDER / "solutions" / EX1, handed_in / "=carol_ex01_pixel_shuffle (1).py")
    (handed_in / "notes.py").write_text("1 / 0")
    table = folder / "grades.csv"
    result = command(folder, "grade", "handed in", "-o", str(table), "--json", "results")
    assert result.returncode == 1  # not everybody has full marks
    with table.open(newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert {name: row["ex01"] for name, row in rows.items()} == {
        "alice": "10",
        "bob": "3",
        "'=carol": "10",
    }
    assert rows["alice"]["ex02"] == ""
    assert "rows and columns of each block are swapped" in rows["bob"]["causes"]
    assert rows["alice"]["causes"] == ""
    assert rows["alice"]["points"] == "10"
    assert json.loads((folder / "results" / "alice.json").read_text())["score"] == 10
    shutil.rmtree(handed_in / "bob")
    assert command(folder, "grade", "handed in", "-o", str(table)).returncode == 0


WRONG_USAGE = {  # the words, the exit status, part of what is said
    "check 99": (2, "is no exercise: 1 to"),
    "check -1": (2, "is no exercise: 1 to"),
    "check 1 --file nowhere.py": (1, "nowhere.py is no file"),
    "check all --file x.py": (1, "--file is for one exercise"),
    "watch --file x.py": (1, "--file needs the number"),
    "grade nowhere": (1, "nowhere is no folder"),
    "grade empty": (1, "holds no submissions"),
    "": (2, "required"),
}


def test_wrong_usage_is_one_line(folder: Path) -> None:
    (folder / "empty").mkdir()
    for words, (status, says) in WRONG_USAGE.items():
        result = command(folder, *words.split())
        assert result.returncode == status, words
        assert says in result.stderr, words
        assert "Traceback" not in result.stderr, words


def test_the_starters_can_be_reset_to_what_they_are() -> None:
    with zipfile.ZipFile(STARTERS) as archive:
        packed = {name: archive.read(name) for name in archive.namelist()}
    assert packed == {f"{name}.py": (FOLDER / f"{name}.py").read_bytes() for name in NAMES.values()}
