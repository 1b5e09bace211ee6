"""
Train it
========

**Question.** How do 22,729 random numbers become a network that beats bicubic interpolation? And if
they do not: can the curve of the loss tell you what is wrong?

:Aim: You can write the training loop in five lines and train ESPCN with it, you can read a learning
      curve, and you know one serious mistake that no curve of the loss shows.
:Minutes: 60
:Needs: :doc:`Lesson 6 <06_one_step_downhill>` for the optimizers, lessons 7 and 8 for the gradient
      and the batches.
:Practice: :doc:`Exercise 10 </exercises>` afterwards: Adam and the training loop. Beat bicubic in
      60 seconds.

Everything is ready. Lesson 5 has the network, lesson 6 the step, lesson 7 the gradient, and lesson
8 the batches. Now we put them together.
"""

# %%
# The images
# ----------
#
# We train on 40 dead-leaves images and hold out 4 others, as in lesson 8. The network must beat
# bicubic interpolation on these four. We measure the mean PSNR of the whole images, in decibels:
# more is better. (:doc:`Lesson 12 <12_measuring_honestly>` explains PSNR.)

from npespcn.data import PairedPatches, dead_leaves_pictures, validation_pairs
from npespcn.evaluation import bicubic_score, validate

leaves = dead_leaves_pictures(44)
data = PairedPatches(leaves[:40], scale=3)
held_out = validation_pairs(leaves[40:], scale=3)

bicubic = bicubic_score(held_out)
print(f"bicubic interpolation: {bicubic:.2f} dB")

# %%
# Training without padding
# ------------------------
#
# In lesson 8 each layer put zeros around its input, and the prediction had a bad frame. This time
# no layer puts anything around anything. A kernel is only applied where it fits. This is the option
# ``padding="edge"`` of ESPCN, and it means two things:
#
# - ``forward``, which is for training, does not pad at all. The output is smaller.
# - ``predict``, which is for use, first repeats the outer pixels of the image four times on each
#   side, and then does the same as ``forward``. So nothing is lost.
#
# .. predict::
#
#    An LR patch has 32×32 pixels. The kernels are 5×5, 3×3 and 3×3, and nothing is padded. How
#    large is the output of ``forward``? Which part of the 96×96 pixels of HR does it show?
#
# .. answer::
#
#    A 5×5 kernel loses 2 pixels on each side: 28×28 are left. Each 3×3 kernel loses 1 on each side:
#    26×26, then 24×24. The shuffle makes them three times larger: 72×72. In all, 4 LR pixels are
#    lost on each side, or 12 HR pixels. So the output shows the middle of HR.

import numpy as np

from npespcn.models import ESPCN

x, target = data.batch(np.random.default_rng(0), 16, 32)  # (16, 1, 32, 32), (16, 1, 96, 96)
model = ESPCN(scale=3, padding="edge", seed=0)
y = x
for name, layer in model.layers.items():
    y = layer.forward(y)
    print(f"after {name:7} {y.shape}")

assert y.shape == model.forward(x).shape == (16, 1, 72, 72)
assert model.predict(x).shape == (16, 1, 96, 96)
assert target[:, :, 12:-12, 12:-12].shape == y.shape

import drawing

drawing.save(drawing.unpadded(32, 4, 3), "09_unpadded.png")

# %%
# The outer LR pixels are not wasted. They are seen by the kernels, and help to predict the middle.
# Each prediction is made from true pixels only, so there is no bad frame. (act1 and act2 in the
# output are the two tanh. The name is short for *activation*, a common word for such a function.)
#
# Five lines
# ----------
#
# One training step is five lines:
#
# 1. Take a *batch*: LR patches x, and their HR targets.
# 2. *Forward*: compute the prediction y.
# 3. *Loss*: compute how wrong it is, and the gradient dy of the loss in the prediction.
# 4. *Backward*: compute the gradient of the loss in every weight.
# 5. *Step*: change every weight by a little, against its gradient.
#
# The loss is the mean squared error. We write it out once more. Its gradient is the error image of
# lesson 8.


def mean_squared_error(y, target):
    error = y - target
    return np.mean(error**2), 2 * error / error.size


