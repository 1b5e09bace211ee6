"""
What it learns from
===================

**Question.** A network with random weights knows nothing about images. It learns everything
from examples: pairs of a small image and a large one. Where do the pairs come from? What does
the network see of them? And what does it learn when there are too few?

:Aim: You can make training pairs exactly, you can read a batch and its gradient as images, and you
      recognize overfitting when two curves show it.
:Minutes: 60
:Needs: :doc:`Lesson 5 <05_the_network>` for the network, :doc:`lesson 6 <06_one_step_downhill>` for
      the step downhill, :doc:`lesson 7 <07_backpropagation>` for the backward pass.
:Practice: :doc:`Exercise 13 </exercises>` afterwards: low resolution, made exactly.
"""

# %%
# Leaves that fall on the ground
# ------------------------------
#
# To teach a network to enlarge images we need HR images. LR is computed from HR, so every image can
# be used. Photographs are the natural choice, but they must be downloaded, and most of them may not
# be published again. In this course a program *draws* the images. They show nothing real, and
# nevertheless they have the most important properties of photographs:
#
# - objects hide each other, so there are sharp edges between flat areas;
# - the edges run in all directions;
# - there are large things and small things, and many more small ones than large ones.
#
# Think of leaves that fall on the ground, one after the other. Each leaf hides the leaves below it.
# When the ground is covered, look down from above. This is the *dead leaves* model.
#
# Our leaves are disks. A pixel belongs to a disk if its distance from the center is at most the
# radius. Here is a leaf of radius 2 on 7×7 pixels, with its center in row 3, column 3:

import numpy as np

rows = np.arange(7)[:, None]  # (7, 1)
columns = np.arange(7)[None, :]  # (1, 7)
inside = (rows - 3) ** 2 + (columns - 3) ** 2 <= 2**2  # (7, 7)
print(inside.astype(int))

assert inside.sum() == 13

# %%
# How large is a leaf?
# --------------------
#
# The center and the gray of a leaf are drawn uniformly: every place and every gray is equally
# probable. The radius is not drawn uniformly. Small leaves should be more frequent than large ones.
# The rule is a *power law*: the density of the radius :math:`\rho` is proportional to
# :math:`\rho^{-3}`. (The density says how many leaves there are near each radius.)
#
# The meaning is easier to see if we count leaves. How many are larger than some radius
# :math:`\rho`? The integral of the density from :math:`\rho` upwards is proportional to
# :math:`\rho^{-2}`. So the number of larger leaves falls with the *square* of the radius. Begin
# with 64 leaves that are larger than 3 pixels:
#
# - :math:`64 / 2^2 = 16` of them are larger than 6 pixels;
# - :math:`64 / 4^2 = 4` of them are larger than 12 pixels;
# - :math:`64 / 8^2 = 1` of them is larger than 24 pixels.
#
# So :math:`64 - 16 = 48` leaves have a radius from 3 to 6, :math:`16 - 4 = 12` leaves have one from
# 6 to 12, and :math:`4 - 1 = 3` leaves have one from 12 to 24.
#
# .. predict::
#
#    Each group has leaves that are twice as wide as those of the group before, but only a quarter
#    as many. Which of the three groups covers the most ground?
#
# .. answer::
#
#    None. A leaf that is twice as wide covers four times the area, and there are only a quarter as
#    many. All groups cover the same area. No size is special.
#
# Our leaves have a smallest radius :math:`a` and a largest radius :math:`b`. How does a program
# draw a radius between them? We use the share :math:`u` of the leaves that are larger than
# :math:`\rho`. As in the example, the number of leaves between :math:`\rho` and :math:`b` is a
# difference: it is proportional to :math:`\rho^{-2} - b^{-2}`. All leaves lie between :math:`a` and
# :math:`b`, and their number is proportional to :math:`a^{-2} - b^{-2}`. So the share is
#
# .. math::
#
#    u = \frac{\rho^{-2} - b^{-2}}{a^{-2} - b^{-2}}
#
# It is 1 for the smallest leaf and 0 for the largest. Imagine all leaves in a row, sorted by size.
# Then the share says at which place of the row a leaf stands. All places occur equally often. So we
# draw u uniformly and solve the equation for :math:`\rho`:
#
# .. math::
#
#    \rho^{-2} = b^{-2} + u \cdot \left(a^{-2} - b^{-2}\right)


def draw_radii(rng, count, smallest, largest):
    u = rng.uniform(0, 1, count)  # the share of the leaves that are larger
    power = largest**-2 + u * (smallest**-2 - largest**-2)  # the radius to the power -2
    return power**-0.5


