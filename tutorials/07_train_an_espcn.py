"""
Train an ESPCN
==============

**Question.** How do 22,729 random numbers become a network that beats bicubic interpolation? And
if they do not: how do you tell from the curve what is wrong?

**Predict before you run.** Write down your answers.

- A patch has 32×32 LR pixels. The kernels are 5×5, 3×3, 3×3, unpadded. How wide is the ×3 output?
- The loss is the mean squared error, with white at 1. The pixels of the targets deviate from 0.5
  by 0.2 (root mean square). What is the loss of a network that says 0.5 everywhere?
- The targets' channels are counted in another order than the network's. How does the loss show it?
"""

# %%
# One LR pixel, nine answers
# --------------------------
# This HR picture has 6×6 pixels, so its LR picture has 2×2. Below are the nine targets of the first
# LR pixel, one for each channel, in two orders (lesson 3): along the rows, and down the columns.

import inspect
from pathlib import Path

import numpy as np
from matplotlib import cbook
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from npespcn import figures, upscale
from npespcn.data import PairedPatches, dead_leaves_pictures, validation_pairs
from npespcn.evaluation import bicubic_score, psnr
from npespcn.layers import Sequential
from npespcn.losses import mse
from npespcn.models import ESPCN
from npespcn.optim import SGD, SOAP, cosine
from npespcn.pictures import downscale, read_image, rgb_to_y, upscale_bicubic
from npespcn.runs import DivergedError, center_biases, fit
from npespcn.shuffle import channel_permutation, pixel_shuffle, pixel_unshuffle
from npespcn.training import train

OUT = Path("runs/tutorials")
OUT.mkdir(parents=True, exist_ok=True)

for order in ("CRD", "paper"):
    print(order, pixel_unshuffle(np.arange(36).reshape(1, 6, 6), 3, order=order)[:, 0, 0])

# %%
# A step is five lines
# --------------------
# We train on 40 dead-leaves pictures and keep 4 to measure on. A batch is 16 patches from random
# places. The output lacks 2 + 1 + 1 LR pixels on each side, where the kernels do not fit: it is
# 3·(32 - 8) = 72 pixels wide, and the target is cropped. ``SOAP`` is Adam in a better basis (see
# ``npespcn/optim.py``). Its first step only looks at the gradient, to find that basis.
#
# The five lines are also the whole of the library's ``train``, printed below. It is a generator: it
# hands out the loss after each step, and goes on when the loop asks for the next one. So whatever
# else is to happen between two steps is written in the body of that loop. Both ways end in the same
# weights, to the last bit.

threadpool_limits(1, "blas")  # several threads would wait for each other: the products are small
leaves = dead_leaves_pictures(44)
data, pairs = PairedPatches(leaves[:40], scale=3), validation_pairs(leaves[40:], scale=3)

by_hand = ESPCN(scale=3, padding="edge")
optimizer, rng = SOAP(by_hand), np.random.default_rng(0)
for _ in range(10):
    x, target = data.batch(rng, 16, 32)  # (16, 1, 32, 32), (16, 1, 96, 96)
    y = by_hand.forward(x)  # (16, 1, 72, 72)
    loss, dy = mse(y, target[..., 12:-12, 12:-12])
    by_hand.backward(dy)
    optimizer.step()

print(inspect.getsource(train))
by_train = ESPCN(scale=3, padding="edge")
for step, loss in train(by_train, data, SOAP(by_train), steps=10):
    print(f"step {step}: loss {loss:.4f}")

assert y.shape == (16, 1, 72, 72)
assert sum(p.size for p in by_hand.params.values()) == 22729
assert all(np.array_equal(by_hand.params[name], by_train.params[name]) for name in by_hand.params)

# %%
# A run, and its curve
# --------------------
# ``fit`` is such a loop. It makes the network fast, measures it now and then on the pictures that
# we kept, lowers the rate by a schedule, and returns a history of it all.
#
# Pixels lie around 0.5. ``center_biases`` lets the network start, and ``fit`` lets it step, as if
# they lay around 0. The loss begins near that of plain gray, 0.5 everywhere, and falls fast while
# the network learns to copy. It passes bicubic; then comes the slow part, sharp edges. The loss
# goes up and down, because each batch has other patches. Validation is steady, because it always
# asks about the same pictures.


def trained(steps, optimizer=SOAP, rate=3e-3, init="xavier", times=1, **more):
    model = ESPCN(scale=3, padding="edge", init=init)
    for parameter in model.params.values():
        parameter *= times
    center_biases(model, 0.5)
    return model, fit(model, data, optimizer(model, lr=rate), steps=steps, validation=pairs, **more)


