"""``npespcn upscale``: enlarge images and videos."""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import shutil
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from npespcn.commands import HelpFormatter, from_, print_line, tell_warnings
from npespcn.commands.names import (
    Found,
    Source,
    find_sources,
    first_of,
    identity,
    name_targets,
)
from npespcn.common.checks import one_of
from npespcn.common.kinds import is_address, kind_by_suffix
from npespcn.common.messages import one_line
from npespcn.enlarge.picture import upscale, upscale_to_png
from npespcn.enlarge.video import WRITABLE, default_suffix, is_video, upscale_video, video_size
from npespcn.exchange.npz import PRETRAINED, WEIGHTS, load, pretrained
from npespcn.fast import accelerate, eight_views
from npespcn.fast.gpu import check_device, move
from npespcn.fast.processes import WorkerDiedError, process_pool
from npespcn.fast.threads import thread_count, threads_for
from npespcn.models import ESPCN
from npespcn.pictures.fields import images_in
from npespcn.pictures.files import check_writable, format_of, is_image_file, open_image
from npespcn.pictures.formats import (
    frame_sizes,
    is_whole,
    loops,
    plain_frames,
    upright_size,
    write_frames,
)
from npespcn.pictures.modes import on_white

LINE_EVERY = 30.0  # seconds between two lines about a video, where there is no terminal
MOST_INPUT = 1 << 30  # bytes from standard input, which may never end
_REASONS = (OSError, ValueError, RuntimeError, ArithmeticError, MemoryError)  # others are bugs

Line = tuple[str, str]  # a text, and "stdout" or "stderr"
Result = tuple[bool, list[Line]]  # whether a file succeeded, and lines about it


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "upscale",
        help="enlarge images and videos",
        description="Enlarge images, animations and videos. photo.jpg becomes photo_x2.png "
        "beside it. No file is overwritten that -o does not name, unless --force allows it. A "
        "single - stands for standard input, and for standard output, as PNG.",
        formatter_class=HelpFormatter,
    )
    add = parser.add_argument
    add("names", nargs="+", metavar="IN", help="images, videos, folders, globs, or -")
    add("-o", dest="out", metavar="OUT",
        help="the file to write, whose suffix chooses the format, or a folder, or -")  # fmt: skip
    add("--scale", type=int, choices=PRETRAINED, help="upscale factor (default: 2)")
    add("--weights", metavar="FILE", default=WEIGHTS[0],
        help="your own network (.npz, .safetensors), with its own scale; or leaves "
        "or photographs, the networks that come with npespcn")  # fmt: skip
    add("--tile", type=from_(1), metavar="N", help="tile side in pixels (smaller: less memory)")
    add("--device", choices=("cpu", "gpu"), default="cpu", help="where to compute")
    add("--recursive", action="store_true", help="search folders within folders, too")
    add("--resume", action="store_true",
        help="skip results that exist and are whole, and make the others anew")  # fmt: skip
    add("--force", action="store_true", help="overwrite existing files, inputs too")
    add("--keep-going", action="store_true",
        help="enlarge what is left of a damaged video, and count what is concealed")  # fmt: skip
    add("--no-back-projection", action="store_true",
        help="the network alone, without the step that keeps the brightness of dither")  # fmt: skip
    add("--best", action="store_true",
        help="the mean of the network's answers to eight views: slightly better, eight times "
        "slower")  # fmt: skip
    add("--compare", action="store_true",
        help="also draw bicubic and network side by side (NAME_x2_compare.png)")  # fmt: skip
    add("--jobs", type=from_(1), default=1, metavar="N", help="processes that share the files")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> bool:
    """Enlarge everything; return whether anything failed."""
    if options.weights in WEIGHTS:
        model = pretrained(options.scale or 2, options.weights)
    else:
        model = load(options.weights, ESPCN)
    if options.scale not in (None, model.scale):
        raise ValueError(f"{options.weights} is for scale {model.scale}, not {options.scale}")
    one_of(f"{options.weights}: channels", model.options["channels"], (1, 3))
    check_device(options.device)
    if options.out == "" or is_address(options.out or ""):
        raise ValueError(f"-o {options.out!r} is neither a file nor a folder")
    if "-" in (*options.names, options.out):
        return _through_pipes(options, model)
    return _enlarge_all(options, model, print_line)


