"""Training: draw a batch, forward, loss, backward, step; and never lose more than seconds of it."""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence, Sized
from typing import Any, Protocol, TypeAlias

import numpy as np

from npespcn.arrays import array_module
from npespcn.common import Array
from npespcn.common.checks import whole_number
from npespcn.evaluation.protocol import inside
from npespcn.evaluation.validation import validate
from npespcn.losses import mse
from npespcn.models import Network, as_input
from npespcn.optim import SOAP, Optimizer, Plateau, Schedule
from npespcn.runs.centering import centred
from npespcn.runs.folder import LAST, RunFolder
from npespcn.runs.progress import COLUMNS, ROW_EVERY, History, Report, catch_signals
from npespcn.runs.ranks import Alone

Loss: TypeAlias = Callable[[Array, Array], tuple[Array, Array]]

SAVE_EVERY_STEPS, SAVE_EVERY_SECONDS = 100, 5.0


class Data(Protocol):
    """Where batches come from: `npespcn.data.patches.PairedPatches`, or anything with these
    methods.
    """

    def batch(
        self, rng: np.random.Generator, batch_size: int, patch_size: int
    ) -> tuple[Array, Array]:
        """Return (LR, HR) patches: (N, C, p, p) and (N, C, p*r, p*r)."""

    def seek(self, step: int) -> None:
        """Go on as after `step` batches."""


class DivergedError(ArithmeticError):
    """The loss, or a weight, is no longer a finite number."""


def fit(
    model: Network,
    data: Data,
    optimizer: Optimizer | None = None,
    *,
    steps: int,
    batch_size: int = 16,
    patch_size: int = 32,
    schedule: Schedule | None = None,
    loss: Loss = mse,
    validation: Sequence[tuple[Array, Array]] = (),
    validate_every: int = 250,
    centre: float = 0.5,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = False,
    ranks: Alone | None = None,
) -> History:
    """Train `model` in place; return its history.

    Repeatable: the same arguments give the same bits on the same machine, on any number of threads.
    On several ranks (`npespcn.runs.ranks`), where all call this with the same arguments, the steps
    are those of one process with the same batches, to rounding.

    Parameters
    ----------
    model : Network
        Where its parameters are, on the CPU or a GPU, is where it is trained.
    data : Data
        Gives the batches, drawn from a generator seeded with `seed`.
    optimizer : Optimizer, optional
        Of this model. Without it, SOAP at its own rate.
    steps : int
        The step to end at; a resumed run counts on from where it stopped. It may be another number
        than before where that leaves the schedule as it was.
    batch_size, patch_size : int
        Patches in a batch, of all ranks together, and their side in LR pixels.
    schedule : callable, optional
        Factor on the learning rate at a step: `npespcn.optim.cosine`, `step_decay` or `Plateau`
        (which observes the mean loss of each row of the history). Without it the rate is constant.
    loss : callable
        (prediction, target) -> (value, dprediction). Where the network does not pad, the target is
        the inside of the HR patch.
    validation : sequence of (LR, HR)
        Whole pictures, (1, C, H, W), as `npespcn.data.patches.validation_pairs` makes them.
    validate_every : int
        Steps between two validations; a multiple of 10. The last step is always validated.
    centre : float
        The optimiser steps as if this were subtracted from all pictures, see
        `npespcn.runs.centering`; 0
        for the plain gradients.
    seed : int
        Of the batches.
    out : path, optional
        The run's folder, see `npespcn.runs.folder`. The last checkpoint is written every 100 steps
        or 5 seconds, whichever is sooner.
    resume : bool
        Whether to go on from the checkpoint in `out`, if there is one, to the same bits as a run
        that was never stopped.
    progress : bool
        Whether to report on stderr: a bar on a terminal, plain lines elsewhere.
    ranks : Ranks, optional
        As `npespcn.runs.ranks.world` gives them. Rank 0 validates, saves and reports, and its
        weights and checkpoint are where all begin.

    Raises
    ------
    FileExistsError
        If `out` holds a run and `resume` is false, or is in use.
    ValueError
        If the checkpoint in `out` was made with other settings, or is damaged.
    DivergedError
        If the loss is no longer a number. The last good checkpoint stays.
    KeyboardInterrupt
        On Ctrl-C (or SIGTERM) on any rank while training into `out`: after the current step, and
        saved.
    """
    whole_number("fit: steps", steps, 1)
    whole_number("fit: batch_size", batch_size, 1)
    whole_number("fit: patch_size", patch_size, 1)
    if whole_number("fit: validate_every", validate_every, 1) % ROW_EVERY:
        raise ValueError(
            f"fit: validate_every must be a multiple of {ROW_EVERY}, got {validate_every}"
        )
    optimizer = optimizer or SOAP(model)
    ranks = ranks or Alone()
    run = _Run(model, data, optimizer, schedule, loss, validation, centre, seed, ranks)
    settings = {
        "batch_size": batch_size,
        "patch_size": patch_size,
        "seed": seed,
        "loss": _name(loss),
        "validate_every": validate_every,
        "centre": centre,
        "data": _name(data),
        "pictures": len(data) if isinstance(data, Sized) else None,
        "validation pictures": len(validation),
        "optimizer": _name(optimizer),
        "schedule": "constant" if schedule is None else _name(schedule),
    }
    settings |= _numbers(optimizer, "steps")
    if isinstance(schedule, Plateau):
        settings |= _numbers(schedule, *schedule.state_dict())
    with contextlib.ExitStack() as stack:
        stack.callback(setattr, optimizer, "lr", optimizer.lr)
        folder: RunFolder | None = None  # rank 0's alone

        def open_folder() -> Any:
            nonlocal folder
            if out is None:
                return None
            folder = stack.enter_context(RunFolder(out, resume))
            return folder.load(model, settings) if resume and folder.has_checkpoint() else None

        def save_best() -> None:
            if folder is not None:
                folder.save_best(model)

        def save() -> None:
            if folder is not None:
                folder.save(model, optimizer.state_dict(), run.state(), settings, run.history)

        saved = ranks.first(open_folder)
        model.load_state_dict(ranks.first(model.state_dict))
        if saved is not None and out is not None:
            try:
                run.load(*saved)
            except ValueError as error:
                raise ValueError(f"{os.path.join(out, LAST)}: {error}") from error
        stopped = threading.Event() if out is None else stack.enter_context(catch_signals())
        wanted = progress and ranks.rank == 0
        report = stack.enter_context(Report(run.history, run.step, steps, wanted, loss is mse))
        saved_at = time.monotonic()

        def wishes() -> tuple[bool, bool]:
            return stopped.is_set(), time.monotonic() - saved_at >= SAVE_EVERY_SECONDS

        while run.step < steps:
            stop, late = run.one_step(batch_size, patch_size, wishes)
            last = run.step == steps
            if run.step % ROW_EVERY == 0 or last:
                is_best = run.add_row(last or run.step % validate_every == 0)
                if is_best:
                    ranks.first(save_best)
            report.update(run.step)
            if out is not None and (stop or late or last or run.step % SAVE_EVERY_STEPS == 0):
                run.check_finite()
                ranks.first(save)
                saved_at = time.monotonic()
            if stop:
                raise KeyboardInterrupt
    return run.history


