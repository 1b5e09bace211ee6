"""A training run: `npespcn.training.train`, which can be stopped, resumed, watched and shared."""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Callable, Sequence, Sized
from typing import Any, Protocol, TypeAlias

import numpy as np

from npespcn.arrays import array_module
from npespcn.common import Array
from npespcn.common.checks import whole_number
from npespcn.common.signals import catch_stop
from npespcn.evaluation.validation import validate
from npespcn.exchange.metadata import host_weights
from npespcn.fast import accelerate
from npespcn.fast.threads import one_blas_thread
from npespcn.losses import mse
from npespcn.models import Network
from npespcn.optim import SOAP
from npespcn.runs.centering import Centered
from npespcn.runs.folder import LAST, Checkpoint, RunFolder
from npespcn.runs.progress import Progress
from npespcn.runs.ranks import Averaged, Group, Share, SingleProcess
from npespcn.runs.schedules import Plateau, Schedule, Scheduled
from npespcn.runs.wrappers import Wrapper, unwrapped
from npespcn.training import train

Loss: TypeAlias = Callable[[Array, Array], tuple[Array, Array]]
History: TypeAlias = dict[str, list[float]]
"""Columns: step, lr, loss (mean since the last row), val_psnr in dB (NaN where not measured)."""

COLUMNS = ("step", "lr", "loss", "val_psnr")
ROW_EVERY = 10  # steps that one row of the history averages
SAVE_EVERY_STEPS, SAVE_EVERY_SECONDS = 100, 5.0


class Data(Protocol):
    """The source of the batches: `npespcn.data.PairedPatches`, or anything with these methods."""

    def batch(
        self, rng: np.random.Generator, batch_size: int, patch_size: int
    ) -> tuple[Array, Array]:
        """Return (LR, HR) patches: (N, C, p, p) and (N, C, p*r, p*r)."""

    def seek(self, step: int) -> None:
        """Continue as after `step` batches."""


class DivergedError(ArithmeticError):
    """The loss, or a weight, is no longer a finite number."""


