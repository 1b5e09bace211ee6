"""The GPU's benchmark, without a GPU: that it runs, what it measures, and what it refuses."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers import NO_GPU, require_torch

ROOT = Path(__file__).parents[2]
KINDS = {"shuffle": 3, "predict": 4, "train": 2}


@pytest.fixture
def bench_gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("gpu")


def test_it_runs_on_the_stand_in(tmp_path: Path) -> None:
    """As a person runs it, with both processes; only that what is imported is the stand-in."""
    code = "import sys, strict_cupy\nsys.modules['cupy'] = strict_cupy\n"
    (tmp_path / "cupy.py").write_text(code)
    paths = os.pathsep.join(map(str, (tmp_path, ROOT, ROOT / "tests")))
    script = ROOT / "benchmarks" / "gpu.py"
    done = subprocess.run(  # noqa: S603
        [sys.executable, script, "--quick", "--shrink", "300", "--out", tmp_path / "out"],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    results = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert results["versions"]["device"] == "none (strict_cupy in its place)"
    assert results["sides"] == ["npespcn"]
    rows = results["rows"]
    assert {kind: sum(row["kind"] == kind for row in rows) for kind in KINDS} == KINDS
    for row in rows:
        median, lower, upper = row["npespcn"]
        assert 0 < lower <= median <= upper
        assert ("frames" in row) == (row["kind"] == "predict")
        assert "ratio" not in row
        assert row["name"] in done.stdout
    assert "device none" in done.stdout


def test_its_full_sizes_are_the_ones_that_were_promised(bench_gpu: Any) -> None:
    tasks = [task for _, _, task in bench_gpu.work(1)]
    for task in (
        ["predict", "tanh", 1080, 1920, 2, "gpu"],
        ["predict", "tanh", 360, 640, 3, "gpu"],
        ["train", 64, 17, "gpu"],
        ["train", 256, 32, "gpu"],
    ):
        assert task in tasks


def test_without_a_gpu_it_says_so_in_one_line(
    bench_gpu: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--out", str(tmp_path / "out")])
    for cupy, words in NO_GPU.values():
        monkeypatch.setitem(sys.modules, "cupy", cupy)
        with pytest.raises(SystemExit) as caught:
            bench_gpu.main()
        assert caught.value.code.startswith(f"bench-gpu: {words}")  # the code of words is 1
        assert "\n" not in caught.value.code
        assert not (tmp_path / "out").exists()


class Device:
    """A device with a clock of its own, that is done with a run `cost` ms after it was asked."""

    def __init__(self, cost: float) -> None:
        self.now, self.runs, self.cost = 0.0, 0, cost
        device = self

        class Event:
            def record(self) -> None:
                self.time, self.waited = device.now, False

            def synchronize(self) -> None:
                self.waited = True

        self.event = Event

    def run(self) -> None:
        self.now += self.cost
        self.runs += 1

    def milliseconds(self, start: Any, end: Any) -> float:
        assert end.waited  # or the time would not be known yet
        return end.time - start.time


def test_a_turn_is_timed_by_the_devices_events(bench_gpu: Any) -> None:
    for cost in (1e-4, 0.3, 200.0):
        device = Device(cost)
        took = bench_gpu.device_clock(device.event, device.milliseconds, device.run)
        assert took == pytest.approx(cost)
        burst = 1e3 * bench_gpu.BURST
        assert burst <= device.now < 4 * burst + cost


def test_cupys_clock_and_memory(bench_gpu: Any) -> None:
    device = Device(2.0)
    cuda = SimpleNamespace(Event=device.event, get_elapsed_time=device.milliseconds)
    pool = SimpleNamespace(total_bytes=lambda: 3_000_000)
    cupy = SimpleNamespace(cuda=cuda, get_default_memory_pool=lambda: pool)
    clock, memory = bench_gpu.cupy_clock(cupy)
    assert clock(device.run) == pytest.approx(2.0)
    assert memory() == 3


@pytest.mark.parametrize("tf32", [False, True])
def test_pytorchs_clock_memory_and_precision(bench_gpu: Any, tf32: bool) -> None:
    device = Device(2.0)

    class Event(device.event):  # type: ignore[misc, name-defined]
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def elapsed_time(self, end: Any) -> float:
            return device.milliseconds(self, end)

    cuda = SimpleNamespace(Event=Event, max_memory_reserved=lambda: 5_000_000)
    backends = SimpleNamespace(cudnn=SimpleNamespace(), cuda=SimpleNamespace())
    backends.cuda.matmul = SimpleNamespace()
    clock, memory = bench_gpu.torch_clock(SimpleNamespace(cuda=cuda, backends=backends), tf32)
    assert clock(device.run) == pytest.approx(2.0)
    assert memory() == 5
    assert backends.cudnn.allow_tf32 is backends.cuda.matmul.allow_tf32 is tf32


def test_each_side_gets_its_own_clock(bench_gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    served, precision = [], []
    monkeypatch.setitem(sys.modules, "cupy", "CuPy")
    monkeypatch.setattr(bench_gpu.sides, "torch", "PyTorch", raising=False)
    monkeypatch.setattr(bench_gpu, "cupy_clock", lambda cupy: (cupy, "memory"))
    monkeypatch.setattr(
        bench_gpu, "torch_clock", lambda torch, tf32: precision.append(tf32) or (torch, "memory")
    )
    monkeypatch.setattr(
        bench_gpu.sides, "serve", lambda side, makers, clock, memory: served.append((side, clock))
    )
    for side in bench_gpu.SIDES:
        bench_gpu.serve(side)
    ours, *theirs = bench_gpu.SIDES
    assert served == [(ours, "CuPy"), *((side, "PyTorch") for side in theirs)]
    assert precision == [False, False, True]


def test_our_tasks_run(bench_gpu: Any, gpu: Any) -> None:
    makers = {**bench_gpu.sides.MAKERS, "carried": bench_gpu.carried_task}
    for _, _, (name, *numbers) in bench_gpu.work(300):
        result = makers[name]("npespcn", *numbers)()
        if name == "carried":
            assert isinstance(result, np.ndarray)
        elif name != "train":
            assert isinstance(result, gpu.ndarray)


def test_pytorchs_tasks_run_where_they_should(
    bench_gpu: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On its "meta" device, where nothing is computed, and whose tensors mix with no others."""
    torch, sides = require_torch(), bench_gpu.sides
    monkeypatch.setattr(sides, "torch", torch, raising=False)
    monkeypatch.setattr(sides, "nn", torch.nn, raising=False)
    monkeypatch.setitem(sides.TORCH_DEVICES, "gpu", "meta")
    makers = {**sides.MAKERS, "carried": bench_gpu.carried_task}
    for _, _, (name, *numbers) in bench_gpu.work(300):
        for side in bench_gpu.SIDES[1:3]:
            task = makers[name](side, *numbers)
            if name == "carried":
                with pytest.raises(NotImplementedError, match="no data"):  # to bring home
                    task()
                continue
            result = task()
            if name != "train":
                assert result.device.type == "meta"


def test_a_row_compares_with_the_better_float32(
    bench_gpu: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    medians = {"npespcn": 3.0, "torch": 4.0, "torch channels_last": 2.0, "torch tf32": 1.0}
    sides = [SimpleNamespace(run=lambda task, ms=ms: (ms, 10.0 * ms)) for ms in medians.values()]
    row = bench_gpu.measure(sides, "a picture", "predict", ["predict"], 3)
    assert row["npespcn"] == [3.0] * 3
    assert (row["torch"][0], row["torch tf32"][0], row["ratio"]) == (2.0, 1.0, 1.5)
    assert row["frames"] == pytest.approx(333.3, abs=0.1)
    assert row["memory_mb"] == 30
    bench_gpu.print_times([row])
    line = next(line for line in capsys.readouterr().out.splitlines() if "a picture" in line)
    assert line.split()[2:] == [
        *("3.000", "[3.000,", "3.000]", "2.000", "[2.000,", "2.000]"),
        *("1.50", "1.000", "333.3", "frames", "a", "second"),
    ]
