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
        "TensorFlow's order (DCR), as np.tile puts them: 0, 1, 0, 1",
    ),
    Planted(
        "all drawn one by one",
        {DRAW: "drawn = base(rng, shape)", REPEAT: "drawn"},
        "values",
        "all C*r*r filters were drawn one by one",
    ),
    Planted(
        "r*r draws",
        {
            DRAW: "drawn = [base(rng, (out_channels // area, *kernel)) for _ in range(area)]",
            REPEAT: "np.stack(drawn, axis=1).reshape(shape)",
        },
        "values",
        "all C*r*r filters were drawn one by one",
    ),
    Planted(
        "all drawn, C kept",
        {DRAW: "drawn = base(rng, shape)[: out_channels // area]"},
        "values",
        "the spread is then that of a larger layer",
    ),
    Planted(
        "all drawn, every r*r-th kept",
        {DRAW: "drawn = base(rng, shape)[::area]"},
        "values",
        "the spread is then that of a larger layer",
    ),
    Planted(
        "mean of r*r",
        {DRAW: "drawn = base(rng, shape).reshape(-1, area, *kernel).mean(axis=1)"},
        "values",
        "you averaged r*r drawn filters",
    ),
    Planted(
        "a call for each image channel",
        {
            DRAW: "drawn = np.concatenate("
            "[base(rng, (1, *kernel)) for _ in range(out_channels // area)])"
        },
        "odd inputs",
        "base was called for one filter at a time",
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
    Planted(
        "r for r*r", {AREA: "area = upscale_factor"}, "values", "you drew r times too many filters"
    ),
    Planted(
        "repeated r times",
        {REPEAT: "np.repeat(drawn, upscale_factor, axis=0)"},
        "shape",
        "each block has r*r = 4 pixels, not r = 2",
    ),
    Planted("r = 2 only", {AREA: "area = 4"}, "odd inputs", "right for r = 2, wrong for r = 3"),
    Planted("not repeated", {REPEAT: "drawn"}, "shape", "must be there r*r = 4 times"),
    Planted(
        "repeated along axis 1",
        {REPEAT: "np.repeat(drawn, area, axis=1)"},
        "shape",
        "you repeated along axis 1, the input channels",
    ),
    Planted(
        "repeated along axis 1, reshaped",
        {REPEAT: "np.repeat(drawn, area, axis=1).reshape(shape)"},
        "values",
        "you repeated along axis 1, the input channels, and reshaped",
    ),
    Planted(
        "numbers repeated",
        {REPEAT: "np.repeat(drawn, area).reshape(shape)"},
        "values",
        "you repeated numbers, not filters",
    ),
    Planted("divided by r*r", {REPEAT: REPEAT + " / area"}, "values", "multiplied by 1/(r*r)"),
    Planted("zeros", {REPEAT: "np.zeros(shape, drawn.dtype)"}, "values", "the weight is all zeros"),
    Planted(
        "the first of each block",
        {
            f"return {REPEAT}": "weight = np.zeros(shape, drawn.dtype)\n"
            "    weight[::area] = drawn\n    return weight"
        },
        "values",
        "only the first filter of each block is set",
    ),
    Planted(
        "base left out",
        {DRAW: "drawn = np.zeros((out_channels // area, *kernel))"},
        "runs",
        "never called base",
    ),
    Planted(
        "a generator of its own",
        {DRAW: DRAW.replace("rng", "np.random.default_rng(0)")},
        "runs",
        "hand rng on to base",
    ),
    Planted("float64 always", {REPEAT: REPEAT + ".astype(float)"}, "dtype", "base gave float32"),
    Planted(
        "global numbers seeded",
        {AREA: "np.random.seed(0)\n    " + AREA},
        "one draw",
        "NumPy's global random numbers",
    ),
    Planted(
        "drawn twice",
        {
            AREA: "area = upscale_factor**2\n    dtype = base(rng, (1, *kernel)).dtype",
            REPEAT: REPEAT + ".astype(dtype)",
        },
        "one draw",
        "base must be called once",
    ),
    Planted(
        "a read-only view",
        {
            REPEAT: "(np.broadcast_to(drawn, shape) if len(drawn) == 1 else "
            "np.repeat(drawn, area, axis=0))"
        },
        "training",
        "the weight is read-only, a view such as np.broadcast_to gives",
    ),
    Planted(
        "shared memory",
        {
            f"return {REPEAT}": "steps = (drawn.strides[0], 0, *drawn.strides[1:])\n"
            "    size = (len(drawn), area, *kernel)\n"
            "    parts = np.lib.stride_tricks.as_strided(drawn, size, steps)\n"
            "    return parts.reshape(shape) if len(drawn) > 1 else parts[0]"
        },
        "training",
        "filters share their memory",
    ),
    Planted(
        "no result", {f"return {REPEAT}": "drawn.repeat(area, axis=0)"}, "runs", "returned None"
    ),
)
