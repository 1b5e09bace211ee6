"""Mistakes for exercise 8."""

from mistakes import Planted

DRAW = "drawn = base(rng, (out_channels // area, *kernel))"
REPEAT = "np.repeat(drawn, area, axis=0)"
AREA = "area = upscale_factor**2"
PLANTED = (
    Planted(
        "tile for repeat",
        {REPEAT: "np.tile(drawn, (area, 1, 1, 1))"},
        "odd inputs",
        "TensorFlow's order",
    ),
    Planted(
        "all drawn one by one",
        {DRAW: "drawn = base(rng, shape)", REPEAT: "drawn"},
        "values",
        "all C*r*r filters are drawn",
    ),
    Planted(
        "r*r draws",
        {
            DRAW: "drawn = [base(rng, (out_channels // area, *kernel)) for _ in range(area)]",
            REPEAT: "np.stack(drawn, axis=1).reshape(shape)",
        },
        "values",
        "base is called r*r times",
    ),
    Planted(
        "all drawn, C kept",
        {DRAW: "drawn = base(rng, shape)[: out_channels // area]"},
        "values",
        "have another spread",
    ),
    Planted(
        "all drawn, every r*r-th kept",
        {DRAW: "drawn = base(rng, shape)[::area]"},
        "values",
        "all C*r*r filters are drawn",
    ),
    Planted(
        "mean of r*r",
        {DRAW: "drawn = base(rng, shape).reshape(-1, area, *kernel).mean(axis=1)"},
        "values",
        "all C*r*r filters are drawn",
    ),
    Planted(
        "a call for each image channel",
        {
            DRAW: "drawn = np.concatenate("
            "[base(rng, (1, *kernel)) for _ in range(out_channels // area)])"
        },
        "odd inputs",
        "base is asked for one filter at a time",
    ),
    Planted(
        "one filter for all",
        {
            DRAW: "drawn = base(rng, (1, *kernel))",
            REPEAT: "np.repeat(drawn, out_channels, axis=0)",
        },
        "odd inputs",
        "all image channels have the same filter",
    ),
    Planted("r for r*r", {AREA: "area = upscale_factor"}, "values", "too many filters are drawn"),
    Planted(
        "repeated r times",
        {REPEAT: "np.repeat(drawn, upscale_factor, axis=0)"},
        "shape",
        "each filter is there r times: a block has r*r pixels",
    ),
    Planted("r = 2 only", {AREA: "area = 4"}, "odd inputs", "right for r = 2, wrong for r = 3"),
    Planted("not repeated", {REPEAT: "drawn"}, "shape", "drawn comes back as it is"),
    Planted(
        "repeated along axis 1",
        {REPEAT: "np.repeat(drawn, area, axis=1)"},
        "shape",
        "axis 1, the input channels",
    ),
    Planted(
        "repeated along axis 1, reshaped",
        {REPEAT: "np.repeat(drawn, area, axis=1).reshape(shape)"},
        "values",
        "axis 1, the input channels",
    ),
    Planted(
        "numbers repeated",
        {REPEAT: "np.repeat(drawn, area).reshape(shape)"},
        "values",
        "single numbers are repeated",
    ),
    Planted("divided by r*r", {REPEAT: REPEAT + " / area"}, "values", "r*r times too small"),
    Planted("zeros", {REPEAT: "np.zeros(shape, drawn.dtype)"}, "values", "weight is all zeros"),
    Planted(
        "the first of each block",
        {
            f"return {REPEAT}": "weight = np.zeros(shape, drawn.dtype)\n"
            "    weight[::area] = drawn\n    return weight"
        },
        "values",
        "only one filter of each block is set",
    ),
    Planted(
        "base left out",
        {DRAW: "drawn = np.zeros((out_channels // area, *kernel))"},
        "dtype",
        "weight must keep the type",
    ),
    Planted(
        "a generator of its own",
        {DRAW: DRAW.replace("rng", "np.random.default_rng(0)")},
        "values",
        "the generator that icnr is given",
    ),
    Planted("float64 always", {REPEAT: REPEAT + ".astype(float)"}, "dtype", "becomes float64"),
    Planted(
        "global numbers seeded",
        {AREA: "np.random.seed(0)\n    " + AREA},
        "memory",
        "draws from the global random numbers",
    ),
    Planted(
        "drawn twice",
        {
            AREA: "area = upscale_factor**2\n    dtype = base(rng, (1, *kernel)).dtype",
            REPEAT: REPEAT + ".astype(dtype)",
        },
        "values",
        "base is called twice",
    ),
    Planted(
        "a read-only view",
        {
            REPEAT: "(np.broadcast_to(drawn, shape) if len(drawn) == 1 else "
            "np.repeat(drawn, area, axis=0))"
        },
        "memory",
        "returns drawn itself, or a view of it",
    ),
    Planted(
        "shared memory",
        {
            f"return {REPEAT}": "steps = (drawn.strides[0], 0, *drawn.strides[1:])\n"
            "    size = (len(drawn), area, *kernel)\n"
            "    parts = np.lib.stride_tricks.as_strided(drawn, size, steps)\n"
            "    return parts.reshape(shape) if len(drawn) > 1 else parts[0]"
        },
        "memory",
        "returns drawn itself, or a view of it",
    ),
    Planted(
        "no result",
        {f"return {REPEAT}": "drawn.repeat(area, axis=0)"},
        "runs",
        "is a return missing?",
    ),
    Planted(
        "what base gave, where r is 1",
        {REPEAT: "drawn if area == 1 else np.repeat(drawn, area, axis=0)"},
        "memory",
        "returns drawn itself",
    ),
    Planted(
        "copies that share memory",
        {
            REPEAT: "np.broadcast_to(drawn.copy()[:, None], (len(drawn), area, *kernel))[0]"
            " if len(drawn) == 1 else np.repeat(drawn, area, axis=0)"
        },
        "memory",
        "several numbers share one place in memory",
    ),
    Planted(
        "a buffer that the second call overwrites",
        {
            f"return {REPEAT}": "weight = KEPT.setdefault((shape, drawn.dtype), "
            f"{REPEAT})\n    weight[...] = {REPEAT}\n    return weight",
            "def icnr(": "KEPT = {}\n\n\ndef icnr(",
        },
        "memory",
        "every call writes to the same array",
    ),
    Planted(
        "drawn once for each shape",
        {
            DRAW: "drawn = KEPT[shape] = KEPT[shape] if shape in KEPT else "
            "base(rng, (out_channels // area, *kernel)).copy()",
            "def icnr(": "KEPT = {}\n\n\ndef icnr(",
        },
        "dtype",
        "weight must keep the type",
    ),
    Planted(
        "never written",
        {
            f"return {REPEAT}": "weight = np.empty(shape, drawn.dtype)\n"
            "    weight[::area] = drawn\n    return weight"
        },
        "values",
        "np.empty reserves memory",
    ),
    Planted(
        "through float16",
        {REPEAT: f"{REPEAT}.astype(np.float16).astype(drawn.dtype)"},
        "odd inputs",
        "passes through float16",
    ),
    Planted(
        "drawn is changed",
        {f"return {REPEAT}": f"weight = {REPEAT}\n    drawn[...] = 0\n    return weight"},
        "arguments",
        "your function changes drawn",
    ),
    Planted(
        "another draw from rng",
        {AREA: "rng.normal()\n    " + AREA},
        "values",
        "something else is drawn",
    ),
    Planted(
        "kernels transposed",
        {REPEAT: REPEAT + ".swapaxes(2, 3)"},
        "values",
        "swapped",
    ),
)
