"""Optimisers: SGD and Adam against PyTorch, SOAP against a slow copy of the paper's algorithm."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import relative_error, require_torch
from record_torch_optim import CASES, RECORDING, SHAPE, ask_torch, draw_gradients

from npespcn import optim
from npespcn.common import Array
from npespcn.fast.gpu import to_host
from npespcn.layers import Conv2d, Layer, PixelShuffle, Sequential, Tanh
from npespcn.losses import mse
from npespcn.optim import SGD, SOAP, Adam, Optimizer, Plateau, cosine, step_decay

EVERY = [
    (SGD, {"lr": 0.05}),
    (SGD, {"lr": 0.05, "momentum": 0.9}),
    (Adam, {}),
    (SOAP, {"refresh": 4}),
]
every_optimizer = pytest.mark.parametrize(("kind", "options"), EVERY)


class Numbers(Layer):
    """A layer that is nothing but parameters."""

    def __init__(self, **params: Array) -> None:
        super().__init__()
        self.params = params


def follow(kind: Any, start: Array, gradients: Array, xp: Any = np, **options: Any) -> Array:
    """Return the parameter after every step."""
    model = Numbers(weight=xp.asarray(start.copy()))
    optimizer, path = kind(model, **options), []
    for gradient in gradients:
        model.grads = {"weight": xp.asarray(gradient)}
        optimizer.step()
        path.append(to_host(model.params["weight"]).copy())
    return np.stack(path)


def small_network(dtype: str = "float32") -> Sequential:
    rng = np.random.default_rng(1)
    return Sequential(
        conv1=Conv2d(1, 6, 3, padding="same", rng=rng, dtype=dtype),
        tanh=Tanh(),
        inner=Sequential(conv2=Conv2d(6, 4, 3, padding="same", rng=rng, dtype=dtype)),
        shuffle=PixelShuffle(2),
    )


def train(model: Layer, optimizer: Optimizer, first: int, last: int) -> None:
    """Take the steps from `first` up to `last`, each on a batch of its own."""
    dtype = next(iter(model.params.values())).dtype
    for step in range(first, last):
        rng = np.random.default_rng(step)
        x = rng.standard_normal((4, 1, 12, 10)).astype(dtype)
        _, dy = mse(model.forward(x), np.repeat(np.repeat(x, 2, axis=2), 2, axis=3))
        model.backward(dy)
        optimizer.step()


def same_bits(actual: dict[str, Array], expected: dict[str, Array]) -> None:
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value, strict=True)


# PyTorch


@pytest.mark.parametrize("name", CASES)
def test_like_pytorch_recorded(xp: Any, name: str) -> None:
    kind, options = CASES[name]
    with np.load(RECORDING, allow_pickle=False) as recording:
        start, gradients, expected = (recording[key] for key in ("start", "gradients", name))
    path = follow(getattr(optim, kind), start, gradients, xp, **options)
    assert relative_error(path, expected) < 1e-14


@pytest.mark.parametrize("name", CASES)
def test_like_pytorch_live(name: str) -> None:
    torch, (kind, options) = require_torch(), CASES[name]
    rng = np.random.default_rng(2)
    start, gradients = rng.standard_normal(SHAPE), draw_gradients(rng)
    expected = ask_torch(torch, kind, options, start, gradients)
    path = follow(getattr(optim, kind), start, gradients, **options)
    assert relative_error(path, expected) < 1e-14


def test_adam_written_out() -> None:
    """The first step is lr, whatever the gradient; the second is by the running means."""
    path = follow(Adam, np.zeros(2), np.array([[3.0, -0.001], [-3.0, 0.003]]), lr=0.1, epsilon=0)
    np.testing.assert_allclose(path[0], [-0.1, 0.1], rtol=1e-12)
    mean = (0.9 * 0.1 * 3 + 0.1 * -3) / (1 - 0.9**2)
    square = (0.999 * 0.001 * 9 + 0.001 * 9) / (1 - 0.999**2)
    assert path[1, 0] == pytest.approx(-0.1 - 0.1 * mean / math.sqrt(square))


# SOAP


def orthonormal(columns: Array) -> Array:
    """Gram and Schmidt's procedure: the Q of a QR decomposition, up to signs."""
    basis: list[Array] = []
    for column in columns.T:
        for _ in range(2):  # twice is enough, as they say
            for known in basis:
                column = column - (known @ column) * known
        basis.append(column / math.sqrt(column @ column))
    return np.stack(basis, axis=1)


