"""Polygons: rings of (x, y) vertices in pixels, (0, 0) being the top-left corner of the first pixel."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skimage.measure import find_contours

from irnet.errors import InputError
from irnet.geometry.masks import Mask, Offset, Shape, trim

Ring = NDArray[np.float64]
MIN_VERTICES = 3


def validate(rings: Sequence[ArrayLike], shape: Shape) -> list[Ring]:
    """`rings` (flat x, y, x, y lists or pairs) as finite (k, 2) arrays of at least three vertices.

    A vertex may lie outside the frame by up to its longer side; `rasterise` cuts that off. Raises InputError.
    """
    limit = 2 * max(shape)
    valid = []
    for ring in rings:
        try:
            points = np.asarray(ring, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            raise InputError("a polygon must be a list of numbers x1, y1, x2, y2, ...") from None
        if points.size < 2 * MIN_VERTICES or points.size % 2 or points.ndim > 2:
            raise InputError(f"a polygon needs an even count of at least 6 numbers, not {points.size}")
        if not np.isfinite(points).all() or np.abs(points).max() > limit:
            raise InputError(f"a polygon has a vertex that is not finite or beyond {limit} px")
        valid.append(points.reshape(-1, 2))
    if not valid:
        raise InputError("an empty list of polygons is no mask")
    return valid


def rasterise(rings: Sequence[ArrayLike], shape: Shape) -> tuple[Mask, Offset]:
    """The pixels whose centres lie in any of `rings`, as a tight crop and its (x, y), cut to the frame."""
    valid = validate(rings, shape)
    vertices = np.concatenate(valid)
    height, width = shape
    x1, y1 = np.clip(np.floor(vertices.min(axis=0)).astype(int), 0, [width, height])
    x2, y2 = np.clip(np.ceil(vertices.max(axis=0)).astype(int), 0, [width, height])
    if x2 <= x1 or y2 <= y1:
        return np.zeros((0, 0), dtype=bool), (0, 0)
    mask = np.zeros((y2 - y1, x2 - x1), dtype=bool)
    for ring in valid:
        mask |= _fill(ring - (x1, y1), mask.shape)
    crop, (x, y) = trim(mask)
    return crop, (x + int(x1), y + int(y1)) if crop.size else (0, 0)


def _fill(ring: Ring, shape: tuple[int, ...]) -> Mask:
    """Pixels from whose centre a ray to the left crosses the ring an odd number of times."""
    height, width = shape
    starts, ends = ring, np.roll(ring, -1, axis=0)
    tops = np.clip(np.ceil(np.minimum(starts, ends)[:, 1] - 0.5), 0, height).astype(int)
    bottoms = np.clip(np.ceil(np.maximum(starts, ends)[:, 1] - 0.5), 0, height).astype(int)
    crossings = np.zeros((height, width + 1), dtype=np.uint8)
    for (x1, y1), (x2, y2), top, bottom in zip(starts, ends, tops, bottoms, strict=True):
        if top < bottom:
            rows = np.arange(top, bottom)  # whose centres lie between the two ends
            columns = np.ceil(x1 + (rows + 0.5 - y1) * (x2 - x1) / (y2 - y1) - 0.5)
            crossings[rows, np.clip(columns, 0, width).astype(int)] += 1
    return np.cumsum(crossings[:, :-1], axis=1, dtype=np.uint8) % 2 == 1  # 256 is even: overflow is harmless


def contours(crop: Mask, offset: Offset) -> list[Ring]:
    """Closed outer and inner outlines of a mask at its half level, longest first."""
    padded = np.pad(np.asarray(crop, dtype=np.float64), 1)
    rings = find_contours(padded, 0.5, fully_connected="high")
    shift = np.array(offset, dtype=np.float64) - 0.5  # padding, and pixel centres lie half a pixel inside
    return sorted((ring[:, ::-1] + shift for ring in rings), key=len, reverse=True)
