"""Exercise 13: the low-resolution picture, as the literature makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from tutorials.exercises.checker.engine import Exercise, Function, Rows
from tutorials.exercises.checker.inputs import Given, Inputs

Change: TypeAlias = Callable[[Any], Any]
Ends: TypeAlias = Callable[[Any, int], Any]
"""Which pixel stands at each place of a column that goes on beyond its ends; -1 for none."""


# --- what is asked -------------------------------------------------------------------------------


def _t(numbers: str = "-2.5, -1.5, -0.5, 0, 0.5, 1, 1.5, 2, 2.5") -> Given:
    return {"t": f"np.array([{numbers}])"}


def _column(n: int = 2, r: int = 2) -> Given:
    return {"length": n * r, "r": r}


def _image(
    h: int = 2, w: int = 2, c: int = 1, r: int = 2, over: tuple[int, int] = (0, 0), kind: str = ""
) -> Given | None:
    """Return an image of h*r by w*r pixels, and as many over as said."""
    if c not in (1, 3):
        return None
    shape = (h * r + over[0], w * r + over[1], c)[: 2 if c == 1 else 3]
    count = f"np.arange({int(np.prod(shape))})"
    numbers = {
        "": f"({count} ** 3 * 31 % 256).reshape{shape}",
        "points": f"({count} ** 2 % 7 % 2 * 255).reshape{shape}",
        "squares": f"np.kron([[0, 255], [255, 0]], np.ones({(shape[0] // 2, shape[1] // 2)}))",
    }[kind]
    return {"image": f"{numbers}.astype(np.uint8)", "r": r}


# --- right answers, and slips --------------------------------------------------------------------


def cubic(t: Any, a: float = -0.5) -> Any:
    """Return Keys' kernel; with another `a`, a slip."""
    t = np.abs(t)
    near, far = (a + 2) * t**3 - (a + 3) * t**2 + 1, a * (t**3 - 5 * t**2 + 8 * t - 4)
    return np.where(t <= 1, near, np.where(t <= 2, far, 0 * t))


def _between(t: Any, near: Change, far: Change, beyond: Change) -> Any:
    """Return a kernel of three parts."""
    size = np.abs(t)
    return np.where(size <= 1, near(t), np.where(size <= 2, far(t), beyond(t)))


def _near(t: Any) -> Any:
    return 1.5 * t**3 - 2.5 * t**2 + 1


def _far(t: Any) -> Any:
    return -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2


def _no(t: Any) -> Any:
    return 0 * t


def repeated(places: Any, length: int) -> Any:
    """Go on with the first and the last pixel."""
    return places.clip(0, length - 1)


def _nothing(places: Any, length: int) -> Any:
    return np.where((places >= 0) & (places < length), places, -1)


def _mirrored(places: Any, length: int) -> Any:
    """Go on with the column in reverse."""
    return length - 1 - np.abs(places % (2 * length) - length + 0.5).astype(int)


def _mirrored_about_the_last(places: Any, length: int) -> Any:
    period = max(2 * length - 2, 1)
    return np.abs((places + length - 1) % period - (length - 1))


def _one_end(places: Any, length: int, end: int) -> Any:
    inside = (places < length) if end == 0 else (places >= 0)
    return np.where(inside, repeated(places, length), -1)


@dataclass(frozen=True)
class Weights:
    """The matrix of one axis; with other fields, a slip."""

    center: Callable[[Any, int, int], Any] = lambda i, r, n: i * r + (r - 1) / 2
    unit: Callable[[int], float] = float  # how many large pixels are a distance of 1
    kernel: Change = cubic
    ends: Ends = repeated
    reach: Callable[[int], int] = lambda r: 3 * r  # from where on there are no weights
    sums: int | None = 1  # the axis along which the weights are to sum to 1
    again: bool = False  # divide again, by the sum of those inside

    def __call__(self, length: int, r: int) -> Any:
        """Return (length / r, length)."""
        n = length // r
        far = self.reach(r)
        places = np.arange(-far, length + far)
        middle = self.center(np.arange(n), r, length)[:, None]
        weights = self.kernel((places - middle) / self.unit(r))
        if self.sums is not None:
            weights = weights / weights.sum(axis=self.sums, keepdims=True)
        matrix = np.zeros((n, length))
        for column, stands in zip(weights.T, self.ends(places, length), strict=True):
            if stands >= 0:
                matrix[:, stands] += column
        return matrix / matrix.sum(axis=1, keepdims=True) if self.again else matrix


