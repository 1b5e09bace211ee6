"""Make the networks of this folder again: ``make weights DATA="T91 BSD200"``.

DATA names the two folders of photographs, in this order; without it the networks learn from dead
leaves only. It takes four hours on a core, and may be stopped: the same command continues it. On
the same processor with the same versions of Python, NumPy and Pillow the weights are the same to
the bit, on one thread or several; elsewhere matrix products round differently, and the last digits
differ.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from npespcn import __version__
from npespcn.commands import main as cli
from npespcn.common.files import atomic_write
from npespcn.evaluation.protocol import evaluate, mean_score
from npespcn.evaluation.testsets import find_pictures
from npespcn.exchange.npz import load, save
from npespcn.models import Network
from npespcn.runs.folder import LAST

HERE, RUNS = Path(__file__).parent, Path("runs")
COMMON = "--batch-size 32 --validate-every 2000 --seed 0"
LAST_STEPS = "--pictures 50 --steps 24000 --lr 3e-3 --loss log_mse --start"


def _from(run: str) -> str:
    return f"{RUNS}/{run}/{LAST}"


RECIPES = {  # each run's folder: its own options
    f"{RUNS}/weights_first": "--scale 3 --pictures 500 --steps 60000",
    f"{RUNS}/weights_x3": f"--scale 3 {LAST_STEPS} {_from('weights_first')}",
    f"{RUNS}/weights_x2_first": "--scale 2 --pictures 500 --steps 24000 --loss log_mse "
    f"--start {_from('weights_first')}",
    f"{RUNS}/weights_x2_second": "--scale 2 --pictures 500 --steps 60000 --lr 2e-3 "
    f"--loss log_mse --start {_from('weights_x2_first')}",
    f"{RUNS}/weights_x2": f"--scale 2 {LAST_STEPS} {_from('weights_x2_second')}",
    f"{RUNS}/weights_x4_first": "--scale 4 --pictures 500 --steps 24000 --loss log_mse "
    f"--start {_from('weights_first')}",
    f"{RUNS}/weights_x4": f"--scale 4 {LAST_STEPS} {_from('weights_x4_first')}",
}
LEAVES = "dead-leaves images of npespcn.data.dead_leaves, seed 0, as many as the recipe says"


def main() -> int:
    """Train, or continue to train; then write the weights and the facts about them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="*", metavar="DIR", help="folders of photographs")
    parser.add_argument("--test", metavar="DIR", help="a test set, to record its scores, too")
    options = parser.parse_args()
    photographs = ["--data", *options.data, "--hold-out", "5"] if options.data else []
    commands = []
    for out, recipe in RECIPES.items():
        words = ["train", *recipe.split(), *COMMON.split(), "--out", out]
        if status := cli.main([*words, *photographs, "--resume"]):
            return status
        names = [Path(word).name if word in options.data else word for word in photographs]
        commands.append(" ".join(["npespcn", *words, *names]))
        if not out.endswith(("_first", "_second")):
            _write(load(f"{out}/{LAST}"), _behind(out, commands), options)
    return 0


def _behind(out: str, commands: list[str]) -> list[str]:
    """Return the commands that lead to a run, in order; the last is its own."""
    (own,) = (command for command in commands if f"--out {out} " in f"{command} ")
    start = own.partition("--start ")[2].partition(f"/{LAST}")[0]
    return [*(_behind(start, commands) if start else []), own]


def _write(model: Network, commands: list[str], options: argparse.Namespace) -> None:
    """Write a network without its checkpoint, and the JSON beside it."""
    path = HERE / f"espcn_x{model.scale}.npz"
    save(model, path)
    about: dict[str, Any] = {
        "network": "ESPCN, 5-3-3 with 64-32 channels and tanh; padding 'edge'; luma, studio range "
        "divided by 255",
        "scale": model.scale,
        "data": LEAVES,
        "recipe": commands,
        "method": "SOAP, cosine to 0, patches of 32 x 32 LR pixels",
        "steps": [int(command.split("--steps ")[1].split()[0]) for command in commands],
        "seed": model.options["seed"],
        "again": "make weights",
        "npespcn": __version__,
    }
    if options.data:
        names = [Path(folder).name for folder in options.data]
        about["data"] += f"; and {' and '.join(names)}, of which every fifth image was held out"
        about["terms"] = (
            f"{' and '.join(names)} are photographs that come for research and education; these "
            "weights have seen them"
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
