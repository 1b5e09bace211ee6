"""Mistakes for exercise 4."""

from mistakes import Planted

RESULT = "return weight[p], bias[p]"
AXES = "kernel.transpose(3, 2, 0, 1)"
ORDER = "old.transpose(2, 0, 1)"
SCATTER = """moved, moved_bias = np.empty_like(weight), np.empty_like(bias)
    moved[p], moved_bias[p] = weight, bias
    return moved, moved_bias"""
PLANTED = (
    Planted(
        "not permuted",
        {RESULT: "return weight, bias"},
        "values",
        "the channels are still in TensorFlow's order (DCR). That is right for C = 1",
    ),
    Planted(
        "bias not permuted",
        {RESULT: "return weight[p], bias"},
        "values",
        "bias: the channels are still in TensorFlow's order",
    ),
    Planted(
        "weight not permuted",
        {RESULT: "return weight, bias[p]"},
        "values",
        "weight: the channels are still in TensorFlow's order",
    ),
    Planted(
        "scatter for gather",
        {RESULT: SCATTER},
        "values",
        "the channels are moved the wrong way round, from PyTorch's order",
    ),
    Planted(
        "the inverse permutation",
        {"reshape(r, r, c)": "reshape(c, r, r)", ORDER: "old.transpose(1, 2, 0)"},
        "values",
        "the channels are moved the wrong way round, from PyTorch's order",
    ),
    Planted(
        "bias the wrong way round",
        {RESULT: "return weight[p], bias[np.argsort(p)]"},
        "values",
        "bias: the channels are moved the wrong way round",
    ),
    Planted(
        "i and j swapped",
        {ORDER: "old.transpose(2, 1, 0)"},
        "values",
        "In both orders the column j counts faster",
    ),
    Planted(
        "reshaped",
        {AXES: "kernel.reshape(kernel.shape[3], kernel.shape[2], *kernel.shape[:2])"},
        "values",
        "a reshape cannot put axes in another order",
    ),
    Planted(
        "rows and columns of the kernel swapped",
        {AXES: "kernel.transpose(3, 2, 1, 0)"},
        "values",
        "the kernel's rows and columns are swapped",
    ),
    Planted(
        "kernel flipped",
        {AXES: "kernel[::-1, ::-1].transpose(3, 2, 0, 1)"},
        "values",
        "the kernel is turned by 180 degrees. Both programs lay it on the picture in the same way",
    ),
    Planted(
        "in before out",
        {"weight[p]": "weight[p].swapaxes(0, 1)"},
        "shape",
        "another order: in, out, row, column",
    ),
    Planted(
        "channels last",
        {AXES: "kernel.transpose(3, 0, 1, 2)"},
        "shape",
        "another order: out, row, column, in",
    ),
    Planted(
        "axes left alone",
        {AXES: "kernel", "weight[p]": "weight[..., p]"},
        "shape",
        "another order: row, column, in, out",
    ),
    Planted(
        "two mistakes at once",
        {AXES: "kernel.transpose(3, 2, 1, 0)", RESULT: "return weight, bias"},
        "values",
        "neither program does that. Second, the channels are still in TensorFlow's order",
    ),
    Planted(
        "the results swapped",
        {RESULT: "return bias[p], weight[p]"},
        "shape",
        "this is bias: the results come in another order",
    ),
    Planted(
        "r = 2 only",
        {"r = upscale_factor": "r = 2"},
        "odd inputs",
        "r is not heeded: it counts as 2",
    ),
    Planted(
        "two input channels only",
        {AXES: f"{AXES}[:, :2]"},
        "odd inputs",
        "right for one or two input channels, wrong for five",
    ),
    Planted(
        "weight alone",
        {RESULT: "return weight[p]"},
        "runs",
        "it must return 2: weight, bias",
    ),
    Planted(
        "float32 always",
        {RESULT: "return weight[p].astype(np.float32), bias[p]"},
        "dtype",
        "int64 becomes float32",
    ),
    Planted(
        "float32 lost",
        {RESULT: "return weight[p].astype(np.float32).astype(kernel.dtype), bias[p]"},
        "odd inputs",
        "passes through float64",
    ),
    Planted(
        "kernel changed",
        {AXES: f"{AXES}.copy()\n    kernel[...] = 0"},
        "arguments",
        "your function changes kernel",
    ),
    Planted(
        "bias changed",
        {RESULT: "bias[:] = bias[p]\n    return weight[p], bias"},
        "arguments",
        "your function changes bias",
    ),
    Planted(
        "views where both orders are the same",
        {RESULT: "return (weight, bias) if c == 1 else (weight[p], bias[p])"},
        "memory",
        "returns kernel itself, or a view of it",
    ),
    Planted(
        "the bias itself where r is 1",
        {RESULT: "return weight[p], bias if r == 1 else bias[p]"},
        "memory",
        "returns bias itself, or a view of it",
    ),
    Planted(
        "a buffer for the bias",
        {
            RESULT: "kept = KEPT.setdefault((len(p), bias.dtype), bias.copy())\n"
            "    kept[...] = bias[p]\n    return weight[p], kept",
            "def from_tensorflow": "KEPT = {}\n\n\ndef from_tensorflow",
        },
        "memory",
        "every call writes to the same array",
    ),
    Planted(
        "a remembered permutation",
        {
            "c = len(bias) // (r * r)": "c = KEPT.setdefault(r, len(bias) // (r * r))",
            "def from_tensorflow": "KEPT = {}\n\n\ndef from_tensorflow",
        },
        "shape",
        "a call depends on the calls before it",
    ),
    Planted(
        "never written",
        {
            RESULT: "moved = np.empty_like(weight)\n    moved[p[p > 0]] = weight[p > 0]\n"
            "    return moved, bias[p]"
        },
        "values",
        "np.empty reserves memory",
    ),
    Planted(
        "through float64",
        {RESULT: "return weight[p], bias[p].astype(float).astype(bias.dtype)"},
        "odd inputs",
        "passes through float64",
    ),
)
