"""The engine: it climbs a student's file up the rungs of an exercise, and finds causes.

How a table is written
----------------------

An exercise is a module ``exNN_….py`` with a constant ``EXERCISE``. It holds data, and little code:

- `Exercise`: the title, three hints, and the functions that the student writes;
- `Function`: its name, a reference that gives the right answer, its inputs, and its own mistakes;
- `Inputs`: which arguments a function is asked (see ``inputs.py``). One small function makes the
  arguments for sizes, ``def inputs(n=1, c=1, h=2, w=2, r=2)``. The names are a choice of those in
  `ODD_SIZES`, and the engine varies each one that is there. A size that the specification forbids
  gives None. All else that is tried follows from this: other types, other layouts in memory, two
  calls in a row. A table says only what is allowed: ``types``, and the sizes that may be ``empty``;
- mistakes: rows ``(cause, wrong function)``. The wrong function is called as the student's. A row
  is needed only for a mistake of this exercise. Those that can be made in any function are tried
  by the engine: axes in another order, in reverse, or mixed up; a sum or a mean along axes; the
  wrong sign; r*r times too large; only the first picture; an argument that is left out or turned
  round; results in another order; too few digits; and two of these at once (see ``slips.py``). So
  plant the mistake first, and ask for its cause. Write a row where the answer does not help.

A cause names the mistake in words of the subject. It holds no code. A hint holds no solution.

What a student writes may be a class, or need a model. Then give ``through``: a function that gets
the student's object and the arguments, does the calls, and returns what is to be compared. The
reference and the wrong ones are called through it as well. What is no array of numbers, such as the
calls that were made, it returns as a text, in an array without axes: ``np.array("two calls")``. It
may raise `Broken`. And give ``written``, the text of these calls.

A check that is none of this is a `Rung` in ``more``; it raises `Broken`.
"""

from __future__ import annotations

import inspect
import random
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from tutorials.exercises.checker.inputs import EMPTY, SEVERAL, Case, Inputs
from tutorials.exercises.checker.report import Report, Step, compare, facts
from tutorials.exercises.checker.slips import Call, pairs, relation, reshaped, slips
from tutorials.exercises.checker.student import Broken, Student, traces_in_memory

Values: TypeAlias = tuple[Any, ...]
"""A function's results, always as a tuple: ``(y,)``, or ``(dx, dweight, dbias)``."""
Rows: TypeAlias = Sequence[tuple[str, Callable[..., Any]]]

POINTS = {
    "runs": 1,
    "shape": 1,
    "dtype": 1,
    "values": 3,
    "odd inputs": 2,
    "arguments": 1,
    "memory": 1,
}
TOLERANCE = {"float64": 1e-9, "float32": 1e-4, "float16": 1e-2}  # of the largest number
ANY = (
    *("bool", "uint8", "int16", "int64"),
    *("float16", "float32", "float64", "complex64", "complex128"),
)
"""The types that "an array of any type" is tried in."""


@dataclass(frozen=True)
class Rung:
    """A step of the ladder: `check(student)` raises `Broken` where it breaks."""

    name: str
    points: int
    check: Callable[[Student], Any]
    seconds: float | None = None  # more time than usual


