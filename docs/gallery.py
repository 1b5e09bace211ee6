"""How lessons become pages: copies to run, predictions, answers, and the figures that they save."""

import inspect
import re
import shutil
from pathlib import Path

import drawing
import thumbnails
from docutils import nodes
from docutils.parsers.rst import Directive
from lessons import PARTS, lessons
from matplotlib.artist import Artist
from matplotlib.colors import rgb_to_hsv, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from sphinx import addnodes
from sphinx.locale import _

from npespcn import figures

HERE = Path(__file__).parent
SAVED: list[tuple[list[Path], str]] = []  # of the block that runs: light, dark, and their titles
FOOTER = "sphx-glr-footer"
SAVES = re.compile(r"runs/tutorials/\w+\.png")
FIELD = """\
<textarea class="prediction" rows="3" aria-label="{}" placeholder="{}"></textarea>"""
MARK = """\
<p class="lesson-end" hidden><button type="button" aria-pressed="false" data-done="{}">{}</button>
<span data-words="{}"></span></p>"""
BAR = """\
<div class="course-bar" hidden data-done="{}" data-predictions="{}">
<p><progress aria-label="{}"></progress> <span class="count" data-words="{}"></span></p>
<p><span class="go-on" data-begin="{}">{}</span> <a></a></p>
<p><button type="button">{}</button></p>
</div>"""
KEPT = """\
<script>
try { localStorage; } catch {  // it may be forbidden: then nothing is kept beyond the page
  const kept = {};
  const getItem = (key) => kept[key] ?? null, setItem = (key, value) => { kept[key] = value; };
  const removeItem = (key) => { delete kept[key]; };
  Object.defineProperty(window, "localStorage", {value: {getItem, setItem, removeItem}});
}
</script>
"""


def copy_lessons(to: Path, pages: Path) -> None:
    """Copy the lessons, because they write into ``runs`` of the folder that they are run in.

    Titles get the lesson's number. Pages of lessons that are gone go too.
    """
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    header = (HERE / "lessons.rst.txt").read_text(encoding="utf-8")
    (to / "GALLERY_HEADER.rst").write_text(header + contents(), encoding="utf-8")
    for lesson in lessons():
        text, title = lesson.path.read_text(encoding="utf-8"), lesson.title
        numbered = f"{lesson.number}. {title}"
        text = text.replace(f"{title}\n{'=' * len(title)}", f"{numbered}\n{'=' * len(numbered)}", 1)
        (to / lesson.path.name).write_text(text, encoding="utf-8")
    names = {lesson.path.stem for lesson in lessons()}
    for page in [*pages.glob("[0-9]*.*"), *pages.glob("[a-d]_*.*")]:
        if page.name.partition(".")[0] not in names:
            page.unlink()


def contents() -> str:
    """Return the list of lessons: a heading and the time for each part, a card for each lesson."""
    lines = []
    for number, part in enumerate(PARTS):
        title = part if part == PARTS[-1] else f"{'I' * (number + 1)}. {part}"
        inside = [lesson for lesson in lessons() if lesson.part == part]
        time = f"{len(inside)} lessons, {sum(lesson.minutes for lesson in inside)} minutes"
        lines += ["", title, "-" * len(title), "", time, "", ".. rst-class:: lesson-cards", ""]
        for lesson in inside:
            picture = f"/_build/thumbnails/{lesson.path.stem}"
            about = thumbnails.about(lesson.path.stem)
            for mode in ("light", "dark"):
                lines += [
                    f"{'*' if mode == 'light' else ' '} .. image:: {picture}.{mode}.webp",
                    f"     :alt: {about}",
                    "     :loading: lazy",
                    f"     :class: only-{mode}",
                    "",
                ]
            lines += [
                f"  :doc:`{lesson.number}. {lesson.title} <{lesson.path.stem}>`",
                "",
                "  " + re.sub(r":doc:`(.+?)\s*<.+?>`", r"\1", lesson.question),
                "",
                f"  {lesson.minutes} minutes",
                "",
            ]
    return "\n".join(lines) + "\n"


