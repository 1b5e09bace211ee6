"""Time npespcn beside PyTorch, on the same processor, in alternating runs.

``make bench`` runs this; ``make bench ARGS=--quick`` takes a minute. The network is
``accelerate(model)``; two rows show the plain book beside it. Each side is a process of its own
with the same number of threads. For every row the sides take turns, a few runs in a row each, so
that other load on the machine slows both, and threads of one side that wait awake do not occupy
the other side's processor. Training is timed on threads, and again on as many processes of one
thread each (``npespcn train --processes``). The table shows medians, and in brackets the fastest
and the slowest turn. PyTorch runs in its default memory format and in ``channels_last``, inference
under ``inference_mode``; the better median counts.

The limit is the processor's own matrix product: the time of as many multiplications as ``predict``
needs by the definition, at the rate of the best square product.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from npespcn import __version__
from npespcn.fast import accelerate
from npespcn.fast.gpu import move, to_device
from npespcn.figures import save
from npespcn.layers import PixelShuffle
from npespcn.losses import mse
from npespcn.models import ESPCN
from npespcn.optim import Adam
from npespcn.runs.pipes import on_ranks
from npespcn.runs.ranks import Averaged, Group, SingleProcess

if "--serve" in sys.argv and "torch" in sys.argv[-1]:  # only the other side's process needs it
    import torch
    from torch import nn

HAS_TORCH = importlib.util.find_spec("torch") is not None
SHUFFLES = [((1, 9, 360, 640), 3), ((16, 64, 64, 64), 2), ((1, 27, 360, 640), 3)]
BATCHES = [(16, 17), (64, 17), (128, 17), (16, 32), (16, 64)]
INPUTS = [(160, 180), (320, 360), (360, 640), (640, 720), (720, 1280), (1440, 2560)]
AIMS = {"shuffle": 0.4, "predict tanh": 0.8, "predict relu": 1.0, "train": 0.8}
PRODUCT = 1536  # the side of the square product
BURST = 0.02  # seconds of runs in a row, of which the mean counts as one
PAUSE = 0.01  # seconds after them, in which the threads that wait awake fall asleep
TORCH_DEVICES = {"cpu": "cpu", "gpu": "cuda"}
Task = Callable[[], Any]


def main() -> None:
    """Measure at each thread count, then print, write and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer runs, in less than a minute")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="default: 1 2")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="for JSON and PNG")
    parser.add_argument("--serve", choices=(*SIDES, RANKS), help=argparse.SUPPRESS)  # one side
    options = parser.parse_args()
    if options.serve == RANKS:
        count, os.environ["NPESPCN_THREADS"] = int(os.environ["NPESPCN_THREADS"]), "1"
        on_ranks(count, serve_on_ranks)
        return
    if options.serve:
        serve(options.serve)
        return
    if not HAS_TORCH:
        print("PyTorch is not installed: no ratios, only npespcn's own times\n")
    results: dict[str, Any] = {"versions": versions(), "rows": []}
    print(", ".join(f"{name} {value}" for name, value in results["versions"].items()), "\n")
    for threads in options.threads:
        rows = measure(threads, 2 if options.quick else 21)
        results["rows"] += [{"threads": threads, **row} for row in rows]
        print_times(threads, rows)
    threads = max(options.threads)
    sizes = INPUTS[:-1] if options.quick else INPUTS
    results["sizes"] = measure_sizes(sizes, threads, 2 if options.quick else 9)
    print_sizes(results["sizes"], threads)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "bench.json").write_text(json.dumps(results, indent=1) + "\n")
    if HAS_TORCH:
        draw(results["rows"], options.out / "bench.png")
    print(f"{options.out}/bench.json" + ("" if not HAS_TORCH else f", {options.out}/bench.png"))


def versions() -> dict[str, str]:
    """Return what the figures depend on."""
    found = {"npespcn": __version__, "Python": platform.python_version(), "NumPy": np.__version__}
    if HAS_TORCH:
        found["PyTorch"] = importlib.metadata.version("torch")
    return {**found, "cores": str(os.cpu_count())}


# --- what is timed: a side's process makes a task from its name and a few numbers -----------------


def shuffle_task(side: str, shape: list[int], r: int, device: str = "cpu") -> Task:
    """Shuffle."""
    x = np.random.default_rng(0).random(shape, np.float32)
    if side == "npespcn":
        layer, there = accelerate(PixelShuffle(r)), to_device(x, device)
        return lambda: layer.predict(there)
    tensor = torch.tensor(x, device=TORCH_DEVICES[device])
    return lambda: nn.functional.pixel_shuffle(tensor, r)


def copy_task(side: str, shape: list[int]) -> Task:
    """Copy an array of this shape."""
    return np.random.default_rng(0).random(shape, np.float32).copy


def product_task(side: str) -> Task:
    """Multiply two square matrices, on the side's number of BLAS threads."""
    x = np.random.default_rng(0).random((PRODUCT, PRODUCT), np.float32)
    product = np.empty_like(x)
    return lambda: np.matmul(x, x, out=product)


