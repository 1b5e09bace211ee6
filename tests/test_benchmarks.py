"""The benchmarks beside other frameworks: that they run, and that all sides do the same work."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers import require_torch

from npespcn.models import ESPCN
from npespcn.optim import SOAP

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("bench")


def test_the_limit_is_the_multiplications_of_the_definition(bench: Any) -> None:
    first, *others = (p.size for p in ESPCN(3).params.values() if p.ndim > 1)
    for task, multiplications in {
        ("predict", "tanh", 8, 9): 72 * (first + sum(others)),
        ("train", 2, 6): 72 * (2 * first + 3 * sum(others)),
    }.items():
        (name, side), factor = bench.limit_of(list(task))
        assert (name, factor * side**3) == ("product", pytest.approx(multiplications))


@pytest.mark.slow
def test_bench_runs(bench: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    require_torch()
    rows = [
        ("shuffle", ["shuffle", [1, 9, 4, 5], 3], (0.5,)),
        ("predict", ["predict", "relu", 8, 9], (0.5,)),
        ("train", ["train", 2, 8], (0.5,)),
    ]
    monkeypatch.setattr(bench, "ROWS", rows)
    monkeypatch.setattr(bench, "BOOK_ROWS", [("the book", ["train", 2, 8], ())])
    monkeypatch.setattr(bench, "INPUTS", [(8, 9)] * 3)
    monkeypatch.setattr(
        sys, "argv", ["bench.py", "--quick", "--threads", "1", "--out", str(tmp_path)]
    )
    bench.main()
    results = json.loads((tmp_path / "bench.json").read_text())
    assert [row["name"] for row in results["rows"]] == ["shuffle", "predict", "train", "the book"]
    for row in results["rows"]:
        for median, lower, upper in row["times"].values():
            assert 0 < lower <= median <= upper
        best = min((t[0], side) for side, t in row["times"].items() if side != row["side"])
        assert row["best"] == best[1]
        assert row["ratio"] == row["times"][row["side"]][0] / best[0]
    assert (tmp_path / "bench.png").stat().st_size > 10_000


@pytest.mark.slow
def test_both_sides_train_the_same_network_on_the_same_batches(tmp_path: Path) -> None:
    require_torch()
    command = [sys.executable, BENCHMARKS / "fit.py", "--steps", "60", "--pictures", "3"]
    done = subprocess.run(  # noqa: S603
        [*command, "--threads", "1", "--out", tmp_path], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    ours, theirs = (
        json.loads((tmp_path / "fit.json").read_text())["runs"][0][side]
        for side in ("npespcn", "torch channels_last")
    )
    assert ours["psnr"] == pytest.approx(theirs["psnr"], abs=1)
    assert ours["seconds"] == pytest.approx(sum(ours["parts"].values()))
    assert all(seconds > 0 for seconds in ours["parts"].values())


def test_pytorchs_soap_is_ours_on_a_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    """On four axes they differ: PyTorch's keeps a covariance for each.

    The matrix is square, because of a basis for directions without a gradient each has its own.
    """
    torch = require_torch()
    monkeypatch.syspath_prepend(BENCHMARKS)
    rng = np.random.default_rng(0)
    ours = {"weight": rng.standard_normal((4, 4)), "bias": rng.standard_normal(4)}
    theirs = [torch.tensor(param.copy(), requires_grad=True) for param in ours.values()]
    model = SimpleNamespace(params=ours, grads={})
    optimizer = SOAP(model, lr=0.1, betas=(0.95, 0.95), refresh=10)
    peer = importlib.import_module("torch_soap").SOAP(theirs, lr=0.1)
    for _ in range(35):
        for (name, own), other in zip(ours.items(), theirs, strict=True):
            model.grads[name] = own + 0.1 * rng.standard_normal(own.shape)
            other.grad = torch.tensor(model.grads[name])
        optimizer.step()
        peer.step()
        for own, other in zip(ours.values(), theirs, strict=True):
            np.testing.assert_allclose(other.detach().numpy(), own, rtol=1e-5, atol=1e-6)
