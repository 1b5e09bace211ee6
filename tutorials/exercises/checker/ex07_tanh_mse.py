"""Exercise 7: tanh and mean squared error, forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tutorials.exercises.checker import grids
from tutorials.exercises.checker.answers import answers, wave
from tutorials.exercises.checker.ladder import ladder
from tutorials.exercises.checker.slopes import check_slopes, slopes
from tutorials.exercises.checker.student import Student
from tutorials.exercises.checker.task import Case, Mistake, Rung, Task, Values

TITLE = "tanh and mean squared error, forward and backward"
HINTS = (
    "NumPy knows tanh, for numbers of any size. For the way back: y is tanh's output, so tanh is "
    "not needed again. And how much does (prediction - target)**2 change if the prediction does?",
    "By the chain rule dx is dy times tanh'(x), which is 1 - y**2. The loss is one number: the "
    "mean over all elements, whatever the shape. Its gradient has the prediction's shape.",
    "dy * (1 - y**2) makes a new array, and dy *= ... would change the caller's. The mean of n "
    "squares has the gradient 2 * (prediction - target) / n, with n = prediction.size.",
)

LARGE = (
    "right for small numbers, wrong for large ones: exp(1000) is infinite, and inf/inf is NaN. "
    "np.tanh takes any number"
)
PICTURES = "right for one axis or two, wrong for pictures, (N, C, H, W)"
ONE = "right for several numbers, wrong for one"
EQUAL = "right elsewhere, wrong where prediction and target are equal"
FLAT = "right for most y, wrong where tanh is flat: y is 1 or -1 there, and dx is 0"

# The function; its arguments, numbers or a shape; the oddity
Question = tuple[str, tuple[Sequence[float], ...] | tuple[int, ...], str]
QUESTIONS: list[Question] = [
    ("tanh_forward", ([0, 0.5, -1],), ""),
    ("tanh_forward", (2, 3), ""),
    ("tanh_forward", ([1000, -1000],), LARGE),
    ("tanh_forward", ([400, -50, 100, -710],), LARGE),
    ("tanh_forward", (2, 3, 4, 5), PICTURES),
    ("tanh_backward", ([3, 4, -2], [0, 0.5, -0.8]), ""),
    ("tanh_backward", (2, 3), ""),
    ("tanh_backward", ([2, -3], [1, -1]), FLAT),
    ("tanh_backward", (2, 3, 4, 5), PICTURES),
    ("mse_forward", ([1, 4, 3], [1, 1, 3]), ""),
    ("mse_forward", (2, 3), ""),
    ("mse_forward", ([5], [2]), ONE),
    ("mse_forward", ([1, 2], [1, 2]), EQUAL),
    ("mse_forward", (2, 3, 4, 5), PICTURES),
    ("mse_backward", ([1, 4, 3], [1, 1, 3]), ""),
    ("mse_backward", (2, 3), ""),
    ("mse_backward", ([5], [2]), ONE),
    ("mse_backward", ([1, 2], [1, 2]), EQUAL),
    ("mse_backward", (2, 3, 4, 5), PICTURES),
]


def ask(torch: Any, question: Question) -> Values:
    """Ask torch.tanh, torch.nn.functional.mse_loss, and autograd."""
    name = question[0]
    first, *others = (torch.from_numpy(value) for value in _arguments(question).values())
    if name == "tanh_forward":
        return (torch.tanh(first).numpy(),)
    if name == "tanh_backward":
        x = torch.atanh(others[0]).requires_grad_()
        torch.tanh(x).backward(first)
        return (x.grad.numpy(),)
    first.requires_grad_()
    loss = torch.nn.functional.mse_loss(first, others[0])
    loss.backward()
    return (loss.detach().numpy() if name == "mse_forward" else first.grad.numpy(),)


def rungs() -> list[Rung]:
    """Return the ladder: four functions, one after the other."""
    given = answers("ex07_tanh_mse", QUESTIONS, ask)
    tasks = []
    for name, (result, mistakes, gradient) in FUNCTIONS.items():
        cases = [
            Case(_arguments(question), answer, question[-1])
            for question, answer in zip(QUESTIONS, given, strict=True)
            if question[0] == name
        ]
        tasks.append(
            Task(
                name,
                cases=[case for case in cases if not case.oddity],
                odd=[case for case in cases if case.oddity],
                mistakes=mistakes,
                results=(result,),
                dtypes=("float64", "float32") if cases[0].answer[0].shape else (),
                gradient=gradient,
            )
        )
    return ladder(*tasks)


def _arguments(question: Question) -> dict[str, Any]:
    name, given, _ = question
    names = {"tanh_forward": ("x",), "tanh_backward": ("dy", "y")}
    values = [np.array(value, np.float64) for value in given]
    if not values[0].shape:  # of a shape
        values = [wave(*given), wave(*given, start=3.0)]
        if name == "tanh_backward":
            values[1] = np.round(0.45 * values[1], 1)  # a tanh is between -1 and 1
    return dict(zip(names.get(name, ("prediction", "target")), values, strict=False))


TANH_MISTAKES = (
    Mistake("that is tanh(x/2): take exp(x) and exp(-x), or exp(2*x) and 1",
        lambda x: np.tanh(x / 2)),
    Mistake("that is tanh(2*x): take exp(x) and exp(-x), or exp(2*x) and 1",
        lambda x: np.tanh(2 * x)),
    Mistake("that is -tanh(x): tanh is positive where x is", lambda x: -np.tanh(x)),
    Mistake("that is the sigmoid, 1/(1 + exp(-x)), from 0 to 1: tanh goes from -1 to 1",
        lambda x: 1 / (1 + np.exp(-x))),
    Mistake("that is the hyperbolic sine: divide by exp(x) + exp(-x)", lambda x: np.sinh(x)),
    Mistake("that is only the numerator: divide by exp(x) + exp(-x)", lambda x: 2 * np.sinh(x)),
    Mistake("that is 1/tanh(x): divide the difference by the sum", lambda x: 1 / np.tanh(x)),
    Mistake("that is the tangent, np.tan: tanh is the hyperbolic one", lambda x: np.tan(x)),
    Mistake("that is the arc tangent: tanh is np.tanh", lambda x: np.arctan(x)),
    Mistake("that is the inverse of tanh: tanh is np.tanh", lambda x: np.arctanh(x)),
    Mistake("x is cut off at -1 and 1: tanh comes near to them and never has a corner",
        lambda x: np.clip(x, -1, 1)),
    Mistake("that is tanh's slope: tanh_forward returns tanh(x) itself",
        lambda x: 1 - np.tanh(x) ** 2),
    Mistake("x comes back as it is", lambda x: x),
)  # fmt: skip

AGAIN = "tanh is applied to y once more: y is tanh's output already, so the slope is 1 - y**2"
TANH_BACKWARD_MISTAKES = (
    Mistake(AGAIN, lambda dy, y: dy * (1 - np.tanh(y) ** 2)),
    Mistake(
        "the slope is 1 - x**2 here, and must be 1 - y**2: y is tanh's output",
        lambda dy, y: dy * (1 - np.arctanh(y) ** 2),
    ),
    Mistake(
        "dy is forgotten: dx is dy times the slope, by the chain rule", lambda dy, y: 1 - y**2
    ),
    Mistake(f"dy is forgotten, and {AGAIN}", lambda dy, y: 1 - np.tanh(y) ** 2),
    Mistake("y is not squared: the slope is 1 - y**2", lambda dy, y: dy * (1 - y)),
    Mistake("the slope is 1 - y**2, with a minus", lambda dy, y: dy * (1 + y**2)),
    Mistake("the slope is 1 - y**2, and not (1 - y)**2", lambda dy, y: dy * (1 - y) ** 2),
    Mistake("that is the sigmoid's slope, y*(1 - y): tanh's is 1 - y**2",
        lambda dy, y: dy * y * (1 - y)),
    Mistake("dx has the wrong sign: the slope is 1 - y**2", lambda dy, y: dy * (y**2 - 1)),
    Mistake("dy is squared in place of y: the slope is 1 - y**2", lambda dy, y: y * (1 - dy**2)),
    Mistake("dy is squared, too: dx is dy times 1 - y**2", lambda dy, y: 1 - (dy * y) ** 2),
    Mistake("dy * 1 - y**2 lacks brackets: dx is dy * (1 - y**2)", lambda dy, y: dy - y**2),
    Mistake("dy is added: by the chain rule it is a factor", lambda dy, y: dy + 1 - y**2),
    Mistake("dy is divided by the slope: by the chain rule it is multiplied",
        lambda dy, y: dy / (1 - y**2)),
    Mistake("that is dy times tanh, and not times its slope: 1 - y**2", lambda dy, y: dy * y),
    Mistake("that is dy * y**2: the slope is 1 - y**2", lambda dy, y: dy * y**2),
    Mistake("dx is summed up: every element has its own, dy * (1 - y**2)",
        lambda dy, y: np.sum(dy * (1 - y**2))),
)  # fmt: skip

ALL = "divide by the number of all elements, prediction.size"


def _of(function: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return a function of prediction and target that is one of their difference."""
    return lambda prediction, target: function(prediction - target)


