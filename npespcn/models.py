"""The networks: ESPCN with the variants that were published under its name, and SRCNN."""

from __future__ import annotations

import io
import itertools
import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np

from npespcn import __version__
from npespcn.common.checks import one_of, whole_number
from npespcn.common.files import atomic_write, check_file
from npespcn.conv import conv2d_forward
from npespcn.exchange.safetensors import read_tensors
from npespcn.fast.blocks import Pads, check_picture
from npespcn.fast.gpu import Array, array_module, device_of, to_device
from npespcn.fast.threads import parallel_map
from npespcn.initializers import Initializer, he, icnr, paper, xavier
from npespcn.layers import Conv2d, Layer, PixelShuffle, ReLU, Sequential, Sigmoid, Tanh

ACTIVATIONS: dict[str, Callable[[], Layer]] = {"tanh": Tanh, "relu": ReLU, "sigmoid": Sigmoid}
INITIALIZERS: dict[str, Initializer] = {"xavier": xavier, "he": he, "paper": paper, "icnr": xavier}
PADDINGS = ("same", "valid", "edge")
PRETRAINED = (2, 3, 4)
_UNPACKED = 1 << 28  # bytes that an .npz may hold, however small it is
_MOST_ARRAYS = 10_000  # in an .npz; a checkpoint has some 50
_LONGEST_WORDS, _LONGEST_REASON = 4_000_000, 300  # bytes of JSON, characters of a complaint
_TILE = (96, 160)  # LR rows and columns that `predict` takes through the network at a time
_TILE_ON_GPU = (1024, 1024)

Span: TypeAlias = tuple[int, int]
AnyNetwork = TypeVar("AnyNetwork", bound="Network")