# %%
# The step is the SGD of lesson 6: the plain line ``p -= lr * g``, for each of the six arrays of
# weights and biases.
#
# Before you start a run, you should know what loss to expect. White is about 1 and black about 0. A
# network that knows nothing about the image can say 0.5 everywhere.
#
# .. predict::
#
#    The pixels of the targets differ from 0.5 by 0.2 on average. (Square the differences, take the
#    mean, then the root.) What is the loss of a network that says 0.5 everywhere?
#
# .. answer::
#
#    The mean of the squares is :math:`0.2^2 = 0.04`. We call it the loss of plain gray. A network
#    with a higher loss is worse than no network.

gray = np.mean([np.mean((hr - 0.5) ** 2) for _, hr in held_out])
print(f"plain gray: differs by {gray**0.5:.2f}, loss {gray:.3f}")
assert abs(gray**0.5 - 0.2) < 0.02

# %%
# Here are the five lines, 120 times. (The faster network that ``accelerate`` returns shares its
# arrays with the model. So ``network.backward`` fills ``model.grads``, and a change in
# ``model.params`` changes the network.)

from threadpoolctl import threadpool_limits

from npespcn.fast import accelerate

threadpool_limits(1, "blas")  # as in lesson 8

STEPS = 120
network = accelerate(model, input_gradient=False)  # nobody needs the gradient in x
rng = np.random.default_rng(0)
lr = 0.2
sgd_losses = []
for step in range(STEPS):
    x, target = data.batch(rng, 16, 32)  # (16, 1, 32, 32), (16, 1, 96, 96)
    y = network.forward(x)  # (16, 1, 72, 72)
    loss, dy = mean_squared_error(y, target[:, :, 12:-12, 12:-12])
    network.backward(dy)
    for name, p in model.params.items():
        p -= lr * model.grads[name]
    sgd_losses.append(loss)
    if step in (0, 9, 39, 79, 119):
        print(f"step {step + 1:3}: loss {loss:.4f}")

sgd_score = validate(model, held_out)
print(f"SGD: {sgd_score:.2f} dB, bicubic {bicubic:.2f} dB")
assert sgd_losses[0] > 4 * gray
assert sgd_losses[9] < gray / 2
assert sgd_score < bicubic - 3

# %%
# The first loss, 0.30, is much higher than that of plain gray: as you saw in lesson 8, a new
# network says nearly 0, or black, everywhere. With the learning rate 0.2 the network is better than
# plain gray after ten steps, but then it crawls. After 120 steps it is still several decibels worse
# than bicubic interpolation.
#
# Another step
# ------------
#
# We put the loop into a function, so that only the fifth line changes from now on: there the
# ``step()`` of an optimizer reads ``model.grads`` and changes ``model.params``. The function has
# two more arguments: the loss, and a number ``middle`` that is subtracted from all pixels. For the
# moment it is 0.

from npespcn.losses import mse
from npespcn.optim import SGD, SOAP, Adam


def learn(model, optimizer, steps=STEPS, middle=0.0, loss_function=mse):
    """Train the model by the five lines; return the loss of every step."""
    network = accelerate(model, input_gradient=False)
    rng = np.random.default_rng(0)
    middle = np.float32(middle)
    losses = []
    for _ in range(steps):
        x, target = data.batch(rng, 16, 32)
        y = network.forward(x - middle)
        loss, dy = loss_function(y, target[:, :, 12:-12, 12:-12] - middle)
        network.backward(dy)
        optimizer.step()
        losses.append(loss)
    return losses


our_loss, our_gradient = mean_squared_error(y, 1.1 * y)
book_loss, book_gradient = mse(y, 1.1 * y)
assert np.isclose(our_loss, book_loss)  # the book's loss is ours
assert np.allclose(our_gradient, book_gradient, rtol=1e-5, atol=0)

# %%
# Perhaps the rate of SGD was too low? We try 0.3 in place of 0.2.

model = ESPCN(scale=3, padding="edge", seed=0)
too_fast = learn(model, SGD(model, lr=0.3), steps=15)
for step in (1, 5, 10, 15):
    print(f"rate 0.3, step {step:2}: loss {too_fast[step - 1]:.2g}")
