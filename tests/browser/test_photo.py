"""The photograph: what the network in the page makes of pictures, and the numbers it shows."""

from __future__ import annotations

import base64
import io
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser.reading import NARROW, READ, WIDE, Visit, color, shuffled, text
from PIL import Image

import npespcn
from npespcn.common import Array
from npespcn.conv import conv2d_forward
from npespcn.evaluation import psnr
from npespcn.explorer import data
from npespcn.figures import channel_colors
from npespcn.figures.channels import subpixel_channels
from npespcn.pictures import (
    downscale,
    rgb_to_y,
    rgb_to_ycbcr,
    upscale_bicubic,
    ycbcr_to_rgb,
)
from npespcn.pictures.color import quantize
from npespcn.shuffle import ORDERS

VIEW = '[data-view="photo"]'
READY = f'{VIEW}[aria-busy="false"]'
BUSY = f'{VIEW}[aria-busy="true"]'
BOTH = 2  # of the three layers, those that a tanh follows

PIXELS = """canvas => {
    const copy = document.createElement("canvas");
    Object.assign(copy, {width: canvas.width, height: canvas.height});
    const context = copy.getContext("2d", {willReadFrequently: true});
    context.drawImage(canvas, 0, 0);
    const {data} = context.getImageData(0, 0, canvas.width, canvas.height);
    let text = "";
    for (let at = 0; at < data.length; at += 8192)
        text += String.fromCharCode(...data.subarray(at, at + 8192));
    return [canvas.width, canvas.height, btoa(text)];
}"""


def pixels(page: Any, selector: str) -> Array:
    """Read a canvas: (H, W, 3)."""
    width, height, content = page.locator(f"{VIEW} {selector}").evaluate(PIXELS)
    rgba = np.frombuffer(base64.b64decode(content), np.uint8).reshape(height, width, 4)
    assert (rgba[..., 3] == 255).all()
    return rgba[..., :3]


def image(page: Any, name: str) -> Array:
    return pixels(page, f'[data-image="{name}"]')


def gray(page: Any) -> Array:
    """Read the luma, as the shuffle shows it: one pixel of each square of canvas pixels."""
    squares = pixels(page, ".shuffle")
    dots = squares.shape[1] // image(page, "network").shape[1]
    assert (squares == squares[..., :1]).all()
    once = squares[::dots, ::dots, 0]
    assert (once.repeat(dots, 0).repeat(dots, 1) == squares[..., 0]).all()
    return once


def far(a: Array, b: Array) -> int:
    assert a.shape == b.shape
    return int(np.abs(a.astype(int) - b.astype(int)).max())


def luma_of(picture: Array) -> Array:
    """Return what the networks take: (H, W, 3) -> (1, 1, H, W)."""
    y = rgb_to_ycbcr(picture.astype(np.float64))[..., 0] / 255
    return y[None, None].astype(np.float32)


def enlarged(picture: Array, r: int) -> Array:
    """Enlarge luma by the network, and color by bicubic interpolation: (H, W, 3)."""
    y = 255 * npespcn.pretrained(r).predict(luma_of(picture))[0, 0].astype(np.float64)
    ycbcr = rgb_to_ycbcr(picture.astype(np.float32))
    chroma = [upscale_bicubic(ycbcr[..., n].copy(), r) for n in (1, 2)]
    return quantize(ycbcr_to_rgb(np.stack([y, *chroma], axis=-1)))


def file(picture: Array | Image.Image, name: str = "own.png", **how: Any) -> dict[str, Any]:
    """Return a file for a file chooser."""
    picture = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    content = io.BytesIO()
    picture.save(content, name.partition(".")[2], **how)
    return {"name": name, "mimeType": "image/png", "buffer": content.getvalue()}


def choose(page: Any, own: dict[str, Any], ready: str = READY) -> None:
    page.wait_for_selector(READY)
    page.locator(f"{VIEW} input[type=file]").set_input_files(own)
    page.wait_for_selector(ready)