class Network(Sequential):
    """A stack of layers with one scale and one padding, that can be saved, loaded and run in tiles.

    Parameters
    ----------
    options : dict
        The arguments that the network was made with; a saved file holds them.
    scale : int
        Output pixels for each input pixel, along each side.
    layers : dict of str to Layer
        In order. Convolutions have odd kernels and stride 1.
    """

    def __init__(self, options: dict[str, Any], scale: int, layers: dict[str, Layer]) -> None:
        super().__init__(**layers)
        self.options, self.scale, self.padding = options, scale, str(options["padding"])
        self.halo = sum(_reach(layer) for layer in layers.values())  # 4 for ESPCN: 2 + 1 + 1

    def predict(self, x: Array) -> Array:
        """Return what `forward` returns, in little memory and on all cores: (N, C, H, W) -> larger.

        The picture goes through all layers in tiles: small ones on the CPU, each on a thread of its
        own, and on a GPU a few large ones in turn. A tile begins with the `halo` of pixels around
        it that its output depends on, so the tiles fit together without a seam, and a large
        picture's feature maps never exist as a whole. A network with ``padding="edge"`` repeats the
        picture's edge here, so that the output is `scale` times the input (its `forward` does not
        pad).

        Raises
        ------
        ValueError
            If x is not (N, C, H, W), has other channels than the network, or is smaller than the
            halo allows.
        """
        name, channels = type(self).__name__, self.options["channels"]
        self._check_channels("predict", "x", x)
        xp, lost = array_module(x), self.halo if self.padding == "valid" else 0  # on each side
        n, _, h, w = x.shape
        if min(h, w) <= 2 * lost:
            least = f"{2 * lost}x{2 * lost}"
            raise ValueError(f"{name}.predict: x must be larger than {least}, got {x.shape}")
        s = self.scale
        y: Array = xp.empty(
            (n, channels, (h - 2 * lost) * s, (w - 2 * lost) * s),
            xp.result_type(x, *self.params.values()),
        )

        def run(tile: tuple[int, Span, Span]) -> None:
            i, (top, bottom), (left, right) = tile
            rows, missing_rows = with_halo(top, bottom, h, self.halo)
            columns, missing_columns = with_halo(left, right, w, self.halo)
            part = x[i : i + 1, :, rows, columns]
            y_tile = self.predict_tile(part, (missing_rows, missing_columns))
            top, bottom, left, right = (s * (edge - lost) for edge in (top, bottom, left, right))
            y[i : i + 1, :, top:bottom, left:right] = y_tile

        about = _TILE if xp is np else _TILE_ON_GPU
        tiles = [
            (i, rows, columns)
            for i in range(n)
            for rows in cut(lost, h - lost, about[0])
            for columns in cut(lost, w - lost, about[1])
        ]
        if xp is np:
            parallel_map(run, tiles)
        else:  # whose kernels queue up by themselves; and a thread has a device of its own
            for tile in tiles:
                run(tile)
        return y

    def _check_channels(self, method: str, argument: str, x: Array) -> None:
        name, channels = f"{type(self).__name__}.{method}", self.options["channels"]
        check_picture(name, argument, x)
        if x.shape[1] != channels:
            raise ValueError(f"{name}: {argument} must have {channels} channels, got {x.shape}")

    def _with_edge(self, x: Array) -> Array:
        """Repeat the edge of x by the halo, if that is this network's padding."""
        if self.padding != "edge" or min(x.shape[2:]) == 0:
            return x
        halo = (self.halo, self.halo)
        padded: Array = array_module(x).pad(x, ((0, 0), (0, 0), halo, halo), mode="edge")
        return padded

    def predict_tile(self, part: Array, missing: Pads = ((0, 0), (0, 0))) -> Array:
        """Return the output for the middle of `part`: for all but the `halo` around it.

        That is what `predict` returns for those pixels of the whole picture, to float rounding: a
        wider halo changes nothing, a narrower one would. It does not use several threads.

        Parameters
        ----------
        part : (N, C, H, W)
            A piece of a picture.
        missing : pair of pairs of int
            How many rows (above, below) and columns (left, right) of the halo it lacks, because
            the picture ends there. What the network's padding puts in their place is put there
            (and under "valid" what "edge" does).
        """
        self._check_channels("predict_tile", "part", part)
        zeros = self.padding == "same"
        if not zeros and missing != ((0, 0), (0, 0)):
            part = array_module(part).pad(part, ((0, 0), (0, 0), *missing), mode="edge")
        for layer in self.layers.values():
            if isinstance(layer, Conv2d):
                reach = _reach(layer) if zeros else 0
                above_below, left_right = ((reach * (a > 0), reach * (b > 0)) for a, b in missing)
                weight, bias = layer.params["weight"], layer.params["bias"]
                part = conv2d_forward(part, weight, bias, 1, (above_below, left_right))
            else:
                part = layer.predict(part)
        if zeros:  # a side with zeros has lost nothing: what there was of the halo is still on it
            on = [[self.scale * (self.halo - m if m else 0) for m in pair] for pair in missing]
            (top, bottom), (left, right) = on
            height, width = part.shape[2:]
            part = part[:, :, top : height - bottom, left : width - right]
        return part

    def about(self) -> str:
        """Return what `load` must know to make this network, as JSON."""
        about = {"network": type(self).__name__, "options": self.options, "npespcn": __version__}
        return json.dumps(about)

    def save(self, path: str | os.PathLike[str], extra: Mapping[str, Array] | None = None) -> None:
        """Write the weights and the options to an ``.npz`` file, whole or not at all.

        Parameters
        ----------
        path : str or Path
            Should end in ``.npz``.
        extra : mapping of str to array, optional
            More to keep in the file (a checkpoint's state), which `load` passes over.
        """
        arrays = {f"weights/{name}": value for name, value in self.state_dict().items()}
        arrays |= {"about": np.array(self.about())}
        for name, value in (extra or {}).items():
            array = np.asarray(value)
            taken = name in arrays or name in ("file", "allow_pickle")  # savez's own arguments
            if taken or array.dtype.hasobject:  # NumPy would save objects as a pickle
                raise ValueError(f"save: extra[{name!r}] has a name in use, or is no plain array")
            arrays[name] = array
        file = io.BytesIO()  # a ZipFile on a full disk would complain once more when it is deleted
        np.savez(file, **arrays)  # type: ignore[arg-type]  # mypy fears for allow_pickle
        with atomic_write(path) as temporary:
            temporary.write_bytes(file.getbuffer())

    @classmethod
    def load(cls: type[AnyNetwork], path: str | os.PathLike[str]) -> AnyNetwork:
        """Read a network that `save` wrote, with the options that it was made with.

        Or one that `npespcn.exchange.onnx` wrote, if the file's name ends in ``.safetensors``.
        Nothing in
        the file is executed: arrays only, never a pickle.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it is no such file; the message says in what.
        """
        words: Mapping[str, Any]
        if Path(path).suffix.lower() == ".safetensors":
            own, words = read_tensors(path)
        else:
            words, prefix = read_npz(path), "weights/"
            own = {key[len(prefix) :]: v for key, v in words.items() if key.startswith(prefix)}
        try:
            about = read_words(words["about"])
            name, options = about["network"], about["options"]
            if name != cls.__name__:
                raise ValueError(f"it holds a network of class {name!r}")
            _check_claim(dict(options), own)
            model = cls(**options)
            model.load_state_dict(own)
            if not all(np.isfinite(param).all() for param in model.params.values()):
                raise ValueError("its weights are not all finite numbers")
        except (KeyError, TypeError, ValueError, MemoryError, RecursionError) as error:
            reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            reason = f"not a saved {cls.__name__}: {reason[:_LONGEST_REASON]}"
            raise ValueError(f"{os.fspath(path)}: {reason}") from error
        return model


