from __future__ import annotations

import os
import random
import re

import numpy as np
import pytest
from PIL import Image

from npespcn.evaluation import find_pictures

# In natural order. With x3 at their ends they sort otherwise, naturally and plainly: d before da,
# but dax3 before dx3.
NAMES = ["2", "10", "c1", "c", "d", "da", "img_004"]

LAYOUTS = [
    ("HR/{}.png", "LR/{}.png"),
    ("hr/{}.PNG", "lr/{}.bmp"),
    ("HR/{}_HR.png", "LR/{}_LR_x3.png"),
    ("HR/{}_x3.png", "LR/{}x3.png"),
    ("x3/HR/{}.png", "x3/LR/{}.png"),
    ("X3/Hr/{}.png", "X3/Lr/{}X3.tif"),
    ("HR/{}.png", "LR_bicubic/X3/{}x3.png"),
    ("hr/{}.png", "lr_bicubic/x3/{}X3.png"),
    ("DIV2K_valid_HR/{}.png", "DIV2K_valid_LR_bicubic/X3/{}x3.png"),
    ("DIV2K_valid_HR/{}.png", "DIV2K_valid_LR_bicubic_X3/{}x3.png"),
    ("GTmod12/{}.png", "LRbicx3/{}.png"),
    ("GTMOD12/{}.png", "lrbicX3/{}x3.png"),
    ("GT/{}_GT.png", "LRbicx3/{}_LRBI_x3.png"),
    ("original/{}.png", "LRbicx3/{}.png"),
    ("image_SRF_3/{}_SRF_3_HR.png", "image_SRF_3/{}_SRF_3_LR.png"),
    ("IMAGE_srf_3/{}_srf_3_hr.png", "IMAGE_srf_3/{}_srf_3_lr.png"),
]


@pytest.fixture(autouse=True)
def listings_in_no_order(monkeypatch):
    scandir, rng = os.scandir, random.Random(0)  # noqa: S311

    def shuffled(folder):
        with scandir(folder) as entries:
            listed = list(entries)
        rng.shuffle(listed)
        return iter(listed)

    monkeypatch.setattr(os, "scandir", shuffled)


def touch(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()


def picture(path, width, height):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height)).save(path)


def inside(folder, pairs):
    """Return pairs as text, without the folder."""
    return [
        tuple(None if path is None else path.relative_to(folder).as_posix() for path in pair)
        for pair in pairs
    ]


def words(folder, lines):
    return [line.replace(str(folder) + os.sep, "") for line in lines]


# --- pairs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hr", "lr"), LAYOUTS)
def test_every_layout_pairs_by_name_in_natural_order(tmp_path, hr, lr):
    """Hidden files are passed over; a file without a partner is named, and shifts no other."""
    for path in (hr, lr):
        for name in (*NAMES, "._1", ".hidden"):
            touch(tmp_path, path.format(name))
        touch((tmp_path / path).parent, ".DS_Store")
    touch(tmp_path, ".LR/1.png", ".HR/1.png", ".DS_Store")
    for asked in (3, None):
        found = find_pictures(tmp_path, asked)
        assert inside(tmp_path, found.pairs) == [(hr.format(n), lr.format(n)) for n in NAMES]
        assert (found.scale, found.unpaired) == (3, [])
        assert found.source == (tmp_path / lr).parent
    (tmp_path / hr.format(NAMES[0])).unlink()
    (tmp_path / lr.format(NAMES[-1])).unlink()
    found = find_pictures(tmp_path, 3)
    assert inside(tmp_path, found.pairs) == [(hr.format(n), lr.format(n)) for n in NAMES[1:-1]]
    assert words(tmp_path, found.unpaired) == [
        f"{hr.format(NAMES[-1])}: there is no LR image of this name",
        f"{lr.format(NAMES[0])}: there is no HR image of this name",
    ]


