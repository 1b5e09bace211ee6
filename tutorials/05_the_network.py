"""
The network in twenty lines
===========================

**Question.** ESPCN is three convolutions with a simple function between them, and a pixel shuffle.
What happens to an image on its way through, and what are the 22,729 numbers that the network knows?

:Aim: You can write ESPCN in plain NumPy, say the shape of the array after every step, and say what
      each of its numbers is.
:Minutes: 50
:Needs: :doc:`Lesson 1 <01_pixels_and_channels>` and :doc:`lesson 4 <04_convolution>`. In one place
      the comb of :doc:`lesson 3 <03_whose_order>`.
:Practice: The first half of :doc:`exercise 12 </exercises>` afterwards: write the network yourself.

The network has a name, ESPCN, and an article: `Shi and others, Real-Time Single Image and Video
Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural Network, 2016
<https://arxiv.org/abs/1609.05158>`_. You already know all its parts but one, which is a simple
function. In this lesson we put the parts together, load weights that have been trained already, and
enlarge a photograph.
"""

# %%
# What goes in
# ------------
#
# The network of this course enlarges images of one channel, and this channel is brightness. The
# brightness of a color is called its *luma*: a weighted sum of red, green and blue, in which green
# counts most. The eye sees fine detail mostly in the brightness, so the network enlarges luma
# alone, and :doc:`lesson 13 <13_a_real_picture>` brings the color back.

import drawing
import numpy as np

from npespcn.pictures import downscale, rgb_to_y

photograph = drawing.photograph()  # (600, 510, 3)
hr = rgb_to_y(photograph)  # (600, 510)
lr = downscale(hr, 3)  # (200, 170)

black = np.zeros((1, 1, 3), np.uint8)
white = np.full((1, 1, 3), 255, np.uint8)
print("luma of black:", rgb_to_y(black)[0, 0], " luma of white:", rgb_to_y(white)[0, 0])
assert rgb_to_y(black)[0, 0] == 16
assert rgb_to_y(white)[0, 0] == 235

# %%
# In this kind of luma, black is 16 and white is 235. The range comes from television and is called
# *studio range*. The network wants numbers of about 0 to 1, so we divide by 255. It also wants a
# batch and a channel axis. Our batch is one image with one channel.

x = (lr / 255).astype(np.float32)[None, None]  # (N, C, H, W) = (1, 1, 200, 170)
print("in:", x.shape, f"from {x.min():.2f} to {x.max():.2f}")
assert x.shape == (1, 1, 200, 170)
assert hr.max() == 235
assert lr.max() > 235

# %%
# Why is the largest number 0.96, when white is only 235 / 255 = 0.92? ``downscale`` takes weighted
# means, and some of its weights are negative. A negative weight on a dark pixel takes less away
# than a negative weight on a light one. So a light pixel beside a dark edge can come out lighter
# than white. This is usual, and the network has seen it in its training.
#
# The plan
# --------
#
# These are the steps of the network for :math:`r = 3`:
#
# 1. Repeat the edge of the image: 4 more pixels on each side.
# 2. conv1: a convolution with 64 filters of 5×5, without padding.
# 3. tanh: each number x becomes tanh x. We come back to this function below.
# 4. conv2: a convolution with 32 filters of 3×3, without padding.
# 5. tanh again.
# 6. conv3: a convolution with 9 filters of 3×3, without padding.
# 7. A pixel shuffle with r = 3.
#
# .. predict::
#
#    The image has 200 rows and 170 columns. Write down the shape of the array after each of the
#    seven steps. Why does step 1 add just 4 pixels?
#
# .. answer::
#
#    Without padding, a kernel of 5 pixels costs 4 rows and 4 columns, and a kernel of 3 costs 2.
#
#    1. (1, 1, 208, 178)
#    2. (1, 64, 204, 174)
#    3. the same: tanh changes each number by itself
#    4. (1, 32, 202, 172)
#    5. the same
#    6. (1, 9, 200, 170)
#    7. (1, 1, 600, 510)
#
#    The three convolutions cost :math:`2 + 1 + 1 = 4` pixels on each side. Step 1 adds just these.
#    So the nine channels have the size of the small image, and each pixel has its block.
#
# The drawing shows the shapes for any height H and width W. The nine channels have the colors of
# their places, as in lesson 1. In the gray stacks, one sheet stands for four channels.

