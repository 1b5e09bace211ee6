"""Eight views: the mean over all flips and turns, whatever cuts or pads the image."""

from __future__ import annotations

import copy
from itertools import product
from typing import Any

import numpy as np
import pytest

from npespcn.fast import accelerate, eight_views
from npespcn.models import ESPCN, PADDINGS


def mean_of_views(model: Any, x: Any) -> Any:
    """Ask for each view by itself, in the plainest way."""
    answers = []
    for turns, flip in product(range(4), (False, True)):
        seen = np.rot90(x, turns, axes=(2, 3))
        seen = np.flip(seen, axis=3) if flip else seen
        y = model.predict(seen)
        y = np.flip(y, axis=3) if flip else y
        answers.append(np.rot90(y, -turns, axes=(2, 3)))
    return np.mean(answers, axis=0)


@pytest.mark.parametrize("padding", PADDINGS)
def test_it_is_the_mean_over_all_views(padding: str) -> None:
    x = np.random.default_rng(0).random((2, 3, 20, 27))
    model = ESPCN(2, 3, padding=padding, dtype="float64", widths=(8, 8))
    best = eight_views(model)
    expected = mean_of_views(model, x)
    for network in (best, copy.deepcopy(best), eight_views(accelerate(model)), eight_views(best)):
        np.testing.assert_allclose(network.predict(x), expected, atol=1e-12)
    assert np.abs(model.predict(x) - expected).max() > 0.01
    if padding != "valid":  # whose predictions lack a border
        tile = best.predict_tile(x[..., :15, 3:22], ((4, 0), (0, 0)))  # at the upper edge
        np.testing.assert_allclose(tile, expected[..., : 2 * 11, 2 * 7 : 2 * 18], atol=1e-12)


def test_it_shares_the_parameters_and_trains_as_the_network_does() -> None:
    x = np.random.default_rng(0).random((1, 1, 12, 12), np.float32)
    model = ESPCN(2, padding="edge")
    best = eight_views(model)
    assert all(best.params[name] is param for name, param in model.params.items())
    np.testing.assert_allclose(best.forward(x), model.forward(x), atol=1e-6)
    assert best.predict(x).dtype == np.float32
    with pytest.raises(TypeError, match="network must be a layer"):
        eight_views("x2")
