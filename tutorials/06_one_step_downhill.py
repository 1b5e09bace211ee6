"""
One step downhill
=================

**Question.** A network begins with random numbers as its weights. How does it find better ones?

:Aim: You can take a slope back through two layers by hand, you can say how long a step may be, and
      you can write SGD, momentum and Adam, each in about five lines.
:Minutes: 85
:Needs: NumPy, and from school the derivative of a square; in one place, the rule for quotients.
      :doc:`Lesson 1 <01_pixels_and_channels>`, and :doc:`lesson 5 <05_the_network>` for the network
      whose numbers we want to find.
:Practice: :doc:`Exercise 10 </exercises>` asks you to write Adam and to train with it. Do it after
      lesson 9.

This lesson and the next one are the heart of the course. Take a pencil, and take your time. Every
formula is first worked out with numbers that are small enough for paper.

The lesson has two halves. The first half, up to the two layers, finds the slope and takes a step.
Lesson 7 builds on it. The second half begins with the section "A valley", and compares several ways
to step. Between the two is a good place for a break.
"""

# %%
# One weight and one example
# --------------------------
#
# In lesson 5, the 22,729 numbers of the network came from a file. Now we want to find such numbers
# ourselves. We begin with the smallest network that there is. It has one number, its *weight* w,
# and it multiplies its input x by it:
#
# .. math::
#
#    y = w \cdot x
#
# There is one *example*. For the input :math:`x = 2` the right output is :math:`t = 6`. The right
# output is called the *target*. You see at once that w should be 3. The network does not see it. It
# can only try a weight, and find out how wrong its output is.
#
# How wrong the output is must be said by one number. This number is the *loss*. We take the square
# of the difference:
#
# .. math::
#
#    L = (y - t)^2
#
# The loss is zero if the output is right. In all other cases it is positive.
#
# For :math:`w = 1` the output is 2, and the loss is :math:`(2 - 6)^2 = 16`. Here is the loss for a
# few more weights:

import numpy as np

x = 2.0
t = 6.0


def loss(w):
    y = w * x
    return (y - t) ** 2


for w in (0.0, 1.0, 2.0, 3.0, 4.0, 5.0):
    print(f"w = {w}: output {w * x:4}, loss {loss(w):4}")

assert loss(1.0) == 16
assert loss(3.0) == 0

# %%
# The losses lie on a parabola. Its lowest point is at :math:`w = 3`.
#
# The slope
# ---------
#
# We stand at :math:`w = 1` and know nothing of the lowest point. In which direction should w move?
# We make w a little larger and look. For :math:`w = 1.1` the output is 2.2, and the loss is
# :math:`(2.2 - 6)^2 = 14.44`. The loss has changed by :math:`14.44 - 16 = -1.56`, while w has
# changed by 0.1. The quotient says how fast the loss changes:
#
# .. math::
#
#    \frac{14.44 - 16}{0.1} = -15.6
#
# The loss falls when w grows. The quotient depends a little on how far we went. So we take smaller
# and smaller differences.

for difference in (0.1, 0.01, 0.001, 0.0001):
    quotient = (loss(1 + difference) - loss(1)) / difference
    print(f"difference {difference}: quotient {quotient:.4f}")

assert abs(quotient - (-16)) < 0.001

# %%
# The quotients come closer and closer to -16. This number is the *slope* of the loss at
# :math:`w = 1`. In school it is called the derivative, and it is written :math:`dL/dw`.
#
# There is also a formula for it. We go through the network in two small steps, and ask at each step
# how fast one number changes when the number before it changes.
#
# - When w changes by 1, then y changes by :math:`x = 2`. So y changes twice as fast as w.
# - The derivative of the square :math:`(y - t)^2` is :math:`2(y - t)`. At :math:`y = 2` that is
#   :math:`2 \cdot (2 - 6) = -8`. So L changes -8 times as fast as y.
#
# If y changes twice as fast as w, and L changes -8 times as fast as y, then L changes
# :math:`-8 \cdot 2 = -16` times as fast as w:
#
# .. math::
#
#    \frac{dL}{dw} = \frac{dL}{dy} \cdot \frac{dy}{dw} = 2(y - t) \cdot x
#
# One multiplies the rates of change along the way. This is the *chain rule*. You have just used it,
# and there is nothing more to it.


def slope(w):
    y = w * x
    return 2 * (y - t) * x


print("slope at w = 1:", slope(1.0))
assert slope(1.0) == -16

# %%
# A step downhill
# ---------------
#
# The slope tells two things. Its sign tells the direction: a negative slope means that the loss
# falls when w grows. Its size tells how steep the hill is. To go down, w must move against the
# slope. We multiply the slope by a small number, the *learning rate* lr, and subtract:
#
# .. math::
#
#    w \leftarrow w - \text{lr} \cdot \text{slope}
#
# In Python this is ``p -= lr * g``, where p is a parameter (a weight, here w) and g is the slope of
# the loss in it. (Do not mix this lr up with the small image of lesson 5. In programs for training,
# lr is nearly always the learning rate.) Nearly every network is trained by this line, many times,
# with improvements.
#
# .. predict::
#
#    Start at :math:`w = 1`, with :math:`\text{lr} = 0.05`. Work out the first two steps with a
#    pencil. What is w after each of them?
#
# .. answer::
#
#    The slope at 1 is -16. The first step leads to :math:`1 - 0.05 \cdot (-16) = 1.8`.
#
#    There the output is 3.6, and the slope is :math:`2 \cdot (3.6 - 6) \cdot 2 = -9.6`. The second
#    step leads to :math:`1.8 + 0.05 \cdot 9.6 = 2.28`.

lr = 0.05
w = 1.0
path = [w]
for step in range(6):
    g = slope(w)
    w -= lr * g
    path.append(w)
    print(f"step {step + 1}: slope {g:7.3f}, new weight {w:.4f}, w - 3 = {w - 3:.4f}")

