"""Optimisers and learning-rate schedules.

An optimiser holds on to a model and a rate. ``step()`` reads ``model.grads`` and changes
``model.params`` in place. What it remembers between steps is in ``state``, one dictionary of arrays
for each parameter, so that a checkpoint can save it and a resumed run goes on to the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from npespcn.common.checks import array, fraction, from_zero, positive, whole_number
from npespcn.common.messages import shown
from npespcn.fast.gpu import Array, array_module, device_of, to_device, to_host
from npespcn.fast.threads import one_blas_thread
from npespcn.layers import Layer

Schedule: TypeAlias = Callable[[int], float]
"""The factor on the learning rate at a step, counted from 0."""


class Optimizer:
    """What every optimiser shares.

    Parameters
    ----------
    model : Layer
    lr : float
        The learning rate. May be changed between steps.
    lr_factors : mapping of str to float, optional
        Factors on the rate for some parameters, by name ("conv3.weight") or by layer ("conv3").
        The paper trains its last layer ten times slower: ``{"conv3": 0.1}``.

    Raises
    ------
    TypeError, ValueError
        If `lr` is not a positive number, or a factor names no parameter, or is below 0.
    """

    def __init__(
        self, model: Layer, lr: float, lr_factors: Mapping[str, float] | None = None
    ) -> None:
        name = type(self).__name__
        if not isinstance(model, Layer):
            raise TypeError(f"{name}: model must be a layer, got {shown(model)}")
        if not isinstance(lr_factors, Mapping | None):
            raise TypeError(
                f"{name}: lr_factors must be a mapping of names, got {shown(lr_factors)}"
            )
        self.model, self.lr = model, positive(f"{name}: lr", lr)
        self.lr_factors: dict[str, float] = {}
        for key, factor in (lr_factors or {}).items():
            self.lr_factors[key] = from_zero(f"{name}: lr_factors[{key!r}]", factor)
            if not any(param == key or param.startswith(f"{key}.") for param in model.params):
                raise ValueError(
                    f"{name}: lr_factors names {key!r}, but the parameters are "
                    f"{', '.join(model.params)}"
                )
        self.steps = 0
        self.state: dict[str, dict[str, Array]] = {key: {} for key in model.params}

    def step(self) -> None:
        """Change every parameter by its gradient.

        Raises
        ------
        RuntimeError
            If a parameter has no gradient, because there was no backward pass.
        """
        grads = self.model.grads
        missing = [name for name in self.model.params if name not in grads]
        if missing:
            raise RuntimeError(
                f"{type(self).__name__}.step called before backward: no gradient for "
                f"{', '.join(missing)}"
            )
        self.steps += 1
        with one_blas_thread():  # the products are small, and the bits must not depend on threads
            for name, param in self.model.params.items():
                lr = self.lr * self._factor(name)
                param -= lr * self.direction(grads[name], self.state[name])

    def direction(self, grad: Array, state: dict[str, Array]) -> Array:
        """Return what to subtract, at rate 1, and update this parameter's `state`."""
        raise NotImplementedError(f"{type(self).__name__} does not define direction")

    def state_dict(self) -> dict[str, Array]:
        """Return what the next steps depend on, as NumPy arrays: "parameter/entry"."""
        return {
            f"{name}/{key}": to_host(value).copy()
            for name, entries in self.state.items()
            for key, value in entries.items()
        }

    def load_state_dict(self, arrays: Mapping[str, Array], steps: int) -> None:
        """Take up `arrays` as `state_dict` gave them after `steps` steps.

        Raises
        ------
        ValueError
            If an entry belongs to no parameter of the model; or if one is missing, has another
            shape or dtype than `direction` makes, or is not all finite numbers.
        """
        state: dict[str, dict[str, Array]] = {key: {} for key in self.model.params}
        if not isinstance(arrays, Mapping):
            kind = type(arrays).__name__
            raise TypeError(f"load_state_dict: arrays must be a mapping of names, got {kind}")
        steps = whole_number("load_state_dict: steps", steps, 0)
        for entry, value in arrays.items():
            array(f"load_state_dict: arrays[{entry!r}]", value)
            name, _, key = entry.rpartition("/")
            if name not in state:
                raise ValueError(f"load_state_dict: {entry!r} belongs to no parameter of the model")
            state[name][key] = value
        for name, expected in self._after_a_step().items() if steps else ():
            if state[name].keys() != expected.keys():
                keys = ", ".join(expected)
                raise ValueError(f"load_state_dict: {name!r} needs the entries {keys}")
            for key, like in expected.items():
                value = state[name][key]
                kind = f"{like.dtype} of shape {like.shape}"
                if value.shape != like.shape or value.dtype != like.dtype:
                    got = f"{value.dtype} of shape {value.shape}"
                    raise ValueError(f"load_state_dict: {name}/{key} must be {kind}, got {got}")
                if not array_module(value).isfinite(value).all():
                    raise ValueError(f"load_state_dict: {name}/{key} is not all finite numbers")
        for name, entries in state.items():
            device = device_of(self.model.params[name])
            state[name] = {key: to_device(value, device).copy() for key, value in entries.items()}
        self.state, self.steps = state, steps

    def _after_a_step(self) -> dict[str, dict[str, Array]]:
        """Return a state such as `direction` makes in its first step, of gradients of 0."""
        state: dict[str, dict[str, Array]] = {name: {} for name in self.model.params}
        before, self.steps = self.steps, 1
        try:
            for name, param in self.model.params.items():
                self.direction(array_module(param).zeros_like(param), state[name])
        finally:
            self.steps = before
        return state

    def _factor(self, name: str) -> float:
        while name not in self.lr_factors:  # the parameter, its layer, the network that holds it
            name = name.rpartition(".")[0]
            if not name:
                return 1.0
        return self.lr_factors[name]


