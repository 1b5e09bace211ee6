"""Every public function of the book and the doors, and odd and wrong arguments for each.

`ROWS` has a good call of each function, and the kind of each of its arguments; `KINDS` has what
else may come in the place of such an argument. `test_arguments.py` makes all calls that follow from
the two, and the site shows both as tables (``docs/conf.py``).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from npespcn import evaluation, exchange, explorer, figures, runs
from npespcn.conv import col2im, conv2d_backward, conv2d_forward, conv2d_loop, im2col
from npespcn.data import (
    LeafStatistics,
    LeafStream,
    PairedPatches,
    dead_leaves,
    dead_leaves_pictures,
    load_pictures,
    validation_pairs,
)
from npespcn.enlarge import upscale
from npespcn.evaluation import psnr, ssim
from npespcn.exchange import pretrained
from npespcn.fast import accelerate, eight_views
from npespcn.figures import channel_formula
from npespcn.gradcheck import gradcheck
from npespcn.initializers import he, icnr, paper, xavier
from npespcn.layers import (
    Conv2d,
    ConvTranspose2d,
    PixelShuffle,
    PixelUnshuffle,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
)
from npespcn.losses import charbonnier, l1, log_mse, mse
from npespcn.models import ESPCN, SRCNN
from npespcn.optim import SGD, SOAP, Adam, cosine
from npespcn.pictures import (
    downscale,
    read_image,
    rgb_to_y,
    rgb_to_ycbcr,
    upscale_bicubic,
    write_image,
    ycbcr_to_rgb,
)
from npespcn.runs import Plateau, step_decay
from npespcn.shuffle import (
    channel_permutation,
    pixel_shuffle,
    pixel_shuffle_concat,
    pixel_shuffle_loop,
    pixel_shuffle_reshape,
    pixel_unshuffle,
)
from npespcn.training import center_crop

Cases = dict[str, Callable[[Any], Any]]  # in words: makes the case from a good value


@dataclass(frozen=True)
class Kind:
    """What an argument is, in words, and what else may come."""

    words: str
    same: Cases  # the result is as for an ordinary one
    odd: Cases  # at the doors an error; in the book an error, or the result of what it stands for
    wrong: Cases  # an error


# --- arrays ---------------------------------------------------------------------------------------


def far_apart(x: Any) -> Any:
    """Return x with kilobytes between its numbers; memory that is never touched costs nothing."""
    steps = [max(1, 4096 // x.itemsize) * x.itemsize]
    for side in x.shape[:0:-1]:
        steps.insert(0, steps[0] * max(1, side))
    memory = np.zeros(steps[0] * x.shape[0] // x.itemsize, x.dtype)
    view = np.lib.stride_tricks.as_strided(memory, x.shape, steps)
    view[...] = x
    return view


def overlapping(x: Any) -> Any:
    """Return a view of x's shape whose rows share memory, as sliding windows do."""
    steps = [0] * x.ndim
    steps[-2:] = [x.itemsize] * len(steps[-2:])
    return np.lib.stride_tricks.as_strided(x.ravel(), x.shape, steps, writeable=False)


def read_only(x: Any) -> Any:
    x = x.copy()
    x.flags.writeable = False
    return x


def turned(x: Any) -> Any:
    back = (slice(None, None, -1),) * x.ndim
    return x[back].copy()[back]


MEMORY: Cases = {
    "read-only": read_only,
    "in Fortran's order": np.asfortranarray,
    "of negative strides": turned,
    "of huge strides": far_apart,
    "overlapping itself": overlapping,
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
}
ODD: Cases = {
    "a list": lambda x: x.tolist(),
    "of objects": lambda x: x.astype(object),
    "complex": lambda x: x.astype(complex),
    "of booleans": lambda x: x.astype(bool),
}
NO_ARRAY: Cases = {"None": lambda x: None, "a word": lambda x: "image"}
WORDS: Cases = {"of words": lambda x: x.astype(str)}
EMPTY: Cases = {"empty": lambda x: x[:0]}
RANKS: Cases = {
    "with an axis less": lambda x: x[0],
    "with an axis more": lambda x: x[None],
    "without axes": lambda x: x.reshape(-1)[0:1].reshape(()),
}
ANY_DTYPE = {key: ODD[key] for key in ("of objects", "complex", "of booleans")} | WORDS
UNLIKE: Cases = {
    "of another size": lambda x: x[..., :-1],
    "that would broadcast": lambda x: x[:, :1, :1, :1],
}


