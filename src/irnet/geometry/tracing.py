"""Outlines of many masks at once, at their half level: marching squares without a loop over pixels."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from irnet.geometry.masks import Mask

Ring = NDArray[np.float64]
_BATCH = 2**21  # pixels of masks that are looked at together

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
    begin = 0
    while begin < len(masks):
        end, width, height = begin, 0, 1
        while end < len(masks):
            wider, higher = max(width, masks[end].shape[1]), height + masks[end].shape[0] + 1
            if end > begin and (wider + 2) * higher > _BATCH:
                break
            end, width, height = end + 1, wider, higher
        yield from _trace(masks[begin:end], offsets[begin:end], (height, width + 2))
        begin = end


def _trace(masks: Sequence[Mask], offsets: NDArray[np.int64], shape: tuple[int, int]) -> list[list[Ring]]:
    """Of masks that lie below each other in one picture of `shape`, a row of background between them."""
    picture, tops, top = np.zeros(shape, dtype=np.uint8), [], 1
    for mask in masks:
        picture[top : top + mask.shape[0], 1 : 1 + mask.shape[1]] = mask
        tops.append(top)
        top += mask.shape[0] + 1
    points, bounds = _rings(picture)

    # A ring lies in the mask whose first row is the last one above its first vertex.
    first = points[bounds[:-1], 1] if len(bounds) > 1 else np.zeros(0)
    owners = np.searchsorted(np.array(tops), first, side="right") - 1

    rows = np.repeat(owners, np.diff(bounds))
    points += offsets[rows] - np.stack([np.ones(len(rows)), np.array(tops)[rows]], axis=1)

    drawn: list[list[Ring]] = [[] for _ in masks]
    for owner, start, stop in zip(owners.tolist(), bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        drawn[owner].append(points[start:stop])
    return [sorted(rings, key=len, reverse=True) for rings in drawn]


def _rings(picture: NDArray[np.uint8]) -> tuple[Ring, NDArray[np.int64]]:
    """Vertices of all outlines, ring after ring, (n, 2) from the picture's corner, and where each begins."""
    codes = picture[:-1, :-1] + 2 * picture[:-1, 1:] + 4 * picture[1:, :-1] + 8 * picture[1:, 1:]
    rows, columns = np.nonzero((codes > 0) & (codes < 15))
    kinds = codes[rows, columns]

    starts, ends = _pieces(_FIRST, kinds, rows, columns, picture.shape[1])
    more = _pieces(_SECOND, kinds, rows, columns, picture.shape[1])
    starts, ends = np.concatenate([starts, more[0]]), np.concatenate([ends, more[1]])

    order = np.argsort(starts)  # each vertex is the start of one piece and the end of another
    follows = np.searchsorted(starts[order], ends[order]).tolist()

    walked, bounds, seen = list[int](), [0], bytearray(len(follows))
    for begin in range(len(follows)):
        if seen[begin]:
            continue
        place = begin
        while not seen[place]:
            seen[place] = 1
            walked.append(place)
            place = follows[place]
        walked.append(begin)
        bounds.append(len(walked))

    y, x = np.divmod(starts[order][walked], 2 * picture.shape[1])
    return np.stack([x, y], axis=1) / 2, np.array(bounds)


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
