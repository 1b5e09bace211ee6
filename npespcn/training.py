"""Training: draw a batch, forward, loss, backward, step."""

import numpy as np

from npespcn.arrays import require
from npespcn.losses import mse


def train(model, data, optimizer, steps, *, batch_size=16, patch_size=32, loss=mse, rng=None):
    """Train in place; yield (step, loss) after every step, counted from 1.

    ``data.batch(rng, batch_size, patch_size)`` gives LR patches, (N, C, p, p), and their HR
    patches, (N, C, p*r, p*r). Where the network does not pad, the middle of HR is the target.
    A generator: validate, save, change ``optimizer.lr`` or stop in the body of the loop over it.
    """
    rng = rng or np.random.default_rng(0)
    for step in range(1, steps + 1):
        x, target = data.batch(rng, batch_size, patch_size)
        y = model.forward(x)
        value, dy = loss(y, center_crop(target, y.shape))
        model.backward(dy)
        optimizer.step()
        yield step, value


def center_crop(image, shape):
    """Return the middle of (..., H, W), as high and as wide as `shape`."""
    h, w = shape[-2:]
    require(0 <= h <= image.shape[-2] and 0 <= w <= image.shape[-1], f"no {h}x{w} pixels in it")
    top, left = (image.shape[-2] - h) // 2, (image.shape[-1] - w) // 2
    return image[..., top : top + h, left : left + w]