def photograph(height: int, width: int) -> Array:
    """Return a part of a photograph that comes with the page."""
    path = Path(data.__file__).parent / "photo" / "hopper.webp"
    return np.asarray(Image.open(path).convert("RGB"))[60 : 60 + height, 60 : 60 + width].copy()


def own_pictures() -> dict[str, Array]:
    rng = np.random.default_rng(5)
    stripes = np.zeros((23, 31, 3), np.uint8)
    stripes[:, ::4], stripes[5:9], stripes[:, 20:, 1] = 255, (255, 0, 0), 90
    return {
        "color": photograph(41, 58),
        "gray": photograph(30, 27)[..., 1],
        "hard edges": stripes,
        "noise": rng.integers(0, 256, (19, 16, 3), np.uint8),
        "one pixel wide": photograph(37, 1),
        "one pixel": np.array([[[200, 30, 90]]], np.uint8),
    }


@pytest.mark.parametrize("r", [2, 3, 4])
def test_an_own_picture_is_what_the_network_predicts(visit: Visit, r: int) -> None:
    page = visit(f"mode=photo&r={r}", clock=False)
    for name, picture in own_pictures().items():
        choose(page, file(picture))
        in_color = picture if picture.ndim == 3 else np.stack([picture] * 3, -1)
        assert far(image(page, "network"), enlarged(in_color, r)) <= 1, name
        assert far(image(page, "bicubic"), upscale_bicubic(in_color, r)) == 0, name
        predicted = 255 * npespcn.pretrained(r).predict(luma_of(in_color))[0, 0]
        expected = np.clip((predicted - 16) * 255 / 219, 0, 255)
        np.testing.assert_allclose(gray(page), expected, atol=1, err_msg=name)
        h, w = picture.shape[:2]
        size = f"{h} × {w} pixels became {h * r} × {w * r} in "
        assert text(page, '[data-is="done"]').startswith(size)
        assert not page.get_by_label("Shrink it first").is_checked()
        assert page.get_by_label("network | original").is_disabled()


@pytest.mark.parametrize("r", [2, 3, 4])
@pytest.mark.parametrize("name", data.PICTURES)
def test_pictures_that_come_with_the_page(visit: Visit, r: int, name: str) -> None:
    page = visit(f"mode=photo&r={r}&picture={name}", clock=False)
    page.wait_for_selector(READY)
    original = image(page, "original")
    assert original.shape == (264, 264, 3)
    decoded = Image.open(io.BytesIO(base64.b64decode(data.library_data()["pictures"][name])))
    assert far(original, np.asarray(decoded.convert("RGB"))) <= 2  # another decoder
    small = downscale(original, r)
    network, bicubic = enlarged(small, r), upscale_bicubic(small, r)
    assert far(image(page, "bicubic"), bicubic) == 0
    assert far(image(page, "network"), network) <= 1
    for side, large in (("bicubic", bicubic), ("network", network)):
        decibels = psnr(rgb_to_y(large), rgb_to_y(original), border=r)
        shown = float(text(page, f'{VIEW} b[data-is="{side}"]').removesuffix(" dB"))
        assert shown == pytest.approx(decibels, abs=0.011)


def test_shrinking_first_can_be_switched(visit: Visit) -> None:
    page = visit("mode=photo&r=4", clock=False)
    picture = photograph(43, 50)
    choose(page, file(picture))
    page.get_by_label("Shrink it first").check()
    page.wait_for_selector(READY)
    whole = picture[2:42, 1:49]  # from the middle
    assert far(image(page, "original"), whole) == 0
    assert far(image(page, "network"), enlarged(downscale(whole, 4), 4)) <= 1
    assert page.get_by_label("network | original").is_enabled()
    choose(page, file(picture[:3]))
    assert page.get_by_label("Shrink it first").is_disabled()  # nothing would be left


DROP = """([view, content, name]) => {
    const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0));
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([bytes], name));
    const target = document.querySelector(view);
    for (const type of ["dragover", "drop"])
        target.dispatchEvent(new DragEvent(type, {bubbles: true, cancelable: true, dataTransfer}));
}"""


