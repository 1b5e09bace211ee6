"""`accelerate`: a network with the same parameters and the same numbers, on all cores.

Three things make it fast: convolutions that move fewer numbers (`npespcn.fast.conv`), chunks of a
batch that go through *all* layers while their numbers are in a core's cache, each chunk on a thread
of its own, and, in `predict`, tiles that do the same for a large image (`npespcn.fast.tiles`).
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from npespcn.arrays import array_module, check_shape
from npespcn.common import Array
from npespcn.common.messages import short_repr
from npespcn.fast.blocks import NO_PADS, Pads
from npespcn.fast.layers import FastConv2d, Twin, twin
from npespcn.fast.threads import one_blas_thread, parallel_map
from npespcn.fast.tiles import Tile, cut_tiles, run_all, tile_size
from npespcn.layers import Layer, Sequential
from npespcn.models import Network

_CHUNK, _SMALL_BATCH = 8192, 3072  # pixels


def accelerate(network: Any, input_gradient: bool = True) -> Accelerated:
    """Return a faster network with the same results as `network`.

    Both share the parameter arrays: a change by an optimizer or ``load_state_dict`` reaches both.
    ``backward`` sets the gradients of both. Results agree to rounding, and are the same bits on any
    number of threads. On a GPU the book's own layers run, and only `predict` differs: it works in
    large tiles.

    Images never influence each other in ``predict``. In ``forward`` neighbors in memory share
    rounding, so a NaN in one may reach another. (It spoils the batch's gradient in any case.)

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
        network = network.network
    if not isinstance(network, Layer):
        raise TypeError(f"accelerate: network must be a layer, got {short_repr(network)}")
    return Accelerated(network, input_gradient)


class Accelerated(Layer):
    """A network's fast twin; `accelerate` makes it."""

    def __init__(self, network: Any, input_gradient: bool) -> None:
        self.network, self.input_gradient = network, input_gradient
        self.twins = [twin(layer) for layer in _flat(network)]
        self._kept: Any = None  # (shape of y, the chunks and the twins that saw each)

    def __getattr__(self, name: str) -> Any:
        if name == "network":  # not yet set: while being copied
            raise AttributeError(name)
        return getattr(self.network, name)

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
        if _is_for_the_book(x):
            self._kept = None
            return self.network.forward(x)
        pairs = [(chunk, [copy.copy(each) for each in self.twins]) for chunk in _chunks(x)]
        y = _joined(parallel_map(lambda pair: _through(pair[1], x[pair[0]]), pairs))
        self._kept = y.shape, pairs
        return y

    def backward(self, dy: Array) -> Array | None:
        """Return dx (None without ``input_gradient``); set ``grads``, of the network too."""
        if self._kept is None:
            dx: Array = self.network.backward(dy)
            return dx if self.input_gradient else None
        shape, pairs = self._kept
        check_shape("dy", dy, shape)
        parts = parallel_map(lambda pair: self._backward_chunk(pair[1], dy[pair[0]]), pairs)
        for one, *others in zip(*(twins for _, twins in pairs), strict=True):
            for name, grad in one.grads.items():
                for other in others:  # in order: the same bits on any number of threads
                    grad += other.grads[name]
            one.layer.grads = one.grads
        return _joined(parts) if self.input_gradient else None

    def _backward_chunk(self, twins: list[Twin], dy: Array) -> Any:
        first, *rest = twins
        for each in reversed(rest):
            dy = each.backward(dy)
        return first.backward(dy) if self.input_gradient else first.backward_params(dy)

    def predict(self, x: Array) -> Array:
        """Return the result of the network's `predict`, in little memory and on all cores.

        A network of `npespcn.models` works in tiles; others take one image after the other.
        """
        if not isinstance(self.network, Network) or x.ndim != 4:
            return self._predict_whole(x)
        lost = self.halo if self.padding == "valid" else 0  # on each side
        n, c, h, w = x.shape
        if min(h, w) <= 2 * lost or c != self.options["channels"]:
            return self.network.predict(x)  # which raises
        xp, s = array_module(x), self.scale
        dtype = xp.result_type(x, *self.params.values())
        y: Array = xp.empty((n, c, (h - 2 * lost) * s, (w - 2 * lost) * s), dtype)

        def run(work: tuple[int, Tile]) -> None:
            i, tile = work
            rows, columns = (slice(s * (a - lost), s * (b - lost)) for a, b in tile.place)
            part = x[(slice(i, i + 1), slice(None), *tile.part)]
            y[i, :, rows, columns] = self.predict_tile(part, tile.missing)[0]

        tiles = cut_tiles(h, w, self.halo, tile_size(x), lost)
        run_all(run, [(i, tile) for i in range(n) for tile in tiles], x)
        return y

    def _predict_whole(self, x: Array) -> Array:
        if _is_for_the_book(x) or not len(x):
            return self.network.predict(x)
        with one_blas_thread():
            return _joined([self._predict_one(x[i : i + 1]) for i in range(len(x))])

    def _predict_one(self, x: Array) -> Array:
        for each in self.twins:
            x = each.predict(x)
        return x

    def predict_tile(self, part: Array, missing: Pads = NO_PADS) -> Array:
        """Return the output for `part` without the `halo` around it.

        To rounding, `predict` gives these pixels of the whole image the same output: a wider halo
        would change nothing, a narrower one would. It uses one thread.

        Parameters
        ----------
        part : array, (N, C, H, W)
            A piece of an image.
        missing : pair of pairs of int
            Numbers of rows (above, below) and columns (left, right) of the halo that it lacks,
            because the image ends there. The network's padding takes their place (for "valid", as
            for "edge").
        """
        zeros = self.padding == "same"
        if not zeros and missing != NO_PADS:
            part = array_module(part).pad(part, ((0, 0), (0, 0), *missing), mode="edge")
        for each in self.twins:
            if isinstance(each, FastConv2d):
                reach = each.params["weight"].shape[2] // 2 if zeros else 0
                rows, columns = ((reach * (a > 0), reach * (b > 0)) for a, b in missing)
                part = each.convolve(part, (rows, columns))
            else:
                part = each.predict(part)
        if zeros:  # a side with zeros has lost nothing: its part of the halo is still there
            on = [[self.scale * (self.halo - m if m else 0) for m in pair] for pair in missing]
            (top, bottom), (left, right) = on
            height, width = part.shape[2:]
            part = part[:, :, top : height - bottom, left : width - right]
        return part


def _flat(network: Any) -> list[Layer]:
    """Return the layers of a network, those of networks within it too."""
    if type(network).forward is not Sequential.forward:
        return [network]
    return [inner for layer in network.layers.values() for inner in _flat(layer)]


def _is_for_the_book(x: Array) -> bool:
    """Whether the book's own layers must do it: on a GPU, and where no fast layer fits."""
    return array_module(x) is not np or x.dtype.kind != "f" or x.ndim != 4


def _through(layers: list[Twin], x: Array) -> Array:
    for layer in layers:
        x = layer.forward(x)
    return x


def _chunks(x: Array) -> list[slice]:
    """Cut a batch into an even number of chunks of up to 8,192 pixels, or one image.

    A small batch stays whole: two threads would wait for each other longer than they save.
    """
    n, _, h, w = x.shape
    count = min(n, 2 * -(-n * h * w // (2 * _CHUNK)))
    if n * h * w <= _SMALL_BATCH or count <= 1:
        return [slice(0, n)]
    return [slice(n * i // count, n * (i + 1) // count) for i in range(count)]


def _joined(parts: list[Any]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
