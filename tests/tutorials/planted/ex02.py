"""Mistakes for exercise 2."""

from mistakes import Planted

SPLIT = "parts = x.reshape(*leading, channels // (r * r), r, r, h, w)  # (..., C, i, j, H, W)"
BLOCKS = "blocks = np.moveaxis(parts, (-2, -1), (0, 1))"
ROWS = "np.concatenate(list(blocks), axis=-2)"
COLUMNS = "np.concatenate(list(tall), axis=-1)"
PLANTED = (
    Planted(
        "joined along the wrong axes",
        {ROWS: "np.concatenate(list(blocks), axis=-1)", COLUMNS: "np.concatenate(tall, axis=-2)"},
        "values",
        "the H pieces are joined along j (axis -1) and the W pieces along i (axis -2)",
    ),
    Planted(
        "joined along one axis twice",
        {COLUMNS: "np.concatenate(list(tall), axis=-2)"},
        "shape",
        "the W pieces are joined along i (axis -2): join them along j (axis -1)",
    ),
    Planted(
        "joined along the default axis",
        {ROWS: "np.concatenate(list(blocks))", COLUMNS: "np.concatenate(list(tall))"},
        "shape",
        "as np.concatenate does unless you say otherwise",
    ),
    Planted(
        "stacked",
        {ROWS: "np.stack(list(blocks), axis=-2)", COLUMNS: "np.stack(list(tall), axis=-1)"},
        "shape",
        "and np.stack makes a new axis",
    ),
    Planted(
        "split keeps its axis",
        {
            ROWS: "np.concatenate(np.split(blocks, h), axis=-2)[0]",
            COLUMNS: "np.concatenate(np.split(tall, w), axis=-1)",
        },
        "shape",
        "np.split keeps the axis that it cuts",
    ),
    Planted(
        "rows alone",
        {f"return {COLUMNS}": "return tall"},
        "shape",
        "only the H pieces are joined",
    ),
    Planted(
        "squeezed",
        {COLUMNS: "np.squeeze(np.concatenate(list(tall), axis=-1))"},
        "shape",
        "the image channel's stay, even at length 1",
    ),
    Planted(
        "H cuts where W is meant",
        {COLUMNS: "np.concatenate([tall[i] for i in range(h)], axis=-1)"},
        "odd inputs",
        "wrong where H is not W: the second cut makes W pieces, not H",
    ),
    Planted(
        "W cuts where H is meant",
        {ROWS: "np.concatenate([blocks[i] for i in range(w)], axis=-2)"},
        "odd inputs",
        "wrong where H is not W: the first cut makes H pieces, not W",
    ),
    Planted(
        "H and W swapped",
        {"*leading, channels, h, w =": "*leading, channels, w, h ="},
        "odd inputs",
        "right for square pictures, wrong where H is not W",
    ),
    Planted(
        "one image channel only",
        {SPLIT: "parts = x.reshape(*leading, 1, r, r, h, w)"},
        "odd inputs",
        "right for one color channel, wrong for three",
    ),
    Planted(
        "the first image channel only",
        {COLUMNS: "np.concatenate(list(tall), axis=-1)[..., :1, :, :]"},
        "odd inputs",
        "only the first is there",
    ),
    Planted(
        "i and j swapped",
        {BLOCKS: "blocks = np.moveaxis(parts, (-2, -1), (0, 1)).swapaxes(-1, -2)"},
        "values",
        "rows and columns of each block are swapped: i counts the rows",
    ),
    Planted(
        "equation 4",
        {
            SPLIT: "parts = x.reshape(*leading, r, r, channels // (r * r), h, w)",
            BLOCKS: "blocks = np.moveaxis(parts, (-2, -1, -3, -4, -5), (0, 1, -3, -2, -1))",
        },
        "values",
        "equation 4's order with x the row",
    ),
    Planted(
        "TensorFlow's order",
        {
            SPLIT: "parts = x.reshape(*leading, r, r, channels // (r * r), h, w)",
            BLOCKS: "blocks = np.moveaxis(parts, (-2, -1, -3), (0, 1, -3))",
        },
        "odd inputs",
        "TensorFlow's order (DCR): PyTorch keeps the image channel slowest",
    ),
    Planted(
        "no blocks",
        {
            SPLIT: "parts = x.reshape(h, w, *leading, channels // (r * r), r, r)",
            BLOCKS: "blocks = parts",
        },
        "values",
        "the blocks are not gathered",
    ),
    Planted(
        "whole channels",
        {BLOCKS: "blocks = np.moveaxis(parts, (-4, -3, -2, -1), (0, 1, -2, -1))"},
        "values",
        "whole channels lie side by side",
    ),
    Planted(
        "one picture only",
        {"*leading, channels, h": "leading = []\n    channels, h"},
        "odd inputs",
        "a batch has four",
    ),
    Planted(
        "axes counted from the front",
        {ROWS: "np.concatenate(list(blocks), axis=2)", COLUMNS: "np.concatenate(tall, axis=2)"},
        "odd inputs",
        "axes are counted from the front",
    ),
    Planted(
        "r = 2 only",
        {"r = upscale_factor\n    *": "r = 2\n    *"},
        "odd inputs",
        "right for r = 2, wrong for",
    ),
    Planted(
        "float64 canvas",
        {
            f"return {COLUMNS}": f"canvas = np.zeros({COLUMNS}.shape)\n"
            f"    canvas[...] = {COLUMNS}\n    return canvas"
        },
        "dtype",
        "turns float32 into float64",
    ),
    Planted(
        "an argument changed",
        {BLOCKS: f"x += 1\n    parts = parts - 1\n    {BLOCKS}"},
        "arguments",
        "you changed x",
    ),
)
