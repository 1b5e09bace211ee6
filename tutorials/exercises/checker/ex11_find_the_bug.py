"""Exercise 11: find the bug."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from tutorials.exercises.checker.engine import ANY, Exercise, Function
from tutorials.exercises.checker.ex06_conv_backward import gradients
from tutorials.exercises.checker.ex09_psnr import ERRORS, decibels, mean_square, number, pixels
from tutorials.exercises.checker.inputs import Case, Given, Inputs, counted, floats
from tutorials.exercises.checker.shuffles import ORDERS, Channel, pytorch, shuffled
from tutorials.exercises.checker.student import Broken

SWAPPED = ORDERS[1]  # i and j

# --- two shuffles --------------------------------------------------------------------------------


def _phase_shift(n: int = 1, h: int = 2, w: int = 2, r: int = 2) -> Given:
    return {"x": counted(n, h, w, r * r), "upscale_factor": r}


def _last_axis(x: Any, upscale_factor: int, channel: Channel = pytorch) -> Any:
    return np.moveaxis(shuffled(np.moveaxis(x, 3, 1), upscale_factor, channel), 1, 3)


def _shuffle_loop(c: int = 1, h: int = 1, w: int = 2, r: int = 2) -> Given:
    return {"x": counted(c * r * r, h, w), "upscale_factor": r}


OVERLAP = "the channels of two colors overlap: each color has r*r channels of its own"
CHANNELS: tuple[tuple[str, Channel], ...] = (
    (OVERLAP, lambda c, i, j, r, colors: (c + 1) * (r * i + j)),
    (OVERLAP, lambda c, i, j, r, colors: c * r + r * i + j),
    *ORDERS,
)

# --- a gradient ----------------------------------------------------------------------------------


def _gradient_inputs(
    n: int = 1, c: int = 1, o: int = 1, h: int = 2, w: int = 2, k: int = 2
) -> Given:
    return {"dy": floats(n, o, h, w), "weight": floats(o, c, k, k)}


def _gradient(dy: Any, weight: Any) -> Any:
    (n, _, h, w), (_, c, k, _) = dy.shape, weight.shape
    return gradients(dy, np.zeros((n, c, h + k - 1, w + k - 1), dy.dtype), weight)[0]


# --- pairs ---------------------------------------------------------------------------------------


def _names(small: Sequence[str], large: Sequence[str], scale: int = 3) -> Given:
    """Return two listings as texts."""
    return {
        "lr_names": repr([f"{name}_LRBI_x{scale}.png" for name in small]),
        "hr_names": repr([f"{name}_HR.png" for name in large]),
    }


def _paired(make_pairs: Any, lr_names: list[str], hr_names: list[str]) -> Any:
    """Return the pairs as a text, in the order of their names."""
    try:
        pairs = make_pairs(lr_names, hr_names)
    except ValueError:
        return np.array("a ValueError")
    if not isinstance(pairs, list) or any(
        not isinstance(pair, tuple | list) or len(pair) != 2 for pair in pairs
    ):
        raise Broken(
            f"make_pairs must return a list of pairs, and returned {pairs!r:.80}",
            cause="is a return missing?" if pairs is None else "",
        )
    words = sorted(f"{small} + {large}" for small, large in pairs)
    return np.array(", ".join(words) or "no pairs")


def _written(case: Case) -> str:
    return "make_pairs({lr_names},\n           {hr_names})".format(**case.given)


def _by_beginning(lr_names: list[str], hr_names: list[str]) -> Any:
    """Pair what is before the endings."""
    small = {name[: -len("_LRBI_x3.png")]: name for name in lr_names}
    large = {name[: -len("_HR.png")]: name for name in hr_names}
    if small.keys() != large.keys():
        raise ValueError
    return [(small[name], large[name]) for name in small]


def _zipped(lr_names: list[str], hr_names: list[str], order: Any, strict: bool) -> Any:
    return list(zip(order(lr_names), order(hr_names), strict=strict))


ZIPPED = {
    list: "the files are paired as they are listed: a folder may list them in any order",
    sorted: "both lists are sorted: that pairs wrong files where one has no partner, and where "
    "_HR and _LRBI are sorted differently",
}

BIRDS = ["baby", "bird"]
ALONE = "right where all have partners, wrong for a picture that is in only one list"
LISTINGS = {
    "right for two lists in one order, wrong for different orders": (BIRDS, BIRDS[::-1]),
    "wrong where a picture's own name has a _ in it": (
        ["a_b", "a_c", "b_a"], ["b_a", "a_c", "a_b"],
    ),
    "wrong where one name begins as another does: img1, img10": (
        ["img10", "img1", "img2"], ["img2", "img10", "img1"],
    ),
    "wrong where a name ends in letters of _HR.png or _LRBI_x3.png: rstrip takes letters off, and "
    "not an ending": (["king", "swan"], ["swan", "king"]),
    "wrong where one name ends as another does: bird, seabird": (
        ["bird", "seabird"], ["seabird", "bird"],
    ),
    "wrong where names have dots, capitals or spaces": (
        ["Baby", "baby", ".baby.2", " my baby-1"], [".baby.2", " my baby-1", "Baby", "baby"],
    ),
    "wrong where a picture's own name has _HR or _LRBI_x3 in it: only the end is to be taken off": (
        ["x_HR", "x", "y_LRBI_x3", "z_HR.png"], ["z_HR.png", "y_LRBI_x3", "x", "x_HR"],
    ),
    "wrong where a picture is called a_J, and another a": (["a", "a_J"], ["a", "a_J"]),
    "right for some pictures, wrong where both lists are empty": ([], []),
}  # fmt: skip
LONELY = [(BIRDS, ["baby"]), (["bird"], BIRDS), (BIRDS, ["bird", "woman"]), ([], ["bird"])]

# --- PSNR ----------------------------------------------------------------------------------------


def _pictures(h: int = 2, w: int = 2, author: bool = False) -> Given:
    if author:
        return {"picture": f"({REFERENCE} + np.uint8(5))", "reference": REFERENCE}
    return {"picture": pixels(h, w, factor=59), "reference": pixels(h, w, factor=61)}


def _psnr(picture: Any, reference: Any, error: Callable[..., Any] = mean_square) -> Any:
    return decibels(error(picture, reference))


REFERENCE = "np.array([[0, 50], [100, 200]], np.uint8)"
TWO_PICTURES = {
    "right for small differences, wrong where one is more than 15": (
        "np.array([[20]], np.uint8)", "np.array([[4]], np.uint8)",
    ),
    "right for a picture that is too bright, wrong for one that is too dark": (
        "np.array([[50, 60]], np.uint8)", "np.array([[53, 60]], np.uint8)",
    ),
    "wrong where black stands for white": (
        "np.array([[0, 255]], np.uint8)", "np.array([[255, 0]], np.uint8)",
    ),
    "right for (H, W), wrong for (H, W, 3)": (
        pixels(2, 3, 3, factor=59), pixels(2, 3, 3, factor=61),
    ),
    "right for different pictures, wrong for equal ones": (REFERENCE, REFERENCE),
    "right for large differences, wrong for pictures that are nearly equal": (
        f"np.pad({REFERENCE}, 9)", f"np.pad({REFERENCE} + np.eye(2, dtype=np.uint8), 9)",
    ),
}  # fmt: skip

EXERCISE = Exercise(
    title="find the bug",
    each=4,
    hints={
        "phase_shift": (
            "Try a picture that the author did not: one that is higher than wide.",
            "Write the shape of every array beside its line, for H = 1 and W = 3.",
            "Into how many parts does each split cut, and how long is the axis that it cuts?",
        ),
        "shuffle_loop": (
            "Try what the author did not: an image of three colors.",
            "Write down which channels of x each color reads. Which are never read?",
            "How must a channel number grow with c, i and j? How does it here, and from which c?",
        ),
        "conv2d_input_gradient": (
            "Try a kernel that changes when it is turned round, and a dy with a single 1.",
            "Forward, y[p] meets weight[i] at x[p + i]. Which weight does x[u] meet on its way to "
            "y[p]?",
            "A single 1 in dy must leave the kernel in dx. Does it leave the kernel here?",
        ),
        "make_pairs": (
            "Does a folder always list its files in one order?",
            "What does zip know about the names? And what should happen where a partner is "
            "missing, in either list?",
            "Which part of a file's name is the picture's name? How do you find the partner of a "
            "name, if you do not know where in the list it is?",
        ),
        "psnr": (
            "Try a picture that is far from its reference.",
            "What is the type of the difference, and which numbers does that type have?",
            "What comes of 0 - 1 in uint8, and what of 16 * 16?",
        ),
    },
    functions=[
        Function(
            "phase_shift",
            reference=_last_axis,
            inputs=Inputs(_phase_shift, types=ANY),
            mistakes=[
                (SWAPPED[0], partial(_last_axis, channel=SWAPPED[1])),
                ("the last axis, of length 1, is missing", lambda **x: _last_axis(**x)[..., 0]),
            ],
            axes={"x": "N H W channels", "y": "N rows columns 1"},
            exact=True,
        ),
        Function(
            "shuffle_loop",
            reference=shuffled,
            inputs=Inputs(_shuffle_loop, types=ANY),
            mistakes=[(cause, partial(shuffled, channel=channel)) for cause, channel in CHANNELS],
            axes={"x": "channels H W", "y": "C rows columns"},
            exact=True,
        ),
        Function(
            "conv2d_input_gradient",
            reference=_gradient,
            inputs=Inputs(
                _gradient_inputs,
                plain=({"h": 1, "w": 1}, {}),
                types=("float64", "float32", "float16"),
            ),
            mistakes=[
                (
                    "the channels of weight are turned, too: only i and j are to be",
                    lambda dy, weight: _gradient(dy, weight[::-1, ::-1]),
                )
            ],
            results=("dx",),
            axes={"dy": "N O rows columns", "weight": "O C i j", "dx": "N C H W"},
        ),
        Function(
            "make_pairs",
            reference=_by_beginning,
            inputs=Inputs(
                lambda small=BIRDS, large=BIRDS: _names(small, large),
                more={
                    **{label: [_names(*two)] for label, two in LISTINGS.items()},
                    "right for x3, wrong for other scales": [
                        _names(BIRDS, BIRDS[::-1], scale) for scale in (2, 8)
                    ],
                    ALONE: [_names(*two) for two in LONELY],
                },
            ),
            mistakes=[
                (cause, partial(_zipped, order=order, strict=strict))
                for order, cause in ZIPPED.items()
                for strict in (True, False)
            ],
            results=("pairs",),
            through=_paired,
            written=_written,
        ),
        Function(
            "psnr",
            reference=_psnr,
            inputs=Inputs(
                _pictures,
                plain=({"author": True},),
                more={
                    label: [{"picture": picture, "reference": reference}]
                    for label, (picture, reference) in TWO_PICTURES.items()
                },
                types=(),
            ),
            mistakes=[(cause, partial(_psnr, error=error)) for cause, error in ERRORS],
            results=("PSNR",),
            through=number,
        ),
    ],
)  # fmt: skip
