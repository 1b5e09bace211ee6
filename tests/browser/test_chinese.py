"""The Chinese pages of the site: nothing is left in English, and each leads to its counterpart."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

LOCALE = Path(__file__).parents[2] / "docs" / "locale" / "zh_CN" / "LC_MESSAGES"
CATALOGS = [path for path in sorted(LOCALE.rglob("*.po")) if path.name != "sphinx.po"]
PAGES = [path.relative_to(LOCALE).with_suffix(".html").as_posix() for path in CATALOGS]

# Texts with two English words or more and nothing Chinese; code and formulas are no texts.
ENGLISH = r"""() => {
  const left = [];
  const check = (text) => {
    if (/[A-Za-z]{2,} +[A-Za-z]{2,}/.test(text) && !/[\u4e00-\u9fff]/.test(text)) left.push(text);
  };
  for (const element of document.querySelectorAll("h1, h2, h3, p, li, dt, dd, th, td, title, a")) {
    const copy = element.cloneNode(true);
    copy.querySelectorAll("code, pre, math, .math").forEach((part) => part.remove());
    if (!element.closest("pre, code, a[href^=http]")) check(copy.textContent);
  }
  for (const name of ["aria-label", "placeholder", "alt", "title", "data-words", "data-done"]) {
    for (const element of document.querySelectorAll(`[${name}]`)) check(element.getAttribute(name));
  }
  return left;
}"""


@pytest.mark.parametrize("name", ["index.html", *PAGES])
def test_nothing_is_left_in_english(read: Callable[..., Any], name: str) -> None:
    page = read(f"zh/{name}")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    assert page.evaluate(ENGLISH) == []
    for word in ("Answer", "Predict", "Aim", "Next", "Previous", "Show", "Hide"):
        assert page.get_by_text(word, exact=True).count() == 0, word


@pytest.mark.parametrize("name", PAGES)
def test_a_page_leads_to_its_counterpart_and_back(read: Callable[..., Any], name: str) -> None:
    page = read(name)
    english = page.url
    page.get_by_role("link", name="中文", exact=True).click()
    page.wait_for_url(f"**/zh/{name}")
    page.get_by_role("link", name="English", exact=True).click()
    page.wait_for_url(english)


def test_the_front_pages_lead_to_each_other(read: Callable[..., Any]) -> None:
    page = read("index.html")
    page.get_by_role("link", name="中文", exact=True).first.click()
    page.wait_for_url("**/html/zh/index.html")
    page.get_by_role("link", name="English", exact=True).click()
    page.wait_for_url("**/html/index.html")


def test_the_explorer_is_opened_in_chinese(site: Path) -> None:
    for name in ["index.html", *PAGES]:
        text = (site / "zh" / name).read_text("utf-8")
        for address in re.findall(r'"([^"]*pixel-shuffle\.html[^"]*)"', text):
            assert "lang=zh" in address, (name, address)


@pytest.mark.parametrize("name", PAGES)
def test_a_lesson_fits_a_phone(read: Callable[..., Any], name: str) -> None:
    page = read(f"zh/{name}", viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
