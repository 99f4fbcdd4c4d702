"""Size and form of one mask, in pixels, as `skimage.measure.regionprops` has them, on its crop alone."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from skimage.measure import perimeter_crofton

Mask = NDArray[np.bool_]
Points = NDArray[np.float64]


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

    perimeter = float(perimeter_crofton(mask))
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

    points = np.concatenate(
        [
            np.stack([left - 0.5, rows], axis=1),
            np.stack([right + 0.5, rows], axis=1),
            np.stack([columns, top - 0.5], axis=1),
            np.stack([columns, bottom + 0.5], axis=1),
        ],
        dtype=np.float64,
    )
    return points[ConvexHull(points).vertices]


def caliper_widths(hull: Points) -> tuple[float, float]:
    """Largest and smallest distance between parallel lines that hold a convex polygon (k, 2) between them.

    >>> caliper_widths(np.array([[0, 0], [4, 0], [4, 3], [0, 3]]))
    (5.0, 3.0)
    """
    apart = hull[:, None] - hull[None]  # (k, k, 2)

    # The smallest width is reached where one of the lines holds a side of the polygon.
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


def _ends(lines: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and last true place of each line; every line has one."""
    return lines.argmax(axis=1), lines.shape[1] - 1 - lines[:, ::-1].argmax(axis=1)
