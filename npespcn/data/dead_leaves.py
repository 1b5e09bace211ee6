"""Dead leaves: training images without end, drawn at random, with the statistics of photographs.

Drop opaque leaves of random place, size and gray on the ground until they hide it, and look down.
The image shows no real object. Yet edges, occlusions, flat areas and small things are as frequent
in it as in a photograph, and as frequent at every size: if radii have the density r⁻³, the image
looks the same from any distance, as images of the world do (Lee, Mumford and Huang 2001). A network
for image restoration that was trained on dead leaves only comes close to one that was trained on
photographs (Achddou, Gousseau and Ladjal 2021), and closer if leaves have light, textures and
patterns of their own (Achddou et al. 2025). Dead leaves need no download and no license.

The leaves are drawn as a map of numbers: which leaf is on top at each pixel. What they look like is
arithmetic on whole arrays, with one number for each leaf.

References
----------
A. B. Lee, D. Mumford and J. Huang, "Occlusion models for natural images: a statistical study of a
scale-invariant dead leaves model", International Journal of Computer Vision 41, 2001.
R. Achddou, Y. Gousseau and S. Ladjal, "Synthetic images as a regularity prior for image
restoration neural networks", Scale Space and Variational Methods in Computer Vision, 2021.
R. Achddou, Y. Gousseau, S. Ladjal and S. Süsstrunk, "VibrantLeaves: a principled parametric image
generator for training deep restoration models", arXiv 2504.10201, 2025.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache, partial
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from npespcn.common import Array
from npespcn.common.checks import from_zero, function, generator, whole_number
from npespcn.common.messages import short_repr
from npespcn.fast.processes import process_pool
from npespcn.fast.threads import thread_count
from npespcn.pictures.color import quantize

SMALLEST = 16  # pixels, of a side
_SUPERSAMPLING = 2  # Pillow draws hard edges: draw larger, then reduce
_ELLIPSE_VERTICES = 24
_STROKE_VERTICES = 7
_MOST_CORNERS = 8
_SHARES = ("polygons", "strokes", "lit", "textured", "striped", "softened")


@dataclass(frozen=True)
class LeafStatistics:
    """The parameters of `dead_leaves`. A pair is a range; a number in it is drawn uniformly.

    Lengths are in pixels, gray levels are 0 to 255.
    """

    leaves: tuple[int, int] = (100, 800)
    """Number of leaves on 320 x 320 pixels. Other sizes have as many per pixel."""

    ground: int = 300
    """Number of large leaves below them, so that little ground stays bare."""

    smallest_radius: float = 1.5
    """Of the smallest leaf. Smaller ones would be noise in the network's low-resolution input."""

    largest_radius: float = 1 / 3
    """Of the largest leaf, as a fraction of the side: leaves should seldom cover a whole image."""

    radius_exponent: float = 3.0
    """Radii have the density r^-exponent (not 1). With 3, images look the same at every size."""

    polygons: float = 0.55
    """Fraction of the leaves with corners and straight sides, as buildings and letters have."""

    strokes: float = 0.15
    """Fraction that is thin and long, like hair, twigs and writing. The rest are ellipses."""

    contrast: float = 1.5
    """A leaf's gray is Beta(contrast, contrast): 1 is uniform, more stays nearer to the middle."""

    tint: float = 0.05
    """Standard deviation of the Cb and Cr of a whole image, as a fraction of the full range."""

    hue: float = 0.04
    """Standard deviation of a leaf's own Cb and Cr around them. Its luma depends on neither."""

    lit: float = 0.6
    """Fraction of the leaves that are lighter on one side than on the other."""

    light: float = 25.0
    """Standard deviation of the change from a leaf's center to its rim, in gray levels."""

    textured: float = 0.8
    """Fraction of the leaves that have a texture, as stone, bark and cloth have."""

    texture_level: float = 14.0
    """Mean over them of the texture's standard deviation, in gray levels."""

    texture_slope: tuple[float, float] = (0.6, 1.8)
    """Its amplitude falls as 1/f^slope, of four slopes in this range: from fine grain to clouds."""

    striped: float = 0.15
    """Fraction of the leaves that have stripes, as fences, blinds and zebras have."""

    stripes: tuple[float, float] = (5.0, 60.0)
    """Half the difference between light and dark stripes, in gray levels."""

    period: tuple[float, float] = (3.0, 30.0)
    """Distance from one stripe to the next; its logarithm is drawn uniformly."""

    shading: float = 0.12
    """Standard deviation of the light that falls on the whole image, as a fraction of its mean."""

    shading_slope: float = 1.6
    """The light's amplitude falls as 1/f^slope: it changes slowly."""

    grain: tuple[float, float] = (0.0, 6.0)
    """Standard deviation of the 1/f noise on the whole image, in gray levels."""

    softened: float = 0.5
    """Fraction of the images that are out of focus, as parts of most photographs are."""

    softness: tuple[float, float] = (0.0, 1.2)
    """Standard deviation of their Gaussian blur."""

    def __post_init__(self) -> None:
        """Refuse values that would fail, or mean something else, in the middle of an image."""
        for field in fields(self):
            name, value = f"LeafStatistics: {field.name}", getattr(self, field.name)
            if isinstance(field.default, tuple):
                _range(name, value)
            else:
                from_zero(name, value)
        whole_number("LeafStatistics: ground", self.ground, 0)
        for low in self.leaves:
            whole_number("LeafStatistics: leaves", low, 0)
        shares = {name: getattr(self, name) for name in _SHARES}
        if max(*shares.values(), self.polygons + self.strokes) > 1:
            raise ValueError(
                "LeafStatistics: fractions are at most 1, polygons and strokes together, too, got "
                f"{shares}"
            )
        above_0 = self.contrast, self.smallest_radius, self.period[0]
        if min(above_0) == 0 or self.radius_exponent == 1:
            raise ValueError(
                "LeafStatistics: contrast, smallest_radius and period must be positive and "
                f"radius_exponent not 1, got {above_0} and {self.radius_exponent}"
            )