radii = draw_radii(np.random.default_rng(0), 100_000, smallest=3, largest=96)
areas = np.pi * radii**2
shares = []
for low in (3, 6, 12, 24, 48):
    group = (radii >= low) & (radii < 2 * low)
    share = areas[group].sum() / areas.sum()
    shares.append(share)
    print(f"radius {low:2} to {2 * low}: {group.sum():5} leaves, {share:4.0%} of the area")

assert np.allclose(shares, 1 / 5, atol=0.03)

# %%
# Now we can draw. Later leaves overwrite the pixels of earlier ones. So the last leaf lies on top
# and can be seen as a whole. The first one lies at the bottom. We draw 1, 10, 100 and 1000 leaves,
# and we remember for each pixel which leaf is on top.

SIZE = 192


def leaf_pixels(rng, radius):
    """Return which pixels a leaf of this radius covers, at a random place."""
    row, column = rng.uniform(0, SIZE, 2)
    rows = np.arange(SIZE)[:, None]  # (SIZE, 1)
    columns = np.arange(SIZE)[None, :]  # (1, SIZE)
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2  # (SIZE, SIZE)


def draw_leaves(rng, radii):
    """Draw a leaf for each radius; return the image and the number of the leaf at each pixel."""
    image = np.full((SIZE, SIZE), 128.0)  # the ground is gray
    top = np.full((SIZE, SIZE), -1)  # -1: no leaf
    for number, radius in enumerate(radii):
        covered = leaf_pixels(rng, radius)
        image[covered] = rng.uniform(0, 255)
        top[covered] = number
    return image, top


radii = draw_radii(np.random.default_rng(65), 1000, smallest=3, largest=SIZE / 3)
series = {}
for count in (1, 10, 100, 1000):
    image, top = draw_leaves(np.random.default_rng(6), radii[:count])
    series[f"{count} leaves" if count > 1 else "1 leaf"] = image
    visible = np.unique(top[top >= 0])
    print(f"{count:4} leaves: {np.mean(top >= 0):4.0%} covered, {len(visible)} can be seen")

assert np.mean(top >= 0) > 0.95  # the ground is covered
assert 999 in visible  # the last leaf
assert 0 not in visible  # nothing of the first leaf is left
assert len(visible) < 500

import drawing

drawing.save(drawing.gallery(series), "08_leaf_by_leaf.png")

# %%
# The same leaves fall in all four images, as the same random numbers are drawn. After 1000 leaves
# the ground is covered, and more than half of the leaves are hidden.
#
# Why these images?
# -----------------
#
# A disk has an edge in every direction, so a network that has learned from disks has seen edges in
# all directions. And there are objects of all sizes. This second point has a name: *scale
# invariance*. Go twice as far away from the leaves. Every radius looks half as large: the group
# from 6 to 12 takes the place of the group from 3 to 6. But all groups cover the same area. So the
# view from far away looks like the view from nearby. Photographs of the world have this property
# too, at least approximately: one sees a tree from nearby and another from far away.
#
# This property is the reason why a network can be of use at all. The network learns from pairs
# whose LR *we* have made. Later it is given photographs of full size, and the details that are
# missing there are finer than everything that it has seen. It can add them only if fine details
# are like coarse ones.
#
# A. Lee, D. Mumford and J. Huang compared many statistics of dead leaves with those of photographs
# (`Occlusion models for natural images, 2001 <https://doi.org/10.1023/A:1011109015675>`__). R.
# Achddou, Y. Gousseau and S. Ladjal trained networks for denoising (removing noise) and
# super-resolution with nothing else, and came close to networks that had learned from photographs
# (`Synthetic images as a regularity prior for image restoration neural networks, 2021
# <https://openreview.net/forum?id=vKT8fZFGcG>`__).
#
# The project draws richer leaves, by :func:`npespcn.data.dead_leaves_pictures`. They follow the
# same power law. But besides disks there are polygons with straight sides and corners, as buildings
# and letters have, and thin strokes like hair and twigs. Many leaves are lighter on one side, many
# have a texture like stone or bark, and some have stripes. Light falls unevenly on the whole, and
# some images are a little out of focus.

from npespcn.data import dead_leaves_pictures
from npespcn.pictures import rgb_to_y

pictures = dead_leaves_pictures(44)  # 44 arrays of (320, 320, 3), uint8
one_size, _ = draw_leaves(np.random.default_rng(6), np.full(1000, 12))

