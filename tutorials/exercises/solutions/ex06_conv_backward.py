"""Exercise 6: the backward convolution.

Difficulty 4 of 5, 60 minutes. After lesson 7, Backpropagation by hand; before it, exercise 5.
Goal: take a gradient back through a convolution, to the picture, the kernel and the bias.

The forward convolution is given below: `im2col` and `conv2d_forward`, the answer to exercise 5. It
adds up products. With row = p + i - padding and col = q + j - padding (there are zeros outside of
the picture),

  y[n, o, p, q] = bias[o] + sum over c, i, j of weight[o, c, i, j] * x[n, c, row, col]

A loss looks at y, and its gradient dy is given: dy[n, o, p, q] tells how fast the loss grows with
y[n, o, p, q]. You write `conv2d_backward`, which tells how fast the loss grows with each number of
x, of weight and of bias. The rule for it is the chain rule, and yours to derive: take one number of
x. Which numbers of y change with it, and how fast? Do the same for one of weight, and one of bias.

Then write it with matrix products, in two steps:

- `col2im` is the backward pass of `im2col`. For every x and every array g of the shape of columns,
  np.sum(im2col(x, k, padding) * g) equals np.sum(x * col2im(g, x.shape, k, padding)). It is the
  transpose of im2col, and not its inverse;
- `conv2d_backward` does the rest, and calls col2im.

Both work for any N, C, O, H, W and k from 1 on, O = C too, and any padding from 0 on, also one of k
or more, as long as the kernel fits in the padded picture. The results are new arrays.

An example, for k = 2 and no padding. Columns of ones, of a picture of 3 by 3 pixels, become
[[1, 2, 1], [2, 4, 2], [1, 2, 1]]. And where x is [[5, 6], [7, 8]], weight [[1, 2], [3, 4]] and dy
[[10]], dx is [[10, 20], [30, 40]], dweight is [[50, 60], [70, 80]], and dbias is [10].

Check it      python -m tutorials.exercises check 6
The cause     python -m tutorials.exercises why 6
A hint        python -m tutorials.exercises hint 6
"""

import numpy as np


def im2col(x, kernel_size, padding=0):
    """Given: (N, C, H, W) -> (N, C*k*k, H'*W')."""
    n, c, h, w = x.shape
    k, p = kernel_size, padding
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))  # (N, C, H + 2p, W + 2p)
    out_h, out_w = h + 2 * p - k + 1, w + 2 * p - k + 1
    columns = np.empty((n, c, k, k, out_h, out_w), x.dtype)
    for i, j in np.ndindex(k, k):
        columns[:, :, i, j] = padded[:, :, i : i + out_h, j : j + out_w]
    return columns.reshape(n, c * k * k, out_h * out_w)  # (N, C*k*k, H'*W')


def conv2d_forward(x, weight, bias, padding=0):
    """Given: (N, C, H, W) -> (N, O, H', W')."""
    n, _, h, w = x.shape
    out_channels, k = len(weight), weight.shape[2]
    out_h, out_w = h + 2 * padding - k + 1, w + 2 * padding - k + 1
    columns = im2col(x, k, padding)  # (N, C*k*k, H'*W')
    y = weight.reshape(out_channels, -1) @ columns + bias[:, None]  # (N, O, H'*W')
    return y.reshape(n, out_channels, out_h, out_w)


def col2im(
    columns: np.ndarray, shape: tuple[int, int, int, int], kernel_size: int, padding: int = 0
) -> np.ndarray:
    """Send a gradient in columns back to the picture, as torch.nn.functional.fold does.

    columns : array of float64 or float32, shape (N, C*k*k, H'*W')
    shape : the picture's, (N, C, H, W)
    kernel_size : int, k
    padding : int, how many zeros im2col puts on each of the four sides

    Returns a new array of the same type, shape (N, C, H, W)
    """
    n, c, h, w = shape
    k, p = kernel_size, padding
    out_h, out_w = h + 2 * p - k + 1, w + 2 * p - k + 1
    parts = columns.reshape(n, c, k, k, out_h, out_w)
    padded = np.zeros((n, c, h + 2 * p, w + 2 * p), columns.dtype)
    for i, j in np.ndindex(k, k):
        padded[:, :, i : i + out_h, j : j + out_w] += parts[:, :, i, j]
    return padded[:, :, p : p + h, p : p + w]  # (N, C, H, W)


def conv2d_backward(
    dy: np.ndarray, x: np.ndarray, weight: np.ndarray, padding: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients of a loss in x, weight and bias.

    dy : the loss's gradient in y, array of float64 or float32, shape (N, O, H', W')
    x : array of the same type, shape (N, C, H, W)
    weight : array of the same type, shape (O, C, k, k)
    padding : int, zeros on each of the four sides

    Returns (dx, dweight, dbias), new arrays of the same type, shapes of x, of weight, and (O,)
    """
    n, out_channels, out_h, out_w = dy.shape
    k = weight.shape[2]
    matrix = weight.reshape(out_channels, -1)  # (O, C*k*k)
    dpositions = dy.reshape(n, out_channels, out_h * out_w)  # (N, O, H'*W')
    dx = col2im(matrix.T @ dpositions, x.shape, k, padding)
    dmatrix = (dpositions @ im2col(x, k, padding).transpose(0, 2, 1)).sum(axis=0)  # (O, C*k*k)
    return dx, dmatrix.reshape(weight.shape), dy.sum(axis=(0, 2, 3))
