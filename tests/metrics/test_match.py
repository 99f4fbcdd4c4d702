"""Assignment: the most pairs first, then the highest sum."""

import numpy as np
import pytest

from irnet.cells import Cells
from irnet.metrics.match import Pairwise, assign, match_glas, match_iou, partners


def listed(quality, above=0.0):
    """The pairs of a table (n, m) that are possible, and their quality."""
    return np.argwhere(quality > above), quality[quality > above]


def pairwise(shared, truth_areas, pred_areas):
    """What is known of a table of shared pixels (n, m)."""
    return Pairwise(*listed(np.array(shared)), np.array(truth_areas), np.array(pred_areas))


def test_more_pairs_outweigh_a_higher_sum():
    iou = np.diag(np.full(6, 0.51)) + np.diag(np.full(5, 0.99), k=-1)
    assert assign(*listed(iou, 0.5)).tolist() == [[i, i] for i in range(6)]  # 6 * .51 rather than 5 * .99


def test_of_equally_many_pairs_the_highest_sum_wins():
    iou = np.array([[0.6, 0.9], [0.6, 0.8]])
    assert assign(*listed(iou, 0.5)).tolist() == [[0, 1], [1, 0]]  # .9 + .6 rather than .6 + .8


def test_nothing_allowed_pairs_nothing():
    assert assign(*listed(np.zeros((3, 2)))).shape == (0, 2)
    assert assign(*listed(np.zeros((0, 4)))).shape == (0, 2)


def test_a_component_does_not_see_the_others():
    rng = np.random.default_rng(0)
    blocks = [rng.uniform(0.5, 1, (3, 4)) for _ in range(5)]
    quality = np.zeros((15, 20))
    for k, block in enumerate(blocks):
        quality[3 * k : 3 * k + 3, 4 * k : 4 * k + 4] = block
    whole = assign(*listed(quality))
    parts = [assign(*listed(block)) + np.array([3 * k, 4 * k]) for k, block in enumerate(blocks)]
    assert whole.tolist() == np.concatenate(parts).tolist()


def test_thresholds():
    # Truth of 10 px. 10 px shared of 20 is IoU .5, which is not above .5; 5 px cover half, which is enough.
    half = pairwise([[10]], [10], [20])
    assert len(match_iou(half)) == 0
    assert len(match_iou(half, 0.49)) == 1
    covered = pairwise([[5]], [10], [50])
    assert len(match_glas(covered)) == 1
    assert len(match_iou(covered)) == 0


def test_keep_takes_columns():
    pairs = pairwise([[1, 2, 3], [0, 0, 4]], [4, 4], [5, 6, 7])
    kept = pairs.keep(np.array([True, False, True]))
    assert kept.pairs.tolist() == [[0, 0], [0, 1], [1, 1]]
    assert kept.shared.tolist() == [1, 3, 4]
    assert kept.pred_areas.tolist() == [5, 7]
    assert kept.iou == pytest.approx(pairs.iou[[0, 2, 3]])


def test_partners_are_of_one_class_and_taken_once():
    columns = [(0, 10), (0, 9), (0, 10), (20, 30)]
    masks = np.zeros((4, 10, 40), dtype=bool)
    for mask, (x1, x2) in zip(masks, columns, strict=True):
        mask[:, x1:x2] = True
    truths = Cells.from_dense(masks[[0, 2, 3]], [1, 2, 2])
    finds = Cells.from_dense(masks[[1, 3, 0]], [1, 1, 1])  # the first finds the third's truth again
    assert partners(finds, truths).tolist() == [-1, -1, 0]
    assert partners(truths, finds).tolist() == [2, -1, -1]
    assert partners(truths, Cells.empty((10, 40))).tolist() == [-1] * 3
