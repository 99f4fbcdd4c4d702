"""Scores by overlap degree: to which bin a prediction belongs."""

import numpy as np
import pytest

from irnet.cells import CYTOPLASM, Cells, Content
from irnet.metrics import score_image
from irnet.metrics.degree import DEGREE_NAMES, degree_bins, degrees


def test_a_match_counts_with_its_truth_even_where_it_resembles_another_more(rectangles):
    # All 10 high. T0 x 0..50 and T1 x 32..82 share x 32..50; T2 x 72..90 covers x 72..82 of T1.
    # P0 x 1..82 has IoU 490 / 820 with T0 and 500 / 810 with T1. P1 is T1, which leaves T0 to P0.
    cells = rectangles([(0, 0, 50, 10), (32, 0, 82, 10), (72, 0, 90, 10)], shape=(20, 100))
    pred = rectangles([(1, 0, 82, 10), (32, 0, 82, 10)], shape=(20, 100))
    assert degrees(cells) == pytest.approx([18 / 50, 28 / 50, 10 / 18])
    bins = score_image(Content(cells=cells), pred).classes[CYTOPLASM].by_degree
    assert bins[".2-.4"]["recall"] == (1, 1)
    assert bins[".2-.4"]["f1"] == (2, 2)
    assert bins[".2-.4"]["aji"] == (490, 820)
    assert bins[">.4"]["recall"] == (1, 2)
    assert bins[">.4"]["f1"] == (2, 3)
    assert bins[">.4"]["aji"] == (500 + 100, 500 + 580)  # T2 takes P1: 100 px of 180 + 500 - 100
    assert bins["0"]["recall"].value is None


def test_limits_belong_to_the_lower_bin(rectangles):
    # Each left box of 10 columns has 0, 2, 3, 4 and 5 of them covered.
    left = [(x, 0, x + 10, 5) for x in range(0, 100, 20)]
    right = [(10, 0, 18, 5), (28, 0, 38, 5), (47, 0, 58, 5), (66, 0, 78, 5), (85, 0, 98, 5)]
    cells = rectangles([*left, *right], shape=(10, 100))
    names = [DEGREE_NAMES[b] for b in degree_bins(cells)[:5]]
    assert names == ["0", "0-.2", ".2-.4", ".2-.4", ">.4"]


def test_the_same_mask_twice_is_covered_wholly(rectangles):
    assert degrees(rectangles([(0, 0, 5, 5)] * 2)).tolist() == [1, 1]
    assert degrees(Cells.empty((5, 5))).shape == (0,)
    assert degrees(Cells.from_dense(np.zeros((2, 5, 5), dtype=bool), [1, 1])).tolist() == [0, 0]
