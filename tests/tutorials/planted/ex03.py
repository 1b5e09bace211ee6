"""Mistakes for exercise 3."""

from mistakes import Planted

SPLIT = "parts = y.reshape(*leading, c, h, r, w, r)  # (..., C, H, i, W, j)"
AXES = "(*range(n), n, n + 2, n + 4, n + 1, n + 3)"
MOVED = "moved = parts.transpose(axes)  # (..., C, i, j, H, W)"
LAST = "return moved.reshape(*leading, c * r * r, h, w).copy()  # else a view of y, where r is 1"
BACK = "return pixel_unshuffle(dy, upscale_factor)"
GIVEN = "def pixel_unshuffle("
SLICES = """def pixel_shuffle(x, r):
    *leading, channels, h, w = x.shape
    y = np.empty((*leading, channels // (r * r), h * r, w * r), x.dtype)
    for i, j in np.ndindex(r, r):
        y[..., i::r, j::r] = x[..., i * r + j :: r * r, :, :]
    return y


"""
SHUFFLE = """split = y.reshape(*leading, c // (r * r), r, r, height, width)
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return split.transpose(order).reshape(*leading, c // (r * r), height * r, width * r)
"""
DCR = """
    r = upscale_factor
    channels = pixel_unshuffle(dy, r)
    *leading, count, h, w = channels.shape
    groups = channels.reshape(*leading, count // (r * r), r * r, h, w)
    return groups.swapaxes(-3, -4).reshape(channels.shape)
"""
IJ = """
    r = upscale_factor
    channels = pixel_unshuffle(dy, r)
    *leading, count, h, w = channels.shape
    groups = channels.reshape(*leading, count // (r * r), r, r, h, w)
    return groups.swapaxes(-3, -4).reshape(channels.shape)
"""
PLANTED = (
    Planted(
        "shuffled again",
        {
            SPLIT: "return pixel_shuffle(y, r)\n    parts = y.reshape(*leading, c, h, r, w, r)",
            GIVEN: SLICES + GIVEN,
        },
        "pixel_unshuffle: shape",
        "y is shuffled once more",
    ),
    Planted(
        "shuffled again, by reshape and transpose",
        {SPLIT: SHUFFLE + "    parts = y.reshape(*leading, c, h, r, w, r)"},
        "pixel_unshuffle: runs",
        "y is shuffled once more",
    ),
    Planted(
        "TensorFlow's order",
        {AXES: "(*range(n), n + 2, n + 4, n, n + 1, n + 3)"},
        "pixel_unshuffle: odd inputs",
        "TensorFlow's (DCR), where the image channel counts fastest",
    ),
    Planted(
        "i and j swapped",
        {AXES: "(*range(n), n, n + 4, n + 2, n + 1, n + 3)"},
        "pixel_unshuffle: values",
        "rows and columns of each block are swapped: i counts its rows",
    ),
    Planted(
        "equation 4",
        {AXES: "(*range(n), n + 4, n + 2, n, n + 1, n + 3)"},
        "pixel_unshuffle: values",
        "equation 4 with x the row",
    ),
    Planted(
        "the shuffle's transpose",
        {AXES: "(*range(n), n, n + 3, n + 1, n + 4, n + 2)"},
        "pixel_unshuffle: values",
        "the axes are moved as in the shuffle",
    ),
    Planted(
        "i slower than H",
        {
            SPLIT: "parts = y.reshape(*leading, c, r, h, r, w)",
            AXES: "(*range(n), n, n + 1, n + 3, n + 2, n + 4)",
        },
        "pixel_unshuffle: values",
        "h must be the slower part",
    ),
    Planted(
        "no transpose",
        {MOVED: "moved = parts"},
        "pixel_unshuffle: values",
        "nothing was moved",
    ),
    Planted(
        "averaged",
        {LAST: "return parts.mean(axis=(-1, -3))"},
        "pixel_unshuffle: shape",
        "each block is averaged",
    ),
    Planted(
        "decimated",
        {LAST: "return y[..., ::r, ::r]"},
        "pixel_unshuffle: shape",
        "one number of each block is kept",
    ),
    Planted(
        "one color only",
        {"*leading, c, height, width = y.shape": "*leading, c, height, width = y.shape\n    c = 1"},
        "pixel_unshuffle: odd inputs",
        "right for one channel, wrong for more",
    ),
    Planted(
        "H and W swapped",
        {"height // r, width // r": "width // r, height // r"},
        "pixel_unshuffle: odd inputs",
        "right for square pictures, wrong where H is not W",
    ),
    Planted(
        "one picture only",
        {"*leading, c, height, width =": "leading = []\n    c, height, width ="},
        "pixel_unshuffle: odd inputs",
        "a batch has four",
    ),
    Planted(
        "float64 canvas",
        {".copy()": ".astype(float)"},
        "pixel_unshuffle: dtype",
        "int64 becomes float64",
    ),
    Planted(
        "y changed",
        {LAST: LAST.replace("return", "x =") + "\n    y[...] = 0\n    return x"},
        "pixel_unshuffle: arguments",
        "your function changes y",
    ),
    Planted(
        "backward: shuffled again",
        {BACK: "return pixel_shuffle(dy, upscale_factor)", GIVEN: SLICES + GIVEN},
        "pixel_shuffle_backward: shape",
        "dy is shuffled once more",
    ),
    Planted(
        "backward: times r*r",
        {BACK: f"{BACK} * upscale_factor**2"},
        "pixel_shuffle_backward: values",
        "r*r times too large",
    ),
    Planted(
        "backward: over r*r",
        {BACK: f"{BACK} / upscale_factor**2"},
        "pixel_shuffle_backward: values",
        "r*r times too small",
    ),
    Planted(
        "backward: averaged",
        {
            BACK: "r, sides = upscale_factor, dy.shape[-2:]\n"
            "    parts = dy.reshape(*dy.shape[:-2], sides[0] // r, r, sides[1] // r, r)\n"
            "    return parts.mean(axis=(-1, -3)).repeat(r * r, axis=-3)"
        },
        "pixel_shuffle_backward: values",
        "each block is averaged",
    ),
    Planted(
        "backward: all ones",
        {BACK: "return np.ones_like(pixel_unshuffle(dy, upscale_factor))"},
        "pixel_shuffle_backward: values",
        "dx is all ones",
    ),
    Planted(
        "backward: i and j swapped",
        {BACK: IJ.strip()},
        "pixel_shuffle_backward: values",
        "rows and columns of each block are swapped: i counts its rows",
    ),
    Planted(
        "backward: TensorFlow's order",
        {BACK: DCR.strip()},
        "pixel_shuffle_backward: odd inputs",
        "TensorFlow's (DCR), where the image channel counts fastest",
    ),
    Planted(
        "backward: one color only",
        {BACK: "return pixel_unshuffle(dy[..., :1, :, :], upscale_factor)"},
        "pixel_shuffle_backward: odd inputs",
        "right for one channel, wrong for more",
    ),
    Planted(
        "backward: float32 lost",
        {BACK: "return pixel_unshuffle(dy.astype(np.float32), upscale_factor).astype(dy.dtype)"},
        "pixel_shuffle_backward: odd inputs",
        "passes through float32",
    ),
    Planted(
        "backward: dy changed",
        {BACK: "dy *= 2\n    return pixel_unshuffle(dy / 2, upscale_factor)"},
        "pixel_shuffle_backward: arguments",
        "your function changes dy",
    ),
    Planted(
        "a view",
        {".copy()": ""},
        "pixel_unshuffle: memory",
        "returns y itself, or a view of it",
    ),
    Planted(
        "a buffer that the second call overwrites",
        {
            LAST: "x = KEPT.setdefault((moved.shape, moved.dtype), moved.copy())\n"
            "    x[...] = moved\n    return x.reshape(*leading, c * r * r, h, w)",
            GIVEN: f"KEPT = {{}}\n\n\n{GIVEN}",
        },
        "pixel_unshuffle: memory",
        "every call writes to the same array",
    ),
    Planted(
        "through float64",
        {MOVED: "moved = parts.transpose(axes).astype(float).astype(y.dtype)"},
        "pixel_unshuffle: odd inputs",
        "passes through float64",
    ),
    Planted(
        "r at most 4",
        {"r = downscale_factor": "r = min(downscale_factor, 4)"},
        "pixel_unshuffle: odd inputs",
        "wrong for larger r",
    ),
    Planted(
        "not for r = 1",
        {"r = downscale_factor": "r = max(downscale_factor, 2)"},
        "pixel_unshuffle: odd inputs",
        "r is not heeded: it counts as 2",
    ),
    Planted(
        "never written",
        {
            LAST: "x = np.empty(moved.shape, moved.dtype)\n    x[..., 1:] = moved[..., 1:]\n"
            "    return x.reshape(*leading, c * r * r, h, w)"
        },
        "pixel_unshuffle: values",
        "np.empty reserves memory",
    ),
    Planted(
        "backward: dy itself where r is 1",
        {BACK: f"if upscale_factor == 1:\n        return dy\n    {BACK}"},
        "pixel_shuffle_backward: memory",
        "returns dy itself",
    ),
    Planted(
        "backward: float16 on the way",
        {BACK: "return pixel_unshuffle(dy.astype(np.float16), upscale_factor).astype(dy.dtype)"},
        "pixel_shuffle_backward: odd inputs",
        "passes through float16",
    ),
    Planted(
        "backward: added to what was there",
        {
            BACK: "dx = np.empty_like(pixel_unshuffle(dy, upscale_factor))\n"
            "    dx += pixel_unshuffle(dy, upscale_factor)\n    return dx"
        },
        "pixel_shuffle_backward: values",
        "np.empty reserves memory",
    ),
)
