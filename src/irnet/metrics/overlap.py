"""Scores of the overlap itself: are the pixels under several cells given to every one of them?

Overlap degree of a truth: the share of its area that other truths of its class cover.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from irnet.cells import Cells
from irnet.metrics.aji import NONE, aji_parts, most_alike
from irnet.metrics.match import Pairwise
from irnet.metrics.ratio import Ratio
from irnet.metrics.window import as_window, cover, neighbours, view

DEGREE_LIMITS = (0.0, 0.2, 0.4)  # upper ends, inclusive, of all bins but the last
DEGREE_NAMES = ("0", "0-.2", ".2-.4", ">.4")


def overlap_scores(truths: Cells, preds: Cells, matches: NDArray[np.int64]) -> dict[str, Ratio]:
    """Overlap recall and precision of one class; `matches` are those of `match_iou`.

    Of the pixels under two or more truths, those held by the matched prediction of every one of these truths;
    as a share of themselves (recall, undefined where no truths overlap) and of the pixels under two or more
    predictions (precision, undefined where no predictions overlap). A label map holds none.
    """
    held, shared = _held_pixels(truths, preds, matches)
    claimed = sum(int(mine.sum()) for _, _, mine in _shared_pixels(preds))
    return {"overlap_recall": Ratio(held, shared), "overlap_precision": Ratio(held, claimed)}


def degrees(cells: Cells) -> NDArray[np.float64]:
    """Share of each instance's area that others of `cells` cover, (n,); 0 for an instance without area."""
    shares = np.zeros(len(cells))
    for i, (box, near) in enumerate(zip(cells.boxes, neighbours(cells.boxes, cells.boxes), strict=True)):
        mask, others = cells.masks[i], near[near != i]
        if len(others) and mask.any():
            covered = mask & (cover(cells, others, as_window(box)) > 0)
            shares[i] = covered.sum() / mask.sum()
    return shares


def scores_by_degree(
    pairs: Pairwise, matches: NDArray[np.int64], degree: NDArray[np.float64]
) -> dict[str, dict[str, Ratio]]:
    """Recall, F1 and AJI of one class for each bin of the truths' overlap degree (n,).

    A matched prediction counts in its truth's bin, another one in the bin of the truth that it resembles
    most, or, where it meets none, in bin 0: so the bins of F1 and AJI add up to the scores of the image.
    """
    truth_bin = np.searchsorted(DEGREE_LIMITS, degree, side="left")
    pred_bin = _prediction_bins(pairs, matches, truth_bin)
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
    home = most_alike(pairs.iou.T)
    home[matches[:, 1]] = matches[:, 0]
    bins = np.zeros(len(home), dtype=np.int64)
    bins[home != NONE] = truth_bin[home[home != NONE]]
    return bins


def _held_pixels(truths: Cells, preds: Cells, matches: NDArray[np.int64]) -> tuple[int, int]:
    """Pixels under two or more truths: those that the match of each one holds, and all."""
    partner = dict(matches.tolist())
    boxes = truths.boxes
    held = shared = 0
    for i, later, mine in _shared_pixels(truths):
        shared += int(mine.sum())
        window = as_window(boxes[i])
        for truth in (i, *later):
            match = [partner[truth]] if truth in partner else []
            mine = mine & ((cover(truths, [truth], window) == 0) | (cover(preds, match, window) > 0))
        held += int(mine.sum())
    return held, shared


def _shared_pixels(cells: Cells) -> Iterator[tuple[int, list[int], NDArray[np.bool_]]]:
    """Pixels under two or more instances, each given once, at the first instance that holds it.

    Yields that instance, the later ones near it, and its pixels in its own box (h, w).
    """
    for i, (box, near) in enumerate(zip(cells.boxes, neighbours(cells.boxes, cells.boxes), strict=True)):
        later = near[near > i].tolist()
        if not later:
            continue
        window = as_window(box)
        taken = cover(cells, near[near < i], window) > 0
        mine = view(cells, i, window) & ~taken & (cover(cells, later, window) > 0)
        if mine.any():
            yield i, later, mine