def our_network(device: str, plain: bool, scale: int = 3, activation: str = "tanh") -> Any:
    """Return ESPCN on a device: plain, as the book has it, or accelerated."""
    model = move(ESPCN(scale, activation=activation), device)
    return model if plain else accelerate(model, input_gradient=False)


def predict_task(
    side: str,
    activation: str,
    height: int,
    width: int,
    scale: int = 3,
    device: str = "cpu",
    plain: bool = False,
) -> Task:
    """Enlarge one plane of luma."""
    x = np.random.default_rng(0).random((1, 1, height, width), np.float32)
    if side == "npespcn":
        model, there = our_network(device, plain, scale, activation), to_device(x, device)
        return lambda: model.predict(there)
    network, tensor = torch_twin(side, activation, x, scale, device)

    def infer() -> Any:
        with torch.inference_mode():
            return network(tensor)

    return infer


def train_task(
    side: str,
    n: int,
    size: int,
    device: str = "cpu",
    plain: bool = False,
    group: Group | None = None,
) -> Task:
    """Take a training step: forward, mean squared error, backward, Adam."""
    group = group or SingleProcess()
    rng = np.random.default_rng(0)
    x = rng.random((n, 1, size, size), np.float32)
    target = rng.random((n, 1, 3 * size, 3 * size), np.float32)
    if side == "npespcn":
        model, mine = our_network(device, plain), group.share(n)
        there, aim = to_device(x[mine], device), to_device(target[mine], device)
        weight, optimizer = len(there) / n, Adam(model)
        if group.size > 1:
            optimizer = Averaged(optimizer, SimpleNamespace(group=group, weight=weight))

        def step() -> None:
            loss, dy = mse(model.forward(there), aim)
            model.backward(dy)
            group.agree(loss, weight)
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
    "copy": copy_task,
    "product": product_task,
    "predict": predict_task,
    "train": train_task,
}
SIDES = ("npespcn", "torch", "torch channels_last")
RANKS, PROCESSES = "npespcn ranks", " processes"
PLAIN = "the book, plain"


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
    if side != "npespcn":
        torch.set_num_threads(int(os.environ["NPESPCN_THREADS"]))
    tasks: dict[str, Task] = {}
    for line in sys.stdin:
        name, *numbers = json.loads(line)
        if line not in tasks:
            tasks = {line: makers[name](side, *numbers)}
        tasks[line]()  # to warm up
        print(json.dumps([clock(tasks[line]), memory()]), flush=True)


def serve_on_ranks(group: Any) -> None:
    """Time training on a process for each thread: rank 0 is asked, the others step along."""
    steps: dict[tuple[int, int], Task] = {}

    def step(batch: tuple[int, int] | None) -> bool:
        """Receive a batch from rank 0 and take a step; return False at the end."""
        batch = group.comm.bcast(batch)
        if batch and batch not in steps:
            steps[batch] = train_task("npespcn", *batch, group=group)
        if batch:
            steps[batch]()
        return batch is not None

    if group.rank == 0:
        serve("npespcn", {"train": lambda side, n, size: lambda: step((n, size))})
        step(None)
    else:
        while step(None):
            pass


