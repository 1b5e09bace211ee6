"""Exercise 8: ICNR initialization, judged by its definition, on pictures."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tutorials.exercises.checker import grids
from tutorials.exercises.checker.answers import wave
from tutorials.exercises.checker.ladder import POINTS
from tutorials.exercises.checker.student import Broken, Student
from tutorials.exercises.checker.task import SEVERAL, Rung, same

TITLE = "ICNR initialization"
HINTS = (
    "All pixels of a block are to be equal. Which filters make the pixels of one block? What must "
    "be true of them, then?",
    "Read the shuffle in shuffled_convolution: image channel c is made by the filters c*r*r to "
    "c*r*r + r*r - 1. They are neighbors, so the drawn filter 0 comes r*r times, then filter 1.",
    "drawn = base(rng, (C, in, k, k)) with C = shape[0] // r**2. Then repeat it r*r times along "
    "axis 0. np.tile puts copies in another order: 0, 1, 0, 1 in place of 0, 0, 1, 1.",
)
TOLERANCE = 1e-5  # relative to the largest number of a picture


class Initializer:
    """Draws 1, 2, 3, ... and counts on in the next call, times 2n - 1 if asked for n filters.

    So its numbers tell which shape it was asked for, as those of `xavier` do.
    """

    def __init__(self, dtype: str = "float64") -> None:
        self.dtype, self.drawn = dtype, 0
        self.asked: list[tuple[int, ...]] = []
        self.given: list[Any] = []

    def __call__(self, shape: Any) -> Any:
        """Draw."""
        sizes = shape if isinstance(shape, tuple | list | np.ndarray) else (shape,)
        shape = tuple(operator.index(size) for size in sizes)
        numbers = np.arange(np.prod(shape, dtype=int)) + self.drawn + 1.0
        self.drawn += numbers.size
        drawn = (numbers * (2 * shape[0] - 1)).reshape(shape).astype(self.dtype)
        self.asked.append(shape)
        self.given.append(drawn.copy())
        return drawn


@dataclass(frozen=True)
class Layer:
    """A layer whose weight is asked for."""

    shape: tuple[int, int, int, int]
    r: int
    oddity: str = ""

    @property
    def right(self) -> tuple[int, ...]:
        """The shape that base is to be asked for."""
        return (self.shape[0] // self.r**2, *self.shape[1:])

    @property
    def x(self) -> Any:
        """A picture for it: one pixel, if that is enough."""
        _, count, k, _ = self.shape
        if k == 1:
            return 10.0 ** np.arange(count).reshape(count, 1, 1)
        return wave(count, k + 2, k + 3, start=1)

    def call(self) -> str:
        """Say how it is asked for."""
        drawn = Initializer()(self.right).ravel()
        numbers = " ".join(f"{number:g}" for number in drawn[:4])
        more = " ..." if drawn.size > 4 else ""
        drawing = f"base(rng, {self.right}) draws {numbers}{more}"
        return f"icnr(rng, {self.shape}, {self.r}, base), where {drawing}"

    def made(self) -> str:
        """Say which picture is made."""
        x = f"of shape {self.x.shape}"
        if self.x.size == 1:
            x = f"= [[[{self.x.item():g}]]]"
        elif self.x.size <= 3:
            x = f"= {' '.join(f'{n:g}' for n in self.x.flat)}, {x}"
        return f"picture = shuffled_convolution(x, weight, {self.r}), x {x}"


PLAIN = (
    Layer((4, 1, 1, 1), 2),
    Layer((4, 2, 1, 1), 2),
    Layer((4, 1, 3, 3), 2),
)
ODD = (
    Layer((8, 1, 1, 1), 2, "right for one image channel, wrong for two"),
    Layer((12, 2, 3, 3), 2, "right for one image channel, wrong for three"),
    Layer((9, 1, 1, 1), 3, "right for r = 2, wrong for r = 3"),
    Layer((2, 3, 1, 1), 1, "right for r = 2, wrong for r = 1"),
    Layer((27, 2, 3, 3), 3, SEVERAL),
    Layer((32, 3, 5, 5), 4, SEVERAL),
)


def rungs() -> list[Rung]:
    """Return the ladder."""
    return [
        Rung("runs", POINTS["runs"], _runs),
        Rung("shape", POINTS["shape"], _shapes),
        Rung("dtype", POINTS["dtype"], _dtypes),
        Rung("values", POINTS["values"], lambda student: _pictures(student, PLAIN)),
        Rung("odd inputs", POINTS["odd inputs"], lambda student: _pictures(student, ODD)),
        Rung("one draw", 1, _one_draw),
        Rung("training", 1, _training),
    ]


def picture(x: Any, weight: Any, r: int) -> Any:
    """Convolve and shuffle: (in, H, W), (C*r*r, in, k, k) -> (C, H'*r, W'*r)."""
    k = weight.shape[2]
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(1, 2))
    z = np.einsum("chwij,ocij->ohw", windows, weight.astype(np.float64))
    c = len(z) // r**2
    h, w = z.shape[1:]
    return z.reshape(c, r, r, h, w).transpose(0, 3, 1, 4, 2).reshape(c, h * r, w * r)


def enlarged(x: Any, drawn: Any, r: int) -> Any:
    """Convolve, and make a block of each pixel: (in, H, W), (C, in, k, k) -> (C, H'*r, W'*r)."""
    return picture(x, drawn, 1).repeat(r, axis=1).repeat(r, axis=2)


def _ask(student: Student, layer: Layer, dtype: str = "float64") -> tuple[Any, Initializer]:
    """Return the student's weight, and the calls of base."""
    initializer, generator, others = Initializer(dtype), np.random.default_rng(0), []

    def base(rng: Any, shape: Any) -> Any:
        if rng is not generator:
            others.append(rng)
        return initializer(shape)

    base.__qualname__ = "base"  # as it is named where it is called wrongly
    given = {"rng": generator, "shape": layer.shape, "upscale_factor": layer.r, "base": base}
    weight = student.call("icnr", given)
    if others:
        raise Broken(
            "base must draw from the generator that icnr is given: hand rng on to base, as in "
            "base(rng, shape)",
            layer.call(),
        )
    if not isinstance(weight, np.ndarray):
        if weight is None:
            kind = "None: is a return missing?"
        else:
            kind = f"something else: {type(weight).__name__}"
        raise Broken(
            f"icnr must return the weight, a NumPy array, and returned {kind}", layer.call()
        )
    return weight, initializer


