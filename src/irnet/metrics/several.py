"""Several to one: predictions that hold two truths or more, and truths that lie in two or more of them."""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from irnet.cells import Cells
from irnet.metrics.match import Pairwise, by_index

HELD = 0.5  # share of an area above which it is held
OWN_SHARE = 0.25  # of an area: with less outside the other one, two truths are too much alike to be merged

Indices = tuple[int, ...]


def merged_truths(truths: Cells, preds: Cells, pairs: Pairwise) -> dict[int, Indices]:
    """The truths that a prediction holds, two or more, by the index of the prediction.

    It holds more than half of each one, of the part outside another one too: the outline of a cell in front
    is no merger with the cell that lies under it.
    """
    held = pairs.pairs[pairs.shared / pairs.truth_areas[pairs.truths] > HELD]  # (k, 2)
    merged = {}
    for pred, places in enumerate(by_index(held[:, 1], len(preds))):
        mine: set[int] = set()
        for a, b in combinations(held[places, 0].tolist(), 2):
            if _holds_own(truths, a, b, preds, pred) and _holds_own(truths, b, a, preds, pred):
                mine |= {a, b}
        if mine:
            merged[pred] = tuple(sorted(mine))
    return merged


def split_truths(
    truths: Cells,
    preds: Cells,
    pairs: Pairwise,
    free_truths: NDArray[np.bool_],
    free_preds: NDArray[np.bool_],
) -> dict[int, Indices]:
    """The pieces that a truth was found in, two or more, the largest first, by the index of the truth.

    Pieces are predictions without a match (`free_preds`, (m,)) with more than half of their area inside a
    truth without one (`free_truths`, (n,)), and they hold more than half of it together.
    """
    pieces = np.flatnonzero(lies_inside(pairs) & free_truths[pairs.truths] & free_preds[pairs.preds])
    split = {}
    for truth, places in enumerate(by_index(pairs.truths[pieces], len(truths))):
        if len(places) < 2:
            continue

        mine = pieces[places[np.argsort(-pairs.shared[pieces[places]], kind="stable")]]
        found = pairs.preds[mine].tolist()
        held = truths.masks[truth] & preds.cover(found, truths.window(truth))
        if held.sum() > HELD * pairs.truth_areas[truth]:
            split[truth] = tuple(found)
    return split


def lies_inside(pairs: Pairwise) -> NDArray[np.bool_]:
    """Of which pairs more than half of the prediction lies inside the truth, (k,)."""
    return pairs.shared > HELD * pairs.pred_areas[pairs.preds]


def _holds_own(truths: Cells, truth: int, other: int, preds: Cells, pred: int) -> bool:
    """Whether the prediction holds more than half of what the truth has outside the other one."""
    window = truths.window(truth)
    own = truths.masks[truth] & ~truths.cover([other], window)
    held = own & preds.cover([pred], window)
    return own.sum() >= OWN_SHARE * truths.masks[truth].sum() and held.sum() > HELD * own.sum()