drawing.save(drawing.network_plan(filters=(64, 32, 9), kernels=(5, 3, 3)), "05_plan.png")

# %%
# The numbers 64 and 32, and the kernels of 5, 3 and 3 pixels, are choices of the article's authors
# (they stand in the article). No formula gives them. More channels would cost more time, and might
# give a better image. Two numbers are no choice. The first layer has 1 channel in, because luma is
# one channel. The last one has :math:`r^2 = 9` channels out, because the shuffle needs nine.
#
# Notice that everything up to the shuffle has the size of the *small* image, but for a few pixels
# at the edge. A convolution multiplies at every pixel (lesson 4), and the large image has nine
# times as many pixels. This is what makes the network *efficient*, as its name says.
#
# Step 1 is a choice of this course. You saw in lesson 4 what zeros do at the edge. Our networks
# have never seen zeros: in their training, each small image came with 4 real pixels around it. At
# the edge of a photograph there are no real pixels. To repeat the edge is a simple guess.
#
# 22,729 numbers
# --------------
#
# The weights are not written by us. A program has learned them: it looked at many small images and
# at their large originals, and changed the weights little by little until the output was close to
# the originals. Lessons 6 to 9 are about this. The result is a file with six arrays, which comes
# with the package.
#
# .. predict::
#
#    Each convolution has a weight for every filter, channel and place in the kernel, and a bias for
#    every filter. How many numbers does each of the three layers have? Which layer has most?
#
# .. answer::
#
#    =====  =====================================  ======  ========
#    layer  weights                                biases  together
#    =====  =====================================  ======  ========
#    conv1  64 filters · 1 channel · 25 places     64      1,664
#    conv2  32 filters · 64 channels · 9 places    32      18,464
#    conv3  9 filters · 32 channels · 9 places     9       2,601
#    all    22,624                                 105     22,729
#    =====  =====================================  ======  ========
#
#    Four out of five numbers belong to the layer in the middle.

import npespcn

model = npespcn.pretrained(3)
weights = model.state_dict()  # a dictionary of six arrays

numbers = {"conv1": 0, "conv2": 0, "conv3": 0}
for name, array in weights.items():
    layer = name.split(".")[0]
    numbers[layer] += array.size
    shape = str(array.shape)
    print(f"{name:13} {shape:15} {array.size:6,}")
print(numbers, "together", sum(numbers.values()))

assert numbers == {"conv1": 64 * 25 + 64, "conv2": 32 * 64 * 9 + 32, "conv3": 9 * 32 * 9 + 9}
assert numbers == {"conv1": 1_664, "conv2": 18_464, "conv3": 2_601}
assert sum(numbers.values()) == 22_729

# %%
# Compare this with lesson 4: one pixel of the small image needs 22,624 multiplications, as many as
# there are weights. So for each pixel, the network uses each of its weights exactly once. The other
# 105 numbers are the biases: :math:`64 + 32 + 9`. A bias is added, so it needs no multiplication.
#
# The size of the image appears nowhere in these shapes. The same 22,729 numbers enlarge a small
# image and a large one.
#
# Layer by layer
# --------------
#
# Now we do the seven steps, one after the other, and look at the shape after each. The book's
# functions for convolution and shuffle are those that you know from lessons 1 and 4.

from npespcn.conv import conv2d_forward
from npespcn.shuffle import pixel_shuffle

sides = ((0, 0), (0, 0), (4, 4), (4, 4))  # before and after, for each axis
padded = np.pad(x, sides, mode="edge")
print("with its edge repeated:", padded.shape)

conv1 = conv2d_forward(padded, weights["conv1.weight"], weights["conv1.bias"])
features1 = np.tanh(conv1)
print("after conv1 and tanh:  ", features1.shape)

conv2 = conv2d_forward(features1, weights["conv2.weight"], weights["conv2.bias"])
features2 = np.tanh(conv2)
print("after conv2 and tanh:  ", features2.shape)

channels = conv2d_forward(features2, weights["conv3.weight"], weights["conv3.bias"])
print("after conv3:           ", channels.shape)

y = pixel_shuffle(channels, 3)
print("after the shuffle:     ", y.shape)

