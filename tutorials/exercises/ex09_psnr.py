"""Exercise 9: PSNR on luma, as the literature measures it.

Difficulty 2 of 5, 30 minutes. After lesson 12, Measuring honestly.
Goal: measure an enlarged picture so that your figure compares with published ones.

Write

- `luma`: how bright each pixel is, by BT.601 in studio range, as MATLAB's rgb2ycbcr gives it:
  Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255, rounded to the nearest whole number. Black is
  16 and white is 235. (A few colors lie exactly halfway between two numbers: they are not tested.)
- `psnr`, in decibels: take the luma of both pictures, rounded as above; leave out `scale` pixels on
  each of the four sides; then PSNR = 10 log10(255^2 / MSE), where MSE is the mean of the squared
  differences. Where no pixel differs, MSE is 0 and PSNR is inf, float("inf").

An example, for scale = 1. Two pictures of 3 x 3 pixels are black, but the middle pixel of one is
[10, 20, 30]. The luma there is 32, and 16 elsewhere. Without the border the middle is all that is
left, so MSE = (32 - 16)^2 = 256, and PSNR = 10 log10(65025 / 256) = 24.0484 dB.

Check it      python -m tutorials.exercises check 9
The cause     python -m tutorials.exercises why 9
A hint        python -m tutorials.exercises hint 9
"""

import numpy as np


def luma(rgb: np.ndarray) -> np.ndarray:
    """Return how bright each pixel is, from 16 (black) to 235 (white).

    rgb : array of uint8, shape (H, W, 3), red first; H and W are from 1 on

    Returns a new array of uint8, shape (H, W)
    """
    raise NotImplementedError


def psnr(picture: np.ndarray, reference: np.ndarray, scale: int) -> float:
    """Measure how close a picture is to the reference, on luma, without a border.

    picture, reference : arrays of uint8, shape (H, W, 3), red first
    scale : int, how many pixels to leave out on each side, from 1; H and W are more than twice that

    Returns the PSNR in dB, a number, computed with float64 and not rounded
    """
    raise NotImplementedError
