"""Exercise 14: the transposed convolution, and its checkerboard."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from tutorials.exercises.checker.engine import ANY, Exercise, Function, Rows
from tutorials.exercises.checker.inputs import Given, Inputs, counted, floats

# --- what is asked -------------------------------------------------------------------------------


def _drawn(
    n: int = 1, c: int = 1, o: int = 1, h: int = 2, w: int = 2, k: int = 2,
    s: int | None = 2, p: int | None = 0,
) -> Given | None:  # fmt: skip
    if any((side - 1) * (s or 1) + k - 2 * (p or 0) < 1 for side in (h, w)):
        return None
    given: dict[str, Any] = {"x": floats(n, c, h, w), "weight": floats(c, o, k, k)}
    return given | {k: v for k, v in (("stride", s), ("padding", p)) if v is not None}


def _counts(h: int = 2, w: int = 2, k: int = 3, s: int = 2) -> Given:
    return {"shape": (h, w), "kernel_size": k, "stride": s}


def _filters(c: int = 1, r: int = 2, k: int = 1, inputs: int = 1) -> Given | None:
    if k % 2 == 0:
        return None
    return {"weight": counted(c * r * r, inputs, k, k, start=1), "upscale_factor": r}


# --- right answers, and slips --------------------------------------------------------------------

Place: TypeAlias = Callable[[int, int, int], Any]
"""Where n kernels of k entries fall, along one axis, for a stride: (n, k, places), 0 and 1."""


def stamps(n: int, k: int, stride: int) -> Any:
    """Return where n kernels of k entries fall, along one axis: (n, k, places), 0 and 1."""
    p, i, place = np.ogrid[:n, :k, : (n - 1) * stride + k]
    return (p * stride + i == place).astype(float)


def _cropped(y: Any, p: int) -> Any:
    return y[:, :, p : y.shape[2] - p, p : y.shape[3] - p]


def transposed(
    x: Any,
    weight: Any,
    stride: int = 1,
    padding: int = 0,
    *,
    place: Place = stamps,
    wide: Place | None = None,
    last: bool = False,
    crop: Callable[[Any, int], Any] = _cropped,
) -> Any:
    """Draw with a kernel, in rows by `place` and in columns by `wide`, if that is another.

    Where drawings overlap, the `last` is kept, or they are added up.
    """
    (n, _, h, w), (_, o, k, _) = x.shape, weight.shape
    rows, cols = place(h, k, stride), (wide or place)(w, k, stride)
    if not last:
        y = np.einsum("ncpq,coij,pir,qjs->nors", x, weight, rows, cols)
        return crop(y.astype(x.dtype), padding)
    y = np.zeros((n, o, rows.shape[2], cols.shape[2]), x.dtype)
    for i, j in np.ndindex(k, k):  # one entry of all kernels at a time
        drawn = np.einsum("ncpq,co,pr,qs->nors", x, weight[..., i, j], rows[:, i], cols[:, j])
        y = np.where(np.outer(rows[:, i].sum(0), cols[:, j].sum(0)) > 0, drawn, y)
    return crop(y, padding)


def _repeated(n: int, k: int, stride: int) -> Any:
    """Draw every pixel `stride` times, side by side, as if the picture were enlarged first."""
    places = stamps((n - 1) * stride + 1, k, 1)
    return np.stack([places[p * stride : (p + 1) * stride].sum(axis=0) for p in range(n)])


def _resized(n: int, k: int, stride: int) -> Any:
    return stamps(n, k, stride)[..., : n * stride]


def _roomy(n: int, k: int, stride: int) -> Any:
    return np.pad(stamps(n, k, stride), ((0, 0), (0, 0), (0, stride - 1)))


def _wide_stride_only(n: int, k: int, stride: int) -> Any:
    return stamps(n, k, min(stride, k))


def _other_weight(x: Any, weight: Any, stride: int = 1, padding: int = 0) -> Any:
    """Take the weight as a convolution has it, (O, C, k, k)."""
    return transposed(x, weight.swapaxes(0, 1), stride, padding)


def counts(shape: tuple[int, int], kernel_size: int, stride: int) -> Any:
    """Return how many kernels fall on each place."""
    rows, cols = (stamps(n, kernel_size, stride).sum(axis=(0, 1)) for n in shape)
    return np.outer(rows, cols).astype(int)


def _counts_by(function: Callable[[Any, Any, int, int], Any]) -> Callable[..., Any]:
    """Return a way to combine the counts of rows and columns, which also gets k and the stride."""

    def by(shape: tuple[int, int], kernel_size: int, stride: int) -> Any:
        rows, cols = (stamps(n, kernel_size, stride).sum(axis=(0, 1)) for n in shape)
        return np.asarray(function(rows[:, None], cols, kernel_size, stride))

    return by


def _alike(up: int, a: Any, b: Any, k: int, s: int) -> Any:
    return np.full_like(a * b, ((k + up * (s - 1)) // s) ** 2)


def _seen(shape: tuple[int, int], kernel_size: int, stride: int) -> Any:
    """Return how often a convolution looks at each pixel of x."""
    sides = []
    for n in shape:
        side = np.zeros(n, int)
        for start in range(0, n - kernel_size + 1, stride):
            side[start : start + kernel_size] += 1
        sides.append(side)
    return np.outer(*sides)


def _whole(function: Any, **given: Any) -> Any:
    """Call; counts may be whole numbers of any type."""
    came = function(**given)
    if (
        isinstance(came, np.ndarray)
        and came.dtype.kind in "biuf"
        and np.array_equal(came, came // 1)
    ):
        return came.astype(int)
    return came


def kernel(
    weight: Any,
    upscale_factor: int,
    *,
    split: str = "cijnab",
    join: str = "ncaibj",
    turn: tuple[int, ...] = (-2, -1),
    turn_whole: bool = False,
) -> Any:
    """Return the one kernel.

    The weight has the axes `split`, n for in, a and b for rows and columns of the small kernel;
    `join` is their order in the large one; those of `turn` are in reverse.
    """
    r = upscale_factor
    filters, inputs, k, _ = weight.shape
    sizes = {"c": filters // (r * r), "i": r, "j": r, "n": inputs, "a": k, "b": k}
    parts = np.flip(weight, turn).reshape([sizes[axis] for axis in split])
    parts = parts.transpose([split.index(axis) for axis in join])
    first = "cn" if join.startswith("cn") else "nc"
    large = parts.reshape(*(sizes[axis] for axis in first), k * r, k * r)
    return large[..., ::-1, ::-1] if turn_whole else large


def _enlarged(weight: Any, upscale_factor: int) -> Any:
    r = upscale_factor
    return weight[:: r * r].repeat(r, axis=2).repeat(r, axis=3).swapaxes(0, 1)


PADDING = "padding takes rows and columns off y, on all four sides. Here it {}"
SIZE = (
    "y has another size. The last pixel is drawn (H - 1)*stride rows below the first, and its "
    "kernel has k rows"
)
DRAWING: Rows = (
    (
        "where kernels overlap, one number overwrites another: what is drawn on a pixel adds up",
        partial(transposed, last=True),
    ),
    (PADDING.format("does nothing"), partial(transposed, crop=lambda y, p: y)),
    (
        PADDING.format("adds zeros, as in a convolution"),
        partial(transposed, crop=lambda y, p: np.pad(y, ((0, 0), (0, 0), (p, p), (p, p)))),
    ),
    (
        "without padding nothing is left: a slice that ends at -0 is empty",
        partial(transposed, crop=lambda y, p: y[:, :, p:-p, p:-p]),
    ),
    (
        PADDING.format("takes all of them off below and on the right"),
        partial(transposed, crop=lambda y, p: y[:, :, : y.shape[2] - 2 * p, : y.shape[3] - 2 * p]),
    ),
    (
        "there are k - 1 - padding zeros around, or as many rows are cut off: that belongs to the "
        "way by a convolution. Here, padding rows are cut off",
        lambda x, weight, stride=1, padding=0: transposed(
            x, weight, stride, weight.shape[2] - 1 - padding
        ),
    ),
    (
        "the pixels are repeated, so that each is drawn several times. Each is drawn once, and "
        "the next one lies `stride` steps away",
        partial(transposed, place=_repeated),
    ),
    (
        f"{SIZE}. Here it is cut to H*stride rows",
        partial(transposed, place=_resized, crop=lambda y, p: y),
    ),
    (
        "the stride is heeded in height only. It holds for the width, too",
        partial(transposed, wide=lambda n, k, stride: stamps(n, k, 1)),
    ),
    (f"{SIZE}. Here it has H*stride + k - 1", partial(transposed, place=_roomy)),
    (
        "where the kernel is smaller than the stride there must be gaps: the stride is not made "
        "smaller",
        partial(transposed, place=_wide_stride_only),
    ),
    (
        "the weight is taken as that of a convolution, (O, C, k, k): here the channels of x come "
        "first",
        _other_weight,
    ),
)
COUNTING: Rows = (
    ("this counts along one axis: y has rows and columns", _counts_by(lambda a, b, k, s: a[:, 0])),
    (
        "this says where something is drawn, and not how many pixels draw there",
        _counts_by(lambda a, b, k, s: np.minimum(a * b, 1)),
    ),
    (
        "the counts of rows and columns are added. Each of the pixels below each other can be "
        "combined with each of those side by side: multiply",
        _counts_by(lambda a, b, k, s: a + b),
    ),
    *(
        (
            "this number is right inside, where nothing ends, and only if the stride divides k. "
            "Count at every place",
            _counts_by(partial(_alike, up)),
        )
        for up in (0, 1)
    ),
    ("this counts how often a convolution looks at each pixel of x: y is larger", _seen),
    (
        "kernel size and stride have changed places",
        lambda shape, kernel_size, stride: counts(shape, stride, kernel_size),
    ),
)
KERNELS: Rows = (
    (
        "the small kernels are not turned. A convolution looks at the pixel above by its first "
        "row; on the way from the pixel to what it draws, that is the last row",
        partial(kernel, turn=()),
    ),
    (
        "the large kernel is turned as a whole: the small ones must be turned, and the places in "
        "the block stay",
        partial(kernel, turn=(), turn_whole=True),
    ),
    ("the small kernels are turned in rows only", partial(kernel, turn=(-2,))),
    (
        "rows and columns of the block, i and j, are swapped: filter i*r + j makes row i and "
        "column j",
        partial(kernel, join="ncajbi"),
    ),
    (
        "the rows of the block, i, count slower than those of the small kernel: a step in the "
        "small kernel is a whole pixel, so it is r rows",
        partial(kernel, join="nciajb"),
    ),
    (
        "the order of the filters is TensorFlow's (DCR): in `subpixel_convolution` the image "
        "channel counts slowest",
        partial(kernel, split="ijcnab"),
    ),
    ("the image channels come first: here the channels of x do", partial(kernel, join="cnaibj")),
    *(
        (
            "nothing was moved: a reshape leaves the numbers in their old order",
            partial(kernel, join="cijnab", turn=turn),
        )
        for turn in ((-2, -1), ())
    ),
    (
        "one filter of each block is enlarged, and the other filters are lost: every filter makes "
        "its own place of the block",
        _enlarged,
    ),
)  # fmt: skip

EXERCISE = Exercise(
    title="the transposed convolution, and its checkerboard",
    hints={
        "conv_transpose2d": (
            "Draw the example of three pixels on paper, with stride 2. Then do it in another "
            "order: first the first entry of the kernel for all pixels, then the second, then the "
            "third. Which places does one entry reach?",
            "The places that one entry of the kernel reaches lie `stride` apart. A slice with a "
            "step takes all of them. What is the first of them, and what comes after the last?",
            "The channels are summed as in a convolution, by a product of x with weight[:, :, i, "
            "j] over C. Make y without padding first, full of zeros, and cut it at the end. Mind "
            "padding 0.",
        ),
        "overlap": (
            "How many kernels fall on a place is a transposed convolution, too. Of which picture, "
            "with which kernel?",
            "If every pixel and every entry of the kernel is 1, each drawing adds 1 to what it "
            "reaches.",
            "conv_transpose2d wants four axes for x and for the weight. The shape here has two.",
        ),
        "one_kernel": (
            "What does subpixel_convolution draw of a picture that is 0 everywhere, but 1 in one "
            "pixel? And what does a transposed convolution draw of it?",
            "Let k be 3, and the bright pixel at (2, 2). The small pixel (1, 1) sees it by one "
            "entry of its filters: which one? And the small pixel (3, 3)? What does that say of "
            "rows in the large kernel?",
            "Row number and column number of the large kernel are each made of two parts: a whole "
            "small pixel, which is r rows, and the place in the block. Give every part an axis, "
            "put one of them in reverse, and put the axes in the right order.",
        ),
    },
    functions=[
        Function(
            "conv_transpose2d",
            reference=transposed,
            inputs=Inputs(
                _drawn,
                plain=(
                    {"s": None, "p": None},
                    {"k": 3},
                    {"k": 3, "h": 3, "w": 3, "p": 1},
                    {"k": 3, "h": 3, "w": 3, "s": 1, "p": 1},
                ),
                odd={
                    "right where the kernel covers the stride, wrong where there are gaps": (
                        {"k": 1},
                        {"k": 2, "s": 3},
                    ),
                    "right for small strides, wrong for stride 4": (
                        {"k": 4, "s": 4},
                        {"k": 5, "s": 4},
                    ),
                    "right for one input channel, wrong for more": ({"c": 2, "o": 3, "k": 3},),
                },
            ),
            mistakes=DRAWING,
            axes={"x": "N C H W", "weight": "C O i j", "y": "N O rows columns"},
        ),
        Function(
            "overlap",
            reference=counts,
            inputs=Inputs(
                _counts,
                plain=({}, {"h": 3, "w": 3}, {"k": 4}, {"k": 2, "s": 1}),
                odd={
                    "right where the kernel covers the stride, wrong where there are gaps": (
                        {"k": 1},
                        {"k": 2, "s": 3, "h": 3, "w": 3},
                    ),
                    "right for small kernels, wrong for large ones": (
                        {"k": 7, "s": 2, "h": 5, "w": 5},
                    ),
                },
                types=(),
            ),
            mistakes=COUNTING,
            results=("counts",),
            axes={"counts": "rows columns"},
            exact=True,
            through=_whole,
        ),
        Function(
            "one_kernel",
            reference=kernel,
            inputs=Inputs(
                _filters,
                plain=({}, {"k": 3}),
                odd={
                    "right for one channel of x, wrong for more": (
                        {"inputs": 2},
                        {"inputs": 3, "k": 3},
                        {"inputs": 2, "c": 3, "k": 3},
                    ),
                    "right for k up to 3, wrong for k = 5": ({"k": 5},),
                },
                types=ANY,
            ),
            mistakes=KERNELS,
            results=("kernel",),
            axes={"weight": "filters in a b", "kernel": "in C rows columns"},
            exact=True,
        ),
    ],
)
