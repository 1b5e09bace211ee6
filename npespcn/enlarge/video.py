"""Videos: every frame through the network; sound and subtitles are copied.

PyAV reads and writes the files (``pip install 'npespcn[video]'``; FFmpeg comes with it). Frames are
decoded, enlarged and encoded one after the other. So memory holds only the few dozen frames that
the encoder looks ahead, however long the video is.
"""

from __future__ import annotations

import importlib
import io
import math
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from typing import Any

from npespcn.common.files import atomic_write, check_file
from npespcn.enlarge.frames import FrameEnlarger, file_name, fraction, upright_size, warn, when
from npespcn.models import Network

# fmt: off
VIDEO_SUFFIXES = frozenset({
    ".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m2v", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg",
    ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv", ".y4m",
})
# fmt: on

_X264 = {"crf": "16", "preset": "fast"}
_VP9 = {"crf": "20", "deadline": "good", "cpu-used": "4", "row-mt": "1"}
_WRITERS: dict[str, tuple[str, str, dict[str, str]]] = {  # suffix: container, encoder, its options
    ".avi": ("avi", "libx264", {**_X264, "bf": "0"}),  # no B-frames: AVI holds no times for them
    ".m4v": ("mp4", "libx264", _X264),
    ".mkv": ("matroska", "libx264", _X264),
    ".mov": ("mov", "libx264", _X264),
    ".mp4": ("mp4", "libx264", _X264),
    ".webm": ("webm", "libvpx-vp9", _VP9),
}
# AVI tells times by counting packets or bytes, which comes out right for these, and for PCM.
_AVI_COUNTS_PACKETS = ("aac", "ac3", "mp2", "mp3")
_AVI_COUNTS_BYTES = ("wmav1", "wmav2")
# MP4 tells where each frame is, so FFmpeg misses it
_TELLS_LENGTH = ("avi", "flv", "matroska,webm")
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")  # the two GUIDs of the specification
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_SLACK = Fraction(1, 2)  # seconds that a file may end before the length in its header
_STALE = ("BPS", "DURATION", "NUMBER_OF_", "_STATISTICS_", "encoder", "rotate", "vendor_id")
_BRANDS = ("major_brand", "minor_version", "compatible_brands", "encoder")
_FRAME_DURATION, _GLOBAL_HEADER = 1 << 8, 1 << 22  # AV_CODEC_FLAG_...


WRITABLE = frozenset(_WRITERS)


def is_video(path: str | os.PathLike[str]) -> bool:
    """Return whether the name has the suffix of a video.

    Examples
    --------
    >>> is_video("holiday.MP4"), is_video("holiday.jpg")
    (True, False)
    """
    return os.path.splitext(os.fspath(path))[1].lower() in VIDEO_SUFFIXES


def default_suffix(path: str | os.PathLike[str]) -> str:
    """Return the suffix of the file to write: the video's own or .mp4, or one that has its sound.

    Raises
    ------
    RuntimeError, OSError, ValueError
        As `upscale_video`.
    """
    suffix = os.path.splitext(os.fsdecode(path))[1]
    first = suffix if suffix.lower() in _WRITERS else ".mp4"
    av = _require_av()
    with _open(av, os.fsdecode(path)) as source:
        good = (s for s in (first, ".mkv", ".mov") if not _too_much(av, s.lower(), source))
        return next(good, first)


