"""Mistakes for exercise 3."""

from mistakes import Planted

SPLIT = "parts = y.reshape(*leading, c, h, r, w, r)  # (..., C, H, i, W, j)"
AXES = "(*range(n), n, n + 2, n + 4, n + 1, n + 3)"
LAST = "return parts.transpose(axes).reshape(*leading, c * r * r, h, w)"
BACK = "return pixel_unshuffle(dy, upscale_factor)"
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
        {SPLIT: "return pixel_shuffle(y, r)\n    parts = y.reshape(*leading, c, h, r, w, r)"},
        "pixel_unshuffle: shape",
        "y is shuffled again",
    ),
    Planted(
        "shuffled again, by reshape and transpose",
        {SPLIT: SHUFFLE + "    parts = y.reshape(*leading, c, h, r, w, r)"},
        "pixel_unshuffle: runs",
        "y is shuffled again",
    ),
    Planted(
        "TensorFlow's order",
        {AXES: "(*range(n), n + 2, n + 4, n, n + 1, n + 3)"},
        "pixel_unshuffle: odd inputs",
        "TensorFlow's order (DCR): PyTorch keeps the image channel slowest",
    ),
    Planted(
        "i and j swapped",
        {AXES: "(*range(n), n, n + 4, n + 2, n + 1, n + 3)"},
        "pixel_unshuffle: values",
        "rows and columns of each block are swapped: channel",
    ),
    Planted(
        "equation 4",
        {AXES: "(*range(n), n + 4, n + 2, n, n + 1, n + 3)"},
        "pixel_unshuffle: values",
        "equation 4's order with x the row",
    ),
    Planted(
        "the shuffle's transpose",
        {AXES: "(*range(n), n, n + 3, n + 1, n + 4, n + 2)"},
        "pixel_unshuffle: values",
        "the axes are transposed as in the shuffle",
    ),
    Planted(
        "i slower than H",
        {
            SPLIT: "parts = y.reshape(*leading, c, r, h, r, w)",
            AXES: "(*range(n), n, n + 1, n + 3, n + 2, n + 4)",
        },
        "pixel_unshuffle: values",
        "a row number is h*r + i, H the slower",
    ),
    Planted(
        "no transpose",
        {"parts.transpose(axes)": "parts"},
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
        "right for one color channel, wrong for three",
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
        {LAST: f"{LAST}.astype(float)"},
        "pixel_unshuffle: dtype",
        "turns float32 into float64",
    ),
    Planted(
        "y changed",
        {SPLIT: f"y -= y.dtype.type(1)\n    y = y + y.dtype.type(1)\n    {SPLIT}"},
        "pixel_unshuffle: arguments",
        "you changed y",
    ),
    Planted(
        "backward: shuffled again",
        {BACK: "return pixel_shuffle(dy, upscale_factor)"},
        "pixel_shuffle_backward: shape",
        "dy is shuffled again",
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
        "by the chain rule that is multiplied by dy",
    ),
    Planted(
        "backward: i and j swapped",
        {BACK: IJ.strip()},
        "pixel_shuffle_backward: values",
        "rows and columns of each block are swapped: channel",
    ),
    Planted(
        "backward: TensorFlow's order",
        {BACK: DCR.strip()},
        "pixel_shuffle_backward: gradient",
        "TensorFlow's order (DCR): PyTorch keeps the image channel slowest",
    ),
    Planted(
        "backward: one color only",
        {BACK: "return pixel_unshuffle(dy[..., :1, :, :], upscale_factor)"},
        "pixel_shuffle_backward: gradient",
        "right for one color channel, wrong for three",
    ),
    Planted(
        "backward: float32 lost",
        {BACK: "return pixel_unshuffle(dy.astype(np.float32), upscale_factor).astype(dy.dtype)"},
        "pixel_shuffle_backward: gradient",
        "loses half its digits",
    ),
    Planted(
        "backward: dy changed",
        {BACK: "dy *= 2\n    return pixel_unshuffle(dy / 2, upscale_factor)"},
        "pixel_shuffle_backward: arguments",
        "you changed dy",
    ),
)
