"""Work for a long time, and note how much memory and how many files that takes.

``python -m faults.long_run train SECONDS`` or ``... upscale COUNT JOBS``, in an empty folder; every
process that works leaves a file, ``looks*.json``: [seconds so far, megabytes of memory, open files,
threads] for every look at it.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from npespcn.commands import main as cli
from npespcn.commands import upscale as command
from npespcn.data import LeafStream, dead_leaves_pictures, validation_pairs
from npespcn.models import ESPCN
from npespcn.runs import fit

LOOK_EVERY = 0.05  # seconds
LARGEST = 160  # pixels, of the pictures to enlarge
DIFFERENT = 60  # pictures: after them, no picture is larger than one before

begun, looked, looks = time.monotonic(), 0.0, list[list[float]]()


def main() -> None:
    """Do the work."""
    kind, *amounts = sys.argv[1:]
    {"train": train, "upscale": upscale}[kind](*map(float, amounts))


def watch() -> None:
    """Look at each picture that this process enlarges."""
    do: Callable[..., Any] = command._Work.do

    def watched(*item: Any) -> Any:
        look()
        return do(*item)

    command._Work.do = watched  # type: ignore[method-assign]


def save_looks() -> None:
    """Leave what was noted, if there was something to look at."""
    if looks:
        Path(f"looks{os.getpid()}.json").write_text(json.dumps(looks))


def look() -> None:
    """Note how it stands, if it is time for that."""
    global looked
    now = time.monotonic() - begun
    if now - looked >= LOOK_EVERY:
        looked = now
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        files = len(os.listdir("/proc/self/fd"))
        memory = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
        looks.append([now, memory, files, threading.active_count()])


def train(seconds: float) -> None:
    """Train, with new pictures, validations and checkpoints all the time."""

    class Leaves(LeafStream):
        def batch(self, *how: Any) -> Any:
            look()
            if time.monotonic() - begun > seconds:
                raise KeyboardInterrupt
            return super().batch(*how)

    model = ESPCN(2, padding="edge")
    data = Leaves(2, count=8, every=5, size=96)
    validation = validation_pairs(dead_leaves_pictures(2, 64, 1), 2)
    how: dict[str, Any] = {"batch_size": 8, "patch_size": 16, "validate_every": 50}
    try:
        fit(model, data, steps=10**9, validation=validation, out="run", progress=True, **how)
    except KeyboardInterrupt:
        return


def upscale(count: float, jobs: float) -> None:
    """Enlarge so many pictures of many kinds and sizes with one command."""
    Path("in").mkdir()
    for i in range(int(count)):
        rng = np.random.default_rng(i % DIFFERENT)
        h, w = rng.integers(16, LARGEST, 2)
        picture = Image.fromarray(rng.integers(0, 256, (h, w, 3), np.uint8))
        if i % 4 == 1:
            picture.convert("LA").save(f"in/{i}.png")
        elif i % 4 == 2:
            picture.save(f"in/{i}.gif", save_all=True, append_images=[picture.rotate(180)])
        elif i % 20 == 7:
            Path(f"in/{i}.png").write_bytes(b"broken")
        else:
            picture.save(f"in/{i}.jpg")
    if jobs == 1:
        watch()
    cli.main(["upscale", "in", "-o", "out", "--jobs", f"{jobs:.0f}"])


atexit.register(save_looks)
if __name__ == "__mp_main__":  # one of several processes
    watch()
if __name__ == "__main__":
    main()
