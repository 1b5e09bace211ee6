"""How Adam is checked in exercise 10: followed step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tutorials.exercises.checker import grids
from tutorials.exercises.checker.adam_slips import (
    DEFAULTS,
    SLIPS,
    Arrays,
    Path,
    Steps,
    agree,
    as_slipped,
    copied,
)
from tutorials.exercises.checker.answers import wave
from tutorials.exercises.checker.student import Broken, Student

SIZES = np.array([1.0, 1e-3, 10.0, 1e-7, 0.1, 3e-8])  # of gradients


def _gradients(steps: int, **shapes: tuple[int, ...]) -> list[Arrays]:
    """Return random-looking gradients of very different sizes."""
    made = []
    for step in range(steps):
        grads = {}
        for i, (name, shape) in enumerate(shapes.items()):
            sizes = np.resize(np.roll(SIZES, step + i), shape)
            grads[name] = (wave(*shape, start=50 * step + 7 * i) + 0.05) * sizes
        made.append(grads)
    return made


_W = {"w": np.array([1.0, -2.0])}
_AB = {"a": np.array([1.0, -2.0]), "b": np.array([0.5, 3.0])}
_LAYER = {"weight": wave(2, 1, 2, 3), "bias": wave(2, start=40)}
_SMALL = [{"w": np.array(g)} for g in ([0.5, -4e-8], [-3.0, 2e-8], [0.02, 5e-8])]
_GIVEN = DEFAULTS | {"lr": 0.1}
_LATE = [{"w": np.zeros(2)}, {"w": np.zeros(2)}, {"w": np.array([3.0, 0.0])}]

PLAIN = [
    Steps(_W, _SMALL[:1], _GIVEN),
    Steps(_W, _SMALL, _GIVEN),
    Steps(_AB, _gradients(3, a=(2,), b=(2,)), _GIVEN, "right for one parameter, wrong for two"),
    Steps(_W, _SMALL, {}, "right where lr, betas and epsilon are given, wrong where they are not: "
        "see the defaults in the starter"),
]  # fmt: skip
ODD = [
    Steps(_W, _LATE, _GIVEN, "wrong where a gradient is zero: such a parameter stays as it is"),
    Steps(_W, _SMALL, _GIVEN | {"lr": 0.02}, "right for lr=0.1, wrong for lr=0.02"),
    Steps(_W, _SMALL, _GIVEN | {"betas": (0.5, 0.75)}, "right for betas=(0.9, 0.999), wrong for "
        "betas=(0.5, 0.75)"),
    Steps(_W, _SMALL, _GIVEN | {"epsilon": 0.1}, "right for epsilon=1e-8, wrong for epsilon=0.1"),
    Steps(_LAYER, _gradients(6, weight=(2, 1, 2, 3), bias=(2,)), _GIVEN, "right for parameters "
        "with one axis, wrong for a weight with four"),
    Steps(_AB, _gradients(3, b=(2,), a=(2,)), _GIVEN, "wrong where grads has its names in another "
        "order than params: look each gradient up by its name"),
]  # fmt: skip


class Model:
    """A model's parameters and gradients, without the model."""

    def __init__(self, params: Arrays) -> None:
        self.params = params
        self.grads: Arrays = {}


def make(student: Student, model: Any, options: Mapping[str, Any]) -> Any:
    """Make a student's optimizer."""
    made = student.get("Adam")

    def adam() -> Any:
        return made(model, **options)

    adam.__qualname__ = "Adam"
    return student.run(adam)


def _step(student: Student, optimizer: Any, model: Model, grads: Arrays) -> None:
    """Give the model new gradients, as a backward pass does, and let the optimizer step."""
    model.grads = grads

    def step() -> None:
        optimizer.step()

    step.__qualname__ = "Adam.step"
    student.run(step)


def follow(student: Student, steps: Steps, dtype: str = "float64") -> Path | Broken:
    """Take a student's optimizer through all steps; return where the parameters were, or why not.

    They are read from the dictionary, so an array that was replaced is still right here.
    """
    model = Model(copied(steps.start, dtype))
    path = []
    try:
        optimizer = make(student, model, steps.options)
        for grads in steps.grads:
            _step(student, optimizer, model, copied(grads, dtype))
            path.append({name: np.array(model.params.get(name)) for name in steps.start})
    except Broken as error:
        return error
    return path


def check_runs(student: Student) -> None:
    """Take one step."""
    model = Model(copied(_W))
    optimizer = make(student, model, {})
    try:
        _step(student, optimizer, model, copied(_SMALL[0]))
    except Broken as error:
        if "ZeroDivisionError" in error.message:
            error.message += ": is t 0 at the first step? It is 1"
        elif "KeyError" in error.message:
            error.message += ": model.grads is a new dictionary after each backward pass, so read "
            error.message += "it in step"
        raise
    shape = np.shape(model.params.get("w", 0))
    if shape != (2,):
        raise Broken(
            f"after a step model.params['w'] has the shape {shape}, and had (2,)",
            example(Steps(_W, _SMALL[:1])),
        )


def check_dtype(student: Student) -> None:
    """Take steps with float32."""
    steps = PLAIN[2]
    came = follow(student, steps, "float32")
    if isinstance(came, Broken):
        raise Broken(f"for float32: {came.message}", example(steps))
    for name, value in came[-1].items():
        if value.dtype != np.float32:
            raise Broken(
                f"Adam turns a parameter of float32 into {value.dtype}: {name} must keep its type",
                example(steps),
            )