def upscale_video(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    model: Network,
    *,
    back_projection: bool = True,
    progress: Callable[[int, int | None], object] | None = None,
    keep_going: bool = False,
) -> None:
    """Enlarge a video by ``model.scale``: every frame, at the same times, with the same sound.

    The network enlarges the luma (Y) of each frame as the file holds it; full range is converted
    to studio range and back. Chroma is enlarged by bicubic interpolation and keeps its position
    relative to Y. Sound and subtitles are copied without encoding them again. Pixel shape, color
    description, titles, languages and chapters are kept; a video that is stored on its side is
    written upright. Data tracks and cover images are left out, with a warning.

    The result is H.264, in .webm VP9, with 8 bits in 4:2:0, 4:2:2 or 4:4:4 as before (gray becomes
    4:2:0); an odd width or height that the format cannot hold makes it 4:4:4. Times are as exact as
    the container allows: .mkv and .webm count milliseconds, .avi counts frames.

    Parameters
    ----------
    path
        The video. It is only read.
    out
        The file to write: .mp4, .m4v, .mov, .mkv, .avi or .webm. It appears whole or not at all.
    model : Network
        With ``channels=1``, any padding, on the CPU or the GPU.
    back_projection
        Whether to keep the mean brightness of each place, as `npespcn.enlarge.upscale` does.
    progress : callable, optional
        Called after every frame with the number of frames done and their total number, which may be
        a few off, or None if the file does not tell.
    keep_going
        Enlarge what can be shown of a damaged video, and warn with the number of frames that are
        concealed (made up by the decoder, from other frames) or lost.

    Raises
    ------
    RuntimeError
        If PyAV is not installed.
    OSError
        If a file cannot be opened, read or written.
    ValueError
        If `path` is no video, is damaged or cut short; if `out` has another suffix, or cannot
        hold the sound or the times; if the model does not take one channel, or its output is not
        finite.

    Warns
    -----
    UserWarning
        If something is lost (bits, transparency, a track or a cover image, in .webm the shape of
        pixels that are not square, with `keep_going` frames), or if the video is interlaced: the
        network sees the two fields of a frame as one image.
    """
    av = _require_av()
    name, out_name = os.fsdecode(path), os.fsdecode(out)
    suffix = os.path.splitext(out_name)[1].lower()
    if suffix not in _WRITERS:
        raise ValueError(f"cannot write {out_name}: it must end in {', '.join(sorted(_WRITERS))}")
    if (channels := model.options["channels"]) != 1:
        raise ValueError(
            f"upscale_video: the network must take luma only (channels=1), got {channels=}"
        )
    with _open(av, name) as source:
        if os.path.exists(out_name) and os.path.samefile(name, out_name):
            raise ValueError(f"{out_name} is the video itself; give another name")
        video = _video_stream(av, source, name)
        damage = _Damage(source, keep_going)
        items = _read(av, source, video, name, damage)
        early = []  # up to the first frame, which decides what to write
        for item in items:
            early.append(item)
            if isinstance(item, av.VideoFrame):
                break
        else:
            raise ValueError(f"cannot read {name}: it holds no frame")
        enlarge = FrameEnlarger(av, model, early[-1], video, suffix != ".webm", back_projection)
        clock = _Clock(source, video, avi=suffix == ".avi", out=out_name)
        container = _container(av, suffix, source, out_name)
        total = video.frames or round((source.duration or 0) / 1e6 * clock.rate) or None
        with (
            atomic_write(out) as temporary,
            _told(av, "write", out_name),
            _create(av, str(temporary), container, source) as sink,
        ):
            streams = _add_streams(av, sink, suffix, source, video, enlarge, clock)
            sink.start_encoding()  # any complaint comes now
            done, in_order = 0, _Order(container in ("matroska", "webm", "fifo"))
            cut = container not in ("mov", "mp4")  # these have edit lists, as the source has
            for item in chain(early, items):
                if isinstance(item, av.VideoFrame):
                    sink.mux(streams[video.index].encode(clock.stamp(enlarge(item), item)))
                    done += 1
                    if progress is not None:
                        progress(done, total)
                elif item.stream.index in streams and not (cut and _is_cut_off(item)):
                    in_order(item).stream = streams[item.stream.index]
                    sink.mux(item)
            damage.tell()
            sink.mux(streams[video.index].encode(None))


def video_size(path: str | os.PathLike[str], keep_going: bool = False) -> tuple[int, int]:
    """Read a video to its end; return its width and height, upright.

    With `keep_going` damage is no error.

    Raises
    ------
    RuntimeError, OSError, ValueError
        As `upscale_video`.
    """
    av = _require_av()
    name = os.fsdecode(path)
    size = None
    with _open(av, name) as source:
        damage = _Damage(source, keep_going)
        for item in _read(av, source, _video_stream(av, source, name), name, damage):
            if isinstance(item, av.VideoFrame) and size is None:
                size = upright_size(item)
    if size is None:
        raise ValueError(f"cannot read {name}: it holds no frame")
    return size