assert too_fast[-1] > 1000

# %%
# The loss grows without limit. So a higher rate does not help. You know this from lesson 6: we are
# in a narrow valley. The steep walls allow no higher rate, and along the valley the steps are too
# short. (:func:`npespcn.runs.fit`, the project's function for training, stops such a run.)
#
# :doc:`Lesson 6 <06_one_step_downhill>` had two remedies. *Adam* divides each weight's step by the
# usual size of its gradient. *SOAP* is Adam along the directions of the valley, which it finds from
# the gradients itself.

losses, scores = {"SGD": sgd_losses}, {"SGD": sgd_score}
for name, make_optimizer in (("Adam", Adam), ("SOAP", SOAP)):
    model = ESPCN(scale=3, padding="edge", seed=0)
    losses[name] = learn(model, make_optimizer(model, lr=0.003))
    scores[name] = validate(model, held_out)

for name, score in scores.items():
    print(f"{name}: {score:.2f} dB after {STEPS} steps")

assert scores["SGD"] + 2 < scores["Adam"] < bicubic
assert scores["SOAP"] > bicubic

# %%
# With the same batches and the same number of steps, SOAP beats bicubic interpolation. Adam is
# still below it, and SGD is far below it.
#
# The valley, and how to fill it
# ------------------------------
#
# Where does this narrow valley come from? Lesson 6 found the reason for two pixels: neighboring
# pixels are nearly equal. A kernel of the first layer looks at 25 of them.
#
# .. predict::
#
#    Suppose that all 25 pixels are 0.5. Change the 25 weights by 1/5 each. (Together this is a
#    change of length 1, because :math:`25 \cdot (1/5)^2 = 1`.) By how much does the output of the
#    kernel change, the sum of weights times pixels? What is the square of this change? How much
#    would it be if all pixels were 0?
#
# .. answer::
#
#    The output changes by :math:`25 \cdot 0.5 \cdot 1/5 = 2.5`, and the square is 6.25. If all
#    pixels were 0, it would not change at all.
#
# The loss is made of squares. So this number says how steep the walls of the valley are in the
# direction of this change. (For a network of one layer it is half the curvature of lesson 6. Our
# network has three layers, and its first one looks at just these patches.)
#
# Now we do it for all directions, and with real patches. As in lesson 6 we need a matrix. Take the
# products of all pairs of the 25 pixels, and their mean over all patches. This is a 25×25 matrix.
# Its eigenvectors are the directions of the valley, and its eigenvalues say how steep the walls are
# in each direction.


def directions(x):
    """Return eigenvalues and eigenvectors for the 5×5 patches of x, the largest value last."""
    # Every 5×5 patch of every image: (16, 32, 32) to (16, 28, 28, 5, 5)
    patches = np.lib.stride_tricks.sliding_window_view(x[:, 0], (5, 5), axis=(1, 2))
    rows = patches.reshape(-1, 25)  # (number of patches, 25)
    products = rows.T @ rows / len(rows)  # (25, 25)
    return np.linalg.eigh(products)


raw, vectors = directions(x)
centered, _ = directions(x - np.float32(0.5))
for name, values in (("pixels", raw), ("pixels minus 0.5", centered)):
    print(f"{name}: steepest {values[-1]:.3f}, second {values[-2]:.3f}, flattest {values[0]:.4f}")
print("the steepest direction:", np.abs(vectors[:5, -1]).round(2), "and so on")

assert 5 < raw[-1] < 8
assert np.allclose(np.abs(vectors[:, -1]), 1 / 5, atol=0.02)  # the sign means nothing
assert raw[-1] > 5 * centered[-1]
assert abs(raw[-2] - centered[-2]) < 0.01

# %%
# One direction is much steeper than all others, and it is the one that you have just computed: all
# weights change by 1/5. This has nothing to do with the content of the images. It happens because
# pixels lie around 0.5 and not around 0.
#
# So we subtract 0.5 from all pixels, from LR and from the target. White is then 0.5 and black is
# -0.5. One says that the pixels are *centered*. The steepest direction becomes several times
# flatter, and the others hardly change. (Perhaps you have tried this at the end of lesson 6.) Now a
# higher rate is possible for SGD.

