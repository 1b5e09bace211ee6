"""
A real picture
==============

**Question.** The network takes one image of brightness and gives a larger one. But the image in a
file has color, and perhaps transparency. It may be too large for the memory, or damaged by
compression. A video has thousands of images. How does one small network serve all of these?

:Aim: You can enlarge an image in color with a network for brightness, you know why transparency
      and large images need care, and you know where the network does harm.
:Minutes: 50
:Needs: Lessons 4 (how far the network looks), 5, 8 and 12.
:Practice: Enlarge a photograph of your own with ``npespcn upscale``.
"""

# %%
# Brightness and color
# --------------------
#
# A color image is made of three *planes*: red, green and blue, with numbers R, G, B from 0 to 255.
# Television found a better way to write the same three numbers down. One number is the brightness,
# the *luma* of lesson 5. It is written Y:
#
# .. math::
#
#    Y = 16 + \frac{65.481 \cdot R + 128.553 \cdot G + 24.966 \cdot B}{255}
#
# Green has the largest weight, because our eyes are most sensitive to it. The other two numbers, Cb
# and Cr, say how blue and how red the color is. They are 128 for every gray.
#
# .. predict::
#
#    Compute Y of black, of white and of pure red, (255, 0, 0).
#
# .. answer::
#
#    Black gives 16. White gives 16 + 65.481 + 128.553 + 24.966 = 235. Red gives 16 + 65.481 = 81.5.
#    So Y goes from 16 to 235, not from 0 to 255. This is the studio range of lesson 5.

import numpy as np


def luma(rgb):  # (..., 3) -> (...)
    return 16 + (65.481 * rgb[..., 0] + 128.553 * rgb[..., 1] + 24.966 * rgb[..., 2]) / 255


colors = np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0]], float)
print("Y of black, white and red:", luma(colors).round(1))

from npespcn.pictures import rgb_to_ycbcr

ycbcr = rgb_to_ycbcr(colors)
print("Y, Cb, Cr of each:", ycbcr.round(1), sep="\n")
assert np.allclose(luma(colors), ycbcr[:, 0])

# %%
# Why are Y, Cb and Cr better than red, green and blue? Look at how much neighboring pixels of a
# photograph differ, in each of the three numbers:

import drawing

photograph = drawing.photograph()[:450, 30:480]  # (450, 450, 3)
planes = rgb_to_ycbcr(photograph.astype(float))  # (450, 450, 3)
steps = np.abs(planes[:, 1:] - planes[:, :-1]).mean(axis=(0, 1))  # (3,)
for name, step in zip(("Y", "Cb", "Cr"), steps, strict=True):
    print(f"{name}: neighbors differ by {step:.1f} on the average")

assert steps[0] > 5 * steps[1]
assert steps[0] > 5 * steps[2]

# %%
# Nearly all detail is in Y. Besides, our eyes see fine detail in brightness and hardly any in
# color. (JPEG files and videos use this, too: most of them store Cb and Cr at half the size.) So
# the network does the work where it counts, on Y. Bicubic interpolation is good enough for Cb and
# Cr.
#
# .. predict::
#
#    We could also give red, green and blue to the network, one after the other. That takes three
#    times as long. Is the result better?
#
# .. answer::
#
#    No, it is a little worse: 28.9 dB against 29.1 dB on RGB. A likely reason is that the network
#    decides three times what an edge looks like, each time without the other two colors. Where its
#    three decisions do not fit together, the edge gets a false color.

from npespcn import pretrained, upscale
from npespcn.evaluation import psnr
from npespcn.pictures import downscale, upscale_bicubic, ycbcr_to_rgb

model = pretrained(3)
small = downscale(photograph, 3)  # (150, 150, 3)
y, cb, cr = np.moveaxis(rgb_to_ycbcr(small.astype(np.float32)), -1, 0)  # (150, 150) each

large_y = 255 * model.predict(y[None, None] / 255)[0, 0]  # (450, 450)
large = np.stack([large_y, upscale_bicubic(cb, 3), upscale_bicubic(cr, 3)], axis=-1)
by_hand = ycbcr_to_rgb(large).clip(0, 255)  # (450, 450, 3)

alone = {"model": model, "back_projection": False}  # the network alone, without a step after it
each_color = np.stack([upscale(small[..., c], 3, **alone) for c in range(3)], axis=-1)
for name, image in (
    ("bicubic", upscale_bicubic(small, 3)),
    ("red, green and blue by the network", each_color),
    ("Y by the network, Cb and Cr bicubic", by_hand),
):
    print(f"{name}: {psnr(image, photograph, border=3):.2f} dB on RGB")