assert np.allclose(path[:3], [1, 1.8, 2.28])

# %%

import drawing

drawing.save(drawing.parabola(loss, {"learning rate 0.05": path}, (0.5, 5.5), 25), "06_steps.png")

# %%
# Nobody told the steps to become shorter. They do so because the slope becomes smaller towards the
# lowest point.
#
# How long a step may be
# ----------------------
#
# Look at the last number of each line in the output above. It is the distance :math:`w - 3`, which
# is negative as long as w lies to the left of 3. At the start it is -2. So the distances are -2,
# -1.2, -0.72, -0.432. Each is 0.6 times the one before. Where does the 0.6 come from? We write the
# slope by means of the distance:
#
# .. math::
#
#    \text{slope} = 2(2w - 6) \cdot 2 = 8 \cdot (w - 3)
#
# The slope is always 8 times the distance. The number 8 is the *curvature* of the parabola: when w
# changes by 1, the slope changes by 8. (In school it is called the second derivative.) A step
# subtracts lr times the slope. If the distance was d before the step, then after it the distance is
#
# .. math::
#
#    d - \text{lr} \cdot 8 \cdot d = (1 - 8\, \text{lr}) \cdot d
#
# For :math:`\text{lr} = 0.05` the factor is :math:`1 - 0.4 = 0.6`.
#
# .. predict::
#
#    Compute the factor for each of the learning rates 0.01, 0.1, 0.2 and 0.3. With which of them
#    does w move very slowly? With which does it arrive quickly? With which does it jump from one
#    side of 3 to the other? And with which does it get farther and farther away?
#
# .. answer::
#
#    The factors are 0.92, 0.2, -0.6 and -1.4.
#
#    With 0.01 the distance loses only 8 percent in each step: w is slow. With 0.1 only a fifth of
#    the distance is left after a step: w arrives quickly. A negative factor means that w jumps over
#    the lowest point. With 0.2 it lands nearer each time, on alternate sides. With 0.3 it lands
#    farther away each time. One says that it *diverges*.

paths = {}
for lr in (0.01, 0.1, 0.2, 0.3):
    w = 1.0
    path = [w]
    for _ in range(6):
        w -= lr * slope(w)
        path.append(w)
    paths[f"learning rate {lr}"] = path
    print(f"learning rate {lr}: factor {1 - 8 * lr:5.2f}, weights {np.round(path, 2)}")
    distances = np.array(path) - 3
    assert np.allclose(distances[1:], (1 - 8 * lr) * distances[:-1])

drawing.save(drawing.parabola(loss, paths, (-2, 8), 100), "06_rates.png")

# %%
# The distance shrinks if the factor lies between -1 and 1. The factor is :math:`1 - \text{lr} \cdot
# \text{curvature}`, so it is less than 1 for every positive rate. It is greater than -1 if
# :math:`\text{lr} \cdot \text{curvature} < 2`, that is, if
#
# .. math::
#
#    \text{lr} < \frac{2}{\text{curvature}} = \frac{2}{8} = 0.25
#
# A rate above this bound diverges. A rate far below it is slow. In the middle, at
# :math:`1/8 = 0.125`, the factor is 0, and one step arrives.
#
# So why not always take the rate in the middle? Because in a real network nobody knows the
# curvature. It is different in every direction, and it changes on the way. So one tries rates, and
# looks at the loss. A loss that grows says that the rate is too large.

assert abs(1 - 8 * 0.25) == 1  # at the bound, w jumps back and forth forever
assert 1 - 8 * 0.125 == 0

# %%
# Two layers: the chain rule
# --------------------------
#
# The next network has two weights, one after the other, and between them the tanh of ESPCN:
#
# .. math::
#
#    \begin{aligned}
#    a &= w_1 \cdot x & \qquad h &= \tanh(a) \\
#    y &= w_2 \cdot h & \qquad L &= (y - t)^2
#    \end{aligned}
#
# The example is :math:`x = 2` with the target :math:`t = 1`. The weights are :math:`w_1 = 0.2747`
# and :math:`w_2 = 3`. We chose :math:`w_1` so that the numbers are easy: :math:`a = 0.5493`, and
# the tanh of this is 0.5. You can do the rest in your head. The output is
# :math:`y = 3 \cdot 0.5 = 1.5`, and the loss is :math:`(1.5 - 1)^2 = 0.25`.
#
# How fast does the loss change with :math:`w_1`? Four operations lie between them. But each of them
# is simple, and we know what to do: ask how fast one number changes with the one before it, and
# multiply along the way.
#
# We need a short name for :math:`dL/dy`, the slope of the loss in y. We write **dy** for it, as
# most programs do. In the same way dh is the slope of the loss in h, and so on. It is always the
# slope *of the loss*. We begin at the loss and go backward:
#
# - The loss is :math:`(y - t)^2`, so :math:`dy = 2(y - t) = 2 \cdot 0.5 = 1`.
# - :math:`y = w_2 \cdot h`: when h changes, y changes :math:`w_2 = 3` times as fast. So
#   :math:`dh = w_2 \cdot dy = 3`.
# - The same product, looked at from :math:`w_2`: when :math:`w_2` changes, y changes
#   :math:`h = 0.5` times as fast. So :math:`dw_2 = h \cdot dy = 0.5`.
#
# Now the tanh. Its slope is :math:`1 - h^2`, where h is its output. We show it once.
# :math:`\tanh(a) = u/v` with :math:`u = e^a - e^{-a}` and :math:`v = e^a + e^{-a}`. The derivative
# of u is v, and the derivative of v is u. The rule for quotients gives
#
# .. math::
#
#    \left(\frac{u}{v}\right)' = \frac{u'v - uv'}{v^2} = \frac{v^2 - u^2}{v^2}
#    = 1 - \left(\frac{u}{v}\right)^2 = 1 - h^2
#
# .. predict::
#
#    The slope of the tanh is :math:`1 - 0.5^2`. What are da and :math:`dw_1`?
#
# .. answer::
#
#    h changes 0.75 times as fast as a. So :math:`da = 0.75 \cdot dh = 0.75 \cdot 3 = 2.25`.
#
#    :math:`a = w_1 \cdot x`: when :math:`w_1` changes, a changes :math:`x = 2` times as fast. So
#    :math:`dw_1 = x \cdot da = 4.5`.
#
# In code, the way forward is four lines. The way backward is three lines for dy, dh and da, and one
# more line for each weight:

