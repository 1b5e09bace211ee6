"""Exercise 11: find the bug.

Difficulty 4 of 5, 60 minutes. After appendix A, Museum of published slips, and lesson 7,
Backpropagation by hand.
Goal: repair five programs that ran, looked right, and were not.

Each function below stands for a program that somebody has given away. Its docstring says what it is
to do, which is right, and shows the test that its author made, which passes. The program is wrong.
Find an input for which it does something else than its docstring says, understand why, and repair
it. Or write it anew, but keep its name and arguments. All sizes (N, C, O, H, W, k, r) are from 1
on, and pictures have at least one pixel. The five have nothing to do with each other; the checker
shows the first that is wrong.

An example of how to look. `phase_shift` was tried on one picture of 2x2 pixels with r = 2. Which
inputs have nothing in common with that? Work one out by hand, and compare.

Check it      python -m tutorials.exercises check 11
The cause     python -m tutorials.exercises why 11
A hint        python -m tutorials.exercises hint 11
"""

import numpy as np


def phase_shift(x: np.ndarray, upscale_factor: int) -> np.ndarray:
    """Shuffle the r*r channels of each picture into one channel, r times as high and as wide.

    x : array of any type, shape (N, H, W, r*r): channels last
    upscale_factor : int, r

    Returns a new array y of the same type, shape (N, H*r, W*r, 1). The channel i*r + j of the pixel
    in row h and column w comes to row h*r + i and column w*r + j.

    The author's test:

    >>> phase_shift(np.arange(16).reshape(1, 2, 2, 4), 2)[0, :, :, 0]
    array([[ 0,  1,  4,  5],
           [ 2,  3,  6,  7],
           [ 8,  9, 12, 13],
           [10, 11, 14, 15]])
    """
    r = upscale_factor
    n, h, w, _ = x.shape
    blocks = x.reshape(n, h, w, r, r)  # (N, H, W, i, j)
    lines = np.split(blocks, w, axis=1)
    tall = np.concatenate([line[:, 0] for line in lines], axis=2)  # (N, W, H*r, j)
    columns = np.split(tall, h, axis=1)
    y = np.concatenate([column[:, 0] for column in columns], axis=2)  # (N, H*r, W*r)
    return y[..., np.newaxis]


def shuffle_loop(x: np.ndarray, upscale_factor: int) -> np.ndarray:
    """Rearrange channels into space, as torch.nn.PixelShuffle does.

    x : array of any type, shape (C*r*r, H, W)
    upscale_factor : int, r

    Returns a new array y of the same type, shape (C, H*r, W*r). Row h*r + i and column w*r + j of
    the image channel c, counted from 0, come from the channel c*r*r + i*r + j of the pixel (h, w).

    The author's test:

    >>> shuffle_loop(np.arange(8).reshape(4, 1, 2), 2)
    array([[[0, 2, 1, 3],
            [4, 6, 5, 7]]])
    """
    r = upscale_factor
    channels, h, w = x.shape
    y = np.empty((channels // (r * r), h * r, w * r), x.dtype)
    for c in range(1, len(y) + 1):
        for row in range(h * r):
            for col in range(w * r):
                channel = c * r * (row % r) + c * (col % r)
                y[c - 1, row, col] = x[channel, row // r, col // r]
    return y


def conv2d_input_gradient(dy: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Take the gradient of a convolution's output back to its input.

    dy : floating-point array, shape (N, O, H - k + 1, W - k + 1), the gradient of the output
    weight : array of the same type, shape (O, C, k, k)

    The convolution is torch.nn.functional.conv2d(x, weight), without padding, at stride 1:
    y[n, o, h, w] is the sum over c, i and j of x[n, c, h + i, w + j] * weight[o, c, i, j].

    Returns a new array of the same type, the gradient of x, shape (N, C, H, W).

    The author's test. Only one pixel has an output, so its window gets the kernel:

    >>> conv2d_input_gradient(np.ones((1, 1, 1, 1)), np.array([[[[1.0, 2.0], [2.0, 1.0]]]]))
    array([[[[1., 2.],
             [2., 1.]]]])
    """
    n, _, rows, columns = dy.shape
    _, c, k, _ = weight.shape
    h, w = rows + k - 1, columns + k - 1
    border = (k - 1, k - 1)
    padded = np.pad(dy, ((0, 0), (0, 0), border, border))  # (N, O, H + k - 1, W + k - 1)
    dx = np.zeros((n, c, h, w), dy.dtype)
    for i in range(k):
        for j in range(k):
            part = padded[:, :, i : i + h, j : j + w]  # (N, O, H, W)
            dx += np.einsum("nohw,oc->nchw", part, weight[:, :, i, j])
    return dx


def make_pairs(lr_names: list[str], hr_names: list[str]) -> list[tuple[str, str]]:
    """Pair the small and the large picture files of two folders.

    lr_names : such as "baby_LRBI_x3.png": a picture's name, "_LRBI_x", one digit, ".png"
    hr_names : such as "baby_HR.png": a picture's name, "_HR.png"

    Both are as a folder's listing gives them: in any order, and perhaps empty. A picture's name may
    be anything. No name occurs twice in a list, and all small pictures have one scale.

    Returns a list of pairs (LR name, HR name), one for each picture, in any order. Raises a
    ValueError if a picture is in only one of the lists.

    The author's test:

    >>> make_pairs(["baby_LRBI_x3.png", "bird_LRBI_x3.png"], ["baby_HR.png", "bird_HR.png"])
    [('baby_LRBI_x3.png', 'baby_HR.png'), ('bird_LRBI_x3.png', 'bird_HR.png')]
    """
    if len(lr_names) != len(hr_names):
        raise ValueError(f"{len(lr_names)} small pictures, {len(hr_names)} large ones")
    return list(zip(lr_names, hr_names, strict=True))


def psnr(picture: np.ndarray, reference: np.ndarray) -> float:
    """Measure how close a picture is to its reference, in decibels.

    picture, reference : uint8 arrays of the same shape, 0 (black) to 255 (white)

    Returns 10 * log10(255**2 / mse), computed with float64, where mse is the mean of
    (picture - reference)**2; infinity for equal pictures.

    The author's test, a picture that is too bright by 5 everywhere, so that mse is 25:

    >>> reference = np.array([[0, 50], [100, 200]], np.uint8)
    >>> round(float(psnr(reference + np.uint8(5), reference)), 2)
    34.15
    """
    difference = picture - reference
    mse = np.mean(difference**2)
    if mse == 0:
        return float("inf")
    return 10 * np.log10(255**2 / mse)