@dataclass(frozen=True, eq=False)
class Function:
    """A function that the student writes.

    Parameters
    ----------
    name : str
        The function's.
    reference : callable
        Gives the right answer. It is called as the student's function is.
    inputs : Inputs
        What is asked.
    mistakes : sequence of rows, or mapping
        Known mistakes, ``(cause, wrong function)``. Of two that give the same, the first is named.
        Where there are several results: for each result its rows, whose functions return only it,
        or all of them.
    results : sequence of str
        Names of the returned arrays, ``("y",)`` or ``("dx", "dweight", "dbias")``.
    axes : mapping
        Names of the axes of arguments and results, for the causes: ``{"x": "N C H W"}``.
    exact : bool
        Whether the results must be the same bits.
    through : callable, optional
        ``through(function, **arguments)`` does the call.
    written : callable, optional
        ``written(case)`` is the text of the call, where ``through`` does something else.
    """

    name: str
    reference: Callable[..., Any]
    inputs: Inputs
    mistakes: Rows | Mapping[str, Rows] = ()
    results: Sequence[str] = ("y",)
    axes: Mapping[str, str] = field(default_factory=dict)
    exact: bool = False
    through: Callable[..., Any] | None = None
    written: Callable[[Case], str] | None = None

    @cached_property
    def plain(self) -> list[Case]:
        """The cases for the rungs up to "values"."""
        return self.inputs.plain_cases()

    @cached_property
    def odd(self) -> list[Case]:
        """The cases for "odd inputs"."""
        sizes = self.inputs.odd_cases()
        several = [case for case in sizes if case.label == SEVERAL]
        typed = [self.inputs.typed_cases(case) for case in [self.plain[-1], *several[:1]]]
        return [*sizes, *chain.from_iterable(typed)]

    @cached_property
    def answers(self) -> dict[int, Values]:
        """The right answer to each case, by its identity."""
        return {id(case): self.values(self.reference, case) for case in [*self.plain, *self.odd]}

    def answer(self, case: Case) -> Values:
        """Return the right answer."""
        return self.answers[id(case)]

    def values(
        self, function: Any, case: Case, arguments: Mapping[str, Any] | None = None
    ) -> Values:
        """Return what one of our own functions gives."""
        given = case.make() if arguments is None else arguments
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return as_values(self.called(function, **given))

    def called(self, function: Any, **arguments: Any) -> Any:
        """Call, through `through` if there is one."""
        return self.through(function, **arguments) if self.through else function(**arguments)

    def ask(self, student: Student, case: Case, arguments: Mapping[str, Any] | None = None) -> Any:
        """Return what the student's function gives; raise `Broken` if it raises."""
        given = case.make() if arguments is None else arguments
        function = student.get(self.name)
        try:
            if self.through or list(given) != self.parameters[: len(given)]:
                return student.run(self.called, function, name=self.name, **given)
            return student.run(function, *given.values(), name=self.name)  # by other names, too
        except Broken as error:
            if error.raised:
                error.example = self.text(case)
            raise

    def outcome(self, student: Student, case: Case) -> Values | Broken:
        """Return copies of the results, which a later call cannot overwrite; or `Broken`."""
        try:
            came = as_values(self.ask(student, case))
            return tuple(np.copy(v) if isinstance(v, np.ndarray) else v for v in came)
        except Broken as error:
            return error

    def right(self, came: Values | Broken, case: Case) -> bool:
        """Whether an outcome is the answer."""
        return not isinstance(came, Broken) and self.equal(came, self.answer(case))

    def equal(self, a: Values, b: Values) -> bool:
        """Whether results are the same, as far as they have to be."""
        return len(a) == len(b) and all(self.same(x, y) for x, y in zip(a, b, strict=True))

    def same(self, came: Any, right: Any) -> bool:
        """Whether one result is the same as another, as far as it has to be."""
        return same(came, right, self.exact)

    def text(self, case: Case) -> str:
        """Return the call as one can paste it."""
        return self.written(case) if self.written else case.text(self.name)

    def rows(self, index: int) -> Rows:
        """Return the known mistakes in a result."""
        if not isinstance(self.mistakes, Mapping):
            return self.mistakes
        return self.mistakes.get(self.results[index], ())

    @cached_property
    def parameters(self) -> list[str]:
        """Return the names of the parameters, in order."""
        return list(inspect.signature(self.reference).parameters)

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """Return the values of arguments that only some of the cases give."""
        given = {name for case in self.plain for name in case.given}
        left_out = {name for name in given for case in self.plain if name not in case.given}
        parameters = inspect.signature(self.reference).parameters if left_out else {}
        return {name: parameters[name].default for name in left_out & parameters.keys()}

    def names(self) -> dict[str, list[str]]:
        """Return the names of axes, for each argument and result."""
        return {name: words.split() for name, words in self.axes.items()}


