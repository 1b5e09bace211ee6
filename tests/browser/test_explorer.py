"""The explorer in a browser: what it draws is read back and compared with the library."""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex

from npespcn import explorer, shuffle
from npespcn.common import Array
from npespcn.figures import channel_colors, channel_formula
from npespcn.shuffle import ORDERS, channel_permutation, pixel_shuffle

Visit = Callable[..., Any]
Place = tuple[int, int, int]

SETUPS = [(r, c, order) for r in (2, 3, 4) for c in (1, 3) for order in ORDERS]
H, W = explorer.SIZE
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


# --- map -----------------------------------------------------------------------------------------


@every_setup
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_drawn_image_is_the_shuffled_channels(
    visit: Visit, r: int, c: int, order: str, viewport: dict[str, int]
) -> None:
    page = visit(address("map", r, c, order), viewport=viewport)
    n = c * r * r
    texts, fills = drawn(page, "map", "source", (n, H, W))
    assert texts.tolist() == labels(n).tolist()
    assert all((fills[k] == fill).all() for k, fill in enumerate(channel_colors(r, c, order)))
    image_texts, image_fills = drawn(page, "map", "output", (c, H * r, W * r))
    assert image_texts.tolist() == shuffled(texts, r, order).tolist()
    assert image_fills.tolist() == shuffled(fills, r, order).tolist()


@every_setup
def test_every_cell_knows_its_other_side(visit: Visit, r: int, c: int, order: str) -> None:
    """The data and the names, both ways."""
    page = visit(address("map", r, c, order))
    origin = origins(r, c, order)
    sources, outputs = (
        page.evaluate(READ, f'[data-view="map"] .{kind} .cell') for kind in ("source", "output")
    )
    assert len(sources) == len(outputs) == origin[..., 0].size
    letters = labels(c * r * r)
    for cell in sources + outputs:
        k, h, w, plane, row, col = (int(cell[key]) for key in ("k", "h", "w", "c", "row", "col"))
        assert origin[plane, row, col].tolist() == [k, h, w]
        assert cell["text"] == letters[k, h, w]
        channel = f"hannel {k}, pixel {cell['text'][-1]} (row {h}, column {w})"
        image = f"mage channel {plane}, row {row}, column {col}"
        assert cell["name"] in (f"C{channel}, goes to i{image}", f"I{image}, from C{channel}")
    assert len({cell["name"] for cell in sources + outputs}) == len(sources + outputs)


@every_setup
def test_the_formula_is_true_of_every_cell(visit: Visit, r: int, c: int, order: str) -> None:
    page = visit(address("map", r, c, order))
    told = page.evaluate("""() => {
        const map = document.querySelector('[data-view="map"]');
        const all = selector => [...map.querySelectorAll(selector)];
        return all(".cell").map(cell => {
            cell.dispatchEvent(new PointerEvent("pointerover", {bubbles: true}));
            return {...cell.dataset, sentence: map.querySelector(".sentence").textContent,
                lit: all(".here").map(one => one.dataset.side + one.textContent).sort(),
                kin: all(".kin").map(one => one.dataset.side + one.dataset.k),
                terms: all(".formula dt, .formula dd").map(term => term.textContent)};
        });
    }""")
    origin, letters = origins(r, c, order), labels(c * r * r)
    assert len(told) == 2 * origin[..., 0].size
    for one in told:
        plane, row, col = (int(one[key]) for key in ("c", "row", "col"))
        k, h, w = origin[plane, row, col].tolist()
        assert one["lit"] == [f"output{letters[k, h, w]}", f"source{letters[k, h, w]}"]
        assert sorted(one["kin"]) == sorted([f"output{k}", f"source{k}"] * H * W)
        _, i, _, j, rule, number, _, copy = one["terms"]
        for words, expected in ((i, row % r), (j, col % r), (number, k)):
            left, right = words.split(" = ")
            assert value(left) == int(right) == expected
        names = {"C": c, "r": r, "c": plane, "i": row % r, "j": col % r}
        formula = rule.removeprefix("k = ")
        filled = re.sub("[A-Za-z]", lambda name: str(names[name[0]]), formula)  # noqa: B023
        assert number == f"{filled} = {k}"
        assert formula == channel_formula(order).replace("*", "·")
        assert copy == f"y[{plane}, {row}, {col}] = x[{k}, {h}, {w}]"
        channel = f"hannel {k}, pixel {letters[k, h, w][-1]} (row {h}, column {w})"
        image = f"mage channel {plane}, row {row}, column {col}"
        goes, comes = f"C{channel} goes to i{image}.", f"I{image} comes from c{channel}."
        assert one["sentence"] == (goes if one["side"] == "source" else comes)


def lit(page: Any) -> list[str]:
    """Return the labels of the two cells that are lit up."""
    return page.locator('[data-view="map"] .here').all_text_contents()


