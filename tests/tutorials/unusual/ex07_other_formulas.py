"""A right answer to exercise 7: tanh by exp of negative numbers, the loss by a scalar product."""

import numpy as np


def tanh_forward(x):
    small = np.exp(-2 * np.abs(x))  # never above 1
    return np.copysign((1 - small) / (1 + small), x)


def tanh_backward(dy, y):
    return (1 + y) * dy * (1 - y)


def mse_forward(prediction, target):
    difference = (prediction - target).ravel()
    return difference @ difference / len(difference)


def mse_backward(prediction, target):
    return np.subtract(prediction, target) / np.asarray(prediction.size / 2, prediction.dtype)
