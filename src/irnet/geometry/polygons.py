"""Polygons: rings of (x, y) vertices in pixels, (0, 0) being the top-left corner of the first pixel."""

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from irnet.errors import InputError
from irnet.geometry.masks import Mask, Offset, Shape, trim
from irnet.geometry.tracing import trace

Ring = NDArray[np.float64]
MIN_VERTICES = 3
MOST_CROSSINGS = 20_000_000  # rows that the edges of a ring cross, each counted: half a second of filling
_TOGETHER = 512  # masks whose outlines are simplified at a time
_ROUNDS = 64  # of splitting: outlines of cells take a dozen, one as jagged as a comb a round for each tooth
TOLERANCE = 0.35  # px: an outline passes every pixel centre at 0.354 px or more, so that none changes sides


def validate(rings: Sequence[ArrayLike], shape: Shape) -> list[Ring]:
    """`rings` (flat x, y, x, y lists or pairs) as finite (k, 2) arrays of at least three vertices.

    A vertex may lie outside the frame by up to its longer side; `rasterise` cuts that off. Raises InputError.
    """
    valid = [validate_points(ring, shape) for ring in rings]
    for points in valid:
        if len(points) < MIN_VERTICES:
            raise InputError(f"a polygon needs an even count of at least 6 numbers, not {points.size}")
    if not valid:
        raise InputError("an empty list of polygons is not a mask")
    return valid


def validate_points(points: Any, shape: Shape) -> Ring:
    """Points (flat x, y, x, y or pairs) as a finite (k, 2) array in or near the frame. Raises InputError."""
    limit = 2 * max(shape)
    try:
        array = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise InputError("points must be a list of numbers x1, y1, x2, y2, ... or of pairs") from None

    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] != 2):
        raise InputError("points must be a list of numbers x1, y1, x2, y2, ... or of pairs")
    if not array.size or array.size % 2:
        raise InputError(f"points need an even count of numbers, at least 2, not {array.size}")
    if not np.isfinite(array).all() or np.abs(array).max() > limit:
        raise InputError(f"a point is not finite or beyond {limit} px")
    return array.reshape(-1, 2)


def rasterise(rings: Sequence[ArrayLike], shape: Shape, *, holes: bool = False) -> tuple[Mask, Offset]:
    """The pixels whose centres lie in any of `rings`, as a tight crop and its (x, y), cut to the frame.

    With `holes`, a ring inside another one cuts a hole into it, and a ring in the hole is solid again.
    """
    valid = validate(rings, shape)
    x1, y1, x2, y2 = _extent(np.concatenate(valid), shape)

    mask = np.zeros((y2 - y1, x2 - x1), dtype=bool)
    for ring in valid:
        left, top, right, bottom = _extent(ring, shape)
        filled = _fill(ring - (left, top), (bottom - top, right - left))
        part = mask[top - y1 : bottom - y1, left - x1 : right - x1]
        (np.logical_xor if holes else np.logical_or)(part, filled, out=part)

    crop, (x, y) = trim(mask)
    return crop, (x + x1, y + y1) if crop.size else (0, 0)


def pixels_filled(rings: Sequence[Ring], shape: Shape) -> int:
    """Pixels of the frame that `rasterise` looks at for valid `rings`: of each, and of several together."""
    looked_at = [*rings, np.concatenate(rings)] if len(rings) > 1 else rings
    boxes = [_extent(ring, shape) for ring in looked_at]
    return sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in boxes)


def ellipse(box: tuple[float, float, float, float], vertices: int = 90) -> Ring:
    """The ellipse that fills a box x1, y1, x2, y2, as a ring (vertices, 2)."""
    x1, y1, x2, y2 = box
    angles = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    radii, centre = ((x2 - x1) / 2, (y2 - y1) / 2), ((x1 + x2) / 2, (y1 + y2) / 2)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii + centre


def _extent(ring: Ring, shape: Shape) -> tuple[int, int, int, int]:
    """The pixels x1, y1, x2, y2 of the frame that a ring can touch."""
    sides = [shape[1], shape[0]]
    x1, y1 = np.clip(np.floor(ring.min(axis=0)), 0, sides).astype(int).tolist()
    x2, y2 = np.clip(np.ceil(ring.max(axis=0)), 0, sides).astype(int).tolist()
    return x1, y1, x2, y2