def test_the_mouse_lights_up_the_other_side(visit: Visit) -> None:
    page = visit("mode=map&r=3&c=3&order=dcr", viewport=WIDE)
    source_at(page, "map", (22, 0, 1)).hover()
    assert lit(page) == ["22b", "22b"]
    place = place_of(3, 3, "DCR", (22, 0, 1))
    assert "here" in cell_at(page, "map", place).get_attribute("class")
    cell_at(page, "map", (0, 4, 5)).hover()
    k, h, w = origins(3, 3, "DCR")[0, 4, 5].tolist()
    assert lit(page) == [labels(27)[k, h, w]] * 2
    page.mouse.move(5, 5)  # what was shown last stays
    assert lit(page) == [labels(27)[k, h, w]] * 2


def test_a_finger_does_what_the_mouse_does(visit: Visit) -> None:
    page = visit("mode=map&r=4&c=1&order=paper", viewport=NARROW, has_touch=True, is_mobile=True)
    source_at(page, "map", (6, 1, 0)).tap()
    assert lit(page) == ["6d", "6d"]
    place = place_of(4, 1, "paper", (6, 1, 0))
    assert "here" in cell_at(page, "map", place).get_attribute("class")
    assert "Channel 6, pixel d" in text(page, ".sentence")
    # The formula stays in sight while a finger is further down.
    cell_at(page, "map", (0, 7, 11)).tap()
    assert page.locator(".formula").evaluate("box => box.getBoundingClientRect().top") >= 0


def test_the_map_by_keyboard(visit: Visit) -> None:
    page = visit("mode=map&r=3&c=1&order=crd", viewport=WIDE)
    focus = functools.partial(page.evaluate, "document.activeElement.textContent")
    source_at(page, "map", (0, 0, 0)).focus()
    for key, expected in (
        *(("ArrowRight", "0b"), ("ArrowRight", "0c"), ("ArrowRight", "1a"), ("ArrowDown", "1d")),
        *(("ArrowDown", "4a"), ("ArrowLeft", "3c"), ("ArrowUp", "0f"), ("End", "8f")),
        *(("ArrowRight", "8f"), ("ArrowDown", "8f"), ("Home", "0a"), ("ArrowUp", "0a")),
    ):
        page.keyboard.press(key)
        assert focus() == expected
        assert lit(page) == [expected, expected]
    page.keyboard.press("End")
    page.keyboard.press("Enter")  # to the other side
    assert page.evaluate("document.activeElement.dataset.side") == "output"
    assert focus() == "8f"
    for key, expected in (("ArrowLeft", "7f"), ("ArrowUp", "4f"), ("Home", "0a")):
        page.keyboard.press(key)
        assert focus() == expected
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.dataset.side") == "source"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")  # one stop for each side
    assert page.evaluate("document.activeElement.dataset.side") == "output"
    page.keyboard.press("Shift+Tab")  # where it was left
    assert page.evaluate("document.activeElement.dataset.side") == "source"
    assert focus() == "0b"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.side") is None


# --- step by step --------------------------------------------------------------------------------


def press_through(page: Any, button: str, script: str) -> list[Any]:
    """Press a button of the player until the slider is at its end; run `script` before each."""
    return page.evaluate(
        f"""name => {{
            const root = document.querySelector('[data-view="steps"]');
            const slider = root.querySelector("input"), seen = [];
            for (let n = 0; n <= Number(slider.max); n++) {{
                seen.push(({script})(root));
                root.querySelector(`[data-do=${{name}}]`).click();
            }}
            return seen;
        }}""",
        button,
    )


@every_setup
def test_the_loop_fills_place_by_place(visit: Visit, r: int, c: int, order: str) -> None:
    page = visit(address("steps", r, c, order, method="loop"))
    read = """root => {
        const cells = [...root.querySelectorAll(".output .cell")];
        const before = root.filledBefore ?? new Set();  // what changed since the last step
        root.filledBefore = new Set(cells.filter(cell => !cell.classList.contains("empty")));
        const changed = cells.filter(cell => before.has(cell) !== root.filledBefore.has(cell));
        return {count: root.filledBefore.size,
            changed: changed.map(({dataset: {c, row, col}}) => [c, row, col].map(Number)),
            now: [...root.querySelectorAll(".here")].map(cell => cell.textContent),
            code: [...root.querySelectorAll(".line code")].map(line => line.textContent),
            values: [...root.querySelectorAll(".line span")].map(line => line.textContent)};
    }"""
    states = press_through(page, "forward", read)
    origin, names = origins(r, c, order), labels(c * r * r)
    visits = [
        (plane, row, col) for plane in range(c) for row in range(H * r) for col in range(W * r)
    ]
    assert len(states) == len(visits) + 1
    assert (states[0]["count"], states[0]["changed"]) == (0, [])
    for step, (place, state) in enumerate(zip(visits, states[1:], strict=True), 1):
        assert state["count"] == step
        assert state["changed"] == [list(place)]
        k, h, w = origin[place].tolist()
        assert state["now"] == [names[k, h, w]] * 2
        *_, rule, copy = state["values"]
        formula, _, result = rule.removeprefix("k = ").partition(" = ")
        assert value(formula) == int(result) == k
        assert copy == f"y{list(place)} = x{[k, h, w]}"
    image = shuffled(names, r, order)
    texts, _ = drawn(page, "steps", "output", image.shape)
    assert texts.tolist() == image.tolist()
    # The code that the page shows is right, too.
    y = np.empty_like(image)
    exec("\n".join(states[0]["code"]), {"x": names, "y": y, "H": H, "W": W, "C": c, "r": r})  # noqa: S102
    assert y.tolist() == image.tolist()
    # And back again.
    back = press_through(page, "back", read)
    assert [state["count"] for state in back] == list(range(len(visits), -1, -1))
    assert [state["changed"] for state in back[1:]] == [[list(place)] for place in visits[::-1]]
    texts, _ = drawn(page, "steps", "output", image.shape)
    assert (texts == "").all()