def _require_av() -> Any:
    try:
        return importlib.import_module("av")
    except ImportError as error:
        raise RuntimeError("video needs PyAV: pip install 'npespcn[video]'") from error


@contextmanager
def _told(av: Any, verb: str, name: str) -> Iterator[None]:
    """Turn FFmpeg's errors into an OSError or a ValueError that names the file."""
    try:
        yield
    except av.error.FFmpegError as error:
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, name) from error
        raise ValueError(f"cannot {verb} {name}: {error.strerror}") from error


# --- reading -------------------------------------------------------------------------------------


@contextmanager
def _open(av: Any, name: str) -> Iterator[Any]:
    """Open a file for reading; a name that looks like an address is still a file's."""
    check_file(name)
    old = int(av.__version__.partition(".")[0]) < 19  # later versions do that by themselves
    options = {"metadata_errors": "surrogateescape"} if old else {}
    try:
        with _told(av, "read", name):
            source = av.open(f"file:{name}", **options)
    except (OSError, ValueError):
        if _bytes_missing(name):
            raise ValueError(f"{name} is cut short: hardly anything is left") from None
        raise
    with source:
        yield source


def _bytes_missing(name: str) -> bool:
    """Return whether an AVI, Matroska or ASF (WMV) file is shorter than its first bytes say."""
    with open(name, "rb") as file:
        head = file.read(4096)
    size = os.path.getsize(name)
    if head.startswith(b"RIFF"):
        length = int.from_bytes(head[4:8], "little")
        return length != 2**32 - 1 and length > size
    if head.startswith(_ASF) and (at := head.find(_ASF_PROPERTIES)) > 0:
        live = head[at + 88 : at + 89] in (b"", b"\x01", b"\x03")  # a flag: it is broadcast
        return not live and int.from_bytes(head[at + 40 : at + 48], "little") > size
    at = head.find(b"\x18\x53\x80\x67", 0, 256) + 4  # Matroska's segment; its length comes next
    if head.startswith(b"\x1a\x45\xdf\xa3") and 4 <= at < len(head) and head[at] > 0:
        n = 9 - head[at].bit_length()  # the first 1 bit tells how many bytes
        length = int.from_bytes(head[at : at + n], "big") - (1 << 7 * n)
        return length < (1 << 7 * n) - 1 and at + n + length > size  # all ones: not known
    return False


def _video_stream(av: Any, source: Any, name: str) -> Any:
    cover = av.stream.Disposition.attached_pic
    videos = [stream for stream in source.streams.video if not stream.disposition & cover]
    if not videos or source.format.name.endswith("_pipe"):
        what = "an image" if videos else "no video in it"
        raise ValueError(f"cannot read {name} as a video: there is {what}")
    if videos[0].codec_context is None:
        raise ValueError(f"cannot read {name}: FFmpeg does not know its encoding")
    if len(videos) > 1:
        warn(source, f"only the first of {len(videos)} video tracks is kept")
    return videos[0]


class _Damage:
    """What is damaged in a video: an error, or with `keep_going` a count."""

    def __init__(self, source: Any, keep_going: bool) -> None:
        self.source, self.keep_going = source, keep_going
        self.counts: Counter[str] = Counter()

    def count(self, what: str, message: str) -> None:
        """Count a damage, or raise an error with the message."""
        if not self.keep_going:
            name = file_name(self.source)
            raise ValueError(f"{name}: it {message}; --keep-going enlarges what is left")
        self.counts[what] += 1

    def tell(self) -> None:
        """Warn about what was counted."""
        if self.counts:
            counts = ", ".join(f"{what}: {n}" for what, n in self.counts.items())
            warn(self.source, f"damaged; {counts}; frames up to the next key frame may suffer too")