def dtype(name: str) -> Callable[[Any], Any]:
    return lambda x: x.astype(name)


def arrays(words: str, same: Cases, wrong: Cases, odd: Cases = ODD) -> Kind:
    no_array = {key: make for key, make in NO_ARRAY.items() if key not in same}
    return Kind(words, MEMORY | same, odd, no_array | wrong)


IMAGE_ERRORS: Cases = NO_ARRAY | {
    "of float64": dtype("f8"),
    "of 16-bit numbers": dtype("u2"),
    "with two channels": lambda x: x[..., :2],
    "with one axis": lambda x: x.reshape(-1),
    "without axes": lambda x: np.uint8(3),
}

# --- numbers and words ----------------------------------------------------------------------------

NO_NUMBER: Cases = {
    "None": lambda x: None,
    "a word": lambda x: "2",
    "an array": lambda x: np.full((40, 40), 2.5),
    "1j": lambda x: 1j,
}
ODD_NUMBERS: Cases = {"True": lambda x: True, "a list": lambda x: [x]}


NOT_WHOLE: Cases = {"1.5": lambda x: 1.5, "NaN": lambda x: np.nan, "infinity": lambda x: np.inf}
NOT_FINITE: Cases = {"NaN": lambda x: np.nan, "infinity": lambda x: np.inf}
PLAIN: Cases = {"of NumPy's type": lambda x: np.float32(x)}


def whole(least: int, none: bool = False) -> Kind:
    wrong = NO_NUMBER | NOT_WHOLE | {"-1": lambda x: -1, str(least - 1): lambda x: least - 1}
    same: Cases = {"of 8 bits": np.int8}
    if none:
        same["None"] = wrong.pop("None")
    odd = ODD_NUMBERS | {"2.0": float}
    return Kind(f"a whole number from {least}" + ", or None" * none, same, odd, wrong)


def real(words: str, *outside: float) -> Kind:
    """Return the kind of numbers that a door checks: finite, and none of those `outside`."""
    wrong = {f"{value:g}": (lambda x, value=value: value) for value in outside}  # type: ignore[misc]
    return Kind(words, PLAIN, ODD_NUMBERS, NO_NUMBER | NOT_FINITE | wrong)


def things(words: str, same: Cases, wrong: Cases, odd: Cases | None = None) -> Kind:
    return Kind(words, same, odd or {}, wrong)


NO_WORD: Cases = {
    "another word": lambda x: "nonsense",
    "a number": lambda x: 7,
    "a list": lambda x: [x],
    "an array": lambda x: np.full((40, 40), 2.5),
}
NO_NAME: Cases = {"a name that no file can have": lambda x: "a\0b.png"}
NO_THING: Cases = {"None": lambda x: None, "a number": lambda x: 7}
A_CLASS: Cases = {"a class": type, "an array": lambda x: np.zeros(3)}
NO_FOLDER: Cases = {"without such a file or folder": lambda x: "/nowhere/at/all.png"}
A_FOLDER: Cases = {"a folder": lambda x: tempfile.gettempdir()}


