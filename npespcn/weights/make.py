"""Make the networks of this folder again: ``make weights``, or ``make weights DATA="T91 BSD200"``.

Without DATA the networks learn from dead leaves, which the package draws itself. DATA names two
folders of photographs, in this order; so the networks were made that have learned from photographs,
too. It takes seven hours on a core, or four, and may be stopped: the same command continues it. On
the same processor with the same versions of Python, NumPy and Pillow the weights are the same to
the bit, on one thread or several; elsewhere matrix products round differently, and the last digits
differ.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from npespcn import __version__
from npespcn.commands import main as cli
from npespcn.common.files import atomic_write
from npespcn.evaluation.protocol import evaluate, mean_score
from npespcn.evaluation.testsets import find_pictures
from npespcn.exchange.npz import WEIGHTS, load, save
from npespcn.models import Network
from npespcn.runs.folder import LAST

HERE, RUNS = Path(__file__).parent, Path("runs")
COMMON = "--batch-size 32 --validate-every 2000"
RENEWED = "--pictures 500 --renew 20 --steps 60000 --loss log_mse"
FEWER_LEAVES = "--pictures 50 --steps 24000 --lr 3e-3 --loss log_mse --seed 0 --start"
SHORT = "--pictures 50 --steps 12000 --loss log_mse"


def _from(run: str) -> str:
    return f"{RUNS}/{run}/{LAST}"


def _taught(scale: int, how: str, run: str, seed: int) -> str:
    """Return the options of a run that goes on from another, with that one as its teacher."""
    before = _from(run)
    return f"--scale {scale} {how} --lr 2e-3 --seed {seed} --start {before} --teacher {before}"


# Each run's folder, and its own options. The last run of each scale makes the network.
LEAVES = {
    f"{RUNS}/first_leaves_x3": f"--scale 3 {RENEWED} --seed 0",
    f"{RUNS}/leaves_x3": _taught(3, RENEWED, "first_leaves_x3", 1),
    f"{RUNS}/first_leaves_x2": f"--scale 2 {RENEWED} --seed 0",
    f"{RUNS}/second_leaves_x2": _taught(2, RENEWED, "first_leaves_x2", 1),
    f"{RUNS}/leaves_x2": _taught(2, RENEWED, "second_leaves_x2", 2),
    f"{RUNS}/first_leaves_x4": f"--scale 4 {RENEWED} --seed 0 --start {_from('first_leaves_x3')}",
    f"{RUNS}/leaves_x4": _taught(4, RENEWED, "first_leaves_x4", 1),
}
PHOTOGRAPHS = {
    f"{RUNS}/weights_first": "--scale 3 --pictures 500 --steps 60000 --seed 0",
    f"{RUNS}/weights_x3": f"--scale 3 {FEWER_LEAVES} {_from('weights_first')}",
    f"{RUNS}/photographs_x3": _taught(3, SHORT, "weights_x3", 1),
    f"{RUNS}/weights_x2_first": "--scale 2 --pictures 500 --steps 24000 --loss log_mse "
    f"--seed 0 --start {_from('weights_first')}",
    f"{RUNS}/weights_x2_second": "--scale 2 --pictures 500 --steps 60000 --lr 2e-3 "
    f"--loss log_mse --seed 0 --start {_from('weights_x2_first')}",
    f"{RUNS}/weights_x2": f"--scale 2 {FEWER_LEAVES} {_from('weights_x2_second')}",
    f"{RUNS}/photographs_x2": _taught(2, SHORT, "weights_x2", 1),
    f"{RUNS}/weights_x4_first": "--scale 4 --pictures 500 --steps 24000 --loss log_mse "
    f"--seed 0 --start {_from('weights_first')}",
    f"{RUNS}/weights_x4": f"--scale 4 {FEWER_LEAVES} {_from('weights_x4_first')}",
    f"{RUNS}/photographs_x4": _taught(4, SHORT, "weights_x4", 1),
}


def main() -> int:
    """Train, or continue to train; then write the weights and the facts about them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="*", metavar="DIR", help="folders of photographs")
    parser.add_argument("--commit", help="of this source, to record it")
    parser.add_argument("--test", metavar="DIR", help="a test set, to record its scores, too")
    options = parser.parse_args()
    photographs = ["--data", *options.data, "--hold-out", "5"] if options.data else []
    hours: dict[str, float | None] = {}  # of each command
    for out, own in (PHOTOGRAPHS if options.data else LEAVES).items():
        words = ["train", *own.split(), *COMMON.split(), "--out", out]
        begun, is_new = time.monotonic(), not Path(out, LAST).exists()
        if status := cli.main([*words, *photographs, "--resume"]):
            return status
        names = [Path(word).name if word in options.data else word for word in photographs]
        spent = round((time.monotonic() - begun) / 3600, 2) if is_new else None
        hours[" ".join(["npespcn", *words, *names])] = spent
        if Path(out).name.startswith(WEIGHTS):
            recipe = {command: hours[command] for command in _behind(out, hours)}
            _write(Path(out).name, load(f"{out}/{LAST}"), recipe, options)
    return 0


def _behind(out: str, commands: Iterable[str]) -> list[str]:
    """Return the commands that lead to a run, in order; the last is its own.

    A teacher is always the network that the run begins with.
    """
    (own,) = (command for command in commands if f"--out {out} " in f"{command} ")
    start = own.partition("--start ")[2].partition(f"/{LAST}")[0]
    return [*(_behind(start, commands) if start else []), own]


def _numbers(option: str, commands: Iterable[str]) -> list[int]:
    return [int(command.split(f"{option} ")[1].split()[0]) for command in commands]


def _write(
    name: str, model: Network, hours: dict[str, float | None], options: argparse.Namespace
) -> None:
    """Write a network without its checkpoint, and the JSON beside it: its commands, their hours."""
    path = HERE / f"{name}.npz"
    save(model, path)
    about: dict[str, Any] = {
        "network": "ESPCN, 5-3-3 with 64-32 channels and tanh; padding 'edge'; luma, studio range "
        "divided by 255",
        "scale": model.scale,
        "data": "dead-leaves images of npespcn.data.dead_leaves, as many as the recipe says",
        "method": "SOAP, cosine to 0, patches of 32 x 32 LR pixels",
        "recipe": list(hours),
        "steps": _numbers("--steps", hours),
        "seeds": _numbers("--seed", hours),
        "hours": list(hours.values()),
        "again": "make weights",
        "versions": {
            "npespcn": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "pillow": PIL.__version__,
        },
        "commit": options.commit,
        "terms": "those of the package, which draws the images that this network learned from",
    }
    if options.data:
        names = [Path(folder).name for folder in options.data]
        about["data"] += f"; and {' and '.join(names)}, of which every fifth image was held out"
        about["terms"] = (
            f"{' and '.join(names)} are photographs that come for research and education; this "
            "network learned from them"
        )
        about["again"] = f'make weights DATA="{" ".join(names)}"'
    if options.test:
        scores = list(evaluate(find_pictures(options.test, model.scale), model))
        about["scores"] = {
            "test set": Path(options.test).name,
            "bicubic": mean_score(score.bicubic for score in scores)._asdict(),
            "network": mean_score(s.network for s in scores if s.network)._asdict(),
        }
    with atomic_write(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
