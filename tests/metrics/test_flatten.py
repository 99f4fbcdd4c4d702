"""Truth as a label map would hold it: by hand, its invariants, and what it costs."""

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells, Content
from irnet.metrics.flatten import flatten, label_map_ceiling


def squares(*boxes: tuple[int, int, int, int], labels: list[int] | None = None) -> Cells:
    masks = np.zeros((len(boxes), 40, 60), dtype=bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        mask[y1:y2, x1:x2] = True
    return Cells.from_dense(masks, labels or [CYTOPLASM] * len(boxes))


def test_the_smaller_lies_on_top():
    flat = flatten(squares((0, 0, 20, 20), (10, 0, 25, 20)))
    assert flat.areas.tolist() == [200, 300]
    assert flat.boxes.tolist() == [[0, 0, 10, 20], [10, 0, 25, 20]]


def test_another_order_may_be_asked_for():
    cells = squares((0, 0, 20, 20), (10, 0, 25, 20))
    assert flatten(cells, -cells.areas).areas.tolist() == [400, 100]


def test_of_equals_the_first_lies_on_top():
    flat = flatten(squares((5, 0, 15, 10), (0, 0, 10, 10), (0, 0, 10, 10)))
    assert flat.areas.tolist() == [100, 50]  # the third is hidden whole


def test_classes_do_not_hide_one_another_and_links_follow():
    cells = squares((0, 0, 9, 9), (0, 0, 20, 20), (5, 5, 9, 9), labels=[CYTOPLASM, CYTOPLASM, NUCLEUS])
    linked = Cells.build(cells.masks, cells.offsets, cells.labels, cells.image_shape, parents=[-1, -1, 1])
    flat = flatten(linked)
    assert flat.areas.tolist() == [81, 400 - 81, 16]
    assert flat.parents.tolist() == [-1, -1, 1]


@pytest.mark.parametrize("seed", range(5))
def test_every_pixel_has_one_instance_and_none_is_lost(seed: int):
    rng = np.random.default_rng(seed)
    masks = rng.random((8, 30, 30)) < rng.uniform(0.1, 0.6, (8, 1, 1))
    flat = flatten(Cells.from_dense(masks, [CYTOPLASM] * 8))
    dense = flat.to_dense()
    assert dense.sum(axis=0).max() == 1
    assert np.array_equal(dense.any(axis=0), masks.any(axis=0))


def test_nothing_stays_nothing():
    assert len(flatten(Cells.empty((10, 10)))) == 0


def test_the_ceiling_by_hand():
    whole = Content(cells=squares((0, 0, 20, 20), (10, 0, 25, 20), (40, 0, 50, 10)))
    summary = label_map_ceiling([whole])
    scores = summary.classes["cytoplasm"].scores
    assert scores["aji"].pooled.value == pytest.approx(600 / 800)  # 200 of 400, 300 and 100 whole
    assert scores["recall"].pooled.numerator == 2  # half of the first is no match
    assert scores["overlap_recall"].pooled.value == 0
    assert not summary.scored


def test_without_overlap_nothing_is_lost():
    summary = label_map_ceiling([Content(cells=squares((0, 0, 20, 20), (20, 0, 40, 20)))])
    scores = summary.classes["cytoplasm"].scores
    assert scores["aji"].pooled.value == scores["f1"].pooled.value == 1
    assert scores["overlap_recall"].pooled.value is None
