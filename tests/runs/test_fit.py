"""`fit`: the same bits however often it is stopped, and whatever goes wrong."""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import math
import os
import re
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from run_cases import (
    FILES,
    SMALL,
    STEPS,
    Trained,
    assert_same_bits,
    assert_same_files,
    held_out,
    module,
    pictures,
    same_weights,
    saved_step,
    start,
    train,
)

import npespcn
from npespcn.data import PairedPatches, dead_leaves_pictures, validation_pairs
from npespcn.evaluation import bicubic_score, validate
from npespcn.fast.batches import Chunk
from npespcn.losses import mse
from npespcn.models import ESPCN, SRCNN
from npespcn.optim import SGD, Adam, cosine
from npespcn.pictures import upscale_bicubic
from npespcn.runs import DivergedError, RunFolder, center_biases, fit


def interrupt_at(stop, number=signal.SIGINT):
    return lambda step: signal.raise_signal(number) if step == stop else None


def train_in_pieces(out, *stops, **options) -> Trained:
    """Train until each of the `stops`, interrupted there, and then to the end."""
    for stop in stops:
        with pytest.raises(KeyboardInterrupt):
            train(out, interrupt_at(stop), resume=True, **options)
        assert saved_step(out) == stop
    return train(out, resume=True, **options)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# --- the same bits -------------------------------------------------------------------------------


@functools.cache
def uninterrupted(folder, combination) -> Trained:
    return train(folder, **dict(combination))


COMBINATIONS = [
    {"optimizer": "scaled SOAP", "schedule": "cosine"},
    {"optimizer": "SOAP", "schedule": "plateau", "stream": True},
    {"optimizer": "Adam", "schedule": "plateau"},
    {"optimizer": "SGD", "schedule": "constant", "stream": True},
]


@pytest.fixture(scope="module")
def whole_runs(tmp_path_factory):
    return tmp_path_factory.mktemp("whole")


@pytest.mark.parametrize("combination", COMBINATIONS, ids=lambda c: "-".join(map(str, c.values())))
def test_a_resumed_run_ends_in_the_bits_of_one_that_was_never_stopped(
    tmp_path, whole_runs, combination
):
    folder = whole_runs / "-".join(map(str, combination.values()))
    whole = uninterrupted(folder, tuple(combination.items()))
    for stops in ((1, 2), (7, 10, 14), (20,), (19, 21), (22, 23)):
        out = tmp_path / str(stops)
        assert_same_bits(whole, train_in_pieces(out, *stops, **combination))
        assert_same_files(folder, out)
    assert list(whole.history["step"]) == [10, 20, 23]
    assert len(set(whole.history["lr"])) > 1 or combination["schedule"] == "constant"


@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_a_run_that_is_made_longer_is_as_one_that_was_meant_to_be(tmp_path, schedule):
    longer = {"optimizer": "SOAP", "schedule": schedule, "validation": ()}
    train(tmp_path, steps=17, **longer)
    assert_same_bits(train(**longer), train(tmp_path, resume=True, **longer))


def test_a_cosine_for_another_number_of_steps_is_refused(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, interrupt_at(8), schedule="cosine")
    with pytest.raises(ValueError, match=r"after 8 steps.*the same total number of steps"):
        train(tmp_path, resume=True, steps=50, schedule=cosine(50))
    assert saved_step(tmp_path) == 8


def test_resuming_a_finished_run_changes_nothing(tmp_path):
    out = tmp_path / "deep" / "new"
    done = train(out, steps=10, resume=True)  # a fresh start, where there is nothing
    assert_same_bits(done, train(steps=10))
    before = contents(out)
    assert sorted(before) == FILES
    assert_same_bits(done, train(out, steps=10, resume=True))
    assert contents(out) == before


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    one, same, other = (train(steps=12, optimizer="SOAP", seed=seed) for seed in (3, 3, 4))
    assert_same_bits(one, same)
    assert not same_weights(one.weights, other.weights)
    assert one.history["loss"] != other.history["loss"]