class ESPCN(Network):
    """The sub-pixel convolution network (Shi et al. 2016): (N, C, H, W) -> (N, C, H*r, W*r).

    5x5 convolution to 64 channels, 3x3 to 32, 3x3 to C*r*r, pixel shuffle; tanh between them. All
    the work is done at low resolution, and only the last step, which computes nothing, enlarges.
    At ×3 it has 22,729 parameters.

    The options cover what has been published under the name.

    Parameters
    ----------
    scale : int
        r, from 1.
    channels : int
        Of the picture: 1 for luma (studio range divided by 255, black 16/255, white 235/255).
    activation : "tanh", "relu" or "sigmoid"
    output : None, "sigmoid" or "tanh"
        Applied last.
    tail : bool
        Whether a 1x1 convolution (C to C) follows the shuffle.
    padding : "same", "valid" or "edge"
        "same": zeros before every layer, as published. "valid": none, so the output lacks 4*r
        pixels on each side. "edge": `forward` does as for "valid", and `predict` first repeats the
        picture's edge 4 times. A network trained on real pixels around each patch, and used like
        that, is 0.2 to 0.3 dB better near the border than one that saw zeros.
    init : "xavier", "he", "paper" or "icnr"
        See `npespcn.initializers`; "icnr" is Xavier's but for the last layer. Biases start at 0.
    seed : int
        Of the initial weights.
    dtype : "float32" or "float64"

    Raises
    ------
    TypeError, ValueError
        If an option is none of these.

    Examples
    --------
    >>> model = ESPCN(scale=3)
    >>> sum(p.size for p in model.params.values())
    22729
    >>> model.predict(np.zeros((1, 1, 5, 7), np.float32)).shape
    (1, 1, 15, 21)
    """

    def __init__(
        self,
        scale: int,
        channels: int = 1,
        activation: str = "tanh",
        output: str | None = None,
        tail: bool = False,
        padding: str = "same",
        init: str = "xavier",
        seed: int = 0,
        dtype: str = "float32",
    ) -> None:
        r = whole_number("ESPCN: scale", scale, 1)
        c = whole_number("ESPCN: channels", channels, 1)
        one_of("ESPCN: activation", activation, ACTIVATIONS)
        one_of("ESPCN: output", output, (None, "sigmoid", "tanh"))
        one_of("ESPCN: tail", tail, (False, True))
        one_of("ESPCN: padding", padding, PADDINGS)
        one_of("ESPCN: init", init, INITIALIZERS)
        one_of("ESPCN: dtype", str(dtype), ("float32", "float64"))
        options: dict[str, Any] = {"scale": r, "channels": c, "activation": activation}
        options |= {"output": output, "tail": bool(tail), "padding": padding, "init": init}
        options |= {"seed": whole_number("ESPCN: seed", seed, 0), "dtype": str(dtype)}
        rng = np.random.default_rng(seed)
        conv = partial(_conv, rng, INITIALIZERS[init], padding, str(dtype))
        last = partial(icnr, upscale_factor=r) if init == "icnr" else INITIALIZERS[init]
        layers: dict[str, Layer] = {
            "conv1": conv(c, 64, 5),
            "act1": ACTIVATIONS[activation](),
            "conv2": conv(64, 32, 3),
            "act2": ACTIVATIONS[activation](),
            "conv3": _conv(rng, last, padding, str(dtype), 32, c * r * r, 3),
            "shuffle": PixelShuffle(r),
        }
        if tail:
            layers["tail"] = conv(c, c, 1)
        if output is not None:
            layers["output"] = ACTIVATIONS[output]()
        super().__init__(options, r, layers)

    @classmethod
    def pretrained(cls, scale: int) -> ESPCN:
        """Return the network for luma that comes with the package, for scale 2, 3 or 4.

        How it was trained stands beside its file in ``npespcn/weights``.

        Raises
        ------
        ValueError
            For another scale.
        """
        if whole_number("ESPCN.pretrained: scale", scale, 1) not in PRETRAINED:
            scales = ", ".join(map(str, PRETRAINED))
            raise ValueError(f"ESPCN.pretrained: there are networks for {scales}, not for {scale}")
        return cls.load(Path(__file__).with_name("weights") / f"espcn_x{scale}.npz")

    def subpixel_channels(self, x: Array) -> Array:
        """Return what goes into the pixel shuffle: (N, C, H, W) -> (N, C*r*r, H', W').

        Pads as `predict` does, and keeps nothing: to look at, and small pictures only.
        """
        self._check_channels("subpixel_channels", "x", x)
        x = self._with_edge(x)
        for layer in self.layers.values():
            if isinstance(layer, PixelShuffle):
                break
            x = layer.predict(x)
        return x


