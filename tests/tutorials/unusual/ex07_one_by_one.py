"""A right answer to exercise 7: plain Python, one number after the other."""

import math

import numpy as np


def tanh_forward(x):
    return np.array([math.tanh(number) for number in x.flat], x.dtype).reshape(x.shape)


def tanh_backward(dy, y):
    dx = np.zeros_like(dy)
    for index in np.ndindex(y.shape):
        dx[index] = dy[index] - dy[index] * y[index] * y[index]
    return dx


def mse_forward(prediction, target):
    pairs = zip(prediction.flat, target.flat, strict=True)
    return math.fsum((float(p) - float(t)) ** 2 for p, t in pairs) / prediction.size


def mse_backward(prediction, target):
    size = math.prod(prediction.shape)
    return np.vectorize(lambda p, t: (p - t) * 2 / size, otypes=[prediction.dtype])(
        prediction, target
    )
