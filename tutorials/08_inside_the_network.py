"""
Inside the network
==================

**Question.** A trained ESPCN enlarges a picture. What does each of its parts do, and how can nine
small pictures hold details that none of them could hold by itself?

**Predict before you run.** Write down your answers.

- Nine channels of 2×2 pixels make an image of 6×6. You set channel 4 to 0. How many pixels of the
  image go black, and where are they?
- You silence one of the 32 feature maps before the last layer instead. How many of the nine places
  in a block change?
- Channel 5 is channel 4 seen from a third of a pixel further right. A wave in the picture has a
  quarter of a cycle per pixel. By what angle does its phase differ between the two?
"""

# %%
# A channel is a place
# --------------------
# The numbers 1 to 36 in nine channels, and channel 4 silenced. As 4 = 1·3 + 1, it fills row 1,
# column 1 of every block, and nothing else.

from pathlib import Path

import numpy as np
from matplotlib import cbook
from matplotlib.figure import Figure

from npespcn import figures, pretrained
from npespcn.evaluation import psnr
from npespcn.models import ESPCN
from npespcn.pictures import downscale, quantize, read_image, rgb_to_y
from npespcn.shuffle import pixel_shuffle, pixel_unshuffle

OUT = Path("runs/tutorials")
OUT.mkdir(parents=True, exist_ok=True)

numbers = np.arange(1, 37).reshape(9, 2, 2)
numbers[4] = 0
print(pixel_shuffle(numbers, 3)[0])

# %%
# Filters and feature maps
# ------------------------
# Each of the 64 filters weighs 5×5 pixels: orange adds, purple subtracts. Before training they are
# noise. Training moves their strength to the middle: the nearest pixels say most about what lies
# between them. Many become differences of neighbors, which find edges of one direction.
#
# A feature map is what a filter finds, after tanh, here in a face. It has one number for each LR
# pixel: no map is larger than the picture. A map of the second layer combines all 64 of the first,
# over 3×3 pixels. Each filter and each map is drawn relative to its largest value.

photograph = read_image(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))[:510, :510]
original = rgb_to_y(photograph.astype(np.float32)) / 255  # (510, 510)
x = rgb_to_y(downscale(photograph, 3).astype(np.float32))[None, None] / 255  # (1, 1, 170, 170)
face, model = x[:, :, 26:90, 58:122], pretrained(3)
first = model.layers["act1"].predict(model.layers["conv1"].predict(face))  # (1, 64, 60, 60)
second = model.layers["act2"].predict(model.layers["conv2"].predict(first))  # (1, 32, 58, 58)
new = ESPCN(**model.options).params["conv1.weight"][:, 0]  # as it was before training
trained = model.params["conv1.weight"][:, 0]
for name, filters in {"before": new, "after": trained}.items():
    share = (filters[:, 1:4, 1:4] ** 2).sum() / (filters**2).sum()
    print(f"{name} training, the inner 9 of 25 taps hold {share:.0%} of the filters' power")
    assert (share > 0.45) == (name == "after")


