"""Write every lesson as a notebook, by sphinx-gallery's converter: ``make notebooks``."""

import sys
from pathlib import Path

from sphinx_gallery.gen_gallery import DEFAULT_GALLERY_CONF
from sphinx_gallery.notebook import jupyter_notebook, save_notebook
from sphinx_gallery.py_source_parser import split_code_and_text_blocks

HERE = Path(__file__).parent
OUT = HERE.parent / "runs" / "notebooks"
FIRST_CELL = """\
# The lesson saves its figures as files. In a notebook, show them as well.
from npespcn import figures


def save_and_show(figure, path, **options):
    from IPython.display import Image, display  # here, because lessons have an Image of their own

    from npespcn.figures import sheet

    sheet.save(figure, path, **options)
    display(Image(filename=path, width=750))


figures.save = save_and_show
"""


def main() -> int:
    """Return the exit status."""
    OUT.mkdir(parents=True, exist_ok=True)
    options = {**DEFAULT_GALLERY_CONF, "first_notebook_cell": FIRST_CELL}
    for lesson in sorted(HERE.glob("[0-9]*.py")):
        _, blocks = split_code_and_text_blocks(lesson)
        notebook = OUT / f"{lesson.stem}.ipynb"
        save_notebook(jupyter_notebook(blocks, options, OUT), notebook)
        print(notebook.relative_to(HERE.parent))
    return 0


if __name__ == "__main__":
    sys.exit(main())
