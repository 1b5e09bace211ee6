"""Write tests/recorded/torch_optim.npz: where PyTorch's optimizers go, step by step.

Run ``python tests/record_torch_optim.py`` where torch is installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

RECORDING = Path(__file__).parent / "recorded" / "torch_optim.npz"
STEPS = 12
SHAPE = (3, 2, 2, 2)
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGD", {"lr": 0.1}),
    "sgd with momentum": ("SGD", {"lr": 0.05, "momentum": 0.9}),
    "adam": ("Adam", {"lr": 0.01}),
    "adam with other betas": ("Adam", {"lr": 0.02, "betas": (0.5, 0.75), "epsilon": 0.1}),
}


def draw_gradients(rng: np.random.Generator) -> np.ndarray:
    """Return one gradient for each step, of very different sizes."""
    return rng.standard_normal((STEPS, *SHAPE)) * 10 ** rng.uniform(-4, 1, (STEPS, *SHAPE))


def ask_torch(
    torch: Any, kind: str, options: dict[str, Any], start: np.ndarray, gradients: np.ndarray
) -> np.ndarray:
    """Return the parameter after every step: (steps, *SHAPE)."""
    parameter = torch.nn.Parameter(torch.from_numpy(start.copy()))
    renamed = {"eps" if name == "epsilon" else name: value for name, value in options.items()}
    optimizer = getattr(torch.optim, kind)([parameter], **renamed)
    path = []
    for gradient in gradients:
        parameter.grad = torch.from_numpy(gradient.copy())
        optimizer.step()
        path.append(parameter.detach().numpy().copy())
    return np.stack(path)


def answers(torch: Any = None) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield each case's name, start and gradients with PyTorch's path, recorded or asked now."""
    rng = np.random.default_rng(1)
    for name, (kind, options) in CASES.items():
        if torch is not None:
            start, gradients = rng.standard_normal(SHAPE), draw_gradients(rng)
            path = ask_torch(torch, kind, options, start, gradients)
        else:
            with np.load(RECORDING, allow_pickle=False) as recording:
                start, gradients, path = (recording[key] for key in ("start", "gradients", name))
        yield name, start, gradients, path


def main() -> None:
    """Ask PyTorch about every case, and write the file."""
    import torch

    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal(SHAPE), draw_gradients(rng)
    recording = {"torch_version": np.array(torch.__version__), "start": start}
    recording["gradients"] = gradients
    for name, (kind, options) in CASES.items():
        recording[name] = ask_torch(torch, kind, options, start, gradients)
    np.savez_compressed(RECORDING, **recording)


if __name__ == "__main__":
    main()
