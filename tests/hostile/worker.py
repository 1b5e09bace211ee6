"""A process that runs one command of npespcn after another, and says how each went.

A line of JSON comes in for each, ``{"words": [...], "folder": "...", "trace": false}``, and one
goes out. What the command prints, on the level of the C library too, is caught in files. This may
hang, crash or eat all memory: `judge.Worker` starts it, watches it and ends it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from PIL import Image

from npespcn.commands import main as cli
from npespcn.pictures.formats import ANIMATED, PAGED

_TRACED = ("/PIL/", "/npespcn/", "/numpy/lib/", "zipfile", "/json/")
_NOT_TRACED = ("conv", "layers", "fast", "enlarge")  # it would only cost time


def main() -> None:
    """Serve until the input ends."""
    if sys.platform == "linux":
        import resource

        limit = int(os.environ["HOSTILE_ADDRESS_SPACE"])
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource_tracker.ensure_running()  # --jobs would, and it keeps a pipe open
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        print(json.dumps(_run(**json.loads(line))), file=answers, flush=True)


def _run(words: list[str], folder: str, trace: bool) -> dict[str, Any]:
    os.chdir(folder)
    before = set(os.listdir())
    _forget_peak()
    begun, files, lines = _seconds(), _open_files(), set[str]()
    with _caught() as said:
        try:
            if trace:
                with _tracing(lines):
                    status: Any = cli.main(words)
            else:
                status = cli.main(words)
        except SystemExit as error:  # wrong usage
            status = error.code
        except BaseException:
            status = traceback.format_exc()
    answer = {
        "status": status,
        "out": said()[0].decode(errors="surrogateescape"),
        "err": said()[1].decode(errors="surrogateescape"),
        "seconds": _seconds() - begun,
        "peak": _peak(),
        "files left open": _open_files() - files,
        "lines": sorted(lines),
    }
    made = set(os.listdir()) - before
    sources = {name for name in before for new in made if new.startswith(f"{Path(name).stem}_x")}
    answer["new"] = {name: _sizes(name, result=True) for name in made}
    return answer | {"old": {name: _sizes(name) for name in sources}}


@contextmanager
def _caught() -> Iterator[Callable[[], list[bytes]]]:
    """Send what goes to stdout and stderr into files; yield what returns their contents."""
    contents: list[bytes] = []
    kept = [os.dup(1), os.dup(2)]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        sys.stdout.flush(), sys.stderr.flush()
        os.dup2(out.fileno(), 1), os.dup2(err.fileno(), 2)
        try:
            yield lambda: contents
        finally:
            sys.stdout.flush(), sys.stderr.flush()
            for number, old in zip((1, 2), kept, strict=True):
                os.dup2(old, number)
                os.close(old)
            for file in (out, err):
                file.seek(0)
                contents.append(file.read())


@contextmanager
def _tracing(lines: set[str]) -> Iterator[None]:
    """Note which lines of Pillow, NumPy's file formats and the package run, in new threads too."""
    wanted: dict[Any, bool] = {}

    def local(frame: Any, event: str, _: Any) -> Any:
        if event == "line":
            lines.add(f"{frame.f_code.co_filename[-40:]}:{frame.f_lineno}")
        return local

    def start(frame: Any, event: str, _: Any) -> Any:
        name = frame.f_code.co_filename
        if name not in wanted:
            wanted[name] = any(part in name for part in _TRACED) and not any(
                f"/npespcn/{part}" in name for part in _NOT_TRACED
            )
        return local if wanted[name] else None

    threading.settrace(start)
    sys.settrace(start)
    try:
        yield
    finally:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]


def _sizes(name: str, result: bool = False) -> list[Any] | str:
    """Return the size of every frame or page of a picture, as Pillow itself reads it."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with _no_warnings(), Image.open(name) as image:
            frames = []
            for i in range(getattr(image, "n_frames", 1) if result else _count(image)):
                if i:
                    image.seek(i)
                image.load()
                frames.append(image.size)
            turned = None if result else _turned(image)
            return [frames, turned]
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        Image.MAX_IMAGE_PIXELS = limit


@contextmanager
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _count(image: Image.Image) -> int:
    return getattr(image, "n_frames", 1) if image.format in ANIMATED + PAGED else 1


def _turned(image: Image.Image) -> bool | None:
    """Return whether a picture is to be turned by 90 degrees; None if that cannot be told."""
    try:
        return image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except Exception:
        return None


def _open_files() -> int:
    """Return how many files are open, but for those that libraries keep for the next time.

    Matplotlib keeps fonts, and multiprocessing a piece of the memory that it has shared.
    """
    folder, count = "/proc/self/fd", 0
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        with suppress(OSError):  # that of the listing itself
            path = os.readlink(f"{folder}/{name}")
            count += not (path.endswith(".ttf") or os.path.basename(path).startswith("pym-"))
    return count


def _seconds() -> float:
    """Return the seconds of the processor that this process has used, and those it has started."""
    return sum(os.times()[:4])


def _forget_peak() -> None:
    """Let the system count the peak of the memory anew, where it can."""
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """Return the most memory that there was at a time since then, in bytes; 0 if unknown.

    In this process, or in any that it has ever started.
    """
    if sys.platform != "linux":
        return 0
    import resource

    status = Path("/proc/self/status").read_text()
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(int(status.partition("VmHWM:")[2].split()[0]), children) * 1024


if __name__ == "__main__":
    main()
