"""
Measuring honestly
==================

**Question.** Two people enlarge the same photograph with the same network. One reports a number
that is more than one decibel above the other's. How can both be right? And which numbers may be
compared?

:Aim: You can compute PSNR by hand, you know the protocol of the literature, and you know what no
      PSNR can tell you.
:Minutes: 50
:Needs: Lessons 1, 5 and 8 (how LR is made). Logarithms.
:Practice: :doc:`Exercise 9 </exercises>` afterwards: PSNR on luma, as the literature measures it.
"""

# %%
# One number from many errors
# ---------------------------
#
# We want to say with one number how close an enlarged image is to the original. The usual way has
# two steps. Let a be the original, b the enlarged image, and n the number of their pixels. First
# take the mean of the squared errors of all pixels, the *mean squared error*:
#
# .. math::
#
#    \text{MSE} = \frac{1}{n} \sum_{i=1}^{n} (a_i - b_i)^2
#
# A small MSE means a good image. MSE ranges over many powers of ten, and its unit is a squared gray
# level, which nobody can imagine. Therefore one compares it with the square of the largest possible
# error, 255, and takes the logarithm. The result is the *peak signal-to-noise ratio*, PSNR. Its
# unit is the decibel, dB:
#
# .. math::
#
#    \text{PSNR} = 10 \cdot \log_{10} \frac{255^2}{\text{MSE}}
#
# A large PSNR means a good image. If all errors become ten times smaller, MSE becomes 100 times
# smaller, and PSNR grows by 20 dB. If all errors become half as large, PSNR grows by 6.02 dB.
#
# .. predict::
#
#    An image is wrong by exactly one gray level at every pixel. What are its MSE and its PSNR? You
#    may use :math:`\log_{10} 255 = 2.4065`.
#
# .. answer::
#
#    Every squared error is 1, so MSE is 1. PSNR is
#    :math:`10 \cdot \log_{10} 255^2 = 20 \cdot 2.4065 = 48.13` dB.
#
# .. predict::
#
#    Another image has 16 pixels. One of them is wrong by 4, and 15 are right. Is its PSNR larger,
#    smaller, or the same?
#
# .. answer::
#
#    One squared error is 16, the others are 0. Their mean is 1 again. So PSNR is the same, 48.13
#    dB. PSNR does not know where the errors are, and one large error weighs as much as many small
#    ones.

import numpy as np


def mean_squared_error(a, b):
    return np.mean((a.astype(float) - b.astype(float)) ** 2)


def psnr_by_hand(a, b):
    return 10 * np.log10(255**2 / mean_squared_error(a, b))


a = np.arange(16, dtype=np.uint8).reshape(4, 4)
all_wrong = a + 1
one_wrong = a.copy()
one_wrong[3, 3] += 4
print(f"all wrong by 1: {psnr_by_hand(a, all_wrong):.2f} dB")
print(f"one wrong by 4: {psnr_by_hand(a, one_wrong):.2f} dB")

# %%
# The project's function is the same, with checks around it:

from npespcn.evaluation import psnr, ssim

assert np.isclose(psnr(a, all_wrong), psnr_by_hand(a, all_wrong))
assert np.isclose(psnr(a, one_wrong), 20 * np.log10(255))

# %%
# Two traps
# ---------
#
# The first line of ``mean_squared_error`` turns both images into floating-point numbers. It has to.
#
# .. predict::
#
#    Images are arrays of ``uint8``, which hold whole numbers from 0 to 255. What is 0 - 1 there?
#
# .. answer::
#
#    ``uint8`` has no negative numbers. Below 0 it goes on from 255 downward, so 0 - 1 is 255. And
#    above 255 it goes on from 0 upward, so the square of 16, which is 256, becomes 0. An image that
#    is wrong by 16 everywhere would have an MSE of 0.

print("a - (a + 1) in uint8:", np.unique(a - all_wrong))
print("MSE of an image that is wrong by 16:", np.mean(((a + 16) - a) ** 2))

assert np.unique(a - all_wrong).tolist() == [255]
assert np.mean(((a + 16) - a) ** 2) == 0
assert mean_squared_error(a + 16, a) == 256

