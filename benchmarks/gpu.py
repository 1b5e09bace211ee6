"""Time npespcn on a GPU beside PyTorch on the same GPU, by the device's own clock.

``make bench-gpu`` runs this. As in ``bench.py``, each side is a process of its own, and they take
turns, some runs in a row each. A turn is timed between two events on the device; the table shows
medians, and in brackets the quartiles. PyTorch runs in float32 as npespcn does, in two memory
formats, of which the better median counts. In a column of its own it may use TF32, its default for
convolutions: faster, with products of three digits.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import math
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import sides

from npespcn.fast.gpu import check_device, to_device, to_host

SIDES = ("npespcn", "torch", "torch channels_last", "torch tf32")
AIM, FRAMES = 1.5, 60  # times PyTorch's time at most; frames a second at 2160p at least
BURST = 0.05  # seconds of runs in a row, of which the mean counts as one
Clock = Callable[[sides.Task], float]


def main() -> None:
    """Measure, print and write; or exit with a line that says why there is no device."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer turns")
    parser.add_argument("--shrink", type=int, default=1, metavar="N",
        help="all sizes and batches N times smaller: to test that it runs")  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("runs/bench-gpu"), help="for the JSON")
    parser.add_argument("--serve", choices=SIDES, help=argparse.SUPPRESS)  # one side's process
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    try:
        check_device("gpu")
    except RuntimeError as error:
        sys.exit(f"bench-gpu: {error}")
    names = SIDES if torch_has_a_gpu() else SIDES[:1]
    if len(names) == 1:
        print("there is no PyTorch that finds a GPU: no ratios, only npespcn's own times\n")
    results: dict[str, Any] = {"versions": sides.versions() | about_the_device(), "sides": names}
    print(", ".join(f"{name} {value}" for name, value in results["versions"].items()), "\n")
    with contextlib.ExitStack() as stack:
        served = [stack.enter_context(sides.Side(name, 1, __file__)) for name in names]
        rows = [measure(served, *row, 2 if options.quick else 21) for row in work(options.shrink)]
    results["rows"] = rows
    print_times(rows)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "bench.json").write_text(json.dumps(results, indent=1) + "\n")
    print(f"\n{options.out}/bench.json")


