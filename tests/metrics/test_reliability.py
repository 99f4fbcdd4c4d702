"""Reliability of scores."""

import numpy as np
import pytest

from irnet.metrics.reliability import reliability


def test_by_hand():
    # Bin .8-.9: two predictions of score .8, IoU .9 and 0. Bin .2-.3: one of .2, IoU .6 with its match.
    result = reliability(np.array([0.8, 0.8, 0.2]), np.array([0.9, 0.0, 0.6]))
    assert result.ece_iou == pytest.approx((2 * abs(0.8 - 0.45) + abs(0.2 - 0.6)) / 3)
    assert result.ece_right == pytest.approx((2 * abs(0.8 - 0.5) + abs(0.2 - 1.0)) / 3)
    filled = {round(row.low, 1): row for row in result.bins if row.count}
    assert filled.keys() == {0.8, 0.2}
    assert filled[0.8].right == 0.5
    assert result.bins[0].score is None


def test_a_score_of_one_belongs_to_the_last_bin():
    assert reliability(np.array([1.0]), np.array([1.0])).bins[-1].count == 1


def test_without_predictions_it_is_undefined():
    result = reliability(np.zeros(0), np.zeros(0))
    assert result.ece_iou is None
    assert result.ece_right is None
