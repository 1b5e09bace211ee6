"""Exercise 12: the network from its layers, forward and backward."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from tutorials.exercises.checker.engine import Exercise, Function, Rung, same
from tutorials.exercises.checker.inputs import SEVERAL, Case, Given, Inputs
from tutorials.exercises.checker.report import compare, facts
from tutorials.exercises.checker.shuffles import ORDERS, shuffled, unshuffled
from tutorials.exercises.checker.student import Broken, Student

Change: TypeAlias = Callable[[Any], Any]
PARAMS = [f"conv{i}.{kind}" for i in (1, 2, 3) for kind in ("weight", "bias")]

# --- what is asked -------------------------------------------------------------------------------


def _numbers(*shape: int, start: int) -> str:
    """Return the text of numbers between -1 and 1."""
    size = int(np.prod(shape))
    if size == 1:
        return f"np.full({shape}, {np.sin(start**2):.1f})"
    text = f"np.sin(np.arange({start}.0, {start + size}.0) ** 2)"
    return text if len(shape) == 1 else f"{text}.reshape{shape}"


def _inputs(
    n: int = 1, c: int = 1, h: int = 2, w: int = 2, r: int = 2, in_order: bool = True,
    kernels: tuple[int, ...] = (3, 3, 3), widths: tuple[int, ...] = (2, 2), backward: bool = False,
) -> Given:  # fmt: skip
    sizes = (c, *widths, c * r * r)
    given: dict[str, Any] = {"dy": _numbers(n, c, h * r, w * r, start=8)} if backward else {}
    given["x"] = _numbers(n, c, h, w, start=1)
    for i, k in enumerate(kernels):
        given[f"conv{i + 1}_weight"] = _numbers(sizes[i + 1], sizes[i], k, k, start=2 + i)
        given[f"conv{i + 1}_bias"] = _numbers(sizes[i + 1], start=5 + i)
    return given | {"upscale_factor": r, "in_order": in_order}


PLAIN: Sequence[Mapping[str, Any]] = (
    {"h": 1, "w": 1, "kernels": (1, 1, 1), "widths": (1, 1)},
    {"kernels": (1, 1, 1)},
    {},
    {"kernels": (5, 3, 3), "h": 3, "w": 3},
)
ODD: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "right for kernels of 5, 3 and 3, wrong for others": (
        {"kernels": (3, 1, 5)},
        {"kernels": (1, 7, 3)},
    ),
    "right where conv1 and conv2 have as many filters, wrong where they differ": (
        {"widths": (2, 3)},
        {"widths": (3, 1)},
    ),
    "right where params has its names in the order of the layers, wrong in another order": (
        {"in_order": False, "kernels": (1, 1, 1)},
        {"in_order": False},
    ),
    SEVERAL: (
        {"n": 2, "c": 3, "h": 4, "r": 3, "kernels": (5, 1, 3), "widths": (4, 3), "in_order": False},
    ),
}


def _dictionary(given: Mapping[str, Any], in_order: bool) -> dict[str, Any]:
    """Return the parameters among the arguments under their names."""
    names = PARAMS if in_order else sorted(PARAMS, key=lambda name: (name[6:], name[:5]))
    return {name: given[name.replace(".", "_")] for name in names}


def _written(case: Case, backward: bool) -> str:
    params = _dictionary(case.given, case.given["in_order"])
    lines = [f"    '{name}': {text}," for name, text in params.items()]
    r = case.given["upscale_factor"]
    call = f"y, memory = espcn_forward({case.given['x']}, params, {r})"
    lines = ["params = {", *lines, "}", call]
    if backward:
        lines.append(f"dx, grads = espcn_backward({case.given['dy']}, memory, params, {r})")
    return "\n".join(lines)


# --- right answers, and slips --------------------------------------------------------------------


def convolved(x: Any, weight: Any, p: int, mode: Any = "constant") -> Any:
    """Convolve without bias, with p pixels around x."""
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), mode=mode)
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], axis=(2, 3))
    return np.einsum("ncpqij,ocij->nopq", windows, weight)


def sent_back(d: Any, x: Any, weight: Any) -> tuple[Any, Any]:
    """Return the gradients in x and in the weight of a convolution."""
    if x.shape[1] != weight.shape[1]:
        raise ValueError("the channels do not fit")
    p = weight.shape[2] // 2
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, d.shape[2:], axis=(2, 3))
    turned = weight[..., ::-1, ::-1].swapaxes(0, 1)
    return convolved(d, turned, p), np.einsum("nohw,ncijhw->ocij", d, windows)


def _without_padding(d: Any, x: Any, weight: Any) -> tuple[Any, Any]:
    """Do what the starter's conv2d_backward does if it is not told of the padding."""
    (h, w), dx, dweight = d.shape[2:], np.zeros_like(x), np.zeros_like(weight)
    for i, j in np.ndindex(weight.shape[2:]):
        dx[:, :, i : i + h, j : j + w] += np.einsum("oc,nohw->nchw", weight[:, :, i, j], d)
        seen = x[:, :, i : i + h, j : j + w]
        dweight[:, :, i, j] = np.einsum("nohw,nchw->oc", d, seen)
    return dx, dweight


