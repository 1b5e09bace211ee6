"""The figures of ``docs/performance.md``: the same work in each of the steps that lead to ours.

``make bench-steps`` runs this. One thread; the ways take turns, and the median counts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest import mock

import numpy as np

from npespcn import conv, shuffle
from npespcn.fast import rows as rowconv
from npespcn.fast import winograd
from npespcn.fast.threads import one_blas_thread
from npespcn.models import ESPCN
from npespcn.shuffle import pixel_shuffle, pixel_shuffle_concat, pixel_shuffle_loop

Task = Callable[[], Any]
RUNS = 9
SAME = ((1, 1), (1, 1))


def main() -> None:
    """Print a table for the middle layer, one for the whole network, and one for the shuffle."""
    rng = np.random.default_rng(0)
    x = rng.random((1, 64, 180, 320), np.float32)
    x_last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    weight = rng.random((32, 64, 3, 3), np.float32)
    bias = rng.random(32, np.float32)
    small = x[:, :, :4, :4]
    square = rng.random((1024, 1024), np.float32)

    print("the middle layer, 3x3, 64 to 32 channels, 180x320 pixels: ns per pixel")
    loop = timed(lambda: conv.conv2d_loop(small, weight, bias, padding=1), 1) / 16
    print(f"{loop * 1e9:12.0f}  loops, as in the definition")
    ways: dict[str, Task] = {
        "all columns, one product": lambda: weight.reshape(32, -1) @ conv.im2col(x, 3, 1, 1),
        "columns in blocks": lambda: without(
            (winograd, rowconv), lambda: conv.conv2d_forward(x, weight, bias, 1, 1)
        ),
        "rows, channels last: no columns": lambda: rowconv.forward(x_last, weight, bias, SAME),
        "the same with Winograd's F(4, 3)": lambda: winograd.forward(x_last, weight, bias, SAME),
    }
    report(ways, x[0, 0].size)
    product = min(alternate({"": lambda: square @ square})[""]) * (18432 * 1e9 / 1024**3)
    print(f"{product:12.0f}  the definition's multiplications at the best product's rate\n")

    print("predict, 360x640 to 1080x1920: ns per pixel of the input")
    luma = rng.random((1, 1, 360, 640), np.float32)
    model = ESPCN(3)
    report(
        {
            "layer by layer, columns": lambda: without(
                (winograd, rowconv), lambda: in_layers(model, luma)
            ),
            "layer by layer, rows": lambda: without((winograd,), lambda: in_layers(model, luma)),
            "layer by layer, Winograd": lambda: in_layers(model, luma),
            "in tiles": lambda: with_threads(1, lambda: model.predict(luma)),
            "in tiles, two threads": lambda: with_threads(2, lambda: model.predict(luma)),
        },
        luma.size,
    )
    print()

    print("shuffle, (1, 27, 360, 640) by 3: ns per number")
    channels = rng.random((1, 27, 360, 640), np.float32)
    few = channels[:, :, :20, :20]
    print(f"{timed(lambda: pixel_shuffle_loop(few, 3), 3) / few.size * 1e9:12.2f}  loop")
    report(
        {
            "split and concatenate": lambda: pixel_shuffle_concat(channels, 3),
            "reshape, transpose, copy": lambda: transposed(channels),
            "reshape, transpose, one write per sub-column": lambda: shuffled(channels, 1, 1 << 30),
            "the same in pieces": lambda: shuffled(channels, 1),
            "in pieces, two threads": lambda: shuffled(channels, 2),
            "a plain copy": channels.copy,
        },
        channels.size,
    )


def transposed(x: Any) -> Any:
    """Shuffle as one would write it first: the copy is NumPy's."""
    n, channels, h, w = x.shape
    parts = x.reshape(n, channels // 9, 3, 3, h, w).transpose(0, 1, 4, 2, 5, 3)
    return parts.reshape(n, channels // 9, 3 * h, 3 * w)


def shuffled(x: Any, threads: int, piece: int = shuffle._PIECE) -> Any:
    """Shuffle on so many threads, so many pixels at a time."""
    with mock.patch.object(shuffle, "_PIECE", piece):
        return with_threads(threads, lambda: pixel_shuffle(x, 3))


def in_layers(model: ESPCN, x: Any) -> Any:
    """Take the whole picture through one layer after the other."""
    for layer in model.layers.values():
        x = layer.predict(x)
    return x


def without(modules: tuple[Any, ...], task: Task) -> Any:
    """Run the task as if these fast paths were not there."""
    with ExitStack() as stack:
        for module in modules:
            decision = "pays" if module is winograd else "moves_less"
            stack.enter_context(mock.patch.object(module, decision, return_value=False))
        return task()


def with_threads(threads: int, task: Task) -> Any:
    """Run the task on so many threads."""
    with mock.patch.dict(os.environ, NPESPCN_THREADS=str(threads)):
        return task()


def timed(task: Task, runs: int) -> float:
    """Return the median time in seconds."""
    return float(np.median(alternate({"": task}, runs)[""]))


def alternate(tasks: dict[str, Task], runs: int = RUNS) -> dict[str, list[float]]:
    """Run the tasks in turn, after one run each to warm up; return their times in seconds."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for run in range(runs + 1):
        for name, task in tasks.items():
            with one_blas_thread():
                start = time.perf_counter()
                task()
                elapsed = time.perf_counter() - start
            if run:
                times[name].append(elapsed)
    return times


def report(tasks: dict[str, Task], pixels: int) -> None:
    """Print the median of each in nanoseconds per pixel."""
    for name, times in alternate(tasks).items():
        print(f"{np.median(times) / pixels * 1e9:12.2f}  {name}")


if __name__ == "__main__":
    main()
