"""Training: draw a batch, forward, loss, backward, step; and never lose more than seconds of it."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from typing import Any, Protocol, TypeAlias

import numpy as np
from tqdm import tqdm

from npespcn.backend import Array, array_module, to_host
from npespcn.centring import centred
from npespcn.checkpoints import RunFolder
from npespcn.convshape import whole_number
from npespcn.evaluation import inside, to_8_bits
from npespcn.images import upscale_bicubic
from npespcn.losses import mse
from npespcn.metrics import psnr
from npespcn.models import Network, as_input
from npespcn.optim import SOAP, Optimizer, Plateau, Schedule

History: TypeAlias = dict[str, list[float]]
"""Columns: step, lr, loss (mean since the last row), val_psnr in dB (NaN where not measured)."""
Loss: TypeAlias = Callable[[Array, Array], tuple[Array, Array]]

COLUMNS = ("step", "lr", "loss", "val_psnr")
ROW_EVERY = 10  # steps that one row of the history averages
SAVE_EVERY_STEPS, SAVE_EVERY_SECONDS = 100, 5.0


class Data(Protocol):
    """Where batches come from: `npespcn.data.PairedPatches`, or anything with these methods."""

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
) -> History:
    """Train `model` in place; return its history.

    Repeatable: the same arguments give the same bits on the same machine, on any number of threads.

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
        Patches in a batch, and their side in LR pixels.
    schedule : callable, optional
        Factor on the learning rate at a step: `npespcn.optim.cosine`, `step_decay` or `Plateau`
        (which observes the mean loss of each row of the history). Without it the rate is constant.
    loss : callable
        (prediction, target) -> (value, dprediction). Where the network does not pad, the target is
        the inside of the HR patch.
    validation : sequence of (LR, HR)
        Whole pictures, (1, C, H, W), as `npespcn.data.validation_pairs` makes them.
    validate_every : int
        Steps between two validations; a multiple of 10. The last step is always validated.
    centre : float
        The optimiser steps as if this were subtracted from all pictures, see `npespcn.centring`; 0
        for the plain gradients.
    seed : int
        Of the batches.
    out : path, optional
        The run's folder, see `npespcn.checkpoints`. The last checkpoint is written every 100 steps
        or 5 seconds, whichever is sooner.
    resume : bool
        Whether to go on from the checkpoint in `out`, if there is one, to the same bits as a run
        that was never stopped.
    progress : bool
        Whether to report on stderr: a bar on a terminal, plain lines elsewhere.

    Raises
    ------
    FileExistsError
        If `out` holds a run and `resume` is false, or is in use.
    ValueError
        If the checkpoint in `out` was made with other settings, or is damaged.
    DivergedError
        If the loss is no longer a number. The last good checkpoint stays.
    KeyboardInterrupt
        On Ctrl-C (or SIGTERM) while training into `out`: after the current step, and saved.
    """
    whole_number("fit: steps", steps, 1)
    whole_number("fit: batch_size", batch_size, 1)
    whole_number("fit: patch_size", patch_size, 1)
    if whole_number("fit: validate_every", validate_every, 1) % ROW_EVERY:
        raise ValueError(
            f"fit: validate_every must be a multiple of {ROW_EVERY}, got {validate_every}"
        )
    optimizer = optimizer or SOAP(model)
    run = _Run(model, data, optimizer, schedule, loss, validation, centre, seed)
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
        folder = None if out is None else stack.enter_context(RunFolder(out, resume))
        stopped = threading.Event() if folder is None else stack.enter_context(_catch_signals())
        if folder is not None and resume and folder.has_checkpoint():
            run.load(*folder.load(model, settings))
        report = stack.enter_context(_Report(run, steps, batch_size, progress))
        saved_at = time.monotonic()
        while run.step < steps:
            run.one_step(batch_size, patch_size)
            last = run.step == steps
            if run.step % ROW_EVERY == 0 or last:
                is_best = run.add_row(last or run.step % validate_every == 0)
                if is_best and folder is not None:
                    folder.save_best(model)
            report.update()
            stop = stopped.is_set()  # asked once: what comes after it must find this step saved
            late = time.monotonic() - saved_at >= SAVE_EVERY_SECONDS
            if folder is not None and (stop or late or last or run.step % SAVE_EVERY_STEPS == 0):
                run.check_finite()
                folder.save(model, optimizer.state_dict(), run.state(), settings, run.history)
                saved_at = time.monotonic()
            if stop:
                raise KeyboardInterrupt
    return run.history


def validate(model: Network, pairs: Sequence[tuple[Array, Array]]) -> float:
    """Return the mean PSNR of `model` in dB on whole pictures, as the literature measures it.

    Rounded to 8 bits, and without a border of `scale` pixels. Where the network does not pad, the
    inside of the target is compared.
    """
    scores = []
    for lr, hr in pairs:
        y = to_host(model.predict(as_input(model, lr)))
        scores.append(_score(y, inside(hr, y.shape), model.scale))
    return float(np.mean(scores))


def bicubic_score(pairs: Sequence[tuple[Array, Array]]) -> float:
    """Return what `validate` would if the network were bicubic interpolation: the line to beat."""
    scores = []
    for lr, hr in pairs:
        scale = hr.shape[2] // lr.shape[2]
        planes = [upscale_bicubic(to_8_bits(plane), scale) for plane in lr[0]]
        scores.append(_score(np.stack(planes)[None] / 255, hr, scale))
    return float(np.mean(scores))


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
    ) -> None:
        self.model, self.data, self.optimizer, self.loss = model, data, optimizer, loss
        self.schedule, self.validation = schedule or (lambda step: 1.0), validation
        self.centre, self.rng = centre, np.random.default_rng(seed)
        self.base_lr = optimizer.lr
        self.step, self.best = 0, -math.inf
        self.losses: list[Array] = []  # of the steps since the last row, wherever they are
        self.history: History = {name: [] for name in COLUMNS}

    def one_step(self, batch_size: int, patch_size: int) -> None:
        """Do the heart of it: batch, forward, loss, backward, step."""
        lr_patch, hr_patch = self.data.batch(self.rng, batch_size, patch_size)
        x, target = as_input(self.model, lr_patch), as_input(self.model, hr_patch)
        y = self.model.forward(x)
        value, dy = self.loss(y, inside(target, y.shape))
        self.model.backward_params(dy)
        self.optimizer.lr = self.base_lr * self.schedule(self.step)
        try:
            with centred(self.model, self.centre):
                self.optimizer.step()
        except np.linalg.LinAlgError as error:  # SOAP's, for a gradient that is no number
            raise self._diverged("a gradient is not finite") from error
        self.losses.append(value)
        self.step += 1

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
        score = validate(self.model, self.validation) if measure else math.nan
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
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"this checkpoint is not one that this version wrote: {error!r}"
            ) from error

    def _load(
        self, optimizer_state: Mapping[str, Array], saved: Mapping[str, Any], history: History
    ) -> None:
        self.history = {name: history[name] for name in COLUMNS}
        if len({len(column) for column in self.history.values()}) != 1:
            raise ValueError("the history in this checkpoint has columns of different lengths")
        self.step, self.best = saved["step"], saved["best"]
        self.losses = [np.asarray(value) for value in saved["losses"]]
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


class _Report:
    """Progress on stderr: loss, PSNR and speed; a bar on a terminal, else a line now and then."""

    def __init__(self, run: _Run, steps: int, batch_size: int, wanted: bool) -> None:
        self.run, self.batch_size, self.wanted = run, batch_size, wanted
        self.bar = tqdm(
            total=steps,
            initial=run.step,
            unit="step",
            disable=not (wanted and sys.stderr.isatty()),
            dynamic_ncols=True,
        )
        self.first_step, self.started = run.step, time.perf_counter()
        self.line_every = max(ROW_EVERY, steps // 20 // ROW_EVERY * ROW_EVERY)

    def __enter__(self) -> _Report:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def update(self) -> None:
        """Say how the run stands, after a step."""
        step = self.run.step
        self.bar.update(1)
        if not self.wanted or not (step % ROW_EVERY == 0 or step == self.bar.total):
            return
        loss = self.run.history["loss"][-1]
        words = f"loss {loss:.2e}"
        measured = [value for value in self.run.history["val_psnr"] if value == value]
        if measured:
            words += f", PSNR {measured[-1]:.2f} dB"
        elif self.run.loss is mse and loss > 0:  # until the first validation
            words += f", PSNR {-10 * math.log10(loss):.2f} dB on patches"
        self.bar.set_postfix_str(words, refresh=False)
        if self.bar.disable and (step % self.line_every == 0 or step == self.bar.total):
            speed = (step - self.first_step) / (time.perf_counter() - self.started)
            print(f"step {step}/{self.bar.total}: {words}, {speed:.1f} steps/s", file=sys.stderr)


@contextlib.contextmanager
def _catch_signals() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C or SIGTERM into an event, so that no step is torn."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event  # only the main thread may handle signals
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # nohup and "&" have them ignored, and that is meant; None is a handler that is not Python's.
    before = {
        n: handler for n, handler in handlers.items() if handler not in (signal.SIG_IGN, None)
    }

    def stop(number: int, frame: object) -> None:
        event.set()
        for each, handler in before.items():
            signal.signal(each, handler)

    for number in before:
        signal.signal(number, stop)
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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


def _score(y: Array, target: Array, border: int) -> float:
    """Return the PSNR of y against `target`, both (1, C, H, W) and 1.0 for 255."""
    a, b = (to_8_bits(array[0]).transpose(1, 2, 0) for array in (y, target))  # (H, W, C)
    return psnr(a, b, border=border)