x = 2.0
t = 1.0
w1 = np.arctanh(0.5) / x  # 0.2747
w2 = 3.0

a = w1 * x
h = np.tanh(a)
y = w2 * h
L = (y - t) ** 2
print(f"forward:  a = {a:.4f}, h = {h:.4f}, y = {y:.4f}, L = {L:.4f}")

dy = 2 * (y - t)
dh = w2 * dy
dw2 = h * dy
da = (1 - h**2) * dh
dw1 = x * da
print(f"backward: dy = {dy:.4f}, dh = {dh:.4f}, da = {da:.4f}; dw2 = {dw2:.4f}, dw1 = {dw1:.4f}")

assert np.allclose([a, h, y, L], [0.5493, 0.5, 1.5, 0.25], atol=1e-4)
assert np.allclose([dy, dh, dw2, da, dw1], [1, 3, 0.5, 2.25, 4.5])

# %%

boxes = ["x = 2", "a = 0.5493\nda = 2.25", "h = 0.5\ndh = 3", "y = 1.5\ndy = 1", "L = 0.25"]
weight_boxes = {1: "w1 = 0.2747\ndw1 = 4.5", 3: "w2 = 3\ndw2 = 0.5"}
operations = ["times w1", "tanh", "times w2", "(y − t)²"]
factors = ["", "times 1 − h²", "times w2", "2 (y − t)"]
weight_factors = {1: "times x", 3: "times h"}
figure = drawing.chain(boxes, operations, factors, weight_boxes, weight_factors)
drawing.save(figure, "06_chain.png")

# %%
# Read the figure from top to bottom for the values, and then from bottom to top for the slopes. The
# values from the way down are needed again on the way up: the tanh needs its output h, and the
# slope in a weight needs the number that the weight was multiplied with.
#
# Are the two slopes right? We check them by small differences, as in the section on the slope. This
# time we go a little to both sides of the weight. That is more exact than to go to one side.
# (Lesson 7 shows how much.)


def two_layers(w1, w2):
    y = w2 * np.tanh(w1 * x)
    return (y - t) ** 2


e = 1e-5
by_difference1 = (two_layers(w1 + e, w2) - two_layers(w1 - e, w2)) / (2 * e)
by_difference2 = (two_layers(w1, w2 + e) - two_layers(w1, w2 - e)) / (2 * e)
print(f"by differences: dw1 = {by_difference1:.6f}, dw2 = {by_difference2:.6f}")

assert np.allclose([by_difference1, by_difference2], [dw1, dw2])

# %%
# This way of computing slopes is called *backpropagation*. For two weights it looks like a lot of
# work. Compare the price for ESPCN, which has 22,729 weights. The differences need two losses for
# each weight. That is 45,458 runs of the network. Backpropagation needs one run forward and one run
# backward, because each slope on the way is computed once, and is used for everything before it.

assert 2 * 22729 == 45458

# %%
# With both slopes, both weights can take a step. We take ten, with the learning rate 0.01.

weights = np.array([w1, w2])
for step in range(10):
    w1, w2 = weights
    h = np.tanh(w1 * x)  # forward
    y = w2 * h
    dy = 2 * (y - t)  # backward
    dw2 = h * dy
    dw1 = x * (1 - h**2) * w2 * dy
    g = np.array([dw1, dw2])
    weights = weights - 0.01 * g
    if step in (0, 1, 2, 9):
        print(f"step {step + 1}: loss {(y - t) ** 2:.6f}, slopes {np.round(g, 3)}")

final_loss = two_layers(weights[0], weights[1])
print("weights in the end:", np.round(weights, 4), f" loss: {final_loss:.0e}")
assert final_loss < 0.0001

# %%
# All slopes together, in an array that has the shape of the weights, are called the *gradient* of
# the loss. Above it is :math:`g = (dw_1, dw_2)`. The line ``p -= lr * g`` is the same for one
# number and for an array.
#
# A valley
# --------
#
# Now we take two weights and many examples, and a task that belongs to this course. Take three
# neighboring pixels from a row of a photograph: left, middle and right. Hide the middle one. The
# network must find it from the other two:
#
# .. math::
#
#    y = w_0 \cdot \text{left} + w_1 \cdot \text{right}
#
# (From here on the weights are one array w, so we count them from 0, as Python does.)
#
# Lesson 1 had a guess. Linear interpolation takes the mean of the two, so both weights are 1/2. Let
# us see whether the network finds that by itself.
#
# We use every twelfth row of the photograph, in gray, with 0 for black and 1 for white. This gives
# 25,400 examples. The target t is the middle pixel. The loss is the *mean* of the squares
# :math:`(y - t)^2` over all examples. The slope of one square in :math:`w_0` is
# :math:`2(y - t) \cdot \text{left}`: it is our formula :math:`2(y - t) \cdot x` again. The slope of
# a mean is the mean of the slopes.

gray = drawing.photograph()[::12].mean(axis=2) / 255  # (50, 510)
left = gray[:, :-2].ravel()  # (25400,)
middle = gray[:, 1:-1].ravel()
right = gray[:, 2:].ravel()
print(len(middle), "examples. The first three (left, right, middle):")
for i in range(3):
    print(f"{left[i]:.3f} {right[i]:.3f} {middle[i]:.3f}")