def _read(av: Any, source: Any, video: Any, name: str, damage: _Damage) -> Iterator[Any]:
    """Yield the frames of `video` and the packets of all other streams, in the file's order.

    Raises
    ------
    ValueError
        If something is damaged or the end is missing, which FFmpeg by itself would conceal.
    """
    end = Fraction(0)
    # In AVI a packet's only time is its position, and the decoder reorders B-frames. FFmpeg
    # handles the older codecs; for these two it guesses, a frame or more too late.
    by_order = source.format.name == "avi" and video.codec_context.name in ("h264", "hevc")
    places: deque[int | None] = deque()
    bad_times: set[int | None] = set()
    if _bytes_missing(name):
        damage.count("missing ends", "is cut short: its end is missing")
    with _told(av, "read", name):
        for packet in source.demux():
            ours = packet.stream.index == video.index
            if packet.is_corrupt and ours and damage.keep_going:
                bad_times.add(packet.pts)
            elif packet.is_corrupt:
                where = f"is damaged{when(packet)}, or cut short"
                damage.count("packets of sound or subtitles", where)
            if packet.size and packet.pts is not None:
                end = max(end, (packet.pts + (packet.duration or 0)) * fraction(packet.time_base))
            if not packet.size and (not ours or packet.pts is not None):
                continue  # the last of each stream; or "the same frame again", in Theora
            if not ours:
                yield packet
                continue
            places.extend([packet.dts] * (by_order and packet.size > 0))
            try:
                frames = packet.decode()
            except (av.error.InvalidDataError, av.error.PermissionError):  # H.263 returns -1
                damage.count("frames lost", f"is damaged{when(packet)}")
                continue
            for frame in frames:
                if frame.is_corrupt or frame.pts in bad_times - {None}:
                    damage.count("frames concealed", f"is damaged{when(frame)}")
                if places:
                    frame.pts = places.popleft()
                yield frame
    length, start = (Fraction(t or 0, 1_000_000) for t in (source.duration, source.start_time))
    missing = damage.counts["missing ends"]
    if (
        not missing
        and source.format.name in _TELLS_LENGTH
        and max(end, end - start) < length - _SLACK
    ):
        ends = f"{float(end):.1f} of {float(length):.1f} seconds"
        damage.count("missing ends", f"is cut short: it ends after {ends}")


# --- writing -------------------------------------------------------------------------------------


def _container(av: Any, suffix: str, source: Any, out: str) -> str:
    """Return FFmpeg's name of the container to write.

    Raises
    ------
    ValueError
        If it cannot hold the sound.
    """
    names = {_name_if_held(av, suffix, stream) for stream in source.streams.audio}
    if "" in names:
        what = _too_much(av, suffix, source)
        others = (s for s in (".mkv", ".mov", ".mp4") if not _too_much(av, s, source))
        other = next(others, None)
        advice = f"write {other}" if other else "nor can .mkv, .mov or .mp4; convert it first"
        raise ValueError(f"cannot write {out}: {suffix} cannot hold this audio ({what}); {advice}")
    return "fifo" if "fifo" in names else _WRITERS[suffix][0]


def _too_much(av: Any, suffix: str, source: Any) -> str:
    """Describe the first sound that a container cannot hold, if there is one."""
    for stream in source.streams.audio:
        if not _name_if_held(av, suffix, stream):
            if (codec := stream.codec_context) is None:
                return "unknown"
            return f"{codec.codec.canonical_name}, {codec.sample_rate} Hz, {codec.layout.name}"
    return ""


def _name_if_held(av: Any, suffix: str, stream: Any) -> str:
    """Return FFmpeg's name of the container if it can hold a stream, else "", by trying.

    PyAV refuses Matroska the audio that it, like AVI, holds under Windows' numbers (WMA, AMR). It
    does not refuse it FFmpeg's "fifo", which hands everything on to the writer of Matroska.
    """
    name, audio = _WRITERS[suffix][0], stream.type == "audio"
    if audio and not (stream.codec_context and _comes_right(name, stream.codec_context)):
        return ""
    for writer in (name, "avi") if name == "matroska" and audio else (name,):
        try:
            with _sink(av, os.devnull, writer) as sink:
                _add_copy(av, sink, stream)
                sink.start_encoding()
            return name if writer == name else "fifo"
        except (ValueError, av.error.FFmpegError):
            pass
    return ""


