"""A headless Chromium with the explorer in it, that fails a test over any complaint of the page."""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from npespcn import explorer

REQUIRED = os.environ.get("NPESPCN_REQUIRE_BROWSER") == "1"
ARGUMENTS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


def _skip(reason: str) -> None:
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium: $CHROMIUM, or where Debian puts it, or on the path. None is downloaded."""
    try:
        playwright = importlib.import_module("playwright.sync_api").sync_playwright
    except ImportError:
        _skip("Playwright is not installed: pip install -e '.[browser]'")
    names = (os.environ.get("CHROMIUM", ""), "/usr/bin/chromium", "chromium", "google-chrome")
    path = next((found for name in names if name and (found := shutil.which(name))), None)
    if path is None:
        _skip("there is no Chromium: install it, or name it in $CHROMIUM")
    with playwright() as running:
        # Playwright gives it a user-data-dir of its own, which is removed afterwards.
        chromium = running.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The explorer as a file."""
    path: Path = tmp_path_factory.mktemp("explorer") / "page.html"
    explorer.write_page(path)
    return path.as_uri()


@pytest.fixture
def visit(browser: Any, url: str) -> Iterator[Callable[..., Any]]:
    """Open the explorer at an address; keywords are those of Playwright's new_context.

    Motion is reduced and the clock stands still, unless said otherwise. A message on the console,
    an error, or a request for anything but the file fails the test.
    """
    contexts, complaints = [], []

    def open_page(address: str = "", *, clock: bool = True, **how: Any) -> Any:
        context = browser.new_context(**{"reduced_motion": "reduce", **how})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))

        def requested(request: Any) -> None:
            if request.url.partition("#")[0] not in (url, "data:,"):
                complaints.append(f"request: {request.url}")

        page.on("request", requested)
        if clock:
            page.clock.install(time=0)
        page.goto(f"{url}#{address}")
        if clock:
            page.clock.pause_at(3_600_000)  # an hour on, whatever the loading took
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
