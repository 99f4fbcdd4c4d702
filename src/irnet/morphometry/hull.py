"""Convex hulls of many masks at once, and what is measured on them.

A hull is that of the midpoints of the pixels' sides. Its corners are whole numbers of half pixels, so that
which points are corners is exact.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from irnet.geometry.sheets import Runs

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


class Hulls(NamedTuple):
    """Hulls of m masks."""

    areas: _Floats  # (m,) px
    widest: _Floats  # (m,) px, largest distance between parallel lines that hold the hull between them
    narrowest: _Floats  # (m,) px, the smallest


class _Rings(NamedTuple):
    """Corners of convex polygons, ring after ring, clockwise as seen on a screen; p of them in all."""

    x: _Ints  # (p,) half pixels
    y: _Ints  # (p,)
    owners: _Ints  # (p,) which ring, ascending
    first: _Ints  # (m,) where each begins

    def step(self, by: int) -> _Ints:
        """Of each corner the one that comes `by` after it in its ring, (p,)."""
        return self.wrap(np.arange(len(self.x)) + by, self.owners)

    def wrap(self, places: _Ints, owners: _Ints) -> _Ints:
        """Places that may lie one ring's length before or after its corners, brought into the ring."""
        counts = np.diff(self.first, append=len(self.x))[owners]
        return self.first[owners] + (places - self.first[owners]) % counts


def measure_hulls(runs: Runs) -> Hulls:
    """The hulls of the masks that have runs, in the order of the runs."""
    rings = _rings(*_ends(runs))
    after = rings.step(1)
    dx, dy = rings.x[after] - rings.x, rings.y[after] - rings.y

    twice = np.add.reduceat(rings.x * rings.y[after] - rings.x[after] * rings.y, rings.first)
    widest, widths = np.zeros(len(rings.x)), np.zeros(len(rings.x))

    # The lines of a width touch a side and the corner opposite to it, those of the largest two such corners.
    # Of three neighbours one is it, whatever rounding does to the angles of parallel sides.
    opposite = _opposite(rings, dx, dy)
    for by in (-1, 0, 1):
        far = rings.wrap(opposite + by, rings.owners)
        x, y = rings.x[far] - rings.x, rings.y[far] - rings.y
        widths = np.maximum(widths, (dx * y - dy * x) / np.hypot(dx, dy))
        widest = np.maximum(widest, np.maximum(np.hypot(x, y), np.hypot(x - dx, y - dy)))
    return Hulls(
        np.abs(twice) / 8,
        np.maximum.reduceat(widest, rings.first) / 2,
        np.minimum.reduceat(widths, rings.first) / 2,
    )


def _opposite(rings: _Rings, dx: _Ints, dy: _Ints) -> _Ints:
    """Of each side (from a corner to the next) the corner where the outline turns to go against it, (p,)."""
    angles = np.arctan2(dy, dx)
    angles = np.where(angles <= 0, angles + 2 * np.pi, angles)  # ascending in each ring
    against = np.where(angles <= np.pi, angles + np.pi, angles - np.pi)
    base = rings.owners * 8.0
    return np.searchsorted(base + angles, base + against)


def _ends(runs: Runs) -> tuple[_Ints, _Ints, _Ints, _Ints]:
    """Of each row with pixels: which mask, counted from 0, the row, the first column and the last."""
    begins = np.diff(runs.owners, prepend=-1) != 0
    masks = np.cumsum(begins) - 1
    begins |= np.diff(runs.rows, prepend=-1) != 0
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(begins)) - 1
    return masks[first], runs.rows[first], runs.starts[first], runs.stops[last] - 1


def _rings(masks: _Ints, rows: _Ints, left: _Ints, right: _Ints) -> _Rings:
    """The hulls: each row's ends down the right side, then up the left side."""
    sides = [_side(masks, rows, x) for x in (right, -left)]
    owners, y, x = (np.concatenate(parts) for parts in zip(*sides, strict=True))

    is_left = np.arange(len(x)) >= len(sides[0][0])
    kept = _corners(2 * owners + is_left, y, x)
    x = np.where(is_left, -x, x)

    along = np.where(is_left[kept], -kept, kept)
    kept = kept[np.lexsort((along, is_left[kept], owners[kept]))]
    owners, y, x = owners[kept], y[kept], x[kept]

    # A row of one pixel at the upper or lower end is the end of both sides.
    rings = _Rings(x, y, owners, _begins(owners))
    after = rings.step(1)
    single = (x == x[after]) & (y == y[after])
    owners = owners[~single]
    return _Rings(x[~single], y[~single], owners, _begins(owners))


def _begins(owners: _Ints) -> _Ints:
    return np.flatnonzero(np.diff(owners, prepend=-1))


def _side(masks: _Ints, rows: _Ints, x: _Ints) -> tuple[_Ints, _Ints, _Ints]:
    """Points of one side, in half pixels, from above: the last pixel's upper, outer and lower midpoint.

    Between two rows that follow each other there is one point, that of the row that reaches further.
    """
    joined = (np.diff(masks) == 0) & (np.diff(rows) == 1)
    lower = 2 * x
    lower[:-1] = np.where(joined, np.maximum(lower[:-1], 2 * x[1:]), lower[:-1])

    points = np.stack([2 * x, 2 * x + 1, lower], axis=1)  # (r, 3)
    heights = 2 * rows[:, None] + np.array([-1, 0, 1])
    kept = np.ones(points.shape, dtype=bool)
    kept[1:, 0] = ~joined
    return np.repeat(masks, kept.sum(axis=1)), heights[kept], points[kept]


def _corners(owners: _Ints, y: _Ints, x: _Ints) -> _Ints:
    """Which points of each side are corners of its hull: all at which the way down turns to the left.

    No point that another way passes outside of is a corner, so all of them go at once, until none is left.
    """
    done, left, count = [np.zeros(0, dtype=np.int64)], np.arange(len(x)), int(owners.max()) + 1
    while len(left):
        a, b, c = left[:-2], left[1:-1], left[2:]
        turns = (x[b] - x[a]) * (y[c] - y[b]) - (y[b] - y[a]) * (x[c] - x[b])
        inner = np.zeros(len(left), dtype=bool)
        inner[1:-1] = (owners[a] == owners[c]) & (turns <= 0)

        busy = np.zeros(count, dtype=bool)
        busy[owners[left[inner]]] = True
        again = busy[owners[left]]
        done.append(left[~again])
        left = left[again & ~inner]
    return np.sort(np.concatenate(done))
