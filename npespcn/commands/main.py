"""The command line: ``npespcn`` and ``python -m npespcn``.

Each command is a module of `npespcn.commands`: it adds its options to the parser, calls the
library, and prints. Its `run` names the inputs that fail, and returns whether there are any; an
error ends it at once. Exit status: 0 done, 1 something failed, 2 wrong usage, 130 stopped by
Ctrl-C, SIGTERM or a closed terminal. A user's mistake is one line on stderr.
"""

from __future__ import annotations

import argparse
import glob
import os
import sys
import warnings
from collections.abc import Sequence

from npespcn import __version__
from npespcn.commands import evaluate, explain, export, print_line, tell_warnings, train, upscale
from npespcn.common.kinds import is_address
from npespcn.common.messages import one_line
from npespcn.common.signals import interrupt_on_term


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    _refuse_files_like_options(parser, words)
    options = parser.parse_args(words)
    try:
        with interrupt_on_term(), warnings.catch_warnings():
            tell_warnings(print_line)
            failed = options.run(options)
    except KeyboardInterrupt:
        print(f"npespcn {options.command}: stopped", file=sys.stderr)
        return 130
    except (OSError, ValueError, RuntimeError, ArithmeticError, MemoryError) as error:
        message = one_line(error) or "not enough memory"  # a MemoryError has no message
        if isinstance(error, FileNotFoundError) and is_address(str(error.filename)):
            message += ": an address: download it first, or give the path"
        print(f"npespcn {options.command}: {message}", file=sys.stderr)
        return 1
    return 1 if failed else 0


def _refuse_files_like_options(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Refuse -ocean.jpg, perhaps from a shell's pattern, where it is a file: not -o cean.jpg."""
    for word in words[: words.index("--")] if "--" in words else words:
        if word.startswith("-") and word != "-" and (os.path.lexists(word) or glob.glob(word)):
            there = f".{os.sep}{one_line(word)}"
            parser.error(f"{one_line(word)} is a file here, not an option: {there} or -- before it")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="npespcn",
        description="ESPCN, the sub-pixel convolution network, from scratch in NumPy.",
    )
    parser.add_argument("--version", action="version", version=f"npespcn {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (upscale, train, evaluate, explain, export):
        command.add_to(commands)
    return parser
