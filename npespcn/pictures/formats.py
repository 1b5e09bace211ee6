"""Animations, pages and durations, and the limits of each format.

All pixels here are in the plain modes of `npespcn.pictures.modes`.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import ICCPROFILE, AppendingTiffWriter

from npespcn.common.files import check_file
from npespcn.pictures.bombs import check_bomb
from npespcn.pictures.composition import Canvas
from npespcn.pictures.fields import tags_of
from npespcn.pictures.files import (
    ANIMATED,
    MODES,
    PAGED,
    check_writable,
    format_of,
    is_image_file,
    open_image,
    pillow_errors,
    write_image,
    written_file,
)
from npespcn.pictures.metadata import metadata_of, save_options
from npespcn.pictures.modes import (
    QUARTER_TURNS,
    in_8_bits,
    name_of,
    on_white,
    orientation,
    to_plain_mode,
)
from npespcn.pictures.profiles import transform_to_srgb

_WITH_PROFILES = ("AVIF", "HEIF", "JPEG", "MPO", "PNG", "TIFF", "WEBP")
_WITH_GRAY_PROFILES = ("JPEG", "MPO", "PNG", "TIFF")  # in the others, gray is held as a color
_TIMES = {"PNG": (0, 65_535_000, 2**32 - 1), "GIF": (10, 655_350, 65535)}  # ms; most ms; most runs
_CLEAR = (1, 0, 2)  # the color in a GIF's table that stands for what is transparent


def frame_sizes(image: Image.Image) -> list[tuple[int, int]]:
    """Return the width and height of every frame or page; previews and layers do not count."""
    sizes = []
    for i in _frames(image):
        if image.format in PAGED:
            with pillow_errors(name_of(image)):
                image.seek(i)
        sizes.append(image.size)  # of a page, as its tag turns it
    return sizes


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
    count, canvas = 1 if paged else len(frames), Canvas(image)
    metadata: dict[str, Any] = {}
    for i in frames:
        with pillow_errors(name_of(image)):
            if image.format in ANIMATED + PAGED:  # a first layer may have another number than 0
                canvas.seek(i)
            if paged and ICCPROFILE not in tags_of(image):
                image.info.pop("icc_profile", None)  # it is another page's
            check_bomb(image, scale, count)
            frame = to_plain_mode(image, canvas=canvas)
            check_bomb(image, scale, count)  # an image inside, as in an icon, had another size
            if paged or i == frames[0]:
                metadata = metadata_of(image)
        if metadata:
            frame.info["kept_metadata"] = metadata
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

    An image with alpha goes onto white where the format has no transparency, 16 bits become 8 and
    colors 256 where the format has no more, and metadata are left out that it does not hold; each
    with a warning. Colors become sRGB where it has no color profiles.

    Parameters
    ----------
    path
        The file. Its suffix chooses the format.
    frames : sequence of PIL image
        Plain modes; ``info`` may hold icc_profile, dpi, duration (of a frame, in ms), and
        kept_metadata (as `plain_frames` gives them).
    loop : int, optional
        Number of times that an animation runs; 0 means forever.

    Raises
    ------
    ValueError
        If the format is not known, or cannot hold the image, or not several frames.
    """
    image_format = format_of(path)
    check_writable(path, [frame.size for frame in frames])
    if image_format in ANIMATED and len({frame.mode for frame in frames}) > 1:
        frames = [_converted(frame, "RGBA") for frame in frames]
    losses: dict[str, None] = {}
    written = [_for_format(frame, path, len(frames), losses) for frame in frames]
    options = []
    for frame in frames if image_format in PAGED else frames[:1]:
        kept, lost = save_options(frame.info.get("kept_metadata", {}), image_format, frame.size)
        keys = ("icc_profile", "dpi")[not _holds_profile(frame, image_format) :]
        options.append(kept | {k: frame.info[k] for k in keys if k in frame.info})
        timed = len(frames) > 1 and image_format in PAGED and frame.info.get("duration")
        lost += ["times of the frames"] if timed else []
        losses |= {f"left out: {', '.join(lost)}": None} if lost else {}
    if image_format == "TIFF":
        with written_file(path) as file:
            _write_pages(AppendingTiffWriter(file), written, options)
    else:
        if len(frames) > 1:
            options[0] |= {"save_all": True, "append_images": written[1:]}
        if len(frames) > 1 and image_format in ANIMATED:
            options[0] |= _timing(frames, image_format, loop, losses)
            clear = image_format == "GIF" and frames[0].mode in ("LA", "RGBA")
            options[0] |= {"disposal": 2 if clear else 0, "optimize": not clear}
            if clear:  # or else Pillow takes a frame that is all clear for the first of a file
                colors = written[0].getpalette() or []
                written[0].putpalette([*colors, 0, 0, 0][:768])
        write_image(path, written[0], **options[0])
    for loss in losses:
        warnings.warn(f"{os.fspath(path)}: {loss}", stacklevel=2)


