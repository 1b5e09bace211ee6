"""The deconvolution view: every number is compared with the layers of the book."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from browser.reading import NARROW, READ, WIDE, Visit, color, on_screen, text

from npespcn.common import Array
from npespcn.figures import channel_colors
from npespcn.initializers import icnr
from npespcn.layers import Conv2d, ConvTranspose2d
from npespcn.shuffle import pixel_shuffle, pixel_unshuffle

H, W = 3, 4
AROUND = 8  # pixels around the input, more than any kernel reaches
VIEW = '[data-view="deconvolution"]'
NAMES = ("counts", "dealt", "collected", "resized")
INPUT = np.array([[1, 0, 1, 1], [0, 1, 0, 0], [1, 1, 0, 1]], float)


def weights(k: int, kind: str) -> Array:
    if kind == "ones":
        return np.ones((k, k))
    if kind == "random":
        return np.random.default_rng(6).integers(-3, 6, (7, 7))[:k, :k].astype(float)
    tent = 1 - abs(np.arange(k) - (k - 1) / 2) / ((k + 1) // 2)  # bilinear interpolation
    return np.outer(tent, tent) / tent.min() ** 2


def filters_of(kernel: Array, s: int) -> Array:
    """Return the s*s filters (s*s, n, n) of which the kernel is the shuffle, 0 where it ends."""
    more = -len(kernel) % s
    return pixel_unshuffle(np.pad(kernel, (0, more))[None], s)[:, ::-1, ::-1]


def with_icnr(kernel: Array, s: int) -> Array:
    """Let the library repeat the filter of place 0."""
    first = filters_of(kernel, s)[:1, None]
    same = icnr(np.random.default_rng(0), (s * s, 1, *first.shape[2:]), s, lambda *_: first)
    return pixel_shuffle(same[:, 0, ::-1, ::-1], s)[0][: len(kernel), : len(kernel)]


def cut(k: int, s: int) -> int:
    """Return what is cut off: that of lesson 10, and in whole blocks for every other kernel."""
    return s * ((-(-k // s) - 1) // 2)


def window(y: Array, start: int, s: int) -> Array:
    return y[..., start : start + H * s, start : start + W * s]


def deconvolution(kernel: Array, s: int) -> ConvTranspose2d:
    layer = ConvTranspose2d(1, 1, len(kernel), s, dtype="float64")
    layer.params["weight"] = kernel[None, None]
    return layer


def convolution(filters: Array) -> Conv2d:
    layer = Conv2d(1, len(filters), filters.shape[-1], padding=0, dtype="float64")
    layer.params["weight"] = filters[:, None]
    return layer


def outputs(kernel: Array, s: int, x: Array) -> dict[str, Array]:
    """Return what the library makes of the input, whose edge goes on."""
    k = len(kernel)
    wide = np.pad(x, AROUND, "edge")[None, None]
    start = AROUND * s + cut(k, s)
    counts = deconvolution(np.ones((k, k)), s)(np.ones_like(wide))[0, 0]
    filters = filters_of(kernel, s)
    n = filters.shape[-1]
    channels = window(convolution(filters)(wide)[0], AROUND + cut(k, s) // s - (n - 1), 1)
    large = wide.repeat(s, axis=2).repeat(s, axis=3)
    resized = convolution(kernel[None])(large)[0, 0]
    return {
        "counts": window(counts, start, s),
        "dealt": window(deconvolution(kernel, s)(wide)[0, 0], start, s),
        "collected": pixel_shuffle(channels, s)[0],
        "resized": window(resized, AROUND * s - (k - 1) // 2, s),
    }


def go_to(page: Any, words: str) -> None:
    page.evaluate(
        """words => new Promise(done => {
            addEventListener("hashchange", done, {once: true});
            location.hash = words;
        })""",
        f"mode=deconvolution&{words}",
    )


def bits(x: Array) -> str:
    return "".join(str(int(pixel)) for pixel in x.ravel())


def number(words: str) -> int:
    return int(words.replace("−", "-"))


def seen(page: Any) -> dict[str, Array]:
    """Read the four outputs and the kernel, by the places that their cells name."""
    cells = page.evaluate("""() =>
        [...document.querySelectorAll(".maps .output, [data-map=kernel]")].map(map =>
            [...map.children].map(({dataset, textContent}) =>
                [dataset.row ?? dataset.a, dataset.col ?? dataset.b, textContent]))""")
    arrays = {}
    for name, map_cells in zip((*NAMES, "kernel"), cells, strict=True):
        places = {(int(row), int(col)): number(words) for row, col, words in map_cells}
        shape = np.max(list(places), axis=0) + 1
        arrays[name] = np.array([places[place] for place in np.ndindex(*shape)]).reshape(shape)
        assert len(map_cells) == arrays[name].size
    return arrays


def small_kernels(page: Any) -> list[list[int]]:
    texts = page.evaluate("""() => [...document.querySelectorAll(".one")]
        .map(one => [...one.querySelectorAll(".cell")].map(cell => cell.textContent))""")
    return [[number(words) for words in one] for one in texts]


def said(page: Any) -> list[str]:
    return page.locator(f"{VIEW} .said p").all_text_contents()


@pytest.mark.parametrize("kind", ["ones", "random", "bilinear"])
def test_every_number_is_the_librarys(visit: Visit, kind: str) -> None:
    page = visit("mode=deconvolution")
    for k, s, equal in np.ndindex(7, 4, 2):
        k, s = k + 1, s + 1
        x = np.ones((H, W)) if (k + s + equal) % 4 == 0 else INPUT
        words = f"k={k}&s={s}&weights={kind}&icnr={equal}&input={bits(x)}"
        go_to(page, words)
        kernel = with_icnr(weights(k, kind), s) if equal else weights(k, kind)
        shown = seen(page)
        assert shown["kernel"].tolist() == kernel.round().tolist(), words
        expected = outputs(kernel, s, x)
        for name in NAMES:
            assert abs(shown[name] - expected[name]).max() < 1e-9, (words, name)
        assert page.locator("h2", has_text="= Sub-pixel convolution").count() == 1
        low, high = expected["dealt"].min().round(), expected["dealt"].max().round()
        span = text(page, f"{VIEW} figure:nth-child(2) .range").replace("−", "-")
        same = f"{high:.0f} everywhere"
        assert span == (same if low == high else f"from {low:.0f} to {high:.0f}")

        exists = filters_of(np.ones((k, k)), s) > 0  # a place may lack the last entries
        filters = filters_of(kernel, s)
        expected_filters = [f[e].round().tolist() for f, e in zip(filters, exists, strict=True)]
        assert small_kernels(page) == expected_filters, words
        captions = page.locator(f"{VIEW} .one .range").all_text_contents()
        for caption, entries, f in zip(captions, exists, filters, strict=True):
            h, w = entries.any(axis=1).sum(), entries.any(axis=0).sum()
            size = f"{h}×{w}" if h else "no weights"
            assert caption.replace("−", "-") == f"{size}, sum {f.sum():.0f}"

        overlap, sums = said(page)
        found = sorted(set(expected["counts"].astype(int).ravel().tolist()))
        listed = " or ".join([", ".join(map(str, found[:-1])), str(found[-1])][len(found) < 2 :])
        assert (" is a multiple of " in overlap) == (k % s == 0) == (len(found) == 1)
        assert overlap.endswith(f": {listed}."), overlap
        flat = outputs(kernel, s, np.ones((H, W)))
        stays = np.ptp(flat["dealt"]) < 1e-9
        assert ("stays flat" in sums) == stays
        assert np.ptp(flat["resized"]) < 1e-9
        if equal and k % s == 0:  # ICNR: a convolution, then nearest neighbor
            assert stays
            blocks = pixel_unshuffle(shown["dealt"][None], s)
            assert np.ptp(blocks, axis=0).max() == 0


def test_the_examples_of_lesson_10(visit: Visit) -> None:
    page = visit("mode=deconvolution&k=3&s=2")
    assert said(page)[0] == "k = 3 is no multiple of s = 2. Kernels on a pixel: 1, 2 or 4."
    assert "(4, 2, 2, 1): flat gray becomes a checkerboard" in said(page)[1]
    assert seen(page)["dealt"][:2, :2].tolist() == [[4, 2], [2, 1]]
    page = visit("mode=deconvolution&k=4&s=2")
    assert said(page)[0] == "k = 4 is a multiple of s = 2. Kernels on every pixel: 4."
    page = visit("mode=deconvolution&k=3&s=2&weights=bilinear")  # uneven, and yet no dots
    assert "no multiple" in said(page)[0]
    assert "stays flat" in said(page)[1]


@pytest.mark.parametrize(("k", "s"), [(3, 2), (6, 2), (5, 3), (7, 1), (2, 3), (7, 4)])
def test_frames_and_sums_say_what_makes_a_pixel(visit: Visit, k: int, s: int) -> None:
    """A gradient says what a pixel depends on: that of the input, and that of the kernel."""
    page = visit("mode=deconvolution")
    kernel = weights(k, "random")
    made = outputs(kernel, s, INPUT)
    wide = np.pad(INPUT, AROUND, "edge")
    for row, col in ((0, 0), (s, s), (2 * s - 1, 3 * s), (3 * s - 1, 4 * s - 1)):
        go_to(page, f"k={k}&s={s}&weights=random&input={bits(INPUT)}&out={row},{col}")
        layer = deconvolution(np.ones((k, k)), s)
        dy = np.zeros_like(layer(np.ones_like(wide)[None, None]))
        start = AROUND * s + cut(k, s)
        dy[0, 0, start + row, start + col] = 1
        reached = {(h - AROUND, w - AROUND) for h, w in np.argwhere(layer.backward(dy)[0, 0])}
        entries = {(a, b) for a, b in np.argwhere(layer.grads["weight"][0, 0])}
        kin = page.evaluate(
            "[...document.querySelectorAll('main .kin')].map(one => ({...one.dataset}))"
        )
        assert {(int(one["h"]), int(one["w"])) for one in kin if "h" in one} == reached
        assert {(int(one["a"]), int(one["b"])) for one in kin if "a" in one} == entries
        here = page.evaluate(
            "[...document.querySelectorAll('main .here')].map(one => ({...one.dataset}))"
        )
        place = row % s * s + col % s
        assert here == [{"row": str(row), "col": str(col)}] * 4 + [{"place": str(place)}]

        first, names, sum_, resized = page.locator(".reason p").all_text_contents()
        assert first == (
            f"Row {row}, column {col}: place {place} of its block. Kernels here: {len(entries)}."
        )
        named = re.findall(r"x\[(-?\d), (-?\d)\]·kernel\[(\d), (\d)\]", names.replace("−", "-"))
        if 0 < len(entries) <= 4:
            assert {(int(h), int(w)) for h, w, _, _ in named} == reached
            terms = [
                wide[int(h) + AROUND, int(w) + AROUND] * kernel[int(a), int(b)]
                for h, w, a, b in named
            ]
            assert sum(terms) == pytest.approx(made["dealt"][row, col])
        else:
            assert names == ""
        for line, name in ((sum_, "dealt"), (resized, "resized")):
            left, _, right = line.partition(": ")[2].replace("−", "-").rpartition(" = ")
            assert int(right) == round(made[name][row, col])
            assert re.fullmatch(r"[\d ()+·-]*", left)
            assert eval(left.replace("·", "*") or "0") == int(right)  # noqa: S307
            if name == "dealt":
                assert left.count("·") == len(entries)


def test_colors_are_those_of_the_places(visit: Visit) -> None:
    for s in (2, 3, 4):
        page = visit(f"mode=deconvolution&k=7&s={s}&weights=random")
        colors = channel_colors(s, 1)
        cells = page.evaluate(READ, f"{VIEW} [data-map=kernel] .cell")
        for cell in on_screen(cells, (7, 7)):
            place = int(cell["a"]) % s * s + int(cell["b"]) % s
            assert color(cell["fill"]) == colors[place]
        for place in range(s * s):
            cells = page.evaluate(READ, f'{VIEW} [data-place="{place}"] .cell')
            assert {color(cell["fill"]) for cell in cells} == {colors[place]}
        for n in range(4):  # the outputs lie as they are counted, and larger is lighter
            cells = page.evaluate(READ, f"{VIEW} figure:nth-child({n + 1}) .output .cell")
            cells = on_screen(cells, (H * s, W * s))
            assert [divmod(m, W * s) for m in range(len(cells))] == [
                (int(cell["row"]), int(cell["col"])) for cell in cells
            ]
            levels = {number(cell["text"]): int(color(cell["fill"])[1:3], 16) for cell in cells}
            rising = [levels[value] for value in sorted(levels)]
            assert rising == sorted(set(rising), reverse=n == 0)


def test_by_mouse_keyboard_and_touch(visit: Visit) -> None:
    page = visit("mode=deconvolution", has_touch=True)

    def expect(words: str) -> None:
        page.clock.run_for(300)
        assert page.url.partition("#")[2] == f"mode=deconvolution&{words}"

    def place() -> str:
        return text(page, ".reason p >> nth=0").partition(":")[0]

    maps = page.locator(f"{VIEW} .output")
    assert place() == "Row 2, column 2"
    maps.nth(3).locator('[data-row="4"][data-col="7"]').hover()
    assert place() == "Row 4, column 7"
    maps.nth(1).locator('[data-row="5"][data-col="0"]').tap()
    expect("k=3&s=2&weights=ones&out=5,0")
    maps.nth(0).focus()
    page.keyboard.press("ArrowLeft")  # there is nothing to the left
    expect("k=3&s=2&weights=ones&out=5,0")
    for key in ("ArrowUp", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    assert place() == "Row 4, column 2"
    page.locator('[name="k"]').focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect("k=4&s=4&weights=random&icnr=1&out=4,2")
    assert page.locator(f"{VIEW} .settings output").all_text_contents() == ["4", "4"]
    page.locator(f"{VIEW} [data-map=input] button").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.ariaLabel") == "row 1, column 1: 1"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.ariaLabel") == "row 1, column 1: 0"
    expect("k=4&s=4&weights=random&icnr=1&input=111110111111&out=4,2")
    page.get_by_role("button", name="One pixel").click()
    shown = seen(page)
    assert shown["dealt"][4:8, 4:8].tolist() == shown["kernel"].tolist()  # the kernel itself
    page.get_by_role("button", name="Flat").click()
    expect("k=4&s=4&weights=random&icnr=1&out=4,2")


def test_links_and_what_they_may_not_say(visit: Visit) -> None:
    page = visit("mode=deconvolution&k=8&s=0&weights=x&icnr=2&input=12&out=-1,a")
    assert said(page)[0].startswith("k = 3 is no multiple of s = 2")
    assert page.locator('[name="weights"]:checked').get_attribute("value") == "ones"
    assert not page.locator('[name="icnr"]').is_checked()
    page = visit("mode=deconvolution&k=2&s=1&out=99,99")  # the last there is
    assert text(page, ".reason p >> nth=0").startswith("Row 2, column 3")


def test_what_to_touch_is_in_sight(visit: Visit) -> None:
    for viewport in (WIDE, NARROW):
        page = visit("mode=deconvolution", viewport=viewport)
        for selector in (".settings", ".said", ".output >> nth=0", ".output >> nth=1"):
            box = page.locator(f"{VIEW} {selector}").bounding_box()
            assert box["y"] + box["height"] <= viewport["height"], selector
    assert page.locator(f"{VIEW} [role=status]").count() == 2
    for lang in ("en", "zh"):
        page = visit(f"mode=deconvolution&lang={lang}")
        maps = page.locator(f"{VIEW} [role=application]")
        names = maps.evaluate_all("all => all.map(one => one.ariaLabel)")
        assert names == page.locator(f"{VIEW} .maps h2").all_text_contents()
        assert len(set(names)) == 4
