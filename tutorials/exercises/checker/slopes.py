"""Gradients by their definition: how a number changes where one entry moves a little."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tutorials.exercises.checker import grids
from tutorials.exercises.checker.student import Broken

STEP = 1e-3
EXACT = 1e-9  # relative to the largest: far from the measured ones (1e-12), and from float32 (1e-8)
CLOSE = 1e-5  # nearer than that is no other formula, but rounding


def slopes(function: Callable[[Any], Any], x: Any) -> Any:
    """Return the gradient of a function, array to number, at x in float64, by differences.

    Four steps for each entry, so that the error goes as the fifth derivative.
    """
    gradient = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        values = []
        for steps in (-2, -1, 1, 2):
            moved = x.copy()
            moved[index] += steps * STEP
            values.append(function(moved))
        gradient[index] = (8 * (values[2] - values[1]) - (values[3] - values[0])) / (12 * STEP)
    return gradient


def check_slopes(name: str, right: Any, came: Any, example: str) -> None:
    """Raise `Broken` where a gradient is not the one that was measured."""
    if np.shape(came) != right.shape:
        words = f"{right.shape} was expected, {np.shape(came)} came"
        raise Broken(f"{name} has the wrong shape: {words}", example)
    error = np.abs(right - came).max() / np.abs(right).max()
    if error <= EXACT:
        return
    if error < CLOSE:
        digits = f"{-np.log10(error):.0f} digits"
        raise Broken(f"{name} has only {digits}: is there a float32 on the way?", example)
    raise Broken(
        f"{name} is not how the loss changes, where one entry after the other moves a little",
        example,
        grids.compare(name, right, came),
    )