def work(shrink: int) -> list[tuple[str, str, list[Any]]]:
    """Return the rows: a name, a kind, and a task in JSON."""
    (h, w), (small_h, small_w) = (
        [max(4, side // shrink) for side in size] for size in ((1080, 1920), (360, 640))
    )
    many, some, few = (max(1, count // shrink) for count in (256, 64, 16))
    rows: list[tuple[str, str, list[Any]]] = []
    for shape, r in (((1, 4, h, w), 2), ((1, 9, small_h, small_w), 3), ((few, 64, 64, 64), 2)):
        rows.append((f"shuffle {shape} r={r}", "shuffle", ["shuffle", shape, r, "gpu"]))
    for r, height, width in ((2, h, w), (3, small_h, small_w)):
        name = f"predict {height}×{width} to {height * r}×{width * r}"
        rows.append((name, "predict", ["predict", "tanh", height, width, r, "gpu"]))
        rows.append(("  from the host and back", "predict", ["carried", height, width, r]))
    for batch, size in ((some, 17), (many, 32)):
        rows.append((f"train {batch}×{size}²", "train", ["train", batch, size, "gpu"]))
    return rows


def torch_has_a_gpu() -> bool:
    """Whether PyTorch finds a device; asked in another process, because it occupies the device."""
    code = "import sys, torch; sys.exit(not torch.cuda.is_available())"
    command = [sys.executable, "-c", code]
    return sides.installed("torch") and subprocess.run(command, check=False).returncode == 0  # noqa: S603


def about_the_device() -> dict[str, str]:
    """Return the versions of CuPy, CUDA and the driver, and the device's name."""
    cupy = importlib.import_module("cupy")
    runtime = cupy.cuda.runtime
    if not hasattr(runtime, "getDeviceProperties"):
        return {"device": f"none ({cupy.__name__} in its place)", "clock": "of the host"}
    return {
        "CuPy": cupy.__version__,
        "CUDA": str(runtime.runtimeGetVersion()),
        "driver for CUDA": str(runtime.driverGetVersion()),
        "device": runtime.getDeviceProperties(runtime.getDevice())["name"].decode(),
        "clock": "of the device",
    }


# --- one side's process ---------------------------------------------------------------------------


def serve(side: str) -> None:
    """Time tasks on the device."""
    makers = {**sides.MAKERS, "carried": carried_task}
    if side == "npespcn":
        clock, memory = cupy_clock(importlib.import_module("cupy"))
    else:
        clock, memory = torch_clock(sides.torch, "tf32" in side)
    sides.serve(side, makers, clock, memory)


def cupy_clock(cupy: Any) -> tuple[Clock, Callable[[], float]]:
    """Return the device's clock and peak memory, or the host's where there is no device."""
    if not hasattr(cupy.cuda, "Event"):
        return sides.wall_clock, sides.peak_memory
    pool = cupy.get_default_memory_pool()
    clock = partial(device_clock, cupy.cuda.Event, cupy.cuda.get_elapsed_time)
    return clock, lambda: pool.total_bytes() / 1e6


def torch_clock(torch: Any, tf32: bool) -> tuple[Clock, Callable[[], float]]:
    """Return the device's clock and peak memory; let PyTorch choose its algorithms."""
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
    event = partial(torch.cuda.Event, enable_timing=True)
    clock = partial(device_clock, event, lambda start, end: start.elapsed_time(end))
    return clock, lambda: torch.cuda.max_memory_reserved() / 1e6


def device_clock(
    event: Callable[[], Any], milliseconds: Callable[[Any, Any], float], task: sides.Task
) -> float:
    """Return the mean milliseconds of a run, between events around a row of runs of `BURST`."""
    start, end, count = event(), event(), 1
    while True:
        start.record()
        for _ in range(count):
            task()
        end.record()
        end.synchronize()
        elapsed = milliseconds(start, end)
        if elapsed >= 1e3 * BURST:
            return elapsed / count
        count = math.ceil(count * min(10, 1.2e3 * BURST / max(elapsed, 1e-3)))


def carried_task(side: str, height: int, width: int, scale: int) -> sides.Task:
    """Bring a plane of luma to the device, enlarge it, and bring the result back."""
    x = np.random.default_rng(0).random((1, 1, height, width), np.float32)
    if side == "npespcn":
        model = sides.our_network("npespcn", "gpu", scale)
        return lambda: to_host(model.predict(to_device(x)))
    network, _ = sides.torch_twin(side, "tanh", x, scale, "gpu")
    tensor = sides.torch.tensor(x)

    def infer() -> Any:
        with sides.torch.inference_mode():
            return network(tensor.to(sides.TORCH_DEVICES["gpu"])).cpu()

    return infer


# --- the report -----------------------------------------------------------------------------------


def measure(
    served: list[sides.Side], name: str, kind: str, task: list[Any], turns: int
) -> dict[str, Any]:
    """Time one row on all sides in turn."""
    times = [sides.summary(own) for own in sides.alternate([(s, task) for s in served], turns)]
    row: dict[str, Any] = {"name": name, "kind": kind, "npespcn": times[0]}
    if len(times) > 1:
        row |= {"torch": min(times[1:3]), "torch tf32": times[3]}
        row["ratio"] = row["npespcn"][0] / row["torch"][0]
    if kind == "predict":
        row["frames"] = 1e3 / row["npespcn"][0]
    row["memory_mb"] = served[0].run(task)[1]  # the peak so far
    return row


def print_times(rows: list[dict[str, Any]]) -> None:
    """Print a table."""
    print(f"ms: median [quartiles]; aims: {AIM} × PyTorch's float32 time at most,")
    print(f"{FRAMES} frames a second from 1080 to 2160 rows at least")
    print(f"{'':44}{'npespcn':>26}{'PyTorch':>26}{'ratio':>7}{'TF32':>9}")
    for r in rows:
        ours, theirs = (
            "{:.3f} [{:.3f}, {:.3f}]".format(*r[side]) if side in r else "-"
            for side in ("npespcn", "torch")
        )
        ratio = f"{r['ratio']:.2f}" if "ratio" in r else "-"
        tf32 = f"{r['torch tf32'][0]:.3f}" if "torch tf32" in r else "-"
        frames = f"  {r['frames']:.1f} frames a second" if "frames" in r else ""
        print(f"{r['name']:44}{ours:>26}{theirs:>26}{ratio:>7}{tf32:>9}{frames}")
    print(f"npespcn took up to {max(r['memory_mb'] for r in rows):.0f} MB")


if __name__ == "__main__":
    main()
