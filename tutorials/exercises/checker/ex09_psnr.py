"""Exercise 9: PSNR on luma. The figures of five synthetic pictures are recorded.

``python -m tutorials.exercises.checker.ex09_psnr`` draws the pictures and records them with their
figures, by this project's own functions. Checking needs neither these nor anything but NumPy.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tutorials.exercises.checker import grids
from tutorials.exercises.checker.answers import HERE, wave
from tutorials.exercises.checker.ladder import ladder
from tutorials.exercises.checker.student import Broken, Student
from tutorials.exercises.checker.task import Case, Mistake, Rung, Task

TITLE = "PSNR on luma, as the literature measures it"
HINTS = (
    "Test luma on black, white and pure red first: 16, 235, 81. In psnr, print 0 - 1 in uint8: "
    "what must happen to the luma before you subtract?",
    "rgb @ np.array([65.481, 128.553, 24.966]) weighs the three channels. Round, then convert to "
    "uint8: the conversion only cuts off. A border on all sides is [scale:-scale, scale:-scale].",
    "luma: np.rint(16 + rgb @ weights / 255).astype(np.uint8). psnr: both lumas, cut, as "
    "float; mse = np.mean((a - b) ** 2); inf if mse == 0, else 10 * np.log10(255**2 / mse).",
)
RECORDING = HERE / "answers" / "ex09_psnr.npz"
SIZES = ((48, 72, 2), (64, 50, 2), (54, 66, 3), (75, 63, 3), (60, 92, 4))  # H, W, scale
RESULT = "the PSNR in dB"
OTHER_SCALE = "right for scale = 2, wrong for scale = {}"
LARGE = "right for small differences, wrong for white against black"
ZERO = 'right where MSE is not 0; where it is, return float("inf")'

Plane = Callable[[Any], Any]


# --- the right way, and the ways to be wrong ----------------------------------------------------


def weighted(red: float, green: float, blue: float, per: float = 255, black: float = 16) -> Plane:
    """Return a luma, not rounded."""
    weights = np.array([red, green, blue])
    return lambda rgb: black + rgb.astype(float) @ weights / per


STUDIO = weighted(65.481, 128.553, 24.966)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings, such as that of the mean of nothing, inside too wide a border."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def rounded(y: Any) -> Any:
    """Round, and convert to uint8."""
    return np.floor(y + 0.5).astype(np.uint8)


def inside(x: Any, scale: int) -> Any:
    """Leave a border out: (H, W, ...) -> (H - 2*scale, W - 2*scale, ...)."""
    return x[scale : x.shape[0] - scale, scale : x.shape[1] - scale]


def mean_square(a: Any, b: Any) -> Any:
    """Return the mean of the squared differences."""
    return np.mean((a.astype(float) - b.astype(float)) ** 2)


def decibels(mse: Any, peak: float = 255.0) -> float:
    """Return the PSNR of an MSE."""
    return float(10 * np.log10(np.float64(peak**2) / mse))


def measured(
    picture: Any,
    reference: Any,
    scale: int,
    plane: Plane = STUDIO,
    eight: Plane = rounded,
    crop: Callable[[Any, int], Any] = inside,
    error: Callable[[Any, Any], Any] = mean_square,
    result: Callable[[Any], Any] = decibels,
) -> Any:
    """Measure; each step can be done otherwise."""
    a, b = (crop(eight(plane(rgb)), scale) for rgb in (picture, reference))
    with _quiet():
        return result(error(a, b))


# --- questions -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    """Two pictures to compare, and a name for them."""

    words: str
    picture: Any
    reference: Any
    scale: int
    figure: float
    oddity: str = ""

    @property
    def case(self) -> Case:
        """For the ladder."""
        arguments = {
            "picture": self.picture, "reference": self.reference, "scale": self.scale
        }  # fmt: skip
        return Case(arguments, (self.figure,), self.oddity)


def rungs() -> list[Rung]:
    """Return the ladders of both functions."""
    recorded = recording()
    brightness = Task(
        "luma",
        cases=[_luma_case(rgb) for rgb in _plain_colors()],
        odd=[_luma_case(rgb, words) for rgb, words in _odd_colors(recorded)],
        mistakes=LUMA_MISTAKES,
        dtypes=("uint8",),
        tolerance=0,
    )
    plain, odd = pairs(recorded)
    figure = Task(
        "psnr",
        cases=[pair.case for pair in plain],
        odd=[pair.case for pair in odd],
        mistakes=MISTAKES,
        results=(RESULT,),
        dtypes=(),
        tolerance=5e-6,
    )
    both = ladder(brightness, figure)
    return [
        _with_decimals(rung, [*plain, *odd]) if rung.name.startswith("psnr") else rung
        for rung in both
    ]


def _colors(*rows: list[tuple[int, int, int]]) -> Any:
    return np.array(rows, np.uint8)


def bytes_(h: int, w: int, start: float = 0.0) -> Any:
    """Return any numbers as a picture: (h, w, 3)."""
    return away_from_halves((wave(h, w, 3, start=start) * 63 + 128).astype(np.uint8))


def _plain_colors() -> list[Any]:
    return [
        _colors([(255, 0, 0)]),
        _colors([(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (9, 80, 200)]),
        bytes_(5, 5),
    ]


def _odd_colors(recorded: Mapping[str, Any]) -> list[tuple[Any, str]]:
    ramp = np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1)
    return [
        (_colors([(0, 0, 0)]), "right for colors, wrong for black: it is 16"),
        (_colors([(255, 255, 255)]), "right for colors, wrong for white: it is 235"),
        (ramp.reshape(16, 16, 3), "right for colors, wrong for gray"),
        (bytes_(2, 7, 5), "right for square pictures, wrong where H is not W"),
        *((recorded[f"picture{i}"], "") for i in range(len(SIZES))),
    ]


def _luma_case(rgb: Any, oddity: str = "") -> Case:
    red, green, blue = np.moveaxis(rgb.astype(np.int64), -1, 0)
    thousandths = 65481 * red + 128553 * green + 24966 * blue  # and times 255
    y = 16 + (2 * thousandths + 255_000) // 510_000
    return Case({"rgb": rgb}, (y.astype(np.uint8),), oddity)


def pairs(recorded: Mapping[str, Any]) -> tuple[list[Pair], list[Pair]]:
    """Return the pairs of pictures to compare: the plain ones, the odd ones."""
    black = np.zeros((3, 3, 3), np.uint8)
    dot = black.copy()
    dot[1, 1] = 10, 20, 30
    noise, shifted = bytes_(8, 8, 1), bytes_(8, 8, 2)
    plain = [
        made("both black, but the middle of picture is [10, 20, 30]", dot, black, 1),
        made("8 x 8 pixels, any numbers", noise, shifted, 2),
    ]
    leaves = [
        Pair(
            f"{h} x {w} pixels, dead leaves, and the same made {r} times smaller and larger again",
            recorded[f"picture{i}"],
            recorded[f"reference{i}"],
            r,
            float(recorded["figures"][i]),
            "" if r == 2 else OTHER_SCALE.format(r),
        )
        for i, (h, w, r) in enumerate(SIZES)
    ]
    dark, light = np.zeros((4, 5, 3), np.uint8), np.full((4, 5, 3), 255, np.uint8)
    half = np.where(np.arange(6)[:, None, None] < 3, np.uint8(255), np.uint8(0)).repeat(7, 1)
    halves = half.repeat(3, axis=2)
    edge = bytes_(5, 9, 3)
    around = edge.copy()
    around[[0, -1]] //= 2
    around[:, [0, -1]] //= 2
    tint = np.tile(np.array([100, 100, 100], np.uint8), (5, 4, 1))
    other = np.tile(np.array([104, 98, 100], np.uint8), (5, 4, 1))
    odd = [
        made("4 x 5 pixels, white against black", light, dark, 1, LARGE),
        made("6 x 7 pixels, half white and half black, against the opposite", halves,
             255 - halves, 1, LARGE),
        made("4 x 4 pixels, both the same", edge[:4, :4], edge[:4, :4], 1, ZERO),
        made("5 x 9 pixels, which differ in the border only", around, edge, 1, ZERO),
        made("5 x 4 pixels, [104, 98, 100] against [100, 100, 100]: the luma is 102 in both",
             other, tint, 1, ZERO),
    ]  # fmt: skip
    return plain + leaves[:2], odd + leaves[2:]


def made(words: str, picture: Any, reference: Any, scale: int, oddity: str = "") -> Pair:
    """Return a pair with its figure."""
    with np.errstate(divide="ignore"):
        return Pair(words, picture, reference, scale, measured(picture, reference, scale), oddity)


def away_from_halves(rgb: Any) -> Any:
    """Change blue by one where the luma is nearly a half.

    So every way to round it, to add it up, and to write its coefficients (65.738/256 for
    65.481/255, say) gives the same.
    """
    y = STUDIO(rgb)
    near = np.abs(y % 1 - 0.5) < 1e-3
    moved = rgb.copy()
    moved[..., 2] = np.where(near, np.where(rgb[..., 2] < 255, rgb[..., 2] + 1, 254), rgb[..., 2])
    return moved


# --- how a number is told ------------------------------------------------------------------------


class _Numbers(Student):
    """A student whose results are numbers, or it is said that they are none."""

    def __init__(self, student: Student) -> None:
        self.path, self.module = student.path, student.module

    def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        with _quiet():
            result = super().call(name, arguments)
        if not isinstance(
            result, int | float | np.integer | np.floating | np.ndarray | tuple | list
        ):
            kind = "None: is a return missing?" if result is None else type(result).__name__
            raise Broken(f"{name} must return {RESULT}, a number, and here returned {kind}")
        return result


def _with_decimals(rung: Rung, every: list[Pair]) -> Rung:
    """Let a rung say which pictures it compared, and the figures with four decimals."""

    def check(student: Student) -> None:
        student = _Numbers(student)
        try:
            rung.check(student)
        except Broken as error:
            for pair in every:
                if grids.call("psnr", pair.case.arguments) == error.example:
                    raise _told(error, pair, student) from None
            raise

    return Rung(rung.name, rung.points, check, rung.seconds)


def _told(error: Broken, pair: Pair, student: Student) -> Broken:
    shown, message = error.shown, error.message
    if shown:
        came = float(np.asarray(student.call("psnr", pair.case.arguments)).ravel()[0])
        mse = 255**2 / 10 ** (pair.figure / 10)
        shown = f"expected {pair.figure:.4f} dB, of an MSE of {mse:.6g}\n    came {came:.4f} dB"
        if "right shape and wrong values" in message:
            message = "the figure is wrong"
    example = f"psnr(picture, reference, scale={pair.scale}): {pair.words}"
    return Broken(message, example, shown, error.raised)


# --- known mistakes ------------------------------------------------------------------------------

PLANES: tuple[tuple[str, Plane], ...] = (
    (
        "the luma is full range, 0.299 R + 0.587 G + 0.114 B: white is 255 and PSNR 1.32 dB too "
        "low. Studio range goes from 16 to 235",
        weighted(299, 587, 114, 1000, 0),
    ),
    (
        "16 was added to a full-range luma: it must also be made narrower, by 219/255",
        weighted(299, 587, 114, 1000, 16),
    ),
    ("the luma lacks the 16 that is added: black is 16", weighted(65.481, 128.553, 24.966, 255, 0)),
    (
        "red and blue are swapped (BGR, as OpenCV reads files): red comes first, its weight is "
        "65.481",
        weighted(24.966, 128.553, 65.481),
    ),
    (
        "0.257, 0.504 and 0.098 have too few digits: take 65.481/255, 128.553/255 and 24.966/255",
        weighted(0.257, 0.504, 0.098, 1),
    ),
    (
        "red has 64.738 where 65.738 is right, if you divide by 256; a known slip in code that is "
        "often copied",
        weighted(64.738, 129.057, 25.064, 256),
    ),
    (
        "the coefficients are those to divide by 255, and you divided by 256 (for 256 they are "
        "65.738, 129.057, 25.064)",
        weighted(65.481, 128.553, 24.966, 256),
    ),
    (
        "the coefficients are those to divide by 256, and you divided by 255 (for 255 they are "
        "65.481, 128.553, 24.966)",
        weighted(65.738, 129.057, 25.064, 255),
    ),
    (
        "the coefficients are BT.709's, for high-definition television: the literature takes "
        "BT.601's, 65.481, 128.553 and 24.966",
        weighted(0.2126 * 219, 0.7152 * 219, 0.0722 * 219),
    ),
    (
        "the coefficients are BT.709's, and the range is full: take BT.601's, 65.481, 128.553 and "
        "24.966, and 16",
        weighted(0.2126, 0.7152, 0.0722, 1, 0),
    ),
    (
        "that is the mean of red, green and blue: green looks brighter than blue and weighs more, "
        "65.481, 128.553 and 24.966",
        weighted(1, 1, 1, 3, 0),
    ),
    (
        "red, green and blue weigh the same: green looks brighter than blue, so 65.481, 128.553 "
        "and 24.966",
        weighted(73, 73, 73),
    ),
    ("that is only the green channel", weighted(0, 1, 0, 1, 0)),
    ("that is only the red channel", weighted(1, 0, 0, 1, 0)),
    ("the division by 255 is missing", weighted(65.481, 128.553, 24.966, 1)),
)
CUT = (
    "the luma is cut off, not rounded: astype(np.uint8) drops the fraction, so round first, 80.9 "
    "is 81"
)
WHOLE = (
    "the whole-number form, (66 R + 129 G + 25 B + 128) / 256 + 16, is a rough one: take the "
    "formula with three decimals"
)


def cut_off(y: Any) -> Any:
    """Convert to uint8 as NumPy does."""
    return y.astype(np.uint8)


def _whole(kind: type) -> Plane:
    def plane(rgb: Any) -> Any:
        x = rgb.astype(kind)
        weights = [kind(n) for n in (66, 129, 25)]
        total = x[..., 0] * weights[0] + x[..., 1] * weights[1] + x[..., 2] * weights[2]
        return ((total + kind(128)) >> kind(8)) + kind(16)

    return plane


LUMA_MISTAKES = (
    Mistake(CUT, lambda rgb: cut_off(STUDIO(rgb))),
    Mistake("the luma is rounded up: 80.1 is 80", lambda rgb: np.ceil(STUDIO(rgb))),
    *(
        Mistake(message, lambda rgb, plane=plane, eight=eight: eight(plane(rgb)))
        for eight in (rounded, cut_off)
        for message, plane in PLANES
    ),
    Mistake(WHOLE, _whole(np.int64)),
    Mistake(
        "the sum is made in uint8, which wraps at 256: convert to float first, and take the "
        "formula with three decimals",
        _whole(np.uint8),
    ),
    Mistake(
        "the picture comes out upside down or turned: pixel [h, w] must stay where it is",
        lambda rgb: rounded(STUDIO(rgb)).T,
    ),
)


def _wrapped(square_too: bool) -> Callable[[Any, Any], Any]:
    def error(a: Any, b: Any) -> Any:
        difference = a.astype(np.uint8) - b.astype(np.uint8)
        return np.mean(difference**2 if square_too else difference.astype(float) ** 2)

    return error


def _narrow(kind: type) -> Callable[[Any, Any], Any]:
    return lambda a, b: np.mean((a.astype(kind) - b.astype(kind)) ** 2)


def _by(message: str, **steps: Any) -> Mistake:
    return Mistake(message, partial(measured, **steps))


def _peak_of(brightest: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Take the brightest value that occurs for the peak."""

    def mistaken(picture: Any, reference: Any, scale: int) -> Any:
        error = measured(picture, reference, scale, result=float)
        return decibels(np.float64(error), float(brightest(picture, reference)))

    return mistaken


