"""The sides of a benchmark: each is a process that times its tasks, and they take turns.

A side is npespcn, the book without ``accelerate``, or a peer. A task has a name and a few numbers,
which the side's process makes into something to run. Each turn is a few runs in a row, so that
other load on the machine slows all sides alike.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from npespcn import __version__
from npespcn.exchange import write_onnx
from npespcn.fast import accelerate
from npespcn.fast.gpu import move, to_device
from npespcn.layers import PixelShuffle
from npespcn.losses import mse
from npespcn.models import ESPCN
from npespcn.optim import Adam

if "--serve" in sys.argv and "torch" in sys.argv[-1]:  # only PyTorch's own processes need it
    import torch
    from torch import nn

PACKAGES = ("torch", "onnxruntime", "onnx")
BURST = 0.02  # seconds of runs in a row, of which the mean counts as one turn
PAUSE = 0.03  # seconds after them, in which the threads that wait awake fall asleep
TORCH_DEVICES = {"cpu": "cpu", "gpu": "cuda"}
Task = Callable[[], Any]


def installed(package: str) -> bool:
    """Whether a package is there; nothing is imported."""
    return importlib.util.find_spec(package) is not None


def versions() -> dict[str, str]:
    """Return what the figures depend on."""
    found = {"npespcn": __version__, "Python": platform.python_version(), "NumPy": np.__version__}
    found |= {name: importlib.metadata.version(name) for name in PACKAGES if installed(name)}
    return {**found, "cores": str(os.cpu_count())}


# --- the tasks ------------------------------------------------------------------------------------


def shuffle_task(side: str, shape: list[int], r: int, device: str = "cpu") -> Task:
    """Shuffle."""
    x = np.random.default_rng(0).random(shape, np.float32)
    if side == "npespcn":
        layer, there = accelerate(PixelShuffle(r)), to_device(x, device)
        return lambda: layer.predict(there)
    tensor = torch.tensor(x, device=TORCH_DEVICES[device])
    return lambda: nn.functional.pixel_shuffle(tensor, r)


def predict_task(
    side: str, activation: str, height: int, width: int, scale: int = 3, device: str = "cpu"
) -> Task:
    """Enlarge one plane of luma."""
    x = np.random.default_rng(0).random((1, 1, height, width), np.float32)
    if side in ("npespcn", "the book"):
        model, there = our_network(side, device, scale, activation), to_device(x, device)
        return lambda: model.predict(there)
    if side == "onnxruntime":
        return onnx_task(ESPCN(scale, activation=activation), x)
    network, tensor = torch_twin(side, activation, x, scale, device)

    def infer() -> Any:
        with torch.inference_mode():
            return network(tensor)

    return infer


def onnx_task(model: ESPCN, x: Any) -> Task:
    """Enlarge `x` with ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ["NPESPCN_THREADS"])
    options.inter_op_num_threads = 1
    with tempfile.TemporaryDirectory() as folder:
        write_onnx(model, path := f"{folder}/espcn.onnx")
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    value = onnxruntime.OrtValue.ortvalue_from_numpy(x)
    return lambda: session.run_with_ort_values(None, {"x": value})


def train_task(side: str, n: int, size: int, device: str = "cpu") -> Task:
    """Take a training step: forward, mean squared error, backward, Adam."""
    rng = np.random.default_rng(0)
    x = rng.random((n, 1, size, size), np.float32)
    target = rng.random((n, 1, 3 * size, 3 * size), np.float32)
    if side in ("npespcn", "the book"):
        model, there, goal = (
            our_network(side, device),
            to_device(x, device),
            to_device(target, device),
        )
        optimizer = Adam(model)

        def step() -> None:
            _, dy = mse(model.forward(there), goal)
            model.backward(dy)
            optimizer.step()

        return step
    network, tensor = torch_twin(side, "tanh", x, 3, device)
    goal = torch.tensor(target, device=TORCH_DEVICES[device])
    optimizer = torch.optim.Adam(network.parameters())

    def torch_step() -> None:
        optimizer.zero_grad()
        nn.functional.mse_loss(network(tensor), goal).backward()
        optimizer.step()

    return torch_step


def pass_task(side: str, n: int, size: int, first: bool) -> Task:
    """Go forward and backward; if `first`, through a newly accelerated network each time."""
    rng = np.random.default_rng(0)
    x, dy = (rng.random((n, 1, s, s), np.float32) for s in (size, 3 * size))
    same = our_network(side, "cpu")

    def run() -> None:
        fast = accelerate(same.network, input_gradient=False) if first else same
        fast.forward(x)
        fast.backward(dy)

    return run