# %%
# The second trap is rounding. An image that is wrong by 0.4 everywhere has a PSNR of 56.09 dB.
# Round it to whole gray levels, and the errors are gone. PSNR is infinite then. So it matters
# whether one measures before or after rounding.

print(f"wrong by 0.4: {psnr(a, a + 0.4):.2f} dB; rounded: {psnr(a, np.rint(a + 0.4))} dB")

# %%
# What PSNR does not see
# ----------------------
#
# We damage the photograph in four ways:
#
# - every pixel gets brighter by 8;
# - every pixel gets brighter or darker by 8, at random;
# - the image is blurred;
# - the image is moved to the side by one pixel.
#
# We do this with its *luma*, the brightness Y of a color image, which you know from :doc:`lesson 5
# <05_the_network>`. (:doc:`Lesson 13 <13_a_real_picture>` has the formula.)

import drawing
from PIL import Image, ImageFilter

from npespcn.pictures import rgb_to_y

photograph = drawing.photograph()  # (600, 510, 3)
luma = rgb_to_y(photograph.astype(float))  # (600, 510), not rounded

rng = np.random.default_rng(0)
gray_image = Image.fromarray(np.rint(luma).astype(np.uint8))
damaged = {
    "8 brighter": luma + 8,
    "8 more or less": luma + rng.choice([-8, 8], luma.shape),
    "blurred": np.asarray(gray_image.filter(ImageFilter.GaussianBlur(1))).astype(float),
    "moved by one pixel": np.roll(luma, 1, axis=1),
}

# %%

shown = {"the original": luma, **damaged}
drawing.save(drawing.details(shown, (200, 140, 300, 240)), "12_same_psnr.png")

# %%
# .. predict::
#
#    Which of the four looks best to you, and which one worst? Now the PSNR. Two of the four you can
#    work out: which two, and how large is it? (You may use :math:`20 \cdot \log_{10} 8 = 18.06`.)
#    And which of the four has the lowest PSNR?
#
# .. answer::
#
#    In the first two images every error is 8 or -8. That is eight times the error of the first
#    question, so PSNR is :math:`48.13 - 18.06 = 30.07` dB. The blur has been chosen so that its
#    PSNR is the same. The moved image has the lowest PSNR of all: 24.8 dB. But hardly anybody sees
#    the move or the added brightness, and everybody sees the noise and the blur. PSNR compares
#    pixels one by one. It knows nothing about edges, texture or faces.

for name, image in damaged.items():
    print(f"{name:19} {psnr(luma, image):.1f} dB, SSIM {ssim(luma, image):.3f}")

for name in ("8 brighter", "8 more or less", "blurred"):
    assert abs(psnr(luma, damaged[name]) - 30.1) < 0.1
assert psnr(luma, damaged["moved by one pixel"]) < 25

# %%
# The second number is *SSIM*, the structural similarity (`Wang et al. 2004
# <https://doi.org/10.1109/TIP.2003.819861>`__). It compares windows of 11×11 pixels: their means,
# their contrasts, and whether they go up and down together. 1 is the best value. SSIM is high for
# the added brightness and low for the noise, so here it agrees with our eyes better than PSNR does.
# Papers report both numbers. But the moved image gets a low SSIM, too, although our eyes see no
# difference.
#
# One LR image, two originals
# ---------------------------
#
# PSNR has a deeper problem. Imagine a piece of an LR image that fits two originals equally well: a
# row of four pixels of the original is either 0, 255, 0, 255 or 255, 0, 255, 0. Nobody can know
# which. But the network has to give some answer.
#
# .. predict::
#
#    The network may answer with one of the two patterns, or with plain gray, 127.5 everywhere.
#    Which answer has the smaller mean squared error on average?
#
# .. answer::
#
#    One of the patterns is right half of the time, with an error of 0. The other half of the time
#    every pixel is wrong by 255. The mean of :math:`0` and :math:`255^2` is 32,512.5. Gray is
#    always wrong by 127.5, and :math:`127.5^2` is 16,256.25. So gray wins, by 3 dB, although it is
#    never right.

patterns = np.array([[0, 255, 0, 255], [255, 0, 255, 0]])
sharp, gray = patterns[0], np.full(4, 127.5)
for name, answer in {"a sharp pattern": sharp, "plain gray": gray}.items():
    errors = [mean_squared_error(answer, truth) for truth in patterns]
    print(f"{name}: mean squared error {np.mean(errors):,.2f}")