MSE_MISTAKES = (
    Mistake("your loss is an array of squares: take their mean, one number", _of(lambda d: d**2)),
    Mistake("that is the sum of the squares: take their mean", _of(lambda d: (d**2).sum())),
    Mistake("the differences are not squared: minus and plus cancel", _of(lambda d: d.mean())),
    Mistake("the mean is squared: square first, then take the mean", _of(lambda d: d.mean() ** 2)),
    Mistake("the sum is squared: square first, then take the mean",
        _of(lambda d: d.sum() ** 2 / d.size)),
    Mistake("that is the mean absolute error: square the differences",
        _of(lambda d: np.abs(d).mean())),
    Mistake("that is the root of the mean: leave the root out",
        _of(lambda d: np.sqrt((d**2).mean()))),
    Mistake("the loss is half of what it should be: there is no factor 1/2",
        _of(lambda d: (d**2).mean() / 2)),
    Mistake("that is half of the sum of the squares: take their mean",
        _of(lambda d: (d**2).sum() / 2)),
    Mistake(f"the sum is divided by the number of pictures: {ALL}",
        _of(lambda d: (d**2).sum() / len(d))),
    Mistake(f"the sum is divided by twice the number of pictures: {ALL}",
        _of(lambda d: (d**2).sum() / (2 * len(d)))),
    Mistake(f"the sum is divided by the size of one picture: {ALL}",
        _of(lambda d: (d**2).sum() / d[0].size)),
    Mistake(f"the sum is divided by the last axis only: {ALL}",
        _of(lambda d: (d**2).sum() / d.shape[-1])),
    Mistake("the mean is over the first axis only: take it over all, to one number",
        _of(lambda d: (d**2).mean(0))),
    Mistake("the mean is over the last axis only: take it over all, to one number",
        _of(lambda d: (d**2).mean(-1))),
    Mistake("each picture has a loss of its own: take the mean over all axes, to one number",
        _of(lambda d: (d**2).reshape(len(d), -1).mean(1))),
    Mistake("the loss is an array of one element in as many axes: return the number",
        _of(lambda d: (d**2).mean(keepdims=True))),
    Mistake("the loss is an array of one element: return the number",
        _of(lambda d: (d**2).mean().reshape(1))),
    Mistake("the loss is negative: a square is not", _of(lambda d: -(d**2).mean())),
    Mistake("prediction and target are added: take their difference",
        lambda prediction, target: ((prediction + target) ** 2).mean()),
    Mistake("the squares are subtracted: subtract first, then square",
        lambda prediction, target: (prediction**2 - target**2).mean()),
    Mistake("the target is left out: subtract it",
        lambda prediction, target: (prediction**2).mean()),
)  # fmt: skip

