"""Exercise 7: tanh and mean squared error, forward and backward.

Difficulty 2 of 5, 20 minutes. Before it: lesson 5.
Goal: write the smallest layer and the smallest loss, and take a gradient back through both.

The specification, for arrays of any shape:

  tanh, forward    y = tanh(x) = (exp(x) - exp(-x)) / (exp(x) + exp(-x))
  tanh, backward   dx = dy * (1 - y**2), from tanh's output y, because tanh'(x) = 1 - tanh(x)**2
  MSE, forward     loss = mean of (prediction - target)**2, over all n elements: one number
  MSE, backward    dprediction = 2 * (prediction - target) / n

The formula of tanh is right for any x, but a computer's exp(1000) is infinite. `tanh_forward` must
give 1 for x = 1000 and -1 for x = -1000, and not NaN ("not a number").

An example. For y = [0, 0.5] and dy = [3, 4], dx is [3*(1 - 0), 4*(1 - 0.25)] = [3, 3]. For the
prediction [1, 4, 3] and the target [1, 1, 3] the loss is (0 + 9 + 0) / 3 = 3, and dprediction is
[0, 2, 0].

Check it    python -m tutorials.exercises check 7
A hint      python -m tutorials.exercises hint 7
"""

import numpy as np


def tanh_forward(x: np.ndarray) -> np.ndarray:
    """Return tanh(x), element by element.

    x : array of floats, any shape, any size of numbers

    Returns an array of the same type and shape
    """
    raise NotImplementedError


def tanh_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the gradient of a loss in x, where y = tanh(x).

    dy : the loss's gradient in y, array of floats, any shape
    y : tanh_forward's output, array of the same type and shape

    Returns dx, an array of the same type and shape
    """
    raise NotImplementedError


def mse_forward(prediction: np.ndarray, target: np.ndarray) -> float:
    """Return the mean squared error, one number.

    prediction, target : arrays of floats, of one shape
    """
    raise NotImplementedError


def mse_backward(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the gradient of the mean squared error in the prediction.

    prediction, target : arrays of floats, of one type and shape

    Returns dprediction, an array of the same type and shape
    """
    raise NotImplementedError
