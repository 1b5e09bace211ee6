"""Videos, made here: small clips of moving waves, with sine tones for sound."""

# ruff: noqa: B023  # functions that are made in a loop are called in the same turn

import gc
import os
import sys
import tempfile
import weakref
from fractions import Fraction
from itertools import pairwise, product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from npespcn import pretrained
from npespcn.enlarge import video
from npespcn.enlarge.video import default_suffix, is_video, upscale_video
from npespcn.fast import Accelerated
from npespcn.models import ESPCN

av = pytest.importorskip("av")

WIDTH, HEIGHT, RATE = 48, 32, 25


@pytest.fixture
def lossless(monkeypatch):
    """Let the encoders keep every bit, so that frames can be compared exactly."""
    options = {"libx264": {"qp": "0"}, "libvpx-vp9": {"lossless": "1"}}
    exact = {
        suffix: (container, encoder, options[encoder])
        for suffix, (container, encoder, _) in video._WRITERS.items()
    }
    monkeypatch.setattr(video, "_WRITERS", exact)


def network(scale=2, padding="edge", channels=1):
    """Return an ESPCN that enlarges by bilinear interpolation, and a bit, so nearly linear.

    In the first row of sub-pixels the pixel above counts as much as the one below in the last;
    the same to the left and right. So a network that is given a turned, shifted or transposed
    picture gives another result.
    """
    model = ESPCN(scale, channels=channels, padding=padding)
    for value in model.params.values():
        value[:] = 0
    if channels == 1:
        model.params["conv1.weight"][0, 0, 2, 2] = 0.1
        model.params["conv2.weight"][0, 0, 1, 1] = 1
        for i, j in product(range(scale), repeat=2):
            y, x = ((k + 0.5) / scale - 0.5 for k in (i, j))
            for dy, dx in product((-1, 0, 1), repeat=2):
                weight = max(0, 1 - abs(y - dy)) * max(0, 1 - abs(x - dx))
                model.params["conv3.weight"][scale * i + j, 0, dy + 1, dx + 1] = 10 * weight
    return model


def wave(height, width, i, plane=0):
    """Return a picture, uint8, in studio range, different for every i and plane."""
    y, x = np.mgrid[:height, :width]
    phase = 0.35 * x / (1 + (plane > 0)) + 0.2 * y + 0.9 * i + plane
    return (125 + 80 * np.sin(phase) + 20 * x / width - 10 * y / height).astype(np.uint8)


def make_frame(pix_fmt, width=WIDTH, height=HEIGHT, i=0, picture=wave):
    frame = av.VideoFrame(width, height, pix_fmt)
    for number, plane in enumerate(frame.planes):
        lines = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)
        lines[:] = 77  # what fills up the lines must not be seen
        lines[:, : plane.width] = picture(plane.height, plane.width, i, number)
    return frame


