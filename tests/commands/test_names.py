"""Which files are meant, and where their larger versions go: none lost, none over another."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npespcn.commands.names import Found, Source, find_sources, name_targets


def is_picture(path: Path) -> bool:
    return path.suffix.lower() in (".png", ".jpg", ".tif", ".mp4")


def find(*names: Any, recursive: bool = False) -> Found:
    return find_sources([str(name) for name in names], is_picture, recursive)


def paths(found: Found, top: Path = Path()) -> list[str]:
    return [str(source.path.relative_to(top)) for source in found.sources]


def targets(
    names: Iterable[str], out: str | None = None, suffix: str = ".png", folder: str = ""
) -> list[str]:
    sources = [Source(Path(name), Path(folder)) for name in names]
    where = None if out is None else Path(out)
    return [str(path) for path in name_targets(sources, where, "_x2", lambda path: suffix)]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with pictures and other things, and go there."""
    files = [
        *[
            "photos/10.png",
            "photos/2.png",
            "photos/1.JPG",
            "photos/notes.txt",
            "photos/.hidden.png",
        ],
        *["photos/deep/b.png", "photos/deep/er/c.png", "photos/.git/d.png", "a[1].png", "a1.png"],
    ]
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


# Finding


def test_a_folder_in_natural_order(tree: Path) -> None:
    found = find("photos")
    assert paths(found) == ["photos/1.JPG", "photos/2.png", "photos/10.png"]
    assert [str(path) for path in found.others] == ["photos/notes.txt"]
    assert found.problems == []
    assert {source.folder for source in found.sources} == {Path()}


def test_recursive_goes_into_folders_and_says_which(tree: Path) -> None:
    found = find("photos", recursive=True)
    assert paths(found)[3:] == ["photos/deep/b.png", "photos/deep/er/c.png"]
    folders = [str(source.folder) for source in found.sources]
    assert folders == [".", ".", ".", "deep", "deep/er"]


def test_the_folder_for_results_is_not_searched(tree: Path) -> None:
    for out in ("photos/deep", "photos/../photos/deep/", tree / "photos/deep"):
        found = find_sources(["photos"], is_picture, recursive=True, out=str(out))
        assert paths(found) == ["photos/1.JPG", "photos/2.png", "photos/10.png"]
        assert Path("photos/deep") in found.others
    assert len(find_sources(["photos"], is_picture, True, "photos").sources) == 5  # as was asked
    assert len(find_sources(["photos/deep"], is_picture, False, "photos/deep").sources) == 1


def test_a_named_file_is_taken_whatever_it_is(tree: Path) -> None:
    assert paths(find("photos/notes.txt", "photos/.hidden.png")) == [
        "photos/notes.txt",
        "photos/.hidden.png",
    ]


def test_globs(tree: Path) -> None:
    assert paths(find("photos/*.png")) == ["photos/2.png", "photos/10.png"]
    assert paths(find("photos/**/[bc].png")) == ["photos/deep/b.png", "photos/deep/er/c.png"]
    assert paths(find("photos/?.*")) == ["photos/1.JPG", "photos/2.png"]


def test_a_file_whose_name_looks_like_a_glob_is_that_file(tree: Path) -> None:
    assert paths(find("a[1].png")) == ["a[1].png"]
    (tree / "a[1].png").unlink()
    assert paths(find("a[1].png")) == ["a1.png"]


def test_a_name_that_leads_nowhere(tree: Path) -> None:
    """Not even an empty one, of a shell's variable that is not set, means the current folder."""
    for name in ["", "nothing.png", "*.bmp", "nowhere/*", "phot?s", "photos/1.JPG/"]:
        found = find(name, "photos/2.png")
        assert found.problems == [f"{name}: no such file"], name
        assert paths(found) == ["photos/2.png"], name


def test_folders_without_pictures(tree: Path) -> None:
    found = find("empty")
    assert found.problems == [
        "empty: no image in this folder (--recursive looks into its folders, too)"
    ]
    assert find("empty", recursive=True).problems == ["empty: no image in this folder"]


