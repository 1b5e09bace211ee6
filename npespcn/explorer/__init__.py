"""The explorer: one HTML file to play with, from pixel shuffle to a step downhill.

``page`` holds what all views share: the HTML around them, the style, the state and its copy in the
address, the languages. Each view has a folder: ``view.html``, ``view.js``, ``view.css`` and
``zh.json``, the Chinese of its text. `page` joins them and the library's data into one file that
needs no network. Browser tests read the numbers on the page and compare them with the library's.
"""

from __future__ import annotations

import json
import os
import re
from importlib import resources

from npespcn.common.checks import one_of
from npespcn.common.files import atomic_write
from npespcn.explorer.data import CHANNELS, SCALES, library_data
from npespcn.shuffle import ORDERS

VIEWS = ("map", "steps", "quiz", "photo", "convolution", "deconvolution", "downhill")
SHARED = ("arithmetic", "text", "state", "draw", "player")  # scripts, before those of the views


def page(upscale_factor: int = 3, channels: int = 1, order: str = "CRD") -> str:
    """Return the explorer as HTML. The arguments are the first choice, which a reader can change.

    Parameters
    ----------
    upscale_factor : {2, 3, 4}
        r.
    channels : {1, 3}
        C, the number of channels of the image.
    order : {"CRD", "DCR", "paper"}
        The order of the channels; see `npespcn.shuffle`.

    Raises
    ------
    ValueError
        If an argument is not as above.
    """
    one_of("explorer.page: upscale_factor", upscale_factor, SCALES)
    one_of("explorer.page: channels", channels, CHANNELS)
    one_of("explorer.page: order", order, tuple(ORDERS))
    data = {
        "start": {"r": upscale_factor, "c": channels, "order": order},
        "views": VIEWS,
        "chinese": _chinese(),
        **library_data(),
    }
    parts = {
        "style": "\n".join(_sources(".css")),
        "views": "\n".join(_source(view, "view.html") for view in VIEWS),
        "data": json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"),  # ends no element
        "script": "\n".join(_sources(".js")),
    }
    html = _source("page", "page.html")
    for name, text in parts.items():
        html = html.replace(f"/* {name} */\n", text)
    return html


def write_page(
    path: str | os.PathLike[str], upscale_factor: int = 3, channels: int = 1, order: str = "CRD"
) -> None:
    """Write `page` to a file, which appears whole or not at all."""
    html = page(upscale_factor, channels, order)
    with atomic_write(path) as temporary:
        temporary.write_text(html, encoding="utf-8")


def _chinese() -> dict[str, str]:
    """Return the Chinese of every text of the page, by its English."""
    catalog: dict[str, str] = {}
    for folder in ("page", *VIEWS):
        catalog |= json.loads(_source(folder, "zh.json"))
    return catalog


def _sources(kind: str) -> list[str]:
    """Return the scripts or style sheets in the order in which the page needs them."""
    shared = [f"{name}.js" for name in SHARED] if kind == ".js" else ["style.css"]
    files = [("page", name) for name in shared]
    for view in VIEWS:
        names = [file.name for file in resources.files(__name__).joinpath(view).iterdir()]
        # what a view's script stands on comes before it: "stages.js", then "view.js"
        files += [(view, name) for name in sorted(names) if name.endswith(kind)]
    if kind == ".js":
        files.append(("page", "main.js"))
    return [_lean(_source(*file)) for file in files]


def _lean(text: str) -> str:
    """Return a script or a style sheet without indentation and lines of comment.

    They are a tenth of the page, and the files have them for those who read.
    """
    return re.sub(r"^[ \t]*(//.*\n)?", "", text, flags=re.MULTILINE)


def _source(folder: str, name: str) -> str:
    return resources.files(__name__).joinpath(folder, name).read_text(encoding="utf-8")
