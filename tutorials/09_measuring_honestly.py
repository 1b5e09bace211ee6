"""
Measuring honestly
==================

**Question.** Two people enlarge the same photograph with the same network. One reports a figure
that is more than a decibel above the other's. How can both be right, and which figures compare?

**Predict before you run.** Write down your answers.

- A picture is off by exactly one gray level at every pixel. What is its PSNR?
- Luma from 16 to 235 is stretched to 0 to 255, and its errors with it. How many decibels is that?
- Somebody makes the small picture by blurring and keeping every third pixel, ``[::3]``. The network
  was trained on a careful resize. Does it lose a tenth of a decibel, one, or more?
"""

# %%
# One number from many errors
# ---------------------------
# PSNR is 10·log10(255² / MSE), and MSE is the mean of the squared errors. It does not see where
# the errors are: sixteen of 1 weigh as much as one of 4. Two traps: ``uint8`` has no -1, so 0 - 1
# is 255. And rounding hides an error of 0.4: PSNR becomes infinite. SSIM compares 11×11 windows by
# mean, contrast and structure. A picture that is 8 too bright everywhere has the PSNR of one with 8
# too much or too little at random. SSIM tells them apart.

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from matplotlib import cbook
from matplotlib.figure import Figure
from PIL import Image, ImageFilter

from npespcn import figures, pretrained, upscale
from npespcn.evaluation import evaluate, find_pictures, protocol, psnr, ssim
from npespcn.pictures import downscale, read_image, rgb_to_y, upscale_bicubic, write_image

OUT = Path("runs/tutorials")
OUT.mkdir(parents=True, exist_ok=True)

a = np.arange(16, dtype=np.uint8).reshape(4, 4)
one = a + 4 * (a == 15)
print(a, f"all off by 1: {psnr(a, a + 1):.2f} dB, one off by 4: {psnr(a, one):.2f} dB", sep="\n")
print("a - (a + 1) in uint8 is", np.unique(a - (a + 1)))
print(f"all off by 0.4: {psnr(a, a + 0.4):.2f} dB, rounded: {psnr(a, np.rint(a + 0.4))} dB")
assert np.allclose([psnr(a, a + 1), psnr(a, one)], 20 * np.log10(255))

photograph = read_image(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))[:600, :510]
target = rgb_to_y(photograph.astype(float))  # luma, not rounded
noise = np.random.default_rng(0).choice([-8, 8], target.shape)
for name, x in {"everywhere": target + 8, "at random": target + noise}.items():
    print(f"8 off {name}: {psnr(target, x):.2f} dB, SSIM {ssim(target, x):.3f}")
assert ssim(target, target + 8) > 0.9 > ssim(target, target + noise)

# %%
# Seven protocols
# ---------------
# The literature takes luma in studio range (black 16, white 235), rounds it to 8 bits, leaves out
# a border as wide as the scale, and makes LR (low resolution) by MATLAB's bicubic. Other programs
# differ in one step or another. The first four below only use another ruler: bicubic interpolation
# moves with the network, and the gain stays. The last two set another task, and the gain is lost.
#
# - *unrounded*, *whole picture*: yjn870/ESPCN-pytorch, ``test.py``;
# - *full range*, (Y - 16)·255/219, and unrounded: pytorch/examples, ``super_resolution``;
# - *RGB*, the mean over red, green and blue: keras-io, ``super_resolution_sub_pixel.py``;
# - *blur, then [::3]*: drakelevy/ESPCN-TensorFlow, ``prepare_data.py``;
# - *no antialiasing*, ``cv2.resize``: fannymonori/TF-ESPCN, ``run.py``. At 1/3 its cubic kernel
#   hits the middle pixel of each 3×3 block with weight 1, its neighbors with 0: ``[1::3, 1::3]``.


def eight(y):
    return np.clip(np.floor(y + 0.5), 0, 255).astype(np.uint8)  # halves up, as in MATLAB


# A protocol gets the luma, not rounded, and the RGB picture that somebody made of LR. It returns
# the arguments of psnr: what to compare with what, the range of the numbers, the border to leave
# out.


def literature(y, rgb):
    return eight(y), eight(target), 255, 3


def unrounded(y, rgb):
    return y, target, 255, 3


def full_range(y, rgb):
    return (y - 16) * 255 / 219, (target - 16) * 255 / 219, 255, 3


def whole_picture(y, rgb):
    return eight(y), eight(target), 255, 0