assert mean_squared_error(gray, patterns[0]) == 127.5**2

# %%
# This is no accident. Take one pixel, whose true value is :math:`t_1` or :math:`t_2`, each half of
# the time. If the answer is a, then the mean squared error is
# :math:`\frac{1}{2} (a - t_1)^2 + \frac{1}{2} (a - t_2)^2`. Its derivative is
# :math:`2a - t_1 - t_2`, and this is 0 if a is the mean of :math:`t_1` and :math:`t_2`. The same is
# true for any number of possible originals: the answer with the smallest mean squared error is
# their *mean*, in which the probable ones count more. A mean of sharp images is not sharp. So each
# network that is trained with the mean squared error blurs what it cannot know, ours too. This is
# why PSNR likes blur. The last section of this lesson tells how later work dealt with this.
#
# Seven protocols
# ---------------
#
# Now to the question of the lesson. A *protocol* is everything that one decides before a PSNR can
# be computed. The literature on super-resolution has agreed on this one:
#
# 1. Make LR from HR by the bicubic interpolation of MATLAB's ``imresize``, with antialiasing. (The
#    text of the ESPCN paper says that LR is made by Gaussian blur and subsampling. But the numbers
#    for bicubic interpolation in its tables are those of ``imresize``.)
# 2. Compare luma only, in the range of digital television: black is 16, white is 235.
# 3. Round both images to whole numbers.
# 4. Leave out a border of r pixels, because each method treats the edge in its own way.
#
# Many programs differ from this in one step or another. We measure one network on one photograph in
# seven ways. For the first five we write small functions. Each of them gets the luma ``y`` of the
# enlarged image, not yet rounded, and the enlarged image in color, ``rgb``. It returns the two
# images that are to be compared, and the width of the border that is left out.


def rounded(y):
    return np.clip(np.floor(y + 0.5), 0, 255).astype(np.uint8)  # halves go up, as in MATLAB


def literature(y, rgb):
    return rounded(y), rounded(luma), 3


def not_rounded(y, rgb):
    return y, luma, 3


def full_range(y, rgb):  # black 0, white 255
    return (y - 16) * 255 / 219, (luma - 16) * 255 / 219, 3


def whole_image(y, rgb):
    return rounded(y), rounded(luma), 0


def on_rgb(y, rgb):
    return rgb, photograph, 3


# %%
# The last two ways compare as the literature does, but make LR differently:
#
# - *Blur, then* ``[::3]``: blur the photograph, then keep every third pixel, beginning with the
#   first one.
# - *No antialiasing*: the bicubic interpolation of OpenCV, ``cv2.resize``. It looks at 4×4 pixels
#   around each point, however far apart the points are. At a factor of 3 the points are exactly at
#   the middle pixels of 3×3 blocks, so it takes these pixels and no others: ``[1::3, 1::3]``.
#
# .. predict::
#
#    The network was trained on LR of the first kind, with antialiasing. Now it gets LR that was
#    made by blurring and ``[::3]``. Does it lose a tenth of a decibel, one decibel, or more?
#
# .. answer::
#
#    It loses more than six decibels, and falls behind bicubic interpolation. The next section finds
#    out why.

from npespcn import pretrained, upscale
from npespcn.pictures import downscale, upscale_bicubic

careful = downscale(photograph, 3)  # (200, 170, 3)
blurred = np.asarray(Image.fromarray(photograph).filter(ImageFilter.GaussianBlur(1)))
protocols = [
    ("the literature's", careful, literature),
    ("not rounded", careful, not_rounded),
    ("full range, not rounded", careful, full_range),
    ("whole image", careful, whole_image),
    ("on RGB", careful, on_rgb),
    ("LR: blur, then [::3]", blurred[::3, ::3], literature),
    ("LR: no antialiasing", photograph[1::3, 1::3], literature),
]

