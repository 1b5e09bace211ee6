"""The house: which file may import which, how long the book is, and what importing it loads."""

import ast
import io
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "npespcn"
BOOK = [
    "arrays",
    "shuffle",
    "conv",
    "initializers",
    "layers",
    "losses",
    "optim",
    "models",
    "training",
    "gradcheck",
]
BASE = {"book", "common"}
TOOLS = BASE | {"pictures", "fast", "exchange"}
MAY_IMPORT = {  # each wing, besides itself
    "common": set(),
    "pictures": {"common"},
    "fast": BASE,
    "exchange": BASE,
    "data": TOOLS,
    "evaluation": TOOLS | {"data"},
    "figures": TOOLS,
    "explorer": TOOLS | {"figures"},
    "enlarge": TOOLS,
    "runs": TOOLS | {"data", "evaluation"},
    "commands": TOOLS | {"data", "evaluation", "figures", "explorer", "enlarge", "runs"},
}
MAY_IMPORT["weights"] = {*MAY_IMPORT["commands"], "commands"}  # a program
LIBRARIES = {  # outside the standard library
    "book": {"numpy"},
    "common": {"numpy"},
    "pictures": {"numpy", "PIL"},
    "fast": {"numpy", "cupy", "threadpoolctl"},
}


def imports(path):
    """Return the modules that a file imports, at its top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            whole = [f"npespcn.{alias.name}" for alias in node.names]
            found |= set(whole) if node.module == "npespcn" else {node.module}
    return found


def test_the_arrows():
    """The book imports NumPy and earlier files of the book, and each wing only what it may."""
    for path in PACKAGE.rglob("*.py"):
        *folders, file = path.relative_to(PACKAGE).with_suffix("").parts
        wing = folders[0] if folders else "book"
        if (wing, file) in (("book", "__init__"), ("book", "__main__")):
            continue
        for module in imports(path):
            top, _, inner = module.partition(".")
            inner = inner.partition(".")[0]
            words = f"{path.relative_to(PACKAGE)} imports {module}"
            if top != "npespcn":
                allowed = LIBRARIES.get(wing, {top}) | sys.stdlib_module_names
                assert top in allowed, words
            elif wing == "book":
                assert inner in BOOK[: BOOK.index(file)], words
            elif inner != "__version__":
                assert ("book" if inner in BOOK else inner) in MAY_IMPORT[wing] | {wing}, words


def test_only_the_book_lies_on_the_table():
    assert {path.stem for path in PACKAGE.glob("*.py")} == {*BOOK, "__init__", "__main__"}
    folders = {path.name for path in PACKAGE.iterdir() if any(path.glob("*.py"))}
    assert folders == MAY_IMPORT.keys()


def code_lines(source):
    """Return the numbers of the lines that are no docstring, no comment and not blank."""
    docstrings = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            docstrings |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    layout = {
        getattr(tokenize, name)
        for name in ["COMMENT", "NL", "NEWLINE", "INDENT", "DEDENT", "ENDMARKER"]
    }
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines = {i for t in tokens if t.type not in layout for i in range(t.start[0], t.end[0] + 1)}
    return lines - docstrings


def test_the_book_can_be_read_in_one_sitting():
    total = 0
    for name in BOOK:
        source = (PACKAGE / f"{name}.py").read_text("utf-8")
        lines = code_lines(source)
        total += len(lines)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef):
                length = len(lines & set(range(node.lineno, node.end_lineno + 1)))
                assert length <= 20, f"{name}.{node.name} has {length} lines of code"
    assert total <= 460, f"the book has {total} lines of code"


def test_the_book_needs_numpy_alone():
    """Whatever is installed: nothing else is loaded, and no wing."""

    def loaded(*modules):
        code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        return set(done.stdout.split())

    book = {f"npespcn.{name}" for name in BOOK}
    others = {
        name
        for name in loaded("npespcn", *book) - loaded("numpy")
        if name.partition(".")[0] not in sys.stdlib_module_names
    }
    assert others == {"npespcn", *book}


def test_the_doors_are_lazy_and_lead_somewhere():
    import npespcn

    for name in npespcn.__all__:
        assert getattr(npespcn, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        npespcn.nonsense  # noqa: B018
