from __future__ import annotations

import csv
import functools
import io
import json
import math
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers import assert_same_run

from npespcn.data.dead_leaves import dead_leaves_pictures
from npespcn.data.patches import LeafStream, PairedPatches, validation_pairs
from npespcn.evaluation.validation import bicubic_score, validate
from npespcn.layers import Conv2d
from npespcn.losses import l1, mse
from npespcn.models import ESPCN, SRCNN
from npespcn.optim import SGD, SOAP, Adam, Plateau, cosine, step_decay
from npespcn.pictures.resize import downscale, upscale_bicubic
from npespcn.runs import fit as training
from npespcn.runs.centering import centre_biases
from npespcn.runs.fit import DivergedError, fit
from npespcn.runs.folder import RunFolder

STEPS = 33  # the last row of the history is not a full one
FILES = [".lock", "best.npz", "history.csv", "last.npz"]

OPTIMIZERS = {
    "SOAP": lambda model: SOAP(model, lr_factors={"conv3": 0.5}),
    "Adam": Adam,
    "SGD": lambda model: SGD(model, momentum=0.9),
}
SCHEDULES = {
    "constant": lambda: None,
    "cosine": lambda: cosine(STEPS),
    "plateau": lambda: Plateau(patience=1, threshold=0.9),
}
pictures = functools.cache(dead_leaves_pictures)


class Watched:
    """Data that calls `watch` with the step's number before each batch; for all else as `data`."""

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
    model: ESPCN
    optimizer: Any
    history: dict[str, list[float]]


def train(
    out=None,
    watch=None,
    *,
    optimizer="Adam",
    schedule="constant",
    stream=False,
    count=2,
    model_options=(),
    watched=Watched,
    **options,
) -> Trained:
    """Train a new network on new data."""
    model = ESPCN(**{"scale": 2, "padding": "edge", "seed": 1} | dict(model_options))
    centre_biases(model, 0.5)
    steppers = OPTIMIZERS[optimizer](model) if isinstance(optimizer, str) else optimizer(model)
    if stream:
        data = LeafStream(2, count=count, every=3, size=40, seed=5)
    else:
        data = PairedPatches(pictures(count, 40), 2)
    how = {
        "steps": STEPS,
        "batch_size": 2,
        "patch_size": 10,
        "validation": held_out(),
        "validate_every": 10,
        "schedule": SCHEDULES[schedule]() if isinstance(schedule, str) else schedule,
        "seed": 3,
    }
    history = fit(model, watched(data, watch), steppers, out=out, **how | options)
    return Trained(model, steppers, history)


def held_out(count=2):
    return validation_pairs(pictures(count, 32, 99), 2)


def interrupt_at(stop, number=signal.SIGINT):
    return lambda step: signal.raise_signal(number) if step == stop else None


def train_in_pieces(out, *stops, **options) -> Trained:
    """Train until each of the `stops`, interrupted there, and then to the end."""
    for stop in stops:
        with pytest.raises(KeyboardInterrupt):
            train(out, interrupt_at(stop), resume=True, **options)
        assert saved_step(out) == stop
    return train(out, resume=True, **options)


def assert_same_bits(one: Trained, two: Trained) -> None:
    for a, b in (
        (one.model.state_dict(), two.model.state_dict()),
        (one.optimizer.state_dict(), two.optimizer.state_dict()),
        (one.history, two.history),
    ):
        assert a.keys() == b.keys()
        for name in a:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    assert one.optimizer.steps == two.optimizer.steps
    assert one.optimizer.lr == two.optimizer.lr


def assert_same_files(one: Path, two: Path) -> None:
    assert_same_run(one, two)
    assert sorted(os.listdir(one)) == sorted(os.listdir(two)) == FILES


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def saved_step(out: Path) -> int:
    with np.load(out / "last.npz") as arrays:
        return json.loads(str(arrays["progress"]))["step"]


def same_weights(model, state) -> bool:
    own = model.state_dict()
    return own.keys() == state.keys() and all(np.array_equal(own[k], state[k]) for k in own)


