"""Pairs that share pixels say what whole tables of truths and predictions say, on scenes drawn at random."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from irnet.cells import Cells
from irnet.metrics.aji import NONE, aji, most_alike
from irnet.metrics.coco_ap import IOU_THRESHOLDS, Ranking
from irnet.metrics.f1 import duplicates
from irnet.metrics.isbi import pair_by_dice, pair_in_order
from irnet.metrics.links import ambiguous
from irnet.metrics.match import Pairwise, match_glas, match_iou
from irnet.metrics.several import lies_inside

SEEDS = range(40)


class Tables:
    """The same by tables (n, m) of full-frame masks."""

    def __init__(self, truths: Cells, preds: Cells):
        a, b = (cells.to_dense().reshape(len(cells), 40 * 40).astype(np.int64) for cells in (truths, preds))
        self.shared, self.truth_areas, self.pred_areas = a @ b.T, a.sum(axis=1), b.sum(axis=1)
        self.sums = self.truth_areas[:, None] + self.pred_areas
        self.iou = self.shared / np.maximum(self.sums - self.shared, 1)
        self.dice = 2 * self.shared / np.maximum(self.sums, 1)
        self.cover = self.shared / np.maximum(self.truth_areas, 1)[:, None]


def scene(seed: int) -> tuple[Cells, Cells]:
    """Truths and predictions: jittered, doubled, false, empty and none at all; many are equally alike."""
    rng = np.random.default_rng(seed)
    n, extra = rng.integers(0, 12, 2)
    corners, sides = rng.integers(0, 24, (n, 2)), rng.integers(1, 12, (n, 2))
    moved = np.concatenate([corners, corners, rng.integers(0, 24, (extra, 2))])
    grown = np.concatenate([sides, sides, rng.integers(1, 12, (extra, 2))])
    moved = np.clip(moved + rng.integers(-1, 2, moved.shape), 0, 28)
    kept = rng.random(len(moved)) < 0.7
    return rectangles(corners, sides, rng), rectangles(moved[kept], grown[kept], rng)


def rectangles(corners, sides, rng) -> Cells:
    masks = [np.full(side, rng.random() < 0.95) for side in sides]
    labels, scores = rng.integers(1, 3, len(masks)), rng.integers(1, 5, len(masks)) / 4
    return Cells.build(masks, corners, labels, (40, 40), scores=scores)


@pytest.fixture(params=SEEDS)
def both(request):
    truths, preds = scene(request.param)
    return Pairwise.between(truths, preds), Tables(truths, preds), preds


def spread(pairs, values):
    table = np.zeros((len(pairs.truth_areas), len(pairs.pred_areas)))
    table[pairs.truths, pairs.preds] = values
    return table


def test_figures_of_pairs(both):
    pairs, tables, _ = both
    np.testing.assert_array_equal(spread(pairs, pairs.shared), tables.shared)
    np.testing.assert_array_equal(spread(pairs, pairs.iou), tables.iou)
    np.testing.assert_array_equal(spread(pairs, pairs.dice), tables.dice)
    np.testing.assert_array_equal(spread(pairs.turned, pairs.turned.iou), tables.iou.T)
    np.testing.assert_array_equal(pairs.find(pairs.pairs[::-1]), np.arange(len(pairs.pairs))[::-1])
    inside = spread(pairs, lies_inside(pairs))
    np.testing.assert_array_equal(inside, tables.shared > 0.5 * tables.pred_areas)


def test_kept_predictions(both):
    pairs, tables, preds = both
    chosen = preds.scores > 0.5
    kept = pairs.keep(chosen)
    np.testing.assert_array_equal(spread(kept, kept.iou), tables.iou[:, chosen])
    assert kept.pred_areas.tolist() == tables.pred_areas[chosen].tolist()


def test_assignments_are_the_best_of_all(both):
    pairs, tables, _ = both
    for matches, quality, possible in (
        (match_iou(pairs), tables.iou, tables.iou > 0.5),
        (match_glas(pairs), tables.cover, tables.cover >= 0.5),
    ):
        rows, columns = linear_sum_assignment(np.where(possible, 100 + quality, 0), maximize=True)
        taken = possible[rows, columns]
        assert len(matches) == taken.sum()
        assert possible[matches[:, 0], matches[:, 1]].all()
        assert len(np.unique(matches[:, 0])) == len(np.unique(matches[:, 1])) == len(matches)
        best = quality[rows, columns][taken].sum()
        assert quality[matches[:, 0], matches[:, 1]].sum() == pytest.approx(best)


def test_aji_and_duplicates(both):
    pairs, tables, _ = both
    taken = [int(row.argmax()) if row.max(initial=0) > 0 else NONE for row in tables.iou]
    assert most_alike(pairs).tolist() == taken
    shared = sum(tables.shared[t, p] for t, p in enumerate(taken) if p != NONE)
    claimed = sum(tables.pred_areas[p] for p in taken if p != NONE)
    unclaimed = np.delete(tables.pred_areas, [p for p in taken if p != NONE]).sum()
    assert aji(pairs) == (shared, tables.truth_areas.sum() + claimed - shared + unclaimed)

    matches = match_iou(pairs)
    unmatched = ~np.isin(np.arange(len(tables.pred_areas)), matches[:, 1])
    assert duplicates(pairs, matches).tolist() == ((tables.iou > 0.5).any(axis=0) & unmatched).tolist()


def test_pairings_of_isbi(both):
    pairs, tables, _ = both
    used: set[int] = set()
    in_order = []
    for truth, row in enumerate(tables.iou):
        free = [pred for pred in np.flatnonzero(row).tolist() if pred not in used]
        if free:
            used.add(best := max(free, key=row.__getitem__))
            in_order.append([truth, best])
    assert pairs.pairs[pair_in_order(pairs)].tolist() == in_order

    dice, by_dice = tables.dice.copy(), []
    while dice.size and dice.max() > 0:
        truth, pred = np.unravel_index(dice.argmax(), dice.shape)
        by_dice.append([int(truth), int(pred)])
        dice[truth], dice[:, pred] = 0, 0
    assert pairs.pairs[pair_by_dice(pairs)].tolist() == by_dice


def test_ranking_of_coco(both):
    pairs, tables, preds = both
    expected = np.zeros((len(IOU_THRESHOLDS), len(preds)), dtype=bool)
    for hits, threshold in zip(expected, IOU_THRESHOLDS, strict=True):
        free = np.ones(len(tables.truth_areas), dtype=bool)
        for pred in np.argsort(-preds.scores, kind="stable"):
            quality = np.where(free & (tables.iou[:, pred] >= threshold), tables.iou[:, pred], 0)[::-1]
            if quality.any():
                hits[pred] = True
                free[len(quality) - 1 - quality.argmax()] = False
    np.testing.assert_array_equal(Ranking.of(pairs, preds.scores).hits, expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_ambiguous_nuclei(seed):
    cells, _ = scene(seed)
    dense = cells.to_dense()
    for index, found in enumerate(ambiguous(cells).tolist()):
        homes = [(dense[index] & mask).sum() * 2 >= dense[index].sum() for mask in dense[cells.labels == 1]]
        assert found == (cells.labels[index] == 2 and dense[index].any() and sum(homes) > 1)


def test_memory_grows_with_what_meets():
    many = 20_000  # a table of them would have 3 GB
    corners = np.stack([np.arange(many) % 200, np.arange(many) // 200], axis=1) * 4
    cells = Cells.build([np.ones((2, 2))] * many, corners, np.ones(many), (400, 800))
    pairs = Pairwise.between(cells, cells)
    assert len(pairs.pairs) == many
    assert aji(pairs) == (4 * many, 4 * many)
    assert len(match_iou(pairs)) == many