class Side:
    """One side's process, which is asked for one run at a time."""

    def __init__(self, side: str, threads: int, script: str = __file__) -> None:
        count = str(threads)
        counts = {"NPESPCN_THREADS": count, "OMP_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count}
        self.process = subprocess.Popen(  # noqa: S603  # this script itself
            [sys.executable, script, "--serve", side],
            env={**os.environ, **counts},
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


def alternate(tasks: list[tuple[Side, list[Any]]], runs: int) -> list[list[float]]:
    """Run the tasks in turn; return for each its median, fastest and slowest time in ms."""
    times: list[list[float]] = [[] for _ in tasks]
    for _ in range(runs):
        for (side, task), own in zip(tasks, times, strict=True):
            own.append(side.run(task)[0])
    return [[float(f(own)) for f in (np.median, min, max)] for own in times]


def measure(threads: int, runs: int) -> list[dict[str, Any]]:
    """Time every row with `threads` threads on both sides."""
    with contextlib.ExitStack() as stack:
        names = SIDES if HAS_TORCH else SIDES[:1]
        ours, *theirs = (stack.enter_context(Side(name, threads)) for name in names)

        def row(
            name: str, kind: str, task: list[Any], beside: Sequence[Any] = (), ours: Side = ours
        ) -> dict[str, Any]:
            times = alternate([(side, task) for side in (ours, *theirs)], runs)
            result: dict[str, Any] = {"name": name, "kind": kind, "npespcn": times[0]}
            if theirs:
                result["torch"] = min(times[1:])
                result["ratio"] = times[0][0] / result["torch"][0]
            if beside:
                own, other = alternate([(ours, task), (ours, list(beside))], runs)
                result[f"over_{beside[0]}"] = own[0] / (
                    other[0] if beside[0] == "copy" else other[1]
                )
            return result

        rows = []
        for shape, r in SHUFFLES:
            name = f"shuffle {shape} r={r}"
            rows.append(row(name, "shuffle", ["shuffle", shape, r], ["copy", shape]))
        multiplications = 22_624 * 360 * 640  # ESPCN's weights at ×3, at every LR pixel
        for activation in ("tanh", "relu"):
            name = f"predict 360×640 to 1080×1920, {activation}"
            task = ["predict", activation, 360, 640]
            rows.append(row(name, f"predict {activation}", task, ["product"]))
            rows[-1]["over_product"] *= PRODUCT**3 / multiplications
        for n, size in BATCHES:
            rows.append(row(f"train {n}×{size}²", "train", ["train", n, size]))
        if threads == 1:  # a BLAS splits the book's many small products over its threads, badly
            predict, train = ["predict", "tanh", 360, 640, 3], ["train", 16, 32]
            for name, task in {"predict 360×640": predict, "train 16×32²": train}.items():
                rows.append(row(f"{name}, {PLAIN}", PLAIN, [*task, "cpu", True]))
        else:
            ranks = stack.enter_context(Side(RANKS, threads))
            for n, size in BATCHES:
                name = f"train {n}×{size}², {threads}{PROCESSES}"
                rows.append(row(name, "train", ["train", n, size], ours=ranks))
    return rows


def measure_sizes(sizes: list[tuple[int, int]], threads: int, runs: int) -> list[dict[str, float]]:
    """Measure `predict`'s time per output megapixel and its memory, from small images to large."""
    rows = []
    for height, width in sizes:
        with Side("npespcn", threads) as ours:
            _, interpreter = ours.run(["copy", [1]])
            task = ["predict", "tanh", height, width]
            ((median, *_),) = alternate([(ours, task)], runs)
            _, peak = ours.run(task)
        megapixels = 9 * height * width / 1e6
        images = 4 * (megapixels + megapixels / 9)  # float32, output and input
        rows.append(
            {
                "output_megapixels": megapixels,
                "ms_per_megapixel": median / megapixels,
                "memory_mb": peak - interpreter - images,
            }
        )
    return rows


# --- the report -----------------------------------------------------------------------------------


def print_times(threads: int, rows: list[dict[str, Any]]) -> None:
    """Print one thread count's table."""
    print(f"{threads} thread{'s' * (threads > 1)}, ms: median [fastest, slowest]")
    print(f"{'':40}{'npespcn':>24}{'PyTorch':>24}{'ratio':>7}{'aim':>5}  other")
    for r in rows:
        theirs = "{:.2f} [{:.2f}, {:.2f}]".format(*r["torch"]) if "torch" in r else "-"
        other = f"{r['over_copy']:.2f} × a copy (aim 3)" if "over_copy" in r else ""
        if "over_product" in r:
            other = f"{r['over_product']:.2f} × the best product (aim 1.5)"
        ours = "{:.2f} [{:.2f}, {:.2f}]".format(*r["npespcn"])
        ratio = f"{r['ratio']:.2f}" if "ratio" in r else "-"
        aim = AIMS.get(r["kind"], "-")
        print(f"{r['name']:40}{ours:>24}{theirs:>24}{ratio:>7}{aim:>5}  {other}")
    print()


def print_sizes(rows: list[dict[str, float]], threads: int) -> None:
    """Print how time and memory grow with the image."""
    print(f"predict, {threads} threads: output, time, peak memory above interpreter and images")
    for r in rows:
        print(
            f"{r['output_megapixels']:8.2f} megapixels {r['ms_per_megapixel']:8.1f} ms each "
            f"{r['memory_mb']:8.0f} MB"
        )
    print()


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw the ratios as bars, with PyTorch's time as the line at 1."""
    from matplotlib.figure import Figure

    series: dict[str, dict[str, float]] = {}
    rows = [r for r in rows if r["kind"] != PLAIN]
    for r in rows:
        name, processes, _ = r["name"].partition(f", {r['threads']}{PROCESSES}")
        label = f"{r['threads']} {'thread' if r['threads'] == 1 else 'threads'}"
        own = series.setdefault(f"{r['threads']} processes" if processes else label, {})
        own[name] = r["ratio"]
    names = list(dict.fromkeys(name for own in series.values() for name in own))
    figure = Figure(figsize=(10, 0.6 * len(names) + 1.4), layout="constrained", facecolor="white")
    axes = figure.subplots()
    height = 0.84 / len(series)
    colors = ["#08519c", "#9ecae1", "#d55e00", "#e6ab02"]
    white = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    for i, (label, own) in enumerate(series.items()):
        places = np.array([names.index(name) for name in own]) + i * height
        bars = axes.barh(places, own.values(), height, color=colors[i % 4], label=label)
        axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=9, bbox=white)
    axes.axvline(1, color="black", lw=1.5)
    axes.set_yticks(np.arange(len(names)) + height * (len(series) - 1) / 2, names)
    axes.invert_yaxis()
    axes.set(title="npespcn's time over PyTorch's on the same processor: less is better")
    axes.set_xlim(0, max(1.1, 1.1 * max(r["ratio"] for r in rows)))
    axes.legend()
    save(figure, path)


if __name__ == "__main__":
    main()
