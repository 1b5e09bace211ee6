"""Exercise 10: Adam and the training loop: beat bicubic in 60 seconds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, TypeAlias
from unittest.mock import patch

import numpy as np

from tutorials.exercises.checker.engine import Exercise, Function, Rung
from tutorials.exercises.checker.inputs import Case, Given, Inputs, floats
from tutorials.exercises.checker.student import Broken, Student

# --- Adam ----------------------------------------------------------------------------------------

OPTIONS = ("lr", "betas", "epsilon")


def _followed(adam: Any, two: bool = False, **given: Any) -> Any:
    """Let an optimizer make steps; return how each of them changes all parameters.

    A parameter w has its gradients in dw, step after step. What is compared are the arrays that
    the model had at first, as its layers have them. Where there are `two`, another one takes turns.
    """
    options = {name: given[name] for name in OPTIONS if name in given}
    names = [name for name in given if f"d{name}" in given]
    models = [
        SimpleNamespace(
            params={name: np.array(given[name]) for name in names},
            grads={name: np.ones_like(given[name]) for name in names},
        )
        for _ in range(1 + two)
    ]
    optimizers = [adam(model, **options) for model in models]
    held = list(models[0].params.values())
    path = [np.concatenate([p.ravel() for p in held])]
    for i in range(len(given[f"d{names[0]}"])):
        slopes = {key[1:]: given[key][i, ...] for key in given if key[1:] in names}
        models[-1].grads = {name: -slope for name, slope in slopes.items()}
        models[0].grads = slopes
        for optimizer in optimizers:
            optimizer.step()
        if models[0].grads is not slopes or {*slopes} != {*names}:
            raise Broken(
                "model.grads is not as it was before the step",
                cause="your step empties model.grads, or puts another dictionary there. The "
                "backward pass makes a new one each time, so there is nothing to clear",
            )
        path.append(np.concatenate([p.ravel() for p in held]))
    return np.diff(path, axis=0)


def _steps(case: Case) -> str:
    """Write the calls down."""
    given = case.given
    names = [name for name in given if f"d{name}" in given]
    options = "".join(f", {name}={given[name]}" for name in OPTIONS if name in given)
    params = ", ".join(f"'{name}': {given[name]}" for name in names)
    slopes = {key: text for key, text in given.items() if key[1:] in names}
    grads = ", ".join(f"'{key[1:]}': {key}[i]" for key in slopes)
    lines = [
        *(f"{key} = {text}" for key, text in slopes.items()),
        f"class model: params, grads = {{{params}}}, {{}}",
        f"optimizer = Adam(model{options})",
        f"for i in range({len(case.make()['d' + names[0]])}):",
        f"    model.grads = {{{grads}}}",
        "    optimizer.step()",
        "# the change of all numbers in model.params, in one row for each step:",
    ]
    if given.get("two"):
        lines.insert(-1, "# between these steps another Adam, of another model, makes its own")
    return "\n".join(lines)


class _Adam:
    """Adam; `change` is what a parameter loses, by m and v and their corrections a and b."""

    def __init__(
        self,
        model: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        change: Callable[[Any], Any] = lambda o: o.by(o.m / o.a, o.v / o.b),
    ) -> None:
        self.model, self.lr, self.epsilon, self.change = model, lr, epsilon, change
        self.b1, self.b2 = betas
        self.kept: dict[str, Any] = dict.fromkeys(model.params, (0.0, 0.0))
        self.t = 0

    def step(self) -> None:
        self.t += 1
        self.a, self.b = 1 - self.b1**self.t, 1 - self.b2**self.t
        for name, p in self.model.params.items():
            g, (m, v) = self.model.grads[name], self.kept[name]
            self.m, self.v = self.b1 * m + (1 - self.b1) * g, self.b2 * v + (1 - self.b2) * g**2
            p[...] -= self.change(self)
            self.kept[name] = self.m, self.v

    def by(self, m: Any, v: Any) -> Any:
        return self.lr * m / (np.sqrt(v) + self.epsilon)


def _corrected_kept(o: _Adam) -> Any:
    o.m, o.v = o.m / o.a, o.v / o.b
    return o.by(o.m, o.v)


CHANGES: tuple[tuple[str, Callable[[_Adam], Any]], ...] = (
    (
        "the arrays in model.params are as they were. A step must change the arrays themselves: "
        "neither a copy, nor a new array in their place",
        lambda o: 0 * o.m,
    ),
    ("the bias corrections are missing", lambda o: o.by(o.m, o.v)),
    ("m has no bias correction", lambda o: o.by(o.m, o.v / o.b)),
    ("v has no bias correction", lambda o: o.by(o.m / o.a, o.v)),
    ("the corrected m and v are kept for the next step: keep the uncorrected", _corrected_kept),
    (
        "t is 1 in every step: it must be kept from one step to the next",
        lambda o: o.by(o.m / (1 - o.b1), o.v / (1 - o.b2)),
    ),
    (
        "epsilon is inside the root: it is added after it",
        lambda o: o.lr * (o.m / o.a) / np.sqrt(o.v / o.b + o.epsilon),
    ),
    ("epsilon is missing: the divisor can be 0", lambda o: o.lr * (o.m / o.a) / np.sqrt(o.v / o.b)),
)

W = {"w": "np.array([1.0, -2.0])"}
SMALL = "np.array([[0.5, -4e-8], [-3.0, 2e-8], [0.02, 5e-8]])"
TWO = {"a": "np.array([1.0, -2.0])", "b": "np.array([0.5, 3.0])"}
LAYER = {"weight": f"np.cos({floats(2, 1, 2, 3)})", "bias": "np.array([0.5, 0.25])"}


def _given(given: Given) -> Given:
    return given


GIVEN: Given = {"lr": 0.1, "betas": (0.9, 0.999), "epsilon": 1e-8}
SMALL_STEPS, OF_TWO = {"dw": SMALL}, {"da": SMALL, "db": f"np.cos({floats(3, 2)})"}

ADAM = Inputs(
    _given,
    plain=(
        {"given": {**W, "dw": "np.array([[0.5, -3.0], [0.5, 3.0]])", **GIVEN}},
        {"given": {**W, **SMALL_STEPS, **GIVEN}},
        {"given": {**TWO, **OF_TWO, **GIVEN}},
    ),
    more={
        "right where lr, betas and epsilon are given, wrong where they are not: see the defaults "
        "in the starter": [{**W, "dw": "np.array([[3.0, -4e-8]] + [[0.1, 2e-8]] * 9)"}],
        "wrong where a gradient is zero: such a parameter stays as it is": [
            {**W, "dw": "np.array([[0.0, 0.0], [0.0, 0.0], [3.0, 0.0]])", **GIVEN}
        ],
        **{
            f"right for {name}={GIVEN[name]}, wrong for {name}={value}": [
                {**W, **SMALL_STEPS, **GIVEN, name: value}
            ]
            for name, value in {"lr": 0.02, "betas": (0.5, 0.75), "epsilon": 0.1}.items()
        },
        "right for parameters with one axis, wrong for a weight with four": [
            {**LAYER, "dweight": f"np.cos({floats(3, 2, 1, 2, 3)})", "dbias": SMALL, **GIVEN}
        ],
        "wrong where an array lies in memory column by column: np.ravel and reshape copy it then, "
        "and the copy is changed": [
            {"w": "np.array([[1.0, -2.0], [3.0, 4.0]], order='F')",
             "dw": f"np.cos({floats(3, 2, 2)})", **GIVEN}
        ],
        "right for arrays with axes, wrong for one without, which holds a single number": [
            {"w": "np.array(1.5)", "dw": "np.array([0.5, -3.0])", **GIVEN}
        ],
        "wrong where grads has its names in another order: a gradient belongs to the parameter of "
        "its name": [{**TWO, **dict(reversed(OF_TWO.items())), **GIVEN}],
        "right for one optimizer, wrong where two take turns: each must keep its own": [
            {**W, **SMALL_STEPS, **GIVEN, "two": True}
        ],
    },
)  # fmt: skip

# --- the loop ------------------------------------------------------------------------------------

Slope: TypeAlias = Callable[[Any], Any]


class _Model:
    """A model, the methods of its optimizer and data, which write down their calls."""

    def __init__(self, x: Any, target: Any, y: Any, w: Any, sizes: tuple[int, ...]) -> None:
        cuts = [slice(*ends) for ends in pairwise(np.cumsum((0, *sizes)))]
        self.batches = [(x[cut], target[cut], y[cut]) for cut in cuts]
        self.params, self.grads = {"w": w}, {"w": np.zeros_like(w)}
        self.calls: list[str] = []
        self.drawn = 0
        self.y = y[:1]
        self.slopes = [np.zeros_like(y[:0])]

    def next_batch(self) -> Any:
        """Return x and target."""
        if self.drawn > 2 * len(self.batches):
            raise Broken("next_batch is called far too often for so few steps")
        self.drawn += 1
        return self.batches[(self.drawn - 1) % len(self.batches)][:2]

    def forward(self, x: Any) -> Any:
        """Return y."""
        self._called("forward(something else)")
        for i, (known, _, y) in enumerate(self.batches, 1):
            if np.array_equal(x, known):
                self.calls[-1], self.y = f"forward(x{i})", y
        return self.y

    __call__ = forward

    def backward(self, dy: Any) -> Any:
        """Make new gradients."""
        self._called("backward(dy)")
        if np.shape(dy) != self.y.shape:
            raise Broken(f"dy has the shape {np.shape(dy)}, and y has {self.y.shape}")
        self.slopes.append(dy)
        self.grads = {"w": np.array([1.0, 2.0]) + len(self.slopes)}
        return np.zeros_like(self.y)

    def step(self, *given: Any) -> None:
        """Be the optimizer's."""
        self._called("step(something)" if given else "step()")

    def _called(self, call: str) -> None:
        if len(self.calls) > 6 * len(self.batches) + 6:
            raise Broken("there are far more calls than so few steps need")
        self.calls.append(call)