def make_clip(
    path,
    *,
    size=(WIDTH, HEIGHT),
    pix_fmt="yuv420p",
    codec="libx264",
    times=range(10),
    time_base=Fraction(1, RATE),
    picture=wave,
    sounds=(),
    sound_codec="aac",
    sound_seconds=None,
    start=0,
    sound_start=None,
    change=lambda container, stream: None,
    options=None,
    durations=None,
):
    """Write a clip; its sound begins at `start` seconds, its frames at times * time_base later."""
    sound_start = start if sound_start is None else sound_start
    times = list(times)
    options = {"qp": "0"} if codec == "libx264" and options is None else options or {}
    with av.open(str(path), "w", container_options={"movie_timescale": "48000"}) as container:
        if container.format.name not in ("mp4", "mov"):
            container.container_options.clear()
        even = len(set(np.diff(times).tolist())) < 2
        stream = container.add_stream(codec, rate=1 / time_base if even else RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.codec_context.time_base = time_base
        stream.codec_context.flags |= 1 << 8  # durations are those of the frames
        tones = [container.add_stream(sound_codec, rate=48000, layout="mono") for _ in sounds]
        for tone, language in zip(tones, sounds, strict=True):
            tone.metadata["language"] = language
        change(container, stream)
        length = float((times[-1] + 1) * time_base) if sound_seconds is None else sound_seconds
        for number, tone in enumerate(tones):
            angle = np.arange(int(length * 48000)) * (2 * np.pi * (440 + 110 * number) / 48000)
            samples = (8000 * np.sin(angle)).astype(np.int16)[None]
            sound = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            sound.sample_rate, sound.time_base = 48000, Fraction(1, 48000)
            sound.pts = int(sound_start * 48000)
            container.mux(tone.encode(sound))
            container.mux(tone.encode(None))
        for i, time in enumerate(times):
            frame = make_frame(pix_fmt, *size, i, picture)
            frame.pts, frame.time_base = time + round(start / time_base), time_base
            frame.duration = durations[i] if durations else 1
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def seconds(count, unit):
    return None if count is None else Fraction(count) * Fraction(unit.numerator, unit.denominator)


def frames_of(path):
    """Return the frames of a file, and their times, exactly."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return frames, [seconds(frame.pts, frame.time_base) for frame in frames]


def planes_of(frame):
    planes = []
    for plane in frame.planes:
        lines = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)
        planes.append(lines[:, : plane.width].copy())
    return planes


def packets_of(path, kind):
    """Return a list for each stream of that kind: of (time, bytes) of its packets."""
    with av.open(str(path)) as container:
        streams = [stream for stream in container.streams if stream.type == kind]
        packets = {stream.index: [] for stream in streams}
        for packet in container.demux():
            if packet.size and packet.stream.index in packets:
                time = seconds(packet.pts, packet.time_base)
                packets[packet.stream.index].append((time, bytes(packet)))
    return list(packets.values())


def enlarged(model, y, full=False):
    """Return what the network makes of a Y plane, uint8 to uint8, in plain words."""
    studio = (16 + y.astype(np.float64) * 219 / 255 if full else y) / 255
    padded = np.pad(studio, 4, mode="edge") if model.padding == "valid" else studio
    z = model.predict(padded[None, None].astype(np.float32))[0, 0].astype(np.float64) * 255
    z = (z - 16) * 255 / 219 if full else z
    return np.rint(z).clip(0, 255).astype(np.uint8)


def by_network_alone(source, out, model):
    upscale_video(source, out, model, back_projection=False)


def psnr(a, b):
    return 20 * np.log10(255 / max(1e-9, np.sqrt(np.mean((a.astype(float) - b) ** 2))))


def assert_luma(source, out, model, full=False):
    """Assert that the frames of `out` are those of `source` through the network.

    A rare pixel may be 1 off, because sums in float32 may be rounded either way.
    """
    before, _ = frames_of(source)
    after, _ = frames_of(out)
    assert len(after) == len(before) > 0
    for a, b in zip(before, after, strict=True):
        expected = enlarged(model, planes_of(a)[0], full)
        assert planes_of(b)[0].shape == expected.shape
        error = np.abs(planes_of(b)[0].astype(int) - expected)
        assert error.max() <= 1
        assert error.mean() < 0.01


# --- pictures ------------------------------------------------------------------------------------


def test_every_frame_goes_through_the_network_and_none_is_lost_or_moved(tmp_path):
    for suffix in [".mp4", ".m4v", ".mov", ".mkv", ".avi", ".webm"]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        source = make_clip(folder / "in.mp4", times=range(12))
        out, model = folder / f"out{suffix}", network()
        upscale_video(source, out, model)
        expected = [enlarged(model, planes_of(frame)[0]) for frame in frames_of(source)[0]]
        frames, _ = frames_of(out)
        assert len(frames) == 12, suffix
        for i, frame in enumerate(frames):
            y = planes_of(frame)[0]
            quality = [psnr(y, other) for other in expected]
            assert quality[i] > 38, suffix
            assert np.argmax(quality) == i, suffix
        encoder = "vp9" if suffix == ".webm" else "h264"
        with av.open(str(out)) as container:
            assert container.streams.video[0].codec_context.name == encoder, suffix
            assert container.streams.video[0].average_rate == RATE, suffix


@pytest.mark.usefixtures("lossless")
def test_networks_of_any_scale_and_padding(tmp_path):
    for scale, padding in product([1, 2, 3], ["same", "valid", "edge"]):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        source = make_clip(folder / "in.mkv", times=range(2))
        model = network(scale, padding)
        by_network_alone(source, folder / "out.mkv", model)
        assert_luma(source, folder / "out.mkv", model)


@pytest.mark.usefixtures("lossless")
def test_formats_are_kept(tmp_path):
    for pix_fmt, becomes in [
        ("yuv420p", "yuv420p"),
        ("yuv422p", "yuv422p"),
        ("yuv444p", "yuv444p"),
        ("yuvj420p", "yuvj420p"),
        ("yuvj422p", "yuvj422p"),
        ("yuvj444p", "yuvj444p"),
        ("gray", "yuv420p"),
    ]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        full = "j" in pix_fmt

        def change(container, stream):
            stream.codec_context.color_range = 2 if full else 1

        source = make_clip(folder / "in.mp4", pix_fmt=pix_fmt, times=range(3), change=change)
        model = network()
        by_network_alone(source, folder / "out.mp4", model)
        assert_luma(source, folder / "out.mp4", model, full)
        frame = frames_of(folder / "out.mp4")[0][0]
        assert frame.format.name == becomes, (pix_fmt, becomes)


@pytest.mark.usefixtures("lossless")
def test_full_range_is_brought_to_studio_range_for_the_network_and_back(tmp_path):
    """A network that adds 10 studio levels must add 10 * 255 / 219 full-range ones."""

    def change(container, stream):
        stream.codec_context.color_range = 2

    source = make_clip(tmp_path / "in.mp4", pix_fmt="yuvj420p", times=range(1), change=change)
    model = network()
    model.params["conv3.bias"][:] = 10 / 255
    by_network_alone(source, tmp_path / "out.mp4", model)
    brighter = planes_of(frames_of(tmp_path / "out.mp4")[0][0])[0]
    by_network_alone(source, tmp_path / "plain.mp4", network())
    plain = planes_of(frames_of(tmp_path / "plain.mp4")[0][0])[0]
    assert np.mean(brighter.astype(float) - plain) == pytest.approx(10 * 255 / 219, abs=0.1)


@pytest.mark.usefixtures("lossless")
def test_dither_keeps_its_mean_in_frames_too(tmp_path):
    def dither(height, width, i, plane):
        y, x = np.indices((height, width))
        return np.where(((x + y) % 2 == 0) | (plane > 0), white, gray).astype(np.uint8)

    for full, gray, white in [(False, 180, 235), (True, 190, 255)]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        source = make_clip(
            folder / "in.mkv", codec="ffv1", times=range(1), picture=dither,
            change=lambda _, stream: setattr(stream.codec_context, "color_range", 1 + full),
        )  # fmt: skip
        means = []
        for out, projects in (("off.mp4", False), ("on.mp4", True)):
            upscale_video(source, folder / out, pretrained(2), back_projection=projects)
            means.append(planes_of(frames_of(folder / out)[0][0])[0].mean())
        assert abs(means[1] - (gray + white) / 2) < 1, (full, means)
        assert abs(means[0] - (gray + white) / 2) > 5, (full, means)


@pytest.mark.usefixtures("lossless")
def test_a_range_that_is_not_stated_is_full_for_gray_alone(tmp_path):
    for pix_fmt, full in [("yuv420p", False), ("gray", True)]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        source = make_clip(folder / "in.avi", codec="ffv1", pix_fmt=pix_fmt, times=range(2))
        assert frames_of(source)[0][0].color_range == 0, (pix_fmt, full)
        model = network()
        by_network_alone(source, folder / "out.mkv", model)
        assert_luma(source, folder / "out.mkv", model, full)
        frame = frames_of(folder / "out.mkv")[0][0]
        assert frame.color_range == (2 if full else 0), (pix_fmt, full)
        if pix_fmt == "gray":
            assert {int(color) for plane in planes_of(frame)[1:] for color in plane.flat} == {
                128
            }, (pix_fmt, full)


@pytest.mark.usefixtures("lossless")
def test_odd_sizes_are_exactly_scale_times_the_input(tmp_path):
    for pix_fmt, size, scale, suffix, becomes in [
        ("yuv420p", (45, 31), 3, ".mkv", "yuv444p"),
        ("yuv420p", (45, 32), 3, ".mkv", "yuv444p"),
        ("yuv420p", (44, 31), 3, ".mkv", "yuv444p"),
        ("yuv420p", (45, 31), 2, ".mkv", "yuv420p"),
        ("yuv420p", (45, 31), 3, ".webm", "yuv420p"),
        ("yuv422p", (44, 31), 3, ".mkv", "yuv422p"),
        ("yuv422p", (45, 31), 3, ".mkv", "yuv444p"),
    ]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        source = make_clip(
            folder / "in.mkv", codec="ffv1", pix_fmt=pix_fmt, size=size, times=[0, 1]
        )
        model, out = network(scale), folder / f"out{suffix}"
        by_network_alone(source, out, model)
        assert_luma(source, out, model)
        frame = frames_of(out)[0][0]
        assert (frame.width, frame.height) == (size[0] * scale, size[1] * scale), (
            pix_fmt,
            size,
            scale,
            suffix,
            becomes,
        )
        assert frame.format.name == becomes, (pix_fmt, size, scale, suffix, becomes)


def slope(height, width, i, plane, subs=(2, 2), centered=False):
    """Return a picture whose one color rises by 4 a pixel of Y to the right, the other downwards.

    Bicubic interpolation continues a slope, and here without anything to round.
    """
    rows, columns = subs
    y = np.arange(height)[:, None] * rows + (rows - 1) / 2
    x = np.arange(width)[None] * columns + (columns - 1) / 2 * centered
    return np.broadcast_to(20 + 4 * (x if plane == 1 else y), (height, width))


def color_positions(planes, scale):
    """Return where the color samples of an enlarged frame lie, in pixels of the source: y, x."""
    (h, w), (rows, columns) = planes[1].shape, planes[0].shape
    rows, columns = -(-rows // h), -(-columns // w)  # of pixels that share a sample
    y = (np.arange(h)[:, None] * rows + rows / 2) / scale - 0.5
    return y, (np.arange(w) * columns + 0.5) / scale - 0.5


@pytest.mark.usefixtures("lossless")
def test_colors_stay_where_they_lie_relative_to_the_brightness(tmp_path):
    """Samples of color lie on every other pixel, from the left, and halfway down.

    A slope of the colors must go on along the same pixels; to enlarge the planes by themselves
    would shift it by (scale - 1) / 2 pixels. In JPEG they lie halfway in both directions.
    """
    for (codec, pix_fmt, size, subs), scale in product(
        [
            ("ffv1", "yuv420p", (48, 32), (2, 2)),
            ("ffv1", "yuv420p", (47, 31), (2, 2)),
            ("ffv1", "yuv422p", (48, 32), (1, 2)),
            ("ffv1", "yuv444p", (48, 32), (1, 1)),
            ("mjpeg", "yuvj420p", (48, 32), (2, 2)),
        ],
        [2, 3],
    ):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        source = make_clip(
            folder / "in.mkv",
            codec=codec,
            pix_fmt=pix_fmt,
            size=size,
            times=range(2),
            options={"qmin": "1", "qmax": "1"} if codec == "mjpeg" else None,
            picture=lambda *args: slope(*args, subs, codec == "mjpeg") if args[3] else wave(*args),
        )
        upscale_video(source, folder / "out.mkv", network(scale))
        planes = planes_of(frames_of(folder / "out.mkv")[0][0])
        y, x = color_positions(planes, scale)
        inner = np.s_[3 * scale : -3 * scale, 3 * scale : -3 * scale]
        for plane, position in zip(planes[1:], (x, y), strict=True):
            error = (plane - np.floor(20.5 + 4 * position))[inner]
            if codec == "mjpeg":
                assert abs(error.mean()) < 0.3, (
                    codec,
                    pix_fmt,
                    size,
                    subs,
                    scale,
                )  # a shift by a quarter of a pixel would make it 1
            else:
                assert not error.any(), (codec, pix_fmt, size, subs, scale)


# all eight ways to lay a picture: column ax + cy, row bx + dy
ORIENTATIONS = [
    (a, b, c, d)
    for a, b, c, d in product((-1, 0, 1), repeat=4)
    if abs(a * d - b * c) == 1 and abs(a) + abs(b) == 1 == abs(c) + abs(d)
]


@pytest.mark.usefixtures("lossless")
def test_a_video_lying_on_its_side_is_written_upright(tmp_path):
    for pix_fmt, matrix in product(["yuv420p", "yuv422p"], ORIENTATIONS):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        a, b, c, d = matrix
        subs = (2, 2) if pix_fmt == "yuv420p" else (1, 2)
        source = make_clip(
            folder / "in.mp4",
            pix_fmt=pix_fmt,
            times=range(2),
            picture=lambda *args: slope(*args, subs) if args[3] else wave(*args),
            change=lambda container, stream: setattr(stream, "sample_aspect_ratio", Fraction(4, 3)),
        )
        data = bytearray(source.read_bytes())
        at = data.index(b"tkhd") + 44
        values = np.array([a, b, 0, c, d, 0, 0, 0, 0x4000], ">i4")
        values[:-1] <<= 16
        values[-1] <<= 16
        data[at : at + 36] = values.tobytes()
        source.write_bytes(data)

        model, out = network(), folder / "out.mp4"
        by_network_alone(source, out, model)
        stored, upright = (planes_of(frames_of(path)[0][1]) for path in (source, out))
        ys, xs = np.mgrid[:HEIGHT, :WIDTH]
        columns, rows = a * xs + c * ys, b * xs + d * ys
        rows, columns = rows - rows.min(), columns - columns.min()
        y = np.zeros((rows.max() + 1, columns.max() + 1), np.uint8)
        y[rows, columns] = stored[0]
        assert np.abs(upright[0].astype(int) - enlarged(model, y)).max() <= 1, (pix_fmt, matrix)

        at_y, at_x = color_positions(upright, 2)
        for plane, values in zip(upright[1:], (xs, ys), strict=True):
            color = np.zeros(y.shape)
            color[rows, columns] = 20 + 4 * values  # at each pixel
            down, right = color[1, 0] - color[0, 0], color[0, 1] - color[0, 0]
            error = plane - np.floor(color[0, 0] + down * at_y + right * at_x + 0.5)
            assert not error[6:-6, 6:-6].any(), (pix_fmt, matrix)
        assert not frames_of(out)[0][0].side_data.get("DISPLAYMATRIX"), (pix_fmt, matrix)
        with av.open(str(out)) as container:
            ratio = container.streams.video[0].sample_aspect_ratio
            assert ratio == (Fraction(4, 3) if a else Fraction(3, 4)), (pix_fmt, matrix)


@pytest.mark.usefixtures("lossless")
def test_other_formats_become_the_closest_with_a_warning_if_something_is_lost(tmp_path, recwarn):
    for pix_fmt, becomes, lost in [
        ("yuv420p10le", "yuv420p", "8 bits: bits above 8 lost"),
        ("yuv422p10le", "yuv422p", "8 bits: bits above 8 lost"),
        ("gray10le", "yuv420p", "8 bits: bits above 8 lost"),
        ("yuva420p", "yuv420p", "8 bits: transparency lost"),
        ("bgra", "yuv444p", "8 bits: colors rounded, transparency lost"),
        ("yuv411p", "yuv422p", None),
        ("yuv410p", "yuv420p", None),
        ("yuv440p", "yuv444p", None),
    ]:
        recwarn.clear()
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        source = folder / "in.mkv"
        with av.open(str(source), "w") as container:
            stream = container.add_stream("ffv1", rate=RATE)
            stream.width, stream.height, stream.pix_fmt = 32, 16, pix_fmt
            frame = make_frame("yuv444p", 32, 16).reformat(format=pix_fmt, dst_color_range="MPEG")
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        full = "gray" in pix_fmt  # and so it stays
        before = frames_of(source)[0][0].reformat(
            format="gray" if full else "yuv444p",
            dst_colorspace="ITU601",
            dst_color_range="JPEG" if full else "MPEG",
        )
        model = network()
        upscale_video(source, folder / "out.mkv", model)
        after = frames_of(folder / "out.mkv")[0][0]
        assert after.format.name.replace("yuvj", "yuv") == becomes, (pix_fmt, becomes, lost)
        assert psnr(planes_of(after)[0], enlarged(model, planes_of(before)[0], full)) > 40, (
            pix_fmt,
            becomes,
            lost,
        )
        messages = [str(warning.message) for warning in recwarn]
        assert len(messages) == (lost is not None), (pix_fmt, becomes, lost)
        assert all(lost in message and pix_fmt in message for message in messages), (
            pix_fmt,
            becomes,
            lost,
        )


def test_transparency_that_the_decoder_does_not_show_is_said_to_be_lost(tmp_path):
    clip = make_clip(tmp_path / "in.webm", codec="libvpx-vp9", pix_fmt="yuva420p", times=range(2))
    assert frames_of(clip)[0][0].format.name == "yuv420p"
    with pytest.warns(UserWarning, match="transparency lost"):
        upscale_video(clip, tmp_path / "out.mkv", network(1))


def test_hdr_keeps_its_curve_and_a_line_says_what_is_lost(tmp_path):
    def change(container, stream):
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc = 9, 9, 16  # BT.2020, PQ

    display = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
    params = f"log-level=0:hdr10=1:master-display={display}:max-cll=1000,400"
    source = make_clip(
        tmp_path / "in.mp4",
        codec="libx265",
        size=(64, 64),
        times=range(2),
        options={"x265-params": params},
        change=change,
    )
    with pytest.warns(UserWarning, match=r"in\.mp4: .* of 8 bits: HDR metadata lost$"):
        upscale_video(source, tmp_path / "out.mp4", network(1))
    with av.open(str(tmp_path / "out.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.color_primaries, context.color_trc) == (9, 16)


def test_interlaced_video_is_warned_about(tmp_path):
    options = {"flags": "+ildct+ilme", "x264-params": "tff=1"}
    source = make_clip(tmp_path / "in.mp4", times=range(3), options=options)
    with pytest.warns(UserWarning, match="interlaced"):
        upscale_video(source, tmp_path / "out.mp4", network())


def test_color_description_and_pixel_shape_are_kept(tmp_path, recwarn):
    for suffix in [".mp4", ".mkv", ".mov", ".avi", ".webm"]:
        recwarn.clear()
        folder = Path(tempfile.mkdtemp(dir=tmp_path))

        def change(container, stream):
            context = stream.codec_context
            context.color_range, context.colorspace = 1, 1
            context.color_primaries, context.color_trc = 5, 6  # BT.470BG, SMPTE 170M
            stream.sample_aspect_ratio = Fraction(16, 11)

        source = make_clip(folder / "in.mkv", times=range(2), change=change)
        upscale_video(source, folder / f"out{suffix}", network())
        with av.open(str(folder / f"out{suffix}")) as container:
            stream = container.streams.video[0]
            frame = next(container.decode(stream))
            context = stream.codec_context
            assert (frame.color_range, frame.colorspace) == (1, 1), suffix
            assert (context.color_primaries, context.color_trc) == (5, 6), suffix
            if suffix == ".webm":  # PyAV has no way
                assert "not square (16/11): .webm cannot say so" in str(recwarn.pop().message), (
                    suffix
                )
            else:
                assert stream.sample_aspect_ratio == Fraction(16, 11), suffix
        assert not recwarn, suffix


# --- times ---------------------------------------------------------------------------------------

UNEVEN = [0, 3, 4, 10, 11, 12, 30, 31, 60, 61]


@pytest.mark.parametrize("start", [0, 5, Fraction(1, 3)])
@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("source_suffix", [".mp4", ".mkv"])
def test_times_are_exact_also_if_uneven_and_if_they_begin_late(
    tmp_path, suffix, source_suffix, start
):
    source = make_clip(
        tmp_path / f"in{source_suffix}",
        times=UNEVEN,
        time_base=Fraction(1, 90),
        start=start,
        sounds=["eng"],
        durations=[*np.diff(UNEVEN).tolist(), 7],
    )
    out = tmp_path / f"out{suffix}"
    upscale_video(source, out, network())
    assert frames_of(out)[1] == frames_of(source)[1]
    assert packets_of(out, "audio") == packets_of(source, "audio")
    if source_suffix == suffix:
        assert frames_of(out)[1][0] == start
        last, before = frames_of(out)[0][-1], frames_of(source)[0][-1]
        length = seconds(last.duration, last.time_base)
        assert length == seconds(before.duration, before.time_base) == Fraction(7, 90)


def test_a_frame_is_not_lost_because_its_time_is_that_of_the_one_before(tmp_path):
    source = make_clip(tmp_path / "in.mkv", codec="ffv1", times=[0, 1, 1, 2])
    assert frames_of(source)[1] == [0, Fraction(1, 25), Fraction(1, 25), Fraction(2, 25)]
    upscale_video(source, tmp_path / "out.mp4", network())
    assert frames_of(tmp_path / "out.mp4")[1] == [
        0,
        Fraction(1, 25),
        Fraction(41, 1000),
        Fraction(2, 25),
    ]


def test_matroska_keeps_times_to_the_millisecond(tmp_path):
    for suffix in [".mkv", ".webm"]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        source = make_clip(folder / "in.mp4", times=UNEVEN, time_base=Fraction(1, 90), start=5)
        out = folder / f"out{suffix}"
        upscale_video(source, out, network())
        before, after = frames_of(source)[1], frames_of(out)[1]
        assert len(after) == len(before), suffix
        assert max(abs(a - b) for a, b in zip(after, before, strict=True)) <= Fraction(1, 2000), (
            suffix
        )
        upscale_video(out, folder / "again.mkv", network(1))
        assert frames_of(folder / "again.mkv")[1] == after, suffix


def test_avi_holds_times_on_a_grid(tmp_path):
    even = make_clip(tmp_path / "even.mkv", time_base=Fraction(1, 30), start=2, sounds=["eng"])
    upscale_video(even, tmp_path / "even.avi", network())
    _, times = frames_of(tmp_path / "even.avi")
    assert len(times) == 10
    assert {b - a for a, b in pairwise(times)} == {Fraction(1, 30)}
    with av.open(str(tmp_path / "even.avi")) as container:
        assert container.streams.video[0].frames == 10  # no empty ones between

    missing = make_clip(tmp_path / "missing.mkv", times=[0, 1, 2, 5, 6, 7, *range(10, 20)])
    upscale_video(missing, tmp_path / "missing.avi", network())
    upscale_video(tmp_path / "missing.avi", tmp_path / "again.mkv", network(1))
    assert frames_of(tmp_path / "again.mkv")[1] == frames_of(missing)[1]

    late = make_clip(tmp_path / "late.mkv", times=range(5, 15), sounds=["eng"])
    upscale_video(late, tmp_path / "late.avi", network())
    with av.open(str(tmp_path / "late.avi")) as container:
        assert container.streams.video[0].frames == 15


def test_times_that_avi_cannot_hold_are_an_error(tmp_path):
    uneven = make_clip(tmp_path / "uneven.mkv", times=UNEVEN, time_base=Fraction(1, 90))
    fails(uneven, tmp_path, r"out\.avi: the frames do not come at even times", out="out.avi")
    late = make_clip(tmp_path / "late.mkv", sounds=["eng"], sound_start=1)
    fails(late, tmp_path, r"out\.avi: the sound begins later", out="out.avi")


def test_an_avi_file_with_b_frames_can_be_read(tmp_path):
    """AVI says when a packet is decoded, not when its frame is shown: mpeg4's are a frame late."""
    for codec, first in [("libx264", 0), ("mpeg4", 1)]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        options = {"bf": "2"}
        if codec == "libx264":
            options |= {"x264-params": "b-adapt=0", "crf": "10"}
        source = make_clip(folder / "in.avi", codec=codec, options=options, times=range(12))
        assert "B" in {
            av.video.frame.PictureType(f.pict_type).name for f in frames_of(source)[0]
        }, (codec, first)
        model = network()
        upscale_video(source, folder / "out.mp4", model)
        frames, times = frames_of(folder / "out.mp4")
        assert times == [Fraction(first + i, RATE) for i in range(12)], (codec, first)
        before = [enlarged(model, planes_of(frame)[0]) for frame in frames_of(source)[0]]
        assert all(psnr(planes_of(a)[0], b) > 35 for a, b in zip(frames, before, strict=True)), (
            codec,
            first,
        )


# --- sound and subtitles -------------------------------------------------------------------------


def test_every_sound_track_is_copied_to_the_byte(tmp_path):
    for source_suffix, suffix, codec, sound_codec in [
        (".mp4", ".mp4", "libx264", "aac"),
        (".mp4", ".mkv", "libx264", "aac"),
        (".mkv", ".mov", "libx264", "aac"),
        (".ts", ".mkv", "mpeg2video", "mp2"),
        (".webm", ".webm", "libvpx-vp9", "libopus"),
        (".webm", ".mp4", "libvpx-vp9", "libopus"),
        (".avi", ".mkv", "mpeg4", "pcm_s16le"),
    ]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        source = make_clip(
            folder / f"in{source_suffix}",
            codec=codec,
            sounds=["eng", "fra"],
            sound_codec=sound_codec,
            change=lambda c, s: setattr(s, "max_b_frames", 0) if codec == "mpeg2video" else None,
        )
        out = folder / f"out{suffix}"
        upscale_video(source, out, network())
        before, after = packets_of(source, "audio"), packets_of(out, "audio")
        assert len(after) == 2, (source_suffix, suffix, codec, sound_codec)
        assert after[0] != after[1], (source_suffix, suffix, codec, sound_codec)
        for a, b in zip(before, after, strict=True):
            assert [data for _, data in a] == [data for _, data in b], (
                source_suffix,
                suffix,
                codec,
                sound_codec,
            )
            shifts = [abs(t - u) for (t, _), (u, _) in zip(a, b, strict=True)]
            assert max(shifts) <= Fraction(1, 1000), (source_suffix, suffix, codec, sound_codec)
        shifts = [abs(t - u) for t, u in zip(frames_of(source)[1], frames_of(out)[1], strict=True)]
        assert max(shifts) <= Fraction(1, 2000), (source_suffix, suffix, codec, sound_codec)
        if source_suffix in (".mp4", ".mkv", ".webm"):
            with av.open(str(out)) as container:
                assert [s.metadata["language"] for s in container.streams.audio] == [
                    "eng",
                    "fra",
                ], (source_suffix, suffix, codec, sound_codec)


def copied(source, out):
    """Assert that the sound of `out` is that of `source`, to the byte, at the same times.

    Encoders begin up to half a frame before 0, which AVI cannot.
    """
    (before,), (after,) = packets_of(source, "audio"), packets_of(out, "audio")
    assert [data for _, data in after] == [data for _, data in before], out
    shifts = [u - t for (t, _), (u, _) in zip(before, after, strict=True)]
    assert max(shifts) - min(shifts) < Fraction(1, 200), out
    assert -Fraction(1, 500) < min(shifts) < Fraction(1, 40), out
    with av.open(str(source)) as a, av.open(str(out)) as b:
        assert abs(a.duration - b.duration) < 100_000, out


def test_sound_in_avi_keeps_its_times(tmp_path):
    """Also where the source tells the size of a block, by which AVI would count."""
    for suffix, sound_codec in product([".avi", ".mkv"], ["ac3", "aac", "mp2", "libmp3lame"]):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        source = make_clip(
            folder / f"in{suffix}",
            times=range(50),
            options={"bf": "0"},
            sounds=["eng"],
            sound_codec=sound_codec,
        )
        upscale_video(source, folder / "out.avi", network(1))
        upscale_video(folder / "out.avi", folder / "again.avi", network(1))
        copied(source, folder / "out.avi")
        copied(source, folder / "again.avi")


def test_where_avi_would_lose_the_times_of_the_sound_it_is_refused(tmp_path):
    source = make_clip(tmp_path / "in.mkv", sounds=["eng"], sound_codec="eac3")
    fails(
        source,
        tmp_path,
        r"out\.avi: \.avi cannot hold this audio \(eac3, 48000 Hz, mono\); write \.mkv$",
        out="out.avi",
    )


def test_the_default_is_a_container_that_holds_the_sound(tmp_path):
    for suffix, codec, sound_codec, rate, becomes in [
        (".wmv", "wmv2", "wmav2", 44100, ".mkv"),
        (".asf", "wmv1", "wmav1", 44100, ".mkv"),
        (".3gp", "h263", "libopencore_amrnb", 8000, ".mkv"),
        (".flv", "flv", "libmp3lame", 11025, ".mkv"),
        (".flv", "flv", "libmp3lame", 44100, ".mp4"),
        (".mxf", "mpeg2video", "pcm_s16le", 48000, ".mkv"),
        (".avi", "mpeg4", "pcm_s16le", 48000, ".avi"),
        (".avi", "mpeg4", "adpcm_ms", 22050, ".mkv"),
        (".MKV", "libx264", "wmav2", 44100, ".MKV"),
    ]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        source = sounding_clip(folder / f"in{suffix}", codec, sound_codec, rate)
        assert default_suffix(source) == becomes, (suffix, sound_codec)
        upscale_video(source, folder / f"out{becomes}", network(1))
        copied(source, folder / f"out{becomes}")
        assert len(frames_of(folder / f"out{becomes}")[0]) == 25, (suffix, sound_codec)


def sounding_clip(path, codec, sound_codec, rate):
    """Write a second of gray and of stereo sound (AMR: mono), in any container.

    PyAV keeps WMA from Matroska, so there it is written as AVI, and copied by way of the code.
    """
    to = path.with_suffix(".avi") if path.suffix == ".MKV" else path
    layout = "mono" if "amr" in sound_codec else "stereo"
    with av.open(str(to), "w") as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.width, stream.height = (720, 576) if path.suffix == ".mxf" else (176, 144)
        stream.max_b_frames = 0
        tone = container.add_stream(sound_codec, rate=rate, layout=layout)
        sound = av.AudioFrame.from_ndarray(
            np.zeros((1, rate * (1 if layout == "mono" else 2)), np.int16), "s16", layout
        )
        sound.sample_rate, sound.time_base, sound.pts = rate, Fraction(1, rate), 0
        tone.codec_context.bit_rate = 12_200 if "amr" in sound_codec else 64_000
        packets = list(resampled(tone, sound))
        for i in range(RATE):
            frame = make_frame("yuv420p", stream.width, stream.height, picture=lambda *_: 128)
            frame.pts, frame.time_base = i, Fraction(1, RATE)
            container.mux(stream.encode(frame))
            while packets and packets[0].pts * packets[0].time_base <= (i + 1) / RATE:
                container.mux(packets.pop(0))
        container.mux(stream.encode(None))
        container.mux(packets)
    if to != path:
        upscale_video(to, path, network(1))
    return path


def resampled(tone, sound):
    """Encode a frame of sound in the encoder's own sample format."""
    wanted = tone.codec_context
    resampler = av.AudioResampler(wanted.format.name, wanted.layout.name, wanted.sample_rate)
    for frame in resampler.resample(sound):
        yield from tone.encode(frame)
    yield from tone.encode(None)


def test_two_packets_of_sound_at_one_time_are_kept(tmp_path):
    clip = make_clip(tmp_path / "clip.mkv", sounds=["eng"], sound_codec="ac3")
    with av.open(str(clip)) as a, av.open(str(tmp_path / "in.mkv"), "w") as b:
        streams = [b.add_stream_from_template(stream, opaque=True) for stream in a.streams]
        for packet in a.demux():
            if packet.stream.type == "audio" and packet.size:
                packet.pts = packet.dts = packet.dts // 64 * 64  # milliseconds, of 32 each
            if packet.size:
                packet.stream = streams[packet.stream.index]
                b.mux(packet)
    (before,) = packets_of(tmp_path / "in.mkv", "audio")
    assert any(a == b for (a, _), (b, _) in pairwise(before))
    for out, later in (("out.mkv", 0), ("out.mp4", Fraction(1, 1000))):  # MP4 needs other times
        upscale_video(tmp_path / "in.mkv", tmp_path / out, network(1))
        (after,) = packets_of(tmp_path / out, "audio")
        assert [data for _, data in after] == [data for _, data in before], out
        assert all(0 <= u - t <= later for (t, _), (u, _) in zip(before, after, strict=True)), out


def test_a_packet_without_bytes_repeats_the_frame_before(tmp_path):
    """Theora, and others, write that instead of a frame that is the same."""
    source = make_clip(tmp_path / "in.mkv", codec="mjpeg", pix_fmt="yuvj420p")
    with av.open(str(source)) as clip:
        packets = [packet for packet in clip.demux() if packet.size]
        empty = av.Packet(0)
        empty.pts, empty.dts, empty.time_base = 220, 220, packets[0].time_base
        empty.stream = packets[0].stream
        packets.insert(6, empty)
        stand_in = SimpleNamespace(
            demux=lambda: packets, duration=0, start_time=0, format=clip.format
        )
        damage = video._Damage(clip, keep_going=False)
        frames = list(video._read(av, stand_in, clip.streams.video[0], str(source), damage))
    assert [frame.pts for frame in frames] == list(range(0, 400, 40))


def test_sound_that_the_container_cannot_hold_is_named_with_one_that_does(tmp_path):
    source = make_clip(tmp_path / "in.mp4", sounds=["eng"])
    fails(
        source,
        tmp_path,
        r"out\.webm: \.webm cannot hold this audio \(aac, 48000 Hz, mono\); write \.mkv$",
        out="out.webm",
    )
    opus = make_clip(tmp_path / "opus.mkv", sounds=["eng"], sound_codec="libopus")
    fails(opus, tmp_path, r"\.mov cannot hold this audio \(opus, .*write \.mkv", out="out.mov")
    slow = sounding_clip(tmp_path / "slow.flv", "flv", "libmp3lame", 11025)
    fails(slow, tmp_path, r"\(mp3, 11025 Hz, stereo\); write \.mkv$", out="out.mp4")
    plain = sounding_clip(tmp_path / "plain.avi", "mpeg4", "pcm_s16le", 48000)
    fails(plain, tmp_path, r"\(pcm_s16le, 48000 Hz, .*write \.mkv$", out="out.mp4")
    dvd = sounding_clip(tmp_path / "dvd.vob", "mpeg2video", "pcm_dvd", 48000)
    fails(dvd, tmp_path, r"pcm_dvd, .*nor can \.mkv, \.mov or \.mp4; convert it first$")
    assert default_suffix(dvd) == ".mp4"


def with_subtitles(source, out):
    """Copy a clip and give it two lines of subtitles."""
    text = "1\n00:00:00,000 --> 00:00:00,100\nOne\n\n2\n00:00:00,200 --> 00:00:00,300\nTwo\n\n"
    (source.parent / "lines.srt").write_text(text)
    with (
        av.open(str(source)) as clip,
        av.open(str(source.parent / "lines.srt")) as lines,
        av.open(str(out), "w") as container,
    ):
        streams = [
            (part, container.add_stream_from_template(part.streams[0], opaque=True))
            for part in (clip, lines)
        ]
        for part, stream in streams:
            for packet in part.demux():
                if packet.size:
                    packet.stream = stream
                    container.mux(packet)
    return out


def test_subtitles_are_copied_or_a_warning_says_that_they_are_not(tmp_path):
    source = with_subtitles(make_clip(tmp_path / "clip.mkv"), tmp_path / "in.mkv")
    assert len(packets_of(source, "subtitle")[0]) == 2
    upscale_video(source, tmp_path / "out.mkv", network())
    assert packets_of(tmp_path / "out.mkv", "subtitle") == packets_of(source, "subtitle")
    with pytest.warns(UserWarning, match=r"\.mp4 cannot hold this subtitle \(.*\): left out"):
        upscale_video(source, tmp_path / "out.mp4", network())
    assert packets_of(tmp_path / "out.mp4", "subtitle") == []
    assert len(frames_of(tmp_path / "out.mp4")[0]) == 10


def test_titles_chapters_and_fonts_are_kept_and_old_figures_are_not(tmp_path):
    chapter = {
        "id": 1,
        "start": 0,
        "end": 200,
        "time_base": Fraction(1, 1000),
        "metadata": {"title": "One"},
    }

    def change(container, stream):
        container.metadata["title"] = "Wellen, größer"
        stream.metadata.update({"title": "main", "BPS": "1234"})
        container.set_chapters([chapter])
        container.streams.audio[0].disposition = av.stream.Disposition.hearing_impaired.value
        container.add_attachment("letters.ttf", "font/ttf", b"as if it were a font")

    source = make_clip(tmp_path / "in.mkv", change=change, sounds=["eng"])
    upscale_video(source, tmp_path / "out.mkv", network())
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.metadata["title"] == "Wellen, größer"
        stream = container.streams.video[0]
        assert stream.metadata["title"] == "main"
        assert "BPS" not in stream.metadata
        assert container.streams.audio[0].disposition == av.stream.Disposition.hearing_impaired
        assert [c["metadata"]["title"] for c in container.chapters()] == ["One"]
        assert container.streams.attachments[0].data == b"as if it were a font"
    with pytest.warns(UserWarning, match=r"in\.mkv: \.mp4 cannot hold this attachment: left out"):
        upscale_video(source, tmp_path / "out.mp4", network())
    assert len(frames_of(tmp_path / "out.mp4")[0]) == 10


def test_a_cover_picture_is_no_video(tmp_path):
    def change(container, stream):
        stream.disposition = av.stream.Disposition.attached_pic.value

    source = make_clip(
        tmp_path / "in.mp4",
        codec="mjpeg",
        pix_fmt="yuvj420p",
        times=[0],
        sounds=["eng"],
        sound_seconds=0.3,
        change=change,
    )
    with pytest.raises(ValueError, match=r"in\.mp4 as a video: there is no video in it"):
        upscale_video(source, tmp_path / "out.mp4", network())


def test_a_cover_picture_is_left_out_with_a_line(tmp_path):
    with av.open(str(tmp_path / "in.mp4"), "w") as container:
        for codec, pix_fmt in [("libx264", "yuv420p"), ("mjpeg", "yuvj420p")]:
            stream = container.add_stream(codec, rate=RATE)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pix_fmt
            if codec == "mjpeg":
                stream.disposition = av.stream.Disposition.attached_pic.value
        for stream, count in zip(container.streams, (10, 1), strict=True):
            for i in range(count):
                frame = make_frame(stream.pix_fmt, i=i)
                frame.pts, frame.time_base = i, Fraction(1, RATE)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    with pytest.warns(UserWarning, match=r"in\.mp4: left out: cover images$"):
        upscale_video(tmp_path / "in.mp4", tmp_path / "out.mp4", network(1))
    assert len(frames_of(tmp_path / "out.mp4")[0]) == 10


def test_sound_that_an_edit_list_cuts_off_is_not_played(tmp_path):
    """MP4 keeps what it does not show; other containers have no way to say so."""
    clip = make_clip(tmp_path / "clip.mp4", times=range(50), options={"bf": "0"}, sounds=["eng"])
    source = tmp_path / "in.mp4"
    with av.open(str(clip)) as a, av.open(str(source), "w") as b:
        streams = [b.add_stream_from_template(stream, opaque=True) for stream in a.streams]
        for packet in a.demux():
            if packet.size:  # a second earlier, so the first second is cut off
                packet.pts = packet.dts = packet.dts - round(1 / packet.time_base)
                packet.stream = streams[packet.stream.index]
                b.mux(packet)
    assert packets_of(source, "audio")[0][0][0] < -Fraction(9, 10)
    assert len(frames_of(source)[0]) == 25
    for suffix in (".mkv", ".avi"):
        upscale_video(source, tmp_path / f"out{suffix}", network(1))
        (packets,) = packets_of(tmp_path / f"out{suffix}", "audio")
        assert abs(packets[0][0]) < Fraction(1, 20), suffix
        assert 45 < len(packets) < 52, suffix


def test_of_several_video_tracks_the_first_is_kept_with_a_warning(tmp_path):
    one, two = make_clip(tmp_path / "1.mkv", times=range(3)), make_clip(tmp_path / "2.mkv")
    with (
        av.open(str(one)) as a,
        av.open(str(two)) as b,
        av.open(str(tmp_path / "in.mkv"), "w") as container,
    ):
        parts = [
            (c, container.add_stream_from_template(c.streams.video[0], opaque=True)) for c in (a, b)
        ]
        for part, stream in parts:
            for packet in part.demux():
                if packet.size:
                    packet.stream = stream
                    container.mux(packet)
    with pytest.warns(UserWarning, match="only the first of 2 video tracks"):
        upscale_video(tmp_path / "in.mkv", tmp_path / "out.mkv", network())
    assert len(frames_of(tmp_path / "out.mkv")[0]) == 3


# --- memory, progress, whole or not at all -------------------------------------------------------


@pytest.fixture
def made(monkeypatch):
    """Let networks repeat pixels, at once; return references to what they have made."""
    refs = []

    def predict_tile(model, part, missing):
        y = np.pad(part, ((0, 0), (0, 0), *missing), mode="edge")[..., 4:-4, 4:-4].copy()
        refs.append(weakref.ref(y))
        return y

    monkeypatch.setattr(Accelerated, "predict_tile", predict_tile)
    return refs


def test_frames_are_written_as_they_come(tmp_path, made):
    """Sound that ends early must not make the writer hold back everything after it."""

    def noise(h, w, i, n):
        return np.random.default_rng(i).integers(16, 235, (h, w), np.uint8)

    source = make_clip(
        tmp_path / "in.mkv",
        size=(64, 64),
        times=range(500),
        picture=noise,
        sounds=["eng"],
        sound_seconds=0.2,
        options={"crf": "30", "preset": "ultrafast"},
    )
    written = []

    def progress(done, total):
        if done % 50 == 0:
            gc.collect()
            assert sum(ref() is not None for ref in made) <= 1
        written.append(next(tmp_path.glob(".*.mp4")).stat().st_size)

    upscale_video(source, tmp_path / "out.mp4", network(1), progress=progress)
    assert len(made) == 500
    assert written[-1] > (tmp_path / "out.mp4").stat().st_size / 4


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads Linux's /proc")
@pytest.mark.usefixtures("made")
def test_the_memory_does_not_grow_with_the_length(tmp_path):
    source = make_clip(
        tmp_path / "in.mp4",
        size=(640, 480),
        times=range(300),
        picture=lambda h, w, i, n: 50 + i % 100,
        options={"preset": "ultrafast"},
    )
    memory = []

    def progress(done, total):
        with open("/proc/self/statm") as file:
            memory.append(int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))

    upscale_video(source, tmp_path / "out.mp4", network(1), progress=progress)
    frame = 640 * 480 * 3 / 2
    assert memory[299] - memory[149] < 30 * frame  # of 150