# %%
# The function :func:`npespcn.upscale <npespcn.enlarge.upscale>` does the same as our lines for Y,
# Cb and Cr, and rounds to 8 bits in the end. By default a step follows, *back-projection*, which
# keeps the mean brightness of each place. Here we leave it out:

larger = upscale(small, 3, **alone)
assert np.abs(by_hand - larger).max() < 0.51
assert psnr(larger, photograph) > psnr(each_color, photograph)
assert psnr(each_color, photograph) > psnr(upscale_bicubic(small, 3), photograph) + 1

# %%
# Transparency, and what breaks
# -----------------------------
#
# Some files have a fourth number for each pixel, *alpha*: 255 is opaque, 0 is clear, like glass. A
# clear pixel has a color too, but nobody sees it.
#
# .. predict::
#
#    An opaque red pixel, (255, 0, 0, 255), lies beside a clear one, (0, 0, 0, 0). Interpolation
#    needs the pixel half way between them. It takes the mean of each number. Which color is that?
#    Which color should it be?
#
# .. answer::
#
#    The mean is (127.5, 0, 0, 127.5): dark red, half transparent. But nobody could see the black
#    of the clear pixel. The result should be pure red, half transparent: (255, 0, 0, 127.5). So
#    each color has to count as much as it is seen. Multiply it by alpha, take the mean, and divide
#    by the mean alpha.

pixels = np.array([[255, 0, 0, 255], [0, 0, 0, 0]])
color, alpha = pixels[:, :3], pixels[:, 3:] / 255
plain_mean = pixels.mean(axis=0)
weighted = (color * alpha).mean(axis=0) / alpha.mean()
print("mean of each number:", plain_mean, " weighted by alpha:", weighted)
assert weighted.tolist() == [255, 0, 0]

# %%
# The wrong way draws a *fringe*: a line along every outline, in the color that clear pixels happen
# to have. Here the photograph is cut out as an oval. The clear pixels around it are green, which
# nobody should ever see. To look at a result we lay it on a white page: where alpha is 0 we see the
# page, where alpha is 255 we see the image, and in between we see a mixture.

row, column = np.indices((450, 450))
oval = ((row - 225) / 205) ** 2 + ((column - 235) / 150) ** 2 < 1  # (450, 450)
alpha = downscale((255 * oval).astype(np.uint8), 3)[..., None]  # (150, 150, 1)
green = np.array([0, 255, 0], np.uint8)
cut_out = np.concatenate([np.where(alpha > 0, small, green), alpha], axis=-1)  # (150, 150, 4)


def on_white(rgba):
    weight = rgba[..., 3:] / 255  # 0 to 1
    return (rgba[..., :3] * weight + 255 * (1 - weight)).round().astype(np.uint8)


each_plane = np.stack([upscale(cut_out[..., i], 3, model) for i in range(4)], axis=-1)
careful = upscale(cut_out, 3, model)  # (450, 450, 4)
original = np.concatenate([photograph, 255 * oval[..., None].astype(np.uint8)], axis=-1)
shown = {
    "each plane by itself": on_white(each_plane),
    "npespcn.upscale": on_white(careful),
    "the original": on_white(original),
}
drawing.save(drawing.details(shown, (350, 95, 400, 145)), "13_alpha.png")

# %%
# How strong is the fringe? We compare the green of the two results.

green_error = shown["each plane by itself"][..., 1].astype(int) - shown["npespcn.upscale"][..., 1]
print(f"each plane by itself: up to {green_error.max()} gray levels too much green,")
print(f"and elsewhere up to {-green_error.min()} too little")
assert green_error.max() > 30  # green
assert green_error.min() < -30  # too little green: violet

