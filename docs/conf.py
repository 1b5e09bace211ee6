"""Sphinx's settings for the site: ``make docs``."""

import contextlib
import io
import os
import re
import sys
import types
from pathlib import Path

from sphinx.util.nodes import make_refnode

import npespcn
from npespcn import explorer
from npespcn.commands import main as cli

DOCS = Path(__file__).parent
BUILD = DOCS / "_build"
sys.path[:0] = [
    str(DOCS),
    *(str(DOCS.parent / folder) for folder in ("tutorials", "tutorials/exercises", "tests")),
]

import arguments  # noqa: E402 (they lie in the folders above)
import gallery  # noqa: E402
import practice  # noqa: E402
import to_notebooks  # noqa: E402

project = "npespcn"
author = "the npespcn authors"
project_copyright = "the npespcn authors, MIT license"
release = npespcn.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "sphinx_togglebutton",
    "gallery",
    "landing",
    "languages",
    "mathml",
]
exclude_patterns = ["_build", "zh"]  # zh has settings of its own
templates_path = ["_templates"]
smartquotes = False  # H' is no quotation
myst_heading_anchors = 3
myst_url_schemes = {
    "http": None,
    "https": None,
    "explorer": "pixel-shuffle.html#{{path}}",  # [map](explorer:mode=map&r=2)
}

# --- the lessons ---

sphinx_gallery_conf = {
    "examples_dirs": "_build/lessons",
    "gallery_dirs": "lessons",
    "filename_pattern": "/[0-9a-d]+_",
    "within_subsection_order": "FileNameSortKey",
    "image_scrapers": "gallery.saved_figures",
    "reset_modules": (),
    "notebook_extensions": (),  # to_notebooks.py knows predictions and answers
    "write_computation_times": False,  # `make tutorials` measures
    "min_reported_time": float("inf"),
    "download_all_examples": False,
    "show_signature": False,
    "capture_repr": (),
}
extlinks = {"explorer": ("../pixel-shuffle.html#%s", None)}  # :explorer:`the map <mode=map&r=2>`
togglebutton_selector = ".toggle, .admonition.answer"
togglebutton_hint = "Show"
togglebutton_hint_hide = "Hide"
copybutton_selector = "div:not(.sphx-glr-script-out) > div.highlight > pre"  # no outputs
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True
html_math_renderer = "mathml"

# --- the API ---

default_role = "autolink"  # `name` is a link if there is such a thing, else it is emphasized
nitpicky = True
nitpick_ignore_regex = [("py:obj", r"\w+")]  # `forward`: which one, the reader knows
numpydoc_show_class_members = False
add_module_names = False
autodoc_inherit_docstrings = False  # what every layer does is said once, in the base class
autodoc_typehints = "none"  # docstrings have the types, with shapes and units
toc_object_entries_show_parents = "hide"

STARS_AND_BARS = re.compile(r"(?<=[\w'])\*(?=\w)|(?<=\()\*(?=, )|\|")  # not emphasis

# --- appearance ---

html_theme = "furo"
html_title = "npespcn"
pygments_dark_style = "github-dark"
html_static_path = ["_static"]
html_extra_path = ["_build/extra"]
html_favicon = "_static/logo.svg"
html_css_files = ["look.css", "site.css", "course.css"]
html_js_files = ["course.js", "explorer-frame.js", "accessible.js"]
html_theme_options = {  # landing.css has the same accent
    f"{mode}_css_variables": {
        "color-brand-primary": accent,
        "color-brand-content": accent,
        "color-brand-visited": accent,
        "color-admonition-title": accent,  # of predictions and answers
        "color-admonition-title-background": f"{accent}1a",
    }
    for mode, accent in {"light": "#b0125b", "dark": "#ff8ab3"}.items()
}
html_copy_source = False
html_show_sphinx = False


def write_parts(app, config):
    """Write what pages are made of: the lessons, parts that pages include, files to download."""
    for folder in ("help", "extra"):
        (BUILD / folder).mkdir(parents=True, exist_ok=True)
    gallery.copy_lessons(BUILD / "lessons", DOCS / "lessons")
    gallery.draw_thumbnails(BUILD / "thumbnails")
    parts = {
        "arguments": arguments.tables(),  # bad arguments: the tests' table
        "aims": gallery.aims(),  # the lessons' aims, for instructors
        "exercises": practice.page(),
    }
    for name, text in parts.items():
        (BUILD / f"{name}.md").write_text(text, encoding="utf-8")
    os.environ["COLUMNS"] = "88"
    for command in ("upscale", "train", "evaluate", "explain", "export"):
        with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
            cli.main([command, "--help"])
        (BUILD / "help" / f"{command}.txt").write_text(said.getvalue(), encoding="utf-8")
    explorer.write_page(BUILD / "extra" / "pixel-shuffle.html")
    to_notebooks.pack(BUILD / "extra" / "lessons.zip")
    practice.hand_out(BUILD / "extra" / "exercises.zip")


def skip_type_aliases(app, what, name, obj, skip, options):
    """Leave out `Array` and its like: numpydoc takes them for classes, and looks for arguments."""
    return True if isinstance(obj, types.GenericAlias) else None


def mend_docstring(app, what, name, obj, options, lines):
    """Show a layer's equations, C*r*r, (*, C) and |x| unchanged."""
    paragraph = ""  # its first line
    for i, line in enumerate(lines):
        paragraph = (paragraph or line) if line else ""
        if paragraph.startswith("Forward  "):
            start = [".. code-block:: text", ""] if line is paragraph else []
            lines[i] = "\n".join([*start, f"    {line}"])
        elif not paragraph.startswith((">>>", "    ")):  # code, or a literal block
            parts = line.split("``")
            parts[::2] = [STARS_AND_BARS.sub(r"\\\g<0>", part) for part in parts[::2]]
            lines[i] = "``".join(parts)
    lines[:] = "\n".join(lines).split("\n")


def resolve_at_the_door(app, env, node, contnode):
    """Lead a reference to what is inside a wing, `npespcn.wing.module.name`, to the wing's page."""
    _, wing, *inside = f"{node.get('reftarget')}..".split(".")[:4]
    known, home = env.domaindata["py"]["objects"], node.get("refdoc", env.docname)
    doors = (
        f"npespcn.{wing}.{inside[-1]}",
        f"npespcn.{wing}",
        f"{npespcn._DOORS.get(wing)}.{wing}",
    )
    for name in doors:
        if name in known:
            return make_refnode(
                app.builder, home, known[name].docname, known[name].node_id, contnode
            )
    return None


def setup(app):
    """Have Sphinx call them."""
    app.connect("config-inited", write_parts, priority=1)  # before sphinx-gallery reads the lessons
    app.connect("autodoc-process-docstring", mend_docstring, priority=400)  # before numpydoc
    app.connect("autodoc-skip-member", skip_type_aliases)
    app.connect("missing-reference", resolve_at_the_door)