def test_a_picture_can_be_dropped(visit: Visit) -> None:
    page = visit("mode=photo&r=2", clock=False)
    page.wait_for_selector(READY)
    own = file(photograph(20, 33))
    page.evaluate(DROP, [VIEW, base64.b64encode(own["buffer"]).decode(), "a.png"])
    page.wait_for_selector(READY)
    assert far(image(page, "network"), enlarged(photograph(20, 33), 2)) <= 1


def test_upright_and_on_white(visit: Visit) -> None:
    page = visit("mode=photo&r=2", clock=False)
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = np.full((24, 32, 3), 60, np.uint8)
    picture[:8] = 230
    choose(page, file(picture, "turned.jpeg", exif=exif, quality=100, subsampling=0))
    upright = upscale_bicubic(np.rot90(picture, -1), 2)
    assert far(image(page, "bicubic"), upright) <= 4  # JPEG
    clear = np.dstack([photograph(20, 30), np.full((20, 30), 255, np.uint8)])
    clear[5:12, 9:20, 3], clear[12:, :, 3] = 0, 128
    choose(page, file(clear))
    white = Image.new("RGBA", (30, 20), "white")
    flat = np.asarray(Image.alpha_composite(white, Image.fromarray(clear)).convert("RGB"))
    assert far(image(page, "network"), enlarged(flat, 2)) <= 3  # half clear is rounded
    assert far(image(page, "network")[:10], enlarged(flat, 2)[:10]) <= 1
    assert "What is transparent lies on white." in text(page, '[data-is="done"]')


def test_files_that_are_no_pictures(visit: Visit) -> None:
    page = visit("mode=photo&r=2", clock=False)
    choose(page, file(photograph(20, 33)))
    before = image(page, "network")
    whole = file(photograph(200, 200), "own.png")["buffer"]
    for name, content in (("a.png", b"no picture"), ("empty.jpg", b""), ("cut.png", whole[:60])):
        choose(page, {"name": name, "mimeType": "image/png", "buffer": content})
        words = f"The browser cannot open {name} as a picture."
        assert text(page, '[data-is="done"]') == words
        assert far(image(page, "network"), before) == 0
    choose(page, file(photograph(9, 9)))
    assert text(page, '[data-is="done"]').startswith("9 × 9 pixels became 18 × 18")


def test_a_large_picture_is_cut_where_the_reader_wants(visit: Visit) -> None:
    rng = np.random.default_rng(1)
    picture = np.kron(rng.integers(0, 256, (35, 60, 3)), np.ones((10, 10, 1))).astype(np.uint8)
    page = visit("mode=photo&r=2", clock=False, viewport=WIDE)
    choose(page, file(picture))

    def expect(left: int, top: int) -> None:
        page.wait_for_selector(READY)
        words = f"200 × 200 of 350 × 600 pixels, from row {top} and column {left}."
        assert text(page, "#cut-words").startswith(words)
        part = picture[top : top + 200, left : left + 200]
        assert far(image(page, "bicubic"), upscale_bicubic(part, 2)) == 0

    expect(200, 75)
    assert far(image(page, "network"), enlarged(picture[75:275, 200:400], 2)) <= 1
    frame = page.locator(f"{VIEW} .frame")
    frame.focus()
    for key in ("ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    expect(250, 125)
    for _ in range(9):
        page.keyboard.press("ArrowLeft")
    expect(0, 125)
    box = page.locator(f"{VIEW} .whole").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 3)
    page.mouse.up()
    expect(400, 0)
    page.get_by_label("Shrink it first").check()
    page.wait_for_selector(READY)
    assert "350 × 400 of 350 × 600 pixels, from row 0 and column 200." in text(page, "#cut-words")
    choose(page, file(photograph(20, 20)))
    assert page.locator("#cut-words").is_hidden()


# Note the progress; in the middle of it, click what `window.next` names.
WATCH = """() => {
    const progress = document.querySelector("progress");
    window.seen = [];
    window.said = [];
    new MutationObserver(() => {
        window.seen.push(progress.value);
        if (!window.next || progress.value < 0.2 || progress.value > 0.8) return;
        window.said.push(document.querySelector('[data-is="done"]').textContent);
        document.querySelector(window.next).click();
        window.next = null;
    }).observe(progress, {attributes: true});
}"""
COUNT = """() => {
    window.born = 0;
    window.dead = 0;
    window.Worker = class extends Worker {
        constructor(url) { super(url); window.born++; }
        terminate() { super.terminate(); window.dead++; }
    };
}"""


