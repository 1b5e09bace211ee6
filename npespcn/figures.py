"""Every picture that the project draws, under one roof: curves, before and after, and the maps.

`explain_figure` and `explain_gif` are in `npespcn.explain`, `channel_maps` in `npespcn.maps`, and
what all share, the channels' colours and `save` among it, in `npespcn.easel`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from npespcn.backend import Array, to_host
from npespcn.easel import MARGIN, WIDTH, Sheet, channel_colours, check_box, outline, save
from npespcn.explain import explain_figure, explain_gif
from npespcn.maps import channel_maps

__all__ = [
    "before_after",
    "channel_colours",
    "channel_maps",
    "explain_figure",
    "explain_gif",
    "learning_curve",
    "save",
    "where_they_differ",
]

_MOST_DRAWN = 1500  # pixels of a whole picture's longer side


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
        ``"step"`` and ``"loss"``, and as far as they are there ``"lr"`` (of the same length), and
        ``"val_psnr"`` in dB with ``"val_step"``, or without it as long as ``"step"``. None and NaN
        mark what was not measured.
    bicubic : float, optional
        PSNR of bicubic enlargement on the same pictures, in dB: the line to beat.
    title : str
        Above the picture.

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


def before_after(
    pictures: Mapping[str, Array],
    box: tuple[int, int, int, int] | None = None,
    *,
    captions: Mapping[str, str] | None = None,
    title: str = "",
) -> Figure:
    """Draw pictures side by side, and below each the same piece of it enlarged.

    Parameters
    ----------
    pictures : mapping of str to uint8 array, (H, W) or (H, W, 3)
        Names and pictures, all of one size, such as bicubic, network and original.
    box : (int, int, int, int), optional
        The piece: left, upper, right and lower side in pixels, the last two outside, as in Pillow.
        If not given, the middle fifth.
    captions : mapping of str to str, optional
        A line for under a name, such as its PSNR and SSIM.
    title : str
        Above the picture.

    Returns
    -------
    matplotlib.figure.Figure
        Axes have the labels ``"NAME"`` and ``"NAME, enlarged"``.

    Raises
    ------
    TypeError
        If a picture is not of uint8.
    ValueError
        If there are no pictures, their shapes are not as above, or `box` is empty or outside.
    """
    if not pictures:
        raise ValueError("before_after: there are no pictures")
    arrays = {name: to_host(picture) for name, picture in pictures.items()}
    sides = {array.shape[:2] for array in arrays.values()}
    for name, array in arrays.items():
        if array.dtype != np.uint8:
            raise TypeError(f"before_after: {name!r} must be of uint8, got {array.dtype}")
        if array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,)) or 0 in array.shape:
            raise ValueError(
                f"before_after: {name!r} must have shape (H, W) or (H, W, 3), got {array.shape}"
            )
    if len(sides) > 1:
        raise ValueError(f"before_after: pictures must be of one size, got {sorted(sides)}")
    ((h, w),) = sides
    if box is None:
        box = (w * 2 // 5, h * 2 // 5, -(-w * 3 // 5), -(-h * 3 // 5))
    left, upper, right, lower = box
    check_box("before_after", box, h, w)
    step = -(-max(h, w) // _MOST_DRAWN)  # a camera's picture has more pixels than a sheet

    gap = 0.1
    width = (WIDTH - 2 * MARGIN - (len(arrays) - 1) * gap) / len(arrays)
    sheet = Sheet(title)
    top = 0.45 if title else MARGIN
    for number, (name, array) in enumerate(arrays.items()):
        x, y = MARGIN + number * (width + gap), top
        sheet.heading(x, y, name)
        if captions:
            y += 0.22
            sheet.heading(x, y, captions.get(name, ""), weight="normal")
        whole = np.asarray(Image.fromarray(array).reduce(step))
        axes, y = sheet.picture((x, y + 0.28, width), whole, name, scale=(0, 255))
        outline(axes, *(n / step for n in (left, upper, right - left, lower - upper)))
        piece, label = array[upper:lower, left:right], f"{name}, enlarged"
        at = (x, y + gap, width)
        sheet.picture(at, piece, label, scale=(0, 255), interpolation="nearest")
    return sheet.finish()


def where_they_differ(a: Array, b: Array) -> tuple[int, int, int, int]:
    """Return the piece where two pictures differ most: left, upper, right, lower, as in Pillow.

    Parameters
    ----------
    a, b : uint8 array, (H, W) or (H, W, 3)
        Of one size.
    """
    h, w = a.shape[:2]
    side = min(h, w, max(64, min(h, w) // 8))
    gap = np.abs(a.astype(np.int16) - b).reshape(h, w, -1).max(axis=2)  # (H, W)
    rows, columns = h // side, w // side
    cells = gap[: rows * side, : columns * side].reshape(rows, side, columns, side)
    row, column = divmod(int(cells.mean(axis=(1, 3)).argmax()), columns)
    return column * side, row * side, (column + 1) * side, (row + 1) * side


def _columns(history: Mapping[str, Sequence[float | None]], x: str, y: str) -> tuple[Array, Array]:
    """Return two columns without the rows where something was not measured."""
    if y not in history:
        return np.empty(0), np.empty(0)
    xs, ys = (np.array(history[name], dtype=np.float64) for name in (x, y))
    if xs.shape != ys.shape:
        raise ValueError(f"learning_curve: {x!r} has {len(xs)} entries and {y!r} has {len(ys)}")
    measured = np.isfinite(xs) & np.isfinite(ys)
    return xs[measured], ys[measured]
