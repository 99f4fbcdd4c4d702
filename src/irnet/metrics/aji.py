"""Aggregated Jaccard Index (Kumar et al. 2017; the formula of the IRNet paper, section 3).

Each truth takes the prediction of highest IoU > 0, and several truths may take the same one. A truth that
none meets adds its own area to the denominator; so does every prediction that no truth took.
"""

import numpy as np
from numpy.typing import NDArray

from irnet.metrics.match import Pairwise
from irnet.metrics.ratio import Ratio

NONE = -1


def aji(pairs: Pairwise) -> Ratio:
    """AJI of one image and class. No truth but predictions, or the reverse: 0. Neither: undefined.

    >>> pairs = Pairwise(np.array([[0, 0]]), np.array([6]), np.array([8]), np.array([10, 4]))
    >>> aji(pairs)  # 6 shared; 8 + 10 - 6 in the union, 4 in a prediction that nobody took
    Ratio(numerator=6, denominator=16)
    """
    shared, union, unclaimed = aji_parts(pairs)
    return Ratio(int(shared.sum()), int(union.sum() + unclaimed.sum()))


def aji_parts(pairs: Pairwise) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Pixels that truths add to numerator and denominator, (n,) each, and predictions to the latter, (m,)."""
    taken = _best(pairs)
    met, preds = pairs.pairs[taken].T  # (l,) each

    shared, union = np.zeros_like(pairs.truth_areas), pairs.truth_areas.copy()
    unclaimed = pairs.pred_areas.copy()
    shared[met] = pairs.shared[taken]
    union[met] += pairs.pred_areas[preds] - shared[met]
    unclaimed[preds] = 0
    return shared, union, unclaimed


def most_alike(pairs: Pairwise) -> NDArray[np.int64]:
    """For each truth the prediction of highest IoU > 0, the first of equals, or NONE; (n,)."""
    best = np.full(len(pairs.truth_areas), NONE)
    truths, preds = pairs.pairs[_best(pairs)].T
    best[truths] = preds
    return best


def _best(pairs: Pairwise) -> NDArray[np.int64]:
    """The pair of highest IoU, the first of equals, of each truth that has one, ascending."""
    order = np.lexsort((pairs.preds, -pairs.iou, pairs.truths))
    return order[np.unique(pairs.truths[order], return_index=True)[1]]
