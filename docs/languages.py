"""The Chinese pages: copies of the English sources, and links between the two languages.

A page is in Chinese if there is a catalog for it in ``locale``. All other links of a Chinese page
lead to the English page.
"""

import re
import shutil
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.locale import _
from sphinx.util import docname_join
from translations import PAGES

HERE = Path(__file__).parent
NOTE = re.compile(r"^\.\. only:: html\n\n    \.\. note::\n.*?\n(?=\S)", re.MULTILINE | re.DOTALL)
ENGLISH_ONLY = [  # words of the theme and of togglebutton, which do not offer them for translation
    *("Contents", "Menu", "Expand"),
    *("Light mode", "Dark mode", "Auto light/dark, in light mode", "Auto light/dark, in dark mode"),
    "Toggle Light / Dark / Auto color theme",
    "Toggle site navigation sidebar",
    "Toggle table of contents sidebar",
    "Toggle hidden content",
]


def copy_pages(to: Path) -> None:
    """Copy the sources of the translated pages, as the English build left them."""
    shutil.rmtree(to / "lessons", ignore_errors=True)
    for page in PAGES:
        source = next(path for path in HERE.glob(f"{page}.*") if path.suffix in (".md", ".rst"))
        target = to / source.relative_to(HERE)
        target.parent.mkdir(exist_ok=True)
        text = simplified(source.read_text(encoding="utf-8"))
        target.write_text(text, encoding="utf-8")
        beside = re.findall(r"^ *\.\. image:: /(\S+)", text, re.MULTILINE)
        beside += [f"lessons/{name}" for name in re.findall(r":download:`(\S+) <", text)]
        for name in beside:
            (to / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(HERE / name, to / name)


def simplified(text: str) -> str:
    """Leave out what sphinx-gallery adds to a lesson, and measurements in the words of figures."""
    text = NOTE.sub("", text, count=1)
    text = re.sub(r":download:`[^:`]+: ", ":download:`", text)
    words = re.compile(r"^ +:alt: .*", re.MULTILINE)
    return words.sub(lambda alt: re.sub(r" [\d.]+ dB|`", "", alt[0]), text)


def lead_to_english(app, doctree) -> None:
    """Have links to pages that are not translated lead to the English site, one folder up."""
    for link in list(doctree.findall(addnodes.pending_xref)):
        target, hash_, place = link["reftarget"].partition("#")
        name = docname_join(link["refdoc"], target.removesuffix(".md"))
        if link["reftype"] in ("doc", "myst") and name not in app.env.found_docs:
            address = "../" * (link["refdoc"].count("/") + 1) + f"{name}.html{hash_}{place}"
            link.replace_self(nodes.reference("", "", *link.children, refuri=address))


def add_switch(app, page, template, context, doctree) -> None:
    """Put a link to the same page in the other language above its title."""
    if page not in PAGES and page != "index":
        return
    here_chinese = app.config.language == "zh_CN"
    language, name = ("en", "English") if here_chinese else ("zh-CN", "中文")
    address = "../" * page.count("/") + ("../" if here_chinese else "zh/") + f"{page}.html"
    context["metatags"] += f'<link rel="alternate" hreflang="{language}" href="{address}">\n'
    context["body"] = (
        f'<p class="other-language"><a href="{address}" hreflang="{language}" lang="{language}">'
        f"{name}</a></p>\n" + context["body"]
    )


def share_images(app, page, template, context, doctree) -> None:
    """Show the images of the English site."""
    context["body"] = context.get("body", "").replace('src="../_images/', 'src="../../_images/')


def finish(app, error) -> None:
    """Remove the copies of these images, and translate what is in English only."""
    shutil.rmtree(app.outdir / "_images", ignore_errors=True)
    for path in [*app.outdir.rglob("*.html"), *app.outdir.rglob("togglebutton.js")]:
        text = path.read_text(encoding="utf-8")
        for words in ENGLISH_ONLY:
            text = re.sub(rf"(?<=[\">\n]){words}(?=[\"<\n])", _(words), text)
        path.write_text(text, encoding="utf-8")


def setup(app):
    """Have Sphinx call what both sites need."""
    app.connect("html-page-context", add_switch)
    app.add_css_file("languages.css")
