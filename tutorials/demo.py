"""The main job from end to end: train a small ESPCN, then enlarge a photograph that it never saw.

``make demo`` runs this. It needs no data set: the network learns from dead-leaves pictures drawn
here, and the photograph comes with Matplotlib. What it makes lies in ``runs/demo``.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from matplotlib import cbook
from tqdm import tqdm

from npespcn import figures
from npespcn.data import PairedPatches, dead_leaves_pictures, validation_pairs
from npespcn.evaluation import bicubic_score, psnr, ssim
from npespcn.fast import accelerate
from npespcn.models import ESPCN
from npespcn.optim import SOAP, cosine
from npespcn.pictures import (
    downscale,
    quantize,
    read_image,
    rgb_to_y,
    rgb_to_ycbcr,
    upscale_bicubic,
    write_image,
    ycbcr_to_rgb,
)
from npespcn.runs import BEST, HISTORY, LAST, RunFolder, center_biases, fit

SCALE = 3
FACE = (180, 78, 360, 258)  # left, upper, right, lower: the part of the photograph to zoom in on


def main() -> None:
    """Train, enlarge, measure, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2400, help="training steps (default: 2400)")
    parser.add_argument("--pictures", type=int, default=200, help="to train on (default: 200)")
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="where to write")
    options = parser.parse_args()

    model = train(options.steps, options.pictures, options.out)

    photograph = read_image(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    small = downscale(photograph, SCALE)
    original = photograph[: small.shape[0] * SCALE, : small.shape[1] * SCALE]
    pictures = {
        "bicubic": upscale_bicubic(small, SCALE),
        "this network": enlarge(model, small),
        "original": original,
    }
    captions = report(pictures, original)
    draw(model, small, pictures, captions, options.out)


def train(steps: int, count: int, out: Path) -> ESPCN:
    """Train from nothing on dead-leaves pictures; measure on eight others."""
    with RunFolder(out, resume=True) as earlier:  # make room, unless it is still running
        for name in (LAST, BEST, HISTORY):
            (earlier.path / name).unlink(missing_ok=True)
    started, total = time.monotonic(), count + 8
    print(f"drawing {total} dead-leaves pictures")
    with tqdm(total=total, unit="picture", disable=None) as bar:  # None: only on a terminal
        pictures = dead_leaves_pictures(total, workers=None, progress=lambda _: bar.update())
    validation = validation_pairs(pictures[count:], SCALE)

    model = ESPCN(SCALE, padding="edge")
    center_biases(model, 0.5)
    history = fit(
        model,
        PairedPatches(pictures[:count], SCALE),
        SOAP(model, lr=4e-3),
        steps=steps,
        schedule=cosine(steps),
        validation=validation,
        out=out,
        progress=True,
    )
    seconds = time.monotonic() - started
    print(f"\ntrained {steps} steps from nothing in {seconds:.0f} s, with the drawing\n")
    curve = figures.learning_curve(
        history, bicubic=bicubic_score(validation), title="ESPCN ×3 on dead leaves"
    )
    figures.save(curve, out / "learning_curve.png")
    return model


def enlarge(model: ESPCN, rgb):
    """Enlarge a uint8 RGB picture: the network on luma, bicubic interpolation on color."""
    luma = rgb_to_y(rgb.astype(np.float32)) / 255  # (H, W)
    larger = accelerate(model).predict(luma[None, None])[0, 0] * 255  # (H*r, W*r)
    ycbcr = rgb_to_ycbcr(upscale_bicubic(rgb, SCALE)).astype(np.float32)
    ycbcr[..., 0] = larger
    return quantize(ycbcr_to_rgb(ycbcr))


def report(pictures: dict, original) -> dict[str, str]:
    """Print PSNR and SSIM as the literature measures them; return them as captions."""
    print(f"{'grace_hopper.jpg, ×3':24}{'PSNR':>10}{'SSIM':>9}")
    captions = {}
    for name, picture in list(pictures.items())[:-1]:
        pair = rgb_to_y(picture), rgb_to_y(original)
        score = psnr(*pair, border=SCALE), ssim(*pair, border=SCALE)
        print(f"{name:24}{score[0]:7.2f} dB{score[1]:9.4f}")
        captions[name] = f"{score[0]:.2f} dB, SSIM {score[1]:.4f}"
    print("on Y (BT.601 studio range, 8 bits), border of 3 pixels cropped, LR by bicubic\n")
    return captions


def draw(model: ESPCN, small, pictures: dict, captions: dict, out: Path) -> None:
    """Draw before and after, and the channels that became the photograph's sub-pixels."""
    comparison = figures.before_after(pictures, FACE, captions=captions, title="Three times larger")
    figures.save(comparison, out / "before_after.png")
    write_image(out / "grace_hopper_x3.png", pictures["this network"])

    left, upper, right, lower = (side // SCALE for side in FACE)
    face = rgb_to_y(small[upper:lower, left:right].astype(np.float32))[None, None] / 255
    maps = figures.channel_maps(figures.subpixel_channels(model, face)[0], model.predict(face)[0])
    figures.save(maps, out / "channel_map.png")
    for name in ("before_after", "learning_curve", "channel_map", "grace_hopper_x3"):
        print(f"{out}/{name}.png")
    print(f"{out}/best.npz, last.npz and history.csv")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
