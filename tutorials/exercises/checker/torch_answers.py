"""PyTorch's answers, by name of the function: a last rung, where PyTorch is installed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np

from tutorials.exercises.checker.engine import (
    Exercise,
    Function,
    Rung,
    Values,
    as_values,
)
from tutorials.exercises.checker.inputs import Case
from tutorials.exercises.checker.student import Broken, Student


def _pixel_shuffle(torch: Any, x: Any, upscale_factor: int) -> Any:
    return torch.nn.functional.pixel_shuffle(x, upscale_factor)


def _pixel_unshuffle(torch: Any, y: Any, downscale_factor: int) -> Any:
    return torch.nn.functional.pixel_unshuffle(y, downscale_factor)


def _pixel_shuffle_backward(torch: Any, dy: Any, upscale_factor: int) -> Any:
    *leading, c, height, width = dy.shape
    r = upscale_factor
    x = torch.zeros(*leading, c * r * r, height // r, width // r, dtype=dy.dtype)
    x.requires_grad_()
    torch.nn.functional.pixel_shuffle(x, r).backward(dy)
    return x.grad


def _from_tensorflow(torch: Any, kernel: Any, bias: Any, upscale_factor: int) -> Any:
    groups = upscale_factor**2
    weight = kernel.permute(3, 2, 0, 1)
    moved = torch.nn.functional.channel_shuffle(weight[None], groups)[0]
    return moved, torch.nn.functional.channel_shuffle(bias[None, :, None, None], groups).flatten()


def _im2col(torch: Any, x: Any, kernel_size: int, padding: int = 0) -> Any:
    return torch.nn.functional.unfold(x, kernel_size, padding=padding)


def _conv2d_forward(torch: Any, x: Any, weight: Any, bias: Any, padding: int = 0) -> Any:
    return torch.nn.functional.conv2d(x, weight, bias, padding=padding)


def _col2im(torch: Any, columns: Any, shape: Any, kernel_size: int, padding: int = 0) -> Any:
    return torch.nn.functional.fold(columns, shape[2:], kernel_size, padding=padding)


def _conv2d_backward(torch: Any, dy: Any, x: Any, weight: Any, padding: int = 0) -> Any:
    bias = torch.zeros(len(weight), dtype=x.dtype, requires_grad=True)
    x.requires_grad_()
    weight.requires_grad_()
    torch.nn.functional.conv2d(x, weight, bias, padding=padding).backward(dy)
    return x.grad, weight.grad, bias.grad


def _espcn(torch: Any, x: Any, upscale_factor: int, params: Mapping[str, Any]) -> Any:
    for i in (1, 2, 3):
        weight, bias = params[f"conv{i}_weight"], params[f"conv{i}_bias"]
        x = torch.nn.functional.conv2d(x, weight, bias, padding="same")
        x = torch.tanh(x) if i < 3 else x
    return torch.nn.functional.pixel_shuffle(x, upscale_factor)


def _espcn_forward(torch: Any, x: Any, upscale_factor: int, in_order: bool, **params: Any) -> Any:
    return _espcn(torch, x, upscale_factor, params)


def _espcn_backward(
    torch: Any, dy: Any, x: Any, upscale_factor: int, in_order: bool, **params: Any
) -> Any:
    inputs = [x, *params.values()]  # the order of the layers, as the results
    for one in inputs:
        one.requires_grad_()
    _espcn(torch, x, upscale_factor, params).backward(dy)
    return tuple(one.grad for one in inputs)


def _conv_transpose2d(torch: Any, x: Any, weight: Any, stride: int = 1, padding: int = 0) -> Any:
    return torch.nn.functional.conv_transpose2d(x, weight, stride=stride, padding=padding)


def _overlap(torch: Any, shape: Any, kernel_size: int, stride: int) -> Any:
    ones = torch.ones(1, 1, *shape, dtype=torch.float64)
    kernel = torch.ones(1, 1, kernel_size, kernel_size, dtype=torch.float64)
    return _conv_transpose2d(torch, ones, kernel, stride)[0, 0].long()


def _one_kernel(torch: Any, weight: Any, upscale_factor: int) -> Any:
    """Light one pixel of one channel at a time, and let the sub-pixel convolution draw."""
    pixels = torch.eye(weight.shape[1], dtype=torch.float64)[:, :, None, None]
    drawn = torch.nn.functional.conv2d(pixels, weight.double(), padding=weight.shape[2] - 1)
    return torch.nn.functional.pixel_shuffle(drawn, upscale_factor).long()


def _tanh_forward(torch: Any, x: Any) -> Any:
    return torch.tanh(x)


def _tanh_backward(torch: Any, dy: Any, y: Any) -> Any:
    x = torch.atanh(y).requires_grad_()
    torch.tanh(x).backward(dy)
    return x.grad


def _mse_forward(torch: Any, prediction: Any, target: Any) -> Any:
    return torch.nn.functional.mse_loss(prediction, target)


def _mse_backward(torch: Any, prediction: Any, target: Any) -> Any:
    prediction.requires_grad_()
    torch.nn.functional.mse_loss(prediction, target).backward()
    return prediction.grad


def _adam(
    torch: Any,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-8,
    two: bool = False,
    **given: Any,
) -> Any:
    params = {name: w.clone() for name, w in given.items() if f"d{name}" in given}
    optimizer = torch.optim.Adam(params.values(), lr=lr, betas=betas, eps=epsilon)
    path = [torch.cat([p.ravel() for p in params.values()])]
    for i in range(len(given[f"d{next(iter(params))}"])):
        for name, p in params.items():
            p.grad = given[f"d{name}"][i]
        optimizer.step()
        path.append(torch.cat([p.ravel() for p in params.values()]))
    return torch.stack(path).diff(dim=0)


def _phase_shift(torch: Any, x: Any, upscale_factor: int) -> Any:
    return _pixel_shuffle(torch, x.permute(0, 3, 1, 2), upscale_factor).permute(0, 2, 3, 1)


def _conv2d_input_gradient(torch: Any, dy: Any, weight: Any) -> Any:
    n, _, h, w = dy.shape
    size = (n, weight.shape[1], h + weight.shape[2] - 1, w + weight.shape[3] - 1)
    return torch.nn.grad.conv2d_input(size, weight, dy)


ANSWERS: dict[str, Callable[..., Any]] = {
    "pixel_shuffle": _pixel_shuffle,
    "pixel_shuffle_concat": _pixel_shuffle,
    "pixel_unshuffle": _pixel_unshuffle,
    "pixel_shuffle_backward": _pixel_shuffle_backward,
    "from_tensorflow": _from_tensorflow,
    "im2col": _im2col,
    "conv2d_forward": _conv2d_forward,
    "col2im": _col2im,
    "conv2d_backward": _conv2d_backward,
    "tanh_forward": _tanh_forward,
    "tanh_backward": _tanh_backward,
    "mse_forward": _mse_forward,
    "mse_backward": _mse_backward,
    "espcn_forward": _espcn_forward,
    "espcn_backward": _espcn_backward,
    "conv_transpose2d": _conv_transpose2d,
    "overlap": _overlap,
    "one_kernel": _one_kernel,
    "Adam": _adam,
    "phase_shift": _phase_shift,
    "shuffle_loop": _pixel_shuffle,
    "conv2d_input_gradient": _conv2d_input_gradient,
}


def with_torch(exercise: Exercise) -> Exercise:
    """Return the exercise with a rung more, which asks PyTorch, if that is installed."""
    functions = [function for function in exercise.functions if function.name in ANSWERS]
    if not functions or exercise.each or find_spec("torch") is None:
        return exercise
    torch = importlib.import_module("torch")

    def check(student: Student) -> str:
        calls = 0
        for function in functions:
            for case, theirs in answers(function, torch):
                ours = function.outcome(student, case)
                if isinstance(ours, Broken) or not function.equal(ours, theirs):
                    raise Broken("PyTorch gives something else", example=function.text(case))
                calls += 1
        return f"torch {torch.__version__} gives the same in {calls} calls"

    return replace(exercise, more=[*exercise.more, Rung("PyTorch", 0, check)])


def answers(function: Function, torch: Any) -> Iterator[tuple[Case, Values]]:
    """Yield the calls that PyTorch can answer, and its answers."""
    for case in [*function.plain, *function.odd]:
        given = case.make()
        if case.plain and all(np.size(value) for value in given.values()):
            tensors = {
                name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
                for name, value in given.items()
            }
            theirs = as_values(ANSWERS[function.name](torch, **tensors))
            yield case, tuple(value.detach().numpy() for value in theirs)
