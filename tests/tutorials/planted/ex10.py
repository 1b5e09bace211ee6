"""Mistakes for exercise 10. Where no cause is given, the numbers or the calls show it."""

from mistakes import Planted

T = "        self.t += 1\n"
M = "self.m[name] = beta1 * self.m[name] + (1 - beta1) * g\n"
V = "self.v[name] = beta2 * self.v[name] + (1 - beta2) * g * g"
MEAN = "m = self.m[name] / (1 - beta1**self.t)"
SQUARE = "v = self.v[name] / (1 - beta2**self.t)"
CHANGE = "p -= self.lr * m / (np.sqrt(v) + self.epsilon)"
AS = "the arrays in model.params are as they were"
DY = "2 * difference / y.size"
PLANTED = (
    Planted(
        "no bias correction",
        {MEAN: "m = self.m[name]", SQUARE: "v = self.v[name]"},
        "Adam: values",
        "the bias corrections are missing",
    ),
    Planted("m not corrected", {MEAN: "m = self.m[name]"}, "Adam: values", "m has no bias"),
    Planted("v not corrected", {SQUARE: "v = self.v[name]"}, "Adam: values", "v has no bias"),
    Planted(
        "the paper's short form",
        {SQUARE: "v = self.v[name]", "self.lr * m /": "self.lr * m * (1 - beta2**self.t)**0.5 /"},
        "Adam: values",
        "",
    ),
    Planted(
        "corrected m kept",
        {MEAN: f"m = self.m[name] = {MEAN[4:]}", SQUARE: f"v = self.v[name] = {SQUARE[4:]}"},
        "Adam: values",
        "the corrected m and v are kept",
    ),
    Planted(
        "epsilon inside the root",
        {"np.sqrt(v) + self.epsilon": "np.sqrt(v + self.epsilon)"},
        "Adam: values",
        "epsilon is inside the root",
    ),
    Planted("no epsilon", {" + self.epsilon)": ")"}, "Adam: values", "epsilon is missing"),
    Planted(
        "betas swapped",
        {"beta1, beta2 = self": "beta2, beta1 = self"},
        "Adam: values",
        "",
    ),
    Planted("v of grad", {V: V[:-4]}, "Adam: values", ""),
    Planted("t not counted", {T: "        self.t = 1\n"}, "Adam: values", "t is 1 in every step"),
    Planted("t from 0", {T: "", CHANGE: f"{CHANGE}\n{T}"}, "Adam: values", ""),
    Planted(
        "t counts parameters",
        {T: "", "g = grads[name]": f"g = grads[name]\n    {T}"},
        "Adam: values",
        "",
    ),
    Planted(
        "one m and v for all",
        {M: M.replace("name", "0"), V: V.replace("name", "0"), MEAN: MEAN.replace("name", "0")}
        | {SQUARE: SQUARE.replace("name", "0"), T: f"{T}        self.m.setdefault(0, 0.0)\n"
            "        self.v.setdefault(0, 0.0)\n"},
        "Adam: values",
        "",
    ),
    Planted("no root", {"np.sqrt(v)": "v"}, "Adam: values", ""),
    Planted("uphill", {"p -=": "p +="}, "Adam: values", "change has the wrong sign"),
    Planted(
        "another default",
        {"betas: tuple[float, float] = (0.9, 0.999)": "betas: tuple[float, float] = (0.9, 0.99)"},
        "Adam: odd inputs",
        "see the defaults in the starter",
    ),
    Planted("a new array", {CHANGE: CHANGE.replace("p -=", "p = p -")}, "Adam: values", AS),
    Planted(
        "betas not used",
        {"beta1, beta2 = self.betas": "beta1, beta2 = 0.9, 0.999"},
        "Adam: odd inputs",
        "wrong for betas=(0.5, 0.75)",
    ),
    Planted(
        "gradients by their place",
        {
            "for name, p in self.model.params.items()": "for (name, p), g in "
            "zip(self.model.params.items(), grads.values())",
            "g = grads[name]": "pass",
        },
        "Adam: odd inputs",
        "a gradient belongs to the parameter of its name",
    ),
    Planted(
        "state of the class",
        {"self.m = {": "Adam.m = {", "self.v = {": "Adam.v = {"},
        "Adam: odd inputs",
        "wrong where two take turns",
    ),
    Planted(
        "float64 always",
        {CHANGE: f"self.model.params[name] = p.astype(float) - {CHANGE[5:]}"},
        "Adam: values",
        "the arrays in model.params are as they were",
    ),
    Planted(
        "replaced",
        {CHANGE: f"self.model.params[name] = p - {CHANGE[5:]}"},
        "Adam: values",
        "the arrays in model.params are as they were",
    ),
    Planted(
        "gradients changed",
        {V: V.replace("g * g", "np.square(g, out=g)")},
        "Adam: arguments",
        "your function changes dw",
    ),
    Planted("no losses", {"    return losses": "    pass"}, "train: runs", "is a return missing?"),
    Planted(
        "one batch",
        {"    for _ in range(steps):\n        x, target = next_batch()": "    x, target = "
            "next_batch()\n    for _ in range(steps):"},
        "train: values",
        "",
    ),
    Planted(
        "step too early",
        {"        y = model": "        optimizer.step()\n        y = model"}
        | {"        optimizer.step()\n    return": "    return"},
        "train: values",
        "",
    ),
    Planted("no step", {"optimizer.step()": "pass"}, "train: values", ""),
    Planted(
        "gradients handed to step",
        {"optimizer.step()": "optimizer.step(model.grads)"},
        "train: values",
        "",
    ),
    Planted(
        "the gradients of before",
        {
            "        grads = self.model.grads\n": "",
            "        self.t = 0": "        self.t, self.grads = 0, model.grads",
            "g = grads[name]": "g = self.grads[name]",
        },
        "Adam: values",
        "",
    ),
    Planted("sum for mean", {DY: "2 * difference"}, "train: values", "gradient of the sum"),
    Planted("no 2", {DY: DY[4:]}, "train: values", "dy is 0.5 times as large"),
    Planted("wrong sign", {DY: f"-{DY}"}, "train: values", "dy has the wrong sign"),
    Planted("divided by N", {DY: DY.replace("y.size", "len(y)")}, "train: values", "of pictures"),
    Planted("sums", {"np.mean(": "np.sum("}, "train: values", "these are sums"),
    Planted(
        "float64 in dy",
        {DY: "2 * difference.astype(float) / y.size"},
        "train: dtype",
        "dy must keep the type",
    ),
    Planted(
        "y changed",
        {"difference = y - target": "y -= target\n        difference = y"},
        "train: arguments",
        "your function changes y",
    ),
    Planted(
        "never written",
        {"self.m = {name: np.zeros_like(p)": "self.m = {name: np.empty_like(p)"},
        "Adam: values",
        "np.empty reserves memory",
    ),
    Planted(
        "m remembered from one Adam to the next",
        {"        self.t = 0": "        self.m, self.t = KEPT.setdefault(tuple(self.m), self.m), 0",
         "class Adam:": "KEPT = {}\n\n\nclass Adam:"},
        "Adam: values",
        "a call depends on the calls before it",
    ),
    Planted(
        "a copy of the parameters",
        {"self.model, self.lr": "self.params = {k: p.copy() for k, p in model.params.items()}\n"
            "        self.model, self.lr",
         "in self.model.params.items()": "in self.params.items()"},
        "Adam: values",
        AS,
    ),
    Planted(
        "v the square of a mean",
        {V: V[:-4], SQUARE: f"v = ({SQUARE[4:]}) ** 2"},
        "Adam: values",
        "",
    ),
    Planted(
        "float16 on the way",
        {CHANGE: "p -= (self.lr * m / (np.sqrt(v) + self.epsilon)).astype(np.float16)"},
        "Adam: values",
        "is there a float16 on the way?",
    ),
    Planted(
        "sign of the gradient",
        {CHANGE: "p -= self.lr * np.sign(g)"},
        "Adam: values",
        "",
    ),
    Planted(
        "losses of all calls",
        {"    losses = []\n": "    losses = KEPT\n", "def train(": "KEPT = []\n\n\ndef train("},
        "train: shape",
        "a call depends on the calls before it",
    ),
    Planted(
        "losses as arrays",
        {"float(np.mean(difference**2))": "difference**2"},
        "train: runs",
        "",
    ),
    Planted(
        "dy of one number",
        {DY: "np.sum(2 * difference) / y.size"},
        "train: runs",
        "",
    ),
    Planted(
        "y.size of the first batch",
        {"    losses = []\n": "    losses, size = [], 0\n", DY: "2 * difference / size",
         "        difference = y - target": "        size = size or y.size\n"
            "        difference = y - target"},
        "train: odd inputs",
        "right where all batches are of one size",
    ),
    Planted(
        "backward before forward",
        {"        y = model": "        model.backward(0 * target)\n        y = model"},
        "train: shape",
        "",
    ),
    Planted(
        "at least one step",
        {"range(steps)": "range(max(steps, 1))"},
        "train: odd inputs",
        "wrong for steps=0",
    ),
    Planted(
        "target changed",
        {"difference = y - target": "target -= y\n        difference = -target"},
        "train: arguments",
        "your function changes target",
    ),
    Planted(
        "an endless draw",
        {"x, target = next_batch()": "for _ in range(9):\n            x, target = next_batch()"},
        "train: runs",
        "",
    ),
    Planted("the gradients cleared", {CHANGE: f"{CHANGE}\n        grads.clear()"},
        "Adam: runs", "so there is nothing to clear"),
    Planted("other gradients put there", {CHANGE: f"{CHANGE}\n        self.model.grads = {{}}"},
        "Adam: runs", "so there is nothing to clear"),
    Planted("a copy of what lies column by column",
        {CHANGE: "q = p.reshape(-1)\n            q -= self.lr * m.ravel() / (np.sqrt(v.ravel()) "
            "+ self.epsilon)"},
        "Adam: odd inputs", "neither a copy"),
    Planted("one dy for all steps",
        {f"model.backward({DY})": "dy = KEPT.setdefault((y.shape, y.dtype), y * 0)\n"
            f"        dy[...] = {DY}\n        model.backward(dy)",
            "def train(": "KEPT = {}\n\n\ndef train("},
        "train: values", "dy is one array"),
)  # fmt: skip
