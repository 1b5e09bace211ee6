"""Exercise 5: im2col and the forward convolution.

Difficulty 3 of 5, 40 minutes. After lesson 4, Convolution.
Goal: lay the pixels out as columns, so that a convolution becomes one matrix product.

The specification is `conv2d_loop` below: seven loops, right and very slow. The picture has zeros
around it, padding of them on each of its four sides, and the kernel is not flipped. With
H' = H + 2*padding - k + 1 and W' = W + 2*padding - k + 1 it has H'*W' positions. Write

- `im2col`. Its row c*k*k + i*k + j holds what weight[:, c, i, j] meets, and its column p*W' + q is
  the position (p, q), the kernel's upper left corner:
  columns[n, c*k*k + i*k + j, p*W' + q] = x[n, c, p + i - padding, q + j - padding], or 0 outside;
- `conv2d_forward`, which gives what `conv2d_loop` gives, with no loop over pixels.

An example, for k = 2 and no padding. The picture [[1, 2, 3], [4, 5, 6]] has two positions, and its
columns are [[1, 2], [2, 3], [4, 5], [5, 6]], an array of shape (1, 4, 2). With the weight
[[1, 2], [3, 4]] and the bias 10 the result is [[47, 57]]: 1*1 + 2*2 + 3*4 + 4*5 + 10 = 47.

Both work for any N, C, O, H, W and k from 1 on, and any padding from 0 on, also one of k or more,
as long as the kernel fits in the padded picture. The results are new arrays: the caller may write
to them, and x does not change with them.

Check it      python -m tutorials.exercises check 5
The cause     python -m tutorials.exercises why 5
A hint        python -m tutorials.exercises hint 5
"""

import numpy as np


def conv2d_loop(x, weight, bias, padding=0):
    """The specification: (N, C, H, W) -> (N, O, H', W')."""
    count, _, h, w = x.shape
    out_channels, k = len(weight), weight.shape[2]
    out_h, out_w = h + 2 * padding - k + 1, w + 2 * padding - k + 1
    y = np.empty((count, out_channels, out_h, out_w), x.dtype)
    for n, o, p, q in np.ndindex(y.shape):
        y[n, o, p, q] = bias[o]
        for c, i, j in np.ndindex(weight.shape[1:]):
            row, col = p + i - padding, q + j - padding
            if 0 <= row < h and 0 <= col < w:  # there are zeros outside
                y[n, o, p, q] += weight[o, c, i, j] * x[n, c, row, col]
    return y


def im2col(x: np.ndarray, kernel_size: int, padding: int = 0) -> np.ndarray:
    """Lay the pixels under each position of the kernel out, as torch.nn.functional.unfold does.

    x : array of float64 or float32, shape (N, C, H, W)
    kernel_size : int, k
    padding : int, zeros on each of the four sides

    Returns a new array of the same type, shape (N, C*k*k, H'*W')
    """
    raise NotImplementedError


def conv2d_forward(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, padding: int = 0
) -> np.ndarray:
    """Convolve, as torch.nn.functional.conv2d does.

    x : array of float64 or float32, shape (N, C, H, W)
    weight : array of the same type, shape (O, C, k, k)
    bias : array of the same type, shape (O,)
    padding : int, zeros on each of the four sides

    Returns a new array of the same type, shape (N, O, H', W')
    """
    raise NotImplementedError
