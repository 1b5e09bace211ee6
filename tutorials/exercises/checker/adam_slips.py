"""Known mistakes in Adam, for exercise 10."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np

from tutorials.exercises.checker.student import Broken

Arrays: TypeAlias = dict[str, Any]
Path: TypeAlias = list[Arrays]
"""The parameters after each step."""

DEFAULTS: dict[str, Any] = {"lr": 1e-3, "betas": (0.9, 0.999), "epsilon": 1e-8}
TOLERANCE = 1e-5  # of lr


@dataclass(frozen=True)
class Steps:
    """Parameters, their gradients at each step, Adam's options, and the oddity of the case."""

    start: Arrays
    grads: Sequence[Arrays]
    options: Mapping[str, Any] = field(default_factory=dict)
    oddity: str = ""


def copied(arrays: Arrays, dtype: str = "float64") -> Arrays:
    """Copy every array."""
    return {name: value.astype(dtype) for name, value in arrays.items()}


def agree(a: Path, b: Path, steps: Steps, tolerance: float = TOLERANCE) -> bool:
    """Whether two paths are the same, up to a small part of a step."""
    atol = tolerance * steps.options.get("lr", DEFAULTS["lr"])
    return all(
        one[name].shape == two[name].shape
        and one[name].dtype.kind == two[name].dtype.kind
        and np.allclose(one[name], two[name], rtol=0, atol=atol, equal_nan=True)
        for one, two in zip(a, b, strict=True)
        for name in steps.start
    )


def _moments(m: Any, v: Any, g: Any, o: Any) -> tuple[Any, Any]:
    return o.beta1 * m + (1 - o.beta1) * g, o.beta2 * v + (1 - o.beta2) * g * g


def _change(m: Any, v: Any, o: Any) -> Any:
    return o.lr * _m(m, o) / (np.sqrt(_v(v, o)) + o.epsilon)


def _m(m: Any, o: Any) -> Any:
    return m / (1 - o.beta1**o.t)


def _v(v: Any, o: Any) -> Any:
    return v / (1 - o.beta2**o.t)


def _but(o: Any, **other: Any) -> Any:
    return SimpleNamespace(**vars(o) | other)


@dataclass(frozen=True)
class Slip:
    """A known way to be wrong: Adam with one piece replaced. Its o holds t, lr and so on."""

    message: str
    change: Callable[[Any, Any, Any], Any] = _change
    moments: Callable[[Any, Any, Any, Any], Any] = _moments
    count: Callable[[int, int, int], int] = lambda step, index, parameters: step
    shared: str = ""  # "m", "v" or "mv": one for all parameters


def _slipped(slip: Slip, steps: Steps) -> Path:
    options = {**DEFAULTS, **steps.options}
    beta1, beta2 = options["betas"]
    params, path = copied(steps.start), []
    state: dict[tuple[str, str], Any] = {}
    for step, grads in enumerate(steps.grads, 1):
        for i, name in enumerate(params):
            keys = [(kind, "all" if kind in slip.shared else name) for kind in "mv"]
            t = np.float64(slip.count(step, i, len(params)))  # 1 / 0 is infinite, as of arrays
            o = SimpleNamespace(**options, beta1=beta1, beta2=beta2, t=t)
            with np.errstate(all="ignore"):
                m, v = (state.get(key, 0.0) for key in keys)
                m, v = slip.moments(m, v, grads[name], o)
                params[name] -= slip.change(m, v, o)
            state |= zip(keys, (m, v), strict=True)
        path.append(copied(params))
    return path


def as_slipped(slip: Slip, steps: Steps, came: Path | Broken) -> bool:
    """Whether this slip leads to where a student's optimizer went."""
    try:
        path = _slipped(slip, steps)
    except ValueError:  # shapes that do not fit
        return isinstance(came, Broken) and came.raised
    return not isinstance(came, Broken) and agree(came, path, steps)


