"""Progress of a run, on stderr."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm


class Progress:
    """A bar on a terminal; elsewhere a plain line about every twentieth of the way.

    Parameters
    ----------
    step, steps : int
        Where the run begins and ends.
    wanted : bool
        Whether to write anything.
    """

    def __init__(self, step: int, steps: int, wanted: bool) -> None:
        is_terminal = sys.stderr.isatty()
        self.bar = tqdm(
            initial=step,
            total=steps,
            unit="step",
            dynamic_ncols=True,
            disable=not (wanted and is_terminal),
        )
        self.is_log = wanted and not is_terminal
        self.line_every = max(10, steps // 20 // 10 * 10)
        self.first_step, self.started = step, time.perf_counter()

    def report(self, step: int, text: str) -> None:
        """Show a text after a step, or write it if it is time for a line."""
        self.bar.set_postfix_str(text, refresh=False)
        if self.is_log and (step % self.line_every == 0 or step == self.bar.total):
            speed = (step - self.first_step) / (time.perf_counter() - self.started)
            print(f"step {step}/{self.bar.total}: {text}, {speed:.1f} steps/s", file=sys.stderr)