def _through_pipes(options: argparse.Namespace, model: Any) -> bool:
    """Enlarge one image from standard input or to standard output, by way of temporary files."""
    reads, writes = "-" in options.names, options.out in ("-", None)
    if reads and (len(options.names) > 1 or not (writes or _is_file(options.out))):
        raise ValueError("- is one image without a name: give no other input, and -o FILE or no -o")
    if options.compare:
        raise ValueError("--compare draws beside files: give names instead of -")
    if writes and (sys.stdout is None or sys.stdout.isatty()):
        raise ValueError("standard output is closed, or a terminal: -o FILE, or > FILE")
    with tempfile.TemporaryDirectory(prefix="npespcn-") as folder:

        def tell(line: str, stream: str = "stderr") -> None:
            if stream == "stderr" or not writes:
                print_line(line.replace(f"{folder}{os.sep}", ""), stream)

        tell_warnings(tell)
        if reads:
            options.names = [_copy_of_standard_input(folder)]
        if writes:
            options.out = os.path.join(folder, "standard output.png")
        failed = _enlarge_all(options, model, tell)
        if writes and not failed:
            try:
                with open(options.out, "rb") as file:
                    shutil.copyfileobj(file, sys.stdout.buffer)
                sys.stdout.flush()
            except OSError as error:
                raise type(error)(error.errno, error.strerror, "standard output") from None
        return failed


def _copy_of_standard_input(folder: str) -> str:
    if sys.stdin is None or sys.stdin.isatty():
        raise ValueError("standard input is closed, or a terminal: < FILE, or give its name")
    path = os.path.join(folder, "standard input")
    with open(path, "wb") as file:
        while file.tell() <= MOST_INPUT and (some := sys.stdin.buffer.read(1 << 20)):
            file.write(some)
        if file.tell() > MOST_INPUT:
            raise ValueError(f"standard input is longer than {MOST_INPUT >> 30} GB: give a file")
    return path


def _enlarge_all(
    options: argparse.Namespace, model: Any, tell: Callable[[str, str], object]
) -> bool:
    """Find the files and enlarge them; return whether anything failed."""
    found = find_sources(options.names, _can_be_enlarged, options.recursive, options.out)
    for problem in found.problems:
        tell(*_complaint(problem))
    skipped: defaultdict[str, list[Path]] = defaultdict(list)
    for path in found.others:
        skipped["" if _can_be_enlarged(path) else kind_by_suffix(path)].append(path)
    if some := skipped.pop("", None):
        names = ", ".join(path.name for path in some[:3])
        more = f" and {len(some) - 3} more" if len(some) > 3 else ""
        tell(f"skipped, by their names: {one_line(names)}{more}", "stderr")
    for kind, paths in skipped.items():
        tell(f"skipped {one_line(first_of(paths))}: {kind}", "stderr")
    work, failed = _Work(options, model, found), bool(found.problems)
    with _results(work) as results, _bar(len(work.items), "file", len(work.items) > 1) as files:
        for good, lines in results:
            for line in lines:
                tell(*line)
            failed |= not good
            files.update()
    return failed