SIGN = "dprediction has the wrong sign: it is prediction - target, not target - prediction"
MSE_BACKWARD_MISTAKES = (
    Mistake(SIGN, _of(lambda d: -2 * d / d.size)),
    Mistake("the factor 2 is missing: the derivative of d**2 is 2*d", _of(lambda d: d / d.size)),
    Mistake(f"{SIGN}; and the factor 2 is missing", _of(lambda d: -d / d.size)),
    Mistake("you divide by 2*n: the gradient is 2 * (prediction - target) / n",
        _of(lambda d: d / (2 * d.size))),
    Mistake(f"that is the gradient of a sum: {ALL}", _of(lambda d: 2 * d)),
    Mistake(f"that is the gradient of a sum, with the wrong sign: {ALL}", _of(lambda d: -2 * d)),
    Mistake("that is the difference: it is multiplied by 2 and divided by n", _of(lambda d: d)),
    Mistake("that is the difference, target - prediction: 2 * (prediction - target) / n is the "
        "gradient", _of(lambda d: -d)),
    Mistake(f"you divide by the number of pictures: {ALL}", _of(lambda d: 2 * d / len(d))),
    Mistake(f"{SIGN}; and {ALL}", _of(lambda d: -2 * d / len(d))),
    Mistake(f"you divide by the number of pictures, and the factor 2 is missing: {ALL}",
        _of(lambda d: d / len(d))),
    Mistake(f"you divide by the size of one picture: {ALL}", _of(lambda d: 2 * d / d[0].size)),
    Mistake(f"you divide by the last axis only: {ALL}", _of(lambda d: 2 * d / d.shape[-1])),
    Mistake("the difference is squared: the derivative of d**2 is 2*d",
        _of(lambda d: d**2 / d.size)),
    Mistake("the difference is squared: the derivative of d**2 is 2*d",
        _of(lambda d: 2 * d**2 / d.size)),
    Mistake("these are the squares themselves: the derivative of d**2 is 2*d", _of(lambda d: d**2)),
    Mistake("the sign is lost: the gradient is 2 * (prediction - target) / n",
        _of(lambda d: 2 * np.abs(d) / d.size)),
    Mistake("that is the mean absolute error's gradient: here it is 2 * (prediction - target) / n",
        _of(lambda d: np.sign(d) / d.size)),
    Mistake("dprediction is one number: every element of the prediction has its own",
        _of(lambda d: 2 * d.mean())),
    Mistake("the mean is taken over the elements: each has its own 2 * (prediction - target) / n",
        _of(lambda d: 2 * d.mean() + 0 * d)),
    Mistake("dprediction is summed over the first axis: it has the prediction's shape",
        _of(lambda d: 2 * d.mean(0))),
    Mistake("the loss is a factor here: the gradient is 2 * (prediction - target) / n",
        _of(lambda d: 2 * d / d.size * (d**2).mean())),
    Mistake("the target is left out: the gradient is 2 * (prediction - target) / n",
        lambda prediction, target: 2 * prediction / prediction.size),
)  # fmt: skip


