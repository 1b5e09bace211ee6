"""PyTorch's answers, to compare the references of the exercises with: by name of the function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


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


def _col2im(torch: Any, columns: Any, shape: Any, kernel_size: int, padding: int = 0) -> Any:
    return torch.nn.functional.fold(columns, shape[2:], kernel_size, padding=padding)


def _conv2d_backward(torch: Any, dy: Any, x: Any, weight: Any, padding: int = 0) -> Any:
    bias = torch.zeros(len(weight), dtype=x.dtype, requires_grad=True)
    x.requires_grad_()
    weight.requires_grad_()
    torch.nn.functional.conv2d(x, weight, bias, padding=padding).backward(dy)
    return x.grad, weight.grad, bias.grad


ANSWERS: dict[str, Callable[..., Any]] = {
    "pixel_shuffle": _pixel_shuffle,
    "pixel_shuffle_concat": _pixel_shuffle,
    "pixel_unshuffle": _pixel_unshuffle,
    "pixel_shuffle_backward": _pixel_shuffle_backward,
    "from_tensorflow": _from_tensorflow,
    "col2im": _col2im,
    "conv2d_backward": _conv2d_backward,
}
