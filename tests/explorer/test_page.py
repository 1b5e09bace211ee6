"""The explorer as a file; what it does in a browser is tested in ``tests/browser``."""

from __future__ import annotations

import base64
import io
import json
import re
import zlib
from html.parser import HTMLParser
from importlib import resources
from typing import Any

import numpy as np
import pytest
from PIL import Image

from npespcn import explorer
from npespcn.exchange import pretrained
from npespcn.explorer.data import LARGEST, PICTURES
from npespcn.figures import channel_colors, channel_formula, text_color
from npespcn.pictures import rgb_to_ycbcr
from npespcn.shuffle import ORDERS

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


@pytest.mark.parametrize("r", [2, 3, 4])
def test_the_networks_weights_fit_into_16_bits(data: dict[str, Any], r: int) -> None:
    content = zlib.decompress(base64.b64decode(data["networks"][str(r)]))
    params = pretrained(r).params
    filters = 64 + 32 + r * r
    scales, biases = np.frombuffer(content, "<f4", 2 * filters).reshape(2, filters)
    bytes_apart = np.frombuffer(content, np.uint8, offset=8 * filters)
    whole = bytes_apart.reshape(2, -1).T.copy().view("<i2")[:, 0]
    at, first = 0, 0
    for layer in (1, 2, 3):
        weight, bias = params[f"conv{layer}.weight"], params[f"conv{layer}.bias"]
        ints = whole[at : at + weight.size].reshape(weight.shape).astype(np.float64)
        scale = scales[first : first + len(weight), None, None, None]
        assert (abs(ints).max(axis=(1, 2, 3)) == LARGEST[f"conv{layer}"]).all()
        assert (abs(ints * scale - weight) <= 0.51 * scale).all()
        np.testing.assert_array_equal(biases[first : first + len(weight)], bias)
        at, first = at + weight.size, first + len(weight)
    assert (at, first) == (len(whole), filters)


def test_pictures_can_be_made_smaller_by_every_scale(data: dict[str, Any]) -> None:
    assert tuple(data["pictures"]) == PICTURES
    for content in data["pictures"].values():
        picture = Image.open(io.BytesIO(base64.b64decode(content)))
        assert (picture.format, picture.size) == ("WEBP", (264, 264))
    assert sum(map(len, data["pictures"].values())) < 34_000


def test_colors_are_converted_as_in_the_library(data: dict[str, Any]) -> None:
    rgb = np.random.default_rng(0).uniform(0, 255, (50, 3))
    there = data["ycbcr"]["offset"] + rgb @ np.array(data["ycbcr"]["matrix"]).T
    np.testing.assert_allclose(there, rgb_to_ycbcr(rgb), rtol=1e-12)
    back = (there - data["ycbcr"]["offset"]) @ np.array(data["ycbcr"]["inverse"]).T
    np.testing.assert_allclose(back, rgb, rtol=0, atol=1e-9)


def test_it_is_one_small_file_that_loads_nothing(html: str) -> None:
    assert len(html.encode()) < MOST_BYTES
    loads = r"https?:|//cdn|@import|url\((?!#)|\bimport\b[ (]|fetch\(|XMLHttp|\bsrc="
    assert not re.search(loads, html)
    assert "default-src 'none'" in html
    links = re.findall(r'href="([^"]*)"', html)
    assert links == ["data:,"]  # no icon, rather than a request for one


def test_no_part_is_missing(html: str) -> None:
    assert not re.search(r"/\* (style|views|data|script) \*/", html)
    for folder in ("page", *explorer.VIEWS):
        for file in resources.files(explorer).joinpath(folder).iterdir():
            if file.name.endswith((".js", ".css")):
                assert explorer._lean(file.read_text("utf-8")) in html, file
            elif file.name == "view.html":
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
