"""A training run's folder: its lock, its checkpoints, its history.

======================  ===========================================================================
``last.npz``            the last checkpoint: network, optimizer, and the rest that a resumed run
                        needs to end in the same bits
``best.npz``            the network with the best validation score so far
``history.csv``         step, lr, loss, val_psnr: a row for every 10 steps
``.lock``               locked while a process writes here; the system unlocks it when it ends
======================  ===========================================================================

Both ``.npz`` files load with `npespcn.load`. Every file is replaced whole.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from npespcn.common import Array
from npespcn.common.files import atomic_write, lock, sweep
from npespcn.exchange.metadata import about, read_json
from npespcn.exchange.npz import load, read_npz, save
from npespcn.models import Network

LAST, BEST, HISTORY, LOCK = "last.npz", "best.npz", "history.csv", ".lock"
_LONGEST = 800  # characters of a message


class Checkpoint(NamedTuple):
    """All that a resumed run needs to end in the same bits."""

    weights: dict[str, Array]
    """The network's ``state_dict()``."""
    optimizer: dict[str, Array]
    """The optimizer's state: "parameter/entry"."""
    progress: dict[str, Any]
    """Everything else that changes from step to step; any JSON values."""
    history: Mapping[str, Sequence[float]]
    """Columns of equal length."""


class RunFolder:
    """A folder that one training run at a time writes to. Use it in a ``with`` block.

    Raises
    ------
    FileExistsError
        If the folder holds a run already and `resume` is false, or if another process is training
        there right now.
    OSError
        If the folder cannot be made or written to.
    """

    def __init__(self, path: str | os.PathLike[str], resume: bool = False) -> None:
        self.path = Path(path)
        if self.path.exists() and not self.path.is_dir():
            raise NotADirectoryError(f"{self.path} is a file; a run needs a folder")
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.path)
        if not resume and any((self.path / name).exists() for name in (LAST, BEST, HISTORY)):
            self._lock.close()
            raise FileExistsError(
                f"{self.path} holds a run already: resume it, or choose another folder"
            )
        sweep(self.path)

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()  # which unlocks it

    def has_checkpoint(self) -> bool:
        """Return whether there is something to resume."""
        return (self.path / LAST).exists()

    def save(
        self,
        model: Network,
        optimizer: Mapping[str, Array],
        progress: Mapping[str, Any],
        settings: Mapping[str, Any],
        history: Mapping[str, Sequence[float]],
    ) -> None:
        """Write the history, and then the last checkpoint.

        Parameters
        ----------
        model, optimizer, progress, history
            The fields of a `Checkpoint`, but the network for its weights.
        settings : mapping
            Settings that a resumed run must share with this one; any JSON values.
        """
        path = self.path / HISTORY
        with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(history)
            table.writerows(
                ["" if value != value else value for value in row]  # NaN: not measured
                for row in zip(*history.values(), strict=True)
            )
        extra: dict[str, Any] = {f"optimizer/{key}": value for key, value in optimizer.items()}
        extra["progress"], extra["settings"] = json.dumps(progress), json.dumps(settings)
        extra |= {f"history/{key}": np.asarray(values) for key, values in history.items()}
        save(model, self.path / LAST, extra)

    def save_best(self, model: Network) -> None:
        """Write the network as the best so far."""
        save(model, self.path / BEST)

    def load(self, model: Network, settings: Mapping[str, Any]) -> Checkpoint:
        """Read the last checkpoint.

        Raises
        ------
        ValueError
            If it is damaged, or its network is not of the class of `model` or has other options, or
            if it was saved with other settings; the message names them.
        """
        path = self.path / LAST
        saved = load(path, type(model))
        there, here = (read_json(about(network))["options"] for network in (saved, model))
        if there != here:
            differences = _differences(there, here)
            raise ValueError(f"{path} is of a network with other options: {differences}")
        arrays = read_npz(path)
        try:
            progress, there = (dict(read_json(arrays[key])) for key in ("progress", "settings"))
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"{path} is no checkpoint of a run: {error}") from error
        here = json.loads(json.dumps(settings))  # which makes lists of tuples
        if there != here:
            raise ValueError(
                f"{self.path} was trained with other settings: {_differences(there, here)}"
            )
        history = {name: column.tolist() for name, column in _below("history/", arrays).items()}
        return Checkpoint(saved.state_dict(), _below("optimizer/", arrays), progress, history)


def _differences(saved: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    names = [name for name in {**saved, **now} if saved.get(name) != now.get(name)]
    pairs = [f"{name}={saved.get(name)!r} there, {now.get(name)!r} here" for name in names]
    return ", ".join(pairs)[:_LONGEST]  # the text in a file may be of any length


def _below(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {key[len(prefix) :]: v for key, v in arrays.items() if key.startswith(prefix)}


def _lock(folder: Path) -> IO[str]:
    """Open the lock file and lock it, for as long as it is open; a dead process holds no lock."""
    file = (folder / LOCK).open("a")
    try:
        lock(file.fileno())
    except BlockingIOError:
        file.close()
        raise FileExistsError(f"another process is training in {folder}") from None
    except BaseException:
        file.close()
        raise
    return file
