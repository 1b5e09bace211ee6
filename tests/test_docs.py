"""What the documentation says of the tests is so."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from npespcn.shuffle import pixel_shuffle

ROOT = Path(__file__).parents[1]


def test_every_test_that_a_promise_names_is_there() -> None:
    words = (ROOT / "docs" / "reliability.md").read_text("utf-8")
    files = list((ROOT / "tests").rglob("*.py"))
    sources = "".join(path.read_text("utf-8") for path in files)
    names = set(re.findall(r"\btest_\w+\b(?!\.py)", words))
    assert len(names) > 50
    for name in names:
        assert f"def {name}(" in sources, name
    for file in set(re.findall(r"\btest_\w+\.py\b", words)):
        assert file in {path.name for path in files}


def test_every_promise_names_its_test() -> None:
    lines = (ROOT / "docs" / "reliability.md").read_text("utf-8").splitlines()
    rows = [line for line in lines if line.startswith("|") and "---" not in line]
    promises = [row for row in rows if row != "| promise | kept by |"]
    assert len(promises) > 40
    for promise in promises:
        assert "test_" in promise.rstrip("| ").rpartition("|")[2], promise


def test_the_code_of_the_cheat_sheet_is_right() -> None:
    sheet = (ROOT / "docs" / "cheat_sheet.md").read_text("utf-8")
    shuffle, training = re.findall(r"```python\n(.+?)```", sheet, re.DOTALL)
    sizes = {"N": 2, "C": 3, "r": 2, "H": 4, "W": 5}
    x = np.arange(2 * 12 * 4 * 5).reshape(2, 12, 4, 5)
    names = {**sizes, "x": x}
    exec(shuffle, names)  # noqa: S102
    np.testing.assert_array_equal(names["y"], pixel_shuffle(x, 2))
    for much, little in {"range(300)": "range(2)", "(20)": "(1, 64)", "16, 32": "2, 8"}.items():
        assert much in training
        training = training.replace(much, little)
    names = {}
    exec(training, names)  # noqa: S102
    assert names["step"] == 1
    assert np.isfinite(names["loss"])
