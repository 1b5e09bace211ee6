"""SOAP in PyTorch, for `fit.py` to compare with: Adam in the eigenbasis of Shampoo's covariances.

Written from algorithm 3 of Vyas et al., "SOAP: improving and stabilizing Shampoo using Adam", 2024.
As in the authors' program a tensor keeps all its axes, with a covariance for each; one gradient is
seen before the first step; a gradient is counted into the covariances after its step; and biases
get plain Adam.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


class SOAP(torch.optim.Optimizer):
    """One step of orthogonal iteration follows the eigenvectors every `refresh` steps."""

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 3e-3,
        betas: tuple[float, float] = (0.95, 0.95),
        eps: float = 1e-8,
        refresh: int = 10,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "refresh": refresh})

    @torch.no_grad()
    def step(self) -> None:
        """Change every parameter by its gradient; the first time, only look at the gradients."""
        for group in self.param_groups:
            for param in group["params"]:
                state = self.state[param]
                if state:
                    self._change(param, group, state)
                else:
                    state |= start(param)
                self._follow(param.grad, group, state)

    def _change(self, param: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        """Take Adam's step in the eigenbasis."""
        (beta1, beta2), bases = group["betas"], state["bases"]
        grad = turn(param.grad, bases)
        state["step"] += 1
        state["mean"].lerp_(grad, 1 - beta1)
        state["square"].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        scale = (1 - beta2 ** state["step"]) ** 0.5 / (1 - beta1 ** state["step"])
        adam = state["mean"] / (state["square"].sqrt() + group["eps"])
        param.sub_(turn(adam, [basis.T for basis in bases]), alpha=group["lr"] * scale)

    def _follow(self, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        """Count a gradient into the covariances, and renew the bases if it is time."""
        for axis, covariance in enumerate(state["covariances"]):
            rows = grad.transpose(0, axis).flatten(1)
            covariance.lerp_(rows @ rows.T, 1 - group["betas"][1])
        if state["step"] == 0:
            state["bases"] = [eigenvectors(covariance) for covariance in state["covariances"]]
        elif state["step"] % group["refresh"] == 0:
            mean = turn(state["mean"], [basis.T for basis in state["bases"]])
            for axis, covariance in enumerate(state["covariances"]):
                basis = state["bases"][axis]
                order = torch.sum(basis * (covariance @ basis), 0).argsort(descending=True)
                state["square"] = state["square"].index_select(axis, order)
                state["bases"][axis] = torch.linalg.qr(covariance @ basis[:, order])[0]
            state["mean"] = turn(mean, state["bases"])


def start(param: Tensor) -> dict[str, Any]:
    """Return a parameter's state before the first step."""
    sides = param.shape if param.ndim > 1 else ()
    return {
        "step": 0,
        "mean": torch.zeros_like(param),
        "square": torch.zeros_like(param),
        "covariances": [param.new_zeros(side, side) for side in sides],
    }


def eigenvectors(covariance: Tensor) -> Tensor:
    """Return the eigenvectors as columns, that of the largest eigenvalue first."""
    return torch.linalg.eigh(covariance)[1].flip(1)


def turn(x: Tensor, bases: list[Tensor]) -> Tensor:
    """Multiply every axis by its basis. Each product moves the first axis to the end."""
    for basis in bases:
        x = torch.tensordot(x, basis, ([0], [0]))
    return x
