"""What the tests of the protocol and of ``npespcn evaluate`` share."""

import math

import numpy as np
import pytest
from PIL import Image

from npespcn.data import dead_leaves_pictures
from npespcn.evaluation import evaluate, find_pictures, ssim
from npespcn.models import ESPCN
from npespcn.pictures import downscale


def save(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(path)


def save_pair(folder, hr, lr, name="a.png"):
    save(folder / "HR" / name, hr)
    save(folder / "LR" / name, lr)


def gray(level, width, height):
    return Image.new("L", (width, height), level)


def leaves(height=50, width=62, seed=0):
    return dead_leaves_pictures(1, 80, seed)[0][:height, :width]


def only(folder, scale=None, model=None):
    """Return the score of the only picture in a folder."""
    (score,) = evaluate(find_pictures(folder, scale), model)
    return score


def decibels(mean_square):
    return 10 * math.log10(255**2 / mean_square)


def score_by_hand(a, b, border):
    a, b = (x[border:-border, border:-border].astype(float) for x in (a, b))
    return pytest.approx((decibels(np.mean((a - b) ** 2)), ssim(a, b)), abs=1e-9)


def ssim_of_flat(a, b):
    """Without variance only the means are left of it."""
    c1 = 2.55**2
    return (2 * a * b + c1) / (a * a + b * b + c1)


def copier(scale, channels=1, padding="edge", gain=1.0, bias=0.0, dtype="float32"):
    """Return a network that copies each pixel r*r times, times `gain`, plus `bias`."""
    model = ESPCN(scale, channels, activation="relu", padding=padding, dtype=dtype)
    for name, param in model.params.items():
        param[...] = 0
        if name.endswith("weight"):
            middle, copies = param.shape[2] // 2, scale**2 if name.startswith("conv3") else 1
            for c in range(channels):
                param[c * copies : (c + 1) * copies, c, middle, middle] = 1
    model.params["conv3.weight"] *= gain
    model.params["conv3.bias"] += bias
    return model


def copied(picture, r):
    return picture.repeat(r, axis=0).repeat(r, axis=1)


def damaged(folder):
    """Fill a folder with pictures for scale 3: two that can be scored, and six that cannot."""
    save(folder / "HR" / "1.png", leaves())
    save(folder / "HR" / "20.png", leaves(seed=1))
    for name in ("1.png", "20.png", "cut.png", "empty.jpg", "other.png"):
        save(folder / "LR" / name, downscale(leaves(), 3))
    whole = (folder / "HR" / "1.png").read_bytes()
    (folder / "HR" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "HR" / "empty.jpg").touch()
    save_pair(folder, gray(1, 48, 15), gray(1, 16, 5), "flat.png")
    save_pair(folder, gray(1, 48, 48), gray(1, 12, 12), "wrong.png")
    save(folder / "HR" / "lonely.png", leaves())
    return folder


FAILED = ["lonely.png", "other.png", "cut.png", "empty.jpg", "flat.png", "wrong.png"]