def test_progress_is_told_after_every_frame(tmp_path):
    for suffix, total in [(".mp4", 10), (".mkv", 10), (".ts", None)]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        source, calls = make_clip(folder / f"in{suffix}"), []
        upscale_video(
            source, folder / "out.mp4", network(), progress=lambda *call: calls.append(call)
        )
        assert [done for done, _ in calls] == list(range(1, 11)), (suffix, total)
        if total:
            assert {total for _, total in calls} == {total}, (suffix, total)


def test_after_an_error_midway_nothing_is_left_and_the_old_file_stays(tmp_path):
    for error in [RuntimeError, KeyboardInterrupt]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        source = make_clip(folder / "in.mp4", sounds=["eng"])
        contents = source.read_bytes()

        def stop(done, total):
            if done == 4:
                raise error

        for old in (None, b"old"):
            if old:
                (folder / "out.mp4").write_bytes(old)
            with pytest.raises(error):
                upscale_video(source, folder / "out.mp4", network(), progress=stop)
            assert sorted(os.listdir(folder)) == ["in.mp4"] + ["out.mp4"] * (old is not None), error
        assert (folder / "out.mp4").read_bytes() == b"old", error
        assert source.read_bytes() == contents, error


def test_the_file_appears_only_at_the_end_and_the_source_is_not_touched(tmp_path):
    source = make_clip(tmp_path / "in.mp4")
    contents, seen = source.read_bytes(), []
    upscale_video(
        source,
        str(tmp_path / "out.mp4"),
        network(),
        progress=lambda *_: seen.append((tmp_path / "out.mp4").exists()),
    )
    assert not any(seen)
    assert source.read_bytes() == contents
    assert sorted(os.listdir(tmp_path)) == ["in.mp4", "out.mp4"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX links")
def test_the_source_is_not_overwritten_whatever_its_name(tmp_path):
    source = make_clip(tmp_path / "in.mp4")
    contents = source.read_bytes()
    os.symlink(source, tmp_path / "link.mp4")
    os.link(source, tmp_path / "hard.mp4")
    for name in ("in.mp4", "link.mp4", "hard.mp4"):
        with pytest.raises(ValueError, match="is the video itself"):
            upscale_video(source, tmp_path / name, network())
    assert source.read_bytes() == contents


@pytest.mark.skipif(os.name == "nt", reason="POSIX limits")
def test_a_full_disk_is_an_os_error_that_names_the_file(tmp_path):
    resource = pytest.importorskip("resource")
    source = make_clip(tmp_path / "in.mp4", size=(128, 96), times=range(30))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"too large: .*out\.mp4'$"):
            upscale_video(source, tmp_path / "out.mp4", network())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(tmp_path) == ["in.mp4"]