@dataclass(frozen=True)
class Exercise:
    """An exercise.

    Parameters
    ----------
    title : str
        In a few words.
    hints : sequence of three, or mapping
        Nearer and nearer to the solution, but not the solution; or three for each function.
    functions : sequence of Function
        What the student writes, in this order.
    more : sequence of Rung
        Further checks.
    each : int
        0; or the points for each function, where functions have nothing to do with each other: all
        are checked, even if one is wrong.
    number, name : int and str
        ``exercises.build`` sets them, by the file's name.
    """

    title: str
    hints: Sequence[str] | Mapping[str, Sequence[str]]
    functions: Sequence[Function] = ()
    more: Sequence[Any] = ()
    each: int = 0
    number: int = 0
    name: str = ""

    @cached_property
    def rungs(self) -> list[Any]:
        """All rungs, in order."""
        rungs: list[Any] = []
        for function in self.functions:
            if self.each:
                rungs.append(_one_rung(function, self.each))
            else:
                before = f"{function.name}: " if len(self.functions) > 1 else ""
                rungs += climbed(function, before)
        return [*rungs, *self.more]

    @property
    def points(self) -> int:
        """Full marks."""
        return sum(rung.points for rung in self.rungs)


def climbed(function: Function, before: str = "") -> list[Rung]:
    """Return the rungs of a function."""
    checks: dict[str, Callable[..., None]] = {
        "runs": _runs,
        "shape": _shapes,
        "dtype": _dtypes,
        "values": partial(_values, which="plain"),
        "odd inputs": partial(_values, which="odd"),
        "arguments": _arguments,
        "memory": _memory,
    }
    return [
        Rung(before + name, points, partial(checks[name], function))
        for name, points in POINTS.items()
    ]


def _one_rung(function: Function, points: int) -> Rung:
    def check(student: Student) -> None:
        for rung in climbed(function):
            rung.check(student)

    return Rung(function.name, points, check)


def as_values(result: Any) -> Values:
    """Return a function's result as a tuple."""
    return result if isinstance(result, tuple) else (result,)


def same(came: Any, right: Any, exact: bool = False) -> bool:
    """Whether two results have the same shape and, within a tolerance, the same numbers."""
    try:
        a, b = np.asarray(came), np.asarray(right)
        if a.shape != b.shape or a.dtype.kind not in "biufcUS":
            return False
        if exact or b.dtype.kind not in "fc" or a.dtype.kind not in "biufc":
            return np.array_equal(a, b, equal_nan=a.dtype.kind in "fc" and b.dtype.kind in "fc")
    except (TypeError, ValueError):
        return False
    tolerance = max(TOLERANCE.get(str(x.dtype), 1e-9) for x in (b, a) if x.dtype.kind in "fc")
    wide = np.result_type(a, b, np.float64)
    a, b = a.astype(wide), b.astype(wide)
    finite = np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return False
    scale = np.abs(b[finite]).max(initial=0.0) or 1.0
    return bool(np.all(np.abs(a[finite] - b[finite]) <= tolerance * scale))


IMPORTABLE = "importable"


def climb(
    exercise: Exercise, path: Path, tell: Callable[[str, Any], None] = lambda kind, content: None
) -> Report:
    """Climb to the first rung that breaks; return how far it went.

    `tell` hears of every "rung" before, of every "step" after, and of a "cause" when it is found:
    to find it takes a while, and the student's file may not come back from it.
    """
    report = Report(exercise.number, exercise.name, exercise.title, exercise.points)
    student: list[Student] = []
    first = Rung(IMPORTABLE, 0, lambda _: student.append(Student(path)))
    for rung in [first, *exercise.rungs]:
        tell("rung", [rung.name, rung.points, rung.seconds])
        step = Step(rung.name, rung.points, True)
        cause: str | Callable[[], str] = ""
        try:
            told = rung.check(student[0] if student else None)
            step.message = told or ""
        except Broken as error:
            step = Step(rung.name, rung.points, False, error.message, error.example, error.shown)
            cause = error.cause
        except MemoryError:
            step = Step(rung.name, rung.points, False, "there is not enough memory to check it")
        report.steps.append(step)
        tell("step", step.as_dict())
        if not step.passed:
            step.cause = cause if isinstance(cause, str) else cause()
            tell("cause", [len(report.steps) - 1, step.cause])
            if not (student and exercise.each):
                break
    return report