def on_rgb(y, rgb):
    return rgb, photograph, 255, 3


model = pretrained(3)
careful = downscale(photograph, 3)
blurred = np.asarray(Image.fromarray(photograph).filter(ImageFilter.GaussianBlur(1)))
protocols = {
    "the literature": (careful, literature),
    "unrounded": (careful, unrounded),
    "full range, unrounded": (careful, full_range),
    "whole picture": (careful, whole_picture),
    "RGB": (careful, on_rgb),
    "LR: blur, then [::3]": (blurred[::3, ::3], literature),
    "LR: no antialiasing": (photograph[1::3, 1::3], literature),
}
scores, pictures = {}, {}
print(f"{'':25}network    SSIM   bicubic     gain")
for name, (lr, compare) in protocols.items():
    y = model.predict(rgb_to_y(lr)[None, None].astype(np.float32) / 255)[0, 0] * 255
    ours = compare(y, upscale(lr, 3, model))
    plain = upscale_bicubic(lr, 3)
    theirs = compare(rgb_to_y(plain.astype(float)), plain)
    a, b = scores[name] = psnr(*ours), psnr(*theirs)
    print(f"{name:22}{a:10.3f}{ssim(*ours):8.4f}{b:10.3f}{a - b:+9.3f}")
    if compare is literature:
        pictures[name] = eight(y)

network, bicubic = np.transpose(list(scores.values()))
assert np.isclose(network[1] - network[2], 20 * np.log10(255 / 219), atol=1e-9)  # 1.32 dB
assert 0 < abs(network[1] - network[0]) < 0.05 < 1 < network[0] - max(network[4:])
assert len(np.unique(network.round(3))) >= 5
print(f"full range costs {network[1] - network[2]:.4f} dB = 20·log10(255/219)")
gain = network - bicubic
assert max(abs(gain[:5] - gain[0])) < 0.3 < 1 < gain[0] - max(gain[5:])

figure = Figure(figsize=(10, 4.2), facecolor="white", layout="constrained")
axes = figure.subplots()
for label, style, values in (("network", "oC0", network), ("bicubic", "sC1", bicubic)):
    axes.plot(values, list(scores), style, ms=9, label=label)
    for i, value in enumerate(values):
        axes.text(value, i - 0.2, f"{value:.2f}", ha="center", va="bottom")
axes.set(title="One network, one photograph, seven protocols", xlabel="PSNR (dB)", ylim=(6.5, -0.8))
axes.legend()
figures.save(figure, OUT / "09_protocols.png")
print(OUT / "09_protocols.png")

# %%
# What breaks: a picture that has moved
# -------------------------------------
# ``[::3]`` keeps the upper left pixel of each block. A careful resize is centered on the middle
# one, (r - 1)/2 = 1 pixel further down and right, and that is where the network puts what it is
# given. So its whole output is one pixel off. Move it back, and most of the loss is gone. Without
# antialiasing there is no such cure: edges became stairs, and the network sharpens the stairs.

back = psnr(pictures["LR: blur, then [::3]"][1:, 1:], eight(target)[:-1, :-1], border=3)
print(f"blur, then [::3]: {network[5]:.2f} dB, moved back {back:.2f} dB")
assert back - network[5] > 0.6 * (network[0] - network[5])
captions = {name: f"{scores[name][0]:.2f} dB" for name in pictures}
shown, box = pictures | {"original": eight(target)}, (200, 140, 300, 240)
drawn = figures.before_after(shown, box, captions=captions, title="Three kinds of LR, enlarged")
figures.save(drawn, OUT / "09_low_resolution.png")
print(OUT / "09_low_resolution.png")

# %%
# Say how you measured
# --------------------
# A figure without its protocol means little. ``npespcn evaluate`` prints its own, and bicubic
# interpolation beside the network. If your figure for bicubic interpolation is not the paper's, no
# other figure can be compared either. ``evaluate`` must find what we found. **Next:** exercise 9;
# then lesson 10, whole pictures.

with TemporaryDirectory() as folder:
    write_image(Path(folder) / "photograph.png", photograph)
    found = find_pictures(folder, scale=3)
    (result,) = evaluate(found, model)
print(*(f"{key}: {words}" for key, words in protocol(found, model).items()), sep="\n")
assert np.allclose((result.network.psnr, result.bicubic.psnr), scores["the literature"], atol=1e-9)