assert len(left) == len(middle) == len(right) == 25400


def loss(w):
    y = w[0] * left + w[1] * right
    return ((y - middle) ** 2).mean()


def gradient(w):
    y = w[0] * left + w[1] * right
    dy = 2 * (y - middle)
    return np.array([(dy * left).mean(), (dy * right).mean()])


start = np.array([-1.0, 1.2])
print("at the start:", start, " loss:", round(loss(start), 4), " gradient:", gradient(start))

to_0 = np.array([e, 0])  # a small difference in the first weight
to_1 = np.array([0, e])
by_difference0 = (loss(start + to_0) - loss(start - to_0)) / (2 * e)
by_difference1 = (loss(start + to_1) - loss(start - to_1)) / (2 * e)
assert np.allclose(gradient(start), [by_difference0, by_difference1])

# %%
# The loss belongs to two weights now. So it is no longer a curve, but a landscape above a plane.
# What does the landscape look like?
#
# .. predict::
#
#    Two neighbors in a row are nearly equal at most places of a photograph: left is about the same
#    as right. From some point of the plane, go in two directions. In direction A both weights grow
#    by 0.1. In direction B the left weight grows by 0.1 and the right weight shrinks by 0.1. In
#    which direction does the output y change much, and in which hardly at all?
#
# .. answer::
#
#    In direction A, y changes by 0.1 · (left + right). That is a lot. In direction B, y changes by
#    0.1 · (left - right). That is nearly nothing, because left and right are nearly equal. If the
#    output hardly changes, the loss hardly changes.
#
#    So the loss is a long and narrow *valley*. Along direction B its floor is nearly flat. Along
#    direction A its walls are steep.
#
# The figure shows the landscape from above. Each line joins points of equal loss, like the contour
# lines of a map. From one line to the next, the loss above the lowest loss becomes 2.5 times as
# large. The cross is the lowest point. It can be computed, because the gradient is zero there. The
# first entry of the gradient is the mean of :math:`2 (y - t) \cdot \text{left}`. It is zero if the
# sum of :math:`(w_0 \cdot \text{left} + w_1 \cdot \text{right} - t) \cdot \text{left}` is zero. The
# second entry is the same with right in place of the last left. So the two equations are
#
# .. math::
#
#    \begin{aligned}
#    w_0 \sum \text{left} \cdot \text{left} + w_1 \sum \text{left} \cdot \text{right}
#    &= \sum \text{left} \cdot t \\
#    w_0 \sum \text{right} \cdot \text{left} + w_1 \sum \text{right} \cdot \text{right}
#    &= \sum \text{right} \cdot t
#    \end{aligned}
#
# where each sum runs over all examples. These are two equations for two unknown weights. With left
# and right as the two rows of a matrix, two matrix products compute all six sums, and
# ``np.linalg.solve`` finds the weights.

pixels = np.stack([left, right])  # (2, 25400)
bottom = np.linalg.solve(pixels @ pixels.T, pixels @ middle)
print("lowest point:", np.round(bottom, 4), " loss there:", round(loss(bottom), 6))

assert np.allclose(gradient(bottom), 0)
assert np.round(bottom, 2).tolist() == [0.5, 0.5]  # linear interpolation

drawing.save(drawing.valley(loss, {"the loss of two weights": None}, bottom), "06_valley.png")

# %%
# The lowest point is the linear interpolation of lesson 1. Rounded to two digits, both weights are
# 0.50: the photograph itself says so. And the valley lies *diagonally*. Its directions are not the
# axes of the two weights. Keep this in mind.
#
# How steep, and how flat? We need the curvature in both directions. We take a step of length 1 in a
# direction and see how much the gradient changes. Of this change we take the part that points in
# the same direction. (The part of a vector g in a direction of length 1 is the sum of products,
# ``g @ direction``.)

across = np.array([1, 1]) / np.sqrt(2)  # direction A, length 1
along = np.array([1, -1]) / np.sqrt(2)  # direction B, length 1
origin = np.zeros(2)
steep = (gradient(origin + across) - gradient(origin)) @ across
flat = (gradient(origin + along) - gradient(origin)) @ along
print(f"curvature across the valley {steep:.4f}, along it {flat:.4f}: {steep / flat:.0f} times")

assert round(steep, 3) == 0.675
assert round(flat, 4) == 0.0103

# %%
# SGD crawls
# ----------
#
# We walk down this valley by ``p -= lr * g``. The method is called SGD. (What the letters mean
# comes below.) Across the valley the loss is a parabola, and along it the loss is another one. In
# each of these two directions a step does what it did with one weight. So you know already what
# will happen.
#
# .. predict::
#
#    A rate must be below 2 / curvature. There are two curvatures now, about 0.675 across the valley
#    and 0.0103 along it, but there is only one rate. Which curvature bounds it, and what is the
#    bound? The rate is 2.7. By which factor does one step multiply the distance across, and by
#    which the distance along?
#
# .. answer::
#
#    The steep direction bounds the rate: :math:`2 / 0.675 \approx 3.0`. Above it, w climbs up the
#    walls, higher with each step.
#
#    Across, the factor is :math:`1 - 2.7 \cdot 0.675 \approx -0.82`: w jumps from wall to wall.
#    Along, it is :math:`1 - 2.7 \cdot 0.0103 \approx 0.97`: w crawls. A smaller rate calms the
#    jumps, but then w crawls even more slowly.


def sgd(gradient, start, lr, steps):
    w = start.copy()
    path = [start]
    for _ in range(steps):
        g = gradient(w)
        w -= lr * g
        path.append(w.copy())
    return np.array(path)  # (steps + 1, 2)


