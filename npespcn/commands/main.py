"""The command line: ``npespcn`` and ``python -m npespcn``.

Each command is a module of `npespcn.commands`: it parses its words, calls the library, and prints.
Its `run` says whether it failed at some of its inputs, having named them; an error ends it at once.
Exit status: 0 done, 1 something failed, 2 wrong usage, 130 stopped by Ctrl-C (or SIGTERM, or since
the terminal is gone). A user's mistake is one line on stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from npespcn import __version__
from npespcn.commands import evaluate, explain, export, print_line, tell_warnings, train, upscale
from npespcn.common.messages import one_line


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        with _stopped_tidily(), warnings.catch_warnings():
            tell_warnings(print_line)
            failed = options.run(options)
    except KeyboardInterrupt:
        print(f"npespcn {options.command}: stopped", file=sys.stderr)
        return 130
    except (OSError, ValueError, RuntimeError, ArithmeticError, MemoryError) as error:
        words = one_line(error) or "not enough memory"  # MemoryError comes without words
        print(f"npespcn {options.command}: {words}", file=sys.stderr)
        return 1
    return 1 if failed else 0


@contextlib.contextmanager
def _stopped_tidily() -> Iterator[None]:
    """Let SIGTERM and SIGHUP do what Ctrl-C does, where they would end the process on the spot."""
    named = (getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP"))
    numbers = [number for number in named if number and signal.getsignal(number) == signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():
        numbers = []  # only that one may handle signals

    def stop(number: int, frame: Any) -> None:
        for each in numbers:  # a terminal that is closed says so twice: the first is being heeded
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in numbers:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="npespcn",
        description="ESPCN, the sub-pixel convolution network, from scratch in NumPy.",
    )
    parser.add_argument("--version", action="version", version=f"npespcn {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    upscale.add_to(commands)
    train.add_to(commands)
    evaluate.add_to(commands)
    explain.add_to(commands)
    export.add_to(commands)
    return parser