def draw_thumbnails(to: Path) -> None:
    """Draw the pictures of the cards, light and dark."""
    to.mkdir(parents=True, exist_ok=True)
    for lesson in lessons():
        figure = thumbnails.draw(lesson.path.stem)
        figures_save(figure, to / f"{lesson.path.stem}.light.webp", width=640)
        darken(figure)
        figures_save(figure, to / f"{lesson.path.stem}.dark.webp", width=640)


def aims() -> str:
    """Return a table of the lessons: title, minutes, aim; in Markdown."""
    lines = ["| lesson | minutes | aim |", "| --- | --- | --- |"]
    for lesson in lessons():
        name = f"[{lesson.number}. {lesson.title}](lessons/{lesson.path.stem})"
        lines.append(f"| {name} | {lesson.minutes} | {lesson.aim.replace('``', '`')} |")
    total = sum(lesson.minutes for lesson in lessons() if lesson.number.isdecimal())
    lines.append(f"| 1 to 14 | {total} | |")
    return "\n".join(lines) + "\n"


# --- predictions and answers ---


class Predict(Directive):
    """A question, with a field to write the prediction in."""

    has_content = True
    title, kind = "Predict", "predict"

    def run(self):
        """Return an admonition."""
        box = nodes.admonition(classes=[self.kind])
        box += nodes.title(self.title, self.title)
        box[0].source, box[0].line = self.state_machine.get_source_and_line(self.lineno)
        self.state.nested_parse(self.content, self.content_offset, box)
        return [box]


class Answer(Predict):
    """The answer to the question before it: folded, where the page has JavaScript."""

    title, kind = "Answer", "answer"


def fold_outputs(app, doctree) -> None:
    """Put the field below each question, and fold the outputs between it and the next section."""
    for output in list(doctree.findall(is_output)):
        if isinstance(output, nodes.literal_block):  # where a figure is saved tells a reader little
            lines = [line for line in output.rawsource.split("\n") if not SAVES.match(line)]
            output.rawsource = "\n".join(lines)
            output[:] = [nodes.Text(output.rawsource)]
            if not output.rawsource.strip():
                output.parent.remove(output)
    for question in list(doctree.findall(nodes.admonition)):
        if "predict" not in question["classes"]:
            continue
        field = FIELD.format(_("Your prediction"), _("Your prediction. It stays in this browser."))
        question += nodes.raw("", field, format="html")
        siblings = question.parent.children
        folded = None
        for node in siblings[siblings.index(question) + 1 :]:
            if isinstance(node, nodes.section):
                break
            if not is_output(node):
                folded = None
            elif folded is None:
                folded = nodes.container(classes=["toggle"])
                node.parent.replace(node, folded)
                folded += node
            else:
                node.parent.remove(node)
                folded += node


def add_progress(app, doctree) -> None:
    """Put a button at the end of each lesson, and at the head of the gallery what is done."""
    if app.env.docname == "lessons/index":
        words = [_("done"), _("predictions written: {0}"), _("Lessons done"), _("{0} of {1} done")]
        words += [_("Begin with"), _("Go on with"), _("Forget what is done")]
        first = next(node for node in doctree.findall(nodes.section) if node.parent is not doctree)
        first.parent.insert(first.parent.index(first), _html(BAR, words))
    for footer in [node for node in doctree.findall(nodes.container) if FOOTER in node["classes"]]:
        words = [_("Done. Take it back"), _("Mark as done"), _("Predictions written: {0} of {1}")]
        only = footer.parent  # for HTML
        only.parent.insert(only.parent.index(only), _html(MARK, words))


def _html(template: str, words: list[str]) -> nodes.raw:
    return nodes.raw("", template.format(*words), format="html")


def link_exercises(app, doctree) -> None:
    """Lead each number in a lesson's link to the exercises to that exercise."""
    chinese = app.config.language == "zh_CN"  # whose site is a folder deeper, without exercises
    page = ("../" if chinese else "") + "../exercises.html"
    for link in list(doctree.findall(addnodes.pending_xref)):
        if link["reftarget"] != "/exercises" or not app.env.docname.startswith("lessons/"):
            continue
        parts = re.split(r"(\d+)", link.astext())
        pieces = [nodes.Text(part) for part in parts]
        for i in range(1, len(parts), 2):
            address = f"{page}#exercise-{parts[i]}"
            pieces[i] = nodes.reference("", parts[i], refuri=address, internal=True)
        if len(parts) == 3:  # one number: all of the text is the link
            pieces = [nodes.reference("", link.astext(), refuri=pieces[1]["refuri"], internal=True)]
        if len(parts) > 1:
            link.replace_self(pieces)


