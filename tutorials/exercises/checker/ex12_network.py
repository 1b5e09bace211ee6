"""Exercise 12: the network from its layers, forward and backward."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from tutorials.exercises.checker.engine import Exercise, Function, Rows, Rung, same
from tutorials.exercises.checker.ex05_convolution import convolved
from tutorials.exercises.checker.inputs import SEVERAL, Case, Given, Inputs
from tutorials.exercises.checker.report import compare, facts
from tutorials.exercises.checker.shuffles import shuffled, unshuffled
from tutorials.exercises.checker.student import Broken, Student

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
        {"kernels": (9, 7, 1)},
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
    """Return the parameters among the arguments, by their names."""
    names = PARAMS if in_order else sorted(PARAMS, reverse=True)
    return {name: given[name.replace(".", "_")] for name in names}


def _written(case: Case) -> str:
    params = _dictionary(case.given, case.given["in_order"])
    lines = ["params = {", *(f"    '{name}': {text}," for name, text in params.items()), "}"]
    r = case.given["upscale_factor"]
    lines.append(f"y, memory = espcn_forward({case.given['x']}, params, {r})")
    if "dy" in case.given:
        lines.append(f"dx, grads = espcn_backward({case.given['dy']}, memory, params, {r})")
    return "\n".join(lines)


def _forward(function: Any, x: Any, upscale_factor: int, in_order: bool, **arrays: Any) -> Any:
    """Return y."""
    params = _dictionary(arrays, in_order)
    return _called(function, "y, memory", x, params, upscale_factor)[0]


def _backward(
    function: Any, dy: Any, x: Any, upscale_factor: int, in_order: bool, **arrays: Any
) -> tuple[Any, ...]:
    """Return dx and the gradients, in the order of `PARAMS`."""
    params, r = _dictionary(arrays, in_order), upscale_factor
    owner = getattr(function, "func", function)  # of a partial
    names = getattr(owner, "__globals__", None) or vars(sys.modules["student"])
    _, memory = _called(names["espcn_forward"], "y, memory", x, params, r)
    dx, grads = _called(function, "dx, grads", dy, memory, params, r)
    found = [*grads] if isinstance(grads, Mapping) else f"a {type(grads).__name__}"
    if {*found} != {*PARAMS}:
        raise Broken(
            "grads is not a dictionary with the names of params",
            shown=facts(PARAMS, found),
            cause="the gradients come in a dictionary, each under the name of its parameter, "
            "conv1.weight for one. No name is missing, and there is no other",
        )
    return (dx, *(grads[name] for name in PARAMS))


def _called(function: Any, wanted: str, *arguments: Any) -> tuple[Any, Any]:
    """Call; check that params, the last argument but one, stays as it is, and that two come."""
    params = arguments[-2]
    before = {name: id(array) for name, array in params.items()}
    came = function(*arguments)
    if before != {name: id(array) for name, array in params.items()}:
        raise Broken(
            "params is not as it was before the call",
            shown=facts("the same names, and the same arrays", "others"),
            cause="your function puts something else into params, and the caller still needs it",
        )
    if not isinstance(came, tuple | list) or len(came) != 2:
        kind = "None" if came is None else f"a {type(came).__name__}"
        raise Broken(
            f"{kind} came back, and not two things",
            shown=facts(wanted, kind),
            cause=f"it must return two things, {wanted}: is a return missing, or a part of it?",
        )
    return came[0], came[1]


# --- right answers, and slips --------------------------------------------------------------------


def sent_back(d: Any, x: Any, weight: Any, p: int) -> tuple[Any, Any]:
    """Return the gradients in x and in the weight; as the starter's it raises for a wrong p."""
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    dx, dweight = np.zeros_like(padded), np.zeros_like(weight)
    for i, j in np.ndindex(weight.shape[2:]):
        seen = (..., slice(i, i + d.shape[2]), slice(j, j + d.shape[3]))
        dx[seen] += np.einsum("oc,nohw->nchw", weight[:, :, i, j], d)
        dweight[:, :, i, j] = np.einsum("nohw,nchw->oc", d, padded[seen])
    return dx[:, :, p : p + x.shape[2], p : p + x.shape[3]], dweight


def espcn_forward(
    x: Any, params: Any, r: int, *, tanh: Sequence[int] = (0, 1), padding: Sequence[int] = ()
) -> tuple[Any, list[Any]]:
    """Return y, and the inputs of the convolutions."""
    inputs = [x]
    for i in range(3):
        weight, bias = params[f"conv{i + 1}.weight"], params[f"conv{i + 1}.bias"]
        p = padding[i] if padding else weight.shape[2] // 2
        y = convolved(inputs[i], weight, bias, p)
        inputs.append(np.tanh(y) if i in tanh else y)
    return shuffled(inputs.pop(), r), inputs


