"""
Your own
========

**Question.** You change something in the network, train it, and it is 0.05 dB better. Is it better?

:Aim: You can plan an experiment of your own, tell an effect from chance, and report both so that
      others can repeat it.
:Minutes: 40
:Needs: Lessons 9 and 12.
:Practice: The :doc:`project </project>`: choose one of three, and hand in a report.

In this last lesson you do what researchers do: you have an idea, and you find out whether it is a
good one. The lesson shows the way on a small example. Then the project is yours.
"""

# %%
# First the question, then the run
# --------------------------------
#
# A project begins with one question that a number can answer. "Is ReLU better than tanh in ESPCN,
# after 250 steps on dead leaves?" is such a question. "Make the network better" is not.
#
# Before you run anything, write down four things:
#
# 1. **What changes.** One thing at a time. If you change the activation and the learning rate
#    together, you cannot know which of them helped.
# 2. **What stays.** Training images, steps, batch size, schedule, everything else.
# 3. **What is measured**, and on which images. Training must never see these images.
# 4. **What you expect**, and why. This is your own prediction, as in the lessons.
#
# We compare three networks here: the network of the paper, with tanh; the same network with ReLU,
# :math:`\max(0, x)`; and a *narrow* one, with tanh, whose first layer has 32 filters and not 64. We
# begin with the first and the narrow one. (``fit`` and ``cosine`` are those of lesson 9.)

from npespcn.data import PairedPatches, dead_leaves_pictures, validation_pairs
from npespcn.models import ESPCN
from npespcn.optim import SOAP, cosine
from npespcn.runs import fit

leaves = dead_leaves_pictures(40)
training = PairedPatches(leaves[:32], scale=3)
held_out = validation_pairs(leaves[32:], scale=3)


def trained_score(seed, **options):
    """Train an ESPCN for 250 steps; return its PSNR on the held-out images."""
    model = ESPCN(scale=3, padding="edge", seed=seed, **options)
    history = fit(
        model,
        training,
        SOAP(model, lr=3e-3),
        steps=250,
        schedule=cosine(250),
        validation=held_out,
        seed=seed,
    )
    return history["val_psnr"][-1]


first = trained_score(seed=0)
narrow = trained_score(seed=0, widths=(32, 32))
print(f"the paper's widths {first:.2f} dB, 32 filters {narrow:.2f} dB: {narrow - first:+.2f} dB")

# %%
# How large is chance?
# --------------------
#
# The two results differ by less than a hundredth of a decibel. Is one of the networks really
# better, or is it chance? A training begins with random weights and draws random batches. Both come
# from the *seed*. Another seed gives another network, which may be a little better or a little
# worse, by chance.
#
# .. predict::
#
#    We train the same network three times, and change nothing but the seed. By how many decibels
#    will the three results differ?
#
# .. answer::
#
#    By a few hundredths of a decibel. The difference between the two networks above is smaller than
#    that. From one run each, nobody can say which network is better.
#
# So every variant is trained with several seeds. Three seeds are the minimum, and more would take
# too long here.

import numpy as np

seeds = [0, 1, 2]
scores = {
    "tanh": [trained_score(seed) for seed in seeds],
    "32 filters": [trained_score(seed, widths=(32, 32)) for seed in seeds],
    "ReLU": [trained_score(seed, activation="relu") for seed in seeds],
}
for name, values in scores.items():
    print(f"{name}: {np.round(values, 2)}, mean {np.mean(values):.2f} dB")

spread = max(scores["tanh"]) - min(scores["tanh"])
print(f"the seed alone makes a difference of up to {spread:.2f} dB")
assert 0 < spread < 0.1
assert abs(narrow - first) < 0.1

# %%

import drawing

drawing.save(drawing.seeds(scores), "14_seeds.png")

# %%
# .. predict::
#
#    Look at the figure. Which of the two changes has an effect? What would you write about the
#    other one?
#
# .. answer::
#
#    All three ReLU networks are above all three tanh networks. Their mean is 0.16 dB higher, and
#    the seeds alone make a difference of 0.04 dB. So ReLU is better *in this experiment*. The
#    scores of the networks with 32 filters lie among those with 64. It would be wrong to write that
#    32 filters are as good as 64. It is right to write that after 250 steps no difference could be
#    seen. After 10,000 steps there may be one.

