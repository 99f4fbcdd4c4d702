"""Size and form of one mask, in pixels: what `skimage.measure.regionprops` says of its crop, and its hull."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from skimage.measure import regionprops

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
    region = regionprops(mask.astype(np.uint8))[0]
    area, perimeter = int(region.area), float(region.perimeter_crofton)
    hull = hull_of(mask)
    widest, narrowest = caliper_widths(hull)
    y, x = region.centroid
    return Shape(
        area=area,
        centroid=(float(x), float(y)),
        perimeter=perimeter,
        max_diameter=widest,
        min_diameter=narrowest,
        eccentricity=float(region.eccentricity),
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
    apart = hull[:, None] - hull[None]
    edges = np.roll(hull, -1, axis=0) - hull
    normals = np.stack([-edges[:, 1], edges[:, 0]], axis=1) / np.hypot(*edges.T)[:, None]
    along = normals @ hull.T  # (edges, corners)
    return float(np.hypot(apart[..., 0], apart[..., 1]).max()), float(np.ptp(along, axis=1).min())


def polygon_area(ring: Points) -> float:
    """Area inside a simple polygon (k, 2)."""
    x, y = ring.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def _ends(lines: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and last true place of each line; every line has one."""
    return lines.argmax(axis=1), lines.shape[1] - 1 - lines[:, ::-1].argmax(axis=1)
