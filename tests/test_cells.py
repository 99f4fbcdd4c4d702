"""Cells: overlaps stay whole through selection, shifts, joins and COCO run lengths."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content, reaching
from irnet.conventions import check_mpp
from irnet.errors import InputError


def random_cells(n: int, shape: tuple[int, int] = (40, 50), seed: int = 0) -> tuple[Cells, np.ndarray]:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    centre, radius = rng.uniform(-5, max(shape) + 5, (n, 2, 1, 1)), rng.uniform(2, 12, (n, 1, 1))
    dense = (x - centre[:, 0]) ** 2 + (y - centre[:, 1]) ** 2 < radius**2
    labels = rng.integers(1, 3, n)
    cells = np.flatnonzero(labels == CYTOPLASM)
    parents = np.where(labels == NUCLEUS, rng.choice([-1, *cells], n), -1)
    return Cells.from_dense(dense, labels, parents=parents, scores=rng.random(n), mpp=0.25), dense


@pytest.mark.parametrize("n", [0, 1, 30, 1000])
def test_run_lengths_equal_pycocotools_at_frame_borders(n: int) -> None:
    cells, dense = random_cells(n)
    expected = [coco.encode(np.asfortranarray(frame.astype(np.uint8)))["counts"].decode() for frame in dense]
    assert [rle["counts"] for rle in cells.to_rle()] == expected


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(-60, 60), st.integers(-60, 60))
def test_shift_equals_moving_full_frames(seed: int, dx: int, dy: int) -> None:
    cells, dense = random_cells(6, seed=seed)
    target = np.zeros((6, 30, 45), dtype=bool)
    for y, x in np.ndindex(40, 50):
        if 0 <= y + dy < 30 and 0 <= x + dx < 45:
            target[:, y + dy, x + dx] = dense[:, y, x]
    kept = target.any(axis=(1, 2))
    moved = cells.shift(dx, dy, (30, 45))
    np.testing.assert_array_equal(moved.to_dense(), target[kept])
    np.testing.assert_array_equal(moved.scores, cells.scores[kept])


def test_iou_equals_full_frames() -> None:
    (a, dense_a), (b, dense_b) = random_cells(15, seed=1), random_cells(20, seed=2)
    shared = (dense_a[:, None] & dense_b[None]).sum((2, 3))
    union = (dense_a[:, None] | dense_b[None]).sum((2, 3))
    np.testing.assert_allclose(a.iou(b), shared / np.maximum(union, 1))


def family() -> Cells:
    """Two cells and three nuclei: two in the first cell, one bare."""
    dense = np.zeros((5, 8, 8), dtype=bool)
    dense[:, 2:5, 2:5] = True
    labels = [CYTOPLASM, NUCLEUS, NUCLEUS, CYTOPLASM, NUCLEUS]
    return Cells.from_dense(dense, labels, parents=[-1, 0, 0, -1, -1])


def test_select_remaps_parents() -> None:
    assert family().select([2, 3, 0]).parents.tolist() == [2, -1, -1]


def test_a_parent_left_out_becomes_none() -> None:
    assert family().of(NUCLEUS).parents.tolist() == [-1, -1, -1]


def test_concat_moves_parents_with_their_instances() -> None:
    assert Cells.concat([family(), family()]).parents.tolist() == [-1, 0, 0, -1, -1, -1, 5, 5, -1, -1]


def test_select_takes_booleans_slices_and_nothing() -> None:
    cells = family()
    assert len(cells.select(cells.labels == NUCLEUS)) == 3
    assert len(cells.select(slice(1, 3))) == 2
    assert len(cells.select([])) == 0


def test_an_empty_mask_is_an_instance_without_pixels() -> None:
    cells = Cells.from_dense(np.zeros((1, 4, 4), dtype=bool), [CYTOPLASM])
    assert cells.areas.tolist() == [0]
    assert (
        cells.to_rle()[0]["counts"] == coco.encode(np.zeros((4, 4), np.uint8, order="F"))["counts"].decode()
    )
    assert cells.iou(cells).tolist() == [[0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [1]}, "labels has 1"),
        ({"scores": [0.1, 0.2, 0.3]}, "scores has 3"),
        ({"parents": [2, -1]}, "parent"),
        ({"offsets": [[0, 0], [7, 0]]}, "leaves the frame"),
        ({"offsets": [[0, 0]]}, "offsets has 1"),
        ({"offsets": [[0, 0.5], [1, 1]]}, "offsets: give whole numbers"),
        ({"parents": [-1, 0.5]}, "parents: give whole numbers"),
        ({"parents": [-1, 1]}, "cannot be its own parent"),
        ({"labels": [1, 1.7]}, "labels: 1.7 is no class: give 1"),
        ({"labels": ["cytoplasm", "nucleus"]}, "labels: 'cytoplasm' is no class: give 1"),
        ({"labels": [0, 5]}, "labels: 5 is no class: give 1"),
        ({"scores": [0.5, 7]}, "scores: give numbers from 0 to 1"),
        ({"scores": [0.5, float("nan")]}, "scores: give numbers from 0 to 1"),
    ],
)
def test_fields_that_disagree_are_refused(change: dict, message: str) -> None:
    fields = {"masks": [np.ones((2, 2))] * 2, "offsets": [[0, 0], [1, 1]], "labels": [1, 2], **change}
    masks, offsets, labels = fields.pop("masks"), fields.pop("offsets"), fields.pop("labels")
    with pytest.raises(InputError, match=message):
        Cells.build(masks, offsets, labels, (8, 8), **fields)


@pytest.mark.parametrize("mpp", [0, -0.25, "0.25", float("nan"), float("inf"), True])
def test_um_per_pixel_of_cells_are_a_number_above_0(mpp: object) -> None:
    with pytest.raises(InputError, match="um per pixel"):
        Cells.empty((4, 4), mpp=mpp)  # type: ignore[arg-type]


def test_classes_are_numbers_and_not_names() -> None:
    with pytest.raises(InputError, match="labels: 3 is no class: give 1"):
        Cells.from_dense(np.ones((1, 4, 4)), [3])
    with pytest.raises(InputError, match="annotated: 'nucleus' is no class"):
        Content(cells=Cells.empty((4, 4)), annotated=frozenset({"nucleus"}))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="scores: 'nucleus' is no class"):
        reaching(Cells.empty((4, 4)), {"nucleus": 0.5})  # type: ignore[dict-item]


@pytest.mark.parametrize("mask", [np.full((4, 4), 0.4), np.ones(4), np.ones((4, 4, 3), bool)])
def test_probabilities_and_other_shapes_are_no_mask(mask: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"a mask of shape .*: give \(h, w\) of booleans"):
        Cells.build([mask], [(0, 0)], [CYTOPLASM], (9, 9))


def test_parts_of_one_frame_have_one_scale() -> None:
    known, unknown, other = (Cells.from_dense(np.ones((1, 4, 4)), [1], mpp=mpp) for mpp in (0.5, None, 0.3))
    assert Cells.concat([unknown, known]).mpp == 0.5
    with pytest.raises(InputError, match="different sizes or um per pixel"):
        Cells.concat([known, other])


def test_a_number_selects_one() -> None:
    assert len(Cells.from_dense(np.ones((3, 4, 4)), [1, 1, 2]).select(1)) == 1


def test_kinds_are_one_per_instance() -> None:
    with pytest.raises(InputError, match="kinds has 1"):
        Content(cells=family(), kinds=("superficial",))


def test_cells_reach_the_cut_of_their_class() -> None:
    cells = Cells.from_dense(np.ones((4, 2, 2), bool), [1, 1, 2, 2], scores=[0.5, 0.4, 0.4, 0.1])
    assert reaching(cells, {1: 0.5, 2: 0.2}).tolist() == [True, False, True, False]
    assert reaching(cells, {1: 0.5}).tolist() == [True, False, True, True]
    assert reaching(cells, None).all()
    assert reaching(Cells.empty((2, 2)), {1: 0.5}).shape == (0,)


@pytest.mark.parametrize("mpp", ["0.25", [0.25, 0.25]])
def test_um_per_pixel_is_one_number(mpp) -> None:
    with pytest.raises(InputError, match="um per pixel is out of range: give"):
        check_mpp(mpp)


def test_dense_masks_are_a_stack() -> None:
    with pytest.raises(InputError, match=r"masks of shape \(4, 4\): give \(n, H, W\)"):
        Cells.from_dense(np.ones((4, 4), bool), [CYTOPLASM])