centered_losses, centered_models = {}, {}
rates = {"SGD": 0.8, "Adam": 0.003, "SOAP": 0.003}
for name, make_optimizer in (("SGD", SGD), ("Adam", Adam), ("SOAP", SOAP)):
    model = ESPCN(scale=3, padding="edge", seed=0)
    centered_losses[name] = learn(model, make_optimizer(model, lr=rates[name]), middle=0.5)
    centered_models[name] = model
    assert abs(centered_losses[name][0] / gray - 1) < 0.2  # it begins near plain gray

curves = {"pixels as they are": losses, "0.5 subtracted from all pixels": centered_losses}
drawing.save(drawing.optimizers(curves, gray), "09_optimizers.png")

# %%
# (Each point is a mean of five steps. In the lower panel the first loss of all is near that of
# plain gray, because the 0 of a new network now stands for 0.5.)
#
# These networks expect pixels minus 0.5, and their output is too small by 0.5. Everybody who uses
# them would have to remember this. So we move the subtraction into the biases. A kernel with the
# weights w, applied to x - 0.5, gives
#
# .. math::
#
#    \sum w \cdot (x - 0.5) + b = \sum w \cdot x + \left(b - 0.5 \sum w\right)
#
# which is the same kernel with another bias, applied to x. In the last layer 0.5 is added to the
# bias. The network is the same, but it takes and gives pixels as they are. (This is exact because
# nothing is padded with zeros.)


def take_pixels_as_they_are(model):
    sums = model.params["conv1.weight"].sum(axis=(1, 2, 3))  # (64,)
    model.params["conv1.bias"] -= 0.5 * sums
    model.params["conv3.bias"] += 0.5


first_lr = held_out[0][0]  # (1, 1, 106, 106)
for model in centered_models.values():
    before = model.predict(first_lr - np.float32(0.5)) + np.float32(0.5)
    take_pixels_as_they_are(model)
    assert np.allclose(model.predict(first_lr), before, atol=1e-5)

centered_scores = {}
for name, model in centered_models.items():
    centered_scores[name] = validate(model, held_out)
    print(f"{name}: {scores[name]:.2f} dB, and with centered pixels {centered_scores[name]:.2f} dB")

gains = {name: centered_scores[name] - scores[name] for name in scores}
assert gains["SGD"] > 1.5
assert gains["Adam"] > 1.5
assert gains["SOAP"] < min(gains["SGD"], gains["Adam"]) - 1

# %%
# SGD and Adam gain more than 1.5 decibels. SOAP gains at least one decibel less, because it can
# find the steep direction by itself.
#
# The project does the same in another order. The function :func:`npespcn.runs.center_biases`
# changes the biases of a new network *before* the training. So the network takes and gives pixels
# as they are from its first step on. During the training, each step is changed into the step that
# it would be with centered pixels. Below you will see that this gives the same losses.
#
# The book's loop
# ---------------
#
# The book has the five lines, too: :func:`npespcn.training.train`. It is a generator. After each
# step it hands out the number of the step and the loss, and it goes on when the ``for`` loop asks
# for the next one. So everything that should happen between two steps can be written in the body of
# that loop: print, save, measure, stop. Here is its code.

import inspect

from npespcn.training import train

print(inspect.getsource(train))

# %%
# (``center_crop`` cuts the middle out of the target, as our 12:-12 does.)
#
# We train twice for ten steps from the same random weights: once with our five lines, in ``learn``,
# and once with ``train``. Both use the network that ``accelerate`` returns.
#
# .. predict::
#
#    Will the weights of both networks be equal? To how many digits?
#
# .. answer::
#
#    They are equal in every bit. Both do the same operations in the same order, and the random
#    numbers come from generators with the same seed. A training run is a computation like any
#    other. If you keep the seed, you can repeat it.

model = ESPCN(scale=3, padding="edge", seed=0)
our_losses = learn(model, Adam(model, lr=0.003), steps=10)

by_the_book = ESPCN(scale=3, padding="edge", seed=0)
optimizer = Adam(by_the_book, lr=0.003)
for step, loss in train(accelerate(by_the_book, input_gradient=False), data, optimizer, steps=10):
    assert loss == our_losses[step - 1]