class SRCNN(Network):
    """Dong et al. 2014, for comparison: (N, C, H, W) -> the same shape, a sharper picture.

    9x9 convolution to 64 channels, 1x1 to 32, 5x5 to C; ReLU between them. Its input is the picture
    already enlarged, by bicubic interpolation, so that all of its work is done at high resolution:
    per output pixel 8,032 multiplications, against ESPCN's 2,514 at ×3.

    Parameters
    ----------
    channels, padding, init, seed, dtype
        As for `ESPCN`; the halo is 6 pixels, and there is no shuffle for "icnr" to suit.
    """

    def __init__(
        self,
        channels: int = 1,
        padding: str = "same",
        init: str = "xavier",
        seed: int = 0,
        dtype: str = "float32",
    ) -> None:
        c = whole_number("SRCNN: channels", channels, 1)
        one_of("SRCNN: padding", padding, PADDINGS)
        one_of("SRCNN: init", init, [name for name in INITIALIZERS if name != "icnr"])
        one_of("SRCNN: dtype", str(dtype), ("float32", "float64"))
        options: dict[str, Any] = {"channels": c, "padding": padding, "init": init}
        options |= {"seed": whole_number("SRCNN: seed", seed, 0), "dtype": str(dtype)}
        conv = partial(_conv, np.random.default_rng(seed), INITIALIZERS[init], padding, str(dtype))
        layers: dict[str, Layer] = {
            "conv1": conv(c, 64, 9),
            "act1": ReLU(),
            "conv2": conv(64, 32, 1),
            "act2": ReLU(),
            "conv3": conv(32, c, 5),
        }
        super().__init__(options, 1, layers)


