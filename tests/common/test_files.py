import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from npespcn.common import files
from npespcn.common.files import atomic_write, sweep


def test_the_file_appears_only_at_the_end(tmp_path):
    target = tmp_path / "a.txt"
    with atomic_write(target) as temporary:
        temporary.write_text("new")
        assert temporary.parent == tmp_path
        assert not target.exists()
    assert target.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_after_an_error_the_old_file_is_untouched(tmp_path, error):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(error), atomic_write(target) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise error
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.skipif(os.name == "nt", reason="no locks of this kind")
def test_ctrl_c_while_the_file_is_made_leaves_none(tmp_path, monkeypatch):
    def interrupted(*_):
        assert len(os.listdir(tmp_path)) == 1
        raise KeyboardInterrupt

    monkeypatch.setattr(files.fcntl, "flock", interrupted)
    with pytest.raises(KeyboardInterrupt), atomic_write(tmp_path / "a"):
        pass
    assert os.listdir(tmp_path) == []


def test_the_suffix_is_kept_for_writers_that_go_by_it(tmp_path):
    target = tmp_path / "weights.npz"
    with atomic_write(target) as temporary:
        np.savez(temporary, x=np.arange(3))  # would add .npz to another name
    with np.load(target) as arrays:
        np.testing.assert_array_equal(arrays["x"], np.arange(3))
    assert os.listdir(tmp_path) == ["weights.npz"]


def test_an_existing_file_is_replaced_and_a_str_will_do(tmp_path):
    target = tmp_path / "no suffix"
    target.write_bytes(b"old and longer")
    with atomic_write(str(target)) as temporary:
        temporary.write_bytes(b"new")
    assert target.read_bytes() == b"new"


def test_two_writers_do_not_share_a_temporary_file(tmp_path):
    target = tmp_path / "a"
    with atomic_write(target) as one, atomic_write(target) as two:
        assert one != two
        one.write_text("outer")
        two.write_text("inner")
    assert target.read_text() == "outer"


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_permissions_are_the_usual_ones_or_those_of_the_old_file(tmp_path):
    new, old = tmp_path / "new", tmp_path / "old"
    (tmp_path / "plain").write_text("")
    old.write_text("")
    old.chmod(0o640)
    for target in (new, old):
        with atomic_write(target) as temporary:
            temporary.write_text("x")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "new", "old")]
    assert modes == [modes[0], modes[0], 0o640]


@pytest.mark.skipif(os.name == "nt", reason="symbolic links")
def test_a_link_is_followed(tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "there" / "file")
    with atomic_write(link) as temporary:
        temporary.write_text("x")
    assert link.is_symlink()
    assert (tmp_path / "there" / "file").read_text() == "x"


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path):
    began = []
    with pytest.raises(IsADirectoryError, match="is a folder"), atomic_write(tmp_path):
        began.append(1)
    missing = tmp_path / "missing" / "a.txt"
    with pytest.raises(FileNotFoundError, match=r"missing.a\.txt"), atomic_write(missing):
        began.append(2)
    assert began == []


