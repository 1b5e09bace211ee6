"""Is this backward pass right? Central differences in float64, against a random upstream gradient.

A gradient is right if it predicts what the loss does when one number moves a little. The loss here
is ⟨y, dy⟩ for a *random* dy: with all ones, a permutation's wrong backward pass would look right,
since any order of ones is the same. In float32 the difference of two losses has three digits or
so, and a wrong gradient hides in the rest; hence float64.
"""

import numpy as np

from npespcn.arrays import array_module, check_shape, require


def gradcheck(layer, x, rng=None, epsilon=1e-5, tolerance=1e-6):
    """Check dx and the gradient of every parameter; return the largest relative error, or raise.

    The error of an array is the largest difference from the numerical gradient, over the largest
    entry of either. Where a layer has a kink (ReLU at 0), keep x away from it; and keep x small:
    every number of it, and of the parameters, costs two forward passes.

    >>> from npespcn.layers import Tanh
    >>> gradcheck(Tanh(), np.linspace(-1, 1, 12).reshape(1, 2, 2, 3)) < 1e-6
    True
    """
    require(all(a.dtype == np.float64 for a in (x, *layer.params.values())), "needs float64")
    y, x = layer.forward(x), x.copy()
    dy = array_module(y).asarray((rng or np.random.default_rng(0)).normal(size=y.shape))
    gradients = {"dx": (layer.backward(dy), x)}
    gradients |= {f"d{name}": (layer.grads[name], layer.params[name]) for name in layer.params}
    worst = 0.0
    for name, (gradient, array) in gradients.items():
        numerical = numerical_gradient(lambda: layer.forward(x), array, dy, epsilon)
        check_shape(name, gradient, array.shape)
        error = abs(gradient - numerical) / max(abs(gradient).max(), abs(numerical).max(), 1e-12)
        worst = max(worst, float(error.max()))
        if not error.max() <= tolerance:  # not `error > tolerance`: NaN must fail
            at = np.unravel_index(int(error.argmax()), error.shape)
            both = f"backward says {gradient[at]:.8g}, central differences say {numerical[at]:.8g}"
            raise AssertionError(f"{name}{[*map(int, at)]} is wrong by {error.max():.1e}: {both}")
    return worst


def numerical_gradient(function, array, dy, epsilon=1e-5):
    """Return d⟨function(), dy⟩/darray by central differences, entry by entry.

    Moves each entry of `array` in place, where `function` reads it, and puts it back.
    """
    require(array.dtype.kind == "f", f"array must be floating-point, got {array.dtype}")
    gradient, epsilon = array_module(array).zeros_like(array), float(epsilon)
    for index in np.ndindex(array.shape):
        before = float(array[index])
        array[index] = before + epsilon
        up = +function()  # a copy, because it may be a view of `array`
        array[index] = before - epsilon
        gradient[index] = ((up - function()) * dy).sum() / (2 * epsilon)
        array[index] = before
    return gradient