def _trained(train: Any, **given: Any) -> tuple[Any, Any, Any]:
    """Return the calls that were made, all dy, and the losses."""
    model = _Model(**given)
    optimizer = SimpleNamespace(step=model.step, model=model)
    losses = train(model, model.next_batch, optimizer, len(model.batches))
    if not isinstance(losses, list) or any(np.ndim(loss) for loss in losses):
        raise Broken(
            f"train must return a list of numbers, and returned {losses!r:.60}",
            cause="is a return missing?" if losses is None else "",
        )
    calls = f"{', '.join(model.calls)}; batches drawn: {model.drawn}"
    return np.array(calls), np.concatenate(model.slopes), np.array(losses, model.y.dtype)


def _loop(case: Case) -> str:
    x, target, y, _, sizes = case.given.values()
    if not sizes:
        return "train(model, next_batch, optimizer, steps=0)"
    return (
        f"train(model, next_batch, optimizer, steps={len(sizes)}), in which\n"
        f"the batches take {' and '.join(map(str, sizes))} of these along N, in turn:\n"
        f"     x = {x}\ntarget = {target}\n     y = {y}, which model.forward gives"
    )


def _batches(sizes: tuple[int, ...] = (1, 1), c: int = 1, h: int = 2, w: int = 2) -> Given:
    shape = (sum(sizes), c, h, w)
    return {
        "x": floats(*shape, start=20),
        "target": floats(*shape),
        "y": f"({floats(*shape, start=3)} ** 2 / 4)",
        "w": "np.array([7.0, 8.0])",
        "sizes": sizes,
    }