def test_progress_and_a_new_choice_that_cancels(visit: Visit) -> None:
    page = visit("mode=photo&r=2", clock=False)
    page.wait_for_selector(READY)
    page.evaluate(COUNT)
    page.evaluate(WATCH)
    picture = photograph(200, 200)
    choose(page, file(picture))
    seen = page.evaluate("window.seen")
    assert len(seen) > 20
    assert seen[-1] == 1
    assert seen == sorted(seen)
    page.evaluate("() => { window.next = 'input[name=r][value=\"3\"]'; }")
    choose(page, file(picture), BUSY)
    page.wait_for_selector(READY)
    assert page.evaluate("window.said") == ["The network is at work."]
    assert far(image(page, "network"), enlarged(picture, 3)) <= 1
    page.wait_for_timeout(200)
    assert image(page, "network").shape == (600, 600, 3)
    born, dead = page.evaluate("[window.born, window.dead]")
    assert born == dead > 0


@pytest.mark.parametrize(
    "broken",
    [
        "() => { window.Worker = class { constructor() { throw new Error('not allowed'); } }; }",
        """() => {
            window.Worker = class {
                constructor() { setTimeout(() => this.onerror(new Event("error"))); }
                postMessage() {}
                terminate() {}
            };
        }""",
    ],
)
def test_without_workers(visit: Visit, broken: str) -> None:
    page = visit("mode=photo&r=2", clock=False)
    page.wait_for_selector(READY)
    page.evaluate(broken)
    choose(page, file(photograph(50, 70)))
    assert far(image(page, "network"), enlarged(photograph(50, 70), 2)) <= 1
    assert "allows no worker here" in text(page, '[data-is="done"]')


# --- the channels ---


def channels_of(page: Any, r: int) -> Array:
    """Read the tiles: (r*r, h, w)."""
    tiles = range(page.locator(f"{VIEW} .tile").count())
    assert len(tiles) == r * r
    return np.array([pixels(page, f'[data-tile="{k}"] canvas')[..., 0] for k in tiles])


@pytest.mark.parametrize("r", [2, 3, 4])
@pytest.mark.parametrize("order", ORDERS)
def test_the_channels_are_shuffled_as_the_library_does(visit: Visit, r: int, order: str) -> None:
    page = visit(f"mode=photo&r={r}&order={order}", viewport=WIDE)
    own = photograph(22, 34)
    choose(page, file(own))
    features = 255 * subpixel_channels(npespcn.pretrained(r), luma_of(own))[0]
    channels = channels_of(page, r)
    np.testing.assert_allclose(
        channels, np.clip((features - 16) * 255 / 219, 0, 255), rtol=0, atol=1
    )
    _, h, w = channels.shape
    player = page.locator(f"{VIEW} .player")
    press = lambda name: player.get_by_role("button", name=name, exact=True).click()  # noqa: E731
    assert np.array_equal(gray(page), shuffled(channels, r, order)[0])
    press("First")
    side_by_side = channels.reshape(r, r, h, w).transpose(0, 2, 1, 3).reshape(r * h, r * w)
    assert np.array_equal(gray(page), side_by_side)
    press("Next")
    assert text(page, f'{VIEW} [data-is="phase"]') == "the rows are in place"
    if order != "paper":
        rows = channels.reshape(r, r, h, w).transpose(2, 0, 1, 3).reshape(h * r, r * w)
        assert np.array_equal(gray(page), rows)
    press("Last")
    assert np.array_equal(gray(page), shuffled(channels, r, order)[0])
    if order == "paper":  # the photograph is spoiled in color, too
        assert far(image(page, "network"), enlarged(own, r)) > 20