def _runs(student: Student) -> None:
    _, initialize = _ask(student, PLAIN[0])
    if not initialize.asked:
        raise Broken(
            "icnr never called base: the weight's numbers must come from it", PLAIN[0].call()
        )


def _shapes(student: Student) -> None:
    for layer in PLAIN:
        _check_shape(_ask(student, layer)[0], layer)


def _check_shape(weight: Any, layer: Layer, why: bool = True) -> None:
    if weight.shape == layer.shape:
        return
    c, *kernel = layer.right
    area = layer.r**2
    reason = {
        layer.right: f"each drawn filter must be there r*r = {area} times, and is there once",
        (c * layer.r, *kernel): f"each block has r*r = {area} pixels, not r = {layer.r}",
        (c, area, *kernel): "one reshape is missing, to four axes",
        (area, c, *kernel): "the copies lie on an axis of their own: the filters' is axis 0",
        (weight.size,): "np.repeat without an axis flattens: say axis=0",
        (c, kernel[0] * area, *kernel[1:]): "you repeated along axis 1, the input channels: the "
        "filters lie along axis 0",
        (c, kernel[0], *(k * layer.r for k in kernel[1:])): "you enlarged the kernels: the picture "
        "should become larger, by more filters",
    }.get(weight.shape, "")
    words = f"the weight has the wrong shape: {layer.shape} was expected, {weight.shape} came"
    raise Broken(f"{words}: {reason}" if why and reason else words, layer.call())


def _dtypes(student: Student) -> None:
    for dtype in ("float64", "float32", "float16"):
        weight, _ = _ask(student, PLAIN[0], dtype)
        if weight.dtype != dtype:
            raise Broken(
                f"base gave {dtype}, and icnr returned {weight.dtype}: the weight must keep "
                "the type",
                PLAIN[0].call(),
            )


def _pictures(student: Student, layers: Sequence[Layer]) -> None:
    """Compare the pictures; name the mistake in the first wrong one."""
    wrong: list[tuple[Layer, Any, Initializer]] = []
    for layer in layers:
        try:
            weight, initialize = _ask(student, layer)
            _check_shape(weight, layer, why=not layer.oddity)
        except Broken as error:
            if wrong:
                break  # the first that is wrong says enough
            if layer.oddity not in ("", SEVERAL):
                words = f"{layer.oddity}: {error.message}"
                raise Broken(words, error.example or layer.call(), raised=error.raised) from None
            raise
        if not _has_the_property(weight, layer, initialize):
            wrong.append((layer, weight, initialize))
    if not wrong:
        return
    layer, weight, initialize = wrong[0]
    expected = enlarged(layer.x, Initializer()(layer.right), layer.r)
    came = picture(layer.x, weight, layer.r)
    if same(came, expected, TOLERANCE):  # by chance: base was asked for something else
        raise Broken(_asked(initialize, layer), layer.call())
    raise Broken(
        _mistake(wrong) or _asked(initialize, layer) or _oddity([each[0] for each in wrong]),
        f"{layer.call()}; {layer.made()}",
        grids.compare("picture", expected, came),
    )


