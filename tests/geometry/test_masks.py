"""Run lengths from crops against pycocotools, which works on full frames."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco

from irnet.errors import InputError
from irnet.geometry import masks, run_lengths

frames = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))


@given(frames)
def test_run_lengths_equal_pycocotools(frame: np.ndarray) -> None:
    crop, offset = masks.trim(frame)
    counts = masks.encode(crop, offset, frame.shape)
    expected = coco.encode(np.asfortranarray(frame.astype(np.uint8)))["counts"].decode()
    assert masks.pack(counts) == expected
    assert masks.unpack(expected) == counts


@given(frames)
def test_decode_gives_the_tight_crop_back(frame: np.ndarray) -> None:
    crop, offset = masks.trim(frame)
    again, place = masks.decode(masks.encode(crop, offset, frame.shape), frame.shape)
    assert place == offset
    np.testing.assert_array_equal(again, crop)


@given(st.lists(st.integers(0, 2**31), max_size=20))
def test_compressed_text_holds_any_counts(counts: list[int]) -> None:
    assert masks.unpack(masks.pack(counts)) == counts


@given(frames, frames)
def test_intersections_equal_full_frame_products(a: np.ndarray, b: np.ndarray) -> None:
    shape = tuple(np.maximum(a.shape, b.shape))
    full = np.zeros((2, *shape), dtype=bool)
    full[0, : a.shape[0], : a.shape[1]] = a
    full[1, : b.shape[0], : b.shape[1]] = b
    (crop_a, offset_a), (crop_b, offset_b) = masks.trim(full[0]), masks.trim(full[1])
    shared = masks.intersections([crop_a], np.array([offset_a]), [crop_b], np.array([offset_b]))
    assert shared.item() == np.count_nonzero(full[0] & full[1])


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([3, 4], "add up to 7"),
        ([-2, 14], "not be negative"),
        ([1.5, 10.5], "whole numbers"),
        ([True, 11], "whole numbers"),
        ([0] * 14, "more than a 3 x 4 frame"),
        ([], "add up to 0"),
    ],
)
def test_wrong_run_lengths_are_named(counts: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        masks.validate_rle(counts, (3, 4))


@pytest.mark.parametrize("shape", [(0, 4), (3, -1), (2**31, 4), (2**17, 2**17), (3.0, 4), (3,)])
def test_impossible_frames_are_refused(shape: tuple) -> None:
    with pytest.raises(InputError, match="size"):
        masks.validate_shape(shape)


def test_a_frame_with_too_many_pixels_is_told_how_many_it_may_have() -> None:
    masks.validate_shape((2**20, 2**12 - 1))
    with pytest.raises(InputError, match=f"{2**32 - 1} pixels in all"):
        masks.validate_shape((2**20, 2**12))


@pytest.mark.parametrize("text", ["\x00", "é", "ooooooooooooo", "P"])
def test_text_that_coco_never_writes_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="compressed run lengths"):
        masks.unpack(text)


@given(frames)
def test_extent_is_that_of_the_crop(frame: np.ndarray) -> None:
    crop, (x, y) = masks.trim(frame)
    height, width = crop.shape
    counts = masks.encode(crop, (x, y), frame.shape)
    assert masks.extent(counts, frame.shape) == (x, y, x + width, y + height)


def test_no_run_lengths_of_a_frame_that_cannot_be_read() -> None:
    with pytest.raises(InputError, match="size"):
        masks.encode(np.ones((1, 1), dtype=bool), (0, 0), (2**17, 2**17))


@pytest.mark.parametrize("seed", range(3))
def test_run_lengths_of_many_masks_at_once_as_of_each_alone(seed: int):
    rng, shape = np.random.default_rng(seed), (13, 17)
    drawn = [rng.random(shape) < share for share in (0, 0.05, 0.5, 0.95, 1) for _ in range(8)]
    drawn += [np.pad(np.ones((13, 1), dtype=bool), ((0, 0), (x, 16 - x))) for x in (0, 8, 16)]
    counts = [masks.encode(mask, (0, 0), shape) for mask in drawn]
    counts += [[0, 5, 0, 3, 213], [221], [], [10], [-1, 222], [222, -1, 0]]  # some are of no such frame
    texts = [masks.pack(one) if one else "" for one in counts]

    every, bounds = run_lengths.unpack(texts)
    windows, valid = run_lengths.windows(every, bounds, shape)
    for number, one in enumerate(counts):
        assert every[bounds[number] : bounds[number + 1]].tolist() == one
        assert valid[number] == (sum(one) == 221 and min(one) >= 0)
        if valid[number]:
            assert tuple(windows[number]) == masks.extent(one, shape)


@pytest.mark.parametrize("texts", [["11", "1P"], ["11", "ab\u00e9"], ["\u4e00"], ["P" * 12 + "1"]])
def test_one_text_of_many_that_coco_never_writes_is_refused(texts: list[str]):
    with pytest.raises(InputError, match="compressed run lengths"):
        run_lengths.unpack(texts)