paths = {"SGD, rate 2.7": sgd(gradient, start, lr=2.7, steps=40)}
paths["SGD, rate 1"] = sgd(gradient, start, lr=1.0, steps=40)
print(f"bound {2 / steep:.2f}, factors {1 - 2.7 * steep:.2f} and {1 - 2.7 * flat:.3f}")
for name, path in paths.items():
    print(f"{name}: after 40 steps {loss(path[-1]) - loss(bottom):.5f} above the lowest loss")

drawing.save(drawing.valley(loss, paths, bottom), "06_sgd.png")

diverging = sgd(gradient, start, lr=3.1, steps=40)
assert loss(diverging[-1]) > loss(start) > loss(paths["SGD, rate 2.7"][-1])
assert loss(paths["SGD, rate 1"][-1]) > loss(paths["SGD, rate 2.7"][-1])

# %%
# The square is the start. After 40 steps w is still far from the cross. In the explorer you can
# :explorer:`drag the start and change the rate <mode=downhill>`.
#
# Why "SGD"? The letters mean *stochastic gradient descent*. Descent is the way down. Stochastic
# means "by chance": one does not compute the gradient of all examples. One draws a few of them by
# chance, a *batch*, and takes the mean over these only. The gradient is then not exact. But it is
# right on average, and it costs a small part of the work. Here are 40 steps with batches of 32
# examples.

rng = np.random.default_rng(0)


def batch_gradient(w):
    drawn = rng.integers(0, len(middle), size=32)
    y = w[0] * left[drawn] + w[1] * right[drawn]
    dy = 2 * (y - middle[drawn])
    return np.array([(dy * left[drawn]).mean(), (dy * right[drawn]).mean()])


mean = np.mean([batch_gradient(start) for _ in range(20000)], axis=0)
print("one batch:", batch_gradient(start), " another one:", batch_gradient(start))
print("mean of 20,000 batches:", mean, " all examples:", gradient(start))
assert np.abs(mean - gradient(start)).max() < 0.01 * np.abs(gradient(start)).max()

paths = {"all 25,400 examples": sgd(gradient, start, lr=1.0, steps=40)}
paths["batches of 32"] = sgd(batch_gradient, start, lr=1.0, steps=40)
for name, path in paths.items():
    print(f"{name}: after 40 steps {loss(path[-1]) - loss(bottom):.5f} above the lowest loss")

drawing.save(drawing.valley(loss, paths, bottom), "06_batches.png")

assert loss(paths["batches of 32"][-1]) < 1.5 * loss(paths["all 25,400 examples"][-1])

# %%
# The path shakes, and it goes the same way. The whole walk has read :math:`40 \cdot 32 = 1280`
# examples. The exact walk has read 25,400 at each step. Networks are nearly always trained with
# batches. Below we return to exact gradients, because then the methods can be compared without
# chance.
#
# Momentum
# --------
#
# Look at the jumping path once more. Across the valley the gradient changes its sign at each step.
# Along the valley it has the same sign for a long time. So we add up the gradients of the last
# steps. Across, they cancel. Along, they pile up. The sum is called the *velocity* v. Before a new
# gradient is added, the old sum is multiplied by a number below 1, the *momentum*. So old gradients
# count less and less:
#
# .. math::
#
#    v \leftarrow \text{momentum} \cdot v + g \qquad w \leftarrow w - \text{lr} \cdot v
#
# .. predict::
#
#    Suppose that g is the same at each step, as on a long straight slope. The momentum is 0.8. The
#    velocity grows and grows, but not forever. At which v does it stop growing?
#
# .. answer::
#
#    It stops where a step changes nothing: :math:`v = 0.8\, v + g`. So :math:`0.2\, v = g`, and
#    :math:`v = 5\, g`. On a straight slope, w goes five times as fast as by SGD with the same rate.


def momentum_sgd(gradient, start, lr, momentum, steps):
    w = start.copy()
    v = np.zeros(2)
    path = [start]
    for _ in range(steps):
        g = gradient(w)
        v = momentum * v + g
        w -= lr * v
        path.append(w.copy())
    return np.array(path)  # (steps + 1, 2)


v = 0.0
for _ in range(40):
    v = 0.8 * v + 1.0  # g is always 1
print(f"velocity for a gradient of 1, after 40 steps: {v:.3f}")
assert abs(v - 5) < 0.001

paths = {"SGD, rate 2.7": sgd(gradient, start, lr=2.7, steps=40)}
paths["momentum 0.8, rate 1.2"] = momentum_sgd(gradient, start, lr=1.2, momentum=0.8, steps=40)
for name, path in paths.items():
    print(f"{name}: after 40 steps {loss(path[-1]) - loss(bottom):.6f} above the lowest loss")

drawing.save(drawing.valley(loss, paths, bottom), "06_momentum.png")

assert loss(paths["momentum 0.8, rate 1.2"][-1]) - loss(bottom) < 0.0001

