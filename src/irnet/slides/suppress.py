"""One suppression for a whole slide, over the candidates that its windows own, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from irnet.geometry.boxes import overlapping_pairs
from irnet.slides.candidates import Candidates, nearby
from irnet.slides.seams import by_rank

_TOGETHER = 2048  # candidates that are compared with those around them at a time

_Ints = NDArray[np.int64]


def survivors_of(candidates: Candidates, nms: Mapping[int, float], *, masks: bool) -> _Ints:
    """Indices (k,) of the candidates that stay, best first.

    A candidate goes where a kept one of its class and of higher rank overlaps it by more than `nms` of the
    class. As the rank is a total order (`by_rank`), the answer depends on the set of candidates alone.

    Args:
        candidates: n of them.
        nms: limit of each label, as intersection over union.
        masks: of masks, of all pairs; otherwise of boxes, of pairs of two windows, for each window has
            compared its own.
    """
    order = by_rank(candidates.scores, candidates.labels, candidates.boxes, candidates.areas)
    rank = np.empty(len(candidates), dtype=np.int64)
    rank[order] = np.arange(len(candidates))

    found = [np.zeros((0, 2), dtype=np.int64)]
    for label, limit in nms.items():
        found += _rivals(candidates, np.flatnonzero(candidates.labels == label), rank, limit, masks=masks)
    pairs = np.concatenate(found)  # who suppresses whom
    pairs = pairs[np.argsort(rank[pairs[:, 0]], kind="stable")]

    # Few pairs are rivals, so those of the whole slide are gone through together: heaps cross rows.
    alive = np.ones(len(candidates), dtype=bool)
    for start in range(0, len(pairs), _TOGETHER):
        for winner, loser in pairs[start : start + _TOGETHER].tolist():
            if alive[winner]:
                alive[loser] = False
    return order[alive[order]]


def _rivals(
    candidates: Candidates, mine: _Ints, rank: _Ints, limit: float, *, masks: bool
) -> Iterator[_Ints]:
    """Pairs (k, 2) of those of a class that overlap by more than it allows, the one of higher rank first."""
    boxes = candidates.boxes[mine]
    for some, near in nearby(boxes, boxes, _TOGETHER):
        pairs = overlapping_pairs(boxes[some], boxes[near])
        pairs = mine[np.stack([some[pairs[:, 0]], near[pairs[:, 1]]], axis=1)]
        pairs = pairs[rank[pairs[:, 0]] < rank[pairs[:, 1]]]
        if not masks:
            pairs = pairs[candidates.windows[pairs[:, 0]] != candidates.windows[pairs[:, 1]]]
        yield _too_close(candidates, pairs, limit, masks=masks)


def _too_close(candidates: Candidates, pairs: _Ints, limit: float, *, masks: bool) -> _Ints:
    """Those of the pairs (k, 2) that overlap by more than a limit."""
    first, second = (candidates.boxes[some].astype(np.float64) for some in pairs.T)
    sides = np.minimum(first[:, 2:], second[:, 2:]) - np.maximum(first[:, :2], second[:, :2])
    areas = candidates.areas[pairs].astype(np.float64)  # (k, 2)
    if not masks:
        areas = np.stack([(box[:, 2:] - box[:, :2]).prod(axis=1) for box in (first, second)], axis=1)

    # Masks share no more than their boxes do: few have to be drawn.
    most, both = np.minimum(sides.prod(axis=1), areas.min(axis=1)), areas.sum(axis=1)
    possible = most > limit * (both - most)
    pairs, most, both = pairs[possible], most[possible], both[possible]
    shared = _shared(candidates, pairs) if masks else most
    return pairs[shared > limit * (both - shared)]


def _shared(candidates: Candidates, pairs: _Ints) -> _Ints:
    """Pixels that the masks of pairs (k, 2) share, (k,)."""
    index, local = np.unique(pairs, return_inverse=True)
    block = candidates.take(index)
    masks, corners = block.masks(), block.boxes[:, :2]

    shared = np.zeros(len(pairs), dtype=np.int64)
    for row, (i, j) in enumerate(local.reshape(-1, 2).tolist()):
        low = np.maximum(corners[i], corners[j])
        high = np.minimum(block.boxes[i, 2:], block.boxes[j, 2:])
        parts = []
        for one in (i, j):
            (left, top), (right, bottom) = low - corners[one], high - corners[one]
            parts.append(masks[one][top:bottom, left:right])
        shared[row] = np.count_nonzero(parts[0] & parts[1])
    return shared
