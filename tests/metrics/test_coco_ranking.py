"""AP from rankings: its ends, its weights, and the numbers that a reader can check."""

import numpy as np
import pytest

from irnet.metrics.coco_ap import PooledRanking, Ranking
from irnet.metrics.match import Pairwise


def ranking(scores, hits, truths):
    return Ranking(np.array(scores, dtype=float), np.tile(np.array(hits, dtype=bool), (10, 1)), truths)


def test_by_hand():
    # Right, wrong, right of 2 truths: precision 1 up to recall 1/2 (51 of 101 points), 2/3 up to recall 1.
    pooled = PooledRanking.of([ranking([0.9, 0.8, 0.7], [True, False, True], 2)])
    assert pooled.average_precision() == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_ends():
    assert PooledRanking.of([]).average_precision() is None
    assert PooledRanking.of([ranking([0.5], [False], 0)]).average_precision() is None
    assert PooledRanking.of([ranking([], [], 3)]).average_precision() == pytest.approx(0)


def test_a_duplicate_is_wrong_and_the_higher_score_chooses_first():
    areas = np.array([100]), np.array([100, 100])
    pairs = Pairwise(np.array([[0, 0], [0, 1]]), np.array([90, 100]), *areas)
    first = Ranking.of(pairs, np.array([0.9, 0.8]))
    assert first.hits[:, 0].tolist() == [True] * 7 + [False] * 3  # IoU 90 / 110 = .82
    assert first.hits[:, 1].tolist() == [False] * 7 + [True] * 3  # free only where the first one failed
    assert Ranking.of(pairs, np.array([0.8, 0.9])).hits[:, 1].all()


@pytest.mark.parametrize("seed", range(5))
def test_weights_count_an_image_so_many_times(seed):
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(6):
        count = int(rng.integers(0, 8))
        hits = np.sort(rng.random((10, count)) < 0.5, axis=0)[::-1]
        images.append(
            Ranking(rng.random(count), hits, int(hits.sum(axis=1).max(initial=0) + rng.integers(3)))
        )
    weights = rng.integers(0, 4, len(images))
    repeated = [image for image, weight in zip(images, weights, strict=True) for _ in range(weight)]
    weighted = PooledRanking.of(images).average_precision(weights)
    assert weighted == pytest.approx(PooledRanking.of(repeated).average_precision())
