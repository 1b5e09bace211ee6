"""Mistakes for exercise 5. Where no cause is given, the numbers show it."""

from mistakes import Planted

PAD = "np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))  # (N, C, H + 2p, W + 2p)"
COLUMNS = "return columns.reshape(n, c * k * k, out_h * out_w)  # (N, C*k*k, H'*W')"
SIZES = "out_h, out_w = h + 2 * p - k + 1, w + 2 * p - k + 1"
PRODUCT = "weight.reshape(out_channels, -1) @ columns + bias[:, None]  # (N, O, H'*W')"
LAST = "y.reshape(n, out_channels, rows, cols)"
PLANTED = (
    Planted("i and j swapped", {"columns[:, :, i, j]": "columns[:, :, j, i]"},
        "im2col: values", "rows and columns of the kernel, i and j, are swapped"),
    Planted("rows in the order i, j, c",
        {COLUMNS: "return columns.transpose(0, 2, 3, 1, 4, 5).reshape(n, c * k * k, -1)"},
        "im2col: odd inputs", "the rows of the columns are in the order i, j, c"),
    Planted("padding on one side", {PAD: "np.pad(x, ((0, 0), (0, 0), (p, 0), (p, 0)))",
        SIZES: "out_h, out_w = h + p - k + 1, w + p - k + 1"},
        "im2col: shape", "the padding is on one side only, or counts once"),
    Planted("all padding in front", {PAD: "np.pad(x, ((0, 0), (0, 0), (2 * p, 0), (2 * p, 0)))"},
        "im2col: values", "all of the padding is above and to the left"),
    Planted("off-by-one padding",
        {"k, p = kernel_size, padding": "k, p = kernel_size, padding + 1"},
        "im2col: shape", "padding counts as one more than it is"),
    Planted("the last position missing", {SIZES: "out_h, out_w = h + 2 * p - k, w + 2 * p - k"},
        "im2col: shape", ""),
    Planted("edges for zeros", {PAD: 'np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), mode="edge")'},
        "im2col: values", ""),
    Planted("all axes padded", {PAD: "np.pad(x, p)",
        "n, c, h, w =": "n, c, h, w = np.array(x.shape) + np.array([2, 2, 0, 0]) * padding  #"},
        "im2col: shape", "the axes N and C are padded too"),
    Planted("H and W swapped", {"n, c, h, w = x.shape": "n, c, w, h = x.shape"},
        "im2col: odd inputs", "right for square pictures, wrong where H is not W"),
    Planted("C = 1 only", {"columns[:, :, i, j] = padded[:, :, i":
        "columns[:, :, i, j] = padded[:, :1, i"},
        "im2col: odd inputs", "the first of x along C is taken for all"),
    Planted("float32 lost", {"k, k, out_h, out_w), x.dtype)": "k, k, out_h, out_w))"},
        "im2col: dtype", "float32 becomes float64"),
    Planted("an argument changed", {COLUMNS: f"x *= 2\n    {COLUMNS}"},
        "im2col: arguments", "your function changes x"),
    Planted("kernel flipped", {"weight.reshape(out_channels, -1) @":
        "weight[:, :, ::-1, ::-1].reshape(out_channels, -1) @"},
        "conv2d_forward: values", "weight is turned by 180 degrees"),
    Planted("bias over the wrong axis", {PRODUCT: "weight.reshape(out_channels, -1) @ columns",
        LAST: f"{LAST} + bias"},
        "conv2d_forward: values", "the bias lies along the wrong axis"),
    Planted("bias on the positions", {"bias[:, None]": "bias"},
        "conv2d_forward: shape", "the bias lies along the wrong axis"),
    Planted("two mistakes", {PRODUCT:
        "weight[:, :, ::-1, ::-1].reshape(out_channels, -1) @ columns"},
        "conv2d_forward: values", "two things. First, weight is turned by 180 degrees"),
    Planted("bias forgotten", {"columns + bias[:, None]": "columns"},
        "conv2d_forward: values", "bias is forgotten"),
    Planted("one bias for all", {"bias[:, None]": "bias[0]"},
        "conv2d_forward: values", "the first of bias along O is taken for all"),
    Planted("pictures mixed up", {PRODUCT: "weight.reshape(out_channels, -1) @ "
        "columns.swapaxes(0, 1).reshape(columns.shape[1], -1) + bias[:, None]"},
        "conv2d_forward: odd inputs", "the numbers of y are mixed up"),
    Planted("padding ignored", {"im2col(x, k, padding)": "im2col(x, k)",
        "rows, cols = h + 2 * padding - k + 1, w + 2 * padding - k + 1":
        "rows, cols = h - k + 1, w - k + 1"}, "conv2d_forward: shape",
        "padding is not heeded: it counts as 0"),
    Planted("sizes swapped at the end", {LAST: "y.reshape(n, out_channels, cols, rows)"},
        "conv2d_forward: odd inputs", "in the right order, and another shape"),
    Planted("float64 always", {"bias[:, None]": "bias[:, None].astype(float)"},
        "conv2d_forward: dtype", "float32 becomes float64"),
    Planted("the bias changed", {f"return {LAST}": f"bias *= 2\n    return {LAST}"},
        "conv2d_forward: arguments", "your function changes bias"),
    Planted("the loop handed back", {f"return {LAST}":
        "return conv2d_loop(x, weight, bias, padding)"},
        "conv2d_forward: speed", "there is a loop over pixels"),
    Planted("a view where k is 1", {COLUMNS: "return x.reshape(n, c, -1) if k == 1 and p == 0 else "
        "columns.reshape(n, c * k * k, -1)"}, "im2col: memory", "returns x itself, or a view"),
    Planted("a view of windows", {COLUMNS: "if k == 2 and out_h == out_w == 1:\n"
        "        return np.broadcast_to(columns.reshape(n, -1, 1), (n, c * k * k, 1))\n"
        f"    {COLUMNS}"}, "im2col: memory", "can only be read"),
    Planted("the canvas is kept", {"columns = np.empty((n, c, k, k, out_h, out_w), x.dtype)":
        "key = (n, c, k, k, out_h, out_w), x.dtype\n"
        "    columns = KEPT.setdefault(key, np.empty(*key))", "def im2col(": "KEPT = {}\n\n\n"
        "def im2col("}, "im2col: memory", "every call writes to the same array"),
    Planted("the zeros are kept", {PAD: "KEPT.setdefault((x.shape, p), np.pad(x, ((0, 0), (0, 0), "
        "(p, p), (p, p))))", "def im2col(": "KEPT = {}\n\n\ndef im2col("},
        "im2col: odd inputs", "a call depends on the calls before it"),
    Planted("the border is never written", {PAD: "np.empty((n, c, h + 2 * p, w + 2 * p), x.dtype)"
        "\n    padded[:, :, p : p + h, p : p + w] = x"},
        "im2col: values", "np.empty reserves memory"),
    Planted("padding of k or more", {"k, p = kernel_size, padding":
        "k = kernel_size\n    p = min(padding, k)"},
        "im2col: odd inputs", "wrong where the padding is k or more"),
    Planted("the kernel moves by k", {COLUMNS:
        "return columns[..., ::k, ::k].reshape(n, c * k * k, -1)"},
        "im2col: shape", ""),
    Planted("columns transposed", {COLUMNS:
        "return columns.reshape(n, c * k * k, -1).swapaxes(1, 2).copy()"},
        "im2col: shape", "rows and columns of columns are swapped"),
    Planted("float32 within", {"@ columns + bias":
        "@ columns.astype(np.float32).astype(x.dtype) + bias"},
        "conv2d_forward: odd inputs", "digits: is there a float32 on the way?"),
    Planted("the weight remembered", {PRODUCT: "KEPT.setdefault((k, weight.shape, x.dtype), "
        "weight.reshape(out_channels, -1)) @ columns + bias[:, None]",
        "def im2col(": "KEPT = {}\n\n\ndef im2col("},
        "conv2d_forward: memory", "a call depends on the calls before it"),
    Planted("the bias in a new array", {PRODUCT: "np.empty((n, out_channels, rows * cols), x.dtype)"
        "\n    y += bias[:, None]\n    y += weight.reshape(out_channels, -1) @ columns"},
        "conv2d_forward: values", "np.empty reserves memory"),
    Planted("a weight in the order i, j, c", {"weight.reshape(out_channels, -1) @":
        "weight.transpose(0, 2, 3, 1).reshape(out_channels, -1) @"},
        "conv2d_forward: odd inputs", "the numbers of weight are mixed up"),
    Planted("channels last in the product", {PRODUCT: "columns.swapaxes(1, 2) @ "
        "weight.reshape(out_channels, -1).T + bias"},
        "conv2d_forward: values", "the numbers of y are mixed up"),
    Planted("channels last, and the bias later", {PRODUCT: "columns.swapaxes(1, 2) @ "
        "weight.reshape(out_channels, -1).T", LAST: f"{LAST} + bias[:, None, None]"},
        "conv2d_forward: values", ""),
    Planted("a mean", {"weight.reshape(out_channels, -1) @ columns":
        "weight.reshape(out_channels, -1) @ columns / columns.shape[1]"},
        "conv2d_forward: values", ""),
    Planted("O and C mixed up where they are equal", {"weight.reshape(out_channels, -1) @":
        "(weight.swapaxes(0, 1) if out_channels == x.shape[1] else weight).reshape(out_channels, "
        "-1) @"}, "conv2d_forward: odd inputs", "the numbers of weight are mixed up"),
    Planted("negative places", {PAD: "np.pad(np.pad(x, ((0, 0), (0, 0), (p, 0), (p, 0)), "
        'mode="wrap"), ((0, 0), (0, 0), (0, p), (0, p)))'}, "im2col: values", ""),
    Planted("windows reshaped", {COLUMNS: "return columns.transpose(0, 1, 4, 5, 2, 3).reshape(n, "
        "c * k * k, out_h * out_w)"}, "im2col: values", "in front of the positions"),
    Planted("zeros around the result", {f"return {LAST}": "p, k = padding, weight.shape[2]\n"
        "    y = conv2d_forward(x, weight, bias) if p and k <= min(h, w) else y\n"
        "    sides = (p, p) if p and k <= min(h, w) else (0, 0)\n"
        "    return np.pad(y.reshape(n, out_channels, rows - 2 * sides[0], cols - 2 * sides[0]), "
        "((0, 0), (0, 0), sides, sides))"},
        "conv2d_forward: values", ""),
    Planted("a loop over positions", {PRODUCT: "np.empty((n, out_channels, rows * cols), x.dtype)"
        "\n    for p in range(rows * cols):\n        for o in range(out_channels):\n"
        "            y[:, o, p] = columns[:, :, p] @ weight[o].ravel() + bias[o]"},
        "conv2d_forward: speed", "there is a loop over pixels, or over positions"),
    Planted("the bias in whole numbers", {"+ bias[:, None]": "+ np.trunc(bias)[:, None]"},
        "conv2d_forward: values", ""),
)  # fmt: skip
