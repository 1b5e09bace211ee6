"""``npespcn evaluate``: PSNR and SSIM on test images, as the literature measures them."""

from __future__ import annotations

import argparse
import json
import math
import sys
import unicodedata
from collections.abc import Iterable
from typing import Any, TextIO

from tqdm import tqdm

from npespcn.commands import HelpFormatter, from_
from npespcn.evaluation.protocol import PictureScore, Score, evaluate, mean_score, protocol
from npespcn.evaluation.testsets import find_pictures
from npespcn.exchange import WEIGHTS, load, pretrained
from npespcn.fast.gpu import move

_NAMES = ("bicubic", "network", "eight views")  # of the scores of an image
MOST_TOLD = 5  # failures to tell where nothing succeeded


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "evaluate",
        help="measure a network on test images",
        description="Measure bicubic interpolation and a network on a folder of test images: "
        "PSNR and SSIM of luma, by the protocol of the literature. The folder holds HR images, "
        "or HR and LR images in one of the usual layouts (HR and LR, LR_bicubic/X3, DIV2K, "
        "GTmod12 and LRbicx3, image_SRF_3).",
        formatter_class=HelpFormatter,
    )
    add = parser.add_argument
    add("folder", metavar="DIR", help="the test images")
    add("--scale", type=from_(1), metavar="R",
        help="upscale factor (default: that of the network, or of the LR images, "
        "or 3)")  # fmt: skip
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--weights", metavar="FILE", default=WEIGHTS[0],
        help="a trained network, .npz or .safetensors; or leaves or photographs, "
        "the networks that come with npespcn")  # fmt: skip
    what.add_argument("--bicubic", action="store_true", help="measure bicubic interpolation only")
    add("--best", action="store_true",
        help="measure the mean of the network's answers to eight views, too")  # fmt: skip
    add("--device", choices=("cpu", "gpu"), default="cpu", help="where to compute")
    add("--json", action="store_true", help="print a JSON object instead of a table")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> bool:
    """Measure, and print a table or a JSON object; return whether any image failed."""
    if options.bicubic and options.best:
        raise ValueError("--best is for networks, not for --bicubic")
    if options.bicubic and options.device == "gpu":
        raise ValueError("--device gpu is for networks: --bicubic is computed on the CPU")
    model = None if options.weights in WEIGHTS else load(options.weights)
    pictures = find_pictures(options.folder, options.scale or (model.scale if model else None))
    if model is None and not options.bicubic:
        model = pretrained(pictures.scale, options.weights)
    if model is not None:
        move(model, options.device)
    scores: list[PictureScore] = []
    failures: list[str] = []
    with tqdm(
        total=len(pictures.pairs) + len(pictures.unpaired),
        unit="image",
        disable=not sys.stderr.isatty(),
        leave=False,
    ) as bar:

        def failed(words: str) -> None:
            failures.append(words)
            bar.update(1)

        for score in evaluate(pictures, model, best=options.best, failed=failed):
            scores.append(score)
            bar.update(1)
    if not scores:
        untold = len(failures) - MOST_TOLD
        words = "; ".join(failures[:MOST_TOLD]) + (f"; and {untold} more" if untold > 0 else "")
        raise ValueError(f"no image could be measured: {_printable(words, sys.stderr)}")
    for words in failures:
        print(f"npespcn evaluate: {_printable(words, sys.stderr)}", file=sys.stderr)
    weights = None if model is None else options.weights
    rules = protocol(pictures, model)
    if options.best:
        rules["eight views"] = "the mean of the network's answers to LR in all flips and turns"
    report = _report(scores, weights, pictures.scale, rules)
    if options.json:
        print(json.dumps(report, allow_nan=False))
    else:
        _print_table(scores, report)
    return bool(failures)


def _report(
    scores: list[PictureScore], weights: str | None, scale: int, rules: dict[str, str]
) -> dict[str, Any]:
    """Return the results as JSON can hold them: finite numbers, Unicode names."""
    pictures = [{"name": _unicode(one.name), "size": one.size, **_named(one[2:])} for one in scores]
    return {
        "protocol": {name: _unicode(words) for name, words in rules.items()},
        "scale": scale,
        "weights": weights and _unicode(weights),
        "pictures": pictures,
        "mean": _named(_means(scores)),
    }


def _named(scores: Iterable[Score | None]) -> dict[str, Any]:
    """Return scores of the same image by their names; the network's is there even if it is None."""
    found = {name: score and _finite(score) for name, score in zip(_NAMES, scores, strict=True)}
    return found if found[_NAMES[2]] else {name: found[name] for name in _NAMES[:2]}


def _finite(score: Score) -> dict[str, float | None]:
    return {
        name: value if math.isfinite(value) else None for name, value in score._asdict().items()
    }


def _unicode(text: str) -> str:
    """Escape the bytes of a file's name that are not text."""
    return text.encode("utf-8", "backslashreplace").decode()


def _means(scores: list[PictureScore]) -> list[Score | None]:
    """Return the means over the images, as `PictureScore` has them."""
    columns = zip(*(one[2:] for one in scores), strict=True)
    return [None if column[0] is None else mean_score(column) for column in columns]


def _print_table(scores: list[PictureScore], report: dict[str, Any]) -> None:
    """Print a line for each image, the mean, and the protocol."""
    means = _means(scores)
    measured = [name for name, score in zip(_NAMES, means, strict=True) if score]
    rows = [["image", "HR size", *(word for name in measured for word in (f"{name} PSNR", "SSIM"))]]
    rows += [[one.name, "{} x {}".format(*one.size), *_cells(one[2:])] for one in scores]
    rows.append([f"mean of {len(scores)}", "", *_cells(means)])
    rows = [[_printable(cell, sys.stdout) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        numbers = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        print("  ".join([name + " " * (widths[0] - _width(name)), *numbers]))
    print(f"\nscale: x{report['scale']}")
    weights = report["weights"] or "none"
    weights += " (come with npespcn)" * (weights in WEIGHTS)
    rules = {**report["protocol"], "weights": weights}
    for name, words in rules.items():
        print(f"{name}: {_printable(words, sys.stdout)}")


def _cells(scores: Iterable[Score | None]) -> list[str]:
    return [cell for s in scores if s for cell in (f"{s.psnr:.2f}", f"{s.ssim:.4f}")]


def _printable(text: str, stream: TextIO) -> str:
    """Escape characters that would break a line, or that the stream cannot encode."""
    visible = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    encoding = stream.encoding or "utf-8"
    return "".join(visible).encode(encoding, "backslashreplace").decode(encoding)


def _width(text: str) -> int:
    """Return the number of a terminal's columns that a printable text takes."""
    marks = sum(unicodedata.combining(c) > 0 for c in text)
    return len(text) - marks + sum(unicodedata.east_asian_width(c) in "WF" for c in text)
