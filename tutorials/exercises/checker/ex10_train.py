"""Exercise 10: Adam and the training loop: beat bicubic in 60 seconds."""

from __future__ import annotations

import os
import time
from typing import Any
from unittest.mock import patch

import numpy as np

from tutorials.exercises.checker import adam, loop
from tutorials.exercises.checker.adam import ODD, PLAIN
from tutorials.exercises.checker.adam_slips import Path, Steps, agree
from tutorials.exercises.checker.answers import answers
from tutorials.exercises.checker.student import Broken, Student
from tutorials.exercises.checker.task import Rung

TITLE = "Adam and the training loop: beat bicubic in 60 seconds"
HINTS = (
    "Make m and v in __init__: for each name an array of zeros, of that parameter's shape. t is 0. "
    "What must step do to t before anything else, and how often in a step?",
    "p = p - change makes a new array, and the model keeps the old one; p -= change changes the "
    "array itself. Keep m and v without their corrections: divide when you use them.",
    "step: t += 1; for name, p in model.params.items(): m[name], v[name] from model.grads[name]; "
    "p -= lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + epsilon). train: five lines "
    "in a loop; dy = 2 * (y - target) / y.size.",
)

QUESTIONS = [*PLAIN, *ODD]


def ask(torch: Any, question: Steps) -> tuple[Any, ...]:
    """Ask torch.optim.Adam; return for each parameter its values after every step."""
    params = {k: torch.nn.Parameter(torch.from_numpy(p.copy())) for k, p in question.start.items()}
    options = dict(question.options)
    if "epsilon" in options:
        options["eps"] = options.pop("epsilon")
    optimizer = torch.optim.Adam(params.values(), **options)
    path: dict[str, list[Any]] = {name: [] for name in params}
    for grads in question.grads:
        for name, p in params.items():
            p.grad = torch.from_numpy(grads[name].copy())
        optimizer.step()
        for name, p in params.items():
            path[name].append(p.detach().numpy().copy())
    return tuple(np.stack(values) for values in path.values())


def rungs() -> list[Rung]:
    """Return Adam's rungs, the loop's, and the one for both."""
    given = answers("ex10_train", QUESTIONS, ask)
    paths: list[Path] = [
        [dict(zip(steps.start, values, strict=True)) for values in zip(*answer, strict=True)]
        for steps, answer in zip(QUESTIONS, given, strict=True)
    ]
    plain = list(zip(PLAIN, paths, strict=False))
    odd = list(zip(ODD, paths[len(PLAIN) :], strict=True))

    def odd_inputs(student: Student) -> None:
        adam.check_values(student, odd)
        steps, path = plain[2]
        came = adam.follow(student, steps, "float32")
        if isinstance(came, Broken) or not agree(came, path, steps, tolerance=1e-3):
            raise Broken("right for float64, wrong for float32", adam.example(steps))
        adam.check_two_at_once(student, odd[2], plain[1])

    return [
        Rung("Adam: runs", 1, adam.check_runs),
        Rung("Adam: dtype", 1, adam.check_dtype),
        Rung("Adam: values", 4, lambda student: adam.check_values(student, plain)),
        Rung("Adam: odd inputs", 2, odd_inputs),
        Rung("Adam: arguments", 1, adam.check_arguments),
        Rung("train: runs", 1, loop.check_runs),
        Rung("train: order", 2, loop.check_order),
        Rung("train: dtype", 1, loop.check_dtype),
        Rung("train: values", 3, lambda student: loop.check_values(student, loop.BATCHES)),
        Rung("train: odd inputs", 1, loop.check_odd),
        Rung("train: arguments", 1, loop.check_arguments),
        Rung("beats bicubic", 2, _beats_bicubic, seconds=75),
    ]


STEPS, SECONDS = 150, 60.0
PICTURES, HELD_OUT, SIDE = 16, 4, 120
BATCH, PATCH, LR = 8, 16, 2e-3
MIDDLE = np.float32(0.5)  # subtracted from all pictures, as in lesson 7


def _beats_bicubic(student: Student) -> str:
    """Train an ESPCN ×3 by the student's pieces; return both figures.

    It takes about 2 seconds on one core, and gains 1.3 dB.
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
    begun, drawn, late = time.monotonic(), 0, False

    def next_batch() -> tuple[Any, Any]:
        nonlocal drawn, late
        if time.monotonic() - begun > SECONDS:
            late = True
            raise TimeoutError
        drawn += 1
        x, target = data.batch(rng, BATCH, PATCH)  # (8, 1, 16, 16), (8, 1, 48, 48)
        return x - MIDDLE, target[..., 12:-12, 12:-12] - MIDDLE  # y lacks 4 LR pixels on each side

    with patch.dict(os.environ, NPESPCN_THREADS="1"):  # many threads' stacks would be over limits
        optimizer = adam.make(student, network, {"lr": LR})
        try:
            student.run(student.get("train"), network, next_batch, optimizer, STEPS)
        except Broken:
            if late:
                raise Broken(
                    f"{SECONDS:.0f} seconds were over after {drawn - 1} of {STEPS} steps: work on "
                    "whole arrays, without loops over their numbers"
                ) from None
            raise
        outputs = [network.predict(x - MIDDLE) + MIDDLE for x, _ in pairs]
    ours, bicubic = (
        np.mean([psnr(y, hr[0, 0], 1, border=3) for y, (_, hr) in zip(made, pairs, strict=True)])
        for made in (
            [y[0, 0] for y in outputs],
            [upscale_bicubic(x[0, 0], 3) for x, _ in pairs],
        )
    )
    seconds = time.monotonic() - begun
    figures = f"your network {ours:.1f} dB, bicubic {bicubic:.1f} dB"
    if not ours > bicubic:
        raise Broken(
            f"{figures}: that is not better, after {STEPS} steps",
            f"on {HELD_OUT} pictures of dead leaves that it has not seen; Adam(model, lr={LR})",
        )
    return f"{figures}, in {seconds:.1f} seconds"