class SGD(Optimizer):
    """Stochastic gradient descent: v = momentum * v + g; p -= lr * v. As in PyTorch."""

    def __init__(
        self,
        model: Layer,
        lr: float = 1e-2,
        momentum: float = 0.0,
        lr_factors: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(model, lr, lr_factors)
        self.momentum = fraction("SGD: momentum", momentum)

    def direction(self, grad: Array, state: dict[str, Array]) -> Array:
        if self.momentum == 0:
            return grad
        velocity = state.setdefault("velocity", array_module(grad).zeros_like(grad))
        velocity *= self.momentum
        velocity += grad
        return velocity


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1): each entry's step is about lr, whatever its scale.

    m and v are running means of g and g²; both start at 0, hence the bias corrections::

        m = β₁ m + (1 - β₁) g        v = β₂ v + (1 - β₂) g²
        p -= lr * (m / (1 - β₁ᵗ)) / (sqrt(v / (1 - β₂ᵗ)) + ε)
    """

    def __init__(
        self,
        model: Layer,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        lr_factors: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(model, lr, lr_factors)
        name = type(self).__name__
        if not isinstance(betas, tuple | list):
            raise TypeError(f"{name}: betas must be two numbers, got {shown(betas)}")
        if len(betas) != 2:
            raise ValueError(f"{name}: betas must be two numbers, got {shown(betas)}")
        self.betas = (fraction(f"{name}: betas", betas[0]), fraction(f"{name}: betas", betas[1]))
        self.epsilon = from_zero(f"{name}: epsilon", epsilon)

    def direction(self, grad: Array, state: dict[str, Array]) -> Array:
        mean = _running_mean(state, "mean", grad, self.betas[0])
        square = _running_mean(state, "square", grad * grad, self.betas[1])
        return self._adam(mean, square)

    def _adam(self, mean: Array, square: Array) -> Array:
        correction1, correction2 = (1 - beta**self.steps for beta in self.betas)
        root = array_module(square).sqrt(square * (1 / correction2))
        root += self.epsilon
        ratio: Array = (mean * (1 / correction1)) / root
        return ratio


class SOAP(Adam):
    """Adam in the eigenbasis of the gradients' covariances (Vyas et al. 2024, algorithm 3).

    Adam gives every *entry* its own rate, which suits a problem whose directions of steep and of
    shallow descent run along the entries. Here they do not: neighbouring taps of a filter move
    together. So SOAP turns each gradient into a basis where they come apart, and is Adam there.
    With the weight seen as a matrix (O, C*k*k)::

        L, R = running means of G Gᵀ and Gᵀ G           Q_L, Q_R = their eigenvectors
        G' = Q_Lᵀ G Q_R                                 Adam on G', giving D'
        W -= lr * Q_L D' Q_Rᵀ

    The eigenvectors change slowly: every `refresh` steps one step of orthogonal iteration, a
    product and a QR decomposition, follows them. ESPCN's matrices are tiny (64×64 and 25×25, 32×32
    and 576×576), so a step costs little more than Adam's. Biases, with no second axis, get Adam.
    The paper counts a gradient into L and R after the step that it causes; here that comes first,
    so that the first step is not lost.

    Parameters
    ----------
    refresh : int
        Steps from one update of the eigenvectors to the next.
    covariance_beta : float
        How slowly the running means of the covariances forget.
    """

    def __init__(
        self,
        model: Layer,
        lr: float = 3e-3,
        betas: tuple[float, float] = (0.95, 0.95),
        epsilon: float = 1e-8,
        lr_factors: Mapping[str, float] | None = None,
        refresh: int = 20,
        covariance_beta: float = 0.95,
    ) -> None:
        super().__init__(model, lr, betas, epsilon, lr_factors)
        self.refresh = whole_number("SOAP: refresh", refresh, 1)
        self.covariance_beta = fraction("SOAP: covariance_beta", covariance_beta)

    def direction(self, grad: Array, state: dict[str, Array]) -> Array:
        if grad.ndim < 2:
            return super().direction(grad, state)
        g = grad.reshape(len(grad), -1)  # (O, C*k*k)
        _running_mean(state, "left", g @ g.T, self.covariance_beta)
        _running_mean(state, "right", g.T @ g, self.covariance_beta)
        if "left_basis" not in state:
            xp = array_module(g)
            for side in ("left", "right"):
                basis = xp.linalg.eigh(state[side])[1][:, ::-1]  # largest first
                # Copied, as a checkpoint does: a product's last bits can depend on the layout.
                state[f"{side}_basis"] = xp.ascontiguousarray(basis)
        elif self.steps % self.refresh == 0:
            self._follow_the_basis(state)
        left, right = state["left_basis"], state["right_basis"]
        mean = _running_mean(state, "mean", g, self.betas[0])
        square = _running_mean(state, "square", (left.T @ g @ right) ** 2, self.betas[1])
        turned = self._adam(left.T @ mean @ right, square)
        return (left @ turned @ right.T).reshape(grad.shape)

    def _follow_the_basis(self, state: dict[str, Array]) -> None:
        """One step of orthogonal iteration on each side; `square` is reordered along with them."""
        linalg = array_module(state["left"]).linalg
        for axis, side in enumerate(("left", "right")):
            covariance, basis = state[side], state[f"{side}_basis"]
            pushed = covariance @ basis
            strength = (basis * pushed).sum(axis=0)  # the estimated eigenvalues
            order = strength.argsort()[::-1]
            state["square"] = state["square"].take(order, axis=axis)
            state[f"{side}_basis"] = linalg.qr(pushed[:, order])[0]


def cosine(steps: int, final: float = 0.0) -> Schedule:
    """From 1 at step 0 down to `final` at step `steps`, along half a cosine."""
    whole_number("cosine: steps", steps, 1)
    from_zero("cosine: final", final)
    return lambda step: (
        final + (1 - final) * 0.5 * (1 + math.cos(math.pi * min(step, steps) / steps))
    )


def step_decay(milestones: Sequence[int], factor: float = 0.1) -> Schedule:
    """Multiply by `factor` at each of the `milestones` (steps)."""
    if not isinstance(milestones, Sequence):
        raise TypeError(f"step_decay: milestones must be whole numbers, got {shown(milestones)}")
    milestones = [whole_number("step_decay: milestones", step, 0) for step in milestones]
    positive("step_decay: factor", factor)
    return lambda step: factor ** sum(step >= milestone for milestone in milestones)


class Plateau:
    """The paper's rule (section 3.2): a lower rate whenever the loss has stopped getting better.

    The rate falls by `factor` each time that `patience` losses in a row were not better than the
    best by more than `threshold`, relatively, and never below `final` times the first rate. The
    paper goes from 0.01 to 0.0001, and does not publish its threshold.
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
        """Return the factor now in force; the step does not matter."""
        return self.scale

    def observe(self, loss: float) -> None:
        """Take note of a loss, such as an epoch's mean."""
        if loss < self.best * (1 - self.threshold):
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.scale, self.waited = max(self.scale * self.factor, self.final), 0

    def state_dict(self) -> dict[str, Any]:
        """Return what the rule remembers, for a checkpoint."""
        return {"scale": self.scale, "best": self.best, "waited": self.waited}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        self.scale, self.best, self.waited = state["scale"], state["best"], state["waited"]


def _running_mean(state: dict[str, Array], key: str, value: Array, beta: float) -> Array:
    """Update ``state[key]``, a running mean that starts at 0, in place."""
    if key not in state:
        state[key] = array_module(value).zeros_like(value)
    mean = state[key]
    mean *= beta
    mean += (1 - beta) * value
    return mean