assert padded.shape == (1, 1, 208, 178)
assert features1.shape == (1, 64, 204, 174)
assert features2.shape == (1, 32, 202, 172)
assert channels.shape == (1, 9, 200, 170)
assert y.shape == (1, 1, 600, 510)

# %%
# The channels between the layers are called *features*. Nobody has told the network which features
# it should compute. They came out of the training. Here are three of the 64 and three of the 32.
# White is 0, orange is positive, violet is negative:

some = {
    "after conv1": {f"channel {k}": features1[0, k] for k in (24, 18, 20)},
    "after conv2": {f"channel {k}": features2[0, k] for k in (13, 28, 27)},
}
drawing.save(drawing.on_the_way(some), "05_features.png")

# %%
# Some features look like a photograph or its negative. Others show edges, as the kernels of lesson
# 4 did. Features need not mean anything to us. The next layer has to make use of them, and that is
# all. :doc:`Lesson 11 <11_inside_the_network>` looks at them more closely.
#
# Twenty lines
# ------------
#
# We collect the steps in one function. This is the whole network in about twenty lines, with its
# imports and its weights:

import numpy as np

import npespcn
from npespcn.conv import conv2d_forward
from npespcn.shuffle import pixel_shuffle


def espcn(x, weights, r):
    """Enlarge images r times: (N, 1, H, W) -> (N, 1, H*r, W*r)."""
    sides = ((0, 0), (0, 0), (4, 4), (4, 4))
    x = np.pad(x, sides, mode="edge")  # (N, 1, H + 8, W + 8)
    x = conv2d_forward(x, weights["conv1.weight"], weights["conv1.bias"])  # (N, 64, H + 4, W + 4)
    x = np.tanh(x)
    x = conv2d_forward(x, weights["conv2.weight"], weights["conv2.bias"])  # (N, 32, H + 2, W + 2)
    x = np.tanh(x)
    x = conv2d_forward(x, weights["conv3.weight"], weights["conv3.bias"])  # (N, r*r, H, W)
    return pixel_shuffle(x, r)  # (N, 1, H*r, W*r)


weights = npespcn.pretrained(3).state_dict()
y = espcn(x, weights, 3)  # (1, 1, 600, 510)

# %%
# The book's network is an object with layers, because it must also learn. Its method ``predict``
# does the same as our function, to the last bit:

assert np.array_equal(y, model.predict(x))

# %%
# .. predict::
#
#    Now you want to enlarge an image 2 times, or 4 times. Which lines of ``espcn`` must change?
#    Which of the six arrays of weights must have another shape?
#
# .. answer::
#
#    No line changes: r is an argument. Only the last layer has another shape, because the shuffle
#    needs :math:`r^2` channels. Its filters are (4, 32, 3, 3) for :math:`r = 2`, and (16, 32, 3, 3)
#    for :math:`r = 4`, with one bias for each filter.
#
#    The numbers in the other arrays are different, too, because each network was trained for its
#    own factor.

for r in (2, 3, 4):
    weights_r = npespcn.pretrained(r).state_dict()
    y_r = espcn(x, weights_r, r)  # (1, 1, 200*r, 170*r)
    print(f"r = {r}: conv3.weight {weights_r['conv3.weight'].shape}, output {y_r.shape}")

    assert weights_r["conv1.weight"].shape == weights["conv1.weight"].shape
    assert weights_r["conv2.weight"].shape == weights["conv2.weight"].shape
    assert weights_r["conv3.weight"].shape == (r * r, 32, 3, 3)
    assert y_r.shape == (1, 1, 200 * r, 170 * r)
    if r != 3:
        assert not np.array_equal(weights_r["conv1.weight"], weights["conv1.weight"])

# %%
# A photograph comes out
# ----------------------
#
# The output is luma divided by 255. Some numbers are a little larger than 1, because the last layer
# is a plain sum and knows no limits. We multiply by 255 and round. Then numbers above 255 become
# 255, and numbers below 0 would become 0.


def to_gray_levels(y):
    """Make an image of whole numbers 0 to 255 of the network's output: (1, 1, H, W) -> (H, W)."""
    return np.clip(np.round(255 * y[0, 0]), 0, 255).astype(np.uint8)


enlarged = to_gray_levels(y)  # (600, 510)
print(f"out: {enlarged.shape}, from {y.min():.3f} to {y.max():.3f} before rounding")
assert y.max() > 1

