"""The landing page, and what all pages have of it: the theme, the explorer's frame, phones."""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from npespcn.shuffle import pixel_shuffle

sys.path.append(str(Path(__file__).parents[2] / "tutorials"))
from lessons import lessons

Read = Callable[..., Any]
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1440, "height": 900}


# A picture or a canvas as a PNG file in an address
READ = """shown => {
  const copy = document.createElement("canvas");
  [copy.width, copy.height] = [shown.width, shown.height];
  copy.getContext("2d").drawImage(shown, 0, 0, shown.width, shown.height);
  return copy.toDataURL("image/png");
}"""


def pixels(page: Any, selector: str) -> np.ndarray:
    file = base64.b64decode(page.locator(selector).evaluate(READ).partition(",")[2])
    return np.array(Image.open(io.BytesIO(file)))  # (H, W, 4)


def slide(page: Any, value: int) -> np.ndarray:
    page.locator(".shuffle input").fill(str(value))
    return pixels(page, ".shuffle canvas")


def test_the_nine_channels_become_the_picture_as_pixel_shuffle_says(read: Read) -> None:
    page = read("index.html")
    page.locator(".shuffle canvas").wait_for()
    nine = slide(page, 0)
    assert np.array_equal(nine, pixels(page, ".shuffle .square img"))
    h = len(nine) // 3
    channels = nine.reshape(3, h, 3, h, 4).transpose(4, 0, 2, 1, 3).reshape(4 * 9, h, h)
    assert np.array_equal(slide(page, 80).transpose(2, 0, 1), pixel_shuffle(channels, 3))
    assert np.array_equal(slide(page, 100), pixels(page, ".shuffle .whole"))
    page.locator(".shuffle input").press("Home")
    assert np.array_equal(pixels(page, ".shuffle canvas"), nine)


def test_the_shuffle_runs_once_by_itself_unless_motion_is_reduced(read: Read) -> None:
    page = read("index.html", reduced_motion="no-preference")
    page.wait_for_function("document.querySelector('.shuffle input').value === '100'")
    still = read("index.html")
    still.locator(".shuffle canvas").wait_for()
    still.wait_for_timeout(2500)
    assert still.locator(".shuffle input").input_value() == "0"


def test_the_slider_follows_keys_and_pointer(read: Read) -> None:
    page = read("index.html", viewport=DESK)
    handle, slider = page.locator(".slider .handle"), page.locator(".slider input")
    box = page.locator(".slider").bounding_box()

    def place() -> float:
        at = handle.bounding_box()
        return (at["x"] + at["width"] / 2 - box["x"]) / box["width"]

    slider.scroll_into_view_if_needed()
    slider.press("End")
    assert place() == pytest.approx(1, abs=0.01)
    slider.press("Home")
    slider.press("ArrowRight")
    assert place() == pytest.approx(0.01, abs=0.005)
    box = page.locator(".slider").bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 90)
    page.mouse.up()
    assert place() == pytest.approx(0.7, abs=0.03)
    clip = page.locator(".before").evaluate("each => getComputedStyle(each).clipPath")
    assert clip.startswith("inset(")
    left = float(slider.input_value())
    assert f"{100 - left:g}%" in clip or "calc" in clip


@pytest.mark.parametrize("name", ["pixels", "bicubic", "original"])
def test_three_pictures_can_be_compared_with_the_network(read: Read, name: str) -> None:
    page = read("index.html")
    page.locator(f".compare input[value={name}]").check(force=True)
    image = page.locator(".before img")
    image.evaluate("each => each.decode()")
    assert image.get_attribute("src") == f"landing/{name}.webp"
    words = page.locator(".tag.left").inner_text()
    assert words in image.get_attribute("alt") or name == "bicubic"