weights = Weights()


def _whole(x: Any) -> Any:
    return np.floor(x + 0.5)


def _eight_bits(x: Any) -> Any:
    return _whole(x).clip(0, 255).astype(np.uint8)


def _wraps(x: Any) -> Any:
    return _whole(x).astype(int).astype(np.uint8)


def _bottom_right(image: Any, r: int) -> Any:
    h, w = image.shape[0] // r, image.shape[1] // r
    return image[: h * r, : w * r]


def _top_left(image: Any, r: int) -> Any:
    h, w = image.shape[0] // r, image.shape[1] // r
    return image[image.shape[0] - h * r :, image.shape[1] - w * r :]


def _middle(image: Any, r: int) -> Any:
    up, left = (side % r // 2 for side in image.shape[:2])
    return _bottom_right(image[up:, left:], r)


def _filled(image: Any, r: int) -> Any:
    more = [(0, -side % r) for side in image.shape[:2]]
    return np.pad(image, [*more, *[(0, 0)] * (image.ndim - 2)], mode="edge")


@dataclass(frozen=True)
class Downscale:
    """Both axes; with other fields, a slip."""

    weights: Callable[[int, int], Any] = weights
    first: Change = _eight_bits
    last: Change = _eight_bits
    crop: Callable[[Any, int], Any] = _bottom_right
    axes: tuple[int, int] = (0, 1)

    def __call__(self, image: Any, r: int) -> Any:
        """Return (H // r, W // r) or (H // r, W // r, 3)."""
        small = self.crop(image, r)
        for axis, rounded in zip(self.axes, (self.first, self.last), strict=True):
            matrix = self.weights(small.shape[axis], r)
            small = rounded(np.moveaxis(np.tensordot(matrix, small, (1, axis)), 0, axis))
        return small


downscale = Downscale()


def _every(image: Any, r: int) -> Any:
    return _bottom_right(image, r)[::r, ::r]


def _wide(image: Any, r: int) -> Any:
    """Shrink the width only."""
    matrix = weights(image.shape[1], r)
    return _eight_bits(np.moveaxis(np.tensordot(matrix, image, (1, 1)), 0, 1))


def _mixed_axes(image: Any, r: int) -> Any:
    return downscale(image.swapaxes(0, 1), r)


def _not_cropped(image: Any, r: int) -> Any:
    if image.shape[0] % r or image.shape[1] % r:
        raise ValueError("the sides are no multiples of r")
    return downscale(image, r)


def _gray_only(image: Any, r: int) -> Any:
    if image.ndim == 3:
        raise ValueError("three axes")
    return downscale(image, r)


CENTER = (
    "the center is at {}. A small pixel stands for r large ones, from i*r on: its center is the "
    "middle of these"
)
CENTERS: tuple[tuple[str, Callable[[Any, int, int], Any]], ...] = (
    (CENTER.format("i*r, the first of them"), lambda i, r, n: i * r),
    (CENTER.format("(i + 1/2)*r, half a pixel too far"), lambda i, r, n: (i + 0.5) * r),
    (CENTER.format("i*r + r // 2, too far if r is even"), lambda i, r, n: i * r + r // 2),
    (
        "the centers are spread from the first to the last pixel. The first small pixel stands for "
        "the first r pixels, so its center is their middle",
        lambda i, r, n: np.linspace(0, n - 1, len(i)),
    ),
)  # fmt: skip
FINE = (
    "the distance is counted in large pixels. Then the weights reach 2 large pixels, the pixels "
    "between are skipped, and fine patterns become coarse ones (this is what OpenCV does)"
)
BEYOND = "beyond the ends of the column there are {}. It goes on with its first and its last pixel"
ENDS: tuple[tuple[str, Weights], ...] = (
    (BEYOND.format("zeros"), Weights(ends=_nothing)),
    (
        "the weights beyond the ends are cut off, and the others divided by their sum (this is "
        "what Pillow does). They belong to the first and the last pixel",
        Weights(ends=_nothing, again=True),
    ),
    (BEYOND.format("the pixels in reverse (MATLAB since 2017)"), Weights(ends=_mirrored)),
    (
        BEYOND.format("the pixels in reverse, without the last"),
        Weights(ends=_mirrored_about_the_last),
    ),
    (BEYOND.format("the pixels of the other end"), Weights(ends=lambda at, n: at % n)),
    *(
        (
            f"the weights beyond the {other} pixel are lost: they belong to it",
            Weights(ends=partial(_one_end, end=end)),
        )
        for end, other in enumerate(("last", "first"))
    ),
)
SUMS = "the weights of a small pixel do not sum to 1, so a flat picture changes its brightness"
MATRICES: tuple[tuple[str, Weights], ...] = (
    *((cause, Weights(center=center)) for cause, center in CENTERS),
    (FINE, Weights(unit=lambda r: 1.0)),
    *ENDS,
    (SUMS, Weights(sums=None)),
    (
        "not the rows of the matrix sum to 1, but its columns: a row has the weights of one small "
        "pixel",
        Weights(sums=0),
    ),
    (
        "the distance is r times too long: r large pixels are a distance of 1",
        Weights(unit=lambda r: 1 / r),
    ),
    (
        "these are the weights of a mean of the r pixels: their number is right, and the cubic "
        "reaches further",
        Weights(kernel=lambda t: 1.0 * (np.abs(t) < 0.5)),
    ),
    (
        "every small pixel is one of the large ones: that is no mean, and fine patterns become "
        "coarse ones",
        Weights(center=lambda i, r, n: i * r, kernel=lambda t: 1.0 * (t == 0)),
    ),
    (
        "pixels that are two small pixels away are left out: the weights reach 2 small pixels on "
        "both sides",
        Weights(reach=lambda r: r),
    ),
)  # fmt: skip
CUBICS: Rows = (
    ("the kernel is that of a = -0.75 (OpenCV and PyTorch have it)", partial(cubic, a=-0.75)),
    ("the kernel is that of a = -1", partial(cubic, a=-1.0)),
    ("the kernel is that of a = +1/2: the sign of a is lost", partial(cubic, a=0.5)),
    *(
        ("negative t is not taken as |t|: the kernel is the same on both sides", wrong)
        for wrong in (
            lambda t: np.where(t <= 1, _near(t), np.where(t <= 2, _far(t), 0 * t)),
            lambda t: _between(t, _near, _far, _no),
        )
    ),
    (
        "where |t| is larger than 2 the kernel is not 0",
        lambda t: _between(np.abs(t), _near, _far, _far),
    ),
    (
        "where |t| is from 1 to 2 the kernel is not 0: there it is negative",
        lambda t: _between(np.abs(t), _near, _no, _no),
    ),
    (
        "the kernel falls in a straight line: that is linear interpolation",
        lambda t: np.maximum(1 - np.abs(t), 0),
    ),
)
HALVES = "halves are rounded to the even number, and must be rounded up: 0.5 becomes 1, not 0"
CUT = "the result is cut off and not rounded: 16.9 becomes 16"
OVER = (
    "a result below 0 or above 255 wraps: -1 becomes 255, as uint8 has no other numbers. Negative "
    "weights make such results: keep to 0 to 255 before you make bytes of them"
)
CROPPED = "the picture is cropped {}: crop it below and on the right"
ROUNDING: tuple[tuple[str, Change], ...] = (
    (CUT, lambda x: x.clip(0, 255).astype(np.uint8)),
    (HALVES, lambda x: np.round(x).clip(0, 255).astype(np.uint8)),
    (OVER, _wraps),
    (OVER, lambda x: np.maximum(_whole(x), 0).astype(int).astype(np.uint8)),
)
PICTURES: Rows = (
    (
        "every r-th pixel is kept, and the others are lost: fine patterns become coarse ones, and "
        "the picture moves",
        _every,
    ),
    (
        "of the rows every r-th is kept, and the others are lost",
        lambda image, r: _wide(_bottom_right(image, r)[::r], r),
    ),
    ("the width is made smaller first: the height comes first", Downscale(axes=(1, 0))),
    *((cause, Downscale(first=rounded, last=rounded)) for cause, rounded in ROUNDING),
    (
        "after the first pass, over the height, the numbers are not rounded. They are bytes "
        "between the passes, too",
        Downscale(first=lambda x: x),
    ),
    (
        "after the first pass the numbers are rounded, but not kept to 0 to 255",
        Downscale(first=_whole),
    ),
    *((cause, Downscale(weights=wrong)) for cause, wrong in MATRICES),
    ("height and width have changed places: H belongs to the rows", _mixed_axes),
    (
        "rows and columns of the small picture are swapped",
        lambda image, r: downscale(image, r).swapaxes(0, 1),
    ),
    (
        "the picture is not cropped: its sides need not be multiples of r",
        _not_cropped,
    ),
    (CROPPED.format("above and on the left"), Downscale(crop=_top_left)),
    (CROPPED.format("on all sides"), Downscale(crop=_middle)),
    (CROPPED.format("nowhere, and filled up instead"), Downscale(crop=_filled)),
    ("this is right for gray pictures, and color pictures have a third axis", _gray_only),
    (
        "color comes out gray: the three channels are shrunk one by one",
        lambda image, r: downscale(image if image.ndim == 2 else image.mean(axis=2), r),
    ),
)  # fmt: skip

EXERCISE = Exercise(
    title="the low-resolution picture, as the literature makes it",
    hints={
        "cubic": (
            "The kernel has three parts. Draw it: it is 1 at 0, and 0 at 1 and at 2. Where is it "
            "negative?",
            "It is the same for t and -t. So one step comes first, before any of the formulas.",
            "NumPy can choose between arrays, element by element, by a third array of True and "
            "False. Compute both formulas for all t, and choose afterwards.",
        ),
        "shrink_weights": (
            "Take r = 2 and the small pixel 0. Which large pixels does it stand for? Where, "
            "counted in large pixels, is their middle? How far from it are the pixels 0, 1, 2 and "
            "3? How far in small pixels?",
            "The weights reach two small pixels on both sides: how many large ones is that? So "
            "the first small pixel has weights at -1, -2 and further. Make the matrix too wide at "
            "first, with columns for these places, too.",
            "Divide each row by its sum while the matrix is still too wide. Then think of what "
            "stands at the places beyond the ends, and where the weights there have to go.",
        ),
        "downscale": (
            "One matrix makes a column shorter. How do you apply it to all columns at once? And a "
            "matrix of the same kind to all rows?",
            "With three color channels the picture has three axes. np.einsum and np.tensordot "
            "take a matrix and one axis of an array, and let the others be.",
            "Three things are easy to forget: to round halves up (np.round does not), to keep to 0 "
            "to 255 before the numbers become bytes, and to do both after the first pass as well.",
        ),
    },
    functions=[
        Function(
            "cubic",
            reference=cubic,
            inputs=Inputs(
                _t,
                plain=({},),
                odd={
                    "right for one axis, wrong for two": (
                        {"numbers": "[-0.25, 0.75, 1.25], [2.25, -1.75, 0.125]"},
                    ),
                    "right for many numbers, wrong for one": ({"numbers": "0.5"},),
                    "right where there are numbers, wrong for an empty array": ({"numbers": ""},),
                },
            ),
            mistakes=CUBICS,
            results=("weight",),
        ),
        Function(
            "shrink_weights",
            reference=weights,
            inputs=Inputs(
                _column,
                plain=({}, {"n": 3}, {"n": 3, "r": 3}),
                odd={
                    "right for longer columns, wrong where one pixel is left": (
                        {"n": 1},
                        {"n": 1, "r": 3},
                    ),
                    "right for r up to 3, wrong for r = 4": ({"n": 5, "r": 4},),
                    "right for small r, wrong for r = 8": ({"n": 3, "r": 8},),
                    "right for short columns, wrong for long ones": ({"n": 20}, {"n": 7, "r": 3}),
                },
            ),
            mistakes=MATRICES,
            results=("matrix",),
            axes={"matrix": "small large"},
        ),
        Function(
            "downscale",
            reference=downscale,
            inputs=Inputs(
                _image,
                plain=(
                    {},
                    {"kind": "squares", "h": 3, "w": 3},
                    {"kind": "points", "h": 4, "w": 4},
                    {"h": 4, "w": 4},
                    {"h": 4, "w": 4, "r": 4},
                    {"h": 7, "w": 7, "r": 3},
                    {"h": 12, "w": 12},
                ),
                odd={
                    "right for sides that are multiples of r, wrong for others": (
                        {"over": (1, 0), "h": 3, "w": 3},
                        {"over": (0, 1), "h": 3, "w": 3},
                        {"over": (1, 2), "h": 3, "w": 3, "r": 3},
                        {"over": (3, 2), "r": 4},
                    ),
                    "right for small r, wrong for r = 8": ({"h": 3, "w": 3, "r": 8},),
                },
                types=("uint8",),
            ),
            mistakes=PICTURES,
            results=("small",),
            axes={"image": "H W", "small": "H W"},
            exact=True,
        ),
    ],
)