# --- the rungs -----------------------------------------------------------------------------------


def _runs(function: Function, student: Student) -> None:
    """Call once, and check that the results are arrays, as many as they should be."""
    case = function.plain[0]
    came = _asked(function, student, case)
    _check_kinds(function, student, case, came)


def _shapes(function: Function, student: Student) -> None:
    for case in _by_size(function.plain):
        came = _asked(function, student, case)
        _check_kinds(function, student, case, came)
        for name, value, answer in zip(function.results, came, function.answer(case), strict=True):
            _check_shape(function, student, case, name, value, answer)


def _dtypes(function: Function, student: Student) -> None:
    for case in [function.plain[0], *function.inputs.typed_cases(function.plain[0])]:
        came = _asked(function, student, case)
        _check_kinds(function, student, case, came)
        right = function.values(function.reference, case)
        for name, value, answer in zip(function.results, came, right, strict=True):
            if not np.ndim(answer) and case is function.plain[0] and _is_narrow(value, case):
                raise Broken(
                    f"{name} has fewer digits than the numbers that come in",
                    function.text(case),
                    facts("float64", value.dtype),
                    cause=f"{name} is made a {value.dtype}, which holds fewer digits",
                )
            if np.ndim(answer) and value.dtype != answer.dtype:
                raise Broken(
                    f"{name} has another type",
                    function.text(case),
                    facts(answer.dtype, value.dtype),
                    cause=f"{name} must keep the type of the arrays that come in. Somewhere on the "
                    f"way {answer.dtype} becomes {value.dtype}",
                )


def _is_narrow(value: Any, case: Case) -> bool:
    """Whether a number is of fewer digits than float64, which the arguments have."""
    given = [np.asarray(array).dtype for array in case.make().values()]
    return isinstance(value, np.float32 | np.float16) and np.dtype(np.float64) in given


def _values(function: Function, student: Student, which: str) -> None:
    """Compare with the answers, and show the smallest case that is wrong."""
    cases: list[Case] = getattr(function, which)
    outcomes = [(case, function.outcome(student, case)) for case in cases]
    wrong = [(case, came) for case, came in outcomes if not function.right(came, case)]
    if not wrong:
        return
    case, came = min(wrong, key=lambda one: (isinstance(one[1], Broken), *_smallness(one[0])))
    cause = partial(_cause, function, student)
    if isinstance(came, Broken):
        raise Broken(came.message, function.text(case), raised=came.raised, cause=cause)
    _check_kinds(function, student, case, came)
    for index, answer in enumerate(function.answer(case)):
        name, value = function.results[index], came[index]
        _check_shape(function, student, case, name, value, answer)
        if not function.same(value, answer):
            unwritten = _unwritten(function, student, case, index, value)
            shown = compare(name, answer, value, unwritten)
            words = f"{name} has wrong values" if np.ndim(answer) else f"{name} is wrong"
            if unwritten is not None:
                words += "; a ? stands for a number that was never written"
                cause = partial(str, UNWRITTEN)
            raise Broken(words, function.text(case), shown, cause=cause)


UNWRITTEN = (
    "some numbers were never written: they are what happened to be in memory, another thing each "
    "time. np.empty reserves memory and sets nothing. Either not every place is filled, or "
    "something is added to a place before it has a first value"
)


