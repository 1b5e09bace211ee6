"""The map: both sides, cell by cell, and the formula."""

from __future__ import annotations

import functools
import re

import pytest
from browser.reading import (
    NARROW,
    READ,
    WIDE,
    H,
    Visit,
    W,
    address,
    cell_at,
    drawn,
    every_setup,
    labels,
    lit,
    origins,
    place_of,
    shuffled,
    source_at,
    text,
    value,
)

from npespcn.figures import channel_colors, channel_formula


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
        assert cell["name"] in (f"C{channel}, goes to i{image}", f"I{image}, from c{channel}")
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