def _one_later(wrong: int, i: int, inputs: Sequence[Any]) -> Any:
    return inputs[i + (i == wrong)]


def _same(x: Any) -> Any:
    return x


def _slope(y: Any) -> Any:
    return 1 - y * y


@dataclass(frozen=True)
class Network:
    """ESPCN; with other fields, a slip."""

    acts: Sequence[Change] = (np.tanh, np.tanh, _same)
    padding: Callable[[int, Sequence[int]], int] = lambda i, kernels: kernels[i] // 2
    mode: str = "constant"
    biases: Sequence[int] = (1, 1, 1)
    shuffle: Callable[[Any, int], Any] = shuffled
    by_place: bool = False
    slopes: Sequence[Change] = (_slope, _slope, np.ones_like)  # after conv1, conv2; of dy
    unshuffle: Callable[[Any, int], Any] = unshuffled
    seen: Callable[[int, Sequence[Any]], Any] = lambda i, xs: xs[i]  # the input, on the way back
    sloped: Callable[[int], int] = lambda i: i  # which input the slope is taken of
    x_slope: Change = np.ones_like
    back: Callable[[Any, Any, Any], Any] = sent_back

    def forward(self, x: Any, params: Mapping[str, Any], r: int) -> tuple[Any, list[Any]]:
        """Return y, and the inputs of the convolutions."""
        arrays = [*params.values()] if self.by_place else [params[name] for name in PARAMS]
        weights, biases = arrays[::2], arrays[1::2]
        kernels, inputs = [weight.shape[2] for weight in weights], [x]
        for i in range(3):
            y = convolved(inputs[-1], weights[i], self.padding(i, kernels), self.mode)
            y = y + self.biases[i] * biases[i][:, None, None]
            inputs.append(self.acts[i](y))
        return self.shuffle(inputs.pop(), r), inputs

    def backward(
        self, dy: Any, x: Any, params: Mapping[str, Any], r: int
    ) -> tuple[Any, dict[str, Any]]:
        """Return dx, and the gradients by name."""
        inputs, grads = self.forward(x, params, r)[1], {}
        d = self.unshuffle(dy * self.slopes[2](dy), r)
        for i in (2, 1, 0):
            name = f"conv{i + 1}"
            grads[f"{name}.bias"] = np.einsum("nohw->o", d)
            weight = params[f"{name}.weight"]
            d, grads[f"{name}.weight"] = self.back(d, self.seen(i, inputs), weight)
            d = d * (self.slopes[i - 1](inputs[self.sloped(i)]) if i else self.x_slope(x))
        return d, grads


NETWORK: Any = Network()
Slips: TypeAlias = Sequence[tuple[str, Any]]


