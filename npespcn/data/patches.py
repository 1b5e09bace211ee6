"""Pairs of low and high resolution for training, cut from images.

Low resolution is always made here, from high resolution, by ``pictures.downscale``. So a pair
cannot be mismatched, whatever the names of the files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np

from npespcn.common import Array
from npespcn.common.checks import generator, one_of, whole_number
from npespcn.common.messages import short_repr
from npespcn.data.dead_leaves import LeafStatistics, dead_leaves_pictures
from npespcn.fast.views import EightViews, eight_views, turned
from npespcn.models import Network
from npespcn.pictures.color import rgb_to_y
from npespcn.pictures.resize import downscale


class PairedPatches:
    """Images in memory, in low and high resolution, and random patches of them.

    Parameters
    ----------
    pictures : iterable of (H, W, 3) or (H, W), uint8
        RGB or gray images. Their sides are cropped to multiples of `scale`.
    scale
        The factor between low and high resolution, at least 1.
    channels
        1: studio-range luma divided by 255, unrounded (black 16/255, white 235/255).
        3: RGB divided by 255.
    teacher : Network, optional
        A trained network of that scale and these channels. What stands for high resolution is then
        the mean of two images: the image itself, and the teacher's answer to its low resolution, in
        eight views (`npespcn.fast.eight_views`). The teacher answers where its parameters are.

    Raises
    ------
    TypeError, ValueError
        If there is no image, if one is not as above, if `channels` is not 1 or 3, or if the teacher
        has another scale or other channels, or padding "valid", and so answers without a border.
    """

    def __init__(
        self,
        pictures: Iterable[Array],
        scale: int,
        channels: int = 1,
        teacher: Network | None = None,
    ) -> None:
        self.scale = whole_number("PairedPatches: scale", scale, 1)
        self.channels = whole_number("PairedPatches: channels", channels, 1)
        self.teacher = eight_views_of(teacher, self.scale, self.channels)
        pairs = _pairs("PairedPatches", pictures, self.scale, self.channels)
        self._pairs = [self._taught(*pair) for pair in pairs]
        if not self._pairs:
            raise ValueError("PairedPatches: pictures must hold at least one image")
        sides = np.array([lr.shape[1:] for lr, _ in self._pairs])
        self._smallest_side = int(sides.min())
        self._area_up_to = np.cumsum(sides.prod(axis=1))

    def _taught(self, lr: Array, hr: Array) -> tuple[Array, Array]:
        """Return an image in low and high resolution, the latter half from the teacher."""
        if self.teacher is None:
            return lr, hr
        return lr, (hr + self.teacher.predict(lr[None])[0]) / 2

    def seek(self, step: int) -> None:
        """Continue as after `step` batches. Here there is nothing to do: the images stay."""

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._pairs)

    def batch(
        self, rng: np.random.Generator, batch_size: int, patch_size: int
    ) -> tuple[Array, Array]:
        """Cut random patches: low resolution (N, C, p, p) and high resolution (N, C, p*r, p*r).

        An image is chosen with a probability proportional to its area. The place of the patch and
        one of the eight flips and quarter turns are chosen uniformly. Every call draws
        ``4 * batch_size`` numbers from `rng`.

        Parameters
        ----------
        rng
            Source of the random numbers.
        batch_size
            Number of patches, N.
        patch_size
            Side of the patches in LR pixels, p. No image may be smaller.

        Returns
        -------
        lr, hr
            float32, C-contiguous.

        Raises
        ------
        TypeError, ValueError
            If `rng` is not a generator, or if `patch_size` is larger than a side of an image in
            low resolution.
        """
        name = "PairedPatches.batch"
        generator(f"{name}: rng", rng)
        n = whole_number(f"{name}: batch_size", batch_size, 1)
        p = whole_number(f"{name}: patch_size", patch_size, 1)
        c, r = self.channels, self.scale
        if p > self._smallest_side:
            raise ValueError(
                f"{name}: patch_size must be from 1 to {self._smallest_side}, the shortest side "
                f"of the images in low resolution (scale={r}), got {p}"
            )
        lr_batch = np.empty((n, c, p, p), np.float32)
        hr_batch = np.empty((n, c, p * r, p * r), np.float32)
        draws = rng.random((n, 4))  # which image, row, column, turn
        which = np.searchsorted(self._area_up_to, draws[:, 0] * self._area_up_to[-1], "right")
        for i, (u_row, u_column, u_turn) in enumerate(draws[:, 1:].tolist()):
            lr, hr = self._pairs[which[i]]
            row = int(u_row * (lr.shape[1] - p + 1))
            column = int(u_column * (lr.shape[2] - p + 1))
            turn = int(u_turn * 8)
            lr_patch = lr[:, row : row + p, column : column + p]
            hr_patch = hr[:, row * r : (row + p) * r, column * r : (column + p) * r]
            lr_batch[i] = turned(lr_patch, turn)
            hr_batch[i] = turned(hr_patch, turn)
        return lr_batch, hr_batch


def eight_views_of(teacher: Network | None, scale: int, channels: int) -> EightViews | None:
    """Return the teacher of `PairedPatches`, ready to answer; or raise.

    Raises
    ------
    TypeError, ValueError
        If it is no network, has another scale or other channels, or padding "valid".
    """
    if teacher is None:
        return None
    if not isinstance(getattr(teacher, "network", teacher), Network):
        raise TypeError(f"PairedPatches: teacher must be a network, got {short_repr(teacher)}")
    own = teacher.scale, teacher.options["channels"]
    if own != (scale, channels) or teacher.padding == "valid":
        raise ValueError(
            f"PairedPatches: teacher must have scale {scale}, channels={channels} "
            f"and padding same or edge, got {own[0]}, {own[1]} and {teacher.padding}"
        )
    return eight_views(teacher)


class LeafStream(PairedPatches):
    """Patches of dead leaves that are made during training: every image is replaced in time.

    There are always `count` images. After each `every` batches the next image of the series
    replaces the oldest. Only `seed` and the number of batches so far decide which images they are,
    so `seek` can continue where another stream stopped.

    Parameters
    ----------
    scale, channels, teacher
        As in `PairedPatches`.
    count
        Number of images to keep.
    every
        Number of batches between two new images.
    size, seed, statistics, workers, progress
        As in `dead_leaves_pictures`, which makes the first `count` images.

    Raises
    ------
    ValueError
        If `count` or `every` is below 1.
    """

    def __init__(
        self,
        scale: int,
        channels: int = 1,
        teacher: Network | None = None,
        *,
        count: int = 100,
        every: int = 10,
        size: int = 320,
        seed: int = 0,
        statistics: LeafStatistics | None = None,
        workers: int | None = 1,
        progress: Callable[[int], object] | None = None,
    ) -> None:
        eight_views_of(teacher, scale, channels)  # which raises before images are drawn
        whole_number("LeafStream: count", count, 1)
        self._step, self._every = 0, whole_number("LeafStream: every", every, 1)
        self._make = partial(
            dead_leaves_pictures, size=size, seed=seed, statistics=statistics, workers=workers
        )
        super().__init__(self._make(count, progress=progress), scale, channels, teacher)

    def batch(
        self, rng: np.random.Generator, batch_size: int, patch_size: int
    ) -> tuple[Array, Array]:
        """Cut random patches as in `PairedPatches.batch`, then replace an image if it is time."""
        lr, hr = super().batch(rng, batch_size, patch_size)
        self._step += 1
        if self._step % self._every == 0:
            self._take_in(self._step // self._every + len(self) - 1, 1)
        return lr, hr

    def seek(self, step: int) -> None:
        """Continue as after `step` batches: make the images of that time."""
        self._step = whole_number("LeafStream.seek: step", step, 0)
        self._take_in(step // self._every, len(self))

    def _take_in(self, first: int, count: int) -> None:
        """Make `count` images from number `first` on; image i takes place i % len(self)."""
        for i, image in enumerate(self._make(count, first=first), first):
            pair = _pair("PairedPatches", image, self.scale, self.channels)
            self._pairs[i % len(self)] = self._taught(*pair)


def validation_pairs(
    pictures: Sequence[Array], scale: int, channels: int = 1
) -> list[tuple[Array, Array]]:
    """Make pairs of whole images: low resolution (1, C, h, w), high resolution (1, C, h*r, w*r).

    Parameters and errors are those of `PairedPatches`; there may be no images.
    """
    scale = whole_number("validation_pairs: scale", scale, 1)
    channels = whole_number("validation_pairs: channels", channels, 1)
    pairs = _pairs("validation_pairs", pictures, scale, channels)
    return [(lr[None], hr[None]) for lr, hr in pairs]


def _pairs(
    name: str, pictures: Iterable[Array], scale: int, channels: int
) -> list[tuple[Array, Array]]:
    one_of(f"{name}: channels", channels, (1, 3))
    if not isinstance(pictures, Iterable):
        raise TypeError(f"{name}: pictures must be several images, got {short_repr(pictures)}")
    return [_pair(name, image, scale, channels) for image in pictures]


def _pair(name: str, image: Array, scale: int, channels: int) -> tuple[Array, Array]:
    """Return one image in low and high resolution, (C, h, w) and (C, h*r, w*r), float32, 0 to 1."""
    image = np.asarray(image)
    if image.dtype != np.uint8:  # downscale takes float32, too, of any range
        raise TypeError(f"{name}: pictures must be uint8, got {image.dtype}")
    lr = downscale(image, scale)
    hr = image[: lr.shape[0] * scale, : lr.shape[1] * scale]
    return _planes(lr, channels), _planes(hr, channels)


def _planes(image: Array, channels: int) -> Array:
    rgb = image.astype(np.float64)
    if rgb.ndim == 2:
        rgb = np.stack([rgb] * 3, axis=-1)  # (H, W, 3)
    values = rgb_to_y(rgb)[..., None] if channels == 1 else rgb  # (H, W, C)
    return np.ascontiguousarray(values.transpose(2, 0, 1) / 255, dtype=np.float32)  # (C, H, W)
