"""The commands, one module each, and their common parts: help, numbers, lines of text."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from typing import Any

from tqdm import tqdm

from npespcn.common.checks import whole_number
from npespcn.common.messages import one_line
from npespcn.pictures.bombs import silence_decoders


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Add the defaults to the help, where there are any."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        has_one = action.default is not None and action.default is not False
        return super()._get_help_string(action) if has_one else action.help


def from_(least: int) -> Any:
    """Return a parser of whole numbers from `least` on."""

    def number(text: str) -> int:
        try:
            return whole_number("it", int(text), least)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {least}"
            ) from None

    return number


def tell_warnings(tell: Callable[[str], object]) -> None:
    """Call `tell` with one line for each warning to the user; silence all other output."""
    warnings.simplefilter("always", UserWarning)
    warnings.simplefilter("ignore", RuntimeWarning)  # overflow, which `fit` explains
    warnings.filterwarnings("ignore", module=r"PIL\.")  # about metadata, without a file name

    def show(message: Warning | str, *_: Any) -> None:
        tell(f"npespcn: {one_line(message)}")

    warnings.showwarning = show  # type: ignore[assignment]  # it needs only the message
    silence_decoders()


def print_line(line: str, stream: str = "stderr") -> None:
    """Print a line to stderr or stdout, above a progress bar.

    The line and its end are written at once, so that no other process prints between them.
    """
    with tqdm.external_write_mode():
        try:
            print(f"{line}\n", end="", file=getattr(sys, stream), flush=True)
        except UnicodeEncodeError:  # a file name that cannot be encoded
            print(f"{line!a}\n", end="", file=getattr(sys, stream), flush=True)