def copy_task(_: str, shape: list[int]) -> Task:
    """Copy an array of this shape."""
    return np.random.default_rng(0).random(shape, np.float32).copy


def product_task(_: str, size: int) -> Task:
    """Multiply two square matrices, on as many BLAS threads as the process has."""
    x = np.random.default_rng(0).random((size, size), np.float32)
    product = np.empty_like(x)
    return lambda: np.matmul(x, x, out=product)


def our_network(side: str, device: str, scale: int = 3, activation: str = "tanh") -> Any:
    """Return ESPCN on a device: plain, as the book has it, or accelerated."""
    model = move(ESPCN(scale, activation=activation), device)
    return model if side == "the book" else accelerate(model, input_gradient=False)


def torch_twin(side: str, activation: str, x: Any, scale: int, device: str) -> tuple[Any, Any]:
    """Return the same network and input in PyTorch, in the memory format that `side` names."""
    layout = torch.channels_last if side == "torch channels_last" else torch.contiguous_format
    between = {"tanh": nn.Tanh, "relu": nn.ReLU}[activation]
    network = nn.Sequential(
        nn.Conv2d(1, 64, 5, padding=2),
        between(),
        nn.Conv2d(64, 32, 3, padding=1),
        between(),
        nn.Conv2d(32, scale * scale, 3, padding=1),
        nn.PixelShuffle(scale),
    )
    device = TORCH_DEVICES[device]
    tensor = torch.tensor(x, device=device).to(memory_format=layout)
    return network.to(device, memory_format=layout), tensor


MAKERS: dict[str, Callable[..., Task]] = {
    "shuffle": shuffle_task,
    "predict": predict_task,
    "train": train_task,
    "pass": pass_task,
    "copy": copy_task,
    "product": product_task,
}


# --- the processes --------------------------------------------------------------------------------


def wall_clock(task: Task) -> float:
    """Return the mean milliseconds of a run, in a row of runs."""
    start, count = time.perf_counter(), 0
    while count == 0 or time.perf_counter() - start < BURST:
        task()
        count += 1
    return (time.perf_counter() - start) / count * 1e3


def peak_memory() -> float:
    """Return this process's peak memory in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3  # Linux: in KB


def serve(
    side: str,
    makers: dict[str, Callable[..., Task]] = MAKERS,
    clock: Callable[[Task], float] = wall_clock,
    memory: Callable[[], float] = peak_memory,
) -> None:
    """Time the tasks that come in on stdin, one line of JSON each; answer in milliseconds."""
    if "torch" in side:
        torch.set_num_threads(int(os.environ["NPESPCN_THREADS"]))
    tasks: dict[str, Task] = {}
    for line in sys.stdin:
        name, *numbers = json.loads(line)
        if line not in tasks:
            tasks = {line: makers[name](side, *numbers)}
        tasks[line]()  # to warm up
        print(json.dumps([clock(tasks[line]), memory()]), flush=True)


def environment(threads: int) -> dict[str, str]:
    """Return the environment of a process that uses `threads` threads."""
    names = ("NPESPCN_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {**os.environ, **dict.fromkeys(names, str(threads))}


class Side:
    """One side's process, which is asked for one turn at a time."""

    def __init__(self, side: str, threads: int, script: str = __file__) -> None:
        self.process = subprocess.Popen(  # noqa: S603  # a script of this folder
            [sys.executable, script, "--serve", side],
            env=environment(threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Side:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()  # the end of its input ends it

    def run(self, task: list[Any]) -> tuple[float, float]:
        """Return the time of a run in ms, and the process's peak memory in MB."""
        print(json.dumps(task), file=self.process.stdin, flush=True)
        elapsed, peak = json.loads(self.process.stdout.readline())
        time.sleep(PAUSE)
        return elapsed, peak


def alternate(tasks: list[tuple[Side, list[Any]]], turns: int) -> list[list[float]]:
    """Run the tasks in turn; return the times of each in ms, in ascending order."""
    times = [[side.run(task)[0] for side, task in tasks] for _ in range(turns)]
    return [sorted(own) for own in zip(*times, strict=True)]


def summary(times: list[float]) -> list[float]:
    """Return the median, the lower and the upper quartile."""
    return [float(q) for q in np.quantile(times, (0.5, 0.25, 0.75))]


if __name__ == "__main__":
    serve(sys.argv[-1])
