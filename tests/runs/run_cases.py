"""Short trainings for the tests of this folder: of new networks, on new data, in many ways."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from helpers import assert_same_run

from npespcn.data import LeafStream, PairedPatches, dead_leaves_pictures, validation_pairs
from npespcn.losses import charbonnier, l1, log_mse, mse
from npespcn.models import ESPCN
from npespcn.optim import SGD, SOAP, Adam, cosine
from npespcn.runs import Group, Plateau, Scaled, center_biases, fit

ROOT = Path(__file__).parents[2]
SMALL = {"scale": 2, "padding": "edge", "seed": 1, "widths": (16, 8)}
STEPS = 23  # the last row of the history is not a full one
FEW = "--scale 2 --patch-size 10 --optimizer adam --schedule constant"
FILES = [".lock", "best.npz", "history.csv", "last.npz"]
LOSSES = {"mse": mse, "l1": l1, "charbonnier": charbonnier, "log_mse": log_mse}
OPTIMIZERS = {
    "SOAP": lambda model: SOAP(model, refresh=4),
    "scaled SOAP": lambda model: Scaled(SOAP(model, refresh=4), {"conv3": 0.5}),
    "Adam": Adam,
    "scaled Adam": lambda model: Scaled(Adam(model), {"conv3": 0.5}),
    "SGD": lambda model: SGD(model, momentum=0.9),
}
SCHEDULES = {
    "constant": lambda: None,
    "cosine": lambda: cosine(STEPS),
    "plateau": lambda: Plateau(patience=1, threshold=0.9),
}
pictures = functools.cache(dead_leaves_pictures)
module = sys.modules[fit.__module__]  # `npespcn.runs.fit` is the function


class Watched:
    """Data that calls `watch` with the step's number before each batch; for all else as `data`."""

    def __init__(self, data: Any, watch: Any = None) -> None:
        self.data, self.watch, self.step = data, watch, 0

    def __len__(self) -> int:
        return len(self.data)

    def batch(self, *how: Any) -> Any:
        self.step += 1
        if self.watch is not None:
            self.watch(self.step)
        return self.data.batch(*how)

    def seek(self, step: int) -> None:
        self.step = step
        self.data.seek(step)


class Trained(NamedTuple):
    weights: dict[str, Any]
    memory: dict[str, Any]
    """The optimizer's state, steps and rate."""
    history: dict[str, Any]


def train(
    out: Any = None,
    watch: Any = None,
    *,
    optimizer: Any = "Adam",
    schedule: Any = "constant",
    loss: Any = "mse",
    stream: bool = False,
    count: int = 2,
    model_options: Any = (),
    watched: Any = Watched,
    **options: Any,
) -> Trained:
    """Train a new network on new data."""
    model = ESPCN(**SMALL | dict(model_options))
    center_biases(model, 0.5)
    stepper = (OPTIMIZERS[optimizer] if isinstance(optimizer, str) else optimizer)(model)
    if stream:
        data: Any = LeafStream(2, count=count, every=3, size=40, seed=5)
    else:
        data = PairedPatches(pictures(count, 40), 2)
    how = {
        "steps": STEPS,
        "batch_size": 2,
        "patch_size": 10,
        "validation": held_out(),
        "validate_every": 10,
        "schedule": SCHEDULES[schedule]() if isinstance(schedule, str) else schedule,
        "loss": LOSSES[loss] if isinstance(loss, str) else loss,
        "seed": 3,
    }
    history = fit(model, watched(data, watch), stepper, out=out, **how | options)
    inner = getattr(stepper, "optimizer", stepper)
    memory = {f"{name}/{k}": x for name, entry in inner.state.items() for k, x in entry.items()}
    memory |= {"steps": np.array(inner.steps), "lr": np.array(inner.lr)}
    return Trained(model.state_dict(), memory, history)


SAME_STEPS = [
    *({"optimizer": "Adam", "loss": loss} for loss in LOSSES),
    {"optimizer": "Adam", "schedule": "plateau"},
    {"optimizer": "SGD", "schedule": "cosine", "stream": True},
    {"optimizer": "scaled Adam"},
]


def train_double(*how: Any, model_options: Any = (), **options: Any) -> Trained:
    """Train in float64, with a batch that cannot be divided by 2, nor by 3."""
    model_options = {"dtype": "float64"} | dict(model_options)
    return train(*how, model_options=model_options, **{"batch_size": 7} | options)


@functools.cache
def in_one_process(**options: Any) -> Trained:
    return train_double(**options)


def assert_same_steps(one: Trained, two: Trained) -> None:
    """Assert that two runs are the same but for rounding."""
    for a, b in zip(one, two, strict=True):
        assert a.keys() == b.keys()
        for name in set(a) - {"val_psnr"}:
            np.testing.assert_allclose(a[name], b[name], rtol=0, atol=1e-12, err_msg=name)
    # Rounded to 8 bits, a pixel in between may turn: that is 0.02 dB here.
    np.testing.assert_allclose(one.history["val_psnr"], two.history["val_psnr"], atol=0.05)


def train_all(group: Group, out: str, runs: dict[str, dict[str, Any]]) -> None:
    """Train in several ways, and write down what came of each."""
    for name, options in runs.items():
        trained = train_double(ranks=group, **options)
        arrays = {f"{i}/{k}": v for i, part in enumerate(trained) for k, v in part.items()}
        np.savez(Path(out, f"{name}-{group.rank}.npz"), **arrays)


def assert_trained_as_one(folder: Path, size: int, runs: dict[str, dict[str, Any]]) -> None:
    """Compare what `train_all` has written on each rank with a run in one process."""
    for name, options in runs.items():
        first, *others = (_read(folder / f"{name}-{rank}.npz") for rank in range(size))
        for other in others:
            assert_same_bits(first, other)
        if options.get("optimizer") != "SOAP":
            assert_same_steps(first, in_one_process(**options))


def _read(path: Path) -> Trained:
    with np.load(path) as arrays:
        parts: list[dict[str, Any]] = [{}, {}, {}]
        for key in arrays.files:
            i, name = key.split("/", 1)
            parts[int(i)][name] = arrays[key]
    return Trained(*parts)


def held_out(count: int = 2) -> list[Any]:
    return validation_pairs(pictures(count, 32, 99), 2)


def assert_same_bits(one: Trained, two: Trained) -> None:
    for a, b in zip(one, two, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def assert_same_files(one: Path, two: Path) -> None:
    assert_same_run(one, two)
    assert sorted(os.listdir(one)) == sorted(os.listdir(two)) == FILES


def same_weights(one: dict[str, Any], two: dict[str, Any]) -> bool:
    return one.keys() == two.keys() and all(np.array_equal(one[k], two[k]) for k in one)


def saved_step(out: Path) -> int:
    with np.load(out / "last.npz") as arrays:
        step: int = json.loads(str(arrays["progress"]))["step"]
    return step


def environment(**more: str) -> dict[str, str]:
    """Return one in which Python finds this checkout and these tests."""
    paths = map(str, (ROOT, ROOT / "tests", ROOT / "tests" / "runs"))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **more}


def start(*words: object) -> subprocess.Popen[str]:
    """Start Python with these words."""
    return subprocess.Popen(  # noqa: S603
        [sys.executable, *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
