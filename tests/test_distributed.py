"""Many ranks: as threads of this process, where their maths is seen best, and under ``mpiexec``."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers import assert_same_run

from npespcn.commands import main as cli
from npespcn.commands import train as train_command
from npespcn.data.dead_leaves import dead_leaves_pictures
from npespcn.data.patches import LeafStream, PairedPatches, validation_pairs
from npespcn.fast.gpu import to_host
from npespcn.fast.threads import thread_count
from npespcn.losses import charbonnier, l1, log_mse, mse
from npespcn.models import ESPCN
from npespcn.optim import SGD, SOAP, Adam, Plateau, cosine
from npespcn.pictures.files import write_image
from npespcn.runs import fit as training
from npespcn.runs import ranks as distributed
from npespcn.runs.centering import centre_biases
from npespcn.runs.fit import DivergedError, fit
from npespcn.runs.folder import RunFolder
from npespcn.runs.mpi import world
from npespcn.runs.ranks import Alone, Ranks

ROOT = Path(__file__).parents[1]
LOSSES = {"mse": mse, "l1": l1, "charbonnier": charbonnier, "log_mse": log_mse}
OPTIMIZERS = {"SOAP": SOAP, "Adam": Adam, "SGD": lambda model: SGD(model, momentum=0.9)}
SCHEDULES = {
    "constant": lambda: None,
    "cosine": lambda: cosine(23),
    "plateau": lambda: Plateau(patience=1, threshold=0.9),
}
pictures = functools.cache(dead_leaves_pictures)


class Thread:
    """What `Ranks` asks of a communicator, among threads."""

    def __init__(self, rank: int, size: int, barrier: threading.Barrier, slots: list) -> None:
        self.rank, self.size, self.barrier, self.slots = rank, size, barrier, slots
        self.sent: list[np.ndarray] = []

    def Get_rank(self):  # noqa: N802
        return self.rank

    def Get_size(self):  # noqa: N802
        return self.size

    def allgather(self, mine):
        self.slots[self.rank] = mine
        self.barrier.wait(60)
        everything = list(self.slots)
        self.barrier.wait(60)
        return everything

    def bcast(self, mine):
        return pickle.loads(pickle.dumps(self.allgather(mine)[0]))  # noqa: S301

    def Allreduce(self, mine, total):  # noqa: N802
        assert type(mine) is type(total) is np.ndarray
        self.sent.append(mine.copy())
        total[...] = np.sum(self.allgather(self.sent[-1]), axis=0)


def as_threads(size: int, work: Any) -> list[Any]:
    """Return what ``work(ranks)`` returns on each of `size` ranks; raise what the first raises."""
    barrier, slots = threading.Barrier(size), [None] * size
    results: list[Any] = [None] * size
    errors: list[Any] = [None] * size

    def run(rank: int) -> None:
        try:
            results[rank] = work(Ranks(Thread(rank, size, barrier, slots), rank))
        except BaseException as error:
            errors[rank] = error
            if not isinstance(error, DivergedError | OSError | ValueError):
                barrier.abort()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if any(errors):
        kinds = {str(error) for error in errors}
        assert len(kinds) == 1, kinds  # all ranks raise the same
        raise errors[0]
    return results


class Watched:
    """Data that calls `watch` with the step's number before each batch."""

    def __init__(self, data: PairedPatches, watch: Any = None) -> None:
        self.data, self.watch, self.step = data, watch, 0

    def __len__(self) -> int:
        return len(self.data)

    def batch(self, *how):
        self.step += 1
        if self.watch is not None:
            self.watch(self.step)
        return self.data.batch(*how)

    def seek(self, step: int) -> None:
        self.step = step
        self.data.seek(step)


class Trained(NamedTuple):
    state: dict[str, np.ndarray]
    memory: dict[str, np.ndarray]
    history: dict[str, list[float]]