STAGE = """root => ({
    title: root.querySelector("h2").textContent,
    code: [...root.querySelectorAll(".line code")].map(line => line.textContent),
    shape: root.querySelector(".shape").textContent,
    axes: [...root.querySelectorAll(".axis")].map(axis => axis.innerText.split(/\\s+/)),
    frames: [...root.querySelectorAll(".array-frame")].map(frame => {
        const {left, top, right, bottom} = frame.getBoundingClientRect();
        return [left, top, right, bottom]; }),
    titled: root.querySelectorAll(".grid-title").length > 0,
    cells: [...root.querySelectorAll(".stage .cell")].map(cell => {
        const {x, y, width} = cell.getBoundingClientRect();
        return {index: cell.dataset.index.split(",").map(Number), text: cell.textContent, x, y,
                side: width}; })})"""


def as_array(state: dict[str, Any]) -> Array:
    """Put the cells of a stage at the index that they carry: the axes of the list, then its own."""
    cells = state["cells"]
    shape = tuple(
        1 + max(cell["index"][axis] for cell in cells) for axis in range(len(cells[0]["index"]))
    )
    assert len({tuple(cell["index"]) for cell in cells}) == len(cells) == np.prod(shape)
    array = np.empty(shape, dtype="<U3")
    for cell in cells:
        array[tuple(cell["index"])] = cell["text"]
    return array


def run_code(states: list[dict[str, Any]], names: dict[str, Any]) -> list[Array]:
    """Run the code of all stages; return the array of each, or its list as an array."""
    scope, results = dict(names), []
    for state in states:
        exec("\n".join(state["code"]), scope)  # noqa: S102
        results.append(np.array(scope[state["code"][-1].partition(" = ")[0]]))
    return results


class Recorder:
    """NumPy, keeping every array that goes into its functions or comes out."""

    def __init__(self) -> None:
        self.seen: list[Array] = []

    def __getattr__(self, name: str) -> Any:
        what = getattr(np, name)
        if not callable(what):
            return what

        def recorded(*args: Any, **kwargs: Any) -> Any:
            result = what(*args, **kwargs)
            for one in (*args, result):
                arrays = one if isinstance(one, list | tuple) else [one]
                self.seen += [array for array in arrays if isinstance(array, np.ndarray)]
            return result

        return recorded

    def has(self, array: Array) -> bool:
        return any(np.array_equal(array, one) for one in self.seen)


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("method", ["reshape", "concat"])
@every_setup
def test_each_stage_is_the_librarys(
    visit: Visit,
    monkeypatch: pytest.MonkeyPatch,
    r: int,
    c: int,
    order: str,
    method: str,
    viewport: dict[str, int],
) -> None:
    page = visit(address("steps", r, c, order, method=method), viewport=viewport)
    states = press_through(page, "forward", STAGE)
    assert len(states) == {"reshape": 5, "concat": 6}[method] + (order != "CRD")
    x = labels(c * r * r)
    sizes = {"C": c, "r": r, "H": H, "W": W}
    names = {"np": np, "x": x, "order": order, "channel_permutation": channel_permutation, **sizes}
    recorder = Recorder()
    monkeypatch.setattr(shuffle, "array_module", lambda x: recorder)
    final = pixel_shuffle(x, r, method=method, order=order)

    arrays = [as_array(state) for state in states]
    for state, array, made in zip(states, arrays, run_code(states, names), strict=True):
        assert array.tolist() == made.tolist(), state["title"]
        check_shape(state, array)
        check_places(state, viewport["width"])
        # The library itself had these arrays in hand. It moves i and j in one transpose.
        if state["title"].startswith(("Split", "Concatenate", "Transpose: move j")):
            for index in np.ndindex(array.shape[: array.ndim - len(state["axes"])]):
                assert recorder.has(array[index]), state["title"]
    assert arrays[-1].tolist() == final.tolist()
    # Giving names to the parts of the channel number, or splitting in groups, moves nothing.
    before, after = (sorted(state["cells"], key=by_text) for state in states[order != "CRD" :][:2])
    moves = [(b["x"] - a["x"], b["y"] - a["y"]) for a, b in zip(before, after, strict=True)]
    assert np.ptp(moves, axis=0) == pytest.approx([0, 0], abs=0.1)
    # In the end each plane is the image as one sees it.
    for plane in range(c):
        cells = [cell for cell in states[-1]["cells"] if cell["index"][0] == plane]
        seen = [cell["text"] for cell in on_screen(cells, final.shape[1:])]
        assert seen == final[plane].ravel().tolist()


