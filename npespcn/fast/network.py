"""`accelerate`: a network with the same parameters and the same numbers, on all cores.

A network becomes a few parts. A `Piece`, from a convolution at stride 1 to the pixel shuffle and
what follows it, is recorded once as a list of NumPy calls, and replayed (`npespcn.fast.recorded`).
Other layers run as the book has them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from npespcn.arrays import array_module
from npespcn.common import Array
from npespcn.common.messages import short_repr
from npespcn.fast.memory import Pads
from npespcn.fast.pieces import Piece, is_fast_convolution, pieces_of
from npespcn.fast.shuffle import FastPixelShuffle
from npespcn.fast.threads import one_blas_thread
from npespcn.fast.tiles import cut_tiles, tile_size
from npespcn.layers import Layer, PixelShuffle, Sequential
from npespcn.models import Network


def accelerate(network: Any, input_gradient: bool = True) -> Accelerated:
    """Return a faster network with the same results as `network`.

    Both share the parameter arrays: a change by an optimizer or ``load_state_dict`` reaches both.
    ``backward`` sets the gradients of both. Results agree to rounding, and are the same bits on any
    number of threads. On a GPU the book's own layers run, and only `predict` differs: it works in
    large tiles.

    The first call with a new shape records a plan, which takes about as long as a step. Plans are
    kept for the shapes that were used last: up to 8, and up to 128 MB of them, for each piece of
    the network that is recorded; ESPCN is one piece (docs/performance.md has figures). Gradients
    have the dtype of the output.

    Images never influence each other in ``predict``. In ``forward`` neighbors in memory share
    rounding, so a NaN in one may reach another. (It spoils the batch's gradient in any case.)
    Several threads may call ``predict`` at a time.

    Parameters
    ----------
    network : Layer
        Usually an `ESPCN`; any layer of `npespcn.layers` or network of them. Layers without a fast
        form (a stride, a transposed convolution, a layer of your own) run unchanged.
    input_gradient : bool
        Whether ``backward`` returns dx, the gradient in the network's input. Training does not
        need it: with False, ``backward`` skips that work and returns None.

    Returns
    -------
    Accelerated
        With ``forward``, ``backward``, ``predict``, ``params`` and ``grads``, and all other
        attributes of `network`. An accelerated network is returned unchanged.

    Raises
    ------
    TypeError
        If `network` is no layer.

    Examples
    --------
    >>> from npespcn.models import ESPCN
    >>> model, x = ESPCN(scale=2), np.ones((1, 1, 8, 9), np.float32)
    >>> bool(np.allclose(accelerate(model).predict(x), model.predict(x), atol=1e-6))
    True
    """
    if isinstance(network, Accelerated):
        if network.input_gradient == input_gradient:
            return network
        network = network.network
    if not isinstance(network, Layer):
        raise TypeError(f"accelerate: network must be a layer, got {short_repr(network)}")
    return Accelerated(network, input_gradient)


class Accelerated(Layer):
    """A network's fast twin; `accelerate` makes it."""

    def __init__(self, network: Any, input_gradient: bool) -> None:
        self.network, self.input_gradient = network, input_gradient
        self.repeats_edge = _is_sequence(network) and _repeats_the_edge(network)
        self.parts = [
            _part(group, input_gradient or i > 0)
            for i, group in enumerate(pieces_of(_flat(network)))
        ]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.network, name)

    def __reduce__(self) -> Any:
        """A copy records plans of its own."""
        return type(self), (self.network, self.input_gradient)

    @property
    def params(self) -> dict[str, Array]:
        """The network's own parameters."""
        own: dict[str, Array] = self.network.params
        return own

    @property
    def grads(self) -> dict[str, Array]:
        """The network's own gradients."""
        own: dict[str, Array] = self.network.grads
        return own

    def forward(self, x: Array) -> Array:
        """Return y, and keep what `backward` needs: (N, C, H, W) -> (N, C, H*r, W*r)."""
        with one_blas_thread():  # its other threads would stay awake for a while, on our cores
            for part in self.parts:
                x = part.forward(x)
        return x

    def backward(self, dy: Array) -> Array | None:
        """Return dx (None without ``input_gradient``); set ``grads``, of the network too."""
        with one_blas_thread():
            for part in reversed(self.parts):
                dy = part.backward(dy)
        return dy if self.input_gradient else None

    def predict(self, x: Array) -> Array:
        """Return the result of the network's `predict`, in little memory and on all cores."""
        if array_module(x) is not np and isinstance(self.network, Network):
            return self._predict_on_gpu(x)
        if self.repeats_edge:
            sides = (self.halo, self.halo)
            x = np.pad(x, ((0, 0), (0, 0), sides, sides), mode="edge")
        return self._predict_parts(x)

    def _predict_parts(self, x: Array) -> Array:
        with one_blas_thread():
            for part in self.parts:
                x = part.predict(x)
        return x

    def _predict_on_gpu(self, x: Array) -> Array:
        lost = self.halo if self.padding == "valid" else 0  # on each side
        n, c, h, w = x.shape
        if min(h, w) <= 2 * lost or c != self.options["channels"]:
            return self.network.predict(x)  # which raises
        xp, s = array_module(x), self.scale
        dtype = xp.result_type(x, *self.params.values())
        y: Array = xp.empty((n, c, (h - 2 * lost) * s, (w - 2 * lost) * s), dtype)
        for tile in cut_tiles(h, w, self.halo, tile_size(x), lost):
            rows, columns = (slice(s * (a - lost), s * (b - lost)) for a, b in tile.place)
            for i in range(n):
                part = x[(slice(i, i + 1), slice(None), *tile.part)]
                y[i, :, rows, columns] = self.predict_tile(part, tile.missing)[0]
        return y

    def predict_tile(self, x: Array, missing: Pads = ((0, 0), (0, 0))) -> Array:
        """Return the output for `x` without the `halo` around it.

        To rounding, `predict` gives these pixels of the whole image the same output: a wider halo
        would change nothing, a narrower one would.

        Parameters
        ----------
        x : array, (N, C, H, W)
            A piece of an image.
        missing : pair of pairs of int
            Numbers of rows (above, below) and columns (left, right) of the halo that it lacks,
            because the image ends there. The network's padding takes their place (for "valid", as
            for "edge").
        """
        if self.padding != "same":
            x = array_module(x).pad(x, ((0, 0), (0, 0), *missing), mode="edge")
        x = self._predict_parts(x)
        if self.padding == "same":  # where a halo is left, its pixels saw zeros: they go
            halo = [[self.scale * (self.halo - m) for m in pair] for pair in missing]
            (top, bottom), (left, right) = halo
            x = x[..., top : x.shape[2] - bottom, left : x.shape[3] - right]
        return x


def _flat(network: Any) -> list[Layer]:
    """Return the layers of a network, those of plain networks within it too."""
    if not _is_sequence(network):
        return [network]
    layers: list[Layer] = []
    for layer in network.layers.values():
        layers += [layer] if _repeats_the_edge(layer) else _flat(layer)
    return layers


def _is_sequence(network: Any) -> bool:
    """Whether it does what `Sequential` does: its layers one after the other."""
    kind = type(network)
    return (
        isinstance(network, Sequential)
        and kind.forward is Sequential.forward
        and kind.backward is Sequential.backward
        and kind.predict in (Sequential.predict, Network.predict)
    )


def _repeats_the_edge(network: Any) -> bool:
    return isinstance(network, Network) and network.padding == "edge"


def _part(layers: list[Any], input_gradient: bool) -> Any:
    """Return what runs a group of layers."""
    if is_fast_convolution(layers[0]):
        return Piece(layers, input_gradient)
    if type(layers[0]) is PixelShuffle:
        return FastPixelShuffle(layers[0])
    if _is_sequence(layers[0]):
        return Accelerated(layers[0], input_gradient)
    return layers[0]
