"""The package as others get it: built by ``python -m build``, installed, and run somewhere else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from npespcn import __version__

pytest.importorskip("build")
ROOT = Path(__file__).parents[1]
MADE = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist")
Built = tuple[Path, Path]


def not_sources(folder: str, names: list[str]) -> set[str]:
    runs = {"runs"} if Path(folder) == ROOT else set()  # what training and the demo write
    return MADE(folder, names) | runs


def run(*words: object, **options: object) -> str:
    done = subprocess.run(  # noqa: S603
        [str(word) for word in words],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **options,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, done.stdout
    return str(done.stdout)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The source archive, and the wheel made from what is in it; the tools come from here."""
    folder = tmp_path_factory.mktemp("built")
    shutil.copytree(ROOT, folder / "sources", ignore=not_sources)
    usual = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = (sys.executable, "-m", "build", "--no-isolation", folder / "sources")
    words = run(*command, env=usual)
    assert "warning" not in words.lower()
    (archive,) = (folder / "sources" / "dist").glob("*.tar.gz")
    (wheel,) = (folder / "sources" / "dist").glob("*.whl")
    return archive, wheel


def test_the_wheel_has_the_whole_package_and_nothing_else(built: Built) -> None:
    wanted = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "npespcn").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"npespcn/py.typed", "npespcn/weights/leaves_x3.npz"} <= wanted
    with zipfile.ZipFile(built[1]) as wheel:
        found = {name for name in wheel.namelist() if ".dist-info/" not in name}
        assert all(wheel.read(name) == (ROOT / name).read_bytes() for name in found)
    assert found == wanted


def test_the_source_archive_has_what_it_takes_to_build(built: Built) -> None:
    with tarfile.open(built[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "requirements.txt", "README.md", "LICENSE"} <= names


def test_what_is_installed_works_away_from_its_sources(built: Built, tmp_path: Path) -> None:
    site = tmp_path / "site"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--no-deps", "--no-index", "--target", site, built[1])
    Image.new("RGB", (12, 10), "teal").save(tmp_path / "small.png")
    (tmp_path / "away").mkdir()

    def npespcn(*words: str) -> str:
        environment = os.environ | {"PYTHONPATH": str(site)}
        command = (sys.executable, site / "bin" / "npespcn", *words)
        return run(*command, cwd=tmp_path / "away", env=environment)

    assert npespcn("--version") == f"npespcn {__version__}\n"
    for scale in (2, 3, 4):
        npespcn("upscale", "../small.png", "--scale", f"{scale}", "-o", f"{scale}.png")
        with Image.open(tmp_path / "away" / f"{scale}.png") as larger:
            assert larger.size == (12 * scale, 10 * scale)
    npespcn("explain", "--scale", "2", "-o", "page.html")
    assert "<canvas" in (tmp_path / "away" / "page.html").read_text()