# --- the same bits -------------------------------------------------------------------------------


@functools.cache
def uninterrupted(folder, combination) -> Trained:
    return train(folder, **dict(combination))


COMBINATIONS = [
    {"optimizer": "SOAP", "schedule": "cosine"},
    {"optimizer": "SOAP", "schedule": "plateau", "stream": True},
    {"optimizer": "Adam", "schedule": "plateau"},
    {"optimizer": "SGD", "schedule": "constant", "stream": True},
]


@pytest.fixture(scope="module")
def whole_runs(tmp_path_factory):
    return tmp_path_factory.mktemp("whole")


@pytest.mark.parametrize("stops", [(1,), (7, 10, 24), (20,), (19, 21), (30, 32), (33,)], ids=str)
@pytest.mark.parametrize("combination", COMBINATIONS, ids=lambda c: "-".join(map(str, c.values())))
def test_a_resumed_run_ends_in_the_bits_of_one_that_was_never_stopped(
    tmp_path, whole_runs, combination, stops
):
    folder = whole_runs / "-".join(map(str, combination.values()))
    whole = uninterrupted(folder, tuple(combination.items()))
    pieces = train_in_pieces(tmp_path, *stops, **combination)
    assert_same_bits(whole, pieces)
    assert_same_files(folder, tmp_path)
    assert whole.history["step"] == [10, 20, 30, 33]
    assert len(set(whole.history["lr"])) > 1 or combination["schedule"] == "constant"


@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_a_run_that_is_made_longer_is_as_one_that_was_meant_to_be(tmp_path, schedule):
    longer = {"optimizer": "SOAP", "schedule": schedule, "validation": ()}
    train(tmp_path, steps=17, **longer)
    assert_same_bits(train(**longer), train(tmp_path, resume=True, **longer))


def test_a_cosine_for_another_number_of_steps_is_refused(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, interrupt_at(8), schedule="cosine")
    with pytest.raises(ValueError, match=r"after 8 steps.*the same number of steps"):
        train(tmp_path, resume=True, steps=50, schedule=cosine(50))
    assert saved_step(tmp_path) == 8


def test_resuming_a_finished_run_changes_nothing(tmp_path):
    done = train(tmp_path, steps=10)
    before = contents(tmp_path)
    again = train(tmp_path, steps=10, resume=True)
    assert_same_bits(done, again)
    assert contents(tmp_path) == before


def test_resume_starts_fresh_where_there_is_nothing(tmp_path):
    out = tmp_path / "deep" / "new"
    assert_same_bits(train(steps=10), train(out, steps=10, resume=True))
    assert sorted(os.listdir(out)) == FILES


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    one, same, other = (train(steps=12, optimizer="SOAP", seed=seed) for seed in (3, 3, 4))
    assert_same_bits(one, same)
    assert not same_weights(one.model, other.model.state_dict())
    assert one.history["loss"] != other.history["loss"]


@pytest.mark.parametrize("optimizer", ["SOAP", "Adam"])
def test_the_number_of_threads_changes_no_bit(monkeypatch, optimizer):
    workers, forward = set(), Conv2d.forward

    def slow_forward(self, x):
        workers.add(threading.get_ident())
        time.sleep(0.002)  # so that no thread does the work of all
        return forward(self, x)

    monkeypatch.setattr(Conv2d, "forward", slow_forward)
    runs, seen = [], []
    for threads in (1, 2, 3):
        monkeypatch.setenv("NPESPCN_THREADS", str(threads))
        workers.clear()
        runs.append(train(optimizer=optimizer, steps=5, batch_size=16, patch_size=20))
        seen.append(len(workers))
    assert seen[:2] == [1, 2]  # else this compares nothing
    assert_same_bits(runs[0], runs[1])
    assert_same_bits(runs[0], runs[2])


def test_fit_leaves_the_learning_rate_as_it_was():
    assert train(steps=5, schedule=cosine(5)).optimizer.lr == 1e-3


# --- learning ------------------------------------------------------------------------------------