def _has_the_property(weight: Any, layer: Layer, initialize: Initializer) -> bool:
    """Whether the picture is that of drawn filters, enlarged. How often they were: `_one_draw`."""
    came = picture(layer.x, weight, layer.r)
    drawn = [given for given in initialize.given if given.shape == layer.right]
    return any(same(came, enlarged(layer.x, one, layer.r), TOLERANCE) for one in drawn)


def _mistake(wrong: Sequence[tuple[Layer, Any, Initializer]]) -> str:
    """Return the message of the known mistake that gives the same weights."""
    for message, mistaken in MISTAKES:
        for layer, weight, _ in wrong:
            with np.errstate(all="ignore"):
                try:
                    known = mistaken(Initializer(), layer.shape, layer.r)
                except (TypeError, ValueError):  # it has another shape here
                    break
            if not same(weight, known, TOLERANCE):
                break
        else:
            return message
    return ""


def _asked(initialize: Initializer, layer: Layer) -> str:
    """Say where base was asked for something else."""
    if initialize.asked == [layer.right]:
        return ""
    if not initialize.asked:
        return "icnr did not call base here: the weight's numbers must come from it"
    first, count = initialize.asked[0], len(initialize.asked)
    came = f"for {first}" if count == 1 else f"{count} times, first for {first}"
    return f"base must be called once, for (C, in, k, k) = {layer.right}; you called it {came}"


def _oddity(wrong: Sequence[Layer]) -> str:
    kinds = {layer.oddity for layer in wrong} - {"", SEVERAL}
    if len(kinds) == 1:
        return kinds.pop()
    if not kinds and wrong[0].oddity:
        return wrong[0].oddity
    return (
        "shuffled_convolution with your weight does not give what enlarged_convolution gives with "
        "the filters that were drawn"
    )


def _one_draw(student: Student) -> None:
    saved = np.random.get_state()  # noqa: NPY002  # does the student touch it?
    np.random.set_state(np.random.RandomState(2017).get_state())  # noqa: NPY002  # and no seed
    before = _global_state()
    try:
        _called_once(student)
        touched = _global_state() != before
    finally:
        np.random.set_state(saved)  # noqa: NPY002
    if touched:
        raise Broken(
            "you used NumPy's global random numbers (np.random.seed?): draw from rng. Other "
            "code relies on the global ones"
        )


def _called_once(student: Student) -> None:
    for layer in (*PLAIN, *ODD):
        _, initialize = _ask(student, layer)
        if message := _asked(initialize, layer):
            raise Broken(
                f"{message}: every call draws anew, and moves other people's random numbers on",
                layer.call(),
            )


def _global_state() -> tuple[Any, ...]:
    state: Any = np.random.get_state()  # noqa: NPY002
    return (state[1].tolist(), *state[2:])


def _training(student: Student) -> None:
    for layer in (*PLAIN, *ODD):
        weight, _ = _ask(student, layer)
        if not weight.flags.writeable:
            raise Broken(
                "the weight is read-only, a view such as np.broadcast_to gives: training changes "
                "it in place, so return a copy",
                layer.call(),
            )
        before = weight.copy()
        weight[0] += 1
        if not np.array_equal(weight[1:], before[1:]):
            raise Broken(
                "filters share their memory: to change filter 0 changed others too, so they could "
                "never be trained apart. Return a copy",
                layer.call(),
            )


# --- known mistakes ------------------------------------------------------------------------------

Shape = tuple[int, int, int, int]
Mistaken = Callable[[Initializer, Shape, int], Any]


