"""Exercise 13: the low-resolution picture, as the literature makes it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from tutorials.exercises.checker.engine import Exercise, Function, Rows
from tutorials.exercises.checker.inputs import Given, Inputs

Change: TypeAlias = Callable[[Any], Any]

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


DISTANCES = Inputs(
    _t,
    odd={
        "right for one axis, wrong for more": (
            {"numbers": "[-0.25, 0.75, 1.25], [2.25, -1.75, 0.125]"},
            {"numbers": "[[-0.25, 0.75, 1.25]], [[2.25, -1.75, 0.125]]"},
        ),
        "wrong close to 0, 1 or 2": ({"numbers": "0.005, -0.995, 1.005, 1.995, -2.005"},),
        "right for many numbers, wrong for one": ({"numbers": "0.5"},),
        "right where there are numbers, wrong for an empty array": ({"numbers": ""},),
    },
    more={"right for arrays with axes, wrong for one without": ({"t": "np.array(0.5)"},)},
)
COLUMNS = Inputs(
    _column,
    plain=({}, {"n": 3}, {"n": 3, "r": 3}),
    odd={
        "right for longer columns, wrong where one pixel is left": ({"n": 1}, {"n": 1, "r": 5}),
        "right for small r, wrong for r = 4 and r = 8": ({"n": 5, "r": 4}, {"n": 3, "r": 8}),
        "right for short columns, wrong for long ones": ({"n": 20}, {"n": 70, "r": 9}),
    },
)
IMAGES = Inputs(
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
)

# --- right answers, and slips --------------------------------------------------------------------


def cubic(t: Any, *, a: float = -0.5, size: Change = np.abs, end: float = 2.0) -> Any:
    """Return Keys' kernel; with another `a`, another `size` of t, or another `end`, a slip."""
    t = size(t)
    near, far = (a + 2) * t**3 - (a + 3) * t**2 + 1, a * (t**3 - 5 * t**2 + 8 * t - 4)
    return np.where(t <= 1, near, np.where(t <= end, far, 0 * t))


def weights(
    length: int,
    r: int,
    *,
    center: Callable[[Any, int], Any] = lambda i, r: i * r + (r - 1) / 2,
    large: bool = False,
    ends: Any = "edge",
    again: bool = False,
) -> Any:
    """Return the matrix of one axis, (length / r, length).

    `large` counts distances in large pixels. `ends` is what np.pad puts beyond the ends. `again`
    divides by the sums once more.
    """
    far = 3 * r
    places, middle = np.arange(-far, length + far), center(np.arange(length // r), r)
    matrix = cubic((places - middle[:, None]) / (1 if large else r))
    matrix = matrix / matrix.sum(axis=1, keepdims=True)
    matrix = matrix @ np.pad(np.eye(length), ((far, far), (0, 0)), ends)
    return matrix / matrix.sum(axis=1, keepdims=True) if again else matrix


def _whole(x: Any) -> Any:
    return np.floor(x + 0.5)


def _bytes(x: Any) -> Any:
    return _whole(x).clip(0, 255).astype(np.uint8)


def downscale(
    image: Any, r: int, *, rounded: Change = _bytes, between: Change | None = None
) -> Any:
    """Shrink the height, then the width; `between` rounds after the first, `rounded` otherwise."""
    small = image
    for rounds in (between or rounded, rounded):
        length = len(small) // r * r
        small = rounds(np.tensordot(weights(length, r), small[:length], 1)).swapaxes(0, 1)
    return small


CUBICS: Rows = (
    *(
        ("a is not -1/2 (in PyTorch and OpenCV it is -3/4)", partial(cubic, a=a))
        for a in (-0.75, -1.0, 0.5)
    ),
    (
        "negative t is not taken as |t|: the kernel is the same on both sides",
        partial(cubic, size=np.positive),
    ),
    ("where |t| is larger than 2 the kernel is not 0", partial(cubic, end=np.inf)),
)
MATRICES: Rows = (
    *(
        (
            "the centers are wrong: a small pixel stands for r large ones, and its center is the "
            "middle of these",
            partial(weights, center=center),
        )
        for center in (
            lambda i, r: i * r,
            lambda i, r: (i + 0.5) * r,
            lambda i, r: i * r + r // 2,
            lambda i, r: np.linspace(0, len(i) * r - 1, len(i)),
        )
    ),
    (
        "the distance is counted in large pixels. Then most of them are skipped, and fine patterns "
        "become coarse ones (this is what OpenCV does)",
        partial(weights, large=True),
    ),
    *(
        (
            f"beyond the ends of the column there are {what}. It goes on with its first and its "
            "last pixel",
            partial(weights, ends=ends),
        )
        for ends, what in (
            ("constant", "zeros"),
            ("symmetric", "the pixels in reverse (MATLAB since 2017)"),
            ("reflect", "the pixels in reverse, without the last"),
            ("wrap", "the pixels of the other end"),
        )
    ),
    (
        "the weights beyond the ends are cut off, and the others divided by their sum (this is "
        "what Pillow does). They belong to the first and the last pixel",
        partial(weights, ends="constant", again=True),
    ),
)
PICTURES: Rows = (
    (
        "every r-th pixel is kept, and the others are lost: fine patterns become coarse ones, and "
        "the picture moves",
        lambda image, r: image[: len(image) // r * r : r, : image.shape[1] // r * r : r],
    ),
    (
        "the width is made smaller first: the height comes first",
        lambda image, r: downscale(image.swapaxes(0, 1), r).swapaxes(0, 1),
    ),
    (
        "the result is cut off and not rounded: 16.9 becomes 16",
        partial(downscale, rounded=lambda x: x.clip(0, 255).astype(np.uint8)),
    ),
    (
        "halves are rounded to the even number, and must be rounded up: 0.5 becomes 1",
        partial(downscale, rounded=lambda x: np.round(x).clip(0, 255).astype(np.uint8)),
    ),
    (
        "a result below 0 or above 255 wraps: -1 becomes 255, as uint8 has no other numbers",
        partial(downscale, rounded=lambda x: _whole(x).astype(int).astype(np.uint8)),
    ),
    *(
        (
            "after the first pass, over the height, the numbers are not rounded, or not kept to 0 "
            "to 255. They are bytes between the passes, too",
            partial(downscale, between=between),
        )
        for between in (np.positive, _whole)
    ),
)

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
            inputs=DISTANCES,
            mistakes=CUBICS,
            results=("weight",),
        ),
        Function(
            "shrink_weights",
            reference=weights,
            inputs=COLUMNS,
            mistakes=MATRICES,
            results=("matrix",),
            axes={"matrix": "small large"},
        ),
        Function(
            "downscale",
            reference=downscale,
            inputs=IMAGES,
            mistakes=PICTURES,
            results=("small",),
            axes={"image": "H W", "small": "H W"},
            exact=True,
        ),
    ],
)
