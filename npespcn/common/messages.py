"""Text for error messages: always one line, whatever the values are."""

from __future__ import annotations

import re
from typing import Any

LONGEST = 80  # characters of a value; the beginning of a whole array is enough


def one_line(message: Any) -> str:
    """Return the message on one line, with control characters escaped."""
    line = " ".join(str(message).split())
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda match: ascii(match[0])[1:-1], line)


def short_repr(value: Any) -> str:
    """Return ``repr(value)`` on one line, cut to 80 characters.

    Examples
    --------
    >>> short_repr(1.5)
    '1.5'
    >>> len(short_repr("enlarge " * 100))
    80
    """
    text = one_line(repr(value))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
