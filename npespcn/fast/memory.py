"""Where a recorded network keeps its numbers: images in flat memory, and scratch memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from npespcn.common import Array

Call: TypeAlias = Callable[[], object]
"""A NumPy function bound to its arrays; a recorded network is a list of these."""

Shape: TypeAlias = tuple[int, int, int, int]
"""(n, h, w, c): the channels lie last here."""

Pads: TypeAlias = tuple[tuple[int, int], tuple[int, int]]
"""Zeros added ((above, below), (left, right))."""


def view(memory: Array, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> Array:
    """View flat memory with another shape; strides and offset count numbers.

    NumPy's own constructor, not ``as_strided``: it raises if the view would leave the memory.
    """
    one = memory.itemsize
    in_bytes = tuple(stride * one for stride in strides)
    return np.ndarray(shape, memory.dtype, memory, offset * one, in_bytes)


def aligned(size: int, dtype: DTypeLike) -> Array:
    """Return flat memory of zeros that begins with a line of the cache.

    NumPy promises 16 bytes only, and then multiplies at half the speed.
    """
    dtype = np.dtype(dtype)
    memory = np.zeros(size * dtype.itemsize + _LINE, np.uint8)
    start = -memory.ctypes.data % _LINE
    return memory[start : start + size * dtype.itemsize].view(dtype)


_LINE = 64  # bytes


def spans(length: int, count: int) -> list[tuple[int, int]]:
    """Cut a length into up to `count` parts, as equal as can be: (start, stop) of each."""
    count = max(1, min(count, length))
    return [(length * i // count, length * (i + 1) // count) for i in range(count)]


class Images(NamedTuple):
    """Images in flat memory: `view`, (n, h, w, c), begins with `flat` and skips parts of it.

    NumPy computes several times faster on `flat`, in one go, than on each row of `view`. So that is
    what the code here does, and takes no notice of the numbers in between.
    """

    flat: Array
    view: Array

    def laid_over(self, flat: Array) -> Images:
        """Return the same view of other memory."""
        strides = tuple(stride // self.view.itemsize for stride in self.view.strides)
        return Images(flat, view(flat, self.view.shape, strides))


def images(array: Array) -> Images:
    """Return a contiguous array as images, without anything in between."""
    return Images(array.reshape(-1), array)


def new_images(shape: Shape, dtype: DTypeLike) -> Images:
    """Return new memory for images, without anything in between."""
    return images(aligned(math.prod(shape), dtype).reshape(shape))


class Scratch:
    """Memory that one layer after the other uses, so that it stays in the core's cache.

    It is asked for by name. Under one name everybody gets the same memory, until somebody asks for
    more of it, and must be done with it when the next one writes there. At first it holds zeros.
    """

    def __init__(self, dtype: DTypeLike) -> None:
        self.dtype, self.memory = np.dtype(dtype), dict[Hashable, Array]()

    def __call__(self, name: Hashable, *shape: int) -> Array:
        """Return an array of this shape."""
        size = math.prod(shape)
        if name not in self.memory or self.memory[name].size < size:
            self.memory[name] = aligned(size, self.dtype)
        return self.memory[name][:size].reshape(shape)

    @property
    def nbytes(self) -> int:
        """The memory in bytes."""
        return sum(memory.nbytes for memory in self.memory.values())


class Tall:
    """A batch (n, h, w, c) as one tall image in flat memory, with zeros around each image.

    The channels lie last. The zeros below an image serve as those above the next one, and the zeros
    at the end of a row as those at the start of the next row::

        0 0 0 0          n = 2 images of 2 x 3 pixels, a zero on each side: rows of `pitch` = 4,
        0 a b c          and `height` = 3 rows from one image to the next. Output pixel (i, y, x)
        0 d e f          of a convolution lies (i * height + y) * pitch + x pixels after the first.
        0 0 0 0          Positions where the kernel meets two images, or two ends of rows, are
        0 g h i          computed too, and dropped.
        0 j k l
        0 0 0 0

    A layer writes `inside`, where the pixels are. The zeros are written once, when the memory is.

    Attributes
    ----------
    out_shape : (n, H', W')
        Of a convolution at stride 1 with a kernel of side k.
    rows : int
        Rows of output, of all images and the zeros between them.
    """

    def __init__(self, shape: Shape, k: int, pads: Pads, memory: Callable[[int], Array]) -> None:
        n, h, w, c = shape
        (above, below), (left, right) = pads
        out_h, out_w = h + above + below - k + 1, w + left + right - k + 1
        self.out_shape = (n, out_h, out_w)
        self.pitch, self.height = w + max(left, right), h + max(above, below)
        self.rows = (n - 1) * self.height + out_h
        spare = (4 + k) * self.pitch + 3 * k  # pixels that a convolution's views may reach into
        self.flat = memory((self.rows * self.pitch + spare) * c)
        self.start = (above * self.pitch + left) * c  # of the first pixel
        inside = self.by_image(self.flat, (n, h, w, c), self.start)
        size = ((n - 1) * self.height + h) * self.pitch * c
        self.inside = Images(self.flat[self.start : self.start + size], inside)

    def by_image(self, flat: Array, shape: Shape, start: int = 0) -> Array:
        """View other memory, whose rows are as far apart, by image: (n, h, w, channels)."""
        row = self.pitch * shape[3]
        return view(flat, shape, (self.height * row, row, shape[3], 1), start)
