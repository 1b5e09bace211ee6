"""
A real picture
==============

**Question.** The network enlarges one plane of brightness. A real picture has color, perhaps
transparency, and any size; a film has thousands of frames. How does the one serve the other?

**Predict before you run.** Write down your answers.

- An opaque red pixel, (255, 0, 0, 255), lies beside a clear one, (0, 0, 0, 0). Half way between the
  two, the mean of each number is taken. What color is that, and what color should it be?
- A picture is enlarged in two halves. How many input pixels beyond the cut must each half see?
- How many color frames of 96×128 pixels does your machine enlarge in a second?
"""

# %%
# Color
# -----
# Y is brightness; Cb and Cr say how blue and how red. A ramp of near-grays has all its steps in Y.
# Most pictures have nearly all of their detail there, and the eye sees it best there. Therefore
# ``upscale`` gives Y to the network, and Cb and Cr to bicubic interpolation. Written out:

import time
from pathlib import Path

import numpy as np
from matplotlib import cbook
from matplotlib.figure import Figure

from npespcn import figures, pretrained, upscale
from npespcn.evaluation import psnr
from npespcn.fast import accelerate
from npespcn.models import ESPCN
from npespcn.pictures import (
    downscale,
    quantize,
    read_image,
    rgb_to_ycbcr,
    upscale_bicubic,
    ycbcr_to_rgb,
)

OUT = Path("runs/tutorials")
OUT.mkdir(parents=True, exist_ok=True)

ramp = 14 * np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
print("Y, Cb, Cr:", *np.moveaxis(rgb_to_ycbcr(ramp), -1, 0), sep="\n")

model = pretrained(3)
photograph = read_image(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))[:450, 30:480]
small = downscale(photograph, 3)  # (150, 150, 3)
planes = np.moveaxis(rgb_to_ycbcr(small.astype(np.float32)), -1, 0)  # (3, 150, 150)
y = 255 * model.predict(planes[None, :1] / 255)[0, 0]  # (450, 450)
ycbcr = np.stack([y, upscale_bicubic(planes[1], 3), upscale_bicubic(planes[2], 3)], axis=-1)
larger, bicubic = upscale(small, 3, model), upscale_bicubic(small, 3)
print(f"RGB: bicubic {psnr(bicubic, photograph):.2f} dB, upscale {psnr(larger, photograph):.2f} dB")
assert np.abs(ycbcr_to_rgb(ycbcr).clip(0, 255) - larger).max() < 0.51  # rounding to 8 bits
assert psnr(larger, photograph) > psnr(bicubic, photograph) + 1

# %%
# Transparency, and what breaks: fringes
# --------------------------------------
# A clear pixel has a color too, which nobody sees: black in the numbers below, green in the
# picture. Interpolate each plane by itself, and that runs into the color beside it: a fringe. A
# color should count as much as it is seen: multiply by alpha, interpolate, divide by alpha again.
#
# A network is not linear, and the division would not come out. So ``upscale`` takes from it only
# what it *adds* to bicubic interpolation, in a picture whose clear parts are filled with the mean
# of what can be seen around them. Alpha itself is a plane like Y, and goes through the network.

pixels = np.array([[255, 0, 0, 255], [0, 0, 0, 0]])
color, weight = pixels[:, :3], pixels[:, 3:] / 255
print("each plane by itself:", pixels.mean(axis=0))
print("weighted by alpha:", (color * weight).mean(axis=0) / weight.mean())


def enlarge(rgb):
    rgba = np.concatenate([np.where(alpha > 0, rgb, green), alpha], axis=-1)
    by_plane = np.stack([upscale(rgba[..., i], 3, model) for i in range(4)], axis=-1)
    return {"each plane by itself": by_plane, "upscale": upscale(rgba, 3, model)}


def on_white(rgba):
    weight = rgba[..., 3:] / 255
    return quantize(rgba[..., :3] * weight + 255 * (1 - weight))


row, column = np.indices((450, 450))
oval = (255 * (((row - 225) / 205) ** 2 + ((column - 235) / 150) ** 2 < 1)).astype(np.uint8)
alpha = downscale(oval, 3)[..., None]  # (150, 150, 1)
green, orange = np.uint8([0, 255, 0]), np.uint8([240, 130, 20])
for name, y in enlarge(orange).items():
    error = np.abs(y[y[..., 3] > 127, :3] - orange.astype(int)).max()
    print(f"an orange oval, {name}: off by up to {error}")
    assert error <= 1 if name == "upscale" else error > 50