model = pretrained(3)
scores, enlarged = {}, {}
print(f"{'':26}network  bicubic     gain")
for name, lr, compare in protocols:
    x = rgb_to_y(lr)[None, None].astype(np.float32) / 255  # (1, 1, 200, 170)
    y = model.predict(x)[0, 0] * 255  # (600, 510)
    first, second, border = compare(y, upscale(lr, 3, model, back_projection=False))
    network = psnr(first, second, border=border)

    plain = upscale_bicubic(lr, 3)  # (600, 510, 3)
    first, second, border = compare(rgb_to_y(plain.astype(float)), plain)
    bicubic = psnr(first, second, border=border)

    scores[name] = (network, bicubic)
    enlarged[name] = rounded(y)
    print(f"{name:24}{network:9.2f}{bicubic:9.2f}{network - bicubic:+9.2f}")

gain = {name: network - bicubic for name, (network, bicubic) in scores.items()}
for name in ("not rounded", "full range, not rounded", "whole image", "on RGB"):
    assert abs(gain[name] - gain["the literature's"]) < 0.3
for name in ("LR: blur, then [::3]", "LR: no antialiasing"):
    assert gain[name] < 0
    assert scores[name][0] < scores["the literature's"][0] - 5

# %%

drawing.save(drawing.protocols(scores), "12_protocols.png")

# %%
# The first five protocols use different rulers. The numbers of the network and of bicubic
# interpolation move together, so the *gain* of the network over bicubic stays nearly the same. The
# last two set another task, one that the network has not been trained for. There the whole gain is
# lost, and more.
#
# One of the differences can be computed on paper. Full range stretches luma from 219 levels to 255.
# All errors are stretched with it, by 255/219. The price is
# :math:`20 \cdot \log_{10}(255/219) = 1.32` dB, for every image and every method.

difference = scores["not rounded"][0] - scores["full range, not rounded"][0]
print(f"full range costs {difference:.4f} dB")
assert np.isclose(difference, 20 * np.log10(255 / 219))

# %%
# You meet all of these protocols in published programs: unrounded luma of the whole image in
# `yjn870/ESPCN-pytorch <https://github.com/yjn870/ESPCN-pytorch>`__, full range in the example
# ``super_resolution`` of `pytorch/examples <https://github.com/pytorch/examples>`__, RGB in an
# example of `Keras <https://keras.io/examples/vision/super_resolution_sub_pixel/>`__, blur and
# ``[::3]`` in `drakelevy/ESPCN-TensorFlow <https://github.com/drakelevy/ESPCN-TensorFlow>`__, and
# ``cv2.resize`` in `fannymonori/TF-ESPCN
# <https://github.com/fannymonori/TF-ESPCN>`__. None of them is forbidden. But numbers from
# different protocols may not stand in one table.
#
# What breaks: an image that has moved
# ------------------------------------
#
# ``[::3]`` keeps the upper left pixel of each 3×3 block. Careful resizing is centered on the middle
# pixel, which lies one pixel further down and one further right. The network has learned to put its
# result there. So with ``[::3]`` the whole result should lie one pixel too far down and one pixel
# too far right.
#
# .. predict::
#
#    If this is the reason for the loss, how can you show it without training anything?
#
# .. answer::
#
#    Move the result back by one pixel, and measure again. Most of the loss must disappear.

moved = enlarged["LR: blur, then [::3]"]
moved_back = psnr(moved[1:, 1:], rounded(luma)[:-1, :-1], border=3)
before = scores["LR: blur, then [::3]"][0]
print(f"blur, then [::3]: {before:.2f} dB; moved back by one pixel: {moved_back:.2f} dB")

lost = scores["the literature's"][0] - before
assert moved_back - before > 0.6 * lost

# %%
# For missing antialiasing there is no such cure. Fine lines have become stairs in LR already, and
# the network sharpens the stairs.

shown = {
    "LR by the literature": enlarged["the literature's"],
    "LR: blur, then [::3]": moved,
    "LR: no antialiasing": enlarged["LR: no antialiasing"],
}
captions = {name: f"{psnr(image, rounded(luma), border=3):.2f} dB" for name, image in shown.items()}
drawing.save(drawing.details(shown, (200, 140, 300, 240), captions), "12_low_resolution.png")

