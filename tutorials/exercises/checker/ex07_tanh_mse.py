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


def tanh(x: Any) -> Any:
    """Return tanh(x), by tan of an imaginary number."""
    return np.tan(1j * x).imag


def tanh_slope(dy: Any, y: Any) -> Any:
    """Return the gradient in x: the slope at x is one over the square of cosh(x)."""
    return dy / np.cosh(np.arctanh(y)) ** 2


def loss(prediction: Any, target: Any) -> Any:
    """Return the mean squared error, by a scalar product."""
    return np.vdot(prediction - target, prediction - target) / prediction.dtype.type(target.size)


def loss_slope(prediction: Any, target: Any) -> Any:
    """Return the gradient, by differences: for squares they are exact."""
    over, under = (prediction - target + step for step in (1, -1))
    return (over**2 - under**2) / (2 * target.size)


def _of(function: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return a function of prediction and target that is one of their difference."""
    return lambda prediction, target: function(prediction - target)


ANOTHER = "and tanh has another one. Derive tanh's, and write it with y"
ALL = "count all numbers, along all axes"
TANH: Rows = (
    ("this is tanh(x/2): look at the exponents", lambda x: np.tanh(x / 2)),
    ("this is tanh(2*x): look at the exponents", lambda x: np.tanh(2 * x)),
    ("this is the sigmoid, which goes from 0 to 1. tanh goes from -1 to 1",
        lambda x: 1 / (1 + np.exp(-x))),
    ("this is the hyperbolic sine: the denominator of tanh is missing", lambda x: np.sinh(x)),
    ("this is only the numerator of tanh", lambda x: 2 * np.sinh(x)),
    ("this is 1/tanh(x): numerator and denominator have changed places", lambda x: 1 / np.tanh(x)),
    ("this is the tangent, and tanh is the hyperbolic tangent", lambda x: np.tan(x)),
    ("this is the arc tangent, and tanh is the hyperbolic tangent", lambda x: np.arctan(x)),
    ("this is the inverse of tanh", lambda x: np.arctanh(x)),
    ("x is cut off at -1 and 1. tanh comes near to them, and never has a corner",
        lambda x: np.clip(x, -1, 1)),
    ("this is the slope of tanh, and tanh itself is asked for", lambda x: 1 - np.tanh(x) ** 2),
)  # fmt: skip
AGAIN = "tanh is applied to y once more, but y is tanh's output already"
TANH_BACKWARD: Rows = (
    (AGAIN, lambda dy, y: dy * (1 - np.tanh(y) ** 2)),
    ("the slope is made of x, and y is given to make it of y",
        lambda dy, y: dy * (1 - np.arctanh(y) ** 2)),
    (f"dy is forgotten, and {AGAIN}", lambda dy, y: 1 - np.tanh(y) ** 2),
    ("y is not squared in the slope", lambda dy, y: dy * (1 - y)),
    ("the slope has a plus where a minus belongs: it is never above 1",
        lambda dy, y: dy * (1 + y**2)),
    ("the slope is the square of a difference, and should be a difference with a square",
        lambda dy, y: dy * (1 - y) ** 2),
    (f"this is the slope of the sigmoid, {ANOTHER}", lambda dy, y: dy * y * (1 - y)),
    ("dy is squared in place of y", lambda dy, y: y * (1 - dy**2)),
    ("dy is squared, too", lambda dy, y: 1 - (dy * y) ** 2),
    ("brackets are missing: dy multiplies only a part of the slope", lambda dy, y: dy - y**2),
    ("dy is added to the slope. By the chain rule it is a factor", lambda dy, y: dy + 1 - y**2),
    ("dy is divided by the slope. By the chain rule it is multiplied",
        lambda dy, y: dy / (1 - y**2)),
    ("dy is multiplied by tanh, and not by the slope of tanh", lambda dy, y: dy * y),
    ("dy is multiplied by the square of y, which is only a part of the slope",
        lambda dy, y: dy * y**2),
    ("dx is added up, but every number of x has a gradient of its own",
        lambda dy, y: np.sum(dy * (1 - y**2))),
)  # fmt: skip
MSE: Rows = (
    ("these are the squares, and their mean is asked for", _of(lambda d: d**2)),
    ("this is the sum of the squares, and their mean is asked for", _of(lambda d: (d**2).sum())),
    ("the differences are not squared: minus and plus cancel", _of(lambda d: d.mean())),
    ("the mean is squared. First comes the square, then the mean", _of(lambda d: d.mean() ** 2)),
    ("the sum is squared. First comes the square, then the mean",
        _of(lambda d: d.sum() ** 2 / d.size)),
    ("this is the mean absolute error, without a square", _of(lambda d: np.abs(d).mean())),
    ("this is the root of the mean", _of(lambda d: np.sqrt((d**2).mean()))),
    ("this is the root of the sum of the squares", _of(lambda d: np.sqrt((d**2).sum()))),
    ("the sum is divided by one less than there are numbers",
        _of(lambda d: (d**2).sum() / (d.size - 1))),
    ("the mean of the differences is subtracted first: this is their variance", _of(np.var)),
    ("this is half of the sum of the squares", _of(lambda d: (d**2).sum() / 2)),
    (f"the sum is divided by the number of pictures: {ALL}", _of(lambda d: (d**2).sum() / len(d))),
    (f"the sum is divided by twice the number of pictures: {ALL}",
        _of(lambda d: (d**2).sum() / (2 * len(d)))),
    (f"the sum is divided by the size of one picture: {ALL}",
        _of(lambda d: (d**2).sum() / d[0].size)),
    (f"the sum is divided by the length of the last axis: {ALL}",
        _of(lambda d: (d**2).sum() / d.shape[-1])),
    ("the mean is over the first axis only, and there is one loss for all numbers",
        _of(lambda d: (d**2).mean(0))),
    ("the mean is over the last axis only, and there is one loss for all numbers",
        _of(lambda d: (d**2).mean(-1))),
    ("each picture has a loss of its own, and there is one loss for all numbers",
        _of(lambda d: (d**2).reshape(len(d), -1).mean(1))),
    ("prediction and target are added, and should be subtracted",
        lambda prediction, target: ((prediction + target) ** 2).mean()),
    ("the squares are subtracted. First comes the difference, then the square",
        lambda prediction, target: (prediction**2 - target**2).mean()),
)  # fmt: skip
SQUARED = "the difference is squared. The slope of a square is no square"
MSE_BACKWARD: Rows = (
    (f"this is the gradient of a sum of squares, and not of their mean: {ALL}",
        _of(lambda d: 2 * d)),
    (f"this is the gradient of a sum, with the wrong sign: {ALL}", _of(lambda d: -2 * d)),
    ("this is the difference alone", _of(lambda d: d)),
    ("this is the difference alone, with the wrong sign", _of(lambda d: -d)),
    (f"the number of pictures is taken for the number of all numbers: {ALL}",
        _of(lambda d: 2 * d / len(d))),
    (f"the sign is wrong, and the number of pictures is taken for that of all numbers: {ALL}",
        _of(lambda d: -2 * d / len(d))),
    (f"the slope of a square has a factor that is missing; and {ALL}",
        _of(lambda d: d / len(d))),
    (f"the size of one picture is taken for the number of all numbers: {ALL}",
        _of(lambda d: 2 * d / d[0].size)),
    (f"the length of the last axis is taken for the number of all numbers: {ALL}",
        _of(lambda d: 2 * d / d.shape[-1])),
    (SQUARED, _of(lambda d: d**2 / d.size)),
    (SQUARED, _of(lambda d: 2 * d**2 / d.size)),
    ("these are the squares themselves, and not their slopes", _of(lambda d: d**2)),
    ("this is the gradient of the mean absolute error", _of(lambda d: np.sign(d) / d.size)),
    ("dprediction is one number, but every number of the prediction has a gradient of its own",
        _of(lambda d: 2 * d.mean())),
    ("a mean is taken, but every number of the prediction has a gradient of its own",
        _of(lambda d: 2 * d.mean() + 0 * d)),
    ("dprediction is added up along the first axis", _of(lambda d: 2 * d.mean(0))),
    ("the loss is a factor here, and it does not belong there",
        _of(lambda d: 2 * d / d.size * (d**2).mean())),
)  # fmt: skip

LARGE = (
    "right for small numbers, wrong for large ones: exp of a large number is infinite, and "
    "infinite divided by infinite is no number"
)
FLAT = "right for most y, wrong where tanh is flat: y is 1 or -1 there, and dx is 0"
EQUAL = "right elsewhere, wrong where prediction and target are equal"
PLAIN: tuple[dict[str, Any], ...] = ({}, {"shape": (2, 3)})
ODD: dict[str, tuple[dict[str, Any], ...]] = {
    "right for one axis or two, wrong for pictures, (N, C, H, W)": ({"shape": (2, 3, 4, 5)},),
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
            reference=tanh,
            inputs=Inputs(
                _x,
                PLAIN,
                ODD,
                more={
                    LARGE: (
                        {"x": "np.array([1000.0, -1000.0])"},
                        {"x": "np.array([400.0, -50.0, 100.0, -710.0])"},
                        {"x": "np.array([200.0, -200.0], np.float32)"},
                    )
                },
            ),
            mistakes=TANH,
        ),
        Function(
            "tanh_backward",
            reference=tanh_slope,
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
            reference=loss,
            inputs=Inputs(_prediction_target, PLAIN, ODD, more={EQUAL: (SAME,)}),
            mistakes=MSE,
            results=("loss",),
        ),
        Function(
            "mse_backward",
            reference=loss_slope,
            inputs=Inputs(_prediction_target, PLAIN, ODD, more={EQUAL: (SAME,)}),
            mistakes=MSE_BACKWARD,
            results=("dprediction",),
        ),
    ],
)
