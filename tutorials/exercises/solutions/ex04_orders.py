"""Exercise 4: move a trained layer from TensorFlow's order to PyTorch's.

Difficulty 3 of 5, 30 minutes. After lesson 3, Whose order?; before it, exercise 1.
Goal: change a trained last layer so that PyTorch's shuffle shows what TensorFlow's showed.

A network's last convolution makes C*r*r channels, and a shuffle makes C image channels of them.
TensorFlow's shuffle is `depth_to_space` below (ONNX calls this order DCR), PyTorch's is
`pixel_shuffle` (CRD). They count the channels in different orders. The convolutions differ too, but
only in their axes: TensorFlow's kernel is (row, column, in, out), PyTorch's weight is
(out, in, row, column). Both lay it on the picture in the same way, and neither flips it.

The specification: for every picture,

    depth_to_space(convolution(picture, kernel, bias), r)    as TensorFlow does, the old layer
    pixel_shuffle(convolution(picture, weight, bias), r)     as PyTorch does, the moved layer

are the same.

An example, for C = 2 and r = 2. TensorFlow's biases [10 11 12 13 14 15 16 17] become
[10 12 14 16 11 13 15 17]. For TensorFlow's channel 1, whose bias is 11, is image channel 1, row 0
and column 0 of the block, and PyTorch has that in channel 4. With C = 1 both orders are the same.

It works for any C, r, k and number of input channels from 1 on. The results are new arrays: a
change of them must not change the kernel or the bias, whatever C and r are.

Check it      python -m tutorials.exercises check 4
The cause     python -m tutorials.exercises why 4
A hint        python -m tutorials.exercises hint 4
"""

import numpy as np


def depth_to_space(x: np.ndarray, r: int) -> np.ndarray:
    """Shuffle in TensorFlow's order, DCR: (C*r*r, H, W) -> (C, H*r, W*r). It is given."""
    c = len(x) // (r * r)
    y = np.empty((c, x.shape[1] * r, x.shape[2] * r), x.dtype)
    for d, row, col in np.ndindex(y.shape):
        i, j = row % r, col % r  # the place in the block
        y[d, row, col] = x[(i * r + j) * c + d, row // r, col // r]
    return y


def pixel_shuffle(x: np.ndarray, r: int) -> np.ndarray:
    """Shuffle in PyTorch's order, CRD: (C*r*r, H, W) -> (C, H*r, W*r). It is given."""
    c = len(x) // (r * r)
    y = np.empty((c, x.shape[1] * r, x.shape[2] * r), x.dtype)
    for d, row, col in np.ndindex(y.shape):
        i, j = row % r, col % r  # the place in the block
        y[d, row, col] = x[d * r * r + i * r + j, row // r, col // r]
    return y


def from_tensorflow(
    kernel: np.ndarray, bias: np.ndarray, upscale_factor: int
) -> tuple[np.ndarray, np.ndarray]:
    """Move the last layer before the shuffle from TensorFlow to PyTorch.

    kernel : array of any type, shape (k, k, in, C*r*r), its last axis in TensorFlow's order
    bias : array of the same type, shape (C*r*r,), in TensorFlow's order
    upscale_factor : int, r

    Returns weight and bias, new arrays of the same type in PyTorch's order, shapes
    (C*r*r, in, k, k) and (C*r*r,)
    """
    r = upscale_factor
    c = len(bias) // (r * r)
    old = np.arange(len(bias)).reshape(r, r, c)  # (i, j, C): TensorFlow's channels
    p = old.transpose(2, 0, 1).ravel()  # (C*r*r,): which of them is PyTorch's 0, 1, 2, ...
    weight = kernel.transpose(3, 2, 0, 1)  # (C*r*r, in, k, k)
    return weight[p], bias[p]