WRITER = """
import sys
from npespcn.common import files
from npespcn.common.files import atomic_write
with atomic_write(sys.argv[1]) as temporary:
    temporary.write_text("half")
    print(temporary.name, flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(os.name == "nt", reason="no locks of this kind")
def test_what_a_killed_process_left_is_swept_and_nothing_else(tmp_path):
    target = tmp_path / "a.txt"
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", WRITER, str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    left = process.stdout.readline().strip()
    others = [".npespcn-0123456789abcde", ".npespcn-0123456789abcdef0", ".0123456789abcdef.npz"]
    for name in others:
        (tmp_path / name).touch()
    sweep(tmp_path)
    assert left in os.listdir(tmp_path)  # it is still being written
    process.kill()
    process.communicate()
    assert left in os.listdir(tmp_path)
    with atomic_write(tmp_path / "b.txt") as temporary:
        temporary.touch()
    assert sorted(os.listdir(tmp_path)) == sorted([*others, "b.txt"])


def open_files():
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0


@pytest.mark.skipif(os.name == "nt", reason="no locks of this kind")
def test_many_writers_and_sweepers_do_not_disturb_each_other(tmp_path):
    errors, before = [], open_files()

    def write(name):
        try:
            for i in range(25):
                with atomic_write(tmp_path / name) as new, new.open("r+") as file:  # it is there
                    file.write(f"{i}")
                sweep(tmp_path)
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=[f"{i}"]) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert open_files() == before
    assert sorted(os.listdir(tmp_path)) == [f"{i}" for i in range(6)]
    assert {(tmp_path / f"{i}").read_text() for i in range(6)} == {"24"}


@pytest.mark.skipif(os.name == "nt", reason="no locks of this kind")
def test_a_writer_that_is_swept_before_it_holds_its_file_makes_it_again(tmp_path, monkeypatch):
    flock, swept, begun = files.fcntl.flock, [], threading.Event()

    def sweep_slowly():
        (path,) = tmp_path.iterdir()
        with path.open("rb+") as file:
            flock(file, files.fcntl.LOCK_EX)
            begun.set()
            time.sleep(0.05)
            path.unlink()
            swept.append(path)  # while the lock is still held

    def flock_too_late(file, how):
        if not begun.is_set():
            threading.Thread(target=sweep_slowly).start()
            begun.wait()
        flock(file, how)

    monkeypatch.setattr(files.fcntl, "flock", flock_too_late)
    with atomic_write(tmp_path / "a") as temporary:
        assert swept
        with temporary.open("r+") as file:
            file.write("whole")
    assert len(swept) == 1
    assert (tmp_path / "a").read_text() == "whole"


def test_a_folder_that_cannot_be_swept_is_left_alone(tmp_path):
    sweep(tmp_path / "nowhere")


# --- Windows, as far as it can be played here ----------------------------------------------------


def test_without_posix_locks_what_is_open_or_fresh_stays(tmp_path, monkeypatch):
    """Windows removes no open file and renames none."""
    monkeypatch.setattr(files, "fcntl", None)
    fresh, old = (tmp_path / f".npespcn-{i:016x}.png" for i in range(2))
    open_by_another = tmp_path / f".npespcn-{2:016x}.png"
    for path in (fresh, old, open_by_another):
        path.touch()
    for path in (old, open_by_another):
        os.utime(path, (time.time() - 100, time.time() - 100))
    unlink, replace, held = os.unlink, os.replace, []

    def unlink_if_closed(path):
        if os.fspath(path) == os.fspath(open_by_another):
            raise PermissionError(13, "in use by another process", os.fspath(path))
        unlink(path)

    def replace_if_closed(one, two):
        with pytest.raises(OSError, match="descriptor"):
            os.fstat(held[-1])
        replace(one, two)

    def note(*arguments, real=files._create_locked):
        held.append(real(*arguments))
        return held[-1]

    monkeypatch.setattr(os, "unlink", unlink_if_closed)
    monkeypatch.setattr(os, "replace", replace_if_closed)
    monkeypatch.setattr(files, "_create_locked", note)
    before = open_files()
    with atomic_write(tmp_path / "a.png") as temporary:
        os.fstat(held[-1])  # open until the end, so that no other process removes it
        temporary.write_bytes(b"whole")
    assert sorted(tmp_path.iterdir()) == sorted([fresh, open_by_another, tmp_path / "a.png"])
    assert (tmp_path / "a.png").read_bytes() == b"whole"
    with pytest.raises(ZeroDivisionError), atomic_write(tmp_path / "b.png"):
        _ = 1 / 0
    assert not (tmp_path / "b.png").exists()
    assert open_files() == before


def test_the_lock_of_windows(tmp_path, monkeypatch):
    """One byte of the file, asked for without waiting; a refusal is the error of other systems."""

    class Stub:
        LK_NBLCK, locked = 2, set()

        def locking(self, file, how, count):
            assert (how, count, os.lseek(file, 0, os.SEEK_CUR)) == (self.LK_NBLCK, 1, 0)
            if os.fstat(file).st_ino in self.locked:
                raise PermissionError(13, "Permission denied")
            self.locked.add(os.fstat(file).st_ino)

    (tmp_path / "lock").write_text("longer")
    monkeypatch.setattr(files, "fcntl", None)
    monkeypatch.setattr(files, "msvcrt", Stub())
    with (tmp_path / "lock").open("a") as one, (tmp_path / "lock").open("a") as two:
        files.lock(one.fileno())
        with pytest.raises(BlockingIOError):
            files.lock(two.fileno())


def test_names_that_windows_has_no_files_of(tmp_path, monkeypatch):
    refused = ["con", "NUL.png", "aux.tar.gz", "com1.png", "LPT³", "aux .png", "conout$"]
    refused += ["a.png.", "a ", "a:b.png", "why?.png", 'a"b.png', "a|b", "a\nb.png", "*.png"]
    for name in refused:
        assert files._WINDOWS_REFUSES.fullmatch(name), name
    for name in ["console.png", "nul_x2.png", "aux-1.png", "com10.png", ".a", "a b.png", "ä$.png"]:
        assert not files._WINDOWS_REFUSES.fullmatch(name), name
    with atomic_write(tmp_path / "aux.png") as temporary:  # elsewhere it is a name like others
        temporary.touch()
    monkeypatch.setattr(os, "name", "nt")
    with pytest.raises(ValueError, match=r"aux\.png: Windows has no file"), atomic_write("aux.png"):
        pass
