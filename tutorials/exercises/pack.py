"""Pack the exercises: ``pack.py starters``, what `reset` brings back; ``pack.py handout``, a zip.

The hand-out has the starters, the checker with its hints, the project, the lessons, and the package
as a wheel, to install. It has no solutions, and nobody's progress.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
HANDOUT = Path("dist/exercises.zip")
LEFT_OUT = ("solutions", "__pycache__", "pack.py")


def main() -> None:
    """Pack what is asked for."""
    if sys.argv[1:] == ["starters"]:
        names = [file.name for file in sorted((HERE / "checker").glob("ex[0-9][0-9]_*.py"))]
        starters = {name: (HERE / name).read_bytes() for name in names}
        _pack(HERE / "checker" / "starters.zip", starters)
    elif sys.argv[1:] == ["handout"]:
        HANDOUT.parent.mkdir(exist_ok=True)
        hand_out(HANDOUT)
        print(HANDOUT)
    else:
        sys.exit("pack.py starters, or pack.py handout")


def hand_out(path: Path) -> None:
    """Write the zip for students."""
    _pack(path, _files() | _wheel())


def _files() -> dict[str, bytes]:
    """Return what students get: name in the zip, content. The pages to read also lie on top."""
    files = {page.name: page.read_bytes() for page in sorted(HERE.glob("*.md"))}
    for lesson in ("[0-9][0-9]_*.py", "[a-d]_*.py", "drawing.py"):
        for file in sorted(HERE.parent.glob(lesson)):
            files[f"tutorials/{file.name}"] = file.read_bytes()
    for file in sorted(HERE.rglob("*")):
        inside = file.relative_to(HERE)
        hidden = any(part.startswith(".") or part in LEFT_OUT for part in inside.parts)
        if file.is_file() and not hidden and file.suffix != ".bak":
            files[f"tutorials/exercises/{inside.as_posix()}"] = file.read_bytes()
    with zipfile.ZipFile(HERE / "checker" / "starters.zip") as archive:
        files |= {f"tutorials/exercises/{name}": archive.read(name) for name in archive.namelist()}
    return files


def _wheel() -> dict[str, bytes]:
    """Build the package."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(  # noqa: S603  # pip, and this project
            [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT],
            check=True,
        )
        return {file.name: file.read_bytes() for file in Path(folder).glob("*.whl")}


def _pack(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a zip whose bytes depend on nothing but the files."""
    temporary = path.with_suffix(".part")
    with zipfile.ZipFile(temporary, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    temporary.replace(path)


if __name__ == "__main__":
    main()