drawing.save(drawing.in_and_out(lr, enlarged), "05_in_and_out.png")

# %%
# Is this better than what image programs do? We compare it with nearest neighbor from lesson 1, and
# with *bicubic* interpolation. Bicubic interpolation is the usual method of many image programs: a
# weighted sum of 4×4 neighbors, with fixed weights that follow from a formula. The numbers are PSNR
# in decibels, where more is better. (Lesson 1 explains PSNR in one sentence, and :doc:`lesson 12
# <12_measuring_honestly>` at length.)

from npespcn.evaluation import psnr
from npespcn.pictures import upscale_bicubic

images = {
    "nearest neighbor": lr.repeat(3, axis=0).repeat(3, axis=1),  # (600, 510)
    "bicubic": upscale_bicubic(lr, 3),
    "the network": enlarged,
}
scores = {}
for name, image in images.items():
    scores[name] = psnr(image, hr)
    print(f"{name}: {scores[name]:.2f} dB")

assert scores["the network"] > scores["bicubic"] + 2 > scores["nearest neighbor"] + 3

captions = {name: f"{score:.2f} dB" for name, score in scores.items()}
images["the original"] = hr
drawing.save(drawing.details(images, (225, 165, 325, 265), captions), "05_compared.png")

# %%
# The network is more than two decibels better than bicubic interpolation. But look at the original:
# a detail that is gone in the small image does not come back. The network cannot know it.
#
# Why tanh is between the layers
# ------------------------------
#
# The function tanh is the only step that is no sum and no copy:
#
# .. math::
#
#    \tanh x = \frac{e^x - e^{-x}}{e^x + e^{-x}}
#
# Near 0 it changes almost nothing: tanh 0.1 is 0.0997. Large numbers are pressed together: tanh 3
# is 0.995, and no result reaches 1 or -1.

assert round(np.tanh(0.1), 4) == 0.0997
assert round(np.tanh(3.0), 3) == 0.995

drawing.save(drawing.tanh_curve(), "05_tanh.png")

# %%
# Does the network need it? We leave tanh out and think about two convolutions in a row. Take one
# dimension. The first kernel is (1, 2) and the second is (3, 1):
#
# .. math::
#
#    \begin{aligned}
#    y_p &= 1 \, x_p + 2 \, x_{p+1} \\
#    z_p &= 3 \, y_p + 1 \, y_{p+1}
#    \end{aligned}
#
# .. predict::
#
#    Put the first line into the second, and write z with x alone. How many pixels of x does it use,
#    and with which weights? What does this say about a network without tanh?
#
# .. answer::
#
#    .. math::
#
#       \begin{aligned}
#       z_p &= 3 (x_p + 2 x_{p+1}) + (x_{p+1} + 2 x_{p+2}) \\
#       &= 3 x_p + 7 x_{p+1} + 2 x_{p+2}
#       \end{aligned}
#
#    It uses three pixels. This is one convolution with the kernel (3, 7, 2). So two convolutions
#    without anything between them are one convolution with a larger kernel. A network without tanh
#    is one single convolution, however many layers it has.

row = np.array([4.0, 1.0, 5.0, 9.0, 2.0])
twice = np.correlate(np.correlate(row, [1, 2], "valid"), [3, 1], "valid")  # (3,)
once = np.correlate(row, [3, 7, 2], "valid")  # (3,)
print("two convolutions:", twice, " one convolution:", once)
assert np.array_equal(twice, once)

# %%
# The same happens with our three layers, where 5, 3 and 3 pixels become 9, as in lesson 4. We
# compute the kernel. Look at the example again. The kernel (3, 7, 2) is made of two copies of the
# first kernel (1, 2), and the second copy is one place further right:
#
# .. math::
#
#    3 \cdot (1, 2, 0) + 1 \cdot (0, 1, 2) = (3, 7, 2)
#
# So each weight of the second kernel multiplies a copy of the first one. In two dimensions, the
# weight (i, j) multiplies a copy that is moved i rows down and j columns to the right. With several
# channels between the two layers, there is such a copy for each of them, and the copies are added.
# This sum over the channels is a matrix product.


