"""The whole explorer: addresses, choices, theme, what every view must keep."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser.reading import (
    READ,
    H,
    Visit,
    W,
    address,
    cell_at,
    labels,
    lit,
    origins,
    step,
    text,
)

from npespcn import explorer

MODES = explorer.VIEWS


def choices(page: Any) -> dict[str, str]:
    return page.evaluate("""Object.fromEntries(
        [...document.forms].flatMap(form => [...new FormData(form)]))""")


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
    choose = lambda name: page.locator("form label", has_text=re.compile(f"^{name}$")).click()  # noqa: E731

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
    expect("mode=photo&r=3&order=dcr")
    assert not page.locator("input[name=c]").first.is_visible()
    choose("Quiz")
    expect("mode=quiz&level=1")
    page.locator("[name=level][value='0']").check()
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
    for _ in ("c", "r", "the theme", "the language", "the view"):
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
@pytest.mark.parametrize("mode", MODES)
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
@pytest.mark.parametrize("mode", MODES)
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
    for mode in MODES:
        page = visit(f"mode={mode}&method=reshape")
        nameless = page.evaluate("""[...document.querySelectorAll(
            "button, input, select, canvas, [role=img], [role=group]")]
            .filter(one => one.offsetParent && one.ariaHidden !== "true")
            .filter(one => !(one.ariaLabel || one.labels?.[0]?.textContent.trim()
                             || (one.tagName === "BUTTON" && one.textContent.trim())))
            .map(one => one.outerHTML.slice(0, 100))""")
        assert nameless == []


def test_the_page_is_in_the_readers_language(visit: Visit) -> None:
    """By the browser, by the link, by the button; the numbers stay."""
    chinese, english = visit(locale="zh-CN"), visit(locale="en-GB")
    lang = "document.documentElement.lang"
    assert (chinese.evaluate(lang), english.evaluate(lang)) == ("zh-CN", "en")
    assert text(chinese, "h1") == "像素重组"
    cells = [page.evaluate(READ, '[data-view="map"] .cell') for page in (chinese, english)]
    assert [cell["text"] for cell in cells[0]] == [cell["text"] for cell in cells[1]]
    english.locator("#language").click()
    for selector in ("body", "#theme", "#language"):
        assert text(english, selector) == text(chinese, selector)
    english.clock.run_for(300)
    assert english.url.endswith("&lang=zh")
    chinese.locator("#language").click()
    assert text(chinese, "h1") == "Pixel shuffle"
    assert text(visit("lang=en", locale="zh-CN"), "h1") == "Pixel shuffle"


@pytest.mark.parametrize("mode", MODES)
def test_in_chinese_no_english_is_left(visit: Visit, mode: str) -> None:
    """Names of code, of the field and of people stay."""
    page = visit(f"mode={mode}&lang=zh", clock=False)
    seen = page.evaluate("""() => [...document.querySelectorAll("main, .head, footer")]
        .flatMap(part => {
            const copy = part.cloneNode(true);
            for (const one of copy.querySelectorAll("code, [translate=no], [hidden], #language")) {
                one.remove();
            }
            const named = [...copy.querySelectorAll("[aria-label]")];
            return [copy.textContent, ...named.map(one => one.ariaLabel)];
        })""")
    words = r"\b(the|of|is|and|to|from|image|pixel|channel|row|column|step|for|with|it|are|in)\b"
    for words_seen in seen:
        assert not re.search(words, words_seen), words_seen


def test_a_page_around_it_sets_the_theme_and_hears_the_height(
    visit: Visit, browser: Any, url: str, tmp_path: Path
) -> None:
    around = tmp_path / "around.html"
    around.write_text(f"""<!doctype html><iframe src="{url}#embed=1" width="600"></iframe>
        <script>addEventListener("message", ({{data}}) => {{ window.heard = data.height; }});
        </script>""")
    page = browser.new_context(color_scheme="light").new_page()
    page.goto(around.as_uri())
    page.wait_for_function("window.heard > 300")
    frame = page.frames[1]
    assert not frame.locator("h1").is_visible()
    assert not frame.locator("#views").is_visible()
    height = frame.evaluate("document.body.getBoundingClientRect().height")
    assert 0 <= page.evaluate("heard") - height < 1
    page.evaluate("frames[0].postMessage({theme: 'dark', lang: 'zh'}, '*')")
    frame.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    assert frame.evaluate("document.documentElement.lang") == "zh-CN"
    page.evaluate("frames[0].postMessage({theme: 'pink'}, '*')")
    page.evaluate("frames[0].postMessage('hello', '*')")
    assert frame.evaluate("document.documentElement.dataset.theme") == "dark"
    page.context.close()
