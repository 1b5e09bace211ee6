"""A student's file: imported, called, its errors put in words."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import linecache
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

ANSWERS = {  # packages whose import makes the exercise pointless
    "torch": "PyTorch",
    "tensorflow": "TensorFlow",
    "keras": "Keras",
    "jax": "JAX",
    "onnx": "ONNX",
    "onnxruntime": "ONNX Runtime",
    "PIL": "Pillow",
    "cv2": "OpenCV",
    "skimage": "scikit-image",
    "npespcn": "this project's own answer",
    "tutorials": "another file, which may have the answer",
    "solutions": "the answer",
}


class Broken(Exception):  # noqa: N818  # a verdict
    """A rung broke.

    Parameters
    ----------
    message : str
        What is to be seen, in one line.
    example : str
        The call that shows it.
    shown : str
        The expected and the actual numbers, as grids.
    raised : bool
        Whether the student's code raised an exception.
    cause : str or callable
        Why it is so, for those who ask. It may take a while to find: a callable returns it.
    """

    def __init__(
        self,
        message: str,
        example: str = "",
        shown: str = "",
        raised: bool = False,
        cause: str | Callable[[], str] = "",
    ) -> None:
        super().__init__(message)
        self.message, self.example, self.shown, self.raised = message, example, shown, raised
        self.cause = cause


_TRACE = [0x43]  # what every byte of new memory holds: floats of this are neither 0 nor near 1


@contextmanager
def traces_in_memory(byte: int | None = None) -> Iterator[None]:
    """Let np.empty and np.empty_like give memory full of one byte, 0x43 unless another is said.

    What they leave in memory looks right one day and wrong another. So it never looks right, and
    a number that depends on the byte is one that was never written.
    """
    before, given = _TRACE[0], (np.empty, np.empty_like)
    _TRACE[0] = byte or before
    vars(np).update(empty=_leaving_traces(np.empty), empty_like=_leaving_traces(np.empty_like))
    try:
        yield
    finally:
        vars(np).update(empty=given[0], empty_like=given[1])
        _TRACE[0] = before


def _leaving_traces(function: Callable[..., Any]) -> Callable[..., Any]:
    if hasattr(function, "leaves_traces"):
        return function

    def made(*arguments: Any, **more: Any) -> Any:
        array = function(*arguments, **more)
        if array.dtype.kind == "b":
            array.fill(_TRACE[0] == 0x43)
        elif array.dtype.kind in "iufc":
            array.fill(np.frombuffer(bytes([_TRACE[0]] * array.itemsize), array.dtype)[0])
        return array

    made.leaves_traces = True  # type: ignore[attr-defined]
    return made


class Student:
    """The functions of a student's file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.module = _imported(path)

    def get(self, name: str) -> Any:
        """Return a function or class of the file."""
        try:
            function = getattr(self.module, name)
        except AttributeError:
            raise Broken(f"{self.path.name} has no {name}: keep the names of the starter") from None
        if not callable(function):
            raise Broken(f"{name} is not a function any more, but {function!r:.40}")
        return function

    def run(self, function: Any, *arguments: Any, name: str = "", **more: Any) -> Any:
        """Call something that came from the file; raise `Broken` if it raises."""
        name = name or getattr(function, "__qualname__", "it")
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings(), traces_in_memory():
                warnings.simplefilter("ignore")
                return function(*arguments, **more)
        except Broken:
            raise
        except NotImplementedError:
            raise Broken(f"{name} is still to be written: it raises NotImplementedError") from None
        except BaseException as error:  # SystemExit, KeyboardInterrupt: here they end nothing
            raise Broken(f"{name} {_in_words(error, self.path)}", raised=True) from None


def _imported(path: Path) -> ModuleType:
    """Import a file by its path, without the packages that would do the exercise for it."""
    try:
        source = path.read_text(encoding="utf-8-sig")
        tree = ast.parse(source, str(path))
    except OSError as error:
        raise Broken(f"cannot read {path}: {error.strerror}") from None
    except SyntaxError as error:
        line = (error.text or "").strip()
        where = f"line {error.lineno}: " if error.lineno else ""
        raise Broken(f"{where}{error.msg}", line) from None
    except (ValueError, RecursionError, MemoryError) as error:  # other bytes than UTF-8, a zero
        raise Broken(f"{path.name} is not a Python file in UTF-8: {error}") from None
    _refuse_answers(tree)
    spec = importlib.util.spec_from_file_location("student", path)
    if spec is None or spec.loader is None:
        raise Broken(f"{path.name} is not a Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    vars(module)["__builtins__"] = vars(builtins) | {"__import__": _guarded_import}
    sys.modules["student"] = module  # dataclasses look there
    try:
        with traces_in_memory():
            spec.loader.exec_module(module)
    except Broken:
        raise
    except BaseException as error:  # SystemExit, KeyboardInterrupt: here they end nothing
        raise Broken(f"the file {_in_words(error, path)}") from None
    return module


def _refuse_answers(tree: ast.AST) -> None:
    """Raise for an import of an answer, even where it is not reached."""
    for node in ast.walk(tree):
        names: list[Any] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            function = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if function in ("__import__", "import_module", "run_module"):
                names = [node.args[0].value]
        for name in names:
            _refuse(str(name), f" (line {node.lineno})")  # type: ignore[attr-defined]


def _refuse(name: str, where: str = "") -> None:
    package = name.partition(".")[0]
    if package in ANSWERS:
        raise Broken(
            f"your file imports {name}{where}: that is {ANSWERS[package]}, and the exercise is to "
            "do without it"
        )


def _guarded_import(name: str, *arguments: Any, **more: Any) -> Any:
    _refuse(name)
    return builtins.__import__(name, *arguments, **more)


def _in_words(error: BaseException, path: Path) -> str:
    """Name the error, and its line in the student's file."""
    if isinstance(error, SystemExit):
        words = "ends the program: take the exit out"
    elif isinstance(error, MemoryError):
        words = "asks for more memory than the checker gives (1 GB)"
    elif isinstance(error, RecursionError):
        return "calls itself without end"
    else:
        text = " ".join(str(error).split())
        words = f"raised {type(error).__name__}: {text}" if text else f"raised {error!r}"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    if not lines or lines[-1] is None:
        return f"{words:.300}"
    source = linecache.getline(str(path), lines[-1]).strip()
    return f"{words:.300} (line {lines[-1]}: {source:.80})"
