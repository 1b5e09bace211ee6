import io
import warnings

import numpy as np
import pytest
from PIL import Image

from npespcn.data import (
    LeafStream,
    PairedPatches,
    dead_leaves_pictures,
    load_pictures,
    validation_pairs,
)
from npespcn.models import ESPCN
from npespcn.pictures import downscale, rgb_to_y


def random_pictures(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]


def eight(x):
    """Return the eight flips and quarter turns of (C, p, p)."""
    return [np.rot90(y, k, axes=(1, 2)) for y in (x, x[:, :, ::-1]) for k in range(4)]


# --- folders and series --------------------------------------------------------------------------


def test_load_pictures_in_natural_order(tmp_path):
    for i, name in enumerate(["10.png", "9.png", "a2.bmp", "A10.png", "a1.tif"]):
        Image.new("RGB", (4 + i, 3), (i, 0, 0)).save(tmp_path / name)
    Image.new("RGB", (4, 4)).save(tmp_path / ".hidden.png")
    (tmp_path / "folder.png").mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = load_pictures(tmp_path)
    assert [name for name, _ in loaded] == ["9.png", "10.png", "a1.tif", "a2.bmp", "A10.png"]
    assert [(p.shape, p.dtype) for _, p in loaded[:2]] == [
        ((3, 5, 3), "uint8"),
        ((3, 4, 3), "uint8"),
    ]
    assert [p[0, 0, 0] for _, p in loaded] == [1, 0, 4, 2, 3]


