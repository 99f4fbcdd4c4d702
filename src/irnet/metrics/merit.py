"""What an operating point is worth, overlaps counted: F1, AJI, overlap recall and precision in one number."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from irnet.cells import CYTOPLASM, Cells
from irnet.metrics.aji import aji
from irnet.metrics.match import Pairwise, match_iou
from irnet.metrics.overlap import overlap_scores
from irnet.metrics.ratio import Ratio

PARTS = ("f1", "aji", "overlap_recall", "overlap_precision")


def merit_ratios(truths: Cells, preds: Cells, cuts: Sequence[float]) -> NDArray[np.float64]:
    """Numerator and denominator of each of PARTS when predictions from each of `cuts` on are kept, (k, 4, 2).

    Truths and predictions are those of one class of one image. Images pool by adding.
    """
    pairs = Pairwise.between(truths, preds)

    table: dict[int, list[Ratio]] = {}  # by how many are kept: always those of highest score
    rows = []
    for cut in cuts:
        kept = preds.scores >= cut
        if (count := int(kept.sum())) not in table:
            table[count] = _parts(truths, preds.select(kept), pairs.keep(kept))
        rows.append(table[count])
    return np.array(rows, dtype=np.float64).reshape(-1, len(PARTS), 2)


def merits(ratios: NDArray[np.float64], label: int) -> NDArray[np.float64]:
    """The merit of one class at each cut from the pooled `merit_ratios` (k, 4, 2), (k,).

    It is the mean of F1, AJI and, for cytoplasms where any truths overlap, overlap recall and overlap
    precision: F1 and AJI hardly see who holds an overlap, and recall alone would reward cells drawn over
    one another. What is undefined counts 0.
    """
    above, below = ratios[..., 0], ratios[..., 1]
    parts = np.divide(above, below, out=np.zeros_like(above), where=below > 0)  # (k, 4)
    overlaps = label == CYTOPLASM and below[:, PARTS.index("overlap_recall")].any()
    return parts.mean(axis=1) if overlaps else parts[:, :2].mean(axis=1)


def _parts(truths: Cells, preds: Cells, pairs: Pairwise) -> list[Ratio]:
    matches = match_iou(pairs)
    f1 = Ratio(2 * len(matches), len(truths) + len(preds))
    overlaps = overlap_scores(truths, preds, matches)
    return [f1, aji(pairs), overlaps["overlap_recall"], overlaps["overlap_precision"]]