def fit(
    model: Network,
    data: Data,
    optimizer: Any = None,
    *,
    steps: int,
    batch_size: int = 16,
    patch_size: int = 32,
    schedule: Schedule | None = None,
    loss: Loss = mse,
    validation: Sequence[tuple[Array, Array]] = (),
    validate_every: int = 250,
    center: float = 0.5,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = False,
    ranks: Group | None = None,
) -> History:
    """Train `model` in place; return its history.

    Repeatable: the same arguments give the same bits on the same machine, on any number of threads.
    On several ranks (`npespcn.runs.ranks`), where all call this with the same arguments, the steps
    are those of one process with the same batches, to rounding.

    Parameters
    ----------
    model : Network
        It is trained where its parameters are, on the CPU or a GPU.
    data : Data
        Source of the batches, which are drawn with a generator seeded with `seed`.
    optimizer : Optimizer, optional
        An optimizer of this model; it may be wrapped, as in `npespcn.runs.Scaled`. Default: SOAP at
        its own rate.
    steps : int
        Total number of steps, counting those before a resume. A resumed run may have another total
        if that leaves the schedule as it was.
    batch_size, patch_size : int
        Patches in a batch, of all ranks together, and their side in LR pixels.
    schedule : callable, optional
        Factor on the learning rate at a step: `npespcn.optim.cosine`, `npespcn.runs.step_decay` or
        `npespcn.runs.Plateau` (which observes the mean loss of each row of the history). Default:
        a constant rate.
    loss : callable
        Training loss: (prediction, target) -> (value, dprediction). Where the network does not pad,
        the target is the middle of the HR patch.
    validation : sequence of (LR, HR)
        Whole images, (1, C, H, W), as `npespcn.data.validation_pairs` makes them.
    validate_every : int
        Steps between two validations; a multiple of 10. The last step is always validated.
    center : float
        The optimizer steps as if this number were subtracted from all images, see
        `npespcn.runs.centering`; 0 for the plain gradients.
    seed : int
        Seed of the batches.
    out : path, optional
        The run's folder, see `npespcn.runs.folder`. The last checkpoint is written every 100 steps
        or 5 seconds, whichever is sooner.
    resume : bool
        Whether to continue from the checkpoint in `out`, if there is one. A resumed run ends in the
        same bits as a run that was never stopped.
    progress : bool
        Whether to report on stderr: a bar on a terminal, plain lines elsewhere.
    ranks : Group, optional
        The group that `npespcn.runs.mpi_group` gives. Rank 0 validates, saves and reports, and all
        ranks begin with its weights and checkpoint.

    Returns
    -------
    dict of str to list of float
        Columns of equal length, a row for every 10 steps: step, lr, loss (the mean of these steps),
        val_psnr (in dB; NaN where not measured).

    Raises
    ------
    FileExistsError
        If `out` holds a run and `resume` is false, or is in use.
    ValueError
        If the checkpoint in `out` was made with other settings, or is damaged.
    DivergedError
        If the loss or a weight is no longer a finite number. The last good checkpoint stays.
    KeyboardInterrupt
        On Ctrl-C (or SIGTERM) on any rank while training into `out`, after the current step is done
        and saved.
    """
    whole_number("fit: steps", steps, 1)
    whole_number("fit: batch_size", batch_size, 1)
    whole_number("fit: patch_size", patch_size, 1)
    if whole_number("fit: validate_every", validate_every, 1) % ROW_EVERY:
        raise ValueError(
            f"fit: validate_every must be a multiple of {ROW_EVERY}, got {validate_every}"
        )
    if (scale := getattr(data, "scale", model.scale)) != model.scale:
        raise ValueError(f"fit: the data are for scale {scale}, the model for {model.scale}")
    group, optimizer = ranks or SingleProcess(), optimizer or SOAP(model)
    group.check_batch(batch_size)
    schedule = schedule or _constant
    settings = {
        "batch_size": batch_size,
        "patch_size": patch_size,
        "seed": seed,
        "loss": _name(loss),
        "validate_every": validate_every,
        "center": center,
        "data": _name(data),
        "teacher": getattr(data, "teacher", None) is not None,
        "images": len(data) if isinstance(data, Sized) else None,
        "validation images": len(validation),
        "optimizer": _name(optimizer),
        "schedule": _name(schedule).removeprefix("_"),
        **_numbers(optimizer),
        **(_numbers(schedule) if isinstance(schedule, Plateau) else {}),
    }
    run = _Run(model, optimizer, schedule, seed)
    folder: Any = None  # on rank 0 only
    with contextlib.ExitStack() as stack:
        stack.callback(setattr, optimizer, "lr", optimizer.lr)

        def open_folder() -> Checkpoint | None:
            nonlocal folder
            if out is None:
                return None
            folder = stack.enter_context(RunFolder(out, resume))
            return folder.load(model, settings) if resume and folder.has_checkpoint() else None

        checkpoint = group.on_rank_0(open_folder)
        if checkpoint is None:
            model.load_state_dict(group.on_rank_0(lambda: host_weights(model)))
        else:
            run.resume(checkpoint, os.path.join(out or "", LAST))
            data.seek(run.step)
        stopped = threading.Event() if out is None else stack.enter_context(catch_stop())
        report = Progress(run.step, steps, progress and group.rank == 0)
        stack.callback(report.bar.close)
        stack.enter_context(one_blas_thread())
        fast, share = accelerate(model, input_gradient=False), Share(data, group, model)
        stepper = Centered(optimizer, center) if center else optimizer
        stepper = Averaged(stepper, share) if group.size > 1 else stepper
        stepper = Scheduled(stepper, schedule, run.step)
        saved_at = time.monotonic()
        how = {"batch_size": batch_size, "patch_size": patch_size, "loss": loss, "rng": run.rng}
        try:
            for _, value in train(fast, share, stepper, steps - run.step, **how):
                run.step += 1
                late = time.monotonic() - saved_at >= SAVE_EVERY_SECONDS
                value, stop, late = group.agree(value, share.weight, stopped.is_set(), late)
                run.losses.append(value)
                report.bar.update()
                last = run.step == steps
                has_row = last or run.step % ROW_EVERY == 0
                saves = stop or late or last or run.step % SAVE_EVERY_STEPS == 0
                if has_row or saves:
                    run.check_finite()
                if has_row:
                    score = math.nan
                    if validation and (last or run.step % validate_every == 0):
                        score = group.on_rank_0(lambda: validate(model, validation))
                    if run.add_row(score) and out is not None:
                        group.on_rank_0(lambda: folder.save_best(model))
                    report.report(run.step, run.summary(loss is mse))
                if saves and out is not None:
                    group.on_rank_0(lambda: folder.save(model, *run.state(), settings, run.history))
                    saved_at = time.monotonic()
                if stop:
                    raise KeyboardInterrupt
        except np.linalg.LinAlgError as error:  # SOAP's, for a gradient that is not finite
            raise run.diverged("a gradient is not finite") from error
    return run.history


def _constant(step: int) -> float:
    return 1.0


