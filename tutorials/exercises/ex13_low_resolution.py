"""Exercise 13: the low-resolution picture, as the literature makes it.

Difficulty 3 of 5, 45 minutes. After lesson 8, What it learns from.
Goal: shrink a picture so exactly that your figures can be compared with published ones.

The small pictures of the literature were made by MATLAB (before 2017), and a network that was
trained on others is measured too low or too high. To make a picture r times smaller:

1. Crop it below and on the right, until both sides are multiples of r.
2. Make it r times less high. Every column of pixels is shrunk by itself, as below. Round to the
   nearest whole number, halves up, and keep to 0 to 255.
3. Make it r times less wide in the same way. Round again.

To shrink one column of n pixels: the small pixel i stands for the r pixels i*r to i*r + r - 1. Its
center is their middle. It becomes a weighted mean of the pixels around this center. The weights are
`cubic`(t), divided by their sum, where t is the distance of a pixel from the center, counted in
small pixels: r pixels are a distance of 1. (So the cubic is r times wider than between pixels. This
is what keeps fine patterns from becoming coarse ones.) Beyond its ends the column goes on with its
first and its last pixel.

Write

- `cubic`, the kernel of Keys (1981) with a = -1/2:

    cubic(t) = (a + 2) |t|^3 - (a + 3) |t|^2 + 1         where |t| is at most 1
               a |t|^3 - 5 a |t|^2 + 8 a |t| - 4 a       where |t| is from 1 to 2
               0                                         where |t| is larger

- `shrink_weights`, the weights as a matrix: row i has those of the small pixel i. A weight of a
  pixel beyond an end belongs to the pixel that stands there in its place;
- `downscale`, which is step 1, 2 and 3.

An example, for r = 2. The distances are 1/4, 3/4, 5/4 and 7/4 on both sides, and their weights are
111/256, 29/256, -9/256 and -3/256. For n = 4 the matrix is

    128/256  111/256   29/256  -12/256
    -12/256   29/256  111/256  128/256

The first 128 is 111 + 29 - 9 - 3. The column [0, 0, 255, 255] becomes [17, 238]: 255*17/256 = 16.9.

Check it      python -m tutorials.exercises check 13
The cause     python -m tutorials.exercises why 13
A hint        python -m tutorials.exercises hint 13
"""

import numpy as np


def cubic(t: np.ndarray) -> np.ndarray:
    """Return Keys' cubic kernel with a = -1/2, element by element.

    t : array of float64 or float32, any shape

    Returns a new array of the same type and shape
    """
    raise NotImplementedError


def shrink_weights(length: int, r: int) -> np.ndarray:
    """Return the matrix that makes a column of pixels r times shorter.

    length : int, the number of pixels, a multiple of r, from r on
    r : int, from 1

    Returns an array of float64, shape (length / r, length)
    """
    raise NotImplementedError


def downscale(image: np.ndarray, r: int) -> np.ndarray:
    """Make a picture r times smaller, first in height and then in width.

    image : array of uint8, gray (H, W) or color (H, W, 3)
    r : int, from 1 to the shorter side

    Returns a new array of uint8, shape (H // r, W // r) or (H // r, W // r, 3)
    """
    raise NotImplementedError
