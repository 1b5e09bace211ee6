"""A step downhill: the valley is lesson 6's, and every path is that of npespcn.optim."""

from __future__ import annotations

import functools
import json
import re
from importlib import resources
from typing import Any

import numpy as np
import pytest
from browser.reading import NARROW, WIDE, Visit, text
from matplotlib import cbook

from npespcn import explorer
from npespcn.common import Array
from npespcn.explorer.data import library_data
from npespcn.optim import SGD, SOAP, Adam
from npespcn.pictures import read_image

VIEW = '[data-view="downhill"]'
START = (-1.0, 1.2)
RATES = {"sgd": 2.7, "momentum": 1.2, "adam": 0.1, "soap": 0.1}  # of lesson 6


@functools.cache
def examples() -> tuple[Array, Array, Array]:
    """Return left, middle and right pixels, as lesson 6 makes them."""
    photograph = read_image(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    gray = photograph[:600, :510][::12].mean(axis=2) / 255
    return gray[:, :-2].ravel(), gray[:, 1:-1].ravel(), gray[:, 2:].ravel()


def loss(w: Array) -> float:
    left, middle, right = examples()
    return float(((w[0] * left + w[1] * right - middle) ** 2).mean())


def gradient(w: Array) -> Array:
    left, middle, right = examples()
    dy = 2 * (w[0] * left + w[1] * right - middle)
    return np.array([(dy * left).mean(), (dy * right).mean()])


@functools.cache
def valley() -> tuple[Array, Array, Array]:
    """Return the matrix and the vector of the gradient, and the lowest point."""
    zero = gradient(np.zeros(2))
    matrix = np.stack([gradient(one) - zero for one in np.eye(2)], axis=1)
    return matrix, zero, np.linalg.solve(matrix, -zero)


class TwoWeights:
    def __init__(self, start: Array) -> None:
        self.params, self.grads = {"w": start}, {}


@functools.cache
def walked(name: str, rate: float, start: tuple[float, float], steps: int) -> Array:
    """Walk by the package's optimizers: (steps + 1, 2)."""
    matrix, zero, _ = valley()
    model = TwoWeights(np.array(start).reshape(2, 1))
    optimizer = {
        "sgd": lambda: SGD(model, rate),
        "momentum": lambda: SGD(model, rate, momentum=0.8),
        "adam": lambda: Adam(model, rate),
        "soap": lambda: SOAP(model, rate, betas=(0.9, 0.999), refresh=1),
    }[name]()
    path = []
    for _ in range(steps + 1 + (name == "soap")):  # SOAP's first call only looks
        path.append(model.params["w"].ravel().copy())
        model.grads["w"] = matrix @ model.params["w"] + zero[:, None]
        optimizer.step()
    return np.array(path[-steps - 1 :])


def link(**words: Any) -> str:
    return "&".join(["mode=downhill", *(f"{key}={value}" for key, value in words.items())])


def number(words: str) -> float:
    powers = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
    mantissa, _, power = words.replace("−", "-").partition("·10")
    return float(mantissa) * 10.0 ** int(power.translate(powers) or 0)


def points(page: Any, selector: str) -> Array:
    """Read the points of a line as it is drawn: (points, 2)."""
    d = page.locator(f"{VIEW} {selector}").first.get_attribute("d")
    return np.array([[float(part) for part in pair.split(",")] for pair in d[1:].split("L")])


def on_map(path: Array) -> Array:
    return np.stack([(path[:, 0] + 1.35) * 100, (2.35 - path[:, 1]) * 100], axis=1)


def start(page: Any) -> str:
    return page.locator(f"{VIEW} .handle").get_attribute("aria-valuetext")


def verdict(page: Any) -> str:
    return text(page, f"{VIEW} .verdict")


def test_the_valley_is_that_of_lesson_6() -> None:
    a, b, c = (np.array(library_data()["valley"][name]) for name in "abc")
    for w in np.random.default_rng(0).normal(size=(20, 2)):
        assert w @ a @ w - 2 * b @ w + c == pytest.approx(loss(w), abs=1e-12)
        assert np.allclose(2 * (a @ w - b), gradient(w))
    assert np.round(valley()[2], 2).tolist() == [0.5, 0.5]


CASES = [
    *((name, rate, START) for name, rate in RATES.items()),
    *((name, 0.03, (1.35, -0.35)) for name in RATES),
    *((name, rate, (0.31, 2.2)) for name, rate in zip(RATES, (2.9, 5.3, 1.7, 0.6), strict=True)),
    *((name, 7.0, (-0.2, 0.0)) for name in RATES),
    ("soap", 0.5, (-0.35, 1.35)),  # the first gradient points along: the directions change places
]


def test_the_paths_are_those_of_the_package_to_a_millionth(visit: Visit) -> None:
    """The page's own script, with all its digits."""
    source = resources.files(explorer).joinpath("downhill", "walk.js").read_text("utf-8")
    page = visit("mode=downhill")
    data = json.dumps({"valley": library_data()["valley"]})
    for name, rate, begin in CASES:
        call = f'walkDown("{name}", {rate}, {list(begin)}, 100)'
        path = page.evaluate(f"(() => {{ const DATA = {data}; {source}; return {call}; }})()")
        expected = walked(name, rate, begin, 100)
        assert np.allclose([one["w"] for one in path], expected, rtol=1e-6, atol=1e-6)
        _, _, bottom = valley()
        for one, w in zip(path[:40], expected, strict=False):
            assert one["loss"] == pytest.approx(loss(w) - loss(bottom), rel=1e-6, abs=1e-12)
            assert np.allclose(one["g"], gradient(w), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("name", "rate", "begin"), CASES[:12])
def test_what_is_drawn_is_the_path(
    visit: Visit, name: str, rate: float, begin: tuple[float, float]
) -> None:
    words = {"optimizer": name, "rate": rate, "from": f"{begin[0]},{begin[1]}", "taken": 5}
    page = visit(link(**words))
    path = walked(name, rate, begin, 40)
    assert np.allclose(points(page, ".land .all"), on_map(path), atol=0.006)
    assert np.allclose(points(page, ".land .walked"), on_map(path[:6]), atol=0.006)
    dots = page.locator(f"{VIEW} .land .dots").first.get_attribute("d")
    assert dots.count("h0") == 41
    here = page.locator(f"{VIEW} .land .current").get_attribute("transform")
    assert np.allclose(eval(here.removeprefix("translate")), on_map(path[5:6]), atol=0.006)  # noqa: S307
    above = [loss(w) - loss(valley()[2]) for w in path]
    curve = points(page, ".losses .all")
    assert np.allclose(curve[:, 0], np.linspace(0, 220, 41), atol=0.006)
    assert np.allclose(curve[:, 1], 15 - 15 * np.log10(above), atol=0.02)
    last = re.search(r"steps the loss is (\S+) above", verdict(page))[1]
    assert number(last) == pytest.approx(above[-1], rel=1e-3)
    said = page.locator(f"{VIEW} .losses").get_attribute("aria-label")
    assert number(re.search(r"5 steps it is (\S+)\.", said)[1]) == pytest.approx(above[5], rel=1e-3)
    against = points(page, ".land .arrow")
    g = gradient(path[5])
    tip = path[5] - g / max(1, np.linalg.norm(g))
    assert np.allclose(against, on_map(np.stack([path[5], tip])), atol=0.02)


@pytest.mark.parametrize("name", RATES)
def test_a_step_is_written_out(visit: Visit, name: str) -> None:
    path = walked(name, RATES[name], START, 40)
    for taken in (0, 1, 7, 39, 40):
        page = visit(link(optimizer=name, taken=taken))
        at = min(taken, 39)
        assert text(page, f"{VIEW} .numbers h2 >> nth=0") == f"Step {at + 1}"
        lines = page.locator(f"{VIEW} dd").all_text_contents()
        assert len(lines) == {"sgd": 2, "momentum": 4, "adam": 2, "soap": 4}[name]
        for line in lines:
            left, right = line.split(" = ")
            powers = re.sub(r"·10([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)", lambda m: f"*{number('1·10' + m[1])}", left)
            value = eval(powers.replace("−", "-").replace("·", "*"))  # noqa: S307
            assert value == pytest.approx(number(right), rel=2e-3, abs=2e-3)
        results = [number(line.split(" = ")[1]) for line in lines]
        assert np.allclose(results[-2:], path[at + 1], rtol=1e-3, atol=1e-4)
        begins = [number(line.split(" − ")[0]) for line in lines[-2:]]
        assert np.allclose(begins, path[at], rtol=1e-3, atol=1e-4)
        if name in ("sgd", "momentum"):
            factors = [line.split("·", 1)[1].split(" = ")[0].strip("()") for line in lines[-2:]]
            moved = (path[at] - path[at + 1]) / RATES[name]
            assert np.allclose([number(one) for one in factors], moved, rtol=1e-3, atol=1e-3)


def test_the_bounds_are_those_of_the_curvature(visit: Visit) -> None:
    steep, flat = np.linalg.eigvalsh(valley()[0])[::-1]
    page = visit(link())
    bounds = re.findall(r"[\d.]+\d", text(page, f"{VIEW} .bounds"))
    assert bounds[0] == f"{1 / steep:.2f}"
    assert bounds[-1] == f"{2 / steep:.2f}"
    slider = page.locator("#rate").bounding_box()
    for name, bound in (("jumps", 1 / steep), ("diverges", 2 / steep)):
        at = page.locator(f"{VIEW} .{name}").evaluate("one => one.style.getPropertyValue('--at')")
        assert float(at) == pytest.approx((np.log10(bound) + 2) / 3)
        box = page.locator(f"{VIEW} .{name}").bounding_box()
        edge = box["x"] + (box["width"] if name == "jumps" else 0)
        assert edge == pytest.approx(slider["x"] + 8 + (slider["width"] - 16) * float(at), abs=2)
    for rate in (0.5, 2.0, 2.9, 3.0, 4.0):
        page = visit(link(rate=rate))
        wide, long = (round(1 - rate * curvature, 2) for curvature in (steep, flat))
        assert f"across the valley by {wide:g}, along it by {long:g}".replace("-", "−") in verdict(
            page
        )
        assert ("diverges" in verdict(page)) == (rate * steep > 2)
    for rate in (5.3, 5.4):  # lr * curvature < 2 (1 + momentum)
        page = visit(link(optimizer="momentum", rate=rate))
        assert ("diverges" in verdict(page)) == (rate * steep > 3.6)
    assert "higher than at the start" in verdict(visit(link(optimizer="adam", rate=10)))
    for name in RATES:
        assert "higher" not in verdict(visit(link(optimizer=name)))


def test_the_start_can_be_dragged(visit: Visit) -> None:
    page = visit(link(), viewport=WIDE)
    assert start(page) == "left −1, right 1.2"
    box = page.locator(f"{VIEW} .ground").bounding_box()
    at = lambda x, y: (  # noqa: E731
        box["x"] + (x + 1.35) / 2.7 * box["width"],
        box["y"] + (2.35 - y) / 2.7 * box["height"],
    )
    page.mouse.move(*at(-1, 1.2))
    page.mouse.down()
    page.mouse.move(*at(0.2, 0.5), steps=5)
    assert start(page) == "left 0.2, right 0.5"
    page.mouse.move(*at(0.8, 2), steps=5)
    page.mouse.up()
    page.mouse.move(*at(-1, -0.2), steps=5)  # let go
    assert start(page) == "left 0.8, right 2"
    expected = walked("sgd", 2.7, (0.8, 2.0), 40)
    assert np.allclose(points(page, ".land .all"), on_map(expected), atol=0.006)
    page.mouse.click(*at(-0.5, 0))
    assert start(page) == "left −0.5, right 0"
    page.mouse.move(*at(-0.5, 0))
    page.mouse.down()
    page.mouse.move(box["x"] - 300, box["y"] - 60)  # it stays on the map
    page.mouse.up()
    assert start(page) == "left −1.35, right 2.35"
    page.clock.run_for(300)
    assert page.url.endswith("optimizer=sgd&steps=40&from=-1.35,2.35")


def test_a_finger_taps_or_drags(visit: Visit) -> None:
    page = visit(link(), viewport=NARROW, has_touch=True, is_mobile=True)
    ground = page.locator(f"{VIEW} .ground")
    ground.scroll_into_view_if_needed()
    size = ground.bounding_box()["width"]
    page.touchscreen.tap(
        ground.bounding_box()["x"] + size / 2, ground.bounding_box()["y"] + size / 2
    )
    assert start(page) == "left 0, right 1"
    assert page.locator(f"{VIEW} .grip").bounding_box()["width"] >= 24
    box = ground.bounding_box()
    session = page.context.new_cdp_session(page)
    for kind, x, y in (
        ("Start", 0.5, 0.5),
        ("Move", 0.6, 0.4),
        ("Move", 0.75, 0.25),
        ("End", 0, 0),
    ):
        spot = {"x": box["x"] + x * size, "y": box["y"] + y * size}
        touches = [] if kind == "End" else [spot]
        session.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": touches})
    page.wait_for_timeout(100)
    left, right = (number(part.split()[1]) for part in start(page).split(", "))
    assert (left, right) == pytest.approx((0.675, 1.675), abs=0.02)


def test_the_keyboard_moves_the_start_and_the_rate(visit: Visit) -> None:
    page = visit(link())
    handle = page.locator(f"{VIEW} .handle")
    handle.focus()
    for key, expected in (
        *(("ArrowRight", "left −0.95, right 1.2"), ("ArrowUp", "left −0.95, right 1.25")),
        *(("Shift+ArrowLeft", "left −0.96, right 1.25"), ("ArrowDown", "left −0.96, right 1.2")),
    ):
        page.keyboard.press(key)
        assert start(page) == expected
    assert handle.get_attribute("aria-valuenow") == "-0.96"
    page.locator("#rate").focus()
    before = float(text(page, f"{VIEW} .rate output"))
    page.keyboard.press("ArrowRight")
    after = float(text(page, f"{VIEW} .rate output"))
    assert before < after < 1.2 * before
    assert page.locator("#rate").get_attribute("aria-valuetext") == f"{after:g}"
    expected = walked("sgd", after, (-0.96, 1.2), 40)
    assert np.allclose(points(page, ".land .all"), on_map(expected), atol=0.006)
    page.keyboard.press("Home")
    assert text(page, f"{VIEW} .rate output") == "0.01"
    page.keyboard.press("End")
    assert text(page, f"{VIEW} .rate output") == "10"


def test_playing_takes_one_step_after_the_other(visit: Visit) -> None:
    page = visit(link(optimizer="soap"))
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(300 * 7 + 100)
    assert text(page, f"{VIEW} .player output") == "7 of 40 steps"
    path = walked("soap", 0.1, START, 40)
    assert np.allclose(points(page, ".land .walked"), on_map(path[:8]), atol=0.006)
    page.locator("label:has([value='100'])").click()
    assert text(page, f"{VIEW} .player output") == "7 of 100 steps"
    page.get_by_role("button", name="Last").click()
    assert len(points(page, ".land .walked")) == 101
    page.locator("label:has([name=steps][value='40'])").click()
    assert text(page, f"{VIEW} .player output") == "40 of 40 steps"
    page.locator("label:has([value=momentum])").click()
    assert text(page, f"{VIEW} .rate output") == "1.2"  # each optimizer has a rate of its own


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", "optimizer=sgd&steps=40&from=-1,1.2"),
        (
            "optimizer=adam&rate=0.3&steps=100&from=1,0.05&taken=77",
            "optimizer=adam&rate=0.3&steps=100&from=1,0.05&taken=77",
        ),
        (
            "optimizer=toString&rate=0&steps=7&from=5,0&taken=41",
            "optimizer=sgd&steps=40&from=-1,1.2",
        ),
        ("rate=x&from=1&taken=-1", "optimizer=sgd&steps=40&from=-1,1.2"),
        ("rate=99&from=,0&steps=", "optimizer=sgd&steps=40&from=-1,1.2"),
    ],
)
def test_links(visit: Visit, words: str, expected: str) -> None:
    page = visit(f"mode=downhill&{words}")
    page.locator("#theme").click()
    page.clock.run_for(300)
    assert page.url.partition("#")[2] == f"mode=downhill&{expected}&theme=dark"


def test_it_speaks_chinese(visit: Visit) -> None:
    page = visit(link(rate=3.1, lang="zh"))
    for selector in (".verdict", ".bounds", ".player output", ".numbers h2 >> nth=0"):
        assert re.search("[\u4e00-\u9fff]", text(page, f"{VIEW} {selector}"))
    assert "发散" in verdict(page)
    assert start(page) == "左 −1，右 1.2"