def each(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that changes each entry of a dictionary or list."""
    return lambda x: (
        {key: change(value) for key, value in x.items()}
        if isinstance(x, dict)
        else [change(value) for value in x]
    )


KINDS = {
    # --- of the book ---
    "images": arrays("(N, C, H, W)", EMPTY | {"of half precision": dtype("f2")}, WORDS | RANKS),
    "channels": arrays(  # what a shuffle moves, it need not understand
        "(\\*, C, H, W) of any dtype",
        ANY_DTYPE | EMPTY,
        {"with too few axes": lambda x: x[0, 0], "indivisible": lambda x: x[..., 1:, 1:, 1:]},
        {"a list": lambda x: x.tolist()},
    ),
    "values": arrays("an array of numbers", EMPTY, WORDS),
    "gradient": arrays("like the output", {}, WORDS | RANKS | UNLIKE),
    "weight": arrays(
        "(O, C, k, k)",
        {},
        WORDS
        | RANKS
        | {"not square": lambda x: x[..., :-1], "of other channels": lambda x: x[:, :-1]},
    ),
    "bias": arrays(
        "(O,), or None", {"None": lambda x: None}, {"too short": lambda x: x[:1], "a word": str}
    ),
    "floats": arrays(
        "an array of floating-point numbers", {}, WORDS | UNLIKE | {"of whole numbers": dtype("i8")}
    ),
    "target": arrays(
        "an array like the prediction", {"of bytes": lambda x: x.astype("i1")}, UNLIKE
    ),
    "doubles": arrays(
        "an array of float64",
        {},
        WORDS | {"of float32": dtype("f4"), "of whole numbers": dtype(int)},
    ),
    "count": whole(1),
    "from 0": whole(0),
    "count?": whole(1, none=True),
    "size": whole(16),
    "number": things(
        "a number", PLAIN, {key: NO_NUMBER[key] for key in ("None", "a word")}, ODD_NUMBERS
    ),
    "padding": things(
        '"same", "valid", or a whole number from 0',
        {"of 8 bits": np.int8},
        NO_NUMBER | NOT_WHOLE | {"another word": lambda x: "full", "-1": lambda x: -1},
        {"True": lambda x: True, "a pair": lambda x: (1, 1)},
    ),
    "word": things("a word from a list", {}, NO_WORD),
    "dtype": things(
        "a floating-point dtype",
        {"a type": np.dtype, "NumPy's own": lambda x: getattr(np, x)},
        {
            "another word": lambda x: "nonsense",
            "of whole numbers": lambda x: int,
            "a number": lambda x: 7,
        },
    ),
    "shape": things(
        "four whole numbers",
        {"a list": list},
        NO_THING
        | {
            "three of them": lambda x: x[:3],
            "a negative one": lambda x: (*x[:3], -x[3]),
            "1.5 among them": lambda x: (*x[:3], 1.5),
            "a word": lambda x: "abcd",
        },
    ),
    "generator": things(
        "a numpy.random.Generator", {}, {"a seed": lambda x: 7, "a word": lambda x: "seed"}
    ),
    "layer": things("a layer", {}, NO_THING | A_CLASS),
    "betas": things(
        "two numbers",
        {"a list": list},
        {"one number": lambda x: 0.9, "three": lambda x: (*x, 0.9), "words": lambda x: ("a", "b")},
    ),
    "arrays": things(
        "an array for each parameter, by name",
        {"big-endian": each(dtype(">f8")), "lists": each(lambda x: x.tolist())},
        NO_THING
        | {
            "one less": lambda x: dict(list(x.items())[1:]),
            "one more": lambda x: x | {"conv9.weight": np.zeros(3)},
            "of another shape": each(lambda x: x[:0]),
            "complex": each(dtype("c8")),
            "of objects": each(dtype(object)),
            "NaN": each(lambda x: x * np.nan),
        },
    ),
    "widths": things(
        "whole numbers from 1", {"a list": list}, NO_THING | {"1.5": lambda x: [1.5, 2]}
    ),
    # --- of the doors ---
    "colors": arrays(
        "(..., 3), uint8 or floating",
        EMPTY,
        WORDS
        | {
            "of 16-bit numbers": dtype("u2"),
            "with four channels": lambda x: x[..., [0, 1, 2, 2]],
            "without axes": lambda x: np.uint8(3),
        },
        {key: make for key, make in ODD.items() if key != "a list"},
    ),
    "uint8": arrays("(H, W) or (H, W, 3), uint8", {}, WORDS | EMPTY | IMAGE_ERRORS),
    "measured": arrays(
        "(H, W) or (H, W, up to 4 channels), real and finite",
        {},
        WORDS
        | EMPTY
        | {
            "with NaN": lambda x: np.where(x > 250, np.nan, x),
            "of another shape": lambda x: x[:-1],
            "with five channels": lambda x: x[..., [0] * 5],
            "with one axis": lambda x: x.reshape(-1),
        },
        {key: ODD[key] for key in ("of objects", "complex")},
    ),
    "image": arrays(
        "a PIL image, a path, or an array (H, W) uint8 or uint16, or (H, W, 3 or 4) uint8",
        {},
        {
            key: make
            for key, make in (WORDS | EMPTY | RANKS | IMAGE_ERRORS | A_FOLDER | NO_NAME).items()
            if key not in ("without axes", "a word", "with an axis less")
        },
    ),
    "images8": things(
        "images (H, W) or (H, W, 3), uint8",
        {},
        {"None": lambda x: None, "none": lambda x: [], "of floats": each(dtype("f8"))}
        | {"with two channels": each(lambda x: x[..., :2]), "too small": each(lambda x: x[:1, :1])},
    ),
    "positive": real("a number above 0", 0, -1),
    "from zero": real("a number from 0", -1),
    "share": real("a number from 0 to 1", -0.5, 1.5),
    "fraction": real("a number from 0, below 1", -0.5, 1),
    "path": things(
        "a path", {"a Path": Path, "a string": str}, NO_THING | NO_FOLDER | A_FOLDER | NO_NAME
    ),
    "folder": things("a folder", {"a string": str}, NO_FOLDER | {"a file": lambda x: __file__}),
    "device": things('"cpu" or "gpu"', {}, NO_WORD | {"None": lambda x: None}),
    "network": things(
        "an ESPCN, or None",
        {"None": lambda x: None},
        A_CLASS
        | {"an SRCNN": lambda x: SRCNN(), "for two channels": lambda x: ESPCN(2, channels=2)},
    ),
    "milestones": things(
        "whole numbers from 0",
        {"a list": list},
        NO_THING | {"1.5": lambda x: [1.5], "-1": lambda x: [-1]},
    ),
    "box": things(
        "four whole numbers that lie in the image, or None",
        {"a list": list},
        {
            "three of them": lambda x: x[:3],
            "none of them": lambda x: (),
            "outside": lambda x: (0, 0, 1000, 2),
            "back to front": lambda x: (2, 0, 1, 1),
            "with nothing in it": lambda x: (1, 1, 1, 2),
            "1.5 among them": lambda x: (0, 0, 1.5, 2),
            "a number": lambda x: 7,
        },
    ),
    "function": things(
        "a function, or None", {}, {"a number": lambda x: 7, "a word": lambda x: "f"}
    ),
    "one or three": things(
        "1 or 3", {}, {"2": lambda x: 2, "0": lambda x: 0} | NO_NUMBER | NOT_WHOLE, ODD_NUMBERS
    ),
    "statistics": things(
        "a LeafStatistics, or None", {}, {"a number": lambda x: 7, "a dictionary": lambda x: {}}
    ),
}

# --- functions ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A good call."""

    name: str  # "conv.im2col": module of the book or wing, and what is in it
    function: Callable[..., Any]
    arguments: dict[str, tuple[str, Any]]  # kind and a good one
    but: dict[tuple[str, str], str]  # other outcomes, by argument and case; "": makes no sense

    @property
    def good(self) -> dict[str, Any]:
        return {name: value for name, (_, value) in self.arguments.items()}

    def cases(self) -> Iterator[tuple[str, str, Callable[[Any], Any], str]]:
        """Yield argument, case, its maker and its outcome: "same", "odd", "wrong"."""
        for argument, (kind, _) in self.arguments.items():
            for outcome in ("same", "odd", "wrong"):
                for words, make in getattr(KINDS[kind], outcome).items():
                    yield argument, words, make, self.but.get((argument, words), outcome)


def row(
    name: str, function: Callable[..., Any], but: Any = None, /, **arguments: tuple[str, Any]
) -> Row:
    return Row(name, function, arguments, but or {})


RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 4, 6, 6)).astype("f4")
WEIGHT, BIAS = RNG.normal(size=(3, 4, 3, 3)).astype("f4"), RNG.normal(size=3).astype("f4")
DY = RNG.normal(size=(2, 3, 4, 4)).astype("f4")  # of X under WEIGHT
LUMA = RNG.random((1, 1, 9, 10), np.float32)
RGB = RNG.integers(0, 256, (24, 16, 3), np.uint8)
FOLDER = tempfile.TemporaryDirectory(prefix="npespcn-")  # gone when Python ends
HERE = Path(FOLDER.name)
(HERE / "images").mkdir()
Image.fromarray(RGB).save(HERE / "images" / "image.png")
exchange.save(ESPCN(2, padding="edge"), HERE / "network.npz")


