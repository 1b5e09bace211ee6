"""What all commands share: help, wrong usage, warnings, one line for a mistake."""

import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from npespcn import __version__
from npespcn.commands import main as cli

# --- words ---------------------------------------------------------------------------------------


def test_help_names_the_commands(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == 0
    assert re.search(r"train +train a network.*explain +draw", capsys.readouterr().out, re.DOTALL)


def test_help_explains_every_flag_and_its_default(capsys):
    (commands,) = (a.choices for a in cli._parser()._actions if a.dest == "command")
    for command, parser in commands.items():
        with pytest.raises(SystemExit) as caught:
            cli.main([command, "--help"])
        assert caught.value.code == 0, command
        text = capsys.readouterr().out
        for action in parser._actions:
            assert action.help, (command, action.dest)
            assert all(flag in text for flag in action.option_strings), (command, action.dest)
        options = text.partition("options:")[2]
        assert "None" not in options, command
        assert "False" not in options, command
        defaults = [a for a in parser._actions if a.default not in (None, False, "==SUPPRESS==")]
        for action in defaults:
            if action.option_strings:
                assert re.search(rf"\(default:\s+{action.default}\)", options), action.dest


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"npespcn {__version__}\n"


def test_python_dash_m_runs_it():
    done = subprocess.run(
        [sys.executable, "-m", "npespcn", "--version"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        check=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == (f"npespcn {__version__}\n", "")


def test_wrong_words_are_wrong_usage(capsys):
    for words in [
        *([], ["paint"], ["train", "photos"], ["train", "--color"], ["train", "--data"]),
        *(["explain", "--scale", "5"], ["explain", "--channels", "2"], ["explain", "--order", "x"]),
        *(["explain", "-o", "picture.jpg"], ["explain", "-o", "picture"], ["upscale"]),
        *(["upscale", "a", *more.split()] for more in ("--scale 5", "--scale 2.5", "--tile 0")),
        *(["upscale", "a", *more.split()] for more in ("--jobs 0", "--device tpu", "--fast")),
    ]:
        with pytest.raises(SystemExit) as caught:
            cli.main(words)
        assert caught.value.code == 2, words
        line = capsys.readouterr().err.splitlines()[-1]
        assert re.match(r"npespcn.*: error: ", line), words


def test_a_file_whose_name_is_like_an_option_is_no_option(tmp_path, monkeypatch, capsys):
    """Every option, short or long, with a value or a suffix: in a glob it is a file."""
    monkeypatch.chdir(tmp_path)
    (commands,) = (a.choices for a in cli._parser()._actions if a.dest == "command")
    for command, parser in commands.items():
        options = [flag for action in parser._actions for flag in action.option_strings]
        names = [f"{flag}{more}" for flag in options for more in ("", "cean.jpg", "=2.png", ".png")]
        for name in [*names, "-ocean.jpg", "--res", "-[1]*.png"]:
            (tmp_path / name).touch()
            with pytest.raises(SystemExit) as caught:
                cli.main([command, "a.png", name, "z.png"])
            assert caught.value.code == 2, (command, name)
            line = capsys.readouterr().err.splitlines()[-1]
            there = f"./{name} or -- before it"
            assert line == f"npespcn: error: {name} is a file here, not an option: {there}"
            (tmp_path / name).unlink()
        assert os.listdir(tmp_path) == []
    (tmp_path / "-o1.jpg").touch()
    with pytest.raises(SystemExit):
        cli.main(["upscale", "-o?.jpg"])  # which the shell has left to us
    assert "-o?.jpg is a file here" in capsys.readouterr().err
    assert cli.main(["upscale", "--", "-o1.jpg"]) == 1
    assert "-o1.jpg: cannot be read as an image" in capsys.readouterr().err
    assert cli.main(["upscale", "./-o1.jpg"]) == 1
    assert cli.main(["upscale", "*.jpg"]) == 1
    assert "-o1.jpg: cannot be read as an image" in capsys.readouterr().err


def test_an_address_is_no_file(capsys):
    address = "https://example.com/a"
    for words in [
        *(["evaluate", address], ["train", "--data", address, "--steps", "1"]),
        *(["upscale", "a.png", "--weights", f"{address}.npz"], ["export", address, "-o", "a.onnx"]),
        *(["upscale", f"{address}.jpg"], ["upscale", "a.png", "-o", f"{address}.png"]),
    ]:
        assert cli.main(words) == 1, words
        (line,) = capsys.readouterr().err.splitlines()
        assert "an address: download it first" in line or "neither a file nor" in line, words
    assert not os.path.exists("https:")


def test_warnings_of_others_are_untouched():
    before = warnings.showwarning, list(warnings.filters)
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    cli.main(["explain", "--weights", "absent.npz"])
    assert (warnings.showwarning, list(warnings.filters)) == before
