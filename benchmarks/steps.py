"""The figures of ``docs/performance.md``: the same work, in each step from the loops to our form.

``make bench-steps`` runs this. One thread unless a row says otherwise; the ways take turns, and the
table shows medians.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any
from unittest import mock

import numpy as np

from npespcn import conv, shuffle
from npespcn.fast import accelerate, layers, rows, winograd
from npespcn.fast import conv as fast_conv
from npespcn.fast.layers import FastPixelShuffle
from npespcn.fast.threads import one_blas_thread
from npespcn.layers import PixelShuffle
from npespcn.models import ESPCN

Task = Callable[[], Any]
SAME = ((1, 1), (1, 1))
WHOLE = 1 << 30  # pixels: more than there are


def main() -> None:
    """Print a table for the middle layer, one for the whole network, and one for the shuffle."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    report = partial(print_table, runs=2 if parser.parse_args().quick else 9)
    rng = np.random.default_rng(0)
    print("ns for each pixel of the input")

    x = rng.random((1, 64, 180, 320), np.float32)
    x_last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    weight, bias = rng.random((32, 64, 3, 3), np.float32), rng.random(32, np.float32)
    small, square = x[:, :, :4, :4], rng.random((1024, 1024), np.float32)
    blocks = partial(fast_conv.forward, x, weight, bias, SAME)
    print("\nthe middle layer, 3x3, 64 to 32 channels, 180x320 pixels")
    report({"loops: the definition": lambda: conv.conv2d_loop(small, weight, bias, 1, 1)}, 16)
    ways: dict[str, Task] = {
        "the book: all columns, one product": lambda: conv.conv2d_forward(x, weight, bias, 1, 1),
        "columns in blocks": lambda: without((winograd, rows), blocks),
        "rows, channels last: no columns": lambda: rows.forward(x_last, weight, bias, SAME),
        "the same with Winograd's F(4, 3)": lambda: winograd.forward(x_last, weight, bias, SAME),
    }
    report(ways, x[0, 0].size)
    name = "the definition's multiplications at the best product's rate"
    report({name: lambda: square @ square}, 1024**3 / weight.size, of=min)

    luma, model = rng.random((1, 1, 360, 640), np.float32), ESPCN(3)
    fast = accelerate(model)
    layered = partial(in_layers, fast, luma)
    print("\npredict, 360x640 to 1080x1920")
    ways = {
        "the book": lambda: model.predict(luma),
        "layer by layer, columns in blocks": lambda: without((winograd, rows), layered),
        "layer by layer, rows": lambda: without((winograd,), layered),
        "layer by layer, Winograd": layered,
        "in tiles": lambda: with_threads(1, lambda: fast.predict(luma)),
        "in tiles, two threads": lambda: with_threads(2, lambda: fast.predict(luma)),
    }
    report(ways, luma.size)

    channels = rng.random((1, 27, 360, 640), np.float32)
    few = channels[:, :, :20, :20]
    print("\nshuffle, (1, 27, 360, 640) by 3: ns for each number")
    report({"loop": lambda: shuffle.pixel_shuffle_loop(few, 3)}, few.size)
    ways = {
        "split and concatenate": lambda: shuffle.pixel_shuffle_concat(channels, 3),
        "the book: reshape, transpose, copy": lambda: shuffle.pixel_shuffle_reshape(channels, 3),
        "reshape, transpose, one write per sub-column": lambda: shuffled(channels, 1, WHOLE),
        "the same in pieces": lambda: shuffled(channels, 1),
        "in pieces, two threads": lambda: shuffled(channels, 2),
        "a plain copy": channels.copy,
    }
    report(ways, channels.size)


def shuffled(x: Any, threads: int, piece: int = layers._PIECE) -> Any:
    """Shuffle on this number of threads, this number of pixels at a time."""
    with mock.patch.object(layers, "_PIECE", piece):
        return with_threads(threads, lambda: FastPixelShuffle(PixelShuffle(3)).forward(x))


def in_layers(fast: Any, x: Any) -> Any:
    """Take the whole image through one layer after the other."""
    for layer in fast.twins:
        x = layer.predict(x)
    return x


def without(modules: tuple[Any, ...], task: Task) -> Any:
    """Run the task as if these fast ways did not exist."""
    with ExitStack() as stack:
        for module in modules:
            decision = "pays" if module is winograd else "moves_less"
            stack.enter_context(mock.patch.object(module, decision, return_value=False))
        return task()


def with_threads(threads: int, task: Task) -> Any:
    """Run the task on this number of threads."""
    with mock.patch.dict(os.environ, NPESPCN_THREADS=str(threads)):
        return task()


def print_table(tasks: dict[str, Task], pixels: float, runs: int, of: Any = np.median) -> None:
    """Run the tasks in turn, after one run each to warm up; print nanoseconds per pixel."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for run in range(runs + 1):
        for name, task in tasks.items():
            with one_blas_thread(), mock.patch.dict(os.environ, NPESPCN_THREADS="1"):
                start = time.perf_counter()
                task()
                elapsed = time.perf_counter() - start
            if run:
                times[name].append(elapsed)
    for name, measured in times.items():
        print(f"{of(measured) / pixels * 1e9:14.2f}  {name}", flush=True)


if __name__ == "__main__":
    main()
