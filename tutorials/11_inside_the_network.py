"""
Inside the network
==================

**Question.** A trained ESPCN enlarges a photograph. What does each of its parts do? And how can
nine small images hold details that none of them could hold by itself?

:Aim: You can look at the filters, the feature maps and the channels of a network, say what each of
      them contributes, and explain with waves why nine channels hold more than one.
:Minutes: 70
:Needs: Lessons 1, 4 and 5; sine and cosine of an angle, and complex numbers as arrows with a length
      and an angle. Everything else about waves is explained.
:Practice: Play with the :explorer:`photograph and its nine channels <mode=photo>` beside this page.

We open a trained network in two ways. We *remove* a part, and see what is missing in the image.
That shows what the part is needed for. And we *look* at filters, feature maps and channels. But
eyes often see what they expect. So after looking we measure.
"""

# %%
# The output of every layer
# -------------------------
#
# We take the network that comes with this project, for a factor of 3. It works on the brightness of
# a photograph. Its input is the photograph, three times smaller (LR). We let the layers work one
# after the other, and keep the output of every layer.

import drawing
import numpy as np

from npespcn import pretrained
from npespcn.pictures import downscale, rgb_to_y

photograph = drawing.photograph()  # (600, 510, 3)
original = rgb_to_y(photograph.astype(np.float32)) / 255  # (600, 510), the brightness
small = rgb_to_y(downscale(photograph, 3).astype(np.float32)) / 255  # (200, 170)
x = small[None, None]  # (1, 1, 200, 170)

model = pretrained(3)


def look_inside(model, x):
    """Return the output of every layer, by the layer's name."""
    outputs = {}
    y = np.pad(x, ((0, 0), (0, 0), (4, 4), (4, 4)), mode="edge")  # as `predict` does
    for name, layer in model.layers.items():
        y = layer.predict(y)
        outputs[name] = y
    return outputs


inside = look_inside(model, x)
for name, output in inside.items():
    print(f"{name:8}", output.shape)

image = inside["shuffle"][0, 0]  # (600, 510)
assert np.allclose(image, model.predict(x)[0, 0], atol=1e-5)

# %%
# The layers ``act1`` and ``act2`` are the tanh after a convolution. Their outputs are the *feature
# maps*, 64 and then 32. ``conv3`` gives the nine channels, and the shuffle makes one image
# of them. The maps are a little larger than LR, because the edge of the image was repeated by four
# pixels, and each convolution uses up some of them.
#
# Silence a channel
# -----------------
#
# Now we *silence* a part: we set it to 0. First one of the nine channels. Begin with small numbers:
# nine channels of 2×2 pixels, the numbers 1 to 36.
#
# .. predict::
#
#    You set channel 4 to 0, and shuffle. The image has 6×6 pixels. How many of them are 0, and
#    where are they?
#
# .. answer::
#
#    Four: one in each block. As :math:`4 = 1 \cdot 3 + 1`, channel 4 fills place (1, 1), the center
#    of every block. So row 1 and row 4 have zeros, in column 1 and in column 4.

from npespcn.shuffle import pixel_shuffle, pixel_unshuffle

numbers = np.arange(1, 37).reshape(9, 2, 2)
numbers[4] = 0
print(pixel_shuffle(numbers, 3)[0])

assert np.argwhere(pixel_shuffle(numbers, 3)[0] == 0).tolist() == [[1, 1], [1, 4], [4, 1], [4, 4]]

# %%
# The same with the nine channels of the photograph:

channels = inside["conv3"][0]  # (9, 200, 170)
without_4 = channels.copy()
without_4[4] = 0
silenced = pixel_shuffle(without_4, 3)[0]  # (600, 510)

changed = silenced != image
print(f"{changed.sum()} of {changed.size} pixels changed")
assert changed[1::3, 1::3].all()
assert changed.sum() == 200 * 170

