"""Is this backward pass right? Central differences in float64, against a random upstream gradient.

A gradient is right if it predicts what the loss does when one number moves a little. The loss here
is ⟨y, dy⟩ for a *random* dy: with all ones, a permutation's wrong backward pass would look right,
since any order of ones is the same. In float32 the difference of two losses has three digits or
so, and a wrong gradient hides in the rest; hence float64.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from npespcn.common import checks
from npespcn.common.checks import positive, real_array
from npespcn.common.messages import shown
from npespcn.fast.gpu import Array, array_module
from npespcn.layers import Layer


def gradcheck(
    layer: Layer,
    x: Array,
    rng: np.random.Generator | None = None,
    epsilon: float = 1e-5,
    tolerance: float = 1e-6,
) -> float:
    """Check a layer's dx and every entry of its grads; return the largest relative error.

    The error of an array is the largest difference from the numerical gradient, over the largest
    entry of either. Where a layer has a kink (ReLU at 0), keep x away from it.

    Parameters
    ----------
    layer : Layer
        With float64 parameters.
    x : array, float64
        What the layer takes: small, and all values distinct.
    rng : numpy.random.Generator, optional
        Draws dy; without it, one seeded with 0.
    epsilon : float
        How far each entry is moved, up and down.
    tolerance : float
        The largest relative error that passes.

    Raises
    ------
    AssertionError
        If a gradient is wrong; the message names the array and its worst entry.
    TypeError
        If x or a parameter is not float64.

    Examples
    --------
    >>> from npespcn.layers import Tanh
    >>> gradcheck(Tanh(), np.linspace(-1, 1, 12).reshape(1, 2, 2, 3)) < 1e-6
    True
    """
    if not isinstance(layer, Layer):
        raise TypeError(f"gradcheck: layer must be a layer, got {shown(layer)}")
    if rng is None:
        rng = np.random.default_rng(0)
    if not hasattr(rng, "normal"):
        raise TypeError(f"gradcheck: rng must be a numpy.random.Generator, got {shown(rng)}")
    positive("gradcheck: tolerance", tolerance)
    positive("gradcheck: epsilon", epsilon)
    xp = real_array("gradcheck: x", x)
    for name, array in {"x": x, **layer.params}.items():
        if array.dtype != np.float64:
            raise TypeError(f"gradcheck: {name} must be float64, got {array.dtype}")
    y = layer.forward(x)
    dy = xp.asarray(rng.normal(size=y.shape))
    dx = layer.backward(dy)
    if layer.grads.keys() != layer.params.keys():
        raise AssertionError(
            f"gradcheck: grads {sorted(layer.grads)} and params {sorted(layer.params)} differ"
        )
    moved = x.copy()
    checks = [("dx", dx, moved)]
    checks += [(f"d{name}", layer.grads[name], layer.params[name]) for name in layer.params]
    worst = 0.0
    for name, gradient, array in checks:
        numerical = numerical_gradient(lambda: layer.replica().forward(moved), array, dy, epsilon)
        worst = max(worst, _compare(name, gradient, numerical, tolerance))
    return worst


def numerical_gradient(
    function: Callable[[], Array], array: Array, dy: Array, epsilon: float = 1e-5
) -> Array:
    """Return d⟨function(), dy⟩/darray by central differences, entry by entry.

    Moves each entry of `array` in place, where `function` reads it, and puts it back.
    """
    checks.function("numerical_gradient: function", function)
    positive("numerical_gradient: epsilon", epsilon)
    gradient = array_module(array).zeros_like(array)
    for index in np.ndindex(array.shape):
        before = float(array[index])
        array[index] = before + epsilon
        up = function()
        array[index] = before - epsilon
        down = function()
        array[index] = before
        gradient[index] = ((up - down) * dy).sum() / (2 * epsilon)
    return gradient


def _compare(name: str, gradient: Array, numerical: Array, tolerance: float) -> float:
    if gradient.shape != numerical.shape:
        raise AssertionError(
            f"gradcheck: {name} has shape {gradient.shape}, should be {numerical.shape}"
        )
    if numerical.size == 0:
        return 0.0
    xp = array_module(gradient)
    difference = xp.abs(gradient - numerical)
    scale = max(float(xp.abs(gradient).max()), float(xp.abs(numerical).max()), 1e-12)
    error = float(difference.max()) / scale
    if not error <= tolerance:  # not `error > tolerance`: NaN must fail
        entry = tuple(int(i) for i in np.unravel_index(int(difference.argmax()), gradient.shape))
        raise AssertionError(
            f"gradcheck: {name} is wrong by {error:.1e} (relative, allowed {tolerance:.0e}); worst "
            f"at {name}[{', '.join(map(str, entry))}]: backward says {float(gradient[entry]):.8g}, "
            f"central differences say {float(numerical[entry]):.8g}"
        )
    return error
