"""Exercise 7: tanh and mean squared error, forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tutorials.exercises.checker.engine import Exercise, Function, Rows
from tutorials.exercises.checker.inputs import Given, Inputs, floats

Shape = tuple[int, ...]


def _between(low: float, high: float, shape: Shape) -> str:
    return f"np.linspace({low}, {high}, {int(np.prod(shape))}).reshape{shape}"


def _x(shape: Shape | None = None) -> Given:
    return {"x": _between(-2.0, 1.5, shape) if shape else "np.array([0.0, 0.5, -1.0])"}


def _dy_y(shape: Shape | None = None) -> Given:
    if shape is None:
        return {"dy": "np.array([3.0, 4.0, -2.0])", "y": "np.array([0.0, 0.5, -0.8])"}
    return {"dy": floats(*shape), "y": _between(-0.6, 0.9, shape)}


def _prediction_target(shape: Shape | None = None) -> Given:
    if shape is None:
        return {
            "prediction": "np.array([1.0, 4.0, 3.0])",
            "target": "np.array([1.0, 1.0, 3.0])",
        }
    return {"prediction": floats(*shape), "target": f"5 * np.cos({floats(*shape)})"}


def _of(function: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return a function of prediction and target that is one of their difference."""
    return lambda prediction, target: function(prediction - target)


TANH: Rows = (
    ("this is tanh(x/2): look at the exponents", lambda x: np.tanh(x / 2)),
    (
        "this is the sigmoid: it goes from 0 to 1, and tanh from -1 to 1",
        lambda x: 1 / (1 + np.exp(-x)),
    ),
)
TANH_BACKWARD: Rows = (
    (
        "tanh is applied to y once more, but y is tanh's output already",
        lambda dy, y: dy * (1 - np.tanh(y) ** 2),
    ),
    (
        "the slope is made of x, and y is given to make it of y",
        lambda dy, y: dy * (1 - np.arctanh(y) ** 2),
    ),
    ("this is the slope of the sigmoid: derive that of tanh", lambda dy, y: dy * y * (1 - y)),
    ("brackets are missing: dy multiplies only a part of the slope", lambda dy, y: dy - y**2),
)
ALL = "count all numbers, along all axes"
MSE: Rows = (
    ("these are the squares, and their mean is asked for", _of(lambda d: d**2)),
    ("this is the sum of the squares, and their mean is asked for", _of(lambda d: (d**2).sum())),
    (f"the sum is divided by the number of pictures: {ALL}", _of(lambda d: (d**2).sum() / len(d))),
    ("this is the root of the mean", _of(lambda d: np.sqrt((d**2).mean()))),
)
MSE_BACKWARD: Rows = (
    (f"this is the gradient of the sum of squares, not of their mean: {ALL}", _of(lambda d: 2 * d)),
    (f"this is divided by the number of pictures: {ALL}", _of(lambda d: 2 * d / len(d))),
)

LARGE = (
    "right for small numbers, wrong for large ones: exp of a large number is infinite, and "
    "infinite divided by infinite is no number"
)
NEARLY_ONE = "wrong where x is between 2 and 20: there tanh is near 1, and is not 1"
CLOSE = "wrong where x is close to 0: there tanh is small, and is neither 0 nor x"
FLAT = "right for most y, wrong where tanh is flat: y is 1 or -1 there, and dx is 0"
EQUAL = "right elsewhere, wrong where prediction and target are equal"
PLAIN: tuple[dict[str, Any], ...] = ({}, {"shape": (2, 3)})
ODD: dict[str, tuple[dict[str, Any], ...]] = {
    "right for one axis or two, wrong for more": (
        {"shape": (2, 3, 2)},
        {"shape": (2, 3, 4, 5)},
        {"shape": (1, 2, 2, 1, 3)},
    ),
    "right for several numbers, wrong for one": ({"shape": (1,)}, {"shape": (1, 1)}),
}
SAME = {"prediction": "np.array([1.0, 2.0])", "target": "np.array([1.0, 2.0])"}


EXERCISE = Exercise(
    title="tanh and mean squared error, forward and backward",
    hints={
        "tanh_forward": (
            "Multiply numerator and denominator by the same number: tanh does not change. So only "
            "one exponential is needed.",
            "Where x is large, let the exponent be negative: exp(-2000) is 0, and that does no "
            "harm. tanh(-x) is -tanh(x), so the other half of the numbers is easy.",
            "You do not need to write the formula yourself. Look into NumPy's list of mathematical "
            "functions.",
        ),
        "tanh_backward": (
            "By the chain rule dx is dy times the slope of tanh at x. But x is not given.",
            "Call the numerator s and the denominator c. The derivative of s is c, and that of c "
            "is s. Now derive s/c by the rule for quotients.",
            "The quotient rule gives (c*c - s*s)/(c*c). Divide, and y = s/c comes up. Then check "
            "by the example: where y is 0, the slope is 1.",
        ),
        "mse_forward": (
            "Three steps: the difference, the square, the mean. In which order?",
            "The mean is over all numbers, whatever the shape.",
            "NumPy's mean takes all axes, unless it is told which. Do not write the difference "
            "into one of the arguments.",
        ),
        "mse_backward": (
            "Change a single number of the prediction. Which of the n squares change?",
            "Only one square changes. How fast does it grow? And the mean is the sum of all "
            "squares, divided by what?",
            "Check it by the example: there are three numbers, the second difference is 3, and the "
            "answer is 2. Is it right for an array with four axes, too?",
        ),
    },
    functions=[
        Function(
            "tanh_forward",
            reference=lambda x: np.tanh(x),
            inputs=Inputs(
                _x,
                PLAIN,
                ODD,
                more={
                    LARGE: (
                        {"x": "np.array([1000.0, -1000.0])"},
                        {"x": "np.array([400.0, -50.0, 100.0, -710.0])"},
                        {"x": "np.array([200.0, -200.0], np.float32)"},
                    ),
                    NEARLY_ONE: ({"x": "np.array([3.0, -5.0, 7.0, -9.0])"},),
                    CLOSE: ({"x": "np.array([-2e-4, 8e-3, 5e-4])"},),
                },
            ),
            mistakes=TANH,
        ),
        Function(
            "tanh_backward",
            reference=lambda dy, y: dy * (1 - y**2),
            inputs=Inputs(
                _dy_y,
                PLAIN,
                ODD,
                more={FLAT: ({"dy": "np.array([0.5, -0.25])", "y": "np.array([1.0, -1.0])"},)},
            ),
            mistakes=TANH_BACKWARD,
            results=("dx",),
        ),
        Function(
            "mse_forward",
            reference=_of(lambda d: np.square(d).mean()),
            inputs=Inputs(_prediction_target, PLAIN, ODD, more={EQUAL: (SAME,)}),
            mistakes=MSE,
            results=("loss",),
        ),
        Function(
            "mse_backward",
            reference=_of(lambda d: 2 * d / d.size),
            inputs=Inputs(_prediction_target, PLAIN, ODD, more={EQUAL: (SAME,)}),
            mistakes=MSE_BACKWARD,
            results=("dprediction",),
        ),
    ],
)
