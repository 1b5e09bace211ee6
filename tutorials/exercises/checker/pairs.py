"""How `make_pairs` of exercise 11 is checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tutorials.exercises.checker.student import Broken, Student


@dataclass(frozen=True)
class Listing:
    """Two listings, by the pictures' names, and their oddity."""

    small: tuple[str, ...]
    large: tuple[str, ...]
    oddity: str
    scale: int = 3

    def files(self) -> tuple[list[str], list[str]]:
        """Return the names of the files."""
        return [self._lr(name) for name in self.small], [f"{name}_HR.png" for name in self.large]

    def pairs(self) -> frozenset[Any] | None:
        """Return the pairs; None for a ValueError."""
        if set(self.small) != set(self.large):
            return None
        return frozenset((self._lr(name), f"{name}_HR.png") for name in self.small)

    def _lr(self, name: str) -> str:
        return f"{name}_LRBI_x{self.scale}.png"


ALONE = "a picture that is in only one list must raise a ValueError"
LISTINGS = (
    Listing(("baby", "bird"), ("baby", "bird"), "wrong for the author's own test"),
    Listing(("baby", "bird"), ("bird", "baby"), "wrong where the lists have different orders"),
    Listing(("a_b", "a_c", "b_a"), ("b_a", "a_c", "a_b"), "wrong where a picture's own name has a "
        "_ in it"),
    Listing(("img10", "img1", "img2"), ("img2", "img10", "img1"), "wrong where one picture's name "
        "begins as another's does: img1, img10"),
    Listing(("king", "swan"), ("swan", "king"), "wrong where a name ends in letters of _HR.png or "
        "_LRBI_x3.png: rstrip takes off letters, and removesuffix an ending"),
    Listing(("bird", "baby"), ("baby", "bird"), "right for x3, wrong for x2", 2),
    Listing((".baby.2", "Baby"), ("Baby", ".baby.2"), "wrong where names have dots or capitals"),
    Listing(("baby", "bird"), ("baby",), ALONE),
    Listing(("bird",), ("baby", "bird"), ALONE),
    Listing(("baby", "bird"), ("bird", "woman"), f"{ALONE}, even where the lists are equally long"),
    Listing(("x_HR", "x", "y_LRBI_x3"), ("y_LRBI_x3", "x", "x_HR"), "wrong where a picture's own "
        "name has _HR or _LRBI_x3 in it: cut it off only at the end"),
    Listing(("a", "a_J"), ("a", "a_J"), "wrong where a picture is called a_J, and another a"),
)  # fmt: skip
SORTED = (
    "two sorted lists pair the wrong files where a picture is missing in each, or where _HR and "
    "_LRBI are sorted differently: compare names"
)
REVERSED = "each pair is to be (LR name, HR name), and yours are the other way round"


def check_pairs(student: Student) -> None:
    """Compare the pairs with the right ones."""
    wrong = [
        (listing, came)
        for listing in LISTINGS
        if (came := _pairs_of(student, listing)) != listing.pairs()
    ]
    for listing, came in wrong[:1]:
        message = listing.oddity
        if all(came in _sorted_pairs(listing) for listing, came in wrong):
            message = SORTED
        elif came == frozenset((hr, lr) for lr, hr in listing.pairs() or ()):
            message = REVERSED
        lines = {"expected": _told(listing.pairs()), "came": _told(came)}
        raise Broken(message, _call(listing), "\n".join(f"{k:11}{v}" for k, v in lines.items()))
    for listing in LISTINGS[:2]:
        given = listing.files()
        student.run(student.get("make_pairs"), *given)
        for name, now, before in zip(("lr_names", "hr_names"), given, listing.files(), strict=True):
            if now != before:
                raise Broken(f"you changed {name}: work on a copy", _call(listing))


def _pairs_of(student: Student, listing: Listing) -> Any:
    """Return the set of a student's pairs; None for a ValueError that is due; else the error."""
    function = student.get("make_pairs")
    raised = []

    def make_pairs(*names: list[str]) -> Any:
        try:
            return function(*names)
        except ValueError as error:
            raised.append(error)
            raise

    make_pairs.__qualname__ = "make_pairs"
    try:
        result = student.run(make_pairs, *listing.files())
    except Broken as error:
        return None if raised and listing.pairs() is None else error.message
    kind = "None: is a return missing?" if result is None else f"{result!r:.80}"
    try:
        pairs = [tuple(pair) for pair in result]
    except TypeError:
        pairs = [()]
    if any(len(pair) != 2 or not all(isinstance(name, str) for name in pair) for pair in pairs):
        raise Broken(f"make_pairs must return a list of pairs, and returned {kind}", _call(listing))
    return frozenset(pairs) if len(set(pairs)) == len(pairs) else f"a pair twice: {pairs}"


def _sorted_pairs(listing: Listing) -> Sequence[Any]:
    """Return the pairs of two sorted lists, with and without a look at their lengths."""
    small, large = map(sorted, listing.files())
    pairs = frozenset(zip(small, large, strict=False))
    return (pairs, pairs if len(small) == len(large) else None)


def _told(outcome: Any) -> str:
    if isinstance(outcome, str):
        return outcome
    return "a ValueError" if outcome is None else f"{sorted(outcome)}"


def _call(listing: Listing) -> str:
    lr_names, hr_names = listing.files()
    return f"make_pairs({lr_names}, {hr_names})"