gray, bicubic = np.mean([(y - 0.5) ** 2 for _, y in pairs]), bicubic_score(pairs)
model, run = trained(800, schedule=cosine(800), validate_every=20)
print(f"gray: deviation {gray**0.5:.2f}, loss {gray:.3f}, {-10 * np.log10(gray):.1f} dB")
print(f"bicubic {bicubic:.2f} dB, the network {run['val_psnr'][-1]:.2f} dB")
assert run["val_psnr"][-1] > bicubic + 1.5
figures.save(figures.learning_curve(run, bicubic=bicubic, title="ESPCN ×3"), OUT / "07_curve.png")

# %%
# What breaks: the rate, the beginning, the order
# -----------------------------------------------
# Runs of 150 steps at a constant rate. Each differs from the first in one thing.
#
# - *Rate.* At 0.1, thirty times too high, the loss jumps far above gray. The first steps drive tanh
#   to ±1, where its slope is 0, and the way back is long. SOAP's steps have one size whatever the
#   gradient; those of SGD grow with it. At 10, each overshoots by more, until ``fit`` gives up.
# - *First weights.* All 0: a flat line at gray. No gradient comes through a layer of zeros: they
#   stay 0, and only the last bias learns. Ten times too large: tanh is at ±1 again. A deviation of
#   0.001, as in SRCNN's paper: the loss falls as far, but later.
# - *Order.* The network learns whatever order it is told. The curve of the loss looks perfect.


def wrong_order(y, target):
    return mse(y, pixel_shuffle(pixel_unshuffle(target, 3), 3, order="paper"))


done = {
    "good": trained(150),
    "rate 0.1": trained(150, rate=0.1),
    "deviation 0.001": trained(150, init="paper"),
    "weights 0": trained(150, times=0),
    "weights ×10": trained(150, times=10),
    "wrong order": trained(150, loss=wrong_order),
}
figure = Figure(figsize=(10, 5), layout="constrained")
axes = figure.subplots()
colors = ["#000000", "#d55e00", "#cc79a7", "#56b4e9", "#009e73", "#e69f00"]
for (name, (made, run)), marker, color in zip(done.items(), "osD^vx", colors, strict=True):
    half = Sequential(*list(made.layers.values())[:4]).predict(x)  # up to the second tanh
    label = f"{name}: {run['val_psnr'][-1]:.1f} dB"
    print(f"{label:26}{np.mean(np.abs(half) > 0.99):4.0%} of the second tanh at ±1")
    axes.semilogy(run["step"], run["loss"], marker=marker, color=color, ms=8, label=label)
axes.axhline(gray, color="gray", ls="--", label="plain gray")
axes.set(title="Runs that go wrong, and one that does not", xlabel="step", ylabel="training loss")
figure.legend(loc="outside right center", title="PSNR in the end")
figures.save(figure, OUT / "07_bad_runs.png")
assert done["rate 0.1"][1]["loss"][0] > 100 * gray
assert not done["weights 0"][0].params["conv1.weight"].any()
assert np.allclose(*(done[name][1]["loss"][5:] for name in ("good", "wrong order")), rtol=0.1)
try:
    with np.errstate(all="ignore"):
        assert not trained(150, SGD, rate=10), "it should diverge"
except DivergedError as error:
    print("SGD:", error)

# %%
# A picture that it never saw
# ---------------------------
# The network has only seen dead leaves, which look like nothing in the world, and yet it enlarges a
# photograph. The curve hid the wrong order. Here it turns edges into combs: so look at whole
# pictures, which were made without the code of the batches. Nothing is lost. Give the rows of the
# last layer their right numbers, and all is well without another step. **Next:** lesson 8 looks
# inside. Try first: exercise 10, your own Adam.

photograph = read_image(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))[:600, :510]
small, wrong = downscale(photograph, 3), done["wrong order"][0]
pictures = {"bicubic": upscale_bicubic(small, 3), "800 steps": upscale(small, model=model)}
pictures["wrong order"] = upscale(small, model=wrong)
for name in ("conv3.weight", "conv3.bias"):
    wrong.params[name][:] = wrong.params[name][channel_permutation(1, 3, "paper")]
pictures["renumbered"] = upscale(small, model=wrong)
scores = {key: psnr(rgb_to_y(y), rgb_to_y(photograph), border=3) for key, y in pictures.items()}
captions = {name: f"{score:.2f} dB" for name, score in scores.items()}
assert scores["wrong order"] < scores["bicubic"] - 1
assert scores["bicubic"] < scores["renumbered"] < scores["800 steps"]
figure = figures.before_after(pictures, (200, 150, 300, 250), captions=captions, title="×3")
figures.save(figure, OUT / "07_photograph.png")
print(captions, *sorted(OUT.glob("07_*.png")), sep="\n")
