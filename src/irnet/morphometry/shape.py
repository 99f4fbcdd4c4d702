"""Size and form of one mask, in pixels, as `skimage.measure.regionprops` has them, on its crop alone."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Points = NDArray[np.float64]

_SIDE, _SLANT = np.pi / 4, np.pi / (4 * np.sqrt(2))  # of Crofton's formula, along the axes and the diagonals
_CROFTON = np.array(  # by a pixel, that above, that to the left and that between: bits 1, 2, 4, 8
    [
        *(0, _SIDE + _SLANT, _SLANT, 2 * _SLANT, 0, _SIDE + _SLANT, 0, _SLANT),
        *(_SIDE, 2 * _SIDE, _SLANT, _SLANT, _SIDE, 2 * _SIDE, 0, 0),
    ]
)


class Shape(NamedTuple):
    """Figures of a mask with at least one pixel."""

    area: int  # px
    centroid: tuple[float, float]  # x, y of the crop, in pixel centres
    perimeter: float  # px, Crofton's formula in four directions
    max_diameter: float  # px, largest caliper width
    min_diameter: float  # px, smallest caliper width
    eccentricity: float  # of the ellipse with the same second moments: 0 a circle, 1 a line
    solidity: float  # area over the area of the convex hull
    circularity: float  # 4 pi area / perimeter^2, at most 1


def measure_shape(mask: Mask) -> Shape:
    """The figures of a mask's crop (h, w), which may have several parts and holes.

    The hull is that of the midpoints of the pixels' sides, the outline at level one half.
    """
    area, (x, y), eccentricity = _moments(mask)
    perimeter = crofton(mask)
    hull = hull_of(mask)
    widest, narrowest = caliper_widths(hull)
    return Shape(
        area=area,
        centroid=(x, y),
        perimeter=perimeter,
        max_diameter=widest,
        min_diameter=narrowest,
        eccentricity=eccentricity,
        solidity=min(1.0, area / polygon_area(hull)),
        circularity=min(1.0, 4 * np.pi * area / perimeter**2),
    )


def hull_of(mask: Mask) -> Points:
    """Corners of the convex hull of the midpoints of the pixels' sides, in order, (k, 2) x, y."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, right = _ends(mask[rows])
    top, bottom = _ends(mask[:, columns].T)

    # Of the midpoints on each line x (in half pixels) the first and the last alone can be corners.
    first, last = np.full((2, 2 * mask.shape[1] + 1), [[np.inf], [-np.inf]])
    for places in (2 * left, 2 * right + 2):
        np.minimum.at(first, places, rows)
        np.maximum.at(last, places, rows)
    first[2 * columns + 1], last[2 * columns + 1] = top - 0.5, bottom + 0.5
    x = np.flatnonzero(np.isfinite(first))
    lower = _half_hull(zip((x / 2 - 0.5).tolist(), first[x].tolist(), strict=True))
    upper = _half_hull(zip((x[::-1] / 2 - 0.5).tolist(), last[x[::-1]].tolist(), strict=True))
    corners = np.array(lower + upper)
    return corners[
        (corners != np.roll(corners, 1, axis=0)).any(axis=1)
    ]  # where one half ends the other begins


def crofton(mask: Mask) -> float:
    """Perimeter by Crofton's formula in four directions; `skimage.measure.perimeter_crofton` takes longer."""
    padded = np.pad(np.asarray(mask, dtype=np.uint8), 1)
    codes = padded[1:, 1:] + 2 * padded[:-1, 1:] + 4 * padded[1:, :-1] + 8 * padded[:-1, :-1]
    return float(_CROFTON @ np.bincount(codes.ravel(), minlength=16))


def caliper_widths(hull: Points) -> tuple[float, float]:
    """Largest and smallest distance between parallel lines that hold a convex polygon (k, 2) between them.

    >>> caliper_widths(np.array([[0, 0], [4, 0], [4, 3], [0, 3]]))
    (5.0, 3.0)
    """
    apart = hull[:, None] - hull[None]
    edges = np.roll(hull, -1, axis=0) - hull
    normals = np.stack([-edges[:, 1], edges[:, 0]], axis=1) / np.hypot(*edges.T)[:, None]
    along = normals @ hull.T  # (edges, corners)
    return float(np.hypot(apart[..., 0], apart[..., 1]).max()), float(np.ptp(along, axis=1).min())


def polygon_area(ring: Points) -> float:
    """Area inside a simple polygon (k, 2)."""
    x, y = ring.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def _moments(mask: Mask) -> tuple[int, tuple[float, float], float]:
    """Area, centroid (x, y) and eccentricity; regionprops takes ten times as long for the same."""
    weights = mask.astype(np.float64)
    columns, rows = weights.sum(axis=0), weights.sum(axis=1)
    area = columns.sum()
    x, y = columns @ np.arange(len(columns)) / area, rows @ np.arange(len(rows)) / area
    u, v = np.arange(len(columns)) - x, np.arange(len(rows)) - y
    uu, vv, uv = columns @ u**2, rows @ v**2, v @ weights @ u
    major, spread = uu + vv, np.hypot(uu - vv, 2 * uv)  # twice the mean and the difference of both axes'
    eccentricity = np.sqrt(2 * spread / (major + spread)) if major else 0.0
    return int(area), (float(x), float(y)), float(eccentricity)


def _half_hull(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The corners among points in the order of x that have all others on their left (Andrew 1979)."""
    corners: list[tuple[float, float]] = []
    for x, y in points:
        while len(corners) > 1:
            (x1, y1), (x2, y2) = corners[-2], corners[-1]
            if (x2 - x1) * (y - y1) > (y2 - y1) * (x - x1):
                break
            corners.pop()
        corners.append((x, y))
    return corners


def _ends(lines: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and last true place of each line; every line has one."""
    return lines.argmax(axis=1), lines.shape[1] - 1 - lines[:, ::-1].argmax(axis=1)