def _arguments(function: Function, student: Student) -> None:
    """Check that the arguments are as they were."""
    for case in _by_size([*function.plain, *function.odd]):
        given = case.make()
        function.ask(student, case, given)
        for name, before in case.make().items():
            if not _unchanged(given[name], before):
                arrays = isinstance(before, np.ndarray) and np.shape(given[name]) == before.shape
                raise Broken(
                    f"{name} is not as it was before the call",
                    function.text(case),
                    compare(name, before, given[name]) if arrays else facts(before, given[name]),
                    cause=f"your function changes {name}, and the caller still needs it. Some "
                    "operators change an array in place: +=, *= and assignments to its parts",
                )


def _unchanged(now: Any, before: Any) -> bool:
    if isinstance(before, np.ndarray):
        floats = before.dtype.kind in "fc"
        return now.shape == before.shape and np.array_equal(now, before, equal_nan=floats)
    if isinstance(before, dict):
        return before.keys() == now.keys() and all(_unchanged(now[k], before[k]) for k in before)
    if isinstance(before, list | tuple):
        return len(now) == len(before) and all(map(_unchanged, now, before))
    return not isinstance(before, str | int | float) or bool(now == before)


def _memory(function: Function, student: Student) -> None:
    """Check that a result is the caller's own, and that no call remembers another."""
    cases = _by_size([*function.plain, *function.odd])
    for i, case in enumerate(cases):
        given = case.make()
        np.random.seed(2017)  # noqa: NPY002  # no student's seed
        random.seed(2017)
        state = _random_state()
        first = as_values(function.ask(student, case, given))
        if _random_state() != state:
            raise Broken(
                "the global random numbers are not as they were before the call",
                function.text(case),
                cause="your function draws from the global random numbers, or sets their seed. "
                "Other programs rely on them: draw from the generator that you are given",
            )
        for name, value in zip(function.results, first, strict=True):
            if isinstance(value, np.ndarray):
                _check_own(function, case, name, value, given)
        kept = [np.copy(value) for value in first]
        for words, arguments in (
            ("the same shapes", _reversed(case)),
            ("other shapes", cases[i - 1].make()),
        ):
            second = as_values(function.ask(student, case, arguments))
            for name, value, copy in zip(function.results, first, kept, strict=True):
                if not np.array_equal(value, copy, equal_nan=np.asarray(copy).dtype.kind in "fc"):
                    raise Broken(
                        f"{name} changes when the function is called again, with {words}",
                        function.text(case),
                        compare(name, copy, value),
                        cause=f"every call writes to the same array. The second call overwrites "
                        f"{name} of the first, which the caller still has",
                    )
            if words == "the same shapes":
                _check_second(function, student, case, second)
        for value in first:  # the caller may write to it
            if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
                value[...] = 0
        again = as_values(function.ask(student, case))
        for name, value, copy in zip(function.results, again, kept, strict=True):
            if not function.same(value, copy):
                raise Broken(
                    f"{name} is not the same when the function is called again, after other calls",
                    function.text(case),
                    compare(name, copy, value)
                    if np.shape(value) == np.shape(copy)
                    else facts(np.shape(copy), np.shape(value)),
                    cause=REMEMBERS,
                )


def _reversed(case: Case) -> dict[str, Any]:
    """Return the arguments, with the numbers of each array in reverse order."""
    return {
        name: np.flip(value).copy() if isinstance(value, np.ndarray) else value
        for name, value in case.make().items()
    }


def _check_second(function: Function, student: Student, case: Case, second: Values) -> None:
    """Check the results of a second call, whose arrays are in reverse."""
    right = function.values(function.reference, case, _reversed(case))
    for name, value, answer in zip(function.results, second, right, strict=True):
        if np.shape(value) == np.shape(answer) and not function.same(value, answer):
            alone = as_values(function.ask(Student(student.path), case, _reversed(case)))
            raise Broken(
                f"{name} is wrong in a second call, with the same shapes",
                f"{function.text(case)}\nand then the same with every array in reverse",
                compare(name, answer, value),
                cause=REMEMBERS if function.equal(alone, right) else "",
            )


