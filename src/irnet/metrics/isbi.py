"""Scores of the ISBI 2014 challenge on overlapping cervical cells, in the two forms that are in use.

`isbi2014`: each truth in file order takes the unused prediction of highest Jaccard index (Lu et al. 2015).
`isbi-greedy`: pairs are taken from the highest Dice coefficient down (Phoulady et al. 2016).
A pair is good when its Dice coefficient exceeds 0.7. DSC, TPRp and FPRp are means over good pairs, so that
they say nothing about cells that were missed or found twice: never quote them alone.
"""

import numpy as np
from numpy.typing import NDArray

from irnet.metrics.match import Pairwise, by_index
from irnet.metrics.ratio import Ratio

GOOD_DICE = 0.7


def isbi2014(pairs: Pairwise, frame_pixels: int) -> dict[str, Ratio]:
    """DSC, TPRp, FPRp over good pairs and FNRo over truths; without one, undefined.

    `frame_pixels` is height times width of the image.
    """
    scores = _scores(pairs, pair_in_order(pairs), frame_pixels)
    return {f"isbi2014.{name}": scores[name] for name in ("dsc", "tprp", "fprp", "fnro")}


def isbi_greedy(pairs: Pairwise, frame_pixels: int) -> dict[str, Ratio]:
    """The same by Phoulady's pairing, and FDRo over predictions."""
    scores = _scores(pairs, pair_by_dice(pairs), frame_pixels)
    return {f"isbi-greedy.{name}": ratio for name, ratio in scores.items()}


def pair_in_order(pairs: Pairwise) -> NDArray[np.int64]:
    """Which pairs are taken, (l,): truths choose in order, a prediction once chosen is used."""
    free = np.ones(len(pairs.pred_areas), dtype=bool)
    chosen = []

    for near in by_index(pairs.truths, len(pairs.truth_areas)):
        near = near[free[pairs.preds[near]]]
        if len(near):
            best = near[pairs.iou[near].argmax()]
            free[pairs.preds[best]] = False
            chosen.append(best)
    return np.array(chosen, dtype=np.int64)


def pair_by_dice(pairs: Pairwise) -> NDArray[np.int64]:
    """Which pairs are taken, (l,), highest Dice coefficient first; ties in file order."""
    free_truth, free_pred = np.ones(len(pairs.truth_areas), bool), np.ones(len(pairs.pred_areas), bool)
    chosen = []
    for place in np.argsort(-pairs.dice, kind="stable"):
        truth, pred = pairs.pairs[place]
        if free_truth[truth] and free_pred[pred]:
            free_truth[truth] = free_pred[pred] = False
            chosen.append(place)
    return np.array(chosen, dtype=np.int64)


def _scores(pairs: Pairwise, chosen: NDArray[np.int64], frame_pixels: int) -> dict[str, Ratio]:
    """Scores of the `chosen` pairs, (l,)."""
    chosen = chosen[pairs.dice[chosen] > GOOD_DICE]
    good, shared = len(chosen), pairs.shared[chosen]
    area, found = pairs.truth_areas[pairs.truths[chosen]], pairs.pred_areas[pairs.preds[chosen]]

    missed, false = len(pairs.truth_areas) - good, len(pairs.pred_areas) - good
    outside = np.maximum(frame_pixels - area, 1)  # a truth that fills its frame leaves no false pixel either

    return {
        "dsc": Ratio(float(pairs.dice[chosen].sum()), good),
        "tprp": Ratio(float((shared / area).sum()), good),
        "fprp": Ratio(float(((found - shared) / outside).sum()), good),
        "fnro": Ratio(missed, len(pairs.truth_areas)),
        "fdro": Ratio(false, len(pairs.pred_areas)),
    }