# %%
# That is one pixel in nine, the center of every block, and nothing else. A channel belongs to one
# *place*: it makes its pixel of each block, and no other. (Silence :explorer:`channel 4 of the face
# in the explorer <mode=photo&silent=4>`, and then others.)
#
# Silence a feature map
# ---------------------
#
# One layer earlier there are 32 feature maps. We silence one of them, and let the last layer work
# on what remains.
#
# .. predict::
#
#    You silence one of the 32 maps. How many of the nine places of a block change?
#
# .. answer::
#
#    All nine. Each of the nine channels is a weighted sum over *all* 32 maps. So every map is
#    needed in every place, though not equally. A feature map does not belong to a place.

weight = model.params["conv3.weight"]  # (9, 32, 3, 3)
bias = model.params["conv3.bias"]  # (9,)
maps = inside["act2"][0]  # (32, 202, 172)


def without_map(number):
    """Return the nine channels that the last layer makes if one feature map is zero."""
    remaining = maps.copy()
    remaining[number] = 0
    return model.layers["conv3"].predict(remaining[None])[0]  # (9, 200, 170)


for number in (3, 8):
    change = np.abs(without_map(number) - channels).mean(axis=(1, 2))  # (9,)
    print(f"without map {number}, each place changes by so many gray levels:")
    print((255 * change).reshape(3, 3).round(1))
    assert change.min() > 1e-3

# %%
# Map 3 is the map with the largest weights in the last layer. It changes all places by about the
# same amount, a large one. What does this map carry? We compare it with LR itself. The
# *correlation* of two images is 1 if they differ in brightness and contrast only. It is -1 if,
# apart from that, one is the negative of the other. It is near 0 if they have nothing in common.

strength = (weight**2).sum(axis=(0, 2, 3))  # (32,)
assert strength.argmax() == 3
change = np.abs(without_map(3) - channels).mean(axis=(1, 2))  # (9,)
assert change.max() < 1.25 * change.min()

inner = maps[:, 1:-1, 1:-1]  # (32, 200, 170), without the repeated edge
correlation = np.corrcoef(inner[3].ravel(), small.ravel())[0, 1]
print(f"map 3 and LR: correlation {correlation:.2f}")
print("biases of the nine channels:", bias.round(2))
faded = without_map(3)
print(f"mean brightness: {channels.mean():.2f}, without map 3: {faded.mean():.2f}")
print(f"contrast (standard deviation): {channels.std():.2f}, without map 3: {faded.std():.2f}")

assert correlation > 0.95
assert np.allclose(bias, 0.5, atol=0.01)
assert channels.mean() < faded.mean() < 0.5
assert faded.std() < channels.std() / 3

# %%
# So map 3 is nearly the photograph itself: it *carries the brightness*, or most of it. The biases
# hold a medium gray of 0.50, and map 3 says for each pixel how much darker or lighter than this it
# is. Without this map everything comes closer to medium gray, and less than a third of the contrast
# remains. The image fades.
#
# Map 8 is of another kind. Without it the brightness stays, on average. Look at its nine numbers
# again: by far the largest change is in place (1, 1), the center of the block. This map helps to
# tell the center from the rest. Without it the centers are too bright where the photograph is dark,
# and too dark where it is bright. The image gets dots.

from npespcn.evaluation import psnr

error = without_map(8) - channels  # (9, 200, 170)
change = np.abs(error).mean(axis=(1, 2))  # (9,)
assert abs(error.mean()) < 0.001
assert change[4] > 3 * np.delete(change, 4).max()
assert error[4][small < 0.3].mean() > 0.05
assert error[4][small > 0.6].mean() < -0.05

parts = {
    "all parts": channels,
    "without channel 4": without_4,
    "without map 3": without_map(3),
    "without map 8": without_map(8),
}
images = {}
captions = {}
for name, part in parts.items():
    images[name] = 255 * pixel_shuffle(part, 3)[0]
    score = psnr(images[name], 255 * original)
    captions[name] = f"{score:.2f} dB"
    print(f"{name}: {score:.2f} dB")
images["the original"] = 255 * original

