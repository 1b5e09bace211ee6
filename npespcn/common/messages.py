"""What goes into a message: always one line, whatever is in it."""

from __future__ import annotations

import re
from typing import Any

LONGEST = 80  # characters of a value; a whole array says no more than its beginning


def one_line(message: Any) -> str:
    """Return a message without line breaks, and without what a terminal would take for orders."""
    line = " ".join(str(message).split())
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda match: ascii(match[0])[1:-1], line)


def short_repr(value: Any) -> str:
    """Return ``repr(value)`` on one line, and no more of it than its first 80 characters.

    Examples
    --------
    >>> short_repr(1.5)
    '1.5'
    >>> len(short_repr("enlarge " * 100))
    80
    """
    words = one_line(repr(value))
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 3]}..."