def test_two_files_of_one_name_are_named_together(tmp_path):
    for number, (hr, lr) in enumerate([LAYOUTS[0], LAYOUTS[6], LAYOUTS[10]]):
        for side in (hr, lr):
            folder = tmp_path / str(number) / side[:2]
            for name in NAMES:
                touch(folder, hr.format(name), lr.format(name))
            second = os.path.splitext(side)[0].format("c1") + ".jpg"
            touch(folder, second)
            found = find_pictures(folder, 3)
            others = [name for name in NAMES if name != "c1"]
            assert inside(folder, found.pairs) == [(hr.format(n), lr.format(n)) for n in others]
            (line,) = words(folder, found.unpaired)
            files, _, rule = line.partition(": ")
            assert sorted(files.split(", ")) == sorted([hr.format("c1"), lr.format("c1"), second])
            assert rule == "a pair needs one HR and one LR image of this name"


def test_names_that_end_like_a_suffix(tmp_path):
    for name in ["box3", "box4", "x3", "_HR", "img_SRF_4", "a_bicubic"]:
        touch(tmp_path, f"HR/{name}.png", f"LR/{name}x3.png")
    found = find_pictures(tmp_path, 3)
    assert found.unpaired == []
    assert len(found.pairs) == 6
    for hr, lr in inside(tmp_path, found.pairs):
        assert lr == hr.replace("HR/", "LR/").replace(".png", "x3.png")


def test_only_the_suffix_of_this_scale_is_stripped(tmp_path):
    touch(tmp_path, "HR/a.png", "LR/ax2.png")
    assert len(find_pictures(tmp_path, 2).pairs) == 1
    assert len(find_pictures(tmp_path, 3).unpaired) == 2


def test_names_with_newlines_are_names(tmp_path):
    names = ["a\nb", "a\nc", "a"]
    for name in names:
        touch(tmp_path, f"HR/{name}.png", f"LR/{name}x3.png")
    found = find_pictures(tmp_path, 3)
    expected = [(f"HR/{name}.png", f"LR/{name}x3.png") for name in names]
    assert inside(tmp_path, found.pairs) == expected


def test_other_files_beside_srf_pairs_are_ignored(tmp_path):
    for kind in ("HR", "LR", "bicubic", "SRCNN", "SelfExSR", "nearest"):
        touch(tmp_path, f"image_SRF_3/img_001_SRF_3_{kind}.png")
    touch(tmp_path, "image_SRF_3/notes.txt", "image_SRF_3/HR_SRF_3.png")
    found = find_pictures(tmp_path)
    expected = tuple(f"image_SRF_3/img_001_SRF_3_{kind}.png" for kind in ("HR", "LR"))
    assert inside(tmp_path, found.pairs) == [expected]
    assert found.unpaired == []


def test_srf_pairs_of_two_scales_in_one_folder(tmp_path):
    for r in (2, 3):
        touch(tmp_path, f"a_SRF_{r}_HR.png", f"a_SRF_{r}_LR.png")
    for r in (2, 3):
        found = find_pictures(tmp_path, r)
        assert inside(tmp_path, found.pairs) == [(f"a_SRF_{r}_HR.png", f"a_SRF_{r}_LR.png")]
        assert found.unpaired == []


def test_other_folders_are_ignored(tmp_path):
    touch(tmp_path, "HR/a.png", "LR_bicubic/X3/ax3.png", "README.md")
    for folder in ("LR_unknown/X3", "LR_mild", "LR_wild/X3", "results/x3", "SR/X3", "Other_LR"):
        touch(tmp_path, f"{folder}/ax3.png", f"{folder}/b.png")
    found = find_pictures(tmp_path)
    assert inside(tmp_path, found.pairs) == [("HR/a.png", "LR_bicubic/X3/ax3.png")]
    assert found.unpaired == []


def test_modcropped_pictures_are_preferred_to_their_originals(tmp_path):
    for folder in ("original", "GT", "HR", "GTmod12", "LRbicx3"):
        touch(tmp_path, f"{folder}/a.png")
    assert inside(tmp_path, find_pictures(tmp_path).pairs) == [("GTmod12/a.png", "LRbicx3/a.png")]


# --- high resolution alone -----------------------------------------------------------------------