def test_the_shuffle_plays(visit: Visit) -> None:
    page = visit("mode=photo&r=2", reduced_motion="no-preference")
    page.wait_for_selector(READY)
    slider = page.locator(f"{VIEW} .player input[type=range]")
    play = page.locator(f"{VIEW} .play")
    play.click()
    page.clock.run_for(1520)  # 30 positions of 50 ms
    assert slider.input_value() == "30"
    page.clock.run_for(9000)
    assert slider.input_value() == "120"
    play.click()
    page.locator("input[name=look][value=inside]").click()
    assert play.text_content() == "Play"  # nothing moves where nobody sees it


def test_silencing_channels(visit: Visit) -> None:
    page = visit("mode=photo&silent=7", viewport=WIDE)
    page.wait_for_selector(READY)
    full = enlarged(downscale(image(page, "original"), 3), 3)
    tile = lambda k: page.get_by_role("button", name=f"Channel {k}", exact=True)  # noqa: E731
    tile(4).click()
    tile(0).focus()
    page.keyboard.press(" ")

    def expect(silent: set[int]) -> None:
        places = np.arange(9).reshape(3, 3)
        is_silent = np.tile(np.isin(places, list(silent)), (88, 88))
        left = np.where(is_silent[..., None], 0, full)
        assert far(image(page, "network"), left) <= 1
        assert (gray(page)[is_silent] == 0).all()
        for k in range(9):
            assert tile(k).get_attribute("aria-pressed") == ("false" if k in silent else "true")
            assert tile(k).text_content() == f"{k}{'silent' if k in silent else 'on'}"

    expect({0, 4, 7})
    page.clock.run_for(300)
    assert page.url.endswith("#mode=photo&r=3&order=crd&silent=0,4,7")
    tile(4).click()
    expect({0, 7})
    page.get_by_role("button", name="All silent").click()
    expect(set(range(9)))
    assert text(page, "#pixel-words").endswith("It is silent.")
    page.get_by_role("button", name="All on").click()
    expect(set())


# --- left and right ---


def test_left_and_right(visit: Visit) -> None:
    page = visit("mode=photo", viewport=WIDE)
    page.wait_for_selector(READY)
    slider = page.get_by_label("How much of the left picture is shown")
    shown = lambda: page.evaluate(f"""() => {{
        const all = [...document.querySelectorAll('{VIEW} [data-image]')];
        const over = all.find(one => one.classList.contains("over"));
        return [over.dataset.image, all.find(one => one !== over && !one.hidden).dataset.image,
                getComputedStyle(over).clipPath];
    }}""")  # noqa: E731
    assert shown() == ["bicubic", "network", "inset(0px 50% 0px 0px)"]
    slider.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowRight"):
        page.keyboard.press(key)
    assert slider.get_attribute("aria-valuetext") == "52 % bicubic, the rest network"
    assert shown()[2] == "inset(0px 48% 0px 0px)"
    page.keyboard.press("Home")
    assert shown()[2] == "inset(0px 100% 0px 0px)"
    page.keyboard.press("End")
    box = page.locator(f"{VIEW} .stack").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 80)
    page.mouse.up()
    assert float(slider.input_value()) == pytest.approx(25, abs=1)
    page.get_by_label("network | original").click()
    assert shown()[:2] == ["network", "original"]
    assert text(page, f"{VIEW} .left") == "network"
    page.get_by_label("bicubic | original").click()
    assert shown()[:2] == ["bicubic", "original"]
    page.get_by_label("Shrink it first").uncheck()
    page.wait_for_selector(READY)
    assert shown()[:2] == ["bicubic", "network"]  # there is no original any more
    page.get_by_label("Shrink it first").check()


