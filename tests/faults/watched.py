"""Run npespcn, and write down where it is, so that somebody else can end it there.

``NOTES=FILE python -m faults.watched WORD...``: FILE, of one byte, always holds the number of the
place in `PLACES` to which a process of the command has come, or returned, last. The environment can
add faults: ``FAULT=clock`` makes the time of day jump, and ``FAULT=nan:25`` makes the 25th batch
worthless.
"""

from __future__ import annotations

import functools
import importlib
import mmap
import os
import random
import sys
import time
from typing import Any

PLACES = (
    "start",
    "step",
    "validation",
    "save",
    "drawing",
    "looking",
    "enlarging",
    "writing",
    "end",
)
WHERE = {  # what is done at each place
    "step": [
        "runs.ranks:Share.batch",
        "fast.network:Accelerated.forward",
        "fast.network:Accelerated.backward",
        "runs.schedules:Scheduled.step",
    ],
    "validation": ["runs.fit:validate"],
    "save": ["runs.folder:RunFolder.save", "runs.folder:RunFolder.save_best"],
    "drawing": ["figures:save", "figures.sheet:save"],
    "looking": ["commands.upscale:is_whole"],
    "enlarging": ["commands.upscale:upscale", "commands.upscale:upscale_to_png"],
    "writing": ["commands.upscale:write_frames"],
}


def main() -> int:
    """Run the command; return its exit status."""
    place = watch()
    from npespcn.commands import main as cli

    training: Any = importlib.import_module("npespcn.runs.fit")
    training.SAVE_EVERY_STEPS = 4  # so that saving is a good part of the work
    fault, _, at = os.environ.get("FAULT", "").partition(":")
    if fault == "nan":
        _spoil_batch(int(at))
    try:
        return cli.main(sys.argv[1:])
    finally:
        place[0] = PLACES.index("end")


def watch() -> mmap.mmap:
    """Let this process write down where it is; return where it does that."""
    with open(os.environ["NOTES"], "r+b") as file:
        place = mmap.mmap(file.fileno(), 1)
    for name, functions in WHERE.items():
        for function in functions:
            _announce(place, name, function)
    sys.addaudithook(_refuse_to_write_in_place)
    if os.environ.get("FAULT") == "clock":
        _let_the_clock_jump()
    return place


def _announce(place: mmap.mmap, name: str, function: str) -> None:
    """Have a function say that it runs, and that it has ended."""
    module, _, path = function.partition(":")
    owner: Any = importlib.import_module(f"npespcn.{module}")
    *parents, attribute = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    original = getattr(owner, attribute)

    @functools.wraps(original)
    def announced(*args: Any, **kwargs: Any) -> Any:
        before, place[0] = place[0], PLACES.index(name)
        try:
            return original(*args, **kwargs)
        finally:
            place[0] = before

    setattr(owner, attribute, announced)


def _refuse_to_write_in_place(event: str, args: tuple[Any, ...]) -> None:
    """Fail where a result is opened under its own name: whoever looked then would see a part."""
    if event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR):
        name = os.path.basename(os.fsdecode(args[0])) if isinstance(args[0], str | bytes) else ""
        if name.endswith((".png", ".npz", ".csv")) and not name.startswith(".npespcn-"):
            raise RuntimeError(f"{name} is written in place")


def _let_the_clock_jump() -> None:
    """Make the time of day jump back and forth by up to a year, each time that it is asked for."""
    rng, clock, std = random.Random(0), time.time, importlib.import_module("tqdm.std")  # noqa: S311
    time.time = std.time = lambda: clock() + rng.uniform(-3e7, 3e7)
    time.time_ns = lambda: int(time.time() * 1e9)


def _spoil_batch(number: int) -> None:
    from npespcn.data.patches import PairedPatches

    batch, count = PairedPatches.batch, 0

    def spoilt(*args: Any) -> Any:
        nonlocal count
        count += 1
        lr, hr = batch(*args)
        return lr, hr * (float("nan") if count == number else 1)

    PairedPatches.batch = spoilt  # type: ignore[method-assign]


if __name__ == "__mp_main__":  # a process that --jobs has started
    watch()
if __name__ == "__main__":
    sys.exit(main())
