"""Run every lesson by itself, one after the other, and say how long each took.

``make tutorials`` runs this. A lesson that fails is shown with what it printed, and makes the exit
status 1. A lesson that takes too long is named, but does not fail: machines differ.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from lessons import lessons

HERE = Path(__file__).parent
LIMIT, TRAINING_LIMIT = 30, 90  # seconds on two cores
TRAINING = {"8", "9", "10", "14"}  # lessons that train networks


def main() -> int:
    """Return the exit status."""
    failed, slow, total = [], [], 0.0
    for lesson in lessons():
        name = lesson.path.stem
        print(f"{name:36}", end="", flush=True)
        started = time.perf_counter()
        done = subprocess.run(  # noqa: S603 (our own files)
            [sys.executable, lesson.path],
            cwd=HERE.parent,
            env={**os.environ, "MPLBACKEND": "Agg", "PYTHONIOENCODING": "utf-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        seconds = time.perf_counter() - started
        total += seconds
        print(f"{seconds:6.1f} s" + ("  failed" if done.returncode else ""))
        if done.returncode:
            print(done.stdout)
            failed.append(name)
        limit = TRAINING_LIMIT if lesson.number in TRAINING else LIMIT
        if seconds > limit:
            slow.append(f"{name} took {seconds:.0f} s; {limit} s were meant")
    print(f"{f'{len(lessons())} lessons':36}{total:6.1f} s", *slow, sep="\n")
    if failed:
        print("failed:", ", ".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
