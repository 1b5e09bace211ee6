"""Which tests are slow, the array modules as fixtures, and signals as a test expects them."""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from helpers import require_gpu

# Files and folders that `make test` leaves to `make test-slow`. Some files mark tests themselves.
SLOW = {
    *("faults", "gpu", "hostile", "test_arguments.py", "test_package.py", "test_checker.py"),
    *("test_mpi.py", "test_processes.py", "test_train_command.py"),
    *("test_video.py",),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name != "test_book.py")  # the book's promises first
    for item in items:
        if SLOW.intersection(item.path.parts):
            item.add_marker("slow")


@pytest.fixture(
    scope="module",  # hypothesis refuses function-scoped fixtures
    params=["numpy", "strict_cupy", pytest.param("cupy", marks=pytest.mark.gpu)],
)
def xp(request: pytest.FixtureRequest) -> Any:
    """NumPy, the stand-in for CuPy that refuses what CuPy refuses, or CuPy where a device answers.

    Make arrays on the host, hand them over with ``xp.asarray(x)``, read results with ``to_host``.
    """
    return require_gpu() if request.param == "cupy" else importlib.import_module(request.param)


@pytest.fixture(params=["strict_cupy", pytest.param("cupy", marks=pytest.mark.gpu)])
def gpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """CuPy where a device answers, or the stand-in in its place: ``to_device(x)`` leads there."""
    if request.param == "cupy":
        return require_gpu()
    stand_in = importlib.import_module("strict_cupy")
    monkeypatch.setitem(sys.modules, "cupy", stand_in)
    return stand_in


@pytest.fixture(scope="session", autouse=True)
def heed_signals() -> Iterator[None]:
    """Heed Ctrl-C and SIGTERM, here and in processes that tests start.

    A shell starts what it runs in the background with Ctrl-C ignored, and that is inherited.
    """
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
