"""Nuclei find their cells by the largest overlap."""

import numpy as np

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.morphometry.pairing import pair_nuclei


def rectangles(
    *boxes: tuple[int, int, int, int], labels: list[int], scores: list[float] | None = None
) -> Cells:
    masks = [np.ones((y2 - y1, x2 - x1), dtype=bool) for x1, y1, x2, y2 in boxes]
    return Cells.build(masks, [box[:2] for box in boxes], labels, (50, 60), scores=scores)


def test_the_cell_that_holds_most_of_the_nucleus_is_its_parent():
    nucleus = (8, 0, 18, 4)  # 2 of 10 columns in the first cell, 8 in the second
    cells = rectangles((0, 0, 10, 10), (10, 0, 30, 10), nucleus, labels=[CYTOPLASM, CYTOPLASM, NUCLEUS])
    assert pair_nuclei(cells).parents.tolist() == [-1, -1, 1]


def test_a_nucleus_with_less_than_half_inside_is_bare():
    cells = rectangles((0, 0, 10, 10), (6, 0, 16, 4), labels=[CYTOPLASM, NUCLEUS])  # 4 of 10 columns inside
    assert pair_nuclei(cells).parents.tolist() == [-1, -1]


def test_a_nucleus_exactly_half_inside_is_linked():
    cells = rectangles((6, 0, 16, 4), (0, 0, 11, 10), labels=[NUCLEUS, CYTOPLASM])
    assert pair_nuclei(cells).parents.tolist() == [1, -1]


def test_in_an_overlap_the_cell_of_the_higher_score_wins():
    boxes = (0, 0, 20, 20), (5, 0, 25, 20), (8, 5, 12, 9)
    cells = rectangles(*boxes, labels=[CYTOPLASM, CYTOPLASM, NUCLEUS], scores=[0.6, 0.9, 0.8])
    assert pair_nuclei(cells).parents.tolist() == [-1, -1, 1]


def test_no_cells_and_one_class_only():
    assert len(pair_nuclei(Cells.empty((50, 60)))) == 0
    nuclei = rectangles((0, 0, 4, 4), labels=[NUCLEUS])
    assert pair_nuclei(nuclei).parents.tolist() == [-1]
