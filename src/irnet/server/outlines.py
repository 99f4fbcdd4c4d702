"""Outlines for the screen: contours of many masks with as few vertices as a tolerance allows."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from irnet.cells import Cells
from irnet.geometry.polygons import Ring, contours

TOLERANCE = 0.35  # px: below what is seen at full zoom


def outlines(cells: Cells, *, tolerance: float = TOLERANCE) -> list[list[list[float]]]:
    """For each instance its rings as flat x, y lists, the outer one first; rings are open.

    Coordinates are of pixel corners, rounded to a tenth of a pixel.
    """
    rings = [
        contours(mask, (int(x), int(y))) for mask, (x, y) in zip(cells.masks, cells.offsets, strict=True)
    ]
    thin = iter(simplify([ring for group in rings for ring in group], tolerance))
    return [[np.round(next(thin)[:-1], 1).ravel().tolist() for _ in group] for group in rings]


def simplify(rings: Sequence[Ring], tolerance: float) -> list[Ring]:
    """Closed rings without the vertices that lie within `tolerance` px of the rest (Douglas and Peucker).

    All rings go through each step together, which is what makes thousands of them fast.
    """
    if not rings:
        return []
    points = np.concatenate(rings)  # (n, 2)
    lengths = np.array([len(ring) for ring in rings], dtype=np.int64)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    kept = np.zeros(len(points), dtype=bool)
    kept[starts] = kept[ends - 1] = True
    for start, end in zip(starts, ends, strict=True):  # a closed ring needs a second fixed vertex
        kept[start + np.abs(points[start:end] - points[start]).sum(axis=1).argmax()] = True
    open_ = np.flatnonzero(~kept)  # vertices that may still be needed
    while len(open_):
        fixed = np.flatnonzero(kept)
        stretch = np.searchsorted(fixed, open_) - 1
        distance = _from_chord(points[open_], points[fixed[stretch]], points[fixed[stretch + 1]])
        begins = np.diff(stretch, prepend=-1) > 0
        worst = np.maximum.reduceat(distance, np.flatnonzero(begins))[np.cumsum(begins) - 1]
        far = (distance == worst) & (worst > tolerance)
        kept[open_[far]] = True
        open_ = open_[(worst > tolerance) & ~far]
    return [points[start:end][kept[start:end]] for start, end in zip(starts, ends, strict=True)]


def _from_chord(points: Ring, first: Ring, last: Ring) -> NDArray[np.float64]:
    """Distance of each point from the line through its two, or from the one point where they are the same."""
    chord, offset = last - first, points - first
    length = np.hypot(*chord.T)
    across = np.abs(chord[:, 0] * offset[:, 1] - chord[:, 1] * offset[:, 0])
    return np.where(length > 0, across / np.maximum(length, 1e-9), np.hypot(*offset.T))
