"""The photograph: the channels of a network, shuffled."""

from __future__ import annotations

import base64
import re
from typing import Any

import numpy as np
import pytest
from browser.reading import (
    READ,
    WIDE,
    Visit,
    color,
    on_screen,
    shuffled,
    text,
)

from npespcn.common import Array
from npespcn.explorer import data
from npespcn.explorer.data import PHOTO_SCALE
from npespcn.figures import channel_colors
from npespcn.shuffle import ORDERS

PHOTO_R = PHOTO_SCALE

# The middle of each pixel of the image that the canvas shows enlarged.
CANVAS = """() => {
    const canvas = document.querySelector('[data-view="photo"] .frame canvas');
    const copy = document.createElement("canvas");
    Object.assign(copy, {width: canvas.width, height: canvas.height});
    const context = copy.getContext("2d", {willReadFrequently: true});
    context.drawImage(canvas, 0, 0);
    const {data} = context.getImageData(0, 0, canvas.width, canvas.height);
    const gray = [];
    for (let y = 1; y < canvas.height; y += 3) {
        for (let x = 1; x < canvas.width; x += 3) {
            const at = 4 * (y * canvas.width + x);
            const equal = data[at] === data[at + 1] && data[at] === data[at + 2];
            if (!equal || data[at + 3] !== 255) throw new Error("not gray");
            gray.push(data[at]);
        }
    }
    return {gray, width: canvas.width / 3};
}"""


@pytest.fixture(scope="module")
def channels() -> Array:
    """The nine channels, (9, h, w), as the library gives them to the page."""
    photo = data._photo()
    pixels = np.frombuffer(base64.b64decode(photo["channels"]), np.uint8)
    return pixels.reshape(PHOTO_R**2, photo["h"], photo["w"])


def picture(page: Any) -> Array:
    read = page.evaluate(CANVAS)
    return np.array(read["gray"]).reshape(-1, int(read["width"]))


def photo_player(page: Any, name: str) -> None:
    player = page.locator('[data-view="photo"] .player')
    player.get_by_role("button", name=name, exact=True).click()


@pytest.mark.parametrize("order", ORDERS)
def test_the_photograph_is_shuffled_as_the_library_does(
    visit: Visit, channels: Array, order: str
) -> None:
    page = visit(f"mode=photo&order={order}", viewport=WIDE)
    r = PHOTO_R
    _, h, w = channels.shape
    assert np.array_equal(picture(page), shuffled(channels, r, order)[0])
    photo_player(page, "First")
    side_by_side = channels.reshape(r, r, h, w).transpose(0, 2, 1, 3).reshape(r * h, r * w)
    assert np.array_equal(picture(page), side_by_side)
    photo_player(page, "Next")  # the rows are in place, and the columns still side by side
    if order != "paper":
        rows = channels.reshape(r, r, h, w).transpose(2, 0, 1, 3).reshape(h * r, r * w)
        assert np.array_equal(picture(page), rows)
    photo_player(page, "Next")
    assert np.array_equal(picture(page), shuffled(channels, r, order)[0])
    photo_player(page, "Next")
    photo_player(page, "Back")
    assert text(page, '[data-is="phase"]') == "the rows are in place"


def test_the_photograph_plays(visit: Visit, channels: Array) -> None:
    page = visit("mode=photo", reduced_motion="no-preference")
    slider = page.locator('[data-view="photo"] input[type=range]')
    photo_player(page, "Play")
    page.clock.run_for(1520)  # 30 positions of 50 ms
    assert slider.input_value() == "30"
    page.clock.run_for(9000)
    assert slider.input_value() == "120"
    assert np.array_equal(picture(page), shuffled(channels, PHOTO_R, "CRD")[0])
    still = visit("mode=photo")
    slider = still.locator('[data-view="photo"] input[type=range]')
    photo_player(still, "Play")
    for expected in ("0", "60", "120"):  # two still pictures instead of a film
        assert slider.input_value() == expected
        still.clock.run_for(3010)


def test_silencing_channels(visit: Visit, channels: Array) -> None:
    page = visit("mode=photo&silent=7", viewport=WIDE)
    tile = lambda k: page.get_by_role("button", name=f"Channel {k}", exact=True)  # noqa: E731
    tile(4).click()
    tile(0).focus()
    page.keyboard.press(" ")

    def expect(silent: set[int]) -> None:
        left = channels.copy()
        left[list(silent)] = 0
        assert np.array_equal(picture(page), shuffled(left, PHOTO_R, "CRD")[0])
        for k in range(9):
            assert tile(k).get_attribute("aria-pressed") == ("false" if k in silent else "true")
            assert tile(k).text_content() == f"{k}{'silent' if k in silent else 'on'}"

    expect({0, 4, 7})
    page.clock.run_for(300)
    assert page.url.endswith("#mode=photo&order=crd&silent=0,4,7")
    tile(4).click()
    expect({0, 7})
    page.get_by_role("button", name="All silent").click()
    expect(set(range(9)))
    page.get_by_role("button", name="All on").click()
    expect(set())


@pytest.mark.parametrize("order", ORDERS)
def test_the_lens_shows_channels_and_values(visit: Visit, channels: Array, order: str) -> None:
    page = visit(f"mode=photo&order={order}&silent=2", viewport=WIDE)
    canvas = page.locator(".frame canvas")
    box = canvas.bounding_box()
    h, w = channels.shape[1:]
    canvas.hover(position={"x": box["width"] * 20.5 / w, "y": box["height"] * 10.5 / h})
    left = channels.copy()
    left[2] = 0
    image = shuffled(left, PHOTO_R, order)[0]
    numbers = np.broadcast_to(np.arange(9)[:, None, None], channels.shape)
    channel_of = shuffled(numbers, PHOTO_R, order)[0]
    colors = channel_colors(PHOTO_R)  # the network's channels are CRD, whatever is chosen
    strips = page.evaluate(READ, ".tile .strip")
    assert [color(strip["fill"]) for strip in strips] == colors

    def expect(at: tuple[int, int]) -> None:
        assert text(page, "#lens-words") == f"around LR pixel ({at[0]}, {at[1]})"
        cells = page.evaluate(READ, ".lens span")
        top, first = (3 * (n - 1) for n in at)
        piece = (slice(top, top + 9), slice(first, first + 9))
        cells = on_screen(cells, (9, 9))
        shown = np.array([int(cell["text"]) for cell in cells]).reshape(9, 9)
        assert shown.tolist() == channel_of[piece].tolist()
        grays = np.array([int(re.findall(r"\d+", cell["fill"])[0]) for cell in cells])
        assert grays.tolist() == image[piece].ravel().tolist()
        badges = page.evaluate(READ, ".lens b")
        assert [color(badge["fill"]) for badge in badges] == [colors[k] for k in shown.ravel()]

    expect((10, 20))
    canvas.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowLeft"):
        page.keyboard.press(key)
    expect((12, 19))
    canvas.hover(position={"x": 1, "y": 1})  # a lens does not leave the image
    expect((1, 1))