@contextlib.contextmanager
def _results(work: _Work) -> Iterator[Iterable[Result]]:
    """Begin the work, here or in processes; yield the results of the files as they are done."""
    jobs = min(work.options.jobs, len(work.items))
    if jobs < 2:
        work.begin()
        yield map(work.do, work.items)
        return
    try:
        share = max(1, thread_count() // jobs)
        with threads_for(share), process_pool(jobs, _begin, work) as pool:
            yield (result for _, result in pool.results(_Work.do, work.items))
    except WorkerDiedError as error:
        raise RuntimeError(f"{error}: --resume continues, fewer --jobs need less memory") from None


def _begin(work: _Work) -> _Work:
    """Begin in one of the processes."""
    tqdm.set_lock(threading.RLock())  # its default is for several processes, and would be leaked
    tell_warnings(lambda line: work.lines.append((line, "stderr")))
    work.begin()
    return work


class _Work:
    """The work on all files; every process gets a copy."""

    def __init__(self, options: argparse.Namespace, model: Any, found: Found) -> None:
        self.options, self.model = options, model
        paths = [source.path for source in found.sources]
        self.inputs = {identity(path) for path in paths}
        self.named = bool(options.out) and _is_file(options.out)
        self.items = list(zip(paths, self.targets(found.sources), strict=True))
        self.lines: list[Line] = []

    def begin(self) -> None:
        """Make the network ready in this process."""
        model = move(self.model, self.options.device)
        self.model = eight_views(model) if self.options.best else accelerate(model)

    def targets(self, sources: list[Source]) -> list[Path]:
        """Return the file to write for each source."""
        ending, out = f"_x{self.model.scale}", self.options.out
        if out is None:
            return name_targets(sources, None, ending, _new_suffix)
        if not _is_file(out):
            return name_targets(sources, Path(out), ending, _new_suffix)
        if len(sources) > 1:
            name = os.path.basename(out)
            raise ValueError(f"-o {name} is one file, for {len(sources)} inputs; give a folder")
        if sources and not is_video(sources[0].path):
            check_writable(out)  # before the work, not after it
        return [Path(out) for _ in sources]

    def do(self, item: tuple[Path, Path]) -> Result:
        """Enlarge one file; return whether it succeeded, and lines about it."""
        self.lines, (source, target) = [], item
        try:
            if self.is_wanted(source, target):
                sheet = self.sheet(source, target)
                target.parent.mkdir(parents=True, exist_ok=True)
                if is_video(source):
                    self.do_video(source, target)
                else:
                    self.do_picture(source, target, sheet)
                self.lines.append((str(target), "stdout"))
        except Exception as error:  # of this file, which must not end the others
            reason = str(error).removeprefix(f"{source}: ") or "not enough memory"
            if not isinstance(error, _REASONS):
                reason = f"unexpected {type(error).__name__}: {error}; please report it"
            self.lines.append(_complaint(f"{source}: {reason}"))
            return False, self.lines
        return True, self.lines

    def is_wanted(self, source: Path, target: Path) -> bool:
        """Return whether to write the target: with --resume, not if it is the result already."""
        if not (self.options.resume and identity(target)):
            self.check_free(target, self.named)
            return True
        video = is_video(source)
        keep_going = self.options.keep_going
        width, height = video_size(source, keep_going) if video else upright_size(source)
        size = width * self.model.scale, height * self.model.scale
        try:
            if video_size(target) == size if video else is_whole(target, size):
                return False
        except (OSError, ValueError):
            self.check_free(target, named=True)
            self.lines.append((f"{target}: not whole, and made anew", "stderr"))
            return True
        self.check_free(target, self.named)
        return True

    def check_free(self, path: Path, named: bool = False) -> None:
        """Refuse to overwrite an input, or a file that the user has not named for the result."""
        there = identity(path)
        if path.is_dir():
            raise ValueError(f"{path} is a folder: -o writes elsewhere")
        if there is None or self.options.force:
            return
        if there in self.inputs:
            raise ValueError(f"{path} is an input: --force overwrites it, -o writes elsewhere")
        if not named:
            how = "--resume keeps it if it is the result, --force overwrites it"
            raise ValueError(f"{path} exists: {how}, -o writes elsewhere")

    def do_picture(self, source: Path, target: Path, sheet: Path | None) -> None:
        """Enlarge an image, or every frame of an animation."""
        with _bar(None, "tile", len(self.items) == 1) as bar:
            with open_image(source) as image:
                sizes, loop, first, scale = frame_sizes(image), loops(image), None, self.model.scale
                check_writable(target, [(w * scale, h * scale) for w, h in sizes])
                there = images_in(image)

                def progress(done: int, tiles: int) -> None:
                    bar.total = tiles * len(sizes)
                    bar.update()

                banded = len(sizes) == 1 and format_of(target) == "PNG"
                enlarge: Any = functools.partial(
                    upscale_to_png if banded else upscale,
                    model=self.model,
                    tile=self.options.tile,
                    back_projection=not self.options.no_back_projection,
                    progress=progress,
                )
                frames: list[Image.Image] = []
                for frame in plain_frames(image, scale):
                    first = first or frame
                    frames.append(frame if banded else enlarge(frame))
                    frames[-1].info = frame.info
            image.close()  # and its pixels go
            if banded:
                frames = [enlarge(frames[0])]
            if sheet and first:  # before the result, whose presence means that all is done
                self.compare(sheet, source, first, frames[0])
            write_frames(target, frames, loop)
            if there > 1:
                what = f"{source}: holds {there} images, of which the main one is enlarged"
                self.lines.append((f"npespcn: {one_line(what)}", "stderr"))

    def sheet(self, source: Path, target: Path) -> Path | None:
        """Return the file for the comparison, if one is wanted and --resume finds none."""
        if not self.options.compare or is_video(source):
            return None
        stem = target.stem
        if sum(path.with_suffix("") == target.with_suffix("") for _, path in self.items) > 1:
            stem = f"{source.stem}_{source.suffix[1:]}_x{self.model.scale}"
        path = target.with_name(f"{stem}_compare.png")
        if self.options.resume and identity(path):
            return None
        self.check_free(path)
        return path

    def compare(self, path: Path, source: Path, small: Image.Image, larger: Image.Image) -> None:
        """Draw the first frame by bicubic interpolation and as enlarged here side by side."""
        from npespcn import figures  # Matplotlib takes a while to import

        small, larger = on_white(small), on_white(larger)
        bicubic = small.resize(larger.size, Image.Resampling.BICUBIC)
        arrays = {"bicubic": np.asarray(bicubic), "npespcn": np.asarray(larger)}
        name = (
            one_line(source.name).encode("latin-1", "replace").decode("latin-1")
        )  # its font has no other characters
        title = name.replace("$", r"\$") + f", {self.model.scale} times larger"
        box = figures.where_they_differ(*arrays.values())
        figures.save(figures.before_after(arrays, box, title=title), path)
        self.lines.append((str(path), "stdout"))

    def do_video(self, source: Path, target: Path) -> None:
        """Enlarge a video."""
        last_line = time.monotonic()
        with _bar(None, "frame", len(self.items) == 1) as bar:

            def progress(done: int, total: int | None) -> None:
                nonlocal last_line
                bar.total = total
                bar.update()
                if bar.disable and time.monotonic() - last_line > LINE_EVERY:
                    last_line = time.monotonic()
                    print_line(f"{source}: frame {done} of {total or 'unknown'}")  # at once

            upscale_video(
                source,
                target,
                self.model,
                back_projection=not self.options.no_back_projection,
                progress=progress,
                keep_going=self.options.keep_going,
            )
        if self.options.compare:
            self.lines.append(_complaint(f"{source}: --compare is for images"))


def _is_file(out: str) -> bool:
    """Return whether -o names a file, not a folder."""
    return not (os.path.isdir(out) or out.endswith(("/", os.sep))) and Path(out).suffix != ""


def _can_be_enlarged(path: Path) -> bool:
    return is_video(path) or is_image_file(path)


def _new_suffix(path: Path) -> str:
    """Return the suffix of a result whose name the user has not chosen."""
    if is_video(path):
        with contextlib.suppress(OSError, ValueError, RuntimeError):  # said when it is its turn
            return default_suffix(path)
        return path.suffix if path.suffix.lower() in WRITABLE else ".mp4"
    if path.suffix.lower() in (".tif", ".tiff"):
        with contextlib.suppress(OSError, ValueError), open_image(path) as image:
            return path.suffix if len(frame_sizes(image)) > 1 else ".png"
    return ".png"


def _bar(total: int | None, unit: str, wanted: bool) -> Any:
    """Return a progress bar, on a terminal."""
    disable = not (wanted and sys.stderr.isatty())
    return tqdm(total=total, unit=unit, disable=disable, dynamic_ncols=True)


def _complaint(message: str) -> Line:
    return f"npespcn upscale: {one_line(message)}", "stderr"