def _comes_right(container: str, codec: Any) -> bool:
    """Return whether a container keeps times and channels of a sound, if it takes it at all."""
    name = codec.codec.canonical_name
    pcm = name.startswith("pcm_")
    if container == "mp4":  # the channels must have names, which AVI and MXF do not give
        return not (pcm and codec.layout.name.endswith("channels"))
    if container != "avi":
        return True
    if name == "aac" and not codec.extradata:  # a header in each packet
        return False
    return pcm or name in _AVI_COUNTS_PACKETS + _AVI_COUNTS_BYTES


def _sink(av: Any, name: str, container: str, **options: str) -> Any:
    if container == "fifo":
        inner = ":".join(f"{key}={value}" for key, value in options.items())
        options = {"fifo_format": "matroska", "format_opts": inner}
    return av.open(name, "w", format=container, container_options=options)


def _create(av: Any, temporary: str, container: str, source: Any) -> Any:
    options = {}
    if container not in ("mov", "mp4"):  # sound may begin before 0: without moving it all
        options["avoid_negative_ts"] = "disabled"
    elif any((stream.start_time or 0) > 0 for stream in source.streams):
        units = math.lcm(*(fraction(stream.time_base).denominator for stream in source.streams))
        options["movie_timescale"] = str(units if units < 2**31 else 90_000)  # not milliseconds
    sink = _sink(av, temporary, container, **options)
    sink.metadata.update({k: v for k, v in source.metadata.items() if k not in _BRANDS})
    if container != "fifo":
        sink.set_chapters(source.chapters())
    elif source.chapters():
        warn(source, "with this audio, .mkv is written without the chapters")
    return sink


def _add_streams(
    av: Any, sink: Any, suffix: str, source: Any, video: Any, enlarge: FrameEnlarger, clock: _Clock
) -> dict[int, Any]:
    """Add the streams to the file to write; return {index in the source: stream}."""
    streams, others = {}, set()
    for stream in source.streams:
        kind = stream.type
        if stream.index == video.index:
            new = _add_video(sink, suffix, source, enlarge, clock)
        elif kind == "audio":
            new = _add_copy(av, sink, stream)
            clock.check((stream.start_time or 0) * fraction(stream.time_base))
        elif kind == "video" and not stream.disposition & av.stream.Disposition.attached_pic:
            continue  # there was a warning
        elif kind in ("subtitle", "attachment"):
            if not _name_if_held(av, suffix, stream):
                codec = f" ({stream.codec_context.name})" if stream.codec_context else ""
                warn(source, f"{suffix} cannot hold this {kind}{codec}: left out")
                continue
            new = _add_copy(av, sink, stream)
        else:
            if "timecode" not in stream.metadata:  # it is in the other tracks' metadata, too
                others.add("cover images" if kind == "video" else "data tracks")
            continue
        metadata = {k: v for k, v in stream.metadata.items() if not k.startswith(_STALE)}
        new.metadata.update(metadata)
        new.disposition = stream.disposition.value
        streams[stream.index] = new
    if others:
        warn(source, f"left out: {' and '.join(sorted(others))}")
    return streams


def _add_copy(av: Any, sink: Any, stream: Any) -> Any:
    """Add a stream whose packets will be copied.

    Some files tell the size of a block of sound. AVI would then count blocks, not packets, so the
    stream is described as Matroska does it, where there are none; a packet belongs to it.
    """
    codec = stream.codec_context
    if sink.format.name == "avi" and codec.codec.canonical_name in _AVI_COUNTS_PACKETS:
        with _open(av, file_name(stream.container)) as source:
            packet = next(source.demux(source.streams[stream.index]))
            if packet.size:
                file = io.BytesIO()
                with av.open(file, "w", format="matroska") as matroska:
                    packet.stream = matroska.add_stream_from_template(packet.stream, opaque=True)
                    matroska.mux(packet)
                file.seek(0)
                with av.open(file) as matroska:
                    return sink.add_stream_from_template(matroska.streams[0], opaque=True)
    return sink.add_stream_from_template(stream, opaque=True)


