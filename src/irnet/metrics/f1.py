"""Detection scores from one-to-one matches: F1, precision, recall and duplicates."""

import numpy as np
from numpy.typing import NDArray

from irnet.metrics.match import MATCH_IOU, Pairwise, match_glas, match_iou
from irnet.metrics.ratio import Ratio

STRICT_IOU = 0.7


def detection(pairs: Pairwise, matches: NDArray[np.int64]) -> dict[str, Ratio]:
    """Counts of one image and class; `matches` (l, 2) are those of `match_iou`.

    Recall needs a truth, precision a prediction, F1 one of both; without, they are undefined. `recall_70`
    counts an assignment of its own at IoU > 0.7, `f1_glas` one by the share of the truth that is covered.
    """
    n, m = len(pairs.truth_areas), len(pairs.pred_areas)
    return {
        "f1": Ratio(2 * len(matches), n + m),
        "precision": Ratio(len(matches), m),
        "recall": Ratio(len(matches), n),
        "recall_70": Ratio(len(match_iou(pairs, STRICT_IOU)), n),
        "f1_glas": Ratio(2 * len(match_glas(pairs)), n + m),
        "duplicates": Ratio(int(duplicates(pairs, matches).sum()), n),
    }


def unmatched(count: int, matched: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of `count` instances are not among the indices `matched` (l,), (count,)."""
    free = np.ones(count, dtype=bool)
    free[matched] = False
    return free


def duplicates(pairs: Pairwise, matches: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which predictions are second finds of a truth, (m,): IoU > 0.5 with it, but no match of their own.

    `matches` (l, 2) are those of `match_iou`. A prediction that is another truth's match is no duplicate,
    however alike the two truths are.
    """
    alike = ~unmatched(len(pairs.pred_areas), pairs.preds[pairs.iou > MATCH_IOU])
    return alike & unmatched(len(pairs.pred_areas), matches[:, 1])
