"""The frames of a video: their pixels, and the file's description of them."""

from __future__ import annotations

import warnings
from fractions import Fraction
from typing import Any

import numpy as np
from PIL import Image

from npespcn.common import Array
from npespcn.enlarge.picture import Enlarger
from npespcn.fast import accelerate
from npespcn.fast.tiles import Tile, cut_tiles, run_all
from npespcn.models import Network
from npespcn.pictures.color import quantize

_CENTERED = ("mjpeg", "mpeg1video")  # encodings where a chroma sample lies between two pixels
_LIMITED, _FULL, _BT601 = 1, 2, 6  # AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG, AVCOL_SPC_SMPTE170M
_HDR = ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL", "DOVI_METADATA")
_FORMATS = {(1, 1): "yuv444p", (1, 2): "yuv422p", (2, 2): "yuv420p"}  # by rows, columns a sample


class FrameEnlarger:
    """Enlarge frames that are all like the first one.

    Attributes
    ----------
    size : (width, height)
        Of the enlarged frames.
    pix_fmt : str
        Their pixel format.
    color : dict
        Their color description, by FFmpeg's names.
    pixel_shape : Fraction
        Width by height, 0 if not known.
    """

    def __init__(
        self,
        av: Any,
        model: Network,
        first: Any,
        video: Any,
        even: bool,
        back_projection: bool = True,
    ) -> None:
        context = video.codec_context
        self.av, self.model, self.back_projection = av, accelerate(model), back_projection
        self.name = file_name(video.container)
        self.frame_size = first.width, first.height
        if first.interlaced_frame:
            warn(video.container, "it is interlaced; deinterlace it first for a good result")
        self.format, (sub_rows, sub_columns), lost = _plain(first.format)
        if video.metadata.get("alpha_mode") == "1":  # VP9's, which FFmpeg does not decode
            lost.append("transparency lost")
        if any(first.side_data.get(kind) is not None for kind in _HDR):
            lost.append("HDR metadata lost")
        if lost:
            becomes = f"frames in {first.format.name} become {self.format} of 8 bits"
            warn(video.container, f"{becomes}: {', '.join(lost)}")
        self.color = {
            "color_range": int(first.color_range),
            "colorspace": int(first.colorspace),
            "color_primaries": int(context.color_primaries),
            "color_trc": int(context.color_trc),
        }
        if _is_rgb(first.format):
            self.color |= {"color_range": _LIMITED, "colorspace": _BT601}
        elif self.format == "gray" and not first.color_range:
            self.color["color_range"] = _FULL  # as FFmpeg has it
        self.full = self.color["color_range"] == _FULL

        at_column = (sub_columns - 1) / 2 if context.name in _CENTERED else 0.0
        sides = [  # pixels, how many share a chroma sample, position of the first sample
            (first.height, sub_rows, (sub_rows - 1) / 2),
            (first.width, sub_columns, at_column),
        ]
        self.pixel_shape = fraction(video.sample_aspect_ratio)
        self.transposed, *self.flips = _orientation(first)
        if self.transposed:
            sides.reverse()
            self.pixel_shape = self.pixel_shape and 1 / self.pixel_shape
        r = model.scale
        height, width = (n * r for n, _, _ in sides)
        subs = tuple(sub for _, sub, _ in sides)
        if subs not in _FORMATS or (even and (height % subs[0] or width % subs[1])):
            subs = (1, 1)
        self.size, self.pix_fmt = (width, height), _FORMATS[subs]
        self.samples = []  # of chroma, down and across: count, start in the source, step
        new_at = (subs[0] - 1) / 2, 0.0  # halfway down, on the left, as H.264 has it
        for (n, sub, at), flip, new_sub, new in zip(sides, self.flips, subs, new_at, strict=True):
            if flip:
                at = n - 1 - at - sub * ((n - 1) // sub)
            start = ((new + 0.5) / r - 0.5 - at) / sub
            self.samples.append((-(-n * r // new_sub), start, new_sub / (r * sub)))

    def __call__(self, frame: Any) -> Any:
        """Return the enlarged frame, without its time."""
        if (size := (frame.width, frame.height)) != self.frame_size:
            change = f"{when(frame)}, from {self.frame_size} to {size}"
            raise ValueError(f"cannot read {self.name}: its frames change in size{change}")
        if frame.format.name.replace("yuvj", "yuv") != self.format:
            to = {"dst_colorspace": "ITU601", "dst_color_range": "MPEG"}
            to = to if _is_rgb(frame.format) else {}
            frame = frame.reformat(format=self.format, interpolation="BICUBIC", **to)
        y, *chroma = (self._turn(_pixels(plane)) for plane in frame.planes)
        big = self.av.VideoFrame(*self.size, self.pix_fmt)
        big.color_range, big.colorspace = self.color["color_range"], self.color["colorspace"]
        big_y, *big_chroma = (_pixels(plane) for plane in big.planes)
        self._enlarge_luma(y, big_y)
        for i, pixels in enumerate(big_chroma):  # gray has no chroma planes: 128 is no color
            pixels[:] = _resample(chroma[i], *self.samples) if chroma else 128
        return big

    def _enlarge_luma(self, y: Array, big: Array) -> None:
        """Enlarge luma, as the file holds it: (H, W) -> (H * r, W * r), uint8."""
        black, white = (0, 255) if self.full else (16, 235)
        x = (y[None] - np.float32(black)) / np.float32(white - black)  # (1, H, W), 0 to 1
        limits = min(0, x.min()), max(1, x.max())  # some files have blacker blacks
        enlarger = Enlarger(self.model, self.back_projection, limits)

        def run(tile: Tile) -> None:
            margin = enlarger.halo - np.array(tile.missing)
            larger = black + (white - black) * enlarger.opaque(x[(..., *tile.part)], margin)[0]
            rows, columns = (
                slice(self.model.scale * a, self.model.scale * b) for a, b in tile.place
            )
            big[rows, columns] = quantize(larger)

        tiles = cut_tiles(len(y), y.shape[1], enlarger.halo, enlarger.tile)
        run_all(run, tiles, enlarger.param)

    def _turn(self, plane: Array) -> Array:
        plane = plane.T if self.transposed else plane
        return plane[tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)]


def _is_rgb(pixel_format: Any) -> bool:
    return bool(pixel_format.is_rgb or pixel_format.has_palette or pixel_format.is_bayer)


def _plain(pixel_format: Any) -> tuple[str, tuple[int, int], list[str]]:
    """Return the closest 8-bit format, how many rows and columns share chroma, what is lost."""
    parts = pixel_format.components
    rgb = _is_rgb(pixel_format)
    if not rgb and sum(not part.is_alpha for part in parts) < 3:
        name, subs = "gray", (2, 2)
    else:
        columns = 1 if rgb or pixel_format.chroma_width(16) == 16 else 2
        rows = 1 if columns == 1 or pixel_format.chroma_height(16) == 16 else 2
        name, subs = _FORMATS[rows, columns], (rows, columns)
    lost = ["colors rounded"] * rgb
    lost += ["bits above 8 lost"] * any(part.bits > 8 for part in parts)
    lost += ["transparency lost"] * any(part.is_alpha for part in parts)
    return name, subs, lost


def upright_size(frame: Any) -> tuple[int, int]:
    """Return the width and height of a frame when it is shown."""
    size = frame.width, frame.height
    return size[::-1] if _orientation(frame)[0] else size


def _orientation(frame: Any) -> tuple[bool, bool, bool]:
    """Return how to turn a frame upright: transpose it, reverse its rows, reverse its columns."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False, False, False
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()  # column ax + cy, row bx + dy
    return (True, b < 0, c < 0) if abs(b) > abs(a) else (False, d < 0, a < 0)


def _pixels(plane: Any) -> Array:
    """View the plane's memory without the padding bytes of its lines: (H, W)."""
    lines = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)
    return lines[:: -1 if plane.line_size < 0 else 1, : plane.width]


def _resample(
    plane: Array, rows: tuple[int, float, float], columns: tuple[int, float, float]
) -> Array:
    """Interpolate by bicubic: (h, w) -> (H, W), uint8.

    rows and columns are each (count, start, step): sample i is taken at ``start + i * step``.
    """
    margin = 3  # the edge repeats
    (h, top, down), (w, left, right) = rows, columns
    x, y = left + 0.5 - right / 2 + margin, top + 0.5 - down / 2 + margin
    image = Image.fromarray(np.pad(plane, margin, mode="edge"))
    box = (x, y, x + w * right, y + h * down)
    return np.asarray(image.resize((w, h), Image.Resampling.BICUBIC, box=box))


def warn(container: Any, message: str) -> None:
    """Warn the caller of `npespcn.enlarge.video.upscale_video`."""
    warnings.warn(f"{file_name(container)}: {message}", stacklevel=4)


def file_name(container: Any) -> str:
    """Return the name of the file that a container was opened from."""
    return str(container.name).removeprefix("file:")


def fraction(rational: Any) -> Fraction:
    """Return a Fraction; PyAV gives one, None, or from version 19 on a type of its own."""
    return Fraction(rational.numerator, rational.denominator) if rational else Fraction(0)


def when(item: Any) -> str:
    """Return the time of a frame or a packet in words, if it is known."""
    return "" if item.pts is None else f" at {float(item.pts * item.time_base):.1f} seconds"