REMEMBERS = (
    "a call depends on the calls before it. Something is remembered between calls: a global name, "
    "a default argument, an attribute of a class, or random numbers"
)


def _check_own(
    function: Function, case: Case, name: str, value: Any, given: Mapping[str, Any]
) -> None:
    for argument, array in given.items():
        if isinstance(array, np.ndarray) and np.shares_memory(value, array):
            raise Broken(
                f"{name} and the argument {argument} share memory: a change of one changes the "
                "other",
                function.text(case),
                facts("a new array", f"an array that lies where {argument} lies"),
                cause=f"here your function returns {argument} itself, or a view of it: reshape, "
                "transpose and slices often make no copy. Whoever changes the result later also "
                f"changes {argument}",
            )
    if value.size and (not value.flags.writeable or _overlaps(value)):
        shared = _overlaps(value)
        raise Broken(
            f"{name} cannot be changed number by number",
            function.text(case),
            facts(
                "every number has a place of its own, and can be written",
                "some numbers share a place" if shared else "the array can only be read",
            ),
            cause=f"{name} is a view in which several numbers share one place in memory, as "
            "np.broadcast_to makes them. To change one would change the others"
            if shared
            else f"{name} is a view that can only be read, as np.broadcast_to and "
            "sliding_window_view make them. Whoever gets it cannot write to it",
        )


def _overlaps(value: Any) -> bool:
    """Whether an array has two numbers in one place."""
    return any(
        stride == 0 and length > 1
        for stride, length in zip(value.strides, value.shape, strict=True)
    )


def _random_state() -> tuple[Any, ...]:
    state: Any = np.random.get_state()  # noqa: NPY002  # does the student touch it?
    return (random.getstate(), state[1].tolist(), *state[2:])


# --- what is said where a rung breaks ------------------------------------------------------------


def _asked(function: Function, student: Student, case: Case) -> Values:
    """Return the results of a call; where it raises, find the cause."""
    came = function.outcome(student, case)
    if isinstance(came, Broken):
        if came.raised:
            came.cause = partial(_cause, function, student)
        raise came
    return came


def _check_kinds(function: Function, student: Student, case: Case, came: Values) -> None:
    """Check that the results are as many as they should be, and arrays or numbers."""
    answer = function.answer(case) if id(case) in function.answers else came
    wanted = ", ".join(
        f"{name} ({'an array' if np.ndim(right) else 'a number'})"
        for name, right in zip(function.results, answer, strict=False)
    )
    if len(came) != len(function.results):
        what = f"{len(came)} results" if len(came) > 1 else _a(came[0])
        none = len(came) == 1 and came[0] is None
        raise Broken(
            f"{function.name} returned {what}",
            function.text(case),
            facts(wanted, what),
            cause="is a return missing?"
            if none
            else f"it must return {len(function.results)}: {', '.join(function.results)}",
        )
    for name, value, right in zip(function.results, came, answer, strict=True):
        kinds = np.ndarray if np.ndim(right) else (int, float, np.number, np.ndarray)
        if not isinstance(value, kinds) or np.asarray(value).dtype.kind not in "biufcUS":
            raise Broken(
                f"{name} is {_a(value)}",
                function.text(case),
                facts("an array" if np.ndim(right) else "a number", _a(value)),
                cause="is a return missing?"
                if value is None
                else partial(_cause, function, student)
                if isinstance(value, int | float | np.number | np.ndarray)
                else f"{name} must be {'an array' if np.ndim(right) else 'a number'}",
            )


def _check_shape(
    function: Function, student: Student, case: Case, name: str, value: Any, answer: Any
) -> None:
    if np.shape(value) != np.shape(answer):
        raise Broken(
            f"{name} has another shape",
            function.text(case),
            facts(np.shape(answer), np.shape(value)),
            cause=partial(_cause, function, student),
        )


