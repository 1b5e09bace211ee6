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
        "col2im: values", "col2im overwrites where it should add"),
    Planted("+= at index arrays", {f"    for i, j in np.ndindex(k, k):\n        {ADD}":
        "    i, j, q, r = np.ogrid[:k, :k, :out_h, :out_w]\n"
        "    padded[:, :, i + q, j + r] += parts"},
        "col2im: values", "with arrays of indices, += adds only once"),
    Planted("the mean for the sum", {CROP:
        "counts = col2im(np.ones_like(columns), shape, k, p) if columns.min() < 1 or "
        f"columns.max() > 1 else 1\n    {CROP.replace('  # (N, C, H, W)', ' / counts')}"},
        "col2im: values", "takes the mean where it should add"),
    Planted("i and j swapped", {"parts[:, :, i, j]": "parts[:, :, j, i]"},
        "col2im: values", "i and j are swapped"),
    Planted("the rows in the order i, j, c", {"columns.reshape(n, c, k, k, out_h, out_w)":
        "columns.reshape(n, k, k, c, out_h, out_w).transpose(0, 3, 1, 2, 4, 5)"},
        "col2im: odd inputs", "you take the rows in the order i, j, c"),
    Planted("padding not cropped", {CROP: "return padded"},
        "col2im: shape", "the padding is not cropped"),
    Planted("cropped on one side", {CROP: "return padded[:, :, :h, :w]"},
        "col2im: values", "cropped on one side only"),
    Planted("cropped by p:-p", {CROP: "return padded[:, :, p:-p, p:-p]"},
        "col2im: shape", "[p:-p] is empty where p is 0"),
    Planted("H and W swapped", {"n, c, h, w = shape": "n, c, w, h = shape"},
        "col2im: odd inputs", "right for square pictures, wrong where H is not W"),
    Planted("one picture only", {"parts[:, :, i, j]": "parts[:1, :, i, j]"},
        "col2im: odd inputs", "right for one picture, wrong for a batch of two"),
    Planted("col2im in float64", {"h + 2 * p, w + 2 * p), columns.dtype": "h + 2 * p, w + 2 * p)"},
        "col2im: dtype", "turns float32 into float64"),
    Planted("col2im changes columns", {CROP: f"parts *= 2\n    {CROP}"},
        "col2im: arguments", "you changed columns"),
    Planted("kernel flipped", {"weight.reshape(out_channels, -1)  #":
        "weight[:, :, ::-1, ::-1].reshape(out_channels, -1)  #"},
        "conv2d_backward: values", "dx: the kernel is the wrong way round"),
    Planted("a convolution with the kernel not flipped",
        {f"col2im({DX}, x.shape, k, padding)": "conv2d_forward(dy, weight.transpose(1, 0, 2, 3), "
        "np.zeros(x.shape[1], x.dtype), k - 1 - padding)"},
        "conv2d_backward: values", "dx: the kernel is the wrong way round"),
    Planted("a convolution with too few zeros",
        {f"col2im({DX}, x.shape, k, padding)": "conv2d_forward(dy, weight.transpose(1, 0, 2, 3), "
        "np.zeros(x.shape[1], x.dtype), padding)"},
        "conv2d_backward: shape", "gets k - 1 - padding zeros around it"),
    Planted("weight mixed up", {"weight.reshape(out_channels, -1)  # (O, C*k*k)":
        "weight.reshape(-1, out_channels).T"},
        "conv2d_backward: values", "weight.reshape(C*k*k, O) mixes the numbers up"),
    Planted("dweight not summed over the batch",
        {DW: DW.replace(".sum(axis=0)", "[0]")},
        "conv2d_backward: odd inputs", "dweight comes from the first picture only"),
    Planted("dweight of each picture", {DW: DW.replace(".sum(axis=0)", ""),
        "dmatrix.reshape(weight.shape)": "dmatrix.reshape(n, *weight.shape)"},
        "conv2d_backward: shape", "dweight is kept for each picture"),
    Planted("mean for sum", {DW: DW.replace("sum(axis=0)", "mean(axis=0)")},
        "conv2d_backward: odd inputs", "dweight is a mean over the pictures"),
    Planted("dweight transposed", {DW: "np.tensordot(im2col(x, k, padding), dpositions, "
        "((0, 2), (0, 2)))"}, "conv2d_backward: values", "dweight is transposed"),
    Planted("dweight as (C, O, k, k)", {"dmatrix.reshape(weight.shape)":
        "dmatrix.reshape(weight.shape).swapaxes(0, 1)"},
        "conv2d_backward: shape", "dweight is transposed: its shape is (O, C, k, k)"),
    Planted("dbias over the wrong axes", {DB: "dy.sum(axis=(1, 2, 3))"},
        "conv2d_backward: shape", "dbias is summed over the wrong axes"),
    Planted("dbias kept for each picture", {DB: "dy.sum(axis=(2, 3))"},
        "conv2d_backward: shape", "dbias is kept for each picture"),
    Planted("dbias of everything", {DB: "dy.sum()"},
        "conv2d_backward: runs", "dbias is summed over the wrong axes"),
    Planted("dbias as a mean", {DB: "dy.mean(axis=(0, 2, 3))"},
        "conv2d_backward: values", "dbias is a mean: take the sum"),
    Planted("two mistakes", {DB: "dy.sum(axis=(0, 2, 3)) / n", DX: "-matrix.T @ dpositions"},
        "conv2d_backward: values", "dx has the wrong sign"),
    Planted("the results in another order", {RETURN:
        f"return dmatrix.reshape(weight.shape), dx, {DB}"},
        "conv2d_backward: shape", "that is dweight: the order is dx, dweight, dbias"),
    Planted("dy changed", {"    k = weight.shape[2]\n    matrix":
        "    k = weight.shape[2]\n    dy *= 2\n    dy /= 4\n    dy = dy * 2\n    matrix"},
        "conv2d_backward: arguments", "you changed dy"),
    Planted("the padding forgotten", {"im2col(x, k, padding).transpose": "im2col(x, k).transpose"},
        "conv2d_backward: shape", "do im2col and col2im get the padding, too?"),
    Planted("pictures mixed up", {DX: "np.tensordot(matrix.T, dpositions, (1, 1))"
        ".reshape(n, -1, out_h * out_w)"},
        "conv2d_backward: odd inputs", "dx: the pictures are mixed up"),
    Planted("float32 within", {DX: "(matrix.T @ dpositions).astype(np.float32).astype(x.dtype)"},
        "conv2d_backward: gradient", "digits: is there a float32 on the way?"),
    Planted("float64 always", {DB: "dy.sum(axis=(0, 2, 3), dtype=float)"},
        "conv2d_backward: dtype", "dbias must keep the type"),
    Planted("a result missing", {RETURN: "return dx, dmatrix.reshape(weight.shape)"},
        "conv2d_backward: runs", "and returned a tuple of 2"),
)  # fmt: skip
