"""Time npespcn beside PyTorch and ONNX Runtime, on the same processor, in alternating turns.

``make bench`` runs this; ``make bench ARGS=--quick`` takes a minute. The network is
``accelerate(model)``; two rows show the plain book. Each side is a process of its own, with the
same number of threads. For every row the sides take turns, each for some 20 ms at a time, so that
other load on the machine slows all of them. The pause between turns is longer than the few
milliseconds for which a peer's threads wait awake. The table shows medians of the turns, and their
quartiles in brackets.

The ratio is npespcn's median over that of the best peer. Every peer runs as it is fastest: PyTorch
in both of its memory formats, with inference under ``inference_mode``; ONNX Runtime with its
default optimizations, and with input and output in its own memory, so that nothing is copied.

The last column is npespcn's time over a limit. For a network the limit is the time of the
multiplications in the definition, at the rate of the fastest product of two square matrices on as
many threads. For a shuffle it is the fastest copy of the same array, on one thread.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
from pathlib import Path
from typing import Any

from sides import PACKAGES, Side, alternate, installed, summary, versions

PEERS = {  # of each kind of row
    "shuffle": ["torch"],
    "predict": ["torch", "torch channels_last", "onnxruntime"],
    "train": ["torch", "torch channels_last"],
}
NEEDED = {"torch": ["torch"], "torch channels_last": ["torch"], "onnxruntime": PACKAGES[1:]}
Row = tuple[str, list[Any], tuple[float, ...]]
ROWS: list[Row] = [  # and the aims, at 1 and 2 threads
    ("shuffle 1×9×360×640, r=3", ["shuffle", [1, 9, 360, 640], 3], (0.40, 0.40)),
    ("shuffle 16×64×64×64, r=2", ["shuffle", [16, 64, 64, 64], 2], (0.40, 0.40)),
    ("shuffle 1×27×360×640, r=3", ["shuffle", [1, 27, 360, 640], 3], (0.40, 0.40)),
    ("predict 360×640 to 1080×1920, tanh", ["predict", "tanh", 360, 640], (0.80, 0.80)),
    ("predict 360×640 to 1080×1920, ReLU", ["predict", "relu", 360, 640], (0.80, 0.85)),
    ("train 16×17²", ["train", 16, 17], (0.65, 0.70)),
    ("train 64×17²", ["train", 64, 17], (0.60, 0.65)),
    ("train 128×17²", ["train", 128, 17], (0.60, 0.62)),
    ("train 16×32²", ["train", 16, 32], (0.65, 0.70)),
    ("train 16×64²", ["train", 16, 64], (0.65, 0.68)),
]
BOOK_ROWS: list[Row] = [
    ("the book: predict 360×640, tanh", ["predict", "tanh", 360, 640], ()),
    ("the book: train 16×32²", ["train", 16, 32], ()),
]
INPUTS = [(160, 180), (320, 360), (360, 640), (640, 720), (720, 1280), (1440, 2560)]
FORWARD, FIRST_LAYER = 22_624, 1_600  # ESPCN ×3: multiplications for each LR pixel
PRODUCT = 1536  # the side of the square matrices


def main() -> None:
    """Measure at each thread count, then print, write and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer turns, in less than a minute")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="default: 1 2")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="for JSON and PNG")
    options = parser.parse_args()
    results: dict[str, Any] = {"versions": versions(), "rows": [], "first_calls": []}
    print(", ".join(f"{name} {value}" for name, value in results["versions"].items()), "\n")
    if missing := [package for package in PACKAGES if not installed(package)]:
        print(f"not installed, so left out: {', '.join(missing)}")
        print("(.venv/bin/pip install -e '.[bench]')\n")
    for threads in options.threads:
        rows = measure(threads, 2 if options.quick else 21)
        print_times(threads, rows)
        first = measure_first_call(threads, 2 if options.quick else 9)
        print_first_call(first)
        results["rows"] += rows
        results["first_calls"].append(first)
    sizes = INPUTS[:3] if options.quick else INPUTS
    results["sizes"] = measure_sizes(sizes, max(options.threads), 2 if options.quick else 9)
    print_sizes(results["sizes"], max(options.threads))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "bench.json").write_text(json.dumps(results, indent=1) + "\n")
    print(f"{options.out}/bench.json")
    if any("ratio" in row for row in results["rows"]):
        draw(results["rows"], options.out / "bench.png")
        print(f"{options.out}/bench.png")


def limit_of(task: list[Any]) -> tuple[list[Any], float]:
    """Return the task whose time is a limit for this one, and the factor on that time."""
    kind, *numbers = task
    if kind == "shuffle":
        return ["copy", numbers[0]], 1.0
    if kind == "predict":
        _, height, width = numbers
        multiplications = FORWARD * height * width
    else:  # forward, dweight, and dx of all layers but the first
        n, size = numbers
        multiplications = (3 * FORWARD - FIRST_LAYER) * n * size**2
    return ["product", PRODUCT], multiplications / PRODUCT**3


@functools.cache
def fastest(threads: int, task: str, turns: int) -> float:
    """Return the time of the fastest turn of a task, in JSON, measured by itself.

    The BLAS's threads stay awake for a tenth of a second after a product, and would take the cores
    of whoever came next.
    """
    with Side("limit", threads) as side:
        return min(side.run(json.loads(task))[0] for _ in range(turns))