def _a(value: Any) -> str:
    kind = type(value).__name__
    return "None" if value is None else f"a{'n' if kind[0] in 'aeiou' else ''} {kind}"


def _by_size(cases: Sequence[Case]) -> list[Case]:
    return sorted(cases, key=_smallness)


def _smallness(case: Case) -> tuple[bool, int]:
    """Tell how early a case is to be shown: the smallest first, but an empty one last."""
    return case.label == EMPTY, case.size


def _unwritten(function: Function, student: Student, case: Case, index: int, came: Any) -> Any:
    """Return which numbers depend on what was in memory; None if there are none."""

    def again() -> Any:
        other = function.outcome(student, case)
        if isinstance(other, Broken) or len(other) <= index:
            return came
        return other[index] if np.shape(other[index]) == np.shape(came) else came

    if not _identical(again(), came).all():
        return None  # it is not the same twice anyway
    with traces_in_memory(0x45):
        differing = ~_identical(again(), came)
    return differing if differing.any() else None


def _identical(a: Any, b: Any) -> Any:
    a, b = np.asarray(a), np.asarray(b)
    return (a == b) | ((a != a) & (b != b))


# --- causes --------------------------------------------------------------------------------------


def _cause(function: Function, student: Student) -> str:
    """Return the cause of wrong results, as far as it can be found.

    A mistake must explain all that came, right and wrong; or else all but what raised; or else all
    that is wrong. It is looked for among the table's rows, then among the engine's slips. If there
    is none, it is said where the results are wrong.
    """
    cases = [case for case in [*function.plain, *function.odd] if case.plain]
    outcomes = [(case, function.outcome(student, case)) for case in _by_size(cases)]
    wrong = [(case, came) for case, came in outcomes if not function.right(came, case)]
    if not wrong:
        return _of_types(function, student)
    if _right_alone(function, student, wrong[0][0]):
        return REMEMBERS
    for index in range(len(function.results)):
        parts = [(case, _part(came, index, function)) for case, came in outcomes]
        bad = [(c, came) for c, came in parts if not _right(function, c, index, came)]
        if not bad:
            continue
        found = _known(function, index, parts, bad) or _common(bad)
        if found and len(function.results) > 1 and not found.startswith(function.results[index]):
            return f"{function.results[index]}: {found}"
        return found
    return ""


def _right_alone(function: Function, student: Student, case: Case) -> bool:
    """Whether a call is right where no other was made before."""
    return function.right(function.outcome(Student(student.path), case), case)


def _of_types(function: Function, student: Student) -> str:
    """Return the cause where only other types, or other layouts, go wrong."""
    typed = [(case, function.outcome(student, case)) for case in function.odd if not case.plain]
    wrong = [(case, came) for case, came in typed if not function.right(came, case)]
    if wrong and _right_alone(function, student, wrong[0][0]):
        return REMEMBERS
    for index, name in enumerate(function.results):
        parts = [(case, _part(came, index, function)) for case, came in wrong]
        bad = [(c, p) for c, p in parts if p is not RAISED and not _right(function, c, index, p)]
        made = [(_call(function, case, index), part) for case, part in bad]
        if made and (found := relation(name, function.names(), made[:1])):
            return found
    return _common(wrong)


RAISED = object()
Part: TypeAlias = tuple[Case, Any]


def _part(came: Values | Broken, index: int, function: Function) -> Any:
    """Return one result; `RAISED` for an error; None where there is none."""
    if isinstance(came, Broken):
        return RAISED
    return came[index] if len(came) == len(function.results) else None


def _right(function: Function, case: Case, index: int, came: Any) -> bool:
    return came is not RAISED and function.same(came, function.answer(case)[index])


