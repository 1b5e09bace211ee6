"""Learning-rate schedules, beside `npespcn.optim.cosine`: step -> factor on the rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from npespcn.common.checks import fraction, from_zero, positive, whole_number
from npespcn.common.messages import short_repr
from npespcn.runs.wrappers import Wrapper

Schedule: TypeAlias = Callable[[int], float]
"""The factor on the learning rate at a step, counted from 0."""


class Scheduled(Wrapper):
    """Multiply the learning rate of each step by a schedule's factor; `step` is the first step."""

    def __init__(self, optimizer: Any, schedule: Schedule, step: int = 0) -> None:
        super().__init__(optimizer)
        self.schedule, self.first_lr, self.next_step = schedule, optimizer.lr, step

    def step(self) -> None:
        """Set the rate, and step."""
        self.lr = self.first_lr * self.schedule(self.next_step)
        self.next_step += 1
        super().step()


def step_decay(milestones: Sequence[int], factor: float = 0.1) -> Schedule:
    """Multiply by `factor` at each of the `milestones` (steps).

    >>> schedule = step_decay([100, 200])
    >>> [round(schedule(step), 3) for step in (99, 100, 200)]
    [1.0, 0.1, 0.01]
    """
    if not isinstance(milestones, Sequence):
        raise TypeError(
            f"step_decay: milestones must be whole numbers, got {short_repr(milestones)}"
        )
    milestones = [whole_number("step_decay: milestones", step, 0) for step in milestones]
    positive("step_decay: factor", factor)
    return lambda step: float(factor ** sum(step >= milestone for milestone in milestones))


class Plateau:
    """The paper's rule (section 3.2): lower the rate whenever the loss has stopped improving.

    The rate falls by `factor` each time that `patience` losses in a row improve on the best by no
    more than the relative `threshold`, but never below `final` times the first rate. The paper goes
    from 0.01 to 0.0001, and does not publish its threshold.
    """

    def __init__(
        self,
        factor: float = 0.5,
        patience: int = 10,
        threshold: float = 1e-3,
        final: float = 0.01,
    ) -> None:
        self.factor = positive("Plateau: factor", factor)
        self.patience = whole_number("Plateau: patience", patience, 1)
        self.threshold = fraction("Plateau: threshold", threshold)
        self.final = from_zero("Plateau: final", final)
        self.scale, self.best, self.waited = 1.0, math.inf, 0

    def __call__(self, step: int) -> float:
        """Return the current factor; the step does not matter."""
        return self.scale

    def observe(self, loss: float) -> None:
        """Observe a loss, such as an epoch's mean."""
        if loss < self.best * (1 - self.threshold):
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.scale, self.waited = max(self.scale * self.factor, self.final), 0

    def state_dict(self) -> dict[str, Any]:
        """Return the rule's state, for a checkpoint."""
        return {"scale": self.scale, "best": self.best, "waited": self.waited}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.scale, self.best, self.waited = state["scale"], state["best"], state["waited"]
