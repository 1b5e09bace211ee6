"""A right answer to exercise 9 in whole numbers: no float before the logarithm."""

import math


def luma(rgb):
    red, green, blue = (rgb[:, :, c].astype(int) for c in range(3))
    return ((65481 * red + 128553 * green + 24966 * blue + 127500) // 255000 + 16).astype("uint8")


def psnr(picture, reference, scale):
    difference = luma(picture).astype(int) - luma(reference)
    h, w = difference.shape
    difference = difference[scale : h - scale, scale : w - scale]
    squares = int((difference * difference).sum())
    if not squares:
        return math.inf
    return 20 * math.log10(255) - 10 * math.log10(squares / difference.size)
