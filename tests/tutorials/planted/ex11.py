"""Mistakes for exercise 11: the bugs themselves, and repairs by half."""

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
        "all pictures of the batch are as the first",
    ),
    Planted(
        "i and j swapped",
        {"reshape(n, h, w, r, r)": "reshape(n, h, w, r, r).swapaxes(3, 4)"},
        "phase_shift",
        "rows and columns of each block are swapped",
    ),
    Planted(
        "no last axis", {"y[..., np.newaxis]": "y"}, "phase_shift", "y has the wrong shape: (1, 4,"
    ),
    Planted(
        "small c for capital C",
        {CHANNEL: "(c + 1) * r * (row % r) + (c + 1) * (col % r)"},
        "shuffle_loop",
        "some channels of x are used more than once, and some never",
    ),
    Planted(
        "TensorFlow's order",
        {CHANNEL: "len(y) * r * (row % r) + len(y) * (col % r) + c"},
        "shuffle_loop",
        "TensorFlow's order (DCR)",
    ),
    Planted(
        "colors overlap",
        {CHANNEL: CHANNEL.replace("c * r * r", "c * r")},
        "shuffle_loop",
        "the colors overlap",
    ),
    Planted(
        "c forgotten",
        {CHANNEL: CHANNEL.replace("c * r * r + ", "")},
        "shuffle_loop",
        "the channel must depend on c",
    ),
    Planted(
        "kernel not flipped",
        {TURNED: "weight"},
        "conv2d_input_gradient",
        "right for a kernel that stays the same when it is turned by 180 degrees",
    ),
    Planted(
        "rows alone", {TURNED: "weight[:, :, ::-1]"}, "conv2d_input_gradient", "upside down only"
    ),
    Planted(
        "columns alone", {TURNED: "weight[..., ::-1]"}, "conv2d_input_gradient", "left to right"
    ),
    Planted(
        "transposed", {TURNED: "weight.swapaxes(2, 3)"}, "conv2d_input_gradient", "is transposed"
    ),
    Planted(
        "all axes flipped",
        {TURNED: "np.flip(weight)"},
        "conv2d_input_gradient",
        "you turned all four axes",
    ),
    Planted(
        "weight changed",
        {TURNED: "weight\n    weight[:] = weight[:, :, ::-1, ::-1].copy()"},
        "conv2d_input_gradient",
        "you changed weight",
    ),
    Planted(
        "as the listings come",
        {PAIRS: "    return list(zip(lr_names, hr_names, strict=True))\n" + PAIRS},
        "make_pairs",
        "wrong where the lists have different orders",
    ),
    Planted(
        "sorted",
        {PAIRS: "    return list(zip(sorted(lr_names), sorted(hr_names), strict=True))\n" + PAIRS},
        "make_pairs",
        "two sorted lists pair the wrong files",
    ),
    Planted(
        "up to the first _",
        {PAIRS: "    return [(a, b) for a in lr_names for b in hr_names "
            "if a.split('_')[0] == b.split('_')[0]]\n" + PAIRS},
        "make_pairs",
        "wrong where a picture's own name has a _ in it",
    ),
    Planted(
        "by the beginning",
        {PAIRS: "    return [(a, next(b for b in hr_names if b.startswith(a[:-12]))) "
            "for a in lr_names]\n" + PAIRS},
        "make_pairs",
        "wrong where one picture's name begins as another's does",
    ),
    Planted(
        "no error", {"    if alone:": "    if False:"}, "make_pairs", "must raise a ValueError"
    ),
    Planted(
        "one side alone",
        {"small.keys() ^ large.keys()": "small.keys() - large.keys()"},
        "make_pairs",
        "a picture that is in only one list must raise a ValueError",
    ),
    Planted(
        "listing sorted in place",
        {PAIRS: f"    lr_names.sort()\n    hr_names.sort()\n{PAIRS}"},
        "make_pairs",
        "you changed hr_names",
    ),
    Planted("wrapping", {DIFFERENCE: "difference = picture - reference"}, "psnr", "more than 15"),
    Planted(
        "converted too late",
        {DIFFERENCE: "difference = (picture - reference).astype(np.float64)"},
        "psnr",
        "the difference has wrapped before it is converted",
    ),
    Planted(
        "int16", {DIFFERENCE: DIFFERENCE.replace("float64", "int16")}, "psnr", "int16 ends at 32767"
    ),
    Planted(
        "int8",
        {DIFFERENCE: DIFFERENCE.replace("float64", "int8") + ".astype(np.int8)"},
        "psnr",
        "int8 ends at 127",
    ),
    Planted(
        "another peak",
        {"255**2 / mse)\n": "float(reference.max()) ** 2 / mse)\n"},
        "psnr",
        "the peak is 255",
    ),
    Planted(
        "from 0 to 1, the peak not",
        {DIFFERENCE: "difference = picture / 255 - reference / 255"},
        "psnr",
        "the peak is still 255",
    ),
)  # fmt: skip