def seeded(function: Callable[..., Any], **more: Any) -> Callable[..., Any]:
    """Give each call a generator of its own, in the place of None."""

    def call(rng: Any = None, **given: Any) -> Any:
        rng = np.random.default_rng(0) if rng is None else rng
        return function(rng=rng, **given, **more)

    return call


def made(kind: Callable[..., Any], x: Any) -> Callable[..., Any]:
    """Make a layer, and call it: some errors come only then."""
    return lambda **given: kind(**given).forward(x)


def layer_rows(name: str, make: Callable[..., Any], kind: str, x: Any = X) -> list[Row]:
    """Return good calls of what every layer can do."""

    def backward(dy: Any) -> Any:
        layer = make()
        layer.forward(x)
        return layer.backward(dy), *layer.grads.values()

    dy = np.random.default_rng(1).normal(size=make().forward(x).shape).astype(x.dtype)
    gradient = "channels" if kind == "channels" else "gradient"
    return [
        row(f"{name}.forward", lambda x: make().forward(x), x=(kind, x)),
        row(f"{name}.predict", lambda x: make().predict(x), x=(kind, x)),
        row(f"{name}.backward", backward, dy=(gradient, dy)),
    ]


def stepped(kind: Callable[..., Any]) -> Callable[..., Any]:
    """Make an optimizer, take three steps, return the parameters."""

    def call(model: Any, **given: Any) -> Any:
        optimizer = kind(model, **given)
        before = {name: param.copy() for name, param in model.params.items()}
        for _ in range(3):
            model.grads = {name: np.cos(param) for name, param in model.params.items()}
            optimizer.step()
        after = [param.copy() for param in model.params.values()]
        for name, param in model.params.items():
            param[...] = before[name]
        return after

    return call


