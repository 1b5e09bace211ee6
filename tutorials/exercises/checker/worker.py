"""The process that runs a student's file: ``worker NUMBER FILE REPORT``.

It writes each event to the file REPORT, a line of JSON at a time, so that its parent knows how far
it came if it does not come back.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tutorials.exercises.checker.climb import climb
from tutorials.exercises.checker.exercises import build

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

MEMORY = 1 << 30  # bytes more than there are when the student's file is imported
FILE_SIZE = 64 << 20


def main() -> None:
    """Climb, and report."""
    number, path, report = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    exercise = build(number)
    with open(report, "a", encoding="utf-8") as file:

        def tell(kind: str, content: Any) -> None:
            file.write(json.dumps({kind: content}) + "\n")
            file.flush()

        tell("ready", {"title": exercise.title, "full": exercise.points})
        _limit()
        _show_what_is_not_set()
        climb(
            exercise,
            path,
            before=lambda rung: tell("rung", [rung.name, rung.points, rung.seconds]),
            after=lambda step: tell("step", step.as_dict()),
        )
        with contextlib.suppress(OSError, ValueError):  # the student's file may have closed it
            sys.stdout.flush()
        tell("end", None)
        os._exit(0)  # whatever threads the student's file has started


def _show_what_is_not_set() -> None:
    """Let np.empty give NaN: the numbers left in memory look right one day, wrong another."""
    given = np.empty

    def empty(*arguments: Any, **more: Any) -> Any:
        array = given(*arguments, **more)
        if array.dtype.kind in "fc":
            array.fill(np.nan)
        return array

    np.empty = empty  # type: ignore[misc]


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
    main()