# %%
# The fringe has two colors. Some green leaks over the outline. And beside a step the network
# overshoots: just before the green begins, it gives too little green, which looks violet.
#
# Can one multiply by alpha *before* the network, and divide afterwards? No. Multiplication by alpha
# makes the clear parts black, and the network would sharpen the edge of this black. Therefore
# ``upscale`` uses the weighted mean for bicubic interpolation only. For the network it first fills
# the clear parts with the mean of the visible pixels around them. Then it enlarges the filled image
# twice: by the network and by bicubic interpolation. The difference of the two is what the network
# adds. ``upscale`` adds this difference to the weighted mean. Alpha itself is a plane like Y, and
# goes through the network.
#
# Large images, and what breaks: too small a halo
# ------------------------------------------------
#
# A photograph taken with a telephone has 12 million pixels. The 64 channels after the first layer
# would be 64 times as many numbers, in 4 bytes each: 3 GB. So the image is cut into *tiles*, which
# are enlarged one after the other.
#
# .. predict::
#
#    We cut the image into a left and a right half, and enlarge each half by itself. How many pixels
#    beyond the cut must each half get, so that nobody can see the cut? (Look at the kernel sizes:
#    5, 3 and 3.)
#
# .. answer::
#
#    Lesson 4 has the answer: 2 + 1 + 1 = 4. An output pixel depends on the input pixels up to 4
#    places away, on each side. With 4 pixels more the two halves are exactly as in one piece.
#
# The pixels that a half gets from beyond the cut are called its *halo*. We make an experiment with
# halos of different sizes. First a copy of the network in float64, so that a rounding error cannot
# be taken for an error of the halo. The plane gets 4 more pixels on each side, as in lesson 5.

from npespcn.models import ESPCN

options = dict(model.options)  # scale, kernels, padding and so on
options["dtype"] = "float64"
exact = ESPCN(**options)
exact.load_state_dict(model.state_dict())
plane = y.astype(float) / 255  # (150, 150)


def enlarged(plane):
    """Enlarge a plane that has 4 pixels more on each side than its result."""
    return 255 * exact.forward(plane[None, None])[0, 0]  # (H, W) -> (3H - 24, 3W - 24)


framed = np.pad(plane, 4, mode="edge")  # (158, 158)
whole = enlarged(framed)  # (450, 450)
assert np.allclose(whole / 255, exact.predict(plane[None, None])[0, 0])

# %%
# Now we cut at column 75. In ``framed`` this is column 4 + 75. If a half gets h pixels beyond the
# cut, then 4 - h are missing. We repeat its last column for them, as one does at the edge of an
# image. We compare the two halves with the image in one piece.

cut = 75
errors = {}
for h in range(5):
    left = framed[:, : 4 + cut + h]  # h columns beyond the cut
    left = np.pad(left, ((0, 0), (0, 4 - h)), mode="edge")  # (158, 83)
    right = framed[:, 4 + cut - h :]  # h columns before the cut
    right = np.pad(right, ((0, 0), (4 - h, 0)), mode="edge")  # (158, 83)
    halves = np.concatenate([enlarged(left), enlarged(right)], axis=1)  # (450, 450)
    errors[h] = np.abs(halves - whole).max(axis=0)  # (450,), the largest error of each column
    wrong = (errors[h] > 1e-9).sum()
    print(f"halo {h}: off by up to {errors[h].max():.1e} gray levels in {wrong} columns")
    assert wrong == 2 * 3 * (4 - h)
assert errors[3].max() < 5 < 50 < errors[0].max()

drawing.save(drawing.halos(errors, 3 * cut), "13_halo.png")

# %%
# Each column that is missing makes 3 HR columns wrong on each side of the cut. With a halo of 3 the
# largest error is below 5 gray levels, and it was about 70 without a halo. But the error stands in
# a straight line from top to bottom, and our eyes find straight lines. With 4 there is no error at
# all. (Only rounding is left, about :math:`10^{-13}` gray levels. An error of exactly 0 is drawn at
# the bottom of the figure, because 0 has no place on this scale.)
#
# ``npespcn.upscale`` cuts large images in this way. With tiles of 50 pixels the result is the same
# as in one piece. (In float32 a sum may round differently, so we allow one gray level.)

assert np.abs(upscale(small, 3, tile=50, **alone) - larger.astype(int)).max() <= 1

# %%
# A compressed file
# -----------------
#
# The network has learned from clean images. But most files on the web are JPEG files. JPEG saves
# space by throwing away detail in blocks of 8×8 pixels, and leaves traces: blocks, and waves beside
# edges. The smaller the file, the stronger the traces.
#
# .. predict::
#
#    On the clean small photograph the network is about 3 dB better than bicubic interpolation. We
#    save the small photograph as JPEG, at qualities from 95 (large file) to 15 (tiny file), and
#    enlarge that. What happens to the gain?
#
# .. answer::
#
#    It shrinks. At quality 30 only a tenth of a decibel is left of the gain, and at quality 15 the
#    network is worse than bicubic interpolation. The network sharpens what it sees. It cannot know
#    that a block is a trace of JPEG and not a part of the world.