def weights(model: Any) -> Any:
    return [*model.params.values()]


def load(arrays: Any) -> Any:
    model = ESPCN(2)
    model.load_state_dict(arrays)
    return weights(model)


CONV: dict[str, Any] = {"stride": ("count", 1), "padding": ("padding", 0)}
SIZES: dict[str, Any] = {"in_channels": ("count", 4), "out_channels": ("count", 3)}
SIZES |= {"kernel_size": ("count", 3), "stride": ("count", 1), "rng": ("generator", None)}
SIZES |= {"dtype": ("dtype", "float32")}
ORDER, R = ("word", "DCR"), ("count", 2)
NETWORK: dict[str, Any] = {"channels": ("count", 1), "padding": ("word", "edge")}
NETWORK |= {"init": ("word", "he"), "seed": ("from 0", 0), "dtype": ("dtype", "float32")}
NETWORK |= {"widths": ("widths", (4, 3)), "kernels": ("widths", (3, 1, 3))}
LEAVES: dict[str, Any] = {"count": ("count", 1), "size": ("size", 16), "seed": ("from 0", 0)}
LEAVES |= {"statistics": ("statistics", None), "workers": ("count?", 1)}
LEAVES |= {"progress": ("function", None)}
BATCH: dict[str, Any] = {"rng": ("generator", None), "batch_size": R, "patch_size": ("count", 4)}
PAIRS: dict[str, Any] = {"scale": R, "channels": ("one or three", 1)}
LR, BETAS = ("number", 0.1), ("betas", (0.9, 0.9))
FILE = ("path", HERE / "images" / "image.png")