def test_a_pixel_by_pointer_keys_and_address(visit: Visit) -> None:
    page = visit("mode=photo&pixel=10,20&picture=chelsea", viewport=WIDE)
    page.wait_for_selector(READY)
    network = image(page, "network")

    def expect(row: int, col: int) -> None:
        k = row % 3 * 3 + col % 3
        words = f"Row {row}, column {col}: channel {k} of LR pixel ({row // 3}, {col // 3}). Luma "
        assert text(page, "#pixel-words").startswith(words)
        rgb = " ".join(map(str, network[row, col]))
        assert text(page, "#pixel-words").endswith(f", RGB {rgb}.")
        here = page.locator(f"{VIEW} .tile.here").get_attribute("data-tile")
        assert here == str(k)
        near = pixels(page, '[data-near="network"]')
        top, left = (min(max(at - 12, 0), 264 - 24) for at in (row, col))
        assert far(near, network[top : top + 24, left : left + 24]) == 0

    expect(10, 20)
    stack = page.locator(f"{VIEW} .stack")
    box = stack.bounding_box()
    at = lambda row, col: {  # noqa: E731
        "x": (col + 0.5) * box["width"] / 264,
        "y": (row + 0.5) * box["height"] / 264,
    }
    stack.hover(position=at(200, 30))
    expect(200, 30)
    page.mouse.move(5, 5)  # what is only pointed at does not stay
    expect(10, 20)
    stack.click(position=at(100, 30))
    page.mouse.move(5, 5)
    expect(100, 30)
    stack.focus()
    for key in ("ArrowDown", "ArrowLeft", "Shift+ArrowUp", "Shift+ArrowRight"):
        page.keyboard.press(key)
    expect(91, 39)
    page.clock.run_for(300)
    assert page.url.endswith("#mode=photo&r=3&order=crd&picture=chelsea&pixel=91,39")
    for _ in range(5):
        page.keyboard.press("Shift+ArrowLeft")
    expect(91, 0)


@pytest.mark.parametrize(
    "words", ["picture=own", "picture=constructor", "pixel=1", "unit=1,64", "unit=3,1", "unit=2"]
)
def test_an_address_that_means_nothing(visit: Visit, words: str) -> None:
    page = visit(f"mode=photo&{words}&inside=yes&silent=x")
    page.wait_for_selector(READY)
    page.locator("#theme").click()
    page.clock.run_for(300)
    assert page.url.partition("#")[2].startswith("mode=photo&r=3&order=crd&theme=")


# --- the numbers that made one pixel ---


def packed_network(r: int) -> Any:
    """Return the network with the weights that the page has."""
    content = zlib.decompress(base64.b64decode(data.library_data()["networks"][r]))
    filters = 64 + 32 + r * r
    scales, biases = np.frombuffer(content, "<f4", 2 * filters).reshape(2, filters)
    bytes_apart = np.frombuffer(content, np.uint8, offset=8 * filters)
    whole = bytes_apart.reshape(2, -1).T.copy().view("<i2")[:, 0]
    network = npespcn.pretrained(r)
    state, at, first = network.state_dict(), 0, 0
    for name in ("conv1", "conv2", "conv3"):
        weight = state[f"{name}.weight"]
        last = first + len(weight)
        ints = whole[at : at + weight.size].reshape(weight.shape)
        state[f"{name}.weight"] = ints * scales[first:last, None, None, None]
        np.testing.assert_array_equal(state[f"{name}.bias"], biases[first:last])
        at, first = at + weight.size, last
    assert at == len(whole)
    network.load_state_dict(state)
    return network


def numbers(page: Any, grid: str) -> tuple[Array, list[str]]:
    cells = page.evaluate(READ, f'{VIEW} [data-grid="{grid}"] .squares span')
    return np.array([float(cell["value"]) for cell in cells]), [cell["text"] for cell in cells]


def read_number(words: str) -> float:
    return float(words.replace("−", "-"))


