"""Run a student's file in a process of its own, watch the clock, and end it with all its children.

`check` starts the worker, ``python -m tutorials.exercises.checker.process NUMBER FILE REPORT``. The
worker climbs, and writes each event to the file REPORT, a line of JSON at a time, so that it is
known how far it came if it does not come back. What the student's file prints goes to a file, too.
Both are read again and again: that works on every system, and no pipe can fill up.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tutorials.exercises.checker.engine import IMPORTABLE, climb
from tutorials.exercises.checker.exercises import NAMES, build
from tutorials.exercises.checker.report import Report, Step
from tutorials.exercises.checker.torch_answers import with_torch

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

ROOT = Path(__file__).parents[3]  # of the package ``tutorials``
MEMORY = 1 << 30  # bytes more than there are when the student's file is imported
FILE_SIZE = 64 << 20
START_SECONDS = 60.0  # for the checker itself
SECONDS = 15.0  # for the student's file, all rungs together that do not ask for more
OUTPUT = 1 << 20  # bytes that it may print
SHOWN_LINES = 10  # of the first, and of the last


def check(number: int, path: Path) -> Report:
    """Check a student's file; return how far it got, whatever it does.

    Raises
    ------
    RuntimeError
        If the checker itself fails, before it has looked at the file.
    """
    with tempfile.TemporaryDirectory(prefix="exercise-") as folder:
        lines, output = Path(folder) / "report", Path(folder) / "output"
        lines.touch()
        with output.open("wb") as sink:
            process = subprocess.Popen(  # noqa: S603  # Python, and the checker
                [sys.executable, "-m", __name__, str(number), path.resolve(), lines],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=_environment(),
                start_new_session=True,
            )
        try:
            stopped = _watch(process, lines, output)
        finally:
            _end(process)
        printed = _read(output)
        return _report(number, _events(lines), stopped, process.returncode, printed)


def _watch(process: subprocess.Popen[bytes], lines: Path, output: Path) -> str:
    """Wait for the end; return the reason if it had to be forced, or nothing."""
    deadline, ready, extended = time.monotonic() + START_SECONDS, False, 0
    while process.poll() is None:
        time.sleep(0.03)
        events = _events(lines)
        if not ready and any("ready" in event for event in events):
            ready, deadline = True, time.monotonic() + SECONDS
        more = [event["rung"][2] for event in events if "rung" in event and event["rung"][2]]
        if len(more) > extended:
            extended, deadline = len(more), time.monotonic() + more[-1]
        if any("end" in event for event in events):
            return ""  # it is about to go
        if ready and output.stat().st_size > OUTPUT:
            return f"it prints without end (more than {OUTPUT >> 20} MB): take the print out"
        if time.monotonic() > deadline:
            seconds = more[-1] if more else SECONDS
            return f"still running after {seconds:.0f} seconds: a loop that never ends?"
    return ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it has started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    process.wait()


def _report(
    number: int, events: list[dict[str, Any]], stopped: str, status: int, printed: str
) -> Report:
    about = next((event["ready"] for event in events if "ready" in event), None)
    if about is None:
        raise RuntimeError(f"the checker could not begin:\n{printed}")
    report = Report(number, NAMES[number], about["title"], about["full"], printed=printed)
    report.steps = [Step(**event["step"]) for event in events if "step" in event]
    for event in events:
        if "cause" in event:
            index, cause = event["cause"]
            report.steps[index].cause = cause
    if any("end" in event for event in events):
        return report
    begun = [event["rung"] for event in events if "rung" in event] or [[IMPORTABLE, 0, None]]
    name, points, _ = begun[-1]
    if len(begun) > len(report.steps):
        report.steps.append(Step(name, points, False, stopped or _death(status)))
    elif report.broken is None:  # between two rungs, or after the last: a thread of the student's
        report.steps.append(Step("end", 0, False, stopped or _death(status)))
    return report


def _death(status: int) -> str:
    if status >= 0:
        return f"your file ended the checker (exit status {status}): take the exit out"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = str(-status)
    return f"your file crashed Python ({name})"


def _environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return os.environ | one_thread | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def _events(lines: Path) -> list[dict[str, Any]]:
    events = []
    for line in lines.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(ValueError):  # half a line, of a process that was ended
            event = json.loads(line)
            if isinstance(event, dict):
                events.append(event)
    return events


def _read(output: Path) -> str:
    """Return the first and the last lines of the output."""
    with output.open("rb") as file:
        lines = file.read(2 * OUTPUT).decode("utf-8", errors="replace").splitlines()
    if len(lines) > 2 * SHOWN_LINES:
        lines[SHOWN_LINES:-SHOWN_LINES] = ["…"]
    return "\n".join(line[:200] for line in lines)


# --- the worker ----------------------------------------------------------------------------------


def work() -> None:
    """Climb, and report: the worker."""
    number, path, report = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    exercise = with_torch(build(number))
    with open(report, "a", encoding="utf-8") as file:

        def tell(kind: str, content: Any) -> None:
            file.write(json.dumps({kind: content}) + "\n")
            file.flush()

        tell("ready", {"title": exercise.title, "full": exercise.points})
        _limit()
        climb(exercise, path, tell)
        with contextlib.suppress(OSError, ValueError):  # the student's file may have closed it
            sys.stdout.flush()
        tell("end", None)
        os._exit(0)  # whatever threads the student's file has started


def _limit() -> None:
    """Bound memory, the size of files and core dumps, where the system can."""
    if resource is None:
        return
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        memory = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    for kind, most in ((resource.RLIMIT_FSIZE, FILE_SIZE), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    work()