# fmt: off
ROWS = [
    # --- the book ---
    *(
        row(f"shuffle.{way.__name__}", way, x=("channels", X), upscale_factor=R)
        for way in (pixel_shuffle_loop, pixel_shuffle_reshape, pixel_shuffle_concat)
    ),
    row(
        "shuffle.pixel_shuffle", pixel_shuffle, x=("channels", X), upscale_factor=R,
        method=("word", "loop"), order=ORDER, layout=("word", "NCHW"),
    ),
    row(
        "shuffle.pixel_unshuffle", pixel_unshuffle, x=("channels", X), downscale_factor=R,
        order=ORDER, layout=("word", "NCHW"),
    ),
    row(
        "shuffle.channel_permutation", channel_permutation, {("upscale_factor", "0"): ""},
        channels=("from 0", 3), upscale_factor=R, order=ORDER,
    ),
    *(
        row(
            f"conv.{way.__name__}", way, x=("images", X), weight=("weight", WEIGHT),
            bias=("bias", BIAS), **CONV,
        )
        for way in (conv2d_loop, conv2d_forward)
    ),
    row(
        "conv.conv2d_backward", conv2d_backward, {("x", "empty"): "wrong"}, dy=("gradient", DY),
        x=("images", X), weight=("weight", WEIGHT), **CONV,
    ),
    row(
        "conv.im2col", im2col, {("x", "of words"): ""}, x=("images", X), kernel_size=("count", 3),
        **CONV,
    ),
    row(
        "conv.col2im", col2im,
        {("columns", "that would broadcast"): "", ("columns", "of words"): ""},
        columns=("gradient", im2col(X, 3)), shape=("shape", X.shape), kernel_size=("count", 3),
        **CONV,
    ),
    *(
        row(f"initializers.{draw.__name__}", seeded(draw), shape=("shape", (4, 2, 3, 3)))
        for draw in (xavier, he)
    ),
    row("initializers.paper", seeded(paper, shape=(4, 2, 3, 3)), rng=("generator", None)),
    row(
        "initializers.icnr", seeded(icnr), rng=("generator", None), shape=("shape", (4, 2, 3, 3)),
        upscale_factor=R, order=ORDER,
    ),
    row("layers.Conv2d", made(Conv2d, X), **SIZES, padding=("padding", 1)),
    row(
        "layers.ConvTranspose2d",
        made(ConvTranspose2d, X),
        {("out_channels", "0"): ""},  # no channels come out
        **SIZES,
        padding=("from 0", 1),
        output_padding=("from 0", 0),
    ),
    row("layers.PixelShuffle", made(PixelShuffle, X), upscale_factor=R, order=ORDER),
    row("layers.PixelUnshuffle", made(PixelUnshuffle, X), downscale_factor=R, order=ORDER),
    *layer_rows("layers.Conv2d", lambda: Conv2d(4, 3, 3), "images"),
    *layer_rows("layers.ConvTranspose2d", lambda: ConvTranspose2d(4, 3, 3), "images"),
    *layer_rows("layers.Tanh", Tanh, "values"),
    *layer_rows("layers.ReLU", ReLU, "values"),
    *layer_rows("layers.Sigmoid", Sigmoid, "values"),
    *layer_rows("layers.PixelShuffle", lambda: PixelShuffle(2), "channels"),
    *layer_rows("layers.PixelUnshuffle", lambda: PixelUnshuffle(2), "channels"),
    *layer_rows("layers.Sequential", lambda: Sequential(Conv2d(4, 3, 3), Tanh()), "images"),
    *layer_rows("models.ESPCN", lambda: ESPCN(2, padding="edge"), "images", LUMA),
    row("layers.Sequential.load_state_dict", load, arrays=("arrays", ESPCN(2).state_dict())),
    *(
        row(f"losses.{loss.__name__}", loss, prediction=("floats", X), target=("target", X[::-1]))
        for loss in (mse, l1, charbonnier, log_mse)
    ),
    row("optim.SGD", stepped(SGD), model=("layer", Conv2d(2, 4, 3)), lr=LR, momentum=LR),
    row(
        "optim.Adam", stepped(Adam), model=("layer", Conv2d(2, 4, 3)), lr=LR, betas=BETAS,
        epsilon=LR,
    ),
    row(
        "optim.SOAP", stepped(SOAP), model=("layer", Conv2d(2, 4, 3)), lr=LR, betas=BETAS,
        epsilon=LR,
    ),
    row("optim.cosine", lambda **given: cosine(**given)(3), steps=("number", 9), final=LR),
    row(
        "models.ESPCN",
        made(ESPCN, LUMA),
        {("seed", "None"): ""},  # NumPy draws one
        scale=R,
        activation=("word", "tanh"),
        output=("word", "tanh"),
        **NETWORK,
    ),
    row("models.SRCNN", made(SRCNN, LUMA), {("seed", "None"): ""}, **NETWORK),
    row(
        "training.center_crop", center_crop,
        {("image", "of words"): "", ("shape", "three of them"): ""},
        image=("values", X), shape=("shape", (2, 4, 3, 2)),
    ),
    row(
        "gradcheck.gradcheck", gradcheck,
        {("x", "big-endian"): "odd", ("epsilon", "of NumPy's type"): "odd"},
        layer=("layer", Tanh()), x=("doubles", X[:1, :1].astype("f8")), rng=("generator", None),
        epsilon=("number", 1e-5), tolerance=("number", 1e-5),
    ),
    # --- the doors ---
    row("pictures.rgb_to_ycbcr", rgb_to_ycbcr, rgb=("colors", RGB)),
    row("pictures.rgb_to_y", rgb_to_y, rgb=("colors", RGB)),
    row("pictures.ycbcr_to_rgb", ycbcr_to_rgb, ycbcr=("colors", RGB)),
    row("pictures.downscale", downscale, image=("uint8", RGB), scale=R),
    row(
        "pictures.upscale_bicubic", upscale_bicubic, image=("uint8", RGB), scale=R,
        box=("box", (1, 2, 9, 9)),
    ),
    row("pictures.read_image", read_image, path=FILE),
    row("pictures.write_image", write_image, path=("path", HERE / "new.png"), image=("uint8", RGB)),
    *(
        row(
            f"evaluation.{measure.__name__}", measure, a=("measured", RGB),
            b=("measured", RGB[::-1]), data_range=("positive", 255), border=("from 0", 2),
        )
        for measure in (psnr, ssim)
    ),
    row(
        "enlarge.upscale", upscale, image=("image", RGB), scale=("count?", 2),
        model=("network", ESPCN(2, padding="edge")), tile=("count?", 8),
        progress=("function", None),
    ),
    row(
        "exchange.pretrained", lambda **given: weights(pretrained(**given)), scale=R,
        weights=("word", "photographs"),
    ),
    row(
        "exchange.load", lambda **given: weights(exchange.load(**given)),
        path=("path", HERE / "network.npz"),
    ),
    row(
        "exchange.save", lambda **given: exchange.save(ESPCN(2), **given),
        path=("path", HERE / "new.npz"),
    ),
    row(
        "fast.accelerate", lambda **given: accelerate(**given).predict(X),
        network=("layer", Conv2d(4, 3, 3)),
    ),
    row(
        "fast.eight_views", lambda **given: eight_views(**given).predict(X),
        network=("layer", Conv2d(4, 3, 3)),
    ),
    row(
        "data.load_pictures", load_pictures, folder=("folder", HERE / "images"),
        smallest_side=("from 0", 1),
    ),
    row(
        "data.dead_leaves", seeded(dead_leaves), rng=("generator", None), size=("size", 16),
        statistics=("statistics", None),
    ),
    row(
        "data.dead_leaves_pictures", dead_leaves_pictures,
        **LEAVES | {"count": ("from 0", 1), "first": ("from 0", 0)},
    ),
    row(
        "data.LeafStatistics", LeafStatistics, polygons=("share", 0.5), strokes=("share", 0.1),
        contrast=("positive", 1.5), smallest_radius=("positive", 1.5),
    ),
    row(
        "data.PairedPatches",
        lambda **given: seeded(PairedPatches(**given).batch)(batch_size=1, patch_size=3),
        pictures=("images8", [RGB]), teacher=("network", None), **PAIRS,
    ),
    row("data.PairedPatches.batch", seeded(PairedPatches([RGB], 2).batch), **BATCH),
    row(
        "data.LeafStream",
        lambda **given: seeded(LeafStream(**given).batch)(batch_size=1, patch_size=3), **PAIRS,
        **LEAVES, every=("count", 1), teacher=("network", None),
    ),
    row(
        "data.LeafStream.batch",
        lambda **given: seeded(LeafStream(2, count=1, size=16).batch)(**given), **BATCH,
    ),
    row(
        "data.LeafStream.seek", lambda **given: LeafStream(2, count=1, size=16).seek(**given),
        step=("from 0", 3),
    ),
    row(
        "data.validation_pairs", validation_pairs, {("pictures", "none"): "same"},
        pictures=("images8", [RGB]), **PAIRS,
    ),
    row(
        "runs.step_decay", lambda **given: step_decay(**given)(4),
        milestones=("milestones", (3, 5)), factor=("positive", 0.1),
    ),
    row(
        "runs.Plateau", lambda **given: Plateau(**given).factor, factor=("positive", 0.5),
        patience=R, threshold=("fraction", 0.1), final=("from zero", 0.1),
    ),
    row("figures.channel_formula", channel_formula, order=("word", "DCR")),
    row(
        "explorer.page", explorer.page, upscale_factor=("word", 2), channels=("word", 3),
        order=("word", "DCR"),
    ),
]
# fmt: on