compared = {
    "our leaves": image,
    "leaves of one size": one_size,
    "the project's leaves": pictures[6][:SIZE, :SIZE],
    "a photograph": drawing.photograph()[60:252, 150:342],
}
assert pictures[0].shape == (320, 320, 3)
drawing.save(drawing.gallery(compared), "08_four_kinds.png")

# %%
# Look at the leaves of one size. There are edges in every direction here, too, but no small things
# and no large areas. The photograph has both.
#
# From HR to LR
# -------------
#
# Now LR has to be made from HR. The factor is :math:`r = 3`. The sides of an image may not be
# multiples of 3, so HR is *cropped* first: of 320 pixels in a row the last two are cut off, and 318
# pixels give 106.
#
# Next, 3×3 pixels have to become one. The simplest way takes every third pixel and forgets the
# others. Try it on fine stripes: a row of pixels in which black, 0, and white, 255, alternate.
#
# .. predict::
#
#    The row is 0, 255, 0, 255, 0, 255, ... Take the pixels 1, 4, 7, 10, ... What do you get? How
#    wide are the stripes of the small image, measured in pixels of the large one?
#
# .. answer::
#
#    Pixel 1 is white, pixel 4 is black, pixel 7 is white. The small image has stripes again, and
#    each of them stands for three pixels of the large one. Nothing in the large image is three
#    pixels wide! The small image shows a pattern that does not exist. This is called *aliasing*.

stripes = np.array([0, 255] * 15)  # 30 pixels
every_third = stripes[1::3]  # 10 pixels
print("every third pixel: ", every_third)

# %%
# A small image cannot show stripes that are finer than its own pixels. From far away one sees a
# uniform gray, half as bright as white, and it should show this gray. So each LR pixel must be a
# *mean* of several HR pixels. That is called *antialiasing*. The mean of each three pixels is a
# first step:

means_of_three = stripes.reshape(10, 3).mean(axis=1)  # 10 pixels
print("means of three:    ", means_of_three)

# %%
# The stripes became weaker, but they are still there. Three pixels are too few. For :math:`r = 3`
# the literature takes a weighted mean of eleven pixels around the center of the LR pixel. The
# weights come from a curve of third degree (R. Keys, `Cubic convolution interpolation for digital
# image processing, 1981 <https://doi.org/10.1109/TASSP.1981.1163711>`__), so the method is called
# *bicubic*: cubic along the rows and cubic along the columns. They are
#
# .. math::
#
#    \frac{1}{81} \begin{pmatrix} -1 & -2 & 0 & 9 & 21 & 27 & 21 & 9 & 0 & -2 & -1 \end{pmatrix}
#
# (:doc:`Exercise 13 </exercises>` derives them, for every r.) Their sum is 1. The largest weight is
# in the middle, and a few are negative.
#
# .. predict::
#
#    Put these weights on the stripes, with the middle weight 27 on a white pixel. What does the LR
#    pixel become? And with the middle weight on a black pixel?
#
# .. answer::
#
#    The other white pixels are at the distances 2 and 4, and have the weights 9 and -2 on both
#    sides. So white has the weight :math:`27 + 2 \cdot 9 - 2 \cdot 2 = 41` of 81, and black has 40
#    of 81. The LR pixel is :math:`255 \cdot 41 / 81 \approx 129`. In the other case it is
#    :math:`255 \cdot 40 / 81 \approx 126`. The stripes are gone: this is nearly uniform gray.

weights = np.array([-1, -2, 0, 9, 21, 27, 21, 9, 0, -2, -1]) / 81
assert np.isclose(weights.sum(), 1)  # uniform gray stays as it is

antialiased = np.zeros(10)
for i in range(2, 8):  # in the other four the weights reach over the ends
    center = 3 * i + 1
    around = stripes[center - 5 : center + 6]  # 11 pixels
    antialiased[i] = np.sum(weights * around)
print("eleven weights:    ", antialiased[2:8].round())

assert set(every_third) == {0, 255}
assert set(means_of_three) == {85, 170}
assert set(antialiased[2:8].round()) == {126, 129}

rows = {
    "HR": stripes[6:24],
    "every third": every_third[2:8],
    "mean of three": means_of_three[2:8].round(),
    "antialiased": antialiased[2:8].round(),
}
drawing.save(drawing.shrunk_stripes(rows), "08_stripes.png")

# %%
# The project's :func:`npespcn.pictures.downscale` has these weights. (It repeats the outer pixels
# beyond the border, and rounds to whole gray levels.)

from npespcn.pictures import downscale

