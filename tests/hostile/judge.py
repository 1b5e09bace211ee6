"""What a command may make of bad files, and whether it has kept to that.

Each input is either enlarged (a whole file of the right size, a line on stdout) or refused (a line
on stderr that names it), whatever becomes of the others; the exit status says whether any was
refused. There is no traceback, no hang, no more memory than 1 GB, and nothing else is left behind.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from hostile.pictures import Files, noise, saved
from npespcn.common.messages import one_line

SECONDS = 10.0  # of the processor, which other programs do not use up
SECONDS_PER_PIXEL = 2e-6  # more, for what is there to be enlarged in the end
PATIENCE = 300.0  # seconds by the clock, for what waits and does nothing
MEMORY = 1 << 30  # bytes at a time, the interpreter's own included
_KILLED_AT = MEMORY * 3 // 2
_ADDRESS_SPACE = 8 << 30  # what may be asked for: more is refused, as with little memory

_SCRATCH = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108  # which waits for no disk
GOOD = "good.png"  # stands beside the bad ones, and must be enlarged


@dataclass
class Outcome:
    """What became of each input, "done" or "refused", and all that should not be."""

    fates: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    answer: dict[str, Any] = field(default_factory=dict)


class Worker:
    """A process that runs commands, and is started anew when it is lost."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self.patience = patience
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.end()

    def start(self) -> subprocess.Popen[bytes]:
        """Return the process, which may just have been started."""
        if self.process is None:
            tests = Path(__file__).parents[1]
            paths = os.pathsep.join([str(tests), str(tests.parent)])
            more = {"PYTHONPATH": paths, "HOSTILE_ADDRESS_SPACE": str(_ADDRESS_SPACE)}
            more |= {"NPESPCN_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"}
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hostile.worker"],
                env=os.environ | more,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        return self.process

    def run(self, words: Sequence[str], folder: Path, trace: bool = False) -> dict[str, Any]:
        """Run a command in a folder; return what `worker` says, or why it says nothing."""
        process = self.start()
        assert process.stdin is not None
        assert process.stdout is not None
        request = {"words": list(words), "folder": str(folder), "trace": trace}
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()
        begun = time.monotonic()
        while not select.select([process.stdout], [], [], 0.05)[0]:
            if time.monotonic() - begun > self.patience:
                return self.lost(f"it hung: no answer after {self.patience:.0f} s")
            if _resident(process.pid) > _KILLED_AT:
                return self.lost(f"it took more than {_KILLED_AT >> 20} MB of memory")
        line = process.stdout.readline()
        if not line:
            return self.lost(f"it crashed: {_how_it_ended(process.wait())}")
        return dict(json.loads(line))

    def lost(self, why: str) -> dict[str, Any]:
        self.end()
        return {"status": why}

    def end(self) -> None:
        """End the process, whatever it is doing."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


def upscale(
    worker: Worker, files: Mapping[str, bytes], trace: bool = False, flags: Sequence[str] = ()
) -> Outcome:
    """Let the command enlarge these files, with a good one among them, and judge it.

    The stems of the names must differ.
    """
    with tempfile.TemporaryDirectory(dir=_SCRATCH) as name:
        folder, everything = Path(name), {GOOD: GOOD_BYTES, **files}
        for file, data in everything.items():
            (folder / file).write_bytes(data)
        answer = worker.run(["upscale", *everything, *flags], folder, trace)
        outcome = judged(answer, list(everything), scale=2)
        for file, data in everything.items():
            if (folder / file).read_bytes() != data:
                outcome.problems.append(f"it changed {file}")
        if "new" not in answer:  # what died on the way may leave its temporary file
            return outcome
        left = sorted(set(os.listdir(folder)) - set(everything) - set(answer["new"]))
        outcome.problems += [f"it left {file}" for file in left]
    return outcome


GOOD_BYTES = saved(noise(3, 4), "PNG")


def weights(worker: Worker, name: str, data: bytes, trace: bool = False) -> Outcome:
    """Let the command enlarge a good picture with these weights, and judge it."""
    with tempfile.TemporaryDirectory(dir=_SCRATCH) as folder:
        Path(folder, GOOD).write_bytes(GOOD_BYTES)
        Path(folder, name).write_bytes(data)
        answer = worker.run(["upscale", GOOD, "--weights", name], Path(folder), trace)
        outcome = Outcome(answer=answer)
        if Path(folder, name).read_bytes() != data:
            outcome.problems.append("it changed the weights")
    blame = outcome.problems.append
    if answer["status"] == 0 and len(answer["new"]) == 1:
        ((target, sizes),) = answer["new"].items()
        outcome.fates[name] = "done"
        scale = int(target.removeprefix("good_x").removesuffix(".png"))
        if why := _wrong_size(answer["old"].get(GOOD), sizes, target, scale):
            blame(why)
        if answer["err"] or answer["out"] != f"{target}\n":
            blame(f"it said {answer['err']!r} and {answer['out']!r}")
    elif answer["status"] == 1:
        outcome.fates[name] = "refused"
        _check_refusal(outcome, f"npespcn upscale: {name}: ")
    else:
        blame(f"status {answer['status']}, made {answer.get('new')}")
    _check_costs(outcome)
    return outcome


def checkpoint(worker: Worker, run: Path, name: str, data: bytes, trace: bool = False) -> Outcome:
    """Let a run, in a folder as `make_run` left it, go on for a step from this checkpoint."""
    with tempfile.TemporaryDirectory(dir=_SCRATCH) as parent:
        folder = Path(parent, "here")
        shutil.copytree(run, folder)
        (folder / "run" / name).write_bytes(data)
        before = _contents(folder / "run")
        answer = worker.run([*TRAIN, "3", "--resume"], folder, trace)
        outcome = Outcome(answer=answer)
        after = _contents(folder / "run")
        if answer["status"] == 1 and before != after:
            outcome.problems.append("it was refused, but changed")
    if answer["status"] == 0:
        outcome.fates[name] = "done"
        if after.keys() != before.keys():
            outcome.problems.append(f"it left {sorted(after)}")
    elif answer["status"] == 1:
        outcome.fates[name] = "refused"
        # A run that fails in its next step cannot tell that the file is to blame.
        diverged = "not finite at step 3: the learning rate" in answer["err"]
        _check_refusal(outcome, "npespcn train: " if diverged else "npespcn train: run")
    else:
        outcome.problems.append(f"status {answer['status']}")
    _check_costs(outcome)
    return outcome


TRAIN = [
    "train",
    "--data",
    "pictures",
    "--val",
    "pictures",
    "--out",
    "run",
    "--scale",
    "2",
    "--batch-size",
    "2",
    "--patch-size",
    "9",
    "--optimizer",
    "adam",
    "--schedule",
    "constant",
    "--steps",
]


def make_run(worker: Worker, folder: Path) -> None:
    """Train for two steps, in an empty folder."""
    (folder / "pictures").mkdir()
    (folder / "pictures" / "a.png").write_bytes(saved(noise(40, 40), "PNG"))
    answer = worker.run([*TRAIN, "2"], folder)
    assert answer["status"] == 0, answer


def _contents(folder: Path) -> Files:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def _check_refusal(outcome: Outcome, start: str) -> None:
    """Blame a refusal that is not one short line of plain characters, and starts like this."""
    lines = [line for line in outcome.answer["err"].split("\n") if line.startswith("npespcn ")]
    line = lines[0] if lines else ""
    if len(lines) != 1 or not line.startswith(start) or len(line) > 1000:
        outcome.problems.append(f"it said {outcome.answer['err'][:2000]!r}")
    if re.search(r"[\x00-\x1f\x7f-\x9f]", line):
        outcome.problems.append(f"it printed control characters: {line[:300]!r}")
    if outcome.answer["new"]:
        outcome.problems.append(f"it left {sorted(outcome.answer['new'])}")


def _check_costs(outcome: Outcome) -> None:
    answer, blame = outcome.answer, outcome.problems.append
    frames = [f for new in answer.get("new", {}).values() if isinstance(new, list) for f in new[0]]
    pixels = sum(width * height for width, height in frames)
    if answer.get("seconds", 0) > SECONDS + SECONDS_PER_PIXEL * pixels:
        blame(f"it took {answer['seconds']:.0f} s")
    if answer.get("peak", 0) > MEMORY:
        blame(f"it took {answer['peak'] >> 20} MB of memory")
    if answer.get("files left open", 0) > 0:
        blame(f"it left {answer['files left open']} files open")


def judged(answer: dict[str, Any], names: Sequence[str], scale: int) -> Outcome:
    """Say what became of each input, going by what the worker says."""
    outcome = Outcome(answer=answer)
    status, blame = answer["status"], outcome.problems.append
    if status not in (0, 1):
        blame(str(status) if isinstance(status, str) else f"its status is {status}")
        return outcome
    targets: dict[str, str] = {}
    unclaimed = answer["err"].splitlines()
    for name in names:
        shown = one_line(name)
        complaints = [line for line in unclaimed if line.startswith(f"npespcn upscale: {shown}: ")]
        unclaimed = [line for line in unclaimed if line not in complaints]
        stem = Path(name).stem
        made = [new for new in answer["new"] if Path(new).stem == f"{stem}_x{scale}"]
        if len(made) == 1 and not complaints:
            targets[name] = made[0]
            outcome.fates[name] = "done"
            if why := _wrong_size(answer["old"].get(name), answer["new"][made[0]], made[0], scale):
                blame(f"{name}: {why}")
        elif len(complaints) == 1 and not made:
            outcome.fates[name] = "refused"
        else:
            outcome.fates[name] = "unclear"
            blame(f"{name}: made {made}, said {complaints}")
    known = "|".join(re.escape(one_line(name)) for name in [*targets, *targets.values()])
    for line in unclaimed:
        # Warnings about what was enlarged all the same. Pillow before 12 knows whole paths alone.
        if not targets or not re.match(f"npespcn: (/.*/)?({known}): ", line):
            blame(f"it said {line!r}")
    if status != ("refused" in outcome.fates.values()):
        blame(f"its status is {status}, but: {outcome.fates}")
    if sorted(answer["out"].splitlines()) != sorted(targets.values()):
        blame(f"it printed {answer['out']!r}")
    if extra := set(answer["new"]) - set(targets.values()):
        blame(f"it left {sorted(extra)}")
    _check_costs(outcome)
    return outcome


def _wrong_size(old: Any, new: Any, target: str, scale: int) -> str | None:
    """Say what is wrong with the frames of a result, if anything."""
    if isinstance(new, str):
        return f"{target} cannot be read: {new}"
    if not isinstance(old, list):
        return f"it cannot be read ({old}), but was enlarged"
    (was, turned), (now, _) = old, new
    # In an animated PNG, frames that are the same become one.
    if len(now) > len(was) or (len(now) < len(was) and not target.endswith(".png")):
        return f"{len(was)} frames became {len(now)}"
    wanted = [[w * scale, h * scale] for w, h in was]
    flipped = [size[::-1] for size in wanted]
    allowed = {None: [wanted, flipped], True: [flipped], False: [wanted]}[turned]
    if not any(now == sizes[: len(now)] for sizes in allowed):
        return f"{was} became {now}"
    return None


def _resident(group: int) -> int:
    """Return how much memory a group of processes has, in bytes; 0 if the system does not say."""
    pages = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError):  # those that have just ended
            fields = path.read_text().rpartition(")")[2].split()
            pages += int(fields[21]) if int(fields[2]) == group else 0
    return pages * os.sysconf("SC_PAGE_SIZE") if pages else 0


def _how_it_ended(code: int) -> str:
    return f"exit status {code}" if code >= 0 else signal.Signals(-code).name


__all__ = ["GOOD", "MEMORY", "SECONDS", "Files", "Outcome", "Worker", "judged", "upscale"]
