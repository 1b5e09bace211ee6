"""The command line: ``npespcn`` and ``python -m npespcn``.

Each command parses its words, calls the library, and prints. Exit status: 0 done, 1 something
failed, 2 wrong usage, 130 stopped by Ctrl-C. A user's mistake is one line on stderr.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from npespcn import __version__
from npespcn.centring import centre_biases
from npespcn.checkpoints import RunFolder
from npespcn.convshape import whole_number
from npespcn.data import (
    LeafStream,
    PairedPatches,
    dead_leaves_pictures,
    load_pictures,
    validation_pairs,
)
from npespcn.images import read_image
from npespcn.losses import charbonnier, l1, mse
from npespcn.models import ACTIVATIONS, ESPCN, INITIALIZERS, PADDINGS
from npespcn.optim import SGD, SOAP, Adam, Optimizer, Plateau, Schedule, cosine
from npespcn.shuffle import ORDERS
from npespcn.training import ROW_EVERY, bicubic_score, fit, validate

OPTIMIZERS: dict[str, type[Optimizer]] = {"soap": SOAP, "adam": Adam, "sgd": SGD}
LOSSES = {"mse": mse, "l1": l1, "charbonnier": charbonnier}
SCHEDULES = ("cosine", "plateau", "constant")
LARGEST = 384  # pixels of a picture whose channels are drawn: its middle will do
VALIDATION_SEED = 1_000_000  # dead leaves that no training draws, unless it asks for this series


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.simplefilter("ignore", RuntimeWarning)  # overflow: `fit` says what it means
            warnings.showwarning = _warn  # type: ignore[assignment]  # ignores what it is not told
            options.run(options)
    except KeyboardInterrupt:
        print(f"npespcn {options.command}: stopped", file=sys.stderr)
        return 130
    except (OSError, ValueError, RuntimeError, ArithmeticError, MemoryError) as error:
        words = _one_line(error) or "not enough memory"  # MemoryError comes without words
        print(f"npespcn {options.command}: {words}", file=sys.stderr)
        return 1
    return 0


def train(options: argparse.Namespace) -> None:
    """Train an ESPCN into a folder, and draw its learning curve."""
    model = _untrained(options)
    centre_biases(model, 0.5)
    model.to(options.device)
    out = Path(options.out or f"runs/espcn_x{options.scale}")
    # What is left of a picture without its border, and without what the network itself takes off.
    side = (4 + 2 * model.halo * (options.padding == "valid")) * options.scale
    if options.val:
        held_out = [picture for _, picture in load_pictures(options.val, side)]
    else:
        held_out = dead_leaves_pictures(4, max(320, side), VALIDATION_SEED)
    validation = validation_pairs(held_out, options.scale, options.channels)
    least = options.patch_size * options.scale
    if options.data:
        pictures = [picture for _, picture in load_pictures(options.data, least)]
        data = PairedPatches(pictures, options.scale, options.channels)
    with RunFolder(out, options.resume) as folder:
        pass  # it can be used: good to know before pictures are drawn
    if not options.data:
        print(f"drawing {options.pictures} dead-leaves pictures", file=sys.stderr)
        data = _dead_leaves(options, max(320, least))
    try:
        history = fit(
            model,
            data,
            _optimizer(options, model),
            steps=options.steps,
            batch_size=options.batch_size,
            patch_size=options.patch_size,
            schedule=_schedule(options),
            loss=LOSSES[options.loss],
            validation=validation,
            validate_every=options.validate_every,
            seed=options.seed,
            out=out,
            resume=options.resume,
            progress=True,
        )
    except KeyboardInterrupt:
        if folder.has_checkpoint():
            words = f"saved in {out}; the same command with --resume goes on from there"
            print(words, file=sys.stderr)
        raise
    from npespcn.figures import learning_curve, save  # Matplotlib takes a while to import

    bicubic = bicubic_score(validation)
    curve = learning_curve(history, bicubic=bicubic, title=f"ESPCN ×{options.scale}")
    save(curve, out / "learning_curve.png")
    measured = [value for value in history["val_psnr"] if value == value]
    measured = measured or [validate(model, validation)]  # stopped before the first one
    print(
        f"{out}: {len(data)} pictures, {options.steps} steps; on {len(held_out)} pictures held "
        f"out {max(measured):.2f} dB at best, {measured[-1]:.2f} dB at last (bicubic "
        f"{bicubic:.2f} dB)\n{out}/best.npz and last.npz, history.csv, learning_curve.png"
    )


def explain(options: argparse.Namespace) -> None:
    """Draw how channels become sub-pixels: in principle, or those of a trained network."""
    from npespcn import figures

    out = Path(options.out or ("channels.png" if options.weights else "explain.png"))
    if options.weights:
        model = ESPCN.load(options.weights)
        picture = read_image(options.image) if options.image else dead_leaves_pictures(1, 96)[0]
        top, left = (max(0, side - LARGEST) // 2 for side in picture.shape[:2])
        picture = picture[top : top + LARGEST, left : left + LARGEST]
        (lr, _), *_ = validation_pairs([picture], 1, model.options["channels"])
        features, image = model.subpixel_channels(lr)[0], model.predict(lr)[0]
        figures.save(figures.channel_maps(features, image), out)
    elif out.suffix.lower() == ".gif":
        figures.explain_gif(out, options.scale, options.channels, options.order)
    else:
        figures.save(figures.explain_figure(options.scale, options.channels, options.order), out)
    print(out)


def _untrained(options: argparse.Namespace) -> ESPCN:
    return ESPCN(
        options.scale,
        options.channels,
        options.activation,
        None if options.output == "none" else options.output,
        options.tail,
        options.padding,
        options.init,
        options.seed,
    )


def _dead_leaves(options: argparse.Namespace, size: int) -> PairedPatches:
    if options.renew:
        return LeafStream(
            options.scale,
            options.channels,
            count=options.pictures,
            every=options.renew,
            size=size,
            seed=options.seed,
            workers=None,
        )
    pictures = dead_leaves_pictures(options.pictures, size, options.seed, workers=None)
    return PairedPatches(pictures, options.scale, options.channels)


def _optimizer(options: argparse.Namespace, model: ESPCN) -> Optimizer:
    make: Any = OPTIMIZERS[options.optimizer]
    factors = {"conv3": options.last_layer}
    return (
        make(model, lr_factors=factors)
        if options.lr is None
        else make(model, lr=options.lr, lr_factors=factors)
    )


def _schedule(options: argparse.Namespace) -> Schedule | None:
    if options.schedule == "plateau":
        return Plateau()
    return cosine(options.steps) if options.schedule == "cosine" else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="npespcn",
        description="ESPCN, the sub-pixel convolution network, from scratch in NumPy.",
    )
    parser.add_argument("--version", action="version", version=f"npespcn {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_train(commands)
    _add_explain(commands)
    return parser


def _add_train(commands: Any) -> None:
    parser = commands.add_parser(
        "train",
        help="train a network, on dead leaves or on a folder of pictures",
        description="Train an ESPCN. Without --data it learns from dead-leaves pictures that it "
        "draws itself: no data set, no download.",
        formatter_class=_HelpFormatter,
    )
    add = parser.add_argument
    add("--data", metavar="DIR", help="train on the pictures in this folder")
    add("--pictures", type=_from(1), default=200, metavar="N", help="dead-leaves pictures to draw")
    add("--renew", type=_from(0), default=0, metavar="N",
        help="replace a dead-leaves picture after every N steps; 0: keep them")  # fmt: skip
    add("--val", metavar="DIR", help="validate on the pictures in this folder")
    add("--scale", type=_from(1), default=3, metavar="R", help="how many times larger")
    add("--steps", type=_from(1), default=6000, metavar="N", help="training steps in all")
    add("--batch-size", type=_from(1), default=16, metavar="N", help="patches in a step")
    add("--patch-size", type=_from(9), default=32, metavar="P", help="a patch's side in LR pixels")
    add("--optimizer", choices=OPTIMIZERS, default="soap", help="how to step")
    add("--lr", type=_rate, metavar="RATE", help="learning rate, or else the optimiser's own")
    add("--last-layer", type=_rate, default=1.0, metavar="FACTOR",
        help="factor on the last layer's rate; the paper has 0.1")  # fmt: skip
    add("--schedule", choices=SCHEDULES, default="cosine", help="how the rate falls")
    add("--loss", choices=LOSSES, default="mse", help="what to make small")
    add("--validate-every", type=_tens, default=250, metavar="N",
        help="steps between two validations, a multiple of 10")  # fmt: skip
    add("--out", metavar="DIR", help="the run's folder (default: runs/espcn_xR)")
    add("--resume", action="store_true", help="go on from the folder's last checkpoint, if any")
    add("--device", choices=("cpu", "gpu"), default="cpu", help="where to compute")
    add("--seed", type=_from(0), default=0, metavar="N", help="of weights, pictures and batches")
    add("--channels", type=int, choices=(1, 3), default=1, help="1: luma, 3: RGB")
    add("--activation", choices=ACTIVATIONS, default="tanh", help="between the convolutions")
    add("--output", choices=("none", "sigmoid", "tanh"), default="none", help="applied last")
    add("--tail", action="store_true", help="add a 1x1 convolution after the shuffle")
    add("--padding", choices=PADDINGS, default="edge",
        help="same: zeros, as published; edge: real pixels in training, the edge repeated in use; "
        "valid: none")  # fmt: skip
    add("--init", choices=INITIALIZERS, default="xavier", help="initial weights")
    parser.set_defaults(run=train)


def _add_explain(commands: Any) -> None:
    parser = commands.add_parser(
        "explain",
        help="draw how channels become sub-pixels",
        description="Draw how C*r*r channels become an image r times larger, as a PNG, or as a GIF "
        "that places one channel after the other. With --weights, draw what a trained network puts "
        "into its channels.",
        formatter_class=_HelpFormatter,
    )
    add = parser.add_argument
    add("--scale", type=int, choices=(2, 3, 4), default=3, help="r, the upscale factor")
    add("--channels", type=int, choices=(1, 3), default=1, help="C, channels of the image")
    add("--order", choices=ORDERS, default="CRD", help="how the channels are counted")
    add("--weights", metavar="FILE", help="a trained network (.npz)")
    add(
        "--image",
        metavar="FILE",
        help="the picture that it enlarges, or the middle of it (default: dead leaves)",
    )
    add("-o", dest="out", type=_figure_file, metavar="FILE", help=".png or .gif")
    parser.set_defaults(run=explain)


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Say what the defaults are, where there are any."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        has_one = action.default is not None and action.default is not False
        return super()._get_help_string(action) if has_one else action.help


def _from(least: int) -> Any:
    def number(text: str) -> int:
        try:
            return whole_number("it", int(text), least)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {least}"
            ) from None

    return number


def _tens(text: str) -> int:
    number: int = _from(1)(text)
    if number % ROW_EVERY:
        raise argparse.ArgumentTypeError(f"{text!r} is not a multiple of {ROW_EVERY}")
    return number


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def _figure_file(text: str) -> str:
    if Path(text).suffix.lower() not in (".png", ".gif"):
        raise argparse.ArgumentTypeError(f"{text!r} must end in .png or .gif")
    return text


def _warn(message: Warning | str, *_: Any) -> None:
    print(f"npespcn: {_one_line(message)}", file=sys.stderr)


def _one_line(message: Any) -> str:
    return " ".join(str(message).split())