def _tanh_gradient(student: Student) -> None:
    dy, x = wave(2, 3, 4, 5, start=3.0), wave(2, 3, 4, 5, start=8.0)
    given = {"dy": dy, "y": np.tanh(x)}
    right = slopes(lambda x: (dy * np.tanh(x)).sum(), x)
    check_slopes("dx", right, student.call("tanh_backward", given),
        grids.call("tanh_backward", given))  # fmt: skip


def _mse_gradient(student: Student) -> None:
    given = {"prediction": wave(2, 3, 4, 5, start=4.0), "target": wave(2, 3, 4, 5, start=9.0)}
    target = given["target"]
    right = slopes(lambda x: ((x - target) ** 2).mean(), given["prediction"])
    check_slopes("dprediction", right, student.call("mse_backward", given),
        grids.call("mse_backward", given))  # fmt: skip


FUNCTIONS: dict[str, tuple[str, tuple[Mistake, ...], Callable[[Student], None] | None]] = {
    "tanh_forward": ("y", TANH_MISTAKES, None),
    "tanh_backward": ("dx", TANH_BACKWARD_MISTAKES, _tanh_gradient),
    "mse_forward": ("loss", MSE_MISTAKES, None),
    "mse_backward": ("dprediction", MSE_BACKWARD_MISTAKES, _mse_gradient),
}
