"""Connected parts of a map, and the cells that nuclei lie in."""

import numpy as np

from irnet.cells import Cells
from irnet.data.components import link_to_only_holder, split_components


def test_parts_that_touch_at_a_corner_are_one() -> None:
    mask = np.zeros((6, 8), dtype=np.uint8)
    mask[0, 0] = mask[1, 1] = 1
    mask[4:, 5:] = 255
    crops, offsets = split_components(mask)
    assert offsets == [(0, 0), (5, 4)]
    assert [crop.sum() for crop in crops] == [2, 6]


def test_nested_parts_do_not_fill_one_another() -> None:
    mask = np.ones((7, 7), dtype=bool)
    mask[1:6, 1:6] = False
    mask[3, 3] = True
    crops, offsets = split_components(mask)
    assert offsets == [(0, 0), (3, 3)]
    assert [crop.sum() for crop in crops] == [24, 1]


def test_an_empty_map_has_no_parts() -> None:
    assert split_components(np.zeros((4, 4))) == ([], [])


def test_a_nucleus_belongs_to_the_only_cell_that_holds_most_of_it() -> None:
    masks = np.zeros((6, 10, 30), dtype=bool)
    masks[0, :, :12] = True
    masks[1, :, 8:20] = True  # over the first in columns 8 to 11
    masks[2, 2:4, 2:4] = True  # in the first alone
    masks[3, 2:4, 9:11] = True  # in both
    masks[4, 2:4, 18:22] = True  # half of it in the second
    masks[5, 2:4, 17:20] = True  # in the second alone
    cells = link_to_only_holder(Cells.from_dense(masks, [1, 1, 2, 2, 2, 2]))
    assert cells.parents.tolist() == [-1, -1, 0, -1, -1, 1]


def test_nuclei_without_any_cell_stay_alone() -> None:
    assert link_to_only_holder(Cells.from_dense(np.ones((2, 3, 3)), [2, 2])).parents.tolist() == [-1, -1]
    assert link_to_only_holder(Cells.empty((3, 3))).parents.tolist() == []
