"""The landing page: its pictures, which are made when the site is built, and its list of lessons.

Sphinx puts the page, ``_templates/landing.html``, in the place of index.md.
"""

import base64
import io
from pathlib import Path

import languages
import numpy as np
from lessons import PARTS, lessons
from matplotlib import cbook
from matplotlib.colors import LinearSegmentedColormap
from PIL import Image

import npespcn
from npespcn.evaluation import psnr
from npespcn.figures import channel_colors, subpixel_channels, text_color
from npespcn.pictures import downscale, quantize, read_image, rgb_to_y, upscale_bicubic

SCALE = 3
LEFT, UPPER, SIDE = 45, 0, 345  # the part of the photograph that is shown


def photographs() -> tuple[dict, dict[str, str]]:
    """Return the photograph in four forms, and the PSNR of two of them.

    It is made three times smaller, and larger again by bicubic interpolation and by the network.
    """
    original = read_image(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    small = downscale(original, SCALE)
    original = original[: small.shape[0] * SCALE, : small.shape[1] * SCALE]
    made = {
        "pixels": small.repeat(SCALE, axis=0).repeat(SCALE, axis=1),
        "bicubic": upscale_bicubic(small, SCALE),
        "network": np.asarray(npespcn.upscale(small, SCALE, back_projection=False)),
    }
    scores = {
        name: f"{psnr(rgb_to_y(made[name]), rgb_to_y(original), border=SCALE):.1f}"
        for name in ("bicubic", "network")
    }
    part = np.s_[UPPER : UPPER + SIDE, LEFT : LEFT + SIDE]
    return {name: each[part] for name, each in {**made, "original": original}.items()}, scores


def mosaic(pixels) -> np.ndarray:
    """Return the network's nine channels side by side, 3 by 3, each in the color of its channel."""
    luma = rgb_to_y(pixels[::SCALE, ::SCALE].astype(np.float32)) / 255  # (h, w)
    channels = subpixel_channels(npespcn.pretrained(SCALE), luma[None, None])[0]  # (9, h, w)
    gray = np.clip((255 * channels - 16) / 219, 0, 1)  # studio range: black is 16, white 235
    tiles = []
    for channel, color in zip(gray, channel_colors(SCALE), strict=True):
        steps = [(0, "#120a06"), (0.55, color), (1, "#fffaf2")]
        ramp = LinearSegmentedColormap.from_list("", steps)
        tiles.append(quantize(255 * ramp(channel)[..., :3]))
    return np.vstack([np.hstack(tiles[row : row + SCALE]) for row in range(0, len(tiles), SCALE)])


def webp(pixels, quality: int) -> bytes:
    """Return an image as a file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "webp", quality=quality, method=6)
    return file.getvalue()


def in_address(file: bytes) -> str:
    """Return a picture as an address: a script may read its pixels, also on a page from a disk."""
    return f"data:image/webp;base64,{base64.b64encode(file).decode()}"


def course() -> list[dict]:
    """Return the parts of the course and their lessons, each part in a hue of its own."""
    shades, parts = channel_colors(3, 3), []
    for number, part in enumerate(PARTS):
        own = [lesson for lesson in lessons() if lesson.part == part]
        places = np.linspace(1, 7, len(own)).round().astype(int)  # of nine, from light to dark
        fills = [shades[9 * number + i] for i in places] if number < 3 else ["#8b8f96"] * len(own)
        parts.append(
            {
                "title": part,
                "minutes": sum(lesson.minutes for lesson in own),
                "lessons": [
                    {
                        "number": lesson.number,
                        "title": lesson.title,
                        "page": f"lessons/{lesson.path.stem}",
                        "minutes": lesson.minutes,
                        "fill": fill,
                        "ink": text_color(fill),
                    }
                    for lesson, fill in zip(own, fills, strict=True)
                ],
            }
        )
    return parts


def write_pictures(folder: Path) -> dict:
    """Write the pictures of the slider; return the words and pictures that the page contains."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures, scores = photographs()
    for name, pixels in pictures.items():
        (folder / f"{name}.webp").write_bytes(webp(pixels, 92))
    return {
        "side": SIDE,
        "mosaic": in_address(webp(mosaic(pictures["pixels"]), 85)),
        "whole": in_address((folder / "network.webp").read_bytes()),
        "scores": scores,
        "colors": channel_colors(SCALE),
        "course": course(),
        "chinese": "zh/index.html" if languages.PAGES else None,
    }


def setup(app):
    """Have Sphinx write the landing page in the place of index.md."""
    page = write_pictures(Path(app.srcdir) / "_build" / "extra" / "landing")

    def use(app, name, template, context, doctree):
        if name != app.config.root_doc:
            return None
        context.update(page)
        return "landing.html"

    app.connect("html-page-context", use)


if __name__ == "__main__":  # the first picture of README.md; PYTHONPATH has tutorials
    pictures, _ = photographs()
    nine = mosaic(pictures["pixels"])
    shades = nine.reshape(SCALE, SIDE // SCALE, SCALE, SIDE // SCALE, 3)  # (i, h, j, w, 3)
    one = shades.transpose(1, 0, 3, 2, 4).reshape(SIDE, SIDE, 3)  # (h, i, w, j, 3)
    poster = np.hstack([nine, one, pictures["network"]])
    Image.fromarray(poster).save(Path(__file__).parent / "images" / "nine_to_one.jpg", quality=85)