def test_the_way_through_names_every_lesson_with_its_minutes(read: Read) -> None:
    page = read("index.html")
    shown = page.locator(".parts a").evaluate_all(
        """links => links.map((link) => [link.getAttribute("href"),
          ...[...link.children].map((part) => part.textContent)])"""
    )
    assert shown == [
        [
            f"lessons/{lesson.path.stem}.html",
            lesson.number,
            lesson.title,
            f"{lesson.minutes} minutes",
        ]
        for lesson in lessons()
    ]


def test_a_command_is_copied(read: Read) -> None:
    page = read("index.html", permissions=["clipboard-read", "clipboard-write"])
    page.locator("[data-copy='make demo']").click()
    page.get_by_role("status").filter(has_text="Copied: make demo").wait_for(state="attached")
    assert page.evaluate("navigator.clipboard.readText()") == "make demo"


def test_the_theme_reaches_the_frame_and_the_other_pages(read: Read) -> None:
    page = read("index.html", viewport=DESK, color_scheme="light")
    page.locator("iframe.explorer").scroll_into_view_if_needed()
    frame = page.frame_locator("iframe.explorer").locator("html")

    def shows(theme: str) -> None:
        page.frame_locator("iframe.explorer").locator(f"html[data-theme={theme}]").wait_for()
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (max(int(n) for n in paper[4:-1].split(",")) < 60) == (theme == "dark")

    frame.wait_for()
    shows("light")
    page.locator(".theme").click()
    shows("dark")
    page.goto(page.url.replace("index.html", "explorer.html"))
    shows("dark")
    page.locator(".theme-toggle-content .theme-toggle").click()  # from dark to automatic: light
    shows("light")


def test_figures_follow_the_theme(read: Read) -> None:
    for theme in ("light", "dark"):
        page = read("lessons/01_pixels_and_channels.html", color_scheme=theme)
        figures = page.locator("img.lesson-figure")
        displayed = figures.evaluate_all(
            "all => all.map((each) => [each.className, getComputedStyle(each).display !== 'none'])"
        )
        assert {name.split("only-")[1][:5].strip(): seen for name, seen in displayed} == {
            "light": theme == "light",
            "dark": theme == "dark",
        }
        chart = read("performance.html", color_scheme=theme).locator("img.chart")
        turned = chart.evaluate("each => getComputedStyle(each).filter") != "none"
        assert turned == (theme == "dark")


@pytest.mark.parametrize("name", ["index.html", "explorer.html"])
def test_the_frame_is_as_high_as_the_explorer(read: Read, name: str) -> None:
    page = read(name, viewport=DESK)
    page.locator("iframe.explorer").scroll_into_view_if_needed()
    inside = page.frame_locator("iframe.explorer").locator("html")
    for _ in range(40):
        over = inside.evaluate("html => html.scrollHeight - innerHeight")
        spare = inside.evaluate("html => innerHeight - html.querySelector('body').offsetHeight")
        if over <= 0 and spare <= 1:
            break
        page.wait_for_timeout(50)
    assert over <= 0
    assert spare <= 1


def test_on_a_phone_the_explorers_page_is_the_explorer(read: Read) -> None:
    page = read("explorer.html", viewport=PHONE)
    page.wait_for_url("**/pixel-shuffle.html")
    page.locator("#choices").first.wait_for()


@pytest.mark.parametrize("name", ["index.html", "lessons/05_the_network.html", "performance.html"])
def test_nothing_is_wider_than_a_phone(read: Read, name: str) -> None:
    page = read(name, viewport=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_the_landing_page_is_light(read: Read, site: Path) -> None:
    page, asked = read("index.html"), set()
    page.on("request", lambda request: asked.add(request.url))
    page.reload()
    page.locator(".shuffle canvas").wait_for()
    page.locator(".compare img").first.evaluate("each => each.decode()")
    names = {each.partition(f"{site.as_uri()}/")[2].partition("#")[0] for each in asked}
    files = [site / name for name in names if name and name != "pixel-shuffle.html"]
    assert len(files) >= 7
    assert sum(file.stat().st_size for file in files) < 400_000