def test_load_pictures_names_what_it_skips(tmp_path):
    Image.new("L", (20, 20)).save(tmp_path / "good.png")
    Image.new("L", (20, 9)).save(tmp_path / "small.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    noise = io.BytesIO()
    Image.fromarray(random_pictures((40, 40))[0]).save(noise, "PNG")
    (tmp_path / "cut.png").write_bytes(noise.getvalue()[:900])
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.warns(UserWarning, match="skipped") as caught:
        loaded = load_pictures(str(tmp_path), smallest_side=10)
    assert [name for name, _ in loaded] == ["good.png"]
    messages = [str(warning.message) for warning in caught]
    assert [m.split(":")[0] for m in messages] == [
        f"skipped {name}" for name in ("cut.png", "empty.jpg", "notes.txt", "small.png")
    ]
    assert messages[3] == "skipped small.png: 20 x 9 pixels, at least 10 x 10 are needed"
    assert {warning.filename for warning in caught} == {__file__}


def test_load_pictures_wants_a_picture(tmp_path):
    with pytest.raises(ValueError, match=f"no usable image in {tmp_path}"):
        load_pictures(tmp_path)
    with pytest.raises(FileNotFoundError, match="absent"):
        load_pictures(tmp_path / "absent")


def test_a_dead_leaves_picture_depends_on_seed_and_number_only():
    pictures = dead_leaves_pictures(4, 24, seed=5)
    assert [p.shape for p in pictures] == [(24, 24, 3)] * 4
    assert len({p.tobytes() for p in pictures + dead_leaves_pictures(4, 24, seed=6)}) == 8
    np.testing.assert_array_equal(pictures[2:], dead_leaves_pictures(2, 24, seed=5, first=2))
    assert dead_leaves_pictures(0) == []


def test_workers_make_the_same_pictures():
    counts = []
    shared = dead_leaves_pictures(34, 16, seed=1, workers=2, progress=counts.append)
    np.testing.assert_array_equal(shared, dead_leaves_pictures(34, 16, seed=1))
    assert counts == list(range(1, 35))


# --- pairs ---------------------------------------------------------------------------------------


def test_validation_pairs():
    pictures = random_pictures((13, 22, 3), (17, 12))
    before = [p.copy() for p in pictures]
    for scale, channels in [(1, 1), (2, 3), (3, 1), (3, 3)]:
        pairs = validation_pairs(pictures, scale, channels)
        for picture, old, (lr, hr) in zip(pictures, before, pairs, strict=True):
            np.testing.assert_array_equal(picture, old)
            h, w = picture.shape[0] // scale, picture.shape[1] // scale
            assert lr.shape == (1, channels, h, w)
            assert hr.shape == (1, channels, h * scale, w * scale)
            for planes, pixels in ((lr, downscale(picture, scale)), (hr, picture)):
                assert planes.dtype == np.float32
                pixels = pixels[: planes.shape[2], : planes.shape[3]].astype(np.float64)
                rgb = pixels if pixels.ndim == 3 else np.stack([pixels] * 3, -1)
                expected = rgb_to_y(rgb)[None] if channels == 1 else np.moveaxis(rgb, 2, 0)
                np.testing.assert_allclose(planes[0], expected / 255, atol=1e-7)


@pytest.mark.parametrize("channels", [1, 3])
def test_every_patch_is_a_matching_pair(channels):
    scale, p = 2, 3
    pictures = random_pictures((13, 10, 3), (8, 9, 3))  # (6, 5) and (4, 4) at low resolution
    places = {}
    for number, (lr, hr) in enumerate(validation_pairs(pictures, scale, channels)):
        for row in range(lr.shape[2] - p + 1):
            for column in range(lr.shape[3] - p + 1):
                low = lr[0, :, row : row + p, column : column + p]
                high = hr[0, :, row * 2 : (row + p) * 2, column * 2 : (column + p) * 2]
                for turn, (x, y) in enumerate(zip(eight(low), eight(high), strict=True)):
                    places[x.tobytes()] = (number, row, column, turn), y
    assert len(places) == (4 * 3 + 2 * 2) * 8

    patches = PairedPatches(pictures, scale, channels)
    assert len(patches) == 2
    lr, hr = patches.batch(np.random.default_rng(0), 6000, p)
    assert lr.shape == (6000, channels, p, p)
    assert hr.shape == (6000, channels, p * 2, p * 2)
    assert lr.dtype == hr.dtype == np.float32
    assert lr.flags.c_contiguous
    assert hr.flags.c_contiguous
    seen = []
    for x, y in zip(lr, hr, strict=True):
        place, expected = places[x.tobytes()]
        np.testing.assert_array_equal(y, expected)
        seen.append(place)
    assert len(set(seen)) == len(places)  # every place and turn comes up
    first = [place for place in seen if place[0] == 0]
    assert len(first) / 6000 == pytest.approx(30 / 46, abs=0.03)  # areas 6 * 5 and 4 * 4
    for axis, size in ((1, 4), (2, 3), (3, 8)):
        counts = np.bincount([place[axis] for place in first], minlength=size)
        np.testing.assert_allclose(counts / len(first), 1 / size, atol=0.04)


def test_batches_resume_and_take_a_fixed_number_of_draws():
    patches = PairedPatches(random_pictures((30, 40, 3), (24, 24)), 2)
    rng, same = np.random.default_rng(7), np.random.default_rng(7)
    patches.batch(rng, 5, 8)
    same.random(4 * 5)
    assert rng.bit_generator.state == same.bit_generator.state
    for one, two in zip(patches.batch(rng, 5, 8), patches.batch(same, 5, 8), strict=True):
        np.testing.assert_array_equal(one, two)
        assert len(np.unique(one, axis=0)) == 5


def test_batches_are_the_callers_own():
    patches = PairedPatches(random_pictures((12, 12, 3)), 2)
    lr, hr = patches.batch(np.random.default_rng(0), 2, 6)  # 6 is all there is
    lr[:], hr[:] = -1, -1
    assert min(x.min() for x in patches.batch(np.random.default_rng(0), 2, 6)) >= 0


def test_pair_errors():
    good = random_pictures((12, 20, 3))
    with pytest.raises(ValueError, match="at least one image"):
        PairedPatches([], 2)
    with pytest.raises(ValueError, match=r"PairedPatches: channels must be .*, got 2"):
        PairedPatches(good, 2, channels=2)
    for floats in (good[0] / 255, good[0].astype(np.float32)):
        with pytest.raises(TypeError, match="must be uint8, got float"):
            PairedPatches([floats], 2)
    with pytest.raises(ValueError, match="scale=13"):
        validation_pairs(good, 13)
    patches = PairedPatches(good, 2)
    for size in (0, 7):
        with pytest.raises(ValueError, match=f"patch_size must be .* got {size}"):
            patches.batch(np.random.default_rng(0), 1, size)


def test_a_teacher_gives_half_of_high_resolution():
    pictures, teacher = random_pictures((24, 30, 3), (20, 20)), ESPCN(2, padding="edge", seed=1)
    plain, taught = PairedPatches(pictures, 2), PairedPatches(pictures, 2, teacher=teacher)
    for (lr, hr), (same, half) in zip(plain._pairs, taught._pairs, strict=True):
        np.testing.assert_array_equal(lr, same)
        answers = [teacher.predict(view[None])[0] for view in eight(lr)]
        back = [np.rot90(y, -(i % 4), axes=(1, 2)) for i, y in enumerate(answers)]
        back = [y[:, :, ::-1] if i > 3 else y for i, y in enumerate(back)]
        np.testing.assert_allclose(half, (hr + np.mean(back, axis=0)) / 2, atol=1e-6)
        assert half.dtype == np.float32
    for wrong in (ESPCN(3), ESPCN(2, 3), ESPCN(2, padding="valid")):
        with pytest.raises(
            ValueError, match="PairedPatches: teacher must have scale 2, channels=1"
        ):
            PairedPatches(pictures, 2, teacher=wrong)


# --- a stream ------------------------------------------------------------------------------------


def stream(**options):
    return LeafStream(2, count=3, every=2, size=32, seed=4, **options)


def test_a_stream_renews_its_pictures_one_by_one():
    series = [lr.tobytes() for lr, _ in validation_pairs(dead_leaves_pictures(9, 32, seed=4), 2)]
    leaves, rng = stream(), np.random.default_rng(0)
    for step in range(12):
        first = step // 2
        assert {lr.tobytes() for lr, _ in leaves._pairs} == set(series[first : first + 3])
        lr, hr = leaves.batch(rng, 4, 8)
        assert (lr.shape, hr.shape) == ((4, 1, 8, 8), (4, 1, 16, 16))


def test_a_stream_asks_the_teacher_about_every_picture():
    teacher = ESPCN(2, padding="edge", seed=1)
    leaves, rng = stream(teacher=teacher), np.random.default_rng(0)
    for _ in range(6):
        leaves.batch(rng, 4, 8)
    taught = PairedPatches(dead_leaves_pictures(6, 32, seed=4), 2, teacher=teacher)._pairs[3:]
    for pair, expected in zip(leaves._pairs, taught, strict=True):
        np.testing.assert_array_equal(pair[1], expected[1])


def test_a_stream_resumes_to_the_same_bits():
    for stop in (0, 1, 2, 9):
        whole, rng = stream(), np.random.default_rng(0)
        for _ in range(stop):
            whole.batch(rng, 4, 8)
        resumed, same = stream(), np.random.default_rng()
        resumed.seek(stop)
        same.bit_generator.state = rng.bit_generator.state
        for _ in range(5):
            batches = zip(whole.batch(rng, 4, 8), resumed.batch(same, 4, 8), strict=True)
            assert all(np.array_equal(one, two) for one, two in batches), stop


def test_stream_errors():
    for options in ({"count": 0}, {"every": 0}):
        with pytest.raises(ValueError, match=r"LeafStream: \w+ must be at least 1"):
            LeafStream(2, size=16, **options)
