"""Picture files as people have them: many formats, animations, pages, durations.

Their pixels come and go in the plain modes of `npespcn.pictures.modes`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from npespcn.common.files import check_file
from npespcn.pictures.bombs import NEVER_READ, check_bomb, picture_formats
from npespcn.pictures.files import write_image
from npespcn.pictures.modes import (
    QUARTER_TURNS,
    name_of,
    on_white,
    orientation,
    reading,
    to_plain_mode,
)

ANIMATED = ("GIF", "PNG", "WEBP", "AVIF", "FLI")  # formats whose frames follow in time
PAGED = ("TIFF",)  # and in place. Elsewhere further frames are previews, layers, smaller sizes.
_WITHOUT_ALPHA = ("JPEG", "BMP", "DIB", "PPM", "PCX", "EPS", "PDF", "MPO")
_WITH_16_BITS = ("PNG", "TIFF", "PPM", "JPEG2000")
_OF_FIXED_SIZES = ("ICO", "ICNS")  # Pillow would resize the picture to one of theirs


def is_photo(path: str | os.PathLike[str]) -> bool:
    """Return whether the name ends as that of a picture that can be read."""
    image_format = _format(path)
    return image_format != "" and image_format not in NEVER_READ


def check_writable(path: str | os.PathLike[str]) -> None:
    """Check that pictures can be written under this name.

    Raises
    ------
    ValueError
        If its suffix belongs to no format, or to one that cannot be written or has sizes of its
        own.
    """
    image_format, suffix = _format(path), Path(path).suffix
    if image_format not in Image.SAVE:
        raise ValueError(f"{os.fspath(path)}: pictures are not written as {suffix!r}; try .png")
    if image_format in _OF_FIXED_SIZES:
        raise ValueError(f"{os.fspath(path)}: {suffix} holds icons of a few sizes alone; try .png")


def open_photo(path: str | os.PathLike[str]) -> Image.Image:
    """Open a picture file; its pixels are read later, by `to_plain_mode`.

    Raises
    ------
    OSError
        If the file cannot be opened: missing, a folder, no permission.
    ValueError
        If it is no picture that Pillow can read, or too large a one (a decompression bomb); or a
        pipe or a device.
    """
    check_file(path)
    with reading(path):
        return Image.open(path, formats=picture_formats())


def frame_count(image: Image.Image) -> int:
    """Return how many frames or pages a picture has: 1 where more would be previews or layers."""
    return len(_frames(image))


def loops(image: Image.Image) -> int:
    """Return how many times an animation runs, 0 for ever."""
    loop: int | None = image.info.get("loop")
    if image.format == "GIF":  # where it counts the repetitions, after the first time
        return 1 if loop is None else loop and loop + 1
    return loop or 0


def plain_frames(image: Image.Image, scale: int = 1) -> Iterator[Image.Image]:
    """Yield every frame or page as `to_plain_mode` gives it, with its ``duration`` in ``info``.

    Raises
    ------
    ValueError
        If the file is broken; or a decompression bomb, all frames being kept `scale` times larger.
    """
    frames, taken = _frames(image), 0
    for i in frames if image.format in PAGED else ():  # each of a size of its own
        with reading(name_of(image)):
            image.seek(i)
            taken = check_bomb(image, scale, taken=taken)
    count = 1 if image.format in PAGED else len(frames)
    for i in frames:
        with reading(name_of(image)):
            if image.format in ANIMATED + PAGED:  # a first layer may have another number than 0
                image.seek(i)
            check_bomb(image, scale, count)
        frame = to_plain_mode(image)
        with reading(name_of(image)):
            check_bomb(image, scale, count)  # a picture inside, as in an icon, had another size
        if "duration" in image.info:  # in some formats only now, when the pixels are read
            frame.info["duration"] = image.info["duration"]
        yield frame


def upright_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return the width and height that a picture file has in a plain mode."""
    with open_photo(path) as image, reading(path):
        check_bomb(image)
        image.load()
        return image.size[::-1] if orientation(image) in QUARTER_TURNS else image.size