def train(
    ranks=None,
    out=None,
    watch=None,
    *,
    optimizer="Adam",
    schedule="constant",
    loss="mse",
    stream=False,
    weights=1,
    dtype="float64",
    **options,
) -> Trained:
    """Train a new network on new data."""
    model = ESPCN(2, padding="edge", seed=weights, dtype=dtype)
    centre_biases(model, 0.5)
    stepper = OPTIMIZERS[optimizer](model)
    if stream:
        data = LeafStream(2, count=2, every=3, size=40, seed=5)
    else:
        data = PairedPatches(pictures(2, 40), 2)
    how = {
        "steps": 23,
        "batch_size": 7,  # not to be divided by 2, nor by 3
        "patch_size": 10,
        "validation": validation_pairs(pictures(2, 32, 99), 2),
        "validate_every": 10,
        "seed": 3,
        "loss": LOSSES.get(loss, loss),
        "schedule": SCHEDULES[schedule](),
    }
    history = fit(model, Watched(data, watch), stepper, out=out, ranks=ranks, **how | options)
    return Trained(model.state_dict(), stepper.state_dict(), history)


def assert_same_bits(one: Trained, two: Trained) -> None:
    for a, b in zip(one, two, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def assert_same_steps(one: Trained, two: Trained) -> None:
    """The same but for rounding."""
    for a, b in zip(one, two, strict=True):
        assert a.keys() == b.keys()
        for name in set(a) - {"val_psnr"}:
            np.testing.assert_allclose(a[name], b[name], rtol=0, atol=1e-12, err_msg=name)
    # Rounded to 8 bits, a pixel in between may turn: that is 0.02 dB here.
    np.testing.assert_allclose(one.history["val_psnr"], two.history["val_psnr"], atol=0.05)


def saved_step(out: Path) -> int:
    with np.load(out / "last.npz") as arrays:
        return json.loads(str(arrays["progress"]))["step"]


# --- one rank's part, and the mean over all -------------------------------------------------------


@pytest.mark.parametrize(("count", "size"), [(1, 1), (8, 2), (7, 3), (16, 5), (4, 4)])
def test_parts_are_disjoint_and_even_and_all_there_is(count, size):
    parts = [rank_of(rank, size).part(count) for rank in range(size)]
    assert [i for part in parts for i in range(count)[part]] == list(range(count))
    lengths = [part.stop - part.start for part in parts]
    assert max(lengths) - min(lengths) <= 1


def rank_of(rank, size):
    return Ranks(Thread(rank, size, threading.Barrier(size), [None] * size))


def test_a_batch_smaller_than_the_ranks_is_refused():
    with pytest.raises(
        ValueError, match=r"a batch of 3 leaves some of 4 ranks without a patch: .*"
    ):
        rank_of(1, 4).part(3)


def test_the_mean_is_weighted_by_the_images(xp):
    """On two ranks with 1 and 3 of 4 images."""
    rng = np.random.default_rng(0)
    gradients = [{"w": rng.normal(size=(2, 3)), "b": rng.normal(size=4)} for _ in range(2)]
    losses, weights = (3.0, 8.0), (0.25, 0.75)

    def work(ranks):
        grads = {name: xp.asarray(g) for name, g in gradients[ranks.rank].items()}
        before = dict(grads)
        wishes = (ranks.rank == 1, False, True)
        loss = xp.asarray(np.array(losses[ranks.rank]))
        mean, granted = ranks.mean(grads, loss, weights[ranks.rank], wishes)
        assert all(grads[name] is before[name] for name in grads)  # changed in place
        (sent,) = ranks.comm.sent  # one buffer, once
        assert sent.shape == (2 * 3 + 4 + 1 + 3,)
        return {name: to_host(g) for name, g in grads.items()}, float(mean), granted

    for grads, mean, granted in as_threads(2, work):
        for name in grads:
            expected = 0.25 * gradients[0][name] + 0.75 * gradients[1][name]
            np.testing.assert_allclose(grads[name], expected, rtol=1e-14)
        assert mean == 0.25 * 3 + 0.75 * 8
        assert granted == (True, False, True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_sent_has_the_gradients_dtype(xp, dtype):
    def work(ranks):
        grads = {"w": xp.asarray(np.ones((2, 3), dtype))}
        ranks.mean(grads, xp.asarray(np.array(1, dtype)), 0.5, (False,))
        return grads["w"].dtype, ranks.comm.sent[0].dtype

    assert as_threads(2, work) == [(np.dtype(dtype), np.dtype(dtype))] * 2


def test_alone_nothing_is_touched():
    grads = {"w": np.arange(3.0)}
    assert Alone().mean(grads, np.float32(2), 1.0, (True, False)) == (2, (True, False))
    assert list(grads["w"]) == [0, 1, 2]
    assert Alone().part(5) == slice(0, 5)
    assert Alone().gather([1, 2]) == [1, 2]
    Alone().use_gpu()


def test_what_rank_0_says_or_raises_is_everyones():
    asked = []

    def ask(ranks):
        return ranks.first(lambda: asked.append(ranks.rank) or {"a": np.arange(3)})

    for answer in as_threads(3, ask):
        np.testing.assert_array_equal(answer["a"], np.arange(3))
    assert asked == [0]

    def fail():
        raise FileExistsError("in use")

    with pytest.raises(FileExistsError, match="in use"):
        as_threads(3, lambda ranks: ranks.first(fail))


@pytest.mark.parametrize(("node_rank", "device"), [(0, 0), (1, 1), (2, 0), (5, 1)])
def test_the_ranks_of_a_machine_take_its_gpus_in_turn(monkeypatch, node_rank, device):
    used = []
    cuda = SimpleNamespace(
        runtime=SimpleNamespace(getDeviceCount=lambda: 2, CUDARuntimeError=OSError),
        Device=lambda i: SimpleNamespace(use=lambda: used.append(i)),
    )
    fake = SimpleNamespace(cuda=cuda, asarray=np.asarray, __name__="cupy", ndarray=type(None))
    monkeypatch.setitem(sys.modules, "cupy", fake)
    Ranks(Thread(7, 8, threading.Barrier(1), []), node_rank).use_gpu()
    assert used == [device]


def test_the_command_takes_its_gpu_before_it_moves_there(monkeypatch, tmp_path, capsys):
    done = []
    monkeypatch.setattr(Alone, "use_gpu", lambda self: done.append("use"))
    monkeypatch.setattr(ESPCN, "to", lambda self, device: done.append(device) or 1 / 0)
    for device in ("gpu", "cpu"):
        cli.main(["train", "--device", device, "--out", str(tmp_path / "run")])
    assert done == ["use", "gpu", "cpu"]


# --- training -------------------------------------------------------------------------------------


@functools.cache
def alone(**options) -> Trained:
    return train(**options)


SAME_STEPS = [
    *({"optimizer": name, "loss": loss} for name in ("Adam", "SGD") for loss in LOSSES),
    {"optimizer": "Adam", "schedule": "plateau"},
    {"optimizer": "SGD", "schedule": "cosine", "stream": True},
]


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("options", SAME_STEPS, ids=lambda o: "-".join(map(str, o.values())))
def test_ranks_take_the_steps_of_one_with_the_whole_batch(options, size):
    first, *others = as_threads(size, lambda ranks: train(ranks, **options))
    assert_same_steps(first, alone(**options))
    for other in others:
        assert_same_bits(first, other)


def test_the_plateau_is_met_in_those_runs():
    assert len(set(alone(optimizer="Adam", schedule="plateau").history["lr"])) == 2


def test_soap_stays_in_step_and_learns_as_well():
    """It turns rounding into other steps where there is no gradient yet: so not the same ones."""
    first, second = as_threads(2, lambda ranks: train(ranks, optimizer="SOAP"))
    assert_same_bits(first, second)
    losses = alone(optimizer="SOAP").history["loss"]
    np.testing.assert_allclose(first.history["loss"], losses, rtol=0.1)


def test_every_patch_is_seen_by_one_rank(monkeypatch):
    seen = {}
    batch = PairedPatches.batch

    def numbered(self, rng, n, p):
        lr, hr = batch(self, rng, n, p)
        return lr * 0 + np.arange(n).reshape(-1, 1, 1, 1) / 10, hr

    monkeypatch.setattr(PairedPatches, "batch", numbered)

    class Network(ESPCN):
        def forward(self, x):
            seen.setdefault(threading.get_ident(), []).append(np.rint(10 * x[:, 0, 0, 0]).tolist())
            return super().forward(x)

    monkeypatch.setattr(sys.modules[__name__], "ESPCN", Network)
    as_threads(3, lambda ranks: train(ranks, steps=2, batch_size=8, validation=()))
    assert sorted(seen.values()) == [[[0, 1]] * 2, [[2, 3, 4]] * 2, [[5, 6, 7]] * 2]


def test_all_begin_with_the_weights_of_rank_0():
    runs = as_threads(2, lambda ranks: train(ranks, weights=1 + ranks.rank, steps=3))
    assert_same_bits(*runs)
    assert_same_steps(runs[0], train(steps=3))


@pytest.mark.parametrize("sizes", [(2, 3, 1), (1, 2), (3, 2)], ids=str)
@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_a_run_goes_on_with_another_number_of_ranks(tmp_path, sizes, schedule):
    for i, size in enumerate(sizes):
        steps = 23 if i == len(sizes) - 1 else 8 * (i + 1)
        runs = as_threads(
            size,
            lambda ranks, steps=steps: train(
                ranks, tmp_path, schedule=schedule, steps=steps, resume=True, validation=()
            ),
        )
    assert_same_steps(runs[0], train(schedule=schedule, validation=()))
    for other in runs[1:]:
        assert_same_bits(runs[0], other)


def test_a_resumed_run_of_ranks_ends_in_the_same_bits(tmp_path):
    how = {"optimizer": "SOAP", "stream": True, "validation": ()}
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    as_threads(2, lambda ranks: train(ranks, whole, **how))
    as_threads(2, lambda ranks: train(ranks, pieces, steps=11, **how))
    as_threads(2, lambda ranks: train(ranks, pieces, resume=True, **how))
    (whole / "best.npz").write_bytes(b"")
    with np.load(whole / "last.npz") as a, np.load(pieces / "last.npz") as b:
        for key in a.files:
            np.testing.assert_array_equal(a[key], b[key], err_msg=key)


def test_rank_0_alone_validates_and_saves(tmp_path, monkeypatch):
    threads, validate, save = set(), training.validate, RunFolder.save
    here = threading.local()

    def validated(*arguments):
        threads.add(("validate", here.rank))
        return validate(*arguments)

    def saved(*arguments):
        threads.add(("save", here.rank))
        save(*arguments)

    monkeypatch.setattr(training, "validate", validated)
    monkeypatch.setattr(RunFolder, "save", saved)

    def work(ranks):
        here.rank = ranks.rank
        return train(ranks, tmp_path)

    first, second = as_threads(2, work)
    assert threads == {("validate", 0), ("save", 0)}
    assert_same_bits(first, second)  # the scores, too
    assert sorted(os.listdir(tmp_path)) == [".lock", "best.npz", "history.csv", "last.npz"]


def test_one_allreduce_a_step():
    sent = as_threads(2, lambda ranks: (train(ranks, steps=9), ranks.comm.sent)[1])
    size = sum(p.size for p in ESPCN(2).params.values())
    for buffers in sent:
        assert [buffer.shape for buffer in buffers] == [(size + 1 + 2,)] * 9  # loss and two wishes


def test_a_loss_that_is_no_number_on_one_rank_stops_all_at_once(tmp_path):
    def work(ranks):
        calls = []

        def ruined(prediction, target):
            calls.append(1)
            value, dy = mse(prediction, target)
            return value * (np.nan if ranks.rank == 1 and len(calls) == 14 else 1), dy

        return train(ranks, tmp_path, loss=ruined)

    with pytest.raises(DivergedError, match="the loss is nan at step 20"):
        as_threads(2, work)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_gradient_that_is_no_number_on_one_rank_stops_all_at_once(tmp_path, optimizer):
    """At a save that one rank's clock asks for, before the next row of the history."""

    def work(ranks):
        calls = []

        def ruined(prediction, target):
            calls.append(1)
            value, dy = mse(prediction, target)
            return value, dy * (np.nan if ranks.rank == 1 and len(calls) == 15 else 1)

        return train(ranks, tmp_path, loss=ruined, optimizer=optimizer, validation=())

    words = r"a gradient .* step 14|conv1.weight holds numbers that are not finite at step 15"
    with pytest.raises(DivergedError, match=words):
        as_threads_with_a_clock(2, work)


def as_threads_with_a_clock(size, work):
    """Let each look at the clock of rank 1 be two seconds later, and the others' stand still."""
    times = threading.local()

    def monotonic():
        return times.now() if hasattr(times, "now") else time.monotonic()

    def with_clock(ranks):
        count = iter(range(10**6))
        times.now = lambda: 2.0 * next(count) * ranks.rank
        return work(ranks)

    clock = SimpleNamespace(monotonic=monotonic, perf_counter=time.perf_counter)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "time", clock)
        return as_threads(size, with_clock)


def test_a_save_that_one_clock_asks_for_is_everyones(tmp_path, monkeypatch):
    saved, save = [], RunFolder.save

    def record(self, model, optimizer, progress, *rest):
        saved.append(progress["step"])
        save(self, model, optimizer, progress, *rest)

    monkeypatch.setattr(RunFolder, "save", record)
    as_threads_with_a_clock(2, lambda ranks: train(ranks, tmp_path, steps=8, validation=()))
    assert saved == [3, 6, 8]


def test_a_folder_in_use_is_everyones_error(tmp_path):
    train(out=tmp_path, steps=2)
    with pytest.raises(FileExistsError, match="holds a run already"):
        as_threads(2, lambda ranks: train(ranks, tmp_path, steps=4))
    with pytest.raises(ValueError, match="trained with other settings: seed=3 there, 4 here"):
        as_threads(2, lambda ranks: train(ranks, tmp_path, seed=4, resume=True))


@pytest.mark.parametrize("file", ["save", "save_best"])
def test_a_full_disk_is_everyones_error(tmp_path, monkeypatch, file):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RunFolder, file, full)
    with pytest.raises(OSError, match="No space left"):
        as_threads(2, lambda ranks: train(ranks, tmp_path, steps=4))