def _luma_max(which: int, scale: int) -> Callable[[Any, Any], Any]:
    def brightest(picture: Any, reference: Any) -> Any:
        y = rounded(STUDIO((picture, reference)[which]))
        return (inside(y, scale) if scale else y).max()

    return brightest


def _same(x: Any) -> Any:
    return x


def _channels(picture: Any, reference: Any, scale: int) -> Any:
    """Take the mean of three PSNRs."""
    return np.mean(
        [
            measured(picture[..., c : c + 1], reference[..., c : c + 1], scale, plane=_same,
                     eight=_same)
            for c in range(3)
        ]
    )  # fmt: skip


def _over_all(picture: Any, reference: Any, scale: int) -> Any:
    """Divide by the number of all pixels, though a border was left out."""
    return measured(
        picture, reference, scale,
        error=lambda a, b: np.sum((a.astype(float) - b) ** 2) / (picture.size / 3),
    )  # fmt: skip


ON_RGB = (
    "that is the PSNR of red, green and blue together: the literature measures luma, so convert "
    "both pictures first"
)
NOT_ROUNDED = (
    "the luma was not rounded before the comparison: the literature compares 8-bit luma, so take "
    "what luma returns"
)
WRAPS = (
    "the luma is subtracted in uint8, which has no negative numbers: 1 - 2 is 255. Convert both "
    "to float first"
)
PEAK = "the peak is {}: it is 255, the largest number that 8 bits can hold, whatever the picture"
INT16 = "squares of int16 wrap above 32767, which is 181 squared: convert both to float"
BORDER = "the border is {}: it is `scale` pixels on each of the four sides"
FORMULA = "PSNR is 10 log10(255^2 / MSE), and yours is {}"
MISTAKES = (
    _by(NOT_ROUNDED, eight=_same),
    _by(CUT, eight=cut_off),
    _by(WRAPS, error=_wrapped(True)),
    _by(WRAPS, error=_wrapped(False)),
    _by(
        "int8 ends at 127, and luma does not: convert both to float",
        error=lambda a, b: np.mean((a.astype(np.int8).astype(float) - b.astype(np.int8)) ** 2),
    ),
    _by(
        "int8 ends at 127, and differences go further: convert both to float",
        error=lambda a, b: np.mean((a.astype(np.int8) - b.astype(np.int8)).astype(float) ** 2),
    ),
    _by("int8 ends at 127: convert both to float", error=_narrow(np.int8)),
    _by(INT16, error=_narrow(np.int16)),
    _by(
        INT16,
        error=_narrow(np.int16),
        result=lambda e: 10 * math.log10(255**2 / e),  # raises where the mean is negative
    ),
    Mistake(
        "that is the luma of a difference, which wraps: take the luma of each picture, and then "
        "the difference",
        lambda picture, reference, scale: decibels(
            np.mean(inside(rounded(STUDIO(picture - reference)), scale).astype(float) ** 2)
        ),
    ),
    _by(BORDER.format("still there"), crop=lambda x, scale: x),
    _by(BORDER.format("left out above and on the left only"), crop=lambda x, s: x[s:, s:]),
    _by(BORDER.format("left out below and on the right only"), crop=lambda x, s: x[:-s, :-s]),
    _by(BORDER.format("left out above and below only"), crop=lambda x, s: x[s:-s]),
    _by(BORDER.format("left out on the left and right only"), crop=lambda x, s: x[:, s:-s]),
    *(
        _by(
            BORDER.format(f"always {n} pixel{'s' * (n > 1)} wide"),
            crop=lambda x, s, n=n: inside(x, n),
        )
        for n in (1, 2, 3, 4, 6, 8)
    ),
    _by(BORDER.format("scale + 6 pixels wide"), crop=lambda x, s: inside(x, s + 6)),
    _by(BORDER.format("2 * scale pixels wide"), crop=lambda x, s: inside(x, 2 * s)),
    _by(BORDER.format("scale // 2 pixels wide"), crop=lambda x, s: inside(x, s // 2)),
    _by(BORDER.format("scale + 1 pixels wide"), crop=lambda x, s: inside(x, s + 1)),
    _by(BORDER.format("scale - 1 pixels wide"), crop=lambda x, s: inside(x, s - 1)),
    _by(
        BORDER.format("one pixel too wide below and on the right"),
        crop=lambda x, s: x[s : -s - 1, s : -s - 1],
    ),
    Mistake(PEAK.format("the picture's brightest number"), _peak_of(lambda p, r: p.max())),
    Mistake(PEAK.format("the reference's brightest number"), _peak_of(lambda p, r: r.max())),
    Mistake(
        PEAK.format("the brightest number of both"), _peak_of(lambda p, r: max(p.max(), r.max()))
    ),
    *(
        Mistake(
            PEAK.format(f"{whose} brightest luma"),
            lambda picture, reference, scale, which=which, cut=cut: _peak_of(
                _luma_max(which, scale * cut)
            )(picture, reference, scale),
        )
        for which, whose in enumerate(("the picture's", "the reference's"))
        for cut in (0, 1)
    ),
    Mistake(
        PEAK.format("the brightest luma of both"),
        lambda picture, reference, scale: _peak_of(
            lambda p, r: max(_luma_max(n, scale)(p, r) for n in (0, 1))
        )(picture, reference, scale),
    ),
    Mistake(
        PEAK.format("the brightest luma less the darkest"),
        lambda picture, reference, scale: _peak_of(
            lambda p, r: np.ptp(inside(rounded(STUDIO(r)), scale))
        )(picture, reference, scale),
    ),
    *(
        _by(PEAK.format(words), result=partial(decibels, peak=peak))
        for words, peak in {
            "219, the width of the studio range": 219.0,
            "235": 235.0,
            "256": 256.0,
            "1": 1.0,
        }.items()
    ),
    _by(ON_RGB, plane=_same, eight=_same),
    _by(ON_RGB, plane=_same, eight=_same, error=_wrapped(True)),
    _by(ON_RGB, plane=_same, eight=_same, error=_wrapped(False)),
    _by(ON_RGB, plane=_same, eight=_same, crop=lambda x, scale: x),
    Mistake(
        "that is the mean of three PSNRs, of red, green and blue: the literature measures luma",
        _channels,
    ),
    *(
        _by(message, plane=plane, eight=eight)
        for eight in (rounded, _same, cut_off)
        for message, plane in PLANES
    ),
    *(
        _by(FORMULA.format(words), result=result)
        for words, result in (
            ("20 log10(255^2 / MSE), which squares twice", lambda e: 2 * decibels(e)),
            (
                "half of it: with the root of MSE it is 20 log10, with MSE 10 log10",
                lambda e: decibels(e) / 2,
            ),
            ("10 log10(255 / MSE): the peak is squared too", lambda e: 10 * np.log10(255.0 / e)),
            (
                "20 log10(255 / MSE): 20 goes with the root of MSE",
                lambda e: 20 * np.log10(255.0 / e),
            ),
            ("the natural logarithm: np.log10, not np.log", lambda e: decibels(e) * np.log(10)),
            ("10 log2: np.log10, not np.log2", lambda e: decibels(e) * np.log2(10)),
            (
                "20 times the natural logarithm: np.log10, not np.log",
                lambda e: 20 * np.log(255**2 / e),
            ),
            ("its negative: the peak stands above", lambda e: -decibels(e)),
            ("a tenth of it, in bels: the factor 10 is missing", lambda e: decibels(e) / 10),
            (
                "10 log10(255^2) / MSE: the division belongs inside",
                lambda e: 10 * np.log10(255.0**2) / e,
            ),
            ("255^2 / MSE: the logarithm is missing", lambda e: 255.0**2 / e),
            ("the MSE itself", float),
            ("the root of the MSE", np.sqrt),
        )
    ),
    _by(
        "the differences are summed, not averaged: MSE is the mean of their squares",
        error=lambda a, b: np.sum((a.astype(float) - b) ** 2),
    ),
    _by(
        "MSE is divided by three times the pixels: luma has one number for each",
        error=lambda a, b: mean_square(a, b) / 3,
    ),
    Mistake(
        "MSE is divided by the number of all pixels, with the border, which you left out",
        _over_all,
    ),
    _by(
        "the differences are not squared: MSE is the mean of their squares",
        error=lambda a, b: np.mean(np.abs(a.astype(float) - b)),
    ),
    _by(
        "the root is taken of MSE: that goes with 20 log10(255 / root), or leave it out",
        error=lambda a, b: np.sqrt(mean_square(a, b)),
    ),
    _by(
        "you compare two means: subtract pixel by pixel, square, and then take the mean",
        error=lambda a, b: (np.mean(a) - np.mean(b)) ** 2,
    ),
    _by(
        "the pictures go from 0 to 1 and the peak is 255: either both on one scale, or neither",
        error=lambda a, b: mean_square(a, b) / 255**2,
    ),
    *(
        _by(
            "the result is rounded: return all its digits",
            result=lambda e, digits=digits: round(decibels(e), digits),
        )
        for digits in (0, 1, 2, 3)
    ),
)


# --- recording -----------------------------------------------------------------------------------


def recording() -> dict[str, Any]:
    """Return the pictures and their figures."""
    with np.load(RECORDING) as file:
        return {key: file[key] for key in file.files}


def draw() -> dict[str, Any]:
    """Draw the pictures and measure them, with this project's functions, for the recording."""
    from npespcn.data import dead_leaves
    from npespcn.evaluation import psnr
    from npespcn.pictures import downscale, rgb_to_y, upscale_bicubic

    arrays: dict[str, Any] = {}
    figures = []
    for i, (h, w, r) in enumerate(SIZES):
        leaves = dead_leaves(np.random.default_rng(i), size=max(h, w))[:h, :w]
        reference = away_from_halves(leaves)
        picture = away_from_halves(upscale_bicubic(downscale(reference, r), r))
        figures.append(psnr(rgb_to_y(picture), rgb_to_y(reference), border=r))
        arrays |= {f"picture{i}": picture, f"reference{i}": reference}
    return arrays | {"figures": np.array(figures)}


if __name__ == "__main__":
    np.savez_compressed(RECORDING, **draw())
