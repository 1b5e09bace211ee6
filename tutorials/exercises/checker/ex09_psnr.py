"""Exercise 9: PSNR on luma, as the literature measures it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from tutorials.exercises.checker.engine import Exercise, Function, Rows
from tutorials.exercises.checker.inputs import Given, Inputs

Step: TypeAlias = Callable[..., Any]


def pixels(*shape: int, factor: int = 1) -> str:
    """Return the text of a picture. No luma of it is near a half, where roundings differ."""
    return f"(np.arange({np.prod(shape)}) * {factor} % 256).astype(np.uint8).reshape{shape}"


def _rgb(h: int = 2, w: int = 2, rgb: str = "") -> Given:
    return {"rgb": rgb or pixels(h, w, 3, factor=89)}


def _pictures(
    h: int = 2, w: int = 2, scale: int = 1, picture: str = "", reference: str = ""
) -> Given:
    """Make pictures of which h x w pixels are left without the border."""
    shape = (h + 2 * scale, w + 2 * scale, 3)
    return {
        "picture": picture or pixels(*shape, factor=59),
        "reference": reference or pixels(*shape, factor=61),
        "scale": scale,
    }


# Each step of the measurement can be done otherwise.


def weighted(
    red: float, green: float, blue: float, per: float = 255, black: float = 16, kind: Any = float
) -> Step:
    """Return a luma, not rounded."""
    return lambda rgb: black + (rgb @ np.array([red, green, blue])).astype(kind) / per


STUDIO = weighted(65.481, 128.553, 24.966)


def _nearest(y: Any) -> Any:
    return (y + 0.5).astype(np.uint8)


def _cut(y: Any) -> Any:
    return y.astype(np.uint8)


def _as_it_is(y: Any) -> Any:
    return y


def _by_luma(rgb: Any, plane: Step = STUDIO, bits: Step = _nearest) -> Any:
    return bits(plane(rgb))


def _inside(x: Any, scale: int) -> Any:
    """Leave a border out: (H, W, ...) -> (H - 2*scale, W - 2*scale, ...)."""
    rows, columns = (np.arange(scale, side - scale) for side in x.shape[:2])
    return x[rows[:, None], columns]


def mean_square(a: Any, b: Any, kind: Any = float) -> Any:
    """Return the mean of the squared differences, which are computed in a type."""
    return np.square(a.astype(kind) - b.astype(kind)).mean()


def decibels(mse: Any, peak: float = 255.0) -> float:
    """Return the PSNR of an MSE."""
    return float(10 * np.log10(peak**2 / np.asarray(mse)))


def number(psnr: Step, **given: Any) -> Any:
    """Return a figure with the digits of float64, so that it must have them all."""
    figure = psnr(**given)
    return float(figure) if isinstance(figure, np.floating) else figure


def _measured(
    picture: Any,
    reference: Any,
    scale: int,
    plane: Step = STUDIO,
    bits: Step = _nearest,
    crop: Step = _inside,
    error: Step = mean_square,
    result: Step = decibels,
) -> Any:
    a, b = (crop(bits(plane(rgb)), scale) for rgb in (picture, reference))
    return result(error(a, b))


# --- known mistakes ------------------------------------------------------------------------------

PLANES: dict[str, Step] = {
    "the luma is full range: white is 255. Studio range goes from 16 to 235": weighted(
        299, 587, 114, 1000, 0
    ),
    "16 is added to a full-range luma: studio range is narrower, too, by 219/255": weighted(
        299, 587, 114, 1000, 16
    ),
    "the luma lacks the 16 that is added: black is 16": weighted(65.481, 128.553, 24.966, 255, 0),
    "red and blue are swapped (BGR, as OpenCV reads files)": weighted(24.966, 128.553, 65.481),
    "the coefficients have too few digits": weighted(0.257, 0.504, 0.098, 1),
    "red has 64.738 where 65.738 is right, if you divide by 256: a known slip in code that is "
    "often copied": weighted(64.738, 129.057, 25.064, 256),
    "the coefficients are those to divide by 255, and you divide by 256": weighted(
        65.481, 128.553, 24.966, 256
    ),
    "the coefficients are those to divide by 256, and you divide by 255": weighted(
        65.738, 129.057, 25.064, 255
    ),
    "the coefficients are BT.709's, for high-definition television, and must be BT.601's": (
        weighted(0.2126 * 219, 0.7152 * 219, 0.0722 * 219)
    ),
    "the coefficients are BT.709's, and the range is full": weighted(0.2126, 0.7152, 0.0722, 1, 0),
    "that is the mean of red, green and blue: green weighs more": weighted(1, 1, 1, 3, 0),
    "red, green and blue weigh the same: green weighs more": weighted(73, 73, 73),
    "that is only the red channel": lambda rgb: rgb[..., 0],
    "that is only the green channel": lambda rgb: rgb[..., 1],
    "the division by 255 is missing": weighted(65.481, 128.553, 24.966, 1),
    "a float16 is on the way: it has 11 bits, which are too few for the sum": weighted(
        65.481, 128.553, 24.966, kind=np.float16
    ),
}  # fmt: skip
CUT = (
    "the luma is cut off, not rounded: a conversion to whole numbers drops the fraction, so that "
    "80.9 becomes 80"
)


LUMA: Rows = (
    (CUT, partial(_by_luma, bits=_cut)),
    ("the luma is rounded up: 80.1 is 80", partial(_by_luma, bits=np.ceil)),
    *(
        (cause, partial(_by_luma, plane=plane, bits=bits))
        for bits in (_nearest, _cut)
        for cause, plane in PLANES.items()
    ),
    (
        "the form in whole numbers, (66 R + 129 G + 25 B + 128) / 256 + 16, is a rough one: take "
        "the formula with three decimals",
        lambda rgb: ((rgb @ np.array([66, 129, 25]) + 128) >> 8) + 16,
    ),
    (
        "the sum is made in uint8, which begins again at 256",
        lambda rgb: ((rgb @ np.array([66, 129, 25], np.uint8) + np.uint8(128)) >> 8) + 16,
    ),
)


def _wrapped(a: Any, b: Any) -> Any:
    """Subtract in uint8, and square in float."""
    return mean_square(a.astype(np.uint8) - b.astype(np.uint8), np.zeros(1))


def _peak(brightest: Callable[[Any], Any]) -> Step:
    """Take the brightest number of the picture, the reference or both for the peak."""

    def wrong(picture: Any, reference: Any, scale: int, which: int = 0) -> Any:
        mse = _measured(picture, reference, scale, result=float)
        pictures = (picture, reference, np.concatenate([picture, reference]))
        return decibels(mse, float(brightest(pictures[which])))

    return wrong


def _channels(picture: Any, reference: Any, scale: int) -> Any:
    """Take the mean of three PSNRs."""
    pairs = zip(np.moveaxis(picture, 2, 0), np.moveaxis(reference, 2, 0), strict=True)
    return np.mean([_measured(a, b, scale, _as_it_is, _as_it_is) for a, b in pairs])


def _or_raise(e: Any) -> Any:
    """Return the PSNR; raise where the mean is negative."""
    return 10 * math.log10(255**2 / e)


ZERO = "right where MSE is not 0, wrong where it is: then PSNR is inf"
BORDER = "the border is {}: it must be `scale` pixels on each of the four sides"
PEAK = "the peak is {}: it must be 255, the largest number of 8 bits, whatever the picture"
FORMULA = "PSNR is 10 log10(255^2 / MSE), and yours is {}"
ON_RGB = (
    "that is the PSNR of red, green and blue together: the literature measures luma, so make both "
    "pictures gray first"
)
WRAPS = "it is subtracted in uint8, which has no negative numbers: there 1 - 2 is 255"
INT16 = "squares above 32767, which is 181 squared, do not fit into int16"
CROPS: dict[str, Step] = {
    "still there": lambda x, s: x,
    "left out above and on the left only": lambda x, s: x[s:, s:],
    "left out below and on the right only": lambda x, s: x[:-s, :-s],
    "left out above and below only": lambda x, s: x[s:-s],
    "left out on the left and right only": lambda x, s: x[:, s:-s],
    "always 4 pixels wide": lambda x, s: x[4:-4, 4:-4],
    "scale + 6 pixels wide": lambda x, s: _inside(x, s + 6),
    "scale // 2 pixels wide": lambda x, s: _inside(x, s // 2),
    "one pixel too wide below and on the right": lambda x, s: x[s : -s - 1, s : -s - 1],
}
FORMULAS: dict[str, Step] = {
    "20 log10(255^2 / MSE), which squares twice": lambda e: 2 * decibels(e),
    "half of it: 10 log10 goes with MSE, and 20 log10 with its root": lambda e: decibels(e) / 2,
    "10 log10(255 / MSE): the peak is squared, too": lambda e: decibels(e, 255**0.5),
    "20 log10(255 / MSE): 20 goes with the root of MSE": lambda e: 2 * decibels(e, 255**0.5),
    "the natural logarithm: the one of base 10 is meant": lambda e: decibels(e) * np.log(10),
    "the logarithm of base 2: the one of base 10 is meant": lambda e: decibels(e) * np.log2(10),
    "twice the natural logarithm": lambda e: 2 * decibels(e) * np.log(10),
    "its negative: the peak stands above": lambda e: -decibels(e),
    "a tenth of it, in bels: the factor 10 is missing": lambda e: decibels(e) / 10,
    "10 log10(255^2) / MSE: the division belongs inside": lambda e: 20 * np.log10(255.0) / e,
    "255^2 / MSE: the logarithm is missing": lambda e: 255.0**2 / e,
    "the MSE itself": float,
    "the root of MSE": np.sqrt,
}
ERRORS: tuple[tuple[str, Step], ...] = (
    (WRAPS, partial(mean_square, kind=np.uint8)),
    (WRAPS, _wrapped),
    (INT16, partial(mean_square, kind=np.int16)),
    ("int8 ends at 127: it holds neither the numbers nor the squares",
        partial(mean_square, kind=np.int8)),
    ("float16 is too coarse for squares: it has 11 bits", partial(mean_square, kind=np.float16)),
    ("a negative difference becomes 0: its square counts as much",
        lambda a, b: mean_square(np.maximum(a, b), b)),
    ("the squares are added up: MSE is their mean", lambda a, b: mean_square(a, b) * a.size),
    ("the differences are not squared", lambda a, b: np.abs(a.astype(float) - b).mean()),
    ("the root of MSE stands where MSE belongs", lambda a, b: np.sqrt(mean_square(a, b))),
    ("the mean of the differences is taken off: it counts, too",
        lambda a, b: (a.astype(float) - b).var()),
    ("two means are compared: subtract pixel by pixel", lambda a, b: (a.mean() - b.mean()) ** 2),
    ("the pictures go from 0 to 1, and the peak is 255: both must be on one scale",
        lambda a, b: mean_square(a, b) / 255**2),
    ("MSE is divided by three times the pixels", lambda a, b: mean_square(a, b) / 3),
)  # fmt: skip
PSNR: Rows = (
    (
        "the luma is not rounded: the literature compares luma of 8 bits",
        partial(_measured, bits=_as_it_is),
    ),
    (CUT, partial(_measured, bits=_cut)),
    (ZERO, partial(_measured, result=lambda e: decibels(e) if e else 0.0)),
    *((cause, partial(_measured, error=error)) for cause, error in ERRORS),
    (INT16, partial(_measured, error=ERRORS[2][1], result=_or_raise)),
    (
        "that is the luma of a difference, which begins again at 256: take the luma of each "
        "picture first",
        lambda picture, reference, scale: decibels(
            mean_square(_inside(_by_luma(picture - reference), scale), np.zeros(1))
        ),
    ),
    *((BORDER.format(words), partial(_measured, crop=crop)) for words, crop in CROPS.items()),
    *(
        (PEAK.format(f"the brightest {what} of {words}"), partial(_peak(brightest), which=which))
        for what, brightest in (("number", np.max), ("luma", lambda rgb: _by_luma(rgb).max()))
        for which, words in enumerate(("the picture", "the reference", "both"))
    ),
    *(
        (PEAK.format(words), partial(_measured, result=partial(decibels, peak=peak)))
        for words, peak in (("219, the width of the studio range", 219), ("235", 235), ("256", 256))
    ),
    (PEAK.format("1"), partial(_measured, result=partial(decibels, peak=1))),
    *(
        (ON_RGB, partial(_measured, plane=_as_it_is, bits=_as_it_is, error=error, crop=crop))
        for error in (mean_square, ERRORS[0][1], _wrapped)
        for crop in (_inside, CROPS["still there"])
    ),
    ("that is the mean of three PSNRs, of red, green and blue: take that of luma", _channels),
    *(
        (cause, partial(_measured, plane=plane, bits=bits))
        for bits in (_nearest, _as_it_is, _cut)
        for cause, plane in PLANES.items()
    ),
    *(
        (FORMULA.format(words), partial(_measured, result=result))
        for words, result in FORMULAS.items()
    ),
    (
        "MSE is divided by the number of all pixels, also those of the border, which are left out",
        lambda picture, reference, scale: _measured(
            picture,
            reference,
            scale,
            error=lambda a, b: mean_square(a, b) * a.size / (picture.size / 3),
        ),
    ),
    *(
        (
            "the result is rounded: return all its digits",
            partial(_measured, result=lambda e, n=n: round(decibels(e), n)),
        )
        for n in range(7)
    ),
)

BLACK, WHITE = "np.zeros((3, 3, 3), np.uint8)", "np.full((3, 3, 3), 255, np.uint8)"
DOT = "np.pad(np.array([[[10, 20, 30]]], np.uint8), ((1, 1), (1, 1), (0, 0)))"
RED = "np.array([[[255, 0, 0]]], np.uint8)"
PRIMARIES = "(255 * np.eye(3)).astype(np.uint8)[None]"
GRAY = "np.arange(256).astype(np.uint8).reshape(16, 16, 1).repeat(3, 2)"
TINTS = [f"np.full((3, 3, 3), {color}, np.uint8)" for color in ("[104, 98, 100]", "100")]

EXERCISE = Exercise(
    title="PSNR on luma, as the literature measures it",
    hints=(
        "Test luma on black, white and pure red first: 16, 235, 81. For psnr, subtract 1 from 0 in "
        "uint8, and look at what comes.",
        "A weighted sum of three channels is a product with a vector. A conversion to whole "
        "numbers drops the fraction. In which type must the luma be, before you subtract and "
        "square?",
        "For luma: multiply, add 16, round, and convert, in this order. For psnr: both lumas, the "
        "border off on all four sides, differences in a type that holds negative numbers and large "
        "squares, their mean. What does the formula give where this mean is 0?",
    ),
    functions=[
        Function(
            "luma",
            reference=_by_luma,
            inputs=Inputs(
                _rgb,
                plain=({"rgb": RED}, {"rgb": PRIMARIES}, {}),
                odd={
                    "right for colors, wrong for black or white": ({"rgb": BLACK}, {"rgb": WHITE}),
                    "right for colors, wrong for gray": ({"rgb": GRAY},),
                    "right for small pictures, wrong for larger ones": ({"h": 7, "w": 9},),
                },
                types=(),
            ),
            mistakes=LUMA,
            results=("luma",),
            axes={"rgb": "H W color", "luma": "H W"},
            exact=True,
        ),
        Function(
            "psnr",
            reference=_measured,
            inputs=Inputs(
                _pictures,
                plain=({"picture": DOT, "reference": BLACK}, {}, {"scale": 2, "h": 4}),
                odd={
                    "right for small differences, wrong for white against black": (
                        {"picture": WHITE, "reference": BLACK},
                        {"picture": BLACK, "reference": WHITE},
                    ),
                    ZERO: (
                        {"picture": DOT, "reference": DOT},
                        {"picture": BLACK.replace("3, 3, 3", "5, 5, 3"), "scale": 2,
                         "reference": DOT.replace("1, 1", "0, 4")},
                        dict(zip(("picture", "reference"), TINTS, strict=True)),
                    ),
                    "right for large differences, wrong for pictures that are nearly equal": (
                        {"picture": DOT.replace("10, 20, 30", "2, 2, 2").replace("1, 1", "9, 9"),
                         "reference": BLACK.replace("3, 3, 3", "19, 19, 3")},
                    ),
                    "right for scale = 1 and 2, wrong for scale = 3": ({"scale": 3, "w": 9},),
                    "right for scale = 1 and 2, wrong for scale = 4": (
                        {"scale": 4, "h": 3, "w": 4}, {"scale": 4, "h": 16, "w": 12},
                    ),
                },
                types=(),
            ),
            mistakes=PSNR,
            results=("PSNR",),
            through=number,
            axes={"picture": "H W color", "reference": "H W color"},
        ),
    ],
)  # fmt: skip
