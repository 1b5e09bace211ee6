"""Convolution twice, as its definition and as one matrix product; and its gradients.

Images are (N, C, H, W), weights (O, C, k, k). As everywhere in deep learning, this is the
cross-correlation: the kernel is not flipped. x has zeros around it; the stride s is the number of
pixels from one position of the kernel to the next, in both directions::

    y[n, o, p, q] = bias[o] + sum over c, i, j of weight[o, c, i, j] * x[n, c, p*s + i, q*s + j]

`conv2d_loop` is that formula. `im2col` makes one column of the C*k*k numbers under each position of
the kernel; the sum is then one matrix product, and its chain rule two more. All functions are pure:
arrays in, arrays out, nothing kept.

``padding`` is the number of zeros on each side, ``"valid"`` (none), or ``"same"`` (the output is as
large as the input, at stride 1; an even kernel's odd zero goes below and to the right, as in
PyTorch). The result has NumPy's common dtype of x and the weight; integers are summed in 64 bits,
because sums of 8 bits would wrap.
"""

import numpy as np

from npespcn.arrays import array_module, check_shape, require


def conv2d_loop(x, weight, bias=None, stride=1, padding=0):
    """Convolve by the definition: (N, C, H, W) -> (N, O, H', W').

    Slow, and the specification: everything faster is tested against it.
    """
    (x, out_shape), xp = _fitting(x, weight, stride, padding), array_module(x)
    zeros, _, _ = _geometry(x.shape, weight.shape[2], stride, padding)
    padded = xp.pad(x, ((0, 0), (0, 0), zeros, zeros))
    y = xp.zeros(out_shape, xp.result_type(x, weight))
    for n, o, p, q in np.ndindex(y.shape):
        for c, i, j in np.ndindex(weight.shape[1:]):
            y[n, o, p, q] += weight[o, c, i, j] * padded[n, c, p * stride + i, q * stride + j]
    return y if bias is None else y + bias.reshape(len(weight), 1, 1)


def im2col(x, kernel_size, stride=1, padding=0):
    """Make a column of the pixels under each position of the kernel: -> (N, C*k*k, H'*W').

    Row c*k*k + i*k + j holds, for every position, what weight[:, c, i, j] meets. The same as
    ``torch.nn.Unfold``.

    >>> im2col(np.arange(6).reshape(1, 1, 2, 3), 2)[0]
    array([[0, 1],
           [1, 2],
           [3, 4],
           [4, 5]])
    """
    (n, c, _, _), k, s, xp = x.shape, kernel_size, stride, array_module(x)
    zeros, out_h, out_w = _geometry(x.shape, k, s, padding)
    padded = xp.pad(x, ((0, 0), (0, 0), zeros, zeros))
    columns = xp.empty((n, c, k, k, out_h, out_w), x.dtype)
    for i, j in np.ndindex(k, k):  # what every position of the kernel has at its place (i, j)
        columns[:, :, i, j] = padded[:, :, i::s, j::s][:, :, :out_h, :out_w]
    return columns.reshape(n, c * k * k, out_h * out_w)  # (N, C*k*k, H'*W')


def col2im(columns, shape, kernel_size, stride=1, padding=0):
    """Add columns back to the pixels they came from: (N, C*k*k, H'*W') -> `shape`, (N, C, H, W).

    The adjoint of `im2col`, ⟨im2col(x), columns⟩ = ⟨x, col2im(columns)⟩, and not its inverse: a
    pixel under several positions gets the *sum* of what they hold. The same as ``torch.nn.Fold``.
    """
    (n, c, h, w), k, s, xp = shape, kernel_size, stride, array_module(columns)
    (before, after), out_h, out_w = _geometry(shape, k, s, padding)
    check_shape("columns", columns, (n, c * k * k, out_h * out_w))
    columns = _wide(columns).reshape(n, c, k, k, out_h, out_w)
    padded = xp.zeros((n, c, before + h + after, before + w + after), columns.dtype)
    for i, j in np.ndindex(k, k):
        padded[:, :, i::s, j::s][:, :, :out_h, :out_w] += columns[:, :, i, j]
    return padded[:, :, before : before + h, before : before + w]  # (N, C, H, W)


def conv2d_forward(x, weight, bias=None, stride=1, padding=0):
    """Convolve by one matrix product: weight @ im2col(x) + bias, (N, C, H, W) -> (N, O, H', W')."""
    x, out_shape = _fitting(x, weight, stride, padding)
    columns = im2col(x, weight.shape[2], stride, padding)  # (N, C*k*k, H'*W')
    y = (weight.reshape(len(weight), -1) @ columns).reshape(out_shape)  # (N, O, H', W')
    return y if bias is None else y + bias.reshape(len(weight), 1, 1)


def conv2d_backward(dy, x, weight, stride=1, padding=0):
    """Return (dx, dweight, dbias) from dy, the gradient of the loss in y, (N, O, H', W').

    x[p*s + i] met weight[i] on its way to y[p]; so dx[p*s + i] collects weight[i] * dy[p]. As
    matrices: forward is y = W @ columns + b, with W the weight as (O, C*k*k). So::

        dW = dy @ columnsᵀ, summed over the images      db = dy, summed over images and positions
        dcolumns = Wᵀ @ dy                              dx = col2im(dcolumns)
    """
    (x, out_shape), (o, _, k, _) = _fitting(x, weight, stride, padding), weight.shape
    check_shape("dy", dy, out_shape)
    columns = im2col(x, k, stride, padding)  # (N, C*k*k, H'*W')
    dy = _wide(dy).reshape(len(x), o, columns.shape[2])  # (N, O, H'*W')
    dweight = (dy @ columns.transpose(0, 2, 1)).sum(axis=0)  # (O, C*k*k)
    dcolumns = weight.reshape(o, -1).T @ dy  # (N, C*k*k, H'*W')
    dx = col2im(dcolumns, x.shape, k, stride, padding)  # (N, C, H, W)
    return dx, dweight.reshape(weight.shape), dy.sum(axis=(0, 2))


def _geometry(shape, k, stride, padding):
    """Return the zeros (before, after) each row and column of (N, C, H, W); and H' and W'."""
    zeros = {"same": ((k - 1) // 2, k // 2), "valid": (0, 0)}.get(padding, (padding, padding))
    works = stride == 1 or (stride > 1 and padding != "same")
    require(works and min(zeros) >= 0, f"stride={stride} and padding={padding!r} do not work")
    sides = [side + sum(zeros) for side in shape[2:]]
    require(1 <= k <= min(sides), f"a {k}x{k} kernel does not fit {sides[0]}x{sides[1]} pixels")
    return zeros, *(int((side - k) // stride + 1) for side in sides)  # int: 8 bits may overflow


def _fitting(x, weight, stride, padding):
    """Return x, wide, and the shape of y; raise unless the weight is (O, C of x, k, k)."""
    c, k = x.shape[1], weight.shape[2]
    require(weight.shape[1:] == (c, k, k), f"x has {c} channels, but weight is {weight.shape}")
    _, out_h, out_w = _geometry(x.shape, k, stride, padding)
    return _wide(x) if weight.dtype.kind in "biu" else x, (len(x), len(weight), out_h, out_w)


def _wide(x):
    return x.astype(np.int64) if x.dtype.kind in "biu" else x