# --- errors --------------------------------------------------------------------------------------


def fails(source, tmp_path, match, error=ValueError, out="out.mkv", model=None):
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(error, match=match) as caught:
        upscale_video(source, tmp_path / out, model or network())
    assert "\n" not in str(caught.value)
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("kept", [0.97, 0.5, 0.05])
@pytest.mark.parametrize("suffix", [".mp4", ".faststart.mp4", ".mkv", ".avi", ".webm"])
def test_a_video_cut_short_is_an_error(tmp_path, capfd, suffix, kept):
    codec, sound_codec = ("libvpx-vp9", "libopus") if suffix == ".webm" else ("libx264", "aac")

    def change(container, stream):
        if "faststart" in suffix:
            container.container_options["movflags"] = "+faststart"

    source = make_clip(
        tmp_path / f"in{suffix}",
        codec=codec,
        sounds=["eng"],
        sound_codec=sound_codec,
        change=change,
        options={"crf": "20"},
    )
    data = source.read_bytes()
    source.write_bytes(data[: int(len(data) * kept)])
    fails(source, tmp_path, rf"in{suffix}(:| is damaged| is cut short)")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("damage", ["zeros", "noise"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".ts"])
def test_a_damaged_video_is_an_error(tmp_path, capfd, suffix, damage):
    source = make_clip(
        tmp_path / f"in{suffix}", size=(96, 64), times=range(30), options={"crf": "20"}
    )
    data = bytearray(source.read_bytes())
    noise = np.random.default_rng(0).bytes(2000)
    data[len(data) // 2 : len(data) // 2 + 2000] = noise if damage == "noise" else bytes(2000)
    source.write_bytes(data)
    fails(source, tmp_path, rf"in{suffix}(:| is damaged| is cut short)")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", [".flv", ".wmv"])
def test_other_containers_that_tell_their_length(tmp_path, suffix):
    source = sounding_clip(
        tmp_path / f"in{suffix}", suffix[1:] + "2" * (suffix == ".wmv"), "libmp3lame", 44100
    )
    upscale_video(source, tmp_path / "out.mkv", network(1))
    data = source.read_bytes()
    source.write_bytes(data[: len(data) // 3])
    fails(source, tmp_path, rf"in{suffix}: it is cut short: it.*end.*--keep-going")


def with_one_bad_packet(source, out, bad, stream_type="video"):
    """Copy a clip with one packet of nonsense."""
    with av.open(str(source)) as clip, av.open(str(out), "w") as container:
        streams = [container.add_stream_from_template(s, opaque=True) for s in clip.streams]
        number = 0
        for packet in clip.demux():
            if not packet.size:
                continue
            new = packet
            if packet.stream.type == "video":
                if number == bad:
                    new = av.Packet(bytes([255]) * packet.size)
                    new.pts, new.dts, new.time_base = packet.pts, packet.dts, packet.time_base
                number += 1
            new.stream = streams[packet.stream.index]
            container.mux(new)
    return out


@pytest.mark.parametrize(
    ("codec", "what", "kept"), [("libx264", "lost", 29), ("mpeg4", "concealed", 30)]
)
def test_damage_is_counted_if_asked(tmp_path, codec, what, kept):
    clip = make_clip(tmp_path / "clip.mkv", codec=codec, times=range(30), sounds=["eng"])
    source = with_one_bad_packet(clip, tmp_path / "in.mkv", bad=12)
    if codec == "mpeg4":  # half of a picture is concealed
        data = bytearray(clip.read_bytes())
        with av.open(str(clip)) as container:
            packet = [bytes(p) for p in container.demux(video=0) if p.size][12]
        at = data.index(packet) + len(packet) // 2
        data[at : at + 8] = b"\xff" * 8
        source.write_bytes(data)
    fails(
        source,
        tmp_path,
        r"in\.mkv: it is damaged at 0\.5 seconds; --keep-going enlarges what is left",
    )
    with pytest.warns(UserWarning, match=rf"in\.mkv: damaged; frames {what}: 1; frames up to"):
        upscale_video(source, tmp_path / "out.mp4", network(1), keep_going=True)
    assert len(frames_of(tmp_path / "out.mp4")[0]) == kept
    assert [d for _, d in packets_of(tmp_path / "out.mp4", "audio")[0]] == [
        d for _, d in packets_of(source, "audio")[0]
    ]
    assert video.video_size(source, keep_going=True) == (WIDTH, HEIGHT)


def test_what_is_left_of_a_video_cut_short_is_enlarged_if_asked(tmp_path):
    source = make_clip(tmp_path / "in.mkv", times=range(30), options={"crf": "20"})
    data = source.read_bytes()
    source.write_bytes(data[: len(data) // 2])
    with pytest.warns(UserWarning, match=r"in\.mkv: damaged; missing ends: 1"):
        upscale_video(source, tmp_path / "out.mkv", network(1), keep_going=True)
    assert 5 < len(frames_of(tmp_path / "out.mkv")[0]) < 25


def test_a_recording_of_unknown_length_is_no_error(tmp_path):
    """Matroska leaves the length open while it is written; a browser's recording stays so."""
    source = make_clip(tmp_path / "in.mkv")
    data = bytearray(source.read_bytes())
    at = data.index(b"\x18\x53\x80\x67") + 4
    data[at : at + 8] = b"\x01" + b"\xff" * 7
    source.write_bytes(data)
    upscale_video(source, tmp_path / "out.mkv", network())
    assert len(frames_of(tmp_path / "out.mkv")[0]) == 10


def test_files_that_are_no_videos(tmp_path):
    (tmp_path / "empty.mp4").touch()
    fails(tmp_path / "empty.mp4", tmp_path, r"cannot read .*empty\.mp4")
    (tmp_path / "text.mp4").write_text("no video\n" * 50)
    fails(tmp_path / "text.mp4", tmp_path, r"cannot read .*text\.mp4")
    (tmp_path / "noise.mkv").write_bytes(np.random.default_rng(0).bytes(5000))
    fails(tmp_path / "noise.mkv", tmp_path, r"cannot read .*noise\.mkv")
    fails(tmp_path / "none.mp4", tmp_path, r"No such file.*none\.mp4'$", FileNotFoundError)
    fails(tmp_path, tmp_path, "directory", IsADirectoryError)
    fails("http://example.org/a.mp4", tmp_path, "No such file", FileNotFoundError)
    make_frame("rgb24", picture=lambda h, w, i, n: 99).to_image().save(tmp_path / "picture.png")
    fails(tmp_path / "picture.png", tmp_path, r"picture\.png as a video: there is an image")
    with av.open(str(tmp_path / "sound.m4a"), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        sound = av.AudioFrame.from_ndarray(
            np.zeros((1, 4800), np.int16), format="s16", layout="mono"
        )
        sound.sample_rate = 48000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    fails(tmp_path / "sound.m4a", tmp_path, r"sound\.m4a as a video: there is no video")


def test_names_that_cannot_be_written(tmp_path):
    source = make_clip(tmp_path / "in.mp4")
    fails(source, tmp_path, r"out\.gif: it must end in \.avi, .*\.webm", out="out.gif")
    fails(source, tmp_path, "it must end in", out="out")
    fails(source, tmp_path, "No such file", FileNotFoundError, out="nowhere/out.mp4")
    (tmp_path / "folder.mp4").mkdir()
    fails(source, tmp_path, "is a folder", IsADirectoryError, out="folder.mp4")


def test_a_color_network_is_refused(tmp_path):
    source = make_clip(tmp_path / "in.mp4")
    fails(source, tmp_path, r"channels=1\), got channels=3", model=network(channels=3))


def test_frames_that_change_in_size_are_an_error(tmp_path):
    parts = [
        make_clip(tmp_path / f"{size[0]}.mkv", codec="mjpeg", pix_fmt="yuvj420p", size=size)
        for size in ((48, 32), (64, 48))
    ]
    source = tmp_path / "in.mkv"
    with av.open(str(parts[0])) as a, av.open(str(parts[1])) as b, av.open(str(source), "w") as c:
        stream = c.add_stream_from_template(a.streams.video[0], opaque=True)
        for part, shift in ((a, 0), (b, 400)):
            for packet in part.demux():
                if packet.size:
                    packet.stream = stream
                    packet.pts = packet.dts = packet.pts + shift
                    c.mux(packet)
    fails(source, tmp_path, r"read /.*in\.mkv: its frames change in size at 0\.4 seconds, from ")


def test_names_like_addresses_and_patterns_are_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = make_clip(tmp_path / "plain.mp4")
    for name in ("concat:a %03d.mp4", "ümläut?.mp4", "-y.mp4"):
        (tmp_path / name).write_bytes(source.read_bytes())
        upscale_video(name, f"{name}.mkv", network())
        assert len(frames_of(tmp_path / f"{name}.mkv")[0]) == 10


def test_without_pyav_one_line_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(RuntimeError, match=r"^video needs PyAV: pip install 'npespcn\[video\]'$"):
        upscale_video("in.mp4", tmp_path / "out.mp4", network())


def test_is_video_goes_by_the_suffix():
    names = ["a.mp4", "b.MKV", "c.webm", "d.mov", "e.avi", "f.png", "g", "mp4", ".mp4", "h.mp4.png"]
    assert [n for n in names if is_video(n)] == ["a.mp4", "b.MKV", "c.webm", "d.mov", "e.avi"]
