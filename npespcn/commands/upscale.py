"""``npespcn upscale``: make pictures and videos larger."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from npespcn.commands import HelpFormatter, from_, print_line, tell_warnings
from npespcn.commands.names import Found, Source, find_sources, identity, name_targets
from npespcn.common.messages import one_line
from npespcn.enlarge.picture import upscale
from npespcn.enlarge.video import WRITABLE, is_video, upscale_video, video_size
from npespcn.fast.gpu import check_device
from npespcn.fast.processes import ProcessPool
from npespcn.fast.threads import thread_count, threads_for
from npespcn.models import ESPCN, PRETRAINED
from npespcn.pictures.formats import (
    check_writable,
    frame_count,
    is_photo,
    is_whole,
    loops,
    open_photo,
    plain_frames,
    upright_size,
    write_photo,
)
from npespcn.pictures.modes import on_white

LINE_EVERY = 30.0  # seconds between two lines about a video, where there is no terminal

Line = tuple[str, str]  # what to say, and to "stdout" or "stderr"
Result = tuple[bool, list[Line]]  # whether a file went well, and what there is to say


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "upscale",
        help="make pictures and videos larger",
        description="Enlarge pictures, animations and videos. photo.jpg becomes photo_x2.png "
        "beside it. No input is overwritten, unless --force allows it.",
        formatter_class=HelpFormatter,
    )
    add = parser.add_argument
    add("names", nargs="+", metavar="IN", help="pictures, videos, folders or globs")
    add("-o", dest="out", metavar="OUT",
        help="the file to write, whose suffix chooses the format, or a folder")  # fmt: skip
    add("--scale", type=int, choices=PRETRAINED, help="how many times larger (default: 2)")
    add("--weights", metavar="FILE",
        help="a network of your own (.npz, .safetensors), with a scale of its own")  # fmt: skip
    add("--tile", type=from_(1), metavar="N", help="side of the pieces to work in, in pixels")
    add("--device", choices=("cpu", "gpu"), default="cpu", help="where to compute")
    add("--recursive", action="store_true", help="go into the folders' folders, too")
    add("--resume", action="store_true", help="skip what is already done and whole")
    add("--force", action="store_true", help="overwrite inputs and earlier results in folders")
    add("--compare", action="store_true",
        help="also draw bicubic and network side by side (NAME_x2_compare.png)")  # fmt: skip
    add("--jobs", type=from_(1), default=1, metavar="N", help="processes that share the files")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> bool:
    """Enlarge everything; return whether anything failed."""
    model = ESPCN.load(options.weights) if options.weights else ESPCN.pretrained(options.scale or 2)
    if options.scale not in (None, model.scale):
        raise ValueError(f"{options.weights} is for scale {model.scale}, not {options.scale}")
    if (planes := model.options["channels"]) not in (1, 3):
        raise ValueError(f"{options.weights}: it takes {planes} planes, not 1 (luma) or 3 (RGB)")
    check_device(options.device)
    found = find_sources(
        options.names, lambda path: is_video(path) or is_photo(path), options.recursive, options.out
    )
    for problem in found.problems:
        print_line(*_complaint(problem))
    if found.others:
        names = ", ".join(path.name for path in found.others[:3])
        more = f" and {len(found.others) - 3} more" if len(found.others) > 3 else ""
        print_line(f"passed over, by their names: {one_line(names)}{more}")
    work, failed = _Work(options, model, found), bool(found.problems)
    with _results(work) as results, _bar(len(work.items), "file", len(work.items) > 1) as files:
        for good, lines in results:
            for line in lines:
                print_line(*line)
            failed |= not good
            files.update()
    return failed


@contextlib.contextmanager
def _results(work: _Work) -> Iterator[Iterable[Result]]:
    """Begin the work, here or in processes; yield what comes of each file."""
    jobs = min(work.options.jobs, len(work.items))
    if jobs < 2:
        work.model.to(work.options.device)
        yield map(work.do, work.items)
        return
    try:
        share = max(1, thread_count() // jobs)
        with threads_for(share), ProcessPool(jobs, _begin, work) as pool:
            yield pool.results(_Work.do, work.items)
    except BrokenProcessPool:
        what = "one of the processes was ended, perhaps for want of memory"
        raise RuntimeError(f"{what}: --resume goes on, fewer --jobs need less of it") from None


def _begin(work: _Work) -> _Work:  # in each of the processes
    tqdm.set_lock(threading.RLock())  # its own is for several processes, and would be left behind
    tell_warnings(lambda line: work.lines.append((line, "stderr")))
    work.model.to(work.options.device)
    return work


class _Work:
    """What is to be done to each file; every process gets a copy."""

    def __init__(self, options: argparse.Namespace, model: ESPCN, found: Found) -> None:
        self.options, self.model = options, model
        paths = [source.path for source in found.sources]
        self.inputs = {identity(path) for path in paths}
        self.earlier = {identity(path) for path in found.others}
        self.items = list(zip(paths, self.targets(found.sources), strict=True))
        self.lines: list[Line] = []

    def targets(self, sources: list[Source]) -> list[Path]:
        """Return where each source goes."""
        ending, out = f"_x{self.model.scale}", self.options.out
        if out is None:
            return name_targets(sources, None, ending, _new_suffix)
        if Path(out).is_dir() or not Path(out).suffix or out.endswith(("/", os.sep)):
            return name_targets(sources, Path(out), ending, _new_suffix)
        if len(sources) > 1:
            raise ValueError(f"-o {out} is one file, for {len(sources)} inputs; give a folder")
        if sources and not is_video(sources[0].path):
            check_writable(out)  # before the work, not after it
        return [Path(out) for _ in sources]

    def do(self, item: tuple[Path, Path]) -> Result:
        """Enlarge one file; return whether that went well, and what there is to say."""
        self.lines, (source, target) = [], item
        try:
            if not (self.options.resume and self.is_done(source, target)):
                self.check_free(target)
                target.parent.mkdir(parents=True, exist_ok=True)
                (self.do_video if is_video(source) else self.do_picture)(source, target)
                self.lines.append((str(target), "stdout"))
        except (OSError, ValueError, RuntimeError, ArithmeticError, MemoryError) as error:
            words = str(error) or "not enough memory"
            self.lines.append(_complaint(f"{source}: {words.removeprefix(f'{source}: ')}"))
            return False, self.lines
        return True, self.lines

    def check_free(self, target: Path) -> None:
        """Refuse to write over an input, or an earlier result that was found beside one."""
        there = identity(target)
        if there is None or self.options.force:
            return
        if there in self.inputs:
            raise ValueError(f"{target} is an input: --force overwrites it, -o writes elsewhere")
        if there in self.earlier and not self.options.resume:
            how = "--resume keeps it if it is whole, --force overwrites it, -o writes elsewhere"
            raise ValueError(f"{target} is an earlier result: {how}")

    def is_done(self, source: Path, target: Path) -> bool:
        """Whether the target is there, whole, and of the size that it should have."""
        video = is_video(source)
        try:
            width, height = video_size(source) if video else upright_size(source)
            size = width * self.model.scale, height * self.model.scale
            return video_size(target) == size if video else is_whole(target, size)
        except (OSError, ValueError):
            return False

    def do_picture(self, source: Path, target: Path) -> None:
        """Enlarge a picture, or every frame of an animation."""
        with open_photo(source) as image, _bar(None, "tile", len(self.items) == 1) as bar:
            count, loop = frame_count(image), loops(image)

            def progress(done: int, tiles: int) -> None:
                bar.total = tiles * count
                bar.update()

            frames: list[Image.Image] = []
            for frame in plain_frames(image, self.model.scale):
                if not frames:
                    first = frame
                larger = upscale(frame, None, self.model, self.options.tile, progress=progress)
                larger.info["duration"] = frame.info.get("duration")
                frames.append(larger)
        if self.options.compare:  # before the picture, whose presence says that all is done
            self.compare(source, first, frames[0], target)
        write_photo(target, frames, loop)

    def compare(self, source: Path, small: Image.Image, larger: Image.Image, target: Path) -> None:
        """Draw the first frame by bicubic interpolation and by the network."""
        from npespcn import figures  # Matplotlib takes a while to import

        stem = target.stem
        if sum(path.with_suffix("") == target.with_suffix("") for _, path in self.items) > 1:
            stem = f"{source.stem}_{source.suffix[1:]}_x{self.model.scale}"
        path = target.with_name(f"{stem}_compare.png")
        self.check_free(path)
        small, larger = on_white(small), on_white(larger)
        bicubic = small.resize(larger.size, Image.Resampling.BICUBIC)
        arrays = {"bicubic": np.asarray(bicubic), "network": np.asarray(larger)}
        name = one_line(source.name).encode("latin-1", "replace").decode("latin-1")  # its font's
        title = name.replace("$", r"\$") + f", {self.model.scale} times larger"
        box = figures.where_they_differ(*arrays.values())
        figures.save(figures.before_after(arrays, box, title=title), path)
        self.lines.append((str(path), "stdout"))

    def do_video(self, source: Path, target: Path) -> None:
        """Enlarge a video."""
        said = time.monotonic()
        with _bar(None, "frame", len(self.items) == 1) as bar:

            def progress(done: int, total: int | None) -> None:
                nonlocal said
                bar.total = total
                bar.update()
                if bar.disable and time.monotonic() - said > LINE_EVERY:
                    said = time.monotonic()
                    print_line(f"{source}: frame {done} of {total or 'unknown'}")  # at once

            upscale_video(source, target, self.model, progress=progress)
        if self.options.compare:
            self.lines.append(_complaint(f"{source}: --compare is for pictures"))


def _new_suffix(path: Path) -> str:
    """Return the suffix of what a file becomes, where nothing else is asked for."""
    if is_video(path):
        return path.suffix if path.suffix.lower() in WRITABLE else ".mp4"
    if path.suffix.lower() in (".tif", ".tiff"):
        with contextlib.suppress(OSError, ValueError), open_photo(path) as image:
            return path.suffix if frame_count(image) > 1 else ".png"
    return ".png"


def _bar(total: int | None, unit: str, wanted: bool) -> Any:
    """Return a progress bar, on a terminal."""
    disable = not (wanted and sys.stderr.isatty())
    return tqdm(total=total, unit=unit, disable=disable, dynamic_ncols=True)


def _complaint(words: str) -> Line:
    return f"npespcn upscale: {one_line(words)}", "stderr"