def test_a_second_of_training_beats_bicubic():
    leaves = dead_leaves_pictures(6, 96)
    validation = validation_pairs(leaves[4:], 2)
    model = ESPCN(2, padding="edge")
    centre_biases(model, 0.5)
    data = PairedPatches(leaves[:4], 2)
    how = {"steps": 150, "batch_size": 8, "patch_size": 16, "schedule": cosine(150)}
    history = fit(model, data, validation=validation, **how)  # SOAP, without being asked
    assert history["val_psnr"][-1] > bicubic_score(validation) + 0.8
    assert history["loss"][-1] < 0.3 * history["loss"][0]


@pytest.mark.parametrize("padding", ["same", "valid", "edge"])
@pytest.mark.parametrize("optimizer", ["SOAP", "Adam", "SGD"])
def test_the_loss_falls_with_every_optimiser_and_padding(optimizer, padding):
    history = train(
        optimizer=optimizer, steps=60, model_options={"padding": padding}, validation=()
    ).history
    assert history["loss"][-1] < 0.75 * history["loss"][0]


def test_srcnn_trains_too():
    pairs = [(upscaled(lr), hr) for lr, hr in held_out()]
    data = SimpleNamespace(batch=lambda *_: pairs[0], seek=lambda step: None)
    model = SRCNN(padding="same")
    history = fit(model, data, Adam(model), steps=20, validation=pairs[1:], validate_every=10)
    assert history["loss"][1] < history["loss"][0]
    assert all(math.isfinite(score) for score in history["val_psnr"])


def upscaled(lr):
    return upscale_bicubic(lr[0, 0], 2)[None, None]


# --- validation ----------------------------------------------------------------------------------


def psnr_by_hand(y, hr, border):
    """PSNR of (C, H, W) pictures from 0 to 1, with 8 bits, without their borders."""
    a, b = (np.round(np.clip(x, 0, 1) * 255) for x in (y, hr))
    inside = np.s_[:, border:-border, border:-border]
    return 10 * np.log10(255**2 / np.mean((a[inside] - b[inside]) ** 2))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("padding", ["same", "valid", "edge"])