@pytest.mark.parametrize("r", [2, 3, 4])
def test_the_numbers_that_made_a_pixel(visit: Visit, r: int) -> None:
    """Patch, weights, products, sums and value are those of the package's layers."""
    row, col = 40 * r + 1, 0  # at the edge, which repeats
    page = visit(f"mode=photo&r={r}&inside=1&pixel={row},{col}&picture=collins", viewport=WIDE)
    page.wait_for_selector(READY)
    luma = luma_of(downscale(image(page, "original"), r))
    network = packed_network(r)
    maps = [np.pad(luma, [(0, 0)] * 2 + [(4, 4)] * 2, mode="edge")]
    layers = list(network.layers.values())
    for conv, after in zip(layers[:5:2], layers[1:6:2], strict=True):
        y = conv.forward(maps[-1])
        maps.append(y if len(maps) > BOTH else after.forward(y))
    exact = subpixel_channels(npespcn.pretrained(r), luma)
    np.testing.assert_allclose(maps[3], exact, atol=0.8 / 255)
    channel = r  # row % r is 1, col % r is 0
    h, w = row // r, col // r
    for n, o in ((3, channel), (1, 17), (2, 5), (1, 63), (2, 31)):
        if n < 3:
            page.locator(f'[data-sheet="{n}"] [data-o="{o}"]').click()
        margin = {1: 2, 2: 1, 3: 0}[n]
        weight = network.params[f"conv{n}.weight"][o].astype(np.float64)
        bias = float(network.params[f"conv{n}.bias"][o])
        k = weight.shape[-1]
        top, left = h + margin, w + margin
        patch = maps[n - 1][0, :, top : top + k, left : left + k].astype(np.float64)
        value = float(maps[n][0, o, top, left])
        cell = page.locator(f'[data-sheet="{n}"] [data-o="{o}"]')
        assert cell.get_attribute("aria-pressed") == "true"
        shown = read_number(cell.get_attribute("aria-label").split()[2])
        assert shown == pytest.approx(value, abs=6e-5)
        assert page.locator(f'{VIEW} .map[aria-pressed="true"]').count() == 1

        total = page.locator(f"{VIEW} .total")
        made = {name: float(total.get_attribute(f"data-{name}")) for name in ("sum", "value")}
        (by_library,) = conv2d_forward(patch[None], weight[None], np.array([bias])).ravel()
        assert made["sum"] == pytest.approx(by_library, abs=2e-5)
        assert made["value"] == pytest.approx(value, abs=2e-5)
        squashed = np.tanh(made["sum"]) if n < 3 else made["sum"]
        assert made["value"] == pytest.approx(squashed, abs=1e-6)
        words = total.text_content()
        assert f"{abs(made['sum']):.4f}" in words
        ending = 255 * value if n == 3 else value
        assert re.search(r"= ([+−]?[\d.]+),", words), words
        said = read_number(re.findall(r"= ([+−]?[\d.]+),", words)[-1])
        assert said == pytest.approx(ending, abs=0.06 if n == 3 else 6e-5)

        sums = (patch * weight).sum(axis=(1, 2))
        parts = {}
        for button in page.locator(f"{VIEW} button.part").all():
            c, part = (button.get_attribute(f"data-{name}") for name in ("part", "value"))
            parts[int(c)] = float(part)
            assert f"{abs(float(part)):.4f}" in button.text_content()
        if n > 1:
            assert sorted(parts) == sorted(np.argsort(-abs(sums))[:8].tolist())
            others = page.locator(f"{VIEW} p.part")
            rest = float(others.get_attribute("data-value"))
            assert others.text_content().startswith(f"{len(sums) - 8} others")
            assert sum(parts.values()) + rest + bias == pytest.approx(made["sum"], abs=1e-9)
            page.locator(f"{VIEW} button.part").nth(3).click()  # another one
        c = int(page.locator(f"{VIEW} .product").get_attribute("data-c"))
        assert c == (list(parts)[3] if n > 1 else 0)
        for name, expected in (
            ("pixels", patch[c]),
            ("weights", weight[c]),
            ("products", patch[c] * weight[c]),
        ):
            values, texts = numbers(page, name)
            np.testing.assert_allclose(values, expected.ravel(), rtol=0, atol=2e-5)
            in_gray = n == 1 and name == "pixels"
            digits = [abs(read_number(word)) for word in texts]
            np.testing.assert_allclose(digits, abs(values), rtol=0, atol=5.1e-4)
            assert in_gray or [word[0] == "−" for word in texts] == (values < 0).tolist()
        line = page.locator(f"{VIEW} .sum")
        assert float(line.get_attribute("data-value")) == pytest.approx(sums[c], abs=2e-5)