drawing.save(drawing.details(images, (200, 150, 260, 210), captions), "11_silenced.png")

# %%
# (The decibels are explained in :doc:`lesson 12 <12_measuring_honestly>`. More is better.)
#
# The filters
# -----------
#
# Now we look, without removing anything. Each of the 64 filters of the first layer weighs 5×5
# pixels of LR. Training began with random numbers from the seed 0. With the same seed we make the
# same random numbers again.

from npespcn.models import ESPCN

untrained = ESPCN(**model.options | {"seed": 0})
new = untrained.params["conv1.weight"][:, 0]  # (64, 5, 5), before training
trained = model.params["conv1.weight"][:, 0]  # (64, 5, 5)

drawing.save(
    drawing.tiles({"64 filters before training": new, "after training": trained}, columns=16),
    "11_filters.png",
)

# %%
# Orange adds, purple subtracts, white does nothing. Each filter is drawn relative to its own
# largest weight. Two things have happened:
#
# - The weights have moved to the middle. The pixels nearby say most about what lies between them.
# - Most filters have orange and purple side by side. They compute a *difference* of neighboring
#   pixels, which is large at an edge, and nearly zero on a flat area.
#
# We check both by numbers. For the first: the *power* of a filter is the sum of its squared
# weights. Which part of it do the inner 9 of the 25 weights hold? For the second: in a filter that
# computes a difference, the positive and the negative weights cancel. So its sum is small, compared
# with the sum of its absolute weights.

for name, filters in {"before": new, "after": trained}.items():
    inner_power = (filters[:, 1:4, 1:4] ** 2).sum() / (filters**2).sum()
    cancel = np.abs(filters.sum(axis=(1, 2))) / np.abs(filters).sum(axis=(1, 2))  # (64,)
    print(f"{name} training: the inner 9 weights hold {inner_power:.0%} of the power;")
    print(f"   in {np.sum(cancel < 0.1)} of 64 filters the weights cancel to less than a tenth")

assert 0.3 < (new[:, 1:4, 1:4] ** 2).sum() / (new**2).sum() < 0.4  # 9 / 25 = 0.36
assert (trained[:, 1:4, 1:4] ** 2).sum() / (trained**2).sum() > 0.9
assert np.sum(cancel < 0.1) > 40

# %%
# The feature maps
# ----------------
#
# A feature map shows where its filter has found something. Here are 12 maps of each layer, on the
# face. We choose those to which the next layer gives the largest weights. A map of the second layer
# combines all 64 maps of the first layer, over 3×3 pixels, so its meaning is harder to put into
# words.

face = look_inside(model, x[:, :, 26:90, 58:122])
into_second = (model.params["conv2.weight"] ** 2).sum(axis=(0, 2, 3))  # (64,)
first_maps = face["act1"][0, np.argsort(-into_second)[:12]]  # (12, 68, 68)
second_maps = face["act2"][0, np.argsort(-strength)[:12]]  # (12, 66, 66)

drawing.save(
    drawing.tiles({"12 of 64 maps, layer 1": first_maps, "12 of 32, layer 2": second_maps}, 4),
    "11_maps.png",
)

# %%
# The first map of layer 2 is map 3. You see the face in it: the dark cap is purple, and the skin is
# orange. All maps have about the size of LR. The whole work of the network is done on small images.
#
# Nine channels that look alike
# -----------------------------
#
# The last layer makes nine channels. Drawn side by side they are nine equal faces. The differences
# between them are what matters. So we look at channel 4, which fills the center of the block, and
# at how much every other channel differs from it.
#
# .. predict::
#
#    Channel 5 fills the place to the right of the center. At an edge that is dark on the left and
#    bright on the right: is channel 5 minus channel 4 positive, negative, or zero? And channel 3
#    minus channel 4? And what are both on a flat area?
#
# .. answer::
#
#    Channel 5 sees the scene a third of a pixel further right. There it is brighter already, so
#    channel 5 minus channel 4 is positive. Channel 3 looks further left, where it is darker: its
#    difference is negative. On a flat area both are zero.

