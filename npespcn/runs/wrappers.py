"""Optimizers around an optimizer: each changes the gradients, the rate or the step that it takes.

To the training loop an optimizer is any object with ``model``, ``lr`` and ``step()``. A wrapper is
one, too, so wrappers can be nested: ``Scheduled(Centered(Adam(model), 0.5), cosine(1000))``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from npespcn.common.checks import from_zero
from npespcn.common.messages import short_repr


class Wrapper:
    """Base class: steps like the optimizer inside, and shares its model and learning rate."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer, self.model = optimizer, optimizer.model

    def step(self) -> None:
        """Change every parameter by its gradient."""
        self.optimizer.step()

    @property
    def lr(self) -> float:
        """The learning rate of the optimizer inside."""
        return self.optimizer.lr

    @lr.setter
    def lr(self, rate: float) -> None:
        self.optimizer.lr = rate


def unwrapped(optimizer: Any) -> Any:
    """Return the optimizer inside all wrappers, which has the state."""
    while isinstance(optimizer, Wrapper):
        optimizer = optimizer.optimizer
    return optimizer


class Scaled(Wrapper):
    """Multiply the change of some parameters: the paper trains its last layer ten times slower.

    Parameters
    ----------
    optimizer : Optimizer
    factors : mapping of str to float
        At least 0, by the name of a parameter ("conv3.weight") or of a layer ("conv3"); a
        parameter's own name takes precedence over its layer's.

    Raises
    ------
    TypeError, ValueError
        If `factors` is no mapping, or if a name belongs to no parameter, or a factor is below 0.

    Examples
    --------
    >>> from npespcn.models import ESPCN
    >>> from npespcn.optim import Adam
    >>> optimizer = Scaled(Adam(ESPCN(3)), {"conv3": 0.1})
    """

    def __init__(self, optimizer: Any, factors: Mapping[str, float]) -> None:
        super().__init__(optimizer)
        if not isinstance(factors, Mapping):
            raise TypeError(
                f"Scaled: factors must be a mapping of names, got {short_repr(factors)}"
            )
        names = list(optimizer.model.params)
        self.factors: dict[str, float] = {}
        for key, factor in factors.items():
            self.factors[key] = from_zero(f"Scaled: factors[{key!r}]", factor)
            if not any(name == key or name.startswith(f"{key}.") for name in names):
                raise ValueError(
                    f"Scaled: factors names {key!r}, but the parameters are {', '.join(names)}"
                )

    def step(self) -> None:
        """Step, and then move each of these parameters to a point between old and new."""
        found = [(param, self._factor(name)) for name, param in self.model.params.items()]
        before = [(param, factor, param.copy()) for param, factor in found if factor != 1]
        super().step()
        for param, factor, old in before:
            param[...] = old + factor * (param - old)

    def _factor(self, name: str) -> float:
        while name and name not in self.factors:  # the parameter, its layer, the layer's network
            name = name.rpartition(".")[0]
        return self.factors.get(name, 1.0)
