"""Many ranks, as threads of this process, where their mathematics is seen best."""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers import assert_same_run
from run_cases import (
    FEW,
    SAME_STEPS,
    assert_same_bits,
    assert_same_steps,
    in_one_process,
    module,
    pictures,
    saved_step,
    train_double,
)

from npespcn.commands import train as command
from npespcn.data import PairedPatches, dead_leaves_pictures
from npespcn.fast.gpu import to_host
from npespcn.losses import mse
from npespcn.optim import SGD
from npespcn.pictures import write_image
from npespcn.runs import DivergedError, Group, RunFolder, SingleProcess
from npespcn.runs.ranks import Averaged, MPIGroup, Share


class Thread:
    """What `MPIGroup` asks of a communicator, among threads."""

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
    """Return what ``work(group)`` returns on each rank, or raise the error that all raise."""
    barrier, slots = threading.Barrier(size), [None] * size
    results: list[Any] = [None] * size
    errors: list[Any] = [None] * size

    def run(rank: int) -> None:
        try:
            results[rank] = work(MPIGroup(Thread(rank, size, barrier, slots), rank))
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
        assert len({str(error) for error in errors}) == 1, errors
        raise errors[0]
    return results


# --- one rank's share, and the mean over all ------------------------------------------------------


def test_shares_are_disjoint_and_even_and_all_there_is():
    for count, size in ((1, 1), (8, 2), (7, 3), (16, 5), (4, 4), (2, 3)):
        groups = [MPIGroup(Thread(rank, size, None, []), rank) for rank in range(size)]
        shares = [group.share(count) for group in groups]
        assert [i for share in shares for i in range(count)[share]] == list(range(count))
        lengths = [share.stop - share.start for share in shares]
        assert max(lengths) - min(lengths) <= 1