image_of_stripes = np.tile(stripes, (30, 1)).astype(np.uint8)  # (30, 30)
small = downscale(image_of_stripes, 3)  # (10, 10)
assert np.array_equal(small[5, 2:8], antialiased[2:8].round())
assert downscale(pictures[0], 3).shape == (106, 106, 3)  # cropped to 318 pixels

# %%
# Rings show the same for all directions at once. They become finer from the center to the border,
# until they are finer than the pixels of LR: at the distance d from the center, a bright and a dark
# ring together are :math:`300/d` pixels wide. At :math:`d = 50` this is 6 pixels, or two pixels of
# LR, one for the bright ring and one for the dark one. Farther out LR cannot show the rings. The
# antialiased image is gray there. In the image of every third pixel new rings appear, around
# centers that do not exist. The means of 3×3 pixels have the same false rings, but weaker.

across = np.arange(-90, 90) + 0.5  # 180 pixels; the center is 0
squared_distance = across[None, :] ** 2 + across[:, None] ** 2  # (180, 180)
rings = 127.5 + 127.5 * np.cos(np.pi * squared_distance / 300)  # (180, 180)
rings = rings.round().astype(np.uint8)

shrunk = {
    "HR": rings,
    "every third pixel": rings[1::3, 1::3],  # (60, 60)
    "means of 3×3": rings.reshape(60, 3, 60, 3).mean(axis=(1, 3)),  # (60, 60)
    "antialiased": downscale(rings, 3),  # (60, 60)
}
contrasts = {}
for name in ("every third pixel", "means of 3×3", "antialiased"):
    corner = shrunk[name][:10, :10]  # the rings are too fine here
    contrasts[name] = corner.std()  # the standard deviation of the gray levels
    print(f"{name}: contrast {contrasts[name]:.0f} in the corner")

assert contrasts["every third pixel"] > 2 * contrasts["means of 3×3"]
assert contrasts["means of 3×3"] > 2 * contrasts["antialiased"]
drawing.save(drawing.gallery(shrunk), "08_rings.png")

# %%
# LR in training has to be made in the same way as the images that the network will get later.
# :doc:`Lesson 12 <12_measuring_honestly>` shows what happens to a network that learned from
# antialiased LR and gets another one. It also says what the ESPCN paper writes about LR.
#
# Patches
# -------
#
# A training step does not take whole images. It takes small squares of them, *patches*, from random
# places of random images. Patches have two advantages: a step is quick, and its examples come from
# many images.
#
# First we make the pairs. The network takes *luma*, the brightness of a color image, divided by
# 255, as in lesson 5. (``rgb_to_y`` rounds only if its input is whole numbers, so we give it
# floats.) The whole image is made smaller *before* patches are cut out of it. So the pixels at the
# border of a patch are made from HR pixels on both sides of that border.


def make_pair(picture):
    small = downscale(picture, 3)  # (106, 106, 3)
    cropped = picture[:318, :318]  # (318, 318, 3)
    lr = rgb_to_y(small.astype(float)) / 255  # (106, 106)
    hr = rgb_to_y(cropped.astype(float)) / 255  # (318, 318)
    return lr.astype(np.float32), hr.astype(np.float32)


pairs = [make_pair(picture) for picture in pictures]
training_pairs, held_out_pairs = pairs[:40], pairs[40:]

# %%
# The last four images are *held out*: the network never learns from them. We shall need them later.
#
# Now we cut. The LR patch begins in a random row and column. The HR patch must show exactly the
# same part of the scene.
#
# .. predict::
#
#    The LR patch has 32×32 pixels and begins in row 10, column 20. Where does the HR patch begin,
#    and how large is it? How many places can a patch have in an LR image of 106×106 pixels?
#
# .. answer::
#
#    It begins in row 30, column 60, and it has 96×96 pixels. The first row of the LR patch can be
#    0, 1, ..., 74, so there are 75 rows and 75 columns to begin in: :math:`75 \cdot 75 = 5625`
#    places.

SIDE = 32  # LR pixels


def cut(pair, row, column):
    lr, hr = pair
    lr_patch = lr[row : row + SIDE, column : column + SIDE]
    hr_patch = hr[3 * row : 3 * (row + SIDE), 3 * column : 3 * (column + SIDE)]
    return lr_patch, hr_patch


lr_patch, hr_patch = cut(training_pairs[0], 10, 20)
print("LR patch", lr_patch.shape, "HR patch", hr_patch.shape)
assert lr_patch.shape == (32, 32)
assert hr_patch.shape == (96, 96)
assert (106 - SIDE + 1) ** 2 == 5625

