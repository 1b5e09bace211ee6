"""Convolution twice, as its definition and as one matrix product; and its gradients.

Images are (N, C, H, W), weights (O, C, k, k). What is computed is, as everywhere in deep learning,
the cross-correlation, of x with zeros around it and with the stride s::

    y[n, o, p, q] = bias[o] + sum over c, i, j of weight[o, c, i, j] * x[n, c, p*s + i, q*s + j]

`conv2d_loop` is that formula. `im2col` lays the C*k*k numbers under each position of the kernel out
as a column; the sum is then one matrix product, and its chain rule two more.

``padding`` is the number of zeros on each side, ``"valid"`` (none), or ``"same"`` (the output is as
large as the input, at stride 1; an even kernel's odd zero goes below and to the right, as in
PyTorch). Integers become float64 first (``1.0 * x``), because sums of 8 bits would wrap.
"""

import numpy as np

from npespcn.arrays import array_module, check_shape, require


def conv2d_loop(x, weight, bias=None, stride=1, padding=0):
    """Convolve by the definition: (N, C, H, W) -> (N, O, H', W'). Slow: for small arrays."""
    out_h, out_w = _output_size(x, weight, stride, padding)
    padded, xp = _pad(1.0 * x, weight.shape[2], padding), array_module(x)
    y = xp.zeros((len(x), len(weight), out_h, out_w), xp.result_type(padded, weight))
    for n, o, p, q in np.ndindex(y.shape):
        for c, i, j in np.ndindex(weight.shape[1:]):
            y[n, o, p, q] += weight[o, c, i, j] * padded[n, c, p * stride + i, q * stride + j]
    return y if bias is None else y + bias.reshape(len(weight), 1, 1)


def im2col(x, kernel_size, stride=1, padding=0):
    """Lay the pixels under each position of the kernel out as a column: (N, C*k*k, H'*W').

    Row c*k*k + i*k + j holds, for every position, what weight[:, c, i, j] meets. The same as
    ``torch.nn.Unfold``.

    >>> im2col(np.arange(6).reshape(1, 1, 2, 3), 2)[0]
    array([[0, 1],
           [1, 2],
           [3, 4],
           [4, 5]])
    """
    (n, c, h, w), k, s = x.shape, kernel_size, stride
    out_h, out_w = _positions(h, k, s, padding), _positions(w, k, s, padding)
    padded = _pad(x, k, padding)
    columns = array_module(x).empty((n, c, k, k, out_h, out_w), x.dtype)
    for i in range(k):
        for j in range(k):  # what every position of the kernel has at its place (i, j)
            columns[:, :, i, j] = padded[:, :, i : i + s * out_h : s, j : j + s * out_w : s]
    return columns.reshape(n, c * k * k, out_h * out_w)  # (N, C*k*k, H'*W')


def col2im(columns, shape, kernel_size, stride=1, padding=0):
    """Add columns back to the pixels they came from: (N, C*k*k, H'*W') -> `shape`, (N, C, H, W).

    The adjoint of `im2col`, ⟨im2col(x), columns⟩ = ⟨x, col2im(columns)⟩, and not its inverse: a
    pixel under several positions gets the *sum* of what they hold. The same as ``torch.nn.Fold``.
    """
    (n, c, h, w), k, s = shape, kernel_size, stride
    out_h, out_w = _positions(h, k, s, padding), _positions(w, k, s, padding)
    check_shape("columns", columns, (n, c * k * k, out_h * out_w))
    columns = 1.0 * columns.reshape(n, c, k, k, out_h, out_w)
    padded = _pad(array_module(columns).zeros((n, c, h, w), columns.dtype), k, padding)
    for i in range(k):
        for j in range(k):
            padded[:, :, i : i + s * out_h : s, j : j + s * out_w : s] += columns[:, :, i, j]
    before, _ = _zeros(k, padding)
    return padded[:, :, before : before + h, before : before + w]  # (N, C, H, W)


def conv2d_forward(x, weight, bias=None, stride=1, padding=0):
    """Convolve by one matrix product: weight @ im2col(x) + bias, (N, C, H, W) -> (N, O, H', W')."""
    size, (o, _, k, _) = _output_size(x, weight, stride, padding), weight.shape
    y = weight.reshape(o, -1) @ im2col(1.0 * x, k, stride, padding)  # (N, O, H'*W')
    if bias is not None:
        y = y + bias.reshape(o, 1)
    return y.reshape(len(x), o, *size)  # (N, O, H', W')


def conv2d_backward(dy, x, weight, stride=1, padding=0):
    """Return (dx, dweight, dbias) from dy, the gradient of the loss in y, (N, O, H', W').

    Forward is y = W @ columns + b, with the weight as a matrix (O, C*k*k). So::

        dW = dy @ columnsᵀ, summed over the images      db = dy, summed over images and positions
        dcolumns = Wᵀ @ dy                              dx = col2im(dcolumns)
    """
    o, _, k, _ = weight.shape
    check_shape("dy", dy, (len(x), o, *_output_size(x, weight, stride, padding)))
    columns = im2col(x, k, stride, padding)  # (N, C*k*k, H'*W')
    dy = 1.0 * dy.reshape(len(x), o, columns.shape[2])  # (N, O, H'*W')
    dweight = (dy @ columns.transpose(0, 2, 1)).sum(axis=0)  # (O, C*k*k)
    dcolumns = weight.reshape(o, -1).T @ dy  # (N, C*k*k, H'*W')
    dx = col2im(dcolumns, x.shape, k, stride, padding)  # (N, C, H, W)
    return dx, dweight.reshape(weight.shape), dy.sum(axis=(0, 2))


def _output_size(x, weight, stride, padding):
    """Return (H', W'); raise unless the weight is (O, C of x, k, k)."""
    (_, c, h, w), k = x.shape, weight.shape[2]
    require(weight.shape[1:] == (c, k, k), f"x has {c} channels, but weight is {weight.shape}")
    return _positions(h, k, stride, padding), _positions(w, k, stride, padding)


def _positions(side, k, stride, padding):
    """Return how many positions the kernel has along a side of the image."""
    before, after = _zeros(k, padding)
    works = stride == 1 or (stride > 1 and padding != "same")
    require(works and before >= 0, f"stride={stride} and padding={padding!r} do not work")
    require(1 <= k <= side + before + after, f"a {k}x{k} kernel does not fit {side} pixels")
    return (side + before + after - k) // stride + 1


def _zeros(k, padding):
    """Return how many zeros go before and after each row and each column."""
    same, valid = ((k - 1) // 2, k // 2), (0, 0)
    return {"same": same, "valid": valid}.get(padding, (padding, padding))


def _pad(x, k, padding):
    zeros = _zeros(k, padding)
    return array_module(x).pad(x, ((0, 0), (0, 0), zeros, zeros))
