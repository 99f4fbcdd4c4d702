"""Scores by overlap degree: the share of a truth's area that other truths of its class cover."""

import numpy as np
from numpy.typing import NDArray

from irnet.cells import Cells
from irnet.geometry.boxes import neighbours
from irnet.geometry.masks import as_window
from irnet.metrics.aji import NONE, aji_parts, most_alike
from irnet.metrics.match import Pairwise
from irnet.metrics.ratio import Ratio

DEGREE_LIMITS = (0.0, 0.2, 0.4)  # upper ends, inclusive, of all bins but the last
DEGREE_NAMES = ("0", "0-.2", ".2-.4", ">.4")


def degrees(cells: Cells) -> NDArray[np.float64]:
    """Share of each instance's area that others of `cells` cover, (n,); 0 for an instance without area."""
    shares = np.zeros(len(cells))
    for i, (box, near) in enumerate(zip(cells.boxes, neighbours(cells.boxes, cells.boxes), strict=True)):
        mask, others = cells.masks[i], near[near != i]
        if len(others) and mask.any():
            covered = mask & cells.cover(others, as_window(box))
            shares[i] = covered.sum() / mask.sum()
    return shares


def degree_bins(cells: Cells) -> NDArray[np.int64]:
    """Index into DEGREE_NAMES of each instance's overlap degree, (n,)."""
    return np.searchsorted(DEGREE_LIMITS, degrees(cells), side="left")


def scores_by_degree(
    pairs: Pairwise, matches: NDArray[np.int64], truth_bin: NDArray[np.int64]
) -> dict[str, dict[str, Ratio]]:
    """Recall, F1 and AJI of one class for each bin of the truths' overlap degree.

    `matches` (l, 2) are those of `match_iou`, `truth_bin` (n,) those of `degree_bins`.

    A matched prediction counts in its truth's bin, another one in the bin of the truth that it resembles
    most, or, where it meets none, in bin 0: so the bins of F1 and AJI add up to the scores of the image.
    """
    pred_bin = _prediction_bins(pairs, matches, truth_bin)  # (m,)
    shared, union, unclaimed = aji_parts(pairs)

    bins = {}
    for index, name in enumerate(DEGREE_NAMES):
        mine, theirs = truth_bin == index, pred_bin == index
        found, n, m = int(mine[matches[:, 0]].sum()), int(mine.sum()), int(theirs.sum())
        bins[name] = {
            "recall": Ratio(found, n),
            "f1": Ratio(2 * found, n + m),
            "aji": Ratio(int(shared[mine].sum()), int(union[mine].sum() + unclaimed[theirs].sum())),
        }
    return bins


def _prediction_bins(
    pairs: Pairwise, matches: NDArray[np.int64], truth_bin: NDArray[np.int64]
) -> NDArray[np.int64]:
    home = most_alike(pairs.turned)
    home[matches[:, 1]] = matches[:, 0]
    bins = np.zeros(len(home), dtype=np.int64)
    bins[home != NONE] = truth_bin[home[home != NONE]]
    return bins
