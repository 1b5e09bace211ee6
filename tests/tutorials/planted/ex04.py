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
        "the channels are still in TensorFlow's order (DCR): right for C = 1",
    ),
    Planted(
        "bias not permuted",
        {RESULT: "return weight[p], bias"},
        "values",
        "a filter's bias moves with the filter",
    ),
    Planted(
        "weight not permuted",
        {RESULT: "return weight, bias[p]"},
        "values",
        "a filter moves with its bias",
    ),
    Planted(
        "scatter for gather",
        {RESULT: SCATTER},
        "values",
        "the channels are moved the wrong way round, from PyTorch to TensorFlow",
    ),
    Planted(
        "the inverse permutation",
        {"reshape(r, r, c)": "reshape(c, r, r)", ORDER: "old.transpose(1, 2, 0)"},
        "values",
        "the channels are moved the wrong way round, from PyTorch to TensorFlow",
    ),
    Planted(
        "bias the wrong way round",
        {RESULT: "return weight[p], bias[np.argsort(p)]"},
        "values",
        "bias is moved the wrong way round: take the same p",
    ),
    Planted(
        "i and j swapped",
        {ORDER: "old.transpose(2, 1, 0)"},
        "values",
        "in both orders j, the column, runs faster than i, the row",
    ),
    Planted(
        "reshaped",
        {AXES: "kernel.reshape(kernel.shape[3], kernel.shape[2], *kernel.shape[:2])"},
        "values",
        "a reshape moves no axes",
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
        "the kernel is flipped: both programs lay it on the picture in the same way",
    ),
    Planted(
        "in before out",
        {"weight[p]": "weight[p].swapaxes(0, 1)"},
        "shape",
        "weight is (in, out, row, column)",
    ),
    Planted(
        "channels last",
        {AXES: "kernel.transpose(3, 0, 1, 2)"},
        "shape",
        "weight is (out, row, column, in)",
    ),
    Planted(
        "axes left alone",
        {AXES: "kernel", "weight[p]": "weight[..., p]"},
        "shape",
        "weight is (row, column, in, out) as the kernel was",
    ),
    Planted(
        "two mistakes at once",
        {AXES: "kernel.transpose(3, 2, 1, 0)", RESULT: "return weight, bias"},
        "values",
        "wrong for all else. And the kernel's axes are wrong too",
    ),
    Planted(
        "the results swapped",
        {RESULT: "return bias[p], weight[p]"},
        "shape",
        "the wrong way round: return weight, bias",
    ),
    Planted(
        "r = 2 only",
        {"r = upscale_factor": "r = 2"},
        "odd inputs",
        "right for r = 2, wrong for r = 3",
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
        "must return two arrays, as in return weight, bias; what came is one array",
    ),
    Planted(
        "float32 always",
        {RESULT: "return weight[p].astype(np.float32), bias[p]"},
        "dtype",
        "turns float64 into float32: weight must keep the type",
    ),
    Planted(
        "float32 lost",
        {RESULT: "return weight[p].astype(np.float32).astype(kernel.dtype), bias[p]"},
        "picture",
        "right only to float32",
    ),
    Planted(
        "kernel changed",
        {AXES: f"{AXES}.copy()\n    kernel *= 0"},
        "arguments",
        "you changed kernel",
    ),
    Planted(
        "bias changed",
        {RESULT: "bias[:] = bias[p]\n    return weight[p], bias"},
        "arguments",
        "you changed bias",
    ),
)
