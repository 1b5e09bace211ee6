"""The explorer as a file; what it does in a browser is tested in ``tests/browser``."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from importlib import resources
from typing import Any

import numpy as np
import pytest
from matplotlib import cbook

from npespcn import explorer
from npespcn.common import Array
from npespcn.exchange import pretrained
from npespcn.explorer.data import FACE
from npespcn.figures import channel_colors, channel_formula, text_color
from npespcn.pictures import downscale, read_image, rgb_to_y
from npespcn.shuffle import ORDERS, pixel_shuffle

MOST_BYTES = 400_000
VOID = {"meta", "link", "input"}


@pytest.fixture(scope="module")
def html() -> str:
    return explorer.page(4, 3, "DCR")


@pytest.fixture(scope="module")
def data(html: str) -> dict[str, Any]:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)
    return json.loads(text)


def test_it_hands_over_what_the_library_knows(data: dict[str, Any]) -> None:
    assert data["start"] == {"r": 4, "c": 3, "order": "DCR"}
    assert data["orders"] == ORDERS
    assert data["formulas"] == {order: channel_formula(order) for order in ORDERS}
    for r in (2, 3, 4):
        for c in (1, 3):
            expected = [{"fill": fill, "ink": text_color(fill)} for fill in channel_colors(r, c)]
            assert data["colors"][str(r)][str(c)] == expected


def decoded(photo: dict[str, Any], name: str) -> Array:
    pixels = np.frombuffer(base64.b64decode(photo[name]), np.uint8)
    return pixels.reshape(-1, photo["h"], photo["w"])


def test_the_photograph_is_what_the_network_makes_of_it(data: dict[str, Any]) -> None:
    photo = data["photo"]
    r, h, w = photo["r"], photo["h"], photo["w"]
    assert r == 3
    assert h != w
    assert all(40 <= side <= 60 for side in (h, w))
    picture = read_image(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    luma = rgb_to_y(downscale(picture, r).astype(np.float32)) / 255
    gray = np.clip((255 * pretrained(r).predict(luma[None, None])[0, 0] - 16) / 219, 0, 1)
    rows, cols = ((piece.start * r, piece.stop * r) for piece in FACE)
    image = pixel_shuffle(decoded(photo, "channels"), r)[0]
    np.testing.assert_allclose(image, 255 * gray[slice(*rows), slice(*cols)], atol=0.51)
    small = np.clip((255 * luma[FACE] - 16) / 219, 0, 1)
    np.testing.assert_allclose(decoded(photo, "input")[0], 255 * small, atol=0.51)


def test_it_is_one_small_file_that_loads_nothing(html: str) -> None:
    assert len(html.encode()) < MOST_BYTES
    assert not re.search(r"https?:|//cdn|@import|url\(|\bimport\b[ (]|fetch\(|XMLHttp|\bsrc=", html)
    assert "default-src 'none'" in html
    links = re.findall(r'href="([^"]*)"', html)
    assert links == ["data:,"]  # no icon, rather than a request for one


def test_no_part_is_missing(html: str) -> None:
    assert not re.search(r"/\* (style|views|data|script) \*/", html)
    for folder in ("page", *explorer.VIEWS):
        for file in resources.files(explorer).joinpath(folder).iterdir():
            if file.name.endswith((".js", ".css")) or file.name == "view.html":
                assert file.read_text("utf-8") in html, file


def test_nothing_is_run_or_parsed_from_text(html: str) -> None:
    forbidden = r"\beval\b|innerHTML|outerHTML|insertAdjacentHTML|document\.write|new Function"
    assert not re.search(forbidden, html)


class Checker(HTMLParser):
    """Tags that are closed in order, ids that are there once."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_html_is_well_formed(html: str) -> None:
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert checker.open == []
    assert len(set(checker.ids)) == len(checker.ids)
    for name in re.findall(r'aria-describedby="([^"]*)"', html):
        assert name in checker.ids


def test_data_cannot_end_its_element(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explorer, "library_data", lambda: {"name": "</script><b>"})
    html = explorer.page()
    assert "</script><b>" not in html
    assert "\\u003c/script>" in html


def test_wrong_arguments_are_named() -> None:
    for arguments, words in (
        ((5,), "upscale_factor must be one of 2, 3, 4, got 5"),
        ((3, 2), "channels must be one of 1, 3, got 2"),
        ((3, 1, "RGB"), "order must be one of 'CRD', 'DCR', 'paper', got 'RGB'"),
    ):
        with pytest.raises(ValueError, match=f"explorer.page: {words}"):
            explorer.page(*arguments)


def test_it_is_written_whole_or_not_at_all(tmp_path: Any, html: str) -> None:
    path = tmp_path / "page.html"
    explorer.write_page(path, 4, 3, "DCR")
    assert path.read_text("utf-8") == html
    with pytest.raises(ValueError, match="upscale_factor"):
        explorer.write_page(path, 5)
    assert path.read_text("utf-8") == html
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]
