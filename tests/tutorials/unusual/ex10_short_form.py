"""A right answer to exercise 10: arrays made at the first step, both corrections in two numbers."""

import math

import numpy as np


class Adam:
    def __init__(self, model, lr=1e-3, betas=(0.9, 0.999), epsilon=1e-8):
        self.__dict__.update(locals())
        self.state = {}

    def step(self):
        params, grads = self.model.params, self.model.grads
        for name in reversed(grads):
            m, v, t = self.state.get(name, (0.0, 0.0, 0))
            b, c = self.betas
            m, v, t = b * m + grads[name] * (1 - b), c * v + grads[name] ** 2 * (1 - c), t + 1
            self.state[name] = m, v, t
            root = math.sqrt(1 - c**t)
            size = self.lr * root / (1 - b**t)
            params[name][...] -= size * (m / (np.sqrt(v) + self.epsilon * root))


def train(model, next_batch, optimizer, steps):
    """Count down, with the batches first."""
    batches = [next_batch() for _ in range(steps)]

    def go(left):
        if not left:
            return []
        x, target = left[0]
        y = model(x)
        d = np.subtract(y, target)
        model.backward(np.multiply(d, 2.0) / d.size)
        optimizer.step()
        return [np.square(d).mean(), *go(left[1:])]

    return go(batches)