class _Run:
    """The state of a run: everything that changes from step to step."""

    def __init__(self, model: Network, optimizer: Any, schedule: Schedule, seed: int) -> None:
        self.model, self.optimizer, self.schedule = model, unwrapped(optimizer), schedule
        self.first_lr, self.rng = optimizer.lr, np.random.default_rng(seed)
        self.step, self.best = 0, -math.inf
        self.losses: list[Any] = []  # of the steps since the last row, on whatever device
        self.history: History = {name: [] for name in COLUMNS}

    def add_row(self, score: float) -> bool:
        """Add a row to the history; return whether its validation score is the best so far."""
        mean = float(np.mean([float(value) for value in self.losses]))
        steps = self.history["step"]
        if steps and steps[-1] % ROW_EVERY:  # a shorter run ended there, before its row was full
            for column in self.history.values():
                column.pop()
        for name, value in zip(COLUMNS, (self.step, self.optimizer.lr, mean, score), strict=True):
            self.history[name].append(value)
        if self.step % ROW_EVERY == 0:
            self.losses = []
            if isinstance(self.schedule, Plateau):
                self.schedule.observe(mean)
        is_best = score > self.best  # a NaN is not
        if is_best:
            self.best = score
        return is_best

    def summary(self, loss_is_mse: bool) -> str:
        """Return the last loss and the last PSNR; without a validation, a PSNR from the MSE."""
        loss = self.history["loss"][-1]
        scores = [score for score in self.history["val_psnr"] if score == score]
        if scores:
            return f"loss {loss:.2e}, PSNR {scores[-1]:.2f} dB"
        if loss_is_mse and loss > 0:
            return f"loss {loss:.2e}, PSNR {-10 * math.log10(loss):.2f} dB on patches"
        return f"loss {loss:.2e}"

    def check_finite(self) -> None:
        """Raise if a loss or a weight is not a finite number: such a state must not be kept."""
        bad = [f"the loss is {value}" for value in self.losses if not math.isfinite(value)]
        for name, param in self.model.params.items():
            if not bool(array_module(param).isfinite(param).all()):
                bad.append(f"{name} holds numbers that are not finite")
        if bad:
            raise self.diverged(bad[0])

    def diverged(self, what: str) -> DivergedError:
        return DivergedError(
            f"{what} at step {self.step}: the learning rate is probably too high "
            f"({self.first_lr:g}); try a tenth of it"
        )

    def state(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Return the optimizer's arrays and everything else, for a `Checkpoint`."""
        return _arrays(self.optimizer), {
            "step": self.step,
            "best": self.best,
            "losses": [float(value) for value in self.losses],
            "rng": self.rng.bit_generator.state,
            "schedule": self.schedule.state_dict() if isinstance(self.schedule, Plateau) else None,
            "factor": self.schedule(self.step),
            "optimizer steps": self.optimizer.steps,
        }

    def resume(self, saved: Checkpoint, path: str) -> None:
        """Continue from a checkpoint; an error names its file."""
        try:
            self._resume(saved)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            reason = str(error) if type(error) is ValueError else repr(error)
            raise ValueError(f"{path} is not a checkpoint of this run: {reason}") from error

    def _resume(self, saved: Checkpoint) -> None:
        now, history = saved.progress, {name: saved.history[name] for name in COLUMNS}
        if len({len([float(value) for value in column]) for column in history.values()}) != 1:
            raise ValueError("the columns of its history differ in length")
        self.history = {name: list(column) for name, column in history.items()}
        self.step, self.best = whole_number("step", now["step"], 0), float(now["best"])
        self.losses = [float(value) for value in now["losses"]]
        self.rng.bit_generator.state = now["rng"]
        if isinstance(self.schedule, Plateau):
            self.schedule.load_state_dict(now["schedule"])
        there, here = now["factor"], self.schedule(self.step)
        if not math.isclose(there, here, abs_tol=1e-12):
            raise ValueError(
                f"its schedule stands at {there:.6g} after {self.step} steps, this one at "
                f"{here:.6g}: continue with the same total number of steps"
            )
        own, arrays = _arrays(self.optimizer), saved.optimizer
        for name in own | arrays:
            kinds = [(x[name].shape, x[name].dtype) if name in x else None for x in (own, arrays)]
            if kinds[0] != kinds[1] or not np.isfinite(arrays[name]).all():
                raise ValueError(f"its state {name} does not fit this optimizer, or is not finite")
        self.model.load_state_dict(saved.weights)
        for name, array in own.items():  # in place: a product's last bits can depend on the layout
            array[...] = array_module(array).asarray(arrays[name])
        self.optimizer.steps = whole_number("optimizer steps", now["optimizer steps"], -1)


def _arrays(optimizer: Any) -> dict[str, Array]:
    """Return the optimizer's state, the arrays themselves: "parameter/entry"."""
    return {
        f"{name}/{key}": array
        for name, entries in optimizer.state.items()
        for key, array in entries.items()
    }


def _name(thing: Any) -> str:
    """Return the name of a function (of its maker, such as ``cosine``) or of an object's class."""
    if isinstance(thing, Wrapper):
        return f"{type(thing).__name__} {_name(thing.optimizer)}"
    name: str = getattr(thing, "__qualname__", type(thing).__name__)
    return name.partition(".<locals>")[0]


def _numbers(thing: Any) -> dict[str, Any]:
    """Return the numbers that an optimizer or a schedule was made with."""
    changing = ("steps", "state", "scale", "best", "waited")
    given = {k: v for k, v in vars(thing).items() if k not in changing}
    given = {k: v for k, v in given.items() if isinstance(v, int | float | tuple | dict)}
    return given | (_numbers(thing.optimizer) if isinstance(thing, Wrapper) else {})
