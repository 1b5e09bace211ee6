"""axe-core finds nothing to complain about on the site's pages and in the explorer's views."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
from conftest import _skip

DESK = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
PAGES = [
    "index.html",
    "lessons/index.html",
    "lessons/05_the_network.html",
    "exercises.html",
    "explorer.html",
    "performance.html",
]
ALONE = {"iframes": False, "preload": False}  # a page on a disk may not ask for its own files


def violations(page: Any) -> list[str]:
    """Return a line for each element that breaks a rule."""
    try:
        axe = importlib.import_module("axe_playwright_python.sync_playwright").Axe()
    except ImportError:
        _skip("axe is not installed: pip install -e '.[browser]'")
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}"
        for rule in axe.run(page, options=ALONE).response["violations"]
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_pages(read: Callable[..., Any], name: str, theme: str) -> None:
    page = read(name, viewport=DESK, color_scheme=theme)
    page.wait_for_timeout(300)  # the answers are being folded
    assert violations(page) == []


def test_the_landing_page_on_a_phone(read: Callable[..., Any]) -> None:
    assert violations(read("index.html", viewport=PHONE)) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_explorers_views(visit: Callable[..., Any], theme: str) -> None:
    page = visit(f"theme={theme}", clock=False, viewport=DESK)
    modes = page.locator("input[name=mode]").evaluate_all("all => all.map((each) => each.value)")
    assert len(modes) >= 4
    found = {}
    for mode in modes:
        page.evaluate("address => { location.hash = address }", f"mode={mode}&theme={theme}")
        page.wait_for_timeout(300)
        found[mode] = violations(page)
    assert found == {mode: [] for mode in modes}
