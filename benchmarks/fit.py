"""Time a training run as a whole beside PyTorch: the demo's network, from nothing to its end.

``make bench-fit`` runs this; ``make bench-fit ARGS=--quick`` takes a minute. npespcn runs
`npespcn.runs.fit` as ``tutorials/demo.py`` does, with SOAP, but saves nothing. PyTorch runs a plain
loop with the same first weights, batches, schedule and validation, and with SOAP as in its authors'
program (``torch_soap.py``). `fit` steps as if 0.5 were subtracted from all images; PyTorch's loop
subtracts it. The pictures are drawn before the clock starts. Each run is a process of its own, and
they follow one another.

``--lock`` measures how much the threads wait in a training step instead: their voluntary context
switches, and the share of their time in which they run on no core. They wait for the interpreter's
lock and for work, so both numbers are upper limits of what the lock costs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import sides

from npespcn.data import PairedPatches, dead_leaves_pictures, validation_pairs
from npespcn.evaluation import psnr
from npespcn.models import ESPCN
from npespcn.optim import SOAP, cosine
from npespcn.pictures import quantize
from npespcn.runs import center_biases, fit
from npespcn.training import center_crop

SCALE, RATE, MEAN = 3, 4e-3, 0.5
BATCH, PATCH, VALIDATE_EVERY = 16, 32, 250
UNSEEN = 8  # pictures for the validation
PARTS = ("batch", "network", "optimizer", "validation", "rest")
LOCK_BATCHES, LOCK_STEPS = [(16, 17), (16, 64)], 50
TASKS = Path("/proc/self/task")  # Linux: a folder for each thread


def main() -> None:
    """Draw the pictures, let each side train on them, then print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2400, help="training steps (default: 2400)")
    parser.add_argument("--pictures", type=int, default=200, help="to train on (default: 200)")
    parser.add_argument("--quick", action="store_true", help="200 steps on 24 pictures")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="default: 1 2")
    parser.add_argument("--lock", action="store_true", help="count the waits in a step (Linux)")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="for the JSON")
    parser.add_argument("--drawn", type=Path, help=argparse.SUPPRESS)  # the file of the pictures
    parser.add_argument("--serve", help=argparse.SUPPRESS)  # one side's process
    options = parser.parse_args()
    if options.serve == "waits":
        print(json.dumps(measure_waits()))
        return
    if options.serve:
        print(json.dumps(run(options.serve, options.steps, options.drawn)))
        return
    if options.lock and not TASKS.exists():
        parser.error("--lock needs Linux")
    if options.quick:
        options.steps, options.pictures = 200, 24
    versions = sides.versions()
    print(", ".join(f"{name} {value}" for name, value in versions.items()), "\n")
    results = compare_waits(options.threads) if options.lock else compare_runs(options)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / ("lock.json" if options.lock else "fit.json")
    path.write_text(json.dumps({"versions": versions, **results}, indent=1) + "\n")
    print(path)


