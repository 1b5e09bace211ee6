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
        "the H pieces are joined along j, and not along i; the W pieces are joined along i",
    ),
    Planted(
        "joined along one axis twice",
        {COLUMNS: "np.concatenate(list(tall), axis=-2)"},
        "shape",
        "the W pieces are joined along i, and not along j",
    ),
    Planted(
        "joined along the default axis",
        {ROWS: "np.concatenate(list(blocks))", COLUMNS: "np.concatenate(list(tall))"},
        "shape",
        "the H pieces are joined along their first axis",
    ),
    Planted(
        "stacked",
        {ROWS: "np.stack(list(blocks), axis=-2)", COLUMNS: "np.stack(list(tall), axis=-1)"},
        "shape",
        "along a new axis",
    ),
    Planted(
        "split keeps its axis",
        {
            ROWS: "np.concatenate(np.split(blocks, h), axis=-2)[0]",
            COLUMNS: "np.concatenate(np.split(tall, w), axis=-1)",
        },
        "shape",
        "the right numbers in the right order, and another shape",
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
        "another shape",
    ),
    Planted(
        "H cuts where W is meant",
        {COLUMNS: "np.concatenate([tall[i] for i in range(h)], axis=-1)"},
        "odd inputs",
        "the second cut makes W pieces",
    ),
    Planted(
        "W cuts where H is meant",
        {ROWS: "np.concatenate([blocks[i] for i in range(w)], axis=-2)"},
        "odd inputs",
        "the first cut makes H pieces",
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
        "right for one channel, wrong for more",
    ),
    Planted(
        "the first image channel only",
        {COLUMNS: "np.concatenate(list(tall), axis=-1)[..., :1, :, :]"},
        "odd inputs",
        "right for one channel, wrong for more",
    ),
    Planted(
        "i and j swapped",
        {BLOCKS: "blocks = np.moveaxis(parts, (-2, -1), (0, 1)).swapaxes(-1, -2)"},
        "values",
        "rows and columns of each block are swapped: i counts its rows",
    ),
    Planted(
        "equation 4",
        {
            SPLIT: "parts = x.reshape(*leading, r, r, channels // (r * r), h, w)",
            BLOCKS: "blocks = np.moveaxis(parts, (-2, -1, -3, -4, -5), (0, 1, -3, -2, -1))",
        },
        "values",
        "equation 4 with x the row",
    ),
    Planted(
        "TensorFlow's order",
        {
            SPLIT: "parts = x.reshape(*leading, r, r, channels // (r * r), h, w)",
            BLOCKS: "blocks = np.moveaxis(parts, (-2, -1, -3), (0, 1, -3))",
        },
        "odd inputs",
        "TensorFlow's (DCR)",
    ),
    Planted(
        "no blocks",
        {
            SPLIT: "parts = x.reshape(h, w, *leading, channels // (r * r), r, r)",
            BLOCKS: "blocks = parts",
        },
        "values",
        "a reshape moves none",
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
        "r is not heeded: it counts as 2",
    ),
    Planted(
        "float64 canvas",
        {
            f"return {COLUMNS}": f"canvas = np.zeros({COLUMNS}.shape)\n"
            f"    canvas[...] = {COLUMNS}\n    return canvas"
        },
        "dtype",
        "int64 becomes float64",
    ),
    Planted(
        "an argument changed",
        {BLOCKS: f"parts = parts.copy()\n    x[...] = 0\n    {BLOCKS}"},
        "arguments",
        "your function changes x",
    ),
    Planted(
        "a view where r is 1",
        {
            "r = upscale_factor\n    *": "r = upscale_factor\n"
            "    if r == 1:\n        return x\n    *"
        },
        "memory",
        "returns x itself, or a view of it",
    ),
    Planted(
        "a buffer that the second call overwrites",
        {
            f"return {COLUMNS}": f"y = {COLUMNS}\n"
            "    kept = KEPT.setdefault((y.shape, y.dtype), y)\n"
            "    kept[...] = y\n    return kept",
            "def pixel_shuffle_concat": "KEPT = {}\n\n\ndef pixel_shuffle_concat",
        },
        "memory",
        "every call writes to the same array",
    ),
    Planted(
        "a remembered call",
        {
            f"return {COLUMNS}": f"return KEPT.setdefault((x.shape, x.dtype), {COLUMNS})",
            "def pixel_shuffle_concat": "KEPT = {}\n\n\ndef pixel_shuffle_concat",
        },
        "odd inputs",
        "a call depends on the calls before it",
    ),
    Planted(
        "never written",
        {
            ROWS: "np.empty((w, *leading, channels // (r * r), h * r, r), x.dtype)\n"
            "    for i in range(h - 1 or 1):\n"
            "        tall[..., i * r : i * r + r, :] = blocks[i]",
        },
        "values",
        "np.empty reserves memory",
    ),
    Planted(
        "through float64",
        {BLOCKS: f"{BLOCKS}.astype(float).astype(x.dtype)"},
        "odd inputs",
        "passes through float64",
    ),
    Planted(
        "a batch of none",
        {"    parts = x": "    assert x.size\n    parts = x"},
        "odd inputs",
        "wrong for an empty array",
    ),
)