def _forward(function: Any, x: Any, upscale_factor: int, in_order: bool, **arrays: Any) -> Any:
    """Return y of a student's function, or of a network of ours."""
    params = _dictionary(arrays, in_order)
    if isinstance(function, Network):
        return function.forward(x, params, upscale_factor)[0]
    return _pair("espcn_forward", "y, memory", _called(function, x, params, upscale_factor))[0]


def _backward(
    function: Any, dy: Any, x: Any, upscale_factor: int, in_order: bool, **arrays: Any
) -> tuple[Any, ...]:
    """Return dx and the gradients, in the order of `PARAMS`."""
    params, r = _dictionary(arrays, in_order), upscale_factor
    if isinstance(function, Network):
        dx, grads = function.backward(dy, x, params, r)
    else:
        names = getattr(function, "__globals__", vars(sys.modules["student"]))
        forward = names["espcn_forward"]
        _, memory = _pair("espcn_forward", "y, memory", _called(forward, x, params, r))
        dx, grads = _pair("espcn_backward", "dx, grads", _called(function, dy, memory, params, r))
        _check_names(grads)
    return (dx, *(grads[name] for name in PARAMS))


def _called(function: Any, *arguments: Any) -> Any:
    """Call; check that the dictionary of parameters, the last but one, stays as it is."""
    params, before = arguments[-2], dict(arguments[-2])
    came = function(*arguments)
    if [*params] != [*before] or any(params[name] is not before[name] for name in before):
        raise Broken(
            "params is not as it was before the call",
            shown=facts("the same names, and the same arrays", "others"),
            cause="your function puts something else into params, and the caller still needs it",
        )
    return came


def _pair(function: str, wanted: str, came: Any) -> tuple[Any, Any]:
    """Check that two things came."""
    if isinstance(came, tuple | list) and len(came) == 2:
        return came[0], came[1]
    kind = f"a {type(came).__name__}" if came is not None else "None"
    raise Broken(
        f"{function} returned {kind if not isinstance(came, tuple) else f'{len(came)} things'}",
        shown=facts(f"two things: {wanted}", kind),
        cause="is a return missing?" if came is None else f"it must return two things, {wanted}",
    )


def _check_names(grads: Any) -> None:
    if not isinstance(grads, Mapping):
        raise Broken(
            f"grads is a {type(grads).__name__}",
            shown=facts("a dictionary", f"a {type(grads).__name__}"),
            cause="the gradients come in a dictionary, under the names of the parameters",
        )
    if {*grads} != {*PARAMS}:
        raise Broken(
            "grads has other names than params",
            shown=facts(", ".join(PARAMS), ", ".join(map(str, grads))),
            cause="each gradient has the name of its parameter, conv1.weight for one. No name is "
            "missing, and there is no other",
        )


