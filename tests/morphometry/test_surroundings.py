"""Overlap, neighbours and the frame's edge, by hand."""

import numpy as np

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.morphometry.surroundings import Surroundings


def blocks(
    *boxes: tuple[int, int, int, int], labels: list[int], parents: list[int] | None = None
) -> Surroundings:
    masks = [np.ones((y2 - y1, x2 - x1), dtype=bool) for x1, y1, x2, y2 in boxes]
    return Surroundings(Cells.build(masks, [b[:2] for b in boxes], labels, (50, 60), parents=parents))


def test_a_cell_and_its_nuclei_are_one_cell():
    boxes = (5, 5, 25, 25), (8, 8, 14, 14), (12, 8, 18, 14), (20, 20, 23, 23)
    around = blocks(*boxes, labels=[CYTOPLASM, NUCLEUS, NUCLEUS, NUCLEUS], parents=[-1, 0, 0, -1])
    assert [around.foreign(i).sum() for i in range(4)] == [9, 0, 0, 9]  # the last one is bare
    assert around.own_nuclei(0).sum() == 60
    assert around.own_nuclei(1).sum() == 0


def test_a_nucleus_under_another_cell():
    boxes = (5, 5, 25, 25), (15, 5, 35, 25), (12, 10, 20, 14)
    around = blocks(*boxes, labels=[CYTOPLASM, CYTOPLASM, NUCLEUS], parents=[-1, -1, 0])
    assert around.foreign(2).sum() == 5 * 4
    assert around.foreign(0).sum() == 10 * 20
    assert around.foreign(1).sum() == 10 * 20  # the nucleus lies on it too


def test_neighbours_overlap_or_touch_by_a_corner_and_are_of_the_same_class():
    boxes = (5, 5, 10, 10), (10, 10, 15, 15), (16, 10, 20, 15), (8, 8, 12, 12), (6, 6, 9, 9)
    around = blocks(*boxes, labels=[1, 1, 1, 1, 2])
    assert [around.count_neighbours(i) for i in range(5)] == [2, 2, 0, 2, 0]


def test_boxes_that_meet_are_no_neighbours_unless_masks_do():
    corner = np.tri(10, dtype=bool)
    cells = Cells.build([corner, ~corner[:8, 2:]], [(5, 5), (9, 5)], [1, 1], (50, 60))
    assert [Surroundings(cells).count_neighbours(i) for i in range(2)] == [0, 0]


def test_the_frame_has_four_edges():
    boxes = (0, 5, 5, 9), (5, 0, 9, 5), (55, 20, 60, 30), (20, 45, 30, 50), (1, 1, 59, 49)
    around = blocks(*boxes, labels=[1] * 5)
    assert [around.touches_border(i) for i in range(5)] == [True] * 4 + [False]


def test_nothing():
    assert Surroundings(Cells.empty((50, 60))).boxes.shape == (0, 4)
