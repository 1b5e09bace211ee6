"""``npespcn train``: train a network, on dead leaves or on folders of images."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any

from npespcn.commands import HelpFormatter, from_
from npespcn.common import Array
from npespcn.data.dead_leaves import dead_leaves_pictures
from npespcn.data.folders import load_pictures
from npespcn.data.patches import LeafStream, PairedPatches, eight_views_of, validation_pairs
from npespcn.evaluation.validation import bicubic_score, validate
from npespcn.exchange.npz import load
from npespcn.fast.gpu import move
from npespcn.fast.threads import thread_count
from npespcn.initializers import INITIALIZERS
from npespcn.losses import charbonnier, l1, log_mse, mse
from npespcn.models import ACTIVATIONS, ESPCN, PADDINGS, Network
from npespcn.optim import SGD, SOAP, Adam, cosine
from npespcn.runs.centering import center_biases
from npespcn.runs.fit import ROW_EVERY, fit
from npespcn.runs.folder import LAST, RunFolder
from npespcn.runs.mpi import mpi_group
from npespcn.runs.ranks import Group, SingleProcess
from npespcn.runs.schedules import Plateau, Schedule
from npespcn.runs.wrappers import Scaled

OPTIMIZERS: dict[str, Any] = {"soap": SOAP, "adam": Adam, "sgd": SGD}
LOSSES = {"mse": mse, "l1": l1, "charbonnier": charbonnier, "log_mse": log_mse}
SCHEDULES = ("cosine", "plateau", "constant")
VALIDATION_SEED = 1_000_000  # dead leaves that no training draws, unless its --seed is this one


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "train",
        help="train a network, on dead leaves or on a folder of images",
        description="Train an ESPCN. Without --data it learns from dead-leaves images that it "
        "draws itself: no data set, no download.",
        formatter_class=HelpFormatter,
    )
    add = parser.add_argument
    add("--data", nargs="+", metavar="DIR", help="train on the images in these folders")
    add("--pictures", type=from_(1), metavar="N",
        help="dead-leaves images to draw (default: 200, or with --data none)")  # fmt: skip
    add("--renew", type=from_(0), default=0, metavar="N",
        help="without --data: replace an image after every N steps; 0: keep them")  # fmt: skip
    validation = parser.add_mutually_exclusive_group()
    validation.add_argument("--val", metavar="DIR", help="validate on the images in this folder")
    validation.add_argument("--hold-out", type=from_(2), metavar="K",
        help="validate on every K-th image of --data, and do not train on it")  # fmt: skip
    add("--start", metavar="FILE",
        help="begin with the weights of this network that fit (.npz, .safetensors)")  # fmt: skip
    add("--teacher", metavar="FILE",
        help="aim at the middle between each image and this network's mean answer to its low "
        "resolution, in eight views")  # fmt: skip
    add("--scale", type=from_(1), default=3, metavar="R", help="upscale factor")
    add("--steps", type=from_(1), default=6000, metavar="N",
        help="total number of training steps, counting those before --resume")  # fmt: skip
    add("--batch-size", type=from_(1), default=16, metavar="N",
        help="patches in a batch, of all ranks together")  # fmt: skip
    add("--patch-size", type=from_(9), default=32, metavar="P", help="side of a patch in LR pixels")
    add("--optimizer", choices=OPTIMIZERS, default="soap", help="optimizer")
    add("--lr", type=_rate, metavar="RATE", help="learning rate (default: the optimizer's own)")
    add("--last-layer", type=_rate, default=1.0, metavar="FACTOR",
        help="factor on the last layer's learning rate; in the paper 0.1")  # fmt: skip
    add("--schedule", choices=SCHEDULES, default="cosine", help="learning-rate schedule")
    add("--loss", choices=LOSSES, default="mse", help="training loss")
    add("--validate-every", type=_tens, default=250, metavar="N",
        help="steps between two validations, a multiple of 10")  # fmt: skip
    add("--out", metavar="DIR", help="the run's folder (default: runs/espcn_xR)")
    add("--resume", action="store_true", help="continue from the folder's last checkpoint, if any")
    add("--device", choices=("cpu", "gpu"), default="cpu", help="device that computes")
    add("--distributed", action="store_true",
        help="share each batch among MPI ranks: mpiexec -n N npespcn train ...")  # fmt: skip
    add("--seed", type=from_(0), default=0, metavar="N",
        help="seed of weights, dead leaves and batches")  # fmt: skip
    add("--channels", type=int, choices=(1, 3), default=1, help="1: luma, 3: RGB")
    add("--activation", choices=ACTIVATIONS, default="tanh",
        help="activation between the convolutions")  # fmt: skip
    add("--output", choices=("none", "sigmoid", "tanh"), default="none",
        help="activation at the end")  # fmt: skip
    add("--tail", action="store_true", help="add a 1x1 convolution after the shuffle")
    add("--padding", choices=PADDINGS, default="edge",
        help="same: zeros, as published; edge: real pixels in training, the edge repeated in use; "
        "valid: none")  # fmt: skip
    add("--init", choices=(*INITIALIZERS, "icnr"), default="xavier", help="initial weights")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    """Train, in one process or as one of many ranks."""
    if not options.distributed:
        _train(options, SingleProcess())
        return
    with mpi_group() as group:
        if group.rank:
            warnings.simplefilter("ignore", UserWarning)  # rank 0 shows them
        else:
            print(f"{group.size} ranks; threads of rank 0: {thread_count()}", file=sys.stderr)
        _train(options, group)


def _train(options: argparse.Namespace, group: Group) -> None:
    """Train an ESPCN into a folder, and draw its learning curve."""
    if options.data is None and options.hold_out:
        raise ValueError("--hold-out takes images from --data")
    if options.data is not None and options.renew:
        raise ValueError("--renew is for dead leaves only, without --data")
    group.check_batch(options.batch_size)  # fails before images are read
    count = options.pictures or (0 if options.data else 200)
    model = _untrained(options)
    center_biases(model, 0.5)
    if options.start:
        _start_from(model, options.start)
    teacher = load(options.teacher, ESPCN) if options.teacher else None
    eight_views_of(teacher, options.scale, options.channels)  # fails before images are read
    if options.device == "gpu":
        group.use_gpu()
    move(model, options.device)
    out = Path(options.out or f"runs/espcn_x{options.scale}")
    least = options.patch_size * options.scale
    # A border of the scale is not scored, and the network itself may take one off.
    side = (4 + 2 * model.halo * (options.padding == "valid")) * options.scale
    pictures = _photographs(options.data or [], max(least, side) if options.hold_out else least)
    if options.val:
        held_out = _photographs([options.val], side)
    elif options.hold_out:
        held_out = pictures[:: options.hold_out]
        del pictures[:: options.hold_out]
    else:
        held_out = dead_leaves_pictures(4, max(320, side), VALIDATION_SEED)
    validation = validation_pairs(held_out, options.scale, options.channels)

    def check_folder() -> None:
        with RunFolder(out, options.resume):
            pass  # an unusable folder fails before images are drawn

    group.on_rank_0(check_folder)
    data = _data(options, pictures, teacher, count, max(320, least), group)
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
            ranks=group,
        )
    except KeyboardInterrupt:
        if group.rank == 0 and (out / LAST).exists():
            text = f"saved in {out}; the same command with --resume continues from there"
            print(text, file=sys.stderr)
        raise
    if group.rank:
        return
    from npespcn.figures.curve import learning_curve
    from npespcn.figures.sheet import save

    bicubic = bicubic_score(validation)
    curve = learning_curve(history, bicubic=bicubic, title=f"ESPCN ×{options.scale}")
    save(curve, out / "learning_curve.png")
    measured = [value for value in history["val_psnr"] if value == value]
    measured = measured or [validate(model, validation)]  # stopped before the first one
    print(
        f"{out}: {len(data)} images, {options.steps} steps; on {len(held_out)} images held "
        f"out {max(measured):.2f} dB at best, {measured[-1]:.2f} dB at last (bicubic "
        f"{bicubic:.2f} dB)\n{out}/best.npz and last.npz, history.csv, learning_curve.png"
    )


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


def _start_from(model: ESPCN, path: str) -> None:
    """Load the weights of a saved network whose names and shapes fit: its first layers."""
    saved, own = load(path, ESPCN).state_dict(), model.state_dict()
    fitting = {
        name: array
        for name, array in saved.items()
        if name in own and own[name].shape == array.shape
    }
    if "conv1.weight" not in fitting:
        raise ValueError(f"{path} has no first layer that fits this network")
    model.load_state_dict(own | fitting)


def _photographs(folders: list[str], smallest_side: int) -> list[Array]:
    return [picture for folder in folders for _, picture in load_pictures(folder, smallest_side)]


def _data(
    options: argparse.Namespace,
    pictures: list[Array],
    teacher: Network | None,
    count: int,
    size: int,
    group: Group,
) -> PairedPatches:
    """Return the photographs and `count` dead-leaves images of `size` to train on."""
    if count and group.rank == 0:
        print(f"drawing {count} dead-leaves images", file=sys.stderr)
    if options.renew:
        return LeafStream(
            options.scale,
            options.channels,
            teacher,
            count=count,
            every=options.renew,
            size=size,
            seed=options.seed,
            workers=None,
        )
    mine = group.share(count)
    leaves = dead_leaves_pictures(
        mine.stop - mine.start, size, options.seed, first=mine.start, workers=None
    )
    return PairedPatches(pictures + group.gather(leaves), options.scale, options.channels, teacher)


def _optimizer(options: argparse.Namespace, model: ESPCN) -> Any:
    rate = {} if options.lr is None else {"lr": options.lr}
    optimizer = OPTIMIZERS[options.optimizer](model, **rate)
    factor = options.last_layer
    return optimizer if factor == 1 else Scaled(optimizer, {"conv3": factor})


def _schedule(options: argparse.Namespace) -> Schedule | None:
    if options.schedule == "plateau":
        return Plateau()
    return cosine(options.steps) if options.schedule == "cosine" else None


def _tens(text: str) -> int:
    number: int = from_(1)(text)
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