from io import BytesIO

from PIL import Image

from npespcn.pictures import rgb_to_y

gains = {}
for quality in (95, 75, 50, 30, 15):
    file = BytesIO()
    Image.fromarray(small).save(file, "JPEG", quality=quality)
    compressed = np.asarray(Image.open(file))
    network = psnr(rgb_to_y(upscale(compressed, 3, **alone)), rgb_to_y(photograph), border=3)
    bicubic = psnr(rgb_to_y(upscale_bicubic(compressed, 3)), rgb_to_y(photograph), border=3)
    gains[quality] = network - bicubic
    print(f"quality {quality}: network {network:.2f} dB, bicubic {bicubic:.2f} dB")

assert gains[95] > 2
assert gains[95] > gains[75] > gains[50] > gains[30]
assert gains[30] < 0.2
assert gains[15] < 0

shown = {  # `compressed` is the last file, of quality 15
    "JPEG of quality 15, bicubic": upscale_bicubic(compressed, 3),
    "JPEG of quality 15, network": upscale(compressed, 3, **alone),
    "clean, network": larger,
}
captions = {}
for name, image in shown.items():
    captions[name] = f"{psnr(rgb_to_y(image), rgb_to_y(photograph), border=3):.2f} dB"
drawing.save(drawing.details(shown, (200, 150, 300, 250), captions), "13_compressed.png")

# %%
# Here the network does harm. This is no bug. It is the rule of lesson 8 again: a network knows only
# what it has been trained on. One could train another network on compressed images. That is a good
# project for :doc:`lesson 14 <14_your_own>`.
#
# A video
# -------
#
# A video is a sequence of images, its *frames*. The simplest way is to enlarge them one by one. The
# network sees one frame at a time, and nothing of the others. Is that good enough?
#
# We make a short video from the photograph. From each frame to the next, the camera moves by one HR
# pixel down and one to the right. This is a third of an LR pixel. (So in the frames, every point of
# the scene moves by one HR pixel up and one to the left.)
#
# .. predict::
#
#    Follow one point of the scene from frame to frame. In the original video its brightness stays
#    the same. What happens in the enlarged video? (Think of frame 0 and frame 3.)
#
# .. answer::
#
#    From frame 0 to frame 3 the scene has moved by exactly one LR pixel. Both LR frames are the
#    same but for this move, and so are both results. From frame 0 to frame 1 it has moved by a
#    third of an LR pixel. Edges lie differently in the grid of LR pixels, and the results differ.
#    So the brightness of the point goes up and down, and repeats itself every three frames. Viewers
#    see it as shimmer.

frames = [downscale(photograph[t : t + 288, t : t + 384], 3) for t in range(12)]  # (96, 128, 3)
video = [rgb_to_y(upscale(frame, 3, **alone)).astype(int) for frame in frames]  # (288, 384)
points = [(48, 237), (97, 194), (176, 292)]  # row and column in frame 0, at edges
brightness = {}
for row, column in points:
    name = f"row {row}, column {column}"
    brightness[name] = []
    for t in range(12):  # in frame t the point is t pixels further up and further left
        brightness[name].append(int(video[t][row - t, column - t]))
    print(f"{name}: {brightness[name][:6]} ...")
    every_third = brightness[name][0::3]  # frames 0, 3, 6 and 9
    assert max(every_third) - min(every_third) <= 2
    assert max(brightness[name]) - min(brightness[name]) > 20

drawing.save(drawing.shimmer(brightness), "13_shimmer.png")

# %%
# Networks for video look at several frames at once. Then a move by a third of a pixel even helps:
# each frame shows the scene at new places. Lesson 12 names some of these networks.
#
# In everyday use you need none of this code:
#
# .. code-block:: text
#
#    npespcn upscale photo.jpg
#    npespcn upscale clip.mp4 -o clip_large.mp4
#
# :doc:`The commands </commands>` have more to offer.
#
# What you know now
# -----------------
#
# - The network works on Y. Bicubic interpolation is enough for Cb and Cr.
# - A color counts as much as it is seen: multiply by alpha, interpolate, divide.
# - Tiles need a halo of 4 pixels, and are exact then.
# - The network sharpens everything, traces of compression included.
#
# Try this: enlarge a screenshot with text, and a photograph that you have enlarged already.
#
# Next: :doc:`lesson 14 <14_your_own>` is yours.