def test_a_batch_smaller_than_the_ranks_is_refused():
    with pytest.raises(ValueError, match="a batch of 3 leaves some of 4 ranks without a patch: "):
        MPIGroup(Thread(1, 4, None, []), 1).check_batch(3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_mean_is_weighted_by_the_images(xp, dtype, monkeypatch):
    """On two ranks with 1 and 2 of 3 images."""
    if xp is not np:
        monkeypatch.setitem(sys.modules, "cupy", xp)
    rng = np.random.default_rng(0)
    gradients = [
        {"w": rng.normal(size=(2, 3)).astype(dtype), "b": rng.normal(size=4).astype(dtype)}
        for _ in range(2)
    ]
    losses = (3.0, 8.0)

    def work(group):
        grads = {name: xp.asarray(g) for name, g in gradients[group.rank].items()}
        params = {name: xp.zeros_like(g) for name, g in grads.items()}
        model = SimpleNamespace(params=params, grads=dict(grads))
        batch = [np.arange(3), np.arange(3)]
        share = Share(SimpleNamespace(batch=lambda *_: batch), group, model)
        x, target = share.batch(None, 3, 1)
        assert type(x) is type(grads["w"])
        assert x.dtype == target.dtype == dtype
        assert to_host(x).tolist() == [[0], [1, 2]][group.rank]
        Averaged(SGD(model, lr=-1.0), share).step()
        assert all(grads[name] is model.grads[name] for name in grads)  # changed in place
        loss = xp.asarray(np.array(losses[group.rank]))
        agreed = group.agree(loss, share.weight, group.rank == 1, False, True)
        big, small = group.comm.sent  # one buffer for all gradients, and a few numbers
        assert big.shape == (2 * 3 + 4,)
        assert big.dtype == dtype
        assert small.shape == (4,)
        return {name: to_host(param) for name, param in params.items()}, agreed

    for stepped, (loss, *flags) in as_threads(2, work):
        for name in stepped:
            expected = gradients[0][name] / 3 + gradients[1][name] * 2 / 3
            np.testing.assert_allclose(stepped[name], expected, rtol=1e-6)
        assert loss == pytest.approx((3 + 2 * 8) / 3)
        assert flags == [True, False, True]


def test_in_a_single_process_nothing_is_touched():
    group, loss, arrays = SingleProcess(), np.float32(2), [1, 2]
    assert group.agree(loss, 1.0, True, False) == (loss, True, False)
    assert group.share(5) == slice(0, 5)
    assert group.gather(arrays) is group.sum(arrays) is arrays
    group.use_gpu()


def test_the_answer_or_error_of_rank_0_is_everyones():
    asked = []

    def ask(group):
        return group.on_rank_0(lambda: asked.append(group.rank) or {"a": np.arange(3)})

    for answer in as_threads(3, ask):
        np.testing.assert_array_equal(answer["a"], np.arange(3))
    assert asked == [0]

    def fail():
        raise FileExistsError("in use")

    with pytest.raises(FileExistsError, match="in use"):
        as_threads(3, lambda group: group.on_rank_0(fail))


def test_the_ranks_of_a_machine_take_its_gpus_in_turn(monkeypatch):
    used = []
    cuda = SimpleNamespace(
        runtime=SimpleNamespace(getDeviceCount=lambda: 2, CUDARuntimeError=OSError),
        Device=lambda i: SimpleNamespace(use=lambda: used.append(i)),
    )
    fake = SimpleNamespace(cuda=cuda, asarray=np.asarray, __name__="cupy", ndarray=type(None))
    monkeypatch.setitem(sys.modules, "cupy", fake)
    for node_rank in (0, 1, 2, 5):
        MPIGroup(Thread(7, 8, None, []), node_rank).use_gpu()
    assert used == [0, 1, 0, 1]


def test_the_command_takes_its_gpu_before_it_moves_there(monkeypatch, tmp_path):
    from npespcn.commands import main as cli

    done = []
    monkeypatch.setattr(Group, "use_gpu", lambda self: done.append("use"))
    monkeypatch.setattr(command, "move", lambda model, device: done.append(device) or 1 / 0)
    for device in ("gpu", "cpu"):
        cli.main(["train", "--device", device, "--out", str(tmp_path / "run")])
    assert done == ["use", "gpu", "cpu"]


# --- training -------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", SAME_STEPS, ids=lambda o: "-".join(map(str, o.values())))
def test_ranks_take_the_steps_of_one_with_the_whole_batch(options):
    for size in (1, 2, 3):
        first, *others = as_threads(size, lambda group: train_double(ranks=group, **options))
        assert_same_steps(first, in_one_process(**options))
        for other in others:
            assert_same_bits(first, other)


def test_the_plateau_is_met_in_those_runs():
    assert len(set(in_one_process(optimizer="Adam", schedule="plateau").history["lr"])) == 2


def test_every_patch_is_seen_by_one_rank(monkeypatch):
    seen = {}
    batch, share = PairedPatches.batch, Share.batch

    def numbered(self, rng, n, p):
        lr, hr = batch(self, rng, n, p)
        return lr * 0 + np.arange(n).reshape(-1, 1, 1, 1) / 10, hr

    def seen_by(self, *how):
        x, target = share(self, *how)
        seen.setdefault(self.group.rank, []).append(np.rint(10 * x[:, 0, 0, 0]).tolist())
        return x, target

    monkeypatch.setattr(PairedPatches, "batch", numbered)
    monkeypatch.setattr(Share, "batch", seen_by)
    as_threads(3, lambda group: train_double(ranks=group, steps=2, batch_size=8, validation=()))
    assert seen == {0: [[0, 1]] * 2, 1: [[2, 3, 4]] * 2, 2: [[5, 6, 7]] * 2}


def test_all_begin_with_the_weights_of_rank_0():
    def work(group):
        return train_double(ranks=group, model_options={"seed": 1 + group.rank}, steps=3)

    runs = as_threads(2, work)
    assert_same_bits(*runs)
    assert_same_steps(runs[0], train_double(steps=3))


@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_a_run_goes_on_with_another_number_of_ranks(tmp_path, schedule):
    how = {"schedule": schedule, "resume": True, "validation": ()}
    for size, steps in ((2, 8), (3, 16), (1, 23)):
        runs = as_threads(
            size,
            lambda group, steps=steps: train_double(tmp_path, ranks=group, steps=steps, **how),
        )
    assert_same_steps(runs[0], train_double(schedule=schedule, validation=()))


def test_a_resumed_run_of_ranks_ends_in_the_same_bits(tmp_path, monkeypatch):
    how, whole, pieces = {"optimizer": "SOAP", "stream": True}, tmp_path / "a", tmp_path / "b"
    first, second = as_threads(2, lambda group: train_double(whole, ranks=group, **how))
    assert_same_bits(first, second)
    # Where there is no gradient yet, SOAP makes other steps of rounding: so not the same ones.
    np.testing.assert_allclose(first.history["loss"], train_double(**how).history["loss"], rtol=0.1)

    def stop(step):
        if step == 12:
            raise OSError("stopped")

    monkeypatch.setattr(module, "SAVE_EVERY_STEPS", 11)
    with pytest.raises(OSError, match="stopped"):
        as_threads(2, lambda group: train_double(pieces, stop, ranks=group, **how))
    as_threads(2, lambda group: train_double(pieces, ranks=group, resume=True, **how))
    assert_same_run(whole, pieces)


def test_only_rank_0_validates_and_saves(tmp_path, monkeypatch):
    called, validate, save = set(), module.validate, RunFolder.save
    here = threading.local()

    def validated(*arguments):
        called.add(("validate", here.rank))
        return validate(*arguments)

    def saved(*arguments):
        called.add(("save", here.rank))
        save(*arguments)

    monkeypatch.setattr(module, "validate", validated)
    monkeypatch.setattr(RunFolder, "save", saved)

    def work(group):
        here.rank = group.rank
        return train_double(tmp_path, ranks=group)

    first, second = as_threads(2, work)
    assert called == {("validate", 0), ("save", 0)}
    assert_same_bits(first, second)  # the scores, too
    assert sorted(os.listdir(tmp_path)) == [".lock", "best.npz", "history.csv", "last.npz"]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("optimizer", ["SOAP", "Adam"])
def test_a_number_that_is_not_finite_on_one_rank_stops_all_at_once(tmp_path, optimizer):
    """A gradient, at a save that one rank's clock asks for, before the next row; and a loss."""
    for of_loss, of_gradient, words in (
        (np.nan, 1, "the loss is nan at step 15"),
        (1, np.nan, r"a gradient .* step 14|conv1.weight holds numbers .* not finite at step 15"),
    ):

        def work(group, of_loss=of_loss, of_gradient=of_gradient):
            calls = []

            def ruined(prediction, target):
                calls.append(1)
                value, dy = mse(prediction, target)
                if group.rank == 1 and len(calls) == 15:
                    return value * of_loss, dy * of_gradient
                return value, dy

            out = tmp_path / f"{of_loss}"
            return train_double(out, ranks=group, loss=ruined, optimizer=optimizer, validation=())

        with pytest.raises(DivergedError, match=words):
            as_threads_with_a_clock(2, work)


def as_threads_with_a_clock(size, work):
    """Let each look at the clock of rank 1 be two seconds later, and the others' stand still."""
    times = threading.local()

    def monotonic():
        return times.now() if hasattr(times, "now") else time.monotonic()

    def with_clock(group):
        count = iter(range(10**6))
        times.now = lambda: 2.0 * next(count) * group.rank
        return work(group)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "time", SimpleNamespace(monotonic=monotonic))
        return as_threads(size, with_clock)