def check_values(student: Student, cases: Sequence[tuple[Steps, Path]]) -> None:
    """Compare with where torch's Adam goes, and name the mistake."""
    wrong = []
    for steps, path in cases:
        came = follow(student, steps)
        if isinstance(came, Broken) or not agree(came, path, steps):
            wrong.append((steps, path, came))
    if not wrong:
        return
    message = _diagnosis(student, wrong)
    steps, path, came = wrong[0]
    if isinstance(came, Broken):
        message = f"{message}: {came.message}" if message else came.message
        raise Broken(message, example(steps), raised=came.raised)
    i, name = next(
        (i, name)
        for i, (one, two) in enumerate(zip(path, came, strict=True))
        for name, value in steps.start.items()
        if not agree([one], [two], replace(steps, start={name: value}))
    )
    steps = replace(steps, grads=steps.grads[: i + 1])
    if np.shape(path[i][name]) != np.shape(came[i][name]):
        raise Broken(
            f"step {i + 1} gives {name} the shape {np.shape(came[i][name])}, and it had "
            f"{np.shape(path[i][name])}",
            example(steps),
        )
    changes = [[steps.start, *p][i + 1][name] - [steps.start, *p][i][name] for p in (path, came)]
    raise Broken(
        message or f"step {i + 1} changes {name} by wrong values",
        example(steps),
        grids.compare(f"change of {name} in step {i + 1}:", *changes),
    )


def _diagnosis(student: Student, wrong: Sequence[tuple[Steps, Path, Path | Broken]]) -> str:
    """Return the message of the mistake that explains every wrong path, if there is one."""
    steps, path, _ = wrong[0]
    if _right(follow(Student(student.path), steps), path, steps):  # the file imported anew
        return (
            "a new Adam remembers what an earlier one did: set m, v and t in __init__, as self.m "
            "and so on, not in the class or the file"
        )
    paths = [(steps, came) for steps, _, came in wrong if not isinstance(came, Broken)]
    if paths and all(agree(came, [steps.start] * len(came), steps) for steps, came in paths):
        return (
            "model.params are as before after step: change the arrays in place, as with p -= ...; "
            "p = p - ... makes a new array, and so does a copy in __init__"
        )
    for slip in SLIPS if paths else ():
        if all(as_slipped(slip, steps, came) for steps, _, came in wrong):
            return slip.message
    kinds = {steps.oddity for steps, _, _ in wrong}
    return kinds.pop() if len(kinds) == 1 else ""


def _right(came: Path | Broken, path: Path, steps: Steps) -> bool:
    return not isinstance(came, Broken) and agree(came, path, steps)


def check_two_at_once(student: Student, *cases: tuple[Steps, Path]) -> None:
    """Let two optimizers take turns."""
    models = [Model(copied(steps.start)) for steps, _ in cases]
    optimizers = [
        make(student, model, steps.options) for model, (steps, _) in zip(models, cases, strict=True)
    ]
    for i in range(min(len(steps.grads) for steps, _ in cases)):
        for optimizer, model, (steps, path) in zip(optimizers, models, cases, strict=True):
            _step(student, optimizer, model, copied(steps.grads[i]))
            if not agree([model.params], [path[i]], steps):
                raise Broken(
                    "two optimizers at once disturb each other: set m, v and t in __init__, as "
                    "self.m and so on, not in the class or the file",
                    "first = Adam(one_model); second = Adam(another); first.step(); second.step()",
                )


def check_arguments(student: Student) -> None:
    """Check that gradients stay, and that parameters are changed and not replaced."""
    for steps in (PLAIN[1], ODD[4]):
        model = Model(copied(steps.start))
        held = dict(model.params)
        all_grads = [copied(grads) for grads in steps.grads]
        optimizer = make(student, model, steps.options)
        for grads in all_grads:
            _step(student, optimizer, model, grads)
            for given, now in zip(steps.grads, all_grads, strict=True):
                for name, value in given.items():
                    if name not in now or not np.array_equal(now[name], value):
                        raise Broken(
                            f"you changed model.grads['{name}']: work on a copy, the gradients "
                            "belong to the model",
                            example(steps),
                        )
            if model.params.keys() != held.keys():
                raise Broken("you changed which names are in model.params", example(steps))
            for name, value in held.items():
                if model.params[name] is not value:
                    raise Broken(
                        f"step puts a new array in the place of model.params['{name}']: change the "
                        "array itself, as with p -= ..., because the layers hold the old one",
                        example(steps),
                    )


def example(steps: Steps) -> str:
    """Write the calls down, where they are short."""
    options = "".join(f", {name}={value}" for name, value in steps.options.items())
    if sum(value.size for value in steps.start.values()) > 4:
        shapes = ", ".join(f"{name} of shape {value.shape}" for name, value in steps.start.items())
        return f"Adam(model{options}) and {len(steps.grads)} steps; {shapes}"
    grads = ", then ".join(map(_words, steps.grads))
    return (
        f"Adam(model{options}) with model.params = {_words(steps.start)}; step() with "
        f"model.grads = {grads}"
    )


def _words(arrays: Arrays) -> str:
    pairs = (f"{k}: [{' '.join(f'{x:.4g}' for x in v.ravel())}]" for k, v in arrays.items())
    return f"{{{', '.join(pairs)}}}"
