"""PyTorch's answers: asked live where it is installed, else as recorded in ``answers/``.

``python -m tutorials.exercises.checker.answers`` records them, where torch is installed.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

HERE = Path(__file__).parent
Answer: TypeAlias = tuple[Any, ...]


def answers(name: str, questions: Sequence[Any], ask: Callable[[Any, Any], Answer]) -> list[Answer]:
    """Return the answer to each question: ``ask(torch, question)``, or its recording.

    Parameters
    ----------
    name : str
        The exercise's, which is also the name of its recording.
    questions : sequence
        Whatever `ask` understands.
    ask : callable
        Returns a tuple of arrays, one for each result of the student's function.
    """
    torch = _torch()
    if torch is not None:
        return [ask(torch, question) for question in questions]
    with np.load(HERE / "answers" / f"{name}.npz") as file:
        recorded = {key: file[key] for key in file.files}
    return [
        tuple(recorded[f"{i}.{j}"] for j in range(int(recorded[f"{i}.count"])))
        for i in range(len(questions))
    ]


def record(name: str, given: Sequence[Answer]) -> None:
    """Write the answers down."""
    arrays: dict[str, Any] = {
        f"{i}.{j}": np.asarray(a) for i, each in enumerate(given) for j, a in enumerate(each)
    }
    arrays |= {f"{i}.count": np.asarray(len(each)) for i, each in enumerate(given)}
    np.savez_compressed(HERE / "answers" / f"{name}.npz", **arrays)


def wave(*shape: int, start: float = 0.0) -> Any:
    """Return numbers between -2 and 2, with one decimal, random-looking, the same anywhere.

    Every run of NumPy, now and later, makes the same; a seeded generator promises less.
    """
    n = np.arange(int(np.prod(shape)), dtype=np.float64) + start
    return np.round(2 * np.sin(n * n * 0.7 + n), 1).reshape(shape)


@cache
def _torch() -> Any:
    """Return torch, or None where it is not installed or NPESPCN_RECORDED=1 asks to do without."""
    if os.environ.get("NPESPCN_RECORDED") == "1":
        return None
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return None
    torch.set_num_threads(1)
    return torch


def _main() -> None:
    from tutorials.exercises.checker.exercises import modules

    if _torch() is None:
        raise SystemExit("recording needs torch")
    for name, module in modules().items():
        if hasattr(module, "ask"):
            record(name, answers(name, module.QUESTIONS, module.ask))


if __name__ == "__main__":
    _main()