face_channels = 255 * face["conv3"][0]  # (9, 64, 64)
drawing.save(drawing.differences(face_channels), "11_differences.png")

difference = channels - channels[4]  # (9, 200, 170)
print(f"contrast of channel 4 (standard deviation): {255 * channels[4].std():.0f} gray levels")
print("of the nine differences:")
print((255 * difference.std(axis=(1, 2))).reshape(3, 3).round(1))
left_right = np.corrcoef(difference[3].ravel(), difference[5].ravel())[0, 1]
up_down = np.corrcoef(difference[1].ravel(), difference[7].ravel())[0, 1]
print(f"correlation of the differences, 3 and 5: {left_right:.2f}, 1 and 7: {up_down:.2f}")

assert left_right < -0.4
assert up_down < -0.4

# %%
# Opposite places have opposite signs. Look at the lower edge of the cap, for example. It is dark
# above and bright below. Channel 1 looks further up, and 1 minus 4 is purple there. Channel 7 looks
# further down, and 7 minus 4 is orange.
#
# Is each channel right? The *original* can tell. Unshuffle it, and you get nine channels, each of
# which is the original, sampled at one place of every block. These are the targets of the nine
# channels. To which of the nine targets is channel 5 nearest?

sampled = pixel_unshuffle(original[None], 3)  # (9, 200, 170)
errors = np.zeros((9, 9))
for k in range(9):
    for place in range(9):
        errors[k, place] = 255 * np.sqrt(np.mean((channels[k] - sampled[place]) ** 2))
print("errors of channel 5 against the nine targets (gray levels):")
print(errors[5].reshape(3, 3).round(1))

assert np.array_equal(errors.argmin(axis=1), np.arange(9))  # every channel: its own target

# %%
# The smallest of the nine errors is at place (1, 2), its own. The assertion checks the same for all
# nine channels.
#
# A wave, and what a third of a pixel does to it
# ----------------------------------------------
#
# The nine channels see one scene from nine places. There is a beautiful way to *measure* from where
# each of them looks. It uses waves. We begin with one row of pixels of the small image, and with a
# wave in it:
#
# .. math::
#
#    \text{value at place } p = A \cdot \cos(360^\circ \cdot f \cdot p + \varphi)
#
# Three numbers describe it:
#
# - The *amplitude* A says how high the wave is.
# - The *frequency* f says how many cycles fit into one pixel. With :math:`f = 1/4` a cycle takes
#   four pixels. A full cycle is 360 degrees.
# - The *phase* :math:`\varphi` says where in its cycle the wave is at place 0. With phase 0 it is
#   at its highest point, its crest. With a phase of 90 degrees it is a quarter of a cycle further.
#
# Channel 4 holds the values at the places 0, 1, 2, and so on. Channel 5 looks a third of a pixel
# further right. It holds the values at 1/3, 4/3, 7/3, and so on.
#
# .. predict::
#
#    The wave has a quarter of a cycle per pixel, and phase 0. Write down the first four numbers in
#    channel 4. In channel 5 there is a wave, too. Which of A, f and :math:`\varphi` is different,
#    and by how much? And what if the wave has only a tenth of a cycle per pixel?
#
# .. answer::
#
#    From pixel to pixel the angle grows by :math:`360^\circ / 4 = 90^\circ`. So channel 4 holds the
#    cosines of 0, 90, 180 and 270 degrees: 1, 0, -1, 0. A third of a pixel is :math:`90^\circ / 3 =
#    30^\circ`. Channel 5 holds the cosines of 30, 120, 210 and 300 degrees: 0.87, -0.5, -0.87, 0.5.
#    Amplitude and frequency are the same. The phase is 30 degrees larger. A wave with a tenth of a
#    cycle per pixel gets ahead by :math:`36^\circ / 3 = 12^\circ` only.


def wave(places, frequency, phase=0):
    return np.cos(np.radians(360 * frequency * places + phase))


