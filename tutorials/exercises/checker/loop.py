"""How the training loop is checked in exercise 10: by a model that writes down its calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from tutorials.exercises.checker import grids
from tutorials.exercises.checker.answers import wave
from tutorials.exercises.checker.student import Broken, Student


class Recorder:
    """A model, and the methods of its optimizer and data, that write down their calls."""

    def __init__(self, batches: Sequence[tuple[Any, Any, Any]]) -> None:
        self.batches = batches  # x, target, and the model's output for x
        self.events: list[str] = []
        self.drawn: list[tuple[Any, Any]] = []
        self.xs: list[Any] = []
        self.ys: list[Any] = []
        self.dys: list[Any] = []
        self.changed_y = False
        self.stepped: list[tuple[Any, ...]] = []  # the arguments of each step: none
        self.params = {"w": np.array([7.0, 8.0])}
        self.grads: dict[str, Any] = {}

    def next_batch(self) -> tuple[Any, Any]:
        """Return x and target."""
        if len(self.drawn) > 2 * len(self.batches) + 2:
            raise RuntimeError("next_batch is called far too often for these steps")
        x, target, _ = self.batches[len(self.drawn) % len(self.batches)]
        self.drawn.append((x.copy(), target.copy()))
        return self.drawn[-1]

    def forward(self, x: Any) -> Any:
        """Return the output for x."""
        self.events.append("forward")
        self._stop_endless_loops()
        self.xs.append(np.array(x))
        known = (y for x_, _, y in self.batches if np.array_equal(x_, x))
        y = next(known, self.batches[0][2])
        self.ys.append((y.copy(), y))
        return self.ys[-1][0]

    __call__ = forward

    def backward(self, dy: Any) -> Any:
        """Make new gradients."""
        self.events.append("backward")
        self._stop_endless_loops()
        self.changed_y |= any(not np.array_equal(now, y) for now, y in self.ys)
        self.dys.append(np.array(dy))
        self.grads = {"w": np.array([1.0, 2.0]) + len(self.dys)}
        return np.zeros_like(self.xs[-1]) if self.xs else 0.0

    def take_step(self, *given: Any) -> None:
        """Be the optimizer's step."""
        self.events.append("step")
        self._stop_endless_loops()
        self.stepped.append(given)

    def _stop_endless_loops(self) -> None:
        if len(self.events) > 6 * len(self.batches) + 6:
            raise RuntimeError("there are far more calls than these steps need")


def _batches(*shapes: tuple[int, ...], dtype: str = "float64") -> list[tuple[Any, Any, Any]]:
    return [
        tuple(wave(*shape, start=90 * i + 30 * k).astype(dtype) for k in range(3))
        for i, shape in enumerate(shapes)
    ]


BATCHES = _batches(*[(3, 1, 1, 4)] * 3)
_LOOP = "the checker's own model and batches, (3, 1, 1, 4), 3 steps"


def _train(
    student: Student, batches: Sequence[tuple[Any, Any, Any]], steps: int | None = None
) -> tuple[Recorder, Any]:
    recorder = Recorder(batches)
    count = len(batches) if steps is None else steps
    optimizer = SimpleNamespace(step=recorder.take_step, model=recorder)
    train = student.get("train")
    return recorder, student.run(train, recorder, recorder.next_batch, optimizer, count)


def check_runs(student: Student) -> None:
    """Make three steps."""
    _, losses = _train(student, BATCHES)
    _check_losses(losses, 3)


def _check_losses(losses: Any, steps: int) -> None:
    if losses is None:
        raise Broken("train must return the losses, and returned None: is a return missing?", _LOOP)
    if not isinstance(losses, list):
        kind = "one number" if np.isscalar(losses) else f"a {type(losses).__name__}"
        raise Broken(
            f"train must return a list with the loss of each step, and returned {kind}", _LOOP
        )
    if len(losses) != steps:
        raise Broken(
            f"train must return a loss for each step, {steps} of them, and returned {len(losses)}",
            _LOOP,
        )
    for loss in losses:
        if np.ndim(loss) != 0 or np.asarray(loss).dtype.kind not in "fiu":
            kind = f"an array of shape {np.shape(loss)}" if np.ndim(loss) else f"{loss!r:.40}"
            raise Broken(f"each loss must be one number, and yours has {kind} among them", _LOOP)