# %%
# Eight views of one patch
# ------------------------
#
# Turn an image by a quarter, or look at it in a mirror: it is as good an example as before. There
# are eight ways. Each of them is a combination of three steps, and each step is done or not:
# reverse the rows, reverse the columns, exchange rows and columns. A number from 0 to 7 says which
# steps are done: the first step counts 1, the second 2, and the third 4. So 5 = 1 + 4 means:
# reverse the rows, then exchange rows and columns. LR and HR have to be turned in the same way.


def turned(patch, turn):
    if turn % 2 == 1:
        patch = patch[::-1]  # reverse the rows
    if turn // 2 % 2 == 1:
        patch = patch[:, ::-1]  # reverse the columns
    if turn // 4 == 1:
        patch = patch.T  # exchange rows and columns
    return patch


small_square = np.array([[0, 1], [2, 3]])
views = []
for turn in range(8):
    view = turned(small_square, turn)
    views.append(view.ravel().tolist())
    print(turn, view.tolist())
assert len({str(view) for view in views}) == 8  # all are different

hr_views = {f"{turn}": 255 * turned(hr_patch, turn) for turn in range(8)}
drawing.save(drawing.gallery(hr_views, columns=4), "08_eight_views.png")

# %%
# With 40 images, 5625 places and 8 views there are 1.8 million different patches. They are not
# independent examples, since neighboring patches overlap. But they cost nothing.
#
# Some patches make a *batch*. The project's class :class:`npespcn.data.PairedPatches` does all of
# this. It draws four random numbers for each patch: which image, which row, which column, which
# view. We draw the same numbers and get the same patches.

from npespcn.data import PairedPatches

data = PairedPatches(pictures[:40], scale=3)
lr_batch, hr_batch = data.batch(np.random.default_rng(1), 3, SIDE)  # (3, 1, 32, 32), (3, 1, 96, 96)

numbers = np.random.default_rng(1).random((3, 4))  # between 0 and 1
for i in range(3):
    pair = training_pairs[int(40 * numbers[i, 0])]
    row, column = int(75 * numbers[i, 1]), int(75 * numbers[i, 2])
    turn = int(8 * numbers[i, 3])
    lr_patch, hr_patch = cut(pair, row, column)
    assert np.array_equal(lr_batch[i, 0], turned(lr_patch, turn))
    assert np.array_equal(hr_batch[i, 0], turned(hr_patch, turn))

assert 40 * 5625 * 8 == 1_800_000

# %%
# A batch, looked at
# ------------------
#
# Before you train a network, look at a batch. This habit finds many mistakes early: LR and
# HR that do not show the same scene, channels in a wrong order, a wrong scale.
#
# We give the batch to a network with random weights. It is ESPCN with zeros around each layer, so
# its output is three times as large as its input, 96×96. (The function ``accelerate`` returns a
# faster network. It uses the same weights, and its results are the same but for rounding.
# :doc:`Appendix B <b_why_it_is_fast>` tells how.)

from npespcn.fast import accelerate
from npespcn.losses import mse
from npespcn.models import ESPCN

model = ESPCN(scale=3, padding="same", seed=0)
network = accelerate(model)
prediction = network.forward(lr_batch)  # (3, 1, 96, 96)
loss, gradient = mse(prediction, hr_batch)  # gradient: (3, 1, 96, 96)
print(f"loss {loss:.3f}")

# %%
# The loss is the mean of the squared errors of all :math:`n = 3 \cdot 96 \cdot 96 = 27648` output
# pixels. Its gradient has a number for every output pixel: how much the loss grows when this pixel
# grows, as in lesson 7. For a pixel with the prediction p and the target t it is
#
# .. math::
#
#    \frac{\partial\, \text{loss}}{\partial p} = \frac{2\,(p - t)}{n}
#
# So the gradient is the *error image*, on another scale. Where the prediction is too bright, the
# gradient is positive, and the step downhill will make it darker.
#
# Take a pixel whose prediction is 0.6 and whose target is 0.5. Its gradient is
# :math:`2 \cdot 0.1 / 27648 = 7.2 \cdot 10^{-6}`, about seven millionths. This is a small number,
# because one pixel of so many hardly changes the mean. But a weight of the network works on all
# pixels, and the gradients of all pixels add up in it. We check the formula, and then we make one
# pixel a little brighter and look how much the loss grows.

