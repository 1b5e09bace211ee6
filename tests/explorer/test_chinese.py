"""The explorer's Chinese: every text has one, and nothing is left of texts that are gone."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from importlib import resources

import pytest

from npespcn import explorer

FOLDERS = ("page", *explorer.VIEWS)
NAMES = ("aria-label", "placeholder", "title", "alt", "data-title", "data-lead")  # as in text.js
CALL = re.compile(r"""\bt\(\s*("(?:[^"\\]|\\.)*"|`[^`]*`)""")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


class Texts(HTMLParser):
    """The texts of HTML that the page translates."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.kept: list[str] = []  # open elements whose text stays as it is, and those in them
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.texts += [value or "" for name, value in attrs if name in NAMES]
        stays = tag in ("script", "style", "code", "title") or ("translate", "no") in attrs
        if (self.kept or stays) and tag not in ("input", "meta", "link", "br"):
            self.kept.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.kept:
            assert self.kept.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.kept:
            self.texts.append(data)


def folder_texts(folder: str) -> set[str]:
    """Return the English texts of a folder: of its HTML, and of ``t("...")`` in its scripts."""
    texts: list[str] = []
    for file in resources.files(explorer).joinpath(folder).iterdir():
        if file.name.endswith(".html"):
            texts += Texts(file.read_text("utf-8")).texts
        elif file.name.endswith(".js"):
            for literal in CALL.findall(file.read_text("utf-8")):
                assert "${" not in literal, literal
                texts.append(json.loads(literal) if literal[0] == '"' else literal[1:-1])
    squeezed = {" ".join(text.split()) for text in texts}
    return {text for text in squeezed if re.search(r"[A-Za-z]{2}", text)} - {"/* views */"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_text_is_translated(folder: str) -> None:
    catalog = json.loads(resources.files(explorer).joinpath(folder, "zh.json").read_text("utf-8"))
    texts = folder_texts(folder)
    shared = set(json.loads(resources.files(explorer).joinpath("page/zh.json").read_text("utf-8")))
    assert sorted(texts - set(catalog) - shared) == []
    assert sorted(set(catalog) - texts) == [], "no text of the page says this any more"
    for english, chinese in catalog.items():
        fields = re.findall(r"\{\w+\}", english)
        assert sorted(set(re.findall(r"\{\w+\}", chinese))) == sorted(set(fields)), english
        assert CHINESE.search(chinese), f"{english}: {chinese} is no Chinese"
        assert not re.search(r"[\u4e00-\u9fff][,.;:?!]", chinese), f"{chinese}: a half-width mark"


def test_no_text_has_two_translations() -> None:
    seen: dict[str, str] = {}
    for folder in FOLDERS:
        text = resources.files(explorer).joinpath(folder, "zh.json").read_text("utf-8")
        for english, chinese in json.loads(text).items():
            assert seen.setdefault(english, chinese) == chinese, english