def check_order(student: Student) -> None:
    """Check the calls, their order and their arguments, except dy."""
    recorder, _ = _train(student, BATCHES)
    came, turn = recorder.events, ["forward", "backward", "step"]
    if came != turn * 3:
        i = next(i for i in range(len(came) + 1) if came[: i + 1] != (turn * 3)[: i + 1])
        missing = [name for name in turn if name not in came]
        if missing:
            message = f"{_CALLS[missing[0]]} is never called"
        elif i == 9:
            message = f"train makes more than the 3 steps: {came[9]} is called once more"
        elif i == len(came):
            message = f"train stops in step {i // 3 + 1} of 3: {turn[i % 3]} should come next"
        else:
            message = f"step {i // 3 + 1} calls {came[i]} where {turn[i % 3]} should come"
            if came[i] == "step":
                message += ": there is no new gradient before backward"
            elif came[i] == turn[i % 3 - 1] and came[i] == "forward":
                message += ": one forward in each step is enough, its y gives loss and dy"
        shown = f"in turn, expected   {', '.join(turn * 3)}\nin turn, came       {', '.join(came)}"
        raise Broken(message, _LOOP, shown)
    if len(recorder.drawn) != 3:
        message = f"next_batch is called {len(recorder.drawn)} times for 3 steps"
        if len(recorder.drawn) == 1:
            message = "all steps use one batch: call next_batch() anew in every step"
        raise Broken(message, _LOOP)
    for i, (x, (x_, target, _)) in enumerate(zip(recorder.xs, BATCHES, strict=True)):
        if np.array_equal(x, target):
            raise Broken("forward got target: next_batch returns x, target in this order", _LOOP)
        if not np.array_equal(x, x_):
            shown = grids.compare("x", x_, x) if np.shape(x) == x_.shape else ""
            raise Broken(f"forward in step {i + 1} must get that step's x, as it is", _LOOP, shown)
    if any(recorder.stepped):
        message = "optimizer.step takes no arguments: it reads the gradients of its model by itself"
        raise Broken(message, _LOOP)


_CALLS = {
    "forward": "model.forward",
    "backward": "model.backward",
    "step": "optimizer.step",
}


def check_dtype(student: Student) -> None:
    """Make a step with float32."""
    recorder, _ = _train(student, _batches((3, 1, 1, 4), dtype="float32"))
    for dy in recorder.dys:
        if dy.dtype != np.float32:
            raise Broken(
                f"for y and target of float32 your dy is {dy.dtype}: it must have y's type",
                "the checker's own model and batch, (3, 1, 1, 4), float32, 1 step",
            )


DYS: Sequence[tuple[str, Callable[[Any, Any], Any]]] = (
    ("dy has the wrong sign: it is that of y - target", lambda d, size: -2 * d / size),
    (
        "dy is the gradient of the sum: that of the mean is divided by y.size",
        lambda d, size: 2 * d,
    ),
    ("dy is only y - target: it is 2 * (y - target) / y.size", lambda d, size: d),
    ("dy is half as large as it should be: the square brings a 2", lambda d, size: d / size),
    (
        "dy is divided by the number of pictures: divide by that of all numbers, y.size",
        lambda d, size: 2 * d / len(d),
    ),
    (
        "dy is divided by the number of pictures: divide by that of all numbers, y.size, and "
        "multiply by the 2 of the square",
        lambda d, size: d / len(d),
    ),
    (
        "dy is the gradient of the mean of abs(y - target), not of its square",
        lambda d, size: np.sign(d) / size,
    ),
    (
        "dy is the squared difference: its gradient has no square, 2 * (y - target) / y.size",
        lambda d, size: 2 * d * d / size,
    ),
)
LOSSES: Sequence[tuple[str, Callable[[Any], Any]]] = (
    ("your losses are sums: take the mean", lambda d: np.sum(d * d)),
    ("your losses are half of the mean of (y - target)**2", lambda d: np.mean(d * d) / 2),
    ("your losses are roots: take none", lambda d: np.sqrt(np.mean(d * d))),
    ("your losses are means of abs(y - target), not of its square", lambda d: np.mean(np.abs(d))),
    ("your losses are means of y - target: square it first", lambda d: np.mean(d)),
    (
        "your losses are divided by the number of pictures: take the mean over all numbers of y",
        lambda d: np.sum(d * d) / len(d),
    ),
)