# %%
# The path swings through the valley like a ball that rolls, and it arrives. (What momentum does in
# a valley can be computed exactly. `Why Momentum Really Works
# <https://distill.pub/2017/momentum/>`_, an article by Gabriel Goh, 2017, shows it with figures
# that you can move.)
#
# Adam
# ----
#
# The valley needs a small rate in one direction and a large one in the other. *Adam* (`Adam: A
# Method for Stochastic Optimization <https://arxiv.org/abs/1412.6980>`_, by Diederik Kingma and
# Jimmy Ba, 2015) gives each weight a rate of its own. A weight with large gradients stands on a
# steep wall, so it should get a small rate. Therefore Adam looks at how large the gradients of a
# weight usually are, and it divides by that.
#
# So Adam keeps two *running means* for each weight: m is the mean of the last g, and s is the mean
# of the last :math:`g^2`. The root of s is the usual size of g. At each step, m goes a tenth of the
# way from its old value to the new g. So it forgets old gradients little by little. The mean s goes
# only a thousandth of its way, so it remembers for a longer time.
#
# .. math::
#
#    m \leftarrow 0.9\, m + 0.1\, g \qquad s \leftarrow 0.999\, s + 0.001\, g^2
#
# Both begin with 0, so they are too small at first. After the first step, m is only :math:`0.1\,
# g`, and s is only :math:`0.001\, g^2`. After the second step, m is 0.09 times the first gradient
# plus 0.1 times the second one. The two factors add up to 0.19, which is :math:`1 - 0.9^2`. After t
# steps all factors in m add up to :math:`1 - 0.9^t`. (The letter t counts the steps now.) Adam
# divides by this number, and then it is a true mean. It does the same with s. The step is
#
# .. math::
#
#    w \leftarrow w - \text{lr} \cdot \frac{m / (1 - 0.9^t)}{\sqrt{s / (1 - 0.999^t)} + \varepsilon}
#
# The tiny number :math:`\varepsilon = 10^{-8}` is there only so that nothing is divided by 0.
#
# .. predict::
#
#    The very first gradient is :math:`g = (0.003, -500)`, and lr is 0.1. How far does Adam move
#    each of the two weights?
#
# .. answer::
#
#    After the first step, :math:`m / (1 - 0.9) = g` and :math:`s / (1 - 0.999) = g^2`. So each
#    weight moves by :math:`\text{lr} \cdot g / \sqrt{g^2}`. That is 0.1 or -0.1: the sizes cancel,
#    and only the signs are left. The first weight moves by -0.1, and the second by +0.1.


def adam(gradient, start, lr, steps, beta1=0.9, beta2=0.999, epsilon=1e-8):
    w = start.copy()
    m = np.zeros(2)
    s = np.zeros(2)
    path = [start]
    for t in range(1, steps + 1):
        g = gradient(w)
        m = beta1 * m + (1 - beta1) * g
        s = beta2 * s + (1 - beta2) * g**2
        w -= lr * (m / (1 - beta1**t)) / (np.sqrt(s / (1 - beta2**t)) + epsilon)
        path.append(w.copy())
    return np.array(path)  # (steps + 1, 2)


def two_numbers(w):
    return np.array([0.003, -500.0])


print("Adam's first step:", adam(two_numbers, np.zeros(2), lr=0.1, steps=1)[1])
assert np.allclose(adam(two_numbers, np.zeros(2), lr=0.1, steps=1)[1], [-0.1, 0.1], atol=1e-5)

# %%
# So Adam's rate is a length. It says about how far a weight goes in one step. It does not depend on
# how large the loss is. We test that. Measure the loss in another unit, so that all numbers are 100
# times as large. Then all gradients are 100 times as large, too.


def large_gradient(w):
    return 100 * gradient(w)


sgd_large = sgd(large_gradient, start, lr=2.7, steps=40)
adam_large = adam(large_gradient, start, lr=0.1, steps=40)
print(f"SGD goes to {sgd_large[-1]}")
print(f"Adam goes to {adam_large[-1]}")
print(f"Adam in the old unit goes to {adam(gradient, start, lr=0.1, steps=40)[-1]}")

assert np.abs(sgd_large[-1]).max() > 1e50
assert np.allclose(adam_large, adam(gradient, start, lr=0.1, steps=40), atol=1e-4)

# %%
# SGD needs a new rate, 100 times smaller. Adam does not notice. This is a reason why so many
# networks are trained by Adam. Its authors suggest a rate of 0.001, and for many networks that is a
# good first guess.
#
# Now back to the valley. There Adam's idea has a weak point. It gives each *weight* its own rate.
# But the steep and the flat direction of our valley are not the weights. They are the sum and the
# difference of the weights.
#
# We can write the same network with other weights. Let :math:`u_0` be how far w goes in direction
# A, across, and :math:`u_1` how far it goes in direction B, along. In these weights the valley lies
# straight: across and along are its axes. For the start :math:`w = (-1, 1.2)` they are
# :math:`u_0 = (-1 + 1.2) / \sqrt{2} = 0.14` and :math:`u_1 = (-1 - 1.2) / \sqrt{2} = -1.56`. As a
# matrix: the columns of ``basis`` are the two directions. Then :math:`w = \text{basis} \cdot u`,
# and the gradient in u holds the parts of g in the two directions, :math:`\text{basis}^T \cdot g`.

basis = np.stack([across, along], axis=1)  # (2, 2): the columns are the directions


def turned_gradient(u):
    return basis.T @ gradient(basis @ u)


turned_start = basis.T @ start
print("the start in the new weights:", np.round(turned_start, 4))
print("the gradient there:", np.round(turned_gradient(turned_start), 4))
assert np.allclose(basis @ turned_start, start)

# %%
# .. predict::
#
#    SGD walks down the valley twice, once in the weights w and once in the weights u. Then Adam
#    does the same. We draw the paths on the same map. Whose two paths are equal?
#
# .. answer::
#
#    SGD's are equal. The new axes are the old ones, only turned, and the gradient turns with them.
#    It points in the same direction of the landscape.
#
#    Adam's differ. In the weights u, it finds a large gradient across and a small one along, and it
#    divides each by its own size. In the weights w, both gradients come almost wholly from the
#    steep walls, so both have about the same size. (At the start they are -0.28 and -0.26.) It
#    divides both by about the same number. So steep stays steep, and flat stays flat.

# each row of a path is a u; the product with basis.T makes it basis @ u, which is w
sgd_turned = sgd(turned_gradient, turned_start, lr=2.7, steps=40) @ basis.T
adam_turned = adam(turned_gradient, turned_start, lr=0.1, steps=40) @ basis.T
assert np.allclose(sgd_turned, sgd(gradient, start, lr=2.7, steps=40))

