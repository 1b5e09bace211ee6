"""What the package is built on, and what it never does: run code from data, or use the network."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "npespcn").rglob("*.py"))
RUNS_DATA = {"eval", "exec", "compile", "__import__", "execfile"}
NO_IMPORTS = {
    "pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "imp", "runpy",
    "socket", "ssl", "http", "urllib", "urllib3", "requests", "ftplib", "smtplib", "telnetlib",
    "xmlrpc", "asyncio", "webbrowser", "subprocess", "pty", "yaml",
}  # fmt: skip
NO_CALLS = {"system", "popen", "execv", "execve", "execvp", "spawnv", "spawnl", "fromfile"}


def faults(source: str) -> Iterator[str]:
    """Yield what a module must not hold."""
    for node in ast.walk(ast.parse(source)):
        line = f"line {getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names = module or [alias.name for alias in node.names]
            yield from (f"{line}: imports {n}" for n in names if n.partition(".")[0] in NO_IMPORTS)
        if isinstance(node, ast.Name) and node.id in RUNS_DATA:
            yield f"{line}: {node.id}"
        if not isinstance(node, ast.Call):
            continue
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        if isinstance(owner, ast.Name) and node.func.attr in NO_CALLS and owner.id in ("os", "np"):
            yield f"{line}: {owner.id}.{node.func.attr}"
        values = {keyword.arg: keyword.value for keyword in node.keywords}
        for name in ("shell", "allow_pickle"):
            value = values.get(name)
            if value is not None and not (isinstance(value, ast.Constant) and value.value is False):
                yield f"{line}: {name} is not False"
        is_load = isinstance(node.func, ast.Attribute) and node.func.attr == "load"
        numpy = isinstance(owner, ast.Name) and owner.id in ("np", "numpy")
        if is_load and numpy and "allow_pickle" not in values:
            yield f"{line}: numpy.load without allow_pickle=False"


def test_the_package_runs_no_data_and_opens_no_connection() -> None:
    found = [f"{path.name}: {what}" for path in SOURCES for what in faults(path.read_text("utf-8"))]
    assert not found
    assert len(SOURCES) > 40


@pytest.mark.parametrize(
    "line",
    [
        "eval(x)",
        "run = exec",
        "import pickle",
        "from urllib.request import urlopen",
        "import os.path, socket",
        "np.load(f)",
        "np.load(f, allow_pickle=True)",
        "np.load(f, allow_pickle=wanted)",
        "run(x, shell=True)",
        "os.system(x)",
        "__import__(x)",
    ],
)
def test_what_it_must_not_do_would_be_found(line: str) -> None:
    assert list(faults(f"def f():\n    {line}"))


# --- the network ---------------------------------------------------------------------------------

GUARD = """
import os, sys

def refuse(event, args):
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname",
                 "socket.sendto", "urllib.Request", "ftplib.connect", "http.client.connect"):
        with open(os.environ["ASKED"], "a") as file:
            print(event, args, file=file)
        raise OSError(f"no network here: {event}")

sys.addaudithook(refuse)
"""
JOBS = """
import sys
from npespcn.commands import main as cli

def main():
    few = "--steps 10 --batch-size 2 --patch-size 9 --optimizer adam --scale 2"
    for words in (
        f"train --data pictures --pictures 1 --val pictures --out run {few}",
        "upscale pictures -o larger --weights run/best.npz --jobs 2",
        "upscale pictures/0.png --compare --scale 3 -o out.png",
        "evaluate pictures --scale 2",
        "explain --scale 2 -o explained.png",
        "explain --scale 2 -o explained.html",
        "export run/best.npz -o network.safetensors",
    ):
        assert cli.main(words.split()) == 0, words

if __name__ == "__main__":
    main()
"""


@pytest.fixture
def refused(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A folder with a few pictures, and an environment without a network, for children too."""
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(GUARD)
    paths = os.pathsep.join([str(tmp_path / "guard"), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": paths, "ASKED": str(tmp_path / "asked")}
    (tmp_path / "pictures").mkdir()
    for i in range(2):
        pixels = np.random.default_rng(i).integers(0, 256, (32, 40, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{i}.png")
    return tmp_path, environment


def test_every_command_works_without_a_network(refused: tuple[Path, dict[str, str]]) -> None:
    folder, environment = refused
    (folder / "jobs.py").write_text(JOBS)
    done = subprocess.run(
        [sys.executable, "jobs.py"],
        cwd=folder,
        env=environment | {"NPESPCN_THREADS": "2"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert not (folder / "asked").exists(), (folder / "asked").read_text()


def test_what_asks_for_the_network_is_refused(refused: tuple[Path, dict[str, str]]) -> None:
    folder, environment = refused
    code = "import socket; socket.create_connection(('127.0.0.1', 9))"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert "no network here" in done.stderr
    assert (folder / "asked").exists()


# --- dependencies --------------------------------------------------------------------------------


def requirements() -> dict[str, str]:
    """Return what is needed to run, with the lowest version that will do."""
    lines = (ROOT / "requirements.txt").read_text().split()
    found = [re.fullmatch(r"([a-z0-9-]+)>=([0-9.]+)", line) for line in lines]
    assert all(found), "each needs a lower bound, which make test-oldest tests, and no more"
    return {match[1]: match[2] for match in found if match}


def test_every_dependency_has_a_lower_bound() -> None:
    assert requirements()
    for name, lowest in requirements().items():
        assert number(version(name)) >= number(lowest), name


@pytest.mark.skipif(os.environ.get("NPESPCN_OLDEST") != "1", reason="make test-oldest sets it")
def test_the_oldest_are_the_lower_bounds() -> None:
    for name, lowest in requirements().items():
        installed, bound = number(version(name)), number(lowest)
        assert installed[: len(bound)] == bound, name
        assert not any(installed[len(bound) :]), name


def number(words: str) -> tuple[int, ...]:
    """Return the numbers of a version."""
    return tuple(int(part) for part in re.findall(r"\d+", words)[:3])


def test_nothing_is_imported_that_is_not_declared() -> None:
    """Outside the standard library: the requirements, and what the extras bring."""
    optional = {"cupy", "av", "mpi4py", "onnx", "safetensors"}
    names = {"pillow": "PIL"}
    allowed = {names.get(name, name) for name in requirements()} | optional | {"npespcn"}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                imported = [node.module or ""]
            for name in imported:
                top = name.partition(".")[0]
                assert top in sys.stdlib_module_names or top in allowed, f"{path.name}: {name}"