def check_values(
    student: Student, batches: Sequence[tuple[Any, Any, Any]], oddity: str = ""
) -> None:
    """Check dy and the losses of every step."""
    recorder, losses = _train(student, batches)
    _check_losses(losses, len(batches))
    if len(recorder.dys) != len(batches):
        raise Broken(f"backward is called {len(recorder.dys)} times for {len(batches)} steps")
    differences = [y - target for _, target, y in batches]
    right = [2 * d / d.size for d in differences]
    shapes = f"batches of {', '.join(str(d.shape) for d in differences)}"
    for dy, answer in zip(recorder.dys, right, strict=True):
        if dy.shape != answer.shape:
            raise Broken(
                f"dy has the wrong shape: {answer.shape} was expected, {dy.shape} came", shapes
            )
    if not _all_near(recorder.dys, right):
        messages = (
            m for m, f in DYS if _all_near(recorder.dys, [f(d, d.size) for d in differences])
        )
        i = next(i for i, dy in enumerate(recorder.dys) if not _near(dy, right[i]))
        with np.errstate(all="ignore"):
            times = np.median(recorder.dys[i] / right[i])
        if not oddity and _all_near(recorder.dys, [times * answer for answer in right]):
            oddity = f"dy is {times:.4g} times what it should be, 2 * (y - target) / y.size"
        message = next(messages, oddity or "dy has the right shape and wrong values")
        shown = grids.compare("dy", right[i], recorder.dys[i])
        raise Broken(message, f"step {i + 1}, {shapes}", shown)
    wanted = [np.mean(d * d) for d in differences]
    if not _all_near(losses, wanted):
        messages = (m for m, f in LOSSES if _all_near(losses, [f(d) for d in differences]))
        message = next(messages, oddity or "the losses have wrong values")
        raise Broken(message, shapes, grids.compare("losses", wanted, losses))


def _near(a: Any, b: Any) -> bool:
    return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-5, atol=1e-7)


def _all_near(a: Sequence[Any], b: Sequence[Any]) -> bool:
    return all(_near(one, two) for one, two in zip(a, b, strict=True))


def check_odd(student: Student) -> None:
    """Make steps with other batches, and none."""
    check_values(
        student,
        _batches((2, 3, 2, 4), (2, 3, 2, 4)),
        "right for one color channel, wrong for three and H not W",
    )
    check_values(
        student, _batches((3, 1, 1, 4), (1, 1, 2, 2)), "wrong where batches differ in size"
    )
    check_values(
        student, _batches((3, 1, 2, 2), dtype="float32"), "right for float64, wrong for float32"
    )
    recorder, losses = _train(student, BATCHES, steps=0)
    if recorder.events or losses != []:
        raise Broken(f"for steps=0 train should do nothing and return [], and returned {losses!r}")


def check_arguments(student: Student) -> None:
    """Check that x, target, y and the parameters stay as they are."""
    recorder, _ = _train(student, BATCHES)
    for (x, target), (x_, target_, _) in zip(recorder.drawn, BATCHES, strict=True):
        for name, now, before in (("x", x, x_), ("target", target, target_)):
            if not np.array_equal(now, before):
                raise Broken(f"you changed {name}: work on a copy, it may be drawn again", _LOOP)
    if recorder.changed_y or any(not np.array_equal(now, y) for now, y in recorder.ys):
        raise Broken(
            "you changed y: work on a copy, a model may still need its output in backward", _LOOP
        )
    if not np.array_equal(recorder.params["w"], [7.0, 8.0]):
        raise Broken("train changed model.params itself: that is the optimizer's affair", _LOOP)
