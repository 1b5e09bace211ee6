"""The Chinese README has the facts of the English one, and what both point to is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npespcn.shuffle import pixel_shuffle

ROOT = Path(__file__).parents[1]
ENGLISH, CHINESE = "README.md", "README.zh-CN.md"
BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^]]*\]\(([^)]+)\)")  # of a picture, too


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def blocks(text: str) -> set[str]:
    """Return the blocks of code without their comments, which are translated."""
    return {re.sub(r"\s*#.*", "", block) for block in BLOCK.findall(text)}


def prose(text: str) -> str:
    return BLOCK.sub("", text)


def links(text: str) -> set[str]:
    return set(LINK.findall(prose(text))) - {ENGLISH, CHINESE}


def numbers(text: str) -> set[str]:
    return set(re.findall(r"\d+(?:[.,]\d+)*", LINK.sub("", prose(text))))


def names(text: str) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", prose(text)))


def test_the_two_languages_have_the_same_commands_links_pictures_and_figures() -> None:
    english, chinese = read(ENGLISH), read(CHINESE)
    assert blocks(english) <= blocks(chinese)
    assert links(english) == links(chinese)
    assert numbers(english) == numbers(chinese)
    assert names(english) <= names(chinese)


@pytest.mark.parametrize("name", [ENGLISH, CHINESE])
def test_what_a_readme_points_to_is_there(name: str) -> None:
    for target in LINK.findall(read(name)):
        if not target.startswith("https://"):
            assert (ROOT / target.partition("#")[0]).exists(), target


def test_the_shuffle_in_the_chinese_readme_is_right() -> None:
    (block,) = (text for text in BLOCK.findall(read(CHINESE)) if "def pixel_shuffle" in text)
    program: dict[str, Any] = {}
    exec(block.strip("`").removeprefix("python"), program)  # noqa: S102
    x = np.arange(2 * 27 * 2 * 5).reshape(2, 27, 2, 5)
    assert np.array_equal(program["pixel_shuffle"](x, 3), pixel_shuffle(x, 3))
