"""Exercise 10: Adam and the training loop: beat bicubic in 60 seconds.

Difficulty 3 of 5, 45 minutes. After lesson 9, Train it; lesson 6, One step downhill, has the idea.
Goal: write the optimizer that trains most networks, and the loop around it; then train an ESPCN.

Adam keeps two running means for each parameter p: m of its gradient g, and v of g squared. Both
have p's shape and start at 0. It counts its steps: t is 1 in the first, 2 in the second. With
beta1, beta2 = betas, a step is, for every parameter:

    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    p = p - lr * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + epsilon)

The division by 1 - beta**t is the bias correction: m and v start at 0, and are too small at first.
The arrays p belong to the network, the model. Its layers hold the same arrays, so each array must
be changed itself: a new array in its place would change nothing for the layers. Two optimizers, of
two models, may take turns.

`train` repeats, once for each step: draw a batch; take x through the model; compute the loss, the
mean of (y - target)**2 over all numbers of y, and its gradient in y, dy; take dy back through the
model; let the optimizer step.

An example, for model.params = {"w": array([1.0, -2.0])} and Adam(model, lr=0.1). The first step,
with model.grads = {"w": array([0.5, -3.0])}, makes w [0.9, -1.9]. The second, with model.grads =
{"w": array([0.5, 3.0])}, makes it [0.8, -1.905]. However large a gradient is, a step is about as
long as lr.

The checker brings the network and the pictures. When all else is right, it trains an ESPCN for
150 steps by your two pieces, and compares it with bicubic on pictures that it has not seen.

Check it      python -m tutorials.exercises check 10
The cause     python -m tutorials.exercises why 10
A hint        python -m tutorials.exercises hint 10
"""

from collections.abc import Callable
from typing import Any

import numpy as np


class Adam:
    """The optimizer, as torch.optim.Adam does it.

    model : has params, a dictionary of arrays of any shapes, float64 or float32; and grads, a
        dictionary with the same names in any order, a new one after each backward pass
    lr, betas, epsilon : as above
    """

    def __init__(
        self,
        model: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
    ) -> None:
        """Hold on to the model, and prepare m, v and t."""
        raise NotImplementedError

    def step(self) -> None:
        """Change every parameter of the model in place by its gradient, which stays as it is."""
        raise NotImplementedError


def train(
    model: Any,
    next_batch: Callable[[], tuple[np.ndarray, np.ndarray]],
    optimizer: Adam,
    steps: int,
) -> list[float]:
    """Train a model by the mean squared error; return the loss of each step.

    model : has forward(x), which returns y; and backward(dy), which sets its grads
    next_batch : returns a new batch at each call, x and target
    optimizer : of this model; has step()
    steps : int, how many, from 0

    x, y and target, (N, C, H, W), stay as they are. N may differ from batch to batch. dy is a new
    array with the shape and type of y. Returns a list of numbers, one for each step
    """
    raise NotImplementedError
