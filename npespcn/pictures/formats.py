"""Animations, pages and durations, and the limits of each format.

All pixels here are in the plain modes of `npespcn.pictures.modes`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from PIL import Image

from npespcn.common.files import check_file
from npespcn.pictures.bombs import check_bomb
from npespcn.pictures.files import (
    check_writable,
    format_of,
    is_image_file,
    open_image,
    pillow_errors,
    write_image,
)
from npespcn.pictures.modes import QUARTER_TURNS, name_of, on_white, orientation, to_plain_mode

ANIMATED = ("GIF", "PNG", "WEBP", "AVIF", "FLI")  # formats whose frames follow in time
PAGED = ("TIFF",)  # formats with pages; in all others, more frames are previews or layers
_WITHOUT_ALPHA = ("JPEG", "BMP", "DIB", "PPM", "PCX", "EPS", "PDF", "MPO")
_WITH_16_BITS = ("PNG", "TIFF", "PPM", "JPEG2000")


def frame_count(image: Image.Image) -> int:
    """Return the number of frames or pages in an image; further previews or layers do not count."""
    return len(_frames(image))


def loops(image: Image.Image) -> int:
    """Return the number of times that an animation runs; 0 means forever."""
    loop: int | None = image.info.get("loop")
    if image.format == "GIF":  # which counts the repetitions after the first time
        return 1 if loop is None else loop and loop + 1
    return loop or 0


def plain_frames(image: Image.Image, scale: int = 1) -> Iterator[Image.Image]:
    """Yield every frame or page in a plain mode, with its ``duration`` (ms) in ``info``.

    Raises
    ------
    ValueError
        If the file is broken, or a decompression bomb when all frames, `scale` times larger, are
        kept.
    """
    frames, paged, taken = _frames(image), image.format in PAGED, 0
    for i in frames if paged else ():  # each page has its own size
        with pillow_errors(name_of(image)):
            image.seek(i)
            taken = check_bomb(image, scale, taken=taken)
    count = 1 if paged else len(frames)
    for i in frames:
        with pillow_errors(name_of(image)):
            if image.format in ANIMATED + PAGED:  # a first layer may have another number than 0
                image.seek(i)
            check_bomb(image, scale, count)
            frame = to_plain_mode(image)
            check_bomb(image, scale, count)  # an image inside, as in an icon, had another size
        if "duration" in image.info:  # in some formats only after the pixels are read
            frame.info["duration"] = image.info["duration"]
        yield frame


def upright_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return the width and height that an image file has in a plain mode."""
    with open_image(path) as image, pillow_errors(path):
        check_bomb(image)
        image.load()
        return image.size[::-1] if orientation(image) in QUARTER_TURNS else image.size


def is_whole(path: str | os.PathLike[str], size: tuple[int, int]) -> bool:
    """Return whether an image file has that width and height; if so, read it to its end.

    Raises
    ------
    OSError, ValueError
        If it cannot be read.
    """
    check_file(path)
    # Not Image.open, which takes a large enlarged photograph for a bomb.
    with pillow_errors(path), open(path, "rb") as file:
        if not is_image_file(path):
            raise ValueError("its format is not supported")
        image = Image.OPEN[format_of(path)][0](file, os.fspath(path))
        if image.size != size:
            return False
        for i in _frames(image):
            image.seek(i)
            image.load()
        return True


def write_frames(
    path: str | os.PathLike[str], frames: Sequence[Image.Image], loop: int | None = None
) -> None:
    """Write an image of one or more frames, whole or not at all.

    An image with alpha goes onto white where the format has no transparency, and 16 bits become 8
    where the format has no more; both with a warning.

    Parameters
    ----------
    path
        The file. Its suffix chooses the format.
    frames : sequence of PIL image
        Plain modes; ``info`` may hold icc_profile, dpi and duration (of a frame, in ms).
    loop : int, optional
        Number of times that an animation runs; 0 means forever.

    Raises
    ------
    ValueError
        If the format is not known, or cannot hold the image, or not several frames.
    """
    check_writable(path)
    name, image_format = os.fspath(path), format_of(path)
    if image_format in ANIMATED and len({frame.mode for frame in frames}) > 1:
        frames = [_converted(frame, "RGBA") for frame in frames]
    first, *rest = [_for_format(frame, image_format, name, len(frames)) for frame in frames]
    options: dict[str, Any] = {
        key: first.info[key] for key in ("icc_profile", "dpi") if key in first.info
    }
    if rest:
        if image_format not in Image.SAVE_ALL or image_format not in ANIMATED + PAGED:
            raise ValueError(f"{name}: the format holds one image, not {len(frames)}")
        options |= {"save_all": True, "append_images": rest}
        if image_format in ANIMATED:
            options |= _timing(frames, image_format, loop)
            options["disposal"] = 2 if image_format == "GIF" and first.mode == "RGBA" else 0
    write_image(path, first, **options)


def _frames(image: Image.Image) -> range:
    if image.format not in ANIMATED + PAGED:
        return range(1)
    with pillow_errors(name_of(image)):
        apart = getattr(image, "default_image", False)  # for viewers without animated PNG
        return range(1 if apart else 0, getattr(image, "n_frames", 1))


def _timing(frames: Sequence[Image.Image], image_format: str, loop: int | None) -> dict[str, Any]:
    """Return the durations of the frames and how often they run, as Pillow takes them."""
    ms = [frame.info.get("duration") for frame in frames]
    durations = [100 if t is None else t if image_format == "PNG" else round(t) for t in ms]
    if loop is None or (image_format == "GIF" and loop == 1):
        return {"duration": durations}
    repeats = (
        loop - 1 if image_format == "GIF" and loop else loop
    )  # GIF counts after the first time
    return {"duration": durations, "loop": repeats}


def _for_format(image: Image.Image, image_format: str, name: str, frames: int) -> Image.Image:
    """Return an image, one of so many frames, in a mode that the format can hold."""
    keeps_16_bits = image_format in (_WITH_16_BITS if frames == 1 else PAGED)
    if image.mode == "I;16" and not keeps_16_bits:
        warnings.warn(f"{name}: {image_format} keeps 8 of the 16 bits", stacklevel=3)
    elif image.mode in ("LA", "RGBA") and image_format in _WITHOUT_ALPHA:
        warnings.warn(f"{name}: {image_format} has no transparency; put on white", stacklevel=3)
    elif image.mode == "LA" and image_format == "GIF":  # Pillow would drop its alpha
        return _converted(image, "RGBA")
    else:
        return image
    flat = on_white(image)
    flat.info = image.info
    return flat


def _converted(image: Image.Image, mode: str) -> Image.Image:
    other = image.convert(mode)
    other.info = image.info
    return other