shown = {name: on_white(y) for name, y in enlarge(small).items()}
shown["original"] = on_white(np.concatenate([photograph, oval[..., None]], axis=-1))
drawn = figures.before_after(shown, (350, 95, 400, 145), title="Cut out, enlarged, put on white")
figures.save(drawn, OUT / "10_alpha.png")
print(OUT / "10_alpha.png")

# %%
# Tiles, and what breaks: too small a halo
# ----------------------------------------
# The 64 feature maps of a 12-megapixel photograph would fill 3 GB, and the columns of the middle
# layer's matrix product 28 GB. So ``upscale`` cuts a picture into tiles. An output pixel depends on
# 4 input pixels to each side (lesson 4): a tile that comes with a *halo* of 4 has no seam. Below,
# two halves get h pixels beyond the cut. ``predict_tile`` is told how many are missing, and repeats
# the edge instead. With 3 the error is smallest, but you still see a line down the picture.

exact = ESPCN(**model.options | {"dtype": "float64"})  # to tell an error from rounding
exact.load_state_dict(model.state_dict())
exact = accelerate(exact)
x = planes[None, :1].astype(float) / 255
whole, middle = exact.predict(x), 75
print("64 maps of 12 million pixels, 4 bytes each:", 64 * 12e6 * 4 / 1e9, "GB")
figure = Figure(figsize=(10, 3.8), facecolor="white", layout="constrained")
axes = figure.subplots()
for h, marker in enumerate("osDv^"):
    left = exact.predict_tile(x[..., : middle + h], ((4, 4), (4, 4 - h)))
    right = exact.predict_tile(x[..., middle - h :], ((4, 4), (4 - h, 4)))
    error = 255 * np.abs(np.concatenate([left, right], axis=-1) - whole).max(axis=(0, 1, 2))
    wrong = np.flatnonzero(error > 1e-9) - 3 * middle  # counted from the cut
    print(f"halo {h}: off by up to {error.max():.1e} gray levels in {wrong.size} columns")
    assert np.array_equal(wrong, np.arange(-3 * (4 - h), 3 * (4 - h)))
    axes.semilogy(np.arange(-15, 15) + 0.5, error[210:240], f"-{marker}", label=f"halo {h}")
axes.set(title="Two halves: largest error", xlabel="columns from the cut", ylabel="gray levels")
axes.legend(loc="right")
figures.save(figure, OUT / "10_halo.png")
print(OUT / "10_halo.png")
assert np.abs(upscale(small, 3, model, tile=50) - larger.astype(int)).max() <= 1  # float32

# %%
# A short clip
# ------------
# A film is enlarged frame by frame; no frame knows of the others. Here the camera moves down and
# right by one HR pixel a frame, a third of an LR pixel. After three frames it has moved by one LR
# pixel, and the results are the same except for the move. After one frame they are not: edges meet
# the grid in another way, and shimmer. **Next:** ``npespcn upscale clip.mp4``; lesson 11, on a GPU.

clip = [downscale(photograph[t : t + 288, t : t + 384], 3) for t in range(24)]  # (96, 128, 3)
start = time.perf_counter()
film = [upscale(frame, 3, model) for frame in clip]
title = f"{len(clip) / (time.perf_counter() - start):.0f} frames a second, 96×128 to 288×384 pixels"
print(title)
for t in (1, 3):
    change = np.abs(film[t][:-t, :-t] - film[0][t:, t:].astype(int))[18:-18, 18:-18]
    print(f"moved by {t} of 3: changed by {change.mean():.2f} on average, {change.max()} at most")
    assert change.max() <= 1 if t == 3 else change.mean() > 1

figure = Figure(figsize=(10, 4.2), facecolor="white", layout="constrained")
figure.suptitle(title, weight="bold")
for row, frames in zip(figure.subplots(2, 4), (clip, film), strict=True):
    row[0].set_ylabel("{}×{} pixels".format(*frames[0].shape))
    for t, axes in zip((0, 8, 16, 23), row, strict=True):
        axes.imshow(frames[t], interpolation="nearest")
        axes.set(title=f"frame {t}", xticks=(), yticks=())
figures.save(figure, OUT / "10_clip.png")
print(OUT / "10_clip.png")
