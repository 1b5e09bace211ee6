"""What tests of the explorer share: cells are read back, and compared with the library."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex

from npespcn.common import Array
from npespcn.explorer.data import SIZE
from npespcn.shuffle import ORDERS, pixel_shuffle

Visit = Callable[..., Any]
Place = tuple[int, int, int]

SETUPS = [(r, c, order) for r in (2, 3, 4) for c in (1, 3) for order in ORDERS]
H, W = SIZE
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
every_setup = pytest.mark.parametrize(("r", "c", "order"), SETUPS)

# The cells of a view as they are on the screen: their data, text, color and place.
READ = """selector => [...document.querySelectorAll(selector)].map(cell => {
    const box = cell.getBoundingClientRect();
    return {...cell.dataset, text: cell.textContent, name: cell.getAttribute("aria-label"),
            fill: getComputedStyle(cell).backgroundColor, x: box.x, y: box.y, side: box.width};
})"""


def address(mode: str, r: int, c: int, order: str, **more: Any) -> str:
    parts = {"mode": mode, "r": r, "c": c, "order": order.lower(), **more}
    return "&".join(f"{name}={value}" for name, value in parts.items())


def labels(n: int) -> Array:
    """Return what the source cells are to carry: 0a, 0b ... (C·r², H, W)."""
    letters = np.array(list("abcdefghijkl"))[: H * W].reshape(H, W)
    return np.array([np.char.add(str(k), letters) for k in range(n)])


def shuffled(x: Array, r: int, order: str) -> Array:
    return pixel_shuffle(x, r, order=order)


def origins(r: int, c: int, order: str) -> Array:
    """Return k, h and w of what the library puts at each place: (C, H·r, W·r, 3)."""
    shape = (c * r * r, H, W)
    numbers = shuffled(np.arange(np.prod(shape)).reshape(shape), r, order)
    return np.stack(np.unravel_index(numbers, shape), axis=-1)


def place_of(r: int, c: int, order: str, source: Place) -> Place:
    """Return where the library puts pixel (h, w) of channel k."""
    (place,) = np.argwhere((origins(r, c, order) == source).all(axis=-1)).tolist()
    return tuple(place)


def on_screen(cells: list[dict[str, Any]], shape: tuple[int, ...]) -> list[dict[str, Any]]:
    """Sort the cells of one grid by where they are drawn, and check that it is a grid."""
    cells = sorted(cells, key=lambda cell: (round(cell["y"]), round(cell["x"])))
    corner, side = cells[0], cells[0]["side"]
    for n, cell in enumerate(cells):
        row, col = divmod(n, shape[-1])
        assert cell["x"] == pytest.approx(corner["x"] + col * side, abs=0.6)
        assert cell["y"] == pytest.approx(corner["y"] + row * side, abs=0.6)
    assert len(cells) == np.prod(shape)
    return cells


def drawn(page: Any, view: str, kind: str, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Read the labels and the colors of all grids of a side, each sorted by place."""
    count, *size = shape
    grid = {"source": ".channel", "output": ".plane"}[kind]
    texts, fills = [], []
    for n in range(count):
        selector = f'[data-view="{view}"] :nth-child({n + 1} of {grid}) .cell'
        cells = on_screen(page.evaluate(READ, selector), tuple(size))
        texts.append([cell["text"] for cell in cells])
        fills.append([color(cell["fill"]) for cell in cells])
    return np.array(texts).reshape(shape), np.array(fills).reshape(shape)


def color(css: str) -> str:
    return to_hex([int(part) / 255 for part in re.findall(r"\d+", css)[:3]])


def cell_at(page: Any, view: str, place: Place) -> Any:
    c, row, col = place
    where = f'[data-c="{c}"][data-row="{row}"][data-col="{col}"]'
    return page.locator(f'[data-view="{view}"] .output .cell{where}')


def source_at(page: Any, view: str, source: Place) -> Any:
    k, h, w = source
    where = f'[data-k="{k}"][data-h="{h}"][data-w="{w}"]'
    return page.locator(f'[data-view="{view}"] .source .cell{where}')


def text(page: Any, selector: str) -> str:
    return page.locator(selector).text_content()


def value(expression: str) -> int:
    """Work out a formula of the page that has numbers for its letters."""
    assert re.fullmatch(r"[\d ()+·%/*]+", expression), expression
    return eval(expression.replace("·", "*"))  # noqa: S307


def lit(page: Any) -> list[str]:
    """Return the labels of the two cells that are lit up."""
    return page.locator('[data-view="map"] .here').all_text_contents()


def step(page: Any) -> int:
    return int(page.locator('[data-view="steps"] input[type=range]').input_value())
