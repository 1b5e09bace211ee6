"""Pixel shuffle: C·r² small channels become C large ones, and back.

The heart of ESPCN (Shi et al. 2016, "Real-Time Single Image and Video Super-Resolution Using an
Efficient Sub-Pixel Convolutional Neural Network", equation 4). No arithmetic is
done: every output pixel is a copy of one input value. With i = row % r and j = col % r::

    y[c, row, col] = x[channel(c, i, j), row // r, col // r]

Three ways to do this are here, and they agree to the last bit: a loop (the definition), reshape
and transpose (the usual one), and split and concatenate (early TensorFlow's). The *order* says how
the C·r² channels are numbered, and frameworks differ in it:

=========  ===================  ============================================================
order      channel(c, i, j)     used by
=========  ===================  ============================================================
CRD        c·r² + i·r + j       PyTorch, ONNX "CRD", the published triple loop, and here
DCR        (i·r + j)·C + c      TensorFlow's ``depth_to_space``, ONNX "DCR"
paper      (j·r + i)·C + c      equation 4 of Shi et al. 2016, with its x the row
=========  ===================  ============================================================
"""

import numpy as np

from npespcn.arrays import array_module, choose, require

ORDERS = {"CRD": "cij", "DCR": "ijc", "paper": "jic"}  # the axes of a channel number, slowest first
CHANNEL_AXIS = {"NCHW": -3, "NHWC": -1}