SLIPS = (
    Slip(
        "you go uphill: the change is to be subtracted from p, not added",
        lambda *a: -_change(*a),
    ),
    Slip(
        "the bias corrections are missing: divide m by 1 - beta1**t, and v by 1 - beta2**t",
        lambda m, v, o: o.lr * m / (np.sqrt(v) + o.epsilon),
    ),
    Slip(
        "m has no bias correction: divide it by 1 - beta1**t",
        lambda m, v, o: o.lr * m / (np.sqrt(_v(v, o)) + o.epsilon),
    ),
    Slip(
        "v has no bias correction: divide it by 1 - beta2**t",
        lambda m, v, o: o.lr * _m(m, o) / (np.sqrt(v) + o.epsilon),
    ),
    Slip(
        "m and v are both corrected by beta1: v needs 1 - beta2**t",
        lambda m, v, o: _change(m, v, _but(o, beta2=o.beta1)),
    ),
    Slip(
        "m and v are both corrected by beta2: m needs 1 - beta1**t",
        lambda m, v, o: _change(m, v, _but(o, beta1=o.beta2)),
    ),
    Slip(
        "the bias corrections are swapped: m needs 1 - beta1**t, and v needs 1 - beta2**t",
        lambda m, v, o: _change(m, v, _but(o, beta1=o.beta2, beta2=o.beta1)),
    ),
    Slip(
        "you multiply by the bias corrections: divide m and v by them",
        lambda m, v, o: _change(m / _m(1, o) ** 2, v / _v(1, o) ** 2, o),
    ),
    Slip(
        "the bias corrections have beta * t: they need beta to the power of t, beta**t",
        lambda m, v, o: (
            o.lr * m / (1 - o.beta1 * o.t) / (np.sqrt(v / (1 - o.beta2 * o.t)) + o.epsilon)
        ),
    ),
    Slip(
        "v's bias correction is outside the root: divide v by it first, and then take the root",
        lambda m, v, o: o.lr * _m(m, o) / (_v(np.sqrt(v), o) + o.epsilon),
    ),
    Slip(
        "the corrected m and v are kept for the next step: keep the uncorrected ones",
        lambda m, v, o: o.lr * m / (np.sqrt(v) + o.epsilon),
        lambda *a: [f(x, a[-1]) for f, x in zip((_m, _v), _moments(*a), strict=True)],
    ),
    Slip(
        "epsilon is inside the root: it is added after it, sqrt(...) + epsilon",
        lambda m, v, o: o.lr * _m(m, o) / np.sqrt(_v(v, o) + o.epsilon),
    ),
    Slip(
        "epsilon is added before v's bias correction: correct v, take the root, then add epsilon",
        lambda m, v, o: o.lr * _m(m, o) / ((np.sqrt(v) + o.epsilon) * np.sqrt(_v(1, o))),
    ),
    Slip(
        "epsilon is missing: it keeps the divisor from being zero where all gradients have been",
        lambda m, v, o: _change(m, v, _but(o, epsilon=0)),
    ),
    Slip(
        "epsilon is added to the whole fraction: it belongs to the divisor, (sqrt(...) + epsilon)",
        lambda m, v, o: o.lr * (_m(m, o) / np.sqrt(_v(v, o)) + o.epsilon),
    ),
    Slip(
        "the square root is missing: divide by sqrt(v / (1 - beta2**t)) + epsilon",
        lambda m, v, o: o.lr * _m(m, o) / (_v(v, o) + o.epsilon),
    ),
    Slip(
        "v is not used: divide by sqrt(v / (1 - beta2**t)) + epsilon",
        lambda m, v, o: o.lr * _m(m, o),
    ),
    Slip(
        "lr is not used: the change is lr times the fraction",
        lambda m, v, o: _change(m, v, _but(o, lr=1)),
    ),
    Slip(
        "your steps have the default lr, whatever lr is given: keep it in __init__, as self.lr",
        lambda m, v, o: _change(m, v, _but(o, **DEFAULTS)),
    ),
    Slip(
        "the betas are swapped: betas[0] is for m, and betas[1] for v",
        lambda m, v, o: _change(m, v, _but(o, beta1=o.beta2, beta2=o.beta1)),
        lambda m, v, g, o: _moments(m, v, g, _but(o, beta1=o.beta2, beta2=o.beta1)),
    ),
    Slip(
        "the betas are swapped in the running means: betas[0] is for m, and betas[1] for v",
        moments=lambda m, v, g, o: _moments(m, v, g, _but(o, beta1=o.beta2, beta2=o.beta1)),
    ),
    Slip(
        "beta and 1 - beta are swapped: beta goes with the old m, and 1 - beta with g",
        moments=lambda m, v, g, o: _moments(m, v, g, _but(o, beta1=1 - o.beta1, beta2=1 - o.beta2)),
    ),
    Slip(
        "v is a running mean of the gradient: it is one of its square, g * g",
        moments=lambda m, v, g, o: (_moments(m, 0, g, o)[0], o.beta2 * v + (1 - o.beta2) * g),
    ),
    Slip(
        "v is a running mean of abs(g): it is one of its square, g * g",
        moments=lambda m, v, g, o: (
            _moments(m, 0, g, o)[0],
            o.beta2 * v + (1 - o.beta2) * np.abs(g),
        ),
    ),
    Slip(
        "m and v lack the factors 1 - beta: m = beta1 * m + (1 - beta1) * g, and v alike",
        moments=lambda m, v, g, o: (o.beta1 * m + g, o.beta2 * v + g * g),
    ),
    Slip(
        "m and v start anew at every step: keep them in self from one step to the next",
        moments=lambda m, v, g, o: _moments(0, 0, g, o),
    ),
    Slip(
        "m and v are one and the same array: each needs its own",
        moments=lambda m, v, g, o: _moments(0, _moments(m, 0, g, o)[0], g, o)[1:] * 2,
    ),
    Slip(
        "t is 1 at every step: count it in self.t, from one step to the next",
        count=lambda step, index, parameters: 1,
    ),
    Slip(
        "t is 0 at the first step, and 1 - beta**0 is 0: count before you use it, from 1",
        count=lambda step, index, parameters: step - 1,
    ),
    Slip(
        "t is one too large: it is 1 at the first step",
        count=lambda step, index, parameters: step + 1,
    ),
    Slip(
        "t counts parameters: it must grow by one in each step, before the loop over parameters",
        count=lambda step, index, parameters: (step - 1) * parameters + index + 1,
    ),
    Slip("all parameters share one m and v: each needs its own, of its shape", shared="mv"),
    Slip("all parameters share one m: each needs its own, of its shape", shared="m"),
    Slip("all parameters share one v: each needs its own, of its shape", shared="v"),
)