NO_ZEROS = "the padding does not fit the kernel: each convolution must keep height and width"
FORWARD: Slips = (
    ("there is no tanh after conv3: y may be any number", Network(acts=[np.tanh] * 3)),
    ("a tanh is missing after conv2", Network(acts=(np.tanh, _same, _same))),
    ("a tanh is missing after conv1", Network(acts=(_same, np.tanh, _same))),
    (
        "there is ReLU where there should be tanh",
        Network(acts=(lambda x: np.maximum(x, 0), lambda x: np.maximum(x, 0), _same)),
    ),
    (f"{NO_ZEROS}. Here there is none", Network(padding=lambda i, kernels: 0)),
    (f"{NO_ZEROS}. Here it is always 1", Network(padding=lambda i, kernels: 1)),
    (f"{NO_ZEROS}. Here it is always that of conv1", Network(padding=lambda i, ks: ks[0] // 2)),
    (
        f"{NO_ZEROS}. Here it is always that of kernels of 5, 3 and 3",
        Network(padding=lambda i, kernels: (2, 1, 1)[i]),
    ),
    (
        "around its input each convolution has zeros. Here the edge is repeated",
        Network(mode="edge"),
    ),
    ("the biases are left out", Network(biases=(0, 0, 0))),
    ("the bias of conv3 is left out", Network(biases=(1, 1, 0))),
    (
        "the parameters are taken by their place in params. They may come in any order, so take "
        "each by its name",
        Network(by_place=True),
    ),
    *(
        (cause, Network(shuffle=partial(shuffled, channel=channel)))
        for cause, channel in ORDERS[:1]
    ),
    ("the pixel shuffle is missing", Network(shuffle=lambda x, r: x)),
    ("2 stands where r should", Network(shuffle=lambda x, r: shuffled(x, 2))),
)
NO_SLOPE = "the way back through {} is missing: there dx = dy * (1 - y**2), with y its output"
BACKWARD: Slips = (
    (NO_SLOPE.format("both tanh"), Network(slopes=[np.ones_like] * 3)),
    (NO_SLOPE.format("the tanh after conv1"), Network(slopes=(np.ones_like, _slope, np.ones_like))),
    (NO_SLOPE.format("the tanh after conv2"), Network(slopes=(_slope, np.ones_like, np.ones_like))),
    (
        "tanh is taken twice: what you remember is its output already",
        Network(slopes=[lambda y: 1 - np.tanh(y) ** 2] * 2 + [np.ones_like]),
    ),
    (
        "the slope of tanh is 1 - y**2, with a square",
        Network(slopes=[lambda y: 1 - y] * 2 + [np.ones_like]),
    ),
    (
        "there is no tanh after conv3, and so there is none on the way back",
        Network(slopes=(_slope, _slope, _slope)),
    ),
    (
        "dy is reshaped and not unshuffled: a reshape leaves the numbers in their old order",
        Network(unshuffle=lambda dy, r: dy.reshape(unshuffled(dy, r).shape)),
    ),
    *(
        (cause, Network(unshuffle=partial(unshuffled, channel=channel)))
        for cause, channel in ORDERS[:1]
    ),
    (
        "the slopes of the two tanh have changed places: each goes with its own output",
        Network(sloped=lambda i: 3 - i),
    ),
    (
        "with kernels larger than 1 it fails: the convolutions have zeros around their input, and "
        "on the way back they must be told of them, too",
        Network(back=_without_padding),
    ),
    (
        "there is no tanh before conv1: dx is what comes out of conv1",
        Network(x_slope=_slope),
    ),
    *(
        (
            "the gradient of a weight needs the input of its convolution. Here that of "
            f"conv{i + 1} gets what comes after it",
            Network(seen=partial(_one_later, i)),
        )
        for i in (0, 1)
    ),
)


def _two_passes(student: Student) -> None:
    """Check that a memory belongs to its forward pass, and can be used again."""
    case = Case(_inputs(widths=(2, 3), kernels=(1, 3, 1), backward=True))
    given = case.make()
    r = given["upscale_factor"]
    params = _dictionary(given, True)
    xs = (given["x"], given["x"][..., ::-1] - 0.5)
    dys = (given["dy"], given["dy"][..., ::-1] + 0.5)
    text = (
        f"# x1 and x2 are two pictures of shape {xs[0].shape}, dy1 and dy2 of {dys[0].shape}\n"
        f"y1, memory1 = espcn_forward(x1, params, {r})\n"
        f"y2, memory2 = espcn_forward(x2, params, {r})\n"
        "y1[...] = 0\n"
        f"dx, grads = espcn_backward(dy1, memory1, params, {r})\n"
    )

    def call(name: str, *arguments: Any) -> Any:
        copies = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
        return student.run(student.get(name), *copies, params, r, name=name)

    def back(dy: Any, memory: Any, right: Any, text: str, cause: str) -> tuple[Any, Any]:
        try:
            dx, grads = call("espcn_backward", dy, memory)
        except Broken as error:
            raise Broken(error.message, text, raised=error.raised, cause=cause) from None
        _compare(dx, grads, right, text, cause)
        return dx, grads

    def gradients(dy: Any, x: Any) -> tuple[Any, ...]:
        dx, grads = NETWORK.backward(dy, x, params, r)
        return (dx, *(grads[name] for name in PARAMS))

    (y, memory), _ = (call("espcn_forward", x) for x in xs)
    y[...] = 0
    right = gradients(dys[0], xs[0])
    first = back(dys[0], memory, right, text, ANOTHER)
    again = f"{text}dx2, grads2 = espcn_backward(dy2, memory1, params, {r})\n"
    back(dys[1], memory, gradients(dys[1], xs[0]), again, USED_UP)
    _compare(*first, right, f"{again}# and now dx and grads, once more", ONE_FOR_ALL)


def _compare(dx: Any, grads: Any, right: Sequence[Any], text: str, cause: str) -> None:
    came = (dx, *(grads[name] for name in PARAMS))
    for name, value, answer in zip(RESULTS, came, right, strict=True):
        if not same(value, answer):
            shown = facts(np.shape(answer), np.shape(value))
            if np.shape(value) == np.shape(answer):
                shown = compare(name, answer, value)
            raise Broken(f"{name} has wrong values", text, shown, cause=cause)


ANOTHER = (
    "the backward pass belongs to the first forward pass, and gets other arrays: those of the last "
    "forward pass, or some that were changed after it. All that it needs must lie in the memory "
    "that it is given, and be its own"
)
USED_UP = (
    "the first backward pass changed the memory or used it up: the operators *= and += and "
    "methods such as pop do that. The second one needs it as it was"
)
ONE_FOR_ALL = (
    "all calls write to the same arrays, or put them into the same dictionary. What the first "
    "backward pass returned is the caller's"
)
RESULTS = ("dx", *PARAMS)
AXES = {
    "x": "N C H W",
    "y": "N C rows columns",
    "dy": "N C rows columns",
    "dx": "N C H W",
    **{f"conv{i}{dot}weight": "O C i j" for i in (1, 2, 3) for dot in "._"},
}

EXERCISE = Exercise(
    title="the network from its layers, forward and backward",
    hints={
        "espcn_forward": (
            "Write the six steps below each other, and the shape of what comes out of each beside "
            "it. Begin with the example, where all kernels are 1 by 1.",
            "A kernel of k by k takes k - 1 rows and k - 1 columns away. How many zeros on each "
            "side give them back? The weight knows its k.",
            "Go through the steps from the last to the first, as the backward pass will. For each, "
            "read which arrays its way back is given below. Where these were made, put them into "
            "the memory.",
        ),
        "espcn_backward": (
            "Each step has a way back: it takes the gradient in its output, and gives the gradient "
            "in its input. The input of a step is the output of the one before it. Which step is "
            "the first on the way back?",
            "Three of the six steps have parameters, and for these conv2d_backward is given. What "
            "must its x be: the x of the network, or another?",
            "In the example, go back by hand: 1 comes in at the first of four channels. Which "
            "number does conv3 send on? What does tanh make of it, whose output was 0.5?",
        ),
        "two passes": (
            "Read the calls above. Which forward pass does the backward pass belong to?",
            "Where does your backward pass look for the arrays of the forward pass? Who else can "
            "write there?",
            "After a backward pass the memory must be as before. Look for operators that change "
            "an array in place, and for methods that take something out of a list.",
        ),
    },
    functions=[
        Function(
            "espcn_forward",
            reference=NETWORK,
            inputs=Inputs(_inputs, PLAIN, ODD),
            mistakes=FORWARD,
            axes=AXES,
            through=_forward,
            written=partial(_written, backward=False),
        ),
        Function(
            "espcn_backward",
            reference=NETWORK,
            inputs=Inputs(partial(_inputs, backward=True), PLAIN, ODD),
            mistakes=BACKWARD,
            results=RESULTS,
            axes=AXES,
            through=_backward,
            written=partial(_written, backward=True),
        ),
    ],
    more=[Rung("two passes", 2, _two_passes)],
)
