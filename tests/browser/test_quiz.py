"""The quiz: questions, verdicts and what it does not give away."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from browser.reading import (
    NARROW,
    READ,
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
    place_of,
    shuffled,
    text,
    value,
)

from npespcn.figures import channel_colors
from npespcn.shuffle import ORDERS


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