def as_input(model: Network, x: Array) -> Array:
    """Return x where the model's parameters are, in their dtype."""
    param = next(iter(model.params.values()))
    x = x.astype(param.dtype, copy=False)
    return to_device(x, device_of(param))


def read_npz(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Read every array of an ``.npz`` file, pickles refused.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no ``.npz`` file, is damaged, or holds something else than plain arrays.
    """
    check_file(path)
    with Path(path).open("rb") as file:
        try:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise ValueError("it is a single array (.npy)")
            with archive:
                entries = archive.zip.infolist()
                size = sum(entry.file_size for entry in entries)
                if size > max(_UNPACKED, 10 * os.fstat(file.fileno()).st_size):
                    raise ValueError(f"it would unpack to {size:,} bytes")
                if len(entries) > _MOST_ARRAYS:
                    raise ValueError(f"it holds {len(entries):,} files")
                arrays = {name: archive[name] for name in archive.files}
            if not all(isinstance(value, np.ndarray) for value in arrays.values()):
                raise ValueError("it holds something else than plain arrays")
            return arrays
        except Exception as error:  # zipfile and NumPy raise a dozen kinds over a damaged file
            reason = str(error).partition("\n")[0]
            if "pickle" in reason:  # NumPy's words then go on to say how to run it
                reason = "it holds something else than plain arrays"
            reason = f"not a readable .npz file: {reason[:_LONGEST_REASON]}"
            raise ValueError(f"{os.fspath(path)}: {reason}") from error


def read_words(text: Array | str) -> Any:
    """Parse JSON, as it stands in a file that `Network.save` wrote.

    Raises
    ------
    ValueError, RecursionError
        If it is none, is nested too deep, or is too long: as Python objects, lists of lists take
        50 times the memory of their text.
    """
    if (text.size * text.itemsize if isinstance(text, np.ndarray) else len(text)) > _LONGEST_WORDS:
        raise ValueError("its words are too long")
    return json.loads(str(text))


def _conv(
    rng: np.random.Generator,
    initializer: Initializer,
    padding: str,
    dtype: str,
    in_channels: int,
    out_channels: int,
    kernel_size: int,
) -> Conv2d:
    conv_padding = "same" if padding == "same" else "valid"
    layer = Conv2d(in_channels, out_channels, kernel_size, 1, conv_padding, rng, dtype)
    layer.params["weight"] = initializer(rng, layer.params["weight"].shape).astype(dtype)
    return layer


def _reach(layer: Layer) -> int:
    """Pixels that an output pixel sees on each side of its own."""
    return layer.params["weight"].shape[2] // 2 if isinstance(layer, Conv2d) else 0


def cut(start: int, stop: int, about: int) -> list[Span]:
    """Cut start..stop into spans of about equal length, as near to `about` as that goes.

    Each begins a multiple of 4 after `start`. Where `npespcn.fast.winograd` makes rows in fours,
    tiles
    then have the fours of the whole picture, and so nearly its rounding.
    """
    length, fours = stop - start, -(-(stop - start) // 4)
    count = min(fours, max(1, round(length / about)))
    edges = [*(start + 4 * (fours * i // count) for i in range(count)), stop]
    return list(itertools.pairwise(edges))


def with_halo(start: int, stop: int, size: int, halo: int) -> tuple[slice, Span]:
    """Return start..stop with a halo, as far as 0..size goes, and what of the halo is missing."""
    missing = (max(0, halo - start), max(0, stop + halo - size))
    return slice(max(0, start - halo), min(size, stop + halo)), missing


def _check_claim(options: dict[str, Any], weights: Mapping[str, Array]) -> None:
    """Refuse options that ask for a far larger network than the weights are of."""
    c = whole_number("channels", options.get("channels", 1), 1)
    r = whole_number("scale", options.get("scale", 1), 1)
    held = sum(value.size for value in weights.values())
    if c * (1600 + 288 * r * r) > max(held, 100_000):  # no network here has fewer weights
        raise ValueError("its options ask for more weights than it holds")