def in_a_process(side: str, threads: int, *arguments: object) -> Any:
    """Return what a process of this script prints as JSON; it uses `threads` threads."""
    command = [sys.executable, __file__, *map(str, arguments), "--serve", side]
    done = subprocess.run(  # noqa: S603  # this script itself
        command, env=sides.environment(threads), stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


# --- a run ----------------------------------------------------------------------------------------


def compare_runs(options: argparse.Namespace) -> dict[str, Any]:
    """Let each side train, with each number of threads; print and return what it took."""
    names = ["npespcn", "torch channels_last"]  # PyTorch's faster format for these batches
    if not sides.installed("torch"):
        print("torch is not installed, so left out (.venv/bin/pip install -e '.[bench]')\n")
        names.pop()
    start, total = time.perf_counter(), options.pictures + UNSEEN
    pictures = dead_leaves_pictures(total, workers=None)
    drawing = time.perf_counter() - start
    print(f"drew {total} pictures in {drawing:.1f} s")
    print(f"{options.steps} steps of {BATCH} patches of {PATCH}×{PATCH}\n")
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "pictures.npy"
        np.save(drawn, pictures)
        for threads in options.threads:
            how = ("--steps", options.steps, "--drawn", drawn)
            found = {name: in_a_process(name, threads, *how) for name in names}
            print_runs(threads, found)
            runs.append({"threads": threads, **found})
    return {"steps": options.steps, "drawing_s": drawing, "runs": runs}


class Clock:
    """Adds the time since it was last read to one part of the run."""

    def __init__(self) -> None:
        self.seconds, self.last = dict.fromkeys(PARTS, 0.0), 0.0

    def start(self) -> None:
        """Start to count."""
        self.last = time.perf_counter()

    def end(self, part: str) -> None:
        """Count the time until now to `part`."""
        now = time.perf_counter()
        self.seconds[part] += now - self.last
        self.last = now

    def around(self, function: Callable[..., Any], before: str, own: str) -> Callable[..., Any]:
        """Return a function whose time counts to `own`, and the time until its call to `before`."""

        def timed(*arguments: Any) -> Any:
            self.end(before)
            result = function(*arguments)
            self.end(own)
            return result

        return timed


class TimedPairs(list[Any]):
    """Validation pairs: the time from the first to the end of the last counts to validation."""

    def __init__(self, pairs: list[Any], clock: Clock) -> None:
        super().__init__(pairs)
        self.clock = clock

    def __iter__(self) -> Iterator[Any]:
        self.clock.end("rest")
        yield from super().__iter__()
        self.clock.end("validation")


def run(side: str, steps: int, drawn: Path) -> dict[str, Any]:
    """Train, and return the seconds of each part and the PSNR at the end."""
    pictures = list(np.load(drawn))
    data = PairedPatches(pictures[:-UNSEEN], SCALE)
    pairs = validation_pairs(pictures[-UNSEEN:], SCALE)
    clock = Clock()
    data.batch = clock.around(data.batch, "rest", "batch")
    prepare = prepare_ours if side == "npespcn" else prepare_torch
    train = prepare(data, TimedPairs(pairs, clock), steps, clock)
    clock.start()
    score = train()
    clock.end("rest")
    return {"seconds": sum(clock.seconds.values()), "psnr": score, "parts": clock.seconds}


def prepare_ours(
    data: PairedPatches, pairs: TimedPairs, steps: int, clock: Clock
) -> Callable[[], float]:
    """Return the demo's training, which returns the PSNR at its end."""
    model = ESPCN(SCALE, padding="edge")
    center_biases(model, MEAN)
    optimizer = SOAP(model, lr=RATE)
    optimizer.step = clock.around(optimizer.step, "network", "optimizer")

    def train() -> float:
        history = fit(
            model,
            data,
            optimizer,
            steps=steps,
            batch_size=BATCH,
            patch_size=PATCH,
            schedule=cosine(steps),
            validation=pairs,
            validate_every=VALIDATE_EVERY,
            center=MEAN,
        )
        return history["val_psnr"][-1]

    return train


def prepare_torch(
    data: PairedPatches, pairs: TimedPairs, steps: int, clock: Clock
) -> Callable[[], float]:
    """Return the same training in PyTorch."""
    import torch_soap
    from sides import nn, torch

    torch.set_num_threads(int(os.environ["NPESPCN_THREADS"]))
    network = nn.Sequential(
        *(nn.Conv2d(1, 64, 5), nn.Tanh()),
        *(nn.Conv2d(64, 32, 3), nn.Tanh()),
        *(nn.Conv2d(32, SCALE**2, 3), nn.PixelShuffle(SCALE)),
    )
    with torch.no_grad():
        for param, value in zip(network.parameters(), ESPCN(SCALE).params.values(), strict=True):
            param.copy_(torch.from_numpy(value))
    network.to(memory_format=torch.channels_last)
    optimizer = torch_soap.SOAP(network.parameters(), lr=RATE)
    optimizer.step = clock.around(optimizer.step, "network", "optimizer")

    def train() -> float:
        rng, factor, score = np.random.default_rng(0), cosine(steps), float("nan")
        for step in range(steps):
            x, target = (torch.from_numpy(part) - MEAN for part in data.batch(rng, BATCH, PATCH))
            y = network(x)
            loss = nn.functional.mse_loss(y, center_crop(target, y.shape))
            optimizer.zero_grad()
            loss.backward()
            optimizer.param_groups[0]["lr"] = RATE * factor(step)
            optimizer.step()
            if (step + 1) % VALIDATE_EVERY == 0 or step + 1 == steps:
                score = torch_score(network, pairs)
        return score

    return train


def torch_score(network: Any, pairs: TimedPairs) -> float:
    """Return the mean PSNR in dB on whole images, as `npespcn.evaluation.validate` measures it."""
    from sides import nn, torch

    scores, halo = [], ESPCN(SCALE).halo
    with torch.inference_mode():
        for lr, hr in pairs:
            x = nn.functional.pad(torch.from_numpy(lr) - MEAN, [halo] * 4, mode="replicate")
            y = network(x).numpy() + MEAN
            images = (quantize(255 * image[0, 0]) for image in (y, hr))
            scores.append(psnr(*images, border=SCALE))
    return float(np.mean(scores))


def print_runs(threads: int, found: dict[str, dict[str, Any]]) -> None:
    """Print one thread count's table, a column for each side."""
    print(f"{threads} thread{'s' * (threads > 1)}".ljust(16), *(f"{name:>20}" for name in found))
    rows = {"whole run": [each["seconds"] for each in found.values()]}
    rows |= {f"  {p}": [each["parts"][p] for each in found.values()] for p in PARTS}
    for name, seconds in rows.items():
        print(f"{name:16}", *(f"{s:18.2f} s" for s in seconds))
    print(f"{'PSNR':16}", *(f"{each['psnr']:17.2f} dB" for each in found.values()))
    whole, *theirs = rows["whole run"]
    print("".join(f"npespcn took {whole / other:.2f} of PyTorch's time\n" for other in theirs))


# --- the waits ------------------------------------------------------------------------------------


def compare_waits(counts: list[int]) -> dict[str, Any]:
    """Measure the waits with each number of threads; print and return them."""
    rows = [row for threads in counts for row in in_a_process("waits", threads)]
    print("training step   threads      time   waits   share of the threads' time off the cores")
    for r in rows:
        name = f"{r['n']}×{r['size']}²"
        print(f"{name:16}{r['threads']:7}{r['ms']:7.2f} ms{r['waits']:8.1f}{r['idle']:10.2f}")
    return {"waits": rows}


def measure_waits() -> list[dict[str, float]]:
    """Take training steps; return for each batch the waits in a step, of all threads together."""
    rows, threads = [], int(os.environ["NPESPCN_THREADS"])
    for n, size in LOCK_BATCHES:
        step = sides.train_task("npespcn", n, size)
        step()
        waits, start, used = count_switches(), time.perf_counter(), time.process_time()
        for _ in range(LOCK_STEPS):
            step()
        waits, took = count_switches() - waits, time.perf_counter() - start
        used = time.process_time() - used
        row = {"threads": threads, "n": n, "size": size, "ms": 1e3 * took / LOCK_STEPS}
        rows.append(row | {"waits": waits / LOCK_STEPS, "idle": 1 - used / (threads * took)})
    return rows


def count_switches() -> int:
    """Return how often the threads of this process have given up their core so far, to wait."""
    texts = [(task / "status").read_text() for task in TASKS.iterdir()]
    return sum(int(re.findall(r"^voluntary_ctxt_switches:\s+(\d+)", t, re.M)[0]) for t in texts)


if __name__ == "__main__":
    main()