@pytest.mark.parametrize("optimizer", ["SOAP", "Adam"])
def test_the_number_of_threads_changes_no_bit(monkeypatch, optimizer):
    workers, forward = set(), Chunk.forward

    def slow_forward(self, x, y):
        workers.add(threading.get_ident())
        time.sleep(0.002)  # so that no thread does the work of all
        forward(self, x, y)

    monkeypatch.setattr(Chunk, "forward", slow_forward)
    runs, seen = [], []
    for threads in (1, 2, 3):
        monkeypatch.setenv("NPESPCN_THREADS", str(threads))
        workers.clear()
        how = {"steps": 5, "batch_size": 16, "patch_size": 20, "optimizer": optimizer}
        runs.append(train(**how, model_options={"widths": (64, 32)}))
        seen.append(len(workers))
    assert seen[:2] == [1, 2]  # else this compares nothing
    assert_same_bits(runs[0], runs[1])
    assert_same_bits(runs[0], runs[2])


def test_fit_leaves_the_learning_rate_as_it_was():
    assert train(steps=5, schedule=cosine(5)).memory["lr"] == 1e-3


# --- learning ------------------------------------------------------------------------------------


def test_a_second_of_training_beats_bicubic():
    leaves = dead_leaves_pictures(6, 96)
    validation = validation_pairs(leaves[4:], 2)
    model = ESPCN(2, padding="edge")
    center_biases(model, 0.5)
    data = PairedPatches(leaves[:4], 2)
    how = {"steps": 150, "batch_size": 8, "patch_size": 16, "schedule": cosine(150)}
    history = fit(model, data, validation=validation, **how)  # SOAP, without being asked
    assert history["val_psnr"][-1] > bicubic_score(validation) + 0.8
    assert history["loss"][-1] < 0.3 * history["loss"][0]


def test_the_loss_falls_with_every_optimizer_and_padding():
    for optimizer, padding in zip(("SOAP", "Adam", "SGD"), ("same", "valid", "edge"), strict=True):
        how = {"steps": 60, "model_options": (("padding", padding),), "validation": ()}
        loss = train(optimizer=optimizer, **how).history["loss"]
        assert loss[-1] < 0.75 * loss[0], (optimizer, padding)


def test_srcnn_trains_too():
    pairs = [(upscale_bicubic(lr[0, 0], 2)[None, None], hr) for lr, hr in held_out()]
    data = SimpleNamespace(batch=lambda *_: pairs[0], seek=lambda step: None)
    model = SRCNN(padding="same")
    history = fit(model, data, Adam(model), steps=20, validation=pairs[1:], validate_every=10)
    assert history["loss"][1] < history["loss"][0]
    assert all(math.isfinite(score) for score in history["val_psnr"])


@pytest.mark.parametrize("padding", ["same", "valid", "edge"])
def test_the_target_is_what_the_network_shows(padding):
    """The loss of a network that copies pixels is 0 on images that are enlarged by copying."""
    model = ESPCN(2, activation="relu", padding=padding)
    for name, param in model.params.items():
        param[...] = 0
        if name.endswith("weight"):
            middle = param.shape[2] // 2
            channels = slice(None) if name.startswith("conv3") else 0
            param[channels, 0, middle, middle] = 1
    lr = pictures(1, 32)[0][None, None, :, :, 1].astype(np.float32) / 255
    hr = lr.repeat(2, axis=2).repeat(2, axis=3)
    data = SimpleNamespace(batch=lambda *_: (lr, hr), seek=lambda step: None)
    history = fit(model, data, SGD(model), steps=1, validation=[(lr, hr)], center=0)
    assert history["loss"][0] < 1e-12
    assert history["val_psnr"] == [math.inf]


# --- validation ----------------------------------------------------------------------------------


def scripted_validation(monkeypatch, *scores):
    """Let validations give these scores; return the list that the weights at each will be in."""
    seen, coming = [], iter(scores)

    def validate(model, pairs):
        seen.append(model.state_dict())
        return next(coming)

    monkeypatch.setattr(module, "validate", validate)
    return seen


