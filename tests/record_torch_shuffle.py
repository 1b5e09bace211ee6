"""Write tests/recorded/torch_shuffle.npz: what PyTorch answers, for machines that have no PyTorch.

Run ``python tests/record_torch_shuffle.py`` where torch is installed. The values are distinct, so
that every misplaced number shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

RECORDING = Path(__file__).parent / "recorded" / "torch_shuffle.npz"
CASES = (  # (shape of the channels, r)
    ((4, 1, 1), 2),
    ((2, 3, 2, 3), 1),
    ((2, 12, 3, 5), 2),
    ((2, 27, 2, 3), 3),
    ((2, 1, 32, 3, 2), 4),
    ((1, 128, 2, 1), 8),
)


def ask_torch(torch: Any, x: np.ndarray, r: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x shuffled, and the numbers of x, in the shape of that, unshuffled."""
    shuffled = torch.nn.PixelShuffle(r)(torch.from_numpy(x)).numpy()
    image = torch.from_numpy(x.reshape(shuffled.shape))
    return shuffled, torch.nn.PixelUnshuffle(r)(image).numpy()


def answers(torch: Any = None) -> Iterator[tuple[np.ndarray, int, np.ndarray, np.ndarray]]:
    """Yield x, r and PyTorch's answers: as recorded, or asked now, by other numbers."""
    rng = np.random.default_rng(1)
    for number, (shape, r) in enumerate(CASES):
        if torch is not None:
            x = rng.permutation(int(np.prod(shape))).reshape(shape)
            yield (x, r, *ask_torch(torch, x, r))
            continue
        with np.load(RECORDING, allow_pickle=False) as recording:
            names = ("channels", "shuffled", "unshuffled")
            x, shuffled, unshuffled = (recording[f"{number}.{name}"] for name in names)
            yield x, r, shuffled, unshuffled


def main() -> None:
    """Ask torch.nn.PixelShuffle and PixelUnshuffle, and write the file."""
    import torch

    rng = np.random.default_rng(0)
    arrays = {"torch_version": np.array(torch.__version__)}
    for number, (shape, r) in enumerate(CASES):
        x = rng.permutation(int(np.prod(shape))).astype(np.int16).reshape(shape)
        arrays[f"{number}.channels"] = x
        arrays[f"{number}.shuffled"], arrays[f"{number}.unshuffled"] = ask_torch(torch, x, r)
    np.savez_compressed(RECORDING, **arrays)


if __name__ == "__main__":
    main()
