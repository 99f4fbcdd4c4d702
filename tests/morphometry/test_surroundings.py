"""Overlap, neighbours and the frame's edge, by hand."""

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, NUCLEUS, Cells
from irnet.morphometry import surroundings
from irnet.morphometry.surroundings import (
    children,
    count_neighbours,
    own_nuclei,
    shared_by_cells,
    strips,
)


def blocks(*boxes: tuple[int, int, int, int], labels: list[int], parents: list[int] | None = None) -> Cells:
    masks = [np.ones((y2 - y1, x2 - x1), dtype=bool) for x1, y1, x2, y2 in boxes]
    return Cells.build(masks, [b[:2] for b in boxes], labels, (50, 60), parents=parents)


def foreign(cells: Cells) -> list[int]:
    """Pixels of each instance that another cell covers as well."""
    counts = np.zeros(len(cells), dtype=int)
    for strip in strips(cells):
        shared = shared_by_cells(cells, strip)
        for i in strip.members:
            x1, y1, x2, y2 = strip.window(cells, i)
            under = strip.part(cells, i) & shared[y1 - strip.top : y2 - strip.top, x1:x2]
            counts[i] += under[: strip.bottom - y1].sum()
    return counts.tolist()


def test_a_cell_and_its_nuclei_are_one_cell():
    boxes = (5, 5, 25, 25), (8, 8, 14, 14), (12, 8, 18, 14), (20, 20, 23, 23)
    around = blocks(*boxes, labels=[CYTOPLASM, NUCLEUS, NUCLEUS, NUCLEUS], parents=[-1, 0, 0, -1])
    assert foreign(around) == [9, 0, 0, 9]  # the last one is bare
    nuclei = children(around.parents)
    assert [own.tolist() for own in nuclei] == [[1, 2], [], [], []]
    assert own_nuclei(around, nuclei[0], around.window(0)).sum() == 60


def test_a_nucleus_under_another_cell():
    boxes = (5, 5, 25, 25), (15, 5, 35, 25), (12, 10, 20, 14)
    around = blocks(*boxes, labels=[CYTOPLASM, CYTOPLASM, NUCLEUS], parents=[-1, -1, 0])
    assert foreign(around) == [10 * 20, 10 * 20, 5 * 4]  # the nucleus lies on the second one too


def test_neighbours_overlap_or_touch_by_a_corner_and_are_of_the_same_class():
    boxes = (5, 5, 10, 10), (10, 10, 15, 15), (16, 10, 20, 15), (8, 8, 12, 12), (6, 6, 9, 9)
    around = blocks(*boxes, labels=[1, 1, 1, 1, 2])
    assert count_neighbours(around).tolist() == [2, 2, 0, 2, 0]


def test_boxes_that_meet_are_no_neighbours_unless_masks_do():
    corner = np.tri(10, dtype=bool)
    cells = Cells.build([corner, ~corner[:8, 2:]], [(5, 5), (9, 5)], [1, 1], (50, 60))
    assert count_neighbours(cells).tolist() == [0, 0]


def test_the_frame_has_four_edges():
    boxes = (0, 5, 5, 9), (5, 0, 9, 5), (55, 20, 60, 30), (20, 45, 30, 50), (1, 1, 59, 49)
    around = blocks(*boxes, labels=[1] * 5)
    assert around.at_border.tolist() == [True] * 4 + [False]


def test_nothing():
    nothing = Cells.empty((50, 60))
    assert (list(strips(nothing)), count_neighbours(nothing).tolist(), nothing.at_border.tolist()) == (
        *([], [], []),
    )


def test_strips_give_what_the_whole_frame_gives(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    masks = [rng.random(rng.integers(1, 30, 2)) < 0.7 for _ in range(40)]
    offsets = [(rng.integers(61 - mask.shape[1]), rng.integers(51 - mask.shape[0])) for mask in masks]
    parents = np.append(np.full(20, -1), rng.integers(-1, 20, 20))
    cells = Cells.build(masks, offsets, [CYTOPLASM] * 20 + [NUCLEUS] * 20, (50, 60), parents=parents)

    families = np.where(parents < 0, np.arange(40), parents)
    dense = cells.to_dense()
    others = [dense[families != family].any(axis=0) for family in families]
    expected = [int((mask & other).sum()) for mask, other in zip(dense, others, strict=True)]
    assert foreign(cells) == expected
    monkeypatch.setattr(surroundings, "PIXELS", 7 * 60)
    assert foreign(cells) == expected