def test_a_folder_that_cannot_be_read(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = os.scandir

    def refuse(path: Any) -> Any:
        if os.fspath(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = find("photos", recursive=True)
    assert len(found.sources) == 3
    assert found.problems == ["photos/deep: Permission denied"]
    assert find("photos/deep").problems == ["photos/deep: Permission denied"]


def test_each_file_once(tree: Path) -> None:
    (tree / "link.png").symlink_to("photos/2.png")
    (tree / "again").symlink_to("photos")
    found = find(
        "photos/2.png", "link.png", "photos", "./photos/../photos/2.png", "again", "phot*/*"
    )
    assert paths(found) == ["photos/2.png", "photos/1.JPG", "photos/10.png", "photos/notes.txt"]


def test_links_that_lead_in_circles_or_nowhere(tree: Path) -> None:
    (tree / "photos/deep/up").symlink_to(tree / "photos")
    (tree / "photos/loop.png").symlink_to("loop.png")
    (tree / "photos/broken.png").symlink_to("nowhere.png")
    found = find("photos", recursive=True)
    assert paths(found).count("photos/deep/b.png") == 1
    assert len(found.sources) == 7  # the two broken ones too, to be complained about


def test_a_folder_may_be_called_like_a_picture(tree: Path) -> None:
    (tree / "photos/folder.png").mkdir()
    (tree / "photos/folder.png/e.png").touch()
    assert "photos/folder.png" not in paths(find("photos"))
    assert paths(find("photos/folder.png")) == ["photos/folder.png/e.png"]


def test_strange_names(tmp_path: Path) -> None:
    for name in ["a\nb.png", "  a  b .png", "-x.png", "*.png", "a\udcff.png", "ä.png"]:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        (folder / name).touch()
        (folder / "plain.png").touch()
        assert folder / name in [source.path for source in find(folder).sources], name
        assert paths(find(folder / name), folder) == [name], name


def test_earlier_results_are_passed_over(tmp_path: Path) -> None:
    results = ["a_x2.png", "a_x3.png", "a_x2_compare.png", "b_jpg_x2.png", "clip_x4.mp4"]
    pictures = [
        "a.tif",
        "b.jpg",
        "b.png",
        "c_x2.png",
        "clip.mp4",
        "a_x1.png",
        "a_x22.png",
        "_x2.png",
    ]
    for name in results + pictures:
        (tmp_path / name).touch()
    found = find(tmp_path)
    assert sorted(paths(found, tmp_path)) == sorted(pictures)
    assert sorted(path.name for path in found.others) == sorted(results)


def test_earlier_results_among_named_files(tree: Path) -> None:
    """Numbered ones, and those in the folder of results, too; but not without their source."""
    names = ["a.png", "a.jpg", "a_x2.png", "a_jpg_x3.png", "a_jpg_2_x2.png", "a_x4_compare.png"]
    others = ["a_2_x2.png", "b_x2.png", "photos/a_x2.png", "a_x2 copy.png"]
    found = find_sources([*names, *others], is_picture)
    assert found.problems == [f"{name}: no such file" for name in [*names, *others]]
    (tree / "out").mkdir()
    for name in [*names, *others, "out/a_x3.png", "out/b_x3.png"]:
        (tree / name).touch()
    found = find_sources([*names, *others, "out/a_x3.png", "out/b_x3.png"], is_picture, out="out")
    assert paths(found) == ["a.png", "a.jpg", *others, "out/b_x3.png"]
    assert [str(path) for path in found.others] == [*names[2:], "out/a_x3.png"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX links")
def test_a_result_of_a_link_is_passed_over(tmp_path: Path) -> None:
    for name in ("a.png", "link_x2.png"):
        (tmp_path / name).touch()
    (tmp_path / "link.png").symlink_to("a.png")
    found = find(*(tmp_path / name for name in ("a.png", "link.png", "link_x2.png")))
    assert [path.name for path in found.others] == ["link_x2.png"]
    assert [source.path.name for source in found.sources] == ["a.png"]


def test_addresses_are_named(tree: Path) -> None:
    for name in ["https://example.com/a.jpg", "FILE:///a.jpg", "s3://b/*.png", "www.example.com/a"]:
        assert find(name).problems == [f"{name}: an address: download it first, or give the path"]


def test_pictures_that_are_not_read_are_named_in_a_folder(tree: Path) -> None:
    for name in ["IMG_2.HEIC", "IMG_10.heic", "deep/IMG_1.heic", "a.cr3", "a.jxl"]:
        (tree / "empty" / name).parent.mkdir(exist_ok=True)
        (tree / "empty" / name).touch()
    lines = find("empty", recursive=True).problems
    assert len(lines) == 3
    assert any(line.startswith("empty/a.cr3: a raw photograph: develop it") for line in lines)
    assert any(line.startswith("empty/IMG_2.HEIC and 2 more: HEIC, ") for line in lines)
    assert find_sources(["empty"], lambda path: path.suffix != ".jxl").problems == [
        "empty/a.jxl: JPEG XL: save it as PNG first (djxl IN.jxl OUT.png)"
    ]


def test_a_result_of_another_folder_is_none_here(tmp_path: Path) -> None:
    for name in ("one/a.png", "two/a_x2.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    assert len(find(tmp_path, recursive=True).sources) == 2


def test_a_folder_of_many_frames_takes_no_time(tmp_path: Path) -> None:
    asked = []

    class Name(type(tmp_path)):
        """A path that counts how often it is compared."""

        def __eq__(self, other: object) -> bool:
            asked.append(self)
            return super().__eq__(other)

        __hash__ = type(tmp_path).__hash__

    for i in range(300):
        (tmp_path / f"{i}.png").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("npespcn.commands.names.Path", Name)
        assert len(find_sources([str(tmp_path)], is_picture).sources) == 300
    assert len(asked) < 3000


# Naming


def test_beside_the_source_or_into_a_folder() -> None:
    assert targets(["a/b.jpg", "c.png"]) == ["a/b_x2.png", "c_x2.png"]
    assert targets(["a/b.jpg", "c.png"], "out") == ["out/b_x2.png", "out/c_x2.png"]
    assert targets(["a/b.jpg"], "out", folder="deep") == ["out/deep/b_x2.png"]
    assert targets(["photo", "a.tar.gz", ".png"]) == ["photo_x2.png", "a.tar_x2.png", ".png_x2.png"]


def test_two_that_would_get_one_name_are_told_apart() -> None:
    assert targets(["a.jpg", "a.png"]) == ["a_jpg_x2.png", "a_png_x2.png"]
    assert targets(["a.jpg", "b.png"]) == ["a_x2.png", "b_x2.png"]
    assert targets(["a.jpg", "a.png", "a_jpg.png"]) == [
        "a_jpg_2_x2.png",
        "a_png_x2.png",
        "a_jpg_x2.png",
    ]
    assert targets(["1/a.png", "2/a.png"]) == ["1/a_x2.png", "2/a_x2.png"]
    assert targets(["1/a.png", "2/a.png", "3/a.png"], "out") == [
        "out/a_png_x2.png",
        "out/a_png_2_x2.png",
        "out/a_png_3_x2.png",
    ]


def test_disks_that_know_no_case() -> None:
    found = targets(["a.png", "A.png", "B.PNG"])
    assert len({name.casefold() for name in found}) == 3
    assert found[2] == "B_x2.png"
    accents = targets(["\u00e9.png", "e\u0301.jpg"])  # one name on a Mac
    assert accents == ["\u00e9_png_x2.png", "e\u0301_jpg_x2.png"]


def test_one_folder_under_two_names(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    found = targets([f"{tmp_path}/real/a.png", f"{tmp_path}/link/a.jpg"])
    assert len({os.path.realpath(name) for name in found}) == 2


def test_names_do_not_depend_on_the_order() -> None:
    names = ["a.jpg", "a.png", "b.png"]
    assert targets(reversed(names)) == targets(names)[::-1]


STEMS = st.sampled_from(["a", "A", "a_jpg", "a_jpg_2", "a_x2", "b", "a_png_x2", "ä", "Ä", ".x"])
NAMES = st.tuples(
    st.sampled_from(["", "one/", "two/", "ONE/"]),
    STEMS,
    st.sampled_from(["", ".jpg", ".png", ".JPG"]),
).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.lists(NAMES, unique=True, max_size=12), st.sampled_from([None, "out", "one"]))
def test_every_source_gets_a_place_of_its_own(names: list[str], out: str | None) -> None:
    found = targets(names, out)
    assert len(found) == len(names)
    assert len({os.path.normpath(name).casefold() for name in found}) == len(names)
    for name, target in zip(names, found, strict=True):
        assert Path(target).name.startswith(Path(name).stem)
        assert target.endswith("_x2.png")
        assert Path(target).parent == (Path(name).parent if out is None else Path(out))
