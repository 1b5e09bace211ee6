"""Mistakes for exercise 1."""

from mistakes import Planted

SPLIT = "parts = x.reshape(*leading, c, r, r, h, w)  # (..., C, i, j, H, W)"
AXES = "(*range(n), n, n + 3, n + 1, n + 4, n + 2)"
PLANTED = (
    Planted(
        "TensorFlow's order",
        {
            SPLIT: "parts = x.reshape(*leading, r, r, c, h, w)",
            AXES: "(*range(n), n + 2, n + 3, n, n + 4, n + 1)",
        },
        "odd inputs",
        "TensorFlow's order (DCR): PyTorch keeps the image channel slowest",
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
        "i must stand behind H",
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
        "right for r = 2, wrong for",
    ),
    Planted("C = 1 only", {"c = channels // (r * r)": "c = 1"}, "odd inputs", "three"),
    Planted(
        "float64 always",
        {"parts.transpose(axes)": "parts.transpose(axes).astype(float)"},
        "dtype",
        "turns float32 into float64",
    ),
    Planted(
        "an argument changed",
        {"    n = len": "    x *= 1\n    x += 1\n    x = x - 1\n    n = len"},
        "arguments",
        "you changed x",
    ),
    Planted(
        "no result", {"return parts": "_ = parts"}, "runs", "returned None: is a return missing?"
    ),
    Planted(
        "a list", {"w * r)  #": "w * r).tolist()  #"}, "runs", "a NumPy array, and returned a list"
    ),
    Planted(
        "wrong shape", {"reshape(*leading, c, h * r, w * r)": "copy()"}, "shape", "wrong shape"
    ),
)