pixels = np.arange(24)
channel_4 = wave(pixels, 1 / 4)
channel_5 = wave(pixels + 1 / 3, 1 / 4)
print("channel 4:", channel_4[:4].round(2) + 0)  # + 0 makes 0 of -0
print("channel 5:", channel_5[:4].round(2))

assert np.allclose(channel_5, wave(pixels, 1 / 4, phase=30))


def quarter_wave(places):
    return wave(places, 1 / 4)


drawing.save(drawing.seen_from(quarter_wave, 1 / 3), "11_wave.png")

# %%
# In the upper panel there is one wave, and two channels that look at it from different places. In
# the lower panel each channel puts its numbers at its own pixels 0, 1, 2. So the wave of channel 5
# (dashed) is ahead.
#
# Amplitude and phase from numbers
# --------------------------------
#
# Now the other way round. We have a row of numbers, and we want to know the amplitude and the phase
# of the wave in it. Multiply the numbers by a cosine of the same frequency, and add up. Do the same
# with a sine. These two sums tell everything. To see why, write :math:`\alpha` for
# :math:`360^\circ \cdot f \cdot p`, the angle of the wave at pixel p. Trigonometry gives
#
# .. math::
#
#    A \cos(\alpha + \varphi) = A \cos\varphi \cdot \cos\alpha - A \sin\varphi \cdot \sin\alpha
#
# So the row is a cosine and a sine, and the two factors :math:`A \cos\varphi` and :math:`-A
# \sin\varphi` are the numbers that we want. Multiply this by :math:`\cos\alpha` and add up over
# whole cycles. The products :math:`\sin\alpha \cdot \cos\alpha` are as often positive as negative,
# and add up to zero. The mean of :math:`\cos^2\alpha` is one half. So the first sum is :math:`A
# \cos\varphi`, times half the number of pixels. In the same way the sum with the sine is :math:`-A
# \sin\varphi`, times half the number of pixels. Now think of an arrow of length A, at the angle
# :math:`\varphi`. It goes :math:`A \cos\varphi` to the right and :math:`A \sin\varphi` up. We know
# these two numbers, so we know its length A (``np.hypot``) and its angle :math:`\varphi`
# (``np.arctan2``).


def measure(row, frequency):
    """Return the amplitude and the phase in degrees of the wave of that frequency in a row."""
    n = len(row)
    places = np.arange(n)
    cosines = 2 / n * np.sum(row * wave(places, frequency))
    sines = 2 / n * np.sum(row * wave(places, frequency, phase=-90))  # the sine
    return np.hypot(cosines, sines), np.degrees(np.arctan2(-sines, cosines))


for name, row in {"channel 4": channel_4, "channel 5": channel_5}.items():
    amplitude, phase = measure(row, 1 / 4)
    print(f"{name}: amplitude {amplitude:.2f}, phase {round(phase)} degrees")

assert np.allclose(measure(channel_5, 1 / 4), (1, 30))

# %%
# Every row of pixels is a sum of waves of many frequencies, and one can measure all of them like
# this. That is the *Fourier transform*. ``np.fft.rfft`` computes the two sums for all frequencies
# at once. It returns one complex number for each frequency. Its real part is the sum with the
# cosine, its imaginary part is minus the sum with the sine. So this number is the arrow from above,
# times half the number of pixels: ``np.abs`` gives its length, and ``np.angle`` its angle.

two_waves = 3 * wave(pixels, 1 / 4, phase=30) + 5 * wave(pixels, 1 / 8, phase=-70)
transform = np.fft.rfft(two_waves)  # (13,), for the frequencies 0, 1/24, 2/24, ..., 12/24
for f in (1 / 8, 1 / 4):
    number = transform[round(24 * f)]
    amplitude = np.abs(number) * 2 / 24
    phase = np.degrees(np.angle(number))
    print(f"frequency {f}: amplitude {amplitude:.2f}, phase {round(phase)} degrees")
    assert np.allclose((amplitude, phase), measure(two_waves, f))

