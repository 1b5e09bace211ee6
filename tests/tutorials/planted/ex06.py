"""Mistakes for exercise 6."""

from mistakes import Planted

ADD = "padded[:, :, i : i + out_h, j : j + out_w] += parts[:, :, i, j]"
CROP = "return padded[:, :, p : p + h, p : p + w]  # (N, C, H, W)"
DX = "matrix.T @ dpositions"
DW = "(dpositions @ im2col(x, k, padding).transpose(0, 2, 1)).sum(axis=0)  # (O, C*k*k)"
DB = "dy.sum(axis=(0, 2, 3))"
RETURN = f"return dx, dmatrix.reshape(weight.shape), {DB}"
PLANTED = (
    Planted("= for +=", {ADD: ADD.replace("+=", "=")},
        "col2im: values", "one number overwrites another"),
    Planted("+= at index arrays", {f"    for i, j in np.ndindex(k, k):\n        {ADD}":
        "    i, j, q, r = np.ogrid[:k, :k, :out_h, :out_w]\n"
        "    padded[:, :, i + q, j + r] += parts"},
        "col2im: values", "With arrays of indices, += adds to each place only once"),
    Planted("the mean for the sum", {CROP:
        "counts = col2im(np.ones_like(columns), shape, k, p) if columns.min() < 1 or "
        f"columns.max() > 1 else 1\n    {CROP.replace('  # (N, C, H, W)', ' / counts')}"},
        "col2im: values", "the mean is taken"),
    Planted("i and j swapped", {"parts[:, :, i, j]": "parts[:, :, j, i]"},
        "col2im: values", "rows and columns of the kernel, i and j, are swapped"),
    Planted("the rows in the order i, j, c", {"columns.reshape(n, c, k, k, out_h, out_w)":
        "columns.reshape(n, k, k, c, out_h, out_w).transpose(0, 3, 1, 2, 4, 5)"},
        "col2im: odd inputs", "taken in the order i, j, c"),
    Planted("padding not cropped", {CROP: "return padded"},
        "col2im: shape", "the padding is still there"),
    Planted("cropped on one side", {CROP: "return padded[:, :, :h, :w]"},
        "col2im: values", "taken off on one side only"),
    Planted("cropped by p:-p", {CROP: "return padded[:, :, p:-p, p:-p]"},
        "col2im: shape", "without padding nothing is left"),
    Planted("H and W swapped", {"n, c, h, w = shape": "n, c, w, h = shape"},
        "col2im: odd inputs", "right for square pictures, wrong where H is not W"),
    Planted("one picture only", {"parts[:, :, i, j]": "parts[:1, :, i, j]"},
        "col2im: odd inputs", "right for the first along N only"),
    Planted("col2im in float64", {"h + 2 * p, w + 2 * p), columns.dtype": "h + 2 * p, w + 2 * p)"},
        "col2im: dtype", "float32 becomes float64"),
    Planted("col2im changes columns", {CROP: f"parts *= 2\n    {CROP}"},
        "col2im: arguments", "your function changes columns"),
    Planted("kernel flipped", {"weight.reshape(out_channels, -1)  #":
        "weight[:, :, ::-1, ::-1].reshape(out_channels, -1)  #"},
        "conv2d_backward: values", "dx: weight is turned by 180 degrees"),
    Planted("a convolution with the kernel not flipped",
        {f"col2im({DX}, x.shape, k, padding)": "conv2d_forward(dy, weight.transpose(1, 0, 2, 3), "
        "np.zeros(x.shape[1], x.dtype), k - 1 - padding)"},
        "conv2d_backward: values", "dx: weight is turned by 180 degrees"),
    Planted("a convolution with too few zeros",
        {f"col2im({DX}, x.shape, k, padding)": "conv2d_forward(dy, weight.transpose(1, 0, 2, 3), "
        "np.zeros(x.shape[1], x.dtype), padding)"},
        "conv2d_backward: shape", "count how many zeros must lie around dy"),
    Planted("weight mixed up", {"weight.reshape(out_channels, -1)  # (O, C*k*k)":
        "weight.reshape(-1, out_channels).T"},
        "conv2d_backward: values", "dx: the numbers of weight are mixed up"),
    Planted("dweight not summed over the batch",
        {DW: DW.replace(".sum(axis=0)", "[0]")},
        "conv2d_backward: odd inputs", "only the first of dy along N counts"),
    Planted("dweight of each picture", {DW: DW.replace(".sum(axis=0)", ""),
        "dmatrix.reshape(weight.shape)": "dmatrix.reshape(n, *weight.shape)"},
        "conv2d_backward: shape", "dweight is kept for each picture"),
    Planted("mean for sum", {DW: DW.replace("sum(axis=0)", "mean(axis=0)")},
        "conv2d_backward: odd inputs", "dweight is N times too small"),
    Planted("dweight transposed", {DW: "np.tensordot(im2col(x, k, padding), dpositions, "
        "((0, 2), (0, 2)))"}, "conv2d_backward: values", "the numbers of dweight are mixed up"),
    Planted("dweight as (C, O, k, k)", {"dmatrix.reshape(weight.shape)":
        "dmatrix.reshape(weight.shape).swapaxes(0, 1)"},
        "conv2d_backward: shape", "the axes of dweight are in another order: C, O, i, j"),
    Planted("dbias over the wrong axes", {DB: "dy.sum(axis=(1, 2, 3))"},
        "conv2d_backward: shape", "this is the sum of dy along O, H', W'"),
    Planted("dbias kept for each picture", {DB: "dy.sum(axis=(2, 3))"},
        "conv2d_backward: shape", "this is the sum of dy along H', W'"),
    Planted("dbias of everything", {DB: "dy.sum()"},
        "conv2d_backward: runs", "dbias is added up along O"),
    Planted("dbias as a mean", {DB: "dy.mean(axis=(0, 2, 3))"},
        "conv2d_backward: values", "dbias: this is the mean of dy along N, H', W'"),
    Planted("two mistakes", {DB: "dy.sum(axis=(0, 2, 3)) / n", DX: "-matrix.T @ dpositions"},
        "conv2d_backward: values", "dx has the wrong sign"),
    Planted("the results in another order", {RETURN:
        f"return dmatrix.reshape(weight.shape), dx, {DB}"},
        "conv2d_backward: shape", "dx: this is dweight: the results come in another order"),
    Planted("dy changed", {"    k = weight.shape[2]\n    matrix":
        "    k = weight.shape[2]\n    dy *= 2\n    dy /= 4\n    dy = dy * 2\n    matrix"},
        "conv2d_backward: arguments", "your function changes dy"),
    Planted("the padding forgotten", {"im2col(x, k, padding).transpose": "im2col(x, k).transpose"},
        "conv2d_backward: shape", "one of the steps does not know of the padding"),
    Planted("pictures mixed up", {DX: "np.tensordot(matrix.T, dpositions, (1, 1))"
        ".reshape(n, -1, out_h * out_w)"},
        "conv2d_backward: odd inputs", "dx: the pictures of the batch are mixed up"),
    Planted("float32 within", {DX: "(matrix.T @ dpositions).astype(np.float32).astype(x.dtype)"},
        "conv2d_backward: odd inputs", "digits: is there a float32 on the way?"),
    Planted("float64 always", {DB: "dy.sum(axis=(0, 2, 3), dtype=float)"},
        "conv2d_backward: dtype", "dbias must keep the type"),
    Planted("a result missing", {RETURN: "return dx, dmatrix.reshape(weight.shape)"},
        "conv2d_backward: runs", "it must return 3: dx, dweight, dbias"),
    Planted("a convolution with k - 1 - padding zeros",
        {f"col2im({DX}, x.shape, k, padding)": "conv2d_forward(dy, weight[:, :, ::-1, ::-1]"
        ".transpose(1, 0, 2, 3), np.zeros(x.shape[1], x.dtype), k - 1 - padding)"},
        "conv2d_backward: odd inputs", "wrong where the padding is k or more"),
    Planted("O and C mixed up where they are equal", {DX: "(matrix.T if out_channels != x.shape[1] "
        "else weight.swapaxes(0, 1).reshape(out_channels, -1).T) @ dpositions"},
        "conv2d_backward: odd inputs", "dx: the numbers of weight are mixed up"),
    Planted("col2im keeps its canvas", {"padded = np.zeros((n, c, h + 2 * p, w + 2 * p), "
        "columns.dtype)": "key = (n, c, h + 2 * p, w + 2 * p), columns.dtype\n"
        "    padded = KEPT.setdefault(key, np.zeros(*key))\n    padded[...] = 0",
        "def col2im(": "KEPT = {}\n\n\ndef col2im("},
        "col2im: memory", "every call writes to the same array"),
    Planted("col2im adds to what was there", {"padded = np.zeros((n, c, h": "padded = np.empty((n, "
        "c, h"}, "col2im: values", "np.empty reserves memory"),
    Planted("col2im adds to what the last call left", {"padded = np.zeros((n, c, h + 2 * p, "
        "w + 2 * p), columns.dtype)": "key = (n, c, h + 2 * p, w + 2 * p), columns.dtype\n"
        "    padded = KEPT.setdefault(key, np.zeros(*key))",
        "def col2im(": "KEPT = {}\n\n\ndef col2im("},
        "col2im: values", "a call depends on the calls before it"),
    Planted("float16 within", {DX: "(matrix.T @ dpositions).astype(np.float16).astype(x.dtype)"},
        "conv2d_backward: odd inputs", "digits: is there a float16 on the way?"),
    Planted("the padding heeded up to 1", {"columns.dtype)\n": "columns.dtype)\n"
        "    p = min(p, 1)\n"}, "col2im: odd inputs", "wrong for padding = 2"),
    Planted("kernel flipped, and the wrong sign", {"weight.reshape(out_channels, -1)  #":
        "-weight[:, :, ::-1, ::-1].reshape(out_channels, -1)  #"},
        "conv2d_backward: values", "dx: two things."),
    Planted("dbias in reverse", {DB: "dy.sum(axis=(0, 2, 3))[::-1].copy()"},
        "conv2d_backward: values", "dbias is in reverse along O"),
)  # fmt: skip
