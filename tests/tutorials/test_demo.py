from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import npespcn
from npespcn import runs
from npespcn.models import ESPCN
from npespcn.pictures import read_image

DEMO = Path(__file__).parents[2] / "tutorials" / "demo.py"
PICTURES = ["before_after.png", "channel_map.png", "grace_hopper_x3.png", "learning_curve.png"]
EARLIER = ["best.npz", "history.csv", "last.npz"]


def run_demo(monkeypatch, out, *flags):
    words = [str(DEMO), "--steps", "12", "--pictures", "2", "--out", str(out), *flags]
    monkeypatch.setattr(sys, "argv", words)
    return runpy.run_path(str(DEMO), run_name="__main__")


def test_the_demo_does_all_that_it_promises(tmp_path, monkeypatch, capsys):
    for name in (*EARLIER, "precious.npz"):
        (tmp_path / name).write_text("from before")
    run_demo(monkeypatch, tmp_path)

    files = {path.name: path for path in tmp_path.iterdir()}
    assert sorted(files) == sorted([".lock", "precious.npz", *EARLIER, *PICTURES])
    assert files["precious.npz"].read_text() == "from before"
    for name in PICTURES:
        picture = read_image(files[name])
        assert min(picture.shape[:2]) > 400
        assert np.ptp(picture) > 200
    with Image.open(files["grace_hopper_x3.png"]) as image:
        assert image.size == (510, 600)  # the photograph has 512 by 600 pixels
    best, last = (npespcn.load(files[name]) for name in ("best.npz", "last.npz"))
    assert best.options == last.options == ESPCN(3, padding="edge").options
    rows = files["history.csv"].read_text().splitlines()
    assert rows[0] == "step,lr,loss,val_psnr"
    assert [row.partition(",")[0] for row in rows[1:]] == ["10", "12"]

    words = capsys.readouterr().out
    assert re.search(r"^bicubic +27\.57 dB +0\.8158$", words, re.MULTILINE)
    scores = re.search(r"^this network +(\d+\.\d\d) dB +(0\.\d{4})$", words, re.MULTILINE)
    assert float(scores[1]) > 10
    assert "trained 12 steps" in words
    for name in PICTURES:
        assert f"{tmp_path / name}\n" in words


def test_the_demo_leaves_a_demo_that_is_still_running_alone(tmp_path, monkeypatch):
    (tmp_path / "last.npz").write_text("of the other")
    with (
        runs.RunFolder(tmp_path, resume=True),
        pytest.raises(FileExistsError, match="another process"),
    ):
        run_demo(monkeypatch, tmp_path)
    assert (tmp_path / "last.npz").read_text() == "of the other"


def test_ctrl_c_ends_the_demo_without_a_traceback(tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "fit", interrupt)
    with pytest.raises(SystemExit) as caught:
        run_demo(monkeypatch, tmp_path)
    assert caught.value.code == 130