paths = {"Adam in the weights w": adam(gradient, start, lr=0.1, steps=40)}
paths["Adam in the weights u"] = adam_turned
for name, path in paths.items():
    print(f"{name}: after 40 steps {loss(path[-1]) - loss(bottom):.5f} above the lowest loss")

drawing.save(drawing.valley(loss, paths, bottom), "06_adam.png")

assert loss(paths["Adam in the weights w"][-1]) > loss(sgd_turned[-1])
assert loss(adam_turned[-1]) < loss(sgd_turned[-1])

# %%
# In the diagonal valley Adam is no better than SGD. In the straight one it is much better. With
# half the rate and with twice the rate it is the same:

for lr in (0.05, 0.1, 0.2):
    diagonal = loss(adam(gradient, start, lr=lr, steps=40)[-1]) - loss(bottom)
    straight = loss(basis @ adam(turned_gradient, turned_start, lr=lr, steps=40)[-1]) - loss(bottom)
    print(f"rate {lr}: diagonal {diagonal:.5f}, straight {straight:.5f}")
    assert straight < 0.2 * diagonal

# %%
# What SOAP adds
# --------------
#
# Somebody had to tell Adam the directions of the valley. For two pixels we knew them. For the
# 22,729 weights of ESPCN nobody knows them. But we have seen where the valley comes from:
# neighboring pixels are nearly equal. ESPCN's first kernels have weights for 25 neighboring pixels,
# so we must expect such diagonal valleys there, too.
#
# *SOAP* (`SOAP: Improving and Stabilizing Shampoo using Adam <https://arxiv.org/abs/2409.11321>`_,
# by Nikhil Vyas and others, 2024) finds the directions from the gradients. On the walls the
# gradients are large, and they point across the valley. So SOAP asks: in which direction d, of
# length 1, are the gradients largest? That is, for which d is the mean of :math:`(g \cdot d)^2`
# largest?
#
# (From here to the code, you need eigenvectors. If they are new to you, it is enough for this
# course to know that ``eigh`` finds the steep direction and the flat one.)
#
# We write the square out:
#
# .. math::
#
#    \begin{aligned}
#    (g \cdot d)^2 &= (g_0 d_0 + g_1 d_1)^2 \\
#    &= g_0^2 \, d_0^2 + 2 \, g_0 g_1 \, d_0 d_1 + g_1^2 \, d_1^2
#    \end{aligned}
#
# Only the products of the entries of g change from step to step. They are the 2×2 matrix
# :math:`g g^T`, in NumPy ``np.outer(g, g)``. Keep a running mean M of this matrix (``products`` in
# the code), as Adam keeps one of :math:`g^2`. Then the mean of :math:`(g \cdot d)^2` is
# :math:`M_{00} d_0^2 + 2 M_{01} d_0 d_1 + M_{11} d_1^2`, which is :math:`d \cdot (M d)`.
#
# For most directions, :math:`M d` points in another direction than d. But there are two directions,
# at right angles to each other, which M only makes longer or shorter: :math:`M d = \lambda d` with
# a number :math:`\lambda`. They are the *eigenvectors* of M, and :math:`\lambda` is the
# *eigenvalue*. For an eigenvector, the mean of :math:`(g \cdot d)^2` is :math:`d \cdot (\lambda d)
# = \lambda`, because the length of d is 1. Every other direction is a times the first eigenvector
# plus b times the second one, with :math:`a^2 + b^2 = 1`. Its mean is :math:`a^2 \lambda_0 + b^2
# \lambda_1`, which lies between the two eigenvalues. So the direction that we want is the
# eigenvector with the largest eigenvalue. NumPy computes the eigenvectors by ``eigh``, the one with
# the smallest eigenvalue first. They are the columns of the basis. In this basis, SOAP is Adam.


def soap(gradient, start, lr, steps, beta1=0.9, beta2=0.999, epsilon=1e-8):
    w = start.copy()
    m = np.zeros(2)
    s = np.zeros(2)
    g = gradient(w)  # a first look, without a step
    products = (1 - beta2) * np.outer(g, g)  # (2, 2)
    path = [start]
    for t in range(1, steps + 1):
        basis = np.linalg.eigh(products)[1]  # (2, 2): the columns are the directions
        g = gradient(w)
        m = beta1 * m + (1 - beta1) * g
        s = beta2 * s + (1 - beta2) * (basis.T @ g) ** 2
        turned = (basis.T @ m / (1 - beta1**t)) / (np.sqrt(s / (1 - beta2**t)) + epsilon)
        w -= lr * basis @ turned  # back to the weights
        products = beta2 * products + (1 - beta2) * np.outer(g, g)
        path.append(w.copy())
    return np.array(path)  # (steps + 1, 2)


g = gradient(start)
found = np.linalg.eigh(np.outer(g, g))[1][:, 1]  # the direction of the larger eigenvalue
angle = np.degrees(np.arccos(abs(found @ across)))
print(f"from the first gradient alone, SOAP's steep direction is {angle:.1f} degrees off")
assert angle < 3

paths = {"Adam in the weights u": adam_turned, "SOAP": soap(gradient, start, lr=0.1, steps=40)}
for name, path in paths.items():
    print(f"{name}: after 40 steps {loss(path[-1]) - loss(bottom):.5f} above the lowest loss")

drawing.save(drawing.valley(loss, paths, bottom), "06_soap.png")

soap_above = loss(paths["SOAP"][-1]) - loss(bottom)
adam_above = loss(adam(gradient, start, lr=0.1, steps=40)[-1]) - loss(bottom)
assert soap_above < 0.2 * adam_above

