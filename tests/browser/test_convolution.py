"""The convolution: its sums, the way back, and how far three layers look."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from browser.reading import NARROW, READ, WIDE, Visit, on_screen, text

from npespcn.common import Array
from npespcn.conv import conv2d_backward, conv2d_forward, conv2d_loop

FILTERS = ("blur", "sharpen", "shift", "vertical", "horizontal", "2,0,-1.5,0.25,0,1,-3,0,0.125")
SIDES, KERNELS = (13, 9, 7, 5), (5, 3, 3)
VIEW = '[data-view="convolution"]'

# Point at every pixel of a sheet in turn, and read what the view says.
TOUR = """([stage, every]) => {
    const view = document.querySelector('[data-view="convolution"]');
    const texts = selector => [...view.querySelectorAll(selector)].map(one => one.textContent);
    const boxes = [...view.querySelectorAll(".sheet")];
    const cells = [...view.querySelectorAll(`.cell[data-stage="${stage}"]`)];
    return cells.filter((_, n) => n % every === 0).map(cell => {
        cell.dispatchEvent(new PointerEvent("pointerover", {bubbles: true}));
        return {row: Number(cell.dataset.row), col: Number(cell.dataset.col),
            telling: texts(".telling")[0], sum: texts(".sum")[0],
            above: texts(".products small"), below: texts(".products b"),
            frames: boxes.map(sheet => {
                const mark = sheet.querySelector(".mark"), first = sheet.querySelector(".cell");
                if (mark.hidden) return null;
                const [a, b] = [mark, first].map(one => one.getBoundingClientRect());
                return [a.y - b.y, a.x - b.x, a.height, a.width].map(n => Math.round(n / b.width));
            }),
            ways: boxes.map(sheet => [...sheet.querySelectorAll(".cell")]
                .map(one => Number(one.textContent)))};
    });
}"""


def number(words: str) -> float:
    return float(words.replace("−", "-").strip("()"))


def sheet(page: Any, stage: int, side: int) -> Array:
    """Read the numbers of a stage, each where it is drawn."""
    cells = page.evaluate(READ, f'{VIEW} .cell[data-stage="{stage}"]')
    texts = [cell["text"] for cell in on_screen(cells, (side, side))]
    return np.array([number(words or "0") for words in texts]).reshape(side, side)


def weights(page: Any) -> Array:
    fields = page.locator(f"{VIEW} .weights input").all()
    return np.array([number(field.input_value()) for field in fields]).reshape(3, 3)


def convolved(x: Array, weight: Array) -> Array:
    return conv2d_loop(x[None, None], weight[None, None])[0, 0]


def pixel(page: Any, stage: int, row: int, col: int) -> Any:
    where = f'[data-stage="{stage}"][data-row="{row}"][data-col="{col}"]'
    return page.locator(f"{VIEW} .cell{where}")


def telling(page: Any) -> str:
    return text(page, f"{VIEW} .telling")


@pytest.mark.parametrize("filter_", FILTERS)
def test_the_output_is_the_convolution(visit: Visit, filter_: str) -> None:
    digits = "".join(map(str, np.random.default_rng(1).integers(0, 10, 144)))
    for picture, viewport in (("disc", NARROW), (digits, WIDE)):
        page = visit(f"mode=convolution&filter={filter_}&paint={picture}", viewport=viewport)
        x, weight = sheet(page, 0, 12), weights(page)
        assert picture == "disc" or x.ravel().tolist() == [int(digit) for digit in digits]
        y = convolved(x, weight)
        shown = np.where(abs(y) < 9.95, 0.05, 0.5) + 1e-9  # as cells are rounded
        assert (abs(sheet(page, 1, 10) - y) <= shown).all()


@pytest.mark.parametrize("filter_", FILTERS)
def test_every_output_pixel_is_the_sum_of_nine_products(visit: Visit, filter_: str) -> None:
    page = visit(f"mode=convolution&filter={filter_}", viewport=WIDE)
    x, weight = sheet(page, 0, 12), weights(page)
    y = convolved(x, weight)
    told = page.evaluate(TOUR, [1, 1])
    assert len(told) == 100
    for one in told:
        row, col = one["row"], one["col"]
        patch = x[row : row + 3, col : col + 3]
        terms = [[number(part) for part in term.split("·")] for term in one["above"]]
        assert np.array_equal(terms, np.stack([patch.ravel(), weight.ravel()], axis=1))
        assert np.allclose([number(term) for term in one["below"]], (patch * weight).ravel())
        assert number(one["sum"].split(": ")[1]) == pytest.approx(y[row, col], abs=5.1e-4)
        assert number(one["telling"].split(":")[0].split()[-1]) == pytest.approx(
            y[row, col], abs=5.1e-4
        )
        assert one["frames"] == [[row, col, 3, 3], [row, col, 1, 1]]


@pytest.mark.parametrize("filter_", FILTERS)
def test_an_input_pixel_reaches_what_its_gradient_comes_from(visit: Visit, filter_: str) -> None:
    page = visit(f"mode=convolution&filter={filter_}", viewport=WIDE)
    x, weight = sheet(page, 0, 12), weights(page)
    jacobian = np.empty((10, 10, 12, 12))  # d y[p, q] / d x[row, col]
    linked = np.empty((10, 10, 12, 12), bool)
    for p, q in np.ndindex(10, 10):
        dy = np.zeros((1, 1, 10, 10))
        dy[0, 0, p, q] = 1
        one, ones = (
            conv2d_backward(dy, x[None, None], kernel[None, None])[0][0, 0]
            for kernel in (weight, np.ones((3, 3)))
        )
        jacobian[p, q], linked[p, q] = one, ones > 0
    told = page.evaluate(TOUR, [0, 1])
    assert len(told) == 144
    for one in told:
        row, col = one["row"], one["col"]
        reached = np.argwhere(linked[:, :, row, col])  # in the order of reading
        ways = [pair for pair in zip(one["above"], one["below"], strict=True) if pair[0]]
        assert [where for where, _ in ways] == [f"y[{p}, {q}]" for p, q in reached]
        expected = [jacobian[p, q, row, col] for p, q in reached]
        assert np.allclose([number(weight) for _, weight in ways], expected)
        assert f"reaches {len(reached)} output pixels" in one["telling"]
        (top, left), (bottom, right) = reached[0].tolist(), reached[-1].tolist()
        box = [top, left, bottom - top + 1, right - left + 1]
        assert one["frames"] == [[row, col, 1, 1], box]


def ways(stage: int, row: int, col: int, other: int) -> Array:
    """Count the ways from a pixel of one stage to those of another, by the package."""
    spot = np.zeros((1, 1, SIDES[stage], SIDES[stage]))
    spot[0, 0, row, col] = 1
    for k in KERNELS[stage:other]:
        spot = conv2d_forward(spot, np.ones((1, 1, k, k)))
    for layer in range(stage - 1, other - 1, -1):
        k, below = KERNELS[layer], SIDES[layer]
        x = np.zeros((1, 1, below, below))
        spot = conv2d_backward(spot, x, np.ones((1, 1, k, k)))[0]
    return spot[0, 0]


@pytest.mark.parametrize("through", [0, 1, 2, 3])
@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_three_layers_look_as_far_as_the_package_says(
    visit: Visit, stage: int, through: int
) -> None:
    page = visit(f"mode=convolution&layers=3&through={through}", viewport=WIDE)
    told = page.evaluate(TOUR, [stage, 7 if stage == 0 else 3])
    assert len(told) > 8
    for one in told:
        row, col = one["row"], one["col"]
        for other, side in enumerate(SIDES):
            drawn = np.array(one["ways"][3 - other]).reshape(side, side)  # the output comes first
            near = abs(other - stage) <= through
            expected = ways(stage, row, col, other) if near else np.zeros((side, side))
            assert np.array_equal(drawn, expected)
            frame = one["frames"][3 - other]
            if not near:
                assert frame is None
                continue
            rows, cols = (np.flatnonzero(expected.any(axis=axis)) for axis in (1, 0))
            assert frame == [rows[0], cols[0], len(rows), len(cols)]
            if other in (max(stage - through, 0), min(stage + through, 3)) and other != stage:
                assert f"{len(rows)}×{len(cols)} pixels" in one["telling"]
                assert expected.max() == 1 or f"{expected.max():.0f} ways" in one["telling"]


def test_the_field_grows_to_nine_by_nine(visit: Visit) -> None:
    page = visit("mode=convolution&layers=3&look=3,1,4&through=0", viewport=WIDE)
    assert "How far" in telling(page)
    for field, most in (("3×3 pixels after layer 2.", ""), ("5×5", "9 ways"), ("9×9", "81 ways")):
        page.get_by_role("button", name="Next").click()
        assert field in telling(page)
        assert most in telling(page)
    assert page.locator(f"{VIEW} .sheet").first.get_attribute("aria-label") == "Output: 5 by 5"
    page.get_by_role("button", name="First").click()
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(1300)
    assert "3×3" in telling(page)
    page.clock.run_for(3000)
    assert "9×9" in telling(page)


def test_the_mouse_the_keys_and_the_player_move_the_kernel(visit: Visit) -> None:
    page = visit("mode=convolution", viewport=WIDE)
    x = sheet(page, 0, 12)
    blurred = convolved(x, weights(page))

    def expect(row: int, col: int) -> None:
        assert number(text(page, f"{VIEW} .sum")[11:]) == pytest.approx(blurred[row, col])
        assert text(page, f"{VIEW} .player output") == f"row {row}, column {col}"

    pixel(page, 1, 3, 8).hover()
    expect(3, 8)
    page.mouse.move(5, 5)  # what was shown last stays
    expect(3, 8)
    pixel(page, 1, 4, 4).focus()
    for key, row, col in (("Right", 4, 5), ("Down", 5, 5), ("Left", 5, 4), ("Up", 4, 4)):
        page.keyboard.press(f"Arrow{key}")
        expect(row, col)
    page.keyboard.press("End")
    expect(9, 9)
    page.get_by_role("button", name="First").click()
    expect(0, 0)
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(350 * 13 + 100)
    expect(1, 3)
    pixel(page, 1, 6, 6).hover()  # ends the playing
    page.clock.run_for(2000)
    expect(6, 6)


def test_a_reader_paints_and_the_output_follows(visit: Visit) -> None:
    page = visit("mode=convolution&filter=vertical", viewport=WIDE)
    before = sheet(page, 0, 12)
    pixel(page, 0, 2, 2).click()  # no brush: nothing is painted
    assert np.array_equal(sheet(page, 0, 12), before)
    pixel(page, 0, 2, 2).press("7")
    page.locator("label:has([name=brush][value='5'])").click()
    start, end = (pixel(page, 0, 7, col).bounding_box() for col in (0, 11))
    page.mouse.move(start["x"] + 9, start["y"] + 9)
    page.mouse.down()
    page.mouse.move(end["x"] + 9, end["y"] + 9, steps=40)
    page.mouse.up()
    page.mouse.move(start["x"] + 9, start["y"] + 100, steps=10)  # not pressed: nothing more
    expected = before.copy()
    expected[2, 2] = 7
    expected[7] = 5
    assert np.array_equal(sheet(page, 0, 12), expected)
    assert np.array_equal(sheet(page, 1, 10), convolved(expected, weights(page)))
    page.clock.run_for(300)
    again = visit(page.url.partition("#")[2], viewport=WIDE)
    assert np.array_equal(sheet(again, 0, 12), expected)
    page.get_by_role("button", name="Dot").click()
    dot = sheet(page, 0, 12)
    assert (np.count_nonzero(dot), dot.max()) == (1, 9)
    page.get_by_role("button", name="Disc").click()
    assert np.array_equal(sheet(page, 0, 12), before)


def test_a_finger_points_and_paints(visit: Visit) -> None:
    page = visit("mode=convolution", viewport=NARROW, has_touch=True, is_mobile=True)
    pixel(page, 1, 5, 2).tap()
    assert text(page, f"{VIEW} .player output") == "row 5, column 2"
    pixel(page, 0, 0, 0).tap()
    assert "reaches 1 output pixels" in telling(page)
    page.locator("label:has([name=brush][value='9'])").tap()
    pixel(page, 0, 11, 3).tap()
    assert sheet(page, 0, 12)[11, 3] == 9


def test_the_nine_weights_can_be_changed(visit: Visit) -> None:
    page = visit("mode=convolution&filter=shift", viewport=WIDE)
    x = sheet(page, 0, 12)
    assert np.array_equal(sheet(page, 1, 10), x[1:11, 2:])  # it takes the right neighbor
    fields = page.locator(f"{VIEW} .weights input")
    fields.nth(5).fill("-2")
    fields.nth(6).fill("0,5")
    fields.nth(0).fill("−1")
    assert page.locator("[name=filter]:checked").count() == 0
    weight = np.array([[-1, 0, 0], [0, 0, -2], [0.5, 0, 0]])
    y = convolved(x, weight)
    assert (abs(sheet(page, 1, 10) - y) <= 0.5 + 1e-9).all()
    for nonsense in ("x", "", "1e9", "--1"):
        fields.nth(8).fill(nonsense)
        assert fields.nth(8).get_attribute("aria-invalid") == "true"
        assert (abs(sheet(page, 1, 10) - y) <= 0.5 + 1e-9).all()
    fields.nth(0).focus()  # what is no number goes back
    assert np.array_equal(weights(page), weight)
    page.clock.run_for(300)
    assert "filter=-1,0,0,0,0,-2,0.5,0,0" in page.url
    page.locator("label:has([value=blur])").click()
    assert weights(page).sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("look=1,9,9&filter=sharpen", "layers=1&filter=sharpen&look=1,9,9"),
        ("look=1,10,9", "layers=1&filter=blur&look=1,2,1"),
        ("look=2,1,1&layers=2&filter=1,2&paint=12", "layers=1&filter=blur&look=1,2,1"),
        ("filter=1,2,3,4,5,6,7,8,x&look=0,11,0", "layers=1&filter=blur&look=0,11,0"),
        ("filter=toString&paint=constructor", "layers=1&filter=blur&look=1,2,1"),
        ("layers=3&look=2,6,6&through=1", "layers=3&look=2,6,6&through=1"),
        ("layers=3&look=3,5,0&through=4", "layers=3&look=3,2,2&through=3"),
    ],
)
def test_links(visit: Visit, words: str, expected: str) -> None:
    page = visit(f"mode=convolution&{words}", viewport=WIDE)
    page.locator("#theme").click()
    page.clock.run_for(300)
    assert page.url.partition("#")[2] == f"mode=convolution&{expected}&theme=dark"


def test_cells_have_names_in_both_languages(visit: Visit) -> None:
    page = visit("mode=convolution&filter=horizontal&lang=zh", viewport=WIDE)
    shown = page.locator(f"{VIEW} .telling, {VIEW} h2, {VIEW} .sum").all_text_contents()
    assert all(re.search("[\u4e00-\u9fff]", words) for words in shown)
    assert pixel(page, 0, 3, 4).get_attribute("aria-label").startswith("输入第 3 行第 4 列：")
    page.locator("#language").click()
    value = int(sheet(page, 0, 12)[3, 4])
    name = pixel(page, 0, 3, 4).get_attribute("aria-label")
    assert name == f"Input, row 3, column 4: {value}"
    assert len(shown) == page.locator(f"{VIEW} .telling, {VIEW} h2, {VIEW} .sum").count() == 6