def eigenvectors(matrix: Array) -> Array:
    """The eigenvectors of a symmetric matrix, that of the largest eigenvalue first."""
    return np.linalg.eigh(matrix)[1][:, ::-1]


def soap_by_the_paper(start: Array, gradients: Array, lr: float, refresh: int) -> Array:
    """Vyas et al. 2024, algorithms 3 and 4, with Adam's bias corrections and sorted eigenvectors.

    Theirs counts a gradient into L and R after the step that it makes; here it comes before, since
    the first one has to come before anyway.
    """
    beta1 = beta2 = beta_shampoo = 0.95
    w = start.reshape(len(start), -1).copy()
    m, v = np.zeros_like(w), np.zeros_like(w)
    left, right = np.zeros((len(w),) * 2), np.zeros((w.shape[1],) * 2)
    path = []
    for t, gradient in enumerate(gradients, start=1):
        g = gradient.reshape(w.shape)
        left = beta_shampoo * left + (1 - beta_shampoo) * g @ g.T
        right = beta_shampoo * right + (1 - beta_shampoo) * g.T @ g
        if t == 1:
            q_left, q_right = eigenvectors(left), eigenvectors(right)
        elif t % refresh == 0:
            estimates = [q_left[:, i] @ left @ q_left[:, i] for i in range(len(left))]
            order = sorted(range(len(left)), key=lambda i: -estimates[i])
            q_left, v = orthonormal(left @ q_left[:, order]), v[order]
            estimates = [q_right[:, i] @ right @ q_right[:, i] for i in range(len(right))]
            order = sorted(range(len(right)), key=lambda i: -estimates[i])
            q_right, v = orthonormal(right @ q_right[:, order]), v[:, order]
        m = beta1 * m + (1 - beta1) * g
        m_turned = q_left.T @ m @ q_right
        g_turned = q_left.T @ g @ q_right
        v = beta2 * v + (1 - beta2) * g_turned**2
        m_hat, v_hat = m_turned / (1 - beta1**t), v / (1 - beta2**t)
        n_turned = m_hat / (np.sqrt(v_hat) + 1e-8)
        w = w - lr * q_left @ n_turned @ q_right.T
        path.append(w.reshape(start.shape))
    return np.stack(path)


def drifting_gradients(rng: np.random.Generator, steps: int, shape: tuple[int, ...]) -> Array:
    """Return gradients whose strong directions change with time, so that they are sorted anew.

    The first lies along the axes, so that the eigenvectors of its zeros are no matter of rounding.
    """
    o, i = shape[0], math.prod(shape[1:])
    scales = 10 ** rng.uniform(-1, 1, (2, o, 1))
    weight = np.linspace(0, 1, steps)[:, None, None]
    scale = (1 - weight) * scales[0] + weight * scales[1][::-1]
    gradients = scale * rng.standard_normal((steps, o, i))
    gradients[0] = np.eye(o, i) * np.arange(o, 0, -1)[:, None]
    return gradients.reshape(steps, *shape)


@pytest.mark.parametrize("shape", [(4, 1, 2, 2), (3, 2, 2, 1), (6, 1, 2, 2), (5, 3)])
@pytest.mark.parametrize("refresh", [1, 3, 20])
def test_soap_by_the_paper(xp: Any, shape: tuple[int, ...], refresh: int) -> None:
    rng = np.random.default_rng(3)
    start, gradients = rng.standard_normal(shape), drifting_gradients(rng, 45, shape)
    expected = soap_by_the_paper(start, gradients, 0.01, refresh)
    path = follow(SOAP, start, gradients, xp, lr=0.01, refresh=refresh)
    assert relative_error(path, expected) < 1e-9


def test_soap_follows_a_turned_problem_turned() -> None:
    """Which Adam does not: it goes by the axes."""
    rng = np.random.default_rng(4)
    start, gradients = rng.standard_normal((4, 4)), drifting_gradients(rng, 30, (4, 4))
    left, right = (orthonormal(rng.standard_normal((4, 4))) for _ in range(2))
    path = follow(SOAP, start, gradients, lr=0.01, refresh=5)
    turned = follow(SOAP, left @ start @ right, left @ gradients @ right, lr=0.01, refresh=5)
    assert relative_error(turned, left @ path @ right) < 1e-6
    path = follow(Adam, start, gradients, lr=0.01)
    turned = follow(Adam, left @ start @ right, left @ gradients @ right, lr=0.01)
    assert relative_error(turned, left @ path @ right) > 1e-3


