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

    >>> pairs = Pairwise(np.array([[6, 0]]), np.array([8]), np.array([10, 4]))
    >>> aji(pairs)  # 6 shared; 8 + 10 - 6 in the union, 4 in a prediction that nobody took
    Ratio(numerator=6, denominator=16)
    """
    shared, union, unclaimed = aji_parts(pairs)
    return Ratio(int(shared.sum()), int(union.sum() + unclaimed.sum()))


def aji_parts(pairs: Pairwise) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Pixels that truths add to numerator and denominator, (n,) each, and predictions to the latter, (m,)."""
    taken = most_alike(pairs.iou)
    met = np.flatnonzero(taken != NONE)
    shared, union = np.zeros_like(pairs.truth_areas), pairs.truth_areas.copy()
    unclaimed = pairs.pred_areas.copy()  # (m,)
    shared[met] = pairs.intersections[met, taken[met]]
    union[met] += pairs.pred_areas[taken[met]] - shared[met]
    unclaimed[taken[met]] = 0
    return shared, union, unclaimed


def most_alike(iou: NDArray[np.float64]) -> NDArray[np.int64]:
    """For each row the column of highest IoU > 0, the first of equals, or NONE; (n,)."""
    if not iou.size:
        return np.full(len(iou), NONE)
    best = iou.argmax(axis=1)
    return np.where(iou[np.arange(len(iou)), best] > 0, best, NONE)