def _train(
    model: Any,
    next_batch: Any,
    optimizer: Any,
    steps: int,
    slope: Slope = lambda d: 2 * d / d.size,
    loss: Slope = lambda d: np.square(d).mean(),
) -> Any:
    losses = []
    for _ in range(steps):
        x, target = next_batch()
        difference = model.forward(x) - target
        losses.append(loss(difference))
        model.backward(slope(difference))
        optimizer.step()
    return losses


KEPT: dict[Any, Any] = {}


def _one_array(d: Any) -> Any:
    """Return the right dy, always in the same array."""
    dy = KEPT.setdefault((d.shape, d.dtype), np.empty_like(d))
    dy[...] = 2 * d / d.size
    return dy


SLOPES: tuple[tuple[str, Slope], ...] = (
    ("dy is the gradient of the sum of squares: the loss is their mean", lambda d: 2 * d),
    (
        "dy is divided by the number of pictures: the mean is over all numbers of y",
        lambda d: 2 * d / len(d),
    ),
    ("dy is one array, which every step writes to: make a new one for each step", _one_array),
)
SUMS = "these are sums: the mean is asked for"

# --- both ----------------------------------------------------------------------------------------

STEPS, SECONDS = 150, 60.0
PICTURES, HELD_OUT, SIDE = 16, 4, 120
BATCH, PATCH, LR = 8, 16, 2e-3
MIDDLE = np.float32(0.5)  # subtracted from all pictures, as in lesson 9