def measure(threads: int, turns: int) -> list[dict[str, Any]]:
    """Time every row with `threads` threads on all sides."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def side(name: str) -> Side:
            return stack.enter_context(Side(name, threads))

        def row(ours: str, name: str, task: list[Any], aims: tuple[float, ...]) -> dict[str, Any]:
            peers = [p for p in PEERS[task[0]] if all(map(installed, NEEDED[p]))]
            times = alternate([(side(s), task) for s in (ours, *peers)], turns)
            found = dict(zip((ours, *peers), map(summary, times), strict=True))
            limit, factor = limit_of(task)
            median, least = found[ours][0], factor * fastest(threads, json.dumps(limit), turns)
            result = {"threads": threads, "name": name, "side": ours, "times": found}
            result |= {"limit": least, "over_limit": median / least}
            if peers:
                best = min(peers, key=lambda peer: found[peer][0])
                result |= {"best": best, "ratio": median / found[best][0]}
            if threads <= len(aims):
                result["aim"] = aims[threads - 1]
            return result

        rows = [row("npespcn", *each) for each in ROWS]
        if threads == 1:  # a BLAS splits the book's many small products over its threads, badly
            rows += [row("the book", *each) for each in BOOK_ROWS]
    return rows


def measure_first_call(threads: int, turns: int) -> dict[str, float]:
    """Time a training step's network, the first time that it is called, and later."""
    with Side("npespcn", threads) as ours:
        first, later = (
            summary(alternate([(ours, ["pass", 16, 32, is_first])], turns)[0])[0]
            for is_first in (True, False)
        )
    return {"threads": threads, "first_ms": first, "later_ms": later}


def measure_sizes(sizes: list[tuple[int, int]], threads: int, turns: int) -> list[dict[str, float]]:
    """Measure `predict`'s time per output megapixel and its memory, from small images to large."""
    rows = []
    for height, width in sizes:
        with Side("npespcn", threads) as ours:
            _, interpreter = ours.run(["copy", [1]])
            task = ["predict", "tanh", height, width]
            median, *_ = summary(alternate([(ours, task)], turns)[0])
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
    print(f"{in_threads(threads)}, ms: median [lower quartile, upper quartile]")
    print(f"{'':36}{'npespcn':>25}{'best peer':>25}  {'':19}{'ratio':>6}{'aim':>6}{'/limit':>8}")
    for r in rows:
        times, best = r["times"], r.get("best", "-")
        ours, theirs = (
            "{:.2f} [{:.2f}, {:.2f}]".format(*times[side]) if side in times else "-"
            for side in (r["side"], best)
        )
        ratio, aim = (f"{r[key]:.2f}" if key in r else "-" for key in ("ratio", "aim"))
        print(
            f"{r['name']:36}{ours:>25}{theirs:>25}  {best:19}"
            f"{ratio:>6}{aim:>6}{r['over_limit']:8.2f}"
        )
    print()


def print_first_call(first: dict[str, float]) -> None:
    """Print what the first call costs."""
    ms, later = first["first_ms"], first["later_ms"]
    print(f"forward and backward, 16×32²: {ms:.1f} ms the first time, {later:.1f} ms later\n")


def print_sizes(rows: list[dict[str, float]], threads: int) -> None:
    """Print how time and memory grow with the image."""
    print(f"predict, {in_threads(threads)}: output, time, peak memory above interpreter and images")
    for r in rows:
        print(
            f"{r['output_megapixels']:8.2f} megapixels {r['ms_per_megapixel']:8.1f} ms each "
            f"{r['memory_mb']:8.0f} MB"
        )
    print()


def in_threads(count: int) -> str:
    """Return "1 thread", "2 threads"."""
    return f"{count} thread{'s' * (count > 1)}"


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw the ratios as bars, with the best peer's time as the line at 1."""
    from matplotlib.figure import Figure  # here, because a side's peak memory includes its parent's

    from npespcn.figures import save

    rows = [r for r in rows if r["side"] == "npespcn" and "ratio" in r]
    names, counts = (list(dict.fromkeys(r[key] for r in rows)) for key in ("name", "threads"))
    height = 0.8 / len(counts)
    figure = Figure(figsize=(10, 0.55 * len(names) + 1.2), layout="constrained", facecolor="white")
    axes = figure.subplots()
    places, peers = [], []
    for i, threads in enumerate(counts):
        own = [r for r in rows if r["threads"] == threads]
        at = [names.index(r["name"]) + (i - (len(counts) - 1) / 2) * height for r in own]
        color = ["#08519c", "#9ecae1", "#e6ab02"][i % 3]
        bars = axes.barh(
            at, [r["ratio"] for r in own], height, color=color, label=in_threads(threads)
        )
        white = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
        axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=9, bbox=white)
        places += at
        peers += [r["best"] for r in own]
    axes.axvline(1, color="black", lw=1.5)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.set_xlim(0, max(1.1, 1.1 * max(r["ratio"] for r in rows)))
    axes.set_title("npespcn's time over the best peer's, named at the right: less is better")
    beside = axes.secondary_yaxis("right")
    beside.set_yticks(places, peers, fontsize=8)
    beside.tick_params(length=0)
    figure.legend(loc="outside lower center", ncols=len(counts))
    save(figure, path)


if __name__ == "__main__":
    main()