def espcn_backward(
    dy: Any,
    memory: Any,
    params: Any,
    r: int,
    *,
    tanh: Sequence[int] = (0, 1),
    slope: Callable[[Any], Any] = lambda y: 1 - y * y,
    padded: bool = True,
) -> tuple[Any, dict[str, Any]]:
    """Return dx, and the gradients by name."""
    d, grads = unshuffled(dy, r), {}
    for i in (2, 1, 0):
        weight = params[f"conv{i + 1}.weight"]
        p = weight.shape[2] // 2 if padded else 0
        grads[f"conv{i + 1}.bias"] = np.einsum("nohw->o", d)
        d, grads[f"conv{i + 1}.weight"] = sent_back(d, memory[i], weight, p)
        if i - 1 in tanh:
            d = d * slope(memory[i])
    return d, grads


FORWARD: Rows = (
    ("there is no tanh after conv3", partial(espcn_forward, tanh=(0, 1, 2))),
    *(("a tanh is missing", partial(espcn_forward, tanh=tanh)) for tanh in ((), (0,), (1,))),
    *(
        (
            "the padding does not fit the kernel: each convolution must keep height and width",
            partial(espcn_forward, padding=padding),
        )
        for padding in ((0, 0, 0), (1, 1, 1), (2, 1, 1))
    ),
)
BACKWARD: Rows = (
    *(
        ("the way back through a tanh is missing", partial(espcn_backward, tanh=tanh))
        for tanh in ((), (0,), (1,))
    ),
    *(
        (
            "the slope of tanh is wrong: it is 1 minus the square of its output, and the output is "
            "what you remember",
            partial(espcn_backward, slope=slope),
        )
        for slope in (lambda y: 1 - y, lambda y: 1 - np.tanh(y) ** 2)
    ),
    (
        "on the way back the padding is forgotten: each convolution had zeros around its input",
        partial(espcn_backward, padded=False),
    ),
)

# --- two passes ----------------------------------------------------------------------------------

RESULTS = ("dx", *PARAMS)
PASSES = (
    (
        "from the first backward pass",
        "the backward pass belongs to the first forward pass, and gets other arrays: those of the "
        "last forward pass, or some that were changed after it. All that it needs must lie in the "
        "memory that it is given",
    ),
    (
        "from the second backward pass",
        "the first backward pass changed the memory or used it up: the operators *= and += and "
        "methods such as pop do that. The second one needs it as it was",
    ),
    (
        "from the first backward pass, after the second",
        "all calls write to the same arrays, or put them into the same dictionary. What the first "
        "backward pass returned is the caller's",
    ),
)


def _two_passes(student: Student) -> None:
    """Check that a memory belongs to its forward pass, and can be used again."""
    given = Case(_inputs(widths=(2, 3), kernels=(1, 3, 1), backward=True)).make()
    params, r = _dictionary(given, True), given["upscale_factor"]
    xs = (given["x"], given["x"][..., ::-1] - 0.5)
    dys = (given["dy"], given["dy"][..., ::-1] + 0.5)
    right = [_backward(espcn_backward, **given | {"dy": dy}) for dy in dys]
    text = (
        f"# x1 and x2 are two pictures of shape {xs[0].shape}, dy1 and dy2 of {dys[0].shape}\n"
        f"y1, memory1 = espcn_forward(x1, params, {r})\n"
        f"y2, memory2 = espcn_forward(x2, params, {r})\n"
        "y1[...] = 0\n"
        f"dx1, grads1 = espcn_backward(dy1, memory1, params, {r})\n"
        f"dx2, grads2 = espcn_backward(dy2, memory1, params, {r})"
    )

    def call(name: str, *arguments: Any) -> Any:
        return student.run(student.get(name), *arguments, params, r, name=name)

    (y, memory), _ = (call("espcn_forward", x) for x in xs)
    y[...] = 0
    came = []
    for i, (where, cause) in enumerate(PASSES):
        if i < len(dys):
            try:
                came.append(call("espcn_backward", dys[i], memory))
            except Broken as error:
                error.example, error.cause = text, cause
                raise
        dx, grads = came[i % 2]
        values = (dx, *(grads[name] for name in PARAMS))
        for name, value, answer in zip(RESULTS, values, right[i % 2], strict=True):
            if not same(value, answer):
                alike = np.shape(value) == np.shape(answer)
                shown = compare(name, answer, value) if alike else ""
                raise Broken(f"{name} {where} is wrong", text, shown, cause=cause)


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
            reference=espcn_forward,
            inputs=Inputs(_inputs, PLAIN, ODD),
            mistakes=FORWARD,
            axes=AXES,
            through=_forward,
            written=_written,
        ),
        Function(
            "espcn_backward",
            reference=espcn_backward,
            inputs=Inputs(partial(_inputs, backward=True), PLAIN, ODD),
            mistakes=BACKWARD,
            results=RESULTS,
            axes=AXES,
            through=_backward,
            written=_written,
        ),
    ],
    more=[Rung("two passes", 2, _two_passes)],
)