def _range(name: str, value: Any) -> None:
    if not isinstance(value, Sequence) or len(value) != 2:
        raise TypeError(f"{name} must be a pair of numbers, got {short_repr(value)}")
    if from_zero(name, value[0]) > from_zero(name, value[1]):
        raise ValueError(f"{name} must be a smaller and a larger number, got {short_repr(value)}")


def dead_leaves(
    rng: np.random.Generator, size: int = 320, statistics: LeafStatistics | None = None
) -> Array:
    """Make one dead-leaves image: (size, size, 3), uint8 RGB.

    Parameters
    ----------
    rng
        Source of all random numbers: the same state gives the same image.
    size
        The side in pixels, at least 16.
    statistics
        ``LeafStatistics()`` if not given.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.

    Examples
    --------
    >>> dead_leaves(np.random.default_rng(0), size=64).shape
    (64, 64, 3)
    """
    generator("dead_leaves: rng", rng)
    size = whole_number("dead_leaves: size", size, SMALLEST)
    if not isinstance(statistics, LeafStatistics | None):
        raise TypeError(
            f"dead_leaves: statistics must be LeafStatistics, got {short_repr(statistics)}"
        )
    s = statistics or LeafStatistics()
    filters = (Image.Resampling.BOX, Image.Resampling.BICUBIC)  # a soft lens, or a sharpened scan
    lens = filters[rng.integers(2)]
    colors, relief = (
        np.asarray(Image.fromarray(part).resize((size, size), lens))
        for part in _paint(rng, size * _SUPERSAMPLING, s)
    )
    light = 1 + s.shading * _noise_field(rng, size, s.shading_slope)  # (size, size)
    grain = rng.uniform(*s.grain) * _noise_field(rng, size, 1.0)  # (size, size)
    pixels = quantize((colors + relief[..., None]) * light[..., None] + grain[..., None])
    is_soft, sigma = rng.random() < s.softened, rng.uniform(*s.softness)
    if is_soft:
        pixels = np.array(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(sigma)))
    return pixels


