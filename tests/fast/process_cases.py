"""What the processes of `test_processes` do; without pytest, which takes long to import."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SOON = 60.0  # seconds, on a busy machine; the work would take five minutes
LONG = 300.0


def work(place: Path, how: str = "") -> None:
    """Say that it has begun, and work for long; say that the end was tidy."""
    begun, tidy = place.with_suffix(".begun"), place.with_suffix(".tidy")
    try:
        begun.with_suffix(".part").write_text(str(os.getpid()))
        begun.with_suffix(".part").rename(begun)  # from here on a signal may come
        rest()
    except SystemExit:
        if how != "swallow":
            raise
    finally:
        if how != "swallow":
            time.sleep(0.3)  # in which a second signal may come
        tidy.touch()


def rest() -> None:
    """Sleep for long, in pieces: a signal just before a sleep does not wake from it."""
    until = time.monotonic() + LONG
    while time.monotonic() < until:
        time.sleep(0.1)


def double(x: int) -> int:
    return 2 * x


def times(factor: int, x: int) -> int:
    return factor * x


def threes() -> int:
    return 3


def weigh(data: bytes) -> int:
    return len(data)


def no_gpu() -> int:
    raise RuntimeError("no GPU")


def large(x: int) -> bytes:
    return bytes(30_000_000)


def make_slowly(place: Path) -> None:
    place.touch()
    rest()


def leave(x: int) -> None:
    sys.exit(3)


def exit_at(x: int) -> int:
    if x == 3:
        os._exit(7)
    return x


def work_or_be_killed(place: Path) -> None:
    """Wait for the other, and be killed by the signal that the place is named for; or work."""
    if place.name == "other":
        work(place)
    wait_until(place.with_name("other.begun").exists)
    os.kill(os.getpid(), getattr(signal, place.name))
    time.sleep(LONG)


def sleep_at(x: int) -> int:
    time.sleep(0.003 * (x % 5))
    return x


def fail_at(x: int) -> int:
    if x == 2:
        raise ValueError("two")
    return x


def wait_until(condition: Callable[[], Any]) -> None:
    until = time.monotonic() + 2 * SOON
    while not condition():
        assert time.monotonic() < until, "it never comes"
        time.sleep(0.005)