def merge(first, second):
    """Return the weight of the one convolution that does what `first` and then `second` do."""
    filters, between, k2, _ = second.shape  # (O, M, k2, k2): M channels between the layers
    _, channels, k1, _ = first.shape  # (M, C, k1, k1)
    both = np.zeros((filters, channels, k1 + k2 - 1, k1 + k2 - 1))
    flat = first.reshape(between, channels * k1 * k1)  # (M, C*k1*k1)
    for i in range(k2):
        for j in range(k2):
            copy = second[:, :, i, j] @ flat  # (O, M) @ (M, C*k1*k1)
            copy = copy.reshape(filters, channels, k1, k1)  # (O, C, k1, k1)
            both[:, :, i : i + k1, j : j + k1] += copy
    return both  # (O, C, k1 + k2 - 1, k1 + k2 - 1)


small = merge(np.array([[[[1, 2], [0, 0]]]]), np.array([[[[3, 1], [0, 0]]]]))  # (1, 1, 3, 3)
assert small[0, 0, 0].tolist() == [3, 7, 2]  # the example, with a second row of zeros

# the trained weights in float64: fewer rounding errors when we compare
exact = {name: array.astype(np.float64) for name, array in weights.items()}
one_weight = merge(merge(exact["conv1.weight"], exact["conv2.weight"]), exact["conv3.weight"])
print("one convolution:", one_weight.shape, "which is", one_weight.size, "weights")
assert one_weight.shape == (9, 1, 9, 9)

# %%
# The biases can be merged, too. A bias adds the same number at every pixel of its channel. In the
# next layer, all weights of a slice meet this same number. So the slice gives the number times the
# sum of its weights, and this is again the same at every pixel: a bias.


def merge_bias(bias, weight, next_bias):
    """Return the one bias that replaces `bias` before a convolution and `next_bias` after it."""
    return weight.sum(axis=(2, 3)) @ bias + next_bias


one_bias = merge_bias(exact["conv1.bias"], exact["conv2.weight"], exact["conv2.bias"])  # (32,)
one_bias = merge_bias(one_bias, exact["conv3.weight"], exact["conv3.bias"])  # (9,)


def without_tanh(x, weights):
    """The three convolutions, with nothing between them."""
    x = np.pad(x, ((0, 0), (0, 0), (4, 4), (4, 4)), mode="edge")
    for layer in ("conv1", "conv2", "conv3"):
        x = conv2d_forward(x, weights[layer + ".weight"], weights[layer + ".bias"])
    return pixel_shuffle(x, 3)


three = without_tanh(x.astype(np.float64), exact)  # (1, 1, 600, 510)
padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (4, 4), (4, 4)), mode="edge")
one = pixel_shuffle(conv2d_forward(padded, one_weight, one_bias), 3)  # (1, 1, 600, 510)

print(f"three convolutions and one differ by at most {np.abs(three - one).max():.0e}")
assert np.abs(three - one).max() < 1e-10

# %%
# The one convolution gives the same output as the three. How good is this output as an image?

images = {
    "bicubic": images["bicubic"],
    "without tanh": to_gray_levels(three),
    "with tanh": enlarged,
}
scores["without tanh"] = psnr(images["without tanh"], hr)
scores["with tanh"] = scores["the network"]
captions = {name: f"{scores[name]:.2f} dB" for name in images}
print(captions)
assert scores["bicubic"] < scores["without tanh"] < scores["with tanh"] - 1

drawing.save(drawing.details(images, (225, 165, 325, 265), captions), "05_without_tanh.png")

# %%
# Without tanh, 729 weights and 9 biases do all the work of 22,729 numbers. The image is still
# better than by bicubic interpolation, because these weights are learned. (They were learned *with*
# tanh. A single convolution that learns by itself may do better.) But the same weighted sum is
# applied everywhere: to an edge, to a face, and to a wall. With tanh between the layers, the output
# depends on what the features have found. An edge is enlarged in another way than a wall.
#
# Other curves would do as well. All that is needed is that the function is not a straight line.
# Many networks take :math:`\max(x, 0)`, which is called *ReLU*. The article's authors chose tanh
# instead of ReLU, because of their experiments.
#
# What breaks: the order of the weights
# -------------------------------------
#
# The 64 filters of conv1 have numbers from 0 to 63. Suppose that another program stores them from
# last to first. The shapes are the same and no error appears.
#
# .. predict::
#
#    What comes out of the network, if the filters and biases of conv1 are in the opposite order?
#    Can you repair the image by a change in conv2? And what happens if the nine filters of *conv3*
#    are in another order?
#
# .. answer::
#
#    The image is spoiled, because each slice of conv2's filters now meets a feature for which it
#    was not made. One recognizes the outlines, but the grays are wrong. If conv2's *slices* are put
#    in the opposite order as well, each slice meets its feature again, and the image is right.
#    Between two layers, the numbers of the features mean nothing, as long as both sides agree.
#
#    The nine filters of conv3 are different. Their number is the *place in the block*. Only the
#    shuffle comes after them, and it has no slices that could be put in the same order. The blocks
#    are scrambled, and this is the comb of lessons 1 and 3. (The whole image at the upper left of
#    the figure is the first of the three, with conv1 from last to first.)

