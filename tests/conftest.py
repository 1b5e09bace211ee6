"""The fixture that runs a test of the maths on NumPy, on the stand-in and on a GPU."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from helpers import require_gpu


@pytest.fixture(
    scope="module",  # hypothesis refuses function-scoped fixtures
    params=["numpy", "strict_cupy", pytest.param("cupy", marks=pytest.mark.gpu)],
)
def xp(request: pytest.FixtureRequest) -> Any:
    """NumPy, the stand-in for CuPy that refuses what CuPy refuses, or CuPy where a device answers.

    Make arrays on the host, hand them over with ``xp.asarray(x)``, read results with ``to_host``.
    """
    return require_gpu() if request.param == "cupy" else importlib.import_module(request.param)