@pytest.mark.parametrize("count", [1, 5])
def test_each_rank_draws_a_part_of_the_leaves(monkeypatch, count):
    drawn, draw = [], dead_leaves_pictures

    def record(count, *how, **options):
        drawn.append(count)
        return draw(count, *how, **options)

    monkeypatch.setattr(train_command, "dead_leaves_pictures", record)
    options = SimpleNamespace(renew=0, scale=2, channels=1, seed=4)
    photograph = pictures(1, 40, 7)[0]

    def work(ranks):
        return train_command._data(options, [photograph], count, 40, ranks)

    runs = as_threads(3, work)
    assert sum(drawn) == count
    assert max(drawn) == -(-count // 3)
    for data in runs:
        for (lr, hr), (lr_alone, hr_alone) in zip(data._pairs, work(Alone())._pairs, strict=True):
            np.testing.assert_array_equal(lr, lr_alone)
            np.testing.assert_array_equal(hr, hr_alone)


class Second(Alone):
    """The second of two ranks, which never hears from the first."""

    rank, size = 1, 2

    def first(self, function):
        raise InterruptedError


def test_what_would_fail_is_known_before_pictures_are_drawn(monkeypatch, tmp_path):
    """And only rank 0 tries the folder, or the two would lock each other out."""
    for name in ("RunFolder", "_data"):
        monkeypatch.setattr(train_command, name, None)
    parser = cli._parser()
    for batch, error in (("2", InterruptedError), ("1", ValueError)):
        options = parser.parse_args(["train", "--batch-size", batch, "--out", str(tmp_path)])
        with pytest.raises(error):
            train_command._train(options, Second())


# --- without MPI ----------------------------------------------------------------------------------


def fake_world(monkeypatch, size=1):
    """Let MPI be there, with one rank that knows of no other."""
    comm = SimpleNamespace(Get_size=lambda: size, Get_rank=lambda: 0, Dup=lambda: comm)
    mpi = SimpleNamespace(COMM_WORLD=comm, Get_library_version=lambda: "MPICH 5, and so on")
    monkeypatch.setattr(distributed, "_require_mpi", lambda: mpi)


@pytest.mark.parametrize("name", ["PMI_SIZE", "OMPI_COMM_WORLD_SIZE"])
def test_an_mpiexec_of_another_mpi_is_named(monkeypatch, name):
    fake_world(monkeypatch)
    monkeypatch.setenv(name, "4")
    words = "mpiexec started 4 processes, but mpi4py sees 1: .* the mpiexec of 'MPICH 5'"
    with pytest.raises(RuntimeError, match=words), world():
        pass


def test_without_mpi_one_line_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", None)
    assert cli.main(["train", "--distributed"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("npespcn train: mpi4py is not installed: pip install 'npespcn[mpi]'")


def test_an_mpi4py_that_finds_no_library_is_named(monkeypatch):
    def missing(name):
        raise RuntimeError("cannot load MPI library\nlibmpi.so: not found")

    monkeypatch.setattr(distributed.importlib, "import_module", missing)
    with pytest.raises(RuntimeError, match=r"mpi4py finds no MPI \(cannot load MPI library\): pip"):
        distributed._require_mpi()


def test_cores_are_shared_by_the_ranks_that_may_use_them(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 1, 0, 2}, raising=False)
    for others, threads in [
        ([], 4),
        ([[0, 1, 2, 3]], 2),
        ([[0, 1, 2, 3]] * 2, 1),
        ([[4, 5, 6, 7]], 4),  # each has cores of its own
        ([[0, 1, 2, 3]] * 9, 1),
    ]:
        node = SimpleNamespace(allgather=lambda mine, others=others: [mine, *others])
        assert distributed._share_of_cores(node) == threads


# --- under mpiexec --------------------------------------------------------------------------------


@functools.cache
def mpiexec() -> str | None:
    """Where it is: beside this Python first, which is where PyPI's MPICH puts it."""
    return shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")


@pytest.fixture
def ranks_of(tmp_path):
    """Start ranks of Python on this checkout; none is left in the end."""
    missing = [] if importlib.util.find_spec("mpi4py") else ["mpi4py"]
    missing += [] if mpiexec() else ["mpiexec"]
    if missing and os.environ.get("NPESPCN_REQUIRE_MPI") == "1":
        pytest.fail(f"{' and '.join(missing)} must be there: pip install 'npespcn[mpi]'")
    elif missing:
        pytest.skip(f"no {' and no '.join(missing)} (pip install 'npespcn[mpi]')")
    started = []

    def start(size: int, *words: object, **environment: str) -> subprocess.Popen:
        path = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
        process = subprocess.Popen(  # noqa: S603
            [mpiexec(), "-n", str(size), sys.executable, *map(str, words)],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path, "NPESPCN_THREADS": "1", **environment},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def end_of(process: subprocess.Popen) -> tuple[int, str, str]:
    """Wait for it; return its exit status and what it has written."""
    words, log = process.communicate(timeout=100)
    return process.returncode, words, log


def call(function: str, *arguments: object) -> list[str]:
    """Return the words that make Python call a function of this module."""
    given = ", ".join(repr(str(a) if isinstance(a, Path) else a) for a in arguments)
    return ["-c", f"import test_distributed; test_distributed.{function}({given})"]


def train_all(ranks: Alone, out: str, runs: dict[str, dict[str, Any]]) -> None:
    """Train in several ways, and write down what came of each."""
    for name, options in runs.items():
        trained = train(ranks, **options)
        arrays = {f"{i}/{k}": v for i, part in enumerate(trained) for k, v in part.items()}
        np.savez(Path(out, f"{name}-{ranks.rank}.npz"), **arrays)


def rank_trains(out: str, runs: dict[str, dict[str, Any]]) -> None:
    """Be a rank under ``mpiexec``."""
    with world() as ranks:
        train_all(ranks, out, runs)
        threads = os.environ["NPESPCN_THREADS"]
    left = os.environ.get("NPESPCN_THREADS", "none")
    Path(out, f"threads-{ranks.rank}").write_text(f"{threads} {left}")


def read(path: Path) -> Trained:
    with np.load(path) as arrays:
        parts = [{}, {}, {}]
        for key in arrays.files:
            i, name = key.split("/", 1)
            parts[int(i)][name] = arrays[key]
    return Trained(*parts)


def assert_trained_as_one(folder: Path, size: int, runs: dict[str, dict[str, Any]]) -> None:
    """Compare what `train_all` has written on each rank with a run that has no ranks."""
    for name, options in runs.items():
        first, *others = (read(folder / f"{name}-{rank}.npz") for rank in range(size))
        for other in others:
            assert_same_bits(first, other)
        if options.get("optimizer") != "SOAP":
            assert_same_steps(first, alone(**options))


@pytest.mark.parametrize("size", [2, 3])
def test_mpi_ranks_take_the_steps_of_one_with_the_whole_batch(ranks_of, tmp_path, size):
    runs = {f"{i}": options for i, options in enumerate(SAME_STEPS)}
    runs["SOAP"] = {"optimizer": "SOAP"}
    setting = {2: "", 3: "5"}[size]  # said nowhere, or said
    process = ranks_of(size, *call("rank_trains", tmp_path, runs), NPESPCN_THREADS=setting)
    status, words, log = end_of(process)
    assert (status, words, log) == (0, "", "")
    assert_trained_as_one(tmp_path, size, runs)
    threads = {(tmp_path / f"threads-{rank}").read_text() for rank in range(size)}
    share = max(1, thread_count() // size)
    assert threads == {f"{setting or share} {setting}"}


FEW = "--scale 2 --patch-size 10 --optimizer adam --schedule constant"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for i, picture in enumerate(pictures(3, 40)):
        write_image(folder / f"{i}.png", picture)
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture
def command(photos, tmp_path):
    """Return the words of a ``npespcn train`` into a folder."""

    def words(*flags: object, out: Path = tmp_path / "run", data: Path = photos) -> list[object]:
        folders = ["--data", data, "--val", photos, "--out", out]
        return ["train", *FEW.split(), "--batch-size", 4, *folders, *flags]

    return words


def test_the_command_trains_on_ranks_and_goes_on_with_others(ranks_of, command, tmp_path, capsys):
    """2 ranks draw and train, 3 go on, and one that knows of no others ends it."""
    flags = ("--distributed", "--pictures", 3, "--resume")
    ended = end_of(ranks_of(2, "-m", "npespcn", *command(*flags, "--steps", 12)))
    assert ended[0] == 0
    summary = r"\S+run: 6 pictures, 12 steps; on 3 pictures held out .*\n\S+best.npz and last.npz.*"
    assert re.fullmatch(rf"{summary}\n", ended[1])
    lines = ended[2].splitlines()
    assert lines[0] == "2 ranks; threads of rank 0: 1"
    assert len(lines) == 1 + 2 + 1 + 2  # a picture that is none, twice; what is drawn; two steps
    assert sum("skipped notes.txt" in line for line in lines) == 2
    assert saved_step(tmp_path / "run") == 12

    ended = end_of(ranks_of(3, "-m", "npespcn", *command(*flags, "--steps", 17)))
    assert ended[0] == 0
    assert saved_step(tmp_path / "run") == 17
    last = [str(word) for word in command("--pictures", 3, "--steps", 22)]
    assert cli.main([*last, "--resume"]) == 0
    whole = [str(word) for word in command("--pictures", 3, "--steps", 22, out=tmp_path / "whole")]
    assert cli.main(whole) == 0
    one, two = (ESPCN.load(tmp_path / name / "last.npz").params for name in ("run", "whole"))
    for name in one:
        np.testing.assert_allclose(one[name], two[name], rtol=0, atol=1e-3)


def wait_until(condition) -> None:
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("waited for a minute")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_ranks_after_a_step_that_is_saved(ranks_of, command, tmp_path, number):
    out = tmp_path / "run"
    process = ranks_of(2, "-m", "npespcn", *command("--distributed", "--steps", 10**7))
    wait_until((out / "last.npz").exists)
    process.send_signal(number)
    status, words, log = end_of(process)
    assert status == 130
    assert "Traceback" not in log
    assert "failed" not in log
    # MPICH's mpiexec says that it passes Ctrl-C on.
    assert [line for line in words.splitlines() if "mpiexec" not in line] == []
    own = [line for line in log.splitlines() if "mpiexec" not in line]
    advice = f"saved in {out}; the same command with --resume goes on from there"
    assert own[-2:] == [advice, "npespcn train: stopped"]
    assert own.count(advice) == 1
    steps = saved_step(out) + 3
    again = command("--distributed", "--steps", steps, "--resume")
    assert end_of(ranks_of(2, "-m", "npespcn", *again))[0] == 0
    assert saved_step(out) == steps


def rank_dies(out: str, how: str) -> None:
    """Be a rank: train, and as rank 1 die in step 8."""
    distributed.GRACE = 0.5
    training.SAVE_EVERY_STEPS = 5
    with world() as ranks:

        def watch(step: int) -> None:
            if step == 8 and ranks.rank == 1:
                if how in ("SIGKILL", "SIGTERM"):
                    signal.raise_signal(getattr(signal, how))
                    return
                raise MemoryError("no room") if how == "memory" else KeyError("a bug")

        train(ranks, out, watch, steps=12)


@pytest.mark.parametrize("how", ["SIGKILL", "memory", "bug"])
def test_a_rank_that_dies_ends_the_run_which_can_be_resumed(ranks_of, tmp_path, how):
    out = tmp_path / "run"
    status, words, log = end_of(ranks_of(2, *call("rank_dies", out, how)))
    assert status not in (0, 130)
    assert ("Traceback" in log) == (how == "bug")
    if how == "SIGKILL":  # its mpiexec has the word
        assert re.search("signal 9|KILLED|Killed", words + log)
    else:
        error = "MemoryError: no room" if how == "memory" else "KeyError: 'a bug'"
        assert [line for line in log.splitlines() if line.startswith("npespcn")] == [
            "npespcn: rank 1 of 2 failed, which ends the run; its last checkpoint stays. " + error
        ]
    assert saved_step(out) == 5
    folders = {name: {"out": str(tmp_path / name), "steps": 12} for name in ("run", "fresh")}
    folders["run"]["resume"] = True
    assert end_of(ranks_of(2, *call("rank_trains", tmp_path, folders)))[0] == 0
    assert_same_run(out, tmp_path / "fresh")


def test_a_signal_to_one_rank_stops_all_after_its_step(ranks_of, tmp_path):
    status, _, log = end_of(ranks_of(3, *call("rank_dies", tmp_path / "run", "SIGTERM")))
    assert status != 0
    assert log.splitlines().count("KeyboardInterrupt") == 1  # on rank 0; the others are quiet
    assert "failed" not in log
    assert saved_step(tmp_path / "run") == 8


MISTAKES = {
    "a batch too small": (["--batch-size", 2], "a batch of 2 leaves some of 3 ranks without"),
    "no such folder": (["--data", "nowhere"], "No such file or directory: 'nowhere'"),
    "a rate too high": (["--lr", "1e30", "--steps", 30], "the learning rate is probably too high"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_for_all_ranks(ranks_of, command, mistake):
    flags, words = MISTAKES[mistake]
    process = ranks_of(3, "-m", "npespcn", *command("--distributed", *flags))
    status, _, log = end_of(process)
    assert status == 1
    (line,) = (line for line in log.splitlines() if line.startswith("npespcn train:"))
    assert words in line
    assert "Traceback" not in log
    assert "Abort" not in log


def test_a_run_already_there_is_one_line_for_all_ranks(ranks_of, command, tmp_path):
    train(out=tmp_path / "run", steps=1)
    status, _, log = end_of(ranks_of(2, "-m", "npespcn", *command("--distributed")))
    assert status == 1
    last = f"npespcn train: {tmp_path}/run holds a run already: resume it, or choose another folder"
    assert log.splitlines()[-1] == last
    assert log.count("holds a run") == 1
