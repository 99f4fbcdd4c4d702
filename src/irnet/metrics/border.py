"""What the border of the picture cuts: neither right nor wrong where annotators left it out."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from irnet.cells import LABEL_NAMES, Cells, Content
from irnet.metrics.match import MATCH_IOU, Pairwise


def without_cut(truth: Content, preds: Cells) -> tuple[Content, Cells]:
    """A truth without what touches the border, and the predictions that are to be held against it.

    Left out are predictions that touch the border or are alike (IoU > .5) to a truth that does, unless they
    are alike to a truth that is kept.
    """
    cut = truth.cells.at_border  # (n,)
    whole = truth.cells.select(~cut)
    needed = _alike(whole, preds)
    gone = preds.at_border | _alike(truth.cells.select(cut), preds)

    kinds = tuple(kind for kind, is_cut in zip(truth.kinds, cut, strict=False) if not is_cut)
    numbers = tuple(number for number, is_cut in zip(truth.numbered, cut, strict=True) if not is_cut)
    return replace(truth, cells=whole, kinds=kinds, numbers=numbers), preds.select(needed | ~gone)


def all_without_cut(truths: Sequence[Content], preds: Sequence[Cells]) -> tuple[list[Content], list[Cells]]:
    """The same of several images."""
    pairs = [without_cut(truth, cells) for truth, cells in zip(truths, preds, strict=True)]
    return [truth for truth, _ in pairs], [cells for _, cells in pairs]


def _alike(truths: Cells, preds: Cells) -> NDArray[np.bool_]:
    """Whether each prediction has an IoU > .5 with a truth of its class, (m,)."""
    alike = np.zeros(len(preds), dtype=bool)
    for label in LABEL_NAMES:
        mine = np.flatnonzero(preds.labels == label)
        pairs = Pairwise.between(truths.of(label), preds.select(mine))
        alike[mine[pairs.preds[pairs.iou > MATCH_IOU]]] = True
    return alike