def test_pictures_alone(tmp_path):
    touch(tmp_path, "10.png", "9.jpg", "9.png", "baby_HR.bmp", ".hidden.png")
    (tmp_path / "results").mkdir()
    found = find_pictures(str(tmp_path), 4)
    names = ["9.jpg", "9.png", "10.png", "baby_HR.bmp"]
    assert inside(tmp_path, found.pairs) == [(name, None) for name in names]
    assert (found.scale, found.unpaired, found.source) == (4, [], None)
    assert find_pictures(tmp_path).scale == 3


def test_a_folder_of_high_resolution_only(tmp_path):
    for name in ("HR", "gt", "GTmod12", "DIV2K_train_HR", "original"):
        folder = tmp_path / f"with {name}"
        touch(folder, f"{name}/a.png", "LR_unknown/X3/ax3.png")
        found = find_pictures(folder)
        assert inside(folder, found.pairs) == [(f"{name}/a.png", None)]
        assert find_pictures(folder / name, 2).pairs == found.pairs


def test_a_folder_named_after_a_scale_may_hold_pictures_alone(tmp_path):
    touch(tmp_path, "x4/a.png")
    assert inside(tmp_path, find_pictures(tmp_path / "x4", 2).pairs) == [("x4/a.png", None)]


def test_files_that_are_no_pictures_are_passed_over_with_a_warning(tmp_path):
    touch(tmp_path, "HR/a.png", "HR/Thumbs.db", "HR/z.dng", "LR/a.png", "LR/notes", "README.md")
    with pytest.warns(UserWarning, match="skipped") as caught:
        found = find_pictures(tmp_path, 3)
    assert inside(tmp_path, found.pairs) == [("HR/a.png", "LR/a.png")]
    assert found.unpaired == []
    assert words(tmp_path, [str(one.message) for one in caught]) == [
        "skipped HR/Thumbs.db: '.db' is not the suffix of an image format",
        "skipped HR/z.dng: a raw photograph: develop it first, to TIFF or PNG",
        "skipped LR/notes: '' is not the suffix of an image format",
    ]


# --- the scale -----------------------------------------------------------------------------------

OF_SCALES = [
    ("HR/a.png", "LR_bicubic/X{0}/ax{0}.png"),
    ("D_HR/a.png", "D_LR_bicubic/X{0}/ax{0}.png"),
    ("GTmod12/a.png", "LRbicx{0}/a.png"),
    ("x{0}/HR/a.png", "x{0}/LR/a.png"),
    ("image_SRF_{0}/a_SRF_{0}_HR.png", "image_SRF_{0}/a_SRF_{0}_LR.png"),
]


@pytest.mark.parametrize(("hr", "lr"), OF_SCALES)
def test_the_scale_chooses_the_files(tmp_path, hr, lr):
    for r in (2, 3, 4, 12):
        touch(tmp_path, hr.format(r), lr.format(r))
    for asked, r in {2: 2, 3: 3, 4: 4, 12: 12, None: 3}.items():
        found = find_pictures(tmp_path, asked)
        assert inside(tmp_path, found.pairs) == [(hr.format(r), lr.format(r))]
        assert (found.scale, found.unpaired) == (r, [])


def test_the_only_scale_there_is_is_taken(tmp_path):
    for number, (hr, lr) in enumerate(OF_SCALES):
        for r in (2, 8):
            folder = tmp_path / f"{number} {r}"
            touch(folder, hr.format(r), lr.format(r))
            found = find_pictures(folder)
            assert inside(folder, found.pairs) == [(hr.format(r), lr.format(r))]
            assert found.scale == r


@pytest.mark.parametrize(("hr", "lr"), OF_SCALES[:3])
def test_a_scale_without_files_is_made_from_high_resolution(tmp_path, hr, lr):
    for r in (2, 4):
        touch(tmp_path, hr.format(r), lr.format(r))
    for asked, r in {8: 8, None: 3}.items():
        found = find_pictures(tmp_path, asked)
        assert inside(tmp_path, found.pairs) == [(hr, None)]
        assert (found.scale, found.source) == (r, None)


