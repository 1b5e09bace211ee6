"""Disks that are small, or cannot be written to, where the system lets us make them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """Make a folder a disk of its own; skip the test where only an administrator may do that."""
    folder.mkdir()
    if not _mount("-t", "tmpfs", "-o", f"size={kilobytes}k", "none", folder):
        pytest.skip("may not mount a small disk here (needs root, and a container that allows it)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)  # noqa: S603, S607


def resize(folder: Path, kilobytes: int) -> None:
    """Give a small disk another size."""
    assert _mount("-o", f"remount,rw,size={kilobytes}k", folder)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nothing be written in a folder; for root, whom modes do not stop, a `small_disk`."""
    if os.geteuid():
        folder.chmod(0o555)
        yield
        folder.chmod(0o755)
    else:
        assert _mount("-o", "remount,ro", folder)
        yield
        assert _mount("-o", "remount,rw", folder)


def _mount(*words: object) -> bool:
    done = subprocess.run(["mount", *map(str, words)], capture_output=True)  # noqa: S603, S607
    return done.returncode == 0
