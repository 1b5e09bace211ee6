"""Exercise 9: PSNR on luma, as the literature measures it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tutorials.exercises.checker.engine import Exercise, Function, Rows
from tutorials.exercises.checker.inputs import Given, Inputs


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


def gray(
    rgb: Any, weights: tuple[float, ...] = (65.481, 128.553, 24.966), black: float = 16
) -> Any:
    """Return a luma that is not rounded."""
    return black + rgb @ np.array(weights) / 255


def luma(rgb: Any, half: float = 0.5, **how: Any) -> Any:
    """Return a luma, rounded by adding a half and dropping the fraction."""
    return (gray(rgb, **how) + half).astype(np.uint8)


def _inside(x: Any, scale: int) -> Any:
    height, width = x.shape[:2]
    return x[scale : height - scale, scale : width - scale]


def mean_square(a: Any, b: Any, kind: Any = float, squared_in: Any = None) -> Any:
    """Return the mean of the squared differences, which are computed in a type."""
    difference = a.astype(kind) - b.astype(kind)
    return np.square(difference.astype(squared_in or kind)).mean()


def decibels(mse: Any, peak: float = 255.0) -> float:
    """Return the PSNR of an MSE."""
    return float(10 * np.log10(peak**2 / np.asarray(mse)))


def number(psnr: Callable[..., Any], **given: Any) -> Any:
    """Return a figure with the digits of float64, so that it must have them all."""
    figure = psnr(**given)
    return float(figure) if isinstance(figure, np.floating) else figure


def measured(
    picture: Any,
    reference: Any,
    scale: int,
    *,
    plane: Callable[..., Any] = luma,
    crop: Callable[..., Any] = _inside,
    error: Callable[..., Any] = mean_square,
    peak: float = 255.0,
) -> Any:
    """Return the PSNR; each step of it can be done otherwise."""
    a, b = (crop(plane(rgb), scale) for rgb in (picture, reference))
    return decibels(error(a, b), peak)


def _rounded(picture: Any, reference: Any, scale: int, digits: int) -> Any:
    return round(measured(picture, reference, scale), digits)


CUT = (
    "the luma is cut off, not rounded: a conversion to whole numbers drops the fraction, so that "
    "80.9 becomes 80"
)
LUMA: Rows = (
    (CUT, partial(luma, half=0)),
    (
        "the luma is full range: white is 255. Studio range goes from 16 to 235",
        partial(luma, weights=(255 * 0.299, 255 * 0.587, 255 * 0.114), black=0),
    ),
    ("the luma lacks the 16 that is added: black is 16", partial(luma, black=0)),
    (
        "red and blue are swapped (BGR, as OpenCV reads files)",
        partial(luma, weights=(24.966, 128.553, 65.481)),
    ),
    (
        "red has 64.738 where 65.738 is right, if you divide by 256: a known slip in code that is "
        "often copied",
        lambda rgb: luma(rgb * (255 / 256), weights=(64.738, 129.057, 25.064)),
    ),
    (
        "the coefficients are BT.709's, for high-definition television, and must be BT.601's",
        partial(luma, weights=(219 * 0.2126, 219 * 0.7152, 219 * 0.0722)),
    ),
)
ZERO = "right where MSE is not 0, wrong where it is: then PSNR is inf"
BORDER = "the border is {}: it must be `scale` pixels on each of the four sides"
CROPS: dict[str, Callable[..., Any]] = {
    "still there": lambda x, scale: x,
    "left out above and on the left only": lambda x, scale: x[scale:, scale:],
    "always 4 pixels wide": lambda x, scale: x[4:-4, 4:-4],
}
PEAK = "the peak is {}: it must be 255, the largest number of 8 bits, whatever the picture"
ERRORS: Rows = (
    *(
        (
            "it is subtracted in uint8, which has no negative numbers: there 1 - 2 is 255",
            partial(mean_square, kind=np.uint8, squared_in=kind),
        )
        for kind in (np.uint8, float)
    ),
    (
        "squares above 32767, which is 181 squared, do not fit into int16",
        partial(mean_square, kind=np.int16),
    ),
)
PSNR: Rows = (
    (
        "the luma is not rounded: the literature compares luma of 8 bits",
        partial(measured, plane=gray),
    ),
    (
        "that is the PSNR of red, green and blue together: the literature measures luma, so make "
        "both pictures gray first",
        partial(measured, plane=lambda rgb: rgb),
    ),
    *((BORDER.format(words), partial(measured, crop=crop)) for words, crop in CROPS.items()),
    *((cause, partial(measured, error=error)) for cause, error in ERRORS),
    (
        "the squares are added up: MSE is their mean",
        partial(measured, error=lambda a, b: mean_square(a, b) * a.size),
    ),
    (PEAK.format("219, the width of the studio range"), partial(measured, peak=219)),
    (
        PEAK.format("the brightest number of the picture"),
        lambda picture, reference, scale: measured(
            picture, reference, scale, peak=float(picture.max())
        ),
    ),
    *(
        ("the result is rounded: return all its digits", partial(_rounded, digits=digits))
        for digits in range(5)
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
            reference=lambda rgb: luma(rgb),
            inputs=Inputs(
                _rgb,
                plain=({"rgb": RED}, {"rgb": PRIMARIES}, {}),
                odd={
                    "right for colors, wrong for black or white": ({"rgb": BLACK}, {"rgb": WHITE}),
                    "right for colors, wrong for gray": ({"rgb": GRAY},),
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
            reference=measured,
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
                    "right for small scales, wrong for scale = 7": ({"scale": 7},),
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
