"""Hours in one process, or in a few: neither memory nor open files become more."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from faults.moments import environment

SECONDS, PICTURES = 20, 600  # without --minutes
MEGABYTES = 8  # from the third quarter to the fourth: what the allocator may keep by chance

needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")


@needs_proc
def test_training_for_long_takes_no_more_memory_or_files(
    tmp_path: Path, minutes: float | None, record_property: Callable[[str, object], None]
) -> None:
    seconds = SECONDS if minutes is None else 60 * minutes
    record_property("long run", assert_flat(tmp_path, 1, "train", seconds))


@needs_proc
@pytest.mark.parametrize("jobs", [1, 2])
def test_many_pictures_take_no_more_memory_or_files(
    tmp_path: Path, minutes: float | None, record_property: Callable[[str, object], None], jobs: int
) -> None:
    count = PICTURES if minutes is None else 1000
    record_property("long run", assert_flat(tmp_path, jobs, "upscale", count, jobs))


def assert_flat(folder: Path, processes: int, kind: str, *amounts: float) -> str:
    """Do so much, elsewhere, and look at what was noted in each process; return a line about it."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "faults.long_run", kind, *map(str, amounts)],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    notes = [np.array(json.loads(path.read_text())) for path in folder.glob("looks*.json")]
    assert len(notes) == processes
    return "; ".join(judged(looks, f"{kind} {amounts[0]:g}") for looks in notes)


def judged(looks: np.ndarray, what: str) -> str:
    """Judge what one process noted."""
    assert len(looks) >= 12, "too few looks to judge by"
    _, memory, *counts = looks[len(looks) // 2 :].T
    third, fourth = np.array_split(memory, 2)
    rise = np.median(fourth) - np.median(third)
    assert rise < MEGABYTES, f"the memory rises by {rise:.0f} MB: {memory.tolist()}"
    for name, before, after in zip(("files", "threads"), looks[:, 2:].T, counts, strict=True):
        assert after[len(after) // 2 :].max() <= before[: len(before) * 3 // 4].max(), (
            f"{name} rise"
        )
    return (
        f"{what}: {memory.min():.0f} to {memory.max():.0f} MB in the second half "
        f"(its quarters {rise:+.1f} MB), at most {looks[:, 2].max():.0f} files and "
        f"{looks[:, 3].max():.0f} threads"
    )
