"""The quiz: questions, verdicts and what it does not give away."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from browser.reading import (
    NARROW,
    READ,
    WIDE,
    H,
    Place,
    Visit,
    W,
    address,
    cell_at,
    color,
    drawn,
    every_setup,
    labels,
    origins,
    place_of,
    shuffled,
    source_at,
    text,
    value,
)

from npespcn.figures import channel_colors
from npespcn.shuffle import ORDERS

VIEW = '[data-view="quiz"]'
LEVELS = [  # r, C, order
    (2, 1, "CRD"),
    (3, 1, "CRD"),
    (2, 3, "CRD"),
    (2, 3, "DCR"),
    (2, 3, "paper"),
    (2, 3, "CRD"),  # the way back
]
NAMES = {"CRD": "CRD", "DCR": "DCR", "paper": "the paper's order"}
FREE = ("r=2&c=1", "r=3&c=1", "r=4&c=1", "r=2&c=3", "r=3&c=3", "r=4&c=3")


def said(page: Any, part: str) -> str:
    return text(page, f"{VIEW} {part}")


def question(page: Any) -> Place:
    """Return k, h and w; on the way back c, row and column."""
    asked = said(page, ".question")
    forward = re.fullmatch(
        r"Channel (\d+), pixel (\w) \(row (\d), column (\d)\): where does it land\?", asked
    )
    if forward:
        k, letter, h, w = forward.groups()
        assert letter == "abcdef"[int(h) * W + int(w)]
        return int(k), int(h), int(w)
    back = re.fullmatch(
        r"Image channel (\d), row (\d+), column (\d+): where does it come from\?", asked
    )
    assert back, asked
    c, row, col = map(int, back.groups())
    return c, row, col


def verdict(page: Any) -> str:
    return said(page, ".verdict")


def streak(page: Any) -> int:
    words = said(page, ".streak")
    assert re.fullmatch(r"[1-9]\d* in a row|", words)
    return int(words.split()[0]) if words else 0


def go_on(page: Any) -> None:
    page.locator(f"{VIEW} [data-do=next]").click()


def answer(page: Any, r: int, c: int, order: str) -> None:
    """Answer rightly, by the library."""
    asked = question(page)
    if "come from" in said(page, ".question"):
        source_at(page, "quiz", tuple(origins(r, c, order)[asked].tolist())).click()
    else:
        cell_at(page, "quiz", place_of(r, c, order, asked)).click()
    assert verdict(page).startswith("Right")


def judged(page: Any, order: str, fitting: list[str]) -> None:
    """The verdict names the orders in which the answer is right, and no other."""
    words = verdict(page)
    assert words.startswith("Right") == (order in fitting)
    _, _, after = words.partition("It would be right in ")
    others = [name for name in fitting if name != order]
    assert {name for name in ORDERS if NAMES[name] in after} == set(others)
    assert ("nor in another order" in words) == (not fitting)
    assert words.startswith("Right") or f"Not in {NAMES[order]}" in words


@every_setup
def test_the_quiz_judges_by_the_library(visit: Visit, r: int, c: int, order: str) -> None:
    page = visit(address("quiz", r, c, order))
    assert page.locator("[name=level]:checked").get_attribute("value") == "0"  # free
    in_a_row = 0
    for turn in range(6):
        source = question(page)
        k, h, w = source
        places = {name: place_of(r, c, name, source) for name in ORDERS}
        guess = places[list(ORDERS)[turn % 3]]
        if turn >= 3:  # somewhere else: in the same block, or in another one
            taken = set(places.values())
            free = [place for place in np.ndindex(c, H * r, W * r) if place not in taken]
            guess = free[(turn * 7919) % len(free)]
        cell_at(page, "quiz", guess).click()
        fitting = [name for name in ORDERS if places[name] == guess]
        in_a_row = in_a_row + 1 if order in fitting else 0
        assert streak(page) == in_a_row
        judged(page, order, fitting)
        words = verdict(page)
        if not fitting:
            same_block = guess[1] // r == h and guess[2] // r == w
            assert ("The block is right." in words) == same_block
            assert same_block or f"row {h}·{r} = {h * r}, column {w}·{r} = {w * r}" in words
        reason = said(page, ".reason")
        left, _, rest = reason.partition(" = ")
        plane, row, col = places[order]
        assert value(rest.partition(",")[0]) == int(left) == k
        assert f"c = {plane}, i = {row % r}, j = {col % r}: image channel {plane}, " in reason
        for name, index in (("row", row), ("column", col)):
            sum_, _, result = re.search(rf"{name} ([\d·+ ]+( = )\d+)", reason)[1].partition(" = ")
            assert value(sum_) == int(result) == index
        assert "here" in cell_at(page, "quiz", places[order]).get_attribute("class")
        mark = "hit" if order in fitting else "missed"
        assert mark in cell_at(page, "quiz", guess).get_attribute("class")
        texts, _ = drawn(page, "quiz", "output", (c, H * r, W * r))  # all is shown now
        assert texts.tolist() == shuffled(labels(c * r * r), r, order).tolist()
        cell_at(page, "quiz", places[order]).click()  # a second answer does not count
        assert streak(page) == in_a_row
        go_on(page)
        assert question(page)[0] != k


def test_the_way_back_is_judged_by_the_library(visit: Visit) -> None:
    r, c, order = LEVELS[5]
    page = visit("mode=quiz&level=6")
    for turn in range(9):
        place = question(page)
        froms = {name: tuple(origins(r, c, name)[place].tolist()) for name in ORDERS}
        guess = froms[list(ORDERS)[turn % 3]]
        if turn >= 5:
            free = [one for one in np.ndindex(c * r * r, H, W) if one not in froms.values()]
            guess = free[(turn * 7919) % len(free)]
        cell_at(page, "quiz", place).click()  # this is the question, not an answer
        assert verdict(page) == "Choose a pixel of a channel."
        source_at(page, "quiz", guess).click()
        fitting = [name for name in ORDERS if froms[name] == guess]
        judged(page, order, fitting)
        k, h, w = froms[order]
        if not fitting:
            same = guess[1:] == (h, w)
            assert ("The pixel is right, the channel is not." in verdict(page)) == same
            assert same or f"Row {place[1]} // {r} = {h}, " in verdict(page)
        reason = said(page, ".reason")
        i, j = re.match(r"i = (\d+ % \d = \d), j = (\d+ % \d = \d), ", reason).groups()
        for words, at in ((i, place[1]), (j, place[2])):
            left, _, result = words.partition(" = ")
            assert value(left) == int(result) == at % r
        *_, numbers, number = reason.partition(". Its pixel")[0].split(" = ")
        assert value(numbers) == int(number) == k
        assert reason.endswith(f"row {place[1]} // {r} = {h}, column {place[2]} // {r} = {w}.")
        mark = "hit" if order in fitting else "missed"
        assert mark in source_at(page, "quiz", guess).get_attribute("class")
        assert "here" in source_at(page, "quiz", (k, h, w)).get_attribute("class")
        go_on(page)


def test_three_right_in_a_row_open_the_next_level(visit: Visit) -> None:
    page = visit("mode=quiz")
    expected = 0
    for level, setup in enumerate(LEVELS, 1):
        assert page.locator("[name=level]:checked").get_attribute("value") == str(level)
        enabled = page.locator("[name=level]:enabled").count()
        assert enabled == level + 1  # and free
        r, c, order = setup
        assert said(page, ".level").startswith(f"r = {r}, C = {c}, in {NAMES[order]}.")
        if level == 2:  # a wrong answer begins anew
            answer(page, *setup)
            go_on(page)
            k, h, w = question(page)
            wrong = next(
                place
                for place in np.ndindex(1, H * r, W * r)
                if place != place_of(r, c, "CRD", (k, h, w))
                and place != place_of(r, c, "paper", (k, h, w))
            )
            cell_at(page, "quiz", wrong).click()
            assert (streak(page), said(page, ".best")) == (0, "best: 4")
            assert said(page, ".dots") == "○○○"
            go_on(page)
            expected = 0
        for turn in range(3):
            assert said(page, "[data-do=next]") == "Next"
            answer(page, *setup)
            expected += 1
            assert streak(page) == expected
            assert said(page, ".dots") == "●" * (turn + 1) + "○" * (2 - turn)
            if turn < 2:
                assert "is open" not in verdict(page)
                go_on(page)
        if level < 6:
            assert verdict(page).endswith(f"Level {level + 1} is open.")
            assert said(page, "[data-do=next]") == f"Level {level + 1}"
            page.keyboard.press("Enter")  # the button has the focus
            page.clock.run_for(300)
            assert page.url.endswith(f"#mode=quiz&level={level + 1}")
    assert verdict(page).endswith("That was the last level.")
    page.reload()  # the level and the best are kept
    assert page.locator("[name=level]:enabled").count() == 7
    assert said(page, ".best") == f"best: {expected}"
    assert streak(page) == 0


def test_levels_and_free_practice(visit: Visit) -> None:
    page = visit("mode=map&r=4&c=3&order=dcr")
    page.locator("form label", has_text="Quiz").click()
    page.clock.run_for(300)
    assert page.url.endswith("#mode=quiz&level=1")
    assert not page.locator("#choices fieldset:visible").count()
    page.locator(f"{VIEW} label", has_text="free").click()  # with the choices of before
    page.clock.run_for(300)
    assert page.url.endswith("#mode=quiz&r=4&c=3&order=dcr")
    assert page.locator("#choices fieldset:visible").count() == 3
    assert page.locator(f"{VIEW} .plane:visible").count() == 3
    assert page.locator(f"{VIEW} .channel:visible").count() == 1  # of 48
    assert not page.locator("#order-note").is_visible()
    page = visit("mode=quiz&level=4")  # a link opens its level
    assert page.locator("[name=level]:enabled").count() == 5
    page = visit("mode=quiz&level=7")
    assert page.locator("[name=level]:checked").get_attribute("value") == "1"


@pytest.mark.parametrize("kept", ["{", "[]", '{"open": 99, "best": "x"}', "null", None])
def test_a_record_may_be_broken_or_forbidden(visit: Visit, kept: str | None) -> None:
    page = visit("mode=quiz")
    if kept is None:
        page.add_init_script("""Object.defineProperty(window, "localStorage",
            {get() { throw new DOMException("no", "SecurityError"); }})""")
    else:
        page.evaluate("kept => localStorage.setItem('npespcn quiz', kept)", kept)
    page.reload()
    assert page.locator("[name=level]:enabled").count() == 2
    assert said(page, ".best") == ""
    answer(page, *LEVELS[0])
    assert (streak(page), said(page, ".best")) == (1, "best: 1")


@pytest.mark.parametrize("words", ["mode=quiz&r=3&c=3&order=dcr", "mode=quiz&level=6"])
def test_the_quiz_does_not_give_the_answer_away(visit: Visit, words: str) -> None:
    page = visit(words)
    back = "level" in words
    r = 2 if back else 3
    for _ in range(2):  # the second time after an answer
        sources, outputs = (
            page.evaluate(READ, f"{VIEW} .{kind} .cell") for kind in ("source", "output")
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
        assert page.evaluate(f"Object.keys(document.querySelector('{VIEW}').dataset)") == [
            *("view", "title", "lead")
        ]
        here = page.locator(f"{VIEW} .here")
        assert here.count() == 1
        if back:
            assert here.get_attribute(
                "aria-label"
            ) == "Image channel {}, row {}, column {}, empty".format(*question(page))
        else:
            assert here.text_content() == labels(27)[question(page)]
        assert not page.locator("#order-note").is_visible()
        assert "k =" not in page.locator("body").inner_text()
        if back:
            source_at(page, "quiz", (0, 0, 0)).click()
        else:
            cell_at(page, "quiz", (0, 0, 0)).click()
        sources = page.evaluate(READ, f"{VIEW} .source .cell")
        assert {color(cell["fill"]) for cell in sources} == set(channel_colors(r, 3))
        go_on(page)


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
    assert page.locator('[aria-live="polite"].question').count() == 1


def test_another_language_asks_the_same(visit: Visit) -> None:
    page = visit("mode=quiz&level=3&lang=en")
    asked = question(page)
    answer(page, *LEVELS[2])
    words = verdict(page)
    page.locator("#language").click()
    assert said(page, ".streak") == "连对 1 题"
    page.locator("#language").click()
    assert (question(page), verdict(page), streak(page)) == (asked, words, 1)


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("words", [*(f"level={n}" for n in range(1, 7)), *FREE])
def test_all_that_is_to_choose_is_on_the_screen(visit: Visit, words: str, viewport: Any) -> None:
    """Question, cells to choose and verdict, before and after the answer, and nothing on top."""
    if viewport == NARROW and words in FREE[2:]:
        return  # cells for a finger, so that one has to scroll
    page = visit(f"mode=quiz&{words}", viewport=viewport)
    side = "source" if words == "level=6" else "output"
    for turn in range(3):
        cells = page.evaluate(f"""[...document.querySelectorAll('{VIEW} .{side} .cell')]
            .map(cell => {{
                const {{left, top, right, bottom}} = cell.getBoundingClientRect();
                const seen = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
                return [left, top, right, bottom, seen === cell];
            }})""")
        boxes = [
            page.locator(f"{VIEW} {part}").bounding_box() for part in (".question", ".verdict")
        ]
        for left, top, right, bottom, seen in cells:
            assert left >= 0 <= top
            assert right <= viewport["width"]
            assert bottom <= viewport["height"]
            assert seen
            assert min(right - left, bottom - top) >= 24
        assert all(box["y"] >= 0 and box["height"] > 10 for box in boxes)
        assert page.evaluate("scrollY") == 0
        if turn == 0:
            page.locator(f"{VIEW} .{side} .cell").nth(3).click()
        elif turn == 1:
            go_on(page)


def test_the_verdict_stays_in_sight(visit: Visit) -> None:
    page = visit("mode=quiz&r=4&c=3&order=dcr", viewport=NARROW)
    cell_at(page, "quiz", (2, 7, 11)).click()
    box = page.locator(f"{VIEW} .verdict").bounding_box()
    assert 0 <= box["y"] < NARROW["height"] / 2
    go_on(page)
    cell_at(page, "quiz", (2, 7, 11)).focus()
    for _ in range(22):  # up through all three planes: the question never covers the focus
        page.keyboard.press("ArrowUp")
        under = page.locator(".asked").bounding_box()
        top = page.evaluate("document.activeElement.getBoundingClientRect().top")
        assert top >= under["y"] + under["height"] - 1
