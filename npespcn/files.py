"""Files that appear whole or not at all, and names that stand for files."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path; when the block ends without an error, it becomes `path`.

    The temporary file lies in the folder of `path`, because a rename is atomic only within one
    file system, and has its suffix, because writers such as Pillow and ``np.savez`` go by it. A
    reader of `path` sees the old file or the new one, never a part; after an error or Ctrl-C the
    old one is untouched and the temporary file is gone. Permissions are those of the file that is
    replaced, or the usual ones for a new file. A symbolic link is followed, not replaced.

    Parameters
    ----------
    path
        The file to write. Its folder must exist.

    Raises
    ------
    OSError
        If `path` is a folder, or if a file cannot be made beside it: before the block runs, so
        that no long work is lost.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_write(f"{folder}/answer.txt") as temporary:
    ...         _ = temporary.write_text("42")
    ...     Path(folder, "answer.txt").read_text()
    '42'
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(f"atomic_write: {os.fspath(path)} is a folder, expected a file")
    temporary = target.with_name(f".{secrets.token_hex(8)}{target.suffix}")
    try:
        # Not tempfile.mkstemp: its files can be read by their owner alone, and would stay so.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error
    try:
        yield temporary
        with suppress(FileNotFoundError):
            shutil.copymode(target, temporary)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())  # the contents reach the disk before the name does
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def check_file(path: str | os.PathLike[str]) -> None:
    """Refuse a pipe, a device or a socket: reading one may never end.

    Raises
    ------
    OSError
        If there is nothing of that name.
    ValueError
        If it is no file (nor a folder, which cannot be opened anyway).
    """
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ValueError(f"{os.fspath(path)}: a pipe or a device, expected a file")
