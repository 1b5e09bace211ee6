"""Write tests/recorded/torch_layers.npz: what PyTorch answers, for machines that have no PyTorch.

Run ``python tests/record_torch_layers.py`` where torch is installed. The inputs, the parameters and
the upstream gradients are random, and recorded with the answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from npespcn import layers
from npespcn.layers import Layer

RECORDING = Path(__file__).parent / "recorded" / "torch_layers.npz"
Case = tuple[str, dict[str, Any], tuple[int, ...]]  # class, its arguments, shape of x


def _conv(kernel_size: int, out_channels: int = 4, **options: Any) -> dict[str, Any]:
    sizes = {"in_channels": 3, "out_channels": out_channels, "kernel_size": kernel_size}
    return {**sizes, **options}


CASES: dict[str, Case] = {
    "conv 1x1": ("Conv2d", _conv(1, padding="valid"), (2, 3, 4, 5)),
    "conv 2x2 same": ("Conv2d", _conv(2, padding="same"), (2, 3, 4, 5)),
    "conv 3x3 same": ("Conv2d", _conv(3, 5, padding="same"), (2, 3, 5, 7)),
    "conv 3x3 to one": ("Conv2d", _conv(3, 1, padding="same"), (2, 3, 5, 7)),
    "conv 4x4 same": ("Conv2d", _conv(4, padding="same"), (2, 3, 4, 6)),
    "conv 5x5 valid": ("Conv2d", _conv(5, padding="valid"), (2, 3, 6, 8)),
    "conv 5x5 padded": ("Conv2d", _conv(5, 2, padding=1), (2, 3, 6, 5)),
    "conv 2x2 padded by more": ("Conv2d", _conv(2, padding=3), (2, 3, 3, 2)),
    "conv 3x3 stride 2": ("Conv2d", _conv(3, padding=1, stride=2), (2, 3, 6, 7)),
    "conv 2x2 stride 3": ("Conv2d", _conv(2, padding=0, stride=3), (2, 3, 6, 9)),
    "transpose 3x3": ("ConvTranspose2d", _conv(3), (2, 3, 4, 5)),
    "transpose 3x3 padded": ("ConvTranspose2d", _conv(3, padding=1), (2, 3, 4, 5)),
    "transpose 1x1 padded": ("ConvTranspose2d", _conv(1, padding=1), (2, 3, 4, 5)),
    "transpose 2x2 stride 2": ("ConvTranspose2d", _conv(2, stride=2), (2, 3, 3, 4)),
    "transpose 9x9 stride 3": (
        "ConvTranspose2d",  # FSRCNN's last layer
        _conv(9, 1, stride=3, padding=4, output_padding=2),
        (2, 3, 3, 4),
    ),
    "transpose 2x2 stride 3": (
        "ConvTranspose2d",
        _conv(2, stride=3, output_padding=1),
        (2, 3, 3, 2),
    ),
    "tanh": ("Tanh", {}, (2, 3, 4, 5)),
    "relu": ("ReLU", {}, (2, 3, 4, 5)),
    "sigmoid": ("Sigmoid", {}, (2, 3, 4, 5)),
    "shuffle": ("PixelShuffle", {"upscale_factor": 3}, (2, 27, 2, 4)),
    "unshuffle": ("PixelUnshuffle", {"downscale_factor": 3}, (2, 3, 6, 12)),
}


def draw_arguments(case: Case, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw x, and weight and bias where the layer has them."""
    kind, options, shape = case
    arrays = {"x": rng.standard_normal(shape)}
    if kind.startswith("Conv"):
        channels = options["out_channels"], options["in_channels"]
        k = options["kernel_size"]
        order = channels if kind == "Conv2d" else channels[::-1]
        arrays["weight"] = rng.standard_normal((*order, k, k))
        arrays["bias"] = rng.standard_normal(channels[0])
    return arrays


def ask_torch(
    torch: Any, case: Case, arrays: dict[str, np.ndarray], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return `arrays` and with them y, a random dy, and the gradients dx, dweight and dbias."""
    kind, options, _ = case
    layer = getattr(torch.nn, kind)(**options).double()
    x = torch.from_numpy(arrays["x"]).requires_grad_()
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            parameter.copy_(torch.from_numpy(arrays[name]))
    y = layer(x)
    dy = rng.standard_normal(tuple(y.shape))
    y.backward(torch.from_numpy(dy))
    gradients = {f"d{name}": p.grad.numpy() for name, p in layer.named_parameters()}
    return {**arrays, "y": y.detach().numpy(), "dy": dy, "dx": x.grad.numpy(), **gradients}


def answers(torch: Any = None) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield each case's name with PyTorch's answer: as recorded, or asked now, by other numbers."""
    rng = np.random.default_rng(1)
    for name, case in CASES.items():
        if torch is not None:
            yield name, ask_torch(torch, case, draw_arguments(case, rng), rng)
            continue
        with np.load(RECORDING, allow_pickle=False) as recording:
            keys = [key for key in recording.files if key.startswith(f"{name}/")]
            yield name, {key.partition("/")[2]: recording[key] for key in keys}


def our_layer(name: str, **params: np.ndarray) -> Layer:
    """Make our layer of a case, with these parameters."""
    kind, options, _ = CASES[name]
    precision = {"dtype": "float64"} if kind.startswith("Conv") else {}
    layer = getattr(layers, kind)(**options, **precision)
    layer.params = {key: params[key] for key in layer.params}
    return layer


def every_layer(dtype: Any = float) -> Iterator[tuple[str, Layer, np.ndarray, np.ndarray]]:
    """Yield each case's name, layer, x and dy, as recorded."""
    for name, answer in answers():
        answer = {key: value.astype(dtype) for key, value in answer.items()}
        yield name, our_layer(name, **answer), answer["x"], answer["dy"]


def main() -> None:
    """Ask PyTorch about every case, and write the file."""
    import torch

    recording = {"torch_version": np.array(torch.__version__)}
    rng = np.random.default_rng(0)
    for name, case in CASES.items():
        answer = ask_torch(torch, case, draw_arguments(case, rng), rng)
        recording |= {f"{name}/{key}": value for key, value in answer.items()}
    np.savez_compressed(RECORDING, **recording)


if __name__ == "__main__":
    main()
