"""Exercise 1: pixel shuffle by reshape and transpose."""

from __future__ import annotations

from functools import partial

from tutorials.exercises.checker.engine import ANY, Exercise, Function
from tutorials.exercises.checker.inputs import EMPTY, Given, Inputs, counted
from tutorials.exercises.checker.shuffles import ORDERS, one_picture, shuffled


def inputs(n: tuple[int, ...] | int = (), c: int = 1, h: int = 2, w: int = 2, r: int = 2) -> Given:
    """Return the arguments; without n there is no axis for it."""
    leading = (n,) if isinstance(n, int) else n
    return {"x": counted(*leading, c * r * r, h, w), "upscale_factor": r}


INPUTS = Inputs(
    inputs,
    plain=({"h": 1, "w": 1}, {}),
    odd={
        "right for three or four axes, wrong for more": ({"n": (2, 3)}, {"n": (2, 1, 2)}),
        EMPTY: ({"n": (2, 0)},),
    },
    types=ANY,
    empty="nhw",
)

EXERCISE = Exercise(
    title="pixel shuffle by reshape and transpose",
    hints=(
        "A channel number is made of three numbers: c, i and j. Give each of them an axis of its "
        "own. What shape does x have then?",
        "A row number of the image is made of two numbers: h, and i within the block. Which of the "
        "two is slower? Find the same for a column number. In which order must the axes stand?",
        "When the axes stand in the right order, each pair that belongs together lies side by "
        "side. One more reshape joins the pairs. Count the axes from the end, or count the leading "
        "ones first: then a batch makes no difference.",
    ),
    functions=[
        Function(
            "pixel_shuffle",
            reference=shuffled,
            inputs=INPUTS,
            exact=True,
            axes={"x": "channels H W", "y": "C rows columns"},
            mistakes=[
                *((cause, partial(shuffled, channel=channel)) for cause, channel in ORDERS),
                (
                    "a row number is taken as i*H + h, and a column number alike: the rows of a "
                    "block lie far apart, and they should be neighbors",
                    partial(shuffled, apart=True),
                ),
                (
                    "the shuffle is right for three axes, but a batch has four",
                    lambda x, upscale_factor: one_picture(shuffled)(x, upscale_factor),
                ),
            ],
        )
    ],
)
