"""Outline distances and boundary IoU of a square and its copy one pixel to the right, counted by hand."""

import numpy as np
import pytest

from irnet.metrics.boundary import boundary_scores, inner_band, measure_boundaries, outline_distances

MATCH = np.array([[0, 0]])


def test_a_square_shifted_by_a_pixel(rectangles):
    # T x 5..15, P x 6..16, rows 5..15: outlines of 36 px. Of each, the far side (10 px) and the near side
    # without corners (8 px) are 1 px off, the rest of top and bottom coincides: 18 of 36 at 1, 18 at 0.
    truth, pred = rectangles([(5, 5, 15, 15)], mpp=1.0), rectangles([(6, 5, 16, 15)])
    (whole, inside), *_ = measure_boundaries(truth, pred, MATCH, mpp=1.0)
    # Rings of 36 px (a band of 1 um = 1 px) share 9 px of the top and 9 of the bottom row: 18 of 54.
    assert whole == pytest.approx([0.5, 1.0, 18 / 54])
    assert np.isnan(inside).all()


def test_inside_the_overlap_only_what_other_truths_cover_counts(rectangles):
    # Another truth covers x 10..25. T's outline there: top and bottom x 10..15 (0 off), right side rows 6..14
    # (8 px, 1 off). P's: top and bottom x 10..15 (0 off) and x 15 (1 off), right side 8 px (1 off).
    truth = rectangles([(5, 5, 15, 15), (10, 0, 25, 20)])
    pred = rectangles([(6, 5, 16, 15)])
    inside = measure_boundaries(truth, pred, MATCH, mpp=1.0)[0, 1]
    # 18 of 38 are 1 off. Bands: 5 + 5 + 8 and 6 + 6 + 8 px, of which 5 + 5 are shared: 10 of 28.
    assert inside == pytest.approx([18 / 38, 1.0, 10 / 28])


def test_the_band_is_a_micrometre_wide_or_four_pixels(rectangles):
    truth, pred = rectangles([(0, 0, 20, 20)]), rectangles([(1, 0, 21, 20)])
    four = measure_boundaries(truth, pred, MATCH)[0, 0, 2]
    assert measure_boundaries(truth, pred, MATCH, mpp=0.25)[0, 0, 2] == four
    assert measure_boundaries(truth, pred, MATCH, mpp=0.5)[0, 0, 2] < four
    assert measure_boundaries(truth, pred, MATCH, mpp=3.0)[0, 0, 2] > 0  # never less than a pixel


def test_a_band_reaches_corners_and_knows_the_frame():
    band = inner_band(np.ones((5, 7), dtype=bool), 2)
    assert np.argwhere(~band).tolist() == [[2, 2], [2, 3], [2, 4]]


def test_distances_go_both_ways():
    a, b = np.zeros((1, 9), dtype=bool), np.zeros((1, 9), dtype=bool)
    a[0, 0], b[0, [0, 8]] = True, True
    _, distances = outline_distances(a, b)
    assert sorted(distances) == [0, 0, 8]


def test_no_match_leaves_every_score_undefined(rectangles):
    truth, pred = rectangles([(0, 0, 5, 5)]), rectangles([(10, 0, 15, 5)])
    figures = measure_boundaries(truth, pred, np.zeros((0, 2), dtype=np.int64))
    scores = boundary_scores(figures, "px")
    assert len(scores) == 6
    assert all(ratio.value is None for ratio in scores.values())