# %%
# A channel that looks d pixels further right sees each of these waves d pixels further right. So
# all amplitudes stay as they are, and each phase grows by
#
# .. math::
#
#    360^\circ \cdot f \cdot d
#
# Draw this against f: it is a straight line through zero. **Its slope tells the place.** A channel
# that looks a third of a pixel further right has a line that rises by 120 degrees per unit of f.
#
# The nine channels as waves
# --------------------------
#
# Now the nine channels of the network. We take the waves along the rows. A channel has 200 rows. So
# for each frequency we get 200 complex numbers for channel k, and 200 for channel 4. How far is
# channel k ahead of channel 4, over all rows together?
#
# Take one row first. In a product of two complex numbers the lengths are multiplied, and the angles
# are *added*. The *conjugate* of a number has the same length and the opposite angle. So we
# multiply the number of channel k by the conjugate of the number of channel 4. The angle of the
# product is the *difference* of the two phases. For example, with the length 2 at 50 degrees in
# channel k, and the length 3 at 20 degrees in channel 4, the product has the length 6 and the angle
# :math:`50^\circ - 20^\circ = 30^\circ`. Then we add up the 200 products, as arrows. The angle of
# the sum is the mean phase difference. Strong waves have long arrows, so they count more in it.
#
# Two things must be done first. The mean of a channel is no wave, so we subtract it. And the
# Fourier transform treats a row as if its first pixel came again after its last one. There the
# photograph has a jump, which is no wave of the scene. Therefore we multiply each row by a
# *window*, which is 1 in the middle and falls to 0 at both ends. We look at waves of up to a
# quarter of a cycle per pixel. The next section tells what happens to fast ones.
#
# .. predict::
#
#    You draw the phase of each of the nine channels, compared with channel 4, against the
#    frequency. How many different lines do you see, and which channels share a line? What are the
#    slopes?
#
# .. answer::
#
#    Three lines. Along a row only the *column* of the place matters. The channels 0, 3 and 6 are in
#    the left column, a third of a pixel further left: their phases fall by 120 degrees per unit of
#    f. The channels 1, 4 and 7 stay at zero. The channels 2, 5 and 8 rise by 120.


def phases_along(channels, axis):
    """Return frequencies, amplitudes (9, F), and phases beyond channel 4 in degrees (9, F)."""
    n = channels.shape[axis]
    window = np.hanning(n)
    if axis == 1:
        window = window[:, None]  # along the columns
    centered = channels - channels.mean(axis=(1, 2), keepdims=True)
    transforms = np.fft.rfft(centered * window, axis=axis)
    other_axis = 2 if axis == 1 else 1
    # 2 / n as before, but with a window the sum of its numbers takes the place of n
    amplitudes = 2 / window.sum() * np.abs(transforms).mean(axis=other_axis)  # (9, F)
    products = (transforms * transforms[4].conj()).sum(axis=other_axis)  # (9, F)
    return np.fft.rfftfreq(n), amplitudes, np.degrees(np.angle(products))


def slopes(frequency, phases):
    """Return the slope of the best line through zero for each channel, in pixels, as (3, 3)."""
    best = phases @ frequency / (frequency @ frequency)  # least squares: (9,)
    return (best / 360).reshape(3, 3)


frequency, amplitudes, phases = phases_along(255 * channels, axis=2)
low = frequency <= 0.25
to_the_right = slopes(frequency[low], phases[:, low])
print("pixels to the right of channel 4:")
print(to_the_right.round(2) + 0)

rows_frequency, _, rows_phases = phases_along(255 * channels, axis=1)
rows_low = rows_frequency <= 0.25
further_down = slopes(rows_frequency[rows_low], rows_phases[:, rows_low])
print("pixels further down:")
print(further_down.round(2) + 0)

for i, j in np.ndindex(3, 3):
    assert abs(to_the_right[i, j] - (j - 1) / 3) < 0.05
    assert abs(further_down[i, j] - (i - 1) / 3) < 0.05