reversed1 = dict(weights)
reversed1["conv1.weight"] = weights["conv1.weight"][::-1]
reversed1["conv1.bias"] = weights["conv1.bias"][::-1]

repaired = dict(reversed1)
repaired["conv2.weight"] = weights["conv2.weight"][:, ::-1]

by_columns = [0, 3, 6, 1, 4, 7, 2, 5, 8]  # the places of a block, read column by column
reordered3 = dict(weights)
reordered3["conv3.weight"] = weights["conv3.weight"][by_columns]
reordered3["conv3.bias"] = weights["conv3.bias"][by_columns]

broken = {
    "conv1 from last to first": to_gray_levels(espcn(x, reversed1, 3)),
    "and conv2's slices too": to_gray_levels(espcn(x, repaired, 3)),
    "conv3 column by column": to_gray_levels(espcn(x, reordered3, 3)),
}
captions = {}
for name, image in broken.items():
    captions[name] = f"{psnr(image, hr):.2f} dB"
    print(f"{name}: {captions[name]}")

assert np.abs(espcn(x, repaired, 3) - y).max() < 1e-4  # sums in another order round differently
assert psnr(broken["conv1 from last to first"], hr) < scores["nearest neighbor"] - 5
assert psnr(broken["conv3 column by column"], hr) < scores["nearest neighbor"]

drawing.save(drawing.details(broken, (225, 165, 325, 265), captions), "05_broken.png")

# %%
# One last thing to break: step 1.
#
# .. predict::
#
#    You forget to repeat the edge. What is the shape of the output? Are its pixels right?
#
# .. answer::
#
#    The three convolutions take 4 pixels from each side of the small image, so 192×162 pixels are
#    left. The output has 576×486: it is 24 pixels smaller, 12 on each side. Its pixels are right.
#    They are the inner part of the full output, because their receptive fields lie inside the
#    image.

inner = conv2d_forward(x, weights["conv1.weight"], weights["conv1.bias"])  # (1, 64, 196, 166)
inner = np.tanh(inner)
inner = conv2d_forward(inner, weights["conv2.weight"], weights["conv2.bias"])  # (1, 32, 194, 164)
inner = np.tanh(inner)
inner = conv2d_forward(inner, weights["conv3.weight"], weights["conv3.bias"])  # (1, 9, 192, 162)
inner = pixel_shuffle(inner, 3)  # (1, 1, 576, 486)
print("without the repeated edge:", inner.shape)

assert inner.shape == (1, 1, 600 - 24, 510 - 24)
assert np.allclose(inner, y[:, :, 12:-12, 12:-12], atol=1e-5)

# %%
# What you know now
# -----------------
#
# - ESPCN is three convolutions with tanh between them, and a pixel shuffle. All its work is done at
#   the size of the small image.
# - Its 22,729 numbers are 22,624 weights and 105 biases. More than four fifths are in the middle
#   layer.
# - Without tanh the network is one convolution of 9×9. The order of the features inside the network
#   is free. The order of the last nine channels is not.
#
# Try this: leave out only *one* of the two tanh. Which one does the image miss more? Then write the
# network yourself, in the first half of :doc:`exercise 12 </exercises>`. (Its second half is for
# after lesson 7.) The :explorer:`explorer <mode=photo>` shows the network's nine channels and lets
# you silence some of them.
#
# Next: :doc:`lesson 6 <06_one_step_downhill>` begins to answer where the weights come from. It
# takes one weight, one example, and a pencil.