def _paint(rng: np.random.Generator, side: int, s: LeafStatistics) -> tuple[Array, Array]:
    """Paint a square of `side` supersampled pixels.

    Returns
    -------
    colors
        Of the leaves: (side, side, 3), uint8.
    relief
        Gray levels to add, for light and texture of each leaf: (side, side), float32.
    """
    top, radii, centers = _fall(rng, side, s)  # (side, side), (n,), (n, 2)
    relief = _light(rng, s, top, radii, centers)
    relief += _texture(rng, s, top, len(radii))
    relief += _stripes(rng, s, top, len(radii))
    return _colors(rng, len(radii), s)[top], relief


def _fall(rng: np.random.Generator, side: int, s: LeafStatistics) -> tuple[Array, Array, Array]:
    """Let leaves fall one over the other on a square. Leaf 0 is the bare ground.

    Returns
    -------
    top
        The number of the leaf on top at each pixel, (side, side).
    radii, centers
        Of all n leaves: (n,), and (n, 2) as x, y.
    """
    scale = _SUPERSAMPLING
    smallest, largest = s.smallest_radius * scale, s.largest_radius * side
    above = round(rng.integers(*s.leaves, endpoint=True) * (side / (320 * scale)) ** 2)
    radii = np.concatenate(
        [
            [side],
            _radii(rng, s.ground, max(smallest, largest / 8), largest, s.radius_exponent),
            _radii(rng, above, smallest, largest, s.radius_exponent),
        ]
    )
    n = len(radii)
    kinds = np.searchsorted([s.polygons, s.polygons + s.strokes], rng.random(n), side="right")
    corners = rng.integers(3, _MOST_CORNERS, n, endpoint=True)
    shapes = [_polygons(rng, radii, corners), _strokes(rng, radii), _ellipses(rng, radii)]
    centers = rng.uniform(0, side, (n, 2))
    points = [(shape + centers[:, None]).reshape(n, -1) for shape in shapes]  # (n, 2 * vertices)
    widths = np.rint(scale * rng.uniform(0.5, 2.5, n)).astype(int).tolist()

    top = Image.new("I", (side, side), 0)
    draw = ImageDraw.Draw(top)
    for i, kind in enumerate(kinds.tolist()[1:], 1):
        outline = points[kind][i].tolist()
        if kind == 0:
            draw.polygon(outline[: 2 * corners[i]], fill=i)
        elif kind == 1:
            draw.line(outline, fill=i, width=widths[i])
        else:
            draw.polygon(outline, fill=i)
    return np.asarray(top, np.intp), radii, centers


def _light(
    rng: np.random.Generator, s: LeafStatistics, top: Array, radii: Array, centers: Array
) -> Array:
    """Return gray levels that rise from one side of a leaf to the other: (side, side)."""
    n = len(radii)
    angle, is_lit = rng.uniform(0, 2 * np.pi, n), rng.random(n) < s.lit
    rise = np.abs(s.light * rng.standard_normal(n)) * is_lit
    slope = rise / np.maximum(radii, 8)  # gentle on the smallest leaves
    rows, columns = np.indices(top.shape, np.float32)
    x, y = columns - _each(centers[:, 0], top), rows - _each(centers[:, 1], top)
    light = _each(slope * np.cos(angle), top) * x + _each(slope * np.sin(angle), top) * y
    most = _each(1.5 * rise, top)
    inside: Array = np.clip(light, -most, most)
    return inside


def _texture(rng: np.random.Generator, s: LeafStatistics, top: Array, n: int) -> Array:
    """Return 1/f noise on the leaves: (side, side). Each has its own piece of one of four."""
    side, size = len(top), len(top) // _SUPERSAMPLING
    slopes = np.linspace(*s.texture_slope, 4)
    noise = np.stack([_noise_field(rng, size, slope) for slope in slopes])  # (4, size, size)
    noise = np.tile(noise, (1, 3, 3))  # it is periodic: so no piece reaches beyond its edge
    levels = rng.exponential(s.texture_level, n) * (rng.random(n) < s.textured)
    corner = rng.integers(0, [[4], [size], [size]], (3, n))  # which noise, row, column
    begin: Array = np.ravel_multi_index(tuple(corner), noise.shape)
    pixel = noise.shape[2] * np.arange(side)[:, None] + np.arange(side)  # (side, side)
    texture: Array = _each(levels, top) * noise.ravel()[begin[top] + pixel]
    return texture


