"""Mistakes for exercise 13."""

from mistakes import Planted

NEAR = "near = 1.5 * t**3 - 2.5 * t**2 + 1"
FAR = "far = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2"
ABS = "t = np.abs(t)"
CHOOSE = "return np.where(t <= 1, near, np.where(t <= 2, far, 0 * t))"
CENTER = "center = np.arange(n) * r + (r - 1) / 2"
REACH = "n, ends = length // r, 2 * r"
WEIGHTS = "weights = cubic((pixel - center[:, None]) / r)"
NORMAL = "weights /= weights.sum(axis=1, keepdims=True)"
FOLD = """    matrix[:, 0] += weights[:, :ends].sum(axis=1)
    matrix[:, -1] += weights[:, -ends:].sum(axis=1)
"""
MATRIX = "matrix = weights[:, ends:-ends].copy()"
ROUND = "np.floor(x + 0.5).clip(0, 255).astype(np.uint8)"
SIZES = "h, w = image.shape[0] // r, image.shape[1] // r"
CROP = "cropped = image[: h * r, : w * r]"
LOW = 'low = to_8_bits(np.einsum("ia,ab...->ib...", shrink_weights(h * r, r), cropped))'
END = 'return to_8_bits(np.einsum("jb,ib...->ij...", shrink_weights(w * r, r), low))'
C_VALUES, W_VALUES, D_VALUES = "cubic: values", "shrink_weights: values", "downscale: values"
PLANTED = (
    Planted("a = -0.75", {NEAR: "near = 1.25 * t**3 - 2.25 * t**2 + 1",
        FAR: "far = -0.75 * (t**3 - 5 * t**2 + 8 * t - 4)"}, C_VALUES, "a is not -1/2"),
    Planted("a = -1", {NEAR: "near = t**3 - 2 * t**2 + 1",
        FAR: "far = -(t**3 - 5 * t**2 + 8 * t - 4)"}, C_VALUES, "a is not -1/2"),
    Planted("a = +1/2", {NEAR: "near = 2.5 * t**3 - 3.5 * t**2 + 1",
        FAR: "far = 0.5 * (t**3 - 5 * t**2 + 8 * t - 4)"}, C_VALUES, "a is not -1/2"),
    Planted("no |t|", {ABS: "t = t + 0"}, C_VALUES, "negative"),
    Planted("no 0 outside", {CHOOSE: "return np.where(t <= 1, near, far)"}, C_VALUES, "larger"),
    Planted("nothing beyond 1", {CHOOSE: "return np.where(t <= 1, near, 0 * t)"},
        C_VALUES, ""),
    Planted("linear", {NEAR: "near = 1 - t", FAR: "far = 0 * t"}, C_VALUES, ""),
    Planted("one number at a time", {CHOOSE: "if t <= 1:\n        return near\n    "
        "return far if t <= 2 else 0 * t"}, "cubic: runs", ""),
    Planted("cubic in float64", {ABS: "t = np.abs(np.float64(t))"}, "cubic: dtype", "float64"),
    Planted("cubic changes t", {ABS: "np.abs(t, out=t)"},
        "cubic: arguments", "changes t, and the caller"),
    Planted("centers at i * r", {CENTER: "center = np.arange(n) * r"}, W_VALUES, "center"),
    Planted("centers at (i + 0.5) * r", {CENTER: "center = (np.arange(n) + 0.5) * r"},
        W_VALUES, "center"),
    Planted("centers at i * r + r // 2", {CENTER: "center = np.arange(n) * r + r // 2"},
        W_VALUES, "center"),
    Planted("centers spread from end to end",
        {CENTER: "center = np.linspace(0, length - 1, n)"}, W_VALUES, "center"),
    Planted("no antialiasing", {WEIGHTS: "weights = cubic(pixel - center[:, None])"},
        W_VALUES, "large pixels"),
    Planted("the distance multiplied by r",
        {WEIGHTS: "weights = cubic((pixel - center[:, None]) * r)"}, W_VALUES, ""),
    Planted("not divided by the sum", {NORMAL: "pass"}, W_VALUES, "matrix is r times too large"),
    Planted("divided along the wrong axis",
        {NORMAL: "weights /= weights.sum(axis=0)"},
        W_VALUES, ""),
    Planted("the mean of each block", {WEIGHTS: "weights = 1.0 * (abs(pixel - center[:, None]) "
        "< r / 2)"}, W_VALUES, ""),
    Planted("one pixel of each block", {WEIGHTS: "weights = 1.0 * (pixel == np.arange(n)[:, None] "
        "* r)"}, W_VALUES, ""),
    Planted("zeros beyond the ends", {FOLD: ""}, W_VALUES, "zeros"),
    Planted("cut off at the ends, and divided again",
        {FOLD: "    matrix /= matrix.sum(axis=1, keepdims=True)\n"}, W_VALUES, "cut off"),
    Planted("mirrored at the ends", {FOLD: """    for outside in range(ends):
        matrix[:, min(outside, length - 1)] += weights[:, ends - 1 - outside]
        matrix[:, max(length - 1 - outside, 0)] += weights[:, length + ends + outside]
"""}, W_VALUES, "the pixels in reverse (MATLAB since 2017)"),
    Planted("mirrored about the last pixel", {FOLD: """    for outside in range(ends):
        matrix[:, min(outside + 1, length - 1)] += weights[:, ends - 1 - outside]
        matrix[:, max(length - 2 - outside, 0)] += weights[:, length + ends + outside]
"""}, W_VALUES, "the pixels in reverse, without the last"),
    Planted("goes round at the ends", {FOLD: """    for outside in range(ends):
        matrix[:, (-1 - outside) % length] += weights[:, ends - 1 - outside]
        matrix[:, outside % length] += weights[:, length + ends + outside]
"""}, W_VALUES, "other end"),
    Planted("one end only", {FOLD: "    matrix[:, 0] += weights[:, :ends].sum(axis=1)\n"},
        W_VALUES, ""),
    Planted("the kernel reaches two large pixels", {REACH: "n, ends = length // r, r"},
        W_VALUES, ""),
    Planted("the matrix transposed", {"return matrix": "return matrix.T"},
        "shrink_weights: shape", "rows and columns of matrix are swapped"),
    Planted("float32", {"return matrix": "return matrix.astype(np.float32)"},
        "shrink_weights: dtype", "float64"),
    Planted("[::r]", {LOW: "return image[: h * r : r, : w * r : r].copy()"},
        D_VALUES, "every r-th pixel"),
    Planted("[::r] after the weights", {LOW: "low = cropped[::r]"},
        D_VALUES, ""),
    Planted("cut off for rounding", {ROUND: "x.clip(0, 255).astype(np.uint8)"},
        D_VALUES, "cut off"),
    Planted("halves to the even number", {ROUND: "np.round(x).clip(0, 255).astype(np.uint8)"},
        D_VALUES, "halves"),
    Planted("uint8 wraps", {ROUND: "np.floor(x + 0.5).astype(int).astype(np.uint8)"},
        D_VALUES, "wraps"),
    Planted("clipped before rounding only at 0", {ROUND:
        "np.maximum(np.floor(x + 0.5), 0).astype(int).astype(np.uint8)"},
        D_VALUES, ""),
    Planted("not rounded after the first pass", {"low = to_8_bits(": "low = ("},
        D_VALUES, "after the first pass"),
    Planted("rounded, not clipped, after the first pass", {
        "low = to_8_bits(": "low = (lambda x: np.floor(x + 0.5))("},
        D_VALUES, "not kept to 0 to 255"),
    Planted("width first", {LOW: 'low = to_8_bits(np.einsum("jb,ab...->aj...", '
        "shrink_weights(w * r, r), cropped))",
        END: 'return to_8_bits(np.einsum("ia,aj...->ij...", shrink_weights(h * r, r), low))'},
        D_VALUES, "the width is made smaller first"),
    Planted("H and W swapped", {SIZES: "w, h = image.shape[0] // r, image.shape[1] // r"},
        "downscale: odd inputs", "wrong where H is not W"),
    Planted("the picture transposed", {END: END + ".swapaxes(0, 1)"},
        D_VALUES, ""),
    Planted("not cropped", {CROP: "cropped = image"},
        "downscale: odd inputs", "multiples of r, wrong for others"),
    Planted("cropped above and on the left",
        {CROP: "cropped = image[image.shape[0] - h * r :, image.shape[1] - w * r :]"},
        "downscale: odd inputs", "multiples of r, wrong for others"),
    Planted("cropped around the middle",
        {CROP: "up, left = image.shape[0] % r // 2, image.shape[1] % r // 2\n    "
        "cropped = image[up : up + h * r, left : left + w * r]"},
        "downscale: odd inputs", "multiples of r, wrong for others"),
    Planted("filled up, not cropped", {CROP: "h, w = -(-image.shape[0] // r), "
        "-(-image.shape[1] // r)\n    sides = ((0, h * r - image.shape[0]), "
        "(0, w * r - image.shape[1]))\n    cropped = np.pad(image, sides + ((0, 0),) * "
        '(image.ndim - 2), mode="edge")'}, "downscale: odd inputs",
        "multiples of r, wrong for others"),
    Planted("gray only", {LOW: LOW.replace("...", ""), END: END.replace("...", "")},
        "downscale: odd inputs", "wrong for more"),
    Planted("color becomes gray", {CROP: "cropped = image[: h * r, : w * r]\n    "
        "cropped = cropped.mean(axis=2) if image.ndim == 3 else cropped"},
        "downscale: odd inputs", "wrong for more"),
    Planted("only for r = 2", {SIZES: "r = 2\n    " + SIZES},
        "downscale: shape", "r is not heeded"),
    Planted("float results", {ROUND: "np.floor(x + 0.5).clip(0, 255)"},
        "downscale: dtype", "uint8"),
    Planted("the picture itself at r = 1", {SIZES:
        "if r == 1:\n        return image\n    " + SIZES},
        "downscale: memory", "returns image itself"),
    Planted("the picture is changed", {END: END.replace("return", "small =")
        + "\n    image[: h * r, : w * r] = cropped // 2\n    return small"},
        "downscale: arguments", "changes image, and the caller"),
    Planted("one matrix for all who ask",
        {"return matrix\n": "return KEPT.setdefault((length, r), matrix)\n",
            "def shrink_weights(": "KEPT = {}\n\n\ndef shrink_weights("},
        "shrink_weights: memory", "a call depends on the calls before it"),
    Planted("arrays with axes only", {ABS: "t = np.array([abs(x) for x in t], t.dtype)"},
        "cubic: odd inputs", "wrong for one without"),
)  # fmt: skip
