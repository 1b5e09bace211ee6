"""Enlarging: strips of an image, from top to bottom, a few rows at a time.

Each convolution keeps the last k - 1 rows of its input, at the top of its memory. New rows come
below them, so no row is computed twice, everything stays in the core's cache, and memory does not
grow with the image. Only the sides of the strips overlap.

The first rows that come out lie above the image: the pipeline fills. They are dropped, and so are
the last ones if they lie below it. Where a layer computes such rows for the next convolution, they
are set to zero, because the next convolution must see its padding there.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from npespcn.common import Array
from npespcn.fast.memory import Images, Scratch, Shape
from npespcn.fast.recorded import (
    Convolution,
    Weight,
    pads_of,
    record_forward,
    stages_of,
)


class At:
    """Where in an image a strip is.

    Attributes
    ----------
    start, height
        First row at work, and number of rows in the image.
    lag, grown
        Rows by which the output is behind the input, and that it has more.
    """

    start = height = lag = grown = 0


class Strip:
    """A recorded forward pass over an image `width` pixels wide, `rows` rows at a time."""

    def __init__(self, layers: Sequence[Any], width: int, rows: int, dtype: Any) -> None:
        self.rows, self.scratch = rows, Scratch(dtype)
        self.at = At()
        self.convolutions: list[RollingConvolution] = []
        channels = layers[0].params["weight"].shape[1]
        stages = stages_of(layers, (1, rows, width, channels), self.scratch, self._convolution)
        y, self.calls = record_forward(stages)
        for each in self.convolutions:
            each.after = ()  # no circle, so that the memory goes with the plan
        self.image = y.view[0].transpose(2, 0, 1)  # (C', H', W'), of the rows at work
        self.scale = self.image.shape[1] // rows
        self.nbytes = self.scratch.nbytes + sum(stage.nbytes for stage in stages)

    def _convolution(self, layer: Any, shape: Shape) -> Convolution:
        weight = Weight(layer, self.scratch.dtype)
        self.convolutions.append(RollingConvolution(weight, shape, self.scratch, self.at))
        return self.convolutions[-1]

    def run(self, x: Array, y: Array, row: int = 0, column: int = 0) -> None:
        """Write y, a part of the output for the image x.

        Parameters
        ----------
        x : array, (C, h, w)
            The image, of the width that was recorded and any height.
        y : array, (C', H', W')
            Where the part goes.
        row, column : int
            The part's first pixel in the output, counted in pixels of the input's size.
        """
        for each in self.convolutions:
            each.weight.update()
            each.tall.flat.fill(0)
        first, at = self.convolutions[0], self.at
        at.start, at.height = 0, x.shape[1]
        left = column * self.scale
        image = self.image[:, :, left : left + y.shape[2]]
        top = -(row + at.lag) * self.scale  # where in y the image's first row goes
        while top < y.shape[1]:
            for call in first.before:
                call()
            new = x[:, at.start : at.start + self.rows].transpose(1, 2, 0)
            first.new[0, : len(new)] = new
            first.clear_outside()
            for call in self.calls:
                call()
            start, stop = max(0, -top), min(image.shape[1], y.shape[1] - top)
            if start < stop:
                y[:, top + start : top + stop] = image[:, start:stop]
            at.start += self.rows
            top += image.shape[1]


class RollingConvolution(Convolution):
    """A convolution whose input arrives a few rows at a time, below the last rows before them."""

    def __init__(self, weight: Weight, shape: Shape, scratch: Scratch, at: At) -> None:
        (above, below), sides = pads_of(weight.layer)
        (n, rows, w, c), kept = shape, weight.k - 1
        super().__init__(weight, (n, rows + kept, w, c), ((0, 0), sides), scratch)
        self.at, self.lag, self.grown = at, at.lag, at.grown
        at.lag += kept - above
        at.grown += above + below - kept
        flat, whole = self.tall.inside
        self.new = whole[:, kept:]
        self.x = Images(flat, self.new)
        if kept:
            self.before = [partial(np.copyto, whole[:, :kept], whole[:, rows:])]
            self.after = [self.clear_outside]

    def clear_outside(self) -> None:
        """Set the new rows above and below the image to zero."""
        first = self.at.start - self.lag
        last = self.at.height + self.grown - first
        if first < 0:
            self.new[:, :-first] = 0
        if last < self.new.shape[1]:
            self.new[:, max(0, last) :] = 0
