"""Write tests/recorded/torch_models.npz: outputs of the networks as PyTorch computes them.

Run ``python tests/record_torch_models.py`` where torch is installed. The weights are a formula, so
that they need not be recorded.
"""

from __future__ import annotations

from collections import OrderedDict
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
    "srcnn": ("SRCNN", {}, (2, 1, 9, 12)),
    "srcnn in colour": ("SRCNN", {"channels": 3, "padding": "valid"}, (2, 3, 14, 15)),
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
    channels, padding = options.get("channels", 1), options.get("padding", "same")
    squash = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid}
    if kind == "SRCNN":
        return nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(channels, 64, 9, padding=padding),
                relu1=nn.ReLU(),
                conv2=nn.Conv2d(64, 32, 1, padding=padding),
                relu2=nn.ReLU(),
                conv3=nn.Conv2d(32, channels, 5, padding=padding),
            )
        )
    r, activation = options["scale"], squash[options.get("activation", "tanh")]
    network = OrderedDict(
        conv1=nn.Conv2d(channels, 64, 5, padding=padding),
        act1=activation(),
        conv2=nn.Conv2d(64, 32, 3, padding=padding),
        act2=activation(),
        conv3=nn.Conv2d(32, channels * r * r, 3, padding=padding),
        shuffle=nn.PixelShuffle(r),
    )
    if options.get("tail"):
        network["tail"] = nn.Conv2d(channels, channels, 1)
    if options.get("output"):
        network["output"] = squash[options["output"]]()
    return nn.Sequential(network)


def main() -> None:
    """Ask PyTorch about every network, and write the file."""
    import torch

    recording = {"torch_version": np.array(torch.__version__)}
    rng = np.random.default_rng(0)
    for name, (kind, options, shape) in CASES.items():
        network = torch_network(torch, kind, options).double()
        state = network.state_dict()
        arrays = formula_weights({key: tuple(value.shape) for key, value in state.items()})
        network.load_state_dict({key: torch.from_numpy(value) for key, value in arrays.items()})
        x = rng.random(shape)
        recording[f"{name}/x"] = x
        recording[f"{name}/y"] = network(torch.from_numpy(x)).detach().numpy()
    np.savez_compressed(RECORDING, **recording)


if __name__ == "__main__":
    main()