ratio = amplitudes[:, low] / amplitudes[4, low]
print(f"amplitudes, compared with channel 4: from {ratio.min():.2f} to {ratio.max():.2f} times")
assert 0.85 < ratio.min() < ratio.max() < 1.15

drawing.save(drawing.spectra(frequency[low], amplitudes[:, low], phases[:, low]), "11_spectra.png")

# %%
# The amplitudes are nearly the same in all nine channels. The phases lie on three lines, close to
# the dotted ones, which we have predicted. From the slopes we read where each channel looks: a
# third of a pixel to the left of channel 4, not to the side at all, or a third to the right. The
# waves along the columns tell the same about up and down. **The slopes are the places.**
#
# Nobody told the network about phases. It was only told to be close to its nine targets, and these
# lie a third of a pixel apart.
#
# More than one channel can hold
# ------------------------------
#
# There is a limit to what one channel can show. A wave needs at least two pixels per cycle: one for
# its highest point and one for its lowest. So no channel can show more than half a cycle per pixel.
#
# .. predict::
#
#    A wave in the scene has two thirds of a cycle per LR pixel. What does channel 4 hold at its
#    pixels 0, 1, 2 and 3? Which *slower* wave would give the same four numbers? And what do the two
#    waves give in channel 5?
#
# .. answer::
#
#    From pixel to pixel the angle grows by 240 degrees. The cosines of 0, 240, 480 and 720 degrees
#    are 1, -0.5, -0.5 and 1. A wave with one third of a cycle per pixel, 120 degrees from pixel to
#    pixel, gives the same: the cosines of 0, 120, 240 and 360 degrees are 1, -0.5, -0.5 and 1.
#    Channel 4 cannot tell the two apart. But in channel 5 the fast wave is ahead by 80 degrees, and
#    the slow one by 40. It begins with 0.17 or with 0.77.

pixels = np.arange(9)
print("fast, channel 4:", wave(pixels, 2 / 3)[:4].round(2))
print("slow, channel 4:", wave(pixels, 1 / 3)[:4].round(2))
print(f"channel 5 begins with {wave(1 / 3, 2 / 3):.2f} (fast) or {wave(1 / 3, 1 / 3):.2f} (slow)")

assert np.allclose(wave(pixels, 2 / 3), wave(pixels, 1 / 3))
assert not np.allclose(wave(pixels + 1 / 3, 2 / 3), wave(pixels + 1 / 3, 1 / 3))


def fast_wave(places):
    return wave(places, 2 / 3)


def slow_wave(places):
    return wave(places, 1 / 3)


drawing.save(drawing.aliases(fast_wave, slow_wave), "11_aliases.png")

# %%
# A fast wave that looks like a slower one has a name, an *alias*. One channel holds aliases. Three
# channels side by side hold three numbers per LR pixel. Interleaved, they follow the fast wave
# without any doubt:

interleaved = np.zeros(27)
for j in range(3):
    interleaved[j::3] = wave(pixels + (j - 1) / 3, 2 / 3)  # channels 3, 4 and 5
amplitude, phase = measure(interleaved, 2 / 9)  # 2/3 cycle per LR pixel, 2/9 per HR pixel
print(f"interleaved: amplitude {amplitude:.2f} at 2/9 cycles per HR pixel")

assert np.isclose(amplitude, 1)

# %%
# So that is the answer to the second question of this lesson. No channel can show more than half a
# cycle per pixel. But the aliases in the nine channels have different phases, and these phases tell
# what the fast waves are. Together nine channels reach half a cycle per *HR* pixel, which is one
# and a half per LR pixel.
#
# Are there such fast waves in the network's image, and are they right? LR is of no help here. It is
# one image of this size, like a single channel. When the photograph was made small, its fast waves
# were removed, and the little that was left of them became aliases. The network must *guess* the
# fast waves, from the edges that it sees.
#
# We keep only the fast waves of an image, and compare them with those of the original.
# ``np.fft.rfft2`` measures the waves of a whole image. Each of them has a frequency along the rows
# and a frequency along the columns. We call a wave fast if one of the two is more than half a cycle
# per LR pixel.

