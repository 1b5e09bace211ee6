"""Write tests/recorded/torch_shuffle.npz: what PyTorch answers, for machines that have no PyTorch.

Run ``python tests/record_torch_shuffle.py`` where torch is installed. The values are distinct, so
that every misplaced number shows.
"""

from __future__ import annotations

from pathlib import Path

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


def main() -> None:
    """Ask torch.nn.PixelShuffle and PixelUnshuffle, and write the file."""
    import torch

    rng = np.random.default_rng(0)
    arrays = {"torch_version": np.array(torch.__version__)}
    for number, (shape, r) in enumerate(CASES):
        x = rng.permutation(int(np.prod(shape))).astype(np.int16).reshape(shape)
        arrays[f"{number}.upscale_factor"] = np.array(r)
        arrays[f"{number}.channels"] = x
        arrays[f"{number}.shuffled"] = torch.nn.PixelShuffle(r)(torch.from_numpy(x)).numpy()
        image = x.reshape(arrays[f"{number}.shuffled"].shape)
        arrays[f"{number}.unshuffled"] = torch.nn.PixelUnshuffle(r)(torch.from_numpy(image)).numpy()
    np.savez_compressed(RECORDING, **arrays)


if __name__ == "__main__":
    main()
