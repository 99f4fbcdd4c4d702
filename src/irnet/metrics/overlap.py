"""Scores of the overlap itself: are the pixels under several cells given to every one of them?"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from irnet.cells import Cells
from irnet.geometry.boxes import neighbours
from irnet.geometry.masks import as_window
from irnet.metrics.ratio import Ratio


def overlap_scores(truths: Cells, preds: Cells, matches: NDArray[np.int64]) -> dict[str, Ratio]:
    """Overlap recall and precision of one class; `matches` (l, 2) are those of `match_iou`.

    Of the pixels under two or more truths, those held by the matched prediction of every one of these truths;
    as a share of themselves (recall, undefined where no truths overlap) and of the pixels under two or more
    predictions (precision, undefined where no predictions overlap). A label map holds none.
    """
    held, shared = _held_pixels(truths, preds, matches)
    claimed = sum(int(mine.sum()) for _, _, mine in _shared_pixels(preds))
    return {"overlap_recall": Ratio(held, shared), "overlap_precision": Ratio(held, claimed)}


def _held_pixels(truths: Cells, preds: Cells, matches: NDArray[np.int64]) -> tuple[int, int]:
    """Pixels under two or more truths: those that the match of each one holds, and all."""
    partner = dict(matches.tolist())
    boxes = truths.boxes
    held = shared = 0

    for i, later, mine in _shared_pixels(truths):
        shared += int(mine.sum())
        window = as_window(boxes[i])
        for truth in (i, *later):
            # What this truth covers has to lie in its match too; without a match nothing of it is held.
            match = [partner[truth]] if truth in partner else []
            mine = mine & (~truths.cover([truth], window) | preds.cover(match, window))
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
        taken = cells.cover(near[near < i], window)
        mine = cells.masks[i] & ~taken & cells.cover(later, window)
        if mine.any():
            yield i, later, mine
