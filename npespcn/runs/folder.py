"""A training run's folder: its lock, its checkpoints, its history.

======================  ===========================================================================
``last.npz``            everything that the run needs to go on to the same bits
``best.npz``            the network with the best validation score so far
``history.csv``         step, lr, loss, val_psnr: a row for every 10 steps
``.lock``               held while a process writes here; the system lets go of it when that dies
======================  ===========================================================================

Both ``.npz`` files load with `npespcn.models.Network.load`. Every file is replaced whole.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from npespcn.common import Array
from npespcn.common.files import atomic_write, sweep
from npespcn.models import Network, read_npz, read_words

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LAST, BEST, HISTORY, LOCK = "last.npz", "best.npz", "history.csv", ".lock"
_LONGEST = 800  # characters of a complaint


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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.close()  # which releases it

    def has_checkpoint(self) -> bool:
        """Whether there is something to resume."""
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
        model : Network
        optimizer : mapping of str to array
            The optimiser's ``state_dict()``.
        progress : mapping
            All else that the run goes on from; anything that JSON takes.
        settings : mapping
            What a resumed run must have in common with this one; the same.
        history : mapping of str to sequence of float
            Columns of equal length.
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
        model.save(self.path / LAST, extra)

    def save_best(self, model: Network) -> None:
        """Write the network as the best so far."""
        model.save(self.path / BEST)

    def load(
        self, model: Network, settings: Mapping[str, Any]
    ) -> tuple[dict[str, Array], dict[str, Any], dict[str, list[float]]]:
        """Read the last checkpoint into `model`; return its optimiser, progress and history.

        Raises
        ------
        ValueError
            If it is damaged, or of a network with other options, or was saved with other settings;
            the message names them, and `model` is as it was.
        """
        path = self.path / LAST
        saved = type(model).load(path)
        if saved.options != model.options:
            differences = _differences(saved.options, model.options)
            raise ValueError(f"{path} is of a network with other options: {differences}")
        arrays = read_npz(path)
        try:
            progress, there = (dict(read_words(arrays[key])) for key in ("progress", "settings"))
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"{path} is no checkpoint of a run: {error}") from error
        here = json.loads(json.dumps(settings))  # which makes lists of tuples
        if there != here:
            raise ValueError(
                f"{self.path} was trained with other settings: {_differences(there, here)}"
            )
        model.load_state_dict(saved.state_dict())
        return (
            _below("optimizer/", arrays),
            progress,
            {name: column.tolist() for name, column in _below("history/", arrays).items()},
        )


def _differences(saved: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    names = [name for name in {**saved, **now} if saved.get(name) != now.get(name)]
    words = [f"{name}={saved.get(name)!r} there, {now.get(name)!r} here" for name in names]
    return ", ".join(words)[:_LONGEST]  # what is in a file may be of any length


def _below(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {key[len(prefix) :]: v for key, v in arrays.items() if key.startswith(prefix)}


def _lock(folder: Path) -> IO[str]:
    """Open the lock file and lock it, for as long as it is open; a dead process holds nothing."""
    file = (folder / LOCK).open("a")
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise FileExistsError(f"another process is training in {folder}") from None
    except BaseException:
        file.close()
        raise
    return file
