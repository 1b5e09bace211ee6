"""What a planted mistake is: the tables in `planted` are of these."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Planted:
    """A mistake: text to replace in the solution, the rung that must break, part of the cause."""

    name: str
    replace: Mapping[str, str]
    rung: str
    says: str
