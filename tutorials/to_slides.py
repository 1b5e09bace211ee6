"""Write the questions and the figures of all lessons as slides, one a page: ``make slides``.

The figures are those that the last ``make tutorials`` left in ``runs/tutorials``.
"""

import sys
import textwrap
from pathlib import Path

from lessons import lessons
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from PIL import Image

FIGURES = Path("runs/tutorials")
SLIDES = Path("runs/slides.pdf")
SIZE = (13.33, 7.5)  # inches: 16 to 9


def title_page(title: str, question: str) -> Figure:
    """Return a page with a lesson's title and its question."""
    page = Figure(figsize=SIZE)
    page.text(0.08, 0.68, title, fontsize=34, weight="bold", va="top")
    page.text(0.08, 0.52, textwrap.fill(question, 70), fontsize=20, va="top", linespacing=1.5)
    return page


def figure_page(path: Path, title: str) -> Figure:
    """Return a page with a figure, as large as it fits."""
    page = Figure(figsize=SIZE)
    axes = page.add_axes((0.03, 0.05, 0.94, 0.85))
    with Image.open(path) as image:
        axes.imshow(image)
    axes.set_axis_off()
    page.text(0.03, 0.93, title, fontsize=14, color="0.4")
    return page


def main() -> int:
    """Return the exit status."""
    missing = []
    with PdfPages(SLIDES) as slides:
        for lesson in lessons():
            title = f"{lesson.number}. {lesson.title}"
            slides.savefig(title_page(title, lesson.question))
            for name in lesson.figures:
                if (FIGURES / name).is_file():
                    slides.savefig(figure_page(FIGURES / name, title), dpi=150)
                else:
                    missing.append(name)
        pages = slides.get_pagecount()
    print(f"{SLIDES}: {pages} pages")
    if missing:
        print("not drawn yet (make tutorials draws them):", *missing)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
