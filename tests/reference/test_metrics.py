"""Every score against a transcription of its definition with full-frame masks and plain loops."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_erosion
from scipy.spatial.distance import cdist

from irnet.cells import CYTOPLASM, Cells, Content, Distractor
from irnet.metrics import score_image
from irnet.metrics.degree import DEGREE_NAMES, degrees

SIDE = 24
MPP = 0.5
BAND = 2  # px: 1 um
EXAMPLES = settings(max_examples=60, deadline=None, derandomize=True)


def scene(seed: int, truths: int, preds: int) -> tuple[Cells, Cells]:
    """Ellipses, and as predictions moved, dilated or free ones with scores that tie now and then."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]

    def ellipse(centre, axes):
        return ((x - centre[0]) / axes[0]) ** 2 + ((y - centre[1]) / axes[1]) ** 2 <= 1

    shapes = [(rng.uniform(2, SIDE - 2, 2), rng.uniform(2, 9, 2)) for _ in range(truths)]
    moved = [(c + rng.normal(0, 1, 2), a * rng.uniform(0.8, 1.2)) for c, a in shapes for _ in range(2)]
    free = [(rng.uniform(2, SIDE - 2, 2), rng.uniform(2, 9, 2)) for _ in range(preds)]
    pool = moved + free
    chosen = [pool[i] for i in rng.permutation(len(pool))[:preds]]
    dense = [np.array([ellipse(*s) for s in part]).reshape(-1, SIDE, SIDE) for part in (shapes, chosen)]
    return (
        Cells.from_dense(dense[0], np.full(truths, CYTOPLASM), mpp=MPP),
        Cells.from_dense(
            dense[1], np.full(len(chosen), CYTOPLASM), scores=rng.integers(1, 6, len(chosen)) / 5, mpp=MPP
        ),
    )


scenes = st.builds(scene, st.integers(0, 10**6), st.integers(0, 5), st.integers(0, 5))


def iou_of(a, b):
    return (a & b).sum() / (a | b).sum()