print(f"predicted 0.6 instead of 0.5: {2 * (0.6 - 0.5) / prediction.size * 1e6:.1f} millionths")
assert prediction.size == 27648
assert np.allclose(gradient, 2 * (prediction - hr_batch) / prediction.size)

nudged = prediction.astype(np.float64)
nudged[1, 0, 40, 50] += 1e-4  # one pixel of the second patch, a little brighter
measured = (mse(nudged, hr_batch)[0] - mse(prediction.astype(np.float64), hr_batch)[0]) / 1e-4
assert np.isclose(measured, gradient[1, 0, 40, 50], rtol=0.01)

# %%
# With random weights the network predicts numbers near 0: its images are black. For a prediction of
# 0 the gradient is :math:`-2t/n`. So we expect the target with a negative sign: nearly everything
# is too dark, and most of all the bright areas.

rows = {"LR": lr_batch, "HR, the target": hr_batch, "prediction": prediction, "gradient": gradient}
drawing.save(drawing.batch_rows(rows), "08_batch_at_the_start.png")

too_dark = np.mean(gradient < 0)
print(f"mean of the prediction {prediction.mean():.2f}, of the target {hr_batch.mean():.2f}")
print(f"{too_dark:.0%} of the pixels are too dark")
assert abs(prediction.mean()) < 0.1
assert too_dark > 0.9

# %%
# Each column is one example. The prediction is black with a pattern of dots: the nine channels of
# the last layer have different random weights, and each fills one place of every block. In the
# gradient, purple says "too dark" and orange says "too bright". (:doc:`Lesson 10
# <10_subpixel_deconvolution_resize>` returns to the dots.)
#
# Then we train. The loop below has five steps, and all of them come from earlier lessons.
# (:doc:`Lesson 9 <09_train_it>` is about this loop.) The optimizer is SOAP, the last one of
# :doc:`lesson 6 <06_one_step_downhill>`, since it needs few steps. After every 20 steps we
# measure the mean training loss of these steps, and the loss on the held-out images. And we keep
# the predictions for the three patches above. (``predict`` is ``forward`` for use: it remembers
# nothing for a way backward.)

from threadpoolctl import threadpool_limits

from npespcn.optim import SOAP

threadpool_limits(1, "blas")  # for small matrices one thread is faster than several
held_out_lr = np.stack([lr for lr, hr in held_out_pairs])[:, None]  # (4, 1, 106, 106)
held_out_hr = np.stack([hr for lr, hr in held_out_pairs])[:, None]  # (4, 1, 318, 318)


def learn(next_batch, widths=(64, 32), steps=300):
    """Train a new network; return it, its loss curves, and its predictions on the way."""
    model = ESPCN(scale=3, padding="same", seed=0, widths=widths)  # channels after conv1 and conv2
    network = accelerate(model, input_gradient=False)  # nobody needs the gradient in x
    optimizer = SOAP(network, lr=0.003)
    curves = {"step": [], "training": [], "held-out": []}
    losses, predictions = [], []
    for step in range(1, steps + 1):
        x, target = next_batch()
        y = network.forward(x)
        loss, dy = mse(y, target)
        network.backward(dy)
        optimizer.step()
        losses.append(loss)
        if step % 20 == 0:
            curves["step"].append(step)
            curves["training"].append(np.mean(losses[-20:]))
            held_out_loss, _ = mse(network.predict(held_out_lr), held_out_hr)
            curves["held-out"].append(held_out_loss)
            predictions.append(network.predict(lr_batch))
    return network, curves, predictions


rng = np.random.default_rng(0)


def from_forty_images():
    return data.batch(rng, 8, SIDE)  # (8, 1, 32, 32), (8, 1, 96, 96)


network, many, predictions = learn(from_forty_images)
print(f"held-out loss after  20 steps: {many['held-out'][0]:.4f}")
print(f"held-out loss after 300 steps: {many['held-out'][-1]:.4f}")

# %%
# .. predict::
#
#    What does the gradient image look like after 20 steps, and what after 300 steps? Where is it
#    still far from 0?
#
# .. answer::
#
#    After 20 steps the prediction is a dull and blurred copy. Whole areas are still too dark or too
#    bright. After 300 steps the areas are right, and the gradient is white there. Only lines are
#    left: the edges, each with a purple and an orange side. There the prediction is not sharp
#    enough. LR does not say exactly where an edge runs, so the network has to guess.