def by_text(cell: dict[str, Any]) -> str:
    return cell["text"]


def check_shape(state: dict[str, Any], array: Array) -> None:
    """What is said of the shape and the axes."""
    own = [int(size) for *_, size in state["axes"]]
    assert array.shape[array.ndim - len(own) :] == tuple(own)
    count = array.size // int(np.prod(own))
    many = "One array" if count == 1 else f"{count} arrays"
    assert state["shape"] == f"{many} of ({', '.join(map(str, own))})"


def check_places(state: dict[str, Any], width: int) -> None:
    """Where a stage is drawn."""
    cells, own = state["cells"], len(state["axes"])
    # A frame for each array, and in it that array's cells and no others.
    arrays: dict[tuple[int, ...], list[Any]] = {}
    for cell in cells:
        arrays.setdefault(tuple(cell["index"][:-own]), []).append(cell)
    assert len(state["frames"]) == len(arrays)
    for members in arrays.values():
        (frame,) = [frame for frame in state["frames"] if inside(members[0], frame)]
        assert [cell for cell in cells if inside(cell, frame)] == members
    # No two cells on top of each other, none beyond the screen.
    assert len({(round(cell["x"]), round(cell["y"])) for cell in cells}) == len(cells)
    assert all(0 <= cell["x"] <= width - cell["side"] for cell in cells)
    # Each axis goes right or down, and of two in the same direction the later is the inner one.
    at = {tuple(cell["index"]): np.array([cell["x"], cell["y"]]) for cell in cells}
    origin = (0,) * len(cells[0]["index"])
    axes = np.eye(len(origin), dtype=int)
    strides = [at.get(tuple(axis), at[origin]) - at[origin] for axis in axes.tolist()]
    for n, stride in enumerate(strides):
        assert min(stride) == pytest.approx(0, abs=0.1)
        for later in strides[n + 1 :]:
            same = (stride > 1) & (later > 1)
            assert (stride > later + 1)[same].all(), state["title"]
    if not state["titled"]:  # each place is the sum of its steps
        for index, place in at.items():
            expected = at[origin] + np.array(index) @ np.array(strides)
            assert place == pytest.approx(expected, abs=0.5)


def inside(cell: dict[str, Any], frame: list[float]) -> bool:
    left, top, right, bottom = frame
    x, y = cell["x"] + cell["side"] / 2, cell["y"] + cell["side"] / 2
    return left < x < right and top < y < bottom


def step(page: Any) -> int:
    return int(page.locator('[data-view="steps"] input[type=range]').input_value())


def test_play_pause_step_back_and_speed(visit: Visit) -> None:
    page = visit("mode=steps&r=2&c=1&order=crd&method=loop&step=1")
    player = page.locator('[data-view="steps"] .player')
    press = lambda name: player.get_by_role("button", name=name, exact=True).click()  # noqa: E731
    filled = page.locator('[data-view="steps"] .output .cell:not(.empty)')
    assert (step(page), filled.count()) == (1, 1)
    press("Next")
    press("Next")
    press("Back")
    assert (step(page), filled.count()) == (2, 2)
    press("Play")
    assert step(page) == 2
    page.clock.run_for(1850)  # three steps of 600 ms
    assert (step(page), filled.count()) == (5, 5)
    press("Pause")
    page.clock.run_for(5000)
    assert step(page) == 5
    player.get_by_label("Speed").select_option("4")
    press("Play")
    page.clock.run_for(950)
    assert step(page) == 11
    press("Back")  # a reader's own step ends the playing
    page.clock.run_for(5000)
    assert step(page) == 10
    press("Play")
    page.clock.run_for(20_000)
    assert step(page) == 24  # all of 4 by 6; it stopped by itself
    assert player.get_by_role("button", name="Play").is_visible()
    press("Next")
    assert step(page) == 24
    press("Play")  # from the beginning
    page.clock.run_for(160)
    assert (step(page), filled.count()) == (1, 1)
    press("First")
    press("Back")
    assert (step(page), filled.count()) == (0, 0)
    press("Last")
    assert (step(page), filled.count()) == (24, 24)
    assert text(page, '[data-view="steps"] output') == "step 24 of 24"


def test_a_cell_of_the_loop_leads_to_its_step(visit: Visit) -> None:
    page = visit("mode=steps&r=2&c=3&order=dcr&method=loop")
    cell_at(page, "steps", (2, 1, 4)).click()
    assert step(page) == 1 + (2 * H * 2 + 1) * W * 2 + 4
    source_at(page, "steps", (7, 1, 0)).click()
    plane, row, col = place_of(2, 3, "DCR", (7, 1, 0))
    assert step(page) == 1 + (plane * H * 2 + row) * W * 2 + col
    here = page.locator('[data-view="steps"] .here')
    assert here.all_text_contents() == ["7d", "7d"]


