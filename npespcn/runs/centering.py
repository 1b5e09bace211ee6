"""Train as if images were centered at 0, on a network that takes them as they are.

Pixels lie between 0 and 1, so all inputs of a kernel share one large direction, their mean, and an
optimizer spends its steps on it. Subtracting a constant m from the input and from the target cures
that, but then the network in the file is not the one that was trained. The subtraction can be moved
into the first layer instead. With s[o] = sum of weight[o, c, i, j] over c, i and j::

    conv(x - m, weight, b) = conv(x, weight, b - m * s)

So the trained network is the plain one with bias = b - m * s, and "train on x - m" only means "step
in the coordinates (weight, b)": by the chain rule, dL/dweight at fixed b is dweight - m * dbias,
and a step of the weight moves the bias by -m times the change of s.
"""

from __future__ import annotations

from typing import Any

from npespcn.common import Array
from npespcn.runs.wrappers import Wrapper


def center_biases(model: Any, mean: float) -> None:
    """Set the biases of an untrained network so that a flat image of value `mean` stays so.

    The first layer's bias is set to give 0 there. The last layer's is set to give `mean`, unless an
    activation follows it. Both change in place. (Sigmoid between the layers, which is not 0 at 0,
    and the border under "same" cause a small deviation; training mends it.)
    """
    layers = [layer for layer in model.layers.values() if layer.params]
    layers[0].params["bias"] -= mean * _tap_sums(layers[0])
    if "output" not in model.layers:
        layers[-1].params["bias"] += mean


class Centered(Wrapper):
    """Take the step that the optimizer would take for images minus `mean`.

    Changes the first layer's weight gradient before the step, and its bias after it.
    """

    def __init__(self, optimizer: Any, mean: float) -> None:
        super().__init__(optimizer)
        self.mean = mean

    def step(self) -> None:
        """Step in the coordinates (weight, b)."""
        first = next(layer for layer in self.model.layers.values() if layer.params)
        first.grads["weight"] -= self.mean * first.grads["bias"][:, None, None, None]
        before = _tap_sums(first)
        super().step()
        first.params["bias"] -= self.mean * (_tap_sums(first) - before)


def _tap_sums(layer: Any) -> Array:
    return layer.params["weight"].sum(axis=(1, 2, 3))  # (O,)