def _add_video(sink: Any, suffix: str, source: Any, enlarge: FrameEnlarger, clock: _Clock) -> Any:
    _, encoder, options = _WRITERS[suffix]
    stream = sink.add_stream(encoder, rate=clock.rate, options=dict(options))
    context = stream.codec_context
    context.width, context.height = enlarge.size
    context.pix_fmt, context.time_base = enlarge.pix_fmt, clock.time_base
    context.flags |= _FRAME_DURATION | _GLOBAL_HEADER * (sink.format.name == "fifo")
    for key, value in enlarge.color.items():
        setattr(context, key, value)
    if enlarge.pixel_shape:
        context.sample_aspect_ratio = enlarge.pixel_shape  # written into H.264, but not into VP9
        if enlarge.pixel_shape != 1 and suffix == ".webm":
            shape = enlarge.pixel_shape
            warn(source, f"the pixels are not square ({shape}): {suffix} cannot say so")
    return stream


def _is_cut_off(packet: Any) -> bool:
    """Return whether an edit list cuts a packet off: it is decoded, if at all, but not shown."""
    return packet.is_discard and packet.pts is not None and packet.pts + packet.duration < 0


class _Order:
    """The times of copied packets: in each track one after the other, as containers want them.

    Some containers allow equal times, and count in units that are longer than a packet of some
    sounds.
    """

    def __init__(self, equal_times: bool) -> None:
        self.step = 0 if equal_times else 1
        self.last: dict[int, int] = {}

    def __call__(self, packet: Any) -> Any:
        """Return the packet, moved to the earliest time that is allowed if its own is earlier."""
        if packet.dts is not None and packet.pts is not None:
            last = self.last.get(packet.stream.index, packet.dts - self.step)
            packet.dts = self.last[packet.stream.index] = max(packet.dts, last + self.step)
            packet.pts = max(packet.pts, packet.dts)
        return packet


class _Clock:
    """The times of the frames, in units that the container can hold.

    These are the source's units, which are exact. AVI has no times: it counts frames, some empty.
    """

    def __init__(self, source: Any, video: Any, avi: bool, out: str) -> None:
        rate = video.guessed_rate if avi else video.average_rate or video.guessed_rate
        self.unit, self.rate = fraction(video.time_base), fraction(rate) or Fraction(25)
        self.avi, self.out = avi, out
        self.time_base = 1 / self.rate if avi else self.unit
        self.origin = Fraction(source.start_time or 0, 1_000_000)
        self.first: int | None = None
        self.last, self.count = 0, -1

    def check(self, start: Fraction) -> None:
        """Check that the container can hold sound that begins at this time."""
        if self.avi and start > self.origin + Fraction(1, 10):
            raise self._no_times("the sound begins later than the frames")

    def stamp(self, frame: Any, source: Any) -> Any:
        """Give `frame` the time of `source`, and return it."""
        pts = source.pts
        if pts is None:  # one after the other
            pts = 0 if self.first is None else self.last + round(1 / (self.rate * self.unit))
        elif self.first is not None and pts <= self.last:
            pts = self.last + 1  # a frame is not lost because its time is wrong
        self.first, self.last = pts if self.first is None else self.first, pts
        frame.time_base, frame.pts, frame.duration = self.time_base, pts, source.duration
        if self.avi:
            late = max(0, math.floor((self.first * self.unit - self.origin) * self.rate + 0.25))
            count = (pts - self.first) * self.unit * self.rate
            frame.pts, frame.duration = round(count) + late, 1
            if abs(count - round(count)) > 0.25 or frame.pts <= self.count:
                raise self._no_times("the frames do not come at even times")
            self.count = frame.pts
        return frame

    def _no_times(self, what: str) -> ValueError:
        return ValueError(f"cannot write {self.out}: {what}, and AVI holds no times; write .mkv")
