"""Mistakes for exercise 14."""

from mistakes import Planted

SIZE = "height, width = (h - 1) * s + k, (w - 1) * s + k"
ZEROS = "y = np.zeros((n, out_channels, height, width), x.dtype)"
DRAWN = 'drawn = np.einsum("nchw,co->nohw", x, weight[:, :, i, j])'
ADD = "y[:, :, i : i + (h - 1) * s + 1 : s, j : j + (w - 1) * s + 1 : s] += drawn"
CROP = "return y[:, :, p : height - p, p : width - p]"
COUNT = "return conv_transpose2d(ones, kernel, stride)[0, 0].astype(int)"
TURN = "[..., ::-1, ::-1]"
SPLIT = "parts = weight.reshape(filters // (r * r), r, r, inputs, k, k)[..., ::-1, ::-1]"
AXES = "parts.transpose(3, 0, 4, 1, 5, 2).copy()"
KERNEL = "return parts.reshape(inputs, filters // (r * r), k * r, k * r)"
SHAPE, VALUES, ODD = (f"conv_transpose2d: {rung}" for rung in ("shape", "values", "odd inputs"))
PLANTED = (
    Planted("= for +=", {ADD: ADD.replace("+=", "=")}, VALUES, "one number overwrites another"),
    Planted("the kernel turned", {DRAWN: DRAWN.replace("i, j", "-1 - i, -1 - j")},
        VALUES, "weight is turned by 180 degrees"),
    Planted("i and j swapped", {DRAWN: DRAWN.replace("i, j", "j, i")}, VALUES, "swapped"),
    Planted("the weight as (O, C, k, k)", {"_, out_channels, k, _ = weight.shape":
        "out_channels, _, k, _ = weight.shape", DRAWN: DRAWN.replace("co->", "oc->")},
        ODD, "here the channels of x come first"),
    Planted("one channel of x", {DRAWN: DRAWN.replace("x, weight[:, :", "x[:, :1], weight[:1, :")},
        ODD, "only the first of x along C counts"),
    Planted("one picture", {DRAWN: DRAWN.replace("x, ", "x[:1], ")},
        ODD, "right for the first along N only"),
    Planted("a convolution", {SIZE: "x = np.repeat(np.repeat(x, s, axis=2), s, axis=3)\n    "
        "h, w, s = h * s, w * s, 1\n    " + SIZE}, SHAPE, ""),
    Planted("pixels repeated, not set apart", {ADD: "large = drawn.repeat(s, axis=2).repeat(s, "
        "axis=3)[:, :, : (h - 1) * s + 1, : (w - 1) * s + 1]\n        "
        "y[:, :, i : i + (h - 1) * s + 1, j : j + (w - 1) * s + 1] += large"},
        VALUES, ""),
    Planted("no stride", {"s, p = stride, padding": "s, p = 1, padding"}, SHAPE, "stride"),
    Planted("the stride in height only", {SIZE: SIZE.replace("(w - 1) * s", "w - 1"),
        ADD: ADD.replace("(w - 1) * s + 1 : s", "w")}, SHAPE, ""),
    Planted("h * s rows", {SIZE: "height, width = h * s + k - 1, w * s + k - 1"},
        SHAPE, ""),
    Planted("h * s + k - s, cut to h * s", {CROP: "return y[:, :, : h * s, : w * s]"},
        SHAPE, ""),
    Planted("not cropped", {CROP: "return y"}, SHAPE, "padding"),
    Planted("padding adds zeros", {CROP:
        "return np.pad(y, ((0, 0), (0, 0), (p, p), (p, p)))"}, SHAPE, "padding"),
    Planted("cropped by p:-p", {CROP: "return y[:, :, p:-p, p:-p]"},
        SHAPE, "without padding nothing is left"),
    Planted("cropped on one side", {CROP: "return y[:, :, : height - 2 * p, : width - 2 * p]"},
        VALUES, ""),
    Planted("padding k - 1 - p", {"s, p = stride, padding":
        "s, p = stride, weight.shape[2] - 1 - padding"}, SHAPE, ""),
    Planted("H and W swapped", {"n, _, h, w = x.shape\n    _, out":
        "n, _, w, h = x.shape\n    _, out"}, ODD, "wrong where H is not W"),
    Planted("no gaps: the kernel at least as large as the stride", {
        "s, p = stride, padding": "s, p = min(stride, weight.shape[2]), padding"}, ODD,
        "stride counts as one less"),
    Planted("np.empty", {ZEROS: ZEROS.replace("zeros", "empty")}, VALUES, "were never written"),
    Planted("float64, always", {ZEROS: ZEROS.replace(", x.dtype", "")},
        "conv_transpose2d: dtype", "float32 becomes float64"),
    Planted("x is changed", {CROP: "x *= 2\n    " + CROP}, "conv_transpose2d: arguments",
        "your function changes x"),
    Planted("a buffer that is used again", {ZEROS: "y = globals().setdefault((n, out_channels, "
        "height, width, x.dtype), np.zeros((n, out_channels, height, width), x.dtype))\n    "
        "y[...] = 0"}, "conv_transpose2d: memory", "every call writes to the same array"),
    Planted("counts in one direction", {COUNT: COUNT.replace("[0, 0]", "[0, 0, 0]")},
        "overlap: shape", "added up along rows"),
    Planted("1 wherever something is drawn", {COUNT: "return (conv_transpose2d(ones, kernel, "
        "stride)[0, 0] > 0).astype(int)"}, "overlap: values", "counts is all ones"),
    Planted("rows and columns added up", {COUNT: COUNT.replace("return ", "both = ")
        + "\n    return both[:, :1] + both[:1]"},
        "overlap: values", ""),
    Planted("one direction counted, twice as a square", {"np.ones((1, 1, *shape))":
        "np.ones((1, 1, shape[0], shape[0]))"}, "overlap: odd inputs", "wrong where H is not W"),
    Planted("how often the convolution sees a pixel", {COUNT: "counts = np.zeros(shape, int)\n    "
        "for p in range(0, shape[0] - kernel_size + 1, stride):\n        "
        "for q in range(0, shape[1] - kernel_size + 1, stride):\n            "
        "counts[p : p + kernel_size, q : q + kernel_size] += 1\n    return counts"},
        "overlap: shape", ""),
    Planted("the quotient everywhere", {COUNT: "both = conv_transpose2d(ones, kernel, stride)[0, 0]"
        "\n    return np.full(both.shape, (-(-kernel_size // stride)) ** 2)"},
        "overlap: values", ""),
    Planted("stride and kernel swapped", {COUNT: COUNT.replace("ones, kernel, stride",
        "ones, np.ones((1, 1, stride, stride)), kernel_size")},
        "overlap: shape", "have changed places"),
    Planted("not turned", {TURN: ""}, "one_kernel: values", "turn"),
    Planted("turned as a whole", {TURN: "", KERNEL: KERNEL + "[..., ::-1, ::-1]"},
        "one_kernel: values", ""),
    Planted("turned in rows only", {TURN: "[..., ::-1, :]"},
        "one_kernel: values", "taken in reverse along b"),
    Planted("i and j swapped", {AXES: "parts.transpose(3, 0, 4, 2, 5, 1).copy()"},
        "one_kernel: values", "swapped"),
    Planted("i slower than the kernel's row", {AXES: "parts.transpose(3, 0, 1, 4, 2, 5).copy()"},
        "one_kernel: values", "count slower than those of the small kernel"),
    Planted("TensorFlow's order", {SPLIT: "parts = weight.reshape(r, r, filters // (r * r), inputs,"
        " k, k)[..., ::-1, ::-1].transpose(2, 0, 1, 3, 4, 5)"},
        "one_kernel: odd inputs", "wrong for more"),
    Planted("(C, in) for (in, C)", {AXES: "parts.transpose(0, 3, 4, 1, 5, 2).copy()", KERNEL:
        "return parts.reshape(filters // (r * r), inputs, k * r, k * r)"},
        "one_kernel: odd inputs", "in another order: C, in"),
    Planted("reshaped only", {AXES: "parts.copy()"}, "one_kernel: values", "nothing was moved"),
    Planted("the weight enlarged", {KERNEL: "return weight[:: r * r].repeat(r, axis=2).repeat(r, "
        "axis=3).swapaxes(0, 1)"}, "one_kernel: values", ""),
    Planted("float64", {KERNEL: KERNEL + ".astype(float)"}, "one_kernel: dtype", "float64"),
    Planted("the weight is changed", {KERNEL: KERNEL.replace("return", "large =")
        + "\n    weight[...] = weight[..., ::-1].copy()\n    return large"},
        "one_kernel: arguments", "your function changes weight"),
    Planted("padding of 1 at most", {"s, p = stride, padding": "s, p = stride, min(padding, 1)"},
        ODD, "padding is not heeded: it counts as 1"),
    Planted("counts of 8 bits", {COUNT: COUNT.replace("int)", "np.uint8)")},
        "overlap: odd inputs", "wrong for large ones"),
    Planted("one array of counts for all who ask",
        {COUNT: "return KEPT.setdefault((shape, kernel_size, stride), "
            "conv_transpose2d(ones, kernel, stride)[0, 0].astype(int))",
            "def overlap(": "KEPT = {}\n\n\ndef overlap("},
        "overlap: memory", "a call depends on the calls before it"),
)  # fmt: skip