def test_validation_is_the_mean_psnr_of_whole_pictures(padding, channels):
    model = ESPCN(3, channels, padding=padding, seed=2)
    model.params["conv3.bias"] += 0.5
    uneven = [pictures(1, 70)[0][:50], pictures(1, 60)[0][:, :45]]
    pairs = validation_pairs(uneven, 3, channels)
    expected = []
    for lr, hr in pairs:
        y = model.predict(lr)[0]
        target = hr[0, :, 12:-12, 12:-12] if padding == "valid" else hr[0]
        assert y.shape == target.shape
        expected.append(psnr_by_hand(y, target, 3))
    assert abs(expected[0] - expected[1]) > 0.1
    assert validate(model, pairs) == pytest.approx(np.mean(expected), abs=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_line_to_beat_is_bicubic_interpolation(channels):
    picture = pictures(1, 60)[0][:, :45]
    if channels == 1:
        picture = np.repeat(picture[..., :1], 3, axis=2)
    expected = upscale_bicubic(downscale(picture, 3), 3).transpose(2, 0, 1) / 255
    score = psnr_by_hand(expected, picture.transpose(2, 0, 1) / 255, 3)
    if channels == 1:  # luma has a range of 219, so the same pictures are closer
        score += 20 * np.log10(255 / 219)
    tolerance = 0.05 if channels == 1 else 1e-6
    line = bicubic_score(validation_pairs([picture], 3, channels))
    assert line == pytest.approx(score, abs=tolerance)


@pytest.mark.parametrize("padding", ["same", "valid", "edge"])
def test_the_target_is_what_the_network_shows(padding):
    """The loss of a network that copies pixels is 0 on pictures that are enlarged by copying."""
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
    history = fit(model, data, SGD(model), steps=1, validation=[(lr, hr)], centre=0)
    assert history["loss"][0] < 1e-12
    assert history["val_psnr"] == [math.inf]


def scripted_validation(monkeypatch, *scores):
    """Let validations give these scores; return the list that the weights at each will be in."""
    seen, coming = [], iter(scores)

    def validate(model, pairs):
        seen.append(model.state_dict())
        return next(coming)

    monkeypatch.setattr(training, "validate", validate)
    return seen


def test_best_is_the_best_and_last_is_the_last(tmp_path, monkeypatch):
    seen = scripted_validation(monkeypatch, 20.0, 25.0, 25.0, 24.0)
    trained = train(tmp_path, steps=40)
    assert same_weights(ESPCN.load(tmp_path / "best.npz"), seen[1])
    last = ESPCN.load(tmp_path / "last.npz")
    assert same_weights(last, trained.model.state_dict())
    assert last.options == ESPCN.load(tmp_path / "best.npz").options == trained.model.options
    assert not same_weights(last, seen[1])


def test_a_resumed_run_remembers_what_was_best(tmp_path, monkeypatch):
    seen = scripted_validation(monkeypatch, 25.0, 24.0, 24.5, 23.0)
    train_in_pieces(tmp_path, 12, steps=40)
    assert len(seen) == 4
    assert same_weights(ESPCN.load(tmp_path / "best.npz"), seen[0])


def test_a_run_without_validation_has_no_best(tmp_path):
    history = train(tmp_path, steps=12, validation=()).history
    assert np.isnan(history["val_psnr"]).all()
    assert sorted(os.listdir(tmp_path)) == [".lock", "history.csv", "last.npz"]


def test_validations_are_where_they_were_asked_for_and_at_the_end(monkeypatch):
    scripted_validation(monkeypatch, *range(9))
    history = train(steps=55, validate_every=20).history
    assert history["step"] == [10, 20, 30, 40, 50, 55]
    measured = [s for s, v in zip(history["step"], history["val_psnr"], strict=True) if v == v]
    assert measured == [20, 40, 55]


# --- the folder ----------------------------------------------------------------------------------


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

    # Only the clocks that never jump back: the time of day would be an AttributeError.
    clock = SimpleNamespace(monotonic=monotonic, perf_counter=time.perf_counter)
    monkeypatch.setattr(training, "time", clock)
    return advance


def test_the_last_checkpoint_is_at_most_a_hundred_steps_old(tmp_path, monkeypatch):
    fake_clock(monkeypatch)
    saved = steps_of_saves(monkeypatch)
    train(tmp_path, optimizer="SGD", steps=230, patch_size=9, batch_size=1, validation=())
    assert saved == [100, 200, 230]


def test_the_last_checkpoint_is_at_most_five_seconds_old(tmp_path, monkeypatch):
    advance = fake_clock(monkeypatch)
    saved = steps_of_saves(monkeypatch)
    train(tmp_path, lambda step: advance(2.0), steps=11)
    assert saved == [3, 6, 9, 11]


def test_the_history_is_right_in_memory_and_on_disk(tmp_path):
    losses = []

    def recorded(prediction, target):
        value, dy = mse(prediction, target)
        losses.append(float(value))
        return value, dy

    trained = train(tmp_path, loss=recorded, schedule="cosine", validate_every=20)
    history = trained.history
    assert list(history) == ["step", "lr", "loss", "val_psnr"]
    assert history["step"] == [10, 20, 30, 33]
    assert history["lr"] == [1e-3 * cosine(STEPS)(step - 1) for step in (10, 20, 30, 33)]
    means = [np.mean(losses[a:b]) for a, b in ((0, 10), (10, 20), (20, 30), (30, 33))]
    np.testing.assert_allclose(history["loss"], means, rtol=1e-12)
    assert history["val_psnr"][-1] == validate(trained.model, held_out())
    assert list(np.isnan(history["val_psnr"])) == [True, False, True, False]

    with (tmp_path / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(history)
    assert [row["val_psnr"] == "" for row in rows] == [True, False, True, False]
    for name, column in history.items():
        written = [float(row[name]) if row[name] else math.nan for row in rows]
        np.testing.assert_array_equal(written, column)


@pytest.mark.parametrize("name", ["last.npz", "best.npz", "history.csv"])
def test_a_folder_in_use_is_refused_without_resume(tmp_path, name):
    (tmp_path / name).write_bytes(b"precious")
    with pytest.raises(FileExistsError, match="holds a run already: resume it, or choose another"):
        train(tmp_path)
    assert (tmp_path / name).read_bytes() == b"precious"


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(NotADirectoryError, match="is a file"):
        train(tmp_path / "file")
    with pytest.raises(OSError, match="file"):
        train(tmp_path / "file" / "below")


OTHER_SETTINGS = {
    "batch_size=2 there, 3 here": {"batch_size": 3},
    "patch_size=10 there, 11 here": {"patch_size": 11},
    "seed=3 there, 4 here": {"seed": 4},
    "loss='mse' there, 'l1' here": {"loss": l1},
    "validate_every=10 there, 20 here": {"validate_every": 20},
    "centre=0.5 there, 0 here": {"centre": 0},
    "data='Watched' there, 'Other' here": {"watched": type("Other", (Watched,), {})},
    "pictures=2 there, 3 here": {"count": 3},
    "validation pictures=2 there, 1 here": {"validation": held_out(1)},
    "optimizer='Adam' there, 'SGD' here, lr=0.001 there, 0.01 here, betas=[0.9, 0.999] there, None "
    "here, epsilon=1e-08 there, None here, momentum=None there, 0.0 here": {"optimizer": SGD},
    "lr=0.001 there, 0.002 here": {"optimizer": partial(Adam, lr=2e-3)},
    "betas=[0.9, 0.999] there, [0.8, 0.999] here": {"optimizer": partial(Adam, betas=(0.8, 0.999))},
    "lr_factors={} there, {'conv3': 0.1} here": {
        "optimizer": partial(Adam, lr_factors={"conv3": 0.1})
    },
    "schedule='constant' there, 'Plateau' here, factor=None there, 0.5 here, patience=None there, "
    "10 here, threshold=None there, 0.001 here, final=None there, 0.01 here": {
        "schedule": Plateau()
    },
    "schedule='constant' there, 'step_decay' here": {"schedule": step_decay([100])},
    "activation='tanh' there, 'relu' here": {"model_options": {"activation": "relu"}},
    "tail=False there, True here": {"model_options": {"tail": True}},
}


@pytest.fixture(scope="module")
def ten_steps(tmp_path_factory):
    out = tmp_path_factory.mktemp("ten") / "run"
    train(out, steps=10)
    return out


@pytest.mark.parametrize("message", OTHER_SETTINGS)
def test_resuming_with_other_settings_is_refused_and_names_them(ten_steps, monkeypatch, message):
    before, models, load = contents(ten_steps), [], RunFolder.load

    def remember(self, model, settings):
        models.append((model, model.state_dict()))
        return load(self, model, settings)

    monkeypatch.setattr(RunFolder, "load", remember)
    with pytest.raises(ValueError, match=f"^{re.escape(str(ten_steps))}.* with other ") as caught:
        train(ten_steps, resume=True, **OTHER_SETTINGS[message])
    assert str(caught.value).partition(": ")[2] == message
    assert contents(ten_steps) == before
    assert same_weights(*models[0])


def test_two_runs_cannot_share_a_folder(tmp_path):
    with RunFolder(tmp_path), pytest.raises(FileExistsError, match="another process is training"):
        train(tmp_path, resume=True)
    train(tmp_path, steps=2, resume=True)  # and the lock is gone with its owner


def test_after_an_error_the_lock_is_free(tmp_path):
    def fail(step):
        raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            train(tmp_path, fail)
    train(tmp_path, steps=2)


# --- stopped ------------------------------------------------------------------------------------


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


def test_without_a_folder_ctrl_c_is_itself():
    with pytest.raises(KeyboardInterrupt):
        train(None, interrupt_at(2))


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

    training.SAVE_EVERY_STEPS = 5
    watch = None
    if place == "step":
        watch = lambda step: stand_still() if step == 18 else None  # noqa: E731
    elif place == "validation":
        validate = training.validate
        validations = iter([validate, stand_still])
        training.validate = lambda *arguments: next(validations)(*arguments)
    else:
        fsync, files = os.fsync, []

        def sync(descriptor):
            files.append(descriptor)
            if len(files) == {"first save": 2, "later save": 7}[place]:
                stand_still()
            fsync(descriptor)

        os.fsync = sync
    train(Path(out), watch, optimizer="SOAP", schedule="cosine", resume=True)


@pytest.mark.parametrize("place", ["step", "validation", "first save", "later save"])
def test_a_killed_run_is_resumed_to_the_same_bits(tmp_path, whole_runs, place):
    out = tmp_path / "run"
    code = f"import test_training; test_training.child({str(out)!r}, {place!r})"
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    try:
        assert process.stdout.readline().strip() == b"standing"
        with pytest.raises(FileExistsError, match="another process is training"):
            train(out, optimizer="SOAP", schedule="cosine", resume=True)
        temporary = [name for name in os.listdir(out) if name not in FILES]
        assert len(temporary) == ("save" in place)
        assert ("last.npz" in os.listdir(out)) == (place != "first save")
    finally:
        process.kill()  # SIGKILL: nothing is tidied up
        process.wait()
        process.stdout.close()
    if place != "first save":
        assert saved_step(out) == {"step": 15, "validation": 15, "later save": 10}[place]

    folder = whole_runs / "SOAP-cosine"
    whole = uninterrupted(folder, tuple(COMBINATIONS[0].items()))
    resumed = train(out, optimizer="SOAP", schedule="cosine", resume=True)
    assert_same_bits(whole, resumed)
    assert_same_files(folder, out)


# --- what goes wrong -----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # overflow
@pytest.mark.parametrize("optimizer", [SOAP, Adam, SGD])
def test_a_loss_that_is_no_number_stops_the_run(tmp_path, monkeypatch, optimizer):
    monkeypatch.setattr(training, "SAVE_EVERY_STEPS", 4)
    explode = lambda step: 1.0 if step < 22 else 1e30  # noqa: E731
    with pytest.raises(DivergedError, match=r"at step 2\d: the learning rate is probably too high"):
        train(tmp_path, optimizer=optimizer, schedule=explode, validate_every=10)
    assert saved_step(tmp_path) == 20
    for name in ("last.npz", "best.npz"):
        weights = ESPCN.load(tmp_path / name).state_dict().values()
        assert max(np.abs(array).max() for array in weights) < 10
    assert sorted(os.listdir(tmp_path)) == FILES


@pytest.mark.parametrize("validation", [(), held_out()], ids=["alone", "validated"])
def test_weights_that_are_no_numbers_are_not_kept(tmp_path, validation):
    """The loss is from before a step, and may be fine when the weights are ruined."""

    def ruin_the_last_gradient(prediction, target):
        calls.append(1)
        value, dy = mse(prediction, target)
        return value, dy * (np.nan if len(calls) == 20 else 1)

    calls = []
    with pytest.raises(DivergedError, match=r"conv1.weight .* not finite at step 20"):
        train(tmp_path, loss=ruin_the_last_gradient, steps=20, validation=validation)
    for name in {"best.npz"} & set(os.listdir(tmp_path)):
        weights = ESPCN.load(tmp_path / name).state_dict().values()
        assert all(np.isfinite(array).all() for array in weights)


@pytest.mark.parametrize("full_at", [3, 4])
def test_a_full_disk_leaves_the_old_files_whole(tmp_path, monkeypatch, full_at):
    """Of a save, the third file is the history, and the fourth is the checkpoint."""
    monkeypatch.setattr(training, "SAVE_EVERY_STEPS", 5)
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


class Mark:
    """An object whose pickle, when it is read, makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("key", ["progress", "settings", "weights/conv1.bias", "optimizer/x/y"])
def test_a_pickle_in_a_checkpoint_never_runs(tmp_path, ten_steps, key):
    out, mark = tmp_path / "run", tmp_path / "mark"
    shutil.copytree(ten_steps, out)
    with np.load(out / "last.npz") as arrays:
        changed = dict(arrays) | {key: np.array([Mark(mark)], dtype=object)}
    np.savez(out / "last.npz", **changed)
    with pytest.raises(ValueError, match=r"last\.npz: not a readable \.npz file"):
        train(out, resume=True)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Mark(mark)))  # noqa: S301  # it would have left its mark
    assert mark.exists()


DAMAGES = {
    "cut": lambda raw: raw[: len(raw) // 2],
    "empty": lambda raw: b"",
    "another byte": lambda raw: raw[:3000] + bytes([raw[3000] ^ 1]) + raw[3001:],
    "text": lambda raw: b"step,loss\n",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_refused_by_name(tmp_path, ten_steps, damage):
    out = tmp_path / "run"
    shutil.copytree(ten_steps, out)
    last = out / "last.npz"
    last.write_bytes(DAMAGES[damage](last.read_bytes()))
    before = contents(out)
    with pytest.raises(ValueError, match=r"last\.npz"):
        train(out, resume=True)
    assert contents(out) == before


CHANGES = {
    "no progress": {"progress": None},
    "no settings": {"settings": None},
    "no JSON": {"progress": "{"},
    "a list": {"settings": "[1]"},
    "an empty progress": {"progress": "{}"},
    "deep": {"progress": "[" * 100_000},
    "no history": {"history/loss": None},
    "a short history": {"history/loss": np.zeros(0)},
    "a foreign optimiser": {"optimizer/conv9.weight/mean": np.zeros(3)},
    "no weight": {"weights/conv1.weight": None},
    "another shape": {"weights/conv1.weight": np.zeros((64, 1, 3, 3))},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_checkpoint_with_other_contents_is_refused(tmp_path, ten_steps, change):
    out = tmp_path / "run"
    shutil.copytree(ten_steps, out)
    with np.load(out / "last.npz") as arrays:
        changed = dict(arrays) | CHANGES[change]
    np.savez(out / "last.npz", **{k: v for k, v in changed.items() if v is not None})
    with pytest.raises(ValueError, match=r"checkpoint|last\.npz|optimiser|parameter"):
        train(out, resume=True)


def test_a_network_alone_is_no_checkpoint(tmp_path):
    model = ESPCN(2, padding="edge", seed=1)
    model.save(tmp_path / "last.npz")
    with pytest.raises(ValueError, match="is no checkpoint of a run"):
        train(tmp_path, resume=True)


@pytest.mark.parametrize(
    "option", [{"steps": 0}, {"batch_size": 0}, {"patch_size": 0}, {"validate_every": 0}], ids=str
)
def test_numbers_below_one_are_refused(option):
    with pytest.raises(ValueError, match=f"fit: {next(iter(option))} must be at least 1, got 0"):
        train(**option)


def test_validations_must_fall_on_a_row_of_the_history():
    with pytest.raises(ValueError, match="validate_every must be a multiple of 10, got 25"):
        train(validate_every=25)


# --- progress ------------------------------------------------------------------------------------


def test_a_log_gets_plain_lines(capsys):
    train(steps=20, progress=True)
    lines = capsys.readouterr().err.splitlines()
    pattern = r"step (10|20)/20: loss \d\.\d\de-\d\d, PSNR \d+\.\d\d dB, \d+\.\d steps/s"
    assert len(lines) == 2
    assert all(re.fullmatch(pattern, line) for line in lines)


def test_a_long_run_writes_few_lines(capsys, tmp_path):
    train(tmp_path, steps=420, optimizer="SGD", batch_size=1, patch_size=9, validation=(),
        progress=True)  # fmt: skip
    assert len(capsys.readouterr().err.splitlines()) == 21


def test_a_terminal_gets_a_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    train(steps=20, progress=True)
    written = sys.stderr.getvalue()
    assert "\r" in written
    assert re.search(r"20/20 \[.*step.*loss=?.*PSNR \d+\.\d\d dB\]", written.split("\r")[-1])


def test_it_is_silent_unless_asked(capsys, tmp_path):
    train(tmp_path, steps=10)
    assert capsys.readouterr() == ("", "")
