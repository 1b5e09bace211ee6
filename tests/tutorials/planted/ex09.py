"""Mistakes for exercise 9. Where no cause is given, the numbers show it."""

from mistakes import Planted

WEIGHTS = "np.array([65.481, 128.553, 24.966])"
SUM = f"y = 16 + rgb @ {WEIGHTS} / 255"
ROUND = "np.floor(y + 0.5).astype(np.uint8)"
INSIDE = "np.s_[scale:-scale, scale:-scale]"
A = "a = luma(picture)[inside].astype(float)"
B = "b = luma(reference)[inside].astype(float)"
MSE = "mse = np.mean((a - b) ** 2)"
DB = "float(10 * np.log10(255**2 / mse))"
INF = 'float("inf") if mse == 0 else '
PLANTED = (
    Planted(
        "full-range luma",
        {SUM: "y = rgb @ np.array([0.299, 0.587, 0.114])"},
        "luma: values",
        "the luma is full range",
    ),
    Planted(
        "64.738 for 65.738",
        {SUM: "y = 16 + rgb @ np.array([64.738, 129.057, 25.064]) / 256"},
        "luma: values",
        "red has 64.738 where 65.738 is right",
    ),
    Planted("BGR", {WEIGHTS: "np.array([24.966, 128.553, 65.481])"}, "luma: values", "(BGR"),
    Planted("mean of RGB", {SUM: "y = rgb.mean(axis=2)"}, "luma: values", ""),
    Planted(
        "BT.709",
        {WEIGHTS: "(219 * np.array([0.2126, 0.7152, 0.0722]))"},
        "luma: values",
        "BT.709's, for high-definition television",
    ),
    Planted(
        "few digits",
        {SUM: "y = 16 + rgb @ np.array([0.257, 0.504, 0.098])"},
        "luma: values",
        "",
    ),
    Planted("no 16", {"y = 16 + ": "y = "}, "luma: values", "lacks the 16"),
    Planted("cut off", {ROUND: "y.astype(np.uint8)"}, "luma: values", "cut off, not rounded"),
    Planted(
        "luma in uint8",
        {
            SUM: "r, g, b = np.moveaxis(rgb, 2, 0)\n"
            "    y = ((66 * r + 129 * g + 25 * b + 128) >> 8) + 16"
        },
        "luma: values",
        "as if all its numbers were 0",
    ),
    Planted("luma as floats", {ROUND: "np.floor(y + 0.5)"}, "luma: dtype", "uint8 becomes float64"),
    Planted(
        "the colors changed",
        {f"    return {ROUND}": f"    rgb[...] = 0\n    return {ROUND}"},
        "luma: arguments",
        "your function changes rgb",
    ),
    Planted(
        "luma not rounded",
        {
            A: f"weights = {WEIGHTS}\n    a = (picture @ weights)[inside] / 255",
            B: "b = (reference @ weights)[inside] / 255",
        },
        "psnr: values",
        "the luma is not rounded",
    ),
    Planted(
        "on RGB",
        {
            A: "a = picture[inside].astype(float)",
            B: "b = reference[inside].astype(float)",
        },
        "psnr: values",
        "red, green and blue together",
    ),
    Planted(
        "full range in psnr",
        {
            A: "weights = np.array([0.299, 0.587, 0.114])\n"
            "    a = np.rint(picture @ weights)[inside]",
            B: "b = np.rint(reference @ weights)[inside]",
        },
        "psnr: values",
        "",
    ),
    Planted("no border left out", {INSIDE: "np.s_[:, :]"}, "psnr: values", "border is still there"),
    Planted(
        "one side",
        {INSIDE: "np.s_[scale:, scale:]"},
        "psnr: values",
        "left out above and on the left only",
    ),
    Planted("border of 4", {INSIDE: "np.s_[4:-4, 4:-4]"}, "psnr: values", "always 4 pixels"),
    Planted(
        "the picture's peak",
        {DB: "float(10 * np.log10(float(picture.max()) ** 2 / mse))"},
        "psnr: values",
        "the brightest number of the picture",
    ),
    Planted("the studio range's peak", {"255**2": "219**2"}, "psnr: values", "the peak is 219"),
    Planted(
        "uint8 wraps",
        {A: "a = luma(picture)[inside]", B: "b = luma(reference)[inside]"},
        "psnr: values",
        "subtracted in uint8",
    ),
    Planted(
        "int16 wraps",
        {
            A: "a = luma(picture)[inside].astype(np.int16)",
            B: "b = luma(reference)[inside].astype(np.int16)",
        },
        "psnr: odd inputs",
        "do not fit into int16",
    ),
    Planted("20 log10", {"10 * np": "20 * np"}, "psnr: values", "2 times as large"),
    Planted("peak not squared", {"255**2": "255"}, "psnr: values", ""),
    Planted(
        "natural logarithm",
        {"10 * np.log10": "10 * np.log"},
        "psnr: values",
        "2.303 times as large",
    ),
    Planted("sign", {"float(10": "-float(10"}, "psnr: values", "the wrong sign"),
    Planted("sum", {"np.mean(": "np.sum("}, "psnr: values", "the squares are added up"),
    Planted(
        "all pixels counted",
        {MSE: "mse = np.sum((a - b) ** 2) / (picture.shape[0] * picture.shape[1])"},
        "psnr: values",
        "",
    ),
    Planted("not squared", {MSE: "mse = np.mean(np.abs(a - b))"}, "psnr: values", ""),
    Planted(
        "rounded",
        {DB: "round(float(10 * np.log10(255**2 / mse)), 2)"},
        "psnr: values",
        "the result is rounded",
    ),
    Planted(
        "100 for equal pictures",
        {'return float("inf")': "return 100.0"},
        "psnr: odd inputs",
        "wrong where it is: then PSNR is inf",
    ),
    Planted(
        "division by zero",
        {INF: "", DB: "float(10 * np.log10(255**2 / float(mse)))"},
        "psnr: odd inputs",
        "wrong where it is: then PSNR is inf",
    ),
    Planted(
        "nothing for equal pictures",
        {INF: "None if mse == 0 else "},
        "psnr: odd inputs",
        "is a return missing?",
    ),
    Planted(
        "an argument changed",
        {f"    inside = {INSIDE}": f"    inside = {INSIDE}\n    picture[0, 0] = 0"},
        "psnr: arguments",
        "your function changes picture",
    ),
    Planted(
        "never written",
        {
            f"return {ROUND}": "luma = np.empty(y.shape, np.uint8)\n"
            f"    luma[:, 1:] = ({ROUND})[:, 1:]\n    return luma"
        },
        "luma: values",
        "np.empty reserves memory",
    ),
    Planted(
        "a buffer that the second call overwrites",
        {
            f"return {ROUND}": f"luma = KEPT.setdefault(y.shape, {ROUND})\n"
            f"    luma[...] = {ROUND}\n    return luma",
            "def luma(": "KEPT = {}\n\n\ndef luma(",
        },
        "luma: memory",
        "every call writes to the same array",
    ),
    Planted(
        "float16 on the way",
        {SUM: f"y = 16 + (rgb @ {WEIGHTS}).astype(np.float16) / 255"},
        "luma: values",
        "",
    ),
    Planted(
        "the luma of the reference is remembered",
        {
            B: "b = KEPT.setdefault(reference.shape, luma(reference)[inside].astype(float))",
            "def psnr(": "KEPT = {}\n\n\ndef psnr(",
        },
        "psnr: odd inputs",
        "a call depends on the calls before it",
    ),
    Planted(
        "float32 on the way",
        {MSE: "mse = np.mean((a - b) ** 2, dtype=np.float32)"},
        "psnr: values",
        "is there a float32 on the way?",
    ),
    Planted(
        "border of the height only",
        {INSIDE: "np.s_[scale:-scale]"},
        "psnr: values",
        "",
    ),
    Planted(
        "border of scale - 1",
        {INSIDE: "np.s_[scale - 1 : 1 - scale or None, scale - 1 : 1 - scale or None]"},
        "psnr: values",
        "scale counts as one less",
    ),
)
