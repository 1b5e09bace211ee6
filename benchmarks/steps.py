"""The figures of ``docs/performance.md``: the same work, in each step from the loops to our form.

``make bench-steps`` runs this. One thread unless a row says otherwise; the ways take turns, and the
tables show medians.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

import numpy as np

from npespcn import conv, shuffle
from npespcn.fast import accelerate
from npespcn.fast import shuffle as fast_shuffle
from npespcn.fast.columns import ColumnWeight
from npespcn.fast.memory import Scratch, Tall, aligned
from npespcn.fast.shuffle import FastPixelShuffle
from npespcn.fast.threads import one_blas_thread
from npespcn.fast.winograd import WinogradWeight
from npespcn.layers import PixelShuffle
from npespcn.losses import mse
from npespcn.models import ESPCN

Task = Callable[[], Any]
WHOLE = 1 << 30  # pixels: more than there are


def main() -> None:
    """Print tables for the middle layer, a step, enlarging and the shuffle."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    report = partial(print_table, runs=2 if parser.parse_args().quick else 25)
    rng = np.random.default_rng(0)
    print("ns for each pixel of the input")

    x = rng.random((4, 64, 17, 17), np.float32)
    weight, bias = rng.random((32, 64, 3, 3), np.float32), rng.random(32, np.float32)
    small, square = x[:1, :, :4, :4], rng.random((1536, 1536), np.float32)
    print("\nthe middle layer, 3x3, 64 to 32 channels, 4 images of 17x17 pixels")
    loops = {"loops: the definition": lambda: conv.conv2d_loop(small, weight, bias, 1, 1)}
    print_table(loops, 16, runs=1)
    ways: dict[str, Task] = {
        "the book: all columns, one product": lambda: conv.conv2d_forward(x, weight, bias, 1, 1),
        "columns of 3 pixels, recorded": recorded(ColumnWeight(3, 64, 32, x.dtype), x, weight),
        "Winograd's F(4, 3), recorded": recorded(
            WinogradWeight(64, 32, x.dtype, has_bias=False), x, weight
        ),
    }
    report(ways, x[:, 0].size)
    name = "the definition's multiplications at the best product's rate"
    report({name: lambda: square @ square}, 1536**3 / weight.size, of=min)

    x, target = rng.random((64, 1, 17, 17), np.float32), rng.random((64, 1, 51, 51), np.float32)
    model = ESPCN(3)
    fast = accelerate(model, input_gradient=False)
    print("\na step of 64x17x17 pixels: forward, loss, backward")
    step = partial(take_step, fast, x, target)
    ways = {
        "the book": lambda: take_step(model, x, target),
        "recorded": step,
        "recorded, two threads": lambda: with_threads(2, step),
    }
    report(ways, x.size)
    print("\nthe calls of that step, by kind")
    print_calls(fast, x, target)

    luma = rng.random((1, 1, 360, 640), np.float32)
    print("\npredict, 360x640 to 1080x1920")
    ways = {
        "the book": lambda: model.predict(luma),
        "recorded, in strips": lambda: fast.predict(luma),
        "recorded, in strips, two threads": lambda: with_threads(2, lambda: fast.predict(luma)),
    }
    report(ways, luma.size)

    channels = rng.random((1, 27, 360, 640), np.float32)
    few = channels[:, :, :20, :20]
    print("\nshuffle, (1, 27, 360, 640) by 3: ns for each number")
    loop = {"loop": lambda: shuffle.pixel_shuffle_loop(few, 3)}
    print_table(loop, few.size, runs=1)
    ways = {
        "split and concatenate": lambda: shuffle.pixel_shuffle_concat(channels, 3),
        "the book: reshape, transpose, copy": lambda: shuffle.pixel_shuffle_reshape(channels, 3),
        "reshape, transpose, one write per sub-column": lambda: shuffled(channels, 1, WHOLE),
        "the same in pieces": lambda: shuffled(channels, 1),
        "in pieces, two threads": lambda: shuffled(channels, 2),
        "a plain copy": channels.copy,
    }
    report(ways, channels.size)


def recorded(form: Any, x: Any, weight: Any) -> Task:
    """Return a task that replays a convolution of x with zeros around it."""
    (n, c, h, w), k = x.shape, weight.shape[2]
    pads = ((k // 2, k // 2), (k // 2, k // 2))
    tall = Tall((n, h, w, c), k, pads, partial(aligned, dtype=x.dtype))
    tall.inside.view[...] = x.transpose(0, 2, 3, 1)
    form.set(weight.transpose(2, 3, 1, 0), None)
    calls = form.convolve(tall, Scratch(x.dtype)).calls
    return lambda: [call() for call in calls]


def take_step(network: Any, x: Any, target: Any) -> None:
    """Take a training step, but for the optimizer."""
    network.backward(mse(network.forward(x), target)[1])


def print_calls(fast: Any, x: Any, target: Any, runs: int = 25) -> None:
    """Print the time of the calls of a step, added up by kind."""
    take_step(fast, x, target)
    _, batch = fast.parts[0].kept
    times: dict[str, list[float]] = defaultdict(lambda: [0.0] * runs)
    with one_blas_thread():
        for run in range(runs):
            for chunk in batch.chunks:
                for call in (*chunk.forward_calls, *chunk.backward_calls):
                    start = time.perf_counter()
                    call()
                    times[kind_of(call)][run] += time.perf_counter() - start
    for name, measured in sorted(times.items(), key=lambda pair: -np.median(pair[1])):
        print(f"{np.median(measured) / x.size * 1e9:14.2f}  {name}")


def kind_of(call: Any) -> str:
    """Return what a call is for."""
    name = call.func.__name__ if hasattr(call, "func") else call.__name__
    if name == "matmul":
        return "transforms" if min(call.args[0].size, call.args[1].size) <= 36 else "products"
    kinds = {"copyto": "copies", "fill": "zeros", "add": "biases", "tanh": "tanh"}
    return kinds.get(name, "tanh backward")


def shuffled(x: Any, threads: int, piece: int = fast_shuffle._PIECE) -> Any:
    """Shuffle on this number of threads, this number of pixels at a time."""
    with mock.patch.object(fast_shuffle, "_PIECE", piece):
        return with_threads(threads, lambda: FastPixelShuffle(PixelShuffle(3)).forward(x))


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
