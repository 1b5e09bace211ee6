"""The networks that come with the package: whole, described, and as good as their files say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import npespcn
from npespcn.data import dead_leaves_pictures, validation_pairs
from npespcn.evaluation import bicubic_score, evaluate, find_pictures, mean_score, validate
from npespcn.exchange import PRETRAINED, WEIGHTS
from npespcn.models import ESPCN

FOLDER = Path(npespcn.__file__).parent / "weights"
SET5 = Path(__file__).parents[3] / "shared/data/Set5"


def every_network(test: Any) -> Any:
    """Run a test for each of them."""
    return pytest.mark.parametrize("weights", WEIGHTS)(
        pytest.mark.parametrize("scale", PRETRAINED)(test)
    )


def facts(scale: int, weights: str) -> Any:
    return json.loads((FOLDER / f"{weights}_x{scale}.json").read_text("utf-8"))


@every_network
def test_it_is_the_papers_network_and_says_where_it_came_from(scale: int, weights: str) -> None:
    model, about = npespcn.pretrained(scale, weights), facts(scale, weights)
    assert model.options == ESPCN(scale, padding="edge").options | {"seed": model.options["seed"]}
    assert {array.dtype for array in model.params.values()} == {np.dtype("float32")}
    assert (FOLDER / f"{weights}_x{scale}.npz").stat().st_size < 110_000
    assert about["scale"] == scale
    assert about["recipe"][-1].startswith(f"npespcn train --scale {scale} ")
    assert {"data", "terms", "steps", "hours", "seeds", "scores", "again", "versions"} <= set(about)
    photographs = any("--data" in command for command in about["recipe"])
    assert photographs == ("T91" in about["terms"]) == (weights == "photographs")


def test_the_default_has_never_seen_a_photograph() -> None:
    for scale in PRETRAINED:
        default, leaves = npespcn.pretrained(scale), npespcn.pretrained(scale, "leaves")
        assert default.params.keys() == leaves.params.keys()
        assert all((x == leaves.params[name]).all() for name, x in default.params.items())


@every_network
def test_it_beats_bicubic_on_images_that_it_has_not_seen(scale: int, weights: str) -> None:
    pairs = validation_pairs(dead_leaves_pictures(2, 320, seed=123), scale)
    assert validate(npespcn.pretrained(scale, weights), pairs) > bicubic_score(pairs) + 2


@every_network
def test_gray_stays_gray(scale: int, weights: str) -> None:
    levels = np.linspace(16, 235, 12, dtype=np.float32).reshape(-1, 1, 1, 1) / 255
    y = npespcn.pretrained(scale, weights).predict(np.broadcast_to(levels, (12, 1, 5, 6)))
    assert np.abs(y - levels).max() * 255 < 1


@every_network
@pytest.mark.skipif(not SET5.is_dir(), reason="Set5 is not here")
def test_its_scores_are_those_in_the_file(scale: int, weights: str) -> None:
    scores = list(evaluate(find_pictures(SET5, scale), npespcn.pretrained(scale, weights)))
    mean, expected = mean_score(score.network for score in scores), facts(scale, weights)["scores"]
    assert mean.psnr == pytest.approx(expected["network"]["psnr"], abs=0.005)
    assert mean.ssim == pytest.approx(expected["network"]["ssim"], abs=0.0005)


def test_other_scales_are_refused() -> None:
    for scale in (1, 5, 0, 2.0, "2"):
        with pytest.raises((TypeError, ValueError), match=r"^pretrained: scale must be"):
            npespcn.pretrained(scale)


def test_other_weights_are_refused() -> None:
    for weights in ("leaf", "", None, 3, ["leaves"]):
        with pytest.raises(
            ValueError, match=r"^pretrained: weights must be one of 'leaves', 'photographs'"
        ):
            npespcn.pretrained(3, weights)