def test_the_steps_by_keyboard(visit: Visit) -> None:
    page = visit("mode=steps&r=3&c=1&order=crd&method=reshape")
    for key, expected in (
        *(("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 4), ("Home", 0)),
        ("ArrowLeft", 0),
    ):
        page.keyboard.press(key)
        assert step(page) == expected
    page.keyboard.press(" ")
    page.clock.run_for(2700)
    assert step(page) == 1
    page.keyboard.press(" ")
    page.clock.run_for(9000)
    assert step(page) == 1
    page.locator('[data-view="steps"] input[type=range]').focus()
    page.keyboard.press("ArrowRight")
    assert step(page) == 2
    assert text(page, '[data-view="steps"] h2') == "Transpose: move i behind h"


def test_cells_travel_unless_motion_is_reduced(visit: Visit) -> None:
    duration = "getComputedStyle(document.querySelector('.stage .cell')).transitionDuration"
    moving = visit("mode=steps&method=concat", clock=False, reduced_motion="no-preference")
    assert moving.evaluate(duration) == "0.9s"
    moving.get_by_label("Speed").first.select_option("8")
    moving.get_by_role("button", name="Next", exact=True).first.click()
    assert float(moving.evaluate(duration).removesuffix("s")) < 2.6 / 8
    still = visit("mode=steps&method=concat")
    assert still.evaluate(duration) == "0s"


# --- quiz ----------------------------------------------------------------------------------------


def question(page: Any) -> Place:
    asked = page.evaluate("({...document.querySelector('[data-view=\"quiz\"]').dataset})")
    return tuple(int(asked[key]) for key in ("k", "h", "w"))


def verdict(page: Any) -> str:
    return text(page, ".verdict")


@every_setup
def test_the_quiz_judges_by_the_library(visit: Visit, r: int, c: int, order: str) -> None:
    page = visit(address("quiz", r, c, order))
    names = {"CRD": "CRD", "DCR": "DCR", "paper": "the paper's order"}
    answer = page.locator('[data-view="quiz"]')
    right = 0
    for turn in range(6):
        source = question(page)
        k, h, w = source
        letter = "abcdef"[h * W + w]
        head = f"Channel {k}, pixel {letter} (row {h}, column {w}): where does it land?"
        assert text(page, ".question") == head
        places = {name: place_of(r, c, name, source) for name in ORDERS}
        guess = places[list(ORDERS)[turn % 3]]
        if turn >= 3:  # somewhere else: in the same block, or in another one
            taken = set(places.values())
            free = [place for place in np.ndindex(c, H * r, W * r) if place not in taken]
            guess = free[(turn * 7919) % len(free)]
        cell_at(page, "quiz", guess).click()
        fitting = [name for name in ORDERS if places[name] == guess]
        right += order in fitting
        assert text(page, '[data-is="score"]') == f"{right} of {turn + 1}"
        words = verdict(page)
        assert words.startswith("Right") == (order in fitting)
        _, _, after = words.partition("It would be right in ")
        others = [name for name in fitting if name != order]
        assert {name for name in ORDERS if names[name] in after} == set(others)
        assert ("no other order" in words) == (not fitting)
        if not fitting:
            same_block = guess[1] // r == h and guess[2] // r == w
            assert ("The block is right." in words) == same_block
            assert same_block or f"row {h}·{r} = {h * r}, column {w}·{r} = {w * r}" in words
        reason = text(page, ".reason")
        left, _, rest = reason.partition(" = ")
        plane, row, col = places[order]
        assert value(rest.partition(",")[0]) == int(left) == k
        assert f"c = {plane}, i = {row % r}, j = {col % r}" in reason
        assert reason.endswith(f"image channel {plane}, row {row}, column {col}.")
        assert "here" in cell_at(page, "quiz", places[order]).get_attribute("class")
        mark = "hit" if order in fitting else "missed"
        assert mark in cell_at(page, "quiz", guess).get_attribute("class")
        texts, _ = drawn(page, "quiz", "output", (c, H * r, W * r))  # all is shown now
        assert texts.tolist() == shuffled(labels(c * r * r), r, order).tolist()
        cell_at(page, "quiz", places[order]).click()  # a second answer does not count
        assert text(page, '[data-is="score"]') == f"{right} of {turn + 1}"
        answer.get_by_role("button", name="Next", exact=True).click()
        assert question(page)[0] != k
    answer.get_by_role("button", name="Start again").click()
    assert text(page, '[data-is="score"]') == "0 of 0"


def test_the_quiz_does_not_give_the_answer_away(visit: Visit) -> None:
    page = visit("mode=quiz&r=3&c=3&order=dcr")
    for _ in range(2):  # the second time after an answer
        sources, outputs = (
            page.evaluate(READ, f'[data-view="quiz"] .{kind} .cell')
            for kind in ("source", "output")
        )
        assert all({"c", "row", "col"}.isdisjoint(cell) for cell in sources)
        assert all("goes to" not in cell["name"] for cell in sources)
        assert len({cell["fill"] for cell in sources}) == 1
        assert all({"k", "h", "w"}.isdisjoint(cell) for cell in outputs)
        assert {cell["text"] for cell in outputs} == {""}
        assert all(
            re.fullmatch(r"Image channel \d, row \d, column \d, empty", cell["name"])
            for cell in outputs
        )
        assert len({cell["fill"] for cell in outputs}) == 1
        (shown,) = page.locator('[data-view="quiz"] .here').all_text_contents()
        k, h, w = question(page)
        assert shown == labels(27)[k, h, w]
        cell_at(page, "quiz", (0, 0, 0)).click()
        sources = page.evaluate(READ, '[data-view="quiz"] .source .cell')
        assert {color(cell["fill"]) for cell in sources} == set(channel_colors(3, 3))
        page.locator('[data-view="quiz"]').get_by_role("button", name="Next", exact=True).click()


def test_the_quiz_by_keyboard(visit: Visit) -> None:
    page = visit("mode=quiz&r=2&c=1&order=crd")
    cell_at(page, "quiz", (0, 0, 0)).focus()
    _, row, col = place_of(2, 1, "CRD", question(page))
    for key in ["ArrowDown"] * row + ["ArrowRight"] * col:
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    assert verdict(page).startswith("Right")
    assert page.evaluate("document.activeElement.textContent") == "Next"
    page.keyboard.press("Enter")
    assert verdict(page) == "Choose a place in the image."
    focused = page.evaluate("({...document.activeElement.dataset})")  # where the hand was
    assert (focused["row"], focused["col"]) == (str(row), str(col))
    assert page.locator('[role="status"] .verdict').count() == 1  # read out by itself


def test_the_verdict_stays_in_sight(visit: Visit) -> None:
    page = visit("mode=quiz&r=4&c=3&order=dcr", viewport=NARROW)
    cell_at(page, "quiz", (2, 7, 11)).click()
    box = page.locator(".verdict").bounding_box()
    assert 0 <= box["y"] < NARROW["height"] / 2


# --- photograph ----------------------------------------------------------------------------------

PHOTO_R = explorer.PHOTO_SCALE

# The middle of each pixel of the image that the canvas shows enlarged.
CANVAS = """() => {
    const canvas = document.querySelector('[data-view="photo"] .frame canvas');
    const copy = document.createElement("canvas");
    Object.assign(copy, {width: canvas.width, height: canvas.height});
    const context = copy.getContext("2d", {willReadFrequently: true});
    context.drawImage(canvas, 0, 0);
    const {data} = context.getImageData(0, 0, canvas.width, canvas.height);
    const gray = [];
    for (let y = 1; y < canvas.height; y += 3) {
        for (let x = 1; x < canvas.width; x += 3) {
            const at = 4 * (y * canvas.width + x);
            const equal = data[at] === data[at + 1] && data[at] === data[at + 2];
            if (!equal || data[at + 3] !== 255) throw new Error("not gray");
            gray.push(data[at]);
        }
    }
    return {gray, width: canvas.width / 3};
}"""


@pytest.fixture(scope="module")
def channels() -> Array:
    """The nine channels, (9, h, w), as the library gives them to the page."""
    photo = explorer._photo()
    pixels = np.frombuffer(base64.b64decode(photo["channels"]), np.uint8)
    return pixels.reshape(PHOTO_R**2, photo["h"], photo["w"])


def picture(page: Any) -> Array:
    read = page.evaluate(CANVAS)
    return np.array(read["gray"]).reshape(-1, int(read["width"]))


def photo_player(page: Any, name: str) -> None:
    player = page.locator('[data-view="photo"] .player')
    player.get_by_role("button", name=name, exact=True).click()


@pytest.mark.parametrize("order", ORDERS)
def test_the_photograph_is_shuffled_as_the_library_does(
    visit: Visit, channels: Array, order: str
) -> None:
    page = visit(f"mode=photo&order={order}", viewport=WIDE)
    r = PHOTO_R
    _, h, w = channels.shape
    assert np.array_equal(picture(page), shuffled(channels, r, order)[0])
    photo_player(page, "First")
    side_by_side = channels.reshape(r, r, h, w).transpose(0, 2, 1, 3).reshape(r * h, r * w)
    assert np.array_equal(picture(page), side_by_side)
    photo_player(page, "Next")  # the rows are in place, and the columns still side by side
    if order != "paper":
        rows = channels.reshape(r, r, h, w).transpose(2, 0, 1, 3).reshape(h * r, r * w)
        assert np.array_equal(picture(page), rows)
    photo_player(page, "Next")
    assert np.array_equal(picture(page), shuffled(channels, r, order)[0])
    photo_player(page, "Next")
    photo_player(page, "Back")
    assert text(page, '[data-is="phase"]') == "the rows are in place"


def test_the_photograph_plays(visit: Visit, channels: Array) -> None:
    page = visit("mode=photo", reduced_motion="no-preference")
    slider = page.locator('[data-view="photo"] input[type=range]')
    photo_player(page, "Play")
    page.clock.run_for(1520)  # 30 positions of 50 ms
    assert slider.input_value() == "30"
    page.clock.run_for(9000)
    assert slider.input_value() == "120"
    assert np.array_equal(picture(page), shuffled(channels, PHOTO_R, "CRD")[0])
    still = visit("mode=photo")
    slider = still.locator('[data-view="photo"] input[type=range]')
    photo_player(still, "Play")
    for expected in ("0", "60", "120"):  # two still pictures instead of a film
        assert slider.input_value() == expected
        still.clock.run_for(3010)


def test_silencing_channels(visit: Visit, channels: Array) -> None:
    page = visit("mode=photo&silent=7", viewport=WIDE)
    tile = lambda k: page.get_by_role("button", name=f"Channel {k}", exact=True)  # noqa: E731
    tile(4).click()
    tile(0).focus()
    page.keyboard.press(" ")

    def expect(silent: set[int]) -> None:
        left = channels.copy()
        left[list(silent)] = 0
        assert np.array_equal(picture(page), shuffled(left, PHOTO_R, "CRD")[0])
        for k in range(9):
            assert tile(k).get_attribute("aria-pressed") == ("false" if k in silent else "true")
            assert tile(k).text_content() == f"{k}{'silent' if k in silent else 'on'}"

    expect({0, 4, 7})
    page.clock.run_for(300)
    assert page.url.endswith("#mode=photo&order=crd&silent=0,4,7")
    tile(4).click()
    expect({0, 7})
    page.get_by_role("button", name="All silent").click()
    expect(set(range(9)))
    page.get_by_role("button", name="All on").click()
    expect(set())


@pytest.mark.parametrize("order", ORDERS)
def test_the_lens_shows_channels_and_values(visit: Visit, channels: Array, order: str) -> None:
    page = visit(f"mode=photo&order={order}&silent=2", viewport=WIDE)
    canvas = page.locator(".frame canvas")
    box = canvas.bounding_box()
    h, w = channels.shape[1:]
    canvas.hover(position={"x": box["width"] * 20.5 / w, "y": box["height"] * 10.5 / h})
    left = channels.copy()
    left[2] = 0
    image = shuffled(left, PHOTO_R, order)[0]
    numbers = np.broadcast_to(np.arange(9)[:, None, None], channels.shape)
    channel_of = shuffled(numbers, PHOTO_R, order)[0]
    colors = channel_colors(PHOTO_R)  # the network's channels are CRD, whatever is chosen
    strips = page.evaluate(READ, ".tile .strip")
    assert [color(strip["fill"]) for strip in strips] == colors

    def expect(at: tuple[int, int]) -> None:
        assert text(page, "#lens-words") == f"around LR pixel ({at[0]}, {at[1]})"
        cells = page.evaluate(READ, ".lens span")
        top, first = (3 * (n - 1) for n in at)
        piece = (slice(top, top + 9), slice(first, first + 9))
        cells = on_screen(cells, (9, 9))
        shown = np.array([int(cell["text"]) for cell in cells]).reshape(9, 9)
        assert shown.tolist() == channel_of[piece].tolist()
        grays = np.array([int(re.findall(r"\d+", cell["fill"])[0]) for cell in cells])
        assert grays.tolist() == image[piece].ravel().tolist()
        badges = page.evaluate(READ, ".lens b")
        assert [color(badge["fill"]) for badge in badges] == [colors[k] for k in shown.ravel()]

    expect((10, 20))
    canvas.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowLeft"):
        page.keyboard.press(key)
    expect((12, 19))
    canvas.hover(position={"x": 1, "y": 1})  # a lens does not leave the image
    expect((1, 1))


# --- the whole page ------------------------------------------------------------------------------


def choices(page: Any) -> dict[str, str]:
    return page.evaluate("Object.fromEntries(new FormData(document.getElementById('choices')))")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", "map 3 1 CRD loop"),
        ("r=3&c=3&order=dcr&method=concat&mode=quiz", "quiz 3 3 DCR concat"),
        ("mode=steps&order=PAPER&method=reshape&r=4", "steps 4 1 paper reshape"),
        ("r=9&c=2&order=rgb&mode=x&method=&nonsense&step=-1&at=1,2&silent=a", "map 3 1 CRD loop"),
        ("constructor=1&__proto__=2&at=0,99,99&silent=99&step=1e9&%", "map 3 1 CRD loop"),
        ("mode=steps&step=999999", "steps 3 1 CRD loop"),
    ],
)
def test_links_lead_to_what_they_say(visit: Visit, words: str, expected: str) -> None:
    page = visit(words)
    names = ("mode", "r", "c", "order", "method")
    assert choices(page) == dict(zip(names, expected.split(), strict=True))
    view = choices(page)["mode"]
    assert page.locator("section:visible").get_attribute("data-view") == view


