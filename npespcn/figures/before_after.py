"""Before and after: images side by side, with an enlarged detail."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from npespcn.common import Array
from npespcn.fast.gpu import to_host
from npespcn.figures.sheet import MARGIN, WIDTH, Sheet, check_box, outline

_MOST_DRAWN = 1500  # pixels along the longer side of a whole image


def before_after(
    pictures: Mapping[str, Array],
    box: tuple[int, int, int, int] | None = None,
    *,
    captions: Mapping[str, str] | None = None,
    title: str = "",
) -> Figure:
    """Draw images side by side, and below each of them the same detail, enlarged.

    Parameters
    ----------
    pictures : mapping of str to uint8 array, (H, W) or (H, W, 3)
        Names and images, all of one size, such as bicubic, network and original.
    box : (int, int, int, int), optional
        The detail: left, upper, right and lower side in pixels, the last two exclusive, as in
        Pillow. If not given, the middle fifth.
    captions : mapping of str to str, optional
        A line to write below a name, such as a PSNR.
    title : str
        Title of the figure.

    Returns
    -------
    matplotlib.figure.Figure
        Axes have the labels ``"NAME"`` and ``"NAME, enlarged"``.

    Raises
    ------
    TypeError
        If an image is not of uint8.
    ValueError
        If there are no images, their shapes are not as above, or `box` is empty or outside.
    """
    if not pictures:
        raise ValueError("before_after: there are no images")
    arrays = {name: to_host(image) for name, image in pictures.items()}
    sides = {array.shape[:2] for array in arrays.values()}
    for name, array in arrays.items():
        if array.dtype != np.uint8:
            raise TypeError(f"before_after: {name!r} must be of uint8, got {array.dtype}")
        if array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,)) or 0 in array.shape:
            raise ValueError(
                f"before_after: {name!r} must have shape (H, W) or (H, W, 3), got {array.shape}"
            )
    if len(sides) > 1:
        raise ValueError(f"before_after: images must be of one size, got {sorted(sides)}")
    ((h, w),) = sides
    if box is None:
        box = (w * 2 // 5, h * 2 // 5, -(-w * 3 // 5), -(-h * 3 // 5))
    left, upper, right, lower = box
    check_box("before_after", box, h, w)
    step = -(-max(h, w) // _MOST_DRAWN)  # a photograph has more pixels than a figure

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
        axes, y = sheet.image((x, y + 0.28, width), whole, name, scale=(0, 255))
        outline(axes, *(n / step for n in (left, upper, right - left, lower - upper)))
        piece, label = array[upper:lower, left:right], f"{name}, enlarged"
        at = (x, y + gap, width)
        sheet.image(at, piece, label, scale=(0, 255), interpolation="nearest")
    return sheet.finish()


def where_they_differ(a: Array, b: Array) -> tuple[int, int, int, int]:
    """Return the box where two images differ most: left, upper, right, lower, as in Pillow.

    Parameters
    ----------
    a, b : uint8 array, (H, W) or (H, W, 3)
        Two images of one size.
    """
    h, w = a.shape[:2]
    side = min(h, w, max(64, min(h, w) // 8))
    gap = np.abs(a.astype(np.int16) - b).reshape(h, w, -1).max(axis=2)  # (H, W)
    rows, columns = h // side, w // side
    cells = gap[: rows * side, : columns * side].reshape(rows, side, columns, side)
    row, column = divmod(int(cells.mean(axis=(1, 3)).argmax()), columns)
    return column * side, row * side, (column + 1) * side, (row + 1) * side