def test_soap_is_adam_where_there_is_nothing_to_turn() -> None:
    rng = np.random.default_rng(5)
    for shape in ((7,), (1, 1, 1, 1)):
        start, gradients = rng.standard_normal(shape), rng.standard_normal((25, *shape))
        options: dict[str, Any] = {"lr": 0.01, "betas": (0.95, 0.95)}
        soap = follow(SOAP, start, gradients, refresh=3, **options)
        assert relative_error(soap, follow(Adam, start, gradients, **options)) < 1e-14


def test_the_bases_stay_orthonormal_and_find_the_eigenvectors() -> None:
    """In float32, over many refreshes."""
    rng = np.random.default_rng(6)
    strength = orthonormal(rng.standard_normal((6, 6))) * 3.0 ** -np.arange(6)
    model = Numbers(weight=np.zeros((6, 8), np.float32))
    optimizer = SOAP(model, refresh=2, covariance_beta=0.99)
    for _ in range(600):
        model.grads = {"weight": (strength @ rng.standard_normal((6, 8))).astype("f4")}
        optimizer.step()
    state = optimizer.state["weight"]
    for side, size in (("left", 6), ("right", 8)):
        basis = state[f"{side}_basis"].astype("f8")
        assert np.abs(basis.T @ basis - np.eye(size)).max() < 1e-5
    turned = state["left_basis"].T @ state["left"] @ state["left_basis"]
    values = np.diag(turned)
    assert (np.diff(values) < 0).all()
    assert np.abs(turned - np.diag(values))[:4, :4].max() < 0.01 * values[0]


def test_soap_goes_on_from_a_first_gradient_of_zero() -> None:
    gradients = np.concatenate([np.zeros((3, 4, 3)), np.ones((6, 4, 3))])
    path = follow(SOAP, np.zeros((4, 3)), gradients, refresh=2)
    assert np.isfinite(path).all()
    assert not path[:3].any()
    assert (path[-1] < 0).all()


def test_soap_beats_adam_where_the_valley_lies_across_the_axes() -> None:
    rng = np.random.default_rng(7)
    left, right = (orthonormal(rng.standard_normal((12, 12))) for _ in range(2))
    stretch = np.geomspace(1, 0.01, 12)
    a, b = (left * stretch) @ left.T, (right * stretch) @ right.T
    target = rng.standard_normal((12, 12))

    def final_loss(kind: Any, lr: float, steps: int = 200) -> float:
        model = Numbers(weight=np.zeros((12, 12)))
        optimizer, schedule = kind(model), cosine(steps)
        for step in range(steps):
            error = a @ (model.params["weight"] - target) @ b
            model.grads = {"weight": a @ error @ b}
            optimizer.lr = lr * schedule(step)
            optimizer.step()
        return float((error**2).sum())

    rates = (0.003, 0.01, 0.03, 0.1, 0.3)
    adam = min(final_loss(Adam, lr) for lr in rates)
    soap = min(final_loss(SOAP, lr) for lr in rates)
    assert soap < adam / 10


# What all of them share


@every_optimizer
def test_a_network_gets_better(kind: Any, options: dict[str, Any]) -> None:
    model = small_network()
    x = np.random.default_rng(8).standard_normal((2, 1, 9, 9)).astype("f4")
    target = np.repeat(np.repeat(x, 2, axis=2), 2, axis=3)
    before, _ = mse(model.predict(x), target)
    held = model.params
    train(model, kind(model, **options), 0, 60)
    after, _ = mse(model.predict(x), target)
    assert after < 0.7 * before
    for name, value in model.params.items():
        assert value is held[name]  # changed in place, where the layers read them
        assert value.dtype == np.float32


@every_optimizer
def test_gradients_are_read_and_not_changed(kind: Any, options: dict[str, Any]) -> None:
    model = small_network()
    optimizer = kind(model, **options)
    train(model, optimizer, 0, 5)
    model.backward(model.forward(np.ones((1, 1, 5, 5), np.float32)))
    grads = {name: value.copy() for name, value in model.grads.items()}
    for value in model.grads.values():
        value.flags.writeable = False
    optimizer.step()
    same_bits(model.grads, grads)
    assert optimizer.steps == 6