def _drawn(initialize: Initializer, shape: Shape, r: int) -> Any:
    return initialize((shape[0] // r**2, *shape[1:]))


def _right(initialize: Initializer, shape: Shape, r: int) -> Any:
    return np.repeat(_drawn(initialize, shape, r), r * r, axis=0)


def _along(axis: int | None) -> Mistaken:
    return lambda initialize, shape, r: np.repeat(
        _drawn(initialize, shape, r), r * r, axis=axis
    ).reshape(shape)


def _scaled(factor: Callable[[int], float]) -> Mistaken:
    return lambda initialize, shape, r: _right(initialize, shape, r) * factor(r)


def _from_all(keep: Callable[[Any, int, int], Any]) -> Mistaken:
    """Draw all, keep C of them."""
    return lambda initialize, shape, r: np.repeat(
        keep(initialize(shape), shape[0] // r**2, r * r), r * r, axis=0
    )


def _means(all_: Any, c: int, area: int) -> Any:
    return all_.reshape(c, area, *all_.shape[1:]).mean(axis=1)


def _one_each(initialize: Initializer, shape: Shape, r: int) -> Any:
    return np.repeat(
        np.concatenate([initialize((1, *shape[1:])) for _ in range(shape[0] // r**2)]), r * r, 0
    )


def _three_axes(initialize: Initializer, shape: Shape, r: int) -> Any:
    return np.repeat(
        np.stack([initialize(shape[1:]) for _ in range(shape[0] // r**2)]), r * r, axis=0
    )


def _first_only(initialize: Initializer, shape: Shape, r: int) -> Any:
    weight = np.zeros(shape)
    weight[:: r * r] = _drawn(initialize, shape, r)
    return weight


def _called_for_each(stack: bool) -> Mistaken:
    def mistaken(initialize: Initializer, shape: Shape, r: int) -> Any:
        draws = [_drawn(initialize, shape, r) for _ in range(r * r)]
        return np.stack(draws, axis=1).reshape(shape) if stack else np.concatenate(draws)

    return mistaken


APART = (
    "all C*r*r filters were drawn one by one, which draws the checkerboard: the r*r filters of an "
    "image channel must be equal"
)
PART = (
    "you drew all C*r*r filters and kept C: the spread is then that of a larger layer. Ask "
    "base for (C, in, k, k)"
)
EACH = (
    "base was called for one filter at a time: it reads its spread from the shape, so ask "
    "once, for (C, in, k, k)"
)
SCALED = (
    "the filters are multiplied by {}: each pixel of a block is made by a single filter, so leave "
    "them as they were drawn"
)
AXIS = "you repeated along axis {}, {}, and reshaped: the filters lie along axis 0, repeat there"
MISTAKES: tuple[tuple[str, Mistaken], ...] = (
    (
        "your filters stand in TensorFlow's order (DCR), as np.tile puts them: 0, 1, 0, 1. "
        "PyTorch's shuffle takes r*r neighbors for an image channel: 0, 0, 1, 1",
        lambda initialize, shape, r: np.tile(_drawn(initialize, shape, r), (r * r, 1, 1, 1)),
    ),
    (APART, lambda initialize, shape, r: initialize(shape)),
    (
        APART,
        lambda initialize, shape, r: np.concatenate(
            [initialize((1, *shape[1:])) for _ in range(shape[0])]
        ),
    ),
    (APART, _called_for_each(stack=True)),
    (APART, _called_for_each(stack=False)),
    (PART, _from_all(lambda all_, c, area: all_[:c])),
    (PART, _from_all(lambda all_, c, area: all_[::area])),
    (
        "you averaged r*r drawn filters, which makes their spread r times too small: draw "
        "(C, in, k, k) and repeat",
        _from_all(_means),
    ),
    (
        "all image channels have the same filter: draw C filters, one for each image channel",
        lambda initialize, shape, r: np.repeat(initialize((1, *shape[1:])), shape[0], axis=0),
    ),
    (
        "all image channels have the same filter: filter c*r*r + i*r + j must be a copy of drawn "
        "filter c",
        lambda initialize, shape, r: np.repeat(_drawn(initialize, shape, r)[:1], shape[0], axis=0),
    ),
    (EACH, _one_each),
    (EACH, _three_axes),
    (
        "you drew r times too many filters, and have each r times: a block has r*r pixels, so draw "
        "C and repeat each r*r times",
        lambda initialize, shape, r: np.repeat(initialize((shape[0] // r, *shape[1:])), r, axis=0),
    ),
    (AXIS.format(1, "the input channels"), _along(1)),
    (AXIS.format(2, "the kernel's rows"), _along(2)),
    ("you repeated numbers, not filters, and reshaped: repeat along axis 0", _along(None)),
    (
        "the kernels' rows and columns are swapped: leave each filter as it was drawn",
        lambda initialize, shape, r: _right(initialize, shape, r).swapaxes(2, 3),
    ),
    (SCALED.format("1/(r*r)"), _scaled(lambda r: 1 / r**2)),
    (SCALED.format("1/r"), _scaled(lambda r: 1 / r)),
    (SCALED.format("r"), _scaled(lambda r: r)),
    (SCALED.format("r*r"), _scaled(lambda r: r**2)),
    (
        "the weight is all zeros: the numbers from base never reach it",
        lambda initialize, shape, r: np.zeros(shape),
    ),
    (
        "only the first filter of each block is set, the others are zero: all r*r must be equal",
        _first_only,
    ),
)