def _beats_bicubic(student: Student) -> str:
    """Train an ESPCN ×3 by the student's pieces; return both figures.

    It takes about a second on one core, and gains 1.6 dB.
    """
    try:
        from npespcn.data import PairedPatches, dead_leaves_pictures, validation_pairs
        from npespcn.evaluation import psnr
        from npespcn.fast import accelerate
        from npespcn.models import ESPCN
        from npespcn.pictures import upscale_bicubic
    except ImportError as error:
        raise Broken(f"this rung trains the project's network, and {error}: install it") from None
    pictures = dead_leaves_pictures(PICTURES + HELD_OUT, SIDE)
    data = PairedPatches(pictures[:PICTURES], scale=3)
    pairs = validation_pairs(pictures[PICTURES:], scale=3)
    network = accelerate(ESPCN(scale=3, padding="edge"))
    rng = np.random.default_rng(0)
    begun = time.monotonic()

    def next_batch() -> tuple[Any, Any]:
        if time.monotonic() - begun > SECONDS:
            raise Broken(
                f"{SECONDS:.0f} seconds were over before {STEPS} steps were made",
                cause="a loop over single numbers is slow: work on whole arrays",
            )
        x, target = data.batch(rng, BATCH, PATCH)  # (8, 1, 16, 16), (8, 1, 48, 48)
        return x - MIDDLE, target[..., 12:-12, 12:-12] - MIDDLE  # y lacks 4 LR pixels on each side

    with patch.dict(os.environ, NPESPCN_THREADS="1"):  # many threads' stacks would be over limits
        optimizer = student.run(student.get("Adam"), network, lr=LR)
        student.run(student.get("train"), network, next_batch, optimizer, STEPS)
        outputs = [network.predict(x - MIDDLE)[0, 0] + MIDDLE for x, _ in pairs]
    enlarged = [upscale_bicubic(x[0, 0], 3) for x, _ in pairs]
    ours, bicubic = (
        np.mean([psnr(y, hr[0, 0], 1, border=3) for y, (_, hr) in zip(made, pairs, strict=True)])
        for made in (outputs, enlarged)
    )
    seconds = time.monotonic() - begun
    figures = f"your network {ours:.1f} dB, bicubic {bicubic:.1f} dB"
    if not ours > bicubic:
        raise Broken(
            f"{figures}: that is not better, after {STEPS} steps",
            f"on {HELD_OUT} pictures of dead leaves that it has not seen; Adam(model, lr={LR})",
        )
    return f"{figures}, in {seconds:.1f} seconds"


EXERCISE = Exercise(
    title="Adam and the training loop: beat bicubic in 60 seconds",
    hints={
        "Adam": (
            "What must an optimizer remember from one step to the next, and for which of the "
            "parameters? Make it where the optimizer is made. What must happen to t before "
            "anything else, and how often in a step?",
            "Which statements make a new array, and which change the one that is there? Try both "
            "on w = np.ones(2), after v = w: is v changed?",
            "Follow the example with pencil and paper: after the first step m is [0.05, -0.3], and "
            "m / (1 - 0.9) is the gradient again. The corrected m is only for use in this step. "
            "Print m, v and t after each step, and compare.",
        ),
        "train": (
            "Write down what goes into each of the five parts of a step, and what comes out. Which "
            "parts need y, and which need the target?",
            "The loss is the mean of d**2, where d is y - target. By how much does it grow, if one "
            "number of d grows a little? How many numbers share the mean?",
            "One step draws once, and calls forward, backward and step once each, in this order. "
            "The loss goes into a list, and dy into backward. Must an array have y's memory to "
            "hold the difference?",
        ),
    },
    functions=[
        Function(
            "Adam",
            reference=_Adam,
            inputs=ADAM,
            mistakes=[(cause, partial(_Adam, change=by)) for cause, by in CHANGES],
            results=("change",),
            axes={"change": "step number"},
            through=_followed,
            written=_steps,
        ),
        Function(
            "train",
            reference=_train,
            inputs=Inputs(
                _batches,
                plain=({"sizes": (1,), "h": 1, "w": 1}, {}, {"sizes": (2, 2), "h": 3}),
                odd={
                    "right where all batches are of one size, wrong where they are not": (
                        {"sizes": (3, 1)}, {"sizes": (1, 2), "c": 3},
                    ),
                    "right for some steps, wrong for steps=0: then there is nothing to do": (
                        {"sizes": ()},
                    ),
                },
            ),
            mistakes={
                "dy": [(cause, partial(_train, slope=slope)) for cause, slope in SLOPES],
                "loss": [(SUMS, partial(_train, loss=lambda d: np.square(d).sum()))],
            },
            results=("order", "dy", "loss"),
            axes={"dy": "N C H W", "y": "N C H W", "target": "N C H W", "loss": "step"},
            through=_trained,
            written=_loop,
        ),
    ],
    more=[Rung("beats bicubic", 2, _beats_bicubic, seconds=75)],
)  # fmt: skip
