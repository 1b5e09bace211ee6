"""Damage files at random, and look whether the commands keep their promises: ``make fuzz``.

Pictures of every format go through ``npespcn upscale``, networks through ``--weights``, checkpoints
through ``npespcn train --resume``. What reaches a line of Pillow, NumPy or npespcn that nothing has
reached before is damaged further: a search that is guided by coverage. Everything depends on the
seed alone, but for how far the time allows to go.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from hostile import judge, networks, pictures
from hostile.mutate import mutated, mutated_zip
from hostile.pictures import Files

PATIENCE = 600.0  # seconds: what damage makes large and black is honest work
MOST_KEPT = 100  # failures
LARGEST = 100_000  # bytes of what is damaged: of more, most is pixels or weights


@dataclass
class Kind:
    """Files of one format, and who judges them, so many at a time."""

    name: str
    suffix: str
    mutate: Callable[[Random, bytes, list[bytes]], bytes]
    judge: Callable[[judge.Worker, Files, bool], judge.Outcome]
    together: int
    files: list[bytes]


@dataclass
class Report:
    """What has been tried, and what became of it."""

    tried: Counter[str] = field(default_factory=Counter)
    fates: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[str, bytes, list[str]]] = field(default_factory=list)
    lines: set[str] = field(default_factory=set)
    kept: int = 0


def kinds(run: Path) -> list[Kind]:
    """Return all that is damaged; `run` is a folder from `judge.make_run`."""

    def weights(worker: judge.Worker, files: Files, trace: bool) -> judge.Outcome:
        ((name, data),) = files.items()
        return judge.weights(worker, name, data, trace)

    def checkpoint(worker: judge.Worker, files: Files, trace: bool) -> judge.Outcome:
        ((name, data),) = files.items()
        outcome = judge.checkpoint(worker, run, "last.npz", data, trace)
        outcome.fates = dict.fromkeys([name], *outcome.fates.values())
        return outcome

    whole = pictures.whole() | pictures.small_oddities()
    found = [
        Kind("picture", suffix, mutated, judge.upscale, 10, files)
        for suffix, files in _by_suffix({k: v for k, v in whole.items() if len(v) <= LARGEST})
    ]
    for suffix, files in _by_suffix(networks.whole()):
        mutate = mutated_zip if suffix == "npz" else mutated
        found.append(Kind("network", suffix, mutate, weights, 1, files))
    last = (run / "run" / "last.npz").read_bytes()
    return [*found, Kind("checkpoint", "npz", mutated_zip, checkpoint, 1, [last])]


def _by_suffix(files: Files) -> list[tuple[str, list[bytes]]]:
    found = defaultdict(list)
    for name, data in files.items():
        found[name.rpartition(".")[2]].append(data)
    return sorted(found.items())


_SHARES = {"picture": 0.6, "network": 0.35, "checkpoint": 0.05}  # of the commands


def cases(
    rng: Random, found: list[Kind], worker: judge.Worker, guided: bool, report: Report
) -> Iterator[None]:
    """Try a few damaged files after others, for ever."""
    for kind in found if guided else ():  # what is reached without any damage
        for i in range(0, len(kind.files), kind.together):
            some = enumerate(kind.files[i : i + kind.together])
            files = {f"good{j}.{kind.suffix}": data for j, data in some}
            report.lines |= set(kind.judge(worker, files, guided).answer.get("lines", ()))
    while True:
        (name,) = rng.choices(list(_SHARES), list(_SHARES.values()))
        kind = rng.choice([kind for kind in found if kind.name == name])
        files = {
            f"bad{i}.{kind.suffix}": kind.mutate(rng, rng.choice(kind.files), kind.files)
            for i in range(kind.together)
        }
        outcome = kind.judge(worker, files, guided)
        report.tried[f"{kind.name} .{kind.suffix}"] += len(files)
        new = set(outcome.answer.get("lines", ())) - report.lines
        if outcome.problems or new:
            _look_closer(kind, files, outcome, worker, guided, report)
        else:
            report.fates.update(f"{kind.name} {outcome.fates[name]}" for name in files)
        yield


def _look_closer(
    kind: Kind,
    files: Files,
    together: judge.Outcome,
    worker: judge.Worker,
    guided: bool,
    report: Report,
) -> None:
    """Try each of these files alone: which of them fail, which lead to new lines?"""
    failed = False
    for name, data in files.items():
        alone = kind.judge(worker, {name: data}, guided) if len(files) > 1 else together
        fate = "failed" if alone.problems else alone.fates[name]
        report.fates[f"{kind.name} {fate}"] += 1
        if alone.problems:
            failed = True
            report.failures.append((f"{kind.name}.{kind.suffix}", data, alone.problems))
        if (new := set(alone.answer.get("lines", ())) - report.lines) and len(data) <= 2 * LARGEST:
            kind.files.append(data)
            report.kept += 1
            report.lines |= new
    if together.problems and not failed:  # only all of them together do
        data = b"".join(files.values())
        report.failures.append((f"{kind.name}s.{kind.suffix}", data, together.problems))


def campaign(
    seed: int, most: int | None = None, seconds: float | None = None, guided: bool = True
) -> Report:
    """Damage files, so many or for so long."""
    report, until = Report(), time.monotonic() + (seconds or 0)
    with judge.Worker(PATIENCE) as worker, tempfile.TemporaryDirectory() as folder:
        judge.make_run(worker, Path(folder))
        for _ in cases(Random(seed), kinds(Path(folder)), worker, guided, report):  # noqa: S311
            tried = report.tried.total()
            if tried >= (most or tried + 1) or (seconds is not None and time.monotonic() > until):
                return report
            if sys.stderr.isatty():
                print(f"\r{tried} tried, {len(report.failures)} failed", end="", file=sys.stderr)
    raise AssertionError("there is always another case")


def main() -> int:
    """Run a campaign, print what came of it, keep what failed; return 1 if anything did."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--seconds", type=float, default=600, help="how long (default: 600)")
    add("--seed", type=int, help="of the damage (default: from the clock)")
    add("--blind", action="store_true", help="do without the search, twice as fast")
    add("--out", type=Path, default=Path("runs/fuzz"), help="where failures go")
    options = parser.parse_args()
    seed = int(time.time()) if options.seed is None else options.seed
    print(f"seed {seed}, {options.seconds:.0f} seconds", flush=True)
    report = campaign(seed, seconds=options.seconds, guided=not options.blind)
    print(f"\n{report.tried.total()} damaged files, by kind:")
    for name, count in sorted(report.tried.items()):
        print(f"{count:8} {name}")
    print("by what became of them:")
    for name, count in sorted(report.fates.items()):
        print(f"{count:8} {name}")
    print(f"{len(report.lines)} lines of Python reached; {report.kept} files led to new ones")
    for number, (name, data, problems) in enumerate(report.failures[:MOST_KEPT]):
        options.out.mkdir(parents=True, exist_ok=True)
        path = options.out / f"{seed}_{number}_{name}"
        path.write_bytes(data)
        path.with_name(f"{path.name}.txt").write_text("\n".join(problems), errors="replace")
        print(f"{path}: {problems[-1].strip().splitlines()[-1][:200]}")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