def is_whole(path: str | os.PathLike[str], size: tuple[int, int]) -> bool:
    """Whether a picture has that width and height; read it to its end if so.

    Raises
    ------
    OSError, ValueError
        If that cannot be done.
    """
    check_file(path)
    # Not Image.open: a camera's picture, enlarged, is as large as what it calls a bomb.
    with reading(path), open(path, "rb") as file:
        if not is_photo(path):
            raise ValueError("it is in a format that is not read")
        image = Image.OPEN[_format(path)][0](file, os.fspath(path))
        if image.size != size:
            return False
        for i in _frames(image):
            image.seek(i)
            image.load()
        return True


def write_photo(
    path: str | os.PathLike[str], frames: Sequence[Image.Image], loop: int | None = None
) -> None:
    """Write a picture of one or more frames, whole or not at all.

    A picture with alpha goes onto white where the format has no transparency, and 16 bits become 8
    where it has no more; both with a warning.

    Parameters
    ----------
    path
        The file. Its suffix chooses the format.
    frames : sequence of PIL image
        Plain modes; ``info`` may hold icc_profile, dpi and duration (of a frame, in ms).
    loop : int, optional
        How many times an animation runs, 0 for ever.

    Raises
    ------
    ValueError
        If the format is not known or cannot hold the picture, or not several frames.
    """
    check_writable(path)
    name, image_format = os.fspath(path), _format(path)
    if image_format in ANIMATED and len({frame.mode for frame in frames}) > 1:
        frames = [_converted(frame, "RGBA") for frame in frames]
    first, *rest = [_for_format(frame, image_format, name, len(frames)) for frame in frames]
    options: dict[str, Any] = {
        key: first.info[key] for key in ("icc_profile", "dpi") if key in first.info
    }
    if rest:
        if image_format not in Image.SAVE_ALL or image_format not in ANIMATED + PAGED:
            raise ValueError(f"{name}: the format holds one picture, not {len(frames)}")
        options |= {"save_all": True, "append_images": rest}
        if image_format in ANIMATED:
            options |= _timing(frames, image_format, loop)
            options["disposal"] = 2 if image_format == "GIF" and first.mode == "RGBA" else 0
    try:
        write_image(path, first, **options)
    except (OSError, ValueError, MemoryError):
        raise
    except Exception as error:  # Pillow's, as for a side that the format's 16 bits cannot count
        raise ValueError(f"{name}: {image_format} cannot hold the picture: {error}") from error


def _format(path: str | os.PathLike[str]) -> str:
    """Return Pillow's name for the format of a file of this name, or an empty one."""
    return Image.registered_extensions().get(Path(path).suffix.lower(), "")


def _frames(image: Image.Image) -> range:
    if image.format not in ANIMATED + PAGED:
        return range(1)
    with reading(name_of(image)):
        apart = getattr(image, "default_image", False)  # for viewers that know no animated PNG
        return range(1 if apart else 0, getattr(image, "n_frames", 1))


def _timing(frames: Sequence[Image.Image], image_format: str, loop: int | None) -> dict[str, Any]:
    """Return how long each frame stays, and how many times they run, as Pillow takes it."""
    ms = [frame.info.get("duration") for frame in frames]
    durations = [100 if t is None else t if image_format == "PNG" else round(t) for t in ms]
    if loop is None or (image_format == "GIF" and loop == 1):
        return {"duration": durations}
    repeats = loop - 1 if image_format == "GIF" and loop else loop  # GIF: after the first time
    return {"duration": durations, "loop": repeats}


def _for_format(image: Image.Image, image_format: str, name: str, frames: int) -> Image.Image:
    """Return the picture, which is one of so many frames, as the format can hold it."""
    keeps_16_bits = image_format in (_WITH_16_BITS if frames == 1 else PAGED)
    if image.mode == "I;16" and not keeps_16_bits:
        warnings.warn(f"{name}: {image_format} keeps 8 of the 16 bits", stacklevel=3)
    elif image.mode in ("LA", "RGBA") and image_format in _WITHOUT_ALPHA:
        warnings.warn(f"{name}: {image_format} has no transparency; put on white", stacklevel=3)
    elif image.mode == "LA" and image_format == "GIF":  # for which Pillow would drop the alpha
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
