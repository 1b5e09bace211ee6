"""Networks that others have published: loaded, run, trained a step, saved, exported."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exchange_cases import FOUR, assert_same_network, image, in_onnxruntime, require
from helpers import relative_error

from npespcn.common import Array
from npespcn.exchange import load, save, write_onnx, write_safetensors
from npespcn.losses import mse
from npespcn.models import ESPCN, SRCNN
from npespcn.optim import Adam
from npespcn.shuffle import channel_permutation, pixel_shuffle

PAGE = Path(__file__).parents[2] / "docs" / "weights.md"
ACTIVATIONS: dict[Any, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    None: lambda x: x,
}

# Convolutions, activation and output, as their programs have them. How to make the network here,
# and what their convolutions are called, is in the table of docs/weights.md.
PUBLISHED: dict[str, tuple[Sequence[int], Sequence[int], str, str | None]] = {
    "yjn870/ESPCN-pytorch": ((64, 32), (5, 3, 3), "tanh", None),
    "Lornatang/ESPCN-PyTorch": ((32, 16), (5, 3, 3), "tanh", None),
    "leftthomas/ESPCN": ((64, 32), (5, 3, 3), "tanh", "sigmoid"),
    "leftthomas/ESPCN, before November 2019": ((64, 64, 32), (5, 3, 3, 3), "tanh", "sigmoid"),
    "pytorch/examples": ((64, 64, 32), (5, 3, 3, 3), "relu", None),
    "keras.io": ((64, 64, 32), (5, 3, 3, 3), "relu", "relu"),
    "SRCNN 9-1-5": ((64, 32), (9, 1, 5), "relu", None),
    "SRCNN 9-5-5": ((64, 32), (9, 5, 5), "relu", None),
}


def in_the_table(name: str) -> tuple[str, list[str]]:
    """Return the constructor of a network, and the names of its convolutions, from the page."""
    rows = re.findall(
        r"^\| (.*) \| `((?:ESPCN|SRCNN)\(.*)` \| (.*) \|$", PAGE.read_text("utf-8"), re.M
    )
    assert len(rows) == len(PUBLISHED)
    plain = {re.sub(r"\[(.*?)\]\(.*?\)", r"\1", title): row for title, *row in rows}
    title = next(title for title in sorted(plain, key=len) if title.startswith(name))
    constructor, names = plain[title]
    return constructor, re.findall("`(.*?)`", names) or [f"conv{i}" for i in (1, 2, 3, 4)]


def convolve_nhwc(x: Array, kernel: Array) -> Array:
    """Convolve as TensorFlow does: (N, H, W, I), with zeros around it, by (k, k, I, O)."""
    k = len(kernel)
    (_, h, w, _), around = x.shape, (k // 2, k // 2)
    x = np.pad(x, ((0, 0), around, around, (0, 0)))
    return sum(x[:, i : i + h, j : j + w] @ kernel[i, j] for i in range(k) for j in range(k))


def as_published(
    x: Array,
    kernels: Sequence[Array],
    biases: Sequence[Array],
    activation: str,
    output: Any,
    r: int,
) -> Array:
    """Run the network as TensorFlow would: HWIO kernels, NHWC images, shuffle in DCR order.

    Keras applies the last activation before the shuffle; that is the same as after it.
    """
    x = x.transpose(0, 2, 3, 1).astype("f8")
    for i, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        last = i == len(kernels) - 1
        x = ACTIVATIONS[output if last else activation](convolve_nhwc(x, kernel) + bias)
    return pixel_shuffle(x, r, order="DCR", layout="NHWC").transpose(0, 3, 1, 2)


def in_torch(state: dict[str, Array], names: Sequence[str], x: Array, *rest: Any) -> Array:
    """Run the network live in PyTorch, with modules of their names."""
    torch: Any = importlib.import_module("torch")
    (activation, output, r), module = rest, torch.nn.Module()
    for name in names:
        *folders, leaf = name.split(".")
        parent = module
        for folder in folders:
            if folder not in dict(parent.named_children()):
                parent.add_module(folder, torch.nn.Module())
            parent = getattr(parent, folder)
        o, i, k, _ = state[f"{name}.weight"].shape
        parent.add_module(leaf, torch.nn.Conv2d(i, o, k, padding=k // 2))
    module.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    y = torch.from_numpy(x)
    for name in names:
        final = name == names[-1]
        function = output if final else activation
        y = module.get_submodule(name)(y)
        y = torch.nn.functional.pixel_shuffle(y, r) if final else y
        y = getattr(torch, function)(y) if function else y
    return y.detach().numpy()


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("channels", [1, 3])  # in one channel a wrong order hides
def test_a_published_network_does_here_what_it_does_there(
    tmp_path: Path, name: str, channels: int
) -> None:
    widths, kernel_sizes, activation, output = PUBLISHED[name]
    constructor, names = in_the_table(name)
    makers = {kind.__name__: partial(kind, channels=channels) for kind in (ESPCN, SRCNN)}
    model = eval(constructor, {**makers, "four": FOUR})  # noqa: S307  # from our own page
    r, rng = model.scale, np.random.default_rng(3)
    sizes = (channels, *widths, channels * r * r)
    shapes = [(k, k, i, o) for i, o, k in zip(sizes, sizes[1:], kernel_sizes, strict=False)]
    kernels = [rng.normal(0, 0.7 / np.sqrt(np.prod(s[:3])), s).astype("f4") for s in shapes]
    biases = [rng.normal(0, 0.1, s[3]).astype("f4") for s in shapes]

    # From TensorFlow's layout to PyTorch's: what the page says about Keras.
    weights = [kernel.transpose(3, 2, 0, 1) for kernel in kernels]
    p = channel_permutation(channels, r, "DCR")
    weights[-1], last_bias = weights[-1][p], biases[-1][p]
    names = names[: len(weights)]
    state = {f"{name}.weight": weight for name, weight in zip(names, weights, strict=True)}
    state |= dict(zip((f"{name}.bias" for name in names), [*biases[:-1], last_bias], strict=True))

    model.load_state_dict({
        f"conv{i}.{kind}": state[f"{name}.{kind}"]
        for i, name in enumerate(names, 1) for kind in ("weight", "bias")
    })  # fmt: skip
    x = image(model, (2, 7, 11))
    y = model.predict(x)
    assert np.ptp(y) > 0.05
    assert relative_error(y, as_published(x, kernels, biases, activation, output, r)) < 1e-5
    assert relative_error(y, model.forward(x)) < 1e-5

    save(model, tmp_path / "a.npz")
    assert_same_network(load(tmp_path / "a.npz"), model)
    require("safetensors")
    write_safetensors(model, tmp_path / "a.safetensors")
    assert_same_network(load(tmp_path / "a.safetensors"), model)
    require("onnxruntime")
    for order in ("CRD", "DCR"):
        write_onnx(model, tmp_path / "a.onnx", order)
        assert relative_error(in_onnxruntime(tmp_path / "a.onnx")(x), y) < 1e-5

    target = np.full_like(y, 0.4)
    optimizer, losses = Adam(model, lr=1e-4), []
    for _ in range(3):
        loss, dy = mse(model.forward(x), target)
        losses.append(loss)
        model.backward(dy)
        optimizer.step()
    assert losses[2] < losses[1] < losses[0]

    if os.environ.get("NPESPCN_REQUIRE_TORCH") == "1" or importlib.util.find_spec("torch"):
        assert relative_error(in_torch(state, names, x, activation, output, r), y) < 1e-5
