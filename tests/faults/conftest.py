"""How long to go on: ``make test-faults ARGS="--kills 100 --minutes 60"``."""

from __future__ import annotations

import random

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    add = parser.addoption
    add("--kills", type=int, default=12, help="of training, and as many of enlarging")
    add("--minutes", type=float, default=None, help="of training in one process, then 1000 images")
    add("--seed", type=int, default=None, help="of the moments; a new one each time without it")


@pytest.fixture(scope="session")
def kills(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--kills"))


@pytest.fixture(scope="session")
def minutes(request: pytest.FixtureRequest) -> float | None:
    value: float | None = request.config.getoption("--minutes")
    return value


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Draws the moments; which ones they were can be had again, so they are said."""
    seed = request.config.getoption("--seed")
    seed = random.SystemRandom().randrange(1 << 32) if seed is None else seed
    print(f"--seed {seed}")  # pytest shows it if the test fails
    return random.Random(seed)  # noqa: S311


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was done, for a report: ``record_property("faults", ...)`` in the tests."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {name}: {value}")
