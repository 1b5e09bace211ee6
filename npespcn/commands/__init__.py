"""The commands, a module each, and the kinds of words that they take."""

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
    """Say what the defaults are, where there are any."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        has_one = action.default is not None and action.default is not False
        return super()._get_help_string(action) if has_one else action.help


def from_(least: int) -> Any:
    """Return a parser of whole numbers that are not below `least`."""

    def number(text: str) -> int:
        try:
            return whole_number("it", int(text), least)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {least}"
            ) from None

    return number


def tell_warnings(tell: Callable[[str], object]) -> None:
    """Tell, in a line each, what a user should be warned of, and let nothing else be printed."""
    warnings.simplefilter("always", UserWarning)
    warnings.simplefilter("ignore", RuntimeWarning)  # overflow: `fit` says what it means
    warnings.filterwarnings("ignore", module=r"PIL\.")  # about metadata; it names no file

    def show(message: Warning | str, *_: Any) -> None:
        tell(f"npespcn: {one_line(message)}")

    warnings.showwarning = show  # type: ignore[assignment]  # ignores what it is not told
    silence_decoders()


def print_line(line: str, stream: str = "stderr") -> None:
    """Print a line to stderr or stdout, above a progress bar, and at once with its end.

    Else what another process or thread prints could come between the two.
    """
    with tqdm.external_write_mode():
        try:
            print(f"{line}\n", end="", file=getattr(sys, stream), flush=True)
        except UnicodeEncodeError:  # a name that cannot be shown
            print(f"{line!a}\n", end="", file=getattr(sys, stream), flush=True)
