"""Write every lesson as a notebook, by sphinx-gallery's converter: ``make notebooks``.

A question is followed by an empty cell for the prediction, and its answer is folded.
"""

import re
import sys
import tempfile
import zipfile
from pathlib import Path
from textwrap import dedent

from lessons import lessons
from sphinx_gallery.gen_gallery import DEFAULT_GALLERY_CONF
from sphinx_gallery.notebook import jupyter_notebook, save_notebook
from sphinx_gallery.py_source_parser import Block, split_code_and_text_blocks

HERE = Path(__file__).parent
OUT = HERE.parent / "runs" / "notebooks"
FIRST_CELL = """\
# The lesson saves its figures as files. In a notebook, show them as well.
from npespcn import figures


def save_and_show(figure, path, **options):
    from IPython.display import Image, display  # here, because lessons have an Image of their own

    from npespcn.figures import sheet

    sheet.save(figure, path, **options)
    display(Image(filename=path, width=600))


figures.save = save_and_show
"""
BOX = re.compile(r"^\.\. (predict|answer)::\n\n((?:   .*\n|\n)+)", re.MULTILINE)

RULE = r"(?:=+ +)+=+\n"
TABLE = re.compile(rf"^{RULE}.*?^{RULE}.*?^{RULE}", re.MULTILINE | re.DOTALL)


def cells(text: str) -> list[str]:
    """Split a text at its questions and answers, and write these so that a notebook shows them."""
    text = re.sub(r"^:(\w+): ", r"- **\1.** ", text, flags=re.MULTILINE)
    text = re.sub(r":(?:doc|explorer|func|class|mod):`([^`<]+?)(?:\s*<[^`]*>)?`", r"*\1*", text)
    text = TABLE.sub(lambda table: f"```text\n{table[0]}```\n", text)
    parts = BOX.split(text + "\n")  # text, kind, content, text, kind, content, ..., text
    found = [parts[0]]
    for kind, content, after in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        content = dedent(content).strip()
        if kind == "predict":
            found += [f"**Predict.** {content}", "*Your prediction:*"]
        else:
            found.append(f"<details><summary><b>Answer</b></summary>\n\n{content}\n\n</details>")
        found.append(after)
    return [part for part in found if part.strip()]


def write(folder: Path) -> list[Path]:
    """Write the notebooks, and the drawings that they import; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    options = {**DEFAULT_GALLERY_CONF, "first_notebook_cell": FIRST_CELL}
    written = []
    for lesson in lessons():
        _, blocks = split_code_and_text_blocks(lesson.path)
        pieces = []
        for block in blocks:
            texts = cells(block.content) if block.type == "text" else [block.content]
            pieces += [Block(block.type, text, block.lineno) for text in texts]
        written.append(folder / f"{lesson.path.stem}.ipynb")
        save_notebook(jupyter_notebook(pieces, options, folder), written[-1])
    written.append(folder / "drawing.py")
    written[-1].write_bytes((HERE / "drawing.py").read_bytes())
    return written


def pack(path: Path) -> None:
    """Write a zip of all lessons, as scripts and as notebooks."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path, "w") as archive:
        scripts = [lesson.path for lesson in lessons()]
        for file in scripts + write(Path(folder)):
            archive.write(file, f"lessons/{file.name}", zipfile.ZIP_DEFLATED)


def main() -> int:
    """Return the exit status."""
    for path in write(OUT):
        print(path.relative_to(HERE.parent))
    return 0


if __name__ == "__main__":
    sys.exit(main())
