"""Write tests/recorded/torch_models.npz: outputs of the networks as PyTorch computes them.

Run ``python tests/record_torch_models.py`` where torch is installed. The weights are a formula, so
that they need not be recorded.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

RECORDING = Path(__file__).parent / "recorded" / "torch_models.npz"
CASES: dict[str, tuple[str, dict[str, Any], tuple[int, ...]]] = {
    # name: (class, options, shape of x)
    "as published": ("ESPCN", {"scale": 3}, (2, 1, 7, 9)),
    "relu and a tail": (
        "ESPCN",
        {"scale": 2, "channels": 3, "activation": "relu", "tail": True},
        (2, 3, 5, 8),
    ),
    "valid, sigmoid": (
        "ESPCN",
        {"scale": 4, "padding": "valid", "output": "sigmoid"},
        (2, 1, 10, 11),
    ),
    "x8": ("ESPCN", {"scale": 8, "output": "tanh", "activation": "sigmoid"}, (1, 1, 3, 2)),
    "x1": ("ESPCN", {"scale": 1, "channels": 2, "tail": True}, (2, 2, 6, 5)),
    "four convolutions": (
        "ESPCN",  # as in pytorch/examples
        {"scale": 3, "activation": "relu", "widths": (64, 64, 32), "kernels": (5, 3, 3, 3)},
        (1, 1, 7, 9),
    ),
    "other widths": ("ESPCN", {"scale": 2, "widths": (8, 5), "kernels": (3, 5, 1)}, (2, 1, 7, 9)),
    "srcnn": ("SRCNN", {}, (2, 1, 9, 12)),
    "srcnn in color": ("SRCNN", {"channels": 3, "padding": "valid"}, (2, 3, 14, 15)),
    "srcnn 9-5-5": ("SRCNN", {"kernels": (9, 5, 5)}, (1, 1, 9, 12)),
}


def formula_weights(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Return weights that any machine computes to the same bits: a multiplicative sequence."""
    arrays = {}
    for number, (name, shape) in enumerate(shapes.items(), start=1):
        count = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64) + np.uint64(7919 * number)
        uniform = (count * np.uint64(2654435761) % np.uint64(2**32)) / 2**32 - 0.5
        arrays[name] = (uniform * 3 / np.sqrt(np.prod(shape[1:]))).reshape(shape)
    return arrays


def torch_network(torch: Any, kind: str, options: dict[str, Any]) -> Any:
    """Build the network from torch's own layers, as its paper describes it."""
    nn = torch.nn
    squash = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid}
    espcn = kind == "ESPCN"
    r, channels = options.get("scale", 1), options.get("channels", 1)
    kernels = options.get("kernels", (5, 3, 3) if espcn else (9, 1, 5))
    sizes = [channels, *options.get("widths", (64, 32)), channels * r * r]
    activation = squash[options.get("activation", "tanh")] if espcn else nn.ReLU
    network: OrderedDict[str, Any] = OrderedDict()
    for i, (before, after, k) in enumerate(zip(sizes, sizes[1:], kernels, strict=False), 1):
        network[f"conv{i}"] = nn.Conv2d(before, after, k, padding=options.get("padding", "same"))
        network[f"act{i}"] = activation()
    network.popitem()
    if espcn:
        network["shuffle"] = nn.PixelShuffle(r)
    if options.get("tail"):
        network["tail"] = nn.Conv2d(channels, channels, 1)
    if options.get("output"):
        network["output"] = squash[options["output"]]()
    return nn.Sequential(network)


def ask_torch(torch: Any, name: str, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return x, y, a random dy and the gradients of a network with formula weights."""
    kind, options, shape = CASES[name]
    network = torch_network(torch, kind, options).double()
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    weights = {key: torch.from_numpy(value) for key, value in formula_weights(shapes).items()}
    network.load_state_dict(weights)
    x = torch.from_numpy(rng.random(shape)).requires_grad_()
    y = network(x)
    dy = rng.standard_normal(tuple(y.shape))
    y.backward(torch.from_numpy(dy))
    gradients = {f"d{key}": value.grad.numpy() for key, value in network.named_parameters()}
    answer = {"x": x.detach().numpy(), "y": y.detach().numpy(), "dy": dy, "dx": x.grad.numpy()}
    return answer | gradients


def answers(torch: Any = None) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield each case's name with PyTorch's answer: as recorded, or asked now, by other numbers.

    The recording holds the gradients of the biases, and not those of the weights, which are large.
    """
    rng = np.random.default_rng(1)
    for name in CASES:
        if torch is not None:
            yield name, ask_torch(torch, name, rng)
            continue
        with np.load(RECORDING, allow_pickle=False) as recording:
            keys = [key for key in recording.files if key.startswith(f"{name}/")]
            yield name, {key.partition("/")[2]: recording[key] for key in keys}


def main() -> None:
    """Ask PyTorch about every network, and write the file."""
    import torch

    recording = {"torch_version": np.array(torch.__version__)}
    rng = np.random.default_rng(0)
    for name in CASES:
        for key, value in ask_torch(torch, name, rng).items():
            if not key.endswith("weight"):
                recording[f"{name}/{key}"] = value
    np.savez_compressed(RECORDING, **recording)


if __name__ == "__main__":
    main()