def test_best_is_the_best_and_last_is_the_last(tmp_path, monkeypatch):
    seen = scripted_validation(monkeypatch, 20.0, 25.0, 25.0, 24.0)
    trained = train(tmp_path, steps=40)
    last, best = (npespcn.load(tmp_path / name) for name in ("last.npz", "best.npz"))
    assert same_weights(best.state_dict(), seen[1])
    assert same_weights(last.state_dict(), trained.weights)
    assert last.options == best.options == ESPCN(**SMALL).options
    assert not same_weights(last.state_dict(), seen[1])


def test_a_resumed_run_remembers_what_was_best(tmp_path, monkeypatch):
    seen = scripted_validation(monkeypatch, 25.0, 24.0, 24.5, 23.0)
    train_in_pieces(tmp_path, 12, steps=40)
    assert len(seen) == 4
    assert same_weights(npespcn.load(tmp_path / "best.npz").state_dict(), seen[0])


def test_validations_are_where_they_were_asked_for_and_at_the_end(monkeypatch, tmp_path):
    scripted_validation(monkeypatch, *range(9))
    history = train(steps=55, validate_every=20).history
    assert history["step"] == [10, 20, 30, 40, 50, 55]
    measured = [s for s, v in zip(history["step"], history["val_psnr"], strict=True) if v == v]
    assert measured == [20, 40, 55]
    assert np.isnan(train(tmp_path, steps=12, validation=()).history["val_psnr"]).all()
    assert sorted(os.listdir(tmp_path)) == [".lock", "history.csv", "last.npz"]  # and no best


def test_the_history_is_right_in_memory_and_on_disk(tmp_path):
    losses = []

    def recorded(prediction, target):
        value, dy = mse(prediction, target)
        losses.append(float(value))
        return value, dy

    trained = train(tmp_path, loss=recorded, schedule="cosine", validate_every=20)
    history = trained.history
    assert list(history) == ["step", "lr", "loss", "val_psnr"]
    assert history["step"] == [10, 20, 23]
    assert history["lr"] == [1e-3 * cosine(STEPS)(step - 1) for step in (10, 20, 23)]
    means = [np.mean(losses[a:b]) for a, b in ((0, 10), (10, 20), (20, 23))]
    np.testing.assert_allclose(history["loss"], means, rtol=1e-12)
    last = npespcn.load(tmp_path / "last.npz")
    assert history["val_psnr"][-1] == validate(last, held_out())
    assert list(np.isnan(history["val_psnr"])) == [True, False, False]

    with (tmp_path / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(history)
    assert [row["val_psnr"] == "" for row in rows] == [True, False, False]
    for name, column in history.items():
        written = [float(row[name]) if row[name] else math.nan for row in rows]
        np.testing.assert_array_equal(written, column)


# --- when it saves -------------------------------------------------------------------------------


def steps_of_saves(monkeypatch):
    saved, save = [], RunFolder.save

    def record(self, model, optimizer, progress, *rest):
        saved.append(progress["step"])
        save(self, model, optimizer, progress, *rest)

    monkeypatch.setattr(RunFolder, "save", record)
    return saved


def fake_clock(monkeypatch, on_call=lambda: None):
    """Give training a clock of its own; return a function that moves it on."""
    now = [1000.0]

    def monotonic():
        on_call()
        return now[0]

    def advance(seconds):
        now[0] += seconds

    # Only the clock that never jumps back: the time of day would be an AttributeError.
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=monotonic))
    return advance


def test_the_last_checkpoint_is_at_most_a_hundred_steps_or_five_seconds_old(tmp_path, monkeypatch):
    advance = fake_clock(monkeypatch)
    saved = steps_of_saves(monkeypatch)
    how = {"optimizer": "SGD", "patch_size": 9, "batch_size": 1, "validation": ()}
    train(tmp_path / "steps", steps=230, **how)
    train(tmp_path / "seconds", lambda step: advance(2.0), steps=11, **how)
    assert saved == [100, 200, 230, 3, 6, 9, 11]