def _stripes(rng: np.random.Generator, s: LeafStatistics, top: Array, n: int) -> Array:
    """Return stripes on some leaves, hard or soft, half of them along an axis: (side, side)."""
    shortest, longest = np.log(s.period)
    period = _SUPERSAMPLING * np.exp(rng.uniform(shortest, longest, n))
    angle, is_straight = rng.uniform(0, np.pi, n), rng.random(n) < 0.5
    angle = np.where(is_straight, np.rint(angle / (np.pi / 2)) * (np.pi / 2), angle)
    levels = rng.uniform(*s.stripes, n) * (rng.random(n) < s.striped)
    is_hard, edge = rng.random(n) < 0.5, rng.uniform(-0.6, 0.6, n)
    there = (levels > 0)[top]
    leaf, (y, x) = top[there], np.nonzero(there)  # a number for each pixel with stripes
    turns = (_each(np.cos(angle), leaf) * x + _each(np.sin(angle), leaf) * y) / period[leaf]
    wave = np.sin(2 * np.pi * turns)
    wave = np.where(is_hard[leaf], np.sign(wave - edge[leaf]), wave)
    stripes = np.zeros(top.shape, np.float32)
    stripes[there] = levels[leaf] * wave
    return stripes


def _each(values: Array, leaf: Array) -> Array:
    """Return the value of the leaf at each pixel, float32."""
    found: Array = values.astype(np.float32)[leaf]
    return found


def _radii(
    rng: np.random.Generator, n: int, smallest: float, largest: float, exponent: float
) -> Array:
    """Draw n radii of density r^-exponent between two bounds, by inverting its integral."""
    power = 1 - exponent
    low, high = smallest**power, max(smallest, largest) ** power
    radii: Array = (low + rng.random(n) * (high - low)) ** (1 / power)
    return radii


def _colors(rng: np.random.Generator, n: int, s: LeafStatistics) -> Array:
    """Draw n colors, (n, 3) in 0..255: a gray, and around it a color that keeps its luma."""
    gray = rng.beta(s.contrast, s.contrast, (n, 1))
    cb, cr = (s.tint * rng.standard_normal((1, 2)) + s.hue * rng.standard_normal((n, 2))).T
    # Full-range BT.601 inverted: red and blue first, and green so that the luma stays.
    red, blue = 1.402 * cr, 1.772 * cb
    shift = np.stack([red, -(0.299 * red + 0.114 * blue) / 0.587, blue], axis=1)  # (n, 3)
    room = np.where(shift > 0, 1 - gray, gray)  # (n, 3), up to white or down to black
    fits = (room / np.maximum(np.abs(shift), 1e-9)).min(axis=1, keepdims=True).clip(max=1)
    return quantize(255 * (gray + fits * shift))


def _ellipses(rng: np.random.Generator, radii: Array) -> Array:
    """Return outlines of ellipses around 0: (n, vertices, 2)."""
    t = np.linspace(0, 2 * np.pi, _ELLIPSE_VERTICES, endpoint=False)
    flatness = rng.uniform(0.3, 1, (len(radii), 1))
    return _turned(rng, radii, np.cos(t), flatness * np.sin(t))


def _polygons(rng: np.random.Generator, radii: Array, corners: Array) -> Array:
    """Return outlines around 0, polygons of the first `corners` vertices: (n, vertices, 2)."""
    k = np.arange(_MOST_CORNERS) + rng.uniform(0, 0.8, (len(radii), _MOST_CORNERS))
    t = 2 * np.pi * k / corners[:, None]
    reach = rng.uniform(0.5, 1, t.shape)
    return _turned(rng, radii, reach * np.cos(t), reach * np.sin(t))


