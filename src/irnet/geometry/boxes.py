"""Axis-aligned boxes: (n, 4) arrays of x1, y1, x2, y2 in pixels, x2 and y2 exclusive."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Boxes = NDArray[np.float64]


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


def overlapping_pairs(a: ArrayLike, b: ArrayLike) -> NDArray[np.int64]:
    """Index pairs (i, j) of the boxes of `a` and `b` that share area, (k, 2), sorted.

    Boxes are swept along x, so memory grows with the pairs that meet there and not with n * m.
    """
    a, b = as_boxes(a), as_boxes(b)
    order = np.argsort(b[:, 0], kind="stable")
    start = np.searchsorted(b[order, 0], a[:, 0] - _longest(b), side="left")
    stop = np.searchsorted(b[order, 0], a[:, 2], side="left")
    counts = np.clip(stop - start, 0, None)
    i = np.repeat(np.arange(len(a)), counts)
    first = np.repeat(start - np.concatenate(([0], np.cumsum(counts)[:-1])), counts) if len(a) else i
    j = order[first + np.arange(len(i))]
    low, high = np.maximum(a[i, :2], b[j, :2]), np.minimum(a[i, 2:], b[j, 2:])
    meets = (high > low).all(axis=1)
    pairs = np.stack([i[meets], j[meets]], axis=1).astype(np.int64)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def neighbours(a: ArrayLike, b: ArrayLike) -> list[NDArray[np.int64]]:
    """For each box of `a` the indices of the boxes of `b` that share area with it, ascending.

    >>> [near.tolist() for near in neighbours([[0, 0, 2, 2], [8, 8, 9, 9]], [[5, 5, 6, 6], [1, 0, 3, 2]])]
    [[1], []]
    """
    a = as_boxes(a)
    pairs = overlapping_pairs(a, b)
    return np.split(pairs[:, 1], np.searchsorted(pairs[:, 0], np.arange(1, len(a))))[: len(a)]


def _longest(boxes: Boxes) -> float:
    return float((boxes[:, 2] - boxes[:, 0]).max(initial=0.0))