def test_a_link_may_name_a_step_and_a_cell(visit: Visit) -> None:
    page = visit("mode=steps&r=2&c=3&order=paper&method=concat&step=3")
    assert step(page) == 3
    page = visit("mode=map&r=4&c=3&order=dcr&at=2,5,6")
    k, h, w = origins(4, 3, "DCR")[2, 5, 6].tolist()
    assert lit(page) == [labels(48)[k, h, w]] * 2


def test_the_address_follows_the_reader(visit: Visit) -> None:
    page = visit()
    choose = lambda name: page.locator(f"#choices label:has-text('{name}')").click()  # noqa: E731

    def expect(words: str) -> None:
        page.clock.run_for(300)
        assert page.url.partition("#")[2] == words

    expect("")
    choose("DCR")
    expect("mode=map&r=3&c=1&order=dcr")
    cell_at(page, "map", (0, 2, 1)).click()
    expect("mode=map&r=3&c=1&order=dcr&at=0,2,1")
    choose("Step by step")
    choose("concat")
    page.keyboard.press("Escape")
    page.locator("h1").click()  # leave the buttons, whose arrow keys are their own
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect("mode=steps&r=3&c=1&order=dcr&method=concat&step=2")
    choose("Photograph")
    expect("mode=photo&order=dcr")
    assert page.locator("input[name=r]").first.is_disabled()
    choose("Quiz")
    page.locator("#theme").click()
    expect("mode=quiz&r=3&c=1&order=dcr&theme=dark")
    link = page.url
    page.evaluate("location.hash = 'mode=steps&r=2&method=reshape&step=4'")
    page.wait_for_function("document.querySelector('[name=r]:checked').value === '2'")
    assert (choices(page)["mode"], step(page)) == ("steps", 4)
    page.goto(link)
    page.wait_for_function("document.querySelector('[name=mode]:checked').value === 'quiz'")
    assert choices(page)["order"] == "DCR"


