"""Outlines of many masks at once, at their half level: marching squares without a loop over pixels."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from irnet.geometry.masks import Mask
from irnet.geometry.sheets import Sheet, sheets

Ring = NDArray[np.float64]
_TOGETHER = 1024  # masks that are looked at together

# Of a square of four pixels (bits 1, 2, 4, 8: upper left and right, lower left and right) the sides that its
# piece of outline joins: 0 is the top, 1 the left, 2 the right, 3 the bottom. Pixels that touch by a corner
# are one object.
_FIRST = {1: (0, 1), 2: (2, 0), 3: (2, 1), 4: (1, 3), 5: (0, 3), 6: (1, 0), 7: (2, 3), 8: (3, 2)}
_FIRST |= {9: (0, 2), 10: (3, 0), 11: (3, 1), 12: (1, 2), 13: (0, 2), 14: (1, 0)}
_SECOND = {6: (2, 3), 9: (3, 1)}  # squares with two pieces


def trace(masks: Sequence[Mask], offsets: NDArray[np.int64]) -> Iterator[list[Ring]]:
    """For each mask its closed outer and inner outlines, longest first, as (k, 2) x, y in the frame.

    `offsets` (n, 2) are the x, y of the crops. Pixel centres lie half a pixel inside.
    """
    for begin in range(0, len(masks), _TOGETHER):
        some, corners = masks[begin : begin + _TOGETHER], offsets[begin : begin + _TOGETHER]
        drawn: list[list[Ring]] = [[] for _ in some]
        for sheet in sheets(some):
            for owner, ring in _trace(sheet, corners):
                drawn[owner].append(ring)
        yield from (sorted(rings, key=len, reverse=True) for rings in drawn)


def _trace(sheet: Sheet, offsets: NDArray[np.int64]) -> Iterator[tuple[int, Ring]]:
    """The outlines of the masks of a sheet, each with which of all masks it is of."""
    points, bounds = _rings(sheet)

    # A ring lies in the mask whose first row is the last one above its first vertex.
    first = points[bounds[:-1], 1]
    place = np.searchsorted(sheet.tops, first, side="right") - 1

    corners = offsets[sheet.members] - np.stack([np.ones_like(sheet.tops), sheet.tops], axis=1)
    points += np.repeat(corners[place], np.diff(bounds), axis=0)
    ends = bounds.tolist()
    for owner, start, stop in zip(sheet.members[place].tolist(), ends[:-1], ends[1:], strict=True):
        yield owner, points[start:stop]


def _rings(sheet: Sheet) -> tuple[Ring, NDArray[np.int64]]:
    """Vertices of all outlines, ring after ring, (n, 2), and where each begins.

    They count from the upper left corner of a picture with a column of background before the sheet.
    """
    # The last column is background, so the pixel before a row's first is some, too: squares need no column.
    width, pixels = sheet.width, np.concatenate([np.zeros(1, dtype=np.uint8), sheet.pixels.view(np.uint8)])
    codes = pixels[: -width - 1] + 2 * pixels[1:-width] + 4 * pixels[width:-1] + 8 * pixels[width + 1 :]
    found = np.flatnonzero((codes > 0) & (codes < 15))
    rows, columns = np.divmod(found, width)

    starts, ends = _pieces(_FIRST, codes[found], rows, columns, width + 1)
    more = _pieces(_SECOND, codes[found], rows, columns, width + 1)
    starts, ends = np.concatenate([starts, more[0]]), np.concatenate([ends, more[1]])

    order = np.argsort(starts)  # each vertex is the start of one piece and the end of another
    walked, bounds = _walk(np.searchsorted(starts[order], ends[order]))
    y, x = np.divmod(starts[order][walked], 2 * (width + 1))
    return np.stack([x, y], axis=1) / 2, bounds


def _walk(follows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rings of a permutation, each from its least member to that again, and where each begins.

    Members jump 1, 2, 4 ... places at a time: a few rounds for rings of thousands (Wyllie 1979).
    """
    every = np.arange(len(follows))
    least, further, jump = every, np.minimum(every, follows), follows
    while (further != least).any():
        least, jump = further, jump[jump]
        further = np.minimum(least, least[jump])

    # Steps from each to the least member, where all jumps end.
    left, jump = (least != every).astype(np.int64), np.where(least == every, every, follows)
    while (jump != least).any():
        left, jump = left + left[jump], jump[jump]

    # The first of a ring is its least member, and comes again as its last.
    begins, lengths = np.unique(least, return_counts=True)
    bounds = np.append(0, np.cumsum(lengths + 1))
    ring = np.searchsorted(begins, least)
    walked = np.empty(bounds[-1], dtype=np.int64)
    walked[bounds[ring] + (lengths[ring] - left) % lengths[ring]] = every
    walked[bounds[1:] - 1] = begins
    return walked, bounds


def _pieces(
    sides: dict[int, tuple[int, int]],
    kinds: NDArray[np.uint8],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    width: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Vertices from which and to which the squares' pieces go, as one number each, in half pixels."""
    table = np.full((16, 2), -1)
    table[list(sides)] = list(sides.values())
    chosen = table[kinds]

    has = chosen[:, 0] >= 0
    across = np.array([2, 1, 3, 2])  # half pixels from the picture's corner to the side's middle
    down = np.array([1, 2, 2, 3])

    x, y = 2 * columns[has, None] + across[chosen[has]], 2 * rows[has, None] + down[chosen[has]]
    vertices = y * (2 * width) + x
    return vertices[:, 0], vertices[:, 1]
