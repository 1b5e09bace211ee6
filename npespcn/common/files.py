"""Files that appear whole or not at all."""

from __future__ import annotations

import importlib
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

fcntl: Any = None if os.name == "nt" else importlib.import_module("fcntl")
msvcrt: Any = importlib.import_module("msvcrt") if os.name == "nt" else None

_TEMPORARY = re.compile(r"\.npespcn-[0-9a-f]{16}(\..*)?", re.DOTALL)
_FRESH = 60  # seconds
_WINDOWS_REFUSES = re.compile(  # devices, streams, and what it would drop at the end of a name
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?"
    r'|.*[<>:"/\\|?*\x00-\x1f].*|.*[. ]',
    re.IGNORECASE | re.DOTALL,
)


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path; when the block ends without an error, it becomes `path`.

    The temporary file lies in the folder of `path`, because a rename is atomic only within one
    file system, and has its suffix, because writers such as Pillow and ``np.savez`` look at it. A
    reader of `path` sees the old file or the new one, never a part. After an error or Ctrl-C the
    old file is untouched and the temporary file is gone. Permissions are those of the file that is
    replaced, or the usual ones for a new file. A symbolic link is followed, not replaced. Temporary
    files of killed processes beside `path` are removed first, see `sweep`.

    Parameters
    ----------
    path
        The file to write. Its folder must exist.

    Raises
    ------
    OSError
        If `path` is a folder, or if no file can be made beside it. This is raised before the block
        runs, so that no long work is lost.
    ValueError
        On Windows, if it has no files of this name: ``aux.png`` is a device.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_write(f"{folder}/answer.txt") as temporary:
    ...         _ = temporary.write_text("42")
    ...     Path(folder, "answer.txt").read_text()
    '42'
    """
    if os.name == "nt" and _WINDOWS_REFUSES.fullmatch(os.path.basename(path)):
        raise ValueError(f"{os.fspath(path)}: Windows has no file of this name; choose another")
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(f"atomic_write: {os.fspath(path)} is a folder, expected a file")
    sweep(target.parent)
    temporary = target.with_name(f".npespcn-{secrets.token_hex(8)}{target.suffix}")
    held: int | None = None
    try:
        try:
            held = _create_locked(temporary)
        except OSError as error:
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        yield temporary
        with suppress(FileNotFoundError):
            shutil.copymode(target, temporary)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())  # the contents reach the disk before the name does
        if fcntl is None:  # Windows does not rename an open file
            os.close(held)
            held = None
        os.replace(temporary, target)
    finally:
        if held is not None:
            os.close(held)
        with suppress(OSError):  # usually it has been renamed, or was never made
            temporary.unlink()


def sweep(folder: str | os.PathLike[str]) -> None:
    """Remove the temporary files that killed processes have left in a folder.

    A process that writes one holds a lock on it, which the system releases when the process ends.
    Where locks do not work (some network drives), the files stay. Windows removes no open file;
    a file that is just being renamed is closed, but fresh.
    """
    with suppress(OSError):
        for name in filter(_TEMPORARY.fullmatch, os.listdir(folder)):
            path = os.path.join(folder, name)
            with suppress(OSError):
                if fcntl is not None:
                    _unlink_unlocked(path)
                elif time.time() - os.stat(path).st_mtime > _FRESH:
                    os.unlink(path)


def _unlink_unlocked(path: str) -> None:
    with open(path, "rb+") as file:
        lock(file.fileno())
        if os.fstat(file.fileno()).st_nlink:  # else another process has swept it away
            os.unlink(path)


def _create_locked(temporary: Path) -> int:
    """Create the file; return the descriptor that keeps it from being swept until it is closed."""
    while True:
        # Not tempfile.mkstemp: its files are readable by their owner only, and would stay so.
        file = os.open(temporary, os.O_CREAT | os.O_RDWR, 0o666)
        if fcntl is None:
            return file
        with suppress(OSError):  # this drive has no locks
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink:  # else another process has just swept it away
            return file
        os.close(file)


def lock(file: int) -> None:
    """Lock an open file until it is closed; the system closes what a dead process has open.

    Raises
    ------
    BlockingIOError
        If another process has locked it.
    OSError
        If this drive has no locks.
    """
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    try:
        os.lseek(file, 0, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)  # its first byte, which need not be there
    except PermissionError as error:
        raise BlockingIOError(*error.args) from None


def check_file(path: str | os.PathLike[str]) -> None:
    """Refuse a pipe, a device or a socket, because reading one may never end.

    Raises
    ------
    OSError
        If there is nothing of that name.
    ValueError
        If it is neither a file nor a folder (which cannot be opened anyway).
    """
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ValueError(f"{os.fspath(path)}: a pipe or a device, expected a file")
