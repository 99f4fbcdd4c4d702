"""Means over seeds, intervals by patient and paired differences, against sums by hand."""

import math

import numpy as np
import pytest

from irnet.metrics.statistics import (
    difference,
    image_mean,
    over_seeds,
    pooled,
    relative_gain,
    sample_weights,
)

PATIENTS = ["a", "a", "b", "c"]
WEIGHTS = sample_weights(4, PATIENTS, seed=0, samples=500)


def shares(*seeds: list[float]) -> np.ndarray:
    """Scores of images, as ratios over 10."""
    values = np.array(seeds)
    return np.stack([10 * values, np.full(values.shape, 10.0)], axis=2)


def test_images_are_averaged_over_seeds_first():
    estimate = image_mean(shares([0.2, 0.4, 0.6, 0.8], [0.4, 0.4, 0.4, 0.4]), WEIGHTS)
    assert estimate.value == pytest.approx((0.3 + 0.4 + 0.5 + 0.6) / 4)
    assert estimate.seeds == pytest.approx((0.5, 0.4))
    assert estimate.spread == pytest.approx(0.1 / math.sqrt(2))
    by_hand = WEIGHTS @ np.array([0.3, 0.4, 0.5, 0.6]) / WEIGHTS.sum(axis=1)
    assert (estimate.low, estimate.high) == pytest.approx(tuple(np.quantile(by_hand, [0.025, 0.975])))


def test_an_undefined_image_counts_in_no_mean():
    ratios = shares([0.2, 0.4, 0.6, 0.8], [0.4, 0.4, 0.4, 0.4])
    ratios[0, 0] = ratios[:, 1] = 0
    estimate = image_mean(ratios, WEIGHTS)
    assert estimate.value == pytest.approx(
        (0.4 + 0.5 + 0.6) / 3
    )  # the first image has one seed, the second none
    assert estimate.seeds == pytest.approx((0.7, 0.4))
    assert image_mean(np.zeros((1, 4, 2)), WEIGHTS).value is None


def test_pooled_is_a_sum_over_a_sum():
    ratios = np.array([[[1, 2], [3, 10], [0, 0], [4, 8]], [[2, 2], [3, 10], [0, 0], [4, 8]]], dtype=float)
    estimate = pooled(ratios, WEIGHTS)
    assert estimate.value == pytest.approx(17 / 40)
    assert estimate.seeds == pytest.approx((8 / 20, 9 / 20))


def test_a_difference_is_paired_by_patient():
    """A constant gain has no width, however widely the scores scatter."""
    control = image_mean(shares([0.1, 0.9, 0.3, 0.5]), WEIGHTS)
    row = image_mean(shares([0.2, 1.0, 0.4, 0.6]), WEIGHTS)
    gain = difference(row, control)
    assert gain.value == pytest.approx(0.1)
    assert (gain.low, gain.high) == pytest.approx((0.1, 0.1))
    assert gain.half_width == pytest.approx(0, abs=1e-12)
    assert row.high - row.low > 0.15


def test_the_interval_of_a_difference_is_that_of_its_draws():
    control = image_mean(shares([0.1, 0.9, 0.3, 0.5]), WEIGHTS)
    row = image_mean(shares([0.3, 0.9, 0.2, 0.7]), WEIGHTS)
    by_hand = WEIGHTS @ np.array([0.2, 0, -0.1, 0.2]) / WEIGHTS.sum(axis=1)
    gain = difference(row, control)
    assert (gain.low, gain.high) == pytest.approx(tuple(np.quantile(by_hand, [0.025, 0.975])))
    assert gain.patients_error == pytest.approx(by_hand.std(ddof=1))


def test_what_can_be_resolved():
    control = image_mean(shares([0.1, 0.9, 0.3, 0.5], [0.1, 0.9, 0.3, 0.5]), WEIGHTS)
    row = image_mean(shares([0.3, 0.9, 0.2, 0.7], [0.2, 1.0, 0.4, 0.8]), WEIGHTS)
    gain = difference(row, control)
    assert gain.seeds == pytest.approx((0.075, 0.15))
    assert gain.seeds_error == pytest.approx((0.075 / math.sqrt(2)) / math.sqrt(2))  # spread / sqrt(seeds)
    error = math.sqrt(gain.patients_error**2 + gain.seeds_error**2)
    assert gain.resolvable == pytest.approx(2.8 * error)
    assert gain.agreeing == 2


def test_one_seed_says_nothing_of_the_spread():
    gain = difference(
        image_mean(shares([0.3, 0.9, 0.2, 0.7]), WEIGHTS), image_mean(shares([0.0] * 4), WEIGHTS)
    )
    assert gain.seeds_error is None
    assert gain.resolvable == pytest.approx(2.8 * gain.patients_error)


def test_a_row_without_seeds_is_compared_with_each_seed_of_the_control():
    control = image_mean(shares([0.5] * 4, [0.7] * 4, [0.6] * 4), WEIGHTS)
    gain = difference(image_mean(shares([0.2] * 4), WEIGHTS), control)
    assert gain.seeds == pytest.approx((-0.3, -0.5, -0.4))
    assert gain.agreeing == 3
    assert gain.value == pytest.approx(-0.4)


def test_one_patient_gives_no_interval():
    none = sample_weights(2, ["a", "a"], seed=0)
    gain = difference(image_mean(shares([0.2, 0.3]), none), image_mean(shares([0.1, 0.1]), none))
    assert gain.value == pytest.approx(0.15)
    assert gain.low is gain.half_width is gain.error is gain.resolvable is None


def test_scores_that_are_no_ratio_have_a_mean_and_a_spread():
    ap = over_seeds([0.4, 0.6, None])
    assert (ap.value, ap.low) == (0.5, None)
    assert ap.spread == pytest.approx(math.sqrt(0.02))
    assert over_seeds([]).value is None


def test_relative_gains_need_a_control():
    assert relative_gain(0.75, 0.5) == 0.5
    assert relative_gain(None, 0.5) is relative_gain(0.5, None) is relative_gain(0.5, 0.0) is None