rows = {}
edge_shares = {}
for step, prediction in ((20, predictions[0]), (300, predictions[-1])):
    _, gradient = mse(prediction, hr_batch)
    rows[f"prediction\nafter {step} steps"] = prediction
    rows[f"gradient\nafter {step} steps"] = gradient
    squares = np.sort((gradient**2).ravel())[::-1]  # the largest first
    edge_shares[step] = squares[: len(squares) // 10].sum() / squares.sum()
    print(f"after {step} steps a tenth of the pixels has {edge_shares[step]:.0%} of the loss")

assert edge_shares[300] > edge_shares[20]
drawing.save(drawing.batch_rows(rows), "08_batch_later.png")

# %%
# The color bars of the two gradients differ: after 300 steps the gradient is much smaller. Here you
# see learning from the inside. The easy parts disappear from the gradient, and the difficult parts
# remain.
#
# Look at the first row again. After 20 steps each prediction has a dark frame, and the gradient is
# purple there. The network puts zeros around the patch, and 0 is even darker than black, which is
# 16/255. It cannot know that the scene goes on. After 300 steps the eye sees no frame any more. But
# the outermost three pixels on each side are still worse than the others, as 256 new patches show.
# :doc:`Lesson 9 <09_train_it>` trains without zeros.

x, target = data.batch(np.random.default_rng(2), 256, SIDE)
squares = (network.predict(x) - target) ** 2  # (256, 1, 96, 96)
inside = squares[:, :, 3:-3, 3:-3]  # (256, 1, 90, 90)
frame_mean = (squares.sum() - inside.sum()) / (squares.size - inside.size)
print(f"mean squared error: {frame_mean:.4f} in the frame, {inside.mean():.4f} inside")
assert frame_mean > 1.05 * inside.mean()

# %%
# Training images and held-out images
# -----------------------------------
#
# We want a network for images that it has *not* seen. So it must be measured on images that it did
# not learn from. These are our four held-out images. It is not enough to hold out patches of the
# same images, because neighboring patches overlap.
#
# With 40 images both losses stay close together. (Beside the networks we measure bicubic
# interpolation, the enlargement of lesson 5 that learns nothing.) What happens if there is only
# one, and a small one? We take one patch of 32×32 pixels and train on nothing else, 300 times.
#
# .. predict::
#
#    The network has 22,729 weights. The target has :math:`96 \cdot 96 = 9216` pixels. What will the
#    training loss do in 300 steps? What will the loss on the held-out images do?
#
# .. answer::
#
#    There are more weights than numbers to learn. So the network can *memorize* the patch, and the
#    training loss falls and falls. The held-out loss falls at first, too: the network learns that
#    the large image is a sharper copy of the small one, which is true for all images. Then it turns
#    and rises. Now the network learns things that are true for this one patch only, and false
#    elsewhere. This is *overfitting*.

one_lr, one_hr = cut(training_pairs[0], 32, 32)
one_lr, one_hr = one_lr[None, None], one_hr[None, None]  # (1, 1, 32, 32), (1, 1, 96, 96)


def from_one_patch():
    return one_lr, one_hr


overfitted, one, _ = learn(from_one_patch)

from npespcn.pictures import upscale_bicubic


def bicubic_loss(pairs):
    return np.mean([np.mean((upscale_bicubic(lr, 3) - hr) ** 2) for lr, hr in pairs])


bicubic_training = bicubic_loss(training_pairs)
bicubic = bicubic_loss(held_out_pairs)
best = int(np.argmin(one["held-out"]))
print(f"one patch: training {one['training'][-1]:.5f}, held-out {one['held-out'][-1]:.5f}")
print(f"           held-out was {one['held-out'][best]:.5f} after {one['step'][best]} steps")
print(f"40 images: training {many['training'][-1]:.5f}, held-out {many['held-out'][-1]:.5f}")
print(f"bicubic:   training {bicubic_training:.5f}, held-out {bicubic:.5f}")

assert sum(parameter.size for parameter in model.params.values()) == 22729
assert one["held-out"][-1] > 4 * one["training"][-1]
assert one["held-out"][-1] > 1.3 * one["held-out"][best]
assert one["held-out"][-1] > bicubic > many["held-out"][-1]
assert bicubic_training > bicubic  # the held-out images are easier

runs = {"one patch": one, "40 images": many}
drawing.save(drawing.overfitting(runs, bicubic), "08_overfitting.png")

# %%
# This is how to recognize overfitting: **the training loss falls while the held-out loss rises.**
# Look at both curves. By its training loss the first network seems several times better than the
# second one. It is the worse network by far, worse than bicubic interpolation.
#
# (Two details of the figure mean nothing. The first network's held-out loss rises once in the first
# 40 steps: there both losses are still far too large. And with 40 images the held-out loss lies
# *below* the training loss, because our four held-out images happen to be easier. Bicubic
# interpolation also makes smaller errors on them.)
#
# The images show what the first network has memorized. On its own patch, nearly everything is as in
# the target. On another image it draws dots that are not there.

looks = {
    "its own patch: target": one_hr[0, 0],
    "its own patch: prediction": overfitted.predict(one_lr)[0, 0],
    "held-out: target": held_out_hr[1, 0, 100:196, 100:196],
    "held-out: prediction": overfitted.predict(held_out_lr)[1, 0, 100:196, 100:196],
}
looks = {name: 255 * shown for name, shown in looks.items()}
drawing.save(drawing.gallery(looks), "08_memorized.png")

# %%
# What to do about it
# -------------------
#
# **More images.** This is the best remedy. Dead leaves are drawn by a program, so there is no end
# of them.
#
# **More views of the same images.** Our one patch becomes eight patches when it is turned. Eight
# correct examples are more difficult to memorize than one.
#
# **Fewer weights.** A small network cannot memorize much. It cannot learn much, either.
#
# **Stop early.** Measure the held-out loss during training, and keep the weights of the step where
# it was least.
#
# We try the second and the third remedy on the same patch: once with all of its eight views in each
# batch, and once with only 8 channels after the first layer and 8 after the second.
#
# .. predict::
#
#    In the run with eight views, will the training loss be higher or lower than with one? And the
#    held-out loss? How many weights has the small network?
#
# .. answer::
#
#    The training loss is higher, since memorizing is harder now. The held-out loss is lower. The
#    views help, but they do not replace other images.
#
#    The small network has :math:`25 \cdot 8 + 8` numbers in the first layer,
#    :math:`8 \cdot 9 \cdot 8 + 8` in the second and :math:`8 \cdot 9 \cdot 9 + 9` in the third.
#    Together these are 1,449, less than the 9,216 pixels of the target. Even so, the small network
#    overfits too, but less: its held-out loss turns and rises a little.

view_lr = np.stack([turned(one_lr[0, 0], turn) for turn in range(8)])[:, None]  # (8, 1, 32, 32)
view_hr = np.stack([turned(one_hr[0, 0], turn) for turn in range(8)])[:, None]  # (8, 1, 96, 96)


def from_eight_views():
    return view_lr, view_hr


_, views, _ = learn(from_eight_views)
small_network, few, _ = learn(from_one_patch, widths=(8, 8))

runs = {"one patch": one, "1,449 weights": few, "eight views": views, "40 images": many}
held_out = {}
for name, run in runs.items():
    curve = run["held-out"]
    held_out[name] = curve
    print(f"{name + ':':14} training {run['training'][-1]:.5f}, held-out {curve[-1]:.5f}", end="")
    print(f" (best {min(curve):.5f})")

assert sum(parameter.size for parameter in small_network.params.values()) == 1449
assert views["training"][-1] > one["training"][-1]
assert many["held-out"][-1] < views["held-out"][-1] < one["held-out"][-1]
assert 1.05 * min(few["held-out"]) < few["held-out"][-1] < one["held-out"][-1]
drawing.save(drawing.remedies(one["step"], held_out, bicubic), "08_remedies.png")

# %%
# A dot marks the least loss of each run, where one should have stopped. With 40 images this is the
# last step: the run could go on.
#
# There is a trap in stopping early. If you choose the best step by the held-out images, you have
# used these images, and their loss is a little too good to be true. For the final number one needs
# images that have decided nothing. So there are three sets: *training* images for the weights,
# *validation* images for choices such as the number of steps, *test* images for the number in the
# report. (:doc:`Lesson 12 <12_measuring_honestly>` is about this number.)
#
# What you know now
# -----------------
#
# - LR is computed from HR: crop, then shrink with antialiasing, then cut both at the same place.
# - The gradient of the loss in the prediction is the error image. During training it shrinks to the
#   edges.
# - A falling training loss proves nothing. A rising held-out loss beside it is overfitting, and
#   other images are the best remedy.
#
# Try this: train on the leaves that you drew yourself, with ``draw_leaves``, and compare the
# held-out loss with that of the project's leaves. Or make every LR image of the training by
# ``picture[1::3, 1::3]``, and see what the network does with antialiased images. Then do
# :doc:`exercise 13 </exercises>`.
#
# Next: :doc:`lesson 9 <09_train_it>` is about the training itself, and about five runs that go
# wrong.
