"""Axis-aligned boxes: (n, 4) arrays of x1, y1, x2, y2 in pixels, x2 and y2 exclusive."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Boxes = NDArray[np.float64]

VAST = 8  # tiles across: longer boxes are not sorted into tiles
_TOGETHER = 2**20  # pairs of boxes in one tile that are compared at a time: crowds have many more than meet


def as_boxes(boxes: ArrayLike) -> Boxes:
    """`boxes` as an (n, 4) float64 array; no boxes give (0, 4)."""
    return np.asarray(boxes, dtype=np.float64).reshape(-1, 4)


def area(boxes: ArrayLike) -> NDArray[np.float64]:
    """Area of each box, (n,); inverted boxes have none."""
    boxes = as_boxes(boxes)
    return np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1)


def intersection(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Area shared by each box of `a` with each of `b`, (n, m)."""
    a, b = as_boxes(a), as_boxes(b)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    return np.clip(high - low, 0, None).prod(axis=2)


def iou(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of each box of `a` with each of `b`, (n, m); 0 where both are empty.

    >>> iou([[0, 0, 2, 2]], [[1, 0, 3, 2], [5, 5, 6, 6]]).round(3).tolist()
    [[0.333, 0.0]]
    """
    shared = intersection(a, b)
    union = area(a)[:, None] + area(b)[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def clip(boxes: ArrayLike, height: float, width: float) -> Boxes:
    """`boxes` cut to the frame (0, 0, width, height)."""
    return np.clip(as_boxes(boxes), 0, [width, height, width, height])


def inside(boxes: ArrayLike, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Which boxes (n, 4) reach no edge of a frame of `shape` (H, W), (n,)."""
    boxes, (height, width) = as_boxes(boxes), shape
    return np.all(boxes[:, :2] > 0, axis=1) & np.all(boxes[:, 2:] < (width, height), axis=1)


def overlapping_pairs(a: ArrayLike, b: ArrayLike) -> NDArray[np.int64]:
    """Index pairs (i, j) of the boxes of `a` and `b` that share area, (k, 2), sorted.

    Both are sorted into the tiles of a grid, and boxes of one tile are compared: time and memory grow with
    the boxes that lie near one another, not with n * m.
    """
    a, b = as_boxes(a), as_boxes(b)
    sides = np.concatenate([a[:, 2:] - a[:, :2], b[:, 2:] - b[:, :2]])

    tile = max(float(np.percentile(sides, 90)), 1.0) if len(sides) else 1.0
    vast_a, vast_b = (((box[:, 2:] - box[:, :2]) > VAST * tile).any(axis=1) for box in (a, b))

    # A box that covers very many tiles is compared with every other one: there are few of them.
    found = [_in_tiles(a, b, np.flatnonzero(~vast_a), np.flatnonzero(~vast_b), tile)]
    found += [_against_all(a[i], b, int(i)) for i in np.flatnonzero(vast_a)]
    found += [_against_all(b[j], a, int(j))[:, ::-1] for j in np.flatnonzero(vast_b)]

    pairs = np.concatenate(found)
    if vast_a.any() and vast_b.any():
        return np.unique(pairs, axis=0)  # two vast boxes were met twice
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def neighbours(a: ArrayLike, b: ArrayLike) -> list[NDArray[np.int64]]:
    """For each box of `a` the indices of the boxes of `b` that share area with it, (k,), ascending.

    >>> [near.tolist() for near in neighbours([[0, 0, 2, 2], [8, 8, 9, 9]], [[5, 5, 6, 6], [1, 0, 3, 2]])]
    [[1], []]
    """
    a = as_boxes(a)
    pairs = overlapping_pairs(a, b)
    return np.split(pairs[:, 1], np.searchsorted(pairs[:, 0], np.arange(1, len(a))))[: len(a)]


def _in_tiles(
    a: Boxes, b: Boxes, rows: NDArray[np.int64], columns: NDArray[np.int64], tile: float
) -> NDArray[np.int64]:
    """Pairs (k, 2) of the boxes `rows` of `a` and `columns` of `b` that share area, in any order."""
    i, key_i = _tiles(a, rows, tile)
    j, key_j = _tiles(b, columns, tile)
    order = np.lexsort((key_j[:, 1], key_j[:, 0]))
    j, key_j = j[order], key_j[order]

    # Rows of tiles as one number each, so that equal tiles can be searched for.
    low = np.minimum(key_i.min(axis=0, initial=0), key_j.min(axis=0, initial=0))
    width = max(int(key_i[:, 1].max(initial=0)), int(key_j[:, 1].max(initial=0))) - int(low[1]) + 1
    code_i, code_j = ((key - low) @ np.array([width, 1]) for key in (key_i, key_j))

    start = np.searchsorted(code_j, code_i, side="left")
    counts = np.searchsorted(code_j, code_i, side="right") - start

    ends = np.cumsum(counts)
    cuts = np.searchsorted(ends, np.arange(0, ends[-1] if len(ends) else 0, _TOGETHER), side="right")

    found = [np.zeros((0, 2), dtype=np.int64)]
    for some in np.split(np.arange(len(i)), cuts[1:]):
        first = np.repeat(some, counts[some])  # (k,) one entry a pair of boxes that have a tile in common
        begins = np.cumsum(counts[some]) - counts[some]
        second = np.arange(len(first)) - np.repeat(begins, counts[some]) + start[first]
        found.append(_meeting(a, b, np.stack([i[first], j[second]], axis=1), key_i[first], tile))
    return np.concatenate(found)


def _meeting(
    a: Boxes, b: Boxes, pairs: NDArray[np.int64], tiles: NDArray[np.int64], tile: float
) -> NDArray[np.int64]:
    """Those of the `pairs` (k, 2) that share area, each in one alone of the `tiles` (k, 2) it is met in."""
    i, j = pairs.T
    corner = np.maximum(a[i, :2], b[j, :2])
    meets = (np.minimum(a[i, 2:], b[j, 2:]) > corner).all(axis=1)
    met_first = (np.floor(corner / tile) == tiles).all(axis=1)  # of all the tiles that they share, one
    return pairs[meets & met_first]


def _tiles(
    boxes: Boxes, chosen: NDArray[np.int64], tile: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Index (t,) and tile (t, 2) of each tile that one of the `chosen` boxes reaches."""
    low = np.floor(boxes[chosen, :2] / tile).astype(np.int64)
    high = np.floor(boxes[chosen, 2:] / tile).astype(np.int64)

    across, down = np.clip(high - low + 1, 1, None).T
    counts = across * down
    owner = np.repeat(np.arange(len(chosen)), counts)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)

    steps = np.stack([place % across[owner], place // across[owner]], axis=1)
    return chosen[owner], low[owner] + steps


def _against_all(box: Boxes, others: Boxes, index: int) -> NDArray[np.int64]:
    """Pairs (index, j) of one box (4,) and those of `others` that share area with it, (k, 2)."""
    near = np.flatnonzero(intersection(box, others)[0])
    return np.stack([np.full_like(near, index), near], axis=1)
