"""The learning curve of a training run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from npespcn.common import Array
from npespcn.figures.sheet import WIDTH


def learning_curve(
    history: Mapping[str, Sequence[float | None]],
    *,
    bicubic: float | None = None,
    title: str = "",
) -> Figure:
    """Draw the loss, on a logarithmic scale, and the PSNR in validation.

    Parameters
    ----------
    history : mapping of str to sequence
        Columns: ``"step"`` and ``"loss"``; optionally ``"lr"``; optionally ``"val_psnr"`` in dB,
        measured at ``"val_step"`` or, without such a column, at ``"step"``. None and NaN stand for
        values that were not measured.
    bicubic : float, optional
        PSNR of bicubic interpolation on the same images, in dB: the line to beat.
    title : str
        Title of the figure.

    Raises
    ------
    ValueError
        If ``"step"`` or ``"loss"`` is missing, or columns that belong together differ in length.
    """
    for name in ("step", "loss"):
        if name not in history:
            raise ValueError(f"learning_curve: history has no {name!r}, only {sorted(history)}")
    figure = Figure(figsize=(WIDTH, 4), facecolor="white", layout="constrained")
    figure.suptitle(title, weight="bold")
    val_step, psnr = _columns(history, "val_step" if "val_step" in history else "step", "val_psnr")
    panels = figure.subplots(1, 2 if len(psnr) else 1, squeeze=False)[0]

    step, loss = _columns(history, "step", "loss")
    dots = "o" if len(loss) < 20 else ""
    panels[0].plot(step, loss, color="#9ecae1", lw=0.8, marker=dots, label="as recorded")
    window = max(1, len(loss) // 40)
    if window > 1:
        means = np.convolve(loss, np.full(window, 1 / window), mode="valid")
        panels[0].plot(step[window - 1 :], means, color="#08519c", lw=2, label=f"mean of {window}")
    panels[0].set(title="Training loss", xlabel="step", ylabel="loss")
    if (loss > 0).any():
        panels[0].set_yscale("log")
    if "lr" in history:
        rate = panels[0].twinx()
        rate.plot(*_columns(history, "step", "lr"), color="#555555", lw=1, ls="--", label="rate")
        rate.set(ylabel="learning rate (dashed)")
        rate.set_ylim(bottom=0)
    panels[0].legend(loc="upper right")

    if len(psnr):
        panels[1].plot(val_step, psnr, color="#08519c", lw=2, marker="o", ms=3, label="network")
        panels[1].set(title="Validation", xlabel="step", ylabel="PSNR (dB)")
        best = psnr.argmax()
        label = f"best: {psnr[best]:.2f} dB at step {val_step[best]:.0f}"
        panels[1].plot(
            val_step[best], psnr[best], "o", ms=9, mfc="none", color="black", label=label
        )
        if bicubic is not None:
            label = f"bicubic: {bicubic:.2f} dB"
            panels[1].axhline(bicubic, color="#d55e00", lw=2, ls="--", label=label)
        panels[1].legend(loc="center right")
    for axes in panels:
        axes.grid(alpha=0.3)
    return figure


def _columns(history: Mapping[str, Sequence[float | None]], x: str, y: str) -> tuple[Array, Array]:
    """Return two columns without the rows where a value is missing."""
    if y not in history:
        return np.empty(0), np.empty(0)
    xs, ys = (np.array(history[name], dtype=np.float64) for name in (x, y))
    if xs.shape != ys.shape:
        raise ValueError(f"learning_curve: {x!r} has {len(xs)} entries and {y!r} has {len(ys)}")
    measured = np.isfinite(xs) & np.isfinite(ys)
    return xs[measured], ys[measured]
