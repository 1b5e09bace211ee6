"""The commands, a module each, and the kinds of words that they take."""

from __future__ import annotations

import argparse
from typing import Any

from npespcn.checks import whole_number


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
