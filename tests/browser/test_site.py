"""The built site in a browser: the lessons' gallery, the exercises, the cheat sheet, the search."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tutorials"))

from lessons import PARTS, lessons  # noqa: E402 (it lies in tutorials)

Read = Callable[..., Any]

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1440, "height": 900}
GALLERY, CONVOLUTION = "lessons/index.html", "lessons/04_convolution.html"
COURSE = [lesson for lesson in lessons() if lesson.part != PARTS[-1]]
CARD = ".lesson-cards > li"
LOADED = """async images => {
    for (const image of images) image.loading = "eager";
    await Promise.all(images.map(image => image.decode()));
    return images.map(image => [image.naturalWidth, image.getBoundingClientRect().width]);
}"""


# --- the gallery ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_gallery_shows_every_lesson(read: Read, scheme: str) -> None:
    page = read(GALLERY, viewport=DESK, color_scheme=scheme)
    cards = page.locator(CARD)
    assert cards.count() == len(lessons())
    for card, lesson in zip(cards.all(), lessons(), strict=True):
        link = card.locator("a")
        assert link.text_content() == f"{lesson.number}. {lesson.title}"
        assert link.get_attribute("href") == f"{lesson.path.stem}.html"
        assert f"{lesson.minutes} minutes" in card.text_content()
        plain = re.sub(r":doc:`(.+?)\s*<.+?>`|[*`]", r"\1", lesson.question)
        assert plain in card.text_content()
        image = card.locator("img:visible")
        assert image.count() == 1
        assert image.get_attribute("alt")
        assert f"{scheme}.webp" in image.get_attribute("src")
    for natural, shown in page.locator(f"{CARD} img:visible").evaluate_all(LOADED):
        assert natural >= shown > 150


def test_the_gallery_adds_up_the_minutes(read: Read) -> None:
    page = read(GALLERY)
    for part in PARTS:
        inside = [lesson.minutes for lesson in lessons() if lesson.part == part]
        section = page.locator("section section").filter(has_text=part).first
        assert f"{len(inside)} lessons, {sum(inside)} minutes" in section.text_content()


def test_what_is_done_is_kept_shown_and_forgotten(read: Read) -> None:
    page = read(GALLERY)
    count, next_one = page.locator(".course-bar .count"), page.locator(".course-bar a")
    forget = page.get_by_role("button", name="Forget what is done")
    assert count.text_content() == f"0 of {len(COURSE)} done"
    assert page.locator(".go-on").text_content() == "Begin with"
    assert next_one.text_content() == "1. Pixels and channels"
    assert forget.is_disabled()

    next_one.click()
    page.locator(".prediction").first.fill("the one to the right")
    assert re.fullmatch(r"Predictions written: 1 of \d+", text(page, ".lesson-end span"))
    page.get_by_role("button", name="Mark as done").press("Enter")
    done = page.get_by_role("button", name="Done. Take it back")
    assert done.get_attribute("aria-pressed") == "true"

    page.reload()
    assert done.is_visible()
    assert page.locator(".prediction").first.input_value() == "the one to the right"
    assert text(page, ".lesson-end span").startswith("Predictions written: 1")
    page.go_back()
    page.wait_for_url("**/index.html")
    assert count.text_content() == f"1 of {len(COURSE)} done"
    assert page.locator(".go-on").text_content() == "Go on with"
    assert next_one.text_content() == "2. Three shuffles"
    assert next_one.get_attribute("href").endswith("02_three_shuffles.html")
    assert page.locator(f"{CARD}.done").count() == 1
    assert text(page, f"{CARD}.done .state") == "done · predictions written: 1"
    assert page.locator("progress").evaluate("bar => bar.value") == 1

    forget.click()
    assert count.text_content() == f"0 of {len(COURSE)} done"
    assert page.locator(f"{CARD}.done").count() == 0
    page.reload()
    assert count.text_content() == f"0 of {len(COURSE)} done"


def test_a_lesson_can_be_taken_back_and_the_appendix_is_no_duty(read: Read) -> None:
    page = read(CONVOLUTION)
    page.get_by_role("button", name="Mark as done").click()
    page.get_by_role("button", name="Done. Take it back").click()
    assert page.evaluate("Object.keys(localStorage).filter(key => key.includes('done'))") == []
    page.evaluate(
        "names => names.forEach(name => localStorage.setItem(`npespcn done ${name}.html`, 'yes'))",
        [lesson.path.stem for lesson in COURSE],
    )
    page.goto(page.url.replace("04_convolution", "index"))
    assert text(page, ".course-bar .count") == f"{len(COURSE)} of {len(COURSE)} done"
    assert page.locator(".course-bar a").is_hidden()


def test_a_browser_that_keeps_nothing_makes_no_errors(read: Read) -> None:
    page = read(GALLERY)
    page.add_init_script(
        """Object.defineProperty(window, "localStorage", {
            configurable: true, get() { throw new DOMException("no", "SecurityError"); } });"""
    )
    page.reload()
    assert text(page, ".course-bar .count").startswith("0 of")
    page.goto(page.url.replace("index", "04_convolution"))
    page.locator(".prediction").first.fill("nine")
    page.get_by_role("button", name="Mark as done").click()
    assert page.get_by_role("button", name="Done. Take it back").is_visible()


def test_without_scripts_the_gallery_is_a_list(read: Read) -> None:
    page = read(GALLERY, java_script_enabled=False)
    assert page.locator(f"{CARD} a:visible").count() == len(lessons())
    assert page.locator(".course-bar").is_hidden()


# --- lessons -------------------------------------------------------------------------------------


def test_answers_are_folded_and_open_their_outputs(read: Read) -> None:
    page = read(CONVOLUTION)
    answers, outputs = page.locator(".admonition.answer"), page.locator("details.toggle-details")
    assert answers.count() > 3
    assert outputs.count() > 3
    assert page.locator("details.toggle-details[open]").count() == 0
    for answer in answers.all():
        assert answer.locator("p:not(.admonition-title)").first.is_hidden()
    both = page.locator(".admonition.answer:has(~ details)").first
    both.locator(".admonition-title").click()
    assert both.locator("p:not(.admonition-title)").first.is_visible()
    opened = both.locator("xpath=following-sibling::details[1]")
    assert opened.evaluate("output => output.open")
    assert page.locator("details.toggle-details[open]").count() < outputs.count()


def test_lessons_lead_to_their_exercises_and_back(read: Read) -> None:
    page = read("lessons/02_three_shuffles.html")
    links = page.locator(".field-list a[href*='exercises.html']")
    assert [link.get_attribute("href").partition("#")[2] for link in links.all()] == [
        "exercise-1",
        "exercise-2",
    ]
    links.nth(1).click()
    section = page.locator("section:has(> #exercise-2), section#exercise-2").last
    section.locator("h3").wait_for()
    section.locator("a[href*='02_three_shuffles']").click()
    page.locator("h1", has_text="Three shuffles").wait_for()


# --- the exercises -------------------------------------------------------------------------------


def test_the_exercises_page_has_every_starter_and_copies_the_command(read: Read) -> None:
    page = read("exercises.html", permissions=["clipboard-read", "clipboard-write"])
    files = sorted((ROOT / "tutorials" / "exercises").glob("ex*.py"))
    starters = page.locator("details.starter")
    assert starters.count() == len(files) == 14
    shown = {starter.locator("summary code").text_content(): starter for starter in starters.all()}
    assert sorted(shown) == [file.name for file in files]
    assert shown["ex05_convolution.py"].locator("pre").is_hidden()
    shown["ex05_convolution.py"].locator("summary").click()
    code = shown["ex05_convolution.py"].locator("pre")
    assert "def im2col" in code.text_content()
    assert code.locator(".k").count() > 3  # highlighted: keywords
    commands = page.locator("div.highlight-sh > div.highlight")
    asked = [command.strip() for command in commands.locator("pre").all_text_contents()]
    assert sorted(asked) == sorted(f"make check EX={number}" for number in range(1, 15))
    block = commands.nth(asked.index("make check EX=3"))
    block.hover()
    block.locator("button.copybtn").click()
    assert page.evaluate("navigator.clipboard.readText()").strip() == "make check EX=3"


def test_the_hand_out_can_be_downloaded(read: Read) -> None:
    page = read("exercises.html")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the hand-out").click()
    assert download.value.suggested_filename == "exercises.zip"


def test_outputs_have_no_button_to_copy(read: Read) -> None:
    page = read(CONVOLUTION)
    assert page.locator("div.highlight-Python button.copybtn").count() > 5
    assert page.locator(".sphx-glr-script-out button.copybtn").count() == 0


# --- the cheat sheet, the search, phones ---------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_the_cheat_sheet_prints_on_one_page(read: Read, paper: str, scheme: str) -> None:
    page = read("cheat_sheet.html", color_scheme=scheme)
    pdf = page.pdf(format=paper, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1
    page.set_viewport_size({"width": 726, "height": 1055})  # A4 without its margins
    page.emulate_media(media="print")
    for block in page.locator("#cheat-sheet pre").all():
        assert block.evaluate("block => block.scrollWidth <= block.clientWidth")


def test_the_search_works_from_a_file_and_says_what_it_cannot_do(read: Read) -> None:
    page = read("search.html?q=receptive+field")
    found = page.locator("#search-results li a")
    page.wait_for_function("document.querySelectorAll('#search-results li').length > 3")
    titles = found.all_text_contents()
    assert {"4. Convolution", "Glossary"} <= set(titles)
    assert "opened from a file" in text(page, ".search-note")


@pytest.mark.parametrize(
    "name",
    [GALLERY, CONVOLUTION, "exercises.html", "glossary.html", "cheat_sheet.html",
     "bibliography.html", "reference.html"],
)  # fmt: skip
def test_nothing_is_wider_than_a_phone(read: Read, name: str) -> None:
    page = read(name, viewport=PHONE)
    page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    content = page.locator(".content")  # it would scroll, and the page would not
    assert content.evaluate("box => box.scrollWidth - box.clientWidth") <= 0


def test_the_menu_of_a_student_has_no_reference_unfolded(read: Read) -> None:
    page = read("glossary.html", viewport=DESK)
    menu = page.locator(".sidebar-tree")
    for name in ("The lessons", "Exercises", "Glossary", "Cheat sheet", "Bibliography"):
        assert menu.get_by_role("link", name=name, exact=True).is_visible()
    assert menu.get_by_role("link", name="Reliability").is_hidden()


def text(page: Any, selector: str) -> str:
    return page.locator(selector).text_content()