def dice_of(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def best_matching(quality, allowed):
    """Pairs of the largest number and then the highest sum, by trying every assignment."""
    n, m = quality.shape
    best, best_key = [], (0, 0.0)
    for order in permutations(range(m + n), n):  # a truth sent to m or beyond stays alone
        pairs = [(i, j) for i, j in enumerate(order) if j < m and allowed[i, j]]
        key = (len(pairs), sum(quality[i, j] for i, j in pairs))
        if key > (best_key[0], best_key[1] + 1e-12):
            best, best_key = pairs, key
    return best


def tables(truths, preds):
    shape = (len(truths), len(preds))
    iou = np.array([[iou_of(t, p) for p in preds] for t in truths]).reshape(shape)
    dice = np.array([[dice_of(t, p) for p in preds] for t in truths]).reshape(shape)
    return iou, dice


def aji(truths, preds, iou):
    above = below = 0
    chosen = set()
    for i, truth in enumerate(truths):
        j = int(iou[i].argmax()) if len(preds) else -1
        if j < 0 or iou[i, j] == 0:
            below += truth.sum()
            continue
        chosen.add(j)
        above += (truth & preds[j]).sum()
        below += (truth | preds[j]).sum()
    return above, below + sum(pred.sum() for j, pred in enumerate(preds) if j not in chosen)


def isbi(truths, preds, dice, pairs):
    good = [(i, j) for i, j in pairs if dice[i, j] > 0.7]
    outside = [(preds[j] & ~truths[i]).sum() / (~truths[i]).sum() for i, j in good]
    return {
        "dsc": (sum(dice[i, j] for i, j in good), len(good)),
        "tprp": (sum((truths[i] & preds[j]).sum() / truths[i].sum() for i, j in good), len(good)),
        "fprp": (sum(outside), len(good)),
        "fnro": (len(truths) - len(good), len(truths)),
        "fdro": (len(preds) - len(good), len(preds)),
    }


def pairs_in_order(iou):
    pairs, used = [], set()
    for i in range(iou.shape[0]):
        free = [j for j in range(iou.shape[1]) if j not in used and iou[i, j] > 0]
        if free:
            j = max(free, key=lambda j: iou[i, j])
            used.add(j)
            pairs.append((i, j))
    return pairs


def pairs_by_dice(dice):
    left, pairs = dice.copy(), []
    while left.size and left.max() > 0:
        i, j = np.unravel_index(left.argmax(), left.shape)
        pairs.append((i, j))
        left[i], left[:, j] = 0, 0
    return pairs


def overlap(truths, preds, pairs):
    count = truths.sum(axis=0)
    held = count >= 2
    partner = dict(pairs)
    for i, truth in enumerate(truths):
        match = preds[partner[i]] if i in partner else np.zeros((SIDE, SIDE), dtype=bool)
        held &= ~truth | match
    return held.sum(), (count >= 2).sum(), (preds.sum(axis=0) >= 2).sum()


def degree(truths, i):
    others = np.delete(truths, i, axis=0).any(axis=0)
    return (truths[i] & others).sum() / truths[i].sum()


def most_alike(column):
    return int(column.argmax()) if column.any() else None


def outline_points(mask):
    return np.argwhere(mask & ~binary_erosion(mask, border_value=0))


def boundary(truth, pred, zone):
    """Mean and 95th percentile of distance in um, and IoU of the bands, in `zone`; None without outline."""
    a, b = outline_points(truth), outline_points(pred)
    between = cdist(a, b)
    distances = np.concatenate([between.min(axis=1)[zone[tuple(a.T)]], between.min(axis=0)[zone[tuple(b.T)]]])
    square = np.ones((3, 3))
    bands = [m & ~binary_erosion(m, square, iterations=BAND, border_value=0) & zone for m in (truth, pred)]
    if not len(distances):
        return None
    return distances.mean() * MPP, np.percentile(distances, 95) * MPP, iou_of(*bands)


def check(ratio, expected):
    assert ratio.numerator == pytest.approx(expected[0])
    assert ratio.denominator == pytest.approx(expected[1])


@given(scenes)
@EXAMPLES
def test_image_scores(parts):
    truth, pred = parts
    truths, preds = truth.to_dense(), pred.to_dense()
    n, m = len(truths), len(preds)
    iou, dice = tables(truths, preds)
    pairs = best_matching(iou, iou > 0.5)
    score = score_image(Content(cells=truth), pred).classes[CYTOPLASM]
    ratios = score.ratios

    check(ratios["aji"], aji(truths, preds, iou))
    check(ratios["f1"], (2 * len(pairs), n + m))
    check(ratios["precision"], (len(pairs), m))
    check(ratios["recall"], (len(pairs), n))
    check(ratios["recall_70"], (len(best_matching(iou, iou > 0.7)), n))
    cover = np.array([[(t & p).sum() / t.sum() for p in preds] for t in truths]).reshape(n, m)
    check(ratios["f1_glas"], (2 * len(best_matching(cover, cover >= 0.5)), n + m))
    again = [j for j in range(m) if (iou[:, j] > 0.5).any() and j not in {j for _, j in pairs}]
    check(ratios["duplicates"], (len(again), n))
    for form, chosen in (("isbi2014", pairs_in_order(iou)), ("isbi-greedy", pairs_by_dice(dice))):
        for name, expected in isbi(truths, preds, dice, chosen).items():
            if f"{form}.{name}" in ratios:
                check(ratios[f"{form}.{name}"], expected)
    held, under_truths, under_preds = overlap(truths, preds, pairs)
    check(ratios["overlap_recall"], (held, under_truths))
    check(ratios["overlap_precision"], (held, under_preds))
    matched = np.zeros(m)
    for i, j in pairs:
        matched[j] = iou[i, j]
    assert score.matched_iou == pytest.approx(matched)


@given(scenes)
@EXAMPLES
def test_boundaries(parts):
    truth, pred = parts
    truths, preds = truth.to_dense(), pred.to_dense()
    iou, _ = tables(truths, preds)
    pairs = best_matching(iou, iou > 0.5)
    ratios = score_image(Content(cells=truth), pred).classes[CYTOPLASM].ratios
    everywhere = np.ones((SIDE, SIDE), dtype=bool)
    for place in ("", "_overlap"):
        zones = [np.delete(truths, i, axis=0).any(axis=0) if place else everywhere for i, _ in pairs]
        rows = [boundary(truths[i], preds[j], zone) for (i, j), zone in zip(pairs, zones, strict=True)]
        known = np.array([row for row in rows if row is not None]).reshape(-1, 3)
        names = f"boundary_mean{place}_um", f"boundary_p95{place}_um", f"boundary_iou{place}"
        for name, column in zip(names, known.T, strict=True):
            check(ratios[name], (column.sum(), len(known)))


@given(scenes)
@EXAMPLES
def test_overlap_degrees(parts):
    truth, pred = parts
    truths, preds = truth.to_dense(), pred.to_dense()
    expected = [degree(truths, i) for i in range(len(truths))]
    assert degrees(truth) == pytest.approx(expected)

    iou, _ = tables(truths, preds)
    pairs = best_matching(iou, iou > 0.5)
    limits = ((-1, 0), (0, 0.2), (0.2, 0.4), (0.4, 1))
    score = score_image(Content(cells=truth), pred).classes[CYTOPLASM]
    for name, (low, high) in zip(DEGREE_NAMES, limits, strict=True):
        mine = [i for i, d in enumerate(expected) if low < d <= high]
        check(score.by_degree[name]["recall"], (sum(i in mine for i, _ in pairs), len(mine)))
        found = [j for _, j in pairs]
        homes = {j: i for i, j in pairs} | {
            j: most_alike(iou[:, j]) for j in range(len(preds)) if j not in found
        }
        theirs = sum(i in mine if i is not None else low < 0 for i in homes.values())
        check(score.by_degree[name]["f1"], (2 * sum(i in mine for i, _ in pairs), len(mine) + theirs))
    for name in ("f1", "aji"):  # the bins add up to the whole
        parts_of = [score.by_degree[degree][name] for degree in DEGREE_NAMES]
        assert sum(r.numerator for r in parts_of) == score.ratios[name].numerator
        assert sum(r.denominator for r in parts_of) == score.ratios[name].denominator


@given(scenes, st.integers(0, 10**6))
@EXAMPLES
def test_ignore_regions_and_distractors(parts, seed):
    truth, pred = parts
    rng = np.random.default_rng(seed)
    regions = rng.random((2, SIDE, SIDE)) < 0.01
    regions[0, : rng.integers(SIDE), : rng.integers(SIDE)] = True
    regions[1, rng.integers(SIDE) :] = True
    inside = regions.any(axis=0)
    corners = rng.integers(0, SIDE - 4, (3, 2))
    boxes = [
        (int(a), int(b), int(a + 4 + rng.integers(12)), int(b + 4 + rng.integers(12))) for a, b in corners
    ]
    named = tuple(Distractor(kind=f"kind {k}", box=box) for k, box in enumerate(boxes))
    ignore = Cells.from_dense(regions, [0, CYTOPLASM])
    score = score_image(Content(cells=truth, ignore=ignore, distractors=named), pred).classes[CYTOPLASM]

    kept = [[m for m in cells.to_dense() if 2 * (m & inside).sum() <= m.sum()] for cells in parts]
    assert (score.truths, score.predictions) == (len(kept[0]), len(kept[1]))
    iou, _ = tables(*kept)
    matched = {j for _, j in best_matching(iou, iou > 0.5)}
    expected: dict[str, int] = {}
    for mask in (mask for j, mask in enumerate(kept[1]) if j not in matched):
        y, x = np.argwhere(mask).mean(axis=0) + 0.5
        around = [(b, k) for k, b in enumerate(boxes) if b[0] <= x < b[2] and b[1] <= y < b[3]]
        smallest = min(around, key=lambda bk: (bk[0][2] - bk[0][0]) * (bk[0][3] - bk[0][1]), default=None)
        kind = f"kind {smallest[1]}" if smallest else "elsewhere"
        expected[kind] = expected.get(kind, 0) + 1
    assert score.false_by_kind == expected
