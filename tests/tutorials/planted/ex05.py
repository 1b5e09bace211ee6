"""Mistakes for exercise 5."""

from mistakes import Planted

PAD = "np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))  # (N, C, H + 2p, W + 2p)"
COLUMNS = "return columns.reshape(n, c * k * k, out_h * out_w)  # (N, C*k*k, H'*W')"
SIZES = "out_h, out_w = h + 2 * p - k + 1, w + 2 * p - k + 1"
PRODUCT = "weight.reshape(out_channels, -1) @ columns + bias[:, None]  # (N, O, H'*W')"
LAST = "y.reshape(n, out_channels, rows, cols)"
PLANTED = (
    Planted("i and j swapped", {"columns[:, :, i, j]": "columns[:, :, j, i]"},
        "im2col: values", "i and j are swapped"),
    Planted("rows in the order i, j, c",
        {COLUMNS: "return columns.transpose(0, 2, 3, 1, 4, 5).reshape(n, c * k * k, -1)"},
        "im2col: odd inputs", "your rows are in the order i, j, c"),
    Planted("padding on one side", {PAD: "np.pad(x, ((0, 0), (0, 0), (p, 0), (p, 0)))",
        SIZES: "out_h, out_w = h + p - k + 1, w + p - k + 1"},
        "im2col: shape", "the padding is on one side only, or counts once"),
    Planted("all padding in front", {PAD: "np.pad(x, ((0, 0), (0, 0), (2 * p, 0), (2 * p, 0)))"},
        "im2col: values", "all of the padding is above and to the left"),
    Planted("off-by-one padding",
        {"k, p = kernel_size, padding": "k, p = kernel_size, padding + 1"},
        "im2col: shape", "the padding is one too large"),
    Planted("the last position missing", {SIZES: "out_h, out_w = h + 2 * p - k, w + 2 * p - k"},
        "im2col: shape", "the last position is missing"),
    Planted("edges for zeros", {PAD: 'np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), mode="edge")'},
        "im2col: values", "the padding must be zeros"),
    Planted("all axes padded", {PAD: "np.pad(x, p)",
        "n, c, h, w =": "n, c, h, w = np.array(x.shape) + np.array([2, 2, 0, 0]) * padding  #"},
        "im2col: shape", "the axes N and C are padded too"),
    Planted("H and W swapped", {"n, c, h, w = x.shape": "n, c, w, h = x.shape"},
        "im2col: odd inputs", "right for square pictures, wrong where H is not W"),
    Planted("C = 1 only", {"columns[:, :, i, j] = padded[:, :, i":
        "columns[:, :, i, j] = padded[:, :1, i"},
        "im2col: odd inputs", "right for one channel, wrong for more"),
    Planted("float32 lost", {"k, k, out_h, out_w), x.dtype)": "k, k, out_h, out_w))"},
        "im2col: dtype", "turns float32 into float64"),
    Planted("an argument changed", {COLUMNS: f"x *= 2\n    {COLUMNS}"},
        "im2col: arguments", "you changed x"),
    Planted("kernel flipped", {"weight.reshape(out_channels, -1) @":
        "weight[:, :, ::-1, ::-1].reshape(out_channels, -1) @"},
        "conv2d_forward: values", "your kernel is flipped"),
    Planted("bias over the wrong axis", {PRODUCT: "weight.reshape(out_channels, -1) @ columns",
        LAST: f"{LAST} + bias"},
        "conv2d_forward: values", "the bias lies along the wrong axis, W'"),
    Planted("bias on the positions", {"bias[:, None]": "bias"},
        "conv2d_forward: shape", "the bias lies along the wrong axis, H'*W': it belongs"),
    Planted("two mistakes", {PRODUCT:
        "weight[:, :, ::-1, ::-1].reshape(out_channels, -1) @ columns"},
        "conv2d_forward: values", "and nothing is flipped; and the bias is forgotten"),
    Planted("bias forgotten", {"columns + bias[:, None]": "columns"},
        "conv2d_forward: values", "the bias is forgotten"),
    Planted("one bias for all", {"bias[:, None]": "bias[0]"},
        "conv2d_forward: values", "all channels get the first bias"),
    Planted("pictures mixed up", {PRODUCT: "weight.reshape(out_channels, -1) @ "
        "columns.swapaxes(0, 1).reshape(columns.shape[1], -1) + bias[:, None]"},
        "conv2d_forward: odd inputs", "the pictures are mixed up"),
    Planted("padding ignored", {"im2col(x, k, padding)": "im2col(x, k)",
        "rows, cols = h + 2 * padding - k + 1, w + 2 * padding - k + 1":
        "rows, cols = h - k + 1, w - k + 1"}, "conv2d_forward: shape", "the padding is left out"),
    Planted("sizes swapped at the end", {LAST: "y.reshape(n, out_channels, cols, rows)"},
        "conv2d_forward: odd inputs", "H' and W' are swapped in the last reshape"),
    Planted("float64 always", {"bias[:, None]": "bias[:, None].astype(float)"},
        "conv2d_forward: dtype", "turns float32 into float64"),
    Planted("the bias changed", {f"return {LAST}": f"bias *= 2\n    return {LAST}"},
        "conv2d_forward: arguments", "you changed bias"),
    Planted("the loop handed back", {f"return {LAST}":
        "return conv2d_loop(x, weight, bias, padding)"},
        "conv2d_forward: speed", "as slow as the seven loops"),
)  # fmt: skip