def test_a_save_that_one_clock_asks_for_is_everyones(tmp_path, monkeypatch):
    saved, save = [], RunFolder.save

    def record(self, model, optimizer, progress, *rest):
        saved.append(progress["step"])
        save(self, model, optimizer, progress, *rest)

    monkeypatch.setattr(RunFolder, "save", record)
    as_threads_with_a_clock(
        2, lambda group: train_double(tmp_path, ranks=group, steps=8, validation=())
    )
    assert saved == [3, 6, 8]


def test_an_error_of_the_folder_is_everyones(tmp_path, monkeypatch):
    train_double(tmp_path, steps=2)
    with pytest.raises(FileExistsError, match="holds a run already"):
        as_threads(2, lambda group: train_double(tmp_path, ranks=group, steps=4))
    with pytest.raises(ValueError, match="trained with other settings: seed=3 there, 4 here"):
        as_threads(2, lambda group: train_double(tmp_path, ranks=group, seed=4, resume=True))

    def full(*_):
        raise OSError(28, "No space left on device")

    for method in ("save", "save_best"):
        with monkeypatch.context() as patch:
            patch.setattr(RunFolder, method, full)
            with pytest.raises(OSError, match="No space left"):
                as_threads(2, lambda g, m=method: train_double(tmp_path / m, ranks=g, steps=4))


def test_each_rank_draws_a_share_of_the_leaves(monkeypatch):
    drawn = []

    def record(count, *how, **options):
        drawn.append(count)
        return dead_leaves_pictures(count, *how, **options)

    monkeypatch.setattr(command, "dead_leaves_pictures", record)
    options = SimpleNamespace(renew=0, scale=2, channels=1, seed=4)
    photograph = pictures(1, 40, 7)[0]
    for count in (1, 5):

        def work(group, count=count):
            return command._data(options, [photograph], None, count, 40, group)

        drawn.clear()
        runs = as_threads(3, work)
        assert sum(drawn) == count
        assert max(drawn) == -(-count // 3)
        alone = work(SingleProcess())
        for data in runs:
            for (lr, hr), (lr_alone, hr_alone) in zip(data._pairs, alone._pairs, strict=True):
                np.testing.assert_array_equal(lr, lr_alone)
                np.testing.assert_array_equal(hr, hr_alone)


def test_the_command_trains_on_ranks_and_goes_on_with_one(tmp_path, capsys):
    from npespcn.commands import main as cli

    for i, picture in enumerate(pictures(3, 40)):
        write_image(tmp_path / f"{i}.png", picture)
    run, photos = str(tmp_path / "run"), str(tmp_path)
    words = ["train", *FEW.split(), "--batch-size", "4", "--data", photos, "--val", photos]
    words += ["--pictures", "3", "--out", run, "--resume", "--steps"]
    options = cli._parser().parse_args([*words, "12"])
    as_threads(2, lambda group: command._train(options, group))
    assert saved_step(tmp_path / "run") == 12
    assert capsys.readouterr().out.count("6 images, 12 steps; on 3 images held out") == 1
    assert cli.main([*words, "17"]) == 0
    assert saved_step(tmp_path / "run") == 17


class Second(Group):
    """The second of two ranks, which never hears from the first."""

    rank, size = 1, 2

    def on_rank_0(self, function):
        raise InterruptedError


def test_what_would_fail_is_known_before_pictures_are_drawn(monkeypatch, tmp_path):
    """And only rank 0 tries the folder, or the two would lock each other out."""
    from npespcn.commands import main as cli

    for name in ("RunFolder", "_data"):
        monkeypatch.setattr(command, name, None)
    parser = cli._parser()
    for batch, error in (("2", InterruptedError), ("1", ValueError)):
        options = parser.parse_args(["train", "--batch-size", batch, "--out", str(tmp_path)])
        with pytest.raises(error):
            command._train(options, Second())
