"""``npespcn explain``: figures, pages, and the channels of a trained network."""

import os
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from command_lines import last_line
from PIL import Image

from npespcn import explorer, figures, save
from npespcn.commands import main as cli
from npespcn.data.dead_leaves import dead_leaves_pictures
from npespcn.models import ESPCN
from npespcn.pictures.files import write_image


@pytest.fixture
def blank_curves(monkeypatch):
    """Do without drawing, which takes longer than a short training."""
    monkeypatch.setattr(figures, "save", lambda figure, path: Path(path).touch())


NAMES = ("scale", "channels", "order")


def test_explain_draws_what_it_is_asked_for(tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(figures, "save", lambda figure, path: asked.append((path, *figure)))
    monkeypatch.setattr(figures, "explain_figure", lambda *how: how)
    monkeypatch.setattr(figures, "explain_gif", lambda path, *how: asked.append((path, *how)))
    principles = product((2, 3, 4), (1, 3), ("CRD", "DCR", "paper"))
    for principle, suffix in product(principles, [".png", ".gif", ".PNG"]):
        out = tmp_path / f"picture{suffix}"
        flags = [f"--{name}={value}" for name, value in zip(NAMES, principle, strict=True)]
        assert cli.main(["explain", *flags, "-o", str(out)]) == 0, flags
        assert asked.pop() == (out, *principle), flags
        assert capsys.readouterr().out == f"{out}\n", flags


def test_explain_writes_pictures(tmp_path):
    for name in ("a.png", "b.gif"):
        path = tmp_path / name
        assert cli.main(["explain", "--scale", "2", "--channels", "3", "-o", str(path)]) == 0
        with Image.open(path) as image:
            assert image.format == path.suffix[1:].upper()
            assert image.size[0] >= 1000, name
            assert (getattr(image, "n_frames", 1) > 12) == (name == "b.gif")
    assert sorted(os.listdir(tmp_path)) == ["a.png", "b.gif"]


def test_explain_writes_a_page_to_explore(tmp_path, capsys):
    for name in ("page.html", "page.HTML"):
        path = tmp_path / name
        flags = ["--scale", "4", "--channels", "3", "--order", "paper"]
        assert cli.main(["explain", *flags, "-o", str(path)]) == 0, name
        assert path.read_text("utf-8") == explorer.page(4, 3, "paper"), name
        assert capsys.readouterr().out == f"{path}\n", name


def test_explain_has_names_of_its_own(tmp_path, monkeypatch, blank_curves):
    monkeypatch.chdir(tmp_path)
    save(ESPCN(2), "network.npz")
    assert cli.main(["explain"]) == 0
    assert cli.main(["explain", "--weights", "network.npz"]) == 0
    assert sorted(os.listdir()) == ["channels.png", "explain.png", "network.npz"]


def test_explain_shows_the_channels_of_a_network(tmp_path, monkeypatch):
    drawn, channel_maps = [], figures.channel_maps

    def recorded(features, image):
        drawn.append((features, image))
        return channel_maps(features, image)

    monkeypatch.setattr(figures, "channel_maps", recorded)
    monkeypatch.setattr(figures, "save", lambda figure, path: figure.canvas.draw())
    write_image(tmp_path / "picture.png", dead_leaves_pictures(1, 40)[0][:30])
    files = ["--weights", str(tmp_path / "network.npz"), "--image", str(tmp_path / "picture.png")]
    for options in (
        {"scale": 2, "padding": "edge"},
        {"scale": 3, "channels": 3, "padding": "same"},
        {"scale": 4, "padding": "valid", "tail": True, "output": "sigmoid"},
        {"scale": 1},
    ):
        model = ESPCN(**options)
        save(model, tmp_path / "network.npz")
        assert cli.main(["explain", *files, "-o", str(tmp_path / "out.png")]) == 0, options
        features, image = drawn.pop()
        c, r, lost = model.options["channels"], model.scale, 8 * (model.padding == "valid")
        assert features.shape == (c * r * r, 30 - lost, 40 - lost), options
        assert image.shape == (c, (30 - lost) * r, (40 - lost) * r), options
        if not (model.options["tail"] or model.options["output"]):
            for k in range(r * r):  # of the first color
                subpixels = image[0, k // r :: r, k % r :: r]
                np.testing.assert_allclose(subpixels, features[k], atol=1e-5, err_msg=str(options))


def test_explain_takes_the_middle_of_a_large_picture(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(figures, "save", lambda figure, path: None)
    monkeypatch.setattr(figures, "channel_maps", lambda *how: drawn.append(how))
    model = ESPCN(2)
    save(model, tmp_path / "network.npz")
    picture = np.zeros((500, 100, 3), np.uint8)
    picture[58:442] = 255
    write_image(tmp_path / "picture.png", picture)
    files = ["--weights", str(tmp_path / "network.npz"), "--image", str(tmp_path / "picture.png")]
    assert cli.main(["explain", *files]) == 0
    white = np.full((1, 1, 384, 100), 235 / 255, np.float32)
    np.testing.assert_allclose(drawn[0][1], model.predict(white)[0], atol=1e-5)


def test_explain_fails_in_one_line(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(ESPCN(2), "good.npz")
    Path("cut.npz").write_bytes(Path("good.npz").read_bytes()[:500])
    Path("notes.txt").write_text("no picture")
    Image.new("L", (3, 3)).save("tiny.png")
    save(ESPCN(2, padding="valid"), "valid.npz")
    for words, expected in {
        "--weights absent.npz": "No such file or directory: 'absent.npz'",
        "--weights cut.npz": "cut.npz: not a readable .npz file",
        "--weights notes.txt": "notes.txt: not a readable .npz file",
        "--weights .": "Is a directory",
        "--weights good.npz --image absent.png": "absent.png",
        "--weights good.npz --image notes.txt": "notes.txt: cannot be read as an image",
        "--weights valid.npz --image tiny.png": "kernel does not fit",
        "-o absent/picture.png": "No such file or directory: 'absent/picture.png'",
        "-o absent/picture.gif": "No such file or directory: 'absent/picture.gif'",
        "--weights good.npz -o notes.txt/picture.png": "Not a directory",
        "-o absent/page.html": "No such file or directory: 'absent/page.html'",
        "--weights good.npz -o page.html": "--weights draws an image",
    }.items():
        assert cli.main(["explain", *words.split()]) == 1
        assert expected in last_line(capsys, "explain"), words
    assert sorted(os.listdir()) == ["cut.npz", "good.npz", "notes.txt", "tiny.png", "valid.npz"]