def test_a_choice_can_be_made_by_keyboard(visit: Visit) -> None:
    page = visit()
    page.locator("input[name=r]:checked").focus()
    page.keyboard.press("ArrowRight")
    assert choices(page)["r"] == "4"
    assert len(page.evaluate(READ, '[data-view="map"] .source .cell')) == 16 * H * W
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    assert choices(page)["c"] == "3"
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")
    assert choices(page)["order"] == "paper"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowRight")
    assert choices(page)["mode"] == "steps"


def test_light_and_dark(visit: Visit) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    light, dark = (visit(color_scheme=scheme) for scheme in ("light", "dark"))
    assert light.evaluate(background) != dark.evaluate(background)
    dark.locator("#theme").click()
    assert light.evaluate(background) == dark.evaluate(background)
    assert dark.locator("#theme").text_content() == "Dark"
    linked = visit("theme=dark", color_scheme="light")
    assert linked.evaluate("document.documentElement.dataset.theme") == "dark"
    light.emulate_media(color_scheme="dark")  # the system changes its mind
    light.wait_for_function("document.documentElement.dataset.theme === 'dark'")


def luminance(css: str) -> float:
    rgb = np.array([int(part) / 255 for part in re.findall(r"\d+", css)[:3]])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("mode", ["map", "steps", "quiz", "photo"])
