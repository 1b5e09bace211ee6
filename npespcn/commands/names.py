"""The files that the arguments of a command stand for, and the names of their larger versions.

No file is opened or written here.
"""

from __future__ import annotations

import glob
import itertools
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from npespcn.common.kinds import is_address, unread_picture
from npespcn.data.folders import natural_key

_RESULT = re.compile(r"((.+?)(_\d+)?)_x[2-9](_compare)?", re.DOTALL)  # the stem of a result of ours
_DEEP = re.compile(
    rf"(^|[{re.escape(os.sep)}/]+)\*\*(?:[{re.escape(os.sep)}/]+|$)"
)  # ** in a pattern


@dataclass(frozen=True)
class Source:
    """A file to enlarge, and its folder relative to the one that was named."""

    path: Path
    folder: Path = Path()


@dataclass
class Found:
    """The result of `find_sources`."""

    sources: list[Source] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    """Skipped files, by their names: earlier results, and in folders what is no image."""
    problems: list[str] = field(default_factory=list)
    """One line for each name that leads to no file."""


def find_sources(
    names: Iterable[str],
    is_picture: Callable[[Path], bool],
    recursive: bool = False,
    out: str | None = None,
) -> Found:
    """Find the files that names, folders and globs stand for, each once, in natural order.

    Earlier results are passed over: a file called ``NAME_x2`` or the like, if ``NAME`` is among the
    images, too, and in the same folder, or if the file is in the folder of the results. So are
    hidden files in a folder; pictures in formats that are not read are problems there.

    Parameters
    ----------
    names
        Files, folders, or patterns with ``*``, ``?``, ``[...]`` or ``**``.
    is_picture
        Whether to take a file in a folder, by its name.
    recursive
        Whether to search the folders in a folder, too.
    out
        The folder of the results, which is not searched when it lies in another.
    """
    found = Found()
    results = None if out is None else identity(Path(out))
    for name in names:
        path = Path(name)
        if os.path.isdir(name):  # "" is none, but Path("") is the current one
            before = len(found.sources), len(found.problems)
            _search(path, is_picture, recursive, results, found)
            if (len(found.sources), len(found.problems)) == before:
                hint = "" if recursive else " (--recursive looks into its folders, too)"
                found.problems.append(f"{name}: no image in this folder{hint}")
        elif os.path.lexists(name):
            found.sources.append(Source(path))
        else:
            matches = sorted(_glob(name), key=natural_key)
            files = [Source(Path(match)) for match in matches if not os.path.isdir(match)]
            if not files:
                what = (
                    "an address: download it first, or give the path"
                    if is_address(name)
                    else "no such file"
                )
                found.problems.append(f"{name}: {what}")
            found.sources += files
    earlier = dict.fromkeys(_earlier_results([source.path for source in found.sources], out))
    once: dict[str, Source] = {}
    for source in found.sources:
        if source.path not in earlier:
            once.setdefault(os.path.realpath(source.path), source)
    found.sources = list(once.values())
    found.others += earlier
    return found


def _search(
    top: Path,
    is_picture: Callable[[Path], bool],
    recursive: bool,
    results: tuple[int, int] | str | None,
    found: Found,
) -> None:
    def complain(error: OSError) -> None:
        found.problems.append(f"{error.filename}: {error.strerror}")

    unread: defaultdict[str, list[Path]] = defaultdict(list)  # by what they are
    for folder, folders, names in _folders(str(top), complain):
        inner = sorted((f for f in folders if f[0] != "."), key=natural_key) if recursive else []
        apart = [f for f in inner if results and identity(Path(folder, f)) == results]
        folders[:] = [f for f in inner if f not in apart]
        found.others += [Path(folder, f) for f in apart]
        for path in (Path(folder, n) for n in sorted(names, key=natural_key) if n[0] != "."):
            if is_picture(path):
                found.sources.append(Source(path, Path(folder).relative_to(top)))
            elif what := unread_picture(path):
                unread[what].append(path)
            else:
                found.others.append(path)
    found.problems += [f"{first_of(paths)}: {what}" for what, paths in unread.items()]


