"""The score above which predictions are kept, chosen on validation images to make F1 highest."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from irnet.cells import LABEL_NAMES, Cells, Content
from irnet.metrics.ignore import outside_ignored
from irnet.metrics.match import MATCH_IOU, Pairwise, by_index


class Curve(NamedTuple):
    """Pooled F1, precision and recall of one class when predictions with at least this score are kept."""

    scores: NDArray[np.float64]  # (k,) falling, without equals
    f1: NDArray[np.float64]  # (k,)
    precision: NDArray[np.float64]  # (k,)
    recall: NDArray[np.float64]  # (k,) nan without a truth

    def f1_at(self, cuts: NDArray[np.float64]) -> NDArray[np.float64]:
        """F1 when predictions with at least each score of `cuts` (c,) are kept, (c,); 0 above all of them."""
        kept = np.searchsorted(-self.scores, -cuts, side="right")
        return np.concatenate([[0.0], self.f1])[kept]


def choose_scores(truths: Sequence[Content], preds: Sequence[Cells]) -> dict[int, float]:
    """For each class the score that makes pooled F1 highest, as `best_score` has it.

    `preds` hold everything down to a low score. A class without a truth or without any match has none, and
    is left out.
    """
    best = {label: best_score([f1_curve(truths, preds, label)]) for label in LABEL_NAMES}
    return {label: score for label, score in best.items() if score is not None}


def best_score(curves: Sequence[Curve]) -> float | None:
    """The score that makes the mean F1 of several data sets highest, of equals the highest.

    It lies halfway between the last prediction that is kept and the first that is not. None without a match.
    """
    scores = np.unique(np.concatenate([np.zeros(0), *(curve.scores for curve in curves)]))[::-1]
    total = sum((curve.f1_at(scores) for curve in curves), np.zeros(len(scores)))
    if not total.any():
        return None

    best = int(total.argmax())
    return float((scores[best] + np.append(scores, 0.0)[best + 1]) / 2)


def f1_curve(truths: Sequence[Content], preds: Sequence[Cells], label: int) -> Curve:
    """Exact F1 at every score cut of one class over all images in which it was annotated.

    `truths` and `preds` are the images, in one order.
    """
    images = [
        (outside_ignored(truth.cells.of(label), truth.ignore), outside_ignored(found.of(label), truth.ignore))
        for truth, found in zip(truths, preds, strict=True)
        if label in truth.annotated
    ]
    total = sum(len(cells) for cells, _ in images)

    # Predictions of all images, (m,), by falling score: whether each one brings a match.
    scores = np.concatenate([np.zeros(0), *(found.scores for _, found in images)])
    gains = np.concatenate([np.zeros(0), *(_gains(cells, found) for cells, found in images)])
    order = np.argsort(-scores, kind="stable")

    last = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # predictions of one score enter together
    matched, kept = np.cumsum(gains[order])[last], last + 1  # (k,) each
    recall = matched / total if total else np.full(len(last), np.nan)
    return Curve(scores[order][last], 2 * matched / (kept + total), matched / kept, recall)


def match_gains(alike: Sequence[NDArray[np.int64]], scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """By how many matches (0 or 1) each prediction, coming in by falling score, raises their number, (m,).

    `alike` holds the truths that each of the m predictions may match, `scores` is (m,). The sum over the
    predictions above a cut is the number of pairs that the assignment of F1 finds there: one augmenting path
    (Kuhn) a prediction, and a prediction that is left out of a largest matching stays out.
    """
    partner: dict[int, int] = {}  # truth -> prediction
    gains = np.zeros(len(scores), dtype=np.int64)
    for pred in np.argsort(-scores, kind="stable"):
        gains[pred] = _augment(alike, int(pred), partner, set())
    return gains


def _gains(truths: Cells, preds: Cells) -> NDArray[np.int64]:
    pairs = Pairwise.between(truths, preds)
    matching = pairs.pairs[pairs.iou > MATCH_IOU]
    return match_gains([matching[mine, 0] for mine in by_index(matching[:, 1], len(preds))], preds.scores)


def _augment(alike: Sequence[NDArray[np.int64]], pred: int, partner: dict[int, int], seen: set[int]) -> bool:
    for truth in sorted(alike[pred].tolist(), key=partner.__contains__):  # free ones first: short paths
        if truth in seen:
            continue
        seen.add(truth)
        if truth not in partner or _augment(alike, partner[truth], partner, seen):
            partner[truth] = pred
            return True
    return False