NOT_HERE = {
    "layers.Layer": "a base class",
    "optim.Optimizer": "a base class",
    "models.Network": "a base class",
    "training.train": "the loop over the others",
    "gradcheck.numerical_gradient": "a part of gradcheck",
    "data.natural_key": "a key to sort names by",
    "pictures.quantize": "the one rule for rounding to 8 or 16 bits",
    "fast.Accelerated": "what accelerate returns",
    "exchange.about": "tests/exchange",
    "exchange.read_npz": "of files alone: tests/exchange, tests/hostile",
    "exchange.write_onnx": "tests/exchange",
    "exchange.write_safetensors": "tests/exchange",
    "enlarge.upscale_video": "tests/enlarge",
    "explorer.write_page": "page, and tests/common for files",
    **dict.fromkeys(
        [f"evaluation.{name}" for name in evaluation.__all__ if name not in ("psnr", "ssim")],
        "tests/evaluation",
    ),
    **dict.fromkeys(
        [f"figures.{name}" for name in figures.__all__ if name != "channel_formula"],
        "tests/figures",
    ),
    **dict.fromkeys(
        [f"runs.{name}" for name in runs.__all__ if name not in ("step_decay", "Plateau")],
        "tests/runs",
    ),
}
"""Public names without a row, and why, or where bad arguments are tested."""


def tables() -> str:
    """Return both tables as Markdown: kinds with what happens, functions with their kinds."""
    words = "*Odd*: an error at the doors; in the book that, or the result of what it stands for."
    heads = {"same": "as an ordinary one", "odd": "odd", "wrong": "an error"}
    lines = [words, "", "| argument | what else may come |", "| --- | --- |"]
    for kind in KINDS.values():
        cells = [f"**{head}**: {', '.join(getattr(kind, key))}" for key, head in heads.items()]
        lines.append(f"| {kind.words} | {'; '.join(c for c in cells if not c.endswith(': '))} |")
    lines += ["", "| function | its arguments |", "| --- | --- |"]
    for entry in ROWS:
        arguments = [
            f"`{name}`: {KINDS[kind].words}" for name, (kind, _) in entry.arguments.items()
        ]
        arguments += [
            f"`{name}` {words}: {heads[outcome]}"
            for (name, words), outcome in entry.but.items()
            if outcome
        ]
        lines.append(f"| `{entry.name}` | {'; '.join(arguments)} |")
    return "\n".join(lines) + "\n"
