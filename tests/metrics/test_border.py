"""What the border cuts, on rectangles."""

import numpy as np

from irnet.cells import Cells, Content
from irnet.metrics import score_image
from irnet.metrics.border import without_cut


def test_the_outermost_pixel_on_each_side_touches(rectangles):
    cells = rectangles([(0, 5, 5, 9), (5, 0, 9, 5), (55, 5, 60, 9), (5, 15, 9, 20), (1, 1, 59, 19)])
    assert cells.at_border.tolist() == [True, True, True, True, False]
    empty = Cells.build([np.zeros((0, 0), dtype=bool)], [(0, 0)], [1], (20, 60))
    assert empty.at_border.tolist() == [False]


def test_cut_truths_and_their_finds_are_neither_right_nor_wrong(rectangles):
    truth = Content(cells=rectangles([(0, 5, 10, 10), (20, 5, 30, 10)]), kinds=("a", "b"))
    # alike to the cut truth but a pixel off the border; cut and alike to nothing; of the whole truth; false
    found = rectangles([(1, 5, 10, 10), (50, 0, 55, 5), (20, 5, 29, 10), (40, 8, 44, 12)])
    whole, kept = without_cut(truth, found)
    assert whole.cells.boxes.tolist() == [[20, 5, 30, 10]]
    assert whole.kinds == ("b",)
    assert kept.boxes.tolist() == [[20, 5, 29, 10], [40, 8, 44, 12]]
    score = score_image(whole, kept).classes[1]
    assert score.ratios["precision"] == (1, 2)
    assert score.ratios["recall"] == (1, 1)


def test_a_find_of_a_whole_truth_stays_though_it_reaches_the_border(rectangles):
    truth = Content(cells=rectangles([(1, 5, 11, 10)]))
    _, kept = without_cut(truth, rectangles([(0, 5, 11, 10)]))
    assert len(kept) == 1


def test_a_find_is_compared_with_truths_of_its_class_alone(rectangles):
    truth = Content(cells=rectangles([(0, 5, 10, 10)], label=1))
    _, kept = without_cut(truth, rectangles([(1, 5, 10, 10)], label=2))
    assert len(kept) == 1
