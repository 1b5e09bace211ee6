"""``npespcn explain``: draw how channels become sub-pixels."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from npespcn.commands import HelpFormatter
from npespcn.data.dead_leaves import dead_leaves_pictures
from npespcn.data.patches import validation_pairs
from npespcn.pictures.files import read_image
from npespcn.shuffle import ORDERS

LARGEST = 384  # pixels: of a larger image only the middle is drawn


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "explain",
        help="draw how channels become sub-pixels",
        description="Draw how C*r*r channels become an image r times larger: as a PNG, as a GIF "
        "that places one channel after the other, or as an HTML page to explore (a map, each "
        "method step by step, a quiz, a photograph). With --weights, draw the channels of a "
        "trained network.",
        formatter_class=HelpFormatter,
    )
    add = parser.add_argument
    add("--scale", type=int, choices=(2, 3, 4), default=3, help="r, the upscale factor")
    add("--channels", type=int, choices=(1, 3), default=1, help="C, channels of the image")
    add("--order", choices=ORDERS, default="CRD", help="order of the channels")
    add("--weights", metavar="FILE", help="a trained network (.npz, .safetensors)")
    add("--image", metavar="FILE",
        help="an image for it to enlarge (default: dead leaves)")  # fmt: skip
    add("-o", dest="out", type=_figure_file, metavar="FILE", help=".png, .gif or .html")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    """Draw how channels become sub-pixels, in general or in a trained network."""
    from npespcn import exchange, explorer, figures

    out = Path(options.out or ("channels.png" if options.weights else "explain.png"))
    page = out.suffix.lower() == ".html"
    if options.weights:
        if page:
            raise ValueError("--weights draws an image; a page shows the network of npespcn")
        model = exchange.load(options.weights)
        picture = read_image(options.image) if options.image else dead_leaves_pictures(1, 96)[0]
        top, left = (max(0, side - LARGEST) // 2 for side in picture.shape[:2])
        picture = picture[top : top + LARGEST, left : left + LARGEST]
        (lr, _), *_ = validation_pairs([picture], 1, model.options["channels"])
        features, image = figures.subpixel_channels(model, lr)[0], model.predict(lr)[0]
        figures.save(figures.channel_maps(features, image), out)
    elif page:
        explorer.write_page(out, options.scale, options.channels, options.order)
    elif out.suffix.lower() == ".gif":
        figures.explain_gif(out, options.scale, options.channels, options.order)
    else:
        figures.save(figures.explain_figure(options.scale, options.channels, options.order), out)
    print(out)


def _figure_file(text: str) -> str:
    if Path(text).suffix.lower() not in (".png", ".gif", ".html"):
        raise argparse.ArgumentTypeError(f"{text!r} must end in .png, .gif or .html")
    return text