@every_optimizer
@pytest.mark.parametrize("stop", [1, 3, 4, 13])
def test_a_saved_state_goes_on_to_the_same_bits(
    tmp_path: Path, kind: Any, options: dict[str, Any], stop: int
) -> None:
    """Through a file, before and after SOAP's refreshes."""
    straight = small_network()
    train(straight, kind(straight, **options), 0, 20)
    first = small_network()
    optimizer = kind(first, **options)
    train(first, optimizer, 0, stop)
    np.savez(tmp_path / "state.npz", **optimizer.state_dict())
    second = small_network()
    second.load_state_dict(first.state_dict())
    resumed = kind(second, **options)
    with np.load(tmp_path / "state.npz", allow_pickle=False) as arrays:
        resumed.load_state_dict(dict(arrays), optimizer.steps)
    same_bits(resumed.state_dict(), optimizer.state_dict())
    train(second, resumed, stop, 20)
    same_bits(second.params, straight.params)
    assert resumed.steps == 20


@every_optimizer
def test_a_state_dict_is_a_copy(kind: Any, options: dict[str, Any]) -> None:
    model = small_network()
    optimizer = kind(model, **options)
    train(model, optimizer, 0, 2)
    state = optimizer.state_dict()
    before = {name: value.copy() for name, value in state.items()}
    other = kind(model, **options)
    other.load_state_dict(state, 2)
    train(model, optimizer, 2, 6)
    train(model, other, 2, 6)
    same_bits(state, before)


def test_a_state_of_another_model_is_refused_whole() -> None:
    model = small_network()
    optimizer = Adam(model)
    train(model, optimizer, 0, 2)
    state = optimizer.state_dict()
    message = "load_state_dict: 'conv9.bias/mean' belongs to no parameter of the model"
    for bad in ({"conv9.bias/mean": np.zeros(1)}, {**state, "conv9.bias/mean": np.zeros(1)}):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            optimizer.load_state_dict(bad, 99)
    same_bits(optimizer.state_dict(), state)
    assert optimizer.steps == 2


@every_optimizer
def test_the_number_of_threads_does_not_change_the_bits(
    monkeypatch: pytest.MonkeyPatch, kind: Any, options: dict[str, Any]
) -> None:
    answers = []
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("NPESPCN_THREADS", threads)
        model = small_network()
        train(model, kind(model, **options), 0, 9)
        answers.append(model.state_dict())
    same_bits(answers[1], answers[0])
    same_bits(answers[2], answers[0])


@every_optimizer
def test_factors_are_rates_of_their_own(kind: Any, options: dict[str, Any]) -> None:
    """Same gradients: a factor on a parameter is the rate times that factor, for it alone."""
    rng = np.random.default_rng(9)
    start = {name: rng.standard_normal((3, 2, 1, 1)) for name in ("a.w", "a.b", "n.a.w", "last.w")}
    gradients = [{name: rng.standard_normal((3, 2, 1, 1)) for name in start} for _ in range(9)]
    lr = kind(Numbers(**start)).lr
    rates = {"a.w": 0.1, "a.b": 0.5, "n.a.w": 0.0, "last.w": 1.0}

    def run(lr: float, **more: Any) -> dict[str, Array]:
        model = Numbers(**{name: value.copy() for name, value in start.items()})
        optimizer = kind(model, **{**options, "lr": lr}, **more)
        for grads in gradients:
            model.grads = grads
            optimizer.step()
        return model.params

    factors = {"a": 0.1, "a.b": 0.5, "n": 0.0}  # a layer, one of its parameters, a network
    answer = run(lr, lr_factors=factors)
    for name, factor in rates.items():
        expected = run(lr * factor)[name] if factor else start[name]
        np.testing.assert_allclose(answer[name], expected, rtol=1e-12)


def test_the_papers_ten_times_slower_last_layer() -> None:
    model = small_network("float64")
    optimizer = SGD(model, 1.0, lr_factors={"inner.conv2": 0.1})
    model.backward(model.forward(np.ones((1, 1, 4, 4))))
    before = model.state_dict()
    optimizer.step()
    for name, value in model.params.items():
        rate = 0.1 if name.startswith("inner") else 1.0
        np.testing.assert_allclose(value, before[name] - rate * model.grads[name], rtol=1e-12)


def test_the_rate_may_change_between_steps() -> None:
    model = Numbers(weight=np.zeros(1))
    optimizer = SGD(model, 1.0)
    for lr in (1.0, 10.0, 100.0):
        optimizer.lr, model.grads = lr, {"weight": np.ones(1)}
        optimizer.step()
    assert model.params["weight"].tolist() == [-111]


