"""Exercise 7: tanh and mean squared error, forward and backward.

Difficulty 2 of 5, 20 minutes. After lesson 7, Backpropagation by hand.
Goal: write the smallest layer and the smallest loss, and take a gradient back through both.

The specification:

  tanh, forward    y = tanh(x) = (exp(x) - exp(-x)) / (exp(x) + exp(-x))
  tanh, backward   a loss looks at y, and dy tells how fast it grows with each number of y. dx tells
                   the same for each number of x. You get y, and not x
  MSE, forward     loss = mean of (prediction - target)**2, over all numbers: one number
  MSE, backward    dprediction tells how fast the loss grows with each number of the prediction

The backward formulas are yours to derive. All arrays have one axis or more, and one number or more.
What is returned is new: it shares no memory with the arguments.

The formula of tanh is right for any x, but a computer's exp(1000) is infinite. `tanh_forward` must
give 1 for x = 1000 and -1 for x = -1000, and not NaN ("not a number"). `tanh_backward` must be
right for y = 1 and y = -1, too.

An example. For y = [0, 0.5] and dy = [3, 4], dx is [3, 3]. For the prediction [1, 4, 3] and the
target [1, 1, 3] the loss is (0 + 9 + 0) / 3 = 3, and dprediction is [0, 2, 0].

Check it      python -m tutorials.exercises check 7
The cause     python -m tutorials.exercises why 7
A hint        python -m tutorials.exercises hint 7
"""

import numpy as np


def tanh_forward(x: np.ndarray) -> np.ndarray:
    """Return tanh(x), element by element.

    x : array of float64 or float32, of any shape, with numbers of any size

    Returns a new array of the same type and shape
    """
    raise NotImplementedError


def tanh_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the gradient of a loss in x, where y = tanh(x).

    dy : the loss's gradient in y, array of float64 or float32, of any shape
    y : tanh_forward's output, array of the same type and shape

    Returns dx, a new array of the same type and shape
    """
    raise NotImplementedError


def mse_forward(prediction: np.ndarray, target: np.ndarray) -> float:
    """Return the mean squared error, one number.

    prediction, target : arrays of float64 or float32, of one type and shape

    Returns a float, or a number of NumPy
    """
    raise NotImplementedError


def mse_backward(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the gradient of the mean squared error in the prediction.

    prediction, target : arrays of float64 or float32, of one type and shape

    Returns dprediction, a new array of the same type and shape
    """
    raise NotImplementedError