# --- stopped -------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_step_and_saves_it(tmp_path, number):
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, interrupt_at(7, number))
    assert saved_step(tmp_path) == 7
    assert signal.getsignal(number) is before
    assert sorted(os.listdir(tmp_path)) == [".lock", "history.csv", "last.npz"]


def test_a_second_ctrl_c_does_not_wait(tmp_path):
    def watch(step):
        if step == 4:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, watch)
    assert os.listdir(tmp_path) == [".lock"]
    with pytest.raises(KeyboardInterrupt):
        train(None, interrupt_at(2))  # without a folder the first one does not, either


def test_a_signal_at_any_moment_finds_its_step_saved(tmp_path, monkeypatch):
    steps = []

    def between_two_looks():
        if steps and steps[-1] == 5:
            steps.append(-1)
            signal.raise_signal(signal.SIGINT)

    fake_clock(monkeypatch, between_two_looks)
    saved = steps_of_saves(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, steps.append)
    assert saved == [max(steps)]


def test_ignored_signals_stay_ignored(tmp_path):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as nohup and "&" do
    try:
        train(tmp_path, interrupt_at(2), steps=4)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    except KeyboardInterrupt:
        pytest.fail("an ignored signal stopped the run")
    finally:
        signal.signal(signal.SIGINT, before)


def test_it_trains_in_a_thread_where_signals_cannot_be_caught(tmp_path):
    results = []
    thread = threading.Thread(target=lambda: results.append(train(tmp_path, steps=6)))
    thread.start()
    thread.join()
    assert_same_bits(results[0], train(steps=6))


def child(out: str, place: str) -> None:
    """Train, and stand still at a place, until the parent kills this process."""

    def stand_still(*_: object) -> Any:
        print("standing", flush=True)
        time.sleep(600)

    module.SAVE_EVERY_STEPS = 5
    watch = None
    if place == "step":
        watch = lambda step: stand_still() if step == 18 else None  # noqa: E731
    elif place == "validation":
        validate = module.validate
        validations = iter([validate, stand_still])
        module.validate = lambda *arguments: next(validations)(*arguments)
    else:
        fsync, files = os.fsync, []

        def sync(descriptor):
            files.append(descriptor)
            if len(files) == {"first save": 2, "later save": 7}[place]:
                stand_still()
            fsync(descriptor)

        os.fsync = sync
    train(Path(out), watch, **COMBINATIONS[0], resume=True)


@pytest.mark.parametrize("place", ["step", "validation", "first save", "later save"])
def test_a_killed_run_is_resumed_to_the_same_bits(tmp_path, whole_runs, place):
    out = tmp_path / "run"
    process = start("-c", f"import test_fit; test_fit.child({str(out)!r}, {place!r})")
    try:
        assert process.stdout.readline().strip() == "standing"
        with pytest.raises(FileExistsError, match="another process is training"):
            train(out, **COMBINATIONS[0], resume=True)
        temporary = [name for name in os.listdir(out) if name not in FILES]
        assert len(temporary) == ("save" in place)
        assert ("last.npz" in os.listdir(out)) == (place != "first save")
    finally:
        process.kill()  # SIGKILL: nothing is tidied up
        process.communicate()
    if place != "first save":
        assert saved_step(out) == {"step": 15, "validation": 15, "later save": 10}[place]

    folder = whole_runs / "-".join(COMBINATIONS[0].values())
    whole = uninterrupted(folder, tuple(COMBINATIONS[0].items()))
    assert_same_bits(whole, train(out, **COMBINATIONS[0], resume=True))
    assert_same_files(folder, out)