@pytest.mark.parametrize(("hr", "lr"), OF_SCALES[3:])
def test_a_scale_without_pictures_is_refused(tmp_path, hr, lr):
    for r in (2, 4):
        touch(tmp_path, hr.format(r), lr.format(r))
    for asked, r in {8: 8, None: 3}.items():
        with pytest.raises(ValueError, match=rf"has images for x2, x4, none for x{r}$"):
            find_pictures(tmp_path, asked)


@pytest.mark.parametrize(("hr", "lr"), OF_SCALES[3:])
def test_the_folder_of_one_scale_can_be_given(tmp_path, monkeypatch, hr, lr):
    for r in (2, 4):
        touch(tmp_path, hr.format(r), lr.format(r))
    folder = (tmp_path / hr.format(4)).parents[hr.count("/") - 1]
    assert folder.parent == tmp_path
    monkeypatch.chdir(folder)
    for given in (folder, ".", "../" + folder.name, str(folder) + "/"):
        found = find_pictures(given)
        ((hr_path, lr_path),) = found.pairs
        assert hr_path.samefile(tmp_path / hr.format(4))
        assert lr_path.samefile(tmp_path / lr.format(4))
        assert found.scale == 4
        with pytest.raises(ValueError, match="has images for x4, none for x2"):
            find_pictures(given, 2)


def test_sizes_tell_the_scale(tmp_path):
    for r, more in [(2, 0), (2, 1), (5, 0), (5, 1)]:
        folder = tmp_path / f"{r} {more}"
        for name, (w, h) in {"a": (7, 9), "b": (20, 8)}.items():
            picture(folder / "HR" / f"{name}.png", w * r + more, h * r)
            picture(folder / "LR" / f"{name}x{r}.png", w, h)
        touch(folder, "HR/broken.png", "LR/broken.png", "HR/c.png", "LR/d.png")
        assert find_pictures(folder).scale == r
        assert find_pictures(folder, 7).scale == 7


def test_sizes_that_disagree_tell_nothing(tmp_path):
    for name, r in {"a": 2, "b": 4}.items():
        picture(tmp_path / "HR" / f"{name}.png", 8 * r, 8 * r)
        picture(tmp_path / "LR" / f"{name}.png", 8, 8)
    assert find_pictures(tmp_path).scale == 3
    picture(tmp_path / "HR" / "b.png", 16, 32)
    assert find_pictures(tmp_path).scale == 2


# --- what cannot be used -------------------------------------------------------------------------


def test_several_sets_are_refused(tmp_path):
    for part in ("train", "valid"):
        touch(tmp_path, f"DIV2K_{part}_HR/1.png", f"DIV2K_{part}_LR_bicubic/X3/1x3.png")
    expected = "several sets of images: choose one of DIV2K_train_HR, DIV2K_valid_HR$"
    with pytest.raises(ValueError, match=expected):
        find_pictures(tmp_path)


def test_low_resolution_of_another_set_is_not_taken(tmp_path):
    touch(tmp_path, "DIV2K_valid_HR/1.png", "DIV2K_train_LR_bicubic/X3/1x3.png")
    assert inside(tmp_path, find_pictures(tmp_path).pairs) == [("DIV2K_valid_HR/1.png", None)]


def test_wrong_folders_and_scales_are_refused(tmp_path):
    for number, path in enumerate([None, "LR/a.png", "HR/.a.png", "sub/a.png"]):
        folder = tmp_path / str(number)
        (folder / "HR").mkdir(parents=True)
        touch(folder, *filter(None, [path]))
        with pytest.raises(ValueError, match=f"^no test images in {re.escape(str(folder))}:"):
            find_pictures(folder)
    touch(tmp_path, "a.png")
    with pytest.raises(FileNotFoundError, match="absent"):
        find_pictures(tmp_path / "absent")
    with pytest.raises(NotADirectoryError, match=r"a\.png"):
        find_pictures(tmp_path / "a.png")
    for scale, error in [(0, ValueError), (2.5, TypeError)]:
        with pytest.raises(error, match="find_pictures: scale"):
            find_pictures(tmp_path, scale)
    assert find_pictures(tmp_path, np.int64(2)).scale == 2
