"""
Three shuffles
==============

**Question.** Three programs put the same numbers into the same places. Why does one of them take
hundreds of times as long as another?

:Aim: You can write the pixel shuffle in three ways, you know which of their steps move numbers in
      memory, and you can measure what a step costs.
:Minutes: 50
:Needs: Lesson 1. NumPy: ``reshape``, ``transpose`` and ``concatenate``.
:Practice: :doc:`Exercises 1 and 2 </exercises>` afterwards.
"""

# %%
# The loop is the definition
# --------------------------
#
# Lesson 1 found the rule of the pixel shuffle. Every pixel of the image is a copy of one number of
# the channels. From here on, x is the array of channels and y is the image. With i and j for the
# row and the column in the block, and h and w for the row and the column of the LR pixel, the rule
# is short:
#
# .. math::
#
#    y[c,\ h \cdot r + i,\ w \cdot r + j] = x[c \cdot r^2 + i \cdot r + j,\ h,\ w]
#
# The first program does nothing but this. It visits the pixels of the image one after the other. A
# division by r gives h and w, its remainder gives i and j, and the pixel is looked up in ``x``.

import numpy as np


def by_loop(x, r):
    channels, height, width = x.shape
    y = np.empty((channels // (r * r), height * r, width * r), x.dtype)  # (C, H*r, W*r)
    for c, row, column in np.ndindex(y.shape):
        k = c * r * r + (row % r) * r + column % r
        y[c, row, column] = x[k, row // r, column // r]
    return y


# %%
# It is slow, and everybody can see that it is right. Therefore it is our *definition* of the pixel
# shuffle. The other two programs are right if, and only if, they give the same numbers.
#
# We take the example of lesson 1: four channels of 2×3 pixels, and all 24 numbers are different. As
# in lesson 1 a number tells where it came from. (In the code, c, h and w are now the *sizes* C, H
# and W: how many image channels, rows and columns there are.)

c, r, h, w = 1, 2, 2, 3
x = np.arange(24, dtype=np.uint8).reshape(c * r * r, h, w)  # (4, 2, 3)
image = by_loop(x, r)  # (1, 4, 6)
print(image[0])

# %%
# The explorer, which you know from lesson 1, runs :explorer:`this loop
# <mode=steps&r=2&c=1&method=loop>`, pixel by pixel.
#
# How an array lies in memory
# ---------------------------
#
# For the second program we have to know how NumPy stores an array. The memory of a computer has no
# rows, no columns and no channels. It is one long line of numbered places, and the number of a
# place is its *address*. The numbers of ``x`` lie there one after the other: the first row of
# channel 0, its second row, then channel 1, and so on. So in our example the number 17 lies at
# address 17, counted from the beginning of ``x``.
#
# How does NumPy find ``x[2, 1, 2]`` in this line? It keeps a small table. For each axis the table
# says how many places further the next element *along this axis* lies. These distances are called
# *strides*.
#
# .. predict::
#
#    Think of one number of ``x``. How many places further is the number in the next column of the
#    same row? In the next row of the same channel? In the next channel?
#
# .. answer::
#
#    The next column is the next place, so its distance is 1. A row has three numbers, so the
#    distance of the next row is 3. A channel has six numbers, so the distance of the next channel
#    is 6.
#
# NumPy counts strides in bytes. Our numbers have the type ``uint8``, and each of them takes one
# byte. So here a stride counts numbers, too.

print("strides of x:", x.strides)
assert x.strides == (6, 3, 1)

# %%
# Now the address of ``x[2, 1, 2]`` is :math:`2 \cdot 6 + 1 \cdot 3 + 2 \cdot 1 = 17`. Each index is
# multiplied by its stride, and the products are added. The same in code:


def address(array, index):
    """Return the address of an element, counted from the beginning of the array's memory."""
    total = 0
    for i, stride in zip(index, array.strides, strict=True):
        total += i * stride
    return total


print("x[2, 1, 2] lies at address", address(x, (2, 1, 2)), "and is", x[2, 1, 2])
assert address(x, (2, 1, 2)) == x[2, 1, 2] == 17

# %%
# Reshape and transpose
# ---------------------
#
# The second program needs no loop. It has three steps, and its idea is to give every part of the
# rule an axis of its own.
#
# 1. A channel number is made of three parts: :math:`k = c \cdot r^2 + i \cdot r + j`. The image
#    channel c is the slowest part, the column j of the block is the fastest: when k counts 0, 1,
#    2, ..., j changes at every step, and c only after :math:`r^2` steps. The first reshape splits
#    the channel axis into three axes, the slowest first: c, i and j.
# 2. A row number of the image is made of two parts: :math:`\text{row} = h \cdot r + i`. Here h is
#    the row of the LR pixel, and it is slower than i. In the same way
#    :math:`\text{column} = w \cdot r + j`. So the transpose moves the axis i to the place directly
#    after h, and j directly after w.
# 3. The last reshape reads h and i together as one row number, and w and j as one column number.
#
# .. predict::
#
#    ``x`` has the shape (4, 2, 3), and r = 2. How long are its five axes C, i, j, H, W after the
#    first step? How long are the axes C, H, i, W, j after the second step?
#
# .. answer::
#
#    After the first step the shape is (1, 2, 2, 2, 3): one image channel, two rows and two columns
#    of a block, two rows and three columns of LR pixels. After the second step it is
#    (1, 2, 2, 3, 2).

parts = x.reshape(c, r, r, h, w)  # (C, i, j, H, W)
moved = parts.transpose(0, 3, 1, 4, 2)  # (C, H, i, W, j)
y = moved.reshape(c, h * r, w * r)  # (C, H*r, W*r)

assert parts.shape == (1, 2, 2, 2, 3)
assert moved.shape == (1, 2, 2, 3, 2)
assert np.array_equal(y, image)

# %%
# Follow the 17
# -------------
#
# What does each step do to the number 17? It begins in channel 2, row 1, column 2. Channel 2 is
# i = 1 and j = 0, because :math:`1 \cdot 2 + 0 = 2`.

for name, array in {"x": x, "parts": parts, "moved": moved, "y": y}.items():
    index = np.argwhere(array == 17)[0].tolist()  # where in the array the 17 stands
    strides = str(array.strides)
    print(f"{name:6} strides {strides:17} 17 has index {index}, address {address(array, index)}")

# %%
# Read the table from top to bottom. In ``parts`` the index of 17 is (0, 1, 0, 1, 2): c, i, j, h, w.
# In ``moved`` the same five numbers stand in another order: c, h, i, w, j. In ``y`` the pairs have
# become one number each: :math:`\text{row} = 1 \cdot 2 + 1 = 3` and
# :math:`\text{column} = 2 \cdot 2 + 0 = 4`.
#
# Now look at the addresses. In the first three lines 17 stays where it is, at address 17. **The
# first reshape and the transpose move nothing.** They only write another table of strides for the
# same memory. Such an array is called a *view*. The transpose even keeps the five strides, and only
# changes their order.
#
# In the last line 17 has moved to address 22. So the last reshape does move numbers.
#
# .. predict::
#
#    Why could NumPy not make ``y`` by new strides, too? Look at the first row of the image: 0, 6,
#    1, 7, 2, 8. These are also the addresses in ``x``. How far is it from each of them to the next?
#
# .. answer::
#
#    The distances are +6, -5, +6, -5, +6. A stride is *one* distance for a whole axis. No single
#    number describes this row. So NumPy takes new memory, and copies the numbers there in the new
#    order.

distances = np.diff(y[0, 0].astype(int))  # int, because uint8 has no negative numbers
print("distances in the first row:", distances.tolist())
assert distances.tolist() == [6, -5, 6, -5, 6]

assert np.shares_memory(x, parts)
assert np.shares_memory(x, moved)
assert not np.shares_memory(x, y)

# %%

import drawing

drawing.save(drawing.memory(x, y, r, marked=17), "02_memory.png")

# %%
# The upper half is the memory of ``x``, the lower half is the memory of ``y``. The colors show that
# the copy takes its numbers from two channels in turn: from 0 and 1 for the first row of the image,
# from 2 and 3 for the second row. This copy is the only real work of the program. The explorer
# shows :explorer:`the three steps <mode=steps&r=2&c=1&method=reshape>`.
#
# Here is the program as a function:


def by_reshape(x, r):
    channels, h, w = x.shape  # (C*r*r, H, W)
    c = channels // (r * r)
    parts = x.reshape(c, r, r, h, w)  # (C, i, j, H, W)
    moved = parts.transpose(0, 3, 1, 4, 2)  # (C, H, i, W, j)
    return moved.reshape(c, h * r, w * r)  # (C, H*r, W*r)


# %%
# Split and concatenate
# ---------------------
#
# The third program is the one that many early programs in TensorFlow use. (TensorFlow is a library
# for networks, like PyTorch.) It goes back to the function ``_phase_shift`` of `atriumlts/subpixel
# <https://github.com/atriumlts/subpixel>`__ (2016), whose authors looked for a way to shuffle with
# nothing but reshape, split and concatenate. You will meet it in old code, so you should be able to
# read it.
#
# It joins one pair of axes at a time, h with i and then w with j. We begin with one image channel,
# so there is no axis C:
#
# 1. Each LR pixel gets its block of :math:`r \times r` numbers.
# 2. The array is cut into its H rows of blocks. The pieces are joined along the axis i. So the rows
#    of the blocks are now one below the other, and h and i have become one axis.
# 3. The result is cut into its W columns. These pieces are joined along j, side by side.
#
# In NumPy, ``list(a)`` cuts an array a along its first axis.

blocks = x.reshape(r, r, h, w).transpose(2, 3, 0, 1)  # (H, W, i, j)
rows = list(blocks)  # H pieces of (W, i, j)
tall = np.concatenate(rows, axis=1)  # (W, H*r, j)
columns = list(tall)  # W pieces of (H*r, j)
wide = np.concatenate(columns, axis=1)  # (H*r, W*r)

assert np.array_equal(wide, image[0])
drawing.save(drawing.stages(x, blocks, tall, wide), "02_stages.png")

# %%
# Find the 17 at each stage of the figure. (The explorer can :explorer:`play them
# <mode=steps&r=2&c=1&method=concat>`, too.)
#
# An image in color has several image channels. The program makes one after the other:


def by_concat(x, r):
    h, w = x.shape[1:]
    image_channels = []
    for first in range(0, len(x), r * r):
        group = x[first : first + r * r]  # (r*r, H, W)
        blocks = group.reshape(r, r, h, w).transpose(2, 3, 0, 1)  # (H, W, i, j)
        tall = np.concatenate(list(blocks), axis=1)  # (W, H*r, j)
        image_channels.append(np.concatenate(list(tall), axis=1))  # (H*r, W*r)
    return np.stack(image_channels)  # (C, H*r, W*r)


# %%
# Three programs, one result
# --------------------------
#
# A shuffle computes nothing, so nothing can be rounded. The three results must be equal to the last
# bit. We test it with random numbers, three image channels, r = 3, and with H different from W. (An
# example with one image channel, or with a square image, would not notice some mistakes. Lesson 3
# and :doc:`appendix A <a_museum>`, a museum of published mistakes, are full of them.)
#
# The book has the same three programs in the file ``npespcn/shuffle.py``. They differ from ours in
# one thing: they allow any number of further axes in front, for example an axis of several images.

from npespcn.shuffle import pixel_shuffle_concat, pixel_shuffle_loop, pixel_shuffle_reshape

random = np.random.default_rng(0).standard_normal((27, 4, 5))  # (C*r*r, H, W), C = 3, r = 3
expected = by_loop(random, 3)  # (3, 12, 15)

assert np.array_equal(by_reshape(random, 3), expected)
assert np.array_equal(by_concat(random, 3), expected)
assert np.array_equal(pixel_shuffle_loop(random, 3), expected)
assert np.array_equal(pixel_shuffle_reshape(random, 3), expected)
assert np.array_equal(pixel_shuffle_concat(random, 3), expected)

# %%
# What it costs
# -------------
#
# Now we measure the three functions of this lesson, exactly as they stand above. The channels are
# nine images of 4×4 pixels, and then nine images of 64×64 pixels, with r = 3. So the image made of
# the second nine has :math:`16 \cdot 16 = 256` times as many pixels as the first image.
#
# One measurement proves little, because other programs use the computer at the same time. They can
# only make ours slower. So we measure 15 times and keep the shortest time. A small image is
# shuffled many times in each measurement, because the clock cannot measure a microsecond well.

import timeit


def seconds(shuffle, x):
    """Return the shortest time that one call of shuffle(x, 3) took."""
    calls = max(1, 20_000 // x.size)  # many calls if x is small
    times = timeit.repeat(lambda: shuffle(x, 3), number=calls, repeat=15)  # 15 measurements
    return min(times) / calls


# %%
# .. predict::
#
#    256 times as many pixels: how many times as long does each of the three programs take? Is it
#    256 times for all of them?
#
# .. answer::
#
#    - The loop takes about 256 times as long. It does the same for every pixel.
#    - Reshape and transpose takes less than 256 times as long: 30 to 40 times on our computer. Its
#      three calls have a fixed price, together one to three microseconds, which does not depend on
#      the size. For the small image this is most of the time, and for the large image it is a small
#      part.
#    - Split and concatenate takes less than 256 times as long, too: 15 to 30 times on our computer.
#      It makes :math:`H + W` pieces, and each piece has a fixed price. There are 16 times as many
#      pieces, not 256 times as many.
#
#    Your computer will print other numbers, but of about the same size.

programs = {"loop": by_loop, "concatenate": by_concat, "reshape": by_reshape}
small = np.ones((9, 4, 4), np.float32)  # (r*r, H, W)
large = np.ones((9, 64, 64), np.float32)

for name, shuffle in programs.items():
    first, second = seconds(shuffle, small), seconds(shuffle, large)
    print(f"{name:11} {1e6 * first:7.1f} µs, then {1e6 * second:8.1f} µs", end="")
    print(f": {second / first:.0f} times as long")

loop, reshape = seconds(by_loop, large), seconds(by_reshape, large)
print(f"For the large image the loop takes {loop / reshape:.0f} times as long as reshape.")
assert loop > 20 * reshape

# %%
# Here is the answer to the question of this lesson. The loop asks the Python interpreter to do a
# few small things for *every pixel*. The interpreter needs hundreds of nanoseconds for them, and
# moving one number takes only a few. The program with reshape and transpose asks the interpreter
# only three times, once for each call, and NumPy's compiled code does the rest. So it pays a fixed
# price for the three calls, and then a small price for each pixel.
#
# How close is this to the best possible? A shuffle must read every number once and write it once. A
# plain copy of the array does this, too, in the order of memory. So a plain copy is our measure for
# the best possible time.
#
# .. predict::
#
#    The copy in ``by_reshape`` moves exactly as many numbers as a plain copy. Does it take the same
#    time for a large image?
#
# .. answer::
#
#    No, it takes 3 to 20 times as long on our computer. A plain copy moves long runs of neighbors
#    at once. The shuffle takes every number from another channel than the one before, so it jumps
#    in memory and moves the numbers one by one.


def copy(x, r):
    return x.copy()


programs["plain copy"] = copy
sides = [4, 8, 16, 32, 64, 128, 256, 512]  # of a channel
print("side       ", " ".join(f"{side:6}" for side in sides))
nanoseconds = {}
for name, shuffle in programs.items():
    nanoseconds[name] = {}
    for side in sides:
        if name == "loop" and side > 64:
            continue  # it would take too long
        x = np.ones((9, side, side), np.float32)
        nanoseconds[name][x.size] = 1e9 * seconds(shuffle, x) / x.size  # for one pixel
    numbers = [f"{value:6.2f}" for value in nanoseconds[name].values()]
    print(f"{name:11}", " ".join(numbers), "ns per pixel")

largest = 9 * 512 * 512
assert nanoseconds["reshape"][largest] > nanoseconds["plain copy"][largest]

# %%

drawing.save(drawing.cost(nanoseconds), "02_cost.png")

# %%
# Both axes of the figure are logarithmic: from one grid line to the next is a factor of ten. A
# horizontal line means that every pixel costs the same, however large the image is. The loop is
# nearly such a line. The curves of the other programs fall first, because more and more pixels
# share the fixed price. At the right side of the figure this price is too small to be seen. There
# the curves show the price of moving one number.
#
# A curve may rise again for the largest images. The usual reason is the *cache*, a small and fast
# memory close to the processor: the arrays no longer fit into it. Where this happens depends on the
# computer. :doc:`Appendix B <b_why_it_is_fast>` is about the speed of a whole network.
#
# What breaks: leave out the transpose
# ------------------------------------
#
# ``x.reshape(1, 4, 6)`` has the shape of the image at once. It is one step instead of three, and
# there is no error message.
#
# .. predict::
#
#    How many of the 24 numbers are at the right place in ``x.reshape(1, 4, 6)``? And what would you
#    see if ``x`` held the four channels of a photograph: the photograph, noise, or something else?
#
# .. answer::
#
#    Two of 24 are right: the first and the last. A row of the reshaped image is made of two rows of
#    *one* channel, side by side. So the channels are not mixed at all. You see each of the four
#    channels as two copies of the photograph, side by side: one of the even rows, and one of the
#    odd rows. The copies have half the width and a quarter of the height. That makes eight small
#    photographs.

x = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
torn = x.reshape(1, 4, 6)
print(torn[0])
print("at the right place:", (torn == image).sum(), "of", torn.size)
assert torn.shape == image.shape
assert (torn == image).sum() == 2

# %%
# For the photograph we need its four channels. The function ``pixel_unshuffle`` takes an image
# apart into its channels. It is the inverse of the shuffle. (You write it in exercise 3.)

from npespcn.shuffle import pixel_unshuffle

photograph = drawing.photograph()[:, :, 1]  # (600, 510): only the green image channel
four = pixel_unshuffle(photograph[None], 2)  # (4, 300, 255)
images = {"three steps": by_reshape(four, 2)[0], "reshape alone": four.reshape(600, 510)}

assert np.array_equal(images["three steps"], photograph)
drawing.save(drawing.side_by_side(images), "02_torn.png")

# %%
# A test that looks only at shapes would find no mistake here. Always test with numbers that are all
# different.
#
# What you know now
# -----------------
#
# - The first reshape and the transpose only change the table of strides. The last reshape copies,
#   because no stride can describe the new order.
# - A loop in Python pays for every pixel. NumPy pays a fixed price for each call, and then a few
#   nanoseconds for each number.
# - The loop is the definition. A fast program is right if it gives the same numbers, for numbers
#   that are all different.
#
# Try this: in ``by_reshape``, change the transpose to (0, 3, 2, 4, 1). What has changed in the
# image? Keep your answer: one of the orders of lesson 3 does just this.
#
# Then write the functions yourself, in :doc:`exercises 1 and 2 </exercises>`.
#
# Next: :doc:`lesson 3 <03_whose_order>` asks who decided that channel 1 is to the right of channel
# 0, and not below it.