def _write_pages(
    writer: AppendingTiffWriter, pages: Sequence[Image.Image], options: Sequence[dict[str, Any]]
) -> None:
    try:
        for page, own in zip(pages, options, strict=True):
            page.save(writer, format="TIFF", **own)
            writer.newFrame()
    finally:
        writer.f = io.BytesIO()  # for in the end Python closes it, which reads its file once more


def _frames(image: Image.Image) -> range:
    if image.format not in ANIMATED + PAGED:
        return range(1)
    with pillow_errors(name_of(image)):
        apart = getattr(image, "default_image", False)  # for viewers without animated PNG
        return range(1 if apart else 0, getattr(image, "n_frames", 1))


def _timing(
    frames: Sequence[Image.Image], image_format: str, loop: int | None, losses: dict[str, None]
) -> dict[str, Any]:
    """Return the durations of the frames and how often they run, as Pillow takes them."""
    unit, longest, most = _TIMES.get(image_format, (1, 2**24 - 1, 65535))
    ms = [frame.info.get("duration") for frame in frames]
    times = [100 if t is None else unit * round(t / unit) if unit else t for t in ms]
    durations = [min(t, longest) for t in times]
    if image_format == "GIF" and loop:  # which counts those after the first
        loop = loop - 1 or None
    if image_format == "AVIF" and loop:
        losses["left out: number of runs"] = None
    if times != durations or (loop or 0) > most:
        losses[f"times or runs above those that {image_format} holds are cut"] = None
    return {"duration": durations} | ({} if loop is None else {"loop": min(loop, most)})


def _for_format(
    image: Image.Image, path: str | os.PathLike[str], frames: int, losses: dict[str, None]
) -> Image.Image:
    """Return an image, one of so many frames, as the format can hold it; add what is lost."""
    image_format, suffix, own = format_of(path), os.path.splitext(path)[1].lower(), image
    modes = MODES.get(suffix, MODES[image_format])
    if image.mode == "I;16" and ("I;16" not in modes or (frames > 1 and image_format in ANIMATED)):
        losses[f"{image_format} keeps 8 of the 16 bits"] = None
        image = in_8_bits(image)
    if "icc_profile" in own.info and not _holds_profile(own, image_format):
        image = _in_srgb(image, own.info["icc_profile"], losses)
    if image.mode in ("LA", "RGBA") and "RGBA" not in modes:
        losses[f"{image_format} has no transparency; put on white"] = None
        image = on_white(image)
    if image.mode == "RGB" and "RGB" not in modes:
        losses[f"{suffix} has no colors; made gray"] = None
        image = image.convert("L")
    if image.mode not in modes:
        image = image.convert("RGBA" if image.mode == "LA" else "RGB")
    return _with_color_table(image, losses) if image_format == "GIF" else image


def _holds_profile(image: Image.Image, image_format: str) -> bool:
    return image_format in (_WITH_PROFILES if image.mode[0] == "R" else _WITH_GRAY_PROFILES)


def _in_srgb(image: Image.Image, profile: bytes, losses: dict[str, None]) -> Image.Image:
    flat = image.convert("RGB" if image.mode[0] == "R" else "L")
    transform = transform_to_srgb(profile, flat.mode)
    if transform is None or image.mode == "I;16":  # which keeps its bits
        losses["left out: color profile"] = None
        return image
    srgb = transform.apply(flat).convert(flat.mode)
    srgb.info = {}  # or else Pillow would write a profile again
    if image.mode in ("LA", "RGBA"):
        srgb.putalpha(image.getchannel("A"))
    return srgb


def _with_color_table(image: Image.Image, losses: dict[str, None]) -> Image.Image:
    """Return an image of up to 256 colors, one of them for what is less than half opaque."""
    can_be_clear, pixels = image.mode == "RGBA", np.array(image.convert("RGBA"))  # (H, W, 4)
    alpha = pixels[..., 3]
    clear = alpha < 128
    if (alpha[~clear] < 255).any() or alpha[clear].any():
        losses["GIF has no half transparency; each pixel is opaque or clear"] = None
    if not clear.all():
        pixels[clear] = pixels[~clear][0]  # so that they take no color of the table
    flat = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    most = 255 if can_be_clear else 256
    if flat.getcolors(most) is None:
        losses[f"GIF keeps {most} colors"] = None
    table = flat.quantize(most)
    if can_be_clear:
        colors = np.array(table.getpalette()).reshape(-1, 3)  # (up to 255, 3)
        colors[(colors == _CLEAR).all(axis=1), 2] += 1  # for Pillow takes equal colors for clear
        table.putpalette([*colors.ravel(), *_CLEAR])
        table.paste(len(colors), mask=Image.fromarray(clear))
        table.info["transparency"] = len(colors)
    return table


def _converted(image: Image.Image, mode: str) -> Image.Image:
    other = image.convert(mode)
    other.info = image.info
    return other
