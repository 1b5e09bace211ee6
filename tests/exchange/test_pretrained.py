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
from npespcn.exchange import PRETRAINED
from npespcn.models import ESPCN

FOLDER = Path(npespcn.__file__).parent / "weights"
SET5 = Path(__file__).parents[3] / "shared/data/Set5"
every_scale = pytest.mark.parametrize("scale", PRETRAINED)


def facts(scale: int) -> Any:
    return json.loads((FOLDER / f"espcn_x{scale}.json").read_text("utf-8"))


@every_scale
def test_it_is_the_papers_network_and_says_where_it_came_from(scale: int) -> None:
    model = npespcn.pretrained(scale)
    assert model.options == ESPCN(scale, padding="edge").options | {"seed": model.options["seed"]}
    assert {array.dtype for array in model.params.values()} == {np.dtype("float32")}
    assert (FOLDER / f"espcn_x{scale}.npz").stat().st_size < 110_000
    assert facts(scale)["scale"] == scale
    assert facts(scale)["recipe"][-1].startswith(f"npespcn train --scale {scale} ")
    assert {"data", "terms", "steps", "seed", "scores", "again"} <= facts(scale).keys()


@every_scale
def test_it_beats_bicubic_on_images_that_it_has_not_seen(scale: int) -> None:
    pairs = validation_pairs(dead_leaves_pictures(2, 320, seed=123), scale)
    assert validate(npespcn.pretrained(scale), pairs) > bicubic_score(pairs) + 2


@every_scale
def test_gray_stays_gray(scale: int) -> None:
    levels = np.linspace(16, 235, 12, dtype=np.float32).reshape(-1, 1, 1, 1) / 255
    y = npespcn.pretrained(scale).predict(np.broadcast_to(levels, (12, 1, 5, 6)))
    assert np.abs(y - levels).max() * 255 < 1


@every_scale
@pytest.mark.skipif(not SET5.is_dir(), reason="Set5 is not here")
def test_its_scores_are_those_in_the_file(scale: int) -> None:
    scores = list(evaluate(find_pictures(SET5, scale), npespcn.pretrained(scale)))
    mean, expected = mean_score(score.network for score in scores), facts(scale)["scores"]
    assert mean.psnr == pytest.approx(expected["network"]["psnr"], abs=0.005)
    assert mean.ssim == pytest.approx(expected["network"]["ssim"], abs=0.0005)


def test_other_scales_are_refused() -> None:
    for scale in (1, 5, 0, 2.0, "2"):
        with pytest.raises((TypeError, ValueError), match=r"^pretrained: scale must be"):
            npespcn.pretrained(scale)