def keep(app, page, template, context, doctree) -> None:
    """Give every page a stand-in for the browser's storage."""
    context["metatags"] = context.get("metatags", "") + KEPT


def is_output(node) -> bool:
    """Whether a node is what a block of code printed or drew."""
    classes = node.get("classes", ()) if isinstance(node, nodes.Element) else ()
    return "sphx-glr-script-out" in classes or "lesson-figure" in classes


# --- figures ---


def saved_figures(block, block_vars, gallery_conf) -> str:
    """Hand sphinx-gallery the figures that a block of a lesson has just saved."""
    pages = []
    used = [getattr(drawing, name) for name in re.findall(r"drawing\.(\w+)\(", block[1])]
    drawn = [each for each in used if each.__annotations__.get("return") == "Figure"]
    for i, (paths, titles) in enumerate(SAVED):
        about = inspect.getdoc(drawn[min(i, len(drawn) - 1)]).split("\n")[0]
        about = about.removeprefix("Draw ")
        about = about[0].upper() + about[1:]
        words = " ".join([about, titles]).strip()
        for mode, path in zip(("light", "dark"), paths, strict=True):
            target = Path(next(block_vars["image_path_iterator"]))
            shutil.copyfile(path, target)
            address = target.relative_to(gallery_conf["src_dir"]).as_posix()
            pages.append(
                f".. image:: /{address}\n   :alt: {words}\n   :class: lesson-figure only-{mode}\n"
            )
    SAVED.clear()
    return "\n" + "\n".join(pages)


def _save(figure: Figure, path: Path, **options) -> None:
    light = Path(path).resolve()
    dark = light.with_name(f"{light.stem}.dark{light.suffix}")
    figures_save(figure, light, **options)
    darken(figure)
    figures_save(figure, dark, **options)
    SAVED.append(([light, dark], words_of(figure)))


def darken(figure: Figure) -> None:
    """Turn the neutral colors of a figure around: dark paper, light letters and lines.

    Images and colors stay. So do letters that have a gid, because they stand on a color, and frames
    that have a rim of another color.
    """
    for artist in figure.findobj(Artist):
        if artist.get_path_effects():
            continue
        if isinstance(artist, Text) and artist.get_gid() is None:
            artist.set_color(turned(artist.get_color()))
            if getattr(artist, "arrow_patch", None):
                artist.arrow_patch.set_color(turned(artist.arrow_patch.get_edgecolor()))
        elif isinstance(artist, Line2D):
            edge, face = artist.get_markeredgecolor(), artist.get_markerfacecolor()
            artist.set_color(turned(artist.get_color()))
            artist.set_markeredgecolor(turned(edge))
            artist.set_markerfacecolor(turned(face))
        elif isinstance(artist, Patch):
            artist.set_edgecolor(turned(artist.get_edgecolor()))
            artist.set_facecolor(turned(artist.get_facecolor()))


def turned(color) -> tuple[float, float, float, float]:
    """Return the color; a gray as its opposite, black as nearly white and white as nearly black."""
    *rgb, alpha = to_rgba(color)
    if rgb_to_hsv(rgb)[1] > 0.1:
        return (*rgb, alpha)
    gray = 0.93 - 0.85 * sum(rgb) / 3
    return (gray, gray, gray, alpha)


def words_of(figure: Figure) -> str:
    """Return the titles in a figure: they stand for it where it cannot be seen."""
    titles = [figure.get_suptitle(), *(axes.get_title() for axes in figure.axes)]
    titles += [text.get_text() for text in figure.texts]
    return "; ".join(dict.fromkeys(re.sub(r"\s+", " ", t).strip() for t in titles if t.strip()))


figures_save, figures.save = figures.save, _save


def setup(app):
    """Have Sphinx know the directives."""
    app.add_directive("predict", Predict)
    app.add_directive("answer", Answer)
    app.connect("doctree-read", fold_outputs)
    app.connect("doctree-read", add_progress)
    app.connect("doctree-read", link_exercises)
    app.connect("html-page-context", keep)