class _Run:
    """Where a run stands: all that changes from step to step, and has to be saved."""

    def __init__(
        self,
        model: Network,
        data: Data,
        optimizer: Optimizer,
        schedule: Schedule | None,
        loss: Loss,
        validation: Sequence[tuple[Array, Array]],
        centre: float,
        seed: int,
        ranks: Alone,
    ) -> None:
        self.ranks = ranks
        self.model, self.data, self.optimizer, self.loss = model, data, optimizer, loss
        self.schedule, self.validation = schedule or (lambda step: 1.0), validation
        self.centre, self.rng = centre, np.random.default_rng(seed)
        self.base_lr = optimizer.lr
        self.step, self.best = 0, -math.inf
        self.losses: list[Array] = []  # of the steps since the last row, wherever they are
        self.history: History = {name: [] for name in COLUMNS}

    def one_step(
        self, batch_size: int, patch_size: int, wishes: Callable[[], tuple[bool, ...]]
    ) -> tuple[bool, ...]:
        """Do the heart of it: batch, forward, loss, backward, step; return the wishes granted."""
        lr_patch, hr_patch = self.data.batch(self.rng, batch_size, patch_size)
        mine = self.ranks.part(len(lr_patch))
        x, target = as_input(self.model, lr_patch[mine]), as_input(self.model, hr_patch[mine])
        y = self.model.forward(x)
        value, dy = self.loss(y, inside(target, y.shape))
        self.model.backward_params(dy)
        weight = len(x) / len(lr_patch)
        value, granted = self.ranks.mean(self.model.grads, value, weight, wishes())
        self.optimizer.lr = self.base_lr * self.schedule(self.step)
        try:
            with centred(self.model, self.centre):
                self.optimizer.step()
        except np.linalg.LinAlgError as error:  # SOAP's, for a gradient that is no number
            raise self._diverged("a gradient is not finite") from error
        self.losses.append(value)
        self.step += 1
        return granted

    def add_row(self, with_validation: bool) -> bool:
        """Add a row to the history; return whether its validation is the best so far."""
        self.check_finite()
        mean = float(np.mean([float(value) for value in self.losses]))
        steps = self.history["step"]
        if steps and steps[-1] % ROW_EVERY:  # a shorter run ended there, before its row was full
            for column in self.history.values():
                column.pop()
        if self.step % ROW_EVERY == 0:
            self.losses = []
            if isinstance(self.schedule, Plateau):
                self.schedule.observe(mean)
        measure = with_validation and self.validation
        score = math.nan
        if measure:
            score = self.ranks.first(lambda: validate(self.model, self.validation))
        row = (self.step, self.optimizer.lr, mean, score)
        for name, value in zip(COLUMNS, row, strict=True):
            self.history[name].append(value)
        if score > self.best:
            self.best = score
            return True
        return False

    def check_finite(self) -> None:
        """Raise if a loss or a weight is no finite number: such a state must not be kept."""
        bad = [f"the loss is {value}" for value in self.losses if not math.isfinite(value)]
        for name, param in self.model.params.items():
            if not bool(array_module(param).isfinite(param).all()):
                bad.append(f"{name} holds numbers that are not finite")
        if bad:
            raise self._diverged(bad[0])

    def _diverged(self, what: str) -> DivergedError:
        return DivergedError(
            f"{what} at step {self.step}: the learning rate is probably too high "
            f"({self.base_lr:g}); try a tenth of it"
        )

    def state(self) -> dict[str, Any]:
        """Return what a resumed run needs besides the weights and the optimiser's arrays."""
        return {
            "step": self.step,
            "best": self.best,
            "losses": [float(value) for value in self.losses],
            "rng": self.rng.bit_generator.state,
            "schedule": self.schedule.state_dict() if isinstance(self.schedule, Plateau) else None,
            "factor": self.schedule(self.step),
        }

    def load(
        self, optimizer_state: Mapping[str, Array], saved: Mapping[str, Any], history: History
    ) -> None:
        """Take up what `state` gave."""
        try:
            self._load(optimizer_state, saved, history)
        except (LookupError, TypeError, AttributeError, ArithmeticError) as error:
            raise ValueError(
                f"this checkpoint is not one that this version wrote: {error!r}"
            ) from error

    def _load(
        self, optimizer_state: Mapping[str, Array], saved: Mapping[str, Any], history: History
    ) -> None:
        self.history = {name: history[name] for name in COLUMNS}
        if len({len(column) for column in self.history.values()}) != 1:
            raise ValueError("the history in this checkpoint has columns of different lengths")
        for column in self.history.values():
            _ = [float(value) for value in column]  # an error if one is no number
        self.step, self.best = whole_number("step", saved["step"], 0), float(saved["best"])
        self.losses = [np.asarray(float(value)) for value in saved["losses"]]
        self.rng.bit_generator.state = saved["rng"]
        if isinstance(self.schedule, Plateau):
            self.schedule.load_state_dict(saved["schedule"])
        there, here = saved["factor"], self.schedule(self.step)
        if not math.isclose(there, here, abs_tol=1e-12):
            raise ValueError(
                f"the schedule of the run so far stands at {there:.6g} after {self.step} steps, "
                f"this one at {here:.6g}: go on with the same number of steps in all"
            )
        self.optimizer.load_state_dict(optimizer_state, self.step)
        self.data.seek(self.step)


def _name(thing: Any) -> str:
    """Return what to call a function (``cosine``, for one that `cosine` made) or an object."""
    name: str = getattr(thing, "__qualname__", type(thing).__name__)
    return name.partition(".<locals>")[0]


def _numbers(thing: Any, *but: str) -> dict[str, Any]:
    """Return the attributes of an optimiser or a schedule that were given to it."""
    kinds = (int, float, tuple, dict)
    given = {k: v for k, v in vars(thing).items() if isinstance(v, kinds) and k not in but}
    given.pop("state", None)  # arrays
    return given
