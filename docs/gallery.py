"""How lessons become pages: copies to run, and the figures that they save."""

import re
import shutil
from pathlib import Path

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

from npespcn import figures

HERE = Path(__file__).parent
SAVED: list[tuple[Path, str]] = []  # the figures of the block that runs: where, and words in them


def copy_lessons(to: Path, pages: Path) -> None:
    """Copy the lessons, because they write into ``runs`` of the folder that they are run in.

    Titles get the number that the file's name begins with. Pages of lessons that are gone go too.
    """
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    shutil.copyfile(HERE / "lessons.rst.txt", to / "GALLERY_HEADER.rst")
    lessons = sorted((HERE.parent / "tutorials").glob("[0-9]*.py"))
    for lesson in lessons:
        text = lesson.read_text(encoding="utf-8")
        title = text.split("\n")[1]
        numbered = f"{lesson.stem.partition('_')[0].lstrip('0')}. {title}"
        text = text.replace(f"{title}\n{'=' * len(title)}", f"{numbered}\n{'=' * len(numbered)}", 1)
        (to / lesson.name).write_text(text, encoding="utf-8")
    for page in pages.glob("[0-9]*.*"):
        if page.name.partition(".")[0] not in {lesson.stem for lesson in lessons}:
            page.unlink()


def saved_figures(block, block_vars, gallery_conf) -> str:
    """Hand sphinx-gallery the figures that a block of a lesson has just saved."""
    pages = []
    for path, words in SAVED:
        target = next(block_vars["image_path_iterator"])
        shutil.copyfile(path, target)
        pages.append(figure_rst([target], gallery_conf["src_dir"], words))
    SAVED.clear()
    return "\n".join(pages)


def _save(figure: Figure, path: Path, **options) -> None:
    figures_save(figure, path, **options)
    SAVED.append((Path(path).resolve(), words_of(figure)))


def words_of(figure: Figure) -> str:
    """Return the titles in a figure: they stand for it where it cannot be seen."""
    titles = [figure.get_suptitle(), *(axes.get_title() for axes in figure.axes)]
    titles += [text.get_text() for text in figure.texts]
    words = "; ".join(dict.fromkeys(re.sub(r"\s+", " ", t).strip() for t in titles if t.strip()))
    return words or "A figure"


figures_save, figures.save = figures.save, _save
