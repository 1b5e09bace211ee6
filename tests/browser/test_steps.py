"""Step by step: the loop and the stages of the array."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from browser.reading import (
    NARROW,
    WIDE,
    H,
    Visit,
    W,
    address,
    cell_at,
    drawn,
    every_setup,
    labels,
    on_screen,
    origins,
    place_of,
    shuffled,
    source_at,
    step,
    text,
    value,
)

from npespcn import shuffle
from npespcn.common import Array
from npespcn.shuffle import channel_permutation, pixel_shuffle


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
    for count, (place, state) in enumerate(zip(visits, states[1:], strict=True), 1):
        assert state["count"] == count
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