def test_maps_are_drawn_in_two_colors(visit: Visit) -> None:
    """Light and orange above zero, dark and blue below."""
    page = visit("mode=photo&inside=1", viewport=WIDE)
    page.wait_for_selector(READY)
    luma = luma_of(downscale(image(page, "original"), 3))
    params = npespcn.pretrained(3).params
    padded = np.pad(luma, [(0, 0)] * 2 + [(2, 2)] * 2, mode="edge")
    first = np.tanh(conv2d_forward(padded, params["conv1.weight"], params["conv1.bias"]))
    sheets = page.locator(f"{VIEW} .sheet")
    assert [sheets.nth(n).locator(".map").count() for n in range(3)] == [64, 32, 9]
    for o in (0, 21, 40):
        drawn = pixels(page, f'[data-sheet="1"] [data-o="{o}"] canvas').astype(int)
        value = first[0, o]
        red = np.where(value < 0, 128 + 115 * value, 128 + 127 * value)
        blue = np.where(value < 0, 128 + 18 * value, 128 + 25 * value)
        assert far(drawn[..., 0], np.rint(red)) <= 2
        assert far(drawn[..., 2], np.rint(blue)) <= 2


def test_a_map_of_the_third_layer_is_another_channel(visit: Visit) -> None:
    page = visit("mode=photo&inside=1&pixel=12,15&unit=2,5", viewport=WIDE)
    page.wait_for_selector(READY)
    heading = f"{VIEW} .numbers h2"
    assert text(page, heading) == "Layer 2, map 5, LR pixel (4, 5)"
    page.locator('[data-sheet="3"] [data-o="5"]').click()
    assert text(page, heading) == "Channel 5, LR pixel (4, 5)"
    assert text(page, "#pixel-words").startswith("Row 13, column 17: channel 5")
    page.locator('[data-sheet="1"] [data-o="3"]').focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert text(page, heading) == "Layer 1, map 4, LR pixel (4, 5)"
    page.clock.run_for(300)
    assert page.url.endswith("&inside=1&pixel=13,17&unit=1,4")
    stack = page.locator(f"{VIEW} .stack")
    box = stack.bounding_box()
    sides = (
        page.locator(f"{VIEW} .field").bounding_box(),
        page.locator(f"{VIEW} .spot").bounding_box(),
    )
    pixel = box["width"] / 88
    assert [side["width"] / pixel for side in sides] == pytest.approx([5, 1], abs=0.05)
    assert (sides[0]["x"] - box["x"]) / pixel == pytest.approx(3, abs=0.05)
    stack.hover(position={"x": 30.5 * pixel, "y": 20.5 * pixel})
    assert text(page, heading) == "Layer 1, map 4, LR pixel (20, 30)"


def test_colors_of_the_channels(visit: Visit) -> None:
    page = visit("mode=photo&r=4&order=paper")
    page.wait_for_selector(READY)
    strips = page.evaluate(READ, f"{VIEW} .tile .strip")
    assert [color(strip["fill"]) for strip in strips] == channel_colors(4)  # whatever is chosen


def test_in_chinese_on_a_phone(visit: Visit) -> None:
    page = visit("mode=photo&lang=zh&inside=1", viewport=NARROW, has_touch=True)
    page.wait_for_selector(READY)
    assert "88 × 88" in text(page, '[data-is="done"]')
    words = page.locator(VIEW).inner_text()
    allowed = r"LR|CRD|DCR|RGB|dB|tanh|NASA|CC0|Matplotlib|scikit-image|luma|Stéfan van der Walt"
    allowed += r"|Chelsea|Grace Hopper|Eileen Collins|Shift|bicubic|C|s|x|y|pixel shuffle|n"
    left = set(re.findall(r"[A-Za-z][A-Za-zé]*", re.sub(allowed, "", words)))
    assert left == set()
    image_before = image(page, "network")
    page.locator("#language").tap()
    assert text(page, f"{VIEW} .numbers h2").startswith("Channel")
    assert far(image(page, "network"), image_before) == 0
    page.locator(f"{VIEW} .stack").tap(position={"x": 30, "y": 40})
    assert text(page, "#pixel-words").startswith("Row 29, column 22")