def first_of(paths: Sequence[Path]) -> str:
    """Return the first of many names, and the number of the others."""
    return f"{paths[0]} and {len(paths) - 1} more" if len(paths) > 1 else str(paths[0])


def _earlier_results(paths: Sequence[Path], out: str | None) -> list[Path]:
    """Return those that are larger versions of others, by their names and folders."""
    top = None if out is None else f"{_key(Path(out))}{os.sep}"
    folders = {path.parent: _key(path.parent) for path in paths}
    stems: defaultdict[str, set[str]] = defaultdict(set)  # of each folder, and of all together
    for path in paths:
        for place in (folders[path.parent], ""):
            stems[place] |= {path.stem, _with_suffix(path), f"{_with_suffix(path)}_1"}
    found = []
    for path in paths:
        folder = folders[path.parent]
        near = stems["" if top and f"{folder}{os.sep}".startswith(top) else folder]
        result = _RESULT.fullmatch(path.stem)
        if result and not near.isdisjoint((result[1], f"{result[2]}_1" if result[3] else "")):
            found.append(path)
    return found


def _folders(
    top: str, complain: Callable[[OSError], object] | None = None
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Like ``os.walk``, whose recursion ends some 1,000 folders deep before Python 3.12."""
    waiting = [top]
    while waiting:
        for folder, folders, files in itertools.islice(os.walk(waiting.pop(), onerror=complain), 1):
            yield folder, folders, files
            paths = [os.path.join(folder, name) for name in reversed(folders)]
            waiting += [path for path in paths if not os.path.islink(path)]


def _glob(pattern: str) -> list[str]:
    """Like ``glob.glob``, but ``**`` does not follow symlinks, which may form a cycle."""
    before, *after = _DEEP.split(pattern, 1)
    if not after:
        return glob.glob(pattern)
    top, tail, matches = before + after[0], after[1], []
    for start in glob.glob(top) if top else [os.curdir]:
        for folder, folders, _ in _folders(start):
            folders[:] = [name for name in folders if name[0] != "."]
            matches += _glob(os.path.join(glob.escape(folder), tail or "*"))
    return matches


def name_targets(
    sources: Sequence[Source],
    out: Path | None,
    ending: str,
    suffix: Callable[[Path], str],
) -> list[Path]:
    """Return a path for the larger version of each source; no two are the same.

    Parameters
    ----------
    sources
        What to enlarge.
    out
        A folder for all of them, or None to put each beside its source.
    ending
        What to add to the stems: ``_x2``.
    suffix
        The new suffix of a source.

    Returns
    -------
    list of Path
        Sources that would get one name, such as a.jpg and a.png, get ``a_jpg_x2`` and ``a_png_x2``,
        and a number where that does not tell them apart.
    """
    folders = [source.path.parent if out is None else out / source.folder for source in sources]
    plain = [
        folder / f"{source.path.stem}{ending}{suffix(source.path)}"
        for folder, source in zip(folders, sources, strict=True)
    ]
    shared = Counter(map(_key, plain))
    taken = {key for key, count in shared.items() if count == 1}
    targets = []
    for folder, source, target in zip(folders, sources, plain, strict=True):
        if shared[_key(target)] > 1:
            stem = _with_suffix(source.path)
            numbered = itertools.chain([stem], (f"{stem}_{n}" for n in itertools.count(2)))
            target = next(
                path
                for name in numbered
                if _key(path := folder / f"{name}{ending}{target.suffix}") not in taken
            )
            taken.add(_key(target))
        targets.append(target)
    return targets


def identity(path: Path) -> tuple[int, int] | str | None:
    """Return an identity that all names of one file share, also where a disk ignores case."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if status.st_ino else _key(path)  # some drives have none


def _with_suffix(path: Path) -> str:
    return f"{path.stem}_{path.suffix[1:]}"


def _key(path: Path) -> str:
    """Return what names share that are one on some disk: case and the form of accents aside."""
    return unicodedata.normalize("NFC", os.path.realpath(path).casefold())
