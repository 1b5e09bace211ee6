"""The Chinese catalogs: bring them up to date with the English text, or check them.

``make translations`` updates them. A sentence that has changed keeps its old Chinese, marked
*fuzzy*, until somebody has looked at it. ``make docs`` checks them: every sentence is translated,
and code, formulas, links and numbers are the same in both languages.
"""

import io
import re
import sys
from pathlib import Path

from babel.messages import Catalog
from babel.messages.pofile import read_po, write_po

HERE = Path(__file__).parent
ENGLISH = HERE / "_build" / "gettext"  # written by sphinx -b gettext
CATALOGS = HERE / "locale" / "zh_CN" / "LC_MESSAGES"
FRAME = CATALOGS / "sphinx.po"  # the words around the pages
PAGES = {  # "lessons/01_pixels_and_channels": its catalog
    path.relative_to(CATALOGS).with_suffix("").as_posix(): path
    for path in sorted(CATALOGS.rglob("*.po"))
    if path != FRAME
}
HEADER = b"""\
msgid ""
msgstr ""
"Language: zh_CN\\n"
"Content-Type: text/plain; charset=utf-8\\n"

"""
MARKUP = re.compile(r"``.+?``|(?::\w+:)?`[^`]+`_*|(?<=\])\([^)]+\)")
TARGET = re.compile(r"\s*<([^<>]+)>`_*$")


def needs_translation(message: str) -> bool:
    r"""Whether a message has words. Most formulas, numbers and code have none.

    >>> [needs_translation(text) for text in (r"\frac{1}{r^2}", r"\text{row} = 3", "40", "``x``")]
    [False, True, False, False]
    """
    words = re.sub(r"\\(?:begin|end)\{\w+\}|\\[a-z]+", "", words_of(message))  # of a formula
    return re.search(r"[A-Za-z]{2}", words) is not None


def link(markup: str) -> tuple[str, str]:
    """Split a link into the words that a reader sees and its target; other markup has no words.

    >>> link(":doc:`Lesson 3 <03_whose_order>`"), link("``x``")
    (('Lesson 3', '03_whose_order'), ('', '``x``'))
    """
    target = None if markup.startswith(":math:") else TARGET.search(markup)
    if target is None:
        return "", markup
    words = markup[: target.start()].rpartition("`")[2]
    return "" if words == target[1] else words, target[1]


def words_of(message: str) -> str:
    """Return a message without code, formulas and the targets of links."""
    return MARKUP.sub(lambda markup: link(markup[0])[0], message)


def differences(english: str, chinese: str) -> list[str]:
    """Return the code, formulas and links that are in one text only, and numbers that got lost."""
    sides = [re.sub(r"\\text\{[^}]*\}", r"\\text{}", text) for text in (english, chinese)]
    markup = [{link(part)[1] for part in MARKUP.findall(text)} for text in sides]
    numbers = [set(re.findall(r"\d+(?:[.,]\d+)*", words_of(text))) for text in sides]
    return sorted(markup[0] ^ markup[1]) + sorted(numbers[0] - numbers[1])


def updated(catalog: Catalog, english: Catalog) -> Catalog:
    """Return the catalog with the messages of the English text, in its order."""
    template = Catalog()
    for message in english:
        if message.id and needs_translation(message.id):
            template.add(message.id)
    catalog.update(template)
    return catalog


def text_of(catalog: Catalog) -> bytes:
    """Return the catalog as a file, in which a small change makes a small difference."""
    for message in catalog:
        message.flags &= {"fuzzy"}  # Babel takes a formula's braces for a format
    file = io.BytesIO()
    write_po(
        file,
        catalog,
        width=100,
        no_location=True,
        omit_header=True,
        ignore_obsolete=True,
    )
    return HEADER + file.getvalue()


def report(name: str, catalog: Catalog) -> bool:
    """Print what is translated, and what is wrong; return whether something is."""
    messages = [message for message in catalog if message.id]
    wrong = []
    for message in messages:
        if message.fuzzy:
            wrong.append(f"stale: {message.id}")
        elif not message.string:
            wrong.append(f"untranslated: {message.id}")
        elif different := differences(message.id, message.string):
            wrong.append(f"differs in {', '.join(different)}: {message.id}")
    translated = sum(bool(message.string) and not message.fuzzy for message in messages)
    print(f"{name}: {translated} of {len(messages)} sentences are translated", *wrong, sep="\n  ")
    return bool(wrong)


def main(check: bool) -> int:
    """Update the catalogs, or only check them; return 1 if something is wrong with one."""
    wrong = False
    for page, path in PAGES.items():
        english = read_po(io.BytesIO((ENGLISH / f"{page}.pot").read_bytes()))
        catalog = updated(read_po(io.BytesIO(path.read_bytes()), locale="zh_CN"), english)
        if not check:
            path.write_bytes(text_of(catalog))
        wrong |= report(page, catalog)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv))