for name, parameter in model.params.items():
    assert np.array_equal(parameter, by_the_book.params[name])
print("equal after", step, "steps")

# %%
# A run, and its curve
# --------------------
#
# Around ``train`` the project has a function for long runs, :func:`npespcn.runs.fit`. Its loop
# measures the network on the held-out images now and then, lowers the rate, and writes down what
# happens. (It can also save, stop and resume.) The rate has to be lowered, as lesson 6 has
# shown: Adam and SOAP do not come to rest at a constant rate. ``cosine`` lowers it like half a
# cosine wave, from its full value to 0.

from npespcn.optim import cosine
from npespcn.runs import center_biases, fit


def new_model():
    model = ESPCN(scale=3, padding="edge", seed=0)
    center_biases(model, 0.5)
    return model


model = new_model()
history = fit(model, data, Adam(model, lr=0.003), steps=20)
ours = [np.mean(centered_losses["Adam"][:10]), np.mean(centered_losses["Adam"][10:20])]
print("fit, mean losses of ten steps:     ", np.round(history["loss"], 6))
print("our loop, with 0.5 subtracted:     ", np.round(ours, 6))
assert np.allclose(history["loss"], ours, rtol=1e-4)

# %%
# Now a longer run of 400 steps.

trained = new_model()
history = fit(
    trained,
    data,
    SOAP(trained, lr=0.003),
    steps=400,
    schedule=cosine(400),
    validation=held_out,
    validate_every=20,
)
print(f"bicubic {bicubic:.2f} dB, the network {history['val_psnr'][-1]:.2f} dB")
assert history["val_psnr"][-1] > bicubic + 1
drawing.save(drawing.learning_curve(history, bicubic), "09_curve.png")

# %%
# This is a good curve. Learn what it looks like:
#
# - The loss begins near that of plain gray, 0.04, and falls steeply. In this time the network
#   learns that the large image is a copy of the small one.
# - Then it becomes flat. The slow part begins: sharp edges.
# - The loss goes up and down, because each batch has other patches. Some patches are more difficult
#   than others.
# - The PSNR does not shake, because it is always measured on the same four images. It passes
#   bicubic interpolation early.
#
# Six runs
# --------
#
# Many first runs go wrong. So here are six runs of SOAP with a constant rate and centered pixels,
# of 120 steps each. One of them is as it should be. Each of the other five has *one* mistake:
#
# - The rate is 0.1, about thirty times too high.
# - All weights are 0 at the start.
# - All weights are ten times too large at the start.
# - All weights are far too small at the start. Their standard deviation is 0.001, as in the paper
#   on SRCNN (C. Dong and others, `Image super-resolution using deep convolutional networks, 2014
#   <https://arxiv.org/abs/1501.00092>`__), to which the ESPCN paper refers.
# - The targets have the wrong order: the program that made the batches counted the nine places of a
#   block down the columns, as in lesson 3. We imitate this by a loss that rearranges the target.

from npespcn.shuffle import channel_permutation, pixel_shuffle, pixel_unshuffle


def wrong_order(y, target):
    channels = pixel_unshuffle(target, 3)  # (N, 9, h, w), counted along the rows
    return mse(y, pixel_shuffle(channels, 3, order="paper"))  # counted down the columns


hr = np.arange(36).reshape(1, 6, 6)  # an HR image, and the targets of its first LR pixel
print("along the rows:  ", pixel_unshuffle(hr, 3)[:, 0, 0])
print("down the columns:", pixel_unshuffle(hr, 3, order="paper")[:, 0, 0])
assert pixel_unshuffle(hr, 3)[:, 0, 0].tolist() == [0, 1, 2, 6, 7, 8, 12, 13, 14]

weights_0 = ESPCN(scale=3, padding="edge", seed=0)
weights_10 = ESPCN(scale=3, padding="edge", seed=0)
for name in ("conv1.weight", "conv2.weight", "conv3.weight"):
    weights_0.params[name] *= 0
    weights_10.params[name] *= 10
