"""Exercise 14: the transposed convolution, and its checkerboard.

Difficulty 4 of 5, 45 minutes. After lesson 10, Sub-pixel, deconvolution, resize; before it,
exercise 5 (6 helps).
Goal: enlarge by a transposed convolution ("deconvolution"), see why it draws a checkerboard, and
find the one that is a sub-pixel convolution.

A transposed convolution draws: every pixel of x adds the kernel, times its value, to y. Where the
next pixel is one step away in x, its drawing lies `stride` steps away in y. At the end, `padding`
rows and columns are cut off on all four sides. For all n, c, o, p, q, i and j, with s = stride,

    row = p*s + i - padding,  col = q*s + j - padding
    y[n, o, row, col] += x[n, c, p, q] * weight[c, o, i, j]    where (row, col) is in y

y has (H - 1)*s + k - 2*padding rows, and as many columns with W for H. The weight has the channels
of x first. All sizes are from 1 on. A kernel may be smaller than the stride: then there are gaps,
which are 0. Write

- `conv_transpose2d`, with no loop over pixels;
- `overlap`, which counts how many pixels of x draw on each pixel of y, without padding. Where the
  counts differ from pixel to pixel, a flat picture gets a pattern, the checkerboard;
- `one_kernel`. The layer of ESPCN is `subpixel_convolution` below. There is a transposed
  convolution that gives the same for every picture. Its stride is r, its padding is r*(k - 1)/2,
  and its kernel has k*r rows and columns. Find this kernel:
  conv_transpose2d(x, one_kernel(weight, r), r, r*(k - 1)//2) is subpixel_convolution(x, weight, r).

An example, for k = 3 and stride 2. Three pixels in a row, [[1, 10, 100]], and the kernel's middle
row [1, 2, 3] give 1 2 3, two further on 10 20 30, and two further on 100 200 300. Together that is
[1, 2, 13, 20, 130, 200, 300]. The counts there are [1, 1, 2, 1, 2, 1, 1]. And for r = 2 and k = 1,
four filters of one number each, 1, 2, 3 and 4, become the kernel [[1, 2], [3, 4]].

Check it      python -m tutorials.exercises check 14
The cause     python -m tutorials.exercises why 14
A hint        python -m tutorials.exercises hint 14
"""

import numpy as np


def subpixel_convolution(x, weight, r):
    """A convolution that keeps height and width, and a pixel shuffle: weight (C*r*r, in, k, k)."""
    n, _, h, w = x.shape
    k = weight.shape[2]
    p = (k - 1) // 2  # k is odd
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    y = np.zeros((n, len(weight) // (r * r), h * r, w * r), x.dtype)
    for m, c, row, col in np.ndindex(y.shape):
        i, j = row % r, col % r  # the place in the block
        seen = padded[m, :, row // r : row // r + k, col // r : col // r + k]
        y[m, c, row, col] = np.sum(weight[c * r * r + i * r + j] * seen)
    return y


def conv_transpose2d(
    x: np.ndarray, weight: np.ndarray, stride: int = 1, padding: int = 0
) -> np.ndarray:
    """Draw with a kernel, as torch.nn.functional.conv_transpose2d does.

    x : array of float64 or float32, shape (N, C, H, W)
    weight : array of the same type, shape (C, O, k, k)
    stride : int, from 1
    padding : int, rows and columns to cut off on each of the four sides; some are left

    Returns a new array of the same type, shape (N, O, H', W')
    """
    n, _, h, w = x.shape
    _, out_channels, k, _ = weight.shape
    s, p = stride, padding
    height, width = (h - 1) * s + k, (w - 1) * s + k
    y = np.zeros((n, out_channels, height, width), x.dtype)
    for i, j in np.ndindex(k, k):
        drawn = np.einsum("nchw,co->nohw", x, weight[:, :, i, j])
        y[:, :, i : i + (h - 1) * s + 1 : s, j : j + (w - 1) * s + 1 : s] += drawn
    return y[:, :, p : height - p, p : width - p]  # (N, O, H', W')


def overlap(shape: tuple[int, int], kernel_size: int, stride: int) -> np.ndarray:
    """Count how many pixels of x draw on each pixel of y.

    shape : the height and width of x, (H, W)
    kernel_size : int, k, from 1
    stride : int, from 1

    Returns an array of whole numbers, shape ((H - 1)*stride + k, (W - 1)*stride + k)
    """
    ones, kernel = np.ones((1, 1, *shape)), np.ones((1, 1, kernel_size, kernel_size))
    return conv_transpose2d(ones, kernel, stride)[0, 0].astype(int)  # (H', W')


def one_kernel(weight: np.ndarray, upscale_factor: int) -> np.ndarray:
    """Return the kernel of the transposed convolution that equals a sub-pixel convolution.

    weight : array of any type, shape (C*r*r, in, k, k), k is odd
    upscale_factor : int, r

    Returns a new array of the same type, shape (in, C, k*r, k*r)
    """
    r = upscale_factor
    filters, inputs, k, _ = weight.shape
    parts = weight.reshape(filters // (r * r), r, r, inputs, k, k)[..., ::-1, ::-1]
    parts = parts.transpose(3, 0, 4, 1, 5, 2).copy()  # (in, C, k, i, k, j)
    return parts.reshape(inputs, filters // (r * r), k * r, k * r)
