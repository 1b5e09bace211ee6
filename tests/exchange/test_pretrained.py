"""The networks that come with the package: whole, described, and as good as their files say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import npespcn
from npespcn.data.dead_leaves import dead_leaves_pictures
from npespcn.data.patches import validation_pairs
from npespcn.evaluation.protocol import evaluate, mean_score
from npespcn.evaluation.testsets import find_pictures
from npespcn.evaluation.validation import bicubic_score, validate
from npespcn.models import ESPCN, PRETRAINED

FOLDER = Path(npespcn.__file__).parent / "weights"
SET5 = Path(__file__).parents[2] / "shared/data/Set5"
every_scale = pytest.mark.parametrize("scale", PRETRAINED)


@every_scale
def test_it_is_the_papers_network(scale):
    model = ESPCN.pretrained(scale)
    plain = {"channels": 1, "activation": "tanh", "output": None, "tail": False}
    assert {name: model.options[name] for name in plain} == plain
    assert (model.scale, model.padding) == (scale, "edge")
    assert {array.dtype for array in model.params.values()} == {np.dtype("float32")}
    assert (FOLDER / f"espcn_x{scale}.npz").stat().st_size < 110_000


@every_scale
def test_a_file_beside_it_says_where_it_came_from(scale):
    about = json.loads((FOLDER / f"espcn_x{scale}.json").read_text("utf-8"))
    assert about["scale"] == scale
    assert about["recipe"][-1].startswith(f"npespcn train --scale {scale} ")
    assert {"data", "terms", "steps", "seed", "scores", "again"} <= about.keys()


@every_scale
def test_it_beats_bicubic_on_pictures_that_it_has_not_seen(scale):
    pairs = validation_pairs(dead_leaves_pictures(2, 320, seed=123), scale)
    assert validate(ESPCN.pretrained(scale), pairs) > bicubic_score(pairs) + 2


@every_scale
def test_grey_stays_grey(scale):
    levels = np.linspace(16, 235, 12, dtype=np.float32).reshape(-1, 1, 1, 1) / 255
    y = ESPCN.pretrained(scale).predict(np.broadcast_to(levels, (12, 1, 5, 6)))
    assert np.abs(y - levels).max() * 255 < 1


@every_scale
@pytest.mark.skipif(not SET5.is_dir(), reason="Set5 is not here")
def test_its_scores_are_those_in_the_file(scale):
    about = json.loads((FOLDER / f"espcn_x{scale}.json").read_text("utf-8"))
    scores = list(evaluate(find_pictures(SET5, scale), ESPCN.pretrained(scale)))
    mean = mean_score(score.network for score in scores)
    assert mean.psnr == pytest.approx(about["scores"]["network"]["psnr"], abs=0.005)
    assert mean.ssim == pytest.approx(about["scores"]["network"]["ssim"], abs=0.0005)


@pytest.mark.parametrize("scale", [1, 5, 0, 2.0, "2"])
def test_other_scales_are_refused(scale):
    with pytest.raises((TypeError, ValueError), match=r"scale|networks for 2, 3, 4"):
        ESPCN.pretrained(scale)