@every_optimizer
def test_a_step_before_backward_is_refused(kind: Any, options: dict[str, Any]) -> None:
    model = small_network()
    optimizer = kind(model, **options)
    before = model.state_dict()
    message = rf"^{kind.__name__}\.step called before backward: no gradient for conv1\.weight, "
    with pytest.raises(RuntimeError, match=message):
        optimizer.step()
    same_bits(model.params, before)
    assert optimizer.steps == 0


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (SGD, {"lr": 0}, "SGD: lr must be a positive number, got 0"),
        (Adam, {"lr": -1.0}, "Adam: lr must be a positive number, got -1.0"),
        (SOAP, {"lr": math.nan}, "SOAP: lr must be a positive number, got nan"),
        (SGD, {"lr": math.inf}, "SGD: lr must be a positive number, got inf"),
        (SGD, {"momentum": 1.0}, "SGD: momentum must be in [0, 1), got 1.0"),
        (SGD, {"momentum": -0.1}, "SGD: momentum must be in [0, 1), got -0.1"),
        (Adam, {"betas": (0.9, 1.0)}, "Adam: betas must be in [0, 1), got 1.0"),
        (SOAP, {"betas": (math.nan, 0.9)}, "SOAP: betas must be in [0, 1), got nan"),
        (SOAP, {"covariance_beta": 2}, "SOAP: covariance_beta must be in [0, 1), got 2"),
        (SOAP, {"refresh": 0}, "SOAP: refresh must be at least 1, got 0"),
        (
            Adam,
            {"lr_factors": {"conv": 0.1}},
            "Adam: lr_factors names 'conv', but the parameters are conv1.weight, conv1.bias, "
            "inner.conv2.weight, inner.conv2.bias",
        ),
    ],
)
def test_messages(kind: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        kind(small_network(), **options)


def test_an_optimizer_is_at_least_a_direction() -> None:
    model = Numbers(weight=np.zeros(1))
    model.grads = {"weight": np.ones(1)}
    with pytest.raises(NotImplementedError, match=r"^Optimizer does not define direction$"):
        Optimizer(model, 0.1).step()


# Schedules


def test_cosine() -> None:
    schedule = cosine(100, final=0.1)
    assert schedule(0) == 1
    assert schedule(50) == pytest.approx(0.55)
    assert schedule(25) == pytest.approx(0.1 + 0.9 * (1 + math.sqrt(0.5)) / 2)
    assert schedule(100) == schedule(1000) == pytest.approx(0.1)
    assert (np.diff([schedule(step) for step in range(101)]) < 0).all()
    assert cosine(10)(10) == pytest.approx(0, abs=1e-15)
    with pytest.raises(ValueError, match=r"^cosine: steps must be at least 1, got 0$"):
        cosine(0)


def test_step_decay() -> None:
    schedule = step_decay([10, 20], factor=0.5)
    assert [schedule(step) for step in (0, 9, 10, 19, 20, 99)] == [1, 1, 0.5, 0.5, 0.25, 0.25]
    assert step_decay([])(5) == 1
    assert step_decay([3])(3) == pytest.approx(0.1)


def observed(rule: Plateau, losses: list[float]) -> list[float]:
    scales = []
    for loss in losses:
        rule.observe(loss)
        scales.append(rule(123))
    return scales


def test_plateau_lowers_the_rate_when_nothing_gets_better() -> None:
    rule = Plateau(factor=0.5, patience=3, threshold=0.01, final=0.2)
    assert rule(0) == 1
    assert observed(rule, [1.0, 0.9, 0.8]) == [1, 1, 1]
    assert observed(rule, [0.8, 0.7999, 0.793]) == [1, 1, 0.5]  # not better by a hundredth
    assert observed(rule, [0.9, 0.9, 0.7, 0.7, 0.7]) == [0.5] * 5  # 0.7 starts the count anew
    assert observed(rule, [0.7]) == [0.25]
    assert observed(rule, [9.0] * 9) == [0.25, 0.25, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2]


def test_plateau_takes_what_is_no_number_for_not_better() -> None:
    rule = Plateau(patience=2)
    assert observed(rule, [math.nan, math.inf, 1.0, math.nan]) == [1, 0.5, 0.5, 0.5]
    assert rule.best == 1.0


def test_plateau_goes_on_from_its_state() -> None:
    """Through JSON, as a checkpoint has it."""
    losses = np.random.default_rng(10).uniform(0.5, 1, 60).tolist()
    straight, first, second = (Plateau(patience=4) for _ in range(3))
    expected = observed(straight, losses)
    assert observed(first, losses[:17]) == expected[:17]
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert observed(second, losses[17:]) == expected[17:]
    fresh = Plateau()
    fresh.load_state_dict(json.loads(json.dumps(Plateau().state_dict())))  # best is infinite
    assert observed(fresh, [1.0]) == [1.0]
