"""Start a command, wait for a moment, end it there."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from faults.watched import PLACES

ROOT = Path(__file__).parents[2]
PATIENCE = 300.0  # seconds that a command may take before it counts as hanging
AFTER = 10.0  # seconds that its processes may take to end after it


class Command:
    """A command of npespcn that runs in a process of its own. Use it in a ``with`` block.

    Parameters
    ----------
    words
        The command line.
    folder
        Where it runs, and where what it prints is kept.
    fault
        For `watched`.
    stderr
        Where else to its complaints go.
    """

    def __init__(
        self,
        words: Sequence[Any],
        folder: Path,
        fault: str = "",
        stderr: int | IO[Any] | None = None,
        **options: Any,
    ) -> None:
        self.notes = folder / f".place{os.urandom(4).hex()}"
        self.notes.write_bytes(b"\0")
        self.log = self.notes.with_suffix(".log")
        self.begun = time.monotonic()
        with self.log.open("w") as log:
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "faults.watched", *map(str, words)],
                cwd=folder,
                env=environment() | {"FAULT": fault, "NOTES": str(self.notes)},
                stdout=log,
                stderr=log if stderr is None else stderr,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                **options,
            )

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.wait_for_all()
        self.notes.unlink()
        self.log.unlink()

    @property
    def place(self) -> str:
        """Where it is, or was when it ended."""
        return PLACES[self.notes.read_bytes()[0]]

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def wait_for(self, place: str) -> bool:
        """Wait until it is at a place; return whether it came there."""
        while self.place != place and not self.has_ended():
            assert time.monotonic() - self.begun < PATIENCE, f"it hangs: {self.log.read_text()}"
            time.sleep(0.0003)
        return not self.has_ended()

    def kill(self, number: int = signal.SIGKILL, everyone: bool = False) -> str:
        """Send a signal, to the processes that it has started, too, or not; return where it was."""
        if everyone:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        self.process.wait(PATIENCE)
        self.wait_for_all()
        return self.place

    def wait_for_all(self) -> None:
        """Wait until the processes that it has started are gone, too."""
        until = time.monotonic() + AFTER
        while self.members():
            if time.monotonic() > until:
                os.killpg(self.process.pid, signal.SIGKILL)
                raise AssertionError(f"processes stay: {self.members()}")
            time.sleep(0.001)

    def members(self) -> dict[int, str]:
        """Return its processes that are not gone, and the state of each: T for stopped."""
        found = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                state, _, group = path.read_text().rpartition(")")[2].split()[:3]
                if int(group) == self.process.pid and state not in "ZX":
                    found[int(path.parent.name)] = state
        return found

    def stop(self) -> None:
        """Let all its processes wait, until they get SIGCONT."""
        os.killpg(self.process.pid, signal.SIGSTOP)
        while set(self.members().values()) - {"T"}:
            time.sleep(0.001)

    def finish(self) -> tuple[int, list[str]]:
        """Wait for its end; return the exit status, and the lines that it printed."""
        status = self.process.wait(PATIENCE)
        words = self.log.read_text(errors="replace")
        assert "Traceback" not in words, words
        return status, words.splitlines()


def killed_somewhere(
    command: Command, places: Mapping[str, float], rng: random.Random, number: int = signal.SIGKILL
) -> str | None:
    """End a command at a random moment; return the place, or None if it ended by itself before.

    Parameters
    ----------
    places
        Where, and about how many seconds it stays there.
    """
    place = rng.choice(list(places))
    times = rng.choice([1, 1, 2, 5]) if place != "start" else 1
    for _ in range(times):
        if not command.wait_for(place):
            return None
        time.sleep(rng.uniform(0, 1 if times == 1 else 0.3) * places[place])
    return None if command.has_ended() else command.kill(number, everyone=rng.random() < 0.5)


def environment() -> dict[str, str]:
    """Return one in which this checkout and its tests are found, and results have the same bits."""
    paths = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
    return {**os.environ, "PYTHONPATH": paths, "NPESPCN_THREADS": "2", "PYTHONWARNINGS": ""}