models = {
    "rate 0.1": ESPCN(scale=3, padding="edge", seed=0),
    "weights 0": weights_0,
    "weights ×10": weights_10,
    "deviation 0.001": ESPCN(scale=3, padding="edge", seed=0, init="paper"),
    "wrong order": ESPCN(scale=3, padding="edge", seed=0),
}
runs = {}
for name, model in models.items():
    optimizer = SOAP(model, lr=0.1 if name == "rate 0.1" else 0.003)
    loss_function = wrong_order if name == "wrong order" else mse
    runs[name] = learn(model, optimizer, middle=0.5, loss_function=loss_function)
    take_pixels_as_they_are(model)

models["as it should be"] = centered_models["SOAP"]  # we have made this run already
runs["as it should be"] = centered_losses["SOAP"]

names = list(runs)
numbers = np.random.default_rng(51).permutation(6)  # a random order, so that the code tells nothing
letters, lettered = {}, {}
for letter, number in zip("ABCDEF", numbers, strict=True):
    letters[names[number]] = letter
    lettered[letter] = runs[names[number]]
drawing.save(drawing.bad_runs(lettered, gray), "09_bad_runs.png")

# %%
# .. predict::
#
#    Which curve belongs to which run? Write down a letter for each, and the reason. Two of the runs
#    cannot be told apart. Which two?
#
# .. answer::
#
#    **A, weights 0.** A flat line at plain gray. Every layer multiplies by 0, on the way forward
#    and on the way backward. So no kernel gets any gradient. Only the last bias learns.
#
#    **B, the rate 0.1.** It begins like E. But the first steps throw the weights far away, and the
#    loss jumps to more than a hundred times that of gray. The sums in front of tanh are large then,
#    so tanh is close to 1 or -1 nearly everywhere. There its slope is almost 0, and hardly any
#    gradient gets through. So the way back is long.
#
#    **C, the deviation 0.001.** It begins at plain gray and stays there for some steps, as the
#    gradients are tiny. But they are not 0, and the length of SOAP's steps does not depend on the
#    size of the gradients. So the weights grow. The loss falls almost as far as that of E, only
#    later.
#
#    **D, weights ten times too large.** The first prediction is already far outside of 0 to 1, so
#    the loss begins high above gray. Here, too, tanh is close to 1 or -1, and hardly any gradient
#    gets through.
#
#    **E, as it should be.** (Or F, see there.) The first call of SOAP's ``step()`` only looks at
#    the gradient, as you know from lesson 6. Therefore nothing is better at step 2.
#
#    **F, the wrong order.** Its curve is as good as E's. The network learns any order that it is
#    told: it puts those values into the channels that we ask for.

x, _ = data.batch(np.random.default_rng(1), 16, 32)
scores = {}
for name, letter in letters.items():
    model = models[name]
    features = x
    for layer in ("conv1", "act1", "conv2", "act2"):
        features = model.layers[layer].predict(features)
    share = np.mean(np.abs(features) > 0.99)
    scores[name] = validate(model, held_out)
    end = f"{scores[name]:.1f} dB in the end"
    print(f"{letter}, {name}: {end}, {share:.0%} of the second tanh at 1 or -1")

good = np.array(runs["as it should be"])
assert runs["weights ×10"][0] > 10 * gray
assert runs["rate 0.1"][0] == good[0]
assert max(runs["rate 0.1"]) > 100 * gray
assert not models["weights 0"].params["conv1.weight"].any()
assert np.allclose(runs["deviation 0.001"][:5], gray, rtol=0.3)
assert np.allclose(np.mean(runs["deviation 0.001"][-20:]), good[-20:].mean(), rtol=0.3)
assert np.allclose(np.mean(runs["wrong order"][-100:]), good[-100:].mean(), rtol=0.1)
assert scores["wrong order"] < bicubic < scores["as it should be"]

