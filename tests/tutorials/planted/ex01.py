"""Mistakes for exercise 1."""

from mistakes import Planted

SPLIT = "parts = x.reshape(*leading, c, r, r, h, w)  # (..., C, i, j, H, W)"
LAST = "return moved.reshape(*leading, c, h * r, w * r).copy()  # else a view of x, where r is 1"
AXES = "(*range(n), n, n + 3, n + 1, n + 4, n + 2)"
PLANTED = (
    Planted(
        "TensorFlow's order",
        {
            SPLIT: "parts = x.reshape(*leading, r, r, c, h, w)",
            AXES: "(*range(n), n + 2, n + 3, n, n + 4, n + 1)",
        },
        "odd inputs",
        "TensorFlow's (DCR), where the image channel counts fastest",
    ),
    Planted(
        "equation 4",
        {
            SPLIT: "parts = x.reshape(*leading, r, r, c, h, w)",
            AXES: "(*range(n), n + 2, n + 3, n + 1, n + 4, n)",
        },
        "values",
        "rows and columns of each block are swapped",
    ),
    Planted(
        "i and j swapped",
        {AXES: "(*range(n), n, n + 3, n + 2, n + 4, n + 1)"},
        "values",
        "rows and columns of each block are swapped",
    ),
    Planted("no transpose", {"parts.transpose(axes)": "parts"}, "values", "nothing was moved"),
    Planted(
        "i before H",
        {AXES: "(*range(n), n, n + 1, n + 3, n + 2, n + 4)"},
        "values",
        "the rows of a block lie far apart",
    ),
    Planted(
        "H and W swapped",
        {"*leading, channels, h, w =": "*leading, channels, w, h ="},
        "odd inputs",
        "right for square pictures, wrong where H is not W",
    ),
    Planted(
        "one picture only",
        {"*leading, channels": "leading = []\n    channels"},
        "odd inputs",
        "a batch has four",
    ),
    Planted(
        "r = 2 only",
        {"r = upscale_factor\n    *": "r = 2\n    *"},
        "odd inputs",
        "r is not heeded: it counts as 2",
    ),
    Planted(
        "C = 1 only",
        {"c = channels // (r * r)": "c = 1"},
        "odd inputs",
        "right for one channel, wrong for more",
    ),
    Planted(
        "float64 always",
        {"parts.transpose(axes)": "parts.transpose(axes).astype(float)"},
        "dtype",
        "int64 becomes float64",
    ),
    Planted(
        "an argument changed",
        {LAST: "y = moved.reshape(*leading, c, h * r, w * r).copy()\n    x[...] = 0\n    return y"},
        "arguments",
        "your function changes x",
    ),
    Planted("no result", {"return moved": "_ = moved"}, "runs", "is a return missing?"),
    Planted("a list", {".copy()": ".tolist()"}, "runs", ""),
    Planted(
        "wrong shape",
        {"moved.reshape(*leading, c, h * r, w * r)": "moved"},
        "shape",
        "the right numbers in the right order, and another shape",
    ),
    Planted("a view of x", {".copy()": ""}, "memory", "returns x itself, or a view of it"),
    Planted(
        "x itself where r is 1",
        {"    n = len(leading)": "    if r == 1:\n        return x\n    n = len(leading)"},
        "memory",
        "returns x itself",
    ),
    Planted(
        "a buffer for each shape",
        {
            LAST: "y = KEPT.setdefault((moved.shape, moved.dtype), moved.copy())\n"
            "    y[...] = moved\n    return y.reshape(*leading, c, h * r, w * r)",
            "def pixel_shuffle(": "KEPT = {}\n\n\ndef pixel_shuffle(",
        },
        "memory",
        "every call writes to the same array",
    ),
    Planted(
        "the first answer for each shape",
        {
            LAST: "y = KEPT.setdefault((moved.shape, moved.dtype), moved.copy())\n"
            "    return y.reshape(*leading, c, h * r, w * r).copy()",
            "def pixel_shuffle(": "KEPT = {}\n\n\ndef pixel_shuffle(",
        },
        "odd inputs",
        "a call depends on the calls before it",
    ),
    Planted(
        "through float64",
        {LAST: f"moved = moved.astype(float).astype(x.dtype)\n    {LAST}"},
        "odd inputs",
        "passes through float64",
    ),
    Planted(
        "through whole numbers",
        {LAST: f"moved = moved.astype(np.int64).astype(x.dtype)\n    {LAST}"},
        "odd inputs",
        "passes through int64",
    ),
    Planted(
        "an imaginary part lost",
        {LAST: f"moved = moved if x.dtype != complex else moved.real + 0j\n    {LAST}"},
        "odd inputs",
        "has lost its imaginary part",
    ),
    Planted(
        "r at most 4",
        {"r = upscale_factor\n    *": "r = min(upscale_factor, 4)\n    *"},
        "odd inputs",
        "wrong for larger r",
    ),
    Planted(
        "not for an empty array",
        {"reshape(*leading, c, r, r, h, w)": "reshape(*leading, -1, r, r, h, w)"},
        "odd inputs",
        "wrong for an empty array",
    ),
    Planted(
        "memory as it lies there",
        {"parts = x.reshape": 'x = np.ravel(x, order="K").reshape(x.shape)\n    parts = x.reshape'},
        "odd inputs",
        "as in Fortran",
    ),
    Planted(
        "never written",
        {
            LAST: "y = np.empty(moved.shape, moved.dtype)\n    y[..., 1:] = moved[..., 1:]\n"
            "    return y.reshape(*leading, c, h * r, w * r)"
        },
        "values",
        "np.empty reserves memory",
    ),
    Planted(
        "transposed",
        {
            LAST: "y = moved.reshape(*leading, c, h * r, w * r)\n"
            "    return y.swapaxes(-1, -2).copy()"
        },
        "values",
        "rows and columns of y are swapped",
    ),
    Planted(
        "random numbers touched",
        {LAST: f"np.random.seed(0)\n    {LAST}"},
        "memory",
        "global random numbers",
    ),
    Planted(
        "one result for all who ask the same",
        {
            LAST: "y = moved.reshape(*leading, c, h * r, w * r).copy()\n"
            "    return KEPT.setdefault((y.dtype, y.shape, y.tobytes()), y)",
            "def pixel_shuffle(": "KEPT = {}\n\n\ndef pixel_shuffle(",
        },
        "memory",
        "a call depends on the calls before it",
    ),
    Planted(
        "the seed of random",
        {SPLIT: f"import random\n\n    random.seed(0)\n    {SPLIT}"},
        "memory",
        "global random numbers",
    ),
    Planted(
        "float32 through float16",
        {
            SPLIT: "x = x.astype(np.float16).astype(x.dtype) if x.dtype == np.float32 else x\n"
            f"    {SPLIT}"
        },
        "odd inputs",
        "y passes through float16",
    ),
    Planted(
        "no five colors",
        {"c = channels // (r * r)": "c = min(4, channels // (r * r))"},
        "odd inputs",
        "wrong for more",
    ),
)