effect = np.mean(scores["ReLU"]) - np.mean(scores["tanh"])
print(f"ReLU against tanh: {effect:+.2f} dB on the average")
assert min(scores["ReLU"]) > max(scores["tanh"])
assert effect > 1.3 * spread
assert max(scores["32 filters"]) > min(scores["tanh"])
assert abs(np.mean(scores["32 filters"]) - np.mean(scores["tanh"])) < effect / 2

# %%
# "In this experiment" is more than a phrase. We repeated it with 150 steps. Then tanh was better,
# by 0.2 dB on the average.
#
# If one takes parts of a network away, one by one, to see which of them matter, then such a
# comparison is called an *ablation*.
#
# Choose on one set, report on another
# ------------------------------------
#
# There is one more trap. You try twenty variants and keep the one with the best score. Even if all
# twenty were equally good, the best of them would look good, by luck.
#
# .. predict::
#
#    Twenty networks are equally good, but their scores scatter around 26.00 dB by 0.03 dB (standard
#    deviation). You report the best score. About how much too high is it?
#
# .. answer::
#
#    About 0.06 dB. The largest of twenty random numbers lies nearly two standard deviations above
#    their mean. In the question at the beginning of this lesson, the improvement was 0.05 dB.

rng = np.random.default_rng(0)
many_times = 26 + 0.03 * rng.standard_normal((10_000, 20))
best = many_times.max(axis=1).mean()
print(f"the best of twenty equal networks: {best:.3f} dB on the average")
assert 26.05 < best < 26.07

# %%
# Therefore three sets of images are needed. The network learns from the *training* images. The
# *validation* images are for choosing: the variant, the rate, the step to stop at. You measure on
# the *test* images once, in the end, and you report that number. If you look at the test images and
# go back to change something, they have become validation images.
#
# Three projects
# --------------
#
# Choose one. All of them can be done with this package on two cores, in six to ten hours with the
# report. The :doc:`project page </project>` has the steps, the pitfalls and the points.
#
# - **A. More decibels in the same minutes.** The demo of this course, ``make demo``, trains for
#   about a minute and beats bicubic interpolation by about two decibels. Reach more in the same
#   time: another loss, another activation, other training images, another schedule.
# - **B. Another network.** Write a layer or a network of your own, with its backward pass, and
#   check it against central differences (lesson 7). For example a network that adds its output to
#   the bicubic image, or resize-convolution (lesson 10).
# - **C. Another kind of image.** Screenshots, scans, noise, JPEG files (lesson 13): train a network
#   for them, and measure what it gains there and what it loses on clean photographs.
#
# .. predict::
#
#    Before you choose: which of the three do you expect to gain the most decibels over the network
#    that you start from? Write it down, and compare in the end.
#
# .. answer::
#
#    Nobody can know your result. But look back. The wrong LR of lesson 12 cost six decibels. JPEG
#    files in lesson 13 cost all the gain over bicubic interpolation, about three decibels. Here the
#    change from tanh to ReLU gained 0.16 decibels. Training images that fit the task often matter
#    more than a cleverer network.
#
# How it will be judged
# ---------------------
#
# Your project is not judged by its decibels. An honest project that ends with "no difference could
# be seen" can get full points. What counts (the project page says how much):
#
# - the question is clear, and the experiment can answer it;
# - bicubic interpolation and an unchanged network stand beside your result, measured by the
#   protocol of lesson 12;
# - several seeds are used, and their scatter is shown;
# - what you wrote yourself is checked: gradients against central differences, shapes, a tiny
#   example by hand;
# - you have looked at images, and one of them shows where your network fails;
# - somebody else can repeat it with your commands.
#
# What you know now
# -----------------
#
# - One run proves nothing. Several seeds show what is chance.
# - Change one thing at a time. Choose on validation images, report on test images.
# - A result that is reported honestly is a good result.
#
# Try this: leave out the schedule in ``trained_score``, and compare tanh with ReLU again. Is the
# answer the same? What does that say about the first answer?
#
# You have reached the end of the course. The appendix has four more lessons: :doc:`a museum of
# published slips <a_museum>`, :doc:`why it is fast <b_why_it_is_fast>`, :doc:`another processor
# <c_another_processor>` and :doc:`many processes <d_many_processes>`. And now read the ten files of
# the book, in ``npespcn/``. You will recognize every line.