# %%
# Why does B come back at all, when SGD at the rate 0.3 did not? SOAP's and Adam's steps have about
# the same length whatever the gradient is. The steps of SGD grow with the gradient. So each step
# of SGD goes farther beyond the lowest point than the one before.
#
# The perfect curve
# -----------------
#
# In the wrong order the *loss* cannot show the mistake, since the same code made the targets in
# training. The PSNR on the held-out images does show it, because they are whole images that were
# made without the code of the batches. And one look at an enlarged photograph shows it. The network
# has never seen a photograph, so this is a test in two respects.
#
# .. predict::
#
#    The network writes the pixels of another place of the block into each channel. What do you see
#    at the edges of the enlarged photograph? Can the network be saved without new training?
#
# .. answer::
#
#    You see combs, as in lessons 1 and 3: within a block, the pixels are in a wrong order. All
#    values are right, only the channels have the wrong numbers. So it is enough to give the nine
#    kernels of the last layer, and their biases, their right numbers.
#
# Channel :math:`3i + j` is put into place (i, j). In this channel the network has learned the
# pixels of place (j, i). Exchange i and j: the pixels of place (i, j) are in channel
# :math:`3j + i`. So the right kernel for channel :math:`3i + j` is the old kernel :math:`3j + i`.

from npespcn import upscale
from npespcn.evaluation import psnr
from npespcn.pictures import downscale, rgb_to_y, upscale_bicubic

photograph = drawing.photograph()  # (600, 510, 3)
small = downscale(photograph, 3)  # (200, 170, 3)


def score(image):
    return psnr(rgb_to_y(image), rgb_to_y(photograph), border=3)


wrong = models["wrong order"]
alone = {"back_projection": False}  # the network alone, without a step after it
images = {"the right order": upscale(small, model=models["as it should be"], **alone)}
images["the wrong order"] = upscale(small, model=wrong, **alone)

right_numbers = [0, 3, 6, 1, 4, 7, 2, 5, 8]  # 3j + i for each place (i, j)
assert np.array_equal(right_numbers, channel_permutation(1, 3, "paper"))
for name in ("conv3.weight", "conv3.bias"):
    wrong.params[name][:] = wrong.params[name][right_numbers]
images["renumbered"] = upscale(small, model=wrong, **alone)

captions = {name: f"{score(image):.2f} dB" for name, image in images.items()}
print(captions)
assert score(images["the wrong order"]) < score(images["the right order"]) - 3
assert abs(score(images["renumbered"]) - score(images["the right order"])) < 0.3
drawing.save(drawing.details(images, (215, 160, 275, 220), captions), "09_wrong_order.png")

# %%
# Not one step of training was needed. Nothing was lost, and everything was only in the wrong place.
#
# Remember this when a curve looks perfect: **a loss cannot see a mistake in its own targets.** So
# look at whole images.
#
# A photograph
# ------------
#
# In the end our network of 400 steps enlarges the photograph. It has only seen dead leaves, which
# look like nothing in the world. Beside it is the network that comes with the project. It has the
# same layers and the same number of weights, and it has only seen dead leaves, too, but for 120,000
# steps (:doc:`the page on quality </quality>` says how).

import npespcn

results = {
    "bicubic": upscale_bicubic(small, 3),
    "400 steps": upscale(small, model=trained, **alone),
    "120,000 steps": upscale(small, model=npespcn.pretrained(3), **alone),
}
captions = {name: f"{score(image):.2f} dB" for name, image in results.items()}
print(captions)
assert score(results["bicubic"]) + 0.5 < score(results["400 steps"])
assert score(results["400 steps"]) < score(results["120,000 steps"])

results["the photograph"] = photograph
drawing.save(drawing.details(results, (215, 160, 275, 220), captions), "09_photograph.png")

# %%
# What you know now
# -----------------
#
# - A training step is five lines: batch, forward, loss, backward, step. Everything else around them
#   only makes the work easier.
# - The valley is narrow because pixels lie around 0.5. Center them, or take an optimizer that finds
#   the steep directions.
# - A curve shows a wrong rate and wrong first weights. It does not show a wrong target. Look at
#   images.
#
# Try this: train for 400 steps with the batch size 4, and with 64, and compare the curves. Or put a
# mistake into the loop yourself: compare the output with the *upper left* 72×72 pixels of the
# target and not with its middle. What does the curve look like, and what the photograph? Then write
# your own Adam and your own loop: :doc:`exercise 10 </exercises>`.
#
# Next: :doc:`lesson 10 <10_subpixel_deconvolution_resize>` asks if the shuffle at the end is the
# best way to enlarge, and compares it with two others.
