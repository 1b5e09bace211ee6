"""A run's folder: whom it refuses, and which checkpoints."""

from __future__ import annotations

import pickle
import re
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from run_cases import SMALL, Watched, held_out, same_weights, train

import npespcn
from npespcn.models import ESPCN
from npespcn.optim import SGD, Adam
from npespcn.runs import Plateau, RunFolder, Scaled, step_decay


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def ten_steps(tmp_path_factory):
    out = tmp_path_factory.mktemp("ten") / "run"
    train(out, steps=10)
    return out


@pytest.fixture
def copied(tmp_path, ten_steps):
    """Return a copy of the run's folder, and a function that changes arrays of its checkpoint."""
    out = tmp_path / "run"
    shutil.copytree(ten_steps, out)

    def change(changes):
        with np.load(ten_steps / "last.npz") as arrays:
            changed = dict(arrays) | changes
        np.savez(out / "last.npz", **{k: v for k, v in changed.items() if v is not None})

    return out, change


def test_a_folder_in_use_is_refused_without_resume(tmp_path):
    for name in ("last.npz", "best.npz", "history.csv"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_bytes(b"precious")
        message = "holds a run already: resume it, or choose another"
        with pytest.raises(FileExistsError, match=message):
            train(tmp_path / name)
        assert (tmp_path / name / name).read_bytes() == b"precious"


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(NotADirectoryError, match="is a file"):
        train(tmp_path / "file")
    with pytest.raises(OSError, match="file"):
        train(tmp_path / "file" / "below")


def test_two_runs_cannot_share_a_folder(tmp_path):
    with RunFolder(tmp_path), pytest.raises(FileExistsError, match="another process is training"):
        train(tmp_path, resume=True)

    def fail(step):
        raise ZeroDivisionError

    for _ in range(2):  # the lock is gone with its owner, after an error too
        with pytest.raises(ZeroDivisionError):
            train(tmp_path, fail)
    train(tmp_path, steps=2)


OTHER_SETTINGS = {
    "batch_size=2 there, 3 here": {"batch_size": 3},
    "patch_size=10 there, 11 here": {"patch_size": 11},
    "seed=3 there, 4 here": {"seed": 4},
    "loss='mse' there, 'l1' here": {"loss": "l1"},
    "validate_every=10 there, 20 here": {"validate_every": 20},
    "center=0.5 there, 0 here": {"center": 0},
    "data='Watched' there, 'Other' here": {"watched": type("Other", (Watched,), {})},
    "images=2 there, 3 here": {"count": 3},
    "validation images=2 there, 1 here": {"validation": held_out(1)},
    "optimizer='Adam' there, 'SGD' here, lr=0.001 there, 0.01 here, betas=[0.9, 0.999] there, None "
    "here, epsilon=1e-08 there, None here, momentum=None there, 0.0 here": {"optimizer": SGD},
    "lr=0.001 there, 0.002 here": {"optimizer": partial(Adam, lr=2e-3)},
    "betas=[0.9, 0.999] there, [0.8, 0.999] here": {"optimizer": partial(Adam, betas=(0.8, 0.999))},
    "optimizer='Adam' there, 'Scaled Adam' here, factors=None there, {'conv3': 0.1} here": {
        "optimizer": lambda model: Scaled(Adam(model), {"conv3": 0.1})
    },
    "schedule='constant' there, 'Plateau' here, factor=None there, 0.5 here, patience=None there, "
    "10 here, threshold=None there, 0.001 here, final=None there, 0.01 here": {
        "schedule": Plateau()
    },
    "schedule='constant' there, 'step_decay' here": {"schedule": step_decay([100])},
    "activation='tanh' there, 'relu' here": {"model_options": {"activation": "relu"}},
    "widths=[16, 8] there, [16, 7] here": {"model_options": {"widths": (16, 7)}},
}


def test_resuming_with_other_settings_is_refused_and_names_them(ten_steps, monkeypatch):
    before, models, load = contents(ten_steps), [], RunFolder.load

    def remember(self, model, settings):
        models.append((model, model.state_dict()))
        return load(self, model, settings)

    monkeypatch.setattr(RunFolder, "load", remember)
    for message, other in OTHER_SETTINGS.items():
        where = re.escape(str(ten_steps))
        with pytest.raises(ValueError, match=f"^{where}.* with other ") as error:
            train(ten_steps, resume=True, **other)
        assert str(error.value).partition(": ")[2] == message
        model, weights = models.pop()
        assert same_weights(model.state_dict(), weights)
    assert contents(ten_steps) == before


class Mark:
    """An object whose pickle, when it is read, makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_in_a_checkpoint_never_runs(tmp_path, copied):
    (out, change), mark = copied, tmp_path / "mark"
    for key in ("progress", "settings", "weights/conv1.bias", "optimizer/x/y"):
        change({key: np.array([Mark(mark)], dtype=object)})
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


def test_a_damaged_checkpoint_is_refused_by_name(copied, ten_steps):
    out, _ = copied
    for damage, do in DAMAGES.items():
        (out / "last.npz").write_bytes(do((ten_steps / "last.npz").read_bytes()))
        before = contents(out)
        with pytest.raises(ValueError, match=r"last\.npz"):
            train(out, resume=True)
        assert contents(out) == before, damage


MEAN = "optimizer/conv1.weight/mean"
CHANGES = {
    "no progress": {"progress": None},
    "no settings": {"settings": None},
    "no JSON": {"progress": "{"},
    "a list": {"settings": "[1]"},
    "an empty progress": {"progress": "{}"},
    "deep": {"progress": "[" * 100_000},
    "no history": {"history/loss": None},
    "a short history": {"history/loss": np.zeros(0)},
    "a history of words": {"history/loss": np.array(["a"])},
    "a foreign optimizer": {"optimizer/conv9.weight/mean": np.zeros(3)},
    "a lost mean": {MEAN: None},
    "a mean of another shape": {MEAN: np.zeros((16, 1, 3, 3), np.float32)},
    "a mean of another dtype": {MEAN: np.zeros((16, 1, 5, 5))},
    "a mean that is no number": {MEAN: np.full((16, 1, 5, 5), np.nan, np.float32)},
    "no weight": {"weights/conv1.weight": None},
    "another shape": {"weights/conv1.weight": np.zeros((16, 1, 3, 3))},
}


def test_a_checkpoint_with_other_contents_is_refused_in_one_line(copied):
    out, change = copied
    for name, changes in CHANGES.items():
        change(changes)
        with pytest.raises(ValueError, match=r"last\.npz") as error:
            train(out, resume=True)
        assert "\n" not in str(error.value), name
        assert "optimizer" not in next(iter(changes)) or "optimizer" in str(error.value)


def test_a_checkpoint_that_is_refused_leaves_the_model_as_it_was(copied):
    out, change = copied
    change({MEAN: None})
    models = []

    def remember(model):
        models.append((model, model.state_dict()))
        return Adam(model)

    with pytest.raises(ValueError, match="is not a checkpoint of this run"):
        train(out, resume=True, optimizer=remember)
    model, before = models[0]
    assert same_weights(model.state_dict(), before)


def test_a_network_without_a_run_is_no_checkpoint(tmp_path):
    npespcn.save(ESPCN(**SMALL), tmp_path / "last.npz")
    with pytest.raises(ValueError, match="is no checkpoint of a run"):
        train(tmp_path, resume=True)