# --- what goes wrong -----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # overflow
@pytest.mark.parametrize("optimizer", ["SOAP", "Adam", "SGD"])
def test_a_rate_that_is_too_high_stops_the_run(tmp_path, monkeypatch, optimizer):
    monkeypatch.setattr(module, "SAVE_EVERY_STEPS", 4)
    explode = lambda step: 1.0 if step < 22 else 1e30  # noqa: E731
    with pytest.raises(DivergedError, match=r"at step 2\d: the learning rate is probably too high"):
        train(tmp_path, optimizer=optimizer, schedule=explode, steps=33)
    assert saved_step(tmp_path) == 20
    for name in ("last.npz", "best.npz"):
        weights = npespcn.load(tmp_path / name).params.values()
        assert max(np.abs(array).max() for array in weights) < 10
    assert sorted(os.listdir(tmp_path)) == FILES


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_weights_that_are_no_numbers_are_not_kept(tmp_path):
    """The loss is from before a step, and may be fine when the weights are ruined."""
    for optimizer, at, validation in (
        ("Adam", 20, ()),
        ("SOAP", 20, held_out()),
        ("SOAP", 1, ()),  # where it takes the gradient apart
    ):

        def ruin_a_gradient(prediction, target, calls=[], at=at):  # noqa: B006
            calls.append(1)
            value, dy = mse(prediction, target)
            return value, dy * (np.nan if len(calls) == at else 1)

        out = tmp_path / f"{optimizer} {at}"
        words = "a gradient is" if at == 1 else "conv1.weight holds numbers that are"
        with pytest.raises(DivergedError, match=f"{words} not finite at step {at // 20 * 20}"):
            train(out, loss=ruin_a_gradient, optimizer=optimizer, steps=20, validation=validation)
        if at == 20 and validation:
            npespcn.load(out / "best.npz")  # which refuses what is not finite


@pytest.mark.parametrize("full_at", [3, 4])
def test_a_full_disk_leaves_the_old_files_whole(tmp_path, monkeypatch, full_at):
    """Of a save, the third file is the history, and the fourth is the checkpoint."""
    monkeypatch.setattr(module, "SAVE_EVERY_STEPS", 5)
    whole = train(steps=12, validation=())
    fsync, calls = os.fsync, []

    def full(descriptor):
        calls.append(1)
        if len(calls) == full_at:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            train(tmp_path, steps=12, validation=())
    assert saved_step(tmp_path) == 5
    assert sorted(os.listdir(tmp_path)) == [".lock", "history.csv", "last.npz"]
    assert_same_bits(whole, train(tmp_path, steps=12, validation=(), resume=True))


def test_a_folder_that_vanishes_is_an_os_error(tmp_path):
    out = tmp_path / "run"
    with pytest.raises(OSError, match="run"):
        train(out, lambda step: shutil.rmtree(out) if step == 3 else None, steps=5)


def test_numbers_out_of_range_are_refused():
    for name in ("steps", "batch_size", "patch_size", "validate_every"):
        with pytest.raises(ValueError, match=f"fit: {name} must be at least 1, got 0"):
            train(**{name: 0})
    with pytest.raises(ValueError, match="validate_every must be a multiple of 10, got 25"):
        train(validate_every=25)


# --- progress ------------------------------------------------------------------------------------


def test_a_log_gets_a_few_plain_lines_where_asked(capsys):
    train(steps=20, progress=True)
    lines = capsys.readouterr().err.splitlines()
    pattern = r"step (10|20)/20: loss \d\.\d\de-\d\d, PSNR \d+\.\d\d dB, \d+\.\d steps/s"
    assert len(lines) == 2
    assert all(re.fullmatch(pattern, line) for line in lines)
    how = {"optimizer": "SGD", "batch_size": 1, "patch_size": 9, "validation": ()}
    train(steps=420, progress=True, **how)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 21
    assert "dB on patches" in lines[-1]
    train(steps=10, progress=True, loss="log_mse", validation=())  # below 0
    assert re.match(r"step 10/10: loss -\d\.\d\de[+-]\d\d, \d+", capsys.readouterr().err)
    train(steps=10)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    with contextlib.redirect_stderr(Terminal()) as written:
        train(steps=20, progress=True)
    assert sys.stderr is not written
    last = written.getvalue().split("\r")[-1]
    assert re.search(r"20/20 \[.*step.*loss=?.*PSNR \d+\.\d\d dB\]", last)


def test_data_for_another_scale_are_refused():
    data = PairedPatches([np.zeros((60, 60, 3), np.uint8)], 3)
    with pytest.raises(ValueError, match="the data are for scale 3, the model for 2"):
        fit(ESPCN(2), data, steps=1)
