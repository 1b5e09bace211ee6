"""Sphinx's settings for the Chinese pages: those of the English site, and what differs."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import languages  # noqa: E402
from conf import *  # noqa: E402, F403

languages.copy_pages(HERE)

language = "zh_CN"
project_copyright = "npespcn 的作者们，MIT 许可证"
locale_dirs = [str(HERE.parent / "locale")]
gettext_compact = False  # a catalog for each page
gettext_location = False
gettext_uuid = False

extensions = [
    "myst_parser",
    "sphinx.ext.extlinks",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_gallery.load_style",
    "sphinx_togglebutton",
    "gallery",
    "languages",
    "mathml",
]
exclude_patterns = []
templates_path = []
default_role = None
extlinks = {"explorer": ("../../pixel-shuffle.html#%s&lang=zh", None)}
intersphinx_mapping = {"npespcn": ("..", str(HERE.parent / "_build" / "html" / "objects.inv"))}
togglebutton_hint = "显示"
togglebutton_hint_hide = "收起"

html_static_path = ["../_static"]
html_favicon = "../_static/logo.svg"
html_extra_path = []
html_use_index = False
html_sidebars = {  # no search: it finds whole words, and Chinese has no spaces between them
    "**": [
        "sidebar/brand.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}


def setup(app):
    """Have Sphinx call what the Chinese pages need, and nothing of what the API needs."""
    app.connect("doctree-read", languages.lead_to_english)
    app.connect("html-page-context", languages.share_images)
    app.connect("build-finished", languages.finish)