# %%
# Say how you measured
# --------------------
#
# A number without its protocol means little. Always measure bicubic interpolation with the same
# code, and print both. If your number for bicubic interpolation is not the one in a paper, then you
# did something differently, and your other numbers cannot be compared with that paper.
#
# ``npespcn evaluate`` follows the literature, measures bicubic interpolation beside the network,
# and prints its protocol below the table. Its numbers must be those that we found:

from pathlib import Path
from tempfile import TemporaryDirectory

from npespcn.evaluation import evaluate, find_pictures, protocol
from npespcn.pictures import write_image

with TemporaryDirectory() as folder:
    write_image(Path(folder) / "photograph.png", photograph)
    found = find_pictures(folder, scale=3)
    result = next(evaluate(found, model))  # the only file

for key, words in protocol(found, model).items():
    print(f"{key}: {words}")
network, bicubic = scores["the literature's"]
assert np.isclose(result.network.psnr, network, atol=1e-9)
assert np.isclose(result.bicubic.psnr, bicubic, atol=1e-9)

# %%
# The figures of our networks on a common test set, and how they were measured, are in :doc:`How
# good it is </quality>`.
#
# What came after ESPCN
# ---------------------
#
# ESPCN has 22,729 numbers and was published in 2016. The field has moved on since then. Three roads
# lead from here.
#
# **Deeper networks, same measure.** EDSR (`Lim et al. 2017 <https://arxiv.org/abs/1707.02921>`__)
# has more than 43 million numbers. Its layers stand in *residual blocks*: each block computes
# something that is added to its own input. It works on the small image until the end, and enlarges
# it by the pixel shuffle that you know from lesson 1. RCAN (`Zhang et al. 2018
# <https://arxiv.org/abs/1807.02758>`__) multiplies each channel by a factor that it computes from
# the whole image. SwinIR (`Liang et al. 2021 <https://arxiv.org/abs/2108.10257>`__) compares parts
# of the image with each other, and lets similar parts help each other. For the five images of the
# test set Set5 at ×3 the paper on ESPCN reports 33.13 dB, and these three report 34.65, 34.74 and
# 34.89 dB. That is a gain of one and a half decibels or more. (SwinIR reaches 34.97 dB with four
# times as many training images as the other two. A fair table says this, too.) The price is high:
# as in ESPCN, most numbers of EDSR are used once for each pixel of the small image, and it has
# 1,900 times as many of them.
#
# **Another measure.** *Perceptual losses* (`Johnson et al. 2016
# <https://arxiv.org/abs/1603.08155>`__) compare features of a second network instead of pixels.
# SRGAN (`Ledig et al. 2017 <https://arxiv.org/abs/1609.04802>`__) adds a network that learns to
# tell enlarged images from real ones, and trains the first network to deceive it. Such networks do
# not answer with the mean of all that is possible. They choose one sharp possibility. The image
# looks better, its PSNR is lower, and some details are invented. LPIPS (`Zhang et al. 2018
# <https://arxiv.org/abs/1801.03924>`__) measures the distance of images in a way that agrees better
# with human eyes. Blau and Michaeli (`2018 <https://arxiv.org/abs/1711.06077>`__) have proved that
# there is a limit: beyond it, an image can only look more natural if it gets further from the
# truth. Where an image is evidence, as in medicine or in court, invented details are a danger.
#
# **Video.** The frames of a video show the same scene again and again, each time shifted a little.
# They really contain what a single frame lacks. VESPCN (`Caballero et al. 2017
# <https://arxiv.org/abs/1611.05250>`__), by some of the authors of ESPCN, aligns neighboring frames
# before it enlarges them. Later networks, such as BasicVSR (`Chan et al. 2021
# <https://arxiv.org/abs/2012.02181>`__), carry information along the whole video.
#
# What you know now
# -----------------
#
# - PSNR is the mean squared error on a logarithmic scale. Half the error is 6 dB more.
# - PSNR compares pixels one by one. It prefers blur to a sharp guess, and punishes an invisible
#   move.
# - A number needs its protocol, and bicubic interpolation beside it.
#
# Try this: blur the photograph less, until its PSNR is 33 dB. Add noise until its PSNR is 33 dB,
# too. Which one do you prefer?
#
# Next: :doc:`lesson 13 <13_a_real_picture>` enlarges real files, with color, transparency and
# motion.