def test_every_text_can_be_read(visit: Visit, mode: str, scheme: str) -> None:
    """WCAG's contrast of 4.5, for every element with a text of its own."""
    page = visit(f"mode={mode}&method=reshape&step=2", color_scheme=scheme)
    if mode == "quiz":
        cell_at(page, "quiz", (0, 0, 0)).click()
    pairs = page.evaluate("""() => [...document.querySelectorAll("body *")].filter(element =>
        element.offsetParent && !element.closest(":disabled, label:has(:disabled)")
        && [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())
    ).map(element => {
        let behind = element, fill = "";
        const clear = "rgba(0, 0, 0, 0)";
        while (behind && (fill = getComputedStyle(behind).backgroundColor) === clear) {
            behind = behind.parentElement;
        }
        return [element.textContent.trim().slice(0, 30), getComputedStyle(element).color, fill,
                parseFloat(getComputedStyle(element).fontSize)];
    })""")
    assert len(pairs) > 30
    for words, ink, fill, size in pairs:
        if words == "Speed" or "color(" in fill:  # an option's own list is the browser's
            continue
        dark, light = sorted((luminance(ink), luminance(fill)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (words, ink, fill)
        assert size >= 9.5, words


@pytest.mark.parametrize("width", [320, 390, 768, 1024, 1440])
@pytest.mark.parametrize("mode", ["map", "steps", "quiz", "photo"])
def test_it_fits_the_screen(visit: Visit, mode: str, width: int) -> None:
    for method in ("loop", "reshape", "concat") if mode == "steps" else ("loop",):
        viewport = {"width": width, "height": 800}
        page = visit(address(mode, 4, 3, "paper", method=method, step=2), viewport=viewport)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        boxes = page.evaluate("""[...document.querySelectorAll("button, input, select, canvas")]
            .filter(one => one.offsetParent)
            .map(one => one.getBoundingClientRect())
            .map(({left, right, width, height}) => [left, right, width, height])""")
        assert all(left >= 0 and right <= width for left, right, *_ in boxes)
        if width >= 390:  # large enough for a finger: WCAG 2.2, target size
            assert all(min(size) >= 24 for _, _, *size in boxes)


def test_everything_that_can_be_used_has_a_name(visit: Visit) -> None:
    for mode in ("map", "steps", "quiz", "photo"):
        page = visit(f"mode={mode}&method=reshape")
        nameless = page.evaluate("""[...document.querySelectorAll(
            "button, input, select, canvas, [role=img], [role=group]")]
            .filter(one => one.offsetParent && one.ariaHidden !== "true")
            .filter(one => !(one.ariaLabel || one.labels?.[0]?.textContent.trim()
                             || (one.tagName === "BUTTON" && one.textContent.trim())))
            .map(one => one.outerHTML.slice(0, 100))""")
        assert nameless == []