def _strokes(rng: np.random.Generator, radii: Array) -> Array:
    """Return bent lines through 0, three times as long as a leaf is wide: (n, vertices, 2)."""
    t = np.linspace(-3, 3, _STROKE_VERTICES)
    bend = rng.uniform(0, 0.2, (len(radii), 1))
    return _turned(rng, radii, t, bend * t**2)


def _turned(rng: np.random.Generator, radii: Array, x: Array, y: Array) -> Array:
    """Scale by the radii and turn each shape by a random angle: two (n, k) -> (n, k, 2)."""
    angle = rng.uniform(0, 2 * np.pi, (len(radii), 1))
    cos, sin = radii[:, None] * np.cos(angle), radii[:, None] * np.sin(angle)
    return np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)


def _noise_field(rng: np.random.Generator, size: int, slope: float) -> Array:
    """Return Gaussian noise of amplitude 1/f^slope, mean 0 and deviation 1: (size, size).

    It is periodic: what leaves it on one side comes in again on the other.
    """
    white = np.fft.rfft2(rng.standard_normal((size, size), dtype=np.float32))
    field = np.fft.irfft2(white * _amplitudes(size, slope), s=(size, size))
    unit: Array = (field / field.std()).astype(np.float32)
    return unit


@lru_cache(maxsize=8)
def _amplitudes(size: int, slope: float) -> Array:
    """Return 1/f^slope at the frequencies of rfft2: (size, size // 2 + 1), float32."""
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size))
    frequency[0, 0] = np.inf  # no mean
    amplitudes: Array = (frequency**-slope).astype(np.float32)
    return amplitudes


def dead_leaves_pictures(
    count: int,
    size: int = 320,
    seed: int = 0,
    *,
    first: int = 0,
    statistics: LeafStatistics | None = None,
    workers: int | None = 1,
    progress: Callable[[int], object] | None = None,
) -> list[Array]:
    """Make the dead-leaves images `first` to ``first + count - 1`` of the series `seed`.

    Image i depends on `seed` and i only, not on `count`, `first` or `workers`.

    Parameters
    ----------
    count
        Number of images, at least 0.
    size, statistics
        As in `dead_leaves`.
    seed
        Number of the series, at least 0.
    first
        Number of the first image, at least 0.
    workers
        Number of processes that share the work; None means one for each available core. A script
        that asks for more than one needs the usual ``if __name__ == "__main__":``.
    progress
        Called after each image with the number of images that are done.

    Returns
    -------
    list of (size, size, 3) uint8 arrays

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.
    """
    count = whole_number("dead_leaves_pictures: count", count, 0)
    whole_number("dead_leaves_pictures: size", size, SMALLEST)
    whole_number("dead_leaves_pictures: seed", seed, 0)
    whole_number("dead_leaves_pictures: first", first, 0)
    if progress is not None:
        function("dead_leaves_pictures: progress", progress)
    if workers is None:
        workers = thread_count()
    workers = whole_number("dead_leaves_pictures: workers", workers, 1)
    workers = min(workers, count // _WORTH_A_PROCESS)
    make = partial(_numbered, size=size, seed=seed, statistics=statistics)
    numbers = range(first, first + count)
    if workers < 2:
        return _collected(enumerate(map(make, numbers)), progress)
    with process_pool(workers) as pool:
        return _collected(pool.results(make, numbers), progress)


_WORTH_A_PROCESS = 16  # images; starting a process takes about as long as making ten


def _numbered(i: int, *, size: int, seed: int, statistics: LeafStatistics | None) -> Array:
    return dead_leaves(
        np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(i,))), size, statistics
    )


def _collected(
    results: Iterable[tuple[int, Array]], progress: Callable[[int], object] | None
) -> list[Array]:
    """Return the images in the order of their numbers; they may arrive in any order."""
    images = {}
    for i, image in results:
        images[i] = image
        if progress is not None:
            progress(len(images))
    return [images[i] for i in range(len(images))]
