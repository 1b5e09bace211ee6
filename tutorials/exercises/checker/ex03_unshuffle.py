"""Exercise 3: pixel unshuffle, and the backward pass of the shuffle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from tutorials.exercises.checker.engine import ANY, Exercise, Function
from tutorials.exercises.checker.inputs import CHANNELS, EMPTY, Given, Inputs, counted, floats
from tutorials.exercises.checker.shuffles import ORDERS, one_picture, pytorch, shuffled, unshuffled

Way = Callable[[Any, int], Any]
Sizes: TypeAlias = Sequence[dict[str, Any]]


def _y(n: tuple[int, ...] | int = (), c: int = 1, h: int = 2, w: int = 2, r: int = 2) -> Given:
    leading = (n,) if isinstance(n, int) else n
    return {"y": counted(*leading, c, h * r, w * r), "downscale_factor": r}


def _dy(n: tuple[int, ...] | int = (), c: int = 1, h: int = 2, w: int = 2, r: int = 2) -> Given:
    leading = (n,) if isinstance(n, int) else n
    return {"dy": floats(*leading, c, h * r, w * r), "upscale_factor": r}


def _blocks(y: Any, r: int, function: Callable[..., Any]) -> Any:
    """Return one number for each block."""
    return function([y[..., i::r, j::r] for i, j in np.ndindex(r, r)], axis=0)


def _channels_last(y: Any, r: int) -> Any:
    x = unshuffled(y, r)
    *leading, channels, h, w = x.shape
    split = x.reshape(*leading, channels // (r * r), r * r, h, w)
    return np.moveaxis(split, -3, -1).reshape(x.shape)


def _forward_again(y: Any, r: int) -> Any:
    """Move the axes C, H, i, W, j as the shuffle moves C, i, j, H, W."""
    *leading, c, height, width = y.shape
    split = y.reshape(*leading, c, height // r, r, width // r, r)
    return np.einsum("...abcde->...adbec", split).reshape(unshuffled(y, r).shape)


def _sliced(x: Any, r: int) -> Any:
    """Shuffle in such a way that too few channels give none."""
    *leading, channels, h, w = x.shape
    y = np.zeros((*leading, channels // (r * r), h * r, w * r), x.dtype)
    if y.size:
        y[...] = shuffled(x, r)
    return y


def _strictly(x: Any, r: int) -> Any:
    """Shuffle; too few channels raise."""
    if x.shape[-3] % (r * r):
        raise ValueError("no multiple")
    return shuffled(x, r)


def _rows(what: str) -> Sequence[tuple[str, Callable[..., Any]]]:
    """Return the mistakes of both functions, which rearrange `what`, y or dy."""
    again = f"{what} is shuffled once more: the way back makes the picture smaller"
    own = f"every number of {what} goes to a channel of its own"
    ways: list[tuple[str, Way]] = [(again, _sliced), (again, _strictly)]
    ways += [
        (cause, lambda y, r, channel=channel: unshuffled(y, r, channel))  # type: ignore[misc]
        for cause, channel in ORDERS
    ]
    ways += [
        (
            "a row number is split as i*H + h, and a column number alike: the rows of a block are "
            "neighbors, so h must be the slower part",
            lambda y, r: unshuffled(y, r, pytorch, apart=True),
        ),
        (
            "the axes are moved as in the shuffle. The way back needs the inverse of that order, "
            "which is another one",
            _forward_again,
        ),
        (
            "rows and columns of the block, i and j, come after H and W, and the last reshape "
            "mixes them up with pixels. They belong to the channels",
            _channels_last,
        ),
        (f"each block is averaged, and nothing may be: {own}", lambda y, r: _blocks(y, r, np.mean)),
        (
            f"each block is averaged, and nothing may be: {own}",
            lambda y, r: np.repeat(_blocks(y, r, np.mean), r * r, -3),
        ),
        (f"each block is added up, and nothing may be: {own}", lambda y, r: _blocks(y, r, np.sum)),
        (
            f"one number of each block is kept, and the others are lost: {own}",
            lambda y, r: y[..., ::r, ::r],
        ),
        ("this is right for three axes, but a batch has four", one_picture(unshuffled)),
    ]
    return [(cause, lambda way=way, **given: way(*given.values())) for cause, way in ways]


PLAIN: Sizes = ({"h": 1, "w": 1}, {})
ODD: dict[str, Sizes] = {
    "right for three or four axes, wrong for more": ({"n": (2, 3)}, {"n": (2, 1, 2)}),
    CHANNELS: ({"c": 4}, {"c": 4, "w": 4}),
    EMPTY: ({"n": (2, 0)},),
}

EXERCISE = Exercise(
    title="pixel unshuffle, and the backward pass of the shuffle",
    hints=(
        "Exercise 1 was reshape, transpose, reshape. Undo the last step first: which two numbers "
        "make a row number of the image? For the backward pass: where in y is x[2] shown?",
        "When the image is split into five axes, three of them make the channel number. Which "
        "three, and in which order? For the backward pass: a shuffle only copies, so how fast does "
        "the loss grow with x[2]?",
        "The three axes of the channel number must stand together, the slowest first, in front "
        "of H and W. For the backward pass: write the shuffle as a matrix, whose rows hold one 1 "
        "each. What is the transpose of such a matrix?",
    ),
    functions=[
        Function(
            "pixel_unshuffle",
            reference=unshuffled,
            inputs=Inputs(_y, PLAIN, ODD, types=ANY, empty="nhw"),
            mistakes=_rows("y"),
            results=("x",),
            axes={"y": "C rows columns", "x": "channels H W"},
            exact=True,
        ),
        Function(
            "pixel_shuffle_backward",
            reference=lambda dy, upscale_factor: unshuffled(dy, upscale_factor),
            inputs=Inputs(_dy, PLAIN, ODD, types=("float16", "float32", "float64"), empty="nhw"),
            mistakes=_rows("dy"),
            results=("dx",),
            axes={"dy": "C rows columns", "dx": "channels H W"},
            exact=True,
        ),
    ],
)
