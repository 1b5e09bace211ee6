"""The site's Chinese catalogs are complete, and the program that says so notices what is not."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Any

import pytest

pofile = pytest.importorskip("babel.messages.pofile")

DOCS = Path(__file__).parents[1] / "docs"
sys.path.insert(0, str(DOCS))
import translations  # noqa: E402
from translations import FRAME, PAGES  # noqa: E402


def read(path: Path) -> Any:
    return pofile.read_po(io.BytesIO(path.read_bytes()), locale="zh_CN")


def catalog(**messages: str) -> Any:
    made = read(FRAME).__class__(locale="zh_CN")
    for english, chinese in messages.items():
        made.add(english.replace("_", " "), chinese)
    return made


@pytest.mark.parametrize("name", [*PAGES, "sphinx"])
def test_every_sentence_is_in_chinese_with_the_same_code_formulas_links_and_numbers(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not translations.report(name, read(PAGES.get(name, FRAME))), capsys.readouterr().out


@pytest.mark.parametrize("name", PAGES)
def test_marks_are_wide_and_latin_letters_stand_apart(name: str) -> None:
    for message in read(PAGES[name]):
        text = re.sub(r"(?:\{\w+\}|:\w+:)?`[^`]+`_*|\\.", " ", message.string)
        assert not re.search(r"[\u4e00-\u9fff][,.;:?!]", text), text
        assert not re.search(r"[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9][\u4e00-\u9fff]", text), text


def test_the_frame_of_the_pages_is_in_chinese() -> None:
    sources = "".join(path.read_text("utf-8") for path in DOCS.glob("*.py"))
    listed = re.search(r"^ENGLISH_ONLY = \[.*?^\]", sources, re.MULTILINE | re.DOTALL)
    words = {*re.findall(r'\b_\("(.+?)"\)', sources), *re.findall(r'"(.+?)"', listed[0])}
    assert len(words) > 10
    assert words <= {message.id for message in read(FRAME)}


def test_an_update_marks_what_changed_drops_what_is_gone_and_adds_what_is_new() -> None:
    old = catalog(A_channel_fills_one_place="一", Nothing_is_computed_at_all="二", It_is_gone="三")
    new = catalog(A_channel_fills_two_places="", Nothing_is_computed_at_all="", Look_here="")
    new.add(r"k = c \cdot r^2")
    updated = translations.updated(old, new)
    now = {each.id: (each.string or "", each.fuzzy) for each in updated if each.id}
    assert now == {
        "A channel fills two places": ("一", True),
        "Nothing is computed at all": ("二", False),
        "Look here": ("", False),
    }


def test_what_is_missing_stale_or_different_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    some = catalog(Look_here="", Read_this="读")
    some.add("Add ``x``", "加上 ``y``")
    some.add("It is new", "新的", flags=["fuzzy"])
    assert translations.report("page", some)
    assert capsys.readouterr().out.splitlines() == [
        "page: 2 of 4 sentences are translated",
        "  untranslated: Look here",
        "  differs in ``x``, ``y``: Add ``x``",
        "  stale: It is new",
    ]


@pytest.mark.parametrize(
    ("english", "chinese", "different"),
    [
        ("Take ``x`` of 3", "取 3 个 ``x``", []),
        ("Take ``x``", "取", ["``x``"]),
        ("Take :math:`r^2`", "取 :math:`r^3`", [":math:`r^2`", ":math:`r^3`"]),
        (r":math:`\text{row} = 3`", r":math:`\text{行} = 3`", []),
        (":doc:`Lesson 3 <03_x>`", ":doc:`第 3 课 <03_x>`", []),
        (":doc:`Lesson 3 <03_x>`", ":doc:`第 3 课 <04_y>`", ["03_x", "04_y"]),
        ("`a <https://b>`__", "`c <https://b>`__", []),
        ("[lesson](03.md)", "[课](04.md)", ["(03.md)", "(04.md)"]),
        ("22,729 numbers", "22,792 个数", ["22,729"]),
    ],
)
def test_differences(english: str, chinese: str, different: list[str]) -> None:
    assert translations.differences(english, chinese) == different


@pytest.mark.parametrize("text", ["40", "``x``", ":func:`a.b`", r"\frac{1}{r^2}", ":math:`r`, r"])
def test_what_has_no_words_needs_no_translation(text: str) -> None:
    assert not translations.needs_translation(text)
    assert translations.needs_translation(f"Take {text}")


def test_a_catalog_as_a_file_has_no_dates_and_no_places_and_reads_as_before() -> None:
    path = next(iter(PAGES.values()))
    text = translations.text_of(read(path))
    assert text == path.read_bytes()
    assert not re.search(rb"^#:|Date", text, re.MULTILINE)