def _known(function: Function, index: int, parts: list[Part], bad: list[Part]) -> str:
    returned = [(case, came) for case, came in parts if came is not RAISED]
    wrong = [(case, came) for case, came in bad if came is not RAISED]
    first = {id(case) for case in function.plain}
    alike = [part for part in wrong if id(part[0]) in first] or wrong
    calls = {id(case): _call(function, case, index) for case, _ in parts}
    rows = [
        (cause, _by_table(function, wrongly, index), cause)
        for cause, wrongly in function.rows(index)
    ]
    one = min(calls.values(), key=lambda call: call.right.ndim)
    name, axes = function.results[index], function.names()
    made = [(cause, by, "") for cause, by in slips(name, axes, one)] if wrong else []
    for some in (parts, returned, wrong) if wrong else (parts,):
        if found := _explained(function, [*rows, *made], calls, some):
            return found
    if alike and (found := _explained(function, rows, calls, alike)):
        return found
    if alike and (found := reshaped(name, [(calls[id(case)], came) for case, came in alike])):
        return found
    shapes = [(case, came) for case, came in parts if id(case) in first]
    if found := _same_shapes(function, [*rows, *made], calls, shapes):
        return found
    if wrong and (found := relation(name, axes, [(calls[id(c)], came) for c, came in wrong])):
        return found
    two = ((cause, by, "") for cause, by in pairs(axes, one))
    return _explained(function, two, calls, wrong) if wrong else ""


def _by_table(function: Function, wrongly: Any, index: int) -> Callable[[Call], Any]:
    """Make a slip of a table's wrong function. It gives this result alone, or all of them."""

    def by(call: Call) -> Any:
        wrong = function.called(wrongly, **call.arguments)
        return wrong[index] if isinstance(wrong, tuple) else wrong

    return by


def _call(function: Function, case: Case, index: int) -> Call:
    def result(arguments: Mapping[str, Any]) -> Any:
        return as_values(function.called(function.reference, **arguments))[index]

    answer = function.answer(case)
    others = {
        n: v for i, (n, v) in enumerate(zip(function.results, answer, strict=True)) if i != index
    }
    arguments = function.defaults | case.make()
    return Call(arguments, np.asarray(answer[index]), result, others)


def _explained(
    function: Function, rows: Any, calls: Mapping[int, Call], parts: Sequence[Part]
) -> str:
    """Return the cause of the first mistake that gives all of these."""
    for cause, by, _ in rows:
        if all(_agrees(function, by, calls[id(case)], came) for case, came in parts):
            return str(cause)
    return ""


def _agrees(function: Function, by: Callable[[Call], Any], call: Call, came: Any) -> bool:
    wrong = _mistaken(by, call)
    if wrong is RAISED or came is RAISED:
        return wrong is came
    return function.same(came, wrong)


def _mistaken(by: Callable[[Call], Any], call: Call) -> Any:
    with suppress(Exception), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fresh = {
            k: np.copy(v) if isinstance(v, np.ndarray) else v for k, v in call.arguments.items()
        }
        return by(Call(fresh, call.right, call.result, call.others))
    return RAISED


def _same_shapes(
    function: Function, rows: Any, calls: Mapping[int, Call], parts: Sequence[Part]
) -> str:
    """Return the cause of a mistake that gives the same shapes, if these are wrong."""
    if any(came is RAISED or came is None for _, came in parts):
        return ""
    shapes = [np.shape(came) for _, came in parts]
    if shapes == [calls[id(case)].right.shape for case, _ in parts]:
        return ""
    for cause, by, _ in rows:
        if shapes == [np.shape(_mistaken(by, calls[id(case)])) for case, _ in parts]:
            return str(cause)
    return ""


def _common(wrong: Sequence[Part]) -> str:
    """Say what the wrong cases have in common."""
    labels = list(dict.fromkeys(case.label for case, _ in wrong))
    if "" in labels:
        return ""
    telling = [label for label in labels if label not in (SEVERAL, EMPTY)] or labels
    return "; ".join(telling) if len(telling) <= MOST_LABELS else ""


MOST_LABELS = 3