def draw(axes, title, arrays):
    side = round(len(arrays) ** 0.5)  # as many rows as columns
    tiles = arrays / np.abs(arrays).max(axis=(1, 2), keepdims=True)
    tiles = np.pad(tiles, ((0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    mosaic = np.block([list(tiles[row * side : (row + 1) * side]) for row in range(side)])
    axes.imshow(mosaic[:-1, :-1], cmap="PuOr_r", vmin=-1, vmax=1, interpolation="nearest")
    axes.set(title=title, xticks=(), yticks=(), facecolor="0.6")


figure = Figure(figsize=(10, 5.3), layout="constrained")
left, right = figure.subplots(1, 2)
draw(left, "64 filters before training", new)
draw(right, "64 filters after training", trained)
figures.save(figure, OUT / "08_filters.png")

figure = Figure(figsize=(10, 5.3), layout="constrained")
left, right = figure.subplots(1, 2)
draw(left, "16 of 64 maps of layer 1", first[0, :16])
draw(right, "16 of 32 maps of layer 2", second[0, :16])
figures.save(figure, OUT / "08_maps.png")

# %%
# Nine channels, one image
# ------------------------
# The last layer makes nine pictures that look alike. What counts is how they differ: each is the
# picture as sampled from its own place. To check that, take the nine samplings of the original,
# which is what unshuffle does. Each channel is nearer to its own than to the eight others.

channels = figures.subpixel_channels(model, x)[0]  # (9, 170, 170)
image = pixel_shuffle(channels, 3)[0]  # (510, 510)
assert np.allclose(image, model.predict(x)[0, 0], atol=1e-5)
sampled = pixel_unshuffle(original[None], 3)  # (9, 170, 170)
errors = ((channels[:, None] - sampled) ** 2).mean(axis=(2, 3)) ** 0.5  # (9, 9)
assert np.array_equal(errors.argmin(axis=1), np.arange(9))
maps = figures.channel_maps(figures.subpixel_channels(model, face)[0], model.predict(face)[0])
figures.save(maps, OUT / "08_channels.png")

# %%
# The spectrum of each channel
# ----------------------------
# A shift leaves the magnitudes of a spectrum as they are. A wave of f cycles per pixel, seen from d
# pixels further on, is 2π·f·d ahead: a quarter of a cycle and a third of a pixel make 30 degrees.
# So the nine channels have nearly the same magnitudes, and their phases lie on straight lines. The
# slopes are the places: -1/3, 0 or 1/3 of a pixel from channel 4. Nobody told the network: that is
# how its nine targets lie (dotted). No channel can show a wave above half a cycle per pixel: it
# looks like a slower one. But a slower one would have other phases. So together they can.

window = np.hanning(170)[:, None] * np.hanning(170)
f, low = np.fft.fftfreq(170), np.abs(np.fft.fftfreq(170)) < 0.25
spectra = np.fft.fft2((channels - channels.mean(axis=(1, 2), keepdims=True)) * window)
cross = spectra * spectra[4].conj()  # its angle is the phase that a channel is ahead of channel 4
phases = np.angle([cross[:, low].sum(axis=1), cross[:, :, low].sum(axis=2)])[..., :43]  # (2, 9, 43)
slopes = phases @ f[:43] / (f[:43] @ f[:43]) / (2 * np.pi)
print("columns to the right, rows down:", *slopes.reshape(2, 3, 3).round(2) + 0, sep="\n")
print(f"channel 5 at {f[42]:.2f} cycles per pixel: {np.degrees(phases[0, 5, 42]):.0f} degrees")
assert np.abs(slopes - (np.indices((3, 3)).reshape(2, 9)[::-1] - 1) / 3).max() < 0.1
figure = Figure(figsize=(10, 4.5), facecolor="white", layout="constrained")
left, right = figure.subplots(1, 2)
for k, color in enumerate(figures.channel_colors(9)):
    left.semilogy(f[:85], np.abs(spectra[k, low, :85]).mean(axis=0), color=color, label=f"{k}")
    right.plot(f[:43], np.degrees(phases[0, k]), "o-", color=color, ms=4)
right.plot(f[:43], np.outer(f[:43], (-120, 0, 120)), "k:")
left.set(title="Magnitude", xlabel="cycles per LR pixel in a row", ylabel="mean magnitude")
right.set(title="Phase ahead of channel 4", xlabel="cycles per LR pixel in a row", ylabel="degrees")
figure.legend(loc="outside right center", title="channel")
figures.save(figure, OUT / "08_spectrum.png")

# %%
# What breaks: a part is silenced
# -------------------------------
# Without channel 4, one pixel in nine is black: exactly (1, 1) in every block. Without one feature
# map, all nine places change: a map belongs to no place, and every channel uses it. (This map
# carries much of the brightness, so the picture fades.) With channel 4 in all nine places the
# magnitudes stay, and the phases are lost: squares. So the details were in the phases. **Next:**
# lesson 9 measures. Try first: which feature map is missed most?

silent, weight = channels.copy(), model.params["conv3.weight"]  # (9, 32, 3, 3)
silent[4] = 0
changed = pixel_shuffle(silent, 3)[0] != image
assert changed[1::3, 1::3].all()
assert changed.sum() == 170 * 170
weight[:, (weight**2).sum(axis=(0, 2, 3)).argmax()] = 0  # the map with the largest weights
deaf = figures.subpixel_channels(model, x)[0]
print("change of each place:", np.abs(deaf - channels).mean(axis=(1, 2)).reshape(3, 3).round(3))
assert np.abs(deaf - channels).mean(axis=(1, 2)).min() > 1e-3
parts = {
    "all channels": channels,
    "without channel 4": silent,
    "without one feature map": deaf,
    "nine times channel 4": channels[[4] * 9],
}
pictures = {name: pixel_shuffle(part, 3)[0] for name, part in parts.items()}
scores = {name: psnr(255 * y, 255 * original) for name, y in pictures.items()}
assert scores["all channels"] == max(scores.values())
pictures = {name: quantize(255 * y) for name, y in pictures.items()}
captions = {name: f"{score:.2f} dB" for name, score in scores.items()}
figure = figures.before_after(pictures, (200, 150, 260, 210), captions=captions, title="Silenced")
figures.save(figure, OUT / "08_silenced.png")
print(captions, *sorted(OUT.glob("08_*.png")), sep="\n")
