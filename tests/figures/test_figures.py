"""Figures: their content is read back from the drawing, and compared with the shuffle."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from npespcn.common import Array
from npespcn.fast import accelerate
from npespcn.figures import (
    before_after,
    channel_colors,
    channel_formula,
    channel_maps,
    explain_figure,
    explain_gif,
    learning_curve,
    save,
    subpixel_channels,
    text_color,
)
from npespcn.models import ESPCN, SRCNN
from npespcn.shuffle import ORDERS, channel_permutation, pixel_shuffle

EVERY = [(r, c, order) for r in (2, 3, 4) for c in (1, 3) for order in ORDERS]
SOME = [*EVERY[:6], (3, 1, "CRD"), (3, 3, "paper"), (4, 1, "paper"), (4, 3, "DCR")]


def size_of(r: int, c: int, order: str) -> tuple[int, int]:
    """Return a size to test: the default, or a smaller one where that would be slow."""
    return (2, 3) if c * r * r <= 16 or order == "CRD" else (2, 1)


@functools.cache
def explained(r: int, c: int, order: str) -> Figure:
    """Return the figure, drawn, at 1000 pixels wide."""
    figure = explain_figure(r, c, order, size_of(r, c, order))
    figure.set_dpi(100)
    FigureCanvasAgg(figure).draw()
    return figure


def cells(figure: Figure, kind: str, number: int, shape: tuple[int, int]) -> tuple[Array, Array]:
    """Read the labels and the colors of one grid, arranged by where they are drawn."""
    prefix = f"{kind} {number} "
    (axes,) = figure.axes
    boxes = [box for box in axes.patches if (box.get_gid() or "").startswith(prefix)]
    texts = [text for text in axes.texts if (text.get_gid() or "").startswith(prefix)]
    boxes.sort(key=lambda box: (round(box.get_y(), 6), round(box.get_x(), 6)))
    texts.sort(key=lambda text: (round(text.get_position()[1], 6), text.get_position()[0]))
    for box, text in zip(boxes, texts, strict=True):
        assert text.get_position() == pytest.approx((box.get_x() + 0.5, box.get_y() + 0.5))
        row, col = (int(part) for part in box.get_gid().split()[2:])
        assert box.get_xy() == pytest.approx((boxes[0].get_x() + col, boxes[0].get_y() + row))
    labels = np.array([text.get_text() for text in texts]).reshape(shape)
    colors = np.array([to_hex(box.get_facecolor()) for box in boxes]).reshape(shape)
    return labels, colors


def grids(figure: Figure, kind: str, count: int, shape: tuple[int, int]) -> tuple[Array, Array]:
    both = [cells(figure, kind, number, shape) for number in range(count)]
    return np.stack([labels for labels, _ in both]), np.stack([colors for _, colors in both])


def test_the_formula_is_that_of_the_order() -> None:
    for r, c, order in EVERY:
        names = {"C": c, "r": r}
        numbers = [
            eval(channel_formula(order), {**names, "c": plane, "i": i, "j": j})  # noqa: S307
            for plane, i, j in np.ndindex(c, r, r)
        ]
        assert numbers == channel_permutation(c, r, order).tolist()
    with pytest.raises(ValueError, match="channel_formula: order must be one of 'CRD'"):
        channel_formula("RGB")


def test_the_channels_before_the_shuffle() -> None:
    x = np.random.default_rng(0).random((2, 3, 9, 11), np.float32)
    for padding in ("same", "valid", "edge"):
        model = ESPCN(2, 3, padding=padding, tail=True, output="sigmoid")
        before = list(model.layers)
        features = subpixel_channels(model, x)
        assert list(model.layers) == before
        y = pixel_shuffle(features, 2)
        for name in ("tail", "output"):
            y = model.layers[name].predict(y)
        np.testing.assert_allclose(y, model.predict(x), rtol=1e-5)
        np.testing.assert_array_equal(subpixel_channels(accelerate(model), x), features)
    with pytest.raises(ValueError, match="subpixel_channels: the network has no pixel shuffle"):
        subpixel_channels(SRCNN(3), x)


@pytest.mark.parametrize(("r", "c", "order"), SOME)
def test_the_drawn_image_is_the_shuffled_channels(r: int, c: int, order: str) -> None:
    figure = explained(r, c, order)
    n = c * r * r
    h, w = size = size_of(r, c, order)
    labels, colors = grids(figure, "source", n, size)
    letters = np.array(list("abcdef"))[: h * w].reshape(size)
    for k, color in enumerate(channel_colors(r, c, order)):
        assert labels[k].tolist() == np.char.add(str(k), letters).tolist()
        assert (colors[k] == color).all()
    image_labels, image_colors = grids(figure, "output", c, (r * h, r * w))
    assert image_labels.tolist() == pixel_shuffle(labels, r, order=order).tolist()
    assert image_colors.tolist() == pixel_shuffle(colors, r, order=order).tolist()

    (axes,) = figure.axes  # and the titles stand above their grids
    for kind, words, count in (
        ("source", "channel", c * r * r),
        ("output", "image channel", c),
    ):
        for number in range(count):
            (title,) = [text for text in axes.texts if text.get_text() == f"{words} {number}"]
            (box,) = [box for box in axes.patches if box.get_gid() == f"{kind} {number} 0 0"]
            x, y = title.get_position()
            assert x == box.get_x()
            assert box.get_y() - 1 < y < box.get_y()


@pytest.mark.parametrize(("r", "c", "order"), SOME)
def test_the_example_is_true(r: int, c: int, order: str) -> None:
    figure = explained(r, c, order)
    h, w = size_of(r, c, order)
    title, rule, example = (text.get_text() for text in figure.texts)
    assert f"r = {r}, C = {c}, order {order}: {c * r * r} channels of {h} by {w} become" in title
    assert title.endswith(f"become one {r * h} by {r * w} image")
    number = r"(\d+)"
    match = re.fullmatch(
        rf"Channel {number} = ([^:]+): image channel {number}, place \({number}, {number}\)\.  "
        rf"Its pixel ([a-f]) goes to row ([^,]+), column ([^.]+)\.",
        example,
    )
    assert match is not None
    k, formula, plane, i, j, letter, row, col = match.groups()

    def value(expression: str, **names: int) -> int:
        return int(eval(expression.replace("·", "*"), names))  # noqa: S307

    assert value(formula) == int(k)
    general = re.fullmatch(r"Channel (.+) fills place \(i, j\) of every .*", rule)
    assert general is not None
    names = {"C": c, "r": r, "c": int(plane), "i": int(i), "j": int(j)}
    assert value(general[1], **names) == int(k)
    labels, _ = cells(figure, "output", int(plane), (r * h, r * w))
    assert labels[value(row), value(col)] == f"{k}{letter}"
    assert (value(row) % r, value(col) % r) == (int(i), int(j))

    (axes,) = figure.axes  # the two outlined cells, and no others, carry that label
    strong = [tuple(box.get_center()) for box in axes.patches if box.get_path_effects()]
    named = [text.get_position() for text in axes.texts if text.get_text() == f"{k}{letter}"]
    np.testing.assert_allclose(sorted(strong), sorted(named))


def test_the_examples_of_the_orders_differ() -> None:
    """With one image channel, CRD and DCR are the same."""
    for r, c in [(2, 1), (3, 1), (4, 1), (2, 3), (3, 3), (4, 3)]:
        figures = [explain_figure(r, c, order, (1, 2)) for order in ORDERS]
        examples = [figure.texts[2].get_text() for figure in figures]
        places = {example.split(":")[1].split("Its")[0] for example in examples}
        assert len(places) == (2 if c == 1 else 3)


@pytest.mark.parametrize(("r", "c", "order"), SOME)
def test_text_is_legible_at_1000_pixels(r: int, c: int, order: str) -> None:
    figure = explained(r, c, order)
    width, height = figure.canvas.get_width_height()
    assert width == 1000
    (axes,) = figure.axes
    cell = abs(axes.transData.transform((1, 0)) - axes.transData.transform((0, 0)))[0]
    for text in (*figure.texts, *axes.texts):
        extent = text.get_window_extent()
        assert extent.x0 >= 0
        assert extent.x1 <= width
        assert extent.y0 >= 0
        assert extent.y1 <= height
        points = text.get_fontsize()
        assert points * 100 / 72 >= (14 if text.get_gid() else 11)
        if text.get_gid():
            assert extent.width < 0.9 * cell


def linear(colors: Any) -> Array:
    """Return the linear red, green and blue of colors: (..., 3)."""
    rgb = np.array([to_rgb(color) for color in np.ravel(colors)]).reshape(*np.shape(colors), 3)
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def contrast(a: Any, b: Any) -> Array:
    """Return the contrast of WCAG 2, from 1 to 21."""
    both = np.stack([linear(a), linear(b)]) @ (0.2126, 0.7152, 0.0722) + 0.05
    return both.max(axis=0) / both.min(axis=0)


def test_an_image_channel_has_a_hue_and_a_place_a_shade_of_it() -> None:
    for r, c, order in EVERY:
        pixels = np.array(channel_colors(r, c, order)).reshape(-1, 1, 1)
        for plane, colors in enumerate(pixel_shuffle(pixels, r, order=order)):
            assert colors.ravel().tolist() == channel_colors(r, c)[plane * r * r :][: r * r]
            red, green, blue = linear(colors.ravel()).T
            largest = (red, green, blue)[plane]
            assert (largest == np.max([red, green, blue], axis=0)).all()
    assert channel_colors(2, 4)[12:] == channel_colors(2)


def test_colors_for_readers_who_see_none() -> None:
    """Each shade is darker than the one before, and its number is easy to read on it."""
    for r in (1, 2, 3, 4, 8):
        colors = channel_colors(r, 3)
        assert len(set(colors)) == 3 * r * r
        assert (contrast(colors, [text_color(color) for color in colors]) >= 4.5).all()
        for plane in np.reshape(colors, (3, -1)):
            assert (np.diff(contrast(plane, ["white"] * (r * r))) > 0).all()
            assert contrast(plane[0], "white") > 1.35  # to be seen on the paper, and at night
            assert r == 1 or contrast(plane[-1], "#131519") > 1.5


@pytest.mark.parametrize(
    "eyes",
    [  # Machado, Oliveira and Fernandes 2009: what is left of red, green and blue
        np.eye(3),
        [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
        [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
        [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
    ],
    ids=["all", "no red", "no green", "no blue"],
)
def test_colors_for_readers_who_see_some(eyes: Any) -> None:
    """Neighbors of 16 shades differ, and so do the hues. (In CIEDE2000, 1 is hardly seen.)"""
    skimage = pytest.importorskip("skimage.color")
    seen = np.clip(linear(channel_colors(4, 3)) @ np.transpose(eyes), 0, 1).reshape(3, 16, 3)
    srgb = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    lab = skimage.rgb2lab(srgb)
    assert skimage.deltaE_ciede2000(lab[:, 1:], lab[:, :-1]).min() > 2.8
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert skimage.deltaE_ciede2000(lab[a], lab[b]).min() > 7


def test_what_cannot_be_explained() -> None:
    for arguments, error, message in (
        ({"upscale_factor": 5}, ValueError, "upscale_factor must be one of 2, 3, 4, got 5"),
        ({"upscale_factor": 2.0}, ValueError, "upscale_factor must be one of 2, 3, 4, got 2.0"),
        ({"channels": 2}, ValueError, "channels must be one of 1, 3, got 2"),
        ({"size": (0, 3)}, ValueError, "size must be at least 1, got 0"),
        ({"size": (2, 1.5)}, TypeError, "size must be a whole number, got 1.5"),
        ({"size": (4, 7)}, ValueError, "size must be at most 26 pixels, got 4 by 7"),
        ({"upscale_factor": 4, "size": (1, 7)}, ValueError, "1 by 7 cells at r = 4 are too small"),
        ({"order": "RGB"}, ValueError, "order must be one of 'CRD', 'DCR', 'paper', got 'RGB'"),
    ):
        with pytest.raises(error, match=f"^explain_figure: {re.escape(message)}$"):
            explain_figure(**arguments)  # type: ignore[arg-type]


def test_other_sizes() -> None:
    for size in [(1, 1), (3, 1), (1, 4), (4, 6)]:
        figure = explain_figure(2, 1, "CRD", size)
        labels, _ = grids(figure, "source", 4, size)
        image_labels, _ = grids(figure, "output", 1, (2 * size[0], 2 * size[1]))
        assert image_labels.tolist() == pixel_shuffle(labels, 2).tolist()


@pytest.mark.parametrize(("r", "c", "order"), [(2, 1, "CRD"), (3, 1, "paper"), (2, 3, "DCR")])
def test_gif_places_one_channel_after_the_other(tmp_path: Path, r: int, c: int, order: str) -> None:
    path = tmp_path / "explain.gif"
    explain_gif(path, r, c, order, size_of(r, c, order))
    figure, n = explained(r, c, order), c * r * r
    (axes,) = figure.axes
    height = figure.canvas.get_width_height()[1]
    boxes = [box for box in axes.patches if (box.get_gid() or "").startswith("output")]
    label_of = {text.get_gid(): text.get_text() for text in axes.texts if text.get_gid()}
    with Image.open(path) as gif:
        assert gif.n_frames == n + 2
        assert gif.info["loop"] == 0
        assert gif.size == (1000, height)
        for number in range(n + 2):
            gif.seek(number)
            assert gif.info["duration"] >= 300
            pixels = np.asarray(gif.convert("RGB")).astype(int)
            assert (pixels[0] == 255).all()
            for box in boxes:
                x, y = axes.transData.transform((box.get_x() + 0.2, box.get_y() + 0.2))
                k = int(label_of[box.get_gid()][:-1])
                expected = np.array(to_rgb(box.get_facecolor() if k < number else "#eeeeee"))
                assert abs(pixels[height - 1 - int(y), int(x)] - 255 * expected).max() <= 12
    assert os.listdir(tmp_path) == ["explain.gif"]


def test_gif_options(tmp_path: Path) -> None:
    path = tmp_path / "explain.gif"
    explain_gif(path, 2, 1, "DCR", (1, 2), seconds=0.5, width=1200)
    with Image.open(path) as gif:
        assert gif.size[0] == 1200
        gif.seek(2)
        assert gif.info["duration"] == 500
    for wrong in ({"seconds": 0}, {"seconds": float("nan")}, {"width": -1}):
        with pytest.raises(ValueError, match="explain_gif: seconds and width must be above 0"):
            explain_gif(path, **wrong)
    with pytest.raises(ValueError, match="explain_gif: channels must be one of"):
        explain_gif(path, 3, 2)


def test_files_appear_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Any, path: Path, *args: Any, **kwargs: Any) -> None:
        Path(path).write_bytes(b"half")
        raise OSError("the disk is full")

    monkeypatch.setattr(Image.Image, "save", broken)
    monkeypatch.setattr(Figure, "savefig", broken)
    (tmp_path / "old.png").write_bytes(b"old")
    figure = Figure()
    for call in (
        lambda: explain_gif(tmp_path / "new.gif", 2, 1, "CRD", (1, 1)),
        lambda: save(figure, tmp_path / "new.png"),
        lambda: save(figure, tmp_path / "old.png"),
    ):
        with pytest.raises(OSError, match="the disk is full"):
            call()
    assert os.listdir(tmp_path) == ["old.png"]
    assert (tmp_path / "old.png").read_bytes() == b"old"


def test_save(tmp_path: Path) -> None:
    figure = explained(2, 1, "CRD")
    for width in (1000, 1500):
        save(figure, tmp_path / "a.png", width=width)
        with Image.open(tmp_path / "a.png") as picture:
            assert (picture.format, picture.width) == ("PNG", width)
    save(figure, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width >= 1000
    save(figure, str(tmp_path / "a.SVG"))
    assert b"<svg" in (tmp_path / "a.SVG").read_bytes()
    with pytest.raises(ValueError, match="not supported"):
        save(figure, tmp_path / "a.xyz")
    with pytest.raises(ValueError, match="save: width must be above 0, got 0"):
        save(figure, tmp_path / "a.png", width=0)
    assert sorted(os.listdir(tmp_path)) == ["a.SVG", "a.png"]


def test_no_window_and_no_pyplot(tmp_path: Path) -> None:
    program = (
        "import sys; from npespcn.figures import explain_figure, explain_gif, save; "
        f"save(explain_figure(2), {str(tmp_path / 'a.png')!r}); "
        f"explain_gif({str(tmp_path / 'a.gif')!r}, 2); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    environment = {**os.environ, "MPLBACKEND": "qtagg"}
    environment.pop("DISPLAY", None)
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)  # noqa: S603
    assert sorted(os.listdir(tmp_path)) == ["a.gif", "a.png"]


def shuffled_features(r: int, c: int, order: str, h: int = 6, w: int = 7) -> tuple[Array, Array]:
    """Return features of which no two values are equal, and the image that they make."""
    rng = np.random.default_rng(3)
    values = rng.permutation(c * r * r * h * w) / (c * r * r * h * w)
    features = values.reshape(c * r * r, h, w)
    return features, pixel_shuffle(features, r, order=order)


def panels(figure: Figure) -> dict[str, Any]:
    return {axes.get_label(): axes for axes in figure.axes}


def drawn(axes: Any) -> Array:
    (picture,) = axes.images
    return np.asarray(picture.get_array())


@pytest.mark.parametrize(
    ("r", "c", "order", "box"),
    [
        (2, 1, "CRD", None),
        (2, 3, "DCR", (1, 2, 3, 4)),
        (3, 1, "paper", (0, 0, 1, 2)),
        (3, 3, "paper", None),
        (4, 1, "paper", (3, 2, 7, 6)),
        (8, 1, "DCR", None),
    ],
)
def test_channel_maps(r: int, c: int, order: str, box: tuple[int, int, int, int] | None) -> None:
    features, image = shuffled_features(r, c, order)
    figure = channel_maps(features, image, order=order, box=box)
    axes = panels(figure)
    colors = channel_colors(r, c, order)
    for k, color in enumerate(colors):
        np.testing.assert_array_equal(drawn(axes[f"channel {k}"]), features[k])
        (picture,) = axes[f"channel {k}"].images
        assert picture.get_clim() == (features.min(), features.max())
        (strip,) = axes[f"channel {k}"].patches
        (number,) = axes[f"channel {k}"].texts
        assert to_hex(strip.get_facecolor()) == color
        assert number.get_text() == str(k)
        assert strip.get_window_extent().contains(*number.get_window_extent().p0)
        assert strip.get_window_extent().contains(*number.get_window_extent().p1)
    whole = image[0] if c == 1 else np.moveaxis(image, 0, -1)
    np.testing.assert_array_equal(drawn(axes["image"]), whole)

    (frame,) = axes["image"].patches
    left, upper = round(frame.get_x() + 0.5), round(frame.get_y() + 0.5)
    right, lower = left + round(frame.get_width()), upper + round(frame.get_height())
    if box is not None:
        assert (left, upper, right, lower) == tuple(side * r for side in box)
    np.testing.assert_array_equal(drawn(axes["piece"]), whole[upper:lower, left:right])
    for plane in range(c):
        origin = axes[f"origin {plane}"]
        np.testing.assert_array_equal(drawn(origin), image[plane, upper:lower, left:right])
        assert len(origin.texts) == (lower - upper) * (right - left)
        squares = {tuple(box.get_center()): box for box in origin.patches if box.get_fill()}
        for text in origin.texts:
            k, (x, y) = int(text.get_text()), text.get_position()
            square = squares[min(squares, key=lambda at: abs(at[0] - x) + abs(at[1] - y))]
            np.testing.assert_allclose(square.get_center(), (x, y))
            assert to_hex(square.get_facecolor()) == colors[k]
            row, col = upper + int(y), left + int(x)
            assert features[k, row // r, col // r] == image[plane, row, col]


def test_channel_maps_of_small_images() -> None:
    for h, w in [(1, 1), (2, 9), (9, 2)]:
        features, image = shuffled_features(3, 1, "CRD", h, w)
        piece = drawn(panels(channel_maps(features, image))["piece"])
        assert piece.shape == (3 * min(h, 3), 3 * min(w, 4))


def test_channel_maps_show_the_place_of_most_contrast() -> None:
    image = np.zeros((1, 60, 80))
    image[0, 40:42, 30] = 1
    (frame,) = panels(channel_maps(np.zeros((4, 30, 40)), image))["image"].patches
    assert frame.get_x() < 30 < frame.get_x() + frame.get_width()
    assert frame.get_y() < 40 < frame.get_y() + frame.get_height()


def test_channel_maps_of_any_dtype(tmp_path: Path) -> None:
    for dtype, c in [("float16", 1), ("float32", 3), ("uint8", 3), ("uint8", 1), ("bool", 3)]:
        features, image = shuffled_features(2, c, "CRD", 1, 2)
        figure = channel_maps((200 * features).astype(dtype), (200 * image).astype(dtype))
        save(figure, tmp_path / "maps.png", width=300)


def test_channel_maps_clip_colors_for_display_only() -> None:
    features, image = shuffled_features(2, 3, "CRD")
    image = 2 * image - 0.5
    before = image.copy()
    axes = panels(channel_maps(features, image))
    np.testing.assert_array_equal(drawn(axes["image"]), np.moveaxis(image.clip(0, 1), 0, -1))
    np.testing.assert_array_equal(image, before)


def test_channel_maps_of_wrong_shapes() -> None:
    for features, image, box, message in (
        ((4, 3, 5), (1, 6, 9), None, "got (4, 3, 5) and (1, 6, 9)"),
        ((8, 3, 5), (1, 6, 10), None, "got (8, 3, 5) and (1, 6, 10)"),
        ((8, 3, 5), (2, 6, 10), None, "got (8, 3, 5) and (2, 6, 10)"),
        ((4, 3, 5), (6, 10), None, "got (4, 3, 5) and (6, 10)"),
        ((4, 0, 5), (1, 0, 10), None, "got (4, 0, 5) and (1, 0, 10)"),
        ((4, 3, 5), (1, 7, 11), None, "got (4, 3, 5) and (1, 7, 11)"),
        ((4, 3, 5), (1, 6, 10), (2, 0, 2, 2), "within 5 by 3 pixels, got (2, 0, 2, 2)"),
        ((4, 3, 5), (1, 6, 10), (0, -1, 2, 2), "within 5 by 3 pixels, got (0, -1, 2, 2)"),
        ((4, 3, 5), (1, 6, 10), (0, 0, 6, 2), "within 5 by 3 pixels, got (0, 0, 6, 2)"),
        ((4, 9, 10), (1, 18, 20), (0, 0, 10, 9), "box has 18 by 20 pixels, at most 18"),
    ):
        with pytest.raises(ValueError, match=rf"^channel_maps: .*{re.escape(message)}"):
            channel_maps(np.zeros(features), np.zeros(image), box=box)
    with pytest.raises(ValueError, match="channel_maps: order must be one of"):
        channel_maps(np.zeros((4, 3, 5)), np.zeros((1, 6, 10)), order="RGB")


def history(steps: int = 200) -> dict[str, list[float | None]]:
    step = list(range(1, steps + 1))
    return {
        "step": [float(number) for number in step],
        "loss": [1 / number for number in step],
        "lr": [1e-3] * steps,
        "val_step": [100.0, 200.0, 300.0],
        "val_psnr": [28.0, 30.5, 30.25],
    }


def test_learning_curve() -> None:
    data = history()
    figure = learning_curve(data, bicubic=27.57, title="Nine channels")
    loss, validation, rate = figure.axes
    assert loss.get_yscale() == "log"
    np.testing.assert_array_equal(loss.lines[0].get_xydata(), np.c_[data["step"], data["loss"]])
    mean = loss.lines[1]
    assert mean.get_xdata()[0] == 5
    assert mean.get_ydata()[0] == pytest.approx(np.mean(data["loss"][:5]))
    assert mean.get_xdata()[-1] == 200
    assert mean.get_ydata()[-1] == pytest.approx(np.mean(data["loss"][-5:]))
    np.testing.assert_array_equal(rate.lines[0].get_ydata(), data["lr"])
    curve, best, line = validation.lines
    np.testing.assert_array_equal(curve.get_xydata(), np.c_[data["val_step"], data["val_psnr"]])
    assert (best.get_xdata()[0], best.get_ydata()[0]) == (200, 30.5)
    assert list(line.get_ydata()) == [27.57, 27.57]
    words = [text.get_text() for text in validation.get_legend().get_texts()]
    assert words == ["network", "best: 30.50 dB at step 200", "bicubic: 27.57 dB"]
    assert figure.get_suptitle() == "Nine channels"


def test_learning_curve_with_gaps(tmp_path: Path) -> None:
    """One row for each step, and a PSNR in some of them only."""
    nan = float("nan")
    data = {"step": [1, 2, 3, 4], "loss": [1, nan, 0.5, 0.2], "val_psnr": [None, 28.0, None, 29.0]}
    figure = learning_curve(data)
    loss, validation = figure.axes
    assert loss.lines[0].get_xydata().tolist() == [[1, 1], [3, 0.5], [4, 0.2]]
    assert validation.lines[0].get_xydata().tolist() == [[2, 28], [4, 29]]
    save(figure, tmp_path / "curve.png")


def test_learning_curve_without_validation(tmp_path: Path) -> None:
    for data in (
        {"step": [1], "loss": [0.1]},
        {"step": [], "loss": []},
        {"step": [1, 2], "loss": [0.0, 0.0], "val_step": [], "val_psnr": []},
        {"step": [1, 2], "loss": [0.3, 0.2], "val_psnr": [None, None]},
    ):
        figure = learning_curve(data, bicubic=27.0)
        assert len(figure.axes) == 1
        save(figure, tmp_path / "curve.png")


def test_learning_curve_of_wrong_columns() -> None:
    with pytest.raises(
        ValueError, match=r"^learning_curve: history has no 'loss', only \['step'\]"
    ):
        learning_curve({"step": [1]})
    with pytest.raises(ValueError, match=r"^learning_curve: 'step' has 2 entries and 'loss' has 1"):
        learning_curve({"step": [1, 2], "loss": [1]})
    with pytest.raises(
        ValueError, match=r"^learning_curve: 'val_step' has 1 entries and 'val_psnr' has 2"
    ):
        learning_curve({**history(), "val_step": [1], "val_psnr": [1, 2]})


def three_pictures() -> dict[str, Array]:
    rng = np.random.default_rng(4)
    shape = (30, 50, 3)
    return {
        name: rng.integers(0, 256, shape, dtype=np.uint8)
        for name in ("bicubic", "network", "original")
    }


def test_before_after() -> None:
    pictures = three_pictures()
    pictures["original"] = pictures["original"][..., 0]
    captions = {"bicubic": "27.57 dB, 0.8158", "network": "29.94 dB, 0.8452"}
    figure = before_after(pictures, (10, 5, 30, 21), captions=captions, title="Three times")
    axes = panels(figure)
    columns = []
    for name, picture in pictures.items():
        np.testing.assert_array_equal(drawn(axes[name]), picture)
        np.testing.assert_array_equal(drawn(axes[f"{name}, enlarged"]), picture[5:21, 10:30])
        (frame,) = axes[name].patches
        assert frame.get_bbox().extents.tolist() == [9.5, 4.5, 29.5, 20.5]
        full, piece = axes[name].get_position(), axes[f"{name}, enlarged"].get_position()
        assert (full.x0, full.x1) == pytest.approx((piece.x0, piece.x1))
        assert full.y0 > piece.y1
        columns.append(full.x0)
        (heading,) = [text for text in figure.texts if text.get_text() == name]
        assert heading.get_position()[0] == pytest.approx(full.x0)
        if name in captions:
            (caption,) = [text for text in figure.texts if text.get_text() == captions[name]]
            assert caption.get_position()[0] == pytest.approx(full.x0)
            assert heading.get_position()[1] > caption.get_position()[1] > full.y1
    assert columns == sorted(columns)
    assert figure.texts[0].get_text() == "Three times"


def test_before_after_shows_the_middle() -> None:
    (frame, *_) = panels(before_after(three_pictures()))["network"].patches
    assert frame.get_bbox().extents.tolist() == [19.5, 11.5, 29.5, 17.5]
    tiny = np.zeros((1, 1), np.uint8)
    assert drawn(panels(before_after({"a": tiny}))["a, enlarged"]).shape == (1, 1)


def test_before_after_of_wrong_images() -> None:
    for pictures, box, message in (
        ({}, None, "there are no images"),
        ({"a": (4, 4, 4)}, None, "'a' must have shape (H, W) or (H, W, 3), got (4, 4, 4)"),
        ({"a": (4,)}, None, "'a' must have shape (H, W) or (H, W, 3), got (4,)"),
        ({"a": (0, 4)}, None, "'a' must have shape (H, W) or (H, W, 3), got (0, 4)"),
        ({"a": (4, 5), "b": (4, 6, 3)}, None, "of one size, got [(4, 5), (4, 6)]"),
        ({"a": (4, 5)}, (0, 0, 5, 5), "within 5 by 4 pixels, got (0, 0, 5, 5)"),
    ):
        arrays = {name: np.zeros(shape, np.uint8) for name, shape in pictures.items()}
        with pytest.raises(ValueError, match=rf"^before_after: .*{re.escape(message)}"):
            before_after(arrays, box)
    with pytest.raises(TypeError, match=r"^before_after: 'a' must be of uint8, got float64$"):
        before_after({"a": np.zeros((4, 4))})


def test_pictures_are_wide_and_nothing_sticks_out() -> None:
    features, image = shuffled_features(3, 3, "CRD")
    for figure in (
        channel_maps(features, image),
        before_after(three_pictures(), captions={"network": "29.94 dB, SSIM 0.8452"}),
        learning_curve(history(), bicubic=27.57),
    ):
        figure.set_dpi(100)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        width, height = figure.get_size_inches()
        assert width == 10
        around = figure.get_tightbbox(canvas.get_renderer())
        assert around.x0 >= 0
        assert around.x1 <= width
        assert around.y0 >= 0
        assert around.y1 <= height


def test_rectangles_only_where_they_mean_something() -> None:
    """Every filled rectangle of the explanation is a cell, or the empty place below one."""
    (axes,) = explained(2, 1, "CRD").axes
    filled = [box for box in axes.patches if isinstance(box, Rectangle) and box.get_fill()]
    assert len(filled) == 4 * 6 + 2 * 24
