"""Mistakes for exercise 7. Where no cause is given, the numbers show it."""

from mistakes import Planted

TANH = "np.tanh(x)"
DX = "return dy * (1 - y**2)"
LOSS = "float(np.mean((prediction - target) ** 2))"
GRADIENT = "2 * (prediction - target) / prediction.size"
PLANTED = (
    Planted("the formula of tanh as it stands",
        {TANH: "(np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))"},
        "tanh_forward: odd inputs", "exp of a large number is infinite"),
    Planted("half of the exponents", {TANH: "(np.exp(x) - 1) / (np.exp(x) + 1)"},
        "tanh_forward: values", "this is tanh(x/2)"),
    Planted("the sigmoid", {TANH: "1 / (1 + np.exp(-x))"},
        "tanh_forward: values", "this is the sigmoid"),
    Planted("float64 always", {TANH: "np.tanh(x.astype(float))"},
        "tanh_forward: dtype", "float32 becomes float64"),
    Planted("x overwritten", {TANH: "np.tanh(x, out=x)"},
        "tanh_forward: arguments", "your function changes x"),
    Planted("tanh of y", {DX: "return dy * (1 - np.tanh(y) ** 2)"},
        "tanh_backward: values", "y is tanh's output already"),
    Planted("1 - x**2", {DX: "return dy * (1 - np.arctanh(y) ** 2)"},
        "tanh_backward: values", "the slope is made of x"),
    Planted("dy forgotten", {DX: "return 1 - y**2"},
        "tanh_backward: values", "dy is left out, as if all its numbers were 1"),
    Planted("the sigmoid's slope", {DX: "return dy * y * (1 - y)"},
        "tanh_backward: values", "this is the slope of the sigmoid"),
    Planted("no brackets", {DX: "return dy * 1 - y**2"},
        "tanh_backward: values", "brackets are missing"),
    Planted("dy changed", {DX: "dy *= 1 - y**2\n    return dy"},
        "tanh_backward: arguments", "your function changes dy"),
    Planted("float32 within", {DX: "return dy * (1 - y.astype(np.float32) ** 2).astype(y.dtype)"},
        "tanh_backward: values", "digits: is there a float32 on the way?"),
    Planted("squares", {LOSS: "(prediction - target) ** 2"},
        "mse_forward: shape", "these are the squares"),
    Planted("the sum for the mean", {LOSS: "np.sum((prediction - target) ** 2)"},
        "mse_forward: values", "this is the sum of the squares"),
    Planted("the mean over the batch only",
        {LOSS: "np.sum((prediction - target) ** 2) / len(prediction)"},
        "mse_forward: values", "the sum is divided by the number of pictures"),
    Planted("one half", {LOSS: "0.5 * np.mean((prediction - target) ** 2)"},
        "mse_forward: values", "0.5 times as large as it should be"),
    Planted("the root", {LOSS: "np.sqrt(np.mean((prediction - target) ** 2))"},
        "mse_forward: values", "this is the root of the mean"),
    Planted("subtracted in place", {f"return {LOSS}":
        "prediction -= target\n    return np.mean(prediction**2)"},
        "mse_forward: arguments", "your function changes prediction"),
    Planted("the sign", {GRADIENT: "2 * (target - prediction) / prediction.size"},
        "mse_backward: values", "dprediction has the wrong sign"),
    Planted("factor 2 missing", {GRADIENT: "(prediction - target) / prediction.size"},
        "mse_backward: values", "dprediction is 0.5 times as large as it should be"),
    Planted("divided by 2n", {GRADIENT: "(prediction - target) / (2 * prediction.size)"},
        "mse_backward: values", "dprediction is 0.25 times as large as it should be"),
    Planted("a sum's gradient", {GRADIENT: "2 * (prediction - target)"},
        "mse_backward: values", "this is the gradient of the sum"),
    Planted("divided by the batch", {GRADIENT: "2 * (prediction - target) / len(prediction)"},
        "mse_backward: values", "divided by the number of pictures"),
    Planted("one number", {GRADIENT: "2 * np.mean(prediction - target)"},
        "mse_backward: runs", ""),
    Planted("no result", {f"return {GRADIENT}": GRADIENT},
        "mse_backward: runs", "is a return missing?"),
    Planted("y kept", {f"return {TANH}": "y = KEPT.setdefault((x.shape, x.dtype), np.tanh(x))\n"
        "    return y", "def tanh_forward": "KEPT = {}\n\n\ndef tanh_forward"},
        "tanh_forward: odd inputs", "a call depends on the calls before it"),
    Planted("a buffer for y", {f"return {TANH}": "y = KEPT.setdefault((x.shape, x.dtype), x.copy())"
        "\n    return np.tanh(x, out=y)", "def tanh_forward": "KEPT = {}\n\n\ndef tanh_forward"},
        "tanh_forward: memory", "every call writes to the same array"),
    Planted("cut off for float64 only", {TANH: "(np.exp(2 * np.clip(x, -300, 300)) - 1) / "
        "(np.exp(2 * np.clip(x, -300, 300)) + 1)"},
        "tanh_forward: odd inputs", "exp of a large number is infinite"),
    Planted("through float32", {TANH: "np.tanh(x.astype(np.float32)).astype(x.dtype)"},
        "tanh_forward: values", "digits: is there a float32 on the way?"),
    Planted("infinite slopes", {DX: "return dy / (1 / (1 - y) / (1 + y)) if (abs(y) != 1).all() "
        "else dy / (1 - y**2) * 0"}, "tanh_backward: odd inputs", "wrong where tanh is flat"),
    Planted("dx in new memory", {DX: "dx = np.empty_like(dy)\n    dx += dy * (1 - y**2)\n"
        "    return dx"}, "tanh_backward: values", "np.empty reserves memory"),
    Planted("the target remembered", {LOSS: "float(np.mean((prediction - KEPT.setdefault("
        "target.shape, target)) ** 2))", "def tanh_forward": "KEPT = {}\n\n\ndef tanh_forward"},
        "mse_forward: odd inputs", "a call depends on the calls before it"),
    Planted("each picture's loss", {LOSS:
        "np.mean((prediction - target) ** 2, axis=tuple(range(1, prediction.ndim)))"},
        "mse_forward: shape", ""),
    Planted("the loss in a list", {LOSS: "[float(np.mean((prediction - target) ** 2))]"},
        "mse_forward: runs", "loss must be a number"),
    Planted("the loss of equal arrays", {LOSS: "np.sum((prediction - target) ** 4) / "
        "np.sum((prediction - target) ** 2) if prediction.size < 3 else np.mean((prediction - "
        "target) ** 2)"}, "mse_forward: odd inputs", "prediction and target are equal"),
    Planted("float64 always", {GRADIENT: f"({GRADIENT}).astype(float)"},
        "mse_backward: dtype", "float32 becomes float64"),
    Planted("a buffer for the gradient", {f"return {GRADIENT}": "d = KEPT.setdefault("
        "(target.shape, target.dtype), target.copy())\n    np.subtract(prediction, target, out=d)\n"
        "    d *= 2 / d.size\n    return d", "def tanh_forward": "KEPT = {}\n\n\n"
        "def tanh_forward"}, "mse_backward: memory", "every call writes to the same array"),
    Planted("1 from 4 on",
        {TANH: "np.where(np.abs(x) > 4, np.sign(x), np.tanh(x)).astype(x.dtype)"},
        "tanh_forward: odd inputs", ""),
    Planted("0 close to 0", {TANH: "np.where(np.abs(x) < 1e-3, 0, np.tanh(x)).astype(x.dtype)"},
        "tanh_forward: odd inputs", "close to 0"),
)  # fmt: skip