# %%
# Nobody told SOAP the directions, and it walks nearly as Adam did when we told it.
#
# Compare ``soap`` with ``adam``, line by line. The gradient is turned before it is squared, m is
# turned before it is divided, and the step is turned back. That is all. And why the first look? The
# first basis is made from one gradient. This gradient has no part in the second direction of its
# own basis. Only rounding noise is left there, and Adam would divide the noise by its own size. So
# the basis of a step is made from the gradients *before* it.
#
# The same, by the book
# ---------------------
#
# The optimizers of the book, :class:`npespcn.optim.SGD`, :class:`npespcn.optim.Adam` and
# :class:`npespcn.optim.SOAP`, take a model. They read the gradients in ``model.grads``, and they
# change the weights in ``model.params``. A model that holds our two weights is quickly made.

from npespcn.optim import SGD, SOAP, Adam


class TwoWeights:
    """A model with two weights, as an optimizer sees it."""

    def __init__(self, start):
        self.params = {"w": start.copy()}
        self.grads = {}


def by_the_book(model, optimizer, steps):
    path = [model.params["w"].ravel().copy()]
    for _ in range(steps):
        w = model.params["w"]  # (2,), and for SOAP, see below, (2, 1)
        model.grads["w"] = gradient(w.ravel()).reshape(w.shape)
        optimizer.step()
        path.append(model.params["w"].ravel().copy())
    return np.array(path)  # (steps + 1, 2)


model = TwoWeights(start)
assert np.allclose(
    by_the_book(model, SGD(model, lr=2.7), 40), sgd(gradient, start, lr=2.7, steps=40)
)

model = TwoWeights(start)
path = by_the_book(model, SGD(model, lr=1.2, momentum=0.8), 40)
assert np.allclose(path, momentum_sgd(gradient, start, lr=1.2, momentum=0.8, steps=40))

model = TwoWeights(start)
assert np.allclose(
    by_the_book(model, Adam(model, lr=0.1), 40), adam(gradient, start, lr=0.1, steps=40)
)

# %%
# SGD, momentum and Adam agree with ours in every step.
#
# SOAP needs a closer look, because the book's SOAP is made for matrices. It writes the weight of a
# convolution as a matrix with a row for each output channel, and it finds *two* bases, one for the
# rows and one for the columns. Our two weights are a matrix of two rows and one column. Then the
# second basis is a single number, 1 or -1, and does nothing. Three differences are left. The book
# renews the basis only every 20 steps; here we ask for every step. It does not compute the
# eigenvectors anew, but improves the old ones by a cheaper computation. And its first call of
# ``step`` is the first look. (The book also forgets faster: its betas are 0.95 and 0.9. And biases,
# which are no matrices, get Adam.)

model = TwoWeights(start.reshape(2, 1))
optimizer = SOAP(model, lr=0.1, betas=(0.9, 0.999), refresh=1)
path = by_the_book(model, optimizer, 41)
assert np.array_equal(path[0], path[1])  # the first look changes nothing

largest = np.abs(path[1:] - soap(gradient, start, lr=0.1, steps=40)).max()
print(f"in 40 steps the book's SOAP is never farther than {largest:.0e} from ours")
assert largest < 0.05

# %%
# All of them on one map
# ----------------------
#
# Last, the four methods side by side, with the rates from above. The curves show the loss after
# each step.

paths = {
    "SGD": sgd(gradient, start, lr=2.7, steps=40),
    "momentum": momentum_sgd(gradient, start, lr=1.2, momentum=0.8, steps=40),
    "Adam": adam(gradient, start, lr=0.1, steps=40),
    "SOAP": soap(gradient, start, lr=0.1, steps=40),
}
drawing.save(drawing.valley(loss, paths, bottom), "06_four.png")

losses = {}
for name, path in paths.items():
    losses[name] = np.array([loss(w) - loss(bottom) for w in path])
    print(f"{name:8} after 20 steps {losses[name][20]:.6f}, after 40 steps {losses[name][40]:.6f}")

drawing.save(drawing.loss_curves(losses, "loss above the lowest loss"), "06_curves.png")

# %%
# The vertical axis is logarithmic: from one labeled mark to the next, the loss is ten times as
# large. In the explorer each method walks step by step: :explorer:`momentum
# <mode=downhill&optimizer=momentum>`, :explorer:`Adam <mode=downhill&optimizer=adam>`,
# :explorer:`SOAP <mode=downhill&optimizer=soap>`.
#
# Momentum ends lowest on this map. Do not conclude that it is the best method. We knew both
# curvatures, and we chose its two numbers well. A valley with fixed directions and a single lowest
# point is also much simpler than the loss of a network. What the map shows is *how* each method
# walks:
#
# - SGD goes straight down the wall, and so it jumps back and forth and crawls along the floor.
# - Momentum remembers where it was going.
# - Adam gives each weight a rate of its own. The unit of the loss does not matter to it. A diagonal
#   valley does.
# - SOAP turns the valley first.
#
# One thing more can be seen in the curves. Adam and SOAP do not come to rest. Their steps have
# about the length of the rate, so near the lowest point they go past it and return. Therefore one
# lowers the rate during the training. :doc:`Lesson 9 <09_train_it>` does so, and trains ESPCN by
# SOAP.
#
# What you know now
# -----------------
#
# - The slope of the loss in a weight is a product along the way: one factor for each operation
#   between the weight and the loss. The numbers of the way forward are needed on the way backward.
# - A step is ``p -= lr * g``. On a parabola it converges if lr is below 2 / curvature.
# - Neighboring pixels are nearly equal, so losses have diagonal valleys. SGD crawls there.
#   Momentum, Adam and SOAP are three answers.
#
# Try this: predict the middle pixel from the neighbors *above and below*, too. Now there are four
# weights. Which directions of the valley are steep? ``np.linalg.eigh(pixels @ pixels.T)`` tells. Or
# subtract the mean of the photograph from all pixels first: what happens to the valley, and how
# many steps does SGD need then?
#
# Next: :doc:`lesson 7 <07_backpropagation>` takes the gradient back through every layer of ESPCN.
