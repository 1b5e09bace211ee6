"""The inputs that a function is asked: written as text, so that a student can paste the call.

An argument is a text such as ``"np.arange(4).reshape(4, 1, 1)"``, or a plain value such as 2. The
engine evaluates the text anew for every call.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import CodeType
from typing import Any, TypeAlias

import numpy as np

Given: TypeAlias = Mapping[str, Any]
"""The arguments of a call by name, in order: texts, or plain values."""

LONGEST = 90  # of a call in one line
FEW = 30  # numbers that are easy to follow


def counted(*shape: int, start: int = 0) -> str:
    """Return the text of whole numbers: 0, 1, 2 and so on."""
    first = f"{start}, " if start else ""
    return f"np.arange({first}{start + _size(shape)}){_reshaped(shape)}"


def floats(*shape: int, start: int = 1) -> str:
    """Return the text of floats: 1, 2, 3 where they are few, else random-looking."""
    span = f"np.arange({start}.0, {start + _size(shape)}.0)"
    text = span if _size(shape) <= FEW else f"np.sin({span} ** 2)"
    return text + _reshaped(shape)


def _reshaped(shape: Sequence[int]) -> str:
    return "" if len(shape) == 1 else f".reshape{tuple(shape)}"


def _size(shape: Sequence[int]) -> int:
    return int(np.prod(shape))


@dataclass(frozen=True)
class Case:
    """One call, and the cause where only this goes wrong: "right for this, wrong for that"."""

    given: Given
    label: str = ""
    plain: bool = True  # the arrays are of the usual type, and lie in memory as usual

    def make(self) -> dict[str, Any]:
        """Return fresh arguments."""
        return {
            name: _evaluated(value) if isinstance(value, str) else value
            for name, value in self.given.items()
        }

    def text(self, name: str) -> str:
        """Write the call as Python has it, in several lines where it is long."""
        words = [f"{key}={value}" for key, value in self.given.items()]
        if sum(map(len, words)) < LONGEST:
            return f"{name}({', '.join(words)})"
        return f"{name}(\n    " + ",\n    ".join(words) + ")"

    @property
    def size(self) -> int:
        """How many numbers are in the arguments."""
        return sum(int(np.size(value)) for value in self.make().values())


def _evaluated(text: str) -> Any:
    return eval(_compiled(text), {"np": np})  # noqa: S307  # a text of the tables


@cache
def _compiled(text: str) -> CodeType:
    return compile(text, "<argument>", "eval")


# The sizes that every function is tried for, if its `inputs` have parameters of these names: n
# pictures, c channels, o output channels, height h, width w, upscale factor r, kernel size k,
# padding p.

SQUARE = "right for square pictures, wrong where H is not W"
CHANNELS = "right for one channel, wrong for more"
BATCH = "right for one picture, wrong for a batch of two"
ONE_PIXEL = "right for larger pictures, wrong for a single pixel"
EMPTY = "right where there are numbers, wrong for an empty array (N or H is 0)"
SEVERAL = "right for each oddity by itself, wrong for several together"

ODD_SIZES: tuple[tuple[str, tuple[dict[str, int], ...]], ...] = (
    (SQUARE, ({"h": 1}, {"w": 1}, {"h": 3}, {"w": 3})),
    (CHANNELS, ({"c": 2}, {"c": 3}, {"c": 3, "h": 1, "w": 1}, {"c": 3, "h": 3, "w": 3}, {"c": 5})),
    (BATCH, ({"n": 2}, {"n": 2, "h": 1, "w": 1}, {"n": 2, "h": 3, "w": 3})),
    (ONE_PIXEL, ({"h": 1, "w": 1},)),
    ("right for small pictures, wrong for larger ones", ({"h": 20, "w": 20},)),
    ("right for one output channel, wrong for more", ({"o": 2}, {"o": 3})),
    ("right for one input or one output, wrong where O = C", ({"o": 2, "c": 2}, {"o": 3, "c": 3})),
    ("right for r = 2, wrong for r = 1", ({"r": 1}, {"r": 1, "h": 1, "w": 1})),
    ("right for r = 2, wrong for r = 3", ({"r": 3},)),
    ("right for r up to 3, wrong for larger r", ({"r": 4}, {"r": 5}, {"r": 7})),
    ("right for larger kernels, wrong for k = 1", ({"k": 1}, {"k": 1, "o": 2})),
    (
        "right for k = 2 and for k = 3 with padding, wrong for k = 3 without",
        ({"k": 3, "h": 3, "w": 3}, {"k": 3, "h": 4, "w": 4}),
    ),
    (
        "right for k up to 3, wrong for larger kernels",
        ({"k": 4, "h": 4, "w": 4}, {"k": 6, "h": 6, "w": 6}),
    ),
    (
        "right for padding = 1, wrong for padding = 2",
        ({"k": 3, "p": 2, "h": 1, "w": 1}, {"k": 3, "p": 2}),
    ),
    (
        "right for padding below k, wrong where the padding is k or more",
        ({"k": 1, "p": 1}, {"k": 1, "p": 3}, {"k": 2, "p": 2}, {"k": 2, "p": 5, "h": 1, "w": 1}),
    ),
)
ALL_ODD = (
    {"n": 2, "c": 3, "h": 2, "w": 3, "r": 3},
    {"n": 2, "c": 3, "o": 4, "h": 4, "w": 5, "k": 3, "p": 1},
    {"n": 3, "c": 2, "o": 2, "h": 5, "w": 3, "k": 5, "p": 2},
    {"n": 4, "c": 4, "o": 5, "h": 4, "w": 6, "r": 4, "k": 4, "p": 3},
)
TYPES = {  # an array of a type, whose numbers need all of it
    "bool": "({} % 3 == 0)",
    "int64": "({} + 2**62)",
    "float16": "({} / -7).astype(np.float16)",
    "float32": "({} / -7).astype(np.float32)",
    "float64": "({} / -7)",
    "complex64": "({} * (1 + 2j) / 7).astype(np.complex64)",
    "complex128": "({} * (1 + 2j) / 7)",
}
LAYOUTS = {
    "whose numbers lie in memory column by column (as in Fortran)": "np.asfortranarray({})",
    "that is a view of every second number of another": "np.repeat({}, 2, -1)[..., ::2]",
}


@dataclass(frozen=True)
class Inputs:
    """What a function is asked.

    Parameters
    ----------
    make : callable
        Returns the arguments for sizes: ``make(c=1, h=2, w=2, r=2)``. Its parameters are a choice
        of those in `ODD_SIZES`, or others; their defaults are the usual sizes. It returns None for
        sizes that the specification does not allow.
    plain : sequence of dict
        The sizes for the rungs up to "values". The smallest comes first.
    odd : mapping
        More sizes for the rung "odd inputs": the cause where only these go wrong, the sizes.
    more : mapping
        The same, but with the arguments themselves.
    types : sequence of str
        Types in which the arrays are tried.
    empty : str
        The sizes that may be 0, "nh" for one.
    """

    make: Callable[..., Given | None]
    plain: Sequence[Mapping[str, Any]] = ({},)
    odd: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    more: Mapping[str, Sequence[Given]] = field(default_factory=dict)
    types: Sequence[str] = ("float64", "float32")
    empty: str = ""

    def plain_cases(self) -> list[Case]:
        """Return the cases up to "values"."""
        return [*self._cases("", self.plain)]

    def odd_cases(self) -> list[Case]:
        """Return the cases for odd sizes."""
        names = inspect.signature(self.make).parameters.keys()
        rows: list[tuple[str, Sequence[Mapping[str, Any]]]] = [
            (label, [change for change in changes if change.keys() <= names])
            for label, changes in ODD_SIZES
        ]
        rows += self.odd.items()
        rows.append((EMPTY, [{name: 0} for name in self.empty]))
        several = [{k: v for k, v in sizes.items() if k in names} for sizes in ALL_ODD]
        rows.append((SEVERAL, [sizes for sizes in several if len(sizes) > 1]))
        cases = [case for label, changes in rows for case in self._cases(label, changes)]
        cases += [Case(given, label) for label, some in self.more.items() for given in some]
        return _without_twins([*self.plain_cases(), *cases])[len(self.plain) :]

    def typed_cases(self, case: Case) -> list[Case]:
        """Return a case in all types, and in odd layouts."""
        arrays = {name for name, value in case.make().items() if isinstance(value, np.ndarray)}

        def changed(pattern: str, label: str) -> Case:
            given = {
                name: pattern.format(value) if name in arrays else value
                for name, value in case.given.items()
            }
            return Case(given, label, plain=False)

        return [
            changed(
                TYPES.get(kind, f"{{}}.astype(np.{kind})"), f"right elsewhere, wrong for {kind}"
            )
            for kind in self.types
            if not (kind == "float64" and "int64" not in self.types)  # it is the usual type
        ] + [
            changed(pattern, f"right elsewhere, wrong for an array {words}")
            for words, pattern in LAYOUTS.items()
        ]

    def _cases(self, label: str, changes: Sequence[Mapping[str, Any]]) -> Iterator[Case]:
        for sizes in changes:
            given = self.make(**sizes)
            if given is not None:
                yield Case(given, label)


def _without_twins(cases: Sequence[Case]) -> list[Case]:
    """Leave out what has been asked before."""
    seen: dict[str, Case] = {}
    for case in cases:
        seen.setdefault(case.text(""), case)
    return list(seen.values())