def _fill(ring: Ring, shape: tuple[int, ...]) -> Mask:
    """Pixels from whose centre a ray to the left crosses the ring an odd number of times."""
    height, width = shape
    starts, ends = ring, np.roll(ring, -1, axis=0)

    tops = np.clip(np.ceil(np.minimum(starts, ends)[:, 1] - 0.5), 0, height).astype(int)
    bottoms = np.clip(np.ceil(np.maximum(starts, ends)[:, 1] - 0.5), 0, height).astype(int)
    counts = bottoms - tops  # rows whose centres lie between the two ends of each edge
    if counts.sum() > MOST_CROSSINGS:
        raise InputError(f"an outline of {len(ring)} vertices runs up and down too often: simplify it")

    # All edges at once, (k,) crossings: the row, and where on it the edge passes.
    edge = np.repeat(np.arange(len(ring)), counts)
    rows = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts) + tops[edge]
    (x1, y1), (x2, y2) = starts[edge].T, ends[edge].T
    columns = np.ceil(x1 + (rows + 0.5 - y1) * (x2 - x1) / (y2 - y1) - 0.5)

    crossings = np.zeros((height, width + 1), dtype=np.uint8)
    np.add.at(crossings, (rows, np.clip(columns, 0, width).astype(int)), 1)
    return np.cumsum(crossings[:, :-1], axis=1, dtype=np.uint8) % 2 == 1  # 256 is even: overflow is harmless


def are_shares(rings: Sequence[ArrayLike]) -> bool:
    """Whether all coordinates lie from 0 to 1, as where they are shares of an image's size and not pixels."""
    values = np.concatenate([np.ravel(np.asarray(ring, dtype=np.float64)) for ring in rings])
    return bool(((values >= 0) & (values <= 1)).all())


def contours(crop: Mask, offset: Offset) -> list[Ring]:
    """Closed outer and inner outlines (k, 2) of a mask (h, w) at its half level, longest first."""
    (rings,) = trace([np.asarray(crop, dtype=bool)], np.array([offset], dtype=np.int64))
    return rings


def outlines(masks: Sequence[Mask], offsets: NDArray[np.int64]) -> Iterator[list[Ring]]:
    """`contours` of each mask without the vertices that no pixel depends on, about a third of them.

    `rasterise` with holes makes the very same masks of them. `offsets` (n, 2) are the x, y of the crops.
    """
    drawn = trace(masks, offsets)
    while some := list(islice(drawn, _TOGETHER)):
        thin = iter(simplify([ring for rings in some for ring in rings]))
        yield from (list(islice(thin, len(rings))) for rings in some)


def simplify(rings: Sequence[Ring], tolerance: float = TOLERANCE) -> list[Ring]:
    """Closed rings (k, 2), the last vertex the first, with fewer vertices and at most `tolerance` px off.

    Douglas and Peucker 1973. All pieces of all rings are split together: thousands of rings are fast. What is
    not settled after many rounds stays as it is.
    """
    if not rings:
        return []
    points = np.concatenate(rings)  # (n, 2)
    x, y = np.ascontiguousarray(points.T)
    bounds = np.cumsum([0, *map(len, rings)])
    kept = np.zeros(len(points), dtype=bool)
    for start, ring in zip(bounds, rings, strict=False):  # a closed ring needs a second fixed vertex
        away = np.hypot(ring[:, 0] - ring[0, 0], ring[:, 1] - ring[0, 1])
        kept[[start, start + away.argmax(), start + len(ring) - 1]] = True

    left = np.flatnonzero(~kept)  # vertices that may still be needed
    for _ in range(_ROUNDS):
        if not len(left):
            break

        ends = np.flatnonzero(kept)
        piece = np.cumsum(kept)[left]
        distance = _distance(x, y, left, ends[piece - 1], ends[piece])

        # Of the vertices of each piece the furthest stays where it lies too far off; then the others of the
        # piece are looked at again, between nearer ends.
        begins = np.diff(piece, prepend=-1) > 0
        furthest = np.maximum.reduceat(distance, np.flatnonzero(begins))[np.cumsum(begins) - 1]
        far = furthest > tolerance
        kept[left[(distance == furthest) & far]] = True
        left = left[(distance < furthest) & far]

    kept[left] = True
    return [points[start:end][kept[start:end]] for start, end in pairwise(bounds)]


def _distance(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    some: NDArray[np.int64],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Distance of some of the points x, y (n,) from the line between two others, (k,)."""
    left, top = x[starts], y[starts]
    across, down = x[ends] - left, y[ends] - top
    squares = np.maximum(across**2 + down**2, np.finfo(float).tiny)  # the two may be one

    right, below = x[some] - left, y[some] - top
    along = np.clip((right * across + below * down) / squares, 0, 1)
    return np.sqrt((x[some] - (left + along * across)) ** 2 + (y[some] - (top + along * down)) ** 2)
