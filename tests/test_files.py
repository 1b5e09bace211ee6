import os
import stat

import numpy as np
import pytest

from npespcn.files import atomic_write


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
