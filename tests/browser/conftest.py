"""A headless Chromium with the explorer or the site in it. A complaint of a page fails the test."""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from npespcn import explorer

ROOT = Path(__file__).parents[2]
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


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built site: docs/_build/html, or the one that $NPESPCN_SITE names."""
    folder = Path(os.environ.get("NPESPCN_SITE") or ROOT / "docs" / "_build" / "html").resolve()
    if not (folder / "index.html").is_file():
        _skip(f"there is no site in {folder}: make docs")
    return folder


@pytest.fixture
def go(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open an address in a browser without a past; keywords are those of Playwright's new_context.

    Motion is reduced, unless said otherwise, and the clock stands still, if asked. A message on the
    console, an error, or a request that `own` does not allow fails the test.
    """
    contexts, complaints = [], []

    def said(message: Any) -> None:
        if not message.text.startswith(("[togglebutton]", "Changed to")):  # extensions think aloud
            complaints.append(f"console: {message.text}")

    def go_to(url: str, own: Callable[[str], bool], *, clock: bool, **how: Any) -> Any:
        context = browser.new_context(**{"reduced_motion": "reduce", **how})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", said)
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))

        def requested(request: Any) -> None:
            if not own(request.url.partition("#")[0]):
                complaints.append(f"request: {request.url}")

        page.on("request", requested)
        if clock:
            page.clock.install(time=0)
        page.goto(url)
        if clock:
            page.clock.pause_at(3_600_000)  # an hour on, whatever the loading took
        return page

    yield go_to
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def visit(go: Callable[..., Any], url: str) -> Callable[..., Any]:
    """Open the explorer at an address, as `go` does; it may ask for nothing but its file."""

    def open_page(address: str = "", *, clock: bool = True, **how: Any) -> Any:
        own = (url, "data:,")
        by_itself = lambda asked: asked in own or asked.startswith("blob:")  # noqa: E731
        return go(f"{url}#{address}", by_itself, clock=clock, **how)

    return open_page


@pytest.fixture
def read(go: Callable[..., Any], site: Path) -> Callable[..., Any]:
    """Open a page of the site, such as lessons/index.html, as `go` does: it may ask for its files.

    ``read("index.html", viewport={"width": 390, "height": 844}, color_scheme="dark")``
    """
    inside = (f"{site.as_uri()}/", "data:", "blob:")

    def open_page(name: str, *, clock: bool = False, **how: Any) -> Any:
        return go(f"{inside[0]}{name}", lambda asked: asked.startswith(inside), clock=clock, **how)

    return open_page