def pixel_shuffle_loop(x, upscale_factor):
    """Rearrange (*, C·r², H, W) to (*, C, H·r, W·r) by the definition, in CRD order.

    >>> pixel_shuffle_loop(np.arange(8).reshape(8, 1, 1), 2).tolist()  # C = 2, r = 2, one LR pixel
    [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]
    """
    r, (lead, channels, h, w) = upscale_factor, _sizes(x, upscale_factor)
    y = array_module(x).empty((*lead, channels, h * r, w * r), x.dtype)
    for c, row, col in np.ndindex(channels, h * r, w * r):
        k = c * r * r + (row % r) * r + col % r
        y[..., c, row, col] = x[..., k, row // r, col // r]
    return y


def pixel_shuffle_reshape(x, upscale_factor):
    """The same by reshape, transpose, reshape; only the copy after the transpose moves data.

    The first reshape gives c, i and j an axis each. The transpose moves i behind the rows and j
    behind the columns. The last reshape reads (H, i) as one row number and (W, j) as one column
    number.
    """
    r, (lead, c, h, w) = upscale_factor, _sizes(x, upscale_factor)
    parts = x.reshape(*lead, c, r, r, h, w)  # (*, C, i, j, H, W)
    parts = array_module(x).moveaxis(parts, (-4, -3), (-3, -1))  # (*, C, H, i, W, j)
    return parts.copy().reshape(*lead, c, h * r, w * r)  # (*, C, H*r, W*r)


def pixel_shuffle_concat(x, upscale_factor):
    """The same by split and concatenate, an axis at a time.

    The H rows are cut apart and laid end to end, so that (H, i) becomes one axis; then the W
    columns are, so that (W, j) does. Early TensorFlow code, which had few dimensions to spare in a
    transpose, does it like this (``_phase_shift``).
    """
    r, (lead, c, h, w) = upscale_factor, _sizes(x, upscale_factor)
    if h == 0 or w == 0:  # nothing to cut
        return pixel_shuffle_reshape(x, r)
    xp = array_module(x)
    x = x.reshape(*lead, c, r, r, h, w)  # (*, C, i, j, H, W)
    x = xp.concatenate([x[..., row, :] for row in range(h)], axis=-3)  # (*, C, H*r, j, W)
    return xp.concatenate([x[..., col] for col in range(w)], axis=-1)  # (*, C, H*r, W*r)


METHODS = dict(loop=pixel_shuffle_loop, reshape=pixel_shuffle_reshape, concat=pixel_shuffle_concat)


def pixel_shuffle(x, upscale_factor, *, method="reshape", order="CRD", layout="NCHW"):
    """Rearrange channels into space: (*, C·r², H, W) -> (*, C, H·r, W·r).

    With ``layout="NHWC"`` the channels are last: (*, H, W, C·r²) -> (*, H·r, W·r, C). Any number of
    leading axes, any dtype. The result is a copy, and C-contiguous.

    >>> x = np.arange(8).reshape(8, 1, 1)  # C = 2, r = 2, one LR pixel
    >>> pixel_shuffle(x, 2).tolist()
    [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]
    >>> pixel_shuffle(x, 2, order="DCR").tolist()
    [[[0, 2], [4, 6]], [[1, 3], [5, 7]]]
    """
    xp, axis, r = array_module(x), choose(layout, CHANNEL_AXIS), upscale_factor
    x = xp.moveaxis(x, axis, -3)  # (*, C*r*r, H, W)
    _, c, _, _ = _sizes(x, r)
    if order != "CRD":  # the orders differ by this permutation and nothing else
        x = x[..., xp.asarray(channel_permutation(c, r, order)), :, :]
    y = choose(method, METHODS)(x, r)  # (*, C, H*r, W*r)
    return xp.ascontiguousarray(xp.moveaxis(y, -3, axis), x.dtype)


def pixel_unshuffle(x, downscale_factor, *, order="CRD", layout="NCHW"):
    """Rearrange space into channels: (*, C, H·r, W·r) -> (*, C·r², H, W).

    The inverse of `pixel_shuffle`. A shuffle is a permutation of the numbers in an array, and the
    transpose of a permutation is its inverse, so this is its gradient too: dx = unshuffle(dy).

    >>> pixel_unshuffle(np.arange(8).reshape(2, 2, 2), 2).ravel()  # C = 2, one block of 2×2
    array([0, 1, 2, 3, 4, 5, 6, 7])
    """
    xp, axis, r = array_module(x), choose(layout, CHANNEL_AXIS), downscale_factor
    x = xp.moveaxis(x, axis, -3)  # (*, C, H*r, W*r)
    *lead, c, h, w = x.shape
    require(r >= 1 and h % r == w % r == 0, f"{h}x{w} pixels have no whole blocks of {r}x{r}")
    parts = x.reshape(*lead, c, h // r, r, w // r, r)  # (*, C, H, i, W, j)
    parts = xp.moveaxis(parts, (-3, -1), (-4, -3))  # (*, C, i, j, H, W)
    y = parts.copy().reshape(*lead, c * r * r, h // r, w // r)  # (*, C*r*r, H, W)
    if order != "CRD":
        y = y[..., xp.asarray(np.argsort(channel_permutation(c, r, order))), :, :]
    return xp.ascontiguousarray(xp.moveaxis(y, -3, axis))


def channel_permutation(channels, upscale_factor, order="CRD"):
    """Return the permutation p of C·r² channels that takes `order` to CRD: ``crd = other[p]``.

    ``p[c*r*r + i*r + j]`` is the channel that `order` uses for place (i, j) of channel c. It moves
    feature maps, ``x[..., p, :, :]``, and equally the weights and the bias that make them,
    ``weight[p]`` and ``bias[p]``. ``np.argsort(p)`` leads from CRD to `order`.

    >>> channel_permutation(2, 2, "DCR")
    array([0, 2, 4, 6, 1, 3, 5, 7])
    """
    require(channels >= 0 and upscale_factor >= 1, f"{channels=}, {upscale_factor=}: too small")
    axes, size = choose(order, ORDERS), {"c": channels, "i": upscale_factor, "j": upscale_factor}
    shape = [size[axis] for axis in axes]
    numbers = np.arange(np.prod(shape)).reshape(shape)  # its axes as `order` counts them
    return numbers.transpose([axes.index(axis) for axis in "cij"]).reshape(-1)  # (C*r*r,)


def _sizes(x, r):
    """Return (*lead), C, H and W for an array of (*, C·r², H, W)."""
    *lead, channels, h, w = x.shape
    rule = f"{channels} channels cannot be split into groups of r*r = {r * r} (upscale_factor={r})"
    require(r >= 1 and channels % (r * r) == 0, rule)
    return lead, channels // (r * r), h, w
