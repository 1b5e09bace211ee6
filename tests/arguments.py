"""Every public function of the contract, and what becomes of arguments that mean no good.

`CALLS` has a good call of each function, and says of what kind each of its arguments is; the kinds
are in `argument_kinds`. The tests make all calls that follow from that (`test_arguments.py`), and
the site shows it (``docs/conf.py``).
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from argument_kinds import DONE, KINDS, Case
from PIL import Image

from npespcn import (
    backend,
    conv,
    data,
    gradcheck,
    images,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optim,
    shuffle,
    synthetic,
    upscaling,
)

MODULES = {
    module.__name__.removeprefix("npespcn."): module
    for module in (
        shuffle, conv, layers, models, losses, optim, initializers, gradcheck, images, metrics,
        backend, data, synthetic, upscaling,
    )
}  # fmt: skip

NOT_HERE = {
    "backend.array_module": "its arguments are what it asks about",
    "backend.strided_view": "a step of the convolutions",
    "backend.along_memory": "a step of the layers",
    "data.natural_key": "a key to sort names by",
    "layers.Layer": "a base class, which computes nothing",
    "layers.Sequential.params": "a property",
    "layers.Sequential.grads": "a property",
    "models.Network": "a base class; those that it is the base of check",
    "models.as_input": "a step of predict and fit",
    "models.cut": "a step of predict",
    "models.with_halo": "a step of predict",
    "models.read_npz": "of files alone: tests/test_bad_files.py",
    "models.read_words": "of files alone: tests/test_bad_files.py",
    "optim.Plateau.observe": "between fit and its schedule",
    "optim.Plateau.state_dict": "between fit and its checkpoints",
    "optim.Plateau.load_state_dict": "between fit and its checkpoints",
    **{f"optim.{name}.direction": "a part of step" for name in ("SGD", "Adam", "SOAP")},
    **{f"layers.{name}": "takes no arguments" for name in ("Tanh", "ReLU", "Sigmoid")},
    "optim.Optimizer": "a base class; those that it is the base of are here",
}
"""Public by their names, but no part of the contract, or no place for bad arguments; and why."""


@dataclass(frozen=True)
class Call:
    """A good call.

    Attributes
    ----------
    name : str
        Module and function, with the class in between if it is a method.
    good : callable
        Makes the arguments, by name.
    kinds : dict of str to str
        The kind of each argument, as `KINDS` has them. The others are not varied.
    bind : callable, optional
        Makes what is called, if that is a method.
    but : dict of (str, str) to str
        Other outcomes than the kind's, by argument and words of the case; "" for cases that make
        no sense there.
    """

    name: str
    good: Callable[[], dict[str, Any]]
    kinds: dict[str, str]
    bind: Callable[[], Callable[..., Any]] | None = None
    but: dict[tuple[str, str], str] = field(default_factory=dict)

    def function(self) -> Callable[..., Any]:
        """Return what is called."""
        if self.bind is not None:
            return self.bind()
        module, *path = self.name.split(".")
        found: Any = MODULES[module]
        for part in path:
            found = getattr(found, part)
        return found

    def cases(self) -> Iterator[tuple[str, Case, str]]:
        """Yield each argument with each case, and its outcome."""
        for argument, kind in self.kinds.items():
            for case in KINDS[kind].cases:
                outcome = self.but.get((argument, case.words), case.outcome)
                if outcome:
                    yield argument, case, outcome


_RNG = np.random.default_rng(0)
_X = _RNG.normal(size=(2, 4, 6, 5)).astype(np.float32)
_WEIGHT = _RNG.normal(size=(3, 4, 3, 3)).astype(np.float32)
_BIAS = _RNG.normal(size=3).astype(np.float32)
_DY = _RNG.normal(size=(2, 3, 4, 3)).astype(np.float32)  # of _X under _WEIGHT
_RGB = _RNG.integers(0, 256, (24, 16, 3), np.uint8)
_LUMA = _RNG.random((1, 1, 12, 11), np.float32)
_FOLDER = Path(tempfile.mkdtemp())
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)
(_FOLDER / "pictures").mkdir()
Image.fromarray(_RGB).save(_FOLDER / "pictures" / "picture.png")


def _network(**options: Any) -> models.ESPCN:
    return models.ESPCN(**{"scale": 2, "padding": "edge"} | options)


_network().save(_FOLDER / "network.npz")


def _layer(make: Callable[[], Any], x: Any, kind: str, gradient: str) -> Iterator[Call]:
    """Yield good calls of what every layer can do."""
    name = f"{type(make()).__module__.removeprefix('npespcn.')}.{type(make()).__name__}"
    dy = np.random.default_rng(1).normal(size=make().forward(x).shape).astype(x.dtype)

    def after_forward() -> Callable[..., Any]:
        layer = make()
        layer.forward(x)
        return layer.backward  # type: ignore[no-any-return]

    def params_after_forward() -> Callable[..., Any]:
        layer = make()
        layer.forward(x)
        return lambda dy: (layer.backward_params(dy), list(layer.grads.values()))[1]

    yield Call(f"{name}.forward", lambda: {"x": x.copy()}, {"x": kind}, lambda: make().forward)
    yield Call(f"{name}.predict", lambda: {"x": x.copy()}, {"x": kind}, lambda: make().predict)
    yield Call(f"{name}.backward", lambda: {"dy": dy.copy()}, {"dy": gradient}, after_forward)
    if make().params:
        yield Call(
            f"{name}.backward_params",
            lambda: {"dy": dy.copy()},
            {"dy": gradient},
            params_after_forward,
        )


_NO_CHECKS_OF_CHANNELS = {("weight", "other channels"): "ValueError"}
_OPTIONS = {
    "channels": "count", "padding": "word", "init": "word", "seed": "from 0", "dtype": "word"
}  # fmt: skip
_CONV = {"in_channels": "count", "out_channels": "count", "kernel_size": "count", "stride": "count"}


def _conv_options() -> dict[str, Any]:
    return {"in_channels": 4, "out_channels": 3, "kernel_size": 3, "stride": 1, "rng": None} | {
        "dtype": "float32"
    }


def _optimizer(name: str, more: dict[str, Any], kinds: dict[str, str]) -> Call:
    return Call(
        f"optim.{name}",
        lambda: {"model": _network(), "lr": 0.1, "lr_factors": {"conv3": 0.5}, **more},
        {"model": "layer", "lr": "positive", "lr_factors": "factors", **kinds},
    )


def _loading() -> Callable[..., Any]:
    model = _network()
    return lambda arrays: (model.load_state_dict(arrays), model.state_dict())[1]


def _stepped() -> optim.SGD:
    """Return an optimiser that has something to remember."""
    model = _network()
    model.grads = {name: np.ones_like(param) for name, param in model.params.items()}
    optimizer = optim.SGD(model, momentum=0.9)
    optimizer.step()
    return optimizer


def _leaves(**more: Any) -> dict[str, Any]:
    return {"count": 1, "size": 16, "seed": 0, "statistics": None, "workers": 1} | {
        "progress": None,
        **more,
    }


_LEAVES = {
    "count": "count", "size": "side", "seed": "from 0", "statistics": "statistics",
    "workers": "count?", "progress": "function",
}  # fmt: skip


def _batch() -> Callable[..., Any]:
    return data.PairedPatches([_RGB], 2).batch


_SHUFFLED = {"upscale_factor": "count"}
_ORDERED = {"order": "word"}

CALLS: list[Call] = [
    # --- shuffle ---
    *(
        Call(
            f"shuffle.{name}",
            lambda: {"x": _X.copy(), "upscale_factor": 2},
            {"x": "shuffled"} | _SHUFFLED,
        )
        for name in ("pixel_shuffle_loop", "pixel_shuffle_reshape", "pixel_shuffle_concat")
    ),
    Call(
        "shuffle.pixel_shuffle",
        lambda: {
            "x": _X.copy(),
            "upscale_factor": 2,
            "method": "loop",
            "order": "DCR",
            "layout": "NCHW",
        },
        {"x": "shuffled", "method": "word", "layout": "word"} | _SHUFFLED | _ORDERED,
    ),
    Call(
        "shuffle.pixel_unshuffle",
        lambda: {"x": _X[..., :4].copy(), "downscale_factor": 2, "order": "DCR", "layout": "NCHW"},
        {"x": "shuffled", "downscale_factor": "count", "layout": "word"} | _ORDERED,
    ),
    Call("shuffle.channel_formula", lambda: {"order": "CRD"}, _ORDERED),
    Call(
        "shuffle.channel_permutation",
        lambda: {"channels": 3, "upscale_factor": 2, "order": "DCR"},
        {"channels": "from 0"} | _SHUFFLED | _ORDERED,
    ),
    # --- conv ---
    *(
        Call(
            f"conv.{name}",
            lambda: {
                "x": _X.copy(),
                "weight": _WEIGHT.copy(),
                "bias": _BIAS.copy(),
                "stride": 1,
                "padding": 0,
            },
            {
                "x": "pictures",
                "weight": "weight",
                "bias": "bias",
                "stride": "count",
                "padding": "padding",
            },
        )
        for name in ("conv2d_loop", "conv2d_forward")
    ),
    Call(
        "conv.im2col",
        lambda: {"x": _X.copy(), "kernel_size": 3, "stride": 1, "padding": 0},
        {"x": "pictures", "kernel_size": "count", "stride": "count", "padding": "padding"},
    ),
    Call(
        "conv.col2im",
        lambda: {
            "columns": conv.im2col(_X, 3),
            "shape": (2, 4, 6, 5),
            "kernel_size": 3,
            "stride": 1,
            "padding": 0,
        },
        {
            "columns": "columns",
            "shape": "shape",
            "kernel_size": "count",
            "stride": "count",
            "padding": "padding",
        },
    ),
    Call(
        "conv.conv2d_backward",
        lambda: {
            "dy": _DY.copy(),
            "x": _X.copy(),
            "weight": _WEIGHT.copy(),
            "stride": 1,
            "padding": 0,
        },
        {
            "dy": "gradient",
            "x": "pictures",
            "weight": "weight",
            "stride": "count",
            "padding": "padding",
        },
        but={("x", "no images"): "ValueError"},
    ),
    Call(
        "conv.conv2d_bias_gradient",
        lambda: {"dy": _DY.copy()},
        {"dy": "pictures"},
        but={("dy", "no rows"): DONE},
    ),
    Call(
        "conv.conv2d_input_gradient",
        lambda: {
            "dy": _DY.copy(),
            "weight": _WEIGHT.copy(),
            "shape": (2, 4, 6, 5),
            "stride": 1,
            "padding": 0,
        },
        {
            "dy": "gradient",
            "weight": "weight",
            "shape": "shape",
            "stride": "count",
            "padding": "padding",
        },
    ),
    Call(
        "conv.conv2d_weight_gradient",
        lambda: {"dy": _DY.copy(), "x": _X.copy(), "kernel_size": 3, "stride": 1, "padding": 0},
        {
            "dy": "gradient",
            "x": "pictures",
            "kernel_size": "count",
            "stride": "count",
            "padding": "padding",
        },
        but={("x", "no images"): "ValueError", ("dy", "another size"): "ValueError"},
    ),
    # --- layers ---
    Call(
        "layers.Conv2d",
        lambda: {**_conv_options(), "padding": 0},
        {**_CONV, "padding": "padding", "rng": "generator", "dtype": "word"},
    ),
    Call(
        "layers.ConvTranspose2d",
        lambda: {**_conv_options(), "padding": 0, "output_padding": 0},
        {
            **_CONV,
            "padding": "from 0",
            "output_padding": "from 0",
            "rng": "generator",
            "dtype": "word",
        },
        but={("output_padding", "np.int8"): DONE},
    ),
    Call(
        "layers.PixelShuffle", lambda: {"upscale_factor": 2, "order": "CRD"}, _SHUFFLED | _ORDERED
    ),
    Call(
        "layers.PixelUnshuffle",
        lambda: {"downscale_factor": 2, "order": "CRD"},
        {"downscale_factor": "count"} | _ORDERED,
    ),
    Call("layers.Sequential", lambda: {"conv": layers.Conv2d(4, 3, 3)}, {"conv": "layer"}),
    *_layer(lambda: layers.Conv2d(4, 3, 3), _X, "pictures", "gradient"),
    *_layer(lambda: layers.ConvTranspose2d(4, 3, 3), _X, "pictures", "gradient"),
    *_layer(layers.Tanh, _X, "values", "gradient"),
    *_layer(layers.ReLU, _X, "values", "gradient"),
    *_layer(layers.Sigmoid, _X, "values", "gradient"),
    *_layer(lambda: layers.PixelShuffle(2), _X, "shuffled", "shuffled gradient"),
    *_layer(lambda: layers.PixelUnshuffle(2), _X[..., :4], "shuffled", "shuffled gradient"),
    *_layer(
        lambda: layers.Sequential(conv=layers.Conv2d(4, 3, 3), act=layers.Tanh()),
        _X,
        "pictures",
        "gradient",
    ),
    Call(
        "layers.Sequential.to", lambda: {"device": "cpu"}, {"device": "word"}, lambda: _network().to
    ),
    Call("layers.Sequential.state_dict", dict, {}, lambda: _network().state_dict),
    Call("layers.Sequential.replica", dict, {}, lambda: _network().replica),
    Call(
        "layers.Sequential.load_state_dict",
        lambda: {"arrays": _network().state_dict()},
        {"arrays": "arrays"},
        _loading,
    ),
    # --- models ---
    Call(
        "models.ESPCN",
        lambda: {
            "scale": 2,
            "channels": 1,
            "activation": "tanh",
            "output": None,
            "tail": False,
            "padding": "edge",
            "init": "xavier",
            "seed": 0,
            "dtype": "float32",
        },
        {"scale": "count", "activation": "word", "output": "word", "tail": "flag", **_OPTIONS},
    ),
    Call(
        "models.SRCNN",
        lambda: {"channels": 1, "padding": "edge", "init": "xavier", "seed": 0, "dtype": "float32"},
        _OPTIONS,
    ),
    Call("models.ESPCN.pretrained", lambda: {"scale": 2}, {"scale": "count"}),
    Call(
        "models.ESPCN.load",
        lambda: {"path": _FOLDER / "network.npz"},
        {"path": "path"},
        lambda: models.ESPCN.load,
    ),
    Call(
        "models.ESPCN.save",
        lambda: {"path": _FOLDER / "new.npz"},
        {"path": "path"},
        lambda: _network().save,
    ),
    Call(
        "models.ESPCN.predict",
        lambda: {"x": _LUMA.copy()},
        {"x": "pictures"},
        lambda: _network().predict,
    ),
    Call(
        "models.ESPCN.predict_tile",
        lambda: {"part": _LUMA.copy()},
        {"part": "pictures"},
        lambda: _network().predict_tile,
    ),
    Call(
        "models.ESPCN.subpixel_channels",
        lambda: {"x": _LUMA.copy()},
        {"x": "pictures"},
        lambda: _network().subpixel_channels,
    ),
    *_layer(lambda: _network(padding="same"), _LUMA, "pictures", "gradient"),
    # --- losses ---
    *(
        Call(
            f"losses.{name}",
            lambda more=more: {"prediction": _X.copy(), "target": _X[::-1].copy(), **more},  # type: ignore[misc]
            {"prediction": "floats", "target": "target"}
            | ({"epsilon": "from zero"} if more else {}),
            but={("target", "of booleans"): DONE},
        )
        for name, more in (
            ("mse", {}),
            ("l1", {}),
            ("charbonnier", {"epsilon": 0.1}),
            ("log_mse", {"epsilon": 0.1}),
        )
    ),
    # --- optim ---
    _optimizer("SGD", {"momentum": 0.5}, {"momentum": "fraction"}),
    _optimizer(
        "Adam", {"betas": (0.9, 0.9), "epsilon": 1e-8}, {"betas": "betas", "epsilon": "from zero"}
    ),
    _optimizer(
        "SOAP",
        {"betas": (0.9, 0.9), "epsilon": 1e-8, "refresh": 3, "covariance_beta": 0.9},
        {
            "betas": "betas",
            "epsilon": "from zero",
            "refresh": "count",
            "covariance_beta": "fraction",
        },
    ),
    Call(
        "optim.SGD.load_state_dict",
        lambda: {"arrays": _stepped().state_dict(), "steps": 3},
        {"arrays": "state", "steps": "from 0"},
        lambda: _stepped().load_state_dict,
    ),
    Call(
        "optim.cosine",
        lambda: {"steps": 10, "final": 0.1},
        {"steps": "count", "final": "from zero"},
    ),
    Call(
        "optim.step_decay",
        lambda: {"milestones": [3, 5], "factor": 0.1},
        {"milestones": "milestones", "factor": "positive"},
    ),
    Call(
        "optim.Plateau",
        lambda: {"factor": 0.5, "patience": 2, "threshold": 0.1, "final": 0.1},
        {"factor": "positive", "patience": "count", "threshold": "fraction", "final": "from zero"},
    ),
    # --- initializers, gradcheck ---
    *(
        Call(
            f"initializers.{name}",
            lambda: {"rng": np.random.default_rng(0), "shape": (4, 2, 3, 3)},
            {"rng": "generator", "shape": "shape"},
        )
        for name in ("xavier", "he", "paper")
    ),
    Call(
        "initializers.icnr",
        lambda: {
            "rng": np.random.default_rng(0),
            "shape": (4, 2, 3, 3),
            "upscale_factor": 2,
            "order": "CRD",
        },
        {"rng": "generator", "shape": "shape"} | _SHUFFLED | _ORDERED,
    ),
    Call(
        "gradcheck.gradcheck",
        lambda: {
            "layer": layers.Tanh(),
            "x": _X[:1, :1].astype(np.float64),
            "rng": None,
            "epsilon": 1e-5,
            "tolerance": 1e-6,
        },
        {
            "layer": "layer",
            "x": "doubles",
            "rng": "generator",
            "epsilon": "positive",
            "tolerance": "positive",
        },
        but={
            ("x", "big-endian"): "TypeError",
            ("rng", "NumPy's old generator"): "",
            ("epsilon", "np.float32"): "",
        },
    ),
    Call(
        "gradcheck.numerical_gradient",
        lambda: {
            "function": lambda: np.ones((2, 2)),
            "array": np.ones((2, 2)),
            "dy": np.ones((2, 2)),
            "epsilon": 1e-5,
        },
        {"function": "function!", "epsilon": "positive"},
    ),
    # --- pictures ---
    *(
        Call(
            f"images.{name}",
            lambda: {"path": _FOLDER / "pictures" / "picture.png"},
            {"path": "path"},
        )
        for name in ("open_image", "read_image")
    ),
    Call(
        "images.write_image",
        lambda: {"path": _FOLDER / "new.png", "picture": _RGB.copy()},
        {"path": "path", "picture": "uint8"},
        but={("path", "a folder"): "ValueError"},  # for it ends in no format's suffix
    ),
    *(
        Call(
            f"images.{name}",
            lambda name=name: {name[:3] if name[0] == "r" else "ycbcr": _RGB.copy()},
            {name[:3] if name[0] == "r" else "ycbcr": "colours"},
        )  # type: ignore[misc]
        for name in ("rgb_to_ycbcr", "rgb_to_y", "ycbcr_to_rgb")
    ),
    Call(
        "images.downscale",
        lambda: {"picture": _RGB.copy(), "scale": 2},
        {"picture": "uint8", "scale": "count"},
    ),
    Call(
        "images.upscale_bicubic",
        lambda: {"picture": _RGB.copy(), "scale": 2, "box": (1, 2, 9, 9)},
        {"picture": "uint8", "scale": "count", "box": "box"},
    ),
    *(
        Call(
            f"metrics.{name}",
            lambda: {"a": _RGB.copy(), "b": _RGB[::-1].copy(), "data_range": 255, "border": 2},
            {"a": "picture", "b": "picture", "data_range": "positive", "border": "from 0"},
        )
        for name in ("psnr", "ssim")
    ),
    Call(
        "upscaling.upscale",
        lambda: {"image": _RGB.copy(), "scale": 2, "model": None, "tile": 8, "progress": None},
        {"image": "image", "scale": "count?", "tile": "count?", "progress": "function"},
    ),
    Call(
        "upscaling.upscale",
        lambda: {"image": _RGB.copy(), "model": _network()},
        {"model": "network"},
    ),
    # --- backend ---
    Call("backend.device_of", lambda: {"x": _X.copy()}, {"x": "any"}),
    Call("backend.to_host", lambda: {"x": _X.copy()}, {"x": "any"}),
    Call(
        "backend.to_device",
        lambda: {"x": _X.copy(), "device": "cpu"},
        {"x": "any", "device": "word"},
    ),
    Call("backend.check_device", lambda: {"device": "cpu"}, {"device": "word"}),
    # --- training pictures ---
    Call(
        "data.load_pictures",
        lambda: {"folder": _FOLDER / "pictures", "smallest_side": 1},
        {"folder": "folder", "smallest_side": "from 0"},
    ),
    Call(
        "data.dead_leaves_pictures",
        lambda: _leaves(first=0),
        {**_LEAVES, "count": "from 0", "first": "from 0"},
    ),
    Call(
        "data.PairedPatches",
        lambda: {"pictures": [_RGB], "scale": 2, "channels": 1},
        {"pictures": "pictures8", "scale": "count", "channels": "one or three"},
    ),
    Call(
        "data.PairedPatches.batch",
        lambda: {"rng": np.random.default_rng(0), "batch_size": 2, "patch_size": 4},
        {"rng": "generator", "batch_size": "count", "patch_size": "count"},
        _batch,
    ),
    Call(
        "data.PairedPatches.seek",
        lambda: {"step": 3},
        {},
        lambda: data.PairedPatches([_RGB], 2).seek,
    ),
    Call(
        "data.LeafStream",
        lambda: {"scale": 2, "channels": 1, **_leaves(every=1)},
        {"scale": "count", "channels": "one or three", "every": "count", **_LEAVES},
    ),
    Call(
        "data.LeafStream.batch",
        lambda: {"rng": np.random.default_rng(0), "batch_size": 2, "patch_size": 4},
        {"rng": "generator", "batch_size": "count", "patch_size": "count"},
        lambda: data.LeafStream(2, count=1, size=16).batch,
    ),
    Call(
        "data.LeafStream.seek",
        lambda: {"step": 3},
        {"step": "from 0"},
        lambda: data.LeafStream(2, count=1, size=16).seek,
    ),
    Call(
        "data.validation_pairs",
        lambda: {"pictures": [_RGB], "scale": 2, "channels": 1},
        {"pictures": "pictures8", "scale": "count", "channels": "one or three"},
        but={("pictures", "none"): DONE},
    ),
    Call(
        "synthetic.dead_leaves",
        lambda: {"rng": np.random.default_rng(0), "size": 16, "statistics": None},
        {"rng": "generator!", "size": "side", "statistics": "statistics"},
    ),
    Call(
        "synthetic.LeafStatistics",
        lambda: {"polygons": 0.5, "strokes": 0.1, "contrast": 1.5, "smallest_radius": 1.5},
        {
            "polygons": "share0",
            "strokes": "share0",
            "contrast": "positive",
            "smallest_radius": "positive",
        },
    ),
]


def tables() -> str:
    """Return both tables as Markdown: kinds with what happens, functions with their kinds."""
    lines = ["| an argument that is | what else may come |", "| --- | --- |"]
    used = {kind for call in CALLS for kind in call.kinds.values()}
    for name, kind in KINDS.items():
        if name not in used:
            continue
        by_outcome: dict[str, list[str]] = {}
        for case in kind.cases:
            by_outcome.setdefault(case.outcome, []).append(case.words)
        cells = [f"**{outcome}**: {', '.join(words)}" for outcome, words in by_outcome.items()]
        lines.append(f"| {kind.words} | {'; '.join(cells)} |")
    lines += ["", "| function | its arguments |", "| --- | --- |"]
    for call in CALLS:
        arguments = [f"`{name}`: {KINDS[kind].words}" for name, kind in call.kinds.items()]
        arguments += [
            f"`{name}` {case}: {outcome}" for (name, case), outcome in call.but.items() if outcome
        ]
        if arguments:
            lines.append(f"| `{call.name}` | {'; '.join(arguments)} |")
    return "\n".join(lines) + "\n"
