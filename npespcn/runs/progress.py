"""How a run stands, on stderr; and Ctrl-C as a wish to stop, not as an accident."""

from __future__ import annotations

import contextlib
import math
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import TypeAlias

from tqdm import tqdm

History: TypeAlias = dict[str, list[float]]
"""Columns: step, lr, loss (mean since the last row), val_psnr in dB (NaN where not measured)."""

COLUMNS = ("step", "lr", "loss", "val_psnr")
ROW_EVERY = 10  # steps that one row of the history averages


class Report:
    """Progress on stderr: loss, PSNR and speed; a bar on a terminal, else a line now and then.

    Parameters
    ----------
    history : dict
        As it grows.
    step, steps : int
        Where the run begins, and where it ends.
    wanted : bool
        Whether to say anything at all.
    loss_is_mse : bool
        Whether a PSNR can be made of the loss, until the first validation.
    """

    def __init__(
        self, history: History, step: int, steps: int, wanted: bool, loss_is_mse: bool
    ) -> None:
        self.history, self.wanted, self.loss_is_mse = history, wanted, loss_is_mse
        self.bar = tqdm(
            total=steps,
            initial=step,
            unit="step",
            disable=not (wanted and sys.stderr.isatty()),
            dynamic_ncols=True,
        )
        self.first_step, self.started = step, time.perf_counter()
        self.line_every = max(ROW_EVERY, steps // 20 // ROW_EVERY * ROW_EVERY)

    def __enter__(self) -> Report:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def update(self, step: int) -> None:
        """Say how the run stands, after a step."""
        self.bar.update(1)
        if not self.wanted or not (step % ROW_EVERY == 0 or step == self.bar.total):
            return
        loss = self.history["loss"][-1]
        words = f"loss {loss:.2e}"
        measured = [value for value in self.history["val_psnr"] if value == value]
        if measured:
            words += f", PSNR {measured[-1]:.2f} dB"
        elif self.loss_is_mse and loss > 0:
            words += f", PSNR {-10 * math.log10(loss):.2f} dB on patches"
        self.bar.set_postfix_str(words, refresh=False)
        if self.bar.disable and (step % self.line_every == 0 or step == self.bar.total):
            speed = (step - self.first_step) / (time.perf_counter() - self.started)
            print(f"step {step}/{self.bar.total}: {words}, {speed:.1f} steps/s", file=sys.stderr)


@contextlib.contextmanager
def catch_signals() -> Iterator[threading.Event]:
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
