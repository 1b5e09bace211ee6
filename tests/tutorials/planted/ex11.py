"""Mistakes for exercise 11: the bugs themselves, and repairs by half.

Where no cause is given, the numbers show it.
"""

from mistakes import Planted

CHANNEL = "c * r * r + (row % r) * r + col % r"
TURNED = "weight[:, :, ::-1, ::-1]"
DIFFERENCE = "difference = picture.astype(np.float64) - reference"
PAIRS = "    small = {re.sub"
PLANTED = (
    Planted(
        "splits of W and H",
        {"split(blocks, h,": "split(blocks, w,", "split(tall, w,": "split(tall, h,"},
        "phase_shift",
        "right for square pictures, wrong where H is not W",
    ),
    Planted(
        "one split repaired",
        {"split(tall, w,": "split(tall, h,"},
        "phase_shift",
        "right for square pictures, wrong where H is not W",
    ),
    Planted(
        "transposed where H is not W",
        {
            "n, h, w, _ = x.shape": "n, w, h, _ = x.shape\n    x = x.reshape(n, h, w, -1)",
            "return y[..., np.newaxis]": "return y.reshape(n, w * r, -1, 1)",
        },
        "phase_shift",
        "right for square pictures, wrong where H is not W",
    ),
    Planted(
        "r = 2 only", {"n, h, w, r, r": "n, h, w, 2, -1"}, "phase_shift", "right for r = 2, wrong"
    ),
    Planted(
        "one picture only",
        {"return y[..., np.newaxis]": "return y[:1, ..., np.newaxis].repeat(n, 0)"},
        "phase_shift",
        "right for the first along N only",
    ),
    Planted(
        "i and j swapped",
        {"reshape(n, h, w, r, r)": "reshape(n, h, w, r, r).swapaxes(3, 4)"},
        "phase_shift",
        "rows and columns of each block are swapped",
    ),
    Planted(
        "no last axis", {"y[..., np.newaxis]": "y"}, "phase_shift", "the last axis"
    ),
    Planted(
        "small c for capital C",
        {CHANNEL: "(c + 1) * r * (row % r) + (c + 1) * (col % r)"},
        "shuffle_loop",
        "the channels of two colors overlap",
    ),
    Planted(
        "TensorFlow's order",
        {CHANNEL: "len(y) * r * (row % r) + len(y) * (col % r) + c"},
        "shuffle_loop",
        "TensorFlow's (DCR)",
    ),
    Planted(
        "colors overlap",
        {CHANNEL: CHANNEL.replace("c * r * r", "c * r")},
        "shuffle_loop",
        "the channels of two colors overlap",
    ),
    Planted(
        "c forgotten",
        {CHANNEL: CHANNEL.replace("c * r * r + ", "")},
        "shuffle_loop",
        "the others are the same",
    ),
    Planted(
        "kernel not flipped",
        {TURNED: "weight"},
        "conv2d_input_gradient",
        "weight is turned by 180 degrees",
    ),
    Planted(
        "rows alone", {TURNED: "weight[:, :, ::-1]"}, "conv2d_input_gradient", "in reverse along j"
    ),
    Planted(
        "columns alone", {TURNED: "weight[..., ::-1]"}, "conv2d_input_gradient", "along i"
    ),
    Planted(
        "transposed", {TURNED: "weight.swapaxes(2, 3)"}, "conv2d_input_gradient", "rows and columns"
    ),
    Planted(
        "all axes flipped",
        {TURNED: "np.flip(weight)"},
        "conv2d_input_gradient",
        "the channels of weight are turned, too",
    ),
    Planted(
        "weight changed",
        {TURNED: "weight\n    weight[:] = weight[:, :, ::-1, ::-1].copy()"},
        "conv2d_input_gradient",
        "your function changes weight",
    ),
    Planted(
        "as the listings come",
        {PAIRS: "    return list(zip(lr_names, hr_names, strict=True))\n" + PAIRS},
        "make_pairs",
        "paired as they are listed",
    ),
    Planted(
        "sorted",
        {PAIRS: "    return list(zip(sorted(lr_names), sorted(hr_names), strict=True))\n" + PAIRS},
        "make_pairs",
        "both lists are sorted",
    ),
    Planted(
        "up to the first _",
        {PAIRS: "    return [(a, b) for a in lr_names for b in hr_names "
            "if a.split('_')[0] == b.split('_')[0]]\n" + PAIRS},
        "make_pairs",
        "",
    ),
    Planted(
        "by the beginning",
        {PAIRS: "    return [(a, next(b for b in hr_names if b.startswith(a[:-12]))) "
            "for a in lr_names]\n" + PAIRS},
        "make_pairs",
        "wrong where one name begins as another does",
    ),
    Planted(
        "no error", {"    if alone:": "    if False:"}, "make_pairs", "only one list"
    ),
    Planted(
        "one side alone",
        {"small.keys() ^ large.keys()": "small.keys() - large.keys()"},
        "make_pairs",
        "for a picture that is in only one list",
    ),
    Planted(
        "listing sorted in place",
        {PAIRS: f"    lr_names.sort()\n    hr_names.sort()\n{PAIRS}"},
        "make_pairs",
        "your function changes hr_names",
    ),
    Planted("wrapping", {DIFFERENCE: "difference = picture - reference"}, "psnr", "in uint8"),
    Planted(
        "converted too late",
        {DIFFERENCE: "difference = (picture - reference).astype(np.float64)"},
        "psnr",
        "subtracted in uint8",
    ),
    Planted(
        "int16", {DIFFERENCE: DIFFERENCE.replace("float64", "int16")}, "psnr", "fit into int16"
    ),
    Planted(
        "int8",
        {DIFFERENCE: DIFFERENCE.replace("float64", "int8") + ".astype(np.int8)"},
        "psnr",
        "",
    ),
    Planted(
        "another peak",
        {"255**2 / mse)\n": "float(reference.max()) ** 2 / mse)\n"},
        "psnr",
        "",
    ),
    Planted(
        "from 0 to 1, the peak not",
        {DIFFERENCE: "difference = picture / 255 - reference / 255"},
        "psnr",
        "",
    ),
    Planted(
        "x itself where r is 1",
        {"    n, h, w, _ = x.shape": "    if r == 1:\n        return x\n    n, h, w, _ = x.shape"},
        "phase_shift",
        "returns x itself, or a view of it",
    ),
    Planted(
        "a buffer that the second call overwrites",
        {"    y = np.empty((channels // (r * r), h * r, w * r), x.dtype)":
            "    key = (channels // (r * r), h * r, w * r), x.dtype\n"
            "    y = KEPT.setdefault(key, np.empty(*key))",
         "def shuffle_loop(": "KEPT = {}\n\n\ndef shuffle_loop("},
        "shuffle_loop",
        "every call writes to the same array",
    ),
    Planted(
        "the last column never written",
        {"for col in range(w * r)": "for col in range(w * r - 1)"},
        "shuffle_loop",
        "np.empty reserves memory",
    ),
    Planted(
        "a canvas of float64",
        {"h * r, w * r), x.dtype)": "h * r, w * r))", "return y\n\n\ndef conv2d":
            "return y.astype(x.dtype)\n\n\ndef conv2d"},
        "shuffle_loop",
        "float64",
    ),
    Planted(
        "dx in float64",
        {"dx = np.zeros((n, c, h, w), dy.dtype)": "dx = np.zeros((n, c, h, w))"},
        "conv2d_input_gradient",
        "float32 becomes float64",
    ),
    Planted(
        "dx kept from call to call",
        {"dx = np.zeros((n, c, h, w), dy.dtype)": "key = (n, c, h, w), dy.dtype\n"
            "    dx = KEPT.setdefault(key, np.zeros(*key))",
         "def conv2d_input": "KEPT = {}\n\n\ndef conv2d_input"},
        "conv2d_input_gradient",
        "a call depends on the calls before it",
    ),
    Planted(
        "float16 within",
        {DIFFERENCE: DIFFERENCE.replace("float64", "float16")},
        "psnr",
        "",
    ),
    Planted(
        "pictures remembered by their shape",
        {DIFFERENCE: "reference = KEPT.setdefault(reference.shape, reference.astype(float))\n"
            f"    {DIFFERENCE}",
         "def psnr(": "KEPT = {}\n\n\ndef psnr("},
        "psnr",
        "a call depends on the calls before it",
    ),
    Planted(
        "an infinite PSNR for equal means",
        {DIFFERENCE: DIFFERENCE + "\n    difference = difference.mean()"},
        "psnr",
        "",
    ),
    Planted("by how the names end",
        {PAIRS: "    return [(a, b) for a in lr_names for b in hr_names "
            f"if b.endswith(a[:-12] + '_HR.png')]\n{PAIRS}"},
        "make_pairs", "ends as another does"),
    Planted("the ending taken out wherever it is", {'name.removesuffix("_HR.png")':
        'name.replace("_HR.png", "")'}, "make_pairs", "only the end is to be taken off"),
)  # fmt: skip