from npespcn.pictures import upscale_bicubic


def fast_waves(image):
    """Remove all waves of at most half a cycle per LR pixel, along rows and along columns."""
    transform = np.fft.rfft2(image)
    along_rows = 3 * np.fft.rfftfreq(image.shape[1])  # cycles per LR pixel
    along_columns = 3 * np.fft.fftfreq(image.shape[0])
    slow = (np.abs(along_columns)[:, None] <= 0.5) & (along_rows <= 0.5)
    transform[slow] = 0
    return np.fft.irfft2(transform, image.shape)


truth = 255 * fast_waves(original)
print(f"the original: fast waves of {truth.std():.1f} gray levels (standard deviation)")
guesses = {
    "the network": image,
    "bicubic interpolation": upscale_bicubic(small, 3),
    "nine times channel 4": pixel_shuffle(np.stack(9 * [channels[4]]), 3)[0],
}
right = {}
for name, guess in guesses.items():
    waves = 255 * fast_waves(guess)
    right[name] = np.corrcoef(waves.ravel(), truth.ravel())[0, 1]
    print(f"{name}: {waves.std():.1f} gray levels, correlation {right[name]:.2f}")

assert 255 * fast_waves(image).std() < truth.std()
assert right["the network"] > 0.55
assert right["the network"] > 1.5 * right["bicubic interpolation"]
assert right["bicubic interpolation"] > right["nine times channel 4"]

# %%
# The network's fast waves are weaker than those of the original, and they agree with them far
# better than those of bicubic interpolation do. So it does know something about details that LR
# does not hold. It has never seen a photograph in training, only the dead leaves of
# :doc:`lesson 8 <08_what_it_learns_from>`. From them it has learned how edges look.
#
# What breaks: right numbers at wrong places
# ------------------------------------------
#
# The last line above is an experiment of its own. If channel 4 fills all nine places, every
# amplitude is still there, nearly. But all phases are those of channel 4. And if we shuffle all
# nine channels in the paper's order (:doc:`lesson 3 <03_whose_order>`), then even all numbers are
# there, but six of the nine stand at a wrong place of their block.

images = {
    "nine channels": 255 * image,
    "nine times channel 4": 255 * pixel_shuffle(np.stack(9 * [channels[4]]), 3)[0],
    "the paper's order": 255 * pixel_shuffle(channels, 3, order="paper")[0],
}
captions = {}
scores = {}
for name, pixels in images.items():
    scores[name] = psnr(pixels, 255 * original)
    captions[name] = f"{scores[name]:.2f} dB"
    print(f"{name}: {scores[name]:.2f} dB")

assert scores["nine channels"] > scores["nine times channel 4"] + 3
assert scores["nine channels"] > scores["the paper's order"] + 3

drawing.save(drawing.details(images, (200, 150, 260, 210), captions), "11_places.png")

# %%
# The details are in the phases: in *where* each channel looks. (The explorer shows the face in
# :explorer:`the paper's order <mode=photo&order=paper>`, too.)
#
# What you know now
# -----------------
#
# - A channel belongs to one place: it makes one pixel of each block. A feature map does not: all
#   nine channels use it. One map here carries most of the brightness.
# - Trained filters sit in the middle, and most of them are differences. Channels differ from each
#   other at edges, and opposite places have opposite signs.
# - A shift does not change the amplitude of a wave. It changes its phase by :math:`360^\circ \cdot
#   f \cdot d`. The slopes of the phases are the places of the channels.
# - One channel shows at most half a cycle per pixel, and holds aliases of faster waves. Together
#   nine channels show three times as much.
#
# Try this: silence each of the 32 feature maps in turn. Which one is missed most after map 3? Then
# silence all maps but five. Which five would you keep?
#
# Next: :doc:`lesson 12 <12_measuring_honestly>` explains the decibels, and what they do not see.
