"""One suppression for a whole slide, over the candidates that its windows own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from irnet.geometry.boxes import overlapping_pairs
from irnet.geometry.masks import decode
from irnet.slides.block import Block

_MASKS = 4096  # that are held at a time


def survivors_of(
    block: Block, owners: NDArray[np.int64], nms: Mapping[int, float], *, masks: bool
) -> NDArray[np.int64]:
    """Indices (k,) of the candidates that stay, best first.

    The rank is that of `seams`: score first, then place and size, so that the answer depends on the set of
    candidates alone. A candidate goes where a kept one of its class and of higher rank overlaps it by more
    than `nms` of the class.

    Args:
        block: n candidates.
        owners: (n,) the window of each.
        nms: limit of each label, as intersection over union.
        masks: of masks, of all pairs; otherwise of boxes, of pairs of two windows, for each window has
            compared its own.
    """
    x1, y1, x2, y2 = block.boxes.T
    order = np.lexsort((block.areas, y2, x2, y1, x1, block.labels, -block.scores))
    place = np.empty(len(block), dtype=np.int64)
    place[order] = np.arange(len(block))

    pairs = _rivals(block, owners, nms, masks=masks)
    better = place[pairs[:, 0]] < place[pairs[:, 1]]
    pairs = pairs[better]  # who suppresses whom
    pairs = pairs[np.argsort(place[pairs[:, 0]], kind="stable")]

    alive = np.ones(len(block), dtype=bool)
    for winner, loser in pairs.tolist():
        if alive[winner]:
            alive[loser] = False
    return order[alive[order]]


def _rivals(
    block: Block, owners: NDArray[np.int64], nms: Mapping[int, float], *, masks: bool
) -> NDArray[np.int64]:
    """Pairs (k, 2) in both orders that overlap by more than their class allows."""
    boxes, areas = block.boxes.astype(np.float64), block.areas.astype(np.float64)
    if not masks:
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)

    found = [np.zeros((0, 2), dtype=np.int64)]
    for label, limit in nms.items():
        mine = np.flatnonzero(block.labels == label)
        pairs = mine[overlapping_pairs(boxes[mine], boxes[mine])]
        keep = pairs[:, 0] != pairs[:, 1] if masks else owners[pairs[:, 0]] != owners[pairs[:, 1]]
        pairs = pairs[keep]
        first, second = boxes[pairs[:, 0]], boxes[pairs[:, 1]]
        sides = np.minimum(first[:, 2:], second[:, 2:]) - np.maximum(first[:, :2], second[:, :2])

        # Masks share no more than their boxes do: few have to be drawn.
        most = np.minimum(sides.prod(axis=1), areas[pairs].min(axis=1))
        both = areas[pairs].sum(axis=1)
        pairs, most, both = (part[most > limit * (both - most)] for part in (pairs, most, both))
        shared = _shared(block, pairs) if masks else most
        found.append(pairs[shared > limit * (both - shared)])
    return np.concatenate(found)


def _shared(block: Block, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pixels that the masks of pairs (k, 2) share, (k,)."""

    @lru_cache(_MASKS)
    def mask(number: int) -> NDArray[np.bool_]:
        x1, y1, x2, y2 = block.boxes[number].tolist()
        return decode(block.counts(number), (y2 - y1, x2 - x1), (0, 0, x2 - x1, y2 - y1))[0]

    shared = np.zeros(len(pairs), dtype=np.int64)
    for row, (i, j) in enumerate(pairs.tolist()):
        low = np.maximum(block.boxes[i, :2], block.boxes[j, :2])
        high = np.minimum(block.boxes[i, 2:], block.boxes[j, 2:])
        parts = []
        for one in (i, j):
            (left, top), (right, bottom) = (low - block.boxes[one, :2], high - block.boxes[one, :2])
            parts.append(mask(one)[top:bottom, left:right])
        shared[row] = np.count_nonzero(parts[0] & parts[1])
    return shared
